#!/usr/bin/env python3
"""slatectl attach chatwoot, on tables as Chatwoot makes them (its db/schema.rb; columns that nothing here touches are left
out), written to as Chatwoot does: the life of 50 conversations, some of it before the adapter is attached and some after,
comes to the milestones that the model gives for it.
"""
import json

from harness import literal, run, webhook
from helpdesk import AGREEMENTS, Clock, Ticket, attach, compare, detach, expect_gone, facts, objects, play, product, \
    refused, rfc3339, taken_over

TABLES = """
CREATE TABLE accounts (id serial PRIMARY KEY, name varchar NOT NULL);
CREATE TABLE users (id serial PRIMARY KEY, name varchar NOT NULL, email varchar);
CREATE TABLE teams (id bigserial PRIMARY KEY, name varchar NOT NULL, account_id bigint NOT NULL);
CREATE TABLE sla_policies (id bigserial PRIMARY KEY, name varchar NOT NULL, account_id bigint NOT NULL);
CREATE TABLE inboxes (id serial PRIMARY KEY, channel_id integer NOT NULL, account_id integer NOT NULL,
    name varchar NOT NULL, channel_type varchar);
CREATE TABLE contacts (id serial PRIMARY KEY, name varchar DEFAULT '', email varchar, account_id integer NOT NULL,
    additional_attributes jsonb DEFAULT '{}', custom_attributes jsonb DEFAULT '{}');
CREATE TABLE conversations (id serial PRIMARY KEY, account_id integer NOT NULL, inbox_id integer NOT NULL,
    status integer NOT NULL DEFAULT 0, assignee_id integer, created_at timestamp NOT NULL, updated_at timestamp NOT NULL,
    contact_id bigint, display_id integer NOT NULL, additional_attributes jsonb DEFAULT '{}', team_id bigint,
    custom_attributes jsonb DEFAULT '{}', last_activity_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, priority integer,
    sla_policy_id bigint, waiting_since timestamp(6));
CREATE TABLE messages (id serial PRIMARY KEY, content text, account_id integer NOT NULL, inbox_id integer NOT NULL,
    conversation_id integer NOT NULL, message_type integer NOT NULL, created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL, private boolean NOT NULL DEFAULT false, status integer DEFAULT 0, sender_type varchar, sender_id bigint,
    additional_attributes jsonb DEFAULT '{}');
CREATE TABLE reporting_events (id bigserial PRIMARY KEY, name varchar, value double precision, account_id integer,
    conversation_id integer, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL, event_start_time timestamp,
    event_end_time timestamp);
CREATE INDEX ON messages (conversation_id);
CREATE INDEX ON reporting_events (conversation_id);
INSERT INTO accounts (name) VALUES ('Desk');
INSERT INTO users (name, email) VALUES ('Alice', 'alice@desk.example'), ('Bob', 'bob@desk.example'),
    ('Robot', 'robot@desk.example');
INSERT INTO teams (name, account_id) VALUES ('Databases', 1), ('Network', 1);
INSERT INTO sla_policies (name, account_id) VALUES ('gold', 1), ('silver', 1);
INSERT INTO inboxes (channel_id, account_id, name, channel_type) VALUES (1, 1, 'Mail', 'Channel::Email');
INSERT INTO contacts (email, account_id, additional_attributes, custom_attributes) VALUES
    ('carol@acme.example', 1, '{"company_name": "Acme"}', '{"tier": "A"}'), ('dave@initech.example', 1, '{}', '{}');
"""
CONFIG = """
adapters = {{ desk = {{ kind = "chatwoot"; sweep = "2s"; conninfo = "{conninfo}"; org = "contact_company";
    plan = "sla_policy";
    severity = "priority"; team = "team"; assignee = "assignee"; channel = "channel"; product = "field:product";
    category = "contact_field:tier"; own_user = "robot@desk.example";
    status_map = [ "open = open", "pending = on_hold", "snoozed = pending", "resolved = solved" ];
    severity_map = [ "urgent = critical", "high = high", "medium = normal", "* = low" ]; }}; }};
""" + AGREEMENTS
STATUSES = ["open", "resolved", "pending", "snoozed"]
PRIORITIES = ["low", "medium", "high", "urgent"]
STATUS = {"open": "open", "resolved": "solved", "pending": "on_hold", "snoozed": "pending"}
SEVERITY = {"urgent": "critical", "high": "high", "medium": "normal", "low": "low", None: "low"}
USERS = {"alice": 1, "bob": 2, "robot": 3}
TEAMS = {"Databases": 1, "Network": 2, None: None}
POLICIES = {"gold": 1, "silver": 2}
LATER = 20_000


