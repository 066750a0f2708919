/* One round of an adapter, in steps that are a statement each; what goes wrong ends the round.
 *
 *   REST -> TURN (ours: is it our turn?) -> TAKE (theirs) -> APPLY (ours) -> DONE (theirs) -> TAKE ... -> REST
 *                                                 and while tickets are compared: SLICE (theirs) -> COMPARE (ours)
 *                                                 or what is to be written back: WANTED (ours) -> REQUESTS (theirs) ->
 * WRITE
 *
 * A reading is forgotten there only once it has been written down here; should that be lost, it comes again and adds
 * nothing. */
#include "slated/adapter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slated/config.h"
#include "slated/log.h"
#include "slated/loop.h"
#include "slated/pg.h"
#include "slated/pg_array.h"
#include "slated/result.h"

#define REST         ((struct duration){US_PER_S / 2})
#define REST_TROUBLE ((struct duration){5 * US_PER_S})
/* A turn lasts ten seconds (sla.adapter_turn). */
#define TURN_LASTS_US (4 * US_PER_S)
/* How often to look for what is to be written back; and a look takes this part of the time at most. */
#define LOOK_EACH_US US_PER_S
#define LOOK_PART    20
#define ROOM         "200"
#define SQL_SIZE     300

enum adapter_step {
	STEP_REST,
	STEP_TURN,
	STEP_TAKE,
	STEP_APPLY,
	STEP_DONE,
	STEP_SLICE,
	STEP_COMPARE,
	STEP_SWEPT,
	STEP_WANTED,
	STEP_REQUESTS,
	STEP_WRITE
};

/* What a step's answer left for the next ones; each text is to be freed. */
struct reading {
	char *ids;
	char *documents;
	char *error_ids;
	char *errors;
	char *last;
	bool more;
};

struct adapter {
	struct adapters *all;
	const struct adapter_settings *settings;
	struct pg *theirs;
	struct pg *ours;
	struct pg_server server; /* theirs */
	struct timer *timer;
	enum adapter_step step;
	bool failed;
	struct reading reading;
	int64_t turn_at; /* ticks; 0: not ours */
	bool mine;
	bool compare;
	char *after; /* what to compare; see sla.adapter_turn() */
	char *since;
	char *keys;
	int64_t waiting;
	char *writer;     /* the channel that writes to its tickets, or NULL */
	struct text set;  /* what follows the clocks there, an array's text */
	char *tag;        /* the field for it, or NULL */
	int64_t look_at;  /* ticks: when to look what is to be written */
	int64_t asked_at; /* ticks */
	struct adapter *next;
};

struct adapters {
	struct event_base *base;
	struct loop *loop;
	const char *instance;
	struct adapters_hooks hooks;
	struct text told; /* the channels that are told what was overdue at attach, an array's text */
	const char *link; /* the template of tickets' links, or NULL */
	struct adapter *first;
};

static void
text_set(char **text, const PGresult *result, int column)
{
	const char *value = result_text(result, 0, column);
	free(*text);
	*text = value != NULL ? strdup(value) : NULL;
}

static void
reading_clear(struct reading *reading)
{
	free(reading->ids);
	free(reading->documents);
	free(reading->error_ids);
	free(reading->errors);
	free(reading->last);
	*reading = (struct reading){0};
}

static void
rest(struct adapter *a, struct duration for_)
{
	a->step = STEP_REST;
	reading_clear(&a->reading);
	timer_set(a->timer, for_);
}

static void
tell(struct adapter *a, const char *text)
{
	a->all->hooks.problem(a->all->hooks.arg, a->settings->name, text);
}

