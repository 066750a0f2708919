/* What the parts of the engine share: clock.c keeps clocks, ladder.c the steps, reassess.c the rules, engine.c events.
 */
#ifndef SLATED_ENGINE_INTERNAL_H
#define SLATED_ENGINE_INTERNAL_H

#include "slated/engine.h"

#define INSTANT_UNSET ((struct instant){INT64_MIN})

/* Rules that one event's milestones have called and that wait until it is done: at most one call a clock. */
struct rule_calls {
	unsigned n;
	enum rule_on on[METRIC_COUNT];
};

struct engine {
	const struct policy_set *set;
	struct atoms *atoms;
	struct engine_sink sink;
	bool asks_status; /* a policy of `set` matches by status */
	struct rule_calls *calls; /* of the event or timer in hand */
	struct instant
	    catch_start; /* what fires from here on outweighs what fired before it; INSTANT_NEVER: nothing does */
	bool absence;    /* catching up */
	unsigned depth;  /* of rules calling rules */
	bool too_deep;   /* that was reported: no rule is applied any more in the call in hand */
	bool opening;    /* in an `opened`, before its clocks start */
	bool in_event;   /* what happens is called for by an event, not by a timer */
	int error;       /* sticky -ENOMEM of the call in hand */
};

/* What a reopened resolution takes over from its former cycle. */
struct carry {
	struct duration consumed;
	bool breached;
};

/* engine.c */
void engine_emit(struct engine *engine, struct ticket *ticket, const struct clock *clock, struct milestone milestone);
void engine_call_rules(struct engine *engine, enum rule_on on);
/* engine_rematch() as part of something larger: `error` says where memory was out. */
void engine_match_anew(struct engine *engine, struct ticket *ticket);

/* clock.c: each writes its milestones at `now`. */
void clock_start(struct engine *engine, struct ticket *ticket, enum metric metric, struct instant now,
                 struct carry carry);
void clock_pause_or_resume(struct engine *engine, struct ticket *ticket, struct clock *clock, struct instant now);
/* Puts the clock on the target that `policy` of `set` (NULL: none) has for the ticket's severity. */
void clock_retarget(struct engine *engine, struct ticket *ticket, struct clock *clock, const struct policy_set *set,
                    const struct policy *policy, struct instant now, bool by_reassessment);
void clock_meet(struct engine *engine, struct ticket *ticket, struct clock *clock, struct instant now);
void clock_withdraw(struct engine *engine, struct ticket *ticket, struct clock *clock, struct instant now,
                    const char *reason);
void clock_fire(struct engine *engine, struct ticket *ticket, struct clock *clock, struct instant now);
/* Whether the clock would be due earlier on `policy`, as `better_of` asks. */
bool clock_is_better_on(const struct clock *clock, const struct ticket *ticket, const struct policy_set *set,
                        const struct policy *policy, struct instant now);

/* ladder.c */
void ladder_trigger_clock(struct engine *engine, struct ticket *ticket, struct clock *clock, enum trigger_kind kind,
                          const char *level, struct instant at);
void ladder_trigger_ticket(struct engine *engine, struct ticket *ticket, enum trigger_kind kind, uint32_t number,
                           struct instant at);
void ladder_acknowledge(struct ticket *ticket, struct instant at, struct duration hold);
void ladder_drop_clock(struct ticket *ticket, const struct clock *clock);
void ladder_drop_all(struct ticket *ticket);
void ladder_fire(struct engine *engine, struct ticket *ticket, struct instant now);
/* Amid what an absence has left behind, before a rule sets the severity at `at`: that is an event like others, so the
 * steps before it find the clocks as they were then. */
void ladder_catch_up(struct engine *engine, struct ticket *ticket, struct instant at);

/* reassess.c */
void reassess_set_severity(struct engine *engine, struct ticket *ticket, unsigned severity, enum actor by,
                           struct instant at);
void reassess_apply_rules(struct engine *engine, struct ticket *ticket, enum rule_on on, struct instant at);
void reassess_apply_calls(struct engine *engine, struct ticket *ticket, const struct rule_calls *calls,
                          struct instant at);

#endif
