#!/usr/bin/env python3
"""A Patroni cluster with etcd: a switchover, and kill -9 of the leader, under load. It takes two minutes, as Patroni gives a
dead leader 20 s, so it runs where SLATED_LONG is set. It needs the packages patroni and etcd-server.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from harness import BUILD, Failure, Session, Skip, run, wait_until, webhook
from history import CONFIG, History, free_port

BACK_WITHIN = 5.0
NODE = """
scope: slated
name: {name}
restapi: {{listen: '127.0.0.1:{rest}', connect_address: '127.0.0.1:{rest}'}}
etcd3: {{host: '127.0.0.1:{etcd}'}}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 5
    synchronous_mode: {synchronous}
    postgresql: {{use_pg_rewind: true, parameters: {{wal_log_hints: 'on', fsync: 'off', max_connections: 60}}}}
  initdb: [{{encoding: UTF8}}, {{locale: C.UTF-8}}, {{auth: trust}}]
postgresql:
  listen: 127.0.0.1:{port}
  connect_address: 127.0.0.1:{port}
  data_dir: {folder}/{name}
  bin_dir: {programs}
  pgpass: {folder}/{name}.pgpass
  authentication: {{superuser: {{username: postgres, password: x}}, replication: {{username: rep, password: x}}}}
  parameters: {{unix_socket_directories: '{folder}', timezone: UTC}}
  pg_hba: ['local all all trust', 'host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust']
"""


class Cluster:
    """etcd and two nodes, in a folder of the server's user."""

    def __init__(self, bench):
        for program in "patroni", "etcd", "patronictl":
            if shutil.which(program) is None:
                raise Skip(f"no {program}")
        self.bench = bench
        self.owner = pathlib.Path(bench.server.folder, "data").owner()
        self.folder = pathlib.Path(bench.server.folder) / "cluster"
        self.folder.mkdir()
        shutil.chown(self.folder, self.owner)
        self.port, self.rest, self.processes = {}, {}, {}
        etcd, peer = free_port(), free_port()
        here, there = f"http://127.0.0.1:{etcd}", f"http://127.0.0.1:{peer}"
        self.start("etcd", ["etcd", "--data-dir", f"{self.folder}/etcd", "--listen-client-urls", here,
                            "--advertise-client-urls", here, "--listen-peer-urls", there,
                            "--initial-advertise-peer-urls", there, "--initial-cluster", f"default={there}"])
        for name in "one", "two":
            self.port[name], self.rest[name] = free_port(), free_port()
            (self.folder / f"{name}.yml").write_text(NODE.format(
                name=name, rest=self.rest[name], etcd=etcd, port=self.port[name], folder=self.folder,
                programs=bench.server.programs, synchronous="true"))
            self.start_node(name)
            wait_until(f"node {name}", lambda: self.is_("leader", name) or self.is_("replica", name), 60)
        self.environment = bench.server.environment | {
            "PGHOST": "127.0.0.1,127.0.0.1", "PGPORT": f"{self.port['one']},{self.port['two']}",
            "PGTARGETSESSIONATTRS": "read-write", "PGCONNECT_TIMEOUT": "2"}

    def start(self, name, command):
        with (self.folder / f"{name}.log").open("a") as log:
            if os.getuid() == 0:
                command = ["setpriv", f"--reuid={self.owner}", f"--regid={self.owner}", "--clear-groups",
                           "--pdeathsig", "keep", *command]
            self.processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                    cwd="/", start_new_session=True)

    def start_node(self, name):
        self.start(name, ["patroni", f"{self.folder}/{name}.yml"])

    def is_(self, role, name):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.rest[name]}/{role}", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def leader(self):
        return wait_until("a leader", lambda: next((name for name in self.port if self.is_("leader", name)), None), 90)

    def wait_synchronous(self):
        wait_until("a synchronous standby", lambda: any(self.is_("synchronous", name) for name in self.port), 90)

    def switch_over(self):
        leader = self.leader()
        other = next(name for name in self.port if name != leader)
        done = subprocess.run(["patronictl", "-c", f"{self.folder}/{leader}.yml", "switchover", "--leader", leader,
                               "--candidate", other, "--force"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"patronictl: {done.stdout}{done.stderr}")

    def kill(self, name):
        """Patroni and its server, at once."""
        pid = int((self.folder / name / "postmaster.pid").read_text().split()[0])
        os.kill(self.processes[name].pid, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        self.processes[name].wait()

    def session(self):
        session = Session(self, "postgres")
        self.bench.stack.callback(session.close)
        return session

    def close(self):
        for name in "one", "two", "etcd":
            process = self.processes.get(name)
            if process is None or process.poll() is not None:
                continue
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            if process.poll() is None:
                process.kill()
                process.wait()


def wait_back(bench, history, cluster, daemon, since, what):
    leader = cluster.leader()
    wait_until("a leader that takes writes", lambda: takes_writes(cluster), 90)
    begin = time.monotonic()
    daemon.wait_loaded(since=since)
    bench.db = cluster.session()
    history.wait_alive()
    took = time.monotonic() - begin
    bench.check(took < BACK_WITHIN, f"{what}: back within {BACK_WITHIN:g} s of the new leader {leader}", f"{took:.1f} s")
    bench.note(f"{what}: back {took:.1f} s after the new leader took writes")


def takes_writes(cluster):
    try:
        return cluster.session().value("SELECT NOT pg_is_in_recovery()")
    except Exception:  # psql found no such server
        return False


def test(bench):
    cluster = Cluster(bench)
    bench.stack.callback(cluster.close)
    cluster.leader()
    cluster.wait_synchronous()
    hosts = "host=127.0.0.1,127.0.0.1 port={},{} user=postgres dbname=postgres".format(*cluster.port.values())
    done = subprocess.run([BUILD / "slatectl", "migrate", "--conninfo", f"{hosts} target_session_attrs=read-write"],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"slatectl migrate: {done.stderr}")
    receiver = bench.receiver()
    path = bench.folder / "patroni.conf"
    path.write_text(f'database = {{ conninfo = "{hosts}"; }};\ninstance = {{ name = "first"; }};\n'
                    + CONFIG.format(channels=webhook("ops", receiver.url()), more=""))
    bench.db = cluster.session()
    history = History(bench, receiver, path)
    daemon = bench.daemon(path)
    history.write(writers=2, connect=cluster.session)
    history.wait_alive()
    since = len(daemon.log.lines)
    with history.away():
        cluster.switch_over()
        wait_back(bench, history, cluster, daemon, since, "switchover")
    cluster.wait_synchronous()
    since = len(daemon.log.lines)
    dead = cluster.leader()
    with history.away():
        cluster.kill(dead)
        wait_back(bench, history, cluster, daemon, since, "kill -9 of the leader")
    cluster.start_node(dead)
    wait_until("the dead leader as a standby", lambda: cluster.is_("replica", dead), 90)
    history.wait_alive()
    history.stop_writers()
    wrote = sum(writer.tickets for writer in history.writers)
    there = bench.db.value("SELECT count(*) FROM sla.ticket")
    bench.check(there >= wrote, "no ticket is lost, as the standby is synchronous", f"{wrote} opened, {there} there")
    history.check("Patroni", at_most=5)
    bench.stopped(daemon)


if __name__ == "__main__":
    if not os.environ.get("SLATED_LONG"):
        print("skipped: it takes long; set SLATED_LONG")
        sys.exit(77)
    run(test)
