#!/usr/bin/env python3
"""A second implementation of doc/model.md, written from that page alone and for clarity, not speed.

oracle.py POLICY [--until INSTANT] < events.ndjson

Prints what `slatectl simulate` prints. Every ticket is walked by itself; calendars are generated day by day.
"""

import argparse
import json
import re
import sys
from bisect import bisect_right
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

SECOND = 1_000_000
UNITS = {"d": 86400 * SECOND, "h": 3600 * SECOND, "m": 60 * SECOND, "s": SECOND}
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
METRICS = ["first_response", "next_response", "update", "resolution", "assessment"]
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
STATUSES = ["open", "pending", "on_hold", "solved", "closed"]
ATTRIBUTES = ["org", "plan", "channel", "category", "product", "environment", "version", "assignee", "team"]
SEARCH_DAYS = 3660


class Refused(Exception):
    """A line of input that cannot be used."""


# 1 Instants and durations


def parse_instant(text):
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError("an instant without an offset: " + text)
    return to_instant(moment)


def to_instant(moment):
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_instant(instant):
    return EPOCH + timedelta(microseconds=instant)


def print_instant(instant):
    moment = from_instant(instant)
    fraction = f".{moment.microsecond:06}" if moment.microsecond else ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


def parse_duration(text):
    match = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text)
    if not match or not text:
        raise ValueError("not a duration: " + text)
    return sum(int(n) * UNITS[unit] for n, unit in zip(match.groups(), "dhms") if n)


# The subset of libconfig that policies use

TOKEN = re.compile(r'\s+|#[^\n]*|//[^\n]*|/\*.*?\*/|("(?:[^"\\]|\\.)*"|[-+]?\d+|[A-Za-z*][\w*-]*|[{}()\[\]=:;,])', re.S)


class ConfigReader:
    def __init__(self, text):
        self.tokens = [m.group(1) for m in TOKEN.finditer(text) if m.group(1)]
        self.at = 0

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def group(self, end):
        settings = {}
        while self.peek() != end:
            name = self.take()
            self.take()  # = or :
            settings[name] = self.value()
            while self.peek() in (";", ","):
                self.take()
        if end:
            self.take()
        return settings

    def sequence(self, end):
        items = []
        while self.peek() != end:
            items.append(self.value())
            if self.peek() == ",":
                self.take()
        self.take()
        return items

    def value(self):
        token = self.take()
        if token == "{":
            return self.group("}")
        if token in "([":
            return self.sequence(")" if token == "(" else "]")
        if token.startswith('"'):
            text = json.loads(token)
            while (self.peek() or "").startswith('"'):
                text += json.loads(self.take())
            return text
        if token.lower() in ("true", "false"):
            return token.lower() == "true"
        return int(token)


def as_list(value):
    return value if isinstance(value, list) else [value]


# 2 Calendars


def parse_zone(name):
    fixed = re.fullmatch(r"UTC([+-])(\d\d):(\d\d)", name)
    if not fixed:
        return ZoneInfo(name)
    offset = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
    return timezone(offset if fixed[1] == "+" else -offset)


