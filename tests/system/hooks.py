#!/usr/bin/env python3
"""Hooks of reassessment rules: what they are given, what becomes of their answers, and of those that give none."""
import http.server
import json
import threading

from harness import run, wait_until, webhook

CONFIG = """
severities = ( {{ name = "critical"; aliases = [ "S1" ]; }}, {{ name = "high"; }}, {{ name = "low"; }} );
policies = ( {{ name = "quick"; match = {{ category = [ "back", "later" ]; }}; targets = ( {{ metric = "first_response"; within = "2s"; }} ); }},
    {{ name = "all"; escalation = "loud"; targets = ( {{ metric = "first_response"; within = "1h"; }},
    {{ metric = "assessment"; within = "1h"; }} ); }} );
escalations = {{ loud = ( {{ on = "reassessed"; notify = [ "ops" ]; }} ); }};
reassessments = ( {rules} );
channels = {{ {channels} }};
"""
# $1 is the case. What it leaves in the folder tells what it was given and when it ran.
HOOK = r"""#!/bin/sh
cd "$(dirname "$0")" || exit 9
input=$(cat)
case $1 in
good) printf '%s' "$input" >input; env >environment; echo "some warning" >&2
	printf '%s\n' '{"severity": "S1", "reason": " All are \n down. ", "more": [ 1 ]}' ;;
brief) echo '{"severity": "critical"}' ;;
back) echo '{"severity": "high"}' ;;
same) echo '{"severity": "HIGH"}' ;;
empty) echo '{}' ;;
nothing) ;;
slow) sleep 600 & echo "$$ $!" >slow.new; mv slow.new slow; wait ;;
group) trap '' TERM; (trap '' TERM; sleep 600) & echo "$$ $!" >group.new; mv group.new group; wait; wait ;;
garbage) echo 'severity: critical' ;;
list) echo '["critical"]' ;;
huge) head -c 70000 /dev/zero | tr '\0' ' '; echo '{"severity": "critical"}' ;;
most) printf '{"severity": "critical", "reason": "'; head -c 65000 /dev/zero | tr '\0' 'x'; printf '"}' ;;
unknown) echo '{"severity": "urgent"}' ;;
number) echo '{"severity": 1}' ;;
reason) echo '{"severity": "critical", "reason": 5}' ;;
exit) echo '{"severity": "critical"}'; exit 1 ;;
signal) kill -9 $$ ;;
many) echo + >>many; sleep 0.3; echo - >>many; echo '{}' ;;
wait) : >waiting; while ! [ -e go ]; do sleep 0.05; done; echo '{"severity": "critical"}' ;;
crash) echo "$input" >>crash; [ -e crashed ] || { : >crashed; while [ -e crashed ]; do sleep 0.1; done; }; echo '{"severity": "low", "reason": "At last."}' ;;
esac
"""
FAILURES = {
    "nothing": "the answer is empty",
    "slow": "no answer within 1 s",
    "garbage": "the answer is no JSON: severity: critical",
    "list": "the answer is no JSON object",
    "huge": "the answer is longer than 64 KiB",
    "unknown": "the configuration has no such severity: urgent",
    "number": "the answer's severity is no string",
    "reason": "the answer's reason is no string",
    "exit": 'exit status 1: {"severity": "critical"}',
    "signal": "killed by signal 9",
    "missing": "cannot be started: No such file or directory",
    "http-503": "HTTP 503: not now",
    "http-text": "the answer is no JSON: critical, I'd say",
    "http-huge": "the answer is longer than 64 KiB",
    "http-refused": None,
}
HTTP_ANSWERS = {
    "/good": (200, '{"severity": "critical", "reason": "Asked the others."}'),
    "/empty": (200, "{}"),
    "/503": (503, "not now"),
    "/text": (200, "critical, I'd say"),
    "/huge": (200, " " * 70000 + "{}"),
}


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Answers as the path says, and keeps what came."""
    requests = []

    def do_POST(self):  # pylint: disable=invalid-name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append((self.path, self.headers["Content-Type"], json.loads(body)))
        status, text = HTTP_ANSWERS[self.path]
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def rule(name, action, on="opened", timeout="20s"):
    return (f'{{ name = "{name}"; on = [ "{on}" ]; match = {{ category = "{name}"; }}; {action}; timeout = "{timeout}"; '
            'reason = "The hook said so."; }')


def rules(bench, port):
    program = bench.folder / "hook"
    names = ("good brief same empty nothing garbage list huge most unknown number reason exit signal many wait crash").split()
    found = [rule(name, f'hook = [ "{program}", "{name}" ]') for name in names]
    found += [rule(name, f'hook = [ "{program}", "{name}" ]', timeout="1s") for name in ("slow", "group")]
    found += ['{ name = "graver"; on = "breached"; match = { category = "back"; }; set = "+1"; reason = "Late."; }',
              rule("back", f'hook = [ "{program}", "back" ]', on="breached"), rule("later", f'hook = [ "{program}", "wait" ]'),
              '{ name = "late"; on = "breached"; match = { category = "later"; }; set = "critical"; reason = "Late."; }',
              '{ name = "lighter"; on = "severity_changed"; match = { category = "later"; severity = "critical"; }; set = "low"; '
              'reason = "Not that grave."; }']
    found += [rule("disputed", f'hook = [ "{program}", "brief" ]', on="dispute"),
              rule("missing", f'hook = [ "{bench.folder}/nowhere" ]'),
              rule("http-refused", 'hook_url = "http://127.0.0.1:9/"')]
    found += [rule(f"http-{name[1:]}", f'hook_url = "http://127.0.0.1:{port}{name}"') for name in HTTP_ANSWERS]
    return ", ".join(found)


def open_ticket(bench, category, **more):
    return bench.db.insert("ticket", severity="high", category=category, **more)


def outcome(bench, ticket):
    bench.db.wait(f"EXISTS (SELECT FROM sla.reassessment WHERE ticket_id = {ticket} AND outcome IS NOT NULL)")
    return bench.db.rows("SELECT rule, former, severity, reason, outcome, by, called_by, disputed, hook, failure "
                         f"FROM sla.reassessment WHERE ticket_id = {ticket}")


def severity_events(bench, ticket):
    return bench.db.rows(f"SELECT severity, by, reason, late FROM sla.event WHERE ticket_id = {ticket} AND kind = 'severity'")


def is_alive(pid):
    """Whether it is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_answers(bench, receiver):
    db = bench.db
    ticket = open_ticket(bench, "good", external_id="A-1", org="ACME", attributes='{"impact": "high"}')
    bench.equal(outcome(bench, ticket), [{
        "rule": "good", "former": "high", "severity": "critical", "reason": "All are down.", "outcome": "applied", "by": "system",
        "called_by": "opened", "disputed": False, "hook": True, "failure": None}], "good: the answer is in sla.reassessment")
    bench.equal(severity_events(bench, ticket), [{"severity": "critical", "by": "system", "reason": "All are down.", "late": False}],
                "good: an event by the system, with the hook's reason, a severity by its configured name")
    given = json.loads((bench.folder / "input").read_text())
    bench.equal({k: given.get(k) for k in ("rule", "called_by", "disputed")},
                {"rule": "good", "called_by": "opened", "disputed": False}, "good: told which rule called and why")
    bench.equal({k: given["ticket"].get(k) for k in ("id", "external_id", "org", "severity", "status", "attributes")},
                {"id": ticket, "external_id": "A-1", "org": "ACME", "severity": "high", "status": "open",
                 "attributes": {"impact": "high"}}, "good: given the ticket's facts")
    names = {line.split("=")[0] for line in (bench.folder / "environment").read_text().splitlines()}
    bench.equal(names - {"PWD", "OLDPWD", "_", "SHLVL"}, {"PATH", "LANG"}, "good: its environment has nothing of the daemon's")
    receiver.wait("the alert", lambda requests: any(r["data"]["milestone"]["trigger"] == "reassessed:1" for r in requests))
    bench.check(True, "good: the change is an alert")

    ticket = open_ticket(bench, "brief")
    bench.equal(outcome(bench, ticket)[0]["reason"], "The hook said so.", "brief: the rule's reason where the hook gives none")
    ticket = open_ticket(bench, "most")
    bench.equal(len(outcome(bench, ticket)[0]["reason"]), 1000, "most: nearly 64 KiB are taken, a long reason is cut")
    for name in "empty", "same", "http-empty":
        ticket = open_ticket(bench, name)
        bench.equal(outcome(bench, ticket)[0]["outcome"], "unchanged", f"{name}: nothing changes")
        bench.equal(severity_events(bench, ticket), [], f"{name}: no event")
    ticket = open_ticket(bench, "disputed")
    db.insert("dispute", ticket_id=ticket, reason="worse than you think")
    bench.equal([(r["called_by"], r["disputed"], r["outcome"]) for r in outcome(bench, ticket)], [("dispute", True, "applied")],
                "disputed: recorded as such")
    ticket = open_ticket(bench, "http-good")
    bench.equal([(r["severity"], r["reason"], r["outcome"]) for r in outcome(bench, ticket)],
                [("critical", "Asked the others.", "applied")], "http: the answer is applied")
    path, form, body = next(r for r in Endpoint.requests if r[0] == "/good")
    bench.equal((form, body["ticket"]["id"], body["rule"]), ("application/json", ticket, "http-good"), "http: the ticket as JSON")


