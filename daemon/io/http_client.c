/* One curl multi handle; a libevent event for each of its sockets and one timer:
 *
 *	libevent: socket ready | timer --> curl_multi_socket_action() --> messages: transfers that ended --> done()
 *	curl: socket_watch(), timer_set() --> event_add(), event_del()
 *
 * Between two requests curl watches a connection's socket no more, but its event stays: to take it from epoll and put
 * it back takes as long as to receive the answer. A transfer that has ended is kept for the next request, too: to make
 * curl's handle and give it its rules anew takes longer than to send with it.
 */
#include "slated/http_client.h"

#include "config.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define CONNECT_TIMEOUT_MS 5000
#define TIMEOUT_MS         15000

/* So many transfers that have ended are kept: as many as there are deliveries under way by default. */
#define IDLE_MAX 64

/* So many connections are kept. curl itself would keep few where few transfers are left, and close those that the next
 * ones need. */
#define CONNECTIONS_MAX 256L

struct http_transfer {
	LIST_ENTRY(http_transfer) link;
	struct http_client *client;
	CURL *easy;
	struct curl_slist *headers;
	http_done *done;
	void *arg;
	char *body;
	size_t n_body;
	bool cut;
	char error[CURL_ERROR_SIZE];
};

/* A socket of curl's. Those of its resolver's threads come and go by socket_watch() alone. */
struct watched_socket {
	struct http_client *client;
	struct event *event; /* or NULL */
	short flags;         /* the event's */
	bool in_use;         /* curl wants to be told */
	bool opened;         /* by socket_open(), so socket_close() ends it */
	int fd;
	UT_hash_handle hh;
};

struct http_client {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;
	struct watched_socket *sockets;
	LIST_HEAD(, http_transfer) transfers;
	size_t count;
	LIST_HEAD(, http_transfer) idle; /* nothing of a request is left in them but its URL */
	size_t n_idle;
};

static void
transfer_free(struct http_transfer *transfer)
{
	curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->headers);
	free(transfer->body);
	free(transfer);
}

/* Of a transfer that curl is not at work on: keeps it, or frees it where there are enough. */
static void
transfer_put_back(struct http_transfer *transfer)
{
	struct http_client *client = transfer->client;
	if (client->n_idle == IDLE_MAX) {
		transfer_free(transfer);
		return;
	}
	(void)curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, NULL);
	(void)curl_easy_setopt(transfer->easy, CURLOPT_COPYPOSTFIELDS, NULL);
	curl_slist_free_all(transfer->headers);
	free(transfer->body);
	*transfer = (struct http_transfer){.client = client, .easy = transfer->easy};
	LIST_INSERT_HEAD(&client->idle, transfer, link);
	client->n_idle++;
}

/* Takes a transfer out of the client and of curl, so that it is only memory from here on. */
static void
transfer_detach(struct http_transfer *transfer)
{
	CURLMcode code = curl_multi_remove_handle(transfer->client->multi, transfer->easy);
	assert(code == CURLM_OK);
	LIST_REMOVE(transfer, link);
	transfer->client->count--;
}

static void
transfer_finish(struct http_transfer *transfer, CURLcode result)
{
	/* Cutting the body off is our own doing: the answer's head is whole. */
	if (result == CURLE_WRITE_ERROR && transfer->cut)
		result = CURLE_OK;
	struct http_answer answer = {
	    .error = result,
	    .error_text = "",
	    .body = transfer->body ? transfer->body : "",
	    .n_body = transfer->n_body,
	    .cut = transfer->cut,
	};
	if (result != CURLE_OK) {
		answer.error_text = transfer->error[0] ? transfer->error : curl_easy_strerror(result);
	} else {
		curl_off_t seconds = 0;
		(void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &answer.status);
		(void)curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &seconds);
		if (seconds > 0)
			answer.retry_after.us = seconds < INT64_MAX / US_PER_S ? seconds * US_PER_S : INT64_MAX;
	}
	transfer_detach(transfer);
	transfer->done(transfer->arg, &answer);
	transfer_put_back(transfer);
}

