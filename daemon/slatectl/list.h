/* The open clocks as slatectl list and slatectl top show them. */
#ifndef SLATED_SLATECTL_LIST_H
#define SLATED_SLATECTL_LIST_H

#include "clock_show.h"
#include "table.h"

/* The query's parameters. NULL: not asked. */
enum filter {
	FILTER_STATE,
	FILTER_METRIC,
	FILTER_POLICY,
	FILTER_PLAN,
	FILTER_ORG,
	FILTER_WITHIN, /* microseconds */
	FILTER_LIMIT,
	FILTER_COUNT,
};

/* What needs somebody first comes first. Its parameters are those, and the instant in microseconds. */
extern const char list_sql[];

/* Its columns before the clock's. */
enum {
	L_ID,
	L_SOURCE,
	L_EXTERNAL,
	L_ORG,
	L_PLAN,
	L_STATUS,
	L_ASSIGNEE,
	L_TEAM,
	L_ALL,
	L_BREACHED,
	L_AT_RISK,
	L_RUNNING,
	L_PAUSED,
	L_OVERDUE,
	L_CLOCK,
};

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
