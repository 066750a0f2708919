-- Writers of tickets pay less again. The meaning is that of 0002_events.sql and 0022_writes.sql.

SET LOCAL ROLE sla_owner;

-- The tenth of a second that it is, as a session writes it down: straight as a text, since a number that is made and then
-- turned into one takes three functions more. No year is no matter.
CREATE FUNCTION sla.tick_text() RETURNS text
LANGUAGE sql VOLATILE
RETURN pg_catalog.to_char(pg_catalog.clock_timestamp(), 'DDDHH24MISSFF1');

CREATE OR REPLACE FUNCTION sla.hint_is_due() RETURNS boolean
LANGUAGE sql VOLATILE
RETURN sla.tick_text() IS DISTINCT FROM pg_catalog.current_setting('sla.tick', true);

CREATE OR REPLACE FUNCTION sla.hint() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	tick bigint := sla.tick();
BEGIN
	PERFORM set_config('sla.tick', sla.tick_text(), false);
	IF tick IS DISTINCT FROM pg_sequence_last_value('sla.hint_tick') AND pg_notification_queue_usage() <= 0.25 THEN
		PERFORM setval('sla.hint_tick', tick);
		PERFORM pg_notify('sla_event', '');
	END IF;
END
$$;

-- What is in order, as nearly everything is, is seen in one expression; the rest goes through the checks, which say what
-- is wrong.
CREATE OR REPLACE FUNCTION sla.prepare_ticket() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF (NEW.opened_at > 'epoch' AND NEW.opened_at <= clock_timestamp() + interval '1 minute'
		AND sla.is_status(NEW.status) AND jsonb_typeof(NEW.attributes) = 'object') IS NOT TRUE THEN
		NEW.attributes := coalesce(NEW.attributes, '{}');
		NEW.opened_at := sla.check_instant('opened_at', NEW.opened_at);
		PERFORM sla.check_ticket(NEW);
	END IF;
	NEW.event_seq := 1;
	NEW.last_event_at := NEW.opened_at;
	NEW.claim := 0;
	RETURN NEW;
END
$$;

-- Whether a change is of the status alone, which was `former`, with nothing to be looked at but that: `o` has the new
-- status already, so that the whole rows can be compared byte by byte. Inlined, so all of it is one expression.
CREATE FUNCTION sla.is_status_alone(o sla.ticket, n sla.ticket, former text, status text) RETURNS boolean
LANGUAGE sql VOLATILE
RETURN o *= n AND former <> status AND former <> 'closed' AND sla.is_status(status)
	AND pg_catalog.current_setting('sla.at', true) IS NULL;

