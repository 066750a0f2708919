#!/usr/bin/env python3
"""slatectl attach request-tracker, on a real Request Tracker 5 whose database is another one than slated's: a life of 50
tickets through its REST API, partly before the adapter is attached, partly after, and partly while its triggers are off,
comes to the milestones that the model gives for it. RT's own Due agrees but in one case. Without SLATED_LONG=1 it is a
life of 14 tickets.

Two adapters are attached to the one RT: "rt" has its severities from RT's priorities, "field" from a custom field. What was
before attach is moved some days back, so that deadlines have passed in it.
"""
import concurrent.futures
import datetime
import os
import types

from harness import Failure, microseconds, run, wait_until, webhook
from helpdesk import Ticket, compare, facts, objects, slatectl
from rt import RequestTracker
from writeback import LADDER, POLICY, RULES, Product, test_back, write_tokens

PROMISES = """
calendars = {{ office = {{ timezone = "UTC"; hours = {{ weekdays = "09:00-17:00"; }}; }}; }};
policies = (
    {policy}
    {{ name = "urgent"; match = {{ plan = "urgent"; }}; on_change = "follow"; escalation = "alerts"; targets = (
        {{ metric = "first_response"; within = "30m"; at_risk = [ "50%" ]; }},
        {{ metric = "next_response"; within = "30m"; }},
        {{ metric = "resolution"; within = "4h"; at_risk = [ "75%" ]; }} ); }},
    {{ name = "standard"; match = {{ plan = "standard"; }}; on_change = "follow"; escalation = "alerts"; targets = (
        {{ metric = "first_response"; severity = "critical"; within = "1h"; at_risk = [ "50%" ]; }},
        {{ metric = "first_response"; within = "4h"; calendar = "office"; at_risk = [ "50%" ]; }},
        {{ metric = "next_response"; within = "4h"; calendar = "office"; }},
        {{ metric = "resolution"; within = "24h"; calendar = "office"; at_risk = [ "50%", "75%" ]; pause_on = [ "pending" ]; }} ); }}
);
escalations = {{ {ladder} alerts = ( {{ on = "breached"; notify = [ "ops" ]; }}, {{ on = "requested"; notify = [ "ops" ]; }} ); }};
"""
CONFIG = """
adapters = {{
    rt = {{ severity = "priority"; severity_map = [ "90.. = critical", "60..89 = high", "20..59 = normal", "* = low" ];
        {common} }};
    field = {{ severity = "custom_field:Severity"; severity_map = [ "S1 = critical", "S2 = high", "* = normal" ];
        {common} }};
    back = {{ severity = "priority"; severity_map = [ "90.. = critical", "* = normal" ]; plan = "sql:'back'";
        only = "sql:t.queue = (SELECT q.id FROM queues q WHERE q.name = 'Back')"; {base} }};
    again = {{ severity = "priority"; severity_map = [ "90.. = critical", "60..89 = high", "20..59 = normal", "* = low" ];
        {common} }};
}};
channels = {{ {channels} back = {{ type = "ticket"; adapter = "back"; url = "http://127.0.0.1:{port}/"; token_file = "token";
    due = true; severity = true; tag = "SLA"; }}; }};
"""
SAME = """
adapters = {{ rt = {{ severity = "priority"; severity_map = [ "90.. = critical", "60..89 = high", "20..59 = normal", "* = low" ];
    {common} }}; }};
channels = {{ ops = {{ type = "exec"; command = "/bin/true"; }}; }};
"""
BASE = """kind = "request-tracker"; conninfo = "{conninfo}"; sweep = "2s"; own_user = "robot";
    status_map = [ "new, open = open", "stalled = pending", "resolved, rejected = solved", "deleted = closed" ];"""
COMMON = BASE + """plan = "sla"; category = "queue"; assignee = "owner"; org = "organization";
    only = "sql:t.queue <> (SELECT q.id FROM queues q WHERE q.name = 'Back')";"""
# What the test knows of its RT, beside what the adapters are told.
STATUS = {"new": "open", "open": "open", "stalled": "pending", "resolved": "solved", "rejected": "solved", "deleted": "closed"}
FIELD = {"S1": "critical", "S2": "high", "S3": "normal"}
DAY_US = 86_400_000_000
LONG = os.environ.get("SLATED_LONG") == "1"
# How many tickets there are, how many of them before attach, those of them that end then, and those that have ended when
# the triggers go off.
ALL, BEFORE, ENDED, LIVE = (50, 26, 13, 38) if LONG else (14, 7, 5, 11)


