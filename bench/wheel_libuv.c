/* libuv's timers.
 * Milliseconds; they count from the loop's notion of now, which a turn brings up to date. */
#include <stdlib.h>
#include <uv.h>

#include "wheel.h"

/* The heap lies in the timers. */
const size_t peer_bytes = sizeof(uv_timer_t);

static void
fire(uv_timer_t *timer)
{
	(void)timer;
	loop_fired++;
}

static void
set(uv_loop_t *loop, uv_timer_t *timer, int64_t us)
{
	(void)loop;
	if (uv_timer_start(timer, fire, (uint64_t)(us / 1000), 0) != 0)
		abort();
}

static void
turn(void *data)
{
	uv_run(data, UV_RUN_NOWAIT);
}

static void
move_all(uv_loop_t *loop, uv_timer_t *timers, const struct work *work, double took[STEPS])
{
	double start = clock_ns();

	for (size_t i = 0; i < work->count; i++)
		set(loop, &timers[i], US_PER_MIN + work->third[i]);
	took[STEP_MOVE_SAME] = lap(&start, work->count);
	for (size_t i = 0; i < work->count; i++)
		set(loop, &timers[work->order[i]], US_PER_MIN + work->second[i]);
	took[STEP_MOVE] = lap(&start, work->count);
	for (size_t i = 0; i < work->count; i++)
		set(loop, &timers[work->order[i]], US_PER_MIN + work->second[i] + US_PER_H);
	took[STEP_MOVE_ON] = lap(&start, work->count);
}

void
peer_run(const struct work *work, double took[STEPS])
{
	uv_timer_t *timers = array_new(work->count, sizeof(*timers));
	const int64_t scale = SPAN / LOOP_SPAN;
	double start;
	uv_loop_t *loop = uv_default_loop();

	for (size_t i = 0; i < work->count; i++)
		if (uv_timer_init(loop, &timers[i]) != 0)
			abort();
	for (size_t i = 0; i < work->count; i++)
		set(loop, &timers[i], work->first[i] / scale);
	took[STEP_EXPIRE_NEW] = loop_drain(turn, loop, work->count);
	start = clock_ns();
	for (size_t i = 0; i < work->count; i++)
		set(loop, &timers[i], US_PER_MIN + work->first[i]);
	took[STEP_INSERT] = lap(&start, work->count);
	move_all(loop, timers, work, took);
	start = clock_ns();
	for (int i = 0; i < TURNS; i++)
		turn(loop);
	took[STEP_IDLE] = lap(&start, TURNS);
	start = clock_ns();
	for (int i = 0; i < TURNS; i++)
		if (uv_backend_timeout(loop) <= 0)
			abort();
	took[STEP_NEXT] = lap(&start, TURNS);
	for (size_t i = 0; i < work->count; i++)
		set(loop, &timers[work->order[i]], work->second[i] / scale);
	took[STEP_EXPIRE] = loop_drain(turn, loop, work->count);
	for (size_t i = 0; i < work->count; i++)
		uv_close((uv_handle_t *)&timers[i], NULL);
	uv_run(loop, UV_RUN_DEFAULT);
	uv_loop_close(loop);
	free(timers);
}
