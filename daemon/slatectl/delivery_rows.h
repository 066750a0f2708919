/* Deliveries, sent or not, as a table or as JSON. */
#ifndef SLATED_SLATECTL_DELIVERY_ROWS_H
#define SLATED_SLATECTL_DELIVERY_ROWS_H

#include "db.h"
#include "jsonw.h"
#include "view.h"

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
#define DELIVERY_ROWS_COLUMNS                                                                                          \
	DB_US("d.created_at")                                                                                          \
	", d.kind, d.metric, d.cycle, d.channel, d.address, d.state, d.attempts, d.last_error, d.outcome, "            \
	"d.digest, " DB_US("d.next_attempt_at") ", " DB_US(                                                            \
	    "d.finished_at") ", d.key, d.ticket_id, "                                                                  \
	                     "(SELECT t.external_id FROM sla.ticket t WHERE t.id = d.ticket_id)"

/* All of one ticket, in their order; its parameter is the ticket's id. */
extern const char delivery_rows_sql[];

/* One row as an object. */
void delivery_rows_write(struct jsonw *json, const PGresult *rows, int row);

/* The rows from `begin` on as a table; `named`: with the delivery's key and ticket. 0 or -ENOMEM. */
int delivery_rows_show(const struct view *view, const PGresult *rows, int begin, bool named)
    __attribute__((warn_unused_result));

#endif
