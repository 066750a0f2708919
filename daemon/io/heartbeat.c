#include "slated/heartbeat.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "slated/http_client.h"
#include "slated/log.h"

const char *const heartbeat_names[HEARTBEAT_COUNT] = {
    [HEARTBEAT_READ] = "database read",
    [HEARTBEAT_ENGINE] = "engine",
    [HEARTBEAT_WRITE] = "ledger write",
    [HEARTBEAT_DELIVER] = "deliveries",
};

struct heartbeat {
	struct event *timer;
	struct http_client *http;
	struct http_transfer *transfer;
	char *url;
	struct duration every;
	struct instant heard_at;
	bool worked[HEARTBEAT_COUNT];
	bool silent; /* the last one was left out, or failed: told of once */
};

static void
on_answer(void *arg, const struct http_answer *answer)
{
	struct heartbeat *heartbeat = arg;
	heartbeat->transfer = NULL;
	bool good = answer->error == 0 && answer->status >= 200 && answer->status <= 299;
	if (good && heartbeat->silent)
		log_info("the heartbeat is heard again");
	else if (!good && !heartbeat->silent)
		log_warning("the heartbeat was not heard", log_text("error", answer->error_text),
		            log_number("status", answer->status));
	heartbeat->silent = !good;
	if (good)
		heartbeat->heard_at = (struct instant){(int64_t)time(NULL) * US_PER_S};
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct heartbeat *heartbeat = arg;
	(void)fd;
	(void)what;
	for (unsigned i = 0; i < HEARTBEAT_COUNT; i++) {
		if (heartbeat->worked[i])
			continue;
		if (!heartbeat->silent)
			log_warning("no heartbeat: a part has not worked since the last one",
			            log_text("part", heartbeat_names[i]));
		heartbeat->silent = true;
		return;
	}
	if (heartbeat->transfer != NULL)
		return; /* the last one is still on its way */
	memset(heartbeat->worked, 0, sizeof(heartbeat->worked));
	const struct http_request request = {.method = "GET", .url = heartbeat->url};
	int r = http_client_send(heartbeat->http, &request, on_answer, heartbeat, &heartbeat->transfer);
	if (r < 0)
		log_warning("the heartbeat could not be sent", log_errno(r));
}

int
heartbeat_new(struct event_base *base, struct http_client *http, struct heartbeat **ret)
{
	struct heartbeat *heartbeat = calloc(1, sizeof(*heartbeat));
	if (heartbeat == NULL)
		return -ENOMEM;
	heartbeat->http = http;
	heartbeat->timer = event_new(base, -1, EV_PERSIST, on_timer, heartbeat);
	if (heartbeat->timer == NULL) {
		free(heartbeat);
		return -ENOMEM;
	}
	*ret = heartbeat;
	return 0;
}

void
heartbeat_free(struct heartbeat *heartbeat)
{
	if (heartbeat == NULL)
		return;
	if (heartbeat->transfer != NULL)
		http_client_cancel(heartbeat->transfer);
	event_free(heartbeat->timer);
	free(heartbeat->url);
	free(heartbeat);
}

int
heartbeat_configure(struct heartbeat *heartbeat, const char *url, struct duration every)
{
	char *copy = url != NULL ? strdup(url) : NULL;
	if (url != NULL && copy == NULL)
		return -ENOMEM;
	free(heartbeat->url);
	heartbeat->url = copy;
	heartbeat->every = copy != NULL ? every : (struct duration){0};
	(void)event_del(heartbeat->timer);
	if (copy == NULL)
		return 0;
	const struct timeval interval = {every.us / US_PER_S, every.us % US_PER_S};
	return event_add(heartbeat->timer, &interval) < 0 ? -ENOMEM : 0;
}

struct duration
heartbeat_interval(const struct heartbeat *heartbeat)
{
	return heartbeat->every;
}

struct instant
heartbeat_last_success(const struct heartbeat *heartbeat)
{
	return heartbeat->heard_at;
}

void
heartbeat_note(struct heartbeat *heartbeat, enum heartbeat_link link)
{
	heartbeat->worked[link] = true;
}
