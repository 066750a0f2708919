/* PostgreSQL's formats, from the server's side: array texts that are read, results and COPY rows that are made. */
#ifndef SLATED_SIM_VALUES_H
#define SLATED_SIM_VALUES_H

#include <libpq-fe.h>

#include "database.h"

/* The elements of a one-dimensional array's text, kept in the world; NULL for NULL. To be given to free(). */
const char **values_split(struct world *world, const char *text, size_t *ret_n);

/* The text of an array in binary format. To be given to free(). */
char *values_text(const char *bytes, int len);

/* A row in the making: at most ROW_MAX columns in binary format. */
enum { ROW_MAX = 32, ROW_BYTES = 16384 };
struct row {
	char bytes[ROW_BYTES];
	size_t used;
	unsigned n;
	const char *data[ROW_MAX]; /* NULL: SQL NULL */
	int len[ROW_MAX];
};

void row_clear(struct row *row);
void row_add_null(struct row *row);
void row_add_int64(struct row *row, int64_t value);
void row_add_int32(struct row *row, int32_t value);
void row_add_bool(struct row *row, bool value);
void row_add_text(struct row *row, const char *value);
/* INSTANT_NEVER: NULL. */
void row_add_instant(struct row *row, struct instant at);
/* From texts as the daemon wrote them; NULL: NULL. */
void row_add_number_text(struct row *row, const char *value, bool wide);
void row_add_instant_text(struct row *row, const char *value);
void row_add_array_text(struct row *row, struct world *world, const char *value, bool instants);

/* A result of so many columns, and a row of it. */
PGresult *result_new(unsigned columns);
void result_add(PGresult *result, const struct row *row);
/* Some rows of a result. */
PGresult *result_part(const PGresult *whole, int first, int n);
/* A row of texts. */
PGresult *result_of_texts(const char *const *texts, unsigned n);

/* The messages of a COPY in binary format: header, a row, trailer. */
void copy_begin(struct db_answer *answer);
void copy_add(struct db_answer *answer, const struct row *row);
void copy_end(struct db_answer *answer);

#endif
