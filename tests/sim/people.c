#include "people.h"

#include <stdlib.h>
#include <sys/queue.h>

/* One transaction in progress. */
struct change {
	LIST_ENTRY(change) link;
	struct people *people;
	struct happening end;
	uint64_t xid;
};

struct people {
	struct world *world;
	struct database *database;
	struct happening next;
	unsigned left; /* tickets to be opened */
	LIST_HEAD(, change) changes;
};

static const char *const severities[] = {"critical", "high", "normal", "low"};
static const char *const plans[] = {"gold", "silver", "none"};

static void
change_free(struct change *change)
{
	LIST_REMOVE(change, link);
	world_unset(change->people->world, &change->end);
	free(change);
}

static void
on_end(void *arg)
{
	struct change *change = arg;
	struct people *people = change->people;
	if (world_chance(people->world, 30000))
		database_roll_back(people->database, change->xid);
	else
		database_commit(people->database, change->xid);
	change_free(change);
}

static void
add(struct people *people, struct db_ticket *ticket, struct ticket_event event, uint64_t xid)
{
	event.at = database_clock(people->database);
	world_trace(people->world, "ticket %lld: %s in %llu", (long long)ticket->id, event_names[event.kind],
	            (unsigned long long)xid);
	database_add_event(people->database, ticket, &event, xid);
}

static void
open_ticket(struct people *people, uint64_t xid)
{
	struct world *world = people->world;
	struct db_ticket *ticket = database_open_ticket(people->database, xid);
	struct ticket_event event = {.kind = EVENT_OPENED, .severity = severities[world_below(world, 4)]};
	event.set = (1U << ATTRIBUTE_COUNT) - 1;
	event.attributes[ATTRIBUTE_PLAN] = plans[world_below(world, 3)];
	if (world_chance(world, 100000))
		event.status = STATUS_PENDING;
	people->left--;
	add(people, ticket, event, xid);
}

static void
touch_ticket(struct people *people, struct db_ticket *ticket, uint64_t xid)
{
	struct world *world = people->world;
	struct ticket_event event = {0};
	switch (world_below(world, 15)) {
	case 0:
	case 1:
	case 2:
		event.kind = EVENT_REPLY;
		event.is_public = !world_chance(world, 200000);
		break;
	case 3:
	case 4:
		event.kind = EVENT_REPLY;
		event.by = ACTOR_CUSTOMER;
		event.is_public = true;
		event.requests = world_chance(world, 300000);
		break;
	case 5:
		event.kind = EVENT_SEVERITY;
		event.severity = severities[world_below(world, 4)];
		break;
	case 6:
		event.kind = EVENT_ACK;
		if (world_chance(world, 500000))
			event.hold.us = world_between(world, 5, 60) * US_PER_S;
		break;
	case 7:
		event.kind = EVENT_DISPUTE;
		event.by = ACTOR_CUSTOMER;
		break;
	case 8:
		event.kind = EVENT_CHANGED;
		event.set = 1U << ATTRIBUTE_PLAN;
		event.attributes[ATTRIBUTE_PLAN] = plans[world_below(world, 3)];
		break;
	case 9:
		event.kind = world_chance(world, 200000) ? EVENT_MERGED : EVENT_ASSESSED;
		break;
	default:
		event.kind = EVENT_STATUS;
		event.status = (enum status)world_below(world, ticket->status == STATUS_SOLVED ? 5 : 4);
	}
	add(people, ticket, event, xid);
}

static void
on_next(void *arg)
{
	struct people *people = arg;
	struct world *world = people->world;
	struct change *change = world_must(calloc(1, sizeof(*change)));
	change->people = people;
	change->xid = database_begin(people->database);
	LIST_INSERT_HEAD(&people->changes, change, link);
	for (uint64_t n = 1 + world_below(world, 3); n > 0; n--) {
		const struct db_list *tickets = &database_data(people->database)->tables[DB_TICKETS];
		if (people->left > 0 && (tickets->n == 0 || world_chance(world, 300000))) {
			open_ticket(people, change->xid);
			continue;
		}
		if (tickets->n == 0)
			continue;
		const struct db_ticket *some =
		    (const struct db_ticket *)tickets->items + world_below(world, tickets->n);
		if (some->final || (some->born != change->xid && db_is_in_progress(people->database, some->born)))
			continue;
		struct db_ticket *ticket = database_lock(people->database, some->id, change->xid);
		if (ticket != NULL)
			touch_ticket(people, ticket, change->xid);
	}
	int64_t open_for = world_about(world, 200, 20000);
	if (world_chance(world, 100000))
		open_for = world_about(world, 200, 8 * US_PER_S);
	else if (world_chance(world, 2000))
		open_for = world_between(world, 1, 30) * US_PER_MIN;
	world_set(world, &change->end, open_for, on_end, change);
	world_set(world, &people->next, world_between(world, 1000, 6 * US_PER_S), on_next, people);
}

void
people_go_on(struct people *people)
{
	world_set(people->world, &people->next, 0, on_next, people);
}

struct people *
people_new(struct world *world, struct database *database, unsigned tickets)
{
	struct people *people = world_must(calloc(1, sizeof(*people)));
	people->world = world;
	people->database = database;
	people->left = tickets;
	LIST_INIT(&people->changes);
	people_go_on(people);
	return people;
}

void
people_stop(struct people *people)
{
	world_unset(people->world, &people->next);
}

void
people_lose_all(struct people *people)
{
	while (!LIST_EMPTY(&people->changes))
		change_free(LIST_FIRST(&people->changes));
}

void
people_free(struct people *people)
{
	people_stop(people);
	people_lose_all(people);
	free(people);
}
