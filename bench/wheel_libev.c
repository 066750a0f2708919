/* libev's timers. They count from the loop's notion of now, and are moved in place, as ev_timer_again() does; the next
 * instant is not told. */
#include <ev.h>
#include <stdlib.h>

#include "wheel.h"

/* And its entry in the heap: an instant and a pointer. */
const size_t peer_bytes = sizeof(ev_timer) + sizeof(ev_tstamp) + sizeof(ev_timer *);

static void
fire(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
	loop_fired++;
}

static void
set(struct ev_loop *loop, ev_timer *timer, int64_t us)
{
	timer->repeat = (double)us / (double)US_PER_S + 1e-6; /* 0 would stop it */
	ev_timer_again(loop, timer);
}

/* A timer that is moved in place would start again when it expires. */
static void
expire_once(ev_timer *timers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		timers[i].repeat = 0;
}

static void
turn(void *data)
{
	ev_run(data, EVRUN_NOWAIT);
}

static void
move_all(struct ev_loop *loop, ev_timer *timers, const struct work *work, double took[STEPS])
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
	ev_timer *timers = array_new(work->count, sizeof(*timers));
	const int64_t scale = SPAN / LOOP_SPAN;
	double start;
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);

	if (loop == NULL)
		abort();
	for (size_t i = 0; i < work->count; i++)
		ev_init(&timers[i], fire);
	for (size_t i = 0; i < work->count; i++)
		set(loop, &timers[i], work->first[i] / scale);
	expire_once(timers, work->count);
	took[STEP_EXPIRE_NEW] = loop_drain(turn, loop, work->count);
	ev_now_update(loop);
	start = clock_ns();
	for (size_t i = 0; i < work->count; i++)
		set(loop, &timers[i], US_PER_MIN + work->first[i]);
	took[STEP_INSERT] = lap(&start, work->count);
	move_all(loop, timers, work, took);
	start = clock_ns();
	for (int i = 0; i < TURNS; i++)
		turn(loop);
	took[STEP_IDLE] = lap(&start, TURNS);
	ev_now_update(loop);
	for (size_t i = 0; i < work->count; i++)
		set(loop, &timers[work->order[i]], work->second[i] / scale);
	expire_once(timers, work->count);
	took[STEP_EXPIRE] = loop_drain(turn, loop, work->count);
	ev_loop_destroy(loop);
	free(timers);
}
