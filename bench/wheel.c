/* Timers of fourteen days: the wheel beside libevent's own timers and a 4-ary heap, in one run on one machine.
 * Usage: bench/wheel [TIMERS [ROUNDS]] */
#include "slated/wheel.h"

#include <assert.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SPAN (14 * US_PER_DAY)
/* libevent knows no time but the clock's, so timers that are to expire are spread over as little as this. */
#define EVENT_SPAN (US_PER_S)
/* 2026-07-03T00:00:00Z */
#define NOW      INT64_C(1783036800000000)
#define TURNS    10000
#define MAX_RUNS 99

/* What is measured, in nanoseconds each. */
enum step {
	STEP_INSERT,
	STEP_MOVE_SAME,
	STEP_MOVE,
	STEP_MOVE_ON,
	STEP_NEXT,
	STEP_IDLE,
	STEP_EXPIRE,
	STEP_EXPIRE_NEW,
	STEPS
};

static const char *const step_names[STEPS] = {
    [STEP_INSERT] = "insert",
    [STEP_MOVE_SAME] = "move, in order of insertion",
    [STEP_MOVE] = "move, in random order",
    [STEP_MOVE_ON] = "move an hour on, random order",
    [STEP_NEXT] = "take the first, ask for next",
    [STEP_IDLE] = "turn with nothing due",
    [STEP_EXPIRE] = "burst after random moves",
    [STEP_EXPIRE_NEW] = "burst after inserts",
};

/* The same for each rival, instants counted from NOW: timer i is set at first[i] and moved to third[i], then timer
 * order[i] is moved to second[i]. */
struct work {
	size_t count;
	const int64_t *first, *second, *third; /* below SPAN */
	const uint32_t *order;
};

struct rival {
	const char *name;
	size_t bytes;
	void (*run)(const struct work *work, double took[STEPS]);
};

static double
clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Nanoseconds each since *start, which becomes now. */
static double
lap(double *start, size_t count)
{
	double now = clock_ns(), took = (now - *start) / (double)count;

	*start = now;
	return took;
}

static void *
array_new(size_t count, size_t size)
{
	void *array = calloc(count, size);

	if (array == NULL) {
		perror("bench/wheel");
		exit(1);
	}
	return array;
}

/* How often the first is taken out. */
static size_t
next_turns(size_t count)
{
	return count / 10 + 1 < TURNS ? count / 10 + 1 : TURNS;
}

static struct instant
after_us(int64_t us)
{
	return (struct instant){NOW + us};
}

static double
wheel_drain(struct wheel *wheel, size_t count)
{
	double start = clock_ns();
	int64_t previous = INT64_MIN;
	struct wheel_node *node;

	while ((node = wheel_pop(wheel, after_us(2 * SPAN))) != NULL) {
		assert(node->at_us >= previous);
		previous = node->at_us;
	}
	assert(wheel_count(wheel) == 0);
	return lap(&start, count);
}

static struct wheel *
wheel_make(void)
{
	struct wheel *wheel;

	if (wheel_new(after_us(0), &wheel) != 0) {
		perror("bench/wheel");
		exit(1);
	}
	return wheel;
}

static void
wheel_run(const struct work *work, double took[STEPS])
{
	struct wheel_node *nodes = array_new(work->count, sizeof(*nodes));
	struct wheel *wheel = wheel_make();
	size_t turns = next_turns(work->count);
	double start;

	for (int round = 0; round < 2; round++) {
		start = clock_ns();
		for (size_t i = 0; i < work->count; i++)
			wheel_set(wheel, &nodes[i], after_us(US_PER_S + work->first[i]));
		took[STEP_INSERT] = lap(&start, work->count);
		if (round == 1)
			break;
		took[STEP_EXPIRE_NEW] = wheel_drain(wheel, work->count);
		wheel_free(wheel);
		wheel = wheel_make();
	}
	start = clock_ns();
	for (size_t i = 0; i < work->count; i++)
		wheel_set(wheel, &nodes[i], after_us(US_PER_S + work->third[i]));
	took[STEP_MOVE_SAME] = lap(&start, work->count);
	for (size_t i = 0; i < work->count; i++) {
		wheel_set(wheel, &nodes[work->order[i]], after_us(US_PER_S + work->second[i]));
	}
	took[STEP_MOVE] = lap(&start, work->count);
	for (size_t i = 0; i < work->count; i++) {
		struct wheel_node *node = &nodes[work->order[i]];

		wheel_set(wheel, node, (struct instant){node->at_us + US_PER_H});
	}
	took[STEP_MOVE_ON] = lap(&start, work->count);
	for (int turn = 0; turn < TURNS; turn++)
		if (wheel_pop(wheel, after_us(turn)) != NULL)
			abort();
	took[STEP_IDLE] = lap(&start, TURNS);
	for (size_t i = 0; i < turns; i++) {
		struct instant next = wheel_next(wheel);

		if (wheel_pop(wheel, next) == NULL)
			abort();
	}
	took[STEP_NEXT] = lap(&start, turns);
	took[STEP_EXPIRE] = wheel_drain(wheel, work->count - turns);
	wheel_free(wheel);
	free(nodes);
}

