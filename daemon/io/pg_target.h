/* Where a connection goes: a conninfo, read once, whose hosts are tried one at a time. */
#ifndef SLATED_PG_TARGET_H
#define SLATED_PG_TARGET_H

#include <libpq-fe.h>

struct pg_target {
	PQconninfoOption *options;
	char *password; /* in place of the conninfo's; NULL: none */
	char *name;     /* the application_name where the conninfo has none */
	int n_hosts;
};

/* 0, -EINVAL for a conninfo that libpq cannot read (*ret_problem says why, to be freed), -ENOMEM; then there is nothing
 * to free. */
int pg_target_init(struct pg_target *target, const char *conninfo, const char *password, const char *name,
                   char **ret_problem) __attribute__((warn_unused_result));

/* Frees what it has, not itself. */
void pg_target_free(struct pg_target *target);

/* Begins to connect to the `host`th of its hosts, counted from 0, as PQconnectStartParams() does. NULL: out of memory.
 */
PGconn *pg_target_connect(const struct pg_target *target, int host);

#endif
