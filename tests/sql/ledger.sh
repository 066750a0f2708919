# The daemon's tables: each milestone once, the ledger append-only, clocks consistent.

# once NAME ROWS_KEPT COLUMNS VALUES: of two INSERTs of the same row.
once() {
	expect "$1" "$2" "BEGIN; INSERT INTO sla.milestone (ticket_id, at, $3) VALUES (99, now(), $4) ON CONFLICT DO NOTHING;
	INSERT INTO sla.milestone (ticket_id, at, $3) VALUES (99, now(), $4) ON CONFLICT DO NOTHING;
	SELECT count(*) FROM sla.milestone WHERE ticket_id = 99; ROLLBACK"
}
clock="metric, cycle, milestone"
for milestone in started breached met withdrawn; do
	once "$milestone once" 1 "$clock" "'update', 1, '$milestone'"
done
for milestone in paused resumed retargeted; do
	once "$milestone again and again" 2 "$clock" "'update', 1, '$milestone'"
done
once "a level once" 1 "$clock, level" "'update', 1, 'at_risk', '75%'"
once "a step once" 1 "$clock, escalation, step, trigger, repeat" "'update', 1, 'escalated', 'l', 1, 'breached', 0"
once "a step without a clock once" 1 "milestone, escalation, step, trigger, repeat" "'escalated', 'l', 1, 'requested:1', 0"

expect "other levels, cycles, steps and repeats are others" 8 \
	"BEGIN; INSERT INTO sla.milestone (ticket_id, at, metric, cycle, milestone, level, escalation, step, trigger, repeat) VALUES
		(99, now(), 'update', 1, 'at_risk', '50%', NULL, NULL, NULL, NULL), (99, now(), 'update', 1, 'at_risk', '75%', NULL, NULL, NULL, NULL),
		(99, now(), 'update', 2, 'at_risk', '75%', NULL, NULL, NULL, NULL), (98, now(), 'update', 2, 'at_risk', '75%', NULL, NULL, NULL, NULL),
		(99, now(), NULL, NULL, 'escalated', NULL, 'l', 1, 'requested:1', 0), (99, now(), NULL, NULL, 'escalated', NULL, 'l', 1, 'requested:1', 1),
		(99, now(), NULL, NULL, 'escalated', NULL, 'l', 1, 'requested:2', 0), (99, now(), 'update', 1, 'escalated', NULL, 'l', 1, 'requested:1', 0)
		ON CONFLICT DO NOTHING;
	SELECT count(*) FROM sla.milestone WHERE ticket_id IN (98, 99); ROLLBACK"
sql -c "INSERT INTO sla.milestone (ticket_id, at, metric, cycle, milestone) VALUES (97, now(), 'update', 1, 'started')"
for statement in "UPDATE sla.milestone SET at = now()" "DELETE FROM sla.milestone" "TRUNCATE sla.milestone"; do
	refused "append-only: $statement" '*is not allowed on sla.milestone HINT:*append-only*' "$statement"
done
refused "a milestone without its clock" '*only_escalated_lacks_a_clock*' \
	"INSERT INTO sla.milestone (ticket_id, at, milestone) VALUES (99, now(), 'met')"
refused "an unknown milestone" '*milestone_is_known*' \
	"INSERT INTO sla.milestone (ticket_id, at, metric, cycle, milestone) VALUES (99, now(), 'update', 1, 'lost')"
refused "a clock that ended at no instant" '*ended_has_an_instant*' \
	"INSERT INTO sla.clock (ticket_id, metric, cycle, state, started_at, policy, calendar, severity, budget, target, configuration)
	VALUES (99, 'update', 1, 'met', now(), 'p', 'c', 's', 1, 0, 'd')"
expect "a timer that is a little ahead is waited for" t \
	"SELECT CASE WHEN sla.fence(gen_random_uuid(), '{}', t.at) THEN clock_timestamp() >= t.at END
	FROM (SELECT clock_timestamp() + interval '1.5 ms' AS at OFFSET 0) AS t"
