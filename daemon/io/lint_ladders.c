/* Who is told of breaches and levels, and whether in time. */
#include <stdlib.h>
#include <string.h>

#include "lint_internal.h"
#include "slated/words.h"

/* A policy's target with its ladder. */
struct use {
	size_t policy;
	size_t target;
	const struct ladder *ladder;
};

typedef void use_check(struct loader *loader, const struct use *use, const void *arg);

/* Calls `check` for each target that has the ladder; NULL: for each target. True where there is one. */
static bool
each_use(struct loader *loader, const struct ladder *ladder, use_check *check, const void *arg)
{
	const struct policy_set *set = loader->set;
	bool any = false;

	for (size_t i = 0; i < set->n_policies; i++)
		for (size_t j = 0; j < set->policies[i].n_targets; j++) {
			const struct policy *policy = &set->policies[i];
			struct use use = {i, j, policy_ladder(policy, &policy->targets[j])};
			if (ladder != NULL && use.ladder != ladder)
				continue;
			any = true;
			if (check != NULL)
				check(loader, &use, arg);
		}
	return any;
}

static const struct target *
use_target(const struct loader *loader, const struct use *use)
{
	return &loader->set->policies[use->policy].targets[use->target];
}

static bool
use_has_ended(const struct loader *loader, const struct use *use)
{
	return lint_policy_ended(loader, &loader->set->policies[use->policy]);
}

static const config_setting_t *
ladder_setting(const struct loader *loader, const struct ladder *ladder)
{
	return names_find(&loader->ladders, ladder->name);
}

static const config_setting_t *
step_setting(const struct loader *loader, const struct ladder *ladder, size_t step)
{
	return config_setting_get_elem(ladder_setting(loader, ladder), (unsigned)step);
}

/* "first_response of policy "gold" (support.conf:12)" */
static void
add_use(struct text *text, const struct loader *loader, const struct use *use)
{
	const config_setting_t *setting = lint_target_setting(loader, use->policy, use->target);

	text_add_format(text, "%s of policy \"%s\" (%s:%u)", metric_names[use_target(loader, use)->metric],
	                loader->set->policies[use->policy].name, setting_source(setting)->display,
	                config_setting_source_line(setting));
}

/* Levels ----------------------------------------------------------------------------------------------------------- */

/* Whether for every one of the example clocks the level lies outside the budget or, with a step, the step comes no
 * earlier than the breach. */
static bool
level_is_void(const struct loader *loader, const struct target *target, const struct level *level,
              const struct step *step)
{
	for (int i = 0; i < LINT_STARTS; i++) {
		struct instant start = lint_start(loader, i), due = target_due(target, start);
		struct duration point = level_point(level, calendar_between(target->calendar, start, due));

		if (instant_equal(due, INSTANT_NEVER))
			continue;
		if (point.us >= 0 && step == NULL)
			return false;
		if (point.us < 0 || step == NULL)
			continue;
		struct instant at = calendar_add(target->calendar, start, point);
		if (instant_before(calendar_add(step->after_calendar, at, step->after), due))
			return false;
	}
	return true;
}

static void
levels_check(struct loader *loader, const struct use *use, const void *arg)
{
	const struct target *target = use_target(loader, use);
	const config_setting_t *setting = lint_target_setting(loader, use->policy, use->target);
	struct text text = {0};

	(void)arg;
	if (use_has_ended(loader, use))
		return;
	for (size_t i = 0; i < target->n_levels; i++) {
		if (!level_is_void(loader, target, &target->levels[i], NULL))
			continue;
		text_add_format(&text, "level \"%s\" never comes: it is no less than the \"%s\" that the target allows",
		                target->levels[i].text, target->text);
		loader_finding(loader, "unreachable-level", setting, "at_risk", &text);
	}
	free(text.data);
}

static bool
step_takes(const struct step *step, const struct level *level)
{
	return step->on == STEP_AT_RISK && (step->level == NULL || strcmp(step->level, level->text) == 0);
}

static void
late_check(struct loader *loader, const struct use *use, const void *arg)
{
	const struct step *step = arg;
	const struct target *target = use_target(loader, use);
	size_t index = (size_t)(step - use->ladder->steps);
	char after[WORDS_SIZE];
	struct text text = {0};

	if (use_has_ended(loader, use))
		return;
	words_length(step->after, after);
	for (size_t i = 0; i < target->n_levels; i++) {
		const struct level *level = &target->levels[i];
		if (!step_takes(step, level) || level_is_void(loader, target, level, NULL) ||
		    !level_is_void(loader, target, level, step))
			continue;
		text_add_format(&text, "never fires at level \"%s\" of ", level->text);
		add_use(&text, loader, use);
		text_add_format(&text, ": the level leaves less of \"%s\" than %s, and the breach drops the step",
		                target->text, after);
		loader_finding(loader, "late-step", step_setting(loader, use->ladder, index), "after", &text);
	}
	free(text.data);
}

