-- A flush as a function: the server keeps its plans, so that it reads and plans no long statement each time; behind a
-- pooler as well, where the daemon can keep no statement prepared.

SET LOCAL ROLE sla_owner;

-- Writes a batch. Parameters: what sla.fence() says; the instance; then the columns of what there is to write, each an
-- array: milestones m_, clocks c_, tickets' states s_, notes of events n_, events of final tickets v_, reassessments r_,
-- acknowledgements a_; then the names of the channels, the one for addresses without a channel or NULL, the template of
-- tickets' links or NULL, the channels that hear of acknowledgements. What is recorded already is left alone, by its
-- unique key; so is a delivery whose key was made before.
-- Plans are made once in a session, perhaps while the tables are still small. So nothing is joined to a table, where the
-- planner would have a choice: each look-up is a subquery of its own (LIMIT or OFFSET keep it so), by an index.
CREATE FUNCTION sla.flush(
	fenced boolean, instance text,
	m_ticket bigint[], m_metric text[], m_cycle integer[], m_milestone text[], m_level text[], m_at timestamptz[],
	m_due timestamptz[], m_policy text[], m_calendar text[], m_severity text[], m_late_by numeric[],
	m_reason text[], m_by_reassessment boolean[], m_escalation text[], m_step integer[], m_trigger text[],
	m_repeat integer[], m_notify text[], m_reach jsonb[], m_payload jsonb[],
	c_ticket bigint[], c_metric text[], c_cycle integer[], c_state text[], c_started timestamptz[],
	c_due timestamptz[], c_policy text[], c_calendar text[], c_severity text[], c_budget bigint[],
	c_consumed bigint[], c_paused timestamptz[], c_breached timestamptz[], c_ended timestamptz[],
	c_target integer[], c_configuration text[], c_carried bigint[], c_spans text[], c_levels text[],
	s_ticket bigint[], s_applied bigint[], s_severity text[], s_status text[], s_opened timestamptz[],
	s_last timestamptz[], s_requested integer[], s_reassessed integer[], s_ack timestamptz[], s_ladder text[],
	s_org text[], s_plan text[], s_channel text[], s_category text[], s_product text[], s_environment text[],
	s_version text[], s_assignee text[], s_team text[], s_attributes jsonb[],
	n_ticket bigint[], n_seq bigint[], n_refused text[], n_late boolean[], v_ticket bigint[], v_seq bigint[],
	r_ticket bigint[], r_at timestamptz[], r_rule text[], r_former text[], r_names text[], r_severity text[],
	r_reason text[], a_ticket bigint[], a_seq bigint[], r_called_by text[], r_hook boolean[], known text[],
	mail text, link text, heard text[],
	OUT deliveries bigint, OUT reassessments bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off
	SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	deliveries := 0;
	reassessments := 0;
	IF NOT fenced THEN
		RETURN;
	END IF;
	IF 'escalated' = ANY (m_milestone) OR 'met' = ANY (m_milestone) OR 'withdrawn' = ANY (m_milestone)
		OR cardinality(a_ticket) > 0 THEN
		WITH m AS MATERIALIZED (
			-- Whom a step tells that names channels only is known without a look at the ticket. Nobody is told of what is
			-- older than the attach of the ticket's source.
			SELECT u.*, r.unset, s.id AS silenced_by,
				CASE WHEN s.id IS NULL AND p.past IS NOT TRUE THEN coalesce(r.told, u.reach -> 'told') ELSE '[]' END AS told
			FROM unnest(m_ticket, m_metric, m_cycle, m_milestone, m_level, m_at, m_due, m_policy, m_calendar, m_severity,
					m_late_by, m_reason, m_by_reassessment, m_escalation, m_step, m_trigger, m_repeat, m_notify,
					m_reach, m_payload)
				WITH ORDINALITY AS u (ticket_id, metric, cycle, milestone, level, at, due_at, policy, calendar, severity, late_by,
					reason, by_reassessment, escalation, step, trigger, repeat, notify, reach, payload, n)
				LEFT JOIN LATERAL (
					SELECT x.* FROM sla.ticket t, sla.recipients(t, u.reach -> 'steps', known, mail) AS x
					WHERE t.id = u.ticket_id AND NOT u.reach ? 'told' LIMIT 1) AS r ON true
				LEFT JOIN LATERAL (
					SELECT sla.silence_of(t, u.reach ->> 'severity', u.metric, u.reach ->> 'policy') AS id FROM sla.ticket t
					WHERE t.id = u.ticket_id AND EXISTS (SELECT FROM sla.silence) AND u.reach -> 'always' IS NULL
					AND u.milestone = 'escalated' LIMIT 1) AS s ON true
				LEFT JOIN LATERAL (
					SELECT sla.is_past(t.source, u.at) AS past FROM sla.ticket t
					WHERE t.id = u.ticket_id AND t.source <> 'native' AND u.reach IS NOT NULL LIMIT 1) AS p ON true
		), recorded AS (
			INSERT INTO sla.milestone (ticket_id, metric, cycle, milestone, level, at, due_at, policy, calendar, severity, late_by, reason,
				by_reassessment, escalation, step, trigger, repeat, notify, told, unset, silenced_by, instance)
			SELECT ticket_id, metric, cycle, milestone, level, at, due_at, policy, calendar, severity, late_by, reason,
				by_reassessment, escalation, step, trigger, repeat, notify::text[],
				CASE WHEN told IS NOT NULL THEN ARRAY(SELECT concat_ws(' ', x ->> 'channel', x ->> 'address')
					FROM jsonb_array_elements(told) WITH ORDINALITY AS u (x, k) GROUP BY 1 ORDER BY min(k)) END,
				nullif(unset, '{}'), silenced_by, flush.instance
			FROM m ORDER BY n
			ON CONFLICT DO NOTHING
		), told AS MATERIALIZED (
			SELECT m.n, m.ticket_id, m.metric, m.cycle, c.channel, c.address,
				sla.delivery_key(m.ticket_id, m.metric, m.cycle,
					concat_ws('|', m.escalation, m.step::text, m.trigger, m.repeat::text),
					concat_ws('|', c.channel, c.address)) AS key,
				m.payload || jsonb_build_object('notified', (SELECT jsonb_agg(DISTINCT x -> 'name')
					FROM jsonb_array_elements(m.told) AS x))
				|| jsonb_strip_nulls(jsonb_build_object('address', c.address))
				|| CASE WHEN m.trigger LIKE 'reassessed:%' THEN jsonb_strip_nulls(jsonb_build_object('reason', coalesce(
					(SELECT r.reason FROM unnest(r_ticket, r_reason, r_hook) WITH ORDINALITY AS r (ticket_id, reason, hook, n)
					WHERE r.ticket_id = m.ticket_id AND NOT r.hook ORDER BY r.n DESC LIMIT 1),
					(SELECT e.reason FROM sla.event e WHERE e.ticket_id = m.ticket_id AND e.kind = 'severity'
					AND e.by = 'system' ORDER BY e.seq DESC LIMIT 1)))) ELSE '{}' END AS payload
			FROM m, LATERAL (
				SELECT DISTINCT x ->> 'channel', x ->> 'address' FROM jsonb_array_elements(m.told) AS x) AS c (channel, address)
		), resolved AS (
			SELECT e.n, e.ticket_id, e.metric, e.cycle, e.payload, o.channel, o.address,
				sla.delivery_key(e.ticket_id, e.metric, e.cycle, 'resolved', concat_ws('|', o.channel, o.address)) AS key
			FROM m AS e, LATERAL (
				SELECT channel, address FROM sla.delivery d
				WHERE (d.ticket_id, d.metric, d.cycle, d.kind) = (e.ticket_id, e.metric, e.cycle, 'escalated')
				UNION SELECT channel, address FROM sla.delivery_log d
				WHERE (d.ticket_id, d.metric, d.cycle, d.kind) = (e.ticket_id, e.metric, e.cycle, 'escalated')
					AND d.state = 'delivered'
				UNION SELECT channel, address FROM told d
				WHERE (d.ticket_id, d.metric, d.cycle) = (e.ticket_id, e.metric, e.cycle)) AS o
			WHERE e.milestone IN ('met', 'withdrawn')
		), acked AS (
			SELECT 1000000 AS n, o.ticket_id, o.metric, o.cycle, o.channel, o.address,
				sla.delivery_key(o.ticket_id, o.metric, o.cycle, 'acknowledged|' || a.seq,
					concat_ws('|', o.channel, o.address)) AS key,
				jsonb_build_object(
					'milestone', jsonb_strip_nulls(jsonb_build_object('at', e.at, 'metric', o.metric, 'cycle', o.cycle)),
					'alert', jsonb_build_object('key', concat_ws('-', 'sla', o.ticket_id, o.metric, o.cycle),
						'state', 'acknowledged'),
					'ack', jsonb_strip_nulls(jsonb_build_object('by', e.by, 'until', e.at + e."for"))) AS payload
			FROM unnest(a_ticket, a_seq) AS a (ticket_id, seq)
				CROSS JOIN LATERAL (SELECT e.at, e.by, e."for" FROM sla.event e
					WHERE e.ticket_id = a.ticket_id AND e.seq = a.seq OFFSET 0) AS e, LATERAL (
				SELECT ticket_id, metric, cycle, channel, address FROM sla.delivery d
				WHERE d.ticket_id = a.ticket_id AND d.kind = 'escalated' AND d.channel = ANY (heard)
				UNION SELECT ticket_id, metric, cycle, channel, address FROM sla.delivery_log d
				WHERE d.ticket_id = a.ticket_id AND d.kind = 'escalated' AND d.channel = ANY (heard)
					AND d.state = 'delivered') AS o
			WHERE (SELECT c.ended_at FROM sla.clock c
				WHERE (c.ticket_id, c.metric, c.cycle) = (o.ticket_id, o.metric, o.cycle)) IS NULL
		), outgoing AS (
			INSERT INTO sla.delivery (key, ticket_id, metric, cycle, kind, channel, address, payload)
			SELECT d.key, d.ticket_id, d.metric, d.cycle, d.kind, d.channel, d.address,
				jsonb_build_object('ticket', t.summary || jsonb_strip_nulls(jsonb_build_object(
					'severity', d.payload ->> 'severity', 'link', t.link))) || d.payload
			FROM (
				SELECT n, key, ticket_id, metric, cycle, 'escalated' AS kind, channel, address, payload FROM told
				UNION ALL SELECT n, key, ticket_id, metric, cycle, 'resolved', channel, address, payload FROM resolved
				UNION ALL SELECT n, key, ticket_id, metric, cycle, 'acknowledged', channel, address, payload FROM acked) AS d
				CROSS JOIN LATERAL (SELECT sla.ticket_summary(t) AS summary, sla.ticket_link(flush.link, t) AS link
					FROM sla.ticket t WHERE t.id = d.ticket_id OFFSET 0) AS t
			WHERE (SELECT l.key FROM sla.delivery_log l WHERE l.key = d.key) IS NULL ORDER BY d.n
			ON CONFLICT (key) DO NOTHING RETURNING key
		)
		SELECT count(*) INTO deliveries FROM outgoing;
	ELSIF cardinality(m_ticket) > 0 THEN
		INSERT INTO sla.milestone (ticket_id, metric, cycle, milestone, level, at, due_at, policy, calendar, severity, late_by, reason,
			by_reassessment, escalation, step, trigger, repeat, instance)
		SELECT ticket_id, metric, cycle, milestone, level, at, due_at, policy, calendar, severity, late_by, reason,
			by_reassessment, escalation, step, trigger, repeat, flush.instance
		FROM unnest(m_ticket, m_metric, m_cycle, m_milestone, m_level, m_at, m_due, m_policy, m_calendar, m_severity,
			m_late_by, m_reason, m_by_reassessment, m_escalation, m_step, m_trigger, m_repeat, m_notify, m_reach,
			m_payload)
		WITH ORDINALITY AS u (ticket_id, metric, cycle, milestone, level, at, due_at, policy, calendar, severity, late_by, reason,
			by_reassessment, escalation, step, trigger, repeat, notify, reach, payload, n)
		ORDER BY n
		ON CONFLICT DO NOTHING;
	END IF;
	IF cardinality(c_ticket) > 0 THEN
		INSERT INTO sla.clock (ticket_id, metric, cycle, state, started_at, due_at, policy, calendar, severity, budget, consumed,
			paused_at, breached_at, ended_at, target, configuration, carried, spans, levels_fired)
		SELECT ticket_id, metric, cycle, state, started_at, due_at, policy, calendar, severity, budget, consumed,
			paused_at, breached_at, ended_at, target, configuration, carried, spans::timestamptz[], levels::text[]
		FROM unnest(c_ticket, c_metric, c_cycle, c_state, c_started, c_due, c_policy, c_calendar, c_severity, c_budget,
			c_consumed, c_paused, c_breached, c_ended, c_target, c_configuration, c_carried, c_spans, c_levels)
		AS u (ticket_id, metric, cycle, state, started_at, due_at, policy, calendar, severity, budget, consumed,
			paused_at, breached_at, ended_at, target, configuration, carried, spans, levels)
		ON CONFLICT (ticket_id, metric, cycle) DO UPDATE SET
			state = excluded.state, due_at = excluded.due_at, policy = excluded.policy, calendar = excluded.calendar,
			severity = excluded.severity, budget = excluded.budget, consumed = excluded.consumed,
			paused_at = excluded.paused_at, breached_at = excluded.breached_at, ended_at = excluded.ended_at,
			target = excluded.target, configuration = excluded.configuration, carried = excluded.carried,
			spans = excluded.spans, levels_fired = excluded.levels_fired;
	END IF;
	IF cardinality(s_ticket) > 0 THEN
		INSERT INTO sla.ticket_state (ticket_id, applied_seq, severity, status, opened_at, last_at, requested, reassessed, ack_at, ladder, org,
			plan, channel, category, product, environment, version, assignee, team, attributes)
		SELECT ticket_id, applied_seq, severity, status, opened_at, last_at, requested, reassessed, ack_at, ladder, org,
			plan, channel, category, product, environment, version, assignee, team, attributes
		FROM unnest(s_ticket, s_applied, s_severity, s_status, s_opened, s_last, s_requested, s_reassessed, s_ack, s_ladder,
			s_org, s_plan, s_channel, s_category, s_product, s_environment, s_version, s_assignee, s_team,
			s_attributes)
		AS u (ticket_id, applied_seq, severity, status, opened_at, last_at, requested, reassessed, ack_at, ladder, org,
			plan, channel, category, product, environment, version, assignee, team, attributes)
		ON CONFLICT (ticket_id) DO UPDATE SET
			applied_seq = excluded.applied_seq, severity = excluded.severity, status = excluded.status,
			opened_at = excluded.opened_at, last_at = excluded.last_at, requested = excluded.requested,
			reassessed = excluded.reassessed, ack_at = excluded.ack_at, ladder = excluded.ladder, org = excluded.org,
			plan = excluded.plan, channel = excluded.channel, category = excluded.category,
			product = excluded.product, environment = excluded.environment, version = excluded.version,
			assignee = excluded.assignee, team = excluded.team, attributes = excluded.attributes;
	END IF;
	FOR i IN 1 .. coalesce(cardinality(n_ticket), 0) LOOP
		UPDATE sla.event SET refused = n_refused[i], late = n_late[i] WHERE ticket_id = n_ticket[i] AND seq = n_seq[i];
	END LOOP;
	FOR i IN 1 .. coalesce(cardinality(v_ticket), 0) LOOP
		UPDATE sla.ticket_state SET applied_seq = v_seq[i] WHERE ticket_id = v_ticket[i] AND applied_seq < v_seq[i];
	END LOOP;
	IF cardinality(r_ticket) > 0 THEN
		INSERT INTO sla.reassessment (ticket_id, at, rule, former, former_names, severity, reason, called_by, disputed, hook)
		SELECT ticket_id, at, rule, former, names::text[], severity, reason, called_by, called_by = 'dispute', hook
		FROM unnest(r_ticket, r_at, r_rule, r_former, r_names, r_severity, r_reason, r_called_by, r_hook)
			WITH ORDINALITY AS u (ticket_id, at, rule, former, names, severity, reason, called_by, hook, n)
		ORDER BY n;
		reassessments := cardinality(r_ticket);
	END IF;
END
$$;

-- One function of the name, so it is named without its parameters.
REVOKE EXECUTE ON FUNCTION sla.flush FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sla.flush TO sla_daemon;
