/* slatectl list: the open clocks, what needs somebody first at the top. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock_show.h"
#include "command.h"
#include "report.h"
#include "slated/policy.h"
#include "table.h"

static const char usage[] =
    "usage: slatectl list [FILTER ...] [--limit N] [--json] [--color WHEN] [--config FILE] [--conninfo STRING]\n"
    "\n"
    "Lists the open clocks: breached ones first, then by time left, paused ones last.\n"
    "  --state STATE    running, at_risk (running too), paused or breached\n"
    "  --metric METRIC  first_response, next_response, update, resolution or assessment\n"
    "  --policy NAME    by policy; --plan NAME and --org NAME by the ticket's. \"*\" and \"?\" stand for any text\n"
    "                   and any one character\n"
    "  --within TIME    due within so much time, as in 30m or 2h, or overdue\n"
    "  --limit N        at most so many\n"
    "  --json           one object a line, instants in UTC, lengths of time in seconds\n"
    "  --color WHEN     auto, always or never\n";

static const char *const state_names[] = {"running", "at_risk", "paused", "breached"};

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

struct list_options {
	struct report_options report;
	char *filters[FILTER_COUNT]; /* owned */
};

/* What matches, over all of which the counts go; the limit comes last. */
static const char list_sql[] =
    "SELECT c.ticket_id, t.source, t.external_id, t.org, t.plan, t.status, t.assignee, t.team, "
    "  count(*) OVER (), count(*) FILTER (WHERE c.state = 'breached') OVER (), "
    "  count(*) FILTER (WHERE c.state = 'running' AND c.levels_fired <> '{}') OVER (), "
    "  count(*) FILTER (WHERE c.state = 'running') OVER (), count(*) FILTER (WHERE c.state = 'paused') OVER (), "
    "  count(*) FILTER (WHERE c.state = 'running' AND c.due_at <= n.now) OVER (), " CLOCK_ROW_COLUMNS
    " FROM sla.clock c LEFT JOIN sla.ticket t ON t.id = c.ticket_id "
    "CROSS JOIN (SELECT to_timestamp(0) + $8::bigint * interval '1 microsecond' AS now) AS n "
    "WHERE c.ended_at IS NULL "
    "  AND ($1::text IS NULL OR c.state = $1 OR ($1 = 'at_risk' AND c.state = 'running' AND c.levels_fired <> '{}')) "
    "  AND ($2::text IS NULL OR c.metric = $2) "
    "  AND ($3::text IS NULL OR c.policy ILIKE $3) "
    "  AND ($4::text IS NULL OR t.plan ILIKE $4) "
    "  AND ($5::text IS NULL OR t.org ILIKE $5) "
    "  AND ($6::bigint IS NULL OR c.state = 'breached' OR c.due_at <= n.now + $6 * interval '1 microsecond') "
    "ORDER BY c.state = 'paused', NOT (c.state = 'breached' OR c.due_at <= n.now), c.due_at NULLS FIRST, "
    "  c.budget - c.consumed, c.ticket_id, c.metric, c.cycle LIMIT $7::bigint";

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

enum {
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
};

