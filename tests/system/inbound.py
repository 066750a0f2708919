#!/usr/bin/env python3
"""What comes in over HTTP: acknowledgements by token, by signature and by PagerDuty, and what must not come in."""
import concurrent.futures
import hashlib
import hmac
import http.client
import json
import re
import select
import socket
import subprocess
import time

from harness import HERE, Failure, die_with_parent, run, webhook

TOKEN = "a token for tests, which nobody else has"
PAGER = "first-secret-of-pagerduty", "second-secret-of-pagerduty"
CONFIG = """
severities = ( {{ name = "critical"; }}, {{ name = "calm"; }} );
escalations = {{ loud = ( {{ on = "breached"; notify = [ "ops" ]; }},
    {{ on = "breached"; after = "3s"; notify = [ "ops" ]; }} ); }};
policies = ( {{ name = "all"; escalation = "loud"; targets = (
    {{ metric = "first_response"; severity = "critical"; within = "1s"; }},
    {{ metric = "first_response"; within = "10h"; }} ); }} );
channels = {{ {webhook}
    pager = {{ type = "pagerduty"; routing_key_file = "routing"; secret_file = "pager"; url = "http://127.0.0.1:1/"; }}; }};
http = {{ listen = [ "127.0.0.1:0", "[::1]:0" ]; token_file = "token"; }};
"""
OPEN_CONFIG = """
severities = ( { name = "calm"; } );
http = { listen = [ "ADDRESS" ]; };
"""
# More than all that may wait: what a deadline of the daemon's may take in a busy machine.
SLOW = 60.0


