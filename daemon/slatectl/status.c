/* slatectl status: whether a daemon watches, and how things stand. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "report.h"
#include "slated/jsonw.h"
#include "slated/shards.h"
#include "status.h"

/* A daemon writes its row every few seconds; one that has not for so long is taken for dead. */
#define SILENT_AFTER ((struct duration){15 * US_PER_S})

/* Exit statuses besides 0: a script can tell what is wrong. */
enum {
	EXIT_NONE_ALIVE = 3,
	EXIT_SHARDS_MISSING = 4,
};

/* A lease counts only while it lasts, and only for the daemon that holds it. */
const char status_instances_sql[] =
    "SELECT i.name, i.version, i.pid, i.configuration, i.poll_only, i.tickets, i.refused, i.last_error, "
    "  " RESULT_US("i.started_at") ", " RESULT_US("i.seen_at") ", " RESULT_US("i.stopped_at") ", " RESULT_US(
        "i.next_at") ", "
                     "  " RESULT_US("i.last_error_at") ", " RESULT_US(
                         "i.lag") ", (SELECT count(*) FROM sla.lease l "
                                  "  WHERE l.owner = i.name AND l.expires_at > clock_timestamp()) FROM sla.instance i "
                                  "ORDER BY i.name";

/* One look at the clocks, which the server shares out among its workers. */
const char status_totals_sql[] =
    "SELECT c.running, c.at_risk, c.overdue, c.paused, c.breached, d.waiting, d.tried, "
    "  d.dead + (SELECT count(*) FROM sla.delivery_log WHERE state = 'dead'), "
    "  (SELECT count(*) FROM sla.reassessment WHERE outcome IS NULL) "
    "FROM (SELECT count(*) FILTER (WHERE state = 'running') AS running, "
    "  count(*) FILTER (WHERE state = 'running' AND levels_fired <> '{}') AS at_risk, "
    "  count(*) FILTER (WHERE state = 'running' AND due_at <= clock_timestamp()) AS overdue, "
    "  count(*) FILTER (WHERE state = 'paused') AS paused, count(*) FILTER (WHERE state = 'breached') AS breached "
    "  FROM sla.clock WHERE ended_at IS NULL) AS c, "
    "(SELECT count(*) FILTER (WHERE state IN ('pending', 'sending')) AS waiting, "
    "  count(*) FILTER (WHERE state IN ('pending', 'sending') AND attempts > 0) AS tried, "
    "  count(*) FILTER (WHERE state = 'dead') AS dead FROM sla.delivery) AS d";

static const char adapters_sql[] =
    "SELECT a.name, a.kind, coalesce(a.seen_at > clock_timestamp() - interval '1 minute', false), a.backfilled_at IS "
    "NOT "
    "NULL, a.waiting, a.differences, (SELECT count(*) FROM sla.adapter_ticket t WHERE t.adapter = a.name), "
    "(SELECT count(*) FROM sla.adapter_error e WHERE e.adapter = a.name AND e.last_at > clock_timestamp() - interval "
    "'1 day') "
    "FROM sla.adapter a WHERE a.detached_at IS NULL ORDER BY a.name";

/* In the order of the statement's columns from the fifth on. */
static const char *const adapter_numbers[] = {"waiting", "differences", "tickets", "problems_today"};

void
status_read_instance(const PGresult *rows, int row, struct instant now, struct instance *ret)
{
	struct instance i = {
	    .name = result_text(rows, row, 0),
	    .version = result_text(rows, row, 1),
	    .pid = result_number(rows, row, 2),
	    .configuration = result_text(rows, row, 3),
	    .poll_only = result_bool(rows, row, 4),
	    .tickets = result_number(rows, row, 5),
	    .refused = result_number(rows, row, 6),
	    .last_error = result_text(rows, row, 7),
	    .started_at = result_instant(rows, row, 8),
	    .seen_at = result_instant(rows, row, 9),
	    .stopped_at = result_instant(rows, row, 10),
	    .next_at = result_instant(rows, row, 11),
	    .last_error_at = result_instant(rows, row, 12),
	    .lag = {result_number(rows, row, 13)},
	    .shards = result_number(rows, row, 14),
	};
	i.state = "silent";
	if (!instant_equal(i.stopped_at, INSTANT_NEVER))
		i.state = "stopped";
	else if (instant_since(now, i.seen_at).us <= SILENT_AFTER.us)
		i.state = "connected";
	i.alive = strcmp(i.state, "connected") == 0;
	*ret = i;
}

