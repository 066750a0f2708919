/* Deliveries, sent or not, as they are reported. */
#ifndef SLATED_DELIVERY_ROW_H
#define SLATED_DELIVERY_ROW_H

#include "slated/jsonw.h"
#include "slated/result.h"

/* Those to be sent and those that have ended, under one name. A daemon that has claimed one whose time has come is
 * sending it. */
#define DELIVERY_ROWS                                                                                                  \
	"(SELECT key, position, ticket_id, metric, cycle, kind, channel, address, CASE WHEN state = 'pending' "        \
	"AND claimed_by IS NOT NULL AND next_attempt_at <= clock_timestamp() THEN 'sending' ELSE state END AS state, " \
	"attempts, last_error, NULL AS outcome, NULL AS digest, next_attempt_at, created_at, "                         \
	"NULL::timestamptz AS finished_at FROM sla.delivery "                                                          \
	"UNION ALL SELECT key, position, ticket_id, metric, cycle, kind, channel, address, state, attempts, "          \
	"last_error, outcome, digest, NULL, created_at, finished_at FROM sla.delivery_log)"

/* What a query FROM DELIVERY_ROWS AS d selects. */
#define DELIVERY_ROW_COLUMNS                                                                                           \
	RESULT_US("d.created_at")                                                                                      \
	", d.kind, d.metric, d.cycle, d.channel, d.address, d.state, d.attempts, d.last_error, d.outcome, "            \
	"d.digest, " RESULT_US("d.next_attempt_at") ", " RESULT_US(                                                    \
	    "d.finished_at") ", d.key, d.ticket_id, "                                                                  \
	                     "(SELECT t.external_id FROM sla.ticket t WHERE t.id = d.ticket_id)"

enum delivery_row_column {
	DELIVERY_ROW_CREATED,
	DELIVERY_ROW_KIND,
	DELIVERY_ROW_METRIC,
	DELIVERY_ROW_CYCLE,
	DELIVERY_ROW_CHANNEL,
	DELIVERY_ROW_ADDRESS,
	DELIVERY_ROW_STATE,
	DELIVERY_ROW_ATTEMPTS,
	DELIVERY_ROW_LAST_ERROR,
	DELIVERY_ROW_OUTCOME,
	DELIVERY_ROW_DIGEST,
	DELIVERY_ROW_NEXT,
	DELIVERY_ROW_FINISHED,
	DELIVERY_ROW_KEY,
	DELIVERY_ROW_TICKET,
	DELIVERY_ROW_EXTERNAL,
};

#define DELIVERY_ROW_STATES 5
extern const char *const delivery_row_states[DELIVERY_ROW_STATES];

/* All of one ticket, in their order; its parameter is the ticket's id. */
extern const char delivery_row_sql[];

/* One row as an object. */
void delivery_row_write(struct jsonw *json, const PGresult *rows, int row);

#endif
