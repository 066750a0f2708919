/* Entries stand in lanes, lanes belong to routes:
 *
 *	courier -- keys (hash) ---------------------> entry
 *	   |-- routes (hash by channel's name) -- lanes (hash by ticket) -- entry, entry, entry (in order)
 *	   |-- turns: routes with ready entries, served one entry each     |       behind the head
 *	   `-- wheel: heads whose next attempt is later                    head: later, ready or in flight
 *
 * Only the head of a lane is ever sent, so a lane keeps its order. Routes take turns, so a channel with many deliveries
 * does not hold up another's. Everything that calls out runs from courier_turn() or on_done(), both called by the loop.
 */
#include "slated/courier.h"
#include "slated/wheel.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* No wait of the timer is longer, so that a step of the clock that nobody noticed does no lasting harm. */
#define WAIT_MAX_US US_PER_H

enum entry_state {
	ENTRY_BEHIND,
	ENTRY_LATER,
	ENTRY_READY,
	ENTRY_IN_FLIGHT,
	ENTRY_STATE_COUNT,
};

struct entry {
	UT_hash_handle hh; /* courier.entries, by key */
	struct courier *courier;
	struct lane *lane;
	TAILQ_ENTRY(entry) in_lane;
	TAILQ_ENTRY(entry) in_ready;     /* ENTRY_READY */
	struct wheel_node node;          /* ENTRY_LATER */
	struct channel_attempt *attempt; /* ENTRY_IN_FLIGHT */
	enum entry_state state;
	struct delivery *delivery;
};

TAILQ_HEAD(entries, entry);

struct lane {
	UT_hash_handle hh; /* route.lanes, by ticket_id */
	struct route *route;
	int64_t ticket_id;
	struct entries entries;
};

struct route {
	UT_hash_handle hh;       /* courier.routes, by name */
	struct channel *channel; /* NULL: there is none of that name */
	struct lane *lanes;
	struct entries ready;
	TAILQ_ENTRY(route) turn; /* where `ready` is not empty */
	char name[];
};

struct courier {
	struct courier_hooks hooks;
	struct event *timer;
	struct wheel *wheel;
	struct entry *entries;
	struct route *routes;
	TAILQ_HEAD(, route) turns;
	struct channel **channels;
	size_t n_channels;
	unsigned concurrency;
	bool draining;
	size_t counts[ENTRY_STATE_COUNT];
};

static struct instant
courier_now(const struct courier *courier)
{
	return courier->hooks.now(courier->hooks.arg);
}

static struct channel *
courier_channel(struct channel *const *channels, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(channels[i]->name, name) == 0)
			return channels[i];
	return NULL;
}

/* The one place where an entry's state changes. */
static void
entry_set_state(struct entry *entry, enum entry_state state)
{
	struct courier *courier = entry->courier;
	struct route *route = entry->lane->route;
	if (entry->state == ENTRY_LATER)
		wheel_unset(courier->wheel, &entry->node);
	if (entry->state == ENTRY_READY) {
		TAILQ_REMOVE(&route->ready, entry, in_ready);
		if (TAILQ_EMPTY(&route->ready))
			TAILQ_REMOVE(&courier->turns, route, turn);
	}
	courier->counts[entry->state]--;
	courier->counts[state]++;
	entry->state = state;
	if (state == ENTRY_LATER)
		wheel_set(courier->wheel, &entry->node, entry->delivery->next_attempt_at);
	if (state == ENTRY_READY) {
		if (TAILQ_EMPTY(&route->ready))
			TAILQ_INSERT_TAIL(&courier->turns, route, turn);
		TAILQ_INSERT_TAIL(&route->ready, entry, in_ready);
	}
}

/* Makes a lane's head wait for its instant or for its turn. */
static void
entry_schedule(struct entry *entry)
{
	bool later = instant_before(courier_now(entry->courier), entry->delivery->next_attempt_at);
	entry_set_state(entry, later ? ENTRY_LATER : ENTRY_READY);
	courier_wake(entry->courier);
}

static void
route_drop(struct courier *courier, struct route *route)
{
	if (route->lanes)
		return;
	HASH_DEL(courier->routes, route);
	free(route);
}

static void
lane_drop(struct courier *courier, struct lane *lane)
{
	if (!TAILQ_EMPTY(&lane->entries))
		return;
	struct route *route = lane->route;
	HASH_DEL(route->lanes, lane);
	free(lane);
	route_drop(courier, route);
}

/* Takes an entry out of everything but its state's count and memory; its lane's next one becomes the head. */
static void
entry_remove(struct entry *entry)
{
	struct courier *courier = entry->courier;
	struct lane *lane = entry->lane;
	entry_set_state(entry, ENTRY_BEHIND);
	courier->counts[ENTRY_BEHIND]--;
	HASH_DEL(courier->entries, entry);
	TAILQ_REMOVE(&lane->entries, entry, in_lane);
	if (!TAILQ_EMPTY(&lane->entries) && TAILQ_FIRST(&lane->entries)->state == ENTRY_BEHIND)
		entry_schedule(TAILQ_FIRST(&lane->entries));
	lane_drop(courier, lane);
}

