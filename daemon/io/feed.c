/* The load is a list of queries in one REPEATABLE READ transaction, sent one after the other; the polls that follow
 * begin at its snapshot. What a poll brings: rows of transactions that began after the previous snapshot, and of those
 * that were in progress in it. Rows become visible by commit, not by number, so none is missed or brought twice. Those
 * of a dump that was loaded here may have higher numbers, of another cluster; they came with the load. */
#include "slated/feed.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slated/log.h"
#include "slated/loop.h"
#include "slated/pg.h"
#include "slated/result.h"
#include "slated/shards.h"
#include "slated/timebase.h"

/* While events come and just after the last, and whatever happens. So many looks after the last take longer than the
 * tenth of a second in which writers send no second hint. */
#define POLL_BUSY ((struct duration){2000})
#define POLL_IDLE ((struct duration){US_PER_S})
enum { LOOKS_AFTER = 75 };

/* A hint may be missing by chance: PostgreSQL's queue was full, or the event came with the poll. */
#define UNTOLD_MAX 3

enum phase {
	PHASE_STOPPED,
	PHASE_LISTEN,
	PHASE_BEGIN,
	PHASE_SNAPSHOT,
	PHASE_CONFIGURATIONS,
	PHASE_STATES,
	PHASE_CLOCKS,
	PHASE_EVENTS,
	PHASE_COMMIT,
	PHASE_POLLING,
};

#define COPY(query) "COPY (" query ") TO STDOUT (FORMAT binary)"

static const char *const phase_sql[] = {
    [PHASE_LISTEN] = "LISTEN sla_event; SELECT pg_backend_pid()",
    [PHASE_BEGIN] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL enable_seqscan = on; "
                    "SET LOCAL max_parallel_workers_per_gather TO DEFAULT",
    [PHASE_SNAPSHOT] = "SELECT pg_current_snapshot()::text, clock_timestamp()",
    [PHASE_CONFIGURATIONS] = "SELECT digest, source FROM sla.configuration WHERE digest <> $1 AND (digest IN "
                             "(SELECT c.configuration FROM sla.clock c JOIN sla.ticket_state s USING (ticket_id) "
                             "WHERE NOT s.closed) OR digest IN (" LADDER_CONFIGURATIONS("NOT s.closed") "))",
    [PHASE_STATES] = COPY("SELECT " STATE_COLUMNS " FROM sla.ticket_state s WHERE NOT s.closed AND %s"),
    [PHASE_CLOCKS] = COPY("SELECT " CLOCK_COLUMNS " FROM sla.clock c JOIN sla.ticket_state s USING (ticket_id) "
                          "WHERE NOT s.closed AND %s AND (c.ended_at IS NULL OR NOT EXISTS (SELECT FROM sla.clock l "
                          "WHERE l.ticket_id = c.ticket_id AND l.metric = c.metric AND l.cycle > c.cycle))"),
    [PHASE_EVENTS] =
        COPY("SELECT " EVENT_COLUMNS " FROM sla.ticket t LEFT JOIN sla.ticket_state s ON s.ticket_id = t.id "
             "JOIN sla.event e ON e.ticket_id = t.id AND e.seq > coalesce(s.applied_seq, 0) "
             "WHERE t.event_seq > coalesce(s.applied_seq, 0) AND %s ORDER BY e.ticket_id, e.seq"),
    [PHASE_COMMIT] = "COMMIT",
};

/* Its plan is kept, perhaps since there were no events yet. The first column to sort by is an expression, so that no
 * index but that by transaction is of use. */
static const char poll_sql[] =
    "WITH now AS MATERIALIZED (SELECT pg_current_snapshot() AS snapshot) "
    "SELECT n.snapshot::text, clock_timestamp(), pg_backend_pid(), " EVENT_COLUMNS
    " FROM now n LEFT JOIN sla.event e ON "
    "(e.xid >= pg_snapshot_xmax($1::pg_snapshot) AND e.xid < pg_snapshot_xmax(n.snapshot) OR e.xid = ANY ($2::xid8[])) "
    "AND ($3::integer[] IS NULL OR e.ticket_id % 256 = ANY ($3)) ORDER BY e.ticket_id + 0, e.seq";
