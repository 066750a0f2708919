#!/usr/bin/env python3
"""slatectl attach zammad, on tables as Zammad 6 makes them (its db/migrate; columns that nothing here touches are left
out), written to as Zammad does: the life of 50 tickets, some of it before the adapter is attached and some after, comes to
the milestones that the model gives for it.
"""
from harness import literal, run, webhook
from helpdesk import AGREEMENTS, Clock, Ticket, attach, compare, detach, expect_gone, facts, objects, play, product, \
    refused, rfc3339, taken_over

TABLES = """
CREATE TABLE users (id serial PRIMARY KEY, organization_id integer, login varchar(255) NOT NULL, email varchar(255));
CREATE TABLE organizations (id serial PRIMARY KEY, name varchar(100) NOT NULL, plan varchar(30));
CREATE TABLE groups (id serial PRIMARY KEY, name varchar(160) NOT NULL);
CREATE TABLE ticket_state_types (id serial PRIMARY KEY, name varchar(250) NOT NULL);
CREATE TABLE ticket_states (id serial PRIMARY KEY, state_type_id integer NOT NULL, name varchar(250) NOT NULL);
CREATE TABLE ticket_priorities (id serial PRIMARY KEY, name varchar(250) NOT NULL);
CREATE TABLE tickets (id serial PRIMARY KEY, group_id integer NOT NULL, priority_id integer NOT NULL,
    state_id integer NOT NULL, organization_id integer, number varchar(60) NOT NULL, title varchar(250) NOT NULL, owner_id integer NOT NULL,
    customer_id integer NOT NULL, create_article_type_id integer, create_article_sender_id integer, environment varchar(30),
    updated_by_id integer NOT NULL, created_by_id integer NOT NULL,
    created_at timestamp(3) NOT NULL, updated_at timestamp(3) NOT NULL);
CREATE TABLE ticket_article_types (id serial PRIMARY KEY, name varchar(250) NOT NULL, communication boolean NOT NULL);
CREATE TABLE ticket_article_senders (id serial PRIMARY KEY, name varchar(250) NOT NULL);
CREATE TABLE ticket_articles (id serial PRIMARY KEY, ticket_id integer NOT NULL, type_id integer NOT NULL,
    sender_id integer NOT NULL, body text NOT NULL, internal boolean NOT NULL, created_by_id integer NOT NULL, updated_by_id integer NOT NULL,
    created_at timestamp(3) NOT NULL, updated_at timestamp(3) NOT NULL);
CREATE TABLE history_types (id serial PRIMARY KEY, name varchar(250) NOT NULL);
CREATE TABLE history_objects (id serial PRIMARY KEY, name varchar(250) NOT NULL);
CREATE TABLE history_attributes (id serial PRIMARY KEY, name varchar(250) NOT NULL);
CREATE TABLE histories (id serial PRIMARY KEY, history_type_id integer NOT NULL, history_object_id integer NOT NULL,
    history_attribute_id integer, o_id integer NOT NULL, related_o_id integer, related_history_object_id integer,
    id_to integer, id_from integer, value_from varchar(500), value_to varchar(500), created_by_id integer NOT NULL,
    created_at timestamp(3) NOT NULL, updated_at timestamp(3) NOT NULL);
CREATE INDEX ON histories (o_id);
CREATE INDEX ON histories (related_o_id);
CREATE INDEX ON ticket_articles (ticket_id);
INSERT INTO users (login, email, organization_id) VALUES ('-', '', NULL), ('alice', 'alice@desk.example', NULL),
    ('bob', 'bob@desk.example', NULL), ('robot', 'robot@desk.example', NULL), ('carol', 'carol@Acme.example', 1),
    ('dave', 'dave@initech.example', 2);
INSERT INTO organizations (name, plan) VALUES ('Acme', 'gold'), ('Initech', 'silver');
INSERT INTO groups (name) VALUES ('Users'), ('Databases');
INSERT INTO ticket_state_types (name) VALUES ('new'), ('open'), ('pending reminder'), ('pending action'),
    ('closed'), ('merged'), ('removed');
INSERT INTO ticket_states (name, state_type_id) VALUES ('new', 1), ('open', 2), ('pending reminder', 3), ('closed', 5),
    ('merged', 6), ('removed', 7), ('pending close', 4);
INSERT INTO ticket_priorities (name) VALUES ('1 low'), ('2 normal'), ('3 high');
INSERT INTO ticket_article_types (name, communication) VALUES ('email', true), ('phone', true), ('note', false),
    ('web', true);
INSERT INTO ticket_article_senders (name) VALUES ('Agent'), ('Customer'), ('System');
INSERT INTO history_types (name) VALUES ('created'), ('updated'), ('merged_into'), ('received_merge');
INSERT INTO history_objects (name) VALUES ('Ticket'), ('Ticket::Article');
INSERT INTO history_attributes (name) VALUES ('state'), ('priority'), ('group'), ('owner'), ('environment'),
    ('customer'), ('organization');
"""
CONFIG = """
adapters = {{ desk = {{ kind = "zammad"; sweep = "2s"; conninfo = "{conninfo}"; org = "organization";
    plan = "organization_field:plan";
    severity = "priority"; team = "group"; assignee = "owner"; channel = "channel"; environment = "field:environment";
    own_user = "robot";
    status_map = [ "new = open", "open = open", "pending reminder, pending close = pending", "closed = solved", "* = closed" ];
    severity_map = [ "3 high = critical", "2 normal = normal", "* = low" ]; }}; }};
""" + AGREEMENTS
SEVERITY = {"1 low": "low", "2 normal": "normal", "3 high": "critical"}
STATUS = {"new": "open", "open": "open", "pending reminder": "pending", "pending close": "pending", "closed": "solved"}
TABLE = {"state": "ticket_states", "priority": "ticket_priorities", "group": "groups", "owner": "users",
         "customer": "users"}
