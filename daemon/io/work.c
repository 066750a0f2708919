/* Events in, timers out, batches to the ledger. What is taken in stops while a full batch waits for its flush, so that
 * memory and the size of a transaction are bounded. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service_internal.h"
#include "slated/api.h"
#include "slated/log.h"
#include "slated/loop.h"
#include "slated/rows.h"

/* Timers fire so much ahead of their instants: about as long as it takes until the server has read the flush, which
 * waits for them there (sla.fence()). */
#define AHEAD ((struct duration){600})

/* What is due has waited for so long: what was written before it may not have been read. */
#define WAITED ((struct duration){10000})
/* But it waits no longer than this for a poll that is not answered. */
#define UNREAD_MAX_US (3 * US_PER_S)

/* What waits to be sent waits for what the load brings, which may be its end, but no longer than this. */
#define HOLD_BACK_US (10 * US_PER_S)
/* Flushes after which all that was there at a time is written: the one that was under way, and the next. */
#define FLUSHES_FOR_ALL 2

/* So many tickets are looked at in one turn for clocks that are to move: they may all be there, and not one to move. */
#define MOVES_LOOKED_AT 5000

static bool
has_room(const struct service *service)
{
	return ledger_rows(service->ledger) + 2 * service->live.n_touched < LEDGER_ROWS_MAX;
}

bool
work_is_done(const struct service *service)
{
	return !service->flushing && ledger_rows(service->ledger) == 0 && service->live.n_touched == 0;
}

/* The engine's effects ----------------------------------------------------------------------------------------------
 */

static void
on_milestone(void *arg, struct ticket *ticket, const struct milestone *m)
{
	struct service *service = arg;
	struct instant now = service_now(service);
	struct duration lag = instant_since(now, m->at);
	if (m->by_timer && !service->catching_up && lag.us > service->lag.us)
		service->lag = lag;
	ledger_add_milestone(service->ledger, engine_policies(service->engine), ticket, m, now);
	service_count_milestone(service, m);
	if (m->kind == MILESTONE_AT_RISK || m->kind == MILESTONE_BREACHED || m->kind == MILESTONE_ESCALATED)
		log_info(milestone_names[m->kind], log_number("ticket", (int64_t)ticket->id),
		         log_text("metric", m->metric == METRIC_COUNT ? NULL : metric_names[m->metric]),
		         log_number("cycle", m->cycle), log_text("level", m->level), log_instant("at", m->at),
		         log_text("policy", m->policy), log_text("escalation", m->escalation),
		         log_text("trigger", m->trigger));
}

static void
on_reassessed(void *arg, struct ticket *ticket, const struct reassessment *r)
{
	struct service *service = arg;
	const struct policy_set *set = engine_policies(service->engine);
	ledger_add_reassessment(service->ledger, set, ticket, r, ((const struct live_ticket *)ticket)->applied_seq);
	if (rule_has_hook(r->rule)) {
		log_info("hook called for", log_number("ticket", (int64_t)ticket->id), log_text("rule", r->rule->name),
		         log_text("by", rule_on_names[r->on]));
		return;
	}
	log_info("severity reassessed", log_number("ticket", (int64_t)ticket->id), log_text("rule", r->rule->name),
	         log_text("from", set->severities[r->from].name), log_text("to", set->severities[r->to].name));
}

static void
on_problem(void *arg, struct ticket *ticket, const char *text)
{
	(void)ticket;
	service_problem(arg, "a rule was not applied", text);
}

static const char *
digest_of(void *arg, const struct policy_set *set)
{
	const struct service *service = arg;
	for (const struct known_config *k = service->configs; k != NULL; k = k->next)
		if (k->config->policies == set)
			return k->config->digest;
	return NULL;
}

static void
name_configs(struct service *service)
{
	ledger_set_names(service->ledger, &(struct ledger_names){service->config, digest_of, service});
}

/* Timers ----------------------------------------------------------------------------------------------------------- */

void
work_plan(struct service *service, struct live_ticket *live)
{
	struct instant next = ticket_next(&live->ticket);
	live_count_clocks(&service->live, live);
	if (instant_equal(next, INSTANT_NEVER))
		wheel_unset(service->wheel, &live->ticket.timer);
	else
		wheel_set(service->wheel, &live->ticket.timer, next);
}

/* All that was committed by then has been read. */
static struct instant
read_until(const struct service *service)
{
	return timebase_at(&service->timebase, feed_read_at(service->feed));
}

