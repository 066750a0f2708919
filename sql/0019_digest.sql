-- What was overdue when a system was attached: nobody was alerted of it, so it is told in a digest, once.

SET LOCAL ROLE sla_owner;

ALTER TABLE sla.adapter ADD digested_at timestamptz;
COMMENT ON COLUMN sla.adapter.digested_at IS 'When what was overdue at attach was told in digests';
ALTER TABLE sla.delivery DROP CONSTRAINT kind_is_known, ADD CONSTRAINT kind_is_known
	CHECK (kind IN ('escalated', 'acknowledged', 'resolved', 'test', 'digest'));
COMMENT ON COLUMN sla.delivery.kind IS 'escalated, acknowledged, resolved, test, digest';

-- One overdue clock as a digest's message. Its form is told at the head of daemon/channels/message.c.
CREATE FUNCTION sla.digest_message(c sla.clock, t sla.ticket, channel text, link text) RETURNS jsonb
LANGUAGE sql STABLE
RETURN pg_catalog.jsonb_build_object('key', sla.delivery_key(t.id, (c).metric, (c).cycle, 'attached', channel), 'kind', 'escalated',
	'payload', pg_catalog.jsonb_build_object(
		'ticket', sla.ticket_summary(t) || pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
			'severity', (c).severity, 'link', sla.ticket_link(link, t))),
		'milestone', pg_catalog.jsonb_build_object('at', (c).breached_at, 'milestone', 'escalated', 'metric', (c).metric,
			'cycle', (c).cycle, 'trigger', 'breached'),
		'clock', pg_catalog.jsonb_build_object('state', (c).state, 'due_at', (c).due_at, 'policy', (c).policy,
			'calendar', (c).calendar, 'severity', (c).severity),
		'alert', pg_catalog.jsonb_build_object('key', pg_catalog.concat_ws('-', 'sla', t.id, (c).metric, (c).cycle),
			'state', (c).state, 'severity', 'error'),
		'severity', (c).severity));

-- Makes the digests, once all that the back-fill brought has been worked out: for each of the channels `known` that a
-- ladder would have told of a breach, the clocks that had breached before attach and are open, the longest overdue
-- first, 25 to a message, which every channel has room for. How many messages.
CREATE FUNCTION sla.adapter_digest(which text, known text[], link text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	a sla.adapter;
	messages integer;
BEGIN
	SELECT * INTO a FROM sla.adapter x WHERE x.name = which FOR UPDATE;
	IF a.digested_at IS NOT NULL OR a.backfilled_at IS NULL OR a.backfilled_at > clock_timestamp() - interval '3 s'
		OR EXISTS (SELECT FROM sla.adapter_ticket k JOIN sla.ticket t ON t.id = k.ticket_id
			LEFT JOIN sla.ticket_state s ON s.ticket_id = t.id
			WHERE k.adapter = which AND s.applied_seq IS DISTINCT FROM t.event_seq AND t.last_event_at < a.backfilled_at)
		OR EXISTS (SELECT FROM sla.clock c JOIN sla.ticket t ON t.id = c.ticket_id
			WHERE t.source = which AND c.state = 'running' AND c.ended_at IS NULL AND c.due_at < clock_timestamp() - interval '1 s') THEN
		RETURN 0;
	END IF;
	UPDATE sla.adapter x SET digested_at = clock_timestamp() WHERE x.name = which;
	INSERT INTO sla.delivery (key, kind, channel, payload)
	SELECT format('sla-digest-%s-%s-%s-%s', which, extract(epoch FROM a.attached_at)::bigint, d.channel, d.part), 'digest', d.channel,
		jsonb_build_object('messages', jsonb_agg(d.message ORDER BY d.n))
	FROM (SELECT o.channel, o.n, (o.n - 1) / 25 AS part, sla.digest_message(o.c, o.t, o.channel, link) AS message
		FROM (SELECT u.channel, c, t, row_number() OVER (PARTITION BY u.channel ORDER BY c.due_at, c.ticket_id, c.metric) AS n
			FROM sla.clock c JOIN sla.ticket t ON t.id = c.ticket_id, LATERAL (
				SELECT DISTINCT m.name FROM (
					SELECT unnest(e.notify) AS name FROM sla.milestone e
					WHERE (e.ticket_id, e.metric, e.cycle) = (c.ticket_id, c.metric, c.cycle) AND e.milestone = 'escalated'
						AND e.trigger = 'breached' AND e.at < a.attached_at) AS m
				WHERE m.name = ANY (known)) AS u (channel)
			WHERE t.source = which AND c.ended_at IS NULL AND c.breached_at < a.attached_at) AS o) AS d
	GROUP BY d.channel, d.part
	ON CONFLICT (key) DO NOTHING;
	GET DIAGNOSTICS messages = ROW_COUNT;
	RETURN messages;
END
$$;

GRANT EXECUTE ON FUNCTION sla.adapter_digest(text, text[], text) TO sla_daemon;
