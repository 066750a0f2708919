#!/usr/bin/env python3
"""slatectl backtest on a database: what was in force comes out as the ledger has it, rules and hooks included."""
import json
import re
import subprocess

import harness

CONFIG = """
severities = ( { name = "high"; aliases = [ "S1" ]; }, { name = "low"; } );
policies = (
    { name = "gold"; match = { plan = "gold"; }; escalation = "gold"; targets = (
        { metric = "first_response"; severity = "high"; within = "1h"; at_risk = [ "75%" ]; },
        { metric = "first_response"; within = "4h"; },
        { metric = "resolution"; within = "8h"; pause_on = [ "pending" ]; } ); },
    { name = "rest"; targets = ( { metric = "first_response"; within = "2h"; } ); }
);
escalations = { gold = ( { on = "breached"; notify = [ "assignee", "log" ]; } ); };
channels = { log = { type = "exec"; command = [ "/bin/true" ]; }; };
reassessments = (
    { name = "outage"; on = "opened"; match = { category = "outage"; }; set = "high"; reason = "An outage is grave."; },
    { name = "ask"; on = "dispute"; hook = [ "%HOOK" ]; reason = "Asked."; }
);
"""
LEDGER = "SELECT policy, severity, metric, verdict, count(*) AS n FROM sla.outcome GROUP BY 1, 2, 3, 4"


def tickets(bench):
    """All in the past: the daemon catches up with them."""
    def ticket(name, at, **attributes):
        return bench.db.insert("ticket", external_id=name, opened_at=at, **({"plan": "gold", "severity": "low"} | attributes))

    def reply(ticket_id, at):
        bench.db.insert("reply", ticket_id=ticket_id, author="agent", at=at)

    def change(ticket_id, at, what, by="agent"):
        bench.db.run(f"BEGIN; SET LOCAL sla.at = '{at}'; SET LOCAL sla.by = '{by}'; UPDATE sla.ticket SET {what} WHERE id = {ticket_id}; COMMIT")

    reply(ticket("plain", "2024-03-04T09:00Z"), "2024-03-04T10:30Z")
    reply(ticket("outage", "2024-03-04T22:10Z", category="outage"), "2024-03-04T23:20Z")
    disputed = ticket("disputed", "2024-03-06T09:00Z")
    bench.db.insert("dispute", ticket_id=disputed, at="2024-03-06T09:30Z")
    paused = ticket("paused", "2024-03-07T09:00Z", severity="S1")
    reply(paused, "2024-03-07T09:20Z")
    change(paused, "2024-03-07T10:00Z", "status = 'pending'")
    change(paused, "2024-03-09T10:00Z", "status = 'solved'")
    by_hand = ticket("by-hand", "2024-03-08T09:00Z")
    change(by_hand, "2024-03-08T09:10Z", "severity = 'high'", by="system")
    reply(by_hand, "2024-03-08T11:00Z")
    reply(ticket("other", "2024-03-11T09:00Z", plan="free"), "2024-03-11T09:05Z")
    strange = ticket("strange", "2024-03-12T09:00Z", severity="purple")
    change(strange, "2024-03-12T12:00Z", "severity = 'high'")


def backtest(bench, *arguments, events=None):
    done = subprocess.run([harness.BUILD / "slatectl", "backtest", *arguments], capture_output=True, text=True, check=False,
                          input=events, env=bench.server.environment | {"LC_ALL": "C.UTF-8"})
    return done.returncode, done.stdout, done.stderr


def sums(result, side):
    return {(row["policy"], row["severity"], row["metric"], verdict): n for row in result["promises"]
            for verdict, n in row[side].items() if n > 0 and verdict != "open"}


