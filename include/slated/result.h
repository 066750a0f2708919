/* Values of a query's result, and its error. */
#ifndef SLATED_RESULT_H
#define SLATED_RESULT_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "slated/instant.h"
#include "slated/pg_value.h"

/* Microseconds since 1970 of a timestamptz, and of an interval; for result_instant() and result_number(). */
#define RESULT_US(expression) "(extract(epoch FROM " expression ") * 1000000)::bigint"

/* An interval that somebody wrote, which may be longer than any bigint of microseconds, as a period of the
 * configuration's may not (period_parse). */
#define RESULT_HELD(interval_) "CASE WHEN " interval_ " IS NOT NULL THEN least(" interval_ ", interval '100 years') END"

/* One value in text format. NULL gives NULL, INSTANT_NEVER, 0 and false. */
const char *result_text(const PGresult *rows, int row, int column);
struct instant result_instant(const PGresult *rows, int row, int column);
int64_t result_number(const PGresult *rows, int row, int column);
bool result_bool(const PGresult *rows, int row, int column);

/* One value in binary format, for the readers of pg_value.h. */
struct pg_value result_value(const PGresult *rows, int row, int column);

/* The error's message in one line, cut where it is long, and what an operator can do about it where that is known.
 * Without memory of its own: an error must not be lost when there is none. */
#define RESULT_ERROR_SIZE 400
void result_write_error(const PGresult *result, char ret[static RESULT_ERROR_SIZE]);

#endif
