"""Growth: what a ticket costs where there are few and many."""
import contextlib
import signal
import time

from bench import cell, table
from database import Database, median
from table_burst import Peers
from table_change import CHANGE, Loaded, Watch

# What a ticket takes on disk, indexes included, and what it wrote there when it was opened. Measured before the rounds, which
# leave versions and gaps there.
SIZE = """
SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c
WHERE c.relnamespace = 'sla'::regnamespace AND c.relname IN ('ticket', 'ticket_state', 'clock')
"""
STARTED, TAKEN, RESIDENT, DISK = ("start, ms", "start, of the processor, us a ticket", "memory, bytes a ticket",
                                  "disk, bytes a ticket")
# Clocks that are still to move to the configuration that gives them so many microseconds.
LEFT = "SELECT FROM sla.clock WHERE ended_at IS NULL AND policy IN ('one', 'two') AND budget <> {budget}"
NOTES = """
- The last column: the median with the most tickets by that with the fewest. To be flat is to be near 1. A start has as
  much more to do as there are tickets, so its milliseconds are to grow as they do, by {times:g}.
- Start: until the daemon has loaded; its processor time and its memory are less what they are without tickets
  ({milliseconds:.0f} ms, {megabytes:.1f} MB).
- Disk: tables and indexes of tickets, states and clocks, as they are loaded.
- A change: from the writer's commit to the daemon's, as in results/change.md, at {rate} a second with the polls of that
  time. Many at once: {many:,} in one statement, from its commit until the last was taken in. Processor time is that of the
  daemon and of its sessions in the server together; it tells more than times that depend on what else runs on the machine.
- Deadlines: {burst:,} tickets beside the others are due in one instant; until the last is durable, as in results/burst.md.
- Moved: all clocks get other targets by a reload with `migrate`, once for each size; from the signal to the last commit.
  Meanwhile the daemon is asked for its health (bench/asker.c); the longest answer is that during the reload itself.
- Each size is loaded onto the one before, so sizes do not take turns; all that is measured of one comes in rounds.
- 5,000,000 and more: `bench/run growth --tickets 5000000` (8 GB in --place, a quarter of an hour).
"""
RATE = 200


def started(data, empty, tickets):
    return {STARTED: data.start() * 1000, TAKEN: (data.processor() - empty["processor"]) / tickets * 1e6,
            RESIDENT: (data.memory() - empty["memory"]) / tickets}


def changed(data, loaded, quick):
    seconds = 1 if quick else 5
    took = {"a lone change, half, ms": loaded.latency(CHANGE, "status", "('paused', 'resumed')", 3, seconds)["half"]}
    used = data.both_processors()
    took[f"{RATE} changes a second, half, ms"] = loaded.latency(
        CHANGE, "status", "('paused', 'resumed')", RATE, seconds)["half"]
    took["a change among them, of the processor, us"] = (data.both_processors() - used) / RATE / seconds * 1e6
    return took


def measure(data, loaded, peers, empty, tickets, quick, many, burst):
    took = started(data, empty, tickets)
    took.update(changed(data, loaded, quick))
    took["deadlines in one instant, the last, ms"] = peers.slated(burst, 2 if quick else 3, 0)[-1] * 1000
    took["a deadline among them, of the processor, us"] = peers.used / burst * 1e6
    late = loaded.at_once(many)
    took["a change of many at once, us"], took["the same, of the processor, us"] = late["each"], late["processor"]
    data.stop()
    return took


def moved(data, tickets, days):
    former = data.config.read_text()
    data.start()
    data.config.write_text('instance = { reload = "migrate"; };\n' + former.replace('within = "20d"', f'within = "{days}d"'))
    with Watch(data) as watch:
        begin = time.monotonic()
        data.daemon.signal(signal.SIGHUP)
        data.harness.wait_until("the clocks to move", lambda: data.daemon.log.find("^clocks have moved") or data.is_over(), 600)
        data.db.wait(f"NOT EXISTS ({LEFT.format(budget=days * 86400 * 10**6)})", 600)
        took = time.monotonic() - begin
    data.stop()
    data.config.write_text(former)
    return {"a ticket moved to a new configuration, us": took / tickets * 1e6, "longest answer meanwhile, ms": watch.longest * 1000}


def run(bench):
    steps = [500] if bench.quick else [10000, 100000, 1000000]
    sizes = [tickets for tickets in steps if tickets < bench.tickets] + [bench.tickets]
    many, burst = (300, 100) if bench.quick else (10000, 2000)
    with contextlib.ExitStack() as stack:
        data = Database(bench, stack)
        data.start()
        empty = {"memory": data.memory(), "processor": data.processor()}
        data.stop()
        peers, columns = Peers(data), []
        for tickets in sizes:
            data.load(tickets)
            loaded, took = Loaded(data, bench.quick), {DISK: [data.db.value(SIZE) / tickets]}
            for _ in range(bench.rounds):
                for name, value in measure(data, loaded, peers, empty, tickets, bench.quick, many, burst).items():
                    took.setdefault(name, []).append(value)
            took.update({name: [value] for name, value in moved(data, tickets, 19 - len(columns)).items()})
            columns.append(took)
        rows = [[name, *(cell(took[name]) for took in columns), f"{median(columns[-1][name]) / median(columns[0][name]):.2f}"]
                for name in columns[0]]
        text = "\n" + table(["", *(f"{tickets:,} tickets" for tickets in sizes), "last by first"], rows)
        text += NOTES.format(many=many, burst=burst, rate=RATE, times=sizes[-1] / sizes[0],
                             milliseconds=empty["processor"] * 1000, megabytes=empty["memory"] / 1e6)
        bench.report("growth", "Growth with the number of open tickets", text, data.versions())
