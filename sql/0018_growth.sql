-- What grows. The log of events can be trimmed: it is partitioned by the time of recording, and sla.trim_events() drops
-- what is old. Where nobody trims, all events stay in one partition, which is the table that there was. And updates of
-- tickets' states and clocks stay within their pages.

SET LOCAL ROLE sla_owner;

-- An update of a column that stands in an index, be it in its condition alone, writes a new entry in each index of the
-- table (no HOT update). A status changes often, and whether the ticket is closed once; a clock's due with each pause, and
-- that it ended once.
ALTER TABLE sla.ticket_state ADD closed boolean NOT NULL GENERATED ALWAYS AS (status = 'closed') STORED;
COMMENT ON COLUMN sla.ticket_state.closed IS 'Whether the status is closed; for the index of tickets that are not';
DROP INDEX sla.ticket_state_open, sla.clock_open;
CREATE INDEX ticket_state_open ON sla.ticket_state (ticket_id) WHERE NOT closed;
CREATE INDEX clock_open ON sla.clock (ticket_id) WHERE ended_at IS NULL;

DO $$
DECLARE
	former oid := 'sla.event'::regclass;
	former_type oid := (SELECT reltype FROM pg_class WHERE oid = 'sla.event'::regclass);
	-- Views and functions written in SQL hold on to the table and its type, not to their names, so they are made anew.
	views text[] := ARRAY(SELECT DISTINCT format('CREATE OR REPLACE VIEW %s AS %s', r.ev_class::regclass, pg_get_viewdef(r.ev_class))
		FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = former);
	functions text[] := ARRAY(SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE EXISTS (SELECT FROM pg_depend d
		WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refobjid IN (former, former_type)) ORDER BY p.oid);
	by_type text[] := ARRAY(SELECT p.oid::regprocedure::text FROM pg_proc p
		WHERE p.prorettype = former_type OR former_type = ANY (p.proargtypes::oid[]));
	grants text[] := ARRAY(SELECT format('GRANT %s ON sla.event TO %s', a.privilege_type, a.grantee::regrole)
		FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = former AND a.grantee <> c.relowner
		UNION ALL SELECT format('GRANT %s (%I) ON sla.event TO %s', a.privilege_type, t.attname, a.grantee::regrole)
		FROM pg_attribute t, aclexplode(t.attacl) a WHERE t.attrelid = former);
	holder text;
	statement text;
BEGIN
	FOREACH statement IN ARRAY by_type LOOP
		EXECUTE format('DROP FUNCTION %s', statement);
	END LOOP;
	ALTER TABLE sla.event RENAME TO event_rest;
	ALTER INDEX sla.event_pkey RENAME TO event_rest_pkey;
	ALTER INDEX sla.event_xid RENAME TO event_rest_xid;
	CREATE TABLE sla.event (LIKE sla.event_rest INCLUDING DEFAULTS INCLUDING COMMENTS) PARTITION BY RANGE (recorded_at);
	ALTER TABLE sla.event ATTACH PARTITION sla.event_rest DEFAULT;
	CREATE INDEX event_xid ON sla.event (xid);
	-- Partitions are reached by the whole alone.
	FOR holder IN SELECT DISTINCT a.grantee::regrole FROM pg_class c, aclexplode(c.relacl) a
	WHERE c.oid = former AND a.grantee <> c.relowner LOOP
		EXECUTE format('REVOKE ALL ON sla.event_rest FROM %s', holder);
	END LOOP;
	FOREACH statement IN ARRAY views || functions || grants LOOP
		EXECUTE statement;
	END LOOP;
END
$$;
COMMENT ON TABLE sla.event IS 'What happened to tickets, in the order of seq within a ticket; append-only, written by triggers';
COMMENT ON TABLE sla.event_rest IS 'Events that no other partition is for: all of them before sla.trim_events() was first called';

-- The partitions of the log that have bounds.
CREATE FUNCTION sla.event_partitions() RETURNS TABLE (name regclass, since timestamptz, until timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT b.name, b.bounds[1]::timestamptz, b.bounds[2]::timestamptz FROM (
		SELECT c.oid::regclass, pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, c.oid), $re$FROM \('(.*)'\) TO \('(.*)'\)$re$)
		FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'sla.event'::regclass) AS b (name, bounds)
	WHERE b.bounds IS NOT NULL ORDER BY 2;
