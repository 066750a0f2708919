/* Hooks of reassessment rules: programs and HTTP endpoints that are given a ticket and may answer with a severity.
 * model.md section 9. A row of sla.reassessment asks for each; until its answer is written there, a crash asks it once
 * more. */
#ifndef SLATED_HOOK_H
#define SLATED_HOOK_H

#include <stdbool.h>

struct child_runner;
struct hooks;
struct http_client;
struct pg;
struct policy_set;

struct hooks_callbacks {
	/* The rules in force. */
	const struct policy_set *(*policies)(void *arg);
	/* There is something to send: hooks_step() is wanted as soon as the connection is idle. */
	void (*ready)(void *arg);
	void (*problem)(void *arg, const char *text);
	/* A hook answered, or failed. */
	void (*ended)(void *arg, const char *rule, bool answered);
	void *arg;
};

/* Both borrowed, and to be freed after this. 0 or -ENOMEM. */
int hooks_new(struct child_runner *children, struct http_client *http, const struct hooks_callbacks *callbacks,
              struct hooks **ret) __attribute__((warn_unused_result));

/* Ends what runs, without an answer. Takes NULL. */
void hooks_free(struct hooks *hooks);

/* The connection is up (again), or the daemon has begun anew: what was being written is written again. */
void hooks_open(struct hooks *hooks);

/* There may be new rows. */
void hooks_wake(struct hooks *hooks);

/* Sends the next query through `pg`, which must be idle: an answer to be written, or a look for rows. Whether it sent
 * one. */
bool hooks_step(struct hooks *hooks, struct pg *pg, const char *shards);

#endif
