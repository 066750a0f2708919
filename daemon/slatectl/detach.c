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

/* Our triggers, each with what takes it away. */
static const char triggers_sql[] =
    "SELECT format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass) FROM pg_trigger t JOIN pg_proc p ON p.oid = "
    "t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1 AND NOT t.tgisinternal";

static int
run(const struct attachment *a, const char *sql)
{
	PGresult *result = source_query(a, "detaching", sql, 0, NULL);
	int r = result == NULL ? -EIO : 0;
	PQclear(result);
	return r;
}

/* A step is a transaction that waits for one table of the product's or for ours, in the order in which the daemon takes
 * these, so that nobody and we wait for each other. */
static int
drop(const struct attachment *a)
{
	const char *const values[] = {a->sql.own};
	char sql[500];

	int r = run(a, "SET client_min_messages = warning");
	if (r == 0)
		r = run(a, "SET lock_timeout = '10s'");
	PGresult *triggers = r == 0 ? source_query(a, "detaching", triggers_sql, 1, values) : NULL;
	if (triggers == NULL)
		return -EIO;
	for (int i = 0; r == 0 && i < PQntuples(triggers); i++)
		r = run(a, PQgetvalue(triggers, i, 0));
	PQclear(triggers);
	(void)snprintf(
	    sql, sizeof(sql),
	    "DO $$ BEGIN IF to_regclass('%s.change') IS NOT NULL THEN LOCK TABLE %s.change, %s.error; END IF; "
	    "DROP SCHEMA IF EXISTS %s CASCADE; END $$",
	    a->sql.own, a->sql.own, a->sql.own, a->sql.own);
	return r == 0 ? run(a, sql) : r;
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
