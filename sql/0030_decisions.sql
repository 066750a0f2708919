-- A severity that a rule has set is in force in the daemon at once, and is written to the ticket later. What comes between
-- keeps its order: a word of somebody's counts where it comes after the decision, by the order of the ticket's events, of which
-- several may have the same instant; and what is written is not taken for news, as the rules may have gone on since. So each
-- can be an event of its own: it was the last of several only, and where a hook took back what a rule had set, that was none.

SET LOCAL ROLE sla_owner;

ALTER TABLE sla.reassessment ADD seq bigint;
COMMENT ON COLUMN sla.reassessment.seq IS 'The last event of the ticket that the daemon had come to as the rule was called';

-- Whether somebody set the ticket's severity after a reassessment that is still to be written: by the event, since the value
-- tells nothing where it is a former name of the same severity. The event has a higher number than the last that the rule
-- knew of, or a later instant, where that last event is the one before which a timer called the rule. What reassessments
-- wrote is not meant.
CREATE OR REPLACE FUNCTION sla.is_overtaken(r sla.reassessment) RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (
	SELECT FROM sla.event e WHERE e.ticket_id = (r).ticket_id AND e.kind = 'severity' AND (e.seq > (r).seq OR e.at > (r).at)
		AND NOT EXISTS (
			SELECT FROM sla.reassessment q WHERE q.ticket_id = e.ticket_id AND q.outcome = 'applied' AND e.by = 'system'
				AND q.severity = e.severity AND q.reason = e.reason));

ALTER TABLE sla.event ADD by_rule boolean;
COMMENT ON COLUMN sla.event.by_rule IS 'severity: a rule has set it, and the daemon had it in force before this event';

-- Writes severities to their tickets, each as an event by the system. A ticket that a writer has locked waits for the next
-- call, so that nobody's open transaction holds up the daemon. How many tickets wait.
CREATE OR REPLACE FUNCTION sla.apply_reassessments() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' AS $$
DECLARE
	which bigint;
	t sla.ticket;
	r sla.reassessment;
	waiting integer := 0;
BEGIN
	FOR which IN SELECT DISTINCT ticket_id FROM sla.reassessment WHERE outcome IS NULL AND severity IS NOT NULL ORDER BY 1 LOOP
		SELECT * INTO t FROM sla.ticket WHERE id = which FOR UPDATE SKIP LOCKED;
		IF NOT FOUND AND EXISTS (SELECT FROM sla.ticket WHERE id = which) THEN
			waiting := waiting + 1;
			CONTINUE;
		END IF;
		FOR r IN SELECT * FROM sla.reassessment WHERE ticket_id = which AND outcome IS NULL AND severity IS NOT NULL
		ORDER BY id FOR UPDATE LOOP
			IF NOT coalesce(lower(t.severity) = ANY (r.former_names) AND t.status <> 'closed', false) OR sla.is_overtaken(r) THEN
				UPDATE sla.reassessment SET outcome = 'overtaken' WHERE id = r.id;
				CONTINUE;
			END IF;
			-- A rule set it when it was called, a hook only now.
			PERFORM set_config('sla.by', 'system', true), set_config('sla.reason', r.reason, true),
				set_config('sla.at', CASE WHEN r.hook THEN '' ELSE r.at::text END, true);
			UPDATE sla.ticket SET severity = r.severity WHERE id = which RETURNING * INTO t;
			UPDATE sla.event SET by_rule = true WHERE ticket_id = which AND seq = t.event_seq AND NOT r.hook;
			UPDATE sla.reassessment SET outcome = 'applied' WHERE id = r.id;
		END LOOP;
	END LOOP;
	PERFORM set_config('sla.by', '', true), set_config('sla.reason', '', true), set_config('sla.at', '', true);
	RETURN waiting;
END
$$;

DROP FUNCTION sla.flush;

