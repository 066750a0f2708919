/* slatectl list: the open clocks, what needs somebody first at the top. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock_show.h"
#include "command.h"
#include "list.h"
#include "report.h"
#include "slated/policy.h"

struct list_options {
	struct report_options report;
	const char *filters[CLOCK_LIST_PARAMS]; /* but lengths of time */
	struct duration within;                 /* negative: not asked */
};

/* A million clocks would take gigabytes of memory, beside a server perhaps, and minutes. */
static const char default_limit[] = "10000";

const struct table_column list_columns[COLUMN_COUNT] = {
    [COLUMN_TICKET] = {"TICKET", TABLE_TRUNC, 0},
    [COLUMN_ORG] = {"ORG", TABLE_TRUNC, 0},
    [COLUMN_PLAN] = {"PLAN", TABLE_TRUNC, 4},
    [COLUMN_SEVERITY] = {"SEVERITY", 0, 2},
    [COLUMN_METRIC] = {"METRIC", 0, 0},
    [COLUMN_POLICY] = {"POLICY", TABLE_TRUNC, 5},
    [COLUMN_STATE] = {"STATE", 0, 0},
    [COLUMN_DUE] = {"DUE", TABLE_RIGHT, 3},
    [COLUMN_LEFT] = {"LEFT", TABLE_RIGHT, 0},
    [COLUMN_BAR] = {"USED", 0, 1},
    [COLUMN_SHARE] = {"", TABLE_RIGHT, 0},
};

static int
write_row(struct jsonw *json, const struct report *report, const PGresult *rows, int row)
{
	struct clock_row clock;
	clock_row_read(rows, row, CLOCK_LIST_CLOCK, report->policies, report->db.now, &clock);
	jsonw_open(json, NULL, '{');
	clock_list_write_ticket(json, rows, row, report->db.now);
	clock_row_write(json, &clock);
	if (!instant_equal(clock.due_at, INSTANT_NEVER))
		jsonw_seconds(json, "due_in", instant_since(clock.due_at, report->db.now));
	jsonw_close(json, '}');
	return view_print_json(json);
}

static int
write_list(const struct report *report, const PGresult *rows)
{
	struct jsonw json = {0};
	int r = 0;
	for (int row = 0; row < PQntuples(rows) && r == 0; row++)
		r = write_row(&json, report, rows, row);
	jsonw_clear(&json);
	return r;
}

/* What the default limit leaves out must not be missed by a program that reads the rest. */
static void
warn_of_more(const struct list_options *options, const PGresult *rows)
{
	int64_t all = PQntuples(rows) > 0 ? result_number(rows, 0, CLOCK_LIST_ALL) : 0;
	if (options->filters[CLOCK_LIST_LIMIT] == default_limit && PQntuples(rows) < all)
		fprintf(stderr,
		        "slatectl: there are %" PRId64 " such clocks, the first %d are listed: --limit sets how many\n",
		        all, PQntuples(rows));
}

const char *
list_cell(const struct view *view, const PGresult *rows, int row, const struct clock_row *clock,
          enum list_column column, char text[static VIEW_TEXT_SIZE])
{
	const char *external = result_text(rows, row, CLOCK_LIST_EXTERNAL);
	switch (column) {
	case COLUMN_TICKET:
		(void)snprintf(text, VIEW_TEXT_SIZE, "#%" PRId64, result_number(rows, row, CLOCK_LIST_ID));
		return external != NULL ? external : text;
	case COLUMN_ORG:
		return result_text(rows, row, CLOCK_LIST_COLUMN_ORG);
	case COLUMN_PLAN:
		return result_text(rows, row, CLOCK_LIST_COLUMN_PLAN);
	case COLUMN_SEVERITY:
		return clock->severity;
	case COLUMN_METRIC:
		clock_show_name(clock, text);
		return text;
	case COLUMN_POLICY:
		return clock->policy;
	case COLUMN_STATE:
		return clock_show_label(clock);
	case COLUMN_DUE:
		view_short_instant(view, clock->due_at, text);
		return text;
	case COLUMN_LEFT:
		clock_show_left(view, clock, text);
		return text;
	case COLUMN_BAR:
		view_bar(view, clock_row_share(clock), text);
		return text;
	default:
		view_share(clock_row_share(clock), clock->rough, text);
		return text;
	}
}

const char *
list_cell_color(const struct clock_row *clock, enum list_column column)
{
	bool colored = column == COLUMN_STATE || column >= COLUMN_LEFT;
	return colored ? clock_show_color(clock) : NULL;
}

static void
show_row(const struct report *report, struct table *table, const PGresult *rows, int row, bool *ret_rough)
{
	char text[VIEW_TEXT_SIZE];
	struct clock_row clock;
	clock_row_read(rows, row, CLOCK_LIST_CLOCK, report->policies, report->db.now, &clock);
	table_add_row(table);
	for (enum list_column column = 0; column < COLUMN_COUNT; column++)
		table_set(table, column, list_cell(&report->view, rows, row, &clock, column, text),
		          list_cell_color(&clock, column));
	*ret_rough |= clock.rough;
}

