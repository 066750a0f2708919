/* Explanations in sentences, fit to be pasted to a customer. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "explain_internal.h"
#include "slated/config.h"
#include "slated/story_row.h"
#include "slated/words.h"

/* More stretches than these are for the table. */
#define STRETCH_SENTENCES_MAX 60

struct text *
explain_line_begin(struct explain_lines *lines)
{
	static struct text none;
	struct text *grown = reallocarray(lines->at, lines->n + 1, sizeof *grown);

	if (grown == NULL) {
		lines->failed = true;
		none = (struct text){.failed = true};
		return &none;
	}
	lines->at = grown;
	grown[lines->n] = (struct text){0};
	return &grown[lines->n++];
}

void
explain_line_end(struct explain_lines *lines, struct text *line)
{
	text_add_string(line, ".");
	lines->failed = lines->failed || line->failed;
}

void
explain_lines_clear(struct explain_lines *lines)
{
	for (size_t i = 0; i < lines->n; i++)
		free(lines->at[i].data);
	free(lines->at);
	*lines = (struct explain_lines){0};
}

void
explain_add_length(struct text *line, struct duration length)
{
	char text[WORDS_SIZE];

	length.us = (length.us + US_PER_S / 2) / US_PER_S * US_PER_S;
	words_length(length, text);
	text_add_string(line, text);
}

static void
add_instant(struct text *line, const struct zone *zone, struct instant at)
{
	char text[WORDS_SIZE];

	at.us -= at.us % US_PER_S;
	if (zone != NULL)
		words_local(zone, at, text);
	else
		(void)instant_format(at, text);
	text_add_string(line, text);
}

static void
add_metric(struct text *line, const char *name)
{
	int metric = name_index(metric_names, METRIC_COUNT, name);

	text_add_string(line, metric >= 0 ? metric_words[metric] : name);
}

/* "2nd" */
static void
add_ordinal(struct text *line, int64_t number)
{
	static const char *const endings[] = {"th", "st", "nd", "rd"};
	int64_t last = number / 10 % 10 == 1 ? 0 : number % 10;

	text_add_format(line, "%" PRId64 "%s", number, endings[last < 4 ? last : 0]);
}

static const struct zone *
row_zone(const struct clock_row *row, const struct policy_set *set)
{
	const struct calendar *calendar = set != NULL ? policy_set_calendar(set, row->calendar) : NULL;

	return calendar != NULL ? calendar_zone(calendar) : NULL;
}

const struct zone *
explain_zone(const struct explain_clock *clock)
{
	return row_zone(&clock->row, clock->config != NULL ? clock->config->policies : NULL);
}

/* sla.trim_events() has dropped them. */
static void
tell_no_events(struct explain_lines *lines)
{
	struct text *line = explain_line_begin(lines);

	text_add_string(line,
	                "The ticket's events are not kept any more, so it is not said why other policies did not fit");
	explain_line_end(lines, line);
}

/* Stretches -------------------------------------------------------------------------------------------------------- */

/* Whether the second goes into the same sentence: it adds nothing but another reason. */
static bool
stretch_joins(const struct explain_stretch *a, const struct explain_stretch *b)
{
	if (a->paused || b->paused || a->stretch.counted != b->stretch.counted)
		return false;
	return !a->stretch.counted || (a->ahead == b->ahead && strcmp(a->stretch.why, b->stretch.why) == 0);
}

static void
add_change(struct text *line, const struct zone *zone, const struct stretch *stretch)
{
	char before[WORDS_SIZE], after[WORDS_SIZE];

	words_offset(stretch->offset_before, before);
	words_offset(stretch->offset_after, after);
	text_add_format(line, "; clocks change from %s to %s at ", before, after);
	add_instant(line, zone, stretch->change);
}

/* " (business days 1 to 3)"; nothing on the date of the start, which is none of them. */
static void
add_business_days(struct text *line, const struct explain_stretch *first, const struct explain_stretch *last)
{
	int from = first->stretch.business_day > 0 ? first->stretch.business_day : 1, to = last->stretch.business_day;

	if (to > from)
		text_add_format(line, " (business days %d to %d)", from, to);
	else if (to > 0)
		text_add_format(line, " (business day %d)", to);
}

