/* Calendars as tests write them down. */
#ifndef SLATED_TESTS_CALENDAR_RECIPE_H
#define SLATED_TESTS_CALENDAR_RECIPE_H

#include "slated/calendar.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(a) (sizeof(a) / sizeof *(a))

#define OFFICE "09:00-12:00, 13:00-17:00"

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

static inline struct instant
instant_of(const char *text)
{
	struct instant at = {0};

	cr_assert_eq(instant_parse(text, strlen(text), &at), 0, "%s", text);
	return at;
}

static inline struct date
date_of(const char *text)
{
	struct date date = {0};

	cr_assert_eq(date_parse(text, &date), 0, "%s", text);
	return date;
}

static inline struct calendar *
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

#endif
