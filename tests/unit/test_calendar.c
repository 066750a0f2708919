/* Calendars by tables: business days, intervals, limits, what wins over what. */
#include "calendar_recipe.h"
#include "zone_file.h"

#include <errno.h>
#include <inttypes.h>

Test(calendar, business_days)
{
	/* 2026-12-21 is a Monday; the 24th is a half day, the 25th a holiday, the 28th begins late. */
	static const struct recipe office = {
	    .week = {"09:00-17:00", "09:00-17:00", "09:00-17:00", "09:00-17:00", "09:00-17:00"},
	    .exceptions = {{"2026-12-24", "09:00-13:00"}, {"2026-12-28", "14:00-18:00"}},
	    .yearly = {{12, 25}}};
	static const struct recipe night = {.week = {"00:00-04:00, 20:00-24:00", "00:00-04:00, 20:00-24:00",
	                                             "00:00-04:00, 20:00-24:00", "00:00-04:00, 20:00-24:00",
	                                             "00:00-04:00, 20:00-24:00", "00:00-04:00, 20:00-24:00",
	                                             "00:00-04:00, 20:00-24:00"}};
	static const struct recipe odd = {
	    .week = {"20:00-24:00", "09:00-12:00", NULL, NULL, NULL, NULL, "08:00-20:00"}};
	static const struct recipe wide = {.week = {"00:00-24:00", "00:00-24:00", "00:00-24:00", "00:00-24:00",
	                                            "00:00-24:00", "00:00-24:00", "00:00-24:00"}};
	enum { HOURS = BUSINESS_DAY_HOURS, SAME = BUSINESS_DAY_SAME_TIME, END = BUSINESS_DAY_END_OF_DAY };
	static const struct {
		const struct recipe *recipe;
		const char *zone, *start;
		int32_t n;
		int reading;
		const char *expect;
	} rows[] = {
	    {&office, "America/New_York", "2026-12-21T16:00:00-05:00", 2, SAME, "2026-12-23T16:00:00-05:00"},
	    {&office, "America/New_York", "2026-12-21T16:00:00.25-05:00", 1, SAME, "2026-12-22T16:00:00.25-05:00"},
	    /* closed at that time: the last closing before, or just then, or else the first opening */
	    {&office, "America/New_York", "2026-12-22T16:00:00-05:00", 2, SAME, "2026-12-24T13:00:00-05:00"},
	    {&office, "America/New_York", "2026-12-23T13:00:00-05:00", 1, SAME, "2026-12-24T13:00:00-05:00"},
	    {&office, "America/New_York", "2026-12-23T10:00:00-05:00", 2, SAME, "2026-12-28T14:00:00-05:00"},
	    {&office, "America/New_York", "2026-12-23T16:00:00-05:00", 2, SAME, "2026-12-28T16:00:00-05:00"},
	    /* a closing at the day's first instant is the day before's */
	    {&odd, "Europe/London", "2026-12-20T08:30:00Z", 2, SAME, "2026-12-22T09:00:00Z"},
	    {&odd, "Europe/London", "2026-12-20T08:30:00Z", 1, END, "2026-12-22T00:00:00Z"},
	    /* from closed time the next opening counts */
	    {&office, "America/New_York", "2026-12-19T12:00:00-05:00", 1, SAME, "2026-12-22T09:00:00-05:00"},
	    {&office, "America/New_York", "2026-12-21T18:00:00-05:00", 1, SAME, "2026-12-23T09:00:00-05:00"},
	    {&office, "America/New_York", "2026-12-19T12:00:00-05:00", 1, END, "2026-12-22T17:00:00-05:00"},
	    {&office, "America/New_York", "2026-12-22T10:00:00-05:00", 2, END, "2026-12-24T13:00:00-05:00"},
	    {&office, "America/New_York", "2026-12-23T10:00:00-05:00", 2, END, "2026-12-28T18:00:00-05:00"},
	    /* the same time of day, not 24 hours */
	    {&office, "America/New_York", "2026-03-06T10:00:00-05:00", 1, SAME, "2026-03-09T10:00:00-04:00"},
	    {&wide, "America/New_York", "2026-03-07T02:30:00-05:00", 1, SAME, "2026-03-08T07:00:00Z"},
	    {&wide, "America/New_York", "2026-10-31T01:30:00-04:00", 1, SAME, "2026-11-01T01:30:00-04:00"},
	    {&wide, "America/New_York", "2026-10-31T01:30:00-04:00", 1, END, "2026-11-02T00:00:00-05:00"},
	    /* a date that the zone left out is none */
	    {&wide, "Pacific/Apia", "2011-12-29T12:00:00-10:00", 1, SAME, "2011-12-31T12:00:00+14:00"},
	    /* clipped at midnight */
	    {&night, "Europe/London", "2026-12-21T21:00:00Z", 1, END, "2026-12-23T00:00:00Z"},
	    {&night, "Europe/London", "2026-12-21T12:00:00Z", 1, SAME, "2026-12-22T20:00:00Z"},
	    {&office, "America/New_York", "2026-12-21T16:00:00-05:00", 1, HOURS, "2026-12-22T16:00:00-05:00"},
	    {&office, "America/New_York", "2026-12-21T16:00:00-05:00", 3, HOURS, "2026-12-28T17:00:00-05:00"},
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct zone *zone = zone_load(rows[i].zone);
		cr_assert_not_null(zone);
		struct calendar *calendar = calendar_of(rows[i].recipe, zone);
		char text[INSTANT_TEXT_SIZE];
		calendar_set_day_length(calendar, (struct duration){8 * US_PER_H});
		struct instant start = instant_of(rows[i].start);
		struct instant due = calendar_add_business_days(calendar, start, rows[i].n, rows[i].reading);
		(void)instant_format(due, text);
		cr_expect_eq(due.us, instant_of(rows[i].expect).us, "row %zu: %s + %d is %s", i, rows[i].start,
		             rows[i].n, text);
		calendar_free(calendar);
		zone_free(zone);
	}
}

