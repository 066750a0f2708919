/* What a configuration says, as plain data, and which policy and target it chooses. model.md sections 3, 4 and 8. */
#include "slated/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const metric_names[METRIC_COUNT] = {
    [METRIC_FIRST_RESPONSE] = "first_response", [METRIC_NEXT_RESPONSE] = "next_response", [METRIC_UPDATE] = "update",
    [METRIC_RESOLUTION] = "resolution",         [METRIC_ASSESSMENT] = "assessment",
};

const char *const status_names[STATUS_COUNT] = {
    [STATUS_OPEN] = "open",     [STATUS_PENDING] = "pending", [STATUS_ON_HOLD] = "on_hold",
    [STATUS_SOLVED] = "solved", [STATUS_CLOSED] = "closed",
};

const char *const attribute_names[ATTRIBUTE_COUNT] = {
    [ATTRIBUTE_ORG] = "org",           [ATTRIBUTE_PLAN] = "plan",         [ATTRIBUTE_CHANNEL] = "channel",
    [ATTRIBUTE_CATEGORY] = "category", [ATTRIBUTE_PRODUCT] = "product",   [ATTRIBUTE_ENVIRONMENT] = "environment",
    [ATTRIBUTE_VERSION] = "version",   [ATTRIBUTE_ASSIGNEE] = "assignee", [ATTRIBUTE_TEAM] = "team",
};

const char *const reopen_names[REOPEN_COUNT] = {
    [REOPEN_RESUME] = "resume",
    [REOPEN_RESTART] = "restart",
    [REOPEN_NONE] = "none",
};

const char *const on_change_names[ON_CHANGE_COUNT] = {
    [ON_CHANGE_PIN] = "pin",
    [ON_CHANGE_FOLLOW] = "follow",
    [ON_CHANGE_BETTER_OF] = "better_of",
};

const char *const step_on_names[STEP_ON_COUNT] = {
    [STEP_AT_RISK] = "at_risk",
    [STEP_BREACHED] = "breached",
    [STEP_REQUESTED] = "requested",
    [STEP_REASSESSED] = "reassessed",
};

const char *const step_until_names[UNTIL_COUNT] = {
    [UNTIL_ACKNOWLEDGED] = "acknowledged",
    [UNTIL_ENDED] = "ended",
};

const char *const off_hours_names[OFF_HOURS_COUNT] = {
    [OFF_HOURS_DEFER] = "defer",
    [OFF_HOURS_SKIP] = "skip",
};

const char *const rule_on_names[RULE_ON_COUNT] = {
    [RULE_OPENED] = "opened",   [RULE_SEVERITY_CHANGED] = "severity_changed",
    [RULE_AT_RISK] = "at_risk", [RULE_BREACHED] = "breached",
    [RULE_DISPUTE] = "dispute",
};

const char *const business_day_names[BUSINESS_DAY_END_OF_DAY + 1] = {
    [BUSINESS_DAY_HOURS] = "hours",
    [BUSINESS_DAY_SAME_TIME] = "same_time",
    [BUSINESS_DAY_END_OF_DAY] = "end_of_day",
};

int
name_index(const char *const *names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (names[i] != NULL && strcmp(names[i], name) == 0)
			return i;
	return -1;
}

int
policy_set_new(struct policy_set **ret)
{
	struct policy_set *set = calloc(1, sizeof *set);

	if (set == NULL)
		return -ENOMEM;
	set->levels = calloc(1, sizeof(*set->levels));
	int r = set->levels == NULL ? -ENOMEM : calendar_new_always(&set->always);
	if (r < 0) {
		free(set->levels);
		free(set);
		return r;
	}
	*ret = set;
	return 0;
}

static void
texts_free(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

static void
match_clear(struct match *match)
{
	for (size_t i = 0; i < match->n_conditions; i++) {
		struct condition *condition = &match->conditions[i];

		free(condition->key);
		texts_free(condition->any_of, condition->n_any_of);
		texts_free(condition->none_of, condition->n_none_of);
		free(condition->at_least);
		free(condition->at_most);
	}
	free(match->conditions);
}

static void
policy_clear(struct policy *policy)
{
	for (size_t i = 0; i < policy->n_targets; i++) {
		struct target *target = &policy->targets[i];

		for (size_t j = 0; j < target->n_levels; j++)
			free(target->levels[j].text);
		free(target->levels);
		free(target->text);
	}
	free(policy->targets);
	match_clear(&policy->match);
	free(policy->name);
}

static void
ladder_clear(struct ladder *ladder)
{
	for (size_t i = 0; i < ladder->n_steps; i++) {
		texts_free(ladder->steps[i].notify, ladder->steps[i].n_notify);
		free(ladder->steps[i].off_hours_notify);
		free(ladder->steps[i].level);
	}
	free(ladder->steps);
	free(ladder->name);
}

static void
rule_clear(struct rule *rule)
{
	if (rule->hook != NULL)
		for (char **arg = rule->hook; *arg != NULL; arg++)
			free(*arg);
	free(rule->hook);
	free(rule->hook_url);
	free(rule->reason);
	free(rule->name);
	match_clear(&rule->match);
}

void
policy_set_free(struct policy_set *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->n_rules; i++)
		rule_clear(&set->rules[i]);
	free(set->rules);
	for (size_t i = 0; i < set->n_policies; i++)
		policy_clear(&set->policies[i]);
	free(set->policies);
	for (size_t i = 0; i < set->n_ladders; i++)
		ladder_clear(&set->ladders[i]);
	free(set->ladders);
	for (size_t i = 0; i < set->levels->n; i++)
		free(set->levels->texts[i]);
	free(set->levels);
	/* A union stands after its members and borrows them. */
	for (size_t i = set->n_calendars; i > 0; i--)
		calendar_free(set->calendars[i - 1]);
	free(set->calendars);
	calendar_free(set->always);
	for (size_t i = 0; i < set->n_zones; i++)
		zone_free(set->zones[i]);
	free(set->zones);
	for (size_t i = 0; i < set->n_severities; i++) {
		texts_free(set->severities[i].aliases, set->severities[i].n_aliases);
		free(set->severities[i].name);
	}
	free(set->severities);
	free(set);
}

