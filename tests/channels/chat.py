#!/usr/bin/env python3
"""The channels slack, teams and ntfy against receivers on loopback: what is posted, checked by schemas written from the
vendors' documentation and read back as a person would; and what becomes of each answer.
"""
import html
import http.server
import json
import pathlib
import re
import subprocess
import sys
import threading

try:
    import jsonschema
except ImportError:
    print("skipped: no python3-jsonschema")
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parent
SENDER = "./tests/channels/send_chat"
NOW = "2026-11-21T12:00:00Z"
TOKEN = "tk_secret"

passed = failed = 0


def check(ok, what, detail=""):
    global passed, failed
    if ok:
        passed += 1
        print(f"ok - {what}")
    else:
        failed += 1
        print(f"FAILED - {what}: {detail}")


def has(text, parts, what):
    """All parts stand in the text."""
    missing = [part for part in parts if part not in text]
    check(not missing, what, f"no {missing!r} in {text[:2000]!r}")


class Receiver:
    """Keeps each request, and gives the answers one after the other; the last one again and again."""

    def __init__(self, answers):
        self.requests = []
        answers = list(answers)
        requests = self.requests

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                requests.append((self.path, dict(self.headers), body))
                status, headers, answer = answers.pop(0) if len(answers) > 1 else answers[0]
                answer = answer.encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_address[1]}{path}"


def send(kind, url, deliveries):
    lines = "".join(json.dumps(delivery) + "\n" for delivery in deliveries)
    arguments = [SENDER, kind, url, NOW] + ([TOKEN] if kind == "ntfy" else [])
    process = subprocess.run(arguments, input=lines, capture_output=True, text=True, timeout=120)
    if process.returncode != 0:
        check(False, f"{kind}: the sender", f"status {process.returncode}: {process.stderr}")
    return [json.loads(line) for line in process.stdout.splitlines()]


# Deliveries.

def payload(number=4711, org="ACME", severity="critical", stage="at_risk", alert="warning", due="2026-11-21T12:15:00Z",
            state="at_risk", link=True, **more):
    ticket = {"id": number, "external_id": str(number), "org": org, "plan": "enterprise-gold", "severity": severity,
              "subject": "SECRET SUBJECT"}
    if link:
        ticket["link"] = f"https://desk.example.com/t/{number}"
    result = {
        "ticket": ticket,
        "milestone": {"at": "2026-11-21T12:00:00Z", "milestone": stage, "metric": "first_response"},
        "clock": {"state": state, "due_at": due, "due_local": "Sat 2026-11-21 13:15 Europe/Berlin",
                  "target": "within 1h", "policy": "gold", "severity": severity},
        "alert": {"key": f"sla-{number}-first_response-1", "state": "open", "severity": alert},
        "notified": ["pager", "lead"],
    }
    for name, value in more.items():
        result.setdefault(name, {})
        result[name] = {**result[name], **value} if isinstance(value, dict) else value
    return result


def delivery(kind, what, key="k1", **more):
    return {"key": key, "kind": kind, "at": NOW, "payload": what, **more}


def digest(members):
    return delivery("digest", {"messages": members})


def member(number, **more):
    return {"key": f"k{number}", "kind": "escalated", "payload": payload(number, **more)}


BREACHED = {"stage": "breached", "alert": "critical", "due": "2026-11-21T10:00:00Z", "state": "breached"}
# No half a character, and no mark left out: "&" and '"' grow when escaped, the others are 2, 3 and 4 bytes long.
MEAN = '&<>"\\é€😀*_[x](javascript:y)'

