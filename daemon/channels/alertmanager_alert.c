/* Messages as alerts of Alertmanager's API v2 (definitions "postableAlert", "labelSet" of its openapi.yaml). */
#include "alertmanager.h"
#include "slated/http_client.h"
#include "slated/message.h"

#include <jansson.h>
#include <string.h>

/* Empty and missing values are left out, as Alertmanager itself does with labels. */
static int
put_text(json_t *object, const char *name, const char *text)
{
	return text && *text ? json_object_set_new(object, name, json_string(text)) : 0;
}

int
alertmanager_put_instant(json_t *object, const char *name, struct instant at)
{
	char text[INSTANT_TEXT_SIZE];
	(void)instant_format(at, text);
	return json_object_set_new(object, name, json_string(text));
}

struct instant
alertmanager_get_instant(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	struct instant at = INSTANT_NEVER;
	if (text && instant_parse(text, strlen(text), &at) < 0)
		return INSTANT_NEVER;
	return at;
}

static json_t *
labels_new(const struct message *message)
{
	json_t *labels = json_object();
	int failed = put_text(labels, "alertname", message->kind == MESSAGE_TEST ? "SLATest" : "SLA");
	failed |= put_text(labels, "alert", message->alert);
	failed |= put_text(labels, "ticket", message->ticket);
	failed |= put_text(labels, "ticket_id", message->ticket_id);
	failed |= put_text(labels, "org", message->org);
	failed |= put_text(labels, "plan", message->plan);
	failed |= put_text(labels, "metric", message->metric);
	failed |= put_text(labels, "policy", message->policy);
	if (failed) {
		json_decref(labels);
		return NULL;
	}
	return labels;
}

/* "Sent to" as "sent_to": a name is [a-zA-Z_][a-zA-Z0-9_]*. */
static int
put_fact(json_t *annotations, const struct message_fact *fact)
{
	char name[64] = "fact";
	size_t n = 0;
	for (const char *p = fact->name; *p && n < sizeof(name) - 1; p++) {
		bool upper = *p >= 'A' && *p <= 'Z', lower = *p >= 'a' && *p <= 'z';
		name[n++] = upper ? (char)(*p - 'A' + 'a') : lower ? *p : '_';
	}
	name[n] = '\0';
	return put_text(annotations, name, fact->value);
}

static json_t *
annotations_new(const struct message *message)
{
	json_t *annotations = json_object();
	int failed = put_text(annotations, "summary", message->title);
	failed |= put_text(annotations, "for", message->address);
	failed |= put_text(annotations, "link", message->link);
	for (size_t i = 0; i < message->n_facts; i++)
		failed |= put_fact(annotations, &message->facts[i]);
	/* After the facts, of which one is the ticket's own severity. */
	failed |= put_text(annotations, "ticket_severity", json_string_value(json_object_get(annotations, "severity")));
	failed |= put_text(annotations, "severity", message_severity_names[message->severity]);
	if (message->kind == MESSAGE_ACKNOWLEDGED)
		failed |= put_text(annotations, "acknowledged", message->title);
	if (message->kind == MESSAGE_TEST)
		failed |= put_text(annotations, "test", "true");
	if (failed) {
		json_decref(annotations);
		return NULL;
	}
	return annotations;
}

/* An acknowledged alert is the former one with a word more. */
static json_t *
annotations_acknowledged(const json_t *known, const struct message *message)
{
	json_t *annotations = json_copy(json_object_get(known, "annotations"));
	if (annotations && put_text(annotations, "acknowledged", message->title) < 0) {
		json_decref(annotations);
		return NULL;
	}
	return annotations;
}

/* Ended by its message, or a test by itself; not before it started and, if it has ended, not in the future. */
static int
put_end(json_t *json, const struct message *message, const json_t *known, struct instant starts, struct instant now,
        struct duration test)
{
	switch (message->kind) {
	case MESSAGE_TEST:
		return alertmanager_put_instant(json, "endsAt", instant_plus(now, test));
	case MESSAGE_RESOLVED:
		return alertmanager_put_instant(json, "endsAt", instant_max(instant_min(message->at, now), starts));
	case MESSAGE_ACKNOWLEDGED:
		return put_text(json, "endsAt", json_string_value(json_object_get(known, "endsAt")));
	default:
		return 0;
	}
}

json_t *
alertmanager_alert_new(const struct message *message, const json_t *known, struct instant now, struct duration test)
{
	/* What fires after its end has started anew. */
	bool anew = !known || (message->kind == MESSAGE_ALERT && json_object_get(known, "endsAt"));
	struct instant starts = anew ? instant_min(message->at, now) : alertmanager_get_instant(known, "startsAt");
	json_t *labels = known ? json_copy(json_object_get(known, "labels")) : labels_new(message);
	json_t *annotations = known && message->kind == MESSAGE_ACKNOWLEDGED ? annotations_acknowledged(known, message)
	                                                                     : annotations_new(message);
	json_t *json = json_object();
	int failed = json_object_set_new(json, "labels", labels);
	failed |= json_object_set_new(json, "annotations", annotations);
	failed |= alertmanager_put_instant(json, "startsAt", starts);
	/* A URL that Alertmanager cannot read would cost the alert. */
	if (message->link && http_url_valid(message->link))
		failed |= put_text(json, "generatorURL", message->link);
	failed |= put_end(json, message, known, starts, now, test);
	if (failed) {
		json_decref(json);
		return NULL;
	}
	return json;
}
