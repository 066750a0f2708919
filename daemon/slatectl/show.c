/* slatectl show: everything that is known of one ticket. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock_show.h"
#include "command.h"
#include "delivery_rows.h"
#include "report.h"
#include "show_explain.h"
#include "slated/ticket_row.h"
#include "story.h"
#include "table.h"
#include "ticket_find.h"
#include "ticket_rows.h"

static const struct story *const stories[] = {&story_milestones, &story_reassessments, &story_events};
enum { STORIES = sizeof(stories) / sizeof(stories[0]) };

struct show {
	struct report report;
	struct report_options options;
	const char *name;
	const char *source;
	bool explain;
	char id[TICKET_ID_SIZE];
	PGresult *ticket;
	PGresult *clocks;
	PGresult *stories[STORIES];
	PGresult *deliveries;
	struct text text;
};

static int
load(struct show *show)
{
	const char *const values[] = {show->id};
	const struct db *db = &show->report.db;
	show->ticket = db_query(db, "the ticket", ticket_row_sql, 1, values);
	if (show->ticket == NULL)
		return -EIO;
	show->clocks = db_query(db, "its clocks", clock_row_ticket_sql, 1, values);
	if (show->clocks == NULL)
		return -EIO;
	for (int i = 0; i < STORIES; i++) {
		show->stories[i] = db_query(db, stories[i]->rows->key, stories[i]->rows->sql, 1, values);
		if (show->stories[i] == NULL)
			return -EIO;
	}
	show->deliveries = db_query(db, "its deliveries", delivery_row_sql, 1, values);
	return show->deliveries == NULL ? -EIO : 0;
}

/* JSON ------------------------------------------------------------------------------------------------------------- */

static int
write_show(const struct show *show)
{
	struct jsonw json = {0};
	jsonw_open(&json, NULL, '{');
	ticket_row_write(&json, show->ticket);
	jsonw_open(&json, "clocks", '[');
	for (int row = 0; row < PQntuples(show->clocks); row++) {
		struct clock_row clock;
		clock_row_read(show->clocks, row, 0, show->report.policies, show->report.db.now, &clock);
		jsonw_open(&json, NULL, '{');
		clock_row_write(&json, &clock);
		jsonw_close(&json, '}');
	}
	jsonw_close(&json, ']');
	for (int i = 0; i < STORIES; i++)
		story_row_write(&json, stories[i]->rows, show->stories[i]);
	jsonw_open(&json, "deliveries", '[');
	for (int row = 0; row < PQntuples(show->deliveries); row++)
		delivery_row_write(&json, show->deliveries, row);
	jsonw_close(&json, ']');
	jsonw_close(&json, '}');
	int r = view_print_json(&json);
	jsonw_clear(&json);
	return r;
}

/* Text ------------------------------------------------------------------------------------------------------------- */

static void
show_title(struct show *show, const char *title)
{
	text_add_string(&show->text, title);
	view_print(&show->report.view, "\n", VIEW_BOLD, &show->text);
}

static void
show_fact(struct show *show, const char *name, const char *color)
{
	char lead[32];
	(void)snprintf(lead, sizeof(lead), "  %-13s", name);
	view_print(&show->report.view, lead, color, &show->text);
}

static void
show_moment(struct show *show, const char *name, struct instant at)
{
	char moment[VIEW_TEXT_SIZE], relative[VIEW_TEXT_SIZE];
	if (instant_equal(at, INSTANT_NEVER))
		return;
	view_instant(at, moment);
	view_relative(&show->report.view, at, relative);
	text_add_format(&show->text, "%s (%s)", moment, relative);
	show_fact(show, name, NULL);
}

/* The severity in force has its configured name, the ticket's may be an alias or not yet applied. */
static void
show_facts(struct show *show)
{
	const PGresult *rows = show->ticket;
	const char *external = result_text(rows, 0, TICKET_ROW_EXTERNAL);
	const char *applied = result_text(rows, 0, TICKET_ROW_APPLIED_SEVERITY);
	if (external != NULL)
		text_add_format(&show->text, "%s  ", external);
	text_add_format(&show->text, "#%s, source %s", show->id, result_text(rows, 0, TICKET_ROW_SOURCE));
	view_print(&show->report.view, "", VIEW_BOLD, &show->text);
	for (int i = 0; i < TICKET_ROW_FACTS; i++) {
		const char *value = result_text(rows, 0, TICKET_ROW_STATUS + i);
		if (value == NULL)
			continue;
		text_add_string(&show->text, value);
		if (TICKET_ROW_STATUS + i == TICKET_ROW_SEVERITY && applied != NULL && strcmp(applied, value) != 0)
			text_add_format(&show->text, " (in force: %s)", applied);
		show_fact(show, ticket_row_facts[i], NULL);
	}
	if (result_text(rows, 0, TICKET_ROW_ATTRIBUTES) != NULL) {
		text_add_string(&show->text, result_text(rows, 0, TICKET_ROW_ATTRIBUTES));
		show_fact(show, "attributes", NULL);
	}
	show_moment(show, "opened", result_instant(rows, 0, TICKET_ROW_OPENED));
	show_moment(show, "acknowledged", result_instant(rows, 0, TICKET_ROW_ACK));
	int64_t waiting = result_number(rows, 0, TICKET_ROW_WAITING);
	if (waiting > 0) {
		text_add_format(&show->text, "%" PRId64 " event%s not applied by a daemon yet", waiting,
		                waiting == 1 ? "" : "s");
		show_fact(show, "", VIEW_YELLOW);
	}
}