enum { POLL_HEAD = 3, POLL_COLUMNS = POLL_HEAD + EVENT_COLUMN_COUNT };

struct feed {
	struct loop *loop;
	struct timebase *timebase;
	struct feed_hooks hooks;
	struct pg *pg;
	struct timer *timer;
	enum phase phase;
	const char *digest;
	const struct shards *shards;
	char *snapshot; /* of the last load or poll */
	char *in_progress;
	bool failed; /* the query in hand: why */
	char error[RESULT_ERROR_SIZE];
	int64_t sent;         /* ticks */
	int64_t read_at;      /* ticks: all that was committed by then has been handed out */
	struct duration took; /* the last poll, until its answer was there */
	bool in_copy;
	bool wanted; /* a poll, as soon as the connection is idle */
	bool got_events;
	bool amid;    /* in a poll's answer: more of it is to come */
	bool telling; /* of the end of a load or a poll: who hears of it may want the next look, which comes after that
	               */
	unsigned after; /* looks after the last events that are still to come */
	bool resting;   /* and one is what the timer waits for */
	bool probing;   /* a NOTIFY to oneself is still to be sent */
	bool judging;   /* it has been sent: it must be there once the next poll has been answered */
	bool heard;     /* it came */
	bool hinted;    /* since the last poll */
	bool idling;    /* the timer waits since nothing came: what it finds should have been told of */
	int untold;     /* such finds without a hint, in a row */
	int64_t listener;
	bool poll_only;
};

static void feed_next(struct feed *feed);
static void feed_poll(struct feed *feed);

static void
on_timer(void *arg)
{
	struct feed *feed = arg;
	if (feed->resting && feed->after > 0)
		feed->after--;
	feed_wake(feed);
}

int
feed_new(struct loop *loop, struct timebase *timebase, const struct feed_hooks *hooks, struct feed **ret)
{
	struct feed *feed = calloc(1, sizeof(*feed));
	if (feed == NULL)
		return -ENOMEM;
	feed->timebase = timebase;
	feed->hooks = *hooks;
	feed->loop = loop;
	if (timer_new(loop, on_timer, feed, &feed->timer) < 0) {
		free(feed);
		return -ENOMEM;
	}
	*ret = feed;
	return 0;
}

void
feed_free(struct feed *feed)
{
	if (feed == NULL)
		return;
	timer_free(feed->timer);
	free(feed->snapshot);
	free(feed->in_progress);
	free(feed);
}

void
feed_set_connection(struct feed *feed, struct pg *pg)
{
	feed->pg = pg;
}

bool
feed_is_poll_only(const struct feed *feed)
{
	return feed->poll_only;
}

void
feed_stop(struct feed *feed)
{
	feed->phase = PHASE_STOPPED;
	timer_unset(feed->timer);
	feed->failed = false;
	feed->amid = false;
}

bool
feed_is_amid(const struct feed *feed)
{
	return feed->amid;
}

int64_t
feed_read_at(const struct feed *feed)
{
	return feed->read_at;
}

static void
give_up(struct feed *feed, const char *why)
{
	char text[300];
	(void)snprintf(text, sizeof(text), "%s", why);
	feed_stop(feed);
	feed->hooks.problem(feed->hooks.arg, text);
}

static void
send_query(struct feed *feed, const struct pg_query *query)
{
	feed->sent = loop_ticks(feed->loop);
	int r = pg_send(feed->pg, query);
	assert(r == 0); /* the connection is idle */
	(void)r;
}

/* Takes over the snapshot "xmin:xmax:xip,xip". False: out of memory. */
static bool
take_snapshot(struct feed *feed, const char *text)
{
	const char *list = strrchr(text, ':');
	assert(list != NULL); /* pg_snapshot's output */
	free(feed->snapshot);
	free(feed->in_progress);
	feed->snapshot = strdup(text);
	if (asprintf(&feed->in_progress, "{%s}", list + 1) < 0)
		feed->in_progress = NULL;
	return feed->snapshot != NULL && feed->in_progress != NULL;
}

