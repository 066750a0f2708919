/* Instants, periods and dates. */
#include "slated/instant.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define S(n) ((n)*US_PER_S)

Test(instant, parses_rfc3339)
{
	static const struct {
		const char *given;
		int64_t expect;
	} rows[] = {
	    {"1970-01-01T00:00:00Z", 0},
	    {"2026-03-02T09:00:00Z", S(INT64_C(1772442000))},
	    {"2026-03-02t09:00:00z", S(INT64_C(1772442000))},
	    {"2026-03-02 09:00:00Z", S(INT64_C(1772442000))},
	    {"2026-03-02T09:00:00.25Z", S(INT64_C(1772442000)) + 250000},
	    {"2026-03-02T09:00:00.0000019Z", S(INT64_C(1772442000)) + 1},
	    {"2026-03-02T09:00:00.123456999999999999999999Z", S(INT64_C(1772442000)) + 123456},
	    {"2026-03-02T10:30:00+01:30", S(INT64_C(1772442000))},
	    {"2026-03-01T23:15:00-09:45", S(INT64_C(1772442000))},
	    {"2026-03-02T09:00:00-00:00", S(INT64_C(1772442000))},
	    {"2026-03-03T08:59:00+23:59", S(INT64_C(1772442000))},
	    {"2016-12-31T23:59:60Z", S(INT64_C(1483228800))},
	    {"2016-12-31T23:59:60.5Z", S(INT64_C(1483228800)) + 500000},
	    {"1969-12-31T23:59:59.999999Z", -1},
	    {"2000-02-29T00:00:00Z", S(INT64_C(951782400))},
	    {"0000-01-01T00:00:00Z", S(INT64_C(-62167219200))},
	    {"9999-12-31T23:59:59.999999Z", S(INT64_C(253402300800)) - 1},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct instant at = {42};
		int r = instant_parse(rows[i].given, strlen(rows[i].given), &at);
		cr_expect_eq(r, 0, "%s", rows[i].given);
		cr_expect_eq(at.us, rows[i].expect, "%s gives %lld", rows[i].given, (long long)at.us);
	}
}

Test(instant, refuses_what_is_no_instant)
{
	static const char *const rows[] = {
	    "",
	    "2026",
	    "2026-03-02",
	    "2026-03-02T09:00Z",
	    "2026-03-02T09:00:00",
	    "2026-03-02T09:00:00.Z",
	    "2026-03-02T09:00:00,5Z",
	    "2026-03-02T24:00:00Z",
	    "2026-03-02T09:60:00Z",
	    "2026-03-02T09:00:61Z",
	    "2026-02-29T09:00:00Z",
	    "1900-02-29T09:00:00Z",
	    "2026-13-01T09:00:00Z",
	    "2026-00-01T09:00:00Z",
	    "2026-04-31T09:00:00Z",
	    "2026-04-00T09:00:00Z",
	    "2026-3-02T09:00:00Z",
	    "2026-03-02T9:00:00Z",
	    "2026-03-02T09:00:00+1:00",
	    "2026-03-02T09:00:00+0100",
	    "2026-03-02T09:00:00+24:00",
	    "2026-03-02T09:00:00+01:60",
	    "2026-03-02T09:00:00Z ",
	    " 2026-03-02T09:00:00Z",
	    "-026-03-02T09:00:00Z",
	    "2026-03-02_09:00:00Z",
	    "20260302T090000Z",
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct instant at = {42};
		cr_expect_eq(instant_parse(rows[i], strlen(rows[i]), &at), -EINVAL, "%s", rows[i]);
		cr_expect_eq(at.us, 42, "%s", rows[i]);
	}
}

Test(instant, reads_no_further_than_its_length)
{
	static const char text[] = "2026-03-02T09:00:00Z";

	for (size_t n = 0; n < strlen(text); n++) {
		/* On the heap, so that a sanitizer sees a byte too many. */
		char *copy = strndup(text, n);
		struct instant at;
		cr_assert_not_null(copy);
		cr_expect_eq(instant_parse(copy, n, &at), -EINVAL, "%zu bytes", n);
		free(copy);
	}
}

