#include "slated/timebase.h"

#include <time.h>

int64_t
timebase_ticks(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_BOOTTIME, &ts); /* cannot fail for a clock that every Linux has */
	return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

struct duration
timebase_sample(struct timebase *timebase, int64_t sent, int64_t received, struct instant server)
{
	int64_t least = server.us - received;
	int64_t most = server.us - sent;
	struct duration correction = {0};
	if (timebase->known && timebase->base_us >= least && timebase->base_us <= most)
		return correction;
	if (timebase->known)
		correction.us = least - timebase->base_us;
	timebase->base_us = least;
	timebase->known = true;
	return correction;
}

struct instant
timebase_at(const struct timebase *timebase, int64_t ticks)
{
	return (struct instant){ticks + timebase->base_us};
}
