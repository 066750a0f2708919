#include "slated/metrics.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "slated/render.h"

enum { LABELS_MAX = 2, BUCKETS_MAX = 16 };

struct family {
	const char *name;
	const char *unit;
	const char *help;
	const char *labels[LABELS_MAX];
	enum metrics_type type;
	enum metrics_scale scale;
};

static const struct family families[METRICS_COUNT] = {
#define METRICS_ROW(id, type_, name_, unit_, first, second, scale_, help_)                                             \
	[METRICS_##id] = {.name = (name_),                                                                             \
	                  .unit = (unit_),                                                                             \
	                  .help = (help_),                                                                             \
	                  .labels = {(first), (second)},                                                               \
	                  .type = METRICS_##type_,                                                                     \
	                  .scale = METRICS_SCALE_##scale_},
    METRICS_TABLE(METRICS_ROW)
#undef METRICS_ROW
};

/* Upper ends, as they are written: OpenMetrics wants a point in each, and both formats should name the same series. */
static const char *const scales[][BUCKETS_MAX] = {
    [METRICS_SCALE_LAG] = {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "30.0",
                           "60.0", "300.0", "3600.0"},
    [METRICS_SCALE_QUERY] = {"0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0",
                             "2.5", "5.0", "10.0", "30.0"},
    [METRICS_SCALE_ROWS] = {"1.0", "3.0", "10.0", "30.0", "100.0", "300.0", "1000.0", "3000.0", "10000.0"},
};

struct series {
	struct series *next;
	char *labels[LABELS_MAX]; /* NULL where the family has none */
	double value;             /* of a histogram: the sum */
	uint64_t count;
	uint64_t buckets[BUCKETS_MAX]; /* how many fell into each, not into those below it */
};

struct metrics {
	struct series *series[METRICS_COUNT]; /* in the order of their names' values */
};

static void
series_free(struct series *series)
{
	for (unsigned i = 0; i < LABELS_MAX; i++)
		free(series->labels[i]);
	free(series);
}

void
metrics_forget(struct metrics *metrics, enum metrics_id id)
{
	while (metrics->series[id] != NULL) {
		struct series *series = metrics->series[id];
		metrics->series[id] = series->next;
		series_free(series);
	}
}

void
metrics_free(struct metrics *metrics)
{
	if (metrics == NULL)
		return;
	for (unsigned id = 0; id < METRICS_COUNT; id++)
		metrics_forget(metrics, (enum metrics_id)id);
	free(metrics);
}

static int
label_compare(const char *a, const char *b)
{
	return a == NULL || b == NULL ? (a != NULL) - (b != NULL) : strcmp(a, b);
}

/* The series of these labels, made where it is missing. NULL: out of memory. */
static struct series *
series_get(struct metrics *metrics, enum metrics_id id, const char *const values[static LABELS_MAX])
{
	struct series **link = &metrics->series[id];
	int order = -1;
	for (; *link != NULL; link = &(*link)->next) {
		order = label_compare((*link)->labels[0], values[0]);
		if (order == 0)
			order = label_compare((*link)->labels[1], values[1]);
		if (order >= 0)
			break;
	}
	if (*link != NULL && order == 0)
		return *link;
	struct series *series = calloc(1, sizeof(*series));
	if (series == NULL)
		return NULL;
	for (unsigned i = 0; i < LABELS_MAX; i++) {
		assert((values[i] == NULL) == (families[id].labels[i] == NULL));
		series->labels[i] = values[i] != NULL ? strdup(values[i]) : NULL;
		if (values[i] != NULL && series->labels[i] == NULL) {
			series_free(series);
			return NULL;
		}
	}
	series->next = *link;
	*link = series;
	return series;
}

int
metrics_new(struct metrics **ret)
{
	static const char *const none[LABELS_MAX] = {NULL};
	struct metrics *metrics = calloc(1, sizeof(*metrics));
	if (metrics == NULL)
		return -ENOMEM;
	/* What counts should be there from the start: nobody sees the rise of what began at 1. */
	for (unsigned id = 0; id < METRICS_COUNT; id++) {
		const struct family *f = &families[id];
		if (f->labels[0] == NULL && (f->type == METRICS_COUNTER || f->type == METRICS_HISTOGRAM) &&
		    series_get(metrics, (enum metrics_id)id, none) == NULL) {
			metrics_free(metrics);
			return -ENOMEM;
		}
	}
	*ret = metrics;
	return 0;
}

void
metrics_add(struct metrics *metrics, enum metrics_id id, const char *first, const char *second, double by)
{
	assert(families[id].type == METRICS_COUNTER && by >= 0);
	struct series *series = series_get(metrics, id, (const char *const[]){first, second});
	if (series != NULL)
		series->value += by;
}

void
metrics_set(struct metrics *metrics, enum metrics_id id, const char *first, const char *second, double value)
{
	assert(families[id].type != METRICS_HISTOGRAM);
	struct series *series = series_get(metrics, id, (const char *const[]){first, second});
	if (series != NULL)
		series->value = value;
}

void
metrics_observe(struct metrics *metrics, enum metrics_id id, double value)
{
	static const char *const none[LABELS_MAX] = {NULL};
	assert(families[id].type == METRICS_HISTOGRAM);
	struct series *series = series_get(metrics, id, none);
	const char *const *ends = scales[families[id].scale];
	if (series == NULL)
		return;
	series->value += value;
	series->count++;
	for (unsigned i = 0; i < BUCKETS_MAX && ends[i] != NULL; i++) {
		if (value <= strtod(ends[i], NULL)) {
			series->buckets[i]++;
			break;
		}
	}
}

/* Writing ---------------------------------------------------------------------------------------------------------- */

/* Both formats have the same escapes in a label's value; quotes need none in a help. */
static void
add_escaped(struct text *text, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			text_add_string(text, "\\n");
		else if (*value == '\\' || *value == '"') {
			text_add(text, "\\", 1);
			text_add(text, value, 1);
		} else
			text_add(text, value, 1);
	}
}