def parse_hours(text):
    intervals = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        h1, m1, h2, m2 = map(int, re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", part).groups())
        intervals.append(((h1 * 60 + m1) * UNITS["m"], (h2 * 60 + m2) * UNITS["m"]))
    return sorted(intervals)


def local_to_instants(zone, naive):
    """The instants of a local time, earliest and latest; a time in a gap is the transition, twice."""
    first, second = (naive.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    a, b = to_instant(first.astimezone(timezone.utc)), to_instant(second.astimezone(timezone.utc))
    if a <= b:
        return a, b
    low, high = b, a  # the transition lies in (low, high]
    before = from_instant(low).astimezone(zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if from_instant(middle).astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high, high


def merge(intervals):
    merged = []
    for a, b in sorted(i for i in intervals if i[0] < i[1]):
        if merged and a <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(b, merged[-1][1]))
        else:
            merged.append((a, b))
    return merged


def intersect(xs, ys):
    return merge((max(a, c), min(b, d)) for a, b in xs for c, d in ys if a < d and c < b)


class Calendar:
    """Open intervals, generated for whole local dates around the window asked for."""

    def __init__(self, name, zone, day_length):
        self.name, self.zone, self.day_length = name, zone, day_length
        self.cache = {}

    def day_bounds(self, day):
        midnight = datetime(day.year, day.month, day.day)
        return local_to_instants(self.zone, midnight)[0], local_to_instants(self.zone, midnight + timedelta(days=1))[0]

    def local_date(self, instant):
        return from_instant(instant).astimezone(self.zone).date()

    def window(self, first, last):
        """The merged open intervals that touch [first, last); their outer ends may be cut at a date."""
        raise NotImplementedError

    def day(self, day):
        """The open intervals of one local date, cut at its midnights."""
        if day not in self.cache:
            start, end = self.day_bounds(day)
            self.cache[day] = intersect(self.window(start, end), [(start, end)]) if start < end else []
        return self.cache[day]

    def spans_from(self, instant):
        """The open intervals from `instant` on, date by date."""
        day = self.local_date(instant) - timedelta(days=1)
        for _ in range(SEARCH_DAYS):
            for a, b in self.day(day):
                if b > instant:
                    yield max(a, instant), b
            day += timedelta(days=1)
        raise ValueError(f"calendar {self.name} does not open within ten years")

    def is_open(self, instant):
        return self.next_open(instant) == instant

    def next_open(self, instant):
        return next(self.spans_from(instant))[0]

    def between(self, a, b):
        total = 0
        if a < b:
            for start, end in self.spans_from(a):
                if start >= b:
                    break
                total += min(end, b) - start
        return total

    def add(self, instant, duration):
        for start, end in self.spans_from(instant):
            if end - start >= duration:
                return start + duration
            duration -= end - start


class Always(Calendar):
    def __init__(self):
        super().__init__("always", timezone.utc, None)

    def next_open(self, instant):
        return instant

    def window(self, first, last):
        return [(first, last)]

    def between(self, a, b):
        return max(0, b - a)

    def add(self, instant, duration):
        return instant + duration


class Weekly(Calendar):
    def __init__(self, name, settings):
        length = settings.get("day_length")
        super().__init__(name, parse_zone(settings["timezone"]), length and parse_duration(length))
        hours = settings.get("hours", {})
        self.week = []
        for number, weekday in enumerate(WEEKDAYS):
            part = "weekdays" if number < 5 else "weekend"
            self.week.append(parse_hours(hours.get(weekday, hours.get(part, hours.get("daily", "")))))
        self.holidays = set(settings.get("holidays", []))
        self.exceptions = {e["date"]: parse_hours(e["hours"]) for e in settings.get("exceptions", [])}
        self.pieces = {}

    def hours_of(self, day):
        text = day.isoformat()
        if text in self.exceptions:
            return self.exceptions[text]
        if text in self.holidays or text[5:] in self.holidays:
            return []
        return self.week[day.weekday()]

    def piece(self, day):
        if day not in self.pieces:
            midnight = datetime(day.year, day.month, day.day)
            self.pieces[day] = [
                (local_to_instants(self.zone, midnight + timedelta(microseconds=a))[0],
                 local_to_instants(self.zone, midnight + timedelta(microseconds=b))[1])
                for a, b in self.hours_of(day)
            ]
        return self.pieces[day]

    def window(self, first, last):
        day, found = self.local_date(first) - timedelta(days=1), []
        while day <= self.local_date(last) + timedelta(days=1):
            found += self.piece(day)
            day += timedelta(days=1)
        return [i for i in merge(found) if i[0] < last and first < i[1]]


class Combined(Calendar):
    def __init__(self, name, settings, parts):
        zone = parse_zone(settings["timezone"]) if "timezone" in settings else parts[0].zone
        length = settings.get("day_length")
        super().__init__(name, zone, length and parse_duration(length))
        self.parts, self.union = parts, "union" in settings

    def window(self, first, last):
        windows = [part.window(first, last) for part in self.parts]
        if self.union:
            return merge(i for w in windows for i in w)
        result = windows[0]
        for other in windows[1:]:
            result = intersect(result, other)
        return result


def make_calendars(settings):
    calendars = {"always": Always()}

    def make(name):
        if name not in calendars:
            group = settings[name]
            parts = group.get("union") or group.get("intersection")
            calendars[name] = Combined(name, group, [make(p) for p in parts]) if parts else Weekly(name, group)
        return calendars[name]

    for name in settings:
        make(name)
    return calendars


# 3 Targets and 4 policies


class Target:
    def __init__(self, config, policy, settings):
        self.metric = settings["metric"]
        severities = settings.get("severity")
        self.severities = None if severities is None else [config.severity(s) for s in as_list(severities)]
        self.under = "under" in settings
        self.text = settings["under"] if self.under else settings["within"]
        self.calendar = config.calendars[settings.get("calendar", "always")]
        self.business_day = settings.get("business_day")
        self.levels = settings.get("at_risk", [])
        self.pause_on = as_list(settings.get("pause_on", []))
        self.reopen = settings.get("reopen", "resume")
        self.escalation = settings.get("escalation", policy.escalation)

    def find_due(self, start):
        days = re.fullmatch(r"(\d+)bd", self.text)
        if not days:
            return self.calendar.add(start, parse_duration(self.text))
        count = int(days[1])
        if self.business_day == "hours":
            return self.calendar.add(start, count * self.calendar.day_length)
        opening = self.calendar.next_open(start)
        day = self.calendar.local_date(opening)
        while count:
            day += timedelta(days=1)
            count -= bool(self.calendar.day(day))
        spans = self.calendar.day(day)
        if self.business_day == "end_of_day":
            return spans[-1][1]
        time = from_instant(opening).astimezone(self.calendar.zone).time()
        wanted = local_to_instants(self.calendar.zone, datetime.combine(day, time.replace(fold=0)))[0]
        if any(a <= wanted < b for a, b in spans):
            return wanted
        return max((b for _, b in spans if b <= wanted), default=spans[0][0])

    def thresholds(self, budget):
        """(level as written, open time consumed when it comes) for the levels inside the budget, in order."""
        found = []
        for text in self.levels:
            if text.endswith("%"):
                consumed = budget * int(text[:-1]) // 100
            else:
                consumed = budget - parse_duration(text)
            if 0 < consumed < budget:
                found.append((text, consumed))
        return sorted(found, key=lambda level: level[1])


def glob_matches(pattern, text):
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), text, re.I | re.S) is not None