static const struct table_column columns[] = {
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
	clock_row_read(rows, row, L_CLOCK, report->policies, report->db.now, &clock);
	jsonw_open(json, NULL, '{');
	jsonw_number(json, "ticket_id", result_number(rows, row, L_ID));
	jsonw_text(json, "source", result_text(rows, row, L_SOURCE));
	jsonw_text(json, "external_id", result_text(rows, row, L_EXTERNAL));
	jsonw_text(json, "org", result_text(rows, row, L_ORG));
	jsonw_text(json, "plan", result_text(rows, row, L_PLAN));
	jsonw_text(json, "status", result_text(rows, row, L_STATUS));
	jsonw_text(json, "assignee", result_text(rows, row, L_ASSIGNEE));
	jsonw_text(json, "team", result_text(rows, row, L_TEAM));
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

static void
show_row(const struct report *report, struct table *table, const PGresult *rows, int row, bool *ret_rough)
{
	const struct view *view = &report->view;
	char text[VIEW_TEXT_SIZE];
	struct clock_row clock;
	clock_row_read(rows, row, L_CLOCK, report->policies, report->db.now, &clock);
	const char *color = clock_show_color(&clock);
	const char *external = result_text(rows, row, L_EXTERNAL);
	table_add_row(table);
	(void)snprintf(text, sizeof(text), "#%" PRId64, result_number(rows, row, L_ID));
	table_set(table, COLUMN_TICKET, external != NULL ? external : text, NULL);
	table_set(table, COLUMN_ORG, result_text(rows, row, L_ORG), NULL);
	table_set(table, COLUMN_PLAN, result_text(rows, row, L_PLAN), NULL);
	table_set(table, COLUMN_SEVERITY, clock.severity, NULL);
	clock_show_name(&clock, text);
	table_set(table, COLUMN_METRIC, text, NULL);
	table_set(table, COLUMN_POLICY, clock.policy, NULL);
	table_set(table, COLUMN_STATE, clock_show_label(&clock), color);
	view_short_instant(view, clock.due_at, text);
	table_set(table, COLUMN_DUE, text, NULL);
	clock_show_left(view, &clock, text);
	table_set(table, COLUMN_LEFT, text, color);
	view_bar(view, clock_row_share(&clock), text);
	table_set(table, COLUMN_BAR, text, color);
	view_share(clock_row_share(&clock), clock.rough, text);
	table_set(table, COLUMN_SHARE, text, color);
	*ret_rough |= clock.rough;
}

static void
show_counts(const struct report *report, const PGresult *rows, bool rough, struct text *text)
{
	int64_t all = PQntuples(rows) > 0 ? result_number(rows, 0, L_ALL) : 0;
	if (all == 0) {
		text_add_string(text, "no open clocks");
		view_print(&report->view, "", NULL, text);
		return;
	}
	int64_t at_risk = result_number(rows, 0, L_AT_RISK);
	view_add(text,
	         "%" PRId64 " open clock%s: %" PRId64 " breached, %" PRId64 " at risk, %" PRId64 " running, %" PRId64
	         " paused",
	         all, all == 1 ? "" : "s", result_number(rows, 0, L_BREACHED), at_risk,
	         result_number(rows, 0, L_RUNNING) - at_risk, result_number(rows, 0, L_PAUSED));
	if (PQntuples(rows) < all)
		view_add(text, "; %d shown", PQntuples(rows));
	view_print(&report->view, "\n", NULL, text);
	int64_t overdue = result_number(rows, 0, L_OVERDUE);
	if (overdue > 0) {
		view_add(text,
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
	int r = table_new(&report->view, columns, sizeof(columns) / sizeof(columns[0]), &table);
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

/* Options ---------------------------------------------------------------------------------------------------------- */

/* A glob as a pattern for LIKE. NULL: out of memory. */
static char *
like_pattern(const char *glob)
{
	struct text text = {0};
	text_add_string(&text, "");
	for (; *glob != '\0'; glob++) {
		if (*glob == '*') {
			text_add_string(&text, "%");
		} else if (*glob == '?') {
			text_add_string(&text, "_");
		} else {
			if (strchr("%_\\", *glob) != NULL)
				text_add_string(&text, "\\");
			text_add(&text, glob, 1);
		}
	}
	if (!text.failed)
		return text.data;
	free(text.data);
	return NULL;
}

/* The parameter's text for one option's argument; NULL after what is wrong went to standard error. */
static char *
filter_value(enum filter filter, const char *argument)
{
	struct duration within;
	char digits[24];
	switch (filter) {
	case FILTER_STATE:
		if (name_index(state_names, sizeof(state_names) / sizeof(state_names[0]), argument) >= 0)
			return strdup(argument);
		fprintf(stderr, "slatectl: --state \"%s\": one of running, at_risk, paused, breached\n", argument);
		return NULL;
	case FILTER_METRIC:
		if (name_index(metric_names, METRIC_COUNT, argument) >= 0)
			return strdup(argument);
		fprintf(stderr,
		        "slatectl: --metric \"%s\": one of first_response, next_response, update, resolution, "
		        "assessment\n",
		        argument);
		return NULL;
	case FILTER_WITHIN:
		if (!command_duration("--within", argument, &within))
			return NULL;
		(void)snprintf(digits, sizeof(digits), "%" PRId64, within.us);
		return strdup(digits);
	case FILTER_LIMIT:
		return command_count("--limit", argument) ? strdup(argument) : NULL;
	default:
		return like_pattern(argument);
	}
}

/* 0, or the exit status where there is nothing more to do. */
static int
read_options(int argc, char **argv, struct list_options *options, bool *ret_help)
{
	static const struct option known[] = {
	    {"state", required_argument, NULL, FILTER_STATE},
	    {"metric", required_argument, NULL, FILTER_METRIC},
	    {"policy", required_argument, NULL, FILTER_POLICY},
	    {"plan", required_argument, NULL, FILTER_PLAN},
	    {"org", required_argument, NULL, FILTER_ORG},
	    {"within", required_argument, NULL, FILTER_WITHIN},
	    {"limit", required_argument, NULL, FILTER_LIMIT},
	    {"help", no_argument, NULL, 'H'},
	    REPORT_OPTIONS,
	    {0},
	};
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'H') {
			*ret_help = true;
			return 0;
		}
		if (option >= 0 && option < FILTER_COUNT) {
			free(options->filters[option]);
			options->filters[option] = filter_value((enum filter)option, optarg);
			if (options->filters[option] == NULL)
				return EXIT_USAGE;
		} else if (!report_option(&options->report, option)) {
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		fputs(usage, stderr);
	return optind < argc ? EXIT_USAGE : 0;
}

static int
run_list(const struct list_options *options)
{
	struct report report;
	char now[24];
	const char *values[FILTER_COUNT + 1];
	if (report_open(&options->report, &report) < 0)
		return EXIT_PROBLEM;
	for (int i = 0; i < FILTER_COUNT; i++)
		values[i] = options->filters[i];
	(void)snprintf(now, sizeof(now), "%" PRId64, report.db.now.us);
	values[FILTER_COUNT] = now;
	int status = EXIT_PROBLEM;
	PGresult *rows = db_query(&report.db, "the clocks", list_sql, FILTER_COUNT + 1, values);
	if (rows != NULL && (options->report.json ? write_list(&report, rows) : show_list(&report, rows)) == 0)
		status = 0;
	PQclear(rows);
	report_close(&report);
	return status;
}

int
command_list(int argc, char **argv)
{
	struct list_options options = {0};
	bool help = false;
	int status = read_options(argc, argv, &options, &help);
	if (help)
		fputs(usage, stdout);
	else if (status == 0)
		status = run_list(&options);
	for (int i = 0; i < FILTER_COUNT; i++)
		free(options.filters[i]);
	return status;
}
