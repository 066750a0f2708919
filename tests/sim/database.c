/* What the model database keeps, its transactions, its clock and its standby. */
#include "database.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "database_internal.h"

/* Writers hint at most ten times a second. */
#define HINT_PAUSE (US_PER_S / 10)
/* A sequence is logged so far ahead, so a standby that takes over leaves a gap and gives no number twice. */
#define SEQUENCE_AHEAD (32 * 60)

static const size_t sizes[DB_TABLES] = {
    [DB_TICKETS] = sizeof(struct db_ticket),
    [DB_EVENTS] = sizeof(struct db_event),
    [DB_STATES] = sizeof(struct db_state),
    [DB_CLOCKS] = sizeof(struct db_clock),
    [DB_MILESTONES] = sizeof(struct db_milestone),
    [DB_DELIVERIES] = sizeof(struct db_delivery),
    [DB_LOG] = sizeof(struct db_delivery),
    [DB_INSTANCES] = sizeof(struct db_instance),
    [DB_REASSESSMENTS] = sizeof(struct db_reassessment),
    [DB_CONFIGURATIONS] = sizeof(struct db_configuration),
    [DB_OPEN] = sizeof(uint64_t),
};

void *
db_add(struct db_list *list)
{
	if (list->n == list->room) {
		list->room = list->room == 0 ? 16 : 2 * list->room;
		list->items = world_must(realloc(list->items, list->room * list->size));
	}
	void *item = (char *)list->items + list->n++ * list->size;
	memset(item, 0, list->size);
	return item;
}

void
db_remove(struct db_list *list, size_t i)
{
	char *item = (char *)list->items + i * list->size;
	memmove(item, item + list->size, (--list->n - i) * list->size);
}

static void
data_clear(struct db_data *data)
{
	for (unsigned i = 0; i < DB_TABLES; i++)
		free(data->tables[i].items);
}

void
db_data_copy(const struct db_data *from, struct db_data *to)
{
	*to = *from;
	for (unsigned i = 0; i < DB_TABLES; i++) {
		struct db_list *list = &to->tables[i];
		list->room = list->n + 16;
		list->items = world_must(malloc(list->room * list->size));
		if (list->n > 0)
			memcpy(list->items, from->tables[i].items, list->n * list->size);
	}
}

struct database *
database_new(struct world *world)
{
	struct database *database = world_must(calloc(1, sizeof(*database)));
	database->world = world;
	database->data.next_xid = 700 + world_below(world, 100);
	database->data.next_ticket = 1 + (int64_t)world_below(world, 1000);
	database->data.next_position = 1;
	database->data.next_reassessment = 1;
	for (unsigned i = 0; i < DB_TABLES; i++)
		database->data.tables[i].size = sizes[i];
	for (unsigned i = 0; i < SHARDS; i++)
		database->data.leases[i].expires_at = (struct instant){INT64_MIN};
	database->hinted_at = INT64_MIN / 2;
	database_replicate(database);
	return database;
}

void
database_free(struct database *database)
{
	data_clear(&database->data);
	data_clear(&database->standby);
	free(database);
}

struct db_data *
database_data(struct database *database)
{
	return &database->data;
}

unsigned
database_timeline(const struct database *database)
{
	return database->timeline;
}

unsigned
database_epoch(const struct database *database)
{
	return database->epoch;
}

void
database_set_history(struct database *database, struct history *history)
{
	database->history = history;
}

void
database_configure(struct database *database, const struct policy_set *set, bool migrates)
{
	if (database->n_configured == sizeof(database->configured) / sizeof(database->configured[0]))
		abort();
	database->configured[database->n_configured++] =
	    (struct db_configured){database_clock(database), set, migrates};
}

void
database_on_hint(struct database *database, void (*hint)(void *arg, const char *payload), void *arg)
{
	database->hint = hint;
	database->hint_arg = arg;
}

const struct db_delivery *
db_find_delivery(const struct db_data *data, enum db_table table, const char *key)
{
	DB_EACH (const struct db_delivery, delivery, data, table)
		if (delivery->key == key)
			return delivery;
	return NULL;
}

/* The clock ----------------------------------------------------------------------------------------------------------
 */

struct instant
database_clock(const struct database *database)
{
	return (struct instant){world_now(database->world) + database->clock_off};
}

void
database_step_clock(struct database *database, int64_t by)
{
	database->clock_off += by;
}

/* Transactions -------------------------------------------------------------------------------------------------------
 */

uint64_t
database_begin(struct database *database)
{
	uint64_t *open = db_add(&database->data.tables[DB_OPEN]);
	return *open = database->data.next_xid++;
}

bool
db_is_open(const struct db_data *data, uint64_t xid)
{
	DB_EACH (const uint64_t, open, data, DB_OPEN)
		if (*open == xid)
			return true;
	return false;
}

bool
db_is_in_progress(const struct database *database, uint64_t xid)
{
	return db_is_open(&database->data, xid);
}

