/* Calendars: how they are made up, how they are compiled to spans of UTC, and the searches.
 * A calendar compiles whole years around what it is asked for. Its window grows with the searches up to a bound; a
 * search beyond starts a new window, so that no instant, however far away, costs more memory than that. */
#include "slated/calendar.h"

#include "spans.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Windows begin and end at multiples of this. */
#define WINDOW_STEP (365 * US_PER_DAY)
#define WINDOW_MAX  (64 * WINDOW_STEP)

/* What between() counts at once: fits into a window together with the two ends' rounding. */
#define STRETCH_MAX (32 * WINDOW_STEP)

/* No search looks further: ten years. */
#define SEARCH_MAX (3653 * US_PER_DAY)

/* From 0000-01-01 to 10000-01-01, all that RFC 3339 can write; there is no open time outside. */
#define TIME_MIN (-719528 * US_PER_DAY)
#define TIME_MAX (2932897 * US_PER_DAY)

struct day_hours {
	struct hours *hours;
	size_t n;
};

/* A date, or a month and day, that is not like its weekday. */
struct special {
	int32_t key;
	char *label;
	struct day_hours hours;
};

/* Sorted by key, each key once. */
struct specials {
	struct special *at;
	size_t n;
};

struct closure {
	struct instant from;
	struct instant to;
	char *label;
};

enum calendar_kind {
	CALENDAR_ALWAYS,
	CALENDAR_WEEK,
	CALENDAR_UNION,
	CALENDAR_INTERSECTION,
};

struct calendar {
	struct spans spans; /* compiled; first == NULL before the first search */
	enum calendar_kind kind;
	char *name;
	const struct zone *zone;
	struct zone *own_zone; /* only of `always` */
	struct duration day_length;

	struct day_hours week[7];
	struct specials exceptions; /* by day number */
	struct specials holidays;   /* by day number */
	struct specials yearly;     /* by month * 100 + day */
	struct closure *closures;   /* sorted by their beginning */
	size_t n_closures;

	struct calendar **members;
	size_t n_members;
};

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

