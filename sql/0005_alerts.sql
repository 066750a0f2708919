-- Whom alerts reach: people behind roles, followers, silences; and what became of each message.

SET LOCAL ROLE sla_owner;

CREATE TABLE sla.contact (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind text NOT NULL,
	name text NOT NULL,
	channel text,
	address text,
	CONSTRAINT kind_is_one_of_assignee_team_dedicated_engineer CHECK (kind IN ('assignee', 'team', 'dedicated_engineer')),
	CONSTRAINT needs_a_channel_or_an_address CHECK (channel IS NOT NULL OR address IS NOT NULL),
	UNIQUE NULLS NOT DISTINCT (kind, name, channel, address)
);
COMMENT ON TABLE sla.contact IS 'How to reach the roles that a ladder notifies; several rows of one name are all told';
COMMENT ON COLUMN sla.contact.kind IS 'The role: assignee, team, dedicated_engineer';
COMMENT ON COLUMN sla.contact.name IS 'As the ticket has it: assignee, team; of a dedicated_engineer the ticket''s org';
COMMENT ON COLUMN sla.contact.channel IS 'A configured channel; NULL: the first one of type email';
COMMENT ON COLUMN sla.contact.address IS 'Whom to send it to there; NULL: the channel''s own recipients';

CREATE TABLE sla.follower (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	org text NOT NULL,
	ticket_id bigint REFERENCES sla.ticket,
	channel text,
	address text,
	since timestamptz NOT NULL DEFAULT clock_timestamp(),
	unfollowed_at timestamptz,
	CONSTRAINT needs_a_channel_or_an_address CHECK (channel IS NOT NULL OR address IS NOT NULL),
	UNIQUE NULLS NOT DISTINCT (org, ticket_id, channel, address)
);
COMMENT ON TABLE sla.follower IS 'Who follows an organisation''s tickets';
COMMENT ON COLUMN sla.follower.ticket_id IS 'The one ticket; NULL: all of the organisation''s';
COMMENT ON COLUMN sla.follower.unfollowed_at IS 'Set to leave; with a ticket_id, leaves that ticket while following the others';

CREATE TABLE sla.silence (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	match jsonb NOT NULL,
	reason text NOT NULL,
	by text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	until timestamptz NOT NULL,
	ended_at timestamptz,
	CONSTRAINT match_is_an_object_of_texts CHECK (jsonb_typeof(match) = 'object'
		AND NOT jsonb_path_exists(match, '$.* ? (@.type() != "string")')),
	CONSTRAINT until_comes_after_created_at CHECK (until > created_at),
	CONSTRAINT reason_is_given CHECK (reason <> '')
);
CREATE INDEX silence_open ON sla.silence (until) WHERE ended_at IS NULL;
COMMENT ON TABLE sla.silence IS 'Alerts that nobody is told of for a while; their milestones are recorded all the same';
COMMENT ON COLUMN sla.silence.match IS 'What a ticket must be, all of it: a fact''s name, policy, metric or attributes.KEY, and a pattern with * and ?';
COMMENT ON COLUMN sla.silence.until IS 'When it ends by itself';
COMMENT ON COLUMN sla.silence.ended_at IS 'When somebody ended it earlier';

ALTER TABLE sla.milestone ADD told text[], ADD unset text[], ADD silenced_by bigint;
COMMENT ON COLUMN sla.milestone.told IS 'escalated: the channels and addresses that were told';
COMMENT ON COLUMN sla.milestone.unset IS 'escalated: roles that nobody is set for';
COMMENT ON COLUMN sla.milestone.silenced_by IS 'escalated: the silence because of which nobody was told';

ALTER TABLE sla.delivery ADD address text, DROP CONSTRAINT kind_is_known, ADD CONSTRAINT kind_is_known
	CHECK (kind IN ('escalated', 'acknowledged', 'resolved', 'test'));
COMMENT ON COLUMN sla.delivery.address IS 'Whom to send it to there; NULL: the channel''s own recipients';
COMMENT ON COLUMN sla.delivery.kind IS 'escalated, acknowledged, resolved, test';
ALTER TABLE sla.delivery_log ADD address text, ADD digest text, DROP CONSTRAINT state_is_final,
	ADD CONSTRAINT state_is_final CHECK (state IN ('delivered', 'dead', 'superseded'));
COMMENT ON COLUMN sla.delivery_log.state IS 'delivered; dead: given up; superseded: never sent, as a later one of the same alert says more';
COMMENT ON COLUMN sla.delivery_log.digest IS 'The webhook-id of the message that it was sent in, with others';
CREATE INDEX delivery_log_channel ON sla.delivery_log (channel, finished_at);

