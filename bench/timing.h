/* How long something took. */
#ifndef SLATED_BENCH_TIMING_H
#define SLATED_BENCH_TIMING_H

#include <stddef.h>
#include <time.h>

/* The processor's time, since others share the machine. */
static inline double
clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Seconds that pass, whoever runs. */
static inline double
wall_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Nanoseconds each since *start, which becomes now. */
static inline double
lap(double *start, size_t count)
{
	double now = clock_ns(), took = (now - *start) / (double)count;

	*start = now;
	return took;
}

#endif
