/* Example tickets by search over cases.
 *
 *   dimension      plan               channel         severity    opened_at
 *   values         gold silver other  console other   0 1 2 3     now 2027-01-01
 *   of each value, one bit for each policy: whether all that the policy asks of this dimension holds
 *
 * A ticket is one value of each dimension, and the policies that match it are the AND of their bits. A search wants
 * the bit of one policy to be left and those of all before it to be gone. Of values with the same bits one is enough,
 * and a value whose bits include another's is never the better choice. */
#include "slated/witness.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Past so many steps a search is given up. */
#define STEPS_MAX 200000

struct value {
	char *text;        /* of attributes; NULL: the ticket lacks it */
	const char *named; /* the pattern that it stands for, or NULL */
	unsigned index;    /* of a severity or status */
	struct instant opened_at;
	uint64_t *holds;
};

struct dimension {
	enum { DIMENSION_ATTRIBUTE, DIMENSION_CUSTOM, DIMENSION_SEVERITY, DIMENSION_STATUS, DIMENSION_OPENED } kind;
	enum attribute attribute;
	const char *key;
	struct value *values;
	size_t n;
};

struct witness_space {
	const struct policy_set *set;
	struct instant now;
	size_t n_words; /* of a bit set over policies */
	struct dimension *dimensions;
	size_t n;
};

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

