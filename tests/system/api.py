#!/usr/bin/env python3
"""The HTTP API: every request and answer is held against doc/openapi.yaml, and what it says against the database."""
import datetime
import http.client
import json
import re
import signal
import socket
import threading
import urllib.parse

from harness import Failure, run, wait_until, webhook

try:
    from openapi import Judge, ValidationError
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed")
    raise SystemExit(77) from missing

TOKEN = "a token for those who change things"
BEARER = {"Authorization": f"Bearer {TOKEN}"}

CONFIG = """
severities = ( {{ name = "critical"; aliases = [ "S1", "Sev 1" ]; }}, {{ name = "calm"; }} );
calendars = {{ office = {{ timezone = "Europe/Berlin"; hours = {{ weekdays = "09:00-17:00"; }}; }}; }};
escalations = {{ loud = ( {{ on = "breached"; notify = [ "ops" ]; }} ); }};
policies = (
    {{ name = "gold"; rank = 10; match = {{ plan = "gold"; severity = {{ not = "calm"; }}; }}; escalation = "loud"; targets = (
        {{ metric = "first_response"; within = "1s"; at_risk = [ "50%" ]; }},
        {{ metric = "resolution"; within = "20h"; pause_on = [ "pending" ]; }} ); }},
    {{ name = "all"; targets = (
        {{ metric = "first_response"; under = "3bd"; business_day = "same_time"; calendar = "office"; pause_on = [ "pending", "on_hold" ]; }},
        {{ metric = "resolution"; within = "{resolution}"; at_risk = [ "1%" ]; }} ); }}
);
channels = {{ {channel} }};
links = {{ ticket = "https://desk.example/%{{external_id}}"; }};
http = {{ listen = [ "127.0.0.1:0" ]; {token} }};
"""


class Client:
    """One daemon's API, each exchange judged."""

    def __init__(self, bench, judge, daemon):
        self.bench, self.judge = bench, judge
        self.port = int(re.search(r":(\d+)\"?$", daemon.log.wait(r"^listening ")).group(1))

    def raw(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer, answer.read().decode()

    def send(self, method, path, query=None, body=None, headers=None, wrong=False):
        """Status and body. `wrong`: the page forbids the request, so an error must come."""
        text = json.dumps(body) if isinstance(body, dict) else body
        try:
            self.judge.check_request(method, path, query or {}, text)
            described = True
        except (ValidationError, ValueError) as error:
            described = False
            if not wrong:
                self.bench.check(False, f"{method} {path}: the request is described", error)
        if wrong and described:
            self.bench.check(False, f"{method} {path} {query} {text}: the page forbids it")
        address = path + ("?" + urllib.parse.urlencode(query) if query else "")
        answer, got = self.raw(method, address, text, headers)
        try:
            self.judge.check_answer(method, path, answer.status, answer.headers["Content-Type"], got)
        except (ValidationError, ValueError) as error:
            self.bench.check(False, f"{method} {address}: the answer is as described", error)
        return answer.status, json.loads(got)

    def get(self, path, **query):
        return self.send("GET", "/api/v1" + path, query)

    def change(self, method, path, body=None, query=None, **more):
        return self.send(method, "/api/v1" + path, query, body, BEARER, **more)


class Stream:
    """Server-Sent Events, read by a thread."""

    def __init__(self, client):
        self.connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=120)
        self.connection.request("GET", "/api/v1/stream")
        self.socket = self.connection.sock
        self.answer = self.connection.getresponse()
        self.events = []
        self.news = threading.Condition()
        if self.answer.status == 200:
            threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        name = None
        while True:
            try:
                line = self.answer.readline().decode().rstrip("\n")
            except (OSError, ValueError, AttributeError, http.client.HTTPException):
                return
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                with self.news:
                    self.events.append((name, json.loads(line[6:])))
                    self.news.notify_all()

    def wait(self, what, look):
        with self.news:
            if not self.news.wait_for(lambda: any(look(*event) for event in self.events), 30):
                raise Failure(f"waited in vain for {what}; there came {self.events}")
            return next(event for event in self.events if look(*event))

    def close(self):
        # The answer holds on to the socket.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.connection.close()


