/* Whether a channel may be sent to now: a rate, kept by the generic cell rate algorithm (ITU-T I.371, annex A), and a
 * circuit breaker (Nygard, "Release It!", 2007) that lets single probes through while a receiver fails. Pure. */
#ifndef SLATED_GATE_H
#define SLATED_GATE_H

#include <limits.h>

#include "slated/instant.h"

/* So many in such a time. */
struct rate {
	uint32_t count; /* 0: without a limit */
	struct duration per;
};

struct gate {
	struct rate rate;
	struct instant full_at;       /* when the whole burst is there again */
	struct instant hold_until;    /* nothing is sent before: the receiver asked for that */
	struct instant probe_at;      /* while the breaker is open: the next probe */
	struct instant failing_since; /* INSTANT_NEVER: the last attempt went well */
	unsigned failures;            /* in a row */
};

/* After so many failures in a row there are only probes. */
#define GATE_FAILURES  5U
#define GATE_UNLIMITED UINT_MAX

void gate_init(struct gate *gate, struct rate rate);

/* How many may be sent at `now`; while the breaker is open one at most, and the caller sends none beside it. */
unsigned gate_tokens(const struct gate *gate, struct instant now);

/* When gate_tokens() will be more than 0: `now` or later. */
struct instant gate_next(const struct gate *gate, struct instant now);

/* One is sent. */
void gate_take(struct gate *gate, struct instant now);

/* The receiver took it, or gave an answer that ends it. */
void gate_succeeded(struct gate *gate);

/* It failed; `asked`: for how long the receiver wants to be left alone, or 0. */
void gate_failed(struct gate *gate, struct instant now, struct duration asked);

static inline bool
gate_is_open(const struct gate *gate)
{
	return gate->failures >= GATE_FAILURES;
}

#endif
