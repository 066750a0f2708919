#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "attainment.h"
#include "backtest.h"
#include "table.h"

/* So many channels stand beside each other by the hour. */
#define CHANNELS_SHOWN 6

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int
tell_memory(void)
{
	fputs("slatectl backtest: out of memory\n", stderr);
	return -ENOMEM;
}

/* Text --------------------------------------------------------------------------------------------------------------
 */

static void
set_number(struct table *table, size_t column, int64_t number, const char *color)
{
	char text[VIEW_TEXT_SIZE];
	(void)snprintf(text, sizeof(text), "%" PRId64, number);
	table_set(table, column, text, color);
}

static void
set_counts(struct table *table, size_t column, const int64_t counts[static VERDICTS])
{
	char text[ATTAINMENT_SHARE_SIZE];
	set_number(table, column, counts[VERDICT_IN_TIME], NULL);
	set_number(table, column + 1, counts[VERDICT_MISSED], NULL);
	attainment_share(counts[VERDICT_IN_TIME], counts[VERDICT_MISSED], text);
	table_set(table, column + 2, text, NULL);
}

static int
end_table(struct table *table)
{
	int r = table_print(table);
	table_free(table);
	return r;
}

static int
print_promises(const struct backtest *backtest, const struct view *view)
{
	static const struct table_column both[] = {{"POLICY", TABLE_TRUNC, 0},
	                                           {"METRIC", 0, 0},
	                                           {"SEVERITY", 0, 0},
	                                           {"IN TIME", TABLE_RIGHT, 0},
	                                           {"MISSED", TABLE_RIGHT, 0},
	                                           {"KEPT", TABLE_RIGHT, 0},
	                                           {"WAS IN TIME", TABLE_RIGHT, 2},
	                                           {"WAS MISSED", TABLE_RIGHT, 0},
	                                           {"WAS KEPT", TABLE_RIGHT, 1}};
	struct promise_line *lines;
	struct table *table;
	size_t n;
	if (backtest_lines(backtest, &lines, &n) < 0)
		return tell_memory();
	if (table_new(view, both, backtest->compares ? COUNT(both) : 6, &table) < 0) {
		free(lines);
		return tell_memory();
	}
	for (size_t i = 0; i < n; i++) {
		table_add_row(table);
		table_set(table, 0, lines[i].policy, NULL);
		table_set(table, 1, metric_names[lines[i].metric], NULL);
		table_set(table, 2, lines[i].severity, NULL);
		set_counts(table, 3, lines[i].counts[AFTER]);
		if (backtest->compares)
			set_counts(table, 6, lines[i].counts[BEFORE]);
	}
	free(lines);
	return end_table(table);
}

static void
sum_sides(const struct backtest *backtest, int64_t sums[SIDES][VERDICTS])
{
	for (int i = 0; i < SIDES; i++) {
		const struct side *side = &backtest->sides[i];
		size_t n = side->set != NULL ? side->set->n_policies * METRIC_COUNT * side->set->n_severities : 0;
		for (int verdict = 0; verdict < VERDICTS; verdict++)
			sums[i][verdict] = 0;
		for (size_t k = 0; k < n; k++)
			for (int verdict = 0; verdict < VERDICTS; verdict++)
				sums[i][verdict] += side->verdicts[k][verdict];
	}
}

static void
print_sum(const char *what, const int64_t sums[static VERDICTS])
{
	char share[ATTAINMENT_SHARE_SIZE];
	attainment_share(sums[VERDICT_IN_TIME], sums[VERDICT_MISSED], share);
	printf("%s: %s kept, %" PRId64 " in time, %" PRId64 " missed, %" PRId64 " withdrawn, %" PRId64 " still open\n",
	       what, share, sums[VERDICT_IN_TIME], sums[VERDICT_MISSED], sums[VERDICT_WITHDRAWN], sums[VERDICT_OPEN]);
}

