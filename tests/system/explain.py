#!/usr/bin/env python3
"""Explanations: slatectl show --explain and the API say the same of a ticket's clocks, by the configuration that these
started under, also when the files have changed since or are gone."""
import copy
import json
import re
import signal
import subprocess

from api import Client, Judge
from harness import BUILD, run

# Holidays in a feed, which is part of what the database keeps.
FEED = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//slated//tests//EN\r
BEGIN:VEVENT\r
UID:1\r
DTSTART;VALUE=DATE:20260330\r
SUMMARY:Founders' Day\r
END:VEVENT\r
END:VCALENDAR\r
"""

CONFIG = """
calendars = {{ office = {{ timezone = "Europe/Berlin"; hours = {{ weekdays = "09:00-12:00, 13:00-17:00"; }};
    {holidays} }}; }};
policies = (
    {{ name = "chat"; match = {{ channel = "chat"; }}; targets = (); }},
    {{ name = "gold-later"; match = {{ plan = "gold"; }}; effective_from = "2099-01-01T00:00:00Z"; targets = (); }},
    {{ name = "gold"; match = {{ plan = "gold"; }}; targets = (
        {{ metric = "first_response"; within = "{within}"; calendar = "office"; pause_on = [ "pending" ]; }} ); }},
    {{ name = "days"; match = {{ plan = "days"; }}; targets = (
        {{ metric = "resolution"; within = "2bd"; business_day = "end_of_day"; calendar = "office"; pause_on = [ "on_hold" ]; }} ); }},
    {{ name = "around"; match = {{ plan = "around"; }}; targets = ( {{ metric = "first_response"; within = "{within}"; }} ); }}
);
channels = {{ }};
http = {{ listen = [ "127.0.0.1:0" ]; }};
"""


class Explainer:
    def __init__(self, bench, client, path):
        self.bench, self.client, self.path = bench, client, path

    def slatectl(self, *arguments, user="postgres", config=True):
        where = ["--config", str(self.path)] if config else ["--conninfo", self.bench.server.conninfo(user)]
        ran = subprocess.run([BUILD / "slatectl", "show", "--explain", *where, *arguments], capture_output=True, text=True,
                             check=False)
        self.bench.equal((ran.returncode, ran.stderr), (0, ""), f"slatectl show --explain {arguments}")
        return ran.stdout

    def explain(self, ticket):
        """As JSON, by both ways; what depends on the present instant aside."""
        told = self.client.get(f"/tickets/{ticket}/explanation")[1]
        by_tool = json.loads(self.slatectl("--json", f"#{ticket}"))
        full = copy.deepcopy(told)
        for each in (told, by_tool):
            each.pop("now")
            for clock in each["clocks"]:
                clock.pop("used")
                clock.pop("rate", None)
                clock.pop("rate_until", None)
                if clock["state"] in ("running", "paused"):
                    del clock["sentences"], clock["stretches"]
                elif clock["state"] == "breached":
                    clock["sentences"] = [re.sub("of which .* passed", "of which some", s) for s in clock["sentences"]]
        self.bench.equal(by_tool, told, f"ticket {ticket}: the tool and the API agree")
        return full


def met_ticket(bench):
    """Friday afternoon to Tuesday: lunch, a weekend with a change of clocks, a holiday, a pause. In one transaction: had
    the daemon seen the opening alone, the deadline would have passed."""
    bench.db.run("""
        BEGIN;
        INSERT INTO sla.ticket (external_id, plan, channel, severity, opened_at)
            VALUES ('E-1', 'gold', 'email', 'high', '2026-03-27T11:30:00+01:00');
        SET LOCAL sla.at = '2026-03-27T15:00:00+01:00';
        UPDATE sla.ticket SET status = 'pending' WHERE external_id = 'E-1';
        SET LOCAL sla.at = '2026-03-27T16:00:00+01:00';
        UPDATE sla.ticket SET status = 'open' WHERE external_id = 'E-1';
        INSERT INTO sla.reply (ticket_id, author, public, at)
            SELECT id, 'agent', true, '2026-03-31T09:30:00+02:00' FROM sla.ticket WHERE external_id = 'E-1';
        COMMIT""")
    ticket = bench.db.value("SELECT id FROM sla.ticket WHERE external_id = 'E-1'")
    bench.db.wait(f"EXISTS (SELECT FROM sla.clock WHERE ticket_id = {ticket} AND state = 'met')")
    return ticket


MET = [
    ("2026-03-27T10:30:00Z", "2026-03-27T11:00:00Z", True, None, 1800),
    ("2026-03-27T11:00:00Z", "2026-03-27T12:00:00Z", False, "lunch break", 1800),
    ("2026-03-27T12:00:00Z", "2026-03-27T14:00:00Z", True, None, 9000),
    ("2026-03-27T14:00:00Z", "2026-03-27T15:00:00Z", False, "the ticket was pending (event 2)", 9000),
    ("2026-03-27T15:00:00Z", "2026-03-27T16:00:00Z", True, None, 12600),
    ("2026-03-27T16:00:00Z", "2026-03-27T23:00:00Z", False, "outside hours", 12600),
    ("2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", False, "weekend", 12600),
    ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", False, "weekend", 12600),
    ("2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z", False, "Founders' Day 2026-03-30", 12600),
    ("2026-03-30T22:00:00Z", "2026-03-31T07:00:00Z", False, "outside hours", 12600),
    ("2026-03-31T07:00:00Z", "2026-03-31T07:30:00Z", True, None, 14400),
]
SENTENCES = [
    "This is about the first response of ticket E-1.",
    "Policy gold was the first that fits: plan is gold.",
    "Policy chat, which stands before it, does not fit: it asks that channel is chat (the ticket's is email).",
    "Policy gold-later, which stands before it, does not fit: it is for tickets opened from 2099-01-01T00:00:00Z on.",
    "At severity high it promises a first response within 8h of calendar office (Europe/Berlin); the "
    "clock stands still while the ticket is pending.",
    "It started at Fri 2026-03-27 11:30:00 +01:00 with 8h of open time, of which 4h had passed at its end.",
    "From Fri 2026-03-27 11:30:00 +01:00 to Fri 2026-03-27 12:00:00 +01:00 30m counted, 30m in all.",
    "From Fri 2026-03-27 12:00:00 +01:00 to Fri 2026-03-27 13:00:00 +01:00 nothing counts: lunch break.",
    "From Fri 2026-03-27 15:00:00 +01:00 to Fri 2026-03-27 16:00:00 +01:00 the clock stood still: the ticket was pending "
    "(event 2).",
    "From Fri 2026-03-27 17:00:00 +01:00 to Tue 2026-03-31 09:00:00 +02:00 nothing counts: outside hours, weekend, "
    "Founders' Day 2026-03-30; clocks change from +01:00 to +02:00 at Sun 2026-03-29 03:00:00 +02:00.",
    "It was met at Tue 2026-03-31 09:30:00 +02:00.",
]


def check_met(bench, explainer, ticket):
    clock = explainer.explain(ticket)["clocks"][0]
    bench.equal(clock["tzdata_then"], clock["tzdata"], "the time zone data")
    found = [(s["from"], s["to"], s["counted"], s.get("why", s.get("paused")), s["sum_seconds"]) for s in clock["stretches"]]
    bench.equal(found, MET, "every stretch of a clock that ended")
    missing = [sentence for sentence in SENTENCES if sentence not in clock["sentences"]]
    bench.equal(missing, [], f"its sentences: {clock['sentences']}")
    bench.check(re.match(r"Counted by configuration [0-9a-f]{12}, in force from \S+ on, and version 20\d\d\w of the time "
                         r"zone data\.$", clock["sentences"][-1]), "what it was counted by", clock["sentences"][-1])
    bench.equal(clock["passed_over"], [
        {"policy": "chat", "why": "it asks that channel is chat (the ticket's is email)"},
        {"policy": "gold-later", "why": "it is for tickets opened from 2099-01-01T00:00:00Z on"}], "policies before it")
    return clock


def check_changes(bench, explainer):
    """A severity that changed on the way, and a ledger that has other figures than a count of today."""
    bench.db.run("""
        BEGIN;
        INSERT INTO sla.ticket (external_id, plan, channel, severity, opened_at)
            VALUES ('E-7', 'gold', 'email', 'high', '2026-03-27T13:00:00+01:00');
        SET LOCAL sla.at = '2026-03-27T14:00:00+01:00'; SET LOCAL sla.by = 'agent'; SET LOCAL sla.reason = 'A typo.';
        UPDATE sla.ticket SET severity = 'low' WHERE external_id = 'E-7';
        INSERT INTO sla.reply (ticket_id, author, public, at)
            SELECT id, 'agent', true, '2026-03-27T15:00:00+01:00' FROM sla.ticket WHERE external_id = 'E-7';
        COMMIT""")
    ticket = bench.db.value("SELECT id FROM sla.ticket WHERE external_id = 'E-7'")
    bench.db.wait(f"EXISTS (SELECT FROM sla.clock WHERE ticket_id = {ticket} AND state = 'met')")
    lines = explainer.explain(ticket)["clocks"][0]["sentences"]
    bench.check("At Fri 2026-03-27 14:00:00 +01:00 the severity became low (event 2, by agent), and the target with it: A typo."
                in lines, "a change of severity", lines)
    bench.check(not any(line.startswith("Counted anew") for line in lines), "no difference")
    bench.db.run(f"UPDATE sla.clock SET consumed = consumed + 60000000 WHERE ticket_id = {ticket}")
    lines = explainer.explain(ticket)["clocks"][0]["sentences"]
    bench.check("Counted anew that is 2h, where 2h1m were counted then: the time zone data have changed since; what was recorded "
                "holds." in lines, "a difference is told", lines)


DAYS = [
    "At severity high it promises a resolution within 2 business days of calendar office (Europe/Berlin), until the end of the "
    "last of them; the clock stands still while the ticket is on hold.",
    "From Fri 2026-03-27 15:00:00 +01:00 to Fri 2026-03-27 16:00:00 +01:00 the clock stood still: the ticket was on hold "
    "(event 2).",
    "From Tue 2026-03-31 13:00:00 +02:00 to Tue 2026-03-31 17:00:00 +02:00 4h counted, 10h30m in all.",
    "It breached at Thu 2026-04-02 10:00:00 +02:00.",
    "It was met at Thu 2026-04-02 18:00:00 +02:00, 8h after the deadline.",
]


def check_days(bench, explainer):
    """Business days with a pause, missed: words for people, not the configuration's."""
    bench.db.run("""
        BEGIN;
        INSERT INTO sla.ticket (external_id, plan, severity, opened_at) VALUES
            ('E-8', 'days', 'high', '2026-03-27T11:30:00+01:00'), ('E-9', 'days', 'high', '2026-03-27T11:30:00+01:00');
        SET LOCAL sla.at = '2026-03-27T15:00:00+01:00';
        UPDATE sla.ticket SET status = 'on_hold' WHERE external_id = 'E-8';
        SET LOCAL sla.at = '2026-03-27T16:00:00+01:00';
        UPDATE sla.ticket SET status = 'open' WHERE external_id = 'E-8';
        SET LOCAL sla.at = '2026-04-02T18:00:00+02:00';
        UPDATE sla.ticket SET status = 'solved' WHERE plan = 'days';
        COMMIT""")
    bench.db.wait("(SELECT count(*) FROM sla.clock WHERE policy = 'days' AND state = 'met') = 2")
    lines = explainer.explain(bench.db.value("SELECT id FROM sla.ticket WHERE external_id = 'E-8'"))["clocks"][0]["sentences"]
    bench.equal([line for line in DAYS if line not in lines], [], f"business days: {lines}")
    lines = explainer.explain(bench.db.value("SELECT id FROM sla.ticket WHERE external_id = 'E-9'"))["clocks"][0]["sentences"]
    bench.check("From Tue 2026-03-31 13:00:00 +02:00 to Tue 2026-03-31 17:00:00 +02:00 4h counted, 11h30m in all (business day 1)."
                in lines, "numbered where no pause moves them", lines)


