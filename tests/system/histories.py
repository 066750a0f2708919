#!/usr/bin/env python3
"""Random histories under random policies, in seconds: the daemon takes the same ladder steps, at the same instants and for
the same people, as `slatectl simulate` prints for the events that were recorded.

SLATED_SEED repeats a run's policies and histories; what the clocks of two runs say differs all the same.
"""
import datetime
import os
import random
import subprocess
import sys
import time

from harness import BUILD, HERE, Skip, literal, run, wait_until, webhook
from history import check

sys.path.append(str(HERE.parent / "sim"))
import generate  # pylint: disable=wrong-import-position

TICKETS = 240
PLANS = [f"plan{n}" for n in range(12)]
CALENDARS = ["blink0", "blink1", "blink2"]
# Openings come within so many seconds, the last event a little later.
OPENINGS, LENGTH = 6.0, 16.0
BUDGETS = ["1s", "2s", "3s", "4s", "6s"]
LEVELS = ["25%", "50%", "75%", "90%", "1s", "2s"]


class Maker(generate.Maker):
    """As generate.py, but in seconds. A calendar's week cannot close for a second, a feed's events can."""

    def calendars(self):
        self.calendar_names = list(CALENDARS)
        return {name: {"timezone": "UTC", "hours": {"daily": "00:00-24:00"}, "holiday_feeds": [f"{name}.ics"]}
                for name in CALENDARS}

    def feed(self, begin):
        """Closed again and again for some seconds, from before the run until after it."""
        lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//slated//histories//EN"]
        at = begin - datetime.timedelta(seconds=10)
        while at < begin + datetime.timedelta(seconds=90):
            end = at + datetime.timedelta(seconds=self.random.randint(1, 3))
            lines += ["BEGIN:VEVENT", f"UID:{at:%H%M%S}", f"DTSTART:{at:%Y%m%dT%H%M%SZ}", f"DTEND:{end:%Y%m%dT%H%M%SZ}",
                      "SUMMARY:closed", "END:VEVENT"]
            at = end + datetime.timedelta(seconds=self.random.randint(1, 3))
        return "\r\n".join(lines + ["END:VCALENDAR", ""])

    def target(self, metric, severity):
        target = {"metric": metric, self.pick(["within", "within", "under"]): self.pick(BUDGETS),
                  "calendar": self.pick(CALENDARS + ["always"] * 3)}
        if severity:
            target["severity"] = severity
        if self.chance(0.8):
            target["at_risk"] = self.some(LEVELS, 1, 3)
        if self.chance(0.5):
            target["pause_on"] = self.pick([["pending"], ["pending", "on_hold"]])
        if metric == "resolution":
            target["reopen"] = self.pick(["resume", "restart", "none"])
        if self.chance(0.3):
            target["escalation"] = self.pick(self.ladders)
        return target

    def policy(self, name):
        targets = []
        for metric, most in ("first_response", 1.0), ("next_response", 0.7), ("update", 0.5), ("resolution", 0.8), ("assessment", 0.8):
            if self.chance(most):
                targets += [self.target(metric, "critical")] * self.chance(0.5) + [self.target(metric, None)]
        if name == PLANS[2]:
            targets = []  # its requests belong to no clock
        return {"name": name, "match": {"plan": name}, "on_change": self.pick(["pin", "follow", "better_of"]),
                "escalation": self.ladders[PLANS.index(name)], "targets": tuple(targets)}

    def step(self):
        step = super().step()
        if "level" in step:
            step["level"] = self.pick(LEVELS)
        if "after" in step:
            step["after"] = self.pick(["1s", "1s", "2s", "3s"])
        if "repeat_every" in step:
            step["repeat_every"] = self.pick(["1s", "1s", "2s"])
        return step

    def ladder(self, number):
        """The first step of each is there so that no kind is missing."""
        first = {**self.step(), "on": ["at_risk", "breached", "requested", "reassessed"][number % 4],
                 "off_hours": ["other", "defer", "skip"][number % 3], "hours": self.pick(CALENDARS)}
        first.pop("level", None)
        return (first, *(self.step() for _ in range(self.random.randint(1, 4))))

    def rules(self):
        return [{"name": "opened", "on": ["opened"], "match": {"category": "billing", "severity": "critical"}, "set": "high",
                 "reason": "x"},
                {"name": "disputed", "on": ["dispute"], "match": {"plan": PLANS[0]}, "set": "+1", "reason": "x"},
                {"name": "breached", "on": ["breached"], "match": {"plan": PLANS[1]}, "set": "-1", "reason": "x"}]

    def config(self, channels):
        self.ladders = [f"ladder{n}" for n in range(len(PLANS))]
        severities = [("critical", ["S1"]), ("high", ["S2"]), ("low", ["S3"])]
        settings = {"severities": tuple({"name": n, "aliases": a} for n, a in severities),
                    "calendars": self.calendars(), "policies": tuple(self.policy(name) for name in PLANS),
                    "escalations": {name: self.ladder(n) for n, name in enumerate(self.ladders)},
                    "reassessments": tuple(self.rules())}
        return "".join(f"{name} = {generate.print_value(value, '')};\n" for name, value in settings.items()) + channels

    # One ticket's events as [(second, SQL)].

    def opening(self, name):
        values = {"external_id": name, "plan": self.pick(PLANS), "severity": self.pick(["critical", "S1", "high", "low"]),
                  "category": self.pick(["billing", "technical", None]), "status": self.pick(["open"] * 8 + ["pending"])}
        return f"INSERT INTO sla.ticket ({', '.join(values)}) VALUES ({', '.join(map(literal, values.values()))})"

    def act(self, ticket):
        reply = "INSERT INTO sla.reply (ticket_id, author, public, body) SELECT id, '{}', {}, '{}' FROM sla.ticket WHERE "
        update = "UPDATE sla.ticket SET {} = '{}' WHERE "
        by = "BEGIN; SET LOCAL sla.by = '{}'; " + update.format("severity", "{}") + ticket + "; COMMIT"
        kind = self.pick(["agent"] * 3 + ["customer"] * 2 + ["request"] * 4 + ["status"] * 6 + ["severity"] * 2
                         + ["system"] * 3 + ["plan", "ack", "ack", "hold", "hold", "dispute", "assessed"])
        severity = self.pick(["critical", "high", "low"])
        if kind in ("agent", "customer", "request"):
            return reply.format("agent" if kind == "agent" else "customer", self.pick(["true", "true", "true", "false"]),
                                "#escalate" if kind == "request" else "so?") + ticket
        if kind == "status":
            return update.format("status", self.pick(["open"] * 3 + ["pending"] * 3 + ["on_hold", "solved"])) + ticket
        if kind in ("severity", "system"):
            return by.format("agent" if kind == "severity" else "system", severity)
        if kind == "plan":
            return update.format("plan", self.pick(PLANS)) + ticket
        if kind in ("ack", "hold"):
            hold = "NULL" if kind == "ack" else f"interval '{self.pick([1, 2, 3])} s'"
            return f'INSERT INTO sla.ack (ticket_id, "for") SELECT id, {hold} FROM sla.ticket WHERE {ticket}'
        table = {"dispute": "dispute", "assessed": "assessment"}[kind]
        return f"INSERT INTO sla.{table} (ticket_id) SELECT id FROM sla.ticket WHERE {ticket}"

    def history(self, name):
        at = self.random.uniform(0, OPENINGS)
        ticket = f"source = 'native' AND external_id = '{name}'"
        events = [(at, self.opening(name))]
        while True:
            at += self.random.expovariate(0.4)
            if at > LENGTH:
                return events
            if self.chance(0.02):
                return events + [(at, f"UPDATE sla.ticket SET status = 'closed' WHERE {ticket}")]
            events.append((at, self.act(ticket)))


