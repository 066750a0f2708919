#include "event_members.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "slated/text.h"

/* A line with more is not plain: each name is compared with those before it. */
#define PLAIN_MAX 32

void
event_members_clear(struct event_members *members)
{
	json_decref(members->json);
	free(members->top.at);
	free(members->attributes.at);
	free(members->bytes);
}

static inline bool
member_is(const struct member *member, const char *key, size_t len)
{
	return member->key_len == len && memcmp(member->key, key, len) == 0;
}

static const struct member *
member_find_len(const struct members *members, const char *key, size_t len)
{
	for (size_t i = 0; i < members->n; i++)
		if (member_is(&members->at[i], key, len))
			return &members->at[i];
	return NULL;
}

const struct member *
member_find(const struct members *members, const char *key)
{
	return member_find_len(members, key, strlen(key));
}

/* A new one at the end, or NULL: out of memory. */
static struct member *
members_add(struct members *members)
{
	if (members->n == members->room) {
		size_t room = members->room * 2 + PLAIN_MAX;
		struct member *grown = realloc(members->at, room * sizeof(grown[0]));
		if (grown == NULL)
			return NULL;
		members->at = grown;
		members->room = room;
	}
	return &members->at[members->n++];
}

/* Plain lines ------------------------------------------------------------------------------------------------------ */

/* A copy of the line, with a NUL at its end; texts are written back into it where they are read, as none gets longer.
 */
struct cursor {
	char *at;
	const char *end;
};

static void
skip_blanks(struct cursor *cursor)
{
	while (*cursor->at == ' ' || *cursor->at == '\t' || *cursor->at == '\n' || *cursor->at == '\r')
		cursor->at++;
}

static bool
accept(struct cursor *cursor, char c)
{
	skip_blanks(cursor);
	if (*cursor->at != c)
		return false;
	cursor->at++;
	return true;
}

/* The character that a backslash and `c` stand for, or NUL where that is not plain. */
static char
unescape(char c)
{
	switch (c) {
	case '"':
	case '\\':
	case '/':
		return c;
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return '\0';
	}
}

