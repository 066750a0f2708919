#include "values.h"

#include <stdlib.h>
#include <string.h>

#include "slated/pg_array.h"
#include "slated/pg_value.h"

#define PG_EPOCH_US (INT64_C(946684800) * US_PER_S)

const char **
values_split(struct world *world, const char *text, size_t *ret_n)
{
	size_t n = 0, room = 16;
	const char **items = world_must(calloc(room, sizeof(items[0])));
	char *word = world_must(malloc(text == NULL ? 1 : strlen(text) + 1));
	const char *c = text == NULL ? "{}" : text;
	if (*c++ != '{')
		abort();
	while (*c != '}') {
		size_t len = 0;
		bool quoted = *c == '"';
		for (c += quoted; quoted ? *c != '"' : *c != ',' && *c != '}'; c++) {
			if (*c == '\\')
				c++;
			word[len++] = *c;
		}
		c += quoted;
		if (n == room) {
			room *= 2;
			items = world_must(realloc(items, room * sizeof(items[0])));
		}
		bool null = !quoted && len == 4 && memcmp(word, "NULL", 4) == 0;
		items[n++] = null ? NULL : world_keep(world, word, len);
		c += *c == ',';
	}
	free(word);
	*ret_n = n;
	return items;
}

static void
add_value(struct text *text, enum pg_type type, struct pg_value value)
{
	char digits[INSTANT_TEXT_SIZE];
	struct instant at;
	int64_t wide = 0;
	int32_t narrow = 0;
	bool yes = false;
	int r = 0;
	switch (type) {
	case PG_TEXT:
	case PG_JSONB: {
		bool json = type == PG_JSONB;
		char *kept = world_must(strndup(value.data + json, value.len - json));
		pg_array_add(text, kept);
		free(kept);
		break;
	}
	case PG_BOOL:
		r = pg_read_bool(value, &yes);
		pg_array_add(text, yes ? "t" : "f");
		break;
	case PG_INT8:
		r = pg_read_int64(value, &wide);
		pg_array_add_number(text, wide);
		break;
	case PG_INT4:
		r = pg_read_int32(value, &narrow);
		pg_array_add_number(text, narrow);
		break;
	case PG_TIMESTAMPTZ:
		r = pg_read_instant(value, &at);
		if (r == 0)
			(void)instant_format(at, digits);
		pg_array_add(text, digits);
		break;
	}
	if (r < 0)
		abort();
}

char *
values_text(const char *bytes, int len)
{
	size_t max = (size_t)len / 4; /* each has its length, at the least */
	struct text text = {0};
	struct pg_value *values = world_must(calloc(max, sizeof(values[0])));
	int n = pg_read_array((struct pg_value){bytes, (size_t)len}, values, max);
	int32_t type;
	if (n < 0 || pg_read_int32((struct pg_value){bytes + 8, 4}, &type) < 0)
		abort();
	for (int i = 0; i < n; i++) {
		if (values[i].data == NULL)
			pg_array_add(&text, NULL);
		else
			add_value(&text, (enum pg_type)type, values[i]);
	}
	pg_array_end(&text);
	if (text.failed)
		abort();
	free(values);
	return text.data;
}

/* Rows ---------------------------------------------------------------------------------------------------------------
 */

static void
write_u32(char *to, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		to[i] = (char)(value >> (24 - 8 * i));
}

static char *
row_room(struct row *row, size_t len)
{
	if (row->used + len > ROW_BYTES)
		abort();
	char *room = row->bytes + row->used;
	row->used += len;
	return room;
}

static void
row_put(struct row *row, const char *data, size_t len)
{
	if (row->n == ROW_MAX)
		abort();
	row->data[row->n] = data;
	row->len[row->n++] = (int)len;
}

void
row_clear(struct row *row)
{
	row->used = row->n = 0;
}

void
row_add_null(struct row *row)
{
	row_put(row, NULL, 0);
}

void
row_add_int64(struct row *row, int64_t value)
{
	char *to = row_room(row, 8);
	write_u32(to, (uint32_t)((uint64_t)value >> 32));
	write_u32(to + 4, (uint32_t)value);
	row_put(row, to, 8);
}

void
row_add_int32(struct row *row, int32_t value)
{
	char *to = row_room(row, 4);
	write_u32(to, (uint32_t)value);
	row_put(row, to, 4);
}

void
row_add_bool(struct row *row, bool value)
{
	char *to = row_room(row, 1);
	*to = value;
	row_put(row, to, 1);
}

void
row_add_text(struct row *row, const char *value)
{
	row_put(row, value, value == NULL ? 0 : strlen(value));
}

void
row_add_instant(struct row *row, struct instant at)
{
	if (instant_equal(at, INSTANT_NEVER))
		row_add_null(row);
	else
		row_add_int64(row, at.us - PG_EPOCH_US);
}

void
row_add_number_text(struct row *row, const char *value, bool wide)
{
	if (value == NULL)
		row_add_null(row);
	else if (wide)
		row_add_int64(row, strtoll(value, NULL, 10));
	else
		row_add_int32(row, (int32_t)strtol(value, NULL, 10));
}

