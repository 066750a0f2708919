/* What the parts of the API share: api.c has the short answers, api_clocks.c clocks, api_ticket.c one ticket,
 * api_explain.c why its clocks are as they are, api_change.c what changes something, api_stream.c the live stream. */
#ifndef SLATED_API_INTERNAL_H
#define SLATED_API_INTERNAL_H

#include <stdbool.h>

#include "slated/api.h"
#include "slated/clock_list.h"
#include "slated/desk.h"
#include "slated/http_server.h"

struct event;

/* Tickets by their ids, each once. */
struct ticket_ids {
	int64_t *ids;
	size_t n;
	size_t room;
	bool overflown; /* more than are worth telling one by one */
};

struct subscriber {
	struct api *api;
	struct http_call *call;
	struct subscriber *next;
};

struct api {
	struct api_hooks hooks;
	const struct config *config;
	struct desk *changes;
	struct desk *reads;
	struct subscriber *subscribers;
	size_t n_subscribers;
	struct ticket_ids gathered;  /* in the batch on its way */
	struct ticket_ids committed; /* to be told of */
	struct ticket_ids asked;     /* being read */
	struct event *tell;          /* a moment after a commit, so that what comes together is told together */
	struct event *beat;          /* while there are subscribers */
	bool asking;
	bool reload; /* tell them to read everything anew */
};

/* One request while the database is asked. */
struct api_request {
	struct api *api;
	struct http_call *call;
	int64_t number; /* what the request is about, or its limit */
};

/* Gives the desk an order whose `arg` is a new request, which `done` frees; fills in `failed` and `arg`. */
void api_order(struct api *api, struct desk *desk, struct http_call *call, int64_t number, struct desk_order order);
/* desk_order's. Frees the request. */
void api_request_failed(void *arg, int status, const char *why);

/* Why there is nothing to answer under {id}. */
extern const char api_no_such_ticket[];

/* Answers 400 for a parameter that is none of `names` (up to NULL). Whether all are known. */
bool api_query_is_known(struct http_call *call, const char *const *names);
/* A parameter that is a number from 1 to `max`; `otherwise` where it is not given. False after answering 400. */
bool api_query_number(struct http_call *call, const char *name, int64_t max, int64_t otherwise, int64_t *ret);
/* {id} of the path. False after answering 404. */
bool api_path_number(struct http_call *call, int64_t *ret);

/* A number from 1 to `max` in plain digits. */
bool api_number_read(const char *text, int64_t max, int64_t *ret);

/* A number as a parameter. */
#define API_NUMBER_SIZE 24
void api_number(int64_t value, char text[static API_NUMBER_SIZE]);

/* Reads the clock of a row's columns from `column` on, counted on the calendars of its own configuration, which are
 * returned. */
const struct policy_set *api_clock_read(const struct api *api, const PGresult *rows, int row, int column,
                                        struct instant now, struct clock_row *ret);
/* Adds it to the object that is open. */
void api_clock_write(struct jsonw *json, const struct clock_row *clock, const struct policy_set *set,
                     struct instant now);
/* The list's row as an object. */
void api_clock_write_listed(const struct api *api, struct jsonw *json, const PGresult *rows, int row,
                            struct instant now);

/* Adds "explanation", "spans" and "open" to the object that is open. */
void api_explain(struct jsonw *json, const struct clock_row *clock, const struct policy_set *set, struct instant now);

int api_stream_new(struct api *api, struct event_base *base) __attribute__((warn_unused_result));
void api_stream_free(struct api *api);

/* Routes; `arg` is the api. */
void api_serve_clocks(void *arg, struct http_call *call);
void api_serve_ticket(void *arg, struct http_call *call);
void api_serve_ticket_by_name(void *arg, struct http_call *call);
void api_serve_explanation(void *arg, struct http_call *call);
void api_serve_assess(void *arg, struct http_call *call);
void api_serve_silence(void *arg, struct http_call *call);
void api_serve_end_silence(void *arg, struct http_call *call);
void api_serve_stream(void *arg, struct http_call *call);

#endif
