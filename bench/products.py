"""Request Tracker and Redmine themselves, through their own interfaces: what the triggers of slatectl attach take of their
rate. Both are started as tests/system/rt.py and redmine.py start them."""
import re
import subprocess
import time

from bench import ROOT, Missing

CALLS, CALLS_QUICK = 40, 6  # for each measurement
FLUSHED = 11  # seconds after which an idle session has told of its functions
SPENT = "SELECT coalesce(sum(total_time), 0) FROM pg_stat_user_functions WHERE schemaname = '{own}' AND funcname LIKE 'on\\_%'"
TRIGGERS = "SELECT tgrelid::regclass::text AS name FROM pg_trigger WHERE tgname = '{own}'"


class Place:
    """What rt.py and redmine.py take for their test's bench."""

    def __init__(self, data):
        self.data, self.server, self.folder, self.stack, self.db = data, data.server, data.folder, data.stack, data.db

    def session(self, user="postgres", database="postgres"):
        session = self.data.harness.Session(self.server, user, database=database)
        self.stack.callback(session.close)
        return session


class Product:
    """A running product; act(n) makes one call of its interface."""

    def __init__(self, data, kind, database):
        from harness import Skip
        self.kind, self.own = kind, "slated_" + kind.replace("-", "_")
        place = Place(data)
        try:
            self.start(place)
        except Skip as missing:
            raise Missing(str(missing)) from missing
        self.db = place.session(database=database)
        data.set(track_functions="pl")
        conninfo = data.server.conninfo(database=database)
        example = (ROOT / "conf" / "adapters" / f"{kind}.conf").read_text()
        config = data.folder / f"{kind}.conf"
        config.write_text(data.config.read_text() + re.sub(r"(kind *= .*)", rf'\1\n    conninfo = "{conninfo}";', example, count=1))
        subprocess.run([data.bench.build / "slatectl", "attach", kind, "--config", config, "--source-db", conninfo],
                       check=True, stdout=subprocess.DEVNULL)
        self.own = self.db.value("SELECT nspname AS own FROM pg_namespace WHERE nspname LIKE 'slated%'")
        self.tables = [row["name"] for row in self.db.rows(TRIGGERS.format(own=self.own))]
        self.n = 0
        self.took = 0
        self.calls = CALLS_QUICK if data.bench.quick else CALLS

    def measure(self, attached):
        """{"rate": calls a second}."""
        for table in self.tables:
            self.db.run(f'ALTER TABLE {table} {"ENABLE" if attached else "DISABLE"} TRIGGER {self.own}')
        self.db.run(f"TRUNCATE {self.own}.change")
        self.act(self.n)  # plans anew
        begin = time.monotonic()
        for _ in range(self.calls):
            self.n += 1
            self.act(self.n)
        took = time.monotonic() - begin
        if attached:
            self.took += took
        return {"rate": self.calls / took}

    def share(self):
        """Of the time of all calls with triggers, what went into them."""
        time.sleep(FLUSHED)
        return self.db.value(SPENT.format(own=self.own)) / 1000 / self.took


class Tracker(Product):
    """An answer and a changed status by turns."""
    name = "Request Tracker: an answer, a changed status by turns"

    def __init__(self, data):
        super().__init__(data, "request-tracker", "rt5")

    def start(self, place):
        import rt
        self.product = rt.RequestTracker(place)
        body = {"Subject": "A ticket", "Requestor": "carol@slated.test", "Content": "Help!", "ContentType": "text/plain",
                "Queue": "Support"}
        self.ticket = self.product.call("carol", "POST", "/ticket", body)["id"]

    def act(self, n):
        if n % 2 == 0:
            self.product.call("alice", "POST", f"/ticket/{self.ticket}/correspond",
                              {"Content": "We look into it.", "ContentType": "text/plain"})
        else:
            self.product.call("alice", "PUT", f"/ticket/{self.ticket}", {"Status": ("open", "stalled")[n // 2 % 2]})


class Issues(Product):
    """A note with a changed status."""
    name = "Redmine: a note with a changed status"

    def __init__(self, data):
        super().__init__(data, "redmine", "redmine")

    def start(self, place):
        import redmine
        self.product = redmine.Redmine(place, "UTC")
        self.project = self.product.db.value("SELECT id FROM projects WHERE identifier = 'support'")
        self.statuses = [self.product.db.value(f"SELECT id FROM issue_statuses WHERE name = '{name}'")
                         for name in ("In Progress", "Feedback")]
        issue = {"subject": "An issue", "project_id": self.project, "tracker_id": self.product.db.value(
            "SELECT id FROM trackers WHERE name = 'Support'")}
        self.ticket = self.product.call("carol", "POST", "/issues.json", {"issue": issue})["issue"]["id"]

    def act(self, n):
        self.product.call("admin", "PUT", f"/issues/{self.ticket}.json",
                          {"issue": {"notes": "We look into it.", "status_id": self.statuses[n % 2]}})


PRODUCTS = Tracker, Issues
