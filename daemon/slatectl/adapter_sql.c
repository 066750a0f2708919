#include "adapter_sql.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "config_table.h"
#include "slated/config.h"

#define DIRECTIVE       "-- @"
#define PLACEHOLDER_MAX 64

/* A part of a file: "-- @word arguments", then its text. */
struct section {
	char word[16];
	const char *arguments; /* to the end of the line */
	size_t arguments_len;
	const char *text;
	size_t len;
};

void
adapter_sql_init(struct adapter_sql *sql, const struct adapter_settings *settings)
{
	*sql = (struct adapter_sql){.settings = settings};
	(void)snprintf(sql->own, sizeof(sql->own), "slated_%s", settings->name);
}

void
adapter_sql_literal(FILE *out, const char *text)
{
	fputc('\'', out);
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			fputc('\'', out);
		fputc(*text, out);
	}
	fputc('\'', out);
}

void
adapter_sql_name(FILE *out, const char *name)
{
	fputc('"', out);
	for (; *name != '\0'; name++) {
		if (*name == '"')
			fputc('"', out);
		fputc(*name, out);
	}
	fputc('"', out);
}

/* Placeholders ----------------------------------------------------------------------------------------------------- */

/* The setting as the file has it, or its default; NULL: none. */
static const char *
setting_text(const struct adapter_sql *sql, const char *key)
{
	const struct adapter_value *value = adapter_value(sql->settings, key);
	const struct config_row *row = config_row(SCOPE_ADAPTER, key);

	assert(row != NULL); /* the file is ours */
	if (value != NULL && value->n > 0)
		return value->texts[0];
	return row->initial;
}

static void
write_list(const struct adapter_sql *sql, const char *key, FILE *out)
{
	const struct adapter_value *value = adapter_value(sql->settings, key);

	fputs("ARRAY[", out);
	for (size_t i = 0; value != NULL && i < value->n; i++) {
		if (i > 0)
			fputs(", ", out);
		adapter_sql_literal(out, value->texts[i]);
	}
	fputs("]::text[]", out);
}

static void
write_setting(const struct adapter_sql *sql, const char *key, FILE *out)
{
	const char *text = setting_text(sql, key);

	if (text == NULL) {
		fputs("NULL::text", out);
		return;
	}
	adapter_sql_literal(out, text);
	fputs("::text", out);
}

/* The setting's expression, where it is one. */
static void
write_expression(const struct adapter_sql *sql, const char *key, FILE *out)
{
	const char *text = setting_text(sql, key);

	if (text != NULL && strncmp(text, "sql:", 4) == 0)
		fprintf(out, "(%s)", text + 4);
	else
		fputs("NULL::text", out);
}

/* The columns of facts, for a query that has all words in w.words. */
static void
write_facts(const struct adapter_sql *sql, FILE *out)
{
	static const char *const facts[] = {"org",         "plan",    "severity", "channel", "category", "product",
	                                    "environment", "version", "assignee", "team"};

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		fprintf(out, "%scoalesce(", i > 0 ? ",\n\t" : "");
		write_expression(sql, facts[i], out);
		fputs(", w.words ->> ", out);
		write_setting(sql, facts[i], out);
		fprintf(out, ") AS %s", facts[i]);
	}
}

/* What stands in {{...}}. */
static void
write_placeholder(const struct adapter_sql *sql, const char *name, FILE *out)
{
	const char *text;

	if (strcmp(name, "own") == 0) {
		adapter_sql_name(out, sql->own);
	} else if (strcmp(name, "schema") == 0) {
		adapter_sql_name(out, setting_text(sql, "schema"));
	} else if (strcmp(name, "key") == 0) {
		fputs(sql->key_type, out);
	} else if (strcmp(name, "settle") == 0) {
		fprintf(out, "interval '%" PRId64 " microseconds'", sql->settings->settle.us);
	} else if (strcmp(name, "row") == 0) {
		fputs(sql->row, out);
	} else if (strcmp(name, "status word") == 0) {
		adapter_sql_literal(out, sql->status_word);
	} else if (strcmp(name, "facts") == 0) {
		write_facts(sql, out);
	} else if (strncmp(name, "list ", 5) == 0) {
		write_list(sql, name + 5, out);
	} else if (strncmp(name, "raw ", 4) == 0) {
		text = setting_text(sql, name + 4);
		fputs(text != NULL ? text : "NULL::text", out);
	} else if (strncmp(name, "sql ", 4) == 0) {
		write_expression(sql, name + 4, out);
	} else {
		write_setting(sql, name, out);
	}
}

