/* The service's life. It is made in one order and taken apart in the mirrored one.
 *
 *   DOWN --connections are up--> LEASING --shards held--> LOADING --> LIVE --SIGTERM--> STOPPING
 *    ^                                                                     |
 *    +------------- a connection is lost, a flush failed, the lease is gone
 */
#include "slated/service.h"

#include <config.h>

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "service_internal.h"
#include "slated/child.h"
#include "slated/hook.h"
#include "slated/http_client.h"
#include "slated/log.h"
#include "slated/mail_client.h"
#include "slated/rows.h"
#include "slated/text.h"

#define BEAT       ((struct timeval){1, 0})
#define STOP_LIMIT ((struct timeval){4, 0})
#define PAUSE_MIN  ((struct duration){US_PER_S / 5})
#define PAUSE_MAX  ((struct duration){4 * US_PER_S})

/* What we had claimed and not sent is free for the next owners of its shards. */
static const char leave_sql[] =
    "WITH said AS (UPDATE sla.instance SET stopped_at = CASE WHEN $3::boolean THEN clock_timestamp() END, "
    "  seen_at = clock_timestamp(), shards = 0 WHERE name = $1), "
    "unclaimed AS (UPDATE sla.delivery SET claimed_by = NULL WHERE claimed_by = $1) "
    "SELECT sla.end_lease($2::uuid)";

struct instant
service_now(const struct service *service)
{
	return timebase_now(&service->timebase);
}

struct instant
service_clock(void *arg)
{
	return service_now(arg);
}

static uint64_t
courier_random(void *arg)
{
	uint64_t value = 0;
	(void)arg;
	if (getrandom(&value, sizeof(value), 0) != sizeof(value))
		abort(); /* cannot be: 8 bytes are given whole once the pool is ready */
	return value;
}

/* What goes on being wrong is said once a minute. */
static bool
was_said(struct service *service)
{
	const int64_t now = timebase_ticks();
	struct said *oldest = service->said;
	for (struct said *said = service->said; said < service->said + SAID_MAX; said++) {
		if (strcmp(said->text, service->last_error) == 0 && now - said->at < US_PER_MIN)
			return true;
		if (said->at < oldest->at)
			oldest = said;
	}
	(void)snprintf(oldest->text, sizeof(oldest->text), "%s", service->last_error);
	oldest->at = now;
	return false;
}

void
service_problem(struct service *service, const char *what, const char *text)
{
	(void)snprintf(service->last_error, sizeof(service->last_error), "%s: %s", what, text);
	/* What was cut within a character the database would refuse, and the heartbeat with it. */
	(void)text_clean(service->last_error, strlen(service->last_error));
	service->last_error_at = service_now(service);
	if (!was_said(service))
		log_error(what, log_text("error", text));
}

void
service_note_well(struct service *service)
{
	service->pause = PAUSE_MIN;
	memset(service->said, 0, sizeof(service->said));
}

/* Connections ------------------------------------------------------------------------------------------------------ */

/* A flush of ours that is still on its way to the server, or waits there, must not be written once all has been loaded:
 * the fence refuses what comes under a former name. */
