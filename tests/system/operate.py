#!/usr/bin/env python3
"""What people do about alerts, with slatectl: acknowledge, silence, test a channel, send again, assess a severity; and
whom a step reaches. The daemon and people log in as roles with just their rights."""
import json
import os
import re
import subprocess

from harness import BUILD, SqlError, run, wait_until, webhook

CONFIG = """
severities = ( {{ name = "critical"; aliases = [ "S1", "Urgent" ]; }}, {{ name = "normal"; aliases = [ "S2" ]; }} );
links = {{ ticket = "https://desk.example.com/t/%{{external_id}}?org=%{{org}}"; }};
escalations = {{
    loud = ( {{ on = "breached"; notify = [ "ops" ]; repeat_every = "1s"; }} );
    people = ( {{ on = "breached"; notify = [ "assignee" ]; }}, {{ on = "breached"; after = "1h"; notify = [ "team", "ops" ]; }} );
    alarm = ( {{ on = "breached"; notify = [ "second" ]; always = true; }} );
    chat = ( {{ on = "breached"; notify = [ "chat", "ops" ]; }} );
    crowd = ( {{ on = "breached"; notify = [ "followers", "team", "ops" ]; }} );
    given-up = ( {{ on = "breached"; notify = [ "broken" ]; }} );
}};
policies = (
    {{ name = "loud"; match = {{ plan = "loud"; }}; escalation = "loud"; targets = ( {{ metric = "first_response"; within = "1s"; }},
        {{ metric = "assessment"; within = "1h"; }} ); }},
    {{ name = "people"; match = {{ plan = "people"; }}; escalation = "people"; targets = ( {{ metric = "first_response"; within = "1s"; }} ); }},
    {{ name = "alarm"; match = {{ plan = "alarm"; }}; escalation = "alarm"; targets = ( {{ metric = "first_response"; within = "1s"; }} ); }},
    {{ name = "chat"; match = {{ plan = "chat"; }}; escalation = "chat"; targets = ( {{ metric = "first_response"; within = "1s"; }} ); }},
    {{ name = "crowd"; match = {{ plan = "crowd"; }}; escalation = "crowd"; targets = ( {{ metric = "first_response"; within = "1s"; }} ); }},
    {{ name = "given-up"; match = {{ plan = "given-up"; }}; escalation = "given-up"; targets = ( {{ metric = "first_response"; within = "1s"; }} ); }}
);
channels = {{ {channels} chat = {{ type = "slack"; url = "{chat}"; }}; }};
"""
KEYS = ("id source external_id org plan severity status channel category product environment version assignee team metric "
        "policy attributes.KEY").split()


class People:
    """slatectl as somebody."""

    def __init__(self, bench, config=None):
        self.bench = bench
        self.config = config

    def ctl(self, *words, user="watcher", caller=None):
        """The exit status and all that it prints."""
        where = ["--config", self.config] if self.config else ["--conninfo", self.bench.server.conninfo(user)]
        environment = {k: v for k, v in os.environ.items() if k not in ("SUDO_USER", "TZ")} | {"TZ": "UTC"}
        if caller:
            environment["SUDO_USER"] = caller
        done = subprocess.run([BUILD / "slatectl", *words[:1], *where, *words[1:]], capture_output=True, text=True,
                              check=False, env=environment)
        return done.returncode, done.stdout + done.stderr

    def says(self, status, pattern, *words, what=None, **options):
        """Checks the exit status and that all of the output fits the pattern."""
        got = self.ctl(*words, **options)
        self.bench.check(got[0] == status and re.fullmatch(pattern, got[1].strip(), re.DOTALL),
                         what or " ".join(words), f"exit status {got[0]}: {got[1]!r}")
        return got[1]

    def lines(self, *words, **options):
        """Its JSON, one object a line."""
        status, text = self.ctl(*words, "--json", **options)
        self.bench.equal(status, 0, f"{' '.join(words)}: JSON")
        return [json.loads(line) for line in text.splitlines()]


def steps(ticket, where="true"):
    return f"(SELECT count(*) FROM sla.milestone WHERE ticket_id = {ticket} AND milestone = 'escalated' AND {where})"


def last_ack(bench, ticket):
    return bench.db.rows(f"SELECT by, \"for\"::text AS hold, refused FROM sla.event WHERE ticket_id = {ticket} "
                         "AND kind = 'ack' ORDER BY seq DESC LIMIT 1")[0]


