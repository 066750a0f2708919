#include "slated/envelope.h"
#include "slated/delivery.h"
#include "slated/render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* "/slated/" and the name with all but RFC 3986's unreserved characters percent-encoded: source is a URI reference. */
static void
add_source(struct text *text, const char *instance)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	text_add_string(text, "\"/slated/");
	while (*instance) {
		size_t n = strspn(instance, unreserved);
		text_add(text, instance, n);
		instance += n;
		if (*instance)
			text_add_format(text, "%%%02X", (unsigned char)*instance++);
	}
	text_add_string(text, "\"");
}

/* The event's attributes: its members but for its data, after "{". */
static void
add_attributes(struct text *text, const struct delivery *delivery, const char *instance)
{
	char at[INSTANT_TEXT_SIZE];
	text_add_string(text, "\"specversion\":\"1.0\",\"id\":");
	text_add_json(text, delivery->key);
	text_add_string(text, ",\"source\":");
	add_source(text, instance);
	text_add_string(text, ",\"type\":\"io.slated.");
	text_add_string(text, delivery->kind);
	text_add_string(text, ".v1\",\"time\":\"");
	text_add(text, at, instant_format(delivery->at, at));
	text_add_string(text, "\",\"datacontenttype\":\"application/json\"");
	/* An empty subject is not allowed (CloudEvents 1.0.2, "subject"). */
	if (delivery->external_id && *delivery->external_id) {
		text_add_string(text, ",\"subject\":");
		text_add_json(text, delivery->external_id);
	}
}

int
envelope_format(const struct delivery *delivery, const char *instance, char **ret, size_t *ret_len)
{
	struct text text = {0};
	if (delivery->payload[strspn(delivery->payload, " \t\n\r")] != '{')
		return -EBADMSG;
	text_add_string(&text, "{");
	add_attributes(&text, delivery, instance);
	text_add_string(&text, ",\"data\":");
	text_add_string(&text, delivery->payload);
	text_add_string(&text, "}");
	if (text.failed) {
		free(text.data);
		return -ENOMEM;
	}
	*ret = text.data;
	*ret_len = text.len;
	return 0;
}