# (name, delivery, what a reader must find, severity for the eye: ntfy's priority and Teams' colour)
ROWS = [
    ("at risk", delivery("escalated", payload()),
     ["First response to ACME #4711 due in 15 min (Critical, enterprise-gold)", "ACME", "enterprise-gold",
      "within 1h", "Sat 2026-11-21 13:15 Europe/Berlin", "pager, lead"], 3, "Warning"),
    ("breached", delivery("escalated", payload(**BREACHED)),
     ["First response to ACME #4711 overdue by 2 h (Critical, enterprise-gold)"], 5, "Attention"),
    ("breached, told late", delivery("escalated", payload(**BREACHED, late_by=5400)),
     ["overdue by 2 h", "1 h 30 min"], 5, "Attention"),
    ("met", delivery("resolved", payload(milestone={"milestone": "met"})),
     ["First response to ACME #4711 met in time"], 2, "Good"),
    ("met late", delivery("resolved", payload(milestone={"milestone": "met", "late_by": 3600})),
     ["First response to ACME #4711 met 60 min late"], 2, "Good"),
    ("withdrawn", delivery("resolved", payload(milestone={"milestone": "withdrawn", "reason": "plan changed"})),
     ["First response to ACME #4711 no longer promised: plan changed"], 2, "Good"),
    ("acknowledged", delivery("acknowledged", payload(ack={"by": "Zoë", "until": "2026-11-21T14:00:00+00:00"})),
     ["ACME #4711 acknowledged by Zoë", "2026-11-21T14:00:00Z"], 2, "Default"),
    ("test", delivery("test", {"test": {"by": "root"}}),
     ["Test message from slated to channel chat: nothing needs to be done", "root"], 3, "Default"),
    ("test by nobody", delivery("test", {}), ["Test message from slated"], 3, "Default"),
    ("no link", delivery("escalated", payload(link=False)), ["ACME #4711 due in 15 min"], 3, "Warning"),
    ("long link", delivery("escalated", payload(ticket={"link": "https://desk.example.com/" + "x" * 4000})),
     ["ACME #4711 due in 15 min"], 3, "Warning"),
    ("ampersands", delivery("escalated", payload(org="&" * 2000, ticket={"link": "https://d.example/" + "&" * 380})),
     ["&&&&", "… #4711 due in 15 min"], 3, "Warning"),
    ("mean names", delivery("escalated", payload(org="<!channel> " + MEAN)), ["<!channel> " + MEAN + " #4711"], 3,
     "Warning"),
]
QUOTES = '"' * 2000
ROWS.append(("quotes", delivery("escalated", payload(
    org=QUOTES, notified=[QUOTES], ticket={"plan": QUOTES, "severity": QUOTES, "assignee": QUOTES, "team": QUOTES,
                                           "link": "https://d.example/?q=" + QUOTES[:379]},
    clock={"due_local": QUOTES, "target": QUOTES, "policy": QUOTES})), ["… #4711 due in 15 min"], 3, "Warning"))
# Long names are cut within no character, wherever the cut falls.
ROWS += [(f"long names, {n} bytes before", delivery("escalated", payload(org="x" * n + "€é😀" * 3000)),
          ["x" * n + "€é", "… #4711 due in 15 min"], 3, "Warning") for n in range(9)]


def digests(limit):
    numbers = range(100001, 100001 + limit)
    return [
        ("a digest of usual messages", digest([member(n, **BREACHED) for n in numbers]), True),
        ("a digest of long names", digest([member(n, org="Company " * 200, **BREACHED) for n in numbers]), False),
        ("a digest of mean names", digest([member(n, org=MEAN * 40) for n in numbers]), False),
        ("a digest of quotes", digest([member(n, org=QUOTES, ticket={"plan": QUOTES}) for n in numbers]), False),
        ("a digest of long links",
         digest([member(n, ticket={"link": f"https://desk.example.com/{n}/" + "x" * 300}) for n in numbers]), False),
    ]


# What a person reads.

LINK = re.compile(r"<(https?://[^|>]*)\|([^>]*)>")


def slack_words(body):
    """The text as Mattermost and Rocket.Chat show it, and the blocks as Slack does."""
    parts = []
    for block in body["blocks"]:
        parts += [block["text"]["text"]] if "text" in block else []
        parts += [field["text"] for field in block.get("fields", [])]
    both = []
    for text in (body["text"], "\n".join(parts)):
        links = [html.unescape(url) for url, _ in LINK.findall(text)]
        both.append((html.unescape(LINK.sub(r"\2", text)), links))
    return both


def teams_words(body):
    card = body["attachments"][0]["content"]
    runs = [run for block in card["body"] for run in block["inlines"]]
    links = [run["selectAction"]["url"] for run in runs if "selectAction" in run]
    text = "\n".join("".join(run["text"] for run in block["inlines"]) for block in card["body"])
    return [(text, links + [action["url"] for action in card.get("actions", [])])]


