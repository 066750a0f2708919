/* The one statement of a flush, in two forms. Parameters: the run's uuid, the instance, the shards, the latest instant
 * at which a timer fired; then the columns in the order of enum column (ledger.c), each an array's text; then the names
 * of the channels, the one for addresses without a channel or NULL, the template of tickets' links or NULL, the
 * channels that hear of acknowledgements. What is recorded already is left alone, by its unique key; so is a delivery
 * whose key was made before. */
#ifndef SLATED_LEDGER_SQL_H
#define SLATED_LEDGER_SQL_H

/* The lease is held, no timer fired early; and the milestones. */
#define LEDGER_BEGIN                                                                                                   \
	"WITH fence AS MATERIALIZED (SELECT sla.fence($1::uuid, $3::integer[], $4::timestamptz) AS ok), "              \
	"m AS MATERIALIZED (SELECT * FROM unnest($5::bigint[], $6::text[], $7::integer[], $8::text[], $9::text[], "    \
	"  $10::timestamptz[], $11::timestamptz[], $12::text[], $13::text[], $14::text[], $15::numeric[], "            \
	"$16::text[], "                                                                                                \
	"  $17::boolean[], $18::text[], $19::integer[], $20::text[], $21::integer[], $22::text[], $23::jsonb[], "      \
	"$24::jsonb[]) "                                                                                               \
	"  WITH ORDINALITY AS u (ticket_id, metric, cycle, milestone, level, at, due_at, policy, calendar, severity, " \
	"late_by, "                                                                                                    \
	"  reason, by_reassessment, escalation, step, trigger, repeat, notify, reach, payload, n)), "

#define LEDGER_STATES                                                                                                  \
	"clocks AS (INSERT INTO sla.clock (ticket_id, metric, cycle, state, started_at, due_at, policy, calendar, "    \
	"severity, "                                                                                                   \
	"  budget, consumed, paused_at, breached_at, ended_at, target, configuration, carried, spans, levels_fired) "  \
	"  SELECT ticket_id, metric, cycle, state, started_at, due_at, policy, calendar, severity, budget, consumed, " \
	"paused_at, "                                                                                                  \
	"  breached_at, ended_at, target, configuration, carried, spans::timestamptz[], levels::text[] "               \
	"  FROM fence, unnest($25::bigint[], $26::text[], $27::integer[], $28::text[], $29::timestamptz[], "           \
	"  $30::timestamptz[], $31::text[], $32::text[], $33::text[], $34::bigint[], $35::bigint[], "                  \
	"$36::timestamptz[], "                                                                                         \
	"  $37::timestamptz[], $38::timestamptz[], $39::integer[], $40::text[], $41::bigint[], $42::text[], "          \
	"$43::text[]) "                                                                                                \
	"  AS u (ticket_id, metric, cycle, state, started_at, due_at, policy, calendar, severity, budget, consumed, "  \
	"paused_at, "                                                                                                  \
	"  breached_at, ended_at, target, configuration, carried, spans, levels) WHERE fence.ok "                      \
	"  ON CONFLICT (ticket_id, metric, cycle) DO UPDATE SET state = excluded.state, due_at = excluded.due_at, "    \
	"  policy = excluded.policy, calendar = excluded.calendar, severity = excluded.severity, budget = "            \
	"excluded.budget, "                                                                                            \
	"  consumed = excluded.consumed, paused_at = excluded.paused_at, breached_at = excluded.breached_at, "         \
	"  ended_at = excluded.ended_at, target = excluded.target, configuration = excluded.configuration, "           \
	"  carried = excluded.carried, spans = excluded.spans, levels_fired = excluded.levels_fired), "                \
	"states AS (INSERT INTO sla.ticket_state (ticket_id, applied_seq, severity, status, opened_at, last_at, "      \
	"requested, "                                                                                                  \
	"  reassessed, ack_at, ladder, org, plan, channel, category, product, environment, version, assignee, team, "  \
	"attributes) "                                                                                                 \
	"  SELECT ticket_id, applied_seq, severity, status, opened_at, last_at, requested, reassessed, ack_at, "       \
	"ladder, org, "                                                                                                \
	"  plan, channel, category, product, environment, version, assignee, team, attributes "                        \
	"  FROM fence, unnest($44::bigint[], $45::bigint[], $46::text[], $47::text[], $48::timestamptz[], "            \
	"$49::timestamptz[], "                                                                                         \
	"  $50::integer[], $51::integer[], $52::timestamptz[], $53::text[], $54::text[], $55::text[], $56::text[], "   \
	"$57::text[], "                                                                                                \
	"  $58::text[], $59::text[], $60::text[], $61::text[], $62::text[], $63::jsonb[]) AS u (ticket_id, "           \
	"applied_seq, "                                                                                                \
	"  severity, status, opened_at, last_at, requested, reassessed, ack_at, ladder, org, plan, channel, "          \
	"category, product, "                                                                                          \
	"  environment, version, assignee, team, attributes) WHERE fence.ok "                                          \
	"  ON CONFLICT (ticket_id) DO UPDATE SET applied_seq = excluded.applied_seq, severity = excluded.severity, "   \
	"  status = excluded.status, opened_at = excluded.opened_at, last_at = excluded.last_at, "                     \
	"  requested = excluded.requested, reassessed = excluded.reassessed, ack_at = excluded.ack_at, "               \
	"  ladder = excluded.ladder, org = excluded.org, plan = excluded.plan, channel = excluded.channel, "           \
	"  category = excluded.category, product = excluded.product, environment = excluded.environment, "             \
	"  version = excluded.version, assignee = excluded.assignee, team = excluded.team, attributes = "              \
	"excluded.attributes)"

