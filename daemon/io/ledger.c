/* A batch is a set of columns, each a PostgreSQL array in binary format that grows row by row:
 *
 *   milestones   {7,7} {first_response,resolution} {1,1} {started,started} ...
 *   clocks       {7,7} ...
 *   states       {7} ...
 */
#include "slated/ledger.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_sql.h"
#include "payload.h"
#include "slated/config.h"
#include "slated/pg.h"
#include "slated/pg_array.h"
#include "slated/policy.h"
#include "slated/result.h"
#include "slated/rows.h"
#include "slated/shards.h"

/* In the order of the statement's parameters from the fifth on. */
enum column {
	M_TICKET,
	M_METRIC,
	M_CYCLE,
	M_MILESTONE,
	M_LEVEL,
	M_AT,
	M_DUE,
	M_POLICY,
	M_CALENDAR,
	M_SEVERITY,
	M_LATE_BY,
	M_REASON,
	M_BY_REASSESSMENT,
	M_ESCALATION,
	M_STEP,
	M_TRIGGER,
	M_REPEAT,
	M_NOTIFY,
	M_REACH,
	M_PAYLOAD,
	C_TICKET,
	C_METRIC,
	C_CYCLE,
	C_STATE,
	C_STARTED,
	C_DUE,
	C_POLICY,
	C_CALENDAR,
	C_SEVERITY,
	C_BUDGET,
	C_CONSUMED,
	C_PAUSED,
	C_BREACHED,
	C_ENDED,
	C_TARGET,
	C_CONFIGURATION,
	C_CARRIED,
	C_SPANS,
	C_LEVELS,
	S_TICKET,
	S_APPLIED,
	S_SEVERITY,
	S_STATUS,
	S_OPENED,
	S_LAST,
	S_REQUESTED,
	S_REASSESSED,
	S_ACK,
	S_LADDER,
	S_ATTRIBUTES,
	S_CUSTOM = S_ATTRIBUTES + ATTRIBUTE_COUNT,
	N_TICKET,
	N_SEQ,
	N_REFUSED,
	N_LATE,
	V_TICKET,
	V_SEQ,
	R_TICKET,
	R_AT,
	R_RULE,
	R_FORMER,
	R_NAMES,
	R_SEVERITY,
	R_REASON,
	A_TICKET,
	A_SEQ,
	R_CALLED_BY,
	R_HOOK,
	M_PLAIN,
	M_IN_FORCE,
	COLUMN_COUNT,
};

/* Those that are no texts. */
static const enum pg_type types[COLUMN_COUNT] = {
    [M_TICKET] = PG_INT8,
    [M_CYCLE] = PG_INT4,
    [M_AT] = PG_TIMESTAMPTZ,
    [M_DUE] = PG_TIMESTAMPTZ,
    [M_BY_REASSESSMENT] = PG_BOOL,
    [M_STEP] = PG_INT4,
    [M_REPEAT] = PG_INT4,
    [C_TICKET] = PG_INT8,
    [C_CYCLE] = PG_INT4,
    [C_STARTED] = PG_TIMESTAMPTZ,
    [C_DUE] = PG_TIMESTAMPTZ,
    [C_BUDGET] = PG_INT8,
    [C_CONSUMED] = PG_INT8,
    [C_PAUSED] = PG_TIMESTAMPTZ,
    [C_BREACHED] = PG_TIMESTAMPTZ,
    [C_ENDED] = PG_TIMESTAMPTZ,
    [C_TARGET] = PG_INT4,
    [C_CARRIED] = PG_INT8,
    [S_TICKET] = PG_INT8,
    [S_APPLIED] = PG_INT8,
    [S_OPENED] = PG_TIMESTAMPTZ,
    [S_LAST] = PG_TIMESTAMPTZ,
    [S_REQUESTED] = PG_INT4,
    [S_REASSESSED] = PG_INT4,
    [S_ACK] = PG_TIMESTAMPTZ,
    [S_CUSTOM] = PG_JSONB,
    [N_TICKET] = PG_INT8,
    [N_SEQ] = PG_INT8,
    [N_LATE] = PG_BOOL,
    [V_TICKET] = PG_INT8,
    [V_SEQ] = PG_INT8,
    [R_TICKET] = PG_INT8,
    [R_AT] = PG_TIMESTAMPTZ,
    [R_HOOK] = PG_BOOL,
    [A_TICKET] = PG_INT8,
    [A_SEQ] = PG_INT8,
    [M_PLAIN] = PG_BOOL,
};

