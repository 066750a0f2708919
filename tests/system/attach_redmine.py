#!/usr/bin/env python3
"""slatectl attach redmine, on a real Redmine: a life of 50 tickets, through its REST API, some of it before the adapter is
attached and some after, comes to the milestones that the model gives for it.

Two adapters are attached to the one Redmine: that of the example, with severities from Redmine's priorities, and "field",
which has them from a custom field. What was before attach is moved some days back, so that deadlines have passed in it.
"""

from harness import HERE, Failure, microseconds, run, webhook
from helpdesk import Ticket, attach, compare, detach, facts, objects, refused, taken_over
from redmine import Redmine
from writeback import LADDER, POLICY, RULES, Product, test_back, write_tokens

EXAMPLE = HERE.parent.parent / "conf" / "adapters" / "redmine.conf"
ZONE = "Asia/Kolkata"
CONFIG = """
adapters = {{
    field = {{ kind = "redmine"; sweep = "2s"; conninfo = "{conninfo}"; timezone = "{zone}"; plan = "project_field:Plan";
        org = "author_domain"; channel = "priority"; severity = "custom_field:Severity"; own_user = "slated";
        staff = [ "user:alice", "user:bob", "admin" ];
        status_map = [ "Feedback = pending", "New, In Progress = open", "* = solved" ];
        severity_map = [ "S1 = critical", "S2 = high", "S3 = normal", "* = low" ]; }};
    back = {{ kind = "redmine"; sweep = "2s"; conninfo = "{conninfo}"; timezone = "{zone}"; plan = "project_field:Plan";
        only = "sql:t.project_id = (SELECT p.id FROM projects p WHERE p.name = 'Back')"; own_user = "slated";
        staff = [ "user:alice" ]; severity = "priority"; severity_map = [ "Urgent = critical", "* = normal" ];
        status_map = [ "Resolved = solved", "* = open" ]; }};
}};
calendars = {{ office = {{ timezone = "Europe/Berlin";
    hours = {{ weekdays = "08:00-18:00"; weekend = "10:00-14:00"; }}; }}; }};
policies = (
    {back_policy},
    {{ name = "instant"; match = {{ plan = "instant"; }}; escalation = "alerts"; targets = (
        {{ metric = "first_response"; within = "1s"; at_risk = [ "50%" ]; }},
        {{ metric = "resolution"; within = "2s"; }} ); }},
    {{ name = "gold"; match = {{ plan = "gold"; }}; escalation = "alerts"; targets = (
        {{ metric = "first_response"; severity = "critical"; within = "20m"; at_risk = [ "50%" ]; }},
        {{ metric = "first_response"; within = "1h"; at_risk = [ "75%", "10m" ]; }},
        {{ metric = "next_response"; within = "45m"; at_risk = [ "50%" ]; }},
        {{ metric = "update"; within = "2h"; pause_on = [ "pending" ]; }},
        {{ metric = "resolution"; severity = [ "critical", "high" ]; within = "3h"; at_risk = [ "50%", "75%" ];
          pause_on = [ "pending" ]; }},
        {{ metric = "resolution"; within = "6h"; at_risk = [ "75%" ]; pause_on = [ "pending" ];
          reopen = "restart"; }} ); }},
    {{ name = "silver"; match = {{ plan = "silver"; }}; on_change = "follow"; targets = (
        {{ metric = "first_response"; within = "90m"; calendar = "office"; }},
        {{ metric = "next_response"; within = "3h"; calendar = "office"; }},
        {{ metric = "resolution"; within = "30h"; calendar = "office"; at_risk = [ "50%" ];
          pause_on = [ "pending" ]; }} ); }}
);
escalations = {{ {back_ladder} alerts = ( {{ on = "breached"; notify = [ "ops" ]; }}, {{ on = "requested"; notify = [ "ops" ]; }} ); }};
channels = {{ {channels} back = {{ type = "ticket"; adapter = "back"; url = "http://127.0.0.1:{port}"; token_file = "token";
    due = true; severity = true; tag = "SLA"; }}; }};
{back_rules}
"""
# What the test knows of its Redmine, beside what the adapters are told.
PLANS = {"Support": "gold", "Cloud": "silver", "Urgent": "instant"}
STATUS = {"New": "open", "In Progress": "open", "Resolved": "solved", "Feedback": "pending", "Closed": "solved",
          "Rejected": "solved"}
