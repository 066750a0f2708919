"""What the system tests share: a private PostgreSQL, the daemon, a receiver of webhooks, and checks.

A test is a function that run() is given; it gets a Bench. Everything that a Bench starts ends with it, also after a
failure or a signal; what holds on to the outside (the server) ends by itself when this process is gone.
"""
import contextlib
import ctypes
import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("SLATED_BUILD", ".")).resolve()
SECRET = "whsec_c2xhdGVkIHN5c3RlbSB0ZXN0cywgc2lnbmVkISEh"
# How long anything may take that should happen soon. Generous: the machine may be busy, and a passing test never waits.
SOON = 30.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)

# The server in a shell of its own, by pg.sh, which removes it when the pipe to us closes, however we end.
SERVER_SHELL = r"""
. "$1"/pg.sh
pg_at_exit() {
	for data in "$PG_DIR"/*/postmaster.pid; do
		[ ! -f "$data" ] || pg_as_owner "$PG_BIN/pg_ctl" -D "${data%/*}" -m immediate -w stop >/dev/null 2>&1
	done
}
# A crash of the server must not lose what was committed: that is another matter (standby.py).
pg_start "-c log_line_prefix=%m_[%p]_ -c synchronous_commit=on" || exit 1
printf '%s\n' "$PG_DIR" "$PGHOST" "$PGPORT" "$PG_BIN"
while read -r verb rest; do
	case $verb in
	run) pg_as_owner sh -c "$rest" >"$PG_DIR/run.log" 2>&1 </dev/null ;;
	restart) pg_as_owner "$PG_BIN/pg_ctl" -D "$PG_DIR/data" -m immediate -w -l "$PG_DIR/data/server.log" restart \
		>/dev/null 2>&1 ;;
	esac
	echo $?
done
"""


class Failure(Exception):
    """The test cannot go on."""


class Skip(Exception):
    """Something that the test needs is not installed."""


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def pause():
    """Between two looks at something that tells nobody of its changes."""
    time.sleep(0.02)


def wait_until(what, look, deadline=SOON):
    """Looks until it sees something true, and returns that."""
    end = time.monotonic() + deadline
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > end:
            raise Failure(f"waited {deadline:g} s in vain: {what}")
        pause()


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def microseconds(text):
    """An instant as JSON has it, in microseconds since 1970."""
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return round((at - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) / datetime.timedelta(microseconds=1))


class SqlError(Exception):
    """What the server said, its SQLSTATE first."""


