/* What the two halves of the courier share: courier.c keeps the entries, courier_send.c sends them. */
#ifndef SLATED_IO_COURIER_INTERNAL_H
#define SLATED_IO_COURIER_INTERNAL_H

#include <sys/queue.h>

#include "slated/courier.h"
#include "slated/gate.h"
#include "slated/wheel.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* A channel that has failed for so long is taken for down: its fallback gets what waits. */
#define FALLBACK_AFTER (3 * US_PER_MIN)

enum entry_state {
	ENTRY_BEHIND,
	ENTRY_LATER,
	ENTRY_READY,
	ENTRY_IN_FLIGHT,
	ENTRY_STATE_COUNT,
};

TAILQ_HEAD(entries, entry);

struct entry {
	UT_hash_handle hh; /* courier.entries, by key */
	struct courier *courier;
	struct lane *lane;
	TAILQ_ENTRY(entry) in_lane;
	TAILQ_ENTRY(entry) in_ready; /* ENTRY_READY */
	struct entries *ready;       /* and the list it is in */
	struct wheel_node node;      /* ENTRY_LATER */
	struct cargo *cargo;         /* ENTRY_IN_FLIGHT */
	enum entry_state state;
	bool fallen_back; /* its channel's fallback has been given a copy */
	struct delivery *delivery;
};

struct lane {
	UT_hash_handle hh; /* route.lanes, by ticket_id */
	struct route *route;
	int64_t ticket_id;
	struct entries entries;
};

/* Of a channel that pages, what ends alerts waits behind the alerts. */
enum { READY_FIRST, READY_THEN, READY_COUNT };

struct route {
	UT_hash_handle hh;       /* courier.routes, by name */
	struct channel *channel; /* NULL: there is none of that name */
	struct gate gate;
	struct lane *lanes;
	struct entries ready[READY_COUNT];
	size_t n_ready;
	size_t counts[ENTRY_STATE_COUNT];
	size_t n_entries;
	size_t n_under_way;      /* cargoes */
	TAILQ_ENTRY(route) turn; /* where there are ready ones */
	char name[];
};

/* What one attempt carries: one delivery, or those of a digest. */
struct cargo {
	LIST_ENTRY(cargo) link; /* courier.cargoes */
	struct route *route;
	struct channel_attempt *attempt;
	struct delivery *digest; /* NULL: just the one entry's delivery */
	bool probe;              /* sent while the breaker was open */
	size_t n_entries;
	struct entry *entries[];
};

struct courier {
	struct courier_hooks hooks;
	struct loop *loop;
	struct timer *timer;
	struct wheel *wheel;
	struct entry *entries;
	struct route *routes;
	TAILQ_HEAD(, route) turns;
	size_t n_turns;
	LIST_HEAD(, cargo) cargoes;
	size_t n_under_way;        /* cargoes */
	size_t n_others_under_way; /* those of channels that don't page */
	struct channel **channels;
	size_t n_channels;
	unsigned concurrency;
	bool pages; /* some channel does */
	bool draining;
	size_t counts[ENTRY_STATE_COUNT];
};

struct instant courier_now(const struct courier *courier);

/* Makes a lane's head wait for its instant or for its turn. */
void entry_schedule(struct entry *entry);
/* The one place where an entry's state changes. */
void entry_set_state(struct entry *entry, enum entry_state state);
/* Takes an entry out of everything but memory; its lane's next one becomes the head. */
void entry_remove(struct entry *entry);
void entry_free(struct entry *entry);

/* courier_send.c */
/* The timer's callback: everything that is to do now. */
void courier_turn(void *arg);
/* Cuts an attempt short, as if it had not begun. */
void cargo_recall(struct cargo *cargo);

/* digest.c: one delivery of the kind "digest" that tells what `deliveries` do, to be given to free(). Its key comes
 * from theirs. 0 or -ENOMEM. */
int digest_new(const struct delivery *const *deliveries, size_t n, struct delivery **ret)
    __attribute__((warn_unused_result));

#endif
