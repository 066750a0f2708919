/* The daemon's statements, by their texts, carried out on the model database. What a statement says of fences,
 * snapshots and order is read from its text where leaving it out would be a fault worth finding. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "database_internal.h"
#include "slated/rows.h"
#include "values.h"

typedef struct db_answer statement(struct database *database, struct db_session *session, const char *text,
                                   const char *const *params);

enum { M_TICKET, M_METRIC, M_CYCLE, M_KIND, M_LEVEL, M_AT, M_ESCALATION = 13, M_STEP, M_TRIGGER, M_REPEAT, M_NOTIFY };

static void *
must(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

static const char *
keep(struct database *database, const char *text)
{
	return text == NULL ? NULL : world_keep(database->world, text, strlen(text));
}

/* Kept texts are the same where they are equal; those of the source are not kept. */
static bool
same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
says(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

static void
answer_add(struct db_answer *answer, PGresult *result)
{
	answer->results[answer->n_results++] = result;
}

static struct db_answer
answer_of(ExecStatusType status)
{
	struct db_answer answer = {0};
	answer_add(&answer, must(PQmakeEmptyPGresult(NULL, status)));
	return answer;
}

static struct instant
instant_of(const char *text)
{
	struct instant at;
	if (instant_parse(text, strlen(text), &at) < 0)
		abort();
	return at;
}

static const struct db_state *
find_state(const struct db_data *data, int64_t ticket)
{
	DB_EACH (const struct db_state, state, data, DB_STATES)
		if (state->ticket == ticket)
			return state;
	return NULL;
}

/* Whether a ticket is of the shards of an array's text; NULL: of all. */
static bool
is_of(const char *shards, int64_t ticket)
{
	char number[8];
	if (shards == NULL)
		return true;
	int len = snprintf(number, sizeof(number), "%d", (int)(ticket % SHARDS));
	for (const char *at = shards; (at = strstr(at, number)) != NULL; at++)
		if ((at[-1] == '{' || at[-1] == ',') && (at[len] == '}' || at[len] == ','))
			return true;
	return false;
}

/* The feed -----------------------------------------------------------------------------------------------------------
 */

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

static void
row_add_event(struct row *row, const struct db_event *db)
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
	row_add_null(row); /* changed */
	for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++)
		row_add_text(row, e->attributes[i]);
	row_add_null(row);
}

static struct db_answer
listen_(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = answer_of(PGRES_COMMAND_OK);
	char pid[16];
	(void)text;
	(void)params;
	(void)database;
	(void)snprintf(pid, sizeof(pid), "%u", session->pid);
	session->listening = true;
	answer_add(&answer, result_of_texts((const char *[]){pid}, 1));
	return answer;
}

static void
take_view(struct database *database, struct db_session *session)
{
	session->view = must(calloc(1, sizeof(*session->view)));
	db_data_copy(&database->data, session->view);
}

static struct db_answer
begin(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	(void)text;
	(void)params;
	take_view(database, session);
	return answer_of(PGRES_COMMAND_OK);
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

static struct db_answer
commit(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	bool listening = session->listening;
	(void)database;
	(void)text;
	(void)params;
	db_session_end(session);
	session->listening = listening;
	return answer_of(PGRES_COMMAND_OK);
}

/* The first query of a transaction takes its snapshot. */
static struct db_answer
snapshot(struct database *database, struct db_session *session, const char *text, const char *const *params)
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
	answer_add(&answer, result_new(2));
	result_add(answer.results[0], &row);
	return answer;
}

static struct db_answer
configurations(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = {0};
	(void)database;
	(void)session;
	(void)text;
	(void)params;
	answer_add(&answer, result_new(2)); /* there is one only, and the daemon knows it */
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
	struct db_answer answer = answer_of(PGRES_COPY_OUT);
	answer_add(&answer, must(PQmakeEmptyPGresult(NULL, PGRES_COMMAND_OK)));
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
	row_add_text(row, same(t[19], "{}") ? NULL : t[19]);
}

