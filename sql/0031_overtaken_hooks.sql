-- A hook's answer waits to be written where somebody's transaction holds the ticket. The daemon takes it as news once it is
-- written, but rules that have decided meanwhile are in force by then, and were decided after the answer's question: so the
-- answer is overtaken. It was written before them, and the daemon was left with it, and the ticket with theirs.

SET LOCAL ROLE sla_owner;

-- Whether something came between a reassessment that is still to be written and its being written. By somebody's word: by the
-- event, since the value tells nothing where it is a former name of the same severity. The event has a higher number than the
-- last that the rule knew of, or a later instant, where that last event is the one before which a timer called the rule. What
-- reassessments wrote is not meant. A hook's answer also by what a rule has set since the hook was called.
CREATE OR REPLACE FUNCTION sla.is_overtaken(r sla.reassessment) RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (
	SELECT FROM sla.event e WHERE e.ticket_id = (r).ticket_id AND e.kind = 'severity' AND (e.seq > (r).seq OR e.at > (r).at)
		AND NOT EXISTS (
			SELECT FROM sla.reassessment q WHERE q.ticket_id = e.ticket_id AND q.outcome = 'applied' AND e.by = 'system'
				AND q.severity = e.severity AND q.reason = e.reason))
	OR (r).hook AND EXISTS (
		SELECT FROM sla.reassessment q WHERE q.ticket_id = (r).ticket_id AND q.id > (r).id AND NOT q.hook
			AND (q.outcome IS NULL OR q.outcome = 'applied'));