/* A product's database that lacks our schema was not attached. */
static void
tell_error(struct adapter *a, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	char text[RESULT_ERROR_SIZE];
	bool theirs = a->step == STEP_TAKE || a->step == STEP_DONE || a->step == STEP_SLICE || a->step == STEP_REQUESTS;

	if (theirs && state != NULL && (strcmp(state, "3F000") == 0 || strcmp(state, "42883") == 0))
		(void)snprintf(text, sizeof(text), "it is not attached: run slatectl attach %s --name %s",
		               adapter_kind_names[a->settings->kind], a->settings->name);
	else if (theirs && state != NULL && strcmp(state, "42501") == 0)
		(void)snprintf(text, sizeof(text), "its role may not read schema slated_%s: attach again",
		               a->settings->name);
	else
		result_write_error(result, text);
	tell(a, text);
}

/* Answers ---------------------------------------------------------------------------------------------------------- */

static void
note_turn(struct adapter *a, const PGresult *result)
{
	a->mine = result_bool(result, 0, 0);
	a->compare = result_bool(result, 0, 1);
	a->turn_at = loop_ticks(a->all->loop);
	text_set(&a->after, result, 2);
	text_set(&a->since, result, 3);
	text_set(&a->keys, result, 4);
}

static void
note_taken(struct adapter *a, const PGresult *result)
{
	text_set(&a->reading.ids, result, 0);
	text_set(&a->reading.documents, result, 1);
	text_set(&a->reading.error_ids, result, 2);
	text_set(&a->reading.errors, result, 3);
	a->waiting = result_number(result, 0, 4);
	a->reading.more = result_bool(result, 0, 5);
	if (a->reading.ids == NULL || a->reading.documents == NULL || a->reading.error_ids == NULL ||
	    a->reading.errors == NULL)
		a->failed = true; /* memory is out */
}

static void
note_slice(struct adapter *a, const PGresult *result)
{
	text_set(&a->reading.last, result, 0);
	text_set(&a->reading.documents, result, 1);
	a->failed |= a->reading.documents == NULL;
}

static void
note_applied(struct adapter *a, const PGresult *result)
{
	const struct adapter_counts counts = {result_number(result, 0, 0), result_number(result, 0, 1),
	                                      result_number(result, 0, 2), result_number(result, 0, 3)};
	a->all->hooks.counted(a->all->hooks.arg, a->settings->name, &counts);
	if (counts.errors > 0)
		tell(a, "some of it, and sla.adapter_error says why");
}

static void
note(struct adapter *a, const PGresult *result)
{
	switch (a->step) {
	case STEP_TURN:
		note_turn(a, result);
		break;
	case STEP_TAKE:
		note_taken(a, result);
		break;
	case STEP_SLICE:
		note_slice(a, result);
		break;
	case STEP_APPLY:
	case STEP_COMPARE:
		note_applied(a, result);
		break;
	case STEP_WANTED:
	case STEP_REQUESTS:
		text_set(&a->reading.documents, result, 0);
		break;
	case STEP_WRITE:
	case STEP_REST:
	case STEP_DONE:
	case STEP_SWEPT:
		break;
	}
}

static void go_on(struct adapter *a);

static void
on_result(void *arg, PGresult *result)
{
	struct adapter *a = arg;

	if (result == NULL) {
		go_on(a);
	} else if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
		note(a, result);
	} else {
		tell_error(a, result);
		a->failed = true;
	}
}

/* Steps ------------------------------------------------------------------------------------------------------------ */

static void
send(struct adapter *a, enum adapter_step step, struct pg *pg, const char *sql, int n, const char *const *params)
{
	a->step = step;
	if (pg_send(pg, &(struct pg_query){
	                    .text = sql, .n_params = n, .params = params, .result = on_result, .arg = a}) < 0)
		rest(a, REST_TROUBLE); /* its loss has been told */
}

static void
send_turn(struct adapter *a)
{
	char waiting[24], sweep[24];
	(void)snprintf(waiting, sizeof(waiting), "%" PRId64, a->waiting);
	(void)snprintf(sweep, sizeof(sweep), "%" PRId64, a->settings->sweep.us);
	const char *const params[] = {a->settings->name, a->all->instance, waiting, sweep,
	                              a->all->told.data, a->all->link};
	send(a, STEP_TURN, a->ours,
	     "SELECT mine, compare, after, since, keys, CASE WHEN mine THEN sla.adapter_digest($1, $5::text[], $6) END "
	     "FROM sla.adapter_turn($1, $2, $3::bigint, $4::bigint * interval '1 microsecond')",
	     6, params);
}