def test_ledger(bench, draft):
    wanted = {(row["policy"], row["severity"], row["metric"], row["verdict"]): row["n"] for row in bench.db.rows(LEDGER)}
    status, out, err = backtest(bench, "--config", draft, "--format", "json", "--timezone", "Europe/Berlin")
    bench.equal((status, err), (0, ""), "backtest against what is in force")
    result = json.loads(out)
    bench.equal(sums(result, "before"), wanted, "what was in force comes out as the ledger has it")
    bench.equal((result["tickets"], result["refused_before"], result["refused_after"]), (7, 1, 1), "an unknown severity is refused once")
    bench.check(sums(result, "before") != sums(result, "after"), "the draft makes a difference")
    changed = {(d["ticket"], d["metric"]): (d["before"]["verdict"], d["after"]["verdict"]) for d in result["differences"]}
    bench.equal(changed, {("plain", "first_response"): ("in_time", "missed"), ("outage", "first_response"): ("missed", "in_time"),
                          ("other", "first_response"): ("in_time", "none")}, "every clock whose verdict differs")
    bench.equal(result["changed_tickets"], 3, "and their tickets")
    pages = {c["channel"]: (c["before"]["pages"], c["after"]["pages"]) for c in result["channels"]}
    told = bench.db.value("SELECT count(*) FROM sla.milestone WHERE milestone = 'escalated'")
    bench.equal(pages["log"][0], told, "pages, as the ledger has them")
    bench.equal(pages["assignee"], pages["log"], "roles are told of, too")
    log = next(c for c in result["channels"] if c["channel"] == "log")
    # outage: due at 23:10 in UTC, past midnight in Berlin.
    bench.equal((log["before"]["by_hour"][0], log["after"]["by_hour"][0], log["before"]["night"]), (1, 0, 1), "by the hour of the time zone")
    return result


def test_times(bench, result):
    times = {(t["metric"], t["severity"], t["promised"]): t for t in result["times"]}
    high = times["first_response", "high", True]
    # paused 20 min, by-hand 2 h; disputed and strange still wait. What waits keeps no target.
    bench.equal((high["met"], high["waiting"], high["p50"]), (2, 2, 7200), "time to first response of those that wait, too")
    bench.check("p95" not in high, "nothing can be promised at 95% while half of them wait", high)
    bench.equal({t["within"]: (t["kept"], t["missed"]) for t in high["targets"]}[3600], (1, 3), "what a target of 1h would have kept")
    low = times["first_response", "low", True]
    bench.equal((low["met"], low["p95"]), (2, 5400), "outage is a low one without the rule")
    free = times["first_response", "low", False]
    bench.equal((free["met"], free["p95"]), (1, 300), "what the draft has no target for is timed by the wall clock")
    paused = times["resolution", "high", True]
    bench.equal((paused["met"], paused["waiting"], {t["within"]: (t["kept"], t["missed"]) for t in paused["targets"]}[3600]),
                (1, 3, (1, 3)), "without pauses")


def test_choice(bench, draft):
    for arguments, tickets_n in ((("--plan", "fr*"), 1), (("--since", "2024-03-06T09:00:00Z"), 5),
                                 (("--until", "2024-03-06T09:00:00Z"), 2), (("--against", "none"), 7)):
        status, out, _ = backtest(bench, "--config", draft, "--format", "json", *arguments)
        bench.check(status == 0 and json.loads(out)["tickets"] == tickets_n, f"{' '.join(arguments)}: {tickets_n} tickets", out[:200])
        bench.equal("before" in json.loads(out), arguments[0] != "--against", "compared")
    status, out, err = backtest(bench, "--config", draft, "--since", "2024-04-01T00:00:00Z")
    bench.check(status == 1 and "no ticket was opened" in err, "no ticket at all", err)
    status, out, _ = backtest(bench, "--config", draft, "--tickets", "1")
    bench.check(status == 0 and "3 of 7 tickets would have another verdict" in out and "2 more: --tickets N" in out, "text", out)
    status, out, _ = backtest(bench, "--config", draft, "--format", "html")
    bench.check(re.search(r'class="above one"[^>]*>\d+</text><text class="above two"[^>]*>\d+</text>', out)
                and "first_response" not in out and "in time, due " in out, "html: pages of both, and words for people")
    bench.check(status == 0 and "<svg" in out and not re.search(r"(src|href)=|url\(|<script", out), "html: the page needs nothing else")
    for arguments, word in ((("--timezone", "Mars/Olympus"), "Europe/Berlin"), (("--since", "soon"), "--since"),
                            (("--events", "/nowhere"), "/nowhere"), (("--against", "/nowhere"), "/nowhere")):
        status, _, err = backtest(bench, "--config", draft, *arguments)
        bench.check(status in (1, 2) and word in err, f"refused: {' '.join(arguments)}", err)


