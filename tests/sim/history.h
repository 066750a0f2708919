/* What a run left behind, and the one checker of it: of simulated runs (tests/sim) and of real ones (tests/system, by
 * check_history.c). Whatever went wrong on the way, in the end this holds: each milestone of the model exactly once,
 * none before its instant; each alert reached its receiver at least once, under one key; a ticket's messages in order
 * on each channel, and nothing after the resolve; no shard's lease held by two, and none but its holder recorded. */
#ifndef SLATED_TEST_HISTORY_H
#define SLATED_TEST_HISTORY_H

#include <stdio.h>

#include "slated/engine.h"

struct history;

/* Columns of sla.milestone; NULL and INSTANT_NEVER for NULL. */
struct history_milestone {
	int64_t ticket;
	const char *metric, *milestone, *level, *policy, *calendar, *severity, *reason, *escalation, *trigger;
	const char *notify; /* an array's text: "{chat,pager}" */
	struct instant at, due_at, recorded_at;
	struct instant held_at; /* the same by a clock that is never set, that of the leases; 0: recorded_at */
	struct duration late_by;
	int32_t cycle, step, repeat; /* 0 for NULL but repeat: -1 */
	bool by_reassessment;
	const char *instance;
};

/* A delivery as the database has it at the end, in order of position; `state` as in sla.delivery_log, or "waiting". */
struct history_delivery {
	const char *key;
	int64_t ticket;
	const char *metric; /* or NULL */
	int32_t cycle;
	const char *channel, *kind, *state;
};

/* All texts are copied. They abort when memory is out: this is a test. */
struct history *history_new(const struct policy_set *set);
void history_free(struct history *history);

/* In the order of a ticket's seq; `late` as the daemon noted it; severities that a rule of the daemon's set are left
 * out, as the model's own rule sets them, and so are refused events. */
void history_add_event(struct history *history, int64_t ticket, int64_t seq, const struct ticket_event *event,
                       bool late);
/* From `at` on that configuration is in force, which is lent for good; at first it is that of history_new(). Clocks
 * keep their targets (model.md, section 6), or, where it `migrates`, move to it at some instant after that, those of a
 * ticket together. No timer may be near that instant, and events that are added come under the last. */
void history_add_configuration(struct history *history, struct instant at, const struct policy_set *set, bool migrates);
/* In the order of recording. */
void history_add_milestone(struct history *history, const struct history_milestone *milestone);
void history_add_delivery(struct history *history, const struct history_delivery *delivery);
/* What the receiver accepted, in order. `channel` is NULL where nobody knows it; `at` is only told of. */
void history_add_receipt(struct history *history, const char *channel, const char *key, struct instant at);
/* Of a key of which the database knows nothing any more, and may not. Where it comes again, that is its first time:
 * what the database has lost may happen in another order. */
void history_forgive_receipt(struct history *history, const char *key);
/* In a daemon's hand as the database's clock was set ahead, which ended its lease at once: it may come once more among
 * what the next holder sends. */
void history_loosen_alert(struct history *history, const char *key);
/* When a daemon may have been away: then only the gravest of a clock's alerts sets its ladder going. */
void history_add_absence(struct history *history, struct instant from, struct instant to);
/* `owner` held the lease of the shard in [from, to). */
void history_add_lease(struct history *history, unsigned shard, const char *owner, struct instant from,
                       struct instant to);

/* How often one alert may have come, 0 for no bound. */
void history_set_at_most(struct history *history, unsigned times);

/* Looks at all of it, the model's milestones up to `until`. A line to `report` for each thing that is wrong (at most so
 * many of a kind), and how many there are. */
unsigned history_check(struct history *history, struct instant until, FILE *report);

/* What the last history_check() looked for, a line each: "ok - what" or "not ok - what: how often". Before them notes,
 * "# ..."; the first ends with the instant of the model's last milestone. */
void history_print(const struct history *history, FILE *out);

#endif
