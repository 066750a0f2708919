#!/usr/bin/env python3
"""Rules that set a severity: in force in the daemon at once, then on the ticket, as an event by the system."""
import signal

from harness import run, webhook

MANY = 1000
CONFIG = """
severities = ( {{ name = "critical"; aliases = [ "S1" ]; }}, {{ name = "high"; aliases = [ "S2" ]; }}, {{ name = "low"; }} );
escalations = {{ loud = ( {{ on = "reassessed"; notify = [ "ops" ]; }}, {{ on = "at_risk"; notify = [ "ops" ]; }} ); }};
policies = ( {{ name = "quick"; match = {{ plan = "quick"; }}; escalation = "loud"; targets = (
    {{ metric = "first_response"; within = "3s"; at_risk = [ "25%" ]; }} ); }}, {{ name = "all"; escalation = "loud"; targets = (
    {{ metric = "first_response"; severity = "critical"; within = "4s"; at_risk = [ "25%" ]; }},
    {{ metric = "first_response"; severity = "high"; within = "1h"; }},
    {{ metric = "first_response"; within = "2h"; }} ); }} );
reassessments = (
    {{ name = "billing"; on = [ "opened", "severity_changed" ]; match = {{ category = "billing"; severity = "critical"; }};
       set = "high"; reason = "Billing is never critical."; }},
    {{ name = "no-impact"; on = [ "at_risk" ]; match = {{ attributes = {{ impact = {{ present = false; }}; }};
       severity = "critical"; }}; set = "-1"; reason = "Nobody told the impact."; }},
    {{ name = "disputed"; on = "dispute"; match = {{ severity = "low"; }}; set = "critical"; reason = "The customer says so."; }},
    {{ name = "slow"; on = [ "at_risk", "breached" ]; match = {{ plan = "quick"; }}; set = "+1"; reason = "We are slow."; }}
);
channels = {{ {channels} }};
"""


def severity_event(bench, ticket):
    rows = bench.db.rows(f"SELECT severity, by, reason, refused, late FROM sla.event WHERE ticket_id = {ticket} "
                         "AND kind = 'severity' ORDER BY seq")
    return rows[-1] if rows else None


def rule(bench, ticket, count=1):
    bench.db.wait(f"(SELECT count(*) FROM sla.reassessment WHERE ticket_id = {ticket} AND outcome IS NOT NULL) = {count}")
    return bench.db.rows(f"SELECT rule, former, severity, reason, outcome FROM sla.reassessment "
                         f"WHERE ticket_id = {ticket} ORDER BY id")[-1]


def test_rules(bench, receiver):
    db = bench.db
    ticket = db.insert("ticket", severity="S1", category="billing")
    bench.equal(rule(bench, ticket), {"rule": "billing", "former": "critical", "severity": "high", "outcome": "applied",
                                      "reason": "Billing is never critical."}, "opened: the rule is in sla.reassessment")
    bench.equal(db.value(f"SELECT severity FROM sla.ticket WHERE id = {ticket}"), "high", "opened: the ticket has it")
    bench.equal(severity_event(bench, ticket), {"severity": "high", "by": "system", "refused": None, "late": False,
                                                "reason": "Billing is never critical."}, "opened: an event by the system")
    bench.equal(db.rows(f"SELECT severity, budget / 1000000 AS s FROM sla.clock WHERE ticket_id = {ticket}"),
                [{"severity": "high", "s": 3600}], "opened: the clock starts under the new severity")
    db.wait(f"(SELECT applied_seq FROM sla.ticket_state WHERE ticket_id = {ticket}) = 2")
    bench.equal(db.value(f"SELECT string_agg(milestone, ' ' ORDER BY id) FROM sla.milestone WHERE ticket_id = {ticket}"),
                "started", "opened: the event that comes back changes nothing more, and triggers nothing")

    ticket = db.insert("ticket", severity="critical", plan="any")
    bench.equal(rule(bench, ticket)["rule"], "no-impact", "at risk: the rule is in sla.reassessment")
    bench.equal(severity_event(bench, ticket)["by"], "system", "at risk: an event by the system")
    db.wait(f"(SELECT applied_seq FROM sla.ticket_state WHERE ticket_id = {ticket}) = 2")
    bench.equal(db.value(f"SELECT string_agg(coalesce(trigger, milestone), ' ' ORDER BY id) FROM sla.milestone "
                         f"WHERE ticket_id = {ticket}"), "started at_risk retargeted 25% reassessed:1",
                "at risk: the level, the new target, and what the two set going")
    receiver.wait("both alerts", lambda requests: {r["data"]["milestone"]["trigger"] for r in requests
                                                   if r["verified"]} == {"25%", "reassessed:1"})
    bench.check(True, "at risk: both alerts were delivered")
    last = next(r["data"] for r in receiver.requests() if r["data"]["milestone"]["trigger"] == "reassessed:1")
    bench.equal((last["ticket"]["severity"], last["reason"]), ("high", "Nobody told the impact."),
                "at risk: the alert says the new severity and why")

    ticket = db.insert("ticket", severity="low", category="billing")
    db.wait(f"EXISTS (SELECT FROM sla.clock WHERE ticket_id = {ticket})")
    db.run(f"UPDATE sla.ticket SET severity = 'critical' WHERE id = {ticket}")
    bench.equal(rule(bench, ticket)["outcome"], "applied", "severity changed: the rule is in sla.reassessment")
    bench.equal(db.value(f"SELECT severity FROM sla.ticket WHERE id = {ticket}"), "high", "severity changed: put right")

    ticket = db.insert("ticket", severity="critical", attributes='{"impact": "all down"}')
    db.wait(f"EXISTS (SELECT FROM sla.milestone WHERE ticket_id = {ticket} AND milestone = 'breached')")
    bench.equal(db.value(f"SELECT count(*) FROM sla.reassessment WHERE ticket_id = {ticket}"), 0,
                "a rule that does not match changes nothing")


