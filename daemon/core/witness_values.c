/* The cases of each dimension: few values stand for all that a ticket can have there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "slated/globs.h"
#include "witness_internal.h"

/* Values ----------------------------------------------------------------------------------------------------------- */

/* Adds a value with a copy of the text, unless another has that; NULL: the ticket lacks it, or it has none. */
static int
value_add(struct dimension *dimension, struct value value, const char *text)
{
	for (size_t i = 0; text != NULL && i < dimension->n; i++)
		if (dimension->values[i].text != NULL && strcasecmp(dimension->values[i].text, text) == 0)
			return 0;
	struct value *grown = reallocarray(dimension->values, dimension->n + 1, sizeof *grown);
	if (grown == NULL)
		return -ENOMEM;
	dimension->values = grown;
	if (text != NULL) {
		value.text = strdup(text);
		if (value.text == NULL)
			return -ENOMEM;
	}
	grown[dimension->n++] = value;
	return 0;
}

static int
value_add_text(struct dimension *dimension, const char *text, const char *named)
{
	return value_add(dimension, (struct value){.named = named}, text);
}

/* The pattern with "-1" in the place of each star and "0" in that of each question mark. */
static int
value_add_expanded(struct dimension *dimension, const char *pattern)
{
	struct text text = {0};

	text_add_string(&text, "");
	for (const char *c = pattern; *c != '\0'; c++) {
		if (*c == '*')
			text_add_string(&text, "-1");
		else
			text_add(&text, *c == '?' ? "0" : c, 1);
	}
	int r = text.failed ? -ENOMEM : value_add_text(dimension, text.data, pattern);
	free(text.data);
	return r;
}

static bool
condition_is_of(const struct condition *condition, const struct dimension *dimension)
{
	switch (dimension->kind) {
	case DIMENSION_ATTRIBUTE:
		return condition->kind == CONDITION_ATTRIBUTE && condition->attribute == dimension->attribute;
	case DIMENSION_CUSTOM:
		return condition->kind == CONDITION_CUSTOM && strcmp(condition->key, dimension->key) == 0;
	case DIMENSION_SEVERITY:
		return condition->kind == CONDITION_SEVERITY;
	case DIMENSION_STATUS:
		return condition->kind == CONDITION_STATUS;
	case DIMENSION_OPENED:
		break;
	}
	return false;
}

/* All patterns that policies write of a dimension. */
struct patterns {
	const char **items;
	size_t n;
	bool wild; /* some have "*" or "?" */
};

static bool
pattern_is_literal(const char *pattern)
{
	return strcspn(pattern, "*?") == strlen(pattern);
}

static int
patterns_add(struct patterns *patterns, char *const *items, size_t n)
{
	if (n == 0)
		return 0;
	const char **grown = reallocarray(patterns->items, patterns->n + n, sizeof *grown);
	if (grown == NULL)
		return -ENOMEM;
	patterns->items = grown;
	for (size_t i = 0; i < n; i++) {
		grown[patterns->n++] = items[i];
		patterns->wild = patterns->wild || !pattern_is_literal(items[i]);
	}
	return 0;
}

/* The caller frees the items, after failure, too. */
static int
patterns_find(const struct policy_set *set, const struct dimension *dimension, struct patterns *patterns)
{
	int r = 0;

	for (size_t i = 0; i < set->n_policies; i++) {
		const struct match *match = &set->policies[i].match;
		for (size_t j = 0; j < match->n_conditions; j++) {
			const struct condition *condition = &match->conditions[j];
			if (!condition_is_of(condition, dimension))
				continue;
			if (r == 0)
				r = patterns_add(patterns, condition->any_of, condition->n_any_of);
			if (r == 0)
				r = patterns_add(patterns, condition->none_of, condition->n_none_of);
		}
	}
	return r;
}

static int
use_example(void *arg, const char *text)
{
	return value_add_text(arg, text, NULL);
}

/* A bound, and what comes right before and behind it. */
static int
value_add_bound(struct dimension *dimension, const char *bound)
{
	struct text text = {0};
	int r = value_add_text(dimension, bound, bound);

	text_add_format(&text, "%s.0.1", bound);
	if (r == 0)
		r = text.failed ? -ENOMEM : value_add_text(dimension, text.data, NULL);
	text_empty(&text);
	text_add_format(&text, "%s-0", bound);
	if (r == 0)
		r = text.failed ? -ENOMEM : value_add_text(dimension, text.data, NULL);
	free(text.data);
	return r;
}

