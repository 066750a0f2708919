#include "attainment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "slated/clock_list.h"
#include "slated/policy.h"

struct attainment_options {
	const char *month;
	const char *timezone;
	const char *org;
	const char *plan;
	const char *policy;
	enum attainment_format format;
	enum attainment_table table;
	enum view_color color;
	const char *config;
	const char *conninfo;
};

static const char *const format_names[ATTAINMENT_FORMATS] = {"text", "csv", "json", "html"};
static const char *const table_names[ATTAINMENT_CSV_TABLES] = {"promises", "times", "breaches"};

/* What the counts are made of, and the parameters of each query. */
#define COUNTS                                                                                                         \
	"count(*) FILTER (WHERE o.verdict = 'in_time') AS in_time, "                                                   \
	"count(*) FILTER (WHERE o.verdict = 'missed') AS missed, "                                                     \
	"count(*) FILTER (WHERE o.verdict = 'withdrawn') AS withdrawn"
#define ASKED                                                                                                          \
	" WHERE o.at >= $1::timestamptz AND o.at < $2::timestamptz AND ($3::text IS NULL OR o.org ILIKE $3) "          \
	"AND ($4::text IS NULL OR o.plan ILIKE $4) AND ($5::text IS NULL OR o.policy ILIKE $5) "
#define WEEK "to_char(date_trunc('week', o.at), 'YYYY-MM-DD') AS week"

static const char *const table_sql[ATTAINMENT_TABLES] = {
    [ATTAINMENT_PROMISES] = "SELECT o.policy, o.plan, o.severity, o.metric, " WEEK ", " COUNTS
                            " FROM sla.outcome o" ASKED "GROUP BY 1, 2, 3, 4, 5 ORDER BY 5, 1, 2, 3, 4",
    [ATTAINMENT_TIMES] =
        "SELECT o.metric, o.severity, o.calendar, count(*) AS n, "
        "(extract(epoch FROM percentile_disc(0.5) WITHIN GROUP (ORDER BY o.open_time)) * 1000000)::bigint AS median, "
        "(extract(epoch FROM percentile_disc(0.9) WITHIN GROUP (ORDER BY o.open_time)) * 1000000)::bigint AS p90, "
        "(extract(epoch FROM percentile_disc(0.95) WITHIN GROUP (ORDER BY o.open_time)) * 1000000)::bigint AS p95, "
        "(extract(epoch FROM max(o.open_time)) * 1000000)::bigint AS longest"
        " FROM sla.time_taken o" ASKED "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    [ATTAINMENT_BREACHES] =
        "SELECT o.ticket_id, o.external_id, o.org, o.plan, o.severity, o.metric, o.cycle, o.policy, "
        "(extract(epoch FROM o.due_at) * 1000000)::bigint AS due_at, "
        "(extract(epoch FROM o.at) * 1000000)::bigint AS breached_at, "
        "o.state, "
        "(extract(epoch FROM o.ended_at) * 1000000)::bigint AS ended_at, "
        "(extract(epoch FROM o.late_by) * 1000000)::bigint AS late_by, "
        "o.by_reassessment, "
        "(extract(epoch FROM o.for_customer) * 1000000)::bigint AS for_customer, "
        "(extract(epoch FROM o.for_third_party) * 1000000)::bigint AS for_third_party, "
        "o.severities, o.agent_words, o.agent_notes, o.alerts, "
        "(extract(epoch FROM o.acknowledged_at) * 1000000)::bigint AS acknowledged_at, "
        "EXISTS (SELECT FROM sla.event e WHERE e.ticket_id = o.ticket_id AND e.seq = 1) AS events_kept "
        "FROM sla.breach o" ASKED "ORDER BY o.at, o.ticket_id, o.metric",
    [ATTAINMENT_WEEKS] = "SELECT " WEEK ", " COUNTS " FROM sla.outcome o" ASKED "GROUP BY 1 ORDER BY 1",
    [ATTAINMENT_SUMS] = "SELECT o.policy, o.severity, o.metric, " COUNTS " FROM sla.outcome o" ASKED
                        "GROUP BY 1, 2, 3 ORDER BY 1, 3, 2",
};