-- As it was, but for r_seq.
--
-- Writes a batch. Parameters: what sla.fence() says; the instance; then the columns of what there is to write, each an
-- array, or NULL where it has no value: milestones m_, clocks c_, tickets' states s_, notes of events n_, events of final
-- tickets v_, reassessments r_, acknowledgements a_; whether an escalation is plain: its step names channels alone, each
-- once, and no reason belongs to it; the severity in force, of what is told; then the names of the channels, the one for
-- addresses without a channel or NULL, the template of tickets' links or NULL, the channels that hear of acknowledgements.
-- m_payload has what deliveries tell but for the ticket and who was notified: the members of a JSON object, without its
-- braces. What is recorded already is left alone, by its unique key; so is a delivery whose key was made before.
-- Plans are made once in a session, perhaps while the tables are still small. So no table is joined where the planner would
-- have a choice: each look-up is a subquery of its own (LIMIT or OFFSET keep it so), or a nested loop, by an index. Rows
-- are written in the order of generate_series(), which is all that is scanned.
CREATE FUNCTION sla.flush(
	fenced boolean, instance text,
	m_ticket bigint[], m_metric text[], m_cycle integer[], m_milestone text[], m_level text[], m_at timestamptz[],
	m_due timestamptz[], m_policy text[], m_calendar text[], m_severity text[], m_late_by text[],
	m_reason text[], m_by_reassessment boolean[], m_escalation text[], m_step integer[], m_trigger text[],
	m_repeat integer[], m_notify text[], m_reach text[], m_payload text[],
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
	r_reason text[], a_ticket bigint[], a_seq bigint[], r_called_by text[], r_hook boolean[], r_seq bigint[], m_plain boolean[],
	m_in_force text[], known text[], mail text, link text, heard text[],
	OUT deliveries bigint, OUT reassessments bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off
	SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off SET enable_hashjoin = off AS $$
#variable_conflict use_column
DECLARE
	-- Of each milestone: whom it tells; the same as it is recorded, and who is not set, texts of arrays; what silences it.
	w_told jsonb[];
	w_recorded text[] := m_notify;
	w_unset text[];
	w_silence bigint[];
	-- Of each delivery: the milestone's place; columns; what its key is made of beside them; its payload but for the ticket;
	-- the severity in force, where it is known.
	d_place integer[];
	d_ticket bigint[];
	d_metric text[];
	d_cycle integer[];
	d_kind text[];
	d_channel text[];
	d_address text[];
	d_what text[];
	d_payload text[];
	d_severity text[];
	-- None of the milestones was there already.
	fresh boolean := true;
	updated bigint;
BEGIN
	deliveries := 0;
	reassessments := 0;
	IF NOT fenced THEN
		RETURN;
	END IF;
	-- Only escalations have a trigger.
	IF m_trigger IS NOT NULL THEN
		IF false = ANY (m_plain) OR EXISTS (SELECT FROM sla.silence s WHERE s.ended_at IS NULL AND s.until > clock_timestamp())
			OR (SELECT max(a.attached_at) FROM sla.adapter a) > (SELECT min(u.at) FROM unnest(m_at) AS u (at)) THEN
			-- Nobody is told of what is older than the attach of the ticket's source.
			SELECT array_agg(CASE WHEN s.id IS NULL AND p.past IS NOT TRUE THEN r.told WHEN w.reach IS NOT NULL THEN '[]' END),
				array_agg(nullif(r.unset, '{}')::text), array_agg(s.id)
			INTO w_told, w_unset, w_silence
			FROM generate_series(1, cardinality(m_ticket)) AS i
				CROSS JOIN LATERAL (SELECT m_reach[i]::jsonb AS reach OFFSET 0) AS w
				LEFT JOIN LATERAL (
					SELECT x.* FROM sla.ticket t, sla.recipients(t, w.reach -> 'steps', known, mail) AS x
					WHERE t.id = m_ticket[i] AND w.reach IS NOT NULL LIMIT 1) AS r ON true
				LEFT JOIN LATERAL (
					SELECT sla.silence_of(t, w.reach ->> 'severity', m_metric[i], w.reach ->> 'policy') AS id FROM sla.ticket t
					WHERE t.id = m_ticket[i] AND w.reach IS NOT NULL AND w.reach -> 'always' IS NULL LIMIT 1) AS s ON true
				LEFT JOIN LATERAL (
					SELECT sla.is_past(t.source, m_at[i]) AS past FROM sla.ticket t
					WHERE t.id = m_ticket[i] AND w.reach IS NOT NULL AND t.source <> 'native' LIMIT 1) AS p ON true;
			w_recorded := ARRAY(
				SELECT CASE WHEN w_told[i] IS NOT NULL THEN ARRAY(
					SELECT concat_ws(' ', x ->> 'channel', x ->> 'address')
					FROM jsonb_array_elements(w_told[i]) WITH ORDINALITY AS u (x, k) GROUP BY 1 ORDER BY min(k))::text END
				FROM generate_series(1, cardinality(m_ticket)) AS i);
			SELECT array_agg(i), array_agg(m_ticket[i]), array_agg(m_metric[i]), array_agg(m_cycle[i]), array_agg('escalated'::text),
				array_agg(c.channel), array_agg(c.address),
				array_agg(concat_ws('|', m_escalation[i], m_step[i]::text, m_trigger[i], m_repeat[i]::text)),
				array_agg(concat(m_payload[i], ', "notified": ', (SELECT json_agg(n.name ORDER BY n.k) FROM (
						SELECT x ->> 'name', min(k) FROM jsonb_array_elements(w_told[i]) WITH ORDINALITY AS u (x, k)
						GROUP BY 1) AS n (name, k))::text,
					', "address": ' || to_json(c.address)::text,
					CASE WHEN m_trigger[i] LIKE 'reassessed:%' THEN ', "reason": ' || to_json(coalesce(
						(SELECT r.reason FROM unnest(r_ticket, r_reason, r_hook) WITH ORDINALITY AS r (ticket_id, reason, hook, n)
						WHERE r.ticket_id = m_ticket[i] AND NOT r.hook ORDER BY r.n DESC LIMIT 1),
						(SELECT e.reason FROM sla.event e WHERE e.ticket_id = m_ticket[i] AND e.kind = 'severity'
						AND e.by = 'system' ORDER BY e.seq DESC LIMIT 1)))::text END)),
				array_agg(m_in_force[i])
			INTO d_place, d_ticket, d_metric, d_cycle, d_kind, d_channel, d_address, d_what, d_payload, d_severity
			FROM generate_series(1, cardinality(m_ticket)) AS i, LATERAL (
				SELECT DISTINCT x ->> 'channel', x ->> 'address' FROM jsonb_array_elements(w_told[i]) AS x) AS c (channel, address);
		ELSE
			SELECT array_agg(i), array_agg(m_ticket[i]), array_agg(m_metric[i]), array_agg(m_cycle[i]), array_agg('escalated'::text),
				array_agg(c.channel), array_agg(NULL::text),
				array_agg(concat_ws('|', m_escalation[i], m_step[i]::text, m_trigger[i], m_repeat[i]::text)),
				array_agg(concat(m_payload[i], ', "notified": ', array_to_json(m_notify[i]::text[])::text)), array_agg(m_in_force[i])
			INTO d_place, d_ticket, d_metric, d_cycle, d_kind, d_channel, d_address, d_what, d_payload, d_severity
			FROM (SELECT generate_series(1, cardinality(m_ticket)) AS i) AS g, LATERAL unnest(m_notify[i]::text[]) AS c (channel);
		END IF;
	END IF;
	IF 'met' = ANY (m_milestone) OR 'withdrawn' = ANY (m_milestone) THEN
		SELECT d_place || array_agg(i), d_ticket || array_agg(m_ticket[i]), d_metric || array_agg(m_metric[i]),
			d_cycle || array_agg(m_cycle[i]), d_kind || array_agg('resolved'::text), d_channel || array_agg(o.channel),
			d_address || array_agg(o.address), d_what || array_agg('resolved'::text), d_payload || array_agg(m_payload[i]), d_severity || array_agg(m_in_force[i])
		INTO d_place, d_ticket, d_metric, d_cycle, d_kind, d_channel, d_address, d_what, d_payload, d_severity
		FROM (SELECT generate_series(1, cardinality(m_ticket)) AS i) AS g, LATERAL (
			SELECT channel, address FROM sla.delivery d
			WHERE (d.ticket_id, d.metric, d.cycle, d.kind) = (m_ticket[i], m_metric[i], m_cycle[i], 'escalated')
			UNION SELECT channel, address FROM sla.delivery_log d
			WHERE (d.ticket_id, d.metric, d.cycle, d.kind) = (m_ticket[i], m_metric[i], m_cycle[i], 'escalated')
				AND d.state = 'delivered'
			UNION SELECT d_channel[k], d_address[k] FROM generate_series(1, cardinality(d_place)) AS k
			WHERE (d_ticket[k], d_metric[k], d_cycle[k]) = (m_ticket[i], m_metric[i], m_cycle[i])) AS o
		WHERE m_milestone[i] IN ('met', 'withdrawn');
	END IF;
	IF a_ticket IS NOT NULL THEN
		SELECT d_place || array_agg(1000000), d_ticket || array_agg(o.ticket_id), d_metric || array_agg(o.metric),
			d_cycle || array_agg(o.cycle), d_kind || array_agg('acknowledged'::text), d_channel || array_agg(o.channel),
			d_address || array_agg(o.address), d_what || array_agg('acknowledged|' || a_seq[i]),
			d_payload || array_agg(concat('"milestone": ',
				json_strip_nulls(json_build_object('at', e.at, 'metric', o.metric, 'cycle', o.cycle)),
				', "alert": ', json_build_object('key', concat_ws('-', 'sla', o.ticket_id, o.metric, o.cycle),
					'state', 'acknowledged'),
				', "ack": ', json_strip_nulls(json_build_object('by', e.by, 'until', e.at + e."for")))),
			d_severity || array_agg(NULL::text)
		INTO d_place, d_ticket, d_metric, d_cycle, d_kind, d_channel, d_address, d_what, d_payload, d_severity
		FROM generate_series(1, cardinality(a_ticket)) AS i
			CROSS JOIN LATERAL (SELECT e.at, e.by, e."for" FROM sla.event e
				WHERE e.ticket_id = a_ticket[i] AND e.seq = a_seq[i] OFFSET 0) AS e, LATERAL (
			SELECT ticket_id, metric, cycle, channel, address FROM sla.delivery d
			WHERE d.ticket_id = a_ticket[i] AND d.kind = 'escalated' AND d.channel = ANY (heard)
			UNION SELECT ticket_id, metric, cycle, channel, address FROM sla.delivery_log d
			WHERE d.ticket_id = a_ticket[i] AND d.kind = 'escalated' AND d.channel = ANY (heard)
				AND d.state = 'delivered') AS o
		WHERE (SELECT c.ended_at FROM sla.clock c
			WHERE (c.ticket_id, c.metric, c.cycle) = (o.ticket_id, o.metric, o.cycle)) IS NULL;
	END IF;
	IF m_ticket IS NOT NULL THEN
		-- That one is there already is rare, and to look for each first takes more than half as long as to write it.
		BEGIN
			INSERT INTO sla.milestone (ticket_id, metric, cycle, milestone, level, at, due_at, policy, calendar, severity, late_by,
				reason, by_reassessment, escalation, step, trigger, repeat, notify, told, unset, silenced_by, instance)
			SELECT m_ticket[i], m_metric[i], m_cycle[i], m_milestone[i], m_level[i], m_at[i], m_due[i], m_policy[i], m_calendar[i],
				m_severity[i], m_late_by[i]::numeric, m_reason[i], m_by_reassessment[i], m_escalation[i], m_step[i], m_trigger[i],
				m_repeat[i], m_notify[i]::text[], w_recorded[i]::text[], w_unset[i]::text[], w_silence[i], flush.instance
			FROM (SELECT generate_series(1, cardinality(m_ticket)) AS i) AS g;
		EXCEPTION WHEN unique_violation THEN
			fresh := false;
			INSERT INTO sla.milestone (ticket_id, metric, cycle, milestone, level, at, due_at, policy, calendar, severity, late_by,
				reason, by_reassessment, escalation, step, trigger, repeat, notify, told, unset, silenced_by, instance)
			SELECT m_ticket[i], m_metric[i], m_cycle[i], m_milestone[i], m_level[i], m_at[i], m_due[i], m_policy[i], m_calendar[i],
				m_severity[i], m_late_by[i]::numeric, m_reason[i], m_by_reassessment[i], m_escalation[i], m_step[i], m_trigger[i],
				m_repeat[i], m_notify[i]::text[], w_recorded[i]::text[], w_unset[i]::text[], w_silence[i], flush.instance
			FROM (SELECT generate_series(1, cardinality(m_ticket)) AS i) AS g
			ON CONFLICT DO NOTHING;
		END;
	END IF;
	IF d_place IS NOT NULL THEN
		INSERT INTO sla.delivery (key, ticket_id, metric, cycle, kind, channel, address, payload)
		SELECT d.key, d_ticket[d.k], d_metric[d.k], d_cycle[d.k], d_kind[d.k], d_channel[d.k], d_address[d.k],
			concat('{"ticket": {', t.members, '}, ', d_payload[d.k], '}')::json
		FROM (SELECT k, sla.delivery_key(d_ticket[k], d_metric[k], d_cycle[k], d_what[k], concat_ws('|', d_channel[k], d_address[k])) AS key
				FROM (SELECT generate_series(1, cardinality(d_place)) AS k) AS g ORDER BY d_place[k], k) AS d
			-- As sla.ticket_summary() has it; the severity is that in force, which the row may not say yet.
			CROSS JOIN LATERAL (SELECT concat_ws(', ', '"id": ' || t.id, '"source": ' || to_json(t.source)::text,
					'"external_id": ' || to_json(t.external_id)::text, '"org": ' || to_json(t.org)::text,
					'"plan": ' || to_json(t.plan)::text, '"severity": ' || to_json(coalesce(d_severity[d.k], t.severity))::text,
					'"status": ' || to_json(t.status)::text, '"channel": ' || to_json(t.channel)::text,
					'"category": ' || to_json(t.category)::text, '"product": ' || to_json(t.product)::text,
					'"environment": ' || to_json(t.environment)::text, '"version": ' || to_json(t.version)::text,
					'"assignee": ' || to_json(t.assignee)::text, '"team": ' || to_json(t.team)::text,
					'"opened_at": ' || to_json(t.opened_at)::text, '"link": ' || to_json(sla.ticket_link(flush.link, t))::text) AS members
				FROM sla.ticket t WHERE t.id = d_ticket[d.k] OFFSET 0) AS t
		WHERE fresh AND d_kind[d.k] <> 'acknowledged' OR (SELECT l.key FROM sla.delivery_log l WHERE l.key = d.key) IS NULL
		ON CONFLICT (key) DO NOTHING;
		GET DIAGNOSTICS deliveries = ROW_COUNT;
	END IF;
	-- Most rows are there already, and to update them costs less than to insert and find them there.
	IF c_ticket IS NOT NULL THEN
		UPDATE sla.clock c SET
			state = c_state[i], due_at = c_due[i], policy = c_policy[i], calendar = c_calendar[i], severity = c_severity[i],
			budget = c_budget[i], consumed = c_consumed[i], paused_at = c_paused[i], breached_at = c_breached[i],
			ended_at = c_ended[i], target = c_target[i], configuration = c_configuration[i], carried = c_carried[i],
			spans = c_spans[i]::timestamptz[], levels_fired = c_levels[i]::text[]
		FROM (SELECT generate_series(1, cardinality(c_ticket)) AS i) AS g
		WHERE c.ticket_id = c_ticket[i] AND c.metric = c_metric[i] AND c.cycle = c_cycle[i];
		GET DIAGNOSTICS updated = ROW_COUNT;
		IF updated < cardinality(c_ticket) THEN
			INSERT INTO sla.clock (ticket_id, metric, cycle, state, started_at, due_at, policy, calendar, severity, budget, consumed,
				paused_at, breached_at, ended_at, target, configuration, carried, spans, levels_fired)
			SELECT c_ticket[i], c_metric[i], c_cycle[i], c_state[i], c_started[i], c_due[i], c_policy[i], c_calendar[i], c_severity[i],
				c_budget[i], c_consumed[i], c_paused[i], c_breached[i], c_ended[i], c_target[i], c_configuration[i], c_carried[i],
				c_spans[i]::timestamptz[], c_levels[i]::text[]
			FROM (SELECT generate_series(1, cardinality(c_ticket)) AS i) AS g
			ON CONFLICT (ticket_id, metric, cycle) DO NOTHING;
		END IF;
	END IF;
	IF s_ticket IS NOT NULL THEN
		UPDATE sla.ticket_state s SET
			applied_seq = s_applied[i], severity = s_severity[i], status = s_status[i], opened_at = s_opened[i], last_at = s_last[i],
			requested = s_requested[i], reassessed = s_reassessed[i], ack_at = s_ack[i], ladder = s_ladder[i], org = s_org[i],
			plan = s_plan[i], channel = s_channel[i], category = s_category[i], product = s_product[i],
			environment = s_environment[i], version = s_version[i], assignee = s_assignee[i], team = s_team[i],
			attributes = coalesce(s_attributes[i], '{}')
		FROM (SELECT generate_series(1, cardinality(s_ticket)) AS i) AS g
		WHERE s.ticket_id = s_ticket[i];
		GET DIAGNOSTICS updated = ROW_COUNT;
		IF updated < cardinality(s_ticket) THEN
			INSERT INTO sla.ticket_state (ticket_id, applied_seq, severity, status, opened_at, last_at, requested, reassessed, ack_at,
				ladder, org, plan, channel, category, product, environment, version, assignee, team, attributes)
			SELECT s_ticket[i], s_applied[i], s_severity[i], s_status[i], s_opened[i], s_last[i], s_requested[i], s_reassessed[i], s_ack[i],
				s_ladder[i], s_org[i], s_plan[i], s_channel[i], s_category[i], s_product[i], s_environment[i], s_version[i],
				s_assignee[i], s_team[i], coalesce(s_attributes[i], '{}')
			FROM (SELECT generate_series(1, cardinality(s_ticket)) AS i) AS g
			ON CONFLICT (ticket_id) DO NOTHING;
		END IF;
	END IF;
	-- What is rare, behind one look.
	IF coalesce(n_ticket, v_ticket, r_ticket) IS NOT NULL THEN
		FOR i IN 1 .. coalesce(cardinality(n_ticket), 0) LOOP
			UPDATE sla.event SET refused = n_refused[i], late = n_late[i] WHERE ticket_id = n_ticket[i] AND seq = n_seq[i];
		END LOOP;
		FOR i IN 1 .. coalesce(cardinality(v_ticket), 0) LOOP
			UPDATE sla.ticket_state SET applied_seq = v_seq[i] WHERE ticket_id = v_ticket[i] AND applied_seq < v_seq[i];
		END LOOP;
		INSERT INTO sla.reassessment (ticket_id, at, rule, former, former_names, severity, reason, called_by, disputed, hook,
			seq)
		SELECT r_ticket[i], r_at[i], r_rule[i], r_former[i], r_names[i]::text[], r_severity[i], r_reason[i], r_called_by[i],
			r_called_by[i] = 'dispute', r_hook[i], r_seq[i]
		FROM generate_series(1, cardinality(r_ticket)) AS i;
		GET DIAGNOSTICS reassessments = ROW_COUNT;
	END IF;
END
$$;

-- One function of the name, so it is named without its parameters.
REVOKE EXECUTE ON FUNCTION sla.flush FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sla.flush TO sla_daemon;
