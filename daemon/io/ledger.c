#include "slated/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_batch.h"
#include "ledger_sql.h"
#include "payload.h"
#include "slated/config.h"
#include "slated/pg.h"
#include "slated/policy.h"
#include "slated/result.h"
#include "slated/rows.h"

enum {
	FIXED_PARAMS = 4,
	LAST_PARAMS = 4,
	PARAM_COUNT = FIXED_PARAMS + COLUMN_COUNT + LAST_PARAMS,
};

/* What is written at a time: a batch for each session. Each has all that there is of a ticket. */
struct flush {
	struct batch batches[LEDGER_SESSIONS];
	struct flush *next;
};

/* Fewer rows than this are written by one session: they leave the other cores to those who write tickets. */
enum { ROWS_TO_SHARE = 1000 };

/* So many tickets with ids one after the other go to one session: they lie side by side in the tables' pages, which two
 * had better not write at the same time. */
enum { NEIGHBOURS = 32 };

struct ledger {
	struct flush *open; /* what is added goes there */
	struct flush *full; /* those to be written before it, in order */
	struct flush **full_tail;
	size_t full_rows;
	struct text scratch;
	struct ledger_names names;
	struct text known; /* the channels' names, an array's text */
	struct text heard; /* of those that hear of acknowledgements */
	const char *mail;  /* the first channel for mail, or NULL */
	struct ledger_result result;
	ledger_done *done;
	void *arg;
	unsigned neighbours;
	size_t rows_to_share;
	unsigned in_flight; /* sessions that have not answered */
	bool refused;       /* by the server: why */
	char error[RESULT_ERROR_SIZE];
};

void
ledger_set_share(struct ledger *ledger, unsigned neighbours, size_t rows)
{
	ledger->neighbours = neighbours;
	ledger->rows_to_share = rows;
}

int
ledger_new(struct ledger **ret)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));
	if (ledger == NULL)
		return -ENOMEM;
	ledger->full_tail = &ledger->full;
	ledger_set_share(ledger, NEIGHBOURS, ROWS_TO_SHARE);
	ledger->open = calloc(1, sizeof(*ledger->open));
	if (ledger->open == NULL) {
		free(ledger);
		return -ENOMEM;
	}
	*ret = ledger;
	return 0;
}

static size_t
flush_rows(const struct flush *flush)
{
	size_t rows = 0;
	for (unsigned i = 0; i < LEDGER_SESSIONS; i++)
		rows += flush->batches[i].rows;
	return rows;
}

/* Takes the first full one off the list. */
static struct flush *
take_full(struct ledger *ledger)
{
	struct flush *flush = ledger->full;
	ledger->full = flush->next;
	if (ledger->full == NULL)
		ledger->full_tail = &ledger->full;
	ledger->full_rows -= flush_rows(flush);
	return flush;
}

static void
flush_clear(struct flush *flush)
{
	for (unsigned i = 0; i < LEDGER_SESSIONS; i++)
		batch_clear(&flush->batches[i]);
}

static void
flush_free(struct flush *flush)
{
	for (unsigned i = 0; i < LEDGER_SESSIONS; i++)
		batch_free(&flush->batches[i]);
	free(flush);
}

void
ledger_free(struct ledger *ledger)
{
	if (ledger == NULL)
		return;
	while (ledger->full != NULL)
		flush_free(take_full(ledger));
	flush_free(ledger->open);
	free(ledger->scratch.data);
	free(ledger->known.data);
	free(ledger->heard.data);
	free(ledger);
}

void
ledger_clear(struct ledger *ledger)
{
	while (ledger->full != NULL)
		flush_free(take_full(ledger));
	flush_clear(ledger->open);
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
	return ledger->full_rows + flush_rows(ledger->open);
}

size_t
ledger_open_rows(const struct ledger *ledger)
{
	return flush_rows(ledger->open);
}

bool
ledger_has_full(const struct ledger *ledger)
{
	return ledger->full != NULL;
}

void
ledger_close_batch(struct ledger *ledger)
{
	struct flush *fresh = calloc(1, sizeof(*fresh));
	if (fresh == NULL)
		return;
	*ledger->full_tail = ledger->open;
	ledger->full_tail = &ledger->open->next;
	ledger->full_rows += flush_rows(ledger->open);
	ledger->open = fresh;
}

/* Begins a row of a ticket: where its values go. */
static struct batch *
begin_row(struct ledger *ledger, uint64_t ticket)
{
	struct batch *batch = &ledger->open->batches[ticket / ledger->neighbours % LEDGER_SESSIONS];
	batch_note_row(batch, ticket);
	return batch;
}

