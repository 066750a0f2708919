/* The feeds within the source text that a configuration keeps; config.c has its form. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "slated/config.h"
#include "slated/render.h"

static const char head[] = "@file feed ";

bool
config_feed(const struct config *config, size_t i, struct config_feed *ret)
{
	const char *at = config->source;

	while (*at != '\0') {
		const char *end = strchr(at, '\n');
		const char *size = strchr(at + strlen("@file "), ' ');
		char *name;
		assert(end != NULL && size != NULL && size < end); /* it is our own text */
		size_t len = strtoul(size + 1, &name, 10);
		if (strncmp(at, head, strlen(head)) == 0 && i-- == 0) {
			*ret = (struct config_feed){name + 1, (size_t)(end - name - 1), end + 1, len};
			return true;
		}
		at = end + 1 + len + 1;
	}
	return false;
}

int
config_replace_feed(const struct config *config, const struct config_feed *feed, const char *text, size_t len,
                    char **ret, size_t *ret_len)
{
	size_t before = (size_t)(feed->text - config->source);
	struct text source = {0};

	/* Up to the head of the feed's own. */
	before -= 1;
	while (before > 0 && config->source[before - 1] != '\n')
		before--;
	text_add(&source, config->source, before);
	text_add_format(&source, "%s%zu %.*s\n", head, len, (int)feed->name_len, feed->name);
	text_add(&source, text, len);
	text_add_string(&source, feed->text + feed->len);
	if (source.failed) {
		free(source.data);
		return -ENOMEM;
	}
	*ret = source.data;
	*ret_len = source.len;
	return 0;
}