static void
write_instance(struct jsonw *json, const struct instance *i)
{
	jsonw_open(json, NULL, '{');
	jsonw_text(json, "name", i->name);
	jsonw_text(json, "state", i->state);
	jsonw_text(json, "version", i->version);
	jsonw_number(json, "pid", i->pid);
	jsonw_instant(json, "started_at", i->started_at);
	jsonw_instant(json, "seen_at", i->seen_at);
	jsonw_instant(json, "stopped_at", i->stopped_at);
	jsonw_text(json, "configuration", i->configuration);
	jsonw_number(json, "shards", i->shards);
	jsonw_bool(json, "poll_only", i->poll_only);
	jsonw_number(json, "tickets", i->tickets);
	jsonw_instant(json, "next_at", i->next_at);
	jsonw_seconds(json, "lag", i->lag);
	jsonw_number(json, "refused", i->refused);
	jsonw_text(json, "last_error", i->last_error);
	jsonw_instant(json, "last_error_at", i->last_error_at);
	jsonw_close(json, '}');
}

static void
write_adapters(struct jsonw *json, const PGresult *adapters)
{
	jsonw_open(json, "adapters", '[');
	for (int row = 0; row < PQntuples(adapters); row++) {
		jsonw_open(json, NULL, '{');
		jsonw_text(json, "name", result_text(adapters, row, 0));
		jsonw_text(json, "kind", result_text(adapters, row, 1));
		jsonw_bool(json, "connected", result_bool(adapters, row, 2));
		jsonw_bool(json, "filled", result_bool(adapters, row, 3));
		for (int i = 0; i < (int)(sizeof(adapter_numbers) / sizeof(adapter_numbers[0])); i++)
			jsonw_number(json, adapter_numbers[i], result_number(adapters, row, 4 + i));
		jsonw_close(json, '}');
	}
	jsonw_close(json, ']');
}

static int
write_status(const struct report *report, const PGresult *rows, const PGresult *adapters,
             const int64_t totals[static TOTAL_COUNT], int64_t shards)
{
	struct jsonw json = {0};
	jsonw_open(&json, NULL, '{');
	jsonw_instant(&json, "now", report->db.now);
	jsonw_open(&json, "instances", '[');
	for (int row = 0; row < PQntuples(rows); row++) {
		struct instance instance;
		status_read_instance(rows, row, report->db.now, &instance);
		write_instance(&json, &instance);
	}
	jsonw_close(&json, ']');
	jsonw_open(&json, "shards", '{');
	jsonw_number(&json, "held", shards);
	jsonw_number(&json, "of", SHARDS);
	jsonw_close(&json, '}');
	jsonw_open(&json, "clocks", '{');
	jsonw_number(&json, "running", totals[TOTAL_RUNNING]);
	jsonw_number(&json, "at_risk", totals[TOTAL_AT_RISK]);
	jsonw_number(&json, "overdue", totals[TOTAL_OVERDUE]);
	jsonw_number(&json, "paused", totals[TOTAL_PAUSED]);
	jsonw_number(&json, "breached", totals[TOTAL_BREACHED]);
	jsonw_close(&json, '}');
	jsonw_open(&json, "deliveries", '{');
	jsonw_number(&json, "pending", totals[TOTAL_PENDING]);
	jsonw_number(&json, "retrying", totals[TOTAL_RETRYING]);
	jsonw_number(&json, "dead", totals[TOTAL_DEAD]);
	jsonw_close(&json, '}');
	jsonw_number(&json, "reassessments_waiting", totals[TOTAL_REASSESSMENTS]);
	write_adapters(&json, adapters);
	jsonw_close(&json, '}');
	int r = view_print_json(&json);
	jsonw_clear(&json);
	return r;
}

static void
show_line(const struct view *view, const char *label, const char *color, struct text *text)
{
	char lead[32];
	(void)snprintf(lead, sizeof(lead), "  %-12s", label);
	view_print(view, lead, color, text);
}

