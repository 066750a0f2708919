/* jansson 2.14 answers properly where it makes or writes values, but its reader goes on where a text's buffer cannot
 * grow, and then runs past its end (https://github.com/akheron/jansson/issues/362). So not its allocations fail, but
 * the calls of it: as they do where memory is out. */
#include <jansson.h>
#include <stdarg.h>
#include <string.h>

#include "oom.h"

#define WRAPPED(type, name, ...)                                                                                       \
	type __real_##name(__VA_ARGS__);                                                                               \
	type __wrap_##name(__VA_ARGS__)

WRAPPED(json_t *, json_loadb, const char *text, size_t len, size_t flags, json_error_t *error);
WRAPPED(char *, json_dumps, const json_t *value, size_t flags);
WRAPPED(json_t *, json_object, void);
WRAPPED(json_t *, json_array, void);
WRAPPED(json_t *, json_string, const char *text);
WRAPPED(int, json_object_set_new, json_t *object, const char *key, json_t *value);
WRAPPED(int, json_array_append_new, json_t *array, json_t *value);
json_t *__wrap_json_pack(const char *format, ...);

/* No code is set: so does jansson where it has no memory for the first object. */
json_t *
__wrap_json_loadb(const char *text, size_t len, size_t flags, json_error_t *error)
{
	if (!oom_fails())
		return __real_json_loadb(text, len, flags, error);
	if (error != NULL)
		memset(error, 0, sizeof(*error));
	return NULL;
}

char *
__wrap_json_dumps(const json_t *value, size_t flags)
{
	return oom_fails() ? NULL : __real_json_dumps(value, flags);
}

json_t *
__wrap_json_object(void)
{
	return oom_fails() ? NULL : __real_json_object();
}

json_t *
__wrap_json_array(void)
{
	return oom_fails() ? NULL : __real_json_array();
}

json_t *
__wrap_json_string(const char *text)
{
	return oom_fails() ? NULL : __real_json_string(text);
}

/* The value is taken in either case. */
int
__wrap_json_object_set_new(json_t *object, const char *key, json_t *value)
{
	if (!oom_fails())
		return __real_json_object_set_new(object, key, value);
	json_decref(value);
	return -1;
}

int
__wrap_json_array_append_new(json_t *array, json_t *value)
{
	if (!oom_fails())
		return __real_json_array_append_new(array, value);
	json_decref(value);
	return -1;
}

json_t *
__wrap_json_pack(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	json_t *value = oom_fails() ? NULL : json_vpack_ex(NULL, 0, format, args);
	va_end(args);
	return value;
}
