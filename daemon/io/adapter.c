/* One round of an adapter, in steps that are a statement each; what goes wrong ends the round.
 *
 *   REST -> TURN (ours: is it our turn?) -> TAKE (theirs) -> APPLY (ours) -> DONE (theirs) -> TAKE ... -> REST
 *                                                 and while tickets are compared: SLICE (theirs) -> COMPARE (ours)
 *                                                 or for what is written back: WANTED (ours) -> REQUESTS -> WRITE
 * While deadlines wait for it, WAITING (theirs) comes before the first round and at the end of each.
 *
 * A reading is forgotten there only once it has been written down here; should that be lost, it comes again and adds
 * nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter_internal.h"
#include "slated/config.h"
#include "slated/result.h"

#define REST_TROUBLE ((struct duration){5 * US_PER_S})
/* A turn lasts ten seconds (sla.adapter_turn). */
#define TURN_LASTS_US (4 * US_PER_S)
/* How often to look for what is to be written back; and a look takes this part of the time at most. */
#define LOOK_EACH_US US_PER_S
#define LOOK_PART    20
#define ROOM         200
#define SQL_SIZE     300

static void
text_set(char **text, const PGresult *result, int column)
{
	const char *value = result_text(result, 0, column);
	free(*text);
	*text = value != NULL ? strdup(value) : NULL;
}

void
reading_clear(struct reading *reading)
{
	free(reading->ids);
	free(reading->documents);
	free(reading->error_ids);
	free(reading->errors);
	free(reading->last);
	*reading = (struct reading){0};
}

void
adapter_rest(struct adapter *a, struct duration for_)
{
	a->step = STEP_REST;
	a->round = false;
	reading_clear(&a->reading);
	timer_set(a->timer, for_);
}

void
adapter_tell(struct adapter *a, const char *text)
{
	a->all->hooks.problem(a->all->hooks.arg, a->settings->name, text);
}

/* A product's database that lacks our schema was not attached. */
static void
tell_error(struct adapter *a, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	char text[RESULT_ERROR_SIZE];
	bool theirs = a->step == STEP_WAITING || a->step == STEP_TAKE || a->step == STEP_DONE ||
	              a->step == STEP_SLICE || a->step == STEP_REQUESTS;

	if (theirs && state != NULL && (strcmp(state, "3F000") == 0 || strcmp(state, "42883") == 0))
		(void)snprintf(text, sizeof(text), "it is not attached: run slatectl attach %s --name %s",
		               adapter_kind_names[a->settings->kind], a->settings->name);
	else if (theirs && state != NULL && strcmp(state, "42501") == 0)
		(void)snprintf(text, sizeof(text), "its role may not read schema slated_%s: attach again",
		               a->settings->name);
	else
		result_write_error(result, text);
	adapter_tell(a, text);
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
	text_set(&a->hurry, result, 6);
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
		adapter_tell(a, "some of it, and sla.adapter_error says why");
}