Test(instant, formats)
{
	static const struct {
		int64_t given;
		const char *expect;
	} rows[] = {
	    {0, "1970-01-01T00:00:00Z"},
	    {-1, "1969-12-31T23:59:59.999999Z"},
	    {S(INT64_C(1772442000)), "2026-03-02T09:00:00Z"},
	    {S(INT64_C(1772442000)) + 250000, "2026-03-02T09:00:00.250000Z"},
	    {S(INT64_C(1772442000)) + 1, "2026-03-02T09:00:00.000001Z"},
	    {S(INT64_C(-62167219200)), "0000-01-01T00:00:00Z"},
	    {S(INT64_C(-62167219200)) - 1, "-0001-12-31T23:59:59.999999Z"},
	    {S(INT64_C(253402300800)), "10000-01-01T00:00:00Z"},
	    {INT64_MAX, "294247-01-10T04:00:54.775807Z"},
	    {INT64_MIN, "-290308-12-21T19:59:05.224192Z"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[INSTANT_TEXT_SIZE];
		size_t n = instant_format((struct instant){rows[i].given}, text);
		cr_expect_str_eq(text, rows[i].expect);
		cr_expect_eq(n, strlen(rows[i].expect), "%s", text);
	}
}

Test(instant, holds_at_the_ends_of_the_range)
{
	static const struct {
		int64_t a, b, plus, since;
	} rows[] = {
	    {5, 3, 8, 2},
	    {INT64_MAX, 1, INT64_MAX, INT64_MAX - 1},
	    {INT64_MIN, -1, INT64_MIN, INT64_MIN + 1},
	    {INT64_MAX, -1, INT64_MAX - 1, INT64_MAX},
	    {INT64_MIN, 1, INT64_MIN + 1, INT64_MIN},
	    {INT64_MIN, INT64_MIN, INT64_MIN, 0},
	    {0, INT64_MIN, INT64_MIN, INT64_MAX},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct instant plus = instant_plus((struct instant){rows[i].a}, (struct duration){rows[i].b});
		struct duration since = instant_since((struct instant){rows[i].a}, (struct instant){rows[i].b});
		cr_expect_eq(plus.us, rows[i].plus, "row %zu", i);
		cr_expect_eq(since.us, rows[i].since, "row %zu", i);
	}
}

Test(period, parses)
{
	static const struct {
		const char *given;
		int r;
		int64_t elapsed;
		int32_t days;
		int32_t business_days;
	} rows[] = {
	    {"1s", 0, S(1), 0, 0},
	    {"30m", 0, S(1800), 0, 0},
	    {"1h30m", 0, S(5400), 0, 0},
	    {"90m", 0, S(5400), 0, 0},
	    {"1h0m30s", 0, S(3630), 0, 0},
	    {"1h0m", 0, S(3600), 0, 0},
	    {"2d", 0, S(172800), 2, 0},
	    {"1d2h3m4s", 0, S(93784), 1, 0},
	    {"3bd", 0, 0, 0, 3},
	    {"36525d", 0, S(INT64_C(36525) * 86400), 36525, 0},
	    {"36525bd", 0, 0, 0, 36525},
	    {"3155760000s", 0, S(INT64_C(3155760000)), 0, 0},
	    {"3155760001s", -ERANGE, 0, 0, 0},
	    {"36525d1s", -ERANGE, 0, 0, 0},
	    {"36526bd", -ERANGE, 0, 0, 0},
	    {"99999999999999999999h", -ERANGE, 0, 0, 0},
	    {"99999999999999999999bd", -ERANGE, 0, 0, 0},
	    {"876601h", -ERANGE, 0, 0, 0},
	    {"", -EINVAL, 0, 0, 0},
	    {"5", -EINVAL, 0, 0, 0},
	    {"h", -EINVAL, 0, 0, 0},
	    {"0h", -EINVAL, 0, 0, 0},
	    {"0h0m", -EINVAL, 0, 0, 0},
	    {"0bd", -EINVAL, 0, 0, 0},
	    {"-1h", -EINVAL, 0, 0, 0},
	    {"+1h", -EINVAL, 0, 0, 0},
	    {"1.5h", -EINVAL, 0, 0, 0},
	    {"1h ", -EINVAL, 0, 0, 0},
	    {" 1h", -EINVAL, 0, 0, 0},
	    {"1h 30m", -EINVAL, 0, 0, 0},
	    {"30m1h", -EINVAL, 0, 0, 0},
	    {"1h1h", -EINVAL, 0, 0, 0},
	    {"1h30", -EINVAL, 0, 0, 0},
	    {"1H", -EINVAL, 0, 0, 0},
	    {"1w", -EINVAL, 0, 0, 0},
	    {"1b", -EINVAL, 0, 0, 0},
	    {"1bd1h", -EINVAL, 0, 0, 0},
	    {"1h2bd", -EINVAL, 0, 0, 0},
	    {"2bdd", -EINVAL, 0, 0, 0},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct period period = {{-1}, -1, -1};
		cr_expect_eq(period_parse(rows[i].given, &period), rows[i].r, "%s", rows[i].given);
		bool bad = rows[i].r != 0;
		cr_expect_eq(period.elapsed.us, bad ? -1 : rows[i].elapsed, "%s", rows[i].given);
		cr_expect_eq(period.days, bad ? -1 : rows[i].days, "%s", rows[i].given);
		cr_expect_eq(period.business_days, bad ? -1 : rows[i].business_days, "%s", rows[i].given);
	}
}

/* The C library's calendar is the oracle. */
Test(date, agrees_with_the_c_library_every_day)
{
	for (int32_t day = -800000; day < 3000000; day += 1) {
		time_t second = (time_t)day * 86400;
		struct tm tm;
		struct date back;
		int year, month, d;
		cr_assert_not_null(gmtime_r(&second, &tm));
		date_to_civil((struct date){day}, &year, &month, &d);
		bool same = year == tm.tm_year + 1900 && month == tm.tm_mon + 1 && d == tm.tm_mday &&
		            date_weekday((struct date){day}) == (tm.tm_wday + 6) % 7;
		same = same && date_from_civil(year, month, d, &back) == 0 && back.day == day;
		if (!same)
			cr_assert_fail("day %d: %d-%d-%d", day, year, month, d);
	}
}

Test(date, holds_at_the_ends_of_the_range)
{
	static const int32_t days[] = {INT32_MIN, INT32_MIN + 1, INT32_MAX - 1, INT32_MAX};

	for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
		struct date back = {0};
		int year, month, day;
		date_to_civil((struct date){days[i]}, &year, &month, &day);
		cr_expect_eq(date_from_civil(year, month, day, &back), 0);
		cr_expect_eq(back.day, days[i]);
		int weekday = date_weekday((struct date){days[i]});
		cr_expect(weekday >= 0 && weekday <= 6);
	}
	struct date untouched = {7};
	cr_expect_eq(date_from_civil(INT32_MAX, 1, 1, &untouched), -EINVAL);
	cr_expect_eq(date_from_civil(INT32_MIN, 1, 1, &untouched), -EINVAL);
	cr_expect_eq(untouched.day, 7);
}

