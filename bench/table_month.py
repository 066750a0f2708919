"""A month of changes, compressed: what the tables, the log of events and the daemon's memory come to."""
import contextlib
import subprocess
import sys
import time

from bench import number, table
from database import Database

DAYS, PER_SECOND, REAL_TICKETS, CHANGES_OF_A_TICKET = 30, 50, 1000000, 13
# The tickets that are open are `open` numbers from the oldest on. A script is so many changes, each a transaction.
SCRIPTS = {
    r"""
SELECT last_value AS oldest FROM public.oldest \gset
\set id :oldest + random(1, :open)
UPDATE sla.ticket SET status = CASE status WHEN 'open' THEN 'pending' ELSE 'open' END
WHERE id = :id AND status IN ('open', 'pending');
""": 6,
    r"""
SELECT last_value AS oldest FROM public.oldest \gset
\set id :oldest + random(1, :open)
INSERT INTO sla.reply (ticket_id, author) VALUES (:id, CASE WHEN random() < 0.5 THEN 'agent' ELSE 'customer' END);
""": 4,
    r"""
INSERT INTO sla.ticket (source, org, plan, severity, opened_at) SELECT 'month', 'org ' || :client_id,
    CASE WHEN chance < 0.1 THEN 'burst' WHEN chance < 0.55 THEN 'one' ELSE 'two' END, 'normal',
    CASE WHEN chance < 0.1 THEN now() - interval '1 h' ELSE now() END FROM (SELECT random() AS chance) AS c;
SELECT nextval('public.oldest') AS oldest \gset
UPDATE sla.ticket SET status = 'solved' WHERE id = :oldest;
UPDATE sla.ticket SET status = 'closed' WHERE id = :oldest - 200;
""": 1}
SIZES = """
WITH t AS (SELECT CASE WHEN relname LIKE 'event%' THEN 'event' ELSE relname END AS name, relid, n_live_tup, n_dead_tup,
    n_tup_upd, n_tup_hot_upd, autovacuum_count FROM pg_stat_user_tables WHERE schemaname = 'sla')
SELECT name, sum(pg_total_relation_size(relid))::bigint AS bytes, sum(n_live_tup)::bigint AS rows, sum(n_dead_tup)::bigint AS dead,
    sum(n_tup_upd)::bigint AS updates, sum(n_tup_hot_upd)::bigint AS hot, sum(autovacuum_count)::bigint AS vacuums
FROM t GROUP BY name ORDER BY 2 DESC
"""
BEHIND = "EXISTS (SELECT FROM sla.ticket t LEFT JOIN sla.ticket_state s ON s.ticket_id = t.id WHERE t.event_seq > coalesce(s.applied_seq, 0))"
NOTES = """
- {tickets:,} tickets are open at any time, in place of 1,000,000. Each has as many changes as it would have in 30 days at 50
  changes a second, {each:.0f}, so a day is {daily:,} changes. It lives for {life} of them: it is opened, waits for the customer
  three times, has four replies, is solved and closed. A tenth breaches at once, and a webhook is sent.
- The month took {minutes:.0f} minutes, {rate:,.0f} changes a second, each its own transaction of 4 clients. So autovacuum
  looks {squeezed:,.0f} times less often for each change than it would with its usual settings, though `autovacuum_naptime` is
  1 s and `autovacuum_vacuum_cost_delay` 0.
- Each day `sla.trim_events()` was called to keep {kept} days: {dropped} partitions were dropped, {held} were there at the end.
- HOT: the share of updates that wrote no index. Dead: rows that wait for vacuum, at the end.
- WAL: {wal:,.0f} bytes a change, with all that the daemon wrote and full pages.
- Tickets, clocks, milestones, replies and the log of deliveries are kept for ever, so they grow with what happened;
  their bytes a row say whether they are bloated. What is to stay small whatever happened is below the line.
"""
FOR_EVER = ["ticket", "ticket_state", "clock", "milestone", "reply", "delivery_log"]
BOUNDED = ["event", "delivery", "lease", "instance"]