/* The heap: an array of instants and timers, each timer knowing its position. */
struct heap_timer {
	size_t position; /* from 1, 0 = not in the heap */
};

struct heap_entry {
	int64_t at_us;
	struct heap_timer *timer;
};

struct heap {
	struct heap_entry *entries; /* [0] is unused */
	size_t count;
};

static void
heap_put(struct heap *heap, size_t position, struct heap_entry entry)
{
	heap->entries[position] = entry;
	entry.timer->position = position;
}

static void
heap_up(struct heap *heap, size_t position, struct heap_entry entry)
{
	while (position > 1) {
		size_t parent = (position + 2) / 4;

		if (heap->entries[parent].at_us <= entry.at_us)
			break;
		heap_put(heap, position, heap->entries[parent]);
		position = parent;
	}
	heap_put(heap, position, entry);
}

static void
heap_down(struct heap *heap, size_t position, struct heap_entry entry)
{
	size_t child;

	while ((child = 4 * position - 2) <= heap->count) {
		size_t end = child + 4 <= heap->count + 1 ? child + 4 : heap->count + 1, least = child;

		for (size_t i = child + 1; i < end; i++)
			if (heap->entries[i].at_us < heap->entries[least].at_us)
				least = i;
		if (heap->entries[least].at_us >= entry.at_us)
			break;
		heap_put(heap, position, heap->entries[least]);
		position = least;
	}
	heap_put(heap, position, entry);
}

static void
heap_set(struct heap *heap, struct heap_timer *timer, int64_t at_us)
{
	struct heap_entry entry = {at_us, timer};

	if (timer->position == 0)
		heap_up(heap, ++heap->count, entry);
	else if (at_us < heap->entries[timer->position].at_us)
		heap_up(heap, timer->position, entry);
	else
		heap_down(heap, timer->position, entry);
}

static struct heap_timer *
heap_pop(struct heap *heap, int64_t now_us)
{
	struct heap_timer *timer;

	if (heap->count == 0 || heap->entries[1].at_us > now_us)
		return NULL;
	timer = heap->entries[1].timer;
	timer->position = 0;
	heap->count--;
	if (heap->count > 0)
		heap_down(heap, 1, heap->entries[heap->count + 1]);
	return timer;
}

static double
heap_drain(struct heap *heap, size_t count)
{
	double start = clock_ns();

	while (heap_pop(heap, NOW + 2 * SPAN) != NULL)
		;
	assert(heap->count == 0);
	return lap(&start, count);
}

static void
heap_run(const struct work *work, double took[STEPS])
{
	struct heap_timer *timers = array_new(work->count, sizeof(*timers));
	struct heap heap = {.entries = array_new(work->count + 1, sizeof(struct heap_entry))};
	size_t turns = next_turns(work->count);
	double start;

	for (int round = 0; round < 2; round++) {
		start = clock_ns();
		for (size_t i = 0; i < work->count; i++)
			heap_set(&heap, &timers[i], NOW + US_PER_S + work->first[i]);
		took[STEP_INSERT] = lap(&start, work->count);
		if (round == 0)
			took[STEP_EXPIRE_NEW] = heap_drain(&heap, work->count);
	}
	start = clock_ns();
	for (size_t i = 0; i < work->count; i++)
		heap_set(&heap, &timers[i], NOW + US_PER_S + work->third[i]);
	took[STEP_MOVE_SAME] = lap(&start, work->count);
	for (size_t i = 0; i < work->count; i++) {
		heap_set(&heap, &timers[work->order[i]], NOW + US_PER_S + work->second[i]);
	}
	took[STEP_MOVE] = lap(&start, work->count);
	for (size_t i = 0; i < work->count; i++) {
		struct heap_timer *timer = &timers[work->order[i]];

		heap_set(&heap, timer, heap.entries[timer->position].at_us + US_PER_H);
	}
	took[STEP_MOVE_ON] = lap(&start, work->count);
	for (int turn = 0; turn < TURNS; turn++)
		if (heap_pop(&heap, NOW + turn) != NULL)
			abort();
	took[STEP_IDLE] = lap(&start, TURNS);
	for (size_t i = 0; i < turns; i++)
		if (heap_pop(&heap, heap.entries[1].at_us) == NULL)
			abort();
	took[STEP_NEXT] = lap(&start, turns);
	took[STEP_EXPIRE] = heap_drain(&heap, work->count - turns);
	free(heap.entries);
	free(timers);
}

static size_t events_fired;

static void
event_fire(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	(void)data;
	events_fired++;
}

static void
event_set(struct event *event, int64_t us)
{
	struct timeval after = {us / US_PER_S, us % US_PER_S};

	if (evtimer_add(event, &after) != 0)
		abort();
}

static double
event_drain(struct event_base *base, size_t count)
{
	struct timespec wait = {EVENT_SPAN / US_PER_S, 100000000};
	double start;

	nanosleep(&wait, NULL);
	events_fired = 0;
	start = clock_ns();
	while (events_fired < count)
		event_base_loop(base, EVLOOP_NONBLOCK);
	return lap(&start, count);
}

