/* What the parts of the HTTP server share: http_socket.c opens sockets, http_server.c has listeners and connections,
 * http_call.c requests, routes and answers, http_authority.c who may call. */
#ifndef SLATED_HTTP_INTERNAL_H
#define SLATED_HTTP_INTERNAL_H

#include <event2/event.h>
#include <event2/keyvalq_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>

#include "slated/http_server.h"
#include "slated/signature.h"

/* How long a connection may stand still: no byte read where one is waited for, none written where some wait. */
#define HTTP_IDLE_LIMIT ((const struct timeval){10, 0})

struct bufferevent;
struct evhttp;
struct evhttp_bound_socket;
struct evhttp_request;

struct http_socket {
	struct evhttp_bound_socket *bound;
	char *path; /* of a unix socket that we made; NULL otherwise */
};

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
	struct http_socket *sockets;
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
	const char *body; /* evhttp's, in one piece */
	size_t n_body;
	bool signed_by_token;
	bool broken;               /* memory is out, and the answer lacks a part */
	void (*closed)(void *arg); /* of a stream, or NULL */
	void *closed_arg;
	struct http_call *next;
};

/* "unix:" and a path, "127.0.0.1:9464", "[::1]:9464" */
#define HTTP_ADDRESS_SIZE 128

/* A socket that listens there, with mode 0660 where it has a path. A path that nobody answers is taken over. 0; -EINVAL
 * for no such address, -ENOMEM, and what socket(2), bind(2) and connect(2) say. */
int http_socket_open(const char *address, int *ret_fd) __attribute__((warn_unused_result));

/* The path in an address of the form "unix:/path", or NULL. */
const char *http_socket_path(const char *address);

/* Makes a socket of somebody else's ready for the loop. 0; -ENOTSOCK and -EINVAL where it does not listen for streams.
 */
int http_socket_prepare(int fd) __attribute__((warn_unused_result));

/* Where a socket listens, in numbers. */
void http_socket_describe(int fd, char text[HTTP_ADDRESS_SIZE]);

/* Answers a request, or gives it to its route; evhttp's callback, `arg` is the server. */
void http_call_begin(struct evhttp_request *request, void *arg);

/* Whether a call may go on to the route; it has been answered where not. */
bool http_call_is_allowed(struct http_call *call, const struct http_route *route);

/* A stream's end will not be told any more. */
void http_stream_forget(struct http_call *call);

/* Frees what is ours of a call. */
void http_call_free(struct http_call *call);

/* The connection of a request is being answered (no deadline), or waits for its next one. */
void http_connection_set_busy(struct http_server *server, const struct bufferevent *bev, bool busy);

#endif
