/* A payload, as the ledger writes it:
 *
 *	{ "ticket": { "id", "external_id", "org", "plan", "severity", "link", ... },
 *	  "milestone": { "at", "milestone", "metric", "trigger", "late_by", "reason", ... },
 *	  "clock": { "state", "due_at", "due_local", "target", "policy", "severity" },     where it is about a clock
 *	  "alert": { "key", "state", "severity" },
 *	  "severity": "high",
 *	  "reason": "Billing is never critical.",                                         of a change of severity
 *	  "notified": [ "pager", "lead" ],
 *	  "late_by": 3600.5 }                                                             where it comes late
 *
 * A test's has { "test": { "by" } }, an acknowledgement's { "ack": { "by", "until" } }, a digest's
 * { "messages": [ { "key", "kind", "payload" }, ... ] }. That of what was overdue when a system was attached has
 * { "attached": "helpdesk", "overdue": 1200 } beside them: how many there were, of which the messages are the first.
 */
#include "slated/message.h"
#include "slated/policy.h"
#include "slated/render.h"
#include "slated/text.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a customer's name and of a ticket's number, in titles. */
#define NAME_MAX_BYTES 64

const char *const message_severity_names[MESSAGE_SEVERITY_COUNT] = {"info", "warning", "error", "critical"};

/* What the reader calls a metric, with the word that leads to the ticket. */
static const char *const metric_words[METRIC_COUNT] = {
    [METRIC_FIRST_RESPONSE] = "First response to",
    [METRIC_NEXT_RESPONSE] = "Next response to",
    [METRIC_UPDATE] = "Update on",
    [METRIC_RESOLUTION] = "Resolution of",
    [METRIC_ASSESSMENT] = "Severity assessment of",
};

/* A message with what its texts stand in. */
struct letter {
	struct message message;
	char **texts;
	size_t n_texts;
	bool failed;
};

static const char *
letter_keep(struct letter *letter, char *text)
{
	char **texts = text ? realloc(letter->texts, (letter->n_texts + 1) * sizeof(*texts)) : NULL;
	if (!texts) {
		free(text);
		letter->failed = true;
		return "";
	}
	letter->texts = texts;
	texts[letter->n_texts++] = text;
	(void)text_clean(text, strlen(text));
	return text;
}

static const char *letter_print(struct letter *letter, const char *format, ...) __attribute__((format(printf, 2, 3)));

static const char *
letter_print(struct letter *letter, const char *format, ...)
{
	char *text;
	va_list args;
	va_start(args, format);
	int n = vasprintf(&text, format, args);
	va_end(args);
	return letter_keep(letter, n < 0 ? NULL : text);
}

/* A string member kept with the message, or NULL where it is missing or empty. */
static const char *
letter_text(struct letter *letter, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text && *text ? letter_keep(letter, strdup(text)) : NULL;
}

static void
letter_fact(struct letter *letter, const char *name, const char *value)
{
	struct message *message = &letter->message;
	if (value && message->n_facts < MESSAGE_FACTS_MAX)
		message->facts[message->n_facts++] = (struct message_fact){name, value};
}

/* "45 s", "15 min", "3 h 5 min", "2 d 4 h": what a person reads at a glance, rounded to what is shown. */
static const char *
letter_length(struct letter *letter, struct duration length)
{
	int64_t s = (length.us + US_PER_S / 2) / US_PER_S, minutes = (s + 30) / 60, hours = minutes / 60;
	if (s < 90)
		return letter_print(letter, "%" PRId64 " s", s);
	if (minutes < 90)
		return letter_print(letter, "%" PRId64 " min", minutes);
	if (hours < 48 && minutes % 60 == 0)
		return letter_print(letter, "%" PRId64 " h", hours);
	if (hours < 48)
		return letter_print(letter, "%" PRId64 " h %" PRId64 " min", hours, minutes % 60);
	hours = (minutes + 30) / 60;
	if (hours % 24 == 0)
		return letter_print(letter, "%" PRId64 " d", hours / 24);
	return letter_print(letter, "%" PRId64 " d %" PRId64 " h", hours / 24, hours % 24);
}

static bool
member_instant(const json_t *object, const char *key, struct instant *ret)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text && instant_parse(text, strlen(text), ret) == 0;
}

/* A member that holds an instant, to the second, or NULL. */
static const char *
letter_instant(struct letter *letter, const json_t *object, const char *key)
{
	struct instant at;
	char text[INSTANT_TEXT_SIZE];
	if (!member_instant(object, key, &at))
		return NULL;
	at.us -= at.us % US_PER_S;
	(void)instant_format(at, text);
	return letter_print(letter, "%s", text);
}

