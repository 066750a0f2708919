/* Severities, time zones and calendars. model.md sections 2 and 4. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config_load.h"
#include "holidays.h"

#define ZONE_SIZE_MAX (1U << 20)

static void
severity_add(struct loader *loader, const char *name, const char *const *aliases, size_t n_aliases)
{
	struct policy_set *set = loader->set;
	struct severity *severities = loader_grow(loader, set->severities, set->n_severities, sizeof *severities);

	if (severities == NULL)
		return;
	set->severities = severities;
	struct severity *severity = &severities[set->n_severities];
	severity->name = loader_strdup(loader, name);
	severity->aliases = calloc(n_aliases + 1, sizeof *severity->aliases);
	if (severity->name == NULL || severity->aliases == NULL) {
		loader->error = -ENOMEM;
		free(severity->name);
		free(severity->aliases);
		return;
	}
	set->n_severities++;
	for (size_t i = 0; i < n_aliases; i++) {
		char *alias = loader_strdup(loader, aliases[i]);
		if (alias != NULL)
			severity->aliases[severity->n_aliases++] = alias;
	}
}

static void
severities_add_usual(struct loader *loader)
{
	static const char *const usual[][3] = {
	    {"critical", "S1", "Severity 1"},
	    {"high", "S2", "Severity 2"},
	    {"normal", "S3", "Severity 3"},
	    {"low", "S4", "Severity 4"},
	};

	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		severity_add(loader, usual[i][0], usual[i] + 1, 2);
}

/* Whether no severity has the name yet, itself the one at `own` (which may repeat its name: a problem too). */
static bool
severity_name_is_new(struct loader *loader, const config_setting_t *setting, const char *key, const char *name)
{
	int taken = policy_set_severity(loader->set, name);

	if (taken < 0)
		return true;
	loader_problem(loader, setting, key, "\"%s\" is already a name of severity \"%s\"", name,
	               loader->set->severities[taken].name);
	return false;
}

static void
severity_load(struct loader *loader, config_setting_t *group)
{
	if (!config_setting_is_group(group))
		return;
	const char *name = loader_required(loader, group, "name");
	if (name == NULL || !severity_name_is_new(loader, group, "name", name))
		return;
	if (loader->set->n_severities == SEVERITY_MAX) {
		loader_problem(loader, group, NULL, "there are more than %d severities", SEVERITY_MAX);
		return;
	}
	severity_add(loader, name, NULL, 0);

	config_setting_t *aliases = setting_member(group, "aliases");
	for (int i = 0; i < strings_count(aliases) && loader->error == 0; i++) {
		config_setting_t *element = strings_at(aliases, i);
		const char *alias = config_setting_get_string(element);

		if (alias == NULL)
			continue;
		if (*alias == '\0') {
			loader_problem(loader, element, NULL, "must not be empty");
			continue;
		}
		if (!severity_name_is_new(loader, element, NULL, alias))
			continue;
		struct severity *severity = &loader->set->severities[loader->set->n_severities - 1];
		char **longer = loader_grow(loader, severity->aliases, severity->n_aliases, sizeof *longer);
		if (longer == NULL)
			return;
		severity->aliases = longer;
		longer[severity->n_aliases] = loader_strdup(loader, alias);
		severity->n_aliases += longer[severity->n_aliases] != NULL;
	}
}

void
loader_severities(struct loader *loader)
{
	const config_setting_t *first = NULL;

	for (size_t i = 0; i < loader->n_sources; i++) {
		if (!loader->sources[i]->parsed)
			continue;
		config_setting_t *list = setting_member(config_root_setting(&loader->sources[i]->lib), "severities");
		if (list == NULL)
			continue;
		if (first != NULL) {
			loader_problem(loader, list, NULL,
			               "severities stand in one file only, and are already at %s:%u",
			               setting_source(first)->display, config_setting_source_line(first));
			continue;
		}
		first = list;
		if (!config_setting_is_list(list))
			continue;
		if (config_setting_length(list) == 0)
			loader_problem(loader, list, NULL, "names no severity");
		for (int j = 0; j < config_setting_length(list); j++)
			severity_load(loader, config_setting_get_elem(list, (unsigned)j));
	}
	if (first == NULL)
		severities_add_usual(loader);
}

