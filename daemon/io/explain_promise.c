/* Which policy and target a clock has, in sentences. */
#include "explain_internal.h"
#include "slated/reasons.h"
#include "slated/words.h"

/* More policies that do not fit are counted only. */
#define PASSED_OVER_MAX 8

void
explain_tell_policy(struct explain_lines *lines, const struct policy *policy)
{
	struct text *line = explain_line_begin(lines);

	text_add_format(line, "Policy %s was the first that fits: ", policy->name);
	reasons_add_match(line, &policy->match);
	explain_line_end(lines, line);
}

void
explain_tell_passed_over(struct explain_clock *clock)
{
	struct explain_lines *lines = &clock->lines;
	size_t n = clock->n_passed_over;

	for (size_t i = 0; i < n && i < PASSED_OVER_MAX; i++) {
		struct text *line = explain_line_begin(lines);
		text_add_format(line, "Policy %s, which stands before it, does not fit: %s", clock->passed_over[i].name,
		                clock->passed_over[i].why);
		explain_line_end(lines, line);
	}
	if (n <= PASSED_OVER_MAX)
		return;
	struct text *line = explain_line_begin(lines);
	text_add_format(line, "Nor do %zu more that stand before it", n - PASSED_OVER_MAX);
	explain_line_end(lines, line);
}

/* "within 8h of calendar office (Europe/Berlin)", "within 1h around the clock". */
static void
add_allowance(struct text *line, const struct target *target, const char *calendar)
{
	static const char *const readings[] = {
	    [BUSINESS_DAY_HOURS] = ", each of them ",
	    [BUSINESS_DAY_SAME_TIME] = ", until the same time of day on the last of them",
	    [BUSINESS_DAY_END_OF_DAY] = ", until the end of the last of them",
	};
	int32_t days = target->allowance.business_days;

	text_add_string(line, target->under ? "in under " : "within ");
	if (days > 0)
		text_add_format(line, "%d business day%s", (int)days, days == 1 ? "" : "s");
	else
		text_add_string(line, target->text);
	if (calendar_is_always(target->calendar)) {
		text_add_string(line, " around the clock");
		return;
	}
	text_add_format(line, " of calendar %s (%s)", calendar, zone_name(calendar_zone(target->calendar)));
	if (days == 0)
		return;
	text_add_string(line, readings[target->business_day]);
	if (target->business_day == BUSINESS_DAY_HOURS)
		explain_add_length(line, calendar_day_length(target->calendar));
}

void
explain_tell_target(struct explain_lines *lines, const struct clock_row *row, const struct target *target)
{
	static const char *const promises[METRIC_COUNT] = {
	    [METRIC_FIRST_RESPONSE] = "a first response", [METRIC_NEXT_RESPONSE] = "the next response",
	    [METRIC_UPDATE] = "the next update",          [METRIC_RESOLUTION] = "a resolution",
	    [METRIC_ASSESSMENT] = "an assessment",
	};
	struct text *line = explain_line_begin(lines);
	bool pauses = false;

	text_add_format(line, "At severity %s it promises %s ", row->severity, promises[target->metric]);
	add_allowance(line, target, row->calendar);
	for (int i = 0; i < STATUS_COUNT; i++) {
		if ((target->pause_on >> i & 1) == 0)
			continue;
		text_add_format(line, "%s%s", pauses ? " or " : "; the clock stands still while the ticket is ",
		                status_words[i]);
		pauses = true;
	}
	explain_line_end(lines, line);
}
