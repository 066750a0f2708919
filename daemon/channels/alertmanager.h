/* The parts of the alertmanager channel, and what its tests set. */
#ifndef SLATED_ALERTMANAGER_H
#define SLATED_ALERTMANAGER_H

#include "slated/instant.h"

#include <jansson.h>

struct channel;
struct message;

/* How often open alerts are sent again, a minute until then; the other times of the channel follow it. */
void alertmanager_set_interval(struct channel *channel, struct duration interval);

/* One message's alert: a new one, or the `known` one (NULL = none) as it is from now on. It has a member "endsAt" only
 * where it has ended; a test ends by itself after `test`. To be given to json_decref(); NULL without memory. */
json_t *alertmanager_alert_new(const struct message *message, const json_t *known, struct instant now,
                               struct duration test);

/* 0, or -1 without memory, as jansson has it. */
int alertmanager_put_instant(json_t *object, const char *name, struct instant at);

/* INSTANT_NEVER where there is none. */
struct instant alertmanager_get_instant(const json_t *object, const char *name);

#endif