def test_ack(bench, people):
    db = bench.db
    stopped, held, other = (db.insert("ticket", external_id=name, org="ACME\x1b[31m" if name == "4713" else "ACME", plan="loud", severity="S1")
                            for name in ("4711", "4712", "4713"))
    for ticket in (stopped, held, other):
        db.wait(f"{steps(ticket)} >= 1")
    people.says(0, r"ticket 4711 \(ACME\): escalation stopped", "ack", "4711", caller="mary")
    bench.equal(last_ack(bench, stopped), {"by": "mary", "hold": None, "refused": None}, "ack: by who is behind sudo")
    people.says(0, r"ticket 4712 \(ACME\): escalation held until .*\d\d:\d\d UTC", "ack", "--for", "4s", "--by", "kim", f"#{held}",
                user="desk")
    bench.equal(last_ack(bench, held), {"by": "kim", "hold": "00:00:04", "refused": None}, "ack: as a writer, with a hold")
    acked = "(SELECT max(at) FROM sla.event WHERE kind = 'ack' AND ticket_id = {})"
    db.wait_applied(stopped, held)
    # The clock of this test is a ticket that nobody took care of.
    db.wait(f"{steps(other, f'at > {acked.format(stopped)}')} >= 2")
    bench.equal(db.value(f"SELECT {steps(stopped, f'at > {acked.format(stopped)}')}"), 0, "ack: its steps have stopped")
    db.wait(f"{steps(held, f'at > {acked.format(held)}')} >= 1")
    # An acknowledgement that comes after a step of a later instant counts from there.
    late = db.value(f"SELECT extract(epoch FROM min(m.at) - {acked.format(held)} - interval '4 seconds') FROM sla.milestone m "
                    f"WHERE ticket_id = {held} AND milestone = 'escalated' AND at > {acked.format(held)}")
    bench.check(0 <= late < 1, "ack: a held step fires when the hold ends", late)
    bench.equal(db.value(f"SELECT state FROM sla.clock WHERE ticket_id = {stopped}"), "breached", "ack: the clock is as it was")
    people.says(0, r".*acknowledged by mary.*", "show", "4711", what="show tells who acknowledged")
    people.says(1, r'slatectl: there is no ticket "4799".*', "ack", "4799")
    people.says(0, r"ticket 4713 \(ACME \[31m\): escalation stopped", "ack", "4713", what="nothing of a name reaches the terminal")
    for ticket in (stopped, held, other):
        db.run(f"UPDATE sla.ticket SET status = 'closed' WHERE id = {ticket}")
    people.says(1, "slatectl: ticket 4711 is closed: .*", "ack", "4711")
    for wrong in (("ack",), ("ack", "1", "2"), ("ack", "--for", "soon", "1"), ("ack", "--for", "2bd", "1"), ("ack", "--by", "", "1")):
        bench.equal(people.ctl(*wrong)[0], 2, f"wrong call: {' '.join(wrong)}")


def test_hearing(bench, people):
    """An acknowledgement is told where people see that the alert is open."""
    db = bench.db
    ticket = db.insert("ticket", external_id="C-1", org="ACME", plan="chat", severity="S1")
    db.wait(f"{steps(ticket)} >= 1")
    people.says(0, r"ticket C-1 \(ACME\): escalation held until .*", "ack", "--for", "2h", "--by", "kim", "C-1")
    everything = f"""(SELECT channel, kind, payload, metric, cycle FROM sla.delivery WHERE ticket_id = {ticket}
        UNION ALL SELECT channel, kind, payload, metric, cycle FROM sla.delivery_log WHERE ticket_id = {ticket}) AS d"""
    db.wait(f"EXISTS (SELECT FROM {everything} WHERE kind = 'acknowledged')")
    rows = db.rows(f"SELECT channel, payload, metric, cycle FROM {everything} WHERE kind = 'acknowledged'")
    bench.equal([(row["channel"], row["metric"], row["cycle"]) for row in rows], [("chat", "first_response", 1)],
                "chat hears of the acknowledgement, a webhook does not")
    payload = rows[0]["payload"]
    at = db.rows(f"SELECT at, at + \"for\" AS until FROM sla.event WHERE ticket_id = {ticket} AND kind = 'ack'")[0]
    bench.equal((payload["ack"]["by"], payload["ack"]["until"][:19], payload["alert"], payload["ticket"]["external_id"]),
                ("kim", at["until"][:19], {"key": f"sla-{ticket}-first_response-1", "state": "acknowledged"}, "C-1"),
                "who, until when, and of what")
    db.run(f"UPDATE sla.ticket SET status = 'closed' WHERE id = {ticket}")