-- What an UPDATE makes of a JSON object: the keys that changed, null for those removed. In plpgsql for the same reason.
CREATE OR REPLACE FUNCTION sla.changed_keys(o jsonb, n jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN (SELECT jsonb_object_agg(k, n -> k)
		FROM (SELECT jsonb_object_keys(o) UNION SELECT jsonb_object_keys(n)) AS keys (k)
		WHERE (o -> k) IS DISTINCT FROM (n -> k));
END
$$;

-- Writes the event of changed attributes. In plpgsql, which keeps the plan: a function in SQL is planned in each
-- transaction anew, which took five times as long as all the rest of such a change.
CREATE OR REPLACE FUNCTION sla.write_changed(o sla.ticket, n sla.ticket, seq bigint, at timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	objects boolean := o.attributes IS DISTINCT FROM n.attributes;
BEGIN
	INSERT INTO sla.event (ticket_id, seq, at, kind, org, plan, channel, category, product, environment, version,
		assignee, team, attributes, changed)
	VALUES (n.id, seq, at, 'changed', nullif(n.org, o.org), nullif(n.plan, o.plan), nullif(n.channel, o.channel),
		nullif(n.category, o.category), nullif(n.product, o.product), nullif(n.environment, o.environment),
		nullif(n.version, o.version), nullif(n.assignee, o.assignee), nullif(n.team, o.team),
		CASE WHEN objects THEN sla.changed_keys(o.attributes, n.attributes) END,
		array_remove(ARRAY[
			CASE WHEN n.org IS DISTINCT FROM o.org THEN 'org' END,
			CASE WHEN n.plan IS DISTINCT FROM o.plan THEN 'plan' END,
			CASE WHEN n.channel IS DISTINCT FROM o.channel THEN 'channel' END,
			CASE WHEN n.category IS DISTINCT FROM o.category THEN 'category' END,
			CASE WHEN n.product IS DISTINCT FROM o.product THEN 'product' END,
			CASE WHEN n.environment IS DISTINCT FROM o.environment THEN 'environment' END,
			CASE WHEN n.version IS DISTINCT FROM o.version THEN 'version' END,
			CASE WHEN n.assignee IS DISTINCT FROM o.assignee THEN 'assignee' END,
			CASE WHEN n.team IS DISTINCT FROM o.team THEN 'team' END,
			CASE WHEN objects THEN 'attributes' END], NULL));
END
$$;

-- Checks a changed row, counts its events and writes them; what becomes of the row. A BEFORE trigger may, as what it adds
-- is undone with the UPDATE where that fails; and the row is locked when it runs, so nobody else counts at the same time.
-- plpgsql prepares each expression anew in each transaction, so there are few: columns are compared as arrays, whose
-- elements need no operator each.
CREATE FUNCTION sla.record_change(o sla.ticket, n sla.ticket) RETURNS sla.ticket
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	at timestamptz;
	said_by text;
	seq bigint := o.event_seq;
	attributes boolean;
	severity boolean := n.severity IS DISTINCT FROM o.severity;
	status boolean := n.status IS DISTINCT FROM o.status;
BEGIN
	n.attributes := coalesce(n.attributes, '{}');
	attributes := o.attributes IS DISTINCT FROM n.attributes OR
		ARRAY[o.org, o.plan, o.channel, o.category, o.product, o.environment, o.version, o.assignee, o.team]
		IS DISTINCT FROM
		ARRAY[n.org, n.plan, n.channel, n.category, n.product, n.environment, n.version, n.assignee, n.team];
	IF status OR attributes OR n.id IS DISTINCT FROM o.id OR n.opened_at IS DISTINCT FROM o.opened_at THEN
		PERFORM sla.check_change(o, n);
	END IF;
	IF attributes OR severity OR status THEN
		-- An adapter that follows another system's history says when its UPDATE happened there.
		IF current_setting('sla.at', true) <> '' THEN
			at := sla.check_instant('sla.at', current_setting('sla.at')::timestamptz);
			n.last_event_at := greatest(o.last_event_at, at);
		ELSE
			at := greatest(o.last_event_at, clock_timestamp());
			n.last_event_at := at;
		END IF;
		IF attributes THEN
			seq := seq + 1;
			PERFORM sla.write_changed(o, n, seq, at);
		END IF;
		IF severity THEN
			seq := seq + 1;
			said_by := coalesce(nullif(current_setting('sla.by', true), ''), 'agent');
			IF said_by NOT IN ('agent', 'customer', 'system') THEN
				RAISE check_violation USING
					MESSAGE = format('sla.by is %L: severity_by_is_one_of_agent_customer_system', said_by),
					CONSTRAINT = 'severity_by_is_one_of_agent_customer_system';
			END IF;
			INSERT INTO sla.event (ticket_id, seq, at, kind, by, severity, reason)
			VALUES (n.id, seq, at, 'severity', said_by, n.severity, nullif(current_setting('sla.reason', true), ''));
		END IF;
		IF status THEN
			seq := seq + 1;
			INSERT INTO sla.event (ticket_id, seq, at, kind, status) VALUES (n.id, seq, at, 'status', n.status);
		END IF;
		IF sla.hint_is_due() THEN
			PERFORM sla.hint();
		END IF;
	ELSIF n.claim > 0 THEN
		n.last_event_at := greatest(o.last_event_at, n.last_event_at);
	ELSE
		n.last_event_at := o.last_event_at;
	END IF;
	n.event_seq := seq + n.claim;
	n.claim := 0;
	RETURN n;
END
$$;

-- The one function that runs as its owner without a search_path of its own: to set one and to take it back is a twentieth
-- of what the triggers cost. So every name here has its schema, operators and types too, and no word stands for an operator
-- (IN, IS DISTINCT FROM, CASE x WHEN); tests/system/rights.py lays traps for what was forgotten.
CREATE OR REPLACE FUNCTION sla.record_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
	former pg_catalog.text := OLD.status;
	former_at pg_catalog.timestamptz;
BEGIN
	OLD.status := NEW.status;
	IF sla.is_status_alone(OLD, NEW, former, NEW.status) THEN
		NEW.event_seq := OLD.event_seq OPERATOR(pg_catalog.+) 1;
		NEW.last_event_at := greatest(OLD.last_event_at, pg_catalog.clock_timestamp());
		INSERT INTO sla.event (ticket_id, seq, at, kind, status)
		VALUES (NEW.id, NEW.event_seq, NEW.last_event_at, 'status', NEW.status);
		IF sla.hint_is_due() THEN
			PERFORM sla.hint();
		END IF;
		RETURN NEW;
	END IF;
	-- A number for a reply's event or the like: sla.append_event().
	IF NEW.claim OPERATOR(pg_catalog.>) 0 AND former OPERATOR(pg_catalog.=) NEW.status THEN
		former_at := OLD.last_event_at;
		OLD.last_event_at := NEW.last_event_at;
		OLD.claim := NEW.claim;
		IF OLD OPERATOR(pg_catalog.*=) NEW THEN
			NEW.event_seq := OLD.event_seq OPERATOR(pg_catalog.+) NEW.claim;
			NEW.last_event_at := greatest(former_at, NEW.last_event_at);
			NEW.claim := 0;
			RETURN NEW;
		END IF;
		OLD.last_event_at := former_at;
	END IF;
	OLD.status := former;
	DECLARE
		n sla.ticket := sla.record_change(OLD, NEW);
	BEGIN
		-- One by one: a partition may have its columns in another order.
		NEW.attributes := n.attributes;
		NEW.event_seq := n.event_seq;
		NEW.last_event_at := n.last_event_at;
		NEW.claim := n.claim;
	END;
	RETURN NEW;
END
$$;

-- Gives the event the next number of its ticket and writes it. An instant that was taken during this very statement
-- means "now": it is moved up to the ticket's last event, which another writer may have committed since; an older one
-- stays and the daemon marks the event late.
CREATE OR REPLACE FUNCTION sla.append_event(e sla.event) RETURNS void
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
	IF sla.hint_is_due() THEN
		PERFORM sla.hint();
	END IF;
END
$$;

-- A row of reply, dispute, assessment, ack or merge as an event, still without its seq. Column by column, as
-- jsonb_populate_record() would look up each one's type in each transaction.
CREATE OR REPLACE FUNCTION sla.event_of(kind text, input jsonb) RETURNS sla.event
LANGUAGE sql STABLE
RETURN ROW((input ->> 'ticket_id')::bigint, NULL, (input ->> 'at')::timestamptz, NULL, kind,
	coalesce(input ->> 'author', input ->> 'by'), (input ->> 'public')::boolean, (input ->> 'escalate')::boolean, NULL, NULL,
	input ->> 'reason', (input ->> 'for')::interval, (input ->> 'into_id')::bigint,
	NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::sla.event;

-- Nobody is amid a change that would call it.
LOCK TABLE sla.ticket IN SHARE ROW EXCLUSIVE MODE;
DROP FUNCTION sla.write_severity(bigint, bigint, timestamptz, text);

REVOKE EXECUTE ON FUNCTION sla.tick_text(), sla.is_status_alone(sla.ticket, sla.ticket, text, text),
	sla.record_change(sla.ticket, sla.ticket) FROM PUBLIC;
