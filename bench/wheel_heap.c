/* A 4-ary heap as one would write it: an array of instants and timers, each timer knowing its position. */
#include <stdio.h>
#include <stdlib.h>

#include "wheel.h"

struct heap_timer {
	uint32_t position; /* from 1, 0 = not in the heap */
};

struct heap_entry {
	int64_t at_us;
	struct heap_timer *timer;
};

struct heap {
	struct heap_entry *entries; /* [0] is unused */
	size_t count;
};

const size_t peer_bytes = sizeof(struct heap_entry) + sizeof(struct heap_timer);

static void
heap_put(struct heap *heap, size_t position, struct heap_entry entry)
{
	heap->entries[position] = entry;
	entry.timer->position = (uint32_t)position;
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
	return lap(&start, count);
}

static double
insert_all(struct heap *heap, struct heap_timer *timers, const struct work *work)
{
	double start = clock_ns();

	for (size_t i = 0; i < work->count; i++)
		heap_set(heap, &timers[i], NOW + US_PER_S + work->first[i]);
	return lap(&start, work->count);
}

static void
move_all(struct heap *heap, struct heap_timer *timers, const struct work *work, double took[STEPS])
{
	double start = clock_ns();

	for (size_t i = 0; i < work->count; i++)
		heap_set(heap, &timers[i], NOW + US_PER_S + work->third[i]);
	took[STEP_MOVE_SAME] = lap(&start, work->count);
	for (size_t i = 0; i < work->count; i++)
		heap_set(heap, &timers[work->order[i]], NOW + US_PER_S + work->second[i]);
	took[STEP_MOVE] = lap(&start, work->count);
	for (size_t i = 0; i < work->count; i++) {
		struct heap_timer *timer = &timers[work->order[i]];

		heap_set(heap, timer, heap->entries[timer->position].at_us + US_PER_H);
	}
	took[STEP_MOVE_ON] = lap(&start, work->count);
}

static void
look(struct heap *heap, size_t turns, double took[STEPS])
{
	volatile int64_t seen;
	double start = clock_ns();

	for (int turn = 0; turn < TURNS; turn++)
		if (heap_pop(heap, NOW + turn) != NULL)
			abort();
	took[STEP_IDLE] = lap(&start, TURNS);
	for (int turn = 0; turn < TURNS; turn++)
		seen = heap->entries[1].at_us;
	took[STEP_NEXT] = lap(&start, TURNS);
	(void)seen;
	for (size_t i = 0; i < turns; i++)
		if (heap_pop(heap, heap->entries[1].at_us) == NULL)
			abort();
	took[STEP_TAKE] = lap(&start, turns);
}

static double
expire_far(struct heap *heap, struct heap_timer *timers, const struct work *work)
{
	double start;

	for (size_t i = 0; i < work->count; i++)
		heap_set(heap, &timers[i], NOW + (int64_t)((double)work->first[i] / (double)SPAN * (double)SPAN_FAR));
	start = clock_ns();
	while (heap->count > 0)
		if (heap_pop(heap, heap->entries[1].at_us) == NULL)
			abort();
	return lap(&start, work->count);
}

void
peer_run(const struct work *work, double took[STEPS])
{
	struct heap_timer *timers = array_new(work->count, sizeof(*timers));
	struct heap heap = {.entries = array_new(work->count + 1, sizeof(struct heap_entry))};
	size_t turns = take_turns(work->count);

	(void)insert_all(&heap, timers, work);
	took[STEP_EXPIRE_NEW] = heap_drain(&heap, work->count);
	took[STEP_INSERT] = insert_all(&heap, timers, work);
	move_all(&heap, timers, work, took);
	look(&heap, turns, took);
	took[STEP_EXPIRE] = heap_drain(&heap, work->count - turns);
	took[STEP_EXPIRE_FAR] = expire_far(&heap, timers, work);
	free(heap.entries);
	free(timers);
}
