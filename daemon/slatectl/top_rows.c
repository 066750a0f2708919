#include "top_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const top_sort_names[TOP_SORT_COUNT] = {
    [TOP_SORT_NEED] = "need", [TOP_SORT_USED] = "used",     [TOP_SORT_TICKET] = "ticket",
    [TOP_SORT_ORG] = "org",   [TOP_SORT_POLICY] = "policy",
};

void
top_rows_clear(struct top_rows *rows)
{
	free(rows->all);
	free(rows->shown);
	rows->all = NULL;
	rows->shown = NULL;
	rows->result = NULL;
	rows->n_all = 0;
	rows->n_shown = 0;
}

/* Filter ----------------------------------------------------------------------------------------------------------- */

static bool
word_occurs(const struct top_rows *rows, const struct view *view, const struct top_row *row, const char *word)
{
	char text[VIEW_TEXT_SIZE];
	for (enum list_column column = 0; column <= COLUMN_STATE; column++) {
		const char *cell = list_cell(view, rows->result, row->row, &row->clock, column, text);
		if (cell != NULL && strcasestr(cell, word) != NULL)
			return true;
	}
	const char *assignee = result_text(rows->result, row->row, CLOCK_LIST_COLUMN_ASSIGNEE);
	const char *team = result_text(rows->result, row->row, CLOCK_LIST_COLUMN_TEAM);
	return (assignee != NULL && strcasestr(assignee, word) != NULL) ||
	       (team != NULL && strcasestr(team, word) != NULL);
}

static bool
row_fits(const struct top_rows *rows, const struct view *view, const struct top_row *row)
{
	char words[TOP_FILTER_SIZE], *rest = words, *word;
	memcpy(words, rows->filter, sizeof(words));
	while ((word = strsep(&rest, " ")) != NULL)
		if (*word != '\0' && !word_occurs(rows, view, row, word))
			return false;
	return true;
}

/* Sort ------------------------------------------------------------------------------------------------------------- */

static int
compare_texts(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (a == NULL) - (b == NULL);
	return strverscmp(a, b);
}

static int
compare_column(const struct top_rows *rows, const struct top_row *a, const struct top_row *b, int column)
{
	return compare_texts(result_text(rows->result, a->row, column), result_text(rows->result, b->row, column));
}

/* What is alike stays in the order of need. */
static int
compare_rows(const void *left, const void *right, void *context)
{
	const struct top_rows *rows = context;
	const struct top_row *a = *(struct top_row *const *)left, *b = *(struct top_row *const *)right;
	double used = clock_row_share(&b->clock) - clock_row_share(&a->clock);
	int order = 0;
	switch (rows->sort) {
	case TOP_SORT_USED:
		order = (used > 0) - (used < 0);
		break;
	case TOP_SORT_TICKET:
		order = compare_column(rows, a, b, CLOCK_LIST_EXTERNAL);
		break;
	case TOP_SORT_ORG:
		order = compare_column(rows, a, b, CLOCK_LIST_COLUMN_ORG);
		break;
	case TOP_SORT_POLICY:
		order = compare_texts(a->clock.policy, b->clock.policy);
		break;
	default:
		break;
	}
	return order != 0 ? order : a->row - b->row;
}

/* Selection -------------------------------------------------------------------------------------------------------- */

static void
read_key(const struct top_rows *rows, const struct top_row *row, struct top_key *ret)
{
	ret->ticket = result_number(rows->result, row->row, CLOCK_LIST_ID);
	ret->cycle = row->clock.cycle;
	(void)snprintf(ret->metric, sizeof(ret->metric), "%s", row->clock.metric);
}

static void
remember(struct top_rows *rows)
{
	if (rows->n_shown > 0)
		read_key(rows, rows->shown[rows->selected], &rows->key);
}

/* The one that was selected, or what stands in its place now. */
static void
find_again(struct top_rows *rows)
{
	struct top_key key = {0};
	for (size_t i = 0; i < rows->n_shown; i++) {
		read_key(rows, rows->shown[i], &key);
		if (key.ticket == rows->key.ticket && key.cycle == rows->key.cycle &&
		    strcmp(key.metric, rows->key.metric) == 0) {
			rows->selected = i;
			return;
		}
	}
	if (rows->selected >= rows->n_shown)
		rows->selected = rows->n_shown > 0 ? rows->n_shown - 1 : 0;
	remember(rows);
}

void
top_rows_move(struct top_rows *rows, ptrdiff_t by)
{
	ptrdiff_t to = (ptrdiff_t)rows->selected + by;
	ptrdiff_t last = (ptrdiff_t)rows->n_shown - 1;
	rows->selected = (size_t)(to > last ? last : to);
	if (to < 0 || last < 0)
		rows->selected = 0;
	remember(rows);
}

const struct top_row *
top_rows_selected(const struct top_rows *rows)
{
	return rows->n_shown > 0 ? rows->shown[rows->selected] : NULL;
}

/* ------------------------------------------------------------------------------------------------------------------ */

void
top_rows_arrange(struct top_rows *rows, const struct view *view)
{
	rows->n_shown = 0;
	for (size_t i = 0; i < rows->n_all; i++)
		if (row_fits(rows, view, &rows->all[i]))
			rows->shown[rows->n_shown++] = &rows->all[i];
	if (rows->n_shown > 0)
		qsort_r(rows->shown, rows->n_shown, sizeof(*rows->shown), compare_rows, rows);
	find_again(rows);
}

static void
widen(struct top_rows *rows, const struct view *view, const struct top_row *row)
{
	char text[VIEW_TEXT_SIZE];
	for (enum list_column column = 0; column < COLUMN_COUNT; column++) {
		const char *cell = list_cell(view, rows->result, row->row, &row->clock, column, text);
		unsigned width = cell != NULL ? view_width(cell, strlen(cell)) : 0;
		if (width > rows->widths[column])
			rows->widths[column] = width;
	}
}

int
top_rows_load(struct top_rows *rows, const PGresult *result, const struct policy_set *policies, const struct view *view)
{
	size_t n = (size_t)PQntuples(result);
	top_rows_clear(rows);
	rows->all = calloc(n + 1, sizeof(*rows->all));
	rows->shown = calloc(n + 1, sizeof(*rows->shown));
	if (rows->all == NULL || rows->shown == NULL) {
		top_rows_clear(rows);
		return -ENOMEM;
	}
	rows->result = result;
	rows->n_all = n;
	rows->rough = false;
	for (enum list_column column = 0; column < COLUMN_COUNT; column++)
		rows->widths[column] = (unsigned)strlen(list_columns[column].name);
	for (size_t i = 0; i < n; i++) {
		rows->all[i].row = (int)i;
		clock_row_read(result, (int)i, CLOCK_LIST_CLOCK, policies, view->now, &rows->all[i].clock);
		rows->rough |= rows->all[i].clock.rough;
		widen(rows, view, &rows->all[i]);
	}
	top_rows_arrange(rows, view);
	return 0;
}