static const char ledger_flush_sql[] = LEDGER_BEGIN
    "who AS MATERIALIZED (SELECT m.n, r.unset, s.id AS silenced_by, "
    "  CASE WHEN s.id IS NULL THEN r.told ELSE '[]' END AS told FROM m JOIN sla.ticket t ON t.id = m.ticket_id, "
    "  LATERAL sla.recipients(t, m.reach -> 'steps', $81::text[], $82::text) AS r, "
    "  LATERAL (SELECT CASE WHEN EXISTS (SELECT FROM sla.silence) AND m.reach -> 'always' IS NULL THEN "
    "    sla.silence_of(t, m.reach ->> 'severity', m.metric, m.reach ->> 'policy') END AS id) AS s "
    "  WHERE m.milestone = 'escalated'), "
    "recorded AS (INSERT INTO sla.milestone (ticket_id, metric, cycle, milestone, level, at, due_at, policy, calendar, "
    "  severity, late_by, reason, by_reassessment, escalation, step, trigger, repeat, notify, told, unset, "
    "silenced_by, "
    "  instance) "
    "  SELECT ticket_id, metric, cycle, milestone, level, at, due_at, policy, calendar, severity, late_by, reason, "
    "  by_reassessment, escalation, step, trigger, repeat, notify::text[], "
    "  CASE WHEN w.told IS NOT NULL THEN ARRAY(SELECT concat_ws(' ', x ->> 'channel', x ->> 'address') "
    "    FROM jsonb_array_elements(w.told) WITH ORDINALITY AS u (x, k) GROUP BY 1 ORDER BY min(k)) END, "
    "nullif(w.unset, '{}'), w.silenced_by, $2::text "
    "  FROM m LEFT JOIN who w USING (n), fence WHERE fence.ok ORDER BY n "
    "  ON CONFLICT DO NOTHING), "
    "told AS MATERIALIZED (SELECT m.n, m.ticket_id, m.metric, m.cycle, c.channel, c.address, "
    "  sla.delivery_key(m.ticket_id, m.metric, m.cycle, "
    "    concat_ws('|', m.escalation, m.step::text, m.trigger, m.repeat::text), concat_ws('|', c.channel, c.address)) "
    "AS key, "
    "  m.payload || jsonb_build_object('notified', (SELECT jsonb_agg(DISTINCT x -> 'name') "
    "    FROM jsonb_array_elements(w.told) AS x)) || jsonb_strip_nulls(jsonb_build_object('address', c.address)) || "
    "CASE WHEN m.trigger LIKE 'reassessed:%' THEN "
    "    jsonb_strip_nulls(jsonb_build_object('reason', coalesce((SELECT r.reason FROM "
    "      unnest($70::bigint[], $76::text[], $80::boolean[]) WITH ORDINALITY AS r (ticket_id, reason, hook, n) "
    "      WHERE r.ticket_id = m.ticket_id AND NOT r.hook ORDER BY r.n DESC LIMIT 1), "
    "    (SELECT e.reason FROM sla.event e WHERE e.ticket_id = m.ticket_id AND e.kind = 'severity' AND e.by = 'system' "
    "      ORDER BY e.seq DESC LIMIT 1)))) ELSE '{}' END AS payload "
    "  FROM m JOIN who w USING (n), "
    "  LATERAL (SELECT DISTINCT x ->> 'channel', x ->> 'address' FROM jsonb_array_elements(w.told) AS x) AS c "
    "(channel, address)), "
    "resolved AS (SELECT e.n, e.ticket_id, e.metric, e.cycle, e.payload, o.channel, o.address, "
    "  sla.delivery_key(e.ticket_id, e.metric, e.cycle, 'resolved', concat_ws('|', o.channel, o.address)) AS key FROM "
    "m AS e, "
    "  LATERAL (SELECT channel, address FROM sla.delivery d WHERE (d.ticket_id, d.metric, d.cycle, d.kind) = "
    "    (e.ticket_id, e.metric, e.cycle, 'escalated') "
    "  UNION SELECT channel, address FROM sla.delivery_log d WHERE (d.ticket_id, d.metric, d.cycle, d.kind) = "
    "    (e.ticket_id, e.metric, e.cycle, 'escalated') AND d.state = 'delivered' "
    "  UNION SELECT channel, address FROM told d WHERE (d.ticket_id, d.metric, d.cycle) = "
    "    (e.ticket_id, e.metric, e.cycle)) AS o WHERE e.milestone IN ('met', 'withdrawn')), "
    "acked AS (SELECT 1000000 AS n, o.ticket_id, o.metric, o.cycle, o.channel, o.address, "
    "  sla.delivery_key(o.ticket_id, o.metric, o.cycle, 'acknowledged|' || a.seq, concat_ws('|', o.channel, "
    "o.address)) AS key, "
    "  jsonb_build_object('milestone', jsonb_strip_nulls(jsonb_build_object('at', e.at, 'metric', o.metric, 'cycle', "
    "o.cycle)), "
    "    'alert', jsonb_build_object('key', concat_ws('-', 'sla', o.ticket_id, o.metric, o.cycle), 'state', "
    "'acknowledged'), "
    "    'ack', jsonb_strip_nulls(jsonb_build_object('by', e.by, 'until', e.at + e.\"for\"))) AS payload "
    "  FROM unnest($77::bigint[], $78::bigint[]) AS a (ticket_id, seq) "
    "  JOIN sla.event e ON (e.ticket_id, e.seq) = (a.ticket_id, a.seq), LATERAL ("
    "    SELECT ticket_id, metric, cycle, channel, address FROM sla.delivery d WHERE d.ticket_id = a.ticket_id AND "
    "      d.kind = 'escalated' AND d.channel = ANY ($84::text[]) "
    "    UNION SELECT ticket_id, metric, cycle, channel, address FROM sla.delivery_log d WHERE d.ticket_id = "
    "a.ticket_id AND "
    "      d.kind = 'escalated' AND d.channel = ANY ($84::text[]) AND d.state = 'delivered') AS o "
    "  WHERE NOT EXISTS (SELECT FROM sla.clock c WHERE (c.ticket_id, c.metric, c.cycle) = (o.ticket_id, o.metric, "
    "o.cycle) "
    "    AND c.ended_at IS NOT NULL)), "
    "outgoing AS (INSERT INTO sla.delivery (key, ticket_id, metric, cycle, kind, channel, address, payload) "
    "  SELECT d.key, d.ticket_id, d.metric, d.cycle, d.kind, d.channel, d.address, "
    "    (SELECT jsonb_build_object('ticket', sla.ticket_summary(t) || jsonb_strip_nulls(jsonb_build_object("
    "      'severity', d.payload ->> 'severity', 'link', "
    "      sla.ticket_link($83::text, t)))) FROM sla.ticket t WHERE t.id = d.ticket_id) || d.payload "
    "  FROM (SELECT n, key, ticket_id, metric, cycle, 'escalated' AS kind, channel, address, payload FROM told "
    "    UNION ALL SELECT n, key, ticket_id, metric, cycle, 'resolved', channel, address, payload FROM resolved "
    "    UNION ALL SELECT n, key, ticket_id, metric, cycle, 'acknowledged', channel, address, payload FROM acked) AS d "
    "  CROSS JOIN fence "
    "  WHERE fence.ok AND NOT EXISTS (SELECT FROM sla.delivery_log l WHERE l.key = d.key) ORDER BY d.n "
    "  ON CONFLICT (key) DO NOTHING RETURNING key), " LEDGER_STATES ", "
    "notes AS (UPDATE sla.event e SET refused = u.refused, late = u.late "
    "  FROM fence, unnest($64::bigint[], $65::bigint[], $66::text[], $67::boolean[]) AS u (ticket_id, seq, refused, "
    "late) "
    "  WHERE fence.ok AND e.ticket_id = u.ticket_id AND e.seq = u.seq), "
    "seen AS (UPDATE sla.ticket_state s SET applied_seq = u.seq "
    "  FROM fence, (SELECT ticket_id, max(seq) AS seq FROM unnest($68::bigint[], $69::bigint[]) AS v (ticket_id, seq) "
    "  GROUP BY ticket_id) AS u WHERE fence.ok AND s.ticket_id = u.ticket_id AND s.applied_seq < u.seq), "
    "reassessed AS (INSERT INTO sla.reassessment (ticket_id, at, rule, former, former_names, severity, reason, "
    "  called_by, disputed, hook) "
    "  SELECT ticket_id, at, rule, former, names::text[], severity, reason, called_by, called_by = 'dispute', hook "
    "  FROM fence, unnest($70::bigint[], $71::timestamptz[], $72::text[], $73::text[], $74::text[], $75::text[], "
    "  $76::text[], $79::text[], $80::boolean[]) "
    "  WITH ORDINALITY AS u (ticket_id, at, rule, former, names, severity, reason, called_by, hook, n) "
    "  WHERE fence.ok ORDER BY n "
    "  RETURNING id) "
    "SELECT (SELECT count(*) FROM outgoing), (SELECT count(*) FROM reassessed)";

/* What tells nobody anything: no alert, no end of a clock, no acknowledgement, no reassessment and nothing to note of
 * an event, as most changes of tickets are. It takes the parameters up to the states, and the server a third of the
 * time to read and plan. */
static const char ledger_plain_sql[] = LEDGER_BEGIN
    "recorded AS (INSERT INTO sla.milestone (ticket_id, metric, cycle, milestone, level, at, due_at, policy, calendar, "
    "  severity, late_by, reason, by_reassessment, escalation, step, trigger, repeat, instance) "
    "  SELECT ticket_id, metric, cycle, milestone, level, at, due_at, policy, calendar, severity, late_by, reason, "
    "  by_reassessment, escalation, step, trigger, repeat, $2::text FROM m, fence WHERE fence.ok ORDER BY n "
    "  ON CONFLICT DO NOTHING), " LEDGER_STATES " SELECT 0, 0";

#endif
