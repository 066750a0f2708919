"""slatectl attach: what its triggers take of a product's writes, and how fast a back-fill is."""
import contextlib
import re
import subprocess
import time

import products
from bench import ROOT, Missing, cell, in_turn, table
from database import Database

PRODUCT = r"""
CREATE TABLE {name}_ticket (id serial PRIMARY KEY, customer text, plan text, state text NOT NULL DEFAULT 'new',
    priority integer NOT NULL DEFAULT 3, owner text, subject text, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE {name}_message (id serial PRIMARY KEY, ticket_id integer NOT NULL REFERENCES {name}_ticket, sender text NOT NULL,
    internal boolean NOT NULL DEFAULT false, body text, created_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON {name}_message (ticket_id);
INSERT INTO {name}_ticket (customer, plan, state, created_at)
    SELECT 'customer ' || n % 100, 'gold', (ARRAY['new', 'waiting', 'done'])[1 + n % 3], now() - n * interval '1 s'
    FROM generate_series(1, {tickets}) AS n;
INSERT INTO {name}_message (ticket_id, sender, body, created_at)
    SELECT id, (ARRAY['staff', 'customer'])[1 + k % 2], repeat('x', 500), created_at + k * interval '0.1 s'
    FROM {name}_ticket, generate_series(1, 8) AS k;
"""
CHANGES = {
    "a message": "INSERT INTO {name}_message (ticket_id, sender, body) VALUES (:id, 'staff', repeat('x', 500));",
    "a changed status": "UPDATE {name}_ticket SET state = CASE state WHEN 'new' THEN 'waiting' ELSE 'new' END WHERE id = :id;",
    "a change that does not matter": "UPDATE {name}_ticket SET subject = 'subject ' || :id WHERE id = :id;",
    "a message and a changed status":
        "BEGIN;\nINSERT INTO {name}_message (ticket_id, sender, body) VALUES (:id, 'staff', repeat('x', 500));\n"
        "UPDATE {name}_ticket SET state = CASE state WHEN 'new' THEN 'waiting' ELSE 'new' END WHERE id = :id;\nCOMMIT;",
}
COMMITS = {"commits that cost nothing": 0, "commits of 2 ms": 2000}
NOTES = """
- 16 clients of pgbench, one transaction for each act, on {tickets:,} tickets of a home-made helpdesk that is attached by
  conf/adapters/generic.conf, beside the same tables without triggers. No daemon runs: what it reads is no part of the
  product's transactions.
- Commits of 2 ms: `commit_delay` = 2000 with `commit_siblings` = 0, as behind a slow disk.
- The trigger on tickets is the costlier one: it compares the facts before and after, and writes down how they changed.
  Products that keep a history of their own, as Request Tracker and Redmine do, have only the other kind.

| back-fill | tickets a second |
| --- | --- |
| {tickets:,} tickets with 8 messages each | {fill} |
"""


PRODUCT_NOTES = """
{table}
- The products themselves, through their REST interfaces, {calls} calls one after the other, the triggers on and off by
  turns. In triggers: of the time that the calls took, what PostgreSQL counts for the triggers' functions
  (`track_functions`).

"""


def real_products(bench, data):
    """What the triggers take of the products' own rate, as a page's part."""
    rows, calls = [], 0
    for kind in products.PRODUCTS:
        try:
            product = kind(data)
        except Missing as missing:
            bench.left_out.append(f"{kind.name} is left out: {missing}")
            continue
        calls = product.calls
        took = in_turn(bench.rounds, {"off": lambda p=product: p.measure(False), "on": lambda p=product: p.measure(True)})
        rows.append([kind.name, cell(took["off"]["rate"]), cell(took["on"]["rate"]),
                     cell([on / off for on, off in zip(took["on"]["rate"], took["off"]["rate"])]),
                     f"{100 * product.share():.2g} %"])
    head = ["calls a second", "triggers off", "attached", "of that without", "in triggers"]
    return PRODUCT_NOTES.format(table=table(head, rows), calls=calls)


def attach(data):
    """Attaches, and takes all over. How many tickets a second."""
    begin = time.monotonic()
    subprocess.run([data.bench.build / "slatectl", "attach", "generic", "--config", data.config], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return data.db.value("SELECT count(*) FROM sla.adapter_ticket") / (time.monotonic() - begin)


def run(bench):
    tickets = 500 if bench.quick else 10000
    seconds = 1 if bench.quick else 3
    commits = dict(list(COMMITS.items())[:1]) if bench.quick else COMMITS
    with contextlib.ExitStack() as stack:
        data = Database(bench, stack)
        example = (ROOT / "conf" / "adapters" / "generic.conf").read_text()
        example = re.sub(r'_table( *)= "', r'_table\1= "attached_', example)
        plain = data.config.read_text()
        data.config.write_text(plain + example)
        for name in "bare", "attached":
            data.db.run(PRODUCT.format(name=name, tickets=tickets))
        data.db.run("VACUUM ANALYZE")
        fill = attach(data)

        def write(name, change):
            script = f"\\set id random(1, {tickets})\n" + CHANGES[change].format(name=name) + "\n"

            def measure():
                rates = {}
                for commit, delay in commits.items():
                    data.set(commit_delay=delay, commit_siblings=0)
                    rates[commit] = data.tps(script, seconds)
                data.db.run("TRUNCATE slated_helpdesk.change")
                return rates
            return measure

        rates = in_turn(bench.rounds, {f"{name} {change}": write(name, change)
                                       for change in CHANGES for name in ("bare", "attached")})
        rows = []
        for change in CHANGES:
            row = [change]
            for commit in commits:
                bare, attached = rates[f"bare {change}"][commit], rates[f"attached {change}"][commit]
                row += [cell(bare), cell(attached), cell([a / b for a, b in zip(attached, bare)])]
            rows.append(row)
        head = ["transactions a second"] + [word for commit in commits for word in (f"bare, {commit}", "attached", "of bare")]
        data.config.write_text(plain)
        text = real_products(bench, data) + table(head, rows) + NOTES.format(tickets=tickets, fill=f"{fill:,.0f}")
        bench.report("attach", "slatectl attach", text, data.versions())