def test_silence(bench, people):
    db = bench.db
    ticket = db.insert("ticket", external_id="quiet", org="Zürich Re", plan="loud", severity="S1", attributes='{"zone": "eu_1"}')
    other = db.insert("ticket", external_id="loud", org="ACME", plan="loud", severity="S1", attributes='{"zone": "euX1"}')
    for each in (ticket, other):
        db.wait(f"{steps(each)} >= 1")
    text = people.says(0, r"silence \d+ until .*\d\d:\d\d UTC: holds back 1 open ticket now", "silence", "--match", "org=zürich*",
                       "--match", "attributes.zone=eu_?", "--match", "severity=CRITICAL", "--match", "metric=first_*",
                       "--match", "policy=loud", "--for", "2h", "--reason", "Maintenance", "--by", "kim")
    number = int(text.split()[1])
    db.wait(f"{steps(ticket, f'silenced_by = {number}')} >= 2")
    rows = db.rows(f"SELECT told, unset FROM sla.milestone WHERE ticket_id = {ticket} AND silenced_by = {number}")
    bench.check(all(row == {"told": [], "unset": None} for row in rows), "a silenced step tells nobody", rows)
    bench.equal(db.value(f"SELECT {steps(ticket, 'told IS NOT NULL')} = (SELECT count(*) FROM sla.milestone WHERE ticket_id = "
                         f"{ticket} AND milestone = 'escalated')"), True, "every step says whom it told")
    alerts = f"(SELECT count(*) FROM (SELECT FROM sla.delivery WHERE ticket_id = {ticket} UNION ALL SELECT FROM sla.delivery_log " \
             f"WHERE ticket_id = {ticket}) AS d)"
    bench.equal(db.value(f"SELECT {alerts} = {steps(ticket, 'silenced_by IS NULL')}"), True, "a silenced step makes no delivery")
    bench.equal(db.value(f"SELECT {steps(other, 'silenced_by IS NOT NULL')}"), 0, "others are told")
    people.says(0, rf".*escalated to ops: .*, silenced by {number}\n.*", "show", "quiet", what="show tells of the silence")

    listed = people.lines("silence", "--list", user="lead")
    bench.equal([{k: row[k] for k in ("id", "state", "reason", "by", "match")} for row in listed],
                [{"id": number, "state": "in force", "reason": "Maintenance", "by": "kim", "match": {
                    "org": "zürich*", "attributes.zone": "eu_?", "severity": "CRITICAL", "metric": "first_*", "policy": "loud"}}],
                "silence --list")
    people.says(0, rf"SILENCE +STATE.*{number} +in force .*attributes.zone=eu_\?, .*kim +Maintenance", "silence", "--list")
    people.says(0, f"silence {number} ended", "silence", "--end", str(number))
    ended = db.value(f"SELECT ended_at::text FROM sla.silence WHERE id = {number}")
    db.wait(steps(ticket, f"silenced_by IS NULL AND at > '{ended}'::timestamptz + interval '1 second'") + " >= 1")
    bench.check(True, "a silence that was ended holds nothing back")
    people.says(1, f"slatectl: no silence {number} is in force.*", "silence", "--end", str(number))

    text = people.says(0, r"silence \d+ .*: holds back 2 open tickets now", "silence", "--match", "plan=lou?", "--for", "2s",
                       "--reason", "A moment", caller="mary")
    short = int(text.split()[1])
    db.wait(f"{steps(ticket, f'silenced_by = {short}')} >= 1")
    db.wait(steps(ticket, f"silenced_by IS NULL AND at > (SELECT until FROM sla.silence WHERE id = {short})") + " >= 1")
    bench.check(True, "a silence ends by itself")
    bench.equal(people.lines("silence", "--list"), [], "then it is not listed")
    bench.equal([(row["id"], row["state"], row["by"]) for row in people.lines("silence", "--list", "--all")],
                [(number, "ended", "kim"), (short, "expired", "mary")], "silence --list --all")
    people.says(0, "no silences", "silence", "--list", what="no silences")

    people.ctl("silence", "--match", "external_id=hushed*", "--for", "1h", "--reason", "x")
    bench.equal(db.value(f"SELECT ended_at = until FROM sla.silence WHERE id = {short}"), True,
                "one that has run out leaves the index of those in force once another is made")
    bench.equal([(row["state"], "ended_at" in row) for row in people.lines("silence", "--list", "--all")][:2],
                [("ended", True), ("expired", False)], "silence --list --all still says so")
    hushed = db.insert("ticket", external_id="hushed", plan="loud", severity="S1")
    loudest = db.insert("ticket", external_id="hushed-2", plan="alarm", severity="S1")
    db.wait(f"{steps(hushed)} >= 1 AND {steps(loudest)} >= 1")
    bench.equal(db.rows(f"SELECT told, silenced_by FROM sla.milestone WHERE ticket_id = {loudest} AND milestone = 'escalated'"),
                [{"told": ["second"], "silenced_by": None}], "a step with always = true tells in spite of a silence")
    db.run(f"UPDATE sla.ticket SET status = 'solved' WHERE id = {hushed}")
    db.wait(f"EXISTS (SELECT FROM sla.milestone WHERE ticket_id = {hushed} AND milestone = 'withdrawn')")
    bench.equal(db.value(f"SELECT count(*) FROM (SELECT FROM sla.delivery WHERE ticket_id = {hushed} UNION ALL SELECT FROM "
                         f"sla.delivery_log WHERE ticket_id = {hushed}) AS d"), 0, "nobody hears of the end of what nobody was told of")
    db.run("UPDATE sla.silence SET ended_at = now() WHERE ended_at IS NULL")
    db.run(f"UPDATE sla.ticket SET status = 'closed' WHERE id IN ({ticket}, {other})")

    output = people.says(2, r'slatectl: --match: there is no "plam" to match; there are .*', "silence", "--match", "plam=x",
                         "--for", "2h", "--reason", "x", what="an unknown key")
    bench.equal(output.strip().split("there are ")[1].split(", "), KEYS, "an unknown key: those that there are")
    good = ("--match", "plan=x", "--for", "2h", "--reason", "x")
    for wrong in (good[:2], good[:4], good[2:], (*good, "--list"), (*good, "--end", "1"), (*good, "--match", "plan=y"),
                  (*good, "more"), ("--list", "--end", "1"), ("--match", "plan", *good[2:]), ("--match", "=x", *good[2:]),
                  ("--match", "attributes.=x", *good[2:]), (*good[:2], "--for", "soon", "--reason", "x"),
                  (*good[:4], "--reason", ""), ("--end", "x"), (*good, "--all")):
        bench.equal(people.ctl("silence", *wrong)[0], 2, f"wrong call: silence {' '.join(wrong)}")
    bench.equal(db.value("SELECT count(*) FROM sla.silence"), 3, "a wrong call makes no silence")


