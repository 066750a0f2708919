#include "slated/desk.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slated/pg.h"
#include "slated/text.h"

struct job {
	struct desk_order order;
	char *params[DESK_PARAMS_MAX];
	PGresult *results[DESK_STATEMENTS_MAX];
	size_t n;   /* statements that have an answer */
	int status; /* of a failure, or 0 */
	char why[200];
	struct job *next;
};

struct desk {
	struct desk_hooks hooks;
	struct duration limit;
	struct pg *pg;
	struct job *first; /* waiting; in order */
	struct job **last;
	unsigned n_waiting;
	struct job *running;
};

static const char lost[] = "slated has lost its connection to the database";

static void
job_free(struct job *job)
{
	if (!job)
		return;
	for (size_t i = 0; i < DESK_PARAMS_MAX; i++)
		free(job->params[i]);
	for (size_t i = 0; i < DESK_STATEMENTS_MAX; i++)
		PQclear(job->results[i]);
	free(job);
}

static void
job_forget(struct job *job)
{
	if (job && job->order.forgotten)
		job->order.forgotten(job->order.arg);
	job_free(job);
}

static struct job *
job_new(const struct desk_order *order)
{
	struct job *job = calloc(1, sizeof(*job));
	bool failed = !job;
	if (!job)
		return NULL;
	job->order = *order;
	for (size_t i = 0; i < DESK_PARAMS_MAX; i++) {
		job->params[i] = order->params[i] ? strdup(order->params[i]) : NULL;
		failed |= order->params[i] && !job->params[i];
	}
	if (failed) {
		job_free(job);
		return NULL;
	}
	return job;
}

static void
job_fail(struct job *job, int status, const char *why)
{
	job->status = status;
	(void)snprintf(job->why, sizeof(job->why), "%s", why);
}

/* Why a statement came to nothing, by the class of its SQLSTATE (PostgreSQL's manual, appendix A). */
static void
note_failure(struct desk *desk, struct job *job, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	char text[300];
	if (!state || strncmp(state, "08", 2) == 0 || strncmp(state, "57", 2) == 0) { /* the connection; the operator */
		job_fail(job, 503, lost);
	} else if (strcmp(state, "55P03") == 0) { /* lock_not_available */
		job_fail(job, 503, "another transaction holds the ticket");
	} else if (strncmp(state, "22", 2) == 0) { /* data exception */
		job_fail(job, 400, message ? message : "a value is not what the database takes");
	} else {
		bool old = strcmp(state, "42883") == 0 || strcmp(state, "42P01") == 0 || strcmp(state, "3F000") == 0;
		(void)snprintf(text, sizeof(text), "%s%s", message ? message : PQresultErrorMessage(result),
		               old ? "; create or upgrade the schema with: slatectl migrate" : "");
		job_fail(job, 500, "the database refused it: slated's log says why");
		desk->hooks.problem(desk->hooks.arg, text);
	}
}

static void desk_step(struct desk *desk);

static void
job_end(struct desk *desk, struct job *job)
{
	desk->running = NULL;
	if (job->status != 0)
		job->order.failed(job->order.arg, job->status, job->why);
	else
		job->order.done(job->order.arg, job->results);
	job_free(job);
	desk_step(desk);
}

static void job_send(struct desk *desk, struct job *job);

static void
on_result(void *arg, PGresult *result)
{
	struct desk *desk = arg;
	struct job *job = desk->running;
	if (result) {
		ExecStatusType status = PQresultStatus(result);
		if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
			note_failure(desk, job, result);
		} else if (!job->results[job->n]) {
			job->results[job->n] = PQcopyResult(result, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES);
			if (!job->results[job->n])
				job_fail(job, 503, text_no_memory);
		}
		return;
	}
	job->n++;
	if (job->status == 0 && job->n < DESK_STATEMENTS_MAX && job->order.sql[job->n])
		job_send(desk, job);
	else
		job_end(desk, job);
}

static void
job_send(struct desk *desk, struct job *job)
{
	int r = pg_send(desk->pg, &(struct pg_query){.text = job->order.sql[job->n],
	                                             .n_params = job->order.n_params[job->n],
	                                             .params = (const char *const *)job->params,
	                                             .timeout = desk->limit,
	                                             .result = on_result,
	                                             .arg = desk});
	assert(r == 0); /* nobody else uses it, and nobody waits while it is down */
	(void)r;
}

static void
desk_step(struct desk *desk)
{
	struct job *job = desk->first;
	if (!job || desk->running)
		return;
	desk->first = job->next;
	if (!desk->first)
		desk->last = &desk->first;
	desk->n_waiting--;
	desk->running = job;
	job_send(desk, job);
}

void
desk_put(struct desk *desk, const struct desk_order *order)
{
	const char *obstacle = NULL;
	struct job *job = NULL;
	if (!pg_is_ready(desk->pg))
		obstacle = "slated has no connection to the database at the moment";
	else if (desk->n_waiting >= DESK_WAITING_MAX)
		obstacle = "too many requests are waiting";
	else if ((job = job_new(order)) == NULL)
		obstacle = text_no_memory;
	if (obstacle) {
		order->failed(order->arg, 503, obstacle);
		return;
	}
	*desk->last = job;
	desk->last = &job->next;
	desk->n_waiting++;
	desk_step(desk);
}

void
desk_on_lost(struct desk *desk)
{
	struct job *job = desk->running;
	desk->running = NULL;
	if (job)
		job->next = desk->first;
	else
		job = desk->first;
	desk->first = NULL;
	desk->last = &desk->first;
	desk->n_waiting = 0;
	while (job) {
		struct job *next = job->next;
		job->order.failed(job->order.arg, 503, lost);
		job_free(job);
		job = next;
	}
}

/* Life ------------------------------------------------------------------------------------------------------------- */

int
desk_new(const struct desk_hooks *hooks, struct duration limit, struct desk **ret)
{
	struct desk *desk = calloc(1, sizeof(*desk));
	if (!desk)
		return -ENOMEM;
	desk->hooks = *hooks;
	desk->limit = limit;
	desk->last = &desk->first;
	*ret = desk;
	return 0;
}

void
desk_free(struct desk *desk)
{
	if (!desk)
		return;
	job_forget(desk->running);
	while (desk->first) {
		struct job *job = desk->first;
		desk->first = job->next;
		job_forget(job);
	}
	free(desk);
}

void
desk_set_connection(struct desk *desk, struct pg *pg)
{
	desk->pg = pg;
}
