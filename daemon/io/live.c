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
	live->slabs_tail = &live->slabs;
}

/* Multiplicative hashing (Knuth, The Art of Computer Programming, volume 3, 6.4): ids count up, and a daemon that
 * shares the tickets has those of some remainders alone, so their last bits say nothing. */
static struct live_ticket **
bucket_of(struct live_ticket **buckets, size_t n_buckets, int64_t id)
{
	uint64_t hash = (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15);
	return &buckets[(hash >> 32) & (n_buckets - 1)];
}

struct live_ticket *
live_find(const struct live *live, int64_t id)
{
	if (live->n_buckets == 0)
		return NULL;
	struct live_ticket *found = *bucket_of(live->buckets, live->n_buckets, id);
	while (found != NULL && found->id != id)
		found = found->chain;
	return found;
}

struct live_ticket *
live_next(struct live_walk *walk)
{
	for (; walk->slab != NULL; walk->slab = walk->slab->next, walk->place = 0)
		while (walk->place < SLAB_TICKETS) {
			struct live_ticket *ticket = &walk->slab->tickets[walk->place++];
			if (ticket->used)
				return ticket;
		}
	return NULL;
}

/* Makes room for one more: as many buckets as tickets at least. False: out of memory. */
static bool
make_room(struct live *live)
{
	enum { FIRST_BUCKETS = 256 };
	if (live->n_tickets < live->n_buckets)
		return true;
	size_t n = live->n_buckets == 0 ? FIRST_BUCKETS : live->n_buckets * 2;
	struct live_ticket **buckets = calloc(n, sizeof(buckets[0]));
	if (buckets == NULL)
		return false;
	struct live_walk walk = live_begin(live);
	for (struct live_ticket *ticket; (ticket = live_next(&walk)) != NULL;) {
		struct live_ticket **bucket = bucket_of(buckets, n, ticket->id);
		ticket->chain = *bucket;
		*bucket = ticket;
	}
	free(live->buckets);
	live->buckets = buckets;
	live->n_buckets = n;
	return true;
}

/* Takes a ticket off the free ones, of which a slab brings more. NULL: out of memory. */
static struct live_ticket *
take_free(struct live *live)
{
	if (live->free == NULL) {
		struct live_slab *slab = calloc(1, sizeof(*slab));
		if (slab == NULL)
			return NULL;
		*live->slabs_tail = slab;
		live->slabs_tail = &slab->next;
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
	ticket->used = false;
	ticket->next = live->free;
	live->free = ticket;
}

struct live_ticket *
live_add(struct live *live, int64_t id)
{
	struct live_ticket *ticket = make_room(live) ? take_free(live) : NULL;
	if (ticket == NULL)
		return NULL;
	struct live_ticket **bucket = bucket_of(live->buckets, live->n_buckets, id);
	ticket->id = id;
	ticket->ticket.id = (uint64_t)id;
	ticket->used = true;
	ticket->chain = *bucket;
	*bucket = ticket;
	live->n_tickets++;
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
	struct live_ticket **link = bucket_of(live->buckets, live->n_buckets, ticket->id);
	while (*link != ticket)
		link = &(*link)->chain;
	*link = ticket->chain;
	live->n_tickets--;
	ticket_clear(&ticket->ticket);
	free(ticket->ladder);
	give_back(live, ticket);
}

void
live_clear(struct live *live)
{
	struct live_walk walk = live_begin(live);
	for (struct live_ticket *ticket; (ticket = live_next(&walk)) != NULL;) {
		ticket_clear(&ticket->ticket);
		free(ticket->ladder);
	}
	free(live->buckets);
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
	return live->n_tickets;
}
