/* Stretches of time as a table: what counted, and why the rest did not. */
#ifndef SLATED_SLATECTL_STRETCH_TABLE_H
#define SLATED_SLATECTL_STRETCH_TABLE_H

#include "slated/stretches.h"

struct libscols_table;

/* NULL where memory ran out. */
struct libscols_table *stretch_table_new(void);

/* Adds a row; `what` is "counted" or the like, `why` takes the place of the stretch's own reasons unless it is NULL.
 * 0 or -ENOMEM. */
int stretch_table_add(struct libscols_table *table, const struct zone *zone, const struct stretch *stretch,
                      const char *what, const char *why) __attribute__((warn_unused_result));

#endif
