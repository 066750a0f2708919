/* What the engine has done and the database does not know yet. Effects gather in a batch; a flush writes one batch in
 * one statement: milestones, the deliveries of those that are new, clocks, tickets' states, refused events. A large one
 * is shared by two sessions, ticket by ticket. Nothing of it is acted on before all has committed. */
#ifndef SLATED_LEDGER_H
#define SLATED_LEDGER_H

#include "slated/engine.h"
#include "slated/live.h"
#include "slated/rows.h"

struct ledger;
struct pg;
struct config;

/* A batch is due for a flush by this many rows; the driver takes in nothing more before. */
#define LEDGER_ROWS_MAX 2000

/* 0 or -ENOMEM. */
int ledger_new(struct ledger **ret) __attribute__((warn_unused_result));
void ledger_free(struct ledger *ledger);

/* Has batches shared from that many rows on, and as many tickets with ids one after the other written by one session;
 * for tests, whose batches are small. */
void ledger_set_share(struct ledger *ledger, unsigned neighbours, size_t rows);

/* Forgets what was not flushed: the database's word counts. */
void ledger_clear(struct ledger *ledger);

/* Whom to notify, and the digests of configurations by their policies; borrowed. */
struct ledger_names {
	const struct config *config; /* in force: its channels */
	row_digest_of *digest;
	void *arg;
};
void ledger_set_names(struct ledger *ledger, const struct ledger_names *names);

/* Adds one milestone; `now` tells how late it is. Allocation failures come to light in ledger_flush(). */
void ledger_add_milestone(struct ledger *ledger, const struct policy_set *set, const struct ticket *ticket,
                          const struct milestone *milestone, struct instant now);

/* Adds an acknowledgement, by its event, to be told where the ticket's open alerts were. */
void ledger_add_acknowledgement(struct ledger *ledger, int64_t ticket, int64_t seq);

/* Adds a severity that a rule has set, or a hook that it asks; `seq`: the last event that the ticket had come to. */
void ledger_add_reassessment(struct ledger *ledger, const struct policy_set *set, const struct ticket *ticket,
                             const struct reassessment *reassessment, int64_t seq);

/* Adds an event that was refused (`refusal`, or NULL) or late. */
void ledger_add_event_note(struct ledger *ledger, int64_t ticket, int64_t seq, const char *refusal, bool late);

/* Adds an event of a ticket that is final and not in memory any more: only its seq is noted. */
void ledger_add_seen(struct ledger *ledger, int64_t ticket, int64_t seq);

/* Adds the present state of a ticket and of its changed clocks, whose marks are taken away. */
void ledger_add_ticket(struct ledger *ledger, const struct engine *engine, struct live_ticket *ticket,
                       struct instant now);

/* Rows that wait to be written, and those of them that are in the batch that is being gathered. */
size_t ledger_rows(const struct ledger *ledger);
size_t ledger_open_rows(const struct ledger *ledger);

/* Ends the batch that is being gathered: it is full, and the next one follows it. What belongs together, a ticket's
 * state and all that led to it, has been added. Without memory it goes on instead. */
void ledger_close_batch(struct ledger *ledger);
bool ledger_has_full(const struct ledger *ledger);

/* Connections that a flush takes at most. */
enum { LEDGER_SESSIONS = 2 };

struct ledger_result {
	bool deliveries;    /* some were made */
	bool reassessments; /* some wait to be written to their tickets */
};
typedef void ledger_done(void *arg, const struct ledger_result *result, const char *error);

/* Writes the first full batch, or else the one that is being gathered, which is empty then, under the lease of `run`.
 * `pgs[0]` must be idle; the others have a part in a large batch where they are. `done` is called once all has
 * committed, or with the `error` of a server's refusal; not at all where a connection is lost. 0, -ENOMEM, -EBUSY. */
int ledger_flush(struct ledger *ledger, struct pg *const pgs[LEDGER_SESSIONS], const char *run, const char *instance,
                 ledger_done *done, void *arg) __attribute__((warn_unused_result));

#endif
