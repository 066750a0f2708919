-- What was overdue when a system was attached is told in one digest for each channel: the longest overdue, and how many
-- there are. A digest for each 25 of them flooded a chat with 790 where 20,000 tickets had been left alone.

SET LOCAL ROLE sla_owner;

-- Makes the digests, once all that the back-fill brought has been worked out: for each of the channels `known` that a
-- ladder would have told of a breach, of the clocks that had breached before attach and are open, the 25 that have been
-- overdue for longest, which every channel has room for, and the number of all. How many messages.
CREATE OR REPLACE FUNCTION sla.adapter_digest(which text, known text[], link text) RETURNS integer
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
	SELECT format('sla-digest-%s-%s-%s', which, extract(epoch FROM a.attached_at)::bigint, d.channel), 'digest', d.channel,
		jsonb_build_object('attached', which, 'overdue', max(d.overdue),
			'messages', jsonb_agg(sla.digest_message(d.c, d.t, d.channel, link) ORDER BY d.n))
	FROM (SELECT u.channel, c, t, row_number() OVER (PARTITION BY u.channel ORDER BY c.due_at, c.ticket_id, c.metric) AS n,
			count(*) OVER (PARTITION BY u.channel) AS overdue
		FROM sla.clock c JOIN sla.ticket t ON t.id = c.ticket_id, LATERAL (
			SELECT DISTINCT m.name FROM (
				SELECT unnest(e.notify) AS name FROM sla.milestone e
				WHERE (e.ticket_id, e.metric, e.cycle) = (c.ticket_id, c.metric, c.cycle) AND e.milestone = 'escalated'
					AND e.trigger = 'breached' AND e.at < a.attached_at) AS m
			WHERE m.name = ANY (known)) AS u (channel)
		WHERE t.source = which AND c.ended_at IS NULL AND c.breached_at < a.attached_at) AS d
	WHERE d.n <= 25 GROUP BY d.channel
	ON CONFLICT (key) DO NOTHING;
	GET DIAGNOSTICS messages = ROW_COUNT;
	RETURN messages;
END
$$;