/* What is due by then has waited, so that events which were committed before it may not have been read; one of them may
 * keep a clock from it. In time this cannot be, since events are hinted at, unless no hint reaches us. */
static struct instant
waited_until(const struct service *service, struct instant now)
{
	return feed_is_poll_only(service->feed) ? now : instant_plus(now, (struct duration){-WAITED.us});
}

static bool
is_tired(const struct service *service)
{
	return service->unread_since != 0 && loop_ticks(service->loop) - service->unread_since >= UNREAD_MAX_US;
}

/* Up to when timers may fire. Once one has waited, no further than events have been read. */
static struct instant
fire_until(const struct service *service, struct instant now)
{
	struct instant waited = waited_until(service, now), read = read_until(service);
	if (instant_before(read, waited) && !instant_before(waited, wheel_next(service->wheel)) && !is_tired(service))
		return read;
	return feed_is_poll_only(service->feed) ? now : instant_plus(now, AHEAD);
}

void
work_arm(struct service *service)
{
	struct instant next = wheel_next(service->wheel), now = service_now(service);
	bool idle = instant_equal(next, INSTANT_NEVER) && !service->catching_up && !service->moving;
	if (service->state != SERVICE_LIVE || idle) {
		timer_unset(service->timers);
		return;
	}
	struct instant until = fire_until(service, now);
	if (instant_before(until, now) && instant_before(until, next)) {
		int64_t ticks = loop_ticks(service->loop);
		if (service->unread_since == 0)
			service->unread_since = ticks;
		timer_set(service->timers, (struct duration){service->unread_since + UNREAD_MAX_US - ticks});
		feed_wake(service->feed); /* the poll's end goes on with the timers */
		return;
	}
	int64_t us = instant_since(next, until).us;
	if (us < 0 || service->catching_up || service->moving)
		us = 0;
	if (us > US_PER_H)
		us = US_PER_H; /* looked at again by then */
	timer_set(service->timers, (struct duration){us});
}

/* Moves ------------------------------------------------------------------------------------------------------------ */

static bool
is_of_former(const struct service *service, const struct ticket *ticket)
{
	for (const struct clock *clock = ticket->clocks; clock != NULL; clock = clock->next)
		if (clock_is_active(clock) && clock->set != service->config->policies)
			return true;
	return false;
}

static bool
is_changed(const struct ticket *ticket)
{
	bool changed = ticket->dirty;
	for (const struct clock *clock = ticket->clocks; clock != NULL; clock = clock->next)
		changed |= clock->dirty;
	return changed;
}

/* Moves the clocks of the next tickets: as many as one batch takes, and no more than a turn of the loop has time for.
 */
static int
move_some(struct service *service)
{
	struct instant now = service_now(service);
	struct live_ticket *live = NULL;
	for (unsigned n = 0; n < MOVES_LOOKED_AT && has_room(service); n++) {
		live = live_next(&service->moves);
		if (live == NULL) {
			service->moving = service->migrate_once = false;
			if (service->n_moved > 0)
				log_info("clocks have moved to the configuration in force",
				         log_number("tickets", (int64_t)service->n_moved));
			return 0;
		}
		if (!is_of_former(service, &live->ticket))
			continue;
		int r = engine_advance(service->engine, &live->ticket, now);
		if (r == 0)
			r = engine_migrate(service->engine, &live->ticket, now);
		if (r < 0)
			return r;
		if (is_changed(&live->ticket)) { /* a breached clock stays as it is */
			live_touch(&service->live, live);
			service->n_moved++;
		}
		work_plan(service, live);
	}
	return 0;
}

void
work_migrate(struct service *service)
{
	service->moving = service->state == SERVICE_LIVE && (service->config->migrate || service->migrate_once);
	service->moves = live_begin(&service->live);
	service->n_moved = 0;
	work_arm(service);
}

/* Turns ------------------------------------------------------------------------------------------------------------ */

/* After a flush, or where there is nothing to flush: what the load brought may be on record now. */
static void
look_whether_to_send(struct service *service, bool flushed)
{
	if (!service->holds_back || service->state != SERVICE_LIVE)
		return;
	if (flushed && !service->catching_up && service->flushes_left > 0)
		service->flushes_left--;
	bool written = !service->catching_up && (service->flushes_left == 0 || work_is_done(service));
	if (!written && loop_ticks(service->loop) - service->loaded_at < HOLD_BACK_US)
		return;
	service->holds_back = false;
	service_open_outbox(service);
}

