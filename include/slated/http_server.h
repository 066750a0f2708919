/* The HTTP server: plain HTTP/1.1 on the loop, routed by tables. Limits keep a slow or hostile client from taking more
 * than one connection's worth. Errors are answered as problem details (RFC 9457), whose
 * `detail` says what is wrong and what to do. */
#ifndef SLATED_HTTP_SERVER_H
#define SLATED_HTTP_SERVER_H

#include <jansson.h>
#include <stddef.h>

struct event_base;
struct http_call; /* one request, until it is answered */
struct http_server;

enum http_authority {
	HTTP_OPEN,  /* anybody may */
	HTTP_READ,  /* who is on this host and calls it by its own name or an address may; others as for HTTP_TOKEN */
	HTTP_TOKEN, /* "Authorization: Bearer TOKEN", or signed with the token's bytes as Standard Webhooks says */
	HTTP_OWN,   /* the function looks for itself */
};

struct http_route {
	const char *method; /* "GET" (which serves HEAD too), "POST" */
	const char *path;   /* "/api/v1/tickets/{id}/ack": {...} stands for one segment that is not empty */
	enum http_authority authority;
	/* Answers with one of http_answer...(), now or later. */
	void (*serve)(void *arg, struct http_call *call);
};

/* What other sites make a browser send is refused for all but HTTP_OWN, except for following a link. */

#define HTTP_REQUEST_MAX     (1024 * 1024)
#define HTTP_HEADERS_MAX     (16 * 1024)
#define HTTP_CONNECTIONS_MAX 128 /* others wait in the kernel's queue */

/* `token` is copied; NULL = no route with HTTP_TOKEN is served. 0 or -ENOMEM. */
int http_server_new(struct event_base *base, const char *token, struct http_server **ret)
    __attribute__((warn_unused_result));

/* Closes everything; calls that have not been answered are gone, and nobody may answer them. Takes NULL. */
void http_server_free(struct http_server *server);

/* Adds a table, which is borrowed; `arg` is for its functions. 0 or -ENOMEM. */
int http_server_add(struct http_server *server, const struct http_route *routes, size_t n, void *arg)
    __attribute__((warn_unused_result));

/* Listens on "127.0.0.1:9464", "[::1]:9464" or "unix:/path"; port 0 takes any. Logs it. 0; -EINVAL for no such address
 * and -EADDRINUSE, -EACCES and the like, which it has logged. */
int http_server_listen(struct http_server *server, const char *address) __attribute__((warn_unused_result));

/* Listens on a socket that the service manager opened and called `name`; takes it on success. Logs as above. */
int http_server_adopt(struct http_server *server, int fd, const char *name) __attribute__((warn_unused_result));

/* Takes no new connections and no new requests. */
void http_server_stop(struct http_server *server);

/* What {...} of the route's path stood for, or NULL. */
const char *http_call_segment(const struct http_call *call);

/* A parameter of the query, decoded, or a header; NULL where it is not there. */
const char *http_call_query(const struct http_call *call, const char *name);
/* The first parameter of the query that is none of `names` (up to NULL), or NULL. */
const char *http_call_query_other(const struct http_call *call, const char *const *names);
const char *http_call_header(const struct http_call *call, const char *name);

/* The address that it came from, as text. */
#define HTTP_ORIGIN_SIZE 64
void http_call_origin(const struct http_call *call, char ret[static HTTP_ORIGIN_SIZE]);

/* The body, which has no NUL at its end. */
const char *http_call_body(const struct http_call *call, size_t *ret_len);

/* The webhook-id of a signed request, for telling repeated ones; NULL where a bearer token gave authority. */
const char *http_call_message_id(const struct http_call *call);

/* Adds a header to the answer to come. */
void http_call_add_header(struct http_call *call, const char *name, const char *value);

/* Each of these ends the call. `body` may be NULL where n_body is 0. */
void http_answer(struct http_call *call, int status, const char *content_type, const char *body, size_t n_body);
/* Takes the reference; NULL is answered as lack of memory. */
void http_answer_json(struct http_call *call, int status, json_t *body);
void http_answer_error(struct http_call *call, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 503: `why` keeps it from being done now. */
void http_answer_busy(struct http_call *call, const char *why);
/* What a desk's order has failed with. */
void http_answer_failure(struct http_call *call, int status, const char *why);
/* Takes the text, which is JSON. */
struct text;
void http_answer_text(struct http_call *call, int status, struct text *json);

/* An answer that goes on (status 200), for Server-Sent Events. `closed` is called once when the client has gone, or has
 * left HTTP_STREAM_MAX unread: the call is gone then. Not called by http_server_free(). */
#define HTTP_STREAM_MAX (4 * 1024 * 1024)
void http_stream_begin(struct http_call *call, const char *content_type, void (*closed)(void *arg), void *arg);
/* May call `closed`. */
void http_stream_send(struct http_call *call, const char *data, size_t n);
void http_stream_end(struct http_call *call);
/* Closes the connection in mid-stream, as where something is missing from it. Calls `closed`. */
void http_stream_cut(struct http_call *call);

#endif
