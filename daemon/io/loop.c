#include "slated/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "slated/timebase.h"

struct loop {
	struct event_base *base;
};

struct timer {
	struct event *event;
	void (*fire)(void *arg);
	void *arg;
};

int
loop_new(struct event_base *base, struct loop **ret)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	if (loop == NULL)
		return -ENOMEM;
	loop->base = base;
	*ret = loop;
	return 0;
}

void
loop_free(struct loop *loop)
{
	free(loop);
}

int64_t
loop_ticks(const struct loop *loop)
{
	(void)loop;
	return timebase_ticks();
}

struct instant
loop_host_clock(const struct loop *loop)
{
	(void)loop;
	return (struct instant){(int64_t)time(NULL) * US_PER_S};
}

uint64_t
loop_random(struct loop *loop)
{
	uint64_t value;
	(void)loop;
	if (getrandom(&value, sizeof(value), 0) != sizeof(value))
		abort(); /* cannot be: so few bytes are given whole once the pool is ready */
	return value;
}

void
loop_end(struct loop *loop)
{
	(void)event_base_loopbreak(loop->base);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct timer *timer = arg;
	(void)fd;
	(void)what;
	timer->fire(timer->arg);
}

int
timer_new(struct loop *loop, void (*fire)(void *arg), void *arg, struct timer **ret)
{
	struct timer *timer = calloc(1, sizeof(*timer));
	if (timer == NULL)
		return -ENOMEM;
	*timer = (struct timer){event_new(loop->base, -1, 0, on_event, timer), fire, arg};
	if (timer->event == NULL) {
		free(timer);
		return -ENOMEM;
	}
	*ret = timer;
	return 0;
}

void
timer_free(struct timer *timer)
{
	if (timer == NULL)
		return;
	event_free(timer->event);
	free(timer);
}

void
timer_set(struct timer *timer, struct duration after)
{
	int64_t us = after.us < 0 ? 0 : after.us;
	struct timeval tv = {us / US_PER_S, us % US_PER_S};
	/* Without memory for its heap libevent would lose the timer, and nobody would wake up. */
	if (event_add(timer->event, &tv) < 0)
		abort();
}

void
timer_unset(struct timer *timer)
{
	(void)event_del(timer->event);
}

bool
timer_is_set(const struct timer *timer)
{
	return event_pending(timer->event, EV_TIMEOUT, NULL) != 0;
}
