#!/usr/bin/env python3
"""What a dead daemon leaves behind, the next one brings to its end: kill -9 between commit and delivery and in the middle
of everything, a daemon that was away for so long that another one has its tickets, and one that stood still for a moment.

SLATED_LONG kills it 200 times at random points under load; SLATED_SEED repeats its choices.
"""
import collections
import os
import random
import socket
import time

from harness import run, webhook
from history import LEASE_WATCH, History, check, write_config

CONFIG = """
escalations = {{ loud = (
    {{ on = "at_risk"; notify = [ "ops" ]; }},
    {{ on = "breached"; notify = [ "ops" ]; repeat_every = "1s"; repeat_max = 1; }} ); }};
policies = ( {{ name = "all"; escalation = "loud"; targets = (
    {{ metric = "first_response"; within = "{within}"; at_risk = [ "50%" ]; }} ); }} );
outbox = {{ concurrency = {concurrency}; }};
channels = {{ {channels} }};
"""
# After the last step of every ladder.
DONE = """NOT EXISTS (SELECT FROM sla.clock WHERE state = 'running') AND NOT EXISTS (SELECT FROM sla.clock c
    WHERE state = 'breached' AND NOT EXISTS (SELECT FROM sla.milestone m WHERE trigger = 'breached' AND repeat = 1
    AND (m.ticket_id, m.metric, m.cycle) = (c.ticket_id, c.metric, c.cycle)))"""


def config(bench, url, within="1s", concurrency=64, **more):
    return bench.write_config(CONFIG.format(channels=webhook("ops", url), within=within, concurrency=concurrency), **more)


def open_tickets(bench, n, severity="high"):
    bench.db.run(f"INSERT INTO sla.ticket (plan, severity) SELECT 'any', '{severity}' FROM generate_series(1, {n})")


def clear(bench):
    """Nothing of an earlier case is left to be done."""
    bench.db.run("UPDATE sla.ticket SET status = 'closed' WHERE status <> 'closed'")
    bench.db.wait("NOT EXISTS (SELECT FROM sla.delivery) AND NOT EXISTS "
                  "(SELECT FROM sla.clock WHERE ended_at IS NULL)")


def keys(bench):
    return {row["key"] for row in bench.db.rows("SELECT key FROM sla.delivery UNION SELECT key FROM sla.delivery_log")}


def test_hanging(bench):
    """The receiver has the request, but never answered it."""
    receiver = bench.receiver()
    # Two under way, the others still waiting for their turn, when it dies.
    path = config(bench, receiver.url("answer=hang,200"), concurrency=2)
    daemon = bench.daemon(path)
    open_tickets(bench, 5)
    bench.db.wait("(SELECT count(*) FROM sla.delivery) = 15")
    receiver.wait("two requests", lambda requests: len(requests) >= 2)
    daemon.kill()
    before = keys(bench)
    first = {r["id"] for r in receiver.requests()}
    bench.equal(len(first), 2, "hanging: two deliveries under way")
    bench.equal(bench.db.value("SELECT count(*) FROM sla.delivery_log"), 0, "hanging: none told of as delivered")
    # What hangs a second time is given up after 15 s only, so the next run may send at once what it likes.
    path = config(bench, receiver.url("answer=hang,200"), concurrency=64)
    bench.daemon(path)
    bench.db.wait("NOT EXISTS (SELECT FROM sla.delivery WHERE key IN "
                  f"({', '.join(repr(key) for key in first)}))")
    counts = collections.Counter(r["id"] for r in receiver.requests())
    bench.equal({counts[key] for key in first}, {2}, "hanging: the next run sends the same two webhook-ids once more")
    bench.check(all(r["verified"] for r in receiver.requests()), "hanging: all verified")
    bench.equal(keys(bench), before, "hanging: no key is new, none is lost")
    bench.daemons[-1].kill()
    # The rest hang once each; that is another case's business.
    path = config(bench, receiver.url())
    bench.daemon(path)
    clear(bench)
    bench.equal(bench.db.value("SELECT count(DISTINCT state) || max(state) FROM sla.delivery_log"), "1delivered",
                "hanging: all delivered in the end")
    bench.stopped(bench.daemons[-1])


