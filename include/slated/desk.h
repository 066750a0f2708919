/* Statements on behalf of HTTP requests: they wait in a short queue for one connection to the database. */
#ifndef SLATED_DESK_H
#define SLATED_DESK_H

#include <libpq-fe.h>

#include "slated/instant.h"

struct desk;
struct pg;

#define DESK_STATEMENTS_MAX 8
#define DESK_PARAMS_MAX     20
#define DESK_WAITING_MAX    64

/* One order: statements that share their parameters, run one after another. Exactly one of `done` and `failed` is
 * called, from the loop or within desk_put(). */
struct desk_order {
	const char *sql[DESK_STATEMENTS_MAX]; /* up to the first NULL; borrowed */
	const char *params[DESK_PARAMS_MAX];  /* copied; NULL = SQL NULL */
	int n_params[DESK_STATEMENTS_MAX];    /* how many of them each statement takes */
	/* The statements' results, which the desk clears. */
	void (*done)(void *arg, PGresult *const *results);
	/* As an answer over HTTP: 503 for what passes, 400 for a value that the database cannot take, 500 for what an
	 * operator must see, of which `problem` was told. */
	void (*failed)(void *arg, int status, const char *why);
	/* Called instead of them where the desk is freed before, to free what is the order's; or NULL. */
	void (*forgotten)(void *arg);
	void *arg;
};

struct desk_hooks {
	/* Something went wrong that an operator should see. */
	void (*problem)(void *arg, const char *text);
	void *arg;
};

/* `limit` is what one statement may take. 0 or -ENOMEM. */
int desk_new(const struct desk_hooks *hooks, struct duration limit, struct desk **ret)
    __attribute__((warn_unused_result));

/* Forgets what waits. Takes NULL. */
void desk_free(struct desk *desk);

/* Its own connection, borrowed, set before the first order. */
void desk_set_connection(struct desk *desk, struct pg *pg);

/* The connection is lost: everything that waits fails. */
void desk_on_lost(struct desk *desk);

void desk_put(struct desk *desk, const struct desk_order *order);

#endif