def escalated(bench, ticket):
    bench.db.wait(f"{steps(ticket)} >= 1")
    return bench.db.rows(f"SELECT notify, told, unset FROM sla.milestone WHERE ticket_id = {ticket} AND milestone = 'escalated' "
                         "ORDER BY id")[0]


def reached(bench, ticket):
    """Channel and address of its deliveries, sent or not."""
    rows = bench.db.rows(f"SELECT channel, address FROM sla.delivery WHERE ticket_id = {ticket} AND kind = 'escalated' UNION ALL "
                         f"SELECT channel, address FROM sla.delivery_log WHERE ticket_id = {ticket} AND kind = 'escalated'")
    return sorted((row["channel"], row["address"] or "") for row in rows)


def test_roles(bench, people):
    db = bench.db
    desk = bench.session("desk")
    desk.insert("contact", kind="assignee", name="kim", channel="ops", address="kim@example.com")
    desk.insert("contact", kind="team", name="database", channel="second")
    desk.insert("contact", kind="team", name="database", channel="nowhere")
    desk.insert("contact", kind="team", name="web", channel="ops")
    desk.insert("contact", kind="team", name="database", address="dba@example.com")
    desk.insert("follower", org="ACME", channel="ops", address="boss@example.com")
    desk.insert("follower", org="ACME", channel="ops", address="gone@example.com", unfollowed_at="2026-01-01T00:00:00Z")
    desk.insert("follower", org="Other", channel="ops", address="other@example.com")

    ticket = desk.insert("ticket", external_id="A 1/ä", org="ACME", plan="people", severity="S2", assignee="kim")
    bench.equal(escalated(bench, ticket), {"notify": ["assignee"], "told": ["ops kim@example.com"], "unset": None}, "the assignee is told")
    bench.equal(reached(bench, ticket), [("ops", "kim@example.com")], "at the contact's address")
    payload = wait_until("its webhook", lambda: next((r["data"] for r in bench.ops.requests() if r["data"]["ticket"].get("id") == ticket), None))
    bench.equal(payload["ticket"]["link"], "https://desk.example.com/t/A%201%2F%C3%A4?org=ACME", "the link has the ticket's facts")
    bench.equal(payload["notified"], ["assignee"], "and says who was told")
    people.says(0, r".*escalated to assignee: .*, told ops kim@example.com\n.*ops kim@example.com .*", "show", "A 1/ä",
                what="show tells whom")

    nobody = desk.insert("ticket", external_id="A-2", org="ACME", plan="people", severity="S2", team="database")
    bench.equal(escalated(bench, nobody), {"notify": ["assignee"], "told": ["second", "ops"], "unset": ["assignee"]},
                "an empty role hands on to the next step at once")
    people.says(0, r".*, nobody set for assignee, told second, ops\n.*", "show", "A-2", what="show tells of the empty role")

    followed = desk.insert("ticket", external_id="A-3", org="ACME", plan="crowd", severity="S2")
    bench.equal(escalated(bench, followed), {"notify": ["followers", "team", "ops"], "told": ["ops boss@example.com", "ops"],
                                             "unset": ["team"]}, "followers are told, who left is not")
    db.run(f"INSERT INTO sla.ticket (external_id, org, plan, severity, opened_at) VALUES ('A-4', 'ACME', 'none', 'S2', now())")
    one = db.value("SELECT id FROM sla.ticket WHERE external_id = 'A-4'")
    desk.insert("follower", org="ACME", ticket_id=one, channel="ops", address="boss@example.com", unfollowed_at="2026-01-01T00:00:00Z")
    desk.insert("follower", org="ACME", ticket_id=one, channel="second", address="fan@example.com")
    db.run(f"UPDATE sla.ticket SET team = 'database' WHERE id = {one}")
    got = db.rows(f"""SELECT r.told, r.unset FROM sla.ticket t, sla.recipients(t, '[["followers", "team"]]', '{{ops,second,post}}', 'post') r
        WHERE t.id = {one}""")[0]
    bench.equal(sorted(f"{x['channel']} {x['address']} {x['name']}" for x in got["told"]),
                ["post dba@example.com team", "second None team", "second fan@example.com followers"],
                "one ticket's followers, and an address goes through the first channel for mail")
    twice = desk.insert("ticket", external_id="A-5", org="Other", plan="crowd", severity="S2", team="web")
    bench.equal(escalated(bench, twice), {"notify": ["followers", "team", "ops"], "told": ["ops other@example.com", "ops"], "unset": None},
                "a channel that is named and a role's too is told once")
    bench.equal(reached(bench, twice), [("ops", ""), ("ops", "other@example.com")], "by one delivery")
    for each in (ticket, nobody, followed, one, twice):
        db.run(f"UPDATE sla.ticket SET status = 'closed' WHERE id = {each}")
    db.wait(f"EXISTS (SELECT FROM sla.delivery_log WHERE ticket_id = {ticket} AND kind = 'resolved')")
    resolved = db.rows(f"SELECT channel, address FROM sla.delivery_log WHERE ticket_id = {ticket} AND kind = 'resolved'")
    bench.equal(resolved, [{"channel": "ops", "address": "kim@example.com"}], "what closes it goes to the same address")


