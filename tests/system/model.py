"""What the model says of a history in sla.event, by `slatectl simulate`, against what the daemon recorded.

A severity that a rule has set comes back as an event; the model's own rule has set it before that. Two things are the
daemon's to decide, and are accounted for:
- An event that reached it after a timer of the ticket which came later than the event's instant is `late`: it counts at
  that timer's instant, but after the timer. One of the timers that it can have been must explain all that followed.
- After downtime only the gravest of a clock's alerts sets a ladder going (model.md, section 8).
"""
import collections
import datetime
import json
import subprocess

from harness import BUILD, Failure, microseconds

ATTRIBUTES = ("org", "plan", "channel", "category", "product", "environment", "version", "assignee", "team")
EVENTS = """SELECT ticket_id, seq, kind, by, public, escalate, status, severity, reason, "into", changed, attributes, late,
	org, plan, channel, category, product, environment, version, assignee, team,
	(extract(epoch FROM at) * 1000000)::bigint AS at, extract(epoch FROM "for")::bigint AS hold
	FROM sla.event e WHERE refused IS NULL AND ticket_id > {above} AND NOT (kind = 'severity' AND by = 'system' AND EXISTS
	(SELECT FROM sla.reassessment r WHERE (r.ticket_id, r.at, r.severity) = (e.ticket_id, e.at, e.severity)))
	ORDER BY ticket_id, seq"""
MILESTONES = """SELECT id, ticket_id, metric, cycle, milestone, level, escalation, step, trigger, repeat, notify,
	by_reassessment, reason, policy, calendar, severity, late_by, (extract(epoch FROM at) * 1000000)::bigint AS at,
	(extract(epoch FROM due_at) * 1000000)::bigint AS due_at,
	(extract(epoch FROM recorded_at) * 1000000)::bigint AS recorded_at
	FROM sla.milestone WHERE ticket_id > {above} ORDER BY id"""
KEY = ("ticket", "metric", "cycle", "milestone", "level", "at", "due_at", "escalation", "step", "trigger", "repeat")
# late_by of a clock met; what is caught up with after downtime says how late it was recorded, which no model knows.
REST = ("policy", "calendar", "severity", "reason", "by_reassessment", "notify")


def instant(us):
    seconds, rest = divmod(us, 1000000)
    at = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{rest:06d}Z" if rest else "Z")


def line_of(event, at):
    """An event as a line for `slatectl simulate`."""
    line = {"at": instant(at), "ticket": str(event["ticket_id"]), "event": event["kind"]}
    for name in ("by", "status", "severity", "reason"):
        if event[name] is not None:
            line[name] = event[name]
    if event["kind"] == "opened":
        line |= {name: event[name] for name in ATTRIBUTES if event[name] is not None}
        line["attributes"] = event["attributes"]
    elif event["kind"] == "changed":
        line |= {name: event[name] for name in event["changed"]}
    elif event["kind"] == "reply":
        line["public"] = event["public"]
        if event["escalate"]:
            line["text"] = "#escalate"
    elif event["kind"] == "ack" and event["hold"] is not None:
        line["for"] = f"{event['hold']}s"
    elif event["kind"] == "merged":
        line["into"] = str(event["into"])
    return line


def simulate(config, timed, until):
    """The milestones of events, given as (instant, event)."""
    timed = sorted(timed, key=lambda pair: (pair[0], pair[1]["ticket_id"], pair[1]["seq"]))
    text = "".join(json.dumps(line_of(event, at)) + "\n" for at, event in timed)
    done = subprocess.run([BUILD / "slatectl", "simulate", "--config", config, "--until", instant(until)], input=text,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"slatectl simulate: {done.stderr}")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for m in found:
        m["at"] = microseconds(m["at"])
        if "due_at" in m:
            m["due_at"] = microseconds(m["due_at"])
    return found


def key_of(milestone):
    return tuple(milestone.get(name) for name in KEY)


def rest_of(milestone):
    return tuple(milestone.get(name) for name in REST)