def priority(now):
    number = now["Priority"]
    return "critical" if number >= 90 else "high" if number >= 60 else "normal" if number >= 20 else "low"


SEEN = {
    "rt": lambda now: facts(severity=priority(now), plan=now["SLA"], category=now["Queue"], assignee=now["Owner"], org=now["org"]),
    "field": lambda now: facts(severity=FIELD[now["Severity"]], plan=now["SLA"], category=now["Queue"], assignee=now["Owner"],
                               org=now["org"]),
}
SEEN["again"] = SEEN["rt"]


def script(number, agent, customer):
    """What happens to a ticket after it was opened: who does what."""
    answer, question, note = (agent, "correspond", "We look into it."), (customer, "correspond", "And now?"), (agent, "comment", "Hm.")
    return [
        [answer, question, answer, (agent, "Status", "resolved")],
        [(agent, "Status", "stalled"), question, answer, (agent, "Status", "resolved")],
        [note, (agent, "Priority", 95), ("bob", "Severity", "S1"), answer, (agent, "Priority", 10), (agent, "Severity", "S3")],
        [answer, (agent, "Status", "resolved"), (agent, "Status", "open"), answer, (agent, "Status", "resolved")],
        [answer, (agent, "Status", "resolved"), (customer, "correspond", "No, it is not."), answer],
        [(agent, "Owner", agent), answer, (agent, "Owner", "nobody"), (agent, "Status", "rejected")],
        [("bob", "Queue", "Cloud"), answer, (agent, "Status", "stalled"), question],
        [(agent, "SLA", "urgent"), answer, question, (agent, "SLA", "standard"), (agent, "Status", "resolved")],
        [("robot", "correspond", "Thank you."), ("robot", "Priority", 92), answer, (customer, "correspond", "Please #escalate this.")],
        [question, note, question],
        [(agent, "Status", "stalled"), question, (agent, "Status", "open"), (agent, "Status", "stalled"), question],
        [answer, ("root", "Status", "deleted")],
        [answer, (customer, "correspond", "> #escalate\nI only quote."), (agent, "merge", None)],
    ][number % 13]


