/* A hierarchical timing wheel (Varghese and Lauck, SOSP 1987): microsecond instants in and out, any instant within its
 * horizon, no allocation after it is made, nothing ticks while nothing is due. The caller owns the nodes. */
#ifndef SLATED_WHEEL_H
#define SLATED_WHEEL_H

#include "slated/instant.h"

struct wheel;

/* An address in 48 bits, as many as 64-bit Linux gives a process that does not ask for more (x86-64 of five levels and
 * arm64 of 52 bits included); wheel_set() aborts where there are more. Its halves are loaded as they were stored, each
 * by itself: a load wider than the store before it waits until the cache has that. */
struct wheel_link {
	uint32_t low;
	uint16_t high;
} __attribute__((packed, aligned(2)));

/* One timer, embedded in what it is for. Zeroed = not in a wheel. Its place is either a list or a tree, see wheel.c. */
struct wheel_node {
	union {
		struct wheel_link next;
		struct wheel_link right;
	};
	union {
		struct wheel_link link; /* to the link that leads to this node; zeroed = not in a wheel */
		struct wheel_link left; /* never zeroed in a tree */
	};
	int64_t at_us __attribute__((packed, aligned(4)));
};

/* An empty wheel whose present is `now`. 0 or -ENOMEM. */
int wheel_new(struct instant now, struct wheel **ret) __attribute__((warn_unused_result));

/* Takes NULL. Nodes still in it are the caller's. */
void wheel_free(struct wheel *wheel);

/* Puts `node` in, or moves it, to be due at `at` (the past and the present included: due at once). */
void wheel_set(struct wheel *wheel, struct wheel_node *node, struct instant at);

/* Takes `node` out; nothing happens if it is in no wheel. */
void wheel_unset(struct wheel *wheel, struct wheel_node *node);

static inline bool
wheel_is_set(const struct wheel_node *node)
{
	return (node->link.low | node->link.high) != 0;
}

/* The instant of the earliest timer (exact), or INSTANT_NEVER. */
struct instant wheel_next(struct wheel *wheel);

/* Moves the wheel's present to `now` (never back) and takes out and returns the earliest timer due at or before `now`,
 * or NULL. Timers come in order of their instants; equal instants in no particular order. */
struct wheel_node *wheel_pop(struct wheel *wheel, struct instant now);

size_t wheel_count(const struct wheel *wheel);

/* Aborts where an invariant does not hold; for tests. */
void wheel_check(const struct wheel *wheel);

#endif
