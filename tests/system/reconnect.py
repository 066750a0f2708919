#!/usr/bin/env python3
"""The database goes away and comes back while tickets come: nothing is lost, nothing is done twice.

SLATED_LONG crashes the server 20 times instead of twice.
"""
import os
import time

from harness import run
from history import History, write_config

BACK_WITHIN = 5.0
CRASHES = 20 if os.environ.get("SLATED_LONG") else 2


def test(bench):
    receiver = bench.receiver()
    path = write_config(bench, receiver)
    history = History(bench, receiver, path)
    daemon = bench.daemon(path)
    history.write()
    bench.db.wait("(SELECT count(*) FROM sla.delivery_log) > 10")

    for name in ("slated feed", "slated ledger", "slated outbox"):
        with history.away():
            pid = bench.db.value(f"SELECT pid FROM pg_stat_activity WHERE application_name = '{name}'")
            bench.equal(bench.db.value(f"SELECT pg_terminate_backend({pid})"), True, f"{name}: its connection is ended")
            bench.db.wait(f"EXISTS (SELECT FROM pg_stat_activity WHERE application_name = '{name}' AND pid <> {pid})")
            took = history.wait_alive()
        bench.check(took < BACK_WITHIN, f"{name}: back within {BACK_WITHIN:g} s", f"{took:.1f} s")

    back = []
    for _ in range(CRASHES):
        since = len(daemon.log.lines)
        with history.away():
            bench.server.restart()
            returned = time.monotonic()
            daemon.wait_loaded(since=since)
            back.append(time.monotonic() - returned)
            if back[-1] > BACK_WITHIN:
                bench.note("\n#   ".join(line for line in daemon.log.lines[since:] if "ticket=" not in line))
            bench.db = bench.session()
            history.wait_alive()
    bench.check(max(back) < BACK_WITHIN, f"{CRASHES} crashes of the server: back within {BACK_WITHIN:g} s each time",
                f"{max(back):.1f} s")
    bench.note(f"back after {max(back):.2f} s at most")
    lost = sum(writer.lost for writer in history.writers)
    bench.check(lost >= CRASHES, "the writer lost its connection each time and went on", lost)
    history.check("reconnect", at_most=3)
    bench.stopped(daemon)


if __name__ == "__main__":
    run(test)