/* Writes what a load has brought, which may be more than memory should hold, and has it go on. */
static void
write_amid_load(struct service *service)
{
	work_flush(service);
	if (service->state == SERVICE_LOADING && has_room(service))
		feed_resume(service->feed);
}

static void
on_timers(void *arg)
{
	struct service *service = arg;
	struct instant now = service_now(service), until = fire_until(service, now);
	struct wheel_node *node = NULL;
	if (service->state == SERVICE_LOADING)
		write_amid_load(service);
	/* The end of a poll's answer goes on with the timers. */
	if (service->state != SERVICE_LIVE || feed_is_amid(service->feed))
		return;
	while (has_room(service) && (node = wheel_pop(service->wheel, until)) != NULL) {
		struct live_ticket *live = (struct live_ticket *)node;
		int r = engine_advance(service->engine, &live->ticket, until);
		live_touch(&service->live, live);
		if (r < 0) {
			service_begin_anew(service, strerror(-r));
			return;
		}
		work_plan(service, live);
	}
	if (node == NULL && has_room(service) && service->catching_up &&
	    instant_before(now, wheel_next(service->wheel))) {
		service->catching_up = false;
		engine_set_absence(service->engine, false);
	}
	if (service->moving && !service->catching_up) {
		int r = move_some(service);
		if (r < 0) {
			service_begin_anew(service, strerror(-r));
			return;
		}
	}
	work_flush(service);
	look_whether_to_send(service, false);
	/* With a full batch the flush's end goes on with the timers. */
	if (has_room(service))
		work_arm(service);
}

/* Events ----------------------------------------------------------------------------------------------------------- */

static void
note_refusal(struct service *service, const struct event_row *row, const char *refusal)
{
	service->n_refused++;
	service_count_refused(service);
	log_warning("event refused", log_number("ticket", row->ticket_id), log_number("seq", row->seq),
	            log_text("kind", event_names[row->event.kind]), log_text("reason", refusal));
	ledger_add_event_note(service->ledger, row->ticket_id, row->seq, refusal, false);
}

/* A ticket that is not in memory and whose event is not its first is final. */
static void
apply_to_final(struct service *service, const struct event_row *row)
{
	service_count_event(service, row->event.kind);
	ledger_add_seen(service->ledger, row->ticket_id, row->seq);
	if (row->event.kind != EVENT_MERGED)
		note_refusal(service, row, "the ticket is closed or merged: nothing can follow");
}

/* An event that cannot be read, as `problem` says, is refused like one that makes no sense. */
static void
refuse_unread(struct service *service, struct live_ticket *live, const struct event_row *row, const char *problem)
{
	live->applied_seq = row->seq;
	note_refusal(service, row, problem);
	live_touch(&service->live, live);
}

static bool
apply_event(struct service *service, struct live_ticket *live, const struct event_row *row)
{
	char refusal[REFUSAL_SIZE];
	bool late = false;
	struct ticket *ticket = &live->ticket;
	int r;
	service_count_event(service, row->event.kind);
	live->applied_seq = row->seq; /* before what the event calls, which is to know of it */
	if (row->by_rule)
		r = 0; /* in force since the rule was called, and the rules may have gone on since */
	else if (!ticket->opened && row->event.kind == EVENT_SEVERITY && !ticket_is_final(ticket))
		r = engine_open_held(service->engine, ticket, &row->event, refusal);
	else
		r = engine_apply(service->engine, ticket, &row->event, &late, refusal);
	if (r == -EINVAL) {
		note_refusal(service, row, refusal);
		if (!ticket->opened && engine_hold(service->engine, ticket, &row->event) < 0)
			return false;
	} else if (r < 0)
		return false;
	else if (late) {
		service_count_late(service);
		ledger_add_event_note(service->ledger, row->ticket_id, row->seq, NULL, true);
	}
	if (r == 0 && row->event.kind == EVENT_ACK)
		ledger_add_acknowledgement(service->ledger, row->ticket_id, row->seq);
	live_touch(&service->live, live);
	work_plan(service, live);
	return true;
}

/* Puts what was touched into the batch. A final ticket leaves memory: nothing more can come of it. */
static void
gather_touched(struct service *service)
{
	struct live_ticket *live;
	struct instant now = service_now(service);
	while ((live = live_take_touched(&service->live)) != NULL) {
		ledger_add_ticket(service->ledger, service->engine, live, now);
		if (service->api != NULL)
			api_note_ticket(service->api, live->id);
		if (ticket_is_final(&live->ticket)) {
			wheel_unset(service->wheel, &live->ticket.timer);
			live_remove(&service->live, live);
		} else {
			ticket_prune(&live->ticket);
		}
	}
}

