-- Tickets with what a daemon would have written about them, around the present instant. Ids count from 1.
-- 1 breached and at risk, 2 running, 3 paused without an external id, 4 just breached, 5 at risk,
-- 6 past its due with no daemon alive, 7 and 8 of one name, 9 of a name like a number, 10 with nothing, 11 quite ended.
INSERT INTO sla.ticket (source, external_id, org, plan, severity, channel, category, assignee, attributes, opened_at) VALUES
	('native', 'ACME-1', 'Acme Corp', 'enterprise-gold', 'S1', 'console', 'technical', 'kim', '{"licence": "enterprise"}', now() - interval '5 hours'),
	('native', 'ZUR-2', 'Zürich Re', 'enterprise-platinum', 'high', 'email', NULL, NULL, '{}', now() - interval '15 minutes'),
	('native', NULL, 'Acme Corp', 'scale', 'normal', 'email', NULL, NULL, '{}', now() - interval '2 days'),
	('native', 'BOLT-9', 'Bolt 100%', 'business', 'critical', 'console', NULL, NULL, '{}', now() - interval '70 minutes'),
	('native', 'EVIL-5', E'Evil\x1b[31m\nLtd', 'free_2', 'low', 'email', NULL, NULL, '{}', now() - interval '45 minutes'),
	('native', 'LATE-6', 'Slow & Sons', 'freeX2', 'low', 'email', NULL, NULL, '{}', now() - interval '3 hours'),
	('native', 'DUP', 'Acme Corp', NULL, 'low', NULL, NULL, NULL, '{}', now() - interval '1 hour'),
	('rt', 'DUP', 'Bolt 100%', NULL, 'low', NULL, NULL, NULL, '{}', now() - interval '1 hour'),
	('native', '10', NULL, NULL, NULL, NULL, NULL, NULL, '{}', now() - interval '1 hour'),
	('native', 'BARE', NULL, NULL, NULL, NULL, NULL, NULL, '{}', now() - interval '1 hour'),
	('native', 'DONE', 'Acme Corp', 'scale', 'low', 'email', NULL, NULL, '{}', now() - interval '1 day');
INSERT INTO sla.reply (ticket_id, author, public, body) VALUES (1, 'customer', true, 'Hello? #escalate'), (1, 'agent', false, 'looking');
INSERT INTO sla.ack (ticket_id, by, "for") VALUES (1, 'kim', interval '2 hours');
UPDATE sla.ticket SET plan = 'enterprise-gold-2', assignee = NULL WHERE id = 1;
BEGIN;
SET LOCAL sla.by = 'system';
SET LOCAL sla.reason = 'Critical does not apply.';
UPDATE sla.ticket SET severity = 'high' WHERE id = 1;
COMMIT;
UPDATE sla.ticket SET severity = 'catastrophic' WHERE id = 1;
UPDATE sla.event SET refused = 'unknown severity "catastrophic"' WHERE ticket_id = 1 AND severity = 'catastrophic';
INSERT INTO sla.merge (ticket_id, into_id) VALUES (11, 1);

INSERT INTO sla.ticket_state (ticket_id, applied_seq, severity, status, requested)
SELECT id, event_seq - CASE id WHEN 2 THEN 1 ELSE 0 END, 'critical', 'open', 0 FROM sla.ticket;

INSERT INTO sla.clock (ticket_id, metric, cycle, state, started_at, due_at, policy, calendar, severity, budget, consumed, paused_at,
	breached_at, ended_at, target, configuration, spans, levels_fired)
SELECT ticket_id, metric, cycle, state, now() + started, now() + due, policy, calendar, severity, budget * 1000000::bigint,
	consumed * 1000000::bigint, now() + paused, now() + breached, now() + ended, 0, 'digest',
	ARRAY(SELECT now() + s FROM unnest(spans::interval[]) AS s), levels::text[]
