#include "wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "values.h"

#define PAUSE_MIN (US_PER_S / 5)
#define PAUSE_MAX (4 * US_PER_S)

enum state { STATE_NEW, STATE_PAUSED, STATE_CONNECTING, STATE_READY, STATE_BUSY };

/* A statement on its way, and its answer. It outlives the connection that sent it. */
struct message {
	LIST_ENTRY(message) link;
	struct wire *wire;
	struct pg *pg; /* NULL: nobody waits for it any more */
	struct happening happening;
	struct db_session session;
	char *text;
	char **params;
	int n_params;
	bool cut; /* the connection is cut instead of an answer */
	struct db_answer answer;
	int row; /* the next of an answer that comes in parts */
};

struct wire {
	struct world *world;
	struct database *database;
	struct wire_faults faults;
	int64_t shut_until;
	unsigned next_pid;
	LIST_HEAD(, message) messages;
	LIST_HEAD(, pg) connections;
};

struct pg {
	LIST_ENTRY(pg) link;
	struct wire *wire;
	const char *name;
	bool pooled;
	struct duration timeout;
	struct pg_server *newest;
	struct pg_callbacks callbacks;
	enum state state;
	struct happening wait; /* for a pause, a connection, an answer's deadline */
	struct happening hint; /* one is on its way */
	struct happening cutting;
	const char *payload;
	int64_t parted_until;
	int64_t pause;
	struct pg_query query;
	struct message *message; /* the query's */
	struct db_session session;
};

static void try_(struct pg *pg);

/* Messages -----------------------------------------------------------------------------------------------------------
 */

static void
message_free(struct message *message)
{
	LIST_REMOVE(message, link);
	world_unset(message->wire->world, &message->happening);
	db_answer_clear(&message->answer);
	for (int i = 0; i < message->n_params; i++)
		free(message->params[i]);
	free(message->params);
	free(message->text);
	free(message);
}

static void
forget_query(struct pg *pg)
{
	if (pg->message != NULL)
		pg->message->pg = NULL;
	pg->message = NULL;
	pg->query = (struct pg_query){0};
}

/* Closes what there is of a connection. A statement that is on its way goes on. */
static void
drop(struct pg *pg)
{
	struct world *world = pg->wire->world;
	forget_query(pg);
	world_unset(world, &pg->wait);
	world_unset(world, &pg->hint);
	world_unset(world, &pg->cutting);
	db_session_end(&pg->session);
}

static void
on_pause_over(void *arg)
{
	try_(arg);
}

static void
pause_then_try(struct pg *pg)
{
	pg->state = STATE_PAUSED;
	world_set(pg->wire->world, &pg->wait, pg->pause, on_pause_over, pg);
	pg->pause = pg->pause * 2 > PAUSE_MAX ? PAUSE_MAX : pg->pause * 2;
}

static void
fail(struct pg *pg, const char *reason)
{
	world_trace(pg->wire->world, "%s: connection lost: %s", pg->name, reason);
	drop(pg);
	pause_then_try(pg);
	pg->callbacks.lost(pg->callbacks.arg, reason);
}

bool
wire_reaches(const struct pg *pg)
{
	int64_t now = world_now(pg->wire->world);
	return now >= pg->wire->shut_until && now >= pg->parted_until;
}

static void
on_connected(void *arg)
{
	struct pg *pg = arg;
	if (!wire_reaches(pg)) {
		fail(pg, "the server cannot be reached");
		return;
	}
	pg->state = STATE_READY;
	pg->pause = PAUSE_MIN;
	pg->session = (struct db_session){.pid = pg->wire->next_pid++, .epoch = database_epoch(pg->wire->database)};
	*pg->newest = (struct pg_server){1, 1 + database_timeline(pg->wire->database)};
	pg->callbacks.ready(pg->callbacks.arg);
}

static void
try_(struct pg *pg)
{
	struct world *world = pg->wire->world;
	pg->state = STATE_CONNECTING;
	int64_t after = wire_reaches(pg)              ? world_about(world, 500, 20000)
	                : world_chance(world, 500000) ? 1000
	                                              : PG_CONNECT_TIMEOUT.us;
	world_set(world, &pg->wait, after, on_connected, pg);
}

/* Queries ------------------------------------------------------------------------------------------------------------
 */

static void
on_deadline(void *arg)
{
	fail(arg, "the server did not answer a query in time");
}

static void on_answer(void *arg);

static bool
hand_out_copy(struct pg *pg, const struct message *message)
{
	for (size_t i = 0; i < message->answer.n_copy; i++)
		if (pg->query.row == NULL ||
		    !pg->query.row(pg->query.arg, message->answer.copy[i].data, message->answer.copy[i].len)) {
			fail(pg, "rows that the server sent could not be used");
			return false;
		}
	return true;
}

