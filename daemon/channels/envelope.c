#include "slated/envelope.h"
#include "slated/delivery.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "/slated/" and the name with all but RFC 3986's unreserved characters percent-encoded: source is a URI reference. */
static char *
source_format(const char *instance)
{
	static const char head[] = "/slated/";
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	char *source = malloc(sizeof(head) + 3 * strlen(instance));
	if (!source)
		return NULL;
	char *end = stpcpy(source, head);
	for (; *instance; instance++) {
		if (strchr(unreserved, *instance)) {
			*end++ = *instance;
			*end = '\0';
		} else {
			end += sprintf(end, "%%%02X", (unsigned char)*instance);
		}
	}
	return source;
}

/* Whether `text` is a JSON object. It is sent as it is written, numbers and all, so only this is asked of it. */
static bool
text_is_object(const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_INT_AS_REAL, NULL);
	bool object = json_is_object(json);
	json_decref(json);
	return object;
}

/* The event without its data, as "{...}"; NULL where a text is no UTF-8. */
static char *
attributes_format(const struct delivery *delivery, const char *source)
{
	char type[128], at[INSTANT_TEXT_SIZE];
	(void)snprintf(type, sizeof(type), "io.slated.%s.v1", delivery->kind);
	(void)instant_format(delivery->at, at);
	json_t *event = json_pack("{ss ss ss ss ss ss}", "specversion", "1.0", "id", delivery->key, "source", source,
	                          "type", type, "time", at, "datacontenttype", "application/json");
	/* An empty subject is not allowed (CloudEvents 1.0.2, "subject"). */
	if (event && delivery->external_id && *delivery->external_id &&
	    json_object_set_new(event, "subject", json_string(delivery->external_id)) < 0) {
		json_decref(event);
		return NULL;
	}
	char *text = json_dumps(event, JSON_COMPACT);
	json_decref(event);
	return text;
}

int
envelope_format(const struct delivery *delivery, const char *instance, char **ret, size_t *ret_len)
{
	if (!text_is_object(delivery->payload))
		return -EBADMSG;
	char *source = source_format(instance);
	if (!source)
		return -ENOMEM;
	char *attributes = attributes_format(delivery, source);
	free(source);
	if (!attributes)
		return -EBADMSG;
	attributes[strlen(attributes) - 1] = '\0';
	char *text;
	int n = asprintf(&text, "%s,\"data\":%s}", attributes, delivery->payload);
	free(attributes);
	if (n < 0)
		return -ENOMEM;
	*ret = text;
	*ret_len = (size_t)n;
	return 0;
}
