#!/usr/bin/python3
"""The feeds of conf/holidays/ against the laws that they follow, counted anew for each year, and against their script
where its module is installed (tools/holidays). All are read by slatectl."""
import datetime
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ.get("srcdir", ".")).resolve()
FEEDS = SOURCE / "conf" / "holidays"
TOOL = SOURCE / "tools" / "holidays"
SLATECTL = os.environ.get("SLATECTL", "./slatectl")
YEARS = range(2024, 2036)
MONDAY, TUESDAY, THURSDAY, SATURDAY, SUNDAY = 0, 1, 3, 5, 6
Date = datetime.date


def after(day, days):
    return day + datetime.timedelta(days)


def easter(year):
    """The Gregorian computus (Meeus, Astronomical Algorithms, chapter 8)."""
    a, b, c = year % 19, year // 100, year % 100
    d = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    e = (32 + 2 * (b % 4) + 2 * (c // 4) - d - c % 4) % 7
    f = d + e - 7 * ((a + 11 * d + 22 * e) // 451) + 114
    return Date(year, f // 31, f % 31 + 1)


def nth(year, month, weekday, n):
    """The nth such weekday of a month; -1: the last."""
    if n < 0:
        last = after(Date(year + month // 12, month % 12 + 1, 1), -1)
        return after(last, -((last.weekday() - weekday) % 7))
    first = Date(year, month, 1)
    return after(first, (weekday - first.weekday()) % 7 + 7 * (n - 1))


def united_states(year):
    """5 U.S.C. 6103: on a Saturday the Friday before, on a Sunday the Monday after."""
    days = {nth(year, 1, MONDAY, 3), nth(year, 2, MONDAY, 3), nth(year, 5, MONDAY, -1), nth(year, 9, MONDAY, 1),
            nth(year, 10, MONDAY, 2), nth(year, 11, THURSDAY, 4)}
    for day in (Date(year, 1, 1), Date(year, 6, 19), Date(year, 7, 4), Date(year, 11, 11), Date(year, 12, 25)):
        days |= {day, after(day, {SATURDAY: -1, SUNDAY: 1}.get(day.weekday(), 0))}
    return days


def british(year, fixed):
    """Banking and Financial Dealings Act 1971, and proclamations: the next working day that is none already."""
    days = {after(easter(year), -2), after(easter(year), 1), nth(year, 5, MONDAY, 1), nth(year, 5, MONDAY, -1),
            nth(year, 8, MONDAY, -1)}
    days |= set(fixed)
    for day in fixed:
        if day.weekday() >= SATURDAY:
            while day in days or day.weekday() >= SATURDAY:
                day = after(day, 1)
            days.add(day)
    return days


def england(year):
    return british(year, [Date(year, 1, 1), Date(year, 12, 25), Date(year, 12, 26)])


def northern_ireland(year):
    return british(year, [Date(year, 1, 1), Date(year, 3, 17), Date(year, 7, 12), Date(year, 12, 25), Date(year, 12, 26)])


def germany(year):
    """What the laws of all sixteen states have."""
    sunday = easter(year)
    return {Date(year, 1, 1), after(sunday, -2), after(sunday, 1), Date(year, 5, 1), after(sunday, 39), after(sunday, 50),
            Date(year, 10, 3), Date(year, 12, 25), Date(year, 12, 26)}


def equinox(year, constant):
    """The usual approximation for 1980 to 2099; the government announces the day each year."""
    return int(constant + 0.242194 * (year - 1980) - (year - 1980) // 4)


def japan(year):
    """Act on National Holidays: a holiday on a Sunday moves on; a day between two is one itself."""
    days = {Date(year, 1, 1), nth(year, 1, MONDAY, 2), Date(year, 2, 11), Date(year, 2, 23),
            Date(year, 3, equinox(year, 20.8431)), Date(year, 4, 29), Date(year, 5, 3), Date(year, 5, 4), Date(year, 5, 5),
            nth(year, 7, MONDAY, 3), Date(year, 8, 11), nth(year, 9, MONDAY, 3), Date(year, 9, equinox(year, 23.2488)),
            nth(year, 10, MONDAY, 2), Date(year, 11, 3), Date(year, 11, 23)}
    moved = set(days)
    for day in sorted(days):
        if day.weekday() == SUNDAY:
            while day in moved:
                day = after(day, 1)
            moved.add(day)
    return moved | {after(day, 1) for day in days if after(day, 2) in days and after(day, 1).weekday() != SUNDAY}


def india(year):
    return {Date(year, 1, 26), after(easter(year), -2), Date(year, 4, 14), Date(year, 8, 15), Date(year, 10, 2),
            Date(year, 12, 25)}


LAWS = {"us-federal": united_states, "england-and-wales": england, "northern-ireland": northern_ireland,
        "germany": germany, "japan": japan, "india-national": india}
# Dates as their governments have published them.
KNOWN = {
    "us-federal": ["2026-07-03 Independence Day (substitute day)", "2027-12-31 New Year's Day (substitute day)",
                   "2028-11-10 Veterans Day (substitute day)", "2024-11-28 Thanksgiving Day"],
    "england-and-wales": ["2027-12-28 Boxing Day (substitute day)", "2028-01-03 New Year's Day (substitute day)"],
    "northern-ireland": ["2026-07-13 Battle of the Boyne (Orangemen's Day) (substitute day)",
                         "2024-03-18 St Patrick's Day (substitute day)"],
    "germany": ["2026-05-14 Ascension Day", "2026-10-03 National Holiday"],
    "japan": ["2026-09-22 Citizens' Holiday", "2026-05-06 Constitution Day (substitute day)"],
    "india-national": ["2026-01-26 Republic Day", "2028-04-14 Ambedkar Jayanti, Good Friday"],
}


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def expect(self, what, right, detail=""):
        self.passed += right
        self.failed += not right
        if not right:
            print(f"FAIL {what}: {detail}")


def read(path):
    """Dates and names."""
    text = path.read_bytes().decode().replace("\r\n ", "")
    found = re.findall(r"DTSTART;VALUE=DATE:(\d{4})(\d\d)(\d\d)\r\n.*\r\nSUMMARY:(.+)\r\n", text)
    return {Date(int(year), int(month), int(day)): name.replace("\\", "") for year, month, day, name in found}


def check_feed(checks, name, law):
    found = read(FEEDS / f"{name}.ics")
    wanted = {day for year in range(YEARS[0], YEARS[-1] + 2) for day in law(year)}
    wanted = {day for day in wanted if day.year in YEARS}
    checks.expect(name, set(found) == wanted, f"too many: {sorted(set(found) - wanted)}, missing: {sorted(wanted - set(found))}")
    for known in KNOWN[name]:
        day, what = known.split(" ", 1)
        checks.expect(name, found.get(Date.fromisoformat(day)) == what, f"{known}: {found.get(Date.fromisoformat(day))}")
    lines = (FEEDS / f"{name}.ics").read_bytes().split(b"\r\n")
    checks.expect(name, all(len(line) <= 75 and b"\n" not in line for line in lines), "a line is longer than 75 octets")


def check_use(checks, folder):
    """A calendar with all of them is closed on a holiday, by its name."""
    feeds = ", ".join(f'"{FEEDS / name}.ics"' for name in LAWS)
    config = folder / "feeds.conf"
    config.write_text(f'calendars = {{ c = {{ timezone = "UTC"; hours = {{ weekdays = "00:00-24:00"; }}; holiday_feeds = [ {feeds} ]; }}; }};'
                      'policies = ( { name = "p"; targets = ( { metric = "resolution"; within = "24h"; calendar = "c"; } ); } );')
    ran = subprocess.run([SLATECTL, "due", "--config", str(config), "--severity", "high", "--opened", "2035-11-22T00:00:00Z",
                          "--explain"], capture_output=True, text=True, check=False)
    if "configured --without-feeds" in ran.stderr:
        print("left out: a build without feeds")
        return
    checks.expect("all in one calendar", "Thanksgiving Day 2035-11-22" in ran.stdout and ran.returncode == 0,
                  ran.stdout + ran.stderr)


def check_script(checks, folder):
    if not (TOOL / "node_modules" / "date-holidays").is_dir() or not shutil.which("node"):
        print("left out: the script, as its module is not installed; `npm ci` in tools/holidays does that")
        return
    subprocess.run(["node", str(TOOL / "make.mjs"), str(folder)], check=True)
    for name in LAWS:
        same = (folder / f"{name}.ics").read_bytes() == (FEEDS / f"{name}.ics").read_bytes()
        checks.expect(f"{name} is what the script makes", same)


def main():
    checks = Checks()
    for name, law in LAWS.items():
        check_feed(checks, name, law)
    with tempfile.TemporaryDirectory() as folder:
        check_use(checks, pathlib.Path(folder))
        check_script(checks, pathlib.Path(folder))
    print(f"{checks.passed} passed, {checks.failed} failed")
    return checks.failed > 0


if __name__ == "__main__":
    sys.exit(main())
