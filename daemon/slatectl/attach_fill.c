/* The back-fill of slatectl attach: slices of whole tickets, in the order of their keys, each in a transaction. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "slated/config.h"

#define SLICE "200"

struct progress {
	int64_t tickets;
	int64_t items;
	int64_t errors;
	struct instant began_at;
	struct instant told_at;
};

static void
tell(struct progress *p, bool end)
{
	struct instant now = command_now();

	if (!end && instant_since(now, p->told_at).us < (isatty(STDERR_FILENO) == 1 ? US_PER_S / 2 : 10 * US_PER_S))
		return;
	int64_t took = instant_since(now, p->began_at).us;
	p->told_at = now;
	fprintf(end ? stdout : stderr, "%s%" PRId64 " tickets, %" PRId64 " changes, %" PRId64 " tickets/s%s",
	        end ? "taken over: " : "taking over: ", p->tickets, p->items,
	        took > 0 ? p->tickets * US_PER_S / took : 0, !end && isatty(STDERR_FILENO) == 1 ? "   \r" : "\n");
}

/* Asks for the next slice; the answer is fetched when the former one has been written down. */
static int
ask(const struct attachment *a, const char *after)
{
	char sql[160];
	const char *const values[] = {after};

	(void)snprintf(sql, sizeof(sql), "SELECT last, documents FROM %s.slice($1, NULL, " SLICE ")", a->sql.own);
	if (PQsendQueryParams(a->source, sql, 1, NULL, values, NULL, NULL, 0) == 1)
		return 0;
	fprintf(stderr, "slatectl: reading tickets: %s", PQerrorMessage(a->source));
	return -EIO;
}

static PGresult *
fetch(const struct attachment *a)
{
	PGresult *rows = PQgetResult(a->source), *rest;

	while ((rest = PQgetResult(a->source)) != NULL)
		PQclear(rest);
	if (PQresultStatus(rows) == PGRES_TUPLES_OK)
		return rows;
	fprintf(stderr, "slatectl: reading tickets: %s", PQerrorMessage(a->source));
	PQclear(rows);
	return NULL;
}

static int
write_down(struct attachment *a, struct progress *p, const char *last, const char *documents)
{
	const char *const values[] = {a->settings->name, documents};
	const char *const so_far[] = {a->settings->name, *last != '\0' ? last : NULL};
	PGresult *rows =
	    db_query(&a->db, "taking tickets over",
	             "SELECT tickets, items, errors FROM sla.adapter_apply($1, $2::jsonb, '[]', false)", 2, values);
	if (rows == NULL)
		return -EIO;
	p->tickets += result_number(rows, 0, 0);
	p->items += result_number(rows, 0, 1);
	p->errors += result_number(rows, 0, 2);
	PQclear(rows);
	rows = db_query(&a->db, "taking tickets over",
	                "UPDATE sla.adapter SET backfill_key = coalesce($2, backfill_key), "
	                "backfilled_at = CASE WHEN $2 IS NULL THEN clock_timestamp() END WHERE name = $1",
	                2, so_far);
	if (rows == NULL)
		return -EIO;
	PQclear(rows);
	tell(p, false);
	return 0;
}

/* Where a former run was interrupted; *ret_done: nowhere. */
static char *
find_beginning(struct attachment *a, bool *ret_done)
{
	const char *const values[] = {a->settings->name};
	PGresult *rows = db_query(
	    &a->db, "the adapter",
	    "SELECT coalesce(backfill_key, ''), backfilled_at IS NOT NULL FROM sla.adapter WHERE name = $1", 1, values);
	char *key = rows != NULL ? strdup(PQgetvalue(rows, 0, 0)) : NULL;

	if (rows != NULL)
		*ret_done = result_bool(rows, 0, 1);
	PQclear(rows);
	return key;
}

static int
fill_from(struct attachment *a, const char *after, struct progress *p)
{
	int r = ask(a, after);

	for (bool more = true; r == 0 && more;) {
		PGresult *rows = fetch(a);
		if (rows == NULL)
			return -EIO;
		const char *last = PQgetvalue(rows, 0, 0);
		more = *last != '\0';
		if (more)
			r = ask(a, last);
		if (r == 0)
			r = write_down(a, p, last, PQgetvalue(rows, 0, 1));
		PQclear(rows);
	}
	return r;
}

int
attachment_fill(struct attachment *a)
{
	struct progress progress = {.began_at = command_now(), .told_at = command_now()};
	bool done = false;
	char *after = find_beginning(a, &done);

	if (after == NULL)
		return -EIO;
	if (done) {
		puts("its tickets were taken over before; the daemon's next comparison finds what has changed since");
		free(after);
		return 0;
	}
	int r = fill_from(a, after, &progress);
	free(after);
	if (r < 0) {
		fputs("slatectl: the same command goes on from there\n", stderr);
		return r;
	}
	tell(&progress, true);
	if (progress.errors > 0)
		printf("%" PRId64 " tickets could not be taken over: sla.adapter_error tells why\n", progress.errors);
	return 0;
}
