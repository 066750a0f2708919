/* The HTTP API below /api/v1, as doc/openapi.yaml describes it: what slated knows, to be read; acknowledging,
 * silencing and assessing; and a stream of changes. */
#ifndef SLATED_API_H
#define SLATED_API_H

#include "slated/config.h"

struct api;
struct desk;
struct event_base;
struct http_server;
struct jsonw;

struct api_hooks {
	struct instant (*now)(void *arg);
	/* The policies of the configuration with that digest, or of the one in force where that is not known. */
	const struct policy_set *(*policies)(void *arg, const char *digest);
	/* Adds the members of GET /api/v1/status to the object that is open. */
	void (*status)(void *arg, struct jsonw *json);
	/* Whether this daemon applies the events, so that it hears of changes. */
	bool (*is_live)(void *arg);
	/* Whether no other daemon has a share of the tickets. */
	bool (*has_all)(void *arg);
	void *arg;
};

/* Adds its routes to the server, which must be freed first. Changes go over one desk and reading over the other, so
 * that a long list holds up no acknowledgement. `config` is borrowed until api_configure(), the desks until api_free().
 * 0 or -ENOMEM. */
int api_new(struct event_base *base, struct http_server *server, const struct config *config, struct desk *changes,
            struct desk *reads, const struct api_hooks *hooks, struct api **ret) __attribute__((warn_unused_result));

/* Takes NULL. */
void api_free(struct api *api);

/* Another configuration is in force. */
void api_configure(struct api *api, const struct config *config);

/* The ticket is in the batch that is being gathered; the batch has been committed; everything was loaded anew. */
void api_note_ticket(struct api *api, int64_t ticket);
void api_note_commit(struct api *api);
void api_note_load(struct api *api);

#endif
