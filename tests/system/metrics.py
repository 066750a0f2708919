#!/usr/bin/env python3
"""/metrics, /-/healthy and /-/ready of a daemon with a story: what it counts is what the database holds, in both formats,
and it is ready just when it can do its work."""
import http.client
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

from harness import HERE, Failure, run, wait_until, webhook

MIXIN = HERE.parent.parent / "doc" / "mixin"
TOKEN = "a token for those who are elsewhere"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
DOWN = 8  # tickets whose channel cannot be reached: more than the breaker lets fail
TOGETHER = 5  # tickets that one message tells of

CONFIG = """
severities = ( {{ name = "critical"; }}, {{ name = "calm"; }} );
escalations = {{
    loud = ( {{ on = "at_risk"; notify = [ "ops" ]; }}, {{ on = "breached"; notify = [ "ops", "gone" ]; }} );
    down = ( {{ on = "breached"; notify = [ "down" ]; }} );
    together = ( {{ on = "breached"; notify = [ "together" ]; }} );
}};
policies = (
    {{ name = "down"; match = {{ category = "down"; }}; escalation = "down"; targets = (
        {{ metric = "first_response"; within = "1s"; }} ); }},
    {{ name = "together"; match = {{ category = "together"; }}; escalation = "together"; targets = (
        {{ metric = "first_response"; within = "1s"; }} ); }},
    {{ name = "all"; escalation = "loud"; targets = (
        {{ metric = "first_response"; severity = "critical"; within = "2s"; at_risk = [ "50%" ]; }},
        {{ metric = "first_response"; within = "{within}"; pause_on = [ "pending" ]; }},
        {{ metric = "resolution"; within = "20h"; }} ); }}
);
reassessments = (
    {{ name = "asked"; on = [ "opened" ]; match = {{ category = "asked"; }}; hook = [ "/bin/echo", "{{}}" ]; reason = "-"; }},
    {{ name = "failed"; on = [ "opened" ]; match = {{ category = "failed"; }}; hook = [ "/bin/false" ]; reason = "-"; }} );
channels = {{ {channels} }};
http = {{ listen = [ "127.0.0.1:0" ]; }};
heartbeat = {{ url = "{heartbeat}"; every = "10s"; }};
adapters = {{ desk = {{ kind = "generic"; ticket_table = "pg_class"; ticket_key = "oid"; opened_at = "now()"; status = "relname";
    status_map = [ "* = open" ]; }}; }};
"""


