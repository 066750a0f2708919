/* libevent's timers.
 * It reads the clock at each set and asks the kernel at each turn; it does not tell the next instant. */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

#include "wheel.h"

/* And its place in libevent's own heap. */
const size_t peer_bytes = sizeof(struct event) + sizeof(struct event *);

static void
fire(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	(void)data;
	loop_fired++;
}

static void
set(struct event_base *loop, struct event *timer, int64_t us)
{
	struct timeval after = {us / US_PER_S, us % US_PER_S};

	(void)loop;
	if (evtimer_add(timer, &after) != 0)
		abort();
}

static void
turn(void *data)
{
	event_base_loop(data, EVLOOP_NONBLOCK);
}

static void
move_all(struct event_base *loop, struct event *timers, const struct work *work, double took[STEPS])
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
	struct event *timers = array_new(work->count, sizeof(*timers));
	const int64_t scale = SPAN / LOOP_SPAN;
	double start;
	struct event_base *loop = event_base_new();

	if (loop == NULL)
		abort();
	for (size_t i = 0; i < work->count; i++)
		evtimer_assign(&timers[i], loop, fire, NULL);
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
	for (size_t i = 0; i < work->count; i++)
		set(loop, &timers[work->order[i]], work->second[i] / scale);
	took[STEP_EXPIRE] = loop_drain(turn, loop, work->count);
	event_base_free(loop);
	free(timers);
}
