#include "slated/rows.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slated/jsonr.h"

/* No allowance is longer than a hundred years; a consumed time may be, by a little. */
#define LENGTH_MAX ((struct duration){200 * 366 * US_PER_DAY})

struct row_reader {
	char *texts; /* NUL-terminated copies of the values of the row in hand */
	size_t len;
	size_t room;
	json_t *json;
	struct custom_attribute *custom;
	size_t n_custom;
	struct pg_value *bounds; /* of a clock's spans */
	size_t n_bounds;
};

int
row_reader_new(struct row_reader **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret == NULL ? -ENOMEM : 0;
}

void
row_reader_free(struct row_reader *reader)
{
	if (reader == NULL)
		return;
	json_decref(reader->json);
	free(reader->texts);
	free(reader->custom);
	free(reader->bounds);
	free(reader);
}

/* Makes room for the texts of a whole row at once, so that none moves while it is read. */
static int
begin_row(struct row_reader *reader, const struct pg_value *values, size_t n)
{
	size_t need = 0;
	for (size_t i = 0; i < n; i++)
		need += values[i].len + 1;
	reader->len = 0;
	if (need <= reader->room)
		return 0;
	char *texts = realloc(reader->texts, need * 2);
	if (texts == NULL)
		return -ENOMEM;
	reader->texts = texts;
	reader->room = need * 2;
	return 0;
}

/* The value as a NUL-terminated text; NULL for NULL. A NUL byte cannot be in a PostgreSQL text. */
static const char *
row_text(struct row_reader *reader, struct pg_value value)
{
	if (value.data == NULL)
		return NULL;
	assert(reader->room - reader->len > value.len);
	char *text = reader->texts + reader->len;
	memcpy(text, value.data, value.len);
	text[value.len] = '\0';
	reader->len += value.len + 1;
	return text;
}

static int
row_name(struct row_reader *reader, struct pg_value value, const char *column, const char *const *names, int n,
         int *ret, char problem[static REFUSAL_SIZE])
{
	const char *text = row_text(reader, value);
	*ret = text == NULL ? -1 : name_index(names, n, text);
	return *ret >= 0
	           ? 0
	           : refuse(-EBADMSG, problem, "%s: \"%.40s\" is not known", column, text == NULL ? "NULL" : text);
}

/* A NULL instant is `absent`. */
static int
row_instant(struct pg_value value, struct instant absent, struct instant *ret)
{
	if (value.data == NULL) {
		*ret = absent;
		return 0;
	}
	return pg_read_instant(value, ret);
}

/* Reads an object of ATTRIBUTE_TEXTS() into reader->custom; null takes an attribute away. */
static int
row_custom(struct row_reader *reader, struct pg_value value, char problem[static REFUSAL_SIZE])
{
	const char *key;
	json_t *member;
	reader->n_custom = 0;
	if (value.data == NULL || (value.len == 2 && memcmp(value.data, "{}", 2) == 0))
		return 0;
	json_decref(reader->json);
	reader->json = NULL;
	int r = jsonr_read(value.data, value.len, 0, &reader->json);
	if (r == -ENOMEM)
		return r;
	if (!json_is_object(reader->json))
		return refuse(-EBADMSG, problem, "attributes: not a JSON object");
	size_t n = json_object_size(reader->json);
	/* Never of no size, which would free it. */
	struct custom_attribute *custom = realloc(reader->custom, (n + 1) * sizeof(custom[0]));
	if (custom == NULL)
		return -ENOMEM;
	reader->custom = custom;
	json_object_foreach(reader->json, key, member)
	{
		size_t i = reader->n_custom++;
		custom[i].key = key;
		custom[i].value = json_string_value(member);
	}
	return 0;
}

/* Which attributes a `changed` event names. */
static int
row_changed(struct pg_value value, struct ticket_event *event, bool *ret_custom)
{
	struct pg_value names[ATTRIBUTE_COUNT + 1];
	*ret_custom = false;
	if (value.data == NULL)
		return 0;
	int n = pg_read_array(value, names, ATTRIBUTE_COUNT + 1);
	for (int i = 0; i < n; i++) {
		if (names[i].len == strlen("attributes") && memcmp(names[i].data, "attributes", names[i].len) == 0)
			*ret_custom = true;
		for (unsigned j = 0; j < ATTRIBUTE_COUNT; j++)
			if (names[i].len == strlen(attribute_names[j]) &&
			    memcmp(names[i].data, attribute_names[j], names[i].len) == 0)
				event->set |= 1U << j;
	}
	return n < 0 ? n : 0;
}

