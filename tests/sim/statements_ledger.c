/* The statement of daemon/io/ledger.c. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "statements.h"

enum { M_TICKET, M_METRIC, M_CYCLE, M_KIND, M_LEVEL, M_AT, M_ESCALATION = 13, M_STEP, M_TRIGGER, M_REPEAT, M_NOTIFY };

static int64_t
ticket_of(const struct columns *columns, size_t row)
{
	return strtoll(columns->items[0][row], NULL, 10);
}

/* sla.fence(): timers that are less than this ahead are waited for. */
#define AHEAD_MAX 2000

static bool
fence(struct database *database, const char *const *params, struct duration *ret_wait)
{
	const char *run = db_keep(database, params[0]);
	for (unsigned shard = 0; shard < SHARDS; shard++)
		if (db_is_of(params[2], shard) && database->data.leases[shard].nonce != run)
			return false;
	struct duration ahead = instant_since(db_instant(params[3]), database_clock(database));
	if (ahead.us > AHEAD_MAX)
		return false;
	if (ahead.us > 0)
		*ret_wait = ahead;
	return true;
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
	if (db_same(kind, "paused") || db_same(kind, "resumed") || db_same(kind, "retargeted"))
		return false;
	if (db_same(kind, "at_risk")) {
		by = by_level;
		n = 4;
	} else if (db_same(kind, "escalated")) {
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
make_delivery(struct database *database, const struct db_delivery *from, unsigned *ret_n)
{
	if (db_find_delivery(&database->data, DB_LOG, from->key) != NULL ||
	    db_find_delivery(&database->data, DB_DELIVERIES, from->key) != NULL)
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
	return d->ticket == ticket && d->metric == metric && d->cycle == cycle && db_same(d->kind, "escalated") &&
	       (d->state == NULL || db_same(d->state, "delivered"));
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
	told->items = world_must(realloc(told->items, (told->n + 1) * sizeof(told->items[0])));
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
		if (!db_same(m->items[M_KIND][i], "escalated"))
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
			                                      .kind = db_keep(database, "escalated"),
			                                      .channel = names[k],
			                                      .at = db_instant(m->items[M_AT][i])});
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
		if (!db_same(m->items[M_KIND][i], "met") && !db_same(m->items[M_KIND][i], "withdrawn"))
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
			                                    .kind = db_keep(database, "resolved"),
			                                    .channel = heard.items[k].channel,
			                                    .at = db_instant(m->items[M_AT][i])});
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
		if (row->texts[STATE_TEXTS - 1] == NULL) /* attributes */
			row->texts[STATE_TEXTS - 1] = db_keep(database, "{}");
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
				event->late = db_same(notes->items[3][i], "true") || db_same(notes->items[3][i], "t");
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
		row->instance = db_keep(database, instance);
		for (unsigned k = 0; k < MILESTONE_TEXTS; k++)
			row->texts[k] = m->items[k][i];
	}
}

static void
write_reassessments(struct database *database, const struct columns *r, const struct columns *hooks,
                    const struct columns *seqs)
{
	for (size_t i = 0; i < r->n; i++)
		*(struct db_reassessment *)db_add(&database->data.tables[DB_REASSESSMENTS]) = (struct db_reassessment){
		    .id = database->data.next_reassessment++,
		    .ticket = ticket_of(r, i),
		    .rule = r->items[2][i],
		    .hook = *hooks->items[0][i] == 't',
		    .at = db_instant(r->items[1][i]),
		    .former_names = r->items[4][i],
		    .severity = r->items[5][i],
		    .seq = strtoll(seqs->items[0][i], NULL, 10),
		};
}

struct db_answer
statement_flush(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = {0};
	char n_text[16], r_text[16];
	unsigned n = 0;
	(void)session;
	if (db_says(text, "sla.fence($1::uuid, $3::integer[], $4::timestamptz)") &&
	    !fence(database, params, &answer.wait))
		return db_answer_of(PGRES_FATAL_ERROR);
	if (answer.wait.us > 0)
		return answer;
	struct columns m = columns_split(database, params + 4, MILESTONE_TEXTS);
	struct columns c = columns_split(database, params + 24, CLOCK_TEXTS);
	struct columns s = columns_split(database, params + 43, STATE_TEXTS);
	struct columns notes = columns_split(database, params + 63, 4);
	struct columns seen = columns_split(database, params + 67, 2);
	struct columns r = columns_split(database, params + 69, 7);
	struct columns r_hook = columns_split(database, params + 79, 1);
	struct columns r_seq = columns_split(database, params + 80, 1);
	struct told told = collect_told(database, &m), outgoing = {0};
	for (size_t i = 0; i < told.n; i++)
		told_add(&outgoing, &told.items[i]);
	add_resolved(database, &m, &told, &outgoing);
	write_milestones(database, &m, params[1]);
	for (size_t i = 0; i < outgoing.n; i++)
		make_delivery(database, &outgoing.items[i], &n);
	write_clocks(database, &c);
	write_states(database, &s, &seen);
	write_notes(database, &notes);
	write_reassessments(database, &r, &r_hook, &r_seq);
	(void)snprintf(r_text, sizeof(r_text), "%zu", r.n);
	free(told.items);
	free(outgoing.items);
	columns_free(&m);
	columns_free(&c);
	columns_free(&s);
	columns_free(&notes);
	columns_free(&seen);
	columns_free(&r);
	columns_free(&r_hook);
	columns_free(&r_seq);
	database->data.next_xid++;
	(void)snprintf(n_text, sizeof(n_text), "%u", n);
	db_answer_add(&answer, result_of_texts((const char *[]){n_text, r_text}, 2));
	return answer;
}
