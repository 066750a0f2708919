#include "slated/reasons.h"

#include <string.h>

static void
add_patterns(struct text *text, const char *lead, char *const *patterns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		text_add_format(text, "%s%s", i == 0 ? lead : " or ", patterns[i]);
}

static void
add_condition(struct text *text, const struct condition *condition)
{
	switch (condition->kind) {
	case CONDITION_ATTRIBUTE:
		text_add_string(text, attribute_names[condition->attribute]);
		break;
	case CONDITION_SEVERITY:
		text_add_string(text, "severity");
		break;
	case CONDITION_STATUS:
		text_add_string(text, "status");
		break;
	case CONDITION_CUSTOM:
		text_add_format(text, "attributes.%s", condition->key);
		break;
	}
	add_patterns(text, " is ", condition->any_of, condition->n_any_of);
	add_patterns(text, " is not ", condition->none_of, condition->n_none_of);
	if (condition->at_least != NULL)
		text_add_format(text, " is at least %s", condition->at_least);
	if (condition->at_most != NULL)
		text_add_format(text, " is at most %s", condition->at_most);
	if (condition->present >= 0)
		text_add_string(text, condition->present == 1 ? " is given" : " is not given");
}

void
reasons_add_match(struct text *text, const struct match *match)
{
	for (size_t i = 0; i < match->n_conditions; i++) {
		text_add_string(text, i == 0 ? "" : ", ");
		add_condition(text, &match->conditions[i]);
	}
	if (match->n_conditions == 0)
		text_add_string(text, "it fits every ticket");
}

/* What the ticket has of what the condition asks. */
static void
add_fact(struct text *text, const struct policy_set *set, const struct condition *condition, const struct facts *facts)
{
	const char *value = NULL;

	switch (condition->kind) {
	case CONDITION_ATTRIBUTE:
		value = facts->attributes[condition->attribute];
		break;
	case CONDITION_SEVERITY:
		value = set->severities[facts->severity].name;
		break;
	case CONDITION_STATUS:
		value = status_names[facts->status];
		break;
	case CONDITION_CUSTOM:
		for (size_t i = 0; i < facts->n_custom; i++)
			if (strcmp(facts->custom[i].key, condition->key) == 0)
				value = facts->custom[i].value;
		break;
	}
	if (value != NULL)
		text_add_format(text, " (the ticket's is %s)", value);
	else
		text_add_string(text, " (the ticket has none)");
}

void
reasons_add_mismatch(struct text *text, const struct policy_set *set, const struct policy *policy,
                     const struct facts *facts, struct instant opened_at)
{
	const char *lead = "";
	char at[INSTANT_TEXT_SIZE];

	if (instant_before(opened_at, policy->effective_from)) {
		(void)instant_format(policy->effective_from, at);
		text_add_format(text, "it is for tickets opened from %s on", at);
		lead = ", ";
	}
	if (!instant_before(opened_at, policy->effective_until)) {
		(void)instant_format(policy->effective_until, at);
		text_add_format(text, "%sit is for tickets opened before %s", lead, at);
		lead = ", ";
	}
	for (size_t i = 0; i < policy->match.n_conditions; i++) {
		const struct condition *condition = &policy->match.conditions[i];
		if (condition_holds(set, condition, facts))
			continue;
		text_add_string(text, lead);
		text_add_string(text, "it asks that ");
		add_condition(text, condition);
		add_fact(text, set, condition, facts);
		lead = ", ";
	}
}
