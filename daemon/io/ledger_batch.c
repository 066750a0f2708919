#include "ledger_batch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Those that are no texts. */
static const enum pg_type types[COLUMN_COUNT] = {
    [M_TICKET] = PG_INT8,
    [M_CYCLE] = PG_INT4,
    [M_AT] = PG_TIMESTAMPTZ,
    [M_DUE] = PG_TIMESTAMPTZ,
    [M_BY_REASSESSMENT] = PG_BOOL,
    [M_STEP] = PG_INT4,
    [M_REPEAT] = PG_INT4,
    [C_TICKET] = PG_INT8,
    [C_CYCLE] = PG_INT4,
    [C_STARTED] = PG_TIMESTAMPTZ,
    [C_DUE] = PG_TIMESTAMPTZ,
    [C_BUDGET] = PG_INT8,
    [C_CONSUMED] = PG_INT8,
    [C_PAUSED] = PG_TIMESTAMPTZ,
    [C_BREACHED] = PG_TIMESTAMPTZ,
    [C_ENDED] = PG_TIMESTAMPTZ,
    [C_TARGET] = PG_INT4,
    [C_CARRIED] = PG_INT8,
    [S_TICKET] = PG_INT8,
    [S_APPLIED] = PG_INT8,
    [S_OPENED] = PG_TIMESTAMPTZ,
    [S_LAST] = PG_TIMESTAMPTZ,
    [S_REQUESTED] = PG_INT4,
    [S_REASSESSED] = PG_INT4,
    [S_ACK] = PG_TIMESTAMPTZ,
    [S_CUSTOM] = PG_JSONB,
    [N_TICKET] = PG_INT8,
    [N_SEQ] = PG_INT8,
    [N_LATE] = PG_BOOL,
    [V_TICKET] = PG_INT8,
    [V_SEQ] = PG_INT8,
    [R_TICKET] = PG_INT8,
    [R_AT] = PG_TIMESTAMPTZ,
    [R_HOOK] = PG_BOOL,
    [R_SEQ] = PG_INT8,
    [A_TICKET] = PG_INT8,
    [A_SEQ] = PG_INT8,
    [M_PLAIN] = PG_BOOL,
};

static enum pg_type
type_of(enum column column)
{
	return types[column] == 0 ? PG_TEXT : types[column];
}

void
batch_free(struct batch *batch)
{
	for (unsigned i = 0; i < COLUMN_COUNT; i++)
		free(batch->columns[i].bytes.data);
}

void
batch_clear(struct batch *batch)
{
	for (unsigned i = 0; i < COLUMN_COUNT; i++)
		pg_column_clear(&batch->columns[i]);
	memset(batch->shards, 0, sizeof(batch->shards));
	batch->rows = 0;
	batch->latest_timer = (struct instant){0};
}

void
batch_move(struct batch *batch, struct batch *from)
{
	for (unsigned i = 0; i < COLUMN_COUNT; i++)
		pg_column_append(&batch->columns[i], &from->columns[i]);
	for (unsigned i = 0; i < SHARDS; i++)
		batch->shards[i] |= from->shards[i];
	batch->rows += from->rows;
	batch->latest_timer = instant_max(batch->latest_timer, from->latest_timer);
	batch_clear(from);
}

void
batch_note_row(struct batch *batch, uint64_t ticket)
{
	batch->rows++;
	batch->shards[ticket % SHARDS] = true;
}

void
batch_put_null(struct batch *batch, enum column column)
{
	pg_column_add_null(&batch->columns[column]);
}

void
batch_put_text(struct batch *batch, enum column column, const char *value)
{
	if (value == NULL)
		batch_put_null(batch, column);
	else
		pg_column_add_text(&batch->columns[column], type_of(column), value);
}

void
batch_put_number(struct batch *batch, enum column column, int64_t value)
{
	pg_column_add_number(&batch->columns[column], type_of(column), value);
}

void
batch_put_bool(struct batch *batch, enum column column, bool value)
{
	pg_column_add_bool(&batch->columns[column], value);
}

void
batch_put_number_or_null(struct batch *batch, enum column column, bool present, int64_t value)
{
	if (present)
		batch_put_number(batch, column, value);
	else
		batch_put_null(batch, column);
}

void
batch_put_instant(struct batch *batch, enum column column, struct instant at)
{
	if (instant_is_finite(at))
		pg_column_add_instant(&batch->columns[column], at);
	else
		batch_put_null(batch, column);
}

int
batch_end(struct batch *batch, const char *params[COLUMN_COUNT], int lengths[COLUMN_COUNT], int formats[COLUMN_COUNT])
{
	bool failed = false;
	for (unsigned i = 0; i < COLUMN_COUNT; i++) {
		struct pg_column *column = &batch->columns[i];
		pg_column_end(column, type_of(i));
		failed |= column->bytes.failed || column->bytes.len > INT_MAX;
		params[i] = pg_column_has_value(column) ? column->bytes.data : NULL;
		lengths[i] = (int)column->bytes.len;
		formats[i] = 1;
	}
	return failed ? -ENOMEM : 0;
}

char *
batch_shards(const struct batch *batch)
{
	struct text list = {0};
	for (unsigned i = 0; i < SHARDS; i++)
		if (batch->shards[i])
			pg_array_add_number(&list, i);
	pg_array_end(&list);
	if (list.failed) {
		free(list.data);
		return NULL;
	}
	return list.data;
}
