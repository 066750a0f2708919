-- A flush is sent ahead of its timers' instants by what the way takes, and waits here for the rest.

SET LOCAL ROLE sla_owner;

-- As it was, but a timer that is less than 2 ms ahead is waited for, by looking at the clock again and again: pg_sleep() knows
-- whole milliseconds only.
CREATE OR REPLACE FUNCTION sla.fence(run uuid, shards integer[], latest timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	held integer;
BEGIN
	PERFORM FROM sla.lease l WHERE l.shard = ANY (shards) AND l.nonce = run ORDER BY l.shard FOR SHARE;
	GET DIAGNOSTICS held = ROW_COUNT;
	IF held <> cardinality(shards) THEN
		RAISE object_not_in_prerequisite_state USING
			MESSAGE = format('the lease of %s of %s shards is lost', cardinality(shards) - held, cardinality(shards)),
			HINT = 'Another daemon has taken them over; this one loads everything anew.';
	END IF;
	WHILE latest > clock_timestamp() LOOP
		IF latest > clock_timestamp() + interval '2 ms' THEN
			RAISE object_not_in_prerequisite_state USING
				MESSAGE = format('a timer fired %s before its instant', latest - clock_timestamp()),
				HINT = 'The database''s clock was set back; the daemon measures it anew.';
		END IF;
	END LOOP;
	RETURN true;
END
$$;
