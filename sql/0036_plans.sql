-- The daemon's sessions keep the plans of a flush. Those that were made while the tables were nearly empty go through all
-- rows for each flush, which takes longer the more is written, until the server's statistics are made anew, a minute later
-- or so: the minute in which a helpdesk with all its tickets is attached. So they are made anew when the tables have doubled.

SET LOCAL ROLE sla_owner;

-- As it was, but for the plans. They are looked to with large batches only, which are of many shards: tables do not grow
-- fast by small ones. sla.planned_for is the session's own: how large sla.ticket_state was, in bytes.
CREATE OR REPLACE FUNCTION sla.fence(run uuid, shards integer[], latest timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	held integer;
	size bigint;
BEGIN
	IF cardinality(shards) >= 32 THEN
		size := pg_relation_size('sla.ticket_state');
		IF size > 2 * coalesce(nullif(current_setting('sla.planned_for', true), ''), '0')::bigint THEN
			PERFORM set_config('sla.planned_for', size::text, false);
			DISCARD PLANS;
		END IF;
	END IF;
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
