-- Chatwoot 3 and 4. A conversation is a ticket. Chatwoot writes down when one was resolved (and in newer versions when it was
-- opened again), but no other change of its columns; from attach on a trigger does. What was before is known as far as
-- reporting_events and messages tell: a customer's message opens what was resolved.
--
-- Sources: account, inbox, channel (Email, WebWidget, Api, ...), contact (mail address), contact_domain, contact_company,
-- contact_field:KEY, status, priority (none where there is none), team, assignee (mail address), sla_policy, field:KEY (a
-- custom attribute of conversations). Who is staff needs no setting: a message says what its sender is.

-- @key integer

-- @tables conversations messages accounts inboxes contacts teams users sla_policies reporting_events

-- @sources status

-- @functions
DO $slated$
DECLARE
	s record;
BEGIN
	FOR s IN SELECT fact, word FROM {{own}}.sources() LOOP
		IF s.word !~ '^(contact_)?field:.' AND s.word NOT IN ('account', 'inbox', 'channel', 'contact', 'contact_domain',
			'contact_company', 'status', 'priority', 'team', 'assignee', 'sla_policy') THEN
			RAISE invalid_parameter_value USING MESSAGE = format('%s = "%s": not a word of this adapter', s.fact, s.word),
				HINT = 'One of account, inbox, channel, contact, contact_domain, contact_company, contact_field:KEY, status, priority, '
					'team, assignee, sla_policy, field:KEY, sql:EXPRESSION.';
		END IF;
	END LOOP;
END
$slated$;

-- Chatwoot has its statuses and priorities as numbers, whose names are in its program.
CREATE OR REPLACE FUNCTION {{own}}.status_name(status integer) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN coalesce((ARRAY['open', 'resolved', 'pending', 'snoozed'])[status + 1], '#' || status);

-- All that can be asked for, of a conversation as this row has it.
CREATE OR REPLACE FUNCTION {{own}}.words(t {{schema}}.conversations) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $slated$
BEGIN
	RETURN (SELECT jsonb_build_object('status', {{own}}.status_name(t.status),
			'priority', CASE t.priority WHEN 0 THEN 'low' WHEN 1 THEN 'medium' WHEN 2 THEN 'high' WHEN 3 THEN 'urgent' ELSE 'none' END,
			'account', (SELECT a.name FROM {{schema}}.accounts a WHERE a.id = t.account_id),
			'inbox', i.name, 'channel', replace(i.channel_type, 'Channel::', ''),
			'team', (SELECT m.name FROM {{schema}}.teams m WHERE m.id = t.team_id),
			'assignee', (SELECT u.email FROM {{schema}}.users u WHERE u.id = t.assignee_id),
			'sla_policy', (SELECT p.name FROM {{schema}}.sla_policies p WHERE p.id = t.sla_policy_id),
			'contact', c.email, 'contact_domain', nullif(lower(split_part(c.email, '@', 2)), ''),
			'contact_company', nullif(c.additional_attributes ->> 'company_name', ''))
		|| coalesce((SELECT jsonb_object_agg('field:' || f.key, f.value) FROM jsonb_each_text(t.custom_attributes) f), '{}')
		|| coalesce((SELECT jsonb_object_agg('contact_field:' || f.key, f.value) FROM jsonb_each_text(c.custom_attributes) f), '{}')
		FROM (SELECT) AS one
		LEFT JOIN {{schema}}.inboxes i ON i.id = t.inbox_id
		LEFT JOIN {{schema}}.contacts c ON c.id = t.contact_id);
END
$slated$;

CREATE TABLE IF NOT EXISTS {{own}}.watch AS SELECT clock_timestamp() AS began_at;
CREATE TABLE IF NOT EXISTS {{own}}.fact_change (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	conversation integer NOT NULL,
	at timestamp NOT NULL,
	facts jsonb NOT NULL,
	was jsonb NOT NULL
);
CREATE INDEX IF NOT EXISTS fact_change_conversation ON {{own}}.fact_change (conversation);
COMMENT ON TABLE {{own}}.fact_change IS 'The history of facts that Chatwoot does not keep';

