# Who may do what.

sql -c "CREATE ROLE w LOGIN IN ROLE sla_writer; CREATE ROLE d LOGIN IN ROLE sla_daemon; CREATE ROLE r LOGIN IN ROLE sla_reader;
	CREATE ROLE nobody LOGIN; CREATE SCHEMA AUTHORIZATION w; GRANT CREATE ON DATABASE postgres TO w"

expect "a writer writes all that a ticket system needs" "1
reply ack dispute assessed merged" \
	"INSERT INTO sla.ticket (source, external_id, plan, severity, channel, opened_at) VALUES ('native', 'a1', 'p', 's', 'c', now()),
		('native', 'a2', 'p', 's', 'c', now());
	UPDATE sla.ticket SET status = 'pending', attributes = '{\"k\":\"v\"}' WHERE external_id = 'a1';
	INSERT INTO sla.reply (ticket_id, author, public, body) SELECT id, 'agent', true, 'x' FROM sla.ticket WHERE external_id = 'a2';
	INSERT INTO sla.ack (ticket_id) SELECT id FROM sla.ticket WHERE external_id = 'a2';
	INSERT INTO sla.dispute (ticket_id) SELECT id FROM sla.ticket WHERE external_id = 'a2';
	INSERT INTO sla.assessment (ticket_id) SELECT id FROM sla.ticket WHERE external_id = 'a2';
	INSERT INTO sla.merge (ticket_id, into_id) SELECT a.id, b.id FROM sla.ticket a, sla.ticket b
		WHERE a.external_id = 'a2' AND b.external_id = 'a1';
	SELECT count(*) FROM sla.ticket WHERE external_id = 'a1';
	RESET SESSION AUTHORIZATION; \\c - postgres
	SELECT string_agg(kind, ' ' ORDER BY seq) FROM sla.event e JOIN sla.ticket t ON t.id = ticket_id WHERE external_id = 'a2' AND seq > 1" -U w
expect "the daemon writes its tables" "7|1|1" \
	"UPDATE sla.event SET refused = 'because', late = true WHERE (ticket_id, seq) IN (SELECT ticket_id, min(seq) FROM sla.event GROUP BY 1 LIMIT 1);
	INSERT INTO sla.ticket_state (ticket_id, applied_seq, status) VALUES (7, 1, 'open');
	INSERT INTO sla.clock (ticket_id, metric, cycle, state, started_at, due_at, policy, calendar, severity, budget, target, configuration)
		VALUES (7, 'resolution', 1, 'running', now(), now(), 'p', 'c', 's', 1, 0, 'd');
	UPDATE sla.clock SET state = 'met', ended_at = now() WHERE ticket_id = 7;
	INSERT INTO sla.milestone (ticket_id, metric, cycle, milestone, at) VALUES (7, 'resolution', 1, 'started', now()) ON CONFLICT DO NOTHING;
	INSERT INTO sla.configuration (digest, source) VALUES ('d', '');
	UPDATE sla.lease SET owner = 'd', epoch = epoch + 1, expires_at = now() WHERE shard = 7;
	INSERT INTO sla.delivery (key, ticket_id, kind, channel, payload) VALUES ('k', 7, 'test', 'ops', '{}');
	WITH done AS (DELETE FROM sla.delivery WHERE key = 'k' RETURNING *)
	INSERT INTO sla.delivery_log (key, position, ticket_id, kind, channel, payload, state, attempts, created_at)
		SELECT key, position, ticket_id, kind, channel, payload, 'delivered', 1, created_at FROM done;
	SELECT ticket_id, (SELECT epoch FROM sla.lease WHERE shard = 7), (SELECT count(*) FROM sla.delivery_log) FROM sla.ticket_state" -U d
expect "a reader sees open clocks" "a1|running|t" \
	"INSERT INTO sla.clock (ticket_id, metric, cycle, state, started_at, due_at, policy, calendar, severity, budget, target, configuration)
		SELECT id, 'resolution', 1, 'running', now(), now() + interval '1 h', 'p', 'c', 's', 1, 0, 'd' FROM sla.ticket WHERE external_id = 'a1';
	\\c - r
	SELECT external_id, state, due_in BETWEEN interval '59 min' AND interval '60 min' FROM sla.open_clock" -U postgres

while IFS='|' read -r role statement; do
	refused "$role may not: $statement" '*ERROR:  permission denied*' "$statement" -U "$role"
