-- What people do by hand, with slatectl: send again, and have a word on a severity.

SET LOCAL ROLE sla_owner;

-- slatectl looks there first, whatever it is asked to do.
GRANT SELECT ON sla.migration TO sla_writer;

-- Puts deliveries that were given up back among those to be sent, under their own keys and as if they were new; with
-- `again` delivered ones too. Their keys. Nobody else takes rows out of the log.
CREATE FUNCTION sla.replay(keys text[], again boolean DEFAULT false) RETURNS SETOF text
LANGUAGE sql SECURITY DEFINER
BEGIN ATOMIC
	WITH taken AS (
		DELETE FROM sla.delivery_log l WHERE l.key = ANY (keys) AND (l.state = 'dead' OR (again AND l.state = 'delivered'))
		RETURNING *)
	INSERT INTO sla.delivery (key, ticket_id, metric, cycle, kind, channel, address, payload)
	SELECT t.key, t.ticket_id, t.metric, t.cycle, t.kind, t.channel, t.address, t.payload FROM taken t ORDER BY t.position
	ON CONFLICT (key) DO NOTHING RETURNING key;
END;

-- An agent's word: sets a ticket's severity, as an event with a reason. False for a closed ticket.
CREATE FUNCTION sla.assess(ticket bigint, severity text, reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	taken boolean;
BEGIN
	PERFORM set_config('sla.by', 'agent', true), set_config('sla.reason', reason, true), set_config('sla.at', '', true);
	UPDATE sla.ticket t SET severity = assess.severity WHERE t.id = ticket AND t.status <> 'closed';
	taken := FOUND;
	PERFORM set_config('sla.by', '', true), set_config('sla.reason', '', true);
	RETURN taken;
END
$$;

REVOKE EXECUTE ON FUNCTION sla.replay(text[], boolean), sla.assess(bigint, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sla.replay(text[], boolean) TO sla_daemon;
GRANT EXECUTE ON FUNCTION sla.assess(bigint, text, text) TO sla_daemon, sla_writer;
