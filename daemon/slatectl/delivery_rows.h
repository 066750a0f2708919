/* A ticket's deliveries, those that wait and those that have ended, as slatectl show has them. */
#ifndef SLATED_SLATECTL_DELIVERY_ROWS_H
#define SLATED_SLATECTL_DELIVERY_ROWS_H

#include "db.h"
#include "jsonw.h"
#include "view.h"

/* Takes the ticket's id; the rows that the functions below read. */
extern const char delivery_rows_sql[];

/* Adds one row as an object to the array that is open. */
void delivery_rows_write(struct jsonw *json, const PGresult *rows, int row);

/* Prints them as a table. 0 or -ENOMEM. */
int delivery_rows_show(const struct view *view, const PGresult *rows) __attribute__((warn_unused_result));

#endif
