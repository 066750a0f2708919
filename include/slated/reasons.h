/* Why a policy fits a ticket or does not, in words. */
#ifndef SLATED_REASONS_H
#define SLATED_REASONS_H

#include "slated/policy.h"
#include "slated/render.h"

/* Adds what a match asks: "plan is gold, channel is console or email"; "it fits every ticket". */
void reasons_add_match(struct text *text, const struct match *match);

/* Adds why a ticket with these facts does not get the policy, nothing where it does: "it asks that channel is console
 * (the ticket's is email)", "it is for tickets opened from 2027-01-01T00:00:00Z on". */
void reasons_add_mismatch(struct text *text, const struct policy_set *set, const struct policy *policy,
                          const struct facts *facts, struct instant opened_at);

#endif