def test_roles(bench, draft):
    bench.db.run("CREATE ROLE looks LOGIN IN ROLE sla_reader; CREATE ROLE runs LOGIN IN ROLE sla_daemon")
    status, _, err = backtest(bench, "--config", draft, "--conninfo", bench.server.conninfo("looks"))
    bench.check(status == 1 and "GRANT sla_daemon" in err, "sla_reader may not read the configuration in force", err)
    status, _, err = backtest(bench, "--config", draft, "--against", draft, "--conninfo", bench.server.conninfo("looks"))
    bench.equal((status, err), (0, ""), "but may compare with a file")
    status, _, err = backtest(bench, "--config", draft, "--conninfo", bench.server.conninfo("runs"))
    bench.equal((status, err), (0, ""), "sla_daemon may both")


def test_lines(bench, draft):
    events = ('{"at":"2026-03-02T09:00:00Z","ticket":"A","event":"opened","plan":"gold","severity":"high"}\n'
              '{"at":"2026-03-02T09:00:00Z","ticket":"B","event":"reply","by":"agent"}\n'
              'no event\n'
              '{"at":"2026-03-02T09:40:00Z","ticket":"A","event":"reply","by":"agent"}\n')
    status, out, err = backtest(bench, "--config", draft, "--events", "-", "--format", "json", events=events)
    bench.equal((status, json.loads(out)["after"]["in_time"]), (1, 1), "lines that cannot be used leave the others alone")
    bench.check("standard input, line 2: the ticket was not opened before" in err and "line 3: " in err, "and are told of", err)


def test(bench):
    hook = bench.folder / "hook"
    hook.write_text('#!/bin/sh\necho \'{"severity": "high", "reason": "It is."}\'\n')
    hook.chmod(0o755)
    text = CONFIG.replace("%HOOK", str(hook))
    config = bench.write_config(text)
    # No rule for outages, a shorter time for the light ones, and no promise for the rest.
    draft = bench.write_config(re.sub(r'{ name = "outage".*\n', "", text).replace('within = "4h"', 'within = "1h"')
                               .replace('targets = ( { metric = "first_response"; within = "2h"; } )', "targets = ()")
                               .replace('within = "1h"; },', 'within = "80m"; },'), "draft.conf")
    tickets(bench)
    daemon = bench.daemon(config)
    bench.db.wait("(SELECT count(*) FROM sla.event WHERE by = 'system' AND kind = 'severity') = 3")
    bench.db.wait("NOT EXISTS (SELECT FROM sla.ticket t LEFT JOIN sla.ticket_state s ON s.ticket_id = t.id "
                  "WHERE s.applied_seq IS DISTINCT FROM t.event_seq)")
    bench.db.wait("(SELECT count(*) FROM sla.clock WHERE state = 'running') = 0")
    result = test_ledger(bench, draft)
    test_times(bench, result)
    test_choice(bench, draft)
    test_roles(bench, draft)
    test_lines(bench, draft)
    bench.db.run("SET session_replication_role = replica; DELETE FROM sla.event WHERE seq = 1 AND ticket_id IN "
                 "(SELECT id FROM sla.ticket WHERE external_id IN ('plain', 'paused'))")
    status, out, _ = backtest(bench, "--config", draft, "--format", "json")
    bench.equal((status, json.loads(out)["tickets"], json.loads(out)["left_out"]), (0, 5, 2), "trimmed tickets are left out")
    bench.stopped(daemon)


harness.run(test)
