-- Zammad 6. Its history is complete: each changed attribute of a ticket is a row of histories, at the instant of the
-- ticket's updated_at, with the ids and the names of what it was and what it became.
--
-- Sources: group, organization, organization_field:COLUMN, customer (login), customer_domain (of the mail address), state,
-- priority, owner (login), channel (how the ticket was opened: email, web, phone, ...), field:COLUMN (an attribute of
-- tickets that an administrator has added). Who is staff needs no setting: an article says what its sender is.

-- @key integer

-- @tables tickets ticket_articles ticket_article_types ticket_article_senders ticket_states ticket_state_types ticket_priorities groups organizations users histories history_types history_objects history_attributes

-- @sources state

-- @functions
DO $slated$
DECLARE
	s record;
BEGIN
	FOR s IN
		SELECT fact, word, split_part(word, ':', 1) AS kind, substr(word, strpos(word, ':') + 1) AS field
		FROM {{own}}.sources()
	LOOP
		IF s.kind IN ('field', 'organization_field') AND s.kind <> s.word THEN
			IF NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE NOT a.attisdropped AND a.attnum > 0 AND a.attname = s.field
				AND a.attrelid = CASE s.kind WHEN 'field' THEN '{{schema}}.tickets' ELSE '{{schema}}.organizations' END::regclass) THEN
				RAISE undefined_column USING MESSAGE = format('%s = "%s": Zammad has no such attribute', s.fact, s.word),
					HINT = 'See Admin, System, Objects; what is wanted is its name, not what is displayed.';
			END IF;
		ELSIF s.word NOT IN ('group', 'organization', 'customer', 'customer_domain', 'state', 'priority', 'owner', 'channel') THEN
			RAISE invalid_parameter_value USING MESSAGE = format('%s = "%s": not a word of this adapter', s.fact, s.word),
				HINT = 'One of group, organization, organization_field:COLUMN, customer, customer_domain, state, priority, owner, '
					'channel, field:COLUMN, sql:EXPRESSION.';
		END IF;
	END LOOP;
END
$slated$;

-- These views and functions are put into the queries below by PostgreSQL's planner, which runs them set by set.

-- What things are called, of those that the history has by their ids. User 1 is nobody.
CREATE OR REPLACE VIEW {{own}}.name AS
SELECT 'group' AS word, id, name FROM {{schema}}.groups
UNION ALL SELECT 'organization', id, name FROM {{schema}}.organizations
UNION ALL SELECT 'state', id, name FROM {{schema}}.ticket_states
UNION ALL SELECT 'priority', id, name FROM {{schema}}.ticket_priorities
UNION ALL SELECT 'owner', id, login FROM {{schema}}.users WHERE id <> 1
UNION ALL SELECT 'customer', id, login FROM {{schema}}.users WHERE id <> 1
UNION ALL SELECT 'customer_domain', id, nullif(lower(split_part(email, '@', 2)), '') FROM {{schema}}.users;

-- The attribute of Zammad's history that says how a fact changes.
CREATE OR REPLACE FUNCTION {{own}}.attribute_of(word text) RETURNS text
LANGUAGE sql IMMUTABLE AS $slated$
	SELECT CASE
		WHEN word LIKE 'field:%' THEN substr(word, 7)
		WHEN word LIKE 'organization\_field:%' THEN 'organization'
		WHEN word = 'customer_domain' THEN 'customer'
		ELSE word
		END
$slated$;

-- The history of tickets, with names for its ids.
CREATE OR REPLACE VIEW {{own}}.history AS
SELECT h.id, h.o_id, h.related_o_id, o.name AS object, k.name AS type, a.name AS attribute, h.id_from::integer, h.id_to::integer,
	nullif(h.value_from, '') AS value_from, nullif(h.value_to, '') AS value_to, h.created_by_id, h.created_at
FROM {{schema}}.histories h
JOIN {{schema}}.history_objects o ON o.id = h.history_object_id
JOIN {{schema}}.history_types k ON k.id = h.history_type_id
LEFT JOIN {{schema}}.history_attributes a ON a.id = h.history_attribute_id;

-- @trigger tickets
CASE TG_OP
	WHEN 'INSERT' THEN NEW.id
	WHEN 'DELETE' THEN OLD.id
	ELSE CASE WHEN (NEW.state_id, NEW.priority_id, NEW.group_id, NEW.owner_id, NEW.organization_id, NEW.customer_id)
		IS DISTINCT FROM (OLD.state_id, OLD.priority_id, OLD.group_id, OLD.owner_id, OLD.organization_id, OLD.customer_id)
		THEN NEW.id END