static enum pg_type
type_of(enum column column)
{
	return types[column] == 0 ? PG_TEXT : types[column];
}

enum {
	FIXED_PARAMS = 4,
	LAST_PARAMS = 4,
	PARAM_COUNT = FIXED_PARAMS + COLUMN_COUNT + LAST_PARAMS,
};

struct batch {
	struct pg_column columns[COLUMN_COUNT];
	size_t rows;
	struct instant latest_timer;
	bool shards[SHARDS];
	struct batch *next;
};

struct ledger {
	struct batch *open; /* what is added goes there */
	struct batch *full; /* those to be written before it, in order */
	struct batch **full_tail;
	size_t full_rows;
	struct text scratch;
	struct ledger_names names;
	struct text known; /* the channels' names, an array's text */
	struct text heard; /* of those that hear of acknowledgements */
	const char *mail;  /* the first channel for mail, or NULL */
	struct ledger_result result;
	ledger_done *done;
	void *arg;
	bool refused; /* the batch in flight, by the server: why */
	char error[RESULT_ERROR_SIZE];
};

int
ledger_new(struct ledger **ret)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));
	if (ledger == NULL)
		return -ENOMEM;
	ledger->full_tail = &ledger->full;
	ledger->open = calloc(1, sizeof(*ledger->open));
	if (ledger->open == NULL) {
		free(ledger);
		return -ENOMEM;
	}
	*ret = ledger;
	return 0;
}

static void
batch_free(struct batch *batch)
{
	for (unsigned i = 0; i < COLUMN_COUNT; i++)
		free(batch->columns[i].bytes.data);
	free(batch);
}

static void
batch_clear(struct batch *batch)
{
	for (unsigned i = 0; i < COLUMN_COUNT; i++)
		pg_column_clear(&batch->columns[i]);
	memset(batch->shards, 0, sizeof(batch->shards));
	batch->rows = 0;
	batch->latest_timer = (struct instant){0};
}

/* Takes the first full batch off the list. */
static struct batch *
take_full(struct ledger *ledger)
{
	struct batch *batch = ledger->full;
	ledger->full = batch->next;
	if (ledger->full == NULL)
		ledger->full_tail = &ledger->full;
	ledger->full_rows -= batch->rows;
	return batch;
}

void
ledger_free(struct ledger *ledger)
{
	if (ledger == NULL)
		return;
	while (ledger->full != NULL)
		batch_free(take_full(ledger));
	batch_free(ledger->open);
	free(ledger->scratch.data);
	free(ledger->known.data);
	free(ledger->heard.data);
	free(ledger);
}

void
ledger_clear(struct ledger *ledger)
{
	while (ledger->full != NULL)
		batch_free(take_full(ledger));
	batch_clear(ledger->open);
	text_empty(&ledger->scratch);
}

void
ledger_set_names(struct ledger *ledger, const struct ledger_names *names)
{
	/* Where people see that an alert is open, and should see that somebody is at it. */
	const unsigned hearing =
	    1U << CHANNEL_PAGERDUTY | 1U << CHANNEL_SLACK | 1U << CHANNEL_TEAMS | 1U << CHANNEL_ALERTMANAGER;
	const struct config *config = names->config;
	ledger->names = *names;
	text_empty(&ledger->known);
	text_empty(&ledger->heard);
	ledger->mail = NULL;
	for (size_t i = 0; i < config->n_channels; i++) {
		const struct channel_settings *channel = &config->channels[i];
		pg_array_add(&ledger->known, channel->name);
		if ((hearing >> channel->type & 1) != 0)
			pg_array_add(&ledger->heard, channel->name);
		if (channel->type == CHANNEL_EMAIL && ledger->mail == NULL)
			ledger->mail = channel->name;
	}
	pg_array_end(&ledger->known);
	pg_array_end(&ledger->heard);
}

size_t
ledger_rows(const struct ledger *ledger)
{
	return ledger->full_rows + ledger->open->rows;
}

size_t
ledger_open_rows(const struct ledger *ledger)
{
	return ledger->open->rows;
}

bool
ledger_has_full(const struct ledger *ledger)
{
	return ledger->full != NULL;
}

void
ledger_close_batch(struct ledger *ledger)
{
	struct batch *fresh = calloc(1, sizeof(*fresh));
	if (fresh == NULL)
		return;
	*ledger->full_tail = ledger->open;
	ledger->full_tail = &ledger->open->next;
	ledger->full_rows += ledger->open->rows;
	ledger->open = fresh;
}

