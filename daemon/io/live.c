#include "slated/live.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Tickets lie side by side, in the order in which they were added as long as none has gone: timers of one instant fire
 * by their addresses, so the same events bring the same order. */
enum { SLAB_TICKETS = 256 };

struct live_slab {
	struct live_slab *next;
	struct live_ticket tickets[SLAB_TICKETS];
};

struct live_ladder {
	struct live_ladder *next;
	struct live_ticket *ticket;
	char *text;
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
bucket_of(const struct live_table *table, int64_t id)
{
	uint64_t hash = (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15);
	return &table->buckets[(hash >> 32) & (table->n - 1)];
}

/* What leads to the ticket in one table, or to the end of its chain there. NULL: no table. */
static struct live_ticket **
link_in(const struct live_table *table, int64_t id)
{
	if (table->n == 0)
		return NULL;
	struct live_ticket **link = bucket_of(table, id);
	while (*link != NULL && (*link)->id != id)
		link = &(*link)->chain;
	return link;
}

static struct live_ticket **
link_to(const struct live *live, int64_t id)
{
	struct live_ticket **link = link_in(&live->table, id);
	return link != NULL && *link == NULL && live->former.n > 0 ? link_in(&live->former, id) : link;
}

struct live_ticket *
live_find(const struct live *live, int64_t id)
{
	struct live_ticket **link = link_to(live, id);
	return link != NULL ? *link : NULL;
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

/* Moves some buckets of the former table. All at once would hold the loop up for 50 ms where there are a million. */
static void
move_some(struct live *live)
{
	/* Twice as many as are added, so all have moved long before the next table is full. */
	for (int n = 0; n < 2 && live->former.n > 0; n++) {
		struct live_ticket **former = &live->former.buckets[live->moved++];
		while (*former != NULL) {
			struct live_ticket *ticket = *former;
			struct live_ticket **bucket = bucket_of(&live->table, ticket->id);
			*former = ticket->chain;
			ticket->chain = *bucket;
			*bucket = ticket;
		}
		if (live->moved < live->former.n)
			continue;
		free(live->former.buckets);
		live->former = (struct live_table){0};
	}
}

/* Makes room for one more. False: out of memory. */
static bool
make_room(struct live *live)
{
	enum { FIRST_BUCKETS = 256 };
	move_some(live);
	if (live->n_tickets < live->table.n)
		return true;
	assert(live->former.n == 0);
	size_t n = live->table.n == 0 ? FIRST_BUCKETS : live->table.n * 2;
	struct live_ticket **buckets = calloc(n, sizeof(buckets[0]));
	if (buckets == NULL)
		return false;
	live->former = live->table;
	live->table.buckets = buckets;
	live->table.n = n;
	live->moved = 0;
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
	struct live_ticket **bucket = bucket_of(&live->table, id);
	ticket->id = id;
	ticket->ticket.id = (uint64_t)id;
	ticket->used = true;
	ticket->chain = *bucket;
	*bucket = ticket;
	live->n_tickets++;
	return ticket;
}

int
live_keep_ladder(struct live *live, struct live_ticket *ticket, char *ladder)
{
	struct live_ladder *kept = malloc(sizeof(*kept));
	if (kept == NULL) {
		free(ladder);
		return -ENOMEM;
	}
	*kept = (struct live_ladder){live->ladders, ticket, ladder};
	live->ladders = kept;
	return 0;
}

char *
live_take_ladder(struct live *live, struct live_ticket **ret_ticket)
{
	struct live_ladder *kept = live->ladders;
	if (kept == NULL)
		return NULL;
	char *ladder = kept->text;
	*ret_ticket = kept->ticket;
	live->ladders = kept->next;
	free(kept);
	return ladder;
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

static unsigned
count_of(unsigned counts, unsigned i)
{
	return counts >> LIVE_COUNT_BITS * i & ((1u << LIVE_COUNT_BITS) - 1);
}

static void
set_counts(struct live *live, struct live_ticket *ticket, unsigned counts)
{
	unsigned former = (unsigned)ticket->counts;
	for (unsigned i = 0; i < LIVE_CLOCK_STATES; i++)
		live->clocks[i] = live->clocks[i] + count_of(counts, i) - count_of(former, i);
	live->at_risk = live->at_risk + count_of(counts, LIVE_CLOCK_STATES) - count_of(former, LIVE_CLOCK_STATES);
	ticket->counts = counts;
}

void
live_count_clocks(struct live *live, struct live_ticket *ticket)
{
	unsigned counts = 0;
	for (const struct clock *clock = ticket->ticket.clocks; clock != NULL; clock = clock->next) {
		if (clock_is_active(clock))
			counts += 1u << LIVE_COUNT_BITS * clock->state;
		if (clock->state == CLOCK_RUNNING && clock->fired != 0)
			counts += 1u << LIVE_COUNT_BITS * LIVE_CLOCK_STATES;
	}
	set_counts(live, ticket, counts);
}

void
live_remove(struct live *live, struct live_ticket *ticket)
{
	assert(!ticket->touched && !wheel_is_set(&ticket->ticket.timer));
	set_counts(live, ticket, 0);
	struct live_ticket **link = link_to(live, ticket->id);
	assert(link != NULL && *link == ticket);
	*link = ticket->chain;
	live->n_tickets--;
	ticket_clear(&ticket->ticket);
	give_back(live, ticket);
}

void
live_clear(struct live *live)
{
	struct live_walk walk = live_begin(live);
	struct live_ticket *ticket;
	char *ladder;
	while ((ticket = live_next(&walk)) != NULL)
		ticket_clear(&ticket->ticket);
	while ((ladder = live_take_ladder(live, &ticket)) != NULL)
		free(ladder);
	free(live->table.buckets);
	free(live->former.buckets);
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
