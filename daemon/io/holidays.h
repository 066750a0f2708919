/* Holiday feeds: iCalendar files (RFC 5545). An all-day event closes its dates, a timed one its span. */
#ifndef SLATED_IO_HOLIDAYS_H
#define SLATED_IO_HOLIDAYS_H

#include "slated/calendar.h"

struct holidays_problem {
	char text[160];
};

/* Gives the zone of a TZID; 0 or negative errno. */
typedef int holidays_zone(void *arg, const char *name, const struct zone **ret);

/* Closes `calendar` as the feed `text` says; recurring events up to twelve years after `now`, past which no search
 * looks. 0; -EINVAL with a problem; -ENOTSUP in a build without feeds; -ENOMEM. */
int holidays_add(const char *text, struct instant now, holidays_zone *find_zone, void *arg, struct calendar *calendar,
                 struct holidays_problem *problem) __attribute__((warn_unused_result));

#endif
