/* Instants, periods and dates: reading, writing and the Gregorian calendar. */
#include "slated/instant.h"

#include <errno.h>

/* A hundred years of 365.25 days: no period is longer. */
#define PERIOD_MAX_DAYS 36525

/* Text that is being read: `at` moves towards `end`. */
struct text {
	const char *at;
	const char *end;
};

static bool
text_accept(struct text *text, char c)
{
	if (text->at == text->end || *text->at != c)
		return false;
	text->at++;
	return true;
}

/* Reads exactly `n` digits; -1 where they are not there. */
static int
text_digits(struct text *text, int n)
{
	int value = 0;

	if (text->end - text->at < n)
		return -1;
	for (; n > 0; n--, text->at++) {
		if (*text->at < '0' || *text->at > '9')
			return -1;
		value = value * 10 + (*text->at - '0');
	}
	return value;
}

static bool
text_civil_date(struct text *text, struct date *ret)
{
	int year = text_digits(text, 4);
	if (year < 0 || !text_accept(text, '-'))
		return false;
	int month = text_digits(text, 2);
	if (month < 0 || !text_accept(text, '-'))
		return false;
	int day = text_digits(text, 2);
	return day >= 0 && date_from_civil(year, month, day, ret) == 0;
}

/* "HH:MM:SS" with an optional fraction, in microseconds since midnight; -1 where there is none. */
static int64_t
text_time_of_day(struct text *text)
{
	int hour = text_digits(text, 2);
	if (hour < 0 || hour > 23 || !text_accept(text, ':'))
		return -1;
	int minute = text_digits(text, 2);
	if (minute < 0 || minute > 59 || !text_accept(text, ':'))
		return -1;
	int second = text_digits(text, 2);
	if (second < 0 || second > 60)
		return -1;
	int64_t us = hour * US_PER_H + minute * US_PER_MIN + second * US_PER_S;
	if (!text_accept(text, '.'))
		return us;

	int digit = text_digits(text, 1);
	if (digit < 0)
		return -1;
	for (int64_t unit = US_PER_S / 10; digit >= 0; unit /= 10) {
		us += digit * unit;
		if (text->at == text->end || *text->at < '0' || *text->at > '9')
			break;
		digit = text_digits(text, 1);
	}
	return us;
}

/* "Z", "+HH:MM" or "-HH:MM": microseconds east of UTC. */
static bool
text_offset(struct text *text, int64_t *ret)
{
	if (text_accept(text, 'Z') || text_accept(text, 'z')) {
		*ret = 0;
		return true;
	}
	bool west = text_accept(text, '-');
	if (!west && !text_accept(text, '+'))
		return false;
	int hour = text_digits(text, 2);
	if (hour < 0 || hour > 23 || !text_accept(text, ':'))
		return false;
	int minute = text_digits(text, 2);
	if (minute < 0 || minute > 59)
		return false;
	int64_t us = hour * US_PER_H + minute * US_PER_MIN;
	*ret = west ? -us : us;
	return true;
}

int
instant_parse(const char *text, size_t len, struct instant *ret)
{
	struct text in = {text, text + len};
	struct date date;
	int64_t offset;

	if (!text_civil_date(&in, &date))
		return -EINVAL;
	if (!text_accept(&in, 'T') && !text_accept(&in, 't') && !text_accept(&in, ' '))
		return -EINVAL;
	int64_t us = text_time_of_day(&in);
	if (us < 0 || !text_offset(&in, &offset) || in.at != in.end)
		return -EINVAL;
	*ret = (struct instant){date_begin(date).us + us - offset};
	return 0;
}

/* Writes the `n` last digits of `value` and returns where they end. */
static char *
put_digits(char *at, int n, int value)
{
	for (int i = n - 1; i >= 0; i--, value /= 10)
		at[i] = (char)('0' + value % 10);
	return at + n;
}

size_t
instant_format(struct instant at, char text[static INSTANT_TEXT_SIZE])
{
	struct date date = date_of_wall((struct wall){at.us});
	/* The first day of the range begins before the range does, hence the remainder and not a difference. */
	int64_t us = at.us % US_PER_DAY;
	if (us < 0)
		us += US_PER_DAY;
	int second = (int)(us / US_PER_S);
	int fraction = (int)(us % US_PER_S);
	int year, month, day;
	date_to_civil(date, &year, &month, &day);

	char *end = text;
	if (year < 0) {
		*end++ = '-';
		year = -year;
	}
	end = put_digits(end, year > 99999 ? 6 : year > 9999 ? 5 : 4, year);
	*end++ = '-';
	end = put_digits(end, 2, month);
	*end++ = '-';
	end = put_digits(end, 2, day);
	*end++ = 'T';
	end = put_digits(end, 2, second / 3600);
	*end++ = ':';
	end = put_digits(end, 2, second / 60 % 60);
	*end++ = ':';
	end = put_digits(end, 2, second % 60);
	if (fraction != 0) {
		*end++ = '.';
		end = put_digits(end, 6, fraction);
	}
	*end++ = 'Z';
	*end = '\0';
	return (size_t)(end - text);
}