/* Hands out some rows of an answer that comes in parts. False: more are to come, or the connection was given up. */
static bool
hand_out_part(struct pg *pg, struct message *message)
{
	struct world *world = pg->wire->world;
	const PGresult *whole = message->answer.results[0];
	int left = PQntuples(whole) - message->row;
	int n = left < 3 ? left : (int)world_about(world, 1, left < 20 ? left : 20);
	PGresult *part = result_part(whole, message->row, n);
	message->row += n;
	pg->query.result(pg->query.arg, part);
	PQclear(part);
	if (pg->message == message && n < left)
		world_set(world, &message->happening, world_about(world, 10, 2000), on_answer, message);
	return n == left;
}

/* The connection is idle again before its last callback, which may send the next query. False: more is to come. */
static bool
hand_out(struct pg *pg, struct message *message)
{
	pg_result *callback = pg->query.result;
	void *arg = pg->query.arg;
	bool probed = message->answer.probe && !pg->pooled && pg->session.listening;
	for (unsigned i = 0; i < message->answer.n_results; i++) {
		bool apart = pg->query.apart && PQresultStatus(message->answer.results[i]) == PGRES_TUPLES_OK;
		if (!apart)
			callback(arg, message->answer.results[i]);
		else if (!hand_out_part(pg, message))
			return pg->message != message;
		/* It may have given the connection up. */
		if (pg->message != message)
			return true;
		if (PQresultStatus(message->answer.results[i]) == PGRES_COPY_OUT && !hand_out_copy(pg, message))
			return true;
	}
	pg->message = NULL;
	message->pg = NULL;
	pg->query = (struct pg_query){0};
	pg->state = STATE_READY;
	world_unset(pg->wire->world, &pg->wait);
	callback(arg, NULL);
	if (probed && pg->state >= STATE_READY && pg->callbacks.notified != NULL)
		pg->callbacks.notified(pg->callbacks.arg, "sla_event", "probe");
	return true;
}

static void
on_answer(void *arg)
{
	struct message *message = arg;
	struct pg *pg = message->pg;
	if (pg != NULL && message->cut)
		fail(pg, "server closed the connection unexpectedly");
	else if (pg != NULL && !hand_out(pg, message))
		return;
	message_free(message);
}

static void on_hint(void *arg);

static void
tell_all(struct wire *wire, const char *payload)
{
	struct pg *pg;
	LIST_FOREACH(pg, &wire->connections, link)
	{
		if (!pg->session.listening || pg->pooled || world_chance(wire->world, wire->faults.deaf))
			continue;
		pg->payload = payload;
		world_set(wire->world, &pg->hint, world_about(wire->world, 50, 3000), on_hint, pg);
	}
}

static void
on_arrived(void *arg)
{
	struct message *message = arg;
	struct wire *wire = message->wire;
	const struct wire_faults *faults = &wire->faults;
	struct world *world = wire->world;
	/* What a server has not read when it ends is gone. */
	if (message->session.epoch != database_epoch(wire->database)) {
		message->cut = true;
	} else {
		struct db_session *session = message->pg != NULL ? &message->pg->session : &message->session;
		message->answer = database_execute(wire->database, session, message->text,
		                                   (const char *const *)message->params, message->n_params);
		if (message->answer.wait.us > 0) {
			world_set(world, &message->happening, message->answer.wait.us, on_arrived, message);
			return;
		}
		message->cut = world_chance(world, faults->cut_after);
		if (message->answer.leaving)
			tell_all(wire, "lease");
		if (message->pg == NULL) {
			world_trace(world, "carried out late: %.40s", message->text);
			db_session_end(&message->session);
		}
	}
	if (message->pg == NULL || (!message->cut && world_chance(world, faults->mute)))
		return; /* nobody waits, or nobody is told */
	int64_t after =
	    world_chance(world, faults->slow) ? world_about(world, 0, 2 * US_PER_S) : world_about(world, 100, 4000);
	world_set(world, &message->happening, after, on_answer, message);
}

int
pg_send(struct pg *pg, const struct pg_query *query)
{
	struct wire *wire = pg->wire;
	struct world *world = wire->world;
	if (pg->state != STATE_READY)
		return -EBUSY;
	struct message *message = world_must(calloc(1, sizeof(*message)));
	message->wire = wire;
	message->pg = pg;
	message->session = (struct db_session){.pid = pg->session.pid, .epoch = pg->session.epoch};
	message->text = world_must(strdup(query->text));
	message->n_params = query->n_params;
	message->params = world_must(calloc((size_t)query->n_params + 1, sizeof(char *)));
	for (int i = 0; i < query->n_params; i++)
		message->params[i] = query->params[i] == NULL ? NULL
		                     : query->formats != NULL && query->formats[i] != 0
		                         ? values_text(query->params[i], query->lengths[i])
		                         : world_must(strdup(query->params[i]));
	LIST_INSERT_HEAD(&wire->messages, message, link);
	pg->message = message;
	pg->query = *query;
	pg->state = STATE_BUSY;
	world_set(world, &pg->wait,
	          (query->timeout.us > 0 ? query->timeout.us : pg->timeout.us) * (query->long_one ? 4 : 1), on_deadline,
	          pg);
	if (!wire_reaches(pg) || world_chance(world, wire->faults.cut_before)) {
		/* It never arrives: the sender hears of that, or must find out by itself. */
		message->cut = true;
		if (wire_reaches(pg) || world_chance(world, 500000))
			world_set(world, &message->happening, world_about(world, 100, 4000), on_answer, message);
		return 0;
	}
	int64_t after = world_chance(world, wire->faults.late)   ? world_about(world, US_PER_S, 30 * US_PER_S)
	                : world_chance(world, wire->faults.slow) ? world_about(world, 0, 2 * US_PER_S)
	                                                         : world_about(world, 100, 4000);
	world_set(world, &message->happening, after, on_arrived, message);
	return 0;
}

