/* Calendars against a second-by-second count that shares nothing with them but the reading of wall clocks. */
#include "slated/calendar.h"

#include "zone_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define LENGTH(a) (sizeof(a) / sizeof *(a))

/* What a calendar is made of, as a test writes it down. */
struct recipe {
	const char *week[7]; /* Monday first; NULL is closed */
	struct {
		const char *date, *hours;
	} exceptions[4];
	const char *holidays[4];
	struct {
		int month, day;
	} yearly[2];
	struct {
		const char *from, *to;
	} closures[3];
};

static struct instant
instant_of(const char *text)
{
	struct instant at = {0};

	cr_assert_eq(instant_parse(text, strlen(text), &at), 0, "%s", text);
	return at;
}

static struct date
date_of(const char *text)
{
	struct date date = {0};

	cr_assert_eq(date_parse(text, &date), 0, "%s", text);
	return date;
}

static struct calendar *
calendar_of(const struct recipe *recipe, const struct zone *zone)
{
	struct calendar *calendar = NULL;
	struct hours *hours;
	size_t n;

	cr_assert_eq(calendar_new("made", zone, &calendar), 0);
	for (int i = 0; i < 7; i++) {
		cr_assert_eq(hours_parse(recipe->week[i] ? recipe->week[i] : "", &hours, &n), 0);
		cr_assert_eq(calendar_set_weekday(calendar, i, hours, n), 0);
		free(hours);
	}
	for (size_t i = 0; i < LENGTH(recipe->exceptions) && recipe->exceptions[i].date; i++) {
		cr_assert_eq(hours_parse(recipe->exceptions[i].hours, &hours, &n), 0);
		cr_assert_eq(calendar_add_exception(calendar, date_of(recipe->exceptions[i].date), hours, n), 0);
		free(hours);
	}
	for (size_t i = 0; i < LENGTH(recipe->holidays) && recipe->holidays[i]; i++)
		cr_assert_eq(calendar_add_holiday(calendar, date_of(recipe->holidays[i]), "a holiday"), 0);
	for (size_t i = 0; i < LENGTH(recipe->yearly) && recipe->yearly[i].month; i++) {
		int r = calendar_add_yearly_holiday(calendar, recipe->yearly[i].month, recipe->yearly[i].day, NULL);
		cr_assert_eq(r, 0);
	}
	for (size_t i = 0; i < LENGTH(recipe->closures) && recipe->closures[i].from; i++) {
		struct instant from = instant_of(recipe->closures[i].from);
		struct instant to = instant_of(recipe->closures[i].to);
		cr_assert_eq(calendar_add_closure(calendar, from, to, "an outing"), 0);
	}
	return calendar;
}

/* The count: for each second of some days what the wall clock reads, whether it is open, and how many open seconds
 * there were before. */
struct count {
	time_t from;
	size_t n;
	int64_t *wall;
	bool *open;
	int64_t *before; /* n + 1 */
};

static void
count_make(struct count *count, const struct zone *zone, const char *from, int days)
{
	count->from = instant_of(from).us / US_PER_S;
	count->n = (size_t)days * 86400;
	count->wall = malloc(count->n * sizeof *count->wall);
	count->open = calloc(count->n, sizeof *count->open);
	count->before = malloc((count->n + 1) * sizeof *count->before);
	cr_assert(count->wall != NULL && count->open != NULL && count->before != NULL);
	for (size_t s = 0; s < count->n; s++)
		count->wall[s] = zone_wall(zone, (struct instant){(count->from + (time_t)s) * US_PER_S}).us / US_PER_S;
}

static void
count_free(struct count *count)
{
	free(count->wall);
	free(count->open);
	free(count->before);
}

static void
count_sum(struct count *count)
{
	count->before[0] = 0;
	for (size_t s = 0; s < count->n; s++)
		count->before[s + 1] = count->before[s] + count->open[s];
}

/* The first second whose wall reads `wall` or later: that is the first of two, and a gap's end. */
static size_t
count_first(const struct count *count, int64_t wall)
{
	size_t s = 0;

	/* In leaps of an hour where that can skip none: a change of offset is a day at most. */
	while (s + 3600 < count->n && count->wall[s] < wall - 2 * 86400)
		s += 3600;
	while (s < count->n && count->wall[s] < wall)
		s++;
	return s;
}

