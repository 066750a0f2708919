#include "slated/gate.h"

#include <assert.h>

/* Between probes: from 1 s on, doubling. */
#define PROBE_MAX_US (30 * US_PER_S)
/* Nobody is left alone for longer, whatever he asks for: what waits has to be given up in time. */
#define ASKED_MAX_US US_PER_H

void
gate_init(struct gate *gate, struct rate rate)
{
	assert(rate.count == 0 || rate.per.us >= rate.count);
	*gate = (struct gate){
	    .rate = rate,
	    .full_at = {INT64_MIN},
	    .hold_until = {INT64_MIN},
	    .probe_at = {INT64_MIN},
	    .failing_since = INSTANT_NEVER,
	};
}

/* How long one message's share of the rate is. */
static int64_t
gate_interval(const struct gate *gate)
{
	return gate->rate.per.us / gate->rate.count;
}

/* How much of the burst is taken, as time. A clock that was set back makes it the whole at most. */
static int64_t
gate_taken(const struct gate *gate, struct instant now)
{
	int64_t whole = gate_interval(gate) * gate->rate.count;
	int64_t taken = instant_since(gate->full_at, now).us;
	return taken < 0 ? 0 : taken > whole ? whole : taken;
}

/* Until when nothing is sent, or INT64_MIN. What lies further ahead than any hold comes from a clock that was set back.
 */
static struct instant
gate_hold(const struct gate *gate, struct instant now)
{
	struct instant until = gate->hold_until;
	if (gate_is_open(gate))
		until = instant_max(until, gate->probe_at);
	if (!instant_before(now, until) || instant_since(until, now).us > ASKED_MAX_US)
		return (struct instant){INT64_MIN};
	return until;
}

unsigned
gate_tokens(const struct gate *gate, struct instant now)
{
	if (instant_before(now, gate_hold(gate, now)))
		return 0;
	unsigned tokens = GATE_UNLIMITED;
	if (gate->rate.count > 0) {
		int64_t interval = gate_interval(gate);
		tokens = (unsigned)((interval * gate->rate.count - gate_taken(gate, now)) / interval);
	}
	return gate_is_open(gate) && tokens > 1 ? 1 : tokens;
}

struct instant
gate_next(const struct gate *gate, struct instant now)
{
	struct instant next = instant_max(now, gate_hold(gate, now));
	if (gate->rate.count > 0) {
		int64_t interval = gate_interval(gate);
		int64_t short_by = gate_taken(gate, now) - interval * (gate->rate.count - 1);
		if (short_by > 0)
			next = instant_max(next, instant_plus(now, (struct duration){short_by}));
	}
	return next;
}

void
gate_take(struct gate *gate, struct instant now)
{
	if (gate->rate.count > 0)
		gate->full_at.us = now.us + gate_taken(gate, now) + gate_interval(gate);
}

void
gate_succeeded(struct gate *gate)
{
	gate->failures = 0;
	gate->failing_since = INSTANT_NEVER;
}

void
gate_failed(struct gate *gate, struct instant now, struct duration asked)
{
	if (instant_equal(gate->failing_since, INSTANT_NEVER))
		gate->failing_since = now;
	if (gate->failures < UINT_MAX)
		gate->failures++;
	if (gate_is_open(gate)) {
		unsigned shift = gate->failures - GATE_FAILURES;
		int64_t wait = shift < 5 ? US_PER_S << shift : PROBE_MAX_US;
		gate->probe_at = instant_plus(now, (struct duration){wait});
	}
	if (asked.us > 0) {
		int64_t wait = asked.us < ASKED_MAX_US ? asked.us : ASKED_MAX_US;
		gate->hold_until = instant_max(gate->hold_until, instant_plus(now, (struct duration){wait}));
	}
}
