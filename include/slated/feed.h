/* The feed: loads what is open, then brings each event once, in the order of a ticket's seq. Start, reconnect and
 * fail-over are one path. Its cursor is the snapshot of its previous poll, kept in memory only. */
#ifndef SLATED_FEED_H
#define SLATED_FEED_H

#include "slated/pg_value.h"
#include "slated/rows.h"

struct shards;
struct feed;
struct loop;
struct pg;
struct timebase;

struct feed_hooks {
	/* Loading begins: forget everything. */
	void (*reset)(void *arg);
	/* The rows of the load, in this order: configurations (digest, source), states, clocks, events not yet applied.
	 * False gives up: the load begins anew after a pause. */
	bool (*configuration)(void *arg, const char *digest, const char *source);
	bool (*state)(void *arg, const struct pg_value *values);
	bool (*clock)(void *arg, const struct pg_value *values);
	/* All clocks are there. */
	bool (*restored)(void *arg);
	bool (*event)(void *arg, const struct pg_value *values);
	/* All is loaded; events come from now on. */
	void (*loaded)(void *arg);
	/* A poll's events have been handed out; the database took so long to answer. */
	void (*polled)(void *arg, struct duration took);
	/* May events be taken in now? Asked before each poll, and after each event of a load; feed_resume() when that
	 * changes. */
	bool (*hungry)(void *arg);
	/* It cannot go on and has stopped: the connection must be made anew before the next feed_load(). */
	void (*problem)(void *arg, const char *text);
	void *arg;
};

/* `loop` and `timebase` are borrowed; polls feed the latter. 0 or -ENOMEM. */
int feed_new(struct loop *loop, struct timebase *timebase, const struct feed_hooks *hooks, struct feed **ret)
    __attribute__((warn_unused_result));
void feed_free(struct feed *feed);

/* Borrowed; before feed_load(). */
void feed_set_connection(struct feed *feed, struct pg *pg);

/* The connection is up and the driver ready: loads, then polls. `digest` names the configuration that is known. */
void feed_load(struct feed *feed, const char *digest, const struct shards *shards);

/* The connection is lost, or the driver must begin anew. */
void feed_stop(struct feed *feed);

/* A hint came: looks now. */
void feed_wake(struct feed *feed);

/* The driver is hungry again: makes the look that was put off, if any was, or goes on with the load. */
void feed_resume(struct feed *feed);

/* Whether a part of a poll's answer has been handed out and more is to come. What is due meanwhile waits: an event that
 * is there already may keep a clock from it. */
bool feed_is_amid(const struct feed *feed);

/* Ticks: what was committed by then has been handed out. */
int64_t feed_read_at(const struct feed *feed);

/* Whether NOTIFY does not reach us. */
bool feed_is_poll_only(const struct feed *feed);

/* A NOTIFY came. */
void feed_on_notify(struct feed *feed, const char *channel, const char *payload);

#endif
