#!/usr/bin/env python3
"""A dump is loaded into another cluster and made ready by the statements of doc/operations.md: what waited is sent
under its own key, numbers of tickets are not given out again, and the daemon does not take the former cluster's events,
whose transactions have higher numbers, for new ones again and again."""
import re
import subprocess

from harness import HERE, Server, Session, run, webhook

CONFIG = """
escalations = {{ loud = ( {{ on = "breached"; notify = "ops"; }} ); }};
policies = ( {{ name = "all"; escalation = "loud"; targets = ( {{ metric = "first_response"; within = "1s"; }} ); }} );
channels = {{ {channel} }};
"""
# The former cluster's transactions are to have higher numbers than those of the new one.
AHEAD = 10000
POLLS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
NEW = "SELECT count(*) FROM sla.event WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())"


def statements():
    """Of the section on restoring, as it tells of them."""
    guide = (HERE.parent.parent / "doc" / "operations.md").read_text()
    section = re.search(r"^## Backup and restore\n(.*?)^## ", guide, re.M | re.S).group(1)
    return re.findall(r"^```sql\n(.*?)^```", section, re.M | re.S)


def psql(server, text):
    return subprocess.run(["psql", "-qX", "-d", server.conninfo()], input=text, capture_output=True, text=True,
                          env=server.environment, check=False)


def dump(server):
    """The roles and all of the database."""
    parts = [subprocess.run([*command, "-d", server.conninfo()], capture_output=True, text=True, env=server.environment,
                            check=True).stdout for command in (["pg_dumpall", "--roles-only"], ["pg_dump"])]
    return "".join(parts)


def empty_server(bench):
    server = Server()
    bench.stack.callback(server.close)
    session = Session(server)
    bench.stack.callback(session.close)
    return server, session


def test(bench):
    receiver = bench.receiver()
    # After a first failure the delivery waits for its next attempt.
    failing = CONFIG.format(channel=webhook("ops", receiver.url("answer=503")))
    daemon = bench.daemon(bench.write_config(failing))
    db = bench.db
    db.run(f"DO $$ BEGIN FOR i IN 1..{AHEAD} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
    former = db.insert("ticket", external_id="T-1", severity="normal")
    db.wait("EXISTS (SELECT FROM sla.delivery WHERE attempts > 0)")
    daemon.kill()
    key = db.value("SELECT key FROM sla.delivery")
    server, restored = empty_server(bench)
    psql(server, dump(bench.server))
    events = "SELECT count(*) FROM sla.event"
    bench.equal(restored.value(events), db.value(events), "all is there")
    bench.check(restored.value(NEW) > 0, "the former cluster's events look new")
    bench.equal(len(statements()), 1, "doc/operations.md has a block of statements")
    for text in statements():
        done = psql(server, text)
        bench.check(not done.stderr, "doc/operations.md: statements of the restore", done.stderr)
    bench.server = server
    daemon = bench.daemon(bench.write_config(CONFIG.format(channel=webhook("ops", receiver.url()))))
    restored.wait(f"EXISTS (SELECT FROM sla.delivery_log WHERE key = '{key}' AND state = 'delivered')")
    bench.check(True, "what waited is sent, under its own key")
    number = restored.insert("ticket", external_id="T-2", severity="normal")
    bench.check(number > 1000 * former, "numbers of tickets are not given out again", number)
    restored.wait(f"EXISTS (SELECT FROM sla.milestone WHERE ticket_id = {number} AND milestone = 'breached')")
    bench.check(True, "and a new ticket is looked after")
    seen, polls = restored.rows(f"SELECT seen_at, ({POLLS}) AS n FROM sla.instance")[0].values()
    restored.wait(f"(SELECT seen_at > '{seen}'::timestamptz + interval '4 s' FROM sla.instance)")
    polls = restored.value(POLLS) - polls
    bench.check(polls < 600, "the former cluster's events are not read again and again", polls)
    breaches = f"SELECT count(*) FROM sla.milestone WHERE ticket_id = {former} AND milestone = 'breached'"
    bench.equal(restored.value(breaches), 1, "what had been recorded is not recorded again")
    bench.stopped(daemon)


run(test)
