/* What the service manager hears of us (sd_notify(3)). Without one, nothing here does anything.
 *
 * The watchdog is fed while the loop turns and, once live, while the database's answers come. Without a connection the
 * loop alone counts: a restart brings no database back. A query has a deadline, after which its connection is made
 * anew, so one who is live and yet hears nothing for longer stands still by a fault of our own. */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "service_internal.h"
#include "slated/loop.h"
#include "slated/text.h"

#define LOOK (1 * US_PER_S)
/* Polls come every second, the lease's renewal every five; worth a word, and too much. */
#define SILENCE_ODD (10 * US_PER_S)
#define SILENCE_MAX (DATABASE_TIMEOUT_MAX.us + 15 * US_PER_S)

/* While a first start goes on, each message asks for so much time: LOOK, and what a busy machine adds. */
#define START_EXTENSION "20000000"

static int64_t
silence(const struct notify *notify, int64_t ticks)
{
	return ticks - (notify->read_at < notify->written_at ? notify->read_at : notify->written_at);
}

bool
notify_is_working(const struct notify *notify, bool live, int64_t ticks)
{
	return !live || silence(notify, ticks) < SILENCE_MAX;
}

static void
describe_live(const struct service *service, char *text, size_t size)
{
	char at[INSTANT_TEXT_SIZE] = "";
	const struct live *live = &service->live;
	size_t breached = live->clocks[CLOCK_BREACHED];
	size_t clocks = live->clocks[CLOCK_RUNNING] + live->clocks[CLOCK_PAUSED] + breached;
	struct instant next = wheel_next(service->wheel);
	int64_t silent = silence(&service->notify, loop_ticks(service->loop));
	bool due = !instant_equal(next, INSTANT_NEVER);
	char part[40] = "";
	if (silent > SILENCE_ODD) {
		(void)snprintf(text, size, "the database has not answered for %lld seconds",
		               (long long)silent / US_PER_S);
		return;
	}
	if (due)
		(void)instant_format((struct instant){next.us - next.us % US_PER_S}, at);
	if (service->shards.n < SHARDS)
		(void)snprintf(part, sizeof(part), " in %u of %d shards", service->shards.n, SHARDS);
	(void)snprintf(text, size, "%zu tickets%s, %zu clocks, %zu at risk, %zu breached; %s%s; lag %lld ms%s%s",
	               live_count(live), part, clocks, live->at_risk, breached, due ? "next " : "nothing is due", at,
	               (long long)service->lag.us / 1000,
	               pg_is_ready(service->outbox_pg) ? "" : "; deliveries wait for a connection to the database",
	               service->reload_refused ? "; a reload was refused" : "");
}

static void
describe(const struct service *service, char *text, size_t size)
{
	switch (service->state) {
	case SERVICE_DOWN:
		if (service->stands_by)
			(void)snprintf(text, size, "standing by: other daemons hold all shards");
		else if (service->last_error[0] != '\0')
			(void)snprintf(text, size, "not working: %s", service->last_error);
		else
			(void)snprintf(text, size, "connecting to the database");
		break;
	case SERVICE_LEASING:
		(void)snprintf(text, size, "taking the lease");
		break;
	case SERVICE_LOADING:
		if (service->awaits_adapters)
			(void)snprintf(text, size, "reading what has changed in the attached systems");
		else
			(void)snprintf(text, size, "loading: %zu tickets so far", live_count(&service->live));
		break;
	case SERVICE_LIVE:
		describe_live(service, text, size);
		break;
	case SERVICE_STOPPING:
		(void)snprintf(text, size, service->coming_back ? "giving up shards" : "stopping");
		break;
	}
}

static void
tell_status(struct service *service)
{
	char text[sizeof(service->notify.status)];
	describe(service, text, sizeof(text));
	(void)text_clean(text, strlen(text)); /* a server's message has lines, which are assignments to the listener */
	if (strcmp(text, service->notify.status) == 0)
		return;
	(void)strcpy(service->notify.status, text);
	service->notify.told_at = loop_ticks(service->loop);
	(void)sd_notifyf(0, "STATUS=%s", text); /* whoever listens no more misses it */
}

/* A first load may take long, and so may another daemon's work. A database that is not there gets no more time: that a
 * start fails is how a person hears of it. */
static bool
start_goes_on(const struct service *service)
{
	return !service->notify.ready &&
	       (service->stands_by || service->state == SERVICE_LEASING || service->state == SERVICE_LOADING);
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct service *service = arg;
	int64_t ticks = loop_ticks(service->loop);
	(void)fd;
	(void)what;
	if (ticks - service->notify.told_at >= LOOK - LOOK / 10)
		tell_status(service);
	if (start_goes_on(service))
		(void)sd_notify(0, "EXTEND_TIMEOUT_USEC=" START_EXTENSION);
	if (service->notify.watchdog && notify_is_working(&service->notify, service->state == SERVICE_LIVE, ticks))
		(void)sd_notify(0, "WATCHDOG=1");
}

int
service_notify_new(struct service *service)
{
	uint64_t limit = 0;
	if (getenv("NOTIFY_SOCKET") == NULL)
		return 0;
	service->notify.watchdog = sd_watchdog_enabled(0, &limit) > 0;
	/* A short limit is one of a test. */
	int64_t pause = service->notify.watchdog && limit / 3 < LOOK ? (int64_t)limit / 3 : LOOK;
	const struct timeval tv = {pause / US_PER_S, pause % US_PER_S};
	service->notify.look = event_new(service->base, -1, EV_PERSIST, on_look, service);
	return service->notify.look == NULL || event_add(service->notify.look, &tv) < 0 ? -ENOMEM : 0;
}

void
service_notify_free(struct service *service)
{
	if (service->notify.look != NULL)
		event_free(service->notify.look);
}

void
service_notify_loaded(struct service *service)
{
	service->notify.ready = true;
	service->notify.read_at = service->notify.written_at = loop_ticks(service->loop);
	(void)sd_notify(0, "READY=1");
	if (service->notify.look != NULL)
		tell_status(service);
}

void
service_notify_reloading(struct service *service, bool begins)
{
	/* The word that ends a reload is the one that ends a start, which goes on. */
	if (!service->notify.ready)
		return;
	struct timespec ts;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for a clock that every Linux has */
	if (begins)
		(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
		                 (long long)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000);
	else
		(void)sd_notify(0, "READY=1");
}

void
service_note(struct service *service, enum heartbeat_link link)
{
	heartbeat_note(service->heartbeat, link);
	if (link == HEARTBEAT_READ)
		service->notify.read_at = loop_ticks(service->loop);
	else if (link == HEARTBEAT_WRITE)
		service->notify.written_at = loop_ticks(service->loop);
}
