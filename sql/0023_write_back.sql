-- What slated writes into an attached product's tickets: deliveries of the kind "write", on a channel of type "ticket".

SET LOCAL ROLE sla_owner;

ALTER TABLE sla.delivery DROP CONSTRAINT kind_is_known, ADD CONSTRAINT kind_is_known
	CHECK (kind IN ('escalated', 'acknowledged', 'resolved', 'test', 'digest', 'write'));
COMMENT ON COLUMN sla.delivery.kind IS 'escalated, acknowledged, resolved, test, digest, write';
ALTER TABLE sla.adapter_ticket ADD written jsonb;
COMMENT ON COLUMN sla.adapter_ticket.written IS 'What slated last asked the product to show there; NULL: nothing';
CREATE INDEX adapter_ticket_written ON sla.adapter_ticket (adapter) WHERE written IS NOT NULL;

-- Tickets in which the product is to show something else than it was last asked to, 100 at most: the key there,
-- what the request is to say, and what is to be noted as written. `set` names what is written at all: due, the
-- nearest deadline that is open; tag, the worst state of a clock; severity, where a rule here has set another one
-- than the product has. Only what was written is taken away again. Not those with a request that waits: the next
-- one says what holds then. A ticket that is closed or went into another one is left as it is.
CREATE FUNCTION sla.adapter_wanted(which text, via text, set text[]) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
BEGIN
	-- The product has the severity that it was asked to have, so it may be asked again.
	UPDATE sla.adapter_ticket k SET written = nullif(k.written - 'severity', '{}')
	FROM sla.ticket t WHERE k.adapter = which AND k.written IS NOT NULL AND t.id = k.ticket_id
		AND lower(k.written ->> 'severity') = lower(k.facts ->> 'severity');
	UPDATE sla.adapter_ticket k SET written = NULL
	FROM sla.ticket t WHERE k.adapter = which AND k.written IS NOT NULL AND t.id = k.ticket_id
		AND (k.merged OR t.status = 'closed');
	RETURN (SELECT jsonb_agg(jsonb_build_object('key', w.key, 'ticket', w.id, 'written', coalesce(w.wanted, '{}'), 'set',
			coalesce(w.wanted, '{}') || CASE WHEN w.written ? 'due' AND NOT w.wanted ? 'due' AND 'due' = ANY (set) THEN '{"due": null}'::jsonb ELSE '{}' END
			|| CASE WHEN w.written ? 'tag' AND NOT w.wanted ? 'tag' AND 'tag' = ANY (set) THEN '{"tag": null}'::jsonb ELSE '{}' END) ORDER BY w.id)
		FROM (SELECT k.key, t.id, k.written, coalesce(v.wanted, '{}') AS wanted
			FROM (SELECT c.ticket_id FROM sla.clock c WHERE c.ended_at IS NULL
				UNION SELECT x.ticket_id FROM sla.adapter_ticket x WHERE x.adapter = which AND x.written IS NOT NULL) AS u
			JOIN sla.adapter_ticket k ON k.ticket_id = u.ticket_id
			JOIN sla.ticket t ON t.id = k.ticket_id
			LEFT JOIN LATERAL (SELECT min(c.due_at) AS due, CASE WHEN bool_or(c.breached_at IS NOT NULL) THEN 'breached'
					WHEN bool_or(c.state = 'running' AND c.levels_fired <> '{}') THEN 'at risk' END AS tag
				FROM sla.clock c WHERE c.ticket_id = t.id AND c.ended_at IS NULL) AS o ON true
			CROSS JOIN LATERAL (SELECT jsonb_strip_nulls(jsonb_build_object(
				'due', CASE WHEN 'due' = ANY (set) THEN date_trunc('second', o.due) END,
				'tag', CASE WHEN 'tag' = ANY (set) THEN o.tag END,
				'severity', CASE WHEN 'severity' = ANY (set) AND lower(t.severity) <> coalesce(lower(k.facts ->> 'severity'), '')
					AND EXISTS (SELECT FROM sla.reassessment r WHERE r.ticket_id = t.id AND r.outcome = 'applied'
						AND lower(r.severity) = lower(t.severity)) THEN t.severity END)) AS wanted) AS v
			WHERE k.adapter = which AND NOT k.merged AND t.status <> 'closed'
				AND (v.wanted - 'severity' IS DISTINCT FROM coalesce(k.written, '{}') - 'severity'
					OR v.wanted ->> 'severity' <> coalesce(k.written ->> 'severity', ''))
				AND NOT EXISTS (SELECT FROM sla.delivery d WHERE d.ticket_id = t.id AND d.channel = via AND d.kind = 'write')
			ORDER BY t.id LIMIT 100) AS w);
END
$$;

-- Puts requests into the outbox, and notes what they ask for. One without a body says why as `problem`.
CREATE FUNCTION sla.adapter_write(which text, via text, requests jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
	r jsonb;
	n integer := 0;
BEGIN
	FOR r IN SELECT * FROM jsonb_array_elements(requests) LOOP
		IF r ->> 'problem' IS NOT NULL THEN
			PERFORM sla.note_adapter_error(which, r ->> 'key', r ->> 'problem');
		END IF;
		UPDATE sla.adapter_ticket k SET written = nullif(r -> 'written', '{}') WHERE (k.adapter, k.key) = (which, r ->> 'key');
		IF r -> 'body' <> '{}' THEN
			INSERT INTO sla.delivery (key, ticket_id, kind, channel, payload)
			SELECT format('sla-write-%s-%s', t.id, gen_random_uuid()), t.id, 'write', via,
				jsonb_build_object('ticket', sla.ticket_summary(t), 'write', r -> 'body')
			FROM sla.ticket t WHERE t.id = (r ->> 'ticket')::bigint;
			n := n + 1;
		END IF;
	END LOOP;
	RETURN n;
END
$$;

REVOKE EXECUTE ON FUNCTION sla.adapter_wanted(text, text, text[]), sla.adapter_write(text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sla.adapter_wanted(text, text, text[]), sla.adapter_write(text, text, jsonb) TO sla_daemon;