/* Array elements --------------------------------------------------------------------------------------------------- */

static void
put_null(struct ledger *ledger, enum column column)
{
	pg_column_add_null(&ledger->open->columns[column]);
}

/* NULL stands for NULL. */
static void
put_text(struct ledger *ledger, enum column column, const char *value)
{
	if (value == NULL)
		put_null(ledger, column);
	else
		pg_column_add_text(&ledger->open->columns[column], type_of(column), value);
}

static void
put_number(struct ledger *ledger, enum column column, int64_t value)
{
	pg_column_add_number(&ledger->open->columns[column], type_of(column), value);
}

static void
put_bool(struct ledger *ledger, enum column column, bool value)
{
	pg_column_add_bool(&ledger->open->columns[column], value);
}

static void
put_number_or_null(struct ledger *ledger, enum column column, bool present, int64_t value)
{
	if (present)
		put_number(ledger, column, value);
	else
		put_null(ledger, column);
}

/* INSTANT_NEVER and INT64_MIN stand for NULL. */
static void
put_instant(struct ledger *ledger, enum column column, struct instant at)
{
	if (instant_is_finite(at))
		pg_column_add_instant(&ledger->open->columns[column], at);
	else
		put_null(ledger, column);
}

/* An array within an array: its text as one element. */
static void
put_list(struct ledger *ledger, enum column column, char *const *items, size_t n)
{
	struct text *list = &ledger->scratch;
	list->len = 0;
	for (size_t i = 0; i < n; i++)
		pg_array_add(list, items[i]);
	pg_array_end(list);
	put_text(ledger, column, list->failed ? NULL : list->data);
}

static void
note_row(struct ledger *ledger, uint64_t ticket)
{
	ledger->open->rows++;
	ledger->open->shards[ticket % SHARDS] = true;
}

/* Milestones ------------------------------------------------------------------------------------------------------- */

static void
add_names(struct text *json, char *const *names, size_t n)
{
	text_add(json, "[", 1);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			text_add(json, ",", 1);
		text_add_json(json, names[i]);
	}
	text_add(json, "]", 1);
}

/* Whether whom the step tells and what is told of it is plain without a look at the ticket's rows: it names channels
 * only, each once, and needs no reason. */
static bool
is_plain(const struct ledger *ledger, const struct milestone *m)
{
	for (size_t i = 0; i < m->n_notify; i++) {
		if (config_channel(ledger->names.config, m->notify[i]) == NULL)
			return false;
		for (size_t k = 0; k < i; k++)
			if (strcmp(m->notify[i], m->notify[k]) == 0)
				return false;
	}
	return m->n_notify > 0 && strncmp(m->trigger, "reassessed:", strlen("reassessed:")) != 0;
}

/* Whom the step reaches, for sla.recipients() and sla.silence_of(): its names and those of the steps after it. */
static void
put_reach(struct ledger *ledger, const struct policy_set *set, const struct ticket *ticket, const struct milestone *m)
{
	struct text *json = &ledger->scratch;
	const struct clock *clock = m->metric != METRIC_COUNT ? ticket_clock(ticket, m->metric) : NULL;
	const struct policy *policy = clock != NULL ? clock->policy : ticket->policy;
	json->len = 0;
	text_add_string(json, "{\"severity\": ");
	text_add_json(json, set->severities[ticket->severity].name);
	text_add_string(json, ", \"policy\": ");
	text_add_json(json, policy != NULL ? policy->name : NULL);
	text_add_string(json, m->always ? ", \"always\": true, \"steps\": [" : ", \"steps\": [");
	add_names(json, m->notify, m->n_notify);
	for (size_t i = m->step; m->ladder != NULL && i < m->ladder->n_steps; i++) {
		text_add(json, ",", 1);
		add_names(json, m->ladder->steps[i].notify, m->ladder->steps[i].n_notify);
	}
	text_add_string(json, "]}");
	put_text(ledger, M_REACH, json->failed ? NULL : json->data);
}

/* What its deliveries tell, where it has any; and the severity that is in force then, which the ticket's own row may
 * not say yet. */
static void
put_payload(struct ledger *ledger, const struct policy_set *set, const struct ticket *ticket, const struct milestone *m,
            struct instant now)
{
	struct text *json = &ledger->scratch;