Test(calendar, always)
{
	struct calendar *always = NULL;
	struct instant at = instant_of("2026-01-31T15:30:00Z");
	struct instant open, close;

	cr_assert_eq(calendar_new_always(&always), 0);
	cr_expect(calendar_is_always(always));
	cr_expect_str_eq(calendar_name(always), "always");
	cr_expect_str_eq(zone_name(calendar_zone(always)), "UTC");
	cr_expect(calendar_open(always, at));
	cr_expect_eq(calendar_next_open(always, at).us, at.us);
	cr_expect_eq(calendar_add(always, at, (struct duration){5}).us, at.us + 5);
	cr_expect_eq(calendar_between(always, at, instant_plus(at, (struct duration){7})).us, 7);
	cr_expect_eq(calendar_between(always, at, instant_plus(at, (struct duration){-7})).us, 0);
	cr_expect(calendar_interval(always, at, &open, &close));
	cr_expect(open.us == INT64_MIN && close.us == INT64_MAX);
	cr_expect_eq(calendar_add_business_days(always, at, 2, BUSINESS_DAY_SAME_TIME).us,
	             instant_of("2026-02-02T15:30:00Z").us);
	cr_expect_eq(calendar_add_business_days(always, at, 1, BUSINESS_DAY_END_OF_DAY).us,
	             instant_of("2026-02-02T00:00:00Z").us);
	cr_expect_eq(calendar_add(always, at, (struct duration){3700 * US_PER_DAY}).us, INT64_MAX);
	cr_expect_eq(calendar_add_business_days(always, at, 4000, BUSINESS_DAY_SAME_TIME).us, INT64_MAX);
	calendar_check(always);
	calendar_free(always);
}

