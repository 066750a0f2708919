/* Deliveries, sent or not, as a table. */
#ifndef SLATED_SLATECTL_DELIVERY_ROWS_H
#define SLATED_SLATECTL_DELIVERY_ROWS_H

#include "slated/delivery_row.h"
#include "view.h"

/* The rows from `begin` on as a table; `named`: with the delivery's key and ticket. 0 or -ENOMEM. */
int delivery_rows_show(const struct view *view, const PGresult *rows, int begin, bool named)
    __attribute__((warn_unused_result));

#endif
