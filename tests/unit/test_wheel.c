/* The wheel against rows of instants and, at random, against an array searched from end to end. */
#include "seed.h"
#include "slated/wheel.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define YEAR (365 * US_PER_DAY)
/* 2026-07-03T00:00:00Z */
#define JULY       INT64_C(1783036800000000)
#define PAGE       4096
#define LEN(array) (sizeof(array) / sizeof((array)[0]))

static struct instant
instant_us(int64_t us)
{
	return (struct instant){us};
}

static struct wheel *
wheel_at(int64_t us)
{
	struct wheel *wheel;

	cr_assert_eq(wheel_new(instant_us(us), &wheel), 0);
	return wheel;
}

Test(wheel, empty)
{
	struct wheel *wheel = wheel_at(JULY);

	cr_assert_eq(wheel_count(wheel), 0);
	cr_assert_eq(wheel_next(wheel).us, INT64_MAX);
	cr_assert_null(wheel_pop(wheel, instant_us(JULY + 10 * YEAR)));
	wheel_check(wheel);
	wheel_free(wheel);
	wheel_free(NULL);
}

/* Timers set at `at`, and how many are popped at `until`: always in the order of their instants. */
static const struct {
	const char *given;
	int64_t now;
	int64_t at[8];
	size_t count;
	int64_t until;
	size_t expect;
} orders[] = {
    {"present", JULY, {JULY}, 1, JULY, 1},
    {"a microsecond early", JULY, {JULY + 1}, 1, JULY, 0},
    {"a microsecond apart", JULY, {JULY + 3, JULY + 1, JULY + 2}, 3, JULY + 2, 2},
    {"past, by their own instants", JULY, {JULY - 5, JULY - YEAR, JULY, JULY - 6}, 4, JULY, 4},
    {"past and not yet due", JULY, {JULY + 9, JULY - 1, JULY + 8}, 3, JULY + 8, 2},
    {"same instants", JULY, {JULY + US_PER_H, JULY + US_PER_H, JULY + US_PER_H}, 3, JULY + US_PER_H, 3},
    {"ten years and more",
     JULY,
     {JULY + 10 * YEAR, JULY + 11 * YEAR, JULY + 100 * YEAR, JULY + US_PER_S, JULY + 10 * YEAR - 1},
     5,
     JULY + 10 * YEAR,
     3},
    {"beyond every calendar",
     JULY,
     {INT64_MAX, INT64_MAX - 1, JULY + 100000 * YEAR, INT64_MIN, 0},
     5,
     INT64_MAX - 1,
     4},
    {"never", JULY, {INT64_MAX, INT64_MAX}, 2, INT64_MAX, 2},
    {"before 1970 and after", -YEAR, {YEAR, 1, 0, -1, -YEAR + 1, -2 * YEAR}, 6, 0, 4},
    {"from the first instant", INT64_MIN, {INT64_MIN, INT64_MIN + 1, INT64_MAX, 0}, 4, 0, 3},
    {"every level",
     JULY,
     {JULY + 20 * YEAR, JULY + 3000 * YEAR, JULY + US_PER_DAY, JULY + US_PER_S, JULY + 60 * US_PER_DAY},
     5,
     JULY + 3000 * YEAR,
     5},
};

Test(wheel, pops_in_order)
{
	for (size_t i = 0; i < LEN(orders); i++) {
		struct wheel *wheel = wheel_at(orders[i].now);
		struct wheel_node nodes[LEN(orders[i].at)] = {0}, *node;
		int64_t next, previous = INT64_MIN;
		size_t popped = 0;

		for (size_t k = 0; k < orders[i].count; k++)
			wheel_set(wheel, &nodes[k], instant_us(orders[i].at[k]));
		wheel_check(wheel);
		for (next = wheel_next(wheel).us; (node = wheel_pop(wheel, instant_us(orders[i].until))) != NULL;
		     next = wheel_next(wheel).us) {
			cr_expect_eq(node->at_us, next, "%s", orders[i].given);
			cr_expect_eq(node->at_us, orders[i].at[node - nodes], "%s", orders[i].given);
			cr_expect(node->at_us >= previous, "%s", orders[i].given);
			cr_expect_not(wheel_is_set(node), "%s", orders[i].given);
			previous = node->at_us;
			popped++;
			wheel_check(wheel);
		}
		cr_expect_eq(popped, orders[i].expect, "%s: %zu", orders[i].given, popped);
		cr_expect_eq(wheel_count(wheel), orders[i].count - popped, "%s", orders[i].given);
		cr_expect(popped == orders[i].count || next > orders[i].until, "%s", orders[i].given);
		wheel_free(wheel);
	}
}

