/* The service's life: from one state to the next, whatever becomes of its connections. It sees the host only through
 * loop.h and the database only through pg.h.
 *
 *   DOWN --connections are up--> LEASING --shards held--> LOADING --> LIVE --told to stop--> STOPPING
 *    ^                                                                     |
 *    +------------- a connection is lost, a flush failed, the lease is gone
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service_internal.h"
#include "slated/hook.h"
#include "slated/log.h"
#include "slated/loop.h"
#include "slated/text.h"

#define BEAT       ((struct duration){US_PER_S})
#define STOP_LIMIT ((struct duration){4 * US_PER_S})
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
	return timebase_at(&service->timebase, loop_ticks(service->loop));
}

struct instant
service_clock(void *arg)
{
	return service_now(arg);
}

static uint64_t
courier_random(void *arg)
{
	const struct service *service = arg;
	return loop_random(service->loop);
}

/* What goes on being wrong is said once a minute. */
static bool
was_said(struct service *service)
{
	const int64_t now = loop_ticks(service->loop);
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
	loop_uuid(service->loop, service->run);
}

/* No flush of ours is on its way any more, and the next can be sent. */
static bool
can_flush(const struct service *service)
{
	for (unsigned i = 1; i < LEDGER_SESSIONS; i++)
		if (pg_is_ready(service->flush_pgs[i]) && !pg_is_idle(service->flush_pgs[i]))
			return false;
	return pg_is_idle(service->flush_pgs[0]);
}

void
service_begin(struct service *service)
{
	if (service->state != SERVICE_DOWN || timer_is_set(service->retry) || !pg_is_idle(service->feed_pg) ||
	    !can_flush(service))
		return;
	make_run(service);
	service->state = SERVICE_LEASING;
	service->beat_wanted = service->renew_wanted = true;
	(void)service_use_connection(service);
}

void
service_let_go(struct service *service)
{
	courier_forget(service->courier);
	outbox_let_go(service->outbox);
}

/* The end of a leave-taking that was not for good. */
static void
come_back(struct service *service)
{
	service->coming_back = service->leaving = false;
	timer_unset(service->end);
	timer_set(service->beat, BEAT);
	service_let_go(service);
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
	service->awaits_adapters = false;
	outbox_close(service->outbox);
	feed_stop(service->feed);
	timer_unset(service->timers);
	service->flushing = false;
	service->config_written = false; /* it may have been under way, or its commit may be lost */
}

void
service_begin_anew(struct service *service, const char *why)
{
	if (why != NULL)
		service_problem(service, "everything is read anew", why);
	if (service->state == SERVICE_STOPPING && !service->coming_back) {
		/* What was not committed is done again by the next run. */
		service->exit_status = EXIT_FAILURE;
		loop_end(service->loop);
		return;
	}
	go_down(service);
	timer_set(service->retry, service->pause);
	service->pause.us = service->pause.us * 2 > PAUSE_MAX.us ? PAUSE_MAX.us : service->pause.us * 2;
	pg_restart(service->feed_pg);
	/* What a session took over from its role when it began may be what is wrong. */
	for (unsigned i = 0; why != NULL && i < LEDGER_SESSIONS; i++)
		pg_restart(service->flush_pgs[i]);
	service_begin(service);
}

static void
on_retry(void *arg)
{
	service_begin(arg);
}

/* A connection is up, which may have brought news of the server. */
static void
note_server(struct service *service)
{
	/* After a promotion the former primary may still answer those who are connected to it. */
	struct pg *all[] = {service->feed_pg,   service->flush_pgs[0], service->flush_pgs[1],
	                    service->outbox_pg, service->http_pg,      service->api_pg};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] != NULL)
			pg_leave_former(all[i]);
	/* What was sent may be of commits that are lost: they come again, and their end after them. */
	if (service->served.timeline != 0 && (service->served.system != service->newest.system ||
	                                      service->served.timeline != service->newest.timeline)) {
		service_let_go(service);
		outbox_forget(service->outbox);
	}
	service->served = service->newest;
}