/* The second after the last one whose wall reads less. */
static size_t
count_second(const struct count *count, int64_t wall)
{
	size_t s = count->n;

	while (s > 3600 && count->wall[s - 1] > wall + 2 * 86400)
		s -= 3600;
	while (s > 0 && count->wall[s - 1] >= wall)
		s--;
	return s;
}

static void
count_local_hours(struct count *count, int64_t midnight, const char *text)
{
	int h1, m1, h2, m2, n;

	while (sscanf(text, " %d:%d-%d:%d%n", &h1, &m1, &h2, &m2, &n) == 4) {
		size_t from = count_first(count, midnight + h1 * 3600 + m1 * 60);
		size_t to = count_second(count, midnight + h2 * 3600 + m2 * 60);
		for (size_t s = from; s < to; s++)
			count->open[s] = true;
		text += n;
		text += *text == ',';
	}
}

/* Fills in when `recipe` is open; the two days at either end are not to be relied on. */
static void
count_recipe(struct count *count, const struct recipe *recipe)
{
	time_t midnight = (time_t)(count->wall[0] - count->wall[0] % 86400) - 3 * 86400;

	for (; midnight < count->wall[count->n - 1] + 3 * 86400; midnight += 86400) {
		struct tm tm;
		char date[16];
		cr_assert_not_null(gmtime_r(&midnight, &tm));
		cr_assert_eq(strftime(date, sizeof date, "%Y-%m-%d", &tm), 10);
		const char *hours = recipe->week[(tm.tm_wday + 6) % 7];
		for (size_t i = 0; i < LENGTH(recipe->yearly); i++) {
			if (recipe->yearly[i].month == tm.tm_mon + 1 && recipe->yearly[i].day == tm.tm_mday)
				hours = NULL;
		}
		for (size_t i = 0; i < LENGTH(recipe->holidays) && recipe->holidays[i]; i++) {
			if (strcmp(recipe->holidays[i], date) == 0)
				hours = NULL;
		}
		for (size_t i = 0; i < LENGTH(recipe->exceptions) && recipe->exceptions[i].date; i++) {
			if (strcmp(recipe->exceptions[i].date, date) == 0)
				hours = recipe->exceptions[i].hours;
		}
		if (hours != NULL)
			count_local_hours(count, midnight, hours);
	}
	for (size_t i = 0; i < LENGTH(recipe->closures) && recipe->closures[i].from; i++) {
		time_t from = instant_of(recipe->closures[i].from).us / US_PER_S - count->from;
		time_t to = instant_of(recipe->closures[i].to).us / US_PER_S - count->from;
		for (time_t s = from < 0 ? 0 : from; s < to && s < (time_t)count->n; s++)
			count->open[s] = false;
	}
	count_sum(count);
}

/* A small generator of our own, so that a seed means the same everywhere (Steele, Lea, Flood 2014: SplitMix). */
static uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t
random_seed(void)
{
	const char *given = getenv("SLATED_TEST_SEED");
	uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

	(void)fprintf(stderr, "SLATED_TEST_SEED=%" PRIu64 "\n", seed);
	return seed;
}

static struct instant
count_instant(const struct count *count, size_t s)
{
	return (struct instant){(count->from + (time_t)s) * US_PER_S};
}