static void
expand(const struct adapter_sql *sql, const char *text, size_t len, FILE *out)
{
	const char *end = text + len;
	char name[PLACEHOLDER_MAX];

	while (text < end) {
		const char *open = memmem(text, (size_t)(end - text), "{{", 2);
		const char *close = open != NULL ? memmem(open, (size_t)(end - open), "}}", 2) : NULL;

		if (close == NULL)
			break;
		fwrite(text, 1, (size_t)(open - text), out);
		assert((size_t)(close - open) < sizeof(name));
		(void)snprintf(name, sizeof(name), "%.*s", (int)(close - open - 2), open + 2);
		write_placeholder(sql, name, out);
		text = close + 2;
	}
	fwrite(text, 1, (size_t)(end - text), out);
}

static char *
expand_text(const struct adapter_sql *sql, const char *text, size_t text_len)
{
	char *expanded = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&expanded, &len);

	if (out == NULL)
		return NULL;
	expand(sql, text, text_len, out);
	if (fclose(out) == 0)
		return expanded;
	free(expanded);
	return NULL;
}

/* Sections --------------------------------------------------------------------------------------------------------- */

static const char *
file_of(const char *name)
{
	for (size_t i = 0; i < n_adapter_texts; i++)
		if (strcmp(adapter_texts[i].name, name) == 0)
			return adapter_texts[i].text;
	abort(); /* each kind has one */
}

/* The first section from `*at` on; false at the end. */
static bool
next_section(const char **at, struct section *ret)
{
	const char *line = strstr(*at, DIRECTIVE);

	if (line == NULL)
		return false;
	const char *word = line + strlen(DIRECTIVE);
	size_t word_len = strcspn(word, " \n");
	assert(word_len < sizeof(ret->word));
	(void)snprintf(ret->word, sizeof(ret->word), "%.*s", (int)word_len, word);
	ret->arguments = word + word_len + strspn(word + word_len, " ");
	ret->arguments_len = strcspn(ret->arguments, "\n");
	ret->text = ret->arguments + ret->arguments_len;
	const char *next = strstr(ret->text, DIRECTIVE);
	ret->len = next != NULL ? (size_t)(next - ret->text) : strlen(ret->text);
	while (ret->len > 0 && isspace((unsigned char)*ret->text) != 0) {
		ret->text++;
		ret->len--;
	}
	while (ret->len > 0 && isspace((unsigned char)ret->text[ret->len - 1]) != 0)
		ret->len--;
	*at = next != NULL ? next : "";
	return true;
}

/* The same without "-- @if SETTING" and "-- @unless SETTING", and without what they leave out. */
static bool
next_wanted(const struct adapter_sql *sql, const char **at, struct section *ret)
{
	bool wanted = true;

	while (next_section(at, ret)) {
		bool is_if = strcmp(ret->word, "if") == 0;

		if (is_if || strcmp(ret->word, "unless") == 0) {
			char key[PLACEHOLDER_MAX];
			(void)snprintf(key, sizeof(key), "%.*s", (int)ret->arguments_len, ret->arguments);
			wanted = (adapter_value(sql->settings, key) != NULL) == is_if;
			continue;
		}
		if (wanted)
			return true;
		wanted = true;
	}
	return false;
}

char *
adapter_sql_argument(const struct adapter_sql *sql, const char *directive)
{
	const char *at = file_of(adapter_kind_names[sql->settings->kind]);
	struct section section;

	while (next_wanted(sql, &at, &section))
		if (strcmp(section.word, directive) == 0)
			return expand_text(sql, section.arguments, section.arguments_len);
	return NULL;
}

/* Maps ------------------------------------------------------------------------------------------------------------- */

