/* A walk from day to day by mktime(), as one would write it. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "calendar.h"
#include "timing.h"

#define YEARS (LAST_YEAR - FIRST_YEAR + 2)

static bool holiday[YEARS][12][32];

static void
holidays_mark(const struct input *input)
{
	for (size_t i = 0; i < input->n_holidays; i++) {
		const int *day = input->holidays[i];

		for (int year = 0; year < YEARS; year++)
			if (day[0] == 0 || day[0] == FIRST_YEAR + year)
				holiday[year][day[1] - 1][day[2]] = true;
	}
}

static bool
day_is_open(const struct tm *day)
{
	return day->tm_wday >= 1 && day->tm_wday <= 5 &&
	       !holiday[day->tm_year + 1900 - FIRST_YEAR][day->tm_mon][day->tm_mday];
}

static time_t
day_hour(const struct tm *day, int hour)
{
	struct tm at = {
	    .tm_year = day->tm_year, .tm_mon = day->tm_mon, .tm_mday = day->tm_mday, .tm_hour = hour, .tm_isdst = -1};

	return mktime(&at);
}

static time_t
add_open(time_t start, time_t length)
{
	struct tm day;

	localtime_r(&start, &day);
	for (;;) {
		if (day_is_open(&day)) {
			time_t opening = day_hour(&day, 9), closing = day_hour(&day, 17);
			time_t from = start > opening ? start : opening;

			if (from < closing && closing - from >= length)
				return from + length;
			if (from < closing)
				length -= closing - from;
		}
		day.tm_mday++;
		day.tm_hour = 12;
		day.tm_isdst = -1;
		mktime(&day); /* the next date and its weekday */
	}
}

int
main(int argc, char **argv)
{
	struct input input;
	double start;

	input_read(argc, argv, &input);
	setenv("TZ", input.zone, 1);
	tzset();
	holidays_mark(&input);
	int64_t *answers = array_new(input.count, sizeof(*answers));
	start = clock_ns();
	for (size_t i = 0; i < input.count; i++)
		answers[i] = add_open(input.instants[i], OPEN_HOURS * 3600);
	printf("add\t%.3f\n", lap(&start, input.count));
	answers_write(argv, answers, input.count);
	free(answers);
	input_clear(&input);
	return 0;
}