void
attainment_share(int64_t in_time, int64_t missed, char text[static ATTAINMENT_SHARE_SIZE])
{
	int64_t all = in_time + missed;
	if (all == 0)
		(void)snprintf(text, ATTAINMENT_SHARE_SIZE, "-");
	else if (missed == 0)
		(void)snprintf(text, ATTAINMENT_SHARE_SIZE, "100%%");
	else
		(void)snprintf(text, ATTAINMENT_SHARE_SIZE, "%" PRId64 ".%" PRId64 "%%", in_time * 100 / all,
		               in_time * 1000 / all % 10);
}

void
attainment_add_ticket(struct text *text, const PGresult *breaches, int row)
{
	const char *name = result_text(breaches, row, BREACH_NAME);
	if (name != NULL)
		text_add_string(text, name);
	else
		text_add_format(text, "#%" PRId64, result_number(breaches, row, BREACH_TICKET));
}

static void
add_part(struct text *text, const char *part)
{
	if (text->len > 0)
		text_add_string(text, "; ");
	text_add_string(text, part);
}

static void
add_wait(struct text *text, const PGresult *breaches, int row, int column, const char *whom)
{
	char length[VIEW_TEXT_SIZE];
	if (result_text(breaches, row, column) == NULL)
		return;
	view_length((struct duration){result_number(breaches, row, column)}, length);
	add_part(text, "paused ");
	text_add_format(text, "%s to wait for %s", length, whom);
}

static void
add_words(struct text *text, const PGresult *breaches, int row)
{
	int64_t words = result_number(breaches, row, BREACH_AGENT_WORDS);
	int64_t notes = result_number(breaches, row, BREACH_AGENT_NOTES);
	if (words > 0) {
		add_part(text, "");
		text_add_format(text, "agents replied %" PRId64 " time%s", words, words == 1 ? "" : "s");
	} else if (notes > 0) {
		add_part(text, "");
		text_add_format(text, "no agent replied, %" PRId64 " internal note%s", notes, notes == 1 ? "" : "s");
	} else {
		add_part(text, "no agent replied");
	}
}

void
attainment_add_cause(struct text *text, const PGresult *breaches, int row)
{
	struct text cause = {0};
	const char *severities = result_text(breaches, row, BREACH_SEVERITIES);
	int64_t alerts = result_number(breaches, row, BREACH_ALERTS);
	if (!result_bool(breaches, row, BREACH_EVENTS_KEPT)) {
		text_add_string(text, "not known: the log of events was trimmed");
		return;
	}
	if (severities != NULL) {
		add_part(&cause, "severity set to ");
		text_add_string(&cause, severities);
		if (result_bool(breaches, row, BREACH_BY_REASSESSMENT))
			text_add_string(&cause, ", which put the deadline into the past");
	}
	add_wait(&cause, breaches, row, BREACH_FOR_CUSTOMER, "the customer");
	add_wait(&cause, breaches, row, BREACH_FOR_THIRD_PARTY, "a third party");
	add_words(&cause, breaches, row);
	if (alerts > 0) {
		add_part(&cause, "");
		text_add_format(&cause, "%" PRId64 " alert%s before, %s", alerts, alerts == 1 ? "" : "s",
		                result_text(breaches, row, BREACH_ACKNOWLEDGED) != NULL ? "acknowledged"
		                                                                        : "not acknowledged");
	}
	if (cause.failed)
		text->failed = true;
	else
		text_add(text, cause.data, cause.len);
	free(cause.data);
}

/* CSV (RFC 4180): the query's own names; lengths of time in seconds, instants as slated writes them. ----------------
 */

static bool
is_instant(const char *name)
{
	size_t len = strlen(name);
	return len > 3 && strcmp(name + len - 3, "_at") == 0;
}

static bool
is_length(const char *name)
{
	static const char *const names[] = {"median",         "p90", "p95", "longest", "late_by", "for_customer",
	                                    "for_third_party"};
	return name_index(names, sizeof(names) / sizeof(names[0]), name) >= 0;
}

/* A text that begins like a formula would be worked out by a spreadsheet. */
static void
add_csv_text(struct text *text, const char *value)
{
	bool formula = strchr("=+-@\t\r", *value) != NULL && *value != '\0';
	if (!formula && strpbrk(value, ",\"\r\n") == NULL) {
		text_add_string(text, value);
		return;
	}
	text_add_string(text, formula ? "\"'" : "\"");
	for (; *value != '\0'; value++) {
		if (*value == '"')
			text_add_string(text, "\"");
		text_add(text, value, 1);
	}
	text_add_string(text, "\"");
}

