/* What the commands that change something share: options, and the configuration. */
#ifndef SLATED_SLATECTL_CHANGE_H
#define SLATED_SLATECTL_CHANGE_H

#include "db.h"

struct config;

struct change_options {
	const char *config;
	const char *conninfo;
	const char *by; /* NULL: who calls */
};

/* Rows of a command's table; `at` is where its options have a change_options. */
#define CHANGE_CONFIG(at)   DB_ROW_CONFIG((at) + offsetof(struct change_options, config))
#define CHANGE_CONNINFO(at) DB_ROW_CONNINFO((at) + offsetof(struct change_options, conninfo))
#define CHANGE_BY(at, help)                                                                                            \
	{                                                                                                              \
		"by", "NAME", help, VALUE_NAME, (at) + offsetof(struct change_options, by)                             \
	}

const char *change_by(const struct change_options *options);

/* Opens the database to change something; see db_open_to_change(). */
int change_open(const struct change_options *options, const char *role, struct db *ret)
    __attribute__((warn_unused_result));

/* Prints one line to standard output, made fit for a terminal: it may hold what others wrote. */
void change_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The configuration in force in the daemon that was seen last. 0, or a negative errno after the reason went to standard
 * error. */
int change_in_force(const struct db *db, struct config **ret) __attribute__((warn_unused_result));

/* The configuration, without secrets: the file that was named or is the default; with nothing but a conninfo the one in
 * force in the daemon that was seen last. 0, or a negative errno after the reason went to standard error. */
int change_configuration(const struct change_options *options, const struct db *db, struct config **ret)
    __attribute__((warn_unused_result));

#endif
