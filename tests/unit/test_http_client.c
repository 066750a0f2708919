/* The client against libevent's HTTP server on the same loop. */
#include "slated/http_client.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define N(rows)    (sizeof(rows) / sizeof((rows)[0]))
#define DEADLINE_S 20

/* A server that answers "/SIZE" with so many bytes, "/late" never, and keeps the last request. */
struct world {
	struct event_base *base;
	struct evhttp *server;
	struct http_client *client;
	unsigned port;
	int requests;
	struct evhttp_connection *connection; /* the last request's */
	int connections;
	enum evhttp_cmd_type method;
	char header[128], body[128];
	char url[64];
};

/* What became of one request. */
struct end {
	int times;
	int error;
	long status;
	size_t n_body;
	bool cut;
	int64_t retry_after_us;
	struct http_transfer *cancels;
};

static void
on_request(struct evhttp_request *request, void *arg)
{
	struct world *world = arg;
	const char *header = evhttp_find_header(evhttp_request_get_input_headers(request), "X-Test");
	snprintf(world->header, sizeof(world->header), "%s", header ? header : "");
	int n = evbuffer_remove(evhttp_request_get_input_buffer(request), world->body, sizeof(world->body) - 1);
	world->body[n > 0 ? n : 0] = '\0';
	world->method = evhttp_request_get_command(request);
	world->requests++;
	if (evhttp_request_get_connection(request) != world->connection)
		world->connections++;
	world->connection = evhttp_request_get_connection(request);
	const char *path = evhttp_request_get_uri(request) + 1;
	if (strcmp(path, "late") == 0)
		return;
	size_t size = strtoul(path, NULL, 10);
	char *bytes = calloc(1, size + 1);
	cr_assert(bytes);
	struct evbuffer *buffer = evbuffer_new();
	evbuffer_add(buffer, memset(bytes, 'x', size), size);
	evhttp_add_header(evhttp_request_get_output_headers(request), "Retry-After", "99999999999999");
	evhttp_send_reply(request, 200, "OK", buffer);
	evbuffer_free(buffer);
	free(bytes);
}

static void
world_open(struct world *world)
{
	*world = (struct world){.base = event_base_new()};
	world->server = evhttp_new(world->base);
	cr_assert(world->server);
	evhttp_set_allowed_methods(world->server, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_PUT);
	evhttp_set_gencb(world->server, on_request, world);
	struct evhttp_bound_socket *socket = evhttp_bind_socket_with_handle(world->server, "127.0.0.1", 0);
	cr_assert(socket);
	struct sockaddr_in address;
	socklen_t len = sizeof(address);
	cr_assert_eq(getsockname(evhttp_bound_socket_get_fd(socket), (struct sockaddr *)&address, &len), 0);
	world->port = ntohs(address.sin_port);
	cr_assert_eq(http_client_new(world->base, &world->client), 0);
}

static void
world_close(struct world *world)
{
	http_client_free(world->client);
	evhttp_free(world->server);
	event_base_free(world->base);
}

static const char *
world_url(struct world *world, const char *path)
{
	snprintf(world->url, sizeof(world->url), "http://127.0.0.1:%u/%s", world->port, path);
	return world->url;
}

static void
on_answer(void *arg, const struct http_answer *answer)
{
	struct end *end = arg;
	end->times++;
	end->error = answer->error;
	end->status = answer->status;
	end->n_body = answer->n_body;
	end->cut = answer->cut;
	end->retry_after_us = answer->retry_after.us;
	cr_expect_eq(answer->body[answer->n_body], '\0');
	cr_expect_eq(answer->error != 0, *answer->error_text != '\0');
	if (end->cancels)
		http_client_cancel(end->cancels);
}

/* Runs the loop until the counter has that value, or fails at the deadline. */
static void
world_wait(struct world *world, const int *counter, int value)
{
	struct timeval deadline = {.tv_sec = DEADLINE_S};
	event_base_loopexit(world->base, &deadline);
	while (*counter < value && !event_base_got_exit(world->base))
		event_base_loop(world->base, EVLOOP_ONCE);
	cr_assert_eq(*counter, value, "deadline");
}