def test_lock(bench):
    """Somebody's open transaction on a ticket holds up neither the rule's effect nor other tickets."""
    db = bench.db
    writer = bench.session()
    held = db.insert("ticket", severity="critical", plan="any")
    db.wait(f"EXISTS (SELECT FROM sla.clock WHERE ticket_id = {held})")
    writer.run(f"BEGIN; SELECT FROM sla.ticket WHERE id = {held} FOR UPDATE")
    db.wait(f"EXISTS (SELECT FROM sla.reassessment WHERE ticket_id = {held})")
    bench.equal(db.value(f"SELECT severity FROM sla.ticket_state WHERE ticket_id = {held}"), "high",
                "lock: the rule is in force in the daemon at once")
    others = [db.insert("ticket", severity="critical", attributes='{"impact": "all down"}') for _ in range(5)]
    free = db.insert("ticket", severity="S1", category="billing")
    bench.equal(rule(bench, free)["outcome"], "applied", "lock: other tickets' rules are written")
    ids = ", ".join(map(str, others))
    db.wait(f"(SELECT count(*) FROM sla.milestone WHERE ticket_id IN ({ids}) AND milestone = 'breached') = 5")
    bench.check(db.value(f"SELECT max(recorded_at - at) < '500 milliseconds' FROM sla.milestone WHERE ticket_id IN ({ids}) "
                         "AND milestone IN ('at_risk', 'breached')"), "lock: other tickets' deadlines are kept")
    bench.equal(db.value(f"SELECT outcome FROM sla.reassessment WHERE ticket_id = {held}"), None,
                "lock: the locked ticket waits")
    writer.run("COMMIT")
    bench.equal(rule(bench, held)["outcome"], "applied", "lock: and is written once it is free")
    bench.equal(severity_event(bench, held)["by"], "system", "lock: by the system")

    overtaken = db.insert("ticket", severity="critical", plan="any")
    db.wait(f"EXISTS (SELECT FROM sla.clock WHERE ticket_id = {overtaken})")
    writer.run(f"BEGIN; UPDATE sla.ticket SET severity = 'low' WHERE id = {overtaken}")
    db.wait(f"EXISTS (SELECT FROM sla.reassessment WHERE ticket_id = {overtaken})")
    writer.run("COMMIT")
    bench.equal(rule(bench, overtaken)["outcome"], "overtaken", "overtaken: somebody else's word stands")
    db.wait(f"(SELECT severity FROM sla.ticket_state WHERE ticket_id = {overtaken}) = 'low'")
    bench.equal(db.value(f"SELECT severity FROM sla.ticket WHERE id = {overtaken}"), "low", "overtaken: on the ticket too")
    # The same severity by another of its names is a word on it, too.
    confirmed = db.insert("ticket", severity="S1", plan="any")
    db.wait(f"EXISTS (SELECT FROM sla.clock WHERE ticket_id = {confirmed})")
    writer.run(f"BEGIN; UPDATE sla.ticket SET plan = 'other' WHERE id = {confirmed}")
    db.wait(f"EXISTS (SELECT FROM sla.reassessment WHERE ticket_id = {confirmed})")
    writer.run(f"UPDATE sla.ticket SET severity = 'critical' WHERE id = {confirmed}; COMMIT")
    bench.equal(rule(bench, confirmed)["outcome"], "overtaken", "overtaken: also by another name of what it was")
    bench.equal(db.value(f"SELECT severity FROM sla.ticket WHERE id = {confirmed}"), "critical", "overtaken: which stands")


