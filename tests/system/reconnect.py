#!/usr/bin/env python3
"""The database goes away and comes back while tickets come: nothing is lost, nothing is done twice.

SLATED_LONG crashes the server 20 times instead of twice.
"""
import os
import time

from harness import run
from history import History, write_config

BACK_WITHIN = 5.0
CRASHES = 20 if os.environ.get("SLATED_LONG") else 2


def test_slow_flush(bench, history):
    """The feed's connection is ended and back while a flush still waits."""
    other = bench.session()
    feed = "EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'slated feed' AND {})"
    with history.away():
        other.run("BEGIN; LOCK TABLE sla.milestone IN SHARE MODE")
        bench.db.wait("EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'slated ledger' AND "
                      "wait_event_type = 'Lock')")
        pid = bench.db.value("SELECT pid FROM pg_stat_activity WHERE application_name = 'slated feed'")
        bench.db.run(f"SELECT pg_terminate_backend({pid})")
        bench.db.wait(feed.format(f"pid <> {pid} AND state = 'idle' AND query LIKE 'SELECT system_identifier%'"))
        other.run("COMMIT")
        took = history.wait_alive()
    bench.check(took < BACK_WITHIN, f"feed ended while a flush waits: back within {BACK_WITHIN:g} s", f"{took:.1f} s")
    other.close()


def test(bench):
    receiver = bench.receiver()
    path = write_config(bench, receiver)
    history = History(bench, receiver, path)
    daemon = bench.daemon(path)
    history.write()
    bench.db.wait("(SELECT count(*) FROM sla.delivery_log) > 10")

    for name in ("slated feed", "slated ledger", "slated ledger 2", "slated outbox"):
        with history.away():
            pid = bench.db.value(f"SELECT pid FROM pg_stat_activity WHERE application_name = '{name}'")
            bench.equal(bench.db.value(f"SELECT pg_terminate_backend({pid})"), True, f"{name}: its connection is ended")
            bench.db.wait(f"EXISTS (SELECT FROM pg_stat_activity WHERE application_name = '{name}' AND pid <> {pid})")
            took = history.wait_alive()
        bench.check(took < BACK_WITHIN, f"{name}: back within {BACK_WITHIN:g} s", f"{took:.1f} s")

    test_slow_flush(bench, history)
    back = []
    for _ in range(CRASHES):
        since = len(daemon.log.lines)
        with history.away():
            bench.server.restart()
            returned = time.monotonic()
            daemon.wait_loaded(since=since)
            back.append(time.monotonic() - returned)
            if back[-1] > BACK_WITHIN:
                bench.note("\n#   ".join(line for line in daemon.log.lines[since:] if "ticket=" not in line))
            bench.db = bench.session()
            history.wait_alive()
    bench.check(max(back) < BACK_WITHIN, f"{CRASHES} crashes of the server: back within {BACK_WITHIN:g} s each time",
                f"{max(back):.1f} s")
    bench.note(f"back after {max(back):.2f} s at most")
    lost = sum(writer.lost for writer in history.writers)
    bench.check(lost >= CRASHES, "the writer lost its connection each time and went on", lost)
    history.check("reconnect", at_most=3)
    bench.stopped(daemon)


if __name__ == "__main__":
    run(test)
