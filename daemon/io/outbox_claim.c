#include "outbox_claim.h"

#include <string.h>

#include "slated/jsonr.h"
#include "slated/pg_value.h"
#include "slated/result.h"

/* The instant of the milestone that the payload tells of; `otherwise` where it tells of none. To have the server look
 * for it would take it ten times as long. */
static struct instant
happened_at(const char *payload, struct instant otherwise)
{
	const char *milestone = jsonr_member(payload, "milestone");
	const char *text = milestone != NULL ? jsonr_member(milestone, "at") : NULL;
	struct instant at;
	if (text == NULL || *text != '"' || instant_parse(text + 1, strcspn(text + 1, "\""), &at) < 0)
		return otherwise;
	return at;
}

int
claim_read(const PGresult *result, int row, struct delivery *ret)
{
	int32_t cycle = 0;
	int32_t attempts = 0;
	int64_t ticket = 0;
	struct delivery d = {
	    .key = PQgetvalue(result, row, 0),
	    .external_id = result_text(result, row, 2),
	    .metric = result_text(result, row, 3),
	    .channel = PQgetvalue(result, row, 5),
	    .kind = PQgetvalue(result, row, 6),
	    .payload = PQgetvalue(result, row, 7),
	};
	int r = PQgetisnull(result, row, 1) ? 0 : pg_read_int64(result_value(result, row, 1), &ticket);
	if (r == 0 && !PQgetisnull(result, row, 4))
		r = pg_read_int32(result_value(result, row, 4), &cycle);
	if (r == 0)
		r = pg_read_int32(result_value(result, row, 8), &attempts);
	if (r == 0)
		r = pg_read_instant(result_value(result, row, 9), &d.created_at);
	if (r == 0)
		r = pg_read_instant(result_value(result, row, 10), &d.next_attempt_at);
	if (r < 0)
		return r;
	d.at = happened_at(d.payload, d.created_at);
	d.address = result_text(result, row, 11);
	r = pg_read_bool(result_value(result, row, 12), &d.told);
	if (r == 0)
		r = pg_read_int64(result_value(result, row, 13), &d.position);
	if (r < 0)
		return r;
	d.ticket_id = ticket;
	d.cycle = (uint32_t)cycle;
	d.attempts = (uint32_t)attempts;
	*ret = d;
	return 0;
}
