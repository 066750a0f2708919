/* The lease and our word about ourselves, which go together, and before them the look at open tickets' severities and
 * the configuration's record. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service_internal.h"
#include "slated/log.h"
#include "slated/loop.h"
#include "slated/result.h"

/* A daemon that dies is replaced after so long and another's next renewal: 20 s at most are promised. */
#define LEASE_LASTS    "12 s"
#define LEASE_LASTS_US (12 * US_PER_S)
/* A timer that is so much overdue says that something stands still. */
#define OVERDUE_US (5 * US_PER_S)
/* Others give up what is ours within a renewal. */
#define WAIT_FOR_SHARE ((struct duration){US_PER_S})
#define RENEW_BEATS    3 /* the lease, and our word where nothing happened */
/* So long before the lease ends we let go of what is ours: what is on its way by then arrives before another's word. */
#define LET_GO_US (4 * US_PER_S)

static const char beat_sql[] =
    "WITH said AS (INSERT INTO sla.instance AS i (name, version, pid, started_at, configuration, shards, poll_only, "
    "  tickets, next_at, lag, refused, last_error, last_error_at) "
    "  VALUES ($1, '" PACKAGE_VERSION
    "', $4::integer, $5::timestamptz, $6, $15::integer, $7::boolean, $8::bigint, $9::timestamptz, "
    "  $10::bigint * interval '1 microsecond', $11::bigint, $12, $13::timestamptz) "
    "  ON CONFLICT (name) DO UPDATE SET version = excluded.version, pid = excluded.pid, started_at = "
    "excluded.started_at, "
    "  seen_at = clock_timestamp(), stopped_at = NULL, configuration = excluded.configuration, shards = "
    "excluded.shards, "
    "  poll_only = excluded.poll_only, tickets = excluded.tickets, next_at = excluded.next_at, lag = excluded.lag, "
    "  refused = excluded.refused, last_error = excluded.last_error, last_error_at = excluded.last_error_at) "
    "SELECT a.mine, a.r[1], a.r[2], a.r[3], a.had, a.other FROM ("
    "  SELECT CASE WHEN $14 = 'share' THEN (SELECT count(*) FROM sla.lease WHERE owner = $1) END AS had, "
    "  CASE WHEN $14 = 'share' THEN sla.share_lease($1, $2::uuid, $3::interval)::text END AS mine, "
    "  CASE WHEN $14 = 'renew' THEN sla.renew_lease($1, $2::uuid, $3::interval) END AS r, "
    "  CASE WHEN $14 = 'renew' THEN (SELECT o.pid FROM sla.instance o WHERE o.name = $1 AND (o.pid, o.started_at) <> "
    "    ($4::integer, $5::timestamptz) AND o.stopped_at IS NULL AND o.seen_at > clock_timestamp() - $3::interval) "
    "  END AS other OFFSET 0) AS a";

static const char configuration_sql[] = "INSERT INTO sla.configuration (digest, source, instance, tzdata) "
                                        "VALUES ($1, $2, $3, nullif($4, '')) ON CONFLICT (digest) DO NOTHING";

static const char severities_sql[] = "SELECT s.severity, count(*), min(s.ticket_id) FROM sla.ticket_state s "
                                     "WHERE NOT s.closed AND s.severity IS NOT NULL GROUP BY s.severity";

static void
note_server_error(struct service *service, const char *what, PGresult *result)
{
	char text[RESULT_ERROR_SIZE];
	result_write_error(result, text);
	service_problem(service, what, text);
}

/* The shards that are ours from now on, `had` of them before; none of them is in memory yet. */
static void
take_share(struct service *service, const char *list, unsigned had)
{
	const struct shards former = service->shards;
	if (!shards_read(list, &service->shards)) {
		service_begin_anew(service, "the database's answer on the lease could not be read");
		return;
	}
	/* Others have been at work on what was not ours in between; a clock that was set ahead ends leases at once. */
	if (had < service->shards.n || strcmp(former.list, service->shards.list) != 0)
		service_let_go(service);
	bool stood_by = service->stands_by;
	service->stands_by = service->shards.n == 0;
	if (service->stands_by) {
		if (!stood_by)
			log_warning("other daemons hold all shards; waiting for a share");
		(void)snprintf(service->last_error, sizeof(service->last_error), "other daemons hold all shards");
		service->last_error_at = service_now(service);
		service->pause = WAIT_FOR_SHARE;
		service_begin_anew(service, NULL);
	}
}

