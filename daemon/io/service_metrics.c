/* What the service counts of itself, /metrics, and whether it is healthy and ready.
 * What a batch brings to the ledger is counted when the batch has been committed: one that was not is read and made
 * anew. A tally holds it until then. */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "service_internal.h"
#include "slated/http_server.h"
#include "slated/loop.h"
#include "slated/metrics.h"
#include "slated/render.h"

/* The lease is renewed every five seconds, which is a write; after so long without one it has run out. */
#define WRITTEN_LATELY_US (15 * US_PER_S)

struct tally {
	unsigned milestones[MILESTONE_COUNT][METRIC_COUNT + 1]; /* the last one: without a metric */
	unsigned events[EVENT_COUNT];
	unsigned refused;
	unsigned late;
	size_t rows;
	struct instant *timers; /* the instants of milestones that timers made */
	size_t n_timers;
	size_t room;
};

struct service_metrics {
	struct metrics *metrics;
	struct tally next; /* of the batch that is being gathered, */
	struct tally sent; /* and of the one on its way */
	int64_t sent_at;   /* ticks */
	double started_at;
	double process_started_at;
};

static double
seconds(struct instant at)
{
	return (double)at.us / (double)US_PER_S;
}

/* Tallies ---------------------------------------------------------------------------------------------------------- */

static void
tally_clear(struct tally *tally)
{
	*tally = (struct tally){.timers = tally->timers, .room = tally->room};
}

static void
tally_timer(struct tally *tally, struct instant at)
{
	if (tally->n_timers == tally->room) {
		size_t room = tally->room == 0 ? 64 : 2 * tally->room;
		struct instant *longer = realloc(tally->timers, room * sizeof(*longer));
		if (longer == NULL)
			return; /* the sample is lost, as metrics.h says */
		tally->timers = longer;
		tally->room = room;
	}
	tally->timers[tally->n_timers++] = at;
}

void
service_count_milestone(struct service *service, const struct milestone *m)
{
	struct tally *tally = &service->metrics->next;
	tally->milestones[m->kind][m->metric]++;
	if (m->by_timer)
		tally_timer(tally, m->at);
}

void
service_count_event(struct service *service, enum event_kind kind)
{
	service->metrics->next.events[kind]++;
}

void
service_count_refused(struct service *service)
{
	service->metrics->next.refused++;
}

void
service_count_late(struct service *service)
{
	service->metrics->next.late++;
}

void
service_count_flush(struct service *service, size_t rows)
{
	struct service_metrics *m = service->metrics;
	struct tally former = m->sent;
	m->next.rows = rows;
	m->sent = m->next;
	m->sent_at = loop_ticks(service->loop);
	tally_clear(&former);
	m->next = former;
}

static const char *
metric_label(unsigned metric)
{
	return metric == METRIC_COUNT ? "none" : metric_names[metric];
}

void
service_count_flushed(struct service *service)
{
	struct service_metrics *m = service->metrics;
	struct tally *tally = &m->sent;
	struct instant now = service_now(service);
	double took = (double)(loop_ticks(service->loop) - m->sent_at) / (double)US_PER_S;
	service->written_at = loop_ticks(service->loop);
	metrics_observe(m->metrics, METRICS_FLUSH_SECONDS, took);
	metrics_observe(m->metrics, METRICS_FLUSH_ROWS, (double)tally->rows);
	for (unsigned kind = 0; kind < MILESTONE_COUNT; kind++)
		for (unsigned metric = 0; metric <= METRIC_COUNT; metric++)
			if (tally->milestones[kind][metric] > 0)
				metrics_add(m->metrics, METRICS_MILESTONES, milestone_names[kind], metric_label(metric),
				            tally->milestones[kind][metric]);
	for (unsigned kind = 0; kind < EVENT_COUNT; kind++)
		metrics_add(m->metrics, METRICS_EVENTS, event_names[kind], NULL, tally->events[kind]);
	metrics_add(m->metrics, METRICS_EVENTS_REFUSED, NULL, NULL, tally->refused);
	metrics_add(m->metrics, METRICS_EVENTS_LATE, NULL, NULL, tally->late);
	for (size_t i = 0; i < tally->n_timers; i++) {
		struct duration lag = instant_since(now, tally->timers[i]);
		metrics_observe(m->metrics, METRICS_FIRE_LAG, lag.us < 0 ? 0 : (double)lag.us / (double)US_PER_S);
	}
	tally_clear(tally);
}

void
service_count_anew(struct service *service)
{
	tally_clear(&service->metrics->next);
	tally_clear(&service->metrics->sent);
}

/* Counters at their places ----------------------------------------------------------------------------------------- */