CREATE OR REPLACE FUNCTION {{own}}.write_down(o {{schema}}.conversations, n {{schema}}.conversations) RETURNS integer
LANGUAGE plpgsql AS $slated$
DECLARE
	before jsonb := {{own}}.words(o);
	after jsonb := {{own}}.words(n);
BEGIN
	INSERT INTO {{own}}.fact_change (conversation, at, facts, was)
	SELECT n.id, n.updated_at, jsonb_object_agg(s.fact, after -> s.word), jsonb_object_agg(s.fact, before -> s.word)
	FROM {{own}}.sources() s
	WHERE after -> s.word IS DISTINCT FROM before -> s.word
	HAVING count(*) > 0;
	RETURN n.id;
END
$slated$;

CREATE OR REPLACE FUNCTION {{own}}.forget(gone integer) RETURNS integer
LANGUAGE plpgsql AS $slated$
BEGIN
	DELETE FROM {{own}}.fact_change c WHERE c.conversation = gone;
	RETURN gone;
END
$slated$;

-- @trigger conversations
CASE TG_OP
	WHEN 'INSERT' THEN NEW.id
	WHEN 'DELETE' THEN {{own}}.forget(OLD.id)
	ELSE CASE WHEN (NEW.status, NEW.priority, NEW.assignee_id, NEW.team_id, NEW.inbox_id, NEW.contact_id, NEW.sla_policy_id,
			NEW.custom_attributes)
		IS DISTINCT FROM (OLD.status, OLD.priority, OLD.assignee_id, OLD.team_id, OLD.inbox_id, OLD.contact_id, OLD.sla_policy_id,
			OLD.custom_attributes) THEN {{own}}.write_down(OLD, NEW) END
END

-- @trigger messages
CASE WHEN TG_OP = 'INSERT' AND NEW.message_type <> 2 THEN NEW.conversation_id END

-- @ticket
SELECT t.id AS key, t.account_id || '/' || t.display_id AS external_id, t.created_at AT TIME ZONE 'UTC' AS opened_at,
	t.updated_at AT TIME ZONE 'UTC' AS updated_at, w.words ->> 'status' AS status,
	{{facts}},
	NULL::jsonb AS attributes, NULL::integer AS merged_into
FROM conversations t
JOIN (
	SELECT t.id, {{own}}.words(t) AS words
	FROM conversations t
	WHERE t.id = ANY ($1)
	OFFSET 0 -- keeps the planner from working the words out again for each fact
) AS w ON w.id = t.id
WHERE coalesce(({{sql only}})::boolean, true)

-- @item
-- A message of an agent is of a user of Chatwoot; those of bots, rules and campaigns are the system's. One that could not be
-- sent is none. The first message is the opening, unless an agent wrote it. seq: at one instant what opens a conversation
-- comes first, then what is said, then what else changes.
SELECT m.conversation_id AS ticket, 'm' || m.id AS item, m.created_at AT TIME ZONE 'UTC' AS at,
	(2::bigint << 40) + m.id AS seq, 'reply' AS kind,
	CASE WHEN m.message_type = 0 THEN 'customer'
		WHEN m.message_type = 1 AND m.sender_type = 'User' AND NOT coalesce(m.additional_attributes ? 'campaign_id', false)
			AND NOT EXISTS (SELECT FROM users u WHERE u.id = m.sender_id AND u.email = {{own_user}}) THEN 'agent'
		ELSE 'system' END AS author,
	NOT m.private AS public, m.content AS body, NULL::jsonb AS facts, NULL::jsonb AS was, NULL::integer AS "into",
	NULL::text AS reason
FROM messages m
WHERE m.conversation_id = ANY ($1) AND m.message_type IN (0, 1, 3) AND m.status IS DISTINCT FROM 3
	AND (m.message_type <> 0 OR EXISTS (SELECT FROM messages f
		WHERE f.conversation_id = m.conversation_id AND f.message_type IN (0, 1) AND f.id < m.id))
