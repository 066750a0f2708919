/* Walks from a target's start to its due, from one border to the next: an opening, a closing or a local midnight. */
#include "slated/stretches.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct walk {
	struct calendar *calendar;
	struct stretch *stretches;
	size_t n;
	struct duration sum;
	bool business_days;
	struct date last_open; /* the latest date with a counted stretch */
	int32_t business_day;  /* its number; -1 before the first */
};

static struct date
local_date(const struct walk *walk, struct instant at)
{
	return date_of_wall(zone_wall(calendar_zone(walk->calendar), at));
}

/* Where the date of `at` ends, or `due` where that comes first. A date that ends in a gap or twice ends at the first
 * instant that is not on it. */
static struct instant
date_end(const struct walk *walk, struct instant at, struct instant due)
{
	const struct zone *zone = calendar_zone(walk->calendar);
	struct wall next = date_begin((struct date){local_date(walk, at).day + 1});
	struct instant end = zone_instant(zone, next, ZONE_FIRST);

	if (!instant_before(at, end))
		end = zone_instant(zone, next, ZONE_SECOND);
	return instant_before(at, end) ? instant_min(end, due) : due;
}

/* Whether the calendar is closed on all of the date of `at`. */
static bool
date_is_closed(const struct walk *walk, struct instant at)
{
	const struct zone *zone = calendar_zone(walk->calendar);
	struct date date = local_date(walk, at);
	struct instant from = zone_instant(zone, date_begin(date), ZONE_FIRST);
	struct instant to = zone_instant(zone, date_begin((struct date){date.day + 1}), ZONE_SECOND);
	struct instant next = calendar_next_open(walk->calendar, from);

	return !instant_before(next, to);
}

/* Whether it begins between two openings of one date. */
static bool
is_break(const struct walk *walk, const struct stretch *span)
{
	const struct zone *zone = calendar_zone(walk->calendar);
	struct date date = local_date(walk, span->from);
	struct instant first = calendar_next_open(walk->calendar, zone_instant(zone, date_begin(date), ZONE_FIRST));
	struct instant next = calendar_next_open(walk->calendar, span->from);

	return instant_before(first, span->from) && !instant_equal(next, INSTANT_NEVER) &&
	       local_date(walk, next).day == date.day;
}

/* A break is lunch where it begins between 11:00 and 15:00. */
static const char *
closed_name(const struct walk *walk, const struct stretch *span)
{
	struct wall wall = zone_wall(calendar_zone(walk->calendar), span->from);
	struct date date = date_of_wall(wall);
	int64_t hour = (wall.us - date_begin(date).us) / US_PER_H;

	if (date_is_closed(walk, span->from))
		return date_weekday(date) >= 5 ? "weekend" : "closed day";
	if (!is_break(walk, span))
		return "outside hours";
	return hour >= 11 && hour < 15 ? "lunch break" : "break";
}

static void
span_name(const struct walk *walk, struct stretch *span)
{
	struct date date = local_date(walk, span->from);
	const char *note = calendar_day_note(walk->calendar, date);
	int year, month, day;

	if (note != NULL) {
		date_to_civil(date, &year, &month, &day);
		(void)snprintf(span->why, sizeof span->why, "%.80s %04d-%02d-%02d", note, year, month, day);
	} else if (!span->counted) {
		(void)snprintf(span->why, sizeof span->why, "%s", closed_name(walk, span));
	}
}

static void
span_find_change(const struct walk *walk, struct stretch *span)
{
	const struct zone *zone = calendar_zone(walk->calendar);
	struct instant before = {span->from.us - 1};

	span->change = zone_next_change(zone, before);
	if (!instant_before(span->change, span->to)) {
		span->change = INSTANT_NEVER;
		return;
	}
	span->offset_before = zone_offset(zone, (struct instant){span->change.us - 1});
	span->offset_after = zone_offset(zone, span->change);
}

static int
walk_add(struct walk *walk, struct instant from, struct instant to, bool counted)
{
	struct stretch *grown = reallocarray(walk->stretches, walk->n + 1, sizeof *grown);

	if (grown == NULL)
		return -ENOMEM;
	walk->stretches = grown;
	struct stretch *span = &walk->stretches[walk->n++];
	*span = (struct stretch){.from = from, .to = to, .counted = counted, .business_day = -1};
	if (counted) {
		struct date date = local_date(walk, from);
		walk->sum.us += to.us - from.us;
		if (walk->business_day < 0 || date.day != walk->last_open.day)
			walk->business_day++;
		walk->last_open = date;
		if (walk->business_days)
			span->business_day = walk->business_day;
	}
	span->sum = walk->sum;
	span_find_change(walk, span);
	span_name(walk, span);
	return 0;
}

int
stretches_make(struct calendar *calendar, struct instant start, struct instant due, bool business_days,
               struct stretch **ret, size_t *ret_n)
{
	struct walk walk = {.calendar = calendar, .business_days = business_days, .business_day = -1};
	bool always = calendar_is_always(calendar);
	struct instant at = start;
	int r = 0;

	while (r == 0 && instant_before(at, due)) {
		struct instant open = INSTANT_NEVER;
		struct instant close = INSTANT_NEVER;
		bool found = calendar_interval(calendar, at, &open, &close);
		bool counted = found && !instant_before(at, open);
		struct instant end = always ? due : date_end(&walk, at, due);
		end = instant_min(end, counted ? close : open);
		r = walk_add(&walk, at, end, counted);
		at = end;
	}
	if (r < 0) {
		free(walk.stretches);
		return r;
	}
	*ret = walk.stretches;
	*ret_n = walk.n;
	return 0;
}
