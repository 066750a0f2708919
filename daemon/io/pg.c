#include "slated/pg.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg_target.h"
#include "slated/log.h"

/* Pauses between rounds of attempts: doubling from the first to the last. */
#define PAUSE_MIN ((struct duration){US_PER_S / 10})
#define PAUSE_MAX ((struct duration){2 * US_PER_S})

/* Which server it is. It then notices within a second that we have gone, also while the query waits for a lock;
 * otherwise those that we gave up would pile up there. A flush looks costly to the planner and is short, so that to
 * compile it would take longer than to run it. And what is prepared saves the reading alone, unless pg_keep_plans() was
 * called: tables that were empty when a plan was made may have 100,000 rows at its next use. */
#define GREETING                                                                                                       \
	"SELECT system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint, "         \
	"pg_backend_pid() FROM pg_control_system(); SET client_connection_check_interval = '1s'; SET jit = off; "      \
	"SET plan_cache_mode = "
/* And a plan for what looks like much, and hardly ever is, starts no workers, which takes 6 ms each time. */
#define BY_INDEXES "; SET enable_seqscan = off; SET max_parallel_workers_per_gather = 0"

#define FORMER                                                                                                         \
	"the server was replaced by the promotion of another, and is used no more; if that is wrong, restart slated"

/* IDLE: not started. PAUSED: waits before the next round. CONNECTING: one host of the round is being tried.
 * GREETING: it is asked who it is. READY: connected, no query. BUSY: a query runs. */
enum pg_state {
	PG_IDLE,
	PG_PAUSED,
	PG_CONNECTING,
	PG_GREETING,
	PG_READY,
	PG_BUSY,
};

/* A statement is prepared and run for the first time in one go, in libpq's pipeline mode. Its results then are: those
 * of the preparation and NULL, those of the query and NULL, PGRES_PIPELINE_SYNC. */
enum preparing {
	PREPARING_NOT,
	PREPARING_FIRST, /* the results of the preparation come */
	PREPARING_FAILED,
	PREPARING_RUN,
};

enum { PREPARED_MAX = 8, NAME_SIZE = 16 };

struct pg {
	struct event_base *base;
	struct pg_callbacks callbacks;
	struct pg_target target;
	int host; /* of this round */
	enum pg_state state;
	struct duration pause;
	struct duration timeout; /* of a query */
	struct pg_server server;
	struct pg_server *newest; /* that any of the program's connections has seen */
	PGconn *conn;
	struct event *io;       /* on the socket, for reading */
	struct event *out;      /* on the socket, for writing */
	struct event *deadline; /* of the attempt, of the pause or of the query */
	struct pg_query query;
	bool copying;
	bool held;   /* the rows of a COPY */
	bool direct; /* to the server itself: what is prepared stays so */
	bool by_indexes;
	bool keeps_plans;
	enum preparing preparing;           /* the query */
	const char *prepared[PREPARED_MAX]; /* statements, by their texts */
	unsigned n_prepared;
};

static void pg_try(struct pg *pg);

static struct timeval
timeval_of(struct duration d)
{
	return (struct timeval){d.us / US_PER_S, d.us % US_PER_S};
}

static void
arm_deadline(struct pg *pg, struct duration d)
{
	struct timeval tv = timeval_of(d);
	if (event_add(pg->deadline, &tv) < 0)
		abort(); /* libevent fails here only when out of memory */
}

static void
drop_socket_events(struct pg *pg)
{
	if (pg->io != NULL)
		event_free(pg->io);
	if (pg->out != NULL)
		event_free(pg->out);
	pg->io = pg->out = NULL;
}

static void
drop_connection(struct pg *pg)
{
	drop_socket_events(pg);
	(void)event_del(pg->deadline);
	PQfinish(pg->conn);
	pg->conn = NULL;
	pg->copying = pg->held = false;
	pg->preparing = PREPARING_NOT;
	pg->n_prepared = 0;
}

static void
pause_then_try(struct pg *pg)
{
	pg->state = PG_PAUSED;
	pg->host = 0;
	arm_deadline(pg, pg->pause);
	pg->pause.us = pg->pause.us * 2 > PAUSE_MAX.us ? PAUSE_MAX.us : pg->pause.us * 2;
}

/* One line of libpq's message. */
static void
first_line(const char *message, char *ret, size_t size)
{
	size_t n = strcspn(message, "\n");
	(void)snprintf(ret, size, "%.*s", (int)(n < size ? n : size - 1), message);
}