static void
make_run(struct service *service)
{
	unsigned char b[16];
	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		abort(); /* cannot be: so few bytes are given whole once the pool is ready */
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* RFC 9562, version 4 */
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	(void)snprintf(service->run, sizeof(service->run),
	               "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3],
	               b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

void
service_begin(struct service *service)
{
	if (service->state != SERVICE_DOWN || event_pending(service->retry, EV_TIMEOUT, NULL) ||
	    !pg_is_idle(service->feed_pg) || !pg_is_idle(service->flush_pg))
		return;
	make_run(service);
	service->state = SERVICE_LEASING;
	service->beat_wanted = service->renew_wanted = true;
	(void)service_use_connection(service);
}

/* The end of a leave-taking that was not for good. */
static void
come_back(struct service *service)
{
	static const struct timeval beat = BEAT;
	service->coming_back = service->leaving = false;
	(void)event_del(service->end);
	(void)event_add(service->beat, &beat);
	courier_forget(service->courier);
	outbox_undrain(service->outbox);
}

static void
go_down(struct service *service)
{
	if (service->state == SERVICE_DOWN || (service->state == SERVICE_STOPPING && !service->coming_back))
		return;
	if (service->coming_back)
		come_back(service);
	service->state = SERVICE_DOWN;
	outbox_close(service->outbox);
	feed_stop(service->feed);
	(void)event_del(service->timers);
	service->flushing = false;
}

void
service_begin_anew(struct service *service, const char *why)
{
	struct timeval tv = {service->pause.us / US_PER_S, service->pause.us % US_PER_S};
	if (why != NULL)
		service_problem(service, "everything is read anew", why);
	if (service->state == SERVICE_STOPPING && !service->coming_back) {
		/* What was not committed is done again by the next run. */
		service->exit_status = EXIT_FAILURE;
		(void)event_base_loopbreak(service->base);
		return;
	}
	go_down(service);
	(void)event_add(service->retry, &tv);
	service->pause.us = service->pause.us * 2 > PAUSE_MAX.us ? PAUSE_MAX.us : service->pause.us * 2;
	pg_restart(service->feed_pg);
	/* What a session took over from its role when it began may be what is wrong. */
	if (why != NULL)
		pg_restart(service->flush_pg);
	service_begin(service);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	service_begin(arg);
}

/* After a promotion the former primary may still answer those who are connected to it. */
static void
leave_former(struct service *service)
{
	struct pg *all[] = {service->feed_pg, service->flush_pg, service->outbox_pg, service->http_pg, service->api_pg};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] != NULL)
			pg_leave_former(all[i]);
}

static void
on_pg_ready(void *arg)
{
	leave_former(arg);
	service_begin(arg);
}

static void
on_pg_lost(void *arg, const char *reason)
{
	struct service *service = arg;
	service->stands_by = false;
	service_problem(service, "no connection to the database", reason);
	if (service->state == SERVICE_STOPPING && !service->coming_back) {
		service->exit_status = EXIT_FAILURE;
		(void)event_base_loopbreak(service->base);
		return;
	}
	go_down(service);
}

/* The feed may be in the middle of a transaction or a copy, so it begins with a new connection. */
static void
on_flush_lost(void *arg, const char *reason)
{
	struct service *service = arg;
	bool worked = service->state != SERVICE_DOWN;
	on_pg_lost(arg, reason);
	if (worked && service->state == SERVICE_DOWN)
		pg_restart(service->feed_pg);
}

static void
on_notified(void *arg, const char *channel, const char *payload)
{
	struct service *service = arg;
	if (strcmp(payload, "lease") != 0) {
		feed_on_notify(service->feed, channel, payload);
	} else if (service->state == SERVICE_LIVE) {
		service->beat_wanted = service->renew_wanted = true; /* another daemon's shards are free */
		(void)service_use_connection(service);
	}
}

void
service_open_outbox(struct service *service)
{
	if (service->state >= SERVICE_LIVE && pg_is_ready(service->outbox_pg))
		outbox_open(service->outbox);
}

static void
on_outbox_ready(void *arg)
{
	leave_former(arg);
	service_open_outbox(arg);
}

static void
on_outbox_lost(void *arg, const char *reason)
{
	struct service *service = arg;
	outbox_close(service->outbox);
	service_problem(service, "no connection to the database for deliveries", reason);
}

static void
on_outbox_problem(void *arg, const char *text)
{
	struct service *service = arg;
	service_problem(service, "deliveries could not be read or written", text);
	service->outbox_failed = true;
}

/* Signals, clock, end ------------------------------------------------------------------------------------------------
 */

static void
on_left(void *arg, PGresult *result)
{
	struct service *service = arg;
	if (result != NULL)
		return;
	if (!service->coming_back) {
		(void)event_base_loopbreak(service->base);
		return;
	}
	service->pause = (struct duration){US_PER_S / 1000};
	service_begin_anew(service, NULL);
}

