"""Growth: what a ticket costs where there are few and many."""
import contextlib

from bench import cell, table
from database import Database
from table_change import CHANGE, Loaded

NOTES = """
- Start, of the processor: the daemon's own time until it has loaded. Memory: resident, less what it has without tickets. A
  change: from the writer's commit to the daemon's. Backlog: {backlog:,} changes taken in, without the load.
- Each size is loaded onto the one before, so sizes do not take turns; all that is measured of one comes in rounds.
"""


def measure(data, loaded, empty, tickets, quick, backlog):
    waited = data.start()
    took = {"start, seconds": waited, "start, of the processor, us a ticket": data.processor() / tickets * 1e6,
            "memory, bytes a ticket": (data.memory() - empty) / tickets}
    for rate, name in ((3, "a lone change, half, ms"), (200, "200 changes a second, half, ms")):
        took[name] = loaded.latency(CHANGE, "status", "('paused', 'resumed')", rate, 2 if quick else 5)["half"]
    late = loaded.backlog(backlog)
    took["backlog, events a second"] = late["after"]
    data.stop()
    return took


def run(bench):
    sizes = [500, bench.tickets] if bench.quick else [10000, 100000, bench.tickets]
    backlog = 300 if bench.quick else 10000
    with contextlib.ExitStack() as stack:
        data = Database(bench, stack)
        data.start()
        empty = data.memory()
        data.stop()
        columns = []
        for tickets in sizes:
            data.load(tickets)
            took = {}
            for _ in range(bench.rounds):
                loaded = Loaded(data, bench.quick)
                for name, value in measure(data, loaded, empty, tickets, bench.quick, backlog).items():
                    took.setdefault(name, []).append(value)
            columns.append(took)
        rows = [[name, *(cell(took[name]) for took in columns)] for name in columns[0]]
        text = "\n" + table(["", *(f"{tickets:,} tickets" for tickets in sizes)], rows) + NOTES.format(backlog=backlog)
        bench.report("growth", "Growth with the number of open tickets", text, data.versions())