class Signer:
    """standardwebhooks, by node."""

    def __init__(self, bench):
        self.process = subprocess.Popen(["node", HERE / "sign.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, preexec_fn=die_with_parent)
        bench.stack.callback(self.close)

    def headers(self, body, message, secret=TOKEN, age=0):
        at = int(time.time()) - age
        self.process.stdin.write(json.dumps({"secret": secret, "id": message, "timestamp": at, "body": body}) + "\n")
        self.process.stdin.flush()
        return {"webhook-id": message, "webhook-timestamp": str(at),
                "webhook-signature": self.process.stdout.readline().strip()}

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Client:
    """What a test needs of one daemon's server."""

    def __init__(self, daemon, pattern=r'^listening .*127\.0\.0\.1:'):
        line = daemon.log.wait(pattern)
        self.host, self.port = re.search(r'address="?\[?(.*?)\]?:(\d+)"?$', line).groups()

    def connect(self):
        return socket.create_connection((self.host, int(self.port)), timeout=SLOW)

    def send(self, method, path, body="", headers=None):
        """Status, headers and body, read as JSON where it is."""
        connection = http.client.HTTPConnection(self.host, int(self.port), timeout=SLOW)
        connection.request(method, path, body.encode(), headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        is_json = answer.headers.get("Content-Type", "").endswith("json") and text
        return answer.status, answer.headers, json.loads(text) if is_json else text

    def acknowledge(self, ticket, body="", token=TOKEN, headers=None):
        given = headers if headers is not None else {"Authorization": f"Bearer {token}"}
        status, _, answer = self.send("POST", f"/api/v1/tickets/{ticket}/ack", body, given)
        return status, answer

    def pager(self, event, secrets=(PAGER[0],), body=None):
        text = json.dumps({"event": event}) if body is None else body
        signatures = [f"v1={hmac.new(s.encode(), text.encode(), hashlib.sha256).hexdigest()}" for s in secrets]
        headers = {"X-PagerDuty-Signature": ",".join(signatures), "Content-Type": "application/json"}
        status, _, answer = self.send("POST", "/api/v1/hooks/pagerduty", text, headers)
        return status, answer


def acks(bench, ticket):
    return bench.db.rows(f'SELECT by, extract(epoch FROM "for")::integer AS s FROM sla.ack WHERE ticket_id = {ticket} '
                         "ORDER BY id")


def calm(bench, **values):
    return bench.db.insert("ticket", severity="calm", **values)


def test_acknowledge(bench, client):
    ticket = calm(bench)
    bench.equal(client.acknowledge(ticket, '{"by": "Ann", "for": "2h"}'), (200, {"ticket": ticket, "acknowledged": True}),
                "token: acknowledged")
    bench.equal(acks(bench, ticket), [{"by": "Ann", "s": 7200}], "token: by whom, for how long")
    bench.equal(client.acknowledge(ticket)[0], 200, "token: without a body")
    bench.equal(client.acknowledge(ticket, '{"by": " Zoë \\n\\u0007 B\u00f6hm "}')[0], 200, "token: a name to be cleaned")
    bench.equal(acks(bench, ticket)[1:], [{"by": "agent", "s": None}, {"by": "Zoë Böhm", "s": None}],
                "token: the names, each time")
    bench.equal(client.send("POST", f"/api/v1/tickets/{ticket}/ack", "", {"authorization": f"bearer {TOKEN}"})[0], 200,
                "token: case does not count in names")
    bench.db.wait(f"(SELECT count(*) FROM sla.event WHERE ticket_id = {ticket} AND kind = 'ack' AND refused IS NULL) = 4")
    bench.check(True, "token: each is an event")

    named = calm(bench, source="desk", external_id="T-1 ü")
    other = calm(bench, external_id="T-1 ü")
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    for query, wanted in (("external_id=T-1%20%C3%BC&source=desk", named), ("external_id=T-1+%c3%bc", other)):
        status, _, answer = client.send("POST", f"/api/v1/tickets/ack?{query}", "", bearer)
        bench.equal((status, answer), (200, {"ticket": wanted, "acknowledged": True}), f"by name: {query}")
    for query in ("external_id=T-2", "external_id=T-1%20%C3%BC&source=mail"):
        bench.equal(client.send("POST", f"/api/v1/tickets/ack?{query}", "", bearer)[0], 404, f"by name, unknown: {query}")
    for query in ("", "?source=desk", "?external_id=", "?external_id=%FF", "?&&", "?external_id=%00"):
        bench.equal(client.send("POST", f"/api/v1/tickets/ack{query}", "", bearer)[0], 400, f"by name, wrong: {query!r}")


def test_bad(bench, client):
    ticket = calm(bench)
    for body, words in (("{", "not a JSON object"), ("[]", "not a JSON object"), ("nonsense", "not a JSON object"),
                        ('{"by": 5}', '"by"'), (json.dumps({"by": "x" * 201}), '"by"'), ('{"for": 5}', '"for"'),
                        ('{"for": "3bd"}', '"for"'), ('{"for": "0s"}', '"for"'), ('{"for": "-2h"}', '"for"'),
                        ('{"for": "200000d"}', '"for"'), ('{"until": "2h"}', "none of"), ('{"by": "a\\u0000b"}', "JSON"),
                        ('{"by": "a", "by": "b"}', "JSON"), ("[" * 100000, "JSON")):
        status, answer = client.acknowledge(ticket, body)
        bench.check(status == 400 and words in answer["detail"], f"body {body[:20]}: 400, with the reason", (status, answer))
    for path in ("0", "-1", "01", "1x", "%31", "9223372036854775808", "99999999999999999999"):
        bench.equal(client.acknowledge(path)[0], 400, f"ticket {path}: 400")
    bench.equal(client.acknowledge(9223372036854775807)[0], 404, "an unknown ticket: 404")
    bench.equal(acks(bench, ticket), [], "none of these was taken")
    bench.db.run(f"UPDATE sla.ticket SET status = 'closed' WHERE id = {ticket}")
    bench.equal(client.acknowledge(ticket)[0], 409, "a closed ticket: 409")

    for method, path, status, allow in (("GET", "/nothing", 404, None), ("GET", "/api/v1/tickets/1/ack", 405, "POST"),
                                        ("PATCH", "/api/v1/hooks/pagerduty", 405, "POST"), ("POST", "/api/v1/tickets//ack", 404, None),
                                        ("POST", "/api/v1/tickets/1/ack/", 404, None), ("POST", "/api/v1/tickets/1/2/ack", 404, None),
                                        ("POST", "/api/v1/tickets/1/acknowledge", 404, None), ("OPTIONS", "/api/v1/tickets/1/ack", 405, "POST"),
                                        ("DELETE", "/api/v1/tickets/1/ack?a=b", 405, "POST")):
        got, headers, answer = client.send(method, path)
        bench.check(got == status and headers["Allow"] == allow and answer["detail"], f"{method} {path}: {status}",
                    (got, headers["Allow"], answer))
    with client.connect() as connection:
        connection.sendall(b"HEAD /api/v1/tickets/1/ack HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: connection.recv(4096), b""))
    bench.check(text.startswith(b"HTTP/1.1 405 ") and text.endswith(b"\r\n\r\n") and b"Allow: POST" in text and
                re.search(rb"Content-Length: [1-9]", text), "HEAD: the headers alone", text)


def test_authority(bench, client, signer):
    ticket = calm(bench)
    refusals = set()
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {TOKEN[:-1]}"},
                    {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Bearer  {TOKEN}x"}, {"Authorization": TOKEN},
                    {"Authorization": f"Basic {TOKEN}"}, {"Authorization": "Bearer " + "x" * 5000}):
        status, given, answer = client.send("POST", f"/api/v1/tickets/{ticket}/ack", "", headers)
        bench.check(status == 401 and given["WWW-Authenticate"] == "Bearer", f"not allowed: {str(headers)[:60]}", status)
        refusals.add(answer["detail"])
    bench.equal(len(refusals), 1, "no refusal tells more than another")

    body = json.dumps({"ticket": ticket, "by": "Bo", "for": "30m"})
    headers = signer.headers(body, "msg_1")
    bench.equal(client.acknowledge(ticket, body, headers=headers), (200, {"ticket": ticket, "acknowledged": True}),
                "signed: acknowledged")
    bench.equal(client.acknowledge(ticket, body, headers=headers),
                (200, {"ticket": ticket, "acknowledged": True, "repeated": True}), "signed: the same again is dropped")
    bench.equal(client.acknowledge(ticket, body, headers=signer.headers(body, "msg_1", age=-60))[1].get("repeated"), True,
                "signed: the same id, signed anew, is dropped")
    bench.equal(client.acknowledge(ticket, body, headers=signer.headers(body, "msg_2", age=240))[0], 200,
                "signed four minutes ago")
    good = signer.headers(body, "msg_3")
    several = good | {"webhook-signature": "v1,bm90aGluZw== v1a,other " + good["webhook-signature"]}
    bench.equal(client.acknowledge(ticket, body, headers=several)[0], 200, "one of several signatures")
    named = json.dumps({"ticket": str(ticket)})
    bench.equal(client.acknowledge(ticket, named, headers=signer.headers(named, "msg_4"))[0], 200, "signed, just the ticket")
    bench.equal(acks(bench, ticket), [{"by": "Bo", "s": 1800}] * 3 + [{"by": "agent", "s": None}], "signed: each counts once")
    for other in ("", '{"by": "Bo"}'):
        status, answer = client.acknowledge(ticket, other, headers=signer.headers(other, "msg_8"))
        bench.check(status == 400 and "names its ticket" in answer["detail"], "signed, but not for which ticket: 400", answer)
    another = calm(bench)
    status, answer = client.acknowledge(another, named, headers=signer.headers(named, "msg_9"))
    bench.check(status == 400 and "not the one" in answer["detail"], "signed for another ticket: 400", answer)
    bench.equal(acks(bench, another), [], "and nothing done")
    for name, headers in (("expired", signer.headers(body, "msg_5", age=320)),
                          ("from the future", signer.headers(body, "msg_5", age=-320)),
                          ("by another secret", signer.headers(body, "msg_5", secret="x" * 40)),
                          ("of another body", signer.headers(body + " ", "msg_5")),
                          ("of another id", signer.headers(body, "msg_6") | {"webhook-id": "msg_5"}),
                          ("of another time", signer.headers(body, "msg_5", age=5) | {"webhook-timestamp": str(int(time.time()))}),
                          ("at no time", signer.headers(body, "msg_5") | {"webhook-timestamp": "soon"}),
                          ("cut short", good | {"webhook-signature": good["webhook-signature"][:-1]}),
                          ("empty", good | {"webhook-signature": ""}),
                          ("without an id", good | {"webhook-id": ""}),
                          ("with a long id", signer.headers(body, "m" * 201))):
        bench.equal(client.acknowledge(ticket, body, headers=headers)[0], 401, f"signed {name}: 401")
    bench.equal(len(acks(bench, ticket)), 4, "none of these was taken")
    body = '{"ticket": 999999}'
    unknown = signer.headers(body, "msg_7")
    for _ in range(2):
        bench.equal(client.acknowledge(999999, body, headers=unknown)[0], 404, "signed, for an unknown ticket")
    body = json.dumps({"ticket": ticket})
    bench.equal(client.acknowledge(ticket, body, headers=signer.headers(body, "msg_7"))[1],
                {"ticket": ticket, "acknowledged": True}, "a message without effect may come again")


def event(ticket, message, key=None, kind="incident.acknowledged", **members):
    """As in PagerDuty's documentation of V3 webhooks."""
    reference = {"html_url": "https://acme.pagerduty.com/users/PLH1HKV", "id": "PLH1HKV", "summary": "Tenex Engineer",
                 "self": "https://api.pagerduty.com/users/PLH1HKV", "type": "user_reference"}
    data = {"id": "PGR0VU2", "type": "incident", "number": 2, "status": "acknowledged", "title": "A little bump in the road",
            "incident_key": key or f"sla-{ticket}-first_response-1", "created_at": "2020-04-09T15:16:27Z",
            "service": {"id": "PF9KMXH", "summary": "API Service", "type": "service_reference"}, "assignees": [reference],
            "urgency": "high", "resolve_reason": None}
    return {"id": message, "event_type": kind, "resource_type": "incident", "occurred_at": "2020-10-02T18:45:22.169Z",
            "agent": reference, "client": {"name": "PagerDuty"}, "data": data} | members


def test_pager(bench, client):
    ticket = calm(bench)
    done = (200, {"ticket": ticket, "acknowledged": True})
    bench.equal(client.pager(event(ticket, "E1")), done, "pagerduty: acknowledged")
    bench.equal(client.pager(event(ticket, "E1")), (200, done[1] | {"repeated": True}), "pagerduty: a repeated event is dropped")
    bench.equal(client.pager(event(ticket, "E2", f"sla-{ticket}", agent=None), ("no secret", PAGER[1])), done,
                "pagerduty: second of two signatures, second secret, no metric, no agent")
    bench.equal(acks(bench, ticket), [{"by": "Tenex Engineer", "s": None}, {"by": "PagerDuty", "s": None}],
                "pagerduty: by the agent's name")
    long_name = {"summary": "ä" * 150}
    bench.equal(client.pager(event(ticket, "E3", agent=long_name)), done, "pagerduty: a very long name")
    bench.equal(acks(bench, ticket)[2]["by"], "ä" * 98 + "…", "pagerduty: is cut between characters")
    for kind in ("incident.unacknowledged", "incident.resolved", "incident.triggered", "pagey.ping", "service.updated", ""):
        status, answer = client.pager(event(ticket, "E4", kind=kind))
        bench.check(status == 200 and not answer["acknowledged"], f"pagerduty: {kind or 'no type'} does nothing", answer)
    for key in ("d3640fbd41094207a1c11e58e46b1662", "sla-", f"sla-{ticket}-", f"sla-{ticket}x", f"sla-0{ticket}", f"SLA-{ticket}",
                f"sla-{ticket}-first_response", f"sla-{ticket}-first_response-", f"sla-{ticket}-first_response-0",
                f"sla-{ticket}-first-1", f"sla-{ticket}-first_response-1-2", f"sla-{ticket}-first_response-1x",
                f"sla--{ticket}", f" sla-{ticket}", "sla-99999999999999999999"):
        status, answer = client.pager(event(ticket, "E5", key))
        bench.check(status == 200 and "incident_key" in answer["note"], f"pagerduty: key {key!r} is none of ours", answer)
    for members in ({"data": None}, {"data": []}, {"data": {"incident_key": None}}, {"id": None}, {"id": "x" * 201}):
        status, answer = client.pager(event(ticket, "E6") | members)
        bench.check(status == 200 and not answer["acknowledged"], f"pagerduty: {str(members)[:30]} does nothing", answer)
    bench.equal(client.pager(event(9999999, "E7")), (200, {"acknowledged": False, "note": "there is no such ticket"}),
                "pagerduty: an unknown ticket")
    for body in ("", "{", "[]", '{"event": []}', '{"event": {}}', '{"messages": []}', "\u0000\u0001"):
        bench.equal(client.pager(None, body=body)[0], 400, f"pagerduty: body {body!r}: 400")
    for name, secrets in (("no signature", ()), ("a wrong one", ("other",)), ("two wrong ones", ("a", "b"))):
        bench.equal(client.pager(event(ticket, "E8"), secrets)[0], 401, f"pagerduty: {name}: 401")
    bench.equal(client.send("POST", "/api/v1/hooks/pagerduty", "{}", {"Authorization": f"Bearer {TOKEN}"})[0], 401,
                "pagerduty: our token is no signature of theirs")
    bench.equal(len(acks(bench, ticket)), 3, "pagerduty: none of these was taken")


def test_ladder(bench, client, receiver):
    """A control ticket, opened after the others, shows when the step would have come."""
    db = bench.db
    stopped, held, control = [db.insert("ticket", severity="critical") for _ in range(3)]
    for ticket in (stopped, held, control):
        db.wait(f"EXISTS (SELECT FROM sla.milestone WHERE ticket_id = {ticket} AND milestone = 'breached')")
    bench.equal(client.acknowledge(stopped)[0], 200, "ladder: acknowledged")
    bench.equal(client.acknowledge(held, '{"for": "4s"}')[0], 200, "ladder: acknowledged for 4 s")
    second = "SELECT FROM sla.milestone WHERE milestone = 'escalated' AND step = 2 AND ticket_id ="
    db.wait(f"EXISTS ({second} {control})")
    bench.check(db.value(f"SELECT NOT EXISTS ({second} {held})"), "ladder: `for` holds the step")
    db.wait(f"EXISTS ({second} {held})")
    bench.check(db.value("SELECT m.at = a.at + a.for FROM sla.milestone m JOIN sla.ack a USING (ticket_id) "
                         f"WHERE milestone = 'escalated' AND step = 2 AND ticket_id = {held}"), "ladder: until it ends")
    receiver.wait("the held step's alert", lambda requests: any(
        r["verified"] and r["data"]["milestone"].get("step") == 2 and r["data"]["ticket"]["id"] == held for r in requests))
    bench.check(db.value(f"SELECT NOT EXISTS ({second} {stopped})"), "ladder: an acknowledgement stops it")


def test_lock(bench, client):
    held, free = calm(bench), calm(bench)
    writer = bench.session()
    writer.run(f"BEGIN; UPDATE sla.ticket SET plan = 'x' WHERE id = {held}")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.send, "POST", f"/api/v1/tickets/{held}/ack", "", {"Authorization": f"Bearer {TOKEN}"})
        second = pool.submit(client.acknowledge, free)
        status, headers, _ = first.result()
        bench.equal((status, headers["Retry-After"]), (503, "2"), "a ticket that a transaction holds: try again")
        bench.equal(second.result()[0], 200, "others wait no longer than that")
    writer.run("COMMIT")
    bench.equal(client.acknowledge(held)[0], 200, "and then it is acknowledged")


def test_many(bench, client):
    ticket = calm(bench)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda i: client.acknowledge(ticket, json.dumps({"by": f"P{i}"}))[0], range(60)))
    bench.equal(answers, [200] * 60, "20 connections at once, all answered")
    bench.equal(sorted({row["by"] for row in acks(bench, ticket)}), sorted(f"P{i}" for i in range(60)), "and all taken")
    # More than may be open: the last ones are taken as soon as others go.
    idle = [client.connect() for _ in range(150)]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.acknowledge, ticket)
        for connection in idle:
            connection.close()
        bench.equal(answer.result()[0], 200, "after a hundred and fifty idle ones")
    connection = http.client.HTTPConnection(client.host, int(client.port), timeout=SLOW)
    for _ in range(3):
        connection.request("POST", f"/api/v1/tickets/{ticket}/ack", b"", {"Authorization": f"Bearer {TOKEN}"})
        status = connection.getresponse()
        status.read()
        bench.equal(status.status, 200, "one connection, several requests")
    connection.close()