static struct instant
read_instant(const char *text)
{
	struct instant at;
	if (instant_parse(text, strlen(text), &at) < 0)
		abort();
	return at;
}

void
row_add_instant_text(struct row *row, const char *value)
{
	row_add_instant(row, value == NULL ? INSTANT_NEVER : read_instant(value));
}

void
row_add_array_text(struct row *row, struct world *world, const char *value, bool instants)
{
	size_t n;
	if (value == NULL) {
		row_add_null(row);
		return;
	}
	const char **items = values_split(world, value, &n);
	size_t begin = row->used;
	char *head = row_room(row, n == 0 ? 12 : 20);
	write_u32(head, n > 0);
	write_u32(head + 4, 0);
	write_u32(head + 8, instants ? PG_TIMESTAMPTZ : PG_TEXT);
	if (n > 0) {
		write_u32(head + 12, (uint32_t)n);
		write_u32(head + 16, 1);
	}
	for (size_t i = 0; i < n; i++) {
		size_t len = instants ? 8 : strlen(items[i]);
		char *to = row_room(row, 4 + len);
		write_u32(to, (uint32_t)len);
		if (instants) {
			int64_t us = read_instant(items[i]).us - PG_EPOCH_US;
			write_u32(to + 4, (uint32_t)((uint64_t)us >> 32));
			write_u32(to + 8, (uint32_t)us);
		} else {
			memcpy(to + 4, items[i], len);
		}
	}
	free(items);
	row_put(row, row->bytes + begin, row->used - begin);
}

/* Results ------------------------------------------------------------------------------------------------------------
 */

PGresult *
result_new(unsigned columns)
{
	static char name[] = "c";
	PGresAttDesc attributes[ROW_MAX];
	memset(attributes, 0, sizeof(attributes));
	for (unsigned i = 0; i < columns; i++)
		attributes[i].name = name;
	PGresult *result = world_must(PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK));
	if (!PQsetResultAttrs(result, (int)columns, attributes))
		abort();
	return result;
}

static void
result_put(PGresult *result, int row, unsigned column, const char *value, int len)
{
	char *text = value == NULL ? NULL : (char *)(uintptr_t)value; /* libpq copies it, but for its types */
	if (!PQsetvalue(result, row, (int)column, text, value == NULL ? -1 : len))
		abort();
}

void
result_add(PGresult *result, const struct row *row)
{
	int n = PQntuples(result);
	for (unsigned i = 0; i < row->n; i++)
		result_put(result, n, i, row->data[i], row->len[i]);
}

PGresult *
result_part(const PGresult *whole, int first, int n)
{
	PGresult *part = world_must(PQcopyResult(whole, PG_COPYRES_ATTRS));
	for (int row = 0; row < n; row++)
		for (int i = 0; i < PQnfields(whole); i++)
			result_put(part, row, (unsigned)i,
			           PQgetisnull(whole, first + row, i) ? NULL : PQgetvalue(whole, first + row, i),
			           PQgetlength(whole, first + row, i));
	return part;
}

PGresult *
result_of_texts(const char *const *texts, unsigned n)
{
	PGresult *result = result_new(n);
	for (unsigned i = 0; i < n; i++)
		result_put(result, 0, i, texts[i], texts[i] == NULL ? 0 : (int)strlen(texts[i]));
	return result;
}

/* COPY ---------------------------------------------------------------------------------------------------------------
 */

static char *
copy_message(struct db_answer *answer, size_t len)
{
	answer->copy = world_must(realloc(answer->copy, (answer->n_copy + 1) * sizeof(answer->copy[0])));
	struct db_copy *message = &answer->copy[answer->n_copy++];
	*message = (struct db_copy){world_must(calloc(1, len)), len};
	return message->data;
}

void
copy_begin(struct db_answer *answer)
{
	memcpy(copy_message(answer, 19), "PGCOPY\n\377\r\n\0", 11);
}

void
copy_add(struct db_answer *answer, const struct row *row)
{
	size_t len = 2;
	for (unsigned i = 0; i < row->n; i++)
		len += 4 + (size_t)row->len[i];
	char *to = copy_message(answer, len);
	to[1] = (char)row->n;
	to += 2;
	for (unsigned i = 0; i < row->n; i++) {
		write_u32(to, row->data[i] == NULL ? UINT32_MAX : (uint32_t)row->len[i]);
		if (row->len[i] > 0)
			memcpy(to + 4, row->data[i], (size_t)row->len[i]);
		to += 4 + row->len[i];
	}
}

void
copy_end(struct db_answer *answer)
{
	memcpy(copy_message(answer, 2), "\377\377", 2);
}

void
db_answer_clear(struct db_answer *answer)
{
	for (unsigned i = 0; i < answer->n_results; i++)
		PQclear(answer->results[i]);
	for (size_t i = 0; i < answer->n_copy; i++)
		free(answer->copy[i].data);
	free(answer->copy);
	*answer = (struct db_answer){0};
}
