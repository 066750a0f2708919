/* Requests: which route they take, and how they are answered. */
#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "http_internal.h"
#include "slated/render.h"
#include "slated/text.h"

#define JSON_TYPE    "application/json"
#define PROBLEM_TYPE "application/problem+json" /* RFC 9457 */

/* The request ------------------------------------------------------------------------------------------------------ */

const char *
http_call_segment(const struct http_call *call)
{
	return call->segment;
}

const char *
http_call_query(const struct http_call *call, const char *name)
{
	return evhttp_find_header(&call->query, name);
}

const char *
http_call_query_other(const struct http_call *call, const char *const *names)
{
	const struct evkeyval *given;
	TAILQ_FOREACH(given, &call->query, next)
	{
		size_t i = 0;
		while (names[i] && strcmp(names[i], given->key) != 0)
			i++;
		if (!names[i])
			return given->key;
	}
	return NULL;
}

const char *
http_call_header(const struct http_call *call, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(call->request), name);
}

void
http_call_origin(const struct http_call *call, char ret[static HTTP_ORIGIN_SIZE])
{
	struct evhttp_connection *connection = evhttp_request_get_connection(call->request);
	char *address = NULL;
	ev_uint16_t port;
	if (connection)
		evhttp_connection_get_peer(connection, &address, &port);
	(void)snprintf(ret, HTTP_ORIGIN_SIZE, "%s", address ? address : "unknown");
}

const char *
http_call_body(const struct http_call *call, size_t *ret_len)
{
	*ret_len = call->n_body;
	return call->body;
}

const char *
http_call_message_id(const struct http_call *call)
{
	return call->signed_by_token ? http_call_header(call, "webhook-id") : NULL;
}

static const char *
method_name(const struct http_call *call)
{
	static const struct {
		enum evhttp_cmd_type method;
		const char *name;
	} names[] = {
	    {EVHTTP_REQ_GET, "GET"},         {EVHTTP_REQ_POST, "POST"},   {EVHTTP_REQ_HEAD, "HEAD"},
	    {EVHTTP_REQ_PUT, "PUT"},         {EVHTTP_REQ_PATCH, "PATCH"}, {EVHTTP_REQ_DELETE, "DELETE"},
	    {EVHTTP_REQ_OPTIONS, "OPTIONS"},
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].method == evhttp_request_get_command(call->request))
			return names[i].name;
	return "";
}

/* The answer ------------------------------------------------------------------------------------------------------- */

void
http_call_free(struct http_call *call)
{
	evhttp_clear_headers(&call->query);
	free(call->segment);
	free(call);
}

void
http_call_add_header(struct http_call *call, const char *name, const char *value)
{
	call->broken |= evhttp_add_header(evhttp_request_get_output_headers(call->request), name, value) < 0;
}

static void
call_unlist(struct http_call *call)
{
	struct http_call **link = &call->server->calls;
	while (*link != call)
		link = &(*link)->next;
	*link = call->next;
}

/* The client sees that there is no answer, and none that lacks its body or what keeps a page safe. */
static void
call_drop_broken(const struct http_call *call)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(call->request);
	if (connection && call->broken)
		(void)shutdown(bufferevent_getfd(evhttp_connection_get_bufferevent(connection)), SHUT_RDWR);
}

void
http_answer(struct http_call *call, int status, const char *content_type, const char *body, size_t n_body)
{
	struct http_server *server = call->server;
	struct evbuffer *buffer = evhttp_request_get_output_buffer(call->request);
	struct evhttp_connection *connection = evhttp_request_get_connection(call->request);
	char length[24];
	call_unlist(call);
	(void)snprintf(length, sizeof(length), "%zu", n_body);
	/* The body that 304 is about is another one. */
	if (status != HTTP_NOTMODIFIED) {
		http_call_add_header(call, "Content-Type", content_type);
		http_call_add_header(call, "Content-Length", length);
	}
	if (!evhttp_find_header(evhttp_request_get_output_headers(call->request), "Cache-Control"))
		http_call_add_header(call, "Cache-Control", "no-store");
	http_call_add_header(call, "X-Content-Type-Options", "nosniff");
	if (n_body > 0 && evhttp_request_get_command(call->request) != EVHTTP_REQ_HEAD)
		call->broken |= evbuffer_add(buffer, body, n_body) < 0;
	if (connection)
		http_connection_set_busy(server, evhttp_connection_get_bufferevent(connection), false);
	call_drop_broken(call);
	evhttp_send_reply(call->request, status, NULL, NULL);
	http_call_free(call);
}

