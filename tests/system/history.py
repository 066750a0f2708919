"""The one checker of what a run leaves behind, and the load that the runs with faults share.

Whatever went wrong on the way, in the end this holds: each milestone of the model was recorded exactly once, and none
before its instant; each alert reached its receiver at least once, under one key; a ticket's messages came in order on
each channel, and none after the end of its alert; no shard's lease was held by two.
"""
import collections
import contextlib
import socket
import threading
import time

from harness import Failure, SqlError, microseconds, webhook
from model import Comparison

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
# What a lease's row does not remember: who had it before, and whether that one had it still.
LEASE_WATCH = """
CREATE TABLE IF NOT EXISTS public.lease_change (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT clock_timestamp(),
    shard integer, owner text, former text, taken boolean);
CREATE INDEX IF NOT EXISTS lease_change_of_shard ON public.lease_change (shard, id);
CREATE OR REPLACE FUNCTION public.note_lease() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO public.lease_change (shard, owner, former, taken) VALUES (NEW.shard, NEW.owner, OLD.owner,
        OLD.owner IS NOT NULL AND NEW.owner IS NOT NULL AND OLD.owner <> NEW.owner AND OLD.expires_at > clock_timestamp());
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER note_lease AFTER UPDATE ON sla.lease FOR EACH ROW
    WHEN ((OLD.owner, OLD.nonce) IS DISTINCT FROM (NEW.owner, NEW.nonce)) EXECUTE FUNCTION public.note_lease();
"""
FOREIGN = """SELECT m.id, m.instance, l.owner FROM sla.milestone m, LATERAL (SELECT owner FROM public.lease_change l
    WHERE l.shard = m.ticket_id % 256 AND l.at <= m.recorded_at ORDER BY l.id DESC LIMIT 1) l
    WHERE l.owner IS DISTINCT FROM m.instance LIMIT 3"""
DELIVERED = """SELECT key, ticket_id, metric, cycle, channel, kind FROM sla.delivery_log
    WHERE ticket_id > {above} AND state = 'delivered' ORDER BY position"""


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
        db.run("INSERT INTO sla.ticket (severity, plan, opened_at) VALUES ('normal', 'any', clock_timestamp() - "
               "interval '1 second')")
        last = db.value("SELECT max(id) FROM sla.ticket")
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


def check(bench, receiver, path, what, windows=(), at_most=1, above=0, lost=(), until=None):
    """Checks all that is promised of the tickets above `above`. The model is asked what happens up to `until`, now if it
    is left out."""
    comparison = Comparison(bench.db, path, until or int(time.time() * 1e6), windows, above=above)
    comparison.check(bench, what)
    check_deliveries(bench, receiver, what, at_most, above, lost)
    check_order(bench, receiver, what, above)
    check_leases(bench, what)


def check_deliveries(bench, receiver, what, at_most=1, above=0, lost=()):
    """Every escalation reached every channel it names, and every channel told of it heard of its end."""
    log = {row["key"]: row for row in bench.db.rows("SELECT key, kind, state, channel FROM sla.delivery_log "
                                                    f"WHERE ticket_id > {above}")}
    wanted = bench.db.value("SELECT count(*) FROM sla.milestone, unnest(notify) "
                            f"WHERE milestone = 'escalated' AND ticket_id > {above}")
    ends = bench.db.value(f"""SELECT count(DISTINCT (e.ticket_id, e.metric, e.cycle, c)) FROM sla.milestone e
        JOIN sla.milestone s USING (ticket_id, metric, cycle), unnest(s.notify) c
        WHERE e.milestone IN ('met', 'withdrawn') AND s.milestone = 'escalated' AND ticket_id > {above}""")
    requests = receiver.requests()
    counts = collections.Counter(r["id"] for r in requests)
    bench.equal(sum(row["kind"] == "escalated" for row in log.values()), wanted,
                f"{what}: a delivery for every step and channel")
    bench.equal(sum(row["kind"] == "resolved" for row in log.values()), ends,
                f"{what}: a delivery for every channel at the end of a clock that it was told of")
    bench.equal(bench.db.value("SELECT count(*) FROM sla.delivery"), 0, f"{what}: nothing waits to be sent")
    bench.equal({row["state"] for row in log.values()}, {"delivered"}, f"{what}: all delivered")
    unknown = set(counts) - set(log) - set(lost)
    bench.check(set(log) <= set(counts) and not unknown, f"{what}: the receiver had just these",
                f"{len(set(log) - set(counts))} missing, {len(unknown)} unknown")
    often = [key for key, n in counts.items() if n > at_most]
    bench.check(not often, f"{what}: none came more than {'once' if at_most == 1 else f'{at_most} times'}", often[:3])
    bad = [r["reason"] for r in requests if not r["verified"]]
    bench.check(not bad, f"{what}: {len(requests)} requests verified", bad[:3])
    early = [r["id"] for r in requests if microseconds(r["received_at"]) + 1000 <= microseconds(r["data"]["milestone"]["at"])]
    bench.check(not early, f"{what}: none sent before its instant", early[:3])


def check_order(bench, receiver, what, above=0):
    """In the order of recording for each ticket and channel. What comes a second time comes with all that followed it, so
    the end of an alert is the last that is heard of it."""
    first, last = {}, {}
    for n, request in enumerate(receiver.requests()):
        first.setdefault(request["id"], n)
        last[request["id"]] = n
    lanes, clocks, ends = collections.defaultdict(list), collections.defaultdict(list), {}
    for row in bench.db.rows(DELIVERED.format(above=above)):
        if row["key"] not in first:
            continue  # check_deliveries() has told of it
        lanes[row["ticket_id"], row["channel"]].append(first[row["key"]])
        clock = row["ticket_id"], row["metric"], row["cycle"], row["channel"]
        if row["kind"] == "resolved":
            ends[clock] = last[row["key"]]
        else:
            clocks[clock].append(last[row["key"]])
    mixed = [lane for lane, times in lanes.items() if times != sorted(times)]
    bench.check(not mixed, f"{what}: in order for each ticket and channel", mixed[:3])
    after = [clock for clock, end in ends.items() if max(clocks[clock], default=0) > end]
    bench.check(not after, f"{what}: nothing after the resolve", after[:3])


def check_leases(bench, what):
    if bench.db.value("SELECT to_regclass('public.lease_change')") is None:
        return
    taken = bench.db.rows("SELECT shard, owner, former, at FROM public.lease_change WHERE taken LIMIT 3")
    bench.check(not taken, f"{what}: no lease was taken from one that held it", taken)
    foreign = bench.db.rows(FOREIGN)
    bench.check(not foreign, f"{what}: only the holder of a ticket's lease recorded its milestones", foreign)
