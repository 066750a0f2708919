/* Escalation ladders and reassessment rules. model.md sections 8 and 9. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_load.h"

/* Reports a name that is no channel, no role and none of the further `words`. */
static void
notify_check(struct loader *loader, const config_setting_t *setting, const char *const *words, int n_words)
{
	const char *name = config_setting_get_string(setting);
	struct suggestion suggestion = {.given = name};
	char nearest[128];

	if (name == NULL || name_index(role_names, ROLE_COUNT, name) >= 0 || name_index(words, n_words, name) >= 0 ||
	    names_find(&loader->channels, name) != NULL)
		return;
	for (size_t i = 0; i < loader->channels.n; i++)
		suggestion_offer(&suggestion, loader->channels.items[i].name);
	for (int i = 0; i < ROLE_COUNT; i++)
		suggestion_offer(&suggestion, role_names[i]);
	for (int i = 0; i < n_words; i++)
		if (words[i] != NULL)
			suggestion_offer(&suggestion, words[i]);
	loader_problem(loader, setting, NULL, "there is no channel or role \"%s\"%s", name,
	               suggestion_text(&suggestion, nearest));
}

static void
notify_load(struct loader *loader, const config_setting_t *group, struct step *step)
{
	config_setting_t *list = setting_member(group, "notify");

	if (list == NULL) {
		loader_problem(loader, group, "notify", "is missing");
		return;
	}
	if (config_setting_is_aggregate(list) && config_setting_length(list) == 0)
		loader_problem(loader, list, NULL, "names nobody");
	step->notify = loader_texts(loader, list, &step->n_notify);
	for (int i = 0; i < strings_count(list); i++)
		notify_check(loader, strings_at(list, i), NULL, 0);
}

/* A duration on the step's calendar, where "d" is ambiguous unless it is `always`. */
static void
step_duration(struct loader *loader, const config_setting_t *group, const char *key, const struct calendar *calendar,
              struct duration *ret)
{
	const char *text = setting_string(group, key);
	struct period period;

	if (text == NULL || !loader_duration(loader, group, key, NULL, ret))
		return;
	if (calendar != NULL && !calendar_is_always(calendar) && period_parse(text, &period) == 0 && period.days > 0)
		loader_problem(loader, group, key,
		               "\"%s\" on calendar \"%s\" is ambiguous: write the hours of open time", text,
		               calendar_name(calendar));
}

static void
off_hours_load(struct loader *loader, const config_setting_t *group, struct step *step)
{
	const config_setting_t *off_hours = setting_member(group, "off_hours");
	const char *name = setting_string(group, "off_hours");

	if (setting_member(group, "hours") != NULL)
		step->hours = loader_calendar(loader, group, "hours");
	if (off_hours == NULL && setting_member(group, "hours") != NULL)
		loader_problem(loader, group, "hours", "has no meaning without off_hours");
	if (name == NULL)
		return;
	notify_check(loader, off_hours, off_hours_names, OFF_HOURS_COUNT);
	int word = name_index(off_hours_names, OFF_HOURS_COUNT, name);
	step->off_hours = word >= 0 ? (enum off_hours)word : OFF_HOURS_OTHER;
	if (word < 0)
		step->off_hours_notify = loader_strdup(loader, name);
}

static void
step_load(struct loader *loader, const config_setting_t *group, struct step *step)
{
	const config_setting_t *on = setting_member(group, "on");
	const config_setting_t *until = setting_member(group, "until");
	const config_setting_t *level = setting_member(group, "level");
	const config_setting_t *always = setting_member(group, "always");
	int word = -1;
	long long repeats;

	if (on == NULL)
		loader_problem(loader, group, "on", "is missing");
	else if ((word = loader_word(loader, on, step_on_names, STEP_ON_COUNT)) >= 0)
		step->on = (enum step_on)word;
	if (level != NULL && word >= 0 && word != STEP_AT_RISK)
		loader_problem(loader, group, "level", "belongs to on = \"at_risk\" only");
	if (level != NULL) {
		struct level parsed;
		if (loader_level(loader, level, &parsed))
			step->level = loader_strdup(loader, config_setting_get_string(level));
	}
	step->after_calendar = loader_calendar(loader, group, "after_calendar");
	step_duration(loader, group, "after", step->after_calendar, &step->after);
	step_duration(loader, group, "repeat_every", step->after_calendar, &step->repeat_every);
	if (loader_int(loader, group, "repeat_max", 0, UINT32_MAX, &repeats))
		step->repeat_max = (uint32_t)repeats;
	if (setting_member(group, "repeat_max") != NULL && setting_member(group, "repeat_every") == NULL)
		loader_problem(loader, group, "repeat_max", "has no meaning without repeat_every");
	if (until != NULL && (word = loader_word(loader, until, step_until_names, UNTIL_COUNT)) >= 0)
		step->until = (enum step_until)word;
	step->always = always != NULL && config_setting_get_bool(always);
	notify_load(loader, group, step);
	off_hours_load(loader, group, step);
}

