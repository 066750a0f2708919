-- What comes in through the daemon's HTTP server.

SET LOCAL ROLE sla_owner;

CREATE TABLE sla.inbound (
	id text PRIMARY KEY,
	received_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX inbound_received ON sla.inbound (received_at);
COMMENT ON TABLE sla.inbound IS 'Messages that came in over HTTP and took effect, kept for a week so that a repeated one is dropped';
COMMENT ON COLUMN sla.inbound.id IS 'Its sender''s name for it: "webhook:" and a webhook-id, "pagerduty:" and an event''s id';

-- Acknowledges a ticket in somebody's name, for ever or for as long as `hold` says. A message id that has taken effect
-- already changes nothing; without one every call counts. What became of it: acknowledged, repeated, unknown (there is
-- no such ticket) or closed. A ticket that somebody's open transaction holds makes it fail instead of waiting long,
-- since others wait behind it.
CREATE FUNCTION sla.acknowledge(ticket bigint, by text, hold interval, message_id text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
	status text;
BEGIN
	IF message_id IS NOT NULL THEN
		INSERT INTO sla.inbound (id) VALUES (message_id) ON CONFLICT DO NOTHING;
		IF NOT FOUND THEN
			RETURN 'repeated';
		END IF;
	END IF;
	SELECT t.status INTO status FROM sla.ticket t WHERE t.id = ticket FOR NO KEY UPDATE;
	IF status IS NULL OR status = 'closed' THEN
		-- Without effect, so that the same message may come again once there is such a ticket.
		DELETE FROM sla.inbound i WHERE i.id = message_id;
		RETURN CASE WHEN status IS NULL THEN 'unknown' ELSE 'closed' END;
	END IF;
	INSERT INTO sla.ack (ticket_id, by, "for") VALUES (ticket, acknowledge.by, hold);
	DELETE FROM sla.inbound i WHERE i.received_at < clock_timestamp() - interval '7 days';
	RETURN 'acknowledged';
END
$$;
COMMENT ON FUNCTION sla.acknowledge(bigint, text, interval, text) IS
	'Acknowledges a ticket once per message: acknowledged, repeated, unknown or closed';

REVOKE ALL ON sla.inbound FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION sla.acknowledge(bigint, text, interval, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sla.acknowledge(bigint, text, interval, text) TO sla_daemon;