/* Whether what we hold is what we should: a daemon that came gets its part, one that went leaves its part to others. */
static void
compare_share(struct service *service, PGresult *result)
{
	unsigned held = (unsigned)result_number(result, 0, 1), fair = (unsigned)result_number(result, 0, 2);
	char text[200] = "the lease of some shards is lost";
	if (held < service->shards.n) {
		if (!PQgetisnull(result, 0, 5))
			(void)snprintf(text, sizeof(text),
			               "another daemon, with process id %s, has the same instance.name: give each a "
			               "name of its own",
			               PQgetvalue(result, 0, 5));
		service_begin_anew(service, text);
	} else if (service->state == SERVICE_LIVE && (held > fair || (held < fair && result_number(result, 0, 3) > 0)))
		service_share_anew(service);
}

static void
on_beat_answer(struct service *service, PGresult *result)
{
	if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		note_server_error(service, "the lease could not be taken", result);
		service_begin_anew(service, "no lease");
		return;
	}
	service->lag = (struct duration){0};
	service->written_at = loop_ticks(service->loop);
	if (service->state == SERVICE_LIVE)
		service_note_well(service);
	if (service->renewing)
		service->lease_until = service->beat_sent + LEASE_LASTS_US;
	service_note(service, HEARTBEAT_WRITE);
	if (!PQgetisnull(result, 0, 0))
		take_share(service, PQgetvalue(result, 0, 0), (unsigned)result_number(result, 0, 4));
	else if (!PQgetisnull(result, 0, 1))
		compare_share(service, result);
}

static void
begin_load(struct service *service)
{
	feed_load(service->feed, service->config->digest, &service->shards);
}

void
service_adapters_caught_up(void *arg)
{
	struct service *service = arg;
	if (service->state != SERVICE_LOADING || !service->awaits_adapters)
		return;
	service->awaits_adapters = false;
	begin_load(service);
}

static void
on_beat_result(void *arg, PGresult *result)
{
	struct service *service = arg;
	if (result != NULL) {
		on_beat_answer(service, result);
		return;
	}
	if (service->state == SERVICE_LEASING && service->config_written) {
		service->state = SERVICE_LOADING;
		service->awaits_adapters = adapters_catch_up(service->adapters);
		if (!service->awaits_adapters)
			begin_load(service);
	}
	work_flush(service);
	if (service->state == SERVICE_STOPPING)
		service_stop_step(service);
}

static const char *
instant_or_null(struct instant at, char text[static INSTANT_TEXT_SIZE])
{
	if (instant_equal(at, INSTANT_NEVER) || at.us == 0)
		return NULL;
	(void)instant_format(at, text);
	return text;
}

static void
send_beat(struct service *service)
{
	char started[INSTANT_TEXT_SIZE];
	char next[INSTANT_TEXT_SIZE];
	char failed[INSTANT_TEXT_SIZE];
	char pid[16];
	char tickets[24];
	char lag[24];
	char refused[24];
	char shards[16];
	if (!service->timebase.known)
		service->timebase =
		    (struct timebase){loop_host_clock(service->loop).us - loop_ticks(service->loop), false};
	if (service->started_at.us == 0)
		service->started_at = service_now(service);
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	(void)snprintf(tickets, sizeof(tickets), "%zu", live_count(&service->live));
	(void)snprintf(lag, sizeof(lag), "%lld", (long long)service->lag.us);
	(void)snprintf(refused, sizeof(refused), "%llu", (unsigned long long)service->n_refused);
	(void)snprintf(shards, sizeof(shards), "%u", service->state < SERVICE_LOADING ? 0 : service->shards.n);
	const char *params[] = {
	    service->instance,
	    service->run,
	    LEASE_LASTS,
	    pid,
	    instant_or_null(service->started_at, started),
	    service->config->digest,
	    feed_is_poll_only(service->feed) ? "t" : "f",
	    tickets,
	    instant_or_null(wheel_next(service->wheel), next),
	    lag,
	    refused,
	    service->last_error[0] == '\0' ? NULL : service->last_error,
	    instant_or_null(service->last_error_at, failed),
	    service->state == SERVICE_LEASING ? "share"
	    : service->renew_wanted           ? "renew"
	                                      : "none",
	    shards,
	};
	service->renewing = service->renew_wanted;
	service->beat_sent = loop_ticks(service->loop);
	service->beat_wanted = service->renew_wanted = service->news = false;
	if (pg_send(service->flush_pgs[0], &(struct pg_query){.text = beat_sql,
	                                                      .n_params = sizeof(params) / sizeof(params[0]),
	                                                      .params = params,
	                                                      .result = on_beat_result,
	                                                      .arg = service}) < 0)
		service->beat_wanted = service->renew_wanted = true;
}

