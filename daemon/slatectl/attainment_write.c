/* The report as text, JSON and HTML. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "attainment.h"
#include "html.h"
#include "slated/policy.h"
#include "slated/words.h"
#include "table.h"

/* People read so many breaches; programs get all. */
#define BREACHES_SHOWN 200

#define CELL_SIZE 32

static const struct table_column sum_columns[] = {
    {"POLICY", TABLE_TRUNC, 0}, {"METRIC", 0, 0},
    {"SEVERITY", 0, 0},         {"IN TIME", TABLE_RIGHT, 0},
    {"MISSED", TABLE_RIGHT, 0}, {"WITHDRAWN", TABLE_RIGHT, 2},
    {"KEPT", TABLE_RIGHT, 0},   {"", 0, 1},
};
static const struct table_column week_columns[] = {
    {"WEEK OF", 0, 0}, {"IN TIME", TABLE_RIGHT, 0}, {"MISSED", TABLE_RIGHT, 0}, {"KEPT", TABLE_RIGHT, 0}, {"", 0, 1}};
static const struct table_column time_columns[] = {
    {"TIME TO", 0, 0},
    {"SEVERITY", 0, 0},
    {"CALENDAR", TABLE_TRUNC, 1},
    {"TICKETS", TABLE_RIGHT, 0},
    {"MEDIAN", TABLE_RIGHT, 0},
    {"90% WITHIN", TABLE_RIGHT, 0},
    {"95% WITHIN", TABLE_RIGHT, 0},
    {"LONGEST", TABLE_RIGHT, 0},
};
static const struct table_column breach_columns[] = {
    {"MISSED", TABLE_TRUNC, 0}, {"ORG", TABLE_TRUNC, 2}, {"METRIC", 0, 0}, {"SEVERITY", 0, 3}, {"DUE", 0, 1},
    {"LATE", TABLE_RIGHT, 0},   {"WHY", TABLE_TRUNC, 0},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What the cells of the tables say, for both text and HTML ----------------------------------------------------------
 */

struct cells {
	char text[TABLE_COLUMNS_MAX][VIEW_TEXT_SIZE];
	const char *cells[TABLE_COLUMNS_MAX];
	struct text ticket;
	struct text why;
	bool words; /* "first response", for readers who have never seen the names */
};

static void
cell_number(struct cells *cells, size_t i, int64_t number)
{
	(void)snprintf(cells->text[i], VIEW_TEXT_SIZE, "%" PRId64, number);
	cells->cells[i] = cells->text[i];
}

static void
cell_metric(struct cells *cells, size_t i, const char *metric)
{
	int known = cells->words ? name_index(metric_names, METRIC_COUNT, metric) : -1;
	(void)snprintf(cells->text[i], VIEW_TEXT_SIZE, "%s", known >= 0 ? metric_words[known] : metric);
	cells->cells[i] = cells->text[i];
}

static void
cell_length(struct cells *cells, size_t i, const PGresult *rows, int row, int column)
{
	view_length((struct duration){result_number(rows, row, column)}, cells->text[i]);
	cells->cells[i] = cells->text[i];
}

static void
cell_share(struct cells *cells, size_t i, int64_t in_time, int64_t missed)
{
	attainment_share(in_time, missed, cells->text[i]);
	cells->cells[i] = cells->text[i];
}

static void
make_sum(const PGresult *rows, int row, struct cells *cells)
{
	int64_t in_time = result_number(rows, row, SUM_IN_TIME), missed = result_number(rows, row, SUM_MISSED);
	cells->cells[0] = result_text(rows, row, SUM_POLICY);
	cell_metric(cells, 1, result_text(rows, row, SUM_METRIC));
	cells->cells[2] = result_text(rows, row, SUM_SEVERITY);
	cell_number(cells, 3, in_time);
	cell_number(cells, 4, missed);
	cell_number(cells, 5, result_number(rows, row, SUM_WITHDRAWN));
	cell_share(cells, 6, in_time, missed);
}

static void
make_week(const PGresult *rows, int row, struct cells *cells)
{
	int64_t in_time = result_number(rows, row, WEEK_IN_TIME), missed = result_number(rows, row, WEEK_MISSED);
	cells->cells[0] = result_text(rows, row, WEEK_MONDAY);
	cell_number(cells, 1, in_time);
	cell_number(cells, 2, missed);
	cell_share(cells, 3, in_time, missed);
}

static void
make_time(const PGresult *rows, int row, struct cells *cells)
{
	cell_metric(cells, 0, result_text(rows, row, TIME_METRIC));
	cells->cells[1] = result_text(rows, row, TIME_SEVERITY);
	cells->cells[2] = result_text(rows, row, TIME_CALENDAR);
	cell_number(cells, 3, result_number(rows, row, TIME_N));
	for (int i = TIME_MEDIAN; i <= TIME_LONGEST; i++)
		cell_length(cells, (size_t)i, rows, row, i);
}

/* The texts of the row before are used up. */
static void
make_breach(const PGresult *rows, int row, struct cells *cells)
{
	bool met = result_text(rows, row, BREACH_LATE_BY) != NULL;
	text_empty(&cells->ticket);
	text_empty(&cells->why);
	attainment_add_ticket(&cells->ticket, rows, row);
	attainment_add_cause(&cells->why, rows, row);
	cells->cells[0] = cells->ticket.failed ? NULL : cells->ticket.data;
	cells->cells[1] = result_text(rows, row, BREACH_ORG);
	cell_metric(cells, 2, result_text(rows, row, BREACH_METRIC));
	cells->cells[3] = result_text(rows, row, BREACH_SEVERITY);
	view_instant(result_instant(rows, row, BREACH_DUE), cells->text[4]);
	cells->cells[4] = cells->text[4];
	if (met)
		cell_length(cells, 5, rows, row, BREACH_LATE_BY);
	else
		cells->cells[5] = result_text(rows, row, BREACH_ENDED) != NULL ? "withdrawn" : "open";
	cells->cells[6] = cells->why.failed ? NULL : cells->why.data;
}

typedef void make_cells(const PGresult *rows, int row, struct cells *cells);

static int
shown(const PGresult *rows, enum attainment_table which)
{
	int n = PQntuples(rows);
	return which == ATTAINMENT_BREACHES && n > BREACHES_SHOWN ? BREACHES_SHOWN : n;
}

/* Text --------------------------------------------------------------------------------------------------------------
 */

static double
share_of(const PGresult *rows, int row, int in_time, int missed)
{
	double a = (double)result_number(rows, row, in_time), b = (double)result_number(rows, row, missed);
	return a + b > 0 ? a / (a + b) : 0;
}

static int
print_table(const struct attainment *report, enum attainment_table which, const struct table_column *columns, size_t n,
            make_cells *make)
{
	const PGresult *rows = report->tables[which];
	bool bars = which == ATTAINMENT_WEEKS || which == ATTAINMENT_SUMS;
	struct table *table;
	int r = 0;
	if (PQntuples(rows) == 0)
		return 0;
	if (table_new(&report->view, columns, n, &table) < 0) {
		fputs("slatectl: out of memory\n", stderr);
		return -ENOMEM;
	}
	struct cells cells = {0};
	for (int row = 0; row < shown(rows, which); row++) {
		make(rows, row, &cells);
		if (bars) {
			view_bar(&report->view,
			         which == ATTAINMENT_WEEKS ? share_of(rows, row, WEEK_IN_TIME, WEEK_MISSED)
			                                   : share_of(rows, row, SUM_IN_TIME, SUM_MISSED),
			         cells.text[n - 1]);
			cells.cells[n - 1] = cells.text[n - 1];
		}
		table_add_row(table);
		for (size_t i = 0; i < n; i++)
			table_set(table, i, cells.cells[i], NULL);
	}
	fputs("\n", stdout);
	r = table_print(table);
	if (shown(rows, which) < PQntuples(rows))
		printf("%d more: --format csv --table breaches has all\n", PQntuples(rows) - shown(rows, which));
	table_free(table);
	free(cells.ticket.data);
	free(cells.why.data);
	return r;
}

/* "Kestrel*, plan gold": what the report is limited to. */
static void
add_filters(struct text *text, const struct attainment *report)
{
	const char *const names[] = {"organisation", "plan", "policy"};
	const char *const values[] = {report->org, report->plan, report->policy};
	for (size_t i = 0; i < COUNT(names); i++)
		if (values[i] != NULL)
			text_add_format(text, ", %s %s", names[i], values[i]);
}

int
attainment_write_text(const struct attainment *report)
{
	char share[ATTAINMENT_SHARE_SIZE];
	struct text filters = {0};
	add_filters(&filters, report);
	printf("%s (%s)%s%s\n", report->month_name, report->timezone, filters.len > 0 ? filters.data : "",
	       instant_before(report->view.now, report->until) ? ", so far" : "");
	free(filters.data);
	attainment_share(report->in_time, report->missed, share);
	if (report->in_time + report->missed == 0)
		printf("nothing fell due");
	else
		printf("%s of %" PRId64 " promises kept: %" PRId64 " in time, %" PRId64 " missed", share,
		       report->in_time + report->missed, report->in_time, report->missed);
	if (report->withdrawn > 0)
		printf("; %" PRId64 " withdrawn before they were due", report->withdrawn);
	putchar('\n');
	int r = print_table(report, ATTAINMENT_WEEKS, week_columns, COUNT(week_columns), make_week);
	if (r == 0)
		r = print_table(report, ATTAINMENT_SUMS, sum_columns, COUNT(sum_columns), make_sum);
	if (r == 0)
		r = print_table(report, ATTAINMENT_TIMES, time_columns, COUNT(time_columns), make_time);
	if (r == 0)
		r = print_table(report, ATTAINMENT_BREACHES, breach_columns, COUNT(breach_columns), make_breach);
	return r;
}

/* JSON --------------------------------------------------------------------------------------------------------------
 */

static void
write_promises(struct jsonw *json, const PGresult *rows)
{
	jsonw_open(json, "promises", '[');
	for (int row = 0; row < PQntuples(rows); row++) {
		jsonw_open(json, NULL, '{');
		for (int column = 0; column < PQnfields(rows); column++)
			if (column < 5)
				jsonw_text(json, PQfname(rows, column), result_text(rows, row, column));
			else
				jsonw_number(json, PQfname(rows, column), result_number(rows, row, column));
		jsonw_close(json, '}');
	}
	jsonw_close(json, ']');
}

static void
write_length(struct jsonw *json, const char *key, const PGresult *rows, int row, int column)
{
	if (result_text(rows, row, column) != NULL)
		jsonw_seconds(json, key, (struct duration){result_number(rows, row, column)});
}

static void
write_times(struct jsonw *json, const PGresult *rows)
{
	jsonw_open(json, "times", '[');
	for (int row = 0; row < PQntuples(rows); row++) {
		jsonw_open(json, NULL, '{');
		for (int column = TIME_METRIC; column <= TIME_CALENDAR; column++)
			jsonw_text(json, PQfname(rows, column), result_text(rows, row, column));
		jsonw_number(json, "n", result_number(rows, row, TIME_N));
		for (int column = TIME_MEDIAN; column <= TIME_LONGEST; column++)
			write_length(json, PQfname(rows, column), rows, row, column);
		jsonw_close(json, '}');
	}
	jsonw_close(json, ']');
}

static void
write_breach(struct jsonw *json, const PGresult *rows, int row, struct text *cause)
{
	static const int texts[] = {BREACH_NAME,   BREACH_ORG,    BREACH_PLAN,  BREACH_SEVERITY,
	                            BREACH_METRIC, BREACH_POLICY, BREACH_STATE, BREACH_SEVERITIES};
	static const int numbers[] = {BREACH_TICKET, BREACH_CYCLE, BREACH_AGENT_WORDS, BREACH_AGENT_NOTES,
	                              BREACH_ALERTS};
	static const int instants[] = {BREACH_DUE, BREACH_AT, BREACH_ENDED, BREACH_ACKNOWLEDGED};
	static const int lengths[] = {BREACH_LATE_BY, BREACH_FOR_CUSTOMER, BREACH_FOR_THIRD_PARTY};
	jsonw_open(json, NULL, '{');
	for (size_t i = 0; i < COUNT(texts); i++)
		jsonw_text(json, PQfname(rows, texts[i]), result_text(rows, row, texts[i]));
	for (size_t i = 0; i < COUNT(numbers); i++)
		jsonw_number(json, PQfname(rows, numbers[i]), result_number(rows, row, numbers[i]));
	for (size_t i = 0; i < COUNT(instants); i++)
		jsonw_instant(json, PQfname(rows, instants[i]), result_instant(rows, row, instants[i]));
	for (size_t i = 0; i < COUNT(lengths); i++)
		write_length(json, PQfname(rows, lengths[i]), rows, row, lengths[i]);
	if (result_bool(rows, row, BREACH_BY_REASSESSMENT))
		jsonw_bool(json, "by_reassessment", true);
	jsonw_bool(json, "events_kept", result_bool(rows, row, BREACH_EVENTS_KEPT));
	text_empty(cause);
	attainment_add_cause(cause, rows, row);
	jsonw_text(json, "cause", cause->failed ? NULL : cause->data);
	jsonw_close(json, '}');
}

int
attainment_write_json(const struct attainment *report)
{
	struct jsonw json = {0};
	struct text cause = {0};
	const PGresult *breaches = report->tables[ATTAINMENT_BREACHES];
	jsonw_open(&json, NULL, '{');
	jsonw_text(&json, "month", report->month);
	jsonw_text(&json, "timezone", report->timezone);
	jsonw_instant(&json, "from", report->from);
	jsonw_instant(&json, "until", report->until);
	jsonw_text(&json, "org", report->org);
	jsonw_text(&json, "plan", report->plan);
	jsonw_text(&json, "policy", report->policy);
	jsonw_number(&json, "in_time", report->in_time);
	jsonw_number(&json, "missed", report->missed);
	jsonw_number(&json, "withdrawn", report->withdrawn);
	write_promises(&json, report->tables[ATTAINMENT_PROMISES]);
	write_times(&json, report->tables[ATTAINMENT_TIMES]);
	jsonw_open(&json, "breaches", '[');
	for (int row = 0; row < PQntuples(breaches); row++)
		write_breach(&json, breaches, row, &cause);
	jsonw_close(&json, ']');
	jsonw_close(&json, '}');
	json.text.failed |= cause.failed;
	int r = view_print_json(&json);
	free(cause.data);
	jsonw_clear(&json);
	return r;
}

/* HTML --------------------------------------------------------------------------------------------------------------
 */

static void
add_weeks(struct text *out, const PGresult *rows)
{
	static const char *const names[2] = {"in time", "missed"};
	struct html_place places[8] = {0}; /* a month touches six weeks at most */
	char share[ATTAINMENT_SHARE_SIZE];
	size_t n = 0;
	for (int row = 0; row < PQntuples(rows) && n < COUNT(places); row++) {
		int64_t in_time = result_number(rows, row, WEEK_IN_TIME),
		        missed = result_number(rows, row, WEEK_MISSED);
		const char *week = result_text(rows, row, WEEK_MONDAY);
		struct html_place *place = &places[n++];
		attainment_share(in_time, missed, share);
		(void)snprintf(place->label, sizeof(place->label), "%s", week);
		(void)snprintf(place->above, sizeof(place->above), "%s of %" PRId64, share, in_time + missed);
		(void)snprintf(place->hint, sizeof(place->hint),
		               "Week of %s: %s, %" PRId64 " in time, %" PRId64 " missed", week, share, in_time, missed);
		place->values[0] = (double)in_time;
		place->values[1] = (double)missed;
	}
	html_element(out, "h2", "By week");
	html_chart(out, HTML_STACKED, "Promises kept by week", names, places, n);
}

static void
add_table(struct text *out, const struct attainment *report, enum attainment_table which,
          const struct html_column *columns, size_t n, make_cells *make)
{
	const PGresult *rows = report->tables[which];
	struct cells cells = {.words = true};
	html_table_begin(out, columns, n);
	for (int row = 0; row < shown(rows, which); row++) {
		make(rows, row, &cells);
		html_table_row(out, columns, n, cells.cells);
	}
	html_table_end(out);
	out->failed |= cells.ticket.failed || cells.why.failed;
	free(cells.ticket.data);
	free(cells.why.data);
}

static void
add_times(struct text *out, const struct attainment *report)
{
	static const struct html_column columns[] = {{"Time to", false},   {"Severity", false}, {"Calendar", false},
	                                             {"Tickets", true},    {"Median", true},    {"90% within", true},
	                                             {"95% within", true}, {"Longest", true}};
	static const char *const names[2] = {"median", "95% within"};
	const PGresult *rows = report->tables[ATTAINMENT_TIMES];
	struct html_place places[16] = {0};
	int n = PQntuples(rows);
	html_element(out, "h2", "How long it took");
	if (n == 0) {
		html_element(out, "p class=\"none\"", "Nothing was answered or solved.");
		return;
	}
	add_table(out, report, ATTAINMENT_TIMES, columns, COUNT(columns), make_time);
	html_element(out, "p class=\"none\"",
	             "Counted in open time: only hours in which support is open, without pauses.");
	for (int metric = 0; metric < 2; metric++) {
		static const char *const metrics[] = {"first_response", "resolution"};
		static const char *const titles[] = {"Time to first response", "Time to resolution"};
		size_t places_n = 0;
		for (int row = 0; row < n && places_n < COUNT(places); row++) {
			char a[VIEW_TEXT_SIZE], b[VIEW_TEXT_SIZE];
			if (strcmp(result_text(rows, row, TIME_METRIC), metrics[metric]) != 0)
				continue;
			struct html_place *place = &places[places_n++];
			view_length((struct duration){result_number(rows, row, TIME_MEDIAN)}, a);
			view_length((struct duration){result_number(rows, row, TIME_P95)}, b);
			(void)snprintf(place->label, sizeof(place->label), "%.20s, %.17s",
			               result_text(rows, row, TIME_SEVERITY), result_text(rows, row, TIME_CALENDAR));
			(void)snprintf(place->above, sizeof(place->above), "%.17s / %.17s", a, b);
			(void)snprintf(place->hint, sizeof(place->hint), "%.40s: half within %.40s, 95%% within %.40s",
			               result_text(rows, row, TIME_SEVERITY), a, b);
			place->values[0] = (double)result_number(rows, row, TIME_MEDIAN);
			place->values[1] = (double)result_number(rows, row, TIME_P95);
		}
		if (places_n > 0) {
			html_element(out, "h3", titles[metric]);
			html_chart(out, HTML_BESIDE, titles[metric], names, places, places_n);
		}
	}
}

static void
add_breaches(struct text *out, const struct attainment *report)
{
	static const struct html_column columns[] = {{"Ticket", false},
	                                             {"Organisation", false},
	                                             {"Metric", false},
	                                             {"Severity", false},
	                                             {"Due", false},
	                                             {"Late by", true},
	                                             {"What went on until then", false}};
	int all = PQntuples(report->tables[ATTAINMENT_BREACHES]);
	int left = all - shown(report->tables[ATTAINMENT_BREACHES], ATTAINMENT_BREACHES);
	html_element(out, "h2", "What was missed");
	if (all == 0) {
		html_element(out, "p class=\"none\"", "Nothing.");
		return;
	}
	add_table(out, report, ATTAINMENT_BREACHES, columns, COUNT(columns), make_breach);
	if (left > 0)
		text_add_format(out, "<p class=\"none\">%d more are left out here.</p>\n", left);
}

static void
add_figures(struct text *out, const struct attainment *report)
{
	char text[ATTAINMENT_SHARE_SIZE + CELL_SIZE];
	text_add_string(out, "<div class=\"figures\">\n");
	attainment_share(report->in_time, report->missed, text);
	html_figure(out, text, "of the promises were kept", false);
	(void)snprintf(text, sizeof(text), "%" PRId64, report->in_time);
	html_figure(out, text, "in time", false);
	(void)snprintf(text, sizeof(text), "%" PRId64, report->missed);
	html_figure(out, text, "missed", report->missed > 0);
	(void)snprintf(text, sizeof(text), "%" PRId64, report->withdrawn);
	html_figure(out, text, "withdrawn before they were due", false);
	text_add_string(out, "</div>\n");
}

int
attainment_write_html(const struct attainment *report)
{
	static const struct html_column columns[] = {{"Policy", false}, {"Metric", false}, {"Severity", false},
	                                             {"In time", true}, {"Missed", true},  {"Withdrawn", true},
	                                             {"Kept", true}};
	struct text out = {0}, title = {0}, below = {0}, last = {0};
	text_add_format(&title, "Service levels in %s", report->month_name);
	text_add_format(&below, "Days and weeks by the clocks of %s", report->timezone);
	add_filters(&below, report);
	if (instant_before(report->view.now, report->until))
		text_add_string(&below, ". The month is not over.");
	text_add_format(
	    &last,
	    "A promise counts once, in the week in which it was met or missed; what was answered late stays "
	    "missed. What was withdrawn before it was due (solved, closed or merged without an answer) counts "
	    "neither as kept nor as missed. Made by slated on %s.",
	    report->made);
	if (!title.failed && !below.failed && !last.failed) {
		html_begin(&out, title.data, below.data);
		add_figures(&out, report);
		add_weeks(&out, report->tables[ATTAINMENT_WEEKS]);
		html_element(&out, "h2", "By promise");
		add_table(&out, report, ATTAINMENT_SUMS, columns, COUNT(columns), make_sum);
		add_times(&out, report);
		add_breaches(&out, report);
		html_end(&out, last.data);
	} else {
		out.failed = true;
	}
	int r = out.failed ? -ENOMEM : 0;
	if (r < 0)
		fputs("slatectl: out of memory\n", stderr);
	else
		fwrite(out.data, 1, out.len, stdout);
	free(out.data);
	free(title.data);
	free(below.data);
	free(last.data);
	return r;
}