/* More than a hundred years in any unit; four such numbers of days, in seconds, stay inside 64 bits. */
#define COUNT_MAX INT64_C(10000000000)

/* Reads a number, held at COUNT_MAX. */
static int64_t
text_count(const char **text)
{
	int64_t value = 0;

	for (; **text >= '0' && **text <= '9'; ++*text) {
		value = value * 10 + (**text - '0');
		if (value > COUNT_MAX)
			value = COUNT_MAX;
	}
	return value;
}

int
period_parse(const char *text, struct period *ret)
{
	static const struct {
		char name;
		int32_t seconds;
	} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
	const size_t n_units = sizeof units / sizeof *units;
	int64_t seconds = 0;
	int64_t days = 0;
	size_t unit = 0;

	do {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		int64_t count = text_count(&text);
		if (count > 0 && unit == 0 && text[0] == 'b' && text[1] == 'd' && text[2] == '\0') {
			if (count > PERIOD_MAX_DAYS)
				return -ERANGE;
			*ret = (struct period){.business_days = (int32_t)count};
			return 0;
		}
		while (unit < n_units && units[unit].name != *text)
			unit++;
		if (unit == n_units)
			return -EINVAL;
		seconds += count * units[unit].seconds;
		if (unit == 0)
			days = count;
		unit++;
		text++;
	} while (*text != '\0');

	if (seconds == 0)
		return -EINVAL;
	if (seconds > PERIOD_MAX_DAYS * INT64_C(86400))
		return -ERANGE;
	*ret = (struct period){.elapsed = {seconds * US_PER_S}, .days = (int32_t)days};
	return 0;
}

static bool
year_is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Floor division; `by` > 0. */
static int64_t
div_floor(int64_t a, int64_t by)
{
	return a / by - (a % by < 0);
}

/* Both directions count from 1 March of year 0 in cycles of 400 years (146097 days), so that the leap day comes last
 * in its year; 719468 days lie between that and 1970-01-01. Month 0 is March: (153 m + 2) / 5 days lie before it. */
int
date_from_civil(int year, int month, int day, struct date *ret)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month < 1 || month > 12 || day < 1)
		return -EINVAL;
	if (day > lengths[month - 1] + (month == 2 && year_is_leap(year)))
		return -EINVAL;
	int64_t march_year = (int64_t)year - (month <= 2);
	int64_t cycle = div_floor(march_year, 400);
	int64_t year_of_cycle = march_year - cycle * 400;
	int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
	int64_t day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
	int64_t days = cycle * 146097 + day_of_cycle - 719468;
	if (days < INT32_MIN || days > INT32_MAX)
		return -EINVAL;
	*ret = (struct date){(int32_t)days};
	return 0;
}

void
date_to_civil(struct date date, int *ret_year, int *ret_month, int *ret_day)
{
	int64_t days = (int64_t)date.day + 719468;
	int64_t cycle = div_floor(days, 146097);
	int64_t day_of_cycle = days - cycle * 146097;
	int64_t year_of_cycle =
	    (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36524 - day_of_cycle / 146096) / 365;
	int64_t day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
	int month = (int)((5 * day_of_year + 2) / 153);

	*ret_day = (int)(day_of_year - (153 * month + 2) / 5) + 1;
	*ret_month = month < 10 ? month + 3 : month - 9;
	*ret_year = (int)(cycle * 400 + year_of_cycle) + (*ret_month <= 2);
}

int
date_parse(const char *text, struct date *ret)
{
	struct text in = {text, text};
	struct date date;

	/* No further than the longest date, however long the text is. */
	while (in.end - text < 11 && *in.end != '\0')
		in.end++;
	if (!text_civil_date(&in, &date) || in.at != in.end)
		return -EINVAL;
	*ret = date;
	return 0;
}

int
date_weekday(struct date date)
{
	/* 1970-01-01 was a Thursday. */
	int64_t day = ((int64_t)date.day + 3) % 7;
	return (int)(day < 0 ? day + 7 : day);
}

struct date
date_of_wall(struct wall wall)
{
	return (struct date){(int32_t)div_floor(wall.us, US_PER_DAY)};
}

struct wall
date_begin(struct date date)
{
	int64_t us;

	if (__builtin_mul_overflow((int64_t)date.day, US_PER_DAY, &us))
		us = date.day < 0 ? INT64_MIN : INT64_MAX;
	return (struct wall){us};
}