/* Compares every second that is at least two days from the ends. */
static void
compare(struct calendar *calendar, const struct count *count, const char *what)
{
	const size_t first = 2 * 86400;
	const size_t last = count->n - 2 * 86400;
	size_t next = SIZE_MAX;

	for (size_t s = last; s-- > first;) {
		struct instant at = count_instant(count, s);
		if (calendar_open(calendar, at) != count->open[s])
			cr_assert_fail("%s: open at %" PRId64 " is not %d", what, at.us, count->open[s]);
		struct duration between = calendar_between(calendar, count_instant(count, first), at);
		if (between.us != (count->before[s] - count->before[first]) * US_PER_S)
			cr_assert_fail("%s: between until %" PRId64 " is %" PRId64, what, at.us, between.us);
		next = count->open[s] ? s : next;
		if (next == SIZE_MAX)
			continue;
		struct instant expect = count_instant(count, next);
		struct instant got = calendar_next_open(calendar, at);
		if (got.us != expect.us)
			cr_assert_fail("%s: next_open at %" PRId64 " is %" PRId64, what, at.us, got.us);
	}
	/* add() of a length for every second: u moves along with s. */
	static const int64_t lengths[] = {1, 1800, 7200, 8 * 3600, 30 * 3600};
	for (size_t i = 0; i < LENGTH(lengths); i++) {
		size_t u = first;
		for (size_t s = first; s < last; s++) {
			while (u < last && count->before[u] - count->before[s] < lengths[i])
				u++;
			if (count->before[u] - count->before[s] < lengths[i])
				break;
			struct duration length = {lengths[i] * US_PER_S};
			struct instant got = calendar_add(calendar, count_instant(count, s), length);
			if (got.us != count_instant(count, u).us)
				cr_assert_fail("%s: add %" PRId64 " s at second %zu is %" PRId64, what, lengths[i], s,
				               got.us);
		}
	}
	calendar_check(calendar);
}

struct day {
	size_t from, to;
	bool business;
};

static struct day
count_day(const struct count *count, int64_t midnight)
{
	struct day day = {count_first(count, midnight), count_second(count, midnight + 86400), false};

	for (size_t s = day.from; s < day.to; s++)
		day.business |= count->open[s];
	return day;
}

/* The due second as model.md section 3 says, found by walking; 0 where it is not certain inside the count. */
static size_t
count_business_days(const struct count *count, size_t start, int n, enum business_day reading)
{
	const size_t last = count->n - 2 * 86400;
	size_t s = start;
	struct day day;

	while (s < last && !count->open[s])
		s++;
	int64_t time_of_day = count->wall[s] % 86400;
	int64_t midnight = count->wall[s] - time_of_day;
	for (; n > 0; n -= day.business) {
		midnight += 86400;
		if (midnight + 86400 > count->wall[last])
			return 0;
		day = count_day(count, midnight);
	}
	if (reading == BUSINESS_DAY_END_OF_DAY) {
		for (s = day.to; !count->open[s - 1]; s--)
			;
		return s;
	}
	size_t same = count_first(count, midnight + time_of_day);
	if (count->open[same])
		return same;
	for (s = same; s > day.from; s--) {
		if (count->open[s - 1] && !count->open[s])
			return s;
	}
	for (s = day.from; !count->open[s]; s++)
		;
	return s;
}

static void
compare_business_days(struct calendar *calendar, const struct count *count, const char *what, uint64_t *state)
{
	static const enum business_day readings[] = {BUSINESS_DAY_SAME_TIME, BUSINESS_DAY_END_OF_DAY};
	int n_compared = 0;

	for (int i = 0; i < 250; i++) {
		size_t start = 2 * 86400 + random_next(state) % (count->n - 5 * 86400);
		if (i % 2 == 0)
			start -= start % 1800;
		int n = 1 + (int)(random_next(state) % 3);
		size_t expect = count_business_days(count, start, n, readings[i / 2 % 2]);
		if (expect == 0)
			continue;
		struct instant at = count_instant(count, start);
		struct instant due = calendar_add_business_days(calendar, at, n, readings[i / 2 % 2]);
		if (due.us != count_instant(count, expect).us)
			cr_assert_fail("%s: %d business days (reading %d) from %" PRId64 " are %" PRId64
			               ", not %" PRId64,
			               what, n, readings[i / 2 % 2], at.us, due.us, count_instant(count, expect).us);
		n_compared++;
	}
	cr_expect_gt(n_compared, 20, "%s", what);
}

