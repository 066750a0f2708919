/* What time it is by the database's clock, which stamped the tickets: now = CLOCK_BOOTTIME + base. Each query that
 * brings the server's clock_timestamp() bounds the base from both sides; `now` is never ahead of the server, so that
 * nothing fires early. */
#ifndef SLATED_TIMEBASE_H
#define SLATED_TIMEBASE_H

#include "slated/instant.h"

struct timebase {
	int64_t base_us;
	bool known;
};

/* Microseconds of CLOCK_BOOTTIME. */
int64_t timebase_ticks(void);

/* Takes in a reading of the server's clock, made between two readings of the ticks: the server's clock stood at
 * `server` after `sent` and before `received`. Returns by how much `now` was corrected, 0 while it lay within the
 * bounds. Pure. */
struct duration timebase_sample(struct timebase *timebase, int64_t sent, int64_t received, struct instant server);

/* The instant of a reading of the ticks, by the last samples; without a database the last base stays. */
struct instant timebase_at(const struct timebase *timebase, int64_t ticks);

#endif
