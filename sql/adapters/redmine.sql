-- Redmine 5. Its history is complete: each update of an issue is a row of journals, with a row of journal_details for each
-- thing that changed, all written in one transaction. Two things are not in it: the opening, and what Redmine works out by
-- itself (the priority of a parent, from its subtasks).
--
-- Sources: project, project_field:NAME, tracker, status, priority, category, version, assignee, author, author_domain (of
-- the mail address), author_field:NAME, custom_field:NAME. staff and customer: role:NAME, group:NAME, user:LOGIN, admin,
-- author. Who is in neither is a customer.
--
-- Redmine writes times without a zone, in the zone of the host that it runs on: setting timezone.

-- @key integer

-- @tables issues journals journal_details custom_fields custom_values custom_field_enumerations issue_statuses enumerations trackers projects issue_categories versions users email_addresses members member_roles roles groups_users

-- @sources status

-- @functions
CREATE OR REPLACE FUNCTION {{own}}.field_id(kind text, field text) RETURNS integer
LANGUAGE sql STABLE AS $slated$
	SELECT f.id FROM {{schema}}.custom_fields f WHERE f.type = kind || 'CustomField' AND f.name = field
$slated$;

DO $slated$
DECLARE
	s record;
BEGIN
	FOR s IN
		SELECT fact, word, split_part(word, ':', 1) AS kind, substr(word, strpos(word, ':') + 1) AS field
		FROM {{own}}.sources()
	LOOP
		IF s.kind IN ('custom_field', 'project_field', 'author_field') AND s.kind <> s.word THEN
			IF {{own}}.field_id(CASE s.kind WHEN 'custom_field' THEN 'Issue' WHEN 'project_field' THEN 'Project'
				ELSE 'User' END, s.field) IS NULL THEN
				RAISE undefined_object USING MESSAGE = format('%s = "%s": Redmine has no such custom field', s.fact, s.word),
					HINT = 'See Administration, Custom fields; the name is to be written as it is there.';
			END IF;
		ELSIF s.word NOT IN ('project', 'tracker', 'status', 'priority', 'category', 'version', 'assignee', 'author',
			'author_domain') THEN
			RAISE invalid_parameter_value USING MESSAGE = format('%s = "%s": not a word of this adapter', s.fact, s.word),
				HINT = 'One of project, project_field:NAME, tracker, status, priority, category, version, assignee, author, '
					'author_domain, author_field:NAME, custom_field:NAME, sql:EXPRESSION.';
		END IF;
	END LOOP;
	FOR s IN SELECT unnest({{list staff}} || {{list customer}}) AS word LOOP
		IF s.word NOT IN ('admin', 'author') AND s.word !~ '^(role|group|user):.' THEN
			RAISE invalid_parameter_value USING MESSAGE = format('staff or customer has "%s": not a word of this adapter', s.word),
				HINT = 'One of role:NAME, group:NAME, user:LOGIN, admin, author.';
		END IF;
	END LOOP;
END
$slated$;

-- These views and functions are put into the queries below by PostgreSQL's planner, which runs them set by set.

-- What things are called, of those that the history has by their numbers.
CREATE OR REPLACE VIEW {{own}}.name AS
SELECT 'project' AS word, id, name FROM {{schema}}.projects
UNION ALL SELECT 'tracker', id, name FROM {{schema}}.trackers
UNION ALL SELECT 'status', id, name FROM {{schema}}.issue_statuses
UNION ALL SELECT 'priority', id, name FROM {{schema}}.enumerations
UNION ALL SELECT 'category', id, name FROM {{schema}}.issue_categories
UNION ALL SELECT 'version', id, name FROM {{schema}}.versions
UNION ALL SELECT 'assignee', id, coalesce(nullif(login, ''), lastname) FROM {{schema}}.users;

