#!/usr/bin/env python3
"""The channel alertmanager against a real one: what fires, what is resolved, what comes back after a restart of either
side; and against a receiver for what a real one does not do by itself. Skipped without prometheus-alertmanager."""
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

sys.dont_write_bytecode = True
from pager_bench import (ALERT, DEADLINE_S, LINK, Receiver, Sender, acknowledged, at_risk, breached, digest,  # noqa: E402
                         late, many, run, test, withdrawn)

PROGRAM = "prometheus-alertmanager"
CONFIG = "route: { receiver: nobody }\nreceivers: [ { name: nobody } ]\n"
INTERVAL_MS = 500
LABELS = {"alertname": "SLA", "alert": ALERT, "ticket": "ACME #4711", "ticket_id": "7", "org": "ACME",
          "plan": "enterprise-gold", "metric": "first_response", "policy": "gold"}

if shutil.which(PROGRAM) is None:
    print(f"skipped: no {PROGRAM}")
    sys.exit(77)


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def ago(seconds):
    return (datetime.now(timezone.utc) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Alertmanager:
    """A real one on a folder of its own."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        (self.folder / "am.yml").write_text(CONFIG)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        self.start()

    def start(self):
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        # An empty address for the cluster, or it opens a port to everybody.
        self.process = subprocess.Popen(
            [PROGRAM, f"--config.file={self.folder}/am.yml", f"--storage.path={self.folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait(self.ready, "ready")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.folder)

    def ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def alerts(self):
        """Those that have not ended."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=5) as answer:
            return sorted(json.load(answer), key=lambda a: a["labels"]["alert"])

    def wait(self, condition, what):
        """Until the condition holds; there is no event to wait for, so it is asked again and again."""
        end = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < end, f"not {what} in time"
            time.sleep(0.02)


class Bench:
    def __init__(self, interval_ms=INTERVAL_MS):
        self.am = Alertmanager()
        self.interval_ms = interval_ms
        self.sender = Sender("alertmanager", self.am.url + "/", interval_ms=interval_ms)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.sender.close()
        self.am.close()

    def tell(self, line, seconds_ago=10):
        answer = self.sender.send({**line, "at": ago(seconds_ago)})
        assert answer["outcome"] == "delivered" and "error" not in answer, answer

    def one(self):
        alerts = self.am.alerts()
        assert len(alerts) == 1, alerts
        return alerts[0]

    def gone(self):
        self.am.wait(lambda: self.am.alerts() == [], "resolved")

    def restart_sender(self):
        self.sender.close()
        self.sender = Sender("alertmanager", self.am.url + "/", interval_ms=self.interval_ms)


def life():
    """one alert from at risk to its end: the labels stay, the annotations tell"""
    with Bench(interval_ms=60000) as bench:
        bench.tell(at_risk(), 30)
        alert = bench.one()
        assert alert["labels"] == LABELS, alert
        assert alert["annotations"]["severity"] == "warning" and alert["generatorURL"] == LINK, alert
        assert alert["annotations"]["ticket_severity"] == "Critical", alert
        assert alert["annotations"]["sent_to"] == "pager, lead" and alert["status"]["state"] == "active", alert
        ahead = instant(alert["endsAt"]) - datetime.now(timezone.utc)
        assert timedelta(seconds=230) < ahead <= timedelta(seconds=240), ahead
        first = alert
        bench.tell(breached(ticket={"plan": "basic", "severity": "high"}), 20)
        alert = bench.one()
        assert (alert["labels"], alert["startsAt"]) == (LABELS, first["startsAt"]), alert
        assert alert["annotations"]["severity"] == "critical" and alert["annotations"]["plan"] == "basic", alert
        bench.tell(acknowledged())
        alert = bench.one()
        assert alert["annotations"]["acknowledged"] == "ACME #4711 acknowledged by jane", alert
        assert alert["annotations"]["severity"] == "critical" and alert["labels"] == LABELS, alert
        bench.tell(late(), 0)
        assert bench.am.alerts() == []
        bench.tell(at_risk(), 0)
        assert instant(bench.one()["startsAt"]) > instant(first["startsAt"]), "what fires anew starts anew"
        bench.tell(withdrawn(), 0)
        assert bench.am.alerts() == []


def kept():
    """an open alert is sent again before it ends, an ended one is not"""
    with Bench() as bench:
        bench.tell(at_risk())
        first = bench.one()
        # Beyond the time at which it would have ended by itself.
        limit = instant(first["endsAt"]) + timedelta(milliseconds=INTERVAL_MS)
        bench.am.wait(lambda: datetime.now(timezone.utc) > limit, "over")
        bench.am.wait(lambda: [a for a in bench.am.alerts() if instant(a["endsAt"]) > limit], "sent again")
        assert bench.one()["startsAt"] == first["startsAt"], "it ended in between"
        bench.tell(late(), 0)
        bench.gone()


def lost():
    """Alertmanager killed and started anew on an empty folder: the alerts are there again"""
    with Bench() as bench:
        bench.tell(breached())
        bench.tell(digest(many(3, first=1)))
        before = bench.am.alerts()
        assert len(before) == 4, before
        bench.am.kill()
        answer = bench.sender.send({**at_risk(alert="sla-8", ticket={"id": 8}), "at": ago(1)})
        assert answer["outcome"] == "retry" and answer["error"], answer
        bench.am.start()
        bench.am.wait(lambda: len(bench.am.alerts()) == 4, "there again")
        for old, new in zip(before, bench.am.alerts()):
            assert all(old[k] == new[k] for k in ("labels", "annotations", "startsAt", "fingerprint")), (old, new)
        bench.tell(at_risk(alert="sla-8", ticket={"id": 8}))
        assert len(bench.am.alerts()) == 5
        bench.tell(late(), 0)
        bench.am.wait(lambda: len(bench.am.alerts()) == 4, "resolved")


def restored():
    """a sender that is started anew goes on where the former one was"""
    with Bench() as bench:
        told = [{**at_risk(), "at": ago(60)}, {**breached(ticket={"plan": "basic"}), "at": ago(30)}]
        for line in told:
            assert bench.sender.send(line)["outcome"] == "delivered"
        before = bench.one()
        bench.restart_sender()
        bench.am.kill()
        bench.am.start()
        other = at_risk(alert="sla-9", ticket={"id": 9})
        ended = [{**other, "at": ago(50)}, {**late(alert="sla-9", ticket={"id": 9}), "at": ago(40)}]
        for line in told + ended + [{**test(), "at": ago(10)}]:
            assert bench.sender.send({**line, "op": "restore"}) == {"key": line["key"]}
        bench.am.wait(bench.am.alerts, "there again")
        alert = bench.one()
        assert all(alert[k] == before[k] for k in ("labels", "annotations", "startsAt")), (before, alert)
        bench.tell(late(), 0)
        bench.gone()


def unknown():
    """the end of an alert that this process has not told, and an acknowledgement of it"""
    with Bench() as bench:
        bench.tell(at_risk(), 30)
        bench.restart_sender()
        bench.tell(acknowledged(), 20)
        assert "acknowledged" not in bench.one()["annotations"]
        bench.tell(late(), 0)
        bench.gone()


def marked():
    """a test is marked, has a key of its own and ends by itself"""
    with Bench() as bench:
        bench.tell(test(), 0)
        alert = bench.one()
        assert alert["labels"] == {"alertname": "SLATest", "alert": "sla-test-1"}, alert
        assert alert["annotations"]["test"] == "true" and alert["annotations"]["severity"] == "info", alert
        bench.gone()


def batches():
    """a digest at its limit is as many alerts, and long names are no trouble"""
    with Bench() as bench:
        bench.tell(digest(many(128, org="Müller & Söhne \"\\" * 100)))
        assert [a["labels"]["ticket_id"] for a in bench.am.alerts()] == [str(i) for i in range(1000, 1128)]
        bench.tell(digest(many(128, first=2000)))
        bench.am.kill()
        bench.am.start()
        bench.am.wait(lambda: len(bench.am.alerts()) == 256, "there again")


def picky(body):
    """Refuses a whole request for one alert in it, as Alertmanager does."""
    wrong = [a for a in json.loads(body) if a["labels"]["ticket_id"] == "1001"]
    return (400, {}, '"bad alert 1001"') if wrong else (200, {}, "")


def names(request):
    path, headers, body = request
    assert path == "/base/api/v2/alerts" and headers["Authorization"] == "Bearer geheim", (path, headers)
    return [(a["labels"]["ticket_id"], instant(a["endsAt"]) > datetime.now(timezone.utc)) for a in json.loads(body)]


def refused():
    """one wrong alert costs its batch nothing, in a digest and when it is sent again"""
    ids = ["1000", "1001", "1002"]
    receiver = Receiver(picky)
    sender = Sender("alertmanager", receiver.url + "/base/", "geheim", interval_ms=INTERVAL_MS)
    answer = sender.send({**digest(many(3)), "at": ago(1)})
    assert answer["outcome"] == "dead" and answer["error"].startswith("1 of 3 alerts refused: HTTP 400: \"bad"), answer
    assert [names(receiver.take()) for _ in range(5)] == [
        [(i, True) for i in ids], [("1000", True)], [("1001", True)], [("1002", True)], [("1000", True), ("1002", True)]]
    # Told while all was well, wrong from now on.
    receiver.usual = (200, {}, "")
    one = {**many(1, first=1001)[0], "at": ago(1)}
    assert sender.send(one)["outcome"] == "delivered"
    receiver.usual = picky
    seen = []
    while seen[-3:] != [[("1000", True), ("1002", True)]] * 3:
        seen.append(names(receiver.take()))
        assert len(seen) < 40, seen
    assert [("1001", True)] in seen and [("1000", True)] in seen and [("1002", True)] in seen, seen
    assert sender.send(one)["outcome"] == "dead"
    sender.close()
    receiver.close()


def ended():
    """an ended alert is sent again with its end for a while, then no more"""
    receiver = Receiver((200, {}, ""))
    sender = Sender("alertmanager", receiver.url + "/base", "geheim", interval_ms=INTERVAL_MS)
    for line in many(2):
        assert sender.send({**line, "at": ago(5)})["outcome"] == "delivered"
    assert sender.send({**late(ticket={"id": 1000}, alert="sla-1000-first_response-1"), "at": ago(1)})["outcome"] == \
        "delivered"
    both, single = [("1000", False), ("1001", True)], [("1001", True)]
    seen = []
    while seen[-3:] != [single] * 3:
        seen.append(sorted(names(receiver.take())))
        assert len(seen) < 40, seen
    n = seen.count(both)
    assert 3 <= n <= 6 and seen[-n - 3:] == [both] * n + [single] * 3, seen
    sender.close()
    receiver.close()


def overtaken():
    """the end of an alert that overtakes an earlier round is told again at once"""
    arrived, go = threading.Event(), threading.Event()

    def held(body):
        arrived.set()
        go.wait(DEADLINE_S)
        return 200, {}, ""

    receiver = Receiver((200, {}, ""))
    receiver.answers = [held]
    # With the usual interval the next round would come too late for this test.
    sender = Sender("alertmanager", receiver.url + "/base", "geheim", timeout_ms=DEADLINE_S * 1000)
    assert sender.send({**at_risk(ticket={"id": 1}), "at": ago(5), "op": "restore"}) == {"key": "sla-7-1"}
    assert arrived.wait(DEADLINE_S)
    assert sender.send({**late(ticket={"id": 1}), "at": ago(1)})["outcome"] == "delivered"
    go.set()
    assert sorted(names(receiver.take()) for _ in range(3)) == [[("1", False)], [("1", False)], [("1", True)]]
    sender.close()
    receiver.close()


def answers():
    """what answers mean, and that alerts go on being sent whatever the answers were"""
    rows = [
        ((400, {}, '"bad"'), "dead", 0),
        ((401, {}, ""), "dead", 0),
        ((429, {"Retry-After": "7"}, ""), "retry", 7),
        ((500, {}, "oops"), "retry", 0),
        ((200, {}, "<html>log in</html>"), "retry", 0),
        ((200, {}, ""), "delivered", 0),
    ]
    receiver = Receiver((200, {}, ""))
    sender = Sender("alertmanager", receiver.url + "/base", "geheim", timeout_ms=500, interval_ms=INTERVAL_MS)
    for answer, outcome, retry_after in rows:
        receiver.answers = [answer]
        end = sender.send({**at_risk(ticket={"id": 1}), "at": ago(5)})
        assert (end["outcome"], end["retry_after"]) == (outcome, retry_after), (answer, end)
        assert "geheim" not in end.get("error", ""), end
    receiver.answers = [(status, {}, "") for status in (401, 404, 500, 0, None)]
    for _ in range(len(rows) + 8):
        assert names(receiver.take()) == [("1", True)]
    assert sender.send({**at_risk(), "op": "cancel"}) == {"key": "sla-7-1"}
    sender.close()
    receiver.close()


run([life, kept, lost, restored, unknown, marked, batches, refused, ended, overtaken, answers])
