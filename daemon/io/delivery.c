#include "slated/delivery.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const outcome_names[OUTCOME_COUNT] = {
    [OUTCOME_DELIVERED] = "delivered",
    [OUTCOME_RETRY] = "retry",
    [OUTCOME_DEAD] = "dead",
    [OUTCOME_SUPERSEDED] = "superseded",
};

/* Copies *text to *end, moves *end behind it and points *text at the copy. */
static void
text_move(const char **text, char **end)
{
	if (!*text)
		return;
	size_t size = strlen(*text) + 1;
	memcpy(*end, *text, size);
	*text = *end;
	*end += size;
}

int
delivery_copy(const struct delivery *delivery, struct delivery **ret)
{
	const char *const texts[] = {delivery->key,     delivery->external_id, delivery->metric, delivery->channel,
	                             delivery->address, delivery->kind,        delivery->payload};
	size_t size = sizeof(*delivery);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		size += texts[i] ? strlen(texts[i]) + 1 : 0;
	struct delivery *copy = malloc(size);
	if (!copy)
		return -ENOMEM;
	*copy = *delivery;
	char *end = (char *)(copy + 1);
	text_move(&copy->key, &end);
	text_move(&copy->external_id, &end);
	text_move(&copy->metric, &end);
	text_move(&copy->channel, &end);
	text_move(&copy->address, &end);
	text_move(&copy->kind, &end);
	text_move(&copy->payload, &end);
	*ret = copy;
	return 0;
}
