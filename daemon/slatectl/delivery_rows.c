#include "delivery_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

/* Why it is as it is: the receiver's last word, or when it is tried again. */
static void
format_note(const struct view *view, const PGresult *rows, int row, struct text *text)
{
	const char *state = result_text(rows, row, DELIVERY_ROW_STATE),
	           *digest = result_text(rows, row, DELIVERY_ROW_DIGEST);
	const char *word = result_text(rows, row, DELIVERY_ROW_LAST_ERROR),
	           *outcome = result_text(rows, row, DELIVERY_ROW_OUTCOME);
	char next[VIEW_TEXT_SIZE];
	if (result_text(rows, row, DELIVERY_ROW_FINISHED) == NULL) {
		struct instant at = result_instant(rows, row, DELIVERY_ROW_NEXT);
		view_relative(view, at, next);
		if (result_number(rows, row, DELIVERY_ROW_ATTEMPTS) > 0)
			text_add_format(text, "again %s", instant_before(at, view->now) ? "now" : next);
	} else if (outcome != NULL && strcmp(outcome, state) != 0) {
		word = outcome;
	} else if (strcmp(state, "dead") != 0) {
		word = NULL;
	}
	if (digest != NULL)
		text_add_format(text, "in digest %s", digest);
	if (word != NULL)
		text_add_format(text, "%s%s", text->len > 0 ? ": " : "", word);
}

enum {
	COLUMN_KEY,
	COLUMN_TICKET,
	COLUMN_CREATED,
	COLUMN_KIND,
	COLUMN_CLOCK,
	COLUMN_CHANNEL,
	COLUMN_STATE,
	COLUMN_TRIES,
	COLUMN_NOTE,
	COLUMN_COUNT,
};

/* Those from COLUMN_CREATED on are one ticket's. */
static const struct table_column columns[] = {
    [COLUMN_KEY] = {"KEY", TABLE_TRUNC, 0},
    [COLUMN_TICKET] = {"TICKET", TABLE_TRUNC, 3},
    [COLUMN_CREATED] = {"CREATED", 0, 1},
    [COLUMN_KIND] = {"KIND", 0, 0},
    [COLUMN_CLOCK] = {"CLOCK", 0, 2},
    [COLUMN_CHANNEL] = {"CHANNEL", TABLE_TRUNC, 0},
    [COLUMN_STATE] = {"STATE", 0, 0},
    [COLUMN_TRIES] = {"TRIES", TABLE_RIGHT, 0},
    [COLUMN_NOTE] = {"LAST WORD", TABLE_TRUNC, 0},
};

/* A table of the columns from `first` on. */
struct listing {
	const struct view *view;
	struct table *table;
	size_t first;
};

static void
set(const struct listing *listing, size_t column, const char *text, const char *color)
{
	if (column >= listing->first)
		table_set(listing->table, column - listing->first, text, color);
}

static void
set_names(const struct listing *listing, const PGresult *rows, int row)
{
	const char *external = result_text(rows, row, DELIVERY_ROW_EXTERNAL),
	           *address = result_text(rows, row, DELIVERY_ROW_ADDRESS);
	const char *metric = result_text(rows, row, DELIVERY_ROW_METRIC);
	char text[VIEW_TEXT_SIZE];
	struct text channel = {0};
	set(listing, COLUMN_KEY, result_text(rows, row, DELIVERY_ROW_KEY), NULL);
	if (external == NULL && result_text(rows, row, DELIVERY_ROW_TICKET) != NULL) {
		(void)snprintf(text, sizeof(text), "#%s", result_text(rows, row, DELIVERY_ROW_TICKET));
		external = text;
	}
	set(listing, COLUMN_TICKET, external, NULL);
	text_add_format(&channel, "%s%s%s", result_text(rows, row, DELIVERY_ROW_CHANNEL), address != NULL ? " " : "",
	                address != NULL ? address : "");
	set(listing, COLUMN_CHANNEL, channel.failed ? NULL : channel.data, NULL);
	free(channel.data);
	(void)snprintf(text, sizeof(text), result_number(rows, row, DELIVERY_ROW_CYCLE) > 1 ? "%.40s (%s)" : "%.40s",
	               metric != NULL ? metric : "", result_text(rows, row, DELIVERY_ROW_CYCLE));
	set(listing, COLUMN_CLOCK, text, NULL);
}

static void
set_row(const struct listing *listing, const PGresult *rows, int row)
{
	const char *state = result_text(rows, row, DELIVERY_ROW_STATE);
	const char *color = NULL;
	char text[VIEW_TEXT_SIZE];
	struct text note = {0};
	if (strcmp(state, "dead") == 0)
		color = VIEW_RED;
	else if (result_text(rows, row, DELIVERY_ROW_FINISHED) == NULL)
		color = VIEW_YELLOW;
	table_add_row(listing->table);
	set_names(listing, rows, row);
	view_instant(result_instant(rows, row, DELIVERY_ROW_CREATED), text);
	set(listing, COLUMN_CREATED, text, NULL);
	set(listing, COLUMN_KIND, result_text(rows, row, DELIVERY_ROW_KIND), NULL);
	set(listing, COLUMN_STATE, state, color);
	set(listing, COLUMN_TRIES, result_text(rows, row, DELIVERY_ROW_ATTEMPTS), NULL);
	format_note(listing->view, rows, row, &note);
	set(listing, COLUMN_NOTE, note.failed ? NULL : note.data, NULL);
	free(note.data);
}

int
delivery_rows_show(const struct view *view, const PGresult *rows, int begin, bool named)
{
	struct listing listing = {.view = view, .first = named ? COLUMN_KEY : COLUMN_CREATED};
	int r = table_new(view, columns + listing.first, COLUMN_COUNT - listing.first, &listing.table);
	if (r < 0)
		return r;
	for (int row = begin; row < PQntuples(rows); row++)
		set_row(&listing, rows, row);
	r = table_print(listing.table);
	table_free(listing.table);
	return r;
}