static const char *
zone_folder(void)
{
	const char *folder = getenv("TZDIR");

	return folder != NULL && *folder != '\0' ? folder : "/usr/share/zoneinfo";
}

void
loader_tzdata(struct loader *loader)
{
	char *path = NULL;

	if (asprintf(&path, "%s/tzdata.zi", zone_folder()) < 0) {
		loader->error = -ENOMEM;
		return;
	}
	/* Its first line is "# version 2026f" (zishrink.awk of the time zone database). */
	FILE *file = fopen(path, "re");
	if (file != NULL) {
		if (fscanf(file, "# version %15s", loader->config->tzdata) != 1)
			loader->config->tzdata[0] = '\0';
		(void)fclose(file); /* only read */
	}
	free(path);
}

/* 0, -ENOENT where there is no such zone, or another negative errno. */
static int
zone_make(const char *name, struct zone **ret)
{
	char *path = NULL, *bytes = NULL;
	size_t len;

	int r = zone_new_fixed(name, ret);
	if (r != -EINVAL)
		return r;
	if (*name == '\0' || *name == '/' || strstr(name, "..") != NULL)
		return -ENOENT;
	if (asprintf(&path, "%s/%s", zone_folder(), name) < 0)
		return -ENOMEM;
	r = file_read(path, ZONE_SIZE_MAX, &bytes, &len);
	if (r == 0)
		r = zone_new_tzif(name, bytes, len, ret);
	free(bytes);
	free(path);
	return r;
}

int
loader_zone(struct loader *loader, const char *name, const struct zone **ret)
{
	struct policy_set *set = loader->set;
	struct zone *zone;

	for (size_t i = 0; i < set->n_zones; i++)
		if (strcmp(zone_name(set->zones[i]), name) == 0) {
			*ret = set->zones[i];
			return 0;
		}
	struct zone **zones = loader_grow(loader, set->zones, set->n_zones, sizeof *zones);
	if (zones == NULL)
		return -ENOMEM;
	set->zones = zones;
	int r = zone_make(name, &zone);
	if (r == -ENOMEM)
		loader->error = r;
	if (r < 0)
		return r;
	zones[set->n_zones++] = zone;
	*ret = zone;
	return 0;
}

/* The calendar's own zone; NULL after a problem. */
static const struct zone *
calendar_zone_load(struct loader *loader, const config_setting_t *group)
{
	const char *name = loader_required(loader, group, "timezone");
	const struct zone *zone = NULL;

	if (name == NULL)
		return NULL;
	int r = loader_zone(loader, name, &zone);
	if (r == -EINVAL)
		loader_problem(loader, group, "timezone", "the system's data for \"%s\" are damaged", name);
	else if (r < 0 && r != -ENOMEM)
		loader_problem(loader, group, "timezone",
		               "\"%s\" is neither a time zone of this system nor an offset such as \"UTC-08:00\"",
		               name);
	return zone;
}

/* The hours that a setting writes; false after a problem. */
static bool
hours_load(struct loader *loader, const config_setting_t *group, const char *key, struct hours **ret, size_t *ret_n)
{
	const char *text = setting_string(group, key);

	if (text == NULL)
		return false;
	int r = hours_parse(text, ret, ret_n);
	if (r == -ENOMEM)
		loader->error = r;
	else if (r == -ERANGE)
		loader_problem(
		    loader, group, key,
		    "\"%s\": an interval is empty or passes midnight; write two, such as \"22:00-24:00\" and "
		    "\"00:00-06:00\" on the next day",
		    text);
	else if (r == -EEXIST)
		loader_problem(loader, group, key, "\"%s\": intervals overlap", text);
	else if (r < 0)
		loader_problem(loader, group, key, "\"%s\" is not of the form \"09:00-12:00, 13:00-17:00\"", text);
	return r == 0;
}

