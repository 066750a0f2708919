#include "slated/pg_array.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void
begin_element(struct text *array)
{
	text_add(array, array->len == 0 ? "{" : ",", 1);
}

void
pg_array_add(struct text *array, const char *value)
{
	begin_element(array);
	if (value == NULL) {
		text_add_string(array, "NULL");
		return;
	}
	text_add(array, "\"", 1);
	for (;;) {
		size_t n = strcspn(value, "\"\\");
		text_add(array, value, n);
		if (value[n] == '\0')
			break;
		text_add(array, "\\", 1);
		text_add(array, value + n, 1);
		value += n + 1;
	}
	text_add(array, "\"", 1);
}

void
pg_array_add_number(struct text *array, int64_t value)
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%" PRId64, value);
	begin_element(array);
	text_add(array, digits, (size_t)n);
}

void
pg_array_end(struct text *array)
{
	text_add_string(array, array->len == 0 ? "{}" : "}");
}

/* Binary ----------------------------------------------------------------------------------------------------------- */

#define PG_EPOCH_US (INT64_C(946684800) * US_PER_S)

/* Dimensions, whether there are NULLs, type; then of the one dimension: elements, the number of the first. */
enum { HEAD_SIZE = 20, EMPTY_SIZE = 12 };

static void
write_u32(char *to, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		to[i] = (char)(value >> (24 - 8 * i));
}

static void
write_u64(char *to, uint64_t value)
{
	write_u32(to, (uint32_t)(value >> 32));
	write_u32(to + 4, (uint32_t)value);
}

static void
begin_value(struct pg_column *column, uint32_t len)
{
	static const char head[HEAD_SIZE];
	char size[4];
	if (column->n++ == 0)
		text_add(&column->bytes, head, sizeof(head));
	write_u32(size, len);
	text_add(&column->bytes, size, sizeof(size));
}

void
pg_column_add_null(struct pg_column *column)
{
	begin_value(column, UINT32_MAX);
	column->n_null++;
}

void
pg_column_add_text(struct pg_column *column, enum pg_type type, const char *value)
{
	size_t len = strlen(value);
	assert(type == PG_TEXT || type == PG_JSONB);
	begin_value(column, (uint32_t)len + (type == PG_JSONB));
	if (type == PG_JSONB)
		text_add(&column->bytes, "\1", 1); /* the version of its format */
	text_add(&column->bytes, value, len);
}

void
pg_column_add_number(struct pg_column *column, enum pg_type type, int64_t value)
{
	char bytes[8];
	unsigned size = type == PG_INT8 ? 8 : 4;
	assert(type == PG_INT8 || (type == PG_INT4 && value >= INT32_MIN && value <= INT32_MAX));
	write_u64(bytes, (uint64_t)value);
	begin_value(column, size);
	text_add(&column->bytes, bytes + 8 - size, size);
}

void
pg_column_add_bool(struct pg_column *column, bool value)
{
	begin_value(column, 1);
	text_add(&column->bytes, value ? "\1" : "\0", 1);
}

void
pg_column_add_instant(struct pg_column *column, struct instant value)
{
	char bytes[8];
	write_u64(bytes, (uint64_t)(value.us - PG_EPOCH_US));
	begin_value(column, sizeof(bytes));
	text_add(&column->bytes, bytes, sizeof(bytes));
}

void
pg_column_append(struct pg_column *column, const struct pg_column *more)
{
	size_t head = column->n == 0 ? 0 : HEAD_SIZE;
	column->bytes.failed |= more->bytes.failed;
	if (more->n == 0 || column->bytes.failed)
		return;
	text_add(&column->bytes, more->bytes.data + head, more->bytes.len - head);
	column->n += more->n;
	column->n_null += more->n_null;
}

bool
pg_column_has_value(const struct pg_column *column)
{
	return column->n > column->n_null;
}

void
pg_column_end(struct pg_column *column, enum pg_type type)
{
	char head[HEAD_SIZE] = {0};
	write_u32(head, column->n > 0);
	write_u32(head + 4, column->n_null > 0);
	write_u32(head + 8, type);
	write_u32(head + 12, column->n);
	write_u32(head + 16, 1);
	if (column->n == 0)
		text_add(&column->bytes, head, EMPTY_SIZE);
	else if (!column->bytes.failed)
		memcpy(column->bytes.data, head, sizeof(head));
}

void
pg_column_clear(struct pg_column *column)
{
	text_empty(&column->bytes);
	column->n = 0;
	column->n_null = 0;
}