/* libevent does not tell the next instant, so STEP_NEXT is left out. */
static void
event_run(const struct work *work, double took[STEPS])
{
	struct event *events = array_new(work->count, sizeof(*events));
	struct event_base *base = event_base_new();
	const int64_t scale = SPAN / EVENT_SPAN;
	double start;

	if (base == NULL)
		abort();
	for (size_t i = 0; i < work->count; i++)
		evtimer_assign(&events[i], base, event_fire, NULL);
	for (size_t i = 0; i < work->count; i++)
		event_set(&events[i], work->first[i] / scale);
	took[STEP_EXPIRE_NEW] = event_drain(base, work->count);
	start = clock_ns();
	for (size_t i = 0; i < work->count; i++)
		event_set(&events[i], US_PER_MIN + work->first[i]);
	took[STEP_INSERT] = lap(&start, work->count);
	for (size_t i = 0; i < work->count; i++)
		event_set(&events[i], US_PER_MIN + work->third[i]);
	took[STEP_MOVE_SAME] = lap(&start, work->count);
	for (size_t i = 0; i < work->count; i++)
		event_set(&events[work->order[i]], US_PER_MIN + work->second[i]);
	took[STEP_MOVE] = lap(&start, work->count);
	for (size_t i = 0; i < work->count; i++)
		event_set(&events[work->order[i]], US_PER_MIN + work->second[i] + US_PER_H);
	took[STEP_MOVE_ON] = lap(&start, work->count);
	for (int turn = 0; turn < TURNS; turn++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	took[STEP_IDLE] = lap(&start, TURNS);
	took[STEP_NEXT] = -1;
	for (size_t i = 0; i < work->count; i++)
		event_set(&events[work->order[i]], work->second[i] / scale);
	took[STEP_EXPIRE] = event_drain(base, work->count);
	event_base_free(base);
	free(events);
}

static const struct rival rivals[] = {
    {"wheel", sizeof(struct wheel_node), wheel_run},
    {"4-ary heap", sizeof(struct heap_entry) + sizeof(struct heap_timer), heap_run},
    /* and its place in libevent's own heap */
    {"libevent", sizeof(struct event) + sizeof(struct event *), event_run},
};

enum { RIVALS = sizeof(rivals) / sizeof(rivals[0]) };

static int
double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
table_print(double took[RIVALS][STEPS][MAX_RUNS], size_t rounds)
{
	printf("%-32s", "ns each: median (min, max)");
	for (int r = 0; r < RIVALS; r++)
		printf("  %24s", rivals[r].name);
	for (int step = 0; step < STEPS; step++) {
		printf("\n%-32s", step_names[step]);
		for (int r = 0; r < RIVALS; r++) {
			double *runs = took[r][step];
			char cell[64];

			qsort(runs, rounds, sizeof(*runs), double_compare);
			if (runs[0] < 0)
				snprintf(cell, sizeof(cell), "-");
			else
				snprintf(cell, sizeof(cell), "%.1f (%.1f, %.1f)", runs[rounds / 2], runs[0],
				         runs[rounds - 1]);
			printf("  %24s", cell);
		}
	}
	printf("\n%-32s", "bytes a timer");
	for (int r = 0; r < RIVALS; r++)
		printf("  %24zu", rivals[r].bytes);
	printf("\n");
}

static int64_t *
instants_new(size_t count)
{
	int64_t *instants = array_new(count, sizeof(*instants));

	for (size_t i = 0; i < count; i++)
		instants[i] = (int64_t)(drand48() * (double)SPAN);
	return instants;
}

static uint32_t *
order_new(size_t count)
{
	uint32_t *order = array_new(count, sizeof(*order));

	for (size_t i = 0; i < count; i++) {
		size_t k = (size_t)(drand48() * (double)(i + 1));

		order[i] = order[k];
		order[k] = (uint32_t)i;
	}
	return order;
}

int
main(int argc, char **argv)
{
	static double took[RIVALS][STEPS][MAX_RUNS];
	size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 5;
	int64_t *first, *second, *third;
	uint32_t *order;

	if (count < 1 || count > UINT32_MAX || rounds < 1 || rounds > MAX_RUNS) {
		fprintf(stderr, "usage: bench/wheel [TIMERS [ROUNDS]]\n");
		return 2;
	}
	first = instants_new(count);
	second = instants_new(count);
	third = instants_new(count);
	order = order_new(count);
	for (size_t round = 0; round < rounds; round++)
		for (int r = 0; r < RIVALS; r++) {
			struct work work = {count, first, second, third, order};
			double steps[STEPS];

			rivals[r].run(&work, steps);
			for (int step = 0; step < STEPS; step++)
				took[r][step][round] = steps[step];
		}
	printf("%zu timers over 14 days, %zu rounds\n", count, rounds);
	table_print(took, rounds);
	printf("libevent reads the clock at each set and asks the kernel at each turn; its bursts are of timers over 1 "
	       "s.\n");
	free(first);
	free(second);
	free(third);
	free(order);
	return 0;
}