/* `at`, and how far away it is. */
static void
add_moment(const struct view *view, struct text *text, struct instant at)
{
	char moment[VIEW_TEXT_SIZE], relative[VIEW_TEXT_SIZE];
	view_instant(at, moment);
	view_relative(view, at, relative);
	text_add_format(text, "%s (%s)", moment, relative);
}

static void
show_state(const struct view *view, const struct instance *i, struct text *text)
{
	const char *color = VIEW_RED;
	if (i->alive) {
		text_add_format(text, "connected, holds %" PRId64 " of %d shards", i->shards, SHARDS);
		color = i->shards == SHARDS ? VIEW_GREEN : VIEW_YELLOW;
	} else if (strcmp(i->state, "stopped") == 0) {
		text_add_string(text, "stopped ");
		add_moment(view, text, i->stopped_at);
		color = NULL;
	} else {
		text_add_string(text, "silent since ");
		add_moment(view, text, i->seen_at);
	}
	show_line(view, "state", color, text);
}

static void
show_work(const struct view *view, const struct instance *i, struct text *text)
{
	char lag[VIEW_TEXT_SIZE];
	text_add_format(text, "%" PRId64 " open", i->tickets);
	show_line(view, "tickets", NULL, text);
	if (instant_equal(i->next_at, INSTANT_NEVER))
		text_add_string(text, "nothing is due");
	else
		add_moment(view, text, i->next_at);
	show_line(view, "next", NULL, text);
	view_length(i->lag, lag);
	if (i->lag.us < US_PER_MIN)
		text_add_format(text, "%.3f s", (double)i->lag.us / (double)US_PER_S);
	else
		text_add_string(text, lag);
	show_line(view, "lag", i->lag.us >= US_PER_S ? VIEW_YELLOW : NULL, text);
	if (i->poll_only) {
		text_add_string(text, "poll-only: no notification gets through to it");
		show_line(view, "wake-up", VIEW_YELLOW, text);
	}
}

static void
show_instance(const struct view *view, const struct instance *i, struct text *text)
{
	text_add_string(text, i->name);
	view_print(view, "", VIEW_BOLD, text);
	show_state(view, i, text);
	text_add_format(text, "slated %s, pid %" PRId64 ", since ", i->version, i->pid);
	add_moment(view, text, i->started_at);
	show_line(view, "program", NULL, text);
	if (i->alive)
		show_work(view, i, text);
	text_add_format(text, "%" PRId64 " since it started", i->refused);
	show_line(view, "refused", i->refused > 0 ? VIEW_YELLOW : NULL, text);
	if (i->last_error != NULL) {
		add_moment(view, text, i->last_error_at);
		text_add_format(text, ": %s", i->last_error);
		show_line(view, "last error", VIEW_YELLOW, text);
	}
}

static void
show_totals(const struct view *view, const int64_t totals[static TOTAL_COUNT], struct text *text)
{
	text_add_string(text, "Work");
	view_print(view, "", VIEW_BOLD, text);
	text_add_format(
	    text, "%" PRId64 " running (%" PRId64 " at risk), %" PRId64 " paused, %" PRId64 " breached and still open",
	    totals[TOTAL_RUNNING], totals[TOTAL_AT_RISK], totals[TOTAL_PAUSED], totals[TOTAL_BREACHED]);
	show_line(view, "clocks", NULL, text);
	if (totals[TOTAL_OVERDUE] > 0) {
		text_add_format(text, "%" PRId64 " past due, the breach not recorded yet", totals[TOTAL_OVERDUE]);
		show_line(view, "", VIEW_RED, text);
	}
	text_add_format(text, "%" PRId64 " pending (%" PRId64 " tried before), %" PRId64 " dead", totals[TOTAL_PENDING],
	                totals[TOTAL_RETRYING], totals[TOTAL_DEAD]);
	show_line(view, "deliveries", totals[TOTAL_DEAD] > 0 ? VIEW_YELLOW : NULL, text);
	if (totals[TOTAL_REASSESSMENTS] > 0) {
		text_add_format(text, "%" PRId64 " wait for a hook, or to be written to their tickets",
		                totals[TOTAL_REASSESSMENTS]);
		show_line(view, "severities", NULL, text);
	}
}