def ntfy_words(body):
    text = body["title"] + "\n" + body["message"]
    return [(text, re.findall(r"https?://\S+", body["message"]) + ([body["click"]] if "click" in body else []))]


def slack_size(name, body, raw):
    total = sum(len(block["text"]["text"] if "text" in block else "".join(field["text"] for field in block["fields"]))
                for block in body["blocks"])
    check(total <= 13000, f"slack: {name}: the blocks' size", total)


def teams_size(name, body, raw):
    check(len(raw.decode().encode("utf-16-le")) <= 28 * 1024, f"teams: {name}: 28 KB in UTF-16", len(raw))


def ntfy_size(name, body, raw):
    check(len(body["message"].encode()) < 4096, f"ntfy: {name}: the message's size", len(body["message"].encode()))
    check(len(raw) <= 8192, f"ntfy: {name}: the JSON's size", len(raw))


# (given: status, headers, body; expected: outcome, Retry-After, a part of the error)
COMMON_ANSWERS = [
    (429, {"Retry-After": "30"}, "rate_limited", "retry", 30, "HTTP 429: rate_limited"),
    (429, {}, "", "retry", 0, "HTTP 429"),
    (408, {}, "", "retry", 0, "HTTP 408"),
    (500, {}, "rollup_error", "retry", 0, "HTTP 500: rollup_error"),
    (503, {"Retry-After": "120"}, "", "retry", 120, "HTTP 503"),
    (302, {"Location": "http://127.0.0.1:1/"}, "", "dead", 0, "HTTP 302"),
    (413, {}, "too large", "dead", 0, "HTTP 413: too large"),
    (200, {}, "<html>Please log in</html>", "retry", 0, "HTTP 200: <html>Please log in"),
]
CHANNELS = {
    "slack": {
        "path": "/services/T0/B0/x", "to": "/services/T0/B0/x", "ok": (200, {}, "ok"), "limit": 100,
        "words": slack_words, "size": slack_size,
        "answers": [
            (200, {}, "ok\n", "delivered", 0, None),
            (200, {}, "", "delivered", 0, None),
            (200, {}, '{"success":true}', "delivered", 0, None),
            (200, {}, '{"ok":true}', "delivered", 0, None),
            (200, {}, '{"ok":false,"error":"no_text"}', "dead", 0, "no_text"),
            (200, {}, '{"success":false,"error":"invalid-channel"}', "dead", 0, "invalid-channel"),
            (400, {}, "invalid_payload", "dead", 0, "HTTP 400: invalid_payload"),
            (403, {}, "action_prohibited", "dead", 0, "HTTP 403: action_prohibited"),
            (404, {}, "no_service", "dead", 0, "HTTP 404: no_service"),
            (410, {}, "channel_is_archived", "dead", 0, "HTTP 410: channel_is_archived"),
        ],
    },
    "teams": {
        "path": "/workflows/1/triggers/manual/paths/invoke?api-version=1&sig=x",
        "to": "/workflows/1/triggers/manual/paths/invoke?api-version=1&sig=x", "ok": (202, {}, ""), "limit": 40,
        "words": teams_words, "size": teams_size,
        "answers": [
            (202, {}, "", "delivered", 0, None),
            (200, {}, "1", "delivered", 0, None),
            (200, {}, "", "delivered", 0, None),
            (200, {}, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 "
             "with ContextId tcid=0", "retry", 0, "HTTP error 429"),
            (200, {}, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413 "
             "with ContextId tcid=0", "dead", 0, "HTTP error 413"),
            (200, {}, "HTTP error 200", "retry", 0, "HTTP error 200"),
            (400, {}, '{"error":{"code":"TriggerInputSchemaMismatch"}}', "dead", 0, "TriggerInputSchemaMismatch"),
            (404, {}, '{"error":{"code":"WorkflowNotFound"}}', "dead", 0, "WorkflowNotFound"),
            (502, {}, '{"error":{"code":"NoResponse"}}', "retry", 0, "NoResponse"),
        ],
    },
    "ntfy": {
        "path": "/on-call_1", "to": "/", "ok": (200, {}, '{"id":"x","event":"message","topic":"on-call_1"}'),
        "limit": 25, "words": ntfy_words, "size": ntfy_size,
        "answers": [
            (200, {}, '{"id":"x","event":"message"}', "delivered", 0, None),
            (200, {}, "", "retry", 0, "HTTP 200"),
            (200, {}, '{"event":"open"}', "retry", 0, "HTTP 200"),
            (401, {}, '{"code":40101,"http":401,"error":"unauthorized"}', "dead", 0, "unauthorized"),
            (403, {}, '{"code":40301,"http":403,"error":"forbidden"}', "dead", 0, "forbidden"),
            (429, {}, '{"code":42908,"http":429,"error":"limit reached: daily message quota reached"}', "retry", 0,
             "daily message quota"),
            (507, {}, "", "retry", 0, "HTTP 507"),
        ],
    },
}


