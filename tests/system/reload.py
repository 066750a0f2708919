#!/usr/bin/env python3
"""SIGHUP and restarts with other configurations: a broken one changes nothing, a good one is for what comes, running
clocks keep the target that they have."""
from harness import run, webhook
import signal

CONFIG = """
severities = ( {{ name = "high"; }}, {{ name = "low"; }} );
calendars = {{ {calendars} }};
escalations = {{ loud = ( {{ on = "at_risk"; notify = [ "ops" ]; }} ); }};
policies = ( {{ name = "all"; escalation = "loud"; targets = (
    {{ metric = "first_response"; within = "{within}"; {calendar} at_risk = [ "{level}" ]; }} ); }} );
channels = {{ {channels} }};
"""
BERLIN = 'berlin = { timezone = "Europe/Berlin"; hours = { daily = "00:00-24:00"; }; };'
ON_BERLIN = 'calendar = "berlin";'
MANY = 2500


def budget(bench, ticket):
    bench.db.wait(f"EXISTS (SELECT FROM sla.clock WHERE ticket_id = {ticket})")
    return bench.db.value(f"SELECT budget / 1000000 FROM sla.clock WHERE ticket_id = {ticket}")


def due(bench, ticket):
    return bench.db.value(f"SELECT due_at::text FROM sla.clock WHERE ticket_id = {ticket}")


def reload(daemon, line):
    since = len(daemon.log.lines)
    daemon.signal(signal.SIGHUP)
    found = daemon.log.wait(line, since)
    return found, daemon.log.lines[since:]


def test_steps_in_hand(bench, write):
    """Steps that were set going go on as their configuration has them, across a reload and a restart."""
    db = bench.db

    def configure(ladder):
        text = write(calendar="", level="75%").read_text()
        text = text.replace('loud = ( { on = "at_risk"; notify = [ "ops" ]; } )', f"loud = ( {ladder} )")
        # No clock runs at this severity, so the steps are the ticket's own.
        path.write_text(text.replace('within = "1h";', 'severity = "high"; within = "1h";'))

    path = write()
    configure('{ on = "requested"; notify = [ "ops" ]; repeat_every = "1s"; }')
    daemon = bench.daemon(path)
    ticket = db.insert("ticket", severity="low")
    db.insert("reply", ticket_id=ticket, author="customer", body="#escalate")
    fired = f"(SELECT count(*) FROM sla.milestone WHERE ticket_id = {ticket} AND milestone = 'escalated')"
    db.wait(f"{fired} >= 1")
    configure('{ on = "breached"; notify = [ "ops" ]; }, { on = "requested"; notify = [ "assignee" ]; }')
    reload(daemon, "^reloaded")
    count = db.value(f"SELECT {fired}")
    db.wait(f"{fired} >= {count} + 2")
    bench.stopped(daemon)
    daemon = bench.daemon(path)
    count = db.value(f"SELECT {fired}")
    db.wait(f"{fired} >= {count} + 2")
    bench.equal(db.rows(f"SELECT DISTINCT step, notify::text AS notify FROM sla.milestone WHERE ticket_id = {ticket} "
                        "AND milestone = 'escalated'"), [{"step": 1, "notify": "{ops}"}],
                "steps in hand: they go on as they were, across a reload and a restart")
    db.run(f"UPDATE sla.ticket SET status = 'closed' WHERE id = {ticket}")
    bench.stopped(daemon)