static void
set_outcome(struct table *table, const struct view *view, size_t column, const struct outcome *outcome)
{
	char due[VIEW_TEXT_SIZE], text[2 * VIEW_TEXT_SIZE];
	view_short_instant(view, outcome->due_at, due);
	(void)snprintf(text, sizeof(text), "%s%s%s", verdict_words[outcome->verdict], due[0] != '\0' ? ", due " : "",
	               due);
	table_set(table, column, text, outcome->verdict == VERDICT_MISSED ? view_paint(view, VIEW_RED) : NULL);
}

static int
print_differences(const struct backtest *backtest, const struct view *view)
{
	static const struct table_column columns[] = {
	    {"TICKET", TABLE_TRUNC, 0}, {"METRIC", 0, 0}, {"CYCLE", TABLE_RIGHT, 1}, {"WAS", 0, 0}, {"WOULD BE", 0, 0}};
	int64_t all = 0;
	struct table *table;
	for (int from = 0; from < VERDICTS; from++)
		for (int to = 0; to < VERDICTS; to++)
			all += from != to ? backtest->changes[from][to] : 0;
	printf("\n%" PRId64 " of %" PRId64 " tickets would have another verdict\n", backtest->changed_tickets,
	       backtest->tickets);
	for (int from = 0; from < VERDICTS; from++)
		for (int to = 0; to < VERDICTS; to++)
			if (from != to && backtest->changes[from][to] > 0)
				printf("  %-9s -> %-9s %" PRId64 "\n", verdict_words[from], verdict_words[to],
				       backtest->changes[from][to]);
	if (backtest->n_differences == 0)
		return 0;
	putchar('\n');
	if (table_new(view, columns, COUNT(columns), &table) < 0)
		return tell_memory();
	for (size_t i = 0; i < backtest->n_differences; i++) {
		const struct difference *difference = &backtest->differences[i];
		table_add_row(table);
		table_set(table, 0, difference->ticket, NULL);
		table_set(table, 1, metric_names[difference->metric], NULL);
		set_number(table, 2, difference->cycle, NULL);
		set_outcome(table, view, 3, &difference->outcomes[BEFORE]);
		set_outcome(table, view, 4, &difference->outcomes[AFTER]);
	}
	int r = end_table(table);
	if (all > (int64_t)backtest->n_differences)
		printf("%" PRId64 " more: --tickets N lists more of them, --format json all\n",
		       all - (int64_t)backtest->n_differences);
	return r;
}

static int
print_channels(const struct backtest *backtest, const struct view *view)
{
	static const struct table_column columns[] = {{"CHANNEL", TABLE_TRUNC, 0},
	                                              {"PAGES", TABLE_RIGHT, 0},
	                                              {"WAS", TABLE_RIGHT, 0},
	                                              {"22-06H", TABLE_RIGHT, 0},
	                                              {"WAS", TABLE_RIGHT, 0},
	                                              {"BUSIEST HOUR", TABLE_RIGHT, 0},
	                                              {"BEGAN", 0, 2},
	                                              {"WAS", TABLE_RIGHT, 0}};
	struct table *table;
	if (backtest->n_channels == 0)
		return 0;
	putchar('\n');
	if (table_new(view, columns, COUNT(columns), &table) < 0)
		return tell_memory();
	for (size_t i = 0; i < backtest->n_channels; i++) {
		char at[VIEW_TEXT_SIZE];
		struct channel_hours hours;
		channel_hours_make(&backtest->channels[i], &hours);
		view_short_instant(view, hours.peak_at[AFTER], at);
		table_add_row(table);
		table_set(table, 0, backtest->channels[i].name, NULL);
		set_number(table, 1, backtest->channels[i].pages[AFTER], NULL);
		set_number(table, 3, hours.night[AFTER], NULL);
		set_number(table, 5, hours.peak[AFTER], NULL);
		table_set(table, 6, at, NULL);
		if (!backtest->compares)
			continue;
		set_number(table, 2, backtest->channels[i].pages[BEFORE], NULL);
		set_number(table, 4, hours.night[BEFORE], NULL);
		set_number(table, 7, hours.peak[BEFORE], NULL);
	}
	return end_table(table);
}