def until_closed(connection):
    """What is left to read. A reset is an end, too."""
    text = b""
    try:
        while piece := connection.recv(65536):
            text += piece
    except (ConnectionResetError, BrokenPipeError):
        pass
    return text


def test_garbage(bench, client):
    head = b"POST /api/v1/tickets/1/ack HTTP/1.1\r\nHost: x\r\n"
    for name, data, status in (
            ("a huge body told of", head + b"Content-Length: 1073741824\r\n\r\n" + b"x" * 3000000, b"413"),
            ("a huge body in pieces", head + b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 17, b"413"),
            ("a huge header", head + b"X-Much: " + b"x" * 100000 + b"\r\n\r\n", b"400|413|431"),
            ("many headers", head + b"".join(b"X-%d: y\r\n" % i for i in range(3000)) + b"\r\n", b"400|413|431"),
            ("a length that is none", head + b"Content-Length: -5\r\n\r\n", b"400"),
            ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + b"\r\n\r\n", b"400"),
            ("zeroes", b"\0" * 1000 + b"\r\n\r\n", b"400"),
            ("an endless line", b"GET /" + b"a" * 100000, b"400|413|414|431")):
        with client.connect() as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it is cut off already
            text = until_closed(connection)
        bench.check(text == b"" or re.match(rb"HTTP/1\.[01] (" + status + b") ", text), f"{name}: refused", text[:80])
    bench.equal(client.send("POST", "/api/v1/tickets/1/ack", "x" * 1048577)[0], 413, "a body of one byte too much: 413")
    body = json.dumps({"by": "x" * 1048000})
    bench.equal(client.acknowledge(1, body)[0], 400, "one of nearly as much is read")


