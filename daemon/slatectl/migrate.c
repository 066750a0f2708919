/* Applies the migrations built into this program. Each runs once, in a transaction of its own, under a lock that a
 * second `migrate` waits for, and is recorded in sla.migration with the checksum of its text. */
#include <assert.h>
#include <libpq-fe.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "migrate.h"

enum {
	EXIT_REFUSED = 1,
	EXIT_UNREACHABLE = 2,
};

#define SERVER_VERSION_MIN 150000

/* A SHA-256 in hexadecimal with its NUL. */
#define CHECKSUM_SIZE 65

/* What the role or the database has set must not change what a migration means. The lock's number is "slated" read as
 * a big-endian number. READ COMMITTED, so that what is read after the wait is what the other one left. */
#define BEGIN_READING                                                                                                  \
	"BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;"                                                              \
	"SET LOCAL search_path = pg_catalog, pg_temp"
#define BEGIN_APPLYING                                                                                                 \
	"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"                                                             \
	"SET LOCAL search_path = pg_catalog, pg_temp;"                                                                 \
	"SET LOCAL client_min_messages = warning;"                                                                     \
	"SET LOCAL standard_conforming_strings = on;"                                                                  \
	"SET LOCAL statement_timeout = 0;"                                                                             \
	"SELECT pg_advisory_xact_lock(126909328680292)"

struct options {
	bool dry_run;
	const char *config;
	const char *conninfo;
};