static struct duration
member_seconds(const json_t *object, const char *key)
{
	double s = json_number_value(json_object_get(object, key));
	return (struct duration){s > 0 && s < 1e12 ? (int64_t)(s * (double)US_PER_S) : 0};
}

/* With a capital at its head, as names in a sentence have it. */
static const char *
letter_capital(struct letter *letter, const char *word)
{
	if (!word || *word < 'a' || *word > 'z')
		return word;
	return letter_print(letter, "%c%s", *word - 'a' + 'A', word + 1);
}

/* "ACME #4711", "#4711", "ACME T-1". Neither part so long that a title cut at its end no longer tells the ticket. */
static void
name_ticket(struct letter *letter, const json_t *ticket)
{
	struct message *message = &letter->message;
	char org[NAME_MAX_BYTES + 1] = "", number[NAME_MAX_BYTES + 1];
	const char *external = letter_text(letter, ticket, "external_id");
	(void)message_cut(external ? external : message->ticket_id, NAME_MAX_BYTES, number);
	if (message->org)
		(void)message_cut(message->org, NAME_MAX_BYTES, org);
	message->number = letter_print(letter, "%s%s", *number >= '0' && *number <= '9' ? "#" : "", number);
	message->ticket = letter_print(letter, "%s%s%s", org, *org ? " " : "", message->number);
}

static void
read_ticket(struct letter *letter, const json_t *payload)
{
	struct message *message = &letter->message;
	const json_t *ticket = json_object_get(payload, "ticket");
	message->ticket_id =
	    letter_print(letter, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(ticket, "id")));
	message->org = letter_text(letter, ticket, "org");
	message->plan = letter_text(letter, ticket, "plan");
	message->link = letter_text(letter, ticket, "link");
	name_ticket(letter, ticket);
}

/* Ends the title with " (Critical, enterprise-gold)", of what is known. */
static void
title_set(struct letter *letter, const char *words, const char *severity)
{
	const char *plan = letter->message.plan;
	severity = severity && *severity ? letter_capital(letter, severity) : NULL;
	if (severity || plan)
		words = letter_print(letter, "%s (%s%s%s)", words, severity ? severity : "",
		                     severity && plan ? ", " : "", plan ? plan : "");
	letter->message.title = words;
}

/* "due in 15 min", "overdue by 2 h", "paused". */
static const char *
due_words(struct letter *letter, const json_t *clock, struct instant now)
{
	struct instant due;
	const char *state = json_string_value(json_object_get(clock, "state"));
	if (!member_instant(clock, "due_at", &due))
		return state && strcmp(state, "breached") == 0 ? "breached by a change of its target" : "paused";
	struct duration left = instant_since(due, now);
	if (left.us >= 0)
		return letter_print(letter, "due in %s", letter_length(letter, left));
	left.us = -left.us;
	if (left.us < US_PER_S)
		return "overdue";
	return letter_print(letter, "overdue by %s", letter_length(letter, left));
}

static const char *
metric_lead(const char *metric)
{
	int m = metric ? name_index(metric_names, METRIC_COUNT, metric) : -1;
	return m < 0 ? NULL : metric_words[m];
}

static void
word_alert(struct letter *letter, const json_t *payload, struct instant now)
{
	struct message *message = &letter->message;
	const json_t *clock = json_object_get(payload, "clock");
	const char *trigger = json_string_value(json_object_get(json_object_get(payload, "milestone"), "trigger"));
	const char *severity = json_string_value(json_object_get(json_object_get(payload, "ticket"), "severity"));
	const char *lead = metric_lead(message->metric), *reason = letter_text(letter, payload, "reason");
	const char *promise = NULL, *asked = NULL;
	if (clock && lead)
		promise = letter_print(letter, "%s %s %s", lead, message->ticket, due_words(letter, clock, now));
	if (trigger && strncmp(trigger, "requested", 9) == 0)
		asked = "the customer asks for escalation";
	else if (trigger && strncmp(trigger, "reassessed", 10) == 0)
		asked =
		    reason ? letter_print(letter, "the severity was changed: %s", reason) : "the severity was changed";
	if (promise && asked)
		promise = letter_print(letter, "%s: %s", promise, asked);
	else if (!promise)
		promise = letter_print(letter, "%s: %s", message->ticket, asked ? asked : "escalated");
	title_set(letter, promise, severity);
}