static void
on_pg_ready(void *arg)
{
	note_server(arg);
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
		loop_end(service->loop);
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

/* Without it the first writes all; but of what it had in hand nobody knows. */
static void
on_share_lost(void *arg, const char *reason)
{
	struct service *service = arg;
	if (service->flushing)
		on_flush_lost(service, reason);
	else
		service_problem(service, "no connection to the database for large batches", reason);
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
	if (service->state >= SERVICE_LIVE && !service->holds_back && pg_is_ready(service->outbox_pg))
		outbox_open(service->outbox);
}

static void
on_outbox_ready(void *arg)
{
	note_server(arg);
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

/* The end ---------------------------------------------------------------------------------------------------------- */

static void
on_left(void *arg, PGresult *result)
{
	struct service *service = arg;
	if (result != NULL)
		return;
	if (!service->coming_back) {
		loop_end(service->loop);
		return;
	}
	service->pause = (struct duration){US_PER_S / 1000};
	service_begin_anew(service, NULL);
}

void
service_stop_step(struct service *service)
{
	if (service->leaving || !work_is_done(service) || courier_count(service->courier).in_flight > 0 ||
	    !outbox_is_settled(service->outbox) || !pg_is_idle(service->flush_pgs[0]))
		return;
	const char *params[] = {service->instance, service->run, service->coming_back ? "f" : "t"};
	service->leaving =
	    pg_send(service->flush_pgs[0],
	            &(struct pg_query){
	                .text = leave_sql, .n_params = 3, .params = params, .result = on_left, .arg = service}) == 0;
}

static void
on_end(void *arg)
{
	struct service *service = arg;
	/* What was not committed or told of is done again by the next run, so this is no loss. */
	if (service->coming_back) {
		courier_stop(service->courier);
		service_stop_step(service);
		return;
	}
	log_warning("stopping without waiting any longer");
	loop_end(service->loop);
}

/* Takes in nothing new, and lets what is in hand come to its end. */
static void
begin_to_stop(struct service *service)
{
	service->state = SERVICE_STOPPING;
	feed_stop(service->feed);
	timer_unset(service->timers);
	timer_unset(service->beat);
	timer_set(service->end, STOP_LIMIT);
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

void
service_stop(struct service *service)
{
	bool works = service->state == SERVICE_LIVE || service->coming_back;
	if (service->migrate_once)
		log_warning("stopped before all clocks have moved; once slated runs again: slatectl reload --migrate");
	if (!works) {
		loop_end(service->loop);
		return;
	}
	service->coming_back = false;
	begin_to_stop(service);
	work_flush(service);
	service_stop_step(service);
}

void
service_look_anew(struct service *service)
{
	feed_wake(service->feed);
	courier_wake(service->courier);
}

/* What the parts have to tell ----------------------------------------------------------------------------------------
 */

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

static void
on_beat(void *arg)
{
	struct service *service = arg;
	timer_set(service->beat, BEAT);
	service_beat(service);
}

const struct pg_callbacks service_feed_callbacks = {.ready = on_pg_ready, .lost = on_pg_lost, .notified = on_notified};
const struct pg_callbacks service_flush_callbacks = {.ready = on_pg_ready, .lost = on_flush_lost};
const struct pg_callbacks service_share_callbacks = {.ready = on_pg_ready, .lost = on_share_lost};
const struct pg_callbacks service_outbox_callbacks = {.ready = on_outbox_ready, .lost = on_outbox_lost};

int
service_life_new(struct service *service)
{
	const struct courier_hooks courier = {service_clock, courier_random,        on_outcome,
	                                      on_fall_back,  service_count_attempt, service};
	const struct outbox_hooks outbox = {on_outbox_problem, on_outbox_settled, on_outbox_looked,
	                                    service_restore_channel, service};
	struct feed_hooks feed = work_feed_hooks;
	feed.arg = service;
	service->pause = PAUSE_MIN;
	int r = timer_new(service->loop, on_retry, service, &service->retry);
	if (r == 0)
		r = timer_new(service->loop, on_end, service, &service->end);
	if (r == 0)
		r = timer_new(service->loop, on_beat, service, &service->beat);
	if (r == 0)
		r = work_new(service);
	if (r == 0)
		r = feed_new(service->loop, &service->timebase, &feed, &service->feed);
	if (r == 0)
		r = courier_new(service->loop, service->config->concurrency, &courier, &service->courier);
	if (r == 0)
		r = outbox_new(service->loop, service->instance, &service->shards, &outbox, &service->outbox);
	if (r < 0)
		return r;
	outbox_set_courier(service->outbox, service->courier);
	timer_set(service->beat, BEAT);
	return 0;
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

int
service_hooks_new(struct service *service)
{
	const struct hooks_callbacks hooks = {hook_policies, on_hook_ready, on_hook_problem, service_count_hook,
	                                      service};
	int r = hooks_new(service->children, service->http, &hooks, &service->hooks);
	if (r == 0)
		outbox_set_hooks(service->outbox, service->hooks);
	return r;
}

void
service_life_free(struct service *service)
{
	courier_free(service->courier);
	outbox_free(service->outbox);
	feed_free(service->feed);
	work_free(service);
	timer_free(service->beat);
	timer_free(service->end);
	timer_free(service->retry);
}

void
service_begin_life(struct service *service)
{
	feed_set_connection(service->feed, service->feed_pg);
	outbox_set_connection(service->outbox, service->outbox_pg);
	pg_start(service->feed_pg);
	for (unsigned i = 0; i < LEDGER_SESSIONS; i++)
		pg_start(service->flush_pgs[i]);
	pg_start(service->outbox_pg);
}
