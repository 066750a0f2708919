-- What was kept and what was not, for reports. doc/database.md says what counts.

SET LOCAL ROLE sla_owner;

-- Reports ask for withdrawn clocks, too.
DROP INDEX sla.milestone_outcome;
CREATE INDEX milestone_outcome ON sla.milestone (at) WHERE milestone IN ('met', 'breached', 'withdrawn');

-- A clock counts once. One that began breached, after a reopening, has counted in the cycle before: it has no `breached`
-- of its own, and what ends it is no second verdict.
CREATE VIEW sla.outcome AS
SELECT m.ticket_id, t.source, t.external_id, t.org, t.plan, m.metric, m.cycle,
	CASE m.milestone WHEN 'met' THEN 'in_time' WHEN 'breached' THEN 'missed' ELSE 'withdrawn' END AS verdict,
	m.at, m.due_at, m.policy, m.calendar, m.severity, m.reason, m.by_reassessment, c.started_at
FROM sla.milestone m JOIN sla.clock c USING (ticket_id, metric, cycle) JOIN sla.ticket t ON t.id = m.ticket_id
WHERE m.milestone IN ('met', 'breached', 'withdrawn') AND (m.milestone = 'breached' OR c.breached_at IS NULL);
COMMENT ON VIEW sla.outcome IS 'The verdict on each clock that has one: in_time, missed or withdrawn';
COMMENT ON COLUMN sla.outcome.verdict IS 'in_time: met before it was due; missed: breached, whatever came after; withdrawn: '
	'ended otherwise before it was due, which is neither';
COMMENT ON COLUMN sla.outcome.at IS 'Of the verdict: when it was met, breached or withdrawn';
COMMENT ON COLUMN sla.outcome.plan IS 'The ticket''s plan at present';

CREATE VIEW sla.attainment AS
SELECT o.policy, o.plan, o.severity, o.metric, date_trunc('week', o.at)::date AS week,
	count(*) FILTER (WHERE o.verdict = 'in_time') AS in_time, count(*) FILTER (WHERE o.verdict = 'missed') AS missed,
	count(*) FILTER (WHERE o.verdict = 'withdrawn') AS withdrawn,
	count(*) FILTER (WHERE o.verdict = 'in_time')::double precision
		/ nullif(count(*) FILTER (WHERE o.verdict <> 'withdrawn'), 0) AS share
FROM sla.outcome o GROUP BY 1, 2, 3, 4, 5;
COMMENT ON VIEW sla.attainment IS 'How many promises were kept, by policy, plan, severity, metric and week';
COMMENT ON COLUMN sla.attainment.week IS 'Its Monday, by the session''s time zone';
COMMENT ON COLUMN sla.attainment.share IS 'in_time among in_time and missed; NULL where there is neither';

-- How long it took. A resolution that was reopened and solved again counts with its last cycle alone.
CREATE VIEW sla.time_taken AS
SELECT m.ticket_id, t.source, t.external_id, t.org, t.plan, m.metric, m.cycle, m.at, m.policy, m.calendar, m.severity,
	c.started_at, c.consumed * interval '1 microsecond' AS open_time, c.budget * interval '1 microsecond' AS allowed,
	c.breached_at IS NOT NULL AS late
FROM sla.milestone m JOIN sla.clock c USING (ticket_id, metric, cycle) JOIN sla.ticket t ON t.id = m.ticket_id
WHERE m.milestone = 'met' AND m.metric IN ('first_response', 'resolution') AND NOT EXISTS (SELECT FROM sla.clock l
	WHERE l.ticket_id = m.ticket_id AND l.metric = m.metric AND l.cycle > m.cycle);
COMMENT ON VIEW sla.time_taken IS 'How long each first response and each resolution took';
COMMENT ON COLUMN sla.time_taken.open_time IS 'Counted on the calendar of its target, without pauses, late time included; '
	'a reopened resolution that resumes has the time of its former cycles in it';
COMMENT ON COLUMN sla.time_taken.allowed IS 'What the target allowed, in open time';

CREATE VIEW sla.time_percentile AS
SELECT k.policy, k.plan, k.severity, k.metric, date_trunc('week', k.at)::date AS week, count(*) AS n,
	percentile_disc(0.5) WITHIN GROUP (ORDER BY k.open_time) AS median,
	percentile_disc(0.9) WITHIN GROUP (ORDER BY k.open_time) AS p90,
	percentile_disc(0.95) WITHIN GROUP (ORDER BY k.open_time) AS p95,
	max(k.open_time) AS longest
FROM sla.time_taken k GROUP BY 1, 2, 3, 4, 5;
COMMENT ON VIEW sla.time_percentile IS 'Open time until the first response and the resolution: the length that so many kept within';
COMMENT ON COLUMN sla.time_percentile.week IS 'The Monday of the week in which they were given, by the session''s time zone';