class Issue:
    """A ticket, what is to be done with it, and what was."""

    def __init__(self, number, issues):
        self.number, self.issues = number, issues
        self.name = None
        agent, customer = ("alice", "bob")[number % 2], ("carol", "dave")[number // 2 % 2]
        self.customer = customer
        self.opened = {"Queue": "Support", "Priority": (50, 70, 10)[number % 3], "Severity": ("S3", "S2")[number % 2],
                       "SLA": "standard", "Status": "new", "Owner": None, "org": f"{customer} Ltd"}
        self.todo = script(number, agent, customer)
        self.done = []
        self.ends = []  # the last transaction of its opening and of each step

    def open(self, rt):
        body = {"Subject": f"Ticket {self.number}", "Requestor": f"{self.customer}@slated.test", "Content": "Help! #escalate",
                "ContentType": "text/plain", "Queue": "Support", "Priority": self.opened["Priority"],
                "CustomFields": {"Severity": self.opened["Severity"]}}
        self.name = str(rt.call(self.customer, "POST", "/ticket", body)["id"])
        self.note_end(rt)

    def note_end(self, rt):
        self.ends.append(rt.db.value("SELECT max(id) FROM transactions WHERE objecttype = 'RT::Ticket' "
                                     f"AND objectid = {self.name}"))

    def target(self):
        return self.issues[self.number - 3]

    def advance(self, rt):
        step = self.todo.pop(0)
        who, what, value = step
        path, body = "", {what: value}
        if what in ("correspond", "comment"):
            path, body = f"/{what}", {"Content": value, "ContentType": "text/plain"}
        elif what == "merge":
            body = {"MergeInto": int(self.target().name)}
        elif what == "Severity":
            body = {"CustomFields": {what: value}}
        said = rt.call(who, "PUT" if path == "" else "POST", f"/ticket/{self.name}{path}", body)
        self.done.append(step)
        self.note_end(rt)
        if self.ends[-1] == self.ends[-2]:
            raise Failure(f"RT, ticket {self.name}, {step}: {said}")

    def times(self, rt):
        """When it was opened, and each step was done: the instant of the step's first transaction."""
        ends = ", ".join(str(end) for end in self.ends)
        return [microseconds(row["at"]) for row in rt.db.rows(
            f"SELECT created || 'Z' AS at FROM tickets WHERE id = {self.name} UNION ALL SELECT at FROM ("
            f"SELECT min(x.created) || 'Z' AS at FROM unnest(ARRAY[{ends}]) WITH ORDINALITY AS e (id, n) "
            f"JOIN unnest(ARRAY[{ends}]) WITH ORDINALITY AS f (id, n) ON f.n = e.n + 1 "
            "JOIN transactions x ON x.objecttype = 'RT::Ticket' AND x.id > e.id AND x.id <= f.id "
            f"AND x.objectid = {self.name} AND x.type <> 'SetWatcher' GROUP BY e.n ORDER BY e.n) AS steps")]

    def expected(self, rt, see):
        """The model's events for it."""
        ticket, times, now, status = Ticket(self.name), self.times(rt), dict(self.opened), "open"
        if len(times) != 1 + len(self.done):
            raise Failure(f"RT has {len(times)} steps of ticket {self.name} instead of {1 + len(self.done)}")
        ticket.add(times[0], "opened", **see(now), status="open")
        for at, (who, what, value) in zip(times[1:], self.done):
            author = "system" if who == "robot" else "customer" if who == self.customer else "agent"
            if what in ("correspond", "comment"):
                # RT reopens a resolved ticket that is answered, and leaves a stalled one as it is.
                if author == "customer" and status in ("pending", "solved"):
                    status = "open"
                    ticket.add(at, "status", status=status)
                ticket.add(at, "reply", by=author, public=what == "correspond", text=value)
            elif what == "merge":
                ticket.add(at, "merged", into=self.target().name)
            elif what == "Status":
                if STATUS[value] != status:
                    status = STATUS[value]
                    ticket.add(at, "status", status=status)
            else:
                before, now = see(now), now | {what: None if value == "nobody" else value}
                changed = {name: see(now).get(name) for name in {**before, **see(now)}
                           if name != "severity" and before.get(name) != see(now).get(name)}
                if changed:
                    ticket.add(at, "changed", **changed)
                if before["severity"] != see(now)["severity"]:
                    ticket.add(at, "severity", severity=see(now)["severity"], by=author)
        return ticket


class Desk:
    """The RT of the test with its tickets."""

    def __init__(self, bench):
        self.bench = bench
        self.rt = RequestTracker(bench)
        self.issues = []
        self.issues += [Issue(n, self.issues) for n in range(ALL + 3)]
        # For RT's Due: another agreement, an answer to a stalled ticket, and one that is reopened after days.
        urgent, stalled, reopened = self.issues[-3:]
        urgent.todo = [("alice", "SLA", "urgent")]
        stalled.todo = [("alice", "Status", "stalled"), (stalled.customer, "correspond", "And now?"), ("alice", "correspond", "Here.")]
        reopened.todo = [("alice", "correspond", "Here."), ("alice", "Status", "resolved"),
                         (reopened.customer, "correspond", "Not quite."), ("alice", "correspond", "Now.")]

    def each(self, issues, do):
        """For all of them at the same time, as far as RT can."""
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            list(pool.map(do, issues))

    def open(self, issues):
        self.each(issues, lambda issue: issue.open(self.rt))

    def go_on(self, issues, left):
        def advance(issue):
            while len(issue.todo) > left:
                issue.advance(self.rt)
        self.each(issues, advance)

    def move_back(self, issues, begin):
        """Puts what happened so far at times of which the test can be sure, some days ago. The second and the third step
        are at the same instant: RT's instants are whole seconds."""
        for issue in issues:
            base = begin + issue.number * 660_000_000
            for n, (first, last) in enumerate(zip([0, *issue.ends], issue.ends)):
                at = datetime.datetime.utcfromtimestamp((base + (n - (n == 3)) * 4_043_000_000) // 1_000_000)
                self.rt.db.run(f"UPDATE transactions SET created = '{at}' WHERE objecttype = 'RT::Ticket' "
                               f"AND objectid = {issue.name} AND id > {first} AND id <= {last}")
                self.rt.db.run(f"UPDATE tickets SET lastupdated = '{at}', "
                               f"created = CASE WHEN {n} = 0 THEN '{at}' ELSE created END WHERE id = {issue.name}")

    def compare(self, config, sources, issues, what):
        for source in sources:
            compare(self.bench, config, source, [issue.expected(self.rt, SEEN[source]) for issue in issues],
                    f"adapter {source}, {what}")


def test_due(bench, desk):
    """RT's own Due against our earliest, of the open tickets opened since attach whose agreement is RT's. RT differs where
    time runs out with the day: for it that is when the next one begins. It counts from the transaction Create, which is
    written some seconds after the ticket's creation where the machine is slow. It is wrong where a customer has answered
    a stalled ticket: it leaves the status, and so the resolution without a due date. And where a ticket is reopened: it counts
    the days for which it was resolved."""
    def agree(theirs, ours):
        if ours.endswith("T17:00:00+00:00"):
            return theirs.endswith("T09:00:00+00:00") and 0 < microseconds(theirs) - microseconds(ours) <= 3 * DAY_US
        return 0 <= microseconds(theirs) - microseconds(ours) <= 10_000_000
    theirs = {row["name"]: row["due"] for row in desk.rt.db.rows(
        "SELECT id::text AS name, (CASE WHEN due > '1970-01-02' THEN due END AT TIME ZONE 'UTC') AS due FROM tickets "
        "WHERE status IN ('new', 'open', 'stalled') AND effectiveid = id")}
    ours = {row["name"]: row["due"] for row in bench.db.rows(
        "SELECT t.external_id AS name, (SELECT min(c.due_at) FROM sla.clock c WHERE c.ticket_id = t.id AND c.state = 'running') AS due "
        "FROM sla.ticket t WHERE t.source = 'rt'")}
    same = [issue for issue in desk.issues[BEFORE:-2] if issue.name in theirs
            and not any(what == "Priority" and value >= 90 for _, what, value in issue.done)]
    differ = [issue.name for issue in same if theirs[issue.name] is None or ours[issue.name] is None
              or not agree(theirs[issue.name], ours[issue.name])]
    bench.check(len(same) >= 5 and not differ, f"RT's Due of {len(same)} tickets is ours",
                [(name, theirs[name], ours[name]) for name in differ])
    answered, reopened = (issue.name for issue in desk.issues[-2:])
    bench.check(theirs[answered] is None and ours[answered] is not None,
                "RT's Due forgets the resolution of a stalled ticket that was answered; ours runs", (theirs[answered], ours[answered]))
    now = bench.db.value("SELECT clock_timestamp()")
    bench.check(theirs[reopened] < now < ours[reopened],
                "RT's Due after reopening counts the days for which it was resolved; ours does not", (theirs[reopened], ours[reopened]))


def test_off(bench, desk, config, issues):
    """Triggers are off for a while; the comparison finds what they missed."""
    before = bench.db.value("SELECT sum(differences) FROM sla.adapter")
    for table in "tickets", "transactions":
        desk.rt.db.run(f"ALTER TABLE {table} DISABLE TRIGGER slated_rt")
        desk.rt.db.run(f"ALTER TABLE {table} DISABLE TRIGGER slated_field")
    desk.go_on(issues, 0)
    for table in "tickets", "transactions":
        desk.rt.db.run(f"ALTER TABLE {table} ENABLE TRIGGER slated_rt")
        desk.rt.db.run(f"ALTER TABLE {table} ENABLE TRIGGER slated_field")
    desk.compare(config, ("rt", "field"), desk.issues, "after triggers were off")
    bench.check(bench.db.value("SELECT sum(differences) FROM sla.adapter") > before, "the differences are counted")


def test_same(bench, desk):
    """RT's own database has schema sla, too, and the adapter no conninfo."""
    bench.server.migrate("rt5")
    config = bench.write_config(SAME.format(common=COMMON.replace('conninfo = "{conninfo}"; ', "")) + PROMISES.format(
        policy="", ladder=""), "same.conf", user="slated", database="rt5")
    daemon = bench.daemon(config)
    slatectl(bench, "attach", "request-tracker", "--config", config, "--source-db", bench.server.conninfo(database="rt5"))
    there = types.SimpleNamespace(db=desk.rt.db, check=bench.check, note=bench.note)
    compare(there, config, "rt", [issue.expected(desk.rt, SEEN["rt"]) for issue in desk.issues], "in RT's own database")
    last = desk.issues[-1]
    last.todo = [(last.customer, "correspond", "Thank you.")]
    last.advance(desk.rt)
    compare(there, config, "rt", [issue.expected(desk.rt, SEEN["rt"]) for issue in desk.issues], "and live")
    bench.stopped(daemon)


def product(bench, rt):
    """How slated's writes look in RT."""
    def shown(number):
        ticket = rt.db.rows(f"""SELECT CASE WHEN due > '1970-01-02' THEN to_char(due, 'YYYY-MM-DD HH24:MI:SS') END AS due,
            CASE WHEN priority >= 90 THEN 'critical' ELSE 'normal' END AS severity, (SELECT string_agg(v.content, ',')
                FROM objectcustomfieldvalues v JOIN customfields f ON f.id = v.customfield AND f.name = 'SLA'
                WHERE v.objectid = {number} AND v.objecttype = 'RT::Ticket' AND v.disabled = 0) AS tag
            FROM tickets WHERE id = {number}""")[0]
        return ticket | {"notes": [row["content"] for row in rt.db.rows(f"""SELECT a.content FROM transactions x
            JOIN attachments a ON a.transactionid = x.id WHERE x.objecttype = 'RT::Ticket' AND x.objectid = {number}
            AND x.type = 'Comment' AND x.creator = (SELECT id FROM users WHERE name = 'robot')""")]}
    return Product("back", "request-tracker", bench.server.conninfo(database="rt5"), lambda: str(rt.call("carol", "POST", "/ticket", {
        "Subject": "Back", "Requestor": "carol@slated.test", "Content": "Help!", "ContentType": "text/plain", "Queue": "Back",
        "Priority": 50})["id"]),
        lambda number: rt.call("alice", "POST", f"/ticket/{number}/correspond", {"Content": "Here.", "ContentType": "text/plain"}),
        lambda number: rt.call("alice", "PUT", f"/ticket/{number}", {"Status": "resolved"}), shown)


def test(bench):
    receiver = bench.receiver()
    desk = Desk(bench)
    issues = desk.issues
    bench.db.run("CREATE ROLE slated LOGIN IN ROLE sla_daemon")
    conninfo = bench.server.conninfo("slated", "rt5")
    token = write_tokens(bench, desk.rt.robot_token)
    config = bench.write_config(CONFIG.format(
        common=COMMON.format(conninfo=conninfo), base=BASE.format(conninfo=conninfo), channels=webhook("ops", receiver.url()),
        port=desk.rt.port) + PROMISES.format(policy=f"{POLICY},", ladder=LADDER) + RULES, user="slated")
    early = issues[:BEFORE] + issues[-1:]
    desk.open(early)
    desk.go_on(issues[:ENDED], 0)
    desk.go_on(early[ENDED:], 2)
    desk.move_back(early, microseconds(bench.db.value("SELECT clock_timestamp()")) // DAY_US * DAY_US - 6 * DAY_US)
    before = objects(desk.rt.db)
    daemon = bench.daemon(config)
    source = bench.server.conninfo(database="rt5")
    for name in "rt", "field":
        slatectl(bench, "attach", "request-tracker", "--config", config, "--name", name, "--source-db", source)
    desk.compare(config, ("rt", "field"), early, "taken over at attach")
    bench.equal(receiver.requests(), [], "nobody is told of what was before")
    desk.open(issues[BEFORE:-1])
    desk.go_on(issues[:LIVE] + issues[-3:], 0)
    desk.compare(config, ("rt", "field"), issues, "live")
    test_due(bench, desk)
    test_off(bench, desk, config, issues)
    slatectl(bench, "attach", "request-tracker", "--config", config, "--name", "again", "--source-db", source)
    desk.compare(config, ("again",), issues, "taken over at its end")
    bench.equal(bench.db.rows("SELECT adapter, key, message FROM sla.adapter_error"), [], "no problems")
    test_back(bench, config, product(bench, desk.rt), token, receiver)
    for name in "rt", "field", "again":
        slatectl(bench, "detach", name, "--config", config, "--source-db", source)
    bench.equal(objects(desk.rt.db), before, "detach leaves nothing behind in RT's database")
    bench.stopped(daemon)
    test_same(bench, desk)


if __name__ == "__main__":
    run(test)