/* The reasons of a sentence's stretches, each once. */
static void
add_reasons(struct text *line, const struct explain_stretch *stretches, size_t n)
{
	const char *lead = ": ";

	for (size_t i = 0; i < n; i++) {
		const char *why = stretches[i].stretch.why;
		size_t before = 0;
		while (before < i && strcmp(stretches[before].stretch.why, why) != 0)
			before++;
		if (*why == '\0' || before < i)
			continue;
		text_add_format(line, "%s%s", lead, why);
		lead = ", ";
	}
}

static void
tell_stretches(struct explain_lines *lines, const struct explain_stretch *stretches, size_t n, const struct zone *zone)
{
	const struct explain_stretch *first = &stretches[0], *last = &stretches[n - 1];
	struct text *line = explain_line_begin(lines);

	text_add_string(line, "From ");
	add_instant(line, zone, first->stretch.from);
	text_add_string(line, " to ");
	add_instant(line, zone, last->stretch.to);
	if (first->paused) {
		text_add_format(line, " the clock stood still: %s", first->cause);
	} else if (first->stretch.counted) {
		struct duration before = {first->stretch.sum.us -
		                          instant_since(first->stretch.to, first->stretch.from).us};
		text_add_string(line, " ");
		explain_add_length(line, (struct duration){last->stretch.sum.us - before.us});
		text_add_string(line, first->ahead ? " will count, " : " counted, ");
		explain_add_length(line, last->stretch.sum);
		text_add_string(line, " in all");
		add_business_days(line, first, last);
		add_reasons(line, stretches, n);
	} else {
		text_add_string(line, " nothing counts");
		add_reasons(line, stretches, n);
	}
	for (size_t i = 0; i < n; i++)
		if (!instant_equal(stretches[i].stretch.change, INSTANT_NEVER))
			add_change(line, zone, &stretches[i].stretch);
	explain_line_end(lines, line);
}

static void
tell_time(struct explain_clock *clock)
{
	const struct zone *zone = explain_zone(clock);
	struct explain_lines *lines = &clock->lines;
	size_t told = 0, i = 0;

	while (i < clock->n_stretches && told < STRETCH_SENTENCES_MAX) {
		size_t n = 1;
		while (i + n < clock->n_stretches &&
		       stretch_joins(&clock->stretches[i + n - 1], &clock->stretches[i + n]))
			n++;
		tell_stretches(lines, &clock->stretches[i], n, zone);
		i += n;
		told++;
	}
	if (i == clock->n_stretches && !clock->truncated)
		return;
	struct text *line = explain_line_begin(lines);
	text_add_string(line, "So it goes on; the list of stretches has more");
	explain_line_end(lines, line);
}

/* What came of it -------------------------------------------------------------------------------------------------- */

static void
tell_use(struct explain_lines *lines, const struct clock_row *row, const struct zone *zone)
{
	struct text *line = explain_line_begin(lines);

	text_add_string(line, "It started at ");
	add_instant(line, zone, row->started_at);
	text_add_string(line, " with ");
	explain_add_length(line, row->budget);
	text_add_string(line, " of open time, of which ");
	explain_add_length(line, row->used);
	text_add_string(line, row->rough ? " (estimated: the calendar is not known any more)" : "");
	text_add_string(line, instant_equal(row->ended_at, INSTANT_NEVER) ? " have passed" : " had passed at its end");
	if (row->carried.us > 0) {
		text_add_string(line, ", ");
		explain_add_length(line, row->carried);
		text_add_string(line, " of them carried over from before the ticket was reopened");
	}
	explain_line_end(lines, line);
}

static void
tell_breach(struct explain_lines *lines, const struct clock_row *row, const struct zone *zone)
{
	struct text *line = explain_line_begin(lines);

	text_add_string(line, "It breached at ");
	add_instant(line, zone, row->breached_at);
	if (row->by_reassessment)
		text_add_string(line, ", as the target of another severity had run out before");
	else if (instant_equal(row->due_at, INSTANT_NEVER))
		text_add_string(line, ": all of it had been used up before the ticket was reopened");
	if (instant_before(row->due_at, row->breached_at)) {
		text_add_string(line,
		                row->by_reassessment ? ", at " : ", when it got this target, which had run out at ");
		add_instant(line, zone, row->due_at);
	}
	explain_line_end(lines, line);
}

