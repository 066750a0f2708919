/* Timers of fourteen days: what each peer is asked to do, and how long it took. One program for each peer, since libev
 * brings functions of libevent's names; all of them print the same lines, which bench/run makes a table of. */
#ifndef SLATED_BENCH_WHEEL_H
#define SLATED_BENCH_WHEEL_H

#include "slated/instant.h"

#include "timing.h"

#define SPAN (14 * US_PER_DAY)
/* No search of a calendar looks further, so no deadline lies further ahead. */
#define SPAN_FAR (3653 * US_PER_DAY)
/* 2026-07-03T00:00:00Z */
#define NOW   INT64_C(1783036800000000)
#define TURNS 10000

/* What is measured, in nanoseconds each. */
enum step {
	STEP_INSERT,
	STEP_MOVE_SAME,
	STEP_MOVE,
	STEP_MOVE_ON,
	STEP_NEXT,
	STEP_TAKE,
	STEP_IDLE,
	STEP_EXPIRE,
	STEP_EXPIRE_NEW,
	STEP_EXPIRE_FAR,
	STEPS
};

/* Instants counted from NOW: timer i is set at first[i] and moved to third[i], then timer order[i] is moved to
 * second[i]. */
struct work {
	size_t count;
	int64_t *first, *second, *third; /* below SPAN */
	uint32_t *order;
};

/* Of each peer. What it cannot do is left as it is. */
void peer_run(const struct work *work, double took[STEPS]);
extern const size_t peer_bytes;

/* Zeroed. */
void *array_new(size_t count, size_t size);

/* How often the first is taken out. */
size_t take_turns(size_t count);

/* The loops of libraries know no time but the clock's, so timers that are to expire in them are spread over as little
 * as this; what such a loop lets expire is counted here. */
#define LOOP_SPAN (US_PER_S / 5)
extern size_t loop_fired;

/* Waits until LOOP_SPAN is over, then lets `count` timers expire, turn by turn. */
double loop_drain(void (*turn)(void *loop), void *loop, size_t count);

#endif
