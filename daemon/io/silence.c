#include "slated/silence.h"

#include <stddef.h>
#include <string.h>

const char *const silence_keys[] = {
    "id",      "source",      "external_id", "org",      "plan", "severity", "status", "channel", "category",
    "product", "environment", "version",     "assignee", "team", "metric",   "policy", NULL,
};

bool
silence_key_is_known(const char *key)
{
	static const char custom[] = "attributes.";
	if (strncmp(key, custom, strlen(custom)) == 0)
		return key[strlen(custom)] != '\0';
	for (size_t i = 0; silence_keys[i] != NULL; i++)
		if (strcmp(silence_keys[i], key) == 0)
			return true;
	return false;
}
