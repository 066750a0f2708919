/* The daemon's tickets in memory: every one that is not final, with what of it awaits the ledger. */
#ifndef SLATED_LIVE_H
#define SLATED_LIVE_H

#include "slated/engine.h"

/* Those of clocks that have not ended. */
#define LIVE_CLOCK_STATES (CLOCK_BREACHED + 1)

/* What is counted of a ticket's clocks: those of each state, and running ones of which a level has fired. */
#define LIVE_COUNTS     (LIVE_CLOCK_STATES + 1)
#define LIVE_COUNT_BITS 3

#define LIVE_SEQ_BITS 49
#define LIVE_SEQ_MAX  (INT64_MAX >> (64 - LIVE_SEQ_BITS))

struct live_ticket {
	struct ticket ticket; /* first: the wheel's nodes and the engine's tickets lead here */
	int64_t id;
	int64_t applied_seq : LIVE_SEQ_BITS;
	uint64_t counts : LIVE_COUNTS *LIVE_COUNT_BITS; /* as counted last, one after the other */
	bool touched : 1;                               /* awaits the ledger */
	bool used : 1;                                  /* false: free */
	bool left_out : 1;                              /* its rows could not be read: nothing is done for it */
	struct live_ticket *next;                       /* of those that await the ledger, or of the free */
	struct live_ticket *chain;                      /* the next one of its bucket */
};

static_assert(METRIC_COUNT < 1 << LIVE_COUNT_BITS, "a metric has one active clock at most");
static_assert(sizeof(struct live_ticket) <= 184, "memory per ticket");

struct live_slab;
struct live_ladder;

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
	struct live_ladder *ladders;      /* while loading: steps that wait for the clocks */
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

/* Keeps the ticket's ladder steps, as row_read_state() gives them, until its clocks are there; takes the text over.
 * 0 or -ENOMEM. */
int live_keep_ladder(struct live *live, struct live_ticket *ticket, char *ladder) __attribute__((warn_unused_result));

/* Hands one of them out, which the caller frees, with its ticket; NULL: none is left. */
char *live_take_ladder(struct live *live, struct live_ticket **ret_ticket);

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
