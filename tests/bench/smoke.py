#!/usr/bin/env python3
"""Each benchmark of bench/run in its short form: it ends, and its table has what slated took."""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(os.environ.get("srcdir", ".")).resolve()
BUILD = pathlib.Path(os.environ.get("SLATED_BUILD", ".")).resolve()
# A row of each table, and in it a figure that is slated's.
FIGURE = r"[0-9][0-9,.]*(?:e[+-]?[0-9]+)?"
ROWS = {
    "wheel": [rf"insert \| {FIGURE}", rf"expiry one by one over ten years \| {FIGURE}", r"bytes a timer \| 20 "],
    "calendar": [rf"slated, 200 calendars \| {FIGURE}", rf"mktime walk in C \| {FIGURE} \| 0 of 1,001 ",
                 rf"with the holidays as settings \| {FIGURE}"],
    "replay": [rf"slatectl simulate, bench/replay.conf \| {FIGURE} \| {FIGURE} \| [0-9,]+",
               rf"the engine from memory, conf/policies/neon.conf \| {FIGURE} \| - \| [0-9,]+"],
    "writes": [rf"sla.ticket, with the daemon \| {FIGURE} \| {FIGURE}"],
    "start": [rf"slated, until it has loaded \| {FIGURE} \| {FIGURE}"],
    "change": [rf"a lone change \| {FIGURE} \| {FIGURE} \| {FIGURE}", rf"backlog, one event for each ticket, with the load \| {FIGURE}",
               # Less what the load takes: below 0 where the two, a few changes each, are as good as the same.
               rf"backlog, five for each, without \| -?{FIGURE}"],
    "burst": [rf"slated \| {FIGURE} \| {FIGURE} \| {FIGURE}", rf"the same rows alone \| {FIGURE}"],
    "growth": [rf"a change of many at once, us \| {FIGURE} \| {FIGURE} \| {FIGURE}"],
    "month": [rf"sla.clock \| {FIGURE} .* \| {FIGURE} % \| {FIGURE}"],
    "attach": [rf"a message \| {FIGURE} \| {FIGURE} \| {FIGURE}"],
    "backtest": [rf"NDJSON \| {FIGURE} \| {FIGURE} \| {FIGURE}", rf"the database \| {FIGURE} \| {FIGURE} \| {FIGURE}"],
    "deliveries": [rf"slated, solved \| {FIGURE} \| .* \| 0 \| 0 \|"],
}
passed = failed = 0
for name, rows in ROWS.items():
    run = subprocess.run([sys.executable, ROOT / "bench" / "run", name, "--quick", "--rounds", "1", "--build", BUILD],
                         text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    missing = [row for row in rows if not re.search(rf"^\| {row}", run.stdout, re.MULTILINE)]
    if run.returncode == 0 and not missing:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {name}: exit status {run.returncode}, rows that are not there: {missing}\n{run.stdout}")
    for line in sorted(set(re.findall("^(?:- )?(.* is left out: .*)$", run.stdout, re.MULTILINE))):
        print(f"{name}: {line}")
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
