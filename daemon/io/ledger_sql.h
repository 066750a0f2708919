/* The statement of a flush; sla.flush() (sql/0030_decisions.sql) does the work, so that the server has little to
 * read and keeps its plans. Parameters: the run's uuid, the instance, the shards, the latest instant at which a timer
 * fired; then the columns in the order of enum column (ledger_batch.h), each an array in binary format, or NULL where
 * it has no value; then the names of the channels, the one for addresses without a channel or NULL, the template of
 * tickets' links or NULL, the channels that hear of acknowledgements. Where the lease is not held or a timer fired
 * early, sla.fence() fails and nothing is written. */
#ifndef SLATED_LEDGER_SQL_H
#define SLATED_LEDGER_SQL_H

static const char ledger_flush_sql[] =
    "SELECT * FROM sla.flush(sla.fence($1::uuid, $3::integer[], $4::timestamptz), $2, "
    "$5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, "
    "$28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, "
    "$50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63, $64, $65, $66, $67, $68, $69, $70, $71, "
    "$72, $73, $74, $75, $76, $77, $78, $79, $80, $81, $82, $83, $84, $85, $86, $87)";

#endif