static struct http_transfer *
world_get(struct world *world, const char *path, struct end *end)
{
	const struct http_request request = {.method = "GET", .url = world_url(world, path)};
	struct http_transfer *transfer;
	cr_assert_eq(http_client_send(world->client, &request, on_answer, end, &transfer), 0);
	cr_assert_eq(end->times, 0, "called back from within send");
	return transfer;
}

Test(http_client, methods)
{
	static const struct {
		const char *method, *body;
		size_t n_headers;
		enum evhttp_cmd_type expect;
	} rows[] = {
	    {"GET", NULL, 1, EVHTTP_REQ_GET},     {"POST", NULL, 1, EVHTTP_REQ_POST},
	    {"POST", "text", 1, EVHTTP_REQ_POST}, {"PUT", "text", 1, EVHTTP_REQ_PUT},
	    {"GET", NULL, 0, EVHTTP_REQ_GET},     {"POST", NULL, 0, EVHTTP_REQ_POST},
	};
	struct world world;
	world_open(&world);
	for (size_t i = 0; i < N(rows); i++) {
		char header[] = "X-Test: a b";
		const char *const headers[] = {header};
		char body[8] = "";
		if (rows[i].body)
			strcpy(body, rows[i].body);
		struct http_request request = {
		    .method = rows[i].method,
		    .url = world_url(&world, "3"),
		    .headers = headers,
		    .n_headers = rows[i].n_headers,
		    .body = body,
		    .n_body = strlen(body),
		};
		struct end end = {0};
		cr_assert_eq(http_client_send(world.client, &request, on_answer, &end, NULL), 0);
		/* All of it was copied. */
		memset(header, '!', strlen(header));
		memset(body, '!', sizeof(body) - 1);
		memset(world.url, '!', sizeof(world.url));
		world_wait(&world, &end.times, 1);
		cr_expect(end.error == 0 && end.status == 200 && end.n_body == 3 && !end.cut, "row %zu", i);
		cr_expect_eq(world.method, rows[i].expect, "row %zu", i);
		cr_expect_str_eq(world.header, rows[i].n_headers > 0 ? "a b" : "", "row %zu", i);
		cr_expect_str_eq(world.body, rows[i].body ? rows[i].body : "", "row %zu", i);
		cr_expect_eq(end.retry_after_us / US_PER_S, INT64_MAX / US_PER_S, "held at the end of the range");
	}
	cr_expect_eq(http_client_count(world.client), 0);
	world_close(&world);
}

Test(http_client, body_limit)
{
	static const struct {
		size_t given, expect;
		bool cut;
	} rows[] = {
	    {0, 0, false},
	    {HTTP_BODY_MAX - 1, HTTP_BODY_MAX - 1, false},
	    {HTTP_BODY_MAX, HTTP_BODY_MAX, false},
	    {HTTP_BODY_MAX + 1, HTTP_BODY_MAX, true},
	    {8 * HTTP_BODY_MAX, HTTP_BODY_MAX, true},
	};
	struct world world;
	world_open(&world);
	for (size_t i = 0; i < N(rows); i++) {
		char path[32];
		snprintf(path, sizeof(path), "%zu", rows[i].given);
		struct end end = {0};
		world_get(&world, path, &end);
		world_wait(&world, &end.times, 1);
		cr_expect(end.error == 0 && end.status == 200, "row %zu: error %d", i, end.error);
		cr_expect(end.n_body == rows[i].expect && end.cut == rows[i].cut, "row %zu: %zu bytes", i, end.n_body);
	}
	world_close(&world);
}

Test(http_client, time_limit)
{
	struct world world;
	world_open(&world);
	const struct http_request request = {
	    .method = "GET", .url = world_url(&world, "late"), .timeout = {US_PER_S / 10}};
	struct end end = {0};
	cr_assert_eq(http_client_send(world.client, &request, on_answer, &end, NULL), 0);
	world_wait(&world, &end.times, 1);
	cr_expect(end.error != 0 && end.status == 0);
	world_close(&world);
}

/* A connection serves the next request; one that the server has closed meanwhile is not waited for in vain, and its
 * socket's number may be the next connection's. */
