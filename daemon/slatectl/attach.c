/* slatectl attach: puts slated beside a ticket system, with triggers in its database, and takes over what is there. */
#include "attach.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slated/config.h"

#define INSUFFICIENT_PRIVILEGE "42501"
#define LOCK_NOT_AVAILABLE     "55P03"

/* The tables that are missing, the owner of the first, and the columns of all. */
static const char tables_sql[] =
    "WITH t AS (SELECT u.name, u.n, to_regclass(CASE WHEN strpos(u.name, '.') > 0 THEN u.name "
    "    ELSE quote_ident($2) || '.' || u.name END) AS id FROM string_to_table($1, ' ') WITH ORDINALITY AS u (name, n) "
    "  WHERE u.name NOT IN ('', 'NULL::text')) "
    "SELECT (SELECT string_agg(name, ', ' ORDER BY n) FROM t WHERE id IS NULL), "
    "  (SELECT pg_get_userbyid(c.relowner) FROM t JOIN pg_class c ON c.oid = t.id ORDER BY n LIMIT 1), "
    "  (SELECT jsonb_object_agg(t.name, (SELECT jsonb_object_agg(a.attname, format_type(a.atttypid, a.atttypmod)) "
    "    FROM pg_attribute a WHERE a.attrelid = t.id AND a.attnum > 0 AND NOT a.attisdropped)) FROM t)";

/* Everybody who may be the daemon: its group, and whom the configuration names. */
static const char grant_sql[] =
    "SELECT string_agg(format('GRANT USAGE ON SCHEMA %I TO %I', $1::text, rolname), '; ') FROM pg_roles "
    "WHERE rolname IN ('sla_daemon', 'slated', $2)";