def test_channel(bench, people):
    db = bench.db
    people.says(0, r"ops: delivered in \d+\.\d s", "test", "ops", caller="mary")
    row = db.rows("SELECT key, kind, ticket_id, payload, state FROM sla.delivery_log WHERE kind = 'test'")[0]
    bench.check(re.fullmatch("sla-test-[0-9a-f]{24}", row["key"]), "the test's key", row)
    bench.equal((row["payload"], row["state"]), ({"test": {"by": "mary"}}, "delivered"), "the test's payload")
    bench.equal([r["data"]["test"] for r in bench.ops.requests() if r["id"] == row["key"]], [{"by": "mary"}], "the channel got it")
    people.says(1, r"rude: given up after \d+\.\d s and 1 attempt: .*418.* \]0;owned[^\x1b]*", "test", "rude",
                what="nothing of an answer reaches the terminal")
    people.says(1, r"broken: given up after \d+\.\d s and 1 attempt: .*404.*", "test", "broken")
    people.says(1, r"slow: not delivered within 2 s.*; daemon first goes on trying: slatectl deliveries shows sla-test-\w+", "test",
                "--timeout", "2s", "slow")
    rows = people.lines("deliveries", "--channel", "slow")
    bench.equal([(row["kind"], row["state"]) for row in rows], [("test", "sending")], "deliveries shows what is being sent")
    people.says(1, r'slatectl: the configuration has no channel "osp"; it has .*ops.*', "test", "osp")
    for wrong in (("test",), ("test", "ops", "more"), ("test", "--timeout", "x", "ops")):
        bench.equal(people.ctl(*wrong)[0], 2, f"wrong call: {' '.join(wrong)}")


