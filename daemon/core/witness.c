/* Example tickets by search over cases.
 *
 *   dimension      plan               channel         severity    opened_at
 *   values         gold silver other  console other   0 1 2 3     now 2027-01-01
 *   of each value, one bit for each policy: whether all that the policy asks of this dimension holds
 *
 * A ticket is one value of each dimension, and the policies that match it are the AND of their bits. A search wants
 * the bit of one policy to be left and those of all before it to be gone. Of values with the same bits one is enough,
 * and a value whose bits include another's is never the better choice. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "witness_internal.h"

/* Past so many steps a search is given up. */
#define STEPS_MAX 200000

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
	else if (r == -ENOENT && space->partial)
		r = -EAGAIN;
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