PGresult *
source_query(const struct attachment *a, const char *what, const char *sql, int n, const char *const *values)
{
	PGresult *rows = PQexecParams(a->source, sql, n, NULL, values, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(rows);
	const char *state = PQresultErrorField(rows, PG_DIAG_SQLSTATE);

	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return rows;
	fprintf(stderr, "slatectl: %s, database \"%s\": %s", what, PQdb(a->source), PQerrorMessage(a->source));
	if (state != NULL && strcmp(state, INSUFFICIENT_PRIVILEGE) == 0)
		fprintf(stderr,
		        "slatectl: --source-db is to be a superuser, or a role that owns the tables and may create a "
		        "schema: "
		        "GRANT CREATE ON DATABASE \"%s\" TO \"%s\"\n",
		        PQdb(a->source), PQuser(a->source));
	PQclear(rows);
	return NULL;
}

/* Opening ---------------------------------------------------------------------------------------------------------- */

static void
tell_missing(const struct attach_options *options, const char *path)
{
	if (options->name != NULL)
		fprintf(stderr, "slatectl: %s has no adapters.%s%s%s\n", path, options->name,
		        options->kind != NULL ? " of kind " : "", options->kind != NULL ? options->kind : "");
	else
		fprintf(stderr, "slatectl: %s has no adapter of kind %s\n", path, options->kind);
	fprintf(stderr,
	        "slatectl: put conf/adapters/%s.conf into conf.d/ beside it and adapt it; slated.conf(5) tells of "
	        "adapters\n",
	        options->kind != NULL ? options->kind : "KIND");
}

static int
find_adapter(struct attachment *a, const char *path)
{
	const struct attach_options *options = a->options;

	for (size_t i = 0; i < a->config->n_adapters; i++) {
		const struct adapter_settings *settings = &a->config->adapters[i];

		if ((options->kind != NULL && strcmp(options->kind, adapter_kind_names[settings->kind]) != 0) ||
		    (options->name != NULL && strcmp(options->name, settings->name) != 0))
			continue;
		if (a->settings != NULL) {
			fprintf(stderr, "slatectl: adapters %s and %s are both of kind %s: say which, with --name\n",
			        a->settings->name, settings->name, options->kind);
			return -EINVAL;
		}
		a->settings = settings;
	}
	if (a->settings == NULL)
		tell_missing(options, path);
	return a->settings != NULL ? 0 : -ENOENT;
}

/* Whom --source-db leaves out, the configuration names: the adapter's database, or slated's own. */
static int
connect_source(struct attachment *a)
{
	const char *conninfo = a->options->source_db;

	if (conninfo == NULL)
		conninfo = a->settings->conninfo != NULL ? a->settings->conninfo : a->config->conninfo;
	const char *const keywords[] = {"connect_timeout", "fallback_application_name", "dbname", "client_encoding",
	                                NULL};
	const char *const values[] = {"10", "slatectl", conninfo, "UTF8", NULL};
	a->source = PQconnectdbParams(keywords, values, 1);
	if (PQstatus(a->source) == CONNECTION_OK)
		return 0;
	fprintf(stderr, "slatectl: the database of %s: %s", a->settings->name, PQerrorMessage(a->source));
	return -EIO;
}

int
attachment_open(const struct attach_options *options, struct attachment *ret)
{
	const char *path = options->config != NULL ? options->config : CONFIG_DEFAULT;
	struct attachment a = {.options = options};

	int r = command_config(path, command_now(), &a.config);
	if (r == 0)
		r = find_adapter(&a, path);
	if (r == 0)
		r = db_open_to_change(options->config, NULL, "sla_daemon", &a.db);
	if (r == 0)
		r = connect_source(&a);
	if (r < 0)
		attachment_close(&a);
	else
		*ret = a;
	return r;
}

void
attachment_close(struct attachment *a)
{
	PQfinish(a->source);
	if (a->db.connection != NULL)
		db_close(&a->db);
	config_free(a->config);
	free(a->owner);
	free(a->key_type);
	free(a->tables);
	free(a->columns);
	free(a->text);
}

/* Making the statements -------------------------------------------------------------------------------------------- */

static const char *
schema_of(const struct attachment *a)
{
	const struct adapter_value *schema = adapter_value(a->settings, "schema");
	return schema != NULL && schema->n > 0 ? schema->texts[0] : "public";
}

static int
look_at_tables(struct attachment *a)
{
	a->tables = adapter_sql_argument(&a->sql, "tables");
	if (a->tables == NULL)
		return -ENOMEM;
	const char *const values[] = {a->tables, schema_of(a)};
	PGresult *rows = source_query(a, "looking at the tables", tables_sql, 2, values);
	if (rows == NULL)
		return -EIO;
	const char *missing = result_text(rows, 0, 0);
	if (missing != NULL) {
		fprintf(stderr,
		        "slatectl: database \"%s\" has no table %s in schema %s: is --source-db the product's, and "
		        "adapters.%s.schema right?\n",
		        PQdb(a->source), missing, schema_of(a), a->settings->name);
		PQclear(rows);
		return -ENOENT;
	}
	a->owner = strdup(PQgetvalue(rows, 0, 1));
	a->columns = strdup(PQgetvalue(rows, 0, 2));
	PQclear(rows);
	return a->owner != NULL && a->columns != NULL ? 0 : -ENOMEM;
}

/* The type that the kind's file names, or that of the column that it names. */
static int
look_at_key(struct attachment *a)
{
	a->key_type = adapter_sql_argument(&a->sql, "key");
	if (a->key_type != NULL)
		return 0;
	char *column = adapter_sql_argument(&a->sql, "key_of");
	if (column == NULL)
		return -ENOMEM;
	char *name = strchr(column, ' ');
	*name++ = '\0';
	const char *const values[] = {a->columns, column, name};
	PGresult *rows = source_query(a, "looking at the key", "SELECT $1::jsonb -> $2 ->> $3", 3, values);
	int r = rows == NULL ? -EIO : 0;
	if (r == 0 && PQgetisnull(rows, 0, 0)) {
		fprintf(stderr, "slatectl: adapters.%s.ticket_key: table %s has no column %s\n", a->settings->name,
		        column, name);
		r = -ENOENT;
	}
	if (r == 0 && (a->key_type = strdup(PQgetvalue(rows, 0, 0))) == NULL)
		r = -ENOMEM;
	PQclear(rows);
	free(column);
	return r;
}

static int
make_digest(struct attachment *a)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	size_t len = 0;

	if (EVP_Q_digest(NULL, "SHA256", NULL, a->text, strlen(a->text), digest, &len) != 1)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++)
		(void)snprintf(a->digest + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

int
attachment_make(struct attachment *a)
{
	size_t len = 0;

	adapter_sql_init(&a->sql, a->settings);
	int r = look_at_tables(a);
	if (r == 0)
		r = look_at_key(a);
	if (r < 0)
		return r;
	a->sql.owner = a->owner;
	a->sql.key_type = a->key_type;
	FILE *out = open_memstream(&a->text, &len);
	if (out == NULL)
		return -ENOMEM;
	r = adapter_sql_write(&a->sql, out);
	if (fclose(out) != 0 || r < 0)
		return -ENOMEM;
	return make_digest(a);
}

/* Carrying them out ------------------------------------------------------------------------------------------------ */

/* Whom the daemon logs in as, or "". */
static void
daemon_user(const struct attachment *a, char ret[static 128])
{
	const char *conninfo = a->settings->conninfo != NULL ? a->settings->conninfo : a->config->conninfo;
	PQconninfoOption *options = conninfo != NULL ? PQconninfoParse(conninfo, NULL) : NULL;

	*ret = '\0';
	for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++)
		if (strcmp(o->keyword, "user") == 0 && o->val != NULL)
			(void)snprintf(ret, 128, "%s", o->val);
	PQconninfoFree(options);
}