static void
send_take(struct adapter *a)
{
	char sql[SQL_SIZE], settle[24];
	(void)snprintf(settle, sizeof(settle), "%" PRId64, a->settings->settle.us);
	(void)snprintf(sql, sizeof(sql),
	               "SELECT ids, documents, error_ids, errors, waiting, more FROM slated_%s.take("
	               "$1::bigint * interval '1 microsecond', " ROOM ")",
	               a->settings->name);
	const char *const params[] = {settle};
	send(a, STEP_TAKE, a->theirs, sql, 1, params);
}

static void
send_apply(struct adapter *a, enum adapter_step step)
{
	const char *const params[] = {a->settings->name, a->reading.documents,
	                              a->reading.errors != NULL ? a->reading.errors : "[]",
	                              step == STEP_COMPARE ? "t" : "f"};
	send(a, step, a->ours,
	     "SELECT tickets, items, differences, errors FROM sla.adapter_apply($1, $2::jsonb, $3::jsonb, $4::boolean)",
	     4, params);
}

static void
send_done(struct adapter *a)
{
	char sql[SQL_SIZE];
	(void)snprintf(sql, sizeof(sql), "SELECT slated_%s.done($1::bigint[], $2::bigint[])", a->settings->name);
	const char *const params[] = {a->reading.ids, a->reading.error_ids};
	send(a, STEP_DONE, a->theirs, sql, 2, params);
}

static void
send_slice(struct adapter *a)
{
	char sql[SQL_SIZE];
	const char *const params[] = {a->keys != NULL ? a->keys : a->after, a->since};

	if (a->keys != NULL)
		(void)snprintf(sql, sizeof(sql), "SELECT '', slated_%s.named($1::text[])", a->settings->name);
	else
		(void)snprintf(sql, sizeof(sql),
		               "SELECT last, documents FROM slated_%s.slice($1, $2::timestamptz, " ROOM ")",
		               a->settings->name);
	send(a, STEP_SLICE, a->theirs, sql, a->keys != NULL ? 1 : 2, params);
}

static void
send_swept(struct adapter *a)
{
	const char *const params[] = {a->settings->name, a->reading.last != NULL ? a->reading.last : ""};
	send(a, STEP_SWEPT, a->ours, "SELECT sla.adapter_swept($1, $2)", 2, params);
}

static void
send_wanted(struct adapter *a)
{
	const char *const params[] = {a->settings->name, a->writer, a->set.data};
	a->asked_at = loop_ticks(a->all->loop);
	send(a, STEP_WANTED, a->ours, "SELECT sla.adapter_wanted($1, $2, $3::text[])", 3, params);
}

static void
send_requests(struct adapter *a)
{
	char sql[SQL_SIZE];
	const char *const params[] = {a->reading.documents, a->tag};
	(void)snprintf(sql, sizeof(sql), "SELECT slated_%s.requests($1::jsonb, $2)", a->settings->name);
	send(a, STEP_REQUESTS, a->theirs, sql, 2, params);
}

static void
send_write(struct adapter *a)
{
	const char *const params[] = {a->settings->name, a->writer, a->reading.documents};
	send(a, STEP_WRITE, a->ours, "SELECT sla.adapter_write($1, $2, $3::jsonb)", 3, params);
}

/* What is to be written is known; the next look comes the later the longer this one took. */
static void
ask_requests(struct adapter *a)
{
	int64_t now = loop_ticks(a->all->loop), pause = LOOK_PART * (now - a->asked_at);
	a->look_at = now + (pause > LOOK_EACH_US ? pause : LOOK_EACH_US);
	if (a->reading.documents != NULL)
		send_requests(a);
	else
		rest(a, REST);
}