UNION ALL
-- A customer's message opens what was resolved or snoozed before it, some milliseconds later, which counts as of the message.
SELECT c.conversation, 'c' || c.id, coalesce(m.at, c.at) AT TIME ZONE 'UTC',
	(CASE WHEN c.opens THEN 1 ELSE 3 END::bigint << 40) + c.id, 'changed', 'agent', NULL, NULL, c.facts, c.was, NULL, NULL
FROM (
	SELECT c.*, c.facts ->> 'status' = 'open' AS opens,
		lag(c.at) OVER (PARTITION BY c.conversation, c.facts ? 'status' ORDER BY c.id) AS before
	FROM {{own}}.fact_change c
	WHERE c.conversation = ANY ($1)
) AS c
LEFT JOIN LATERAL (
	SELECT max(m.created_at) AS at
	FROM messages m
	WHERE m.conversation_id = c.conversation AND m.message_type = 0 AND m.created_at BETWEEN c.at - interval '5 s' AND c.at
		AND m.created_at > coalesce(c.before, '-infinity')
) AS m ON c.opens AND c.was ->> 'status' IN ('resolved', 'snoozed')
UNION ALL
SELECT r.conversation_id, 'r' || r.id, r.at AT TIME ZONE 'UTC',
	(CASE WHEN r.resolves THEN 3 ELSE 1 END::bigint << 40) + r.id, 'changed', 'agent', NULL, NULL,
	jsonb_build_object('status', CASE WHEN r.resolves THEN 'resolved' ELSE 'open' END),
	jsonb_build_object('status', CASE WHEN r.resolves THEN 'open' ELSE 'resolved' END), NULL, NULL
FROM (
	SELECT e.id, e.conversation_id, e.at, e.resolves
	FROM (SELECT r.id, r.conversation_id, r.name = 'conversation_resolved' AS resolves,
			coalesce(r.event_end_time, r.created_at) AS at
		FROM reporting_events r
		WHERE r.conversation_id = ANY ($1) AND r.name IN ('conversation_resolved', 'conversation_opened')) AS e
	WHERE e.at < (SELECT w.began_at AT TIME ZONE 'UTC' FROM {{own}}.watch w)
) AS r
UNION ALL
SELECT r.conversation_id, 'o' || m.id, m.created_at AT TIME ZONE 'UTC', (1::bigint << 40) + m.id, 'changed', 'customer',
	NULL, NULL, '{"status": "open"}', '{"status": "resolved"}', NULL, NULL
FROM (
	SELECT e.conversation_id, e.at, e.resolves, lead(e.resolves) OVER w AS next_resolves, lead(e.at) OVER w AS until
	FROM (SELECT r.conversation_id, r.name = 'conversation_resolved' AS resolves, coalesce(r.event_end_time, r.created_at) AS at
		FROM reporting_events r
		WHERE r.conversation_id = ANY ($1) AND r.name IN ('conversation_resolved', 'conversation_opened')) AS e
	WINDOW w AS (PARTITION BY e.conversation_id ORDER BY e.at)
) AS r
CROSS JOIN LATERAL (
	SELECT m.id, m.created_at
	FROM messages m
	WHERE m.conversation_id = r.conversation_id AND m.message_type = 0 AND m.created_at > r.at
		AND m.created_at < coalesce(r.until, 'infinity')
	ORDER BY m.created_at
	LIMIT 1
) AS m
WHERE r.resolves AND r.next_resolves IS DISTINCT FROM false
	AND m.created_at < (SELECT w.began_at AT TIME ZONE 'UTC' FROM {{own}}.watch w)

-- @keys
SELECT t.id
FROM conversations t
WHERE ($1 IS NULL OR t.id > $1) AND ($2 IS NULL OR t.status <> 1 OR t.updated_at > $2 AT TIME ZONE 'UTC')
	AND coalesce(({{sql only}})::boolean, true)
ORDER BY t.id
LIMIT $3
