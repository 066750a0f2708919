-- What the HTTP API changes, and who did.

SET LOCAL ROLE sla_owner;

CREATE TABLE sla.audit (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	who text NOT NULL,
	origin text NOT NULL,
	action text NOT NULL,
	ticket_id bigint,
	detail jsonb NOT NULL DEFAULT '{}',
	CONSTRAINT action_is_known CHECK (action IN ('acknowledge', 'assess', 'silence', 'end_silence'))
);
CREATE INDEX audit_ticket ON sla.audit (ticket_id, at) WHERE ticket_id IS NOT NULL;
COMMENT ON TABLE sla.audit IS 'What was changed over HTTP; append-only, each row in the transaction of its change';
COMMENT ON COLUMN sla.audit.who IS 'The name that the request gave; the token alone says only that it was allowed';
COMMENT ON COLUMN sla.audit.origin IS 'The address that the request came from, or pagerduty';
COMMENT ON COLUMN sla.audit.action IS 'acknowledge, assess, silence, end_silence';
COMMENT ON COLUMN sla.audit.detail IS 'What else the request said';

-- An agent's word on a severity, which has the configured name `severity`; `names` are all its names in lower case.
-- It changes the ticket, or confirms what the ticket has. What became of it: changed, confirmed, unknown (there is no
-- such ticket) or closed.
CREATE FUNCTION sla.give_word(ticket bigint, severity text, names text[], by text, reason text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
	former text;
	status text;
BEGIN
	SELECT t.severity, t.status INTO former, status FROM sla.ticket t WHERE t.id = ticket FOR NO KEY UPDATE;
	IF status IS NULL OR status = 'closed' THEN
		RETURN CASE WHEN status IS NULL THEN 'unknown' ELSE 'closed' END;
	END IF;
	IF lower(former) = ANY (names) THEN
		INSERT INTO sla.assessment (ticket_id, by, reason) VALUES (ticket, give_word.by, give_word.reason);
		RETURN 'confirmed';
	END IF;
	PERFORM sla.assess(ticket, give_word.severity, format('%s (%s)', give_word.reason, give_word.by));
	RETURN 'changed';
END
$$;
COMMENT ON FUNCTION sla.give_word(bigint, text, text[], text, text) IS
	'Sets or confirms a ticket''s severity: changed, confirmed, unknown or closed';

REVOKE EXECUTE ON FUNCTION sla.give_word(bigint, text, text[], text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sla.give_word(bigint, text, text[], text, text) TO sla_daemon;
GRANT SELECT, INSERT ON sla.audit TO sla_daemon;
GRANT SELECT ON sla.audit TO sla_reader;
-- Attainment looks at the milestones of some weeks.
CREATE INDEX milestone_outcome ON sla.milestone (at) WHERE milestone IN ('met', 'breached');
-- Lists of clocks have the tickets' links.
GRANT EXECUTE ON FUNCTION sla.ticket_link(text, sla.ticket) TO sla_reader;
