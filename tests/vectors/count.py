"""What a history comes to, by counting every second. Slow on purpose: it knows of no interval arithmetic, no prefix sums and
no searches, takes local time from Python's zoneinfo, and shares nothing with slated or its other checkers. README.md says
what the descriptions of policies and the events mean."""
import datetime
import functools
import zoneinfo

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
MINUTE, HOUR = 60, 3600
UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
METRICS = ("first_response", "next_response", "update", "resolution", "assessment")
FAR = 400 * 86400  # nothing here takes longer


def instant(text):
    """Seconds since 1970."""
    return round((datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH).total_seconds())


def text_of(at):
    return (EPOCH + datetime.timedelta(seconds=at)).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(length):
    """"1h30m" in seconds."""
    total, number = 0, ""
    for c in length:
        if c.isdigit():
            number += c
        else:
            total, number = total + int(number) * UNITS[c], ""
    return total


def zone_of(name):
    if name.startswith("UTC") and len(name) > 3:
        sign = -1 if name[3] == "-" else 1
        hours, _, minutes = name[4:].partition(":")
        return datetime.timezone(sign * datetime.timedelta(hours=int(hours), minutes=int(minutes or 0)))
    return UTC if name == "UTC" else zoneinfo.ZoneInfo(name)


@functools.lru_cache(maxsize=None)
def wall_of(zone, minute):
    return (EPOCH + datetime.timedelta(minutes=minute)).astimezone(zone).replace(tzinfo=None)