refused "a timer that is far ahead" '*a timer fired * before its instant HINT:*set back*' \
	"SELECT sla.fence(gen_random_uuid(), '{}', clock_timestamp() + interval '1 s')"
expect "256 shards wait for an owner" "256|0|255" "SELECT count(*), min(shard), max(shard) FROM sla.lease"
# The feed's poll, whose plan is kept: made while there are no events, it reads by transaction and in no other way.
expect "a poll by transaction uses the index" "t|f" \
	"SET enable_seqscan = off;
	SET plan_cache_mode = force_generic_plan;
	BEGIN;
	CREATE TEMP TABLE event (LIKE sla.event INCLUDING INDEXES) ON COMMIT DROP;
	PREPARE poll (pg_snapshot, xid8[]) AS WITH now AS MATERIALIZED (SELECT pg_current_snapshot() AS snapshot)
		SELECT e.* FROM now n LEFT JOIN event e ON (e.xid >= pg_snapshot_xmax(\$1) AND e.xid < pg_snapshot_xmax(n.snapshot)
			OR e.xid = ANY (\$2)) AND e.ticket_id % 256 = ANY ('{1}') ORDER BY e.ticket_id + 0, e.seq;
	CREATE FUNCTION pg_temp.plan() RETURNS SETOF text LANGUAGE plpgsql AS \$\$ BEGIN RETURN QUERY EXECUTE
		'EXPLAIN EXECUTE poll (pg_current_snapshot(), NULL)'; END \$\$;
	SELECT bool_or(plan ~ 'event_xid_idx'), bool_or(plan ~ 'pkey|Seq Scan') FROM pg_temp.plan() plan;
	ROLLBACK"
# Plans are kept, but not those that were made when the tables were nearly empty: sla.fence() begins each flush, here of 32
# shards.
expect "a plan that was made for one row is not kept for many" "t|t|f" \
	"SET plan_cache_mode = force_generic_plan;
	SET session_replication_role = replica;
	BEGIN;
	INSERT INTO sla.ticket_state (ticket_id, applied_seq, status) VALUES (9000000, 1, 'open');
	ANALYZE sla.ticket_state;
	UPDATE sla.lease SET nonce = '00000000-0000-4000-8000-000000000001' WHERE shard < 32;
	CREATE FUNCTION pg_temp.fence() RETURNS boolean LANGUAGE sql AS \$\$ SELECT sla.fence('00000000-0000-4000-8000-000000000001',
		ARRAY(SELECT generate_series(0, 31)), now()) \$\$;
	PREPARE look (bigint) AS SELECT FROM sla.ticket_state WHERE ticket_id >= \$1;
	CREATE FUNCTION pg_temp.is_for_one() RETURNS boolean LANGUAGE plpgsql AS \$\$ DECLARE line text; BEGIN
		EXECUTE 'EXPLAIN EXECUTE look (1)' INTO line; RETURN line ~ ' rows=1 '; END \$\$;
	CREATE TEMP TABLE seen ON COMMIT DROP AS SELECT pg_temp.is_for_one() AS at_first, true AS kept
		FROM pg_temp.fence();
	INSERT INTO sla.ticket_state (ticket_id, applied_seq, status) SELECT 9000000 + n, 1, 'open' FROM generate_series(1, 20000) AS n;
	UPDATE seen SET kept = pg_temp.is_for_one();
	SELECT s.at_first, s.kept, pg_temp.is_for_one() FROM seen s, pg_temp.fence();
	ROLLBACK"