class Comparison:
    """What was recorded against the model. `windows`: when no daemon worked, as (from, to) in microseconds. `above`: leaves
    out the tickets up to this one."""

    def __init__(self, db, config, until, windows=(), above=0):
        self.config, self.until, self.windows = config, until, windows
        self.recorded = db.rows(MILESTONES.format(above=above))
        for m in self.recorded:
            m["ticket"] = str(m["ticket_id"])
        self.events = collections.defaultdict(list)
        for event in db.rows(EVENTS.format(above=above)):
            self.events[str(event["ticket_id"])].append(event)
        self.of_ticket = collections.defaultdict(list)
        for m in self.recorded:
            self.of_ticket[m["ticket"]].append(m)
        self.superseded = 0
        self.late = sum(event["late"] for events in self.events.values() for event in events)
        self.problems = []
        self.differing = []
        self.expected = self.compare()

    def compare(self):
        """All that the model expects, ticket by ticket; fills in what differs."""
        plain = {t: [(e["at"], e) for e in events] for t, events in self.events.items()
                 if not any(e["late"] for e in events)}
        whole = simulate(self.config, [pair for timed in plain.values() for pair in timed], self.until)
        of_ticket = collections.defaultdict(list)
        for m in whole:
            of_ticket[m["ticket"]].append(m)
        expected = []
        for ticket in self.events:
            if ticket in plain:
                found, differences = of_ticket[ticket], self.differences(ticket, of_ticket[ticket])
            else:
                found, differences = self.explain(ticket)
            expected += found
            if differences:
                self.differing.append(ticket)
            self.problems += differences
        return expected

    def explain(self, ticket):
        """Tries the timers that each late event of a ticket can have come after."""
        timed = []
        best = None
        for event in self.events[ticket]:
            timed.append((event["at"], event))
        late = [i for i, (_, event) in enumerate(timed) if event["late"]]
        tries = [[]]
        for i in late:
            # After a timer means a microsecond after it, which differences() forgives; at the same instant where that
            # microsecond would part dues which are equal, and one more for what a late event before it has put off.
            instants = sorted({m["at"] for m in self.of_ticket[ticket] if m["at"] >= timed[i][0]})
            floor = max((at for at, _ in timed[:i]), default=0)
            tries = [chosen + [max(at, floor) + after] for chosen in tries for at in instants + [floor]
                     for after in sorted(range(len(late) + 1), key=lambda n: (n != 1, n))][:2000]
        for chosen in tries:
            shifted = list(timed)
            for i, at in zip(late, chosen):
                shifted[i] = (at, timed[i][1])
            ascending = all(a[0] <= b[0] for a, b in zip(shifted, shifted[1:]))
            if not ascending:
                continue
            found = simulate(self.config, shifted, self.until)
            differences = self.differences(ticket, found, slack=len(late))
            if not differences:
                return found, []
            if best is None or len(differences) < len(best[1]):
                best = found, differences
        return best or ([], [f"ticket {ticket}: no timer explains its late events"])

    def differences(self, ticket, found, slack=0):
        got = self.of_ticket[ticket]
        problems = []
        left = list(found)
        for m in got:
            match = next((e for e in left if self.same(m, e, slack)), None)
            if match is None:
                problems.append(f"recorded, but not in the model: {self.describe(m)}")
            else:
                left.remove(match)
        for m in left:
            if self.is_superseded(m):
                self.superseded += slack == 0
            else:
                problems.append(f"in the model, but not recorded: {self.describe(m)}")
        return problems

    @staticmethod
    def same(a, b, slack):
        if slack == 0:
            return key_of(a) == key_of(b) and rest_of(a) == rest_of(b)
        near = all((a.get(n) is None) == (b.get(n) is None) and abs((a.get(n) or 0) - (b.get(n) or 0)) <= slack
                   for n in ("at", "due_at"))
        equal = all(a.get(n) == b.get(n) for n in KEY if n not in ("at", "due_at"))
        return near and equal and rest_of(a) == rest_of(b)

    def is_superseded(self, step):
        """Whether a step that the model has was rightly left out: after downtime a graver alert of its clock, in the
        same stretch between two events, had taken its place."""
        if step["milestone"] != "escalated":
            return False
        clock = [m for m in self.of_ticket[step["ticket"]]
                 if (m["metric"], m["cycle"]) == (step.get("metric"), step.get("cycle"))]
        own = next((m["at"] for m in clock if m["milestone"] == "at_risk" and m["level"] == step["trigger"]), None)
        graver = [m for m in clock if own is not None and m["at"] >= own and
                  (m["milestone"] == "breached" or m["milestone"] == "at_risk" and m["level"] != step["trigger"])]
        events = [e["at"] for e in self.events[step["ticket"]]]
        for start, end in self.windows:
            for m in graver:
                begin = min(own if m["milestone"] == "at_risk" else step["at"], step["at"])
                if start <= begin and begin <= m["at"] <= end and not any(begin < at <= m["at"] for at in events):
                    return True
        return False

    def tell_history(self, bench, ticket):
        bench.note(f"ticket {ticket}:")
        for event in self.events[ticket]:
            bench.note(f"  {instant(event['at'])} event {event['seq']}{' late' if event['late'] else ''} "
                       + json.dumps(line_of(event, event["at"])))
        for m in self.of_ticket[ticket]:
            bench.note(f"  {instant(m['recorded_at'])} recorded {self.describe(m)}")

    @staticmethod
    def describe(m):
        named = {name: m.get(name) for name in KEY + REST if m.get(name) is not None}
        named["at"] = instant(m["at"])
        if m.get("due_at") is not None:
            named["due_at"] = instant(m["due_at"])
        return json.dumps(named)

    def check(self, bench, what):
        bench.note(f"{len(self.recorded)} milestones, {self.late} late events, "
                   f"{self.superseded} ladder steps superseded after downtime")
        twice = [k for k, n in collections.Counter(key_of(m) for m in self.recorded
                                                   if m["milestone"] not in ("paused", "resumed", "retargeted")).items() if n > 1]
        bench.check(not twice, f"{what}: nothing recorded twice", twice[:3])
        bench.check(not self.problems, f"{what}: just the milestones that slatectl simulate prints",
                    "\n  ".join([f"{len(self.problems)} differences", *self.problems[:12]]))
        for ticket in self.differing[:2]:
            self.tell_history(bench, ticket)
        early = [self.describe(m) for m in self.recorded if m["recorded_at"] < m["at"]]
        bench.check(not early, f"{what}: none recorded before its instant", early[:3])