void
service_count_poll(struct service *service, struct duration took)
{
	metrics_observe(service->metrics->metrics, METRICS_POLL_SECONDS, (double)took.us / (double)US_PER_S);
}

void
service_count_outcome(struct service *service, const struct delivery *delivery, enum outcome outcome)
{
	if (outcome != OUTCOME_RETRY)
		metrics_add(service->metrics->metrics, METRICS_DELIVERIES, delivery->channel, outcome_names[outcome],
		            1);
}

void
service_count_attempt(void *arg, const char *channel, size_t n, enum outcome outcome)
{
	struct service *service = arg;
	metrics_add(service->metrics->metrics, METRICS_ATTEMPTS, channel, NULL, 1);
	if (n > 1 && outcome == OUTCOME_DELIVERED)
		metrics_add(service->metrics->metrics, METRICS_DIGESTS, channel, NULL, 1);
}

static const char *
hook_outcome(bool answered)
{
	return answered ? "answered" : "failed";
}

void
service_count_hook(void *arg, const char *rule, bool answered)
{
	struct service *service = arg;
	metrics_add(service->metrics->metrics, METRICS_HOOK_RUNS, rule, hook_outcome(answered), 1);
}

void
service_count_adapter(void *arg, const char *adapter, const struct adapter_counts *counts)
{
	struct service *service = arg;
	struct metrics *metrics = service->metrics->metrics;
	metrics_add(metrics, METRICS_ADAPTER_TICKETS, adapter, NULL, (double)counts->tickets);
	metrics_add(metrics, METRICS_ADAPTER_ITEMS, adapter, NULL, (double)counts->items);
	metrics_add(metrics, METRICS_ADAPTER_DIFFERENCES, adapter, NULL, (double)counts->differences);
	metrics_add(metrics, METRICS_ADAPTER_ERRORS, adapter, NULL, (double)counts->errors);
}

void
service_count_reload(struct service *service, const char *outcome)
{
	metrics_add(service->metrics->metrics, METRICS_RELOADS, outcome, NULL, 1);
}

/* Looking ---------------------------------------------------------------------------------------------------------- */

/* What is there to count is named before it happens: nobody sees the rise of a series that begins at 1. */
static void
name_series(const struct service *service, struct metrics *metrics)
{
	static const char *const reloads[] = {"refused", "success", "unchanged"};
	const struct config *config = service->config;
	for (unsigned kind = 0; kind < MILESTONE_COUNT; kind++)
		for (unsigned metric = 0; metric < METRIC_COUNT; metric++)
			metrics_add(metrics, METRICS_MILESTONES, milestone_names[kind], metric_names[metric], 0);
	metrics_add(metrics, METRICS_MILESTONES, milestone_names[MILESTONE_ESCALATED], metric_label(METRIC_COUNT), 0);
	for (unsigned kind = 0; kind < EVENT_COUNT; kind++)
		metrics_add(metrics, METRICS_EVENTS, event_names[kind], NULL, 0);
	for (size_t i = 0; i < sizeof(reloads) / sizeof(reloads[0]); i++)
		metrics_add(metrics, METRICS_RELOADS, reloads[i], NULL, 0);
	for (size_t i = 0; i < config->n_channels; i++) {
		const char *name = config->channels[i].name;
		for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++)
			if (outcome != OUTCOME_RETRY)
				metrics_add(metrics, METRICS_DELIVERIES, name, outcome_names[outcome], 0);
		metrics_add(metrics, METRICS_ATTEMPTS, name, NULL, 0);
		metrics_add(metrics, METRICS_DIGESTS, name, NULL, 0);
	}
	for (size_t i = 0; i < config->policies->n_rules; i++)
		for (int answered = 0; rule_has_hook(&config->policies->rules[i]) && answered <= 1; answered++)
			metrics_add(metrics, METRICS_HOOK_RUNS, config->policies->rules[i].name, hook_outcome(answered),
			            0);
}

static void
look_at_channel(void *arg, const struct courier_channel *channel)
{
	struct metrics *metrics = arg;
	const struct courier_counts *counts = &channel->counts;
	metrics_set(metrics, METRICS_HELD, channel->name, "behind", (double)counts->behind);
	metrics_set(metrics, METRICS_HELD, channel->name, "later", (double)counts->later);
	metrics_set(metrics, METRICS_HELD, channel->name, "ready", (double)counts->ready);
	metrics_set(metrics, METRICS_HELD, channel->name, "in_flight", (double)counts->in_flight);
	metrics_set(metrics, METRICS_CHANNEL_FAILING, channel->name, NULL, channel->failing);
}