END

-- @trigger ticket_articles
CASE TG_OP WHEN 'INSERT' THEN NEW.ticket_id END

-- @trigger histories
CASE WHEN TG_OP = 'INSERT' AND NEW.history_object_id = (SELECT o.id FROM history_objects o WHERE o.name = 'Ticket')
	THEN NEW.o_id END

-- @ticket
-- What a ticket is merged into says more than the state that it gets thereby, so it keeps the former one.
SELECT t.id AS key, t.number::text AS external_id, t.created_at AT TIME ZONE 'UTC' AS opened_at,
	t.updated_at AT TIME ZONE 'UTC' AS updated_at, w.words ->> 'state' AS status,
	{{facts}},
	NULL::jsonb AS attributes, w.merged_into
FROM tickets t
JOIN (
	SELECT t.id, CASE WHEN y.name = 'merged' THEN (SELECT h.id_to FROM {{own}}.history h
			WHERE h.o_id = t.id AND h.object = 'Ticket' AND h.type = 'merged_into' ORDER BY h.id DESC LIMIT 1) END AS merged_into,
		jsonb_build_object('group', g.name, 'organization', o.name, 'priority', p.name, 'channel', k.name, 'customer', c.login,
			'owner', CASE WHEN t.owner_id <> 1 THEN a.login END, 'customer_domain', nullif(lower(split_part(c.email, '@', 2)), ''),
			'state', CASE WHEN y.name <> 'merged' THEN s.name ELSE coalesce((SELECT h.value_from FROM {{own}}.history h
				WHERE h.o_id = t.id AND h.object = 'Ticket' AND h.attribute = 'state' AND h.id_to = t.state_id
				ORDER BY h.id DESC LIMIT 1), 'open') END)
		|| coalesce((SELECT jsonb_object_agg(s.word, nullif(to_jsonb(t) ->> substr(s.word, 7), ''))
			FROM {{own}}.sources() s WHERE s.word LIKE 'field:%'), '{}')
		|| coalesce((SELECT jsonb_object_agg(s.word, nullif(to_jsonb(o) ->> substr(s.word, 20), ''))
			FROM {{own}}.sources() s WHERE s.word LIKE 'organization\_field:%'), '{}') AS words
	FROM tickets t
	JOIN ticket_states s ON s.id = t.state_id
	JOIN ticket_state_types y ON y.id = s.state_type_id
	LEFT JOIN groups g ON g.id = t.group_id
	LEFT JOIN organizations o ON o.id = t.organization_id
	LEFT JOIN ticket_priorities p ON p.id = t.priority_id
	LEFT JOIN ticket_article_types k ON k.id = t.create_article_type_id
	LEFT JOIN users a ON a.id = t.owner_id
	LEFT JOIN users c ON c.id = t.customer_id
	WHERE t.id = ANY ($1)
	OFFSET 0 -- keeps the planner from working the words out again for each fact
) AS w ON w.id = t.id
WHERE coalesce(({{sql only}})::boolean, true)

-- @item
-- A merge moves the articles to the ticket that lives on. They were said in the former one, and the history of an article
-- says which that was. The first article is the opening, unless an agent wrote it. seq: at one instant facts come first,
-- then what opens a ticket again, what is said, what lays it to rest, and what it is merged into.
SELECT a.origin AS ticket, 'a' || a.id AS item, a.created_at AT TIME ZONE 'UTC' AS at, (2::bigint << 40) + a.id AS seq,
	'reply' AS kind, CASE WHEN EXISTS (SELECT FROM users u WHERE u.id = a.created_by_id AND u.login = {{own_user}}) THEN 'system'
		ELSE lower(s.name) END AS author,
	NOT a.internal AND (s.name <> 'Agent' OR k.communication) AS public, a.body, NULL::jsonb AS facts, NULL::jsonb AS was,
	NULL::integer AS "into", NULL::text AS reason
