/* The text of a PostgreSQL array that grows element by element: PostgreSQL 15 manual, 8.15.6. Zeroed text = empty. */
#ifndef SLATED_PG_ARRAY_H
#define SLATED_PG_ARRAY_H

#include "slated/render.h"

/* Adds an element in double quotes; NULL adds SQL NULL. */
void pg_array_add(struct text *array, const char *value);

/* Adds a number as it stands. */
void pg_array_add_number(struct text *array, int64_t value);

/* Ends the array, also one without elements. Nothing can be added afterwards. */
void pg_array_end(struct text *array);

#endif
