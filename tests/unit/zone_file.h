/* Loads installed time zones for tests. */
#ifndef SLATED_TESTS_ZONE_FILE_H
#define SLATED_TESTS_ZONE_FILE_H

#include "slated/zone.h"

#include <stdio.h>
#include <stdlib.h>

/* A whole file; the caller frees it. NULL where it cannot be read. */
static inline unsigned char *
file_load(const char *path, size_t *ret_n)
{
	FILE *file = fopen(path, "rb");
	unsigned char *bytes = NULL;
	size_t n = 0;

	if (file == NULL)
		return NULL;
	for (size_t got = 1; got > 0; n += got) {
		bytes = realloc(bytes, n + 65536);
		if (bytes == NULL)
			abort();
		got = fread(bytes + n, 1, 65536, file);
	}
	(void)fclose(file); /* only read */
	*ret_n = n;
	return bytes;
}

static inline const char *
zone_folder(void)
{
	const char *folder = getenv("TZDIR");

	return folder != NULL ? folder : "/usr/share/zoneinfo";
}

/* The zone `name` of the system, or NULL. */
static inline struct zone *
zone_load(const char *name)
{
	char path[512];
	struct zone *zone = NULL;
	size_t n;

	(void)snprintf(path, sizeof path, "%s/%s", zone_folder(), name);
	unsigned char *bytes = file_load(path, &n);
	if (bytes != NULL && zone_new_tzif(name, bytes, n, &zone) < 0)
		zone = NULL;
	free(bytes);
	return zone;
}

#endif
