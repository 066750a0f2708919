/* libevent 2.1.12 passes over some of its own failures and falls over one (bufferevent_setwatermark() does not look at
 * what evbuffer_add_cb() gives it), so not its allocations fail, but slated's calls of it: as they do where memory is
 * out. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stddef.h>

#include "oom.h"

#define WRAPPED(type, name, ...)                                                                                       \
	type __real_##name(__VA_ARGS__);                                                                               \
	type __wrap_##name(__VA_ARGS__)

WRAPPED(struct evbuffer *, evbuffer_new, void);
WRAPPED(int, evbuffer_add, struct evbuffer *buffer, const void *data, size_t len);
WRAPPED(unsigned char *, evbuffer_pullup, struct evbuffer *buffer, ev_ssize_t size);
WRAPPED(int, evhttp_add_header, struct evkeyvalq *headers, const char *key, const char *value);
WRAPPED(int, evhttp_parse_query_str, const char *query, struct evkeyvalq *headers);
WRAPPED(struct bufferevent *, bufferevent_socket_new, struct event_base *base, evutil_socket_t fd, int options);
WRAPPED(int, event_add, struct event *event, const struct timeval *timeout);

struct evbuffer *
__wrap_evbuffer_new(void)
{
	return oom_fails() ? NULL : __real_evbuffer_new();
}

int
__wrap_evbuffer_add(struct evbuffer *buffer, const void *data, size_t len)
{
	return oom_fails() ? -1 : __real_evbuffer_add(buffer, data, len);
}

/* What lies in one piece already would take no memory: it is asked for once. */
unsigned char *
__wrap_evbuffer_pullup(struct evbuffer *buffer, ev_ssize_t size)
{
	return oom_fails() ? NULL : __real_evbuffer_pullup(buffer, size);
}

int
__wrap_evhttp_add_header(struct evkeyvalq *headers, const char *key, const char *value)
{
	return oom_fails() ? -1 : __real_evhttp_add_header(headers, key, value);
}

int
__wrap_evhttp_parse_query_str(const char *query, struct evkeyvalq *headers)
{
	return oom_fails() ? -1 : __real_evhttp_parse_query_str(query, headers);
}

struct bufferevent *
__wrap_bufferevent_socket_new(struct event_base *base, evutil_socket_t fd, int options)
{
	return oom_fails() ? NULL : __real_bufferevent_socket_new(base, fd, options);
}

int
__wrap_event_add(struct event *event, const struct timeval *timeout)
{
	return oom_fails() ? -1 : __real_event_add(event, timeout);
}
