/* What the checker's files share. All that is kept hangs below the ticket that it is about. */
#ifndef SLATED_TEST_HISTORY_INTERNAL_H
#define SLATED_TEST_HISTORY_INTERNAL_H

#include <uthash.h>

#include "history.h"
#include "slated/shards.h"

/* Sorts of violations, and what holds where there is none. */
#define HISTORY_CHECKS(X)                                                                                              \
	X(ACCEPTED, "the model refuses no event that was accepted")                                                    \
	X(TWICE, "nothing recorded twice")                                                                             \
	X(MISSING, "each milestone of the model is recorded")                                                          \
	X(UNEXPECTED, "no milestone is recorded that the model does not have")                                         \
	X(DIFFERENT, "each milestone as the model has it")                                                             \
	X(LATE, "some timer explains each late event")                                                                 \
	X(EARLY, "none recorded before its instant")                                                                   \
	X(STEPS, "a delivery for every step and channel")                                                              \
	X(ENDS, "a delivery for every channel at the end of a clock that it was told of")                              \
	X(WAITING, "nothing waits to be sent")                                                                         \
	X(DEAD, "nothing was given up")                                                                                \
	X(RECEIVED, "each delivery was received")                                                                      \
	X(KEYS, "each alert under one key, and each key on one channel")                                               \
	X(UNKNOWN, "nothing was received that the database does not know")                                             \
	X(OFTEN, "none came more often than it may")                                                                   \
	X(ORDER, "in order for each ticket and channel")                                                               \
	X(RESOLVE, "nothing after the resolve")                                                                        \
	X(HELD, "no lease was held by two")                                                                            \
	X(HOLDER, "only the holder of a ticket's lease recorded its milestones")

enum check {
#define X(name, what) CHECK_##name,
	HISTORY_CHECKS(X)
#undef X
	    CHECK_COUNT,
};

/* Texts of a milestone that are compared as they are. */
enum entry_text {
	TEXT_LEVEL,
	TEXT_POLICY,
	TEXT_CALENDAR,
	TEXT_SEVERITY,
	TEXT_REASON,
	TEXT_ESCALATION,
	TEXT_TRIGGER,
	TEXT_COUNT,
};

/* A milestone, recorded or of the model. */
struct entry {
	enum milestone_kind kind;
	enum metric metric; /* METRIC_COUNT: none */
	int32_t cycle, step, repeat;
	struct instant at, due_at;
	struct instant recorded_at;
	struct instant held_at;
	struct duration late_by;
	bool by_reassessment;
	const char *texts[TEXT_COUNT];
	const char **notify;
	size_t n_notify;
	const char *instance;
};

struct noted_event {
	int64_t seq;
	struct ticket_event event;
	size_t configuration; /* in force, of the history's */
	bool late;
};

struct configuration {
	struct instant from;
	const struct policy_set *set;
	bool migrates;
};

/* A key, known to the database or not. */
struct alert {
	const char *key;
	bool known;
	bool forgiven;
	bool loose;
	unsigned copies; /* deliveries of that key */
	int64_t ticket;
	enum metric metric; /* METRIC_COUNT: none */
	int32_t cycle;
	const char *channel, *kind, *state;
	const char *received_on; /* the channel of its last receipt */
	bool strayed;            /* its receipts came on several */
	size_t first, last;      /* receipts, counted from 1 */
	size_t anew;             /* the first since it was forgiven, or 0 */
	size_t lost;             /* the last receipt before that */
	struct instant first_at;
	unsigned times;
	UT_hash_handle hh;
};

struct ticket_log {
	int64_t ticket;
	struct noted_event *events;
	size_t n_events;
	bool has_late;
	struct entry *recorded;
	size_t n_recorded;
	struct alert **alerts; /* by position */
	size_t n_alerts;
	UT_hash_handle hh;
};

struct absence {
	struct instant from, to;
};

struct lease {
	unsigned shard;
	const char *owner;
	struct instant from, to;
};

/* Memory that is freed all at once, newest chunk first. */
struct chunk {
	struct chunk *former;
	size_t used, size;
	_Alignas(max_align_t) char bytes[];
};

struct history {
	struct engine *engine;
	struct configuration *configurations;
	size_t n_configurations;
	struct chunk *kept;
	struct chunk *scratch; /* of one play */
	struct ticket_log *tickets;
	struct alert *alerts;
	size_t n_receipts;
	struct absence *absences;
	size_t n_absences;
	struct lease *leases;
	size_t n_leases;
	unsigned at_most;
	/* The last play. */
	struct entry *model;
	size_t n_model;
	/* The last check. */
	FILE *report;
	unsigned found[CHECK_COUNT];
	size_t n_recorded, n_late, n_superseded, n_told;
	struct instant last_at; /* of the model's milestones; INT64_MIN: none */
};

void *history_alloc(struct chunk **chunks, size_t size);
const char *history_keep(struct chunk **chunks, const char *text); /* NULL gives NULL */

/* `items` with room for one more than `n`. */
void *history_grow(void *items, size_t n, size_t size);

/* Keeps at most as much as one play needs. */
void history_scratch_reset(struct history *history);

/* Counts a violation and tells of it. */
void history_blame(struct history *history, enum check check, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define ENTRY_TEXT_SIZE 600
const char *entry_describe(const struct entry *entry, char text[static ENTRY_TEXT_SIZE]);

/* Whether the two are the same milestone by model.md section 7, whatever else they say. */
bool entry_is_same(const struct entry *a, const struct entry *b);

/* The first thing in which they differ, or NULL. */
const char *entry_difference(const struct entry *a, const struct entry *b);

/* The checks, each of one ticket or of all. */
void history_check_model(struct history *history, const struct ticket_log *log, struct instant until);
void history_check_deliveries(struct history *history, const struct ticket_log *log);
void history_check_alerts(struct history *history);
void history_check_leases(struct history *history);

#endif