static void
note_error(struct feed *feed, PGresult *result)
{
	feed->failed = true;
	result_write_error(result, feed->error);
}

/* Without memory of its own, or what went wrong for want of memory would be taken for right. */
static void
fail(struct feed *feed, const char *why)
{
	feed->failed = true;
	(void)snprintf(feed->error, sizeof(feed->error), "%s", why);
}

/* The server's time, from the first row. A wide correction is a stepped clock. */
static bool
take_time(struct feed *feed, PGresult *result)
{
	struct instant server;
	if (pg_read_instant(result_value(result, 0, 1), &server) < 0)
		return false;
	bool known = feed->timebase->known;
	struct duration correction = timebase_sample(feed->timebase, feed->sent, loop_ticks(feed->loop), server);
	if (known && (correction.us > US_PER_S || correction.us < -US_PER_S))
		log_warning("the database's clock was stepped", log_duration("by", correction));
	return true;
}

/* Loading ---------------------------------------------------------------------------------------------------------- */

static bool
on_copy_row(void *arg, const char *data, size_t len)
{
	struct feed *feed = arg;
	struct pg_value values[EVENT_COLUMN_COUNT];
	int r = 0;
	if (!feed->in_copy) {
		feed->in_copy = true;
		r = pg_copy_header(data, len);
		if (r < 0)
			return false;
		data += r;
		len -= (size_t)r;
		if (len == 0)
			return true;
	}
	size_t columns = feed->phase == PHASE_STATES   ? (size_t)STATE_COLUMN_COUNT
	                 : feed->phase == PHASE_CLOCKS ? (size_t)CLOCK_COLUMN_COUNT
	                                               : (size_t)EVENT_COLUMN_COUNT;
	r = pg_copy_tuple(data, len, values, columns);
	if (r <= 0)
		return r == 0;
	if (feed->phase == PHASE_STATES)
		return feed->hooks.state(feed->hooks.arg, values);
	if (feed->phase == PHASE_CLOCKS)
		return feed->hooks.clock(feed->hooks.arg, values);
	if (!feed->hooks.event(feed->hooks.arg, values))
		return false;
	if (!feed->hooks.hungry(feed->hooks.arg))
		pg_hold(feed->pg);
	return true;
}

static bool
take_phase_rows(struct feed *feed, PGresult *result)
{
	if (feed->phase == PHASE_LISTEN)
		feed->listener = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	if (feed->phase == PHASE_SNAPSHOT) {
		feed->read_at = feed->sent; /* once the load is over */
		return take_time(feed, result) && take_snapshot(feed, PQgetvalue(result, 0, 0));
	}
	for (int i = 0; feed->phase == PHASE_CONFIGURATIONS && i < PQntuples(result); i++)
		if (!feed->hooks.configuration(feed->hooks.arg, PQgetvalue(result, i, 0), PQgetvalue(result, i, 1)))
			return false;
	return true;
}

static void
on_phase_result(void *arg, PGresult *result)
{
	struct feed *feed = arg;
	if (feed->phase == PHASE_STOPPED)
		return;
	if (result == NULL) {
		if (feed->failed)
			give_up(feed, feed->error);
		else
			feed_next(feed);
		return;
	}
	ExecStatusType status = PQresultStatus(result);
	if (status == PGRES_TUPLES_OK && !take_phase_rows(feed, result))
		fail(feed, "what the database holds could not be loaded");
	else if (status == PGRES_FATAL_ERROR)
		note_error(feed, result);
}

/* The query of the present phase. COPY takes no parameters, so the shards, numbers of our own, stand in its text. NULL:
 * out of memory. */
