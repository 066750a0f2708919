#!/usr/bin/env python3
"""What stands between a milestone and people: 10,000 breaches at once, receivers that fail in every way, fallbacks, roles,
silences, the heartbeat.

SLATED_TICKETS: so many breaches instead of 10,000.
"""
import collections
import http.server
import os
import re
import socket
import threading
import time

from harness import run, wait_until

TICKETS = int(os.environ.get("SLATED_TICKETS", 10000))
PAGES_OUT_WITHIN = 90.0


class Sink:
    """A server on the loopback that keeps what it is sent, and answers as `answer(path, number of the request)` says:
    a status, a status and a body, or None to cut the connection."""

    def __init__(self, stack, answer=lambda path, n: 200):
        self.requests = []
        self.lock = threading.Lock()
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                with sink.lock:
                    sink.requests.append({"path": self.path, "time": time.time(), "body": body.decode(),
                                          "headers": {k.lower(): v for k, v in self.headers.items()}})
                    told = answer(self.path, len(sink.requests))
                if told is None:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                status, text = told if isinstance(told, tuple) else (told, "ok")
                self.send_response(status)
                if status == 429:
                    self.send_header("Retry-After", "1")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                try:
                    self.wfile.write(text.encode())
                except BrokenPipeError:
                    self.close_connection = True  # the daemon was stopped, or waits no longer

            do_POST = handle_one
            do_GET = handle_one

            def log_message(self, *args):
                """What is asked for is in `requests`."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        stack.callback(self.close)

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def of(self, path):
        with self.lock:
            return [r for r in self.requests if r["path"].startswith(path)]

    def url(self, path=""):
        return f"http://127.0.0.1:{self.port}{path}"


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def clear(bench):
    bench.db.run("UPDATE sla.ticket SET status = 'closed' WHERE status <> 'closed'")
    bench.db.wait("NOT EXISTS (SELECT FROM sla.clock WHERE ended_at IS NULL)", 60)


FLOOD = """
severities = ( {{ name = "critical"; }}, {{ name = "low"; }} );
escalations = {{ loud = ( {{ on = "breached"; notify = [ "chat", "pager" ]; }} ); }};
policies = ( {{ name = "gold"; escalation = "loud"; targets = ( {{ metric = "first_response"; within = "1h"; }} ); }} );
channels = {{ chat = {{ type = "slack"; url = "{chat}"; }};
    pager = {{ type = "pagerduty"; url = "{pager}"; routing_key_file = "secret"; }}; }};
links = {{ ticket = "https://desk.example.com/t/%{{external_id}}"; }};
"""


def test_flood(bench):
    sink = Sink(bench.stack, lambda path, n: (202, '{"status": "success"}') if path == "/pager" else (200, "ok"))
    daemon = bench.daemon(bench.write_config(FLOOD.format(chat=sink.url("/chat"), pager=sink.url("/pager"))))
    mark = bench.db.value("SELECT coalesce(max(id), 0) FROM sla.ticket")
    # All come due within one second, far enough ahead for the clocks to be there.
    bench.db.run(f"""INSERT INTO sla.ticket (external_id, org, plan, severity, opened_at) SELECT 'F' || n, 'Org ' || n % 50,
        'gold', 'critical', date_trunc('second', clock_timestamp()) + interval '25 seconds' - interval '1 hour'
        + n * interval '1 second' / {TICKETS} FROM generate_series(0, {TICKETS - 1}) n""")
    bench.db.wait(f"(SELECT count(*) FROM sla.clock WHERE ticket_id > {mark}) = {TICKETS}", 120)
    bench.db.wait(f"(SELECT count(*) FROM sla.milestone WHERE ticket_id > {mark} AND milestone = 'breached') = {TICKETS}", 120)
    due = bench.db.value(f"SELECT extract(epoch FROM max(due_at)) FROM sla.clock WHERE ticket_id > {mark}")
    bench.db.wait("NOT EXISTS (SELECT FROM sla.delivery WHERE channel = 'pager')", 180)
    wanted = {f"F{n}" for n in range(TICKETS)}

    def named(requests):
        return collections.Counter(name for r in requests for name in set(re.findall(r"\bF\d+\b", r["body"])))

    pages = sink.of("/pager")
    last = max(r["time"] for r in pages) - due
    bench.note(f"{TICKETS} pages in {len(pages)} messages, the last {last:.1f} s after the last breach")
    bench.check(last < PAGES_OUT_WITHIN, f"flood: all pages are out within {PAGES_OUT_WITHIN:g} s", f"{last:.1f} s")
    bench.equal(len(wanted - set(named(pages))), 0, "flood: the pages name all tickets")
    bench.db.wait("NOT EXISTS (SELECT FROM sla.delivery)", 400)
    chats = sink.of("/chat")
    bench.equal(len(wanted - set(named(chats))), 0, "flood: the chat's digests name all tickets")
    bench.equal(max(named(chats).values()), 1, "flood: each once")
    # When they were received, which a busy machine blurs; over all of them the rate holds.
    span = max(r["time"] for r in chats) - min(r["time"] for r in chats)
    bench.check(len(chats) - 1 <= span + 1, f"flood: the chat had {len(chats)} messages in {span:.1f} s, as its rate allows")
    bench.equal(bench.db.value(f"SELECT count(*) FROM sla.delivery_log WHERE ticket_id > {mark} AND state = 'delivered'"),
                2 * TICKETS, "flood: every delivery is recorded as delivered")
    clear(bench)
    bench.stopped(daemon)


TROUBLE = """
severities = ( {{ name = "critical"; }}, {{ name = "low"; }} );
escalations = {{ loud = ( {{ on = "at_risk"; notify = [ "ops" ]; }}, {{ on = "breached"; notify = [ "ops" ]; }} ); }};
policies = ( {{ name = "gold"; escalation = "loud"; targets = (
    {{ metric = "first_response"; within = "2s"; at_risk = [ "50%" ]; }} ); }} );