def test_failures(bench, daemon):
    tickets = {name: open_ticket(bench, name) for name in FAILURES}
    for name, failure in FAILURES.items():
        found = outcome(bench, tickets[name])[0]
        bench.equal((found["outcome"], found["severity"]), ("failed", None), f"{name}: failed")
        bench.check(failure is None and found["failure"].startswith("no answer: ") or found["failure"] == failure,
                    f"{name}: says why", found["failure"])
        bench.check(daemon.log.wait(f"hook failed.*rule={name} "), f"{name}: logged")
    ids = ", ".join(map(str, tickets.values()))
    bench.equal(bench.db.value(f"SELECT count(*) FROM sla.event WHERE ticket_id IN ({ids}) AND kind <> 'opened'"), 0,
                "failures: no ticket has changed")
    bench.check(daemon.log.find(f"hook failed.*failures={len(FAILURES)}$"), "failures: counted")


def test_groups(bench):
    ticket = open_ticket(bench, "group")
    pids = [int(pid) for name in ("slow", "group")
            for pid in wait_until(name, lambda n=name: (bench.folder / n).exists()) and (bench.folder / name).read_text().split()]
    bench.equal(outcome(bench, ticket)[0]["failure"], "no answer within 1 s", "group: failed, though it heeds no SIGTERM")
    wait_until("the programs' end", lambda: not any(is_alive(pid) for pid in pids))
    bench.equal(len(pids), 4, "group: killed with what they had started")


