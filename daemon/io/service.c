/* The service as a process: its parts are made in one order and taken apart in the mirrored one; signals, the host's
 * clock. */
#include "slated/service.h"

#include <config.h>

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "service_internal.h"
#include "slated/child.h"
#include "slated/hook.h"
#include "slated/http_client.h"
#include "slated/log.h"
#include "slated/loop.h"
#include "slated/mail_client.h"
#include "slated/result.h"

/* Signals and the clock ----------------------------------------------------------------------------------------------
 */

static void
on_stop(evutil_socket_t signal, short what, void *arg)
{
	struct service *service = arg;
	(void)what;
	if (service->state == SERVICE_STOPPING && !service->coming_back)
		return;
	log_info("stopping", log_text("signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"));
	(void)sd_notify(0, "STOPPING=1");
	service_http_stop(service);
	service_stop(service);
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

/* The same, and running clocks move: also where an earlier reload has left them. */
static void
on_migrate(evutil_socket_t signal, short what, void *arg)
{
	struct service *service = arg;
	service->migrate_once = true;
	on_reload(signal, what, service);
	if (service->reload_refused)
		service->migrate_once = false;
	else
		work_migrate(service);
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
	service_look_anew(service);
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
	struct pg_callbacks feed = service_feed_callbacks;
	struct pg_callbacks flush = service_flush_callbacks;
	struct pg_callbacks outbox = service_outbox_callbacks;
	struct pg_callbacks share = service_share_callbacks;
	feed.arg = flush.arg = share.arg = outbox.arg = service;
	int r = service_make_connection(service, "feed", &feed, &service->feed_pg);
	if (r == 0)
		pg_keep_plans(service->feed_pg);
	if (r == 0)
		r = service_make_connection(service, "ledger", &flush, &service->flush_pgs[0]);
	if (r == 0)
		r = service_make_connection(service, "ledger 2", &share, &service->flush_pgs[1]);
	for (unsigned i = 0; r == 0 && i < LEDGER_SESSIONS; i++)
		pg_keep_plans(service->flush_pgs[i]);
	if (r == 0)
		r = service_make_connection(service, "outbox", &outbox, &service->outbox_pg);
	if (r == 0)
		pg_go_by_indexes(service->outbox_pg);
	return r;
}

static int
make_events(struct service *service)
{
	static const struct {
		int signal;
		event_callback_fn handler;
	} signals[] = {{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_reload}, {SIGUSR1, on_migrate}};
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		service->signals[i] = evsignal_new(service->base, signals[i].signal, signals[i].handler, service);
		if (service->signals[i] == NULL || event_add(service->signals[i], NULL) < 0)
			return -ENOMEM;
	}
	service->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (service->clock_fd < 0)
		return -errno;
	service->clock_event = event_new(service->base, service->clock_fd, EV_READ | EV_PERSIST, on_clock_set, service);
	if (service->clock_event == NULL || event_add(service->clock_event, NULL) < 0)
		return -ENOMEM;
	return watch_clock(service);
}

static int
make_delivery(struct service *service)
{
	int r = http_client_new(service->base, &service->http);
	if (r == 0)
		r = mail_client_new(service->base, NULL, &service->mail);
	if (r == 0)
		r = child_runner_new(service->base, &service->children);
	if (r == 0)
		r = heartbeat_new(service->base, service->http, &service->heartbeat);
	if (r == 0)
		r = service_hooks_new(service);
	return r < 0 ? r : service_open_channels(service, service->config);
}

/* Adapters --------------------------------------------------------------------------------------------------------- */

static int
connect_adapter(void *arg, const char *name, const struct pg_callbacks *callbacks, struct pg **ret)
{
	return service_make_connection(arg, name, callbacks, ret);
}

static void
on_adapter_problem(void *arg, const char *adapter, const char *text)
{
	char error[RESULT_ERROR_SIZE];
	(void)snprintf(error, sizeof(error), "%s: %s", adapter, text);
	service_problem(arg, "an attached system could not be taken over", error);
}

static int
make_adapters(struct service *service)
{
	const struct adapters_hooks hooks = {connect_adapter, on_adapter_problem, service_count_adapter,
	                                     service_adapters_caught_up, service};
	int r = adapters_new(service->base, service->loop, service->instance, &hooks, &service->adapters);
	if (r == 0)
		r = adapters_configure(service->adapters, service->config);
	return r;
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
make_parts(struct service *service, const char *path)
{
	struct config *config;
	int r = service_load_config(path, &config);
	if (r < 0)
		return r;
	r = work_know_config(service, config);
	if (r < 0) {
		config_free(config);
		return r;
	}
	(void)snprintf(service->instance, sizeof(service->instance), "%s", config->instance);
	service->path = strdup(path);
	service->base = make_base();
	if (service->path == NULL || service->base == NULL)
		return -ENOMEM;
	r = loop_new(service->base, &service->loop);
	if (r == 0)
		r = service_metrics_new(service);
	if (r == 0)
		r = service_life_new(service);
	if (r == 0)
		r = make_delivery(service);
	if (r == 0)
		r = make_connections(service);
	if (r == 0)
		r = make_events(service);
	if (r == 0)
		r = service_http_new(service);
	if (r == 0)
		r = make_adapters(service);
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
	adapters_free(service->adapters);
	service_http_free(service);
	free_event(service->clock_event);
	if (service->clock_fd >= 0)
		(void)close(service->clock_fd);
	for (size_t i = 0; i < sizeof(service->signals) / sizeof(service->signals[0]); i++)
		free_event(service->signals[i]);
	pg_free(service->outbox_pg);
	for (unsigned i = 0; i < LEDGER_SESSIONS; i++)
		pg_free(service->flush_pgs[i]);
	pg_free(service->feed_pg);
	service_life_free(service);
	service_close_channels(service);
	heartbeat_free(service->heartbeat);
	hooks_free(service->hooks);
	child_runner_free(service->children);
	mail_client_free(service->mail);
	http_client_free(service->http);
	service_metrics_free(service);
	loop_free(service->loop);
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
	service_begin_life(service);
	service_http_start(service);
	int r;
	log_gather(true);
	do {
		r = event_base_loop(service->base, EVLOOP_ONCE);
		log_flush();
	} while (r == 0 && !event_base_got_break(service->base));
	log_gather(false);
	if (r < 0) {
		log_error("the loop failed");
		return EXIT_FAILURE;
	}
	courier_stop(service->courier);
	log_info("stopped");
	return service->exit_status;
}
