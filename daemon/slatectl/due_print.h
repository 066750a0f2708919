/* What `slatectl due` says about one target, as rows of a table or as a JSON object. */
#ifndef SLATED_SLATECTL_DUE_PRINT_H
#define SLATED_SLATECTL_DUE_PRINT_H

#include "slated/policy.h"

#include "slated/stretches.h"

struct config;
struct libscols_table;

/* Of what an explanation speaks besides time. */
struct due_facts {
	const struct config *config;
	const struct facts *facts;
	const struct policy *policy; /* that they get, or NULL */
	struct instant opened;
};

/* What is asked for: one target of one policy for one way in. */
struct due_answer {
	const char *plan;     /* or NULL */
	const char *severity; /* as the configuration calls it */
	const char *channel;  /* or NULL */
	const struct policy *policy;
	const struct target *target;
	struct instant opened;
	struct instant due; /* INSTANT_NEVER: over ten years away */
	struct duration budget;
	const struct due_facts *given; /* where it is to be explained, or NULL */
};

/* A table with the columns that due_table_add() fills. NULL where memory ran out. */
struct libscols_table *due_table_new(bool with_channel);

/* Adds a row for the target and one for each level that lies inside the budget. 0 or -ENOMEM. */
int due_table_add(struct libscols_table *table, const struct due_answer *answer) __attribute__((warn_unused_result));

/* Prints the stretches as a table with a heading line. 0 or -ENOMEM. */
int due_explain_print(const struct due_answer *answer, const struct stretch *spans, size_t n)
    __attribute__((warn_unused_result));

/* Prints which policy fits and why those before it do not. 0 or -ENOMEM. */
int due_reasons_print(const struct due_facts *given) __attribute__((warn_unused_result));

/* Prints one JSON object and a newline; with `spans` (may be NULL) as "explain". 0 or -ENOMEM. */
int due_json_print(const struct due_answer *answer, const struct stretch *spans, size_t n)
    __attribute__((warn_unused_result));

/* The same for a ticket without a target; `policy` (may be NULL) is the one that matches, `given` as in an answer.
 * 0 or -ENOMEM. */
int due_json_print_none(const char *plan, const char *severity, const char *channel, const struct policy *policy,
                        const char *reason, const struct due_facts *given) __attribute__((warn_unused_result));

#endif