static void
week_load(struct loader *loader, const config_setting_t *group, struct calendar *calendar)
{
	/* Each row gives way to those behind it. */
	static const struct {
		const char *key;
		int first;
		int last;
	} rows[] = {
	    {"daily", 0, 6},     {"weekdays", 0, 4}, {"weekend", 5, 6}, {"monday", 0, 0},   {"tuesday", 1, 1},
	    {"wednesday", 2, 2}, {"thursday", 3, 3}, {"friday", 4, 4},  {"saturday", 5, 5}, {"sunday", 6, 6},
	};
	const config_setting_t *week = setting_member(group, "hours");

	if (week == NULL)
		return;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct hours *hours = NULL;
		size_t n = 0;

		if (!hours_load(loader, week, rows[i].key, &hours, &n))
			continue;
		for (int day = rows[i].first; day <= rows[i].last; day++) {
			int r = calendar_set_weekday(calendar, day, hours, n);
			if (r < 0)
				loader->error = r;
		}
		free(hours);
	}
}

static void
exceptions_load(struct loader *loader, const config_setting_t *group, struct calendar *calendar)
{
	config_setting_t *list = setting_member(group, "exceptions");

	if (list == NULL || !config_setting_is_list(list))
		return;
	for (int i = 0; i < config_setting_length(list); i++) {
		config_setting_t *exception = config_setting_get_elem(list, (unsigned)i);
		struct hours *hours = NULL;
		struct date date;
		size_t n = 0;

		if (!config_setting_is_group(exception))
			continue;
		const char *text = loader_required(loader, exception, "date");
		if (setting_member(exception, "hours") == NULL)
			loader_problem(loader, exception, "hours", "is missing; \"\" closes the date");
		bool right = hours_load(loader, exception, "hours", &hours, &n);
		if (text != NULL && date_parse(text, &date) < 0)
			loader_problem(loader, exception, "date", "\"%s\" is not a date such as \"2026-12-24\"", text);
		else if (text != NULL && right) {
			int r = calendar_add_exception(calendar, date, hours, n);
			if (r == -EEXIST)
				loader_problem(loader, exception, "date", "\"%s\" has an exception already", text);
			else if (r < 0)
				loader->error = r;
		}
		free(hours);
	}
}

/* "12-25": month and day; false when it is none that any year has. */
static bool
yearly_parse(const char *text, int *ret_month, int *ret_day)
{
	char leap[16];
	struct date date;
	int year;

	if (strlen(text) != 5)
		return false;
	snprintf(leap, sizeof leap, "2024-%s", text);
	if (date_parse(leap, &date) < 0)
		return false;
	date_to_civil(date, &year, ret_month, ret_day);
	return true;
}

static void
holidays_load(struct loader *loader, const config_setting_t *group, struct calendar *calendar)
{
	config_setting_t *list = setting_member(group, "holidays");

	for (int i = 0; i < strings_count(list); i++) {
		config_setting_t *element = strings_at(list, i);
		const char *text = config_setting_get_string(element);
		struct date date;
		int month, day, r = 0;

		if (text == NULL)
			continue;
		if (yearly_parse(text, &month, &day))
			r = calendar_add_yearly_holiday(calendar, month, day, NULL);
		else if (date_parse(text, &date) == 0)
			r = calendar_add_holiday(calendar, date, NULL);
		else
			loader_problem(loader, element, NULL,
			               "\"%s\" is not a date such as \"2026-07-03\" or, every year, \"12-25\"", text);
		if (r < 0)
			loader->error = r;
	}
}

static int
feed_zone(void *arg, const char *name, const struct zone **ret)
{
	return loader_zone(arg, name, ret);
}

