/* Calendars whose holidays end, and words that people read in two ways. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lint_internal.h"
#include "slated/words.h"

/* Holidays that end sooner than this are about to run out. */
#define HOLIDAYS_AHEAD_DAYS 90

/* Holidays --------------------------------------------------------------------------------------------------------- */

static struct date
today(const struct loader *loader, const struct calendar *calendar)
{
	return date_of_wall(zone_wall(calendar_zone(calendar), loader->now));
}

/* 1 January, `years` after the date's year. */
static struct date
new_year(struct date date, int years, int *ret_year)
{
	int year, month, day;

	date_to_civil(date, &year, &month, &day);
	*ret_year = year + years;
	if (date_from_civil(*ret_year, 1, 1, &date) < 0)
		abort(); /* every year has one */
	return date;
}

/* Whether it or, of an intersection, any member has holidays by date; of a union they are looked at one by one. */
static bool
has_dated(const struct calendar *calendar)
{
	struct calendar *const *members;
	size_t n = calendar_members(calendar, &members);
	struct date last;

	for (size_t i = 0; i < n; i++)
		if (has_dated(members[i]))
			return true;
	return calendar_last_holiday(calendar, &last);
}

static bool
has_yearly(const struct calendar *calendar)
{
	struct calendar *const *members;
	size_t n = calendar_members(calendar, &members);

	for (size_t i = 0; i < n; i++)
		if (has_yearly(members[i]))
			return true;
	return calendar_has_yearly_holiday(calendar);
}

/* Whether it is closed all of next Saturday and Sunday by its own zone: who works at weekends may work on holidays. */
static bool
keeps_weekends(const struct loader *loader, struct calendar *calendar)
{
	const struct zone *zone = calendar_zone(calendar);
	struct date date = today(loader, calendar);

	date.day += 5 - date_weekday(date) + 7;
	struct instant from = zone_instant(zone, date_begin(date), ZONE_FIRST);
	struct instant to = zone_instant(zone, date_begin((struct date){date.day + 2}), ZONE_FIRST);
	return calendar_between(calendar, from, to).us == 0;
}

/* Tells of dates that end; those of every year do not. */
static void
dates_check(struct loader *loader, const struct calendar *calendar)
{
	const config_setting_t *setting = lint_calendar_setting(loader, calendar);
	const char *key = setting_member(setting, "holiday_feeds") != NULL ? "holiday_feeds" : "holidays";
	struct date last, now = today(loader, calendar);
	int year, month, day;
	struct text text = {0};

	if (!calendar_last_holiday(calendar, &last))
		return;
	struct date begin = new_year(now, 1, &year), end = new_year(now, 2, &day);
	if (last.day < now.day + HOLIDAYS_AHEAD_DAYS) {
		date_to_civil(last, &year, &month, &day);
		text_add_format(&text,
		                "the holidays of calendar \"%s\" %s: the last is %04d-%02d-%02d, and days after "
		                "it count as ordinary ones",
		                calendar_name(calendar), last.day < now.day ? "have run out" : "are about to run out",
		                year, month, day);
		loader_finding(loader, "holidays-end", setting, key, &text);
	} else if (!calendar_has_holiday(calendar, begin, end)) {
		text_add_format(&text, "calendar \"%s\" has no holiday in %d", calendar_name(calendar), year);
		loader_finding(loader, "no-holidays", setting, key, &text);
	}
	free(text.data);
}

/* `checked` has a flag for each calendar of the set. */
static void
holidays_check(struct loader *loader, struct calendar *calendar, bool *checked)
{
	const struct policy_set *set = loader->set;
	struct calendar *const *members;
	size_t n = calendar_members(calendar, &members);
	struct text text = {0};
	int year;

	for (size_t i = 0; i < set->n_calendars; i++)
		if (set->calendars[i] == calendar) {
			if (checked[i])
				return;
			checked[i] = true;
		}
	if (calendar_is_always(calendar))
		return;
	bool intersection = calendar_is_intersection(calendar);
	for (size_t i = 0; i < n; i++)
		if (!intersection || has_dated(members[i]))
			holidays_check(loader, members[i], checked);
	if (n == 0)
		dates_check(loader, calendar);
	if ((n > 0 && !intersection) || has_dated(calendar) || has_yearly(calendar) ||
	    !keeps_weekends(loader, calendar))
		return;
	(void)new_year(today(loader, calendar), 1, &year); /* for the year */
	text_add_format(&text,
	                "calendar \"%s\" has no holidays, in %d or any year: a public holiday counts as an "
	                "ordinary day",
	                calendar_name(calendar), year);
	loader_finding(loader, "no-holidays", lint_calendar_setting(loader, calendar), NULL, &text);
	free(text.data);
}

void
lint_calendars(struct loader *loader)
{
	const struct policy_set *set = loader->set;
	bool *checked = calloc(set->n_calendars + 1, sizeof *checked);

	if (checked == NULL) {
		loader->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < set->n_policies; i++)
		for (size_t j = 0; j < set->policies[i].n_targets && !lint_policy_ended(loader, &set->policies[i]); j++)
			holidays_check(loader, set->policies[i].targets[j].calendar, checked);
	free(checked);
}

/* Words ------------------------------------------------------------------------------------------------------------ */

