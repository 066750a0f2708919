#!/usr/bin/env python3
"""What a service manager hears: ready once loaded, a status that follows the work and comes at most once a second, the
watchdog also without a database, a reload around which the word that ends a start is not said too early, the end."""
import signal
import socket
import threading
import time

from harness import run, wait_until

CONFIG = """
policies = ( { name = "all"; targets = (
    { metric = "first_response"; within = "1500ms"; at_risk = [ "50%" ]; }, { metric = "resolution"; within = "1h"; } ); } );
""".replace("1500ms", "2s")
WATCHDOG_US = 3_000_000


class Manager:
    """The socket, and what came over it: (seconds, assignment)."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.heard = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            text = self.socket.recv(4096).decode()
            now = time.monotonic()
            self.heard += [(now, line) for line in text.splitlines()]

    def wait(self, start, since=0):
        return wait_until(f"a notification {start}...",
                          lambda: next((line for _, line in self.heard[since:] if line.startswith(start)), None))

    def times(self, start, since=0):
        return [at for at, line in self.heard[since:] if line.startswith(start)]

    def mark(self):
        return len(self.heard)


def test(bench):
    manager = Manager(bench.folder / "notify")
    bench.server.environment |= {"NOTIFY_SOCKET": str(bench.folder / "notify"), "WATCHDOG_USEC": str(WATCHDOG_US)}
    path = bench.write_config(CONFIG)

    first = bench.daemon(path)
    manager.wait("READY=1")
    manager.wait("STATUS=0 tickets, 0 clocks, 0 at risk, 0 breached; nothing is due")
    bench.db.insert("ticket", severity="high")
    manager.wait("STATUS=1 tickets, 2 clocks, 0 at risk, 0 breached; next 2")
    manager.wait("STATUS=1 tickets, 2 clocks, 1 at risk, 0 breached; next 2")
    manager.wait("STATUS=1 tickets, 2 clocks, 0 at risk, 1 breached; next 2")
    bench.db.run("UPDATE sla.ticket SET status = 'solved'")
    manager.wait("STATUS=1 tickets, 0 clocks, 0 at risk, 0 breached; nothing is due")
    told = manager.times("STATUS=")
    # The first of them comes when it is loaded, between two looks.
    bench.check(all(b - a > 0.5 for a, b in zip(told[1:], told[2:])), "a status at most once a second", told)

    mark = manager.mark()
    first.signal(signal.SIGHUP)
    manager.wait("RELOADING=1", mark)
    manager.wait("READY=1", mark)
    path.write_text(path.read_text() + "whatever = 1;\n")
    first.signal(signal.SIGHUP)
    manager.wait("STATUS=1 tickets, 0 clocks, 0 at risk, 0 breached; nothing is due; lag 0 ms; a reload was refused", mark)
    bench.write_config(CONFIG)

    # One that stands by is not ready, and asks for time.
    mark = manager.mark()
    bench.hang(first)
    second = bench.daemon(bench.write_config(CONFIG, "second.conf", "second"), loaded=False)
    manager.wait("STATUS=standing by", mark)
    manager.wait("EXTEND_TIMEOUT_USEC=", mark)
    second.signal(signal.SIGHUP)
    second.log.wait("^reload")
    bench.check(not manager.times("READY=1", mark) and not manager.times("RELOADING=1", mark),
                "a reload says nothing of ready before the start has ended")
    bench.equal(sum("other daemons hold all shards" in line for line in second.log.lines), 1,
                "a daemon that stands by says so once")
    second.kill()
    first.signal(signal.SIGCONT)

    mark = manager.mark()
    bench.server.close()
    lost = wait_until("the lost database's status", lambda: manager.times("STATUS=not working: ", mark))[0]
    wait_until("the watchdog to be fed for longer than its limit without a database",
               lambda: any(at > lost + 1.2 * WATCHDOG_US / 1e6 for at in manager.times("WATCHDOG=1", mark)))
    fed = manager.times("WATCHDOG=1")
    bench.check(max(b - a for a, b in zip(fed, fed[1:])) < WATCHDOG_US / 1e6, "the watchdog is always fed in time")

    mark = manager.mark()
    first.stop()
    manager.wait("STOPPING=1", mark)


run(test)