def write_feeds(bench, maker):
    begin = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    for name in CALENDARS:
        (bench.folder / f"{name}.ics").write_text(maker.feed(begin), newline="")


def check_config(path):
    done = subprocess.run([BUILD / "slatectl", "check", path], capture_output=True, text=True, check=False)
    if "configured --without-feeds" in done.stderr:
        raise Skip("a build without feeds")


def play(db, histories):
    """Does what is due as its time comes."""
    events = sorted(event for history in histories for event in history)
    begin = time.monotonic()
    done = 0
    while done < len(events):
        wait_until("the time of the next event", lambda: time.monotonic() - begin >= events[done][0])
        now = time.monotonic() - begin
        due = [sql for at, sql in events[done:] if at <= now]
        db.run(";\n".join(due))
        done += len(due)
    return done


def check_variety(bench):
    """That these histories ask of the ladders what they should."""
    steps = bench.db.rows("""SELECT ticket_id, metric, trigger, repeat, notify, (extract(epoch FROM at) * 1000000)::bigint AS at
        FROM sla.milestone WHERE milestone = 'escalated'""")
    triggers = [m["trigger"].split(":")[0] for m in steps]
    seen = {
        "steps": len(steps),
        "tickets with steps": len({m["ticket_id"] for m in steps}),
        "repeats": sum(m["repeat"] > 0 for m in steps),
        "of levels": sum(t[-1] in "%s" for t in triggers),
        "of breaches": triggers.count("breached"),
        "of requests": triggers.count("requested"),
        "of reassessments": triggers.count("reassessed"),
        "without a clock": sum(m["metric"] is None for m in steps),
        "for another channel off hours": sum(m["notify"] == ["other"] for m in steps),
        "put off to an opening": sum(m["at"] % 1000000 == 0 for m in steps),
    }
    bench.note(", ".join(f"{n} {what}" for what, n in seen.items()))
    bench.check(seen["tickets with steps"] >= 120, "histories: most tickets have ladder steps", seen)
    missing = [what for what, n in seen.items() if n == 0]
    bench.check(not missing, "histories: steps of every kind", missing)


def test(bench):
    seed = int(os.environ.get("SLATED_SEED") or random.SystemRandom().randrange(2**31))
    bench.note(f"SLATED_SEED={seed}")
    maker = Maker(seed)
    receiver = bench.receiver()
    channels = "".join(webhook(name, receiver.url()) for name in ("chat", "pager", "lead", "other"))
    text = maker.config(f"channels = {{ {channels} }};\n")
    histories = [maker.history(f"h{n}") for n in range(TICKETS)]
    write_feeds(bench, maker)
    path = bench.write_config(text)
    check_config(path)
    daemon = bench.daemon(path)
    bench.note(f"{play(bench.db, histories)} writes")
    bench.db.run("UPDATE sla.ticket SET status = 'closed' WHERE status <> 'closed'")
    bench.db.wait("NOT EXISTS (SELECT FROM sla.reassessment WHERE outcome IS NULL) AND NOT EXISTS (SELECT FROM sla.ticket t "
                  "LEFT JOIN sla.ticket_state s ON s.ticket_id = t.id WHERE s.applied_seq IS DISTINCT FROM t.event_seq)")
    bench.equal(bench.db.value("SELECT count(*) FROM sla.event WHERE refused IS NOT NULL"), 0, "histories: no event was refused")
    bench.db.wait("NOT EXISTS (SELECT FROM sla.delivery)")
    check(bench, receiver, path, "histories")
    check_variety(bench)
    bench.stopped(daemon)


if __name__ == "__main__":
    run(test)