static void
tell_state(struct explain_lines *lines, const struct clock_row *row, const struct zone *zone)
{
	if (!instant_equal(row->breached_at, INSTANT_NEVER))
		tell_breach(lines, row, zone);
	if (clock_row_is(row, "running")) {
		struct text *line = explain_line_begin(lines);
		text_add_string(line, "If nothing pauses it, the rest of it has passed at ");
		add_instant(line, zone, row->due_at);
		text_add_string(line, ": that is the deadline");
		explain_line_end(lines, line);
	} else if (clock_row_is(row, "paused")) {
		int64_t left = row->budget.us - row->used.us;
		struct text *line = explain_line_begin(lines);
		text_add_string(line, "It has stood still since ");
		add_instant(line, zone, row->paused_at);
		text_add_string(line, ", with ");
		explain_add_length(line, (struct duration){left > 0 ? left : 0});
		text_add_string(line, " left; it is due when that has passed after it goes on");
		explain_line_end(lines, line);
	} else if (!instant_equal(row->ended_at, INSTANT_NEVER)) {
		struct text *line = explain_line_begin(lines);
		text_add_format(line, "It was %s at ", row->state);
		add_instant(line, zone, row->ended_at);
		if (clock_row_is(row, "met") && instant_before(row->due_at, row->ended_at)) {
			text_add_string(line, ", ");
			explain_add_length(line, instant_since(row->ended_at, row->due_at));
			text_add_string(line, " after the deadline");
		}
		explain_line_end(lines, line);
	}
}

/* What is left of the reason: one line, and no longer than a sentence may be. */
#define REASON_MAX 200

/* Each change of severity while it was open: the target followed it. */
static void
tell_severities(struct explain_lines *lines, const struct clock_row *row, const struct zone *zone,
                const PGresult *events)
{
	for (int i = 0; i < PQntuples(events); i++) {
		struct instant at = result_instant(events, i, 0);
		const char *by = result_text(events, i, EVENT_ROW_BY),
		           *reason = result_text(events, i, EVENT_ROW_REASON);
		if (strcmp(result_text(events, i, EVENT_ROW_KIND), "severity") != 0 ||
		    result_text(events, i, EVENT_ROW_REFUSED) != NULL || !instant_before(row->started_at, at) ||
		    instant_before(row->ended_at, at) || instant_before(row->breached_at, at))
			continue;
		struct text *line = explain_line_begin(lines);
		text_add_string(line, "At ");
		add_instant(line, zone, at);
		text_add_format(line, " the severity became %s (event %s%s%s), and the target with it",
		                result_text(events, i, EVENT_ROW_SEVERITY), result_text(events, i, EVENT_ROW_SEQ),
		                by != NULL ? ", by " : "", by != NULL ? by : "");
		if (reason != NULL)
			text_add_format(line, ": %.*s", REASON_MAX, reason);
		if (line->len > 0 && !line->failed && line->data[line->len - 1] == '.')
			line->len--; /* explain_line_end() has its own */
		explain_line_end(lines, line);
	}
}

/* The open time that the ledger has at the end of what was counted; false where it says nothing of it. */
static bool
ledger_sum(const struct clock_row *row, struct duration *ret)
{
	bool breached = !instant_equal(row->breached_at, INSTANT_NEVER);

	if (row->by_reassessment || (breached && instant_equal(row->due_at, INSTANT_NEVER)))
		return false;
	*ret = breached || clock_row_is(row, "running") ? row->budget : row->used;
	return true;
}

/* The ledger is not rewritten where zones or holidays are known better by now: it is said that they differ. */
static void
tell_difference(struct explain_clock *clock)
{
	const struct clock_row *row = &clock->row;
	struct explain_lines *lines = &clock->lines;
	struct duration sum;

	if (clock->n_stretches == 0 || clock->truncated || !ledger_sum(row, &sum) ||
	    clock->stretches[clock->n_stretches - 1].stretch.sum.us == sum.us)
		return;
	struct text *line = explain_line_begin(lines);
	text_add_string(line, "Counted anew that is ");
	explain_add_length(line, clock->stretches[clock->n_stretches - 1].stretch.sum);
	text_add_string(line, ", where ");
	explain_add_length(line, sum);
	text_add_string(line, " were counted then: the time zone data have changed since; what was recorded holds");
	explain_line_end(lines, line);
}