/* Takes the reference. */
static void
answer_object(struct http_call *call, int status, const char *content_type, json_t *body)
{
	static const char unavailable[] =
	    "{\"title\": \"Service Unavailable\", \"status\": 503, \"detail\": \"slated is "
	    "out of memory: try again\"}\n";
	char *text = body ? json_dumps(body, JSON_ENSURE_ASCII) : NULL;
	char *line;
	int n = text ? asprintf(&line, "%s\n", text) : -1;
	if (n >= 0) {
		http_answer(call, status, content_type, line, (size_t)n);
		free(line);
	} else {
		http_answer(call, HTTP_SERVUNAVAIL, PROBLEM_TYPE, unavailable, strlen(unavailable));
	}
	free(text);
	json_decref(body);
}

void
http_answer_json(struct http_call *call, int status, json_t *body)
{
	answer_object(call, status, JSON_TYPE, body);
}

/* The status line's words (RFC 9110, section 15), of those that slated answers with. */
static const char *
status_title(int status)
{
	static const struct {
		int status;
		const char *title;
	} titles[] = {
	    {400, "Bad Request"},
	    {401, "Unauthorized"},
	    {403, "Forbidden"},
	    {404, "Not Found"},
	    {405, "Method Not Allowed"},
	    {409, "Conflict"},
	    {500, "Internal Server Error"},
	    {503, "Service Unavailable"},
	};
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (titles[i].status == status)
			return titles[i].title;
	assert(false);
	return "";
}

void
http_answer_error(struct http_call *call, int status, const char *format, ...)
{
	char text[400];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)text_clean(text, strlen(text)); /* it may quote the request, cut within a character */
	answer_object(call, status, PROBLEM_TYPE,
	              json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", status_title(status), "status",
	                        status, "detail", text));
}

void
http_answer_busy(struct http_call *call, const char *why)
{
	http_call_add_header(call, "Retry-After", "2");
	http_answer_error(call, 503, "%s: try again", why);
}

void
http_answer_failure(struct http_call *call, int status, const char *why)
{
	if (status == 503)
		http_answer_busy(call, why);
	else
		http_answer_error(call, status, "%s", why);
}

void
http_answer_text(struct http_call *call, int status, struct text *json)
{
	text_add_string(json, "\n");
	if (json->failed)
		answer_object(call, status, JSON_TYPE, NULL);
	else
		http_answer(call, status, JSON_TYPE, json->data, json->len);
	free(json->data);
}

/* Streams ---------------------------------------------------------------------------------------------------------- */

/* evhttp is freeing the connection. After a failure it has left the request to us, else it frees that, too. */
static void
on_stream_closed(struct evhttp_connection *connection, void *arg)
{
	struct http_call *call = arg;
	(void)connection;
	call_unlist(call);
	call->closed(call->closed_arg);
	if (!evhttp_request_get_connection(call->request))
		evhttp_send_reply_end(call->request); /* frees it */
	http_call_free(call);
}

void
http_stream_begin(struct http_call *call, const char *content_type, void (*closed)(void *arg), void *arg)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(call->request);
	call->closed = closed;
	call->closed_arg = arg;
	http_call_add_header(call, "Content-Type", content_type);
	http_call_add_header(call, "Cache-Control", "no-store");
	http_call_add_header(call, "X-Content-Type-Options", "nosniff");
	if (connection)
		evhttp_connection_set_closecb(connection, on_stream_closed, call);
	call_drop_broken(call);
	evhttp_send_reply_start(call->request, HTTP_OK, NULL);
	if (!connection) {
		on_stream_closed(NULL, call);
		return;
	}
	/* The client has no more to say, but it has to take what is sent. */
	bufferevent_set_timeouts(evhttp_connection_get_bufferevent(connection), NULL, &HTTP_IDLE_LIMIT);
}

/* Not by shutdown(): what a client does not read would keep the socket. */
void
http_stream_cut(struct http_call *call)
{
	evhttp_connection_free(evhttp_request_get_connection(call->request));
}

void
http_stream_send(struct http_call *call, const char *data, size_t n)
{
	struct bufferevent *bev = evhttp_connection_get_bufferevent(evhttp_request_get_connection(call->request));
	struct evbuffer *chunk = evbuffer_new();
	bool sent = chunk && evbuffer_add(chunk, data, n) == 0;
	if (sent)
		evhttp_send_reply_chunk(call->request, chunk);
	if (chunk)
		evbuffer_free(chunk);
	if (!sent || evbuffer_get_length(bufferevent_get_output(bev)) > HTTP_STREAM_MAX)
		http_stream_cut(call);
}