/* "stalled", "50..89", "90..", "*" as a condition over `raw`. */
static void
write_condition(const char *pattern, size_t len, FILE *out)
{
	char text[200];
	const char *dots;

	(void)snprintf(text, sizeof(text), "%.*s", (int)len, pattern);
	dots = strstr(text, "..");
	if (strcmp(text, "*") == 0) {
		fputs("true", out);
	} else if (dots != NULL && strspn(text, "-0123456789.") == strlen(text)) {
		fputs("CASE WHEN raw ~ '^-?[0-9]{1,9}$' THEN true", out);
		if (dots > text)
			fprintf(out, " AND raw::integer >= %.*s", (int)(dots - text), text);
		if (dots[2] != '\0')
			fprintf(out, " AND raw::integer <= %s", dots + 2);
		fputs(" ELSE false END", out);
	} else {
		fputs("lower(raw) = lower(", out);
		adapter_sql_literal(out, text);
		fputc(')', out);
	}
}

static void
write_rule(const char *rule, FILE *out)
{
	const char *equals = strrchr(rule, '=');
	const char *glue = "";

	assert(equals != NULL); /* the loader has seen to it */
	fputs("\n\t\tWHEN ", out);
	for (const char *at = rule; at < equals;) {
		at += strspn(at, " ,");
		size_t len = strcspn(at, ",=");
		if (at + len > equals || at >= equals)
			len = (size_t)(equals - at);
		const char *next = at + len;
		while (len > 0 && at[len - 1] == ' ')
			len--;
		if (len > 0) {
			fputs(glue, out);
			write_condition(at, len, out);
			glue = " OR ";
		}
		at = next;
	}
	fputs(" THEN ", out);
	adapter_sql_literal(out, equals + 1 + strspn(equals + 1, " "));
}

/* own.map_status(raw) and the like; `otherwise` is an expression over `raw`. */
static void
write_map(const struct adapter_sql *sql, const char *what, const char *key, const char *otherwise, FILE *out)
{
	const struct adapter_value *rules = adapter_value(sql->settings, key);

	fputs("\nCREATE OR REPLACE FUNCTION ", out);
	adapter_sql_name(out, sql->own);
	fprintf(out,
	        ".%s(raw text) RETURNS text\nLANGUAGE sql IMMUTABLE AS $slated$\n\tSELECT CASE\n\t\tWHEN raw IS NULL "
	        "THEN NULL",
	        what);
	for (size_t i = 0; rules != NULL && i < rules->n; i++)
		write_rule(rules->texts[i], out);
	fprintf(out, "\n\t\t%s END\n$slated$;\n", otherwise);
}

static void
write_maps(const struct adapter_sql *sql, FILE *out)
{
	write_map(
	    sql, "map_status", "status_map",
	    "WHEN lower(raw) IN ('open', 'pending', 'on_hold', 'solved', 'closed') THEN lower(raw) ELSE '?' || raw",
	    out);
	write_map(sql, "map_severity", "severity_map", "ELSE raw", out);
	write_map(sql, "map_author", "author_map",
	          "WHEN lower(raw) IN ('agent', 'customer', 'system') THEN lower(raw) ELSE '?' || raw", out);
}

/* Functions and triggers ------------------------------------------------------------------------------------------- */

/* The head of a function that runs as the product's tables' owner, whoever calls it. */
static void
write_function(const char *signature, const char *language, FILE *out)
{
	fputs("\nCREATE OR REPLACE FUNCTION {{own}}.", out);
	fprintf(out,
	        "%s\nLANGUAGE %s SET search_path = pg_catalog, {{schema}}, pg_temp SET timezone = 'UTC' SET jit = off "
	        "AS $slated$\n",
	        signature, language);
}

static void
write_reader(const char *signature, const char *columns, const struct section *section, FILE *out)
{
	write_function(signature, "sql STABLE", out);
	fprintf(out, "SELECT %s FROM (\n%.*s) AS x\n$slated$;\n", columns, (int)section->len, section->text);
}

static void
write_keys(const struct section *section, FILE *out)
{
	write_function("keys(after {{key}}, since timestamptz, room bigint) RETURNS SETOF {{key}}", "plpgsql STABLE",
	               out);
	/* Planned for the very values, so that the way along the key's index is taken. */
	fprintf(out, "BEGIN\n\tRETURN QUERY EXECUTE $query$%.*s$query$ USING after, since, room;\nEND\n$slated$;\n",
	        (int)section->len, section->text);
}

