"""Request Tracker 5 from Debian's packages, on the test's own PostgreSQL, in a database of its own. On the loopback."""
import base64
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess

from harness import HERE, Failure, Skip, die_with_parent, wait_until
from history import free_port

LIBRARY = pathlib.Path("/usr/share/request-tracker5/lib")
SERVER = pathlib.Path("/usr/share/request-tracker5/libexec/rt-server")
CONFIG = r"""
Set($rtname, 'slated.test'); Set($Organization, 'slated.test');
Set($DatabaseType, 'Pg'); Set($DatabaseHost, '{host}'); Set($DatabasePort, '{port}'); Set($DatabaseName, 'rt5');
Set($DatabaseUser, 'rt_user'); Set($DatabasePassword, 'x'); Set($DatabaseAdmin, 'postgres');
Set($WebDomain, '127.0.0.1'); Set($WebPort, {web}); Set($WebPath, '');
Set($MailCommand, 'testfile'); Set($BcryptCost, 4); Set($Timezone, 'UTC'); Set($LogToSyslog, undef); Set($LogToSTDERR, 'error');
Set($MasonDataDir, '{folder}/mason'); Set($MasonSessionDir, '{folder}/session');
Set(%ServiceBusinessHours, ('Default' => {{ map {{ $_ => {{ Name => "d$_", Start => '9:00', End => '17:00' }} }} 1 .. 5 }}));
Set(%ServiceAgreements, (Default => 'standard', Levels => {{
    standard => {{ Response => {{ BusinessMinutes => 240 }},
        Resolve => {{ BusinessMinutes => 1440, IgnoreOnStatuses => [ 'stalled' ], ExcludeTimeOnIgnoredStatuses => 1 }} }},
    urgent => {{ StartImmediately => 1, Response => {{ RealMinutes => 30 }}, Resolve => {{ RealMinutes => 240 }} }} }}));
1;
"""


class RequestTracker:
    """A running RT with what rt.pl puts into it."""

    def __init__(self, bench):
        for program in SERVER, pathlib.Path(shutil.which("rt-setup-database-5") or "/usr/sbin/rt-setup-database-5"):
            if not program.exists():
                raise Skip(f"no {program}: the packages request-tracker5, rt5-db-postgresql and rt5-standalone are not installed")
        server = bench.server
        self.folder = bench.folder / "rt"
        for name in "mason", "session", "conf.d":
            (self.folder / name).mkdir(parents=True)
        self.port = free_port()
        (self.folder / "RT_SiteConfig.pm").write_text("1;\n")
        (self.folder / "conf.d" / "10.pm").write_text(CONFIG.format(host=server.host, port=server.port, web=self.port,
                                                                    folder=self.folder))
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "PERL"))} | {
            "RT_SITE_CONFIG": str(self.folder / "RT_SiteConfig.pm"), "RT_SITE_CONFIG_DIR": str(self.folder / "conf.d"),
            "PGHOST": server.host, "PGPORT": server.port}
        self.run("rt-setup-database-5", "--action", "init", "--dba", "postgres", "--dba-password", "x")
        self.robot_token = self.run("/usr/bin/perl", f"-I{LIBRARY}", HERE / "rt.pl").split()[-1]
        self.log = bench.folder / "rt.log"
        with self.log.open("w") as log:
            # A process group of its own: it forks.
            self.process = subprocess.Popen(
                [SERVER, "--host", "127.0.0.1", "--port", str(self.port), "--server", "Starlet", "--max-workers", "3"],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=die_with_parent)
        bench.stack.callback(self.close)
        wait_until("Request Tracker answers", self.answers, 60)
        self.conninfo = server.conninfo(database="rt5")
        self.db = bench.session(database="rt5")

    def run(self, *command):
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"{command[0]}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
        return done.stdout

    def answers(self):
        if self.process.poll() is not None:
            raise Failure(f"Request Tracker did not start: {self.log.read_text()[-2000:]}")
        try:
            return self.call("root", "GET", "/rt")
        except OSError:
            return None

    def call(self, user, method, path, body=None):
        """One request to the REST API, version 2, in a user's name."""
        token = base64.b64encode(f"{user}:{'password' if user == 'root' else user + '-password'}".encode()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, f"/REST/2.0{path}", json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json", "Authorization": f"Basic {token}"})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status not in (200, 201):
            raise Failure(f"Request Tracker: {user}: {method} {path} {body}: {answer.status} {text[:500]}")
        return json.loads(text) if text.strip() else {}

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
