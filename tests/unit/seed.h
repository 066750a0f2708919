/* Chance for properties: by a seed that is printed, and that $SLATED_SEED repeats. */
#ifndef SLATED_TESTS_SEED_H
#define SLATED_TESTS_SEED_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A small generator of our own, so that a seed means the same everywhere (Steele, Lea, Flood 2014: SplitMix). */
static inline uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline uint64_t
random_seed(void)
{
	const char *given = getenv("SLATED_SEED");
	uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

	(void)fprintf(stderr, "SLATED_SEED=%" PRIu64 "\n", seed);
	return seed;
}

#endif
