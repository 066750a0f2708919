/* Sorted, disjoint spans of time: building them. The searches are in the header. */
#include "spans.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void
spans_clear(struct spans *spans)
{
	free(spans->open);
	free(spans->close);
	free(spans->before);
	free(spans->first);
	*spans = (struct spans){0};
}

/* Makes room for `n` numbers. 0 or -ENOMEM. */
static int
grow(int64_t **array, size_t n)
{
	int64_t *grown = reallocarray(*array, n, sizeof *grown);

	if (grown == NULL)
		return -ENOMEM;
	*array = grown;
	return 0;
}

int
spans_push(struct spans *spans, int64_t open, int64_t close)
{
	if (open >= close)
		return 0;
	if (spans->n > 0) {
		int64_t *last = &spans->close[spans->n - 1];
		assert(open >= spans->open[spans->n - 1]);
		if (open <= *last) {
			*last = close > *last ? close : *last;
			return 0;
		}
	}
	if (spans->n == spans->capacity) {
		size_t capacity = spans->capacity == 0 ? 64 : spans->capacity * 2;
		if (grow(&spans->open, capacity) < 0 || grow(&spans->close, capacity) < 0)
			return -ENOMEM;
		spans->capacity = capacity;
	}
	spans->open[spans->n] = open;
	spans->close[spans->n++] = close;
	return 0;
}

int
spans_seal(struct spans *spans, int64_t lo, int64_t hi)
{
	size_t n_slots = (size_t)(((uint64_t)hi - (uint64_t)lo) >> SPANS_SHIFT) + 1;

	assert(lo <= hi && spans->n <= UINT32_MAX);
	uint32_t *first = reallocarray(spans->first, n_slots + 1, sizeof *first);
	if (first == NULL || grow(&spans->before, spans->n + 1) < 0) {
		free(first);
		spans->first = NULL;
		return -ENOMEM;
	}
	spans->first = first;
	spans->lo = lo;
	spans->hi = hi;
	spans->before[0] = 0;
	for (size_t i = 0; i < spans->n; i++)
		spans->before[i + 1] = spans->before[i] + (spans->close[i] - spans->open[i]);
	size_t i = 0;
	for (size_t slot = 0; slot < n_slots; slot++) {
		while (i < spans->n && ((uint64_t)spans->open[i] - (uint64_t)lo) >> SPANS_SHIFT < slot)
			i++;
		spans->first[slot] = (uint32_t)i;
	}
	spans->first[n_slots] = (uint32_t)spans->n;
	return 0;
}

static int
push_inside(struct spans *spans, int64_t open, int64_t close, int64_t lo, int64_t hi)
{
	return spans_push(spans, open > lo ? open : lo, close < hi ? close : hi);
}

int
spans_unite(const struct spans *a, const struct spans *b, int64_t lo, int64_t hi, struct spans *ret)
{
	size_t i = 0;
	size_t j = 0;
	int r = 0;

	while (r == 0 && (i < a->n || j < b->n)) {
		bool from_a = j == b->n || (i < a->n && a->open[i] <= b->open[j]);
		const struct spans *from = from_a ? a : b;
		size_t k = from_a ? i++ : j++;
		r = push_inside(ret, from->open[k], from->close[k], lo, hi);
	}
	return r;
}

int
spans_intersect(const struct spans *a, const struct spans *b, int64_t lo, int64_t hi, struct spans *ret)
{
	size_t i = 0;
	size_t j = 0;
	int r = 0;

	while (r == 0 && i < a->n && j < b->n) {
		int64_t open = a->open[i] > b->open[j] ? a->open[i] : b->open[j];
		int64_t close = a->close[i] < b->close[j] ? a->close[i] : b->close[j];
		r = push_inside(ret, open, close, lo, hi);
		if (a->close[i] < b->close[j])
			i++;
		else
			j++;
	}
	return r;
}

int
spans_subtract(const struct spans *a, const struct spans *b, struct spans *ret)
{
	size_t j = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->n; i++) {
		int64_t open = a->open[i];
		while (j < b->n && b->close[j] <= open)
			j++;
		for (size_t k = j; r == 0 && k < b->n && b->open[k] < a->close[i]; k++) {
			r = spans_push(ret, open, b->open[k]);
			open = b->close[k];
		}
		if (r == 0)
			r = spans_push(ret, open, a->close[i]);
	}
	return r;
}

void
spans_check(const struct spans *spans)
{
	for (size_t i = 0; i < spans->n; i++) {
		assert(spans->open[i] < spans->close[i]);
		assert(i == 0 || spans->close[i - 1] < spans->open[i]);
	}
	if (spans->first == NULL)
		return;
	assert(spans->lo <= spans->hi && spans->before[0] == 0);
	assert(spans->n == 0 || (spans->open[0] >= spans->lo && spans->close[spans->n - 1] <= spans->hi));
	for (size_t i = 0; i < spans->n; i++) {
		assert(spans->before[i + 1] - spans->before[i] == spans->close[i] - spans->open[i]);
		assert(spans_opened(spans, spans->open[i]) == i + 1);
		assert(spans_opened(spans, spans->close[i]) == i + 1);
		assert(spans->open[i] == spans->lo || spans_opened(spans, spans->open[i] - 1) == i);
		assert(spans_reach(spans, 0, spans->before[i + 1]) == spans->close[i]);
	}
}