Test(calendar, intervals)
{
	static const struct recipe office = {.week = {OFFICE, "09:00-24:00", "00:00-02:00"},
	                                     .closures = {{"2026-12-21T10:00:00Z", "2026-12-21T11:00:00Z"}}};
	static const struct {
		const char *at, *open, *close;
	} rows[] = {
	    {"2026-12-21T08:00:00Z", "2026-12-21T09:00:00Z", "2026-12-21T10:00:00Z"},
	    {"2026-12-21T09:00:00Z", "2026-12-21T09:00:00Z", "2026-12-21T10:00:00Z"},
	    {"2026-12-21T10:00:00Z", "2026-12-21T11:00:00Z", "2026-12-21T12:00:00Z"},
	    {"2026-12-22T23:00:00Z", "2026-12-22T09:00:00Z", "2026-12-23T02:00:00Z"},
	    {"2026-12-23T01:59:59Z", "2026-12-22T09:00:00Z", "2026-12-23T02:00:00Z"},
	    {"2026-12-23T02:00:00Z", "2026-12-28T09:00:00Z", "2026-12-28T12:00:00Z"},
	};
	struct zone *zone = zone_load("Europe/London");

	cr_assert_not_null(zone);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct calendar *calendar = calendar_of(&office, zone);
		struct instant open = {0};
		struct instant close = {0};
		cr_expect(calendar_interval(calendar, instant_of(rows[i].at), &open, &close), "%s", rows[i].at);
		cr_expect_eq(open.us, instant_of(rows[i].open).us, "%s", rows[i].at);
		cr_expect_eq(close.us, instant_of(rows[i].close).us, "%s", rows[i].at);
		calendar_free(calendar);
	}
	/* One that has no end in sight. */
	static const struct recipe wide = {.week = {"00:00-24:00", "00:00-24:00", "00:00-24:00", "00:00-24:00",
	                                            "00:00-24:00", "00:00-24:00", "00:00-24:00"}};
	struct calendar *calendar = calendar_of(&wide, zone);
	struct instant open = {0};
	struct instant close = {0};
	cr_expect(calendar_interval(calendar, instant_of("2026-12-21T08:00:00Z"), &open, &close));
	cr_expect(open.us == INT64_MIN && close.us == INT64_MAX);
	calendar_free(calendar);
	zone_free(zone);
}

Test(calendar, searches_ten_years_and_no_further)
{
	static const struct recipe never = {0};
	static const struct recipe once = {.exceptions = {{"2036-01-10", "09:00-13:00"}}};
	struct zone *zone = NULL;
	struct instant near = instant_of("2026-01-15T00:00:00Z");
	struct instant far = instant_of("2025-12-15T00:00:00Z");
	struct instant open, close;

	cr_assert_eq(zone_new_fixed("UTC+2", &zone), 0);
	struct calendar *calendar = calendar_of(&never, zone);
	cr_expect(!calendar_open(calendar, near));
	cr_expect_eq(calendar_next_open(calendar, near).us, INT64_MAX);
	cr_expect_eq(calendar_add(calendar, near, (struct duration){1}).us, INT64_MAX);
	cr_expect_eq(calendar_between(calendar, near, instant_of("2126-01-15T00:00:00Z")).us, 0);
	cr_expect(!calendar_interval(calendar, near, &open, &close));
	cr_expect_eq(calendar_add_business_days(calendar, near, 1, BUSINESS_DAY_SAME_TIME).us, INT64_MAX);
	cr_expect_eq(calendar_add_business_days(calendar, near, 1, BUSINESS_DAY_END_OF_DAY).us, INT64_MAX);
	calendar_free(calendar);

	for (int order = 0; order < 2; order++) {
		calendar = calendar_of(&once, zone);
		for (int i = 0; i < 2; i++) {
			bool is_near = i == order;
			struct instant at = is_near ? near : far;
			struct instant expect = is_near ? instant_of("2036-01-10T07:00:00Z") : INSTANT_NEVER;
			struct instant late = is_near ? instant_of("2036-01-10T11:00:00Z") : INSTANT_NEVER;
			cr_expect_eq(calendar_next_open(calendar, at).us, expect.us);
			cr_expect_eq(calendar_add(calendar, at, (struct duration){4 * US_PER_H}).us, late.us);
			cr_expect_eq(calendar_add(calendar, at, (struct duration){4 * US_PER_H + 1}).us, INT64_MAX);
			cr_expect_eq(calendar_add_business_days(calendar, at, 1, BUSINESS_DAY_SAME_TIME).us, INT64_MAX);
		}
		calendar_free(calendar);
	}
	zone_free(zone);
}

