#include "world.h"
#include "../unit/seed.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

struct kept {
	UT_hash_handle hh;
	size_t len;
	char text[];
};

struct world {
	int64_t now;
	uint64_t n;
	uint64_t random;
	struct happening **queue; /* a heap, the first at [1] */
	size_t n_queue;
	size_t room;
	struct kept *kept;
	FILE *trace;
};

struct loop {
	struct world *world;
	int64_t ticks_off;
	int64_t clock_off;
	bool ended;
};

struct timer {
	struct world *world;
	struct happening happening;
	void (*fire)(void *arg);
	void *arg;
};

void *
world_must(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

struct world *
world_new(uint64_t seed, FILE *trace)
{
	struct world *world = world_must(calloc(1, sizeof(*world)));
	world->random = seed;
	world->trace = trace;
	world->now = INT64_C(1800000000) * US_PER_S;
	return world;
}

void
world_free(struct world *world)
{
	struct kept *kept, *next;
	HASH_ITER (hh, world->kept, kept, next) {
		HASH_DEL(world->kept, kept);
		free(kept);
	}
	free(world->queue);
	free(world);
}

int64_t
world_now(const struct world *world)
{
	return world->now;
}

/* The queue ----------------------------------------------------------------------------------------------------------
 */

static bool
comes_before(const struct happening *a, const struct happening *b)
{
	return a->at < b->at || (a->at == b->at && a->n < b->n);
}

static void
put(struct world *world, size_t place, struct happening *happening)
{
	world->queue[place] = happening;
	happening->place = place;
}

static void
sift_up(struct world *world, size_t place, struct happening *happening)
{
	for (; place > 1 && comes_before(happening, world->queue[place / 2]); place /= 2)
		put(world, place, world->queue[place / 2]);
	put(world, place, happening);
}

static void
sift_down(struct world *world, size_t place, struct happening *happening)
{
	for (size_t child; (child = 2 * place) <= world->n_queue; place = child) {
		if (child < world->n_queue && comes_before(world->queue[child + 1], world->queue[child]))
			child++;
		if (!comes_before(world->queue[child], happening))
			break;
		put(world, place, world->queue[child]);
	}
	put(world, place, happening);
}

void
world_unset(struct world *world, struct happening *happening)
{
	size_t place = happening->place;
	if (place == 0)
		return;
	struct happening *last = world->queue[world->n_queue--];
	happening->place = 0;
	if (last == happening)
		return;
	if (place > 1 && comes_before(last, world->queue[place / 2]))
		sift_up(world, place, last);
	else
		sift_down(world, place, last);
}

void
world_set(struct world *world, struct happening *happening, int64_t after, void (*fire)(void *arg), void *arg)
{
	world_unset(world, happening);
	if (world->n_queue + 2 > world->room) {
		world->room = world->room == 0 ? 256 : 2 * world->room;
		world->queue = world_must(realloc(world->queue, world->room * sizeof(world->queue[0])));
	}
	*happening = (struct happening){world->now + (after < 0 ? 0 : after), world->n++, 0, fire, arg};
	sift_up(world, ++world->n_queue, happening);
}

bool
world_step(struct world *world, int64_t until)
{
	if (world->n_queue == 0 || world->queue[1]->at > until) {
		world->now = until;
		return false;
	}
	struct happening *happening = world->queue[1];
	if (happening->at > world->now)
		world->now = happening->at;
	world_unset(world, happening);
	happening->fire(happening->arg);
	return true;
}

/* Chance -------------------------------------------------------------------------------------------------------------
 */

uint64_t
world_random(struct world *world)
{
	return random_next(&world->random);
}

uint64_t
world_below(struct world *world, uint64_t n)
{
	return world_random(world) % n;
}

int64_t
world_between(struct world *world, int64_t low, int64_t high)
{
	return low + (int64_t)world_below(world, (uint64_t)(high - low) + 1);
}

int64_t
world_about(struct world *world, int64_t low, int64_t high)
{
	uint64_t width = (uint64_t)(high - low) + 1;
	unsigned bits = 0;
	while (width >> bits > 1)
		bits++;
	uint64_t part = width >> world_below(world, bits + 1);
	return low + (int64_t)world_below(world, part == 0 ? 1 : part);
}

bool
world_chance(struct world *world, unsigned per_million)
{
	return per_million > 0 && world_below(world, 1000000) < per_million;
}

/* Texts --------------------------------------------------------------------------------------------------------------
 */

const char *
world_keep(struct world *world, const char *text, size_t len)
{
	struct kept *kept;
	if (text == NULL)
		return NULL;
	HASH_FIND(hh, world->kept, text, len, kept);
	if (kept != NULL)
		return kept->text;
	kept = world_must(calloc(1, sizeof(*kept) + len + 1));
	memcpy(kept->text, text, len);
	kept->len = len;
	HASH_ADD(hh, world->kept, text, len, kept);
	return kept->text;
}

void
world_trace(struct world *world, const char *format, ...)
{
	va_list args;
	if (world->trace == NULL)
		return;
	char at[INSTANT_TEXT_SIZE];
	(void)instant_format((struct instant){world->now}, at);
	(void)fprintf(world->trace, "%s ", at);
	va_start(args, format);
	(void)vfprintf(world->trace, format, args);
	va_end(args);
	(void)fputc('\n', world->trace);
}

/* loop.h -------------------------------------------------------------------------------------------------------------
 */

struct loop *
sim_loop_new(struct world *world)
{
	struct loop *loop = world_must(calloc(1, sizeof(*loop)));
	loop->world = world;
	loop->ticks_off = world_between(world, 0, 30 * US_PER_DAY) - world->now;
	return loop;
}

void
sim_loop_free(struct loop *loop)
{
	free(loop);
}

bool
sim_loop_has_ended(const struct loop *loop)
{
	return loop->ended;
}

void
sim_loop_set_clock(struct loop *loop, int64_t off)
{
	loop->clock_off = off;
}

int
loop_new(struct event_base *base, struct loop **ret)
{
	(void)base;
	(void)ret;
	abort(); /* a daemon of the simulation gets its loop from sim_loop_new() */
}

void
loop_free(struct loop *loop)
{
	sim_loop_free(loop);
}

/* Between two looks at a clock time goes by, some microseconds, or milliseconds where something else has its turn, so
 * that nothing may be built on their being the same. */
static void
look(const struct loop *loop)
{
	struct world *world = loop->world;
	world->now += world_between(world, 0, world_chance(world, 10000) ? 5000 : 2);
}

int64_t
loop_ticks(const struct loop *loop)
{
	look(loop);
	return loop->world->now + loop->ticks_off;
}

struct instant
loop_host_clock(const struct loop *loop)
{
	look(loop);
	return (struct instant){loop->world->now + loop->clock_off};
}

uint64_t
loop_random(struct loop *loop)
{
	return world_random(loop->world);
}

void
loop_end(struct loop *loop)
{
	loop->ended = true;
}

int
timer_new(struct loop *loop, void (*fire)(void *arg), void *arg, struct timer **ret)
{
	*ret = world_must(calloc(1, sizeof(**ret)));
	(*ret)->world = loop->world;
	(*ret)->fire = fire;
	(*ret)->arg = arg;
	return 0;
}

void
timer_free(struct timer *timer)
{
	if (timer == NULL)
		return;
	world_unset(timer->world, &timer->happening);
	free(timer);
}

static void
on_timer(void *arg)
{
	struct timer *timer = arg;
	timer->fire(timer->arg);
}

void
timer_set(struct timer *timer, struct duration after)
{
	/* A loop that has much to do is late. */
	int64_t late = world_chance(timer->world, 10000) ? world_between(timer->world, 0, 30000) : 0;
	world_set(timer->world, &timer->happening, (after.us < 0 ? 0 : after.us) + late, on_timer, timer);
}

void
timer_unset(struct timer *timer)
{
	world_unset(timer->world, &timer->happening);
}

bool
timer_is_set(const struct timer *timer)
{
	return timer->happening.place != 0;
}
