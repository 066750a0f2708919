#include "slated/jsonr.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* jansson 2.14 gives a code for all that may be wrong with a text, and mostly none where memory is out. */
int
jsonr_read(const char *text, size_t len, size_t flags, json_t **ret)
{
	json_error_t error;
	json_t *value = json_loadb(text, len, flags, &error);
	if (value == NULL) {
		enum json_error_code code = json_error_code(&error);
		return code == json_error_unknown || code == json_error_out_of_memory ? -ENOMEM : -EINVAL;
	}
	*ret = value;
	return 0;
}

static const char *
skip_blanks(const char *at)
{
	while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')
		at++;
	return at;
}

/* From a text's first quote to behind its last. */
static const char *
skip_text(const char *at)
{
	for (at++; *at != '\0' && *at != '"'; at++)
		if (*at == '\\' && at[1] != '\0')
			at++;
	return *at == '"' ? at + 1 : at;
}

/* To the comma or the bracket behind a value. */
static const char *
skip_value(const char *at)
{
	for (int depth = 0; *at != '\0';) {
		bool ends = *at == '}' || *at == ']';
		if (depth == 0 && (ends || *at == ','))
			break;
		if (*at == '"') {
			at = skip_text(at);
			continue;
		}
		if (ends)
			depth--;
		else if (*at == '{' || *at == '[')
			depth++;
		at++;
	}
	return at;
}

const char *
jsonr_member(const char *json, const char *key)
{
	size_t len = strlen(key);
	const char *at = skip_blanks(json);
	for (char before = '{'; *at == before; before = ',') {
		const char *name = skip_blanks(at + 1);
		if (*name != '"')
			return NULL;
		const char *end = skip_text(name), *value = skip_blanks(end);
		if (*value == ':')
			value = skip_blanks(value + 1);
		if ((size_t)(end - name) == len + 2 && memcmp(name + 1, key, len) == 0)
			return value;
		at = skip_value(value);
	}
	return NULL;
}
