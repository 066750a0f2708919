#!/usr/bin/env python3
"""Bad input is refused, with a reason, by a constraint or by the daemon, and counted; it never stops the daemon."""
import re
import subprocess
import time

from harness import BUILD, SqlError, run

CONFIG = """
severities = ( { name = "critical"; aliases = [ "S1" ]; }, { name = "low"; } );
policies = ( { name = "all"; targets = ( { metric = "first_response"; within = "1h"; },
    { metric = "resolution"; within = "2h"; } ); } );
"""

# Statements that a constraint or a trigger refuses, and what the message or its hint must say.
REFUSED_BY_THE_DATABASE = (
    ("INSERT INTO sla.ticket (severity, status) VALUES ('low', 'waiting')",
     "status_is_one_of_open_pending_on_hold_solved_closed"),
    ("UPDATE sla.ticket SET status = 'done' WHERE id = 1", "status_is_one_of_open_pending_on_hold_solved_closed"),
    ("INSERT INTO sla.ticket (severity, opened_at) VALUES ('low', clock_timestamp() + interval '1 hour')",
     "opened_at .* lies in the future(.|\n)*At most one minute ahead"),
    ("INSERT INTO sla.ticket (severity, opened_at) VALUES ('low', NULL)", "opened_at is missing"),
    ("INSERT INTO sla.ticket (severity, opened_at) VALUES ('low', 'infinity')", "opened_at infinity lies in the future"),
    ("INSERT INTO sla.ticket (severity, attributes) VALUES ('low', '[1]')", "attributes_is_a_json_object"),
    ("INSERT INTO sla.reply (ticket_id, author, at) VALUES (1, 'agent', clock_timestamp() + interval '1 day')",
     "at .* lies in the future"),
    ("INSERT INTO sla.reply (ticket_id, author) VALUES (1, 'robot')", "author_is_one_of_agent_customer_system"),
    ("INSERT INTO sla.reply (ticket_id, author) VALUES (4711, 'agent')", "ticket 4711 does not exist"),
    ("INSERT INTO sla.ack (ticket_id, \"for\") VALUES (1, '-1 hour')", "for_is_longer_than_nothing"),
    ("INSERT INTO sla.merge (ticket_id, into_id) VALUES (1, 1)", "merged_into_another_ticket"),
    ("UPDATE sla.ticket SET opened_at = opened_at - interval '1 hour' WHERE id = 1", "opened_at of ticket 1 never change"),
    ("DELETE FROM sla.ticket WHERE id = 1", "DELETE is not allowed on sla.ticket(.|\n)*'closed'"),
)


def test_pairs(bench, ticket):
    """Of two events within a tenth of a second only the first has a hint; the other does not wait for the idle poll of
    every second. A few may be slow, as the machine may be busy."""
    db = bench.db
    slow = []
    for _ in range(40):
        for pair in (1, 2):
            db.run(f"INSERT INTO sla.reply (ticket_id, author, public) VALUES ({ticket}, 'agent', false)")
            begin = time.monotonic()
            db.wait_applied(ticket)
            if time.monotonic() - begin > 0.7:
                slow.append(round(time.monotonic() - begin, 3))
    bench.check(len(slow) <= 3, "an event just after another is seen soon", slow)


def test_message(bench, ticket):
    """What the server says may be longer than what is kept of it, in letters of two bytes: the heartbeat, which writes it
    to the database, goes on wherever it is cut."""
    db = bench.db
    for lead in ("", "x"):
        db.run(f"CREATE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE '%', '{lead}' || repeat('ä', 400); "
               "END $$; CREATE TRIGGER complain BEFORE INSERT ON sla.milestone FOR EACH ROW EXECUTE FUNCTION complain()")
        db.insert("reply", ticket_id=ticket, author="agent")
        db.wait(f"(SELECT last_error FROM sla.instance) LIKE '%: {lead}ääää%'")
        db.run("DROP FUNCTION complain CASCADE")
        db.wait_applied(ticket)
        bench.check(True, f"a long message of the server is kept as far as it fits: {lead}ää")
        ticket = db.insert("ticket", severity="low")
        db.wait(f"(SELECT count(*) FROM sla.clock WHERE ticket_id = {ticket}) = 2")