class Month:
    def __init__(self, bench, data, tickets, daily):
        self.data, self.tickets, self.daily = data, tickets, daily
        self.clients = 4
        self.paths = []
        for n, (script, weight) in enumerate(SCRIPTS.items()):
            path = data.folder / f"month{n}.sql"
            path.write_text(script)
            path.chmod(0o644)
            self.paths += ["-f", f"{path}@{weight}"]
        # Per script on average: 6 and 4 of one change, 1 of three.
        self.scripts = daily * 11 // (6 + 4 + 3)
        self.keep, self.dropped = None, 0

    def day(self):
        data, begin = self.data, time.monotonic()
        subprocess.run([f"{data.server.programs}/pgbench", "-n", "-M", "prepared", "-c", str(self.clients), "-j", "1",
                        "-t", str(self.scripts // self.clients), "-D", f"open={self.tickets - 300}", *self.paths],
                       env=data.server.environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        data.db.wait(f"NOT {BEHIND}", 300)
        if self.keep is None:
            self.keep = max(10, 8 * (time.monotonic() - begin))
        said = data.db.rows(f"SELECT outcome FROM sla.trim_events(interval '{self.keep} s')")
        self.dropped += sum(row["outcome"] == "dropped" for row in said)
        return time.monotonic() - begin

    def sample(self):
        # A session tells the server what it has counted once it has been idle for 10 s.
        time.sleep(1 if self.data.bench.quick else 11)
        found = {row["name"]: row for row in self.data.db.rows(SIZES)}
        found["memory"] = self.data.memory()
        return found


def megabytes(size):
    return number(size / 1e6)


def rows_of(samples, names):
    rows = []
    for name in names:
        last = samples[-1][name]
        exact = f"{last['bytes'] / last['rows']:.0f}" if last["rows"] else "-"
        hot = f"{100 * last['hot'] / last['updates']:.1f} %" if last["updates"] else "-"
        rows.append([f"sla.{name}", *(megabytes(sample[name]["bytes"]) for sample in samples), f"{last['rows']:,}", exact,
                     f"{last['updates']:,}", hot, f"{last['dead']:,}", str(last["vacuums"])])
    return rows


def run(bench):
    tickets = 1000 if bench.quick else min(bench.tickets, 10000)
    each = DAYS * 86400 * PER_SECOND / REAL_TICKETS
    daily, days, points = (300, 3, [1, 2, 3]) if bench.quick else (int(tickets * each / DAYS), DAYS, [5, 10, 20, 30])
    with contextlib.ExitStack() as stack:
        bench.make("bench/http_sink")
        sink = subprocess.Popen([bench.build / "bench" / "http_sink"], stdout=subprocess.PIPE, text=True)
        stack.callback(sink.wait)
        stack.callback(sink.terminate)
        data = Database(bench, stack, int(sink.stdout.readline()),
                        ["autovacuum_naptime=1", "autovacuum_vacuum_cost_delay=0"])
        data.load(tickets)
        least = data.db.value("SELECT min(id) FROM sla.ticket WHERE source = 'load'")
        data.db.run(f"CREATE SEQUENCE public.oldest START {least}; SELECT nextval('public.oldest')")
        data.start()
        month, samples, took = Month(bench, data, tickets, daily), [], 0.0
        wal = data.db.value("SELECT pg_current_wal_insert_lsn()::text")
        for day in range(1, days + 1):
            took += month.day()
            if day in points:
                samples.append(month.sample())
                print(f"day {day}", file=sys.stderr)
        written = data.db.value(f"SELECT pg_current_wal_insert_lsn() - '{wal}'::pg_lsn") / daily / days
        head = ["MB after days", *map(str, points), "rows", "bytes a row", "updates", "HOT", "dead", "vacuums"]
        blank = ["**stays small**"] + [""] * (len(head) - 1)
        memory = ["the daemon's memory", *(megabytes(sample["memory"]) for sample in samples)] + ["-"] * 6
        text = "\n" + table(head, [*rows_of(samples, FOR_EVER), blank, *rows_of(samples, BOUNDED), memory])
        rate = daily * days / took
        text += NOTES.format(
            tickets=tickets, each=each, daily=daily, life=CHANGES_OF_A_TICKET, minutes=took / 60, rate=rate,
            squeezed=rate / tickets / (PER_SECOND * 60 / REAL_TICKETS), kept=8, dropped=month.dropped,
            held=data.db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 'sla.event'::regclass"), wal=written)
        bench.report("month", "A month of changes", text, data.versions())
