#!/usr/bin/env python3
"""Compares `slatectl simulate` with the oracle on random policies and histories.

compare.py [--seeds N] [--keep FOLDER] [--all]

The first seed is $SLATED_SEED, or a random one. The files of the first difference are kept in FOLDER (default
sim-difference); with --all every seed is tried and every difference kept. The program is $SLATECTL, default ./slatectl.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import generate
import oracle


def run_oracle(folder):
    until = oracle.parse_instant((folder / "until").read_text().strip())
    with open(folder / "events.ndjson", encoding="utf-8") as events:
        milestones, refused = oracle.simulate(oracle.load(folder / "policy.conf"), events, until)
    return milestones, sorted(refused)


def run_slatectl(program, folder):
    """(milestones, refused line numbers); a program that fails otherwise is an error of its own."""
    command = [program, "simulate", "--config", folder / "policy.conf", "--until", (folder / "until").read_text().strip()]
    with open(folder / "events.ndjson", encoding="utf-8") as events:
        done = subprocess.run(command, stdin=events, capture_output=True, text=True, timeout=60)
    refused = sorted(int(n) for n in re.findall(r"^line (\d+): ", done.stderr, re.M))
    if done.returncode != (1 if refused else 0):
        raise ValueError(f"exit status {done.returncode}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()], refused


def first_difference(expected, got):
    """A sentence on the first milestone that the two do not have alike, in all of its fields and at the same place, or None."""
    for one, other in zip(expected, got):
        if one != other:
            return f"expected {json.dumps(one)}\n     got {json.dumps(other)}"
    if len(expected) != len(got):
        longer, who = (expected, "oracle") if len(expected) > len(got) else (got, "slatectl")
        return f"only of {who}: {json.dumps(longer[min(len(expected), len(got))])}"
    return None


def compare(program, folder):
    milestones, refused = run_oracle(folder)
    try:
        got, got_refused = run_slatectl(program, folder)
    except (ValueError, subprocess.TimeoutExpired) as error:
        return str(error)
    return first_difference(milestones, got) or (
        f"expected refused lines {refused}\n     got {got_refused}" if refused != got_refused else None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--keep", type=Path, default=Path("sim-difference"))
    parser.add_argument("--all", action="store_true", help="go on after a difference")
    arguments = parser.parse_args()
    program = os.environ.get("SLATECTL", "./slatectl")
    base = int(os.environ.get("SLATED_SEED") or random.SystemRandom().randrange(2**31))
    print(f"seeds {base} to {base + arguments.seeds - 1}; SLATED_SEED={base} repeats them", flush=True)
    failed = 0
    for seed in range(base, base + arguments.seeds):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            generate.generate(seed, folder)
            difference = compare(program, folder)
            if difference:
                failed += 1
                kept = arguments.keep / str(seed)
                shutil.copytree(folder, kept, dirs_exist_ok=True)
                print(f"seed {seed}, kept in {kept}:\n{difference}", flush=True)
                if not arguments.all:
                    break
    print(f"{arguments.seeds - failed} passed, {failed} failed" if arguments.all or not failed else "1 failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