/* `always` is for the last that can be done about a breach: were it for more, a silence would mean little. */
static void
always_check(struct loader *loader, const config_setting_t *list)
{
	bool last = true;

	for (int i = config_setting_length(list); i > 0; i--) {
		const config_setting_t *group = config_setting_get_elem(list, (unsigned)(i - 1));
		const char *on = setting_string(group, "on");
		const config_setting_t *always = setting_member(group, "always");
		bool breached = on != NULL && strcmp(on, step_on_names[STEP_BREACHED]) == 0;

		if (always != NULL && config_setting_get_bool(always) && !(breached && last))
			loader_problem(loader, group, "always",
			               "belongs to the ladder's last step with on = \"breached\" only");
		if (breached)
			last = false;
	}
}

static void
ladder_load(struct loader *loader, config_setting_t *list)
{
	struct policy_set *set = loader->set;

	if (config_setting_is_group(list) || !config_setting_is_aggregate(list) ||
	    !names_add(loader, &loader->ladders, list, NULL, list->name, "ladder"))
		return;
	if (config_setting_length(list) == 0)
		loader_problem(loader, list, NULL, "has no step");
	struct ladder *ladders = loader_grow(loader, set->ladders, set->n_ladders, sizeof *ladders);
	if (ladders == NULL)
		return;
	set->ladders = ladders;
	struct ladder *ladder = &ladders[set->n_ladders];
	ladder->name = loader_strdup(loader, list->name);
	if (ladder->name == NULL)
		return;
	set->n_ladders++;
	for (int i = 0; i < config_setting_length(list); i++) {
		const config_setting_t *step = config_setting_get_elem(list, (unsigned)i);

		if (!config_setting_is_group(step))
			continue;
		struct step *steps = loader_grow(loader, ladder->steps, ladder->n_steps, sizeof *steps);
		if (steps == NULL)
			return;
		ladder->steps = steps;
		step_load(loader, step, &steps[ladder->n_steps++]);
	}
	always_check(loader, list);
}

void
loader_ladders(struct loader *loader)
{
	loader_each(loader, "escalations", ladder_load);
}

static void
rule_on_load(struct loader *loader, const config_setting_t *group, struct rule *rule)
{
	config_setting_t *list = setting_member(group, "on");

	if (list == NULL) {
		loader_problem(loader, group, "on", "is missing");
		return;
	}
	if (config_setting_is_aggregate(list) && config_setting_length(list) == 0)
		loader_problem(loader, list, NULL, "names no occasion");
	for (int i = 0; i < strings_count(list); i++) {
		int word = loader_word(loader, strings_at(list, i), rule_on_names, RULE_ON_COUNT);
		if (word >= 0)
			rule->on |= 1U << word;
	}
}

static void
rule_set_load(struct loader *loader, const config_setting_t *setting, struct rule *rule)
{
	const char *text = config_setting_get_string(setting);
	int severity;

	if (text == NULL)
		return;
	if (strcmp(text, "+1") == 0) {
		rule->kind = RULE_GRAVER;
	} else if (strcmp(text, "-1") == 0) {
		rule->kind = RULE_LIGHTER;
	} else if ((severity = loader_severity(loader, setting, text)) >= 0) {
		rule->kind = RULE_SET;
		rule->severity = (unsigned)severity;
	}
}

static void
rule_action_load(struct loader *loader, const config_setting_t *group, struct rule *rule)
{
	const config_setting_t *set = setting_member(group, "set");
	config_setting_t *hook = setting_member(group, "hook");
	const config_setting_t *hook_url = setting_member(group, "hook_url");
	int given = (set != NULL) + (hook != NULL) + (hook_url != NULL);

	if (given == 0)
		loader_problem(loader, group, NULL, "has neither set nor hook nor hook_url");
	if (given > 1)
		loader_problem(loader, group, hook != NULL ? "hook" : "hook_url", "cannot stand beside %s",
		               set != NULL ? "set" : "hook_url");
	if (set != NULL)
		rule_set_load(loader, set, rule);
	if (hook != NULL && given == 1) {
		rule->kind = RULE_HOOK;
		rule->hook = loader_command(loader, hook);
	}
	if (hook_url != NULL && given == 1) {
		rule->kind = RULE_HOOK_URL;
		rule->hook_url = loader_url(loader, group, "hook_url", "http");
	}
}

static void
rule_load(struct loader *loader, config_setting_t *group)
{
	struct policy_set *set = loader->set;

	if (!config_setting_is_group(group))
		return;
	const char *name = loader_required(loader, group, "name");
	bool named = name != NULL && names_add(loader, &loader->rules, group, "name", name, "rule");
	const char *reason = loader_required(loader, group, "reason");
	struct rule *rules = loader_grow(loader, set->rules, set->n_rules, sizeof *rules);
	if (rules == NULL)
		return;
	set->rules = rules;
	struct rule *rule = &rules[set->n_rules++];
	rule->name = loader_strdup(loader, named ? name : "");
	rule->reason = loader_strdup(loader, reason != NULL ? reason : "");
	rule_on_load(loader, group, rule);
	rule_action_load(loader, group, rule);
	(void)loader_duration(loader, group, "timeout", config_row(SCOPE_RULE, "timeout")->initial,
	                      &rule->timeout); /* it has reported */
	loader_match(loader, group, &rule->match);
}

void
loader_rules(struct loader *loader)
{
	loader_each(loader, "reassessments", rule_load);
}
