#include "slated/metrics.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slated/render.h"

/* What is written of the family whose name begins so, as a text to be freed. */
static char *
written(const struct metrics *metrics, bool openmetrics, const char *name)
{
	struct text all = {0};
	struct text part = {0};
	metrics_write(metrics, openmetrics, &all);
	text_add(&all, "", 1);
	cr_assert(!all.failed);
	for (char *line = strtok(all.data, "\n"); line; line = strtok(NULL, "\n")) {
		const char *at = strncmp(line, "# ", 2) == 0 ? strchr(line + 2, ' ') : line - 1;
		if (!at || strncmp(at + 1, name, strlen(name)) != 0)
			continue;
		text_add_string(&part, line);
		text_add_string(&part, "\n");
	}
	text_add(&part, "", 1);
	cr_assert(!part.failed);
	free(all.data);
	return part.data;
}

static struct metrics *
made(void)
{
	struct metrics *metrics;
	cr_assert_eq(metrics_new(&metrics), 0);
	return metrics;
}

static void
expect(const struct metrics *metrics, bool openmetrics, const char *name, const char *wanted)
{
	char *text = written(metrics, openmetrics, name);
	cr_expect_str_eq(text, wanted);
	free(text);
}

Test(metrics, counters_are_there_from_the_start_and_only_grow)
{
	struct metrics *metrics = made();
	const char *head = "# HELP slated_events_late_total Events that were older than their ticket's last one.\n"
	                   "# TYPE slated_events_late_total counter\n";
	char text[256];
	(void)snprintf(text, sizeof(text), "%s%s", head, "slated_events_late_total 0\n");
	expect(metrics, false, "slated_events_late", text);
	metrics_add(metrics, METRICS_EVENTS_LATE, NULL, NULL, 3);
	metrics_add(metrics, METRICS_EVENTS_LATE, NULL, NULL, 4294967296);
	(void)snprintf(text, sizeof(text), "%s%s", head, "slated_events_late_total 4294967299\n");
	expect(metrics, false, "slated_events_late", text);
	expect(metrics, true, "slated_events_late",
	       "# HELP slated_events_late Events that were older than their ticket's last one.\n"
	       "# TYPE slated_events_late counter\n"
	       "slated_events_late_total 4294967299\n");
	metrics_free(metrics);
}

Test(metrics, series_stand_in_order_and_their_values_are_escaped)
{
	struct metrics *metrics = made();
	metrics_add(metrics, METRICS_DELIVERIES, "ops", "delivered", 1);
	metrics_add(metrics, METRICS_DELIVERIES, "a\"b\\c\nd\xc3\xa4", "dead", 2);
	metrics_add(metrics, METRICS_DELIVERIES, "ops", "dead", 0);
	metrics_add(metrics, METRICS_DELIVERIES, "ops", "delivered", 1);
	expect(metrics, false, "slated_deliveries_total",
	       "# HELP slated_deliveries_total Deliveries that have ended.\n"
	       "# TYPE slated_deliveries_total counter\n"
	       "slated_deliveries_total{channel=\"a\\\"b\\\\c\\nd\xc3\xa4\",outcome=\"dead\"} 2\n"
	       "slated_deliveries_total{channel=\"ops\",outcome=\"dead\"} 0\n"
	       "slated_deliveries_total{channel=\"ops\",outcome=\"delivered\"} 2\n");
	metrics_forget(metrics, METRICS_DELIVERIES);
	expect(metrics, false, "slated_deliveries_total", "");
	metrics_free(metrics);
}

Test(metrics, numbers_read_back_to_what_they_were)
{
	static const struct {
		double given;
		const char *expect;
	} rows[] = {{0, "0"},
	            {0.1, "0.1"},
	            {1764000000.25, "1764000000.25"},
	            {1.0 / 3, "0.33333333333333331"},
	            {9007199254740991, "9007199254740991"},
	            {-2.5, "-2.5"}};
	struct metrics *metrics = made();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[200];
		metrics_set(metrics, METRICS_READY, NULL, NULL, rows[i].given);
		(void)snprintf(text, sizeof(text),
		               "# HELP slated_ready 1 while /-/ready answers with 200.\n# TYPE slated_ready gauge\n"
		               "slated_ready %s\n",
		               rows[i].expect);
		expect(metrics, false, "slated_ready", text);
	}
	metrics_free(metrics);
}