def test_replay(bench, people):
    db = bench.db
    tickets = [db.insert("ticket", external_id=f"G-{n}", org="ACME", plan="given-up", severity="S2") for n in range(3)]
    ids = ", ".join(map(str, tickets))
    db.wait(f"(SELECT count(*) FROM sla.delivery_log WHERE ticket_id IN ({ids}) AND state = 'dead') = 3")
    dead = people.lines("deliveries", "--state", "dead", "--channel", "broken", "--since", "1h")
    dead = [row for row in dead if row["kind"] == "escalated"]
    bench.equal([row["external_id"] for row in dead], ["G-0", "G-1", "G-2"], "deliveries --state dead")
    bench.check(all("404" in row["last_error"] and row["attempts"] == 1 for row in dead), "with their last errors", dead)
    bench.equal([row["key"] for row in people.lines("deliveries", "--ticket", "G-1", user="lead")], [dead[1]["key"]], "deliveries --ticket")
    bench.equal([row["key"] for row in people.lines("deliveries", "--channel", "broken", "--state", "dead", "--limit", "2")],
                [row["key"] for row in dead[1:]], "deliveries --limit: the newest, last")
    people.says(0, rf"KEY +TICKET .*{dead[0]['key']} +G-0 .* dead +1 .*404.*", "deliveries", "--ticket", "G-0")
    people.says(0, r".*\n\nthe newest 1 are shown; --limit shows more", "deliveries", "--limit", "1")
    people.says(0, "no deliveries", "deliveries", "--state", "superseded")

    before = db.value("SELECT clock_timestamp()::text")
    db.run(f"UPDATE sla.delivery_log SET created_at = '2026-01-01Z' WHERE key = '{dead[0]['key']}'")
    people.says(0, "1 delivery to be sent again", "replay", dead[0]["key"])
    db.wait(f"(SELECT state FROM sla.delivery_log WHERE key = '{dead[0]['key']}') = 'delivered'")
    row = db.rows(f"SELECT attempts, created_at >= '{before}' AS new, last_error FROM sla.delivery_log WHERE key = '{dead[0]['key']}'")[0]
    bench.equal(row, {"attempts": 1, "new": True, "last_error": None}, "it was sent as if it were new")
    got = [r for r in bench.ops.requests() if r["id"] == dead[0]["key"]]
    bench.equal(len(got), 2, "the channel got it twice, under one key")
    db.run("INSERT INTO sla.delivery_log (key, position, kind, channel, address, payload, state, attempts, created_at) VALUES "
           "('sla-test-x', 0, 'test', 'ops', 'kim@example.com', '{}', 'dead', 9, now())")
    people.says(0, "1 delivery to be sent again", "replay", "sla-test-x", what="replay of one with an address")
    db.wait("(SELECT address FROM sla.delivery_log WHERE key = 'sla-test-x' AND state = 'delivered') = 'kim@example.com'")
    people.says(1, rf"slatectl: delivery {dead[0]['key']} was delivered: --force .*", "replay", dead[0]["key"])
    people.says(0, "1 delivery to be sent again", "replay", "--force", dead[0]["key"])
    wait_until("the third", lambda: len([r for r in bench.ops.requests() if r["id"] == dead[0]["key"]]) == 3)
    people.says(1, 'slatectl: there is no delivery "sla-x"', "replay", dead[1]["key"], "sla-x", what="an unknown key")
    bench.equal(db.value(f"SELECT state FROM sla.delivery_log WHERE key = '{dead[1]['key']}'"), "dead", "then nothing is sent again")
    db.run(f"UPDATE sla.ticket SET status = 'closed' WHERE id = {tickets[1]}")
    db.wait(f"(SELECT state FROM sla.clock WHERE ticket_id = {tickets[1]}) = 'withdrawn'")
    people.says(0, "0 deliveries to be sent again", "replay", "--channel", "broken", "--since", "2100-01-01T00:00:00Z")
    people.says(0, r"2 deliveries to be sent again\n1 of them about a clock that has ended: .*", "replay", "--channel", "broken",
                "--since", "1h", "--state", "dead", what="replay --channel: two alerts, not the test")
    db.wait("NOT EXISTS (SELECT FROM sla.delivery_log WHERE state = 'dead' AND channel = 'broken' AND kind <> 'test')")
    db.wait("NOT EXISTS (SELECT FROM sla.delivery WHERE channel = 'broken')")
    bench.check(True, "all are delivered")
    for wrong in (("replay",), ("replay", "--channel", "ops"), ("replay", "--since", "1h"), ("replay", "k", "--channel", "ops", "--since", "1h"),
                  ("replay", "--channel", "ops", "--since", "1h", "--state", "delivered"), ("replay", "--channel", "ops", "--since", "x"),
                  ("replay", "--channel", "ops", "--since", "1h", "--force"), ("deliveries", "--state", "lost"),
                  ("deliveries", "--since", "soon"), ("deliveries", "--limit", "0"), ("deliveries", "more"),
                  ("deliveries", "--source", "native")):
        bench.equal(people.ctl(*wrong)[0], 2, f"wrong call: {' '.join(wrong)}")


