/* Adapters at work: each reads what has changed in a product's database, as whole tickets, and has sla.adapter_apply()
 * take it over; in between it compares all open tickets, in slices. doc/adapters.md tells how. */
#ifndef SLATED_ADAPTER_H
#define SLATED_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct adapters;
struct config;
struct event_base;
struct loop;
struct pg;
struct pg_callbacks;

/* What has become of one reading. */
struct adapter_counts {
	int64_t tickets;
	int64_t items;
	int64_t differences;
	int64_t errors;
};

struct adapters_hooks {
	/* Makes a connection to slated's own database, not yet started. 0 or negative errno. */
	int (*connect)(void *arg, const char *name, const struct pg_callbacks *callbacks, struct pg **ret);
	/* What of an adapter could not be taken over. */
	void (*problem)(void *arg, const char *adapter, const char *text);
	void (*counted)(void *arg, const char *adapter, const struct adapter_counts *counts);
	/* What adapters_catch_up() waited for is over. */
	void (*caught_up)(void *arg);
	void *arg;
};

/* `instance` is borrowed. 0 or -ENOMEM. */
int adapters_new(struct event_base *base, struct loop *loop, const char *instance, const struct adapters_hooks *hooks,
                 struct adapters **ret) __attribute__((warn_unused_result));

/* Those of the configuration, which must last, in place of the present ones. 0 or negative errno. */
int adapters_configure(struct adapters *adapters, const struct config *config) __attribute__((warn_unused_result));

/* Deadlines are about to go on: what has changed in the products until now is to be taken over first, since it may keep
 * a clock from them. Whether there is anything to wait for; if so, `caught_up` is called once it is over: all has been
 * taken over, or could not be, which `problem` has told. Two minutes at most. Takes NULL, which has no adapters. */
bool adapters_catch_up(struct adapters *adapters);

/* Takes NULL. */
void adapters_free(struct adapters *adapters);

/* Calls `each` for every adapter; `waiting` are the changes that waited at the last look. */
void adapters_each(const struct adapters *adapters,
                   void (*each)(void *arg, const char *name, bool connected, int64_t waiting), void *arg);

#endif
