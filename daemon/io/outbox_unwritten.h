/* Rows of the outbox that wait to be written: what became of deliveries is known nowhere else until it is. */
#ifndef SLATED_OUTBOX_UNWRITTEN_H
#define SLATED_OUTBOX_UNWRITTEN_H

#include <stdbool.h>

#include "slated/render.h"

enum { UNWRITTEN_COLUMNS = 7 };

/* Columns of array texts, the first that of keys, and those being written, which are kept until it is known that they
 * were. Zeroed = empty. */
struct unwritten {
	struct text next[UNWRITTEN_COLUMNS];
	struct text sent[UNWRITTEN_COLUMNS];
};

/* Frees what it has, not itself. */
void unwritten_free(struct unwritten *rows);

/* Forgets all rows; their room stays. */
void unwritten_clear(struct unwritten *rows);

bool unwritten_is_empty(const struct unwritten *rows);

/* Whether the row of a delivery waits to be written. */
bool unwritten_has(const struct unwritten *rows, const char *key);

/* The first `n` columns to write now: those of the last time where they may not have been written, else what has
 * gathered. */
void unwritten_take(struct unwritten *rows, unsigned n, const char **params);

/* Those that unwritten_take() gave are written. */
void unwritten_forget_sent(struct unwritten *rows);

#endif
