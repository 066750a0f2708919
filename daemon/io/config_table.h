/* The table of all settings, from which the check of keys and types, the sample file and the manual page are made. */
#ifndef SLATED_IO_CONFIG_TABLE_H
#define SLATED_IO_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum config_scope {
	SCOPE_ROOT,
	SCOPE_SEVERITY,
	SCOPE_CALENDAR,
	SCOPE_HOURS,
	SCOPE_EXCEPTION,
	SCOPE_POLICY,
	SCOPE_MATCH,
	SCOPE_VALUE,
	SCOPE_TARGET,
	SCOPE_STEP,
	SCOPE_RULE,
	SCOPE_DATABASE,
	SCOPE_INSTANCE,
	SCOPE_HTTP,
	SCOPE_OUTBOX,
	SCOPE_HEARTBEAT,
	SCOPE_LINKS,
	SCOPE_CHANNEL,
	SCOPE_ADAPTER,
	SCOPE_COUNT,
};

enum config_type {
	TYPE_STRING,
	TYPE_STRINGS, /* one string, or an array of them */
	TYPE_INT,
	TYPE_BOOL,
	TYPE_TEXT_VALUE,   /* a string, an integer or a boolean, all taken as text */
	TYPE_TEXT_VALUES,  /* one of those, or an array of them */
	TYPE_VALUE,        /* TYPE_TEXT_VALUES, or a group of conditions */
	TYPE_NAMED_VALUES, /* a group of TYPE_VALUE with names of the user's */
	TYPE_GROUP,
	TYPE_GROUPS,       /* a list of groups */
	TYPE_NAMED_GROUPS, /* a group of groups with names of the user's */
	TYPE_NAMED_LISTS,  /* a group of lists of groups */
	TYPE_COUNT,
};

struct config_row {
	enum config_scope scope;
	const char *name;
	enum config_type type;
	enum config_scope child; /* of the types with groups */
	const char *initial;     /* what holds when it is absent, or NULL */
	const char *example;     /* in the file's syntax; NULL for groups */
	bool reloadable;
	unsigned channels; /* SCOPE_CHANNEL: bit i = has it when of channel type i */
	const char *help;
};

extern const struct config_row config_rows[];
extern const size_t config_n_rows;

/* What "must be ..." says of a type. */
extern const char *const config_type_texts[TYPE_COUNT];

/* A scope's place in the file: "policies[].targets[]". */
extern const char *const config_scope_texts[SCOPE_COUNT];

/* The row of a setting, or NULL. */
const struct config_row *config_row(enum config_scope scope, const char *name);

#endif
