#include "slated/result.h"

#include <stdlib.h>

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
