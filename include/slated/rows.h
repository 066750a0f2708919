/* Rows of schema `sla` as the daemon reads them (binary format): events, tickets' states and clocks. Each SELECT list
 * stands beside the reader of its columns. Texts that a reader hands out live until its next call. */
#ifndef SLATED_ROWS_H
#define SLATED_ROWS_H

#include "slated/engine.h"
#include "slated/pg_value.h"

struct row_reader;

/* 0 or -ENOMEM. */
int row_reader_new(struct row_reader **ret) __attribute__((warn_unused_result));
void row_reader_free(struct row_reader *reader);

/* An object of attributes with every value as text, as a match compares it: a number may be longer than any C type, a
 * value nested deeper than a JSON reader goes. NULL for {}. */
#define ATTRIBUTE_TEXTS(column)                                                                                        \
	"CASE WHEN " column " <> '{}' THEN (SELECT jsonb_object_agg(key, value)::text FROM jsonb_each_text(" column    \
	")) END"

/* Columns of `sla.event e`. */
#define EVENT_COLUMNS                                                                                                  \
	"e.ticket_id, e.seq, e.at, e.kind, e.by, e.public, e.escalate, e.status, e.severity, "                         \
	"(extract(epoch FROM CASE WHEN e.\"for\" IS NOT NULL THEN least(e.\"for\", interval '100 years') END) * "      \
	"1000000)::bigint, e.changed, e.org, e.plan, "                                                                 \
	"e.channel, e.category, "                                                                                      \
	"e.product, e.environment, e.version, e.assignee, e.team, " ATTRIBUTE_TEXTS("e.attributes") ", e.by_rule"
enum { EVENT_COLUMN_COUNT = 22 };

struct event_row {
	int64_t ticket_id;
	int64_t seq;
	struct ticket_event event;
	bool by_rule; /* in force already: sla.event.by_rule */
};

/* 0; -EBADMSG with what is wrong in `problem`, then only the ticket's id and seq are given, 0 where they cannot be
 * read; -ENOMEM. */
int row_read_event(struct row_reader *reader, const struct pg_value values[static EVENT_COLUMN_COUNT],
                   struct event_row *ret, char problem[static REFUSAL_SIZE]) __attribute__((warn_unused_result));

/* Columns of `sla.ticket_state s`. */
#define STATE_COLUMNS                                                                                                  \
	"s.ticket_id, s.applied_seq, s.severity, s.status, s.opened_at, s.last_at, s.requested, s.reassessed, "        \
	"s.ack_at, s.ladder, s.org, s.plan, s.channel, s.category, s.product, s.environment, s.version, s.assignee, "  \
	"s.team, " ATTRIBUTE_TEXTS("s.attributes")
enum { STATE_COLUMN_COUNT = 20 };

/* Fills a zeroed ticket; *ret_ladder (may be NULL) is for row_restore_ladder() once the clocks are there. 0; with what
 * is wrong in `problem`, -EBADMSG: the row itself, -ENOENT: the configuration lacks what it names; -ENOMEM. */
int row_read_state(struct row_reader *reader, const struct pg_value values[static STATE_COLUMN_COUNT],
                   struct engine *engine, struct ticket *ticket, int64_t *ret_applied_seq, char **ret_ladder,
                   char problem[static REFUSAL_SIZE]) __attribute__((warn_unused_result));

/* Columns of `sla.clock c`. */
#define CLOCK_COLUMNS                                                                                                  \
	"c.ticket_id, c.metric, c.cycle, c.state, c.started_at, c.due_at, c.policy, c.budget, c.consumed, "            \
	"c.paused_at, c.breached_at, c.ended_at, c.target, c.configuration, c.carried, c.spans, c.levels_fired"
enum { CLOCK_COLUMN_COUNT = 17 };

/* Finds the configuration of a digest; NULL when it is not to be had. */
typedef const struct policy_set *row_find_set(void *arg, const char *digest);

/* Reads only the ticket's id of a clock's row. */
int row_clock_ticket(const struct pg_value values[static CLOCK_COLUMN_COUNT], int64_t *ret)
    __attribute__((warn_unused_result));

/* Adds a clock to its ticket. 0, or an error as of row_read_state(). */
int row_read_clock(struct row_reader *reader, const struct pg_value values[static CLOCK_COLUMN_COUNT],
                   row_find_set *find_set, void *arg, struct ticket *ticket, char problem[static REFUSAL_SIZE])
    __attribute__((warn_unused_result));

struct text;

/* The digest of a configuration, by its policies. */
typedef const char *row_digest_of(void *arg, const struct policy_set *set);

/* The ticket's ladder steps in hand and its hold, as JSON text; nothing where there is nothing to keep. */
void row_write_ladder(struct text *text, const struct ticket *ticket, row_digest_of *digest_of, void *arg);

/* The digests that ladders name, of the rows `s` of sla.ticket_state that `condition` takes. */
#define LADDER_CONFIGURATIONS(condition)                                                                               \
	"SELECT m.digest[1] FROM sla.ticket_state s, regexp_matches(s.ladder, '\"([0-9a-f]{64})\"', 'g') "             \
	"AS m (digest) WHERE s.ladder IS NOT NULL AND " condition

/* Puts back what row_write_ladder() wrote. A step that names no configuration is of its clock's, or of `set`. Steps
 * that the configurations do not have are left out and counted in *ret_lost. 0, -EBADMSG, -ENOMEM. */
int row_restore_ladder(const char *ladder, const struct policy_set *set, row_find_set *find_set, void *arg,
                       struct ticket *ticket, unsigned *ret_lost, char problem[static REFUSAL_SIZE])
    __attribute__((warn_unused_result));

#endif