static int
values_add_bounds(const struct policy_set *set, struct dimension *dimension)
{
	bool any = false;
	int r = 0;

	for (size_t i = 0; i < set->n_policies; i++) {
		const struct match *match = &set->policies[i].match;
		for (size_t j = 0; r == 0 && j < match->n_conditions; j++) {
			const struct condition *condition = &match->conditions[j];
			if (!condition_is_of(condition, dimension))
				continue;
			any = any || condition->at_least != NULL || condition->at_most != NULL;
			if (condition->at_least != NULL)
				r = value_add_bound(dimension, condition->at_least);
			if (r == 0 && condition->at_most != NULL)
				r = value_add_bound(dimension, condition->at_most);
		}
	}
	return r == 0 && any ? value_add_text(dimension, "0-0", NULL) : r;
}

/* Texts in the order in which they make good examples; the last one is that the ticket has none. */
static int
values_add_patterns(struct witness_space *space, struct dimension *dimension, const struct patterns *patterns)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < patterns->n; i++)
		if (pattern_is_literal(patterns->items[i]))
			r = value_add_text(dimension, patterns->items[i], patterns->items[i]);
	if (r == 0)
		r = values_add_bounds(space->set, dimension);
	if (r == 0)
		r = value_add_text(dimension, "other", NULL);
	for (size_t i = 0; r == 0 && i < patterns->n; i++)
		if (!pattern_is_literal(patterns->items[i]))
			r = value_add_expanded(dimension, patterns->items[i]);
	if (r == 0 && patterns->wild)
		r = globs_each(patterns->items, patterns->n, use_example, dimension);
	if (r == -E2BIG) {
		space->partial = true;
		r = 0;
	}
	return r;
}

static int
values_add_texts(struct witness_space *space, struct dimension *dimension)
{
	struct patterns patterns = {0};
	int r = patterns_find(space->set, dimension, &patterns);

	if (r == 0)
		r = values_add_patterns(space, dimension, &patterns);
	free(patterns.items);
	if (r == 0)
		r = value_add_text(dimension, "~", NULL);
	return r < 0 ? r : value_add(dimension, (struct value){0}, NULL);
}

static int
values_add_opened(const struct policy_set *set, struct instant now, struct dimension *dimension)
{
	int r = value_add(dimension, (struct value){.opened_at = now}, NULL);

	for (size_t i = 0; r == 0 && i < set->n_policies; i++) {
		const struct policy *policy = &set->policies[i];
		if (instant_before(now, policy->effective_from))
			r = value_add(dimension, (struct value){.opened_at = policy->effective_from}, NULL);
		if (r == 0 && instant_before(now, policy->effective_until) &&
		    !instant_equal(policy->effective_until, INSTANT_NEVER))
			r = value_add(dimension, (struct value){.opened_at = policy->effective_until}, NULL);
	}
	return r;
}

static int
values_add(struct witness_space *space, struct dimension *dimension)
{
	size_t n = dimension->kind == DIMENSION_SEVERITY ? space->set->n_severities : STATUS_COUNT;
	int r = 0;

	if (dimension->kind == DIMENSION_OPENED)
		return values_add_opened(space->set, space->now, dimension);
	if (dimension->kind == DIMENSION_ATTRIBUTE || dimension->kind == DIMENSION_CUSTOM)
		return values_add_texts(space, dimension);
	for (unsigned i = 0; r == 0 && i < n; i++)
		r = value_add(dimension, (struct value){.index = i}, NULL);
	return r;
}

/* Bits ------------------------------------------------------------------------------------------------------------- */

void
facts_take(struct facts *facts, const struct dimension *dimension, const struct value *value,
           struct custom_attribute *custom)
{
	switch (dimension->kind) {
	case DIMENSION_ATTRIBUTE:
		facts->attributes[dimension->attribute] = value->text;
		break;
	case DIMENSION_CUSTOM:
		if (value->text != NULL)
			custom[facts->n_custom++] = (struct custom_attribute){dimension->key, value->text};
		break;
	case DIMENSION_SEVERITY:
		facts->severity = value->index;
		break;
	case DIMENSION_STATUS:
		facts->status = (enum status)value->index;
		break;
	case DIMENSION_OPENED:
		break;
	}
}