static void
client_act(struct http_client *client, curl_socket_t fd, int what)
{
	int running;
	CURLMcode code = curl_multi_socket_action(client->multi, fd, what, &running);
	assert(code == CURLM_OK);
	int left;
	for (CURLMsg *message; (message = curl_multi_info_read(client->multi, &left));) {
		struct http_transfer *transfer = NULL;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		transfer_finish(transfer, message->data.result);
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	client_act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void
socket_unwatch(struct watched_socket *watched)
{
	if (watched->event)
		event_free(watched->event);
	watched->event = NULL;
	watched->flags = 0;
}

static void
socket_forget(struct watched_socket *watched)
{
	socket_unwatch(watched);
	HASH_DEL(watched->client->sockets, watched);
	free(watched);
}

static struct watched_socket *
socket_note(struct http_client *client, int fd)
{
	struct watched_socket *watched = calloc(1, sizeof(*watched));
	if (!watched)
		return NULL;
	watched->client = client;
	watched->fd = fd;
	HASH_ADD_INT(client->sockets, fd, watched);
	if (watched->hh.tbl)
		return watched;
	free(watched);
	return NULL;
}

/* What comes between two requests is the connection's end, or nothing that matters: curl looks when it takes it again.
 */
static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct watched_socket *watched = arg;
	if (watched->in_use)
		client_act(watched->client, fd,
		           (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
	else
		socket_unwatch(watched);
}

/* curl's CURLMOPT_SOCKETFUNCTION. */
static int
socket_watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	(void)easy;
	(void)socket_arg;
	struct http_client *client = arg;
	struct watched_socket *watched;
	HASH_FIND_INT(client->sockets, &fd, watched);
	if (what == CURL_POLL_REMOVE) {
		if (watched)
			watched->in_use = false;
		if (watched && !watched->opened)
			socket_forget(watched);
		return 0;
	}
	if (!watched)
		watched = socket_note(client, fd);
	if (!watched)
		return -1;
	watched->in_use = true;
	short flags = EV_PERSIST;
	flags |= what & CURL_POLL_IN ? EV_READ : 0;
	flags |= what & CURL_POLL_OUT ? EV_WRITE : 0;
	if (flags == watched->flags)
		return 0;
	socket_unwatch(watched);
	watched->event = event_new(client->base, fd, flags, on_socket, watched);
	if (!watched->event || event_add(watched->event, NULL) < 0) {
		socket_unwatch(watched);
		return -1;
	}
	watched->flags = flags;
	return 0;
}

/* curl's CURLMOPT_TIMERFUNCTION. */
static int
timer_set(CURLM *multi, long ms, void *arg)
{
	(void)multi;
	struct http_client *client = arg;
	if (ms < 0)
		return event_del(client->timer);
	struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	return event_add(client->timer, &wait);
}

/* Sockets stay out of the programs that the exec channel starts. */
static curl_socket_t
socket_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)purpose;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	struct watched_socket *watched = socket_note(arg, fd);
	if (!watched) {
		(void)close(fd);
		return CURL_SOCKET_BAD;
	}
	watched->opened = true;
	return fd;
}

/* The number may come back as another socket, so the event goes first. */
static int
socket_close(void *arg, curl_socket_t fd)
{
	struct http_client *client = arg;
	struct watched_socket *watched;
	HASH_FIND_INT(client->sockets, &fd, watched);
	if (watched)
		socket_forget(watched);
	return close(fd);
}

static size_t
body_take(char *bytes, size_t size, size_t n, void *arg)
{
	struct http_transfer *transfer = arg;
	size_t len = size * n;
	size_t room = HTTP_BODY_MAX - transfer->n_body;
	transfer->cut = len > room;
	size_t take = transfer->cut ? room : len;
	char *body = realloc(transfer->body, transfer->n_body + take + 1);
	if (!body)
		return CURL_WRITEFUNC_ERROR;
	memcpy(body + transfer->n_body, bytes, take);
	transfer->body = body;
	transfer->n_body += take;
	body[transfer->n_body] = '\0';
	return transfer->cut ? CURL_WRITEFUNC_ERROR : len;
}

int
http_client_new(struct event_base *base, struct http_client **ret)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	struct http_client *client = calloc(1, sizeof(*client));
	if (!client)
		goto fail;
	client->base = base;
	LIST_INIT(&client->transfers);
	LIST_INIT(&client->idle);
	client->timer = evtimer_new(base, on_timer, client);
	client->multi = curl_multi_init();
	if (!client->timer || !client->multi)
		goto fail;
	(void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, socket_watch);
	(void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	(void)curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, timer_set);
	(void)curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	(void)curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
	*ret = client;
	return 0;
fail:
	if (client) {
		if (client->timer)
			event_free(client->timer);
		(void)curl_multi_cleanup(client->multi);
	}
	free(client);
	curl_global_cleanup();
	return -ENOMEM;
}

void
http_client_free(struct http_client *client)
{
	if (!client)
		return;
	while (!LIST_EMPTY(&client->transfers))
		http_client_cancel(LIST_FIRST(&client->transfers));
	while (!LIST_EMPTY(&client->idle)) {
		struct http_transfer *transfer = LIST_FIRST(&client->idle);
		LIST_REMOVE(transfer, link);
		transfer_free(transfer);
	}
	(void)curl_multi_cleanup(client->multi);
	event_free(client->timer);
	free(client);
	curl_global_cleanup();
}

