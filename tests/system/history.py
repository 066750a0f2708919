"""What a run leaves behind, for the checker of histories (tests/sim/history.h), and the load that the runs with faults
share.

Whatever went wrong on the way, in the end this holds: each milestone of the model was recorded exactly once, and none
before its instant; each alert reached its receiver at least once, under one key; a ticket's messages came in order on
each channel, and none after the end of its alert; no shard's lease was held by two.
"""
import contextlib
import datetime
import json
import re
import socket
import subprocess
import threading
import time

from harness import BUILD, Failure, SqlError, microseconds, webhook

CONFIG = """
escalations = {{ loud = (
    {{ on = "at_risk"; notify = [ "ops" ]; }},
    {{ on = "breached"; notify = [ "ops" ]; repeat_every = "1s"; repeat_max = 1; }} ); }};
policies = ( {{ name = "all"; escalation = "loud"; targets = (
    {{ metric = "first_response"; within = "2s"; at_risk = [ "50%" ]; }},
    {{ metric = "resolution"; within = "3s"; at_risk = [ "33%", "1s" ]; pause_on = [ "pending" ]; }} ); }} );
channels = {{ {channels} }};
{more}
"""
# What a lease's row does not remember: who had it before, and until when.
LEASE_WATCH = """
CREATE TABLE IF NOT EXISTS public.lease_change (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT clock_timestamp(),
    shard integer, owner text, former_until timestamptz);
CREATE OR REPLACE FUNCTION public.note_lease() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO public.lease_change (shard, owner, former_until) VALUES (NEW.shard, NEW.owner, OLD.expires_at);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER note_lease AFTER UPDATE ON sla.lease FOR EACH ROW
    WHEN ((OLD.owner, OLD.nonce) IS DISTINCT FROM (NEW.owner, NEW.nonce)) EXECUTE FUNCTION public.note_lease();
"""
# Records for tests/sim/check_history, a line each. A severity that a rule has set comes back as an event; the model's own
# rule has set it before that.
RECORDS = {
    "events": """SELECT jsonb_strip_nulls(jsonb_build_object('at', at, 'ticket', ticket_id::text, 'event', kind, 'seq', seq,
            'late', late, 'by', by, 'status', status, 'severity', severity, 'reason', reason, 'public', public,
            'text', CASE WHEN escalate THEN '#escalate' END, 'for', extract(epoch FROM "for")::bigint || 's',
            'into', "into"::text))
        || coalesce((SELECT jsonb_object_agg(name, to_jsonb(e) -> name) FROM unnest(CASE kind WHEN 'changed' THEN changed
            WHEN 'opened' THEN '{{org,plan,channel,category,product,environment,version,assignee,team,attributes}}'::text[]
            END) AS name), '{{}}')
        FROM sla.event e WHERE refused IS NULL AND ticket_id > {above} AND NOT (kind = 'severity' AND by = 'system' AND EXISTS
            (SELECT FROM sla.reassessment r WHERE (r.ticket_id, r.at, r.severity) = (e.ticket_id, e.at, e.severity)))
        ORDER BY ticket_id, seq""",
    "milestones": """SELECT jsonb_build_object('milestone', to_jsonb(m) || jsonb_build_object('notify', notify::text))
        FROM sla.milestone m WHERE ticket_id > {above} ORDER BY id""",
    "deliveries": """SELECT jsonb_build_object('delivery', to_jsonb(d) - 'position') FROM (
        SELECT position, key, ticket_id, metric, cycle, channel, kind, state FROM sla.delivery_log WHERE ticket_id > {above}
        UNION ALL SELECT position, key, ticket_id, metric, cycle, channel, kind, 'waiting' FROM sla.delivery) d
        ORDER BY position""",
    # Whoever takes a lease over from another holds it from then on; the other one held it as long as it said.
    "leases": """SELECT jsonb_build_object('lease', jsonb_build_object('shard', shard, 'owner', owner, 'from', at, 'to',
            CASE WHEN next_owner <> owner THEN greatest(next_at, until) ELSE next_at END))
        FROM (SELECT shard, owner, at, lead(at) OVER w AS next_at, lead(owner) OVER w AS next_owner,
            lead(former_until) OVER w AS until FROM public.lease_change WINDOW w AS (PARTITION BY shard ORDER BY id)) l
        WHERE owner IS NOT NULL""",
}


def instant(us):
    seconds, rest = divmod(us, 1000000)
    at = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{rest:06d}Z" if rest else "Z")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def write_config(bench, receiver, more="", **where):
    return bench.write_config(CONFIG.format(channels=webhook("ops", receiver.url()), more=more), **where)


class Writer(threading.Thread):
    """Opens tickets and works on them until told to stop, through every loss of its connection."""

    def __init__(self, connect, pause=0.05):
        super().__init__(daemon=True)
        self.connect = connect
        self.pause = pause
        self.session = None
        self.stop = threading.Event()
        self.tickets = 0
        self.lost = 0
        self.error = None

    def run(self):
        number = 0
        while not self.stop.is_set():
            number += 1
            try:
                if self.session is None:
                    self.session = self.connect()
                self.work(number)
                self.session.run(f"SELECT pg_sleep({self.pause})")
            except (SqlError, ValueError):
                self.session = None
                self.lost += 1
                self.stop.wait(0.05)
            except Exception as error:  # end() tells of it
                self.error = error
                return

    def work(self, number):
        ticket = self.session.insert("ticket", severity="normal", plan="any")
        self.tickets += 1
        if number % 3 == 0:
            self.session.run(f"UPDATE sla.ticket SET status = 'pending' WHERE id = {ticket}")
        if number % 6 == 0:
            self.session.run(f"UPDATE sla.ticket SET status = 'open' WHERE id = {ticket}")
        if number % 5 == 0:
            self.session.insert("reply", ticket_id=ticket, author="agent")