void
service_stop_step(struct service *service)
{
	if (service->leaving || !work_is_done(service) || courier_count(service->courier).in_flight > 0 ||
	    !outbox_is_settled(service->outbox) || !pg_is_idle(service->flush_pg))
		return;
	const char *params[] = {service->instance, service->run, service->coming_back ? "f" : "t"};
	service->leaving =
	    pg_send(service->flush_pg,
	            &(struct pg_query){
	                .text = leave_sql, .n_params = 3, .params = params, .result = on_left, .arg = service}) == 0;
}

static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	struct service *service = arg;
	(void)fd;
	(void)what;
	/* What was not committed or told of is done again by the next run, so this is no loss. */
	if (service->coming_back) {
		courier_stop(service->courier);
		service_stop_step(service);
		return;
	}
	log_warning("stopping without waiting any longer");
	(void)event_base_loopbreak(service->base);
}

/* Takes in nothing new, and lets what is in hand come to its end. */
static void
begin_to_stop(struct service *service)
{
	static const struct timeval limit = STOP_LIMIT;
	service->state = SERVICE_STOPPING;
	feed_stop(service->feed);
	(void)event_del(service->timers);
	(void)event_del(service->beat);
	(void)event_add(service->end, &limit);
	outbox_drain(service->outbox);
	courier_drain(service->courier);
}

void
service_share_anew(struct service *service)
{
	log_info("the shares of the tickets change", log_number("shards", service->shards.n));
	service->coming_back = true;
	begin_to_stop(service);
	/* The flush connection has just answered and is busy until it says so; its end goes on with this. */
}

static void
on_stop(evutil_socket_t signal, short what, void *arg)
{
	struct service *service = arg;
	bool works = service->state == SERVICE_LIVE || service->coming_back;
	(void)what;
	if (service->state == SERVICE_STOPPING && !service->coming_back)
		return;
	log_info("stopping", log_text("signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"));
	(void)sd_notify(0, "STOPPING=1");
	if (!works) {
		(void)event_base_loopbreak(service->base);
		return;
	}
	service->coming_back = false;
	service_http_stop(service);
	begin_to_stop(service);
	work_flush(service);
	service_stop_step(service);
}

static void
on_reload(evutil_socket_t signal, short what, void *arg)
{
	(void)signal;
	(void)what;
	service_notify_reloading(arg, true);
	service_reload(arg);
	service_notify_reloading(arg, false);
}

/* Arms a timer far away whose only use is that it is cancelled when the host's clock is set: timerfd_create(2). */
static int
watch_clock(struct service *service)
{
	const struct itimerspec far = {.it_value = {.tv_sec = INT64_MAX / 1000000000}};
	if (timerfd_settime(service->clock_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL) < 0)
		return -errno;
	return 0;
}

static void
on_clock_set(evutil_socket_t fd, short what, void *arg)
{
	struct service *service = arg;
	uint64_t count;
	(void)what;
	(void)read(fd, &count, sizeof(count)); /* fails with ECANCELED: that is the news */
	log_info("the host's clock was set; measuring the database's anew");
	if (watch_clock(service) < 0)
		(void)event_del(service->clock_event);
	feed_wake(service->feed);
	courier_wake(service->courier);
}

static void
on_outcome(void *arg, const struct delivery *delivery, enum outcome outcome, const char *error)
{
	struct service *service = arg;
	service_count_outcome(service, delivery, outcome);
	outbox_on_outcome(service->outbox, delivery, outcome, error);
	if (service->state == SERVICE_STOPPING)
		service_stop_step(service);
}

static void
on_fall_back(void *arg, const struct delivery *delivery, const char *channel)
{
	struct service *service = arg;
	outbox_on_fall_back(service->outbox, delivery, channel);
}