static bool
took_something(const struct adapter *a)
{
	return strcmp(a->reading.ids, "{}") != 0 || strcmp(a->reading.error_ids, "{}") != 0;
}

/* What was waiting has been taken: compares a slice, if that is under way, or looks what is to be written back. */
static void
look_further(struct adapter *a)
{
	bool look = a->writer != NULL && a->set.len > 0 && loop_ticks(a->all->loop) >= a->look_at;
	if (!a->compare && !look) {
		rest(a, REST);
		return;
	}
	reading_clear(&a->reading);
	if (!a->compare) {
		send_wanted(a);
		return;
	}
	a->turn_at = 0; /* where to go on is asked next time */
	a->compare = false;
	send_slice(a);
}

/* A step has come to its end. */
static void
go_on(struct adapter *a)
{
	if (a->failed) {
		a->failed = false;
		a->turn_at = 0;
		rest(a, REST_TROUBLE);
		return;
	}
	switch (a->step) {
	case STEP_TURN:
		if (a->mine)
			send_take(a);
		else
			rest(a, REST);
		break;
	case STEP_TAKE:
		if (took_something(a))
			send_apply(a, STEP_APPLY);
		else
			look_further(a);
		break;
	case STEP_APPLY:
		send_done(a);
		break;
	case STEP_DONE:
		if (a->reading.more)
			send_take(a);
		else
			look_further(a);
		break;
	case STEP_SLICE:
		send_apply(a, STEP_COMPARE);
		break;
	case STEP_COMPARE:
		send_swept(a);
		break;
	case STEP_WANTED:
		ask_requests(a);
		break;
	case STEP_REQUESTS:
		send_write(a);
		break;
	case STEP_WRITE:
	case STEP_REST:
	case STEP_SWEPT:
		rest(a, REST);
		break;
	}
}

static void
on_timer(void *arg)
{
	struct adapter *a = arg;

	if (a->step != STEP_REST)
		return;
	if (!pg_is_ready(a->ours) || !pg_is_ready(a->theirs) || !pg_is_idle(a->ours) || !pg_is_idle(a->theirs))
		rest(a, REST);
	else if (a->mine && a->turn_at != 0 && loop_ticks(a->all->loop) - a->turn_at < TURN_LASTS_US)
		send_take(a);
	else
		send_turn(a);
}

/* Life ------------------------------------------------------------------------------------------------------------- */

static void
on_ready(void *arg)
{
	(void)arg; /* the timer looks */
}

static void
on_lost(void *arg, const char *reason)
{
	struct adapter *a = arg;
	tell(a, reason);
	a->failed = false;
	a->turn_at = 0;
	rest(a, REST);
}

static void
adapter_free(struct adapter *a)
{
	pg_free(a->theirs);
	pg_free(a->ours);
	timer_free(a->timer);
	reading_clear(&a->reading);
	free(a->after);
	free(a->since);
	free(a->keys);
	free(a->writer);
	free(a->set.data);
	free(a->tag);
	free(a);
}

static int
connect_theirs(struct adapter *a, const struct config *config)
{
	const struct adapter_settings *s = a->settings;
	const struct pg_callbacks callbacks = {on_ready, on_lost, NULL, a};
	const char *conninfo = s->conninfo != NULL ? s->conninfo : config->conninfo;
	char name[80];
	char *problem = NULL;

	(void)snprintf(name, sizeof(name), "adapter %s", s->name);
	int r =
	    pg_new(a->all->base, conninfo != NULL ? conninfo : "", s->conninfo != NULL ? s->password : config->password,
	           name, config->database_timeout, &a->server, &callbacks, &a->theirs, &problem);
	if (r == -EINVAL)
		log_error("configuration", log_text("setting", "adapters.conninfo"), log_text("adapter", s->name),
		          log_text("error", problem));
	free(problem);
	return r;
}

