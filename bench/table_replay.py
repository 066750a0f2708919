"""Replaying a history: `slatectl simulate` beside jansson reading the same lines, and the engine fed from memory."""
import datetime
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

from bench import ROOT, cell, in_turn, output, package, table

POLICIES = {name: ROOT / name for name in ("conf/policies/neon.conf", "bench/replay.conf")}
PLANS = ["free", "launch", "scale", "business", "enterprise-standard", "enterprise-gold", "enterprise-platinum"]
START = datetime.datetime(2026, 3, 2, tzinfo=datetime.timezone.utc)
TEXT = "We are looking into it and will be back with more within the hour."

NOTES = """
- The history: {events:,} events of {tickets:,} tickets over 90 days, {size:.0f} MB, in the order of their instants.
  Most tickets are answered two or three times, some wait for the customer, all are solved. It is played by a published
  policy, whose clocks are few, and by one with up to five clocks a ticket, ladders and pauses.
- Processor time of whole processes, starting and reading the policy included; what `simulate` writes goes to /dev/null.
- From memory: the events are there as the engine takes them, its milestones are counted and thrown away. Timers,
  calendars and the wheel are in it, text is not.
"""


def ticket(chosen, number):
    """One ticket's events: its opening, answers, waits, its end."""
    at = START + datetime.timedelta(seconds=chosen.random() * 90 * 86400)
    opened = {"event": "opened", "org": f"org {chosen.randrange(2000)}", "plan": chosen.choice(PLANS),
              "severity": chosen.choice(["critical", "high", "normal", "low"]),
              "channel": chosen.choice(["console", "email", "chat"]),
              "product": chosen.choice(["postgres", "console", "api"]),
              "attributes": {"licence": "enterprise"}}
    events = [(at, opened)]
    for _ in range(chosen.randrange(1, 5)):
        at += datetime.timedelta(seconds=chosen.expovariate(1 / 20000))
        events.append((at, {"event": "reply", "by": chosen.choice(["agent", "customer"]), "text": TEXT}))
        if chosen.random() < 0.3:
            at += datetime.timedelta(seconds=chosen.expovariate(1 / 2000))
            events.append((at, {"event": "status", "status": chosen.choice(["pending", "open", "on_hold"])}))
    at += datetime.timedelta(seconds=chosen.expovariate(1 / 50000))
    events.append((at, {"event": "status", "status": "solved"}))
    return [(at, f"T-{number}", fields) for at, fields in events]


def write_history(path, tickets):
    """Returns how many events."""
    chosen = random.Random(7)
    events = [event for number in range(tickets) for event in ticket(chosen, number)]
    events.sort(key=lambda event: event[0])
    with open(path, "w", encoding="utf-8") as file:
        for at, name, fields in events:
            file.write(json.dumps({"at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "ticket": name} | fields) + "\n")
    return len(events)


def processor_time(history, *command):
    """Seconds of the processor that a program takes to read the history."""
    with open(history, "rb") as events:
        process = subprocess.Popen([str(part) for part in command], stdin=events, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench: {command[0]} failed")
    return usage.ru_utime + usage.ru_stime


def run(bench):
    bench.make("slatectl", "bench/replay_parse", "bench/replay_engine")
    tickets = 1000 if bench.quick else 60000
    with tempfile.TemporaryDirectory(prefix="slated-bench.") as folder:
        history = pathlib.Path(folder) / "history"
        events = write_history(history, tickets)
        size = history.stat().st_size / 1e6

        def from_memory(policy):
            with open(history, "rb") as lines:
                rate, milestones = output(bench.build / "bench" / "replay_engine", policy, stdin=lines).split()
            return {"rate": float(rate), "milestones": int(milestones)}

        peers = {"parse": lambda: {"time": processor_time(history, bench.build / "bench" / "replay_parse")}}
        for name, policy in POLICIES.items():
            peers[f"simulate, {name}"] = lambda policy=policy: {
                "time": processor_time(history, bench.build / "slatectl", "simulate", "--config", policy)}
            peers[f"from memory, {name}"] = lambda policy=policy: from_memory(policy)
        took = in_turn(bench.rounds, peers)

    parse = took["parse"]["time"]
    rows = [["jansson, parsing the lines and nothing else", cell([events / time for time in parse]), "1", "-"]]
    for name in POLICIES:
        times = took[f"simulate, {name}"]["time"]
        ratios = [time / least for time, least in zip(times, parse)]
        milestones = f"{took[f'from memory, {name}']['milestones'][0]:,}"
        rows.append([f"slatectl simulate, {name}", cell([events / time for time in times]), cell(ratios), milestones])
    for name in POLICIES:
        rows.append([f"the engine from memory, {name}", cell(took[f"from memory, {name}"]["rate"]), "-",
                     f"{took[f'from memory, {name}']['milestones'][0]:,}"])
    text = "\n" + table(["", "events a second", "times the parsing", "milestones"], rows)
    text += NOTES.format(events=events, tickets=tickets, size=size)
    bench.report("replay", "Replaying a history", text, [f"jansson {package('libjansson-dev')}"])
