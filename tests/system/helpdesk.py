"""What the tests of adapters share: what a helpdesk's tickets should come to, found without any adapter.

A test says what happened to its tickets, as events of doc/model.md, section 10. `slatectl simulate` tells what milestones
follow from that, and these are what the daemon must have recorded for the tickets that an adapter took over.
"""
import datetime
import json
import subprocess

from harness import BUILD, SOON, Failure, microseconds, wait_until

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
FIELDS = ("at", "metric", "cycle", "milestone", "level", "due_at", "policy", "calendar", "severity", "late_by", "reason",
          "by_reassessment", "escalation", "step", "trigger", "repeat", "notify")
RECORDED = """SELECT t.external_id AS ticket, m.* FROM sla.milestone m JOIN sla.ticket t ON t.id = m.ticket_id
    WHERE t.source = {source} AND m.at <= {until} ORDER BY m.at, m.id"""

# What customers were promised, for str.format().
AGREEMENTS = """
policies = (
    {{ name = "gold"; match = {{ plan = "gold"; }}; escalation = "alerts"; targets = (
        {{ metric = "first_response"; severity = "critical"; within = "20m"; at_risk = [ "50%" ]; }},
        {{ metric = "first_response"; within = "1h"; at_risk = [ "75%", "10m" ]; pause_on = [ "on_hold" ]; }},
        {{ metric = "next_response"; within = "45m"; at_risk = [ "50%" ]; pause_on = [ "pending" ]; }},
        {{ metric = "update"; within = "2h"; pause_on = [ "pending" ]; }},
        {{ metric = "resolution"; within = "6h"; at_risk = [ "75%" ]; pause_on = [ "pending" ];
          reopen = "restart"; }} ); }},
    {{ name = "silver"; match = {{ plan = "silver"; }}; on_change = "follow"; targets = (
        {{ metric = "first_response"; within = "90m"; }},
        {{ metric = "resolution"; within = "30h"; at_risk = [ "50%" ]; pause_on = [ "pending" ]; }} ); }}
);
escalations = {{ alerts = ( {{ on = "breached"; notify = [ "ops" ]; }}, {{ on = "requested"; notify = [ "ops" ]; }} ); }};
channels = {{ {channels} }};
"""


def rfc3339(us):
    """Microseconds since 1970 as slatectl and PostgreSQL read them."""
    return (EPOCH + datetime.timedelta(microseconds=us)).isoformat()


def facts(**given):
    """An event's facts: those that are not empty."""
    return {name: value for name, value in given.items() if value is not None}


class Ticket:
    """What should be known of one ticket: its events, in order, with their instants in microseconds."""

    def __init__(self, name):
        self.name = name
        self.events = []

    def add(self, at, event, **fields):
        self.events.append((at, {"event": event, **fields}))


class Clock:
    """When a scripted step happens: at an instant long gone, or now, to whole `grain` microseconds."""

    STEP = 1_043_456_000
    BETWEEN = 660_000_000
    APART = 100_000

    def __init__(self, db, grain):
        self.db, self.grain = db, grain
        self.live = False
        self.last = {}
        self.begin = self.round(self.now() - 4 * 86_400_000_000)

    def now(self):
        return microseconds(self.db.value("SELECT clock_timestamp()"))

    def round(self, us):
        return us - us % self.grain

    def at(self, ticket, step):
        """The instant of a ticket's step, by their numbers."""
        if self.live:
            wait_until("some time after the ticket's last step", lambda: self.now() > self.last.get(ticket, 0) + self.APART)
            self.last[ticket] = self.now()
            return self.round(self.last[ticket])
        return self.round(self.begin + ticket * self.BETWEEN + step * self.STEP)


def play(tickets, left):
    """Does each ticket's next step (`todo` has them), round by round, until `left(number)` of its steps are left."""
    while any(len(ticket.todo) > left(ticket.number) for ticket in tickets):
        for ticket in tickets:
            if len(ticket.todo) > left(ticket.number):
                ticket.todo.pop(0)()


def taken_over(bench):
    """That nothing was left out on the way."""
    bench.equal(bench.db.rows("SELECT adapter, key, message FROM sla.adapter_error"), [], "no problem was noted")


def product(bench, name):
    """A database of a product's own role, and a session of that role in it. The daemon comes to it as role slated."""
    if bench.db.value("SELECT to_regrole('slated')") is None:
        bench.db.run("CREATE ROLE slated LOGIN")
    bench.db.run(f"CREATE ROLE {name} LOGIN")
    bench.db.run(f"CREATE DATABASE {name} OWNER {name}")
    bench.db.run(f"GRANT SET ON PARAMETER session_replication_role TO {name}")
    return bench.session(name, database=name)


def attach(bench, kind, name, config):
    """Attaches as a superuser, who need not be the daemon's role."""
    return slatectl(bench, "attach", kind, "--name", name, "--config", config, "--source-db",
                    bench.server.conninfo(database=kind))