def read(kind, channel, schema, name, request):
    """Checks one request; gives the body and what a person reads."""
    path, headers, raw = request
    body = json.loads(raw.decode())
    errors = [error.message[:300] for error in jsonschema.Draft7Validator(schema).iter_errors(body)]
    check(not errors, f"{kind}: {name}: as the schema says", errors)
    good = (path == channel["to"] and headers["Content-Type"] == "application/json" and
            headers.get("Authorization") == (f"Bearer {TOKEN}" if kind == "ntfy" else None))
    check(good, f"{kind}: {name}: the request's head", (path, headers))
    check(b"SECRET" not in raw, f"{kind}: {name}: nothing of the ticket's text", raw)
    channel["size"](name, body, raw)
    return body, channel["words"](body)


def test_bodies(kind, channel, schema):
    with Receiver([channel["ok"]]) as receiver:
        results = send(kind, receiver.url(channel["path"]), [row[1] for row in ROWS])
        check([result["outcome"] for result in results] == ["delivered"] * len(ROWS), f"{kind}: all delivered", results)
        check(len(receiver.requests) == len(ROWS), f"{kind}: a request each", len(receiver.requests))
        for (name, given, expect, priority, color), request in zip(ROWS, receiver.requests):
            body, readings = read(kind, channel, schema, name, request)
            for text, links in readings:
                has(text, expect, f"{kind}: {name}: what is read")
                link = given["payload"].get("ticket", {}).get("link", "")
                expected = {link} if 0 < len(link) <= 400 else set()
                check(set(links) == expected, f"{kind}: {name}: the link", links)
            if kind == "ntfy":
                check(body["priority"] == priority, f"{kind}: {name}: priority", body["priority"])
            if kind == "teams":
                run = body["attachments"][0]["content"]["body"][0]["inlines"][0]
                check(run["color"] == color, f"{kind}: {name}: colour", run["color"])


def test_digests(kind, channel, schema):
    rows = digests(channel["limit"])
    with Receiver([channel["ok"]]) as receiver:
        send(kind, receiver.url(channel["path"]), [row[1] for row in rows])
        check(len(receiver.requests) == len(rows), f"{kind}: digests: a request each", len(receiver.requests))
        for (name, given, usual), request in zip(rows, receiver.requests):
            _, readings = read(kind, channel, schema, name, request)
            tickets = [one["payload"]["ticket"] for one in given["payload"]["messages"]]
            for text, links in readings:
                has(text, [f"#{ticket['id']}" for ticket in tickets], f"{kind}: {name}: each ticket")
                has(text, [f"{len(tickets)} alerts at once"], f"{kind}: {name}: its title")
                if usual:
                    check(links == [ticket["link"] for ticket in tickets], f"{kind}: {name}: each link", links)
                    check(text.count("First response to") == len(tickets), f"{kind}: {name}: whole titles", text)
        two = digest([member(1, **BREACHED), {"key": "k2", "kind": "test", "payload": {}}, member(3, link=False)])
        send(kind, receiver.url(channel["path"]), [two])
        for text, links in read(kind, channel, schema, "a small digest", receiver.requests[-1])[1]:
            has(text, ["#1 overdue by 2 h", "Test message", "#3 due in 15 min"], f"{kind}: a small digest")
            check(links == ["https://desk.example.com/t/1"], f"{kind}: a small digest: links", links)


