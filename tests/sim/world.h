/* The simulation's world: one queue of happenings in simulated time, one stream of random numbers from the seed.
 * Whoever is in it (daemons, the database, the network, receivers, people at their tickets) acts by a happening and
 * leaves others behind; so a seed is a run, and the same seed the same run. */
#ifndef SLATED_SIM_WORLD_H
#define SLATED_SIM_WORLD_H

#include <stdarg.h>
#include <stdio.h>

#include "slated/loop.h"

struct world;

/* Ends the program where memory is out: this is a test. */
void *world_must(void *memory);

/* Whatever waits for its time; part of a struct of its owner's. Zeroed: not set. */
struct happening {
	int64_t at;
	uint64_t n;   /* those of the same time come in the order in which they were set */
	size_t place; /* in the queue, from 1; 0: not set */
	void (*fire)(void *arg);
	void *arg;
};

/* `trace` NULL: nothing is told. */
struct world *world_new(uint64_t seed, FILE *trace);
void world_free(struct world *world);

/* True time, in microseconds; no clock of the simulation shows it. */
int64_t world_now(const struct world *world);

void world_set(struct world *world, struct happening *happening, int64_t after, void (*fire)(void *arg), void *arg);
void world_unset(struct world *world, struct happening *happening);

/* Lets the next happening happen, if it comes until then. False: none does, and it is then. */
bool world_step(struct world *world, int64_t until);

uint64_t world_random(struct world *world);
/* One of 0 to n - 1. */
uint64_t world_below(struct world *world, uint64_t n);
/* One of `low` to `high`. */
int64_t world_between(struct world *world, int64_t low, int64_t high);
/* The same, each power of two as likely as the others: as times on the way are. */
int64_t world_about(struct world *world, int64_t low, int64_t high);
/* Whether something that happens so many times in a million does. */
bool world_chance(struct world *world, unsigned per_million);

/* A copy of the text that lives as long as the world, the same for equal texts; NULL for NULL. */
const char *world_keep(struct world *world, const char *text, size_t len);

void world_trace(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The loop of one daemon. Its ticks are not those of another's. */
struct loop *sim_loop_new(struct world *world);
void sim_loop_free(struct loop *loop);
bool sim_loop_has_ended(const struct loop *loop);
/* Its host's clock is set: by how much it is off from now on. */
void sim_loop_set_clock(struct loop *loop, int64_t off);

#endif