class History:
    """A run under load, from its begin to the check. Begun before the first daemon."""

    def __init__(self, bench, receiver, path):
        self.bench, self.receiver, self.path = bench, receiver, path
        self.windows = []
        self.writers = []
        bench.db.run(LEASE_WATCH)
        self.above = bench.db.value("SELECT coalesce(max(id), 0) FROM sla.ticket")

    def write(self, writers=1, pause=0.05, connect=None):
        for _ in range(writers):
            self.writers.append(Writer(connect or self.bench.session, pause))
            self.writers[-1].start()

    @contextlib.contextmanager
    def away(self):
        """While a daemon may have been away: then only the gravest of a clock's alerts sets its ladder going."""
        begin = int(time.time() * 1e6)
        yield
        self.windows.append((begin - 1_000_000, int(time.time() * 1e6) + 500_000))

    def wait_alive(self):
        """Waits until the daemon has applied all that is there now, and then something new, and has sent something. How
        long that took, in seconds."""
        db = self.bench.db
        begin = time.monotonic()
        # Of the writers' tickets the last may come to its end without a word.
        last = int(db.run("INSERT INTO sla.ticket (severity, plan, opened_at) VALUES ('normal', 'any', "
                          "clock_timestamp() - interval '1 second') RETURNING id"))
        db.wait("NOT EXISTS (SELECT FROM sla.ticket t LEFT JOIN sla.ticket_state s ON s.ticket_id = t.id WHERE "
                f"t.id <= {last} AND s.ticket_id IS NULL)")
        took = time.monotonic() - begin
        try:
            db.wait(f"EXISTS (SELECT FROM sla.delivery_log WHERE ticket_id = {last})")
        except Failure:
            for table in "ticket_state", "clock", "milestone", "delivery":
                self.bench.note(f"{table} {db.rows(f'SELECT * FROM sla.{table} WHERE ticket_id = {last}')}")
            raise
        return took

    def stop_writers(self):
        for writer in self.writers:
            writer.stop.set()
        for writer in self.writers:
            writer.join()

    def settle(self):
        """Stops the load and waits for the last step of every ladder and its delivery."""
        self.stop_writers()
        errors = [str(writer.error) for writer in self.writers if writer.error]
        self.bench.check(not errors, "the writers came to their end", errors[:1])
        db = self.bench.db
        db.wait("NOT EXISTS (SELECT FROM sla.ticket t LEFT JOIN sla.ticket_state s ON s.ticket_id = t.id WHERE "
                "s.applied_seq IS DISTINCT FROM t.event_seq)", 60)
        db.wait("NOT EXISTS (SELECT FROM sla.clock WHERE state = 'running')", 60)
        db.wait("clock_timestamp() > (SELECT max(breached_at) + interval '1.3 seconds' FROM sla.clock)")
        db.wait("NOT EXISTS (SELECT FROM sla.delivery)", 60)

    def check(self, what, at_most=1, lost=()):
        """`at_most`: how often one alert may have come. `lost`: webhook-ids that came for what the database has lost since."""
        self.settle()
        check(self.bench, self.receiver, self.path, what, self.windows, at_most, self.above, lost)


def records(db, requests=(), windows=(), above=0, lost=()):
    """What the database and the receiver have, as lines."""
    watched = db.value("SELECT to_regclass('public.lease_change')") is not None
    lines = [db.run(query.format(above=above)) for sort, query in RECORDS.items() if sort != "leases" or watched]
    found = [{"received": {"key": r["id"], "at": r["received_at"]}} for r in requests]
    found += [{"forgiven": key} for key in lost]
    found += [{"absence": {"from": instant(begin), "to": instant(end)}} for begin, end in windows]
    return "\n".join([text for text in lines if text] + [json.dumps(record) for record in found]) + "\n"


def check_history(path, until, text, at_most=0):
    """What the checker of histories says of records, as lines."""
    done = subprocess.run([BUILD / "tests/sim/check_history", "--config", path, "--until", instant(until), "--at-most",
                           str(at_most)], input=text, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise Failure(f"check_history: {done.stderr}")
    return done.stdout.splitlines()


def last_milestone(db, path, until):
    """When the model's last milestone comes, in microseconds."""
    note = next(line for line in check_history(path, until, records(db)) if "the model's last milestone at " in line)
    return microseconds(note.split()[-1])


def check(bench, receiver, path, what, windows=(), at_most=1, above=0, lost=(), until=None):
    """Checks all that is promised of the tickets above `above`. The model is asked what happens up to `until`, now if it
    is left out."""
    requests = receiver.requests()
    text = records(bench.db, requests, windows, above, lost)
    (bench.folder / f"{what}.ndjson").write_text(text)  # for whoever keeps the folder
    for line in check_history(path, until or int(time.time() * 1e6), text, at_most):
        judged = re.fullmatch(r"(not )?ok - (.*?)(?:: (\d+))?", line)
        if judged:
            bench.check(not judged[1], f"{what}: {judged[2]}", judged[3] or "")
        else:
            bench.note(line.removeprefix("# "))
    bad = [r["reason"] for r in requests if not r["verified"]]
    bench.check(not bad, f"{what}: {len(requests)} requests verified", bad[:3])
    early = [r["id"] for r in requests if microseconds(r["received_at"]) + 1000 <= microseconds(r["data"]["milestone"]["at"])]
    bench.check(not early, f"{what}: none sent before its instant", early[:3])
