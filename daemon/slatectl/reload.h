/* What a configuration would do to the open clocks. */
#ifndef SLATED_SLATECTL_RELOAD_H
#define SLATED_SLATECTL_RELOAD_H

#include "db.h"
#include "view.h"

struct config;

/* Prints what stands in its way, or else how many clocks would move, with `lists` each of them. 0; -EINVAL where it
 * would be refused, or another negative errno, after the reason was printed. */
int reload_print(const char *name, struct db *db, const struct config *config, bool lists, enum view_color color)
    __attribute__((warn_unused_result));

/* The same as members of the object that is open. */
int reload_write(struct jsonw *json, struct db *db, const struct config *config, bool lists)
    __attribute__((warn_unused_result));

#endif
