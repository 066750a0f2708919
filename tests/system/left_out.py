#!/usr/bin/env python3
"""Rows that cannot be read: the tickets that they belong to are left out, all others are watched. A row is mended as
doc/operations.md says. What the configuration lacks, or too much at once, keeps the daemon from loading."""
import re

from harness import HERE, run, webhook
from metrics import Client

CONFIG = """
severities = ( {{ name = "high"; }}, {{ name = "normal"; }} );
escalations = {{ loud = ( {{ on = "breached"; notify = "ops"; repeat_every = "1h"; }} ); }};
policies = ( {{ name = "all"; escalation = "loud"; targets = (
    {{ metric = "first_response"; within = "{within}"; }} ); }} );
channels = {{ {channel} }};
http = {{ listen = [ "127.0.0.1:0" ]; }};
"""


def remedy():
    guide = (HERE.parent.parent / "doc" / "operations.md").read_text()
    section = re.search(r"^### SlatedTicketsLeftOut\n(.*?)^### ", guide, re.M | re.S).group(1)
    return re.search(r"`(DELETE [^`]*)`", section).group(1)


def milestones(db, ticket):
    return db.value(f"SELECT string_agg(milestone, ' ' ORDER BY id) FROM sla.milestone WHERE ticket_id = {ticket}")


def left_out(daemon):
    return sorted(int(re.search(r"ticket (\d+):", line).group(1)) for line in daemon.log.lines
                  if line.startswith("a ticket is left out"))


def test(bench):
    db, receiver = bench.db, bench.receiver()

    def write(within):
        return bench.write_config(CONFIG.format(within=within, channel=webhook("ops", receiver.url())))

    path = write("1s")
    daemon = bench.daemon(path)
    state, clock, ladder, well = [db.insert("ticket", severity="normal") for _ in range(4)]
    db.wait("(SELECT count(*) FROM sla.milestone WHERE milestone = 'escalated') = 4")
    bench.stopped(daemon)

    db.run(f"UPDATE sla.ticket_state SET applied_seq = -1 WHERE ticket_id = {state}")
    db.run(f"UPDATE sla.clock SET policy = 'none' WHERE ticket_id = {clock}")
    db.run(f"UPDATE sla.ticket_state SET ladder = 'x' WHERE ticket_id = {ladder}")
    for ticket in (state, clock, ladder, well):
        db.insert("reply", ticket_id=ticket, author="agent")
    daemon = bench.daemon(path)
    db.wait(f"'met' IN (SELECT milestone FROM sla.milestone WHERE ticket_id = {well})")
    bench.equal(left_out(daemon), [state, clock, ladder], "left out: the log names each")
    new = db.insert("ticket", severity="normal")
    db.insert("reply", ticket_id=clock, author="customer")
    db.wait(f"'breached' IN (SELECT milestone FROM sla.milestone WHERE ticket_id = {new})")
    bench.equal([milestones(db, ticket) for ticket in (state, clock, ladder)], ["started breached escalated"] * 3,
                "left out: nothing is done for them")
    bench.equal(Client(daemon).value("slated_tickets_left_out"), 3, "left out: /metrics counts them")
    db.wait("(SELECT last_error FROM sla.instance) LIKE 'a ticket is left out%'")
    bench.stopped(daemon)

    for ticket in (state, clock, ladder):
        for statement in remedy().replace("= N", f"= {ticket}").split("; "):
            db.run(statement)
    daemon = bench.daemon(path)
    db.wait(f"(SELECT count(*) FROM sla.milestone WHERE milestone = 'met' AND ticket_id IN ({state}, {clock}, {ladder})) = 3")
    bench.equal([milestones(db, ticket) for ticket in (state, clock, ladder)], ["started breached escalated met"] * 3,
                "mended: what came since is caught up with, and nothing is recorded twice")
    bench.equal(left_out(daemon), [], "mended: none is left out any more")
    bench.stopped(daemon)
    bench.equal(db.value("SELECT count(*) - count(DISTINCT key) FROM (SELECT key FROM sla.delivery UNION ALL SELECT key "
                         "FROM sla.delivery_log) AS d"), 0, "mended: nor told")

    # An event that cannot be read is refused, and the ticket goes on.
    daemon = bench.daemon(path)
    odd = db.insert("ticket", severity="normal")
    db.wait(f"'breached' IN (SELECT milestone FROM sla.milestone WHERE ticket_id = {odd})")
    bench.stopped(daemon)
    db.run(f"UPDATE sla.ticket SET status = 'pending' WHERE id = {odd}")
    db.run(f"UPDATE sla.event SET status = 'zork' WHERE ticket_id = {odd} AND kind = 'status'")
    db.insert("reply", ticket_id=odd, author="agent")
    daemon = bench.daemon(path)
    db.wait(f"'met' IN (SELECT milestone FROM sla.milestone WHERE ticket_id = {odd})")
    bench.equal(db.value(f"SELECT refused FROM sla.event WHERE ticket_id = {odd} AND kind = 'status'"),
                'status: "zork" is not known', "an event that cannot be read is refused")

    # What a configuration lacks concerns many, and is seen at once.
    open_one = db.insert("ticket", severity="high")
    db.wait(f"EXISTS (SELECT FROM sla.clock WHERE ticket_id = {open_one})")
    bench.stopped(daemon)
    path.write_text(path.read_text().replace('{ name = "high"; }, ', ""))
    daemon = bench.daemon(path, loaded=False)
    said = daemon.log.wait("^not started: the configuration lacks a severity")
    bench.check(f'\\"high\\" is gone, but 1 open tickets have it, such as ticket {open_one}' in said,
                "a severity that is gone: it says which, and who has it", said)
    bench.equal(daemon.process.wait(10), 1, "a severity that is gone: exit status 1")
    bench.equal(db.value("SELECT count(*) FROM sla.lease WHERE expires_at > clock_timestamp()"), 0,
                "a severity that is gone: it has taken no lease")

    path = write("1h")
    daemon = bench.daemon(path)
    db.run("INSERT INTO sla.ticket (severity) SELECT 'normal' FROM generate_series(1, 101)")
    db.wait("(SELECT count(*) FROM sla.clock WHERE state = 'running') = 101")
    bench.stopped(daemon)
    db.run("UPDATE sla.clock SET policy = 'none' WHERE state = 'running'")
    daemon = bench.daemon(path, loaded=False)
    daemon.log.wait("^too many tickets would be left out")
    bench.check(not daemon.log.find("^loaded"), "more than 100: nothing is loaded", daemon.log.lines)
    daemon.kill()


if __name__ == "__main__":
    run(test)
