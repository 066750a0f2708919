#include "slated/jsonw.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void
begin_member(struct jsonw *json, const char *key)
{
	if (json->more)
		text_add_string(&json->text, ", ");
	json->more = true;
	if (key == NULL)
		return;
	text_add_json(&json->text, key);
	text_add_string(&json->text, ": ");
}

void
jsonw_open(struct jsonw *json, const char *key, char bracket)
{
	begin_member(json, key);
	text_add(&json->text, &bracket, 1);
	json->more = false;
}

void
jsonw_close(struct jsonw *json, char bracket)
{
	text_add(&json->text, &bracket, 1);
	json->more = true;
}

void
jsonw_raw(struct jsonw *json, const char *key, const char *value)
{
	if (value == NULL)
		return;
	begin_member(json, key);
	text_add_string(&json->text, value);
}

void
jsonw_text(struct jsonw *json, const char *key, const char *value)
{
	if (value == NULL)
		return;
	begin_member(json, key);
	text_add_json(&json->text, value);
}

void
jsonw_instant(struct jsonw *json, const char *key, struct instant at)
{
	char text[INSTANT_TEXT_SIZE];
	if (instant_equal(at, INSTANT_NEVER))
		return;
	(void)instant_format(at, text);
	jsonw_text(json, key, text);
}

void
jsonw_number(struct jsonw *json, const char *key, int64_t value)
{
	char text[24];
	(void)snprintf(text, sizeof(text), "%" PRId64, value);
	jsonw_raw(json, key, text);
}

void
jsonw_bool(struct jsonw *json, const char *key, bool value)
{
	jsonw_raw(json, key, value ? "true" : "false");
}

void
jsonw_seconds(struct jsonw *json, const char *key, struct duration length)
{
	begin_member(json, key);
	if (length.us < 0) {
		text_add(&json->text, "-", 1);
		length.us = length.us == INT64_MIN ? INT64_MAX : -length.us;
	}
	text_add_seconds(&json->text, length);
}

void
jsonw_clear(struct jsonw *json)
{
	free(json->text.data);
	*json = (struct jsonw){0};
}