def make_tickets(bench):
    db = bench.db
    tickets = {"gold": db.insert("ticket", external_id="G-1", plan="gold", severity="Sev 1", org="acme", assignee="ann", team="db"),
               "late": db.insert("ticket", external_id="L-1", plan="basic", severity="calm", org="acme", opened_at="2026-03-01T10:00:00Z"),
               "calm": db.insert("ticket", external_id="C-1", plan="basic", severity="calm", org="beta")}
    tickets["held"] = db.insert("ticket", external_id="H-1", plan="basic", severity="calm", org="beta_2", status="pending")
    db.wait("EXISTS (SELECT FROM sla.milestone WHERE milestone = 'breached' AND policy = 'gold')")
    db.wait("EXISTS (SELECT FROM sla.delivery_log WHERE state = 'delivered')")
    db.wait("(SELECT count(*) FROM sla.clock) = 8")
    return tickets


def names(answer):
    return [(clock["external_id"], clock["metric"]) for clock in answer["clocks"]]


def test_clocks(bench, client, tickets):
    status, answer = client.get("/clocks")
    dues = [clock["due_at"] for clock in answer["clocks"] if "due_at" in clock]
    bench.equal((status, len(answer["clocks"])), (200, 8), "all open clocks")
    bench.check(dues == sorted(dues) and "due_at" not in answer["clocks"][-1], "in the order of their dues, paused ones last", dues)
    bench.equal(answer["counts"], bench.db.rows(
        "SELECT count(*) AS open, count(*) FILTER (WHERE state = 'breached') AS breached, "
        "count(*) FILTER (WHERE state = 'running' AND levels_fired <> '{}') AS at_risk, "
        "count(*) FILTER (WHERE state = 'running') AS running, count(*) FILTER (WHERE state = 'paused') AS paused, "
        "0 AS overdue FROM sla.clock WHERE ended_at IS NULL")[0], "counted as the database counts")
    gold = next(c for c in answer["clocks"] if c["external_id"] == "G-1" and c["metric"] == "first_response")
    bench.check(gold["state"] == "breached" and gold["severity"] == "critical" and gold["assignee"] == "ann"
                and gold["link"] == "https://desk.example/G-1" and gold["rank"] == 10 and gold["rate"] == 1
                and gold["used"] > gold["budget"] == 1 and gold["levels_fired"] == ["50%"], "a breached clock", gold)
    held = answer["clocks"][-1]
    bench.check(held["state"] == "paused" and held["rate"] == 0 and held["timezone"] == "Europe/Berlin", "a paused one", held)
    filters = ({"state": "breached"}, 3), ({"state": "paused"}, 1), ({"metric": "resolution"}, 4), ({"policy": "GO*"}, 2), \
        ({"org": "beta?2"}, 2), ({"org": "beta_"}, 0), ({"org": "beta*"}, 4), ({"plan": "gold", "metric": "resolution"}, 1), \
        ({"severity": "critical"}, 2), ({"assignee": "Ann"}, 2), ({"team": "d?"}, 2), ({"within": "1m"}, 3), \
        ({"ticket": tickets["late"]}, 2), ({"org": "%"}, 0), ({"ticket": 999999}, 0)
    for query, wanted in filters:
        status, found = client.get("/clocks", **query)
        bench.equal((status, len(found["clocks"]), found["counts"]["open"]), (200, wanted, wanted), f"filter {query}")
    pages, after = [], {}
    while len(pages) < 8:
        status, page = client.get("/clocks", limit=3, **after)
        pages += names(page)
        bench.equal(page["counts"]["open"], 8, "a page counts them all")
        if "next" not in page:
            break
        after = {"after": page["next"]}
    bench.equal(pages, names(answer), "page by page they are the same")
    for query in ({"state": "asleep"}, {"metric": "x"}, {"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"colour": "red"},
                  {"ticket": "-1"}, {"within": "soon"}):
        status, problem = client.send("GET", "/api/v1/clocks", query, wrong=True)
        bench.check(status == 400 and next(iter(query)) in problem["detail"], f"refused: {query}", (status, problem))
    for after in ("x", "1.2.3.4", "1.2.resolution.x", "99999999999999999999.1.resolution.1", "...", "1..resolution.1"):
        bench.equal(client.get("/clocks", after=after)[0], 400, f"refused: after={after}")


def test_ticket(bench, client, tickets):
    status, answer = client.get(f"/tickets/{tickets['late']}")
    bench.equal((status, answer["ticket"]["external_id"], answer["ticket"]["link"]), (200, "L-1", "https://desk.example/L-1"),
                "a ticket")
    first = next(c for c in answer["clocks"] if c["metric"] == "first_response")
    text = " ".join(first["explanation"])
    for words in ("Policy all was the first that fits: it fits every ticket.",
                  "in under 3 business days of calendar office (Europe/Berlin), until the same time of day on the last of them",
                  "stands still while the ticket is pending or on hold",
                  "It started at Sun 2026-03-01 11:00:00 +01:00 with ", "It breached at "):
        bench.check(words in text, f"explained: {words}", text)
    # Sunday at 11:00 in Berlin: three days from Monday's opening, as model.md has it.
    bench.equal(first["due_at"], "2026-03-05T08:00:00Z", "due on Thursday as the office opens")
    bench.equal(first["open"][:2], [["2026-03-02T08:00:00Z", "2026-03-02T16:00:00Z"], ["2026-03-03T08:00:00Z", "2026-03-03T16:00:00Z"]],
                "with the calendar's hours")
    bench.equal(first["spans"], [["2026-03-01T10:00:00Z", "2026-03-05T08:00:00Z"]], "and the span in which it ran")
    held = client.get(f"/tickets/{tickets['held']}")[1]["clocks"][0]
    bench.check("It has stood still since" in " ".join(held["explanation"]) and all(len(s) == 2 for s in held["spans"]),
                "a paused clock is explained", held["explanation"])
    gold = client.get("/tickets", external_id="G-1")[1]
    bench.check("plan is gold, severity is not calm" in gold["clocks"][0]["explanation"][0], "so is a match",
                gold["clocks"][0]["explanation"])
    kinds = {m["milestone"] for m in gold["milestones"]}
    bench.check({"started", "at_risk", "breached", "escalated"} <= kinds and gold["events"][0]["event"] == "opened"
                and gold["deliveries"][0]["state"] == "delivered", "by its name, with what happened", kinds)
    bench.equal(client.get("/tickets", external_id="G-1", source="desk")[0], 404, "not of another source")
    bench.equal(client.get("/tickets/999999")[0], 404, "no such ticket")
    bench.equal(client.get("/tickets/999999/explanation")[0], 404, "nor its explanation")
    full = client.get(f"/tickets/{tickets['gold']}/explanation")[1]["clocks"]
    bench.equal([(c["metric"], c["target"]) for c in full], [("first_response", "within 1s"), ("resolution", "within 20h")],
                "explained in full")
    for path in ("x", "0", "-1", "9223372036854775808"):
        bench.equal(client.send("GET", f"/api/v1/tickets/{path}", wrong=False)[0], 404, f"no ticket's number: {path}")
    bench.equal(client.send("GET", "/api/v1/tickets", {"external_id": ""}, wrong=True)[0], 400, "a name that is empty")


def audit(bench, action):
    return bench.db.rows(f"SELECT who, origin, ticket_id, detail FROM sla.audit WHERE action = '{action}' ORDER BY id")


def test_changes(bench, client, tickets):
    db, ticket = bench.db, tickets["gold"]
    status, answer = client.change("POST", f"/tickets/{ticket}/ack", {"by": "Ann", "for": "2h"})
    bench.equal((status, answer), (200, {"ticket": ticket, "acknowledged": True}), "acknowledged")
    rows = audit(bench, "acknowledge")
    bench.equal([(r["who"], r["origin"], r["ticket_id"], r["detail"]) for r in rows],
                [("Ann", "127.0.0.1", ticket, {"for": "02:00:00"})], "and written down")
    wait_until("the clock's acknowledgement", lambda: client.get("/clocks", ticket=ticket)[1]["clocks"][0].get("acknowledged"))
    clock = client.get("/clocks", ticket=ticket)[1]["clocks"][0]
    bench.check(clock["ack_by"] == "Ann" and clock["ack_until"] > clock["ack_at"], "the list shows by whom, until when", clock)
    shown = client.get(f"/tickets/{ticket}")[1]["ticket"]
    bench.equal((shown.get("acknowledged"), shown.get("ack_by")), (True, "Ann"), "so does the ticket")
    bench.equal(client.change("POST", "/tickets/ack", {}, {"external_id": "G-1"})[0], 200, "by name")
    db.wait(f"(SELECT ack_at IS NOT NULL FROM sla.ticket_state WHERE ticket_id = {ticket})")
    clock = client.get("/clocks", ticket=ticket)[1]["clocks"][0]
    bench.check(clock["ack_by"] == "agent" and "ack_until" not in clock, "for good, where nothing is said of how long", clock)
    last = client.get(f"/tickets/{ticket}")[1]["events"][-1]
    bench.check(last["event"] == "ack" and "for" not in last, "so does the event", last)

    word = {"severity": "s1", "reason": "production is down", "by": "Bo"}
    bench.equal(client.change("POST", f"/tickets/{ticket}/assess", word),
                (200, {"ticket": ticket, "severity": "critical", "changed": False}), "assessed: it stays, by any of its names")
    bench.equal(client.change("POST", f"/tickets/{tickets['calm']}/assess", word)[1]["changed"], True, "assessed: changed")
    db.wait(f"(SELECT severity FROM sla.ticket_state WHERE ticket_id = {tickets['calm']}) = 'critical'")
    event = db.rows(f"SELECT kind, by, reason FROM sla.event WHERE ticket_id = {tickets['calm']} ORDER BY seq DESC LIMIT 1")[0]
    bench.equal(event, {"kind": "severity", "by": "agent", "reason": "production is down (Bo)"}, "by an agent, with the reason")
    bench.equal([(r["who"], r["ticket_id"], r["detail"]["outcome"]) for r in audit(bench, "assess")],
                [("Bo", ticket, "confirmed"), ("Bo", tickets["calm"], "changed")], "and written down")
    status, problem = client.change("POST", f"/tickets/{ticket}/assess", {"severity": "worst", "reason": "-"})
    bench.check(status == 400 and "critical, calm" in problem["detail"], "an unknown severity: which there are", problem)
    for body in ({"severity": "critical"}, {"severity": "critical", "reason": ""}, {"severity": 1, "reason": "x"},
                 {"severity": "critical", "reason": "x", "why": "y"}, "[]", "x", "{", None):
        bench.equal(client.change("POST", f"/tickets/{ticket}/assess", body, wrong=True)[0], 400, f"refused: {body}")
    bench.equal(client.change("POST", "/tickets/999999/assess", word)[0], 404, "assess: no such ticket")
    closed = db.insert("ticket", external_id="X-1", status="closed", severity="calm")
    bench.equal(client.change("POST", f"/tickets/{closed}/assess", word)[0], 409, "assess: closed")
    bench.equal(client.change("POST", f"/tickets/{closed}/ack", {})[0], 409, "acknowledge: closed")
    bench.equal(len(audit(bench, "assess")), 2, "what came to nothing is not written down")


def test_silences(bench, client):
    status, made = client.change("POST", "/silences", {"match": {"plan": "go*"}, "for": "1h", "reason": "moving house", "by": "Ann"})
    bench.equal(status, 201, "silenced")
    listed = client.get("/silences")[1]["silences"]
    bench.check(len(listed) == 1 and listed[0]["id"] == made["id"] and listed[0]["match"] == {"plan": "go*"} and listed[0]["active"]
                and listed[0]["ends_at"] == made["ends_at"] and listed[0]["by"] == "Ann", "listed", listed)
    for body in ({"match": {}, "for": "1h", "reason": "x"}, {"match": {"plan": ""}, "for": "1h", "reason": "x"},
                 {"match": {"plan": "x"}, "reason": "x"}, {"match": {"plan": 1}, "for": "1h", "reason": "x"},
                 {"match": "plan", "for": "1h", "reason": "x"}, {"match": {"plan": "x"}, "for": "1h"}):
        bench.equal(client.change("POST", "/silences", body, wrong=True)[0], 400, f"refused: {body}")
    for body in ({"match": {"colour": "x"}, "for": "1h", "reason": "x"}, {"match": {"plan": "x"}, "for": "1bd", "reason": "x"},
                 {"match": {"plan": "x"}, "for": "0s", "reason": "x"}):
        bench.equal(client.change("POST", "/silences", body)[0], 400, f"refused: {body}")
    path = f"/silences/{made['id']}"
    bench.equal(client.change("DELETE", path, query={"by": "Bo"}), (200, {"id": made["id"], "ended": True}), "ended")
    bench.equal(client.change("DELETE", path)[0], 409, "ended already")
    bench.equal(client.change("DELETE", "/silences/999999")[0], 404, "no such silence")
    bench.equal(client.get("/silences")[1]["silences"], [], "gone from those in force")
    bench.equal([s["active"] for s in client.get("/silences", all="true")[1]["silences"]], [False], "but not from all")
    bench.equal([(r["who"], r["detail"]["silence"]) for r in audit(bench, "silence") + audit(bench, "end_silence")],
                [("Ann", made["id"]), ("Bo", made["id"])], "both are written down")


def test_others(bench, client, tickets):
    status, answer = client.get("/deliveries", channel="ops", state="delivered", ticket=tickets["gold"], limit=5)
    bench.check(status == 200 and [d["external_id"] for d in answer["deliveries"]] == ["G-1"], "deliveries", answer)
    bench.equal(client.get("/deliveries", channel="nobody")[1], {"deliveries": []}, "none to another channel")
    bench.equal(client.send("GET", "/api/v1/deliveries", {"state": "lost"}, wrong=True)[0], 400, "refused: state=lost")
    bench.db.insert("reply", ticket_id=tickets["calm"], author="agent", public=True)
    bench.db.wait("EXISTS (SELECT FROM sla.milestone WHERE milestone = 'met' AND policy = 'all')")
    # The late ticket breached in March; an answer in time and a breach are of this week.
    old = {("all", "first_response"): (1, 1), ("all", "resolution"): (0, 1), ("gold", "first_response"): (0, 1)}
    new = {("all", "first_response"): (1, 0), ("gold", "first_response"): (0, 1)}
    for query, wanted in (({"weeks": 2}, new), ({"timezone": "Asia/Kathmandu", "weeks": 104}, old)):
        totals = {}
        for week in client.get("/attainment", **query)[1]["weeks"]:
            in_time, missed = totals.get((week["policy"], week["metric"]), (0, 0))
            totals[week["policy"], week["metric"]] = (in_time + week["in_time"], missed + week["missed"])
            bench.equal(datetime.date.fromisoformat(week["week"]).weekday(), 0, f"attainment: {week['week']} is a Monday")
        bench.equal(totals, wanted, f"attainment {query}")
    view = bench.db.rows("SELECT policy, metric, sum(in_time) AS in_time, sum(missed) AS missed FROM sla.attainment "
                         "WHERE in_time + missed > 0 GROUP BY 1, 2")
    bench.equal({(row["policy"], row["metric"]): (row["in_time"], row["missed"]) for row in view}, old, "attainment: as reports have it")
    bench.equal(client.get("/attainment", policy="gold", metric="resolution")[1]["weeks"], [], "attainment: nothing has ended")
    bench.equal(client.get("/attainment", timezone="Mars/Olympus")[0], 400, "refused: no such time zone")
    status, answer = client.get("/status")
    bench.check(answer["ready"] and not answer["standby"] and answer["changing"] and answer["open_tickets"] == 4
                and answer["clocks"] == bench.db.value("SELECT count(*) FROM sla.clock WHERE ended_at IS NULL"), "status", answer)


def test_sites(bench, client, tickets):
    """Requests that other sites make a browser send."""
    path = f"/api/v1/tickets/{tickets['gold']}/ack"
    here = f"127.0.0.1:{client.port}"
    for headers, status in (({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403), ({"Origin": "null"}, 403),
                            ({"Origin": "https://evil.example"}, 403), ({"Origin": f"http://{here}"}, 200),
                            ({"Sec-Fetch-Site": "same-origin", "Origin": "https://sla.example"}, 200)):
        bench.equal(client.raw("POST", path, "{}", BEARER | headers)[0].status, status, f"POST with {headers}: {status}")
    for headers, status in (({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 403), ({"Sec-Fetch-Site": "none"}, 200),
                            ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200), ({"Host": "evil.example"}, 403),
                            ({"Host": "localhost:80"}, 200), ({"Host": "[::1]:9464"}, 200)):
        got = client.raw("GET", "/api/v1/silences", headers=headers)[0].status
        bench.equal(got if got != 401 else 403, status, f"GET with {headers}: {status}")
    bench.equal(client.raw("GET", "/api/v1/silences", headers=BEARER | {"Host": "sla.example"})[0].status, 200,
                "by another name with the token")
    bench.equal(client.raw("POST", "/api/v1/silences", "{}")[0].status, 401, "changing without the token: 401")
    for other in ("", "x", TOKEN + "x", TOKEN[:-1]):
        answer = client.raw("DELETE", "/api/v1/silences/1", headers={"Authorization": f"Bearer {other}"})[0]
        bench.equal((answer.status, answer.headers["WWW-Authenticate"]), (401, "Bearer"), f"a wrong token: {other!r}")


def test_stream(bench, client, daemon):
    stream = Stream(client)
    bench.equal(stream.answer.headers["Content-Type"], "text/event-stream", "a stream")
    bench.check("now" in stream.wait("hello", lambda name, _: name == "hello")[1], "that says hello")
    ticket = bench.db.insert("ticket", external_id="S-1", severity="calm")

    def told(event, n):
        return lambda name, data: name == event and any(t["ticket_id"] == ticket and len(t["clocks"]) == n for t in data["tickets"])
    data = stream.wait("the new ticket", told("clocks", 2))[1]
    clocks = next(t["clocks"] for t in data["tickets"] if t["ticket_id"] == ticket)
    bench.check({c["metric"] for c in clocks} == {"first_response", "resolution"} and all(c["external_id"] == "S-1" for c in clocks),
                "a new ticket comes with its clocks", clocks)
    for clock in clocks:
        client.judge.validate({"$ref": "#/components/schemas/ListedClock"}, clock)
    bench.db.run(f"UPDATE sla.ticket SET status = 'solved' WHERE id = {ticket}")
    stream.wait("the solved ticket", told("clocks", 0))
    bench.check(True, "and goes without")
    before = len(daemon.log.lines)
    bench.write_config(config(bench, "30h"))
    daemon.signal(1)
    daemon.log.wait(r"^configuration reloaded|^reloaded", before)
    stream.wait("a reset", lambda name, _: name == "reset")
    bench.check(True, "another configuration: read everything anew")
    # More than may be open at once, and all of them gone: new ones are served.
    streams = [Stream(client) for _ in range(70)]
    refused = [s for s in streams if s.answer.status != 200]
    bench.check(refused and all(s.answer.status == 503 for s in refused), "too many streams: 503", len(refused))
    for each in (*streams, stream):
        each.close()
    wait_until("a free place", lambda: Stream(client).answer.status == 200)


def test_standby(bench, judge, first):
    """The first daemon hangs and has all shards yet."""
    bench.hang(first)
    path = bench.write_config(config(bench), "second.conf", instance="second")
    second = Client(bench, judge, bench.daemon(path, loaded=False))
    wait_until("the standby's word", lambda: second.get("/status")[1]["standby"])
    status, answer = second.get("/status")
    bench.check(not answer["ready"] and "clocks" not in answer, "a standby says so", answer)
    bench.equal(wait_until("its connection", lambda: second.get("/clocks")[0] == 200 and 200), 200, "it can be read all the same")
    stream = Stream(second)
    bench.equal((stream.answer.status, stream.answer.headers["Retry-After"]), (503, "2"), "but hears of no changes")
    first.signal(signal.SIGCONT)
    bench.check(wait_until("its share", lambda: second.get("/status")[1].get("shards") == 128), "and has its share in the end")
    bench.stopped(bench.daemons[-1])


def test_database_lost(bench, client):
    bench.server.restart()
    seen = set()

    def back():
        status = client.get("/clocks")[0]
        seen.add(status)
        return status == 200
    wait_until("reading after a crash of the server", back)
    bench.check(seen <= {200, 503}, "while the database is away: 503", seen)


def config(bench, resolution="20h", token='token_file = "token";'):
    return CONFIG.format(channel=webhook("ops", bench.receiver_url), resolution=resolution, token=token)


def test(bench):
    (bench.folder / "token").write_text(TOKEN + "\n")
    (bench.folder / "token").chmod(0o600)
    bench.receiver_url = bench.receiver().url()
    bench.db.run("CREATE ROLE slated LOGIN IN ROLE sla_daemon")
    judge = Judge()
    daemon = bench.daemon(bench.write_config(config(bench), user="slated"))
    client = Client(bench, judge, daemon)
    tickets = make_tickets(bench)
    test_clocks(bench, client, tickets)
    test_ticket(bench, client, tickets)
    test_changes(bench, client, tickets)
    test_silences(bench, client)
    test_others(bench, client, tickets)
    test_sites(bench, client, tickets)
    test_stream(bench, client, daemon)
    test_standby(bench, judge, daemon)
    test_database_lost(bench, client)
    done = {(method, template) for method, template, status in judge.seen if status < 300}
    bench.equal(judge.operations() - done - {("get", "/stream"), ("post", "/hooks/pagerduty")}, set(),
                "every operation of the page was seen to work, here or in inbound.py")
    bench.stopped(daemon)


if __name__ == "__main__":
    run(test)