/* What one poll or a load brings may be much: it is written in batches, each of which is whole by itself. */
static void
close_full_batch(struct service *service)
{
	if (ledger_open_rows(service->ledger) + 2 * service->live.n_touched < LEDGER_ROWS_MAX)
		return;
	gather_touched(service);
	ledger_close_batch(service->ledger);
	if (service->state == SERVICE_LIVE)
		work_flush(service);
}

/* Events before `seq` did not come. A poll may have missed them, so everything is read anew, and anew once more where a
 * load does not find them. What that does not find either is gone: one ticket must not keep the others waiting for
 * ever. Whether the ticket goes on. */
static bool
pass_gap(struct service *service, const struct live_ticket *live, int64_t seq)
{
	char text[200];
	bool loading = service->state == SERVICE_LOADING;
	bool gone = loading && service->gap_met;
	(void)snprintf(text, sizeof(text),
	               "ticket %" PRId64 " has none from seq %" PRId64 " to %" PRId64 " in sla.event; %s", live->id,
	               (int64_t)live->applied_seq + 1, seq - 1,
	               gone ? "it goes on without them: see by slatectl explain whether its clocks are right"
	                    : "everything is read anew");
	service_problem(service, "events are missing", text);
	service->gap_met |= loading;
	return gone;
}

static bool
on_event(void *arg, const struct pg_value *values)
{
	struct service *service = arg;
	struct event_row row;
	char problem[REFUSAL_SIZE];
	int r = row_read_event(service->reader, values, &row, problem);
	if (r == -ENOMEM || row.seq <= 0) {
		service_problem(service, "an event could not be read", r == -ENOMEM ? "out of memory" : problem);
		return false;
	}
	struct live_ticket *live = live_find(&service->live, row.ticket_id);
	if (live == NULL && row.seq > 1) {
		apply_to_final(service, &row);
		return true;
	}
	if (live == NULL && (live = live_add(&service->live, row.ticket_id)) == NULL)
		return false;
	if (live->left_out || row.seq <= live->applied_seq)
		return true;
	if (row.seq != live->applied_seq + 1 && !pass_gap(service, live, row.seq))
		return false;
	if (r < 0)
		refuse_unread(service, live, &row, problem);
	else if (!apply_event(service, live, &row))
		return false;
	close_full_batch(service);
	/* From here on the feed of a load waits for a flush. Not now: one that fails ends the connection whose COPY
	 * hands out its rows. */
	if (service->state == SERVICE_LOADING && !has_room(service))
		timer_set(service->timers, (struct duration){0});
	return true;
}

/* Loading ---------------------------------------------------------------------------------------------------------- */

void
work_reset(struct service *service)
{
	struct wheel *wheel;
	if (wheel_new(service_now(service), &wheel) < 0)
		abort(); /* out of memory; the service manager starts us again */
	wheel_free(service->wheel);
	service->wheel = wheel;
	live_clear(&service->live);
	ledger_clear(service->ledger);
	service_count_anew(service);
	name_configs(service);
	service->flushing = false;
	service->n_left_out = 0;
	service->moving = false;
	service->catching_up = service->holds_back = true;
	service->flushes_left = FLUSHES_FOR_ALL;
	service->unread_since = 0;
	engine_set_absence(service->engine, true);
}

static void
on_reset(void *arg)
{
	work_reset(arg);
}

static void
on_loaded(void *arg)
{
	struct service *service = arg;
	service->state = SERVICE_LIVE;
	service->gap_met = false;
	service->news = true; /* our shards are to be told */
	log_info("loaded", log_number("tickets", (int64_t)live_count(&service->live)),
	         log_instant("next", wheel_next(service->wheel)));
	service_notify_loaded(service);
	if (service->api != NULL)
		api_note_load(service->api);
	work_migrate(service);
	service->loaded_at = loop_ticks(service->loop);
	timer_set(service->timers, (struct duration){0});
}

static void
on_polled(void *arg, struct duration took)
{
	struct service *service = arg;
	service->unread_since = 0;
	service_count_poll(service, took);
	service_note(service, HEARTBEAT_READ);
	work_flush(service);
	work_arm(service);
}

static bool
is_hungry(void *arg)
{
	const struct service *service = arg;
	return has_room(service);
}