Test(calendar, bears_instants_at_the_ends_of_time, .timeout = 60)
{
	static const struct recipe office = {.week = {OFFICE, OFFICE, OFFICE, OFFICE, OFFICE}};
	static const int64_t ends[] = {INT64_MIN,
	                               INT64_MIN + 1,
	                               -62167219200 * US_PER_S - 1,
	                               -62167219200 * US_PER_S,
	                               253402300800 * US_PER_S - 1,
	                               253402300800 * US_PER_S,
	                               INT64_MAX - 1,
	                               INT64_MAX};
	struct zone *zone = zone_load("America/New_York");
	cr_assert_not_null(zone);
	struct calendar *calendars[] = {calendar_of(&office, zone), NULL, NULL};
	cr_assert_eq(calendar_new_always(&calendars[1]), 0);
	cr_assert_eq(calendar_new_intersection("both", zone, calendars, 2, &calendars[2]), 0);

	for (size_t c = 0; c < LENGTH(calendars); c++) {
		struct calendar *calendar = calendars[c];
		for (size_t i = 0; i < LENGTH(ends); i++) {
			struct instant at = {ends[i]};
			struct instant open, close;
			cr_expect_geq(calendar_next_open(calendar, at).us, at.us);
			cr_expect_geq(calendar_add(calendar, at, (struct duration){US_PER_H}).us, at.us);
			cr_expect_eq(calendar_add(calendar, at, (struct duration){INT64_MAX}).us, INT64_MAX);
			cr_expect_eq(calendar_open(calendar, at), c == 1, "end %zu", i);
			if (calendar_interval(calendar, at, &open, &close))
				cr_expect(open.us < close.us && close.us > at.us - (at.us == INT64_MAX));
			for (int reading = BUSINESS_DAY_SAME_TIME; reading <= BUSINESS_DAY_END_OF_DAY; reading++)
				cr_expect_geq(calendar_add_business_days(calendar, at, 3, reading).us, at.us);
		}
		calendar_check(calendar);
	}
	struct instant least = {INT64_MIN};
	int64_t all = calendar_between(calendars[0], least, INSTANT_NEVER).us;
	cr_expect_eq(all, calendar_between(calendars[0], (struct instant){ends[3]}, (struct instant){ends[5]}).us);
	/* 25 cycles of 400 years, each with 20871 weeks; the days at both ends are outside. */
	int64_t weeks_us = INT64_C(25) * 20871 * 35 * US_PER_H;
	cr_expect(all <= weeks_us && all >= weeks_us - 14 * US_PER_H, "%" PRId64 " of %" PRId64, all, weeks_us);
	cr_expect_eq(calendar_between(calendars[1], least, INSTANT_NEVER).us, INT64_MAX);
	for (size_t c = LENGTH(calendars); c-- > 0;)
		calendar_free(calendars[c]);
	zone_free(zone);
}

Test(calendar, exceptions_win_over_holidays_over_the_week)
{
	struct zone *zone = NULL;
	struct calendar *calendar, *members, *outer;
	const struct hours day[] = {{0, 86400}};
	const struct hours half[] = {{9 * 3600, 13 * 3600}};

	cr_assert_eq(zone_new_fixed("UTC-08:00", &zone), 0);
	cr_assert_eq(calendar_new("x", zone, &calendar), 0);
	cr_expect_str_eq(calendar_name(calendar), "x");
	cr_expect(calendar_zone(calendar) == zone && !calendar_is_always(calendar));
	cr_expect_eq(calendar_day_length(calendar).us, 0);
	for (int i = 0; i < 7; i++)
		cr_assert_eq(calendar_set_weekday(calendar, i, day, 1), 0);
	struct date date = date_of("2026-07-03");
	struct instant begin = instant_of("2026-07-03T00:00:00-08:00");
	struct instant end = instant_of("2026-07-04T00:00:00-08:00");
	cr_expect_eq(calendar_between(calendar, begin, end).us, 24 * US_PER_H);
	cr_expect_null(calendar_day_note(calendar, date));

	/* Each is told after a search, and counts in the next. */
	cr_assert_eq(calendar_add_closure(calendar, begin, instant_plus(begin, (struct duration){US_PER_H}), "outing"),
	             0);
	cr_expect_eq(calendar_between(calendar, begin, end).us, 23 * US_PER_H);
	cr_expect_str_eq(calendar_day_note(calendar, date), "outing");
	cr_expect_null(calendar_day_note(calendar, date_of("2026-07-02")));
	cr_expect_null(calendar_day_note(calendar, date_of("2026-07-04")));
	cr_assert_eq(calendar_add_yearly_holiday(calendar, 7, 3, NULL), 0);
	cr_assert_eq(calendar_add_yearly_holiday(calendar, 7, 3, "again"), 0);
	cr_expect_eq(calendar_between(calendar, begin, end).us, 0);
	cr_expect_str_eq(calendar_day_note(calendar, date), "holiday");
	cr_expect_str_eq(calendar_day_note(calendar, date_of("2031-07-03")), "holiday");
	cr_assert_eq(calendar_add_holiday(calendar, date, "Independence Day"), 0);
	cr_assert_eq(calendar_add_holiday(calendar, date, "again"), 0);
	cr_expect_eq(calendar_between(calendar, begin, end).us, 0);
	cr_expect_str_eq(calendar_day_note(calendar, date), "Independence Day");
	cr_assert_eq(calendar_add_exception(calendar, date, half, 1), 0);
	cr_expect_eq(calendar_add_exception(calendar, date, day, 1), -EEXIST);
	cr_expect_eq(calendar_between(calendar, begin, end).us, 4 * US_PER_H);
	cr_expect_str_eq(calendar_day_note(calendar, date), "exception");

	cr_expect_eq(calendar_new_union("none", zone, NULL, 0, &members), -EINVAL);
	cr_expect_eq(calendar_new_intersection("none", zone, NULL, 0, &members), -EINVAL);
	cr_assert_eq(calendar_new_union("one", zone, &calendar, 1, &members), 0);
	cr_assert_eq(calendar_new_intersection("two", zone, &members, 1, &outer), 0);
	cr_expect_str_eq(calendar_day_note(outer, date), "exception");
	cr_expect_eq(calendar_between(outer, begin, end).us, 4 * US_PER_H);
	calendar_free(outer);
	calendar_free(members);
	calendar_free(calendar);
	calendar_free(NULL);
	zone_free(zone);
}

