/* One row of sla.clock as it is reported, with the open time used up by now. */
#ifndef SLATED_CLOCK_ROW_H
#define SLATED_CLOCK_ROW_H

#include "slated/jsonw.h"
#include "slated/result.h"

struct policy_set;

/* What clock_row_read() reads, of sla.clock as `c`. */
#define CLOCK_ROW_COLUMNS                                                                                              \
	"c.metric, c.cycle, c.state, c.policy, c.calendar, c.severity, c.levels_fired <> '{}', "                       \
	"array_to_json(c.levels_fired)::text, c.by_reassessment, c.budget, c.consumed, c.carried, " CLOCK_ROW_INSTANTS \
	", c.configuration, c.target"
#define CLOCK_ROW_INSTANTS                                                                                             \
	RESULT_US("c.started_at")                                                                                      \
	", " RESULT_US("c.due_at") ", " RESULT_US("c.paused_at") ", " RESULT_US("c.breached_at") ", " RESULT_US(       \
	    "c.ended_at") ", ARRAY(SELECT " RESULT_US("s") " FROM unnest(c.spans) "                                    \
	                                                   "WITH ORDINALITY AS u (s, n) ORDER BY n)::text"
enum { CLOCK_ROW_CONFIGURATION = 18, CLOCK_ROW_N = 20 };

/* All of one ticket in the order of metrics and cycles; its parameter is the ticket's id. */
extern const char clock_row_ticket_sql[];

/* Texts belong to the rows. INSTANT_NEVER where there is no such instant. */
struct clock_row {
	const char *metric;
	const char *state;
	const char *policy;
	const char *calendar;
	const char *severity;
	const char *levels_fired;  /* a JSON array */
	const char *spans;         /* an array's text, in microseconds */
	const char *configuration; /* the digest of the one that its target is of */
	int64_t target;            /* the index in its policy there */
	int64_t cycle;
	struct duration budget;
	struct duration consumed;
	struct duration carried;
	struct instant started_at;
	struct instant due_at;
	struct instant paused_at;
	struct instant breached_at;
	struct instant ended_at;
	struct duration used; /* by now; more than the budget once it is overdue */
	bool at_risk;         /* runs, and a level has fired */
	bool overdue;         /* runs although its due has passed: nobody recorded the breach */
	bool by_reassessment;
	bool rough; /* `used` is an estimate, for want of the calendar */
};

/* Reads the columns from `column` on and works out `used` on the calendar of that name in `set`. Without such a
 * calendar the share of the time from the start to the due stands in. */
void clock_row_read(const PGresult *rows, int row, int column, const struct policy_set *set, struct instant now,
                    struct clock_row *ret);

/* "running", "paused", "breached", "met", "withdrawn" */
bool clock_row_is(const struct clock_row *clock, const char *state);

/* The open time used as a share of the budget. */
double clock_row_share(const struct clock_row *clock);

/* Adds the clock's members to the object that is open. */
void clock_row_write(struct jsonw *json, const struct clock_row *clock);

#endif
