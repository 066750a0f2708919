/* Where in sla.delivery the outbox looks for deliveries to claim. Pure: positions in, positions out. */
#ifndef SLATED_OUTBOX_LOOK_H
#define SLATED_OUTBOX_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What has just been committed has a position that is no further behind those already claimed: so many rows may be
 * written while a transaction that began before is not yet over. Looks at all rows find the others. */
#define LOOK_BEHIND 100000

/* Where all had been looked through, and what is left is of channels that are full, news are looked for among the last
 * so many rows only: to pass over all that is left takes longer the more there is. Looks at all rows find what is
 * further behind. */
#define LOOK_AMONG 5000

/* Zeroed = nothing was looked for. */
struct look {
	bool news;          /* look for what has come since */
	bool all;           /* whatever its position */
	size_t asked;       /* how many the last look might claim */
	int64_t claimed_to; /* the greatest position that was claimed since all were looked through */
	size_t n_full;      /* channels that the last look left out, as they were full */
	enum {
		LEFT_UNKNOWN, /* it failed, or is of a former session */
		LEFT_MORE,    /* it claimed as many as it might */
		LEFT_FULL     /* what channels have that were full, if any */
	} left;
};

/* Somebody told of deliveries, or may have: the next look is for news, or at all rows. */
void look_for_news(struct look *look);
void look_for_all(struct look *look);

/* What was claimed is let go: what the last look left behind says nothing any more. */
void look_forget(struct look *look);

/* Whether to look now that so many channels are full: there may be news, or the last look left some of channels that
 * have room now. Where a channel became full by it, that is waited for, since to pass over its deliveries may take
 * long. */
bool look_is_due(const struct look *look, size_t n_full);

/* Begins a look for `limit` deliveries at most, while so many channels are full. Returns the position behind which to
 * look; below 0: behind the last but so many. */
int64_t look_begin(struct look *look, size_t limit, size_t n_full);

/* The look found this one. */
void look_found(struct look *look, int64_t position);

/* The look ended well, and claimed so many. */
void look_end(struct look *look, size_t n_claimed);

#endif
