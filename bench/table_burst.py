"""Deadlines: many in the same second, and single ones. How late they are durable, beside a poller that sleeps and queues."""
import contextlib
import json
import subprocess
import sys
import time

from bench import HERE, Missing, cell, in_turn, output, table
from database import Database

POINTS = {"half": "half of all", "most": "99 of 100", "last": "the last"}
OPENED = """
INSERT INTO sla.ticket (source, external_id, org, plan, severity, opened_at)
SELECT '{run}', n::text, 'org ' || n % 2000, 'burst', 'normal',
    '{begin}'::timestamptz - interval '1 h' + n * {spread}.0 / {count} * interval '1 s'
FROM generate_series(0, {count} - 1) AS n
"""
# When each was durable: what it wrote has been committed, whichever part of it came last.
LATE = """
SELECT percentile_disc(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY extract(epoch FROM
    greatest(mc.at, cc.at, dc.at) - c.due_at)) AS late
FROM sla.ticket t JOIN sla.clock c ON c.ticket_id = t.id
    JOIN sla.milestone m ON m.ticket_id = t.id AND m.milestone = 'breached'
    JOIN sla.milestone d ON d.ticket_id = t.id AND d.milestone = 'escalated',
    LATERAL (SELECT pg_xact_commit_timestamp(m.xmin) AS at) AS mc,
    LATERAL (SELECT pg_xact_commit_timestamp(c.xmin) AS at) AS cc,
    LATERAL (SELECT pg_xact_commit_timestamp(d.xmin) AS at) AS dc
WHERE t.source = '{run}'
"""
# How many milestones were ever begun. Asked first, as it costs next to nothing: what counts all would take one of two cores.
BEGUN = "SELECT pg_sequence_last_value(pg_get_serial_sequence('sla.milestone', 'id'))"
FORGET = """
SET session_replication_role = replica;
CREATE TEMP TABLE gone AS SELECT id FROM sla.ticket WHERE source = '{run}';
DELETE FROM sla.milestone WHERE ticket_id IN (SELECT id FROM gone);
DELETE FROM sla.clock WHERE ticket_id IN (SELECT id FROM gone);
DELETE FROM sla.ticket_state WHERE ticket_id IN (SELECT id FROM gone);
DELETE FROM sla.event WHERE ticket_id IN (SELECT id FROM gone);
DELETE FROM sla.ticket WHERE id IN (SELECT id FROM gone);
TRUNCATE sla.delivery, sla.delivery_log;
DROP TABLE gone;
RESET session_replication_role;
"""
# What slated writes for each, from values that are there already.
VALUES = """
CREATE TEMP TABLE due AS SELECT c.*, md5(c.ticket_id::text) AS key, json_build_object('ticket', t, 'clock', c) AS payload
FROM sla.ticket t JOIN sla.clock c ON c.ticket_id = t.id WHERE t.source = '{run}';
ANALYZE due;
"""
SAME_ROWS = """
BEGIN;
INSERT INTO sla.milestone (ticket_id, metric, cycle, milestone, at, due_at, policy, calendar, severity, instance)
    SELECT ticket_id, metric, cycle, 'breached', due_at, due_at, policy, calendar, severity, 'bench' FROM due;
INSERT INTO sla.milestone (ticket_id, metric, cycle, milestone, at, due_at, policy, calendar, severity, escalation, step, trigger,
    repeat, notify, told, instance) SELECT ticket_id, metric, cycle, 'escalated', due_at, due_at, policy, calendar, severity,
    'alert', 1, 'breached', 0, '{there}', '{there}', 'bench' FROM due;
INSERT INTO sla.delivery (key, ticket_id, metric, cycle, kind, channel, payload)
    SELECT key, ticket_id, metric, cycle, 'escalated', 'there', payload FROM due;
UPDATE sla.clock c SET state = 'breached', breached_at = c.due_at, consumed = c.budget FROM due d
    WHERE (c.ticket_id, c.metric, c.cycle) = (d.ticket_id, d.metric, d.cycle);
UPDATE sla.ticket_state s SET last_at = d.due_at FROM due d WHERE s.ticket_id = d.ticket_id;
COMMIT;
"""
JOBS = """
DROP TABLE IF EXISTS public.job;
CREATE TABLE public.job (id bigint PRIMARY KEY, due_at timestamptz NOT NULL, fired boolean NOT NULL DEFAULT false);
CREATE INDEX job_due ON public.job (due_at) WHERE NOT fired;
INSERT INTO public.job SELECT n, '{begin}'::timestamptz + n * {spread}.0 / {count} * interval '1 s'
FROM generate_series(0, {count} - 1) AS n;
"""
FIRED = """
SELECT percentile_disc(ARRAY[0.5, 0.99, 1]) WITHIN GROUP
    (ORDER BY extract(epoch FROM pg_xact_commit_timestamp(xmin) - due_at)) AS late FROM public.job
"""
NOTES = """
- {tickets:,} other tickets are loaded. Each deadline writes a milestone for the breach, one for the step of the ladder, the
  clock, the ticket's state and a delivery; the poller updates one row, the queues mark a job as complete.
- Single ones: 100 in a minute.
- Milliseconds after the deadline. Of slated and the poller by the instants of commits that the server keeps; of pg-boss by
  `completed_on`, of graphile-worker by its event `job:complete`. A delivery is committed with the milestone of its step,
  in one statement; its own row is claimed soon after.
- The same rows alone: by one session, in one transaction with a statement for each table, from values that are there already.
  That is what the rows take, whoever writes them.
- The poller sleeps until `min(due_at)`, a second at most, over an index of what has not fired (bench/pg_peer.c).
- graphile-worker: 24 jobs at once, local queue of 500, completion in batches, 100 ms between polls. pg-boss: batches of
  2,000, half a second between polls, its least (bench/node/queue.mjs).
- Deliveries stay: nobody listens where they go, so the breaker of their channel opens.
"""