FROM (VALUES
	(1, 'first_response', 1, 'breached', interval '-5 hours', interval '-3 hours', 'gold', 'always', 'critical', 7200, 7200, NULL::interval, interval '-3 hours', NULL::interval, '{-5 hours,-3 hours}', '{50%,75%}'),
	(1, 'resolution', 1, 'running', '-5 hours', '3 hours', 'gold', 'support', 'critical', 28800, 600, NULL, NULL, NULL, '{-5 hours}', '{50%}'),
	(2, 'first_response', 1, 'running', '-15 minutes', '45 minutes', 'platinum', 'always', 'high', 3600, 0, NULL, NULL, NULL, '{-15 minutes}', '{}'),
	(3, 'resolution', 2, 'paused', '-2 days', NULL, 'gold', 'support', 'normal', 36000, 9000, '-1 hour', NULL, NULL, '{-2 days,-1 hour}', '{}'),
	(4, 'first_response', 1, 'breached', '-70 minutes', '-10 minutes', 'business', 'always', 'critical', 3600, 3600, NULL, '-10 minutes', NULL, '{-70 minutes,-10 minutes}', '{}'),
	(5, 'update', 3, 'running', '-45 minutes', '15 minutes', 'free', 'always', 'low', 3600, 2700, NULL, NULL, NULL, '{-60 minutes,-40 minutes,-30 minutes}', '{75%}'),
	(6, 'first_response', 1, 'running', '-3 hours', '-1 minute', 'free', 'always', 'low', 10740, 0, NULL, NULL, NULL, '{-3 hours}', '{}'),
	(11, 'first_response', 1, 'met', '-1 day', '-22 hours', 'gold', 'always', 'low', 7200, 3600, NULL, NULL, '-23 hours', '{-1 day,-23 hours}', '{}'),
	(11, 'resolution', 1, 'withdrawn', '-1 day', '1 day', 'gold', 'always', 'low', 172800, 86400, NULL, NULL, '-1 second', '{-1 day,-1 second}', '{}')
) AS c (ticket_id, metric, cycle, state, started, due, policy, calendar, severity, budget, consumed, paused, breached, ended, spans, levels);

INSERT INTO sla.milestone (ticket_id, metric, cycle, milestone, level, at, due_at, policy, calendar, severity, late_by, reason, by_reassessment,
	escalation, step, trigger, repeat, notify, instance, recorded_at)
SELECT ticket_id, metric, cycle, milestone, level, now() + at, now() + due, 'gold', 'always', 'critical', late, reason, reassessed,
	escalation, step, trigger, repeat, notify::text[], 'support-1',
	now() + at + coalesce(late, 0.01) * interval '1 second'
