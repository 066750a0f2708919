/* What the two halves of the witness share: witness_values.c finds the cases, witness.c searches them. */
#ifndef SLATED_CORE_WITNESS_INTERNAL_H
#define SLATED_CORE_WITNESS_INTERNAL_H

#include "slated/witness.h"

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
	bool partial; /* some values are missing: there were too many */
};

/* Gives the facts that value of the dimension; `custom` has room for one more. */
void facts_take(struct facts *facts, const struct dimension *dimension, const struct value *value,
                struct custom_attribute *custom);

#endif