Test(hours, parse)
{
	static const struct {
		const char *given;
		int r;
		size_t n;
		struct hours expect[3];
	} rows[] = {
	    {"", 0, 0, {{0}}},
	    {"  ", 0, 0, {{0}}},
	    {"09:00-17:00", 0, 1, {{32400, 61200}}},
	    {"00:00-24:00", 0, 1, {{0, 86400}}},
	    {"09:00-12:00, 13:00-17:00", 0, 2, {{32400, 43200}, {46800, 61200}}},
	    {"13:00-17:00,09:00-12:00", 0, 2, {{32400, 43200}, {46800, 61200}}},
	    {" 09:00 - 12:00 ,\t12:00-12:01 ", 0, 2, {{32400, 43200}, {43200, 43260}}},
	    {"23:59-24:00, 00:00-00:01, 12:00-13:00", 0, 3, {{0, 60}, {43200, 46800}, {86340, 86400}}},
	    {"09:00", -EINVAL, 0, {{0}}},
	    {"09:00-", -EINVAL, 0, {{0}}},
	    {"9:00-17:00", -EINVAL, 0, {{0}}},
	    {"0900-1700", -EINVAL, 0, {{0}}},
	    {"09:60-17:00", -EINVAL, 0, {{0}}},
	    {"09:00-24:01", -EINVAL, 0, {{0}}},
	    {"09:00-25:00", -EINVAL, 0, {{0}}},
	    {"09:00-17:00,", -EINVAL, 0, {{0}}},
	    {"09:00-17:00, ", -EINVAL, 0, {{0}}},
	    {",09:00-17:00", -EINVAL, 0, {{0}}},
	    {"09:00-17:00 18:00-19:00", -EINVAL, 0, {{0}}},
	    {"09:00-17:00x", -EINVAL, 0, {{0}}},
	    {"09:00:00-17:00:00", -EINVAL, 0, {{0}}},
	    {"closed", -EINVAL, 0, {{0}}},
	    {"09:00-09:00", -ERANGE, 0, {{0}}},
	    {"22:00-06:00", -ERANGE, 0, {{0}}},
	    {"24:00-24:00", -ERANGE, 0, {{0}}},
	    {"09:00-12:00, 11:59-13:00", -EEXIST, 0, {{0}}},
	    {"11:00-12:00, 09:00-17:00", -EEXIST, 0, {{0}}},
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct hours untouched;
		struct hours *hours = &untouched;
		size_t n = 99;
		cr_expect_eq(hours_parse(rows[i].given, &hours, &n), rows[i].r, "\"%s\"", rows[i].given);
		if (rows[i].r < 0) {
			cr_expect(hours == &untouched && n == 99, "\"%s\"", rows[i].given);
			continue;
		}
		cr_expect_eq(n, rows[i].n, "\"%s\"", rows[i].given);
		for (size_t j = 0; j < n && j < rows[i].n; j++) {
			cr_expect_eq(hours[j].from, rows[i].expect[j].from, "\"%s\"", rows[i].given);
			cr_expect_eq(hours[j].to, rows[i].expect[j].to, "\"%s\"", rows[i].given);
		}
		free(hours);
	}
}
