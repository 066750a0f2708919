/* Tables that fit the terminal. */
#ifndef SLATED_SLATECTL_TABLE_H
#define SLATED_SLATECTL_TABLE_H

#include <stddef.h>

#include "view.h"

struct table;

enum {
	TABLE_RIGHT = 1, /* aligned right */
	TABLE_TRUNC = 2, /* may be cut where the terminal is too narrow */
};

struct table_column {
	const char *name;
	unsigned flags;
	unsigned drop; /* left out on a narrow terminal, the greatest first; 0: never */
};

#define TABLE_COLUMNS_MAX 16

/* How columns share a line, with a blank between them. */
struct table_fit {
	size_t n;
	unsigned widths[TABLE_COLUMNS_MAX];
	bool hidden[TABLE_COLUMNS_MAX];
};

/* Leaves out and narrows columns until those left, which begin at their natural widths, fit into `width`. */
void table_fit_make(const struct table_column *columns, unsigned width, struct table_fit *fit);

/* 0 or -ENOMEM. */
int table_new(const struct view *view, const struct table_column *columns, size_t n, struct table **ret)
    __attribute__((warn_unused_result));

/* Takes NULL. */
void table_free(struct table *table);

/* Starts a row of empty cells. */
void table_add_row(struct table *table);

/* Fills a cell of the last row: `text` (NULL: empty) is copied and made one line; `color` may be NULL. */
void table_set(struct table *table, size_t column, const char *text, const char *color);

/* 0, or -ENOMEM after a message: of this or any call before. */
int table_print(struct table *table) __attribute__((warn_unused_result));

#endif
