#include "slated/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is left of RESULT_ERROR_SIZE is enough for the longest remedy. */
#define MESSAGE_MAX 280

const char *
result_text(const PGresult *rows, int row, int column)
{
	return PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column);
}

struct instant
result_instant(const PGresult *rows, int row, int column)
{
	const char *text = result_text(rows, row, column);
	return text == NULL ? INSTANT_NEVER : (struct instant){strtoll(text, NULL, 10)};
}

int64_t
result_number(const PGresult *rows, int row, int column)
{
	const char *text = result_text(rows, row, column);
	return text == NULL ? 0 : strtoll(text, NULL, 10);
}

bool
result_bool(const PGresult *rows, int row, int column)
{
	const char *text = result_text(rows, row, column);
	return text != NULL && *text == 't';
}

struct pg_value
result_value(const PGresult *rows, int row, int column)
{
	if (PQgetisnull(rows, row, column))
		return (struct pg_value){NULL, 0};
	return (struct pg_value){PQgetvalue(rows, row, column), (size_t)PQgetlength(rows, row, column)};
}

/* By SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html */
static const char *
remedy(const char *state)
{
	static const struct {
		const char *state;
		const char *text;
	} remedies[] = {
	    {"42P01", "create or upgrade the schema with: slatectl migrate"},
	    {"3F000", "create or upgrade the schema with: slatectl migrate"},
	    {"42883", "create or upgrade the schema with: slatectl migrate"},
	    {"42703", "the schema is not as slatectl migrate makes it"},
	    {"42501", "grant role sla_daemon to the daemon's database user"},
	    {"53100", "make room on the database server's disk"},
	    {"57014", "statement_timeout of the daemon's database user is too short, or somebody cancelled it"},
	    {"55P03", "lock_timeout of the daemon's database user is too short, or a lock is held for long"},
	};
	for (size_t i = 0; state != NULL && i < sizeof(remedies) / sizeof(remedies[0]); i++)
		if (strcmp(remedies[i].state, state) == 0)
			return remedies[i].text;
	return NULL;
}

void
result_write_error(const PGresult *result, char ret[static RESULT_ERROR_SIZE])
{
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *hint = remedy(PQresultErrorField(result, PG_DIAG_SQLSTATE));
	if (message == NULL)
		message = PQresultErrorMessage(result);
	size_t len = strcspn(message, "\n");
	int n = len < MESSAGE_MAX ? (int)len : MESSAGE_MAX;
	(void)snprintf(ret, RESULT_ERROR_SIZE, "%.*s%s%s", n, message, hint == NULL ? "" : "; ",
	               hint == NULL ? "" : hint);
}