def version_key(text):
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.findall(r"\d+|[A-Za-z]+", text)]


class Policy:
    def __init__(self, config, settings):
        self.name = settings["name"]
        self.match = settings.get("match", {})
        self.since = parse_instant(settings.get("effective_from", "0001-01-02T00:00:00Z"))
        self.before = parse_instant(settings.get("effective_until", "9999-01-01T00:00:00Z"))
        self.on_change = settings.get("on_change", "pin")
        self.escalation = settings.get("escalation")
        self.targets = [Target(config, self, t) for t in settings.get("targets", [])]

    def target(self, metric, severity):
        for target in self.targets:
            if target.metric == metric and (target.severities is None or severity in target.severities):
                return target
        return None


class Config:
    def __init__(self, settings):
        self.severities = [s["name"] for s in settings.get("severities", [])]
        self.aliases = {}
        for severity in settings.get("severities", []):
            for word in [severity["name"], *severity.get("aliases", [])]:
                self.aliases[word.lower()] = severity["name"]
        self.calendars = make_calendars(settings.get("calendars", {}))
        self.policies = [Policy(self, p) for p in settings.get("policies", [])]
        self.ladders = settings.get("escalations", {})
        self.rules = settings.get("reassessments", [])

    def severity(self, word):
        if not isinstance(word, str) or word.lower() not in self.aliases:
            raise Refused(f"unknown severity {word!r}")
        return self.aliases[word.lower()]

    def matches(self, match, facts):
        return all(self.matches_one(name, wanted, facts) for name, wanted in match.items())

    def matches_one(self, name, wanted, facts):
        have = facts.get(name)
        if name == "attributes":
            return self.matches(wanted, have or {})
        if not isinstance(wanted, dict):
            if name == "severity":
                return have in [self.severity(w) if w.lower() in self.aliases else w for w in as_list(wanted)]
            return have is not None and any(glob_matches(w, have) for w in as_list(wanted))
        for key, value in wanted.items():
            if key == "present":
                holds = (have is not None) == value
            elif key == "not":
                holds = not self.matches_one(name, value, facts)
            elif have is None:
                holds = False
            elif key == "at_least":
                holds = version_key(have) >= version_key(value)
            else:
                holds = version_key(have) <= version_key(value)
            if not holds:
                return False
        return True

    def policy_for(self, facts, opened_at):
        for policy in self.policies:
            if policy.since <= opened_at < policy.before and self.matches(policy.match, facts):
                return policy
        return None


