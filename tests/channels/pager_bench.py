"""What the tests of pagers share: deliveries, a receiver that answers as it is told, and the sending program."""
import http.server
import json
import queue
import subprocess
import sys
import threading
import traceback

DEADLINE_S = 20
ALERT = "sla-7-first_response-1"
LINK = "https://desk.example.com/t/4711"


def payload(milestone, severity="warning", ticket=None, alert=ALERT, clock=None, **more):
    """As the ledger writes it."""
    facts = {"id": 7, "external_id": "4711", "org": "ACME", "plan": "enterprise-gold", "severity": "critical",
             "link": LINK, "assignee": "jane", "team": "night"}
    words = {"state": "running", "due_at": "2026-03-02T09:15:00Z", "target": "first response within 1h",
             "policy": "gold", "severity": "critical"}
    return {"ticket": {**facts, **(ticket or {})},
            "milestone": {"at": "2026-03-02T09:00:00Z", "metric": "first_response", "severity": "critical", **milestone},
            "clock": {**words, **(clock or {})}, "alert": {"key": alert, "state": "open", "severity": severity},
            "notified": ["pager", "lead"], **more}


def delivery(kind, body, key="sla-7-1", at="2026-03-02T09:00:00Z", **more):
    return {"op": "send", "key": key, "kind": kind, "at": at, "payload": body, **more}


def at_risk(**more):
    return delivery("escalated", payload({"milestone": "escalated", "trigger": "75%"}, **more))


def breached(**more):
    return delivery("escalated", payload({"milestone": "escalated", "trigger": "breached"}, "critical",
                                         clock={"state": "breached", "due_at": "2026-03-02T08:00:00Z"}, **more))


def met(**more):
    return delivery("resolved", payload({"milestone": "met"}, **more))


def late(**more):
    return delivery("resolved", payload({"milestone": "met", "late_by": 3600}, **more))


def withdrawn(**more):
    return delivery("resolved", payload({"milestone": "withdrawn", "reason": "solved"}, **more))


def acknowledged(**more):
    body = payload({}, ack={"by": "jane", "until": "2026-03-02T11:00:00+00:00"}, **more)
    del body["clock"], body["notified"], body["alert"]["severity"]
    return delivery("acknowledged", body)


def test(**more):
    return delivery("test", {"test": {"by": "root"}}, key="sla-test-1", **more)


def digest(members, key="sla-digest-1"):
    return delivery("digest", {"messages": [{"key": f"sla-{i}", "kind": m["kind"], "payload": m["payload"]}
                                            for i, m in enumerate(members)]}, key=key)


def many(n, org="ACME", plan="gold", first=1000):
    """As many alerts, each of a ticket of its own."""
    return [at_risk(ticket={"id": i, "external_id": str(i), "org": org, "plan": plan}, alert=f"sla-{i}-first_response-1")
            for i in range(first, first + n)]


class Sender:
    """The program with one channel."""

    def __init__(self, kind, url, secret="", timeout_ms=5000, interval_ms=60000):
        command = ["./tests/channels/send_pager", kind, url, secret, str(timeout_ms), str(interval_ms)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def start(self, line):
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()

    def send(self, line):
        self.start(line)
        answer = self.lines.get(timeout=DEADLINE_S)
        assert answer["key"] == line["key"], answer
        return answer

    def close(self):
        self.process.stdin.close()
        status = self.process.wait(timeout=DEADLINE_S)
        assert status == 0, f"the sender ended with {status}"


class Receiver(http.server.ThreadingHTTPServer):
    """Gives the next of `answers`, (status, headers, body), or the usual one, to each POST, which it keeps. A status
    of 0 closes the connection, one of None never answers."""
    daemon_threads = True

    def __init__(self, usual):
        self.usual, self.answers, self.requests = usual, [], queue.Queue()
        self.silence = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self):
        """The next request: path, headers, body."""
        return self.requests.get(timeout=DEADLINE_S)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def close(self):
        self.silence.set()
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.server.answers.pop(0) if self.server.answers else self.server.usual
        if callable(answer):
            answer = answer(body)
        status, headers, text = answer
        self.server.requests.put((self.path, self.headers, body))
        if status is None:
            self.server.silence.wait()
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args):
        pass


def run(cases):
    """Runs each; prints what failed and why."""
    failed = 0
    for case in cases:
        try:
            case()
            print(f"ok: {case.__doc__.strip()}")
        except Exception:  # noqa: a failed case must not hide the others
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print(f"FAILED: {case.__doc__.strip()}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
