-- Roles, schema and tables. A migration runs inside a transaction that `slatectl migrate` opens.
-- Column names are contract: doc/database.md. Lengths of time are bigint microseconds, instants timestamptz.

-- Roles belong to the cluster, not to the database, so another database may have made them, even at this moment.
DO $$
DECLARE
	wanted text;
	purpose text;
BEGIN
	IF NOT has_database_privilege(current_database(), 'CREATE') THEN
		RAISE insufficient_privilege USING
			MESSAGE = format('role %I may not create a schema in database %I', current_user, current_database()),
			HINT = format('Migrate as a superuser, or: GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user);
	END IF;
	FOR wanted, purpose IN VALUES
		('sla_owner', 'slated: owns schema sla; nobody logs in as it'),
		('sla_daemon', 'slated: what the daemon needs'),
		('sla_writer', 'slated: what a ticket system needs'),
		('sla_reader', 'slated: what reports need')
	LOOP
		CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = wanted);
		BEGIN
			EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
			EXECUTE format('COMMENT ON ROLE %I IS %L', wanted, purpose);
		EXCEPTION
			WHEN duplicate_object OR unique_violation THEN
				NULL;
			WHEN insufficient_privilege THEN
				RAISE insufficient_privilege USING
					MESSAGE = format('role %I may not create role %I', current_user, wanted),
					HINT = format('Migrate as a superuser, or: ALTER ROLE %I CREATEROLE', current_user);
		END;
	END LOOP;
	-- Tried, not looked up: from PostgreSQL 16 on, a member may lack the right to act as the role.
	BEGIN
		SET LOCAL ROLE sla_owner;
		RESET ROLE;
	EXCEPTION WHEN insufficient_privilege THEN
		BEGIN
			EXECUTE format('GRANT sla_owner TO %I', current_user);
		EXCEPTION WHEN insufficient_privilege THEN
			RAISE insufficient_privilege USING
				MESSAGE = format('role %I may not act as sla_owner', current_user),
				HINT = format('Migrate as a superuser, or have one run: GRANT sla_owner TO %I', current_user);
		END;
	END;
END
$$;

CREATE SCHEMA sla AUTHORIZATION sla_owner;
SET LOCAL ROLE sla_owner;
COMMENT ON SCHEMA sla IS 'Service level agreements of tickets, watched by slated';