static void
on_feed_problem(void *arg, const char *text)
{
	service_begin_anew(arg, text);
}

const struct feed_hooks work_feed_hooks = {
    .reset = on_reset,
    .configuration = work_load_configuration,
    .state = work_load_state,
    .clock = work_load_clock,
    .restored = work_load_ladders,
    .event = on_event,
    .loaded = on_loaded,
    .polled = on_polled,
    .hungry = is_hungry,
    .problem = on_feed_problem,
};

/* Flushing --------------------------------------------------------------------------------------------------------- */

static void
on_flushed(void *arg, const struct ledger_result *result, const char *error)
{
	struct service *service = arg;
	service->flushing = false;
	service->news = true;
	if (error != NULL) {
		service_begin_anew(service, error);
		return;
	}
	service_note(service, HEARTBEAT_WRITE);
	service_note_well(service);
	/* What the parts of a large intake bring is told with the last of them. */
	if (!service->part)
		service_count_flushed(service);
	if (!service->part && service->api != NULL)
		api_note_commit(service->api);
	if (result->deliveries || result->reassessments)
		outbox_wake(service->outbox);
	if (service->state == SERVICE_STOPPING) {
		work_flush(service);
		service_stop_step(service);
		return;
	}
	if (service->state == SERVICE_LOADING) {
		write_amid_load(service);
		return;
	}
	look_whether_to_send(service, !service->part);
	work_flush(service);
	if (service->state == SERVICE_LIVE && has_room(service)) {
		timer_set(service->timers, (struct duration){0});
		feed_resume(service->feed);
	}
}

void
work_flush(struct service *service)
{
	if (service->state < SERVICE_LOADING || service->flushing || !pg_is_idle(service->flush_pgs[0]) ||
	    service_use_connection(service))
		return;
	if (ledger_rows(service->ledger) == 0 && service->live.n_touched == 0)
		return;
	if (service->state == SERVICE_LOADING && has_room(service))
		return;
	if (!ledger_has_full(service->ledger))
		gather_touched(service);
	size_t rows = ledger_rows(service->ledger);
	int r = ledger_flush(service->ledger, service->flush_pgs, service->run, service->instance, on_flushed, service);
	if (r < 0) {
		service_begin_anew(service, strerror(-r));
		return;
	}
	service->flushing = true;
	size_t left = ledger_rows(service->ledger);
	service->part = left > 0 || service->live.n_touched > 0;
	if (!service->part)
		service_count_flush(service, rows - left);
}

/* Finds each ticket's policy in the configuration in force. Severities may stand in another order there. */
static int
rematch(struct service *service, const struct policy_set *former)
{
	const struct policy_set *set = engine_policies(service->engine);
	struct live_walk walk = live_begin(&service->live);
	int r = 0;
	for (struct live_ticket *live; r == 0 && (live = live_next(&walk)) != NULL;) {
		struct ticket *ticket = &live->ticket;
		if (ticket->opened)
			ticket->severity = (uint8_t)policy_set_severity(set, former->severities[ticket->severity].name);
		r = engine_rematch(service->engine, ticket);
	}
	return r;
}

int
work_configure(struct service *service, struct config *config)
{
	const struct policy_set *former = service->config->policies;
	if (work_know_config(service, config) < 0)
		return -ENOMEM;
	service->config_written = false; /* and is before what refers to it */
	engine_configure(service->engine, config->policies);
	name_configs(service);
	int r = rematch(service, former);
	if (r < 0)
		service_begin_anew(service, strerror(-r));
	else
		work_migrate(service);
	if (!service->flushing)
		(void)service_use_connection(service);
	return 0;
}

int
work_new(struct service *service)
{
	const struct engine_sink sink = {on_milestone, on_reassessed, on_problem, service};
	live_init(&service->live);
	int r = engine_new(service->config->policies, &sink, &service->engine);
	if (r == 0)
		r = ledger_new(&service->ledger);
	if (r == 0)
		r = row_reader_new(&service->reader);
	if (r == 0)
		r = wheel_new((struct instant){0}, &service->wheel);
	if (r < 0)
		return r;
	name_configs(service);
	return timer_new(service->loop, on_timers, service, &service->timers);
}

void
work_free(struct service *service)
{
	timer_free(service->timers);
	live_clear(&service->live);
	wheel_free(service->wheel);
	row_reader_free(service->reader);
	ledger_free(service->ledger);
	engine_free(service->engine);
}