static void
checksum(const char *text, char hex[static CHECKSUM_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	size_t n_digest = 0;
	int ok = EVP_Q_digest(NULL, "SHA256", NULL, text, strlen(text), digest, &n_digest);
	assert(ok == 1 && n_digest * 2 + 1 == CHECKSUM_SIZE);
	(void)ok;
	for (size_t i = 0; i < n_digest; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/* Runs `sql`; false after the server's message went to standard error. */
static bool
run(PGconn *db, const char *what, const char *sql)
{
	PGresult *result = PQexec(db, sql);
	ExecStatusType status = PQresultStatus(result);
	bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
	if (!ok)
		fprintf(stderr, "slatectl: %s: %s", what, PQerrorMessage(db));
	PQclear(result);
	return ok;
}

/* Whether the i-th row of sla.migration is our i-th migration; says why not. */
static bool
row_fits(const PGresult *rows, int i)
{
	const char *number = PQgetvalue(rows, i, 0);
	const char *name = PQgetvalue(rows, i, 1);
	if ((size_t)i >= n_migrations) {
		fprintf(
		    stderr,
		    "slatectl: the database is newer than this program: it has migration %s, the last one here is %s\n",
		    name, migrations[n_migrations - 1].name);
		return false;
	}
	const struct migration *ours = &migrations[i];
	if (atoi(number) != ours->number) {
		fprintf(stderr, "slatectl: the database has migration %s where this program has %s\n", name,
		        ours->name);
		return false;
	}
	char expected[CHECKSUM_SIZE];
	checksum(ours->text, expected);
	if (strcmp(PQgetvalue(rows, i, 2), expected) != 0) {
		fprintf(stderr,
		        "slatectl: migration %s was applied with another text: checksum %s in the database, %s here\n",
		        name, PQgetvalue(rows, i, 2), expected);
		return false;
	}
	return true;
}

/* How many of our migrations the database has; false where what it has is not a beginning of ours. */
static bool
count_applied(PGconn *db, size_t *ret)
{
	bool ok = false;
	/* From the rows of the catalog: to_regclass() would answer from the session's cache, which does not hear while
	 * it waits for the lock that another one has just made the schema. */
	PGresult *rows =
	    PQexec(db, "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
	               "WHERE n.nspname = 'sla' AND c.relname = 'migration')");
	if (PQresultStatus(rows) == PGRES_TUPLES_OK && strcmp(PQgetvalue(rows, 0, 0), "t") != 0) {
		*ret = 0;
		ok = true;
		goto out;
	}
	if (PQresultStatus(rows) == PGRES_TUPLES_OK) {
		PQclear(rows);
		rows = PQexec(db, "SELECT number, name, checksum FROM sla.migration ORDER BY number");
	}
	if (PQresultStatus(rows) != PGRES_TUPLES_OK) {
		fprintf(stderr, "slatectl: %s", PQerrorMessage(db));
		goto out;
	}
	for (int i = 0; i < PQntuples(rows); i++)
		if (!row_fits(rows, i))
			goto out;
	*ret = (size_t)PQntuples(rows);
	ok = true;
out:
	PQclear(rows);
	return ok;
}

static bool
record(PGconn *db, const struct migration *migration)
{
	char number[16], digest[CHECKSUM_SIZE];
	snprintf(number, sizeof(number), "%d", migration->number);
	checksum(migration->text, digest);
	const char *const values[] = {number, migration->name, digest};
	PGresult *result = PQexecParams(db, "INSERT INTO sla.migration (number, name, checksum) VALUES ($1, $2, $3)", 3,
	                                NULL, values, NULL, NULL, 0);
	bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;
	if (!ok)
		fprintf(stderr, "slatectl: %s: %s", migration->name, PQerrorMessage(db));
	PQclear(result);
	return ok;
}

/* Counts again under the lock: another `migrate` may have been faster. A failed transaction ends with the connection.
 */
static bool
apply_next(PGconn *db, size_t *ret_applied)
{
	size_t applied = 0;
	if (!run(db, "begin", BEGIN_APPLYING) || !count_applied(db, &applied))
		return false;
	if (applied == n_migrations) {
		*ret_applied = applied;
		return run(db, "commit", "COMMIT");
	}
	const struct migration *next = &migrations[applied];
	if (!run(db, next->name, next->text) || !record(db, next) || !run(db, next->name, "COMMIT"))
		return false;
	printf("%s applied\n", next->name);
	*ret_applied = applied + 1;
	return true;
}

static int
migrate(PGconn *db, bool dry_run)
{
	if (PQserverVersion(db) < SERVER_VERSION_MIN) {
		fprintf(stderr, "slatectl: PostgreSQL 15 or newer is needed, this one is %s\n",
		        PQparameterStatus(db, "server_version"));
		return EXIT_REFUSED;
	}
	size_t applied = 0;
	if (!run(db, "begin", BEGIN_READING) || !count_applied(db, &applied) || !run(db, "commit", "COMMIT"))
		return EXIT_REFUSED;
	if (dry_run) {
		for (size_t i = applied; i < n_migrations; i++)
			printf("%s would be applied\n", migrations[i].name);
	} else {
		while (applied < n_migrations)
			if (!apply_next(db, &applied))
				return EXIT_REFUSED;
	}
	if (applied == n_migrations)
		printf("schema sla is up to date (%zu migrations)\n", n_migrations);
	return EXIT_SUCCESS;
}

/* NULL after the reason went to standard error. Later keywords win, so the configuration may set another time limit. */
static PGconn *
connect_database(const char *conninfo, const char *password)
{
	const char *const keywords[] = {
	    "connect_timeout", "fallback_application_name", "dbname", "client_encoding", "password", NULL};
	const char *const values[] = {"10", "slatectl", conninfo, "UTF8", password, NULL};
	PGconn *db = PQconnectdbParams(keywords, values, 1);
	if (PQstatus(db) == CONNECTION_OK)
		return db;
	fprintf(stderr, "slatectl: %s", PQerrorMessage(db));
	PQfinish(db);
	return NULL;
}

static int
run_migrate(void *into)
{
	const struct options *options = into;
	char *conninfo = NULL, *password = NULL;
	if (options->conninfo == NULL && command_database(options->config, &conninfo, &password) < 0)
		return EXIT_REFUSED;
	int status = EXIT_UNREACHABLE;
	PGconn *db = connect_database(options->conninfo != NULL ? options->conninfo : conninfo, password);
	if (db != NULL) {
		status = migrate(db, options->dry_run);
		PQfinish(db);
	}
	free(conninfo);
	free(password);
	return status;
}

static const struct command_row rows[] = {
    {"dry-run", NULL, "says what it would apply, and changes nothing", VALUE_FLAG, offsetof(struct options, dry_run)},
    {"config", "FILE", "the configuration; " CONFIG_DEFAULT " where it is left out", VALUE_FILE,
     offsetof(struct options, config), .forms = FORM_FIRST},
    {"conninfo", "STRING", "the database in libpq's manner, instead of the configuration's", VALUE_BYTES,
     offsetof(struct options, conninfo), .forms = FORM_SECOND, .needed = true},
    {0},
};

const struct command command_migrate = {
    .name = "migrate",
    .help = "create or upgrade schema sla of the database",
    .about = "Creates schema sla, or brings it up to date: each migration once, in a transaction of its own.\n",
    .rows = rows,
    .size = sizeof(struct options),
    .run = run_migrate,
};
