"""What the benchmarks share: building, rounds in turn, medians, and the table with what it was measured on."""
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent


class Missing(Exception):
    """Something that a peer needs is not installed."""


def output(*command, **settings):
    """What a program prints. Its failure ends the bench; then it shows what of its errors was kept, by stderr=PIPE."""
    command = [str(part) for part in command]
    ran = subprocess.run(command, text=True, stdout=subprocess.PIPE, **settings)
    if ran.returncode != 0:
        sys.exit(f"bench: {' '.join(command)}: exit status {ran.returncode}\n{ran.stderr or ''}")
    return ran.stdout


def version(*command):
    """The first line that a program says of itself, or "" where there is none."""
    try:
        said = subprocess.run([str(part) for part in command], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        return ""
    return said.stdout.strip().split("\n")[0]


def package(name):
    """The version of an installed Debian package; Missing where it is not."""
    said = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Status} ${Version}", name], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if not said.stdout.startswith("installed "):
        raise Missing(f"package {name} is not installed")
    return said.stdout.split()[1]


def in_turn(rounds, peers):
    """Runs all peers one after the other, `rounds` times. A peer is a function that returns {step: number}. Returns
    {peer: {step: [number of each round]}}."""
    took = {name: {} for name in peers}
    for number in range(rounds):
        for name, run in peers.items():
            print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr)
            for step, value in run().items():
                took[name].setdefault(step, []).append(value)
    return took


def number(value):
    """Three digits that count, with separators."""
    if value >= 1000:
        digits = max(0, len(str(int(value))) - 3)
        return f"{round(value, -digits):,.0f}"
    return f"{value:.3g}"


def cell(values):
    """Median (least to most)."""
    if not values:
        return "-"
    if min(values) == max(values):
        return number(values[0])
    return f"{number(statistics.median(values))} ({number(min(values))} to {number(max(values))})"


def table(head, rows):
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


class Bench:
    def __init__(self, build, folder, rounds, quick):
        self.build = build
        self.folder = folder
        self.rounds = rounds
        self.quick = quick
        self.tickets = 0
        self.place = "/tmp"
        self.left_out = []

    def make(self, *programs):
        """Builds programs of bench/bench.mk, or slated's own."""
        # What "make check", which may have called us, tells its own programs is not meant for this one.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        made = subprocess.run(["make", "-s", "-C", self.build, *programs], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=environment)
        if made.returncode != 0:
            sys.exit(f"{made.stdout}bench: {' '.join(programs)} could not be built in {self.build}")

    def has(self, name, look):
        """Whether the peer `name` can take part: look() raises Missing where it cannot."""
        try:
            look()
        except Missing as missing:
            self.left_out.append(f"{name} is left out: {missing}")
            print(self.left_out[-1], file=sys.stderr)
            return False
        return True

    def flags(self):
        makefile = (self.build / "Makefile").read_text()
        return [re.search(rf"^{name} = (.*)$", makefile, re.MULTILINE).group(1) for name in ("CC", "CFLAGS")]

    def report(self, name, title, text, versions):
        """Prints the page, and writes it to results/NAME.md unless this is a short run."""
        compiler, flags = self.flags()
        cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
        known = dict(re.findall(r"^(model name|model)\s*: (.*)$", cpuinfo, re.MULTILINE))
        processor = f"{known.get('model name', platform.machine())}, model {known.get('model', 'unknown')}"
        commit = version("git", "-C", ROOT, "rev-parse", "--short=12", "HEAD") or "unknown"
        if version("git", "-C", ROOT, "status", "--porcelain", "--", ".", ":!bench/results"):
            commit += " with changes"
        measured_on = [
            f"Command: `bench/run {name}`. Medians of {self.rounds} rounds, least and most in brackets; in each round"
            " all take their turn.",
            f"Commit {commit}. Flags of the compiler: `{flags}`; the Debian package has its hardening beside them.",
            f"{processor}, {os.cpu_count()} cores. Other work goes on beside: compare within a table only.",
            "; ".join([f"Linux {platform.release()}", version(*compiler.split(), "--version"), *versions]) + ".",
        ]
        page = f"# {title}\n{text}\n## Measured on\n" + "".join(f"- {line}\n" for line in measured_on + self.left_out)
        print(page)
        if not self.quick:
            self.folder.mkdir(exist_ok=True)
            (self.folder / f"{name}.md").write_text(page)