/* An array within an array: its text as one element. */
static void
put_list(struct ledger *ledger, struct batch *batch, enum column column, char *const *items, size_t n)
{
	struct text *list = &ledger->scratch;
	list->len = 0;
	for (size_t i = 0; i < n; i++)
		pg_array_add(list, items[i]);
	pg_array_end(list);
	batch_put_text(batch, column, list->failed ? NULL : list->data);
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
put_reach(struct ledger *ledger, struct batch *batch, const struct policy_set *set, const struct ticket *ticket,
          const struct milestone *m)
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
	batch_put_text(batch, M_REACH, json->failed ? NULL : json->data);
}

/* What its deliveries tell, where it has any; and the severity that is in force then, which the ticket's own row may
 * not say yet. */
static void
put_payload(struct ledger *ledger, struct batch *batch, const struct policy_set *set, const struct ticket *ticket,
            const struct milestone *m, struct instant now)
{
	struct text *json = &ledger->scratch;

	json->len = 0;
	bool tells = payload_write(json, set, ticket, m, now);
	batch_put_text(batch, M_PAYLOAD, tells && !json->failed ? json->data : NULL);
	batch_put_text(batch, M_IN_FORCE, tells ? set->severities[ticket->severity].name : NULL);
}

void
ledger_add_milestone(struct ledger *ledger, const struct policy_set *set, const struct ticket *ticket,
                     const struct milestone *m, struct instant now)
{
	bool has_clock = m->metric != METRIC_COUNT;
	bool escalated = m->kind == MILESTONE_ESCALATED;
	struct batch *batch = begin_row(ledger, ticket->id);
	if (m->by_timer)
		batch->latest_timer = instant_max(batch->latest_timer, m->at);
	batch_put_number(batch, M_TICKET, (int64_t)ticket->id);
	batch_put_text(batch, M_METRIC, has_clock ? metric_names[m->metric] : NULL);
	batch_put_number_or_null(batch, M_CYCLE, has_clock, m->cycle);
	batch_put_text(batch, M_MILESTONE, milestone_names[m->kind]);
	batch_put_text(batch, M_LEVEL, m->level);
	batch_put_instant(batch, M_AT, m->at);
	batch_put_instant(batch, M_DUE, m->due_at);
	batch_put_text(batch, M_POLICY, m->policy);
	batch_put_text(batch, M_CALENDAR, m->calendar);
	batch_put_text(batch, M_SEVERITY, m->severity);
	ledger->scratch.len = 0;
	text_add_seconds(&ledger->scratch, m->late_by);
	batch_put_text(batch, M_LATE_BY, m->late_by.us > 0 && !ledger->scratch.failed ? ledger->scratch.data : NULL);
	batch_put_text(batch, M_REASON, m->reason);
	if (m->by_reassessment)
		batch_put_bool(batch, M_BY_REASSESSMENT, true);
	else
		batch_put_null(batch, M_BY_REASSESSMENT);
	batch_put_text(batch, M_ESCALATION, m->escalation);
	batch_put_number_or_null(batch, M_STEP, escalated, m->step);
	batch_put_text(batch, M_TRIGGER, m->trigger);
	batch_put_number_or_null(batch, M_REPEAT, escalated, m->repeat);
	if (escalated) {
		put_list(ledger, batch, M_NOTIFY, m->notify, m->n_notify);
		put_reach(ledger, batch, set, ticket, m);
		batch_put_bool(batch, M_PLAIN, is_plain(ledger, m));
	} else {
		batch_put_null(batch, M_NOTIFY);
		batch_put_null(batch, M_REACH);
		batch_put_null(batch, M_PLAIN);
	}
	put_payload(ledger, batch, set, ticket, m, now);
}