static void
word_resolved(struct letter *letter, const json_t *payload)
{
	struct message *message = &letter->message;
	const json_t *milestone = json_object_get(payload, "milestone");
	const char *kind = json_string_value(json_object_get(milestone, "milestone"));
	const char *lead = metric_lead(message->metric), *words;
	struct duration late = member_seconds(milestone, "late_by");
	if (!lead)
		lead = "Alert about";
	if (kind && strcmp(kind, "withdrawn") == 0) {
		const char *reason = letter_text(letter, milestone, "reason");
		words = letter_print(letter, "%s %s no longer promised%s%s", lead, message->ticket, reason ? ": " : "",
		                     reason ? reason : "");
	} else if (late.us > 0) {
		words = letter_print(letter, "%s %s met %s late", lead, message->ticket, letter_length(letter, late));
	} else {
		words = letter_print(letter, "%s %s met in time", lead, message->ticket);
	}
	title_set(letter, words, json_string_value(json_object_get(milestone, "severity")));
}

static void
word_acknowledged(struct letter *letter, const json_t *payload)
{
	struct message *message = &letter->message;
	const json_t *ack = json_object_get(payload, "ack");
	const char *by = letter_text(letter, ack, "by");
	message->title = letter_print(letter, "%s acknowledged%s%s", message->ticket, by ? " by " : "", by ? by : "");
	letter_fact(letter, "Acknowledged until", letter_instant(letter, ack, "until"));
}

/* "pager, lead" */
static const char *
joined(struct letter *letter, const json_t *names)
{
	struct text text = {0};
	size_t i;
	json_t *name;
	json_array_foreach(names, i, name)
	{
		text_add_string(&text, i > 0 ? ", " : "");
		text_add_string(&text, json_is_string(name) ? json_string_value(name) : "");
	}
	return text.len > 0 || text.failed ? letter_keep(letter, text.failed ? (free(text.data), NULL) : text.data)
	                                   : NULL;
}

static void
add_facts(struct letter *letter, const json_t *payload)
{
	struct message *message = &letter->message;
	const json_t *ticket = json_object_get(payload, "ticket"), *clock = json_object_get(payload, "clock");
	struct duration late = member_seconds(payload, "late_by");
	const char *local = letter_text(letter, clock, "due_local");
	letter_fact(letter, "Ticket", message->ticket);
	letter_fact(letter, "Customer", message->org);
	letter_fact(letter, "Plan", message->plan);
	letter_fact(letter, "Severity", letter_capital(letter, letter_text(letter, ticket, "severity")));
	letter_fact(letter, "Promise", letter_text(letter, clock, "target"));
	letter_fact(letter, "Due", local ? local : letter_instant(letter, clock, "due_at"));
	letter_fact(letter, "Policy", message->policy);
	letter_fact(letter, "Assignee", letter_text(letter, ticket, "assignee"));
	letter_fact(letter, "Team", letter_text(letter, ticket, "team"));
	letter_fact(letter, "Sent to", joined(letter, json_object_get(payload, "notified")));
	letter_fact(letter, "Instead of the failing channel", letter_text(letter, payload, "instead_of"));
	if (late.us > 0)
		letter_fact(letter, "Told late by", letter_length(letter, late));
}

/* Whether the digest is of what was overdue when a system was attached; it has its title then. */
static bool
word_attached(struct letter *letter, const json_t *payload)
{
	struct message *message = &letter->message;
	const char *system = letter_text(letter, payload, "attached");
	json_int_t overdue = json_integer_value(json_object_get(payload, "overdue"));
	if (!system)
		return false;
	bool whole = overdue <= (json_int_t)message->n_items;
	const char *rest = whole ? "" : letter_print(letter, "; the %zu longest overdue follow", message->n_items);
	message->title = letter_print(letter, "%" JSON_INTEGER_FORMAT " overdue already when %s was attached%s",
	                              overdue, system, rest);
	return true;
}

static int
word_digest(struct letter *letter, const json_t *payload, const struct delivery *delivery, struct instant now)
{
	struct message *message = &letter->message;
	const json_t *members = json_object_get(payload, "messages");
	size_t counts[MESSAGE_SEVERITY_COUNT] = {0}, resolved = 0, acknowledged = 0, i;
	json_t *member;
	message->items = calloc(json_array_size(members) + 1, sizeof(struct message *));
	if (!message->items)
		return -ENOMEM;
	json_array_foreach(members, i, member)
	{
		char *text = json_dumps(json_object_get(member, "payload"), JSON_COMPACT);
		const char *key = json_string_value(json_object_get(member, "key"));
		const char *kind = json_string_value(json_object_get(member, "kind"));
		struct delivery one = *delivery;
		one.key = key;
		one.kind = kind;
		one.payload = text;
		(void)member_instant(json_object_get(json_object_get(member, "payload"), "milestone"), "at", &one.at);
		int r = !text || !key || !kind || strcmp(kind, "digest") == 0
		            ? -EBADMSG
		            : message_new(&one, now, &message->items[i]);
		free(text);
		if (r < 0)
			return r;
		message->n_items++;
		const struct message *item = message->items[i];
		if (item->kind == MESSAGE_ALERT)
			counts[item->severity]++;
		else if (item->kind == MESSAGE_ACKNOWLEDGED)
			acknowledged++;
		else
			resolved++;
		if (item->severity > message->severity)
			message->severity = item->severity;
	}
	if (word_attached(letter, payload))
		return 0;
	size_t overdue = counts[MESSAGE_ERROR] + counts[MESSAGE_CRITICAL];
	size_t others = counts[MESSAGE_INFO] + counts[MESSAGE_WARNING];
	const char *others_heard = acknowledged > 0 ? letter_print(letter, ", %zu acknowledged", acknowledged) : "";
	message->title =
	    letter_print(letter, "%zu alerts at once: %zu overdue, %zu at risk or asked about, %zu resolved%s",
	                 message->n_items, overdue, others, resolved, others_heard);
	return 0;
}