/* Whatever goes wrong with a connection ends here. */
static void
fail(struct pg *pg, const char *reason)
{
	char text[256];
	first_line(reason, text, sizeof(text));
	bool was_up = pg->state >= PG_READY;
	drop_connection(pg);
	if (!was_up && pg->host + 1 < pg->target.n_hosts) {
		pg->host++;
		pg_try(pg);
		return;
	}
	pause_then_try(pg);
	pg->callbacks.lost(pg->callbacks.arg, text);
}

static bool
is_former(const struct pg_server *server, const struct pg_server *newest)
{
	return server->system != 0 && server->system == newest->system && server->timeline < newest->timeline;
}

static void
on_greeted(struct pg *pg)
{
	if (is_former(&pg->server, pg->newest)) {
		log_warning("a former primary takes writes", log_text("host", PQhost(pg->conn)),
		            log_text("port", PQport(pg->conn)), log_text("error", FORMER));
		fail(pg, FORMER);
		return;
	}
	if (pg->server.system != 0)
		*pg->newest = pg->server;
	pg->state = PG_READY;
	pg->pause = PAUSE_MIN;
	(void)event_del(pg->deadline);
	pg->callbacks.ready(pg->callbacks.arg);
}

/* A server that does not tell, as it is no plain PostgreSQL, is taken as it is. */
static void
take_greeting(struct pg *pg, PGresult *result)
{
	if (result == NULL) {
		on_greeted(pg);
	} else if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
		pg->server.system = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
		pg->server.timeline = strtoull(PQgetvalue(result, 0, 1), NULL, 10);
		/* A pooler makes up the number that libpq knows. */
		pg->direct = strtol(PQgetvalue(result, 0, 2), NULL, 10) == PQbackendPID(pg->conn);
	}
	PQclear(result);
}

static void
finish_result(struct pg *pg, PGresult *result)
{
	if (pg->state == PG_GREETING) {
		take_greeting(pg, result);
		return;
	}
	pg_result *callback = pg->query.result;
	void *arg = pg->query.arg;
	if (result == NULL) {
		pg->state = PG_READY;
		(void)event_del(pg->deadline);
	}
	if (callback != NULL)
		callback(arg, result);
	PQclear(result);
}

static bool
is_asking(const struct pg *pg)
{
	return pg->state == PG_BUSY || pg->state == PG_GREETING;
}

static void
flush_output(struct pg *pg)
{
	int r = PQflush(pg->conn);
	if (r < 0)
		fail(pg, PQerrorMessage(pg->conn));
	else if (r > 0)
		(void)event_add(pg->out, NULL);
}

/* Hands out the rows of a COPY that have come. False when the connection failed or must wait. */
static bool
take_copy_rows(struct pg *pg)
{
	while (!pg->held) {
		char *row = NULL;
		int n = PQgetCopyData(pg->conn, &row, 1);
		if (n == 0)
			return false;
		if (n == -2) {
			fail(pg, PQerrorMessage(pg->conn));
			return false;
		}
		if (n == -1) {
			pg->copying = false;
			return true;
		}
		bool goes_on = pg->query.row != NULL && pg->query.row(pg->query.arg, row, (size_t)n);
		PQfreemem(row);
		if (!goes_on) {
			fail(pg, "rows that the server sent could not be used");
			return false;
		}
	}
	return false;
}

static void
set_apart(struct pg *pg)
{
	/* Where libpq refuses, the rows come together. */
	if (pg->query.apart)
		(void)PQsetSingleRowMode(pg->conn);
}

/* Of a statement that is being prepared: whether the result is not for the query's callback, or an end before the last.
 */
static bool
take_preparation(struct pg *pg, PGresult **result)
{
	ExecStatusType status = PQresultStatus(*result);
	if (status == PGRES_PIPELINE_SYNC) {
		PQclear(*result);
		*result = NULL;
		if (!PQexitPipelineMode(pg->conn))
			fail(pg, PQerrorMessage(pg->conn));
		pg->preparing = PREPARING_NOT;
		return pg->conn == NULL;
	}
	if (*result == NULL && pg->preparing == PREPARING_FIRST) {
		pg->prepared[pg->n_prepared++] = pg->query.text;
		pg->preparing = PREPARING_RUN;
		set_apart(pg);
	}
	bool failed = status == PGRES_FATAL_ERROR;
	if (failed && pg->preparing == PREPARING_FIRST)
		pg->preparing = PREPARING_FAILED;
	if (*result != NULL && (failed || pg->preparing == PREPARING_RUN) && status != PGRES_PIPELINE_ABORTED)
		return false;
	PQclear(*result);
	return true;
}

