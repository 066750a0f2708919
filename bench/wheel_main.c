/* Usage: bench/wheel_PEER TIMERS. Prints "STEP<tab>NANOSECONDS EACH", and the bytes a timer takes. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "wheel.h"

static const char *const step_names[STEPS] = {
    [STEP_INSERT] = "insert",
    [STEP_MOVE_SAME] = "move, in order of insertion",
    [STEP_MOVE] = "move, in random order",
    [STEP_MOVE_ON] = "move an hour on, in random order",
    [STEP_NEXT] = "look up the next",
    [STEP_TAKE] = "take the first, look up the next",
    [STEP_IDLE] = "turn with nothing due",
    [STEP_EXPIRE] = "expiry in a burst, after random moves",
    [STEP_EXPIRE_NEW] = "expiry in a burst, after inserts",
    [STEP_EXPIRE_FAR] = "expiry one by one over ten years",
};

size_t loop_fired;

void *
array_new(size_t count, size_t size)
{
	void *array = calloc(count, size);

	if (array == NULL) {
		perror("bench/wheel");
		exit(1);
	}
	return array;
}

size_t
take_turns(size_t count)
{
	return count / 10 + 1 < TURNS ? count / 10 + 1 : TURNS;
}

double
loop_drain(void (*turn)(void *loop), void *loop, size_t count)
{
	struct timespec wait = {.tv_nsec = (LOOP_SPAN + US_PER_S / 20) * 1000};
	double start;

	nanosleep(&wait, NULL);
	loop_fired = 0;
	start = clock_ns();
	while (loop_fired < count)
		turn(loop);
	return lap(&start, count);
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
	size_t count = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	double took[STEPS];
	struct work work = {.count = count};

	if (count < 1 || count > UINT32_MAX) {
		fprintf(stderr, "usage: bench/wheel_PEER TIMERS\n");
		return 2;
	}
	for (int step = 0; step < STEPS; step++)
		took[step] = -1;
	work.first = instants_new(count);
	work.second = instants_new(count);
	work.third = instants_new(count);
	work.order = order_new(count);
	peer_run(&work, took);
	for (int step = 0; step < STEPS; step++)
		if (took[step] >= 0)
			printf("%s\t%.3f\n", step_names[step], took[step]);
	printf("bytes a timer\t%zu\n", peer_bytes);
	free(work.first);
	free(work.second);
	free(work.third);
	free(work.order);
	return 0;
}
