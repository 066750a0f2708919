/* Listeners and connections of the HTTP server.
 *
 * evhttp cuts off a connection on which nothing happens, but not one that sends a byte now and then, and it tells
 * nobody when a connection is gone. So each connection's bufferevent is made here and one reference to it kept: evhttp
 * takes its callbacks off it when it lets go, which the sweep sees. Until then a socket may be shut down whose request
 * takes too long to come. The socket is closed with the last reference, not by evhttp: another connection must not get
 * its number while the bufferevent still watches it. */
#include "slated/http_server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_internal.h"
#include "slated/instant.h"
#include "slated/log.h"
#include "slated/timebase.h"

#define REQUEST_LIMIT (20 * US_PER_S) /* for a whole request, from the connection's or the last answer on */
#define SWEEP         ((struct timeval){1, 0})
/* What one connection may hold in memory: evhttp takes a body out of the buffer once it is complete. */
#define READ_MAX (HTTP_REQUEST_MAX + 4 * HTTP_HEADERS_MAX)

/* Connections ------------------------------------------------------------------------------------------------------ */

/* evhttp has let go of it. */
static bool
connection_is_gone(const struct http_connection *connection)
{
	bufferevent_event_cb on_event;
	bufferevent_getcb(connection->bev, NULL, NULL, &on_event, NULL);
	return !on_event;
}

static void
release_gone(struct http_server *server)
{
	struct http_connection **link = &server->connections;
	while (*link) {
		struct http_connection *connection = *link;
		if (!connection_is_gone(connection)) {
			link = &connection->next;
			continue;
		}
		*link = connection->next;
		server->n_connections--;
		(void)bufferevent_decref(connection->bev);
		free(connection);
	}
}

static void
accept_or_wait(struct http_server *server)
{
	if (server->n_connections >= HTTP_CONNECTIONS_MAX)
		release_gone(server);
	bool accepting = !server->stopped && server->n_connections < HTTP_CONNECTIONS_MAX;
	if (accepting == server->accepting)
		return;
	server->accepting = accepting;
	for (size_t i = 0; i < server->n_sockets; i++) {
		struct evconnlistener *listener = evhttp_bound_socket_get_listener(server->sockets[i].bound);
		(void)(accepting ? evconnlistener_enable(listener) : evconnlistener_disable(listener));
	}
}

static struct bufferevent *
on_connection(struct event_base *base, void *arg)
{
	struct http_server *server = arg;
	static const struct timeval sweep = SWEEP;
	accept_or_wait(server); /* before this one is among them: evhttp has not yet set its callbacks */
	struct http_connection *connection = calloc(1, sizeof(*connection));
	struct bufferevent *bev = connection ? bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE) : NULL;
	if (!bev) {
		free(connection);
		return NULL; /* evhttp tries by itself, or drops the connection */
	}
	bufferevent_incref(bev);
	bufferevent_setwatermark(bev, EV_READ, 0, READ_MAX);
	*connection = (struct http_connection){bev, timebase_ticks() + REQUEST_LIMIT, server->connections};
	server->connections = connection;
	server->n_connections++;
	if (!event_pending(server->sweep, EV_TIMEOUT, NULL))
		(void)event_add(server->sweep, &sweep);
	return bev;
}

void
http_connection_set_busy(struct http_server *server, const struct bufferevent *bev, bool busy)
{
	for (struct http_connection *c = server->connections; c; c = c->next)
		if (c->bev == bev)
			c->deadline = busy ? INT64_MAX : timebase_ticks() + REQUEST_LIMIT;
}

static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *server = arg;
	static const struct timeval again = SWEEP;
	int64_t now = timebase_ticks();
	(void)fd;
	(void)what;
	release_gone(server);
	for (struct http_connection *c = server->connections; c; c = c->next) {
		if (c->deadline >= now)
			continue;
		/* evhttp reads the end of the stream and closes. */
		c->deadline = INT64_MAX;
		(void)shutdown(bufferevent_getfd(c->bev), SHUT_RDWR);
	}
	accept_or_wait(server);
	if (server->connections || !server->accepting)
		(void)event_add(server->sweep, &again);
}

/* Sockets ---------------------------------------------------------------------------------------------------------- */

/* Most likely no descriptor is free, so it would fail in every turn of the loop: wait for the sweep. */
static void
on_accept_failed(struct evconnlistener *listener, void *arg)
{
	struct http_server *server = arg;
	static const struct timeval again = SWEEP;
	int error = EVUTIL_SOCKET_ERROR();
	(void)listener;
	log_warning("a connection cannot be taken", log_errno(-error));
	server->accepting = false;
	for (size_t i = 0; i < server->n_sockets; i++)
		(void)evconnlistener_disable(evhttp_bound_socket_get_listener(server->sockets[i].bound));
	(void)event_add(server->sweep, &again);
}

