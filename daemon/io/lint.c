/* Policies and targets that nothing reaches, and tickets that reach none. */
#include "slated/lint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lint_internal.h"
#include "slated/jsonw.h"
#include "slated/witness.h"

const char *const lint_checks[] = {
    "shadowed-policy", "impossible-match", "unreachable-target", "unreachable-level", "no-policy",
    "no-target",       "silent-breach",    "no-person",          "unused-ladder",     "unreachable-step",
    "late-step",       "office-pager",     "no-holidays",        "holidays-end",      "ambiguous",
};
const size_t lint_n_checks = sizeof lint_checks / sizeof *lint_checks;

void
lint_clear(struct lint *lint)
{
	config_free(lint->config);
	config_problems_clear(&lint->findings);
	for (size_t i = 0; i < lint->n_coverage; i++)
		free(lint->coverage[i].plan);
	free(lint->coverage);
	*lint = (struct lint){0};
}

const config_setting_t *
lint_policy_setting(const struct loader *loader, size_t policy)
{
	return loader->policies.items[policy].setting;
}

const config_setting_t *
lint_target_setting(const struct loader *loader, size_t policy, size_t target)
{
	const config_setting_t *list = setting_member(lint_policy_setting(loader, policy), "targets");

	return config_setting_get_elem(list, (unsigned)target);
}

const config_setting_t *
lint_calendar_setting(const struct loader *loader, const struct calendar *calendar)
{
	return names_find(&loader->calendars, calendar_name(calendar));
}

bool
lint_policy_ended(const struct loader *loader, const struct policy *policy)
{
	return !instant_before(loader->now, policy->effective_until);
}

struct instant
lint_start(const struct loader *loader, int i)
{
	return instant_plus(loader->now, (struct duration){3 * i * US_PER_H});
}

static unsigned
setting_line(const config_setting_t *setting)
{
	return config_setting_source_line(setting);
}

/* Adds the names of severities. */
static void
add_severities(struct text *text, const struct policy_set *set, uint32_t severities)
{
	const char *lead = "";

	for (size_t i = 0; i < set->n_severities; i++) {
		if ((severities >> i & 1) == 0)
			continue;
		text_add_format(text, "%s%s", lead, set->severities[i].name);
		lead = ", ";
	}
}

static uint32_t
all_severities(const struct policy_set *set)
{
	return set->n_severities >= 32 ? UINT32_MAX : (UINT32_C(1) << set->n_severities) - 1;
}

/* Keeps the example ticket with the finding that was noted last. */
static void
witness_keep(struct loader *loader, const struct witness *witness)
{
	const struct facts *facts = &witness->facts;
	struct jsonw json = {0};

	jsonw_open(&json, NULL, '{');
	for (int i = 0; i < ATTRIBUTE_COUNT; i++)
		jsonw_text(&json, attribute_names[i], facts->attributes[i]);
	jsonw_text(&json, "severity", loader->set->severities[facts->severity].name);
	jsonw_text(&json, "status", status_names[facts->status]);
	if (facts->n_custom > 0) {
		jsonw_open(&json, "attributes", '{');
		for (size_t i = 0; i < facts->n_custom; i++)
			jsonw_text(&json, facts->custom[i].key, facts->custom[i].value);
		jsonw_close(&json, '}');
	}
	jsonw_instant(&json, "opened_at", witness->opened_at);
	jsonw_close(&json, '}');
	if (json.text.failed)
		loader->error = -ENOMEM;
	else if (loader->problems->n > 0)
		loader->problems->items[loader->problems->n - 1].witness = loader_strdup(loader, json.text.data);
	jsonw_clear(&json);
}

/* Policies that no ticket gets ------------------------------------------------------------------------------------- */