def check_moved(bench, explainer, daemon, ticket):
    """A clock that a new configuration's shorter target breaches."""
    daemon.signal(signal.SIGUSR1)
    bench.db.wait(f"EXISTS (SELECT FROM sla.clock WHERE ticket_id = {ticket} AND state = 'breached')")
    lines = explainer.explain(ticket)["clocks"][0]["sentences"]
    bench.check(any(re.match(r"It breached at .*, when it got this target, which had run out at ", line) for line in lines)
                and "At severity low it promises a first response within 2h around the clock." in lines, "breached by it", lines)


def test(bench):
    first = CONFIG.format(within="8h", holidays='holiday_feeds = [ "days.ics" ];')
    (bench.folder / "days.ics").write_text(FEED)
    path = bench.write_config(first)
    daemon = bench.daemon(path)
    judge = Judge()
    explainer = Explainer(bench, Client(bench, judge, daemon), path)
    ended = met_ticket(bench)
    running = bench.db.insert("ticket", external_id="E-2", plan="gold", channel="email", severity="high")
    paused = bench.db.insert("ticket", external_id="E-3", plan="gold", severity="high", status="pending",
                             opened_at="2026-03-27T11:30:00+01:00")
    late = bench.db.insert("ticket", external_id="E-4", plan="gold", severity="low", opened_at="2026-03-27T11:30:00+01:00")
    none = bench.db.insert("ticket", external_id="E-5", plan="gold", channel="chat", severity="low")
    bench.db.wait("(SELECT count(*) FROM sla.clock) = 4")
    bench.db.wait(f"EXISTS (SELECT FROM sla.clock WHERE ticket_id = {late} AND state = 'breached')")
    before = check_met(bench, explainer, ended)

    ahead = explainer.explain(running)["clocks"][0]
    bench.check(ahead["stretches"][-1].get("ahead") and ahead["stretches"][-1]["to"] == ahead["due_at"]
                and ahead["stretches"][-1]["sum_seconds"] == ahead["budget"] == 8 * 3600, "a running one up to its due", ahead)
    held = explainer.explain(paused)["clocks"][0]["stretches"]
    bench.check(len(held) == 1 and held[0]["paused"] == "the ticket was pending (event 1)" and held[0]["event"] == 1,
                "one that has stood still from its start", held)
    over = explainer.explain(late)["clocks"][0]
    bench.equal((over["stretches"][-1]["to"], over["stretches"][-1]["sum_seconds"]), (over["due_at"], 8 * 3600),
                "one that breached, up to its due")
    told = explainer.explain(none)
    bench.equal((told["clocks"], told["sentences"][0], told["passed_over"]),
                ([], "Ticket E-5 has no clock: it gets policy chat, which promises nothing.", []), "a ticket without a clock")

    check_changes(bench, explainer)
    check_days(bench, explainer)
    bench.db.run("INSERT INTO sla.ticket (external_id, plan, severity, opened_at) "
                 "VALUES ('E-10', 'around', 'low', now() - interval '3 hours')")
    around = bench.db.value("SELECT id FROM sla.ticket WHERE external_id = 'E-10'")
    bench.db.wait(f"EXISTS (SELECT FROM sla.clock WHERE ticket_id = {around} AND state = 'running')")

    # The files say something else now, and the feed is gone: what the clocks were counted by stands in the database.
    (bench.folder / "days.ics").unlink()
    path.write_text(path.read_text().replace(first.strip(), CONFIG.format(within="2h", holidays="").strip()))
    daemon.signal(signal.SIGHUP)
    daemon.log.wait("^reloaded")
    newer = bench.db.insert("ticket", external_id="E-6", plan="gold", severity="high", opened_at="2026-03-27T11:30:00+01:00")
    bench.db.wait(f"EXISTS (SELECT FROM sla.clock WHERE ticket_id = {newer} AND state = 'breached')")
    bench.equal(explainer.explain(newer)["clocks"][0]["due_at"], "2026-03-27T13:30:00Z", "a newer clock has the new target")
    bench.equal(check_met(bench, explainer, ended), before, "an older one is explained as before")
    open_one = explainer.explain(late)["clocks"][0]
    bench.equal((open_one["stretches"], open_one["passed_over"]), (over["stretches"], over["passed_over"]), "so is an open one")
    bench.db.run("UPDATE sla.configuration SET tzdata = '1986a'")
    last = explainer.explain(ended)["clocks"][0]["sentences"][-1]
    bench.check(last.endswith("; when that configuration came into force it was version 1986a."), "other time zone data", last)
    bench.db.run(f"DELETE FROM sla.event WHERE ticket_id = {ended}")
    rest = explainer.explain(ended)["clocks"][0]
    bench.check(rest["passed_over"] == [] and rest["stretches"][-1] == before["stretches"][-1]
                and any("are not kept any more" in line for line in rest["sentences"])
                and rest["stretches"][3]["paused"].endswith("(the event is not kept any more)"), "without its events", rest)
    bench.db.run("CREATE ROLE reports LOGIN IN ROLE sla_reader")
    told = json.loads(explainer.slatectl("--json", "E-1", user="reports", config=False))["clocks"][0]
    bench.check(told["stretches"] == [] and "cannot be read" in told["sentences"][-1], "a reader is told what it takes", told)
    text = explainer.slatectl("E-1", config=False)
    bench.equal(text.count("\n\n"), 1, "sentences and a table")
    bench.check("Founders' Day 2026-03-30" in text and re.search(r"^paused +Fri 2026-03-27 15:00:00 \+01:00 ", text, re.M),
                "without any file, as text", text)
    check_moved(bench, explainer, daemon, around)


if __name__ == "__main__":
    run(test)
