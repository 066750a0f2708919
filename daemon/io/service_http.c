/* The HTTP server of the service. It has two connections to the database of its own: a request then waits neither for
 * a batch of deliveries nor behind a flush, none of those waits for a ticket that a request found locked, and no
 * acknowledgement waits for a long list. */
#include <config.h>

#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "service_internal.h"

#include <string.h>

#include "slated/api.h"
#include "slated/desk.h"
#include "slated/http_server.h"
#include "slated/inbound.h"
#include "slated/jsonw.h"
#include "slated/log.h"
#include "slated/web.h"
#include "slated/wheel.h"

/* PagerDuty gives up after 5 s and sends again. */
#define CHANGE_LIMIT ((struct duration){4 * US_PER_S})
#define READ_LIMIT   ((struct duration){20 * US_PER_S})

static void
on_ready(void *arg)
{
	(void)arg; /* requests look for themselves */
}

static void
on_changes_lost(void *arg, const char *reason)
{
	struct service *service = arg;
	desk_on_lost(service->changes);
	service_problem(service, "no connection to the database for HTTP requests", reason);
}

static void
on_reads_lost(void *arg, const char *reason)
{
	struct service *service = arg;
	desk_on_lost(service->reads);
	service_problem(service, "no connection to the database for HTTP requests", reason);
}

static void
on_problem(void *arg, const char *text)
{
	service_problem(arg, "a request over HTTP could not be carried out", text);
}

/* What the API asks of us ------------------------------------------------------------------------------------------ */

static const struct policy_set *
find_policies(void *arg, const char *digest)
{
	const struct service *service = arg;
	for (const struct known_config *k = service->configs; k && digest; k = k->next)
		if (strcmp(k->config->digest, digest) == 0)
			return k->config->policies;
	return service->config->policies;
}

static void
add_status(void *arg, struct jsonw *json)
{
	struct service *service = arg;
	const struct live *live = &service->live;
	jsonw_instant(json, "now", service_now(service));
	jsonw_text(json, "version", PACKAGE_VERSION);
	jsonw_text(json, "instance", service->instance);
	jsonw_bool(json, "ready", service_is_ready(service));
	jsonw_bool(json, "standby", service->stands_by);
	jsonw_number(json, "shards", service->state < SERVICE_LIVE ? 0 : service->shards.n);
	jsonw_bool(json, "changing", service->config->token != NULL);
	if (service->state < SERVICE_LIVE)
		return;
	jsonw_number(json, "open_tickets", (int64_t)live_count(live));
	jsonw_number(
	    json, "clocks",
	    (int64_t)(live->clocks[CLOCK_RUNNING] + live->clocks[CLOCK_PAUSED] + live->clocks[CLOCK_BREACHED]));
	jsonw_number(json, "at_risk", (int64_t)live->at_risk);
	jsonw_number(json, "breached", (int64_t)live->clocks[CLOCK_BREACHED]);
	jsonw_number(json, "paused", (int64_t)live->clocks[CLOCK_PAUSED]);
	jsonw_instant(json, "next_at", wheel_next(service->wheel));
}

static bool
is_live(void *arg)
{
	const struct service *service = arg;
	return service->state == SERVICE_LIVE;
}

static bool
has_all(void *arg)
{
	const struct service *service = arg;
	return service->shards.n == SHARDS;
}

/* Life ------------------------------------------------------------------------------------------------------------- */

static int
make_modules(struct service *service)
{
	const struct desk_hooks hooks = {on_problem, service};
	const struct api_hooks api_hooks = {service_clock, find_policies, add_status, is_live, has_all, service};
	const struct config *config = service->config;
	int r = http_server_new(service->base, config->token, &service->http_server);
	if (r == 0)
		r = desk_new(&hooks, CHANGE_LIMIT, &service->changes);
	if (r == 0)
		r = desk_new(&hooks, READ_LIMIT, &service->reads);
	if (r == 0)
		r = inbound_new(service->http_server, config, service->changes, &service->inbound);
	if (r == 0)
		r = api_new(service->base, service->http_server, config, service->changes, service->reads, &api_hooks,
		            &service->api);
	if (r == 0)
		r = service_metrics_serve(service);
	if (r == 0)
		r = web_serve(service->http_server);
	return r;
}

static int
make_server(struct service *service)
{
	const struct pg_callbacks changes = {on_ready, on_changes_lost, NULL, service};
	const struct pg_callbacks reads = {on_ready, on_reads_lost, NULL, service};
	int r = make_modules(service);
	if (r == 0)
		r = service_make_connection(service, "http", &changes, &service->http_pg);
	if (r == 0)
		r = service_make_connection(service, "api", &reads, &service->api_pg);
	if (r < 0)
		return r;
	desk_set_connection(service->changes, service->http_pg);
	desk_set_connection(service->reads, service->api_pg);
	return 0;
}

/* Sockets of the service manager (sd_listen_fds(3)), which stand in place of http.listen. */
static int
adopt(struct service *service, int n, char **names)
{
	int r = 0;
	for (int i = 0; r == 0 && i < n; i++)
		r = http_server_adopt(service->http_server, SD_LISTEN_FDS_START + i, names[i]);
	return r;
}

static int
open_addresses(struct service *service)
{
	const struct config *config = service->config;
	int r = 0;
	for (size_t i = 0; r == 0 && i < config->n_listen; i++)
		r = http_server_listen(service->http_server, config->listen[i]);
	return r;
}

int
service_http_new(struct service *service)
{
	char **names = NULL;
	/* No program that we run is to take them for its own. */
	int n = sd_listen_fds_with_names(true, &names);
	int r = n;
	if (n < 0)
		log_error("cannot tell which sockets were handed over", log_errno(n));
	else if (n > 0 || service->config->n_listen > 0)
		r = make_server(service);
	if (r == 0)
		r = n > 0 ? adopt(service, n, names) : open_addresses(service);
	if (r == 0 && n > 0 && service->config->n_listen > 0)
		log_info("http.listen is not used: sockets were handed over");
	for (int i = 0; names && i < n; i++)
		free(names[i]);
	free(names);
	return r;
}

void
service_http_start(struct service *service)
{
	if (!service->http_pg)
		return;
	pg_start(service->http_pg);
	pg_start(service->api_pg);
}

void
service_http_configure(struct service *service)
{
	if (!service->http_server)
		return;
	inbound_configure(service->inbound, service->config);
	api_configure(service->api, service->config);
}

void
service_http_stop(struct service *service)
{
	if (service->http_server)
		http_server_stop(service->http_server);
}

void
service_http_free(struct service *service)
{
	http_server_free(service->http_server);
	pg_free(service->http_pg);
	pg_free(service->api_pg);
	api_free(service->api);
	inbound_free(service->inbound);
	desk_free(service->changes);
	desk_free(service->reads);
}
