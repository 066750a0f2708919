"""Backtesting a year of tickets: `slatectl backtest` with a draft beside another configuration, over one history as NDJSON
and in the database."""
import contextlib
import csv
import datetime
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

from bench import ROOT, cell, in_turn, number, table
from database import Database
from table_replay import ticket

BEFORE, DAYS = ROOT / "bench" / "replay.conf", 365
CHANGES = {'within = "4h"': 'within = "2h"', 'within = "80h"': 'within = "60h"'}
COLUMNS = ["ticket_id", "seq", "at", "kind", "by", "public", "escalate", "status", "severity", "org", "plan", "channel",
           "product", "attributes"]
IMPORT = """
SET session_replication_role = replica;
COPY sla.ticket (id, external_id, org, plan, severity, status, channel, product, opened_at, event_seq, last_event_at)
    FROM '{folder}/tickets' (FORMAT csv);
COPY sla.event ({columns}) FROM '{folder}/events' (FORMAT csv);
RESET session_replication_role;
VACUUM ANALYZE sla.ticket, sla.event;
"""
NOTES = """
- The history: {events:,} events of {tickets:,} tickets over a year, {size:,.0f} MB as NDJSON in the order of their instants. Tickets
  are answered two or three times, some wait for the customer, all are solved; a week later they are closed, except in the
  row that says otherwise, where all stay in memory to the end.
- Both configurations are bench/replay.conf, with up to five clocks a ticket, ladders and pauses; the draft promises some of
  them sooner. Each event is played under both.
- Seconds on the clock, from the start of `slatectl backtest` to its end, the report as text included. Memory: the most that
  `slatectl` had resident.
- From the database: the server sorts the events by ticket meanwhile, with 256 MB of memory.
"""


def instants(events):
    """The events of a ticket, drawn over 90 days, over a year; it is closed a week after its end."""
    opened = events[0][0]
    start = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)
    moved = start + (opened - datetime.datetime(2026, 3, 2, tzinfo=datetime.timezone.utc)) * (DAYS / 90)
    shifted = [(at - opened + moved, name, fields) for at, name, fields in events]
    at, name, _ = shifted[-1]
    return shifted + [(at + datetime.timedelta(days=7), name, {"event": "status", "status": "closed"})]


def row_of(number, seq, at, fields):
    kind = fields["event"]
    said = {"ticket_id": number, "seq": seq, "at": at, "kind": kind, **fields}
    if kind == "opened":
        said |= {"status": "open", "attributes": json.dumps(fields["attributes"])}
    if kind == "reply":
        said |= {"public": "t", "escalate": "f"}
    return [said.get(column, "") for column in COLUMNS]


def write_history(folder, tickets):
    """The same history as NDJSON in order, as that without closing, and as rows of the database. How many events."""
    chosen, count = random.Random(7), 0
    sort = subprocess.Popen(["sort", "--stable", "--field-separator=,", "--key=1,1", "--output", folder / "closed"],
                            stdin=subprocess.PIPE, text=True, env=os.environ | {"LC_ALL": "C", "TMPDIR": str(folder)})
    with open(folder / "tickets", "w", encoding="utf-8") as heads, open(folder / "events", "w", encoding="utf-8") as rows:
        heads, rows = csv.writer(heads), csv.writer(rows)
        for n in range(1, tickets + 1):
            events = instants(ticket(chosen, n))
            opened = events[0][2]
            heads.writerow([n, f"T-{n}", opened["org"], opened["plan"], opened["severity"], "closed", opened["channel"],
                            opened["product"], events[0][0], len(events), events[-1][0]])
            for seq, (at, name, fields) in enumerate(events, 1):
                at = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
                sort.stdin.write(json.dumps({"at": at, "ticket": name} | fields) + "\n")
                rows.writerow(row_of(n, seq, at, fields))
                count += 1
    sort.stdin.close()
    if sort.wait() != 0:
        sys.exit("bench: the history could not be sorted")
    with open(folder / "open", "wb") as without:
        subprocess.run(["grep", "-v", '"status": "closed"', folder / "closed"], check=True, stdout=without)
    return count


def backtest(bench, folder, *source):
    """Seconds and bytes that a backtest takes."""
    command = [bench.build / "slatectl", "backtest", "--config", folder / "draft.conf", "--against", BEFORE, *source]
    begin = time.monotonic()
    with open(folder / "report", "w", encoding="utf-8") as report:
        process = subprocess.Popen([str(part) for part in command], stdout=report)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit("bench: slatectl backtest failed")
    return {"time": time.monotonic() - begin, "processor": usage.ru_utime + usage.ru_stime,
            "memory": usage.ru_maxrss * 1024 / 1e6}


def run(bench):
    bench.make("slatectl")
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slated-bench.", dir=bench.place)))
        folder.chmod(0o755)
        draft = BEFORE.read_text()
        for old, new in CHANGES.items():
            draft = draft.replace(old, new)
        (folder / "draft.conf").write_text(draft)
        events = write_history(folder, bench.tickets)
        size = (folder / "closed").stat().st_size / 1e6
        data = Database(bench, stack)
        data.db.run(IMPORT.format(folder=folder, columns=", ".join(COLUMNS)))
        sources = {"NDJSON": ["--events", folder / "closed"],
                   "NDJSON, nothing is ever closed": ["--events", folder / "open"],
                   "the database": ["--conninfo", data.server.conninfo()]}
        took = in_turn(bench.rounds, {name: lambda source=source: backtest(bench, folder, *source)
                                      for name, source in sources.items()})
        rows = [[name, cell(took[name]["time"]), cell(took[name]["processor"]), cell(took[name]["memory"]),
                 number(bench.tickets / min(took[name]["time"]))] for name in sources]
        text = "\n" + table(["", "seconds", "of the processor, s", "memory, MB", "tickets a second at best"], rows)
        text += NOTES.format(events=events, tickets=bench.tickets, size=size)
        bench.report("backtest", "Backtesting a year", text, data.versions())
