-- Any ticket table, by expressions of the configuration: over a row of the ticket table, and of a table of messages where
-- there is one. Such a product keeps no history of its tickets' facts, so a trigger writes down how they change.

-- @key_of {{raw ticket_table}} {{raw ticket_key}}

-- @tables {{raw ticket_table}} {{raw message_table}}

-- @log {{raw ticket_table}} {{raw ticket_key}}
SELECT ({{raw org}})::text AS org, ({{raw plan}})::text AS plan, ({{raw severity}})::text AS severity,
	({{raw status}})::text AS status, ({{raw channel}})::text AS channel, ({{raw category}})::text AS category,
	({{raw product}})::text AS product, ({{raw environment}})::text AS environment, ({{raw version}})::text AS version,
	({{raw assignee}})::text AS assignee, ({{raw team}})::text AS team, ({{raw updated_at}})::text AS at
FROM (SELECT {{row}}.*) AS t

-- @if message_table
-- @trigger {{raw message_table}}
CASE TG_OP WHEN 'DELETE' THEN NULL ELSE (SELECT {{raw message_ticket}} FROM (SELECT NEW.*) AS m) END

-- @ticket
SELECT t.{{raw ticket_key}} AS key, coalesce(({{raw external_id}})::text, t.{{raw ticket_key}}::text) AS external_id,
	{{raw opened_at}} AS opened_at, {{raw updated_at}} AS updated_at, {{raw status}} AS status, {{raw severity}} AS severity,
	{{raw org}} AS org, {{raw plan}} AS plan, {{raw channel}} AS channel, {{raw category}} AS category,
	{{raw product}} AS product, {{raw environment}} AS environment, {{raw version}} AS version,
	{{raw assignee}} AS assignee, {{raw team}} AS team, NULL::jsonb AS attributes, NULL::{{key}} AS merged_into
FROM {{raw ticket_table}} AS t WHERE t.{{raw ticket_key}} = ANY ($1)

-- @if message_table
-- @item
SELECT m.{{raw message_ticket}} AS ticket, 'm' || (m.{{raw message_key}})::text AS item, {{raw message_at}} AS at,
	row_number() OVER (PARTITION BY m.{{raw message_ticket}} ORDER BY m.{{raw message_key}}) AS seq, 'reply' AS kind,
	{{own}}.map_author(({{raw message_author}})::text) AS author, coalesce(({{raw message_public}})::boolean, true) AS public,
	{{raw message_body}} AS body, NULL::jsonb AS facts, NULL::jsonb AS was, NULL::{{key}} AS into, NULL AS reason
FROM {{raw message_table}} AS m WHERE m.{{raw message_ticket}} = ANY ($1)

-- @unless message_table
-- @item
SELECT NULL::{{key}} AS ticket, '' AS item, now() AS at, 0 AS seq, '' AS kind, '' AS author, false AS public, '' AS body,
	NULL::jsonb AS facts, NULL::jsonb AS was, NULL::{{key}} AS into, '' AS reason
WHERE false

-- @keys
SELECT t.{{raw ticket_key}} FROM {{raw ticket_table}} AS t
WHERE ($1 IS NULL OR t.{{raw ticket_key}} > $1) AND ($2 IS NULL OR ({{raw updated_at}})::timestamptz >= $2
	OR {{own}}.map_status(({{raw status}})::text) NOT IN ('solved', 'closed'))
ORDER BY t.{{raw ticket_key}} LIMIT $3
