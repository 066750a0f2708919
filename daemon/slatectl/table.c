#include "table.h"

#include <assert.h>
#include <errno.h>
#include <libsmartcols.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slated/text.h"

/* A column that may be cut keeps at least so much of its text, as far as dropping others can bring it about. */
#define CUT_WIDTH     16U
#define CUT_WIDTH_MIN 4U

struct table {
	const struct view *view;
	const struct table_column *columns;
	struct table_fit fit; /* at first the widths of the widest cells */
	struct libscols_table *cells;
	struct libscols_line *last;
	bool failed;
};

static int
add_columns(struct table *table)
{
	for (size_t i = 0; i < table->fit.n; i++) {
		const struct table_column *column = &table->columns[i];
		int flags = ((column->flags & TABLE_RIGHT) != 0 ? SCOLS_FL_RIGHT : 0) |
		            ((column->flags & TABLE_TRUNC) != 0 ? SCOLS_FL_TRUNC : 0);
		struct libscols_column *added = scols_table_new_column(table->cells, column->name, 0, flags);
		if (added == NULL || scols_cell_set_color(scols_column_get_header(added), VIEW_BOLD) < 0)
			return -ENOMEM;
		table->fit.widths[i] = view_width(column->name, strlen(column->name));
	}
	return 0;
}

int
table_new(const struct view *view, const struct table_column *columns, size_t n, struct table **ret)
{
	assert(n <= TABLE_COLUMNS_MAX);
	struct table *table = calloc(1, sizeof(*table));
	if (table == NULL)
		return -ENOMEM;
	*table = (struct table){.view = view, .columns = columns, .fit.n = n, .cells = scols_new_table()};
	if (table->cells == NULL || add_columns(table) < 0) {
		table_free(table);
		return -ENOMEM;
	}
	(void)scols_table_enable_colors(table->cells, view->colors);
	(void)scols_table_set_termforce(table->cells, view->width > 0 ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
	(void)scols_table_set_termwidth(table->cells, view->width);
	*ret = table;
	return 0;
}

void
table_free(struct table *table)
{
	if (table == NULL)
		return;
	scols_unref_table(table->cells);
	free(table);
}

void
table_add_row(struct table *table)
{
	table->last = scols_table_new_line(table->cells, NULL);
	table->failed |= table->last == NULL;
}

void
table_set(struct table *table, size_t column, const char *text, const char *color)
{
	if (text == NULL || table->failed)
		return;
	size_t len = strlen(text);
	char *clean = malloc(len + 1);
	if (clean == NULL) {
		table->failed = true;
		return;
	}
	memcpy(clean, text, len);
	(void)text_clean(clean, len);
	unsigned width = view_width(clean, strlen(clean));
	if (width > table->fit.widths[column])
		table->fit.widths[column] = width;
	struct libscols_cell *cell = scols_line_get_cell(table->last, column);
	if (cell == NULL || scols_cell_refer_data(cell, clean) < 0) {
		free(clean);
		table->failed = true;
	} else if (color != NULL && scols_cell_set_color(cell, color) < 0) {
		table->failed = true;
	}
}

static size_t
total_width(const struct table_column *columns, const struct table_fit *fit, unsigned cut_width)
{
	size_t width = 0;
	for (size_t i = 0; i < fit->n; i++) {
		if (fit->hidden[i])
			continue;
		bool cut = (columns[i].flags & TABLE_TRUNC) != 0 && fit->widths[i] > cut_width;
		width += (cut ? cut_width : fit->widths[i]) + (width > 0 ? 1 : 0);
	}
	return width;
}

/* Leaves out columns until the rest fits, those that may be cut counted as cut. */
static void
drop_columns(const struct table_column *columns, struct table_fit *fit, unsigned width)
{
	while (total_width(columns, fit, CUT_WIDTH) > width) {
		size_t next = fit->n;
		for (size_t i = 0; i < fit->n; i++)
			if (!fit->hidden[i] && columns[i].drop > 0 &&
			    (next == fit->n || columns[i].drop > columns[next].drop))
				next = i;
		if (next == fit->n)
			return;
		fit->hidden[next] = true;
	}
}

/* Makes the columns that may be cut narrower, the widest first, until the whole fits. */
static void
shrink_columns(const struct table_column *columns, struct table_fit *fit, unsigned width)
{
	for (size_t over = total_width(columns, fit, UINT_MAX); over > width; over--) {
		size_t widest = fit->n;
		for (size_t i = 0; i < fit->n; i++)
			if (!fit->hidden[i] && (columns[i].flags & TABLE_TRUNC) != 0 &&
			    (widest == fit->n || fit->widths[i] > fit->widths[widest]))
				widest = i;
		if (widest == fit->n || fit->widths[widest] <= CUT_WIDTH_MIN)
			return;
		fit->widths[widest]--;
	}
}

void
table_fit_make(const struct table_column *columns, unsigned width, struct table_fit *fit)
{
	assert(fit->n <= TABLE_COLUMNS_MAX);
	drop_columns(columns, fit, width);
	shrink_columns(columns, fit, width);
}

/* Cuts a cell to `width`, with a sign that something is missing. */
static void
cut_cell(struct table *table, struct libscols_cell *cell, unsigned width)
{
	const char *data = scols_cell_get_data(cell);
	char *cut;
	if (data == NULL || view_width(data, strlen(data)) <= width)
		return;
	size_t len = 0;
	for (size_t n; (n = text_utf8(data + len, strlen(data + len))) > 0 && view_width(data, len + n) < width;)
		len += n;
	if (asprintf(&cut, "%.*s%s", (int)len, data, table->view->utf8 ? "\u2026" : "+") < 0)
		table->failed = true;
	else
		(void)scols_cell_refer_data(cell, cut);
}

static void
fit(struct table *table)
{
	struct libscols_iter *lines = scols_new_iter(SCOLS_ITER_FORWARD);
	struct libscols_line *line;
	table_fit_make(table->columns, table->view->width, &table->fit);
	for (size_t i = 0; i < table->fit.n; i++) {
		struct libscols_column *column = scols_table_get_column(table->cells, i);
		if (table->fit.hidden[i])
			(void)scols_column_set_flags(column, scols_column_get_flags(column) | SCOLS_FL_HIDDEN);
	}
	table->failed |= lines == NULL;
	while (lines != NULL && scols_table_next_line(table->cells, lines, &line) == 0)
		for (size_t i = 0; i < table->fit.n; i++)
			if ((table->columns[i].flags & TABLE_TRUNC) != 0)
				cut_cell(table, scols_line_get_cell(line, i), table->fit.widths[i]);
	scols_free_iter(lines);
}

int
table_print(struct table *table)
{
	if (table->view->width > 0)
		fit(table);
	if (table->failed || scols_print_table(table->cells) < 0) {
		fputs("slatectl: out of memory\n", stderr);
		return -ENOMEM;
	}
	return 0;
}
