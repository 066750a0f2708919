/* JSON that others wrote: read by jansson, and told apart from what could not be read for want of memory. And a look
 * into what the database has found to be JSON. */
#ifndef SLATED_JSONR_H
#define SLATED_JSONR_H

#include <jansson.h>
#include <stddef.h>

/* Reads one value; `flags` are json_loadb()'s. The caller has the reference. 0, -EINVAL where the text is no JSON,
 * -ENOMEM. */
int jsonr_read(const char *text, size_t len, size_t flags, json_t **ret) __attribute__((warn_unused_result));

/* Where the value of an object's first member of that name begins, in a text that is known to be JSON. NULL where there
 * is no such member, or no object. Many times as fast as to read it all. */
const char *jsonr_member(const char *json, const char *key);

#endif