/* A name with its schema. */
static void
write_table(const char *table, FILE *out)
{
	fprintf(out, "%s%s", strchr(table, '.') != NULL ? "" : "{{schema}}.", table);
}

static void
write_trigger(const struct adapter_sql *sql, const char *table, const char *settings, const char *declare,
              const char *body, FILE *out)
{
	char function[ADAPTER_NAME_SIZE];
	size_t n = 0;

	for (const char *c = table; *c != '\0' && n + 1 < sizeof(function); c++)
		if (isalnum((unsigned char)*c) != 0 || *c == '_')
			function[n++] = *c;
	function[n] = '\0';
	fprintf(out,
	        "\nCREATE OR REPLACE FUNCTION {{own}}.on_%s() RETURNS trigger\n"
	        "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {{schema}}, pg_temp%s "
	        "AS $slated$\nDECLARE\n%sBEGIN\n%s\tRETURN NULL;\n"
	        "EXCEPTION WHEN OTHERS THEN\n\tPERFORM {{own}}.note(TG_TABLE_NAME, SQLERRM);\n\tRETURN NULL;\nEND\n"
	        "$slated$;\n",
	        function, settings, declare, body);
	fputs("CREATE OR REPLACE TRIGGER ", out);
	adapter_sql_name(out, sql->own);
	fputs(" AFTER INSERT OR UPDATE OR DELETE ON ", out);
	write_table(table, out);
	fprintf(out, "\n\tFOR EACH ROW EXECUTE FUNCTION {{own}}.on_%s();\n", function);
}

/* Notes which ticket it is about. A key is the same in each time zone, and to set one takes longer than to find the
 * key. */
static void
write_noting(struct adapter_sql *sql, const char *table, const struct section *section, FILE *out)
{
	char *body = NULL;

	if (asprintf(&body,
	             "\tslated_key := (%.*s);\n\tIF slated_key IS NOT NULL THEN\n\t\tINSERT INTO {{own}}.change "
	             "(ticket) VALUES "
	             "(slated_key);\n\tEND IF;\n",
	             (int)section->len, section->text) < 0) {
		sql->failed = true;
		return;
	}
	write_trigger(sql, table, "", "\tslated_key {{key}};\n", body, out);
	free(body);
}

/* Notes how the facts of a row changed, too. */
static void
write_log(struct adapter_sql *sql, const char *table, const char *key, const struct section *section, FILE *out)
{
	char *now, *then, *body = NULL;

	sql->row = "NEW";
	now = expand_text(sql, section->text, section->len);
	sql->row = "OLD";
	then = expand_text(sql, section->text, section->len);
	if (now != NULL && then != NULL &&
	    asprintf(
	        &body,
	        "\tIF TG_OP = 'DELETE' THEN\n\t\tINSERT INTO {{own}}.change (ticket) VALUES (OLD.%s);\n\t\tRETURN "
	        "NULL;\n"
	        "\tEND IF;\n\tIF TG_OP = 'INSERT' THEN\n\t\tINSERT INTO {{own}}.change (ticket) VALUES (NEW.%s);\n"
	        "\t\tRETURN NULL;\n\tEND IF;\n"
	        "\tIF (SELECT f FROM (%s) AS f)\n\t\tIS NOT DISTINCT FROM (SELECT f FROM (%s) AS f) THEN\n\t\tRETURN "
	        "NULL;\n"
	        "\tEND IF;\n\tslated_now := (SELECT to_jsonb(f) FROM (%s) AS f);\n"
	        "\tslated_then := (SELECT to_jsonb(f) FROM (%s) AS f);\n"
	        "\tIF slated_now - 'at' IS DISTINCT FROM slated_then - 'at' THEN\n"
	        "\t\tINSERT INTO {{own}}.change (ticket, at, facts, was)\n"
	        "\t\tSELECT NEW.%s, coalesce((nullif(slated_now -> 'at', slated_then -> 'at') #>> '{}')::timestamptz, "
	        "clock_timestamp()),\n"
	        "\t\t\tjsonb_object_agg(c.key, slated_now -> c.key), jsonb_object_agg(c.key, slated_then -> c.key)\n"
	        "\t\tFROM jsonb_object_keys(slated_now - 'at') AS c (key) WHERE slated_now -> c.key IS DISTINCT FROM "
	        "slated_then -> c.key;\n"
	        "\tEND IF;\n",
	        key, key, now, then, now, then, key) >= 0)
		write_trigger(sql, table, " SET timezone = 'UTC'", "\tslated_now jsonb;\n\tslated_then jsonb;\n", body,
		              out);
	else
		sql->failed = true;
	free(body);
	free(now);
	free(then);
}