def timestamp(us):
    return f"({literal(rfc3339(us))}::timestamptz AT TIME ZONE 'UTC')"


class Conversation(Ticket):
    """One conversation: each method is something that happens, as rows in Chatwoot's tables and as events of the model."""

    def __init__(self, db, clock, number, before):
        super().__init__(f"1/{number + 1}")
        self.db, self.clock, self.number, self.before = db, clock, number, before
        self.steps = 0
        self.acme = number // 3 % 2 == 0
        self.now = {"status": "pending" if number % 9 == 4 else "open",
                    "priority": (None, "urgent", "medium", "high")[number % 4],
                    "team": None, "assignee": None, "plan": "gold" if self.acme else "silver", "product": None}
        at = clock.at(number, 0)
        self.id = int(db.run(f"""INSERT INTO conversations (account_id, inbox_id, contact_id, display_id, created_at,
            updated_at, status, priority, sla_policy_id) VALUES (1, 1, {1 if self.acme else 2}, {number + 1}, {timestamp(at)}, {timestamp(at)},
            {STATUSES.index(self.now['status'])}, {self.priority()}, {POLICIES[self.now['plan']]}) RETURNING id"""))
        self.message(at + LATER, 0, "Please #escalate", sender=("Contact", 1 if self.acme else 2))
        self.message(at + 2 * LATER, 3, "We have got your message.")
        self.add(at, "opened", **self.facts())
        self.add(at + 2 * LATER, "reply", by="system")
        self.todo = self.script()

    def priority(self):
        return "NULL" if self.now["priority"] is None else PRIORITIES.index(self.now["priority"])

    def facts(self):
        return facts(severity=SEVERITY[self.now["priority"]], status=STATUS[self.now["status"]], plan=self.now["plan"],
                     org="Acme" if self.acme else None, category="A" if self.acme else None, channel="Email",
                     team=self.now["team"], product=self.now["product"],
                     assignee=self.now["assignee"] and f"{self.now['assignee']}@desk.example")

    def message(self, at, kind, text, private=False, sender=(None, None), status=0, more=None):
        self.db.run(f"""INSERT INTO messages (account_id, inbox_id, conversation_id, content, message_type, private,
            sender_type, sender_id, status, additional_attributes, created_at, updated_at) VALUES (1, 1, {self.id},
            {literal(text)}, {kind}, {literal(private)}, {literal(sender[0])}, {literal(sender[1])}, {status}, {literal(json.dumps(more or {}))},
            {timestamp(at)}, {timestamp(at)})""")

    def next(self):
        self.steps += 1
        return self.clock.at(self.number, self.steps)

    def update(self, at, changes):
        """The columns, and before the adapter is there the events by which Chatwoot remembers what was resolved."""
        was = self.now["status"]
        self.now = now = self.now | changes
        attributes = {"product": now["product"]} if now["product"] else {}
        self.db.run(f"""UPDATE conversations SET status = {STATUSES.index(now['status'])}, priority = {self.priority()},
            team_id = {literal(TEAMS[now['team']])}, assignee_id = {literal(now['assignee'] and USERS[now['assignee']])},
            sla_policy_id = {POLICIES[now['plan']]}, custom_attributes = {literal(json.dumps(attributes))},
            updated_at = {timestamp(at)} WHERE id = {self.id}""")
        if self.now["status"] != was and self.now["status"] == "resolved":
            self.event(at, "conversation_resolved")

    def event(self, at, name):
        self.db.run(f"""INSERT INTO reporting_events (name, account_id, conversation_id, created_at, updated_at,
            event_end_time) VALUES ('{name}', 1, {self.id}, {timestamp(at + 2_000_000)}, {timestamp(at + 2_000_000)}, {timestamp(at)})""")

    def set(self, **changes):
        self.tell(self.next(), changes)

    def tell(self, at, changes, tell_at=None):
        before = self.facts()
        self.update(at, changes)
        after = self.facts()
        tell_at = tell_at or at
        changed = {name: after.get(name) for name in {**before, **after}
                   if name not in ("severity", "status") and before.get(name) != after.get(name)}
        if changed:
            self.add(tell_at, "changed", **changed)
        if before["severity"] != after["severity"]:
            self.add(tell_at, "severity", severity=after["severity"], by="agent")
        if before["status"] != after["status"]:
            self.add(tell_at, "status", status=after["status"])

    def answer(self, by="alice", text="We look into it.", private=False):
        at = self.next()
        self.message(at, 1, text, private, ("User", USERS[by]))
        self.add(at, "reply", by="system" if by == "robot" else "agent", public=not private)

    def automatic(self):
        """A bot, a campaign, and a message that could not be sent."""
        at = self.next()
        self.message(at, 1, "Beep.", sender=("AgentBot", 1))
        self.message(at + LATER, 1, "Buy now.", sender=("User", 1), more={"campaign_id": 1})
        self.message(at + 2 * LATER, 1, "Nobody has read this.", sender=("User", 1), status=3)
        self.message(at + 3 * LATER, 2, "Conversation was marked resolved by Alice")
        self.add(at, "reply", by="system")
        self.add(at + LATER, "reply", by="system")

    def ask(self, text="And now?"):
        """A customer's message; it opens what is resolved or snoozed, a little later."""
        at = self.next()
        self.message(at, 0, text, sender=("Contact", 1 if self.acme else 2))
        if self.now["status"] in ("resolved", "snoozed"):
            self.tell(at + LATER, {"status": "open"}, at)
        self.add(at, "reply", by="customer", text=text)

    def delete(self):
        self.db.run(f"DELETE FROM messages WHERE conversation_id = {self.id}; "
                    f"DELETE FROM conversations WHERE id = {self.id}")

    def script(self):
        """What happens to it, step by step. Before attach only what Chatwoot itself remembers."""
        resolve, snooze, reopen = (lambda status: lambda: self.set(status=status)), lambda: self.set(status="snoozed"), \
            lambda: self.set(status="open")
        remembered = [
            [self.answer, self.ask, self.answer, resolve("resolved")],
            [lambda: self.answer(private=True), self.answer, resolve("resolved"), self.ask, self.answer],
            [self.automatic, lambda: self.answer("robot"), lambda: self.ask("Please #escalate this."), self.answer],
            [resolve("resolved"), self.ask, self.answer, resolve("resolved"), self.ask],
        ]
        watched = [
            [lambda: self.set(assignee="alice", team="Databases"), self.answer, snooze, self.ask,
             lambda: self.set(assignee=None)],
            [lambda: self.set(priority="urgent"), snooze, reopen, self.answer, lambda: self.set(priority=None)],
            [self.answer, resolve("resolved"), reopen, lambda: self.set(plan="gold", product="cloud"), self.answer],
            [lambda: self.set(status="pending"), self.ask, reopen, self.answer,
             lambda: self.set(product="edge", team="Network")],
        ]
        if self.before:
            return remembered[self.number % 4]
        return (remembered + watched)[self.number % 8]