static int
row_read_facts(struct row_reader *reader, const struct pg_value *values, struct ticket_event *event,
               char problem[static REFUSAL_SIZE])
{
	bool custom = true;
	int r = 0;
	if (event->kind == EVENT_OPENED)
		event->set = (1U << ATTRIBUTE_COUNT) - 1;
	else
		r = row_changed(values[10], event, &custom);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++)
		event->attributes[i] = row_text(reader, values[11 + i]);
	if (!custom)
		return 0;
	r = row_custom(reader, values[11 + ATTRIBUTE_COUNT], problem);
	event->custom = reader->custom;
	event->n_custom = reader->n_custom;
	return r;
}

/* The columns that only some kinds have. */
static int
row_read_kind(struct row_reader *reader, const struct pg_value *values, struct ticket_event *event,
              char problem[static REFUSAL_SIZE])
{
	int by = ACTOR_AGENT;
	int status = STATUS_OPEN;
	int r = 0;
	if (event->kind == EVENT_REPLY || event->kind == EVENT_SEVERITY)
		r = row_name(reader, values[4], "by", actor_names, ACTOR_COUNT, &by, problem);
	if (r == 0 && event->kind == EVENT_REPLY) {
		event->is_public = true;
		if (values[5].data != NULL)
			r = pg_read_bool(values[5], &event->is_public);
		if (r == 0 && values[6].data != NULL)
			r = pg_read_bool(values[6], &event->requests);
	}
	if (r == 0 && (event->kind == EVENT_STATUS || event->kind == EVENT_OPENED))
		r = row_name(reader, values[7], "status", status_names, STATUS_COUNT, &status, problem);
	if (r == 0 && event->kind == EVENT_ACK && values[9].data != NULL)
		r = pg_read_int64(values[9], &event->hold.us);
	if (r < 0)
		return r;
	event->by = (enum actor)by;
	event->status = (enum status)status;
	event->severity = row_text(reader, values[8]);
	if (event->kind == EVENT_OPENED || event->kind == EVENT_CHANGED)
		r = row_read_facts(reader, values, event, problem);
	return r;
}

int
row_read_event(struct row_reader *reader, const struct pg_value values[static EVENT_COLUMN_COUNT],
               struct event_row *ret, char problem[static REFUSAL_SIZE])
{
	struct event_row row = {0};
	int kind;
	problem[0] = '\0';
	int r = begin_row(reader, values, EVENT_COLUMN_COUNT);
	if (r == 0)
		r = pg_read_int64(values[0], &row.ticket_id);
	if (r == 0)
		r = pg_read_int64(values[1], &row.seq);
	*ret = row;
	if (r == 0)
		r = pg_read_instant(values[2], &row.event.at);
	if (r == 0)
		r = row_name(reader, values[3], "kind", event_names, EVENT_COUNT, &kind, problem);
	if (r == 0) {
		row.event.kind = (enum event_kind)kind;
		r = row_read_kind(reader, values, &row.event, problem);
	}
	if (r == 0 && values[EVENT_COLUMN_COUNT - 1].data != NULL)
		r = pg_read_bool(values[EVENT_COLUMN_COUNT - 1], &row.by_rule);
	if (r < 0)
		return r == -ENOMEM         ? r
		       : problem[0] != '\0' ? -EBADMSG
		                            : refuse(-EBADMSG, problem, "a value is not of its column's type");
	*ret = row;
	return 0;
}

static int
restore_facts(struct row_reader *reader, const struct pg_value *values, struct engine *engine, struct ticket *ticket,
              char problem[static REFUSAL_SIZE])
{
	struct atoms *atoms = engine_atoms(engine);
	for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++) {
		const char *text = row_text(reader, values[10 + i]);
		int r = atoms_intern(atoms, text, text == NULL ? 0 : strlen(text), &ticket->attributes[i]);
		if (r < 0)
			return r;
	}
	int r = row_custom(reader, values[10 + ATTRIBUTE_COUNT], problem);
	if (r < 0 || reader->n_custom == 0)
		return r;
	ticket->custom = calloc(reader->n_custom, sizeof(ticket->custom[0]));
	if (ticket->custom == NULL)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < reader->n_custom; i++) {
		const struct custom_attribute *c = &reader->custom[i];
		if (c->value == NULL)
			continue;
		struct custom_fact *fact = &ticket->custom[ticket->n_custom++];
		r = atoms_intern(atoms, c->key, strlen(c->key), &fact->key);
		if (r == 0)
			r = atoms_intern(atoms, c->value, strlen(c->value), &fact->value);
	}
	return r;
}

