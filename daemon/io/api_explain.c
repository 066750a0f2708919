/* Why a clock is as it is: in sentences, and as the spans and open hours that a timeline draws. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_internal.h"
#include "slated/calendar.h"
#include "slated/policy.h"
#include "slated/zone.h"

#define INTERVALS_MAX 400

/* Sentences -------------------------------------------------------------------------------------------------------- */

static void
end_sentence(struct jsonw *json, struct text *text)
{
	text_add_string(text, ".");
	if (text->failed)
		json->text.failed = true;
	else
		jsonw_text(json, NULL, text->data);
	text->len = 0;
}

/* "3h20m", "45s", "2h"; rounded to seconds. */
static void
add_length(struct text *text, struct duration length)
{
	int64_t s = (length.us + US_PER_S / 2) / US_PER_S;
	if (s >= 3600)
		text_add_format(text, "%" PRId64 "h", s / 3600);
	if (s / 60 % 60 > 0)
		text_add_format(text, "%" PRId64 "m", s / 60 % 60);
	if (s % 60 > 0 || s == 0)
		text_add_format(text, "%" PRId64 "s", s % 60);
}

static void
add_instant(struct text *text, struct instant at)
{
	char iso[INSTANT_TEXT_SIZE];
	at.us -= at.us % US_PER_S;
	(void)instant_format(at, iso);
	text_add_string(text, iso);
}

static void
add_patterns(struct text *text, const char *lead, char *const *patterns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		text_add_format(text, "%s%s", i == 0 ? lead : " or ", patterns[i]);
}

static void
add_condition(struct text *text, const struct condition *condition)
{
	switch (condition->kind) {
	case CONDITION_ATTRIBUTE:
		text_add_string(text, attribute_names[condition->attribute]);
		break;
	case CONDITION_SEVERITY:
		text_add_string(text, "severity");
		break;
	case CONDITION_STATUS:
		text_add_string(text, "status");
		break;
	case CONDITION_CUSTOM:
		text_add_format(text, "attributes.%s", condition->key);
		break;
	}
	add_patterns(text, " is ", condition->any_of, condition->n_any_of);
	add_patterns(text, " is not ", condition->none_of, condition->n_none_of);
	if (condition->at_least)
		text_add_format(text, " is at least %s", condition->at_least);
	if (condition->at_most)
		text_add_format(text, " is at most %s", condition->at_most);
	if (condition->present >= 0)
		text_add_string(text, condition->present ? " is given" : " is not given");
}

static void
tell_policy(struct jsonw *json, struct text *text, const struct policy *policy)
{
	const struct match *match = &policy->match;
	text_add_format(text, "Policy %s was the first that fits", policy->name);
	for (size_t i = 0; i < match->n_conditions; i++) {
		text_add_string(text, i == 0 ? ": " : ", ");
		add_condition(text, &match->conditions[i]);
	}
	if (match->n_conditions == 0)
		text_add_string(text, ": it fits every ticket");
	end_sentence(json, text);
}

static void
tell_target(struct jsonw *json, struct text *text, const struct clock_row *clock, const struct target *target)
{
	const char *reading = business_day_names[target->business_day];
	bool pauses = false;
	text_add_format(text, "At severity %s it promises %s %s %s of calendar %s", clock->severity,
	                metric_names[target->metric], target->under ? "under" : "within", target->text,
	                clock->calendar);
	if (reading)
		text_add_format(text, ", counted by business days (%s)", reading);
	if (!calendar_is_always(target->calendar))
		text_add_format(text, ", whose hours are those of %s", zone_name(calendar_zone(target->calendar)));
	for (int i = 0; i < STATUS_COUNT; i++) {
		if ((target->pause_on >> i & 1) == 0)
			continue;
		text_add_format(text, "%s%s", pauses ? " or " : "; the clock stands still while the ticket is ",
		                status_names[i]);
		pauses = true;
	}
	end_sentence(json, text);
}

static void
tell_use(struct jsonw *json, struct text *text, const struct clock_row *clock)
{
	text_add_string(text, "It started at ");
	add_instant(text, clock->started_at);
	text_add_string(text, " with ");
	add_length(text, clock->budget);
	text_add_string(text, " of open time, of which ");
	add_length(text, clock->used);
	text_add_string(text, clock->rough ? " (estimated: the calendar is not known any more)" : "");
	text_add_string(text,
	                instant_equal(clock->ended_at, INSTANT_NEVER) ? " have passed" : " had passed at its end");
	if (clock->carried.us > 0) {
		text_add_string(text, ", ");
		add_length(text, clock->carried);
		text_add_string(text, " of them carried over from before the ticket was reopened");
	}
	end_sentence(json, text);
}