static void
look_at_adapter(void *arg, const char *name, bool connected, int64_t waiting)
{
	struct service *service = arg;
	struct metrics *metrics = service->metrics->metrics;
	char connection[80];
	(void)snprintf(connection, sizeof(connection), "adapter %s", name);
	metrics_set(metrics, METRICS_DATABASE_UP, connection, NULL, connected);
	metrics_set(metrics, METRICS_ADAPTER_WAITING, name, NULL, (double)waiting);
	service_count_adapter(service, name, &(struct adapter_counts){0}); /* names the series */
}

/* How many descriptors are open, without the one that it takes to look; -1: /proc cannot be read. */
static int
count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int n = 0;
	if (folder == NULL)
		return -1;
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
		n += entry->d_name[0] != '.';
	(void)closedir(folder);
	return n - 1;
}

/* In bytes: proc_pid_statm(5); -1: /proc cannot be read. */
static double
resident_memory(void)
{
	unsigned long pages;
	FILE *file = fopen("/proc/self/statm", "re");
	if (file == NULL)
		return -1;
	int n = fscanf(file, "%*u %lu", &pages);
	(void)fclose(file);
	return n == 1 ? (double)pages * (double)sysconf(_SC_PAGESIZE) : -1;
}

/* In seconds since 1970: proc_pid_stat(5), field 22, which counts from the boot; -1: /proc cannot be read. */
static double
process_start(void)
{
	unsigned long long start;
	struct timespec now;
	char text[1024];
	FILE *file = fopen("/proc/self/stat", "re");
	if (file == NULL)
		return -1;
	size_t len = fread(text, 1, sizeof(text) - 1, file);
	(void)fclose(file);
	text[len] = '\0';
	const char *rest = strrchr(text, ')'); /* the name may hold anything */
	if (rest == NULL ||
	    sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
	           &start) != 1)
		return -1;
	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for a clock that every system has */
	double age = (double)timebase_ticks() / (double)US_PER_S - (double)start / (double)sysconf(_SC_CLK_TCK);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9 - age;
}

static void
set_known(struct metrics *metrics, enum metrics_id id, double value)
{
	if (value >= 0)
		metrics_set(metrics, id, NULL, NULL, value);
	else
		metrics_forget(metrics, id);
}

static double
timeval_seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static void
look_at_process(const struct service *service, struct metrics *metrics)
{
	struct rusage usage;
	struct rlimit limit;
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		metrics_set(metrics, METRICS_PROCESS_CPU, NULL, NULL,
		            timeval_seconds(usage.ru_utime) + timeval_seconds(usage.ru_stime));
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		metrics_set(metrics, METRICS_PROCESS_FDS_MAX, NULL, NULL, (double)limit.rlim_cur);
	set_known(metrics, METRICS_PROCESS_MEMORY, resident_memory());
	set_known(metrics, METRICS_PROCESS_FDS, count_fds());
	set_known(metrics, METRICS_PROCESS_START, service->metrics->process_started_at);
}

static void
look_at_database(const struct service *service, struct metrics *metrics)
{
	const struct {
		const char *name;
		const struct pg *pg;
	} connections[] = {
	    {"feed", service->feed_pg},     {"ledger", service->flush_pgs[0]}, {"ledger 2", service->flush_pgs[1]},
	    {"outbox", service->outbox_pg}, {"http", service->http_pg},        {"api", service->api_pg},
	};
	for (size_t i = 0; i < sizeof(connections) / sizeof(connections[0]); i++)
		metrics_set(metrics, METRICS_DATABASE_UP, connections[i].name, NULL, pg_is_ready(connections[i].pg));
}

static bool
holds_lease(const struct service *service)
{
	return service->state >= SERVICE_LOADING && loop_ticks(service->loop) < service->lease_until;
}

static bool
writes(const struct service *service)
{
	return pg_is_ready(service->flush_pgs[0]) && service->written_at > 0 &&
	       loop_ticks(service->loop) - service->written_at < WRITTEN_LATELY_US;
}

bool
service_is_ready(const struct service *service)
{
	return service->state == SERVICE_LIVE && holds_lease(service) && writes(service);
}

