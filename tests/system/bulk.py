#!/usr/bin/env python3
"""Much at once: a bulk load in one transaction beside one that stays open for long, 64 writers, a ticket paused 12,000 times.

SLATED_LONG has 200,000 tickets instead of 10,000, and the transaction stays open for two minutes; SLATED_OPEN=3600 has it
open for an hour, with a few writers at work.
"""
import os
import pathlib
import subprocess
import time

import harness
from harness import run, webhook
from history import CONFIG, History

LONG = bool(os.environ.get("SLATED_LONG"))
TICKETS = 200_000 if LONG else 10_000
STAYS_OPEN = float(os.environ.get("SLATED_OPEN", 120 if LONG else 0))
WRITERS = 64
# Of 200,000 tickets; one that waits for its deadline takes about half a kilobyte.
MEMORY_MIB = 400
PAUSES = 12_000
SLOW = """policies = (
    { name = "slow"; match = { plan = "slow"; }; targets = ( { metric = "first_response"; within = "8h"; } ); },
    { name = "flapping"; match = { plan = "flapping"; }; targets = (
        { metric = "resolution"; within = "8h"; pause_on = [ "pending" ]; } ); },"""


def write_config(bench, receiver):
    text = CONFIG.format(channels=webhook("ops", receiver.url()), more="").replace("policies = (", SLOW, 1)
    return bench.write_config(text)


def peak_memory(daemon):
    status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) / 1024


def test_bulk(bench, history, daemon):
    """What others' deadlines have of it. doc/guarantees.md says what a very large one does to them."""
    mark = bench.db.value("SELECT coalesce(max(id), 0) FROM sla.milestone")
    begin = time.monotonic()
    bulk = bench.session()
    bulk.run("INSERT INTO sla.ticket (plan, severity, source, external_id) SELECT 'slow', 'normal', 'bulk', n::text "
             f"FROM generate_series(1, {TICKETS}) n")
    committed = time.monotonic()
    bench.db.wait(f"(SELECT count(*) FROM sla.clock c JOIN sla.ticket t ON t.id = c.ticket_id WHERE source = 'bulk') = {TICKETS}",
                  600)
    bench.note(f"{TICKETS} tickets in one transaction: inserted in {committed - begin:.1f} s, watched "
               f"{time.monotonic() - committed:.1f} s after that, {peak_memory(daemon):.0f} MiB at most")
    late = bench.db.value("SELECT extract(epoch FROM max(m.recorded_at - m.at)) FROM sla.milestone m JOIN sla.ticket t ON "
                          f"t.id = m.ticket_id WHERE m.id > {mark} AND t.source <> 'bulk' AND milestone = 'breached'")
    bench.note(f"the latest breach of the others meanwhile was recorded {late or 0:.2f} s after its instant")
    if not LONG:
        bench.check((late or 0) < 5, "bulk load: others' deadlines are kept within 5 s", late)
    bench.check(peak_memory(daemon) < MEMORY_MIB, "bulk load: memory is bounded", f"{peak_memory(daemon):.0f} MiB")


def test_list(bench, path):
    """slatectl list lists a part of very many clocks, and says so."""
    done = subprocess.run([harness.BUILD / "slatectl", "list", "--json", "--config", path], capture_output=True, text=True,
                          check=False, env=bench.server.environment)
    bench.equal((done.returncode, len(done.stdout.splitlines())), (0, 10_000), "list: 10,000 clocks")
    bench.check("the first 10000 are listed: --limit sets how many" in done.stderr, "list: and says that there are more", done.stderr)


def test_shared(bench):
    """A batch that two sessions share, of which one ends amid it: what the other has committed stays, the rest follows."""
    other = bench.session()
    other.run("BEGIN; LOCK TABLE sla.milestone IN SHARE MODE")
    bench.db.run("INSERT INTO sla.ticket (plan, severity, source, external_id) SELECT 'slow', 'normal', 'shared', n::text "
                 "FROM generate_series(1, 1000) n")
    waits = "SELECT pid FROM pg_stat_activity WHERE application_name = '{}' AND wait_event_type = 'Lock'"
    for name in ("slated ledger", "slated ledger 2"):
        bench.db.wait(f"EXISTS ({waits.format(name)})")
    bench.db.run(f"SELECT pg_terminate_backend(pid) FROM ({waits.format('slated ledger 2')}) AS second")
    other.run("COMMIT")
    other.close()
    bench.db.wait("(SELECT count(*) FROM sla.clock c JOIN sla.ticket t ON t.id = c.ticket_id WHERE source = 'shared') = 1000")
    bench.equal(bench.db.value("SELECT count(*) FROM sla.milestone m JOIN sla.ticket t ON t.id = m.ticket_id "
                               "WHERE source = 'shared'"), 1000, "a shared batch, one session of which ended: each once")


def test_open(bench, history):
    """A transaction that began before all and commits after it: its ticket comes then, and nobody waits for it."""
    other = bench.session()
    other.run("BEGIN; INSERT INTO sla.ticket (plan, severity, source, external_id) VALUES ('any', 'normal', 'open', 'x')")
    begin = time.monotonic()
    return other, begin


def test_writers(bench, history):
    history.write(writers=WRITERS, pause=0.3)
    history.wait_alive()
    bench.db.wait(f"(SELECT count(*) FROM sla.ticket WHERE source <> 'bulk') > {WRITERS * 5}")
    took = history.wait_alive()
    bench.check(took < 5, f"{WRITERS} writers: a ticket is taken up within 5 s", f"{took:.1f} s")
    history.stop_writers()