/* Bytes of a text that stand for themselves. */
static inline bool
byte_is_simple(char c)
{
	return (unsigned char)c >= ' ' && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* One character of a text other than a simple one. False where it is not plain. */
static bool
read_special(struct cursor *cursor, char **out)
{
	if (*cursor->at == '\\') {
		char c = unescape(cursor->at[1]);
		if (c == '\0')
			return false;
		*(*out)++ = c;
		cursor->at += 2;
		return true;
	}
	if ((unsigned char)*cursor->at < 0x80)
		return false;
	size_t n = text_utf8(cursor->at, (size_t)(cursor->end - cursor->at));
	memmove(*out, cursor->at, n);
	*out += n;
	cursor->at += n;
	return n > 0;
}

/* A text in quotes, without them and with a NUL after it; *ret_len is its length. NULL where it is not plain. */
static const char *
read_text(struct cursor *cursor, size_t *ret_len)
{
	if (!accept(cursor, '"'))
		return NULL;
	char *text = cursor->at;
	while (byte_is_simple(*cursor->at))
		cursor->at++;
	char *out = cursor->at;
	while (*cursor->at != '"') {
		if (byte_is_simple(*cursor->at))
			*out++ = *cursor->at++;
		else if (!read_special(cursor, &out))
			return NULL;
	}
	cursor->at++;
	*out = '\0';
	*ret_len = (size_t)(out - text);
	return text;
}

static bool
read_word(struct cursor *cursor, const char *word, enum member_kind kind, struct member *member)
{
	size_t len = strlen(word);

	if (strncmp(cursor->at, word, len) != 0)
		return false;
	cursor->at += len;
	member->kind = kind;
	return true;
}

static int read_object(struct event_members *all, struct members *members, struct cursor *cursor);

static int
read_value(struct event_members *all, struct members *members, struct cursor *cursor, struct member *member)
{
	size_t len;

	skip_blanks(cursor);
	if (*cursor->at == '"') {
		member->kind = MEMBER_STRING;
		member->text = read_text(cursor, &len);
		return member->text != NULL ? 0 : -ENOTSUP;
	}
	if (*cursor->at == '{') {
		if (members != &all->top || !member_is(member, "attributes", strlen("attributes")))
			return -ENOTSUP;
		member->kind = MEMBER_ATTRIBUTES;
		return read_object(all, &all->attributes, cursor);
	}
	bool known = read_word(cursor, "true", MEMBER_TRUE, member) ||
	             read_word(cursor, "false", MEMBER_FALSE, member) || read_word(cursor, "null", MEMBER_NULL, member);
	return known ? 0 : -ENOTSUP;
}

/* jansson takes the last of several members of one name; a line with such is not plain. */
static int
read_member(struct event_members *all, struct members *members, struct cursor *cursor)
{
	size_t len;
	const char *key = read_text(cursor, &len);

	if (key == NULL || !accept(cursor, ':') || members->n == PLAIN_MAX ||
	    member_find_len(members, key, len) != NULL)
		return -ENOTSUP;
	struct member *member = members_add(members);
	if (member == NULL)
		return -ENOMEM;
	*member = (struct member){.key = key, .key_len = len};
	return read_value(all, members, cursor, member);
}

static int
read_object(struct event_members *all, struct members *members, struct cursor *cursor)
{
	if (!accept(cursor, '{'))
		return -ENOTSUP;
	if (accept(cursor, '}'))
		return 0;
	do {
		int r = read_member(all, members, cursor);
		if (r < 0)
			return r;
	} while (accept(cursor, ','));
	return accept(cursor, '}') ? 0 : -ENOTSUP;
}

static void
members_empty(struct event_members *members)
{
	json_decref(members->json);
	members->json = NULL;
	members->top.n = 0;
	members->attributes.n = 0;
}

int
event_members_read_plain(struct event_members *members, const char *text, size_t len)
{
	members_empty(members);
	if (len >= members->room) {
		char *grown = realloc(members->bytes, len + 1);
		if (grown == NULL)
			return -ENOMEM;
		members->bytes = grown;
		members->room = len + 1;
	}
	memcpy(members->bytes, text, len);
	members->bytes[len] = '\0';
	struct cursor cursor = {members->bytes, members->bytes + len};
	int r = read_object(members, &members->top, &cursor);
	if (r < 0)
		return r;
	skip_blanks(&cursor);
	return cursor.at == cursor.end ? 0 : -ENOTSUP;
}

/* All others ------------------------------------------------------------------------------------------------------- */

static struct member
member_of(const char *key, size_t key_len, const json_t *json)
{
	struct member member = {.key = key, .key_len = key_len, .json = json, .kind = MEMBER_OTHER};

	if (json_is_null(json))
		member.kind = MEMBER_NULL;
	else if (json_is_boolean(json))
		member.kind = json_is_true(json) ? MEMBER_TRUE : MEMBER_FALSE;
	else if (json_is_string(json))
		member.kind = MEMBER_STRING;
	member.text = json_string_value(json);
	return member;
}

static int
members_take(struct event_members *all, struct members *members, json_t *object)
{
	const char *key;
	json_t *json;
	json_object_foreach(object, key, json)
	{
		struct member *member = members_add(members);
		if (member == NULL)
			return -ENOMEM;
		*member = member_of(key, strlen(key), json);
		if (members != &all->top || strcmp(key, "attributes") != 0 || !json_is_object(json))
			continue;
		member->kind = MEMBER_ATTRIBUTES;
		int r = members_take(all, &all->attributes, json);
		if (r < 0)
			return r;
	}
	return 0;
}

int
event_members_read_any(struct event_members *members, const char *text, size_t len, char problem[static REFUSAL_SIZE])
{
	json_error_t error;

	members_empty(members);
	members->json = json_loadb(text, len, 0, &error);
	if (members->json == NULL)
		return refuse(-EINVAL, problem, "not JSON: %.100s (column %d)", error.text, error.column);
	if (!json_is_object(members->json))
		return refuse(-EINVAL, problem, "not a JSON object");
	return members_take(members, &members->top, members->json);
}

int
event_members_read(struct event_members *members, const char *text, size_t len, char problem[static REFUSAL_SIZE])
{
	int r = event_members_read_plain(members, text, len);

	return r == -ENOTSUP ? event_members_read_any(members, text, len, problem) : r;
}
