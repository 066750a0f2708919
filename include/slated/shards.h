/* Which tickets are ours: shard = ticket_id % 256, and each daemon holds the leases of some. */
#ifndef SLATED_SHARDS_H
#define SLATED_SHARDS_H

#include <stdbool.h>

#define SHARDS 256

struct shards {
	unsigned n;
	char list[SHARDS * 4 + 3]; /* an array's text: "{0,17}" */
};

/* Reads an array's text, as the database writes one. False where it is none of shards. */
bool shards_read(const char *text, struct shards *ret);

/* The list for a query that is to be restricted to them, or NULL where they are all there are. */
const char *shards_filter(const struct shards *shards);

#endif