channels = {{ ops = {{ type = "webhook"; url = "{url}"; secret_file = "secret"; timeout = "2s"; }}; }};
"""


def test_trouble(bench):
    """429, 500, a cut connection, one that hangs, one that refuses TLS, and at last one that works, each for a while."""
    config = lambda url: bench.write_config(TROUBLE.format(url=url))
    busy = Sink(bench.stack, lambda path, n: 429)
    broken = Sink(bench.stack, lambda path, n: (500, "no"))
    cut = Sink(bench.stack, lambda path, n: None)
    receiver = bench.receiver()
    hanging = bench.receiver()
    daemon = bench.daemon(config(busy.url("/sla")))
    mark = bench.db.value("SELECT coalesce(max(id), 0) FROM sla.ticket")
    bench.db.run("INSERT INTO sla.ticket (plan, severity) SELECT 'gold', 'low' FROM generate_series(1, 5)")
    seen = []

    def errors(pattern):
        text = bench.db.value(f"SELECT string_agg(DISTINCT last_error, ' / ') FROM sla.delivery WHERE ticket_id > {mark}")
        return text and re.search(pattern, text) and (seen.append(pattern) or text)

    for name, url, pattern in (
            ("429", None, "HTTP 429"), ("500", broken.url("/sla"), "HTTP 500"), ("a cut connection", cut.url("/sla"),
             "[Ee]mpty reply|reset|[Rr]ecv failure|[Ss]end failure"), ("a hanging one", hanging.url("answer=hang"), "[Tt]ime"),
            ("no TLS", f"https://127.0.0.1:{receiver.port}/sla", "SSL|TLS")):
        if url:
            config(url)
            since = len(daemon.log.lines)
            daemon.signal(1)
            daemon.log.wait("^reloaded", since)
        wait_until(f"a failure because of {name}", lambda: errors(pattern), 60)
        bench.check(True, f"trouble: {name} is told of")
    config(receiver.url())
    since = len(daemon.log.lines)
    daemon.signal(1)
    daemon.log.wait("^reloaded", since)
    bench.db.wait("NOT EXISTS (SELECT FROM sla.delivery)", 120)
    got = collections.Counter(r["id"] for r in receiver.requests() if r["verified"])
    keys = {row["key"] for row in bench.db.rows(f"SELECT key FROM sla.delivery_log WHERE ticket_id > {mark}")}
    bench.equal(set(got), keys, f"trouble: all {len(keys)} deliveries arrived")
    bench.equal(set(got.values()), {1}, "trouble: each once")
    order = collections.defaultdict(list)
    for r in receiver.requests():
        order[r["data"]["ticket"]["id"]].append(r["time"])
    bench.check(all(times == sorted(times) for times in order.values()), "trouble: in order within each ticket", order)
    clear(bench)
    bench.stopped(daemon)


FALLBACK = """
severities = ( {{ name = "critical"; }}, {{ name = "low"; }} );
escalations = {{ loud = ( {{ on = "breached"; notify = [ "pager" ]; }} ); }};
policies = ( {{ name = "gold"; escalation = "loud"; targets = ( {{ metric = "first_response"; within = "1s"; }} ); }} );
channels = {{ pager = {{ type = "webhook"; url = "{pager}"; secret_file = "secret"; fallback = "lead"; }};
    lead = {{ type = "webhook"; url = "{lead}"; secret_file = "secret"; }}; }};
