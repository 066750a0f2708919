/* What daemon/io/outbox.c asks for: claims of deliveries, and what became of them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "statements.h"

struct db_answer
statement_release(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	const char *name = db_keep(database, params[0]), *claim = db_keep(database, params[1]);
	const char *number = db_keep(database, params[2]);
	bool strays = db_says(text, "(claim, claim_session) IS DISTINCT FROM");
	struct instant now = database_clock(database);
	(void)session;
	(void)text;
	DB_EACH (struct db_delivery, d, &database->data, DB_DELIVERIES) {
		const struct db_lease *lease = &database->data.leases[d->ticket % SHARDS];
		if ((strays && d->claimed_by == name && (d->claim != claim || d->claim_session != number)) ||
		    lease->owner != d->claimed_by || !instant_before(now, lease->expires_at))
			d->claimed_by = NULL;
	}
	database->data.next_xid++;
	return db_answer_of(PGRES_COMMAND_OK);
}

static bool
was_told(const struct db_data *data, const struct db_delivery *d)
{
	DB_EACH (const struct db_delivery, l, data, DB_LOG)
		if (l->ticket == d->ticket && l->metric == d->metric && l->cycle == d->cycle &&
		    l->channel == d->channel && db_same(l->kind, "escalated") && db_same(l->state, "delivered"))
			return true;
	return false;
}

#define PAYLOAD_SIZE (INSTANT_TEXT_SIZE + 32)

/* The row keeps pointers, so `payload` has to outlive it. */
static void
row_add_delivery(struct row *row, const struct db_data *data, const struct db_delivery *d,
                 char payload[static PAYLOAD_SIZE])
{
	char at[INSTANT_TEXT_SIZE];
	row_clear(row);
	row_add_text(row, d->key);
	row_add_int64(row, d->ticket);
	row_add_null(row);
	row_add_text(row, d->metric);
	row_add_number_text(row, d->cycle, false);
	row_add_text(row, d->channel);
	row_add_text(row, d->kind);
	(void)instant_format(d->at, at);
	(void)snprintf(payload, PAYLOAD_SIZE, "{\"milestone\": {\"at\": \"%s\"}}", at);
	row_add_text(row, payload);
	row_add_int32(row, d->attempts);
	row_add_instant(row, d->created_at);
	row_add_instant(row, instant_equal(d->next_attempt_at, INSTANT_NEVER) ? d->created_at : d->next_attempt_at);
	row_add_null(row);
	bool ends = db_same(d->kind, "resolved") || db_same(d->kind, "acknowledged");
	row_add_bool(row, ends && was_told(data, d));
	row_add_int64(row, d->position);
}

/* Whether an earlier one of the ticket and channel is in somebody else's hand. */
static bool
is_behind(const struct db_data *data, const struct db_delivery *d, const struct db_delivery *hand)
{
	DB_EACH (const struct db_delivery, e, data, DB_DELIVERIES)
		if (e->ticket == d->ticket && e->channel == d->channel && e->position < d->position &&
		    (e->claimed_by != hand->claimed_by || e->claim != hand->claim ||
		     e->claim_session != hand->claim_session))
			return true;
	return false;
}

struct db_answer
statement_claim(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct db_answer answer = {0};
	const char *name = db_keep(database, params[0]);
	const struct db_delivery hand = {
	    .claimed_by = name, .claim = db_keep(database, params[3]), .claim_session = db_keep(database, params[4])};
	bool in_order = db_says(text, "AND e.position + 0 < n.position");
	bool of_lease = db_says(text, "FROM sla.lease l WHERE l.owner = $1");
	int64_t begin = db_says(text, "position > CASE WHEN $6") ? strtoll(params[5], NULL, 10) : 0;
	if (begin < 0)
		begin += database->data.next_position - 1;
	struct instant now = database_clock(database);
	long limit = strtol(params[1], NULL, 10);
	struct row row;
	char payload[PAYLOAD_SIZE];
	(void)session;
	db_answer_add(&answer, result_new(14));
	/* Rows stand in the order of their positions. */
	DB_EACH (struct db_delivery, d, &database->data, DB_DELIVERIES) {
		const struct db_lease *lease = &database->data.leases[d->ticket % SHARDS];
		bool ours = lease->owner == name && instant_before(now, lease->expires_at);
		if (d->claimed_by != NULL || d->position <= begin || (of_lease && !ours) ||
		    PQntuples(answer.results[0]) >= limit || (in_order && is_behind(&database->data, d, &hand)))
			continue;
		d->claimed_by = name;
		d->claim = hand.claim;
		d->claim_session = hand.claim_session;
		world_trace(database->world, "%s claims %s, %s", name, d->key, d->claim);
		row_add_delivery(&row, &database->data, d, payload);
		result_add(answer.results[0], &row);
	}
	database->data.next_xid++;
	return answer;
}

struct db_answer
statement_outcomes(struct database *database, struct db_session *session, const char *text, const char *const *params)
{
	struct columns o = columns_split(database, params, 7);
	bool of_hand =
	    db_says(text, "((d.key, d.claim) IN (SELECT o.key, o.claim FROM o WHERE o.outcome <> 'retry')) IS TRUE");
	struct db_list *list = &database->data.tables[DB_DELIVERIES];
	(void)session;
	for (size_t i = 0; i < o.n; i++)
		for (size_t k = 0; k < list->n; k++) {
			struct db_delivery *d = (struct db_delivery *)list->items + k;
			if (d->key != o.items[0][i] || (of_hand && d->claim != o.items[6][i]))
				continue;
			d->attempts = (int32_t)strtol(o.items[2][i], NULL, 10);
			world_trace(database->world, "%s: %s, claimed by %s, %s", d->key, o.items[1][i],
			            d->claimed_by == NULL ? "nobody" : d->claimed_by, d->claim);
			if (db_same(o.items[1][i], "retry")) {
				d->next_attempt_at = db_instant(o.items[3][i]);
				break;
			}
			struct db_delivery *ended = db_add(&database->data.tables[DB_LOG]);
			*ended = *d;
			ended->state = o.items[1][i];
			db_remove(list, k);
			break;
		}
	columns_free(&o);
	database->data.next_xid++;
	return db_answer_of(PGRES_COMMAND_OK);
}