class Calendar:
    """Which minutes are open. All hours begin and end with a minute."""

    def __init__(self, description, others):
        self.description = description
        self.members = [others[name] for name in description.get("union", description.get("intersection", []))]
        self.zone = zone_of(description["timezone"]) if "timezone" in description else self.members[0].zone
        self.known = {}
        self.dates = {}

    def wall(self, minute):
        """What the clock on the wall reads."""
        return wall_of(self.zone, minute)

    def date_of(self, at):
        return self.wall(at // MINUTE).date()

    def hours_of(self, date):
        if str(date) in self.description.get("exceptions", {}):
            return self.description["exceptions"][str(date)]
        if str(date) in self.description.get("holidays", []) or f"{date:%m-%d}" in self.description.get("holidays", []):
            return []
        return self.description["week"].get(DAYS[date.weekday()], [])

    def minutes_of(self, date):
        """The open minutes of a local date: from the first at which the wall has reached the opening, to the last before
        the closing; so what the wall reads twice is open twice."""
        if date not in self.dates:
            noon = datetime.datetime.combine(date, datetime.time(12), tzinfo=UTC)
            middle = round((noon - EPOCH).total_seconds()) // MINUTE
            around = range(middle - 27 * 60, middle + 27 * 60)
            midnight = datetime.datetime.combine(date, datetime.time())
            minutes = set()
            for begin, end in self.hours_of(date):
                opening, closing = (midnight + datetime.timedelta(hours=int(t[:2]), minutes=int(t[3:])) for t in (begin, end))
                first = next(m for m in around if self.wall(m) >= opening)
                last = next(m for m in reversed(around) if self.wall(m) < closing)
                minutes.update(range(first, last + 1))
            self.dates[date] = minutes
        return self.dates[date]

    def minute_is_open(self, minute):
        if self.description.get("always"):
            return True
        if "union" in self.description:
            return any(member.minute_is_open(minute) for member in self.members)
        if "intersection" in self.description:
            return all(member.minute_is_open(minute) for member in self.members)
        today = self.wall(minute).date()
        return any(minute in self.minutes_of(today + datetime.timedelta(days=n)) for n in (-1, 0, 1))

    def hour(self, number):
        """The 3,600 seconds of an hour of UTC, a byte for each: 1 where it is open."""
        if number not in self.known:
            self.known[number] = b"".join(bytes([self.minute_is_open(number * 60 + minute)]) * 60 for minute in range(60))
        return self.known[number]

    def is_open(self, second):
        return self.hour(second // HOUR)[second % HOUR] == 1

    def between(self, begin, end):
        """Counts the seconds that are open."""
        total = 0
        while begin < end:
            until = min(end, (begin // HOUR + 1) * HOUR)
            total += self.hour(begin // HOUR).count(1, begin % HOUR, begin % HOUR + until - begin)
            begin = until
        return total

    def add(self, begin, length):
        """The first instant at which so many open seconds have gone by."""
        second = begin
        while length > 0:
            if second - begin > FAR:
                raise ValueError("too far away")
            if second % HOUR == 0 and (whole := self.hour(second // HOUR).count(1)) < length:
                second, length = second + HOUR, length - whole
            else:
                second, length = second + 1, length - self.is_open(second)
        return second

    def next_open(self, begin):
        second = begin
        while not self.is_open(second):
            if second - begin > FAR:
                raise ValueError("never open")
            second += HOUR if second % HOUR == 0 and 1 not in self.hour(second // HOUR) else 1
        return second

    def open_minutes(self, date):
        """Those of a date, by the wall."""
        noon = datetime.datetime.combine(date, datetime.time(12), tzinfo=UTC)
        middle = round((noon - EPOCH).total_seconds()) // MINUTE
        return [minute for minute in range(middle - 27 * 60, middle + 27 * 60)
                if self.wall(minute).date() == date and self.is_open(minute * MINUTE)]

    def add_business_days(self, begin, n, reading):
        start = self.next_open(begin)
        date = self.date_of(start)
        while n > 0:
            date += datetime.timedelta(days=1)
            minutes = self.open_minutes(date)
            n -= bool(minutes)
        if reading == "end_of_day":
            return (minutes[-1] + 1) * MINUTE
        wanted = datetime.datetime.combine(date, self.wall(start // MINUTE).time())
        same = [minute for minute in minutes if self.wall(minute) == wanted]
        closings = [minute + 1 for minute in minutes if not self.is_open((minute + 1) * MINUTE) and self.wall(minute) < wanted]
        if same:
            return same[0] * MINUTE + start % MINUTE
        return (closings[-1] if closings else minutes[0]) * MINUTE


class Policies:
    """A description of a vendor's policies."""

    def __init__(self, description):
        self.calendars = {"always": Calendar({"always": True, "timezone": "UTC"}, {})}
        for name, calendar in description["calendars"].items():
            self.calendars[name] = Calendar(calendar, self.calendars)
        self.severities = description["severities"]
        self.policies = description["policies"]
        self.rules = description.get("rules", [])


def version(text):
    return [int(part) for part in text.split(".")]


def matches(match, facts):
    for name, wanted in match.items():
        value = facts.get(name)
        if isinstance(wanted, dict):
            if "at_least" in wanted and (value is None or version(value) < version(wanted["at_least"])):
                return False
            if "not" in wanted and value in wanted["not"]:
                return False
            if "present" in wanted and (value is not None) != wanted["present"]:
                return False
        elif value not in wanted:
            return False
    return True


class Clock:
    def __init__(self, metric, cycle, at):
        self.metric, self.cycle, self.started_at = metric, cycle, at
        self.spans = []  # unpaused stretches that are over
        self.since = at  # of the present one; None: paused
        self.fired = set()
        self.carried = 0
        self.breached = self.ended = False
        self.due = None


class History:
    """One ticket under some policies."""

    def __init__(self, policies):
        self.policies = policies
        self.clocks = []
        self.cycles = dict.fromkeys(METRICS, 0)
        self.milestones = []
        self.facts = None
        self.calls = False  # whether a change has made levels fire

    # What clocks do

    def calendar(self, clock):
        return self.policies.calendars[clock.target.get("calendar", "always")]

    def target_of(self, policy, metric):
        return next((t for t in policy["targets"] if t["metric"] == metric and
                     self.facts["severity"] in t.get("severity", self.policies.severities)), None)

    def length(self, clock):
        """(open time allowed, the due of a clock that has never stood still)"""
        target, calendar = clock.target, self.calendar(clock)
        if target["length"].endswith("bd") and target["business_day"] != "hours":
            due = calendar.add_business_days(clock.started_at, int(target["length"][:-2]), target["business_day"])
            return calendar.between(clock.started_at, due), due
        if target["length"].endswith("bd"):
            length = int(target["length"][:-2]) * seconds(calendar.description["day_length"])
        else:
            length = seconds(target["length"])
        return length, calendar.add(clock.started_at, length)

    def consumed(self, clock, at):
        spans = clock.spans + ([(clock.since, at)] if clock.since is not None else [])
        return clock.carried + sum(self.calendar(clock).between(begin, end) for begin, end in spans)

    def points(self, clock):
        """(open time consumed when it comes, level), of the levels inside the budget that have not fired."""
        points = []
        for level in clock.target.get("at_risk", []):
            point = clock.budget * int(level[:-1]) / 100 if level.endswith("%") else clock.budget - seconds(level)
            assert point == int(point), "levels at whole seconds only"
            if 0 < point < clock.budget and level not in clock.fired:
                points.append((int(point), level))
        return sorted(points, key=lambda p: p[0])

    def plan(self, clock):
        """When its levels come and when it is due: [(instant, or None while it is paused, level)]"""
        clock.budget, whole = self.length(clock)
        clock.due, clock.levels = None, [(None, level) for _, level in self.points(clock)]
        if clock.since is None:
            return
        used, calendar = self.consumed(clock, clock.since), self.calendar(clock)

        def when(point):
            return calendar.add(clock.since, point - used) if point > used else clock.since
        clock.due = whole if not clock.spans and clock.carried == 0 else when(clock.budget)
        clock.levels = [(when(point), level) for point, level in self.points(clock)]

    def tell(self, clock, milestone, at, **more):
        told = {"at": text_of(at), "metric": clock.metric, "cycle": clock.cycle, "milestone": milestone,
                "policy": clock.policy["name"], "calendar": clock.target.get("calendar", "always"), "severity": self.facts["severity"]}
        if milestone in ("started", "resumed", "retargeted", "at_risk", "breached", "met") and clock.due is not None:
            told["due_at"] = text_of(clock.due)
        self.milestones.append(told | more)

    def start(self, metric, at, carried=0, breached=False):
        policy = next((p for p in self.policies.policies if matches(p.get("match", {}), self.facts)), None)
        target = policy and self.target_of(policy, metric)
        if not target:
            return
        self.cycles[metric] += 1
        clock = Clock(metric, self.cycles[metric], at)
        clock.policy, clock.target, clock.carried = policy, target, carried
        self.clocks.append(clock)
        if breached or carried >= self.length(clock)[0]:
            clock.breached, clock.since, clock.levels = True, None, []
            self.tell(clock, "started", at)
        elif self.facts["status"] in target.get("pause_on", []):
            clock.spans.append((at, at))
            clock.since = None
            self.plan(clock)
            self.tell(clock, "started", at)
            self.tell(clock, "paused", at)
        else:
            self.plan(clock)
            self.tell(clock, "started", at)

    def active(self, metric=None):
        return [c for c in self.clocks if not c.ended and metric in (None, c.metric)]

    @staticmethod
    def end(clock, at):
        clock.ended = True
        if clock.since is not None:
            clock.spans.append((clock.since, at))
        clock.since = None

    def meet(self, clock, at):
        late = {"late_by": at - clock.due} if clock.due is not None and at > clock.due else {}
        self.end(clock, at)
        self.tell(clock, "met", at, **late)

    def withdraw(self, clock, at, reason):
        self.end(clock, at)
        self.tell(clock, "withdrawn", at, reason=reason)

    def breach(self, clock, at, **more):
        clock.breached, clock.levels = True, []
        if clock.since is not None:
            clock.spans.append((clock.since, at))
        clock.since = None
        self.tell(clock, "breached", at, **more)

    # Timers, second by second as far as they go: the next one of all clocks

    def run_until(self, end, inclusive):
        while True:
            coming = []
            for clock in self.active():
                if clock.breached or clock.since is None:
                    continue
                if clock.levels:
                    coming.append((clock.levels[0][0], METRICS.index(clock.metric), 0, clock))
                coming.append((clock.due, METRICS.index(clock.metric), 1, clock))
            coming = [c for c in coming if c[0] < end or (c[0] == end and (inclusive or c[3].target["limit"] == "under"))]
            if not coming:
                return
            at, _, kind, clock = min(coming, key=lambda c: c[:3])
            if kind == 1:
                self.breach(clock, at)
                continue
            self.fire(clock, clock.levels.pop(0)[1], at)
            self.call_rules("at_risk", at)

    def fire(self, clock, level, at):
        clock.fired.add(level)
        self.tell(clock, "at_risk", at, level=level)

    # Changes of severity

    def retarget(self, clock, at):
        target = self.target_of(clock.policy, clock.metric)
        if target is None:
            self.withdraw(clock, at, "no target")
            return
        if clock.breached or target is clock.target:
            return
        former = (clock.due, set(clock.levels), clock.since is None, clock.budget if clock.since is None else None)
        pauses = self.facts["status"] in target.get("pause_on", [])
        was_paused = clock.since is None
        clock.target = target
        if was_paused and not pauses:
            clock.since = at
        clock.budget = self.length(clock)[0]
        if not pauses and self.consumed(clock, at) >= clock.budget:
            self.ran_out(clock, at)
            return
        if pauses and not was_paused:
            clock.spans.append((clock.since, at))
            clock.since = None
        self.plan(clock)
        if former != (clock.due, set(clock.levels), clock.since is None, clock.budget if clock.since is None else None):
            self.tell(clock, "retargeted", at)
        if pauses != was_paused:
            self.tell(clock, "paused" if pauses else "resumed", at)
        self.fire_passed(clock, at)

    def ran_out(self, clock, at):
        """The new target's time was over already: it was due when the budget had gone by."""
        rest = clock.budget - clock.carried
        clock.due = clock.started_at
        for begin, end in (clock.spans + [(clock.since, at)] if rest > 0 else []):
            open_time = self.calendar(clock).between(begin, end)
            if rest <= open_time:
                clock.due = self.calendar(clock).add(begin, rest)
                break
            rest -= open_time
        self.tell(clock, "retargeted", at)
        for _, level in self.points(clock):
            self.fire(clock, level, at)
        self.breach(clock, at, by_reassessment=True)

    def fire_passed(self, clock, at):
        """Levels that a change has put behind come at its instant; they call rules once it is done."""
        for level in [level for level in clock.levels if level[0] is not None and level[0] <= at]:
            clock.levels.remove(level)
            self.fire(clock, level[1], at)
            self.calls = True

    def set_severity(self, severity, at):
        if severity == self.facts["severity"]:
            return
        self.facts["severity"] = severity
        for clock in sorted(self.active(), key=lambda c: METRICS.index(c.metric)):
            self.retarget(clock, at)
        self.call_rules("severity_changed", at)

    def call_rules(self, occasion, at):
        for rule in self.policies.rules:
            if occasion in rule["on"] and matches(rule["match"], self.facts):
                if occasion == "opened":
                    self.facts["severity"] = rule["set"]
                else:
                    self.set_severity(rule["set"], at)

    # Events

    def take(self, event):
        at = instant(event["at"])
        if self.facts is None:
            self.facts = {"status": "open"} | {k: v for k, v in event.items() if k not in ("at", "event", "attributes")}
            self.facts |= {f"attributes.{k}": v for k, v in event.get("attributes", {}).items()}
            self.call_rules("opened", at)
            self.start("first_response", at)
            self.start("resolution", at)
            return
        self.run_until(at, inclusive=False)
        self.calls = False
        getattr(self, f"take_{event['event']}")(event, at)
        if self.calls:
            self.call_rules("at_risk", at)

    def take_reply(self, event, at):
        if not event.get("public", True) or event["by"] == "system":
            return
        solved = self.facts["status"] in ("solved", "closed")
        if event["by"] == "agent":
            for metric in ("first_response", "next_response", "update"):
                for clock in self.active(metric):
                    self.meet(clock, at)
            if not solved:
                self.start("update", at)
        elif not solved and not self.active("first_response") and not self.active("next_response"):
            self.start("next_response", at)

    def take_status(self, event, at):
        former, self.facts["status"] = self.facts["status"], event["status"]
        if former == event["status"]:
            return
        if event["status"] in ("solved", "closed"):
            for clock in self.active():
                if clock.metric == "resolution":
                    self.meet(clock, at)
                elif clock.metric != "assessment" or event["status"] == "closed":
                    self.withdraw(clock, at, event["status"])
            return
        for clock in self.active():
            self.pause_or_resume(clock, at)
        if former == "solved":
            last = [c for c in self.clocks if c.metric == "resolution"][-1:]
            self.start("resolution", at, *(self.consumed(last[0], at), last[0].breached) if last else ())

    def pause_or_resume(self, clock, at):
        if clock.breached:
            return
        pauses = self.facts["status"] in clock.target.get("pause_on", [])
        if pauses and clock.since is not None:
            clock.spans.append((clock.since, at))
            clock.since = None
            self.plan(clock)
            self.tell(clock, "paused", at)
        elif not pauses and clock.since is None:
            clock.since = at
            self.plan(clock)
            self.tell(clock, "resumed", at)
            self.fire_passed(clock, at)

    def take_severity(self, event, at):
        self.set_severity(event["severity"], at)
        if event.get("by", "agent") == "agent":
            for clock in self.active("assessment"):
                self.meet(clock, at)

    def take_dispute(self, _event, at):
        if not self.active("assessment"):
            self.start("assessment", at)

    def take_assessed(self, _event, at):
        for clock in self.active("assessment"):
            self.meet(clock, at)

    def take_merged(self, _event, at):
        for clock in self.active():
            self.withdraw(clock, at, "merged")


def count(policies, case):
    """The milestones of a case, but escalations."""
    history = History(policies)
    for event in case["events"]:
        history.take(event)
    history.run_until(instant(case["until"]), inclusive=True)
    return history.milestones
