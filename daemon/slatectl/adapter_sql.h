/* The SQL that attaches an adapter to a product's database: sql/adapters/KIND.sql and core.sql, filled in from the
 * configuration. doc/adapters.md tells of the files. */
#ifndef SLATED_SLATECTL_ADAPTER_SQL_H
#define SLATED_SLATECTL_ADAPTER_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct adapter_settings;

/* One file of sql/adapters/, built into the program. */
struct adapter_text {
	const char *name; /* "core", or a kind */
	const char *text;
};
extern const struct adapter_text adapter_texts[];
extern const size_t n_adapter_texts;

#define ADAPTER_NAME_SIZE 64

struct adapter_sql {
	const struct adapter_settings *settings;
	char own[ADAPTER_NAME_SIZE]; /* the adapter's schema in the product's database */
	const char *key_type;        /* of the product's tickets' keys */
	const char *owner;           /* of the product's tables */
	/* private */
	const char *row;
	char status_word[ADAPTER_NAME_SIZE];
	bool failed;
};

/* Fills in `own`. */
void adapter_sql_init(struct adapter_sql *sql, const struct adapter_settings *settings);

/* The arguments of the first directive of that name in the kind's file, filled in: "integer", or a table and a column;
 * a list of tables. NULL where there is none, or memory is out. To be freed. */
char *adapter_sql_argument(const struct adapter_sql *sql, const char *directive);

/* Writes all statements, each in a line of its own or more, without BEGIN and COMMIT. Returns 0, or -ENOMEM where what
 * is written is not whole. */
int adapter_sql_write(struct adapter_sql *sql, FILE *out);

/* Writes a text as an SQL literal, and a name as an identifier. */
void adapter_sql_literal(FILE *out, const char *text);
void adapter_sql_name(FILE *out, const char *name);

#endif
