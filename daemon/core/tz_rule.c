/* The rule of a POSIX TZ string: reading it, and when its changes come. */
#include "tz_rule.h"

#include "slated/instant.h"

#include <assert.h>

static bool
rule_accept(const char **text, char c)
{
	if (**text != c)
		return false;
	++*text;
	return true;
}

static bool
rule_number(const char **text, int max, int *ret)
{
	int value = 0;

	if (**text < '0' || **text > '9')
		return false;
	for (; **text >= '0' && **text <= '9'; ++*text) {
		value = value * 10 + (**text - '0');
		if (value > max)
			return false;
	}
	*ret = value;
	return true;
}

static bool
is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* At least three letters, or at least three letters, digits and signs in angle brackets. */
static bool
rule_name(const char **text)
{
	bool quoted = rule_accept(text, '<');
	int length = 0;

	while (is_letter(**text) || (quoted && ((**text >= '0' && **text <= '9') || **text == '+' || **text == '-'))) {
		++*text;
		length++;
	}
	return length >= 3 && (!quoted || rule_accept(text, '>'));
}

/* [+-]h[h[h]][:mm[:ss]] in seconds. */
static bool
rule_time(const char **text, int max_hours, int32_t *ret)
{
	int hours;
	int minutes = 0;
	int seconds = 0;
	bool negative = rule_accept(text, '-');

	if (!negative)
		(void)rule_accept(text, '+');
	if (!rule_number(text, max_hours, &hours))
		return false;
	if (rule_accept(text, ':')) {
		if (!rule_number(text, 59, &minutes))
			return false;
		if (rule_accept(text, ':') && !rule_number(text, 59, &seconds))
			return false;
	}
	int32_t time = hours * 3600 + minutes * 60 + seconds;
	*ret = negative ? -time : time;
	return true;
}

static bool
rule_date(const char **text, struct tz_rule_date *ret)
{
	struct tz_rule_date date = {.time = 2 * 3600};

	if (!rule_accept(text, ','))
		return false;
	if (rule_accept(text, 'J')) {
		date.kind = RULE_JULIAN;
		if (!rule_number(text, 365, &date.day) || date.day < 1)
			return false;
	} else if (rule_accept(text, 'M')) {
		date.kind = RULE_MONTH_WEEKDAY;
		if (!rule_number(text, 12, &date.month) || date.month < 1 || !rule_accept(text, '.'))
			return false;
		if (!rule_number(text, 5, &date.week) || date.week < 1 || !rule_accept(text, '.'))
			return false;
		if (!rule_number(text, 6, &date.day))
			return false;
	} else {
		date.kind = RULE_DAY;
		if (!rule_number(text, 365, &date.day))
			return false;
	}
	/* Version 3 of the format widened the hours to a week; harmless in older files. */
	if (rule_accept(text, '/') && !rule_time(text, 167, &date.time))
		return false;
	*ret = date;
	return true;
}

/* POSIX offsets count westwards. */
bool
tz_rule_parse(const char *text, const char *end, struct tz_rule *ret)
{
	struct tz_rule rule = {0};
	int32_t west;

	if (!rule_name(&text) || !rule_time(&text, 24, &west))
		return false;
	rule.standard = -west;
	if (text != end) {
		rule.has_daylight = true;
		rule.daylight = rule.standard + 3600;
		if (!rule_name(&text))
			return false;
		if (*text != ',') {
			if (!rule_time(&text, 24, &west))
				return false;
			rule.daylight = -west;
		}
		if (!rule_date(&text, &rule.start) || !rule_date(&text, &rule.end) || text != end)
			return false;
	}
	*ret = rule;
	return true;
}

static int32_t
first_of_month(int year, int month)
{
	struct date date = {0};
	int r = date_from_civil(year, month, 1, &date);

	assert(r == 0);
	return date.day;
}

int64_t
tz_rule_second(const struct tz_rule_date *date, int year, int32_t offset)
{
	int64_t day = 0;

	switch (date->kind) {
	case RULE_JULIAN: {
		/* 1 March is day 60 in every year. */
		int32_t march = first_of_month(year, 3);
		day = date->day >= 60 ? march + date->day - 60 : first_of_month(year, 1) + date->day - 1;
		break;
	}
	case RULE_DAY:
		day = first_of_month(year, 1) + date->day;
		break;
	case RULE_MONTH_WEEKDAY: {
		int32_t first = first_of_month(year, date->month);
		int32_t next = date->month == 12 ? first_of_month(year + 1, 1) : first_of_month(year, date->month + 1);
		int weekday = (date_weekday((struct date){first}) + 1) % 7;
		day = first + (date->day - weekday + 7) % 7 + (date->week - 1) * 7;
		if (day >= next)
			day -= 7;
		break;
	}
	}
	return day * 86400 + date->time - offset;
}
