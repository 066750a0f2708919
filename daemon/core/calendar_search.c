/* Calendars: compiling them to spans of UTC, and the searches.
 * A calendar compiles whole years around what it is asked for. Its window grows with the searches up to a bound; a
 * search beyond starts a new window, so that no instant, however far away, costs more memory than that. */
#include "calendar_private.h"

#include <assert.h>
#include <stdlib.h>

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

/* The last day that a search by business days looks at may end behind its bound. */
int
calendar_prepare(struct calendar *calendar, struct instant at)
{
	int64_t t = at.us < TIME_MIN ? TIME_MIN : at.us;

	if (calendar->kind == CALENDAR_ALWAYS || t >= TIME_MAX)
		return 0;
	return calendar_cover(calendar, t, t + SEARCH_MAX + 3 * US_PER_DAY);
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
	struct instant from = {0}, to = {0}, change = {0};

	do {
		date.day++;
		if (to.us < change.us - 2 * US_PER_DAY) {
			/* No offset changes before the next day is over, so this one begins where the last ended. */
			from = to;
			to.us += US_PER_DAY;
		} else {
			calendar_day_span(calendar, date, &from, &to);
			change = zone_next_change(calendar->zone, from);
		}
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