static char *
phase_text(const struct feed *feed)
{
	const char *sql = phase_sql[feed->phase], *place = strstr(sql, "%s"), *list = shards_filter(feed->shards);
	const char *column = feed->phase == PHASE_EVENTS ? "t.id" : "s.ticket_id";
	char *text;
	if (place == NULL)
		return strdup(sql);
	int n = list == NULL
	            ? asprintf(&text, "%.*strue%s", (int)(place - sql), sql, place + 2)
	            : asprintf(&text, "%.*s%s %% 256 = ANY ('%s')%s", (int)(place - sql), sql, column, list, place + 2);
	return n < 0 ? NULL : text;
}

/* Sends the query of the next phase. */
static void
feed_next(struct feed *feed)
{
	if (feed->phase == PHASE_COMMIT) {
		feed->phase = PHASE_POLLING;
		feed->probing = true;
		feed->telling = true;
		feed->hooks.loaded(feed->hooks.arg);
		feed->telling = false;
		if (feed->phase == PHASE_POLLING)
			feed_poll(feed);
		return;
	}
	if (feed->phase == PHASE_CLOCKS && !feed->hooks.restored(feed->hooks.arg)) {
		give_up(feed, "what the database holds could not be loaded");
		return;
	}
	feed->phase++;
	feed->in_copy = false;
	bool digest = feed->phase == PHASE_CONFIGURATIONS;
	const char *params[] = {feed->digest};
	char *text = phase_text(feed);
	if (text == NULL) {
		give_up(feed, "out of memory");
		return;
	}
	send_query(feed, &(struct pg_query){.text = text,
	                                    .n_params = digest ? 1 : 0,
	                                    .params = params,
	                                    .binary = feed->phase == PHASE_SNAPSHOT,
	                                    .long_one = true, /* millions of rows */
	                                    .result = on_phase_result,
	                                    .row = on_copy_row,
	                                    .arg = feed});
	free(text);
}

void
feed_load(struct feed *feed, const char *digest, const struct shards *shards)
{
	assert(feed->phase == PHASE_STOPPED);
	feed->digest = digest;
	feed->shards = shards;
	feed->hooks.reset(feed->hooks.arg);
	feed_next(feed);
}

/* A pooler in transaction mode is told from the others by any of three: the NOTIFY to oneself does not come, a poll
 * runs in another session than LISTEN did, or events were there again and again that no hint had come for. It is said
 * once: another load may seem to hear by chance. */
static void
feed_note_deaf(struct feed *feed)
{
	if (!feed->poll_only)
		log_warning(
		    "NOTIFY does not arrive, polling instead; connect to PostgreSQL directly or through a pooler in "
		    "session mode for quicker answers");
	feed->poll_only = true;
}

/* Polling ---------------------------------------------------------------------------------------------------------- */

/* Takes what each row of a poll's answer begins with, from the first. */
static bool
take_head(struct feed *feed, PGresult *result)
{
	int32_t pid;
	if (!take_time(feed, result) || !take_snapshot(feed, PQgetvalue(result, 0, 0)))
		return false;
	feed->took = (struct duration){loop_ticks(feed->loop) - feed->sent};
	feed->got_events = !PQgetisnull(result, 0, POLL_HEAD);
	if (pg_read_int32(result_value(result, 0, 2), &pid) == 0 && pid != feed->listener)
		feed_note_deaf(feed);
	if (feed->hinted)
		feed->untold = 0;
	else if (feed->idling && feed->got_events && ++feed->untold == UNTOLD_MAX)
		feed_note_deaf(feed);
	feed->hinted = false;
	feed->amid = true;
	return true;
}

/* Takes some rows of a poll's answer. */
static void
take_events(struct feed *feed, PGresult *result)
{
	struct pg_value values[EVENT_COLUMN_COUNT];
	if (!feed->amid && PQntuples(result) > 0 && !take_head(feed, result)) {
		fail(feed, "a poll's answer could not be read");
		return;
	}
	for (int row = 0; feed->got_events && row < PQntuples(result); row++) {
		for (int i = 0; i < EVENT_COLUMN_COUNT; i++)
			values[i] = result_value(result, row, POLL_HEAD + i);
		if (!feed->hooks.event(feed->hooks.arg, values)) {
			fail(feed, "an event could not be applied");
			return;
		}
	}
}

