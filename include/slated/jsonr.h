/* JSON that others wrote: read by jansson, and told apart from what could not be read for want of memory. */
#ifndef SLATED_JSONR_H
#define SLATED_JSONR_H

#include <jansson.h>
#include <stddef.h>

/* Reads one value; `flags` are json_loadb()'s. The caller has the reference. 0, -EINVAL where the text is no JSON,
 * -ENOMEM. */
int jsonr_read(const char *text, size_t len, size_t flags, json_t **ret) __attribute__((warn_unused_result));

#endif
