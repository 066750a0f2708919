/* The courier carries committed deliveries to their channels and tells what became of each attempt. It keeps the order
 * of one ticket's deliveries on one channel, retries with back-off, keeps each channel's rate (what overflows becomes a
 * digest) and bounds how many attempts are under way.
 * At least once: what it holds is in `sla.delivery` too, and what was not told of is sent again after a restart, with
 * the same key. */
#ifndef SLATED_COURIER_H
#define SLATED_COURIER_H

#include "slated/channel.h"

struct courier;
struct loop;

struct courier_hooks {
	struct instant (*now)(void *arg);
	uint64_t (*random)(void *arg); /* 64 even bits */
	/* An attempt ended. `delivery` has its count of attempts and, for OUTCOME_RETRY, the next one's instant;
	 * `error` says why it failed; of one that was delivered what to know of it, or NULL. Both live until it
	 * returns. After anything but OUTCOME_RETRY the courier has let go of the delivery. May call courier_add(). */
	void (*outcome)(void *arg, const struct delivery *delivery, enum outcome outcome, const char *error);
	/* The delivery's channel has failed for minutes, or ended it dead: `channel` should tell of it, too. NULL:
	 * there are no fallbacks. Must not call back. */
	void (*fall_back)(void *arg, const struct delivery *delivery, const char *channel);
	/* An attempt ended that carried `n` deliveries, more than one as a digest; outcome() follows for each. NULL:
	 * nobody counts them. Must not call back. */
	void (*attempted)(void *arg, const char *channel, size_t n, enum outcome outcome);
	void *arg;
};

struct courier_counts {
	size_t behind;    /* an earlier one of the ticket and channel comes first */
	size_t later;     /* the next attempt is not due yet */
	size_t ready;     /* due, but too many are under way */
	size_t in_flight; /* an attempt is under way */
};

/* A courier on `loop`, which is borrowed, that has at most `concurrency` (> 0) attempts under way. 0 or -ENOMEM. */
int courier_new(struct loop *loop, unsigned concurrency, const struct courier_hooks *hooks, struct courier **ret)
    __attribute__((warn_unused_result));

/* Stops it first. Takes NULL. */
void courier_free(struct courier *courier);

/* The channels from now on (the array is copied, its members are borrowed), none at first. Attempts through channels
 * that are no longer among them are cut short and made again, uncounted. A delivery to a channel of no such name is
 * dead. 0, or -ENOMEM with nothing changed. */
int courier_set_channels(struct courier *courier, struct channel *const *channels, size_t n)
    __attribute__((warn_unused_result));

void courier_set_concurrency(struct courier *courier, unsigned concurrency);

/* Takes on a delivery (copied), behind those of its ticket and channel that were added before; one whose key it holds
 * already is ignored. Calls no hook but now(): everything else happens from the loop. 0 or -ENOMEM. */
int courier_add(struct courier *courier, const struct delivery *delivery) __attribute__((warn_unused_result));

/* Whether some channel has failed for minutes. */
bool courier_is_down(const struct courier *courier);

/* The channels with `max` deliveries or more, `n` names at most; borrowed until the next call. Returns how many. */
size_t courier_full(const struct courier *courier, size_t max, const char **names, size_t n);

/* Whether it holds the delivery of that key. */
bool courier_holds(const struct courier *courier, const char *key);

/* Looks at everything anew from the loop; to be called when now() jumped. */
void courier_wake(struct courier *courier);

/* Starts nothing more; what is under way may end and is told of. For good, or until courier_forget(). */
void courier_drain(struct courier *courier);

/* Drains, and cuts short what is under way without telling of it. */
void courier_stop(struct courier *courier);

/* Stops, drops all deliveries without telling of them, and is as new, but for what its channels were sent. */
void courier_forget(struct courier *courier);

struct courier_counts courier_count(const struct courier *courier);

struct courier_channel {
	const char *name;
	struct courier_counts counts;
	bool failing; /* it has failed so often that there are only single attempts */
};

/* Calls `each` for each channel, and for each that is none any more but still has deliveries. */
void courier_each_channel(const struct courier *courier, void (*each)(void *arg, const struct courier_channel *channel),
                          void *arg);

/* Aborts where an invariant does not hold; for tests. */
void courier_check(const struct courier *courier);

#endif