def test_hold(bench, ticket):
    """An interval may be longer than the microseconds of a bigint: it is taken for a hundred years."""
    db = bench.db
    db.run(f"INSERT INTO sla.ack (ticket_id, \"for\") VALUES ({ticket}, '170000000 years')")
    db.wait_applied(ticket)
    for command in (["list"], ["show", str(ticket)]):
        done = subprocess.run([BUILD / "slatectl", *command, "--conninfo", bench.server.conninfo()], capture_output=True,
                              text=True, check=False)
        bench.equal((done.returncode, done.stderr), (0, ""), f"an acknowledgement for 170 million years: slatectl {command[0]}")


def test_gap(bench, daemon, ticket):
    """Somebody deletes events that are still to be applied: the ticket goes on without them, and so do the others."""
    db = bench.db
    seq = db.value(f"SELECT event_seq FROM sla.ticket WHERE id = {ticket}")
    gap = len(daemon.log.lines)
    reply = f"INSERT INTO sla.reply (ticket_id, author, public) VALUES ({ticket}, 'agent', false); "
    db.run(f"BEGIN; {4 * reply} DELETE FROM sla.event WHERE ticket_id = {ticket} AND seq IN ({seq + 2}, {seq + 3}); COMMIT")
    db.wait(f"(SELECT applied_seq FROM sla.ticket_state WHERE ticket_id = {ticket}) = {seq + 4}")
    bench.check(daemon.log.find(f"events are missing.*ticket {ticket} has none from seq {seq + 2} to {seq + 3} in sla.event; "
                                "it goes on without them", gap), "deleted events: the log says which", daemon.log.lines[gap:])
    other = db.insert("ticket", severity="low")
    db.wait(f"(SELECT count(*) FROM sla.clock WHERE ticket_id = {other}) = 2")
    loads = sum(line.startswith("loaded ") for line in daemon.log.lines)
    db.run(reply)
    db.wait(f"(SELECT applied_seq FROM sla.ticket_state WHERE ticket_id = {ticket}) = {seq + 5}")
    bench.equal(sum(line.startswith("loaded ") for line in daemon.log.lines), loads, "the daemon goes on as ever")


