#include "config_table.h"

#include <string.h>

#include "slated/config.h"

const char *const config_type_texts[TYPE_COUNT] = {
    [TYPE_STRING] = "a string, \"...\"",
    [TYPE_STRINGS] = "a string or an array of strings, [ \"...\", \"...\" ]",
    [TYPE_INT] = "a whole number",
    [TYPE_BOOL] = "true or false",
    [TYPE_TEXT_VALUE] = "a string, \"...\"",
    [TYPE_TEXT_VALUES] = "a string or an array of strings, [ \"...\", \"...\" ]",
    [TYPE_VALUE] = "a string, an array of strings or a group, { not = \"...\"; }",
    [TYPE_NAMED_VALUES] = "a group, { key = \"value\"; }",
    [TYPE_GROUP] = "a group, { ... }",
    [TYPE_GROUPS] = "a list of groups, ( { ... }, { ... } )",
    [TYPE_NAMED_GROUPS] = "a group of groups, { name = { ... }; }",
    [TYPE_NAMED_LISTS] = "a group of lists, { name = ( { ... }, { ... } ); }",
};

const char *const config_scope_texts[SCOPE_COUNT] = {
    [SCOPE_ROOT] = "",
    [SCOPE_SEVERITY] = "severities[]",
    [SCOPE_CALENDAR] = "calendars.NAME",
    [SCOPE_HOURS] = "calendars.NAME.hours",
    [SCOPE_EXCEPTION] = "calendars.NAME.exceptions[]",
    [SCOPE_POLICY] = "policies[]",
    [SCOPE_MATCH] = "match",
    [SCOPE_VALUE] = "match.ATTRIBUTE",
    [SCOPE_TARGET] = "policies[].targets[]",
    [SCOPE_STEP] = "escalations.NAME[]",
    [SCOPE_RULE] = "reassessments[]",
    [SCOPE_DATABASE] = "database",
    [SCOPE_INSTANCE] = "instance",
    [SCOPE_HTTP] = "http",
    [SCOPE_OUTBOX] = "outbox",
    [SCOPE_HEARTBEAT] = "heartbeat",
    [SCOPE_LINKS] = "links",
    [SCOPE_CHANNEL] = "channels.NAME",
};

#define WEBHOOK      (1U << CHANNEL_WEBHOOK)
#define EXEC         (1U << CHANNEL_EXEC)
#define PAGERDUTY    (1U << CHANNEL_PAGERDUTY)
#define SLACK        (1U << CHANNEL_SLACK)
#define EMAIL        (1U << CHANNEL_EMAIL)
#define ALERTMANAGER (1U << CHANNEL_ALERTMANAGER)
#define TEAMS        (1U << CHANNEL_TEAMS)
#define NTFY         (1U << CHANNEL_NTFY)
#define GOALERT      (1U << CHANNEL_GOALERT)
#define EVERY_TYPE   ((1U << CHANNEL_TYPE_COUNT) - 1)

