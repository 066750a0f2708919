#!/usr/bin/env python3
"""slatectl attach generic: a home-made helpdesk, by the example that conf/adapters/generic.conf brings."""
import pathlib
import subprocess

from harness import BUILD, HERE, Failure, run, wait_until, webhook

EXAMPLE = pathlib.Path(HERE).parent.parent / "conf" / "adapters" / "generic.conf"
CONFIG = """
policies = ( {{ name = "all"; escalation = "loud"; targets = (
    {{ metric = "first_response"; within = "1h"; }}, {{ metric = "resolution"; within = "8h"; pause_on = [ "pending" ]; }} ); }} );
escalations = {{ loud = ( {{ on = "breached"; notify = [ "ops" ]; }} ); }};
channels = {{ {channel} }};
"""


def tables():
    """The tables in the example's comment."""
    lines = EXAMPLE.read_text().splitlines()
    return "\n".join(line[2:] for line in lines if line.startswith("#   "))


def slatectl(bench, *arguments, status=0):
    done = subprocess.run([BUILD / "slatectl", *arguments, "--config", bench.config], capture_output=True, text=True,
                          env=bench.server.environment, check=False)
    if done.returncode != status:
        raise Failure(f"slatectl {' '.join(arguments)}: status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def attach(bench, *arguments, **more):
    return slatectl(bench, "attach", "generic", "--source-db", bench.server.conninfo(), *arguments, **more)


def events(bench, number, source="helpdesk"):
    """What happened to a ticket, a word for each event, and the seconds since it was opened."""
    rows = bench.db.rows(
        "SELECT e.kind, e.by, e.public, e.status, e.severity, e.assignee, e.plan, e.escalate, "
        "round(extract(epoch FROM e.at - t.opened_at)) AS s FROM sla.event e JOIN sla.ticket t ON t.id = e.ticket_id "
        f"WHERE t.source = '{source}' AND t.external_id = '{number}' ORDER BY e.seq")
    return [" ".join(str(row[key]) for key in ("kind", "by", "status", "severity", "assignee", "plan")
                     if row[key] is not None)
            + ("" if row["public"] in (None, True) else " note") + (" escalate" if row["escalate"] else "")
            for row in rows], [row["s"] for row in rows]


def milestones(bench, number):
    return bench.db.value(
        "SELECT string_agg(m.metric || ' ' || m.milestone, ', ' ORDER BY m.id) FROM sla.milestone m "
        f"JOIN sla.ticket t ON t.id = m.ticket_id WHERE t.source = 'helpdesk' AND t.external_id = '{number}'")


def test_before(bench):
    """What is there before slated: an answered ticket, one that was never answered, a solved one; many that nobody looked at."""
    bench.db.run(tables())
    bench.db.run("""
        ALTER TABLE ticket OWNER TO helpdesk; ALTER TABLE message OWNER TO helpdesk;
        INSERT INTO ticket (customer, plan, state, priority, created_at) VALUES
            ('Kestrel', 'gold', 'in progress', 1, now() - interval '3 h'), ('Acme', NULL, 'new', 3, now() - interval '2 h'),
            ('Acme', 'basic', 'done', 9, now() - interval '4 h');
        INSERT INTO message (ticket_id, sender, internal, body, created_at) VALUES
            (1, 'staff', true, 'looks bad', now() - interval '3 h' + interval '5 min'),
            (1, 'staff', false, 'on it', now() - interval '3 h' + interval '10 min'),
            (1, 'kestrel@example.com', false, 'please #escalate', now() - interval '3 h' + interval '20 min'),
            (3, 'staff', false, 'done', now() - interval '4 h' + interval '10 min');
        INSERT INTO ticket (id, customer, created_at)
            SELECT 1000 + n, 'Many', now() - interval '90 min' + n * interval '1 s' FROM generate_series(1, 30) AS n""")
    sql = attach(bench, "--print")
    bench.check("CREATE OR REPLACE TRIGGER" in sql and "sla.reply" not in sql, "--print shows the SQL", sql)
    bench.equal(bench.db.value("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'slated%'"), 0, "--print changes nothing")
    text = attach(bench, "--check", status=1)
    bench.check("has no schema slated_helpdesk" in text, "--check: not attached", text)
    refused(bench)
    bench.equal(bench.db.value("SELECT count(*) FROM sla.adapter"), 0, "and nothing in schema sla")
    text = attach(bench)
    bench.check("taken over: 33 tickets, 37 changes" in text, "attach takes over what is there", text)
    bench.equal(events(bench, 1), (["opened open critical gold", "reply agent note", "reply agent", "reply customer escalate"],
                                   [0, 300, 600, 1200]), "its history, at the product's times")
    bench.equal(events(bench, 3)[0], ["opened solved low basic", "reply agent"], "a ticket that is over")


def refused(bench):
    """An attach that fails at the product's tables."""
    right = bench.config.read_text()
    bench.config.write_text(right.replace('"priority"', '"no_such_column"'))
    text = attach(bench, status=1)
    bench.config.write_text(right)
    bench.check("no_such_column" in text and bench.db.value("SELECT to_regnamespace('slated_helpdesk')") is None,
                "an attach that fails says why, and leaves nothing behind", text)


def test_past(bench, receiver):
    bench.db.wait("(SELECT count(*) FROM sla.milestone WHERE milestone = 'escalated') = 31")
    bench.equal(milestones(bench, 1), "first_response started, resolution started, first_response met",
                "the past gives the milestones that it would have given")
    bench.equal(bench.db.rows("SELECT m.told, t.external_id FROM sla.milestone m JOIN sla.ticket t ON t.id = m.ticket_id "
                              "WHERE milestone = 'escalated' AND org <> 'Many'"), [{"told": [], "external_id": "2"}],
                "the ladder step that is older than attach is recorded, and tells nobody")
    requests = receiver.wait("the digest", lambda requests: [r for r in requests if r["verified"]] and requests)
    digest = requests[0]["data"]
    told = [(m["kind"], m["payload"]["ticket"]["external_id"], m["payload"]["clock"]["state"]) for m in digest["messages"]]
    bench.equal((len(requests), digest["attached"], digest["overdue"]), (1, "helpdesk", 31), "what is overdue is told in one digest")
    bench.equal(told, [("escalated", number, "breached") for number in ["2", *map(str, range(1001, 1025))]],
                "and of that, what has been for longest")


def test_live(bench, receiver):
    helpdesk = bench.session("helpdesk")
    number = int(helpdesk.run("INSERT INTO ticket (customer, plan, priority) VALUES ('Kestrel', 'gold', 2) RETURNING id"))
    for statement in (
            "INSERT INTO message (ticket_id, sender, internal) VALUES (%d, 'staff', true)",
            "INSERT INTO message (ticket_id, sender) VALUES (%d, 'staff')",
            "UPDATE ticket SET owner = 'ann' WHERE id = %d",
            "UPDATE ticket SET state = 'waiting' WHERE id = %d",
            "UPDATE ticket SET customer = customer WHERE id = %d",
            "INSERT INTO message (ticket_id, sender) VALUES (%d, 'kestrel@example.com')",
            "UPDATE ticket SET state = 'in progress', priority = 1 WHERE id = %d",
            "INSERT INTO message (ticket_id, sender) VALUES (%d, 'robot')",
            "UPDATE ticket SET state = 'done' WHERE id = %d",
            "UPDATE ticket SET state = 'new' WHERE id = %d"):
        helpdesk.run(statement % number)
    wait_until("the last event", lambda: (events(bench, number)[0] or [""])[-1] == "status open")
    bench.equal(events(bench, number)[0],
                ["opened open high gold", "reply agent note", "reply agent", "changed ann", "status pending",
                 "status open", "reply customer", "severity agent critical", "reply system", "status solved", "status open"],
                "live changes, in order; the customer's answer ends the waiting")
    bench.db.wait("(SELECT count(*) FROM sla.milestone m JOIN sla.ticket t ON t.id = m.ticket_id "
                  f"WHERE t.external_id = '{number}' AND metric = 'resolution' AND cycle = 2 AND milestone = 'started') = 1")
    bench.equal(milestones(bench, number),
                "first_response started, resolution started, first_response met, resolution paused, resolution resumed, "
                "resolution met, resolution started", "their milestones")
    wait_until("what was taken over to be forgotten there",
               lambda: bench.db.value("SELECT count(*) FROM slated_helpdesk.change") == 0)
    bench.check(True, "what was taken over is forgotten there")
    helpdesk.run("INSERT INTO ticket (customer, created_at) VALUES ('Late', now() - interval '59 min 59 s')")
    receiver.wait("the alert", lambda requests: [r for r in requests if r["verified"] and "ticket" in r["data"]])
    bench.check(True, "what happens after attach alerts")
    helpdesk.run("INSERT INTO ticket (customer) VALUES ('Gone'); DELETE FROM message WHERE ticket_id = 5; DELETE FROM ticket WHERE id = 5")
    wait_until("the deleted ticket is closed", lambda: events(bench, 5)[0][-1:] == ["status closed"])
    bench.check(True, "a deleted ticket is closed")
    return number


def test_trouble(bench, number):
    """Triggers that fail, values that are not mapped, changes that no trigger saw."""
    db = bench.db
    db.run("ALTER TABLE ticket RENAME COLUMN owner TO keeper")
    bench.session("helpdesk").run(f"UPDATE ticket SET state = 'waiting' WHERE id = {number}")
    bench.check(True, "a trigger that fails does not fail the product's write")
    db.wait("EXISTS (SELECT FROM sla.adapter_error WHERE message LIKE '%owner%')")
    text = attach(bench, "--check", status=1)
    bench.check("ticket.owner is gone" in text and "problems since yesterday" in text, "--check names what was altered", text)
    db.run("ALTER TABLE ticket RENAME COLUMN keeper TO owner; DELETE FROM sla.adapter_error")
    wait_until("the sweep", lambda: events(bench, number)[0][-1] == "status pending")
    bench.check(True, "what the failed trigger missed is found by comparing")

    before = db.value("SELECT differences FROM sla.adapter")
    db.run(f"SET session_replication_role = replica; UPDATE ticket SET state = 'done' WHERE id = {number}; "
           f"INSERT INTO message (ticket_id, sender, created_at) VALUES ({number}, 'staff', now()); "
           "INSERT INTO ticket (customer) VALUES ('Unseen'); RESET session_replication_role")
    wait_until("the sweep", lambda: events(bench, number)[0][-1] == "status solved" and events(bench, 7)[0])
    bench.equal(events(bench, number)[0][-2:], ["reply agent", "status solved"], "with triggers off: the same in the end")
    bench.check(db.value("SELECT differences FROM sla.adapter") >= before + 2, "and the differences are counted")

    db.run("ALTER TABLE message DISABLE TRIGGER slated_helpdesk")
    text = attach(bench, "--check", status=1)
    bench.check("the trigger on message is disabled" in text, "--check: a disabled trigger", text)
    db.run("ALTER TABLE message ENABLE TRIGGER slated_helpdesk")
    db.run(f"UPDATE ticket SET state = 'odd' WHERE id = {number}")
    db.wait("EXISTS (SELECT FROM sla.adapter_error WHERE message LIKE 'status ''odd'' is not mapped%')")
    bench.check(True, "a status that is not mapped is told of")
    db.run(f"UPDATE ticket SET state = 'new' WHERE id = {number}; DELETE FROM sla.adapter_error")


def test_again(bench):
    bench.config.write_text(bench.config.read_text().replace('"4.. = low"', '"4.. = normal"'))
    text = attach(bench, "--check", status=1)
    bench.check("the configuration" in text, "--check: the configuration has changed", text)
    text = attach(bench)
    bench.check("were taken over before" in text, "attach again takes the changed configuration", text)
    text = attach(bench, "--check")
    bench.check("all is as attach left it" in text, "--check: all is well", text)
    status = subprocess.run([BUILD / "slatectl", "status", "--config", bench.config], capture_output=True, text=True, check=False)
    bench.check("attached    helpdesk (generic): followed, 37 tickets, 0 changes wait" in status.stdout, "slatectl status shows it",
                status.stdout + status.stderr)


def test_detach(bench, before):
    text = slatectl(bench, "detach", "helpdesk", "--source-db", bench.server.conninfo())
    bench.check("kept in schema sla: 1038 tickets" in text, "detach says what it keeps", text)
    bench.equal(catalogue(bench), before, "and leaves nothing behind")
    bench.session("helpdesk").run("UPDATE ticket SET state = 'done'")
    left = "SELECT attached_at, detached_at, backfilled_at FROM sla.adapter"
    before = bench.db.rows(left)
    refused(bench)
    bench.equal(bench.db.rows(left), before, "and schema sla as it was")


def test_soon(bench):
    """An answer in time, but nearer to the deadline than a ticket must be quiet, and behind many that wait."""
    bench.db.run("INSERT INTO ticket (id, customer) SELECT 2000 + n, 'Edited' FROM generate_series(1, 1000) AS n")
    number = bench.db.run("INSERT INTO ticket (customer, created_at) VALUES ('Soon', now() - interval '1 h' + interval '12 s') RETURNING id")
    bench.config.write_text(bench.config.read_text().replace("helpdesk = {", "soon = {").replace('sweep = "1s"', 'settle = "30s"'))
    attach(bench)
    daemon = bench.daemon(bench.config)
    due = f"(SELECT created_at + interval '1 h' FROM ticket WHERE id = {number})"
    bench.db.wait(f"clock_timestamp() > {due} - interval '5 s'")
    bench.db.run("UPDATE ticket SET owner = 'ann' WHERE customer = 'Edited'")
    bench.db.run(f"INSERT INTO message (ticket_id, sender) VALUES ({number}, 'staff')")
    bench.db.wait(f"clock_timestamp() > {due} + interval '100 ms'")
    bench.db.wait(f"""(SELECT state FROM sla.clock c JOIN sla.ticket t ON t.id = c.ticket_id WHERE t.source = 'soon'
        AND t.external_id = '{number}' AND c.metric = 'first_response') IN ('met', 'breached')""")
    bench.equal(bench.db.value(f"""SELECT count(*) FROM sla.milestone m JOIN sla.ticket t ON t.id = m.ticket_id
        WHERE t.source = 'soon' AND t.external_id = '{number}' AND m.milestone = 'breached'"""), 0,
                "an answer just before the deadline is no breach")
    bench.equal(bench.db.rows("SELECT count(*), count(seen_at) AS seen FROM slated_soon.change"), [{"count": 1000, "seen": 1000}],
                "what is not due soon waits until it is quiet, all from the moment when it came")
    slatectl(bench, "detach", "soon", "--source-db", bench.server.conninfo())
    bench.stopped(daemon)


def test_away(bench):
    """Answered in time while no daemon was there, with much else; and a helpdesk that cannot be read."""
    db = bench.db
    db.run("INSERT INTO ticket (id, customer) SELECT 5000 + n, 'Edited' FROM generate_series(1, 1000) AS n")
    number = db.run("INSERT INTO ticket (customer, created_at) VALUES ('Away', now() - interval '1 h' + interval '12 s') RETURNING id")
    daemon = bench.daemon(bench.config)
    due = f"(SELECT due_at FROM sla.clock c JOIN sla.ticket t ON t.id = c.ticket_id WHERE t.external_id = '{number}' AND metric = 'first_response')"
    db.wait(f"{due} > clock_timestamp()")
    bench.stopped(daemon)
    db.run("UPDATE ticket SET owner = 'ann' WHERE customer = 'Edited'")
    db.run(f"INSERT INTO message (ticket_id, sender) VALUES ({number}, 'staff')")
    db.wait(f"clock_timestamp() > {due} + interval '100 ms'")
    daemon = bench.daemon(bench.config)
    wait_until("the clock's end", lambda: "first_response met" in (milestones(bench, number) or ""))
    bench.equal(milestones(bench, number), "first_response started, resolution started, first_response met",
                "what was answered in time while the daemon was away is no breach")
    db.run("ALTER FUNCTION slated_helpdesk.waiting() RENAME TO gone")
    bench.stopped(daemon)
    daemon = bench.daemon(bench.config)
    daemon.log.wait("helpdesk: it is not attached: run slatectl attach generic --name helpdesk")
    bench.check(True, "what cannot be asked is not waited for")
    bench.stopped(daemon)
    db.run("ALTER FUNCTION slated_helpdesk.gone() RENAME TO waiting")


def catalogue(bench):
    """All of the product's database but schema sla."""
    return bench.db.rows(
        "SELECT 'trigger ' || tgname || ' ' || tgrelid::regclass AS what FROM pg_trigger WHERE NOT tgisinternal AND "
        "tgrelid::regclass::text NOT LIKE 'sla.%' UNION ALL "
        "SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg_t%' UNION ALL "
        "SELECT 'function ' || p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'public'::regnamespace UNION ALL "
        "SELECT 'relation ' || c.oid::regclass FROM pg_class c WHERE relnamespace = 'public'::regnamespace "
        "ORDER BY 1")


def test(bench):
    receiver = bench.receiver()
    bench.db.run("CREATE ROLE slated LOGIN IN ROLE sla_daemon; CREATE ROLE helpdesk LOGIN")
    example = EXAMPLE.read_text().replace('kind         = "generic";', 'kind = "generic"; sweep = "1s";')
    bench.config = bench.write_config(CONFIG.format(channel=webhook("ops", receiver.url())) + example, user="slated")
    test_before(bench)
    daemon = bench.daemon(bench.config)
    test_past(bench, receiver)
    number = test_live(bench, receiver)
    test_trouble(bench, number)
    test_again(bench)
    bench.stopped(daemon)
    test_away(bench)
    before = [row for row in catalogue(bench) if "slated_helpdesk" not in row["what"]]
    test_detach(bench, before)
    test_soon(bench)


if __name__ == "__main__":
    run(test)
