/* Instants, durations, local wall times and dates: distinct types, so that the
 * compiler rejects mixing them. model.md sections 1 and 3. */
#ifndef SLATED_INSTANT_H
#define SLATED_INSTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Microseconds since 1970-01-01T00:00:00Z, no leap seconds (PostgreSQL's resolution). */
struct instant {
	int64_t us;
};

/* A length of time in microseconds. */
struct duration {
	int64_t us;
};

/* Local wall time: microseconds since 1970-01-01T00:00:00 of the zone's own calendar and clock. */
struct wall {
	int64_t us;
};

/* A day of the proleptic Gregorian calendar, counted from 1970-01-01. */
struct date {
	int32_t day;
};

#define US_PER_S   INT64_C(1000000)
#define US_PER_MIN (60 * US_PER_S)
#define US_PER_H   (3600 * US_PER_S)
#define US_PER_DAY (86400 * US_PER_S)

/* "No such instant": later than every real one. */
#define INSTANT_NEVER ((struct instant){INT64_MAX})

/* Enough for any instant that instant_format() writes, with its NUL. */
#define INSTANT_TEXT_SIZE 40

/* What a target or a ladder allows: either elapsed time or business days (model.md section 3).
 * `days` is the n of "<n>d" as written (already counted in `elapsed`), so that callers can refuse it
 * where a day is ambiguous. */
struct period {
	struct duration elapsed;
	int32_t days;
	int32_t business_days;
};

static inline bool
instant_before(struct instant a, struct instant b)
{
	return a.us < b.us;
}

static inline bool
instant_equal(struct instant a, struct instant b)
{
	return a.us == b.us;
}

static inline struct instant
instant_min(struct instant a, struct instant b)
{
	return a.us < b.us ? a : b;
}

static inline struct instant
instant_max(struct instant a, struct instant b)
{
	return a.us > b.us ? a : b;
}

/* False for INSTANT_NEVER and for the other end of the range. */
static inline bool
instant_is_finite(struct instant at)
{
	return at.us != INT64_MIN && at.us != INT64_MAX;
}

/* a + d, held at the ends of the range instead of overflowing. */
static inline struct instant
instant_plus(struct instant a, struct duration d)
{
	int64_t us;

	if (__builtin_add_overflow(a.us, d.us, &us))
		us = d.us < 0 ? INT64_MIN : INT64_MAX;
	return (struct instant){us};
}

/* The time from `from` to `to`; negative when `to` is earlier. */
static inline struct duration
instant_since(struct instant to, struct instant from)
{
	int64_t us;

	if (__builtin_sub_overflow(to.us, from.us, &us))
		us = from.us < 0 ? INT64_MAX : INT64_MIN;
	return (struct duration){us};
}

/* Reads an RFC 3339 date-time of `len` bytes: any offset, lower-case "t" and "z" or a space for "T" too; digits
 * past the microsecond are dropped; second 60 is taken as the next minute's first.
 * 0, or -EINVAL with *ret untouched. */
int instant_parse(const char *text, size_t len, struct instant *ret) __attribute__((warn_unused_result));

/* Writes RFC 3339 in UTC, with six digits only where the fraction is not zero. Returns the length. */
size_t instant_format(struct instant at, char text[static INSTANT_TEXT_SIZE]);

/* Reads "1d2h30m15s" (each unit at most once, in this order) or "3bd"; a unit may be
 * zero ("1h0m30s"), the whole may not.
 * 0, -EINVAL for anything else, -ERANGE above a hundred years; *ret untouched then. */
int period_parse(const char *text, struct period *ret) __attribute__((warn_unused_result));

/* The day of a year, month (1 to 12) and day (1 to 31). 0, or -EINVAL where there is no such day. */
int date_from_civil(int year, int month, int day, struct date *ret) __attribute__((warn_unused_result));

/* The year, month and day of `date`. */
void date_to_civil(struct date date, int *ret_year, int *ret_month, int *ret_day);

/* Reads "2026-07-03". 0, or -EINVAL. */
int date_parse(const char *text, struct date *ret) __attribute__((warn_unused_result));

/* 0 = Monday to 6 = Sunday. */
int date_weekday(struct date date);

/* The date on which `wall` lies, and the wall time at which `date` begins. */
struct date date_of_wall(struct wall wall);
struct wall date_begin(struct date date);

#endif