def test(bench):
    receiver = bench.receiver()
    db = product(bench, "chatwoot")
    db.run(TABLES)
    clock = Clock(db, 1)
    path = bench.write_config(CONFIG.format(conninfo=bench.server.conninfo("slated", "chatwoot"),
                                            channels=webhook("ops", receiver.url())))
    before = objects(db)
    conversations = [Conversation(db, clock, number, True) for number in range(26)]
    play(conversations, lambda number: 0 if number < 14 else 2)
    refused(bench, "chatwoot", "desk", path, db, ('"team"', '"queue"'), 'team = "queue": not a word of this adapter')
    daemon = bench.daemon(path)
    attach(bench, "chatwoot", "desk", path)
    compare(bench, path, "desk", conversations, "taken over at attach")
    clock.live = True
    conversations += [Conversation(db, clock, number, False) for number in range(26, 50)]
    play(conversations, lambda number: 0)
    db.run("SET session_replication_role = replica")
    for conversation in conversations[26:]:
        conversation.answer()
    db.run("RESET session_replication_role")
    conversations[8].delete()
    expect_gone(bench, "desk", conversations[8])
    compare(bench, path, "desk", conversations, "after 50 conversations, at last with triggers off")
    taken_over(bench)
    detach(bench, "chatwoot", "desk", path)
    bench.equal(objects(db), before, "detach leaves nothing behind")
    bench.stopped(daemon)


if __name__ == "__main__":
    run(test)