/* One timer set at `first`, then moved to `then`, with another at `other`. */
static const struct {
	const char *given;
	int64_t first, then, other;
	int64_t expect;
} moves[] = {
    {"later", 1 * US_PER_H, 3 * US_PER_H, 2 * US_PER_H, 2 * US_PER_H},
    {"later, still first", 1 * US_PER_H, 3 * US_PER_H, YEAR, 3 * US_PER_H},
    {"earlier", 3 * US_PER_H, 1 * US_PER_H, 2 * US_PER_H, 1 * US_PER_H},
    {"to the same", US_PER_H, US_PER_H, 2 * US_PER_H, US_PER_H},
    {"into the past", YEAR, -YEAR, 0, -YEAR},
    {"out of the past", -YEAR, YEAR, 11 * YEAR, YEAR},
    {"by a microsecond", US_PER_DAY, US_PER_DAY - 1, US_PER_DAY, US_PER_DAY - 1},
    {"over ten years", US_PER_S, 12 * YEAR, 10 * YEAR, 10 * YEAR},
};

Test(wheel, moves)
{
	for (size_t i = 0; i < LEN(moves); i++) {
		/* Asked between, the wheel has looked ahead to the first instant. */
		for (int asked = 0; asked < 2; asked++) {
			struct wheel *wheel = wheel_at(JULY);
			struct wheel_node node = {0}, other = {0};

			wheel_set(wheel, &node, instant_us(JULY + moves[i].first));
			if (asked)
				cr_expect_eq(wheel_next(wheel).us, JULY + moves[i].first);
			wheel_set(wheel, &other, instant_us(JULY + moves[i].other));
			wheel_set(wheel, &node, instant_us(JULY + moves[i].then));
			wheel_check(wheel);
			cr_expect_eq(wheel_count(wheel), 2);
			cr_expect_eq(wheel_next(wheel).us, JULY + moves[i].expect, "%s", moves[i].given);
			wheel_unset(wheel, &node);
			cr_expect_not(wheel_is_set(&node));
			cr_expect_eq(wheel_next(wheel).us, JULY + moves[i].other, "%s", moves[i].given);
			wheel_unset(wheel, &node);
			cr_expect_eq(wheel_count(wheel), 1);
			wheel_unset(wheel, &other);
			cr_expect_eq(wheel_next(wheel).us, INT64_MAX, "%s", moves[i].given);
			wheel_check(wheel);
			wheel_free(wheel);
		}
	}
}

/* A clock that was set back: nothing is due before its instant by it, though the wheel has been further. */
Test(wheel, clock_goes_back)
{
	struct wheel *wheel = wheel_at(JULY);
	struct wheel_node node = {0};

	cr_assert_null(wheel_pop(wheel, instant_us(JULY + US_PER_DAY)));
	wheel_set(wheel, &node, instant_us(JULY + US_PER_H));
	cr_assert_null(wheel_pop(wheel, instant_us(JULY)));
	cr_assert_null(wheel_pop(wheel, instant_us(JULY + US_PER_H - 1)));
	wheel_check(wheel);
	cr_assert_eq(wheel_pop(wheel, instant_us(JULY + US_PER_H)), &node);
	wheel_free(wheel);
}

Test(wheel, set_between_pops)
{
	struct wheel *wheel = wheel_at(JULY);
	struct wheel_node nodes[4] = {0};
	struct instant now = instant_us(JULY + US_PER_DAY);

	wheel_set(wheel, &nodes[0], instant_us(JULY + 10));
	wheel_set(wheel, &nodes[1], instant_us(JULY + US_PER_H));
	cr_assert_eq(wheel_pop(wheel, now), &nodes[0]);
	wheel_set(wheel, &nodes[2], instant_us(JULY + US_PER_MIN));
	wheel_set(wheel, &nodes[3], instant_us(JULY + 2 * US_PER_H));
	wheel_set(wheel, &nodes[0], instant_us(JULY + 9));
	cr_assert_eq(wheel_pop(wheel, now), &nodes[0]);
	cr_assert_eq(wheel_pop(wheel, now), &nodes[2]);
	cr_assert_eq(wheel_pop(wheel, now), &nodes[1]);
	wheel_set(wheel, &nodes[1], instant_us(JULY + 1));
	cr_assert_eq(wheel_pop(wheel, now), &nodes[1]);
	cr_assert_eq(wheel_pop(wheel, now), &nodes[3]);
	cr_assert_null(wheel_pop(wheel, now));
	wheel_free(wheel);
}

