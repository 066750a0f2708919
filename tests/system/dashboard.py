#!/usr/bin/env python3
"""Every query of the dashboard in doc/mixin/ runs on a real Prometheus that scrapes a daemon with a story, and gives
data; the alert rules are evaluated, too. Skipped without Debian's prometheus."""
import json
import math
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from harness import HERE, Skip, die_with_parent, run, wait_until, webhook

MIXIN = HERE.parent.parent / "doc" / "mixin"
CONFIG = """
escalations = {{ loud = ( {{ on = "breached"; notify = [ "ops", "gone" ]; }} ); }};
policies = ( {{ name = "all"; escalation = "loud"; targets = (
    {{ metric = "first_response"; within = "1s"; }},
    {{ metric = "resolution"; within = "20h"; pause_on = [ "pending" ]; }} ); }} );
reassessments = (
    {{ name = "asked"; on = [ "opened" ]; match = {{ category = "asked"; }};
       hook = [ "/bin/echo", "{{}}" ]; reason = "-"; }} );
channels = {{ {channels} }};
adapters = {{ desk = {{ kind = "generic"; ticket_table = "pg_class"; ticket_key = "oid"; opened_at = "now()"; status = "relname";
    status_map = [ "* = open" ]; }}; }};
http = {{ listen = [ "127.0.0.1:0" ]; }};
heartbeat = {{ url = "{heartbeat}"; every = "10s"; }};
"""
# What Grafana puts in their places.
VARIABLES = {"$__rate_interval": "1m", "$job": ".*", "$instance": ".*"}
# Panels whose values are known, and those of their queries.
VALUES = {"At work": [1], "Breached": [3], "Running": [2], "Paused": [1], "Tickets": [3, 0]}


class Prometheus:
    def __init__(self, bench, target):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        config = bench.folder / "prometheus.yml"
        config.write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(MIXIN / "slated.rules.yml")],
            "scrape_configs": [{"job_name": "slated", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}]}))
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={bench.folder}/prometheus",
             f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error"], preexec_fn=die_with_parent)
        bench.stack.callback(self.close)

    def close(self):
        self.process.terminate()
        self.process.wait(60)

    def get(self, path, **parameters):
        """What it answers, or None while it does not answer yet."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            return {"error": error.read().decode()}
        except OSError:
            return None

    def values(self, expression):
        """The numbers that a query gives now; an error's text where it gives one."""
        for name, value in VARIABLES.items():
            expression = expression.replace(name, value)
        data = self.get("query", query=expression)
        if data is None:
            return []
        if "error" in data:
            return data["error"]
        return [number for number in (float(row["value"][1]) for row in data["result"]) if not math.isnan(number)]

    def gives(self, expression, wanted):
        """The numbers, once there are any, and where one is wanted once it is that one."""
        values = self.values(expression)
        return values if wanted is None or values == [wanted] or isinstance(values, str) else None


def story(bench):
    db = bench.db
    for category in ("asked", "usual", "usual"):
        db.insert("ticket", severity="normal", category=category)
    db.wait("(SELECT count(*) FROM sla.milestone WHERE milestone = 'breached') = 3")
    db.run("UPDATE sla.ticket SET status = 'pending' WHERE id = (SELECT max(id) FROM sla.ticket)")
    db.wait("(SELECT count(*) FROM sla.delivery_log) = 6 "
            "AND (SELECT count(*) FROM sla.clock WHERE state = 'paused') = 1 "
            "AND (SELECT count(*) FROM sla.reassessment WHERE outcome IS NOT NULL) = 1")


def queries():
    dashboard = json.loads((MIXIN / "slated.dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for number, target in enumerate(panel.get("targets", [])):
            wanted = VALUES.get(panel["title"])
            yield panel["title"], target["expr"], wanted and wanted[number]
    for annotation in dashboard["annotations"]["list"]:
        yield None, annotation["expr"], None


def test(bench):
    if shutil.which("prometheus") is None:
        raise Skip("no prometheus")
    receiver = bench.receiver()
    channels = webhook("ops", receiver.url()) + webhook("gone", receiver.url("answer=410"))
    daemon = bench.daemon(bench.write_config(CONFIG.format(channels=channels, heartbeat=receiver.url("heartbeat"))))
    port = int(re.search(r":(\d+)\"?$", daemon.log.wait(r"^listening ")).group(1))
    prometheus = Prometheus(bench, port)
    # What rises is seen by what was there before.
    wait_until("Prometheus has scraped the daemon", lambda: prometheus.values("slated_ready") == [1], 60)
    story(bench)
    for title, expression, wanted in queries():
        if title is None:
            values = prometheus.values(expression)
            bench.check(isinstance(values, list), "the annotations' query", values)
            continue
        values = wait_until(f"{title}: {expression}", lambda: prometheus.gives(expression, wanted))
        bench.check(isinstance(values, list), f"{title}: data for {expression[:60]}", values)
    wait_until("what was given up is seen to rise",
               lambda: prometheus.values('increase(slated_deliveries_total{outcome="dead", channel="gone"}[1m]) > 0'))
    rules = prometheus.get("rules")["groups"][0]["rules"]
    errors = {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] == "err"}
    bench.equal(errors, {}, "each rule can be evaluated")
    bench.check(len(rules) >= 10, "the rules are loaded", len(rules))
    bench.stopped(daemon)


run(test)
