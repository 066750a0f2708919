/* The linter: what a configuration without errors says and is hardly meant. Each finding names its check:
 *
 *   shadowed-policy     no ticket gets the policy: earlier ones take all that it matches
 *   impossible-match    no ticket at all fits its match
 *   unreachable-target  no clock gets the target
 *   unreachable-level   an at-risk level lies outside every budget
 *   no-policy           a ticket of a plan that policies name gets none
 *   no-target           a ticket gets a policy that promises other severities something, and it nothing
 *   silent-breach       nobody is told of a breach
 *   no-person           a ladder tells programs only
 *   unused-ladder, unreachable-step
 *   late-step           a step on a level that always comes after the breach, which drops it
 *   office-pager        a pager that is silent while the target's clock runs
 *   no-holidays, holidays-end
 *   ambiguous           words that people read in two ways */
#ifndef SLATED_LINT_H
#define SLATED_LINT_H

#include "slated/config.h"

/* That tickets of a plan at some severities get a policy, or none. */
struct lint_coverage {
	char *plan;                  /* as policies write it; NULL: any that none names */
	const struct policy *policy; /* NULL: none */
	uint32_t severities;         /* bit i = severity i */
};

/* Starts as all zeroes. */
struct lint {
	struct config *config;
	struct config_problems findings;
	struct lint_coverage *coverage; /* by plan, then by policy */
	size_t n_coverage;
};

extern const char *const lint_checks[];
extern const size_t lint_n_checks;

/* As config_load() without secrets, and looks for findings as of `now`. The caller clears *ret. */
int config_lint(const char *path, struct instant now, struct config_problems *problems, struct lint *ret)
    __attribute__((warn_unused_result));

void lint_clear(struct lint *lint);

#endif