static void
add_csv_value(struct text *text, const PGresult *rows, int row, int column)
{
	char instant[INSTANT_TEXT_SIZE];
	const char *name = PQfname(rows, column), *value = result_text(rows, row, column);
	if (value == NULL)
		return;
	if (is_instant(name)) {
		(void)instant_format(result_instant(rows, row, column), instant);
		text_add_string(text, instant);
	} else if (is_length(name)) {
		text_add_seconds(text, (struct duration){result_number(rows, row, column)});
	} else {
		add_csv_text(text, value);
	}
}

static int
print_text(struct text *text)
{
	int r = text->failed ? -ENOMEM : 0;
	if (r == 0)
		fwrite(text->data, 1, text->len, stdout);
	else
		fputs("slatectl: out of memory\n", stderr);
	free(text->data);
	return r;
}

static int
write_csv(const PGresult *rows)
{
	struct text text = {0};
	int n = PQnfields(rows);
	for (int column = 0; column < n; column++)
		text_add_format(&text, "%s%s", PQfname(rows, column), column < n - 1 ? "," : "\r\n");
	for (int row = 0; row < PQntuples(rows); row++)
		for (int column = 0; column < n; column++) {
			add_csv_value(&text, rows, row, column);
			text_add_string(&text, column < n - 1 ? "," : "\r\n");
		}
	return print_text(&text);
}

/* ------------------------------------------------------------------------------------------------------------------ */

/* From here on the session counts days and weeks in the time zone, and so does what we print ourselves. */
static int
set_timezone(const struct db *db, const char *timezone)
{
	PGresult *rows = db_query(db, "--timezone", "SELECT set_config('TimeZone', $1, false)", 1, &timezone);
	if (rows == NULL) {
		fputs("slatectl: --timezone takes names such as Europe/Berlin\n", stderr);
		return -EINVAL;
	}
	PQclear(rows);
	if (setenv("TZ", timezone, 1) < 0) {
		fprintf(stderr, "slatectl: %s\n", strerror(errno));
		return -ENOMEM;
	}
	return 0;
}

static int
find_month(const struct db *db, const char *month, struct attainment *report, PGresult **ret)
{
	static const char sql[] =
	    "SELECT to_char(m, 'YYYY-MM'), to_char(m, 'FMMonth YYYY'), m::text, (m + interval '1 month')::text, "
	    "(extract(epoch FROM m) * 1000000)::bigint, "
	    "(extract(epoch FROM m + interval '1 month') * 1000000)::bigint, m > transaction_timestamp(), "
	    "to_char(transaction_timestamp(), 'YYYY-MM-DD HH24:MI') "
	    "FROM (SELECT coalesce(($1 || '-01')::date::timestamptz, "
	    "date_trunc('month', transaction_timestamp()) - interval '1 month') AS m) AS q";
	PGresult *rows = db_query(db, "--month", sql, 1, &month);
	if (rows == NULL)
		return -EIO;
	if (result_bool(rows, 0, 6)) {
		fprintf(stderr, "slatectl: --month %s has not begun\n", month);
		PQclear(rows);
		return -EINVAL;
	}
	(void)snprintf(report->month, sizeof(report->month), "%s", result_text(rows, 0, 0));
	(void)snprintf(report->month_name, sizeof(report->month_name), "%s", result_text(rows, 0, 1));
	report->from = result_instant(rows, 0, 4);
	report->until = result_instant(rows, 0, 5);
	(void)snprintf(report->made, sizeof(report->made), "%s", result_text(rows, 0, 7));
	*ret = rows;
	return 0;
}

static bool
make_pattern(const char *glob, char **ret)
{
	*ret = glob != NULL ? clock_list_pattern(glob) : NULL;
	if (glob != NULL && *ret == NULL)
		fputs("slatectl: out of memory\n", stderr);
	return glob == NULL || *ret != NULL;
}