-- Custom values; of a field with several, all together.
CREATE OR REPLACE FUNCTION {{own}}.custom_values(kind text, thing integer) RETURNS TABLE (word text, value text)
LANGUAGE sql STABLE AS $slated$
	SELECT CASE kind WHEN 'Issue' THEN 'custom' WHEN 'Project' THEN 'project' ELSE 'author' END || '_field:' || f.name,
		string_agg(coalesce(e.name, v.value), ', ' ORDER BY v.id)
	FROM {{schema}}.custom_values v
	JOIN {{schema}}.custom_fields f ON f.id = v.custom_field_id
	LEFT JOIN {{schema}}.custom_field_enumerations e ON f.field_format = 'enumeration' AND e.id::text = v.value
	WHERE v.customized_type = kind AND v.customized_id = thing AND v.value <> ''
	GROUP BY f.name
$slated$;

-- Whose word a user's is.
CREATE OR REPLACE FUNCTION {{own}}.side(who integer, project integer, opened_by integer) RETURNS TABLE (author text)
LANGUAGE sql STABLE AS $slated$
	SELECT CASE
		WHEN u.login = {{own_user}} THEN 'system'
		WHEN u.names && {{list customer}} THEN 'customer'
		WHEN u.names && {{list staff}} THEN 'agent'
		ELSE 'customer'
		END
	FROM (SELECT (SELECT u.login FROM {{schema}}.users u WHERE u.id = who) AS login,
		ARRAY(SELECT 'role:' || r.name FROM {{schema}}.members m JOIN {{schema}}.member_roles mr ON mr.member_id = m.id
				JOIN {{schema}}.roles r ON r.id = mr.role_id WHERE m.user_id = who AND m.project_id = project
			UNION ALL SELECT 'group:' || g.lastname FROM {{schema}}.groups_users gu JOIN {{schema}}.users g ON g.id = gu.group_id
				WHERE gu.user_id = who
			UNION ALL SELECT 'user:' || u.login FROM {{schema}}.users u WHERE u.id = who
			UNION ALL SELECT 'admin' FROM {{schema}}.users u WHERE u.id = who AND u.admin
			UNION ALL SELECT 'author' WHERE who = opened_by) AS names) AS u
$slated$;

CREATE OR REPLACE FUNCTION {{own}}.request(set jsonb, word text, tag_field text) RETURNS jsonb
LANGUAGE sql STABLE AS $slated$
	SELECT CASE WHEN i.issue = '{}' THEN '{}' ELSE jsonb_build_object('issue', i.issue) END
	FROM (SELECT CASE WHEN set ? 'due' THEN jsonb_build_object('due_date',
			coalesce(((set ->> 'due')::timestamptz AT TIME ZONE {{timezone}})::date::text, '')) ELSE '{}' END
		|| coalesce((SELECT jsonb_build_object('priority_id', e.id) FROM {{schema}}.enumerations e
			WHERE e.type = 'IssuePriority' AND {{severity}} = 'priority' AND lower(e.name) = lower(word) LIMIT 1), '{}')
		|| coalesce((SELECT jsonb_build_object('custom_fields', jsonb_agg(jsonb_build_object('id', f.id, 'value', f.value))) FROM (
			SELECT {{own}}.field_id('Issue', tag_field) AS id, coalesce(set ->> 'tag', '') AS value WHERE set ? 'tag'
			UNION ALL SELECT {{own}}.field_id('Issue', substr({{severity}}, 14)), word
				WHERE word IS NOT NULL AND {{severity}} LIKE 'custom_field:%') AS f HAVING count(*) > 0), '{}') AS issue) AS i
$slated$;

