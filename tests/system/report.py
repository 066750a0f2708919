#!/usr/bin/env python3
"""slatectl report and its views: every sum is worked out again from the ledger, by plain SQL and by hand."""
import csv
import io
import json
import re
import subprocess

import harness

CONFIG = """
severities = ( { name = "high"; }, { name = "low"; } );
calendars = { office = { timezone = "Europe/Berlin"; hours = { weekdays = "09:00-17:00"; }; }; };
policies = (
    { name = "gold"; match = { plan = "gold"; }; escalation = "gold"; targets = (
        { metric = "first_response"; severity = "high"; under = "1h"; },
        { metric = "first_response"; within = "4h"; calendar = "office"; },
        { metric = "resolution"; within = "8h"; at_risk = [ "75%" ]; pause_on = [ "pending", "on_hold" ]; } ); },
    { name = "rest"; targets = ( { metric = "first_response"; within = "2h"; }, { metric = "resolution"; within = "2d"; } ); }
);
escalations = { gold = ( { on = "at_risk"; notify = "log"; }, { on = "breached"; notify = "log"; } ); };
channels = { log = { type = "exec"; command = [ "/bin/true" ]; }; };
"""
# A verdict counts in the month of its instant. These are in Berlin's March 2024, which ends on the day of a change of clocks.
COUNTS = """
SELECT count(*) FILTER (WHERE m.milestone = 'met') AS in_time, count(*) FILTER (WHERE m.milestone = 'breached') AS missed,
    count(*) FILTER (WHERE m.milestone = 'withdrawn') AS withdrawn
FROM sla.milestone m WHERE m.at >= '2024-03-01 00:00+01' AND m.at < '2024-04-01 00:00+02'
AND (m.milestone = 'breached' OR m.milestone IN ('met', 'withdrawn')
    AND NOT EXISTS (SELECT FROM sla.milestone b WHERE b.ticket_id = m.ticket_id AND b.metric = m.metric
        AND b.milestone = 'breached' AND b.cycle <= m.cycle AND (b.cycle = m.cycle OR NOT EXISTS (SELECT FROM sla.milestone s
            WHERE s.ticket_id = m.ticket_id AND s.metric = m.metric AND s.cycle = m.cycle AND s.due_at IS NOT NULL))))
"""


class History:
    """Writes what happened to one ticket, in the past."""

    def __init__(self, bench, name, at, **attributes):
        self.db = bench.db
        self.id = self.db.insert("ticket", external_id=name, opened_at=at, **attributes)

    def reply(self, at, author="agent", public=True):
        self.db.insert("reply", ticket_id=self.id, author=author, public=public, at=at)
        return self

    def set(self, at, by="agent", **values):
        change = ", ".join(f"{name} = '{value}'" for name, value in values.items())
        self.db.run(f"BEGIN; SET LOCAL sla.at = '{at}'; SET LOCAL sla.by = '{by}'; UPDATE sla.ticket SET {change} WHERE id = {self.id}; COMMIT")
        return self


def tickets(bench):
    gold = {"org": "Kestrel <Games> & Co", "plan": "gold", "severity": "high"}
    low = gold | {"severity": "low"}
    # In time; solved while it waits for the customer: the clock is paused and has no due then.
    History(bench, "kept", "2024-03-04T09:00Z", **gold).reply("2024-03-04T09:20Z").set("2024-03-04T10:00Z", status="pending") \
        .set("2024-03-06T10:00Z", status="solved")
    # `under`: an answer at the due comes too late by nothing.
    History(bench, "at-due", "2024-03-05T09:00Z", **gold).reply("2024-03-05T10:00Z").set("2024-03-05T11:00Z", status="solved")
    # Breached, then answered; reopened after the solution came late, and solved again.
    History(bench, "late", "2024-03-06T09:00Z", **gold).reply("2024-03-06T09:30Z", public=False).reply("2024-03-06T12:00Z") \
        .set("2024-03-06T18:00Z", status="solved").set("2024-03-07T09:00Z", status="open").set("2024-03-07T10:00Z", status="solved")
    # Reopened in time, twice; the second cycle waits for a third party, the third one is missed.
    History(bench, "again", "2024-03-11T09:00Z", **low).reply("2024-03-11T09:10Z").set("2024-03-11T10:00Z", status="solved") \
        .set("2024-03-12T10:00Z", status="on_hold").set("2024-03-12T15:00Z", status="open").set("2024-03-12T16:00Z", status="solved") \
        .set("2024-03-13T08:00Z", status="open").set("2024-03-13T20:00Z", status="solved")
    # Solved without an answer: withdrawn. The resolution is met.
    History(bench, "dropped", "2024-03-14T09:00Z", **gold).set("2024-03-14T09:05Z", status="solved")
    # Breached, then withdrawn: stays missed.
    History(bench, "given-up", "2024-03-14T09:00Z", **gold).set("2024-03-14T12:00Z", status="solved")
    # A change of severity puts the deadline into the past.
    History(bench, "raised", "2024-03-15T09:00Z", **low).set("2024-03-15T11:00Z", severity="high", by="customer") \
        .reply("2024-03-15T11:30Z").set("2024-03-15T12:00Z", status="solved")
    # The last instant of February and the first of April, by the clocks of Berlin.
    History(bench, "before", "2024-02-29T22:00Z", plan="none", severity="low").reply("2024-02-29T22:59:59.999999Z") \
        .set("2024-02-29T23:00Z", status="solved")
    History(bench, "after", "2024-03-31T20:00Z", plan="none", severity="low").reply("2024-03-31T21:59:59.999999Z") \
        .set("2024-03-31T22:00Z", status="solved")
    # Never answered.
    History(bench, "open", "2024-03-20T09:00Z", severity="low")


