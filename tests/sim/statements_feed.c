/* What daemon/io/feed.c asks for: the load in one transaction, and polls. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "slated/render.h"
#include "slated/rows.h"
#include "statements.h"

/* "xmin:xmax:xip,xip" */
static const char *
snapshot_text(struct database *database, const struct db_data *data)
{
	char text[2048];
	const struct db_list *open = &data->tables[DB_OPEN];
	const uint64_t *xids = open->items;
	uint64_t least = data->next_xid;
	for (size_t i = 0; i < open->n; i++)
		least = xids[i] < least ? xids[i] : least;
	int n = snprintf(text, sizeof(text), "%" PRIu64 ":%" PRIu64 ":", least, data->next_xid);
	for (size_t i = 0; i < open->n; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%" PRIu64, i > 0 ? "," : "", xids[i]);
	return world_keep(database->world, text, (size_t)n);
}

/* The names of the attributes that an event names, as an array's text. */
static void
row_add_changed(struct row *row, struct world *world, const struct ticket_event *e)
{
	struct text names = {0};
	if (e->kind != EVENT_CHANGED) {
		row_add_null(row);
		return;
	}
	for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++) {
		if ((e->set >> i & 1) == 0)
			continue;
		text_add_string(&names, names.len == 0 ? "{" : ",");
		text_add_string(&names, attribute_names[i]);
	}
	text_add_string(&names, "}");
	row_add_array_text(row, world, names.data, false);
	free(names.data);
}

static void
row_add_event(struct row *row, struct world *world, const struct db_event *db)
{
	const struct ticket_event *e = &db->event;
	bool replies = e->kind == EVENT_REPLY;
	row_add_int64(row, db->ticket);
	row_add_int64(row, db->seq);
	row_add_instant(row, e->at);
	row_add_text(row, event_names[e->kind]);
	row_add_text(row, replies || e->kind == EVENT_SEVERITY ? actor_names[e->by] : NULL);
	if (replies) {
		row_add_bool(row, e->is_public);
		row_add_bool(row, e->requests);
	} else {
		row_add_null(row);
		row_add_null(row);
	}
	row_add_text(row, e->kind == EVENT_OPENED || e->kind == EVENT_STATUS ? status_names[e->status] : NULL);
	row_add_text(row, e->severity);
	if (e->kind == EVENT_ACK && e->hold.us > 0)
		row_add_int64(row, e->hold.us);
	else
		row_add_null(row);
	row_add_changed(row, world, e);
	for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++)
		row_add_text(row, e->attributes[i]);
	row_add_null(row); /* attributes */
	row_add_bool(row, db->by_rule);
}

struct db_answer
statement_listen(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = db_answer_of(PGRES_COMMAND_OK);
	char pid[16];
	(void)text;
	(void)params;
	(void)database;
	(void)snprintf(pid, sizeof(pid), "%u", session->pid);
	session->listening = true;
	db_answer_add(&answer, result_of_texts((const char *[]){pid}, 1));
	return answer;
}

static void
take_view(struct database *database, struct db_session *session)
{
	session->view = world_must(calloc(1, sizeof(*session->view)));
	db_data_copy(&database->data, session->view);
}

struct db_answer
statement_begin(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	(void)text;
	(void)params;
	take_view(database, session);
	return db_answer_of(PGRES_COMMAND_OK);
}

void
db_session_end(struct db_session *session)
{
	if (session->view != NULL)
		for (unsigned i = 0; i < DB_TABLES; i++)
			free(session->view->tables[i].items);
	free(session->view);
	session->view = NULL;
	session->listening = false;
}

struct db_answer
statement_commit(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	bool listening = session->listening;
	(void)database;
	(void)text;
	(void)params;
	db_session_end(session);
	session->listening = listening;
	return db_answer_of(PGRES_COMMAND_OK);
}

/* The first query of a transaction takes its snapshot. */
struct db_answer
statement_snapshot(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = {0};
	struct row row;
	db_session_end(&(struct db_session){.view = session->view});
	session->view = NULL;
	take_view(database, session);
	(void)text;
	(void)params;
	row_clear(&row);
	row_add_text(&row, snapshot_text(database, session->view));
	row_add_instant(&row, database_clock(database));
	db_answer_add(&answer, result_new(2));
	result_add(answer.results[0], &row);
	return answer;
}