/* By what it was counted. */
static void
tell_source(struct explain_clock *clock)
{
	struct explain_lines *lines = &clock->lines;
	struct text *line = explain_line_begin(lines);

	if (clock->config == NULL) {
		text_add_format(line,
		                "The configuration that it stands under, %.12s, cannot be read, so there is no more to "
		                "say: that takes the rights of sla_daemon, or --config with that configuration",
		                clock->row.configuration);
		explain_line_end(lines, line);
		return;
	}
	text_add_format(line, "Counted by configuration %.12s", clock->config->digest);
	if (!instant_equal(clock->loaded_at, INSTANT_NEVER)) {
		text_add_string(line, ", in force from ");
		add_instant(line, NULL, clock->loaded_at);
		text_add_string(line, " on");
	}
	if (clock->config->tzdata[0] != '\0')
		text_add_format(line, ", and version %s of the time zone data", clock->config->tzdata);
	if (clock->tzdata != NULL && strcmp(clock->tzdata, clock->config->tzdata) != 0)
		text_add_format(line, "; when that configuration came into force it was version %s", clock->tzdata);
	explain_line_end(lines, line);
}

int
explain_tell(struct explain_clock *clock, const struct explain_source *source, const char *ticket)
{
	const struct clock_row *row = &clock->row;
	const struct zone *zone = explain_zone(clock);
	struct explain_lines *lines = &clock->lines;
	struct text *line = explain_line_begin(lines);

	text_add_format(line, "This is about the ");
	add_metric(line, row->metric);
	text_add_format(line, " of ticket %s", ticket);
	if (row->cycle > 1) {
		text_add_string(line, ", the ");
		add_ordinal(line, row->cycle);
		text_add_string(line, " time");
	}
	explain_line_end(lines, line);
	if (clock->policy != NULL) {
		explain_tell_policy(lines, clock->policy);
		explain_tell_passed_over(clock);
		if (PQntuples(source->events) == 0)
			tell_no_events(lines);
	}
	if (clock->target != NULL)
		explain_tell_target(lines, row, clock->target);
	tell_severities(lines, row, zone, source->events);
	tell_use(lines, row, zone);
	tell_time(clock);
	tell_difference(clock);
	tell_state(lines, row, zone);
	tell_source(clock);
	return lines->failed ? -ENOMEM : 0;
}

int
explain_tell_none(struct explain_clock *none, const struct config *config, const struct policy *policy,
                  const char *ticket, const char *severity)
{
	struct explain_lines *lines = &none->lines;
	struct text *line = explain_line_begin(lines);

	if (config == NULL)
		text_add_format(line, "Ticket %s has no clock", ticket);
	else if (policy == NULL)
		text_add_format(line, "Ticket %s has no clock: no policy fits it", ticket);
	else if (policy->n_targets == 0)
		text_add_format(line, "Ticket %s has no clock: it gets policy %s, which promises nothing", ticket,
		                policy->name);
	else
		text_add_format(
		    line, "Ticket %s has no clock: it gets policy %s, and nothing that it promises%s%s has begun",
		    ticket, policy->name, severity != NULL ? " at severity " : "", severity != NULL ? severity : "");
	explain_line_end(lines, line);
	if (policy != NULL)
		explain_tell_policy(lines, policy);
	for (size_t i = 0; i < none->n_passed_over; i++) {
		line = explain_line_begin(lines);
		text_add_format(line, "Policy %s does not fit: %s", none->passed_over[i].name,
		                none->passed_over[i].why);
		explain_line_end(lines, line);
	}
	return lines->failed ? -ENOMEM : 0;
}

void
explain_write_outline(struct jsonw *json, const struct clock_row *row, const struct policy_set *set)
{
	const struct policy *policy = policy_set_policy(set, row->policy);
	const struct target *target = explain_target(row, policy);
	const struct zone *zone = row_zone(row, set);
	struct explain_lines lines = {0};

	if (policy != NULL)
		explain_tell_policy(&lines, policy);
	if (target != NULL)
		explain_tell_target(&lines, row, target);
	tell_use(&lines, row, zone);
	tell_state(&lines, row, zone);
	jsonw_open(json, "explanation", '[');
	for (size_t i = 0; i < lines.n; i++)
		jsonw_text(json, NULL, lines.at[i].data);
	jsonw_close(json, ']');
	json->text.failed = json->text.failed || lines.failed;
	explain_lines_clear(&lines);
}
