/* The wheel of slated. Instants that come wrong or out of order end the program. */
#include "slated/wheel.h"

#include <stdio.h>
#include <stdlib.h>

#include "wheel.h"

const size_t peer_bytes = sizeof(struct wheel_node);

static struct instant
after_us(int64_t us)
{
	return (struct instant){NOW + us};
}

static void
demand(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "bench/wheel: %s\n", what);
		exit(1);
	}
}

static double
wheel_drain(struct wheel *wheel, size_t count)
{
	double start = clock_ns();
	int64_t previous = INT64_MIN;
	struct wheel_node *node;

	while ((node = wheel_pop(wheel, after_us(2 * SPAN))) != NULL) {
		demand(node->at_us >= previous, "out of order");
		previous = node->at_us;
	}
	demand(wheel_count(wheel) == 0, "some did not expire");
	return lap(&start, count);
}

static struct wheel *
wheel_make(void)
{
	struct wheel *wheel;

	demand(wheel_new(after_us(0), &wheel) == 0, "out of memory");
	return wheel;
}

static double
insert_all(struct wheel *wheel, struct wheel_node *nodes, const struct work *work)
{
	double start = clock_ns();

	for (size_t i = 0; i < work->count; i++)
		wheel_set(wheel, &nodes[i], after_us(US_PER_S + work->first[i]));
	return lap(&start, work->count);
}

static void
move_all(struct wheel *wheel, struct wheel_node *nodes, const struct work *work, double took[STEPS])
{
	double start = clock_ns();

	for (size_t i = 0; i < work->count; i++)
		wheel_set(wheel, &nodes[i], after_us(US_PER_S + work->third[i]));
	took[STEP_MOVE_SAME] = lap(&start, work->count);
	for (size_t i = 0; i < work->count; i++)
		wheel_set(wheel, &nodes[work->order[i]], after_us(US_PER_S + work->second[i]));
	took[STEP_MOVE] = lap(&start, work->count);
	for (size_t i = 0; i < work->count; i++) {
		struct wheel_node *node = &nodes[work->order[i]];

		wheel_set(wheel, node, (struct instant){node->at_us + US_PER_H});
	}
	took[STEP_MOVE_ON] = lap(&start, work->count);
}

static void
look(struct wheel *wheel, size_t turns, double took[STEPS])
{
	struct instant next = wheel_next(wheel);
	double start = clock_ns();

	for (int turn = 0; turn < TURNS; turn++)
		demand(wheel_pop(wheel, after_us(turn)) == NULL, "too early");
	took[STEP_IDLE] = lap(&start, TURNS);
	for (int turn = 0; turn < TURNS; turn++)
		demand(instant_equal(wheel_next(wheel), next), "the next one changed");
	took[STEP_NEXT] = lap(&start, TURNS);
	for (size_t i = 0; i < turns; i++)
		demand(wheel_pop(wheel, wheel_next(wheel)) != NULL, "too late");
	took[STEP_TAKE] = lap(&start, turns);
}

/* Each at its very instant, as far ahead as a deadline can lie: none may be beyond the wheel's span, and filed again
 * and again for it. */
static double
expire_far(struct wheel_node *nodes, const struct work *work)
{
	struct wheel *wheel = wheel_make();
	struct wheel_node *node;
	struct instant last = after_us(SPAN_FAR), next;
	double start;

	for (size_t i = 0; i < work->count; i++)
		wheel_set(wheel, &nodes[i],
		          after_us((int64_t)((double)work->first[i] / (double)SPAN * (double)SPAN_FAR)));
	wheel_set(wheel, &nodes[0], last);
	start = clock_ns();
	while (!instant_equal(next = wheel_next(wheel), INSTANT_NEVER)) {
		node = wheel_pop(wheel, next);
		demand(node != NULL && node->at_us == next.us, "not at its instant");
	}
	demand(wheel_count(wheel) == 0 && !wheel_is_set(&nodes[0]) && nodes[0].at_us == last.us,
	       "the last one is lost");
	wheel_free(wheel);
	return lap(&start, work->count);
}

void
peer_run(const struct work *work, double took[STEPS])
{
	struct wheel_node *nodes = array_new(work->count, sizeof(*nodes));
	struct wheel *wheel = wheel_make();
	size_t turns = take_turns(work->count);

	(void)insert_all(wheel, nodes, work);
	took[STEP_EXPIRE_NEW] = wheel_drain(wheel, work->count);
	wheel_free(wheel);
	wheel = wheel_make();
	took[STEP_INSERT] = insert_all(wheel, nodes, work);
	move_all(wheel, nodes, work, took);
	look(wheel, turns, took);
	took[STEP_EXPIRE] = wheel_drain(wheel, work->count - turns);
	took[STEP_EXPIRE_FAR] = expire_far(nodes, work);
	wheel_free(wheel);
	free(nodes);
}
