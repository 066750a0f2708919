#!/usr/bin/env python3
"""Promotion of a standby. An asynchronous one has lost the last commits: what was recorded in them fires again, under the
same keys. A synchronous one has lost none. The former primary comes back, and is not used any more.
"""
import pathlib
import shutil

from harness import Session, run, webhook
from history import CONFIG, History, free_port

BACK_WITHIN = 5.0
OPTIONS = "-c listen_addresses=127.0.0.1 -c fsync=off -c synchronous_commit=off -c timezone=UTC -c max_connections=60"


class Node:
    """One server of several; the first is the bench's own."""

    def __init__(self, bench, data, port):
        self.bench, self.data, self.port = bench, data, port
        self.environment = bench.server.environment | {"PGPORT": str(port)}

    def session(self):
        session = Session(self, "postgres")
        self.bench.stack.callback(session.close)
        return session

    def start(self):
        self.bench.server.run(f"pg_ctl -D {self.data} -l {self.data}/server.log -w -o '{OPTIONS} -c port={self.port} "
                              f"-c unix_socket_directories={self.bench.server.host}' start")

    def stop(self):
        """As a crash would."""
        self.bench.server.run(f"pg_ctl -D {self.data} -m immediate -w stop")

    def promote(self):
        self.bench.server.run(f"pg_ctl -D {self.data} -w promote")

    def standby(self, name, port):
        """A running copy that follows this one."""
        folder = pathlib.Path(self.bench.server.folder)
        data = folder / name
        data.mkdir(mode=0o700)
        shutil.chown(data, folder.joinpath("data").owner())
        self.bench.server.run(f"pg_basebackup -h {self.bench.server.host} -p {self.port} -U postgres -D {data} -R -X stream "
                              "-c fast")
        node = Node(self.bench, data, port)
        node.start()
        return node


def write_config(bench, receiver, *nodes):
    path = bench.folder / "cluster.conf"
    hosts, ports = ",".join("127.0.0.1" for _ in nodes), ",".join(str(node.port) for node in nodes)
    path.write_text(f'database = {{ conninfo = "host={hosts} port={ports} user=postgres dbname=postgres"; }};\n'
                    'instance = { name = "first"; };\n'
                    + CONFIG.format(channels=webhook("ops", receiver.url()), more=""))
    return path


def fail_over(bench, history, daemon, former, node, what):
    since = len(daemon.log.lines)
    former.stop()
    node.promote()
    daemon.wait_loaded(since=since)
    bench.db = node.session()
    took = history.wait_alive()
    bench.check(took < BACK_WITHIN, f"{what}: back within {BACK_WITHIN:g} s", f"{took:.1f} s")


def test_asynchronous(bench, history, daemon, primary, standby):
    copy = standby.session()
    history.write(connect=primary.session)
    history.wait_alive()
    history.stop_writers()
    # What is opened now is there on both; what becomes of it, only on the primary.
    bench.db.run("INSERT INTO sla.ticket (plan, severity) SELECT 'any', 'normal' FROM generate_series(1, 20)")
    last = bench.db.value("SELECT max(id) FROM sla.ticket")
    bench.db.wait(f"(SELECT count(*) FROM sla.ticket_state WHERE ticket_id > {last} - 20) = 20")
    copy.wait(f"(SELECT count(*) FROM sla.ticket_state WHERE ticket_id > {last} - 20) = 20")
    copy.run("ALTER SYSTEM SET primary_conninfo = ''; SELECT pg_reload_conf()")
    copy.wait("NOT EXISTS (SELECT FROM pg_stat_wal_receiver)")
    with history.away():
        bench.db.wait(f"(SELECT count(*) FROM sla.delivery_log WHERE ticket_id > {last} - 20) >= 40")
        told = {request["id"] for request in history.receiver.requests()}
        fail_over(bench, history, daemon, primary, standby, "asynchronous standby")
        bench.db.wait(f"(SELECT count(*) FROM sla.delivery_log WHERE ticket_id > {last} - 20) >= 40")
    history.write(connect=standby.session)
    history.wait_alive()
    counts = [request["id"] for request in history.receiver.requests()]
    again = {key for key in told if counts.count(key) > 1}
    bench.check(len(again) >= 20, f"asynchronous standby: {len(again)} alerts that it had lost came again, under the same keys",
                len(again))
    return told


def test_former_primary(bench, history, daemon, primary, standby):
    """It stands first in the list of hosts, and takes writes."""
    primary.start()
    former = primary.session()
    look = "SELECT (SELECT count(*) FROM sla.milestone) || ' ' || (SELECT max(seen_at) FROM sla.instance)"
    before = former.value(look)
    since = len(daemon.log.lines)
    # The daemon ends some of them itself once it notices the others: PostgreSQL warns of those.
    bench.db.run("SET client_min_messages = error")
    with history.away():
        ended = bench.db.value("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                               "WHERE application_name LIKE 'slated %'")
        bench.equal(ended, 4, "former primary: the daemon's connections to the new one are ended")
        daemon.wait_loaded(since=since)
        took = history.wait_alive()
    bench.check(took < BACK_WITHIN, f"former primary: back at the new one within {BACK_WITHIN:g} s", f"{took:.1f} s")
    bench.check(daemon.log.find("^a former primary takes writes", since), "former primary: the log says why it is not used")
    bench.equal(former.value(look), before, "former primary: nothing was written to it")
    primary.stop()


def test_synchronous(bench, history, daemon, primary, standby):
    """In the middle of the load."""
    bench.db.wait("EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')")
    history.write(writers=2, connect=primary.session)
    history.wait_alive()
    with history.away():
        fail_over(bench, history, daemon, primary, standby, "synchronous standby")
        for writer in history.writers:
            writer.connect = standby.session
    history.wait_alive()
    history.stop_writers()
    wrote = sum(writer.tickets for writer in history.writers)
    there = bench.db.value("SELECT count(*) FROM sla.ticket")
    bench.check(there >= wrote, "synchronous standby: no ticket is lost", f"{wrote} opened, {there} there")


def test(bench):
    receiver = bench.receiver()
    primary = Node(bench, f"{bench.server.folder}/data", bench.server.port)
    second = primary.standby("second", free_port())
    path = write_config(bench, receiver, primary, second)
    history = History(bench, receiver, path)
    daemon = bench.daemon(path)
    lost = test_asynchronous(bench, history, daemon, primary, second)
    test_former_primary(bench, history, daemon, primary, second)
    history.check("asynchronous standby", at_most=3, lost=lost)
    bench.stopped(daemon)

    third = second.standby("third", free_port())
    bench.db.run("ALTER SYSTEM SET synchronous_standby_names = '*'")
    bench.db.run("ALTER ROLE postgres SET synchronous_commit = 'on'; SELECT pg_reload_conf()")
    receiver = bench.receiver()
    path = write_config(bench, receiver, second, third)
    history = History(bench, receiver, path)
    daemon = bench.daemon(path)
    test_synchronous(bench, history, daemon, second, third)
    history.check("synchronous standby", at_most=3)
    bench.stopped(daemon)


if __name__ == "__main__":
    run(test)