def test_many_move(bench, write):
    """More clocks than a batch takes move to a new configuration: in several, each once, and a stop amid it is told of."""
    db = bench.db
    moved = "(SELECT count(*) FROM sla.milestone m JOIN sla.ticket t ON t.id = m.ticket_id WHERE t.source = 'many' " \
            "AND m.milestone = 'retargeted' AND m.{})"

    def configure(within):
        write(within=within, level="75%")
        path.write_text(path.read_text().replace("instance = { ", 'instance = { reload = "migrate"; '))

    path = write()
    daemon = bench.daemon(path)
    db.run("INSERT INTO sla.ticket (source, external_id, severity) SELECT 'many', n::text, 'low' "
           f"FROM generate_series(1, {MANY}) n")
    db.run("INSERT INTO sla.ticket (source, external_id, severity, opened_at) VALUES ('many', 'late', 'low', "
           "clock_timestamp() - interval '2 hours')")
    db.wait(f"(SELECT count(*) FROM sla.clock c JOIN sla.ticket t ON t.id = c.ticket_id WHERE t.source = 'many') = {MANY} + 1")
    db.wait("EXISTS (SELECT FROM sla.clock WHERE state = 'breached' AND ended_at IS NULL)")
    configure("6h")
    reload(daemon, "^clocks have moved to the configuration in force tickets=")
    db.wait(moved.format("due_at - m.at > '5 hours'") + f" = {MANY}")
    most = db.value("SELECT max(n) FROM (SELECT count(*) AS n FROM sla.milestone WHERE milestone = 'retargeted' GROUP BY xmin) g")
    bench.check(most <= 1000, f"{MANY} clocks move in several batches", most)

    # A breached clock keeps its former configuration, and nothing is written for it at each start.
    stands = "SELECT s.xmin::text FROM sla.ticket_state s JOIN sla.ticket t ON t.id = s.ticket_id WHERE t.external_id = 'late'"
    before = db.value(stands)
    bench.stopped(daemon)
    configure("7h")
    daemon = bench.daemon(path)
    db.wait(moved.format("due_at - m.at > '6 hours'") + f" = {MANY}")
    bench.equal(db.value(stands), before, "a breached clock is not written anew where others move")

    # One that is told to stop as they move.
    write(within="8h", level="75%")
    other = bench.session()
    other.run("BEGIN; LOCK TABLE sla.milestone IN SHARE MODE")
    since = len(daemon.log.lines)
    daemon.signal(signal.SIGUSR1)
    daemon.log.wait("^reloaded", since)
    db.wait("EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'slated ledger' AND wait_event_type = 'Lock')")
    daemon.signal(signal.SIGTERM)
    daemon.log.wait("^stopped before all clocks have moved; once slated runs again: slatectl reload --migrate", since)
    other.run("COMMIT")
    other.close()
    bench.stopped(daemon)
    some = db.value("SELECT " + moved.format("due_at - m.at > '7 hours'"))
    bench.check(0 < some < MANY, "stopped as clocks move: what was in hand is written, the rest stays", some)


