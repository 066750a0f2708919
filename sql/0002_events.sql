-- From changes of tickets to rows of sla.event, in the writer's own transaction.
--
-- A ticket's row lock orders its events: whoever adds one first updates the ticket's row, where a BEFORE trigger counts
-- event_seq, and holds that lock until the commit. So seq has no gaps and follows the order of commits.
-- Functions that write are SECURITY DEFINER, since a ticket system may not touch sla.event; each has a fixed search_path
-- with pg_temp last, and nobody else may put them on a table of their own.

SET LOCAL ROLE sla_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE sla_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- Instants that come from outside.

CREATE FUNCTION sla.check_instant(what text, at timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	-- Some ticket systems write "unset" as the epoch.
	IF at IS NULL OR at <= 'epoch' THEN
		RAISE not_null_violation USING
			MESSAGE = format('%s is missing', what),
			HINT = format('Leave %s out to mean now, or give an instant after 1970-01-01 and not in the future.', what);
	END IF;
	IF at > clock_timestamp() + interval '1 minute' THEN
		RAISE check_violation USING
			MESSAGE = format('%s %s lies in the future', what, at),
			HINT = format('At most one minute ahead of the database''s clock is allowed, which says %s.', clock_timestamp());
	END IF;
	RETURN at;
END
$$;

-- model.md section 8: case-blind, not followed by a letter, digit, "_" or "-", not in a line whose first non-blank
-- is ">". Letters as in daemon/core/token.c, spelled out so that no database's locale changes the answer.
CREATE FUNCTION sla.asks_escalation(body text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(pg_catalog.translate(body, E'\r', E'\n') COLLATE "C" ~ ('(?n)^[ \t]*(?:[^ \t>].*)?'
	'#[Ee][Ss][Cc][Aa][Ll][Aa][Tt][Ee](?![A-Za-z0-9_\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u1fff'
	'\u3041-\ud7a3\uf900-\ufaff-])'), false);

CREATE FUNCTION sla.prepare_input() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	NEW.at := sla.check_instant('at', coalesce(NEW.at, clock_timestamp()));
	RETURN NEW;
END
$$;

CREATE FUNCTION sla.prepare_reply() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	NEW.at := sla.check_instant('at', coalesce(NEW.at, clock_timestamp()));
	NEW.escalate := sla.asks_escalation(NEW.body);
	NEW.body := NULL;
	RETURN NEW;
END
$$;

-- A wake-up for the daemon, at most about ten a second. Not transactional on purpose: setval() and reading a sequence
-- lock nothing, while each NOTIFY makes committers queue up. Any other tick will do, so that a clock set back cannot
-- silence it; a queue that fills up means that some listener is stuck, and then the daemon polls.
CREATE FUNCTION sla.hint() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	tick bigint := floor(extract(epoch FROM clock_timestamp()) * 10);
BEGIN
	IF tick <> (SELECT last_value FROM sla.hint_tick) AND pg_notification_queue_usage() <= 0.25 THEN
		PERFORM setval('sla.hint_tick', tick);
		PERFORM pg_notify('sla_event', '');
	END IF;
END
$$;

-- Tickets.

CREATE FUNCTION sla.attributes_differ(o sla.ticket, n sla.ticket) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN (o.org, o.plan, o.channel, o.category, o.product, o.environment, o.version, o.assignee, o.team, o.attributes)
	IS DISTINCT FROM
	(n.org, n.plan, n.channel, n.category, n.product, n.environment, n.version, n.assignee, n.team, n.attributes);

-- What an UPDATE makes of a JSON object: the keys that changed, null for those removed.
CREATE FUNCTION sla.changed_keys(o jsonb, n jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT pg_catalog.jsonb_object_agg(k, n -> k)
	FROM (SELECT pg_catalog.jsonb_object_keys(o) UNION SELECT pg_catalog.jsonb_object_keys(n)) AS keys (k)
	WHERE (o -> k) IS DISTINCT FROM (n -> k);
END;

-- Checks the row and counts its events; sla.ticket_events() then writes just as many.
CREATE FUNCTION sla.count_ticket_events() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	events bigint;
BEGIN
	NEW.attributes := coalesce(NEW.attributes, '{}');
	IF TG_OP = 'INSERT' THEN
		NEW.opened_at := sla.check_instant('opened_at', NEW.opened_at);
		NEW.event_seq := 1;
		NEW.last_event_at := NEW.opened_at;
		NEW.claim := 0;
		RETURN NEW;
	END IF;
	IF NEW.id IS DISTINCT FROM OLD.id OR NEW.opened_at IS DISTINCT FROM OLD.opened_at THEN
		RAISE check_violation USING
			MESSAGE = format('id and opened_at of ticket %s never change', OLD.id),
			HINT = format('It was opened at %s; leave both columns as they are.', OLD.opened_at);
	END IF;
	IF OLD.status = 'closed' AND NEW.status <> 'closed' THEN
		RAISE check_violation USING
			MESSAGE = format('ticket %s is closed and cannot become %s', OLD.id, NEW.status),
			HINT = 'Closed is final. Use solved for tickets that may be reopened, or open a new ticket.';
	END IF;
	events := sla.attributes_differ(OLD, NEW)::integer
		+ (NEW.severity IS DISTINCT FROM OLD.severity)::integer
		+ (NEW.status IS DISTINCT FROM OLD.status)::integer;
	IF events > 0 THEN
		NEW.last_event_at := greatest(OLD.last_event_at, coalesce(sla.given_at(), clock_timestamp()));
	ELSIF NEW.claim > 0 THEN
		NEW.last_event_at := greatest(OLD.last_event_at, NEW.last_event_at);
	ELSE
		NEW.last_event_at := OLD.last_event_at;
	END IF;
	NEW.event_seq := OLD.event_seq + events + NEW.claim;
	NEW.claim := 0;
	RETURN NEW;
END
$$;

-- An adapter that follows another system's history says when its UPDATE happened there.
CREATE FUNCTION sla.given_at() RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	given text := nullif(current_setting('sla.at', true), '');
BEGIN
	IF given IS NULL THEN
		RETURN NULL;
	END IF;
	RETURN sla.check_instant('sla.at', given::timestamptz);
END
$$;

-- The events of one change; `o` is NULL for a new ticket. Inlined into the triggers' statements.
CREATE FUNCTION sla.ticket_events(o sla.ticket, n sla.ticket, given_at timestamptz, given_by text, given_reason text)
RETURNS TABLE (ticket_id bigint, seq bigint, at timestamptz, kind text, by text, status text, severity text, reason text,
	org text, plan text, channel text, category text, product text, environment text, version text, assignee text,
	team text, attributes jsonb, changed text[])
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT n.id, 1::bigint, n.opened_at, 'opened', NULL::text, n.status, n.severity, NULL::text,
		n.org, n.plan, n.channel, n.category, n.product, n.environment, n.version, n.assignee, n.team,
		n.attributes, NULL::text[]
	WHERE o.id IS NULL
	UNION ALL
	SELECT n.id,
		n.event_seq - (n.severity IS DISTINCT FROM o.severity)::integer - (n.status IS DISTINCT FROM o.status)::integer,
		coalesce(given_at, n.last_event_at), 'changed', NULL, NULL, NULL, NULL,
		nullif(n.org, o.org), nullif(n.plan, o.plan), nullif(n.channel, o.channel),
		nullif(n.category, o.category), nullif(n.product, o.product), nullif(n.environment, o.environment),
		nullif(n.version, o.version), nullif(n.assignee, o.assignee), nullif(n.team, o.team),
		sla.changed_keys(o.attributes, n.attributes),
		pg_catalog.array_remove(ARRAY[
			CASE WHEN n.org IS DISTINCT FROM o.org THEN 'org' END,
			CASE WHEN n.plan IS DISTINCT FROM o.plan THEN 'plan' END,
			CASE WHEN n.channel IS DISTINCT FROM o.channel THEN 'channel' END,
			CASE WHEN n.category IS DISTINCT FROM o.category THEN 'category' END,
			CASE WHEN n.product IS DISTINCT FROM o.product THEN 'product' END,
			CASE WHEN n.environment IS DISTINCT FROM o.environment THEN 'environment' END,
			CASE WHEN n.version IS DISTINCT FROM o.version THEN 'version' END,
			CASE WHEN n.assignee IS DISTINCT FROM o.assignee THEN 'assignee' END,
			CASE WHEN n.team IS DISTINCT FROM o.team THEN 'team' END,
			CASE WHEN n.attributes IS DISTINCT FROM o.attributes THEN 'attributes' END], NULL)
	WHERE o.id IS NOT NULL AND sla.attributes_differ(o, n)
	UNION ALL
	SELECT n.id, n.event_seq - (n.status IS DISTINCT FROM o.status)::integer,
		coalesce(given_at, n.last_event_at), 'severity', given_by, NULL, n.severity, given_reason,
		NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
	WHERE o.id IS NOT NULL AND n.severity IS DISTINCT FROM o.severity
	UNION ALL
	SELECT n.id, n.event_seq, coalesce(given_at, n.last_event_at), 'status', NULL, n.status, NULL, NULL,
		NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
	WHERE o.id IS NOT NULL AND n.status IS DISTINCT FROM o.status;
END;

CREATE FUNCTION sla.given_by() RETURNS text
LANGUAGE sql STABLE
RETURN coalesce(nullif(pg_catalog.current_setting('sla.by', true), ''), 'agent');

CREATE FUNCTION sla.given_reason() RETURNS text
LANGUAGE sql STABLE
RETURN nullif(pg_catalog.current_setting('sla.reason', true), '');

CREATE FUNCTION sla.write_opened() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO sla.event (ticket_id, seq, at, kind, by, status, severity, reason, org, plan, channel, category,
		product, environment, version, assignee, team, attributes, changed)
	SELECT e.* FROM new_rows n, sla.ticket_events(NULL, n::sla.ticket, NULL, NULL, NULL) e;
	IF FOUND THEN
		PERFORM sla.hint();
	END IF;
	RETURN NULL;
END
$$;

CREATE FUNCTION sla.write_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	said_at timestamptz := sla.given_at();
	said_by text := sla.given_by();
	said_reason text := sla.given_reason();
BEGIN
	INSERT INTO sla.event (ticket_id, seq, at, kind, by, status, severity, reason, org, plan, channel, category,
		product, environment, version, assignee, team, attributes, changed)
	SELECT e.*
	FROM new_rows n JOIN old_rows o USING (id),
		sla.ticket_events(o::sla.ticket, n::sla.ticket, said_at, said_by, said_reason) e;
	IF FOUND THEN
		PERFORM sla.hint();
	END IF;
	RETURN NULL;
END
$$;

CREATE FUNCTION sla.write_ticket_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO sla.event (ticket_id, seq, at, kind, by, status, severity, reason, org, plan, channel, category,
		product, environment, version, assignee, team, attributes, changed)
	SELECT e.* FROM sla.ticket_events(OLD, NEW, sla.given_at(), sla.given_by(), sla.given_reason()) e;
	IF FOUND THEN
		PERFORM sla.hint();
	END IF;
	RETURN NULL;
END
$$;

-- Replies, disputes, assessments, acknowledgements, merges.

-- A row of such a table as an event, still without its seq.
CREATE FUNCTION sla.event_of(kind text, input jsonb) RETURNS sla.event
LANGUAGE sql STABLE
RETURN pg_catalog.jsonb_populate_record(NULL::sla.event, input || pg_catalog.jsonb_build_object('kind', kind,
	'by', coalesce(input -> 'author', input -> 'by'), 'into', input -> 'into_id'));

-- Gives the event the next number of its ticket and writes it. An instant that was taken during this very statement
-- means "now": it is moved up to the ticket's last event, which another writer may have committed since; an older one
-- stays and the daemon marks the event late.
CREATE FUNCTION sla.append_event(e sla.event) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	seq bigint;
	last_at timestamptz;
BEGIN
	UPDATE sla.ticket t SET claim = 1, last_event_at = greatest(t.last_event_at, e.at) WHERE t.id = e.ticket_id
	RETURNING t.event_seq, t.last_event_at INTO seq, last_at;
	IF NOT FOUND THEN
		RAISE foreign_key_violation USING
			MESSAGE = format('ticket %s does not exist', e.ticket_id),
			HINT = 'ticket_id is the id of a row of sla.ticket; insert the ticket first.';
	END IF;
	INSERT INTO sla.event (ticket_id, seq, at, kind, by, public, escalate, reason, "for", "into")
	VALUES (e.ticket_id, seq, CASE WHEN e.at >= statement_timestamp() THEN last_at ELSE e.at END,
		e.kind, e."by", e.public, e.escalate, e.reason, e."for", e."into");
	PERFORM sla.hint();
END
$$;

-- In the order of tickets, so that two statements about the same ones cannot wait for each other.
CREATE FUNCTION sla.write_inputs() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET intervalstyle = 'postgres' AS $$
DECLARE
	input jsonb;
BEGIN
	FOR input IN SELECT to_jsonb(n) FROM new_rows n ORDER BY n.ticket_id, n.at, n.id LOOP
		PERFORM sla.append_event(sla.event_of(TG_ARGV[0], input));
	END LOOP;
	RETURN NULL;
END
$$;

CREATE FUNCTION sla.write_input_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET intervalstyle = 'postgres' AS $$
BEGIN
	PERFORM sla.append_event(sla.event_of(TG_ARGV[0], to_jsonb(NEW)));
	RETURN NULL;
END
$$;

CREATE FUNCTION sla.refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RAISE restrict_violation USING
		MESSAGE = format('%s is not allowed on %s.%s', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME),
		HINT = TG_ARGV[0];
END
$$;

-- Triggers. A BEFORE row trigger counts last (they fire by name), so that it sees what others made of the row.

CREATE TRIGGER zz_count_events BEFORE INSERT OR UPDATE ON sla.ticket
	FOR EACH ROW EXECUTE FUNCTION sla.count_ticket_events();
CREATE TRIGGER write_opened AFTER INSERT ON sla.ticket
	REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION sla.write_opened();
CREATE TRIGGER write_changes AFTER UPDATE ON sla.ticket
	REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION sla.write_changes();
CREATE TRIGGER refuse BEFORE DELETE OR TRUNCATE ON sla.ticket
	FOR EACH STATEMENT EXECUTE FUNCTION sla.refuse('A ticket that is over: UPDATE sla.ticket SET status = ''closed''.');

DO $$
DECLARE
	input text;
	kind text;
	prepare text;
BEGIN
	FOR input, kind, prepare IN VALUES
		('reply', 'reply', 'prepare_reply'),
		('dispute', 'dispute', 'prepare_input'),
		('assessment', 'assessed', 'prepare_input'),
		('ack', 'ack', 'prepare_input'),
		('merge', 'merged', 'prepare_input')
	LOOP
		EXECUTE format('CREATE TRIGGER zz_prepare BEFORE INSERT ON sla.%I FOR EACH ROW EXECUTE FUNCTION sla.%I()',
			input, prepare);
		EXECUTE format('CREATE TRIGGER write_inputs AFTER INSERT ON sla.%I REFERENCING NEW TABLE AS new_rows '
			'FOR EACH STATEMENT EXECUTE FUNCTION sla.write_inputs(%L)', input, kind);
		EXECUTE format('CREATE TRIGGER refuse BEFORE UPDATE ON sla.%I FOR EACH STATEMENT '
			'EXECUTE FUNCTION sla.refuse(%L)', input, 'What happened stays; insert another row.');
	END LOOP;
END
$$;

CREATE TRIGGER refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON sla.milestone
	FOR EACH STATEMENT EXECUTE FUNCTION sla.refuse('The ledger is append-only.');

-- Statement triggers do not see what is written to a partition directly, nor what logical replication applies. This
-- puts row triggers that always fire in their place, on the table named or the one that it is a partition of.
CREATE FUNCTION sla.use_row_triggers(target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	root regclass := coalesce(pg_partition_root(target), target);
	writer text;
	arguments bytea;
	before_trigger text;
BEGIN
	SELECT t.tgname, t.tgargs INTO writer, arguments FROM pg_trigger t
	WHERE t.tgrelid = root AND t.tgfoid IN ('sla.write_changes'::regproc, 'sla.write_inputs'::regproc);
	IF NOT FOUND THEN
		RAISE wrong_object_type USING
			MESSAGE = format('%s has no statement triggers of sla to replace', root),
			HINT = 'Name sla.ticket, sla.reply, sla.dispute, sla.assessment, sla.ack or sla.merge, once.';
	END IF;
	IF writer = 'write_changes' THEN
		before_trigger := 'zz_count_events';
		EXECUTE format('DROP TRIGGER write_opened ON %s', root);
		EXECUTE format('DROP TRIGGER write_changes ON %s', root);
		EXECUTE format('CREATE TRIGGER write_row AFTER INSERT OR UPDATE ON %s FOR EACH ROW '
			'EXECUTE FUNCTION sla.write_ticket_row()', root);
	ELSE
		before_trigger := 'zz_prepare';
		EXECUTE format('DROP TRIGGER write_inputs ON %s', root);
		EXECUTE format('CREATE TRIGGER write_row AFTER INSERT ON %s FOR EACH ROW '
			'EXECUTE FUNCTION sla.write_input_row(%L)', root, convert_from(rtrim(arguments, '\000'), 'UTF8'));
	END IF;
	EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER write_row', root);
	EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', root, before_trigger);
END
$$;
COMMENT ON FUNCTION sla.use_row_triggers(regclass) IS
	'Row triggers that always fire, for a table with partitions or one that logical replication writes';