/* "24h" where a day has fewer open hours: some mean a business day by it. */
static void
hours_check(struct loader *loader, size_t policy, size_t index)
{
	const struct target *target = &loader->set->policies[policy].targets[index];
	int64_t days = target->allowance.elapsed.us / US_PER_DAY;
	char opened[WORDS_SIZE], due[WORDS_SIZE];
	struct text text = {0};

	if (target->allowance.business_days > 0 || target->allowance.elapsed.us % US_PER_DAY != 0 ||
	    calendar_is_always(target->calendar))
		return;
	struct instant start = calendar_next_open(target->calendar, loader->now);
	struct instant open = start, close = start;
	if (calendar_interval(target->calendar, start, &open, &close) && instant_since(close, open).us >= US_PER_DAY)
		return;
	const struct zone *zone = calendar_zone(target->calendar);
	words_local(zone, start, opened);
	words_local(zone, target_due(target, start), due);
	text_add_format(&text,
	                "\"%s\" on calendar \"%s\" is open time, due %s for a ticket opened %s; who means %s "
	                "writes \"%lldbd\"",
	                target->text, calendar_name(target->calendar), due, opened,
	                days == 1 ? "a business day" : "business days", (long long)days);
	loader_finding(loader, "ambiguous", lint_target_setting(loader, policy, index),
	               target->under ? "under" : "within", &text);
	free(text.data);
}

/* Without blanks, hyphens and underscores, in small letters. */
static void
word_reduce(const char *word, char *ret, size_t room)
{
	size_t n = 0;

	for (; *word != '\0' && n + 1 < room; word++)
		if (strchr(" \t-_", *word) == NULL)
			ret[n++] = glob_lower(*word);
	ret[n] = '\0';
}

struct word {
	const struct condition *condition;
	const char *text;
	size_t policy;
};

static bool
word_same_fact(const struct word *a, const struct word *b)
{
	const struct condition *x = a->condition, *y = b->condition;

	return x->kind == y->kind && (x->kind != CONDITION_ATTRIBUTE || x->attribute == y->attribute) &&
	       (x->kind != CONDITION_CUSTOM || strcmp(x->key, y->key) == 0);
}

/* Tells of a value that is written otherwise before. True once it has been looked at against an earlier spelling. */
static bool
word_check(struct loader *loader, const struct word *word, const struct word *former)
{
	const config_setting_t *place = lint_policy_setting(loader, former->policy);
	char a[256], b[256];
	struct text text = {0};

	word_reduce(word->text, a, sizeof a);
	word_reduce(former->text, b, sizeof b);
	if (strcmp(a, b) != 0 || *a == '\0')
		return false;
	if (strcasecmp(word->text, former->text) == 0)
		return true;
	text_add_format(&text,
	                "\"%s\" here and \"%s\" in policy \"%s\" (%s:%u) look like one value, but no ticket fits "
	                "both",
	                word->text, former->text, loader->set->policies[former->policy].name,
	                setting_source(place)->display, config_setting_source_line(place));
	loader_finding(loader, "ambiguous", lint_policy_setting(loader, word->policy), "match", &text);
	free(text.data);
	return true;
}

static void
word_check_blanks(struct loader *loader, const struct word *word)
{
	size_t len = strlen(word->text);
	struct text text = {0};

	if (len == 0 || (word->text[0] != ' ' && word->text[len - 1] != ' '))
		return;
	text_add_format(&text, "\"%s\" has a blank at its end or beginning, which a ticket has to have, too",
	                word->text);
	loader_finding(loader, "ambiguous", lint_policy_setting(loader, word->policy), "match", &text);
	free(text.data);
}

/* All values that policies write, in file order. NULL where memory is out. */
static struct word *
words_gather(struct loader *loader, size_t *ret_n)
{
	const struct policy_set *set = loader->set;
	struct word *words = NULL;
	size_t n = 0;

	for (size_t i = 0; i < set->n_policies; i++)
		for (size_t j = 0; j < set->policies[i].match.n_conditions; j++) {
			const struct condition *condition = &set->policies[i].match.conditions[j];
			for (size_t k = 0; k < condition->n_any_of + condition->n_none_of; k++) {
				struct word *grown = loader_grow(loader, words, n, sizeof *words);
				if (grown == NULL) {
					free(words);
					return NULL;
				}
				words = grown;
				words[n++] =
				    (struct word){condition,
				                  k < condition->n_any_of ? condition->any_of[k]
				                                          : condition->none_of[k - condition->n_any_of],
				                  i};
			}
		}
	*ret_n = n;
	return words;
}

void
lint_words(struct loader *loader)
{
	size_t n = 0;
	struct word *words = words_gather(loader, &n);

	assert(words != NULL || n == 0);
	for (size_t i = 0; i < n; i++) {
		word_check_blanks(loader, &words[i]);
		for (size_t j = 0; j < i; j++)
			if (word_same_fact(&words[i], &words[j]) && word_check(loader, &words[i], &words[j]))
				break;
	}
	free(words);
	for (size_t i = 0; i < loader->set->n_policies; i++)
		for (size_t j = 0; j < loader->set->policies[i].n_targets; j++)
			hours_check(loader, i, j);
}
