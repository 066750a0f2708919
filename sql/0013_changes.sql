-- Changes of tickets become events at a lower price: one row trigger counts and writes them, and the common case, one
-- changed column, is one plain INSERT. The meaning is that of 0002_events.sql.

SET LOCAL ROLE sla_owner;

-- Whether the daemon has not been told of anything in this tenth of a second. An expression that plpgsql works out
-- without a query, so it stands before each call of sla.hint().
CREATE FUNCTION sla.hint_is_due() RETURNS boolean
LANGUAGE sql VOLATILE
RETURN (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 10)::bigint
	IS DISTINCT FROM pg_catalog.pg_sequence_last_value('sla.hint_tick');

CREATE OR REPLACE FUNCTION sla.hint() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF sla.hint_is_due() AND pg_notification_queue_usage() <= 0.25 THEN
		PERFORM setval('sla.hint_tick', (date_part('epoch', clock_timestamp()) * 10)::bigint);
		PERFORM pg_notify('sla_event', '');
	END IF;
END
$$;

CREATE FUNCTION sla.prepare_ticket() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	NEW.attributes := coalesce(NEW.attributes, '{}');
	NEW.opened_at := sla.check_instant('opened_at', NEW.opened_at);
	NEW.event_seq := 1;
	NEW.last_event_at := NEW.opened_at;
	NEW.claim := 0;
	RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION sla.write_opened() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO sla.event (ticket_id, seq, at, kind, status, severity, org, plan, channel, category, product,
		environment, version, assignee, team, attributes)
	SELECT n.id, 1, n.opened_at, 'opened', n.status, n.severity, n.org, n.plan, n.channel, n.category, n.product,
		n.environment, n.version, n.assignee, n.team, n.attributes
	FROM new_rows n;
	IF FOUND AND sla.hint_is_due() THEN
		PERFORM sla.hint();
	END IF;
	RETURN NULL;
END
$$;

CREATE FUNCTION sla.write_opened_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO sla.event (ticket_id, seq, at, kind, status, severity, org, plan, channel, category, product,
		environment, version, assignee, team, attributes)
	VALUES (NEW.id, 1, NEW.opened_at, 'opened', NEW.status, NEW.severity, NEW.org, NEW.plan, NEW.channel,
		NEW.category, NEW.product, NEW.environment, NEW.version, NEW.assignee, NEW.team, NEW.attributes);
	IF sla.hint_is_due() THEN
		PERFORM sla.hint();
	END IF;
	RETURN NULL;
END
$$;

CREATE FUNCTION sla.check_change(o sla.ticket, n sla.ticket) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF n.id IS DISTINCT FROM o.id OR n.opened_at IS DISTINCT FROM o.opened_at THEN
		RAISE check_violation USING
			MESSAGE = format('id and opened_at of ticket %s never change', o.id),
			HINT = format('It was opened at %s; leave both columns as they are.', o.opened_at);
	END IF;
	IF o.status = 'closed' AND n.status <> 'closed' THEN
		RAISE check_violation USING
			MESSAGE = format('ticket %s is closed and cannot become %s', o.id, n.status),
			HINT = 'Closed is final. Use solved for tickets that may be reopened, or open a new ticket.';
	END IF;
END
$$;

-- Constraints are read from their text in each statement. What they held is held by the triggers, and nobody else
-- inserts: the kinds are written out there, and who changed a severity is looked at in sla.write_severity().
ALTER TABLE sla.event DROP CONSTRAINT kind_is_known, DROP CONSTRAINT severity_by_is_one_of_agent_customer_system;

