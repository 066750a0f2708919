#!/usr/bin/env python3
"""The database goes away and comes back while tickets come: nothing is lost, nothing is done twice."""
import threading
import time

from harness import SqlError, run, webhook
from model import Comparison, check_deliveries

CONFIG = """
escalations = {{ loud = (
    {{ on = "at_risk"; notify = [ "ops" ]; }},
    {{ on = "breached"; notify = [ "ops" ]; repeat_every = "1s"; repeat_max = 1; }} ); }};
policies = ( {{ name = "all"; escalation = "loud"; targets = (
    {{ metric = "first_response"; within = "2s"; at_risk = [ "50%" ]; }},
    {{ metric = "resolution"; within = "3s"; at_risk = [ "33%", "1s" ]; pause_on = [ "pending" ]; }} ); }} );
channels = {{ {channels} }};
"""
BACK_WITHIN = 5.0


class Writer(threading.Thread):
    """Opens tickets and works on them until told to stop, through every loss of its connection."""

    def __init__(self, bench):
        super().__init__(daemon=True)
        self.bench = bench
        self.session = None
        self.stop = threading.Event()
        self.tickets = 0
        self.lost = 0
        self.error = None

    def run(self):
        number = 0
        while not self.stop.is_set():
            number += 1
            try:
                if self.session is None:
                    self.session = self.bench.session()
                ticket = self.session.insert("ticket", severity="normal", plan="any")
                self.tickets += 1
                if number % 3 == 0:
                    self.session.run(f"UPDATE sla.ticket SET status = 'pending' WHERE id = {ticket}")
                if number % 6 == 0:
                    self.session.run(f"UPDATE sla.ticket SET status = 'open' WHERE id = {ticket}")
                if number % 5 == 0:
                    self.session.insert("reply", ticket_id=ticket, author="agent")
                self.session.run("SELECT pg_sleep(0.05)")
            except (SqlError, ValueError):
                self.session = None
                self.lost += 1
                self.stop.wait(0.05)
            except Exception as error:  # the main thread tells of it
                self.error = error
                return


def wait_alive(bench, writer):
    """How long until the daemon has applied all that is there now, in seconds."""
    begin = time.monotonic()
    last = bench.db.value("SELECT max(id) FROM sla.ticket")
    bench.db.wait(f"(SELECT count(*) FROM sla.ticket_state WHERE ticket_id <= {last}) = "
                  f"(SELECT count(*) FROM sla.ticket WHERE id <= {last})")
    tickets = writer.tickets
    bench.db.wait(f"(SELECT count(*) FROM sla.ticket_state) > {tickets}")
    return time.monotonic() - begin


def test(bench):
    receiver = bench.receiver()
    path = bench.write_config(CONFIG.format(channels=webhook("ops", receiver.url())))
    daemon = bench.daemon(path)
    writer = Writer(bench)
    writer.start()
    bench.db.wait("(SELECT count(*) FROM sla.delivery_log) > 10")
    windows = []

    for name in ("slated feed", "slated ledger", "slated outbox"):
        down = int(time.time() * 1e6)
        pid = bench.db.value(f"SELECT pid FROM pg_stat_activity WHERE application_name = '{name}'")
        bench.equal(bench.db.value(f"SELECT pg_terminate_backend({pid})"), True, f"{name}: its connection is ended")
        bench.db.wait(f"EXISTS (SELECT FROM pg_stat_activity WHERE application_name = '{name}' AND pid <> {pid})")
        took = wait_alive(bench, writer)
        sent = bench.db.value("SELECT count(*) FROM sla.delivery_log")
        bench.db.wait(f"(SELECT count(*) FROM sla.delivery_log) > {sent}")
        windows.append((down - 200_000, int(time.time() * 1e6)))
        bench.check(took < BACK_WITHIN, f"{name}: back within {BACK_WITHIN:g} s", f"{took:.1f} s")

    for number in (1, 2):
        down = int(time.time() * 1e6)
        since = len(daemon.log.lines)
        bench.server.restart()
        returned = time.monotonic()
        daemon.wait_loaded(since=since)
        took = time.monotonic() - returned
        bench.db = bench.session()
        wait_alive(bench, writer)
        windows.append((down - 200_000, int(time.time() * 1e6)))
        bench.check(took < BACK_WITHIN, f"crash {number} of the server: back within {BACK_WITHIN:g} s", f"{took:.1f} s")
        bench.note(f"back after {took:.2f} s")

    writer.stop.set()
    writer.join()
    bench.check(writer.error is None and writer.lost >= 2, "the writer lost its connection each time and went on",
                f"{writer.error} {writer.lost}")
    # Those that still run, and the last repeats.
    bench.db.wait("NOT EXISTS (SELECT FROM sla.clock WHERE state = 'running')")
    bench.db.wait("clock_timestamp() > (SELECT max(breached_at) + interval '1.3 seconds' FROM sla.clock)")
    bench.db.wait("NOT EXISTS (SELECT FROM sla.delivery)", 60)
    comparison = Comparison(bench.db, path, int(time.time() * 1e6), windows)
    comparison.check(bench, "reconnect")
    check_deliveries(bench, receiver, "reconnect", at_most=3)
    bench.stopped(daemon)


if __name__ == "__main__":
    run(test)