# The flush of two milestones of a ticket. What is not given is NULL.
flush=$(cat <<'SQL'
BEGIN;
INSERT INTO sla.ticket (external_id, org, severity) VALUES ('flush', 'ACME', 'high');
CREATE FUNCTION pg_temp.flush(given jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	answer bigint;
BEGIN
	given := '{"fenced": "t", "instance": "x", "known": "{a,b}", "m_metric": "{update,update}", "m_at": "{2026-01-01,2026-01-01}"}'
		|| jsonb_build_object('m_ticket', array_fill(currval('sla.ticket_id_seq'), '{2}')::text) || given;
	EXECUTE (SELECT format('SELECT deliveries FROM sla.flush(%s)', string_agg(format('%L::%s', given ->> n.name,
			format_type(n.type, NULL)), ', ' ORDER BY n.k))
		FROM pg_proc p, unnest(p.proargnames[:p.pronargs], p.proargtypes::oid[]) WITH ORDINALITY AS n (name, type, k)
		WHERE p.oid = 'sla.flush'::regproc) INTO answer;
	RETURN answer;
END
$$;
SQL
)
expect "what a batch repeats is left alone, the rest of it is written" "0
0
started|1
breached|1
resumed|1" "$flush
	SELECT pg_temp.flush('{\"m_cycle\": \"{1,1}\", \"m_milestone\": \"{started,breached}\"}');
	SELECT pg_temp.flush('{\"m_cycle\": \"{1,1}\", \"m_milestone\": \"{started,resumed}\"}');
	SELECT milestone, count(*) FROM sla.milestone m WHERE ticket_id = currval('sla.ticket_id_seq') GROUP BY 1 ORDER BY min(id);
	ROLLBACK"
escalated='"m_cycle": "{1,2}", "m_milestone": "{escalated,escalated}", "m_escalation": "{l,l}", "m_step": "{1,1}", "m_repeat": "{0,0}",
	"m_trigger": "{breached,breached}", "m_notify": "{\"{b,a}\",\"{a}\"}", "m_payload": "{\"\\\"late_by\\\": 5\",\"\\\"late_by\\\": 6\"}", "m_in_force": "{low,NULL}",
	"m_reach": "{\"{\\\"steps\\\": [[\\\"b\\\",\\\"a\\\"]]}\",\"{\\\"steps\\\": [[\\\"a\\\"]]}\"}"'
told="SELECT cycle, told, unset, silenced_by FROM sla.milestone WHERE ticket_id = currval('sla.ticket_id_seq') ORDER BY id;
	SELECT cycle, kind, channel, address, (payload -> 'notified')::jsonb, payload #>> '{ticket,severity}', payload #>> '{ticket,org}', payload ->> 'late_by'
		FROM sla.delivery WHERE ticket_id = currval('sla.ticket_id_seq') ORDER BY cycle, channel"
for plain in t f; do
	expect "whom an escalation tells, plain: $plain" '3
1|{b,a}||
2|{a}||
1|escalated|a||["b", "a"]|low|ACME|5
1|escalated|b||["b", "a"]|low|ACME|5
2|escalated|a||["a"]|high|ACME|6' "$flush SELECT pg_temp.flush('{$escalated, \"m_plain\": \"{t,$plain}\"}'); $told; ROLLBACK"
done
expect "a silence holds plain escalations back, too" "0
1|{}||t
2|{}||t" "$flush INSERT INTO sla.silence (match, until, by, reason) VALUES ('{\"org\": \"ACME\"}', now() + interval '1 h', 'x', 'y');
	SELECT pg_temp.flush('{$escalated, \"m_plain\": \"{t,t}\"}');
	SELECT cycle, told, unset, silenced_by > 0 FROM sla.milestone WHERE ticket_id = currval('sla.ticket_id_seq') ORDER BY id; ROLLBACK"
expect "what ends is told where its escalations were" '2
2
escalated|a
escalated|b
resolved|a
resolved|b' "$flush SELECT pg_temp.flush('{$escalated, \"m_plain\": \"{t,t}\", \"m_cycle\": \"{1,1}\", \"m_repeat\": \"{0,0}\"}');
	SELECT pg_temp.flush('{\"m_cycle\": \"{1,1}\", \"m_milestone\": \"{met,resumed}\", \"m_payload\": \"{\\\"\\\\\\\"late_by\\\\\\\": 5\\\",NULL}\"}');
	SELECT kind, channel FROM sla.delivery WHERE ticket_id = currval('sla.ticket_id_seq') ORDER BY 1, 2; ROLLBACK"
