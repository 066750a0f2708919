/* The two forms of `slatectl due`'s answer. */
#include "due_print.h"

#include <errno.h>
#include <jansson.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slated/config.h"
#include "slated/reasons.h"
#include "slated/words.h"
#include "stretch_table.h"

enum {
	COLUMN_METRIC,
	COLUMN_POLICY,
	COLUMN_TARGET,
	COLUMN_CALENDAR,
	COLUMN_DUE,
	COLUMN_LOCAL,
	COLUMN_CHANNEL,
};

struct level_at {
	const struct level *level;
	struct duration point;
};

/* The levels inside the budget in the order in which they fire. */
static size_t
levels_sort(const struct due_answer *answer, struct level_at ret[static LEVEL_MAX])
{
	size_t n = 0;

	if (instant_equal(answer->due, INSTANT_NEVER))
		return 0;
	for (size_t i = 0; i < answer->target->n_levels; i++) {
		const struct level *level = &answer->target->levels[i];
		struct duration point = level_point(level, answer->budget);
		size_t at = n;

		if (point.us < 0)
			continue;
		for (; at > 0 && point.us < ret[at - 1].point.us; at--)
			ret[at] = ret[at - 1];
		ret[at] = (struct level_at){level, point};
		n++;
	}
	return n;
}

static int
cell_set(struct libscols_line *line, size_t column, const char *text)
{
	return scols_line_set_data(line, column, text) < 0 ? -ENOMEM : 0;
}

static int
cells_set_instant(struct libscols_line *line, const struct target *target, struct instant at)
{
	char utc[INSTANT_TEXT_SIZE], local[WORDS_SIZE];

	instant_format(at, utc);
	words_local(calendar_zone(target->calendar), at, local);
	int r = cell_set(line, COLUMN_DUE, utc);
	return r < 0 ? r : cell_set(line, COLUMN_LOCAL, local);
}

struct libscols_table *
due_table_new(bool with_channel)
{
	static const char *const names[] = {"METRIC", "POLICY", "TARGET", "CALENDAR", "DUE", "LOCAL", "CHANNEL"};
	size_t n = with_channel ? COLUMN_CHANNEL + 1 : COLUMN_CHANNEL;
	struct libscols_table *table = scols_new_table();

	for (size_t i = 0; table != NULL && i < n; i++) {
		if (scols_table_new_column(table, names[i], 0, 0) == NULL) {
			scols_unref_table(table);
			table = NULL;
		}
	}
	return table;
}

static int
due_table_add_levels(struct libscols_table *table, const struct due_answer *answer)
{
	struct level_at levels[LEVEL_MAX];
	size_t n = levels_sort(answer, levels);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct libscols_line *line = scols_table_new_line(table, NULL);
		struct calendar *calendar = answer->target->calendar;
		struct instant at = calendar_add(calendar, answer->opened, levels[i].point);
		char text[WORDS_SIZE];

		if (line == NULL)
			return -ENOMEM;
		(void)snprintf(text, sizeof text, "  at risk %s", levels[i].level->text);
		r = cell_set(line, COLUMN_TARGET, text);
		if (r == 0)
			r = cells_set_instant(line, answer->target, at);
	}
	return r;
}

int
due_table_add(struct libscols_table *table, const struct due_answer *answer)
{
	const struct target *target = answer->target;
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char text[WORDS_SIZE];

	if (line == NULL)
		return -ENOMEM;
	words_target(target, text);
	int r = cell_set(line, COLUMN_METRIC, metric_names[target->metric]);
	if (r == 0)
		r = cell_set(line, COLUMN_POLICY, answer->policy->name);
	if (r == 0)
		r = cell_set(line, COLUMN_TARGET, text);
	if (r == 0)
		r = cell_set(line, COLUMN_CALENDAR, calendar_name(target->calendar));
	if (r == 0 && scols_table_get_ncols(table) > COLUMN_CHANNEL)
		r = cell_set(line, COLUMN_CHANNEL, answer->channel);
	if (r == 0 && instant_equal(answer->due, INSTANT_NEVER))
		return cell_set(line, COLUMN_DUE, "over ten years away");
	if (r == 0)
		r = cells_set_instant(line, target, answer->due);
	return r < 0 ? r : due_table_add_levels(table, answer);
}

