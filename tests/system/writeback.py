"""What slated writes back into a product's tickets, by a channel of type ticket. The tests of the products call this, each
with its own Product: how to ask the product, and how it shows what was written.

A ticket is opened and waits: its due date, its state and an internal note come into the product, and a rule's severity.
None of that answers it, starts a clock or causes another write. An answer moves the due date on, and the end takes it away.
"""
from harness import Failure, wait_until
from helpdesk import slatectl

POLICY = """{ name = "back"; match = { plan = "back"; }; escalation = "back"; targets = (
    { metric = "first_response"; within = "14s"; at_risk = [ "9s" ]; }, { metric = "resolution"; within = "50h"; } ); }"""
LADDER = """back = ( { on = "at_risk"; notify = [ "back", "ops" ]; } );"""
RULES = """reassessments = ( { name = "rise"; on = [ "at_risk" ]; match = { plan = "back"; }; set = "critical"; reason = "Nobody answers."; } );"""


class Product:
    """What a product's own test says of it."""

    def __init__(self, name, kind, source_db, open_, answer, solve, shown):
        self.name, self.kind, self.source_db = name, kind, source_db
        self.open, self.answer, self.solve = open_, answer, solve  # open() returns the ticket's number
        self.shown = shown  # shown(number): due, tag, severity, notes as the product has them


def write_tokens(bench, right):
    """The channel's token file, as yet with a wrong one."""
    path = bench.folder / "token"
    for file, token in (path, "1-14-wrong"), (path.with_suffix(".right"), right):
        file.write_text(f"{token}\n")
        file.chmod(0o600)
    return path


def due(bench, source, number):
    return bench.db.value(f"""SELECT to_char(min(c.due_at), 'YYYY-MM-DD HH24:MI:SS') FROM sla.clock c
        JOIN sla.ticket t ON t.id = c.ticket_id WHERE t.source = '{source}' AND t.external_id = '{number}'
        AND c.ended_at IS NULL""")


def deliveries(bench, state="delivered"):
    """How many requests there were, once none is on its way."""
    bench.db.wait("NOT EXISTS (SELECT FROM sla.delivery WHERE channel = 'back' AND kind = 'write')")
    return bench.db.value(f"SELECT count(*) FROM sla.delivery_log WHERE channel = 'back' AND kind = 'write' AND state = '{state}'")


def test_back(bench, config, product, token, receiver, due_of=due):
    """`token` is the file that the channel reads; its content is wrong so far, and `token.right` has the right one."""
    name = product.name
    slatectl(bench, "attach", product.kind, "--name", name, "--config", config, "--source-db", product.source_db)
    number = product.open()
    bench.db.wait("EXISTS (SELECT FROM sla.delivery WHERE channel = 'back' AND last_error LIKE '%401%')")
    bench.check(True, "a token that is refused: told, and tried again")
    receiver.wait("the other channel's alert", lambda requests: [
        r for r in requests if r["data"].get("ticket", {}).get("external_id") == number
        and r["data"]["ticket"]["source"] == name])
    waiting = bench.db.rows(f"""SELECT t.external_id, d.kind, d.metric, d.cycle, d.payload -> 'milestone' AS milestone, d.payload -> 'write' AS write
        FROM sla.delivery d JOIN sla.ticket t ON t.id = d.ticket_id WHERE d.channel = 'back' AND t.source = '{name}'
        ORDER BY d.kind, d.position""")
    bench.check([row["kind"] for row in waiting] == ["escalated", "write"], "while it and the note wait", waiting)
    token.write_text(token.with_suffix(".right").read_text())
    bench.daemons[-1].signal(1)

    def look(want, what):
        try:
            wait_until(what, lambda: want(product.shown(number)))
        except Failure:
            pass
        return bench.check(want(product.shown(number)), what, product.shown(number))

    look(lambda seen: seen["severity"] == "critical", "the severity that a rule set is in the product")
    look(lambda seen: seen["tag"] in ("at risk", "breached"), "so is the state")
    look(lambda seen: seen["due"] == due_of(bench, name, number), "and the due date")
    look(lambda seen: len(seen["notes"]) == 1, "and one internal note")
    note = (product.shown(number)["notes"] or [""])[0]
    bench.check("First response to" in note, "which says what it is about", note)
    bench.db.wait(f"""(SELECT c.state FROM sla.clock c JOIN sla.ticket t ON t.id = c.ticket_id WHERE t.source = '{name}'
        AND t.external_id = '{number}' AND c.metric = 'first_response') = 'breached'""")
    look(lambda seen: seen["tag"] == "breached", "the breach is shown: no own write has answered the ticket")
    now = bench.db.value("SELECT clock_timestamp()")
    bench.db.wait(f"(SELECT swept_at FROM sla.adapter WHERE name = '{name}') > '{now}'")
    written = deliveries(bench)
    bench.equal(bench.db.rows(f"""SELECT e.kind, e.by, e.severity, e.public FROM sla.event e JOIN sla.ticket t
        ON t.id = e.ticket_id WHERE t.source = '{name}' AND t.external_id = '{number}' AND e.seq > 1 ORDER BY e.kind"""),
        [{"kind": "reply", "by": "system", "severity": None, "public": False},
         {"kind": "severity", "by": "system", "severity": "critical", "public": None}],
        "own writes come back as the system's, and change nothing")
    said = slatectl(bench, "test", "back", "--config", config)
    bench.check("back: delivered" in said, "slatectl test asks the product", said)
    product.answer(number)
    look(lambda seen: seen["due"] == due_of(bench, name, number) and not seen["tag"], "an answer: the next deadline, no state")
    bench.equal(deliveries(bench), written + 1, "by one write; what was written before caused none")
    product.solve(number)
    look(lambda seen: not seen["due"], "solved: no due date")
    bench.equal((deliveries(bench), deliveries(bench, "dead")), (written + 2, 0), "by one write")
    bench.equal(bench.db.rows(f"SELECT key, message FROM sla.adapter_error WHERE adapter = '{name}'"), [], "no problems")
    slatectl(bench, "detach", name, "--config", config, "--source-db", product.source_db)