-- Writes the event of a changed severity, with what the writer says of it.
CREATE FUNCTION sla.write_severity(ticket bigint, seq bigint, at timestamptz, severity text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	said_by text := coalesce(nullif(current_setting('sla.by', true), ''), 'agent');
BEGIN
	IF said_by NOT IN ('agent', 'customer', 'system') THEN
		RAISE check_violation USING
			MESSAGE = format('sla.by is %L: severity_by_is_one_of_agent_customer_system', said_by),
			CONSTRAINT = 'severity_by_is_one_of_agent_customer_system';
	END IF;
	INSERT INTO sla.event (ticket_id, seq, at, kind, by, severity, reason)
	VALUES (ticket, seq, at, 'severity', said_by, severity, nullif(current_setting('sla.reason', true), ''));
END
$$;

-- Writes the event of changed attributes. Of what is no object there are no keys; its row's constraint refuses it next.
CREATE FUNCTION sla.write_changed(o sla.ticket, n sla.ticket, seq bigint, at timestamptz) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	INSERT INTO sla.event (ticket_id, seq, at, kind, org, plan, channel, category, product, environment, version,
		assignee, team, attributes, changed)
	SELECT n.id, seq, at, 'changed', nullif(n.org, o.org), nullif(n.plan, o.plan), nullif(n.channel, o.channel),
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
	WHERE pg_catalog.jsonb_typeof(n.attributes) = 'object';
END;

-- Checks a changed row, counts its events and writes them. A BEFORE trigger may, as what it adds is undone with the
-- UPDATE where that fails; and the row is locked when it runs, so nobody else counts at the same time. plpgsql prepares
-- each expression anew in each transaction, so there are few, and columns are compared as arrays, whose elements need no
-- operator each.
CREATE FUNCTION sla.record_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	at timestamptz;
	seq bigint := OLD.event_seq;
	attributes boolean;
	severity boolean := NEW.severity IS DISTINCT FROM OLD.severity;
	status boolean := NEW.status IS DISTINCT FROM OLD.status;
BEGIN
	IF NEW.attributes IS NULL OR OLD.status = 'closed' OR NEW.id IS DISTINCT FROM OLD.id
		OR NEW.opened_at IS DISTINCT FROM OLD.opened_at THEN
		PERFORM sla.check_change(OLD, NEW);
		NEW.attributes := coalesce(NEW.attributes, '{}');
	END IF;
	attributes := OLD.attributes IS DISTINCT FROM NEW.attributes OR
		ARRAY[OLD.org, OLD.plan, OLD.channel, OLD.category, OLD.product, OLD.environment, OLD.version, OLD.assignee, OLD.team]
		IS DISTINCT FROM
		ARRAY[NEW.org, NEW.plan, NEW.channel, NEW.category, NEW.product, NEW.environment, NEW.version, NEW.assignee, NEW.team];
	IF attributes OR severity OR status THEN
		-- An adapter that follows another system's history says when its UPDATE happened there.
		IF current_setting('sla.at', true) <> '' THEN
			at := sla.check_instant('sla.at', current_setting('sla.at')::timestamptz);
			NEW.last_event_at := greatest(OLD.last_event_at, at);
		ELSE
			at := greatest(OLD.last_event_at, clock_timestamp());
			NEW.last_event_at := at;
		END IF;
		IF attributes THEN
			seq := seq + 1;
			PERFORM sla.write_changed(OLD, NEW, seq, at);
		END IF;
		IF severity THEN
			seq := seq + 1;
			PERFORM sla.write_severity(NEW.id, seq, at, NEW.severity);
		END IF;
		IF status THEN
			seq := seq + 1;
			INSERT INTO sla.event (ticket_id, seq, at, kind, status) VALUES (NEW.id, seq, at, 'status', NEW.status);
		END IF;
		IF sla.hint_is_due() THEN
			PERFORM sla.hint();
		END IF;
	ELSIF NEW.claim > 0 THEN
		NEW.last_event_at := greatest(OLD.last_event_at, NEW.last_event_at);
	ELSE
		NEW.last_event_at := OLD.last_event_at;
	END IF;
	NEW.event_seq := seq + NEW.claim;
	NEW.claim := 0;
	RETURN NEW;
END
$$;

-- The triggers, and those of an installation that sla.use_row_triggers('sla.ticket') was called in.
DO $$
DECLARE
	by_row boolean := EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'sla.ticket'::regclass AND tgname = 'write_row');
BEGIN
	DROP TRIGGER zz_count_events ON sla.ticket;
	CREATE TRIGGER zz_prepare BEFORE INSERT ON sla.ticket FOR EACH ROW EXECUTE FUNCTION sla.prepare_ticket();
	CREATE TRIGGER zz_record_changes BEFORE UPDATE ON sla.ticket FOR EACH ROW EXECUTE FUNCTION sla.record_changes();
	IF by_row THEN
		DROP TRIGGER write_row ON sla.ticket;
		CREATE TRIGGER write_row AFTER INSERT ON sla.ticket FOR EACH ROW EXECUTE FUNCTION sla.write_opened_row();
		ALTER TABLE sla.ticket ENABLE ALWAYS TRIGGER write_row;
		ALTER TABLE sla.ticket ENABLE ALWAYS TRIGGER zz_prepare;
		ALTER TABLE sla.ticket ENABLE ALWAYS TRIGGER zz_record_changes;
	ELSE
		DROP TRIGGER write_changes ON sla.ticket;
	END IF;
END
$$;

DROP FUNCTION sla.count_ticket_events(), sla.write_changes(), sla.write_ticket_row(),
	sla.ticket_events(sla.ticket, sla.ticket, timestamptz, text, text), sla.attributes_differ(sla.ticket, sla.ticket),
	sla.given_at(), sla.given_by(), sla.given_reason();

CREATE OR REPLACE FUNCTION sla.use_row_triggers(target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	root regclass := coalesce(pg_partition_root(target), target);
	writer text;
	arguments bytea;
BEGIN
	SELECT t.tgname, t.tgargs INTO writer, arguments FROM pg_trigger t
	WHERE t.tgrelid = root AND t.tgfoid IN ('sla.write_opened'::regproc, 'sla.write_inputs'::regproc);
	IF NOT FOUND THEN
		RAISE wrong_object_type USING
			MESSAGE = format('%s has no statement triggers of sla to replace', root),
			HINT = 'Name sla.ticket, sla.reply, sla.dispute, sla.assessment, sla.ack or sla.merge, once.';
	END IF;
	EXECUTE format('DROP TRIGGER %I ON %s', writer, root);
	IF writer = 'write_opened' THEN
		EXECUTE format('CREATE TRIGGER write_row AFTER INSERT ON %s FOR EACH ROW EXECUTE FUNCTION sla.write_opened_row()', root);
		EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER zz_record_changes', root);
	ELSE
		EXECUTE format('CREATE TRIGGER write_row AFTER INSERT ON %s FOR EACH ROW '
			'EXECUTE FUNCTION sla.write_input_row(%L)', root, convert_from(rtrim(arguments, '\000'), 'UTF8'));
	END IF;
	EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER write_row', root);
	EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER zz_prepare', root);
END
$$;
