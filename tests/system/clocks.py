#!/usr/bin/env python3
"""Clocks that are wrong. The database's rules: that of the daemon's host may be hours off and be set while it runs. Where
the database's own is set back, nothing is recorded before its instant by it; where it is set ahead, what is due then fires.
"""
import mmap
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time

from harness import HERE, run
from history import History, write_config

HOUR = 3600 * 1_000_000
BACK = -3_000_000


class Skew:
    """How far the clock of the programs that it is preloaded into is off, in microseconds."""

    def __init__(self, path, library):
        self.path, self.library = path, library
        with path.open("wb") as file:
            file.write(bytes(mmap.PAGESIZE))
        path.chmod(0o644)
        with path.open("r+b") as file:
            self.map = mmap.mmap(file.fileno(), 8)

    def set(self, us):
        self.map[:8] = struct.pack("q", us)

    def environment(self):
        return {"LD_PRELOAD": str(self.library), "SLATED_SKEW": str(self.path)}


def under(bench, skew):
    # A sanitizer wants to be the first of all libraries, but does not need to.
    sanitizer = {"ASAN_OPTIONS": f"log_path={bench.folder}/sanitizer:verify_asan_link_order=0"}
    return ("env", *(f"{name}={value}" for name, value in (skew.environment() | sanitizer).items()))


def test_host(bench, history, path, skew):
    """An hour ahead, then two hours back."""
    skew.set(HOUR)
    daemon = bench.daemon(path, under=under(bench, skew))
    history.write()
    history.wait_alive()
    skew.set(-HOUR)
    history.wait_alive()
    skew.set(0)
    history.wait_alive()
    test_set(bench, history, daemon)
    bench.check(daemon.log.find("clock was stepped") is None, "the host's clock: hours off, and nobody cares",
                daemon.log.find("clock was stepped"))
    history.stop_writers()
    return daemon


def test_set(bench, history, daemon):
    """The kernel cancels a timer (TFD_TIMER_CANCEL_ON_SET) whenever the clock is set, be it to what it shows already."""
    since = len(daemon.log.lines)
    try:
        time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME))
    except PermissionError:
        bench.note("no right to set the host's clock here: the daemon was not seen to notice that")
        return
    daemon.log.wait("the host's clock was set", since)
    took = history.wait_alive()
    bench.check(took < 5, "the host's clock is set: noticed, and a ticket is taken up within 5 s", f"{took:.1f} s")


def test_database(bench, history, daemon, skew):
    bench.db.wait("NOT EXISTS (SELECT FROM sla.ticket t LEFT JOIN sla.ticket_state s ON s.ticket_id = t.id WHERE "
                  "s.applied_seq IS DISTINCT FROM t.event_seq)")
    for us, what in (BACK, "set back"), (0, "set ahead"):
        since = len(daemon.log.lines)
        with history.away():
            bench.db.run("INSERT INTO sla.ticket (plan, severity) SELECT 'any', 'normal' FROM generate_series(1, 50)")
            last = bench.db.value("SELECT max(id) FROM sla.ticket")
            bench.db.wait(f"(SELECT count(*) FROM sla.clock WHERE ticket_id > {last} - 50) = 100")
            skew.set(us)
            daemon.log.wait("the database's clock was stepped", since)
            bench.db.wait(f"(SELECT count(*) FROM sla.clock WHERE state = 'breached' AND ticket_id > {last} - 50) = 100")
        early = bench.db.value(f"SELECT count(*) FROM sla.milestone WHERE ticket_id > {last} - 50 AND recorded_at < at")
        bench.equal(early, 0, f"the database's clock is {what} by 3 s: nothing is early by it")


def test(bench):
    for name in "LD_PRELOAD", "SLATED_SKEW":
        del os.environ[name], bench.server.environment[name]
    receiver = bench.receiver()
    path = write_config(bench, receiver)
    history = History(bench, receiver, path)
    daemon = test_host(bench, history, path, Skew(FOLDER / "host", LIBRARY))
    test_database(bench, history, daemon, SERVER)
    history.check("clocks", at_most=2)
    bench.stopped(daemon)


if __name__ == "__main__":
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        print("skipped: no C compiler, for what is preloaded to skew clocks")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="slated-clocks.") as folder:
        FOLDER = pathlib.Path(folder)
        FOLDER.chmod(0o755)
        LIBRARY = FOLDER / "skew.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", LIBRARY, HERE / "skew.c", "-ldl"], check=True)
        SERVER = Skew(FOLDER / "server", LIBRARY)
        os.environ.update(SERVER.environment())
        os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        run(test)
