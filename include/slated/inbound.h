/* What others tell us over HTTP: acknowledgements, signed by our token or by PagerDuty. */
#ifndef SLATED_INBOUND_H
#define SLATED_INBOUND_H

#include "slated/config.h"

struct desk;
struct http_server;
struct inbound;

/* Adds its routes to the server, which must be freed first. `config` is borrowed until inbound_configure(), the desk
 * until inbound_free(). 0 or -ENOMEM. */
int inbound_new(struct http_server *server, const struct config *config, struct desk *desk, struct inbound **ret)
    __attribute__((warn_unused_result));

/* Takes NULL. */
void inbound_free(struct inbound *inbound);

/* Another configuration is in force. */
void inbound_configure(struct inbound *inbound, const struct config *config);

#endif
