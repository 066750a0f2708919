/* The adapters of a configuration: their connections, and the channels that write to them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter_internal.h"
#include "slated/config.h"
#include "slated/log.h"

static void
on_ready(void *arg)
{
	(void)arg; /* the timer looks */
}

static void
on_lost(void *arg, const char *reason)
{
	struct adapter *a = arg;
	adapter_tell(a, reason);
	a->failed = false;
	a->turn_at = 0;
	adapter_rest(a, ADAPTER_REST);
}

static void
adapter_free(struct adapter *a)
{
	pg_free(a->theirs);
	pg_free(a->ours);
	timer_free(a->timer);
	reading_clear(&a->reading);
	free(a->after);
	free(a->since);
	free(a->keys);
	free(a->hurry);
	free(a->writer);
	free(a->set.data);
	free(a->tag);
	free(a);
}

static int
connect_theirs(struct adapter *a, const struct config *config)
{
	const struct adapter_settings *s = a->settings;
	const struct pg_callbacks callbacks = {on_ready, on_lost, NULL, a};
	const char *conninfo = s->conninfo != NULL ? s->conninfo : config->conninfo;
	char name[80];
	char *problem = NULL;

	(void)snprintf(name, sizeof(name), "adapter %s", s->name);
	int r =
	    pg_new(a->all->base, conninfo != NULL ? conninfo : "", s->conninfo != NULL ? s->password : config->password,
	           name, config->database_timeout, &a->server, &callbacks, &a->theirs, &problem);
	if (r == -EINVAL)
		log_error("configuration", log_text("setting", "adapters.conninfo"), log_text("adapter", s->name),
		          log_text("error", problem));
	free(problem);
	return r;
}

/* The channel that writes to its tickets. A copy: the channels' settings do not last. */
static int
note_writer(struct adapter *a, const struct config *config)
{
	for (size_t i = 0; i < config->n_channels; i++) {
		const struct channel_settings *c = &config->channels[i];
		if (c->adapter == NULL || strcmp(c->adapter, a->settings->name) != 0)
			continue;
		a->writer = strdup(c->name);
		a->tag = c->tag != NULL ? strdup(c->tag) : NULL;
		if (c->due)
			pg_array_add(&a->set, "due");
		if (c->tag != NULL)
			pg_array_add(&a->set, "tag");
		if (c->severity)
			pg_array_add(&a->set, "severity");
		if (a->set.len > 0)
			pg_array_end(&a->set);
		if (a->writer == NULL || (c->tag != NULL && a->tag == NULL) || a->set.failed)
			return -ENOMEM;
	}
	return 0;
}

static int
adapter_new(struct adapters *all, const struct config *config, const struct adapter_settings *settings,
            struct adapter **ret)
{
	struct adapter *a = calloc(1, sizeof(*a));
	if (a == NULL)
		return -ENOMEM;
	const struct pg_callbacks callbacks = {on_ready, on_lost, NULL, a};
	a->all = all;
	a->settings = settings;
	int r = timer_new(all->loop, adapter_on_timer, a, &a->timer);
	if (r == 0)
		r = note_writer(a, config);
	if (r == 0)
		r = connect_theirs(a, config);
	if (r == 0)
		r = all->hooks.connect(all->hooks.arg, "adapter", &callbacks, &a->ours);
	if (r < 0) {
		adapter_free(a);
		return r;
	}
	pg_start(a->theirs);
	pg_start(a->ours);
	timer_set(a->timer, ADAPTER_REST);
	adapter_join(a);
	*ret = a;
	return 0;
}

int
adapters_new(struct event_base *base, struct loop *loop, const char *instance, const struct adapters_hooks *hooks,
             struct adapters **ret)
{
	struct adapters *all = calloc(1, sizeof(*all));
	if (all == NULL)
		return -ENOMEM;
	*all = (struct adapters){.base = base, .loop = loop, .instance = instance, .hooks = *hooks};
	int r = timer_new(loop, adapters_on_patience, all, &all->patience);
	if (r < 0) {
		free(all);
		return r;
	}
	*ret = all;
	return 0;
}

static void
free_all(struct adapters *all)
{
	while (all->first != NULL) {
		struct adapter *a = all->first;
		all->first = a->next;
		adapter_free(a);
	}
}

/* Nobody is paged for the past, what Alertmanager is told it must be told the end of, and a digest is of no ticket. */
static int
note_channels(struct adapters *all, const struct config *config)
{
	text_empty(&all->told);
	for (size_t i = 0; i < config->n_channels; i++) {
		enum channel_type type = config->channels[i].type;
		if (type != CHANNEL_PAGERDUTY && type != CHANNEL_GOALERT && type != CHANNEL_ALERTMANAGER &&
		    type != CHANNEL_TICKET)
			pg_array_add(&all->told, config->channels[i].name);
	}
	pg_array_end(&all->told);
	all->link = config->ticket_link;
	return all->told.failed ? -ENOMEM : 0;
}

int
adapters_configure(struct adapters *all, const struct config *config)
{
	free_all(all);
	if (note_channels(all, config) < 0)
		return -ENOMEM;
	for (size_t i = config->n_adapters; i > 0; i--) {
		struct adapter *a;
		int r = adapter_new(all, config, &config->adapters[i - 1], &a);
		if (r < 0)
			return r;
		a->next = all->first;
		all->first = a;
	}
	adapters_look(all); /* there may be none any more */
	return 0;
}

void
adapters_free(struct adapters *all)
{
	if (all == NULL)
		return;
	free_all(all);
	timer_free(all->patience);
	free(all->told.data);
	free(all);
}

void
adapters_each(const struct adapters *all, void (*each)(void *arg, const char *name, bool connected, int64_t waiting),
              void *arg)
{
	for (const struct adapter *a = all->first; a != NULL; a = a->next)
		each(arg, a->settings->name, pg_is_ready(a->theirs), a->waiting);
}
