-- Adapters: other systems' tickets, taken over from their databases. What stands in the product's database is made by
-- `slatectl attach`; it gives whole tickets as documents, and what is here writes down what is new in them.

SET LOCAL ROLE sla_owner;

CREATE TABLE sla.adapter (
	name text PRIMARY KEY,
	kind text NOT NULL,
	attached_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	detached_at timestamptz,
	backfill_key text,
	backfilled_at timestamptz,
	holder text,
	held_until timestamptz,
	sweep_began_at timestamptz,
	sweep_key text,
	sweep_wanted boolean NOT NULL DEFAULT false,
	swept_at timestamptz,
	documents bigint NOT NULL DEFAULT 0,
	items bigint NOT NULL DEFAULT 0,
	differences bigint NOT NULL DEFAULT 0,
	waiting bigint NOT NULL DEFAULT 0,
	seen_at timestamptz
) WITH (fillfactor = 20);
COMMENT ON TABLE sla.adapter IS 'Ticket systems attached by slatectl attach, and how far they are taken over';
COMMENT ON COLUMN sla.adapter.name IS 'As in the configuration''s adapters; the source of its tickets';
COMMENT ON COLUMN sla.adapter.attached_at IS 'When it was first attached: nobody is alerted of what happened earlier';
COMMENT ON COLUMN sla.adapter.backfill_key IS 'The product''s key of the last ticket that the back-fill has taken over';
COMMENT ON COLUMN sla.adapter.backfilled_at IS 'When all that was there at attach had been taken over';
COMMENT ON COLUMN sla.adapter.holder IS 'The daemon that takes changes over, while held_until lasts';
COMMENT ON COLUMN sla.adapter.sweep_began_at IS 'Since when the tickets are being compared; NULL: they are not';
COMMENT ON COLUMN sla.adapter.sweep_key IS 'How far the comparison is';
COMMENT ON COLUMN sla.adapter.sweep_wanted IS 'Something went wrong in the product''s database: compare soon';
COMMENT ON COLUMN sla.adapter.swept_at IS 'When the last comparison of all open tickets began';
COMMENT ON COLUMN sla.adapter.documents IS 'Tickets read, each time';
COMMENT ON COLUMN sla.adapter.items IS 'What happened to tickets and was taken over';
COMMENT ON COLUMN sla.adapter.differences IS 'Tickets that a comparison found different and repaired';
COMMENT ON COLUMN sla.adapter.waiting IS 'Changes that were waiting at the last look';
COMMENT ON COLUMN sla.adapter.seen_at IS 'When a daemon last looked for changes';

CREATE TABLE sla.adapter_ticket (
	adapter text NOT NULL REFERENCES sla.adapter,
	key text NOT NULL,
	ticket_id bigint UNIQUE REFERENCES sla.ticket,
	items text[] NOT NULL DEFAULT '{}',
	facts jsonb NOT NULL DEFAULT '{}',
	merged boolean NOT NULL DEFAULT false,
	read_at timestamptz,
	PRIMARY KEY (adapter, key)
) WITH (fillfactor = 70);
COMMENT ON TABLE sla.adapter_ticket IS 'What of each ticket of a product has been taken over';
COMMENT ON COLUMN sla.adapter_ticket.key IS 'The ticket''s key in the product''s database';
COMMENT ON COLUMN sla.adapter_ticket.ticket_id IS 'The ticket here; NULL while it is being made';
COMMENT ON COLUMN sla.adapter_ticket.items IS 'The parts of its history that have been taken over, by the product''s row ids';
COMMENT ON COLUMN sla.adapter_ticket.facts IS 'The product''s own facts as last read';
COMMENT ON COLUMN sla.adapter_ticket.merged IS 'It went into another one';
COMMENT ON COLUMN sla.adapter_ticket.read_at IS 'When it was last read';

CREATE TABLE sla.adapter_error (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	adapter text NOT NULL,
	key text,
	message text NOT NULL,
	times bigint NOT NULL DEFAULT 1,
	first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	UNIQUE NULLS NOT DISTINCT (adapter, key, message)
);
COMMENT ON TABLE sla.adapter_error IS 'What adapters could not take over, and why';
COMMENT ON COLUMN sla.adapter_error.key IS 'The product''s ticket, or NULL';
COMMENT ON COLUMN sla.adapter_error.times IS 'How often, from first_at to last_at';

