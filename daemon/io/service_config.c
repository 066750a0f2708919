/* The configuration in force, its channels, and what a reload does. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "service_internal.h"
#include "slated/log.h"

static void
close_channels(struct channel **channels, size_t n)
{
	for (size_t i = 0; i < n; i++)
		channel_close(channels[i]);
	free(channels);
}

void
service_close_channels(struct service *service)
{
	close_channels(service->channels, service->n_channels);
	service->channels = NULL;
	service->n_channels = 0;
}

static int
open_channel(struct service *service, const struct channel_settings *settings, struct channel **ret)
{
	const struct channel_context context = {
	    .base = service->base,
	    .http = service->http,
	    .mail = service->mail,
	    .children = service->children,
	    .instance = service->instance,
	    .now = service_clock,
	    .arg = service,
	};
	return channel_open(settings, &context, ret);
}

void
service_restore_channel(void *arg, const struct delivery *delivery)
{
	struct service *service = arg;
	for (size_t i = 0; i < service->n_channels; i++)
		if (strcmp(service->channels[i]->name, delivery->channel) == 0)
			channel_restore(service->channels[i], delivery);
}

/* Those that keep what they were told begin with nothing. */
static int
restore_channels(struct service *service)
{
	const char **names = calloc(service->n_channels + 1, sizeof(names[0]));
	size_t n = 0;
	if (names == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < service->n_channels; i++)
		if (service->channels[i]->ops->restore != NULL)
			names[n++] = service->channels[i]->name;
	int r = outbox_restore(service->outbox, names, n);
	free(names);
	return r;
}

/* Opens the configuration's channels in place of the present ones. */
int
service_open_channels(struct service *service, const struct config *config)
{
	struct channel **channels = calloc(config->n_channels + 1, sizeof(channels[0]));
	size_t n = 0;
	if (channels == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_channels; i++) {
		const struct channel_settings *c = &config->channels[i];
		int r = open_channel(service, c, &channels[n]);
		if (r == 0) {
			n++;
			continue;
		}
		log_error(r == -ENOTSUP ? "this version cannot send to channels of this type"
		                        : "a channel cannot be opened",
		          log_text("channel", c->name), log_text("type", channel_type_names[c->type]), log_errno(r));
		close_channels(channels, n);
		return r;
	}
	int r = courier_set_channels(service->courier, channels, n);
	if (r < 0) {
		close_channels(channels, n);
		return r;
	}
	service_close_channels(service);
	service->channels = channels;
	service->n_channels = n;
	courier_set_concurrency(service->courier, config->concurrency);
	r = restore_channels(service);
	if (r < 0)
		return r;
	return heartbeat_configure(service->heartbeat, config->heartbeat_url, config->heartbeat_every);
}

/* Configuration -----------------------------------------------------------------------------------------------------
 */

int
service_load_config(const char *path, struct config **ret)
{
	struct config_problems problems = {0};
	int r = config_load(path, (struct instant){(int64_t)time(NULL) * US_PER_S}, 0, &problems, ret);
	for (size_t i = 0; i < problems.n; i++) {
		const struct config_problem *p = &problems.items[i];
		log_error("configuration", log_text("file", p->file), log_number("line", p->line),
		          log_text("setting", p->setting), log_text("error", p->message));
	}
	config_problems_clear(&problems);
	if (r == -ENOMEM)
		log_error("out of memory");
	return r;
}

/* Why the configuration cannot follow the one in force while tickets are open, or NULL. */
static const char *
reload_obstacle(const struct service *service, const struct config *config)
{
	static char text[200];
	const struct policy_set *now = service->config->policies;
	struct live_walk walk = live_begin(&service->live);
	for (const struct live_ticket *t; (t = live_next(&walk)) != NULL;) {
		const char *severity = now->severities[t->ticket.severity].name;
		if (t->ticket.opened && policy_set_severity(config->policies, severity) < 0) {
			(void)snprintf(text, sizeof(text), "severity \"%s\" is gone, but ticket %lld has it", severity,
			               (long long)t->id);
			return text;
		}
		for (const struct clock *c = t->ticket.clocks; c != NULL; c = c->next) {
			const char *calendar = calendar_name(c->target->calendar);
			if (!clock_is_active(c) || policy_set_calendar(config->policies, calendar) != NULL)
				continue;
			(void)snprintf(text, sizeof(text),
			               "calendar \"%s\" is gone, but the %s clock of ticket %lld runs on it", calendar,
			               metric_names[c->metric], (long long)t->id);
			return text;
		}
	}
	return NULL;
}

/* Secrets are not part of the digest, so two configurations of one digest may differ in them. */
static void
swap_secrets(struct config *now, struct config *then)
{
	struct channel_settings *channels = now->channels;
	now->channels = then->channels;
	then->channels = channels;
}

/* What a reload does not change is told of: the file says something else than what holds. */
static void
note_unchanged(const struct config *former, const struct config *config)
{
	bool same_listen = former->n_listen == config->n_listen;
	for (size_t i = 0; same_listen && i < config->n_listen; i++)
		same_listen = strcmp(former->listen[i], config->listen[i]) == 0;
	const struct {
		const char *name;
		bool same;
	} settings[] = {
	    {"http.listen", same_listen},
	    {"database.timeout", former->database_timeout.us == config->database_timeout.us},
	    {"instance.name", strcmp(former->instance, config->instance) == 0},
	    {"database.conninfo", former->conninfo == NULL || config->conninfo == NULL
	                              ? former->conninfo == config->conninfo
	                              : strcmp(former->conninfo, config->conninfo) == 0},
	};
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (!settings[i].same)
			log_warning("a changed setting holds from the next start on",
			            log_text("setting", settings[i].name));
}

void
service_reload(struct service *service)
{
	struct config *config;
	const struct config *former = service->config;
	memset(service->said, 0, sizeof(service->said)); /* somebody waits for the answer */
	service->news = true;
	int r = service_load_config(service->path, &config);
	const char *obstacle = r < 0 ? "it has errors" : reload_obstacle(service, config);
	if (r == 0 && strcmp(config->digest, service->config->digest) == 0 && obstacle == NULL) {
		obstacle = service_open_channels(service, config) < 0 ? "a channel cannot be opened" : "";
		if (*obstacle == '\0')
			swap_secrets(service->config, config);
		log_info("reload: the configuration is unchanged", log_text("configuration", config->digest));
	}
	if (obstacle == NULL && (service_open_channels(service, config) < 0 || work_configure(service, config) < 0))
		obstacle = "a channel cannot be opened";
	service_count_reload(service, obstacle == NULL ? "success" : *obstacle != '\0' ? "refused" : "unchanged");
	service->reload_refused = obstacle != NULL && *obstacle != '\0';
	if (obstacle != NULL) {
		if (service->reload_refused)
			service_problem(service, "reload refused, the former configuration stays in force", obstacle);
		if (r == 0)
			config_free(config);
		return;
	}
	service_http_configure(service);
	if (adapters_configure(service->adapters, config) < 0)
		log_error("the adapters cannot be opened; restart slated");
	note_unchanged(former, config);
	log_info("reloaded", log_text("configuration", config->digest));
}
