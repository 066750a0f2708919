-- Writers of tickets pay less: what was a constraint on sla.ticket is looked at by its triggers, where they change it; a
-- changed status, which is the common case, has a way of its own; and a session looks once in a tenth of a second whether
-- the daemon is to be told. The meaning is that of 0013_changes.sql.

SET LOCAL ROLE sla_owner;

-- The tenth of a second that it is, as sla.hint() writes it down.
CREATE FUNCTION sla.tick() RETURNS bigint
LANGUAGE sql VOLATILE
RETURN (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 10)::bigint;

-- Whether this session has not yet looked, in this tenth of a second, whether the daemon is to be told. An expression
-- that plpgsql works out without a query, so it stands before each call of sla.hint(). To read a sequence costs ten times
-- as much as to read a setting.
CREATE OR REPLACE FUNCTION sla.hint_is_due() RETURNS boolean
LANGUAGE sql VOLATILE
RETURN sla.tick()::text IS DISTINCT FROM pg_catalog.current_setting('sla.tick', true);

CREATE OR REPLACE FUNCTION sla.hint() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	tick bigint := sla.tick();
BEGIN
	PERFORM set_config('sla.tick', tick::text, false);
	IF tick IS DISTINCT FROM pg_sequence_last_value('sla.hint_tick') AND pg_notification_queue_usage() <= 0.25 THEN
		PERFORM setval('sla.hint_tick', tick);
		PERFORM pg_notify('sla_event', '');
	END IF;
END
$$;

-- PostgreSQL reads a table's constraints from their text in each statement that writes a row: of a bare UPDATE of a
-- ticket that was a third. Under their names the triggers refuse what they refused.
ALTER TABLE sla.ticket DROP CONSTRAINT status_is_one_of_open_pending_on_hold_solved_closed,
	DROP CONSTRAINT attributes_is_a_json_object;

-- Inlined. NULL for NULL, which the column's NOT NULL refuses.
CREATE FUNCTION sla.is_status(status text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN status IN ('open', 'pending', 'on_hold', 'solved', 'closed');

-- Refuses a ticket whose status or attributes cannot be.
CREATE FUNCTION sla.check_ticket(t sla.ticket) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	violated text := CASE WHEN NOT sla.is_status(t.status) THEN 'status_is_one_of_open_pending_on_hold_solved_closed'
		WHEN jsonb_typeof(t.attributes) <> 'object' THEN 'attributes_is_a_json_object' END;
BEGIN
	IF violated IS NOT NULL THEN
		RAISE check_violation USING
			MESSAGE = format('ticket %s cannot have %s: %s', t.id,
				CASE WHEN violated LIKE 'status%' THEN format('status %L', t.status) ELSE format('attributes %s', t.attributes) END,
				violated),
			CONSTRAINT = violated, SCHEMA = 'sla', TABLE = 'ticket';
	END IF;
END
$$;

CREATE OR REPLACE FUNCTION sla.prepare_ticket() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	NEW.attributes := coalesce(NEW.attributes, '{}');
	NEW.opened_at := sla.check_instant('opened_at', NEW.opened_at);
	NEW.event_seq := 1;
	NEW.last_event_at := NEW.opened_at;
	NEW.claim := 0;
	IF NOT sla.is_status(NEW.status) OR jsonb_typeof(NEW.attributes) <> 'object' THEN
		PERFORM sla.check_ticket(NEW);
	END IF;
	RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION sla.check_change(o sla.ticket, n sla.ticket) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF n.id IS DISTINCT FROM o.id OR n.opened_at IS DISTINCT FROM o.opened_at THEN
		RAISE check_violation USING
			MESSAGE = format('id and opened_at of ticket %s never change', o.id),
			HINT = format('It was opened at %s; leave both columns as they are.', o.opened_at);
	END IF;
	PERFORM sla.check_ticket(n);
	IF o.status = 'closed' AND n.status <> 'closed' THEN
		RAISE check_violation USING
			MESSAGE = format('ticket %s is closed and cannot become %s', o.id, n.status),
			HINT = 'Closed is final. Use solved for tickets that may be reopened, or open a new ticket.';
	END IF;
END
$$;

-- Checks a changed row, counts its events and writes them. A BEFORE trigger may, as what it adds is undone with the
-- UPDATE where that fails; and the row is locked when it runs, so nobody else counts at the same time. plpgsql prepares
-- each expression anew in each transaction, so there are few: whole rows are compared byte by byte for the case that the
-- status alone has changed, and columns as arrays, whose elements need no operator each.
CREATE OR REPLACE FUNCTION sla.record_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	former text := OLD.status;
	at timestamptz;
	seq bigint;
	attributes boolean;
	severity boolean;
	status boolean;
BEGIN
	OLD.status := NEW.status;
	IF OLD *= NEW AND former <> NEW.status AND former <> 'closed' AND sla.is_status(NEW.status)
		AND current_setting('sla.at', true) IS NULL THEN
		NEW.event_seq := OLD.event_seq + 1;
		NEW.last_event_at := greatest(OLD.last_event_at, clock_timestamp());
		INSERT INTO sla.event (ticket_id, seq, at, kind, status)
		VALUES (NEW.id, NEW.event_seq, NEW.last_event_at, 'status', NEW.status);
		IF sla.hint_is_due() THEN
			PERFORM sla.hint();
		END IF;
		RETURN NEW;
	END IF;
	OLD.status := former;
	seq := OLD.event_seq;
	severity := NEW.severity IS DISTINCT FROM OLD.severity;
	status := NEW.status IS DISTINCT FROM OLD.status;
	NEW.attributes := coalesce(NEW.attributes, '{}');
	attributes := OLD.attributes IS DISTINCT FROM NEW.attributes OR
		ARRAY[OLD.org, OLD.plan, OLD.channel, OLD.category, OLD.product, OLD.environment, OLD.version, OLD.assignee, OLD.team]
		IS DISTINCT FROM
		ARRAY[NEW.org, NEW.plan, NEW.channel, NEW.category, NEW.product, NEW.environment, NEW.version, NEW.assignee, NEW.team];
	IF status OR attributes OR NEW.id IS DISTINCT FROM OLD.id OR NEW.opened_at IS DISTINCT FROM OLD.opened_at THEN
		PERFORM sla.check_change(OLD, NEW);
	END IF;
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

-- Row triggers that run as the writer call these.
REVOKE EXECUTE ON FUNCTION sla.tick(), sla.is_status(text), sla.check_ticket(sla.ticket) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sla.is_status(text), sla.check_ticket(sla.ticket) TO sla_writer, sla_daemon;
