#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "attainment.h"
#include "backtest.h"
#include "html.h"
#include "slated/words.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CELL_SIZE    64

static void
write_number(char *cell, int64_t number)
{
	(void)snprintf(cell, CELL_SIZE, "%" PRId64, number);
}

static void
sum_lines(const struct promise_line *lines, size_t n, enum backtest_side which, int64_t *ret_in_time,
          int64_t *ret_missed)
{
	*ret_in_time = *ret_missed = 0;
	for (size_t i = 0; i < n; i++) {
		*ret_in_time += lines[i].counts[which][VERDICT_IN_TIME];
		*ret_missed += lines[i].counts[which][VERDICT_MISSED];
	}
}

static void
add_figures(struct text *out, const struct backtest *backtest, const struct promise_line *lines, size_t n)
{
	char share[ATTAINMENT_SHARE_SIZE], text[CELL_SIZE];
	int64_t in_time, missed, missed_before;
	text_add_string(out, "<div class=\"figures\">\n");
	sum_lines(lines, n, AFTER, &in_time, &missed);
	attainment_share(in_time, missed, share);
	html_figure(out, share, "kept under the draft", false);
	write_number(text, missed);
	html_figure(out, text, "missed under the draft", missed > 0);
	if (backtest->compares) {
		sum_lines(lines, n, BEFORE, &in_time, &missed_before);
		attainment_share(in_time, missed_before, share);
		html_figure(out, share, "kept before", false);
		write_number(text, missed_before);
		html_figure(out, text, "missed before", false);
		write_number(text, backtest->changed_tickets);
		html_figure(out, text, "tickets with another verdict", false);
	}
	text_add_string(out, "</div>\n");
}

static void
add_promises(struct text *out, const struct backtest *backtest, const struct promise_line *lines, size_t n)
{
	static const struct html_column columns[] = {{"Policy", false},     {"Metric", false},    {"Severity", false},
	                                             {"In time", true},     {"Missed", true},     {"Kept", true},
	                                             {"Was in time", true}, {"Was missed", true}, {"Was kept", true}};
	size_t width = backtest->compares ? COUNT(columns) : 6;
	html_element(out, "h2", "By promise");
	html_table_begin(out, columns, width);
	for (size_t i = 0; i < n; i++) {
		char numbers[SIDES][2][CELL_SIZE], shares[SIDES][ATTAINMENT_SHARE_SIZE];
		for (int k = 0; k < SIDES; k++) {
			const int64_t *counts = lines[i].counts[k];
			write_number(numbers[k][0], counts[VERDICT_IN_TIME]);
			write_number(numbers[k][1], counts[VERDICT_MISSED]);
			attainment_share(counts[VERDICT_IN_TIME], counts[VERDICT_MISSED], shares[k]);
		}
		html_table_row(out, columns, width,
		               (const char *const[]){lines[i].policy, metric_words[lines[i].metric], lines[i].severity,
		                                     numbers[AFTER][0], numbers[AFTER][1], shares[AFTER],
		                                     numbers[BEFORE][0], numbers[BEFORE][1], shares[BEFORE]});
	}
	html_table_end(out);
}

static void
add_channel(struct text *out, const struct backtest *backtest, const struct channel_count *channel)
{
	const char *const names[2] = {"under the draft", backtest->compares ? "before" : NULL};
	struct html_place places[24] = {0};
	struct channel_hours hours;
	struct text words = {0};
	char at[VIEW_TEXT_SIZE];
	channel_hours_make(channel, &hours);
	for (int hour = 0; hour < 24; hour++) {
		(void)snprintf(places[hour].label, sizeof(places[hour].label), "%02d", hour);
		(void)snprintf(places[hour].hint, sizeof(places[hour].hint),
		               "%02d:00 to %02d:00: %" PRId64 " under the draft", hour, (hour + 1) % 24,
		               hours.pages[AFTER][hour]);
		(void)snprintf(places[hour].above, sizeof(places[hour].above), "%" PRId64, hours.pages[AFTER][hour]);
		places[hour].values[0] = (double)hours.pages[AFTER][hour];
		if (!backtest->compares)
			continue;
		(void)snprintf(places[hour].above_second, sizeof(places[hour].above_second), "%" PRId64,
		               hours.pages[BEFORE][hour]);
		places[hour].values[1] = (double)hours.pages[BEFORE][hour];
	}
	html_element(out, "h3", channel->name);
	view_instant(hours.peak_at[AFTER], at);
	text_add_format(&words, "%" PRId64 " pages, %" PRId64 " of them from 22:00 to 06:00", channel->pages[AFTER],
	                hours.night[AFTER]);
	if (hours.peak[AFTER] > 0)
		text_add_format(&words, "; %" PRId64 " in the busiest hour, from %s", hours.peak[AFTER], at);
	if (backtest->compares)
		text_add_format(&words, ". Before: %" PRId64 ", %" PRId64 ", %" PRId64, channel->pages[BEFORE],
		                hours.night[BEFORE], hours.peak[BEFORE]);
	text_add_string(&words, ".");
	html_element(out, "p", words.failed ? NULL : words.data);
	out->failed |= words.failed;
	html_chart(out, HTML_BESIDE, "Pages by hour of the day", names, places, 24);
	free(words.data);
}

static void
add_channels(struct text *out, const struct backtest *backtest)
{
	html_element(out, "h2", "Pages by hour of the day");
	if (backtest->n_channels == 0)
		html_element(out, "p class=\"none\"", "Nobody would have been told of anything.");
	else
		html_element(out, "p class=\"none\"",
		             "As ladders order them, before silences, digests and rates of the channels.");
	for (size_t i = 0; i < backtest->n_channels; i++)
		add_channel(out, backtest, &backtest->channels[i]);
}

