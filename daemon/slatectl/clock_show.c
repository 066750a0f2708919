#include "clock_show.h"

#include <inttypes.h>
#include <stdio.h>

void
clock_show_name(const struct clock_row *clock, char text[static VIEW_TEXT_SIZE])
{
	if (clock->cycle > 1)
		(void)snprintf(text, VIEW_TEXT_SIZE, "%.40s (%" PRId64 ")", clock->metric, clock->cycle);
	else
		(void)snprintf(text, VIEW_TEXT_SIZE, "%.40s", clock->metric);
}

void
clock_show_left(const struct view *view, const struct clock_row *clock, char text[static VIEW_TEXT_SIZE])
{
	char length[VIEW_TEXT_SIZE];
	int64_t left = clock->budget.us - clock->used.us;
	if (!clock_row_is(clock, "paused")) {
		view_relative(view, clock->due_at, text);
		return;
	}
	view_length((struct duration){left > 0 ? left : 0}, length);
	(void)snprintf(text, VIEW_TEXT_SIZE, "%.40s left", length);
}

const char *
clock_show_label(const struct clock_row *clock)
{
	if (clock->overdue)
		return "overdue";
	return clock->at_risk ? "at risk" : clock->state;
}

const char *
clock_show_color(const struct clock_row *clock)
{
	if (clock->overdue || clock_row_is(clock, "breached"))
		return VIEW_RED;
	if (clock->at_risk)
		return VIEW_YELLOW;
	if (clock_row_is(clock, "running"))
		return VIEW_GREEN;
	return clock_row_is(clock, "paused") ? VIEW_BLUE : NULL;
}