static void
take_results(struct pg *pg)
{
	while (is_asking(pg)) {
		if (pg->copying && !take_copy_rows(pg))
			return;
		if (PQisBusy(pg->conn))
			return;
		PGresult *result = PQgetResult(pg->conn);
		if (pg->preparing != PREPARING_NOT && take_preparation(pg, &result))
			continue;
		pg->copying = PQresultStatus(result) == PGRES_COPY_OUT;
		finish_result(pg, result);
	}
}

static void
take_notifications(struct pg *pg)
{
	PGnotify *notify;
	while (pg->state >= PG_READY && (notify = PQnotifies(pg->conn)) != NULL) {
		if (pg->callbacks.notified != NULL)
			pg->callbacks.notified(pg->callbacks.arg, notify->relname, notify->extra);
		PQfreemem(notify);
	}
}

static void
arm_query_deadline(struct pg *pg)
{
	struct duration limit = pg->query.timeout.us > 0 ? pg->query.timeout : pg->timeout;
	if (pg->query.long_one)
		limit.us *= 4;
	arm_deadline(pg, limit);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct pg *pg = arg;
	(void)fd;
	(void)what;
	if (!PQconsumeInput(pg->conn)) {
		fail(pg, PQerrorMessage(pg->conn));
		return;
	}
	if (pg->state == PG_BUSY && pg->query.long_one)
		arm_query_deadline(pg);
	if (is_asking(pg))
		flush_output(pg);
	if (is_asking(pg))
		take_results(pg);
	if (pg->state >= PG_READY)
		take_notifications(pg);
	if (pg->state == PG_READY && PQstatus(pg->conn) == CONNECTION_BAD)
		fail(pg, PQerrorMessage(pg->conn));
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	flush_output(arg);
}

static void
on_connected(struct pg *pg)
{
	drop_socket_events(pg);
	int fd = PQsocket(pg->conn);
	pg->io = event_new(pg->base, fd, EV_READ | EV_PERSIST, on_readable, pg);
	pg->out = event_new(pg->base, fd, EV_WRITE, on_writable, pg);
	if (pg->io == NULL || pg->out == NULL || event_add(pg->io, NULL) < 0 || PQsetnonblocking(pg->conn, 1) != 0) {
		fail(pg, "out of memory");
		return;
	}
	pg->state = PG_GREETING;
	pg->server = (struct pg_server){0};
	pg->direct = false;
	char greeting[sizeof(GREETING "force_generic_plan" BY_INDEXES)];
	(void)snprintf(greeting, sizeof(greeting), GREETING "%s%s",
	               pg->keeps_plans ? "force_generic_plan" : "force_custom_plan", pg->by_indexes ? BY_INDEXES : "");
	if (!PQsendQuery(pg->conn, greeting) || PQflush(pg->conn) != 0)
		(void)event_add(pg->out, NULL);
}

/* The socket may change from step to step, its number even stay the same, so the event is made anew each time. */
static void
on_connecting(evutil_socket_t fd, short what, void *arg)
{
	struct pg *pg = arg;
	(void)fd;
	(void)what;
	drop_socket_events(pg);
	PostgresPollingStatusType status = PQconnectPoll(pg->conn);
	if (status == PGRES_POLLING_OK) {
		on_connected(pg);
	} else if (status == PGRES_POLLING_FAILED) {
		fail(pg, PQerrorMessage(pg->conn));
	} else {
		short want = status == PGRES_POLLING_READING ? EV_READ : EV_WRITE;
		pg->io = event_new(pg->base, PQsocket(pg->conn), want, on_connecting, pg);
		if (pg->io == NULL || event_add(pg->io, NULL) < 0)
			fail(pg, "out of memory");
	}
}

static void
ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result; /* notices are for people at a prompt */
}

static void
pg_try(struct pg *pg)
{
	pg->state = PG_CONNECTING;
	pg->conn = pg_target_connect(&pg->target, pg->host);
	arm_deadline(pg, PG_CONNECT_TIMEOUT);
	if (pg->conn == NULL || PQstatus(pg->conn) == CONNECTION_BAD) {
		fail(pg, pg->conn == NULL ? "out of memory" : PQerrorMessage(pg->conn));
		return;
	}
	(void)PQsetNoticeReceiver(pg->conn, ignore_notice, NULL);
	pg->io = event_new(pg->base, PQsocket(pg->conn), EV_WRITE, on_connecting, pg);
	if (pg->io == NULL || event_add(pg->io, NULL) < 0)
		fail(pg, "out of memory");
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct pg *pg = arg;
	(void)fd;
	(void)what;
	if (pg->state == PG_PAUSED)
		pg_try(pg);
	else if (pg->state == PG_CONNECTING || pg->state == PG_GREETING) {
		pg->pause = PAUSE_MIN; /* there has been a wait already */
		fail(pg, "the server did not answer in time");
	} else
		fail(pg, "the server did not answer a query in time: it is very busy, or the query waits for a lock");
}