def test(bench):
    config = bench.write_config(CONFIG)
    daemon = bench.daemon(config)
    db = bench.db
    db.insert("ticket", severity="low")
    for statement, message in REFUSED_BY_THE_DATABASE:
        try:
            db.run(statement)
            bench.check(False, statement, "not refused")
        except SqlError as error:
            bench.check(re.search(message, str(error)), f"{statement}: the message says why", error)

    unknown = db.insert("ticket", severity="urgent")
    missing = db.insert("ticket", plan="gold")
    changed = db.insert("ticket", severity="S1")
    db.run(f"UPDATE sla.ticket SET severity = 'whatever' WHERE id = {changed}")
    closed = db.insert("ticket", severity="low")
    db.run(f"UPDATE sla.ticket SET status = 'closed' WHERE id = {closed}")
    db.insert("reply", ticket_id=closed, author="agent")
    merged = db.insert("ticket", severity="low")
    db.run(f"INSERT INTO sla.merge (ticket_id, into_id) VALUES ({merged}, 1)")
    db.insert("reply", ticket_id=merged, author="agent")
    after = db.insert("reply", ticket_id=unknown, author="agent")
    # Each: the ticket, the number of its event, what the reason must say.
    refused = (
        (unknown, 1, 'severity "urgent" is unknown; the configuration knows critical, low'),
        (missing, 1, "severity is missing; the configuration knows critical, low"),
        (changed, 2, 'severity "whatever" is unknown; the configuration knows critical, low'),
        (closed, 3, "closed"),
        (merged, 3, "merged"),
        (unknown, 2, "the ticket is unknown"),
    )
    for ticket, seq, reason in refused:
        db.wait(f"(SELECT refused FROM sla.event WHERE (ticket_id, seq) = ({ticket}, {seq})) LIKE '%{reason}%'")
        bench.check(True, f"event {seq} of ticket {ticket}: {reason}")
    bench.check(after > 0, "a refused ticket takes replies all the same")
    bench.equal(db.value("SELECT count(*) FROM sla.event WHERE refused IS NOT NULL"), len(refused), "no other event is refused")
    bench.equal(db.value(f"SELECT severity FROM sla.ticket_state WHERE ticket_id = {changed}"), "critical",
                "a refused severity changes nothing")
    bench.equal(db.value(f"SELECT count(*) FROM sla.clock WHERE ticket_id IN ({unknown}, {missing})"), 0,
                "a refused ticket has no clock")

    # Numbers that no C type holds, and values nested deeper than a JSON reader goes, are texts like others.
    huge = "1" + 30 * "0"
    odd = db.insert("ticket", severity="low", attributes=f'{{"n": {huge}, "e": 1e300, "deep": {3000 * "["}{3000 * "]"}}}')
    db.run(f"UPDATE sla.ticket SET attributes = attributes || '{{\"n\": {huge}1, \"e\": null}}' WHERE id = {odd}")
    db.wait(f"(SELECT applied_seq FROM sla.ticket_state WHERE ticket_id = {odd}) = 2")
    bench.equal(db.value(f"SELECT attributes ->> 'n' FROM sla.ticket_state WHERE ticket_id = {odd}"), huge + "1",
                "a number of any length is an attribute like others")

    late = db.insert("ticket", severity="low")
    db.wait(f"(SELECT applied_seq FROM sla.ticket_state WHERE ticket_id = {late}) = 1")
    db.run(f"INSERT INTO sla.reply (ticket_id, author, at) VALUES ({late}, 'agent', clock_timestamp() - interval '1 day')")
    db.wait(f"(SELECT late FROM sla.event WHERE (ticket_id, seq) = ({late}, 2))")
    bench.equal(db.value(f"SELECT m.at = t.opened_at FROM sla.milestone m JOIN sla.ticket t ON t.id = m.ticket_id "
                         f"WHERE ticket_id = {late} AND milestone = 'met'"), True,
                "a late event is marked and counts at the last one's instant")

    # It goes on, knows the number, and keeps both through a restart.
    db.wait(f"(SELECT refused FROM sla.instance) = {len(refused)}")
    bench.check(True, "sla.instance counts the refused events")
    bench.equal(sum("event refused" in line for line in daemon.log.lines), len(refused), "each is logged once")
    good = db.insert("ticket", severity="low")
    db.wait(f"(SELECT count(*) FROM sla.clock WHERE ticket_id = {good}) = 2")
    bench.check(True, "the daemon goes on")
    test_pairs(bench, good)
    fresh = db.insert("ticket", severity="low")
    db.wait(f"(SELECT count(*) FROM sla.clock WHERE ticket_id = {fresh}) = 2")
    test_message(bench, fresh)
    test_hold(bench, db.insert("ticket", severity="low"))
    test_gap(bench, daemon, fresh)
    bench.stopped(daemon)
    db.insert("ticket", severity="nothing we know")
    db.insert("reply", ticket_id=closed, author="customer")
    daemon = bench.daemon(config)
    db.wait(f"(SELECT count(*) FROM sla.event WHERE refused IS NOT NULL) = {len(refused) + 2}")
    bench.check(True, "what came while it was stopped is refused when it is back, nothing else")
    bench.stopped(daemon)


if __name__ == "__main__":
    run(test)
