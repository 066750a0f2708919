/* One row of sla.clock as the reporting commands show it, with the open time used up by now. */
#ifndef SLATED_SLATECTL_CLOCK_ROW_H
#define SLATED_SLATECTL_CLOCK_ROW_H

#include "db.h"
#include "jsonw.h"
#include "view.h"

struct policy_set;

/* What clock_row_read() reads, of sla.clock as `c`. */
#define CLOCK_ROW_COLUMNS                                                                                              \
	"c.metric, c.cycle, c.state, c.policy, c.calendar, c.severity, "                                               \
	"c.levels_fired <> '{}', array_to_json(c.levels_fired)::text, c.by_reassessment, c.budget, c.consumed, "       \
	"c.carried, " DB_US("c.started_at") ", " DB_US("c.due_at") ", " DB_US("c.paused_at") ", " DB_US(               \
	    "c.breached_at") ", " DB_US("c.ended_at") ", ARRAY(SELECT " DB_US("s") " FROM unnest(c.spans) "            \
	                                                                           "WITH ORDINALITY AS u (s, n) "      \
	                                                                           "ORDER BY n)::text"
enum { CLOCK_ROW_N = 18 };

/* Texts belong to the rows. INSTANT_NEVER where there is no such instant. */
struct clock_row {
	const char *metric;
	const char *state;
	const char *policy;
	const char *calendar;
	const char *severity;
	const char *levels_fired; /* a JSON array */
	const char *spans;        /* an array's text, in microseconds */
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

/* The open time used as a share of the budget. */
double clock_row_share(const struct clock_row *clock);

/* "update", or "update (3)" from the second cycle on. */
void clock_row_name(const struct clock_row *clock, char text[static VIEW_TEXT_SIZE]);

/* "in 2h05m" until the due, "3m ago" since; for a paused clock the open time it would have, "1h30m left". */
void clock_row_left(const struct view *view, const struct clock_row *clock, char text[static VIEW_TEXT_SIZE]);

/* The state in words for people, and its colour or NULL. */
const char *clock_row_label(const struct clock_row *clock);
const char *clock_row_color(const struct clock_row *clock);

/* Adds the clock's members to the object that is open. */
void clock_row_write(struct jsonw *json, const struct clock_row *clock);

#endif
