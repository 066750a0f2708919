#!/usr/bin/env python3
"""The daemon as a login role that has sla_daemon and nothing else, a ticket system that has sla_writer; deliveries by a
program."""
import json

from harness import SqlError, microseconds, run

CONFIG = """
escalations = {{ loud = ( {{ on = "at_risk"; notify = [ "script" ]; }}, {{ on = "breached"; notify = [ "script" ]; }} ); }};
policies = ( {{ name = "all"; escalation = "loud"; targets = (
    {{ metric = "first_response"; within = "2s"; at_risk = [ "50%" ]; }},
    {{ metric = "resolution"; within = "3s"; pause_on = [ "pending" ]; }} ); }} );
reassessments = ( {{ name = "up"; on = [ "breached" ]; match = {{ plan = "gold"; severity = "normal"; }}; set = "+1";
    reason = "Breached."; }} );
channels = {{ script = {{ type = "exec"; command = [ "{folder}/append", "{folder}/got" ]; }}; }};
"""
# One line a delivery, in one write, as several run at once; what the environment says comes first.
SCRIPT = """#!/bin/sh
set -eu
event=$(cat)
[ -z "${HOME-}${PGHOST-}${USER-}" ] || exit 1
printf '%s %s %s\\n' "$SLATED_DELIVERY" "$SLATED_KIND" "$event" >>"$1"
"""
TICKETS = 20
FORBIDDEN = (
    ("writer", "SELECT * FROM sla.delivery"),
    ("writer", "INSERT INTO sla.event (ticket_id, seq, at, kind) VALUES (1, 99, now(), 'reply')"),
    ("writer", "UPDATE sla.ticket SET event_seq = 7"),
    ("writer", "UPDATE sla.clock SET due_at = NULL"),
    ("writer", "DELETE FROM sla.milestone"),
    ("daemon", "UPDATE sla.ticket SET severity = 'low'"),
    ("daemon", "UPDATE sla.milestone SET at = now()"),
    ("daemon", "DELETE FROM sla.event"),
    ("daemon", "CREATE TABLE sla.own ()"),
)


def test(bench):
    bench.db.run("CREATE ROLE watcher LOGIN; GRANT sla_daemon TO watcher; CREATE ROLE desk LOGIN; GRANT sla_writer TO desk")
    script = bench.folder / "append"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    path = bench.write_config(CONFIG.format(folder=bench.folder), user="watcher")
    daemon = bench.daemon(path)
    bench.equal(bench.db.rows("SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name LIKE 'slated%'"),
                [{"usename": "watcher"}], "the daemon's connections are the role's")
    desk = bench.session("desk")
    for n in range(TICKETS):
        ticket = desk.insert("ticket", external_id=f"R-{n}", plan="gold" if n % 2 else "free", severity="normal")
        if n % 4 == 0:
            desk.run(f"UPDATE sla.ticket SET status = 'pending' WHERE id = {ticket}")
            desk.insert("reply", ticket_id=ticket, author="agent", body="we look at it")
    bench.db.wait(f"(SELECT count(*) FROM sla.clock) = {2 * TICKETS}")
    bench.check(True, "the daemon sees what the ticket system writes")
    bench.db.wait("NOT EXISTS (SELECT FROM sla.clock WHERE state = 'running')")
    bench.db.wait("(SELECT count(*) FROM sla.reassessment WHERE outcome = 'applied') = 10")
    bench.check(True, "rules reach tickets that the daemon may not write itself")
    desk.run("UPDATE sla.ticket SET status = 'closed'")
    bench.db.wait("NOT EXISTS (SELECT FROM sla.clock WHERE ended_at IS NULL)")
    bench.db.wait("NOT EXISTS (SELECT FROM sla.delivery)")

    log = {row["key"]: row for row in bench.db.rows("SELECT key, kind, state, attempts FROM sla.delivery_log")}
    got = [line.split(" ", 2) for line in (bench.folder / "got").read_text().splitlines()]
    events = [json.loads(event) for _, _, event in got]
    bench.check(len(log) > TICKETS, f"{len(log)} deliveries by the program")
    bench.equal({row["state"] for row in log.values()}, {"delivered"}, "all delivered")
    bench.equal(sorted(key for key, _, _ in got), sorted(log), "the program ran once for each")
    bench.check(all(log[key]["kind"] == kind for key, kind, _ in got), "SLATED_KIND is the delivery's")
    bench.check(all(event["id"] == key for event, (key, _, _) in zip(events, got)), "each had its event on standard input")
    bench.check(all(microseconds(event["time"]) == microseconds(event["data"]["milestone"]["at"]) for event in events),
                "with the milestone")

    sessions = {"writer": desk, "daemon": bench.session("watcher")}
    for who, statement in FORBIDDEN:
        try:
            sessions[who].run(statement)
            bench.check(False, f"the {who} may not: {statement}", "it may")
        except SqlError as error:
            bench.check("42501" in str(error), f"the {who} may not: {statement}", error)
    bench.check(not any("permission denied" in line for line in daemon.log.lines), "the daemon missed no right")
    bench.stopped(daemon)


if __name__ == "__main__":
    run(test)