static void
tell_state(struct jsonw *json, struct text *text, const struct clock_row *clock)
{
	if (!instant_equal(clock->breached_at, INSTANT_NEVER)) {
		text_add_string(text, "It breached at ");
		add_instant(text, clock->breached_at);
		if (clock->by_reassessment)
			text_add_string(text, ", as the target of another severity had run out before");
		else if (instant_equal(clock->due_at, INSTANT_NEVER))
			text_add_string(text, ": all of it had been used up before the ticket was reopened");
		end_sentence(json, text);
	}
	if (clock_row_is(clock, "running")) {
		text_add_string(text, "If nothing pauses it, the rest of it has passed at ");
		add_instant(text, clock->due_at);
		end_sentence(json, text);
	} else if (clock_row_is(clock, "paused")) {
		int64_t left = clock->budget.us - clock->used.us;
		text_add_string(text, "It has stood still since ");
		add_instant(text, clock->paused_at);
		text_add_string(text, ", with ");
		add_length(text, (struct duration){left > 0 ? left : 0});
		text_add_string(text, " left; it is due when that has passed after it goes on");
		end_sentence(json, text);
	} else if (!instant_equal(clock->ended_at, INSTANT_NEVER)) {
		text_add_format(text, "It was %s at ", clock->state);
		add_instant(text, clock->ended_at);
		end_sentence(json, text);
	}
}

/* Spans and hours -------------------------------------------------------------------------------------------------- */

static void
write_pair(struct jsonw *json, struct instant from, struct instant to)
{
	jsonw_open(json, NULL, '[');
	jsonw_instant(json, NULL, from);
	jsonw_instant(json, NULL, to);
	jsonw_close(json, ']');
}

/* When the clock ran: beginnings and ends by turns, without the last end while it runs. */
static void
write_spans(struct jsonw *json, const struct clock_row *clock)
{
	const char *text = clock->spans + 1;
	jsonw_open(json, "spans", '[');
	while (*text != '}' && *text != '\0') {
		char *end;
		struct instant from = {strtoll(text, &end, 10)}, to = INSTANT_NEVER;
		if (*end == ',')
			to.us = strtoll(end + 1, &end, 10);
		write_pair(json, from, to);
		text = *end == ',' ? end + 1 : end;
	}
	jsonw_close(json, ']');
}

static void
write_open(struct jsonw *json, const struct clock_row *clock, struct calendar *calendar, struct instant now)
{
	struct instant at = clock->started_at, opens, closes;
	struct instant until = instant_equal(clock->ended_at, INSTANT_NEVER) ? now : clock->ended_at;
	int n = 0;
	if (!instant_equal(clock->due_at, INSTANT_NEVER) && instant_before(until, clock->due_at))
		until = clock->due_at;
	jsonw_open(json, "open", '[');
	for (; n < INTERVALS_MAX && instant_before(at, until) && calendar_interval(calendar, at, &opens, &closes);
	     n++) {
		if (!instant_before(opens, until))
			break;
		write_pair(json, instant_before(opens, at) ? at : opens, instant_min(closes, until));
		at = closes;
	}
	jsonw_close(json, ']');
	if (n == INTERVALS_MAX)
		jsonw_bool(json, "open_truncated", true);
}

void
api_explain(struct jsonw *json, const struct clock_row *clock, const struct policy_set *set, struct instant now)
{
	const struct policy *policy = policy_set_policy(set, clock->policy);
	struct calendar *calendar = policy_set_calendar(set, clock->calendar);
	struct text text = {0};
	jsonw_open(json, "explanation", '[');
	if (policy)
		tell_policy(json, &text, policy);
	if (policy && clock->target >= 0 && (size_t)clock->target < policy->n_targets)
		tell_target(json, &text, clock, &policy->targets[clock->target]);
	tell_use(json, &text, clock);
	tell_state(json, &text, clock);
	jsonw_close(json, ']');
	free(text.data);
	write_spans(json, clock);
	if (calendar)
		write_open(json, clock, calendar, now);
}
