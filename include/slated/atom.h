/* Interned strings: each distinct text once, named by a small number, so that a ticket's facts are a few words. */
#ifndef SLATED_ATOM_H
#define SLATED_ATOM_H

#include <stddef.h>
#include <stdint.h>

struct atoms;

/* 0 stands for "no text". */
typedef uint32_t atom;

/* 0 or -ENOMEM. */
int atoms_new(struct atoms **ret) __attribute__((warn_unused_result));

/* Takes NULL. */
void atoms_free(struct atoms *atoms);

/* The number of `text` (`len` bytes, copied when new). NULL text gives 0. 0, -ENOMEM, -EOVERFLOW past 2^32 texts or
 * bytes. */
int atoms_intern(struct atoms *atoms, const char *text, size_t len, atom *ret) __attribute__((warn_unused_result));

/* The text of a number from this table, NULL for 0. Lives as long as the table. */
const char *atoms_text(const struct atoms *atoms, atom a);

#endif
