#!/usr/bin/env python3
"""slatectl backtest says of random policies and histories what slatectl simulate's milestones come to, counted here.

backtest.py [--seeds N]: the first seed is $SLATED_SEED, or a random one. The program is $SLATECTL, default ./slatectl.
"""
import argparse
import collections
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import generate

PROGRAM = os.environ.get("SLATECTL", "./slatectl")
# Targets in business days have to find their end within the ten years of a search.
FACTORS = {"h": [1, 3, 20], "m": [1, 3, 20], "bd": [1, 2, 3]}
VERDICTS = {"breached": "missed", "met": "in_time", "withdrawn": "withdrawn"}


def make_draft(text, rng):
    """The same policies with other targets."""
    def other(match):
        limit, number, unit = match.groups()
        number = max(1, int(number) * rng.choice(FACTORS[unit]) // rng.choice(FACTORS[unit]))
        return f'{rng.choice([limit, "within", "under"])} = "{number}{unit}"'
    return re.sub(r'(within|under) = "(\d+)(h|m|bd)"', other, text)


def simulate(config, events, until):
    done = subprocess.run([PROGRAM, "simulate", "--config", config, "--until", until], input="".join(events), capture_output=True,
                          text=True, check=False, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()], [int(n) for n in re.findall(r"^line (\d+): ", done.stderr, re.M)]


def without_refused(config, events, until):
    """Simulate refuses a ticket with an unknown severity, backtest goes on as the daemon does: leave such tickets out."""
    refused = {n for n in simulate(config, events, until)[1]}
    usable, lost = [], set()
    for number, line in enumerate(events, 1):
        event = json.loads(line)
        fits = isinstance(event, dict) and isinstance(event.get("ticket"), str) and number not in refused
        if not fits and isinstance(event, dict) and event.get("event") == "opened":
            lost.add(event["ticket"])
        if fits:
            usable.append(event)
    return [json.dumps(event) + "\n" for event in usable if event["ticket"] not in lost]


def count(milestones):
    """({(ticket, metric, cycle): verdict}, {(policy, metric, severity, verdict): clocks}, {channel: pages by hour})"""
    verdicts, places, pages = {}, {}, collections.defaultdict(lambda: [0] * 24)
    for m in milestones:
        if m["milestone"] == "escalated":
            for name in m["notify"]:
                pages[name][int(m["at"][11:13])] += 1
            continue
        clock = (m["ticket"], m["metric"], m["cycle"])
        if m["milestone"] == "started":
            # Without a due it starts paused, which the next line says, or breached.
            verdicts[clock] = "open" if "due_at" in m else "none"
        elif m["milestone"] == "paused" and verdicts[clock] == "none":
            verdicts[clock] = "open"
        if verdicts[clock] == "open":
            places[clock] = (m["policy"], m["metric"], m["severity"])
            verdicts[clock] = VERDICTS.get(m["milestone"], "open")
    sums = collections.Counter((*places[clock], verdict) for clock, verdict in verdicts.items() if verdict != "none")
    return verdicts, sums, dict(pages)


def told(result, side):
    sums = collections.Counter()
    for row in result["promises"]:
        for verdict, n in row[side].items():
            sums[row["policy"], row["metric"], row["severity"], verdict] += n
    return +sums, {c["channel"]: c[side]["by_hour"] for c in result["channels"] if c[side]["pages"] > 0}


def compare(folder, rng):
    """(what is wrong, or None; how many verdicts differ)"""
    text = (folder / "policy.conf").read_text()
    draft = folder / "draft.conf"
    draft.write_text(make_draft(text, rng))
    until = (folder / "until").read_text().strip()
    events = (folder / "events.ndjson").read_text().splitlines(keepends=True)
    events = without_refused(folder / "policy.conf", events, until)
    if not events:
        return None, 0
    command = [PROGRAM, "backtest", "--config", draft, "--against", folder / "policy.conf", "--events", "-", "--until", until,
               "--format", "json"]
    done = subprocess.run(command, input="".join(events), capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        return f"exit status {done.returncode}: {done.stderr}", 0
    result = json.loads(done.stdout)
    verdicts = {}
    for side, config in (("before", folder / "policy.conf"), ("after", draft)):
        verdicts[side], *wanted = count(simulate(config, events, until)[0])
        if list(told(result, side)) != wanted:
            return f"{side}: expected {wanted}\n     got {told(result, side)}", 0
    before, after = verdicts["before"], verdicts["after"]
    wanted = {(clock, before.get(clock, "none"), after.get(clock, "none")) for clock in before.keys() | after.keys()
              if before.get(clock, "none") != after.get(clock, "none")}
    got = {((d["ticket"], d["metric"], d["cycle"]), d["before"]["verdict"], d["after"]["verdict"]) for d in result["differences"]}
    if wanted != got or len(got) != len(result["differences"]):
        return f"differences: expected {wanted}\n     got {got}", 0
    if result["changed_tickets"] != len({clock[0] for clock, _, _ in wanted}):
        return f"changed_tickets: {result['changed_tickets']}", 0
    return None, len(got)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=40)
    arguments = parser.parse_args()
    base = int(os.environ.get("SLATED_SEED") or random.SystemRandom().randrange(2**31))
    print(f"seeds {base} to {base + arguments.seeds - 1}; SLATED_SEED={base} repeats them", flush=True)
    differences = 0
    for seed in itertools.count(base):
        # Where no draft has made a difference by chance, the search for one goes on.
        if seed >= base + arguments.seeds and (differences > 0 or seed >= base + 10 * arguments.seeds):
            break
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            generate.generate(seed, folder)
            wrong, n = compare(folder, random.Random(seed))
        differences += n
        if wrong:
            print(f"seed {seed}: {wrong}\n{seed - base} passed, 1 failed")
            return 1
    if differences == 0:
        print("no draft made a difference")
    print(f"{seed - base} passed, {int(differences == 0)} failed")
    return int(differences == 0)


if __name__ == "__main__":
    sys.exit(main())