def test_four(bench):
    for _ in range(11):
        ticket = open_ticket(bench, "many")
    bench.db.wait("(SELECT count(*) FROM sla.reassessment WHERE rule = 'many' AND outcome = 'unchanged') = 11")
    running, most = 0, 0
    for line in (bench.folder / "many").read_text().split():
        running += 1 if line == "+" else -1
        most = max(most, running)
    bench.equal((running, most), (0, 4), "many: four at once, not more")
    del ticket


def test_overtaken(bench):
    ticket = open_ticket(bench, "wait")
    wait_until("the hook", lambda: (bench.folder / "waiting").exists())
    bench.db.run(f"UPDATE sla.ticket SET severity = 'low' WHERE id = {ticket}")
    (bench.folder / "go").touch()
    bench.equal(outcome(bench, ticket)[0]["outcome"], "overtaken", "overtaken: somebody has set the severity meanwhile")
    bench.equal(bench.db.value(f"SELECT severity FROM sla.ticket WHERE id = {ticket}"), "low", "overtaken: and it stands")


def test_back(bench):
    """A hook takes back what a rule has set, and both are written to the ticket together."""
    ticket = open_ticket(bench, "back")
    writer = bench.session()
    bench.db.wait(f"EXISTS (SELECT FROM sla.clock WHERE ticket_id = {ticket})")
    writer.run(f"BEGIN; SELECT FROM sla.ticket WHERE id = {ticket} FOR UPDATE")
    bench.db.wait(f"(SELECT count(severity) FROM sla.reassessment WHERE ticket_id = {ticket}) = 2")
    writer.run("COMMIT")
    bench.db.wait(f"(SELECT count(*) FROM sla.reassessment WHERE ticket_id = {ticket} AND outcome = 'applied') = 2")
    bench.db.wait_applied(ticket)
    bench.equal(bench.db.rows(f"SELECT severity, by_rule FROM sla.event WHERE ticket_id = {ticket} AND kind = 'severity' "
                              "ORDER BY seq"), [{"severity": "critical", "by_rule": True}, {"severity": "high", "by_rule": None}],
                "back: each is an event")
    bench.equal(bench.db.rows("SELECT t.severity AS ticket, s.severity AS daemon FROM sla.ticket t JOIN sla.ticket_state s "
                              f"ON s.ticket_id = t.id WHERE t.id = {ticket}"), [{"ticket": "high", "daemon": "high"}],
                "back: the ticket and the daemon have the same severity")


