#include "pg_target.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
option_value(const PQconninfoOption *options, const char *keyword)
{
	for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
		if (strcmp(o->keyword, keyword) == 0)
			return o->val;
	return NULL;
}

static int
count_items(const char *list)
{
	int n = 1;
	for (; list != NULL && *list != '\0'; list++)
		n += *list == ',';
	return n;
}

/* Copies the `index`th item of a comma-separated list, or the only one where there is one. */
static char *
copy_item(const char *list, int index)
{
	if (count_items(list) == 1)
		index = 0;
	while (index-- > 0)
		list = strchr(list, ',') + 1;
	return strndup(list, strcspn(list, ","));
}

int
pg_target_init(struct pg_target *target, const char *conninfo, const char *password, const char *name,
               char **ret_problem)
{
	char *message = NULL;
	*target = (struct pg_target){.options = PQconninfoParse(conninfo, &message)};
	*ret_problem = NULL;
	if (target->options == NULL) {
		*ret_problem = message == NULL ? NULL : strndup(message, strcspn(message, "\n"));
		PQfreemem(message);
		return *ret_problem == NULL ? -ENOMEM : -EINVAL;
	}
	target->password = password == NULL ? NULL : strdup(password);
	if (asprintf(&target->name, "slated %s", name) < 0)
		target->name = NULL;
	if (target->name == NULL || (password != NULL && target->password == NULL)) {
		pg_target_free(target);
		return -ENOMEM;
	}
	int hosts = count_items(option_value(target->options, "host"));
	int addresses = count_items(option_value(target->options, "hostaddr"));
	target->n_hosts = hosts > addresses ? hosts : addresses;
	return 0;
}

void
pg_target_free(struct pg_target *target)
{
	PQconninfoFree(target->options);
	free(target->password);
	free(target->name);
}

PGconn *
pg_target_connect(const struct pg_target *target, int host)
{
	/* What libpq is told: the conninfo's own words, with one host of several, and what we insist on. */
	enum { ROOM = 80 };
	static const char *const listed[] = {"host", "hostaddr", "port"};
	const char *keys[ROOM];
	const char *values[ROOM];
	char *items[3] = {NULL};
	size_t n = 0;
	for (size_t i = 0; i < 3; i++) {
		const char *list = option_value(target->options, listed[i]);
		if (list == NULL || *list == '\0')
			continue;
		items[i] = copy_item(list, host);
		keys[n] = listed[i];
		values[n++] = items[i];
	}
	for (const PQconninfoOption *o = target->options; o->keyword != NULL && n + 8 < ROOM; o++) {
		bool own = strcmp(o->keyword, "host") == 0 || strcmp(o->keyword, "hostaddr") == 0 ||
		           strcmp(o->keyword, "port") == 0 ||
		           (target->password != NULL && strcmp(o->keyword, "password") == 0) ||
		           strcmp(o->keyword, "fallback_application_name") == 0;
		if (own || o->val == NULL || *o->val == '\0')
			continue;
		keys[n] = o->keyword;
		values[n++] = o->val;
	}
	static const struct {
		const char *key;
		const char *value;
	} defaults[] = {
	    {"target_session_attrs", "read-write"}, {"keepalives_idle", "10"},
	    {"keepalives_interval", "5"},           {"keepalives_count", "3"},
	    {"tcp_user_timeout", "20000"},
	};
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		const char *given = option_value(target->options, defaults[i].key);
		if (given != NULL && *given != '\0' && i > 0)
			continue;
		keys[n] = defaults[i].key;
		values[n++] = defaults[i].value;
	}
	keys[n] = "fallback_application_name";
	values[n++] = target->name;
	if (target->password != NULL) {
		keys[n] = "password";
		values[n++] = target->password;
	}
	assert(n < ROOM);
	keys[n] = values[n] = NULL;
	PGconn *conn = PQconnectStartParams(keys, values, 0);
	for (size_t i = 0; i < 3; i++)
		free(items[i]);
	return conn;
}
