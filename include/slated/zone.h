/* Time zones: a reader of TZif files (RFC 9636, versions 1 to 4, footer included) and fixed offsets.
 * Bytes in: this module opens no file. Immutable once made, so shareable. */
#ifndef SLATED_ZONE_H
#define SLATED_ZONE_H

#include "slated/instant.h"

struct zone;

/* Which of two instants a local time that exists twice stands for. */
enum zone_fold {
	ZONE_FIRST,
	ZONE_SECOND,
};

/* Makes a zone from the bytes of a TZif file. 0, -EINVAL for bytes that are no well-formed TZif, -ENOMEM. */
int zone_new_tzif(const char *name, const void *bytes, size_t n_bytes, struct zone **ret)
    __attribute__((warn_unused_result));

/* Makes a zone of one fixed offset from its name: "UTC", "UTC-08:00", "UTC+5", "UTC+05:45".
 * 0, -EINVAL where the name is no such offset (then it is an IANA name), -ENOMEM. */
int zone_new_fixed(const char *name, struct zone **ret) __attribute__((warn_unused_result));

/* Takes NULL. */
void zone_free(struct zone *zone);

/* As given when made; lives as long as the zone. */
const char *zone_name(const struct zone *zone);

/* Seconds east of UTC in force at `at`. */
int32_t zone_offset(const struct zone *zone, struct instant at);

/* The wall clock's reading at `at`. */
struct wall zone_wall(const struct zone *zone, struct instant at);

/* The instant at which the wall clock reads `wall`. A reading that does not exist (gap) gives the instant of the
 * transition; one that exists twice gives the first or the second as `fold` says. model.md section 2. */
struct instant zone_instant(const struct zone *zone, struct wall wall, enum zone_fold fold);

/* The first instant after `after` at which the offset changes, or INSTANT_NEVER. */
struct instant zone_next_change(const struct zone *zone, struct instant after);

#endif
