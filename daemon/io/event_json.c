#include "slated/event_json.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers and booleans as attribute values become texts; so many a line. */
#define SCALAR_MAX  64
#define SCALAR_SIZE 32

struct event_line {
	json_t *json;
	struct custom_attribute *custom;
	size_t room;
	char scalars[SCALAR_MAX][SCALAR_SIZE];
	unsigned n_scalars;
};

int
event_line_new(struct event_line **ret)
{
	struct event_line *line = calloc(1, sizeof(*line));
	if (line == NULL)
		return -ENOMEM;
	*ret = line;
	return 0;
}

void
event_line_free(struct event_line *line)
{
	if (line == NULL)
		return;
	json_decref(line->json);
	free(line->custom);
	free(line);
}

/* A string member. `*ret` is NULL where it is absent or null. */
static int
read_string(const json_t *object, const char *key, const char **ret, char problem[static REFUSAL_SIZE])
{
	const json_t *value = json_object_get(object, key);
	*ret = NULL;
	if (value == NULL || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return refuse(-EINVAL, problem, "\"%s\" must be a string", key);
	*ret = json_string_value(value);
	return 0;
}

static int
read_name(const json_t *object, const char *key, const char *const *names, int n, int fallback, int *ret,
          char problem[static REFUSAL_SIZE])
{
	const char *text = NULL;
	char known[100] = "";
	size_t len = 0;
	int r = read_string(object, key, &text, problem);
	if (r < 0)
		return r;
	*ret = text == NULL ? fallback : name_index(names, n, text);
	if (*ret >= 0)
		return 0;
	for (int i = 0; i < n && len < sizeof(known); i++)
		len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", i > 0 ? ", " : "", names[i]);
	if (text == NULL)
		return refuse(-EINVAL, problem, "\"%s\" is missing: one of %s", key, known);
	return refuse(-EINVAL, problem, "\"%s\": \"%.20s\" is unknown: one of %s", key, text, known);
}

/* An attribute's value as text: strings as they are, numbers and booleans as JSON writes them, null as NULL. */
static int
read_value(struct event_line *line, const char *key, const json_t *value, const char **ret,
           char problem[static REFUSAL_SIZE])
{
	*ret = NULL;
	if (json_is_null(value))
		return 0;
	if (json_is_string(value)) {
		*ret = json_string_value(value);
		return 0;
	}
	if (json_is_boolean(value)) {
		*ret = json_is_true(value) ? "true" : "false";
		return 0;
	}
	if (!json_is_number(value) || line->n_scalars == SCALAR_MAX)
		return refuse(-EINVAL, problem, "\"%.40s\" must be a string, a number, true, false or null", key);
	char *text = line->scalars[line->n_scalars++];
	size_t n = json_dumpb(value, text, SCALAR_SIZE - 1, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	if (n == 0 || n >= SCALAR_SIZE)
		return refuse(-EINVAL, problem, "\"%.40s\" is a number too long to keep", key);
	text[n] = '\0';
	*ret = text;
	return 0;
}

static int
read_custom(struct event_line *line, json_t *object, struct ticket_event *event, char problem[static REFUSAL_SIZE])
{
	json_t *custom = json_object_get(object, "attributes");
	const char *key;
	json_t *value;
	if (custom == NULL)
		return 0;
	if (json_is_null(custom)) {
		event->clear_custom = true;
		return 0;
	}
	if (!json_is_object(custom))
		return refuse(-EINVAL, problem, "\"attributes\" must be an object");
	size_t n = json_object_size(custom);
	if (n > line->room) {
		struct custom_attribute *grown = realloc(line->custom, n * sizeof(grown[0]));
		if (grown == NULL)
			return -ENOMEM;
		line->custom = grown;
		line->room = n;
	}
	event->custom = line->custom;
	json_object_foreach(custom, key, value)
	{
		struct custom_attribute *slot = &line->custom[event->n_custom++];
		slot->key = key;
		int r = read_value(line, key, value, &slot->value, problem);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
read_attributes(struct event_line *line, json_t *object, struct ticket_event *event, char problem[static REFUSAL_SIZE])
{
	for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++) {
		const json_t *value = json_object_get(object, attribute_names[i]);
		if (value == NULL)
			continue;
		int r = read_value(line, attribute_names[i], value, &event->attributes[i], problem);
		if (r < 0)
			return r;
		event->set |= 1U << i;
	}
	return read_custom(line, object, event, problem);
}

static int
read_opened(struct event_line *line, json_t *object, struct ticket_event *event, char problem[static REFUSAL_SIZE])
{
	int status = STATUS_OPEN;
	int r = read_string(object, "severity", &event->severity, problem);
	if (r == 0)
		r = read_name(object, "status", status_names, STATUS_COUNT, STATUS_OPEN, &status, problem);
	if (r < 0)
		return r;
	event->status = (enum status)status;
	return read_attributes(line, object, event, problem);
}

static int
read_by(const json_t *object, int fallback, struct ticket_event *event, char problem[static REFUSAL_SIZE])
{
	int by;
	int r = read_name(object, "by", actor_names, ACTOR_COUNT, fallback, &by, problem);
	if (r == 0)
		event->by = (enum actor)by;
	return r;
}

static int
read_reply(struct event_line *line, json_t *object, struct ticket_event *event, char problem[static REFUSAL_SIZE])
{
	const char *text = NULL;
	const json_t *public = json_object_get(object, "public");
	(void)line;
	int r = read_by(object, -1, event, problem);
	if (r == 0)
		r = read_string(object, "text", &text, problem);
	if (r < 0)
		return r;
	if (public != NULL && !json_is_boolean(public) && !json_is_null(public))
		return refuse(-EINVAL, problem, "\"public\" must be true or false");
	event->is_public = !json_is_false(public);
	event->requests = text != NULL && event_text_requests(text, strlen(text));
	return 0;
}

static int
read_status(struct event_line *line, json_t *object, struct ticket_event *event, char problem[static REFUSAL_SIZE])
{
	int status;
	(void)line;
	int r = read_name(object, "status", status_names, STATUS_COUNT, -1, &status, problem);
	if (r == 0)
		event->status = (enum status)status;
	return r;
}

static int
read_severity(struct event_line *line, json_t *object, struct ticket_event *event, char problem[static REFUSAL_SIZE])
{
	(void)line;
	int r = read_by(object, ACTOR_AGENT, event, problem);
	return r < 0 ? r : read_string(object, "severity", &event->severity, problem);
}

static int
read_changed(struct event_line *line, json_t *object, struct ticket_event *event, char problem[static REFUSAL_SIZE])
{
	if (json_object_get(object, "severity") != NULL || json_object_get(object, "status") != NULL)
		return refuse(-EINVAL, problem,
		              "\"changed\" cannot change severity or status: those are events of their own");
	return read_attributes(line, object, event, problem);
}

/* Who disputes, assesses or acknowledges is for the record: any name will do. */
static int
read_named(struct event_line *line, json_t *object, struct ticket_event *event, char problem[static REFUSAL_SIZE])
{
	const char *by;
	(void)line;
	(void)event;
	return read_string(object, "by", &by, problem);
}

static int
read_ack(struct event_line *line, json_t *object, struct ticket_event *event, char problem[static REFUSAL_SIZE])
{
	const char *hold = NULL;
	struct period period;
	int r = read_named(line, object, event, problem);
	if (r == 0)
		r = read_string(object, "for", &hold, problem);
	if (r < 0 || hold == NULL)
		return r;
	if (period_parse(hold, &period) < 0 || period.business_days > 0)
		return refuse(-EINVAL, problem, "\"for\": \"%.20s\" is no length of time such as \"2h\" or \"1h30m\"",
		              hold);
	event->hold = period.elapsed;
	return 0;
}

static int
read_fields(struct event_line *line, const char **ret_ticket, struct ticket_event *event,
            char problem[static REFUSAL_SIZE])
{
	static int (*const read[EVENT_COUNT])(struct event_line *, json_t *, struct ticket_event *,
	                                      char[static REFUSAL_SIZE]) = {
	    [EVENT_OPENED] = read_opened,     [EVENT_REPLY] = read_reply,     [EVENT_STATUS] = read_status,
	    [EVENT_SEVERITY] = read_severity, [EVENT_CHANGED] = read_changed, [EVENT_DISPUTE] = read_named,
	    [EVENT_ASSESSED] = read_named,    [EVENT_ACK] = read_ack,         [EVENT_MERGED] = read_named,
	};
	const char *at;
	int kind;
	int r = read_string(line->json, "at", &at, problem);
	if (r == 0)
		r = read_string(line->json, "ticket", ret_ticket, problem);
	if (r == 0)
		r = read_name(line->json, "event", event_names, EVENT_COUNT, -1, &kind, problem);
	if (r < 0)
		return r;
	if (at == NULL || *ret_ticket == NULL)
		return refuse(-EINVAL, problem, "\"%s\" is missing", at == NULL ? "at" : "ticket");
	if (instant_parse(at, strlen(at), &event->at) < 0)
		return refuse(-EINVAL, problem, "\"at\": \"%.40s\" is no RFC 3339 instant such as 2026-03-02T09:00:00Z",
		              at);
	event->kind = (enum event_kind)kind;
	return read[kind](line, line->json, event, problem);
}

int
event_line_parse(struct event_line *line, const char *text, size_t len, const char **ret_ticket,
                 struct ticket_event *ret_event, char problem[static REFUSAL_SIZE])
{
	json_error_t error;
	const char *ticket = NULL;
	struct ticket_event event = {0};
	json_decref(line->json);
	line->n_scalars = 0;
	line->json = json_loadb(text, len, 0, &error);
	if (line->json == NULL)
		return refuse(-EINVAL, problem, "not JSON: %.100s (column %d)", error.text, error.column);
	if (!json_is_object(line->json))
		return refuse(-EINVAL, problem, "not a JSON object");
	int r = read_fields(line, &ticket, &event, problem);
	if (r < 0)
		return r;
	*ret_ticket = ticket;
	*ret_event = event;
	return 0;
}
