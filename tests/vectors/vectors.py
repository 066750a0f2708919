"""The vectors against slatectl simulate, and against the slow counter. The program is $SLATECTL, default ./slatectl."""
import json
import os
import pathlib
import subprocess
import sys

import count

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = os.environ.get("SLATECTL", "./slatectl")


def in_order(milestones):
    """Those of one instant may come in any order."""
    return sorted(milestones, key=lambda m: (m["at"], json.dumps(m, sort_keys=True)))


def simulate(configuration, cases):
    """{case: milestones, without escalations}: all cases in one run, as tickets are independent."""
    events = sorted(({"ticket": case["case"]} | event for case in cases for event in case["events"]), key=lambda e: e["at"])
    last = max(case["until"] for case in cases)
    done = subprocess.run([PROGRAM, "simulate", "--config", configuration, "--until", last], capture_output=True, text=True, check=False,
                          input="".join(json.dumps(event) + "\n" for event in events))
    if done.returncode != 0:
        sys.exit(f"slatectl simulate --config {configuration}: {done.stderr}")
    until = {case["case"]: case["until"] for case in cases}
    milestones = {name: [] for name in until}
    for line in done.stdout.splitlines():
        milestone = json.loads(line)
        name = milestone.pop("ticket")
        if milestone["milestone"] != "escalated" and milestone["at"] <= until[name]:
            milestones[name].append(milestone)
    return milestones


def first_difference(wanted, got):
    for one, other in zip(in_order(wanted), in_order(got)):
        if one != other:
            return f"expected {json.dumps(one)}\n     got {json.dumps(other)}"
    if len(wanted) != len(got):
        longer = in_order(max(wanted, got, key=len))
        return f"expected {len(wanted)} milestones, got {len(got)}: {json.dumps(longer[min(len(wanted), len(got))])}"
    return None


def check(path):
    """(passed, failed)"""
    cases = [json.loads(line) for line in path.read_text().splitlines()]
    failed = set()
    for name in sorted({case["policy"] for case in cases}):
        description = json.loads((HERE / "policies" / f"{name}.json").read_text())
        policies = count.Policies(description)
        mine = [case for case in cases if case["policy"] == name]
        simulated = simulate(HERE.parent.parent / description["configuration"], mine)
        for case in mine:
            for who, got in (("slatectl", simulated[case["case"]]), ("counter", count.count(policies, case))):
                difference = first_difference(case["milestones"], got)
                if difference:
                    failed.add(case["case"])
                    print(f"FAILED - {path.name}, {case['case']}, {who}:\n{difference}")
    return len(cases) - len(failed), len(failed)


def main():
    sums = [check(path) for path in sorted(HERE.glob("*.ndjson"))]
    passed, failed = (sum(column) for column in zip(*sums))
    if passed + failed < 100:
        print("vectors are missing")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
