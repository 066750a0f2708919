/* One batch of the ledger: what one call of sla.flush() writes, as columns, each a PostgreSQL array in binary format
 * that grows row by row. */
#ifndef SLATED_LEDGER_BATCH_H
#define SLATED_LEDGER_BATCH_H

#include "slated/pg_array.h"
#include "slated/shards.h"

/* In the order of the statement's parameters from the fifth on. */
enum column {
	M_TICKET,
	M_METRIC,
	M_CYCLE,
	M_MILESTONE,
	M_LEVEL,
	M_AT,
	M_DUE,
	M_POLICY,
	M_CALENDAR,
	M_SEVERITY,
	M_LATE_BY,
	M_REASON,
	M_BY_REASSESSMENT,
	M_ESCALATION,
	M_STEP,
	M_TRIGGER,
	M_REPEAT,
	M_NOTIFY,
	M_REACH,
	M_PAYLOAD,
	C_TICKET,
	C_METRIC,
	C_CYCLE,
	C_STATE,
	C_STARTED,
	C_DUE,
	C_POLICY,
	C_CALENDAR,
	C_SEVERITY,
	C_BUDGET,
	C_CONSUMED,
	C_PAUSED,
	C_BREACHED,
	C_ENDED,
	C_TARGET,
	C_CONFIGURATION,
	C_CARRIED,
	C_SPANS,
	C_LEVELS,
	S_TICKET,
	S_APPLIED,
	S_SEVERITY,
	S_STATUS,
	S_OPENED,
	S_LAST,
	S_REQUESTED,
	S_REASSESSED,
	S_ACK,
	S_LADDER,
	S_ATTRIBUTES,
	S_CUSTOM = S_ATTRIBUTES + ATTRIBUTE_COUNT,
	N_TICKET,
	N_SEQ,
	N_REFUSED,
	N_LATE,
	V_TICKET,
	V_SEQ,
	R_TICKET,
	R_AT,
	R_RULE,
	R_FORMER,
	R_NAMES,
	R_SEVERITY,
	R_REASON,
	A_TICKET,
	A_SEQ,
	R_CALLED_BY,
	R_HOOK,
	R_SEQ,
	M_PLAIN,
	M_IN_FORCE,
	COLUMN_COUNT,
};

/* Zeroed = empty. */
struct batch {
	struct pg_column columns[COLUMN_COUNT];
	size_t rows;
	struct instant latest_timer; /* of the milestones that a timer brought */
	bool shards[SHARDS];         /* of which there is something */
};

/* Frees what the batch has, not itself. */
void batch_free(struct batch *batch);

/* Makes it empty again; its room stays. */
void batch_clear(struct batch *batch);

/* Adds all that `from` has, which is empty then. */
void batch_move(struct batch *batch, struct batch *from);

/* Begins a row of a ticket: counts it. */
void batch_note_row(struct batch *batch, uint64_t ticket);

/* One element of a column; NULL, INSTANT_NEVER and INT64_MIN stand for SQL NULL. What lacks memory comes to light in
 * batch_end(). */
void batch_put_null(struct batch *batch, enum column column);
void batch_put_text(struct batch *batch, enum column column, const char *value);
void batch_put_number(struct batch *batch, enum column column, int64_t value);
void batch_put_number_or_null(struct batch *batch, enum column column, bool present, int64_t value);
void batch_put_bool(struct batch *batch, enum column column, bool value);
void batch_put_instant(struct batch *batch, enum column column, struct instant at);

/* Ends all columns: as parameters of the statement, one after the other. A column without values is NULL. 0 or -ENOMEM.
 */
int batch_end(struct batch *batch, const char *params[COLUMN_COUNT], int lengths[COLUMN_COUNT],
              int formats[COLUMN_COUNT]) __attribute__((warn_unused_result));

/* The text of an array with its shards, to be freed; NULL: out of memory. */
char *batch_shards(const struct batch *batch);

#endif