/* Quadratic work would take hours here. */
Test(wheel, hundred_thousand_at_once, .timeout = 60)
{
	enum { COUNT = 100000 };
	struct wheel *wheel = wheel_at(JULY);
	struct wheel_node *nodes = calloc(COUNT, sizeof(*nodes));
	struct instant at = instant_us(JULY + US_PER_DAY);

	cr_assert_not_null(nodes);
	for (int turn = 0; turn < 3; turn++) {
		for (size_t i = 0; i < COUNT; i++)
			wheel_set(wheel, &nodes[i * 7 % COUNT], at);
		wheel_check(wheel);
		cr_assert_eq(wheel_next(wheel).us, at.us);
		/* The second time taken out one by one, the third time all are set into the past. */
		if (turn == 1)
			for (size_t i = 0; i < COUNT; i++) {
				wheel_unset(wheel, &nodes[i * 3 % COUNT]);
				if (i + 1 < COUNT)
					cr_assert_eq(wheel_next(wheel).us, at.us);
			}
		else
			for (size_t i = 0; i < COUNT; i++)
				cr_assert_not_null(wheel_pop(wheel, at));
		cr_assert_eq(wheel_count(wheel), 0);
	}
	wheel_free(wheel);
	free(nodes);
}

/* A far burst, and before it a timer that comes and goes: looking ahead to the burst must not cost its size each time.
 */
Test(wheel, heartbeat_before_burst, .timeout = 60)
{
	enum { COUNT = 100000 };
	struct wheel *wheel = wheel_at(JULY);
	struct wheel_node *nodes = calloc(COUNT, sizeof(*nodes)), beat = {0};

	cr_assert_not_null(nodes);
	for (size_t i = 0; i < COUNT; i++)
		wheel_set(wheel, &nodes[i], instant_us(JULY + YEAR + (int64_t)(i % 1000) * US_PER_MIN));
	for (int64_t i = 1; i <= COUNT; i++) {
		struct instant at = instant_us(JULY + i * US_PER_S);

		cr_assert_eq(wheel_next(wheel).us, JULY + YEAR);
		wheel_set(wheel, &beat, at);
		cr_assert_eq(wheel_next(wheel).us, at.us);
		cr_assert_eq(wheel_pop(wheel, at), &beat);
	}
	wheel_check(wheel);
	cr_assert_eq(wheel_count(wheel), COUNT);
	wheel_free(wheel);
	free(nodes);
}

Test(wheel, check_finds_a_changed_instant, .signal = SIGABRT)
{
	struct wheel *wheel = wheel_at(JULY);
	struct wheel_node node = {0};

	wheel_set(wheel, &node, instant_us(JULY + YEAR));
	node.at_us = JULY + 1;
	wheel_check(wheel);
}

#if UINTPTR_MAX > UINT32_MAX
Test(wheel, refuses_an_address_beyond_48_bits, .signal = SIGABRT)
{
	struct wheel *wheel = wheel_at(JULY);

	wheel_set(wheel, (struct wheel_node *)(UINT64_C(1) << 48), instant_us(JULY));
	wheel_free(wheel);
}

