-- Thousands of clocks that breach in the same second, as after an outage, may each have a rule set a severity. Written in one
-- transaction they held all those tickets for as long as that took, and where that was longer than the daemon waits for an
-- answer, none was ever written.

SET LOCAL ROLE sla_owner;

-- Writes severities to their tickets, each as an event by the system, those first that were decided first. A ticket that a
-- writer has locked waits for the next call, so that nobody's open transaction holds up the daemon; and so do those beyond
-- 200, so that the daemon holds up no writer for long. 1: there may be more that need not wait, 0: there are none.
CREATE OR REPLACE FUNCTION sla.apply_reassessments() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' AS $$
DECLARE
	which bigint;
	t sla.ticket;
	r sla.reassessment;
	room integer := 200;
BEGIN
	FOR which IN SELECT ticket_id FROM sla.reassessment WHERE outcome IS NULL AND severity IS NOT NULL ORDER BY id LOOP
		SELECT * INTO t FROM sla.ticket WHERE id = which FOR UPDATE SKIP LOCKED;
		IF NOT FOUND AND EXISTS (SELECT FROM sla.ticket WHERE id = which) THEN
			CONTINUE;
		END IF;
		FOR r IN SELECT * FROM sla.reassessment WHERE ticket_id = which AND outcome IS NULL AND severity IS NOT NULL
		ORDER BY id FOR UPDATE LOOP
			IF NOT coalesce(lower(t.severity) = ANY (r.former_names) AND t.status <> 'closed', false) OR sla.is_overtaken(r) THEN
				UPDATE sla.reassessment SET outcome = 'overtaken' WHERE id = r.id;
				CONTINUE;
			END IF;
			-- A rule set it when it was called, a hook only now.
			PERFORM set_config('sla.by', 'system', true), set_config('sla.reason', r.reason, true),
				set_config('sla.at', CASE WHEN r.hook THEN '' ELSE r.at::text END, true);
			UPDATE sla.ticket SET severity = r.severity WHERE id = which RETURNING * INTO t;
			UPDATE sla.event SET by_rule = true WHERE ticket_id = which AND seq = t.event_seq AND NOT r.hook;
			UPDATE sla.reassessment SET outcome = 'applied' WHERE id = r.id;
		END LOOP;
		room := room - 1;
		EXIT WHEN room = 0;
	END LOOP;
	PERFORM set_config('sla.by', '', true), set_config('sla.reason', '', true), set_config('sla.at', '', true);
	RETURN (room = 0)::integer;
END
$$;
