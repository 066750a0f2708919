#include "slated/pg_array.h"

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