END;

-- Whether a partition holds an event that no daemon has applied. Such an event is needed whatever its age.
CREATE FUNCTION sla.has_unapplied(partition regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found boolean;
BEGIN
	EXECUTE format('SELECT EXISTS (SELECT FROM sla.ticket t LEFT JOIN sla.ticket_state s ON s.ticket_id = t.id '
		'WHERE t.event_seq > coalesce(s.applied_seq, 0) AND EXISTS (SELECT FROM %s e WHERE e.ticket_id = t.id '
		'AND e.seq > coalesce(s.applied_seq, 0)))', partition) INTO found;
	RETURN found;
END
$$;

-- Drops events that were recorded longer ago than `keep` and applied, a partition at a time: each holds a quarter of
-- that time, so the oldest event is at most `keep` and a quarter old. Makes the partitions for the time to come, a
-- quarter of it ahead, so it is to be called at least that often; where it was not, the default partition takes what
-- comes, until its turn comes as a whole. All checks come before the first lock that stops writers. What was done.
CREATE FUNCTION sla.trim_events(keep interval) RETURNS TABLE (partition text, outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
	width interval := keep / 4;
	latest timestamptz;
	gone text[];
	held text[];
BEGIN
	IF keep IS NULL OR keep < interval '10 seconds' THEN
		RAISE invalid_parameter_value USING
			MESSAGE = format('events cannot be kept for %s', coalesce(keep::text, 'NULL')),
			HINT = 'Say for how long they are to be there, such as interval ''90 days''.';
	END IF;
	-- Only one at a time; writers go on.
	LOCK TABLE sla.event IN SHARE UPDATE EXCLUSIVE MODE;
	SELECT array_agg(p.name::text) FILTER (WHERE NOT p.needed), array_agg(p.name::text) FILTER (WHERE p.needed) INTO gone, held
	FROM (SELECT e.name, sla.has_unapplied(e.name) AS needed FROM sla.event_partitions() e
		WHERE e.until <= clock_timestamp() - keep) AS p;
	IF (SELECT max(recorded_at) FROM sla.event_rest) <= clock_timestamp() - keep THEN
		IF sla.has_unapplied('sla.event_rest') THEN
			held := held || 'sla.event_rest'::text;
		ELSE
			TRUNCATE sla.event_rest;
			RETURN QUERY SELECT 'sla.event_rest', 'emptied';
		END IF;
	END IF;
	FOREACH partition IN ARRAY coalesce(gone, '{}') LOOP
		EXECUTE format('DROP TABLE %s', partition);
		RETURN QUERY SELECT partition, 'dropped';
	END LOOP;
	RETURN QUERY SELECT unnest(held), 'kept: it has events that no daemon has applied yet';
	SELECT max(e.until) INTO latest FROM sla.event_partitions() e;
	-- Where there is none for this moment, the default partition has rows up to now, so the next begins later.
	IF latest IS NULL OR latest < clock_timestamp() THEN
		latest := date_trunc('second', clock_timestamp() + width);
	END IF;
	WHILE latest < clock_timestamp() + width LOOP
		partition := 'sla.event_' || to_char(latest, 'YYYYMMDD"_"HH24MISS');
		EXECUTE format('CREATE TABLE %s (LIKE sla.event_rest INCLUDING DEFAULTS INCLUDING INDEXES) WITH (fillfactor = 90)', partition);
		EXECUTE format('COMMENT ON TABLE %s IS %L', partition, format('Events recorded from %s on', latest));
		EXECUTE format('ALTER TABLE sla.event ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)', partition, latest, latest + width);
		RETURN QUERY SELECT partition, format('made, for %s to %s', latest, latest + width);
		latest := latest + width;
	END LOOP;
END
$$;
COMMENT ON FUNCTION sla.trim_events(interval) IS
	'Drops events recorded longer ago than that and applied, and makes partitions for those to come';

REVOKE EXECUTE ON FUNCTION sla.event_partitions(), sla.has_unapplied(regclass), sla.trim_events(interval) FROM PUBLIC;
