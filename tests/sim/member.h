/* A daemon of the simulation: the real service, but for its process; and the receivers of its deliveries. */
#ifndef SLATED_SIM_MEMBER_H
#define SLATED_SIM_MEMBER_H

#include "slated/config.h"
#include "wire.h"

enum { RECEIVERS = 2 };

struct receiver_faults {
	unsigned refused; /* answers with an error */
	unsigned silent;  /* takes it and does not answer */
	unsigned slow;    /* answers after seconds */
};

struct receivers;

struct receivers *receivers_new(struct world *world, struct database *database, struct history *history);
void receivers_free(struct receivers *receivers);
void receivers_set_faults(struct receivers *receivers, const struct receiver_faults *faults);

struct member;

enum { CONFIGS = 2 };

/* The configurations are lent for good; it goes by the first. It does nothing before member_start(). */
struct member *member_new(struct world *world, struct wire *wire, struct receivers *receivers,
                          struct config *const configs[static CONFIGS], const char *name, bool pooled);
void member_free(struct member *member);
const char *member_name(const struct member *member);
bool member_runs(const struct member *member);
void member_start(struct member *member);
/* As SIGKILL does. */
void member_kill(struct member *member);
/* As SIGTERM does: it ends in good order, but not at once. */
void member_stop(struct member *member);
void member_part(struct member *member, int64_t until);
/* Goes by that one of its configurations from now on: by a reload where it runs, else when it starts. */
void member_configure(struct member *member, unsigned which);
void member_set_clock(struct member *member, int64_t off);
/* To be called after each happening: sees when it has come to its end. */
void member_look(struct member *member);
/* Whether it is at work under the lease of that nonce, can reach the database, and has written all that it knows of and
 * all that is due. */
bool member_serves(const struct member *member, const char *nonce);
/* Whether no timer of its tickets is due within seconds, and it knows that the database's clock says `now`. */
bool member_is_quiet(const struct member *member, struct instant now);
/* Into the trace. */
void member_describe(const struct member *member);

#endif
