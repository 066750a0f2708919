#include "holidays.h"

#include <errno.h>
#include <stdio.h>

#include "config.h"

#ifdef HAVE_FEEDS

#include <libical/ical.h>
#include <string.h>

/* What one feed may close, days and spans, or its rules go through: fifty years of days. Longer ones are mistakes. */
#define CLOSED_MAX 20000

struct feed {
	icalcomponent *root;
	struct instant until;
	holidays_zone *find_zone;
	void *arg;
	struct calendar *calendar;
	struct holidays_problem *problem;
	unsigned closed;
};

/* Counts one more; false after CLOSED_MAX. */
static bool
feed_count(struct feed *feed)
{
	if (feed->closed < CLOSED_MAX) {
		feed->closed++;
		return true;
	}
	snprintf(feed->problem->text, sizeof feed->problem->text, "closes more than %d days", CLOSED_MAX);
	return false;
}

/* The wall clock's reading that a DATE or DATE-TIME writes; false for a date that does not exist. */
static bool
time_wall(struct icaltimetype time, struct wall *ret)
{
	struct date date;

	if (date_from_civil(time.year, time.month, time.day, &date) < 0)
		return false;
	ret->us = date_begin(date).us;
	if (!time.is_date)
		ret->us += (time.hour * INT64_C(3600) + time.minute * INT64_C(60) + time.second) * US_PER_S;
	return true;
}

static struct date
date_plus(struct date date, int64_t days)
{
	return (struct date){date.day + (int32_t)days};
}

/* The zone of an event's times: UTC, the one its TZID names, else (floating) the calendar's. */
static int
property_zone(struct feed *feed, icalproperty *property, struct icaltimetype time, const struct zone **ret)
{
	icalparameter *parameter = icalproperty_get_first_parameter(property, ICAL_TZID_PARAMETER);
	const char *name = icaltime_is_utc(time) ? "UTC" : parameter != NULL ? icalparameter_get_tzid(parameter) : NULL;

	if (name == NULL) {
		*ret = calendar_zone(feed->calendar);
		return 0;
	}
	int r = feed->find_zone(feed->arg, name, ret);
	if (r < 0 && r != -ENOMEM) {
		snprintf(feed->problem->text, sizeof feed->problem->text, "no time zone \"%.80s\" on this system",
		         name);
		return -EINVAL;
	}
	return r;
}

/* One event's place and length, as each of its occurrences has it. */
struct event {
	icalcomponent *component;
	const char *label;
	const struct zone *zone;
	struct icaltimetype start;
	int64_t days;           /* an all-day event's */
	struct duration length; /* a timed one's */
};

static int
event_close(struct feed *feed, const struct event *event, struct icaltimetype start)
{
	struct wall wall;

	if (!time_wall(start, &wall))
		return 0;
	if (!event->start.is_date) {
		struct instant from = zone_instant(event->zone, wall, ZONE_FIRST);
		if (!feed_count(feed))
			return -EINVAL;
		return calendar_add_closure(feed->calendar, from, instant_plus(from, event->length), event->label);
	}
	for (int64_t i = 0; i < event->days; i++) {
		if (!feed_count(feed))
			return -EINVAL;
		int r = calendar_add_holiday(feed->calendar, date_plus(date_of_wall(wall), i), event->label);
		if (r < 0)
			return r;
	}
	return 0;
}

/* DTEND, else DURATION, else a day or nothing. RFC 5545 section 3.6.1. */
static int
event_measure(struct feed *feed, struct event *event)
{
	icalproperty *end = icalcomponent_get_first_property(event->component, ICAL_DTEND_PROPERTY);
	icalproperty *duration = icalcomponent_get_first_property(event->component, ICAL_DURATION_PROPERTY);
	struct wall from, to;

	if (!time_wall(event->start, &from))
		return -EINVAL;
	event->days = 1;
	if (end != NULL) {
		struct icaltimetype time = icalproperty_get_dtend(end);
		const struct zone *zone = event->zone;
		int r = time.is_date ? 0 : property_zone(feed, end, time, &zone);
		if (r < 0)
			return r;
		if (!time_wall(time, &to))
			return -EINVAL;
		if (event->start.is_date)
			event->days = date_of_wall(to).day - date_of_wall(from).day;
		else
			event->length = instant_since(zone_instant(zone, to, ZONE_SECOND),
			                              zone_instant(event->zone, from, ZONE_FIRST));
	} else if (duration != NULL) {
		event->length.us = icaldurationtype_as_int(icalproperty_get_duration(duration)) * US_PER_S;
		event->days = event->length.us / US_PER_DAY;
	}
	/* A feed that closes a century is a mistake; so is an end before the start. */
	if (event->days < 0 || event->days > 36600 || event->length.us < 0) {
		snprintf(feed->problem->text, sizeof feed->problem->text,
		         "event \"%.60s\" ends before it begins, or never", event->label != NULL ? event->label : "");
		return -EINVAL;
	}
	if (event->start.is_date && event->days == 0)
		event->days = 1;
	return 0;
}

static bool
time_same(struct icaltimetype a, struct icaltimetype b)
{
	return a.year == b.year && a.month == b.month && a.day == b.day &&
	       (a.is_date || b.is_date || (a.hour == b.hour && a.minute == b.minute && a.second == b.second));
}