/* A section of core.sql as it is. */
static void
copy_core(const char *word, FILE *out)
{
	const char *at = file_of("core");
	struct section section;

	while (next_section(&at, &section))
		if (strcmp(section.word, word) == 0)
			fprintf(out, "\n%.*s\n", (int)section.len, section.text);
}

/* What each section of a kind's file becomes; placeholders are filled in afterwards. */
static void
write_section(struct adapter_sql *sql, const struct section *section, FILE *out)
{
	char *arguments = expand_text(sql, section->arguments, section->arguments_len);

	if (arguments == NULL) {
		sql->failed = true;
		return;
	}
	if (strcmp(section->word, "functions") == 0) {
		fprintf(out, "\n%.*s\n", (int)section->len, section->text);
	} else if (strcmp(section->word, "sources") == 0) {
		(void)snprintf(sql->status_word, sizeof(sql->status_word), "%s", arguments);
		copy_core(section->word, out);
	} else if (strcmp(section->word, "requests") == 0) {
		copy_core(section->word, out);
	} else if (strcmp(section->word, "ticket") == 0) {
		write_reader(
		    "ticket(keys {{key}}[]) RETURNS SETOF {{own}}.ticket_row",
		    "x.key::{{key}}, x.external_id::text, x.opened_at::timestamptz, x.updated_at::timestamptz, "
		    "x.status::text,\n\tx.severity::text, x.org::text, x.plan::text, x.channel::text, "
		    "x.category::text, x.product::text,\n\tx.environment::text, x.version::text, x.assignee::text, "
		    "x.team::text, x.attributes::jsonb, x.merged_into::{{key}}",
		    section, out);
	} else if (strcmp(section->word, "item") == 0) {
		write_reader(
		    "item(keys {{key}}[]) RETURNS TABLE (ticket {{key}}, item text, at timestamptz, seq bigint, kind "
		    "text,\n\tauthor text, public boolean, body text, facts jsonb, was jsonb, \"into\" {{key}}, reason "
		    "text)",
		    "x.ticket::{{key}}, x.item::text, x.at::timestamptz, x.seq::bigint, x.kind::text, x.author::text, "
		    "x.public::boolean,\n\tx.body::text, x.facts::jsonb, x.was::jsonb, x.\"into\"::{{key}}, "
		    "x.reason::text",
		    section, out);
	} else if (strcmp(section->word, "keys") == 0) {
		write_keys(section, out);
	} else if (strcmp(section->word, "trigger") == 0) {
		write_noting(sql, arguments, section, out);
	} else if (strcmp(section->word, "log") == 0) {
		char *key = strchr(arguments, ' ');
		assert(key != NULL);
		*key = '\0';
		write_log(sql, arguments, key + 1, section, out);
	}
	free(arguments);
}

int
adapter_sql_write(struct adapter_sql *sql, FILE *out)
{
	const char *at = file_of(adapter_kind_names[sql->settings->kind]);
	char *sections = NULL;
	size_t len = 0;
	FILE *raw = open_memstream(&sections, &len);
	struct section section;

	if (raw == NULL)
		return -ENOMEM;
	fputs("CREATE SCHEMA IF NOT EXISTS ", out);
	adapter_sql_name(out, sql->own);
	fputs(" AUTHORIZATION ", out);
	adapter_sql_name(out, sql->owner);
	fputs(";\nSET LOCAL ROLE ", out);
	adapter_sql_name(out, sql->owner);
	fputs(";\n", out);
	write_maps(sql, out);
	copy_core("tables", raw);
	while (next_wanted(sql, &at, &section))
		write_section(sql, &section, raw);
	copy_core("functions", raw);
	if (fclose(raw) != 0)
		sql->failed = true;
	else
		expand(sql, sections, len, out);
	free(sections);
	return sql->failed || ferror(out) != 0 ? -ENOMEM : 0;
}
