/* slatectl detach: takes out of a ticket system's database what attach has put in. */
#include <errno.h>
#include <stdio.h>

#include "attach.h"
#include "slated/config.h"

static const char detach_sql[] =
    "WITH gone AS (UPDATE sla.adapter SET detached_at = clock_timestamp(), holder = NULL, held_until = NULL, "
    "  sweep_began_at = NULL, sweep_key = NULL WHERE name = $1 RETURNING name) "
    "SELECT count(*), count(*) FILTER (WHERE t.status NOT IN ('solved', 'closed')) FROM sla.ticket t WHERE t.source = "
    "$1";

static int
drop(const struct attachment *a)
{
	char sql[200];

	(void)snprintf(sql, sizeof(sql),
	               "SET client_min_messages = warning; SET lock_timeout = '10s'; DROP SCHEMA IF EXISTS %s CASCADE",
	               a->sql.own);
	PGresult *result = PQexec(a->source, sql);
	int r = PQresultStatus(result) == PGRES_COMMAND_OK ? 0 : -EIO;
	if (r < 0)
		fprintf(stderr, "slatectl: detaching from database \"%s\": %s", PQdb(a->source),
		        PQerrorMessage(a->source));
	PQclear(result);
	return r;
}

static int
detach(struct attachment *a)
{
	adapter_sql_init(&a->sql, a->settings);
	int r = drop(a);
	if (r < 0)
		return r;
	const char *const values[] = {a->settings->name};
	PGresult *rows = db_query(&a->db, "detaching", detach_sql, 1, values);
	if (rows == NULL)
		return -EIO;
	printf("detached %s: schema %s and its triggers are gone from database \"%s\"\n", a->settings->name, a->sql.own,
	       PQdb(a->source));
	printf("kept in schema sla: %s tickets and their history; %s of them are open and their clocks run on. To end "
	       "them:\n"
	       "UPDATE sla.ticket SET status = 'closed' WHERE source = '%s' AND status <> 'closed'\n",
	       PQgetvalue(rows, 0, 0), PQgetvalue(rows, 0, 1), a->settings->name);
	PQclear(rows);
	return 0;
}

static int
run_detach(void *into)
{
	struct attachment a;

	if (attachment_open(into, &a) < 0)
		return EXIT_PROBLEM;
	int r = detach(&a);
	attachment_close(&a);
	return r < 0 ? EXIT_PROBLEM : 0;
}

static const struct command_row rows[] = {
    {"source-db", "CONNINFO",
     "the product's database in libpq's manner, as who attached; where it is left out, as the configuration has it",
     VALUE_BYTES, offsetof(struct attach_options, source_db)},
    {"config", "FILE", "the configuration; " CONFIG_DEFAULT " where it is left out", VALUE_FILE,
     offsetof(struct attach_options, config)},
    {NULL, "NAME", NULL, VALUE_NAME, offsetof(struct attach_options, name), .needed = true},
    {0},
};

const struct command command_detach = {
    .name = "detach",
    .help = "undo attach in that database",
    .about = "Takes out of a ticket system's database all that attach has put in. What was taken over stays.\n"
             "Afterwards take the adapter out of the configuration, too.\n",
    .rows = rows,
    .size = sizeof(struct attach_options),
    .run = run_detach,
};