def test(bench):
    db = bench.db
    receiver = bench.receiver()

    def write(within="1h", level="50%", calendars=BERLIN, calendar=ON_BERLIN, channels=webhook("ops", receiver.url()),
              tail=""):
        return bench.write_config(CONFIG.format(**{k: v for k, v in locals().items() if k != "tail"}) + tail)

    path = write()
    daemon = bench.daemon(path)
    ticket = db.insert("ticket", severity="low")
    bench.equal(budget(bench, ticket), 3600, "the first configuration's target")
    first_due = due(bench, ticket)

    # Broken: all reasons at once, each with its line.
    text = path.read_text()
    broken = text.replace('metric = "first_response"', 'metric = "first_respons"').replace('"50%"', '"500%"')
    path.write_text(broken + 'whatever = 1;\n')
    lines = {name: next(n for n, line in enumerate(path.read_text().splitlines(), 1) if part in line)
             for name, part in (("metric", "first_respons"), ("at_risk", "500%"), ("whatever", "whatever"))}
    _, logged = reload(daemon, "^reload refused, the former configuration stays in force")
    for name, line in lines.items():
        bench.check(any(f"file={path} line={line} " in entry and name in entry for entry in logged),
                    f"broken: the reason for {name} is logged with file and line", logged)
    path.write_text("policies = (\n")
    _, logged = reload(daemon, "^reload refused")
    bench.check(any(f"file={path} line=" in entry for entry in logged), "broken: so is a syntax error", logged)
    path.unlink()
    reload(daemon, "^reload refused")
    bench.check(True, "broken: a missing file is refused")
    ticket = db.insert("ticket", severity="low")
    bench.equal(budget(bench, ticket), 3600, "broken: the former configuration stays in force")
    db.wait("(SELECT last_error FROM sla.instance) LIKE 'reload refused%'")
    bench.check(True, "broken: sla.instance tells of it")

    # Unchanged.
    path = write()
    reload(daemon, "^reload: the configuration is unchanged")
    bench.check(True, "unchanged: says so")

    # The calendar of a running clock cannot go away.
    write(calendars="", calendar="")
    found, _ = reload(daemon, "^reload refused")
    bench.check("berlin" in found, "a calendar that a running clock needs: refused, by name", found)
    ticket = db.insert("ticket", severity="low")
    bench.equal(db.value(f"SELECT {budget(bench, ticket)}"), 3600, "a calendar that a running clock needs: nothing changes")

    # A good one: for new tickets, while running clocks keep their target until an event of their own changes it.
    write(within="2h", level="25%", calendar="")
    reload(daemon, "^reloaded")
    new = db.insert("ticket", severity="low")
    bench.equal(budget(bench, new), 7200, "good: new tickets use it")
    bench.equal(due(bench, 1), first_due, "good: a running clock keeps its target")
    db.insert("reply", ticket_id=1, author="customer")
    db.wait("(SELECT applied_seq FROM sla.ticket_state WHERE ticket_id = 1) = 2")
    bench.equal(due(bench, 1), first_due, "good: a reply does not change it either")
    db.wait("(SELECT count(*) FROM sla.configuration) = 2")
    bench.equal(db.value("SELECT count(DISTINCT configuration) FROM sla.clock"), 2, "good: each clock names its own")
    db.run("UPDATE sla.ticket SET severity = 'high' WHERE id = 2")
    db.wait("(SELECT budget FROM sla.clock WHERE ticket_id = 2) = 7200000000")
    bench.check(True, "good: a change of severity brings a running clock to it")

    # Now that the calendar is used by old clocks only, in force is another configuration: a restart keeps them too.
    bench.stopped(daemon)
    write(within="3h", level="75%")
    daemon = bench.daemon(path)
    bench.equal(due(bench, 1), first_due, "restart: a running clock keeps its due under a changed configuration")
    bench.equal(budget(bench, db.insert("ticket", severity="low")), 10800, "restart: new tickets use the new one")
    # Its level is the former configuration's: half of the hour, not three quarters of three.
    db.run("UPDATE sla.ticket SET status = 'closed' WHERE id > 1")
    db.wait("NOT EXISTS (SELECT FROM sla.clock WHERE ended_at IS NULL AND ticket_id > 1)")
    db.wait("(SELECT next_at FROM sla.instance) = (SELECT started_at + interval '30 minutes' FROM sla.clock "
            "WHERE ticket_id = 1)")
    bench.check(True, "restart: its next level is the former configuration's")

    # Taken along at once, where the configuration says so; by a restart, too.
    first = db.insert("ticket", severity="low")
    bench.equal(budget(bench, first), 10800, "migrate: before")
    write(within="4h", level="75%")
    path.write_text(path.read_text().replace('instance = { ', 'instance = { reload = "migrate"; '))
    reload(daemon, "^reloaded")
    db.wait(f"(SELECT budget FROM sla.clock WHERE ticket_id = {first}) = 14400000000")
    bench.equal(db.value(f"SELECT string_agg(milestone, ' ' ORDER BY id) FROM sla.milestone WHERE ticket_id = {first}"),
                "started retargeted", "migrate: a running clock has the new target at once")
    bench.stopped(daemon)
    write(within="5h", level="75%")
    path.write_text(path.read_text().replace('instance = { ', 'instance = { reload = "migrate"; '))
    daemon = bench.daemon(path)
    db.wait(f"(SELECT budget FROM sla.clock WHERE ticket_id = {first}) = 18000000000")
    bench.check(True, "migrate: a restart takes it along, too")
    db.run(f"UPDATE sla.ticket SET status = 'closed' WHERE id = {first}")

    # Channels change with a reload.
    channels = webhook("ops", receiver.url("second"))
    write(within="2s", level="50%", channels=channels)
    reload(daemon, "^reloaded")
    db.insert("ticket", severity="low")
    receiver.wait("an alert", lambda requests: any(r["path"] == "/sla?second" and r["verified"] for r in requests))
    bench.check(True, "a channel's new address is in use after the reload")
    bench.equal([r["path"] for r in receiver.requests() if r["path"] != "/sla?second"], [],
                "nothing went to the former one")

    # What needs a severity that is gone.
    write(tail="")
    path.write_text(path.read_text().replace('( { name = "high"; }, { name = "low"; } )', '( { name = "high"; } )'))
    found, _ = reload(daemon, "^reload refused")
    bench.check('severity \\"low\\"' in found, "a severity that an open ticket has: refused, by name", found)
    bench.stopped(daemon)
    test_steps_in_hand(bench, write)
    test_many_move(bench, write)
    write(within="9s")
    path.write_text(path.read_text() + "nonsense = 1;\n")
    daemon = bench.daemon(path, loaded=False)
    daemon.process.wait(10)
    daemon.log.thread.join()
    bench.equal(daemon.process.returncode, 1, "a start with a broken configuration: exit status 1")
    bench.check(daemon.log.find("not started") and daemon.log.find("nonsense"), "and the reason", daemon.log.lines)


if __name__ == "__main__":
    run(test)