/* Whether the lease is about to end without us, who would not be told. */
static bool
lease_lapses(const struct service *service)
{
	return service->lease_until != 0 && loop_ticks(service->loop) >= service->lease_until - LET_GO_US;
}

void
service_beat(struct service *service)
{
	/* A flush that outlived the feed's connection has ended without anybody who waited for it. */
	if (service->state == SERVICE_DOWN)
		service_begin(service);
	bool lapses = lease_lapses(service);
	if (lapses) {
		/* Deliveries that are in hand are the next owner's then. */
		service->lease_until = 0;
		service_let_go(service);
	}
	if (service->state != SERVICE_LIVE && service->state != SERVICE_LOADING)
		return;
	if (lapses) {
		service_begin_anew(service, "the lease could not be renewed in time");
		return;
	}
	struct instant next = wheel_next(service->wheel), now = service_now(service);
	if (instant_equal(next, INSTANT_NEVER) || instant_since(now, next).us < OVERDUE_US)
		service_note(service, HEARTBEAT_ENGINE);
	service->renew_wanted |= ++service->beats % RENEW_BEATS == 0;
	service->beat_wanted = service->renew_wanted || service->news;
	if (service->outbox_failed && pg_is_idle(service->outbox_pg)) {
		service->outbox_failed = false;
		outbox_close(service->outbox);
		pg_restart(service->outbox_pg);
	}
	if (!service->flushing && pg_is_idle(service->flush_pgs[0]))
		(void)service_use_connection(service);
}

/* The flush connection has answered: what else waits for it. */
static void
go_on(struct service *service)
{
	if (service->state != SERVICE_DOWN && !service_use_connection(service))
		work_flush(service);
}

/* With a configuration that lacks what open tickets need nothing can be loaded. One that has come into force by a
 * reload has been looked at then; at a start this is asked before any lease is taken, which another daemon may put to
 * better use. */
static void
look_at_severities(struct service *service, const PGresult *result)
{
	for (int i = 0; i < PQntuples(result); i++) {
		char text[200];
		if (policy_set_severity(service->config->policies, PQgetvalue(result, i, 0)) >= 0)
			continue;
		(void)snprintf(text, sizeof(text), "\"%.60s\" is gone, but %s open tickets have it, such as ticket %s",
		               PQgetvalue(result, i, 0), PQgetvalue(result, i, 1), PQgetvalue(result, i, 2));
		log_error("not started: the configuration lacks a severity", log_text("error", text));
		service->exit_status = EXIT_FAILURE;
	}
	service->severities_known = service->exit_status == EXIT_SUCCESS;
	if (!service->severities_known)
		loop_end(service->loop);
}

static void
on_severities_result(void *arg, PGresult *result)
{
	struct service *service = arg;
	if (result != NULL && PQresultStatus(result) != PGRES_TUPLES_OK) {
		note_server_error(service, "the severities of open tickets could not be read", result);
		service_begin_anew(service, "the severities of open tickets could not be read");
	} else if (result != NULL) {
		look_at_severities(service, result);
	} else if (service->severities_known) {
		go_on(service);
	}
}

static void
ask_for_severities(struct service *service)
{
	if (pg_send(service->flush_pgs[0],
	            &(struct pg_query){.text = severities_sql, .result = on_severities_result, .arg = service}) < 0)
		service_begin_anew(service, "out of memory");
}

static void
on_configuration_result(void *arg, PGresult *result)
{
	struct service *service = arg;
	if (result != NULL && PQresultStatus(result) != PGRES_COMMAND_OK) {
		note_server_error(service, "the configuration could not be recorded", result);
		service_begin_anew(service, "the configuration could not be recorded");
	} else if (result == NULL) {
		go_on(service);
	}
}

static void
write_configuration(struct service *service)
{
	const struct config *config = service->config;
	const char *params[] = {config->digest, config->source, service->instance, config->tzdata};
	service->config_written = true;
	if (pg_send(service->flush_pgs[0], &(struct pg_query){.text = configuration_sql,
	                                                      .n_params = 4,
	                                                      .params = params,
	                                                      .result = on_configuration_result,
	                                                      .arg = service}) < 0)
		service->config_written = false;
}

bool
service_use_connection(struct service *service)
{
	if (service->state == SERVICE_DOWN || !pg_is_idle(service->flush_pgs[0]))
		return false;
	if (!service->severities_known)
		ask_for_severities(service);
	else if (!service->config_written)
		write_configuration(service);
	else if (service->beat_wanted)
		send_beat(service);
	else
		return false;
	return true;
}
