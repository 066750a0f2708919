/* A clock as people see it. */
#ifndef SLATED_SLATECTL_CLOCK_SHOW_H
#define SLATED_SLATECTL_CLOCK_SHOW_H

#include "slated/clock_row.h"
#include "view.h"

/* "update", or "update (3)" from the second cycle on. */
void clock_show_name(const struct clock_row *clock, char text[static VIEW_TEXT_SIZE]);

/* "in 2h05m" until the due, "3m ago" since; for a paused clock the open time it would have, "1h30m left". */
void clock_show_left(const struct view *view, const struct clock_row *clock, char text[static VIEW_TEXT_SIZE]);

/* The state in words for people, and its colour or NULL. */
const char *clock_show_label(const struct clock_row *clock);
const char *clock_show_color(const struct clock_row *clock);

#endif
