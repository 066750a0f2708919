#!/usr/bin/env python3
"""A network that fails between the daemon and its database, by a proxy: delay, drip, resets in the middle of a commit,
connections whose other end is gone or silent. No hang is longer than database.timeout, and once the way is free again the
daemon is back within 5 s.

SLATED_LONG has more of it, and a line that is too slow.
"""
import os
import signal
import time

from harness import run, webhook
from history import CONFIG, History
from tcp_proxy import Proxy

LONG = bool(os.environ.get("SLATED_LONG"))
TIMEOUT = 2.0 if LONG else 1.0
BACK_WITHIN = 5.0
CUTS = 10 if LONG else 3
CLAIM = b"UPDATE sla.delivery c SET claimed_by"


def write_config(bench, receiver, proxy):
    path = bench.folder / "proxy.conf"
    path.write_text(f'database = {{ conninfo = "host=127.0.0.1 port={proxy.port} user=postgres dbname=postgres"; '
                    f'timeout = "{TIMEOUT:g}s"; }};\ninstance = {{ name = "first"; }};\n'
                    + CONFIG.format(channels=webhook("ops", receiver.url()), more=""))
    return path


def test_slow(bench, proxy, history, daemon):
    """It works over a slow line as over a quick one, only later."""
    for what, delay, drip in ("50 ms each way", 0.05, 0), ("2,000 bytes each 10 ms", 0, 2000):
        since = len(daemon.log.lines)
        with history.away():
            proxy.delay, proxy.drip = delay, drip
            history.wait_alive()
            proxy.delay = proxy.drip = 0
            history.wait_alive()
        bench.check(daemon.log.find("^(no connection|everything)", since) is None, f"{what}: no connection is given up",
                    daemon.log.find("^(no connection|everything)", since))


def test_drip(bench, proxy, history, daemon):
    """So slow that no answer comes in time."""
    since = len(daemon.log.lines)
    with history.away():
        begin = time.monotonic()
        proxy.drip = 1
        daemon.log.wait("did not answer a query in time", since)
        noticed = time.monotonic() - begin
        # A flush under way may still reach the server, after all has been loaded anew.
        daemon.log.wait("no connection to the database .*did not answer in time", since)
        proxy.drip = 0
        begin = time.monotonic()
        history.wait_alive()
        took = time.monotonic() - begin
    bench.check(noticed < TIMEOUT + 6, "1 byte each 10 ms: noticed", f"{noticed:.1f} s")
    bench.check(took < BACK_WITHIN, f"1 byte each 10 ms: back within {BACK_WITHIN:g} s", f"{took:.1f} s")


def test_commit(bench, proxy, history, daemon):
    """The flush is committed, its answer never comes."""
    for number in range(CUTS):
        since = len(daemon.log.lines)
        with history.away():
            proxy.cut_flush()
            daemon.wait_loaded(since=since)
            took = history.wait_alive()
        bench.check(took < BACK_WITHIN, f"cut in mid-COMMIT {number + 1}: back within {BACK_WITHIN:g} s", f"{took:.1f} s")


def test_late(bench, proxy, history, daemon):
    """A flush that was given up reaches the server after all has been loaded anew: it would write older states over newer
    ones, and pauses for a second time."""
    since = len(daemon.log.lines)
    with history.away():
        link = proxy.hold()
        daemon.log.wait("did not answer a query in time", since)
        daemon.wait_loaded(since=since)
        history.wait_alive()
        answer = link.release()
    bench.check(b"the lease of" in answer, "a flush that arrives too late is refused", answer[:200])


def test_late_claim(bench, proxy, history, daemon):
    """A claim of deliveries that was given up takes some when it reaches the server: nobody knows of them."""
    since = len(daemon.log.lines)
    with history.away():
        link = proxy.hold(CLAIM)
        daemon.log.wait("deliveries .*did not answer a query in time", since)
        history.wait_alive()
        bench.db.wait("NOT EXISTS (SELECT FROM sla.delivery)")
        daemon.signal(signal.SIGSTOP)
        bench.db.run("INSERT INTO sla.delivery (key, kind, channel, payload) SELECT 'stray', 'test', channel, payload "
                     "FROM sla.delivery_log LIMIT 1")
        link.release()
        bench.equal(bench.db.value("SELECT claimed_by FROM sla.delivery WHERE key = 'stray'"), "first",
                    "a claim that arrives too late takes what is there")
        daemon.signal(signal.SIGCONT)
        bench.db.wait("EXISTS (SELECT FROM sla.delivery_log WHERE key = 'stray' AND state = 'delivered')")
    bench.check(True, "what it took is sent all the same")


def test_silence(bench, proxy, history, daemon):
    """One connection, or all of them, are silent: the other end is gone, or there but mute."""
    names = ("slated feed", "slated ledger", "slated outbox", None) if LONG else ("slated outbox", None)
    cases = [("mute", name) for name in names] + [("half_open", None)]
    for what, name in cases:
        since = len(daemon.log.lines)
        with history.away():
            begin = time.monotonic()
            getattr(proxy, what)(name)
            daemon.log.wait("did not answer a query in time", since)
            noticed = time.monotonic() - begin
            history.wait_alive()
            took = time.monotonic() - begin
        title = f"{what.replace('_', '-')}, {name or 'all connections'}"
        # Where it has nothing to ask, it notices when it next does: the ledger renews the lease each 5 s.
        bench.check(noticed < TIMEOUT + 6, f"{title}: noticed", f"{noticed:.1f} s")
        bench.check(took < noticed + BACK_WITHIN, f"{title}: back within {BACK_WITHIN:g} s after that",
                    f"{took - noticed:.1f} s")
        bench.note(f"{title}: noticed after {noticed:.1f} s, all is as before after {took:.1f} s")


def test_deaf(bench, proxy, history, daemon):
    """Connections are accepted, but nobody answers."""
    since = len(daemon.log.lines)
    with history.away():
        proxy.deaf = True
        proxy.cut()
        daemon.log.wait("no connection to the database .*did not answer in time", since)
        proxy.deaf = False
        begin = time.monotonic()
        history.wait_alive()
        took = time.monotonic() - begin
    bench.check(took < BACK_WITHIN, f"accepted and mute: back within {BACK_WITHIN:g} s", f"{took:.1f} s")


def test(bench):
    receiver = bench.receiver()
    proxy = Proxy(bench.server.port)
    bench.stack.callback(proxy.close)
    path = write_config(bench, receiver, proxy)
    history = History(bench, receiver, path)
    daemon = bench.daemon(path)
    history.write()
    history.wait_alive()
    test_slow(bench, proxy, history, daemon)
    if LONG:
        test_drip(bench, proxy, history, daemon)
    test_commit(bench, proxy, history, daemon)
    test_late(bench, proxy, history, daemon)
    history.stop_writers()
    test_late_claim(bench, proxy, history, daemon)
    history.write()
    test_silence(bench, proxy, history, daemon)
    test_deaf(bench, proxy, history, daemon)
    history.check("proxy", at_most=3, lost={"stray"})
    bench.stopped(daemon)


if __name__ == "__main__":
    run(test)
