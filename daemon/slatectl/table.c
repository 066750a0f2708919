#include "table.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "slated/text.h"

#define COLUMN_MAX 16

/* Bytes of the longest character. */
#define MB_LEN_MAX_UTF8 4

struct table {
	const struct view *view;
	const struct table_column *columns;
	size_t n_columns;
	unsigned widths[COLUMN_MAX]; /* of the widest cell */
	struct libscols_table *cells;
	struct libscols_line *last;
	bool failed;
};

static unsigned
text_width(const char *text)
{
	unsigned width = 0;
	mbstate_t state = {0};
	wchar_t c;
	for (size_t n; (n = mbrtowc(&c, text, MB_LEN_MAX_UTF8, &state)) != 0; text += n) {
		if (n > MB_LEN_MAX_UTF8)
			return width + (unsigned)strlen(text);
		int w = wcwidth(c);
		width += w > 0 ? (unsigned)w : 0;
	}
	return width;
}

static int
add_columns(struct table *table)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		const struct table_column *column = &table->columns[i];
		int flags = ((column->flags & TABLE_RIGHT) != 0 ? SCOLS_FL_RIGHT : 0) |
		            ((column->flags & TABLE_TRUNC) != 0 ? SCOLS_FL_TRUNC : 0);
		struct libscols_column *added = scols_table_new_column(table->cells, column->name, 0, flags);
		if (added == NULL || scols_cell_set_color(scols_column_get_header(added), VIEW_BOLD) < 0)
			return -ENOMEM;
		table->widths[i] = text_width(column->name);
	}
	return 0;
}

int
table_new(const struct view *view, const struct table_column *columns, size_t n, struct table **ret)
{
	struct table *table = calloc(1, sizeof(*table));
	if (table == NULL)
		return -ENOMEM;
	*table = (struct table){.view = view, .columns = columns, .n_columns = n, .cells = scols_new_table()};
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
	unsigned width = text_width(clean);
	if (width > table->widths[column])
		table->widths[column] = width;
	struct libscols_cell *cell = scols_line_get_cell(table->last, column);
	if (cell == NULL || scols_cell_refer_data(cell, clean) < 0) {
		free(clean);
		table->failed = true;
	} else if (color != NULL && scols_cell_set_color(cell, color) < 0) {
		table->failed = true;
	}
}

/* Leaves out columns until the rest fits; what still does not is cut by the library. */
static void
drop_columns(struct table *table)
{
	bool dropped[COLUMN_MAX] = {false};
	for (;;) {
		size_t width = 0, next = table->n_columns;
		for (size_t i = 0; i < table->n_columns; i++) {
			if (dropped[i])
				continue;
			width += table->widths[i] + (width > 0 ? 1 : 0);
			if (table->columns[i].drop > 0 &&
			    (next == table->n_columns || table->columns[i].drop > table->columns[next].drop))
				next = i;
		}
		if (width <= table->view->width || next == table->n_columns)
			return;
		dropped[next] = true;
		struct libscols_column *column = scols_table_get_column(table->cells, next);
		(void)scols_column_set_flags(column, scols_column_get_flags(column) | SCOLS_FL_HIDDEN);
	}
}

int
table_print(struct table *table)
{
	if (table->view->width > 0)
		drop_columns(table);
	if (table->failed || scols_print_table(table->cells) < 0) {
		fputs("slatectl: out of memory\n", stderr);
		return -ENOMEM;
	}
	return 0;
}
