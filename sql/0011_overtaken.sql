-- A word on a severity that came after a rule's decision counts, also where it says what the rule found.

SET LOCAL ROLE sla_owner;

-- Whether somebody set the ticket's severity after the instant of a reassessment that is still to be written: by the event,
-- since the value tells nothing where it is a former name of the same severity. What reassessments wrote is not meant.
CREATE FUNCTION sla.is_overtaken(r sla.reassessment) RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (
	SELECT FROM sla.event e WHERE e.ticket_id = (r).ticket_id AND e.kind = 'severity' AND e.at > (r).at AND NOT EXISTS (
		SELECT FROM sla.reassessment q WHERE q.ticket_id = e.ticket_id AND q.outcome = 'applied' AND e.by = 'system'
			AND q.severity = e.severity AND q.reason = e.reason));
REVOKE EXECUTE ON FUNCTION sla.is_overtaken(sla.reassessment) FROM PUBLIC;

CREATE OR REPLACE FUNCTION sla.apply_reassessments() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' AS $$
DECLARE
	which bigint;
	t sla.ticket;
	r sla.reassessment;
	latest sla.reassessment;
	present text;
	waiting integer := 0;
BEGIN
	FOR which IN SELECT DISTINCT ticket_id FROM sla.reassessment WHERE outcome IS NULL AND severity IS NOT NULL ORDER BY 1 LOOP
		SELECT * INTO t FROM sla.ticket WHERE id = which FOR UPDATE SKIP LOCKED;
		IF NOT FOUND AND EXISTS (SELECT FROM sla.ticket WHERE id = which) THEN
			waiting := waiting + 1;
			CONTINUE;
		END IF;
		present := lower(t.severity);
		latest := NULL;
		FOR r IN SELECT * FROM sla.reassessment WHERE ticket_id = which AND outcome IS NULL AND severity IS NOT NULL
		ORDER BY id FOR UPDATE LOOP
			IF coalesce(present = ANY (r.former_names) AND t.status <> 'closed', false) AND NOT sla.is_overtaken(r) THEN
				present := lower(r.severity);
				latest := r;
				UPDATE sla.reassessment SET outcome = 'applied' WHERE id = r.id;
			ELSE
				UPDATE sla.reassessment SET outcome = 'overtaken' WHERE id = r.id;
			END IF;
		END LOOP;
		CONTINUE WHEN latest.id IS NULL;
		-- A rule set it when it was called, a hook only now.
		PERFORM set_config('sla.by', 'system', true), set_config('sla.reason', latest.reason, true),
			set_config('sla.at', CASE WHEN latest.hook THEN '' ELSE latest.at::text END, true);
		UPDATE sla.ticket SET severity = latest.severity WHERE id = which;
	END LOOP;
	PERFORM set_config('sla.by', '', true), set_config('sla.reason', '', true), set_config('sla.at', '', true);
	RETURN waiting;
END
$$;