static int
print_hours(const struct backtest *backtest, const struct view *view)
{
	struct table_column columns[1 + 2 * CHANNELS_SHOWN] = {{"HOUR", 0, 0}};
	struct channel_hours hours[CHANNELS_SHOWN];
	size_t shown = backtest->n_channels < CHANNELS_SHOWN ? backtest->n_channels : CHANNELS_SHOWN;
	size_t each = backtest->compares ? 2 : 1;
	struct table *table;
	if (shown == 0)
		return 0;
	for (size_t i = 0; i < shown; i++) {
		channel_hours_make(&backtest->channels[i], &hours[i]);
		columns[1 + each * i] = (struct table_column){backtest->channels[i].name, TABLE_RIGHT, 0};
		if (backtest->compares)
			columns[2 + each * i] = (struct table_column){"WAS", TABLE_RIGHT, 1};
	}
	putchar('\n');
	if (table_new(view, columns, 1 + each * shown, &table) < 0)
		return tell_memory();
	for (int hour = 0; hour < 24; hour++) {
		char text[VIEW_TEXT_SIZE];
		(void)snprintf(text, sizeof(text), "%02d:00", hour);
		table_add_row(table);
		table_set(table, 0, text, NULL);
		for (size_t i = 0; i < shown; i++) {
			set_number(table, 1 + each * i, hours[i].pages[AFTER][hour], NULL);
			if (backtest->compares)
				set_number(table, 2 + each * i, hours[i].pages[BEFORE][hour], NULL);
		}
	}
	return end_table(table);
}

static int
print_samples(const struct backtest *backtest, const struct view *view)
{
	struct table_column columns[5 + CANDIDATES] = {
	    {"TIME TO", 0, 0}, {"SEVERITY", 0, 0}, {"CALENDAR", TABLE_TRUNC, 2}, {"TICKETS", TABLE_RIGHT, 3}};
	struct table *table;
	bool unpromised = false;
	for (size_t i = 0; i < CANDIDATES; i++)
		columns[4 + i] = (struct table_column){candidate_names[i], TABLE_RIGHT, 1};
	columns[4 + CANDIDATES] = (struct table_column){"95% WITHIN", TABLE_RIGHT, 0};
	if (backtest->n_samples == 0)
		return 0;
	puts("\nwhat a target of so much open time would have kept, and what can be promised at 95%");
	if (table_new(view, columns, COUNT(columns), &table) < 0)
		return tell_memory();
	for (size_t i = 0; i < backtest->n_samples; i++) {
		const struct sample *sample = &backtest->samples[i];
		char text[VIEW_TEXT_SIZE];
		int64_t at = sample_percentile(sample, 95);
		table_add_row(table);
		table_set(table, 0, metric_names[sample->metric], NULL);
		table_set(table, 1, backtest->sides[AFTER].set->severities[sample->severity].name, NULL);
		(void)snprintf(text, sizeof(text), "%.60s%s", sample->calendar, sample->promised ? "" : " *");
		table_set(table, 2, text, NULL);
		set_number(table, 3, (int64_t)(sample->n_met + sample->n_waiting), NULL);
		for (size_t k = 0; k < CANDIDATES; k++) {
			char share[ATTAINMENT_SHARE_SIZE];
			int64_t kept, missed;
			sample_share(sample, candidates[k], &kept, &missed);
			attainment_share(kept, missed, share);
			table_set(table, 4 + k, share, NULL);
		}
		if (at >= 0)
			view_length((struct duration){at}, text);
		table_set(table, 4 + CANDIDATES, at >= 0 ? text : "never", view_paint(view, VIEW_BOLD));
		unpromised |= !sample->promised;
	}
	int r = end_table(table);
	if (unpromised)
		puts("* no target of the draft: by the wall clock, without pauses");
	return r;
}

static void
print_refusals(const struct backtest *backtest, const struct backtest_names *names)
{
	const char *const called[SIDES] = {names->before, names->after};
	for (int i = 0; i < SIDES; i++)
		if (backtest->sides[i].refused > 0)
			printf("%s refuses %" PRId64 " event%s; the first: %s\n", called[i], backtest->sides[i].refused,
			       backtest->sides[i].refused == 1 ? "" : "s", backtest->sides[i].refusal);
}