ARTICLE_LATER = 15_000


class Zammad:
    """The part of Zammad that writes: what it says to its database for what people do."""

    def __init__(self, db, clock):
        self.db, self.clock = db, clock
        db.run(TABLES)
        self.ids = {name: {row["name"]: row["id"] for row in db.rows(f"SELECT id, {column} AS name FROM {name}")}
                    for name, column in (("users", "login"), ("organizations", "name"), ("groups", "name"),
                                         ("ticket_states", "name"), ("ticket_priorities", "name"),
                                         ("ticket_article_types", "name"), ("ticket_article_senders", "name"),
                                         ("history_types", "name"), ("history_objects", "name"),
                                         ("history_attributes", "name"))}

    def insert(self, table, at, **values):
        at = literal(rfc3339(at)) + "::timestamptz AT TIME ZONE 'UTC'"
        return int(self.db.run(f"INSERT INTO {table} ({', '.join(values)}, created_at, updated_at) VALUES "
                               f"({', '.join(map(literal, values.values()))}, {at}, {at}) RETURNING id"))

    def history(self, at, kind, thing, by, what="Ticket", **more):
        if "attribute" in more:
            more["history_attribute_id"] = self.ids["history_attributes"][more.pop("attribute")]
        return self.insert("histories", at, history_type_id=self.ids["history_types"][kind], o_id=thing,
                           history_object_id=self.ids["history_objects"][what], created_by_id=self.ids["users"][by], **more)

    def article(self, at, ticket, by, sender, kind, body, internal):
        user = self.ids["users"][by]
        article = self.insert("ticket_articles", at, ticket_id=ticket, type_id=self.ids["ticket_article_types"][kind],
                              sender_id=self.ids["ticket_article_senders"][sender], body=body, internal=internal,
                              created_by_id=user, updated_by_id=user)
        self.history(at, "created", article, by, "Ticket::Article", related_o_id=ticket,
                     related_history_object_id=self.ids["history_objects"]["Ticket"])


