/* Whose turn it is, what goes out together, and what became of it. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "courier_internal.h"
#include "slated/loop.h"

/* No wait of the timer is longer, so that a step of the clock that nobody noticed does no lasting harm. */
#define WAIT_MAX_US US_PER_H
/* What could not be done now is tried again so much later. */
#define SOON ((struct duration){1000})
/* While a channel fails, its entries are looked through so often. */
#define FAILING_WAIT_US US_PER_S
/* What has waited for its whole time gets its last attempt with one of the next probes, or none. */
#define GRACE ((struct duration){31 * US_PER_S})
/* An alert that was recorded so long after its instant is one caught up with; of more than so many at once a digest is
 * made, whatever the rate allows. */
#define LATE_AFTER_US (5 * US_PER_S)
#define LATE_MAX      10

/* Ends ------------------------------------------------------------------------------------------------------------- */

/* What ends an alert goes by itself to the fallback where that was told of the alert. */
static bool
falls_back(const struct entry *entry)
{
	return strcmp(entry->delivery->kind, "escalated") == 0 && !entry->fallen_back;
}

/* Somebody waits for what becomes of it: it has one attempt and no fallback. */
static bool
is_test(const struct entry *entry)
{
	return strcmp(entry->delivery->kind, "test") == 0;
}

/* What became of the delivery for good is told once it is no longer held. */
static void
entry_end(struct entry *entry, enum outcome outcome, const char *error)
{
	const struct courier_hooks *hooks = &entry->courier->hooks;
	const struct channel *channel = entry->lane->route->channel;
	if (outcome == OUTCOME_DEAD && channel && channel->fallback && hooks->fall_back && falls_back(entry))
		hooks->fall_back(hooks->arg, entry->delivery, channel->fallback);
	entry_remove(entry);
	hooks->outcome(hooks->arg, entry->delivery, outcome, error);
	entry_free(entry);
}

