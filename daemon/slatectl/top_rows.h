/* The open clocks as slatectl top shows them: filtered, sorted, one of them selected. */
#ifndef SLATED_SLATECTL_TOP_ROWS_H
#define SLATED_SLATECTL_TOP_ROWS_H

#include "list.h"

enum top_sort {
	TOP_SORT_NEED, /* as slatectl list */
	TOP_SORT_USED,
	TOP_SORT_TICKET,
	TOP_SORT_ORG,
	TOP_SORT_POLICY,
	TOP_SORT_COUNT,
};

/* For people. */
extern const char *const top_sort_names[TOP_SORT_COUNT];

#define TOP_FILTER_SIZE 64

struct top_row {
	int row; /* of `result` */
	struct clock_row clock;
};

/* One clock among all. */
struct top_key {
	int64_t ticket;
	char metric[32];
	int64_t cycle;
};

struct top_rows {
	const PGresult *result;
	struct top_row *all; /* as they were read */
	struct top_row **shown;
	size_t n_all;
	size_t n_shown;
	size_t selected;
	struct top_key key; /* of the selected one, which is looked for again in what is read next */
	enum top_sort sort;
	char filter[TOP_FILTER_SIZE]; /* words that all must occur; case does not matter in ASCII */
	unsigned widths[COLUMN_COUNT];
	bool rough;
};

void top_rows_clear(struct top_rows *rows);

/* Takes what was read, which must stay until the next is. 0 or -ENOMEM, with nothing in it. */
int top_rows_load(struct top_rows *rows, const PGresult *result, const struct policy_set *policies,
                  const struct view *view) __attribute__((warn_unused_result));

/* After a change of `filter` or `sort`. */
void top_rows_arrange(struct top_rows *rows, const struct view *view);

/* Selects another one, as far as there are any. */
void top_rows_move(struct top_rows *rows, ptrdiff_t by);

/* NULL: nothing is shown. */
const struct top_row *top_rows_selected(const struct top_rows *rows);

#endif
