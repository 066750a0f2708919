"""Deliveries: webhooks to a receiver on this machine, beside wrk and hey posting as much to the same receiver."""
import contextlib
import os
import re
import subprocess
import time

from bench import HERE, cell, in_turn, output, package, table
from database import Database
from table_burst import FORGET, OPENED

SOLVE = "UPDATE sla.ticket SET status = 'solved' WHERE source = '{run}'"
# The same deliveries once more, as if none had been sent: their rows, and nothing else that there was to do.
AGAIN = """
SET session_replication_role = replica;
CREATE TEMP TABLE again AS SELECT * FROM sla.delivery_log;
TRUNCATE sla.delivery_log;
INSERT INTO sla.delivery (key, ticket_id, metric, cycle, kind, channel, payload)
    SELECT key, ticket_id, metric, cycle, kind, channel, payload FROM again ORDER BY position;
DROP TABLE again;
RESET session_replication_role;
"""
# Whether so many have ended. They are counted when none is left, since to count them takes what is to be measured.
ENDED = "(SELECT min(position) FROM sla.delivery) IS NULL AND (SELECT count(*) FROM sla.delivery_log) = {count}"
# How many messages of a ticket ended before one that was to go before them.
DISORDER = """
SELECT count(*) FROM (SELECT finished_at < lag(finished_at) OVER (PARTITION BY ticket_id, channel ORDER BY position) AS wrong
    FROM sla.delivery_log) l WHERE wrong
"""
NOTES = """
- {count:,} webhooks of about {size:,} bytes, signed, to a receiver that answers 204 (bench/http_sink.c); `outbox.concurrency` as
  it is by default. The breach of {half:,} tickets is told of, then that they are solved.
- Breaches: from the first delivery's row to the last outcome's commit, so the burst that makes them goes on meanwhile.
  Solved: from the change to the last outcome's. Waiting: all rows are there when the daemon starts, so nothing but
  deliveries is done; from the first outcome to the last.
- wrk and hey post bodies of {bytes:,} bytes over {connections} connections for {seconds} s and write nothing down.
  slated claims each delivery, and moves it to the log with its outcome.
- In disorder: messages of a ticket whose outcome came before that of an earlier one.
"""
# As long as what slated sends of a breach.
BYTES = 1400
CONNECTIONS = 16
RATE = re.compile(r"Requests/sec:\s+([0-9.]+)")


def run(bench):
    count = 400 if bench.quick else 50000
    half, seconds = count // 2, 1 if bench.quick else 5
    with contextlib.ExitStack() as stack:
        bench.make("bench/http_sink")
        sink = subprocess.Popen([bench.build / "bench" / "http_sink"], stdout=subprocess.PIPE, text=True)
        stack.callback(sink.wait)
        stack.callback(sink.terminate)
        port = int(sink.stdout.readline())
        url = f"http://127.0.0.1:{port}/"
        data = Database(bench, stack, port)
        data.start()
        runs = iter(range(1000))

        def slated():
            db, run_name = data.db, f"deliveries {next(runs)}"
            begin = db.value(f"SELECT (clock_timestamp() + interval '{max(3, half // 2500)} s')::text")
            db.run(OPENED.format(run=run_name, begin=begin, count=half, spread=0))
            db.wait(ENDED.format(count=half), 300)
            took = db.value("SELECT extract(epoch FROM max(finished_at) - min(created_at)) FROM sla.delivery_log")
            sent = time.monotonic()
            db.run(SOLVE.format(run=run_name))
            db.wait(ENDED.format(count=2 * half), 300)
            numbers = {"breached": half / took, "solved": half / (time.monotonic() - sent),
                       "disorder": db.value(DISORDER), "size": db.value("SELECT avg(length(payload::text)) FROM sla.delivery_log"),
                       "dead": db.value("SELECT count(*) FROM sla.delivery_log WHERE state <> 'delivered'")}
            data.stop()
            db.run(AGAIN)
            data.start()
            db.wait(ENDED.format(count=2 * half), 300)
            numbers["waiting"] = 2 * half / db.value(
                "SELECT extract(epoch FROM max(finished_at) - min(finished_at)) FROM sla.delivery_log")
            numbers["disorder"] += db.value(DISORDER)
            data.stop()
            db.run(FORGET.format(run=run_name))
            data.start()
            return numbers

        def wrk():
            said = output("wrk", "-t", 1, "-c", CONNECTIONS, "-d", f"{seconds}s", "-s", HERE / "post.lua", url,
                          env=os.environ | {"BENCH_BYTES": str(BYTES)})
            return {"rate": float(RATE.search(said).group(1))}

        def hey():
            said = output("hey", "-z", f"{seconds}s", "-c", CONNECTIONS, "-m", "POST", "-T",
                          "application/cloudevents+json; charset=utf-8", "-d", "x" * BYTES, url)
            return {"rate": float(RATE.search(said).group(1))}

        bare = {peer.__name__: peer for peer in (wrk, hey) if bench.has(peer.__name__, lambda: package(peer.__name__))}
        took = in_turn(bench.rounds, {"slated": slated} | bare)
        mine = took["slated"]
        rows = [[f"{name}, bare posts", cell(took[name]["rate"]), *("1" if name == other else "-" for other in bare), "-", "-"]
                for name in bare]
        for what in ("breached", "solved", "waiting"):
            shares = [[rate / least for rate, least in zip(mine[what], took[name]["rate"])] for name in bare]
            rows.append([f"slated, {what}", cell(mine[what]), *map(cell, shares), cell(mine["disorder"]), cell(mine["dead"])])
        text = "\n" + table(["", "a second", *(f"of {name}" for name in bare), "in disorder", "not delivered"], rows)
        text += NOTES.format(count=count, half=half, size=round(mine["size"][0]), bytes=BYTES, connections=CONNECTIONS,
                             seconds=seconds)
        bench.report("deliveries", "Webhooks to a receiver on the same machine", text,
                     data.versions() + [f"{name} {package(name)}" for name in bare])