int
policy_set_level(const struct policy_set *set, const char *text, size_t len)
{
	struct level_names *names = set->levels;
	for (size_t i = 0; i < names->n; i++)
		if (strncmp(names->texts[i], text, len) == 0 && names->texts[i][len] == '\0')
			return (int)i;
	if (names->n == LEVEL_MAX)
		return -ENOSPC;
	char *copy = calloc(1, len + 1);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, text, len);
	names->texts[names->n] = copy;
	return (int)names->n++;
}

struct calendar *
policy_set_calendar(const struct policy_set *set, const char *name)
{
	if (strcmp(name, calendar_name(set->always)) == 0)
		return set->always;
	for (size_t i = 0; i < set->n_calendars; i++)
		if (strcmp(name, calendar_name(set->calendars[i])) == 0)
			return set->calendars[i];
	return NULL;
}

const struct ladder *
policy_set_ladder(const struct policy_set *set, const char *name)
{
	for (size_t i = 0; i < set->n_ladders; i++)
		if (strcmp(name, set->ladders[i].name) == 0)
			return &set->ladders[i];
	return NULL;
}

const struct policy *
policy_set_policy(const struct policy_set *set, const char *name)
{
	for (size_t i = 0; i < set->n_policies; i++)
		if (strcmp(name, set->policies[i].name) == 0)
			return &set->policies[i];
	return NULL;
}

/* Most names differ in their first letter, and strcasecmp() asks the locale. */
static bool
same_name(const char *a, const char *b)
{
	while (*a != '\0' && glob_lower(*a) == glob_lower(*b))
		a++, b++;
	return *a == *b;
}

int
policy_set_severity(const struct policy_set *set, const char *name)
{
	for (size_t i = 0; i < set->n_severities; i++) {
		const struct severity *severity = &set->severities[i];

		if (same_name(name, severity->name))
			return (int)i;
		for (size_t j = 0; j < severity->n_aliases; j++)
			if (same_name(name, severity->aliases[j]))
				return (int)i;
	}
	return -1;
}

bool
policy_is_in_effect(const struct policy *policy, struct instant opened_at)
{
	return !instant_before(opened_at, policy->effective_from) && instant_before(opened_at, policy->effective_until);
}

const struct policy *
policy_set_choose(const struct policy_set *set, const struct facts *facts, struct instant opened_at)
{
	for (size_t i = 0; i < set->n_policies; i++) {
		const struct policy *policy = &set->policies[i];

		if (policy_is_in_effect(policy, opened_at) && match_holds(set, &policy->match, facts))
			return policy;
	}
	return NULL;
}

const struct target *
policy_target(const struct policy *policy, enum metric metric, unsigned severity)
{
	for (size_t i = 0; i < policy->n_targets; i++) {
		const struct target *target = &policy->targets[i];

		if (target->metric == metric && (target->severities >> severity & 1) != 0)
			return target;
	}
	return NULL;
}

const struct ladder *
policy_ladder(const struct policy *policy, const struct target *target)
{
	return target != NULL && target->escalation != NULL ? target->escalation : policy->escalation;
}

struct instant
target_due(const struct target *target, struct instant start)
{
	if (target->allowance.business_days > 0)
		return calendar_add_business_days(target->calendar, start, target->allowance.business_days,
		                                  target->business_day);
	return calendar_add(target->calendar, start, target->allowance.elapsed);
}

struct duration
level_point(const struct level *level, struct duration budget)
{
	/* Percent of the hundreds and of the rest apart: budget * percent would overflow. */
	int64_t point = level->percent > 0 ? budget.us / 100 * level->percent + budget.us % 100 * level->percent / 100
	                                   : budget.us - level->left.us;

	if (point <= 0 || point >= budget.us)
		point = -1;
	return (struct duration){point};
}
