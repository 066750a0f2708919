/* slated's calendars: one, 200 of them, and compiling one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calendar.h"
#include "holidays.h"
#include "slated/calendar.h"
#include "timing.h"

#define CALENDARS 200
#define COMPILED  200 /* times */
#define CALLS     2000000

/* For 200 calendars that differ: zones and the hour of opening. */
static const char *const zone_names[] = {
    "America/New_York", "Europe/Berlin",   "Asia/Tokyo",    "Australia/Sydney",    "America/Sao_Paulo",
    "Europe/London",    "Asia/Kolkata",    "Africa/Cairo",  "America/Los_Angeles", "Pacific/Auckland",
    "Europe/Madrid",    "America/Toronto", "Asia/Shanghai", "America/Chicago",     "Europe/Helsinki",
    "Asia/Jerusalem",   "America/Denver",  "Asia/Dubai",    "Africa/Lagos",        "Europe/Dublin",
};

enum { ZONES = sizeof(zone_names) / sizeof(zone_names[0]) };

static void
demand(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "bench/calendar: %s\n", what);
		exit(1);
	}
}

static struct zone *
zone_make(const char *name)
{
	char path[512], bytes[65536];
	struct zone *zone;

	(void)snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
	FILE *file = fopen(path, "rb");
	demand(file != NULL, path);
	size_t n = fread(bytes, 1, sizeof(bytes), file);
	(void)fclose(file); /* only read */
	demand(zone_new_tzif(name, bytes, n, &zone) == 0, path);
	return zone;
}

static struct calendar *
calendar_begin(const struct zone *zone, int32_t opening_hour)
{
	struct hours hours = {opening_hour * 3600, (opening_hour + 8) * 3600};
	struct calendar *calendar;

	demand(calendar_new("bench", zone, &calendar) == 0, "out of memory");
	for (int weekday = 0; weekday < 5; weekday++)
		demand(calendar_set_weekday(calendar, weekday, &hours, 1) == 0, "out of memory");
	return calendar;
}

static struct calendar *
calendar_make(const struct input *input, const struct zone *zone, int32_t opening_hour)
{
	struct calendar *calendar = calendar_begin(zone, opening_hour);

	for (size_t i = 0; i < input->n_holidays; i++) {
		const int *day = input->holidays[i];
		struct date date;

		if (day[0] == 0) {
			demand(calendar_add_yearly_holiday(calendar, day[1], day[2], NULL) == 0, "out of memory");
			continue;
		}
		demand(date_from_civil(day[0], day[1], day[2], &date) == 0, "no such date");
		demand(calendar_add_holiday(calendar, date, NULL) == 0, "out of memory");
	}
	return calendar;
}

static struct instant
instant_of(int64_t second)
{
	return (struct instant){second * US_PER_S};
}

/* One, over and over: what is left of the first round to compare with is the answers. */
static double
measure_one(const struct input *input, struct calendar *calendar, int64_t *answers)
{
	size_t rounds = CALLS / input->count + 1;
	double start;

	for (size_t i = 0; i < input->count; i++)
		answers[i] =
		    calendar_add(calendar, instant_of(input->instants[i]), (struct duration){OPEN_HOURS * US_PER_H})
		        .us /
		    US_PER_S;
	start = clock_ns();
	for (size_t round = 0; round < rounds; round++)
		for (size_t i = 0; i < input->count; i++) {
			struct instant due = calendar_add(calendar, instant_of(input->instants[i]),
			                                  (struct duration){OPEN_HOURS * US_PER_H});
			__asm__ volatile("" : : "r"(due.us)); /* the answer is needed */
		}
	return lap(&start, rounds * input->count);
}