static void
close_transaction(struct db_data *data, uint64_t xid)
{
	struct db_list *open = &data->tables[DB_OPEN];
	for (size_t i = open->n; i-- > 0;)
		if (((const uint64_t *)open->items)[i] == xid)
			db_remove(open, i);
	DB_EACH (struct db_ticket, ticket, data, DB_TICKETS)
		if (ticket->locked_by == xid)
			ticket->locked_by = 0;
}

void
database_commit(struct database *database, uint64_t xid)
{
	close_transaction(&database->data, xid);
	int64_t now = world_now(database->world);
	if (now - database->hinted_at < HINT_PAUSE)
		return;
	database->hinted_at = now;
	database->hint(database->hint_arg, "");
}

static void
note_event(struct db_ticket *ticket, const struct ticket_event *event)
{
	if (event->kind == EVENT_OPENED || event->kind == EVENT_STATUS)
		ticket->status = event->status;
	if (event->severity != NULL)
		ticket->severity = event->severity;
	ticket->final |= ticket->status == STATUS_CLOSED || event->kind == EVENT_MERGED;
}

/* What its writers know of a ticket, by the events that are left. */
static void
refresh(struct db_data *data, struct db_ticket *ticket)
{
	ticket->final = false;
	DB_EACH (const struct db_event, event, data, DB_EVENTS)
		if (event->ticket == ticket->id)
			note_event(ticket, &event->event);
}

static void
roll_back(struct db_data *data, uint64_t xid)
{
	struct db_list *events = &data->tables[DB_EVENTS], *tickets = &data->tables[DB_TICKETS];
	for (size_t i = events->n; i-- > 0;)
		if (((const struct db_event *)events->items)[i].xid == xid)
			db_remove(events, i);
	for (size_t i = tickets->n; i-- > 0;) {
		struct db_ticket *ticket = (struct db_ticket *)tickets->items + i;
		if (ticket->born == xid) {
			db_remove(tickets, i);
			continue;
		}
		if (ticket->locked_by != xid)
			continue;
		ticket->event_seq = 0;
		DB_EACH (const struct db_event, event, data, DB_EVENTS)
			ticket->event_seq += event->ticket == ticket->id;
		refresh(data, ticket);
	}
	close_transaction(data, xid);
}

void
database_roll_back(struct database *database, uint64_t xid)
{
	roll_back(&database->data, xid);
}

struct db_ticket *
database_lock(struct database *database, int64_t id, uint64_t xid)
{
	DB_EACH (struct db_ticket, ticket, &database->data, DB_TICKETS) {
		if (ticket->id != id || (ticket->locked_by != 0 && ticket->locked_by != xid))
			continue;
		ticket->locked_by = xid;
		return ticket;
	}
	return NULL;
}

struct db_ticket *
database_open_ticket(struct database *database, uint64_t xid)
{
	struct db_ticket *ticket = db_add(&database->data.tables[DB_TICKETS]);
	ticket->id = database->data.next_ticket;
	database->data.next_ticket += 1 + (int64_t)world_below(database->world, 60); /* so that all shards have some */
	ticket->born = ticket->locked_by = xid;
	return ticket;
}

void
database_add_event(struct database *database, struct db_ticket *ticket, const struct ticket_event *event, uint64_t xid)
{
	struct db_event *row = db_add(&database->data.tables[DB_EVENTS]);
	row->ticket = ticket->id;
	row->seq = ++ticket->event_seq;
	row->xid = xid;
	row->event = *event;
	row->configuration = database->n_configured;
	note_event(ticket, event);
}

/* Faults -------------------------------------------------------------------------------------------------------------
 */

void
database_replicate(struct database *database)
{
	data_clear(&database->standby);
	db_data_copy(&database->data, &database->standby);
}

void
database_restart(struct database *database)
{
	while (database->data.tables[DB_OPEN].n > 0)
		roll_back(&database->data, *(const uint64_t *)database->data.tables[DB_OPEN].items);
	database->epoch++;
}

void
database_fail_over(struct database *database, struct history *history)
{
	int64_t next_ticket = database->data.next_ticket;
	database_restart(database);
	for (unsigned table = DB_DELIVERIES; table <= DB_LOG; table++) {
		DB_EACH (const struct db_delivery, d, &database->data, table)
			if (db_find_delivery(&database->standby, DB_DELIVERIES, d->key) == NULL &&
			    db_find_delivery(&database->standby, DB_LOG, d->key) == NULL)
				history_forgive_receipt(history, d->key);
	}
	for (unsigned shard = 0; shard < SHARDS; shard++)
		db_end_lease(database, shard);
	data_clear(&database->data);
	db_data_copy(&database->standby, &database->data);
	database_restart(database);
	database->timeline++;
	/* More cannot be lost than a sequence is ahead: that the numbers of tickets come again is no fault of ours. */
	if (database->data.next_ticket + SEQUENCE_AHEAD < next_ticket)
		database->data.next_ticket = next_ticket;
	else
		database->data.next_ticket += SEQUENCE_AHEAD;
	for (unsigned shard = 0; shard < SHARDS; shard++)
		database->data.leases[shard].since = (struct instant){world_now(database->world)};
}

