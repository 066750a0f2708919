/* Why a target is due when it is: the time between its start and its due, cut into stretches that count and stretches
 * that do not. */
#ifndef SLATED_STRETCHES_H
#define SLATED_STRETCHES_H

#include <stddef.h>

#include "slated/calendar.h"

struct stretch {
	struct instant from;
	struct instant to;
	bool counted;
	struct duration sum; /* open time up to its end */
	int32_t
	    business_day; /* counted: business days after the first one's date, 0 on that date; -1 where none count */
	char why[96];     /* why it is skipped, or what is special about its date; "" where nothing is */
	struct instant change; /* the clocks change then, or INSTANT_NEVER */
	int32_t offset_before; /* seconds east of UTC, at a change */
	int32_t offset_after;
};

/* Cuts [start, due) at openings, closings and, but on `always`, local midnights. With `business_days` the counted
 * stretches are numbered. The caller frees *ret. 0 or -ENOMEM. */
int stretches_make(struct calendar *calendar, struct instant start, struct instant due, bool business_days,
                   struct stretch **ret, size_t *ret_n) __attribute__((warn_unused_result));

#endif
