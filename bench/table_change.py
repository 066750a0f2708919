"""With many tickets loaded: from a change to its clock, deadlines that move nearer, many changes, a backlog, idleness."""
import contextlib
import subprocess
import sys
import time

from bench import cell, in_turn, number, table
from database import Database, percentile

CHANGE = r"""
\set half random(:least, :most)
UPDATE sla.ticket SET status = CASE status WHEN 'open' THEN 'pending' ELSE 'open' END WHERE id = 2 * (:half / 2) + :odd;
"""
NEARER = r"""
\set half random(:least, :most)
UPDATE sla.ticket SET severity = 'critical' WHERE id = 2 * (:half / 2) + :odd;
"""
# From the commit of a change to that of what came of it, in seconds; by the instants that the server keeps.
TOOK = """
SELECT array_agg(extract(epoch FROM pg_xact_commit_timestamp(m.xmin) - pg_xact_commit_timestamp(e.xid::xid))) AS took
FROM sla.event e JOIN sla.milestone m ON m.ticket_id = e.ticket_id AND m.at = e.at AND m.milestone IN {milestones}
WHERE e.recorded_at > '{since}' AND e.kind = '{kind}'
"""
NEXT = """
SELECT min(id) AS least, max(id) AS most, count(*) AS found
FROM (SELECT id FROM sla.ticket WHERE source = 'load' AND id > {behind} ORDER BY id LIMIT {count}) AS t
"""
MANY = """
UPDATE sla.ticket SET status = CASE status WHEN 'open' THEN 'pending' ELSE 'open' END
WHERE id BETWEEN {least} AND {most}
"""
# What happens to a ticket, one after the other. Each is an event, whatever the rounds before have left.
CONVERSATION = [
    "UPDATE sla.ticket SET assignee = CASE assignee WHEN 'ann' THEN 'bob' ELSE 'ann' END WHERE id BETWEEN {least} AND {most}",
    "INSERT INTO sla.reply (ticket_id, author) SELECT id, 'agent' FROM sla.ticket WHERE id BETWEEN {least} AND {most}", MANY,
    "INSERT INTO sla.reply (ticket_id, author) SELECT id, 'customer' FROM sla.ticket WHERE id BETWEEN {least} AND {most}", MANY]
BEHIND = """
SELECT count(*) FROM sla.ticket t JOIN sla.ticket_state s ON s.ticket_id = t.id
WHERE t.id BETWEEN {least} AND {most} AND t.event_seq > s.applied_seq
"""
# Asked first, as it costs next to nothing: what counts all would take one of two cores.
LAST_BEHIND = BEHIND.replace("{least}", "{most}")
LAST_COMMIT = """
SELECT extract(epoch FROM max(pg_xact_commit_timestamp(s.xmin))) FROM sla.ticket_state s WHERE s.ticket_id BETWEEN {least} AND {most}
"""
WRITTEN = "SELECT extract(epoch FROM pg_xact_commit_timestamp(t.xmin)) FROM sla.ticket t WHERE t.id = {most}"
NOTES = """
- {tickets:,} tickets with {clocks:,} clocks are loaded.
- A change: a status that pauses or resumes clocks; its milestones, clocks and the ticket's state are one transaction. From
  the instant of the writer's commit to that of the daemon's, as the server keeps them. Lone: three changes a second.
- A deadline that moves nearer: a severity whose target has run out already, so the breach is written at once. The wheel
  is armed before that, by less than the time shown.
- LISTEN: from sending NOTIFY on one connection until another has it.
- Not listening: the longest that `/-/healthy` took to be answered over a unix socket, asked again and again meanwhile by a
  program that seldom waits for the processor itself (bench/asker.c).
"""
MANY_NOTES = """
- Sustained: {rate:,} changes a second for {seconds} s, {each:,} in a statement; from the first until the last was taken in, by its
  commit. Backlog: {backlog:,} events while the daemon was away; from its start until the last was taken in, by its commit; the
  load included, and without as long as a load without them took just before. One for each ticket pauses or resumes its clocks.
  Five: an assignee, an answer, a pause, the customer's answer, the end of the pause. VACUUM follows, or autovacuum would be
  amid what is measured next.
- Of the core: the daemon's processor time by the time that passed. Idle: over {idle} s in which nothing is due.
"""