def report(bench, config, *arguments):
    done = subprocess.run([harness.BUILD / "slatectl", "report", "--config", config, "--timezone", "Europe/Berlin", *arguments],
                          capture_output=True, text=True, check=False, env=bench.server.environment | {"LC_ALL": "C.UTF-8"})
    return done.returncode, done.stdout, done.stderr


def test_sums(bench, config):
    wanted = bench.db.rows(COUNTS)[0]
    status, out, err = report(bench, config, "--month", "2024-03", "--format", "json")
    bench.equal((status, err), (0, ""), "report --format json")
    march = json.loads(out)
    bench.equal({name: march[name] for name in wanted}, wanted, "the sums are the ledger's")
    # in time: kept 2, at-due's resolution, again's response and two cycles, dropped's and given-up's resolutions, raised's
    # resolution, before's resolution, after's response. missed: at-due, late 2, again's third, given-up, raised, open 2.
    bench.equal(wanted, {"in_time": 11, "missed": 8, "withdrawn": 1}, "and those that were counted by hand")
    for name in wanted:
        bench.equal(sum(row[name] for row in march["promises"]), wanted[name], f"{name} by policy, plan, severity, metric and week")
        # By the weeks of UTC the first answer of these and the last solution are in, too.
        bench.equal(bench.db.value(f"SELECT sum({name}) FROM sla.attainment WHERE week BETWEEN '2024-02-26' AND '2024-03-31'"),
                    wanted[name] + (2 if name == "in_time" else 0), f"{name} of sla.attainment, by the weeks of UTC")
    bench.equal([b["external_id"] for b in march["breaches"]],
                ["at-due", "late", "late", "again", "given-up", "raised", "open", "open"], "breaches in their order")
    bench.equal(march["from"], "2024-02-29T23:00:00Z", "the month begins by the clocks of Berlin")
    bench.equal(march["until"], "2024-03-31T22:00:00Z", "and ends there")
    late = [b for b in march["breaches"] if b["external_id"] == "late"]
    bench.equal([b["metric"] for b in late], ["first_response", "resolution"], "a reopened breach counts once")
    bench.equal(late[0]["late_by"], 7200, "late by the wall clock")
    return march


def test_causes(bench, march):
    causes = {(b["external_id"], b["metric"]): b["cause"] for b in march["breaches"]}
    for key, part in ((("late", "first_response"), "no agent replied, 1 internal note"),
                      (("raised", "first_response"), "severity set to high by customer, which put the deadline into the past"),
                      (("again", "resolution"), "no agent replied; 1 alert before, not acknowledged"),
                      (("open", "first_response"), "no agent replied")):
        bench.check(part in causes[key], f"cause of {key[0]}", causes[key])
    row = bench.db.rows("SELECT extract(epoch FROM for_customer) AS c, extract(epoch FROM for_third_party) AS t FROM sla.breach "
                        "WHERE external_id = 'again'")[0]
    bench.equal(row, {"c": None, "t": None}, "pauses of a former cycle are not this one's")


def test_times(bench, march):
    times = {(t["metric"], t["severity"]): t for t in march["times"]}
    # Gold's low ones have the office's hours: again 10 min, raised (high by then) 2 h 30 min.
    gold = times["first_response", "high"]
    bench.equal((gold["n"], gold["median"], gold["longest"]), (4, 3600, 10800), "time to first response, late ones in full")
    slow = bench.db.value("SELECT extract(epoch FROM open_time) FROM sla.time_taken WHERE external_id = 'again' AND metric = 'resolution'")
    bench.equal(slow, 3600 + 3600 + 12 * 3600, "a reopened resolution counts with the sum of its cycles, without its pause")
    paused = bench.db.value("SELECT extract(epoch FROM open_time) FROM sla.time_taken WHERE external_id = 'kept' AND metric = 'resolution'")
    bench.equal(paused, 3600, "a pause does not count")


