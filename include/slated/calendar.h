/* Business time: weekly hours, exceptions and holidays of one zone, or a union or intersection of other calendars,
 * compiled into sorted UTC intervals with prefix sums. model.md section 2.
 * A calendar is built with the setters, then only searched; searches compile what they need of it, so a calendar
 * belongs to one thread. No search looks further than ten years from where it starts, and but for `always` there is no
 * open time outside the years 0 to 9999. A search that runs out of memory aborts. */
#ifndef SLATED_CALENDAR_H
#define SLATED_CALENDAR_H

#include "slated/instant.h"
#include "slated/zone.h"

struct calendar;

/* Local opening hours, seconds after local midnight, 0 <= from < to <= 86400, half-open. */
struct hours {
	int32_t from;
	int32_t to;
};

/* How "<n>bd" is read. model.md section 3. */
enum business_day {
	BUSINESS_DAY_NONE,
	BUSINESS_DAY_HOURS,
	BUSINESS_DAY_SAME_TIME,
	BUSINESS_DAY_END_OF_DAY,
};

/* A calendar of `zone` (borrowed; must outlive it) that is closed until hours are set. 0 or -ENOMEM. */
int calendar_new(const char *name, const struct zone *zone, struct calendar **ret) __attribute__((warn_unused_result));

/* The built-in calendar that is open all the time; local dates are those of UTC. */
int calendar_new_always(struct calendar **ret) __attribute__((warn_unused_result));

/* Open where any (union) or all (intersection) of the members are. Members are borrowed and must outlive it, and must
 * be complete by then. `zone` gives the local dates for business days. 0, -EINVAL for no members, -ENOMEM. */
int calendar_new_union(const char *name, const struct zone *zone, struct calendar *const *members, size_t n_members,
                       struct calendar **ret) __attribute__((warn_unused_result));
int calendar_new_intersection(const char *name, const struct zone *zone, struct calendar *const *members,
                              size_t n_members, struct calendar **ret) __attribute__((warn_unused_result));

/* Takes NULL. */
void calendar_free(struct calendar *calendar);

/* Reads "09:00-12:00, 13:00-17:00" ("" = closed all day) into a new array that the caller frees.
 * 0, -EINVAL for malformed text, -ERANGE for an interval that is empty or passes midnight, -EEXIST for intervals that
 * overlap, -ENOMEM. Sorted; touching ones are kept apart. */
int hours_parse(const char *text, struct hours **ret, size_t *ret_n) __attribute__((warn_unused_result));

/* Sets one weekday's hours (0 = Monday); copied. 0 or -ENOMEM. */
int calendar_set_weekday(struct calendar *calendar, int weekday, const struct hours *hours, size_t n)
    __attribute__((warn_unused_result));

/* Replaces the weekly pattern and any holiday on one date. 0, -EEXIST where the date has an exception, -ENOMEM. */
int calendar_add_exception(struct calendar *calendar, struct date date, const struct hours *hours, size_t n)
    __attribute__((warn_unused_result));

/* Closes a date, or a month and day of every year; `label` (may be NULL) is what explanations call it.
 * Naming a date twice is harmless. 0 or -ENOMEM. */
int calendar_add_holiday(struct calendar *calendar, struct date date, const char *label)
    __attribute__((warn_unused_result));
int calendar_add_yearly_holiday(struct calendar *calendar, int month, int day, const char *label)
    __attribute__((warn_unused_result));

/* Closes a span of time, whatever the week or an exception says (a timed event of a holiday feed). 0 or -ENOMEM. */
int calendar_add_closure(struct calendar *calendar, struct instant from, struct instant to, const char *label)
    __attribute__((warn_unused_result));

/* The open time that one business day stands for with BUSINESS_DAY_HOURS; zero when not given. */
void calendar_set_day_length(struct calendar *calendar, struct duration length);
struct duration calendar_day_length(const struct calendar *calendar);

const char *calendar_name(const struct calendar *calendar);
const struct zone *calendar_zone(const struct calendar *calendar);
bool calendar_is_always(const struct calendar *calendar);

/* Makes ready for all searches that begin at `at`, as far as those look: a search that has to extend the table has no
 * way to say that memory is out, and aborts. 0 or -ENOMEM. */
int calendar_prepare(struct calendar *calendar, struct instant at) __attribute__((warn_unused_result));

/* Whether `at` lies in an interval (closing instant excluded). */
bool calendar_open(struct calendar *calendar, struct instant at);

/* Open microseconds in [from, to); 0 where to <= from. */
struct duration calendar_between(struct calendar *calendar, struct instant from, struct instant to);

/* `at` if open, else the next opening; INSTANT_NEVER where there is none within ten years. */
struct instant calendar_next_open(struct calendar *calendar, struct instant at);

/* The earliest instant u with between(at, u) = length, length > 0; INSTANT_NEVER where that is over ten years away.
 * For length <= 0: `at` itself. */
struct instant calendar_add(struct calendar *calendar, struct instant at, struct duration length);

/* The due instant `n` business days after `start` as `reading` says (not BUSINESS_DAY_NONE); INSTANT_NEVER where that
 * is over ten years away. model.md section 3. */
struct instant calendar_add_business_days(struct calendar *calendar, struct instant start, int32_t n,
                                          enum business_day reading);

/* The interval [*ret_open, *ret_close) that `at` lies in or that comes next. False where there is none within ten
 * years; an end that is further away than that is INT64_MIN or INSTANT_NEVER. For explanations and tests. */
bool calendar_interval(struct calendar *calendar, struct instant at, struct instant *ret_open,
                       struct instant *ret_close);

/* Why the local date is not an ordinary day of the week: the label of its holiday or of a closure that touches it, or
 * "holiday", "exception", or NULL. Of a union or intersection: what the first member says that has something to say. */
const char *calendar_day_note(const struct calendar *calendar, struct date date);

/* Of a calendar's own dates (not its members'): the latest one that a holiday with its year closes; false where there
 * is none. */
bool calendar_last_holiday(const struct calendar *calendar, struct date *ret);

/* Whether such a holiday lies in [from, to); whether there is one of every year. */
bool calendar_has_holiday(const struct calendar *calendar, struct date from, struct date to);
bool calendar_has_yearly_holiday(const struct calendar *calendar);

/* The calendars of which a union or intersection is made; none of others. */
size_t calendar_members(const struct calendar *calendar, struct calendar *const **ret);
bool calendar_is_intersection(const struct calendar *calendar);

/* Aborts where an invariant of the compiled table does not hold; for tests. */
void calendar_check(const struct calendar *calendar);

#endif
