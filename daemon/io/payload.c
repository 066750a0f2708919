#include "payload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "slated/config.h"
#include "slated/render.h"
#include "slated/text.h"

/* An alert that is recorded so much after its instant says how late it is. */
#define LATE_AFTER ((struct duration){5 * US_PER_S})

/* How grave an alert is: as message.h has it. */
static const char *
alert_severity(const struct ticket *ticket, const struct clock *clock, const struct milestone *m)
{
	if (m->kind != MILESTONE_ESCALATED)
		return "info";
	if (clock != NULL && clock->state == CLOCK_BREACHED)
		return ticket->severity == 0 ? "critical" : "error";
	bool told = clock != NULL && clock->fired != 0;
	return told || strncmp(m->trigger, "reassessed", strlen("reassessed")) != 0 ? "warning" : "info";
}

/* One key from at risk to resolved. */
static void
add_alert(struct text *text, const struct ticket *ticket, const struct clock *clock, const struct milestone *m)
{
	char key[96];
	const char *state = m->kind != MILESTONE_ESCALATED ? milestone_names[m->kind]
	                    : clock == NULL                ? "asked"
	                                                   : clock_state_names[clock->state];
	int n = snprintf(key, sizeof(key), "sla-%" PRIu64, ticket->id);
	if (m->metric != METRIC_COUNT)
		(void)snprintf(key + n, sizeof(key) - (size_t)n, "-%s-%" PRIu32, metric_names[m->metric], m->cycle);
	text_add_string(text, ", \"alert\": {\"key\": ");
	text_add_json(text, key);
	text_add_string(text, ", \"state\": ");
	text_add_json(text, state);
	text_add_string(text, ", \"severity\": ");
	text_add_json(text, alert_severity(ticket, clock, m));
	text_add_string(text, "}");
}

/* "Mon 2026-03-02 17:00 America/Los_Angeles" */
static void
add_local(struct text *text, const struct calendar *calendar, struct instant at)
{
	static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	const struct zone *zone = calendar_zone(calendar);
	struct wall wall = zone != NULL ? zone_wall(zone, at) : (struct wall){at.us};
	struct date date = date_of_wall(wall);
	int64_t minutes = (wall.us - date_begin(date).us) / US_PER_MIN;
	int year, month, day;
	char words[128];
	date_to_civil(date, &year, &month, &day);
	(void)snprintf(words, sizeof(words), "%s %04d-%02d-%02d %02d:%02d %.80s", days[date_weekday(date)], year, month,
	               day, (int)(minutes / 60), (int)(minutes % 60), zone != NULL ? zone_name(zone) : "UTC");
	text_add_string(text, ", \"due_local\": ");
	text_add_json(text, words);
}

static void
add_clock(struct text *text, const struct policy_set *set, const struct ticket *ticket, const struct clock *clock)
{
	const struct target *target = clock->target;
	char due[INSTANT_TEXT_SIZE];
	text_add_string(text, ", \"clock\": {\"state\": ");
	text_add_json(text, clock_state_names[clock->state]);
	if (instant_is_finite(clock->due_at)) {
		(void)instant_format(clock->due_at, due);
		text_add_string(text, ", \"due_at\": ");
		text_add_json(text, due);
		add_local(text, target->calendar, clock->due_at);
	}
	text_add_string(text, ", \"target\": \"");
	text_add_string(text, target->under ? "under " : "within ");
	text_add_string(text, target->text);
	text_add_string(text, "\", \"policy\": ");
	text_add_json(text, clock->policy->name);
	text_add_string(text, ", \"calendar\": ");
	text_add_json(text, calendar_name(target->calendar));
	text_add_string(text, ", \"severity\": ");
	text_add_json(text, set->severities[ticket->severity].name);
	text_add_string(text, "}");
}

/* Whether somebody may have to be told. */
static bool
milestone_tells(const struct milestone *m)
{
	return m->kind == MILESTONE_ESCALATED || m->kind == MILESTONE_MET || m->kind == MILESTONE_WITHDRAWN;
}

bool
payload_write(struct text *text, const struct policy_set *set, const struct ticket *ticket, const struct milestone *m,
              struct instant now)
{
	const struct clock *clock = m->metric != METRIC_COUNT ? ticket_clock(ticket, m->metric) : NULL;
	struct duration late = instant_since(now, m->at);

	if (!milestone_tells(m))
		return false;
	text_add_string(text, "\"milestone\": ");
	render_milestone(text, NULL, m);
	add_alert(text, ticket, clock, m);
	/* In force from now on, which the ticket's own row may not say yet. */
	text_add_string(text, ", \"severity\": ");
	text_add_json(text, set->severities[ticket->severity].name);
	if (clock != NULL)
		add_clock(text, set, ticket, clock);
	if (m->by_timer && late.us > LATE_AFTER.us) {
		text_add_string(text, ", \"late_by\": ");
		text_add_seconds(text, late);
	}
	return true;
}