"""


def test_fallback(bench):
    """A page that the pager refuses for good goes to its fallback at once."""
    refusing = Sink(bench.stack, lambda path, n: (403, "no such service"))
    receiver = bench.receiver()
    daemon = bench.daemon(bench.write_config(FALLBACK.format(pager=refusing.url("/p"), lead=receiver.url())))
    ticket = bench.db.insert("ticket", plan="gold", severity="low", external_id="FB-1")
    bench.db.wait(f"(SELECT count(*) FROM sla.delivery_log WHERE ticket_id = {ticket}) = 2")
    rows = bench.db.rows(f"SELECT channel, state, payload ->> 'instead_of' AS instead_of FROM sla.delivery_log "
                         f"WHERE ticket_id = {ticket} ORDER BY channel")
    bench.equal(rows, [{"channel": "lead", "state": "delivered", "instead_of": "pager"},
                       {"channel": "pager", "state": "dead", "instead_of": None}], "fallback: told instead of the pager")
    bench.equal([r["verified"] for r in receiver.requests()], [True], "fallback: once")
    clear(bench)
    bench.stopped(daemon)


KEPT = """
severities = ( {{ name = "critical"; }}, {{ name = "low"; }} );
escalations = {{ loud = ( {{ on = "breached"; notify = [ "alerts" ]; }} ); }};
policies = ( {{ name = "gold"; escalation = "loud"; targets = ( {{ metric = "first_response"; within = "1s"; }} ); }} );
channels = {{ alerts = {{ type = "alertmanager"; url = "{url}"; }}; }};
"""


def test_kept(bench):
    """A channel that keeps what it was told has it again after a restart of the daemon, and after a reload."""
    sink = Sink(bench.stack)

    def named(since=0):
        return [r for r in sink.of("/api/v2/alerts")[since:] if '"KM-1"' in r["body"]]

    path = bench.write_config(KEPT.format(url=sink.url()))
    daemon = bench.daemon(path)
    ticket = bench.db.insert("ticket", plan="gold", severity="low", external_id="KM-1")
    bench.db.wait(f"(SELECT count(*) FROM sla.delivery_log WHERE ticket_id = {ticket}) = 1")
    bench.check(named(), "kept: the alert is sent")
    bench.stopped(daemon)
    mark = len(sink.of("/api/v2/alerts"))
    daemon = bench.daemon(path)
    wait_until("the alert after a restart", lambda: named(mark), 90)
    bench.check(True, "kept: and again by the next run of the daemon")
    mark = len(sink.of("/api/v2/alerts"))
    daemon.signal(1)
    wait_until("the alert after a reload", lambda: named(mark), 90)
    bench.check(True, "kept: and after a reload")
    bench.db.insert("reply", ticket_id=ticket, author="agent")
    bench.db.wait(f"(SELECT count(*) FROM sla.delivery_log WHERE ticket_id = {ticket}) = 2")
    bench.check(re.search(r'"endsAt"', named()[-1]["body"]), "kept: its end is sent")
    clear(bench)
    bench.stopped(daemon)


HEARTBEAT = """
policies = ( {{ name = "gold"; targets = ( {{ metric = "first_response"; within = "1h"; }} ); }} );
heartbeat = {{ url = "{url}"; every = "10s"; }};
"""


def test_heartbeat(bench):
    """Heard while all works; silent as soon as one part does not; heard again."""
    sink = Sink(bench.stack)
    bench.db.run("CREATE ROLE beating LOGIN; GRANT sla_daemon TO beating")
    daemon = bench.daemon(bench.write_config(HEARTBEAT.format(url=sink.url("/alive")), user="beating"))
    wait_until("a heartbeat", lambda: len(sink.of("/alive")) >= 1)
    bench.check(True, "heartbeat: heard while all works")
    bench.db.run("REVOKE UPDATE ON sla.delivery FROM sla_daemon")
    daemon.log.wait("no heartbeat")
    heard = len(sink.of("/alive"))
    bench.check("part=deliveries" in daemon.log.find("no heartbeat"), "heartbeat: the log says which part",
                daemon.log.find("no heartbeat"))
    bench.db.run("GRANT UPDATE ON sla.delivery TO sla_daemon")
    wait_until("another heartbeat", lambda: len(sink.of("/alive")) > heard)
    daemon.log.wait("the heartbeat is heard again")
    bench.check(True, "heartbeat: heard again")
    bench.stopped(daemon)


def test(bench):
    test_trouble(bench)
    test_fallback(bench)
    test_kept(bench)
    test_heartbeat(bench)
    test_flood(bench)


if __name__ == "__main__":
    run(test)