/* The end ------------------------------------------------------------------------------------------------------------
 */

static struct instant
instant_of(const char *text)
{
	struct instant at = INSTANT_NEVER;
	if (text != NULL && instant_parse(text, strlen(text), &at) < 0)
		abort();
	return at;
}

static int32_t
number_of(const char *text, int32_t absent)
{
	return text == NULL ? absent : (int32_t)strtol(text, NULL, 10);
}

static void
tell_milestone(struct history *history, const struct db_milestone *row)
{
	const char *const *t = row->texts;
	history_add_milestone(history,
	                      &(struct history_milestone){
	                          .ticket = row->ticket,
	                          .metric = t[1],
	                          .cycle = number_of(t[2], 0),
	                          .milestone = t[3],
	                          .level = t[4],
	                          .at = instant_of(t[5]),
	                          .due_at = instant_of(t[6]),
	                          .policy = t[7],
	                          .calendar = t[8],
	                          .severity = t[9],
	                          .late_by = {t[10] == NULL ? 0 : (int64_t)(strtod(t[10], NULL) * US_PER_S + 0.5)},
	                          .reason = t[11],
	                          .by_reassessment = t[12] != NULL && *t[12] == 't',
	                          .escalation = t[13],
	                          .step = number_of(t[14], 0),
	                          .trigger = t[15],
	                          .repeat = number_of(t[16], -1),
	                          .notify = t[17],
	                          .recorded_at = row->recorded_at,
	                          .held_at = row->held_at,
	                          .instance = row->instance,
	                      });
}

/* Events were added in the order in which configurations came into force. */
static void
tell_events(const struct database *database, struct history *history)
{
	const struct db_configured *next = database->configured;
	const struct db_configured *end = next + database->n_configured;
	DB_EACH (const struct db_event, event, &database->data, DB_EVENTS) {
		for (; next < database->configured + event->configuration; next++)
			history_add_configuration(history, next->at, next->set, next->migrates);
		if (!event->refused && !event->by_rule)
			history_add_event(history, event->ticket, event->seq, &event->event, event->late);
	}
	for (; next < end; next++)
		history_add_configuration(history, next->at, next->set, next->migrates);
}

void
database_tell(struct database *database, struct history *history)
{
	struct db_data *data = &database->data;
	tell_events(database, history);
	DB_EACH (const struct db_milestone, row, data, DB_MILESTONES)
		tell_milestone(history, row);
	/* In order of position: what waits is younger than what it waits for, and mixed with what has ended. */
	for (int64_t position = 1; position < data->next_position; position++)
		for (unsigned table = DB_DELIVERIES; table <= DB_LOG; table++) {
			DB_EACH (const struct db_delivery, d, data, table) {
				if (d->position == position)
					history_add_delivery(history, &(struct history_delivery){
					                                  d->key, d->ticket, d->metric,
					                                  number_of(d->cycle, 0), d->channel, d->kind,
					                                  d->state == NULL ? "waiting" : d->state});
			}
		}
	for (unsigned shard = 0; shard < SHARDS; shard++)
		db_end_lease(database, shard);
}

bool
database_is_applied(struct database *database)
{
	const struct db_data *data = &database->data;
	DB_EACH (const struct db_ticket, ticket, data, DB_TICKETS) {
		int64_t seq = ticket->event_seq;
		if (db_is_open(data, ticket->born))
			continue;
		for (size_t i = data->tables[DB_EVENTS].n; i-- > 0 && ticket->locked_by != 0;) {
			const struct db_event *event = (const struct db_event *)data->tables[DB_EVENTS].items + i;
			seq -= event->ticket == ticket->id && event->xid == ticket->locked_by;
		}
		bool applied = seq == 0;
		DB_EACH (const struct db_state, state, data, DB_STATES)
			applied |= state->ticket == ticket->id && state->applied_seq == seq;
		if (!applied)
			return false;
	}
	return true;
}

bool
database_is_settled(struct database *database)
{
	const struct db_data *data = &database->data;
	DB_EACH (const struct db_reassessment, r, data, DB_REASSESSMENTS)
		if (r->outcome == NULL)
			return false;
	return data->tables[DB_DELIVERIES].n == 0 && data->tables[DB_OPEN].n == 0 && database_is_applied(database);
}

unsigned
database_check_severities(struct database *database, FILE *report)
{
	unsigned n = 0;
	DB_EACH (const struct db_ticket, ticket, &database->data, DB_TICKETS) {
		const char *in_force = NULL;
		DB_EACH (const struct db_state, state, &database->data, DB_STATES)
			if (state->ticket == ticket->id)
				in_force = state->texts[STATE_SEVERITY];
		if (ticket->final || in_force == NULL || strcmp(in_force, ticket->severity) == 0)
			continue;
		n++;
		(void)fprintf(report, "ticket %" PRId64 " has severity %s, and %s is in force\n", ticket->id,
		              ticket->severity, in_force);
	}
	return n;
}
