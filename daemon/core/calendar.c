/* Calendars: how they are made up. */
#include "calendar_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int
calendar_make(const char *name, enum calendar_kind kind, const struct zone *zone, struct calendar **ret)
{
	struct calendar *calendar = calloc(1, sizeof *calendar);

	if (calendar == NULL)
		return -ENOMEM;
	calendar->kind = kind;
	calendar->zone = zone;
	calendar->name = strdup(name);
	if (calendar->name == NULL) {
		calendar_free(calendar);
		return -ENOMEM;
	}
	*ret = calendar;
	return 0;
}

int
calendar_new(const char *name, const struct zone *zone, struct calendar **ret)
{
	return calendar_make(name, CALENDAR_WEEK, zone, ret);
}

int
calendar_new_always(struct calendar **ret)
{
	struct zone *utc = NULL;
	struct calendar *calendar;

	int r = zone_new_fixed("UTC", &utc);
	if (r < 0)
		return r;
	r = calendar_make("always", CALENDAR_ALWAYS, utc, &calendar);
	if (r < 0) {
		zone_free(utc);
		return r;
	}
	calendar->own_zone = utc;
	*ret = calendar;
	return 0;
}

static int
calendar_new_of_members(const char *name, enum calendar_kind kind, const struct zone *zone,
                        struct calendar *const *members, size_t n_members, struct calendar **ret)
{
	struct calendar *calendar;

	if (n_members == 0)
		return -EINVAL;
	int r = calendar_make(name, kind, zone, &calendar);
	if (r < 0)
		return r;
	calendar->members = reallocarray(NULL, n_members, sizeof *members);
	if (calendar->members == NULL) {
		calendar_free(calendar);
		return -ENOMEM;
	}
	memcpy(calendar->members, members, n_members * sizeof *members);
	calendar->n_members = n_members;
	*ret = calendar;
	return 0;
}

int
calendar_new_union(const char *name, const struct zone *zone, struct calendar *const *members, size_t n_members,
                   struct calendar **ret)
{
	return calendar_new_of_members(name, CALENDAR_UNION, zone, members, n_members, ret);
}

int
calendar_new_intersection(const char *name, const struct zone *zone, struct calendar *const *members, size_t n_members,
                          struct calendar **ret)
{
	return calendar_new_of_members(name, CALENDAR_INTERSECTION, zone, members, n_members, ret);
}

static void
specials_clear(struct specials *specials)
{
	for (size_t i = 0; i < specials->n; i++) {
		free(specials->at[i].label);
		free(specials->at[i].hours.hours);
	}
	free(specials->at);
}

void
calendar_free(struct calendar *calendar)
{
	if (calendar == NULL)
		return;
	spans_clear(&calendar->spans);
	for (size_t i = 0; i < 7; i++)
		free(calendar->week[i].hours);
	specials_clear(&calendar->exceptions);
	specials_clear(&calendar->holidays);
	specials_clear(&calendar->yearly);
	for (size_t i = 0; i < calendar->n_closures; i++)
		free(calendar->closures[i].label);
	free(calendar->closures);
	free(calendar->members);
	free(calendar->name);
	zone_free(calendar->own_zone);
	free(calendar);
}

static void
skip_blanks(const char **text)
{
	while (**text == ' ' || **text == '\t')
		++*text;
}

/* "HH:MM" up to 24:00, in seconds; -1 for anything else. */
static int32_t
read_clock(const char **text)
{
	const char *at = *text;

	for (int i = 0; i < 5; i++) {
		bool fits = i == 2 ? at[i] == ':' : at[i] >= '0' && at[i] <= '9';
		if (!fits)
			return -1;
	}
	int minute = (at[3] - '0') * 10 + (at[4] - '0');
	int32_t second = ((at[0] - '0') * 10 + (at[1] - '0')) * 3600 + minute * 60;
	if (minute > 59 || second > 86400)
		return -1;
	*text += 5;
	return second;
}

static int
read_hours(const char **text, struct hours *ret)
{
	struct hours hours;

	skip_blanks(text);
	hours.from = read_clock(text);
	if (hours.from < 0)
		return -EINVAL;
	skip_blanks(text);
	if (**text != '-')
		return -EINVAL;
	++*text;
	skip_blanks(text);
	hours.to = read_clock(text);
	if (hours.to < 0)
		return -EINVAL;
	skip_blanks(text);
	if (hours.from >= hours.to)
		return -ERANGE;
	*ret = hours;
	return 0;
}

static int
compare_hours(const void *a, const void *b)
{
	const struct hours *x = a;
	const struct hours *y = b;

	return x->from - y->from;
}