static void
on_outbox_looked(void *arg)
{
	struct service *service = arg;
	if (!courier_is_down(service->courier))
		service_note(service, HEARTBEAT_DELIVER);
}

static void
on_outbox_settled(void *arg)
{
	struct service *service = arg;
	if (service->state == SERVICE_STOPPING)
		service_stop_step(service);
}

/* Making it ----------------------------------------------------------------------------------------------------------
 */

int
service_make_connection(struct service *service, const char *name, const struct pg_callbacks *callbacks,
                        struct pg **ret)
{
	char *problem;
	const char *conninfo = service->config->conninfo == NULL ? "" : service->config->conninfo;
	int r = pg_new(service->base, conninfo, service->config->password, name, service->config->database_timeout,
	               &service->newest, callbacks, ret, &problem);
	if (r == -EINVAL)
		log_error("configuration", log_text("setting", "database.conninfo"), log_text("error", problem));
	free(problem);
	return r;
}

static int
make_connections(struct service *service)
{
	const struct pg_callbacks feed = {on_pg_ready, on_pg_lost, on_notified, service};
	const struct pg_callbacks flush = {on_pg_ready, on_flush_lost, NULL, service};
	const struct pg_callbacks outbox = {on_outbox_ready, on_outbox_lost, NULL, service};
	int r = service_make_connection(service, "feed", &feed, &service->feed_pg);
	if (r == 0)
		r = service_make_connection(service, "ledger", &flush, &service->flush_pg);
	if (r == 0)
		r = service_make_connection(service, "outbox", &outbox, &service->outbox_pg);
	if (r < 0)
		return r;
	feed_set_connection(service->feed, service->feed_pg);
	outbox_set_connection(service->outbox, service->outbox_pg);
	return 0;
}

static int
make_events(struct service *service)
{
	static const struct {
		int signal;
		event_callback_fn handler;
	} signals[] = {{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_reload}};
	static const struct timeval beat = BEAT;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		service->signals[i] = evsignal_new(service->base, signals[i].signal, signals[i].handler, service);
		if (service->signals[i] == NULL || event_add(service->signals[i], NULL) < 0)
			return -ENOMEM;
	}
	service->retry = event_new(service->base, -1, 0, on_retry, service);
	service->end = event_new(service->base, -1, 0, on_end, service);
	service->beat = event_new(service->base, -1, EV_PERSIST, service_on_beat, service);
	if (service->retry == NULL || service->end == NULL || service->beat == NULL ||
	    event_add(service->beat, &beat) < 0)
		return -ENOMEM;
	service->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (service->clock_fd < 0)
		return -errno;
	service->clock_event = event_new(service->base, service->clock_fd, EV_READ | EV_PERSIST, on_clock_set, service);
	if (service->clock_event == NULL || event_add(service->clock_event, NULL) < 0)
		return -ENOMEM;
	return watch_clock(service);
}

static const struct policy_set *
hook_policies(void *arg)
{
	const struct service *service = arg;
	return service->config->policies;
}

static void
on_hook_ready(void *arg)
{
	const struct service *service = arg;
	outbox_go_on(service->outbox);
}

static void
on_hook_problem(void *arg, const char *text)
{
	service_problem(arg, "a hook's answer was not written down", text);
}

static int
make_delivery(struct service *service)
{
	const struct courier_hooks courier = {service_clock, courier_random,        on_outcome,
	                                      on_fall_back,  service_count_attempt, service};
	const struct outbox_hooks outbox = {on_outbox_problem, on_outbox_settled, on_outbox_looked,
	                                    service_restore_channel, service};
	const struct hooks_callbacks hooks = {hook_policies, on_hook_ready, on_hook_problem, service_count_hook,
	                                      service};
	int r = http_client_new(service->base, &service->http);
	if (r == 0)
		r = mail_client_new(service->base, NULL, &service->mail);
	if (r == 0)
		r = child_runner_new(service->base, &service->children);
	if (r == 0)
		r = courier_new(service->base, service->config->concurrency, &courier, &service->courier);
	if (r == 0)
		r = outbox_new(service->base, service->instance, &service->shards, &outbox, &service->outbox);
	if (r == 0)
		r = heartbeat_new(service->base, service->http, &service->heartbeat);
	if (r == 0)
		r = hooks_new(service->children, service->http, &hooks, &service->hooks);
	if (r < 0)
		return r;
	outbox_set_hooks(service->outbox, service->hooks);
	outbox_set_courier(service->outbox, service->courier);
	return service_open_channels(service, service->config);
}

