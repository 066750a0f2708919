/* Getting a new holiday feed, from a file or over HTTP. */
#ifndef SLATED_SLATECTL_HOLIDAYS_GET_H
#define SLATED_SLATECTL_HOLIDAYS_GET_H

#include <stddef.h>

/* Reads all of it; the caller frees *ret. 0, or a negative errno after the reason went to standard error. */
int holidays_get(const char *place, char **ret, size_t *ret_len) __attribute__((warn_unused_result));

#endif
