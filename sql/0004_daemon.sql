-- What the daemon calls, and what it tells of itself.

SET LOCAL ROLE sla_owner;

CREATE TABLE sla.instance (
	name text PRIMARY KEY,
	version text NOT NULL,
	pid integer NOT NULL,
	started_at timestamptz NOT NULL,
	seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	stopped_at timestamptz,
	configuration text NOT NULL,
	shards integer NOT NULL,
	poll_only boolean NOT NULL DEFAULT false,
	tickets bigint NOT NULL,
	next_at timestamptz,
	lag interval NOT NULL,
	refused bigint NOT NULL DEFAULT 0,
	last_error text,
	last_error_at timestamptz
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE sla.instance IS 'Each daemon''s last word about itself, every few seconds';
COMMENT ON COLUMN sla.instance.name IS 'instance.name of its configuration';
COMMENT ON COLUMN sla.instance.seen_at IS 'When it said so; by the database''s clock';
COMMENT ON COLUMN sla.instance.stopped_at IS 'When it was stopped in good order; NULL while it runs or where it died';
COMMENT ON COLUMN sla.instance.configuration IS 'Digest of the configuration in force';
COMMENT ON COLUMN sla.instance.shards IS 'How many shards of tickets it looks after';
COMMENT ON COLUMN sla.instance.poll_only IS 'True where no NOTIFY reaches it, as through a transaction-pooling PgBouncer';
COMMENT ON COLUMN sla.instance.tickets IS 'Open tickets in its memory';
COMMENT ON COLUMN sla.instance.next_at IS 'When the next level, due or ladder step comes';
COMMENT ON COLUMN sla.instance.lag IS 'How late the latest timer since its last word was recorded';
COMMENT ON COLUMN sla.instance.refused IS 'Events refused since it started';
COMMENT ON COLUMN sla.instance.last_error IS 'The last thing that went wrong since it started';

GRANT SELECT, INSERT, UPDATE ON sla.instance TO sla_daemon;
GRANT SELECT ON sla.instance TO sla_reader;

-- Takes all shards for one run of an instance. A lease that another instance holds must have run out; one's own former
-- run, dead or fenced off by this, is no obstacle. How many are held now.
CREATE FUNCTION sla.take_lease(holder text, run uuid, lasts interval) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	held integer;
BEGIN
	PERFORM FROM sla.lease ORDER BY shard FOR UPDATE;
	UPDATE sla.lease l SET owner = holder, nonce = run, expires_at = clock_timestamp() + lasts,
		epoch = l.epoch + (l.nonce IS DISTINCT FROM run)::integer
	WHERE l.nonce = run OR l.owner IS NULL OR l.owner = holder OR l.expires_at < clock_timestamp();
	SELECT count(*) INTO held FROM sla.lease l WHERE l.nonce = run;
	RETURN held;
END
$$;

-- Ends one run's leases, so that the next daemon need not wait.
CREATE FUNCTION sla.end_lease(run uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER
BEGIN ATOMIC
	UPDATE sla.lease SET expires_at = pg_catalog.clock_timestamp(), owner = NULL WHERE nonce = run;
END;

-- Stops a flush of a daemon that has lost its lease, or that is ahead of the database's clock.
CREATE FUNCTION sla.fence(run uuid, shards integer[], latest timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	held integer;
BEGIN
	SELECT count(*) INTO held
	FROM (SELECT FROM sla.lease l WHERE l.shard = ANY (shards) AND l.nonce = run FOR SHARE) AS locked;
	IF held <> cardinality(shards) THEN
		RAISE object_not_in_prerequisite_state USING
			MESSAGE = format('the lease of %s of %s shards is lost', cardinality(shards) - held, cardinality(shards)),
			HINT = 'Another daemon has taken them over; this one loads everything anew.';
	END IF;
	IF latest > clock_timestamp() THEN
		RAISE object_not_in_prerequisite_state USING
			MESSAGE = format('a timer fired %s before its instant', latest - clock_timestamp()),
			HINT = 'The database''s clock was set back; the daemon measures it anew.';
	END IF;
	RETURN true;
END
$$;

-- Severities that rules have set: in force in the daemon from the commit on, and to be written to the ticket.
CREATE TABLE sla.reassessment (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	ticket_id bigint NOT NULL,
	at timestamptz NOT NULL,
	rule text NOT NULL,
	former text NOT NULL,
	former_names text[] NOT NULL,
	severity text NOT NULL,
	reason text NOT NULL,
	outcome text,
	CONSTRAINT outcome_is_applied_or_overtaken CHECK (outcome IN ('applied', 'overtaken'))
);
CREATE INDEX reassessment_waiting ON sla.reassessment (id) WHERE outcome IS NULL;
CREATE INDEX reassessment_ticket ON sla.reassessment (ticket_id);
COMMENT ON TABLE sla.reassessment IS 'Severities that reassessment rules have set';
COMMENT ON COLUMN sla.reassessment.former IS 'The severity before, by its configured name';
COMMENT ON COLUMN sla.reassessment.former_names IS 'That name and its aliases in lower case, as a ticket may have it';
COMMENT ON COLUMN sla.reassessment.outcome IS 'applied; overtaken: somebody changed the severity first; NULL: still to be written to the ticket';
GRANT SELECT, INSERT ON sla.reassessment TO sla_daemon;
GRANT SELECT ON sla.reassessment TO sla_reader;

-- Writes them to their tickets, each as an event by the system. A ticket that a writer has locked waits for the next
-- call, so that nobody's open transaction holds up the daemon. How many wait.
CREATE FUNCTION sla.apply_reassessments() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' AS $$
DECLARE
	r sla.reassessment;
	waiting integer := 0;
BEGIN
	FOR r IN SELECT * FROM sla.reassessment WHERE outcome IS NULL ORDER BY id FOR UPDATE LOOP
		PERFORM FROM sla.ticket t WHERE t.id = r.ticket_id FOR UPDATE SKIP LOCKED;
		IF NOT FOUND AND EXISTS (SELECT FROM sla.ticket t WHERE t.id = r.ticket_id) THEN
			waiting := waiting + 1;
			CONTINUE;
		END IF;
		PERFORM set_config('sla.by', 'system', true), set_config('sla.reason', r.reason, true),
			set_config('sla.at', r.at::text, true);
		UPDATE sla.ticket t SET severity = r.severity
		WHERE t.id = r.ticket_id AND lower(t.severity) = ANY (r.former_names) AND t.status <> 'closed';
		UPDATE sla.reassessment SET outcome = CASE WHEN FOUND THEN 'applied' ELSE 'overtaken' END WHERE id = r.id;
	END LOOP;
	PERFORM set_config('sla.by', '', true), set_config('sla.reason', '', true), set_config('sla.at', '', true);
	RETURN waiting;
END
$$;

-- Names a delivery for ever: the same milestone on the same channel has the same key, whoever records it and when.
CREATE FUNCTION sla.delivery_key(ticket bigint, metric text, cycle integer, what text, channel text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 'sla-' || ticket::text || '-' || pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
	pg_catalog.concat_ws('|', ticket::text, coalesce(metric, ''), coalesce(cycle, 0)::text, what, channel), 'UTF8')),
	'hex'), 24);

-- What every alert about a ticket says of it.
CREATE FUNCTION sla.ticket_summary(t sla.ticket) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('id', t.id, 'source', t.source,
	'external_id', t.external_id, 'org', t.org, 'plan', t.plan, 'severity', t.severity, 'status', t.status,
	'channel', t.channel, 'category', t.category, 'product', t.product, 'environment', t.environment,
	'version', t.version, 'assignee', t.assignee, 'team', t.team, 'opened_at', t.opened_at));

REVOKE EXECUTE ON FUNCTION sla.take_lease(text, uuid, interval), sla.end_lease(uuid),
	sla.fence(uuid, integer[], timestamptz), sla.apply_reassessments() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sla.take_lease(text, uuid, interval), sla.end_lease(uuid),
	sla.fence(uuid, integer[], timestamptz), sla.apply_reassessments(),
	sla.delivery_key(bigint, text, integer, text, text), sla.ticket_summary(sla.ticket) TO sla_daemon;