static void
show_adapters(const struct view *view, const PGresult *adapters, struct text *text)
{
	for (int row = 0; row < PQntuples(adapters); row++) {
		bool well = result_bool(adapters, row, 2) && result_number(adapters, row, 7) == 0;
		text_add_format(
		    text, "%s (%s): %s, %" PRId64 " tickets, %" PRId64 " changes wait, %" PRId64 " differences found",
		    result_text(adapters, row, 0), result_text(adapters, row, 1),
		    !result_bool(adapters, row, 2)   ? "no daemon looks for changes"
		    : !result_bool(adapters, row, 3) ? "still being taken over"
		                                     : "followed",
		    result_number(adapters, row, 6), result_number(adapters, row, 4), result_number(adapters, row, 5));
		if (result_number(adapters, row, 7) > 0)
			text_add_format(text, ", %" PRId64 " problems today (sla.adapter_error)",
			                result_number(adapters, row, 7));
		show_line(view, "attached", well ? NULL : VIEW_YELLOW, text);
	}
}

static int
show_status(const struct report *report, const PGresult *rows, const PGresult *adapters,
            const int64_t totals[static TOTAL_COUNT])
{
	struct text text = {0};
	if (PQntuples(rows) == 0) {
		text_add_string(&text, "No daemon has ever run on this database: start slated");
		view_print(&report->view, "", VIEW_RED, &text);
	}
	for (int row = 0; row < PQntuples(rows); row++) {
		struct instance instance;
		status_read_instance(rows, row, report->db.now, &instance);
		show_instance(&report->view, &instance, &text);
		putchar('\n');
	}
	show_totals(&report->view, totals, &text);
	show_adapters(&report->view, adapters, &text);
	bool failed = text.failed;
	free(text.data);
	if (failed)
		fputs("slatectl: out of memory\n", stderr);
	return failed ? -ENOMEM : 0;
}

static int
verdict(const struct report *report, const PGresult *rows, int64_t *ret_shards)
{
	int64_t shards = 0;
	bool alive = false;
	for (int row = 0; row < PQntuples(rows); row++) {
		struct instance instance;
		status_read_instance(rows, row, report->db.now, &instance);
		alive |= instance.alive;
		shards += instance.alive ? instance.shards : 0;
	}
	*ret_shards = shards;
	if (!alive)
		return EXIT_NONE_ALIVE;
	return shards < SHARDS ? EXIT_SHARDS_MISSING : 0;
}

static int
report_status(const struct report *report, bool as_json)
{
	int status = EXIT_PROBLEM;
	int64_t totals[TOTAL_COUNT], shards;
	PGresult *counts = NULL, *adapters = NULL;
	PGresult *rows = db_query(&report->db, "the daemons", status_instances_sql, 0, NULL);
	if (rows != NULL)
		counts = db_query(&report->db, "clocks and deliveries", status_totals_sql, 0, NULL);
	if (counts != NULL)
		adapters = db_query(&report->db, "adapters", adapters_sql, 0, NULL);
	if (adapters != NULL) {
		for (int i = 0; i < TOTAL_COUNT; i++)
			totals[i] = result_number(counts, 0, i);
		status = verdict(report, rows, &shards);
		int r = as_json ? write_status(report, rows, adapters, totals, shards)
		                : show_status(report, rows, adapters, totals);
		if (r < 0)
			status = EXIT_PROBLEM;
	}
	PQclear(adapters);
	PQclear(counts);
	PQclear(rows);
	return status;
}

static int
run_status(void *into)
{
	const struct report_options *options = into;
	struct report report;
	if (report_open(options, &report) < 0)
		return EXIT_PROBLEM;
	int status = report_status(&report, options->json);
	report_close(&report);
	return status;
}

static const struct command_row rows[] = {
    REPORT_JSON(0), REPORT_COLOR(0), REPORT_CONFIG(0), REPORT_CONNINFO(0), {0},
};

const struct command command_status = {
    .name = "status",
    .help = "show the daemons and how things stand",
    .about = "Shows each daemon, the open clocks by state, and what waits to be delivered.\n",
    .more = "Exit status: 0 where live daemons hold all shards between them, 3 where no daemon is alive,\n"
            "4 where one is but not all shards are held, 1 for errors, 2 for a wrong call.\n",
    .rows = rows,
    .size = sizeof(struct report_options),
    .run = run_status,
};
