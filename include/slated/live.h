/* The daemon's tickets in memory: every one that is not final, with what of it awaits the ledger. */
#ifndef SLATED_LIVE_H
#define SLATED_LIVE_H

#include "slated/engine.h"

/* Those of clocks that have not ended. */
#define LIVE_CLOCK_STATES (CLOCK_BREACHED + 1)

struct live_ticket {
	struct ticket ticket; /* first: the wheel's nodes and the engine's tickets lead here */
	int64_t id;
	int64_t applied_seq;
	char *ladder;                      /* while loading: ladder steps that wait for the clocks */
	struct live_ticket *next;          /* of those that await the ledger, or of the free */
	bool touched;                      /* on that list */
	uint8_t clocks[LIVE_CLOCK_STATES]; /* by state, as counted last */
	uint8_t at_risk;                   /* running ones of which a level has fired, as counted last */
	bool used;                         /* false: free */
	struct live_ticket *chain;         /* the next one of its bucket */
};

struct live_slab;

/* Tickets by id, in chains. */
struct live_table {
	struct live_ticket **buckets;
	size_t n; /* a power of two, or 0: none */
};

struct live {
	struct live_table table;  /* no fewer buckets than tickets */
	struct live_table former; /* while tickets move from it to one of twice as many buckets */
	size_t moved;             /* buckets of `former` that are empty for good */
	size_t n_tickets;
	struct live_slab *slabs; /* where they lie, the oldest first */
	struct live_slab **slabs_tail;
	struct live_ticket *free;
	struct live_ticket *touched;
	struct live_ticket **touched_tail;
	size_t n_touched;
	size_t clocks[LIVE_CLOCK_STATES]; /* of all tickets, by state */
	size_t at_risk;
};

void live_init(struct live *live);

/* The ticket, or NULL. */
struct live_ticket *live_find(const struct live *live, int64_t id);

/* A walk over all tickets, in the order in which they lie. */
struct live_walk {
	struct live_slab *slab;
	size_t place;
};

static inline struct live_walk
live_begin(const struct live *live)
{
	return (struct live_walk){.slab = live->slabs};
}

/* The next ticket, or NULL. Those that it has given may be removed meanwhile. */
struct live_ticket *live_next(struct live_walk *walk);

/* A new, zeroed ticket of that id, which must not be there. NULL: out of memory. */
struct live_ticket *live_add(struct live *live, int64_t id);

/* Puts the ticket on the list of those that await the ledger. */
void live_touch(struct live *live, struct live_ticket *ticket);

/* Takes the first ticket off that list, or NULL. */
struct live_ticket *live_take_touched(struct live *live);

/* Counts the ticket's clocks anew, after they may have changed. */
void live_count_clocks(struct live *live, struct live_ticket *ticket);

/* Takes the ticket out and frees it; it must be in no wheel and not be touched. */
void live_remove(struct live *live, struct live_ticket *ticket);

/* Frees all; nodes must not be used by a wheel any more. */
void live_clear(struct live *live);

size_t live_count(const struct live *live);

#endif