-- A pattern with * and ?, case-blind.
CREATE FUNCTION sla.pattern_fits(pattern text, value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.lower(value) LIKE pg_catalog.lower(pg_catalog.translate(pg_catalog.replace(pg_catalog.replace(
	pg_catalog.replace(pattern, '\', '\\'), '%', '\%'), '_', '\_'), '*?', '%_'));

-- Whether a silence's `match` holds for an alert of the ticket; it has the severity by either of its names.
CREATE FUNCTION sla.silence_fits(match jsonb, t sla.ticket, severity text, metric text, policy text) RETURNS boolean
LANGUAGE sql STABLE
RETURN NOT EXISTS (
	SELECT FROM pg_catalog.jsonb_each_text(match) AS m (key, pattern)
	WHERE NOT coalesce(CASE
		WHEN m.key = 'severity' THEN sla.pattern_fits(m.pattern, silence_fits.severity) OR sla.pattern_fits(m.pattern, (t).severity)
		WHEN m.key = 'metric' THEN sla.pattern_fits(m.pattern, silence_fits.metric)
		WHEN m.key = 'policy' THEN sla.pattern_fits(m.pattern, silence_fits.policy)
		WHEN m.key LIKE 'attributes.%' THEN sla.pattern_fits(m.pattern, (t).attributes ->> pg_catalog.substr(m.key, 12))
		ELSE sla.pattern_fits(m.pattern, pg_catalog.to_jsonb(t) ->> m.key) END, false));

-- The silence that holds an alert of the ticket back now, or NULL.
CREATE FUNCTION sla.silence_of(t sla.ticket, severity text, metric text, policy text) RETURNS bigint
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT s.id FROM sla.silence s
	WHERE s.ended_at IS NULL AND s.until > pg_catalog.clock_timestamp()
		AND sla.silence_fits(s.match, t, silence_of.severity, silence_of.metric, silence_of.policy)
	ORDER BY s.id LIMIT 1;
END;

-- Whom a step reaches. `steps`: the names of the step and of those after it in its ladder, each a list; `known`: the
-- configured channels; `mail`: the channel for addresses without one. A step of which nobody is set hands on to the next.
-- told: objects with channel, address (or null) and name.
CREATE FUNCTION sla.recipients(t sla.ticket, steps jsonb, known text[], mail text, OUT told jsonb, OUT unset text[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	step jsonb;
	wanted text;
	found jsonb;
BEGIN
	told := '[]';
	unset := '{}';
	FOR step IN SELECT * FROM jsonb_array_elements(steps) LOOP
		FOR wanted IN SELECT * FROM jsonb_array_elements_text(step) LOOP
			IF wanted = ANY (known) THEN
				found := jsonb_build_array(jsonb_build_object('channel', wanted, 'name', wanted));
			ELSIF wanted = 'followers' THEN
				SELECT jsonb_agg(jsonb_build_object('channel', r.channel, 'address', r.address, 'name', wanted))
				INTO found FROM (
					SELECT DISTINCT coalesce(f.channel, mail) AS channel, f.address FROM sla.follower f
					WHERE f.org = t.org AND f.unfollowed_at IS NULL AND (f.ticket_id IS NULL OR f.ticket_id = t.id)
						AND coalesce(f.channel, mail) = ANY (known)
						AND NOT EXISTS (SELECT FROM sla.follower u WHERE u.org = f.org AND u.ticket_id = t.id
							AND u.unfollowed_at IS NOT NULL
							AND (u.channel, u.address) IS NOT DISTINCT FROM (f.channel, f.address))) AS r;
			ELSE
				SELECT jsonb_agg(jsonb_build_object('channel', r.channel, 'address', r.address, 'name', wanted))
				INTO found FROM (
					SELECT DISTINCT coalesce(c.channel, mail) AS channel, c.address FROM sla.contact c
					WHERE c.kind = wanted AND coalesce(c.channel, mail) = ANY (known) AND c.name =
						CASE wanted WHEN 'assignee' THEN t.assignee WHEN 'team' THEN t.team ELSE t.org END) AS r;
			END IF;
			IF found IS NULL THEN
				unset := unset || wanted;
			ELSE
				told := told || found;
			END IF;
		END LOOP;
		EXIT WHEN told <> '[]';
	END LOOP;
END
$$;

-- The address of a ticket by a template with %{external_id} and the like, or NULL.
CREATE FUNCTION sla.ticket_link(template text, t sla.ticket) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	fact text;
	value text;
	encoded text;
BEGIN
	FOREACH fact IN ARRAY ARRAY['id', 'source', 'external_id', 'org'] LOOP
		CONTINUE WHEN strpos(template, '%{' || fact || '}') = 0;
		value := to_jsonb(t) ->> fact;
		IF value IS NULL THEN
			RETURN NULL;
		END IF;
		-- RFC 3986: all but the unreserved characters, byte by byte.
		SELECT string_agg(CASE WHEN chr(b) ~ '[A-Za-z0-9._~-]' AND b < 128 THEN chr(b) ELSE '%' || upper(lpad(to_hex(b), 2, '0')) END,
			'' ORDER BY n) INTO encoded
		FROM (SELECT n, get_byte(convert_to(value, 'UTF8'), n) AS b
			FROM generate_series(0, octet_length(convert_to(value, 'UTF8')) - 1) AS n) AS bytes;
		template := replace(template, '%{' || fact || '}', coalesce(encoded, ''));
	END LOOP;
	RETURN template;
END
$$;

GRANT SELECT ON sla.contact, sla.follower, sla.silence TO sla_daemon, sla_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON sla.contact, sla.follower TO sla_writer;
GRANT INSERT ON sla.ack, sla.assessment, sla.silence TO sla_daemon;
GRANT UPDATE (ended_at) ON sla.silence TO sla_daemon;
REVOKE EXECUTE ON FUNCTION sla.recipients(sla.ticket, jsonb, text[], text), sla.silence_of(sla.ticket, text, text, text),
	sla.silence_fits(jsonb, sla.ticket, text, text, text), sla.pattern_fits(text, text), sla.ticket_link(text, sla.ticket) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sla.recipients(sla.ticket, jsonb, text[], text), sla.silence_of(sla.ticket, text, text, text),
	sla.silence_fits(jsonb, sla.ticket, text, text, text), sla.pattern_fits(text, text), sla.ticket_link(text, sla.ticket) TO sla_daemon;