int
pg_new(struct event_base *base, const char *conninfo, const char *password, const char *name, struct duration timeout,
       struct pg_server *newest, const struct pg_callbacks *callbacks, struct pg **ret, char **ret_problem)
{
	*ret_problem = NULL;
	struct pg *pg = calloc(1, sizeof(*pg));
	if (pg == NULL)
		return -ENOMEM;
	int r = pg_target_init(&pg->target, conninfo, password, name, ret_problem);
	if (r < 0) {
		free(pg);
		return r;
	}
	pg->base = base;
	pg->timeout = timeout;
	pg->newest = newest;
	pg->callbacks = *callbacks;
	pg->pause = PAUSE_MIN;
	pg->deadline = event_new(base, -1, 0, on_deadline, pg);
	if (pg->deadline == NULL) {
		pg_free(pg);
		return -ENOMEM;
	}
	*ret = pg;
	return 0;
}

void
pg_free(struct pg *pg)
{
	if (pg == NULL)
		return;
	if (pg->deadline != NULL) {
		drop_connection(pg);
		event_free(pg->deadline);
	}
	pg_target_free(&pg->target);
	free(pg);
}

void
pg_start(struct pg *pg)
{
	if (pg->state == PG_IDLE)
		pg_try(pg);
}

void
pg_restart(struct pg *pg)
{
	if (pg->state < PG_READY)
		return;
	drop_connection(pg);
	pause_then_try(pg);
}

void
pg_hold(struct pg *pg)
{
	assert(pg->copying);
	pg->held = true;
	(void)event_del(pg->io);
	(void)event_del(pg->deadline);
}

void
pg_go_on(struct pg *pg)
{
	if (!pg->held)
		return;
	pg->held = false;
	arm_query_deadline(pg);
	if (event_add(pg->io, NULL) < 0)
		abort(); /* libevent fails here only when out of memory */
	/* Some may have been read already. */
	event_active(pg->io, EV_READ, 0);
}

void
pg_leave_former(struct pg *pg)
{
	if (pg_is_ready(pg) && is_former(&pg->server, pg->newest))
		fail(pg, FORMER);
}

void
pg_go_by_indexes(struct pg *pg)
{
	pg->by_indexes = true;
}

void
pg_keep_plans(struct pg *pg)
{
	pg->keeps_plans = true;
	pg_go_by_indexes(pg);
}

bool
pg_is_idle(const struct pg *pg)
{
	return pg->state == PG_READY;
}

bool
pg_is_ready(const struct pg *pg)
{
	return pg->state >= PG_READY;
}

static bool
send_prepared(struct pg *pg, const struct pg_query *query)
{
	char name[NAME_SIZE];
	unsigned i = 0;
	while (i < pg->n_prepared && pg->prepared[i] != query->text)
		i++;
	(void)snprintf(name, sizeof(name), "slated%u", i);
	int format = query->binary ? 1 : 0;
	if (i < pg->n_prepared)
		return PQsendQueryPrepared(pg->conn, name, query->n_params, query->params, query->lengths,
		                           query->formats, format) != 0;
	assert(i < PREPARED_MAX);
	pg->preparing = PREPARING_FIRST;
	return PQenterPipelineMode(pg->conn) && PQsendPrepare(pg->conn, name, query->text, 0, NULL) &&
	       PQsendQueryPrepared(pg->conn, name, query->n_params, query->params, query->lengths, query->formats,
	                           format) &&
	       PQpipelineSync(pg->conn);
}

static bool
send_query(struct pg *pg, const struct pg_query *query)
{
	if (query->again && pg->direct)
		return send_prepared(pg, query);
	if (query->n_params == 0 && !query->binary)
		return PQsendQuery(pg->conn, query->text) != 0;
	return PQsendQueryParams(pg->conn, query->text, query->n_params, NULL, query->params, query->lengths,
	                         query->formats, query->binary ? 1 : 0) != 0;
}

int
pg_send(struct pg *pg, const struct pg_query *query)
{
	if (pg->state != PG_READY)
		return -EBUSY;
	bool sent = send_query(pg, query);
	pg->query = *query;
	pg->state = PG_BUSY;
	if (pg->preparing == PREPARING_NOT)
		set_apart(pg);
	arm_query_deadline(pg);
	/* A failure shows on the socket, in a turn of the loop where the caller is not in the middle of something. */
	if (!sent || PQflush(pg->conn) != 0)
		(void)event_add(pg->out, NULL);
	return 0;
}