CREATE TABLE sla.migration (
	number integer PRIMARY KEY,
	name text NOT NULL,
	checksum text NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE sla.migration IS 'Migrations applied by slatectl migrate';
COMMENT ON COLUMN sla.migration.checksum IS 'SHA-256 of the migration''s text, in hexadecimal';

-- What ticket systems write.

CREATE TABLE sla.ticket (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	source text NOT NULL DEFAULT 'native',
	external_id text,
	org text,
	plan text,
	severity text,
	status text NOT NULL DEFAULT 'open',
	channel text,
	category text,
	product text,
	environment text,
	version text,
	assignee text,
	team text,
	attributes jsonb NOT NULL DEFAULT '{}',
	opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	event_seq bigint NOT NULL DEFAULT 0,
	last_event_at timestamptz NOT NULL,
	claim bigint NOT NULL DEFAULT 0,
	UNIQUE (source, external_id),
	CONSTRAINT status_is_one_of_open_pending_on_hold_solved_closed
		CHECK (status IN ('open', 'pending', 'on_hold', 'solved', 'closed')),
	CONSTRAINT attributes_is_a_json_object CHECK (jsonb_typeof(attributes) = 'object')
) WITH (fillfactor = 80);
COMMENT ON TABLE sla.ticket IS 'Tickets; written by whoever owns them, with plain INSERT and UPDATE';
COMMENT ON COLUMN sla.ticket.id IS 'The ticket, everywhere in this schema';
COMMENT ON COLUMN sla.ticket.source IS 'The ticket system it comes from';
COMMENT ON COLUMN sla.ticket.external_id IS 'Its name there, unique within the source';
COMMENT ON COLUMN sla.ticket.org IS 'The customer''s organisation';
COMMENT ON COLUMN sla.ticket.plan IS 'The customer''s support plan';
COMMENT ON COLUMN sla.ticket.severity IS 'A severity of the configuration, by name or alias';
COMMENT ON COLUMN sla.ticket.status IS 'open, pending (waiting on the customer), on_hold (on a third party), solved, closed (final)';
COMMENT ON COLUMN sla.ticket.channel IS 'How the ticket came in';
COMMENT ON COLUMN sla.ticket.attributes IS 'Further attributes that a policy may match, a JSON object';
COMMENT ON COLUMN sla.ticket.opened_at IS 'When it was opened; at most a minute ahead of the database''s clock; never changes';
COMMENT ON COLUMN sla.ticket.event_seq IS 'The seq of the ticket''s last event; counted by triggers';
COMMENT ON COLUMN sla.ticket.last_event_at IS 'The latest instant of its events; kept by triggers';
COMMENT ON COLUMN sla.ticket.claim IS 'Zero at rest: how many numbers of event_seq a trigger is taking for another table';

CREATE TABLE sla.reply (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	ticket_id bigint NOT NULL,
	author text NOT NULL,
	public boolean NOT NULL DEFAULT true,
	body text,
	escalate boolean NOT NULL DEFAULT false,
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT author_is_one_of_agent_customer_system CHECK (author IN ('agent', 'customer', 'system')),
	CONSTRAINT body_is_never_kept CHECK (body IS NULL)
);
COMMENT ON TABLE sla.reply IS 'Replies and notes; INSERT only';
COMMENT ON COLUMN sla.reply.author IS 'agent, customer, or system (auto-responders, bots)';
COMMENT ON COLUMN sla.reply.public IS 'False for an internal note';
COMMENT ON COLUMN sla.reply.body IS 'Looked through for #escalate, then dropped: always NULL once written';
COMMENT ON COLUMN sla.reply.escalate IS 'Whether the body held #escalate outside quoted lines';
COMMENT ON COLUMN sla.reply.at IS 'When it was written; left out or NULL: now';

CREATE TABLE sla.dispute (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	ticket_id bigint NOT NULL,
	by text NOT NULL DEFAULT 'customer',
	reason text,
	at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE sla.dispute IS 'A ticket''s severity is disputed; INSERT only';

CREATE TABLE sla.assessment (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	ticket_id bigint NOT NULL,
	by text NOT NULL DEFAULT 'agent',
	reason text,
	at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE sla.assessment IS 'A disputed severity was looked at and stays; INSERT only';

CREATE TABLE sla.ack (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	ticket_id bigint NOT NULL,
	by text NOT NULL DEFAULT 'agent',
	"for" interval,
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT for_is_longer_than_nothing CHECK ("for" > interval '0')
);
COMMENT ON TABLE sla.ack IS 'Somebody takes care: stops the escalation of a ticket; INSERT only';
COMMENT ON COLUMN sla.ack."for" IS 'Holds the escalation for so long instead of stopping it';

CREATE TABLE sla.merge (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	ticket_id bigint NOT NULL,
	into_id bigint NOT NULL REFERENCES sla.ticket,
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT merged_into_another_ticket CHECK (into_id <> ticket_id)
);
COMMENT ON TABLE sla.merge IS 'A ticket was merged into another; INSERT only';
COMMENT ON COLUMN sla.merge.into_id IS 'The ticket that lives on';

-- What triggers write.

CREATE TABLE sla.event (
	ticket_id bigint NOT NULL,
	seq bigint NOT NULL,
	at timestamptz NOT NULL,
	recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	kind text NOT NULL,
	by text,
	public boolean,
	escalate boolean,
	status text,
	severity text,
	reason text,
	"for" interval,
	"into" bigint,
	org text,
	plan text,
	channel text,
	category text,
	product text,
	environment text,
	version text,
	assignee text,
	team text,
	attributes jsonb,
	changed text[],
	late boolean NOT NULL DEFAULT false,
	refused text,
	xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
	PRIMARY KEY (ticket_id, seq),
	CONSTRAINT kind_is_known CHECK (kind IN
		('opened', 'reply', 'status', 'severity', 'changed', 'dispute', 'assessed', 'ack', 'merged')),
	CONSTRAINT severity_by_is_one_of_agent_customer_system
		CHECK (kind <> 'severity' OR by IN ('agent', 'customer', 'system'))
) WITH (fillfactor = 90);
-- A btree, not BRIN: PostgreSQL 15 has no BRIN operator class for xid8, a poll looks up single transactions too, and
-- insertions at the right edge are cheap.
CREATE INDEX event_xid ON sla.event (xid);
COMMENT ON TABLE sla.event IS 'What happened to tickets, in the order of seq within a ticket; append-only, written by triggers';
COMMENT ON COLUMN sla.event.seq IS 'Counts from 1 per ticket without gaps, in the order of commits';
COMMENT ON COLUMN sla.event.at IS 'When it happened';
COMMENT ON COLUMN sla.event.recorded_at IS 'When the row was written';
COMMENT ON COLUMN sla.event.kind IS 'opened, reply, status, severity, changed, dispute, assessed, ack, merged';
COMMENT ON COLUMN sla.event.by IS 'agent, customer or system; a dispute, assessment or ack may name a person';
COMMENT ON COLUMN sla.event.public IS 'reply: false for an internal note';
COMMENT ON COLUMN sla.event.escalate IS 'reply: asks for escalation';
COMMENT ON COLUMN sla.event.status IS 'opened, status: the new status';
COMMENT ON COLUMN sla.event.severity IS 'opened, severity: the new severity as the ticket system wrote it';
COMMENT ON COLUMN sla.event.reason IS 'severity, dispute, assessed: why';
COMMENT ON COLUMN sla.event."for" IS 'ack: for how long';
COMMENT ON COLUMN sla.event."into" IS 'merged: the ticket that lives on';
COMMENT ON COLUMN sla.event.attributes IS 'opened: all; changed: the keys that changed, null for those removed';
COMMENT ON COLUMN sla.event.changed IS 'changed: the columns that changed; one that is NULL in this row was removed';
COMMENT ON COLUMN sla.event.late IS 'Older than the ticket''s last event, so applied at that one''s instant; set by the daemon';
COMMENT ON COLUMN sla.event.refused IS 'Why the event changed nothing; set by the daemon';
COMMENT ON COLUMN sla.event.xid IS 'The transaction that wrote it; the feed''s cursor';

-- Holds the tenth of a second of the last hint; no sequence in earnest. See sla.hint().
CREATE SEQUENCE sla.hint_tick MINVALUE 0 START 0;
COMMENT ON SEQUENCE sla.hint_tick IS 'When the last hint was sent, in tenths of a second since 1970';

-- What the daemon writes.

CREATE TABLE sla.ticket_state (
	ticket_id bigint PRIMARY KEY,
	applied_seq bigint NOT NULL,
	org text,
	plan text,
	severity text,
	status text NOT NULL,
	channel text,
	category text,
	product text,
	environment text,
	version text,
	assignee text,
	team text,
	attributes jsonb NOT NULL DEFAULT '{}',
	opened_at timestamptz,
	last_at timestamptz,
	requested integer NOT NULL DEFAULT 0,
	reassessed integer NOT NULL DEFAULT 0,
	ack_at timestamptz,
	ladder text
) WITH (fillfactor = 70);
CREATE INDEX ticket_state_open ON sla.ticket_state (ticket_id) WHERE status <> 'closed';
COMMENT ON TABLE sla.ticket_state IS 'Each ticket''s facts as the daemon has applied them';
COMMENT ON COLUMN sla.ticket_state.applied_seq IS 'The last event applied';
COMMENT ON COLUMN sla.ticket_state.severity IS 'The severity in force, by its configured name; NULL where the opening was refused for it';
COMMENT ON COLUMN sla.ticket_state.last_at IS 'The latest instant applied';
COMMENT ON COLUMN sla.ticket_state.requested IS 'How often a customer has asked for escalation';
COMMENT ON COLUMN sla.ticket_state.reassessed IS 'How often the system has changed the severity';
COMMENT ON COLUMN sla.ticket_state.ack_at IS 'The last acknowledgement';
COMMENT ON COLUMN sla.ticket_state.ladder IS 'Escalation steps in hand that belong to no clock; the daemon''s own form';

CREATE TABLE sla.clock (
	ticket_id bigint NOT NULL,
	metric text NOT NULL,
	cycle integer NOT NULL,
	state text NOT NULL,
	started_at timestamptz NOT NULL,
	due_at timestamptz,
	policy text NOT NULL,
	calendar text NOT NULL,
	severity text NOT NULL,
	budget bigint NOT NULL,
	consumed bigint NOT NULL DEFAULT 0,
	paused_at timestamptz,
	breached_at timestamptz,
	ended_at timestamptz,
	target integer NOT NULL,
	configuration text NOT NULL,
	carried bigint NOT NULL DEFAULT 0,
	spans timestamptz[] NOT NULL DEFAULT '{}',
	levels_fired text[] NOT NULL DEFAULT '{}',
	by_reassessment boolean NOT NULL DEFAULT false,
	ladder text,
	PRIMARY KEY (ticket_id, metric, cycle),
	CONSTRAINT metric_is_known CHECK
		(metric IN ('first_response', 'next_response', 'update', 'resolution', 'assessment')),
	CONSTRAINT state_is_known CHECK (state IN ('running', 'paused', 'breached', 'met', 'withdrawn')),
	CONSTRAINT ended_has_an_instant CHECK ((state IN ('met', 'withdrawn')) = (ended_at IS NOT NULL))
) WITH (fillfactor = 70);
CREATE INDEX clock_open ON sla.clock (due_at) WHERE ended_at IS NULL;
COMMENT ON TABLE sla.clock IS 'One row per ticket, metric and cycle';
COMMENT ON COLUMN sla.clock.metric IS 'first_response, next_response, update, resolution, assessment';
COMMENT ON COLUMN sla.clock.cycle IS 'Counts from 1 per ticket and metric';
COMMENT ON COLUMN sla.clock.state IS 'running, paused, breached (still open), met, withdrawn';
COMMENT ON COLUMN sla.clock.due_at IS 'When it breaches or breached; NULL while paused';
COMMENT ON COLUMN sla.clock.policy IS 'The policy whose target it has';
COMMENT ON COLUMN sla.clock.calendar IS 'The calendar that the target counts on';
COMMENT ON COLUMN sla.clock.severity IS 'The severity that chose the target';
COMMENT ON COLUMN sla.clock.budget IS 'Open time that the target allows, in microseconds';
COMMENT ON COLUMN sla.clock.consumed IS 'Open time used up when the row was written last, in microseconds';
COMMENT ON COLUMN sla.clock.paused_at IS 'Since when it is paused';
COMMENT ON COLUMN sla.clock.breached_at IS 'When it breached; stays when it is met late';
COMMENT ON COLUMN sla.clock.ended_at IS 'When it was met or withdrawn';
COMMENT ON COLUMN sla.clock.target IS 'Which target of its policy, from 0';
COMMENT ON COLUMN sla.clock.configuration IS 'Digest of the configuration that the policy stands in';
COMMENT ON COLUMN sla.clock.carried IS 'Open time carried over from the cycle before, in microseconds';
COMMENT ON COLUMN sla.clock.spans IS 'When it was not paused: beginning and end by turns, the last end missing while it runs';
COMMENT ON COLUMN sla.clock.levels_fired IS 'At-risk levels that have fired in this cycle';
COMMENT ON COLUMN sla.clock.by_reassessment IS 'A change of severity breached it';
COMMENT ON COLUMN sla.clock.ladder IS 'Its escalation steps in hand; the daemon''s own form';

CREATE TABLE sla.milestone (
	id bigint GENERATED ALWAYS AS IDENTITY,
	ticket_id bigint NOT NULL,
	metric text,
	cycle integer,
	milestone text NOT NULL,
	level text,
	at timestamptz NOT NULL,
	due_at timestamptz,
	policy text,
	calendar text,
	severity text,
	late_by numeric,
	reason text,
	by_reassessment boolean,
	escalation text,
	step integer,
	trigger text,
	repeat integer,
	notify text[],
	recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	instance text,
	PRIMARY KEY (ticket_id, id),
	CONSTRAINT milestone_is_known CHECK (milestone IN ('started', 'paused', 'resumed', 'retargeted', 'at_risk',
		'breached', 'met', 'withdrawn', 'escalated')),
	CONSTRAINT only_escalated_lacks_a_clock CHECK
		(milestone = 'escalated' OR (metric IS NOT NULL AND cycle IS NOT NULL))
);
CREATE UNIQUE INDEX milestone_once ON sla.milestone (ticket_id, metric, cycle, milestone)
	WHERE milestone IN ('started', 'breached', 'met', 'withdrawn');
CREATE UNIQUE INDEX milestone_once_per_level ON sla.milestone (ticket_id, metric, cycle, level) NULLS NOT DISTINCT
	WHERE milestone = 'at_risk';
CREATE UNIQUE INDEX milestone_once_per_step
	ON sla.milestone (ticket_id, metric, cycle, escalation, step, trigger, repeat) NULLS NOT DISTINCT
	WHERE milestone = 'escalated';
COMMENT ON TABLE sla.milestone IS 'What clocks went through: the ledger; append-only, each milestone once';
COMMENT ON COLUMN sla.milestone.metric IS 'The clock''s; NULL for an escalation without a clock';
COMMENT ON COLUMN sla.milestone.cycle IS 'The clock''s; NULL for an escalation without a clock';
COMMENT ON COLUMN sla.milestone.milestone IS 'started, paused, resumed, retargeted, at_risk, breached, met, withdrawn, escalated';
COMMENT ON COLUMN sla.milestone.level IS 'at_risk: the level as the configuration writes it';
COMMENT ON COLUMN sla.milestone.at IS 'When it happened';
COMMENT ON COLUMN sla.milestone.due_at IS 'When the clock was due, where it had a due';
COMMENT ON COLUMN sla.milestone.policy IS 'The clock''s policy';
COMMENT ON COLUMN sla.milestone.calendar IS 'The clock''s calendar';
COMMENT ON COLUMN sla.milestone.severity IS 'The clock''s severity';
COMMENT ON COLUMN sla.milestone.late_by IS 'met after due: by how many seconds';
COMMENT ON COLUMN sla.milestone.reason IS 'withdrawn: solved, closed, merged, no target';
COMMENT ON COLUMN sla.milestone.by_reassessment IS 'breached: by a change of severity';
COMMENT ON COLUMN sla.milestone.escalation IS 'escalated: the ladder';
COMMENT ON COLUMN sla.milestone.step IS 'escalated: the step, from 1';
COMMENT ON COLUMN sla.milestone.trigger IS 'escalated: the level, breached, requested:N or reassessed:N';
COMMENT ON COLUMN sla.milestone.repeat IS 'escalated: 0 at first, then counting the repeats';
COMMENT ON COLUMN sla.milestone.notify IS 'escalated: whom';
COMMENT ON COLUMN sla.milestone.recorded_at IS 'When the row was written';
COMMENT ON COLUMN sla.milestone.instance IS 'Which daemon wrote it';

CREATE TABLE sla.delivery (
	key text PRIMARY KEY,
	position bigint GENERATED ALWAYS AS IDENTITY,
	ticket_id bigint,
	metric text,
	cycle integer,
	kind text NOT NULL,
	channel text NOT NULL,
	payload jsonb NOT NULL,
	state text NOT NULL DEFAULT 'pending',
	attempts integer NOT NULL DEFAULT 0,
	next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	last_error text,
	claimed_by text,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT state_is_known CHECK (state IN ('pending', 'sending', 'delivered', 'dead')),
	CONSTRAINT kind_is_known CHECK (kind IN ('at_risk', 'breached', 'escalated', 'resolved', 'test'))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX delivery_in_order ON sla.delivery (ticket_id, channel, position);
CREATE INDEX delivery_unclaimed ON sla.delivery (position) WHERE claimed_by IS NULL;
COMMENT ON TABLE sla.delivery IS 'Messages to be sent; finished ones move to sla.delivery_log';
COMMENT ON COLUMN sla.delivery.key IS 'Names the delivery for ever, so that a receiver can tell a repetition';
COMMENT ON COLUMN sla.delivery.position IS 'The order within a ticket and channel';
COMMENT ON COLUMN sla.delivery.ticket_id IS 'NULL for a test message';
COMMENT ON COLUMN sla.delivery.metric IS 'The clock it is about, where there is one';
COMMENT ON COLUMN sla.delivery.cycle IS 'The clock it is about, where there is one';
COMMENT ON COLUMN sla.delivery.kind IS 'at_risk, breached, escalated, resolved, test';
COMMENT ON COLUMN sla.delivery.channel IS 'The configured channel';
COMMENT ON COLUMN sla.delivery.payload IS 'The data that the channel renders';
COMMENT ON COLUMN sla.delivery.state IS 'pending, sending, delivered, dead';
COMMENT ON COLUMN sla.delivery.attempts IS 'Attempts begun';
COMMENT ON COLUMN sla.delivery.next_attempt_at IS 'Not to be sent before';
COMMENT ON COLUMN sla.delivery.last_error IS 'Why the last attempt failed';
COMMENT ON COLUMN sla.delivery.claimed_by IS 'The daemon that is sending it';

CREATE TABLE sla.delivery_log (
	key text PRIMARY KEY,
	position bigint NOT NULL,
	ticket_id bigint,
	metric text,
	cycle integer,
	kind text NOT NULL,
	channel text NOT NULL,
	payload jsonb NOT NULL,
	state text NOT NULL,
	attempts integer NOT NULL,
	next_attempt_at timestamptz,
	last_error text,
	claimed_by text,
	created_at timestamptz NOT NULL,
	finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	outcome text,
	CONSTRAINT state_is_final CHECK (state IN ('delivered', 'dead'))
);
CREATE INDEX delivery_log_ticket ON sla.delivery_log (ticket_id, position);
CREATE INDEX delivery_log_dead ON sla.delivery_log (finished_at) WHERE state = 'dead';
COMMENT ON TABLE sla.delivery_log IS 'Deliveries that have ended; columns as in sla.delivery';
COMMENT ON COLUMN sla.delivery_log.state IS 'delivered, or dead: given up';
COMMENT ON COLUMN sla.delivery_log.finished_at IS 'When it ended';
COMMENT ON COLUMN sla.delivery_log.outcome IS 'What the receiver said last, such as "HTTP 204"';

CREATE TABLE sla.configuration (
	digest text PRIMARY KEY,
	source text NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	instance text
);
COMMENT ON TABLE sla.configuration IS 'Each configuration that was ever in force';
COMMENT ON COLUMN sla.configuration.digest IS 'Of the source; clocks name it';
COMMENT ON COLUMN sla.configuration.source IS 'The text of the files, without secrets';

CREATE TABLE sla.lease (
	shard integer PRIMARY KEY,
	owner text,
	nonce uuid,
	epoch bigint NOT NULL DEFAULT 0,
	expires_at timestamptz,
	CONSTRAINT shard_is_below_256 CHECK (shard BETWEEN 0 AND 255)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
INSERT INTO sla.lease (shard) SELECT generate_series(0, 255);
COMMENT ON TABLE sla.lease IS 'Which daemon looks after which tickets: shard = ticket_id % 256';
COMMENT ON COLUMN sla.lease.owner IS 'The instance that holds it';
COMMENT ON COLUMN sla.lease.nonce IS 'One run of that instance';
COMMENT ON COLUMN sla.lease.epoch IS 'Counts the changes of owner';
COMMENT ON COLUMN sla.lease.expires_at IS 'By the database''s clock';
