#include "db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "migrate.h"

#define INSUFFICIENT_PRIVILEGE "42501"
#define READER                 "sla_reader"

static void
tell_unreachable(PGconn *connection, const char *config, const char *conninfo)
{
	fprintf(stderr, "slatectl: cannot reach the database: %s", PQerrorMessage(connection));
	if (conninfo != NULL)
		fputs("slatectl: is the server running, and is --conninfo right?\n", stderr);
	else
		fprintf(stderr, "slatectl: is the server running, and is database.conninfo in %s right?\n",
		        config != NULL ? config : CONFIG_DEFAULT);
}

/* NULL after the reason went to standard error. What the conninfo says comes later, and so wins over our time limit. */
static PGconn *
connect_to(const char *config, const char *conninfo)
{
	char *configured = NULL, *password = NULL;
	if (conninfo == NULL && command_database(config, &configured, &password) < 0)
		return NULL;
	const char *const keywords[] = {
	    "connect_timeout", "fallback_application_name", "dbname", "client_encoding", "password", NULL};
	const char *const values[] = {"10",   "slatectl", conninfo != NULL ? conninfo : configured,
	                              "UTF8", password,   NULL};
	PGconn *connection = PQconnectdbParams(keywords, values, 1);
	if (PQstatus(connection) != CONNECTION_OK) {
		tell_unreachable(connection, config, conninfo);
		PQfinish(connection);
		connection = NULL;
	}
	free(configured);
	free(password);
	return connection;
}

static void
tell_rights(const struct db *db)
{
	const char *user = PQuser(db->connection);
	fprintf(stderr, "slatectl: role \"%s\" may not %s; a superuser can: GRANT %s TO \"%s\"\n", user,
	        strcmp(db->role, READER) == 0 ? "read schema sla" : "do this", db->role, user);
}

PGresult *
db_query(const struct db *db, const char *what, const char *sql, int n, const char *const *values)
{
	PGresult *rows = PQexecParams(db->connection, sql, n, NULL, values, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(rows);
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return rows;
	const char *state = PQresultErrorField(rows, PG_DIAG_SQLSTATE);
	fprintf(stderr, "slatectl: %s%s: %s", strcmp(db->role, READER) == 0 ? "reading " : "", what,
	        PQerrorMessage(db->connection));
	if (state != NULL && strcmp(state, INSUFFICIENT_PRIVILEGE) == 0)
		tell_rights(db);
	PQclear(rows);
	return NULL;
}

/* Whether the schema is there and may be read, by the catalogue, which everybody may read. */
static int
check_schema(struct db *db)
{
	PGresult *rows =
	    db_query(db, "schema sla",
	             "SELECT " RESULT_US("clock_timestamp()") ", has_schema_privilege(n.oid, 'USAGE') "
	                                                      "FROM pg_catalog.pg_namespace n WHERE n.nspname = 'sla'",
	             0, NULL);
	if (rows == NULL)
		return -EIO;
	int r = 0;
	if (PQntuples(rows) == 0) {
		fprintf(stderr, "slatectl: database \"%s\" has no schema sla: run slatectl migrate\n",
		        PQdb(db->connection));
		r = -ENOENT;
	} else if (!result_bool(rows, 0, 1)) {
		tell_rights(db);
		r = -EACCES;
	} else {
		db->now = result_instant(rows, 0, 0);
	}
	PQclear(rows);
	return r;
}

/* Whether the schema has all that this program knows of; a newer one keeps the names of columns. */
static int
check_migrations(const struct db *db)
{
	PGresult *rows = db_query(db, "the schema's release", "SELECT max(number) FROM sla.migration", 0, NULL);
	if (rows == NULL)
		return -EIO;
	bool fits = result_number(rows, 0, 0) >= migrations[n_migrations - 1].number;
	if (!fits)
		fprintf(stderr,
		        "slatectl: schema sla of database \"%s\" is of an older release: run slatectl migrate\n",
		        PQdb(db->connection));
	PQclear(rows);
	return fits ? 0 : -ENOENT;
}

static int
begin(struct db *db, const char *sql)
{
	PGresult *rows = db_query(db, "schema sla", sql, 0, NULL);
	if (rows == NULL)
		return -EIO;
	PQclear(rows);
	int r = check_schema(db);
	return r < 0 ? r : check_migrations(db);
}

static int
open_with(const char *config, const char *conninfo, const char *role, const char *sql, struct db *ret)
{
	struct db db = {.connection = connect_to(config, conninfo), .role = role};
	if (db.connection == NULL)
		return -EIO;
	int r = begin(&db, sql);
	if (r < 0) {
		db_close(&db);
		return r;
	}
	*ret = db;
	return 0;
}

int
db_open(const char *config, const char *conninfo, struct db *ret)
{
	return open_with(config, conninfo, READER, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", ret);
}

/* Notices of the server's are no news to people. Nobody should sit and wait because somebody else's transaction on a
 * ticket is left open. */
int
db_open_to_change(const char *config, const char *conninfo, const char *role, struct db *ret)
{
	return open_with(
	    config, conninfo, role,
	    "SELECT set_config('client_min_messages', 'warning', false), set_config('lock_timeout', '10s', false)",
	    ret);
}

void
db_close(struct db *db)
{
	PQfinish(db->connection);
}
