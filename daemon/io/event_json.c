#include "slated/event_json.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event_members.h"

/* Numbers and booleans as attribute values become texts; so many a line. */
#define SCALAR_MAX  64
#define SCALAR_SIZE 32

struct event_line {
	struct event_members members;
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
	event_members_clear(&line->members);
	free(line->custom);
	free(line);
}

/* A string member. `*ret` is NULL where it is absent or null. */
static int
read_string(const struct members *object, const char *key, const char **ret, char problem[static REFUSAL_SIZE])
{
	const struct member *value = member_find(object, key);
	*ret = NULL;
	if (value == NULL || value->kind == MEMBER_NULL)
		return 0;
	if (value->kind != MEMBER_STRING)
		return refuse(-EINVAL, problem, "\"%s\" must be a string", key);
	*ret = value->text;
	return 0;
}

static int
read_name(const struct members *object, const char *key, const char *const *names, int n, int fallback, int *ret,
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
read_value(struct event_line *line, const struct member *value, const char **ret, char problem[static REFUSAL_SIZE])
{
	*ret = NULL;
	if (value->kind == MEMBER_NULL)
		return 0;
	if (value->kind == MEMBER_STRING) {
		*ret = value->text;
		return 0;
	}
	if (value->kind == MEMBER_TRUE || value->kind == MEMBER_FALSE) {
		*ret = value->kind == MEMBER_TRUE ? "true" : "false";
		return 0;
	}
	if (value->kind != MEMBER_OTHER || !json_is_number(value->json) || line->n_scalars == SCALAR_MAX)
		return refuse(-EINVAL, problem, "\"%.40s\" must be a string, a number, true, false or null",
		              value->key);
	char *text = line->scalars[line->n_scalars++];
	size_t n = json_dumpb(value->json, text, SCALAR_SIZE - 1, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	if (n == 0 || n >= SCALAR_SIZE)
		return refuse(-EINVAL, problem, "\"%.40s\" is a number too long to keep", value->key);
	text[n] = '\0';
	*ret = text;
	return 0;
}

static int
read_custom(struct event_line *line, const struct members *object, struct ticket_event *event,
            char problem[static REFUSAL_SIZE])
{
	const struct member *custom = member_find(object, "attributes");
	const struct members *attributes = &line->members.attributes;
	if (custom == NULL)
		return 0;
	if (custom->kind == MEMBER_NULL) {
		event->clear_custom = true;
		return 0;
	}
	if (custom->kind != MEMBER_ATTRIBUTES)
		return refuse(-EINVAL, problem, "\"attributes\" must be an object");
	if (attributes->n > line->room) {
		struct custom_attribute *grown = realloc(line->custom, attributes->n * sizeof(grown[0]));
		if (grown == NULL)
			return -ENOMEM;
		line->custom = grown;
		line->room = attributes->n;
	}
	event->custom = line->custom;
	for (size_t i = 0; i < attributes->n; i++) {
		struct custom_attribute *slot = &line->custom[event->n_custom++];
		slot->key = attributes->at[i].key;
		int r = read_value(line, &attributes->at[i], &slot->value, problem);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
read_attributes(struct event_line *line, const struct members *object, struct ticket_event *event,
                char problem[static REFUSAL_SIZE])
{
	for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++) {
		const struct member *value = member_find(object, attribute_names[i]);
		if (value == NULL)
			continue;
		int r = read_value(line, value, &event->attributes[i], problem);
		if (r < 0)
			return r;
		event->set |= 1U << i;
	}
	return read_custom(line, object, event, problem);
}

static int
read_opened(struct event_line *line, const struct members *object, struct ticket_event *event,
            char problem[static REFUSAL_SIZE])
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
read_by(const struct members *object, int fallback, struct ticket_event *event, char problem[static REFUSAL_SIZE])
{
	int by;
	int r = read_name(object, "by", actor_names, ACTOR_COUNT, fallback, &by, problem);
	if (r == 0)
		event->by = (enum actor)by;
	return r;
}

static int
read_reply(struct event_line *line, const struct members *object, struct ticket_event *event,
           char problem[static REFUSAL_SIZE])
{
	const char *text = NULL;
	const struct member *public = member_find(object, "public");
	(void)line;
	int r = read_by(object, -1, event, problem);
	if (r == 0)
		r = read_string(object, "text", &text, problem);
	if (r < 0)
		return r;
	if (public != NULL && public->kind != MEMBER_NULL && public->kind != MEMBER_TRUE &&
	    public->kind != MEMBER_FALSE)
		return refuse(-EINVAL, problem, "\"public\" must be true or false");
	event->is_public = public == NULL || public->kind != MEMBER_FALSE;
	event->requests = text != NULL && event_text_requests(text, strlen(text));
	return 0;
}

static int
read_status(struct event_line *line, const struct members *object, struct ticket_event *event,
            char problem[static REFUSAL_SIZE])
{
	int status;
	(void)line;
	int r = read_name(object, "status", status_names, STATUS_COUNT, -1, &status, problem);
	if (r == 0)
		event->status = (enum status)status;
	return r;
}

static int
read_severity(struct event_line *line, const struct members *object, struct ticket_event *event,
              char problem[static REFUSAL_SIZE])
{
	(void)line;
	int r = read_by(object, ACTOR_AGENT, event, problem);
	return r < 0 ? r : read_string(object, "severity", &event->severity, problem);
}

static int
read_changed(struct event_line *line, const struct members *object, struct ticket_event *event,
             char problem[static REFUSAL_SIZE])
{
	if (member_find(object, "severity") != NULL || member_find(object, "status") != NULL)
		return refuse(-EINVAL, problem,
		              "\"changed\" cannot change severity or status: those are events of their own");
	return read_attributes(line, object, event, problem);
}

/* Who disputes, assesses or acknowledges is for the record: any name will do. */
static int
read_named(struct event_line *line, const struct members *object, struct ticket_event *event,
           char problem[static REFUSAL_SIZE])
{
	const char *by;
	(void)line;
	(void)event;
	return read_string(object, "by", &by, problem);
}

static int
read_ack(struct event_line *line, const struct members *object, struct ticket_event *event,
         char problem[static REFUSAL_SIZE])
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
	static int (*const read[EVENT_COUNT])(struct event_line *, const struct members *, struct ticket_event *,
	                                      char[static REFUSAL_SIZE]) = {
	    [EVENT_OPENED] = read_opened,     [EVENT_REPLY] = read_reply,     [EVENT_STATUS] = read_status,
	    [EVENT_SEVERITY] = read_severity, [EVENT_CHANGED] = read_changed, [EVENT_DISPUTE] = read_named,
	    [EVENT_ASSESSED] = read_named,    [EVENT_ACK] = read_ack,         [EVENT_MERGED] = read_named,
	};
	const struct members *object = &line->members.top;
	const char *at;
	int kind;
	int r = read_string(object, "at", &at, problem);
	if (r == 0)
		r = read_string(object, "ticket", ret_ticket, problem);
	if (r == 0)
		r = read_name(object, "event", event_names, EVENT_COUNT, -1, &kind, problem);
	if (r < 0)
		return r;
	if (at == NULL || *ret_ticket == NULL)
		return refuse(-EINVAL, problem, "\"%s\" is missing", at == NULL ? "at" : "ticket");
	if (instant_parse(at, strlen(at), &event->at) < 0)
		return refuse(-EINVAL, problem, "\"at\": \"%.40s\" is no RFC 3339 instant such as 2026-03-02T09:00:00Z",
		              at);
	assert(kind >= 0 && kind < EVENT_COUNT);
	event->kind = (enum event_kind)kind;
	return read[kind](line, object, event, problem);
}

int
event_line_parse(struct event_line *line, const char *text, size_t len, const char **ret_ticket,
                 struct ticket_event *ret_event, char problem[static REFUSAL_SIZE])
{
	const char *ticket = NULL;
	struct ticket_event event = {0};
	line->n_scalars = 0;
	int r = event_members_read(&line->members, text, len, problem);
	if (r == 0)
		r = read_fields(line, &ticket, &event, problem);
	if (r < 0)
		return r;
	*ret_ticket = ticket;
	*ret_event = event;
	return 0;
}
