/* The statements of the outbox. */
#ifndef SLATED_OUTBOX_SQL_H
#define SLATED_OUTBOX_SQL_H

#include "outbox_claim.h"
#include "outbox_unwritten.h"

/* Each look-up is written so that it goes by an index whatever the statistics say: the table was empty when they were
 * made, or nearly so, and has 100,000 rows now. That is why a lane's earlier ones are looked for by an expression: the
 * index by position is of no use for it. What is looked for in a list is an IN, which the server hashes.
 * The first by position, and none of a ticket and channel while an earlier one is not in this session's hand: one that
 * another transaction has locked, or that a claim took which was carried out after its session had been given up. What
 * has ended stays in the index until it is vacuumed, or longer while some snapshot is old, so a claim seldom begins at
 * its start. */
static const char claim_sql[] =
    "WITH next AS MATERIALIZED (SELECT key, ticket_id, channel, position FROM sla.delivery WHERE claimed_by IS NULL "
    "  AND position > CASE WHEN $6::bigint >= 0 THEN $6 ELSE (SELECT max(position) FROM sla.delivery) + $6 END "
    "  AND channel <> ALL ($3::text[]) "
    "  AND (ticket_id IS NULL OR ticket_id % 256 IN (SELECT l.shard FROM sla.lease l WHERE l.owner = $1 "
    "    AND l.expires_at > clock_timestamp())) "
    "  ORDER BY position LIMIT $2::integer FOR UPDATE SKIP LOCKED), "
    "first AS MATERIALIZED (SELECT position FROM next n WHERE (SELECT e.key FROM sla.delivery e "
    "    WHERE e.ticket_id = n.ticket_id AND e.channel = n.channel "
    "    AND e.position + 0 < n.position AND (e.claimed_by, e.claim, e.claim_session) IS DISTINCT FROM "
    "    ($1, $4::uuid, $5::integer) AND e.key NOT IN (SELECT key FROM next) LIMIT 1) IS NULL) "
    "UPDATE sla.delivery c SET claimed_by = $1, claim = $4::uuid, claim_session = $5::integer "
    "  WHERE c.position = ANY (ARRAY(SELECT position FROM first)) RETURNING " DELIVERY_COLUMNS;

/* What channels were told of alerts that are open: clocks that have not ended, and what belongs to no clock of a ticket
 * that is open. OFFSET keeps the two look-ups as they are, ticket by ticket: the log has all that was ever sent, and to
 * pass over it would take longer each year. */
static const char restore_sql[] =
    "SELECT " DELIVERY_COLUMNS "FROM (SELECT ticket_id, status FROM sla.ticket_state WHERE NOT closed "
    "  AND ($2::integer[] IS NULL OR ticket_id % 256 = ANY ($2)) OFFSET 0) AS s "
    "CROSS JOIN LATERAL (SELECT * FROM sla.delivery_log l WHERE l.ticket_id = s.ticket_id "
    "  AND l.channel = ANY ($1::text[]) AND l.state = 'delivered' AND l.kind IN ('escalated', 'acknowledged') "
    "  OFFSET 0) AS c WHERE CASE WHEN c.metric IS NULL THEN s.status NOT IN ('solved', 'closed') ELSE NOT EXISTS ("
    "  SELECT FROM sla.clock k WHERE (k.ticket_id, k.metric, k.cycle) = (c.ticket_id, c.metric, c.cycle) "
    "  AND k.ended_at IS NOT NULL) END "
    "ORDER BY c.position";

/* Ended deliveries move to the log; the others note their attempt. What another hand has taken since is its own: it
 * sends that again, in order. Each row has to find its outcome, among hundreds. Where the statistics are of an empty
 * table, the planner would compare each with each: so the IN is made an expression (IS TRUE), which the server hashes,
 * and the join a FULL one, which it hashes or merges. */
static const char outcome_sql[] =
    "WITH o AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::timestamptz[], "
    "$5::text[], $6::text[], $7::uuid[]) "
    "  AS u (key, outcome, attempts, next_attempt_at, error, digest, claim)), "
    "ended AS (DELETE FROM sla.delivery d WHERE d.key = ANY ($1::text[]) "
    "  AND ((d.key, d.claim) IN (SELECT o.key, o.claim FROM o WHERE o.outcome <> 'retry')) IS TRUE RETURNING d.*), "
    "logged AS (INSERT INTO sla.delivery_log (key, position, ticket_id, metric, cycle, kind, channel, address, "
    "payload, state, "
    "  attempts, next_attempt_at, last_error, claimed_by, created_at, outcome, digest) "
    "  SELECT e.key, e.position, e.ticket_id, e.metric, e.cycle, e.kind, e.channel, e.address, e.payload, o.outcome, "
    "  o.attempts, NULL, coalesce(o.error, e.last_error), e.claimed_by, e.created_at, coalesce(o.error, 'delivered'), "
    "  o.digest FROM ended e FULL JOIN (SELECT * FROM o WHERE outcome <> 'retry') AS o "
    "  ON (o.key, o.claim) = (e.key, e.claim) WHERE coalesce(e.key, '') <> '' ON CONFLICT (key) DO NOTHING) "
    "UPDATE sla.delivery d SET attempts = o.attempts, next_attempt_at = o.next_attempt_at, last_error = o.error "
    "FROM o WHERE d.key = ANY (ARRAY(SELECT r.key FROM o r WHERE r.outcome = 'retry')) AND d.key = o.key "
    "  AND d.claim = o.claim AND o.outcome = 'retry'";

/* What a former session of this instance had claimed is free again, and what an instance had that has not the lease of
 * the ticket's shard any more. */
static const char release_sql[] =
    "UPDATE sla.delivery d SET claimed_by = NULL WHERE "
    "  (claimed_by = $1 AND (claim, claim_session) IS DISTINCT FROM ($2::uuid, $3::integer)) OR "
    "  (claimed_by IS NOT NULL AND NOT EXISTS (SELECT FROM sla.lease l WHERE l.owner = d.claimed_by "
    "  AND l.expires_at > clock_timestamp() AND (d.ticket_id IS NULL OR l.shard = d.ticket_id % 256)))";

static const char reassess_sql[] = "SELECT sla.apply_reassessments() "
                                   "WHERE EXISTS (SELECT FROM sla.reassessment WHERE outcome IS NULL)";

/* A copy for the channel that stands in, once: it keeps its order and its key for ever as well. */
static const char fall_back_sql[] =
    "INSERT INTO sla.delivery (key, ticket_id, metric, cycle, kind, channel, payload) "
    "SELECT left(d.key, 200) || '-' || u.channel, d.ticket_id, d.metric, d.cycle, d.kind, u.channel, "
    "  d.payload::jsonb || jsonb_build_object('instead_of', d.channel) "
    "FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (key, channel, n) JOIN ("
    "  SELECT key, ticket_id, metric, cycle, kind, channel, payload FROM sla.delivery UNION ALL "
    "  SELECT key, ticket_id, metric, cycle, kind, channel, payload FROM sla.delivery_log WHERE state = 'dead') AS d "
    "  ON d.key = u.key "
    "WHERE NOT EXISTS (SELECT FROM sla.delivery_log l WHERE l.key = left(d.key, 200) || '-' || u.channel) ORDER BY u.n "
    "ON CONFLICT (key) DO NOTHING";

/* Their arrays, the first parameters. */
enum { OUTCOME_COLUMNS = UNWRITTEN_COLUMNS, FALL_BACK_COLUMNS = 2 };

#endif
