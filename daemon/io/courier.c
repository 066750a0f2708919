/* Entries stand in lanes, lanes belong to routes:
 *
 *	courier -- keys (hash) ---------------------> entry
 *	   |-- routes (hash by channel's name) -- lanes (hash by ticket) -- entry, entry, entry (in order)
 *	   |-- turns: routes with ready entries, served one entry each     |       behind the head
 *	   `-- wheel: heads whose next attempt is later                    head: later, ready or in flight
 *
 * Only the head of a lane is ever sent, so a lane keeps its order. Routes take turns, so a channel with many deliveries
 * does not hold up another's. What is under way is a cargo: one entry, or those that go out as one digest. Everything
 * that calls out runs from courier_turn() or on_done() (courier_send.c), both called by the loop.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "courier_internal.h"
#include "slated/loop.h"

struct instant
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

static struct entries *
entry_ready(struct entry *entry)
{
	struct route *route = entry->lane->route;
	bool then = route->channel && route->channel->ops->pages && strcmp(entry->delivery->kind, "escalated") != 0;
	return &route->ready[then ? READY_THEN : READY_FIRST];
}

static void
ready_remove(struct entry *entry)
{
	struct route *route = entry->lane->route;
	TAILQ_REMOVE(entry->ready, entry, in_ready);
	if (--route->n_ready == 0) {
		TAILQ_REMOVE(&entry->courier->turns, route, turn);
		entry->courier->n_turns--;
	}
}

static void
ready_add(struct entry *entry)
{
	struct route *route = entry->lane->route;
	if (route->n_ready++ == 0) {
		TAILQ_INSERT_TAIL(&entry->courier->turns, route, turn);
		entry->courier->n_turns++;
	}
	entry->ready = entry_ready(entry);
	TAILQ_INSERT_TAIL(entry->ready, entry, in_ready);
}

void
entry_set_state(struct entry *entry, enum entry_state state)
{
	struct courier *courier = entry->courier;
	if (entry->state == ENTRY_LATER)
		wheel_unset(courier->wheel, &entry->node);
	if (entry->state == ENTRY_READY)
		ready_remove(entry);
	struct route *route = entry->lane->route;
	courier->counts[entry->state]--;
	courier->counts[state]++;
	route->counts[entry->state]--;
	route->counts[state]++;
	entry->state = state;
	if (state == ENTRY_LATER)
		wheel_set(courier->wheel, &entry->node, entry->delivery->next_attempt_at);
	if (state == ENTRY_READY)
		ready_add(entry);
}

void
entry_schedule(struct entry *entry)
{
	bool later = instant_before(courier_now(entry->courier), entry->delivery->next_attempt_at);
	entry_set_state(entry, later ? ENTRY_LATER : ENTRY_READY);
	courier_wake(entry->courier);
}

/* That of a channel stays, since its gate remembers what was sent. */
static void
route_drop(struct courier *courier, struct route *route)
{
	if (route->lanes || route->channel)
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

void
entry_remove(struct entry *entry)
{
	struct courier *courier = entry->courier;
	struct lane *lane = entry->lane;
	entry_set_state(entry, ENTRY_BEHIND);
	courier->counts[ENTRY_BEHIND]--;
	lane->route->counts[ENTRY_BEHIND]--;
	HASH_DEL(courier->entries, entry);
	lane->route->n_entries--;
	TAILQ_REMOVE(&lane->entries, entry, in_lane);
	if (!TAILQ_EMPTY(&lane->entries) && TAILQ_FIRST(&lane->entries)->state == ENTRY_BEHIND)
		entry_schedule(TAILQ_FIRST(&lane->entries));
	lane_drop(courier, lane);
}

void
entry_free(struct entry *entry)
{
	free(entry->delivery);
	free(entry);
}

int
courier_new(struct loop *loop, unsigned concurrency, const struct courier_hooks *hooks, struct courier **ret)
{
	assert(concurrency > 0);
	struct courier *courier = calloc(1, sizeof(*courier));
	if (!courier)
		return -ENOMEM;
	courier->hooks = *hooks;
	courier->concurrency = concurrency;
	TAILQ_INIT(&courier->turns);
	LIST_INIT(&courier->cargoes);
	courier->loop = loop;
	if (timer_new(loop, courier_turn, courier, &courier->timer) < 0 ||
	    wheel_new(courier_now(courier), &courier->wheel) < 0) {
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
	courier_forget(courier);
	struct route *route, *following;
	HASH_ITER (hh, courier->routes, route, following) {
		route->channel = NULL;
		route_drop(courier, route);
	}
	timer_free(courier->timer);
	wheel_free(courier->wheel);
	free(courier->channels);
	free(courier);
}

/* A channel opened anew may work now, so its breaker is closed; what its service is owed and since when it fails stays.
 */
static void
route_set_channel(struct route *route, struct channel *channel)
{
	if (channel != route->channel) {
		struct gate former = route->gate;
		gate_init(&route->gate, channel ? channel->rate : (struct rate){0});
		route->gate.full_at = former.full_at;
		route->gate.hold_until = former.hold_until;
		route->gate.failing_since = former.failing_since;
	}
	route->channel = channel;
}

int
courier_set_channels(struct courier *courier, struct channel *const *channels, size_t n)
{
	struct channel **copy = calloc(n + 1, sizeof(struct channel *));
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		copy[i] = channels[i];
	for (struct cargo *cargo = LIST_FIRST(&courier->cargoes), *next; cargo; cargo = next) {
		next = LIST_NEXT(cargo, link);
		if (cargo->route->channel != courier_channel(copy, n, cargo->route->name))
			cargo_recall(cargo);
	}
	struct route *route, *following;
	HASH_ITER (hh, courier->routes, route, following) {
		route_set_channel(route, courier_channel(copy, n, route->name));
		route_drop(courier, route);
	}
	courier->pages = false;
	for (size_t i = 0; i < n; i++)
		courier->pages |= copy[i]->ops->pages;
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
	gate_init(&route->gate, route->channel ? route->channel->rate : (struct rate){0});
	for (unsigned i = 0; i < READY_COUNT; i++)
		TAILQ_INIT(&route->ready[i]);
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
	entry->lane->route->counts[ENTRY_BEHIND]++;
	entry->lane->route->n_entries++;
	TAILQ_INSERT_TAIL(&entry->lane->entries, entry, in_lane);
	if (TAILQ_FIRST(&entry->lane->entries) == entry)
		entry_schedule(entry);
	return 0;
fail:
	entry_free(entry);
	return -ENOMEM;
}

bool
courier_is_down(const struct courier *courier)
{
	struct instant now = courier_now(courier);
	for (const struct route *route = courier->routes; route; route = route->hh.next)
		if (route->n_entries > 0 && instant_since(now, route->gate.failing_since).us >= FALLBACK_AFTER)
			return true;
	return false;
}

size_t
courier_full(const struct courier *courier, size_t max, const char **names, size_t n)
{
	size_t full = 0;
	for (const struct route *route = courier->routes; route && full < n; route = route->hh.next)
		if (route->n_entries >= max)
			names[full++] = route->name;
	return full;
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
	timer_set(courier->timer, (struct duration){0});
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
	while (!LIST_EMPTY(&courier->cargoes))
		cargo_recall(LIST_FIRST(&courier->cargoes));
}

void
courier_forget(struct courier *courier)
{
	courier_stop(courier);
	while (courier->entries) {
		struct entry *entry = courier->entries;
		entry_remove(entry);
		entry_free(entry);
	}
	courier->draining = false;
}

static struct courier_counts
to_counts(const size_t counts[static ENTRY_STATE_COUNT])
{
	return (struct courier_counts){
	    .behind = counts[ENTRY_BEHIND],
	    .later = counts[ENTRY_LATER],
	    .ready = counts[ENTRY_READY],
	    .in_flight = counts[ENTRY_IN_FLIGHT],
	};
}

struct courier_counts
courier_count(const struct courier *courier)
{
	return to_counts(courier->counts);
}

void
courier_each_channel(const struct courier *courier, void (*each)(void *arg, const struct courier_channel *channel),
                     void *arg)
{
	struct route *route;
	for (size_t i = 0; i < courier->n_channels; i++) {
		struct courier_channel channel = {.name = courier->channels[i]->name};
		HASH_FIND_STR(courier->routes, channel.name, route);
		if (route) {
			channel.counts = to_counts(route->counts);
			channel.failing = gate_is_open(&route->gate);
		}
		each(arg, &channel);
	}
	for (route = courier->routes; route; route = route->hh.next)
		if (!route->channel)
			each(arg, &(struct courier_channel){route->name, to_counts(route->counts), false});
}

void
courier_check(const struct courier *courier)
{
	size_t counts[ENTRY_STATE_COUNT] = {0};
	for (const struct route *route = courier->routes; route; route = route->hh.next) {
		size_t held = 0;
		assert(route->lanes || route->channel);
		for (const struct lane *lane = route->lanes; lane; lane = lane->hh.next) {
			assert(!TAILQ_EMPTY(&lane->entries));
			const struct entry *entry;
			TAILQ_FOREACH(entry, &lane->entries, in_lane)
			{
				bool head = entry == TAILQ_FIRST(&lane->entries);
				assert(head == (entry->state != ENTRY_BEHIND));
				assert(wheel_is_set(&entry->node) == (entry->state == ENTRY_LATER));
				assert(!entry->cargo == (entry->state != ENTRY_IN_FLIGHT));
				assert(entry->delivery->ticket_id == lane->ticket_id);
				counts[entry->state]++;
			}
		}
		for (size_t s = 0; s < ENTRY_STATE_COUNT; s++)
			held += route->counts[s];
		assert(held == route->n_entries);
	}
	size_t sum = 0;
	for (size_t s = 0; s < ENTRY_STATE_COUNT; s++) {
		assert(counts[s] == courier->counts[s]);
		sum += counts[s];
	}
	assert(sum == HASH_COUNT(courier->entries));
	assert(wheel_count(courier->wheel) == counts[ENTRY_LATER]);
}
