/* What the parts of the linter share: lint.c has policies, targets and coverage, lint_ladders.c who is told of them and
 * when, lint_words.c calendars and what people misread. */
#ifndef SLATED_IO_LINT_INTERNAL_H
#define SLATED_IO_LINT_INTERNAL_H

#include "config_load.h"
#include "slated/lint.h"

/* Where the configuration defines them. */
const config_setting_t *lint_policy_setting(const struct loader *loader, size_t policy);
const config_setting_t *lint_target_setting(const struct loader *loader, size_t policy, size_t target);
const config_setting_t *lint_calendar_setting(const struct loader *loader, const struct calendar *calendar);

/* Whether it has ended: it stays for the tickets that have it, and nothing more is to be said of it. */
bool lint_policy_ended(const struct loader *loader, const struct policy *policy);

/* Start instants of example clocks: two weeks from the loading on, by day and by night. */
#define LINT_STARTS 112
struct instant lint_start(const struct loader *loader, int i);

void lint_ladders(struct loader *loader);
void lint_calendars(struct loader *loader);
void lint_words(struct loader *loader);

#endif