static void
entry_give_up(struct entry *entry, const struct retry_policy *policy, const char *error)
{
	char *text;
	int n = asprintf(&text, "given up after %.4g hours: %s", (double)policy->give_up.us / (double)US_PER_H, error);
	entry_end(entry, OUTCOME_DEAD, n < 0 ? error : text);
	if (n >= 0)
		free(text);
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Whether two deliveries tell the same people of the same alert. */
static bool
same_alert(const struct delivery *a, const struct delivery *b)
{
	return same_text(a->metric, b->metric) && a->cycle == b->cycle && same_text(a->address, b->address);
}

/* Those behind it end or acknowledge an alert that is known there now. */
static void
entry_note_told(struct entry *entry)
{
	for (struct entry *later = TAILQ_NEXT(entry, in_lane); later; later = TAILQ_NEXT(later, in_lane))
		later->delivery->told |= same_alert(entry->delivery, later->delivery);
}

/* An attempt ended, or could not be started. */
static void
entry_settle(struct entry *entry, const struct channel_result *result)
{
	struct courier *courier = entry->courier;
	struct delivery *delivery = entry->delivery;
	delivery->attempts++;
	if (result->outcome == OUTCOME_DELIVERED)
		entry_note_told(entry);
	if (result->outcome != OUTCOME_RETRY) {
		entry_end(entry, result->outcome, result->outcome == OUTCOME_DELIVERED ? result->note : result->error);
		return;
	}
	if (is_test(entry)) {
		entry_end(entry, OUTCOME_DEAD, result->error);
		return;
	}
	const struct retry_policy *policy = entry->lane->route->channel->ops->retry;
	struct instant next = retry_next(policy, delivery->created_at, delivery->attempts, result->retry_after,
	                                 courier_now(courier), courier->hooks.random(courier->hooks.arg));
	if (instant_equal(next, INSTANT_NEVER)) {
		entry_give_up(entry, policy, result->error);
		return;
	}
	delivery->next_attempt_at = next;
	entry_schedule(entry);
	courier->hooks.outcome(courier->hooks.arg, delivery, OUTCOME_RETRY, result->error);
}

/* Attempts --------------------------------------------------------------------------------------------------------- */

static void
cargo_count(struct cargo *cargo, int by)
{
	struct route *route = cargo->route;
	struct courier *courier = cargo->entries[0]->courier;
	route->n_under_way += (size_t)by;
	courier->n_under_way += (size_t)by;
	if (!route->channel || !route->channel->ops->pages)
		courier->n_others_under_way += (size_t)by;
}

/* Of a digest whose members were all accounted for, or never sent. */
static void
cargo_free(struct cargo *cargo)
{
	free(cargo->digest);
	free(cargo);
}

static void
cargo_end(struct cargo *cargo)
{
	cargo_count(cargo, -1);
	LIST_REMOVE(cargo, link);
}

static void
gate_note(struct gate *gate, bool probe, struct instant now, const struct channel_result *result)
{
	if (result->outcome != OUTCOME_RETRY)
		gate_succeeded(gate);
	else if (probe || !gate_is_open(gate))
		gate_failed(gate, now, result->retry_after);
	/* What was under way when the breaker opened tells nothing new. */
}

static void
cargo_settle(struct cargo *cargo, const struct channel_result *result)
{
	const char *key = cargo->digest ? cargo->digest->key : NULL;
	const struct courier_hooks *hooks = &cargo->entries[0]->courier->hooks;
	if (hooks->attempted)
		hooks->attempted(hooks->arg, cargo->route->name, cargo->n_entries, result->outcome);
	for (size_t i = 0; i < cargo->n_entries; i++) {
		struct entry *entry = cargo->entries[i];
		entry->cargo = NULL;
		entry->delivery->digest = result->outcome == OUTCOME_DELIVERED ? key : NULL;
		entry_settle(entry, result);
	}
	cargo_free(cargo);
}

static void
on_done(void *arg, const struct channel_result *result)
{
	struct cargo *cargo = arg;
	struct courier *courier = cargo->entries[0]->courier;
	assert(cargo->entries[0]->state == ENTRY_IN_FLIGHT);
	cargo_end(cargo);
	gate_note(&cargo->route->gate, cargo->probe, courier_now(courier), result);
	courier_wake(courier);
	cargo_settle(cargo, result);
}

void
cargo_recall(struct cargo *cargo)
{
	channel_cancel(cargo->attempt);
	cargo_end(cargo);
	for (size_t i = 0; i < cargo->n_entries; i++) {
		cargo->entries[i]->cargo = NULL;
		entry_schedule(cargo->entries[i]);
	}
	cargo_free(cargo);
}

static void
cargo_send(struct cargo *cargo)
{
	struct route *route = cargo->route;
	struct courier *courier = cargo->entries[0]->courier;
	const struct delivery *delivery = cargo->digest ? cargo->digest : cargo->entries[0]->delivery;
	char error[256];
	for (size_t i = 0; i < cargo->n_entries; i++) {
		entry_set_state(cargo->entries[i], ENTRY_IN_FLIGHT);
		cargo->entries[i]->cargo = cargo;
	}
	LIST_INSERT_HEAD(&courier->cargoes, cargo, link);
	cargo_count(cargo, 1);
	cargo->probe = gate_is_open(&route->gate);
	gate_take(&route->gate, courier_now(courier));
	int r = channel_send(route->channel, delivery, on_done, cargo, &cargo->attempt);
	if (r == 0)
		return;
	struct channel_result result = {.outcome = OUTCOME_RETRY, .error = error};
	if (r == -EBADMSG) {
		result.outcome = OUTCOME_DEAD;
		(void)snprintf(error, sizeof(error), "the delivery's key, ticket or payload is malformed");
	} else {
		(void)snprintf(error, sizeof(error), "cannot start: %s", strerror(-r));
	}
	cargo_end(cargo);
	cargo_settle(cargo, &result);
}

/* Choice ----------------------------------------------------------------------------------------------------------- */

/* Whether a later delivery of the lane tells the same people what has become of the same alert. */
static bool
is_superseded(const struct entry *entry)
{
	const struct delivery *d = entry->delivery;
	if (strcmp(d->kind, "escalated") != 0)
		return false;
	for (const struct entry *later = TAILQ_NEXT(entry, in_lane); later; later = TAILQ_NEXT(later, in_lane)) {
		const struct delivery *l = later->delivery;
		if (same_alert(l, d) && (strcmp(l->kind, "escalated") == 0 || strcmp(l->kind, "resolved") == 0))
			return true;
	}
	return false;
}

/* Whether it ends or acknowledges an alert of which nothing has arrived there. */
static bool
is_unheard_of(const struct entry *entry)
{
	const char *kind = entry->delivery->kind;
	return !entry->delivery->told && (strcmp(kind, "resolved") == 0 || strcmp(kind, "acknowledged") == 0);
}

static bool
is_late(const struct delivery *delivery)
{
	return instant_since(delivery->created_at, delivery->at).us > LATE_AFTER_US;
}

/* How many ready entries go out together with the first: 1, or so many as a digest holds. */
static size_t
route_together(const struct route *route, const struct entry *first, unsigned tokens)
{
	const struct channel_ops *ops = route->channel->ops;
	size_t late = 0;
	const struct entry *entry;
	if (ops->digest_max < 2 || route->gate.rate.count == 0 || route->n_ready < 2 || is_test(first) ||
	    (ops->pages && strcmp(first->delivery->kind, "escalated") != 0))
		return 1;
	if (tokens == 1)
		return ops->digest_max;
	TAILQ_FOREACH(entry, &route->ready[READY_FIRST], in_ready)
	{
		if (is_late(entry->delivery) && ++late > LATE_MAX)
			return ops->digest_max;
	}
	return 1;
}

/* Takes the first ready entry and those that go with it. NULL when memory is out. */
static struct cargo *
cargo_new(struct route *route, struct entry *first, size_t max)
{
	size_t room = max < route->n_ready ? max : route->n_ready;
	struct cargo *cargo = calloc(1, sizeof(*cargo) + room * sizeof(cargo->entries[0]));
	const struct delivery **deliveries = calloc(room, sizeof(const struct delivery *));
	if (!cargo || !deliveries) {
		free(cargo);
		free(deliveries);
		return NULL;
	}
	cargo->route = route;
	bool pages = route->channel->ops->pages;
	struct entry *entry;
	for (unsigned list = 0; list < READY_COUNT; list++) {
		TAILQ_FOREACH(entry, &route->ready[list], in_ready)
		{
			const struct delivery *d = entry->delivery;
			if (cargo->n_entries == room)
				break;
			if (entry != first &&
			    (max == 1 || is_test(entry) || (pages && strcmp(d->kind, "escalated") != 0) ||
			     !same_text(d->address, first->delivery->address) || is_superseded(entry) ||
			     (route->channel->ops->supersedes && is_unheard_of(entry))))
				continue;
			deliveries[cargo->n_entries] = d;
			cargo->entries[cargo->n_entries++] = entry;
		}
	}
	int r = cargo->n_entries > 1 ? digest_new(deliveries, cargo->n_entries, &cargo->digest) : 0;
	free(deliveries);
	if (r == 0)
		return cargo;
	free(cargo);
	return NULL;
}

/* Slots that channels without pages leave free where there are pages. */
static size_t
courier_reserve(const struct courier *courier)
{
	return courier->pages && courier->concurrency > 1 ? (courier->concurrency + 3) / 4 : 0;
}

static bool
route_has_slot(const struct courier *courier, const struct route *route)
{
	if (courier->n_under_way >= courier->concurrency || (gate_is_open(&route->gate) && route->n_under_way > 0))
		return false;
	if (!route->channel || route->channel->ops->pages)
		return true;
	return courier->n_others_under_way < courier->concurrency - courier_reserve(courier);
}

/* Does one thing for the route. False: it can do nothing now. */
static bool
route_step(struct courier *courier, struct route *route)
{
	struct entry *entry = TAILQ_FIRST(&route->ready[READY_FIRST]);
	if (!entry)
		entry = TAILQ_FIRST(&route->ready[READY_THEN]);
	if (!route->channel) {
		char error[256];
		(void)snprintf(error, sizeof(error), "there is no channel \"%s\"", entry->delivery->channel);
		entry_end(entry, OUTCOME_DEAD, error);
		return true;
	}
	if (route->channel->ops->supersedes && is_superseded(entry)) {
		entry_end(entry, OUTCOME_SUPERSEDED, "a later message of the same alert took its place");
		return true;
	}
	if (route->channel->ops->supersedes && is_unheard_of(entry)) {
		entry_end(entry, OUTCOME_SUPERSEDED, "nobody was told of the alert there");
		return true;
	}
	unsigned tokens = gate_tokens(&route->gate, courier_now(courier));
	if (tokens == 0 || !route_has_slot(courier, route))
		return false;
	struct cargo *cargo = cargo_new(route, entry, route_together(route, entry, tokens));
	if (!cargo)
		return false; /* memory is out: the timer tries again */
	cargo_send(cargo);
	return true;
}

/* Channels that fail --------------------------------------------------------------------------------------------- */

/* Gives up what has waited for too long, and gives the fallback a copy of the rest once the channel has failed for
 * long. Returns whether it ended one, after which nothing else of the route may be relied on. */
static bool
lane_look(struct courier *courier, struct route *route, struct lane *lane, struct instant now, bool down)
{
	const struct channel *channel = route->channel;
	struct entry *head = TAILQ_FIRST(&lane->entries), *entry;
	TAILQ_FOREACH(entry, &lane->entries, in_lane)
	{
		if (!down || !falls_back(entry))
			continue;
		entry->fallen_back = true;
		courier->hooks.fall_back(courier->hooks.arg, entry->delivery, channel->fallback);
	}
	const struct retry_policy *policy = channel->ops->retry;
	if (head->state == ENTRY_IN_FLIGHT ||
	    instant_before(now, instant_plus(instant_plus(head->delivery->created_at, policy->give_up), GRACE)))
		return false;
	entry_give_up(head, policy, "the channel is failing");
	return true;
}

static void
route_look(struct courier *courier, struct route *route, struct instant now)
{
	bool down = route->channel->fallback && courier->hooks.fall_back &&
	            instant_since(now, route->gate.failing_since).us >= FALLBACK_AFTER;
	bool again;
	do {
		struct lane *lane, *next;
		size_t left = route->n_entries;
		again = false;
		HASH_ITER (hh, route->lanes, lane, next) {
			again = lane_look(courier, route, lane, now, down);
			if (again)
				break;
		}
		if (again && left == 1)
			return; /* that was the last, and the route is gone */
	} while (again);
}

/* Whether some channel fails and needs to be looked at soon. */
static bool
courier_look(struct courier *courier)
{
	struct instant now = courier_now(courier);
	struct route *route, *next;
	bool failing = false;
	HASH_ITER (hh, courier->routes, route, next) {
		if (!route->channel || instant_equal(route->gate.failing_since, INSTANT_NEVER))
			continue;
		failing = true;
		route_look(courier, route, now);
	}
	return failing;
}

/* Turns ------------------------------------------------------------------------------------------------------------ */

static void
timer_arm(struct courier *courier, bool failing)
{
	struct instant now = courier_now(courier), next = wheel_next(courier->wheel);
	struct route *route;
	TAILQ_FOREACH(route, &courier->turns, turn)
	{
		/* One that waits for a slot is woken by the attempt that ends. One that could go on now had its time
		 * come since it was asked, or is short of memory. */
		if (route_has_slot(courier, route))
			next = instant_min(next, instant_max(gate_next(&route->gate, now), instant_plus(now, SOON)));
	}
	if (courier->draining || (instant_equal(next, INSTANT_NEVER) && !failing)) {
		timer_unset(courier->timer);
		return;
	}
	int64_t us = instant_since(next, now).us, max = failing ? FAILING_WAIT_US : WAIT_MAX_US;
	timer_set(courier->timer, (struct duration){us > max ? max : us});
}

void
courier_turn(void *arg)
{
	struct courier *courier = arg;
	struct instant now = courier_now(courier);
	for (struct wheel_node *node; (node = wheel_pop(courier->wheel, now));) {
		struct entry *entry = (struct entry *)((char *)node - offsetof(struct entry, node));
		entry_set_state(entry, ENTRY_READY);
	}
	/* The hooks may change anything, so nothing is kept from one round to the next. */
	for (size_t idle = 0; !courier->draining && idle < courier->n_turns;) {
		struct route *route = TAILQ_FIRST(&courier->turns);
		TAILQ_REMOVE(&courier->turns, route, turn);
		TAILQ_INSERT_TAIL(&courier->turns, route, turn);
		idle = route_step(courier, route) ? 0 : idle + 1;
	}
	/* After that, so that a last attempt is made when its time comes. */
	timer_arm(courier, !courier->draining && courier_look(courier));
}