/* Whether EXDATE or an event of its own (RECURRENCE-ID) takes the occurrence out. */
static bool
occurrence_is_out(struct feed *feed, const struct event *event, struct icaltimetype start)
{
	const char *uid = icalcomponent_get_uid(event->component);

	for (icalproperty *p = icalcomponent_get_first_property(event->component, ICAL_EXDATE_PROPERTY); p != NULL;
	     p = icalcomponent_get_next_property(event->component, ICAL_EXDATE_PROPERTY))
		if (time_same(icalproperty_get_exdate(p), start))
			return true;
	if (uid == NULL)
		return false;
	icalcompiter iter = icalcomponent_begin_component(feed->root, ICAL_VEVENT_COMPONENT);
	for (icalcomponent *c = icalcompiter_deref(&iter); c != NULL; c = icalcompiter_next(&iter)) {
		icalproperty *id = icalcomponent_get_first_property(c, ICAL_RECURRENCEID_PROPERTY);
		const char *other = icalcomponent_get_uid(c);

		if (id != NULL && other != NULL && strcmp(uid, other) == 0 &&
		    time_same(icalproperty_get_recurrenceid(id), start))
			return true;
	}
	return false;
}

static int
event_close_rule(struct feed *feed, const struct event *event, icalproperty *rule)
{
	struct icalrecurrencetype recurrence = icalproperty_get_rrule(rule);
	struct icaltimetype time;
	struct wall wall;
	int r = 0;

	if (recurrence.freq == ICAL_SECONDLY_RECURRENCE || recurrence.freq == ICAL_MINUTELY_RECURRENCE ||
	    recurrence.freq == ICAL_HOURLY_RECURRENCE) {
		snprintf(feed->problem->text, sizeof feed->problem->text, "event \"%.60s\" recurs more than once a day",
		         event->label != NULL ? event->label : "");
		return -EINVAL;
	}
	icalrecur_iterator *iterator = icalrecur_iterator_new(recurrence, event->start);
	if (iterator == NULL) {
		snprintf(feed->problem->text, sizeof feed->problem->text,
		         "event \"%.60s\" has an RRULE that is malformed or never comes",
		         event->label != NULL ? event->label : "");
		return -EINVAL;
	}
	while (r == 0) {
		time = icalrecur_iterator_next(iterator);
		if (icaltime_is_null_time(time) || !time_wall(time, &wall) || wall.us > feed->until.us)
			break;
		if (!occurrence_is_out(feed, event, time))
			r = event_close(feed, event, time);
		else if (!feed_count(feed))
			r = -EINVAL;
	}
	icalrecur_iterator_free(iterator);
	return r;
}

/* The i-th property of a kind, from the start each time: a component has one position for all who walk it. */
static icalproperty *
property_at(icalcomponent *component, icalproperty_kind kind, int i)
{
	icalproperty *property = icalcomponent_get_first_property(component, kind);

	for (; property != NULL && i > 0; i--)
		property = icalcomponent_get_next_property(component, kind);
	return property;
}

static int
event_add(struct feed *feed, icalcomponent *component)
{
	icalproperty *start = icalcomponent_get_first_property(component, ICAL_DTSTART_PROPERTY);
	struct event event = {.component = component, .label = icalcomponent_get_summary(component)};

	if (icalcomponent_get_status(component) == ICAL_STATUS_CANCELLED)
		return 0;
	if (start == NULL || icaltime_is_null_time(event.start = icalproperty_get_dtstart(start))) {
		snprintf(feed->problem->text, sizeof feed->problem->text, "event \"%.60s\" has no DTSTART",
		         event.label != NULL ? event.label : "");
		return -EINVAL;
	}
	int r = event.start.is_date ? 0 : property_zone(feed, start, event.start, &event.zone);
	if (r == 0)
		r = event_measure(feed, &event);
	icalproperty *rule = icalcomponent_get_first_property(component, ICAL_RRULE_PROPERTY);
	if (r == 0 && rule != NULL)
		r = event_close_rule(feed, &event, rule);
	else if (r == 0 && !occurrence_is_out(feed, &event, event.start))
		r = event_close(feed, &event, event.start);
	for (int i = 0; r == 0; i++) {
		icalproperty *added = property_at(component, ICAL_RDATE_PROPERTY, i);
		if (added == NULL)
			break;
		struct icaltimetype time = icalproperty_get_rdate(added).time;
		if (!icaltime_is_null_time(time) && !occurrence_is_out(feed, &event, time))
			r = event_close(feed, &event, time);
	}
	return r;
}

int
holidays_add(const char *text, struct instant now, holidays_zone *find_zone, void *arg, struct calendar *calendar,
             struct holidays_problem *problem)
{
	struct feed feed = {
	    .root = icalparser_parse_string(text),
	    .until = instant_plus(now, (struct duration){INT64_C(12) * 366 * US_PER_DAY}),
	    .find_zone = find_zone,
	    .arg = arg,
	    .calendar = calendar,
	    .problem = problem,
	};
	int r = 0;

	if (feed.root == NULL || icalcomponent_isa(feed.root) != ICAL_VCALENDAR_COMPONENT) {
		snprintf(problem->text, sizeof problem->text, "is no iCalendar file");
		r = -EINVAL;
	}
	if (r == 0) {
		/* An iterator of its own: occurrence_is_out() walks the same list. */
		icalcompiter iter = icalcomponent_begin_component(feed.root, ICAL_VEVENT_COMPONENT);
		for (icalcomponent *c = icalcompiter_deref(&iter); c != NULL && r == 0; c = icalcompiter_next(&iter))
			r = event_add(&feed, c);
	}
	if (r == -EINVAL && *problem->text == '\0')
		snprintf(problem->text, sizeof problem->text, "an event has a date that does not exist");
	if (feed.root != NULL)
		icalcomponent_free(feed.root);
	icalmemory_free_ring();
	return r;
}

#else

int
holidays_add(const char *text, struct instant now, holidays_zone *find_zone, void *arg, struct calendar *calendar,
             struct holidays_problem *problem)
{
	(void)text, (void)now, (void)find_zone, (void)arg, (void)calendar, (void)problem;
	return -ENOTSUP;
}

#endif
