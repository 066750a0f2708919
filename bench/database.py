"""A private PostgreSQL and the daemon, for the benchmarks that need both: many tickets, what was committed when, what it
took of the processor."""
import contextlib
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

from bench import ROOT, output

# Commits are durable and their instants kept. A million tickets fit into the caches, as on a server of 16 GB that follows the
# manual (a quarter of the memory); they do not by default.
SETTINGS = ["fsync=on", "synchronous_commit=on", "full_page_writes=on", "track_commit_timestamp=on", "shared_buffers=4GB",
            "max_wal_size=8GB", "checkpoint_timeout=30min", "max_connections=100", "jit=off"]
CONFIG = """
policies = (
    {{ name = "one"; match = {{ plan = "one"; }}; targets = (
        {{ metric = "resolution"; severity = "critical"; within = "1h"; }},
        {{ metric = "resolution"; within = "20d"; at_risk = [ "75%" ]; pause_on = [ "pending" ]; }} ); }},
    {{ name = "two"; match = {{ plan = "two"; }}; targets = (
        {{ metric = "first_response"; within = "20d"; at_risk = [ "75%" ]; pause_on = [ "pending" ]; }},
        {{ metric = "resolution"; within = "20d"; at_risk = [ "75%" ]; pause_on = [ "pending" ]; }} ); }},
    {{ name = "burst"; match = {{ plan = "burst"; }}; escalation = "alert"; targets = (
        {{ metric = "first_response"; within = "1h"; }} ); }} );
escalations = {{ alert = ( {{ on = "breached"; notify = "there"; }} ); }};
channels = {{ there = {{ type = "webhook"; url = "http://127.0.0.1:{port}/"; secret_file = "secret"; }}; }};
http = {{ listen = [ "unix:{folder}/http" ]; }};
"""
# Tickets that are opened by a daemon, once for each plan, and then copied: their instants are moved into the past.
COPIES = """
SET session_replication_role = replica;
INSERT INTO sla.ticket (source, external_id, org, plan, severity, event_seq, last_event_at, opened_at)
SELECT 'load', n::text, 'org ' || n % 2000, CASE n % 2 WHEN 0 THEN 'one' ELSE 'two' END, 'normal', 1, at, at
FROM generate_series({first}, {last}) AS n, LATERAL (SELECT now() - n::bigint * 7919 % 900000 * interval '1 s' AS at) AS s;
CREATE TEMP TABLE made AS SELECT t.id, t.org, p.ticket_id AS like_id, t.opened_at, p.opened_at - t.opened_at AS ago
FROM sla.ticket t JOIN sla.ticket_state p ON p.plan = t.plan AND p.ticket_id IN
    (SELECT id FROM sla.ticket WHERE source = 'prototype') WHERE t.source = 'load' AND t.external_id::bigint >= {first};
INSERT INTO sla.ticket_state (ticket_id, applied_seq, org, plan, severity, status, opened_at, last_at)
SELECT m.id, 1, m.org, s.plan, s.severity, s.status, m.opened_at, m.opened_at
FROM made m JOIN sla.ticket_state s ON s.ticket_id = m.like_id;
INSERT INTO sla.clock (ticket_id, metric, cycle, state, started_at, due_at, policy, calendar, severity, budget, consumed,
    target, configuration, spans)
SELECT m.id, c.metric, c.cycle, c.state, c.started_at - ago, c.due_at - ago, c.policy, c.calendar, c.severity, c.budget,
    c.consumed, c.target, c.configuration, ARRAY[c.spans[1] - ago]
FROM made m JOIN sla.clock c ON c.ticket_id = m.like_id;
DROP TABLE made;
RESET session_replication_role;
"""