/* Whether a ticket that is not closed has a clock, or a step in hand, of that configuration. */
static bool
is_referred_to(const struct db_data *data, const char *digest)
{
	DB_EACH (const struct db_clock, clock, data, DB_CLOCKS) {
		const struct db_state *state = db_find_state(data, clock->ticket);
		if (db_same(clock->texts[15], digest) && state != NULL && !db_same(state->texts[3], "closed"))
			return true;
	}
	DB_EACH (const struct db_state, state, data, DB_STATES)
		if (!db_same(state->texts[3], "closed") && state->texts[9] != NULL &&
		    strstr(state->texts[9], digest) != NULL)
			return true;
	return false;
}

struct db_answer
statement_configurations(struct database *database, struct db_session *session, const char *text,
                         const char *const *params)
{
	struct db_answer answer = {0};
	struct row row;
	(void)database;
	(void)text;
	if (session->view == NULL)
		return db_answer_of(PGRES_FATAL_ERROR); /* its transaction has ended */
	db_answer_add(&answer, result_new(2));
	DB_EACH (const struct db_configuration, c, session->view, DB_CONFIGURATIONS) {
		if (db_same(c->digest, params[0]) || !is_referred_to(session->view, c->digest))
			continue;
		row_clear(&row);
		row_add_text(&row, c->digest);
		row_add_text(&row, c->source);
		result_add(answer.results[0], &row);
	}
	return answer;
}

static const char *
shards_of_copy(struct database *database, const char *text)
{
	const char *list = strstr(text, "= ANY ('");
	if (list == NULL)
		return NULL;
	list += strlen("= ANY ('");
	return world_keep(database->world, list, strcspn(list, "'"));
}

static struct db_answer
copy_answer(void)
{
	struct db_answer answer = db_answer_of(PGRES_COPY_OUT);
	db_answer_add(&answer, world_must(PQmakeEmptyPGresult(NULL, PGRES_COMMAND_OK)));
	copy_begin(&answer);
	return answer;
}

/* In the order of ledger.c's columns: severity and so on after the ticket's number and applied_seq. */
static void
row_add_state(struct row *row, const struct db_state *state)
{
	const char *const *t = state->texts;
	row_add_int64(row, state->ticket);
	row_add_int64(row, state->applied_seq);
	row_add_text(row, t[2]);
	row_add_text(row, t[3]);
	row_add_instant_text(row, t[4]);
	row_add_instant_text(row, t[5]);
	row_add_number_text(row, t[6], false);
	row_add_number_text(row, t[7], false);
	row_add_instant_text(row, t[8]);
	for (unsigned i = 9; i < 9 + 1 + ATTRIBUTE_COUNT; i++)
		row_add_text(row, t[i]);
	row_add_text(row, db_same(t[19], "{}") ? NULL : t[19]);
}

struct db_answer
statement_copy_states(struct database *database, struct db_session *session, const char *text,
                      const char *const *params)
{
	if (session->view == NULL)
		return db_answer_of(PGRES_FATAL_ERROR); /* its transaction has ended */
	struct db_answer answer = copy_answer();
	const char *shards = shards_of_copy(database, text);
	struct row row;
	(void)params;
	DB_EACH (const struct db_state, state, session->view, DB_STATES) {
		if (db_same(state->texts[3], "closed") || !db_is_of(shards, state->ticket))
			continue;
		row_clear(&row);
		row_add_state(&row, state);
		copy_add(&answer, &row);
	}
	copy_end(&answer);
	return answer;
}

static bool
is_followed(const struct db_data *data, const struct db_clock *clock)
{
	DB_EACH (const struct db_clock, later, data, DB_CLOCKS)
		if (later->ticket == clock->ticket && db_same(later->texts[1], clock->texts[1]) &&
		    atoi(later->texts[2]) > atoi(clock->texts[2]))
			return true;
	return false;
}

static void
row_add_clock(struct row *row, struct world *world, const struct db_clock *clock)
{
	const char *const *t = clock->texts;
	row_add_int64(row, clock->ticket);
	row_add_text(row, t[1]);
	row_add_number_text(row, t[2], false);
	row_add_text(row, t[3]);
	row_add_instant_text(row, t[4]);
	row_add_instant_text(row, t[5]);
	row_add_text(row, t[6]);
	row_add_number_text(row, t[9], true);
	row_add_number_text(row, t[10], true);
	row_add_instant_text(row, t[11]);
	row_add_instant_text(row, t[12]);
	row_add_instant_text(row, t[13]);
	row_add_number_text(row, t[14], false);
	row_add_text(row, t[15]);
	row_add_number_text(row, t[16], true);
	row_add_array_text(row, world, t[17], true);
	row_add_array_text(row, world, t[18], false);
}

