/* What the files of the model database's statements share. Each file has the statements of one file of daemon/io. */
#ifndef SLATED_SIM_STATEMENTS_H
#define SLATED_SIM_STATEMENTS_H

#include "database_internal.h"
#include "values.h"

typedef struct db_answer statement(struct database *database, struct db_session *session, const char *text,
                                   const char *const *params);

/* statements_feed.c */
statement statement_listen;
statement statement_begin;
statement statement_commit;
statement statement_snapshot;
statement statement_configurations;
statement statement_copy_states;
statement statement_copy_clocks;
statement statement_copy_events;
statement statement_poll;
statement statement_probe;

/* statements_lease.c */
statement statement_beat;
statement statement_leave;
statement statement_severities;
statement statement_configuration;

/* statements_ledger.c */
statement statement_flush;

/* statements_outbox.c */
statement statement_claim;
statement statement_outcomes;
statement statement_release;

/* statements_reassess.c */
statement statement_hooks;
statement statement_answer;
statement statement_reassess;

/* The text kept, or NULL. */
const char *db_keep(struct database *database, const char *text);
/* Whether two texts are equal, or both NULL. */
bool db_same(const char *a, const char *b);
/* Whether a statement has that part: where leaving it out would be a fault worth finding. */
bool db_says(const char *text, const char *part);
struct instant db_instant(const char *text);
const struct db_state *db_find_state(const struct db_data *data, int64_t ticket);
/* Whether a ticket is of the shards of an array's text; NULL: of all. */
bool db_is_of(const char *shards, int64_t ticket);

void db_answer_add(struct db_answer *answer, PGresult *result);
/* One of a result without rows. */
struct db_answer db_answer_of(ExecStatusType status);

/* Some of the arrays that a statement's parameters are. */
struct columns {
	const char **items[ROW_MAX];
	size_t n_columns;
	size_t n;
};

struct columns columns_split(struct database *database, const char *const *params, size_t n_columns);
void columns_free(struct columns *columns);

#endif