static void
feeds_load(struct loader *loader, const config_setting_t *group, struct calendar *calendar)
{
	config_setting_t *list = setting_member(group, "holiday_feeds");

	for (int i = 0; i < strings_count(list); i++) {
		config_setting_t *element = strings_at(list, i);
		struct holidays_problem problem = {0};

		if (config_setting_get_string(element) == NULL)
			continue;
		const struct source *feed = loader_feed(loader, element);
		if (feed == NULL)
			continue;
		int r = holidays_add(feed->text, loader->now, feed_zone, loader, calendar, &problem);
		if (r == -EINVAL)
			loader_problem(loader, element, NULL, "\"%s\": %s", feed->name, problem.text);
		else if (r == -ENOTSUP)
			loader_problem(loader, element, NULL,
			               "this build reads no holiday feeds (it was configured --without-feeds)");
		else if (r < 0)
			loader->error = r;
	}
}

static void
day_length_load(struct loader *loader, const config_setting_t *group, struct calendar *calendar)
{
	const char *text = setting_string(group, "day_length");
	struct duration length;
	struct period period;

	if (text == NULL || !loader_duration(loader, group, "day_length", NULL, &length))
		return;
	if (period_parse(text, &period) == 0 && period.days > 0)
		loader_problem(loader, group, "day_length",
		               "\"%s\" says how long a day is by itself: write hours, \"24h\"", text);
	else if (length.us > US_PER_DAY)
		loader_problem(loader, group, "day_length", "\"%s\" is longer than a day", text);
	else
		calendar_set_day_length(calendar, length);
}

static void
calendar_keep(struct loader *loader, struct calendar *calendar)
{
	struct policy_set *set = loader->set;
	struct calendar **calendars = loader_grow(loader, set->calendars, set->n_calendars, sizeof *calendars);

	if (calendars == NULL) {
		calendar_free(calendar);
		return;
	}
	set->calendars = calendars;
	calendars[set->n_calendars++] = calendar;
}

/* A calendar with hours of its own; NULL after a problem. */
static struct calendar *
calendar_load_plain(struct loader *loader, const config_setting_t *group)
{
	const struct zone *zone = calendar_zone_load(loader, group);
	const struct zone *stand_in = NULL;
	struct calendar *calendar = NULL;

	/* Without a zone the rest is checked all the same, on UTC. */
	if (zone == NULL && loader_zone(loader, "UTC", &stand_in) < 0)
		return NULL;
	int r = calendar_new(group->name, zone != NULL ? zone : stand_in, &calendar);
	if (r < 0) {
		loader->error = r;
		return NULL;
	}
	week_load(loader, group, calendar);
	holidays_load(loader, group, calendar);
	exceptions_load(loader, group, calendar);
	feeds_load(loader, group, calendar);
	day_length_load(loader, group, calendar);
	if (zone != NULL)
		return calendar;
	calendar_free(calendar);
	return NULL;
}

static void calendar_load(struct loader *loader, config_setting_t *group);

/* The member calendars in an array that the caller frees; NULL after a problem. */
static struct calendar **
members_load(struct loader *loader, config_setting_t *list, size_t *ret_n)
{
	int count = strings_count(list);
	struct calendar **members = calloc((size_t)count + 1, sizeof *members);
	size_t n = 0;
	bool right = true;

	if (members == NULL) {
		loader->error = -ENOMEM;
		return NULL;
	}
	for (int i = 0; i < count; i++) {
		config_setting_t *element = strings_at(list, i);
		const char *name = config_setting_get_string(element);
		config_setting_t *definition = name != NULL ? names_find(&loader->calendars, name) : NULL;

		if (definition != NULL)
			calendar_load(loader, definition);
		struct calendar *member = name != NULL ? policy_set_calendar(loader->set, name) : NULL;
		if (member != NULL) {
			members[n++] = member;
			continue;
		}
		right = false;
		if (name == NULL || definition != NULL)
			continue;
		struct suggestion suggestion = {.given = name};
		char nearest[128];
		for (size_t j = 0; j < loader->calendars.n; j++)
			suggestion_offer(&suggestion, loader->calendars.items[j].name);
		loader_problem(loader, element, NULL, "there is no calendar \"%s\"%s", name,
		               suggestion_text(&suggestion, nearest));
	}
	if (count == 0)
		loader_problem(loader, list, NULL, "names no calendar");
	if (right && n > 0) {
		*ret_n = n;
		return members;
	}
	free(members);
	return NULL;
}