struct level_search {
	const struct step *step;
	bool *found;
};

static void
level_look(struct loader *loader, const struct use *use, const void *arg)
{
	const struct level_search *search = arg;
	const struct target *target = use_target(loader, use);

	for (size_t i = 0; i < target->n_levels; i++)
		if (step_takes(search->step, &target->levels[i]))
			*search->found = true;
}

/* Who is told ------------------------------------------------------------------------------------------------------ */

/* Whether the channel tells a person; roles stand for persons. */
static bool
name_is_person(const struct loader *loader, const char *name)
{
	const struct channel_settings *channel = config_channel(loader->config, name);

	return channel == NULL || (channel->type != CHANNEL_WEBHOOK && channel->type != CHANNEL_EXEC);
}

static bool
name_is_pager(const struct loader *loader, const char *name)
{
	const struct channel_settings *channel = config_channel(loader->config, name);

	return channel != NULL && (channel->type == CHANNEL_PAGERDUTY || channel->type == CHANNEL_GOALERT);
}

static bool
step_tells(const struct loader *loader, const struct step *step,
           bool (*is)(const struct loader *loader, const char *name))
{
	for (size_t i = 0; i < step->n_notify; i++)
		if (is(loader, step->notify[i]))
			return true;
	return false;
}

static bool
step_tells_off_hours(const struct loader *loader, const struct step *step,
                     bool (*is)(const struct loader *loader, const char *name))
{
	return step->off_hours == OFF_HOURS_OTHER && is(loader, step->off_hours_notify);
}

/* What a customer asks for, or a rule sets, is no alarm of the clock's. */
static bool
step_is_alarm(const struct step *step)
{
	return step->on == STEP_AT_RISK || step->on == STEP_BREACHED;
}

/* Adds the channels that alarms go to. */
static void
add_alarmed(struct text *text, const struct loader *loader, const struct ladder *ladder)
{
	const char *lead = "";

	for (size_t i = 0; i < loader->config->n_channels; i++) {
		const struct channel_settings *channel = &loader->config->channels[i];
		bool told = false;
		for (size_t j = 0; j < ladder->n_steps; j++)
			for (size_t k = 0; step_is_alarm(&ladder->steps[j]) && k < ladder->steps[j].n_notify; k++)
				told = told || strcmp(ladder->steps[j].notify[k], channel->name) == 0;
		if (!told)
			continue;
		text_add_format(text, "%s%s (%s)", lead, channel->name, channel_type_names[channel->type]);
		lead = ", ";
	}
}

static void
person_check(struct loader *loader, const struct ladder *ladder)
{
	struct text text = {0};
	bool alarms = false;

	for (size_t i = 0; i < ladder->n_steps; i++) {
		const struct step *step = &ladder->steps[i];
		if (!step_is_alarm(step))
			continue;
		alarms = true;
		if (step_tells(loader, step, name_is_person) || step_tells_off_hours(loader, step, name_is_person))
			return;
	}
	if (!alarms) /* silent-breach says so of each target */
		return;
	text_add_format(&text,
	                "no level and no breach on ladder \"%s\" reaches a person, only programs: ", ladder->name);
	add_alarmed(&text, loader, ladder);
	loader_finding(loader, "no-person", ladder_setting(loader, ladder), NULL, &text);
	free(text.data);
}

static void
breach_check(struct loader *loader, const struct use *use, const void *arg)
{
	const struct ladder *ladder = use->ladder;
	struct text text = {0};

	(void)arg;
	if (use_has_ended(loader, use))
		return;
	for (size_t i = 0; ladder != NULL && i < ladder->n_steps; i++)
		if (ladder->steps[i].on == STEP_BREACHED)
			return;
	if (ladder == NULL)
		text_add_string(&text, "nobody hears of a breach: neither the target nor its policy has an escalation");
	else
		text_add_format(&text, "nobody hears of a breach: ladder \"%s\" has no step with on = \"breached\"",
		                ladder->name);
	loader_finding(loader, "silent-breach", lint_target_setting(loader, use->policy, use->target), NULL, &text);
	free(text.data);
}

