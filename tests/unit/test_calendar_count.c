/* Calendars against a second-by-second count that shares nothing with them but the reading of wall clocks, and against
 * themselves at random. */
#include "calendar_recipe.h"
#include "seed.h"
#include "zone_file.h"

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

#define NIGHT "00:00-01:30, 01:30-02:45, 22:15-24:00"

static const char *const weeks[][7] = {
    {OFFICE, OFFICE, OFFICE, OFFICE, "09:00-16:00"},
    {"00:00-24:00", "00:00-24:00", "00:00-24:00", "00:00-24:00", "00:00-24:00", "00:00-24:00", "00:00-24:00"},
    {NIGHT, NIGHT, NIGHT, "06:00-24:00", NIGHT, NIGHT, NIGHT},
};

Test(calendar, agrees_with_a_count_of_seconds, .timeout = 600)
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

Test(calendar, members_agree_with_a_count_of_seconds, .timeout = 600)
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
Test(calendar, answers_do_not_depend_on_what_was_asked_before, .timeout = 600)
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

Test(calendar, adds_what_is_between, .timeout = 600)
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