struct db_answer
statement_copy_clocks(struct database *database, struct db_session *session, const char *text,
                      const char *const *params)
{
	if (session->view == NULL)
		return db_answer_of(PGRES_FATAL_ERROR); /* its transaction has ended */
	struct db_answer answer = copy_answer();
	const char *shards = shards_of_copy(database, text);
	struct row row;
	(void)params;
	DB_EACH (const struct db_clock, clock, session->view, DB_CLOCKS) {
		const struct db_state *state = db_find_state(session->view, clock->ticket);
		if (state == NULL || db_same(state->texts[3], "closed") || !db_is_of(shards, clock->ticket) ||
		    (clock->texts[13] != NULL && is_followed(session->view, clock)))
			continue;
		row_clear(&row);
		row_add_clock(&row, database->world, clock);
		copy_add(&answer, &row);
	}
	copy_end(&answer);
	return answer;
}

static int
by_seq(const void *a, const void *b)
{
	const struct db_event *x = *(const struct db_event *const *)a, *y = *(const struct db_event *const *)b;
	if (x->ticket != y->ticket)
		return x->ticket < y->ticket ? -1 : 1;
	return x->seq < y->seq ? -1 : 1;
}

struct db_answer
statement_copy_events(struct database *database, struct db_session *session, const char *text,
                      const char *const *params)
{
	if (session->view == NULL)
		return db_answer_of(PGRES_FATAL_ERROR); /* its transaction has ended */
	struct db_answer answer = copy_answer();
	const char *shards = shards_of_copy(database, text);
	const struct db_data *view = session->view;
	const struct db_event **found =
	    world_must(calloc(view->tables[DB_EVENTS].n + 1, sizeof(const struct db_event *)));
	size_t n = 0;
	struct row row;
	(void)params;
	DB_EACH (const struct db_event, event, view, DB_EVENTS) {
		const struct db_state *state = db_find_state(view, event->ticket);
		if (!db_is_open(view, event->xid) && db_is_of(shards, event->ticket) &&
		    event->seq > (state == NULL ? 0 : state->applied_seq))
			found[n++] = event;
	}
	qsort(found, n, sizeof(found[0]), by_seq);
	for (size_t i = 0; i < n; i++) {
		row_clear(&row);
		row_add_event(&row, database->world, found[i]);
		copy_add(&answer, &row);
	}
	free(found);
	copy_end(&answer);
	return answer;
}

static bool
has_xid(const char **list, size_t n, uint64_t xid)
{
	for (size_t i = 0; i < n; i++)
		if (strtoull(list[i], NULL, 10) == xid)
			return true;
	return false;
}

struct db_answer
statement_poll(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = {0};
	const struct db_data *data = &database->data;
	const struct db_event **found =
	    world_must(calloc(data->tables[DB_EVENTS].n + 1, sizeof(const struct db_event *)));
	const uint64_t former = strtoull(strchr(params[0], ':') + 1, NULL, 10);
	size_t n = 0, n_open;
	const char **open = values_split(database->world, params[1], &n_open);
	struct row row;
	(void)text;
	DB_EACH (const struct db_event, event, data, DB_EVENTS) {
		if (!db_is_open(data, event->xid) && db_is_of(params[2], event->ticket) &&
		    (event->xid >= former || has_xid(open, n_open, event->xid)))
			found[n++] = event;
	}
	qsort(found, n, sizeof(found[0]), by_seq);
	db_answer_add(&answer, result_new(3 + EVENT_COLUMN_COUNT));
	for (size_t i = 0; i < (n == 0 ? 1 : n); i++) {
		row_clear(&row);
		row_add_text(&row, snapshot_text(database, data));
		row_add_instant(&row, database_clock(database));
		row_add_int32(&row, (int32_t)session->pid);
		if (i < n)
			row_add_event(&row, database->world, found[i]);
		while (row.n < 3 + EVENT_COLUMN_COUNT)
			row_add_null(&row);
		result_add(answer.results[0], &row);
	}
	free(open);
	free(found);
	return answer;
}

struct db_answer
statement_probe(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = db_answer_of(PGRES_COMMAND_OK);
	(void)database;
	(void)session;
	(void)text;
	(void)params;
	answer.probe = true;
	return answer;
}