class ZammadTicket(Ticket):
    """One ticket: each method is something that happens, as rows in Zammad's tables and as events of the model."""

    def __init__(self, zammad, number):
        super().__init__(f"{67000 + number}")
        self.zammad, self.number = zammad, number
        self.steps = 0
        self.customer = customer = ("carol", "dave")[number // 3 % 2]
        priority, by_phone = ("2 normal", "3 high", "1 low")[number % 3], number % 7 == 0
        by = "alice" if by_phone else customer
        self.now = {"state": "new", "priority": priority, "group": "Users", "owner": "-", "environment": None,
                    "channel": "phone" if by_phone else "email", "customer": customer}
        ids, at = self.zammad.ids, self.zammad.clock.at(number, 0)
        self.id = self.zammad.insert(
            "tickets", at, number=self.name, title="Help", group_id=ids["groups"]["Users"], state_id=1,
            priority_id=ids["ticket_priorities"][priority], organization_id=1 if customer == "carol" else 2,
            owner_id=1, customer_id=ids["users"][customer],
            create_article_type_id=ids["ticket_article_types"][self.now["channel"]],
            created_by_id=ids["users"][by], updated_by_id=ids["users"][by])
        self.zammad.history(at, "created", self.id, by)
        self.zammad.article(at + ARTICLE_LATER, self.id, by, "Customer", self.now["channel"], "Please #escalate", False)
        self.add(at, "opened", **self.facts())

    def facts(self):
        gold = self.now["customer"] == "carol"
        return facts(severity=SEVERITY[self.now["priority"]], status=STATUS[self.now["state"]], team=self.now["group"],
                     org="Acme" if gold else "Initech", plan="gold" if gold else "silver", channel=self.now["channel"],
                     assignee=None if self.now["owner"] == "-" else self.now["owner"], environment=self.now["environment"])

    def next(self):
        self.steps += 1
        return self.zammad.clock.at(self.number, self.steps)

    def update(self, at, by, **changes):
        """Zammad's part of a change: the columns, then a row of its history for each."""
        columns = {}
        for name, value in changes.items():
            more = {"value_from": self.now[name] or "", "value_to": value or ""}
            if name in TABLE:
                ids = self.zammad.ids[TABLE[name]]
                columns[f"{name}_id"] = ids[value]
                more |= {"id_from": ids[self.now[name]], "id_to": ids[value]}
            else:
                columns[name] = value
            self.zammad.history(at, "updated", self.id, by, attribute=name, **more)
        text = ", ".join(f"{name} = {literal(value)}" for name, value in columns.items())
        self.zammad.db.run(f"UPDATE tickets SET {text}, updated_at = {literal(rfc3339(at))}::timestamptz "
                           f"AT TIME ZONE 'UTC', updated_by_id = {self.zammad.ids['users'][by]} WHERE id = {self.id}")

    def side(self, by):
        return "system" if by == "robot" else "customer" if by in ("carol", "dave") else "agent"

    def set(self, by, **changes):
        """Facts change."""
        at = self.next()
        self.zammad.db.run("BEGIN")
        self.update(at, by, **changes)
        self.zammad.db.run("COMMIT")
        self.tell(at, by, changes)

    def tell(self, at, by, changes):
        before = self.facts()
        self.now |= changes
        after = self.facts()
        changed = {name: after.get(name) for name in {**before, **after}
                   if name not in ("severity", "status") and before.get(name) != after.get(name)}
        if changed:
            self.add(at, "changed", **changed)
        if before["severity"] != after["severity"]:
            self.add(at, "severity", severity=after["severity"], by=self.side(by))
        if before["status"] != after["status"]:
            self.add(at, "status", status=after["status"])

    def say(self, by, body="We look into it.", kind=None, internal=False, sender=None, **changes):
        """An article, with changes in the same update: these come first, some milliseconds before it."""
        at = self.next()
        side = self.side(by)
        kind = kind or ("note" if side == "customer" else "email")
        self.zammad.db.run("BEGIN")
        if changes:
            self.update(at, by, **changes)
        self.zammad.article(at + ARTICLE_LATER, self.id, by, sender or ("Customer" if side == "customer" else "Agent"),
                            kind, body, internal)
        self.zammad.db.run("COMMIT")
        opens = "state" in changes and STATUS[changes["state"]] == "open"
        if opens:
            self.tell(at, by, changes)
        public = not internal and (side == "customer" or kind != "note")
        self.add(at + ARTICLE_LATER, "reply", by="system" if sender == "System" else side, public=public, text=body)
        if not opens:
            self.tell(at + ARTICLE_LATER, by, changes)

    def merge(self, other):
        """This ticket goes into another one: its articles move there."""
        at, zammad = self.next(), self.zammad
        zammad.db.run("BEGIN")
        zammad.db.run(f"UPDATE ticket_articles SET ticket_id = {other.id} WHERE ticket_id = {self.id}")
        zammad.history(at, "received_merge", other.id, "bob", id_to=other.id, id_from=self.id)
        zammad.history(at, "merged_into", self.id, "bob", id_to=other.id, id_from=self.id)
        zammad.article(at, self.id, "bob", "Agent", "note", "merged", True)
        self.update(at, "bob", state="merged")
        zammad.db.run("COMMIT")
        self.add(at, "merged", into=other.name)

    def delete(self):
        """Zammad deletes a ticket with its articles and its history."""
        self.zammad.db.run(f"DELETE FROM histories WHERE o_id = {self.id} AND history_object_id = 1; "
                           f"DELETE FROM ticket_articles WHERE ticket_id = {self.id}; "
                           f"DELETE FROM tickets WHERE id = {self.id}")


def script(ticket, other):
    """What happens to a ticket after it was opened, step by step."""
    t, agent, customer = ticket, ("alice", "bob")[ticket.number % 2], ticket.customer
    answer, ask = (lambda: t.say(agent)), (lambda: t.say(customer, "And now?", state="open"))
    return [
        [lambda: t.say(agent, state="open"), ask_again(t), answer, lambda: t.say(agent, "Here you are.", state="closed")],
        [lambda: t.say(agent, "Which version?", state="pending reminder"), ask, answer,
         lambda: t.set(agent, state="closed")],
        [lambda: t.say(agent, "Hm.", kind="note", internal=True), lambda: t.set(agent, priority="3 high"),
         lambda: t.say(agent, "Only for the portal.", kind="note"), answer,
         lambda: t.set("bob", priority="1 low", state="open")],
        [lambda: t.say(agent, "Done.", state="closed"), lambda: t.set(agent, state="open"), answer,
         lambda: t.set(agent, state="closed")],
        [answer, lambda: t.set(agent, state="closed"), ask, answer],
        [lambda: t.set(agent, owner="bob"), lambda: t.set(agent, group="Databases", environment="production"), answer,
         lambda: t.set("bob", owner="-", environment=None)],
        [lambda: t.say("robot", "Thank you.", sender="System"), lambda: t.say("robot"), answer,
         lambda: t.say(customer, "Please #escalate this.", state="open")],
        [lambda: t.set("robot", priority="1 low" if t.now["priority"] == "3 high" else "3 high"), answer,
         lambda: t.set(agent, state="pending close"), lambda: t.set("robot", state="closed")],
        [ask_again(t), lambda: t.say(agent, internal=True), ask_again(t)],
        [answer, ask_again(t), lambda: t.merge(other)],
    ][ticket.number % 10]


def ask_again(ticket):
    return lambda: ticket.say(ticket.customer, "Hello?")


def test(bench):
    receiver = bench.receiver()
    db = product(bench, "zammad")
    clock = Clock(db, 1000)
    zammad = Zammad(db, clock)
    path = bench.write_config(CONFIG.format(conninfo=bench.server.conninfo("slated", "zammad"),
                                            channels=webhook("ops", receiver.url())))
    before = objects(db)
    tickets = []
    open_tickets(tickets, zammad, 36)
    play(tickets, lambda number: 0 if number < 18 else 2)
    refused(bench, "zammad", "desk", path, db, ('"field:environment"', '"field:nowhere"'), "Zammad has no such attribute")
    refused(bench, "zammad", "desk", path, db, ('"group"', '"queue"'), 'team = "queue": not a word of this adapter')
    daemon = bench.daemon(path)
    attach(bench, "zammad", "desk", path)
    compare(bench, path, "desk", tickets, "taken over at attach")
    clock.live = True
    open_tickets(tickets, zammad, 50)
    play(tickets, lambda number: 1)
    db.run("SET session_replication_role = replica")
    play(tickets, lambda number: 0)
    db.run("RESET session_replication_role")
    tickets[3].delete()
    expect_gone(bench, "desk", tickets[3])
    compare(bench, path, "desk", tickets, "after 50 tickets, at last with triggers off")
    taken_over(bench)
    detach(bench, "zammad", "desk", path)
    bench.equal(objects(db), before, "detach leaves nothing behind")
    bench.stopped(daemon)


def open_tickets(tickets, zammad, count):
    for number in range(len(tickets), count):
        ticket = ZammadTicket(zammad, number)
        ticket.todo = script(ticket, tickets[-1] if tickets else None)
        tickets.append(ticket)


if __name__ == "__main__":
    run(test)
