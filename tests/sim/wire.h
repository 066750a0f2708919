/* The network between the daemons and the model database, and pg.h upon it: delay, cuts before and after a statement
 * was carried out, statements that are carried out after their sender has given them up, servers that cannot be
 * reached. */
#ifndef SLATED_SIM_WIRE_H
#define SLATED_SIM_WIRE_H

#include "database.h"
#include "slated/pg.h"

/* Out of a million messages. */
struct wire_faults {
	unsigned cut_before;
	unsigned cut_after;
	unsigned late; /* carried out seconds later */
	unsigned mute; /* never answered */
	unsigned slow; /* a second or so */
	unsigned deaf; /* hints that get lost */
};

struct wire;

struct wire *wire_new(struct world *world, struct database *database);
void wire_free(struct wire *wire);
void wire_set_faults(struct wire *wire, const struct wire_faults *faults);
/* No server answers until then, in simulated time. */
void wire_shut(struct wire *wire, int64_t until);
/* All sessions have ended. */
void wire_cut_all(struct wire *wire);
/* A connection of one daemon; its daemon's pooler takes LISTEN and delivers nothing. */
struct pg *wire_connect(struct wire *wire, const char *name, bool pooled, struct duration timeout,
                        struct pg_server *newest, const struct pg_callbacks *callbacks);
/* Until then this connection's server cannot be reached. */
void wire_part(struct pg *pg, int64_t until);
/* Whether it can be. */
bool wire_reaches(const struct pg *pg);

#endif
