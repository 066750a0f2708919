/* PostgreSQL's binary values, and arrays as text. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "slated/pg_array.h"
#include "slated/pg_value.h"

#define BYTES(...) ((const char[]){__VA_ARGS__})

Test(pg_value, copy)
{
	static const char header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\2xx";
	static const char tuple[] = {0, 2, 0, 0, 0, 1, 'a', -1, -1, -1, -1, 'z'};
	struct pg_value values[2];
	cr_expect_eq(pg_copy_header(header, sizeof(header) - 1), 21, "the extension is passed over");
	cr_expect_eq(pg_copy_header(header, 20), -EBADMSG, "cut off in the extension");
	cr_expect_eq(pg_copy_header("PGCOPY\n\377\r\n\0\0\1\0\0\0\0\0\0", 19), -EBADMSG, "an unknown critical flag");
	cr_expect_eq(pg_copy_tuple(tuple, sizeof(tuple), values, 2), 11);
	cr_expect(values[0].len == 1 && values[0].data[0] == 'a' && values[1].data == NULL);
	cr_expect_eq(pg_copy_tuple(tuple, sizeof(tuple), values, 1), -EBADMSG, "another number of columns");
	for (size_t n = 0; n < 11; n++)
		cr_expect_eq(pg_copy_tuple(tuple, n, values, 2), -EBADMSG, "cut off at %zu", n);
	cr_expect_eq(pg_copy_tuple("\377\377", 2, values, 2), 0, "the trailer");
}

Test(pg_value, scalars)
{
	struct instant at;
	int64_t big;
	int32_t small;
	bool yes;
	cr_expect(pg_read_instant((struct pg_value){BYTES(0, 0, 0, 0, 0, 0, 0, 1), 8}, &at) == 0 &&
	          at.us == INT64_C(946684800000001));
	cr_expect_eq(pg_read_instant((struct pg_value){BYTES(127, -1, -1, -1, -1, -1, -1, -1), 8}, &at), -ERANGE,
	             "infinity");
	cr_expect_eq(pg_read_instant((struct pg_value){BYTES(-128, 0, 0, 0, 0, 0, 0, 0), 8}, &at), -ERANGE,
	             "-infinity");
	cr_expect(pg_read_int64((struct pg_value){BYTES(-1, -1, -1, -1, -1, -1, -1, -2), 8}, &big) == 0 && big == -2);
	cr_expect(pg_read_int32((struct pg_value){BYTES(0, 0, 1, 0), 4}, &small) == 0 && small == 256);
	cr_expect(pg_read_bool((struct pg_value){BYTES(1), 1}, &yes) == 0 && yes);
	cr_expect_eq(pg_read_int64((struct pg_value){NULL, 0}, &big), -EBADMSG, "NULL");
	cr_expect_eq(pg_read_int32((struct pg_value){BYTES(0, 0), 2}, &small), -EBADMSG, "too short");
}

Test(pg_value, arrays)
{
	static const char two[] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0,   0, 25, 0, 0, 0,
	                           2, 0, 0, 0, 1, 0, 0, 0, 1, 'a', 0, 0,  0, 0};
	static const char none[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25};
	struct pg_value values[2];
	cr_expect_eq(pg_read_array((struct pg_value){two, sizeof(two)}, values, 2), 2);
	cr_expect(values[0].len == 1 && values[1].len == 0);
	cr_expect_eq(pg_read_array((struct pg_value){two, sizeof(two)}, values, 1), -E2BIG);
	cr_expect_eq(pg_read_array((struct pg_value){two, sizeof(two) - 1}, values, 2), -EBADMSG);
	cr_expect_eq(pg_read_array((struct pg_value){none, sizeof(none)}, values, 2), 0);
}

Test(pg_array, text)
{
	struct text text = {0};
	pg_array_add(&text, "a\"b\\c");
	pg_array_add(&text, NULL);
	pg_array_add_number(&text, -7);
	pg_array_add(&text, "");
	pg_array_end(&text);
	cr_expect_str_eq(text.data, "{\"a\\\"b\\\\c\",NULL,-7,\"\"}");
	text.len = 0;
	pg_array_end(&text);
	cr_expect_str_eq(text.data, "{}");
	free(text.data);
}

Test(pg_column, binary)
{
	static const char three[] = {0, 0, 0, 1, 0, 0, 0, 1,   0,   0,  14, -38, 0,  0, 0, 3, 0, 0,
	                             0, 1, 0, 0, 0, 3, 1, '{', '}', -1, -1, -1,  -1, 0, 0, 0, 1, 1};
	struct pg_column column = {0};
	struct pg_value values[2];
	struct instant at;
	int64_t big;
	int32_t small;
	bool yes;
	pg_column_add_text(&column, PG_JSONB, "{}");
	pg_column_add_null(&column);
	pg_column_add_text(&column, PG_JSONB, "");
	pg_column_end(&column, PG_JSONB);
	cr_expect_arr_eq(column.bytes.data, three, sizeof(three));
	cr_expect_eq(column.bytes.len, sizeof(three));
	pg_column_clear(&column);
	pg_column_end(&column, PG_TEXT);
	cr_expect_eq(pg_read_array((struct pg_value){column.bytes.data, column.bytes.len}, values, 2), 0, "none");
	pg_column_clear(&column);
	pg_column_add_number(&column, PG_INT8, INT64_MIN);
	pg_column_add_number(&column, PG_INT4, -2);
	cr_assert_eq((pg_column_end(&column, PG_INT8),
	              pg_read_array((struct pg_value){column.bytes.data, column.bytes.len}, values, 2)),
	             2);
	cr_expect(pg_read_int64(values[0], &big) == 0 && big == INT64_MIN);
	cr_expect(pg_read_int32(values[1], &small) == 0 && small == -2);
	pg_column_clear(&column);
	pg_column_add_instant(&column, (struct instant){-1});
	pg_column_add_bool(&column, true);
	cr_assert_eq((pg_column_end(&column, PG_BOOL),
	              pg_read_array((struct pg_value){column.bytes.data, column.bytes.len}, values, 2)),
	             2);
	cr_expect(pg_read_instant(values[0], &at) == 0 && at.us == -1);
	cr_expect(pg_read_bool(values[1], &yes) == 0 && yes);
	free(column.bytes.data);
}

Test(pg_column, append)
{
	struct pg_column all = {0}, column = {0}, more = {0};
	for (int i = 0; i < 6; i++) {
		struct pg_column *part = i < 3 ? &column : &more;
		if (i == 1 || i == 4) {
			pg_column_add_null(part);
			pg_column_add_null(&all);
		} else {
			pg_column_add_number(part, PG_INT8, i);
			pg_column_add_number(&all, PG_INT8, i);
		}
	}
	pg_column_append(&column, &more);
	pg_column_end(&column, PG_INT8);
	pg_column_end(&all, PG_INT8);
	cr_expect(column.bytes.len == all.bytes.len && column.n == 6 && column.n_null == 2);
	cr_expect_arr_eq(column.bytes.data, all.bytes.data, all.bytes.len, "as if it had been one");
	pg_column_clear(&column);
	pg_column_append(&column, &more);
	cr_expect(column.n == 3 && column.bytes.len == more.bytes.len, "to an empty one");
	pg_column_clear(&more);
	pg_column_append(&column, &more);
	cr_expect(column.n == 3 && column.n_null == 1, "an empty one");
	more.bytes.failed = true;
	pg_column_append(&column, &more);
	cr_expect(column.bytes.failed, "one that lacked memory");
	free(column.bytes.data);
	free(more.bytes.data);
	free(all.bytes.data);
}

Test(pg_column, has_value)
{
	struct pg_column column = {0};
	cr_expect_not(pg_column_has_value(&column), "empty");
	pg_column_add_null(&column);
	pg_column_add_null(&column);
	cr_expect_not(pg_column_has_value(&column), "NULLs");
	pg_column_add_bool(&column, false);
	cr_expect(pg_column_has_value(&column), "a value among NULLs");
	pg_column_clear(&column);
	cr_expect_not(pg_column_has_value(&column), "empty again");
	free(column.bytes.data);
}