def test_assess(bench, people):
    db = bench.db
    ticket = db.insert("ticket", external_id="D-1", plan="loud", severity="S2")
    last = f"SELECT kind, by, severity, reason, refused FROM sla.event WHERE ticket_id = {ticket} ORDER BY seq DESC LIMIT 1"
    clock = "SELECT state FROM sla.clock WHERE ticket_id = {} AND metric = 'assessment' ORDER BY cycle DESC LIMIT 1".format(ticket)
    db.insert("dispute", ticket_id=ticket, reason="It is worse")
    db.wait(f"({clock}) = 'running'")
    people.says(0, "ticket D-1: severity stays normal", "assess", "D-1", "normal", "--reason", "A work-around exists", "--by", "kim")
    bench.equal(db.rows(last)[0], {"kind": "assessed", "by": "kim", "severity": None, "reason": "A work-around exists", "refused": None},
                "an assessment that changes nothing")
    db.wait(f"({clock}) = 'met'")
    db.insert("dispute", ticket_id=ticket, reason="No, it is worse")
    db.wait(f"({clock}) = 'running'")
    people.says(0, "ticket D-1: severity critical, was S2", "assess", "--reason", "All are down", "D-1", "URGENT", caller="mary")
    bench.equal(db.rows(last)[0], {"kind": "severity", "by": "agent", "severity": "critical", "reason": "All are down (mary)", "refused": None},
                "an assessment that changes it")
    db.wait(f"({clock}) = 'met'")
    db.wait(f"(SELECT severity FROM sla.ticket_state WHERE ticket_id = {ticket}) = 'critical'")
    people.says(1, r'slatectl: the configuration has no severity "huge"; it has critical \(S1, Urgent\), normal \(S2\)', "assess",
                "D-1", "huge", "--reason", "x")
    db.run(f"UPDATE sla.ticket SET status = 'closed' WHERE id = {ticket}")
    people.says(1, "slatectl: ticket D-1 is closed: .*", "assess", "D-1", "normal", "--reason", "x")
    bench.equal(db.value(f"SELECT sla.assess({ticket}, 'normal', 'x')"), False, "sla.assess leaves a closed ticket")
    for wrong in (("assess", "D-1", "normal"), ("assess", "D-1", "--reason", "x"), ("assess", "D-1", "normal", "--reason", "")):
        bench.equal(people.ctl(*wrong)[0], 2, f"wrong call: {' '.join(wrong)}")


def test_lock(bench, people):
    """Somebody's open transaction does not hold people up for ever."""
    ticket = bench.db.insert("ticket", external_id="L-1", plan="none", severity="S2")
    writer = bench.session("desk")
    writer.run(f"BEGIN; UPDATE sla.ticket SET team = 'x' WHERE id = {ticket}")
    people.says(1, "slatectl: acknowledging: ERROR:  canceling statement due to lock timeout.*", "ack", "L-1")
    writer.run("ROLLBACK")
    people.says(0, "ticket L-1: escalation stopped", "ack", "L-1")