void
ledger_add_reassessment(struct ledger *ledger, const struct policy_set *set, const struct ticket *ticket,
                        const struct reassessment *r, int64_t seq)
{
	const struct severity *from = &set->severities[r->from];
	struct text *list = &ledger->scratch;
	bool hook = rule_has_hook(r->rule);
	struct batch *batch = begin_row(ledger, ticket->id);
	batch_put_number(batch, R_TICKET, (int64_t)ticket->id);
	list->len = 0;
	for (size_t i = 0; i <= from->n_aliases; i++)
		pg_array_add(list, i == 0 ? from->name : from->aliases[i - 1]);
	pg_array_end(list);
	for (size_t i = 0; !list->failed && i < list->len; i++)
		list->data[i] = glob_lower(list->data[i]);
	batch_put_text(batch, R_NAMES, list->failed ? NULL : list->data);
	batch_put_instant(batch, R_AT, r->at);
	batch_put_text(batch, R_RULE, r->rule->name);
	batch_put_text(batch, R_FORMER, from->name);
	batch_put_text(batch, R_SEVERITY, hook ? NULL : set->severities[r->to].name);
	batch_put_text(batch, R_REASON, r->rule->reason);
	batch_put_text(batch, R_CALLED_BY, rule_on_names[r->on]);
	batch_put_bool(batch, R_HOOK, hook);
	batch_put_number(batch, R_SEQ, seq);
}

void
ledger_add_event_note(struct ledger *ledger, int64_t ticket, int64_t seq, const char *refusal, bool late)
{
	struct batch *batch = begin_row(ledger, (uint64_t)ticket);
	batch_put_number(batch, N_TICKET, ticket);
	batch_put_number(batch, N_SEQ, seq);
	batch_put_text(batch, N_REFUSED, refusal);
	batch_put_bool(batch, N_LATE, late);
}

void
ledger_add_seen(struct ledger *ledger, int64_t ticket, int64_t seq)
{
	struct batch *batch = begin_row(ledger, (uint64_t)ticket);
	batch_put_number(batch, V_TICKET, ticket);
	batch_put_number(batch, V_SEQ, seq);
}

void
ledger_add_acknowledgement(struct ledger *ledger, int64_t ticket, int64_t seq)
{
	struct batch *batch = begin_row(ledger, (uint64_t)ticket);
	batch_put_number(batch, A_TICKET, ticket);
	batch_put_number(batch, A_SEQ, seq);
}

/* States and clocks ------------------------------------------------------------------------------------------------ */

static void
put_spans(struct ledger *ledger, struct batch *batch, const struct clock *clock)
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
	batch_put_text(batch, C_SPANS, list->failed ? NULL : list->data);
}

static void
put_clock(struct ledger *ledger, const struct engine *engine, const struct ticket *ticket, const struct clock *clock,
          struct instant now)
{
	char *levels[LEVEL_MAX];
	size_t n = 0;
	for (size_t i = 0; i < clock->set->levels->n; i++)
		if ((clock->fired >> i & 1) != 0)
			levels[n++] = clock->set->levels->texts[i];
	struct batch *batch = begin_row(ledger, ticket->id);
	batch_put_number(batch, C_TICKET, (int64_t)ticket->id);
	batch_put_text(batch, C_METRIC, metric_names[clock->metric]);
	batch_put_number(batch, C_CYCLE, clock->cycle);
	batch_put_text(batch, C_STATE, clock_state_names[clock->state]);
	batch_put_instant(batch, C_STARTED, clock->started_at);
	batch_put_instant(batch, C_DUE, clock->due_at);
	batch_put_text(batch, C_POLICY, clock->policy->name);
	batch_put_text(batch, C_CALENDAR, calendar_name(clock->target->calendar));
	batch_put_text(batch, C_SEVERITY, engine_policies(engine)->severities[ticket->severity].name);
	batch_put_number(batch, C_BUDGET, clock->budget.us);
	batch_put_number(batch, C_CONSUMED, clock_consumed(clock, now).us);
	batch_put_instant(batch, C_PAUSED, clock->paused_at);
	batch_put_instant(batch, C_BREACHED, clock->breached_at);
	batch_put_instant(batch, C_ENDED, clock->ended_at);
	batch_put_number(batch, C_TARGET, clock->target - clock->policy->targets);
	batch_put_text(batch, C_CONFIGURATION, ledger->names.digest(ledger->names.arg, clock->set));
	batch_put_number(batch, C_CARRIED, clock->carried.us);
	put_spans(ledger, batch, clock);
	put_list(ledger, batch, C_LEVELS, levels, n);
}

