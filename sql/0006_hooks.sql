-- Reassessment rules that ask a hook: what is needed to ask it once more after a crash, and what came of it.

SET LOCAL ROLE sla_owner;

ALTER TABLE sla.reassessment
	ALTER COLUMN severity DROP NOT NULL,
	DROP CONSTRAINT outcome_is_applied_or_overtaken,
	ADD COLUMN by text NOT NULL DEFAULT 'system',
	ADD COLUMN called_by text,
	ADD COLUMN disputed boolean NOT NULL DEFAULT false,
	ADD COLUMN hook boolean NOT NULL DEFAULT false,
	ADD COLUMN failure text,
	ADD CONSTRAINT outcome_is_known CHECK (outcome IN ('applied', 'overtaken', 'unchanged', 'failed')),
	ADD CONSTRAINT only_hooks_lack_a_severity CHECK (severity IS NOT NULL OR hook),
	ADD CONSTRAINT failed_says_why CHECK ((failure IS NOT NULL) = (outcome IS NOT DISTINCT FROM 'failed'));
COMMENT ON TABLE sla.reassessment IS 'Severities that reassessment rules have set, and hooks that they have asked';
COMMENT ON COLUMN sla.reassessment.severity IS 'The new severity; NULL while a hook has not named one';
COMMENT ON COLUMN sla.reassessment.reason IS 'The hook''s where it gave one, else the rule''s';
COMMENT ON COLUMN sla.reassessment.outcome IS 'applied; overtaken: somebody changed the severity first; unchanged: the hook '
	'named none, or the one it was; failed: the hook gave no usable answer; NULL: still to be asked, or to be written to the ticket';
COMMENT ON COLUMN sla.reassessment.by IS 'Who set it';
COMMENT ON COLUMN sla.reassessment.called_by IS 'What called the rule: opened, severity_changed, at_risk, breached, dispute';
COMMENT ON COLUMN sla.reassessment.disputed IS 'Whether a dispute called the rule';
COMMENT ON COLUMN sla.reassessment.hook IS 'Whether the rule asks a hook';
COMMENT ON COLUMN sla.reassessment.failure IS 'failed: why';

-- What a hook is given on its standard input, or as the body of its request.
CREATE FUNCTION sla.hook_input(r sla.reassessment, t sla.ticket) RETURNS jsonb
LANGUAGE sql STABLE
RETURN pg_catalog.jsonb_build_object('rule', r.rule, 'called_by', r.called_by, 'disputed', r.disputed, 'at', r.at,
	'ticket', sla.ticket_summary(t) || pg_catalog.jsonb_build_object('attributes', t.attributes));

-- Notes a hook's answer: a severity by its configured name, none, or why it failed. An answer that came already stands.
CREATE FUNCTION sla.answer_hook(which bigint, answer text, why text, problem text) RETURNS void
LANGUAGE sql SECURITY DEFINER
BEGIN ATOMIC
	UPDATE sla.reassessment r SET severity = answer, reason = coalesce(why, r.reason), failure = problem,
		outcome = CASE WHEN problem IS NOT NULL THEN 'failed'
			WHEN answer IS NULL OR pg_catalog.lower(answer) = ANY (r.former_names) THEN 'unchanged' END
	WHERE r.id = which AND r.hook AND r.outcome IS NULL AND r.severity IS NULL;
END;

-- Writes severities to their tickets, as events by the system. A ticket that a writer has locked waits for the next call,
-- so that nobody's open transaction holds up the daemon. Of several for one ticket, the last alone becomes an event: one
-- for each would come back to the daemon after it has gone on to the last. How many tickets wait.
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
			IF coalesce(present = ANY (r.former_names) AND t.status <> 'closed', false) THEN
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

REVOKE EXECUTE ON FUNCTION sla.hook_input(sla.reassessment, sla.ticket),
	sla.answer_hook(bigint, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sla.hook_input(sla.reassessment, sla.ticket),
	sla.answer_hook(bigint, text, text, text) TO sla_daemon;
