/* HTTP requests on the loop: libcurl's multi_socket interface on libevent. Nothing blocks, names are resolved in
 * curl's threads, connections are kept for the next request. http and https alone, certificates are checked,
 * redirects are answers like others, no proxy and nothing else is taken from the environment. */
#ifndef SLATED_HTTP_CLIENT_H
#define SLATED_HTTP_CLIENT_H

#include "slated/instant.h"

struct event_base;
struct http_client;
struct http_transfer;

/* Of an answer's body so much is kept; the transfer ends there. */
#define HTTP_BODY_MAX (64 * 1024)

struct http_request {
	const char *method;
	const char *url;
	const char *const *headers; /* "Name: value", visible ASCII and blanks */
	size_t n_headers;
	const void *body; /* sent when n_body > 0 or the method is POST */
	size_t n_body;
	struct duration connect_timeout; /* 0 = 5 s */
	struct duration timeout;         /* of the whole; 0 = 15 s */
};

struct http_answer {
	int error;                   /* a CURLcode, or 0: an answer came */
	const char *error_text;      /* "" without an error */
	long status;                 /* 0 with an error */
	struct duration retry_after; /* Retry-After, as seconds or as a date; 0 = none */
	const char *body;            /* NUL-terminated, may hold NULs */
	size_t n_body;
	bool cut; /* the body was longer */
};

/* Called once from the loop, never from within http_client_send(); `answer` lives until it returns. It may send and
 * cancel, but not free the client. */
typedef void http_done(void *arg, const struct http_answer *answer);

/* A client on `base` (borrowed). 0 or -ENOMEM. */
int http_client_new(struct event_base *base, struct http_client **ret) __attribute__((warn_unused_result));

/* Ends what is in flight without calling back. Takes NULL. */
void http_client_free(struct http_client *client);

/* Starts a request; all of it is copied. *ret (may be NULL) is good for http_client_cancel() until `done` is called.
 * 0, -EINVAL for a header that is not one line of visible ASCII, -ENOMEM. */
int http_client_send(struct http_client *client, const struct http_request *request, http_done *done, void *arg,
                     struct http_transfer **ret) __attribute__((warn_unused_result));

/* Ends a transfer without calling back. */
void http_client_cancel(struct http_transfer *transfer);

/* Transfers in flight. */
size_t http_client_count(const struct http_client *client);

/* Whether `url` is an http or https URL with a host. */
bool http_url_valid(const char *url);

#endif