static struct db_answer
copy_states(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	if (session->view == NULL)
		return answer_of(PGRES_FATAL_ERROR); /* its transaction has ended */
	struct db_answer answer = copy_answer();
	const char *shards = shards_of_copy(database, text);
	struct row row;
	(void)params;
	DB_EACH (const struct db_state, state, session->view, DB_STATES) {
		if (same(state->texts[3], "closed") || !is_of(shards, state->ticket))
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
		if (later->ticket == clock->ticket && same(later->texts[1], clock->texts[1]) &&
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

static struct db_answer
copy_clocks(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	if (session->view == NULL)
		return answer_of(PGRES_FATAL_ERROR); /* its transaction has ended */
	struct db_answer answer = copy_answer();
	const char *shards = shards_of_copy(database, text);
	struct row row;
	(void)params;
	DB_EACH (const struct db_clock, clock, session->view, DB_CLOCKS) {
		const struct db_state *state = find_state(session->view, clock->ticket);
		if (state == NULL || same(state->texts[3], "closed") || !is_of(shards, clock->ticket) ||
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

static struct db_answer
copy_events(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	if (session->view == NULL)
		return answer_of(PGRES_FATAL_ERROR); /* its transaction has ended */
	struct db_answer answer = copy_answer();
	const char *shards = shards_of_copy(database, text);
	const struct db_data *view = session->view;
	const struct db_event **found = must(calloc(view->tables[DB_EVENTS].n + 1, sizeof(const struct db_event *)));
	size_t n = 0;
	struct row row;
	(void)params;
	DB_EACH (const struct db_event, event, view, DB_EVENTS) {
		const struct db_state *state = find_state(view, event->ticket);
		if (!db_is_open(view, event->xid) && is_of(shards, event->ticket) &&
		    event->seq > (state == NULL ? 0 : state->applied_seq))
			found[n++] = event;
	}
	qsort(found, n, sizeof(found[0]), by_seq);
	for (size_t i = 0; i < n; i++) {
		row_clear(&row);
		row_add_event(&row, found[i]);
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

static struct db_answer
poll_(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = {0};
	const struct db_data *data = &database->data;
	const struct db_event **found = must(calloc(data->tables[DB_EVENTS].n + 1, sizeof(const struct db_event *)));
	const uint64_t former = strtoull(strchr(params[0], ':') + 1, NULL, 10);
	size_t n = 0, n_open;
	const char **open = values_split(database->world, params[1], &n_open);
	struct row row;
	(void)text;
	DB_EACH (const struct db_event, event, data, DB_EVENTS) {
		if (!db_is_open(data, event->xid) && is_of(params[2], event->ticket) &&
		    (event->xid >= former || has_xid(open, n_open, event->xid)))
			found[n++] = event;
	}
	qsort(found, n, sizeof(found[0]), by_seq);
	answer_add(&answer, result_new(3 + EVENT_COLUMN_COUNT));
	for (size_t i = 0; i < (n == 0 ? 1 : n); i++) {
		row_clear(&row);
		row_add_text(&row, snapshot_text(database, data));
		row_add_instant(&row, database_clock(database));
		row_add_int32(&row, (int32_t)session->pid);
		if (i < n)
			row_add_event(&row, found[i]);
		while (row.n < 3 + EVENT_COLUMN_COUNT)
			row_add_null(&row);
		result_add(answer.results[0], &row);
	}
	free(open);
	free(found);
	return answer;
}

static struct db_answer
probe(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = answer_of(PGRES_COMMAND_OK);
	(void)database;
	(void)session;
	(void)text;
	(void)params;
	answer.probe = true;
	return answer;
}

/* Leases -------------------------------------------------------------------------------------------------------------
 */

static bool
is_before(struct instant a, struct instant b)
{
	return a.us < b.us;
}

void
db_end_lease(struct database *database, unsigned shard)
{
	struct db_lease *lease = &database->data.leases[shard];
	struct instant now = {world_now(database->world)};
	if (lease->owner != NULL && database->history != NULL)
		history_add_lease(database->history, shard, lease->owner, lease->since, now);
	lease->since = now;
}

static void
set_lease(struct database *database, unsigned shard, const char *owner, const char *nonce, int64_t lasts)
{
	struct db_lease *lease = &database->data.leases[shard];
	struct instant now = database_clock(database);
	if (!same(lease->owner, owner))
		db_end_lease(database, shard);
	lease->owner = owner;
	lease->nonce = nonce;
	lease->expires_at = (struct instant){now.us + lasts};
}

static unsigned
fair_share(const struct database *database, const char *holder, int64_t lasts)
{
	unsigned others = 0, before = 0;
	struct instant now = database_clock(database);
	DB_EACH (const struct db_instance, instance, &database->data, DB_INSTANCES) {
		if (instance->name == holder || instance->stopped || instance->seen_at.us <= now.us - lasts)
			continue;
		others++;
		before += strcmp(instance->name, holder) < 0;
	}
	return SHARDS / (others + 1) + (before < SHARDS % (others + 1));
}

static const char *
share_lease(struct database *database, const char *holder, const char *run, int64_t lasts)
{
	char list[SHARDS * 4 + 3] = "{";
	unsigned fair = fair_share(database, holder, lasts), n = 0;
	size_t len = 1;
	bool mine[SHARDS] = {false};
	struct instant now = database_clock(database);
	for (unsigned i = 0; i < SHARDS; i++) {
		if (database->data.leases[i].owner != holder)
			continue;
		if (n < fair)
			mine[i] = ++n > 0;
		else
			set_lease(database, i, NULL, NULL, 0);
	}
	for (unsigned i = 0; i < SHARDS && n < fair; i++) {
		const struct db_lease *lease = &database->data.leases[i];
		if (lease->owner != holder && (lease->owner == NULL || is_before(lease->expires_at, now)))
			mine[i] = ++n > 0;
	}
	for (unsigned i = 0; i < SHARDS; i++) {
		if (!mine[i])
			continue;
		set_lease(database, i, holder, run, lasts);
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%u", len > 1 ? "," : "", i);
	}
	list[len++] = '}';
	return world_keep(database->world, list, len);
}

static struct db_answer
beat(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = {0};
	const char *name = keep(database, params[0]), *run = keep(database, params[1]);
	int64_t lasts = strtoll(params[2], NULL, 10) * US_PER_S;
	struct db_instance *self = NULL;
	const char *mine = NULL;
	char numbers[4][16];
	unsigned had = 0;
	bool renew = same(params[13], "renew");
	(void)session;
	(void)text;
	DB_EACH (struct db_instance, instance, &database->data, DB_INSTANCES)
		if (instance->name == name)
			self = instance;
	for (unsigned i = 0; i < SHARDS; i++)
		had += database->data.leases[i].owner == name;
	(void)snprintf(numbers[3], sizeof(numbers[3]), "%u", had);
	if (same(params[13], "share"))
		mine = share_lease(database, name, run, lasts);
	if (renew) {
		unsigned held = 0, free_ones = 0;
		struct instant now = database_clock(database);
		for (unsigned i = 0; i < SHARDS; i++) {
			const struct db_lease *lease = &database->data.leases[i];
			if (lease->nonce == run) {
				held++;
				set_lease(database, i, name, run, lasts);
			}
			free_ones += lease->owner == NULL || is_before(lease->expires_at, now);
		}
		(void)snprintf(numbers[0], sizeof(numbers[0]), "%u", held);
		(void)snprintf(numbers[1], sizeof(numbers[1]), "%u", fair_share(database, name, lasts));
		(void)snprintf(numbers[2], sizeof(numbers[2]), "%u", free_ones);
	}
	if (self == NULL)
		self = db_add(&database->data.tables[DB_INSTANCES]);
	*self = (struct db_instance){name, database_clock(database), false};
	database->data.next_xid++;
	answer_add(&answer,
	           result_of_texts((const char *[]){mine, renew ? numbers[0] : NULL, renew ? numbers[1] : NULL,
	                                            renew ? numbers[2] : NULL, mine == NULL ? NULL : numbers[3]},
	                           5));
	return answer;
}

static struct db_answer
leave(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = {0};
	const char *name = keep(database, params[0]), *run = keep(database, params[1]);
	(void)session;
	(void)text;
	DB_EACH (struct db_instance, instance, &database->data, DB_INSTANCES)
		if (instance->name == name)
			*instance = (struct db_instance){name, database_clock(database), same(params[2], "t")};
	DB_EACH (struct db_delivery, delivery, &database->data, DB_DELIVERIES)
		if (delivery->claimed_by == name)
			delivery->claimed_by = delivery->claim = NULL;
	for (unsigned i = 0; i < SHARDS; i++)
		if (database->data.leases[i].nonce == run)
			set_lease(database, i, NULL, NULL, 0);
	database->data.next_xid++;
	answer.leaving = true;
	answer_add(&answer, result_of_texts((const char *[]){""}, 1));
	return answer;
}

static struct db_answer
configuration(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	(void)session;
	(void)text;
	(void)params;
	database->data.configurations = 1;
	return answer_of(PGRES_COMMAND_OK);
}

/* The ledger ---------------------------------------------------------------------------------------------------------
 */

/* Some of the arrays that a statement's parameters are. */
struct columns {
	const char **items[ROW_MAX];
	size_t n_columns;
	size_t n;
};

static struct columns
columns_split(struct database *database, const char *const *params, size_t n_columns)
{
	struct columns columns = {.n_columns = n_columns};
	for (size_t i = 0; i < n_columns; i++) {
		size_t n;
		columns.items[i] = values_split(database->world, params[i], &n);
		if (i > 0 && n != columns.n)
			abort(); /* columns of different lengths */
		columns.n = n;
	}
	return columns;
}

static void
columns_free(struct columns *columns)
{
	for (size_t i = 0; i < columns->n_columns; i++)
		free(columns->items[i]);
}

static int64_t
ticket_of(const struct columns *columns, size_t row)
{
	return strtoll(columns->items[0][row], NULL, 10);
}

/* sla.fence() */
static bool
fence(struct database *database, const char *const *params)
{
	const char *run = keep(database, params[0]);
	for (unsigned shard = 0; shard < SHARDS; shard++)
		if (is_of(params[2], shard) && database->data.leases[shard].nonce != run)
			return false;
	return !is_before(database_clock(database), instant_of(params[3]));
}

/* The columns of the index that a milestone is unique by; those of some kinds may come again. */
static bool
is_recorded(const struct db_data *data, int64_t ticket, const struct columns *m, size_t row)
{
	static const unsigned by_level[] = {M_METRIC, M_CYCLE, M_KIND, M_LEVEL};
	static const unsigned by_kind[] = {M_METRIC, M_CYCLE, M_KIND};
	static const unsigned by_step[] = {M_METRIC, M_CYCLE, M_KIND, M_ESCALATION, M_STEP, M_TRIGGER, M_REPEAT};
	const char *kind = m->items[M_KIND][row];
	const unsigned *by = by_kind;
	size_t n = 3;
	if (same(kind, "paused") || same(kind, "resumed") || same(kind, "retargeted"))
		return false;
	if (same(kind, "at_risk")) {
		by = by_level;
		n = 4;
	} else if (same(kind, "escalated")) {
		by = by_step;
		n = 7;
	}
	DB_EACH (const struct db_milestone, milestone, data, DB_MILESTONES) {
		bool equal = milestone->ticket == ticket;
		for (size_t i = 0; equal && i < n; i++)
			equal = milestone->texts[by[i]] == m->items[by[i]][row];
		if (equal)
			return true;
	}
	return false;
}

static void
make_delivery(struct database *database, const struct db_delivery *from, const char *text, unsigned *ret_n)
{
	bool logged = says(text, "NOT EXISTS (SELECT FROM sla.delivery_log l WHERE l.key = d.key)") &&
	              db_find_delivery(&database->data, DB_LOG, from->key) != NULL;
	if (logged || db_find_delivery(&database->data, DB_DELIVERIES, from->key) != NULL)
		return;
	struct db_delivery *delivery = db_add(&database->data.tables[DB_DELIVERIES]);
	*delivery = *from;
	delivery->position = database->data.next_position++;
	delivery->created_at = database_clock(database);
	delivery->next_attempt_at = INSTANT_NEVER;
	(*ret_n)++;
}

static const char *
delivery_key(struct database *database, int64_t ticket, const char *metric, const char *cycle, const char *what,
             const char *channel)
{
	char key[300];
	int n = snprintf(key, sizeof(key), "%" PRId64 "|%s|%s|%s|%s", ticket, metric == NULL ? "" : metric,
	                 cycle == NULL ? "" : cycle, what, channel);
	return world_keep(database->world, key, (size_t)n);
}

/* Whether a channel was told of a clock's alert, or is to be told. */
static bool
is_of_clock(const struct db_delivery *d, int64_t ticket, const char *metric, const char *cycle)
{
	return d->ticket == ticket && d->metric == metric && d->cycle == cycle && same(d->kind, "escalated") &&
	       (d->state == NULL || same(d->state, "delivered"));
}

struct told {
	struct db_delivery *items;
	size_t n;
};

static void
told_add(struct told *told, const struct db_delivery *delivery)
{
	for (size_t i = 0; i < told->n; i++)
		if (told->items[i].key == delivery->key)
			return;
	told->items = must(realloc(told->items, (told->n + 1) * sizeof(told->items[0])));
	told->items[told->n++] = *delivery;
}

/* The escalations of the batch. */
static struct told
collect_told(struct database *database, const struct columns *m)
{
	struct told told = {0};
	for (size_t i = 0; i < m->n; i++) {
		char what[200];
		size_t n;
		if (!same(m->items[M_KIND][i], "escalated"))
			continue;
		const char **names = values_split(database->world, m->items[M_NOTIFY][i], &n);
		const char *level = m->items[M_TRIGGER][i];
		(void)snprintf(what, sizeof(what), "%s|%s|%s|%s", m->items[M_ESCALATION][i], m->items[M_STEP][i], level,
		               m->items[M_REPEAT][i]);
		for (size_t k = 0; k < n; k++)
			told_add(&told, &(struct db_delivery){.key = delivery_key(database, ticket_of(m, i),
			                                                          m->items[M_METRIC][i],
			                                                          m->items[M_CYCLE][i], what, names[k]),
			                                      .ticket = ticket_of(m, i),
			                                      .metric = m->items[M_METRIC][i],
			                                      .cycle = m->items[M_CYCLE][i],
			                                      .kind = keep(database, "escalated"),
			                                      .channel = names[k],
			                                      .at = instant_of(m->items[M_AT][i])});
		free(names);
	}
	return told;
}

/* Those whom the milestones that end a clock are to be told to. */
static void
add_resolved(struct database *database, const struct columns *m, const struct told *told, struct told *ret)
{
	for (size_t i = 0; i < m->n; i++) {
		const char *metric = m->items[M_METRIC][i], *cycle = m->items[M_CYCLE][i];
		int64_t ticket = ticket_of(m, i);
		struct told heard = {0};
		if (!same(m->items[M_KIND][i], "met") && !same(m->items[M_KIND][i], "withdrawn"))
			continue;
		for (unsigned table = DB_DELIVERIES; table <= DB_LOG; table++)
			DB_EACH (const struct db_delivery, d, &database->data, table)
				if (is_of_clock(d, ticket, metric, cycle))
					told_add(&heard, d);
		for (size_t k = 0; k < told->n; k++)
			if (is_of_clock(&told->items[k], ticket, metric, cycle))
				told_add(&heard, &told->items[k]);
		for (size_t k = 0; k < heard.n; k++)
			told_add(ret, &(struct db_delivery){.key = delivery_key(database, ticket, metric, cycle,
			                                                        "resolved", heard.items[k].channel),
			                                    .ticket = ticket,
			                                    .metric = metric,
			                                    .cycle = cycle,
			                                    .kind = keep(database, "resolved"),
			                                    .channel = heard.items[k].channel,
			                                    .at = instant_of(m->items[M_AT][i])});
		free(heard.items);
	}
}

static void
write_clocks(struct database *database, const struct columns *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct db_clock *row = NULL;
		DB_EACH (struct db_clock, clock, &database->data, DB_CLOCKS)
			if (clock->ticket == ticket_of(c, i) && clock->texts[1] == c->items[1][i] &&
			    clock->texts[2] == c->items[2][i])
				row = clock;
		if (row == NULL)
			row = db_add(&database->data.tables[DB_CLOCKS]);
		row->ticket = ticket_of(c, i);
		for (unsigned k = 0; k < CLOCK_TEXTS; k++)
			row->texts[k] = c->items[k][i];
	}
}

static struct db_state *
state_of(struct database *database, int64_t ticket)
{
	DB_EACH (struct db_state, state, &database->data, DB_STATES)
		if (state->ticket == ticket)
			return state;
	return NULL;
}

static void
write_states(struct database *database, const struct columns *s, const struct columns *seen)
{
	for (size_t i = 0; i < s->n; i++) {
		struct db_state *row = state_of(database, ticket_of(s, i));
		if (row == NULL)
			row = db_add(&database->data.tables[DB_STATES]);
		row->ticket = ticket_of(s, i);
		row->applied_seq = strtoll(s->items[1][i], NULL, 10);
		for (unsigned k = 0; k < STATE_TEXTS; k++)
			row->texts[k] = s->items[k][i];
	}
	for (size_t i = 0; i < seen->n; i++) {
		struct db_state *row = state_of(database, ticket_of(seen, i));
		int64_t seq = strtoll(seen->items[1][i], NULL, 10);
		if (row != NULL && row->applied_seq < seq)
			row->applied_seq = seq;
	}
}

static void
write_notes(struct database *database, const struct columns *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		DB_EACH (struct db_event, event, &database->data, DB_EVENTS)
			if (event->ticket == ticket_of(notes, i) &&
			    event->seq == strtoll(notes->items[1][i], NULL, 10)) {
				event->refused = notes->items[2][i] != NULL;
				event->late = same(notes->items[3][i], "true") || same(notes->items[3][i], "t");
			}
}

static void
write_milestones(struct database *database, const struct columns *m, const char *instance)
{
	for (size_t i = 0; i < m->n; i++) {
		if (is_recorded(&database->data, ticket_of(m, i), m, i))
			continue;
		struct db_milestone *row = db_add(&database->data.tables[DB_MILESTONES]);
		row->ticket = ticket_of(m, i);
		row->recorded_at = database_clock(database);
		row->held_at = (struct instant){world_now(database->world)};
		row->instance = keep(database, instance);
		for (unsigned k = 0; k < MILESTONE_TEXTS; k++)
			row->texts[k] = m->items[k][i];
	}
}

static struct db_answer
flush(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = {0};
	char n_text[16];
	unsigned n = 0;
	(void)session;
	if (says(text, "sla.fence($1::uuid, $3::integer[], $4::timestamptz)") && !fence(database, params))
		return answer_of(PGRES_FATAL_ERROR);
	struct columns m = columns_split(database, params + 4, MILESTONE_TEXTS);
	struct columns c = columns_split(database, params + 24, CLOCK_TEXTS);
	struct columns s = columns_split(database, params + 43, STATE_TEXTS);
	struct columns notes = columns_split(database, params + 63, 4);
	struct columns seen = columns_split(database, params + 67, 2);
	struct told told = collect_told(database, &m), outgoing = {0};
	for (size_t i = 0; i < told.n; i++)
		told_add(&outgoing, &told.items[i]);
	add_resolved(database, &m, &told, &outgoing);
	write_milestones(database, &m, params[1]);
	for (size_t i = 0; i < outgoing.n; i++)
		make_delivery(database, &outgoing.items[i], text, &n);
	write_clocks(database, &c);
	write_states(database, &s, &seen);
	write_notes(database, &notes);
	free(told.items);
	free(outgoing.items);
	columns_free(&m);
	columns_free(&c);
	columns_free(&s);
	columns_free(&notes);
	columns_free(&seen);
	database->data.next_xid++;
	(void)snprintf(n_text, sizeof(n_text), "%u", n);
	answer_add(&answer, result_of_texts((const char *[]){n_text, "0"}, 2));
	return answer;
}

/* The outbox ---------------------------------------------------------------------------------------------------------
 */

static struct db_answer
release(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	const char *name = keep(database, params[0]), *claim = keep(database, params[1]);
	const char *number = keep(database, params[2]);
	bool strays = says(text, "(claim, claim_session) IS DISTINCT FROM");
	struct instant now = database_clock(database);
	(void)session;
	(void)text;
	DB_EACH (struct db_delivery, d, &database->data, DB_DELIVERIES) {
		const struct db_lease *lease = &database->data.leases[d->ticket % SHARDS];
		if ((strays && d->claimed_by == name && (d->claim != claim || d->claim_session != number)) ||
		    lease->owner != d->claimed_by || !is_before(now, lease->expires_at))
			d->claimed_by = NULL;
	}
	database->data.next_xid++;
	return answer_of(PGRES_COMMAND_OK);
}

static bool
was_told(const struct db_data *data, const struct db_delivery *d)
{
	DB_EACH (const struct db_delivery, l, data, DB_LOG)
		if (l->ticket == d->ticket && l->metric == d->metric && l->cycle == d->cycle &&
		    l->channel == d->channel && same(l->kind, "escalated") && same(l->state, "delivered"))
			return true;
	return false;
}

static void
row_add_delivery(struct row *row, const struct db_data *data, const struct db_delivery *d)
{
	row_clear(row);
	row_add_text(row, d->key);
	row_add_int64(row, d->ticket);
	row_add_null(row);
	row_add_text(row, d->metric);
	row_add_number_text(row, d->cycle, false);
	row_add_text(row, d->channel);
	row_add_text(row, d->kind);
	row_add_text(row, "{}");
	row_add_int32(row, d->attempts);
	row_add_instant(row, d->at);
	row_add_instant(row, d->created_at);
	row_add_instant(row, instant_equal(d->next_attempt_at, INSTANT_NEVER) ? d->created_at : d->next_attempt_at);
	row_add_null(row);
	row_add_bool(row, was_told(data, d));
}

/* Whether an earlier one of the ticket and channel is in somebody else's hand. */
static bool
is_behind(const struct db_data *data, const struct db_delivery *d, const struct db_delivery *hand)
{
	DB_EACH (const struct db_delivery, e, data, DB_DELIVERIES)
		if (e->ticket == d->ticket && e->channel == d->channel && e->position < d->position &&
		    (e->claimed_by != hand->claimed_by || e->claim != hand->claim ||
		     e->claim_session != hand->claim_session))
			return true;
	return false;
}

static struct db_answer
claim(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = {0};
	const char *name = keep(database, params[0]);
	const struct db_delivery hand = {
	    .claimed_by = name, .claim = keep(database, params[3]), .claim_session = keep(database, params[4])};
	bool in_order = says(text, "AND e.position < n.position");
	bool of_lease = says(text, "FROM sla.lease l WHERE l.owner = $1");
	struct instant now = database_clock(database);
	long limit = strtol(params[1], NULL, 10);
	struct row row;
	(void)session;
	answer_add(&answer, result_new(14));
	/* Rows stand in the order of their positions. */
	DB_EACH (struct db_delivery, d, &database->data, DB_DELIVERIES) {
		const struct db_lease *lease = &database->data.leases[d->ticket % SHARDS];
		bool ours = lease->owner == name && is_before(now, lease->expires_at);
		if (d->claimed_by != NULL || (of_lease && !ours) || PQntuples(answer.results[0]) >= limit ||
		    (in_order && is_behind(&database->data, d, &hand)))
			continue;
		d->claimed_by = name;
		d->claim = hand.claim;
		d->claim_session = hand.claim_session;
		world_trace(database->world, "%s claims %s, %s", name, d->key, d->claim);
		row_add_delivery(&row, &database->data, d);
		result_add(answer.results[0], &row);
	}
	database->data.next_xid++;
	return answer;
}

static struct db_answer
outcomes(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct columns o = columns_split(database, params, 7);
	bool of_hand = says(text, "d.claim = o.claim AND o.outcome <> 'retry'");
	struct db_list *list = &database->data.tables[DB_DELIVERIES];
	(void)session;
	(void)text;
	for (size_t i = 0; i < o.n; i++)
		for (size_t k = 0; k < list->n; k++) {
			struct db_delivery *d = (struct db_delivery *)list->items + k;
			if (d->key != o.items[0][i] || (of_hand && d->claim != o.items[6][i]))
				continue;
			d->attempts = (int32_t)strtol(o.items[2][i], NULL, 10);
			world_trace(database->world, "%s: %s, claimed by %s, %s", d->key, o.items[1][i],
			            d->claimed_by == NULL ? "nobody" : d->claimed_by, d->claim);
			if (same(o.items[1][i], "retry")) {
				d->next_attempt_at = instant_of(o.items[3][i]);
				break;
			}
			struct db_delivery *ended = db_add(&database->data.tables[DB_LOG]);
			*ended = *d;
			ended->state = o.items[1][i];
			db_remove(list, k);
			break;
		}
	columns_free(&o);
	database->data.next_xid++;
	return answer_of(PGRES_COMMAND_OK);
}

static struct db_answer
reassess(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = {0};
	(void)database;
	(void)session;
	(void)text;
	(void)params;
	answer_add(&answer, result_new(1)); /* there are no rules */
	return answer;
}

struct db_answer
database_execute(struct database *database, struct db_session *session, const char *text, const char *const *params,
                 int n_params)
{
	static const struct {
		const char *begins;
		int n_params;
		statement *execute;
	} statements[] = {
	    {"LISTEN sla_event; SELECT pg_backend_pid()", 0, listen_},
	    {"BEGIN ISOLATION LEVEL REPEATABLE READ", 0, begin},
	    {"SELECT pg_current_snapshot()", 0, snapshot},
	    {"SELECT digest, source FROM sla.configuration", 1, configurations},
	    {"COPY (SELECT s.ticket_id", 0, copy_states},
	    {"COPY (SELECT c.ticket_id", 0, copy_clocks},
	    {"COPY (SELECT e.ticket_id", 0, copy_events},
	    {"COMMIT", 0, commit},
	    {"WITH now AS MATERIALIZED", 3, poll_},
	    {"NOTIFY sla_event", 0, probe},
	    {"WITH said AS (INSERT INTO sla.instance", 15, beat},
	    {"WITH said AS (UPDATE sla.instance", 3, leave},
	    {"INSERT INTO sla.configuration", 3, configuration},
	    {"WITH fence AS", 84, flush},
	    {"WITH next AS", 5, claim},
	    {"WITH o AS MATERIALIZED", 7, outcomes},
	    {"UPDATE sla.delivery d SET claimed_by = NULL", 3, release},
	    {"SELECT sla.apply_reassessments()", 0, reassess},
	};
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (strncmp(text, statements[i].begins, strlen(statements[i].begins)) == 0 &&
		    n_params == statements[i].n_params)
			return statements[i].execute(database, session, text, params);
	(void)fprintf(stderr, "the model database does not know this statement of %d parameters: %s\n", n_params, text);
	abort();
}
