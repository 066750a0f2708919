/* Policies and their targets. model.md sections 3 and 4. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config_load.h"

bool
loader_level(struct loader *loader, const config_setting_t *setting, struct level *level)
{
	const char *text = config_setting_get_string(setting);
	struct period period;

	if (text == NULL)
		return false;
	size_t digits = strspn(text, "0123456789");
	if (digits > 0 && strcmp(text + digits, "%") == 0) {
		unsigned long percent = strtoul(text, NULL, 10);
		if (digits > 2 || percent < 1 || percent > 99) {
			loader_problem(loader, setting, NULL, "\"%s\" is not between 1%% and 99%%", text);
			return false;
		}
		level->percent = (uint8_t)percent;
		return true;
	}
	if (period_parse(text, &period) < 0 || period.business_days > 0) {
		loader_problem(loader, setting, NULL,
		               "\"%s\" is neither a percentage such as \"75%%\" nor time left such as \"30m\"", text);
		return false;
	}
	level->percent = 0;
	level->left = period.elapsed;
	return true;
}

#define LOCAL_TEXT_SIZE 40

/* "Fri 2026-03-06T16:00", by the calendar's own clock. */
static const char *
local_text(const struct calendar *calendar, struct instant at, char text[static LOCAL_TEXT_SIZE])
{
	static const char *const weekdays[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	struct wall wall = zone_wall(calendar_zone(calendar), at);
	struct date date = date_of_wall(wall);
	int64_t second = (wall.us - date_begin(date).us) / US_PER_S;
	int year, month, day;

	if (instant_equal(at, INSTANT_NEVER))
		return "never";
	date_to_civil(date, &year, &month, &day);
	int n = snprintf(text, LOCAL_TEXT_SIZE, "%s %04d-%02d-%02dT%02d:%02d", weekdays[date_weekday(date)], year,
	                 month, day, (int)(second / 3600), (int)(second / 60 % 60));
	if (second % 60 != 0)
		snprintf(text + n, LOCAL_TEXT_SIZE - (size_t)n, ":%02d", (int)(second % 60));
	return text;
}

/* When the example ticket is opened: in the last open hour of Friday 2026-03-06, or at the next opening after it.
 * Where memory is out, loader->error says so. */
static struct instant
example_opened(struct loader *loader, struct calendar *calendar)
{
	const struct date friday = {20518}; /* 2026-03-06 */
	const struct zone *zone = calendar_zone(calendar);
	struct instant begin = zone_instant(zone, date_begin(friday), ZONE_FIRST);
	struct instant end = zone_instant(zone, date_begin((struct date){friday.day + 1}), ZONE_FIRST);
	struct instant open, close, at = begin, opened = INSTANT_NEVER;

	/* An interval may have begun long before. */
	if (calendar_prepare(calendar, instant_plus(begin, (struct duration){-3660 * US_PER_DAY})) < 0 ||
	    calendar_prepare(calendar, end) < 0) {
		loader->error = -ENOMEM;
		return INSTANT_NEVER;
	}
	while (instant_before(at, end) && calendar_interval(calendar, at, &open, &close) && instant_before(open, end)) {
		struct instant hour_before = instant_plus(instant_min(close, end), (struct duration){-US_PER_H});

		opened = instant_max(instant_max(open, begin), hour_before);
		at = close;
	}
	if (instant_equal(opened, INSTANT_NEVER))
		opened = calendar_next_open(calendar, end);
	if (calendar_prepare(calendar, opened) < 0)
		loader->error = -ENOMEM;
	return opened;
}

/* Reports a "2d" on a calendar other than `always`, with each reading's date. */
static void
allowance_ambiguous(struct loader *loader, const config_setting_t *setting, const char *text,
                    const struct period *period, struct calendar *calendar)
{
	struct instant opened = example_opened(loader, calendar);
	char opened_text[LOCAL_TEXT_SIZE], due_text[LOCAL_TEXT_SIZE];
	int32_t days = period->days;

	if (loader->error < 0)
		return;
	char *readings = loader_strdup(loader, "");
	/* "1d12h" has no counterpart in bd. */
	bool whole = period->elapsed.us == days * US_PER_DAY;
	for (int reading = BUSINESS_DAY_HOURS; whole && readings != NULL && reading <= BUSINESS_DAY_END_OF_DAY;
	     reading++) {
		bool no_length = reading == BUSINESS_DAY_HOURS && calendar_day_length(calendar).us == 0;
		struct instant due = INSTANT_NEVER;

		if (!no_length)
			due = calendar_add_business_days(calendar, opened, days, (enum business_day)reading);
		char *longer = loader_printf(loader, "%s\"%" PRId32 "bd\" with business_day = \"%s\" is due %s, ",
		                             readings, days, business_day_names[reading],
		                             no_length ? "after days whose day_length is not given"
		                                       : local_text(calendar, due, due_text));
		free(readings);
		readings = longer;
	}
	if (readings == NULL)
		return;
	char always_text[LOCAL_TEXT_SIZE];
	struct instant due = calendar_add(calendar, opened, period->elapsed);
	struct instant due_always = instant_plus(opened, period->elapsed);
	long long hours = period->elapsed.us / US_PER_H;
	char rest[16] = "";
	if (period->elapsed.us % US_PER_H != 0)
		snprintf(rest, sizeof rest, "%dm%ds", (int)(period->elapsed.us / US_PER_MIN % 60),
		         (int)(period->elapsed.us / US_PER_S % 60));
	loader_problem(
	    loader, setting, NULL,
	    "\"%s\" on calendar \"%s\" is ambiguous: for a ticket opened %s, %s\"%lldh%s\" of open time is due "
	    "%s, \"%s\" on calendar \"always\" is due %s (local times)",
	    text, calendar_name(calendar), local_text(calendar, opened, opened_text), readings, hours, rest,
	    local_text(calendar, due, due_text), text, local_text(calendar, due_always, always_text));
	free(readings);
}

/* The level's number by its text; false when there are too many. */
static bool
level_number(struct loader *loader, const config_setting_t *setting, const char *text, uint8_t *ret)
{
	int r = policy_set_level(loader->set, text, strlen(text));
	if (r == -ENOSPC)
		loader_problem(loader, setting, NULL, "there are more than %d different levels", LEVEL_MAX);
	else if (r < 0)
		loader->error = r;
	else
		*ret = (uint8_t)r;
	return r >= 0;
}

static void
levels_load(struct loader *loader, const config_setting_t *group, struct target *target)
{
	config_setting_t *list = setting_member(group, "at_risk");

	for (int i = 0; i < strings_count(list); i++) {
		config_setting_t *element = strings_at(list, i);
		const char *text = config_setting_get_string(element);
		struct level level = {0};
		struct period period;
		bool twice = false;

		if (!loader_level(loader, element, &level))
			continue;
		if (level.percent == 0 && target->calendar != NULL && !calendar_is_always(target->calendar) &&
		    period_parse(text, &period) == 0 && period.days > 0) {
			loader_problem(loader, element, NULL,
			               "\"%s\" on calendar \"%s\" is ambiguous: write the hours of open time left",
			               text, calendar_name(target->calendar));
			continue;
		}
		for (size_t j = 0; j < target->n_levels; j++)
			twice = twice || strcmp(target->levels[j].text, text) == 0;
		if (twice) {
			loader_problem(loader, element, NULL, "\"%s\" is given twice", text);
			continue;
		}
		struct level *levels = loader_grow(loader, target->levels, target->n_levels, sizeof *levels);
		if (levels == NULL)
			return;
		target->levels = levels;
		if (!level_number(loader, element, text, &level.id))
			return;
		level.text = loader_strdup(loader, text);
		if (level.text != NULL)
			levels[target->n_levels++] = level;
	}
}

/* What `bd` and `business_day` ask of each other and of the calendar. */
static void
business_day_load(struct loader *loader, const config_setting_t *group, const char *key, struct target *target)
{
	const config_setting_t *setting = setting_member(group, "business_day");
	bool counts = target->allowance.business_days > 0;

	if (setting != NULL) {
		int word = loader_word(loader, setting, business_day_names, BUSINESS_DAY_END_OF_DAY + 1);
		if (word < 0)
			return;
		target->business_day = (enum business_day)word;
	}
	if (counts && setting == NULL)
		loader_problem(loader, group, key,
		               "\"%s\" needs business_day: \"hours\" (of day_length), \"same_time\" or \"end_of_day\"",
		               target->text);
	else if (!counts && setting != NULL)
		loader_problem(loader, group, "business_day", "has no meaning with \"%s\": it tells how bd is counted",
		               target->text);
	else if (target->business_day == BUSINESS_DAY_HOURS && target->calendar != NULL &&
	         calendar_day_length(target->calendar).us == 0)
		loader_problem(loader, group, "business_day", "\"hours\" needs the day_length of calendar \"%s\"",
		               calendar_name(target->calendar));
	else if (counts && target->calendar != NULL && instant_equal(target_due(target, loader->now), INSTANT_NEVER))
		loader_problem(loader, group, key, "\"%s\" is not over within ten years", target->text);
}

static void
allowance_load(struct loader *loader, const config_setting_t *group, struct target *target)
{
	bool within = setting_member(group, "within") != NULL, under = setting_member(group, "under") != NULL;
	const char *key = under ? "under" : "within";

	target->under = under;
	if (within && under)
		loader_problem(loader, group, "under", "cannot stand beside within");
	if (!within && !under)
		loader_problem(loader, group, NULL, "has neither within nor under");
	const char *text = setting_string(group, key);
	if (text == NULL)
		return;
	target->text = loader_strdup(loader, text);
	if (target->text == NULL)
		return;
	int r = period_parse(text, &target->allowance);
	if (r == -ERANGE)
		loader_problem(loader, group, key, "\"%s\" is over a hundred years", text);
	else if (r < 0)
		loader_problem(loader, group, key, "\"%s\" is not a duration such as \"1h30m\" or \"3bd\"", text);
	if (r < 0)
		return;
	if (target->allowance.days > 0 && target->calendar != NULL && !calendar_is_always(target->calendar)) {
		allowance_ambiguous(loader, setting_member(group, key), text, &target->allowance, target->calendar);
		return;
	}
	business_day_load(loader, group, key, target);
	if (target->allowance.business_days == 0 && target->calendar != NULL &&
	    instant_equal(target_due(target, loader->now), INSTANT_NEVER))
		loader_problem(loader, group, key, "\"%s\" is not over within ten years", text);
}

static void
target_severities_load(struct loader *loader, const config_setting_t *group, struct target *target)
{
	config_setting_t *list = setting_member(group, "severity");

	target->severities = list == NULL ? SEVERITY_ALL : 0;
	if (list != NULL && config_setting_is_aggregate(list) && config_setting_length(list) == 0)
		loader_problem(loader, list, NULL, "names no severity; leave it out for all");
	for (int i = 0; i < strings_count(list); i++) {
		config_setting_t *element = strings_at(list, i);
		const char *name = config_setting_get_string(element);
		int severity = name != NULL ? loader_severity(loader, element, name) : -1;

		if (severity >= 0)
			target->severities |= UINT32_C(1) << severity;
	}
}

static void
target_load(struct loader *loader, const config_setting_t *group, struct target *target)
{
	const config_setting_t *metric = setting_member(group, "metric");
	const config_setting_t *reopen = setting_member(group, "reopen");
	config_setting_t *pause_on = setting_member(group, "pause_on");
	int word;

	if (metric == NULL)
		loader_problem(loader, group, "metric", "is missing");
	else if ((word = loader_word(loader, metric, metric_names, METRIC_COUNT)) >= 0)
		target->metric = (enum metric)word;
	if (reopen != NULL && (word = loader_word(loader, reopen, reopen_names, REOPEN_COUNT)) >= 0)
		target->reopen = (enum reopen)word;
	for (int i = 0; i < strings_count(pause_on); i++)
		if ((word = loader_word(loader, strings_at(pause_on, i), status_names, STATUS_COUNT)) >= 0)
			target->pause_on |= (uint8_t)(1U << word);
	target_severities_load(loader, group, target);
	target->calendar = loader_calendar(loader, group, "calendar");
	target->escalation = loader_ladder(loader, group);
	allowance_load(loader, group, target);
	levels_load(loader, group, target);
}

static void
targets_load(struct loader *loader, const config_setting_t *group, struct policy *policy)
{
	const config_setting_t *list = setting_member(group, "targets");

	if (list == NULL) {
		loader_problem(loader, group, "targets", "is missing; write \"targets = ();\" where there is no SLA");
		return;
	}
	if (!config_setting_is_list(list))
		return;
	for (int i = 0; i < config_setting_length(list); i++) {
		const config_setting_t *target = config_setting_get_elem(list, (unsigned)i);
		struct target *targets;

		if (!config_setting_is_group(target))
			continue;
		targets = loader_grow(loader, policy->targets, policy->n_targets, sizeof *targets);
		if (targets == NULL)
			return;
		policy->targets = targets;
		target_load(loader, target, &targets[policy->n_targets++]);
	}
}

static void
instant_load(struct loader *loader, const config_setting_t *group, const char *key, struct instant *ret)
{
	const char *text = setting_string(group, key);

	if (text != NULL && instant_parse(text, strlen(text), ret) < 0)
		loader_problem(loader, group, key, "\"%s\" is not an instant such as \"2024-09-02T00:00:00Z\"", text);
}

static void
policy_load(struct loader *loader, config_setting_t *group)
{
	struct policy_set *set = loader->set;
	struct policy policy = {.effective_from = {INT64_MIN}, .effective_until = INSTANT_NEVER};
	const config_setting_t *on_change;
	long long rank;
	int word;

	if (!config_setting_is_group(group))
		return;
	const char *name = loader_required(loader, group, "name");
	bool named = name != NULL && names_add(loader, &loader->policies, group, "name", name, "policy");
	struct policy *policies = loader_grow(loader, set->policies, set->n_policies, sizeof policy);
	if (policies == NULL)
		return;
	set->policies = policies;
	policy.name = loader_strdup(loader, named ? name : "");
	if (policy.name == NULL)
		return;
	loader_match(loader, group, &policy.match);
	instant_load(loader, group, "effective_from", &policy.effective_from);
	instant_load(loader, group, "effective_until", &policy.effective_until);
	if (!instant_before(policy.effective_from, policy.effective_until))
		loader_problem(loader, group, "effective_until", "is not after effective_from");
	on_change = setting_member(group, "on_change");
	if (on_change != NULL && (word = loader_word(loader, on_change, on_change_names, ON_CHANGE_COUNT)) >= 0)
		policy.on_change = (enum on_change)word;
	if (loader_int(loader, group, "rank", INT32_MIN, INT32_MAX, &rank))
		policy.rank = (int)rank;
	policy.escalation = loader_ladder(loader, group);
	targets_load(loader, group, &policy);
	policies[set->n_policies++] = policy;
}

void
loader_policies(struct loader *loader)
{
	loader_each(loader, "policies", policy_load);
}