/* Notifications come between queries; libpq hands them out after a query's answer, too. */
static void
on_hint(void *arg)
{
	struct pg *pg = arg;
	if (pg->state == STATE_BUSY) {
		world_set(pg->wire->world, &pg->hint, 1000, on_hint, pg);
		return;
	}
	if (pg->state == STATE_READY && pg->session.listening && pg->callbacks.notified != NULL)
		pg->callbacks.notified(pg->callbacks.arg, "sla_event", pg->payload);
}

/* pg.h ---------------------------------------------------------------------------------------------------------------
 */

struct pg *
wire_connect(struct wire *wire, const char *name, bool pooled, struct duration timeout, struct pg_server *newest,
             const struct pg_callbacks *callbacks)
{
	struct pg *pg = world_must(calloc(1, sizeof(*pg)));
	pg->wire = wire;
	pg->name = name;
	pg->pooled = pooled;
	pg->timeout = timeout;
	pg->newest = newest;
	pg->callbacks = *callbacks;
	pg->pause = PAUSE_MIN;
	LIST_INSERT_HEAD(&wire->connections, pg, link);
	return pg;
}

int
pg_new(struct event_base *base, const char *conninfo, const char *password, const char *name, struct duration timeout,
       struct pg_server *newest, const struct pg_callbacks *callbacks, struct pg **ret, char **ret_problem)
{
	(void)base;
	(void)conninfo;
	(void)password;
	(void)name;
	(void)timeout;
	(void)newest;
	(void)callbacks;
	(void)ret;
	(void)ret_problem;
	abort(); /* a daemon of the simulation gets its connections from wire_connect() */
}

void
pg_free(struct pg *pg)
{
	if (pg == NULL)
		return;
	drop(pg);
	LIST_REMOVE(pg, link);
	free(pg);
}

void
pg_keep_plans(struct pg *pg)
{
	(void)pg; /* the model has none */
}

void
pg_start(struct pg *pg)
{
	if (pg->state == STATE_NEW)
		try_(pg);
}

void
pg_restart(struct pg *pg)
{
	if (pg->state < STATE_READY)
		return;
	drop(pg);
	pause_then_try(pg);
}

void
pg_leave_former(struct pg *pg)
{
	(void)pg; /* of two servers one only can be reached */
}

/* An answer comes as a whole here: there is nothing to hold. */
void
pg_hold(struct pg *pg)
{
	(void)pg;
}

void
pg_go_on(struct pg *pg)
{
	(void)pg;
}

bool
pg_is_idle(const struct pg *pg)
{
	return pg->state == STATE_READY;
}

bool
pg_is_ready(const struct pg *pg)
{
	return pg->state >= STATE_READY;
}

/* The wire -----------------------------------------------------------------------------------------------------------
 */

static void
on_server_hint(void *arg, const char *payload)
{
	tell_all(arg, payload);
}

struct wire *
wire_new(struct world *world, struct database *database)
{
	struct wire *wire = world_must(calloc(1, sizeof(*wire)));
	wire->world = world;
	wire->database = database;
	wire->next_pid = 1000;
	LIST_INIT(&wire->messages);
	LIST_INIT(&wire->connections);
	database_on_hint(database, on_server_hint, wire);
	return wire;
}

void
wire_free(struct wire *wire)
{
	while (!LIST_EMPTY(&wire->messages))
		message_free(LIST_FIRST(&wire->messages));
	free(wire);
}

void
wire_set_faults(struct wire *wire, const struct wire_faults *faults)
{
	wire->faults = *faults;
}

void
wire_shut(struct wire *wire, int64_t until)
{
	wire->shut_until = until;
}

static void
on_cut(void *arg)
{
	struct pg *pg = arg;
	if (pg->state >= STATE_READY)
		fail(pg, "terminating connection due to administrator command");
}

void
wire_cut_all(struct wire *wire)
{
	struct pg *pg;
	LIST_FOREACH(pg, &wire->connections, link)
	{
		if (pg->state >= STATE_READY)
			world_set(wire->world, &pg->cutting, world_about(wire->world, 0, 5000), on_cut, pg);
	}
}

void
wire_part(struct pg *pg, int64_t until)
{
	pg->parted_until = until;
}
