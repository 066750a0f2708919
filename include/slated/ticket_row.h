/* A ticket's facts, as they are reported. */
#ifndef SLATED_TICKET_ROW_H
#define SLATED_TICKET_ROW_H

#include "slated/jsonw.h"
#include "slated/result.h"

/* Its parameter is the ticket's id. */
extern const char ticket_row_sql[];

enum ticket_row_column {
	TICKET_ROW_ID,
	TICKET_ROW_SOURCE,
	TICKET_ROW_EXTERNAL,
	TICKET_ROW_STATUS,
	TICKET_ROW_SEVERITY,
	TICKET_ROW_ATTRIBUTES = 14,
	TICKET_ROW_OPENED,
	TICKET_ROW_APPLIED_SEVERITY,
	TICKET_ROW_APPLIED_STATUS,
	TICKET_ROW_WAITING,
	TICKET_ROW_REQUESTED,
	TICKET_ROW_REASSESSED,
	TICKET_ROW_ACK,
};

/* Those from TICKET_ROW_STATUS to the attributes, as the columns are called. */
#define TICKET_ROW_FACTS 11
extern const char *const ticket_row_facts[TICKET_ROW_FACTS];

/* Adds the row as the object "ticket". */
void ticket_row_write(struct jsonw *json, const PGresult *rows);
/* Adds them to the object that is open. */
void ticket_row_write_members(struct jsonw *json, const PGresult *rows);

#endif