Test(date, parses)
{
	static const struct {
		const char *given;
		int r;
		int32_t day;
	} rows[] = {
	    {"1970-01-01", 0, 0},      {"2026-07-03", 0, 20637},    {"2024-02-29", 0, 19782},
	    {"1969-12-31", 0, -1},     {"2026-02-29", -EINVAL, 9},  {"2026-7-3", -EINVAL, 9},
	    {"", -EINVAL, 9},          {"2026-07-03 ", -EINVAL, 9}, {"12-25", -EINVAL, 9},
	    {"2026-07-0", -EINVAL, 9}, {"20260703", -EINVAL, 9},    {"2026-07-031", -EINVAL, 9},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct date date = {9};
		cr_expect_eq(date_parse(rows[i].given, &date), rows[i].r, "%s", rows[i].given);
		cr_expect_eq(date.day, rows[i].day, "%s gives %d", rows[i].given, date.day);
	}
}

Test(date, of_walls)
{
	static const struct {
		int64_t wall;
		int32_t day;
	} rows[] = {
	    {0, 0}, {US_PER_DAY - 1, 0}, {US_PER_DAY, 1}, {-1, -1}, {-US_PER_DAY, -1}, {-US_PER_DAY - 1, -2},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct date date = date_of_wall((struct wall){rows[i].wall});
		cr_expect_eq(date.day, rows[i].day, "row %zu", i);
		struct wall begin = date_begin(date);
		cr_expect(begin.us <= rows[i].wall && rows[i].wall - begin.us < US_PER_DAY, "row %zu", i);
	}
}
