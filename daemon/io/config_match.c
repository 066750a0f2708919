/* `match` groups, and the names by which policies and ladders refer to other things. model.md section 4. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_load.h"

struct calendar *
loader_calendar(struct loader *loader, const config_setting_t *group, const char *key)
{
	const config_setting_t *member = setting_member(group, key);

	if (member == NULL)
		return loader->set->always;
	const char *name = config_setting_get_string(member);
	if (name == NULL)
		return NULL;
	struct calendar *calendar = policy_set_calendar(loader->set, name);
	if (calendar != NULL || names_find(&loader->calendars, name) != NULL)
		return calendar; /* NULL: defined, but with problems of its own */

	struct suggestion suggestion = {.given = name};
	char nearest[128];
	suggestion_offer(&suggestion, calendar_name(loader->set->always));
	for (size_t i = 0; i < loader->calendars.n; i++)
		suggestion_offer(&suggestion, loader->calendars.items[i].name);
	loader_problem(loader, group, key, "there is no calendar \"%s\"%s", name,
	               suggestion_text(&suggestion, nearest));
	return NULL;
}

const struct ladder *
loader_ladder(struct loader *loader, const config_setting_t *group)
{
	const char *name = setting_string(group, "escalation");

	if (name == NULL)
		return NULL;
	const struct ladder *ladder = policy_set_ladder(loader->set, name);
	if (ladder != NULL || names_find(&loader->ladders, name) != NULL)
		return ladder;

	struct suggestion suggestion = {.given = name};
	char nearest[128];
	for (size_t i = 0; i < loader->ladders.n; i++)
		suggestion_offer(&suggestion, loader->ladders.items[i].name);
	loader_problem(loader, group, "escalation", "there is no ladder \"%s\" in escalations%s", name,
	               suggestion_text(&suggestion, nearest));
	return NULL;
}

int
loader_severity(struct loader *loader, const config_setting_t *setting, const char *name)
{
	const struct policy_set *set = loader->set;
	int i = policy_set_severity(set, name);

	if (i >= 0)
		return i;
	struct suggestion suggestion = {.given = name};
	char nearest[128];
	for (size_t j = 0; j < set->n_severities; j++) {
		suggestion_offer(&suggestion, set->severities[j].name);
		for (size_t k = 0; k < set->severities[j].n_aliases; k++)
			suggestion_offer(&suggestion, set->severities[j].aliases[k]);
	}
	loader_problem(loader, setting, NULL, "there is no severity \"%s\"%s", name,
	               suggestion_text(&suggestion, nearest));
	return -1;
}

static bool
pattern_is_literal(const char *pattern)
{
	return strpbrk(pattern, "*?") == NULL;
}

/* A severity or status that is written out must exist; empty arrays would match nothing. */
static void
patterns_check(struct loader *loader, config_setting_t *setting, const struct condition *condition)
{
	if (config_setting_is_aggregate(setting) && config_setting_length(setting) == 0)
		loader_problem(loader, setting, NULL, "names no value");
	for (int i = 0; i < strings_count(setting); i++) {
		config_setting_t *element = strings_at(setting, i);
		const char *text = config_setting_get_string(element);

		if (condition->kind == CONDITION_SEVERITY && text != NULL && pattern_is_literal(text))
			(void)loader_severity(loader, element, text); /* only to report it */
		if (condition->kind == CONDITION_STATUS && text != NULL && pattern_is_literal(text))
			(void)loader_word(loader, element, status_names, STATUS_COUNT); /* likewise */
	}
}

static void
condition_group_load(struct loader *loader, const config_setting_t *group, struct condition *condition)
{
	config_setting_t *not = setting_member(group, "not");
	const config_setting_t *at_least = setting_member(group, "at_least");
	const config_setting_t *at_most = setting_member(group, "at_most");
	const config_setting_t *present = setting_member(group, "present");

	if (config_setting_length(group) == 0)
		loader_problem(loader, group, NULL, "asks for nothing: use not, at_least, at_most or present");
	if (not != NULL) {
		patterns_check(loader, not, condition);
		condition->none_of = loader_texts(loader, not, &condition->n_none_of);
	}
	if (at_least != NULL)
		condition->at_least = loader_value_text(loader, at_least);
	if (at_most != NULL)
		condition->at_most = loader_value_text(loader, at_most);
	if (present != NULL && config_setting_type(present) == CONFIG_TYPE_BOOL)
		condition->present = config_setting_get_bool(present);

	const char *bound = at_least != NULL ? "at_least" : at_most != NULL ? "at_most" : NULL;
	if (bound != NULL && (condition->kind == CONDITION_SEVERITY || condition->kind == CONDITION_STATUS))
		loader_problem(loader, group, bound, "compares versions: %s has none; list the values",
		               condition->kind == CONDITION_SEVERITY ? "severity" : "status");
	else if (bound != NULL && condition->present == 0)
		loader_problem(loader, group, bound, "can never hold beside present = false");
	else if (condition->at_least != NULL && condition->at_most != NULL &&
	         version_compare(condition->at_least, condition->at_most) > 0)
		loader_problem(loader, group, "at_most", "\"%s\" is older than at_least = \"%s\"", condition->at_most,
		               condition->at_least);
}

static void
condition_load(struct loader *loader, config_setting_t *setting, struct match *match, bool custom)
{
	struct condition *conditions = loader_grow(loader, match->conditions, match->n_conditions, sizeof *conditions);

	if (conditions == NULL)
		return;
	match->conditions = conditions;
	struct condition *condition = &conditions[match->n_conditions];
	condition->present = -1;
	if (custom) {
		condition->kind = CONDITION_CUSTOM;
		condition->key = loader_strdup(loader, setting->name);
		if (condition->key == NULL)
			return;
	} else if (strcmp(setting->name, "severity") == 0) {
		condition->kind = CONDITION_SEVERITY;
	} else if (strcmp(setting->name, "status") == 0) {
		condition->kind = CONDITION_STATUS;
	} else {
		int attribute = name_index(attribute_names, ATTRIBUTE_COUNT, setting->name);
		if (attribute < 0)
			return; /* unknown: loader_check_group() has said so */
		condition->kind = CONDITION_ATTRIBUTE;
		condition->attribute = (enum attribute)attribute;
	}
	match->n_conditions++;
	if (config_setting_is_group(setting)) {
		condition_group_load(loader, setting, condition);
		return;
	}
	patterns_check(loader, setting, condition);
	condition->any_of = loader_texts(loader, setting, &condition->n_any_of);
}

void
loader_match(struct loader *loader, const config_setting_t *group, struct match *match)
{
	const config_setting_t *all = setting_member(group, "match");

	if (all == NULL || !config_setting_is_group(all))
		return;
	for (int i = 0; i < config_setting_length(all); i++) {
		config_setting_t *setting = config_setting_get_elem(all, (unsigned)i);

		if (strcmp(setting->name, "attributes") != 0) {
			condition_load(loader, setting, match, false);
			continue;
		}
		for (int j = 0; config_setting_is_group(setting) && j < config_setting_length(setting); j++)
			condition_load(loader, config_setting_get_elem(setting, (unsigned)j), match, true);
	}
}