static void
entry_free(struct entry *entry)
{
	free(entry->delivery);
	free(entry);
}

/* What became of the delivery for good is told once it is no longer held. */
static void
entry_end(struct entry *entry, enum outcome outcome, const char *error)
{
	const struct courier_hooks *hooks = &entry->courier->hooks;
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

/* An attempt ended, or could not be started. */
static void
entry_settle(struct entry *entry, const struct channel_result *result)
{
	struct courier *courier = entry->courier;
	struct delivery *delivery = entry->delivery;
	delivery->attempts++;
	if (result->outcome != OUTCOME_RETRY) {
		entry_end(entry, result->outcome, result->error);
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

static void
on_done(void *arg, const struct channel_result *result)
{
	struct entry *entry = arg;
	assert(entry->state == ENTRY_IN_FLIGHT);
	entry->attempt = NULL;
	courier_wake(entry->courier);
	entry_settle(entry, result);
}

static void
entry_send(struct entry *entry)
{
	struct channel *channel = entry->lane->route->channel;
	char error[256];
	if (!channel) {
		(void)snprintf(error, sizeof(error), "there is no channel \"%s\"", entry->delivery->channel);
		entry_end(entry, OUTCOME_DEAD, error);
		return;
	}
	entry_set_state(entry, ENTRY_IN_FLIGHT);
	int r = channel_send(channel, entry->delivery, on_done, entry, &entry->attempt);
	if (r == 0)
		return;
	struct channel_result result = {.outcome = OUTCOME_RETRY, .error = error};
	if (r == -EBADMSG) {
		result.outcome = OUTCOME_DEAD;
		(void)snprintf(error, sizeof(error), "the delivery's key, ticket or payload is malformed");
	} else {
		(void)snprintf(error, sizeof(error), "cannot start: %s", strerror(-r));
	}
	entry_settle(entry, &result);
}

/* Cuts an attempt short, as if it had not begun. */
static void
entry_recall(struct entry *entry)
{
	channel_cancel(entry->attempt);
	entry->attempt = NULL;
	entry_schedule(entry);
}

static void
timer_arm(struct courier *courier)
{
	struct instant next = wheel_next(courier->wheel);
	if (courier->draining || instant_equal(next, INSTANT_NEVER)) {
		(void)event_del(courier->timer);
		return;
	}
	int64_t us = instant_since(next, courier_now(courier)).us;
	us = us < 0 ? 0 : us > WAIT_MAX_US ? WAIT_MAX_US : us;
	struct timeval wait = {.tv_sec = us / US_PER_S, .tv_usec = us % US_PER_S};
	int r = event_add(courier->timer, &wait);
	assert(r == 0);
}

static void
courier_turn(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct courier *courier = arg;
	struct instant now = courier_now(courier);
	for (struct wheel_node *node; (node = wheel_pop(courier->wheel, now));) {
		struct entry *entry = (struct entry *)((char *)node - offsetof(struct entry, node));
		entry_set_state(entry, ENTRY_READY);
	}
	/* The hooks may change anything, so nothing is kept from one round to the next. */
	while (!courier->draining && courier->counts[ENTRY_IN_FLIGHT] < courier->concurrency) {
		struct route *route = TAILQ_FIRST(&courier->turns);
		if (!route)
			break;
		TAILQ_REMOVE(&courier->turns, route, turn);
		TAILQ_INSERT_TAIL(&courier->turns, route, turn);
		entry_send(TAILQ_FIRST(&route->ready));
	}
	timer_arm(courier);
}

int
courier_new(struct event_base *base, unsigned concurrency, const struct courier_hooks *hooks, struct courier **ret)
{
	assert(concurrency > 0);
	struct courier *courier = calloc(1, sizeof(*courier));
	if (!courier)
		return -ENOMEM;
	courier->hooks = *hooks;
	courier->concurrency = concurrency;
	TAILQ_INIT(&courier->turns);
	courier->timer = evtimer_new(base, courier_turn, courier);
	if (!courier->timer || wheel_new(courier_now(courier), &courier->wheel) < 0) {
		courier_free(courier);
		return -ENOMEM;
	}
	*ret = courier;
	return 0;
}

void
courier_free(struct courier *courier)
{
	if (!courier)
		return;
	courier_stop(courier);
	while (courier->entries) {
		struct entry *entry = courier->entries;
		entry_remove(entry);
		entry_free(entry);
	}
	if (courier->timer)
		event_free(courier->timer);
	wheel_free(courier->wheel);
	free(courier->channels);
	free(courier);
}

int
courier_set_channels(struct courier *courier, struct channel *const *channels, size_t n)
{
	struct channel **copy = calloc(n + 1, sizeof(struct channel *));
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		copy[i] = channels[i];
	for (struct entry *entry = courier->entries; entry; entry = entry->hh.next)
		if (entry->state == ENTRY_IN_FLIGHT &&
		    entry->lane->route->channel != courier_channel(copy, n, entry->lane->route->name))
			entry_recall(entry);
	for (struct route *route = courier->routes; route; route = route->hh.next)
		route->channel = courier_channel(copy, n, route->name);
	free(courier->channels);
	courier->channels = copy;
	courier->n_channels = n;
	return 0;
}

void
courier_set_concurrency(struct courier *courier, unsigned concurrency)
{
	assert(concurrency > 0);
	courier->concurrency = concurrency;
	courier_wake(courier);
}

static struct route *
route_get(struct courier *courier, const char *name)
{
	struct route *route;
	HASH_FIND_STR(courier->routes, name, route);
	if (route)
		return route;
	route = calloc(1, sizeof(*route) + strlen(name) + 1);
	if (!route)
		return NULL;
	(void)strcpy(route->name, name);
	route->channel = courier_channel(courier->channels, courier->n_channels, name);
	TAILQ_INIT(&route->ready);
	HASH_ADD_STR(courier->routes, name, route);
	if (route->hh.tbl)
		return route;
	free(route);
	return NULL;
}

static struct lane *
lane_get(struct courier *courier, const struct delivery *delivery)
{
	struct route *route = route_get(courier, delivery->channel);
	if (!route)
		return NULL;
	struct lane *lane;
	HASH_FIND(hh, route->lanes, &delivery->ticket_id, sizeof(delivery->ticket_id), lane);
	if (lane)
		return lane;
	lane = calloc(1, sizeof(*lane));
	if (lane) {
		lane->route = route;
		lane->ticket_id = delivery->ticket_id;
		TAILQ_INIT(&lane->entries);
		HASH_ADD(hh, route->lanes, ticket_id, sizeof(lane->ticket_id), lane);
		if (lane->hh.tbl)
			return lane;
		free(lane);
	}
	route_drop(courier, route);
	return NULL;
}

int
courier_add(struct courier *courier, const struct delivery *delivery)
{
	if (courier_holds(courier, delivery->key))
		return 0;
	struct entry *entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->courier = courier;
	entry->state = ENTRY_BEHIND;
	if (delivery_copy(delivery, &entry->delivery) < 0)
		goto fail;
	entry->lane = lane_get(courier, delivery);
	if (!entry->lane)
		goto fail;
	HASH_ADD_KEYPTR(hh, courier->entries, entry->delivery->key, strlen(entry->delivery->key), entry);
	if (!entry->hh.tbl) {
		lane_drop(courier, entry->lane);
		goto fail;
	}
	courier->counts[ENTRY_BEHIND]++;
	TAILQ_INSERT_TAIL(&entry->lane->entries, entry, in_lane);
	if (TAILQ_FIRST(&entry->lane->entries) == entry)
		entry_schedule(entry);
	return 0;
fail:
	entry_free(entry);
	return -ENOMEM;
}

bool
courier_holds(const struct courier *courier, const char *key)
{
	struct entry *entry;
	HASH_FIND_STR(courier->entries, key, entry);
	return entry;
}

void
courier_wake(struct courier *courier)
{
	event_active(courier->timer, EV_TIMEOUT, 0);
}

void
courier_drain(struct courier *courier)
{
	courier->draining = true;
}

void
courier_stop(struct courier *courier)
{
	courier_drain(courier);
	for (struct entry *entry = courier->entries; entry; entry = entry->hh.next)
		if (entry->state == ENTRY_IN_FLIGHT)
			entry_recall(entry);
}

struct courier_counts
courier_count(const struct courier *courier)
{
	return (struct courier_counts){
	    .behind = courier->counts[ENTRY_BEHIND],
	    .later = courier->counts[ENTRY_LATER],
	    .ready = courier->counts[ENTRY_READY],
	    .in_flight = courier->counts[ENTRY_IN_FLIGHT],
	};
}

void
courier_check(const struct courier *courier)
{
	size_t counts[ENTRY_STATE_COUNT] = {0};
	for (const struct route *route = courier->routes; route; route = route->hh.next) {
		assert(route->lanes);
		for (const struct lane *lane = route->lanes; lane; lane = lane->hh.next) {
			assert(!TAILQ_EMPTY(&lane->entries));
			const struct entry *entry;
			TAILQ_FOREACH(entry, &lane->entries, in_lane)
			{
				bool head = entry == TAILQ_FIRST(&lane->entries);
				assert(head == (entry->state != ENTRY_BEHIND));
				assert(wheel_is_set(&entry->node) == (entry->state == ENTRY_LATER));
				assert(!entry->attempt == (entry->state != ENTRY_IN_FLIGHT));
				assert(entry->delivery->ticket_id == lane->ticket_id);
				counts[entry->state]++;
			}
		}
	}
	size_t sum = 0;
	for (size_t s = 0; s < ENTRY_STATE_COUNT; s++) {
		assert(counts[s] == courier->counts[s]);
		sum += counts[s];
	}
	assert(sum == HASH_COUNT(courier->entries));
	assert(wheel_count(courier->wheel) == counts[ENTRY_LATER]);
}
