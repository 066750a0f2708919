/* PostgreSQL's arrays, made element by element: their texts (PostgreSQL 15 manual, 8.15.6; zeroed text = empty), and a
 * column of values in binary format (array_recv() in its src/backend/utils/adt/arrayfuncs.c). */
#ifndef SLATED_PG_ARRAY_H
#define SLATED_PG_ARRAY_H

#include "slated/instant.h"
#include "slated/render.h"

/* Adds an element in double quotes; NULL adds SQL NULL. */
void pg_array_add(struct text *array, const char *value);

/* Adds a number as it stands. */
void pg_array_add_number(struct text *array, int64_t value);

/* Ends the array, also one without elements. Nothing can be added afterwards. */
void pg_array_end(struct text *array);

/* Types by their numbers in the server, which never change. */
enum pg_type {
	PG_BOOL = 16,
	PG_INT8 = 20,
	PG_INT4 = 23,
	PG_TEXT = 25,
	PG_TIMESTAMPTZ = 1184,
	PG_JSONB = 3802,
};

/* Zeroed = empty. */
struct pg_column {
	struct text bytes;
	uint32_t n;
	uint32_t n_null;
};

void pg_column_add_null(struct pg_column *column);
/* A value of PG_TEXT or PG_JSONB. */
void pg_column_add_text(struct pg_column *column, enum pg_type type, const char *value);
/* One of PG_INT8 or PG_INT4. */
void pg_column_add_number(struct pg_column *column, enum pg_type type, int64_t value);
void pg_column_add_bool(struct pg_column *column, bool value);
void pg_column_add_instant(struct pg_column *column, struct instant value);

/* Adds the values of a column of the same type. */
void pg_column_append(struct pg_column *column, const struct pg_column *more);

/* Whether it has a value that is not NULL. */
bool pg_column_has_value(const struct pg_column *column);

/* Ends the array, also one without elements: then bytes are what a parameter in binary format takes. Nothing can be
 * added before pg_column_clear(). */
void pg_column_end(struct pg_column *column, enum pg_type type);
/* Makes it empty and right again; its room stays. */
void pg_column_clear(struct pg_column *column);

#endif
