-- What every adapter has in the product's database, in a schema of its own: {{own}}. The functions read, and keep what
-- has changed; nothing here touches the product's rows.

-- @tables
CREATE TABLE IF NOT EXISTS {{own}}.change (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	ticket {{key}} NOT NULL,
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	facts jsonb,
	was jsonb,
	seen_at timestamptz
);
CREATE INDEX IF NOT EXISTS change_facts ON {{own}}.change (ticket) WHERE facts IS NOT NULL;
COMMENT ON TABLE {{own}}.change IS 'Tickets that have changed and that slated has not yet read';
CREATE TABLE IF NOT EXISTS {{own}}.error (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	origin text NOT NULL,
	message text NOT NULL
);
COMMENT ON TABLE {{own}}.error IS 'What went wrong in a trigger of slated''s; read by slated';
CREATE TABLE IF NOT EXISTS {{own}}.about (
	kind text NOT NULL,
	digest text NOT NULL,
	columns jsonb NOT NULL,
	attached_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE {{own}}.about IS 'How slatectl attach found the product''s tables, and what it made of the configuration';
DO $slated$
BEGIN
	IF to_regtype('{{own}}.ticket_row') IS NULL THEN
		CREATE TYPE {{own}}.ticket_row AS (key {{key}}, external_id text, opened_at timestamptz, updated_at timestamptz,
			status text, severity text, org text, plan text, channel text, category text, product text, environment text,
			version text, assignee text, team text, attributes jsonb, merged_into {{key}});
	END IF;
END
$slated$;

-- An error in a trigger of ours: noted once, as long as slated has not read of it. No unique index, at which the
-- product's transactions would wait for each other.
CREATE OR REPLACE FUNCTION {{own}}.note(trouble_in text, problem text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $slated$
BEGIN
	INSERT INTO {{own}}.error (origin, message)
	SELECT trouble_in, problem WHERE NOT EXISTS (
		SELECT FROM {{own}}.error e WHERE (e.origin, e.message) = (trouble_in, problem));
EXCEPTION WHEN OTHERS THEN
	RAISE WARNING 'slated: %: %: %', trouble_in, problem, SQLERRM;
END
$slated$;

-- @sources
-- The facts that are asked for, by the words that they are asked for with.
CREATE OR REPLACE FUNCTION {{own}}.sources() RETURNS TABLE (fact text, word text)
LANGUAGE sql IMMUTABLE AS $slated$
	SELECT * FROM (VALUES ('status', {{status word}}), ('org', {{org}}), ('plan', {{plan}}), ('severity', {{severity}}),
		('channel', {{channel}}), ('category', {{category}}), ('product', {{product}}), ('environment', {{environment}}),
		('version', {{version}}), ('assignee', {{assignee}}), ('team', {{team}})) AS s (fact, word)
	WHERE s.word IS NOT NULL AND s.word NOT LIKE 'sql:%'
$slated$;

-- @requests
-- What the product calls a severity of ours: the first word that the map has for it; of a range its end that is given.
CREATE OR REPLACE FUNCTION {{own}}.unmap_severity(ours text) RETURNS text
LANGUAGE sql IMMUTABLE AS $slated$
	SELECT coalesce((
		SELECT CASE WHEN w.word ~ '^-?[0-9]*[.][.]-?[0-9]*$' THEN
			coalesce(nullif(split_part(w.word, '..', 1), ''), nullif(split_part(w.word, '..', 2), '')) ELSE w.word END
		FROM unnest({{list severity_map}}) WITH ORDINALITY AS r (rule, n)
		CROSS JOIN LATERAL regexp_match(r.rule, '^(.*)=\s*(.*?)\s*$') AS m (side)
		CROSS JOIN LATERAL (SELECT btrim(word), k FROM string_to_table(m.side[1], ',') WITH ORDINALITY AS u (word, k)) AS w (word, k)
		WHERE lower(m.side[2]) = lower(ours) AND w.word NOT IN ('', '*') ORDER BY r.n, w.k LIMIT 1),
		CASE WHEN {{own}}.map_severity(ours) = ours THEN ours END)
$slated$;

-- What the API is to be told, by the names and numbers that it knows: sla.adapter_wanted() says what.
CREATE OR REPLACE FUNCTION {{own}}.requests(wanted jsonb, tag_field text) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, {{schema}}, pg_temp SET timezone = 'UTC' AS $slated$
	SELECT jsonb_agg(u.w || jsonb_strip_nulls(jsonb_build_object('problem', CASE WHEN u.w -> 'set' ? 'severity' AND s.word IS NULL
			THEN format('severity %L cannot be written: severity_map names no value for it', u.w -> 'set' ->> 'severity') END))
		|| jsonb_build_object('body', {{own}}.request(u.w -> 'set', s.word, tag_field)))
	FROM jsonb_array_elements(wanted) AS u (w) CROSS JOIN LATERAL {{own}}.unmap_severity(u.w -> 'set' ->> 'severity') AS s (word)
$slated$;

-- @functions
-- Facts with the product's status and severity in slated's words.
CREATE OR REPLACE FUNCTION {{own}}.map_facts(facts jsonb) RETURNS jsonb
LANGUAGE sql STABLE AS $slated$
	SELECT facts
		|| CASE WHEN facts ->> 'status' IS NULL THEN '{}'
			ELSE jsonb_build_object('status', {{own}}.map_status(facts ->> 'status')) END
		|| CASE WHEN facts ->> 'severity' IS NULL THEN '{}'
			ELSE jsonb_build_object('severity', {{own}}.map_severity(facts ->> 'severity')) END
$slated$;

CREATE OR REPLACE FUNCTION {{own}}.facts(t {{own}}.ticket_row) RETURNS jsonb
LANGUAGE sql STABLE AS $slated$
	SELECT {{own}}.map_facts(jsonb_strip_nulls(jsonb_build_object('org', t.org, 'plan', t.plan, 'severity', t.severity,
		'status', t.status, 'channel', t.channel, 'category', t.category, 'product', t.product, 'environment', t.environment,
		'version', t.version, 'assignee', t.assignee, 'team', t.team))
		|| jsonb_build_object('attributes', coalesce(jsonb_strip_nulls(t.attributes), '{}')))
$slated$;

-- The history of the tickets with these keys. A reply's text goes no further unless it may ask for escalation. Where a
-- customer's reply reopens a ticket, the product does so after it; but it is the reopened ticket that is replied to.
CREATE OR REPLACE FUNCTION {{own}}.items(keys {{key}}[]) RETURNS TABLE (ticket {{key}}, items jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $slated$
	WITH i AS MATERIALIZED (
		SELECT * FROM {{own}}.item(keys)
		UNION ALL
		SELECT c.ticket, 'c' || c.id, c.at, c.id, 'changed', 'agent', NULL, NULL, c.facts, c.was, NULL, NULL
		FROM {{own}}.change c WHERE c.facts IS NOT NULL AND c.ticket = ANY (keys))
	SELECT i.ticket, jsonb_agg(jsonb_strip_nulls(jsonb_build_object('item', i.item, 'at', coalesce(r.at, i.at), 'kind', i.kind,
			'author', i.author, 'public', i.public, 'into', i."into"::text, 'reason', i.reason,
			'body', CASE WHEN i.body ILIKE '%#escalate%' THEN i.body END))
		|| CASE WHEN i.kind = 'changed' THEN jsonb_build_object('facts', {{own}}.map_facts(i.facts),
			'was', {{own}}.map_facts(coalesce(i.was, '{}'))) ELSE '{}' END
		ORDER BY coalesce(r.at, i.at), coalesce(r.seq, i.seq), r.at IS NULL, i.item)
	FROM i LEFT JOIN LATERAL (
		-- Of what is no reopening nothing is looked at.
		SELECT a.at, a.seq FROM i AS a WHERE i.kind = 'changed' AND {{own}}.map_status(i.was ->> 'status') = 'solved'
			AND {{own}}.map_status(i.facts ->> 'status') IN ('open', 'pending', 'on_hold')
			AND a.ticket = i.ticket AND a.kind = 'reply' AND a.author = 'customer' AND a.public
			AND a.at BETWEEN i.at - interval '10 s' AND i.at
			AND NOT EXISTS (SELECT FROM i AS b WHERE b.ticket = i.ticket AND b.facts ? 'status' AND b.item <> i.item
				AND (b.at, b.seq) BETWEEN (a.at, a.seq) AND (i.at, i.seq))
		ORDER BY a.at DESC, a.seq DESC LIMIT 1) AS r ON true
	GROUP BY i.ticket
$slated$;

-- Whole tickets, those too that these went into.
CREATE OR REPLACE FUNCTION {{own}}.documents(keys {{key}}[]) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET jit = off AS $slated$
DECLARE
	wanted {{key}}[] := keys || ARRAY(SELECT t.merged_into FROM {{own}}.ticket(keys) t
		WHERE t.merged_into IS NOT NULL AND t.merged_into <> ALL (keys));
BEGIN
	RETURN (SELECT coalesce(jsonb_agg(CASE WHEN t.key IS NULL THEN jsonb_build_object('key', w.key::text, 'gone', true)
		ELSE jsonb_build_object('key', t.key::text, 'external_id', t.external_id, 'opened_at', t.opened_at,
			'updated_at', t.updated_at, 'merged_into', t.merged_into::text, 'answer_resumes', {{answer_resumes}},
			'facts', {{own}}.facts(t), 'items', coalesce(i.items, '[]')) END ORDER BY w.key), '[]')
	FROM (SELECT DISTINCT unnest(wanted) AS key) AS w
	LEFT JOIN {{own}}.ticket(wanted) AS t ON t.key = w.key
	LEFT JOIN {{own}}.items(wanted) AS i ON i.ticket = w.key);
END
$slated$;

-- At most `room` tickets that changed and have been quiet for a while, or have not been for five times as long; of the
-- oldest changes, ten times as many. That counts from when a change was first seen: the trigger runs long before its
-- transaction's end. All are seen at once, however many came, so that they are quiet together. `ids` and `error_ids` are for
-- done(), once what was read has been written down. Those in `hurry` are due soon, so they are first and need not be quiet:
-- an answer in time is not to come after the deadline because of us, nor of others that wait.
DROP FUNCTION IF EXISTS {{own}}.take(interval, bigint);
CREATE OR REPLACE FUNCTION {{own}}.take(quiet interval, room bigint, hurry text[], OUT ids bigint[], OUT documents jsonb,
	OUT error_ids bigint[], OUT errors jsonb, OUT waiting bigint, OUT more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET jit = off AS $slated$
DECLARE
	keys {{key}}[];
BEGIN
	IF quiet > interval '0' THEN
		UPDATE {{own}}.change c SET seen_at = clock_timestamp() WHERE c.id = ANY (ARRAY(
			SELECT o.id FROM {{own}}.change o WHERE o.seen_at IS NULL ORDER BY o.id LIMIT 50 * room));
	END IF;
	WITH looked AS MATERIALIZED (
		(SELECT c.id, c.ticket, c.seen_at, c.ticket::text = ANY (hurry) AS hurried FROM {{own}}.change c ORDER BY c.id LIMIT 10 * room)
		UNION
		SELECT c.id, c.ticket, c.seen_at, true FROM {{own}}.change c WHERE hurry <> '{}' AND c.ticket::text = ANY (hurry)),
	ready AS (
		SELECT l.ticket FROM looked l GROUP BY l.ticket
		HAVING quiet = interval '0' OR bool_or(l.hurried)
			OR max(coalesce(l.seen_at, 'infinity')) <= clock_timestamp() - quiet
			OR min(l.seen_at) <= clock_timestamp() - 5 * quiet
		ORDER BY bool_or(l.hurried) DESC, min(l.id) LIMIT room)
	SELECT coalesce(array_agg(l.id), '{}'), array_agg(DISTINCT l.ticket) INTO ids, keys
	FROM looked l WHERE l.ticket IN (SELECT r.ticket FROM ready r);
	SELECT coalesce(array_agg(e.id), '{}'),
		coalesce(jsonb_agg(jsonb_build_object('message', e.origin || ': ' || e.message)), '[]')
	INTO error_ids, errors FROM (SELECT * FROM {{own}}.error ORDER BY id LIMIT 100) AS e;
	documents := CASE WHEN keys IS NULL THEN '[]' ELSE {{own}}.documents(keys) END;
	more := coalesce(cardinality(keys), 0) = room;
	waiting := (SELECT count(*) FROM (SELECT FROM {{own}}.change LIMIT 100000) AS c);
END
$slated$;

-- The first and the last change that have not been read; 0 where there are none.
CREATE OR REPLACE FUNCTION {{own}}.waiting(OUT first bigint, OUT last bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $slated$
	SELECT coalesce(min(c.id), 0), coalesce(max(c.id), 0) FROM {{own}}.change c
$slated$;

CREATE OR REPLACE FUNCTION {{own}}.done(ids bigint[], error_ids bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $slated$
	DELETE FROM {{own}}.change c WHERE c.id = ANY (ids);
	DELETE FROM {{own}}.error e WHERE e.id = ANY (error_ids);
$slated$;

-- Without those that somebody may be in the middle of changing; their changes, or the next comparison, bring them.
CREATE OR REPLACE FUNCTION {{own}}.settled(documents jsonb) RETURNS jsonb
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $slated$
	SELECT coalesce(jsonb_agg(d ORDER BY n), '[]') FROM jsonb_array_elements(documents) WITH ORDINALITY AS u (d, n)
	WHERE d ->> 'key' NOT IN (SELECT c.ticket::text FROM {{own}}.change c)
		AND coalesce(greatest((d ->> 'updated_at')::timestamptz, (d -> 'items' -> -1 ->> 'at')::timestamptz)
			<= clock_timestamp() - {{settle}}, true)
$slated$;

-- Tickets by their keys, from one on: all, or those that are open or changed since. The last key of them, '' at the end.
CREATE OR REPLACE FUNCTION {{own}}.slice(after text, since timestamptz, room bigint, OUT last text, OUT documents jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET jit = off AS $slated$
DECLARE
	keys {{key}}[] := ARRAY(SELECT k FROM {{own}}.keys(nullif(after, '')::{{key}}, since, room) AS k);
BEGIN
	last := coalesce(keys[room]::text, '');
	documents := {{own}}.settled({{own}}.documents(keys));
END
$slated$;

CREATE OR REPLACE FUNCTION {{own}}.named(keys text[]) RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $slated$
	SELECT {{own}}.settled({{own}}.documents(keys::{{key}}[]))
$slated$;
