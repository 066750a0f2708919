#!/usr/bin/env python3
"""Random policies and histories for `slatectl simulate`.

generate.py SEED FOLDER

Writes policy.conf, events.ndjson and until (the instant to simulate to). The oracle is run along with the history, so
that events can be put exactly on a due, a level or the end of a hold.
"""

import json
import random
import sys
from datetime import date, timedelta
from pathlib import Path

import oracle

ZONES = ["America/New_York", "America/Sao_Paulo", "America/St_Johns", "America/Los_Angeles", "Africa/Casablanca",
         "Europe/Berlin", "Europe/Dublin", "Asia/Kathmandu", "Asia/Tehran", "Australia/Lord_Howe", "Pacific/Apia",
         "Pacific/Chatham", "Asia/Beirut", "UTC", "UTC-08:00", "UTC+05:30"]
# Years whose clocks did something odd: Apia skipped 2011-12-30, Sao Paulo's midnights of 2018 do not all exist.
YEARS = [2026, 2026, 2026, 2026, 2026, 2025, 2018, 2011]
HOURS = ["09:00-17:00", "09:00-12:00, 13:00-17:00", "00:00-24:00", "03:00-04:30", "01:00-02:30", "02:00-12:00",
         "08:15-19:15", "07:00-10:00, 11:00-15:00", "18:00-24:00", "00:00-06:00, 22:00-24:00", "01:30-02:00"]