static int
read_tables(const struct db *db, const PGresult *month, struct attainment *report)
{
	char *patterns[3] = {0};
	int r = make_pattern(report->org, &patterns[0]) && make_pattern(report->plan, &patterns[1]) &&
	                make_pattern(report->policy, &patterns[2])
	            ? 0
	            : -ENOMEM;
	const char *const values[] = {result_text(month, 0, 2), result_text(month, 0, 3), patterns[0], patterns[1],
	                              patterns[2]};
	for (int i = 0; r == 0 && i < ATTAINMENT_TABLES; i++) {
		report->tables[i] = db_query(db, "what was kept", table_sql[i], 5, values);
		r = report->tables[i] != NULL ? 0 : -EIO;
	}
	for (int i = 0; i < 3; i++)
		free(patterns[i]);
	for (int row = 0; r == 0 && row < PQntuples(report->tables[ATTAINMENT_WEEKS]); row++) {
		report->in_time += result_number(report->tables[ATTAINMENT_WEEKS], row, WEEK_IN_TIME);
		report->missed += result_number(report->tables[ATTAINMENT_WEEKS], row, WEEK_MISSED);
		report->withdrawn += result_number(report->tables[ATTAINMENT_WEEKS], row, WEEK_WITHDRAWN);
	}
	return r;
}

static int
write_report(const struct attainment_options *options, const struct attainment *report)
{
	switch (options->format) {
	case ATTAINMENT_CSV:
		return write_csv(report->tables[options->table]);
	case ATTAINMENT_JSON:
		return attainment_write_json(report);
	case ATTAINMENT_HTML:
		return attainment_write_html(report);
	default:
		return attainment_write_text(report);
	}
}

static bool
month_is_right(const char *month)
{
	char day[16];
	struct date date;
	if (month == NULL)
		return true;
	(void)snprintf(day, sizeof(day), "%s-01", month);
	if (strlen(month) == strlen("2026-10") && date_parse(day, &date) == 0)
		return true;
	fprintf(stderr, "slatectl report: --month: \"%s\" is no month such as 2026-10\n", month);
	return false;
}

static int
run_report(void *into)
{
	const struct attainment_options *options = into;
	struct attainment report = {
	    .timezone = options->timezone, .org = options->org, .plan = options->plan, .policy = options->policy};
	struct db db;
	PGresult *month = NULL;
	if (!month_is_right(options->month))
		return EXIT_USAGE;
	if (db_open(options->config, options->conninfo, &db) < 0)
		return EXIT_PROBLEM;
	int r = set_timezone(&db, options->timezone);
	if (r == 0)
		r = find_month(&db, options->month, &report, &month);
	if (r == 0)
		r = read_tables(&db, month, &report);
	if (r == 0) {
		view_init(&report.view, options->color, db.now);
		r = write_report(options, &report);
	}
	for (int i = 0; i < ATTAINMENT_TABLES; i++)
		PQclear(report.tables[i]);
	PQclear(month);
	db_close(&db);
	return r < 0 ? EXIT_PROBLEM : 0;
}

#define AT(member) offsetof(struct attainment_options, member)

static const struct command_row rows[] = {
    {"month", "YYYY-MM", "this month; the last one that is over where it is left out", VALUE_NAME, AT(month)},
    {"timezone", "NAME", "where months and weeks begin, as in Europe/Berlin; UTC where it is left out", VALUE_NAME,
     AT(timezone)},
    {"org", "NAME", "only this organisation's tickets; \"*\" and \"?\" stand for any text and any one character",
     VALUE_TEXT, AT(org)},
    {"plan", "NAME", "only tickets of this plan, in the same way", VALUE_TEXT, AT(plan)},
    {"policy", "NAME", "only promises of this policy, in the same way", VALUE_TEXT, AT(policy)},
    {"format", "FORMAT", "text, csv, json or html", VALUE_INDEX, AT(format), format_names, ATTAINMENT_FORMATS},
    {"table", "TABLE", "of csv: promises, times or breaches", VALUE_INDEX, AT(table), table_names,
     ATTAINMENT_CSV_TABLES},
    {"color", "WHEN", "auto, always or never", VALUE_INDEX, AT(color), view_color_names, VIEW_COLOR_COUNT},
    DB_ROW_CONFIG(AT(config)),
    DB_ROW_CONNINFO(AT(conninfo)),
    {0},
};

static const struct attainment_options initial = {.timezone = "UTC"};

const struct command command_report = {
    .name = "report",
    .help = "say what was promised and kept in a month",
    .about =
        "Says how many promises were kept in a month, how long answers and solutions took, and why deadlines were\n"
        "missed. With --format html it is one page with pictures that can be sent to a customer.\n",
    .rows = rows,
    .size = sizeof(struct attainment_options),
    .initial = &initial,
    .run = run_report,
};