-- What went on until a clock breached. Pauses are cut by what the ticket's status was meanwhile.
CREATE VIEW sla.breach AS
SELECT o.ticket_id, o.source, o.external_id, o.org, o.plan, o.metric, o.cycle, o.policy, o.calendar, o.severity,
	o.started_at, o.due_at, o.at, c.state, c.ended_at, e.late_by * interval '1 second' AS late_by,
	coalesce(o.by_reassessment, false) AS by_reassessment,
	p.for_customer, p.for_third_party, v.severity_changes, v.severities, w.agent_words, w.agent_notes,
	a.alerts, a.first_alert_at, v.acknowledged_at
FROM sla.outcome o JOIN sla.clock c USING (ticket_id, metric, cycle)
LEFT JOIN sla.milestone e ON e.ticket_id = o.ticket_id AND e.metric = o.metric AND e.cycle = o.cycle AND e.milestone = 'met'
CROSS JOIN LATERAL (
	SELECT sum(least(f.until, s.until) - greatest(f.at, s.at)) FILTER (WHERE s.status = 'pending') AS for_customer,
		sum(least(f.until, s.until) - greatest(f.at, s.at)) FILTER (WHERE s.status = 'on_hold') AS for_third_party
	FROM (SELECT m.at, m.milestone, lead(m.at) OVER (ORDER BY m.at, m.id) AS until FROM sla.milestone m
			WHERE m.ticket_id = o.ticket_id AND m.metric = o.metric AND m.cycle = o.cycle
			AND m.milestone IN ('paused', 'resumed', 'breached')) f
	JOIN (SELECT n.at, n.status, coalesce(lead(n.at) OVER (ORDER BY n.seq), 'infinity') AS until FROM sla.event n
			WHERE n.ticket_id = o.ticket_id AND n.kind IN ('opened', 'status') AND n.refused IS NULL) s
		ON f.milestone = 'paused' AND s.at < f.until AND f.at < s.until) p
CROSS JOIN LATERAL (
	SELECT count(*) FILTER (WHERE n.kind = 'severity') AS severity_changes,
		string_agg(n.severity || ' by ' || n.by, ', ' ORDER BY n.seq) FILTER (WHERE n.kind = 'severity') AS severities,
		min(n.at) FILTER (WHERE n.kind = 'ack') AS acknowledged_at
	FROM sla.event n WHERE n.ticket_id = o.ticket_id AND n.kind IN ('severity', 'ack') AND n.refused IS NULL
	AND n.at BETWEEN o.started_at AND o.at) v
CROSS JOIN LATERAL (
	SELECT count(*) FILTER (WHERE n.public) AS agent_words, count(*) FILTER (WHERE NOT n.public) AS agent_notes
	FROM sla.event n WHERE n.ticket_id = o.ticket_id AND n.kind = 'reply' AND n.by = 'agent' AND n.refused IS NULL
	AND n.at BETWEEN o.started_at AND o.at) w
CROSS JOIN LATERAL (
	SELECT count(*) AS alerts, min(m.at) AS first_alert_at FROM sla.milestone m WHERE m.ticket_id = o.ticket_id
	AND m.metric = o.metric AND m.cycle = o.cycle AND m.milestone = 'escalated' AND m.at < o.at) a
WHERE o.verdict = 'missed';
COMMENT ON VIEW sla.breach IS 'Each breach, and what went on from the start of its clock until then';
COMMENT ON COLUMN sla.breach.at IS 'When it breached';
COMMENT ON COLUMN sla.breach.late_by IS 'Met after it was due by so much, by the wall clock; NULL: not met so far';
COMMENT ON COLUMN sla.breach.by_reassessment IS 'A change of severity put the deadline into the past';
COMMENT ON COLUMN sla.breach.for_customer IS 'How long it was paused while the ticket was pending';
COMMENT ON COLUMN sla.breach.for_third_party IS 'How long it was paused while the ticket was on_hold';
COMMENT ON COLUMN sla.breach.severities IS 'To what the severity was changed, and by whom';
COMMENT ON COLUMN sla.breach.agent_words IS 'Public replies by agents';
COMMENT ON COLUMN sla.breach.agent_notes IS 'Internal notes by agents';
COMMENT ON COLUMN sla.breach.alerts IS 'Escalations before it breached';
COMMENT ON COLUMN sla.breach.acknowledged_at IS 'When somebody first acknowledged';

GRANT SELECT ON sla.outcome, sla.attainment, sla.time_taken, sla.time_percentile, sla.breach TO sla_reader, sla_daemon;