class Database:
    """The server, the configuration, and daemons one after the other."""

    def __init__(self, bench, stack, port=1, settings=()):
        os.environ["SLATED_BUILD"] = str(bench.build)
        sys.path.insert(0, str(ROOT / "tests" / "system"))
        import harness
        bench.make("slated", "slatectl", "bench/pg_peer", "bench/asker")
        self.bench, self.stack, self.harness = bench, stack, harness
        place = bench.place
        self.in_memory = place == "/dev/shm"
        harness.SERVER_SHELL = harness.SERVER_SHELL.replace(
            "-c synchronous_commit=on", " ".join(f"-c {text}" for text in [*SETTINGS, *settings]))
        os.environ["PG_PLACE"] = place
        self.server = harness.Server()
        stack.callback(self.server.close)
        self.server.migrate()
        self.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slated-bench.")))
        self.folder.chmod(0o755)
        (self.folder / "secret").write_text(harness.SECRET + "\n")
        (self.folder / "secret").chmod(0o600)
        self.db = self.session()
        self.daemon = None
        self.config = self.folder / "slated.conf"
        self.configure(port)
        self.tickets = 0

    def configure(self, port):
        """`port`: where deliveries go. On port 1 nobody listens: they wait."""
        self.config.write_text(f'database = {{ conninfo = "{self.server.conninfo()}"; }};\n'
                               + CONFIG.format(port=port, folder=self.folder))

    def session(self):
        session = self.harness.Session(self.server, name="bench")
        self.stack.callback(session.close)
        return session

    def start(self, deadline=300):
        """Starts the daemon. How long it took until it had loaded everything."""
        begin = time.monotonic()
        # A session of its own, as systemd gives it: the kernel may share the processor out among sessions, not processes.
        self.daemon = self.harness.Daemon(self, self.config, under=["setsid"])
        self.stack.callback(self.daemon.close)
        self.harness.wait_until("the daemon to load", lambda: self.daemon.log.find("^loaded ") or self.is_over(), deadline)
        return time.monotonic() - begin

    def runs(self):
        return self.daemon is not None and self.daemon.process.poll() is None

    def is_over(self):
        if not self.runs():
            sys.exit("bench: slated ended: " + "\n".join(self.daemon.log.lines))

    def stop(self):
        self.daemon.stop()

    def load(self, tickets):
        """Brings the open tickets to so many, while no daemon runs."""
        if self.tickets == 0:
            self.start()
            self.db.run("INSERT INTO sla.ticket (source, plan, severity) VALUES ('prototype', 'one', 'normal'), "
                        "('prototype', 'two', 'normal')")
            self.db.wait("(SELECT count(*) FROM sla.clock) = 3")
            self.stop()
        print(f"loading {tickets:,} tickets", file=sys.stderr)
        self.db.run(COPIES.format(first=self.tickets + 1, last=tickets))
        self.db.run("VACUUM ANALYZE")
        self.db.run("CHECKPOINT")
        self.tickets = tickets

    def set(self, **settings):
        """Settings of the server, from now on and for all sessions."""
        for name, value in settings.items():
            self.db.run(f"ALTER SYSTEM SET {name} = {value}")
        self.db.run("SELECT pg_reload_conf()")
        name, value = list(settings.items())[-1]
        self.harness.wait_until(f"{name} to be {value}", lambda: self.db.value(
            f"SELECT setting FROM pg_settings WHERE name = '{name}'") == str(value))

    def clocks(self):
        return self.db.value("SELECT count(*) FROM sla.clock WHERE ended_at IS NULL")

    def first_ids(self, plan):
        """The least and the greatest id of the loaded tickets; both plans lie among them by turns."""
        return [self.db.value(f"SELECT {what}(id) FROM sla.ticket WHERE source = 'load' AND plan = '{plan}'")
                for what in ("min", "max")]

    def memory(self):
        """Bytes that the daemon has resident."""
        status = pathlib.Path(f"/proc/{self.daemon.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+)", status, re.MULTILINE).group(1)) * 1024

    def processor(self):
        """Seconds that the daemon has run so far."""
        return processor(self.daemon.process.pid)

    def sessions_processor(self):
        """Seconds that the server's processes of the daemon have run so far."""
        rows = self.db.rows("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'slated%'")
        return sum(processor(row["pid"]) for row in rows)

    def both_processors(self):
        """Seconds that the daemon and its sessions have run so far."""
        return self.processor() + self.sessions_processor()

    def pgbench(self, script, *options):
        """Runs one transaction again and again; what pgbench says."""
        path = self.folder / "script.sql"
        path.write_text(script)
        path.chmod(0o644)
        return output(f"{self.server.programs}/pgbench", "-n", "-M", "prepared", "-f", path, *options,
                      env=self.server.environment, stderr=subprocess.DEVNULL)

    def rate(self, script, seconds, *options):
        """Transactions a second of 16 clients, and how many there were."""
        length = ("-t", 30) if self.bench.quick else ("-T", seconds)
        said = self.pgbench(script, "-c", 16, "-j", 1, *length, *options)
        return (float(re.search(r"^tps = ([0-9.]+)", said, re.MULTILINE).group(1)),
                int(re.search(r"actually processed: (\d+)", said).group(1)))

    def tps(self, script, seconds, *options):
        return self.rate(script, seconds, *options)[0]

    def wait_idle(self):
        """Until pgbench's sessions have ended, to the last."""
        self.harness.wait_until("pgbench's sessions to end", lambda: self.db.value(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'") == 0)

    def ended_processor(self):
        """Seconds that those processes of the server have run that have ended."""
        pid = self.db.value("SELECT pg_read_file('postmaster.pid')").split()[0]
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def peer(self, *arguments):
        """The libpq client bench/pg_peer; its numbers."""
        said = output(self.bench.build / "bench" / "pg_peer", self.server.conninfo(), *arguments)
        return [float(word) for word in said.split()]

    def versions(self):
        place = "in memory (/dev/shm), so that a flush costs nothing" if self.in_memory else f"in {self.bench.place}"
        return [self.db.value("SELECT version()").split(" on ")[0],
                "its data lie " + place + "; " + ", ".join(SETTINGS)]


def processor(pid):
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def percentile(values, share):
    """The value below which that share lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def median(values):
    return statistics.median(values)