class Watch:
    """Asks the daemon again and again (bench/asker.c); how many seconds the longest answer took."""

    def __init__(self, data):
        self.command = [data.bench.build / "bench" / "asker", data.folder / "http"]
        self.longest = None

    def __enter__(self):
        self.asker = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        said, _ = self.asker.communicate()
        if self.asker.returncode != 0:
            sys.exit("bench: the daemon was not heard of to the end")
        self.longest = float(said)


class Loaded:
    def __init__(self, data, quick):
        self.data, self.quick = data, quick
        self.least, self.most = (data.db.value(f"SELECT {what}(id) FROM sla.ticket WHERE source = 'load'")
                                 for what in ("min", "max"))
        self.odd = data.first_ids("one")[0] % 2
        self.last = self.least - 1

    def bounds(self):
        # An id of the other kind may be rounded down by one: not to the tickets that the loaded ones are copies of.
        return ("-D", f"least={self.least + 1}", "-D", f"most={self.most - 2}", "-D", f"odd={self.odd}")

    def latency(self, script, kind, milestones, rate, seconds):
        data = self.data
        since = data.db.value("SELECT clock_timestamp()::text")
        with Watch(data) as watch:
            # So many, however long a busy machine takes over them.
            data.pgbench(script, "-c", 4, "-j", 1, "-R", rate, "-t", max(1, rate * seconds // 4), *self.bounds())
        took = []

        def all_there():
            took[:] = data.db.value(TOOK.format(since=since, kind=kind, milestones=milestones)) or []
            return len(took) >= 0.8 * data.db.value(
                f"SELECT count(*) FROM sla.event WHERE recorded_at > '{since}' AND kind = '{kind}'")
        data.harness.wait_until("what comes of the changes", all_there)
        return {"half": percentile(took, 0.5) * 1000, "most": percentile(took, 0.99) * 1000,
                "gap": watch.longest * 1000}

    def change(self, rate):
        seconds = 1 if self.quick else 10
        return lambda: self.latency(CHANGE, "status", "('paused', 'resumed')", rate, seconds)

    def nearer(self):
        return self.latency(NEARER, "severity", "('breached')", 50, 1 if self.quick else 5)

    def listen(self):
        half, most = self.data.peer("listen", 200 if self.quick else 2000)
        return {"half": half * 1000, "most": most * 1000}

    def span(self, count):
        """The next so many tickets, so that rounds do not work on the same. Their ids may have gaps."""
        span = self.data.db.rows(NEXT.format(behind=self.last, count=count))[0]
        if span["found"] < count:
            span = self.data.db.rows(NEXT.format(behind=self.least - 1, count=count))[0]
        self.last = span["most"]
        return span

    def caught_up(self, span):
        self.data.harness.wait_until("the changes to be taken in", lambda: not any(
            self.data.db.value(text.format(**span)) for text in (LAST_BEHIND, BEHIND)), 300)

    def last_commit(self, spans):
        """When the last of the changes of these tickets was taken in, by time.time(). To find out that all are takes longer."""
        return max(self.data.db.value(LAST_COMMIT.format(**span)) for span in spans)

    def sustained(self, rate, seconds, each):
        data, spans = self.data, [self.span(each) for _ in range(rate * seconds // each)]
        used, begin = data.processor(), time.time()
        with Watch(data) as watch:
            for turn, span in enumerate(spans):
                data.db.run(MANY.format(**span))
                time.sleep(max(0.0, begin + (turn + 1) * each / rate - time.time()))
            for span in spans:
                self.caught_up(span)
        used, end = data.processor() - used, self.last_commit(spans)
        return {"rate": rate * seconds / (end - begin), "core": used / (end - begin), "gap": watch.longest * 1000}

    def backlog(self, count, acts):
        """`count` events, as many for a ticket as there are acts. What came is written while it is read, so the load by itself is
        that of a start before."""
        data, span = self.data, self.span(count // len(acts))
        data.stop()
        load = data.start()
        data.stop()
        for act in acts:
            data.db.run(act.format(**span))
        begin = time.time()
        data.start()
        self.caught_up(span)
        end = self.last_commit([span])
        data.db.run("VACUUM ANALYZE")
        return {"rate": count / (end - begin), "after": count / (end - begin - load), "core": data.processor() / (end - begin)}

    def at_once(self, count):
        """Microseconds a change from the commit of so many until the last was taken in, and of the processor."""
        data, span = self.data, self.span(count)
        used = data.both_processors()
        data.db.run(MANY.format(**span))
        self.caught_up(span)
        return {"each": (self.last_commit([span]) - data.db.value(WRITTEN.format(**span))) / count * 1e6,
                "processor": (data.both_processors() - used) / count * 1e6}

    def idle(self, seconds):
        data = self.data
        data.harness.wait_until("nothing to do", lambda: data.daemon.log.find("^loaded "))
        used, sessions, begin = data.processor(), data.sessions_processor(), time.monotonic()
        data.db.run(f"SELECT pg_sleep({seconds})")
        took = time.monotonic() - begin
        return {"core": (data.processor() - used) / took * 100, "sessions": (data.sessions_processor() - sessions) / took * 100}


def run(bench):
    quick = bench.quick
    # More are written than the daemon is to take in, so that it is the daemon that sets the pace.
    rate, seconds, each, idle = (2000, 1, 500, 1) if quick else (30000, 6, 5000, 10)
    backlog = 1000 if quick else bench.tickets
    with contextlib.ExitStack() as stack:
        data = Database(bench, stack)
        data.load(bench.tickets)
        data.start()
        loaded = Loaded(data, quick)
        clocks = data.clocks()
        took = in_turn(bench.rounds, {
            "idle": lambda: loaded.idle(idle), "LISTEN alone": loaded.listen, "a lone change": loaded.change(10 if quick else 3),
            "200 changes a second": loaded.change(200), "a deadline that moves nearer, 50 a second": loaded.nearer,
            "sustained": lambda: loaded.sustained(rate, seconds, each), "backlog": lambda: loaded.backlog(backlog, [MANY]),
            "conversations": lambda: loaded.backlog(backlog, CONVERSATION)})
        names = ["LISTEN alone", "a lone change", "200 changes a second", "a deadline that moves nearer, 50 a second"]
        rows = [[name, *(cell(took[name].get(what, [])) for what in ("half", "most", "gap"))] for name in names]
        text = "\n" + table(["milliseconds", "half of all", "99 of 100", "not listening"], rows)
        text += NOTES.format(tickets=bench.tickets, clocks=clocks)
        many, rest = took["sustained"], took["idle"]
        rows = [[f"sustained, {number(rate)} a second written", cell(many["rate"]), cell(many["core"]), cell(many["gap"])]]
        for what, late in ("one event for each ticket", took["backlog"]), ("five for each", took["conversations"]):
            rows += [[f"backlog, {what}, with the load", cell(late["rate"]), cell(late["core"]), "-"],
                     [f"backlog, {what}, without", cell(late["after"]), "-", "-"]]
        text += "\n" + table(["many changes", "events a second", "of the core", "not listening, ms"], rows)
        text += "\n" + table(["idle", "per cent of a core"], [
            ["the daemon", cell(rest["core"])], ["its sessions in the server", cell(rest["sessions"])]])
        text += MANY_NOTES.format(rate=rate, seconds=seconds, each=each, backlog=backlog, idle=idle)
        bench.report("change", "Changes, with many tickets loaded", text, data.versions())