int
backtest_write_text(const struct backtest *backtest, const struct view *view, const struct backtest_names *names)
{
	int64_t sums[SIDES][VERDICTS];
	char first[VIEW_TEXT_SIZE], last[VIEW_TEXT_SIZE];
	sum_sides(backtest, sums);
	view_instant(backtest->first, first);
	view_instant(backtest->last, last);
	printf("%" PRId64 " tickets, %" PRId64 " events, %s to %s\n", backtest->tickets, backtest->events, first, last);
	if (backtest->cut > 0)
		printf("%" PRId64 " more are left out, as their first events were trimmed\n", backtest->cut);
	print_sum(names->after, sums[AFTER]);
	if (backtest->compares)
		print_sum(names->before, sums[BEFORE]);
	print_refusals(backtest, names);
	putchar('\n');
	int r = print_promises(backtest, view);
	if (r == 0 && backtest->compares)
		r = print_differences(backtest, view);
	if (r == 0)
		r = print_channels(backtest, view);
	if (r == 0)
		r = print_hours(backtest, view);
	if (r == 0)
		r = print_samples(backtest, view);
	return r;
}

/* JSON --------------------------------------------------------------------------------------------------------------
 */

static void
write_counts(struct jsonw *json, const char *key, const int64_t counts[static VERDICTS])
{
	jsonw_open(json, key, '{');
	for (int verdict = VERDICT_NONE + 1; verdict < VERDICTS; verdict++)
		jsonw_number(json, verdict_names[verdict], counts[verdict]);
	jsonw_close(json, '}');
}

static int
write_promises(struct jsonw *json, const struct backtest *backtest)
{
	struct promise_line *lines;
	size_t n;
	if (backtest_lines(backtest, &lines, &n) < 0)
		return -ENOMEM;
	jsonw_open(json, "promises", '[');
	for (size_t i = 0; i < n; i++) {
		jsonw_open(json, NULL, '{');
		jsonw_text(json, "policy", lines[i].policy);
		jsonw_text(json, "severity", lines[i].severity);
		jsonw_text(json, "metric", metric_names[lines[i].metric]);
		if (backtest->compares)
			write_counts(json, "before", lines[i].counts[BEFORE]);
		write_counts(json, "after", lines[i].counts[AFTER]);
		jsonw_close(json, '}');
	}
	jsonw_close(json, ']');
	free(lines);
	return 0;
}

static void
write_hours(struct jsonw *json, const char *key, const struct channel_count *channel, const struct channel_hours *hours,
            enum backtest_side which)
{
	jsonw_open(json, key, '{');
	jsonw_number(json, "pages", channel->pages[which]);
	jsonw_open(json, "by_hour", '[');
	for (int hour = 0; hour < 24; hour++)
		jsonw_number(json, NULL, hours->pages[which][hour]);
	jsonw_close(json, ']');
	jsonw_number(json, "night", hours->night[which]);
	jsonw_number(json, "busiest_hour", hours->peak[which]);
	jsonw_instant(json, "busiest_at", hours->peak_at[which]);
	jsonw_close(json, '}');
}

static void
write_channels(struct jsonw *json, const struct backtest *backtest)
{
	jsonw_open(json, "channels", '[');
	for (size_t i = 0; i < backtest->n_channels; i++) {
		struct channel_hours hours;
		channel_hours_make(&backtest->channels[i], &hours);
		jsonw_open(json, NULL, '{');
		jsonw_text(json, "channel", backtest->channels[i].name);
		if (backtest->compares)
			write_hours(json, "before", &backtest->channels[i], &hours, BEFORE);
		write_hours(json, "after", &backtest->channels[i], &hours, AFTER);
		jsonw_close(json, '}');
	}
	jsonw_close(json, ']');
}

