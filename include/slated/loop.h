/* What those who decide need of their surroundings: what time it is, timers, chance. loop.c has libevent's, for the
 * daemon; tests/sim has one whose time is simulated, so that the same code can be driven by a seed. */
#ifndef SLATED_LOOP_H
#define SLATED_LOOP_H

#include <stdint.h>

#include "slated/instant.h"
#include "slated/text.h"

struct event_base;
struct loop;
struct timer;

/* `base` is borrowed. 0 or -ENOMEM. */
int loop_new(struct event_base *base, struct loop **ret) __attribute__((warn_unused_result));
void loop_free(struct loop *loop);

/* Microseconds that go on whatever becomes of the host's clock, asleep too. */
int64_t loop_ticks(const struct loop *loop);

/* What the host takes for the present, until the database has said what it is. */
struct instant loop_host_clock(const struct loop *loop);

/* 64 even bits. */
uint64_t loop_random(struct loop *loop);

/* A UUID of version 4. */
static inline void
loop_uuid(struct loop *loop, char ret[static TEXT_UUID_SIZE])
{
	const uint64_t first = loop_random(loop);
	text_uuid((const uint64_t[]){first, loop_random(loop)}, ret);
}

/* Ends the loop after the present turn. */
void loop_end(struct loop *loop);

/* Calls `fire` from the loop, once for each time it was set. 0 or -ENOMEM. */
int timer_new(struct loop *loop, void (*fire)(void *arg), void *arg, struct timer **ret)
    __attribute__((warn_unused_result));
/* Takes NULL. */
void timer_free(struct timer *timer);

/* From now, in place of what it was set to; 0 and less: in the next turn. */
void timer_set(struct timer *timer, struct duration after);
void timer_unset(struct timer *timer);
bool timer_is_set(const struct timer *timer);

#endif