def test_later(bench):
    """Rules decide after a hook has answered, and all of it is written to the ticket together: the hook's answer is the older."""
    for name in "waiting", "go":
        (bench.folder / name).unlink()
    ticket = open_ticket(bench, "later")
    writer = bench.session()
    wait_until("the hook", lambda: (bench.folder / "waiting").exists())
    writer.run(f"BEGIN; SELECT FROM sla.ticket WHERE id = {ticket} FOR UPDATE")
    (bench.folder / "go").touch()
    bench.db.wait(f"(SELECT count(severity) FROM sla.reassessment WHERE ticket_id = {ticket}) = 3")
    writer.run("COMMIT")
    bench.db.wait(f"NOT EXISTS (SELECT FROM sla.reassessment WHERE ticket_id = {ticket} AND outcome IS NULL)")
    bench.equal([(r["rule"], r["severity"], r["outcome"]) for r in outcome(bench, ticket)],
                [("later", "critical", "overtaken"), ("late", "critical", "applied"), ("lighter", "low", "applied")],
                "later: what rules decide after a hook was asked stands")
    bench.db.wait_applied(ticket)
    bench.equal(bench.db.rows("SELECT t.severity AS ticket, s.severity AS daemon FROM sla.ticket t JOIN sla.ticket_state s "
                              f"ON s.ticket_id = t.id WHERE t.id = {ticket}"), [{"ticket": "low", "daemon": "low"}],
                "later: on the ticket and in the daemon")


def test_crash(bench, daemon, path):
    ticket = open_ticket(bench, "crash")
    wait_until("the hook", lambda: (bench.folder / "crashed").exists())
    daemon.kill()
    daemon = bench.daemon(path)
    bench.equal([(r["severity"], r["reason"], r["outcome"]) for r in outcome(bench, ticket)], [("low", "At last.", "applied")],
                "crash: the next run asks once more")
    given = [json.loads(line) for line in (bench.folder / "crash").read_text().splitlines()]
    bench.check(len(given) == 2 and given[0] == given[1], "crash: and gives the same", given)
    return daemon


def test_gone(bench, daemon, path):
    """A rule that the next run's configuration has no more."""
    (bench.folder / "crashed").unlink()
    ticket = open_ticket(bench, "crash")
    wait_until("the hook", lambda: (bench.folder / "crashed").exists())
    daemon.kill()
    text = path.read_text()
    path.write_text(text.replace('name = "crash"', 'name = "other"'))
    daemon = bench.daemon(path)
    bench.equal(outcome(bench, ticket)[0]["failure"], "the configuration has no such rule with a hook any more", "gone: failed")
    return daemon


def test(bench):
    program = bench.folder / "hook"
    program.write_text(HOOK)
    program.chmod(0o755)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    bench.stack.callback(server.server_close)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    bench.stack.callback(server.shutdown)
    receiver = bench.receiver()
    path = bench.write_config(CONFIG.format(channels=webhook("ops", receiver.url()), rules=rules(bench, server.server_port)))
    daemon = bench.daemon(path)
    test_answers(bench, receiver)
    test_failures(bench, daemon)
    test_groups(bench)
    test_four(bench)
    test_overtaken(bench)
    test_back(bench)
    test_later(bench)
    daemon = test_crash(bench, daemon, path)
    daemon = test_gone(bench, daemon, path)
    bench.equal(bench.db.value("SELECT count(*) FROM sla.event WHERE refused IS NOT NULL"), 0, "no event was refused")
    for name in "crash", "crashed":
        (bench.folder / name).unlink(missing_ok=True)
    bench.stopped(daemon)


if __name__ == "__main__":
    run(test)