def test_flapping(bench, path):
    """Some automation that sets a ticket pending and open again without end: its clock is still read at the next start."""
    daemon = bench.daemon(path)
    bench.db.run("INSERT INTO sla.ticket (plan, severity, source, external_id) VALUES ('flapping', 'normal', 'flapping', 'x')")
    bench.db.run(f"""DO $$ BEGIN FOR n IN 1 .. {PAUSES} LOOP
        UPDATE sla.ticket SET status = 'pending' WHERE source = 'flapping';
        UPDATE sla.ticket SET status = 'open' WHERE source = 'flapping';
    END LOOP; END $$""")
    clock = "sla.clock c JOIN sla.ticket t ON t.id = c.ticket_id WHERE source = 'flapping'"
    bench.db.wait(f"(SELECT cardinality(c.spans) FROM {clock}) = {2 * PAUSES + 1}")
    bench.stopped(daemon)
    daemon = bench.daemon(path)
    bench.db.run("UPDATE sla.ticket SET status = 'pending' WHERE source = 'flapping'")
    bench.db.wait(f"(SELECT c.state FROM {clock}) = 'paused'")
    bench.equal(bench.db.value(f"SELECT cardinality(c.spans) FROM {clock}"), 2 * PAUSES + 2,
                f"a clock that was paused {PAUSES} times is read and goes on")
    bench.stopped(daemon)


def test_away(bench, path):
    """What came while the daemon was away is written while it is still read, so that memory does not hold all of it."""
    bench.db.run("INSERT INTO sla.ticket (plan, severity, source, external_id) SELECT 'slow', 'normal', 'away', n::text "
                 f"FROM generate_series(1, {TICKETS}) n")
    daemon = bench.daemon(path)
    written = bench.db.value("SELECT count(*) FROM sla.ticket_state s JOIN sla.ticket t ON t.id = s.ticket_id "
                             "WHERE t.source = 'away'")
    # Of each ticket there are three rows; 2,000 wait, and as many may be on their way.
    bench.check(written > TICKETS - 1500, "nearly all that came while the daemon was away is written once it is loaded", written)
    bench.db.wait("(SELECT count(*) FROM sla.milestone m JOIN sla.ticket t ON t.id = m.ticket_id WHERE source = 'away') = "
                  f"{TICKETS}", 600)
    bench.stopped(daemon)


def test_unwatched(bench, path):
    """Tickets of no policy have half as many rows as others. Their load does not wait for a beat after each batch, which would
    take a second for 1,000 tickets. Long values have the rows of a batch come bit by bit."""
    tickets = 40_000
    path.write_text(path.read_text().replace('name = "all";', 'name = "all"; match = { plan = "any"; };', 1))
    bench.db.run("INSERT INTO sla.ticket (plan, severity, product, source, external_id) "
                 "SELECT 'nobody''s', 'normal', repeat('long', 250), 'unwatched', n::text "
                 f"FROM generate_series(1, {tickets}) n")
    daemon = bench.daemon(path, loaded=False)
    daemon.wait_loaded(tickets / 2000)
    bench.db.wait("(SELECT count(*) FROM sla.ticket_state s JOIN sla.ticket t ON t.id = s.ticket_id WHERE source = 'unwatched') = "
                  f"{tickets}")
    bench.equal(bench.db.value("SELECT count(*) FROM sla.clock c JOIN sla.ticket t ON t.id = c.ticket_id WHERE source = 'unwatched'"),
                0, "tickets of no policy: loaded in less than a beat for each batch")
    bench.stopped(daemon)


def stays_open(bench, history, seconds):
    if seconds <= 0:
        return
    history.write(writers=2, pause=10)
    bench.db.run(f"SELECT pg_sleep({seconds:.1f})")
    took = history.wait_alive()
    bench.check(took < 5, f"open for {seconds:.0f} s more: a ticket is taken up within 5 s", f"{took:.1f} s")
    history.stop_writers()


def test(bench):
    receiver = bench.receiver()
    path = write_config(bench, receiver)
    history = History(bench, receiver, path)
    daemon = bench.daemon(path)
    history.write()
    history.wait_alive()
    other, begin = test_open(bench, history)
    with history.away():
        test_bulk(bench, history, daemon)
    bench.db.run("INSERT INTO sla.ticket (plan, severity, source, external_id) VALUES ('slow', 'normal', 'bulk', 'one more')")
    bench.db.wait(f"(SELECT count(*) FROM sla.clock WHERE ended_at IS NULL) > {TICKETS}")
    test_list(bench, path)
    history.stop_writers()
    with history.away():
        test_shared(bench)
    bench.db.run("UPDATE sla.ticket SET status = 'closed' WHERE source IN ('bulk', 'shared')")
    bench.db.wait("NOT EXISTS (SELECT FROM sla.clock WHERE policy = 'slow' AND ended_at IS NULL)", 600)
    test_writers(bench, history)
    stays_open(bench, history, STAYS_OPEN - (time.monotonic() - begin))
    with history.away():
        other.run("COMMIT")
        bench.db.wait("EXISTS (SELECT FROM sla.ticket_state s JOIN sla.ticket t ON t.id = s.ticket_id WHERE source = 'open')")
        bench.note(f"a transaction of {time.monotonic() - begin:.0f} s")
    history.check("bulk", at_most=2)
    bench.stopped(daemon)
    test_flapping(bench, path)
    test_away(bench, path)
    test_unwatched(bench, path)


if __name__ == "__main__":
    run(test)
