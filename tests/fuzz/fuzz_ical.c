/* Bytes that may be an iCalendar holiday feed: it is refused with a reason, or the calendar that it closes is sound and
 * no longer open than without it. */
#include <errno.h>

#include "fuzz.h"
#include "holidays.h"
#include "input.h"

/* TZID "X" stands for the zone of the calendar, which is enough to go that way. */
static int
find_zone(void *arg, const char *name, const struct zone **ret)
{
	if (strcmp(name, "UTC") != 0 && strcmp(name, "X") != 0)
		return -ENOENT;
	*ret = arg;
	return 0;
}

static struct zone *
make_zone(void)
{
	static struct zone *zone;
	/* A footer alone, with summer time (RFC 9636, section 3.3). */
	static const char v2[] = "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	                         "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4"
	                         "\0\0\0\0\0\0CET\0"
	                         "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	                         "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4"
	                         "\0\0\x0e\x10\0\0CET\0"
	                         "\nCET-1CEST,M3.5.0,M10.5.0/3\n";
	if (zone == NULL)
		demand(zone_new_tzif("Fuzz/Central", v2, sizeof(v2) - 1, &zone) == 0);
	return zone;
}

static struct calendar *
make_calendar(const struct zone *zone)
{
	struct calendar *calendar;
	const struct hours hours = {9 * 3600, 17 * 3600};
	demand(calendar_new("fuzzed", zone, &calendar) == 0);
	for (int day = 0; day < 7; day++)
		demand(calendar_set_weekday(calendar, day, &hours, 1) == 0);
	return calendar;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct instant now = {INT64_C(1772798400000000)}; /* 2026-03-06T12:00:00Z */
	const struct instant later = instant_plus(now, (struct duration){400 * US_PER_DAY});
	struct zone *zone = make_zone();
	struct calendar *calendar = make_calendar(zone);
	struct holidays_problem problem = {""};
	struct input input = {data, size};
	char *text = input_text(&input, '\0');
	struct duration before = calendar_between(calendar, now, later);
	int r;
	calendar_free(calendar);
	calendar = make_calendar(zone);
	r = holidays_add(text, now, find_zone, zone, calendar, &problem);
	demand(r == 0 || r == -EINVAL || r == -ENOTSUP);
	demand((r == -EINVAL) == (problem.text[0] != '\0'));
	if (r == 0) {
		demand(calendar_between(calendar, now, later).us <= before.us);
		calendar_check(calendar);
	}
	calendar_free(calendar);
	free(text);
	return 0;
}
