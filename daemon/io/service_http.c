/* The HTTP server of the service. It has a connection to the database of its own: a request then waits neither for a
 * batch of deliveries nor behind a flush, and none of those waits for a ticket that a request found locked. */
#include "service_internal.h"

#include "slated/desk.h"
#include "slated/http_server.h"
#include "slated/inbound.h"

/* PagerDuty gives up after 5 s and sends again. */
#define CHANGE_LIMIT ((struct duration){4 * US_PER_S})

static void
on_ready(void *arg)
{
	(void)arg; /* requests look for themselves */
}

static void
on_lost(void *arg, const char *reason)
{
	struct service *service = arg;
	desk_on_lost(service->desk);
	service_problem(service, "no connection to the database for HTTP requests", reason);
}

static void
on_problem(void *arg, const char *text)
{
	service_problem(arg, "a request over HTTP could not be carried out", text);
}

int
service_http_new(struct service *service)
{
	const struct pg_callbacks callbacks = {on_ready, on_lost, NULL, service};
	const struct desk_hooks hooks = {on_problem, service};
	const struct config *config = service->config;
	if (config->n_listen == 0)
		return 0;
	int r = http_server_new(service->base, config->token, &service->http_server);
	if (r == 0)
		r = desk_new(&hooks, CHANGE_LIMIT, &service->desk);
	if (r == 0)
		r = inbound_new(service->http_server, config, service->desk, &service->inbound);
	if (r == 0)
		r = service_metrics_serve(service);
	if (r == 0)
		r = service_make_connection(service, "http", &callbacks, &service->http_pg);
	if (r < 0)
		return r;
	desk_set_connection(service->desk, service->http_pg);
	for (size_t i = 0; r == 0 && i < config->n_listen; i++)
		r = http_server_listen(service->http_server, config->listen[i]);
	return r;
}

void
service_http_start(struct service *service)
{
	if (service->http_pg)
		pg_start(service->http_pg);
}

void
service_http_configure(struct service *service)
{
	if (service->inbound)
		inbound_configure(service->inbound, service->config);
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
	inbound_free(service->inbound);
	desk_free(service->desk);
}