STAFF = ("alice", "bob", "admin")
PRIORITY = {"Immediate": "critical", "Urgent": "critical", "High": "high", "Normal": "normal", "Low": "low"}
FIELD = {"S1": "critical", "S2": "high", "S3": "normal", "S4": "low"}
STEP_US = 1_043_456_789
MINUTE_US = 60_000_000


def example(now):
    """What the adapter of conf/adapters/redmine.conf makes of the facts of an issue."""
    return facts(severity=PRIORITY[now["priority"]], plan=PLANS[now["project"]], org=now["project"], product=now["project"],
                 category=now["tracker"], assignee=now["assignee"])


def field(now):
    """What adapter "field" makes of them."""
    return facts(severity=FIELD[now["severity"]], plan=PLANS[now["project"]], org=f"{now['author']}.example",
                 channel=now["priority"])


SOURCES = {"redmine": example, "field": field}


class Step:
    """One update of an issue: who, what is said, and the facts that change."""

    def __init__(self, by, notes="", private=False, **changes):
        self.by, self.notes, self.private, self.changes = by, notes, private, changes


DELETE = Step("admin")


def script(number, agent, customer):
    """What happens to an issue after it was opened."""
    answer, question, note = Step(agent, "We look into it."), Step(customer, "And now?"), Step(agent, "Hm.", private=True)
    return [
        [answer, question, answer, Step(agent, "Here you are.", status="Resolved")],
        [Step(agent, "Which version?", status="Feedback"), question, answer, Step(agent, status="Resolved")],
        [note, Step(agent, priority="Urgent"), Step("bob", severity="S1"), answer,
         Step(agent, priority="Low", severity="S4")],
        [Step(agent, "Done.", status="Resolved"), Step(agent, status="In Progress"), answer,
         Step(agent, status="Resolved")],
        [answer, Step(agent, status="Resolved"), Step(customer, "No, it is not.", status="In Progress"), answer],
        [Step(agent, assignee="bob"), Step(agent, tracker="Bug"), answer, Step("bob", "Mine no more.", assignee=None)],
        [Step("bob", "For the others.", project="Cloud"), answer, Step(agent, status="Feedback"), question],
        [answer, Step(agent, status="Closed"), Step("admin", "Not yet.", status="In Progress"),
         Step("bob", status="Rejected")],
        [Step("slated", "Thank you for your message."), Step("slated", priority="Immediate", severity="S1"), answer,
         Step(customer, "Please #escalate this.")],
        [question, note, question],
        [Step(agent, status="Feedback"), Step(customer, "This one."), Step(agent, status="In Progress"),
         Step(agent, "Still?", status="Feedback"), question],
        [answer, DELETE],
        [Step("bob", "All at once.", status="Feedback", priority="High", severity="S2", assignee="alice",
              tracker="Feature"), note,
         Step(customer, "> #escalate\nI only quote."), Step("bob", "Done.", status="Resolved", priority="Normal")],
    ][number % 13]