static void
put_custom(struct ledger *ledger, struct batch *batch, const struct engine *engine, const struct ticket *ticket)
{
	struct text *json = &ledger->scratch;
	const struct atoms *atoms = engine_atoms(engine);
	if (ticket->n_custom == 0) {
		batch_put_null(batch, S_CUSTOM);
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
	batch_put_text(batch, S_CUSTOM, json->failed ? NULL : json->data);
}

static void
put_state(struct ledger *ledger, const struct engine *engine, const struct live_ticket *live)
{
	const struct ticket *ticket = &live->ticket;
	const struct atoms *atoms = engine_atoms(engine);
	bool opened = ticket->opened;
	struct batch *batch = begin_row(ledger, ticket->id);
	batch_put_number(batch, S_TICKET, live->id);
	batch_put_number(batch, S_APPLIED, live->applied_seq);
	batch_put_text(batch, S_SEVERITY, opened ? engine_policies(engine)->severities[ticket->severity].name : NULL);
	batch_put_text(batch, S_STATUS, ticket->merged ? status_names[STATUS_CLOSED] : status_names[ticket->status]);
	batch_put_instant(batch, S_OPENED, ticket->opened_at);
	batch_put_instant(batch, S_LAST, opened ? ticket->last_at : INSTANT_NEVER);
	batch_put_number(batch, S_REQUESTED, ticket->requested);
	batch_put_number(batch, S_REASSESSED, ticket->reassessed);
	batch_put_instant(batch, S_ACK, opened ? ticket->ack_at : INSTANT_NEVER);
	ledger->scratch.len = 0;
	if (opened)
		row_write_ladder(&ledger->scratch, ticket, ledger->names.digest, ledger->names.arg);
	batch_put_text(batch, S_LADDER,
	               ledger->scratch.len > 0 && !ledger->scratch.failed ? ledger->scratch.data : NULL);
	for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++)
		batch_put_text(batch, (enum column)(S_ATTRIBUTES + i), atoms_text(atoms, ticket->attributes[i]));
	put_custom(ledger, batch, engine, ticket);
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
		if (--ledger->in_flight == 0)
			ledger->done(ledger->arg, &ledger->result, ledger->refused ? ledger->error : NULL);
	} else if (PQresultStatus(result) == PGRES_TUPLES_OK) {
		ledger->result.deliveries |= strcmp(PQgetvalue(result, 0, 0), "0") != 0;
		ledger->result.reassessments |= strcmp(PQgetvalue(result, 0, 1), "0") != 0;
	} else {
		ledger->refused = true;
		result_write_error(result, ledger->error);
	}
}

static int
send_batch(struct ledger *ledger, struct batch *batch, struct pg *pg, const char *run, const char *instance)
{
	const char *params[PARAM_COUNT];
	int lengths[PARAM_COUNT] = {0}, formats[PARAM_COUNT] = {0};
	char latest[INSTANT_TEXT_SIZE];
	char *shards = batch_shards(batch);
	(void)instant_format(batch->latest_timer, latest);
	params[0] = run;
	params[1] = instance;
	params[2] = shards;
	params[3] = latest;
	int r = batch_end(batch, params + FIXED_PARAMS, lengths + FIXED_PARAMS, formats + FIXED_PARAMS);
	const char **last = params + FIXED_PARAMS + COLUMN_COUNT;
	last[0] = ledger->known.data;
	last[1] = ledger->mail;
	last[2] = ledger->names.config->ticket_link;
	last[3] = ledger->heard.data;
	if (ledger->scratch.failed || ledger->known.failed || ledger->heard.failed || shards == NULL)
		r = -ENOMEM;
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
	return r;
}

/* Little is written by one session, and all where the others are not there. */
static void
share(const struct ledger *ledger, struct flush *flush, struct pg *const pgs[LEDGER_SESSIONS])
{
	bool little = flush_rows(flush) < ledger->rows_to_share;
	for (unsigned i = 1; i < LEDGER_SESSIONS; i++)
		if (little || !pg_is_idle(pgs[i]))
			batch_move(&flush->batches[0], &flush->batches[i]);
}

int
ledger_flush(struct ledger *ledger, struct pg *const pgs[LEDGER_SESSIONS], const char *run, const char *instance,
             ledger_done *done, void *arg)
{
	int r = 0;
	if (!pg_is_idle(pgs[0]))
		return -EBUSY;
	struct flush *flush = ledger->full != NULL ? take_full(ledger) : ledger->open;
	share(ledger, flush, pgs);
	ledger->done = done;
	ledger->arg = arg;
	ledger->result = (struct ledger_result){0};
	ledger->refused = false;
	ledger->in_flight = 0;
	for (unsigned i = 0; r == 0 && i < LEDGER_SESSIONS; i++) {
		if (flush->batches[i].rows == 0)
			continue;
		r = send_batch(ledger, &flush->batches[i], pgs[i], run, instance);
		ledger->in_flight++;
	}
	if (flush == ledger->open)
		flush_clear(flush);
	else
		flush_free(flush);
	return r;
}