static bool
value_holds(const struct policy_set *set, const struct dimension *dimension, const struct value *value,
            const struct policy *policy)
{
	struct custom_attribute custom;
	struct facts facts = {.custom = &custom};

	if (dimension->kind == DIMENSION_OPENED)
		return policy_is_in_effect(policy, value->opened_at);
	facts_take(&facts, dimension, value, &custom);
	for (size_t i = 0; i < policy->match.n_conditions; i++) {
		const struct condition *condition = &policy->match.conditions[i];
		if (condition_is_of(condition, dimension) && !condition_holds(set, condition, &facts))
			return false;
	}
	return true;
}

static int
dimension_finish(struct witness_space *space, struct dimension *dimension)
{
	int r = values_add(space, dimension);

	for (size_t i = 0; r == 0 && i < dimension->n; i++) {
		struct value *value = &dimension->values[i];
		value->holds = calloc(space->n_words, sizeof *value->holds);
		if (value->holds == NULL)
			return -ENOMEM;
		for (size_t j = 0; j < space->set->n_policies; j++)
			if (value_holds(space->set, dimension, value, &space->set->policies[j]))
				value->holds[j / 64] |= UINT64_C(1) << j % 64;
	}
	return r;
}

static int
dimension_add(struct witness_space *space, struct dimension dimension)
{
	struct dimension *grown = reallocarray(space->dimensions, space->n + 1, sizeof *grown);

	if (grown == NULL)
		return -ENOMEM;
	space->dimensions = grown;
	grown[space->n++] = dimension;
	return dimension_finish(space, &grown[space->n - 1]);
}

static int
dimension_add_custom(struct witness_space *space, const char *key)
{
	for (size_t i = 0; i < space->n; i++)
		if (space->dimensions[i].kind == DIMENSION_CUSTOM && strcmp(space->dimensions[i].key, key) == 0)
			return 0;
	return dimension_add(space, (struct dimension){.kind = DIMENSION_CUSTOM, .key = key});
}

int
witness_space_new(const struct policy_set *set, struct instant now, struct witness_space **ret)
{
	struct witness_space *space = calloc(1, sizeof *space);
	int r = 0;

	if (space == NULL)
		return -ENOMEM;
	space->set = set;
	space->now = now;
	space->n_words = set->n_policies / 64 + 1;
	for (int i = 0; r == 0 && i < ATTRIBUTE_COUNT; i++)
		r = dimension_add(space,
		                  (struct dimension){.kind = DIMENSION_ATTRIBUTE, .attribute = (enum attribute)i});
	for (size_t i = 0; r == 0 && i < set->n_policies; i++)
		for (size_t j = 0; r == 0 && j < set->policies[i].match.n_conditions; j++)
			if (set->policies[i].match.conditions[j].kind == CONDITION_CUSTOM)
				r = dimension_add_custom(space, set->policies[i].match.conditions[j].key);
	if (r == 0)
		r = dimension_add(space, (struct dimension){.kind = DIMENSION_SEVERITY});
	if (r == 0)
		r = dimension_add(space, (struct dimension){.kind = DIMENSION_STATUS});
	if (r == 0)
		r = dimension_add(space, (struct dimension){.kind = DIMENSION_OPENED});
	if (r < 0) {
		witness_space_free(space);
		return r;
	}
	*ret = space;
	return 0;
}

void
witness_space_free(struct witness_space *space)
{
	if (space == NULL)
		return;
	for (size_t i = 0; i < space->n; i++) {
		for (size_t j = 0; j < space->dimensions[i].n; j++) {
			free(space->dimensions[i].values[j].holds);
			free(space->dimensions[i].values[j].text);
		}
		free(space->dimensions[i].values);
	}
	free(space->dimensions);
	free(space);
}

bool
witness_plan(const struct witness_space *space, size_t i, const char **ret_plan, const char **ret_named)
{
	const struct dimension *plans = &space->dimensions[ATTRIBUTE_PLAN];
	size_t n = 0;

	for (size_t j = 0; j < plans->n; j++) {
		const struct value *value = &plans->values[j];
		bool other = value->text != NULL && strcmp(value->text, "~") == 0;
		if ((value->named != NULL || other) && n++ == i) {
			*ret_plan = value->text;
			*ret_named = value->named;
			return true;
		}
	}
	return false;
}
