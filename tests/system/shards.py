#!/usr/bin/env python3
"""Several daemons share the tickets: fair shares, a newcomer's part within 10 s, a dead one's within 20 s, a stopped one's
at once; and under churn every milestone once, every delivery, none by two at a time. SLATED_CHURN: seconds of churn, 20."""
import os
import random
import time

from harness import SOON, run, wait_until, webhook
from history import LEASE_WATCH, check

CONFIG = """
escalations = {{ loud = ( {{ on = "at_risk"; notify = [ "ops" ]; }}, {{ on = "breached"; notify = [ "ops" ]; }} ); }};
policies = ( {{ name = "all"; escalation = "loud"; targets = (
    {{ metric = "first_response"; within = "{within}"; at_risk = [ "50%" ]; pause_on = [ "pending" ]; }} ); }} );
channels = {{ {channels} }};
"""
OWNED = "SELECT owner, count(*) AS n FROM sla.lease WHERE owner IS NOT NULL AND expires_at > clock_timestamp() GROUP BY owner"
NAMES = ("amber", "birch", "cedar", "delta")


class Fleet:
    def __init__(self, bench, url, within="2s"):
        self.bench = bench
        self.paths = {name: bench.write_config(CONFIG.format(channels=webhook("ops", url), within=within), f"{name}.conf", name)
                      for name in NAMES}
        self.running = {}

    def start(self, name, loaded=True):
        self.running[name] = self.bench.daemon(self.paths[name], loaded=False)
        if loaded:
            self.running[name].wait_loaded()

    def shares(self):
        return {row["owner"]: row["n"] for row in self.bench.db.rows(OWNED)}

    def wait_shares(self, wanted, what, limit):
        begin = time.monotonic()
        wait_until(f"{what}: {wanted}, there are {self.shares()}", lambda: self.shares() == wanted, limit + SOON)
        took = time.monotonic() - begin
        self.bench.check(took < limit, f"{what}: {wanted}", f"only after {took:.1f} s")
        # What is held is also looked after: a change is answered in each share.
        self.bench.check_all_served(what)


def served(bench):
    """A ticket in each of 64 shards has its clock soon."""
    def look(what):
        first = bench.db.value("SELECT coalesce(max(id), 0) FROM sla.ticket")
        bench.db.run("INSERT INTO sla.ticket (plan, severity, status) SELECT 'any', 'high', 'pending' FROM generate_series(1, 256)")
        begin = time.monotonic()
        bench.db.wait(f"(SELECT count(*) FROM sla.clock WHERE ticket_id > {first}) = 256")
        bench.check(time.monotonic() - begin < 5, f"{what}: every shard is looked after", time.monotonic() - begin)
    return look


def test_shares(bench, fleet):
    fleet.start("birch")
    fleet.wait_shares({"birch": 256}, "one daemon", 5)
    fleet.start("amber", loaded=False)
    fleet.wait_shares({"amber": 128, "birch": 128}, "a second one", 10)
    fleet.start("delta", loaded=False)
    fleet.wait_shares({"amber": 86, "birch": 85, "delta": 85}, "a third one", 10)
    bench.stopped(fleet.running.pop("amber"))
    fleet.wait_shares({"birch": 128, "delta": 128}, "one is stopped", 5)
    fleet.running.pop("birch").kill()
    fleet.wait_shares({"delta": 256}, "one is killed", 20)
    # The same name again: it has its old part back, and the other one gives up what it had taken.
    fleet.start("birch", loaded=False)
    fleet.wait_shares({"birch": 128, "delta": 128}, "it is back", 10)
    bench.db.wait("(SELECT array_agg(shards ORDER BY name) FROM sla.instance WHERE stopped_at IS NULL AND seen_at > "
                  "clock_timestamp() - interval '12 s') = '{128,128}'")
    bench.check(True, "each tells of its shards")


def test_churn(bench, fleet, receiver, seconds):
    """Tickets come and are answered all the time, while members are killed, stopped and started."""
    seed = int(os.environ.get("SLATED_SEED") or random.SystemRandom().randrange(2**31))
    bench.note(f"SLATED_SEED={seed} repeats the order of what happens to the daemons")
    chance = random.Random(seed)
    mark = bench.db.value("SELECT max(id) FROM sla.ticket")
    before = {request["id"] for request in receiver.requests()}
    began = int(time.time() * 1e6)
    end = time.monotonic() + seconds
    fates = {"kill": 0, "stop": 0, "start": 0}
    while time.monotonic() < end:
        bench.db.run("INSERT INTO sla.ticket (plan, severity) SELECT 'any', 'high' FROM generate_series(1, 20)")
        bench.db.run(f"INSERT INTO sla.reply (ticket_id, author) SELECT id, 'agent' FROM sla.ticket WHERE id > {mark} "
                     f"AND id % 3 = {chance.randrange(3)} AND NOT EXISTS (SELECT FROM sla.reply r WHERE r.ticket_id = sla.ticket.id)")
        name = chance.choice(NAMES)
        if name not in fleet.running:
            fleet.start(name, loaded=False)
            fates["start"] += 1
        elif len(fleet.running) > 1 and chance.random() < 0.5:
            fleet.running.pop(name).kill()
            fates["kill"] += 1
        elif len(fleet.running) > 1:
            daemon = fleet.running.pop(name)
            daemon.log.wait("^starting")  # before that SIGTERM just ends it
            status, _ = daemon.stop()
            if status != 0:
                bench.check(False, f"churn: {name} stopped with status {status}", daemon.log.lines[-3:])
            fates["stop"] += 1
        seen = bench.db.value("SELECT max(id) FROM sla.milestone")
        bench.db.wait(f"(SELECT max(id) FROM sla.milestone) > {seen}", 60)
    bench.note(f"churn: {fates}")
    bench.db.wait("NOT EXISTS (SELECT FROM sla.ticket t LEFT JOIN sla.ticket_state s ON s.ticket_id = t.id "
                  "WHERE t.event_seq > coalesce(s.applied_seq, 0)) AND NOT EXISTS (SELECT FROM sla.clock WHERE state = 'running')", 60)
    bench.db.wait("NOT EXISTS (SELECT FROM sla.delivery)", 90)
    until = int(time.time() * 1e6)
    check(bench, receiver, fleet.paths["amber"], "churn", [(began, until)], at_most=4, above=mark, lost=before, until=until)


def test(bench):
    receiver = bench.receiver()
    bench.check_all_served = served(bench)
    fleet = Fleet(bench, receiver.url())
    bench.db.run(LEASE_WATCH)
    test_shares(bench, fleet)
    test_churn(bench, fleet, receiver, float(os.environ.get("SLATED_CHURN", "20")))
    for name in list(fleet.running):
        bench.stopped(fleet.running.pop(name), f"{name}: SIGTERM: exit status 0 within 5 s")


if __name__ == "__main__":
    run(test)
