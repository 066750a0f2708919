#include "slated/words.h"

#include <stdio.h>

const char *const metric_words[METRIC_COUNT] = {
    [METRIC_FIRST_RESPONSE] = "first response", [METRIC_NEXT_RESPONSE] = "next response", [METRIC_UPDATE] = "update",
    [METRIC_RESOLUTION] = "resolution",         [METRIC_ASSESSMENT] = "assessment",
};

const char *const status_words[STATUS_COUNT] = {
    [STATUS_OPEN] = "open",     [STATUS_PENDING] = "pending", [STATUS_ON_HOLD] = "on hold",
    [STATUS_SOLVED] = "solved", [STATUS_CLOSED] = "closed",
};

void
words_offset(int32_t offset, char text[static WORDS_SIZE])
{
	int32_t away = offset < 0 ? -offset : offset;
	int len = snprintf(text, WORDS_SIZE, "%c%02d:%02d", offset < 0 ? '-' : '+', away / 3600, away / 60 % 60);

	if (away % 60 != 0)
		(void)snprintf(text + len, WORDS_SIZE - (size_t)len, ":%02d", away % 60);
}

void
words_local(const struct zone *zone, struct instant at, char text[static WORDS_SIZE])
{
	static const char weekdays[7][4] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	char offset[WORDS_SIZE], fraction[16] = "";
	struct wall wall = zone_wall(zone, at);
	struct date date = date_of_wall(wall);
	int64_t us = wall.us - date_begin(date).us;
	int year, month, day;

	date_to_civil(date, &year, &month, &day);
	words_offset(zone_offset(zone, at), offset);
	if (us % US_PER_S != 0)
		(void)snprintf(fraction, sizeof fraction, ".%06d", (int)(us % US_PER_S));
	(void)snprintf(text, WORDS_SIZE, "%s %04d-%02d-%02d %02d:%02d:%02d%s %.9s", weekdays[date_weekday(date)], year,
	               month, day, (int)(us / US_PER_H), (int)(us / US_PER_MIN % 60), (int)(us / US_PER_S % 60),
	               fraction, offset);
}

void
words_length(struct duration length, char text[static WORDS_SIZE])
{
	int64_t hours = length.us / US_PER_H;
	int minutes = (int)(length.us / US_PER_MIN % 60);
	int seconds = (int)(length.us / US_PER_S % 60);
	int fraction = (int)(length.us % US_PER_S);
	int len = 0;

	text[0] = '\0';
	if (hours > 0)
		len += snprintf(text, WORDS_SIZE, "%lldh", (long long)hours);
	if (minutes > 0)
		len += snprintf(text + len, WORDS_SIZE - (size_t)len, "%dm", minutes);
	if (fraction > 0)
		(void)snprintf(text + len, WORDS_SIZE - (size_t)len, "%d.%06ds", seconds, fraction);
	else if (seconds > 0 || len == 0)
		(void)snprintf(text + len, WORDS_SIZE - (size_t)len, "%ds", seconds);
}

void
words_target(const struct target *target, char text[static WORDS_SIZE])
{
	const char *reading = business_day_names[target->business_day];

	(void)snprintf(text, WORDS_SIZE, "%s %s%s%s", target->under ? "under" : "within", target->text,
	               reading != NULL ? " " : "", reading != NULL ? reading : "");
}