int
hours_parse(const char *text, struct hours **ret, size_t *ret_n)
{
	struct hours *hours = NULL;
	size_t n = 0;
	int r = 0;

	skip_blanks(&text);
	while (*text != '\0') {
		struct hours *grown = reallocarray(hours, n + 1, sizeof *hours);
		if (grown == NULL) {
			r = -ENOMEM;
			goto fail;
		}
		hours = grown;
		r = read_hours(&text, &hours[n++]);
		if (r < 0)
			goto fail;
		if (*text == '\0')
			break;
		r = -EINVAL;
		if (*text != ',' || text[1] == '\0')
			goto fail;
		text++;
	}
	if (n > 0)
		qsort(hours, n, sizeof *hours, compare_hours);
	for (size_t i = 1; i < n; i++) {
		if (hours[i].from < hours[i - 1].to) {
			r = -EEXIST;
			goto fail;
		}
	}
	*ret = hours;
	*ret_n = n;
	return 0;
fail:
	free(hours);
	return r;
}

static int
day_hours_copy(const struct hours *hours, size_t n, struct day_hours *ret)
{
	struct hours *copy = NULL;

	for (size_t i = 0; i < n; i++) {
		assert(hours[i].from >= (i == 0 ? 0 : hours[i - 1].to));
		assert(hours[i].from < hours[i].to && hours[i].to <= 86400);
	}
	if (n > 0) {
		copy = reallocarray(NULL, n, sizeof *copy);
		if (copy == NULL)
			return -ENOMEM;
		memcpy(copy, hours, n * sizeof *copy);
	}
	*ret = (struct day_hours){copy, n};
	return 0;
}

int
calendar_set_weekday(struct calendar *calendar, int weekday, const struct hours *hours, size_t n)
{
	struct day_hours copy;

	assert(calendar->kind == CALENDAR_WEEK && weekday >= 0 && weekday < 7);
	int r = day_hours_copy(hours, n, &copy);
	if (r < 0)
		return r;
	spans_clear(&calendar->spans);
	free(calendar->week[weekday].hours);
	calendar->week[weekday] = copy;
	return 0;
}

