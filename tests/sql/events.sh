# From INSERT and UPDATE of sla.ticket to events.

# events EXTERNAL_ID COLUMNS: the query for them, in order.
events() {
	echo "SELECT $2 FROM sla.event e JOIN sla.ticket t ON t.id = e.ticket_id WHERE t.external_id = '$1' ORDER BY seq;"
}

# How many tickets have numbers that don't run from 1 without a gap, or don't know their last one.
gaps="SELECT count(*) FROM sla.ticket t WHERE event_seq IS DISTINCT FROM (SELECT max(seq) FROM sla.event WHERE ticket_id = t.id)
	OR event_seq IS DISTINCT FROM (SELECT count(*) FROM sla.event WHERE ticket_id = t.id) OR claim <> 0"

expect "opened carries every attribute" \
	"1|opened|2026-03-02 09:00:00.25+00|solved|S1|o|p|c|k|d|e|v|a|t|{\"x\": \"1\"}||||f|" \
	"INSERT INTO sla.ticket (external_id, org, plan, severity, status, channel, category, product, environment, version,
		assignee, team, attributes, opened_at)
	VALUES ('e1', 'o', 'p', 'S1', 'solved', 'c', 'k', 'd', 'e', 'v', 'a', 't', '{\"x\":\"1\"}', '2026-03-02T10:00:00.25+01:00');
	$(events e1 'seq, kind, at, e.status, e.severity, e.org, e.plan, e.channel, e.category, e.product, e.environment,
		e.version, e.assignee, e.team, e.attributes, changed, by, reason, late, refused')"
expect "status is open and opened_at now unless given" "opened|open|t|t" \
	"INSERT INTO sla.ticket (external_id) VALUES ('e2');
	$(events e2 "kind, e.status, at = opened_at, at BETWEEN recorded_at - interval '10 s' AND recorded_at")"
expect "one UPDATE gives changed, severity, status, in this order, at one instant" \
	"2|changed|||p2|{\"a\": null, \"b\": \"3\", \"c\": \"1\"}|{org,plan,attributes}|
3|severity||low|||agent|
4|status|pending|||||
1" \
	"INSERT INTO sla.ticket (external_id, org, plan, severity, attributes) VALUES ('e3', 'o', 'p', 'high', '{\"a\":\"1\",\"b\":\"2\",\"k\":\"k\"}');
	UPDATE sla.ticket SET status = 'pending', severity = 'low', org = NULL, plan = 'p2',
		attributes = '{\"b\":\"3\",\"c\":\"1\",\"k\":\"k\"}' WHERE external_id = 'e3';
	SELECT concat_ws('|', seq, kind, coalesce(e.status, ''), coalesce(e.severity, ''), coalesce(e.plan, ''),
		coalesce(e.attributes::text, ''), coalesce(changed::text, by, ''), '') FROM sla.event e JOIN sla.ticket t
		ON t.id = ticket_id WHERE external_id = 'e3' AND seq = 2
	UNION ALL SELECT concat_ws('|', seq, kind, coalesce(e.status, ''), coalesce(e.severity, ''), '', '', coalesce(by, ''), '')
		FROM sla.event e JOIN sla.ticket t ON t.id = ticket_id WHERE external_id = 'e3' AND seq > 2;
	SELECT count(DISTINCT at) FROM sla.event e JOIN sla.ticket t ON t.id = ticket_id WHERE external_id = 'e3' AND seq > 1"
expect "an UPDATE that changes nothing writes nothing" "1
1" \
	"INSERT INTO sla.ticket (external_id, plan, severity) VALUES ('e4', 'p', 'high');
	UPDATE sla.ticket SET plan = 'p', severity = 'high', status = 'open', attributes = '{}' WHERE external_id = 'e4';
	UPDATE sla.ticket SET source = 'native' WHERE external_id = 'e4';
	SELECT event_seq FROM sla.ticket WHERE external_id = 'e4';
	SELECT count(*) FROM sla.event e JOIN sla.ticket t ON t.id = ticket_id WHERE external_id = 'e4'"
expect "who and why of a severity come from sla.by and sla.reason" "system|billing
agent|" \
	"INSERT INTO sla.ticket (external_id, severity) VALUES ('e5', 'high');
	BEGIN; SET LOCAL sla.by = 'system'; SET LOCAL sla.reason = 'billing';
	UPDATE sla.ticket SET severity = 'low' WHERE external_id = 'e5'; COMMIT;
	UPDATE sla.ticket SET severity = 'high' WHERE external_id = 'e5';
	SELECT by, reason FROM sla.event e JOIN sla.ticket t ON t.id = ticket_id WHERE external_id = 'e5' AND seq > 1 ORDER BY seq"
expect "an adapter gives the instant with sla.at, a late one too" "2026-03-02 10:00:00+00
2026-03-02 09:30:00+00
2026-03-02 10:00:00+00" \
	"INSERT INTO sla.ticket (external_id, opened_at) VALUES ('e6', '2026-03-02T09:00:00Z');
	SET sla.at = '2026-03-02T10:00:00Z'; UPDATE sla.ticket SET status = 'pending' WHERE external_id = 'e6';
	SET sla.at = '2026-03-02T09:30:00Z'; UPDATE sla.ticket SET status = 'open' WHERE external_id = 'e6';
	SELECT at FROM sla.event e JOIN sla.ticket t ON t.id = ticket_id WHERE external_id = 'e6' AND seq > 1 ORDER BY seq;
	SELECT last_event_at FROM sla.ticket WHERE external_id = 'e6'"
expect "an UPDATE is never older than the ticket's last event" "t" \
	"INSERT INTO sla.ticket (external_id, opened_at) VALUES ('e7', clock_timestamp() + interval '30 s');
	UPDATE sla.ticket SET status = 'pending' WHERE external_id = 'e7';
	SELECT at = opened_at FROM sla.event e JOIN sla.ticket t ON t.id = ticket_id WHERE external_id = 'e7' AND seq = 2"
expect "COPY" "1|opened|gold
1|opened|silver" \
	"COPY sla.ticket (external_id, plan, severity) FROM stdin;
c1	gold	high
c2	silver	low
\\.
SELECT seq, kind, e.plan FROM sla.event e JOIN sla.ticket t ON t.id = ticket_id WHERE external_id IN ('c1', 'c2') ORDER BY external_id"
expect "an INSERT of many rows, an UPDATE of many, two of one" "100|1
100|2
1|3" \
	"INSERT INTO sla.ticket (external_id) SELECT 'm' || g FROM generate_series(1, 100) g;
	BEGIN; UPDATE sla.ticket SET status = 'pending' WHERE external_id ~ '^m[0-9]+\$';
	UPDATE sla.ticket SET status = 'open' WHERE external_id = 'm7'; COMMIT;
	SELECT count(*), seq FROM sla.event e JOIN sla.ticket t ON t.id = ticket_id WHERE external_id ~ '^m[0-9]+\$' GROUP BY seq ORDER BY seq"
expect "ON CONFLICT DO UPDATE" "opened|open|gold
changed||silver
opened|open|bronze" \
	"INSERT INTO sla.ticket (external_id, plan) VALUES ('u1', 'gold');
	INSERT INTO sla.ticket (external_id, plan) VALUES ('u1', 'silver'), ('u2', 'bronze')
		ON CONFLICT (source, external_id) DO UPDATE SET plan = EXCLUDED.plan;
	SELECT kind, e.status, e.plan FROM sla.event e JOIN sla.ticket t ON t.id = ticket_id WHERE external_id IN ('u1', 'u2')
		ORDER BY external_id, seq"
expect "what is rolled back leaves no gap" "opened
status
status" \
	"INSERT INTO sla.ticket (external_id) VALUES ('r1');
	BEGIN; UPDATE sla.ticket SET status = 'pending' WHERE external_id = 'r1';
	SAVEPOINT s; UPDATE sla.ticket SET severity = 'low', plan = 'x' WHERE external_id = 'r1'; ROLLBACK TO s;
	UPDATE sla.ticket SET status = 'open' WHERE external_id = 'r1'; COMMIT;
	BEGIN; UPDATE sla.ticket SET plan = 'x' WHERE external_id = 'r1'; ROLLBACK;
	$(events r1 kind)"
expect "the counters cannot be set by hand" "2|0" \
	"INSERT INTO sla.ticket (external_id, event_seq, claim) VALUES ('h1', 40, 7);
	UPDATE sla.ticket SET event_seq = 70, last_event_at = '2020-01-01', status = 'solved' WHERE external_id = 'h1';
	SELECT event_seq, claim FROM sla.ticket WHERE external_id = 'h1'"
expect "another trigger's change of the row counts too" "opened
changed|{team}
status" \
	"CREATE FUNCTION pg_temp.route() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN NEW.team := 'night'; RETURN NEW; END \$\$;
	INSERT INTO sla.ticket (external_id) VALUES ('x1');
	CREATE TRIGGER route BEFORE UPDATE ON sla.ticket FOR EACH ROW EXECUTE FUNCTION pg_temp.route();
	UPDATE sla.ticket SET status = 'pending' WHERE external_id = 'x1';
	DROP TRIGGER route ON sla.ticket;
	$(events x1 "concat_ws('|', kind, changed)")"
expect "no gap anywhere" 0 "$gaps"
