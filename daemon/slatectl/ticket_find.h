/* Finds a ticket by what people call it. */
#ifndef SLATED_SLATECTL_TICKET_FIND_H
#define SLATED_SLATECTL_TICKET_FIND_H

#include "db.h"

#define TICKET_ID_SIZE 24

/* `name` is an external id or, where there is no such, the number in sla.ticket, with or without "#"; `source` (NULL:
 * any) is the ticket system's. 0; or a negative errno after the reason went to standard error. */
int ticket_find(const struct db *db, const char *name, const char *source, char ret_id[static TICKET_ID_SIZE])
    __attribute__((warn_unused_result));

#endif
