/* What the halves of the HTTP server share: http_server.c has sockets and connections, http_call.c requests, routes,
 * authority and answers. */
#ifndef SLATED_HTTP_INTERNAL_H
#define SLATED_HTTP_INTERNAL_H

#include <event2/event.h>
#include <event2/keyvalq_struct.h>
#include <stdbool.h>
#include <stdint.h>

#include "slated/http_server.h"
#include "slated/signature.h"

struct bufferevent;
struct evhttp;
struct evhttp_bound_socket;
struct evhttp_request;

struct http_connection {
	struct bufferevent *bev; /* one reference is ours */
	int64_t deadline;        /* in ticks: the request must be read by then; INT64_MAX while it is being answered */
	struct http_connection *next;
};

struct http_table {
	const struct http_route *routes;
	size_t n;
	void *arg;
};

struct http_server {
	struct event_base *base;
	struct evhttp *evhttp;
	char *token; /* or NULL */
	struct signing_key key;
	struct http_table *tables;
	size_t n_tables;
	struct evhttp_bound_socket **sockets;
	size_t n_sockets;
	struct http_connection *connections;
	size_t n_connections;
	struct http_call *calls; /* not answered yet */
	struct event *sweep;     /* while there are connections */
	bool accepting;
	bool stopped;
};

struct http_call {
	struct http_server *server;
	struct evhttp_request *request;
	char *segment;
	struct evkeyvalq query;
	bool signed_by_token;
	void (*closed)(void *arg); /* of a stream, or NULL */
	void *closed_arg;
	struct http_call *next;
};

/* Answers a request, or gives it to its route; evhttp's callback, `arg` is the server. */
void http_call_begin(struct evhttp_request *request, void *arg);

/* A stream's end will not be told any more. */
void http_stream_forget(struct http_call *call);

/* Frees what is ours of a call. */
void http_call_free(struct http_call *call);

/* The connection of a request is being answered (no deadline), or waits for its next one. */
void http_connection_set_busy(struct http_server *server, const struct bufferevent *bev, bool busy);

#endif
