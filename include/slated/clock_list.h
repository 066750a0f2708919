/* The open clocks with their tickets, as lists of them are asked for. */
#ifndef SLATED_CLOCK_LIST_H
#define SLATED_CLOCK_LIST_H

#include "slated/clock_row.h"

/* The parameters of clock_list_sql. NULL: not asked for; patterns are LIKE's, case-blind. */
enum clock_list_param {
	CLOCK_LIST_STATE, /* one of clock_list_states */
	CLOCK_LIST_METRIC,
	CLOCK_LIST_POLICY, /* this and what follows to the team: patterns */
	CLOCK_LIST_PLAN,
	CLOCK_LIST_ORG,
	CLOCK_LIST_SEVERITY,
	CLOCK_LIST_ASSIGNEE,
	CLOCK_LIST_TEAM,
	CLOCK_LIST_WITHIN,  /* due within so many microseconds, or overdue */
	CLOCK_LIST_TICKETS, /* only of these tickets: "{1,2}" */
	CLOCK_LIST_LINK,    /* the configuration's links.ticket */
	CLOCK_LIST_NOW,     /* microseconds since 1970; always given */
	CLOCK_LIST_AFTER,   /* goes on behind this place, ticket, metric and cycle */
	CLOCK_LIST_AFTER_TICKET,
	CLOCK_LIST_AFTER_METRIC,
	CLOCK_LIST_AFTER_CYCLE,
	CLOCK_LIST_LIMIT,
	CLOCK_LIST_PARAMS,
};

/* "at_risk" are those running ones of which a level has fired. */
#define CLOCK_LIST_STATES 4
extern const char *const clock_list_states[CLOCK_LIST_STATES];

/* The last acknowledgement of the ticket `id` as `a`, to be joined, and until when it holds. */
#define CLOCK_LIST_ACK(id)                                                                                             \
	"LEFT JOIN LATERAL (SELECT e.at, e.by, e.\"for\" FROM sla.event e WHERE e.ticket_id = " id                     \
	" AND e.kind = 'ack' AND e.refused IS NULL ORDER BY e.seq DESC LIMIT 1) AS a ON true "
#define CLOCK_LIST_HELD_UNTIL RESULT_US("a.at + " RESULT_HELD("a.\"for\""))

enum clock_list_column {
	CLOCK_LIST_ID,
	CLOCK_LIST_SOURCE,
	CLOCK_LIST_EXTERNAL,
	CLOCK_LIST_COLUMN_ORG,
	CLOCK_LIST_COLUMN_PLAN,
	CLOCK_LIST_STATUS,
	CLOCK_LIST_COLUMN_ASSIGNEE,
	CLOCK_LIST_COLUMN_TEAM,
	CLOCK_LIST_URL,
	CLOCK_LIST_ACK_AT, /* of the last acknowledgement */
	CLOCK_LIST_ACK_BY,
	CLOCK_LIST_ACK_UNTIL, /* NULL: it does not expire */
	CLOCK_LIST_PLACE,
	CLOCK_LIST_ALL, /* this and what follows to CLOCK_LIST_OVERDUE: counts over all that match */
	CLOCK_LIST_BREACHED,
	CLOCK_LIST_AT_RISK,
	CLOCK_LIST_RUNNING,
	CLOCK_LIST_PAUSED,
	CLOCK_LIST_OVERDUE,
	CLOCK_LIST_CLOCK, /* CLOCK_ROW_COLUMNS */
};

/* Breached ones come first and paused ones last, the others in the order of their dues. */
extern const char clock_list_sql[];

/* A glob with "*" and "?" as a pattern for LIKE; the caller frees it. NULL: out of memory. */
char *clock_list_pattern(const char *glob);

/* Adds what a row says of the ticket to the object that is open; whether it is acknowledged depends on `now`. */
void clock_list_write_ticket(struct jsonw *json, const PGresult *rows, int row, struct instant now);

#endif