FROM (VALUES
	(1, 'first_response', 1, 'started', NULL, interval '-5 hours', interval '-3 hours', NULL::numeric, NULL, NULL::boolean, NULL, NULL::integer, NULL, NULL::integer, NULL),
	(1, 'first_response', 1, 'at_risk', '75%', '-210 minutes', '-3 hours', 90.5, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(1, 'first_response', 1, 'at_risk', '15m', '-195 minutes', '-3 hours', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(1, 'first_response', 1, 'breached', NULL, '-3 hours', '-3 hours', NULL, NULL, true, NULL, NULL, NULL, NULL, NULL),
	(1, 'first_response', 1, 'escalated', NULL, '-3 hours', NULL, NULL, NULL, NULL, 'gold', 2, 'breached', 0, '{pager,lead}'),
	(1, 'resolution', 2, 'paused', NULL, '-80 minutes', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(1, 'resolution', 2, 'resumed', NULL, '-70 minutes', '3 hours', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(1, 'resolution', 2, 'retargeted', NULL, '-60 minutes', '2 hours', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(1, 'resolution', 2, 'met', NULL, '-50 minutes', '-55 minutes', 300, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(11, 'first_response', 1, 'met', NULL, '-23 hours', '-22 hours', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(11, 'resolution', 1, 'withdrawn', NULL, '-1 second', NULL, NULL, 'merged', NULL, NULL, NULL, NULL, NULL, NULL)
) AS m (ticket_id, metric, cycle, milestone, level, at, due, late, reason, reassessed, escalation, step, trigger, repeat, notify);

INSERT INTO sla.delivery (key, ticket_id, metric, cycle, kind, channel, payload, state, attempts, next_attempt_at, last_error) VALUES
	('sla-1-b', 1, 'first_response', 1, 'escalated', 'lead', '{}', 'pending', 3, now() + interval '115 seconds', E'HTTP 503\x1b]0;owned\x07'),
	('sla-1-c', 1, 'resolution', 2, 'escalated', 'pager', '{}', 'pending', 0, now(), NULL);
INSERT INTO sla.delivery_log (key, position, ticket_id, metric, cycle, kind, channel, payload, state, attempts, last_error, created_at, outcome) VALUES
	('sla-1-a', -2, 1, 'first_response', 1, 'escalated', 'pager', '{}', 'delivered', 1, NULL, now() - interval '3 hours', 'HTTP 204'),
	('sla-1-z', -1, 1, 'first_response', 1, 'escalated', 'script', '{}', 'dead', 8, 'exit status 7', now() - interval '3 hours', 'exit status 7');

INSERT INTO sla.milestone (ticket_id, metric, cycle, milestone, at, escalation, step, trigger, repeat, notify, told, unset, silenced_by, recorded_at) VALUES
	(1, 'first_response', 1, 'escalated', now() - interval '2 hours', 'gold', 2, 'breached', 1, '{pager,lead}', '{pager,mail kim@example.com}', '{assignee,team}', NULL, now() - interval '2 hours'),
	(1, NULL, NULL, 'escalated', now() - interval '90 minutes', 'gold', 3, 'requested:1', 0, '{}', '{}', NULL, 7, now() - interval '90 minutes');
INSERT INTO sla.delivery_log (key, position, ticket_id, metric, cycle, kind, channel, address, payload, state, attempts, created_at, outcome, digest) VALUES
	('sla-3-d', -3, 3, 'resolution', 2, 'escalated', 'mail', 'kim@example.com', '{}', 'delivered', 1, now() - interval '4 hours', 'delivered', 'sla-digest-9'),
	('sla-3-e', -4, 3, 'resolution', 2, 'escalated', 'mail', NULL, '{}', 'superseded', 0, now() - interval '5 hours', NULL, NULL),
	('sla-test-f', -5, NULL, NULL, NULL, 'test', 'pager', NULL, '{}', 'delivered', 1, now() - interval '6 hours', 'HTTP 202', NULL);
INSERT INTO sla.delivery (key, ticket_id, kind, channel, payload, claimed_by) VALUES ('sla-9-g', 9, 'escalated', 'lead', '{}', 'one');
INSERT INTO sla.reassessment (ticket_id, at, rule, former, former_names, severity, reason, outcome) VALUES
	(1, now() - interval '1 hour', 'billing-is-never-critical', 'critical', '{critical,s1}', 'high', 'Critical does not apply.', 'applied'),
	(1, now(), 'triage', 'high', '{high,s2}', 'normal', 'It can wait.', NULL);
INSERT INTO sla.reassessment (ticket_id, at, rule, former, former_names, severity, reason, outcome, called_by, disputed, hook, failure) VALUES
	(1, now(), 'oracle', 'high', '{high,s2}', NULL, 'x', 'failed', 'at_risk', false, true, E'exit status 1: \x1b]0;owned\x07'),
	(1, now(), 'asked', 'high', '{high,s2}', NULL, 'x', NULL, 'opened', false, true, NULL),
	(1, now(), 'content', 'high', '{high,s2}', 'high', 'x', 'unchanged', 'opened', false, true, NULL),
	(1, now(), 'panel', 'high', '{high,s2}', 'low', 'Read again.', 'applied', 'dispute', true, true, NULL);