class Session:
    """One connection, by a psql that stays."""

    MARK = "-- end of answer --"

    def __init__(self, server, user="postgres", name="test", database="postgres"):
        environment = server.environment | {"PGUSER": user, "PGAPPNAME": name, "PGDATABASE": database}
        self.lock = threading.Lock()
        self.process = subprocess.Popen(
            ["psql", "-X", "-q", "-A", "-t", "-v", "VERBOSITY=verbose"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env=environment, preexec_fn=die_with_parent)

    def run(self, sql):
        """What the statements print. Raises SqlError at the first error of the server."""
        with self.lock:
            try:
                self.process.stdin.write(f"{sql}\n;\n\\echo {self.MARK}\n")
                self.process.stdin.flush()
            except BrokenPipeError:
                raise SqlError("the connection is gone") from None
            lines = []
            for line in self.process.stdout:
                if line.rstrip("\n") == self.MARK:
                    break
                lines.append(line.rstrip("\n"))
            else:
                raise SqlError("\n".join(lines))
        errors = [line for line in lines if re.match(r"(ERROR|FATAL|PANIC): ", line)]
        if errors:
            raise SqlError("\n".join(lines))
        return "\n".join(lines)

    def rows(self, query):
        """The rows of a query as dictionaries."""
        text = self.run(f"SELECT coalesce(json_agg(q), '[]') FROM ({query}) q")
        return json.loads(text)

    def value(self, query):
        """The one value of a query, or None."""
        rows = self.rows(query)
        return next(iter(rows[0].values())) if rows else None

    def wait(self, condition, deadline=SOON):
        """Waits until the condition holds. The error shows the last answer of each of its terms."""
        wait_until(condition, lambda: self.value(f"SELECT ({condition}) AS ok"), deadline)

    def wait_applied(self, *tickets):
        """Waits until the daemon has come to these tickets' last events."""
        self.wait("(SELECT bool_and(s.applied_seq = t.event_seq) FROM sla.ticket t JOIN sla.ticket_state s ON s.ticket_id = t.id "
                  f"WHERE t.id IN ({', '.join(map(str, tickets))}))")

    def insert(self, table, **values):
        """Inserts a row and returns its id."""
        names = ", ".join(f'"{name}"' for name in values)
        return int(self.run(f"INSERT INTO sla.{table} ({names}) VALUES "
                            f"({', '.join(literal(value) for value in values.values())}) RETURNING id"))

    def close(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Server:
    """A private PostgreSQL with schema sla."""

    def __init__(self):
        self.shell = subprocess.Popen(["sh", "-c", SERVER_SHELL, "pg", str(HERE)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True, start_new_session=True)
        answer = [self.shell.stdout.readline().rstrip("\n") for _ in range(4)]
        if not answer[3]:
            self.close()
            raise Skip("no PostgreSQL server could be started")
        self.folder, host, port, programs = answer
        self.programs = programs
        foreign = ("PGSERVICE", "PGSERVICEFILE", "PGPASSWORD", "PGPASSFILE", "PGOPTIONS", "PGHOSTADDR", "PGSSLMODE")
        self.environment = {k: v for k, v in os.environ.items() if k not in foreign} | {
            "PGHOST": host, "PGPORT": port, "PGUSER": "postgres", "PGDATABASE": "postgres",
            "PATH": f"{programs}:{os.environ['PATH']}"}
        self.host, self.port = host, port

    def conninfo(self, user="postgres", database="postgres"):
        return f"host={self.host} port={self.port} user={user} dbname={database}"

    def migrate(self, database="postgres"):
        done = subprocess.run([BUILD / "slatectl", "migrate", "--conninfo", self.conninfo(database=database)], capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"slatectl migrate: {done.stderr}")

    def restart(self):
        """Crashes the server and starts it again; returns once it takes connections."""
        self.tell("restart")

    def tell(self, what):
        self.shell.stdin.write(f"{what}\n")
        self.shell.stdin.flush()
        if self.shell.stdout.readline().strip() != "0":
            raise Failure(f"failed: {what}")

    def run(self, command):
        """Runs a shell command as the server's user."""
        self.tell(f"run PATH={self.programs}:$PATH; {command}")

    def close(self):
        self.shell.stdin.close()
        self.shell.wait(60)
        self.shell.stdout.close()


class Lines:
    """The lines that a process prints, read by a thread."""

    def __init__(self, stream):
        self.lines = []
        self.news = threading.Condition()
        self.thread = threading.Thread(target=self.read, args=(stream,), daemon=True)
        self.thread.start()

    def read(self, stream):
        with stream:
            for line in stream:
                with self.news:
                    self.lines.append(line.rstrip("\n"))
                    self.news.notify_all()

    def find(self, pattern, since=0):
        return next((line for line in self.lines[since:] if re.search(pattern, line)), None)

    def wait(self, pattern, since=0, deadline=SOON):
        with self.news:
            if not self.news.wait_for(lambda: self.find(pattern, since), deadline):
                tail = "\n".join(self.lines[-15:])
                raise Failure(f"waited {deadline:g} s in vain for a line like {pattern}; the last ones:\n{tail}")
            return self.find(pattern, since)


class Daemon:
    """One run of slated; `under` is a command that runs it, `files` are descriptors that it is given."""

    def __init__(self, bench, config, under=(), files=()):
        self.bench = bench
        environment = {k: v for k, v in bench.server.environment.items() if not k.startswith("PG")}
        environment["ASAN_OPTIONS"] = f"log_path={bench.folder}/sanitizer"
        environment["UBSAN_OPTIONS"] = f"print_stacktrace=1:log_path={bench.folder}/sanitizer"
        self.process = subprocess.Popen([*under, BUILD / "slated", "--config", config], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment,
                                        pass_fds=files, preexec_fn=die_with_parent)
        self.log = Lines(self.process.stderr)

    def wait_loaded(self, deadline=SOON, since=0):
        self.log.wait(r"^loaded ", since, deadline)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.thread.join()

    def stop(self):
        """SIGTERM. The exit status and how many seconds it took."""
        begin = time.monotonic()
        self.process.terminate()
        try:
            status = self.process.wait(SOON)
        except subprocess.TimeoutExpired:
            status = None
            self.process.kill()
            self.process.wait()
        self.log.thread.join()
        return status, time.monotonic() - begin

    def close(self):
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.kill()


class Receiver:
    """receiver.mjs: what it prints of each request, as dictionaries."""

    def __init__(self, port=0, secret=SECRET):
        self.process = subprocess.Popen(
            ["node", HERE / "receiver.mjs", "--port", str(port), "--secret", secret], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        self.log = Lines(self.process.stdout)
        self.port = json.loads(self.log.wait("listening"))["listening"]

    def url(self, query=""):
        return f"http://127.0.0.1:{self.port}/sla?{query}"

    def requests(self):
        return [json.loads(line) for line in list(self.log.lines)[1:]]

    def wait(self, what, look, deadline=SOON):
        """Waits until look(requests) is true."""
        return wait_until(what, lambda: look(self.requests()), deadline)

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.log.thread.join()


def webhook(name, url):
    return f'{name} = {{ type = "webhook"; url = "{url}"; secret_file = "secret"; }};'


class Bench:
    """What a test works with."""

    def __init__(self, stack, name):
        self.stack = stack
        self.name = name
        self.passed = self.failed = 0
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"slated-{name}."))
        stack.callback(self.remove)
        # Programs that the daemon runs, and the server's user, look in here.
        self.folder.chmod(0o755)
        (self.folder / "secret").write_text(SECRET + "\n")
        (self.folder / "secret").chmod(0o600)
        self.daemons = []
        self.server = Server()
        stack.callback(self.server.close)
        self.server.migrate()
        self.db = self.session()

    def remove(self):
        if self.failed and os.environ.get("SLATED_KEEP"):
            for number, daemon in enumerate(self.daemons):
                (self.folder / f"daemon{number}.log").write_text("\n".join(daemon.log.lines))
            print(f"kept: {self.folder}")
            return
        shutil.rmtree(self.folder)

    def session(self, user="postgres", database="postgres"):
        session = Session(self.server, user, database=database)
        self.stack.callback(session.close)
        return session

    def receiver(self, port=0):
        receiver = Receiver(port)
        self.stack.callback(receiver.close)
        return receiver

    def write_config(self, text, name="slated.conf", instance="first", user="postgres", database="postgres"):
        """Writes a configuration; `text` is all but the database and the instance."""
        path = self.folder / name
        # As an editor does it, so that a daemon never reads half of it.
        new = self.folder / f"{name}.new"
        new.write_text(f'database = {{ conninfo = "{self.server.conninfo(user, database)}"; }};\n'
                       f'instance = {{ name = "{instance}"; }};\n{text}')
        new.rename(path)
        return path

    def daemon(self, config, loaded=True, under=(), files=()):
        daemon = Daemon(self, config, under, files)
        self.stack.callback(daemon.close)
        self.daemons.append(daemon)
        if loaded:
            daemon.wait_loaded()
        return daemon

    def hang(self, daemon):
        """Stops a daemon where it is, in the possession of its shards, until SIGCONT."""
        daemon.signal(signal.SIGSTOP)
        self.db.run("UPDATE sla.lease SET expires_at = clock_timestamp() + interval '5 minutes' WHERE owner IS NOT NULL")

    def check(self, ok, what, detail=""):
        """One check, one line."""
        if ok:
            self.passed += 1
            print(f"ok - {what}", flush=True)
        else:
            self.failed += 1
            print(f"FAILED - {what}{': ' if detail != '' else ''}{detail}", flush=True)
        return ok

    def equal(self, got, wanted, what):
        return self.check(got == wanted, what, f"got {got!r}, not {wanted!r}")

    def stopped(self, daemon, what="SIGTERM: exit status 0 within 5 s"):
        status, took = daemon.stop()
        self.check(status == 0 and took < 5, what, f"status {status} after {took:.1f} s")

    def note(self, text):
        print(f"# {text}", flush=True)

    def check_sanitizers(self):
        reports = sorted(self.folder.glob("sanitizer*"))
        for report in reports:
            print(report.read_text())
        self.check(not reports, "no report of a sanitizer")


def skip_reason():
    if shutil.which("psql") is None:
        return "no psql"
    if shutil.which("node") is None:
        return "no node"
    if not all((HERE / "node_modules" / name).is_dir() for name in ("standardwebhooks", "cloudevents")):
        return "the node modules are not installed; tests/system/install-modules does that"
    return None


def on_signal(number, _frame):
    raise SystemExit(128 + number)


def run(test):
    """Runs one test function and exits: 0, 1, or 77 for skipped."""
    reason = skip_reason()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, on_signal)
    name = pathlib.Path(sys.argv[0]).stem
    bench = None
    try:
        with contextlib.ExitStack() as stack:
            bench = Bench(stack, name)
            try:
                test(bench)
            except (Failure, SqlError) as error:
                bench.check(False, f"{name} to its end", error)
                for daemon in bench.daemons[-2:]:
                    print("# a daemon's last lines:", *daemon.log.lines[-12:], sep="\n#   ")
            for daemon in bench.daemons:
                daemon.close()
            bench.check_sanitizers()
    except Skip as error:
        print(f"skipped: {error}")
        sys.exit(77)
    print(f"{bench.passed} passed, {bench.failed} failed", flush=True)
    sys.exit(1 if bench.failed else 0)