CREATE FUNCTION sla.note_adapter_error(which text, ticket text, problem text) RETURNS void
LANGUAGE sql SECURITY DEFINER
BEGIN ATOMIC
	INSERT INTO sla.adapter_error AS e (adapter, key, message) VALUES (which, ticket, problem)
	ON CONFLICT (adapter, key, message) DO UPDATE SET times = e.times + 1, last_at = pg_catalog.clock_timestamp();
END;

-- Whether nobody is to be alerted of what happened to a source's tickets then: it was before its attach.
CREATE FUNCTION sla.is_past(source text, at timestamptz) RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM sla.adapter a WHERE a.name = source AND at < a.attached_at);

-- The ticket with other facts. Left out, and told of: a status that is not mapped, which comes as '?' and the status,
-- and the reopening of a closed ticket.
CREATE FUNCTION sla.adapter_next(which text, ticket text, t sla.ticket, facts jsonb) RETURNS sla.ticket
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	status text := facts ->> 'status';
	n sla.ticket;
BEGIN
	IF starts_with(status, '?') THEN
		PERFORM sla.note_adapter_error(which, ticket, format('status %L is not mapped: add it to adapters.%s.status_map, '
			'then attach again', substr(status, 2), which));
		facts := facts - 'status';
	ELSIF t.status = 'closed' AND status <> 'closed' THEN
		PERFORM sla.note_adapter_error(which, ticket, format('it was closed, which is final, and is %s now: what may be '
			'reopened should be mapped to solved in adapters.%s.status_map', status, which));
		facts := facts - 'status';
	END IF;
	n := jsonb_populate_record(t, facts - '{id,source,external_id,opened_at,event_seq,last_event_at,claim}'::text[]);
	n.status := coalesce(n.status, 'open');
	n.attributes := coalesce(n.attributes, '{}');
	RETURN n;
END
$$;