/* Whether the target's calendar is open within four weeks at a time when `hours` is not. */
static bool
calendar_exceeds(const struct loader *loader, struct calendar *calendar, struct calendar *hours)
{
	struct instant at = loader->now, opens, closes;
	struct instant until = instant_plus(loader->now, (struct duration){28 * US_PER_DAY});

	if (calendar == hours)
		return false;
	while (instant_before(at, until) && calendar_interval(calendar, at, &opens, &closes) &&
	       instant_before(opens, until)) {
		struct instant from = instant_max(opens, at), to = instant_min(closes, until);
		if (calendar_between(hours, from, to).us < instant_since(to, from).us)
			return true;
		at = to;
	}
	return false;
}

/* The hours that keep a breach's step from the pager at some time when the target's clock can breach; NULL where it is
 * told at any time. */
static const struct calendar *
step_pager_hours(const struct loader *loader, const struct step *step, const struct target *target)
{
	if (step->after.us > 0 && calendar_exceeds(loader, target->calendar, step->after_calendar))
		return step->after_calendar;
	if (step->off_hours != OFF_HOURS_FIRE && !step_tells_off_hours(loader, step, name_is_pager) &&
	    step->hours != NULL && calendar_exceeds(loader, target->calendar, step->hours))
		return step->hours;
	return NULL;
}

static void
pager_check(struct loader *loader, const struct use *use, const void *arg)
{
	const struct ladder *ladder = use->ladder;
	const struct target *target = use_target(loader, use);
	const struct calendar *hours = NULL;
	size_t step = 0;
	struct text text = {0};

	(void)arg;
	if (use_has_ended(loader, use))
		return;
	for (size_t i = 0; ladder != NULL && i < ladder->n_steps; i++) {
		if (ladder->steps[i].on != STEP_BREACHED || !step_tells(loader, &ladder->steps[i], name_is_pager))
			continue;
		const struct calendar *kept = step_pager_hours(loader, &ladder->steps[i], target);
		if (kept == NULL)
			return;
		if (hours == NULL)
			step = i;
		hours = hours == NULL ? kept : hours;
	}
	if (hours == NULL)
		return;
	text_add_format(&text, "a breach reaches the pager only in the hours of calendar \"%s\", but ",
	                calendar_name(hours));
	add_use(&text, loader, use);
	text_add_format(&text, " counts on calendar \"%s\", which is open at other times, too",
	                calendar_name(target->calendar));
	loader_finding(loader, "office-pager", step_setting(loader, ladder, step), "notify", &text);
	free(text.data);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void
ladder_check(struct loader *loader, const struct ladder *ladder)
{
	struct text text = {0};
	bool used = each_use(loader, ladder, NULL, NULL);

	/* A policy's own ladder is also for #escalate. */
	for (size_t i = 0; i < loader->set->n_policies; i++)
		used = used || loader->set->policies[i].escalation == ladder;
	if (!used) {
		text_add_format(&text, "no target and no policy names ladder \"%s\"", ladder->name);
		loader_finding(loader, "unused-ladder", ladder_setting(loader, ladder), NULL, &text);
		free(text.data);
		return;
	}
	person_check(loader, ladder);
	for (size_t i = 0; i < ladder->n_steps; i++) {
		const struct step *step = &ladder->steps[i];
		bool found = step->on != STEP_AT_RISK;
		struct level_search search = {step, &found};

		(void)each_use(loader, ladder, level_look, &search); /* it is used */
		if (!found) {
			text_add_format(&text, "no target with ladder \"%s\" has %s%s%s", ladder->name,
			                step->level != NULL ? "the level \"" : "an at-risk level",
			                step->level != NULL ? step->level : "", step->level != NULL ? "\"" : "");
			loader_finding(loader, "unreachable-step", step_setting(loader, ladder, i), "level", &text);
		}
		if (step->on == STEP_AT_RISK && step->after.us > 0)
			(void)each_use(loader, ladder, late_check, step); /* likewise */
	}
	free(text.data);
}

void
lint_ladders(struct loader *loader)
{
	(void)each_use(loader, NULL, levels_check, NULL); /* there may be no target */
	(void)each_use(loader, NULL, breach_check, NULL); /* likewise */
	(void)each_use(loader, NULL, pager_check, NULL);  /* likewise */
	for (size_t i = 0; i < loader->set->n_ladders; i++)
		ladder_check(loader, &loader->set->ladders[i]);
}