	json->len = 0;
	bool tells = payload_write(json, set, ticket, m, now);
	put_text(ledger, M_PAYLOAD, tells && !json->failed ? json->data : NULL);
	put_text(ledger, M_IN_FORCE, tells ? set->severities[ticket->severity].name : NULL);
}

void
ledger_add_milestone(struct ledger *ledger, const struct policy_set *set, const struct ticket *ticket,
                     const struct milestone *m, struct instant now)
{
	bool has_clock = m->metric != METRIC_COUNT;
	bool escalated = m->kind == MILESTONE_ESCALATED;
	note_row(ledger, ticket->id);
	if (m->by_timer)
		ledger->open->latest_timer = instant_max(ledger->open->latest_timer, m->at);
	put_number(ledger, M_TICKET, (int64_t)ticket->id);
	put_text(ledger, M_METRIC, has_clock ? metric_names[m->metric] : NULL);
	put_number_or_null(ledger, M_CYCLE, has_clock, m->cycle);
	put_text(ledger, M_MILESTONE, milestone_names[m->kind]);
	put_text(ledger, M_LEVEL, m->level);
	put_instant(ledger, M_AT, m->at);
	put_instant(ledger, M_DUE, m->due_at);
	put_text(ledger, M_POLICY, m->policy);
	put_text(ledger, M_CALENDAR, m->calendar);
	put_text(ledger, M_SEVERITY, m->severity);
	ledger->scratch.len = 0;
	text_add_seconds(&ledger->scratch, m->late_by);
	put_text(ledger, M_LATE_BY, m->late_by.us > 0 && !ledger->scratch.failed ? ledger->scratch.data : NULL);
	put_text(ledger, M_REASON, m->reason);
	if (m->by_reassessment)
		put_bool(ledger, M_BY_REASSESSMENT, true);
	else
		put_null(ledger, M_BY_REASSESSMENT);
	put_text(ledger, M_ESCALATION, m->escalation);
	put_number_or_null(ledger, M_STEP, escalated, m->step);
	put_text(ledger, M_TRIGGER, m->trigger);
	put_number_or_null(ledger, M_REPEAT, escalated, m->repeat);
	if (escalated) {
		put_list(ledger, M_NOTIFY, m->notify, m->n_notify);
		put_reach(ledger, set, ticket, m);
		put_bool(ledger, M_PLAIN, is_plain(ledger, m));
	} else {
		put_null(ledger, M_NOTIFY);
		put_null(ledger, M_REACH);
		put_null(ledger, M_PLAIN);
	}
	put_payload(ledger, set, ticket, m, now);
}

void
ledger_add_reassessment(struct ledger *ledger, const struct policy_set *set, const struct ticket *ticket,
                        const struct reassessment *r)
{
	const struct severity *from = &set->severities[r->from];
	struct text *list = &ledger->scratch;
	bool hook = rule_has_hook(r->rule);
	note_row(ledger, ticket->id);
	put_number(ledger, R_TICKET, (int64_t)ticket->id);
	list->len = 0;
	for (size_t i = 0; i <= from->n_aliases; i++)
		pg_array_add(list, i == 0 ? from->name : from->aliases[i - 1]);
	pg_array_end(list);
	for (size_t i = 0; !list->failed && i < list->len; i++)
		list->data[i] = glob_lower(list->data[i]);
	put_text(ledger, R_NAMES, list->failed ? NULL : list->data);
	put_instant(ledger, R_AT, r->at);
	put_text(ledger, R_RULE, r->rule->name);
	put_text(ledger, R_FORMER, from->name);
	put_text(ledger, R_SEVERITY, hook ? NULL : set->severities[r->to].name);
	put_text(ledger, R_REASON, r->rule->reason);
	put_text(ledger, R_CALLED_BY, rule_on_names[r->on]);
	put_bool(ledger, R_HOOK, hook);
}

void
ledger_add_event_note(struct ledger *ledger, int64_t ticket, int64_t seq, const char *refusal, bool late)
{
	note_row(ledger, (uint64_t)ticket);
	put_number(ledger, N_TICKET, ticket);
	put_number(ledger, N_SEQ, seq);
	put_text(ledger, N_REFUSED, refusal);
	put_bool(ledger, N_LATE, late);
}

void
ledger_add_seen(struct ledger *ledger, int64_t ticket, int64_t seq)
{
	note_row(ledger, (uint64_t)ticket);
	put_number(ledger, V_TICKET, ticket);
	put_number(ledger, V_SEQ, seq);
}