/* `pattern` with `star` in the place of each star and "0" in that of each question mark. */
static int
value_add_expanded(struct dimension *dimension, const char *pattern, const char *star)
{
	struct text text = {0};

	text_add_string(&text, "");
	for (; *pattern != '\0'; pattern++) {
		if (*pattern == '*')
			text_add_string(&text, star);
		else
			text_add(&text, *pattern == '?' ? "0" : pattern, 1);
	}
	int r = text.failed ? -ENOMEM : value_add_text(dimension, text.data, NULL);
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

typedef int pattern_use(struct dimension *dimension, const char *pattern, const void *arg);

/* Calls `use` for every pattern that policies write of the dimension. */
static int
each_pattern(const struct policy_set *set, struct dimension *dimension, pattern_use *use, const void *arg)
{
	int r = 0;

	for (size_t i = 0; i < set->n_policies; i++) {
		const struct match *match = &set->policies[i].match;
		for (size_t j = 0; j < match->n_conditions; j++) {
			const struct condition *condition = &match->conditions[j];
			if (!condition_is_of(condition, dimension))
				continue;
			for (size_t k = 0; r == 0 && k < condition->n_any_of; k++)
				r = use(dimension, condition->any_of[k], arg);
			for (size_t k = 0; r == 0 && k < condition->n_none_of; k++)
				r = use(dimension, condition->none_of[k], arg);
		}
	}
	return r;
}

static bool
pattern_is_literal(const char *pattern)
{
	return strcspn(pattern, "*?") == strlen(pattern);
}

static int
use_literal(struct dimension *dimension, const char *pattern, const void *arg)
{
	(void)arg;
	return pattern_is_literal(pattern) ? value_add_text(dimension, pattern, pattern) : 0;
}

/* What a pattern's stars may stand for: something that no pattern has, or nothing. The former fits another pattern only
 * where all that this one fits does. */
static int
use_wildcards(struct dimension *dimension, const char *pattern, const void *arg)
{
	(void)arg;
	if (pattern_is_literal(pattern))
		return 0;
	size_t before = dimension->n;
	int r = value_add_expanded(dimension, pattern, "-1");
	if (r == 0 && dimension->n > before)
		dimension->values[before].named = pattern;
	if (r == 0)
		r = value_add_expanded(dimension, pattern, "~1~~~~~~");
	return r < 0 ? r : value_add_expanded(dimension, pattern, "");
}

/* What fits two patterns at once: the one, with the other where its stars are. */
static int
use_inside(struct dimension *dimension, const char *pattern, const void *arg)
{
	const char *outer = arg;
	struct text text = {0};

	if (strcmp(outer, pattern) == 0)
		return 0;
	for (const char *c = pattern; *c != '\0'; c++)
		if (*c != '*')
			text_add(&text, *c == '?' ? "0" : c, 1);
	text_add_string(&text, "");
	int r = text.failed ? -ENOMEM : value_add_expanded(dimension, outer, text.data);
	free(text.data);
	return r;
}

static int
use_outer(struct dimension *dimension, const char *pattern, const void *arg)
{
	return pattern_is_literal(pattern) ? 0 : each_pattern(arg, dimension, use_inside, pattern);
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
values_add_texts(const struct policy_set *set, struct dimension *dimension)
{
	int r = each_pattern(set, dimension, use_literal, NULL);

	if (r == 0)
		r = values_add_bounds(set, dimension);
	if (r == 0)
		r = value_add_text(dimension, "other", NULL);
	if (r == 0)
		r = each_pattern(set, dimension, use_wildcards, NULL);
	if (r == 0)
		r = each_pattern(set, dimension, use_outer, set);
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
values_add(const struct policy_set *set, struct instant now, struct dimension *dimension)
{
	size_t n = dimension->kind == DIMENSION_SEVERITY ? set->n_severities : STATUS_COUNT;
	int r = 0;

	if (dimension->kind == DIMENSION_OPENED)
		return values_add_opened(set, now, dimension);
	if (dimension->kind == DIMENSION_ATTRIBUTE || dimension->kind == DIMENSION_CUSTOM)
		return values_add_texts(set, dimension);
	for (unsigned i = 0; r == 0 && i < n; i++)
		r = value_add(dimension, (struct value){.index = i}, NULL);
	return r;
}

/* Bits ------------------------------------------------------------------------------------------------------------- */

static void
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
	int r = values_add(space->set, space->now, dimension);

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

/* Search ----------------------------------------------------------------------------------------------------------- */

/* What is left of a dimension for one search. */
struct choice {
	const struct value **values;
	size_t n;
	const struct value *taken;
};

struct search {
	const struct witness_space *space;
	size_t policy;      /* whose bit is to be left; the set's number of policies: none's */
	size_t n_rivals;    /* the first so many policies are to be gone */
	uint64_t *matching; /* for each depth, the policies that match what has been taken before */
	struct choice *choices;
	unsigned steps;
};

static uint64_t
rival_bits(const struct search *search, size_t word)
{
	if (search->n_rivals >= (word + 1) * 64)
		return UINT64_MAX;
	return search->n_rivals > word * 64 ? (UINT64_C(1) << (search->n_rivals - word * 64)) - 1 : 0;
}

/* Whether all rivals that `b` matches, `a` matches too. */
static bool
value_includes(const struct search *search, const struct value *a, const struct value *b)
{
	for (size_t i = 0; i < search->space->n_words; i++)
		if ((b->holds[i] & ~a->holds[i] & rival_bits(search, i)) != 0)
			return false;
	return true;
}

static bool
value_is_wanted(const struct search *search, const struct dimension *dimension, const struct value *value,
                const struct witness_limits *limits)
{
	if (search->policy < search->space->set->n_policies &&
	    (value->holds[search->policy / 64] >> search->policy % 64 & 1) == 0)
		return false;
	if (dimension->kind == DIMENSION_SEVERITY && (limits->severities >> value->index & 1) == 0)
		return false;
	return limits->plan == NULL || dimension->kind != DIMENSION_ATTRIBUTE ||
	       dimension->attribute != ATTRIBUTE_PLAN ||
	       (value->text != NULL && strcmp(value->text, limits->plan) == 0);
}

/* Leaves the least of the values; of equal ones the first, but where all are equal the last, "the ticket has none".
 * False where none is left. */
static bool
choice_make(const struct search *search, const struct dimension *dimension, const struct witness_limits *limits,
            struct choice *choice)
{
	for (size_t i = 0; i < dimension->n; i++) {
		const struct value *value = &dimension->values[i];
		bool least = value_is_wanted(search, dimension, value, limits);
		size_t kept = 0;

		for (size_t j = 0; least && j < choice->n; j++)
			least = !value_includes(search, value, choice->values[j]);
		if (!least)
			continue;
		for (size_t j = 0; j < choice->n; j++)
			if (!value_includes(search, choice->values[j], value))
				choice->values[kept++] = choice->values[j];
		choice->values[kept++] = value;
		choice->n = kept;
	}
	const struct value *last = &dimension->values[dimension->n - 1];
	bool texts = dimension->kind == DIMENSION_ATTRIBUTE || dimension->kind == DIMENSION_CUSTOM;
	bool equal = texts && value_is_wanted(search, dimension, last, limits);
	for (size_t i = 0; equal && i < dimension->n; i++)
		equal = value_includes(search, &dimension->values[i], last) &&
		        value_includes(search, last, &dimension->values[i]);
	if (equal) {
		choice->values[0] = last;
		choice->n = 1;
	}
	return choice->n > 0;
}

/* 0; -ENOENT; -EAGAIN. */
static int
search_from(struct search *search, size_t depth)
{
	const struct witness_space *space = search->space;
	const uint64_t *matching = &search->matching[depth * space->n_words];
	uint64_t *next = &search->matching[(depth + 1) * space->n_words];

	if (depth == space->n) {
		for (size_t i = 0; i < space->n_words; i++)
			if ((matching[i] & rival_bits(search, i)) != 0)
				return -ENOENT;
		return 0;
	}
	struct choice *choice = &search->choices[depth];
	for (size_t i = 0; i < choice->n; i++) {
		if (++search->steps > STEPS_MAX)
			return -EAGAIN;
		choice->taken = choice->values[i];
		for (size_t j = 0; j < space->n_words; j++)
			next[j] = matching[j] & choice->taken->holds[j];
		int r = search_from(search, depth + 1);
		if (r != -ENOENT)
			return r;
	}
	return -ENOENT;
}

static int
search_tell(const struct search *search, struct witness *ret)
{
	const struct witness_space *space = search->space;
	struct witness witness = {.opened_at = INSTANT_NEVER, .custom = calloc(space->n, sizeof *witness.custom)};

	if (witness.custom == NULL)
		return -ENOMEM;
	witness.facts.custom = witness.custom;
	for (size_t i = 0; i < space->n; i++) {
		const struct value *taken = search->choices[i].taken;
		facts_take(&witness.facts, &space->dimensions[i], taken, witness.custom);
		if (space->dimensions[i].kind == DIMENSION_OPENED && !instant_equal(taken->opened_at, space->now))
			witness.opened_at = taken->opened_at;
	}
	*ret = witness;
	return 0;
}

static int
search_run(struct search *search, const struct witness_limits *limits, struct witness *ret)
{
	const struct witness_space *space = search->space;
	int r = 0;

	search->choices = calloc(space->n, sizeof *search->choices);
	search->matching = calloc((space->n + 1) * space->n_words, sizeof *search->matching);
	if (search->choices == NULL || search->matching == NULL)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < space->n; i++) {
		struct choice *choice = &search->choices[i];
		choice->values = calloc(space->dimensions[i].n, sizeof(*choice->values));
		if (choice->values == NULL)
			r = -ENOMEM;
		else if (!choice_make(search, &space->dimensions[i], limits, choice))
			r = -ENOENT;
	}
	if (r == 0) {
		memset(search->matching, 0xff, space->n_words * sizeof *search->matching);
		r = search_from(search, 0);
	}
	if (r == 0)
		r = search_tell(search, ret);
	for (size_t i = 0; search->choices != NULL && i < space->n; i++)
		free(search->choices[i].values);
	free(search->choices);
	free(search->matching);
	return r;
}

int
witness_find(const struct witness_space *space, const struct policy *policy, const struct witness_limits *limits,
             struct witness *ret)
{
	const struct policy_set *set = space->set;
	size_t index = policy != NULL ? (size_t)(policy - set->policies) : set->n_policies;
	struct search search = {.space = space, .policy = index, .n_rivals = index};

	return search_run(&search, limits, ret);
}

int
witness_match(const struct witness_space *space, const struct policy *policy, struct witness *ret)
{
	const struct witness_limits all = {.severities = SEVERITY_ALL};
	struct search search = {.space = space, .policy = (size_t)(policy - space->set->policies)};

	return search_run(&search, &all, ret);
}

/* Words ------------------------------------------------------------------------------------------------------------ */

void
witness_describe(const struct policy_set *set, const struct witness *witness, struct text *text)
{
	const struct facts *facts = &witness->facts;

	for (int i = 0; i < ATTRIBUTE_COUNT; i++)
		if (facts->attributes[i] != NULL)
			text_add_format(text, "%s \"%s\", ", attribute_names[i], facts->attributes[i]);
	for (size_t i = 0; i < facts->n_custom; i++)
		text_add_format(text, "attributes.%s \"%s\", ", facts->custom[i].key, facts->custom[i].value);
	if (facts->status != STATUS_OPEN)
		text_add_format(text, "status %s, ", status_names[facts->status]);
	text_add_format(text, "severity %s", set->severities[facts->severity].name);
	if (!instant_equal(witness->opened_at, INSTANT_NEVER)) {
		char at[INSTANT_TEXT_SIZE];
		(void)instant_format(witness->opened_at, at);
		text_add_format(text, ", opened %s", at);
	}
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
