#!/usr/bin/env python3
"""A database that answers, but not as it should: locks, statement_timeout, tables that are missing or altered, a role
without its rights, a full disk. The log says what is wrong, nothing spins, and once it is mended the daemon goes on by
itself with nothing lost.

SLATED_LONG lets each last for 30 s.
"""
import contextlib
import os
import pathlib
import shutil
import time

from harness import LIBC, run, webhook
from history import CONFIG, History

LASTS = 30.0 if os.environ.get("SLATED_LONG") else 2.5
# A pause of the daemon's, a load and the first message.
BACK_WITHIN = 6.0
TIMEOUT = 1
CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
FULL_MIB = 32


def write_config(bench, receiver):
    path = bench.folder / "role.conf"
    path.write_text(f'database = {{ conninfo = "{bench.server.conninfo("slated")}"; timeout = "{TIMEOUT}s"; }};\n'
                    'instance = { name = "first"; };\n'
                    + CONFIG.format(channels=webhook("ops", receiver.url()), more=""))
    return path


def cpu_seconds(daemon):
    fields = pathlib.Path(f"/proc/{daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def trouble(bench, history, daemon, what, message):
    """The body begins the trouble, waits, and ends it."""
    since = len(daemon.log.lines)
    with history.away():
        cpu, begin = cpu_seconds(daemon), time.monotonic()

        def last():
            daemon.log.wait(message, since)
            bench.db.run(f"SELECT pg_sleep({max(0.0, LASTS - (time.monotonic() - begin)):.3f})")

        yield last
        lasted = time.monotonic() - begin
        spent = cpu_seconds(daemon) - cpu
        lines = [line for line in daemon.log.lines[since:] if " error=" in line]
        took = history.wait_alive()
    bench.note(f"{what}: for {lasted:.1f} s, {len(lines)} lines, {spent:.2f} s of CPU, back after {took:.1f} s")
    for line in lines[:3]:
        bench.note(f"    {line}")
    bench.check(took < BACK_WITHIN, f"{what}: back within {BACK_WITHIN:g} s", f"{took:.1f} s")
    # Each connection, in one wording or two, and of two statements by which it begins anew what it was and what comes of it.
    bench.check(len(lines) <= 8 + lasted / 10, f"{what}: a few lines in the log", lines)
    bench.check(spent < 0.5 + lasted / 5, f"{what}: it does not spin", f"{spent:.2f} s of CPU in {lasted:.1f} s")


def test_lock(bench, history, daemon, mode):
    other = bench.session()
    with trouble(bench, history, daemon, f"lock in {mode} mode", "waits for a lock") as last:
        other.run(f"BEGIN; LOCK TABLE sla.clock IN {mode} MODE")
        last()
        waiting = bench.db.value("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'slated %' AND "
                                 "wait_event_type = 'Lock'")
        other.run("COMMIT")
    bench.check(waiting <= 4, f"lock in {mode} mode: those that were given up do not wait on", waiting)
    other.close()


def end_sessions(bench):
    bench.db.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'slated %'")


def test_statements(bench, history, daemon):
    with trouble(bench, history, daemon, "statement_timeout", "statement timeout.*is too short") as last:
        bench.db.run("ALTER ROLE slated SET statement_timeout = '1ms'")
        end_sessions(bench)
        last()
        bench.db.run("ALTER ROLE slated RESET statement_timeout")
    for what, breaks, mends, message in (
            ("table missing", "ALTER TABLE sla.milestone RENAME TO gone", "ALTER TABLE sla.gone RENAME TO milestone",
             'sla.milestone.* does not exist.*slatectl migrate'),
            ("table altered", "ALTER TABLE sla.clock RENAME COLUMN budget TO gone",
             "ALTER TABLE sla.clock RENAME COLUMN gone TO budget", "budget.*does not exist.*slatectl migrate"),
            ("deliveries missing", "ALTER TABLE sla.delivery RENAME TO gone", "ALTER TABLE sla.gone RENAME TO delivery",
             'sla.delivery.* does not exist.*slatectl migrate'),
            ("no rights", "REVOKE sla_daemon FROM slated", "GRANT sla_daemon TO slated",
             "permission denied.*grant role sla_daemon")):
        with trouble(bench, history, daemon, what, message) as last:
            bench.db.run(breaks)
            last()
            bench.db.run(mends)


def private_mounts():
    """What is mounted from now on is seen by this process and its children only, and goes with them."""
    return LIBC.unshare(CLONE_NEWNS) == 0 and LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0


def mount_small(folder):
    folder.mkdir()
    return LIBC.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, f"size={FULL_MIB}m,mode=700".encode()) == 0


def test_disk(bench, history, daemon, folder):
    """The milestones are on a small disk of their own."""
    bench.db.run(f"CREATE TABLESPACE small LOCATION '{folder}'")
    with history.away():
        bench.db.run("SET lock_timeout = '5s'; ALTER TABLE sla.milestone SET TABLESPACE small; RESET lock_timeout")
        history.wait_alive()
    with trouble(bench, history, daemon, "disk full", "No space left on device.*make room") as last:
        filler = folder / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        last()
        filler.unlink()


def test(bench):
    receiver = bench.receiver()
    bench.db.run("CREATE ROLE slated LOGIN; GRANT sla_daemon TO slated")
    folder = pathlib.Path(bench.server.folder) / "small"
    disk = MOUNTS and mount_small(folder)
    if disk:
        shutil.chown(folder, pathlib.Path(bench.server.folder, "data").owner())
    else:
        bench.note("disk full: skipped, as nothing can be mounted here")
    path = write_config(bench, receiver)
    history = History(bench, receiver, path)
    daemon = bench.daemon(path)
    history.write()
    history.wait_alive()
    test_lock(bench, history, daemon, "ACCESS EXCLUSIVE")
    test_lock(bench, history, daemon, "EXCLUSIVE")
    test_statements(bench, history, daemon)
    if disk:
        test_disk(bench, history, daemon, folder)
    history.check("server trouble", at_most=3)
    bench.stopped(daemon)


if __name__ == "__main__":
    # Before the server starts, which is to see them.
    MOUNTS = private_mounts()
    run(test)
