/* The members of a line that is an event: a JSON object of texts, with at most one object in it, `attributes`.
 *
 * Nearly all lines are plain: texts, true, false, null, no number, no escape by number, no other object, no array.
 * Those are read by a reader of our own, in place and without a tree. All others, and whatever is wrong, are left to
 * jansson, which knows all of JSON and words what is wrong with a line. Both fill the same table. */
#ifndef SLATED_IO_EVENT_MEMBERS_H
#define SLATED_IO_EVENT_MEMBERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "slated/refusal.h"

enum member_kind {
	MEMBER_NULL,
	MEMBER_FALSE,
	MEMBER_TRUE,
	MEMBER_STRING,
	MEMBER_ATTRIBUTES, /* the object of that name */
	MEMBER_OTHER,
};

struct member {
	const char *key;
	size_t key_len;
	const char *text;   /* MEMBER_STRING */
	const json_t *json; /* MEMBER_OTHER */
	enum member_kind kind;
};

struct members {
	struct member *at;
	size_t n;
	size_t room;
};

/* Zeroed before the first line. Texts live until the next one. */
struct event_members {
	struct members top;
	struct members attributes; /* of MEMBER_ATTRIBUTES */
	char *bytes;
	size_t room;
	json_t *json;
};

/* Reads a line. 0; -EINVAL with what is wrong in `problem`; -ENOMEM. */
int event_members_read(struct event_members *members, const char *text, size_t len, char problem[static REFUSAL_SIZE])
    __attribute__((warn_unused_result));

/* The same for plain lines alone: -ENOTSUP for others. */
int event_members_read_plain(struct event_members *members, const char *text, size_t len)
    __attribute__((warn_unused_result));

/* The same by jansson alone. */
int event_members_read_any(struct event_members *members, const char *text, size_t len,
                           char problem[static REFUSAL_SIZE]) __attribute__((warn_unused_result));

/* The member of that name, or NULL. */
const struct member *member_find(const struct members *members, const char *key);

void event_members_clear(struct event_members *members);

#endif
