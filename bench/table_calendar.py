"""Adding 10 open hours: slated's calendar beside the libraries that others use, and what one would write."""
import pathlib
import random
import tempfile

from bench import HERE, Missing, cell, in_turn, output, package, table, version

ZONE = "America/New_York"
YEARLY = ["01-01", "06-19", "07-04", "11-11", "12-25"]
# Thanksgiving, for the holidays that are not the same date each year.
DATED = ["2026-11-26", "2027-11-25", "2028-11-23", "2029-11-22", "2030-11-28", "2031-11-27"]
FIRST, LAST = 1767225600, 1924991999  # 2026 to 2030
MOMENT = HERE / "node" / "node_modules" / "moment-business-time"

# Name and how many instants a round takes: about a second's worth.
COUNTS = {"slated": 100000, "mktime walk in C": 100000, "PL/pgSQL": 20000, "moment-business-time": 5000,
          "Business::Hours": 300}

NOTES = """
- Each answer is compared with slated's for the same instant.
- Processor time; of PL/pgSQL what the server's clock says. Reading the input is not in it.
- 200 calendars: 20 zones by ten openings, each instant in a random one.
- Compiling: {holidays} holidays, {dated} of them by date. The feed is iCalendar text, read by libical in the same time.
"""


def peers():
    return {"PL/pgSQL": ["bash", HERE / "calendar_sql.sh"],
            "moment-business-time": ["node", HERE / "node" / "calendar_moment.js"],
            "Business::Hours": ["perl", HERE / "calendar_perl.pl"]}


def need(peer):
    """Raises Missing where the peer cannot run."""
    if peer == "PL/pgSQL" and not list(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        raise Missing("no PostgreSQL server (package postgresql-15)")
    if peer == "moment-business-time" and (not version("node", "--version") or not MOMENT.is_dir()):
        raise Missing("no node, or nothing in bench/node (npm ci)")
    if peer == "Business::Hours":
        package("libbusiness-hours-perl")


def versions(names):
    known = {"PL/pgSQL": lambda: f"PostgreSQL {package('postgresql-15')}",
             "moment-business-time": lambda: f"moment-business-time 2.0.0 on node {version('node', '--version')}",
             "Business::Hours": lambda: f"libbusiness-hours-perl {package('libbusiness-hours-perl')}"}
    return [known[name]() for name in names if name in known] + [f"tzdata {package('tzdata')}"]


class Race:
    def __init__(self, bench, folder, commands):
        self.bench = bench
        self.folder = pathlib.Path(folder)
        self.folder.chmod(0o755)
        self.commands = commands
        chosen = random.Random(7)
        instants = [chosen.randint(FIRST, LAST) for _ in range(max(COUNTS.values()))]
        (self.folder / "instants").write_text("".join(f"{at}\n" for at in instants))
        (self.folder / "holidays").write_text("".join(f"{day}\n" for day in YEARLY + DATED))

    def count(self, name):
        return COUNTS[name] // 100 + 1 if self.bench.quick else COUNTS[name]

    def answers_file(self, name):
        return self.folder / f"answers-{list(COUNTS).index(name)}"

    def measure(self, name):
        files = [self.folder / "instants", self.folder / "holidays"]
        command = [*self.commands[name], ZONE, *files, self.count(name), self.answers_file(name)]
        said = output("env", f"TZ={ZONE}", *command)
        return {step: float(value) for step, value in (line.split("\t") for line in said.splitlines())}

    def differing(self, name):
        """How many of the answers that both gave differ."""
        ours, theirs = (self.answers_file(who).read_text().split() for who in ("slated", name))
        return sum(a != b for a, b in zip(ours, theirs)), min(len(ours), len(theirs))


def rates(took):
    """Calls a second."""
    return cell([1e9 / value for value in took])


def run(bench):
    bench.make("bench/calendar_slated", "bench/calendar_walk")
    commands = {"slated": [bench.build / "bench" / "calendar_slated"],
                "mktime walk in C": [bench.build / "bench" / "calendar_walk"]}
    commands |= {name: command for name, command in peers().items() if bench.has(name, lambda name=name: need(name))}
    with tempfile.TemporaryDirectory(prefix="slated-bench.") as folder:
        race = Race(bench, folder, commands)
        took = in_turn(bench.rounds, {name: lambda name=name: race.measure(name) for name in commands})
        ours = took["slated"]
        rows = [["slated, one calendar", rates(ours["add"]), "-"],
                ["slated, 200 calendars", rates(ours["add, 200 calendars"]), "-"]]
        for name in list(commands)[1:]:
            rows.append([name, rates(took[name]["add"]), "{:,} of {:,}".format(*race.differing(name))])
    steps = {"with the holidays as settings": "compile", "with the holidays in a feed, which is read": "compile, feed"}
    compiled = [[name, cell([value / 1e6 for value in ours.get(step, [])])] for name, step in steps.items()]
    text = "\n" + table(["", "a second", "answers that differ from slated's"], rows)
    text += "\n" + table(["compiling a calendar for ten years", "milliseconds"], compiled)
    text += NOTES.format(holidays=len(YEARLY + DATED), dated=len(DATED))
    bench.report("calendar", "Business time: adding 10 open hours at random instants", text, versions(commands))