/* Writers send one hint per tenth of a second, so what comes just after events may come without one. Other polls on the
 * way do not stand in for the looks after them. */
static void
plan_poll(struct feed *feed)
{
	struct duration pause = feed->got_events || feed->after > 0 ? POLL_BUSY : POLL_IDLE;
	feed->resting = feed->after > 0 && !feed->got_events;
	feed->idling = feed->after == 0 && !feed->got_events;
	if (feed->got_events)
		feed->after = LOOKS_AFTER;
	timer_set(feed->timer, pause);
}

static void
judge_probe(struct feed *feed)
{
	if (!feed->judging)
		return;
	feed->judging = false;
	if (!feed->heard)
		feed_note_deaf(feed);
}

static void
on_poll_result(void *arg, PGresult *result)
{
	struct feed *feed = arg;
	if (feed->phase == PHASE_STOPPED)
		return;
	if (result != NULL) {
		ExecStatusType status = PQresultStatus(result);
		if (status != PGRES_TUPLES_OK && status != PGRES_SINGLE_TUPLE)
			note_error(feed, result);
		else if (!feed->failed)
			take_events(feed, result);
		return;
	}
	feed->amid = false;
	if (feed->failed) {
		give_up(feed, feed->error);
		return;
	}
	feed->read_at = feed->sent;
	judge_probe(feed);
	feed->telling = true;
	feed->hooks.polled(feed->hooks.arg, feed->took);
	feed->telling = false;
	if (feed->phase != PHASE_POLLING)
		return;
	plan_poll(feed);
	if (feed->wanted)
		feed_wake(feed);
}

static void
on_probe_result(void *arg, PGresult *result)
{
	struct feed *feed = arg;
	if (feed->phase == PHASE_STOPPED)
		return;
	if (result != NULL && PQresultStatus(result) != PGRES_COMMAND_OK)
		note_error(feed, result);
	else if (result == NULL && feed->failed)
		give_up(feed, feed->error);
	else if (result == NULL)
		feed_wake(feed);
}

/* A NOTIFY to oneself: one that is not there after the next query's answer never comes, as behind a pooler that gives
 * the connection to another client between two transactions. */
static void
feed_probe(struct feed *feed)
{
	feed->probing = false;
	feed->judging = true;
	feed->heard = false;
	send_query(feed,
	           &(struct pg_query){.text = "NOTIFY sla_event, 'probe'", .result = on_probe_result, .arg = feed});
}

static void
feed_poll(struct feed *feed)
{
	const char *params[] = {feed->snapshot, feed->in_progress, shards_filter(feed->shards)};
	feed->wanted = false;
	timer_unset(feed->timer);
	send_query(feed, &(struct pg_query){.text = poll_sql,
	                                    .n_params = 3,
	                                    .params = params,
	                                    .binary = true,
	                                    .again = true,
	                                    .apart = true,
	                                    .result = on_poll_result,
	                                    .arg = feed});
}

void
feed_wake(struct feed *feed)
{
	feed->wanted = true;
	if (feed->phase != PHASE_POLLING || feed->telling || !pg_is_idle(feed->pg) ||
	    !feed->hooks.hungry(feed->hooks.arg))
		return;
	if (feed->probing) {
		feed_probe(feed);
		return;
	}
	feed_poll(feed);
}

void
feed_resume(struct feed *feed)
{
	if (feed->phase == PHASE_EVENTS)
		pg_go_on(feed->pg);
	else if (feed->wanted)
		feed_wake(feed);
}

void
feed_on_notify(struct feed *feed, const char *channel, const char *payload)
{
	(void)channel; /* we listen to one */
	if (strcmp(payload, "probe") == 0) {
		feed->heard = true;
		return;
	}
	feed->hinted = true;
	feed_wake(feed);
}
