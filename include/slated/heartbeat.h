/* A dead man's switch: an address that is asked again and again, but only while everything that it takes to warn
 * somebody has worked since the last time. Whoever is behind the address raises the alarm when it is asked no more. */
#ifndef SLATED_HEARTBEAT_H
#define SLATED_HEARTBEAT_H

#include "slated/instant.h"

struct event_base;
struct heartbeat;
struct http_client;

/* The links of the chain. */
enum heartbeat_link {
	HEARTBEAT_READ,    /* the database was asked for events */
	HEARTBEAT_ENGINE,  /* no timer was overdue */
	HEARTBEAT_WRITE,   /* the ledger was written, or the lease renewed */
	HEARTBEAT_DELIVER, /* deliveries were looked for, and no channel has failed for minutes */
	HEARTBEAT_COUNT,
};

/* "database read", ... */
extern const char *const heartbeat_names[HEARTBEAT_COUNT];

/* Both borrowed. 0 or -ENOMEM. */
int heartbeat_new(struct event_base *base, struct http_client *http, struct heartbeat **ret)
    __attribute__((warn_unused_result));
/* Before the client. Takes NULL. */
void heartbeat_free(struct heartbeat *heartbeat);

/* Asks `url` (copied; NULL: nobody) every `every` from now on. 0 or -ENOMEM with nothing changed. */
int heartbeat_configure(struct heartbeat *heartbeat, const char *url, struct duration every)
    __attribute__((warn_unused_result));

/* How often it is sent; 0: never. */
struct duration heartbeat_interval(const struct heartbeat *heartbeat);

/* When it was last heard, by the host's clock; 0: not yet. */
struct instant heartbeat_last_success(const struct heartbeat *heartbeat);

/* That link has just worked. */
void heartbeat_note(struct heartbeat *heartbeat, enum heartbeat_link link);

#endif