-- Why own_user could not write as it should, or NULL. Where it may not write private notes, Redmine makes public ones of them.
CREATE OR REPLACE FUNCTION {{own}}.writer_problem(tag_field text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, {{schema}}, pg_temp AS $slated$
	SELECT CASE WHEN NOT EXISTS (SELECT FROM users u WHERE u.login = {{own_user}}) THEN
			format('own_user: Redmine has no user %L', {{own_user}})
		WHEN tag_field IS NOT NULL AND {{own}}.field_id('Issue', tag_field) IS NULL THEN
			format('tag: Redmine has no custom field %L of issues', tag_field)
		ELSE (SELECT format('own_user %L may not write private notes, so customers would see them, in project ', {{own_user}})
				|| string_agg(p.name, ', ' ORDER BY p.name) || ': give one of its roles the permission "Set notes as private"'
			FROM users u JOIN members m ON m.user_id = u.id JOIN projects p ON p.id = m.project_id AND p.status = 1
			WHERE u.login = {{own_user}} AND NOT u.admin AND NOT EXISTS (SELECT FROM member_roles x JOIN roles r ON r.id = x.role_id
				WHERE x.member_id = m.id AND r.permissions LIKE '%:set_notes_private%')
			HAVING count(*) > 0) END
$slated$;

-- @requests

-- @trigger issues
CASE TG_OP
	WHEN 'INSERT' THEN NEW.id
	WHEN 'DELETE' THEN OLD.id
	ELSE CASE WHEN (NEW.project_id, NEW.tracker_id, NEW.status_id, NEW.priority_id, NEW.category_id, NEW.fixed_version_id,
			NEW.assigned_to_id, NEW.author_id)
		IS DISTINCT FROM (OLD.project_id, OLD.tracker_id, OLD.status_id, OLD.priority_id, OLD.category_id, OLD.fixed_version_id,
			OLD.assigned_to_id, OLD.author_id) THEN NEW.id END
END

-- @trigger journals
CASE WHEN NEW.journalized_type = 'Issue' THEN NEW.journalized_id END

-- @ticket
SELECT t.id AS key, t.id::text AS external_id, t.created_on AT TIME ZONE {{timezone}} AS opened_at,
	t.updated_on AT TIME ZONE {{timezone}} AS updated_at, w.words ->> 'status' AS status,
	{{facts}},
	NULL::jsonb AS attributes, NULL::integer AS merged_into
FROM issues t
JOIN (
	SELECT t.id, jsonb_build_object('project', p.name, 'tracker', k.name, 'status', s.name, 'priority', e.name,
			'category', c.name, 'version', v.name, 'assignee', coalesce(nullif(a.login, ''), a.lastname),
			'author', nullif(o.login, ''),
			'author_domain', (SELECT lower(split_part(m.address, '@', 2)) FROM email_addresses m
				WHERE m.user_id = t.author_id AND m.is_default LIMIT 1))
		|| coalesce((SELECT jsonb_object_agg(f.word, f.value) FROM (
			SELECT * FROM {{own}}.custom_values('Issue', t.id)
			UNION ALL SELECT * FROM {{own}}.custom_values('Project', t.project_id)
			UNION ALL SELECT * FROM {{own}}.custom_values('Principal', t.author_id)) AS f), '{}') AS words
	FROM issues t
	LEFT JOIN projects p ON p.id = t.project_id
	LEFT JOIN trackers k ON k.id = t.tracker_id
	LEFT JOIN issue_statuses s ON s.id = t.status_id
	LEFT JOIN enumerations e ON e.id = t.priority_id
	LEFT JOIN issue_categories c ON c.id = t.category_id
	LEFT JOIN versions v ON v.id = t.fixed_version_id
	LEFT JOIN users a ON a.id = t.assigned_to_id
	LEFT JOIN users o ON o.id = t.author_id
	WHERE t.id = ANY ($1)
	OFFSET 0 -- keeps the planner from working the words out again for each fact
) AS w ON w.id = t.id
WHERE coalesce(({{sql only}})::boolean, true)

-- @item
SELECT j.journalized_id AS ticket, 'j' || j.id AS item, j.created_on AT TIME ZONE {{timezone}} AS at,
	j.id * 4::bigint + 2 AS seq, 'reply' AS kind, s.author, NOT j.private_notes AS public, j.notes AS body,
	NULL::jsonb AS facts, NULL::jsonb AS was, NULL::integer AS "into", NULL::text AS reason
FROM journals j
JOIN issues t ON t.id = j.journalized_id
CROSS JOIN LATERAL {{own}}.side(j.user_id, t.project_id, t.author_id) AS s
WHERE j.journalized_type = 'Issue' AND j.journalized_id = ANY ($1) AND j.notes <> ''
UNION ALL
-- What opens an issue again comes before what is said with it, and what lays it to rest comes after.
SELECT c.ticket, 'j' || c.id || CASE WHEN c.of_status THEN 's' ELSE 'f' END, c.at,
	c.id * 4::bigint + CASE WHEN NOT c.of_status THEN 0 WHEN {{own}}.map_status(c.facts ->> 'status') = 'open' THEN 1
		ELSE 3 END,
	'changed', s.author, NULL, NULL, c.facts, c.was, NULL, NULL
FROM (
	SELECT d.journal_id AS id, d.ticket, d.at, d.who, d.project, d.opened_by, s.fact = 'status' AS of_status,
		jsonb_object_agg(s.fact, CASE WHEN d.value = '' THEN NULL
			WHEN s.word LIKE '%\_field:%' THEN coalesce(pn.value, en.name, d.value)
			ELSE coalesce(n.name, '#' || d.value) END) AS facts,
		jsonb_object_agg(s.fact, CASE WHEN d.old_value = '' THEN NULL
			WHEN s.word LIKE '%\_field:%' THEN coalesce(po.value, eo.name, d.old_value)
			ELSE coalesce(o.name, '#' || d.old_value) END) AS was
	FROM (
		SELECT d.journal_id, j.journalized_id AS ticket, j.created_on AT TIME ZONE {{timezone}} AS at, j.user_id AS who,
			t.project_id AS project, t.author_id AS opened_by, d.value, d.old_value,
			CASE d.prop_key WHEN 'project_id' THEN 'project' WHEN 'tracker_id' THEN 'tracker' WHEN 'status_id' THEN 'status'
				WHEN 'priority_id' THEN 'priority' WHEN 'category_id' THEN 'category' WHEN 'fixed_version_id' THEN 'version'
				WHEN 'assigned_to_id' THEN 'assignee' ELSE 'custom_field:' || f.name END AS word,
			CASE WHEN d.property = 'attr' THEN nullif(d.value, '')::integer END AS id,
			CASE WHEN d.property = 'attr' THEN nullif(d.old_value, '')::integer END AS old_id,
			CASE WHEN f.field_format = 'enumeration' THEN f.id END AS field
		FROM journals j
		JOIN issues t ON t.id = j.journalized_id
		JOIN journal_details d ON d.journal_id = j.id
		LEFT JOIN custom_fields f ON d.property = 'cf' AND f.id::text = d.prop_key
		WHERE j.journalized_type = 'Issue' AND j.journalized_id = ANY ($1) AND (d.property = 'cf' OR d.property = 'attr'
			AND d.prop_key IN ('project_id', 'tracker_id', 'status_id', 'priority_id', 'category_id', 'fixed_version_id',
				'assigned_to_id'))
	) AS d
	JOIN {{own}}.sources() s ON s.word = d.word OR d.word = 'project' AND s.word LIKE 'project\_field:%'
	LEFT JOIN {{own}}.name n ON n.word = d.word AND n.id = d.id
	LEFT JOIN {{own}}.name o ON o.word = d.word AND o.id = d.old_id
	LEFT JOIN LATERAL {{own}}.custom_values('Project', d.id) AS pn ON pn.word = s.word
	LEFT JOIN LATERAL {{own}}.custom_values('Project', d.old_id) AS po ON po.word = s.word
	LEFT JOIN custom_field_enumerations en ON en.custom_field_id = d.field AND en.id::text = d.value
	LEFT JOIN custom_field_enumerations eo ON eo.custom_field_id = d.field AND eo.id::text = d.old_value
	GROUP BY d.journal_id, d.ticket, d.at, d.who, d.project, d.opened_by, s.fact = 'status'
) AS c
CROSS JOIN LATERAL {{own}}.side(c.who, c.project, c.opened_by) AS s

-- @keys
SELECT t.id
FROM issues t
JOIN issue_statuses s ON s.id = t.status_id
WHERE ($1 IS NULL OR t.id > $1) AND ($2 IS NULL OR NOT s.is_closed OR t.updated_on > $2 AT TIME ZONE {{timezone}})
	AND coalesce(({{sql only}})::boolean, true)
ORDER BY t.id
LIMIT $3