int
due_explain_print(const struct due_answer *answer, const struct stretch *spans, size_t n)
{
	const struct target *target = answer->target;
	struct libscols_table *table = stretch_table_new();
	char text[WORDS_SIZE];
	int r = table == NULL ? -ENOMEM : 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = stretch_table_add(table, calendar_zone(target->calendar), &spans[i],
		                      spans[i].counted ? "counted" : "skipped", NULL);
	if (r == 0) {
		words_target(target, text);
		printf("\n%s %s, calendar %s, time zone %s", metric_names[target->metric], text,
		       calendar_name(target->calendar), zone_name(calendar_zone(target->calendar)));
		if (answer->channel != NULL)
			printf(", channel %s", answer->channel);
		putchar('\n');
		if (scols_print_table(table) < 0)
			r = -ENOMEM;
	}
	scols_unref_table(table);
	return r;
}

/* What a policy before the one that counts says to these facts. */
static int
mismatch_text(const struct due_facts *given, const struct policy *policy, struct text *text)
{
	text_empty(text);
	reasons_add_mismatch(text, given->config->policies, policy, given->facts, given->opened);
	return text->failed ? -ENOMEM : 0;
}

static size_t
passed_over_count(const struct due_facts *given)
{
	const struct policy_set *set = given->config->policies;

	return given->policy != NULL ? (size_t)(given->policy - set->policies) : set->n_policies;
}

int
due_reasons_print(const struct due_facts *given)
{
	const struct policy_set *set = given->config->policies;
	size_t n = passed_over_count(given);
	struct text text = {0};
	int r = 0;

	putchar('\n');
	if (given->policy != NULL) {
		reasons_add_match(&text, &given->policy->match);
		if (!text.failed)
			printf("Policy %s was the first that fits: %s.\n", given->policy->name, text.data);
		r = text.failed ? -ENOMEM : 0;
	}
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = mismatch_text(given, &set->policies[i], &text);
		if (r == 0)
			printf("Policy %s does not fit: %s.\n", set->policies[i].name, text.data);
	}
	printf("Counted by configuration %.12s", given->config->digest);
	if (given->config->tzdata[0] != '\0')
		printf(", and version %s of the time zone data", given->config->tzdata);
	puts(".");
	free(text.data);
	return r;
}

static json_t *
instant_json(struct instant at)
{
	char text[INSTANT_TEXT_SIZE];

	instant_format(at, text);
	return json_string(text);
}

static json_t *
seconds_json(struct duration length)
{
	if (length.us % US_PER_S == 0)
		return json_integer(length.us / US_PER_S);
	return json_real((double)length.us / (double)US_PER_S);
}

/* Takes the value over; NULL is a failed allocation. */
static void
member_add(json_t *object, const char *key, json_t *value, int *error)
{
	if (json_object_set_new(object, key, value) < 0)
		*error = -ENOMEM;
}

static json_t *
levels_json(const struct due_answer *answer, int *error)
{
	struct level_at levels[LEVEL_MAX];
	size_t n = levels_sort(answer, levels);
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *level = json_object();
		struct instant at = calendar_add(answer->target->calendar, answer->opened, levels[i].point);

		member_add(level, "level", json_string(levels[i].level->text), error);
		member_add(level, "at", instant_json(at), error);
		if (json_array_append_new(array, level) < 0)
			*error = -ENOMEM;
	}
	return array;
}

static json_t *
change_json(const struct stretch *span, int *error)
{
	json_t *change = json_object();
	char text[WORDS_SIZE];

	member_add(change, "at", instant_json(span->change), error);
	words_offset(span->offset_before, text);
	member_add(change, "from", json_string(text), error);
	words_offset(span->offset_after, text);
	member_add(change, "to", json_string(text), error);
	return change;
}