ELAPSED = ["45s", "15m", "1h", "1h0m30s", "90m", "2h", "4h30m", "8h", "24h"]
LEVELS = ["33%", "50%", "75%", "90%", "5m", "30m", "2h"]
SEVERITIES = ["critical", "high", "normal", "low"]
WORDS = ["critical", "S1", "severity 1", "S2", "high", "s3", "normal", "low", "S4"]
PLANS = ["gold", "silver", "bronze", "free"]
TEXTS = ["help", "please #escalate this", "#Escalate", "x\n  #escalate!", "> #escalate\nthanks", "see #escalate-me",
         "#escalated yesterday", "  > no\n#ESCALATE.", "a#escalate", "#escalate_ #escalate2"]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.year = self.pick(YEARS)
        self.calendar_names = []

    def pick(self, items):
        return self.random.choice(items)

    def chance(self, p):
        return self.random.random() < p

    def some(self, items, least, most):
        return self.random.sample(items, self.random.randint(least, min(most, len(items))))

    def a_date(self):
        return date(self.year, 1, 1) + timedelta(days=self.random.randrange(365))

    # The policy

    def weekly(self):
        hours = {"weekdays": self.pick(HOURS)}
        if self.chance(0.3):
            hours["weekend"] = self.pick(HOURS)
        if self.chance(0.1):
            hours = {"daily": self.pick(HOURS)}
        if self.chance(0.3):
            hours[self.pick(oracle.WEEKDAYS)] = self.pick(HOURS + [""])
        days = sorted({self.a_date().isoformat() for _ in range(self.random.randrange(6))})
        calendar = {"timezone": self.pick(ZONES), "hours": hours, "day_length": self.pick(["8h", "7h30m", "24h"]),
                    "holidays": ["01-01", "12-25"] + days}
        if self.chance(0.5):
            calendar["exceptions"] = [{"date": self.a_date().isoformat(), "hours": self.pick(HOURS + ["", "10:00-12:00"])}]
        return calendar

    def calendars(self):
        calendars = {f"cal{n}": self.weekly() for n in range(3)}
        if self.chance(0.5):
            calendars["sun"] = {"intersection": ["cal0", "cal1"], "day_length": "8h"}
            made = oracle.make_calendars(calendars)["sun"]
            # The least of three fortnights: a single exception may open it for a day.
            opens = min(sum(end - start for n in range(14) for start, end in made.day(date(self.year, month, 1) + timedelta(days=n)))
                        for month in (3, 6, 9))
            if self.chance(0.5) or opens < 8 * oracle.UNITS["h"]:  # fewer hold no target within the ten years of a search
                calendars["sun"]["union"] = calendars["sun"].pop("intersection")
            if self.chance(0.3):
                calendars["sun"]["timezone"] = self.pick(ZONES)
        self.calendar_names = list(calendars)
        return calendars

    def target(self, metric, severity):
        target = {"metric": metric}
        if severity:
            target["severity"] = severity
        kind = self.pick(["within", "within", "under"])
        form = self.pick(["elapsed", "elapsed", "days", "always"])
        if form == "always":
            target[kind], target["calendar"] = self.pick(ELAPSED + ["1d", "2d", "1d12h"]), "always"
        elif form == "elapsed":
            target[kind], target["calendar"] = self.pick(ELAPSED), self.pick(self.calendar_names)
        else:
            target[kind], target["calendar"] = f"{self.random.randint(1, 5)}bd", self.pick(self.calendar_names)
            target["business_day"] = self.pick(["hours", "same_time", "end_of_day"])
        if self.chance(0.8):
            target["at_risk"] = self.some(LEVELS, 1, 3)
        if self.chance(0.6) and (metric != "first_response" or self.chance(0.4)):
            target["pause_on"] = self.pick([["pending"], ["pending", "on_hold"]])
        if metric == "resolution":
            target["reopen"] = self.pick(["resume", "resume", "restart", "none"])
        if self.ladders and self.chance(0.4):
            target["escalation"] = self.pick(self.ladders)
        return target

    def policy(self, name):
        match = {"plan": name}
        if self.chance(0.4):
            match["channel"] = ["console", "email"]
        if self.chance(0.3):
            match["category"] = {"not": "billing"}
        if self.chance(0.3):
            match["version"] = self.pick([{"at_least": "2.10"}, {"at_most": "2.10"}, {"present": True}, "2.*"])
        if self.chance(0.15):
            match["severity"] = self.pick([["critical", "high"], {"not": "low"}, "normal"])
        if self.chance(0.1):
            match["status"] = self.pick(["open", {"not": "pending"}])
        if self.chance(0.15):
            match["attributes"] = {"licence": self.pick(["ent*", {"present": False}, {"not": "enterprise"}, "??????????"])}
        policy = {"name": name, "match": match, "on_change": self.pick(["pin", "follow", "better_of"])}
        if self.chance(0.1):
            policy[self.pick(["effective_from", "effective_until"])] = f"{self.a_date()}T00:00:00Z"
        targets = []
        for metric in oracle.METRICS:
            if self.chance(0.2):
                continue
            if self.chance(0.6):
                targets.append(self.target(metric, "critical"))
                targets.append(self.target(metric, ["high", "S3"]))
            if self.chance(0.7):
                targets.append(self.target(metric, None))
        if self.chance(0.05):
            targets = []
        policy["targets"] = tuple(targets)
        if self.ladders and self.chance(0.7):
            policy["escalation"] = self.pick(self.ladders)
        return policy

    def step(self):
        step = {"on": self.pick(["at_risk", "breached", "breached", "requested", "reassessed"])}
        if step["on"] == "at_risk" and self.chance(0.4):
            step["level"] = self.pick(["50%", "75%", "90%", "30m"])
        if self.chance(0.5):
            step["after"] = self.pick(["10s", "5m", "30m", "2h"])
        if self.chance(0.4):
            step["after_calendar"] = self.pick(self.calendar_names + ["always"])
        step["notify"] = self.some(["chat", "pager", "lead"], 1, 2)
        if self.chance(0.4):
            step["repeat_every"] = self.pick(["10m", "1h", "6h"])
            step["repeat_max"] = self.random.randint(1, 4)
            if self.chance(0.1):
                step.update(repeat_every="6h", repeat_max=0)
        if self.chance(0.4):
            step["until"] = self.pick(["ended", "acknowledged"])
        if self.chance(0.4):
            step["off_hours"] = self.pick(["defer", "defer", "skip", "other"])
            if self.chance(0.5):
                step["hours"] = self.pick(self.calendar_names + ["always"])
        return step

    def rules(self):
        rules = [
            {"on": ["opened", "severity_changed"], "match": {"category": "billing", "severity": "critical"}, "set": "high"},
            {"on": ["breached"], "match": {"plan": "gold"}, "set": "+1"},
            {"on": ["at_risk"], "match": {"plan": "silver"}, "set": "+1"},
            {"on": ["breached"], "match": {"channel": "phone"}, "set": "-1"},
            {"on": ["dispute"], "match": {"severity": {"not": "critical"}}, "set": "critical"},
            {"on": ["severity_changed"], "match": {"plan": "bronze", "severity": "low"}, "set": "normal"},
            {"on": ["opened"], "match": {"version": {"at_least": "2.10"}}, "set": "+1"},
        ]
        return [{"name": f"rule{n}", **rule, "reason": "x"} for n, rule in enumerate(self.some(rules, 0, 3))]

    def settings(self):
        severities = [("critical", ["S1", "Severity 1"]), ("high", ["S2"]), ("normal", ["S3"]), ("low", ["S4"])]
        settings = {"severities": tuple({"name": n, "aliases": a} for n, a in severities)}
        settings["calendars"] = self.calendars()
        self.ladders = ["ladder0", "ladder1", "ladder2"] if self.chance(0.7) else []
        policies = [self.policy(name) for name in PLANS[:3]]
        if self.chance(0.3):
            policies.append({**self.policy(self.pick(PLANS)), "name": "other"})
        if self.chance(0.8):
            policies.append({"name": "fallback", "match": {"plan": "*"}, "targets": (self.target("resolution", None),)})
        settings["policies"] = tuple(policies)
        if self.ladders:
            exec_channel = {"type": "exec", "command": ["/bin/true"]}
            settings["channels"] = {name: exec_channel for name in ("chat", "pager", "lead", "other")}
            settings["escalations"] = {
                name: tuple(self.step() for _ in range(self.random.randint(1, 4))) for name in self.ladders
            }
        settings["reassessments"] = tuple(self.rules())
        return settings

    # The history

    def opened(self):
        event = {"event": "opened", "plan": self.pick(PLANS), "severity": self.pick(WORDS)}
        if self.chance(0.8):
            event["channel"] = self.pick(["console", "email", "phone"])
        if self.chance(0.5):
            event["category"] = self.pick(["billing", "technical"])
        if self.chance(0.5):
            event["version"] = self.pick(["2.9", "2.10", "2.10.1", "3.0"])
        if self.chance(0.15):
            event["status"] = self.pick(["pending", "on_hold"])
        if self.chance(0.2):
            event["attributes"] = {"licence": self.pick(["enterprise", "Enterprise", "trial"])}
        return event

    def event(self):
        kind = self.pick(["reply"] * 7 + ["status"] * 6 + ["severity"] * 4 + ["changed"] * 2 + ["ack"] * 2
                         + ["dispute", "assessed"])
        event = {"event": kind}
        if kind == "reply":
            event["by"] = self.pick(["agent", "agent", "customer", "customer", "system"])
            if self.chance(0.7):
                event["public"] = self.chance(0.85)
            if event["by"] == "customer" and self.chance(0.6):
                event["text"] = self.pick(TEXTS)
        elif kind == "status":
            event["status"] = self.pick(["open"] * 4 + ["pending"] * 3 + ["on_hold"] * 2 + ["solved"] * 3)
            if self.chance(0.03):
                event["status"] = "closed"
        elif kind == "severity":
            event.update(severity=self.pick(WORDS), by=self.pick(["agent", "customer", "agent", "customer", "system"]), reason="x")
            if self.chance(0.05):
                event["severity"] = self.pick(["urgent", "S5", ""])
        elif kind == "changed":
            name, values = self.pick([("plan", PLANS), ("plan", PLANS), ("channel", ["console", "phone", None]),
                                      ("category", ["billing", "technical", None]), ("version", ["2.9", "3.0", None]),
                                      ("attributes", [{"licence": "enterprise"}, {"licence": None}])])
            event[name] = self.pick(values)
        elif kind == "ack":
            event["by"] = "x"
            if self.chance(0.6):
                event["for"] = self.pick(["15m", "2h", "8h"])
        else:
            event.update(by="customer", reason="x")
        if self.chance(0.01):
            event = self.pick([{"event": "merged", "into": "T-0"}, self.opened()])
        return event

    def instant_after(self, ticket):
        """Often an instant at which the ticket has something due, now and then the last event's own."""
        now = ticket.last_at
        if self.chance(0.08):
            return now
        timers = [at for c in ticket.live() if ticket.next_due(c) is not None for at in [c.due] + [x for _, x in c.levels()]]
        timers += [step.at for step in ticket.steps]
        timers += [at + hold for at, hold in ticket.acks if hold is not None]
        timers = [at for at in timers if at >= now]
        if timers and self.chance(0.25):
            return self.pick(timers)
        seconds = self.pick([lambda: self.random.randrange(60), lambda: self.random.randrange(7200),
                             lambda: self.random.randrange(20 * 3600), lambda: self.random.randrange(8 * 86400)])()
        return now + seconds * oracle.SECOND

    def history(self, config):
        lines = []
        for number in range(self.random.randint(1, 5)):
            ticket = oracle.Ticket(config, f"T-{number}", lambda *_: None)
            midnight = oracle.parse_instant(f"{self.a_date()}T00:00:00Z")
            at = midnight + self.random.randrange(86400) // 60 * 60 * oracle.SECOND + self.pick([0, 0, 250_000, 1])
            event = self.opened()
            for _ in range(self.random.randint(2, 16)):
                event = {"at": self.print_at(at), "ticket": ticket.name, **event}
                try:
                    ticket.take(event)
                except oracle.Refused:
                    pass
                lines.append((at, event))
                if ticket.last_at is None:
                    break
                if self.chance(0.01):
                    lines.append((at, self.unusable(event)))
                at, event = self.instant_after(ticket), self.event()
        lines.sort(key=lambda line: line[0])
        return lines

    def print_at(self, at):
        if self.chance(0.9):
            return oracle.print_instant(at)
        zone = oracle.parse_zone(self.pick(["UTC-03:30", "UTC+05:45"]))
        return oracle.from_instant(at).astimezone(zone).isoformat()

    def unusable(self, event):
        return self.pick([{**event, "event": "reopened"}, {**event, "at": "yesterday"}, {**event, "ticket": None}, "no event"])


# libconfig


def print_value(value, indent):
    inner = indent + "  "
    if isinstance(value, dict):
        body = "".join(f"{inner}{name} = {print_value(v, inner)};\n" for name, v in value.items())
        return "{\n" + body + indent + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(print_value(v, indent) for v in value) + ")"
    if isinstance(value, list):
        if value and isinstance(value[0], dict):
            return print_value(tuple(value), indent)
        return "[ " + ", ".join(print_value(v, indent) for v in value) + " ]"
    return json.dumps(value)


def generate(seed, folder):
    maker = Maker(seed)
    settings = maker.settings()
    text = "".join(f"{name} = {print_value(value, '')};\n" for name, value in settings.items())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policy.conf").write_text(text)
    config = oracle.Config(oracle.ConfigReader(text).group(None))
    lines = maker.history(config)
    (folder / "events.ndjson").write_text("".join(json.dumps(event) + "\n" for _, event in lines))
    until = max(at for at, _ in lines) + maker.random.randrange(1, 200) * oracle.UNITS["d"]
    (folder / "until").write_text(oracle.print_instant(until) + "\n")


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: generate.py SEED FOLDER")
    generate(int(sys.argv[1]), Path(sys.argv[2]))


if __name__ == "__main__":
    main()
