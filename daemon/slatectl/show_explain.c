#include "show_explain.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <string.h>

#include "slated/calendar.h"
#include "slated/explain.h"
#include "slated/policy.h"
#include "slated/story_row.h"
#include "slated/ticket_row.h"
#include "stretch_table.h"

static const char may_read_sql[] = "SELECT has_column_privilege('sla.configuration', 'source', 'SELECT')";

struct rows {
	PGresult *ticket;
	PGresult *clocks;
	PGresult *events;
	PGresult *configurations; /* NULL: not for this role */
};

static int
load(const struct report *report, const char *id, struct rows *rows)
{
	const char *const values[] = {id};
	const struct db *db = &report->db;

	rows->ticket = db_query(db, "the ticket", ticket_row_sql, 1, values);
	if (rows->ticket == NULL)
		return -EIO;
	rows->clocks = db_query(db, "its clocks", clock_row_ticket_sql, 1, values);
	if (rows->clocks == NULL)
		return -EIO;
	rows->events = db_query(db, "its events", story_row_events.sql, 1, values);
	if (rows->events == NULL)
		return -EIO;
	PGresult *may = db_query(db, "the rights", may_read_sql, 0, NULL);
	if (may == NULL)
		return -EIO;
	bool readable = result_bool(may, 0, 0);
	PQclear(may);
	if (!readable)
		return 0;
	rows->configurations = db_query(db, "the configurations", explain_configurations_sql, 1, values);
	return rows->configurations == NULL ? -EIO : 0;
}

static void
print_lines(const struct report *report, const struct explain_lines *lines)
{
	for (size_t i = 0; i < lines->n; i++)
		view_print(&report->view, "", NULL, &lines->at[i]);
}

static const char *
stretch_word(const struct explain_stretch *stretch)
{
	if (stretch->paused)
		return "paused";
	if (!stretch->stretch.counted)
		return "skipped";
	return stretch->ahead ? "will count" : "counted";
}

static int
print_stretches(const struct explain_clock *clock)
{
	struct libscols_table *table = stretch_table_new();
	int r = table == NULL ? -ENOMEM : 0;

	for (size_t i = 0; r == 0 && i < clock->n_stretches; i++) {
		const struct explain_stretch *stretch = &clock->stretches[i];
		r = stretch_table_add(table, explain_zone(clock), &stretch->stretch, stretch_word(stretch),
		                      stretch->paused ? stretch->cause : NULL);
	}
	if (r == 0 && clock->n_stretches > 0) {
		putchar('\n');
		if (scols_print_table(table) < 0)
			r = -ENOMEM;
	}
	if (r == 0 && clock->truncated)
		puts("... and more");
	scols_unref_table(table);
	return r;
}

static int
print_text(struct report *report, const struct explain *explain)
{
	int r = 0;

	if (explain->n_clocks == 0)
		print_lines(report, &explain->none.lines);
	for (size_t i = 0; r == 0 && i < explain->n_clocks; i++) {
		if (i > 0)
			putchar('\n');
		print_lines(report, &explain->clocks[i].lines);
		r = print_stretches(&explain->clocks[i]);
	}
	return r;
}

static int
print_json(const struct rows *rows, const struct report *report, const struct explain *explain)
{
	struct jsonw json = {0};

	jsonw_open(&json, NULL, '{');
	jsonw_instant(&json, "now", report->db.now);
	jsonw_raw(&json, "ticket_id", result_text(rows->ticket, 0, TICKET_ROW_ID));
	jsonw_text(&json, "source", result_text(rows->ticket, 0, TICKET_ROW_SOURCE));
	jsonw_text(&json, "external_id", result_text(rows->ticket, 0, TICKET_ROW_EXTERNAL));
	explain_write(&json, explain);
	jsonw_close(&json, '}');
	int r = view_print_json(&json);
	jsonw_clear(&json);
	return r;
}

int
show_explain(struct report *report, const char *id, bool json)
{
	struct rows rows = {0};
	struct explain *explain = NULL;
	int r = load(report, id, &rows);

	if (r == 0) {
		const struct explain_source source = {
		    .ticket = rows.ticket,
		    .clocks = rows.clocks,
		    .events = rows.events,
		    .configurations = rows.configurations,
		    .config = report->loaded,
		    .now = report->db.now,
		};
		r = explain_new(&source, &explain);
		if (r == 0)
			r = json ? print_json(&rows, report, explain) : print_text(report, explain);
		if (r < 0)
			fprintf(stderr, "slatectl show: %s\n", strerror(-r));
	}
	explain_free(explain);
	PQclear(rows.ticket);
	PQclear(rows.clocks);
	PQclear(rows.events);
	PQclear(rows.configurations);
	return r;
}
