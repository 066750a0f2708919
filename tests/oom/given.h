/* What the test of the feed is given: a configuration, and rows as PostgreSQL sends them. */
#ifndef SLATED_TESTS_OOM_GIVEN_H
#define SLATED_TESTS_OOM_GIVEN_H

#include "slated/pg_value.h"
#include "slated/rows.h"

#define GIVEN_BEGIN INT64_C(1772790000000000) /* 2026-03-06T09:40:00Z, a Friday */

extern const char given_configuration[];

/* A row in PostgreSQL's binary format, of as many columns as any has. */
struct row {
	struct pg_value values[EVENT_COLUMN_COUNT];
	char bytes[2048];
	size_t len;
};

/* The i-th row; false behind the last. */
bool given_state(size_t i, struct row *ret, int64_t *ret_ticket);
bool given_clock(size_t i, const char *digest, struct row *ret, int64_t *ret_ticket);
bool given_event(size_t i, struct row *ret);

#endif