void
ledger_add_acknowledgement(struct ledger *ledger, int64_t ticket, int64_t seq)
{
	note_row(ledger, (uint64_t)ticket);
	put_number(ledger, A_TICKET, ticket);
	put_number(ledger, A_SEQ, seq);
}

/* States and clocks ------------------------------------------------------------------------------------------------ */

static void
put_spans(struct ledger *ledger, const struct clock *clock)
{
	struct text *list = &ledger->scratch;
	char digits[INSTANT_TEXT_SIZE];
	list->len = 0;
	for (uint32_t i = 0; i < clock->n_spans; i++) {
		(void)instant_format(clock->spans[i].from, digits);
		pg_array_add(list, digits);
		(void)instant_format(clock->spans[i].to, digits);
		pg_array_add(list, digits);
	}
	if (clock->state == CLOCK_RUNNING) {
		(void)instant_format(clock->running_since, digits);
		pg_array_add(list, digits);
	}
	pg_array_end(list);
	put_text(ledger, C_SPANS, list->failed ? NULL : list->data);
}

static void
put_clock(struct ledger *ledger, const struct engine *engine, const struct ticket *ticket, const struct clock *clock,
          struct instant now)
{
	char *levels[LEVEL_MAX];
	size_t n = 0;
	for (size_t i = 0; i < clock->set->n_levels; i++)
		if ((clock->fired >> i & 1) != 0)
			levels[n++] = clock->set->levels[i];
	note_row(ledger, ticket->id);
	put_number(ledger, C_TICKET, (int64_t)ticket->id);
	put_text(ledger, C_METRIC, metric_names[clock->metric]);
	put_number(ledger, C_CYCLE, clock->cycle);
	put_text(ledger, C_STATE, clock_state_names[clock->state]);
	put_instant(ledger, C_STARTED, clock->started_at);
	put_instant(ledger, C_DUE, clock->due_at);
	put_text(ledger, C_POLICY, clock->policy->name);
	put_text(ledger, C_CALENDAR, calendar_name(clock->target->calendar));
	put_text(ledger, C_SEVERITY, engine_policies(engine)->severities[ticket->severity].name);
	put_number(ledger, C_BUDGET, clock->budget.us);
	put_number(ledger, C_CONSUMED, clock_consumed(clock, now).us);
	put_instant(ledger, C_PAUSED, clock->paused_at);
	put_instant(ledger, C_BREACHED, clock->breached_at);
	put_instant(ledger, C_ENDED, clock->ended_at);
	put_number(ledger, C_TARGET, clock->target - clock->policy->targets);
	put_text(ledger, C_CONFIGURATION, ledger->names.digest(ledger->names.arg, clock->set));
	put_number(ledger, C_CARRIED, clock->carried.us);
	put_spans(ledger, clock);
	put_list(ledger, C_LEVELS, levels, n);
}

static void
put_custom(struct ledger *ledger, const struct engine *engine, const struct ticket *ticket)
{
	struct text *json = &ledger->scratch;
	const struct atoms *atoms = engine_atoms(engine);
	if (ticket->n_custom == 0) {
		put_null(ledger, S_CUSTOM);
		return;
	}
	json->len = 0;
	text_add(json, "{", 1);
	for (uint32_t i = 0; i < ticket->n_custom; i++) {
		text_add_string(json, i > 0 ? ", " : "");
		text_add_json(json, atoms_text(atoms, ticket->custom[i].key));
		text_add_string(json, ": ");
		text_add_json(json, atoms_text(atoms, ticket->custom[i].value));
	}
	text_add(json, "}", 1);
	put_text(ledger, S_CUSTOM, json->failed ? NULL : json->data);
}

