/* The rule of a POSIX TZ string, as the footer of a TZif file has it (RFC 9636 section 3.3.1). */
#ifndef SLATED_CORE_TZ_RULE_H
#define SLATED_CORE_TZ_RULE_H

#include <stdbool.h>
#include <stdint.h>

enum tz_rule_day {
	RULE_JULIAN,       /* Jn: day 1 to 365, 29 February is never counted */
	RULE_DAY,          /* n: day 0 to 365, leap days counted */
	RULE_MONTH_WEEKDAY /* Mm.w.d: week 5 is the last one of the month, weekday 0 is Sunday */
};

struct tz_rule_date {
	enum tz_rule_day kind;
	int month;
	int week;
	int day;
	int32_t time; /* seconds after midnight of that day */
};

/* Offsets are seconds east of UTC. */
struct tz_rule {
	int32_t standard;
	int32_t daylight;
	bool has_daylight;
	struct tz_rule_date start;
	struct tz_rule_date end;
};

/* Reads all of the text up to `end`, where a newline must stand: no part of a rule is one, so reading stops there at
 * the latest. False for anything but a rule. */
bool tz_rule_parse(const char *text, const char *end, struct tz_rule *ret);

/* The instant, in seconds since 1970, at which `date` comes in `year` while `offset` is in force. */
int64_t tz_rule_second(const struct tz_rule_date *date, int year, int32_t offset);

#endif
