#!/usr/bin/python3
"""The channels pagerduty and goalert against a receiver that checks each body with a schema written from the vendor's
documentation. Skipped without python3-jsonschema."""
import json
import pathlib
import sys

sys.dont_write_bytecode = True
from pager_bench import (ALERT, LINK, Receiver, Sender, acknowledged, at_risk, breached, delivery,  # noqa: E402
                         digest, late, many, met, run, test, withdrawn)

try:
    import jsonschema
except ImportError:
    print("skipped: no python3-jsonschema")
    sys.exit(77)

NOW = "2026-03-02T09:00:00Z"
KEY = "0123456789abcdef0123456789abcdef"
TOKEN = "9a4c3f10-0000-4000-8000-00000000cafe"
ACCEPTED = (202, {}, json.dumps({"status": "success", "message": "Event processed", "dedup_key": ALERT}))
LONG = "Müller & Söhne " * 200
SCHEMAS = {name: json.loads((pathlib.Path(__file__).parent / "schemas" / f"{name}.json").read_text())
           for name in ("pagerduty", "goalert")}


class Bench:
    """A receiver and a channel that sends to it."""

    def __init__(self, kind, timeout_ms=5000):
        self.kind = kind
        self.receiver = Receiver(ACCEPTED if kind == "pagerduty" else (204, {}, ""))
        path = "/v2/enqueue" if kind == "pagerduty" else f"/api/v2/generic/incoming?token={TOKEN}"
        self.path = path
        self.sender = Sender(kind, self.receiver.url + path, KEY if kind == "pagerduty" else "", timeout_ms)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.receiver.close()
        self.sender.close()

    def body(self):
        """The body of the next request, checked."""
        path, headers, raw = self.receiver.take()
        body = json.loads(raw)
        jsonschema.validate(body, SCHEMAS[self.kind])
        assert path == self.path and headers["Content-Type"] == "application/json", (path, headers)
        return body, len(raw)

    def tell(self, line):
        answer = self.sender.send({**line, "now": NOW})
        assert answer["outcome"] == "delivered" and "error" not in answer, answer
        return self.body()[0]

    def judge(self, answer):
        self.receiver.answers.append(answer)
        outcome = self.sender.send({**at_risk(), "now": NOW})
        assert KEY not in outcome.get("error", "") and TOKEN not in outcome.get("error", ""), outcome
        self.body()
        return outcome


def pagerduty_events():
    """pagerduty: one key from at risk to the end"""
    rows = [
        (at_risk(), "trigger", "warning", "First response to ACME #4711 due in 15 min (Critical, enterprise-gold)"),
        (breached(), "trigger", "critical", "First response to ACME #4711 overdue by 60 min (Critical, enterprise-gold)"),
        (acknowledged(), "acknowledge", None, None),
        (met(), "resolve", None, None),
        (late(), "resolve", None, None),
        (withdrawn(), "resolve", None, None),
    ]
    with Bench("pagerduty") as bench:
        for line, action, severity, summary in rows:
            event = bench.tell(line)
            assert (event["event_action"], event["dedup_key"], event["routing_key"]) == (action, ALERT, KEY), event
            if action != "trigger":
                assert set(event) == {"event_action", "dedup_key", "routing_key"}, event
                continue
            told = event["payload"]
            assert (told["severity"], told["summary"], told["timestamp"]) == (severity, summary, NOW), told
            assert (told["source"], told["group"], told["component"], told["class"]) == (
                "ACME #4711", "ACME", "gold", "first_response"), told
            assert told["custom_details"]["Sent to"] == "pager, lead" and "For" not in told["custom_details"], told
            assert event["client"] == "slated" and event["client_url"] == LINK, event
            assert event["links"] == [{"href": LINK, "text": "The ticket"}], event


def pagerduty_test():
    """pagerduty: a test has a key of its own and is marked"""
    with Bench("pagerduty") as bench:
        event = bench.tell(test())
        told = event["payload"]
        assert event["dedup_key"] == "sla-test-1" and event["event_action"] == "trigger", event
        assert told["severity"] == "info" and told["class"] == "test" and told["source"] == "test-1", told
        assert told["custom_details"]["Test"] is True and told["summary"].startswith("Test message"), told
        assert "links" not in event, event