def test_answers(kind, channel):
    rows = channel["answers"] + COMMON_ANSWERS
    with Receiver([row[:3] for row in rows]) as receiver:
        results = send(kind, receiver.url(channel["path"]), [delivery("escalated", payload(), key=f"k{i}")
                                                             for i in range(len(rows))])
        check(len(results) == len(rows), f"{kind}: an outcome each", len(results))
        for (status, _, answer, outcome, after, error), result in zip(rows, results):
            got = (result["outcome"], result["retry_after"])
            fits = error in result.get("error", "") if error else "error" not in result
            check(got == (outcome, after) and fits, f"{kind}: {status} {answer[:60]!r}: {outcome}", result)


def test_refusals(kind, channel):
    broken = [delivery("escalated", given) for given in ([], "x", {}, {"ticket": []})] + [
        digest([{"key": "k1", "kind": "escalated"}]), digest([{"key": "k1", "kind": "digest", "payload": {}}])]
    with Receiver([channel["ok"]]) as receiver:
        results = send(kind, receiver.url(channel["path"]), broken)
        check([result["outcome"] for result in results] == ["refused"] * len(broken), f"{kind}: broken payloads",
              results)
        check(not receiver.requests, f"{kind}: nothing is sent of them", receiver.requests)
        url = receiver.url(channel["path"])
    results = send(kind, url, [delivery("escalated", payload())])
    check([result["outcome"] for result in results] == ["retry"], f"{kind}: nobody listens", results)
    error = results[0].get("error", "")
    check(error and "sig=x" not in error and "/B0/x" not in error, f"{kind}: the error, without the address", results)


def test_addresses():
    """Whom a contact's address stands for."""
    rows = [("slack", "@zoe", "channel", "@zoe"), ("ntfy", "zoe_1", "topic", "zoe_1"),
            ("ntfy", "zoe@example.com", "topic", "on-call_1")]
    for kind, address, name, expect in rows:
        channel = CHANNELS[kind]
        with Receiver([channel["ok"]]) as receiver:
            send(kind, receiver.url(channel["path"]), [delivery("escalated", payload(), address=address)])
            check(json.loads(receiver.requests[0][2])[name] == expect, f"{kind}: to {address}", receiver.requests)


def test_mentions():
    """No name calls a whole channel; an address in a text stays one."""
    channel = CHANNELS["slack"]
    with Receiver([channel["ok"]]) as receiver:
        send("slack", receiver.url(channel["path"]),
             [delivery("escalated", payload(org="@all (@here) é@channel", ticket={"assignee": "zoe@example.com"}))])
        text = json.loads(receiver.requests[0][2])["text"]
        check(not re.search("@(all|here|channel)", text), "slack: nobody is called by a name", text)
        has(text, ["zoe@example.com", "@\u200ball"], "slack: addresses in texts")


def test_settings():
    rows = [("ntfy", "https://ntfy.example.com", 2), ("ntfy", "https://ntfy.example.com/", 2),
            ("ntfy", "https://ntfy.example.com/a b", 2), ("ntfy", "https://ntfy.example.com/topic/", 2),
            ("ntfy", "https://ntfy.example.com/" + "t" * 65, 2), ("ntfy", "https://ntfy.example.com/t?x=1", 2),
            ("ntfy", "https://ntfy.example.com/" + "t" * 64, 0), ("ntfy", "https://example.com/ntfy/topic", 0),
            ("slack", "ftp://example.com/", 2), ("slack", "https://example.com", 0), ("teams", "nonsense", 2),
            ("teams", "https://example.com/?sig=x", 0)]
    for kind, url, status in rows:
        process = subprocess.run([SENDER, kind, url, NOW], input="", capture_output=True, text=True, timeout=60)
        check(process.returncode == status, f"{kind}: {url[:60]}: status {status}", process)


def main():
    for kind, channel in CHANNELS.items():
        schema = json.loads((HERE / "schemas" / f"{kind}.json").read_text())
        jsonschema.Draft7Validator.check_schema(schema)
        test_bodies(kind, channel, schema)
        test_digests(kind, channel, schema)
        test_answers(kind, channel)
        test_refusals(kind, channel)
    test_addresses()
    test_mentions()
    test_settings()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