void
http_stream_end(struct http_call *call)
{
	http_stream_forget(call);
	call_unlist(call);
	evhttp_send_reply_end(call->request);
	http_call_free(call);
}

void
http_stream_forget(struct http_call *call)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(call->request);
	if (call->closed && connection)
		evhttp_connection_set_closecb(connection, NULL, NULL);
}

/* Routes ----------------------------------------------------------------------------------------------------------- */

/* Whether a path takes the pattern; what {...} stood for lies at *ret_segment, or NULL. */
static bool
path_fits(const char *pattern, const char *path, const char **ret_segment, size_t *ret_len)
{
	*ret_segment = NULL;
	*ret_len = 0;
	while (*pattern) {
		if (*pattern == '{') {
			size_t len = strcspn(path, "/");
			if (len == 0)
				return false;
			*ret_segment = path;
			*ret_len = len;
			path += len;
			pattern = strchr(pattern, '}') + 1;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return *path == '\0';
}

static bool
method_fits(const struct http_route *route, const char *method)
{
	return strcmp(route->method, method) == 0 || (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

/* "GET, HEAD, POST": what the path can be asked for. */
static void
allow_add(char *allow, size_t size, const char *method)
{
	size_t len = strlen(allow);
	if (!strstr(allow, method))
		(void)snprintf(allow + len, size - len, "%s%s%s", len > 0 ? ", " : "", method,
		               strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

static void
call_route(struct http_call *call, const char *path)
{
	const char *method = method_name(call);
	const struct http_server *server = call->server;
	char allow[64] = "";
	for (size_t i = 0; i < server->n_tables; i++) {
		const struct http_table *table = &server->tables[i];
		for (size_t j = 0; j < table->n; j++) {
			const struct http_route *route = &table->routes[j];
			const char *segment;
			size_t len;
			if (!path_fits(route->path, path, &segment, &len))
				continue;
			allow_add(allow, sizeof(allow), route->method);
			if (!method_fits(route, method))
				continue;
			call->segment = segment ? strndup(segment, len) : NULL;
			if (segment && !call->segment) {
				http_answer_busy(call, text_no_memory);
				return;
			}
			if (http_call_is_allowed(call, route))
				route->serve(table->arg, call);
			return;
		}
	}
	if (*allow == '\0') {
		http_answer_error(call, 404, "there is nothing here: check the path");
		return;
	}
	http_call_add_header(call, "Allow", allow);
	http_answer_error(call, 405, "this path takes %s only", allow);
}

/* As evhttp_parse_query_str() has it, which does not tell a query that is wrong from memory that is out. */
static bool
query_is_right(const char *query)
{
	while (*query) {
		size_t n = strcspn(query, "&");
		if (*query == '=' || !memchr(query, '=', n))
			return false;
		query += n + (query[n] == '&');
	}
	return true;
}

/* Takes the body and the query apart. Whether that went well; it has been answered where not. */
static bool
call_read(struct http_call *call, const char *query)
{
	struct evbuffer *body = evhttp_request_get_input_buffer(call->request);
	call->n_body = evbuffer_get_length(body);
	call->body = call->n_body > 0 ? (const char *)evbuffer_pullup(body, -1) : "";
	if (query && !query_is_right(query)) {
		http_answer_error(call, 400, "what follows \"?\" is not of the form name=value&name=value");
		return false;
	}
	if (!call->body || (query && evhttp_parse_query_str(query, &call->query) < 0)) {
		http_answer_busy(call, text_no_memory);
		return false;
	}
	return true;
}

void
http_call_begin(struct evhttp_request *request, void *arg)
{
	struct http_server *server = arg;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
	struct http_call *call = calloc(1, sizeof(*call));
	if (!call) {
		evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
		return;
	}
	call->server = server;
	call->request = request;
	call->next = server->calls;
	server->calls = call;
	TAILQ_INIT(&call->query);
	http_connection_set_busy(server, evhttp_connection_get_bufferevent(evhttp_request_get_connection(request)),
	                         true);
	if (server->stopped) {
		http_call_add_header(call, "Connection", "close");
		http_answer_error(call, 503, "slated is stopping: try again");
	} else if (call_read(call, query)) {
		call_route(call, path && *path ? path : "/");
	}
}
