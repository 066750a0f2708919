/* The outbox: claims committed deliveries for the courier, and writes down what became of them. It has a connection of
 * its own, so that slow receivers never wait on deadlines nor deadlines on them. */
#ifndef SLATED_OUTBOX_H
#define SLATED_OUTBOX_H

#include "slated/courier.h"

struct hooks;
struct loop;
struct outbox;
struct shards;
struct pg;

struct outbox_hooks {
	/* Something went wrong that an operator should see. */
	void (*problem)(void *arg, const char *text);
	/* All outcomes told of have been written down. */
	void (*settled)(void *arg);
	/* It has just asked the database for deliveries, and was answered. */
	void (*looked)(void *arg);
	/* For outbox_restore(): what a channel had been told. */
	void (*restore)(void *arg, const struct delivery *delivery);
	void *arg;
};

/* `loop`, `instance` and `shards` are borrowed. 0 or -ENOMEM. */
int outbox_new(struct loop *loop, const char *instance, const struct shards *shards, const struct outbox_hooks *hooks,
               struct outbox **ret) __attribute__((warn_unused_result));
void outbox_free(struct outbox *outbox);

/* Both borrowed, set before outbox_open(). */
void outbox_set_courier(struct outbox *outbox, struct courier *courier);
void outbox_set_connection(struct outbox *outbox, struct pg *pg);

/* Who shares the connection; borrowed, set before outbox_open(). Its `ready` is outbox_go_on(). */
void outbox_set_hooks(struct outbox *outbox, struct hooks *hooks);
void outbox_go_on(struct outbox *outbox);

/* The connection is up (again): claims begin. What a former session of this instance had claimed is claimed anew. */
void outbox_open(struct outbox *outbox);

/* Before anything is claimed next, `restore` is called for what these channels were told of alerts that are open, in
 * order. Channels that keep what they were told have a new memory then. 0 or -ENOMEM. */
int outbox_restore(struct outbox *outbox, const char *const *channels, size_t n) __attribute__((warn_unused_result));

/* The connection is lost: outcomes wait until it is back. */
void outbox_close(struct outbox *outbox);

/* There may be new deliveries, or severities to write to tickets. */
void outbox_wake(struct outbox *outbox);

/* The courier's outcome hook; `arg` is the outbox. */
void outbox_on_outcome(void *arg, const struct delivery *delivery, enum outcome outcome, const char *error);

/* The courier's fall_back hook; `arg` is the outbox. */
void outbox_on_fall_back(void *arg, const struct delivery *delivery, const char *channel);

/* The courier has forgotten all that it had: that is released, and claimed anew by whoever has the lease. */
void outbox_let_go(struct outbox *outbox);

/* Drops the outcomes that have not been written: those deliveries are not known any more, or come again. */
void outbox_forget(struct outbox *outbox);

/* Whether every outcome told of has been written down. */
bool outbox_is_settled(const struct outbox *outbox);

/* Claims nothing more. */
void outbox_drain(struct outbox *outbox);
/* Takes new ones again. */
void outbox_undrain(struct outbox *outbox);

#endif