static struct event_base *
make_base(void)
{
	struct event_config *config = event_config_new();
	if (config == NULL)
		return NULL;
	struct event_base *base = NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static int
make_feed(struct service *service)
{
	struct feed_hooks hooks = work_feed_hooks;
	hooks.arg = service;
	return feed_new(service->base, &service->timebase, &hooks, &service->feed);
}

static int
make_parts(struct service *service, const char *path)
{
	struct config *config;
	int r = service_load_config(path, &config);
	if (r < 0)
		return r;
	r = service_know_config(service, config);
	if (r < 0) {
		config_free(config);
		return r;
	}
	(void)snprintf(service->instance, sizeof(service->instance), "%s", config->instance);
	service->path = strdup(path);
	service->base = make_base();
	if (service->path == NULL || service->base == NULL)
		return -ENOMEM;
	r = service_metrics_new(service);
	if (r == 0)
		r = work_new(service);
	if (r == 0)
		r = make_feed(service);
	if (r == 0)
		r = make_delivery(service);
	if (r == 0)
		r = make_connections(service);
	if (r == 0)
		r = make_events(service);
	if (r == 0)
		r = service_http_new(service);
	if (r == 0)
		r = service_notify_new(service);
	return r;
}

int
service_new(const char *path, struct service **ret)
{
	struct service *service = calloc(1, sizeof(*service));
	if (service == NULL)
		return -ENOMEM;
	service->clock_fd = -1;
	service->pause = PAUSE_MIN;
	int r = make_parts(service, path);
	if (r < 0) {
		service_free(service);
		return r;
	}
	*ret = service;
	return 0;
}

static void
free_event(struct event *event)
{
	if (event != NULL)
		event_free(event);
}

void
service_free(struct service *service)
{
	if (service == NULL)
		return;
	service_notify_free(service);
	service_http_free(service);
	free_event(service->clock_event);
	if (service->clock_fd >= 0)
		(void)close(service->clock_fd);
	free_event(service->beat);
	free_event(service->end);
	free_event(service->retry);
	for (size_t i = 0; i < sizeof(service->signals) / sizeof(service->signals[0]); i++)
		free_event(service->signals[i]);
	pg_free(service->outbox_pg);
	pg_free(service->flush_pg);
	pg_free(service->feed_pg);
	courier_free(service->courier);
	outbox_free(service->outbox);
	service_close_channels(service);
	heartbeat_free(service->heartbeat);
	hooks_free(service->hooks);
	child_runner_free(service->children);
	mail_client_free(service->mail);
	http_client_free(service->http);
	feed_free(service->feed);
	work_free(service);
	service_metrics_free(service);
	if (service->base != NULL)
		event_base_free(service->base);
	while (service->configs != NULL) {
		struct known_config *known = service->configs;
		service->configs = known->next;
		config_free(known->config);
		free(known);
	}
	free(service->path);
	free(service);
}

int
service_run(struct service *service)
{
	log_info("starting", log_text("version", PACKAGE_VERSION), log_text("instance", service->instance),
	         log_text("configuration", service->config->digest));
	pg_start(service->feed_pg);
	pg_start(service->flush_pg);
	pg_start(service->outbox_pg);
	service_http_start(service);
	if (event_base_dispatch(service->base) < 0) {
		log_error("the loop failed");
		return EXIT_FAILURE;
	}
	courier_stop(service->courier);
	log_info("stopped");
	return service->exit_status;
}