def drip(client):
    """A request that never ends, a byte at a time. The seconds until it is cut off."""
    begin = time.monotonic()
    with client.connect() as connection:
        connection.sendall(b"POST /api/v1/tickets/1/ack HTTP/1.1\r\nHost: ")
        while time.monotonic() < begin + SLOW:
            if select.select([connection], [], [], 0.5)[0]:
                return time.monotonic() - begin
            try:
                connection.sendall(b"x")
            except (ConnectionResetError, BrokenPipeError):
                return time.monotonic() - begin
    raise Failure("a request that never ends is not cut off")


def silent(client, data):
    """A connection that says no more. The seconds until it is cut off."""
    begin = time.monotonic()
    with client.connect() as connection:
        connection.sendall(data)
        until_closed(connection)
    return time.monotonic() - begin


def test_database_lost(bench, client, daemon, signer):
    ticket = calm(bench)
    bench.db.run("CHECKPOINT")  # the server is about to crash, and may commit without waiting for the disk
    since = len(daemon.log.lines)
    bench.server.restart()
    bench.db.close()
    bench.db = bench.session()
    body = json.dumps({"ticket": ticket, "by": "Cy"})
    headers = signer.headers(body, "msg_lost")
    statuses = []
    end = time.monotonic() + SLOW
    while not statuses or statuses[-1] != 200:
        if time.monotonic() > end:
            raise Failure(f"no answer but {statuses[-1]} after a restart of the database")
        statuses.append(client.acknowledge(ticket, body, headers=headers)[0])
        time.sleep(0.02)
    bench.check(set(statuses) <= {200, 503}, "the database restarts: try again, until it is back", set(statuses))
    bench.equal(acks(bench, ticket), [{"by": "Cy", "s": None}], "and it counts once")
    daemon.wait_loaded(since=since)