/* Days around changes of offset, each with a holiday, a half day, a closure and an exception on a holiday near. */
static const struct window {
	const char *zone;
	const char *from;
	struct recipe special; /* its week is filled in from `weeks` */
} windows[] = {
    {"Australia/Lord_Howe",
     "2026-03-27T00:00:00Z",
     {.exceptions = {{"2026-04-02", "09:00-13:00"}, {"2026-04-03", "10:00-11:30"}},
      .holidays = {"2026-04-03"},
      .yearly = {{4, 6}},
      .closures = {{"2026-04-07T01:02:03Z", "2026-04-07T04:05:06Z"}}}},
    {"Africa/Casablanca",
     "2026-02-09T00:00:00Z",
     {.exceptions = {{"2026-02-13", "09:00-13:00"}, {"2026-02-15", "00:00-24:00"}},
      .holidays = {"2026-02-16"},
      .closures = {{"2026-02-17T09:30:00Z", "2026-02-17T10:00:00Z"},
                   {"2026-02-17T09:45:00Z", "2026-02-18T10:00:00Z"}}}},
    {"Europe/Dublin",
     "2026-10-18T00:00:00Z",
     {.exceptions = {{"2026-10-23", "09:00-12:30"}},
      .holidays = {"2026-10-26"},
      .closures = {{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"}}}},
    {"Pacific/Apia",
     "2011-12-23T00:00:00Z",
     {.exceptions = {{"2011-12-29", "09:00-13:00"}, {"2011-12-30", "08:00-20:00"}},
      .yearly = {{12, 26}},
      .holidays = {"2012-01-02"}}},
    {"America/Sao_Paulo",
     "2018-02-10T00:00:00Z",
     {.exceptions = {{"2018-02-14", "13:00-18:00"}, {"2018-02-17", "22:00-24:00"}},
      .holidays = {"2018-02-12"},
      .closures = {{"2018-02-19T12:00:00Z", "2018-02-19T12:00:01Z"}}}},
    {"America/Sao_Paulo", "2018-10-28T00:00:00Z", {.exceptions = {{"2018-11-04", "00:00-06:00"}}, .yearly = {{11, 2}}}},
    {"Asia/Kathmandu",
     "2026-01-05T00:00:00Z",
     {.exceptions = {{"2026-01-09", "09:00-13:00"}},
      .holidays = {"2026-01-12"},
      .closures = {{"2026-01-13T03:15:00Z", "2026-01-13T20:15:00Z"}}}},
    {"America/St_Johns",
     "2006-10-22T00:00:00Z",
     {.exceptions = {{"2006-10-27", "09:00-13:00"}, {"2006-10-29", "00:00-00:30, 23:00-24:00"}},
      .holidays = {"2006-10-31"}}},
    {"America/St_Johns", "2026-03-02T00:00:00Z", {.holidays = {"2026-03-06"}, .yearly = {{3, 9}}}},
    {"America/New_York",
     "2026-10-26T00:00:00Z",
     {.exceptions = {{"2026-10-30", "09:00-13:00"}, {"2026-11-01", "00:30-01:30, 01:30-02:15"}},
      .holidays = {"2026-11-03"}}},
    {"America/New_York",
     "2026-03-02T00:00:00Z",
     {.exceptions = {{"2026-03-08", "02:00-03:00, 03:30-04:00"}}, .holidays = {"2026-03-06"}}},
    {"Europe/London",
     "2026-03-22T00:00:00Z",
     {.exceptions = {{"2026-03-29", "00:00-01:30, 01:45-06:00"}},
      .holidays = {"2026-03-27"},
      .closures = {{"2026-03-29T00:00:00Z", "2026-03-29T00:30:00Z"}}}},
    {"Asia/Tehran",
     "2021-09-15T00:00:00Z",
     {.exceptions = {{"2021-09-21", "22:30-24:00"}, {"2021-09-22", "00:00-01:00"}}, .holidays = {"2021-09-19"}}},
    {"Pacific/Chatham",
     "2026-03-28T00:00:00Z",
     {.exceptions = {{"2026-04-05", "02:30-03:10, 03:15-04:00"}}, .holidays = {"2026-04-03"}}},
    {"America/Santiago",
     "2026-08-30T00:00:00Z",
     {.exceptions = {{"2026-09-05", "20:00-24:00"}, {"2026-09-06", "00:00-01:00, 03:00-05:00"}},
      .holidays = {"2026-09-03"}}},
    {"America/Santiago",
     "2026-03-28T00:00:00Z",
     {.exceptions = {{"2026-04-04", "20:00-23:30, 23:45-24:00"}}, .holidays = {"2026-04-02"}}},
};

#define OFFICE "09:00-12:00, 13:00-17:00"
#define NIGHT  "00:00-01:30, 01:30-02:45, 22:15-24:00"

static const char *const weeks[][7] = {
    {OFFICE, OFFICE, OFFICE, OFFICE, "09:00-16:00"},
    {"00:00-24:00", "00:00-24:00", "00:00-24:00", "00:00-24:00", "00:00-24:00", "00:00-24:00", "00:00-24:00"},
    {NIGHT, NIGHT, NIGHT, "06:00-24:00", NIGHT, NIGHT, NIGHT},
};

Test(calendar, agrees_with_a_count_of_seconds, .timeout = 120)
{
	uint64_t state = random_seed();

	for (size_t i = 0; i < LENGTH(windows); i++) {
		struct zone *zone = zone_load(windows[i].zone);
		struct count count;
		cr_assert_not_null(zone, "%s", windows[i].zone);
		count_make(&count, zone, windows[i].from, 15);
		for (size_t j = 0; j < LENGTH(weeks); j++) {
			struct recipe recipe = windows[i].special;
			char what[100];
			(void)snprintf(what, sizeof what, "%s %s, week %zu", windows[i].zone, windows[i].from, j);
			memcpy(recipe.week, weeks[j], sizeof recipe.week);
			struct calendar *calendar = calendar_of(&recipe, zone);
			memset(count.open, 0, count.n);
			count_recipe(&count, &recipe);
			compare(calendar, &count, what);
			compare_business_days(calendar, &count, what, &state);
			calendar_free(calendar);
		}
		count_free(&count);
		zone_free(zone);
	}
}

Test(calendar, members_agree_with_a_count_of_seconds, .timeout = 60)
{
	uint64_t state = random_seed();
	static const size_t pairs[][2] = {{9, 2}, {15, 7}, {11, 0}, {3, 9}};

	for (size_t i = 0; i < LENGTH(pairs); i++) {
		const struct window *window = &windows[pairs[i][0]];
		struct zone *zones[] = {zone_load(window->zone), zone_load(windows[pairs[i][1]].zone)};
		struct recipe recipes[] = {window->special, windows[pairs[i][1]].special};
		struct calendar *members[3];
		struct count counts[2];
		for (size_t j = 0; j < 2; j++) {
			cr_assert_not_null(zones[j]);
			memcpy(recipes[j].week, weeks[j == 0 ? 0 : 2], sizeof recipes[j].week);
			members[j] = calendar_of(&recipes[j], zones[j]);
			count_make(&counts[j], zones[j], window->from, 15);
			count_recipe(&counts[j], &recipes[j]);
		}
		cr_assert_eq(calendar_new_always(&members[2]), 0);

		/* Intersection, also with what is always open; then the union, which has the intersection in it twice.
		 */
		struct calendar *both, *either, *all;
		struct count count;
		cr_assert_eq(calendar_new_intersection("both", zones[0], members, 3, &both), 0);
		count_make(&count, zones[0], window->from, 15);
		for (size_t s = 0; s < count.n; s++)
			count.open[s] = counts[0].open[s] && counts[1].open[s];
		count_sum(&count);
		compare(both, &count, window->zone);
		struct calendar *const parts[] = {both, members[0], members[1], both};
		cr_assert_eq(calendar_new_union("either", zones[0], parts, 4, &either), 0);
		for (size_t s = 0; s < count.n; s++)
			count.open[s] = counts[0].open[s] || counts[1].open[s];
		count_sum(&count);
		compare(either, &count, window->zone);
		compare_business_days(either, &count, window->zone, &state);
		struct calendar *const open[] = {either, members[2]};
		cr_assert_eq(calendar_new_union("all", zones[0], open, 2, &all), 0);
		memset(count.open, 1, count.n);
		count_sum(&count);
		compare(all, &count, window->zone);
		compare_business_days(all, &count, window->zone, &state);

		count_free(&count);
		calendar_free(all);
		calendar_free(either);
		calendar_free(both);
		for (size_t j = 0; j < 3; j++)
			calendar_free(members[j]);
		for (size_t j = 0; j < 2; j++) {
			count_free(&counts[j]);
			zone_free(zones[j]);
		}
	}
}

/* A calendar that has been asked this and that answers as one that has not. */
Test(calendar, answers_do_not_depend_on_what_was_asked_before, .timeout = 60)
{
	uint64_t state = random_seed();
	struct zone *zone = zone_load("America/New_York");
	struct recipe recipe = {.week = {OFFICE, OFFICE, OFFICE, OFFICE, "09:00-16:00"}, .yearly = {{12, 25}, {2, 29}}};
	struct calendar *used = calendar_of(&recipe, zone);
	const int64_t span = INT64_C(7500) * 365 * US_PER_DAY;

	for (int i = 0; i < 400; i++) {
		struct calendar *fresh = calendar_of(&recipe, zone);
		int64_t range = i % 3 == 0 ? span : 100 * 365 * US_PER_DAY;
		struct instant at = {(int64_t)(random_next(&state) % (uint64_t)range) - (i % 3 == 0 ? US_PER_DAY : 0)};
		struct duration length = {(int64_t)(random_next(&state) % (uint64_t)(3000 * US_PER_H)) + 1};
		struct instant due = calendar_add(used, at, length);
		cr_expect_eq(due.us, calendar_add(fresh, at, length).us, "add %" PRId64 " %" PRId64, at.us, length.us);
		cr_expect_eq(calendar_between(used, at, due).us, length.us, "at %" PRId64, at.us);
		cr_expect_eq(calendar_between(used, at, (struct instant){due.us - 1}).us, length.us - 1);
		cr_expect_eq(calendar_next_open(used, at).us, calendar_next_open(fresh, at).us, "at %" PRId64, at.us);
		struct instant open[2], close[2];
		cr_expect(calendar_interval(used, due, &open[0], &close[0]));
		cr_expect(calendar_interval(fresh, due, &open[1], &close[1]));
		cr_expect(open[0].us == open[1].us && close[0].us == close[1].us, "at %" PRId64, due.us);
		struct instant far = {at.us + (int64_t)(random_next(&state) % (uint64_t)(200 * 365 * US_PER_DAY))};
		cr_expect_eq(calendar_between(used, at, far).us, calendar_between(fresh, at, far).us);
		calendar_check(used);
		calendar_check(fresh);
		calendar_free(fresh);
	}
	calendar_free(used);
	zone_free(zone);
}

Test(calendar, adds_what_is_between, .timeout = 60)
{
	uint64_t state = random_seed();
	const uint64_t range = (uint64_t)(60 * 365) * US_PER_DAY;

	for (size_t i = 0; i < LENGTH(windows); i++) {
		struct zone *zone = zone_load(windows[i].zone);
		struct recipe recipe = windows[i].special;
		memcpy(recipe.week, weeks[i % LENGTH(weeks)], sizeof recipe.week);
		struct calendar *calendar = calendar_of(&recipe, zone);
		for (int j = 0; j < 5000; j++) {
			struct instant a = {(int64_t)(random_next(&state) % range)};
			struct duration d = {(int64_t)(random_next(&state) % (uint64_t)(400 * US_PER_H)) + 1};
			struct duration more = {(int64_t)(random_next(&state) % (uint64_t)(40 * US_PER_H))};
			struct instant due = calendar_add(calendar, a, d);
			struct instant later = calendar_add(calendar, a, (struct duration){d.us + more.us});
			struct instant b = instant_plus(a, d);
			struct instant c = instant_plus(b, more);
			cr_assert_eq(calendar_between(calendar, a, due).us, d.us);
			cr_assert_eq(calendar_between(calendar, a, (struct instant){due.us - 1}).us, d.us - 1);
			cr_assert_leq(due.us, later.us);
			cr_assert_eq(calendar_add(calendar, due, more).us, more.us > 0 ? later.us : due.us);
			/* It may come back earlier, but only over closed time. */
			struct duration ab = calendar_between(calendar, a, b);
			cr_assert_eq(ab.us + calendar_between(calendar, b, c).us, calendar_between(calendar, a, c).us);
			struct instant back = calendar_add(calendar, a, ab);
			cr_assert_leq(back.us, b.us);
			cr_assert_eq(calendar_between(calendar, back, b).us, 0);
			struct instant open = calendar_next_open(calendar, a);
			cr_assert(open.us >= a.us && calendar_open(calendar, open));
			cr_assert_eq(calendar_between(calendar, a, open).us, 0);
			cr_assert_eq(calendar_next_open(calendar, open).us, open.us);
			cr_assert_leq(open.us, calendar_next_open(calendar, b).us);
		}
		calendar_check(calendar);
		calendar_free(calendar);
		zone_free(zone);
	}
}

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
