"""Ticket writes: what the triggers take, with and without the daemon, beside a table without triggers and NOTIFY."""
import contextlib
import os

from bench import cell, in_turn, number, table
from database import Database

CHANGE = r"""
\set id random(:least, :most)
UPDATE {table} SET status = CASE status WHEN 'open' THEN 'pending' ELSE 'open' END WHERE id = :id;
"""
PEERS = """
CREATE TABLE public.unchecked (LIKE sla.ticket INCLUDING ALL);
INSERT INTO public.unchecked OVERRIDING SYSTEM VALUE SELECT * FROM sla.ticket;
CREATE TABLE public.bare (LIKE sla.ticket INCLUDING ALL,
    CHECK (status IN ('open', 'pending', 'on_hold', 'solved', 'closed')), CHECK (jsonb_typeof(attributes) = 'object'));
INSERT INTO public.bare OVERRIDING SYSTEM VALUE SELECT * FROM sla.ticket;
CREATE TABLE public.notifying (LIKE public.bare INCLUDING ALL);
INSERT INTO public.notifying OVERRIDING SYSTEM VALUE SELECT * FROM sla.ticket;
CREATE FUNCTION public.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('bench', NEW.id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER UPDATE ON public.notifying FOR EACH ROW EXECUTE FUNCTION public.tell();
"""
CAUGHT_UP = """
SELECT NOT EXISTS (SELECT FROM sla.ticket t JOIN sla.ticket_state s ON s.ticket_id = t.id WHERE t.event_seq > s.applied_seq)
"""
COMMITS = {"commits that cost nothing": 0, "commits of 2 ms": 2000}
PROCESSOR = "processor, µs"
NOTES = """
- 16 clients of pgbench change the status of random tickets, of {tickets:,}, one in each transaction.
- Commits that cost nothing: the data lie in memory. Of 2 ms: `commit_delay` = 2000 with `commit_siblings` = 0 has
  whoever flushes the log wait for so long, while others queue up behind it as behind a slow disk.
- No trigger: the same columns and indexes, with constraints for what sla.ticket's triggers look at, status and attributes.
  No trigger, no checks: without those too.
- Processor: of the sessions that write, for each transaction, where commits cost nothing.
- With the daemon: it takes the events in and writes clocks and milestones on the same {cores} cores, so its share is
  taken from the writers.

| written for a change | rows inserted | updated | entries of indexes | locks of rows | bytes of WAL |
| --- | --- | --- | --- | --- | --- |
{written}

- By one writer, full pages left out. A change pauses or resumes one clock and a half: the ticket, its event, its state, and
  for each clock a milestone and the clock.
"""


def caught_up(data):
    data.harness.wait_until("the daemon to take all changes in", lambda: data.db.value(CAUGHT_UP), 300)


def wal(data, script, *options):
    """Bytes of WAL a transaction without full pages, with those that the daemon writes for it if it runs, and what they are:
    {record: how many for each}."""
    changes = 200 if data.bench.quick else 4000
    before = data.db.value("SELECT pg_current_wal_flush_lsn()::text")
    data.pgbench(script, "-c", 1, "-t", changes, *options)
    if data.runs():
        caught_up(data)
    rows = data.db.rows("SELECT resource_manager || ' ' || record_type AS record, count(*) AS n, "
                        "sum(record_length - fpi_length) AS bytes FROM pg_get_wal_records_info("
                        f"'{before}', pg_current_wal_flush_lsn()) GROUP BY 1")
    counted = {row["record"]: row["n"] / changes for row in rows}
    return sum(row["bytes"] for row in rows) / changes, {
        "inserted": counted.get("Heap INSERT", 0) + counted.get("Heap INSERT+INIT", 0),
        "updated": counted.get("Heap HOT_UPDATE", 0) + counted.get("Heap UPDATE", 0),
        "indexed": counted.get("Btree INSERT_LEAF", 0), "locked": counted.get("Heap LOCK", 0)}


def run(bench):
    tickets = min(bench.tickets, 100000)
    seconds = 1 if bench.quick else 3
    commits = dict(list(COMMITS.items())[:1]) if bench.quick else COMMITS
    with contextlib.ExitStack() as stack:
        data = Database(bench, stack)
        data.load(tickets)
        data.db.run(PEERS)
        data.db.run("CREATE EXTENSION pg_walinspect")
        least, most = data.db.value("SELECT min(id) FROM sla.ticket WHERE source = 'load'"), tickets
        bounds = ("-D", f"least={least}", "-D", f"most={most}")
        data.db.run("VACUUM ANALYZE")

        def write(where, daemon=False):
            def measure():
                if daemon:
                    data.start()
                    caught_up(data)
                rates = {}
                for commit, delay in commits.items():
                    data.set(commit_delay=delay, commit_siblings=0)
                    before = data.ended_processor()
                    rates[commit], n = data.rate(CHANGE.format(table=where), seconds, *bounds)
                    if delay == 0:
                        data.wait_idle()
                        rates[PROCESSOR] = (data.ended_processor() - before) / n * 1e6
                if daemon:
                    data.stop()
                return rates
            return measure

        rates = in_turn(bench.rounds, {
            "no trigger": write("public.bare"), "no trigger, no checks": write("public.unchecked"),
            "sla.ticket, no daemon": write("sla.ticket"),
            "sla.ticket, with the daemon": write("sla.ticket", True),
            "NOTIFY for each row": write("public.notifying")})
        bare, ticket = CHANGE.format(table="public.bare"), CHANGE.format(table="sla.ticket")
        written = {"no trigger": wal(data, bare, *bounds), "sla.ticket, no daemon": wal(data, ticket, *bounds)}
        data.start()
        caught_up(data)
        written["sla.ticket, with the daemon"] = wal(data, ticket, *bounds)
        lines = [[name, *(number(value) for value in counted.values()), number(size)]
                 for name, (size, counted) in written.items()]
        rows = []
        for name, took in rates.items():
            row = [name]
            for commit in commits:
                shares = [value / bare for value, bare in zip(took[commit], rates["no trigger"][commit])]
                row += [cell(took[commit]), cell(shares)]
            rows.append(row + [cell(took[PROCESSOR])])
        head = ["transactions a second"] + [word for commit in commits for word in (commit, "of bare")] + [PROCESSOR]
        text = "\n" + table(head, rows) + NOTES.format(
            tickets=tickets, cores=os.cpu_count(), written="\n".join("| " + " | ".join(line) + " |" for line in lines))
        bench.report("writes", "Ticket writes", text, data.versions())