/* A page whose address is a multiple of 4 GiB. */
static struct wheel_node *
round_page(void)
{
	for (uintptr_t i = 1; i < 1 << 14; i++) {
		void *page = mmap((void *)(i << 32), PAGE, PROT_READ | PROT_WRITE,
		                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		if (page != MAP_FAILED)
			return page;
	}
	return NULL;
}

/* The low half of what leads to the first timer is 0, whether it is in a slot or in the tree. */
Test(wheel, round_address)
{
	enum { COUNT = PAGE / sizeof(struct wheel_node) };
	struct wheel *wheel = wheel_at(JULY);
	struct wheel_node *nodes = round_page();
	struct instant at = instant_us(JULY + US_PER_DAY);

	cr_assert_not_null(nodes);
	for (int turn = 0; turn < 2; turn++) {
		for (size_t i = COUNT; i > 0; i--)
			wheel_set(wheel, &nodes[i - 1], at);
		if (turn == 1)
			cr_assert_eq(wheel_next(wheel).us, at.us);
		wheel_check(wheel);
		for (size_t i = COUNT; i > 0; i--) {
			cr_assert(wheel_is_set(&nodes[i - 1]));
			wheel_unset(wheel, &nodes[i - 1]);
			cr_assert_not(wheel_is_set(&nodes[i - 1]));
			wheel_check(wheel);
		}
		cr_assert_eq(wheel_count(wheel), 0);
	}
	wheel_free(wheel);
	munmap(nodes, PAGE);
}
#endif

struct random {
	uint64_t state;
};

static int64_t
random_below(struct random *random, int64_t limit)
{
	return (int64_t)(random_next(&random->state) % (uint64_t)limit);
}

enum { MODEL_TIMERS = 400 };

/* The wheel and what it must hold: at[i] where set[i]. */
struct model {
	struct wheel *wheel;
	struct random random;
	int64_t now;
	int64_t span;
	size_t count;
	bool set[MODEL_TIMERS];
	int64_t at[MODEL_TIMERS];
	struct wheel_node nodes[MODEL_TIMERS];
};

/* The index of an earliest timer, or -1. */
static int
model_first(const struct model *model)
{
	int first = -1;

	for (int i = 0; i < MODEL_TIMERS; i++)
		if (model->set[i] && (first < 0 || model->at[i] < model->at[first]))
			first = i;
	return first;
}

static int64_t
model_instant(struct model *model)
{
	struct random *random = &model->random;
	int64_t span = model->span;

	switch (random_below(random, 10)) {
	case 0:
		return model->now - random_below(random, span);
	case 1:
		return model->now;
	case 2:
		return model->now + random_below(random, 64);
	case 3: /* one that others share */
		return model->at[random_below(random, MODEL_TIMERS)];
	case 4: /* the last and first microsecond of a slot */
		return ((model->now + random_below(random, span)) | 0xffffff) + random_below(random, 2);
	case 5:
		return model->now + (span >> random_below(random, 40));
	default:
		return model->now + random_below(random, span);
	}
}

static void
model_set(struct model *model)
{
	int64_t i = random_below(&model->random, MODEL_TIMERS);

	model->at[i] = model_instant(model);
	if (!model->set[i])
		model->count++;
	model->set[i] = true;
	wheel_set(model->wheel, &model->nodes[i], instant_us(model->at[i]));
}

static void
model_unset(struct model *model)
{
	int first = model_first(model);
	int64_t i =
	    first >= 0 && random_below(&model->random, 4) == 0 ? first : random_below(&model->random, MODEL_TIMERS);

	if (model->set[i])
		model->count--;
	model->set[i] = false;
	wheel_unset(model->wheel, &model->nodes[i]);
}

static void
model_next(struct model *model)
{
	int first = model_first(model);

	cr_assert_eq(wheel_next(model->wheel).us, first < 0 ? INT64_MAX : model->at[first]);
}

/* Time goes on, and all, or some, of what is due is popped, with timers set meanwhile. */
static void
model_pop(struct model *model)
{
	struct random *random = &model->random;
	int64_t pops = random_below(random, 3) == 0 ? random_below(random, 5) : MODEL_TIMERS;
	int first = model_first(model);

	if (random_below(random, 3) == 0 && first >= 0 && model->at[first] > model->now)
		model->now = model->at[first] - random_below(random, 2);
	else
		model->now += random_below(random, (model->span >> random_below(random, 30)) + 1) / 16;
	for (; pops > 0; pops--) {
		struct wheel_node *node = wheel_pop(model->wheel, instant_us(model->now));
		int64_t i;

		first = model_first(model);
		if (first < 0 || model->at[first] > model->now) {
			cr_assert_null(node);
			return;
		}
		cr_assert_not_null(node);
		i = node - model->nodes;
		cr_assert(model->set[i]);
		cr_assert_eq(model->at[i], model->at[first]);
		cr_assert_not(wheel_is_set(node));
		model->set[i] = false;
		model->count--;
		if (random_below(random, 8) == 0)
			model_set(model);
	}
}

static void
model_run(struct model *model, uint64_t seed, int64_t now, int64_t span, int turns)
{
	*model = (struct model){.random = {seed}, .now = now, .span = span, .wheel = wheel_at(now)};
	for (int turn = 0; turn < turns; turn++) {
		/* Weights change, so that the wheel fills and empties. */
		int64_t fill = turn / 1000 % 2 == 0 ? 70 : 40;
		int64_t dice = random_below(&model->random, 100);

		if (dice < fill)
			model_set(model);
		else if (dice < fill + 15)
			model_unset(model);
		else if (dice < fill + 25)
			model_next(model);
		else
			model_pop(model);
		cr_assert_eq(wheel_count(model->wheel), model->count);
		if (turn % 16 == 0)
			wheel_check(model->wheel);
	}
	wheel_free(model->wheel);
}

Test(wheel, agrees_with_an_array, .timeout = 120)
{
	static const int64_t spans[] = {
	    100,
	    20 * US_PER_S,
	    US_PER_H,
	    14 * US_PER_DAY,
	    2 * YEAR,
	    12 * YEAR,
	    1000 * YEAR,
	    /* all instants together stay below the last one */
	    INT64_C(1) << 58,
	};
	static const int64_t starts[] = {JULY, 0, -YEAR, INT64_C(1) << 51};
	struct model *model = malloc(sizeof(*model));
	uint64_t seed = random_seed();

	cr_assert_not_null(model);
	for (size_t i = 0; i < LEN(spans); i++)
		for (size_t k = 0; k < LEN(starts); k++)
			model_run(model, seed + i * LEN(starts) + k, starts[k], spans[i], 4000);
	free(model);
}
