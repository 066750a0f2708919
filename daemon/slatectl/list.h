/* The open clocks as slatectl list and slatectl top show them. */
#ifndef SLATED_SLATECTL_LIST_H
#define SLATED_SLATECTL_LIST_H

#include "clock_show.h"
#include "slated/clock_list.h"
#include "table.h"

enum list_column {
	COLUMN_TICKET,
	COLUMN_ORG,
	COLUMN_PLAN,
	COLUMN_SEVERITY,
	COLUMN_METRIC,
	COLUMN_POLICY,
	COLUMN_STATE,
	COLUMN_DUE,
	COLUMN_LEFT,
	COLUMN_BAR,
	COLUMN_SHARE,
	COLUMN_COUNT,
};

extern const struct table_column list_columns[COLUMN_COUNT];

/* The text of a cell, which is in the rows, in `clock` or in `text`; NULL: empty. */
const char *list_cell(const struct view *view, const PGresult *rows, int row, const struct clock_row *clock,
                      enum list_column column, char text[static VIEW_TEXT_SIZE]);

/* Its colour or NULL. */
const char *list_cell_color(const struct clock_row *clock, enum list_column column);

#endif