/* The channel that writes to its tickets. A copy: the channels' settings do not last. */
static int
note_writer(struct adapter *a, const struct config *config)
{
	for (size_t i = 0; i < config->n_channels; i++) {
		const struct channel_settings *c = &config->channels[i];
		if (c->adapter == NULL || strcmp(c->adapter, a->settings->name) != 0)
			continue;
		a->writer = strdup(c->name);
		a->tag = c->tag != NULL ? strdup(c->tag) : NULL;
		if (c->due)
			pg_array_add(&a->set, "due");
		if (c->tag != NULL)
			pg_array_add(&a->set, "tag");
		if (c->severity)
			pg_array_add(&a->set, "severity");
		if (a->set.len > 0)
			pg_array_end(&a->set);
		if (a->writer == NULL || (c->tag != NULL && a->tag == NULL) || a->set.failed)
			return -ENOMEM;
	}
	return 0;
}

static int
adapter_new(struct adapters *all, const struct config *config, const struct adapter_settings *settings,
            struct adapter **ret)
{
	struct adapter *a = calloc(1, sizeof(*a));
	if (a == NULL)
		return -ENOMEM;
	const struct pg_callbacks callbacks = {on_ready, on_lost, NULL, a};
	a->all = all;
	a->settings = settings;
	int r = timer_new(all->loop, on_timer, a, &a->timer);
	if (r == 0)
		r = note_writer(a, config);
	if (r == 0)
		r = connect_theirs(a, config);
	if (r == 0)
		r = all->hooks.connect(all->hooks.arg, "adapter", &callbacks, &a->ours);
	if (r < 0) {
		adapter_free(a);
		return r;
	}
	pg_start(a->theirs);
	pg_start(a->ours);
	timer_set(a->timer, REST);
	*ret = a;
	return 0;
}

int
adapters_new(struct event_base *base, struct loop *loop, const char *instance, const struct adapters_hooks *hooks,
             struct adapters **ret)
{
	struct adapters *all = calloc(1, sizeof(*all));
	if (all == NULL)
		return -ENOMEM;
	*all = (struct adapters){.base = base, .loop = loop, .instance = instance, .hooks = *hooks};
	*ret = all;
	return 0;
}

static void
free_all(struct adapters *all)
{
	while (all->first != NULL) {
		struct adapter *a = all->first;
		all->first = a->next;
		adapter_free(a);
	}
}

/* Nobody is paged for the past, what Alertmanager is told it must be told the end of, and a digest is of no ticket. */
static int
note_channels(struct adapters *all, const struct config *config)
{
	text_empty(&all->told);
	for (size_t i = 0; i < config->n_channels; i++) {
		enum channel_type type = config->channels[i].type;
		if (type != CHANNEL_PAGERDUTY && type != CHANNEL_GOALERT && type != CHANNEL_ALERTMANAGER &&
		    type != CHANNEL_TICKET)
			pg_array_add(&all->told, config->channels[i].name);
	}
	pg_array_end(&all->told);
	all->link = config->ticket_link;
	return all->told.failed ? -ENOMEM : 0;
}

int
adapters_configure(struct adapters *all, const struct config *config)
{
	free_all(all);
	if (note_channels(all, config) < 0)
		return -ENOMEM;
	for (size_t i = config->n_adapters; i > 0; i--) {
		struct adapter *a;
		int r = adapter_new(all, config, &config->adapters[i - 1], &a);
		if (r < 0)
			return r;
		a->next = all->first;
		all->first = a;
	}
	return 0;
}

void
adapters_free(struct adapters *all)
{
	if (all == NULL)
		return;
	free_all(all);
	free(all->told.data);
	free(all);
}

void
adapters_each(const struct adapters *all, void (*each)(void *arg, const char *name, bool connected, int64_t waiting),
              void *arg)
{
	for (const struct adapter *a = all->first; a != NULL; a = a->next)
		each(arg, a->settings->name, pg_is_ready(a->theirs), a->waiting);
}