class Issue:
    """An issue, what is to be done with it, and what was."""

    def __init__(self, number):
        self.number = number
        self.name = None
        self.urgent = number >= 46
        agent, customer = ("alice", "bob")[number % 2], ("carol", "dave")[number // 2 % 2]
        self.opened = {"author": customer,
                       "project": "Urgent" if self.urgent else "Cloud" if number % 5 == 4 else "Support",
                       "tracker": "Support", "priority": ("Normal", "High", "Low")[number % 3], "status": "New",
                       "severity": ("S3", "S2")[number % 2], "assignee": None}
        self.todo = script(number, agent, customer) if not self.urgent else \
            [Step(agent, "Sorry."), Step(agent, "Fixed.", status="Resolved")]
        self.done = []
        self.deleted_at = {}

    def open(self, redmine, ids):
        now = self.opened
        body = {"subject": f"Ticket {self.number}", "description": "Help! #escalate", **ids.body(
            {k: v for k, v in now.items() if k not in ("author", "status") and v})}
        self.name = str(redmine.call(now["author"], "POST", "/issues.json", {"issue": body})["issue"]["id"])

    def advance(self, redmine, ids):
        step = self.todo.pop(0)
        if step is DELETE:
            redmine.call(step.by, "DELETE", f"/issues/{self.name}.json")
        else:
            body = ids.body(step.changes) | ({"notes": step.notes} if step.notes else {})
            redmine.call(step.by, "PUT", f"/issues/{self.name}.json", {"issue": body | {"private_notes": step.private}})
        self.done.append(step)

    def expected(self, source, see, times):
        """The model's events for it: `times` are those of its opening and of each of its updates."""
        ticket = Ticket(self.name)
        now = dict(self.opened)
        ticket.add(times[0], "opened", **see(now), status="open")
        status = "open"
        for at, step in zip(times[1:], self.done):
            if step is DELETE:
                ticket.add(self.deleted_at[source], "status", status="closed")  # see live()
                continue
            author = "system" if step.by == "slated" else "agent" if step.by in STAFF else "customer"
            before, now = now, now | step.changes
            new = STATUS[step.changes["status"]] if "status" in step.changes else status
            if author == "customer" and step.notes and status == "pending":
                new = "open"
            was, is_ = see(before), see(now)
            changed = {name: is_.get(name) for name in {**was, **is_}
                       if name != "severity" and was.get(name) != is_.get(name)}
            if changed:
                ticket.add(at, "changed", **changed)
            if was["severity"] != is_["severity"]:
                ticket.add(at, "severity", severity=is_["severity"], by=author)
            # What is open again is so before what is said with it, and what comes to rest does so after it.
            statuses = [("status", {"status": new})] if new != status else []
            replies = [("reply", {"by": author, "public": not step.private, "text": step.notes})] if step.notes else []
            for event, fields in statuses + replies if new == "open" else replies + statuses:
                ticket.add(at, event, **fields)
            status = new
        return ticket


class Ids:
    """Redmine's numbers for the names of things."""

    def __init__(self, db):
        self.of = {what: {row["name"]: row["id"] for row in db.rows(query)} for what, query in {
            "status": "SELECT name, id FROM issue_statuses", "tracker": "SELECT name, id FROM trackers",
            "priority": "SELECT name, id FROM enumerations WHERE type = 'IssuePriority'",
            "project": "SELECT name, id FROM projects",
            "assignee": "SELECT login AS name, id FROM users"}.items()}
        self.severity = db.value("SELECT id FROM custom_fields WHERE name = 'Severity'")

    def body(self, changes):
        body = {}
        for name, value in changes.items():
            if name == "severity":
                body["custom_fields"] = [{"id": self.severity, "value": value}]
            elif name == "assignee":
                body["assigned_to_id"] = self.of[name][value] if value else ""
            else:
                body[f"{name}_id"] = self.of[name][value]
        return body


class Desk:
    """The Redmine of the test with its issues."""

    def __init__(self, bench):
        self.bench = bench
        self.redmine = Redmine(bench, ZONE)
        self.ids = Ids(self.redmine.db)
        self.issues = [Issue(n) for n in range(50)]
        self.times = {}

    def go_round(self, issues, left):
        """Each issue's next step, round by round, until `left` of its steps are left."""
        for issue in issues:
            issue.open(self.redmine, self.ids)
        self.continue_(issues, left)

    def continue_(self, issues, left):
        while any(len(issue.todo) > left(issue) for issue in issues):
            for issue in issues:
                if len(issue.todo) > left(issue):
                    if issue.todo[0] is DELETE:
                        self.read_times(issue)
                        self.bench.db.wait(f"(SELECT count(*) FROM sla.ticket WHERE external_id = '{issue.name}') = 2")
                    issue.advance(self.redmine, self.ids)

    def read_times(self, issue):
        """When it was opened and updated, as Redmine wrote it down; one instant for each update."""
        if DELETE in issue.done:
            self.times[issue.name].append(None)
            return
        rows = self.redmine.db.rows(f"""SELECT extract(epoch FROM at AT TIME ZONE '{ZONE}') * 1000000 AS at FROM (
            SELECT 0 AS id, created_on AS at FROM issues WHERE id = {issue.name} UNION ALL
            SELECT id, created_on FROM journals WHERE journalized_type = 'Issue'
                AND journalized_id = {issue.name}) r ORDER BY id""")
        if len(rows) != 1 + len(issue.done):
            raise Failure(f"Redmine has {len(rows) - 1} updates of issue {issue.name} instead of {len(issue.done)}")
        self.times[issue.name] = [int(row["at"]) for row in rows]
        # Redmine says nothing of a change that the user may not make.
        got = self.redmine.db.rows(f"""SELECT p.name AS project, k.name AS tracker, s.name AS status, e.name AS priority
            FROM issues i JOIN projects p ON p.id = project_id JOIN trackers k ON k.id = tracker_id
            JOIN issue_statuses s ON s.id = status_id JOIN enumerations e ON e.id = priority_id
            WHERE i.id = {issue.name}""")[0]
        wanted = issue.opened | {name: value for step in issue.done for name, value in step.changes.items()}
        if got != {name: wanted[name] for name in got}:
            raise Failure(f"Redmine has {got} of issue {issue.name}, which was told {wanted}")

    def move_back(self, begin):
        """Puts what happened so far at times of which the test can be sure, some days ago."""
        for issue in self.issues:
            if issue.name:
                at = begin + issue.number * 11 * MINUTE_US
                local = f"(to_timestamp({at} / 1000000.0) + n * {STEP_US}::bigint * interval '1 us') AT TIME ZONE '{ZONE}'"
                self.redmine.db.run(f"""WITH j AS (UPDATE journals SET created_on = {local}
                    FROM (SELECT id AS j, row_number() OVER (ORDER BY id) AS n FROM journals
                        WHERE journalized_id = {issue.name}) r
                    WHERE id = j)
                    UPDATE issues SET created_on = {local}, updated_on = {local.replace('+ n ', f'+ {len(issue.done)} ')}
                    FROM (SELECT 0 AS n) r WHERE id = {issue.name}""")

    def expected(self, source, see):
        return [issue.expected(source, see, self.times[issue.name]) for issue in self.issues if issue.name]


def write_example(bench, conninfo):
    """The example as an administrator adapts it, beside the rest."""
    text = EXAMPLE.read_text()
    for there, here in (("# conninfo", f'conninfo = "{conninfo}"; #'),
                        ('timezone     = "UTC"', f'timezone = "{ZONE}"'), ("# plan", "plan")):
        if there not in text:
            raise Failure(f"{EXAMPLE} has no {there}")
        text = text.replace(there, here)
    folder = bench.folder / "conf.d"
    folder.mkdir()
    (folder / "redmine.conf").write_text(text)


def due_date(bench, source, number):
    """Redmine knows no time of day."""
    due = bench.db.value(f"""SELECT to_char(min(c.due_at) AT TIME ZONE '{ZONE}', 'YYYY-MM-DD') FROM sla.clock c
        JOIN sla.ticket t ON t.id = c.ticket_id WHERE t.source = '{source}' AND t.external_id = '{number}'
        AND c.ended_at IS NULL""")
    return due


def test_public(bench, config, desk):
    """Redmine makes a public note of a private one where the user may not write such."""
    swap = "UPDATE roles SET permissions = replace(permissions, '{}', '{}')"
    desk.redmine.db.run(swap.format(":set_notes_private", ":none_of_these"))
    said = attach(bench, "redmine", "back", config)
    bench.check("may not write private notes" in said and "project Back" in said, "attach says where notes would be public", said)
    desk.redmine.db.run(swap.format(":none_of_these", ":set_notes_private"))
    other = config.with_name("other.conf")
    other.write_text(config.read_text().replace('tag = "SLA"', 'tag = "SLO"'))
    said = attach(bench, "redmine", "back", other)
    bench.check("no custom field 'SLO'" in said, "and that a field for the state is missing", said)


def product(bench, desk):
    """How slated's writes look in Redmine."""
    call, db = desk.redmine.call, desk.redmine.db

    def shown(number):
        issue = db.rows(f"""SELECT due_date::text AS due, CASE e.name WHEN 'Urgent' THEN 'critical' ELSE 'normal' END AS severity,
            (SELECT v.value FROM custom_values v JOIN custom_fields f ON f.id = v.custom_field_id AND f.name = 'SLA'
                WHERE v.customized_type = 'Issue' AND v.customized_id = i.id) AS tag
            FROM issues i JOIN enumerations e ON e.id = i.priority_id WHERE i.id = {number}""")[0]
        return issue | {"notes": [row["notes"] for row in db.rows(f"""SELECT notes FROM journals j
            WHERE journalized_id = {number} AND notes <> '' AND private_notes
            AND user_id = (SELECT id FROM users WHERE login = 'slated')""")]}

    def update(**changes):
        return lambda number: call("alice", "PUT", f"/issues/{number}.json", {"issue": desk.ids.body(changes.get("facts", {}))
                                                                              | {"notes": changes["notes"]}})
    return Product("back", "redmine", bench.server.conninfo(database="redmine"), lambda: str(call(
        "carol", "POST", "/issues.json", {"issue": {"subject": "Back", "description": "Help!", **desk.ids.body(
            {"project": "Back", "tracker": "Support", "priority": "Normal"})}})["issue"]["id"]),
        update(notes="Here."), update(notes="Done.", facts={"status": "Resolved"}), shown)


def halves(issue):
    """How many steps of an issue are left for the time after attach. A ticket is deleted only when it is known."""
    if issue.todo and issue.number < 18:
        return 1 if DELETE in issue.todo else 0
    return 2


def test(bench):
    receiver = bench.receiver()
    desk = Desk(bench)
    issues = desk.issues
    desk.go_round(issues[:36], halves)
    begin = microseconds(bench.db.value("SELECT clock_timestamp()")) - 4 * 24 * 60 * MINUTE_US
    desk.move_back(begin)
    token = write_tokens(bench, desk.redmine.api_key)
    path = bench.write_config(CONFIG.format(
        conninfo=desk.redmine.conninfo, zone=ZONE, channels=webhook("ops", receiver.url()), port=desk.redmine.port,
        back_policy=POLICY, back_ladder=LADDER, back_rules=RULES))
    write_example(bench, desk.redmine.conninfo)
    before = objects(desk.redmine.db)
    for wrong, told in ((("custom_field:Severity", "custom_field:Gravity"), "Redmine has no such custom field"),
                        (('"user:bob"', '"bob"'), 'staff or customer has "bob": not a word of this adapter')):
        refused(bench, "redmine", "field", path, desk.redmine.db, wrong, told)
    daemon = bench.daemon(path)
    for name in SOURCES:
        attach(bench, "redmine", name, path)
    for issue in issues[:36]:
        desk.read_times(issue)
    for source, see in SOURCES.items():
        compare(bench, path, source, desk.expected(source, see), f"adapter {source}, taken over at attach")
    live(bench, desk, receiver)
    for source, see in SOURCES.items():
        compare(bench, path, source, desk.expected(source, see), f"adapter {source}, after 50 tickets")
    taken_over(bench)
    test_public(bench, path, desk)
    test_back(bench, path, product(bench, desk), token, receiver, due_date)
    for name in SOURCES:
        detach(bench, "redmine", name, path)
    bench.equal(objects(desk.redmine.db), before, "detach leaves nothing behind in Redmine's database")
    bench.stopped(daemon)


def live(bench, desk, receiver):
    """What happens after attach: the rest of the 36, and the others from their opening."""
    for issue in desk.issues[36:]:
        issue.open(desk.redmine, desk.ids)
    desk.continue_(desk.issues[:46], lambda issue: 1)
    for table in "issues", "journals":
        desk.redmine.db.run(f"ALTER TABLE {table} DISABLE TRIGGER slated_field")
    desk.continue_(desk.issues[:46], lambda issue: 0)
    for table in "issues", "journals":
        desk.redmine.db.run(f"ALTER TABLE {table} ENABLE TRIGGER slated_field")
    urgent = [issue.name for issue in desk.issues[46:]]
    bench.db.wait(f"""(SELECT count(*) FROM sla.milestone m JOIN sla.ticket t ON t.id = m.ticket_id
        WHERE m.milestone = 'breached' AND t.external_id IN ({', '.join(f"'{name}'" for name in urgent)})) = 16""")
    receiver.wait("alerts of the urgent tickets", lambda requests: set(urgent) <= {
        r["data"]["ticket"]["external_id"] for r in requests if "ticket" in r["data"]})
    desk.continue_(desk.issues[46:], lambda issue: 0)
    for issue in desk.issues:
        if DELETE in issue.done:
            for source in SOURCES:
                bench.db.wait(f"""EXISTS (SELECT FROM sla.ticket WHERE source = '{source}' AND external_id = '{issue.name}'
                    AND status = 'closed')""")
                issue.deleted_at[source] = microseconds(bench.db.value(f"""SELECT e.at FROM sla.event e JOIN sla.ticket t
                    ON t.id = e.ticket_id WHERE t.source = '{source}' AND t.external_id = '{issue.name}'
                    AND e.status = 'closed'"""))
        desk.read_times(issue)


if __name__ == "__main__":
    run(test)
