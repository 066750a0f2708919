/* Example tickets: whether some ticket gets a policy although others stand before it, and which. What a set's matches
 * ask of an attribute falls into finitely many cases, so a few values of each (those that patterns name, one for each
 * choice of patterns that a text can fit together, none at all) stand for all tickets. Exact but for an attribute of
 * which both patterns and bounds of versions are asked. */
#ifndef SLATED_WITNESS_H
#define SLATED_WITNESS_H

#include "slated/policy.h"
#include "slated/render.h"

struct witness_space;

/* The values that the set's policies tell apart, of tickets opened from `now` on; the set is borrowed. 0 or -ENOMEM. */
int witness_space_new(const struct policy_set *set, struct instant now, struct witness_space **ret)
    __attribute__((warn_unused_result));

/* Takes NULL. */
void witness_space_free(struct witness_space *space);

/* Which tickets are looked at. */
struct witness_limits {
	const char *plan;    /* only of that plan; NULL: any, and none */
	uint32_t severities; /* only of these, as bits; SEVERITY_ALL */
};

/* One ticket. `custom` is what `facts.custom` points to: the caller frees it. */
struct witness {
	struct facts facts;
	struct instant opened_at; /* INSTANT_NEVER: now */
	struct custom_attribute *custom;
};

/* Finds a ticket that gets `policy`, or for NULL one that no policy matches. 0; -ENOENT where there is none; -EAGAIN
 * where the search was given up, as it went through too many cases; -ENOMEM. */
int witness_find(const struct witness_space *space, const struct policy *policy, const struct witness_limits *limits,
                 struct witness *ret) __attribute__((warn_unused_result));

/* Finds a ticket that `policy` matches, whatever stands before it. Results as above. */
int witness_match(const struct witness_space *space, const struct policy *policy, struct witness *ret)
    __attribute__((warn_unused_result));

/* Adds what the ticket has: `plan "gold", severity high`. */
void witness_describe(const struct policy_set *set, const struct witness *witness, struct text *text);

/* The plans that policies name, patterns as an example that they fit, and one that none names; as the space holds them.
 * `ret_named`: how a policy writes it, NULL for the last. False where there is no i-th. */
bool witness_plan(const struct witness_space *space, size_t i, const char **ret_plan, const char **ret_named);

#endif