# 5 to 7 Clocks


class Clock:
    """One metric of a ticket in one cycle.

    `spans` are the active spans, `active_since` the start of the unfinished one (None while paused). `due` is None
    while the clock is paused and where it started breached."""

    def __init__(self, metric, cycle, policy, target, start):
        self.metric, self.cycle, self.start = metric, cycle, start
        self.policy, self.target = policy, target
        self.carry = 0
        self.spans, self.active_since = [], start
        self.fired = set()
        self.breached = self.ended = False
        self.due = None
        self.measure(target)

    @property
    def paused(self):
        return not self.ended and not self.breached and self.active_since is None

    def measure(self, target):
        self.found_due = target.find_due(self.start)
        self.budget = target.calendar.between(self.start, self.found_due)

    def consumed(self, now):
        """Open time used up to `now`, on the clock's calendar."""
        spans = self.spans + ([(self.active_since, now)] if self.active_since is not None else [])
        return self.carry + sum(self.target.calendar.between(a, b) for a, b in spans)

    def reach(self, amount):
        """When the consumed time comes to `amount`: an instant, or None while the clock is paused before it."""
        left = amount - self.carry
        if left <= 0:
            return self.start
        for a, b in self.spans:
            used = self.target.calendar.between(a, b)
            if used >= left:
                return self.target.calendar.add(a, left)
            left -= used
        return None if self.active_since is None else self.target.calendar.add(self.active_since, left)

    def natural_due(self):
        """The due of a clock by its budget; a clock that was never paused keeps the instant found at its start."""
        if not self.spans and self.active_since == self.start and not self.carry:
            return self.found_due
        return self.reach(self.budget)

    def levels(self):
        """(level, instant or None) for the levels that have not fired, in order."""
        return [(t, self.reach(c)) for t, c in self.target.thresholds(self.budget) if t not in self.fired]

    def over(self, instant, now):
        """Whether a level has passed at `now`; at the very instant this depends on within or under.

        Only what is carried over brings one to the clock's start, and that has passed."""
        return instant is not None and (instant < now or instant == now and (self.target.under or now == self.start))

    def stop_running(self, now):
        if self.active_since is not None:
            self.spans.append((self.active_since, now))
            self.active_since = None


class Step:
    """A step of a ladder set going by one trigger; `at` is when it fires next."""

    def __init__(self, clock, ladder, number, settings, trigger, trigger_at):
        self.clock, self.ladder, self.number, self.settings = clock, ladder, number, settings
        self.trigger, self.trigger_at = trigger, trigger_at
        self.repeat = 0
        self.at = trigger_at