int
row_read_state(struct row_reader *reader, const struct pg_value values[static STATE_COLUMN_COUNT],
               struct engine *engine, struct ticket *ticket, int64_t *ret_applied_seq, char **ret_ladder,
               char problem[static REFUSAL_SIZE])
{
	int64_t id = 0;
	int32_t requested = 0;
	int32_t reassessed = 0;
	int status = 0;
	problem[0] = '\0';
	int r = begin_row(reader, values, STATE_COLUMN_COUNT);
	if (r == 0)
		r = pg_read_int64(values[0], &id);
	if (r == 0)
		r = pg_read_int64(values[1], ret_applied_seq);
	if (r == 0)
		r = row_name(reader, values[3], "status", status_names, STATUS_COUNT, &status, problem);
	if (r == 0)
		r = row_instant(values[4], INSTANT_NEVER, &ticket->opened_at);
	if (r == 0)
		r = row_instant(values[5], (struct instant){INT64_MIN}, &ticket->last_at);
	if (r == 0)
		r = pg_read_int32(values[6], &requested);
	if (r == 0)
		r = pg_read_int32(values[7], &reassessed);
	if (r == 0)
		r = row_instant(values[8], (struct instant){INT64_MIN}, &ticket->ack_at);
	if (r == 0)
		r = restore_facts(reader, values, engine, ticket, problem);
	if (r < 0)
		return r == -ENOMEM         ? r
		       : problem[0] != '\0' ? -EBADMSG
		                            : refuse(-EBADMSG, problem, "a value is not of its column's type");
	const char *severity = row_text(reader, values[2]);
	int index = severity == NULL ? -1 : policy_set_severity(engine_policies(engine), severity);
	ticket->id = (uint64_t)id;
	ticket->opened = severity != NULL; /* without: its opening was refused, and it is held */
	if (ticket->opened && index < 0)
		return refuse(-ENOENT, problem, "severity \"%.40s\" is not in the configuration", severity);
	ticket->severity = (uint8_t)(index < 0 ? 0 : index);
	ticket->status = (uint8_t)status;
	ticket->requested = (uint32_t)requested;
	ticket->reassessed = (uint32_t)reassessed;
	ticket->hold_at = ticket->hold_until = (struct instant){INT64_MIN};
	*ret_ladder = NULL;
	if (values[9].data == NULL)
		return 0;
	*ret_ladder = strndup(values[9].data, values[9].len);
	return *ret_ladder == NULL ? -ENOMEM : 0;
}

int
row_clock_ticket(const struct pg_value values[static CLOCK_COLUMN_COUNT], int64_t *ret)
{
	return pg_read_int64(values[0], ret);
}

/* Splits an array into reader->bounds, however many there are: each takes four bytes at least. How many, or an error.
 */
static int
split_bounds(struct row_reader *reader, struct pg_value value)
{
	size_t most = value.len / 4;
	if (most > reader->n_bounds) {
		struct pg_value *bounds = realloc(reader->bounds, most * sizeof(bounds[0]));
		if (bounds == NULL)
			return -ENOMEM;
		reader->bounds = bounds;
		reader->n_bounds = most;
	}
	return pg_read_array(value, reader->bounds, most);
}

/* Spans: beginnings and ends by turns, without the last end while the clock runs. */
static int
restore_spans(struct row_reader *reader, struct pg_value value, struct clock *clock)
{
	int n = value.data == NULL ? 0 : split_bounds(reader, value);
	if (n == -ENOMEM)
		return n;
	if (n < 0 || (uint32_t)n / 2 > CLOCK_SPANS_MAX || (n % 2 == 1) != (clock->state == CLOCK_RUNNING))
		return -EBADMSG;
	clock->n_spans = (uint32_t)n / 2;
	clock->spans = clock->n_spans == 0 ? NULL : calloc(clock->n_spans, sizeof(clock->spans[0]));
	if (clock->n_spans > 0 && clock->spans == NULL)
		return -ENOMEM;
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < clock->n_spans; i++) {
		r = pg_read_instant(reader->bounds[2 * i], &clock->spans[i].from);
		if (r == 0)
			r = pg_read_instant(reader->bounds[2 * i + 1], &clock->spans[i].to);
	}
	clock->running_since = clock->started_at;
	if (r == 0 && n % 2 == 1)
		r = pg_read_instant(reader->bounds[n - 1], &clock->running_since);
	return r;
}

static int
restore_levels(struct pg_value value, struct clock *clock)
{
	struct pg_value levels[LEVEL_MAX];
	int n = value.data == NULL ? 0 : pg_read_array(value, levels, LEVEL_MAX);
	for (int i = 0; i < n; i++) {
		if (levels[i].data == NULL)
			continue;
		int id = policy_set_level(clock->set, levels[i].data, levels[i].len);
		if (id == -ENOMEM)
			return id;
		if (id >= 0)
			clock->fired |= UINT64_C(1) << id;
	}
	return n < 0 ? n : 0;
}

