/* What others tell us over HTTP: acknowledgements, signed by our token or by PagerDuty. */
#ifndef SLATED_INBOUND_H
#define SLATED_INBOUND_H

#include "slated/config.h"

struct http_server;
struct inbound;
struct pg;

struct inbound_hooks {
	/* Something went wrong that an operator should see. */
	void (*problem)(void *arg, const char *text);
	void *arg;
};

/* Adds its routes to the server, which must be freed first. `config` is borrowed until inbound_configure().
 * 0 or -ENOMEM. */
int inbound_new(struct http_server *server, const struct config *config, const struct inbound_hooks *hooks,
                struct inbound **ret) __attribute__((warn_unused_result));

/* Requests without an answer get none any more. Takes NULL. */
void inbound_free(struct inbound *inbound);

/* Its own connection to the database, borrowed, set before the first request. */
void inbound_set_connection(struct inbound *inbound, struct pg *pg);

/* Another configuration is in force. */
void inbound_configure(struct inbound *inbound, const struct config *config);

/* The connection is lost: who waits is told to try again. */
void inbound_on_lost(struct inbound *inbound);

#endif
