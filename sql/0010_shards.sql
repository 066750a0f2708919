-- Several daemons share the tickets: each holds the leases of a fair share of the shards.

SET LOCAL ROLE sla_owner;

-- How many shards are an instance's share among all that have had their word since `lasts` ago, itself among them. What
-- does not divide evenly goes to the first by name, so that all come to the same result.
CREATE FUNCTION sla.fair_share(holder text, lasts interval) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
	SELECT (256 / (count(*) + 1))::integer + (count(*) FILTER (WHERE i.name < holder) < 256 % (count(*) + 1))::integer
	FROM sla.instance i
	WHERE i.name <> holder AND i.stopped_at IS NULL AND i.seen_at > pg_catalog.clock_timestamp() - lasts;
END;

DROP FUNCTION sla.take_lease(text, uuid, interval);

-- Brings one run of an instance to its share: keeps what it or a former run of the same instance holds, gives up what is
-- too much, takes what is free. To be called when nothing of those shards is in memory. The shards held from then on.
CREATE FUNCTION sla.share_lease(holder text, run uuid, lasts interval) RETURNS integer[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	fair integer := sla.fair_share(holder, lasts);
	mine integer[];
BEGIN
	PERFORM FROM sla.lease ORDER BY shard FOR UPDATE;
	mine := ARRAY(SELECT l.shard FROM sla.lease l WHERE l.owner = holder ORDER BY l.shard);
	UPDATE sla.lease l SET owner = NULL, nonce = NULL, expires_at = clock_timestamp() WHERE l.shard = ANY (mine[fair + 1:]);
	mine := mine[:fair] || ARRAY(SELECT l.shard FROM sla.lease l WHERE l.owner IS DISTINCT FROM holder
		AND (l.owner IS NULL OR l.expires_at < clock_timestamp()) ORDER BY l.shard LIMIT fair - cardinality(mine[:fair]));
	UPDATE sla.lease l SET owner = holder, nonce = run, expires_at = clock_timestamp() + lasts,
		epoch = l.epoch + (l.nonce IS DISTINCT FROM run)::integer
	WHERE l.shard = ANY (mine);
	RETURN mine;
END
$$;

-- Makes one run's leases last again: how many it holds, how many should be its share, how many nobody has.
CREATE FUNCTION sla.renew_lease(holder text, run uuid, lasts interval) RETURNS integer[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	held integer;
BEGIN
	PERFORM FROM sla.lease l WHERE l.nonce = run ORDER BY l.shard FOR UPDATE;
	UPDATE sla.lease l SET expires_at = clock_timestamp() + lasts WHERE l.nonce = run;
	GET DIAGNOSTICS held = ROW_COUNT;
	RETURN ARRAY[held, sla.fair_share(holder, lasts),
		(SELECT count(*) FROM sla.lease l WHERE l.owner IS NULL OR l.expires_at < clock_timestamp())];
END
$$;

-- Ends one run's leases, and tells the other daemons, so that they need not wait.
CREATE OR REPLACE FUNCTION sla.end_lease(run uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM FROM sla.lease l WHERE l.nonce = run ORDER BY l.shard FOR UPDATE;
	UPDATE sla.lease l SET owner = NULL, nonce = NULL, expires_at = clock_timestamp() WHERE l.nonce = run;
	NOTIFY sla_event, 'lease';
END
$$;

-- As before, but locks in the order in which all lock.
CREATE OR REPLACE FUNCTION sla.fence(run uuid, shards integer[], latest timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	held integer;
BEGIN
	SELECT count(*) INTO held
	FROM (SELECT FROM sla.lease l WHERE l.shard = ANY (shards) AND l.nonce = run ORDER BY l.shard FOR SHARE) AS locked;
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

REVOKE EXECUTE ON FUNCTION sla.fair_share(text, interval), sla.share_lease(text, uuid, interval),
	sla.renew_lease(text, uuid, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sla.fair_share(text, interval), sla.share_lease(text, uuid, interval),
	sla.renew_lease(text, uuid, interval) TO sla_daemon;
