#include "slated/clock_row.h"

#include <stdlib.h>
#include <string.h>

#include "slated/calendar.h"
#include "slated/policy.h"

const char clock_row_ticket_sql[] = "SELECT " CLOCK_ROW_COLUMNS " FROM sla.clock c WHERE c.ticket_id = $1 "
                                    "ORDER BY array_position(ARRAY['first_response', 'next_response', 'update', "
                                    "'resolution', 'assessment'], c.metric), c.cycle";

bool
clock_row_is(const struct clock_row *clock, const char *state)
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
	/* Before it becomes a number: it may be larger than any. */
	int64_t used = share >= 1 ? clock->budget.us : share > 0 ? (int64_t)(share * (double)clock->budget.us) : 0;
	return (struct duration){used < clock->consumed.us ? clock->consumed.us : used};
}

static void
work_out_use(struct clock_row *clock, const struct policy_set *set, struct instant now)
{
	struct calendar *calendar = policy_set_calendar(set, clock->calendar);
	clock->used = clock->consumed;
	if (clock_row_is(clock, "running")) {
		clock->rough = calendar == NULL;
		clock->used = calendar != NULL ? used_running(clock, calendar, now) : guess_running(clock, now);
	} else if (clock_row_is(clock, "breached")) {
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
	    .metric = result_text(rows, row, column),
	    .cycle = result_number(rows, row, column + 1),
	    .state = result_text(rows, row, column + 2),
	    .policy = result_text(rows, row, column + 3),
	    .calendar = result_text(rows, row, column + 4),
	    .severity = result_text(rows, row, column + 5),
	    .at_risk = result_bool(rows, row, column + 6),
	    .levels_fired = result_text(rows, row, column + 7),
	    .by_reassessment = result_bool(rows, row, column + 8),
	    .budget = {result_number(rows, row, column + 9)},
	    .consumed = {result_number(rows, row, column + 10)},
	    .carried = {result_number(rows, row, column + 11)},
	    .started_at = result_instant(rows, row, column + 12),
	    .due_at = result_instant(rows, row, column + 13),
	    .paused_at = result_instant(rows, row, column + 14),
	    .breached_at = result_instant(rows, row, column + 15),
	    .ended_at = result_instant(rows, row, column + 16),
	    .spans = result_text(rows, row, column + 17),
	    .configuration = result_text(rows, row, column + CLOCK_ROW_CONFIGURATION),
	    .target = result_number(rows, row, column + CLOCK_ROW_CONFIGURATION + 1),
	};
	bool running = clock_row_is(&clock, "running");
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