/* A union or an intersection; NULL after a problem. */
static struct calendar *
calendar_load_combined(struct loader *loader, const config_setting_t *group)
{
	static const char *const own[] = {"hours", "holidays", "holiday_feeds", "exceptions"};
	bool is_union = setting_member(group, "union") != NULL;
	const char *key = is_union ? "union" : "intersection";
	struct calendar *calendar = NULL;
	size_t n = 0;

	if (is_union && setting_member(group, "intersection") != NULL)
		loader_problem(loader, group, "intersection", "cannot stand beside union");
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (setting_member(group, own[i]) != NULL)
			loader_problem(loader, group, own[i],
			               "cannot stand beside %s: put it into one of the calendars there", key);
	struct calendar **members = members_load(loader, setting_member(group, key), &n);
	bool named = setting_member(group, "timezone") != NULL;
	const struct zone *zone = named ? calendar_zone_load(loader, group) : NULL;
	if (members == NULL || (named && zone == NULL)) {
		free(members);
		return NULL;
	}
	if (zone == NULL)
		zone = calendar_zone(members[0]);
	int r = is_union ? calendar_new_union(group->name, zone, members, n, &calendar)
	                 : calendar_new_intersection(group->name, zone, members, n, &calendar);
	free(members);
	if (r < 0) {
		loader->error = r;
		return NULL;
	}
	day_length_load(loader, group, calendar);
	return calendar;
}

/* The instant two years after `now`. */
static struct instant
two_years_after(struct instant now)
{
	return instant_plus(now, (struct duration){731 * US_PER_DAY});
}

/* Hooks of calendar groups: what is under way, and what is done. */
static char state_entered, state_done;

static void
calendar_load(struct loader *loader, config_setting_t *group)
{
	if (group->hook == &state_done)
		return;
	if (group->hook == &state_entered) {
		loader_problem(loader, group, NULL, "is made of itself, by union or intersection");
		return;
	}
	size_t n_problems = loader->problems->n;
	config_setting_set_hook(group, &state_entered);
	bool combined = setting_member(group, "union") != NULL || setting_member(group, "intersection") != NULL;
	struct calendar *calendar =
	    combined ? calendar_load_combined(loader, group) : calendar_load_plain(loader, group);
	config_setting_set_hook(group, &state_done);
	if (calendar == NULL)
		return;
	if (calendar_prepare(calendar, loader->now) < 0) {
		loader->error = -ENOMEM;
		calendar_free(calendar);
		return;
	}
	struct instant open = calendar_next_open(calendar, loader->now);
	/* Where hours were wrong, the rest follows from that. */
	if (loader->problems->n == n_problems && !instant_before(open, two_years_after(loader->now)))
		loader_problem(loader, group, NULL, "is never open in the two years after loading");
	calendar_keep(loader, calendar);
}

static void
calendar_name_add(struct loader *loader, config_setting_t *group)
{
	if (!config_setting_is_group(group))
		return;
	if (strcmp(group->name, calendar_name(loader->set->always)) == 0)
		loader_problem(loader, group, NULL, "the calendar \"always\" is built in");
	else
		(void)names_add(loader, &loader->calendars, group, NULL, group->name, "calendar"); /* it has reported */
}

void
loader_calendars(struct loader *loader)
{
	loader_each(loader, "calendars", calendar_name_add);
	for (size_t i = 0; i < loader->calendars.n; i++)
		calendar_load(loader, loader->calendars.items[i].setting);
}