static void
note(struct adapter *a, const PGresult *result)
{
	switch (a->step) {
	case STEP_WAITING:
		adapter_note_waiting(a, result_number(result, 0, 0), result_number(result, 0, 1));
		break;
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

/* Nothing is attached yet, so there is nothing that deadlines would have to wait for. */
static bool
is_to_be_attached(const struct adapter *a, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	return a->step == STEP_WAITING && state != NULL && strcmp(state, "3F000") == 0;
}

static void
on_result(void *arg, PGresult *result)
{
	struct adapter *a = arg;

	if (result == NULL) {
		go_on(a);
	} else if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
		a->answered_at = loop_ticks(a->all->loop);
		note(a, result);
	} else if (is_to_be_attached(a, result)) {
		adapter_end_wait(a);
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
		adapter_rest(a, REST_TROUBLE); /* its loss has been told */
}

static void
send_waiting(struct adapter *a)
{
	char sql[SQL_SIZE];
	(void)snprintf(sql, sizeof(sql), "SELECT first, last FROM slated_%s.waiting()", a->settings->name);
	send(a, STEP_WAITING, a->theirs, sql, 0, NULL);
}

/* The tickets whose next deadline is so near that a change before it can wait neither to settle nor for others: what
 * the turn's time brings, and the settling itself. */
#define HURRY_SQL                                                                                                      \
	"(SELECT array_agg(DISTINCT k.key) FROM sla.clock c JOIN sla.adapter_ticket k ON k.ticket_id = c.ticket_id "   \
	"WHERE k.adapter = $1 AND c.ended_at IS NULL AND c.state = 'running' AND c.due_at < clock_timestamp() + "      \
	"interval '5 s' + $7::bigint * interval '1 microsecond')"

static void
send_turn(struct adapter *a)
{
	char waiting[24], sweep[24], settle[24];
	bool hurry = a->settings->settle.us > 0 || a->waiting > ROOM || a->behind;
	(void)snprintf(settle, sizeof(settle), "%" PRId64, a->settings->settle.us);
	(void)snprintf(waiting, sizeof(waiting), "%" PRId64, a->waiting);
	(void)snprintf(sweep, sizeof(sweep), "%" PRId64, a->settings->sweep.us);
	const char *const params[] = {a->settings->name, a->all->instance, waiting, sweep,
	                              a->all->told.data, a->all->link,     settle,  hurry ? "t" : "f"};
	send(
	    a, STEP_TURN, a->ours,
	    "SELECT mine, compare, after, since, keys, CASE WHEN mine THEN sla.adapter_digest($1, $5::text[], $6) END, "
	    "CASE WHEN mine AND $8::boolean THEN " HURRY_SQL " END "
	    "FROM sla.adapter_turn($1, $2, $3::bigint, $4::bigint * interval '1 microsecond')",
	    8, params);
}

static void
send_take(struct adapter *a)
{
	char sql[SQL_SIZE], settle[24];
	(void)snprintf(settle, sizeof(settle), "%" PRId64, a->settings->settle.us);
	(void)snprintf(sql, sizeof(sql),
	               "SELECT ids, documents, error_ids, errors, waiting, more FROM slated_%s.take("
	               "$1::bigint * interval '1 microsecond', %d, $2::text[])",
	               a->settings->name, ROOM);
	const char *const params[] = {settle, a->hurry != NULL ? a->hurry : "{}"};
	send(a, STEP_TAKE, a->theirs, sql, 2, params);
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
		(void)snprintf(sql, sizeof(sql), "SELECT last, documents FROM slated_%s.slice($1, $2::timestamptz, %d)",
		               a->settings->name, ROOM);
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
		adapter_rest(a, ADAPTER_REST);
}

static bool
took_something(const struct adapter *a)
{
	return strcmp(a->reading.ids, "{}") != 0 || strcmp(a->reading.error_ids, "{}") != 0;
}

static void
begin_round(struct adapter *a)
{
	a->round = true;
	if (a->mine && a->turn_at != 0 && loop_ticks(a->all->loop) - a->turn_at < TURN_LASTS_US)
		send_take(a);
	else
		send_turn(a);
}

/* What was waiting has been taken: compares a slice, if that is under way, or looks what is to be written back; both
 * wait where deadlines do. */
static void
look_further(struct adapter *a)
{
	if (a->behind) {
		send_waiting(a);
		return;
	}
	bool look = a->writer != NULL && a->set.len > 0 && loop_ticks(a->all->loop) >= a->look_at;
	if (!a->compare && !look) {
		adapter_rest(a, ADAPTER_REST);
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
		if (a->step == STEP_WAITING)
			adapter_end_wait(a); /* why has been told */
		adapter_rest(a, REST_TROUBLE);
		return;
	}
	switch (a->step) {
	case STEP_WAITING:
		if (a->round)
			adapter_rest(a, ADAPTER_REST);
		else
			begin_round(a);
		break;
	case STEP_TURN:
		if (a->mine)
			send_take(a);
		else if (a->behind)
			send_waiting(a); /* another daemon reads them */
		else
			adapter_rest(a, ADAPTER_REST);
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
		adapter_rest(a, ADAPTER_REST);
		break;
	}
}

void
adapter_on_timer(void *arg)
{
	struct adapter *a = arg;

	if (a->step != STEP_REST)
		return;
	if (!pg_is_ready(a->ours) || !pg_is_ready(a->theirs) || !pg_is_idle(a->ours) || !pg_is_idle(a->theirs))
		adapter_rest(a, ADAPTER_REST);
	else if (a->behind && !a->marked)
		send_waiting(a);
	else
		begin_round(a);
}