static void
put_state(struct ledger *ledger, const struct engine *engine, const struct live_ticket *live)
{
	const struct ticket *ticket = &live->ticket;
	const struct atoms *atoms = engine_atoms(engine);
	bool opened = ticket->opened;
	note_row(ledger, ticket->id);
	put_number(ledger, S_TICKET, live->id);
	put_number(ledger, S_APPLIED, live->applied_seq);
	put_text(ledger, S_SEVERITY, opened ? engine_policies(engine)->severities[ticket->severity].name : NULL);
	put_text(ledger, S_STATUS, ticket->merged ? status_names[STATUS_CLOSED] : status_names[ticket->status]);
	put_instant(ledger, S_OPENED, ticket->opened_at);
	put_instant(ledger, S_LAST, opened ? ticket->last_at : INSTANT_NEVER);
	put_number(ledger, S_REQUESTED, ticket->requested);
	put_number(ledger, S_REASSESSED, ticket->reassessed);
	put_instant(ledger, S_ACK, opened ? ticket->ack_at : INSTANT_NEVER);
	ledger->scratch.len = 0;
	if (opened)
		row_write_ladder(&ledger->scratch, ticket);
	put_text(ledger, S_LADDER, ledger->scratch.len > 0 && !ledger->scratch.failed ? ledger->scratch.data : NULL);
	for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++)
		put_text(ledger, (enum column)(S_ATTRIBUTES + i), atoms_text(atoms, ticket->attributes[i]));
	put_custom(ledger, engine, ticket);
}

void
ledger_add_ticket(struct ledger *ledger, const struct engine *engine, struct live_ticket *live, struct instant now)
{
	put_state(ledger, engine, live);
	live->ticket.dirty = false;
	for (struct clock *clock = live->ticket.clocks; clock != NULL; clock = clock->next) {
		if (!clock->dirty)
			continue;
		put_clock(ledger, engine, &live->ticket, clock, now);
		clock->dirty = false;
	}
}

/* The flush -------------------------------------------------------------------------------------------------------- */

static void
on_flushed(void *arg, PGresult *result)
{
	struct ledger *ledger = arg;
	if (result == NULL) {
		ledger->done(ledger->arg, &ledger->result, ledger->refused ? ledger->error : NULL);
	} else if (PQresultStatus(result) == PGRES_TUPLES_OK) {
		ledger->result.deliveries = strcmp(PQgetvalue(result, 0, 0), "0") != 0;
		ledger->result.reassessments = strcmp(PQgetvalue(result, 0, 1), "0") != 0;
	} else {
		ledger->refused = true;
		result_write_error(result, ledger->error);
	}
}

static char *
shard_list(const struct batch *batch)
{
	struct text list = {0};
	for (unsigned i = 0; i < SHARDS; i++)
		if (batch->shards[i])
			pg_array_add_number(&list, i);
	pg_array_end(&list);
	if (list.failed) {
		free(list.data);
		return NULL;
	}
	return list.data;
}

int
ledger_flush(struct ledger *ledger, struct pg *pg, const char *run, const char *instance, ledger_done *done, void *arg)
{
	const char *params[PARAM_COUNT];
	int lengths[PARAM_COUNT] = {0}, formats[PARAM_COUNT] = {0};
	char latest[INSTANT_TEXT_SIZE];
	bool failed = ledger->scratch.failed;
	if (!pg_is_idle(pg))
		return -EBUSY;
	struct batch *batch = ledger->full != NULL ? take_full(ledger) : ledger->open;
	char *shards = shard_list(batch);
	(void)instant_format(batch->latest_timer, latest);
	params[0] = run;
	params[1] = instance;
	params[2] = shards;
	params[3] = latest;
	for (unsigned i = 0; i < COLUMN_COUNT; i++) {
		struct pg_column *column = &batch->columns[i];
		pg_column_end(column, type_of(i));
		failed |= column->bytes.failed || column->bytes.len > INT_MAX;
		params[FIXED_PARAMS + i] = pg_column_has_value(column) ? column->bytes.data : NULL;
		lengths[FIXED_PARAMS + i] = (int)column->bytes.len;
		formats[FIXED_PARAMS + i] = 1;
	}
	const char **last = params + FIXED_PARAMS + COLUMN_COUNT;
	last[0] = ledger->known.data;
	last[1] = ledger->mail;
	last[2] = ledger->names.config->ticket_link;
	last[3] = ledger->heard.data;
	failed |= ledger->known.failed || ledger->heard.failed;
	int r = failed || shards == NULL ? -ENOMEM : 0;
	ledger->done = done;
	ledger->arg = arg;
	ledger->result = (struct ledger_result){0};
	ledger->refused = false;
	if (r == 0)
		r = pg_send(pg, &(struct pg_query){.text = ledger_flush_sql,
		                                   .n_params = PARAM_COUNT,
		                                   .params = params,
		                                   .lengths = lengths,
		                                   .formats = formats,
		                                   .again = true,
		                                   .result = on_flushed,
		                                   .arg = ledger});
	free(shards);
	if (batch == ledger->open)
		batch_clear(batch);
	else
		batch_free(batch);
	return r;
}