/* Sums of such lengths stay far from the end of the range. */
static bool
is_length(struct duration d)
{
	return d.us >= 0 && d.us <= LENGTH_MAX.us;
}

/* The scalar columns. */
static int
restore_clock(struct row_reader *reader, const struct pg_value *values, struct clock *clock, int32_t *ret_target,
              char problem[static REFUSAL_SIZE])
{
	int metric = 0;
	int state = 0;
	int32_t cycle = 0;
	int r = row_name(reader, values[1], "metric", metric_names, METRIC_COUNT, &metric, problem);
	if (r == 0)
		r = pg_read_int32(values[2], &cycle);
	if (r == 0)
		r = row_name(reader, values[3], "state", clock_state_names, CLOCK_STATE_COUNT, &state, problem);
	if (r == 0)
		r = pg_read_instant(values[4], &clock->started_at);
	if (r == 0)
		r = row_instant(values[5], INSTANT_NEVER, &clock->due_at);
	if (r == 0)
		r = pg_read_int64(values[7], &clock->budget.us);
	if (r == 0)
		r = pg_read_int64(values[8], &clock->consumed.us);
	if (r == 0)
		r = row_instant(values[9], INSTANT_NEVER, &clock->paused_at);
	if (r == 0)
		r = row_instant(values[10], INSTANT_NEVER, &clock->breached_at);
	if (r == 0)
		r = row_instant(values[11], INSTANT_NEVER, &clock->ended_at);
	if (r == 0)
		r = pg_read_int32(values[12], ret_target);
	if (r == 0)
		r = pg_read_int64(values[14], &clock->carried.us);
	if (r == 0 && !(is_length(clock->budget) && is_length(clock->consumed) && is_length(clock->carried)))
		r = refuse(-EBADMSG, problem, "budget, consumed or carried is no length of time");
	clock->metric = (uint8_t)metric;
	clock->state = (uint8_t)state;
	clock->cycle = (uint32_t)cycle;
	return r;
}

static int
find_target(struct row_reader *reader, const struct pg_value *values, row_find_set *find_set, void *arg, int32_t target,
            struct clock *clock, char problem[static REFUSAL_SIZE])
{
	const char *policy = row_text(reader, values[6]);
	const char *digest = row_text(reader, values[13]);
	if (policy == NULL || digest == NULL)
		return -EBADMSG;
	clock->set = find_set(arg, digest);
	if (clock->set == NULL)
		return refuse(-ENOENT, problem, "its configuration %.12s is not to be had", digest);
	clock->policy = policy_set_policy(clock->set, policy);
	if (clock->policy == NULL || target < 0 || (size_t)target >= clock->policy->n_targets)
		return refuse(-EBADMSG, problem, "policy \"%.40s\" of configuration %.12s has no target %d", policy,
		              digest, target);
	clock->target = &clock->policy->targets[target];
	return 0;
}

static void
link_clock(struct ticket *ticket, struct clock *clock)
{
	struct clock **link = &ticket->clocks;
	while (*link != NULL &&
	       ((*link)->metric < clock->metric || ((*link)->metric == clock->metric && (*link)->cycle < clock->cycle)))
		link = &(*link)->next;
	clock->next = *link;
	*link = clock;
}

int
row_read_clock(struct row_reader *reader, const struct pg_value values[static CLOCK_COLUMN_COUNT],
               row_find_set *find_set, void *arg, struct ticket *ticket, char problem[static REFUSAL_SIZE])
{
	int32_t target = 0;
	struct clock *clock = calloc(1, sizeof(*clock));
	problem[0] = '\0';
	if (clock == NULL)
		return -ENOMEM;
	int r = begin_row(reader, values, CLOCK_COLUMN_COUNT);
	if (r == 0)
		r = restore_clock(reader, values, clock, &target, problem);
	if (r == 0)
		r = find_target(reader, values, find_set, arg, target, clock, problem);
	if (r == 0)
		r = restore_spans(reader, values[15], clock);
	if (r == 0)
		r = restore_levels(values[16], clock);
	if (r < 0) {
		free(clock->spans);
		free(clock);
		return r == -ENOMEM || r == -ENOENT ? r
		       : problem[0] != '\0'         ? -EBADMSG
		                                    : refuse(-EBADMSG, problem, "a value is not of its column's type");
	}
	clock_restore(clock);
	link_clock(ticket, clock);
	ticket->prunable |= !clock_is_active(clock);
	return 0;
}