/* Takes the descriptor on success. `path` is copied; NULL where the socket has none that is ours. */
static int
socket_add(struct http_server *server, int fd, const char *path)
{
	struct http_socket *longer = realloc(server->sockets, (server->n_sockets + 1) * sizeof(*longer));
	if (!longer)
		return -ENOMEM;
	server->sockets = longer;
	char *copy = path ? strdup(path) : NULL;
	struct evhttp_bound_socket *bound = path && !copy ? NULL : evhttp_accept_socket_with_handle(server->evhttp, fd);
	if (!bound) {
		free(copy);
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(evhttp_bound_socket_get_listener(bound), on_accept_failed);
	server->sockets[server->n_sockets++] = (struct http_socket){bound, copy};
	return 0;
}

int
http_server_listen(struct http_server *server, const char *address)
{
	char text[HTTP_ADDRESS_SIZE];
	int fd = -1;
	int r = http_socket_open(address, &fd);
	if (r == 0) {
		r = socket_add(server, fd, http_socket_path(address));
		if (r < 0)
			(void)close(fd);
	}
	if (r < 0) {
		log_error("cannot listen: change http.listen, or end what listens there", log_text("address", address),
		          log_errno(r));
		return r;
	}
	http_socket_describe(fd, text);
	log_info("listening", log_text("address", text));
	return 0;
}

int
http_server_adopt(struct http_server *server, int fd, const char *name)
{
	char text[HTTP_ADDRESS_SIZE] = "";
	int r = http_socket_prepare(fd);
	if (r == 0)
		r = socket_add(server, fd, NULL);
	if (r < 0) {
		log_error("cannot listen on a socket that was handed over: look at the .socket unit",
		          log_text("address", name), log_errno(r));
		return r;
	}
	http_socket_describe(fd, text);
	log_info("listening on a socket that was handed over", log_text("name", name), log_text("address", text));
	return 0;
}

/* Life ------------------------------------------------------------------------------------------------------------- */

static int
server_make(struct http_server *server, const char *token)
{
	static const ev_uint16_t methods = EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
	                                   EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
	                                   EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH;
	server->evhttp = evhttp_new(server->base);
	server->sweep = evtimer_new(server->base, on_sweep, server);
	if (!server->evhttp || !server->sweep)
		return -ENOMEM;
	evhttp_set_timeout_tv(server->evhttp, &HTTP_IDLE_LIMIT);
	evhttp_set_max_body_size(server->evhttp, HTTP_REQUEST_MAX);
	evhttp_set_max_headers_size(server->evhttp, HTTP_HEADERS_MAX);
	/* All that it knows, so that refusals are ours. */
	evhttp_set_allowed_methods(server->evhttp, methods);
	/* Else a client that is still sending too large a body never sees why it was refused. */
	(void)evhttp_set_flags(server->evhttp, EVHTTP_SERVER_LINGERING_CLOSE);
	evhttp_set_bevcb(server->evhttp, on_connection, server);
	evhttp_set_gencb(server->evhttp, http_call_begin, server);
	server->accepting = true;
	if (!token)
		return 0;
	server->token = strdup(token);
	return server->token ? signing_key_copy(token, &server->key) : -ENOMEM;
}

int
http_server_new(struct event_base *base, const char *token, struct http_server **ret)
{
	struct http_server *server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	server->base = base;
	int r = server_make(server, token);
	if (r < 0) {
		http_server_free(server);
		return r;
	}
	*ret = server;
	return 0;
}

void
http_server_free(struct http_server *server)
{
	if (!server)
		return;
	while (server->calls) {
		struct http_call *call = server->calls;
		server->calls = call->next;
		http_stream_forget(call);
		http_call_free(call);
	}
	/* While they still listen: whoever comes after us takes a socket that nobody answers for a stale one. */
	for (size_t i = 0; i < server->n_sockets; i++) {
		if (server->sockets[i].path)
			(void)unlink(server->sockets[i].path); /* it may be gone with its folder */
		free(server->sockets[i].path);
	}
	if (server->evhttp)
		evhttp_free(server->evhttp); /* with its sockets, connections and requests */
	while (server->connections) {
		struct http_connection *connection = server->connections;
		server->connections = connection->next;
		(void)bufferevent_decref(connection->bev);
		free(connection);
	}
	if (server->sweep)
		event_free(server->sweep);
	if (server->token)
		explicit_bzero(server->token, strlen(server->token));
	free(server->token);
	signing_key_clear(&server->key);
	free(server->tables);
	free(server->sockets);
	free(server);
}

int
http_server_add(struct http_server *server, const struct http_route *routes, size_t n, void *arg)
{
	struct http_table *longer = realloc(server->tables, (server->n_tables + 1) * sizeof(*longer));
	if (!longer)
		return -ENOMEM;
	server->tables = longer;
	server->tables[server->n_tables++] = (struct http_table){routes, n, arg};
	return 0;
}

void
http_server_stop(struct http_server *server)
{
	server->stopped = true;
	accept_or_wait(server);
}
