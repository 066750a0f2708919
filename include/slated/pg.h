/* One asynchronous connection to PostgreSQL on the loop: connects, stays connected, runs one query at a time.
 * A conninfo with several hosts is tried host by host, each with a deadline of our own, since asynchronous libpq
 * ignores connect_timeout; only a server that takes writes will do. */
#ifndef SLATED_PG_H
#define SLATED_PG_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slated/instant.h"

struct event_base;
struct pg;

struct pg_callbacks {
	/* Connected; queries may be sent. */
	void (*ready)(void *arg);
	/* The connection is gone, and with it every query without an answer (their callbacks are not called). It is
	 * being made again. */
	void (*lost)(void *arg, const char *reason);
	/* A NOTIFY came; may be NULL. */
	void (*notified)(void *arg, const char *channel, const char *payload);
	void *arg;
};

/* Which server it is: its cluster, 0 where it does not tell, and how many promotions that has seen. */
struct pg_server {
	uint64_t system;
	uint64_t timeline;
};

/* Called once for each result of a query, the last time with NULL. A PGRES_COPY_OUT result is followed by its rows. */
typedef void pg_result(void *arg, PGresult *result);
/* One CopyData message; false gives up (the connection is made anew). */
typedef bool pg_copy_row(void *arg, const char *data, size_t len);

struct pg_query {
	const char *text; /* of `again`: known by its address */
	int n_params;
	const char *const *params; /* texts; NULL = SQL NULL */
	const int *lengths;        /* of those in binary format */
	const int *formats;        /* 1: binary; NULL: all are texts */
	bool binary;               /* results in binary format */
	bool apart;                /* rows come as they arrive, in several results, so that the loop turns meanwhile */
	bool again;                /* one that is sent again and again: prepared where the connection keeps that */
	struct duration timeout;   /* 0: the connection's */
	bool long_one;             /* four times that, counted anew whenever something comes */
	pg_result *result;
	pg_copy_row *row; /* for COPY TO STDOUT, or NULL */
	void *arg;
};

#define PG_CONNECT_TIMEOUT ((struct duration){4 * US_PER_S})

/* `name` becomes the application_name "slated NAME". Nothing happens before pg_start(). A query without an answer after
 * `timeout` ends the connection. `newest`, which all connections share and which starts as all zeroes, keeps them off a
 * former primary: a server that another has gone on in place of, by its timeline, is not used.
 * 0, -EINVAL for a conninfo that libpq cannot read (*ret_problem says why, to be freed), -ENOMEM. */
int pg_new(struct event_base *base, const char *conninfo, const char *password, const char *name,
           struct duration timeout, struct pg_server *newest, const struct pg_callbacks *callbacks, struct pg **ret,
           char **ret_problem) __attribute__((warn_unused_result));

/* Closes the connection at once. Takes NULL. Not from within its callbacks. */
void pg_free(struct pg *pg);

/* Tables are not read from end to end where an index will do, whatever the statistics say. Before pg_start(). */
void pg_go_by_indexes(struct pg *pg);

/* What is sent on the connection has one plan only, by indexes, so that it need be made but once, however the tables
 * grow. Before pg_start(). */
void pg_keep_plans(struct pg *pg);

/* Begins to connect, and goes on until pg_free(). */
void pg_start(struct pg *pg);

/* Ends the connection, if there is one, without calling back, and connects anew after a pause. */
void pg_restart(struct pg *pg);

/* Gives the connection up, with a call of lost(), if its server has been replaced. Not from within its own callbacks.
 */
void pg_leave_former(struct pg *pg);

/* Hands out no more rows of a COPY, nor reads them, until pg_go_on(); the query's timeout waits, too. From within its
 * row callback. */
void pg_hold(struct pg *pg);
void pg_go_on(struct pg *pg);

bool pg_is_idle(const struct pg *pg);
bool pg_is_ready(const struct pg *pg);

/* Runs one query (with parameters) or several statements (without). 0; -EBUSY while another runs or there is no
 * connection. */
int pg_send(struct pg *pg, const struct pg_query *query) __attribute__((warn_unused_result));

#endif