def test_others(bench, client):
    """A daemon without a token, and one whose port is taken."""
    path = bench.write_config(OPEN_CONFIG.replace("ADDRESS", "127.0.0.1:0"), "open.conf", instance="open")
    other = bench.daemon(path, loaded=False)
    there = Client(other)
    status, answer = there.acknowledge(1)
    bench.check(status == 403 and "token" in answer["detail"], "without a token: 403, and what to do", answer)
    status, answer = there.pager(event(1, "E9"))
    bench.check(status == 403 and "secret_credential" in answer["detail"], "without a secret: 403, and what to do", answer)
    path = bench.write_config(OPEN_CONFIG.replace("ADDRESS", f"127.0.0.1:{client.port}"), "taken.conf", instance="taken")
    taken = bench.daemon(path, loaded=False)
    line = taken.log.wait("cannot listen")
    taken.process.wait(SLOW)
    bench.check(f"127.0.0.1:{client.port}" in line and "in use" in line and taken.process.returncode == 1,
                "a port that is taken: an error that names it", line)


def test(bench):
    for name, text in (("token", TOKEN), ("pager", "\n".join(PAGER)), ("routing", "R" * 32)):
        (bench.folder / name).write_text(text + "\n")
        (bench.folder / name).chmod(0o600)
    receiver = bench.receiver()
    signer = Signer(bench)
    bench.db.run("CREATE ROLE slated LOGIN IN ROLE sla_daemon")
    daemon = bench.daemon(bench.write_config(CONFIG.format(webhook=webhook("ops", receiver.url())), user="slated"))
    client = Client(daemon)
    bench.equal(Client(daemon, r"^listening .*\[::1\]:").acknowledge(999)[0], 404, "over IPv6 too")
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        cut = pool.submit(drip, client), pool.submit(silent, client, b""), pool.submit(silent, client, b"POST /v1")
        test_acknowledge(bench, client)
        test_bad(bench, client)
        test_authority(bench, client, signer)
        test_pager(bench, client)
        test_ladder(bench, client, receiver)
        test_lock(bench, client)
        test_garbage(bench, client)
        for name, future in zip(("a byte now and then", "nothing at all", "half a request"), cut):
            bench.check(future.result() < 40, f"{name}: cut off", f"after {future.result():.0f} s")
    test_many(bench, client)
    test_others(bench, client)
    test_database_lost(bench, client, daemon, signer)
    bench.check(all(secret not in line for secret in (TOKEN, *PAGER) for line in daemon.log.lines), "no secret in the log")
    bench.db.run("INSERT INTO sla.inbound (id, received_at) VALUES ('old', now() - interval '8 days')")
    bench.equal(client.acknowledge(calm(bench))[0], 200, "one more")
    bench.equal(bench.db.value("SELECT count(*) FROM sla.inbound WHERE id = 'old'"), 0, "messages of last week are forgotten")
    bench.stopped(daemon)


if __name__ == "__main__":
    run(test)