class Client:
    """What a test needs of one daemon's server."""

    def __init__(self, daemon):
        self.port = int(re.search(r":(\d+)\"?$", daemon.log.wait(r"^listening ")).group(1))

    def get(self, path, accept=None, method="GET"):
        """Status, headers and body, read as JSON where it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, headers={"Accept": accept} if accept else {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        is_json = answer.headers["Content-Type"].endswith("json") and text
        return answer.status, answer.headers, json.loads(text) if is_json else text

    def ready(self):
        """The status and what is missing."""
        status, _, answer = self.get("/-/ready")
        return status, answer.get("missing", [])

    def scrape(self):
        """Samples by name and labels as they are written."""
        samples = {}
        for line in self.get("/metrics")[2].splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                if name in samples:
                    raise Failure(f"{name} is there twice")
                samples[name] = float(value)
        return samples

    def value(self, name):
        return self.scrape().get(name)

    def wait(self, name, value):
        wait_until(f"{name} is {value}", lambda: self.value(name) == value)


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def series(samples, name):
    """The samples of a family as {labels' values: value}."""
    return {tuple(re.findall(r'="([^"]*)"', key)): value for key, value in samples.items()
            if key == name or key.startswith(name + "{")}


def without_zeroes(samples, name):
    return {labels: value for labels, value in series(samples, name).items() if value}


def counted(bench, query):
    """{(first, second): count} of rows (first, second, n)."""
    rows = [list(row.values()) for row in bench.db.rows(query)]
    return {tuple(row[:-1]): row[-1] for row in rows}


def check_ready(bench, client, status, missing, what):
    wait_until(f"{what}: ready answers {status} {missing}", lambda: client.ready() == (status, missing))
    bench.equal(client.get("/readyz")[0], status, f"{what}: /readyz")
    bench.equal((client.get("/-/healthy")[0], client.get("/healthz")[0]), (200, 200), f"{what}: healthy")
    bench.equal(client.value("slated_ready"), float(status == 200), f"{what}: slated_ready")


def test_begin(bench, path):
    """Each step of a start is held up in turn."""
    holder = bench.session()
    holder.run("BEGIN; LOCK TABLE sla.lease IN ACCESS EXCLUSIVE MODE")
    daemon = bench.daemon(path, loaded=False)
    client = Client(daemon)
    check_ready(bench, client, 503, ["lease", "tickets", "ledger"], "before the lease")
    bench.equal(client.value("slated_lease_held"), 0, "before the lease: slated_lease_held")
    states = bench.session()
    states.run("BEGIN; LOCK TABLE sla.ticket_state IN ACCESS EXCLUSIVE MODE")
    holder.run("COMMIT")
    check_ready(bench, client, 503, ["tickets"], "before the load")
    bench.equal(client.value("slated_lease_held"), 1, "before the load: slated_lease_held")
    states.run("COMMIT")
    check_ready(bench, client, 200, [], "after the load")
    return daemon, client


def test_formats(bench, client):
    for accept, wanted in (
            (None, TEXT), ("*/*", TEXT), ("text/plain", TEXT), ("text/html", TEXT), ("", TEXT),
            ("application/openmetrics-text", OPENMETRICS), ("Application/OpenMetrics-Text ; version=1.0.0", OPENMETRICS),
            ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
             "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OPENMETRICS),
            ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5", OPENMETRICS),
            ("text/plain, application/openmetrics-text;q=0.5", TEXT), ("application/openmetrics-text;q=0", TEXT),
            ("application/openmetrics-text;q=nan", TEXT), ("application/openmetrics-text;version=0.0.1", TEXT),
            ("application/openmetrics-textual", TEXT), (",;;, ;q=;version,", TEXT)):
        status, headers, text = client.get("/metrics", accept)
        bench.check(status == 200 and headers["Content-Type"] == wanted and headers["Vary"] == "Accept" and
                    text.endswith("\n# EOF\n") == (wanted == OPENMETRICS), f"Accept {accept}: {wanted}",
                    (status, headers["Content-Type"]))
    status, headers, text = client.get("/metrics", method="HEAD")
    bench.check(status == 200 and int(headers["Content-Length"]) > 1000 and text == "", "HEAD: the headers alone")
    bench.equal(client.get("/metrics", method="POST")[0], 405, "POST: 405")
    if importlib.util.find_spec("prometheus_client") is None:
        bench.note("no prometheus_client: nobody reads the OpenMetrics strictly")
        return
    from prometheus_client.openmetrics.parser import text_string_to_metric_families  # pylint: disable=import-error
    text = client.get("/metrics", "application/openmetrics-text")[2]
    families = {family.name: family for family in text_string_to_metric_families(text)}
    kinds = {name: families[name].type for name in ("slated_deadline_fire_lag_seconds", "slated_events", "slated_clocks", "slated_build")}
    bench.equal(list(kinds.values()), ["histogram", "counter", "gauge", "info"], "OpenMetrics: read by its reference parser")


def promtool(bench, client):
    if shutil.which("promtool") is None:
        bench.note("no promtool (package prometheus): neither the metrics' names nor the alert rules are checked")
        return
    for what, arguments, given in (
            ("metrics are clean", ["check", "metrics"], client.get("/metrics")[2]),
            ("alert rules are right", ["check", "rules", MIXIN / "slated.rules.yml"], None),
            ("alert rules do as they should", ["test", "rules", MIXIN / "slated.rules.test.yml"], None)):
        done = subprocess.run(["promtool", *arguments], input=given, capture_output=True, text=True, check=False)
        bench.check(done.returncode == 0 and (given is None or not done.stdout + done.stderr), f"promtool: {what}",
                    done.stdout + done.stderr)
    # Each series that a rule asks for is one that the daemon has.
    names = set(re.findall(r"\b(?:slated|process)_[a-z_]+", re.sub(r"(?s)annotations:.*?(?=\n      - |\Z)", "",
                                                                   (MIXIN / "slated.rules.yml").read_text())))
    there = {key.partition("{")[0] for key in client.scrape()}
    bench.equal(names - there, set(), "alert rules: each series is there")


def test_start(bench, client, path):
    """Before anything happened: what can be counted is there with 0."""
    samples = client.scrape()
    for name in ("slated_events_total", "slated_events_refused_total", "slated_events_late_total", "slated_milestones_total",
                 "slated_deliveries_total", "slated_delivery_attempts_total", "slated_channel_digests_total",
                 "slated_hook_runs_total", "slated_reloads_total", "slated_deadline_fire_lag_seconds_count", "slated_clocks",
                 "slated_deliveries_held", "slated_channel_failing", "slated_tickets"):
        bench.check(series(samples, name) and not without_zeroes(samples, name), f"at first: {name} is there, and 0",
                    series(samples, name))
    bench.equal(series(samples, "slated_database_up") | {("adapter desk",): 1},
                {(c,): 1 for c in ("feed", "ledger", "ledger 2", "outbox", "http", "api", "adapter desk")},
                "slated_database_up: each connection")
    bench.equal(sorted(series(samples, "slated_deliveries_total")),
                sorted((c, o) for c in ("ops", "gone", "down", "together") for o in ("dead", "delivered", "superseded")),
                "slated_deliveries_total: each channel and outcome")
    bench.equal(sorted(series(samples, "slated_hook_runs_total")),
                [(r, o) for r in ("asked", "failed") for o in ("answered", "failed")], "slated_hook_runs_total: each rule")
    digest = bench.db.value("SELECT configuration FROM sla.instance")
    bench.equal(series(samples, "slated_configuration_info"), {(digest,): 1}, "slated_configuration_info: as sla.instance has it")
    bench.equal(series(samples, "slated_build_info"), {(bench.db.value("SELECT version FROM sla.instance"),): 1}, "slated_build_info")
    bench.check("slated_next_timer_timestamp_seconds" not in samples, "slated_next_timer_timestamp_seconds: none without tickets")
    bench.check(path.exists(), "the configuration is the daemon's")


def test_process(bench, client, daemon, began):
    samples = client.scrape()
    pid = daemon.process.pid
    for name in ("process_start_time_seconds", "slated_start_time_seconds"):
        bench.check(began - 1 <= samples[name] <= time.time(), f"{name}: when it was started", (began, samples[name]))
    # The one that asks has a connection of its own.
    bench.check(abs(samples["process_open_fds"] - len(os.listdir(f"/proc/{pid}/fd"))) <= 2, "process_open_fds",
                samples["process_open_fds"])
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        resident = int(re.search(r"VmRSS:\s*(\d+)", status.read()).group(1)) * 1024
    bench.check(abs(samples["process_resident_memory_bytes"] - resident) < 8 * 1024 * 1024, "process_resident_memory_bytes",
                (samples["process_resident_memory_bytes"], resident))
    bench.check(0 < samples["process_cpu_seconds_total"] < time.time() - began, "process_cpu_seconds_total",
                samples["process_cpu_seconds_total"])
    bench.check(samples["process_max_fds"] >= samples["process_open_fds"], "process_max_fds")


def all_recorded(bench):
    bench.db.wait("NOT EXISTS (SELECT FROM sla.ticket t LEFT JOIN sla.ticket_state s ON s.ticket_id = t.id "
                  "WHERE s.applied_seq IS DISTINCT FROM t.event_seq)")


def check_ledger(bench, client, what):
    """The counters are what the database holds."""
    all_recorded(bench)

    def look(name, query):
        wanted = counted(bench, query)
        wait_until(f"{what}: {name} is {wanted}", lambda: without_zeroes(client.scrape(), name) == wanted)
        bench.check(True, f"{what}: {name} is what the database holds")
    look("slated_milestones_total", "SELECT milestone, coalesce(metric, 'none'), count(*) FROM sla.milestone GROUP BY 1, 2")
    look("slated_events_total", "SELECT kind, count(*) FROM sla.event GROUP BY 1")
    look("slated_events_refused_total", "SELECT count(*) AS n FROM sla.event WHERE refused IS NOT NULL HAVING count(*) > 0")
    look("slated_events_late_total", "SELECT count(*) AS n FROM sla.event WHERE late HAVING count(*) > 0")
    look("slated_clocks", "SELECT state, count(*) FROM sla.clock c WHERE ended_at IS NULL AND EXISTS (SELECT FROM sla.ticket_state s "
         "WHERE s.ticket_id = c.ticket_id AND s.status <> 'closed') GROUP BY 1")
    look("slated_tickets", "SELECT count(*) AS n FROM sla.ticket_state WHERE status <> 'closed'")
    look("slated_deadline_fire_lag_seconds_count",
         "SELECT count(*) AS n FROM sla.milestone WHERE milestone IN ('at_risk', 'breached', 'escalated')")


def test_story(bench, client):
    db = bench.db
    for _ in range(2):
        db.insert("ticket", severity="critical")
    calm = [db.insert("ticket", severity="calm") for _ in range(3)]
    closed = db.insert("ticket", severity="calm")
    db.run(f"UPDATE sla.ticket SET status = 'pending' WHERE id = {calm[0]}")
    db.insert("reply", ticket_id=calm[1], author="agent", public=True)
    db.run(f"UPDATE sla.ticket SET status = 'closed' WHERE id = {closed}")
    for category in ("asked", "failed"):
        db.insert("ticket", severity="calm", category=category)
    db.insert("ticket", severity="enormous")
    db.run("INSERT INTO sla.reply (ticket_id, author, public, at) VALUES "
           f"({calm[2]}, 'customer', true, (SELECT opened_at FROM sla.ticket WHERE id = {calm[2]}) - interval '1 hour')")
    db.run(f"INSERT INTO sla.ticket (severity, category) SELECT 'calm', 'together' FROM generate_series(1, {TOGETHER})")
    db.run(f"INSERT INTO sla.ticket (severity, category) SELECT 'calm', 'down' FROM generate_series(1, {DOWN})")
    db.wait(f"(SELECT count(*) FROM sla.milestone WHERE milestone = 'breached') = {2 + TOGETHER + DOWN}")
    db.wait(f"(SELECT count(*) FROM sla.milestone WHERE milestone = 'escalated') = {4 + TOGETHER + DOWN}")
    db.wait("(SELECT count(*) FROM sla.reassessment WHERE outcome IS NOT NULL) = 2")
    check_ledger(bench, client, "story")
    samples = client.scrape()
    bench.equal(series(samples, "slated_events_refused_total"), {(): 1}, "an unknown severity is refused")
    bench.equal(series(samples, "slated_events_late_total"), {(): 1}, "an event of an hour ago is late")
    bench.check(series(samples, "slated_clocks")[("paused",)] == 1, "the ticket that waits for the customer is paused")
    bench.equal(without_zeroes(samples, "slated_hook_runs_total"), {("asked", "answered"): 1, ("failed", "failed"): 1}, "hooks: one of each")
    due = db.value("SELECT extract(epoch FROM min(due_at))::float FROM sla.clock WHERE state = 'running'")
    bench.check(abs(samples["slated_next_timer_timestamp_seconds"] - due) < 0.001, "the next timer is the least due",
                (samples["slated_next_timer_timestamp_seconds"], due))
    for name in ("slated_flush_seconds", "slated_flush_rows", "slated_poll_seconds"):
        ends = [value for key, value in samples.items() if key.startswith(name + "_bucket")]
        bench.check(samples[name + "_count"] > 0 and samples[name + "_sum"] > 0 and ends == sorted(ends) and
                    ends[-1] == samples[name + "_count"], f"{name}: a histogram", ends)
    rows = db.value("SELECT (SELECT count(*) FROM sla.milestone) + (SELECT count(*) FROM sla.clock)")
    bench.check(samples["slated_flush_rows_sum"] >= rows, "slated_flush_rows: no fewer than were written")


def test_deliveries(bench, client):
    bench.db.wait("(SELECT count(*) FROM sla.delivery) = " + str(DOWN))
    name = 'slated_channel_failing{channel="down"}'
    client.wait(name, 1)
    samples = client.scrape()
    bench.equal(without_zeroes(samples, "slated_channel_failing"), {("down",): 1}, "the channel that fails, and no other")
    bench.equal(without_zeroes(samples, "slated_deliveries_total"),
                counted(bench, "SELECT channel, state, count(*) FROM sla.delivery_log GROUP BY 1, 2"),
                "slated_deliveries_total: as sla.delivery_log has them")
    bench.equal(series(samples, "slated_deliveries_total")[("gone", "dead")], 2, "those that were not taken are dead")
    held = series(samples, "slated_deliveries_held")
    bench.equal(sum(value for labels, value in held.items() if labels[0] == "down"), DOWN, "what cannot be sent is held")
    bench.equal(sum(value for labels, value in held.items() if labels[0] != "down"), 0, "nothing else is")
    attempts = series(samples, "slated_delivery_attempts_total")
    wanted = counted(bench, "SELECT channel, sum(attempts)::integer FROM sla.delivery_log WHERE channel <> 'together' GROUP BY 1")
    bench.equal({labels: attempts[labels] for labels in wanted}, wanted, "slated_delivery_attempts_total")
    bench.check(attempts[("down",)] >= 5, "attempts that fail count", attempts)
    messages = bench.db.value("SELECT count(DISTINCT coalesce(digest, key)) FROM sla.delivery_log WHERE channel = 'together'")
    digests = bench.db.value("SELECT count(DISTINCT digest) FROM sla.delivery_log WHERE channel = 'together'")
    bench.check(digests >= 1 and series(samples, "slated_channel_digests_total")[("together",)] == digests and
                attempts[("together",)] == messages, "a message for several is one attempt and one digest",
                (digests, messages, attempts))
    bench.equal(series(samples, "slated_channel_digests_total")[("ops",)], 0, "and others are none")


def test_lag(bench, client):
    """A breach whose commit is held up is as late as that."""
    before = client.scrape()
    holder = bench.session()
    ticket = bench.db.insert("ticket", severity="calm", category="together")
    bench.db.wait(f"EXISTS (SELECT FROM sla.clock WHERE ticket_id = {ticket})")
    # Readers go on, writers wait.
    holder.run("BEGIN; LOCK TABLE sla.milestone IN SHARE MODE")
    bench.db.wait(f"(SELECT clock_timestamp() > due_at + interval '1.2 s' FROM sla.clock WHERE ticket_id = {ticket})")
    holder.run("COMMIT")
    bench.db.wait(f"EXISTS (SELECT FROM sla.milestone WHERE ticket_id = {ticket} AND milestone = 'breached')")
    name = "slated_deadline_fire_lag_seconds"
    wait_until("the breach and its step are counted", lambda: client.value(name + "_count") == before[name + "_count"] + 2)
    after = client.scrape()
    slow = f'{name}_bucket{{le="1.0"}}'
    bench.equal(after[slow], before[slow], "lag: neither is in the bucket of a second")
    bench.check(after[name + "_sum"] - before[name + "_sum"] >= 2.4, "lag: it is counted to the commit",
                after[name + "_sum"] - before[name + "_sum"])
    bench.check(after["slated_flush_seconds_sum"] > before["slated_flush_seconds_sum"], "lag: the flush took long, too")


def test_reload(bench, client, daemon, path, write):
    former = series(client.scrape(), "slated_configuration_info")
    text = path.read_text()
    for outcome, change in (("unchanged", lambda: None), ("refused", lambda: path.write_text(text + "nonsense = 1;\n")),
                            ("success", lambda: write(within="11h"))):
        change()
        daemon.signal(signal.SIGHUP)
        client.wait(f'slated_reloads_total{{outcome="{outcome}"}}', 1)
        now = series(client.scrape(), "slated_configuration_info")
        bench.check(len(now) == 1 and (now != former) == (outcome == "success"), f"reload: {outcome}", (former, now))
    bench.equal(set(series(client.scrape(), "slated_reloads_total").values()), {1.0}, "reload: each counts once")
    bench.equal(client.ready(), (200, []), "reload: it stays ready")


def test_second(bench, write, first, first_client):
    """Another daemon waits for its share, as the first one hangs; it is healthy all the same."""
    bench.hang(first)
    other = bench.daemon(write("second.conf", "second"), loaded=False)
    other.log.wait("other daemons hold all shards")
    client = Client(other)
    check_ready(bench, client, 503, ["lease", "tickets"], "a second daemon")
    bench.equal(client.value("slated_lease_held"), 0, "a second daemon: slated_lease_held")
    answer = client.get("/-/ready")[2]
    bench.check("other daemons hold all shards" in answer["error"] and not answer["ready"], "a second daemon: says why", answer)
    bench.equal(client.value("slated_heartbeat_last_success_timestamp_seconds"), 0,
                "a second daemon: sends no heartbeat, as nothing is done")
    first.signal(signal.SIGCONT)
    check_ready(bench, client, 200, [], "a second daemon that has its share")
    check_ready(bench, first_client, 200, [], "the first one that gave it")
    bench.equal((client.value("slated_shards_owned"), first_client.value("slated_shards_owned")), (128, 128),
                "slated_shards_owned: half each")
    bench.stopped(other)
    wait_until("all shards", lambda: first_client.value("slated_shards_owned") == 256)
    check_ready(bench, first_client, 200, [], "the first one alone")


def test_stuck(bench, client):
    """The database answers, but takes nothing: before the lease has run out, the daemon says so."""
    holder = bench.session()
    holder.run("BEGIN; LOCK TABLE sla.lease IN ACCESS EXCLUSIVE MODE")
    check_ready(bench, client, 503, ["lease", "tickets", "ledger"], "a ledger that takes nothing")
    holder.run("COMMIT")
    check_ready(bench, client, 200, [], "a ledger that takes something again")


def test_lost(bench, client, daemon):
    before = client.scrape()
    since = len(daemon.log.lines)
    bench.db.run("ALTER ROLE slated NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'slated'")
    check_ready(bench, client, 503, ["lease", "tickets", "ledger"], "the database is gone")
    wait_until("all connections are gone", lambda: not without_zeroes(client.scrape(), "slated_database_up"))
    bench.equal(client.value("slated_lease_held"), 0, "the database is gone: slated_lease_held")
    ticket = bench.db.insert("ticket", severity="calm")
    bench.db.run("ALTER ROLE slated LOGIN")
    check_ready(bench, client, 200, [], "the database is back")
    daemon.wait_loaded(since=since)
    bench.db.wait(f"EXISTS (SELECT FROM sla.clock WHERE ticket_id = {ticket})")
    after = client.scrape()
    down = [key for key, value in before.items() if re.match(r"[a-z_]+_(total|count|sum|bucket)\b", key) and after[key] < value]
    bench.equal(down, [], "the database is back: no counter went down")
    opened = 'slated_events_total{kind="opened"}'
    bench.equal(after[opened], before[opened] + 1, "the database is back: what was not seen is counted")


def test_elsewhere(bench, write):
    """Who is not on this host needs the token: a network of its own, in which the daemon has an address besides loopback."""
    script = 'ip link set lo up && ip address add 192.0.2.1/32 dev lo && exec "$@"'
    probe = subprocess.run(["unshare", "-rn", "sh", "-c", "ip link set lo up && ip address add 192.0.2.1/32 dev lo"],
                           capture_output=True, check=False)
    if probe.returncode != 0 or shutil.which("nsenter") is None or shutil.which("curl") is None:
        bench.note("no namespaces for networks, or no curl: nobody asks from elsewhere")
        return
    path = write("elsewhere.conf", "elsewhere")
    path.write_text(path.read_text().replace('listen = [ "127.0.0.1:0" ]',
                                             'token_file = "token"; listen = [ "127.0.0.1:9464", "192.0.2.1:9464", "[::1]:9464" ]'))
    daemon = bench.daemon(path, under=("unshare", "-rn", "sh", "-c", script, "sh"))

    def status(url, *more):
        done = subprocess.run(["nsenter", "-t", str(daemon.process.pid), "-U", "-n", "--preserve-credentials", "curl", "-s", "-o",
                               "/dev/null", "-w", "%{http_code}", "--noproxy", "*", *more, url], capture_output=True, text=True, check=False)
        return done.stdout
    for page in "/metrics", "/-/healthy", "/-/ready":
        for address in ("127.0.0.1", "[::1]"):
            bench.equal(status(f"http://{address}:9464{page}"), "200", f"elsewhere: {address}{page} is open")
        url = f"http://192.0.2.1:9464{page}"
        bench.equal(status(url), "401", f"elsewhere: {page} without the token")
        bench.equal(status(url, "-H", "Authorization: Bearer wrong"), "401", f"elsewhere: {page} with a wrong one")
        bench.equal(status(url, "-H", f"Authorization: Bearer {TOKEN}"), "200", f"elsewhere: {page} with the token")
    daemon.stop()


def test(bench):
    receiver = bench.receiver()
    (bench.folder / "token").write_text(TOKEN + "\n")
    (bench.folder / "token").chmod(0o600)
    bench.db.run("CREATE ROLE slated LOGIN IN ROLE sla_daemon")
    channels = "".join((webhook("ops", receiver.url()), webhook("gone", receiver.url("answer=410")),
                        webhook("down", f"http://127.0.0.1:{closed_port()}/"),
                        webhook("together", receiver.url()).replace("secret_file", 'rate = "1/s"; secret_file')))

    def write(name="slated.conf", instance="first", within="10h"):
        return bench.write_config(CONFIG.format(channels=channels, within=within, heartbeat=receiver.url("heartbeat")), name, instance,
                                  user="slated")
    path = write()
    began = time.time()
    daemon, client = test_begin(bench, path)
    test_formats(bench, client)
    test_start(bench, client, path)
    test_story(bench, client)
    test_deliveries(bench, client)
    test_lag(bench, client)
    check_ledger(bench, client, "after the lag")
    test_reload(bench, client, daemon, path, write)
    test_second(bench, write, daemon, client)
    heard = "slated_heartbeat_last_success_timestamp_seconds"
    wait_until("the heartbeat is heard", lambda: client.value(heard))
    bench.check(began < client.value(heard) <= time.time() and client.value("slated_heartbeat_interval_seconds") == 10, f"{heard}: when")
    test_stuck(bench, client)
    promtool(bench, client)
    test_lost(bench, client, daemon)
    test_process(bench, client, daemon, began)
    test_elsewhere(bench, write)
    bench.stopped(daemon)


if __name__ == "__main__":
    run(test)