def test_rights(bench, people):
    """Who may not is told which role may."""
    ticket = bench.db.insert("ticket", external_id="P-1", plan="none", severity="S2")
    for user, role, words in (
            ("stranger", "sla_writer", ("ack", "P-1")), ("lead", "sla_writer", ("ack", "P-1")),
            ("lead", "sla_daemon", ("silence", "--match", "plan=x", "--for", "1h", "--reason", "x")),
            ("desk", "sla_daemon", ("silence", "--match", "plan=x", "--for", "1h", "--reason", "x")),
            ("desk", "sla_daemon", ("silence", "--end", "1")), ("desk", "sla_daemon", ("test", "ops")),
            ("desk", "sla_reader", ("silence", "--list")), ("desk", "sla_reader", ("deliveries",)),
            ("desk", "sla_daemon", ("replay", "k")), ("lead", "sla_daemon", ("replay", "--channel", "broken", "--since", "1h")),
            ("lead", "sla_daemon", ("assess", "P-1", "normal", "--reason", "x"))):
        bench.db.run("INSERT INTO sla.delivery_log (key, position, kind, channel, payload, state, attempts, created_at) VALUES "
                     "('k', 0, 'escalated', 'broken', '{}', 'dead', 1, now()) ON CONFLICT DO NOTHING")
        people.says(1, rf'.*role "{user}" may not .*: GRANT {role} TO "{user}"', *words, user=user,
                    what=f"as {user}: {' '.join(words)}")
    for user, statement in (("watcher", "DELETE FROM sla.delivery_log"), ("watcher", "UPDATE sla.ticket SET severity = 'x'"),
                            ("desk", "SELECT sla.replay('{k}')"), ("lead", f"SELECT sla.assess({ticket}, 'normal', 'x')")):
        try:
            bench.session(user).run(statement)
            bench.check(False, f"the {user} may not: {statement}", "it may")
        except SqlError as error:
            bench.check("42501" in str(error), f"the {user} may not: {statement}", error)


def test(bench):
    bench.db.run("CREATE ROLE watcher LOGIN; GRANT sla_daemon TO watcher; CREATE ROLE desk LOGIN; GRANT sla_writer TO desk; "
                 "CREATE ROLE lead LOGIN; GRANT sla_reader TO lead; CREATE ROLE stranger LOGIN")
    people = People(bench)
    people.says(1, "slatectl: no daemon runs on this database.*", "test", "ops", what="test without a daemon")
    bench.ops = bench.receiver()
    channels = " ".join(webhook(name, bench.ops.url(query)) for name, query in (
        ("ops", ""), ("second", "to=second"), ("broken", "answer=404,200"), ("slow", "answer=hang"), ("rude", "answer=418&body=%1b]0;owned%07")))
    path = bench.write_config(CONFIG.format(channels=channels, chat=bench.receiver().url()), user="watcher")
    daemon = bench.daemon(path)
    test_ack(bench, people)
    test_hearing(bench, people)
    test_silence(bench, people)
    test_roles(bench, people)
    test_channel(bench, people)
    test_replay(bench, people)
    test_assess(bench, People(bench, path))
    people.says(1, r'slatectl: the configuration has no severity "huge".*', "assess", "4711", "huge", "--reason", "x",
                what="the severities of the configuration in force")
    test_lock(bench, people)
    test_rights(bench, people)
    bench.check(not any("permission denied" in line for line in daemon.log.lines), "the daemon missed no right")
    daemon.kill()
    bench.db.run("UPDATE sla.instance SET seen_at = seen_at - interval '1 minute'; UPDATE sla.lease SET expires_at = now()")
    people.says(1, "slatectl: no daemon runs on this database.*", "test", "ops", what="test with a daemon that died")
    bench.db.run("UPDATE sla.instance SET seen_at = now()")
    people.says(1, r"ops: not delivered within 1 s; it is taken back", "test", "--timeout", "1s", "ops")
    bench.equal(bench.db.value("SELECT count(*) FROM sla.delivery WHERE channel = 'ops' AND kind = 'test'"), 0, "no test is left behind")


if __name__ == "__main__":
    run(test)