/* scope, name, type, child scope, initial, example, reloadable, channel types, help */
const struct config_row config_rows[] = {
    {SCOPE_ROOT, "severities", TYPE_GROUPS, SCOPE_SEVERITY, NULL, NULL, true, 0,
     "Severities, most severe first; in one file only. When absent: critical, high, normal and low, with the aliases "
     "S1 to S4 and Severity 1 to 4."},
    {SCOPE_SEVERITY, "name", TYPE_STRING, 0, NULL, "\"critical\"", true, 0, "The name that output uses."},
    {SCOPE_SEVERITY, "aliases", TYPE_STRINGS, 0, NULL, "[ \"S1\", \"Severity 1\" ]", true, 0,
     "Other names for it. Case does not count."},

    {SCOPE_ROOT, "calendars", TYPE_NAMED_GROUPS, SCOPE_CALENDAR, NULL, NULL, true, 0,
     "Calendars by name. The calendar always is built in: open all the time."},
    {SCOPE_CALENDAR, "timezone", TYPE_STRING, 0, NULL, "\"America/Los_Angeles\"", true, 0,
     "An IANA name or a fixed offset, UTC-08:00. With union or intersection, when absent: the first member's."},
    {SCOPE_CALENDAR, "hours", TYPE_GROUP, SCOPE_HOURS, NULL, NULL, true, 0,
     "The week. A day that no setting names is closed; daily gives way to weekdays and weekend, these to single days."},
    {SCOPE_HOURS, "daily", TYPE_STRING, 0, NULL, "\"00:00-24:00\"", true, 0, "Every day."},
    {SCOPE_HOURS, "weekdays", TYPE_STRING, 0, NULL, "\"09:00-17:00\"", true, 0, "Monday to Friday."},
    {SCOPE_HOURS, "weekend", TYPE_STRING, 0, NULL, "\"10:00-14:00\"", true, 0, "Saturday and Sunday."},
    {SCOPE_HOURS, "monday", TYPE_STRING, 0, NULL, "\"08:00-17:00\"", true, 0, "Mondays."},
    {SCOPE_HOURS, "tuesday", TYPE_STRING, 0, NULL, "\"09:00-17:00\"", true, 0, "Tuesdays."},
    {SCOPE_HOURS, "wednesday", TYPE_STRING, 0, NULL, "\"09:00-17:00\"", true, 0, "Wednesdays."},
    {SCOPE_HOURS, "thursday", TYPE_STRING, 0, NULL, "\"09:00-17:00\"", true, 0, "Thursdays."},
    {SCOPE_HOURS, "friday", TYPE_STRING, 0, NULL, "\"09:00-12:00, 13:00-16:00\"", true, 0, "Fridays."},
    {SCOPE_HOURS, "saturday", TYPE_STRING, 0, NULL, "\"\"", true, 0, "Saturdays."},
    {SCOPE_HOURS, "sunday", TYPE_STRING, 0, NULL, "\"\"", true, 0, "Sundays."},
    {SCOPE_CALENDAR, "day_length", TYPE_STRING, 0, NULL, "\"8h\"", true, 0,
     "The open time of one business day, for targets with business_day = \"hours\"."},
    {SCOPE_CALENDAR, "holidays", TYPE_STRINGS, 0, NULL, "[ \"2026-07-03\", \"12-25\" ]", true, 0,
     "Closed dates; without a year, every year's."},
    {SCOPE_CALENDAR, "holiday_feeds", TYPE_STRINGS, 0, NULL, "[ \"us-federal.ics\" ]", true, 0,
     "iCalendar files: an all-day event closes its dates, a timed one its span. Rules recur daily at most; a file "
     "closes 20000 days and spans at most."},
    {SCOPE_CALENDAR, "exceptions", TYPE_GROUPS, SCOPE_EXCEPTION, NULL, NULL, true, 0,
     "Dates with hours of their own, which count before holidays and the week."},
    {SCOPE_EXCEPTION, "date", TYPE_STRING, 0, NULL, "\"2026-12-24\"", true, 0, "The date."},
    {SCOPE_EXCEPTION, "hours", TYPE_STRING, 0, NULL, "\"09:00-13:00\"", true, 0, "Its hours; \"\" closes it."},
    {SCOPE_CALENDAR, "union", TYPE_STRINGS, 0, NULL, "[ \"support\", \"emea\" ]", true, 0,
     "Open where any of these calendars is; then without hours and holidays of its own."},
    {SCOPE_CALENDAR, "intersection", TYPE_STRINGS, 0, NULL, "[ \"support\", \"customer\" ]", true, 0,
     "Open where all of these calendars are; then without hours and holidays of its own."},

    {SCOPE_ROOT, "policies", TYPE_GROUPS, SCOPE_POLICY, NULL, NULL, true, 0,
     "Policies. The first that matches a ticket is its policy."},
    {SCOPE_POLICY, "name", TYPE_STRING, 0, NULL, "\"enterprise-gold\"", true, 0, "The name that output uses."},
    {SCOPE_POLICY, "match", TYPE_GROUP, SCOPE_MATCH, NULL, NULL, true, 0,
     "What a ticket must be; all of it must hold. When absent, every ticket matches."},
    {SCOPE_MATCH, "org", TYPE_VALUE, SCOPE_VALUE, NULL, "\"acme\"", true, 0, "The customer's organisation."},
    {SCOPE_MATCH, "plan", TYPE_VALUE, SCOPE_VALUE, NULL, "\"enterprise-*\"", true, 0, "The support plan."},
    {SCOPE_MATCH, "severity", TYPE_VALUE, SCOPE_VALUE, NULL, "\"critical\"", true, 0,
     "The severity, by name or alias."},
    {SCOPE_MATCH, "status", TYPE_VALUE, SCOPE_VALUE, NULL, "\"open\"", true, 0, "The status."},
    {SCOPE_MATCH, "channel", TYPE_VALUE, SCOPE_VALUE, NULL, "[ \"console\", \"email\" ]", true, 0,
     "The way by which the ticket came in."},
    {SCOPE_MATCH, "category", TYPE_VALUE, SCOPE_VALUE, NULL, "{ not = \"billing\"; }", true, 0, "The category."},
    {SCOPE_MATCH, "product", TYPE_VALUE, SCOPE_VALUE, NULL, "\"database\"", true, 0, "The product."},
    {SCOPE_MATCH, "environment", TYPE_VALUE, SCOPE_VALUE, NULL, "\"production\"", true, 0, "The environment."},
    {SCOPE_MATCH, "version", TYPE_VALUE, SCOPE_VALUE, NULL, "{ at_least = \"2.10\"; }", true, 0,
     "The product's version."},
    {SCOPE_MATCH, "assignee", TYPE_VALUE, SCOPE_VALUE, NULL, "{ present = true; }", true, 0, "Who works on it."},
    {SCOPE_MATCH, "team", TYPE_VALUE, SCOPE_VALUE, NULL, "\"storage\"", true, 0, "The team that works on it."},
    {SCOPE_MATCH, "attributes", TYPE_NAMED_VALUES, SCOPE_VALUE, NULL, "{ licence = \"enterprise\"; }", true, 0,
     "The ticket's own attributes by their keys, each with a value as above."},
    {SCOPE_VALUE, "not", TYPE_TEXT_VALUES, 0, NULL, "\"billing\"", true, 0, "None of these patterns fits."},
    {SCOPE_VALUE, "at_least", TYPE_TEXT_VALUE, 0, NULL, "\"2.10\"", true, 0, "This version or a newer one."},
    {SCOPE_VALUE, "at_most", TYPE_TEXT_VALUE, 0, NULL, "\"3.0\"", true, 0, "This version or an older one."},
    {SCOPE_VALUE, "present", TYPE_BOOL, 0, NULL, "true", true, 0, "Whether the ticket has the attribute at all."},
    {SCOPE_POLICY, "effective_from", TYPE_STRING, 0, NULL, "\"2024-09-02T00:00:00Z\"", true, 0,
     "Counts for tickets opened at this instant or later."},
    {SCOPE_POLICY, "effective_until", TYPE_STRING, 0, NULL, "\"2026-03-20T00:00:00Z\"", true, 0,
     "Counts for tickets opened before this instant."},
    {SCOPE_POLICY, "on_change", TYPE_STRING, 0, "pin", "\"pin\"", true, 0,
     "What running clocks do once another policy matches: pin, follow or better_of."},
    {SCOPE_POLICY, "rank", TYPE_INT, 0, "0", "10", true, 0,
     "The order on the board of what is equally urgent: higher first."},
    {SCOPE_POLICY, "escalation", TYPE_STRING, 0, NULL, "\"gold\"", true, 0,
     "The ladder of targets that name none, and of requests."},
    {SCOPE_POLICY, "targets", TYPE_GROUPS, SCOPE_TARGET, NULL, NULL, true, 0,
     "Targets, required. The first that fits metric and severity counts. \"targets = ();\" says that there is no SLA."},
    {SCOPE_TARGET, "metric", TYPE_STRING, 0, NULL, "\"first_response\"", true, 0,
     "first_response, next_response, update, resolution or assessment."},
    {SCOPE_TARGET, "severity", TYPE_STRINGS, 0, NULL, "[ \"critical\", \"high\" ]", true, 0,
     "The severities, by name or alias. When absent: all."},
    {SCOPE_TARGET, "within", TYPE_STRING, 0, NULL, "\"2h\"", true, 0,
     "The time allowed, 1d2h30m15s or 3bd; met at the due instant or before."},
    {SCOPE_TARGET, "under", TYPE_STRING, 0, NULL, "\"2h\"", true, 0, "The same, but met only before the due instant."},
    {SCOPE_TARGET, "calendar", TYPE_STRING, 0, "always", "\"support\"", true, 0, "The calendar it is measured on."},
    {SCOPE_TARGET, "business_day", TYPE_STRING, 0, NULL, "\"same_time\"", true, 0,
     "How bd is counted: hours (of the calendar's day_length), same_time or end_of_day."},
    {SCOPE_TARGET, "at_risk", TYPE_STRINGS, 0, NULL, "[ \"75%\", \"15m\" ]", true, 0,
     "Levels: so much of the open time used up, or so much of it left."},
    {SCOPE_TARGET, "pause_on", TYPE_STRINGS, 0, NULL, "[ \"pending\", \"on_hold\" ]", true, 0,
     "Statuses in which the clock stands still."},
    {SCOPE_TARGET, "escalation", TYPE_STRING, 0, NULL, "\"gold\"", true, 0, "The ladder. When absent: the policy's."},
    {SCOPE_TARGET, "reopen", TYPE_STRING, 0, "resume", "\"resume\"", true, 0,
     "What reopening a ticket does to a resolution: resume, restart or none."},

    {SCOPE_ROOT, "escalations", TYPE_NAMED_LISTS, SCOPE_STEP, NULL, NULL, true, 0, "Escalation ladders by name."},
    {SCOPE_STEP, "on", TYPE_STRING, 0, NULL, "\"at_risk\"", true, 0,
     "What sets the step going: at_risk, breached, requested or reassessed."},
    {SCOPE_STEP, "level", TYPE_STRING, 0, NULL, "\"75%\"", true, 0,
     "With at_risk: only this level. When absent: each."},
    {SCOPE_STEP, "after", TYPE_STRING, 0, NULL, "\"30m\"", true, 0, "How long after that. When absent: at once."},
    {SCOPE_STEP, "after_calendar", TYPE_STRING, 0, "always", "\"support\"", true, 0,
     "The calendar of after and repeat_every."},
    {SCOPE_STEP, "notify", TYPE_STRINGS, 0, NULL, "[ \"assignee\", \"support-chat\" ]", true, 0,
     "Channels, and the roles assignee, team, dedicated_engineer and followers."},
    {SCOPE_STEP, "repeat_every", TYPE_STRING, 0, NULL, "\"1h\"", true, 0, "Fires again so often. When absent: once."},
    {SCOPE_STEP, "repeat_max", TYPE_INT, 0, "0", "5", true, 0, "Repeats at most; 0 = until stopped."},
    {SCOPE_STEP, "until", TYPE_STRING, 0, "acknowledged", "\"acknowledged\"", true, 0,
     "What stops it: acknowledged, or only ended."},
    {SCOPE_STEP, "off_hours", TYPE_STRING, 0, NULL, "\"defer\"", true, 0,
     "Outside its hours: defer (fires when they begin), skip (leaves that firing out), or the channel or role to "
     "notify "
     "instead. When absent: fires all the same."},
    {SCOPE_STEP, "hours", TYPE_STRING, 0, NULL, "\"support\"", true, 0,
     "The calendar of off_hours: when those notified are there. When absent: the one that the clock counts on."},
    {SCOPE_STEP, "always", TYPE_BOOL, 0, "false", "true", true, 0,
     "No silence holds it back. Only for a ladder's last step with on = \"breached\"."},

    {SCOPE_ROOT, "reassessments", TYPE_GROUPS, SCOPE_RULE, NULL, NULL, true, 0,
     "Rules that change a ticket's severity."},
    {SCOPE_RULE, "name", TYPE_STRING, 0, NULL, "\"billing-is-never-critical\"", true, 0, "The name that output uses."},
    {SCOPE_RULE, "on", TYPE_STRINGS, 0, NULL, "[ \"opened\", \"severity_changed\" ]", true, 0,
     "When it is tried: opened, severity_changed, at_risk, breached, dispute."},
    {SCOPE_RULE, "match", TYPE_GROUP, SCOPE_MATCH, NULL, NULL, true, 0, "What a ticket must be, as in a policy."},
    {SCOPE_RULE, "set", TYPE_STRING, 0, NULL, "\"high\"", true, 0,
     "The new severity, or +1 or -1: one step graver or lighter."},
    {SCOPE_RULE, "hook", TYPE_STRINGS, 0, NULL, "[ \"/usr/libexec/slated/triage\", \"--json\" ]", true, 0,
     "Instead of set: a program that is asked, with its arguments."},
    {SCOPE_RULE, "hook_url", TYPE_STRING, 0, NULL, "\"https://triage.example.com/\"", true, 0,
     "Instead of set: an HTTP endpoint that is asked."},
    {SCOPE_RULE, "timeout", TYPE_STRING, 0, "10s", "\"10s\"", true, 0, "How long a hook may take."},
    {SCOPE_RULE, "reason", TYPE_STRING, 0, NULL, "\"Critical does not apply to billing tickets.\"", true, 0,
     "Why; kept with the change. Required."},

    {SCOPE_ROOT, "database", TYPE_GROUP, SCOPE_DATABASE, NULL, NULL, false, 0, "The ticket database."},
    {SCOPE_DATABASE, "conninfo", TYPE_STRING, 0, NULL, "\"host=/run/postgresql dbname=support\"", false, 0,
     "libpq's connection string, without a password."},
    {SCOPE_DATABASE, "password_credential", TYPE_STRING, 0, NULL, "\"database-password\"", false, 0,
     "The systemd credential with the password."},
    {SCOPE_DATABASE, "password_file", TYPE_STRING, 0, NULL, "\"database.secret\"", false, 0,
     "Or a file with it, not readable by others."},
    {SCOPE_DATABASE, "timeout", TYPE_STRING, 0, "30s", "\"30s\"", false, 0,
     "How long a query may take, 1s to 30s; with no answer by then the connection is made anew. While tickets are "
     "loaded, four times as long may pass without a row."},

    {SCOPE_ROOT, "instance", TYPE_GROUP, SCOPE_INSTANCE, NULL, NULL, false, 0, "This daemon."},
    {SCOPE_INSTANCE, "name", TYPE_STRING, 0, "the host's name", "\"support-1\"", false, 0,
     "Its name in leases and the ledger."},
    {SCOPE_INSTANCE, "reload", TYPE_STRING, 0, "keep", "\"keep\"", true, 0,
     "What a reload does to running clocks: keep (each keeps its target until an event of its ticket changes it) or "
     "migrate "
     "(all take the new one at once)."},

    {SCOPE_ROOT, "http", TYPE_GROUP, SCOPE_HTTP, NULL, NULL, false, 0, "The HTTP server: board, metrics, API."},
    {SCOPE_HTTP, "listen", TYPE_STRINGS, 0, NULL, "[ \"127.0.0.1:9464\" ]", false, 0,
     "Addresses with ports, or sockets, \"unix:/run/slated/http.sock\". When absent: no server, unless systemd hands "
     "over a socket. Addresses that other hosts reach need a token."},
    {SCOPE_HTTP, "token_credential", TYPE_STRING, 0, NULL, "\"http-token\"", false, 0,
     "The systemd credential with the bearer token that requests must carry, or be signed with (Standard Webhooks)."},
    {SCOPE_HTTP, "token_file", TYPE_STRING, 0, NULL, "\"http.secret\"", false, 0,
     "Or a file with it, not readable by others."},

    {SCOPE_ROOT, "outbox", TYPE_GROUP, SCOPE_OUTBOX, NULL, NULL, true, 0, "Sending."},
    {SCOPE_OUTBOX, "concurrency", TYPE_INT, 0, "64", "64", true, 0, "Deliveries under way at once, 1 to 1024."},

    {SCOPE_ROOT, "heartbeat", TYPE_GROUP, SCOPE_HEARTBEAT, NULL, NULL, true, 0,
     "A dead man's switch: an address that is asked again and again while all is well."},
    {SCOPE_HEARTBEAT, "url", TYPE_STRING, 0, NULL, "\"https://ping.example.com/slated\"", true, 0, "The address."},
    {SCOPE_HEARTBEAT, "url_credential", TYPE_STRING, 0, NULL, "\"heartbeat-url\"", true, 0,
     "Or the systemd credential with it."},
    {SCOPE_HEARTBEAT, "url_file", TYPE_STRING, 0, NULL, "\"heartbeat.secret\"", true, 0,
     "Or a file with it, not readable by others."},
    {SCOPE_HEARTBEAT, "every", TYPE_STRING, 0, "1m", "\"1m\"", true, 0, "How often; 10s at least."},

    {SCOPE_ROOT, "links", TYPE_GROUP, SCOPE_LINKS, NULL, NULL, true, 0, "Addresses that messages point to."},
    {SCOPE_LINKS, "ticket", TYPE_STRING, 0, NULL, "\"https://desk.example.com/t/%{external_id}\"", true, 0,
     "A ticket's; %{id}, %{source}, %{external_id} and %{org} stand for its facts."},

    {SCOPE_ROOT, "channels", TYPE_NAMED_GROUPS, SCOPE_CHANNEL, NULL, NULL, true, 0,
     "Channels by name: where notifications go."},
    {SCOPE_CHANNEL, "type", TYPE_STRING, 0, NULL, "\"webhook\"", true, EVERY_TYPE,
     "webhook, exec, pagerduty, slack (also Mattermost, Rocket.Chat), email, alertmanager, teams, ntfy or goalert."},
    {SCOPE_CHANNEL, "fallback", TYPE_STRING, 0, NULL, "\"lead\"", true, EVERY_TYPE,
     "The channel that gets what this one could not deliver."},
    {SCOPE_CHANNEL, "timeout", TYPE_STRING, 0, NULL, "\"10s\"", true, EVERY_TYPE,
     "How long one attempt may take. When absent: what is usual for the type."},
    {SCOPE_CHANNEL, "rate", TYPE_STRING, 0, NULL, "\"1/s\"", true, EVERY_TYPE,
     "So many messages at most, as 1/s, 120/min or 30/h, or none; what is more becomes a digest. When absent: what is "
     "usual for the type, for webhook, exec and alertmanager none."},
    {SCOPE_CHANNEL, "url", TYPE_STRING, 0, NULL, "\"http://127.0.0.1:8080/sla\"", true, EVERY_TYPE & ~(EXEC | EMAIL),
     "The address; with ntfy the topic's. Optional with pagerduty."},
    {SCOPE_CHANNEL, "url_credential", TYPE_STRING, 0, NULL, "\"slack-url\"", true,
     EVERY_TYPE & ~(EXEC | EMAIL | PAGERDUTY), "Or the systemd credential with it."},
    {SCOPE_CHANNEL, "url_file", TYPE_STRING, 0, NULL, "\"slack.secret\"", true,
     EVERY_TYPE & ~(EXEC | EMAIL | PAGERDUTY), "Or a file with it, not readable by others."},
    {SCOPE_CHANNEL, "secret_credential", TYPE_STRING, 0, NULL, "\"ops-webhook\"", true, WEBHOOK | PAGERDUTY,
     "The systemd credential with the signing secrets, one a line, the current one first: whsec_ and base64, or text. "
     "With pagerduty: of its webhooks, by which people acknowledge there."},
    {SCOPE_CHANNEL, "secret_file", TYPE_STRING, 0, NULL, "\"ops-webhook.secret\"", true, WEBHOOK | PAGERDUTY,
     "Or a file with them, not readable by others."},
    {SCOPE_CHANNEL, "command", TYPE_STRINGS, 0, NULL, "[ \"/usr/local/bin/page\" ]", true, EXEC,
     "The program and its arguments; no shell."},
    {SCOPE_CHANNEL, "routing_key_credential", TYPE_STRING, 0, NULL, "\"pagerduty\"", true, PAGERDUTY,
     "The systemd credential with the integration's key."},
    {SCOPE_CHANNEL, "routing_key_file", TYPE_STRING, 0, NULL, "\"pagerduty.secret\"", true, PAGERDUTY,
     "Or a file with it, not readable by others."},
    {SCOPE_CHANNEL, "token_credential", TYPE_STRING, 0, NULL, "\"ntfy-token\"", true, NTFY | ALERTMANAGER,
     "The systemd credential with the bearer token that requests carry."},
    {SCOPE_CHANNEL, "token_file", TYPE_STRING, 0, NULL, "\"ntfy.secret\"", true, NTFY | ALERTMANAGER,
     "Or a file with it, not readable by others."},
    {SCOPE_CHANNEL, "smtp", TYPE_STRING, 0, NULL, "\"smtp://127.0.0.1:25\"", true, EMAIL,
     "The mail server; smtps:// for TLS from the start."},
    {SCOPE_CHANNEL, "tls", TYPE_STRING, 0, "offered, with user required", "\"required\"", true, EMAIL,
     "STARTTLS: required, offered (used where the server offers it, else all goes out in the clear) or never."},
    {SCOPE_CHANNEL, "user", TYPE_STRING, 0, NULL, "\"slated\"", true, EMAIL, "Who logs in at the mail server."},
    {SCOPE_CHANNEL, "password_credential", TYPE_STRING, 0, NULL, "\"smtp-password\"", true, EMAIL,
     "The systemd credential with the password."},
    {SCOPE_CHANNEL, "password_file", TYPE_STRING, 0, NULL, "\"smtp.secret\"", true, EMAIL,
     "Or a file with it, not readable by others."},
    {SCOPE_CHANNEL, "from", TYPE_STRING, 0, NULL, "\"sla@example.com\"", true, EMAIL, "The sender's address."},
    {SCOPE_CHANNEL, "to", TYPE_STRINGS, 0, NULL, "[ \"lead@example.com\" ]", true, EMAIL, "The recipients' addresses."},
};

const size_t config_n_rows = sizeof config_rows / sizeof *config_rows;

const struct config_row *
config_row(enum config_scope scope, const char *name)
{
	for (size_t i = 0; i < config_n_rows; i++)
		if (config_rows[i].scope == scope && strcmp(config_rows[i].name, name) == 0)
			return &config_rows[i];
	return NULL;
}