class Peers:
    def __init__(self, data):
        self.data = data
        self.runs = 0
        self.used = 0.0  # of the processor, by the daemon and its sessions, in the last run

    def begin(self, lead):
        return self.data.db.value(f"SELECT (clock_timestamp() + interval '{lead} s')::text")

    def open(self, begin, count, spread):
        """Opens tickets that are due from `begin` on, and waits for their clocks; the name they go by."""
        self.runs += 1
        run = f"burst {self.runs}"
        self.data.db.run(OPENED.format(run=run, begin=begin, count=count, spread=spread))
        self.data.db.wait(f"(SELECT count(*) FROM sla.clock WHERE policy = 'burst') = {count}", 300)
        return run

    def forget(self, run):
        """Takes them away while no daemon runs, and starts one."""
        self.data.db.run(FORGET.format(run=run))
        self.data.start()

    def slated(self, count, lead, spread):
        data = self.data
        begin = self.begin(lead)
        run = self.open(begin, count, spread)
        if data.db.value(f"SELECT clock_timestamp() > '{begin}'"):
            raise data.harness.Failure(f"{count} tickets were not there in {lead} s")
        used = data.both_processors()
        begun = data.db.value(BEGUN)
        data.db.run(f"SELECT pg_sleep(extract(epoch FROM '{begin}'::timestamptz - clock_timestamp()) + {spread})")
        data.db.wait(f"({BEGUN}) >= {begun + 2 * count}", 300)
        data.db.wait(f"(SELECT count(*) FROM sla.milestone WHERE milestone = 'breached') = {count}", 300)
        self.used = data.both_processors() - used
        late = data.db.value(LATE.format(run=run))
        data.stop()
        self.forget(run)
        return late

    def same_rows(self, count):
        data = self.data
        run = self.open(self.begin(3600), count, 0)
        data.stop()
        data.db.run(VALUES.format(run=run))
        begin = time.monotonic()
        data.db.run(SAME_ROWS)
        took = time.monotonic() - begin
        written = data.db.value("SELECT count(*) FROM sla.delivery")
        if written != count:
            raise data.harness.Failure(f"{written} of {count} deliveries were written")
        data.db.run("DROP TABLE due")
        self.forget(run)
        return [took] * len(POINTS)

    def poller(self, count, lead, spread):
        begin = self.begin(lead)
        self.data.db.run(JOBS.format(begin=begin, count=count, spread=spread))
        self.data.db.run("ANALYZE public.job")
        self.data.peer("poll", count)
        return self.data.db.value(FIRED)

    def queue(self, kind, count, lead, spread):
        server = self.data.server
        said = output("node", HERE / "node" / "queue.mjs", kind,
                      f"postgres://postgres@127.0.0.1:{server.port}/postgres", count, lead, spread,
                      stderr=subprocess.PIPE)
        return [float(word) for word in said.split()]


def look_for(module):
    def look():
        if not (HERE / "node" / "node_modules" / module / "package.json").is_file():
            raise Missing(f"run npm ci in bench/node to have {module}")
    return look


def measure(function, *arguments):
    return lambda: {point: late * 1000 for point, late in zip(POINTS, function(*arguments))}


def rows_of(took):
    yard = took["sleeping poller"]
    rows = []
    for name, points in took.items():
        ratios = [value / least for value, least in zip(points["last"], yard["last"])]
        rows.append([name, *(cell(points[point]) for point in POINTS), cell(ratios)])
    return rows


def run(bench):
    sizes = {"burst of 300": (300, 2, 0)} if bench.quick else {
        "10,000 in one instant": (10000, 6, 0), "100,000 in one instant": (100000, 40, 0)}
    sizes["single ones"] = (10, 2, 1) if bench.quick else (100, 3, 60)
    with contextlib.ExitStack() as stack:
        data = Database(bench, stack)
        data.load(bench.tickets)
        data.start()
        peers = Peers(data)
        text = ""
        names = [] if bench.quick else [name for name in ("pg-boss", "graphile-worker") if bench.has(name, look_for(name))]
        for title, (count, lead, spread) in sizes.items():
            functions = {"sleeping poller": measure(peers.poller, count, min(lead, 3), spread),
                         "slated": measure(peers.slated, count, lead, spread)}
            if spread == 0:
                functions["the same rows alone"] = measure(peers.same_rows, count)
            for name in names:
                functions[name] = measure(peers.queue, name, count, 2 * lead, spread)
            took = in_turn(bench.rounds, functions)
            part = "\n" + table([title, *POINTS.values(), "of the poller's last"], rows_of(took))
            print(part, file=sys.stderr)  # what comes next takes long, and may fail
            text += part
        versions = [f"{name} {json.loads((HERE / 'node/node_modules' / name / 'package.json').read_text())['version']}"
                    for name in names]
        bench.report("burst", "Deadlines in a burst and single ones, milliseconds until they are durable",
                     text + NOTES.format(tickets=bench.tickets), data.versions() + versions)
