/* The daemon's statements, by their texts, carried out on the model database. What a statement says of fences,
 * snapshots and order is read from its text where leaving it out would be a fault worth finding. */
#include "statements.h"

#include <stdlib.h>
#include <string.h>

const char *
db_keep(struct database *database, const char *text)
{
	return text == NULL ? NULL : world_keep(database->world, text, strlen(text));
}

bool
db_same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool
db_says(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

void
db_answer_add(struct db_answer *answer, PGresult *result)
{
	answer->results[answer->n_results++] = result;
}

struct db_answer
db_answer_of(ExecStatusType status)
{
	struct db_answer answer = {0};
	db_answer_add(&answer, world_must(PQmakeEmptyPGresult(NULL, status)));
	return answer;
}

struct instant
db_instant(const char *text)
{
	struct instant at;
	if (instant_parse(text, strlen(text), &at) < 0)
		abort();
	return at;
}

const struct db_state *
db_find_state(const struct db_data *data, int64_t ticket)
{
	DB_EACH (const struct db_state, state, data, DB_STATES)
		if (state->ticket == ticket)
			return state;
	return NULL;
}

bool
db_is_of(const char *shards, int64_t ticket)
{
	char number[8];
	if (shards == NULL)
		return true;
	int len = snprintf(number, sizeof(number), "%d", (int)(ticket % SHARDS));
	for (const char *at = shards; (at = strstr(at, number)) != NULL; at++)
		if ((at[-1] == '{' || at[-1] == ',') && (at[len] == '}' || at[len] == ','))
			return true;
	return false;
}

struct columns
columns_split(struct database *database, const char *const *params, size_t n_columns)
{
	struct columns columns = {.n_columns = n_columns};
	for (size_t i = 0; i < n_columns; i++) {
		size_t n;
		if (params[i] == NULL) { /* nothing but NULL, or without rows */
			columns.items[i] = world_must(calloc(columns.n + 1, sizeof(columns.items[i][0])));
			continue;
		}
		columns.items[i] = values_split(database->world, params[i], &n);
		if (i > 0 && n != columns.n)
			abort(); /* columns of different lengths */
		columns.n = n;
	}
	return columns;
}

void
columns_free(struct columns *columns)
{
	for (size_t i = 0; i < columns->n_columns; i++)
		free(columns->items[i]);
}

struct db_answer
database_execute(struct database *database, struct db_session *session, const char *text, const char *const *params,
                 int n_params)
{
	static const struct {
		const char *begins;
		int n_params;
		statement *execute;
	} statements[] = {
	    {"LISTEN sla_event; SELECT pg_backend_pid()", 0, statement_listen},
	    {"BEGIN ISOLATION LEVEL REPEATABLE READ", 0, statement_begin},
	    {"SELECT pg_current_snapshot()", 0, statement_snapshot},
	    {"SELECT digest, source FROM sla.configuration", 1, statement_configurations},
	    {"COPY (SELECT s.ticket_id", 0, statement_copy_states},
	    {"COPY (SELECT c.ticket_id", 0, statement_copy_clocks},
	    {"COPY (SELECT e.ticket_id", 0, statement_copy_events},
	    {"COMMIT", 0, statement_commit},
	    {"WITH now AS MATERIALIZED", 3, statement_poll},
	    {"NOTIFY sla_event", 0, statement_probe},
	    {"WITH said AS (INSERT INTO sla.instance", 15, statement_beat},
	    {"WITH said AS (UPDATE sla.instance", 3, statement_leave},
	    {"SELECT s.severity, count(*)", 0, statement_severities},
	    {"INSERT INTO sla.configuration", 4, statement_configuration},
	    {"SELECT * FROM sla.flush(", 87, statement_flush},
	    {"WITH next AS", 6, statement_claim},
	    {"WITH o AS MATERIALIZED", 7, statement_outcomes},
	    {"UPDATE sla.delivery d SET claimed_by = NULL", 3, statement_release},
	    {"SELECT r.id, r.ticket_id, r.rule, sla.hook_input", 3, statement_hooks},
	    {"SELECT sla.answer_hook(", 4, statement_answer},
	    {"SELECT sla.apply_reassessments()", 0, statement_reassess},
	};
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (strncmp(text, statements[i].begins, strlen(statements[i].begins)) == 0 &&
		    n_params == statements[i].n_params)
			return statements[i].execute(database, session, text, params);
	(void)fprintf(stderr, "the model database does not know this statement of %d parameters: %s\n", n_params, text);
	abort();
}
