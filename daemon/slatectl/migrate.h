/* slatectl migrate: brings schema sla of a database up to date. */
#ifndef SLATED_MIGRATE_H
#define SLATED_MIGRATE_H

#include <stddef.h>

/* One file of sql/, built into the program. */
struct migration {
	int number;
	const char *name; /* "0001_schema" */
	const char *text;
};

/* In the order of their numbers. */
extern const struct migration migrations[];
extern const size_t n_migrations;

/* The command itself is command_migrate of command.h: it applies what is missing, each migration in a transaction of
 * its own, and prints a line for each. Its exit status is 1 where a migration failed or the database does not fit this
 * program, 2 for a wrong call or a database out of reach. */

/* The database that the configuration at `path` names (NULL: the default path); the caller frees both texts.
 * *ret_password is NULL where none is set. 0; or a negative errno after the reason went to standard error.
 * Defined by the program. */
int command_database(const char *path, char **ret_conninfo, char **ret_password) __attribute__((warn_unused_result));

#endif