def pagerduty_person():
    """pagerduty: the event says for whom it is"""
    with Bench("pagerduty") as bench:
        event = bench.tell({**at_risk(), "address": "jane@example.com"})
        assert event["payload"]["custom_details"]["For"] == "jane@example.com", event


def pagerduty_lengths():
    """pagerduty: long names are cut between characters, a long link is left out"""
    with Bench("pagerduty") as bench:
        event = bench.tell(at_risk(ticket={"org": LONG, "plan": LONG, "link": LINK + "x" * 2000}))
        summary = event["payload"]["summary"]
        assert summary.endswith("…") and 1018 <= len(summary.encode()) <= 1024, len(summary.encode())
        assert "links" not in event and "client_url" not in event, event
        assert bench.tell(at_risk(alert="k" * 255))["dedup_key"] == "k" * 255
        answer = bench.sender.send({**at_risk(alert="k" * 256), "now": NOW})
        assert answer == {"key": "sla-7-1", "error": "Bad message"}, answer
        assert bench.receiver.requests.empty()


def pagerduty_digest():
    """pagerduty: a digest at its limit names every ticket and keeps within 512 KB"""
    with Bench("pagerduty") as bench:
        members = many(240, *['"\\' * 1000] * 2)
        answer = bench.sender.send({**digest(members), "now": NOW})
        assert answer["outcome"] == "delivered", answer
        event, size = bench.body()
        listed = event["payload"]["custom_details"]["Alerts"]
        assert [m["ticket_id"] for m in listed] == [str(i) for i in range(1000, 1240)]
        assert size <= 512000 and event["dedup_key"] == "sla-digest-1", size
        event = bench.tell(digest([at_risk(), breached(), late()]))
        told = event["payload"]
        assert told["severity"] == "critical" and told["summary"].startswith("3 alerts at once: 1 overdue"), told
        assert [m["ticket"] for m in told["custom_details"]["Alerts"]] == ["ACME #4711"] * 3, told
        assert told["custom_details"]["Alerts"][0]["link"] == LINK, told


def pagerduty_answers():
    """pagerduty: what its answers mean"""
    invalid = '{"status": "invalid event", "message": "Event object is invalid"}'
    rows = [
        (ACCEPTED, "delivered", 0, None),
        ((202, {}, invalid), "dead", 0, "invalid event"),
        ((202, {}, "welcome"), "retry", 0, "HTTP 202: welcome"),
        ((200, {}, "<html>please log in</html>"), "retry", 0, "HTTP 200: <html>"),
        ((400, {}, invalid), "dead", 0, "HTTP 400: " + invalid),
        ((403, {}, ""), "dead", 0, "HTTP 403"),
        ((429, {"Retry-After": "7"}, ""), "retry", 7, "HTTP 429"),
        ((500, {}, ""), "retry", 0, "HTTP 500"),
        ((503, {"Retry-After": "30"}, "later"), "retry", 30, "HTTP 503: later"),
        ((302, {"Location": "http://127.0.0.1:1/"}, ""), "dead", 0, "HTTP 302"),
    ]
    with Bench("pagerduty") as bench:
        for answer, outcome, retry_after, error in rows:
            end = bench.judge(answer)
            assert (end["outcome"], end["retry_after"]) == (outcome, retry_after), (answer, end)
            assert end.get("error") is None if error is None else error in end["error"], (answer, end)