done <<'ROWS'
w|SELECT * FROM sla.event
w|INSERT INTO sla.event (ticket_id, seq, at, kind) VALUES (1, 9, now(), 'reply')
w|UPDATE sla.ticket SET event_seq = 5
w|UPDATE sla.ticket SET claim = 5
w|INSERT INTO sla.ticket (last_event_at) VALUES (now())
w|DELETE FROM sla.ticket
w|TRUNCATE sla.reply
w|UPDATE sla.reply SET public = false
w|SELECT * FROM sla.milestone
w|SELECT sla.append_event(NULL)
w|SELECT sla.hint()
w|SELECT setval('sla.hint_tick', 5)
w|SELECT sla.use_row_triggers('sla.reply')
w|CREATE TABLE w.t (id bigint, at timestamptz); CREATE TRIGGER t AFTER INSERT ON w.t FOR EACH ROW EXECUTE FUNCTION sla.write_input_row('reply')
w|CREATE TABLE sla.t ()
w|SET ROLE sla_owner
d|UPDATE sla.ticket SET status = 'closed'
d|INSERT INTO sla.ticket (plan) VALUES ('x')
d|UPDATE sla.event SET kind = 'reply'
d|DELETE FROM sla.event
d|UPDATE sla.milestone SET at = now()
d|DELETE FROM sla.milestone
d|DELETE FROM sla.clock
d|DELETE FROM sla.delivery_log
w|SELECT sla.replay('{k}')
r|SELECT sla.replay('{k}')
r|SELECT sla.assess(1, 'x', 'x')
d|INSERT INTO sla.migration VALUES (5, 'x', 'x')
d|SELECT * FROM sla.reply
d|SELECT * FROM sla.inbound
d|DELETE FROM sla.inbound
w|SELECT sla.acknowledge(1, 'x', NULL, NULL)
r|SELECT sla.acknowledge(1, 'x', NULL, NULL)
r|INSERT INTO sla.reply (ticket_id, author) VALUES (1, 'agent')
r|SELECT source FROM sla.configuration
r|UPDATE sla.lease SET owner = 'r'
nobody|SELECT * FROM sla.ticket
nobody|SELECT sla.hint_is_due()
ROWS

# A writer's own functions and temporary tables never run as the owner: each would stop the statement.
sql -U w -c "GRANT USAGE ON SCHEMA w TO PUBLIC;
	CREATE FUNCTION w.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS 'BEGIN RAISE ''hijacked as %'', current_user; END';
	CREATE FUNCTION w.statement_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT w.clock_timestamp()';
	CREATE FUNCTION w.current_setting(text, boolean) RETURNS text LANGUAGE sql AS 'SELECT w.clock_timestamp()::text';
	CREATE FUNCTION w.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT w.clock_timestamp()';
	CREATE FUNCTION w.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql AS 'SELECT to_jsonb(w.clock_timestamp()::text)';
	CREATE FUNCTION w.jsonb_object_keys(jsonb) RETURNS SETOF text LANGUAGE sql AS 'SELECT w.clock_timestamp()::text';
	CREATE FUNCTION w.translate(text, text, text) RETURNS text LANGUAGE sql AS 'SELECT w.clock_timestamp()::text';
	CREATE FUNCTION w.format(text, text) RETURNS text LANGUAGE sql AS 'SELECT w.clock_timestamp()::text';
	CREATE FUNCTION w.differs(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT w.clock_timestamp() IS NULL';
	CREATE FUNCTION w.differs(timestamptz, timestamptz) RETURNS boolean LANGUAGE sql AS 'SELECT w.clock_timestamp() IS NULL';
	CREATE FUNCTION w.differs(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT w.clock_timestamp() IS NULL';
	CREATE OPERATOR w.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = w.differs);
	CREATE OPERATOR w.= (LEFTARG = text, RIGHTARG = text, FUNCTION = w.differs);
	CREATE OPERATOR w.~ (LEFTARG = text, RIGHTARG = text, FUNCTION = w.differs);
	CREATE OPERATOR w.> (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = w.differs);
	CREATE OPERATOR w.>= (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = w.differs)"
trap_path="SET search_path = w, pg_catalog, pg_temp; CREATE TEMP TABLE event (LIKE sla.ticket); CREATE TEMP TABLE ticket (LIKE sla.ticket);"
refused "the trap works on the writer's own words" '*hijacked as w*' "$trap_path SELECT clock_timestamp()" -U w
a1=$(sql -c "SELECT id FROM sla.ticket WHERE external_id = 'a1'")
expect "a writer's search_path changes nothing" "done" \
	"$trap_path INSERT INTO sla.ticket (external_id, severity) VALUES ('a3', 'x');
	UPDATE sla.ticket SET status = 'open', severity = 'y', team = 'z', attributes = '{\"z\":1}' WHERE id = $a1;
	INSERT INTO sla.reply (ticket_id, author, body) VALUES ($a1, 'customer', '#escalate');
	INSERT INTO sla.ack (ticket_id, \"for\") VALUES ($a1, '2h');
	SELECT 'done'" -U w
expect "every function but one, whose names are all in full, has a search_path or none of its own to resolve" "record_changes" \
	"SELECT proname FROM pg_proc WHERE pronamespace = 'sla'::regnamespace AND prosqlbody IS NULL
	AND NOT coalesce(proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)"
expect "no function is open to all" "" \
	"SELECT proname FROM pg_proc WHERE pronamespace = 'sla'::regnamespace AND has_function_privilege('nobody', oid, 'EXECUTE')"
