-- Request Tracker 5, by its tables as of 5.0.3. Words for where a fact comes from: queue, sla, priority, owner,
-- organization (of the first requestor who has one), custom_field:NAME. staff names groups whose members answer for the
-- provider; without it all privileged users do. A ticket's owner always does, its requestors never.
-- All instants are in UTC, whole seconds, of the RT host's clock. User 1 is RT_System, 6 is Nobody.

-- @key integer

-- @tables tickets transactions queues users groups cachedgroupmembers customfields objectcustomfieldvalues attachments

-- @sources status

-- @functions
CREATE OR REPLACE FUNCTION {{own}}.word(ticket integer, word text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, {{schema}}, pg_temp AS $slated$
	SELECT CASE
		WHEN word = 'queue' THEN (SELECT q.name FROM tickets t JOIN queues q ON q.id = t.queue WHERE t.id = ticket)
		WHEN word = 'sla' THEN (SELECT nullif(t.sla, '') FROM tickets t WHERE t.id = ticket)
		WHEN word = 'priority' THEN (SELECT t.priority::text FROM tickets t WHERE t.id = ticket)
		WHEN word = 'owner' THEN (SELECT u.name FROM tickets t JOIN users u ON u.id = t.owner WHERE t.id = ticket AND t.owner <> 6)
		WHEN word = 'organization' THEN (
			SELECT u.organization FROM groups g JOIN cachedgroupmembers m ON m.groupid = g.id JOIN users u ON u.id = m.memberid
			WHERE g.domain = 'RT::Ticket-Role' AND g.name = 'Requestor' AND g.instance = ticket AND m.disabled = 0
				AND u.organization <> '' ORDER BY u.id LIMIT 1)
		WHEN word LIKE 'custom_field:%' THEN (
			SELECT string_agg(v.content, ', ' ORDER BY v.sortorder, v.id) FROM objectcustomfieldvalues v
			JOIN customfields f ON f.id = v.customfield
			WHERE v.objecttype = 'RT::Ticket' AND v.objectid = ticket AND v.disabled = 0 AND f.name = substr(word, 14)) END
$slated$;

-- The facts that come from a word, with a value.
CREATE OR REPLACE FUNCTION {{own}}.facts_of(word text, value text) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $slated$
	SELECT jsonb_object_agg(s.fact, value) FROM {{own}}.sources() s WHERE s.word = facts_of.word
$slated$;

-- Who wrote something on a ticket.
CREATE OR REPLACE FUNCTION {{own}}.author(ticket integer, writer integer, ticket_owner integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, {{schema}}, pg_temp AS $slated$
	SELECT CASE
		WHEN writer = 1 OR EXISTS (SELECT FROM users u WHERE u.id = writer AND u.name = {{own_user}}) THEN 'system'
		WHEN writer = ticket_owner THEN 'agent'
		WHEN EXISTS (SELECT FROM groups g JOIN cachedgroupmembers m ON m.groupid = g.id
			WHERE g.domain = 'RT::Ticket-Role' AND g.name = 'Requestor' AND g.instance = ticket AND m.memberid = writer
				AND m.disabled = 0) THEN 'customer'
		WHEN EXISTS (SELECT FROM groups g JOIN cachedgroupmembers m ON m.groupid = g.id
			WHERE m.memberid = writer AND m.disabled = 0 AND CASE WHEN {{list staff}} = '{}'
				THEN g.domain = 'SystemInternal' AND g.name = 'Privileged'
				ELSE g.domain = 'UserDefined' AND g.name = ANY ({{list staff}}) END) THEN 'agent'
		ELSE 'customer' END
$slated$;

CREATE OR REPLACE FUNCTION {{own}}.field_value(reference integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, {{schema}}, pg_temp AS $slated$
	SELECT v.content FROM objectcustomfieldvalues v WHERE v.id = reference
$slated$;

-- The Due that is unset is RT's beginning of time.
CREATE OR REPLACE FUNCTION {{own}}.request(set jsonb, word text, tag_field text) RETURNS jsonb
LANGUAGE sql STABLE AS $slated$
	SELECT CASE WHEN set ? 'due' THEN jsonb_build_object('Due',
			coalesce(to_char((set ->> 'due')::timestamptz, 'YYYY-MM-DD HH24:MI:SS'), '1970-01-01 00:00:00')) ELSE '{}' END
		|| CASE WHEN word IS NOT NULL AND {{severity}} = 'priority' THEN jsonb_build_object('Priority', word::integer) ELSE '{}' END
		|| coalesce((SELECT jsonb_build_object('CustomFields', jsonb_object_agg(f.name, f.value)) FROM (
			SELECT tag_field AS name, nullif(set -> 'tag', 'null') AS value WHERE set ? 'tag'
			UNION ALL SELECT substr({{severity}}, 14), to_jsonb(word) WHERE word IS NOT NULL AND {{severity}} LIKE 'custom_field:%') AS f
			HAVING count(*) > 0), '{}')
$slated$;

-- Why own_user could not write as it should, or NULL.
CREATE OR REPLACE FUNCTION {{own}}.writer_problem(tag_field text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, {{schema}}, pg_temp AS $slated$
	SELECT CASE WHEN NOT EXISTS (SELECT FROM users u WHERE u.name = {{own_user}}) THEN
			format('own_user: Request Tracker has no user %L', {{own_user}})
		WHEN tag_field IS NOT NULL AND NOT EXISTS (SELECT FROM customfields f WHERE f.name = tag_field AND f.disabled = 0
				AND f.lookuptype = 'RT::Queue-RT::Ticket') THEN
			format('tag: Request Tracker has no custom field %L of tickets', tag_field) END
$slated$;

-- @requests

-- @trigger tickets
CASE TG_OP
	WHEN 'DELETE' THEN OLD.id
	WHEN 'UPDATE' THEN CASE WHEN NEW.type = 'ticket' AND
		(NEW.status, NEW.queue, NEW.priority, NEW.sla, NEW.owner, NEW.effectiveid) IS DISTINCT FROM
		(OLD.status, OLD.queue, OLD.priority, OLD.sla, OLD.owner, OLD.effectiveid) THEN NEW.id END
END

-- @trigger transactions
CASE WHEN TG_OP = 'INSERT' AND NEW.objecttype = 'RT::Ticket' AND (
	NEW.type IN ('Create', 'Correspond', 'Comment', 'Status', 'CustomField', 'Take', 'Untake', 'Steal', 'Give', 'Force')
	OR (NEW.type = 'Set' AND NEW.field IN ('Queue', 'Priority', 'SLA', 'Owner'))
	OR (NEW.type = 'AddLink' AND NEW.field = 'MergedInto')) THEN NEW.objectid END

-- @ticket
SELECT t.id AS key, t.id::text AS external_id, t.created AT TIME ZONE 'UTC' AS opened_at,
	t.lastupdated AT TIME ZONE 'UTC' AS updated_at, t.status, coalesce({{sql severity}}, {{own}}.word(t.id, {{severity}})) AS severity,
	coalesce({{sql org}}, {{own}}.word(t.id, {{org}})) AS org, coalesce({{sql plan}}, {{own}}.word(t.id, {{plan}})) AS plan,
	coalesce({{sql channel}}, {{own}}.word(t.id, {{channel}})) AS channel,
	coalesce({{sql category}}, {{own}}.word(t.id, {{category}})) AS category,
	coalesce({{sql product}}, {{own}}.word(t.id, {{product}})) AS product,
	coalesce({{sql environment}}, {{own}}.word(t.id, {{environment}})) AS environment,
	coalesce({{sql version}}, {{own}}.word(t.id, {{version}})) AS version,
	coalesce({{sql assignee}}, {{own}}.word(t.id, {{assignee}})) AS assignee,
	coalesce({{sql team}}, {{own}}.word(t.id, {{team}})) AS team, NULL::jsonb AS attributes,
	CASE WHEN t.effectiveid <> t.id AND t.effectiveid <> 0 THEN t.effectiveid END AS merged_into
FROM tickets t
WHERE t.id = ANY ($1) AND t.type = 'ticket' AND coalesce(({{sql only}})::boolean, true)

-- @item
-- A reply's body lies in the attachments of its transaction.
SELECT x.objectid AS ticket, 't' || x.id AS item, x.created AT TIME ZONE 'UTC' AS at, x.id AS seq, 'reply' AS kind,
	{{own}}.author(x.objectid, x.creator, t.owner) AS author, x.type = 'Correspond' AS public,
	(SELECT string_agg(a.content, E'\n') FROM attachments a WHERE a.transactionid = x.id AND a.contenttype = 'text/plain'
		AND a.content ILIKE '%#escalate%') AS body,
	NULL::jsonb AS facts, NULL::jsonb AS was, NULL::integer AS "into", NULL AS reason
FROM transactions x JOIN tickets t ON t.id = x.objectid
WHERE x.objecttype = 'RT::Ticket' AND x.objectid = ANY ($1) AND x.type IN ('Correspond', 'Comment')
UNION ALL
SELECT c.ticket, c.item, c.at, c.seq, 'changed', c.author, NULL, NULL, c.facts, c.was, NULL, NULL FROM (
	SELECT x.objectid AS ticket, 't' || x.id AS item, x.created AT TIME ZONE 'UTC' AS at, x.id AS seq,
		{{own}}.author(x.objectid, x.creator, t.owner) AS author,
		CASE WHEN x.type = 'Status' THEN jsonb_build_object('status', x.newvalue) ELSE {{own}}.facts_of(w.word, w.new) END AS facts,
		CASE WHEN x.type = 'Status' THEN jsonb_build_object('status', x.oldvalue) ELSE {{own}}.facts_of(w.word, w.old) END AS was
	FROM transactions x JOIN tickets t ON t.id = x.objectid
	LEFT JOIN customfields f ON x.type = 'CustomField' AND f.id::text = x.field
	CROSS JOIN LATERAL (SELECT
		CASE WHEN x.type = 'CustomField' THEN 'custom_field:' || f.name ELSE lower(x.field) END AS word,
		CASE WHEN x.type = 'CustomField' THEN coalesce({{own}}.field_value(x.newreference), x.newvalue)
			WHEN x.field = 'Queue' THEN (SELECT q.name FROM queues q WHERE q.id::text = x.newvalue)
			WHEN x.field = 'Owner' THEN (SELECT u.name FROM users u WHERE u.id::text = x.newvalue AND u.id <> 6)
			ELSE nullif(x.newvalue, '') END AS new,
		CASE WHEN x.type = 'CustomField' THEN coalesce({{own}}.field_value(x.oldreference), x.oldvalue)
			WHEN x.field = 'Queue' THEN (SELECT q.name FROM queues q WHERE q.id::text = x.oldvalue)
			WHEN x.field = 'Owner' THEN (SELECT u.name FROM users u WHERE u.id::text = x.oldvalue AND u.id <> 6)
			ELSE nullif(x.oldvalue, '') END AS old) AS w
	WHERE x.objecttype = 'RT::Ticket' AND x.objectid = ANY ($1) AND (x.type IN ('Status', 'CustomField')
		OR (x.type IN ('Set', 'Take', 'Untake', 'Steal', 'Give', 'Force') AND x.field IN ('Queue', 'Priority', 'SLA', 'Owner')))) AS c
WHERE c.facts IS NOT NULL
UNION ALL
SELECT t.id, 'm' || t.effectiveid, min(x.created) AT TIME ZONE 'UTC', min(x.id), 'merged', NULL, NULL, NULL, NULL, NULL,
	t.effectiveid, NULL
FROM tickets t JOIN transactions x ON x.objectid = t.id AND x.objecttype = 'RT::Ticket'
WHERE t.id = ANY ($1) AND t.effectiveid <> t.id AND x.type = 'AddLink' AND x.field = 'MergedInto'
GROUP BY t.id, t.effectiveid

-- @keys
SELECT t.id FROM tickets t
WHERE t.id > coalesce($1, 0) AND t.type = 'ticket' AND coalesce(({{sql only}})::boolean, true)
	AND ($2 IS NULL OR t.lastupdated >= $2 AT TIME ZONE 'UTC'
		OR (t.effectiveid = t.id AND {{own}}.map_status(t.status) NOT IN ('solved', 'closed')))
ORDER BY t.id LIMIT $3
