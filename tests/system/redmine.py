"""Redmine from Debian's package, in a copy of its folder, on the test's own PostgreSQL. It listens on the loopback."""
import base64
import http.client
import json
import os
import pathlib
import shutil
import subprocess

from harness import HERE, Failure, Skip, die_with_parent, wait_until
from helpdesk import product
from history import free_port

PACKAGE = pathlib.Path("/usr/share/redmine")
DATABASE = """production: {{adapter: postgresql, database: redmine, host: {host}, port: {port}, username: redmine,
  encoding: utf8}}
"""
# The package's Gemfile looks for the database's gem in the system's configuration, which a test leaves alone.
GEMFILE = """eval_gemfile '{folder}/Gemfile'
gem 'pg'
gem 'webrick'
"""


class Redmine:
    """A running Redmine; `timezone` is that of its host, in which it writes its times."""

    def __init__(self, bench, timezone):
        for path in PACKAGE / "config" / "environment.rb", pathlib.Path("/usr/bin/ruby"):
            if not path.exists():
                raise Skip(f"no {path}: the packages redmine and redmine-pgsql are not installed")
        server = bench.server
        self.db = product(bench, "redmine")
        self.conninfo = server.conninfo("slated", "redmine")
        self.folder = bench.folder / "redmine"
        self.write_folder(server)
        self.port = free_port()
        environment = {name: value for name, value in server.environment.items()
                       if not name.startswith(("PG", "GEM", "BUNDLE", "RUBY", "RAILS"))}
        environment |= {"BUNDLE_GEMFILE": str(self.folder / "Gemfile.test"), "RAILS_ENV": "production", "TZ": timezone,
                        "PORT": str(self.port), "LC_ALL": "C.UTF-8", "HOME": str(self.folder)}
        self.log = bench.folder / "redmine.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(["/usr/bin/ruby", HERE / "redmine.rb"], cwd=self.folder, env=environment,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)
        bench.stack.callback(self.close)
        wait_until("Redmine answers", self.answers, 120)
        self.api_key = (self.folder / "api-key").read_text()  # of user slated

    def write_folder(self, server):
        shutil.copytree(PACKAGE, self.folder, ignore=lambda folder, names: {"instances", "Gemfile.lock", "database.yml"},
                        ignore_dangling_symlinks=True)
        instance = self.folder / "instances" / "default"
        for name in "config", "log", "tmp", "files":
            (instance / name).mkdir(parents=True)
        (instance / "config" / "database.yml").write_text(DATABASE.format(host=server.host, port=server.port))
        (instance / "config" / "secret_key.txt").write_text(os.urandom(32).hex())
        (self.folder / "Gemfile.test").write_text(GEMFILE.format(folder=self.folder))

    def answers(self):
        if self.process.poll() is not None:
            raise Failure(f"Redmine did not start: {self.log.read_text()[-2000:]}")
        try:
            return self.call("admin", "GET", "/issue_statuses.json")
        except OSError:
            return None

    def call(self, user, method, path, body=None):
        """One request in a user's name; the answer's JSON, or {} where it has none."""
        password = "admin" if user == "admin" else f"{user}-password"
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, json.dumps(body) if body else None,
                               {"Content-Type": "application/json", "Authorization": f"Basic {token}"})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status not in (200, 201, 204):
            raise Failure(f"Redmine: {user}: {method} {path} {body}: {answer.status} {text[:500]}")
        return json.loads(text) if text.strip() else {}

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