-- Gives a ticket facts, at an instant of the product's.
CREATE FUNCTION sla.adapter_change(which text, key text, ticket bigint, facts jsonb, at timestamptz, by text, reason text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	n sla.ticket;
BEGIN
	PERFORM set_config('sla.at', at::text, true), set_config('sla.by', coalesce(by, ''), true),
		set_config('sla.reason', coalesce(reason, ''), true);
	SELECT (sla.adapter_next(which, adapter_change.key, t, facts)).* INTO n FROM sla.ticket t WHERE t.id = adapter_change.ticket;
	UPDATE sla.ticket t SET (org, plan, severity, status, channel, category, product, environment, version, assignee,
			team, attributes) =
		(n.org, n.plan, n.severity, n.status, n.channel, n.category, n.product, n.environment, n.version, n.assignee,
			n.team, n.attributes)
	WHERE t.id = n.id;
	PERFORM set_config('sla.at', '', true), set_config('sla.by', '', true), set_config('sla.reason', '', true);
END
$$;

-- Who wrote an item: agent, customer or system. One that is not mapped comes as '?' and the author.
CREATE FUNCTION sla.adapter_author(which text, ticket text, author text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF starts_with(author, '?') THEN
		PERFORM sla.note_adapter_error(which, ticket, format('author %L is not mapped and counts as system: add it '
			'to adapters.%s.author_map, then attach again', substr(author, 2), which));
		RETURN 'system';
	END IF;
	RETURN author;
END
$$;

-- The facts at the opening: those of now, but each that changed since as it was before its first change.
CREATE FUNCTION sla.first_facts(document jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT jsonb_path_exists(document, '$.items[*].was') THEN
		RETURN document -> 'facts';
	END IF;
	RETURN (SELECT (document -> 'facts') || coalesce(jsonb_object_agg(w.key, w.value ORDER BY w.n DESC), '{}')
		FROM (SELECT p.key, p.value, i.n
			FROM jsonb_array_elements(document -> 'items') WITH ORDINALITY AS i (item, n), jsonb_each(i.item -> 'was') AS p) AS w);
END
$$;

-- The facts that a history ends with.
CREATE FUNCTION sla.last_facts(document jsonb, first jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT jsonb_path_exists(document, '$.items[*].facts') THEN
		RETURN first;
	END IF;
	RETURN (SELECT first || coalesce(jsonb_object_agg(f.key, f.value ORDER BY i.n), '{}')
		FROM jsonb_array_elements(document -> 'items') WITH ORDINALITY AS i (item, n), jsonb_each(i.item -> 'facts') AS f);
END
$$;

-- Writes one part of a new ticket's history as events behind `seq`, and what the ticket is then.
CREATE FUNCTION sla.adapter_past(which text, document jsonb, item jsonb, INOUT t sla.ticket, INOUT seq bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	-- The product's host may be ahead of the database's clock.
	happened timestamptz := least(greatest((item ->> 'at')::timestamptz, t.opened_at), clock_timestamp());
	author text := sla.adapter_author(which, document ->> 'key', item ->> 'author');
	n sla.ticket := t;
BEGIN
	IF item ->> 'kind' = 'reply' THEN
		-- The answer ends the waiting, and is one to a ticket that is open.
		IF t.status = 'pending' AND author = 'customer' AND (item ->> 'public')::boolean
			AND (document ->> 'answer_resumes')::boolean THEN
			seq := seq + 1;
			INSERT INTO sla.event (ticket_id, seq, at, kind, status) VALUES (t.id, seq, happened, 'status', 'open');
			t.status := 'open';
			n.status := 'open';
		END IF;
		seq := seq + 1;
		INSERT INTO sla.event (ticket_id, seq, at, kind, by, public, escalate)
		VALUES (t.id, seq, happened, 'reply', author, coalesce((item ->> 'public')::boolean, true),
			sla.asks_escalation(item ->> 'body'));
	ELSIF item ->> 'kind' = 'dispute' THEN
		seq := seq + 1;
		INSERT INTO sla.event (ticket_id, seq, at, kind, by, reason)
		VALUES (t.id, seq, happened, 'dispute', coalesce(author, 'customer'), item ->> 'reason');
	ELSE
		n := sla.adapter_next(which, document ->> 'key', t, item -> 'facts');
		n.severity := coalesce(n.severity, t.severity);
		IF (n.org, n.plan, n.channel, n.category, n.product, n.environment, n.version, n.assignee, n.team, n.attributes)
			IS DISTINCT FROM
			(t.org, t.plan, t.channel, t.category, t.product, t.environment, t.version, t.assignee, t.team, t.attributes) THEN
			seq := seq + 1;
			PERFORM sla.write_changed(t, n, seq, happened);
		END IF;
		IF n.severity IS DISTINCT FROM t.severity THEN
			seq := seq + 1;
			INSERT INTO sla.event (ticket_id, seq, at, kind, by, severity, reason)
			VALUES (t.id, seq, happened, 'severity', coalesce(author, 'agent'), n.severity, item ->> 'reason');
		END IF;
	END IF;
	IF n.status <> t.status THEN
		seq := seq + 1;
		INSERT INTO sla.event (ticket_id, seq, at, kind, status) VALUES (t.id, seq, happened, 'status', n.status);
	END IF;
	n.last_event_at := greatest(t.last_event_at, happened);
	t := n;
END
$$;

-- A new ticket with its history, all but mergers. The events are written here, as the tables' triggers would write them
-- one by one at ten times the price; the ticket's row comes last, as its history left it.
CREATE FUNCTION sla.adapter_open(which text, document jsonb, first_facts jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	first sla.ticket;
	t sla.ticket;
	item jsonb;
	past record;
	seq bigint := 1;
BEGIN
	first := sla.adapter_next(which, document ->> 'key', NULL::sla.ticket, first_facts);
	first.id := nextval(pg_get_serial_sequence('sla.ticket', 'id'));
	first.opened_at := sla.check_instant('opened_at', least((document ->> 'opened_at')::timestamptz, clock_timestamp()));
	first.last_event_at := first.opened_at;
	t := first;
	FOR item IN SELECT * FROM jsonb_array_elements(document -> 'items') LOOP
		CONTINUE WHEN item ->> 'kind' = 'merged';
		past := sla.adapter_past(which, document, item, t, seq);
		t := past.t;
		seq := past.seq;
	END LOOP;
	INSERT INTO sla.ticket (id, source, external_id, org, plan, severity, status, channel, category, product, environment,
		version, assignee, team, attributes, opened_at)
	OVERRIDING SYSTEM VALUE
	VALUES (t.id, which, document ->> 'external_id', t.org, t.plan, t.severity, t.status, t.channel, t.category, t.product,
		t.environment, t.version, t.assignee, t.team, t.attributes, t.opened_at);
	IF seq > 1 THEN
		UPDATE sla.ticket x SET claim = seq - 1, last_event_at = t.last_event_at WHERE x.id = t.id;
		UPDATE sla.event e SET (org, plan, severity, status, channel, category, product, environment, version, assignee,
				team, attributes) =
			(first.org, first.plan, first.severity, first.status, first.channel, first.category, first.product,
				first.environment, first.version, first.assignee, first.team, first.attributes)
		WHERE e.ticket_id = t.id AND e.seq = 1 AND first IS DISTINCT FROM t;
	END IF;
	RETURN t.id;
END
$$;

-- What of a change still holds: not what a later one, which came here before it, has changed since.
CREATE FUNCTION sla.adapter_still(document jsonb, n bigint, taken text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN (SELECT coalesce(pg_catalog.jsonb_object_agg(f.key, f.value), '{}')
	FROM pg_catalog.jsonb_each(document -> 'items' -> (n - 1)::integer -> 'facts') AS f
	WHERE NOT EXISTS (
		SELECT FROM pg_catalog.jsonb_array_elements(document -> 'items') WITH ORDINALITY AS i (item, n)
		WHERE i.n > adapter_still.n AND i.item ->> 'item' = ANY (taken) AND i.item -> 'facts' ? f.key));

CREATE FUNCTION sla.adapter_merge(which text, ticket bigint, into_key text, at timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	target bigint := (SELECT k.ticket_id FROM sla.adapter_ticket k WHERE k.adapter = which AND k.key = into_key);
BEGIN
	IF target IS NULL THEN
		RAISE foreign_key_violation USING
			MESSAGE = format('it was merged into ticket %s, which has not been taken over', into_key);
	END IF;
	INSERT INTO sla.merge (ticket_id, into_id, at) VALUES (ticket, target, at);
END
$$;

-- Writes down one part of a ticket's history; `facts` are those of its changes that still hold.
CREATE FUNCTION sla.adapter_item(which text, document jsonb, item jsonb, facts jsonb, ticket bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	opened_at timestamptz;
	status text;
	at timestamptz;
	key text := document ->> 'key';
	author text := sla.adapter_author(which, key, item ->> 'author');
BEGIN
	SELECT t.opened_at, t.status INTO opened_at, status FROM sla.ticket t WHERE t.id = ticket;
	at := least(greatest((item ->> 'at')::timestamptz, opened_at), clock_timestamp());
	CASE item ->> 'kind'
	WHEN 'reply' THEN
		IF status = 'pending' AND author = 'customer' AND (item ->> 'public')::boolean
			AND (document ->> 'answer_resumes')::boolean THEN
			PERFORM sla.adapter_change(which, key, ticket, '{"status": "open"}', at, NULL, NULL);
		END IF;
		INSERT INTO sla.reply (ticket_id, author, public, body, at)
		VALUES (ticket, author, coalesce((item ->> 'public')::boolean, true), item ->> 'body', at);
	WHEN 'changed' THEN
		PERFORM sla.adapter_change(which, key, ticket, facts, at, author, item ->> 'reason');
	WHEN 'merged' THEN
		PERFORM sla.adapter_merge(which, ticket, item ->> 'into', at);
	WHEN 'dispute' THEN
		INSERT INTO sla.dispute (ticket_id, by, reason, at)
		VALUES (ticket, coalesce(author, 'customer'), item ->> 'reason', at);
	ELSE
		RAISE invalid_parameter_value USING MESSAGE = format('the adapter gave an item of kind %L', item ->> 'kind');
	END CASE;
END
$$;

-- Takes one ticket over: opens it here, writes down what of its history is new, and brings its facts to the product's.
-- How many items that were, and whether the ticket's facts differed from what its history gave.
CREATE FUNCTION sla.adapter_take_over(which text, document jsonb, OUT items integer, OUT differs boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	k sla.adapter_ticket;
	item jsonb;
	n bigint;
	still jsonb;
	expected jsonb;
	change jsonb;
	all_items text[] := ARRAY(SELECT i ->> 'item' FROM jsonb_array_elements(document -> 'items') AS i);
BEGIN
	items := 0;
	differs := false;
	-- Whoever comes second waits here, and then finds the work done.
	INSERT INTO sla.adapter_ticket (adapter, key) VALUES (which, document ->> 'key') ON CONFLICT DO NOTHING;
	SELECT * INTO k FROM sla.adapter_ticket a WHERE a.adapter = which AND a.key = document ->> 'key' FOR UPDATE;
	IF document ? 'gone' THEN
		UPDATE sla.ticket t SET status = 'closed' WHERE t.id = k.ticket_id AND t.status <> 'closed';
		differs := FOUND;
		UPDATE sla.adapter_ticket a SET read_at = clock_timestamp() WHERE (a.adapter, a.key) = (k.adapter, k.key);
		DELETE FROM sla.adapter_ticket a WHERE (a.adapter, a.key) = (k.adapter, k.key) AND a.ticket_id IS NULL;
		RETURN;
	END IF;
	expected := k.facts;
	IF k.ticket_id IS NULL THEN
		expected := sla.first_facts(document);
		k.ticket_id := sla.adapter_open(which, document, expected);
		expected := sla.last_facts(document, expected);
		k.items := ARRAY(SELECT i ->> 'item' FROM jsonb_array_elements(document -> 'items') AS i
			WHERE i ->> 'kind' <> 'merged');
		items := 1 + cardinality(k.items);
	END IF;
	FOR item, n IN SELECT i.item, i.n FROM jsonb_array_elements(document -> 'items') WITH ORDINALITY AS i (item, n) LOOP
		CONTINUE WHEN item ->> 'item' = ANY (k.items);
		IF item ->> 'kind' = 'changed' THEN
			still := CASE WHEN k.items = '{}' THEN item -> 'facts' ELSE sla.adapter_still(document, n, k.items) END;
			expected := expected || still;
		END IF;
		PERFORM sla.adapter_item(which, document, item, still, k.ticket_id);
		k.merged := k.merged OR item ->> 'kind' = 'merged';
		items := items + 1;
	END LOOP;
	-- What the history does not tell, such as a change while triggers were off.
	IF expected <> document -> 'facts' THEN
		SELECT jsonb_object_agg(d.key, document -> 'facts' -> d.key) INTO change
		FROM (SELECT jsonb_object_keys(expected) UNION SELECT jsonb_object_keys(document -> 'facts')) AS d (key)
		WHERE nullif(expected -> d.key, 'null') IS DISTINCT FROM nullif(document -> 'facts' -> d.key, 'null');
	END IF;
	IF change IS NOT NULL AND NOT k.merged THEN
		PERFORM sla.adapter_change(which, k.key, k.ticket_id, change, greatest(t.last_event_at,
			least((document ->> 'updated_at')::timestamptz, clock_timestamp())), 'agent', NULL)
		FROM sla.ticket t WHERE t.id = k.ticket_id;
		differs := true;
	END IF;
	IF document ->> 'merged_into' IS NOT NULL AND NOT k.merged THEN
		PERFORM sla.adapter_merge(which, k.ticket_id, document ->> 'merged_into',
			least((document ->> 'updated_at')::timestamptz, clock_timestamp()));
		k.merged := true;
		differs := true;
	END IF;
	UPDATE sla.adapter_ticket a SET ticket_id = k.ticket_id, items = all_items, facts = document -> 'facts',
		merged = k.merged, read_at = clock_timestamp()
	WHERE (a.adapter, a.key) = (k.adapter, k.key);
END
$$;

-- Takes over many; what cannot be is noted and does not hold up the others. How many tickets, items, differences and
-- problems there were. In a sweep everything that was missing is a difference.
CREATE FUNCTION sla.adapter_apply(which text, documents jsonb, problems jsonb, sweep boolean,
	OUT tickets integer, OUT items integer, OUT differences integer, OUT errors integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
	document jsonb;
	problem jsonb;
	done record;
BEGIN
	tickets := 0; items := 0; differences := 0; errors := 0;
	-- What others went into comes before them; else in the order of keys' rows, so that two who do this do not cross.
	FOR document IN SELECT d FROM jsonb_array_elements(documents) WITH ORDINALITY AS u (d, n)
		ORDER BY d ->> 'merged_into' IS NOT NULL, n
	LOOP
		BEGIN
			done := sla.adapter_take_over(which, document);
			tickets := tickets + 1;
			items := items + done.items;
			differences := differences + (sweep AND (done.differs OR done.items > 0))::integer;
		EXCEPTION WHEN OTHERS THEN
			PERFORM sla.note_adapter_error(which, document ->> 'key', SQLERRM);
			UPDATE sla.adapter_ticket a SET read_at = clock_timestamp() WHERE (a.adapter, a.key) = (which, document ->> 'key');
			errors := errors + 1;
		END;
	END LOOP;
	FOR problem IN SELECT * FROM jsonb_array_elements(problems) LOOP
		PERFORM sla.note_adapter_error(which, problem ->> 'key', problem ->> 'message');
		errors := errors + 1;
	END LOOP;
	UPDATE sla.adapter a SET documents = a.documents + tickets, items = a.items + adapter_apply.items,
		differences = a.differences + adapter_apply.differences,
		sweep_wanted = a.sweep_wanted OR jsonb_array_length(problems) > 0
	WHERE a.name = which AND (tickets > 0 OR errors > 0);
END
$$;
COMMENT ON FUNCTION sla.adapter_apply(text, jsonb, jsonb, boolean) IS 'Takes over what adapters read; see doc/adapters.md';

-- One daemon's turn at an adapter, for the next ten seconds: whether it is its turn, and what there is to compare: from
-- a key of the product's on, those open or changed since an instant, or these keys, which the product did not name.
CREATE FUNCTION sla.adapter_turn(which text, who text, waits bigint, every interval,
	OUT mine boolean, OUT compare boolean, OUT after text, OUT since timestamptz, OUT keys text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	a sla.adapter;
BEGIN
	UPDATE sla.adapter x SET holder = who, held_until = clock_timestamp() + interval '10 s', seen_at = clock_timestamp(),
		waiting = coalesce(waits, x.waiting)
	WHERE x.name = which AND x.detached_at IS NULL
		AND (x.holder IS NULL OR x.holder = who OR x.held_until < clock_timestamp())
	RETURNING * INTO a;
	mine := FOUND;
	compare := false;
	IF NOT mine OR a.backfilled_at IS NULL THEN
		RETURN;
	END IF;
	IF a.sweep_began_at IS NULL AND (coalesce(a.swept_at, a.attached_at) < clock_timestamp() - every
		OR (a.sweep_wanted AND coalesce(a.swept_at, a.attached_at) < clock_timestamp() - least(every, interval '1 min'))) THEN
		UPDATE sla.adapter x SET sweep_began_at = clock_timestamp(), sweep_key = NULL, sweep_wanted = false
		WHERE x.name = which RETURNING * INTO a;
	END IF;
	IF a.sweep_began_at IS NULL THEN
		RETURN;
	END IF;
	compare := true;
	after := a.sweep_key;
	since := coalesce(a.swept_at, a.attached_at) - interval '1 min';
	IF after = '' THEN
		keys := ARRAY(SELECT k.key FROM sla.adapter_ticket k JOIN sla.ticket t ON t.id = k.ticket_id
			WHERE k.adapter = which AND t.status NOT IN ('solved', 'closed') AND k.read_at < a.sweep_began_at
			ORDER BY k.key LIMIT 200);
		IF keys = '{}' THEN
			UPDATE sla.adapter x SET swept_at = x.sweep_began_at, sweep_began_at = NULL, sweep_key = NULL
			WHERE x.name = which;
			compare := false;
		END IF;
	END IF;
END
$$;

-- The comparison has come so far; '' : to the end of what the product names.
CREATE FUNCTION sla.adapter_swept(which text, key text) RETURNS void
LANGUAGE sql SECURITY DEFINER
BEGIN ATOMIC
	UPDATE sla.adapter SET sweep_key = key WHERE name = which AND sweep_key IS DISTINCT FROM key;
END;

REVOKE ALL ON sla.adapter, sla.adapter_ticket, sla.adapter_error FROM PUBLIC;
GRANT SELECT ON sla.adapter, sla.adapter_ticket, sla.adapter_error TO sla_reader, sla_daemon;
GRANT INSERT, UPDATE ON sla.adapter TO sla_daemon;
GRANT EXECUTE ON FUNCTION sla.note_adapter_error(text, text, text), sla.is_past(text, timestamptz),
	sla.adapter_apply(text, jsonb, jsonb, boolean), sla.adapter_turn(text, text, bigint, interval),
	sla.adapter_swept(text, text) TO sla_daemon;
