/* The model database: schema sla as far as the daemon meets it, with transactions, snapshots, a clock of its own, a
 * standby that may lag behind, and the statements of daemon/io by their texts. A statement is carried out at one
 * moment; what is promised of a statement by PostgreSQL itself is taken for granted, and shown against PostgreSQL by
 * tests/system. */
#ifndef SLATED_SIM_DATABASE_H
#define SLATED_SIM_DATABASE_H

#include <libpq-fe.h>

#include "history.h"
#include "slated/shards.h"
#include "world.h"

enum { STATE_SEVERITY = 2 }; /* among its texts */
enum { EVENT_TEXTS = 4, STATE_TEXTS = 20, CLOCK_TEXTS = 19, MILESTONE_TEXTS = 20 };

struct db_ticket {
	int64_t id;
	int64_t event_seq;
	uint64_t born; /* by which transaction */
	uint64_t locked_by;
	/* What its writers know of it. */
	enum status status;
	const char *severity;
	bool final;
};

struct db_event {
	int64_t ticket;
	int64_t seq;
	uint64_t xid;
	struct ticket_event event; /* its texts are kept */
	unsigned configuration;    /* how many had come into force before */
	bool late;
	bool refused;
	bool by_rule; /* what a rule has set; what else the system has is a hook's */
};

/* Values as the texts that the daemon sent. */
struct db_state {
	int64_t ticket;
	int64_t applied_seq;
	const char *texts[STATE_TEXTS];
};

struct db_clock {
	int64_t ticket;
	const char *texts[CLOCK_TEXTS];
};

struct db_milestone {
	int64_t ticket;
	const char *texts[MILESTONE_TEXTS];
	struct instant recorded_at;
	struct instant held_at; /* true time */
	const char *instance;
};

struct db_delivery {
	const char *key;
	int64_t ticket;
	const char *metric;
	const char *cycle;
	const char *kind;
	const char *channel;
	const char *claimed_by;
	const char *claim;
	const char *claim_session;
	const char *state; /* ended: in the log */
	int64_t position;
	struct instant at;
	struct instant created_at;
	struct instant next_attempt_at; /* INSTANT_NEVER: none */
	int32_t attempts;
};

struct db_reassessment {
	int64_t id;
	int64_t ticket;
	const char *rule;
	bool hook;
	struct instant at;
	const char *former_names; /* an array's text */
	const char *severity;     /* NULL: a hook has not answered */
	int64_t seq;
	const char *outcome; /* NULL: still to be written to the ticket */
};

struct db_configuration {
	const char *digest, *source;
};

struct db_lease {
	const char *owner;
	const char *nonce;
	struct instant expires_at;
	struct instant since;
};

struct db_instance {
	const char *name;
	struct instant seen_at;
	bool stopped;
};

/* Items of one size; copied as they are. */
struct db_list {
	void *items;
	size_t n;
	size_t room;
	size_t size;
};

enum db_table {
	DB_TICKETS,
	DB_EVENTS,
	DB_STATES,
	DB_CLOCKS,
	DB_MILESTONES,
	DB_DELIVERIES,
	DB_LOG,
	DB_INSTANCES,
	DB_REASSESSMENTS,
	DB_CONFIGURATIONS,
	DB_OPEN, /* numbers of transactions in progress */
	DB_TABLES
};

struct db_data {
	struct db_list tables[DB_TABLES];
	struct db_lease leases[SHARDS];
	uint64_t next_xid;
	int64_t next_ticket;
	int64_t next_position;
	int64_t next_reassessment;
};

struct database;

struct database *database_new(struct world *world);
void database_free(struct database *database);

/* What is there now. */
struct db_data *database_data(struct database *database);
void *db_add(struct db_list *list);
#define DB_EACH(type, item, data, table)                                                                               \
	for (type *item = (data)->tables[table].items, *item##_end = item + (data)->tables[table].n;                   \
	     item < item##_end; item++)

/* clock_timestamp() */
struct instant database_clock(const struct database *database);
void database_step_clock(struct database *database, int64_t by);

/* Writers. A transaction's number; database_commit() makes what it wrote visible and hints at it. */
uint64_t database_begin(struct database *database);
void database_commit(struct database *database, uint64_t xid);
void database_roll_back(struct database *database, uint64_t xid);
/* The texts of `event` are kept. NULL: somebody else has the ticket's row. */
struct db_ticket *database_lock(struct database *database, int64_t ticket, uint64_t xid);
/* Whether the transaction has not ended yet. */
bool db_is_in_progress(const struct database *database, uint64_t xid);
struct db_ticket *database_open_ticket(struct database *database, uint64_t xid);
void database_add_event(struct database *database, struct db_ticket *ticket, const struct ticket_event *event,
                        uint64_t xid);

/* Everything that was written is copied to the standby. */
void database_replicate(struct database *database);
/* All open transactions end, all sessions too. */
void database_restart(struct database *database);
/* The standby takes over: what was not replicated is gone. The keys of deliveries that are gone with it may have been
 * sent. */
void database_fail_over(struct database *database, struct history *history);
/* How often that has happened. */
unsigned database_timeline(const struct database *database);
/* Sessions of another epoch have ended. */
unsigned database_epoch(const struct database *database);

/* A session. */
struct db_session {
	struct db_data *view; /* of its transaction, or NULL */
	bool listening;
	unsigned pid;
	unsigned epoch;
};
void db_session_end(struct db_session *session);

struct db_copy {
	char *data;
	size_t len;
};

/* What a statement comes to: results in order, the rows of a COPY. */
struct db_answer {
	PGresult *results[2];
	unsigned n_results;
	struct db_copy *copy; /* NULL: none */
	size_t n_copy;
	struct duration wait; /* nothing yet: it goes on after so long */
	bool probe;           /* a NOTIFY to oneself */
	bool leaving;         /* a NOTIFY to all: leases are free */
};
void db_answer_clear(struct db_answer *answer);

/* Carries out one of the daemon's statements. Aborts for one that it doesn't know. */
struct db_answer database_execute(struct database *database, struct db_session *session, const char *text,
                                  const char *const *params, int n_params);

/* Calls back when writers have committed and a hint is due. */
void database_on_hint(struct database *database, void (*hint)(void *arg, const char *payload), void *arg);

/* Puts all that there is at the end into `history`. */
void database_tell(struct database *database, struct history *history);
/* Whether all events that have been committed were applied. */
bool database_is_applied(struct database *database);
/* Whether all events have been applied, and nothing waits to be sent or to be written to a ticket. */
bool database_is_settled(struct database *database);
/* Tickets that are not closed and whose severity is not the one that the daemon has in force; a line for each. */
unsigned database_check_severities(struct database *database, FILE *report);

/* Leases go into it as they change. */
void database_set_history(struct database *database, struct history *history);
/* Another configuration comes into force: from now on events come under it, and clocks move to it where it `migrates`.
 */
void database_configure(struct database *database, const struct policy_set *set, bool migrates);

#endif