/* 0, -EEXIST, -ENOMEM. */
static int
calendar_add_special(struct calendar *calendar, struct specials *specials, int32_t key, const char *label,
                     const struct hours *hours, size_t n)
{
	struct special special = {.key = key};

	assert(calendar->kind == CALENDAR_WEEK);
	if (specials_find(specials, key) != NULL)
		return -EEXIST;
	struct special *grown = reallocarray(specials->at, specials->n + 1, sizeof *grown);
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
	struct closure *grown = reallocarray(calendar->closures, calendar->n_closures + 1, sizeof *grown);
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

/* What makes `date` other than its weekday, or NULL. */
static const struct special *
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

/* The UTC span of a local date; empty where the zone's calendar leaves the date out. */
static void
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

/* Compiling. */

static int64_t
floor_to(int64_t t, int64_t step)
{
	int64_t rest = t % step;

	return t - (rest < 0 ? rest + step : rest);
}

/* Local dates are at most two days off those of UTC; one more takes in what a change of offset stretches. */
#define DATE_MARGIN 3

static int
calendar_compile_week(const struct calendar *calendar, int64_t lo, int64_t hi, struct spans *ret)
{
	struct date date = {(int32_t)(floor_to(lo, US_PER_DAY) / US_PER_DAY) - DATE_MARGIN};
	struct date end = {(int32_t)(floor_to(hi, US_PER_DAY) / US_PER_DAY) + DATE_MARGIN};
	struct spans open = {0};
	struct spans closed = {0};
	int r = 0;

	for (; r == 0 && date.day <= end.day; date.day++) {
		const struct special *special = calendar_special(calendar, date);
		const struct day_hours *day = special ? &special->hours : &calendar->week[date_weekday(date)];
		int64_t midnight = date_begin(date).us;
		for (size_t i = 0; r == 0 && i < day->n; i++) {
			struct wall from = {midnight + day->hours[i].from * US_PER_S};
			struct wall to = {midnight + day->hours[i].to * US_PER_S};
			int64_t opening = zone_instant(calendar->zone, from, ZONE_FIRST).us;
			int64_t closing = zone_instant(calendar->zone, to, ZONE_SECOND).us;
			r = spans_push(&open, opening > lo ? opening : lo, closing < hi ? closing : hi);
		}
	}
	for (size_t i = 0; r == 0 && i < calendar->n_closures; i++)
		r = spans_push(&closed, calendar->closures[i].from.us, calendar->closures[i].to.us);
	if (r == 0)
		r = spans_subtract(&open, &closed, ret);
	spans_clear(&open);
	spans_clear(&closed);
	return r;
}

static int calendar_cover(struct calendar *calendar, int64_t from, int64_t to) __attribute__((warn_unused_result));

static int
calendar_compile_members(const struct calendar *calendar, int64_t lo, int64_t hi, struct spans *ret)
{
	struct spans sum = {0};
	int r = calendar->kind == CALENDAR_INTERSECTION ? spans_push(&sum, lo, hi) : 0;

	for (size_t i = 0; r == 0 && i < calendar->n_members; i++) {
		struct calendar *member = calendar->members[i];
		struct spans whole = {0};
		struct spans next = {0};
		r = member->kind == CALENDAR_ALWAYS ? spans_push(&whole, lo, hi) : calendar_cover(member, lo, hi);
		const struct spans *part = member->kind == CALENDAR_ALWAYS ? &whole : &member->spans;
		if (r == 0 && calendar->kind == CALENDAR_UNION)
			r = spans_unite(&sum, part, lo, hi, &next);
		else if (r == 0)
			r = spans_intersect(&sum, part, lo, hi, &next);
		spans_clear(&whole);
		spans_clear(&sum);
		sum = next;
	}
	for (size_t i = 0; r == 0 && i < sum.n; i++)
		r = spans_push(ret, sum.open[i], sum.close[i]);
	spans_clear(&sum);
	return r;
}

/* Appends what is open in [lo, hi) to `ret`. */
static int
calendar_compile(const struct calendar *calendar, int64_t lo, int64_t hi, struct spans *ret)
{
	if (lo >= hi)
		return 0;
	if (calendar->kind == CALENDAR_WEEK)
		return calendar_compile_week(calendar, lo, hi, ret);
	return calendar_compile_members(calendar, lo, hi, ret);
}

/* Makes the window take in [from, to); what it has is kept where it does not get too large by that. */
static int
calendar_cover(struct calendar *calendar, int64_t from, int64_t to)
{
	struct spans *old = &calendar->spans;
	struct spans new = {0};
	int64_t lo = floor_to(from, WINDOW_STEP);
	int64_t hi = floor_to(to - 1, WINDOW_STEP) + WINDOW_STEP;
	int r = 0;

	lo = lo > TIME_MIN ? lo : TIME_MIN;
	hi = hi < TIME_MAX ? hi : TIME_MAX;
	if (old->first != NULL && lo >= old->lo && hi <= old->hi)
		return 0;
	int64_t least = old->lo < lo ? old->lo : lo;
	int64_t most = old->hi > hi ? old->hi : hi;
	if (old->first != NULL && most - least <= WINDOW_MAX) {
		r = calendar_compile(calendar, least, old->lo, &new);
		for (size_t i = 0; r == 0 && i < old->n; i++)
			r = spans_push(&new, old->open[i], old->close[i]);
		if (r == 0)
			r = calendar_compile(calendar, old->hi, most, &new);
		lo = least;
		hi = most;
	} else {
		r = calendar_compile(calendar, lo, hi, &new);
	}
	if (r == 0)
		r = spans_seal(&new, lo, hi);
	if (r < 0) {
		spans_clear(&new);
		return r;
	}
	spans_clear(old);
	*old = new;
	return 0;
}

/* A search has no way to say that memory is out, and to go on without the table would be a wrong deadline. */
static void
calendar_need(struct calendar *calendar, int64_t from, int64_t to)
{
	if (calendar_cover(calendar, from, to) < 0)
		abort();
}

/* Searching. */

static inline bool
calendar_knows(const struct calendar *calendar, int64_t t)
{
	return __builtin_expect(spans_know(&calendar->spans, t), true);
}

/* Grows the window by a step at its end, for a search that began at `at` and looks from `t` on. False where that would
 * be too far. */
static bool
calendar_look_further(struct calendar *calendar, struct instant at, int64_t t)
{
	int64_t hi = calendar->spans.hi;

	if (hi >= TIME_MAX || instant_since((struct instant){hi}, at).us > SEARCH_MAX)
		return false;
	calendar_need(calendar, t, hi + 1);
	return true;
}

/* `found` where it is within reach of a search from `at`. */
static struct instant
within_reach(struct instant found, struct instant at)
{
	return instant_since(found, at).us <= SEARCH_MAX ? found : INSTANT_NEVER;
}

bool
calendar_open(struct calendar *calendar, struct instant at)
{
	int64_t t = at.us;

	if (calendar->kind == CALENDAR_ALWAYS)
		return true;
	if (!calendar_knows(calendar, t)) {
		if (t < TIME_MIN || t >= TIME_MAX)
			return false;
		calendar_need(calendar, t, t + 1);
	}
	size_t opened = spans_opened(&calendar->spans, t);
	return opened > 0 && t < calendar->spans.close[opened - 1];
}

struct duration
calendar_between(struct calendar *calendar, struct instant from, struct instant to)
{
	struct spans *spans = &calendar->spans;
	int64_t a = from.us;
	int64_t b = to.us;
	int64_t sum = 0;

	if (a >= b)
		return (struct duration){0};
	if (calendar->kind == CALENDAR_ALWAYS)
		return instant_since(to, from);
	if (!calendar_knows(calendar, a) || !calendar_knows(calendar, b)) {
		a = a < TIME_MIN ? TIME_MIN : a;
		b = b > TIME_MAX ? TIME_MAX : b;
		for (; b - a > STRETCH_MAX; a += STRETCH_MAX)
			sum += calendar_between(calendar, (struct instant){a}, (struct instant){a + STRETCH_MAX}).us;
		if (a >= b)
			return (struct duration){sum};
		calendar_need(calendar, a, b);
	}
	sum += spans_sum(spans, spans_opened(spans, b), b) - spans_sum(spans, spans_opened(spans, a), a);
	return (struct duration){sum};
}

struct instant
calendar_next_open(struct calendar *calendar, struct instant at)
{
	const struct spans *spans = &calendar->spans;
	int64_t t = at.us;

	if (calendar->kind == CALENDAR_ALWAYS)
		return at;
	if (!calendar_knows(calendar, t)) {
		if (t >= TIME_MAX)
			return INSTANT_NEVER;
		t = t < TIME_MIN ? TIME_MIN : t;
		calendar_need(calendar, t, t + 1);
	}
	do {
		size_t opened = spans_opened(spans, t);
		if (opened > 0 && t < spans->close[opened - 1])
			return within_reach((struct instant){t}, at);
		if (opened < spans->n)
			return within_reach((struct instant){spans->open[opened]}, at);
	} while (calendar_look_further(calendar, at, t));
	return INSTANT_NEVER;
}

struct instant
calendar_add(struct calendar *calendar, struct instant at, struct duration length)
{
	const struct spans *spans = &calendar->spans;
	int64_t t = at.us;

	if (length.us <= 0)
		return at;
	if (length.us > SEARCH_MAX)
		return INSTANT_NEVER;
	if (calendar->kind == CALENDAR_ALWAYS)
		return instant_plus(at, length);
	if (!calendar_knows(calendar, t)) {
		if (t >= TIME_MAX)
			return INSTANT_NEVER;
		t = t < TIME_MIN ? TIME_MIN : t;
		calendar_need(calendar, t, t + length.us);
	}
	do {
		size_t opened = spans_opened(spans, t);
		int64_t sum = spans_sum(spans, opened, t) + length.us;
		if (sum <= spans->before[spans->n]) {
			size_t from = opened > 0 ? opened - 1 : 0;
			return within_reach((struct instant){spans_reach(spans, from, sum)}, at);
		}
	} while (calendar_look_further(calendar, at, t));
	return INSTANT_NEVER;
}

bool
calendar_interval(struct calendar *calendar, struct instant at, struct instant *ret_open, struct instant *ret_close)
{
	const struct spans *spans = &calendar->spans;

	if (calendar->kind == CALENDAR_ALWAYS) {
		*ret_open = (struct instant){INT64_MIN};
		*ret_close = INSTANT_NEVER;
		return true;
	}
	struct instant first = calendar_next_open(calendar, at);
	if (instant_equal(first, INSTANT_NEVER))
		return false;
	/* A span that touches the window's edge may go on beyond. */
	int64_t t = first.us;
	int64_t open = spans->open[spans_opened(spans, t) - 1];
	while (open == spans->lo && open > TIME_MIN && t - open <= SEARCH_MAX) {
		calendar_need(calendar, open - 1, t + 1);
		open = spans->open[spans_opened(spans, t) - 1];
	}
	int64_t close = spans->close[spans_opened(spans, t) - 1];
	while (close == spans->hi && calendar_look_further(calendar, first, t))
		close = spans->close[spans_opened(spans, t) - 1];
	*ret_open = (struct instant){t - open <= SEARCH_MAX ? open : INT64_MIN};
	*ret_close = within_reach((struct instant){close}, first);
	return true;
}

/* The nth date after `date` with any open time, and its span. False where that is too far from `start`. */
static bool
calendar_business_date(struct calendar *calendar, struct instant start, struct date date, int32_t n,
                       struct date *ret_date, struct instant *ret_from, struct instant *ret_to)
{
	struct instant from, to;

	do {
		date.day++;
		calendar_day_span(calendar, date, &from, &to);
		if (instant_since(from, start).us > SEARCH_MAX || to.us > TIME_MAX)
			return false;
		if (calendar_between(calendar, from, to).us > 0)
			n--;
	} while (n > 0);
	*ret_date = date;
	*ret_from = from;
	*ret_to = to;
	return true;
}

/* The last closing at or before `t`, which the window knows; INT64_MIN where there is none. */
static struct instant
calendar_last_closing(const struct calendar *calendar, int64_t t)
{
	const struct spans *spans = &calendar->spans;
	size_t opened = spans_opened(spans, t);

	if (opened > 0 && spans->close[opened - 1] > t)
		opened--;
	return (struct instant){opened > 0 ? spans->close[opened - 1] : INT64_MIN};
}

struct instant
calendar_add_business_days(struct calendar *calendar, struct instant start, int32_t n, enum business_day reading)
{
	struct instant from, to, due;
	struct date date;

	assert(n > 0 && reading != BUSINESS_DAY_NONE);
	if (reading == BUSINESS_DAY_HOURS) {
		struct duration length;
		assert(calendar->day_length.us > 0);
		if (__builtin_mul_overflow(calendar->day_length.us, n, &length.us))
			return INSTANT_NEVER;
		return calendar_add(calendar, start, length);
	}
	struct instant opening = calendar_next_open(calendar, start);
	if (instant_equal(opening, INSTANT_NEVER))
		return INSTANT_NEVER;
	struct wall wall = zone_wall(calendar->zone, opening);
	struct date first = date_of_wall(wall);
	if (!calendar_business_date(calendar, start, first, n, &date, &from, &to))
		return INSTANT_NEVER;

	if (reading == BUSINESS_DAY_END_OF_DAY) {
		/* A span that is open at the day's end is clipped there. */
		bool open_at_end = calendar_open(calendar, (struct instant){to.us - 1});
		due = open_at_end ? to : calendar_last_closing(calendar, to.us);
		return within_reach(due, start);
	}
	struct wall same = {date_begin(date).us + (wall.us - date_begin(first).us)};
	due = zone_instant(calendar->zone, same, ZONE_FIRST);
	if (!calendar_open(calendar, due)) {
		struct instant closing = calendar_last_closing(calendar, due.us);
		due = instant_before(from, closing) ? closing : calendar_next_open(calendar, from);
	}
	return within_reach(due, start);
}

void
calendar_check(const struct calendar *calendar)
{
	const struct spans *spans = &calendar->spans;

	spans_check(spans);
	if (spans->first != NULL) {
		assert(spans->lo >= TIME_MIN && spans->hi <= TIME_MAX);
		assert(spans->hi - spans->lo <= WINDOW_MAX);
	}
}
