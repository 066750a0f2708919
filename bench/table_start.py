"""Cold start with many open tickets: until ready, beside the bare COPY of the same rows, and the memory that it takes."""
import contextlib
import time

from bench import cell, in_turn, table
from database import Database

# As the daemon's feed asks for them.
STATES = ("COPY (SELECT s.ticket_id, s.applied_seq, s.severity, s.status, s.opened_at, s.last_at, s.requested, s.reassessed, "
          "s.ack_at, s.ladder, s.org, s.plan, s.channel, s.category, s.product, s.environment, s.version, s.assignee, s.team, "
          "CASE WHEN s.attributes <> '{}' THEN (SELECT jsonb_object_agg(key, value)::text FROM jsonb_each_text(s.attributes)) END "
          "FROM sla.ticket_state s WHERE NOT s.closed AND true) TO STDOUT (FORMAT binary)")
CLOCKS = ("COPY (SELECT c.ticket_id, c.metric, c.cycle, c.state, c.started_at, c.due_at, c.policy, c.budget, c.consumed, "
          "c.paused_at, c.breached_at, c.ended_at, c.target, c.configuration, c.carried, c.spans, c.levels_fired "
          "FROM sla.clock c JOIN sla.ticket_state s USING (ticket_id) WHERE NOT s.closed AND true AND "
          "(c.ended_at IS NULL OR NOT EXISTS (SELECT FROM sla.clock l WHERE l.ticket_id = c.ticket_id AND "
          "l.metric = c.metric AND l.cycle > c.cycle))) TO STDOUT (FORMAT binary)")
NOTES = """
- {tickets:,} open tickets with {clocks:,} running clocks. Bare: the same two queries by COPY in binary, their rows thrown
  away by a client in C (bench/pg_peer.c).
- The daemon: from its start to the word that it has loaded, so the configuration, connections and the lease are in it, and
  the look for events that it has not applied.
- Memory: resident, once loaded, without what the daemon has with no tickets ({empty:.1f} MB), by the tickets. A clock and
  its ticket lie together; what belongs to which is not told apart.
"""


def run(bench):
    with contextlib.ExitStack() as stack:
        data = Database(bench, stack)
        data.start()
        empty = data.memory()
        data.stop()
        data.load(bench.tickets)
        clocks = data.clocks()

        def bare():
            states, first = data.peer("discard", STATES)
            seen, second = data.peer("discard", CLOCKS)
            return {"time": first + second, "rate": (states + seen) / (first + second)}

        def daemon():
            begin = time.monotonic()
            data.start()
            took = time.monotonic() - begin
            numbers = {"time": took, "rate": (bench.tickets + clocks) / took, "processor": data.processor(),
                       "memory": (data.memory() - empty) / bench.tickets}
            data.stop()
            return numbers

        took = in_turn(bench.rounds, {"bare": bare, "slated": daemon})
        ratios = [slow / fast for slow, fast in zip(took["slated"]["time"], took["bare"]["time"])]
        text = "\n" + table(["", "seconds", "rows a second", "of bare", "of the processor, s", "bytes a ticket with its clocks"], [
            ["COPY BINARY, thrown away", cell(took["bare"]["time"]), cell(took["bare"]["rate"]), "1", "-", "-"],
            ["slated, until it has loaded", cell(took["slated"]["time"]), cell(took["slated"]["rate"]), cell(ratios),
             cell(took["slated"]["processor"]), cell(took["slated"]["memory"])]])
        text += NOTES.format(tickets=bench.tickets, clocks=clocks, empty=empty / 1e6)
        bench.report("start", "Cold start", text, data.versions())