static void
look(struct service *service)
{
	struct metrics *metrics = service->metrics->metrics;
	struct instant next = wheel_next(service->wheel);
	double every = (double)heartbeat_interval(service->heartbeat).us / (double)US_PER_S;
	bool timers = service->state >= SERVICE_LIVE && !instant_equal(next, INSTANT_NEVER);
	name_series(service, metrics);
	metrics_set(metrics, METRICS_TICKETS, NULL, NULL, (double)live_count(&service->live));
	metrics_set(metrics, METRICS_TICKETS_LEFT_OUT, NULL, NULL, service->n_left_out);
	for (unsigned state = 0; state < LIVE_CLOCK_STATES; state++)
		metrics_set(metrics, METRICS_CLOCKS, clock_state_names[state], NULL,
		            (double)service->live.clocks[state]);
	metrics_forget(metrics, METRICS_HELD);
	metrics_forget(metrics, METRICS_CHANNEL_FAILING);
	courier_each_channel(service->courier, look_at_channel, metrics);
	metrics_forget(metrics, METRICS_ADAPTER_WAITING);
	look_at_database(service, metrics);
	adapters_each(service->adapters, look_at_adapter, service);
	metrics_set(metrics, METRICS_LEASE_HELD, NULL, NULL, holds_lease(service));
	metrics_set(metrics, METRICS_SHARDS_OWNED, NULL, NULL, holds_lease(service) ? service->shards.n : 0);
	metrics_set(metrics, METRICS_READY, NULL, NULL, service_is_ready(service));
	metrics_forget(metrics, METRICS_CONFIGURATION);
	metrics_set(metrics, METRICS_CONFIGURATION, service->config->digest, NULL, 1);
	metrics_set(metrics, METRICS_BUILD, PACKAGE_VERSION, NULL, 1);
	set_known(metrics, METRICS_NEXT_TIMER, timers ? seconds(next) : -1);
	metrics_set(metrics, METRICS_START_TIME, NULL, NULL, service->metrics->started_at);
	set_known(metrics, METRICS_HEARTBEAT_SUCCESS,
	          every > 0 ? seconds(heartbeat_last_success(service->heartbeat)) : -1);
	set_known(metrics, METRICS_HEARTBEAT_INTERVAL, every > 0 ? every : -1);
	look_at_process(service, metrics);
}

/* Answering -------------------------------------------------------------------------------------------------------- */

static void
serve_metrics(void *arg, struct http_call *call)
{
	struct service *service = arg;
	bool openmetrics = metrics_prefers_openmetrics(http_call_header(call, "Accept"));
	struct text text = {0};
	look(service);
	metrics_write(service->metrics->metrics, openmetrics, &text);
	http_call_add_header(call, "Vary", "Accept");
	if (text.failed)
		http_answer_json(call, 503, NULL);
	else
		http_answer(call, 200, openmetrics ? METRICS_OPENMETRICS_TYPE : METRICS_TEXT_TYPE, text.data, text.len);
	free(text.data);
}

/* That it answers is what makes it true. */
static void
serve_healthy(void *arg, struct http_call *call)
{
	(void)arg;
	http_answer_json(call, 200, json_pack("{s:b}", "healthy", true));
}

static void
serve_ready(void *arg, struct http_call *call)
{
	const struct service *service = arg;
	const struct {
		const char *name;
		bool there;
	} parts[] = {
	    {"lease", holds_lease(service)},
	    {"tickets", service->state == SERVICE_LIVE},
	    {"ledger", writes(service)},
	};
	bool ready = service_is_ready(service);
	json_t *missing = json_array();
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!parts[i].there)
			(void)json_array_append_new(missing, json_string(parts[i].name)); /* the status tells enough */
	if (ready) {
		json_decref(missing);
		http_answer_json(call, 200, json_pack("{s:b}", "ready", true));
		return;
	}
	const char *error = service->last_error[0] != '\0' ? service->last_error : "it has just begun";
	http_call_add_header(call, "Retry-After", "2");
	http_answer_json(call, 503, json_pack("{s:b, s:o, s:s}", "ready", false, "missing", missing, "error", error));
}

static const struct http_route routes[] = {
    {"GET", "/metrics", HTTP_READ, serve_metrics}, {"GET", "/-/healthy", HTTP_READ, serve_healthy},
    {"GET", "/healthz", HTTP_READ, serve_healthy}, {"GET", "/-/ready", HTTP_READ, serve_ready},
    {"GET", "/readyz", HTTP_READ, serve_ready},
};

int
service_metrics_serve(struct service *service)
{
	return http_server_add(service->http_server, routes, sizeof(routes) / sizeof(routes[0]), service);
}

int
service_metrics_new(struct service *service)
{
	struct timespec now;
	struct service_metrics *m = calloc(1, sizeof(*m));
	if (m == NULL)
		return -ENOMEM;
	int r = metrics_new(&m->metrics);
	if (r < 0) {
		free(m);
		return r;
	}
	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for a clock that every system has */
	m->started_at = (double)now.tv_sec + (double)(now.tv_nsec / 1000000) / 1e3;
	m->process_started_at = process_start();
	service->metrics = m;
	return 0;
}

void
service_metrics_free(struct service *service)
{
	struct service_metrics *m = service->metrics;
	if (m == NULL)
		return;
	metrics_free(m->metrics);
	free(m->next.timers);
	free(m->sent.timers);
	free(m);
}
