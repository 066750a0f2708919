#include "slated/shards.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
shards_read(const char *text, struct shards *ret)
{
	unsigned n = 0;
	const char *rest = text + 1;
	if (*text != '{' || strlen(text) >= sizeof(ret->list))
		return false;
	while (*rest != '}') {
		char *end;
		unsigned long shard = strtoul(rest, &end, 10);
		if (end == rest || shard >= SHARDS || (*end != ',' && *end != '}'))
			return false;
		rest = *end == ',' ? end + 1 : end;
		n++;
	}
	(void)snprintf(ret->list, sizeof(ret->list), "%s", text);
	ret->n = n;
	return rest[1] == '\0';
}

const char *
shards_filter(const struct shards *shards)
{
	return shards->n == SHARDS ? NULL : shards->list;
}
