#include "clock_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slated/calendar.h"
#include "slated/policy.h"

static bool
in_state(const struct clock_row *clock, const char *state)
{
	return strcmp(clock->state, state) == 0;
}

/* Beginnings and ends by turns; where the last end is missing, the clock runs. */
static struct duration
used_running(const struct clock_row *clock, struct calendar *calendar, struct instant now)
{
	int64_t used = clock->carried.us;
	const char *text = clock->spans + 1;
	while (*text != '}' && *text != '\0') {
		char *end;
		struct instant from = {strtoll(text, &end, 10)};
		struct instant to = now;
		if (*end == ',')
			to.us = strtoll(end + 1, &end, 10);
		used += calendar_between(calendar, from, to).us;
		text = *end == ',' ? end + 1 : end;
	}
	return (struct duration){used};
}

/* What the row last said and the budget hold it between them. */
static struct duration
guess_running(const struct clock_row *clock, struct instant now)
{
	double total = (double)instant_since(clock->due_at, clock->started_at).us;
	double share = total > 0 ? (double)instant_since(now, clock->started_at).us / total : 1;
	int64_t used = (int64_t)(share * (double)clock->budget.us);
	if (used > clock->budget.us)
		used = clock->budget.us;
	return (struct duration){used < clock->consumed.us ? clock->consumed.us : used};
}

static void
work_out_use(struct clock_row *clock, const struct policy_set *set, struct instant now)
{
	struct calendar *calendar = policy_set_calendar(set, clock->calendar);
	clock->used = clock->consumed;
	if (in_state(clock, "running")) {
		clock->rough = calendar == NULL;
		clock->used = calendar != NULL ? used_running(clock, calendar, now) : guess_running(clock, now);
	} else if (in_state(clock, "breached")) {
		struct instant since = instant_equal(clock->due_at, INSTANT_NEVER) ? clock->started_at : clock->due_at;
		struct duration over = {0};
		if (calendar != NULL)
			over = calendar_between(calendar, since, now);
		clock->rough = calendar == NULL;
		if (clock->used.us < clock->budget.us)
			clock->used = clock->budget;
		clock->used.us += over.us;
	}
}

void
clock_row_read(const PGresult *rows, int row, int column, const struct policy_set *set, struct instant now,
               struct clock_row *ret)
{
	struct clock_row clock = {
	    .metric = db_text(rows, row, column),
	    .cycle = db_number(rows, row, column + 1),
	    .state = db_text(rows, row, column + 2),
	    .policy = db_text(rows, row, column + 3),
	    .calendar = db_text(rows, row, column + 4),
	    .severity = db_text(rows, row, column + 5),
	    .at_risk = db_bool(rows, row, column + 6),
	    .levels_fired = db_text(rows, row, column + 7),
	    .by_reassessment = db_bool(rows, row, column + 8),
	    .budget = {db_number(rows, row, column + 9)},
	    .consumed = {db_number(rows, row, column + 10)},
	    .carried = {db_number(rows, row, column + 11)},
	    .started_at = db_instant(rows, row, column + 12),
	    .due_at = db_instant(rows, row, column + 13),
	    .paused_at = db_instant(rows, row, column + 14),
	    .breached_at = db_instant(rows, row, column + 15),
	    .ended_at = db_instant(rows, row, column + 16),
	    .spans = db_text(rows, row, column + 17),
	};
	bool running = in_state(&clock, "running");
	clock.at_risk &= running;
	clock.overdue = running && !instant_before(now, clock.due_at);
	work_out_use(&clock, set, now);
	*ret = clock;
}

double
clock_row_share(const struct clock_row *clock)
{
	if (clock->budget.us <= 0)
		return clock->used.us > 0 ? 1 : 0;
	return (double)clock->used.us / (double)clock->budget.us;
}

void
clock_row_name(const struct clock_row *clock, char text[static VIEW_TEXT_SIZE])
{
	if (clock->cycle > 1)
		(void)snprintf(text, VIEW_TEXT_SIZE, "%.40s (%" PRId64 ")", clock->metric, clock->cycle);
	else
		(void)snprintf(text, VIEW_TEXT_SIZE, "%.40s", clock->metric);
}

void
clock_row_left(const struct view *view, const struct clock_row *clock, char text[static VIEW_TEXT_SIZE])
{
	char length[VIEW_TEXT_SIZE];
	int64_t left = clock->budget.us - clock->used.us;
	if (!in_state(clock, "paused")) {
		view_relative(view, clock->due_at, text);
		return;
	}
	view_length((struct duration){left > 0 ? left : 0}, length);
	(void)snprintf(text, VIEW_TEXT_SIZE, "%.40s left", length);
}

const char *
clock_row_label(const struct clock_row *clock)
{
	if (clock->overdue)
		return "overdue";
	return clock->at_risk ? "at risk" : clock->state;
}

const char *
clock_row_color(const struct clock_row *clock)
{
	if (clock->overdue || in_state(clock, "breached"))
		return VIEW_RED;
	if (clock->at_risk)
		return VIEW_YELLOW;
	if (in_state(clock, "running"))
		return VIEW_GREEN;
	return in_state(clock, "paused") ? VIEW_BLUE : NULL;
}

void
clock_row_write(struct jsonw *json, const struct clock_row *clock)
{
	bool open = instant_equal(clock->ended_at, INSTANT_NEVER);
	jsonw_text(json, "metric", clock->metric);
	jsonw_number(json, "cycle", clock->cycle);
	jsonw_text(json, "state", clock->state);
	jsonw_bool(json, "at_risk", clock->at_risk);
	jsonw_bool(json, "overdue", clock->overdue);
	jsonw_text(json, "policy", clock->policy);
	jsonw_text(json, "calendar", clock->calendar);
	jsonw_text(json, "severity", clock->severity);
	jsonw_instant(json, "started_at", clock->started_at);
	jsonw_instant(json, "due_at", clock->due_at);
	jsonw_instant(json, "paused_at", clock->paused_at);
	jsonw_instant(json, "breached_at", clock->breached_at);
	jsonw_instant(json, "ended_at", clock->ended_at);
	jsonw_seconds(json, "budget", clock->budget);
	jsonw_seconds(json, "used", clock->used);
	if (open && clock->rough)
		jsonw_bool(json, "estimated", true);
	jsonw_raw(json, "levels_fired", clock->levels_fired);
	if (clock->by_reassessment)
		jsonw_bool(json, "by_reassessment", true);
}
