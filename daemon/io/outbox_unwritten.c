#include "outbox_unwritten.h"

#include <stdlib.h>
#include <string.h>

#include "slated/pg_array.h"

bool
unwritten_is_empty(const struct unwritten *rows)
{
	return rows->next[0].len == 0 && rows->sent[0].len == 0;
}

/* Whether an array's text has that element, which has nothing in it that would have to be escaped. */
static bool
text_has(const struct text *array, const char *element)
{
	size_t len = strlen(element);
	const char *end = array->data + array->len;
	for (const char *at = array->data;
	     array->len > 0 && (at = memmem(at, (size_t)(end - at), element, len)) != NULL; at++)
		if (at[-1] == '"' && at + len < end && at[len] == '"')
			return true;
	return false;
}

bool
unwritten_has(const struct unwritten *rows, const char *key)
{
	return text_has(&rows->next[0], key) || text_has(&rows->sent[0], key);
}

void
unwritten_free(struct unwritten *rows)
{
	for (unsigned i = 0; i < UNWRITTEN_COLUMNS; i++) {
		free(rows->next[i].data);
		free(rows->sent[i].data);
	}
}

void
unwritten_take(struct unwritten *rows, unsigned n, const char **params)
{
	bool again = rows->sent[0].len > 0;
	for (unsigned i = 0; i < n; i++) {
		if (!again) {
			struct text next = rows->next[i];
			rows->next[i] = rows->sent[i];
			pg_array_end(&next);
			rows->sent[i] = next;
		}
		/* What became of its deliveries is known nowhere else. The next run sends them again, under the same
		 * keys; columns of different lengths would give them each other's outcomes. */
		if (rows->sent[i].failed)
			abort();
		params[i] = rows->sent[i].data;
	}
}

void
unwritten_clear(struct unwritten *rows)
{
	for (unsigned i = 0; i < UNWRITTEN_COLUMNS; i++) {
		text_empty(&rows->next[i]);
		text_empty(&rows->sent[i]);
	}
}

void
unwritten_forget_sent(struct unwritten *rows)
{
	for (unsigned i = 0; i < UNWRITTEN_COLUMNS; i++)
		text_empty(&rows->sent[i]);
}
