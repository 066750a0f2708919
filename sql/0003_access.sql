-- Views for people, and who may do what.

SET LOCAL ROLE sla_owner;

CREATE VIEW sla.open_clock AS
SELECT c.ticket_id, t.source, t.external_id, t.org, t.plan, t.status, t.assignee, t.team,
	c.metric, c.cycle, c.state, c.policy, c.calendar, c.severity, c.started_at, c.due_at,
	c.due_at - clock_timestamp() AS due_in, c.paused_at, c.breached_at, c.budget, c.consumed
FROM sla.clock c JOIN sla.ticket t ON t.id = c.ticket_id
WHERE c.ended_at IS NULL;
COMMENT ON VIEW sla.open_clock IS 'Clocks that run, pause or have breached and wait to be met, with their tickets';
COMMENT ON COLUMN sla.open_clock.due_in IS 'By the wall clock, closed hours included; negative when overdue';

REVOKE ALL ON ALL TABLES IN SCHEMA sla FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA sla FROM PUBLIC;
GRANT USAGE ON SCHEMA sla TO sla_daemon, sla_writer, sla_reader;
-- Row triggers that run as the writer call these.
GRANT EXECUTE ON FUNCTION sla.check_instant(text, timestamptz), sla.asks_escalation(text), sla.given_at(),
	sla.attributes_differ(sla.ticket, sla.ticket) TO sla_writer, sla_daemon;

GRANT SELECT,
	INSERT (source, external_id, org, plan, severity, status, channel, category, product, environment, version,
		assignee, team, attributes, opened_at),
	UPDATE (source, external_id, org, plan, severity, status, channel, category, product, environment, version,
		assignee, team, attributes, opened_at)
	ON sla.ticket TO sla_writer;
GRANT SELECT, INSERT ON sla.reply, sla.dispute, sla.assessment, sla.ack, sla.merge TO sla_writer;

GRANT SELECT ON sla.ticket, sla.reply, sla.dispute, sla.assessment, sla.ack, sla.merge, sla.event, sla.ticket_state,
	sla.clock, sla.milestone, sla.delivery, sla.delivery_log, sla.lease, sla.migration, sla.open_clock TO sla_reader;
GRANT SELECT (digest, loaded_at, instance) ON sla.configuration TO sla_reader;

GRANT SELECT ON sla.ticket, sla.event, sla.migration, sla.open_clock TO sla_daemon;
GRANT UPDATE (late, refused) ON sla.event TO sla_daemon;
GRANT SELECT, INSERT, UPDATE ON sla.ticket_state, sla.clock TO sla_daemon;
GRANT SELECT, INSERT ON sla.milestone, sla.delivery_log, sla.configuration TO sla_daemon;
GRANT SELECT, INSERT, UPDATE, DELETE ON sla.delivery TO sla_daemon;
GRANT SELECT, UPDATE ON sla.lease TO sla_daemon;
