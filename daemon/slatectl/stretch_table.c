#include "stretch_table.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>

#include "slated/words.h"

enum {
	COLUMN_WHAT,
	COLUMN_FROM,
	COLUMN_TO,
	COLUMN_LENGTH,
	COLUMN_SUM,
	COLUMN_WHY,
};

struct libscols_table *
stretch_table_new(void)
{
	static const char *const names[] = {"", "FROM", "TO", "LENGTH", "SUM", "WHY"};
	struct libscols_table *table = scols_new_table();

	for (size_t i = 0; table != NULL && i < sizeof names / sizeof *names; i++) {
		int flags = i == COLUMN_LENGTH || i == COLUMN_SUM ? SCOLS_FL_RIGHT : 0;
		if (scols_table_new_column(table, names[i], 0, flags) == NULL) {
			scols_unref_table(table);
			table = NULL;
		}
	}
	return table;
}

/* Why, which business day it is, and how the clocks change, as far as there is something to say. */
static void
stretch_describe(const struct stretch *stretch, const struct zone *zone, char *text, size_t room)
{
	int len = snprintf(text, room, "%s", stretch->why);

	if (stretch->business_day > 0)
		len += snprintf(text + len, room - (size_t)len, "%sbusiness day %d", len > 0 ? "; " : "",
		                (int)stretch->business_day);
	if (!instant_equal(stretch->change, INSTANT_NEVER)) {
		char at[WORDS_SIZE], before[WORDS_SIZE], after[WORDS_SIZE];
		words_local(zone, stretch->change, at);
		words_offset(stretch->offset_before, before);
		words_offset(stretch->offset_after, after);
		(void)snprintf(text + len, room - (size_t)len, "%sclocks change from %s to %s at %s",
		               len > 0 ? "; " : "", before, after, at);
	}
}

int
stretch_table_add(struct libscols_table *table, const struct zone *zone, const struct stretch *stretch,
                  const char *what, const char *why)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char text[256], from[WORDS_SIZE], to[WORDS_SIZE], length[WORDS_SIZE], sum[WORDS_SIZE];

	if (line == NULL)
		return -ENOMEM;
	words_local(zone, stretch->from, from);
	words_local(zone, stretch->to, to);
	words_length(instant_since(stretch->to, stretch->from), length);
	words_length(stretch->sum, sum);
	if (why == NULL)
		stretch_describe(stretch, zone, text, sizeof text);
	else
		(void)snprintf(text, sizeof text, "%s", why);
	const char *const cells[] = {
	    [COLUMN_WHAT] = what,     [COLUMN_FROM] = from, [COLUMN_TO] = to,
	    [COLUMN_LENGTH] = length, [COLUMN_SUM] = sum,   [COLUMN_WHY] = text,
	};
	for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
		if (scols_line_set_data(line, i, cells[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}
