/* PostgreSQL's binary format: rows of COPY ... (FORMAT binary) and single values as the server sends them.
 * Source: PostgreSQL 15 manual, COPY, "Binary Format"; src/backend/utils/adt send functions. Bytes in, nothing else. */
#ifndef SLATED_PG_VALUE_H
#define SLATED_PG_VALUE_H

#include "slated/instant.h"

/* One value as sent; data NULL = SQL NULL. */
struct pg_value {
	const char *data;
	size_t len;
};

/* Finds the stream's header at the head of `data`. Its length, or -EBADMSG. */
int pg_copy_header(const char *data, size_t len) __attribute__((warn_unused_result));

/* Splits the tuple at the head of `data` into exactly `n` values that point into it. The bytes taken; 0 for the
 * stream's trailer; -EBADMSG for a tuple that is cut off or has another number of values. */
int pg_copy_tuple(const char *data, size_t len, struct pg_value *ret, size_t n) __attribute__((warn_unused_result));

/* Readers of NOT NULL values: 0, or -EBADMSG for NULL or a length that does not fit. */
int pg_read_int64(struct pg_value value, int64_t *ret) __attribute__((warn_unused_result));
int pg_read_int32(struct pg_value value, int32_t *ret) __attribute__((warn_unused_result));
int pg_read_bool(struct pg_value value, bool *ret) __attribute__((warn_unused_result));
/* -ERANGE for infinities and what an instant cannot hold. */
int pg_read_instant(struct pg_value value, struct instant *ret) __attribute__((warn_unused_result));

/* Splits a one-dimensional array into at most `max` elements that point into it. How many; 0 for an empty one;
 * -EBADMSG, -E2BIG for more than `max`. */
int pg_read_array(struct pg_value value, struct pg_value *ret, size_t max) __attribute__((warn_unused_result));

#endif