static bool
run(const struct attachment *a, const char *what, const char *sql)
{
	PGresult *result = PQexec(a->source, sql);
	ExecStatusType status = PQresultStatus(result);
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;

	if (!ok)
		fprintf(stderr, "slatectl: %s: %s", what, PQerrorMessage(a->source));
	if (!ok && state != NULL && strcmp(state, LOCK_NOT_AVAILABLE) == 0)
		fputs("slatectl: a transaction of the product's holds its tables; try again when it is quieter\n",
		      stderr);
	if (!ok && state != NULL && strcmp(state, INSUFFICIENT_PRIVILEGE) == 0)
		fprintf(stderr, "slatectl: --source-db is to be a superuser, or \"%s\" with CREATE on the database\n",
		        a->owner);
	PQclear(result);
	return ok;
}

static int
grant(const struct attachment *a)
{
	char user[128];
	daemon_user(a, user);
	const char *const values[] = {a->sql.own, user};
	PGresult *rows = source_query(a, "looking for the daemon's role", grant_sql, 2, values);
	if (rows == NULL)
		return -EIO;
	const char *grants = result_text(rows, 0, 0);
	int r = grants != NULL && run(a, "granting", grants) ? 0 : -EIO;
	if (grants == NULL)
		fprintf(stderr,
		        "slatectl: nobody here could be the daemon: name its role in adapters.%s.conninfo, user=...\n",
		        a->settings->name);
	PQclear(rows);
	return r;
}

static int
install(struct attachment *a)
{
	/* Nobody's tickets wait long for us. */
	if (!run(a, "begin",
	         "BEGIN; SET LOCAL lock_timeout = '5s'; SET LOCAL client_min_messages = warning; "
	         "SET LOCAL standard_conforming_strings = on; SET LOCAL search_path = pg_catalog, pg_temp") ||
	    !run(a, "attaching", a->text))
		return -EIO;
	int r = grant(a);
	if (r < 0)
		return r;
	const char *const values[] = {adapter_kind_names[a->settings->kind], a->digest, a->columns};
	char sql[300];
	(void)snprintf(
	    sql, sizeof(sql),
	    "WITH gone AS (DELETE FROM %s.about) INSERT INTO %s.about (kind, digest, columns) VALUES ($1, $2, $3)",
	    a->sql.own, a->sql.own);
	PGresult *rows = source_query(a, "attaching", sql, 3, values);
	if (rows == NULL)
		return -EIO;
	PQclear(rows);
	return run(a, "attaching", "COMMIT") ? 0 : -EIO;
}

