#include "delivery_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

const char delivery_rows_sql[] =
    "SELECT " DB_US("created_at") ", kind, metric, cycle, channel, state, attempts, last_error, outcome, " DB_US(
        "next_attempt_at") ", " DB_US("finished_at") ", key FROM ("
                                                     "  SELECT created_at, kind, metric, cycle, channel, state, "
                                                     "attempts, last_error, NULL AS outcome, "
                                                     "    next_attempt_at, NULL::timestamptz AS finished_at, key, "
                                                     "position FROM sla.delivery WHERE ticket_id = $1 "
                                                     "  UNION ALL SELECT created_at, kind, metric, cycle, channel, "
                                                     "state, attempts, last_error, outcome, "
                                                     "    NULL, finished_at, key, position FROM sla.delivery_log WHERE "
                                                     "ticket_id = $1) AS d ORDER BY position, key";

enum {
	D_CREATED,
	D_KIND,
	D_METRIC,
	D_CYCLE,
	D_CHANNEL,
	D_STATE,
	D_ATTEMPTS,
	D_LAST_ERROR,
	D_OUTCOME,
	D_NEXT,
	D_FINISHED,
	D_KEY,
};

void
delivery_rows_write(struct jsonw *json, const PGresult *rows, int row)
{
	jsonw_open(json, NULL, '{');
	jsonw_text(json, "key", db_text(rows, row, D_KEY));
	jsonw_instant(json, "created_at", db_instant(rows, row, D_CREATED));
	jsonw_text(json, "kind", db_text(rows, row, D_KIND));
	jsonw_text(json, "metric", db_text(rows, row, D_METRIC));
	jsonw_raw(json, "cycle", db_text(rows, row, D_CYCLE));
	jsonw_text(json, "channel", db_text(rows, row, D_CHANNEL));
	jsonw_text(json, "state", db_text(rows, row, D_STATE));
	jsonw_raw(json, "attempts", db_text(rows, row, D_ATTEMPTS));
	jsonw_text(json, "last_error", db_text(rows, row, D_LAST_ERROR));
	jsonw_text(json, "outcome", db_text(rows, row, D_OUTCOME));
	jsonw_instant(json, "next_attempt_at", db_instant(rows, row, D_NEXT));
	jsonw_instant(json, "finished_at", db_instant(rows, row, D_FINISHED));
	jsonw_close(json, '}');
}

/* Why it is as it is: the receiver's last word, or when it is tried again. */
static void
format_note(const struct view *view, const PGresult *rows, int row, struct text *text)
{
	const char *error = db_text(rows, row, D_LAST_ERROR);
	const char *outcome = db_text(rows, row, D_OUTCOME);
	char next[VIEW_TEXT_SIZE];
	bool open = db_text(rows, row, D_FINISHED) == NULL;
	if (open && db_number(rows, row, D_ATTEMPTS) > 0) {
		view_relative(view, db_instant(rows, row, D_NEXT), next);
		view_add(text, "again %s%s", instant_before(db_instant(rows, row, D_NEXT), view->now) ? "now" : next,
		         error != NULL ? ": " : "");
	}
	if (open && error != NULL)
		text_add_string(text, error);
	else if (outcome != NULL && strcmp(outcome, db_text(rows, row, D_STATE)) != 0)
		text_add_string(text, outcome);
	else if (error != NULL && strcmp(db_text(rows, row, D_STATE), "dead") == 0)
		text_add_string(text, error);
}

static void
set_row(const struct view *view, struct table *table, const PGresult *rows, int row)
{
	const char *state = db_text(rows, row, D_STATE);
	const char *metric = db_text(rows, row, D_METRIC);
	const char *color = NULL;
	char text[VIEW_TEXT_SIZE];
	struct text note = {0};
	if (strcmp(state, "dead") == 0)
		color = VIEW_RED;
	else if (strcmp(state, "delivered") != 0)
		color = VIEW_YELLOW;
	table_add_row(table);
	view_instant(db_instant(rows, row, D_CREATED), text);
	table_set(table, 0, text, NULL);
	table_set(table, 1, db_text(rows, row, D_KIND), NULL);
	(void)snprintf(text, sizeof(text), db_number(rows, row, D_CYCLE) > 1 ? "%.40s (%s)" : "%.40s",
	               metric != NULL ? metric : "", db_text(rows, row, D_CYCLE));
	table_set(table, 2, text, NULL);
	table_set(table, 3, db_text(rows, row, D_CHANNEL), NULL);
	table_set(table, 4, state, color);
	table_set(table, 5, db_text(rows, row, D_ATTEMPTS), NULL);
	format_note(view, rows, row, &note);
	table_set(table, 6, note.failed ? NULL : note.data, NULL);
	free(note.data);
}

int
delivery_rows_show(const struct view *view, const PGresult *rows)
{
	static const struct table_column columns[] = {
	    {"CREATED", 0, 1},
	    {"KIND", 0, 0},
	    {"CLOCK", 0, 2},
	    {"CHANNEL", TABLE_TRUNC, 0},
	    {"STATE", 0, 0},
	    {"TRIES", TABLE_RIGHT, 0},
	    {"LAST WORD", TABLE_TRUNC, 0},
	};
	struct table *table;
	int r = table_new(view, columns, sizeof(columns) / sizeof(columns[0]), &table);
	if (r < 0)
		return r;
	for (int row = 0; row < PQntuples(rows); row++)
		set_row(view, table, rows, row);
	r = table_print(table);
	table_free(table);
	return r;
}