static void
policy_tell_shadowed(struct loader *loader, const struct witness_space *space, size_t policy)
{
	const struct policy_set *set = loader->set;
	const config_setting_t *setting = lint_policy_setting(loader, policy);
	struct text text = {0};
	struct witness witness;

	int r = witness_match(space, &set->policies[policy], &witness);
	if (r == -ENOENT) {
		text_add_format(&text, "no ticket fits the match of policy \"%s\": its conditions exclude each other",
		                set->policies[policy].name);
		loader_finding(loader, "impossible-match", setting, "match", &text);
	} else if (r < 0) {
		loader->error = r;
	} else {
		const struct policy *taker = policy_set_choose(
		    set, &witness.facts,
		    instant_equal(witness.opened_at, INSTANT_NEVER) ? loader->now : witness.opened_at);
		size_t index = (size_t)(taker - set->policies);
		text_add_format(&text,
		                "no ticket gets policy \"%s\": earlier ones take all that it matches, such as "
		                "one with ",
		                set->policies[policy].name);
		witness_describe(set, &witness, &text);
		text_add_format(&text, ", which gets \"%s\" (%s:%u)", taker->name,
		                setting_source(lint_policy_setting(loader, index))->display,
		                setting_line(lint_policy_setting(loader, index)));
		loader_finding(loader, "shadowed-policy", setting, NULL, &text);
		witness_keep(loader, &witness);
		free(witness.custom);
	}
	free(text.data);
}

/* Targets that no clock gets --------------------------------------------------------------------------------------- */

/* The severities at which tickets get the policy, or for NULL none, when they open. False where the search was given
 * up. */
static bool
policy_severities(struct loader *loader, const struct witness_space *space, const char *plan,
                  const struct policy *policy, uint32_t *ret)
{
	uint32_t severities = 0;

	for (unsigned i = 0; i < loader->set->n_severities; i++) {
		struct witness_limits limits = {.plan = plan, .severities = UINT32_C(1) << i};
		struct witness witness;
		int r = witness_find(space, policy, &limits, &witness);
		if (r == -ENOMEM)
			loader->error = r;
		if (r < 0 && r != -ENOENT)
			return false;
		if (r == 0) {
			severities |= limits.severities;
			free(witness.custom);
		}
	}
	*ret = severities;
	return true;
}

/* What is left of the target's severities behind the targets before it; *ret_taker: the last that takes some. */
static uint32_t
target_left(const struct policy_set *set, const struct policy *policy, size_t target, size_t *ret_taker)
{
	uint32_t left = policy->targets[target].severities & all_severities(set);

	for (size_t i = 0; i < target; i++) {
		if (policy->targets[i].metric != policy->targets[target].metric)
			continue;
		if ((left & policy->targets[i].severities) != 0)
			*ret_taker = i;
		left &= ~policy->targets[i].severities;
	}
	return left;
}

/* Whether some ticket's clock of that metric starts under the policy: then a change of severity leads to all targets of
 * the metric. */
static bool
metric_starts(const struct policy *policy, enum metric metric, uint32_t severities)
{
	for (size_t i = 0; i < policy->n_targets; i++)
		if (policy->targets[i].metric == metric && (policy->targets[i].severities & severities) != 0)
			return true;
	return false;
}

static void
targets_check(struct loader *loader, size_t index, uint32_t severities)
{
	const struct policy_set *set = loader->set;
	const struct policy *policy = &set->policies[index];
	struct text text = {0};

	for (size_t i = 0; i < policy->n_targets; i++) {
		const char *metric = metric_names[policy->targets[i].metric];
		const config_setting_t *setting = lint_target_setting(loader, index, i);
		size_t taker = 0;
		uint32_t left = target_left(set, policy, i, &taker);

		if (left == 0) {
			text_add_format(&text, "no clock gets this target: those before it take %s at ", metric);
			add_severities(&text, set, policy->targets[i].severities);
			text_add_format(&text, ", the last one on line %u",
			                setting_line(lint_target_setting(loader, index, taker)));
		} else if (!metric_starts(policy, policy->targets[i].metric, severities)) {
			text_add_format(&text,
			                "no clock gets this target: it is for %s, and tickets get policy \"%s\" "
			                "at ",
			                metric, policy->name);
			add_severities(&text, set, severities);
			text_add_string(&text, " only");
		} else {
			continue;
		}
		loader_finding(loader, "unreachable-target", setting, NULL, &text);
	}
	free(text.data);
}

/* Tickets that get nothing ----------------------------------------------------------------------------------------- */

/* The severities at which the policy promises something that begins with a ticket's opening or a reply. */
static uint32_t
promised_severities(const struct policy *policy)
{
	uint32_t severities = 0;

	for (size_t i = 0; i < policy->n_targets; i++)
		if (policy->targets[i].metric != METRIC_ASSESSMENT)
			severities |= policy->targets[i].severities;
	return severities;
}