def test_order(bench, daemon):
    """What somebody says and what rules go on to, just before the former decision is written to the ticket."""
    db = bench.db
    ticket = db.insert("ticket", severity="low", plan="any")
    db.run(f"BEGIN; SELECT set_config('sla.at', clock_timestamp()::text, true); INSERT INTO sla.dispute (ticket_id) "
           f"VALUES ({ticket}); UPDATE sla.ticket SET severity = 'high' WHERE id = {ticket}; "
           f"UPDATE sla.ticket SET severity = 'low' WHERE id = {ticket}; COMMIT")
    bench.equal(rule(bench, ticket)["outcome"], "overtaken", "order: a word of the same instant, but after what called the rule")
    bench.equal(db.value(f"SELECT severity FROM sla.ticket WHERE id = {ticket}"), "low", "order: it stands")
    db.wait(f"(SELECT applied_seq = 4 AND severity = 'low' FROM sla.ticket_state WHERE ticket_id = {ticket})")

    # The daemon hears of the first of two only after it has come to the second.
    writer = bench.session()
    ticket = db.insert("ticket", severity="low", plan="quick")
    db.wait(f"EXISTS (SELECT FROM sla.clock WHERE ticket_id = {ticket})")
    writer.run(f"BEGIN; SELECT FROM sla.ticket WHERE id = {ticket} FOR UPDATE")
    db.wait(f"EXISTS (SELECT FROM sla.reassessment WHERE ticket_id = {ticket})")
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        writer.run("COMMIT")
        db.run("SELECT sla.apply_reassessments()")
        db.wait(f"(SELECT due_at FROM sla.clock WHERE ticket_id = {ticket}) < clock_timestamp()")
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    bench.equal(rule(bench, ticket, 2)["severity"], "critical", "order: the second rule goes on from the first")
    db.wait_applied(ticket)
    bench.equal(db.rows(f"SELECT severity, by, by_rule FROM sla.event WHERE ticket_id = {ticket} AND kind = 'severity' "
                        "ORDER BY seq"), [{"severity": s, "by": "system", "by_rule": True} for s in ("high", "critical")],
                "order: both are written to the ticket")
    bench.equal(db.value("SELECT string_agg(coalesce(trigger, milestone), ' ' ORDER BY at, milestone, trigger) FROM sla.milestone "
                         f"WHERE ticket_id = {ticket}"), "started at_risk 25% reassessed:1 breached reassessed:2",
                "order: what comes back late is not taken for news")
    bench.equal(db.value(f"SELECT severity FROM sla.ticket_state WHERE ticket_id = {ticket}"), "critical",
                "order: the second is in force")


def test_many(bench):
    """As after an outage: they are written in parts, so that no ticket is held for long."""
    db = bench.db
    db.run("INSERT INTO sla.ticket (source, external_id, severity, category) SELECT 'many', n::text, 'S1', 'billing' "
           f"FROM generate_series(1, {MANY}) n")
    db.wait(f"(SELECT count(*) FROM sla.ticket WHERE source = 'many' AND severity = 'high') = {MANY}")
    most = db.value("SELECT max(n) FROM (SELECT count(*) AS n FROM sla.ticket WHERE source = 'many' GROUP BY xmin) AS g")
    bench.check(most <= 200, f"many: {MANY} severities are written in several transactions", most)


def test(bench):
    receiver = bench.receiver()
    path = bench.write_config(CONFIG.format(channels=webhook("ops", receiver.url())))
    daemon = bench.daemon(path)
    test_rules(bench, receiver)
    test_lock(bench)
    test_order(bench, daemon)
    test_many(bench)
    bench.equal(bench.db.value("SELECT count(*) FROM sla.event WHERE refused IS NOT NULL"), 0, "no event was refused")
    bench.stopped(daemon)


if __name__ == "__main__":
    run(test)
