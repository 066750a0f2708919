/* What the engine keeps of one ticket: its facts as applied, its clocks and the ladder steps in hand. Plain data, since
 * the ledger stores it and start-up restores it; only the engine changes it. model.md sections 4 to 8. */
#ifndef SLATED_TICKET_H
#define SLATED_TICKET_H

#include <assert.h>

#include "slated/atom.h"
#include "slated/policy.h"
#include "slated/wheel.h"

enum clock_state {
	CLOCK_RUNNING,
	CLOCK_PAUSED,
	CLOCK_BREACHED,
	CLOCK_MET,
	CLOCK_WITHDRAWN,
	CLOCK_STATE_COUNT,
};

extern const char *const clock_state_names[CLOCK_STATE_COUNT];

/* A stretch of time during which a clock was not paused. */
struct active_span {
	struct instant from;
	struct instant to;
};

/* More spans than that no row of the database holds. */
#define CLOCK_SPANS_BITS 25
#define CLOCK_SPANS_MAX  ((1u << CLOCK_SPANS_BITS) - 1)

/* One clock: one metric, one cycle.
 *
 *   started_at       span 0        span 1          running_since      due_at
 *       |--------------------|   |---------|            |------ ... ----|
 *        <---- consumed (with what was carried over) ---->
 *
 * What is looked at to find the next instant comes first. */
struct clock {
	struct clock *next;     /* of the ticket: by metric, then by cycle */
	struct instant next_at; /* the next level or the due, INSTANT_NEVER: neither */
	uint32_t cycle;
	uint32_t n_spans : CLOCK_SPANS_BITS;
	uint32_t metric : 3;
	uint32_t state : 3;
	bool dirty : 1; /* changed since the driver last stored it */
	const struct target *target;
	union {
		struct {
			struct instant running_since; /* CLOCK_RUNNING: where the present span began */
			struct instant ended_at;      /* CLOCK_MET, CLOCK_WITHDRAWN */
		};
		struct active_span whole; /* ended and never paused or breached: its `spans` are this */
	};
	struct duration consumed; /* before the present span, with `carried` */
	struct instant due_at;    /* INSTANT_NEVER: has none */
	struct duration budget;
	uint64_t fired; /* level ids of `set` that have fired */
	const struct policy *policy;
	const struct policy_set *set;
	struct active_span *spans; /* see `whole` */
	struct instant started_at;
	struct instant breached_at; /* INSTANT_NEVER: was not */
	struct instant paused_at;   /* CLOCK_PAUSED */
	struct duration carried;    /* consumed in former cycles */
};

static_assert(METRIC_COUNT <= 1 << 3 && CLOCK_STATE_COUNT <= 1 << 3, "a clock's bits");
static_assert(sizeof(struct clock) <= 136, "memory per clock");

enum trigger_kind {
	TRIGGER_LEVEL,
	TRIGGER_BREACHED,
	TRIGGER_REQUESTED,
	TRIGGER_REASSESSED,
};

/* One step of a ladder, set going by one trigger and not yet done. */
struct run {
	struct run *next;             /* in the order in which they were set going */
	struct clock *clock;          /* NULL: the ticket's */
	const struct policy_set *set; /* the ladder's; the clock, if any, may have gone on to another */
	const struct ladder *ladder;
	const char *level; /* TRIGGER_LEVEL: its text, of the ladder's configuration */
	struct instant trigger_at;
	struct instant next_at; /* when it fires next; an acknowledgement that holds it has moved this */
	uint32_t number;        /* N of requested:N and reassessed:N */
	uint32_t repeat;        /* of the next firing */
	uint16_t step;          /* index within the ladder */
	uint8_t kind;
};

struct custom_fact {
	atom key;
	atom value;
};

struct ticket {
	struct wheel_node timer; /* the driver's */
	/* These fill what the timer leaves of eight bytes. */
	uint8_t severity;
	uint8_t status;
	bool opened : 1;
	bool merged : 1;
	bool dirty : 1;
	bool prunable : 1; /* a clock has ended or been followed since ticket_prune() */
	struct clock *clocks;
	struct run *runs;
	struct instant last_at;      /* of its last event, fired timer or move */
	const struct policy *policy; /* the one that matches now, or NULL */
	uint64_t id;
	struct instant opened_at;
	struct custom_fact *custom;
	/* The last acknowledgement without an end, the last with one, and the end of the latter: INT64_MIN when none.
	 */
	struct instant ack_at;
	struct instant hold_at;
	struct instant hold_until;
	atom attributes[ATTRIBUTE_COUNT];
	uint32_t n_custom;
	uint32_t requested;
	uint32_t reassessed;
};

static_assert(sizeof(struct ticket) <= 152, "memory per ticket");

/* Frees what hangs below the ticket, not the ticket. */
void ticket_clear(struct ticket *ticket);

/* Frees what ended clocks no longer need; the driver calls it once it has stored them: those that a later cycle has
 * followed, those of first responses, which have one cycle, and the spans of the others. */
void ticket_prune(struct ticket *ticket);

/* The same, but a first response's clock stays when it has ended. */
void ticket_prune_followed(struct ticket *ticket);

/* The latest cycle's clock of a metric, or NULL. */
struct clock *ticket_clock(const struct ticket *ticket, enum metric metric);

/* When the ticket's next level or due, its next ladder step, and the first of all comes, or INSTANT_NEVER. */
struct instant ticket_next_deadline(const struct ticket *ticket);
struct instant ticket_next_step(const struct ticket *ticket);
struct instant ticket_next(const struct ticket *ticket);

/* Whether the ticket is closed or merged: nothing more can come of it. */
bool ticket_is_final(const struct ticket *ticket);

static inline bool
clock_is_active(const struct clock *clock)
{
	return clock->state <= CLOCK_BREACHED;
}

/* Open time consumed at `now`, with what was carried over. */
struct duration clock_consumed(const struct clock *clock, struct instant now);

/* A level of the clock's target that lies inside its budget and has not fired. */
struct planned_level {
	const struct level *level;
	struct duration point; /* consumed when it fires */
	struct instant at;     /* when it fires, or fired had it been there in time; INSTANT_NEVER while paused */
};

/* The clock's remaining levels in the order in which they fire. Returns how many. */
size_t clock_levels(const struct clock *clock, struct planned_level ret[static LEVEL_MAX]);

/* Works out `due_at` and `next_at` anew from the rest of a restored clock. */
void clock_restore(struct clock *clock);

#endif