static void
promises_check(struct loader *loader, const struct witness_space *space, size_t index, uint32_t severities)
{
	const struct policy_set *set = loader->set;
	const struct policy *policy = &set->policies[index];
	uint32_t nothing = severities & ~promised_severities(policy);
	const struct witness_limits limits = {.severities = nothing};
	struct text text = {0};
	struct witness witness;

	if (policy->n_targets == 0 || nothing == 0 || witness_find(space, policy, &limits, &witness) < 0)
		return;
	text_add_format(&text, "policy \"%s\" promises nothing at severity ", policy->name);
	add_severities(&text, set, nothing);
	text_add_string(&text, ", and tickets get it there, such as one with ");
	witness_describe(set, &witness, &text);
	loader_finding(loader, "no-target", lint_policy_setting(loader, index), "targets", &text);
	witness_keep(loader, &witness);
	free(witness.custom);
	free(text.data);
}

/* The first policy that writes the plan. */
static const config_setting_t *
plan_setting(const struct loader *loader, const char *named)
{
	for (size_t i = 0; i < loader->set->n_policies; i++) {
		const struct match *match = &loader->set->policies[i].match;
		for (size_t j = 0; j < match->n_conditions; j++) {
			const struct condition *condition = &match->conditions[j];
			if (condition->kind != CONDITION_ATTRIBUTE || condition->attribute != ATTRIBUTE_PLAN)
				continue;
			for (size_t k = 0; k < condition->n_any_of; k++)
				if (strcasecmp(condition->any_of[k], named) == 0)
					return lint_policy_setting(loader, i);
		}
	}
	return NULL;
}

static void
plan_check(struct loader *loader, const struct witness_space *space, const char *plan, const char *named)
{
	const struct witness_limits limits = {.plan = plan, .severities = SEVERITY_ALL};
	const config_setting_t *setting = plan_setting(loader, named);
	struct text text = {0};
	struct witness witness;

	if (setting == NULL) /* only what policies exclude */
		return;
	int r = witness_find(space, NULL, &limits, &witness);
	if (r == -ENOMEM)
		loader->error = r;
	if (r < 0)
		return;
	text_add_format(&text, "a ticket of plan \"%s\" may get no policy, such as one with ", named);
	witness_describe(loader->set, &witness, &text);
	text_add_string(&text, "; where nothing is promised on purpose, say so by a policy with targets = ()");
	loader_finding(loader, "no-policy", setting, "match", &text);
	witness_keep(loader, &witness);
	free(witness.custom);
	free(text.data);
}

static void
coverage_add(struct loader *loader, const char *named, const struct policy *policy, uint32_t severities)
{
	struct lint *lint = loader->lint;
	struct lint_coverage *rows = loader_grow(loader, lint->coverage, lint->n_coverage, sizeof *rows);

	if (rows == NULL)
		return;
	lint->coverage = rows;
	char *plan = named != NULL ? loader_strdup(loader, named) : NULL;
	rows[lint->n_coverage++] = (struct lint_coverage){plan, policy, severities};
}

static void
plans_check(struct loader *loader, const struct witness_space *space)
{
	const char *plan, *named;

	for (size_t i = 0; loader->error == 0 && witness_plan(space, i, &plan, &named); i++) {
		uint32_t severities;
		for (size_t j = 0; j < loader->set->n_policies; j++) {
			const struct policy *policy = &loader->set->policies[j];
			if (policy_severities(loader, space, plan, policy, &severities) && severities != 0)
				coverage_add(loader, named, policy, severities);
		}
		if (policy_severities(loader, space, plan, NULL, &severities) && severities != 0)
			coverage_add(loader, named, NULL, severities);
		if (named != NULL)
			plan_check(loader, space, plan, named);
	}
}

void
loader_lint(struct loader *loader)
{
	struct witness_space *space = NULL;

	loader->error = witness_space_new(loader->set, loader->now, &space);
	for (size_t i = 0; loader->error == 0 && i < loader->set->n_policies; i++) {
		const struct policy *policy = &loader->set->policies[i];
		uint32_t severities;
		if (lint_policy_ended(loader, policy) || !policy_severities(loader, space, NULL, policy, &severities))
			continue;
		if (severities == 0) {
			policy_tell_shadowed(loader, space, i);
		} else {
			targets_check(loader, i, severities);
			promises_check(loader, space, i, severities);
		}
	}
	if (loader->error == 0)
		plans_check(loader, space);
	witness_space_free(space);
	if (loader->error == 0)
		lint_ladders(loader);
	if (loader->error == 0)
		lint_calendars(loader);
	if (loader->error == 0)
		lint_words(loader);
}
