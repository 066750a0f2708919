/* Sorted, disjoint spans of time inside a window, with prefix sums and an index by time: what a calendar is compiled
 * into. Only the calendar uses it; instants are plain microseconds here.
 *
 *   lo                                                        hi        the window, all inside is known
 *   |   open[0]====close[0]      open[1]======close[1]  ...   |
 *   before[0] = 0          before[1]            before[2] ... before[n] is the open time of all
 *
 *   close[i] < open[i + 1]: touching spans are one.
 *   first[b] = how many spans open before lo + b * 2^SPANS_SHIFT; so the spans that open in slot b are those from
 *   first[b] to first[b + 1], of which a week has few. */
#ifndef SLATED_CORE_SPANS_H
#define SLATED_CORE_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spans {
	int64_t lo;
	int64_t hi;
	size_t n;
	size_t capacity;
	int64_t *open;
	int64_t *close;
	int64_t *before;
	uint32_t *first;
};

/* 2^36 microseconds are 19 hours: about one opening a slot. */
#define SPANS_SHIFT 36

void spans_clear(struct spans *spans);

/* Appends [open, close), which opens no earlier than the last one; merged with it where they touch or overlap, nothing
 * where it is empty. 0 or -ENOMEM. */
int spans_push(struct spans *spans, int64_t open, int64_t close) __attribute__((warn_unused_result));

/* Makes the sums and the index of what was pushed, all of it inside [lo, hi). 0 or -ENOMEM. */
int spans_seal(struct spans *spans, int64_t lo, int64_t hi) __attribute__((warn_unused_result));

/* What either, or both, of two sets hold between lo and hi; pushed to `ret`. 0 or -ENOMEM. */
int spans_unite(const struct spans *a, const struct spans *b, int64_t lo, int64_t hi, struct spans *ret)
    __attribute__((warn_unused_result));
int spans_intersect(const struct spans *a, const struct spans *b, int64_t lo, int64_t hi, struct spans *ret)
    __attribute__((warn_unused_result));

/* What `a` holds outside `b`; pushed to `ret`. 0 or -ENOMEM. */
int spans_subtract(const struct spans *a, const struct spans *b, struct spans *ret) __attribute__((warn_unused_result));

/* Aborts where an invariant does not hold. */
void spans_check(const struct spans *spans);

/* Whether a sealed table knows `t`, an end of the window included. */
static inline bool
spans_know(const struct spans *spans, int64_t t)
{
	return t >= spans->lo && t <= spans->hi && spans->first != NULL;
}

/* How many spans have opened at `t`, which the table knows. */
static inline size_t
spans_opened(const struct spans *spans, int64_t t)
{
	size_t slot = (size_t)(((uint64_t)t - (uint64_t)spans->lo) >> SPANS_SHIFT);
	size_t low = spans->first[slot];
	size_t high = spans->first[slot + 1];

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (spans->open[middle] <= t)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Open time from the window's beginning to `t`, of which `opened` spans have opened. */
static inline int64_t
spans_sum(const struct spans *spans, size_t opened, int64_t t)
{
	if (opened == 0)
		return 0;
	size_t i = opened - 1;
	return t < spans->close[i] ? spans->before[i] + (t - spans->open[i]) : spans->before[opened];
}

/* The earliest t at which the open time from the window's beginning is `sum`, 0 < sum <= before[n]; `from` spans, not
 * all, are over by then. Looks in doubling steps ahead, since most sums are near. */
static inline int64_t
spans_reach(const struct spans *spans, size_t from, int64_t sum)
{
	size_t low = from;
	size_t step = 1;

	while (low + step <= spans->n && spans->before[low + step] < sum) {
		low += step;
		step *= 2;
	}
	/* before[low] < sum <= before[high] */
	size_t high = low + step < spans->n ? low + step : spans->n;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (spans->before[middle] < sum)
			low = middle;
		else
			high = middle;
	}
	return spans->open[low] + (sum - spans->before[low]);
}

#endif
