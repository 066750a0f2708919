/* Values as the database sends and takes them: binary ones of any bytes are read or refused, and an array that is
 * written as text reads back as what went in. */
#include <inttypes.h>
#include <stdio.h>

#include "fuzz.h"
#include "input.h"
#include "slated/pg_array.h"
#include "slated/pg_value.h"
#include "slated/render.h"

#define ELEMENTS_MAX 8

static void
read_binary(struct pg_value value)
{
	struct pg_value elements[ELEMENTS_MAX];
	struct instant at;
	int64_t number;
	int32_t small;
	bool yes;
	if (pg_read_int64(value, &number) == 0)
		demand(value.len == 8);
	if (pg_read_int32(value, &small) == 0)
		demand(value.len == 4);
	if (pg_read_bool(value, &yes) == 0)
		demand(value.len == 1);
	if (pg_read_instant(value, &at) == 0)
		demand(at.us != INT64_MIN);
	int n = pg_read_array(value, elements, ELEMENTS_MAX);
	demand(n <= ELEMENTS_MAX);
	for (int i = 0; i < n; i++)
		demand(elements[i].data == NULL || (elements[i].data >= value.data &&
		                                    elements[i].data + elements[i].len <= value.data + value.len));
}

/* Reads one element of an array's text (PostgreSQL's manual, section 8.15.6) and compares it. Where it goes on. */
static const char *
compare_element(const char *p, const char *expected)
{
	if (expected == NULL) {
		demand(strncmp(p, "NULL", 4) == 0);
		return p + 4;
	}
	demand(*p++ == '"');
	for (; *p != '"'; p++) {
		p += *p == '\\';
		demand(*p != '\0' && *p == *expected++);
	}
	demand(*expected == '\0');
	return p + 1;
}

static void
write_texts(struct input input)
{
	char *elements[ELEMENTS_MAX] = {0};
	struct text array = {0};
	size_t n = 0;
	for (; n < ELEMENTS_MAX && input.left > 0; n++) {
		elements[n] = input.data[0] == 0xff ? NULL : input_text(&input, '\n');
		if (elements[n] == NULL)
			(void)input_byte(&input);
		pg_array_add(&array, elements[n]);
	}
	pg_array_end(&array);
	demand(!array.failed);
	const char *p = array.data;
	demand(*p++ == '{');
	for (size_t i = 0; i < n; i++) {
		p = compare_element(p, elements[i]);
		demand(*p++ == (i + 1 < n ? ',' : '}'));
	}
	demand(n > 0 || *p++ == '}');
	demand(*p == '\0');
	free(array.data);
	for (size_t i = 0; i < n; i++)
		free(elements[i]);
}

static void
write_numbers(const uint8_t *data, size_t size)
{
	struct text array = {0};
	int64_t number;
	const char *p;
	for (size_t at = 0; at + sizeof(number) <= size; at += sizeof(number)) {
		memcpy(&number, data + at, sizeof(number));
		pg_array_add_number(&array, number);
	}
	pg_array_end(&array);
	p = array.data;
	for (size_t at = 0; at + sizeof(number) <= size; at += sizeof(number)) {
		char *end;
		memcpy(&number, data + at, sizeof(number));
		demand(strtoll(p + 1, &end, 10) == number);
		p = end;
	}
	free(array.data);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_binary((struct pg_value){(const char *)data, size});
	read_binary((struct pg_value){NULL, 0});
	write_texts((struct input){data, size});
	write_numbers(data, size);
	return 0;
}