Test(metrics, a_histogram_counts_upwards)
{
	static const double given[] = {1, 1.5, 3, 100, 20000};
	struct metrics *metrics = made();
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		metrics_observe(metrics, METRICS_FLUSH_ROWS, given[i]);
	expect(metrics, true, "slated_flush_rows",
	       "# HELP slated_flush_rows Rows of a batch.\n"
	       "# TYPE slated_flush_rows histogram\n"
	       "slated_flush_rows_bucket{le=\"1.0\"} 1\n"
	       "slated_flush_rows_bucket{le=\"3.0\"} 3\n"
	       "slated_flush_rows_bucket{le=\"10.0\"} 3\n"
	       "slated_flush_rows_bucket{le=\"30.0\"} 3\n"
	       "slated_flush_rows_bucket{le=\"100.0\"} 4\n"
	       "slated_flush_rows_bucket{le=\"300.0\"} 4\n"
	       "slated_flush_rows_bucket{le=\"1000.0\"} 4\n"
	       "slated_flush_rows_bucket{le=\"3000.0\"} 4\n"
	       "slated_flush_rows_bucket{le=\"10000.0\"} 4\n"
	       "slated_flush_rows_bucket{le=\"+Inf\"} 5\n"
	       "slated_flush_rows_sum 20105.5\n"
	       "slated_flush_rows_count 5\n");
	metrics_free(metrics);
}

Test(metrics, infos_and_units_are_named_as_each_format_wants)
{
	struct metrics *metrics = made();
	metrics_set(metrics, METRICS_BUILD, "1.2", NULL, 1);
	metrics_set(metrics, METRICS_START_TIME, NULL, NULL, 5);
	expect(metrics, false, "slated_build",
	       "# HELP slated_build_info This daemon's version.\n# TYPE slated_build_info gauge\n"
	       "slated_build_info{version=\"1.2\"} 1\n");
	expect(metrics, true, "slated_build",
	       "# HELP slated_build This daemon's version.\n# TYPE slated_build info\n"
	       "slated_build_info{version=\"1.2\"} 1\n");
	expect(metrics, true, "slated_start_time",
	       "# HELP slated_start_time_seconds When this daemon began.\n# TYPE slated_start_time_seconds gauge\n"
	       "# UNIT slated_start_time_seconds seconds\nslated_start_time_seconds 5\n");
	metrics_free(metrics);
}

Test(metrics, openmetrics_is_for_those_who_ask)
{
	static const struct {
		const char *given;
		bool expect;
	} rows[] = {
	    {NULL, false},
	    {"", false},
	    {"*/*", false},
	    {"text/plain", false},
	    {"application/openmetrics-text", true},
	    {" application/openmetrics-text ;\tversion=1.0.0 ; charset=utf-8", true},
	    {"application/openmetrics-text;version=1.0.00", false},
	    {"application/openmetrics-text;version=1.0", false},
	    {"application/openmetrics-text;q=0.5, text/plain;version=0.0.4;q=0.6", false},
	    {"application/openmetrics-text;q=0.5, text/plain;version=1.0.0;q=0.6", true},
	    {"text/plain;q=0.5,application/openmetrics-text;q=0.5", true},
	    {"application/openmetrics-text;q=", false},
	    {"application/openmetrics-text;q=-1", false},
	    {"application/openmetrics-text;q=inf", false},
	    {"application/openmetrics", false},
	    {"application/openmetrics-text;", true},
	    {",;,", false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(metrics_prefers_openmetrics(rows[i].given), rows[i].expect, "%s",
		             rows[i].given ? rows[i].given : "(none)");
}