class Ticket:
    def __init__(self, config, name, emit):
        self.config, self.name, self.emit_line = config, name, emit
        self.facts, self.status = {}, None
        self.policy = None
        self.clocks = []
        self.steps = []
        self.acks = []
        self.requests = self.reassessed = 0
        self.last_at = None
        self.calls = []
        self.sequence = 0

    # Output

    def emit(self, now, clock, milestone, **fields):
        line = {"at": print_instant(now), "ticket": self.name, "metric": clock.metric, "cycle": clock.cycle}
        line["milestone"] = milestone
        line["policy"], line["calendar"] = clock.policy.name, clock.target.calendar.name
        line["severity"] = self.facts["severity"]
        shows_due = milestone in ("started", "resumed", "retargeted", "at_risk", "breached", "met")
        if shows_due and clock.due is not None:
            line["due_at"] = print_instant(clock.due)
            if milestone == "met" and now > clock.due:
                late = (now - clock.due) / SECOND
                line["late_by"] = int(late) if late == int(late) else late
        line.update(fields)
        self.emit_line(now, line)

    # Clocks

    def live(self, metric=None):
        """Clocks that have not ended, in metric order."""
        found = [c for c in self.clocks if not c.ended and metric in (None, c.metric)]
        return sorted(found, key=lambda c: METRICS.index(c.metric))

    def start(self, now, metric, reopening=False):
        policy = self.policy
        target = policy and policy.target(metric, self.facts["severity"])
        if not target or (reopening and target.reopen == "none"):
            return
        former = next((c for c in reversed(self.clocks) if c.metric == metric), None)
        cycle = 1 + sum(c.metric == metric for c in self.clocks)
        clock = Clock(metric, cycle, policy, target, now)
        self.clocks.append(clock)
        if reopening and former and target.reopen == "resume":
            clock.carry = former.consumed(now)
            if former.breached or clock.carry >= clock.budget:
                clock.breached = True
                self.emit(now, clock, "started")
                return
        if self.status in target.pause_on:
            clock.stop_running(now)
            self.emit(now, clock, "started")
            self.emit(now, clock, "paused")
            return
        clock.due = clock.natural_due()
        self.emit(now, clock, "started")
        self.fire_passed(now, clock)

    def end(self, now, clock, milestone, reason=None):
        self.emit(now, clock, milestone, **({"reason": reason} if reason else {}))
        clock.stop_running(now)
        clock.ended = True

    def pause_or_resume(self, now, metric):
        for clock in self.live(metric):
            if clock.breached:
                continue
            if self.status in clock.target.pause_on:
                if not clock.paused:
                    clock.stop_running(now)
                    clock.due = None
                    self.emit(now, clock, "paused")
            elif clock.paused:
                self.resume(now, clock)
                self.fire_passed(now, clock)

    def resume(self, now, clock):
        clock.active_since = now
        clock.due = max(now, clock.reach(clock.budget))
        self.emit(now, clock, "resumed")

    def fire(self, now, clock, levels, breach, **fields):
        """Writes levels and a breach that come at one instant; the gravest is a trigger and calls rules."""
        for text in levels:
            clock.fired.add(text)
            self.emit(now, clock, "at_risk", level=text)
        if levels or breach:
            self.steps = [s for s in self.steps if s.clock is not clock or s.settings["on"] != "at_risk"
                          or not breach and s.trigger_at != now]
        if breach:
            clock.breached = True
            self.emit(now, clock, "breached", **fields)
            self.trigger(now, clock, "breached", "breached")
            self.calls.append("breached")
        elif levels:
            self.trigger(now, clock, "at_risk", levels[-1])
            self.calls.append("at_risk")

    def fire_passed(self, now, clock):
        self.fire(now, clock, [t for t, at in clock.levels() if clock.over(at, now)], False)

    def retarget(self, now, clock, policy, by_reassessment):
        """Section 6: the clock takes the target that `policy` has for it now."""
        target = policy and policy.target(clock.metric, self.facts["severity"])
        if not target:
            self.end(now, clock, "withdrawn", "no target")
            return
        if clock.breached or target is clock.target:
            return
        before = self.shape(clock)
        was_paused = clock.paused
        clock.policy, clock.target = policy, target
        clock.measure(target)
        paused = self.status in target.pause_on
        if paused:
            clock.stop_running(now)
        elif was_paused:
            clock.active_since = now
        ran_out = clock.reach(clock.budget)
        used_up = not paused and ran_out <= now
        clock.due = None if paused else ran_out if used_up else clock.natural_due()
        if not used_up and was_paused == paused and before == self.shape(clock):
            return
        self.emit(now, clock, "retargeted")
        if used_up:
            self.fire(now, clock, [t for t, _ in clock.levels()], True,
                      **({"by_reassessment": True} if by_reassessment else {}))
        elif paused:
            if not was_paused:
                self.emit(now, clock, "paused")
        else:
            if was_paused:
                self.emit(now, clock, "resumed")
            self.fire_passed(now, clock)

    @staticmethod
    def shape(clock):
        """What `retargeted` compares."""
        if clock.due is None:
            return (None, clock.budget, [t for t, _ in clock.levels()])
        return (clock.due, clock.levels())

    def follow_policy(self, now, new):
        for clock in self.live():
            mode = clock.policy.on_change
            if mode == "follow":
                self.retarget(now, clock, new, False)
            elif mode == "better_of" and not clock.paused and not clock.breached:
                target = new and new.target(clock.metric, self.facts["severity"])
                if not target or self.status in target.pause_on:
                    continue  # no due, so none that is earlier
                if self.due_under(now, clock, target) < clock.due:
                    self.retarget(now, clock, new, False)

    @staticmethod
    def due_under(now, clock, target):
        """The due the clock would have with another target."""
        trial = Clock(clock.metric, clock.cycle, clock.policy, target, clock.start)
        trial.carry, trial.spans, trial.active_since = clock.carry, clock.spans, clock.active_since
        ran_out = trial.reach(trial.budget)
        return ran_out if ran_out <= now else trial.natural_due()

    # Timers

    def run_timers(self, limit, all_at_limit):
        """Handles what is due before `limit`; at `limit` itself all, or only what comes before events."""
        while True:
            ready = [(at, False, METRICS.index(c.metric), 0, c) for c in self.live() for at in [self.next_due(c)]
                     if at is not None and (at < limit or at == limit and (all_at_limit or c.target.under))]
            ready += [(s.at, True, METRICS.index(s.clock.metric) if s.clock else len(METRICS), n, s)
                      for n, s in enumerate(self.steps) if s.at < limit or all_at_limit and s.at == limit]
            if not ready:
                return
            at, is_step, _, _, what = min(ready, key=lambda r: r[:4])
            if is_step:
                self.run_step(at, what)
                continue
            levels = [t for t, when in what.levels() if when == at]
            self.fire(at, what, levels, what.due == at)
            self.run_calls(at)

    @staticmethod
    def next_due(clock):
        if clock.breached or clock.paused:
            return None
        return min([clock.due] + [at for _, at in clock.levels()])

    # 8 Ladders

    def trigger(self, now, clock, kind, name):
        ladder = clock.target.escalation if clock else self.policy and self.policy.escalation
        for number, settings in enumerate(self.config.ladders.get(ladder, []), 1):
            if settings["on"] != kind or (kind == "at_risk" and settings.get("level", name) != name):
                continue
            step = Step(clock, ladder, number, settings, name, now)
            after = parse_duration(settings.get("after", "0s"))
            if after:
                step.at = self.ladder_calendar(step).add(now, after)
            self.steps.append(step)

    def ladder_calendar(self, step):
        return self.config.calendars[step.settings.get("after_calendar", "always")]

    def trigger_on_earliest(self, now, kind, name):
        with_due = [c for c in self.live() if c.due is not None]
        clock = min(with_due, key=lambda c: (c.due, METRICS.index(c.metric)), default=None)
        self.trigger(now, clock, kind, name)

    def run_step(self, now, step):
        settings = step.settings
        if settings.get("until", "acknowledged") == "acknowledged":
            acks = [(at, hold) for at, hold in self.acks if at >= step.trigger_at]
            holds = [at + hold for at, hold in acks if hold is not None and now < at + hold]
            if any(hold is None for _, hold in acks):
                self.steps.remove(step)
                return
            if holds:
                step.at = max(holds)
                return
        clock = step.clock
        ended = clock.ended if clock else self.status in ("closed", "merged")
        off_hours = settings.get("off_hours")
        outside = off_hours is not None and not self.ladder_hours(step).is_open(now)
        if outside and off_hours == "defer" and not ended:
            step.at = self.ladder_hours(step).next_open(now)
            return
        if ended or (clock.paused if clock else self.status == "solved"):
            self.steps.remove(step)
            return
        if not outside:
            self.emit_step(now, step, settings["notify"])
        elif off_hours != "skip":
            self.emit_step(now, step, [off_hours])
        most = settings.get("repeat_max", 0)
        if "repeat_every" not in settings or (most and step.repeat == most):
            self.steps.remove(step)
            return
        step.repeat += 1
        step.at = self.ladder_calendar(step).add(now, parse_duration(settings["repeat_every"]))

    def ladder_hours(self, step):
        if "hours" in step.settings or not step.clock:
            return self.config.calendars[step.settings.get("hours", "always")]
        return step.clock.target.calendar

    def emit_step(self, now, step, notify):
        clock = step.clock
        line = {"at": print_instant(now), "ticket": self.name}
        if clock:
            line.update(metric=clock.metric, cycle=clock.cycle)
        line.update(milestone="escalated", escalation=step.ladder, step=step.number, trigger=step.trigger)
        line.update(repeat=step.repeat, notify=notify)
        self.emit_line(now, line)

    # 9 Reassessment

    def run_rules(self, now, kind, depth=0):
        for rule in self.config.rules:
            if kind not in rule["on"] or "set" not in rule or not self.config.matches(rule["match"], self.facts):
                continue
            severity = self.severity_set(rule["set"])
            if severity == self.facts["severity"]:
                continue
            if depth == 8:
                print(f"rules call each other too deeply: {rule['name']}", file=sys.stderr)
                return
            self.set_severity(now, severity, "system", depth + 1)

    def severity_set(self, text):
        order = self.config.severities
        if text in ("+1", "-1"):
            place = order.index(self.facts["severity"]) - int(text)
            return order[min(max(place, 0), len(order) - 1)]
        return self.config.severity(text)

    def run_calls(self, now, depth=0):
        """Lets the milestones just written call their rules."""
        while self.calls:
            self.run_rules(now, self.calls.pop(0), depth)

    def set_severity(self, now, severity, by, depth=0):
        changed = severity != self.facts["severity"]
        self.facts["severity"] = severity
        if self.policy is None and not self.clocks and self.status is None:
            self.run_rules(now, "severity_changed", depth)
            return
        outer, self.calls = self.calls, []
        for clock in self.live():
            if clock.metric == "assessment" and by == "agent":
                self.end(now, clock, "met")
            elif changed:
                self.retarget(now, clock, clock.policy, True)
        if changed:
            self.policy = self.config.policy_for(self.all_facts(), self.opened_at)
            if by == "system":
                self.reassessed += 1
                self.trigger_on_earliest(now, "reassessed", f"reassessed:{self.reassessed}")
            self.run_rules(now, "severity_changed", depth)
        self.run_calls(now, depth)
        self.calls = outer

    # 10 Events

    def all_facts(self):
        return {**self.facts, "status": self.status}

    def take(self, event):
        kind = event["event"]
        handler = getattr(self, "on_" + kind, None)
        if not handler:
            raise Refused(f"unknown event {kind!r}")
        at = parse_instant(event["at"])
        if (self.status is None) != (kind == "opened"):
            raise Refused("opened twice" if kind == "opened" else "not opened")
        if self.status == "merged" or self.status == "closed" and kind != "merged":
            raise Refused("the ticket is " + self.status)
        if kind in ("opened", "severity"):
            self.config.severity(event.get("severity"))
        if kind in ("opened", "status") and event.get("status", "open") not in STATUSES:
            raise Refused("unknown status")
        if kind == "reply" and event.get("by") not in ("agent", "customer", "system"):
            raise Refused("unknown author")
        if self.last_at is not None:
            at = max(at, self.last_at)
            self.run_timers(at, False)
        self.last_at = at
        handler(at, event)
        self.run_calls(at)

    def on_opened(self, now, event):
        self.opened_at = now
        self.facts = {name: event[name] for name in ATTRIBUTES if event.get(name) is not None}
        self.facts["attributes"] = {k: v for k, v in event.get("attributes", {}).items() if v is not None}
        self.facts["severity"] = self.config.severity(event["severity"])
        self.facts["status"] = event.get("status", "open")
        self.run_rules(now, "opened")
        self.status = self.facts.pop("status")
        self.policy = self.config.policy_for(self.all_facts(), now)
        self.start(now, "first_response")
        self.start(now, "resolution")

    def on_reply(self, now, event):
        if not event.get("public", True) or event["by"] == "system":
            return
        if event["by"] == "agent":
            for metric in ("first_response", "next_response", "update"):
                for clock in self.live(metric):
                    self.end(now, clock, "met")
            if self.status != "solved":
                self.start(now, "update")
            return
        if self.status != "solved" and not self.live("first_response") and not self.live("next_response"):
            self.start(now, "next_response")
        if self.asks_escalation(event.get("text") or ""):
            self.requests += 1
            self.trigger_on_earliest(now, "requested", f"requested:{self.requests}")

    @staticmethod
    def asks_escalation(text):
        lines = (line for line in text.split("\n") if not line.lstrip().startswith(">"))
        return any(re.search(r"#escalate(?![A-Za-z0-9_-])", line, re.I) for line in lines)

    def on_status(self, now, event):
        former, self.status = self.status, event["status"]
        if former == self.status:
            return
        ending = self.status if self.status in ("solved", "closed") else None
        if ending:
            for clock in self.live():
                if clock.metric == "resolution":
                    self.end(now, clock, "met")
                elif clock.metric != "assessment" or ending == "closed":
                    self.end(now, clock, "withdrawn", ending)
        self.policy = self.config.policy_for(self.all_facts(), self.opened_at)
        for metric in METRICS:
            self.pause_or_resume(now, metric)
            if metric == "resolution" and former == "solved" and not ending:
                self.start(now, "resolution", reopening=True)

    def on_severity(self, now, event):
        self.set_severity(now, self.config.severity(event["severity"]), event.get("by"))

    def on_changed(self, now, event):
        changes = {k: event[k] for k in ATTRIBUTES if k in event}
        self.facts.update(changes)
        self.facts["attributes"].update(event.get("attributes", {}))
        new = self.config.policy_for(self.all_facts(), self.opened_at)
        if new is not self.policy:
            self.policy = new
            self.follow_policy(now, new)

    def on_dispute(self, now, event):
        if not self.live("assessment"):
            self.start(now, "assessment")
        self.run_rules(now, "dispute")

    def on_assessed(self, now, event):
        for clock in self.live("assessment"):
            self.end(now, clock, "met")

    def on_ack(self, now, event):
        self.acks.append((now, parse_duration(event["for"]) if "for" in event else None))

    def on_merged(self, now, event):
        self.status = "merged"
        for clock in self.live():
            self.end(now, clock, "withdrawn", "merged")


