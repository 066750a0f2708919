/* The tickets with open clocks as the daemon has recorded them, one by one, with the configurations that the clocks are
 * of. */
#ifndef SLATED_SLATECTL_STANDING_H
#define SLATED_SLATECTL_STANDING_H

#include "db.h"
#include "slated/engine.h"

struct config;

/* A configuration that clocks refer to. */
struct former {
	struct former *next;
	struct config *config;
};

struct standing {
	const struct db *db;
	const struct config *config; /* the one that the engine has; clocks may refer to it, too */
	struct former *formers;
};

/* Is given each ticket with its open clocks; it is cleared afterwards. A negative errno ends the reading. */
typedef int standing_ticket(void *arg, const char *name, struct ticket *ticket);

/* `config` and `db` are borrowed. 0, or a negative errno after the reason went to standard error. */
int standing_open(const struct db *db, const struct config *config, struct standing *ret)
    __attribute__((warn_unused_result));
void standing_close(struct standing *standing);

/* Reads all tickets that are not closed and have an open clock. Each has a severity that the engine's configuration
 * knows. 0, or a negative errno after the reason went to standard error. */
int standing_each(struct standing *standing, struct engine *engine, standing_ticket *each, void *arg)
    __attribute__((warn_unused_result));

#endif