static json_t *
spans_json(const struct stretch *spans, size_t n, int *error)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *span = json_object();

		member_add(span, "from", instant_json(spans[i].from), error);
		member_add(span, "to", instant_json(spans[i].to), error);
		member_add(span, "counted", json_boolean(spans[i].counted), error);
		member_add(span, "seconds", seconds_json(instant_since(spans[i].to, spans[i].from)), error);
		member_add(span, "sum_seconds", seconds_json(spans[i].sum), error);
		if (spans[i].why[0] != '\0')
			member_add(span, "why", json_string(spans[i].why), error);
		if (spans[i].business_day > 0)
			member_add(span, "business_day", json_integer(spans[i].business_day), error);
		if (!instant_equal(spans[i].change, INSTANT_NEVER))
			member_add(span, "clocks_change", change_json(&spans[i], error), error);
		if (json_array_append_new(array, span) < 0)
			*error = -ENOMEM;
	}
	return array;
}

static json_t *
head_json(const char *plan, const char *severity, const char *channel, int *error)
{
	json_t *object = json_object();

	if (plan != NULL)
		member_add(object, "plan", json_string(plan), error);
	member_add(object, "severity", json_string(severity), error);
	if (channel != NULL)
		member_add(object, "channel", json_string(channel), error);
	return object;
}

/* Prints the object and lets it go. */
static int
object_print(json_t *object, int error)
{
	char *text = error < 0 ? NULL : json_dumps(object, 0);

	json_decref(object);
	if (text == NULL)
		return -ENOMEM;
	puts(text);
	free(text);
	return 0;
}

static json_t *
passed_over_json(const struct due_facts *given, int *error)
{
	const struct policy_set *set = given->config->policies;
	json_t *array = json_array();
	struct text text = {0};

	for (size_t i = 0; *error == 0 && i < passed_over_count(given); i++) {
		json_t *policy = json_object();
		*error = mismatch_text(given, &set->policies[i], &text);
		member_add(policy, "policy", json_string(set->policies[i].name), error);
		if (*error == 0)
			member_add(policy, "why", json_string(text.data), error);
		if (json_array_append_new(array, policy) < 0)
			*error = -ENOMEM;
	}
	free(text.data);
	return array;
}

static void
given_json(json_t *object, const struct due_facts *given, int *error)
{
	member_add(object, "passed_over", passed_over_json(given, error), error);
	member_add(object, "configuration", json_string(given->config->digest), error);
	if (given->config->tzdata[0] != '\0')
		member_add(object, "tzdata", json_string(given->config->tzdata), error);
}

int
due_json_print(const struct due_answer *answer, const struct stretch *spans, size_t n)
{
	const struct target *target = answer->target;
	char text[WORDS_SIZE];
	int error = 0;
	json_t *object = head_json(answer->plan, answer->severity, answer->channel, &error);

	member_add(object, "metric", json_string(metric_names[target->metric]), &error);
	member_add(object, "policy", json_string(answer->policy->name), &error);
	member_add(object, "calendar", json_string(calendar_name(target->calendar)), &error);
	words_target(target, text);
	member_add(object, "target", json_string(text), &error);
	if (!instant_equal(answer->due, INSTANT_NEVER)) {
		member_add(object, "due_at", instant_json(answer->due), &error);
		member_add(object, "budget_seconds", seconds_json(answer->budget), &error);
	}
	member_add(object, "levels", levels_json(answer, &error), &error);
	if (answer->given != NULL)
		given_json(object, answer->given, &error);
	if (spans != NULL)
		member_add(object, "explain", spans_json(spans, n, &error), &error);
	return object_print(object, error);
}

int
due_json_print_none(const char *plan, const char *severity, const char *channel, const struct policy *policy,
                    const char *reason, const struct due_facts *given)
{
	int error = 0;
	json_t *object = head_json(plan, severity, channel, &error);

	if (policy != NULL)
		member_add(object, "policy", json_string(policy->name), &error);
	member_add(object, "reason", json_string(reason), &error);
	if (given != NULL)
		given_json(object, given, &error);
	return object_print(object, error);
}