def test_refused(bench):
    """Nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    path = config(bench, f"http://127.0.0.1:{port}/sla")
    mark = keys(bench)
    daemon = bench.daemon(path)
    open_tickets(bench, 10)
    bench.db.wait("(SELECT count(*) FROM sla.delivery WHERE attempts > 0) >= 5")
    bench.db.wait(DONE)
    daemon.kill()
    wanted = keys(bench) - mark
    bench.equal(len(wanted), 30, "refused: 30 deliveries recorded, none sent")
    receiver = bench.receiver(port)
    daemon = bench.daemon(path)
    bench.db.wait("NOT EXISTS (SELECT FROM sla.delivery)", 60)
    got = collections.Counter(r["id"] for r in receiver.requests() if r["verified"])
    bench.equal(set(got), wanted, "refused: the next run sends each under its webhook-id")
    bench.equal(set(got.values()), {1}, "refused: each once")
    order = collections.defaultdict(list)
    for r in receiver.requests():
        order[r["data"]["ticket"]["id"]].append(r["time"])
    bench.check(all(times == sorted(times) for times in order.values()), "refused: in order within each ticket", order)
    clear(bench)
    bench.stopped(daemon)


def test_outdated(bench):
    """An alert that waits when the daemon dies, and whose ticket is solved before the next one is there, is not sent any more."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    mark = bench.db.value("SELECT max(id) FROM sla.ticket")
    chat = f'ops = {{ type = "slack"; url = "http://127.0.0.1:{port}/chat"; }};'
    path = bench.write_config(CONFIG.format(channels=chat, within="1s", concurrency=4))
    daemon = bench.daemon(path)
    open_tickets(bench, 50)
    bench.db.wait("EXISTS (SELECT FROM sla.delivery WHERE attempts > 0)")
    bench.db.wait(DONE)
    daemon.kill()
    bench.db.run(f"UPDATE sla.ticket SET status = 'solved' WHERE id > {mark}; UPDATE sla.delivery SET next_attempt_at = now()")
    receiver = bench.receiver(port)
    daemon = bench.daemon(path)
    bench.db.wait("NOT EXISTS (SELECT FROM sla.delivery)")
    bench.equal(bench.db.rows(f"SELECT DISTINCT kind, state FROM sla.delivery_log WHERE ticket_id > {mark} ORDER BY kind"),
                [{"kind": kind, "state": "superseded"} for kind in ("escalated", "resolved")],
                "outdated: what was solved meanwhile is not told of")
    bench.equal(receiver.requests(), [], "outdated: and nothing was sent")
    clear(bench)
    bench.stopped(daemon)


def test_anywhere(bench):
    """Killed again and again while tickets come."""
    receiver = bench.receiver()
    path = config(bench, receiver.url(), within="2s")
    mark = bench.db.value("SELECT max(id) FROM sla.ticket")
    windows = []
    daemon = bench.daemon(path)
    for _ in range(4):
        open_tickets(bench, 20)
        bench.db.run(f"INSERT INTO sla.reply (ticket_id, author) SELECT id, 'agent' FROM sla.ticket WHERE id > {mark} "
                     "AND id % 5 = 0")
        seen = bench.db.value("SELECT max(id) FROM sla.milestone")
        bench.db.wait(f"EXISTS (SELECT FROM sla.milestone WHERE id > {seen} AND milestone = 'at_risk')")
        down = int(time.time() * 1e6)
        daemon.kill()
        daemon = bench.daemon(path)
        windows.append((down - 200_000, int(time.time() * 1e6) + 500_000))
    bench.db.wait(DONE)
    bench.db.wait("NOT EXISTS (SELECT FROM sla.delivery)")
    check(bench, receiver, path, "anywhere", windows, at_most=5, above=mark)
    clear(bench)
    bench.stopped(daemon)


def test_rounds(bench, rounds):
    """Killed at random points under load, while it loads among them."""
    seed = os.environ.get("SLATED_SEED") or str(random.SystemRandom().randrange(1 << 32))
    bench.note(f"SLATED_SEED={seed}")
    rng = random.Random(seed)
    receiver = bench.receiver()
    path = write_config(bench, receiver)
    history = History(bench, receiver, path)
    history.write(writers=2)
    daemon = bench.daemon(path)
    with history.away():
        for _ in range(rounds):
            bench.db.run(f"SELECT pg_sleep({rng.choice((0.03, 0.3, 1.0)) * rng.random():.3f})")
            daemon.kill()
            daemon = bench.daemon(path, loaded=rng.random() < 0.5)
        history.wait_alive()
    history.check(f"{rounds} rounds", at_most=20)
    clear(bench)
    bench.stopped(daemon)