static int
letter_write(struct letter *letter, const json_t *payload, const struct delivery *delivery, struct instant now)
{
	struct message *message = &letter->message;
	const json_t *alert = json_object_get(payload, "alert");
	const char *severity = json_string_value(json_object_get(alert, "severity"));
	int word = severity ? name_index(message_severity_names, MESSAGE_SEVERITY_COUNT, severity) : -1;
	message->severity = word < 0 ? MESSAGE_INFO : (enum message_severity)word;
	message->key = letter_print(letter, "%s", delivery->key);
	message->alert = letter_text(letter, alert, "key");
	if (!message->alert)
		message->alert = message->key;
	message->at = delivery->at;
	if (delivery->address)
		message->address = letter_print(letter, "%s", delivery->address);
	if (strcmp(delivery->kind, "test") == 0) {
		const char *by = letter_text(letter, json_object_get(payload, "test"), "by");
		message->kind = MESSAGE_TEST;
		message->title = letter_print(
		    letter, "Test message from slated to channel %s: nothing needs to be done", delivery->channel);
		letter_fact(letter, "Asked for by", by);
		return 0;
	}
	if (strcmp(delivery->kind, "digest") == 0) {
		message->kind = MESSAGE_DIGEST;
		return word_digest(letter, payload, delivery, now);
	}
	if (!json_is_object(json_object_get(payload, "ticket")))
		return -EBADMSG;
	read_ticket(letter, payload);
	message->metric = letter_text(letter, json_object_get(payload, "milestone"), "metric");
	message->policy = letter_text(letter, json_object_get(payload, "clock"), "policy");
	if (strcmp(delivery->kind, "resolved") == 0) {
		message->kind = MESSAGE_RESOLVED;
		word_resolved(letter, payload);
	} else if (strcmp(delivery->kind, "acknowledged") == 0) {
		message->kind = MESSAGE_ACKNOWLEDGED;
		word_acknowledged(letter, payload);
	} else {
		message->kind = MESSAGE_ALERT;
		word_alert(letter, payload, now);
	}
	add_facts(letter, payload);
	return 0;
}

int
message_new(const struct delivery *delivery, struct instant now, struct message **ret)
{
	json_t *payload = json_loads(delivery->payload, 0, NULL);
	struct letter *letter = calloc(1, sizeof(*letter));
	int r = !letter ? -ENOMEM : !json_is_object(payload) ? -EBADMSG : 0;
	if (r < 0) {
		json_decref(payload);
		free(letter);
		return r;
	}
	r = letter_write(letter, payload, delivery, now);
	json_decref(payload);
	if (r == 0 && letter->failed)
		r = -ENOMEM;
	if (r < 0) {
		message_free(&letter->message);
		return r;
	}
	*ret = &letter->message;
	return 0;
}

void
message_free(struct message *message)
{
	struct letter *letter = (struct letter *)message;
	if (!letter)
		return;
	for (size_t i = 0; i < letter->n_texts; i++)
		free(letter->texts[i]);
	free(letter->texts);
	for (size_t i = 0; i < message->n_items; i++)
		message_free(message->items[i]);
	free(message->items);
	free(letter);
}

size_t
message_cut(const char *text, size_t max, char *out)
{
	static const char mark[] = "\u2026";
	size_t len = strlen(text), room = max, n = 0;
	if (len > max && max >= strlen(mark))
		room = max - strlen(mark);
	while (n < len) {
		size_t step = text_utf8(text + n, len - n);
		if (n + (step ? step : 1) > (len > max ? room : max))
			break;
		n += step ? step : 1;
	}
	memcpy(out, text, n);
	if (len > max && room < max) {
		memcpy(out + n, mark, strlen(mark));
		n += strlen(mark);
	}
	out[n] = '\0';
	return n;
}