static void
set_clock(const struct show *show, struct table *table, int row)
{
	const struct view *view = &show->report.view;
	char text[VIEW_TEXT_SIZE];
	struct clock_row clock;
	clock_row_read(show->clocks, row, 0, show->report.policies, show->report.db.now, &clock);
	const char *color = clock_show_color(&clock);
	bool ended = !instant_equal(clock.ended_at, INSTANT_NEVER);
	table_add_row(table);
	clock_show_name(&clock, text);
	table_set(table, 0, text, NULL);
	table_set(table, 1, clock_show_label(&clock), color);
	table_set(table, 2, clock.severity, NULL);
	table_set(table, 3, clock.policy, NULL);
	table_set(table, 4, clock.calendar, NULL);
	view_short_instant(view, clock.started_at, text);
	table_set(table, 5, text, NULL);
	view_short_instant(view, clock.due_at, text);
	table_set(table, 6, text, NULL);
	clock_show_left(view, &clock, text);
	table_set(table, 7, ended ? NULL : text, color);
	view_bar(view, clock_row_share(&clock), text);
	table_set(table, 8, text, color);
	view_share(clock_row_share(&clock), clock.rough, text);
	table_set(table, 9, text, color);
}

static int
show_clocks(struct show *show)
{
	static const struct table_column columns[] = {
	    {"METRIC", 0, 0},
	    {"STATE", 0, 0},
	    {"SEVERITY", 0, 3},
	    {"POLICY", TABLE_TRUNC, 4},
	    {"CALENDAR", TABLE_TRUNC, 5},
	    {"STARTED", TABLE_RIGHT, 6},
	    {"DUE", TABLE_RIGHT, 0},
	    {"LEFT", TABLE_RIGHT, 0},
	    {"USED", 0, 1},
	    {"", TABLE_RIGHT, 0},
	};
	struct table *table;
	show_title(show, "Clocks");
	if (PQntuples(show->clocks) == 0) {
		text_add_string(&show->text, "none: no target has applied to this ticket");
		view_print(&show->report.view, "  ", NULL, &show->text);
		return 0;
	}
	int r = table_new(&show->report.view, columns, sizeof(columns) / sizeof(columns[0]), &table);
	if (r < 0)
		return r;
	for (int row = 0; row < PQntuples(show->clocks); row++)
		set_clock(show, table, row);
	r = table_print(table);
	table_free(table);
	return r;
}

static void
show_story(struct show *show, const struct story *story, const PGresult *rows)
{
	char lead[VIEW_TEXT_SIZE + 4], at[VIEW_TEXT_SIZE];
	if (PQntuples(rows) == 0)
		return;
	show_title(show, story->title);
	for (int row = 0; row < PQntuples(rows); row++) {
		view_instant(result_instant(rows, row, 0), at);
		(void)snprintf(lead, sizeof(lead), "  %s  ", at);
		const char *color = story->tell(rows, row, &show->text);
		view_print(&show->report.view, lead, color, &show->text);
	}
}

static int
show_text(struct show *show)
{
	show_facts(show);
	int r = show_clocks(show);
	for (int i = 0; i < STORIES; i++)
		show_story(show, stories[i], show->stories[i]);
	if (r == 0 && PQntuples(show->deliveries) > 0) {
		show_title(show, "Deliveries");
		r = delivery_rows_show(&show->report.view, show->deliveries, 0, false);
	}
	if (show->text.failed)
		r = -ENOMEM;
	free(show->text.data);
	return r;
}

/* ------------------------------------------------------------------------------------------------------------------ */

static int
run_show(void *options)
{
	struct show *show = options;
	if (report_open(&show->options, &show->report) < 0)
		return EXIT_PROBLEM;
	int r = ticket_find(&show->report.db, show->name, show->source, show->id);
	if (r == 0 && show->explain) {
		r = show_explain(&show->report, show->id, show->options.json);
		report_close(&show->report);
		return r < 0 ? EXIT_PROBLEM : 0;
	}
	if (r == 0)
		r = load(show);
	if (r == 0)
		r = show->options.json ? write_show(show) : show_text(show);
	PQclear(show->ticket);
	PQclear(show->clocks);
	for (int i = 0; i < STORIES; i++)
		PQclear(show->stories[i]);
	PQclear(show->deliveries);
	report_close(&show->report);
	return r < 0 ? EXIT_PROBLEM : 0;
}

static const struct command_row rows[] = {
    {"explain", NULL, "says instead why its clocks are as they are: policy, target and every stretch of time",
     VALUE_FLAG, offsetof(struct show, explain)},
    TICKET_SOURCE(offsetof(struct show, source)),
    REPORT_JSON(offsetof(struct show, options)),
    REPORT_COLOR(offsetof(struct show, options)),
    REPORT_CONFIG(offsetof(struct show, options)),
    REPORT_CONNINFO(offsetof(struct show, options)),
    TICKET_NAME(offsetof(struct show, name)),
    {0},
};

const struct command command_show = {
    .name = "show",
    .help = "show a ticket's clocks, milestones and deliveries",
    .about = "Shows a ticket's facts, clocks, milestones, events and deliveries.\n" TICKET_ABOUT,
    .rows = rows,
    .size = sizeof(struct show),
    .run = run_show,
};