def goalert_alerts():
    """goalert: one key from at risk to closed; an acknowledgement is nothing to send"""
    rows = [
        (at_risk(), None, "First response to ACME #4711 due in 15 min (Critical, enterprise-gold)"),
        (breached(), None, "First response to ACME #4711 overdue by 60 min (Critical, enterprise-gold)"),
        (met(), "close", "First response to ACME #4711 met in time (Critical, enterprise-gold)"),
        (late(), "close", "First response to ACME #4711 met 60 min late (Critical, enterprise-gold)"),
        (withdrawn(), "close", "First response to ACME #4711 no longer promised: solved (Critical, enterprise-gold)"),
    ]
    with Bench("goalert") as bench:
        for line, action, summary in rows:
            body = bench.tell(line)
            assert (body["dedup"], body.get("action"), body["summary"]) == (ALERT, action, summary), body
            assert body["details"].startswith(LINK + "\n\n- Ticket: ACME #4711\n"), body
            assert "- Sent to: pager, lead\n" in body["details"] and "- For:" not in body["details"], body
        assert bench.sender.send({**acknowledged(), "now": NOW})["outcome"] == "delivered"
        assert bench.sender.send({**acknowledged(), "op": "cancel"}) == {"key": "sla-7-1"}
        body = bench.tell({**test(), "address": "jane@example.com"})
        assert body["dedup"] == "sla-test-1" and body["summary"].startswith("Test message"), body
        assert "- For: jane@example.com\n" in body["details"], body
        assert bench.receiver.requests.empty()


def goalert_lengths():
    """goalert: long names are cut between characters"""
    with Bench("goalert") as bench:
        more = {"org": LONG, "plan": LONG, "assignee": LONG, "team": LONG, "link": LINK + "x" * 1000}
        body = bench.tell(at_risk(ticket=more))
        assert body["summary"].endswith("…") and 1018 <= len(body["summary"].encode()) <= 1024, body
        assert len(body["details"].encode()) <= 6144 and "- Sent to: pager, lead\n" in body["details"], body
        assert bench.tell(at_risk(alert="k" * 512))["dedup"] == "k" * 512
        answer = bench.sender.send({**at_risk(alert="k" * 513), "now": NOW})
        assert answer == {"key": "sla-7-1", "error": "Bad message"}, answer


def goalert_digest():
    """goalert: a digest at its limit names every ticket"""
    with Bench("goalert") as bench:
        for org, plan, form in (("ACME", "gold", "ACME #{} due in"), (LONG, LONG, " (ticket {})")):
            body = bench.tell(digest(many(48, org, plan)))
            lines = body["details"].splitlines()
            assert len(body["details"].encode()) <= 6144 and len(lines) == 48, len(lines)
            for i, line in enumerate(lines):
                assert form.format(1000 + i) in line, line


def goalert_answers():
    """goalert: what its answers mean"""
    rows = [
        ((204, {}, ""), "delivered", 0, None),
        ((200, {}, '{"AlertID": 10, "IsNew": true}'), "delivered", 0, None),
        ((200, {}, "<!doctype html>"), "retry", 0, "HTTP 200: <!doctype html>"),
        ((400, {}, "Bad Request"), "dead", 0, "HTTP 400: Bad Request"),
        ((401, {}, "unauthorized"), "dead", 0, "HTTP 401: unauthorized"),
        ((429, {"Retry-After": "7"}, ""), "retry", 7, "HTTP 429"),
        ((500, {}, "oops"), "retry", 0, "HTTP 500: oops"),
    ]
    with Bench("goalert") as bench:
        for answer, outcome, retry_after, error in rows:
            end = bench.judge(answer)
            assert (end["outcome"], end["retry_after"]) == (outcome, retry_after), (answer, end)
            assert end.get("error") is None if error is None else error in end["error"], (answer, end)


def silence():
    """both: a receiver that hangs up or says nothing, an attempt that is cancelled, a payload that is nonsense"""
    for kind in ("pagerduty", "goalert"):
        with Bench(kind, timeout_ms=300) as bench:
            assert bench.judge((0, {}, ""))["outcome"] == "retry"
            assert bench.judge((None, {}, ""))["outcome"] == "retry"
            assert bench.sender.send({**at_risk(), "op": "cancel"}) == {"key": "sla-7-1"}
            answer = bench.sender.send(delivery("escalated", {"ticket": "none"}))
            assert answer == {"key": "sla-7-1", "error": "Bad message"}, answer


run([pagerduty_events, pagerduty_test, pagerduty_person, pagerduty_lengths, pagerduty_digest, pagerduty_answers,
     goalert_alerts, goalert_lengths, goalert_digest, goalert_answers, silence])
