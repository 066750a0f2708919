/* The synchronous connection of slatectl's commands: for those that report one read-only snapshot of schema sla, by the
 * database's clock; for those that change something a plain session. */
#ifndef SLATED_SLATECTL_DB_H
#define SLATED_SLATECTL_DB_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "command.h"
#include "slated/result.h"

/* Rows of a command's table: where the database is. */
#define DB_ROW_CONFIG(at)                                                                                              \
	{                                                                                                              \
		"config", "FILE", "the configuration; " CONFIG_DEFAULT " where it is left out", VALUE_FILE, at         \
	}
#define DB_ROW_CONNINFO(at)                                                                                            \
	{                                                                                                              \
		"conninfo", "STRING", "the database in libpq's manner, instead of the configuration's", VALUE_BYTES,   \
		    at                                                                                                 \
	}

struct db {
	PGconn *connection;
	struct instant now; /* the database's, when the connection was opened */
	const char *role;   /* has the rights that the command needs */
};

/* Connects to the database that `conninfo` or, where that is NULL, the configuration at `config` (NULL: the default
 * path) names, and takes a snapshot. 0; or a negative errno after what failed, where, and what helps went to standard
 * error. */
int db_open(const char *config, const char *conninfo, struct db *ret) __attribute__((warn_unused_result));
void db_close(struct db *db);

/* The same without the snapshot: each statement is a transaction. `role` is named to who may not do it. */
int db_open_to_change(const char *config, const char *conninfo, const char *role, struct db *ret)
    __attribute__((warn_unused_result));

/* The rows of a statement with `n` parameters; the caller clears them. NULL after the reason went to standard error;
 * `what` completes "reading", or says what a command that changes something was about. */
PGresult *db_query(const struct db *db, const char *what, const char *sql, int n, const char *const *values)
    __attribute__((warn_unused_result));

#endif
