/* Why a ticket's clocks are as they are: which policy, which target, every stretch of time that counted or did not, in
 * sentences and as data. By the configuration that each clock was started or changed under, as the database keeps it.
 * The API and slatectl say the same, from the same rows. */
#ifndef SLATED_EXPLAIN_H
#define SLATED_EXPLAIN_H

#include "slated/clock_row.h"
#include "slated/stretches.h"

struct config;
struct policy;
struct target;

/* The configurations of a ticket's clocks; the parameter is its id. */
extern const char explain_configurations_sql[];

/* The rows to explain; all are borrowed until explain_free(). */
struct explain_source {
	const PGresult *ticket;         /* ticket_row_sql */
	const PGresult *clocks;         /* clock_row_ticket_sql */
	const PGresult *events;         /* story_row_events.sql */
	const PGresult *configurations; /* explain_configurations_sql, or NULL: they may not be read */
	const struct config *config;    /* one at hand, for clocks of that digest and tickets without clocks; or NULL */
	struct instant now;
};

struct explain_policy {
	const char *name;
	char *why; /* it does not fit */
};

struct explain_stretch {
	struct stretch stretch; /* of a pause only from, to and sum */
	bool paused;
	bool ahead;     /* to come, if nothing changes */
	int64_t event;  /* paused: by which event, or 0 */
	char cause[96]; /* paused: "the ticket was pending (event 3, by agent)" */
};

/* Sentences. Zeroed = none. */
struct explain_lines {
	struct text *at;
	size_t n;
	bool failed; /* memory is out */
};

struct explain_clock {
	struct clock_row row;
	const struct config *config; /* its own, or NULL where that is not to be had */
	struct instant loaded_at;    /* when that came into force; INSTANT_NEVER: not known */
	const char *tzdata;          /* the version of the time zone data then, or NULL */
	const struct policy *policy; /* or NULL, as the target */
	const struct target *target;
	struct explain_policy *passed_over; /* policies before it */
	size_t n_passed_over;
	struct explain_stretch *stretches;
	size_t n_stretches;
	bool truncated; /* there are more */
	struct explain_lines lines;
};

struct explain {
	struct explain_clock *clocks; /* as the rows are ordered */
	size_t n_clocks;
	struct explain_clock none; /* where there is no clock: only passed_over and lines */
	struct config **loaded;
	size_t n_loaded;
};

/* 0 or -ENOMEM. */
int explain_new(const struct explain_source *source, struct explain **ret) __attribute__((warn_unused_result));

/* Takes NULL. */
void explain_free(struct explain *explain);

/* Adds "clocks", or for a ticket without any "passed_over" and "sentences", to the object that is open. */
void explain_write(struct jsonw *json, const struct explain *explain);

/* The zone of a clock's local times; UTC's where its calendar is not known. */
const struct zone *explain_zone(const struct explain_clock *clock);

/* Adds the sentences that need no more than the row and its configuration, as the array "explanation". */
void explain_write_outline(struct jsonw *json, const struct clock_row *row, const struct policy_set *set);

#endif