static void
show_counts(const struct report *report, const PGresult *rows, bool rough, struct text *text)
{
	int64_t all = PQntuples(rows) > 0 ? result_number(rows, 0, CLOCK_LIST_ALL) : 0;
	if (all == 0) {
		text_add_string(text, "no open clocks");
		view_print(&report->view, "", NULL, text);
		return;
	}
	int64_t at_risk = result_number(rows, 0, CLOCK_LIST_AT_RISK);
	text_add_format(text,
	                "%" PRId64 " open clock%s: %" PRId64 " breached, %" PRId64 " at risk, %" PRId64
	                " running, %" PRId64 " paused",
	                all, all == 1 ? "" : "s", result_number(rows, 0, CLOCK_LIST_BREACHED), at_risk,
	                result_number(rows, 0, CLOCK_LIST_RUNNING) - at_risk,
	                result_number(rows, 0, CLOCK_LIST_PAUSED));
	if (PQntuples(rows) < all)
		text_add_format(text, "; %d shown", PQntuples(rows));
	view_print(&report->view, "\n", NULL, text);
	int64_t overdue = result_number(rows, 0, CLOCK_LIST_OVERDUE);
	if (overdue > 0) {
		text_add_format(text,
		                "%" PRId64
		                " overdue without a recorded breach: slatectl status says whether a daemon is alive",
		                overdue);
		view_print(&report->view, "", VIEW_RED, text);
	}
	if (rough) {
		text_add_string(text, "~ estimated: the calendar is not in the configuration given by --config");
		view_print(&report->view, "", VIEW_DIM, text);
	}
}

static int
show_list(const struct report *report, const PGresult *rows)
{
	struct table *table;
	struct text text = {0};
	bool rough = false;
	int r = table_new(&report->view, list_columns, COLUMN_COUNT, &table);
	if (r < 0)
		return r;
	for (int row = 0; row < PQntuples(rows); row++)
		show_row(report, table, rows, row, &rough);
	if (PQntuples(rows) > 0)
		r = table_print(table);
	show_counts(report, rows, rough, &text);
	if (text.failed)
		r = -ENOMEM;
	free(text.data);
	table_free(table);
	return r;
}

/* ------------------------------------------------------------------------------------------------------------------ */

/* The query's parameters, which the caller frees. False: out of memory. */
static bool
make_values(const struct list_options *options, struct instant now, char *values[static CLOCK_LIST_PARAMS])
{
	char number[24];
	bool made = true;
	for (int i = 0; i < CLOCK_LIST_PARAMS; i++) {
		const char *filter = options->filters[i];
		bool glob = i >= CLOCK_LIST_POLICY && i <= CLOCK_LIST_TEAM;
		if ((i == CLOCK_LIST_WITHIN && options->within.us >= 0) || i == CLOCK_LIST_NOW) {
			(void)snprintf(number, sizeof(number), "%" PRId64,
			               i == CLOCK_LIST_NOW ? now.us : options->within.us);
			filter = number;
		}
		values[i] = filter == NULL ? NULL : glob ? clock_list_pattern(filter) : strdup(filter);
		made &= filter == NULL || values[i] != NULL;
	}
	return made;
}

static int
run_list(void *into)
{
	const struct list_options *options = into;
	struct report report;
	char *values[CLOCK_LIST_PARAMS];
	PGresult *rows = NULL;
	int status = EXIT_PROBLEM;
	if (report_open(&options->report, &report) < 0)
		return EXIT_PROBLEM;
	if (make_values(options, report.db.now, values))
		rows =
		    db_query(&report.db, "the clocks", clock_list_sql, CLOCK_LIST_PARAMS, (const char *const *)values);
	else
		fputs("slatectl: out of memory\n", stderr);
	if (rows != NULL && (options->report.json ? write_list(&report, rows) : show_list(&report, rows)) == 0)
		status = 0;
	if (rows != NULL)
		warn_of_more(options, rows);
	for (int i = 0; i < CLOCK_LIST_PARAMS; i++)
		free(values[i]);
	PQclear(rows);
	report_close(&report);
	return status;
}

#define FILTER_AT(filter) offsetof(struct list_options, filters[filter])

static const struct command_row rows[] = {
    {"state", "STATE", "running, at_risk (running too), paused or breached", VALUE_CHOICE, FILTER_AT(CLOCK_LIST_STATE),
     clock_list_states, CLOCK_LIST_STATES},
    {"metric", "METRIC", "first_response, next_response, update, resolution or assessment", VALUE_CHOICE,
     FILTER_AT(CLOCK_LIST_METRIC), metric_names, METRIC_COUNT},
    {"policy", "NAME", "by policy; \"*\" and \"?\" stand for any text and any one character", VALUE_TEXT,
     FILTER_AT(CLOCK_LIST_POLICY)},
    {"plan", "NAME", "by the ticket's plan, in the same way", VALUE_TEXT, FILTER_AT(CLOCK_LIST_PLAN)},
    {"org", "NAME", "by the ticket's organisation, in the same way", VALUE_TEXT, FILTER_AT(CLOCK_LIST_ORG)},
    {"within", "TIME", "due within so much time, as in 30m or 2h, or overdue", VALUE_DURATION,
     offsetof(struct list_options, within)},
    {"limit", "N", "at most so many; 10000 where it is left out", VALUE_COUNT, FILTER_AT(CLOCK_LIST_LIMIT)},
    REPORT_JSON(offsetof(struct list_options, report)),
    REPORT_COLOR(offsetof(struct list_options, report)),
    REPORT_CONFIG(offsetof(struct list_options, report)),
    REPORT_CONNINFO(offsetof(struct list_options, report)),
    {0},
};

static const struct list_options initial = {.filters[CLOCK_LIST_LIMIT] = default_limit, .within = {-1}};

const struct command command_list = {
    .name = "list",
    .help = "list the open clocks by time left",
    .about = "Lists the open clocks: breached ones first, then by time left, paused ones last.\n",
    .rows = rows,
    .size = sizeof(struct list_options),
    .initial = &initial,
    .run = run_list,
};