static int
change_ours(const struct attachment *a, const char *sql, int n, const char *const *values)
{
	PGresult *rows = db_query(&a->db, "attaching", sql, n, values);
	int r = rows == NULL ? -EIO : 0;
	PQclear(rows);
	return r;
}

/* Nobody is alerted of what was before this instant; so it is noted first. After a detach all begins anew. */
static int
enlist(struct attachment *a)
{
	const char *const values[] = {a->settings->name, adapter_kind_names[a->settings->kind]};
	return change_ours(a,
	                   "INSERT INTO sla.adapter AS a (name, kind) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET "
	                   "kind = excluded.kind, attached_at = CASE WHEN a.detached_at IS NULL THEN a.attached_at "
	                   "ELSE clock_timestamp() END, backfill_key = CASE WHEN a.detached_at IS NULL THEN "
	                   "a.backfill_key END, backfilled_at = CASE WHEN a.detached_at IS NULL THEN a.backfilled_at "
	                   "END, digested_at = CASE WHEN a.detached_at IS NULL THEN a.digested_at END, "
	                   "detached_at = NULL, sweep_wanted = true",
	                   2, values);
}

/* What is noted holds only once the triggers are there. */
static int
attach(struct attachment *a)
{
	int r = change_ours(a, "BEGIN", 0, NULL);
	if (r == 0)
		r = enlist(a);
	if (r == 0)
		r = install(a);
	if (r < 0)
		return r; /* closing the connection takes back what was noted */
	r = change_ours(a, "COMMIT", 0, NULL);
	if (r < 0)
		return r;
	printf("attached %s: schema %s in database \"%s\", triggers on %s\n", a->settings->name, a->sql.own,
	       PQdb(a->source), a->tables);
	bool sound = true;
	r = attachment_check_writer(a, &sound);
	fflush(stdout);
	return r < 0 ? r : attachment_fill(a);
}

static int
run_attach(void *into)
{
	const struct attach_options *options = into;
	struct attachment a;
	bool sound = true;

	int r = attachment_open(options, &a);
	if (r < 0)
		return EXIT_PROBLEM;
	r = attachment_make(&a);
	if (r == 0 && options->print)
		printf("BEGIN;\n%sCOMMIT;\n", a.text);
	else if (r == 0 && options->check)
		r = attachment_check(&a, &sound);
	else if (r == 0)
		r = attach(&a);
	attachment_close(&a);
	return r < 0 || !sound ? EXIT_PROBLEM : 0;
}

static const struct command_row rows[] = {
    {"source-db", "CONNINFO",
     "the product's database in libpq's manner, as a superuser or the owner of its tables; where it is left out, as "
     "the "
     "configuration has it",
     VALUE_BYTES, offsetof(struct attach_options, source_db)},
    {"name", "NAME", "the adapter, where the configuration has several of that kind", VALUE_NAME,
     offsetof(struct attach_options, name)},
    {"print", NULL, "prints the SQL that would be run, and changes nothing", VALUE_FLAG,
     offsetof(struct attach_options, print), .forms = FORM_FIRST},
    {"check", NULL, "says what is not as attach left it, and changes nothing", VALUE_FLAG,
     offsetof(struct attach_options, check), .forms = FORM_SECOND, .needed = true},
    {"config", "FILE", "the configuration; " CONFIG_DEFAULT " where it is left out", VALUE_FILE,
     offsetof(struct attach_options, config)},
    {NULL, "KIND", NULL, VALUE_CHOICE, offsetof(struct attach_options, kind), .choices = adapter_kind_names,
     .n_choices = ADAPTER_KIND_COUNT, .needed = true},
    {0},
};

const struct command command_attach = {
    .name = "attach",
    .help = "take tickets over from another system's database",
    .about =
        "Puts slated beside a ticket system: adds triggers to its database, and takes over what is there, with its\n"
        "history. Nobody is alerted of what happened before. KIND is request-tracker, redmine, zammad, chatwoot or\n"
        "generic; adapters in the configuration says how its words are to be read. To be run again after a change\n"
        "of that, and to go on where it was interrupted.\n",
    .rows = rows,
    .size = sizeof(struct attach_options),
    .run = run_attach,
};