FROM (
	SELECT a.*, row_number() OVER (PARTITION BY a.origin ORDER BY a.id) AS n
	FROM (
		SELECT a.*, coalesce(h.related_o_id, a.ticket_id) AS origin
		FROM ticket_articles a
		LEFT JOIN {{own}}.history h ON h.o_id = a.id AND h.object = 'Ticket::Article' AND h.type = 'created'
		WHERE a.ticket_id = ANY ($1)
		UNION
		SELECT a.*, h.related_o_id
		FROM {{own}}.history h
		JOIN ticket_articles a ON a.id = h.o_id
		WHERE h.related_o_id = ANY ($1) AND h.object = 'Ticket::Article' AND h.type = 'created'
	) AS a
) AS a
JOIN ticket_article_senders s ON s.id = a.sender_id
JOIN ticket_article_types k ON k.id = a.type_id
WHERE a.origin = ANY ($1) AND (a.n > 1 OR s.name = 'Agent')
UNION ALL
-- An update with an article changes the ticket first and writes the article some milliseconds later, so a state in which
-- the ticket comes to rest counts as of the article, unless the state has changed again before it.
SELECT h.o_id, 'h' || h.id, coalesce(a.at, h.created_at) AT TIME ZONE 'UTC',
	(CASE WHEN h.facts ->> 'status' IS NULL THEN 0 WHEN {{own}}.map_status(h.facts ->> 'status') = 'open' THEN 1
		ELSE 3 END::bigint << 40) + h.id,
	'changed', CASE WHEN h.created_by_id = 1 OR u.login = {{own_user}} THEN 'system'
		WHEN h.created_by_id = t.customer_id THEN 'customer' ELSE 'agent' END, NULL, NULL, h.facts, h.was, NULL, NULL
FROM (
	SELECT h.id, h.o_id, h.created_at, h.created_by_id,
		lead(h.created_at) OVER (PARTITION BY h.o_id, h.attribute ORDER BY h.id) AS until,
		jsonb_object_agg(s.fact, CASE WHEN s.word LIKE 'field:%' THEN h.value_to
			WHEN s.word LIKE 'organization\_field:%' THEN nullif(to_jsonb(o) ->> substr(s.word, 20), '') ELSE n.name END) AS facts,
		jsonb_object_agg(s.fact, CASE WHEN s.word LIKE 'field:%' THEN h.value_from
			WHEN s.word LIKE 'organization\_field:%' THEN nullif(to_jsonb(p) ->> substr(s.word, 20), '') ELSE m.name END) AS was
	FROM {{own}}.history h
	JOIN {{own}}.sources() s ON {{own}}.attribute_of(s.word) = h.attribute
	LEFT JOIN {{own}}.name n ON n.word = s.word AND n.id = h.id_to
	LEFT JOIN {{own}}.name m ON m.word = s.word AND m.id = h.id_from
	LEFT JOIN organizations o ON h.attribute = 'organization' AND o.id = h.id_to
	LEFT JOIN organizations p ON h.attribute = 'organization' AND p.id = h.id_from
	WHERE h.o_id = ANY ($1) AND h.object = 'Ticket' AND h.type = 'updated'
		AND (h.attribute <> 'state' OR h.id_to NOT IN (SELECT s.id FROM ticket_states s
			JOIN ticket_state_types y ON y.id = s.state_type_id WHERE y.name = 'merged'))
	GROUP BY h.id, h.o_id, h.created_at, h.created_by_id, h.attribute
) AS h
JOIN tickets t ON t.id = h.o_id
LEFT JOIN users u ON u.id = h.created_by_id
LEFT JOIN LATERAL (
	SELECT a.created_at AS at
	FROM ticket_articles a
	WHERE a.ticket_id = h.o_id AND a.created_by_id = h.created_by_id
		AND a.created_at BETWEEN h.created_at AND least(h.created_at + interval '2 s', h.until)
	ORDER BY a.id
	LIMIT 1
) AS a ON {{own}}.map_status(h.facts ->> 'status') <> 'open'
UNION ALL
SELECT h.o_id, 'm' || h.id, h.created_at AT TIME ZONE 'UTC', (4::bigint << 40) + h.id, 'merged', 'agent', NULL, NULL, NULL,
	NULL, h.id_to, NULL
FROM {{own}}.history h
WHERE h.o_id = ANY ($1) AND h.object = 'Ticket' AND h.type = 'merged_into'

-- @keys
SELECT t.id
FROM tickets t
JOIN ticket_states s ON s.id = t.state_id
JOIN ticket_state_types k ON k.id = s.state_type_id
WHERE ($1 IS NULL OR t.id > $1)
	AND ($2 IS NULL OR k.name NOT IN ('closed', 'merged', 'removed') OR t.updated_at > $2 AT TIME ZONE 'UTC')
	AND coalesce(({{sql only}})::boolean, true)
ORDER BY t.id
LIMIT $3
