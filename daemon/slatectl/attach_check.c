/* slatectl attach --check: what is not as attach left it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "attach.h"
#include "slated/config.h"

/* Columns that are gone or of another type; those that were added do no harm. */
static const char columns_sql[] = "SELECT string_agg(format('%s.%s %s', t.key, c.key, coalesce('is ' || ($2::jsonb -> "
                                  "t.key ->> c.key) || ', was ' || "
                                  "  c.value, 'is gone')), '; ' ORDER BY t.key, c.key) "
                                  "FROM jsonb_each($1::jsonb) AS t, jsonb_each_text(t.value) AS c "
                                  "WHERE $2::jsonb -> t.key ->> c.key IS DISTINCT FROM c.value";

static const char triggers_sql[] =
    "SELECT string_agg(format(CASE WHEN t.oid IS NULL THEN 'the trigger on %s is gone' "
    "  ELSE 'the trigger on %s is disabled' END, f.name), '; ' ORDER BY f.name) "
    "FROM (SELECT p.oid, substr(p.proname, 4) AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
    "    WHERE n.nspname = $1 AND p.prorettype = 'trigger'::regtype) AS f "
    "  LEFT JOIN pg_trigger t ON t.tgfoid = f.oid WHERE t.oid IS NULL OR t.tgenabled NOT IN ('O', 'A')";

/* One line for each that is wrong; what helps stands behind it. */
static void
wrong(bool *sound, const char *what, const char *help)
{
	printf("%s%s%s\n", what, *help != '\0' ? ": " : "", help);
	*sound = false;
}

/* *ret_about: the row of schema slated_NAME, or NULL where it is not attached. */
static int
read_about(const struct attachment *a, PGresult **ret_about)
{
	const char *const values[] = {a->sql.own};
	char sql[120];

	*ret_about = NULL;
	PGresult *rows =
	    source_query(a, "looking for the adapter", "SELECT FROM pg_namespace WHERE nspname = $1", 1, values);
	int n = rows != NULL ? PQntuples(rows) : -1;
	PQclear(rows);
	if (n <= 0)
		return n < 0 ? -EIO : 0;
	(void)snprintf(sql, sizeof(sql), "SELECT digest, columns FROM %s.about", a->sql.own);
	*ret_about = source_query(a, "looking for the adapter", sql, 0, NULL);
	return *ret_about != NULL ? 0 : -EIO;
}

/* A query that gives one text where something is wrong. */
static int
check_text(const struct attachment *a, const char *sql, int n, const char *const *values, const char *help, bool *sound)
{
	PGresult *rows = source_query(a, "checking", sql, n, values);

	if (rows == NULL)
		return -EIO;
	const char *text = result_text(rows, 0, 0);
	if (text != NULL)
		wrong(sound, text, help);
	PQclear(rows);
	return 0;
}

int
attachment_check_writer(const struct attachment *a, bool *sound)
{
	char sql[120];

	for (size_t i = 0; i < a->config->n_channels; i++) {
		const struct channel_settings *c = &a->config->channels[i];
		if (c->adapter == NULL || strcmp(c->adapter, a->settings->name) != 0)
			continue;
		const char *const values[] = {c->tag};
		(void)snprintf(sql, sizeof(sql), "SELECT %s.writer_problem($1)", a->sql.own);
		return check_text(a, sql, 1, values, "", sound);
	}
	return 0;
}

static int
check_source(const struct attachment *a, bool *sound)
{
	PGresult *about;
	char what[200];

	int r = read_about(a, &about);
	if (r < 0)
		return r;
	if (about == NULL || PQntuples(about) == 0) {
		(void)snprintf(what, sizeof(what), "database \"%s\" has no schema %s", PQdb(a->source), a->sql.own);
		wrong(sound, what, "attach it");
		PQclear(about);
		return 0;
	}
	bool same = strcmp(PQgetvalue(about, 0, 0), a->digest) == 0;
	if (!same)
		wrong(sound, "the configuration, the owner of the tables or this program has changed since attach",
		      "attach again");
	const char *const columns[] = {PQgetvalue(about, 0, 1), a->columns};
	const char *const own[] = {a->sql.own};
	r = check_text(a, columns_sql, 2, columns,
	               "the product was altered: see whether its release is one that slated knows", sound);
	if (r == 0)
		r = check_text(a, triggers_sql, 1, own, "attach again", sound);
	PQclear(about);
	if (r == 0 && same)
		r = attachment_check_writer(a, sound);
	return r;
}

static int
check_ours(struct attachment *a, bool *sound)
{
	const char *const values[] = {a->settings->name};
	PGresult *rows = db_query(
	    &a->db, "checking",
	    "SELECT a.detached_at IS NULL, a.backfilled_at IS NOT NULL, coalesce(a.seen_at > clock_timestamp() - "
	    "  interval '1 minute', false), a.waiting, a.differences, (SELECT count(*) FROM sla.adapter_error e WHERE "
	    "  e.adapter = a.name AND e.last_at > clock_timestamp() - interval '1 day'), "
	    "  (SELECT count(*) FROM sla.adapter_ticket t WHERE t.adapter = a.name) FROM sla.adapter a WHERE a.name = "
	    "$1",
	    1, values);
	char text[100];

	if (rows == NULL)
		return -EIO;
	if (PQntuples(rows) == 0 || !result_bool(rows, 0, 0)) {
		wrong(sound, "slated does not know it as attached", "attach it");
		PQclear(rows);
		return 0;
	}
	if (!result_bool(rows, 0, 1))
		wrong(sound, "what was there has not been taken over to its end", "attach again");
	if (!result_bool(rows, 0, 2))
		wrong(sound, "no daemon looks for changes", "start slated, or see its log");
	if (result_number(rows, 0, 5) > 0) {
		(void)snprintf(text, sizeof(text), "%" PRId64 " problems since yesterday", result_number(rows, 0, 5));
		wrong(sound, text, "SELECT * FROM sla.adapter_error ORDER BY last_at");
	}
	printf("%s: %" PRId64 " tickets, %" PRId64 " changes wait, %" PRId64 " differences found so far%s\n",
	       a->settings->name, result_number(rows, 0, 6), result_number(rows, 0, 3), result_number(rows, 0, 4),
	       *sound ? "; all is as attach left it" : "");
	PQclear(rows);
	return 0;
}

int
attachment_check(struct attachment *a, bool *ret_sound)
{
	bool sound = true;

	int r = check_source(a, &sound);
	if (r == 0)
		r = check_ours(a, &sound);
	if (r == 0)
		*ret_sound = sound;
	return r;
}