/* Keeps what comes from outside from adding a header, or a request, of its own. */
static bool
header_valid(const char *header)
{
	for (; *header; header++)
		if (*header < ' ' || *header > '~')
			return false;
	return true;
}

static int
transfer_add_header(struct http_transfer *transfer, const char *header)
{
	if (!header_valid(header))
		return -EINVAL;
	struct curl_slist *list = curl_slist_append(transfer->headers, header);
	if (!list)
		return -ENOMEM;
	transfer->headers = list;
	return 0;
}

static int
transfer_set_headers(struct http_transfer *transfer, const struct http_request *request)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		int r = transfer_add_header(transfer, request->headers[i]);
		if (r < 0)
			return r;
	}
	/* No "Expect: 100-continue", which servers get wrong. */
	return transfer_add_header(transfer, "Expect:");
}

static long
timeout_ms(struct duration given, long otherwise)
{
	return given.us > 0 ? (long)((given.us + 999) / 1000) : otherwise;
}

static int
transfer_set_request(struct http_transfer *transfer, const struct http_request *request)
{
	CURL *easy = transfer->easy;
	CURLcode code = CURLE_OK;
	if (request->n_body > 0 || strcmp(request->method, "POST") == 0) {
		code |= curl_easy_setopt(easy, CURLOPT_POST, 1L);
		code |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->n_body);
		code |= curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->n_body > 0 ? request->body : "");
	} else {
		code |= curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	}
	code |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	code |= curl_easy_setopt(easy, CURLOPT_URL, request->url);
	code |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
	code |=
	    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms(request->connect_timeout, CONNECT_TIMEOUT_MS));
	code |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms(request->timeout, TIMEOUT_MS));
	return code == CURLE_OK ? 0 : -ENOMEM;
}

static int
transfer_set_rules(struct http_transfer *transfer)
{
	CURL *easy = transfer->easy;
	CURLcode code = CURLE_OK;
	code |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	code |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	code |= curl_easy_setopt(easy, CURLOPT_PROXY, "");
	code |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* Without it curl waits, and the loop with it, for a resolver's thread that is still busy when a transfer ends
	 * (CURLOPT_QUICK_EXIT(3)); such a thread now ends by itself. */
	code |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	code |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	code |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	code |= curl_easy_setopt(easy, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
	code |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, socket_open);
	code |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer->client);
	code |= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, socket_close);
	code |= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, transfer->client);
	code |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_take);
	code |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	code |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
	code |= curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	return code == CURLE_OK ? 0 : -ENOMEM;
}

/* One that knows the rules, which are the same for all, and has no request yet. NULL when memory is out. */
static struct http_transfer *
transfer_get(struct http_client *client)
{
	struct http_transfer *transfer = LIST_FIRST(&client->idle);
	if (transfer) {
		LIST_REMOVE(transfer, link);
		client->n_idle--;
		return transfer;
	}
	transfer = calloc(1, sizeof(*transfer));
	if (!transfer)
		return NULL;
	transfer->client = client;
	transfer->easy = curl_easy_init();
	if (transfer->easy && transfer_set_rules(transfer) == 0)
		return transfer;
	transfer_free(transfer);
	return NULL;
}

int
http_client_send(struct http_client *client, const struct http_request *request, http_done *done, void *arg,
                 struct http_transfer **ret)
{
	struct http_transfer *transfer = transfer_get(client);
	if (!transfer)
		return -ENOMEM;
	transfer->done = done;
	transfer->arg = arg;
	int r = transfer_set_headers(transfer, request);
	if (r == 0)
		r = transfer_set_request(transfer, request);
	/* Adding only sets the timer: curl begins from the loop. */
	if (r == 0 && curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK)
		r = -ENOMEM;
	if (r < 0) {
		transfer_free(transfer);
		return r;
	}
	LIST_INSERT_HEAD(&client->transfers, transfer, link);
	client->count++;
	if (ret)
		*ret = transfer;
	return 0;
}

void
http_client_cancel(struct http_transfer *transfer)
{
	transfer_detach(transfer);
	transfer_free(transfer);
}

size_t
http_client_count(const struct http_client *client)
{
	return client->count;
}

bool
http_url_valid(const char *url)
{
	CURLU *parts = curl_url();
	char *scheme = NULL;
	bool valid = parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
	             curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	             (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
	curl_free(scheme);
	curl_url_cleanup(parts);
	return valid;
}