/* As short as reads back to the same number. */
static void
add_number(struct text *text, double value)
{
	char digits[32];
	(void)snprintf(digits, sizeof(digits), "%.15g", value);
	if (strtod(digits, NULL) != value)
		(void)snprintf(digits, sizeof(digits), "%.17g", value);
	text_add_string(text, digits);
}

static void
add_sample(struct text *text, const struct family *family, const char *suffix, const struct series *series,
           const char *end, double value)
{
	const char *separator = "{";
	text_add_string(text, family->name);
	text_add_string(text, suffix);
	for (unsigned i = 0; i < LABELS_MAX && family->labels[i] != NULL; i++) {
		text_add_string(text, separator);
		text_add_string(text, family->labels[i]);
		text_add_string(text, "=\"");
		add_escaped(text, series->labels[i]);
		text_add_string(text, "\"");
		separator = ",";
	}
	if (end != NULL) {
		text_add_string(text, separator);
		text_add_string(text, "le=\"");
		text_add_string(text, end);
		text_add_string(text, "\"");
		separator = ",";
	}
	text_add_string(text, *separator == ',' ? "} " : " ");
	add_number(text, value);
	text_add_string(text, "\n");
}

static void
add_histogram(struct text *text, const struct family *family, const struct series *series)
{
	const char *const *ends = scales[family->scale];
	uint64_t sum = 0;
	for (unsigned i = 0; i < BUCKETS_MAX && ends[i] != NULL; i++) {
		sum += series->buckets[i];
		add_sample(text, family, "_bucket", series, ends[i], (double)sum);
	}
	add_sample(text, family, "_bucket", series, "+Inf", (double)series->count);
	add_sample(text, family, "_sum", series, NULL, series->value);
	add_sample(text, family, "_count", series, NULL, (double)series->count);
}

static void
add_line(struct text *text, const char *word, const char *name, const char *suffix, const char *value)
{
	text_add_string(text, "# ");
	text_add_string(text, word);
	text_add_string(text, " ");
	text_add_string(text, name);
	text_add_string(text, suffix);
	text_add_string(text, " ");
	text_add_string(text, value);
	text_add_string(text, "\n");
}

/* The text format names a family as its samples, OpenMetrics without their suffix. */
static void
add_head(struct text *text, const struct family *family, const char *suffix, bool openmetrics)
{
	static const char *const types[] = {
	    [METRICS_COUNTER] = "counter",
	    [METRICS_GAUGE] = "gauge",
	    [METRICS_HISTOGRAM] = "histogram",
	    [METRICS_INFO] = "info",
	};
	bool plain_info = family->type == METRICS_INFO && !openmetrics;
	if (openmetrics)
		suffix = "";
	add_line(text, "HELP", family->name, suffix, family->help);
	add_line(text, "TYPE", family->name, suffix, plain_info ? "gauge" : types[family->type]);
	if (openmetrics && family->unit != NULL)
		add_line(text, "UNIT", family->name, suffix, family->unit);
}

void
metrics_write(const struct metrics *metrics, bool openmetrics, struct text *text)
{
	for (unsigned id = 0; id < METRICS_COUNT; id++) {
		const struct family *family = &families[id];
		const char *suffix = family->type == METRICS_COUNTER ? "_total"
		                     : family->type == METRICS_INFO  ? "_info"
		                                                     : "";
		if (metrics->series[id] != NULL)
			add_head(text, family, suffix, openmetrics);
		for (const struct series *s = metrics->series[id]; s != NULL; s = s->next) {
			if (family->type == METRICS_HISTOGRAM)
				add_histogram(text, family, s);
			else
				add_sample(text, family, suffix, s, NULL, s->value);
		}
	}
	if (openmetrics)
		text_add_string(text, "# EOF\n");
}

/* Negotiation ------------------------------------------------------------------------------------------------------ */

/* Whether the item "type/subtype;name=value;q=0.5" is of that type and, where it names one, of that version. */
static bool
item_is(const char *item, size_t len, const char *type, const char *version, double *ret_q)
{
	size_t n = strcspn(item, ";,");
	double q = 1;
	while (n > 0 && (item[n - 1] == ' ' || item[n - 1] == '\t'))
		n--;
	if (n != strlen(type) || strncasecmp(item, type, n) != 0)
		return false;
	const char *at = item;
	while ((at = memchr(at, ';', len - (size_t)(at - item))) != NULL) {
		at += 1 + strspn(at + 1, " \t");
		if (strncasecmp(at, "q=", 2) == 0)
			q = strtod(at + 2, NULL);
		if (strncasecmp(at, "version=", 8) == 0) {
			const char *value = at + 8;
			n = strcspn(value, ";, \t");
			if (n != strlen(version) || strncmp(value, version, n) != 0)
				return false;
		}
	}
	*ret_q = isfinite(q) ? q : 0;
	return true;
}

bool
metrics_prefers_openmetrics(const char *accept)
{
	double best = 0;
	double plain = 0;
	double q;
	while (accept != NULL && *accept != '\0') {
		accept += strspn(accept, ", \t");
		size_t len = strcspn(accept, ",");
		if (item_is(accept, len, "application/openmetrics-text", "1.0.0", &q) && q > best)
			best = q;
		else if (item_is(accept, len, "text/plain", "0.0.4", &q) && q > plain)
			plain = q;
		accept += len;
	}
	return best > 0 && best >= plain;
}