Test(http_client, connections_kept)
{
	struct world world;
	world_open(&world);
	for (int i = 1; i <= 5; i++) {
		for (int j = 0; j < 3; j++) {
			struct end end = {0};
			world_get(&world, "5", &end);
			world_wait(&world, &end.times, 1);
			cr_expect(end.error == 0 && end.n_body == 5, "connection %d, request %d", i, j);
		}
		cr_expect_eq(world.connections, i, "%d connections for %d times 3 requests", world.connections, i);
		int events = event_base_get_num_events(world.base, EVENT_BASE_COUNT_ADDED);
		evhttp_connection_free(world.connection);
		world.connection = NULL;
		event_base_loop(world.base, EVLOOP_ONCE);
		cr_expect_leq(event_base_get_num_events(world.base, EVENT_BASE_COUNT_ADDED), events - 2,
		              "the server's event and the client's");
	}
	world_close(&world);
}

Test(http_client, cancel)
{
	struct world world;
	world_open(&world);
	struct end before = {0}, during = {0};
	/* Before anything was done for it, and with the request on its way. */
	http_client_cancel(world_get(&world, "late", &before));
	struct http_transfer *transfer = world_get(&world, "late", &during);
	world_wait(&world, &world.requests, 1);
	cr_expect_eq(http_client_count(world.client), 1);
	http_client_cancel(transfer);
	cr_expect_eq(http_client_count(world.client), 0);
	/* The client goes on. */
	struct end end = {0};
	world_get(&world, "5", &end);
	world_wait(&world, &end.times, 1);
	cr_expect_eq(end.n_body, 5);
	cr_expect(before.times == 0 && during.times == 0, "told of a cancelled transfer");
	world_close(&world);
}

Test(http_client, cancel_another_when_told)
{
	struct world world;
	world_open(&world);
	struct end late = {0}, end = {0};
	end.cancels = world_get(&world, "late", &late);
	world_get(&world, "5", &end);
	world_wait(&world, &end.times, 1);
	cr_expect_eq(http_client_count(world.client), 0);
	cr_expect_eq(late.times, 0);
	world_close(&world);
}

Test(http_client, free_with_transfers_in_flight)
{
	struct world world;
	world_open(&world);
	struct end ends[3] = {0};
	for (size_t i = 0; i < N(ends); i++)
		world_get(&world, "late", &ends[i]);
	world_wait(&world, &world.requests, 3);
	world_close(&world);
	for (size_t i = 0; i < N(ends); i++)
		cr_expect_eq(ends[i].times, 0);
}

Test(http_client, headers_refused)
{
	static const char *const rows[] = {"X-Test: a\r\nX-Evil: b", "X-Test: a\nb", "X-Test: \x01", "X-Test: \xc3\xbc",
	                                   "X-Test: \x7f"};
	struct world world;
	world_open(&world);
	for (size_t i = 0; i < N(rows); i++) {
		const struct http_request request = {
		    .method = "POST", .url = world_url(&world, "0"), .headers = &rows[i], .n_headers = 1};
		cr_expect_eq(http_client_send(world.client, &request, on_answer, NULL, NULL), -EINVAL, "row %zu", i);
	}
	cr_expect_eq(http_client_count(world.client), 0);
	world_close(&world);
}

/* What configuration let through in error does not reach a file or another protocol. */
Test(http_client, other_protocols)
{
	static const char *const rows[] = {"file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/",
	                                   "nonsense:"};
	struct world world;
	world_open(&world);
	for (size_t i = 0; i < N(rows); i++) {
		const struct http_request request = {.method = "GET", .url = rows[i]};
		struct end end = {0};
		cr_assert_eq(http_client_send(world.client, &request, on_answer, &end, NULL), 0);
		world_wait(&world, &end.times, 1);
		cr_expect(end.error != 0 && end.n_body == 0, "%s", rows[i]);
	}
	world_close(&world);
}

Test(http_client, url_valid)
{
	static const struct {
		const char *url;
		bool valid;
	} rows[] = {
	    {"http://127.0.0.1:8080/sla", true},
	    {"https://example.com", true},
	    {"HTTPS://example.com/a?b=c", true},
	    {"http://[::1]/", true},
	    {"", false},
	    {"example.com", false},
	    {"/sla", false},
	    {"http://", false},
	    {"http://a b/", false},
	    {"http://example.com:99999/", false},
	    {"ftp://example.com/", false},
	    {"file:///etc/passwd", false},
	};
	for (size_t i = 0; i < N(rows); i++)
		cr_expect_eq(http_url_valid(rows[i].url), rows[i].valid, "%s", rows[i].url);
}
