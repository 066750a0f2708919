/* Rows of sla.delivery and sla.delivery_log as deliveries. */
#ifndef SLATED_OUTBOX_CLAIM_H
#define SLATED_OUTBOX_CLAIM_H

#include <libpq-fe.h>

#include "slated/delivery.h"

/* What claim_read() reads, of the table `c`. */
#define DELIVERY_COLUMNS                                                                                               \
	"c.key, c.ticket_id, (SELECT t.external_id FROM sla.ticket t WHERE t.id = c.ticket_id), c.metric, c.cycle, "   \
	"c.channel, c.kind, c.payload::text, c.attempts, c.created_at, "                                               \
	"coalesce(c.next_attempt_at, c.created_at), c.address, "                                                       \
	"c.kind IN ('resolved', 'acknowledged') AND EXISTS (SELECT FROM sla.delivery_log l "                           \
	"  WHERE l.ticket_id = c.ticket_id AND (l.metric, l.cycle, l.channel, l.address) IS NOT DISTINCT FROM "        \
	"  (c.metric, c.cycle, c.channel, c.address) AND l.kind = 'escalated' AND l.state = 'delivered'), "            \
	"c.position "

/* Reads a row, in binary format; its texts are the result's. 0, or -EBADMSG where a value cannot be read. */
int claim_read(const PGresult *result, int row, struct delivery *ret) __attribute__((warn_unused_result));

#endif