def simulate(config, lines, until):
    """(milestones in order, {line number: reason}) of the events; each ticket is walked by itself."""
    tickets, milestones, refused, last = {}, [], {}, None

    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
            name, at = event["ticket"], parse_instant(event["at"])
            if not isinstance(name, str):
                raise Refused("no ticket")
            last = at if last is None else max(at, last)
            if until is not None and at > until:
                break
            ticket = tickets.get(name)
            if ticket is None:
                place = len(tickets)
                ticket = Ticket(config, name, lambda now, m, place=place: milestones.append((now, place, m)))
            ticket.take(event)
            tickets[name] = ticket
        except (Refused, KeyError, ValueError, TypeError, AttributeError) as error:
            refused[number] = str(error)
    end = until if until is not None else last
    for ticket in tickets.values():
        ticket.run_timers(end, True)
    milestones.sort(key=lambda m: m[:2])
    return [m for _, _, m in milestones], refused


def load(path):
    with open(path, encoding="utf-8") as file:
        return Config(ConfigReader(file.read()).group(None))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("policy")
    parser.add_argument("--until", type=parse_instant)
    arguments = parser.parse_args()
    milestones, refused = simulate(load(arguments.policy), sys.stdin, arguments.until)
    for milestone in milestones:
        print(json.dumps(milestone, ensure_ascii=False))
    for number, reason in refused.items():
        print(f"line {number}: {reason}", file=sys.stderr)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