def detach(bench, kind, name, config):
    slatectl(bench, "detach", name, "--config", config, "--source-db", bench.server.conninfo(database=kind))


def refused(bench, kind, name, config, source, wrong, told):
    """Checks that attach refuses a configuration with this in place of that, says why, and leaves nothing behind."""
    before = objects(source)
    path = bench.folder / "wrong.conf"
    path.write_text(config.read_text().replace(*wrong))
    done = subprocess.run([BUILD / "slatectl", "attach", kind, "--name", name, "--config", path, "--source-db",
                           bench.server.conninfo(database=kind)], capture_output=True, text=True, check=False)
    bench.check(done.returncode == 1 and told in done.stderr, f"attach refuses {wrong[1]}", done.stderr)
    bench.equal(objects(source), before, "and leaves nothing behind")


def expect_gone(bench, source, ticket):
    """Waits until the adapter has closed a deleted ticket, and expects that, at the instant when it found it so."""
    query = f"""SELECT e.at FROM sla.event e JOIN sla.ticket t ON t.id = e.ticket_id WHERE t.source = '{source}'
        AND t.external_id = '{ticket.name}' AND e.kind = 'status' AND e.status = 'closed'"""
    ticket.add(microseconds(wait_until("the deleted ticket is closed", lambda: bench.db.value(query))),
               "status", status="closed")


def plain(milestone):
    """A milestone as one line, so that those of the model and of the database compare."""
    kept = {name: milestone[name] for name in FIELDS if milestone.get(name) not in (None, False)}
    for name in "at", "due_at":
        if name in kept:
            kept[name] = rfc3339(microseconds(kept[name]))
    if "late_by" in kept:
        kept["late_by"] = round(float(kept["late_by"]), 6)
    return json.dumps(kept)


def by_ticket(milestones):
    found = {}
    for milestone in milestones:
        found.setdefault(milestone["ticket"], []).append(plain(milestone))
    return {name: sorted(lines) for name, lines in found.items()}


def simulate(config, tickets, until):
    """The milestones of the model, as {ticket: [line]}."""
    events = sorted(((at, n, {"at": rfc3339(at), "ticket": ticket.name, **event})
                     for n, ticket in enumerate(tickets) for at, event in ticket.events), key=lambda e: e[:2])
    text = "".join(json.dumps(event) + "\n" for _, _, event in events)
    done = subprocess.run([BUILD / "slatectl", "simulate", "--config", config, "--until", rfc3339(until)], input=text,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"slatectl simulate: {done.stderr}")
    return by_ticket(json.loads(line) for line in done.stdout.splitlines())


def slatectl(bench, *arguments):
    """Runs slatectl, which must succeed, and returns what it prints."""
    done = subprocess.run([BUILD / "slatectl", *arguments], capture_output=True, text=True, check=False)
    bench.check(done.returncode == 0, f"slatectl {' '.join(map(str, arguments[:2]))}", done.stderr)
    return done.stdout


def objects(db):
    """All that an adapter could leave behind in a database."""
    return db.rows("""SELECT 'relation' AS kind, oid::regclass::text AS name FROM pg_class
            WHERE relnamespace::regnamespace::text NOT LIKE 'pg_%'
        UNION ALL SELECT 'function', oid::regprocedure::text FROM pg_proc WHERE pronamespace::regnamespace::text NOT LIKE 'pg_%'
        UNION ALL SELECT 'schema', nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg_%'
        UNION ALL SELECT 'trigger', tgrelid::regclass || ': ' || tgname FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT 'role', rolname FROM pg_roles UNION ALL SELECT 'extension', extname FROM pg_extension ORDER BY 1, 2""")


def compare(bench, config, source, tickets, what, deadline=SOON):
    """Checks that the daemon comes to record what the model says of these tickets up to now, and nothing else."""
    until = microseconds(bench.db.value("SELECT clock_timestamp()"))
    wanted = simulate(config, tickets, until)

    def recorded():
        return by_ticket(bench.db.rows(RECORDED.format(source=f"'{source}'", until=f"'{rfc3339(until)}'")))

    try:
        wait_until("the milestones of the model", lambda: recorded() == wanted, deadline)
    except Failure:
        pass  # told below, ticket by ticket
    got = recorded()
    wrong = [name for name in {**wanted, **got} if wanted.get(name) != got.get(name)]
    count = sum(len(lines) for lines in wanted.values())
    bench.check(not wrong, f"{what}: the model's {count} milestones of {len(wanted)} tickets, and no others",
                f"tickets {', '.join(wrong)} differ")
    for name in wrong[:3]:
        for sign, one, other in ("-", wanted, got), ("+", got, wanted):
            for line in one.get(name, []):
                if line not in other.get(name, []):
                    bench.note(f"ticket {name}: {sign} {line}")
    return not wrong