/* The index of the first one whose key is not before `key`. */
static size_t
specials_index(const struct specials *specials, int32_t key)
{
	size_t low = 0;
	size_t high = specials->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (specials->at[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct special *
specials_find(const struct specials *specials, int32_t key)
{
	size_t i = specials_index(specials, key);

	return i < specials->n && specials->at[i].key == key ? &specials->at[i] : NULL;
}

/* Room for one more of `n`, doubled each time: a feed may bring thousands. NULL: out of memory. */
static void *
array_grow(void *array, size_t n, size_t size)
{
	bool full = (n & (n - 1)) == 0;

	return full ? reallocarray(array, n > 0 ? 2 * n : 1, size) : array;
}

/* 0, -EEXIST, -ENOMEM. */
static int
calendar_add_special(struct calendar *calendar, struct specials *specials, int32_t key, const char *label,
                     const struct hours *hours, size_t n)
{
	struct special special = {.key = key};

	assert(calendar->kind == CALENDAR_WEEK);
	if (specials_find(specials, key) != NULL)
		return -EEXIST;
	struct special *grown = array_grow(specials->at, specials->n, sizeof *grown);
	if (grown == NULL)
		return -ENOMEM;
	specials->at = grown;
	special.label = strdup(label);
	if (special.label == NULL)
		return -ENOMEM;
	int r = day_hours_copy(hours, n, &special.hours);
	if (r < 0) {
		free(special.label);
		return r;
	}
	size_t i = specials_index(specials, key);
	memmove(&specials->at[i + 1], &specials->at[i], (specials->n - i) * sizeof special);
	specials->at[i] = special;
	specials->n++;
	spans_clear(&calendar->spans);
	return 0;
}

int
calendar_add_exception(struct calendar *calendar, struct date date, const struct hours *hours, size_t n)
{
	return calendar_add_special(calendar, &calendar->exceptions, date.day, "exception", hours, n);
}

int
calendar_add_holiday(struct calendar *calendar, struct date date, const char *label)
{
	int r = calendar_add_special(calendar, &calendar->holidays, date.day, label ? label : "holiday", NULL, 0);

	return r == -EEXIST ? 0 : r;
}

int
calendar_add_yearly_holiday(struct calendar *calendar, int month, int day, const char *label)
{
	assert(month >= 1 && month <= 12 && day >= 1 && day <= 31);
	int32_t key = month * 100 + day;
	int r = calendar_add_special(calendar, &calendar->yearly, key, label ? label : "holiday", NULL, 0);

	return r == -EEXIST ? 0 : r;
}

int
calendar_add_closure(struct calendar *calendar, struct instant from, struct instant to, const char *label)
{
	assert(calendar->kind == CALENDAR_WEEK);
	struct closure *grown = array_grow(calendar->closures, calendar->n_closures, sizeof *grown);
	if (grown == NULL)
		return -ENOMEM;
	calendar->closures = grown;
	char *copy = strdup(label ? label : "holiday");
	if (copy == NULL)
		return -ENOMEM;
	size_t i = calendar->n_closures++;
	for (; i > 0 && instant_before(from, calendar->closures[i - 1].from); i--)
		calendar->closures[i] = calendar->closures[i - 1];
	calendar->closures[i] = (struct closure){from, to, copy};
	spans_clear(&calendar->spans);
	return 0;
}

void
calendar_set_day_length(struct calendar *calendar, struct duration length)
{
	calendar->day_length = length;
}

struct duration
calendar_day_length(const struct calendar *calendar)
{
	return calendar->day_length;
}

const char *
calendar_name(const struct calendar *calendar)
{
	return calendar->name;
}

const struct zone *
calendar_zone(const struct calendar *calendar)
{
	return calendar->zone;
}

bool
calendar_is_always(const struct calendar *calendar)
{
	return calendar->kind == CALENDAR_ALWAYS;
}

const struct special *
calendar_special(const struct calendar *calendar, struct date date)
{
	const struct special *special = specials_find(&calendar->exceptions, date.day);

	if (special == NULL)
		special = specials_find(&calendar->holidays, date.day);
	if (special == NULL && calendar->yearly.n > 0) {
		int year, month, day;
		date_to_civil(date, &year, &month, &day);
		special = specials_find(&calendar->yearly, month * 100 + day);
	}
	return special;
}

void
calendar_day_span(const struct calendar *calendar, struct date date, struct instant *ret_from, struct instant *ret_to)
{
	struct date next = {date.day + 1};

	*ret_from = zone_instant(calendar->zone, date_begin(date), ZONE_FIRST);
	*ret_to = zone_instant(calendar->zone, date_begin(next), ZONE_SECOND);
}

const char *
calendar_day_note(const struct calendar *calendar, struct date date)
{
	struct instant from, to;

	const struct special *special = calendar_special(calendar, date);
	if (special != NULL)
		return special->label;
	calendar_day_span(calendar, date, &from, &to);
	for (size_t i = 0; i < calendar->n_closures; i++) {
		const struct closure *closure = &calendar->closures[i];
		if (instant_before(closure->from, to) && instant_before(from, closure->to))
			return closure->label;
	}
	for (size_t i = 0; i < calendar->n_members; i++) {
		const char *note = calendar_day_note(calendar->members[i], date);
		if (note != NULL)
			return note;
	}
	return NULL;
}

bool
calendar_last_holiday(const struct calendar *calendar, struct date *ret)
{
	bool any = calendar->holidays.n > 0;
	struct date last = {any ? calendar->holidays.at[calendar->holidays.n - 1].key : 0};

	for (size_t i = 0; i < calendar->n_closures; i++) {
		struct date date = date_of_wall(zone_wall(calendar->zone, calendar->closures[i].from));
		if (!any || date.day > last.day)
			last = date;
		any = true;
	}
	for (size_t i = 0; i < calendar->exceptions.n; i++) {
		const struct special *exception = &calendar->exceptions.at[i];
		if (exception->hours.n > 0)
			continue;
		if (!any || exception->key > last.day)
			last.day = exception->key;
		any = true;
	}
	if (any)
		*ret = last;
	return any;
}

bool
calendar_has_holiday(const struct calendar *calendar, struct date from, struct date to)
{
	size_t first = specials_index(&calendar->holidays, from.day);

	if (first < calendar->holidays.n && calendar->holidays.at[first].key < to.day)
		return true;
	for (size_t i = 0; i < calendar->n_closures; i++) {
		struct date date = date_of_wall(zone_wall(calendar->zone, calendar->closures[i].from));
		if (date.day >= from.day && date.day < to.day)
			return true;
	}
	for (size_t i = 0; i < calendar->exceptions.n; i++) {
		const struct special *exception = &calendar->exceptions.at[i];
		if (exception->hours.n == 0 && exception->key >= from.day && exception->key < to.day)
			return true;
	}
	return false;
}

bool
calendar_has_yearly_holiday(const struct calendar *calendar)
{
	return calendar->yearly.n > 0;
}

size_t
calendar_members(const struct calendar *calendar, struct calendar *const **ret)
{
	*ret = calendar->members;
	return calendar->n_members;
}

bool
calendar_is_intersection(const struct calendar *calendar)
{
	return calendar->kind == CALENDAR_INTERSECTION;
}