def test_board(bench, config):
    """The views, the report and the board's page count alike."""
    rows = bench.db.rows("SELECT policy, metric, sum(in_time) AS in_time, sum(missed) AS missed FROM sla.attainment "
                         "WHERE in_time + missed > 0 GROUP BY 1, 2 ORDER BY 1, 2")
    status, out, _ = report(bench, config, "--month", "2024-03", "--format", "csv")
    table = list(csv.DictReader(io.StringIO(out)))
    bench.equal(status, 0, "report --format csv")
    bench.equal(sum(int(row["missed"]) for row in table), sum(row["missed"] for row in rows), "csv")
    status, out, _ = report(bench, config, "--month", "2024-03", "--format", "csv", "--table", "breaches", "--policy", "gold")
    breaches = list(csv.DictReader(io.StringIO(out)))
    bench.equal((status, len(breaches), breaches[0]["late_by"]), (0, 6, ""), "csv of breaches: late by nothing is no lateness")
    bench.equal(breaches[0]["due_at"], "2024-03-05T10:00:00Z", "instants as slated writes them")
    reader = bench.db.value("SELECT count(*) FROM sla.outcome")
    bench.db.run("CREATE ROLE looks LOGIN IN ROLE sla_reader")
    bench.equal(bench.session("looks").value("SELECT count(*) FROM sla.outcome"), reader, "sla_reader may read the views")
    bench.check(bench.session("looks").value("SELECT count(*) FROM sla.breach") > 0, "and the causes")
    bench.equal(bench.session("looks").value("SELECT sum(n) FROM sla.time_percentile"),
                bench.db.value("SELECT count(*) FROM sla.time_taken"), "and the percentiles")


def test_looks(bench, config):
    status, out, _ = report(bench, config, "--month", "2024-03")
    bench.check(status == 0 and out.startswith("March 2024 (Europe/Berlin)\n57.8% of 19 promises kept: 11 in time, 8 missed; 1 withdrawn"),
                "text", out[:200])
    status, out, _ = report(bench, config, "--month", "2024-03", "--format", "html", "--org", "kestrel*")
    bench.check(status == 0 and "Kestrel &lt;Games&gt; &amp; Co" in out and "<Games>" not in out, "html: what others wrote is escaped")
    bench.check(not re.search(r"(src|href)=|url\(|<script", out), "html: the page needs nothing else")
    bench.check("<svg" in out and "58.8% of" not in out, "html: with pictures")
    status, out, _ = report(bench, config, "--month", "2023-01")
    bench.equal((status, out), (0, "January 2023 (Europe/Berlin)\nnothing fell due\n"), "a month without anything")
    for month, status in (("2024-13", 2), ("2024", 2), ("2024-3", 2), ("9999-12", 1)):
        got, _, err = report(bench, config, "--month", month)
        bench.check(got == status and month in err, f"refused: --month {month}", err)
    done = subprocess.run([harness.BUILD / "slatectl", "report", "--config", config, "--timezone", "Mars/Olympus"],
                          capture_output=True, text=True, check=False)
    bench.check(done.returncode == 1 and "Europe/Berlin" in done.stderr, "refused: no such time zone", done.stderr)


def test(bench):
    config = bench.write_config(CONFIG)
    tickets(bench)
    daemon = bench.daemon(config)
    bench.db.run("SET TimeZone = 'UTC'")
    bench.db.wait("(SELECT count(*) FROM sla.ticket_state) = 10")
    bench.db.wait("(SELECT count(*) FROM sla.milestone WHERE milestone = 'breached') = 8")
    # What is caught up with tells of the breach alone; as if the daemon had been there in time:
    bench.db.run("INSERT INTO sla.milestone (ticket_id, metric, cycle, milestone, at, escalation, step, trigger, repeat) "
                 "SELECT id, 'resolution', 3, 'escalated', '2024-03-13 12:00Z', 'gold', 1, '75%', 0 FROM sla.ticket "
                 "WHERE external_id = 'again'")
    march = test_sums(bench, config)
    test_causes(bench, march)
    test_times(bench, march)
    test_board(bench, config)
    test_looks(bench, config)
    bench.db.run("SET session_replication_role = replica; DELETE FROM sla.event WHERE seq = 1")
    causes = {b["cause"] for b in json.loads(report(bench, config, "--month", "2024-03", "--format", "json")[1])["breaches"]}
    bench.equal(causes, {"not known: the log of events was trimmed"}, "nothing is said of what was trimmed")
    bench.stopped(daemon)


harness.run(test)
