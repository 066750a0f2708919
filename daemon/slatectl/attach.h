/* What slatectl attach and detach share: the adapter's settings, the product's database and our own. */
#ifndef SLATED_SLATECTL_ATTACH_H
#define SLATED_SLATECTL_ATTACH_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "adapter_sql.h"
#include "db.h"

struct config;
struct adapter_settings;

struct attach_options {
	const char *config;
	const char *source_db;
	const char *kind; /* of attach; NULL: any */
	const char *name; /* NULL: the only one of that kind */
	bool print;
	bool check;
};

struct attachment {
	const struct attach_options *options;
	struct config *config;
	const struct adapter_settings *settings;
	PGconn *source; /* the product's database, as somebody who owns its tables */
	struct db db;   /* ours */
	struct adapter_sql sql;
	char *owner; /* these four: of the product's tables */
	char *key_type;
	char *tables;  /* their names with blanks between */
	char *columns; /* and their columns, as JSON */
	char *text;    /* all statements */
	char digest[65];
};

/* Each gives 0, or a negative errno after the reason went to standard error. */

/* Reads the configuration, finds the adapter and connects to both databases. */
int attachment_open(const struct attach_options *options, struct attachment *ret) __attribute__((warn_unused_result));
void attachment_close(struct attachment *a);

/* Looks at the product's tables and makes the statements. */
int attachment_make(struct attachment *a) __attribute__((warn_unused_result));

/* Runs one statement in the product's database; the caller clears the result. NULL after a message. */
PGresult *source_query(const struct attachment *a, const char *what, const char *sql, int n, const char *const *values);

/* attach_check.c: says what is not as attach left it. *ret_sound: nothing is. */
int attachment_check(struct attachment *a, bool *ret_sound) __attribute__((warn_unused_result));

/* attach_check.c: the same of what slated writes there, if the configuration has it do so. */
int attachment_check_writer(const struct attachment *a, bool *sound) __attribute__((warn_unused_result));

/* attach_fill.c: takes over what is there, from where it was left. */
int attachment_fill(struct attachment *a) __attribute__((warn_unused_result));

#endif
