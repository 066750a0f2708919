#include "ticket_find.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void
tell_sources(const char *name, const PGresult *rows)
{
	fprintf(stderr, "slatectl: several tickets are called \"%s\"; say which one with --source:", name);
	for (int row = 0; row < PQntuples(rows); row++)
		fprintf(stderr, "%s %s", row > 0 ? "," : "", result_text(rows, row, 1));
	fputs("\n", stderr);
}

/* 1 where the one row of the query is the ticket, 0 where there is none, a negative errno after a message. */
static int
find(const struct db *db, const char *sql, const char *name, const char *source, char ret_id[static TICKET_ID_SIZE])
{
	const char *const values[] = {name, source};
	PGresult *rows = db_query(db, "the ticket", sql, 2, values);
	if (rows == NULL)
		return -EIO;
	int r = PQntuples(rows);
	if (r > 1) {
		tell_sources(name, rows);
		r = -EINVAL;
	} else if (r == 1) {
		(void)snprintf(ret_id, TICKET_ID_SIZE, "%s", result_text(rows, 0, 0));
	}
	PQclear(rows);
	return r;
}

int
ticket_find(const struct db *db, const char *name, const char *source, char ret_id[static TICKET_ID_SIZE])
{
	const char *number = name + (name[0] == '#');
	int r = find(db,
	             "SELECT id, source FROM sla.ticket WHERE external_id = $1 AND ($2::text IS NULL OR source = $2) "
	             "ORDER BY source",
	             name, source, ret_id);
	size_t digits = strspn(number, "0123456789");
	if (r == 0 && digits > 0 && digits <= 18 && number[digits] == '\0')
		r = find(
		    db, "SELECT id, source FROM sla.ticket WHERE id = $1::bigint AND ($2::text IS NULL OR source = $2)",
		    number, source, ret_id);
	if (r != 0)
		return r < 0 ? r : 0;
	fprintf(stderr, "slatectl: there is no ticket \"%s\"", name);
	if (source != NULL)
		fprintf(stderr, " of source \"%s\"", source);
	fputs(": neither an external id nor a number in sla.ticket\n", stderr);
	return -ENOENT;
}
