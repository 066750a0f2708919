/* What a calendar is made of; shared by its two halves, calendar.c (making it up) and calendar_search.c. */
#ifndef SLATED_CORE_CALENDAR_PRIVATE_H
#define SLATED_CORE_CALENDAR_PRIVATE_H

#include "slated/calendar.h"

#include "spans.h"

struct day_hours {
	struct hours *hours;
	size_t n;
};

/* A date, or a month and day, that is not like its weekday. */
struct special {
	int32_t key;
	char *label;
	struct day_hours hours;
};

/* Sorted by key, each key once. */
struct specials {
	struct special *at;
	size_t n;
};

struct closure {
	struct instant from;
	struct instant to;
	char *label;
};

enum calendar_kind {
	CALENDAR_ALWAYS,
	CALENDAR_WEEK,
	CALENDAR_UNION,
	CALENDAR_INTERSECTION,
};

struct calendar {
	struct spans spans; /* compiled; first == NULL before the first search */
	enum calendar_kind kind;
	char *name;
	const struct zone *zone;
	struct zone *own_zone; /* only of `always` */
	struct duration day_length;

	struct day_hours week[7];
	struct specials exceptions; /* by day number */
	struct specials holidays;   /* by day number */
	struct specials yearly;     /* by month * 100 + day */
	struct closure *closures;   /* sorted by their beginning */
	size_t n_closures;

	struct calendar **members;
	size_t n_members;
};

/* What makes `date` other than its weekday, or NULL. */
const struct special *calendar_special(const struct calendar *calendar, struct date date);

/* The UTC span of a local date; empty where the zone's calendar leaves the date out. */
void calendar_day_span(const struct calendar *calendar, struct date date, struct instant *ret_from,
                       struct instant *ret_to);

#endif