static void
add_sample(struct text *out, const struct backtest *backtest, const struct sample *sample)
{
	static const char *const names[2] = {"kept", "missed"};
	const char *severity = backtest->sides[AFTER].set->severities[sample->severity].name;
	struct html_place places[CANDIDATES] = {0};
	struct text words = {0};
	int64_t at = sample_percentile(sample, 95);
	char length[VIEW_TEXT_SIZE];
	for (size_t i = 0; i < CANDIDATES; i++) {
		char share[ATTAINMENT_SHARE_SIZE];
		int64_t kept, missed;
		sample_share(sample, candidates[i], &kept, &missed);
		attainment_share(kept, missed, share);
		(void)snprintf(places[i].label, sizeof(places[i].label), "%s", candidate_names[i]);
		(void)snprintf(places[i].above, sizeof(places[i].above), "%s", share);
		(void)snprintf(places[i].hint, sizeof(places[i].hint),
		               "A target of %s: %s kept, %" PRId64 " of %" PRId64, candidate_names[i], share, kept,
		               kept + missed);
		places[i].values[0] = (double)kept;
		places[i].values[1] = (double)missed;
	}
	text_add_format(&words, "%s, %s", metric_words[sample->metric], severity);
	html_element(out, "h3", words.failed ? NULL : words.data);
	text_empty(&words);
	if (at >= 0) {
		view_length((struct duration){at}, length);
		text_add_format(&words, "At 95%%, %s can be promised", length);
	} else {
		text_add_string(&words, "At 95%, nothing can be promised");
	}
	text_add_format(&words, ": %zu tickets, counted %s %s.", sample->n_met + sample->n_waiting,
	                sample->promised ? "on calendar" : "by the wall clock, as the draft has no target, on",
	                sample->calendar);
	html_element(out, "p", words.failed ? NULL : words.data);
	html_chart(out, HTML_STACKED, "What a target would have kept", names, places, CANDIDATES);
	out->failed |= words.failed;
	free(words.data);
}

static void
write_outcome(const struct outcome *outcome, char cell[static 2 * VIEW_TEXT_SIZE])
{
	char due[VIEW_TEXT_SIZE];
	view_instant(outcome->due_at, due);
	(void)snprintf(cell, 2 * VIEW_TEXT_SIZE, "%s%s%s", verdict_words[outcome->verdict],
	               due[0] != '\0' ? ", due " : "", due);
}

static void
add_differences(struct text *out, const struct backtest *backtest)
{
	static const struct html_column columns[] = {
	    {"Ticket", false}, {"Metric", false}, {"Cycle", true}, {"Was", false}, {"Would be", false}};
	html_element(out, "h2", "Tickets with another verdict");
	text_add_format(out, "<p>%" PRId64 " of %" PRId64 " tickets.", backtest->changed_tickets, backtest->tickets);
	if (backtest->n_differences == backtest->max_differences)
		text_add_format(out, " The first %zu clocks:", backtest->n_differences);
	text_add_string(out, "</p>\n");
	if (backtest->n_differences == 0)
		return;
	html_table_begin(out, columns, COUNT(columns));
	for (size_t i = 0; i < backtest->n_differences; i++) {
		const struct difference *difference = &backtest->differences[i];
		char cycle[CELL_SIZE], outcomes[SIDES][2 * VIEW_TEXT_SIZE];
		write_number(cycle, difference->cycle);
		for (int k = 0; k < SIDES; k++)
			write_outcome(&difference->outcomes[k], outcomes[k]);
		html_table_row(out, columns, COUNT(columns),
		               (const char *const[]){difference->ticket, metric_words[difference->metric], cycle,
		                                     outcomes[BEFORE], outcomes[AFTER]});
	}
	html_table_end(out);
}

int
backtest_write_html(const struct backtest *backtest, const struct backtest_names *names)
{
	struct promise_line *lines = NULL;
	struct text out = {0}, below = {0};
	size_t n = 0;
	char first[VIEW_TEXT_SIZE], last[VIEW_TEXT_SIZE];
	view_instant(backtest->first, first);
	view_instant(backtest->last, last);
	text_add_format(&below, "%s%s%s on %" PRId64 " tickets with %" PRId64 " events, %s to %s", names->after,
	                backtest->compares ? " against " : "", backtest->compares ? names->before : "",
	                backtest->tickets, backtest->events, first, last);
	if (backtest->cut > 0)
		text_add_format(&below, "; %" PRId64 " more tickets are left out, as their first events were trimmed",
		                backtest->cut);
	int r = below.failed ? -ENOMEM : backtest_lines(backtest, &lines, &n);
	if (r == 0) {
		html_begin(&out, "What the draft would have made of it", below.data);
		add_figures(&out, backtest, lines, n);
		add_promises(&out, backtest, lines, n);
		add_channels(&out, backtest);
		html_element(&out, "h2", "What can be promised");
		for (size_t i = 0; i < backtest->n_samples; i++)
			add_sample(&out, backtest, &backtest->samples[i]);
		if (backtest->compares)
			add_differences(&out, backtest);
		html_end(&out,
		         "Recorded events, played by slatectl backtest. Replies and solutions come when they came, "
		         "whatever the draft had asked for. Severities that rules set are worked out anew; hooks are "
		         "not asked, what they answered then stays.");
		r = out.failed ? -ENOMEM : 0;
	}
	if (r == 0)
		fwrite(out.data, 1, out.len, stdout);
	else
		fputs("slatectl backtest: out of memory\n", stderr);
	free(lines);
	free(out.data);
	free(below.data);
	return r;
}