static void
write_sample(struct jsonw *json, const struct backtest *backtest, const struct sample *sample)
{
	static const struct {
		const char *name;
		unsigned percent;
	} percentiles[] = {{"p50", 50}, {"p90", 90}, {"p95", 95}, {"p99", 99}};
	jsonw_open(json, NULL, '{');
	jsonw_text(json, "metric", metric_names[sample->metric]);
	jsonw_text(json, "severity", backtest->sides[AFTER].set->severities[sample->severity].name);
	jsonw_text(json, "calendar", sample->calendar);
	jsonw_bool(json, "promised", sample->promised);
	jsonw_number(json, "met", (int64_t)sample->n_met);
	jsonw_number(json, "waiting", (int64_t)sample->n_waiting);
	for (size_t i = 0; i < COUNT(percentiles); i++) {
		int64_t at = sample_percentile(sample, percentiles[i].percent);
		if (at >= 0)
			jsonw_seconds(json, percentiles[i].name, (struct duration){at});
	}
	jsonw_open(json, "targets", '[');
	for (size_t i = 0; i < CANDIDATES; i++) {
		int64_t kept, missed;
		sample_share(sample, candidates[i], &kept, &missed);
		jsonw_open(json, NULL, '{');
		jsonw_seconds(json, "within", (struct duration){candidates[i]});
		jsonw_number(json, "kept", kept);
		jsonw_number(json, "missed", missed);
		jsonw_close(json, '}');
	}
	jsonw_close(json, ']');
	jsonw_close(json, '}');
}

static void
write_changes(struct jsonw *json, const struct backtest *backtest)
{
	jsonw_number(json, "changed_tickets", backtest->changed_tickets);
	jsonw_open(json, "changes", '[');
	for (int from = 0; from < VERDICTS; from++)
		for (int to = 0; to < VERDICTS; to++) {
			if (from == to || backtest->changes[from][to] == 0)
				continue;
			jsonw_open(json, NULL, '{');
			jsonw_text(json, "before", verdict_names[from]);
			jsonw_text(json, "after", verdict_names[to]);
			jsonw_number(json, "clocks", backtest->changes[from][to]);
			jsonw_close(json, '}');
		}
	jsonw_close(json, ']');
}

/* The differences come last, from the file that they went to, one a line. */
static int
copy_differences(FILE *from)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	bool more = false;
	fputs(",\"differences\":[", stdout);
	rewind(from);
	while ((len = getline(&line, &room, from)) > 0) {
		fputs(more ? ",\n" : "\n", stdout);
		fwrite(line, 1, (size_t)len - 1, stdout);
		more = true;
	}
	free(line);
	return ferror(from) ? -EIO : 0;
}

int
backtest_write_json(const struct backtest *backtest, const struct backtest_names *names)
{
	int64_t sums[SIDES][VERDICTS];
	struct jsonw json = {0};
	sum_sides(backtest, sums);
	jsonw_open(&json, NULL, '{');
	if (backtest->compares)
		jsonw_text(&json, "against", names->before);
	jsonw_text(&json, "config", names->after);
	jsonw_text(&json, "timezone", names->timezone);
	jsonw_number(&json, "tickets", backtest->tickets);
	jsonw_number(&json, "events", backtest->events);
	jsonw_number(&json, "left_out", backtest->cut);
	jsonw_instant(&json, "first", backtest->first);
	jsonw_instant(&json, "last", backtest->last);
	for (int i = backtest->compares ? BEFORE : AFTER; i < SIDES; i++) {
		write_counts(&json, i == BEFORE ? "before" : "after", sums[i]);
		jsonw_number(&json, i == BEFORE ? "refused_before" : "refused_after", backtest->sides[i].refused);
	}
	int r = write_promises(&json, backtest);
	write_channels(&json, backtest);
	jsonw_open(&json, "times", '[');
	for (size_t i = 0; i < backtest->n_samples; i++)
		write_sample(&json, backtest, &backtest->samples[i]);
	jsonw_close(&json, ']');
	if (backtest->compares)
		write_changes(&json, backtest);
	if (r < 0 || json.text.failed) {
		jsonw_clear(&json);
		return tell_memory();
	}
	fwrite(json.text.data, 1, json.text.len, stdout);
	jsonw_clear(&json);
	r = backtest->compares ? copy_differences(backtest->all) : 0;
	puts(r == 0 && backtest->compares ? "]}" : "}");
	if (r < 0)
		perror("slatectl backtest: the temporary file");
	return r;
}
