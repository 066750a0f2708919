/* Without it uthash ends the program. A ticket that was not added has no table then. */
#define HASH_NONFATAL_OOM 1

#include "slated/live.h"

#include <assert.h>
#include <stdlib.h>

/* Tickets lie side by side, in the order in which they were added as long as none has gone: timers of one instant fire
 * by their addresses, so the same events bring the same order. */
enum { SLAB_TICKETS = 256 };

struct live_slab {
	struct live_slab *next;
	struct live_ticket tickets[SLAB_TICKETS];
};

void
live_init(struct live *live)
{
	*live = (struct live){0};
	live->touched_tail = &live->touched;
}

struct live_ticket *
live_find(const struct live *live, int64_t id)
{
	struct live_ticket *found;
	HASH_FIND(hh, live->tickets, &id, sizeof(id), found);
	return found;
}

/* Takes a ticket off the free ones, of which a slab brings more. NULL: out of memory. */
static struct live_ticket *
take_free(struct live *live)
{
	if (live->free == NULL) {
		struct live_slab *slab = calloc(1, sizeof(*slab));
		if (slab == NULL)
			return NULL;
		slab->next = live->slabs;
		live->slabs = slab;
		for (size_t i = SLAB_TICKETS; i-- > 0;) {
			slab->tickets[i].next = live->free;
			live->free = &slab->tickets[i];
		}
	}
	struct live_ticket *ticket = live->free;
	live->free = ticket->next;
	*ticket = (struct live_ticket){0};
	return ticket;
}

static void
give_back(struct live *live, struct live_ticket *ticket)
{
	ticket->next = live->free;
	live->free = ticket;
}

struct live_ticket *
live_add(struct live *live, int64_t id)
{
	struct live_ticket *ticket = take_free(live);
	if (ticket == NULL)
		return NULL;
	ticket->id = id;
	ticket->ticket.id = (uint64_t)id;
	HASH_ADD(hh, live->tickets, id, sizeof(ticket->id), ticket);
	if (ticket->hh.tbl == NULL) {
		give_back(live, ticket);
		return NULL;
	}
	return ticket;
}

void
live_touch(struct live *live, struct live_ticket *ticket)
{
	if (ticket->touched)
		return;
	ticket->touched = true;
	ticket->next = NULL;
	*live->touched_tail = ticket;
	live->touched_tail = &ticket->next;
	live->n_touched++;
}

struct live_ticket *
live_take_touched(struct live *live)
{
	struct live_ticket *ticket = live->touched;
	if (ticket == NULL)
		return NULL;
	live->touched = ticket->next;
	if (live->touched == NULL)
		live->touched_tail = &live->touched;
	live->n_touched--;
	ticket->touched = false;
	ticket->next = NULL;
	return ticket;
}

void
live_count_clocks(struct live *live, struct live_ticket *ticket)
{
	uint8_t counts[LIVE_CLOCK_STATES] = {0}, at_risk = 0;
	for (const struct clock *clock = ticket->ticket.clocks; clock != NULL; clock = clock->next) {
		if (clock_is_active(clock))
			counts[clock->state]++; /* one of each metric at most */
		at_risk += clock->state == CLOCK_RUNNING && clock->fired != 0;
	}
	live->at_risk += at_risk;
	live->at_risk -= ticket->at_risk;
	ticket->at_risk = at_risk;
	for (unsigned i = 0; i < LIVE_CLOCK_STATES; i++) {
		live->clocks[i] += counts[i];
		live->clocks[i] -= ticket->clocks[i];
		ticket->clocks[i] = counts[i];
	}
}

void
live_remove(struct live *live, struct live_ticket *ticket)
{
	assert(!ticket->touched && !wheel_is_set(&ticket->ticket.timer));
	for (unsigned i = 0; i < LIVE_CLOCK_STATES; i++)
		live->clocks[i] -= ticket->clocks[i];
	live->at_risk -= ticket->at_risk;
	HASH_DEL(live->tickets, ticket);
	ticket_clear(&ticket->ticket);
	free(ticket->ladder);
	give_back(live, ticket);
}

void
live_clear(struct live *live)
{
	struct live_ticket *ticket;
	struct live_ticket *next;
	HASH_ITER (hh, live->tickets, ticket, next) {
		HASH_DEL(live->tickets, ticket);
		ticket_clear(&ticket->ticket);
		free(ticket->ladder);
	}
	while (live->slabs != NULL) {
		struct live_slab *slab = live->slabs;
		live->slabs = slab->next;
		free(slab);
	}
	live_init(live);
}

size_t
live_count(const struct live *live)
{
	return HASH_COUNT(live->tickets);
}