static double
measure_many(const struct input *input, struct zone *const *zones)
{
	static struct calendar *calendars[CALENDARS];
	size_t rounds = CALLS / input->count + 1;
	uint8_t *which = array_new(input->count, sizeof(*which));
	double start = 0;

	for (size_t i = 0; i < CALENDARS; i++)
		calendars[i] = calendar_make(input, zones[i % ZONES], (int32_t)(5 + i / ZONES));
	for (size_t i = 0; i < input->count; i++)
		which[i] = (uint8_t)(drand48() * CALENDARS);
	for (size_t round = 0; round <= rounds; round++) {
		if (round == 1) /* the first compiles */
			start = clock_ns();
		for (size_t i = 0; i < input->count; i++) {
			struct instant due = calendar_add(calendars[which[i]], instant_of(input->instants[i]),
			                                  (struct duration){OPEN_HOURS * US_PER_H});
			__asm__ volatile("" : : "r"(due.us));
		}
	}
	double took = lap(&start, rounds * input->count);
	for (size_t i = 0; i < CALENDARS; i++)
		calendar_free(calendars[i]);
	free(which);
	return took;
}

/* The holidays as a feed has them: all-day events, those of every year recurring. */
static char *
feed_make(const struct input *input)
{
	size_t room = 200 * (input->n_holidays + 1), n = 0;
	char *feed = array_new(room, 1);

	n += (size_t)snprintf(feed, room, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\n");
	for (size_t i = 0; i < input->n_holidays; i++) {
		const int *day = input->holidays[i];

		n += (size_t)snprintf(feed + n, room - n,
		                      "BEGIN:VEVENT\r\nUID:%zu\r\nSUMMARY:Holiday %zu\r\n"
		                      "DTSTART;VALUE=DATE:%04d%02d%02d\r\n%sEND:VEVENT\r\n",
		                      i, i, day[0] == 0 ? FIRST_YEAR : day[0], day[1], day[2],
		                      day[0] == 0 ? "RRULE:FREQ=YEARLY\r\n" : "");
	}
	(void)snprintf(feed + n, room - n, "END:VCALENDAR\r\n");
	return feed;
}

static int
zone_none(void *arg, const char *name, const struct zone **ret)
{
	(void)arg;
	(void)name;
	(void)ret;
	return -1; /* the feed has no times */
}

/* A build without feeds has them not. */
static bool
feeds_are_read(const char *feed, const struct zone *zone)
{
	struct holidays_problem problem;
	struct calendar *calendar = calendar_begin(zone, 9);
	int r = holidays_add(feed, instant_of(INT64_C(1767225600)), zone_none, NULL, calendar, &problem);

	calendar_free(calendar);
	demand(r == 0 || r == -ENOTSUP, problem.text);
	return r == 0;
}

/* For ten years, with the feed read or without. */
static double
measure_compile(const struct input *input, const struct zone *zone, const char *feed)
{
	struct instant from = instant_of(INT64_C(1767225600)), to = {from.us + 3652 * US_PER_DAY};
	struct holidays_problem problem;
	double start, took = 0;

	for (int i = 0; i < COMPILED; i++) {
		struct calendar *calendar = feed != NULL ? calendar_begin(zone, 9) : calendar_make(input, zone, 9);

		start = clock_ns();
		if (feed != NULL)
			demand(holidays_add(feed, from, zone_none, NULL, calendar, &problem) == 0, problem.text);
		demand(calendar_between(calendar, from, to).us > 0, "never open");
		took += lap(&start, COMPILED);
		calendar_free(calendar);
	}
	return took;
}

int
main(int argc, char **argv)
{
	struct zone *zones[ZONES];
	struct input input;

	input_read(argc, argv, &input);
	for (int i = 0; i < ZONES; i++)
		zones[i] = zone_make(zone_names[i]);
	struct zone *zone = zone_make(input.zone);
	struct calendar *calendar = calendar_make(&input, zone, 9);
	int64_t *answers = array_new(input.count, sizeof(*answers));
	char *feed = feed_make(&input);

	printf("add\t%.3f\n", measure_one(&input, calendar, answers));
	printf("add, 200 calendars\t%.3f\n", measure_many(&input, zones));
	printf("compile\t%.3f\n", measure_compile(&input, zone, NULL));
	if (feeds_are_read(feed, zone))
		printf("compile, feed\t%.3f\n", measure_compile(&input, zone, feed));
	answers_write(argv, answers, input.count);
	free(feed);
	free(answers);
	calendar_free(calendar);
	zone_free(zone);
	for (int i = 0; i < ZONES; i++)
		zone_free(zones[i]);
	input_clear(&input);
	return 0;
}