def test_absent(bench):
    """A daemon that was away for longer than its leases last has lost its tickets to another one, and records nothing more
    of them."""
    receiver = bench.receiver()
    mark = bench.db.value("SELECT max(id) FROM sla.ticket")
    begin = int((time.time() - 30) * 1e6)
    path = config(bench, receiver.url(), within="30s", name="first.conf")
    first = bench.daemon(path)
    second = bench.daemon(config(bench, receiver.url(), within="30s", name="second.conf", instance="second"))
    bench.db.wait("(SELECT array_agg(shards ORDER BY name) FROM sla.instance WHERE name IN ('first', 'second')) = '{128,128}'")
    first.signal(19)
    bench.db.wait("(SELECT count(*) FROM sla.lease WHERE owner = 'second') = 256")
    bench.db.run("INSERT INTO sla.ticket (plan, severity, opened_at) SELECT 'any', 'high', "
                 "clock_timestamp() - interval '29 seconds' FROM generate_series(1, 20)")
    bench.db.wait(f"(SELECT count(*) FROM sla.delivery_log WHERE ticket_id > {mark} AND kind = 'escalated') = 60")
    bench.equal({r["source"] for r in receiver.requests()}, {"/slated/second"}, "absent: the other one takes over")
    second.signal(19)
    since = len(first.log.lines)
    first.signal(18)
    first.log.wait("lease of .*shards is lost|the lease could not be renewed", since)
    bench.db.run(f"INSERT INTO sla.reply (ticket_id, author) SELECT id, 'agent' FROM sla.ticket WHERE id > {mark}")
    second.signal(18)
    bench.db.wait(f"(SELECT count(*) FROM sla.clock WHERE state = 'met' AND ticket_id > {mark}) = 20")
    bench.equal(bench.db.value("SELECT count(*) FROM sla.milestone WHERE milestone = 'breached' "
                               f"AND ticket_id > {mark} AND instance = 'first'"), 0, "absent: the first one repeats nothing")
    bench.db.wait("(SELECT count(*) FROM sla.lease WHERE owner = 'first') = 128")
    bench.check(True, "absent: and has its share again")
    bench.db.wait("NOT EXISTS (SELECT FROM sla.delivery)")
    check(bench, receiver, path, "absent", [(begin, int(time.time() * 1e6))], at_most=2, above=mark)
    clear(bench)
    bench.stopped(second)
    bench.stopped(first)


def test_held_up(bench):
    """What was answered in time while the daemon stood still for some seconds, as its machine may, is met when it goes on."""
    receiver = bench.receiver()
    mark = bench.db.value("SELECT max(id) FROM sla.ticket")
    daemon = bench.daemon(config(bench, receiver.url(), within="5s"))
    open_tickets(bench, 5)
    bench.db.wait(f"(SELECT count(*) FROM sla.clock WHERE ticket_id > {mark}) = 5")
    daemon.signal(19)
    bench.db.run(f"INSERT INTO sla.reply (ticket_id, author) SELECT id, 'agent' FROM sla.ticket WHERE id > {mark}")
    bench.db.wait(f"clock_timestamp() > (SELECT max(due_at) FROM sla.clock WHERE ticket_id > {mark}) + interval '100 ms'")
    daemon.signal(18)
    bench.db.wait(f"(SELECT count(*) FROM sla.clock WHERE ended_at IS NOT NULL AND ticket_id > {mark}) = 5")
    bench.equal(bench.db.rows(f"SELECT milestone, count(*) FROM sla.milestone WHERE ticket_id > {mark} GROUP BY 1 ORDER BY 2, 1"),
                [{"milestone": "met", "count": 5}, {"milestone": "started", "count": 5}], "held up: what was answered in time is met")
    clear(bench)
    bench.stopped(daemon)


def test(bench):
    bench.db.run(LEASE_WATCH)
    test_hanging(bench)
    test_refused(bench)
    test_outdated(bench)
    test_anywhere(bench)
    if os.environ.get("SLATED_LONG"):
        test_rounds(bench, 200)
    test_absent(bench)
    test_held_up(bench)


if __name__ == "__main__":
    run(test)
