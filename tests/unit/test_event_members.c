/* Lines of events: which are plain, and that both readers take the same from them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "event_members.h"

#define LENGTH(a) (sizeof(a) / sizeof *(a))

static void
expect_same(const char *line, const struct members *a, const struct members *b)
{
	cr_assert_eq(a->n, b->n, "%s", line);
	for (size_t i = 0; i < a->n; i++) {
		cr_expect_eq(a->at[i].kind, b->at[i].kind, "%s", line);
		cr_expect_eq(a->at[i].key_len, strlen(b->at[i].key), "%s", line);
		cr_expect_str_eq(a->at[i].key, b->at[i].key, "%s", line);
		if (a->at[i].kind == MEMBER_STRING)
			cr_expect_str_eq(a->at[i].text, b->at[i].text, "%s", line);
	}
}

Test(event_members, plain)
{
	static const char *const lines[] = {
	    "{}",
	    " { } \r\n",
	    "{\"at\": \"2026-03-02T09:00:00Z\", \"ticket\": \"T\", \"public\": true, \"text\": null}",
	    "\t{\"public\":false , \"a\" :\"b\"\n}",
	    "{\"text\": \"a \\\"quoted\\\" line\\nand \\\\ \\/ \\b\\f\\r\\t, no more\", \"x\": \"\"}",
	    "{\"Z\xc3\xbcrich\": \"\xe2\x82\xac \xf0\x9f\x98\x80 \x7f\"}",
	    "{\"attributes\": {\"licence\": \"enterprise\", \"seats\": null}, \"org\": \"o\"}",
	    "{\"attributes\": {}}",
	    "{\"attributes\": \"none\"}",
	    "{\"\": \"\"}",
	};
	struct event_members plain = {0}, any = {0};
	char problem[REFUSAL_SIZE];

	for (size_t i = 0; i < LENGTH(lines); i++) {
		cr_assert_eq(event_members_read_plain(&plain, lines[i], strlen(lines[i])), 0, "%s", lines[i]);
		cr_assert_eq(event_members_read_any(&any, lines[i], strlen(lines[i]), problem), 0, "%s", lines[i]);
		expect_same(lines[i], &plain.top, &any.top);
		expect_same(lines[i], &plain.attributes, &any.attributes);
	}
	event_members_clear(&plain);
	event_members_clear(&any);
}

Test(event_members, texts)
{
	static const char line[] = "{\"text\": \"\\u00fc \\n\", \"n\": 1.50, \"n\": 2, \"attributes\": {\"a\": [1]}}";
	static const char escaped[] = "{\"text\": \"one\\ntwo \\\"three\\\"\"}";
	struct event_members members = {0};
	char problem[REFUSAL_SIZE];

	cr_assert_eq(event_members_read(&members, escaped, strlen(escaped), problem), 0);
	cr_expect_str_eq(member_find(&members.top, "text")->text, "one\ntwo \"three\"");
	cr_assert_eq(event_members_read(&members, line, strlen(line), problem), 0);
	cr_expect_str_eq(member_find(&members.top, "text")->text, "\xc3\xbc \n");
	cr_expect_eq(json_integer_value(member_find(&members.top, "n")->json), 2);
	cr_expect_eq(member_find(&members.top, "attributes")->kind, MEMBER_ATTRIBUTES);
	cr_expect_eq(member_find(&members.attributes, "a")->kind, MEMBER_OTHER);
	cr_expect_null(member_find(&members.top, "tex"));
	cr_expect_null(member_find(&members.attributes, "text"));
	event_members_clear(&members);
}

/* Left to jansson, which takes some and says what is wrong with the others. */
Test(event_members, not_plain)
{
	static const struct {
		const char *line;
		int r;
	} rows[] = {
	    {"{\"a\": 1}", 0},
	    {"{\"a\": \"\\u00fc\"}", 0},
	    {"{\"a\": [\"b\"]}", 0},
	    {"{\"a\": {\"b\": \"c\"}}", 0},
	    {"{\"attributes\": {\"attributes\": {}}}", 0},
	    {"{\"a\": \"b\", \"a\": \"c\"}", 0},
	    {"[]", -EINVAL},
	    {"", -EINVAL},
	    {"\"a\"", -EINVAL},
	    {"{\"a\": \"b\"} x", -EINVAL},
	    {"{\"a\": \"b\"", -EINVAL},
	    {"{\"a\": \"b\\", -EINVAL},
	    {"{\"a\": \"b\\x\"}", -EINVAL},
	    {"{\"a\": \"b", -EINVAL},
	    {"{\"a\": \"\t\"}", -EINVAL},
	    {"{\"a\": \"\xc3\"}", -EINVAL},
	    {"{\"a\": \"\xed\xa0\x80\"}", -EINVAL},
	    {"{\"a\": \"b\",}", -EINVAL},
	    {"{,}", -EINVAL},
	    {"{\"a\" \"b\"}", -EINVAL},
	    {"{\"a\": tru}", -EINVAL},
	    {"{\"a\": truer}", -EINVAL},
	    {"{a: \"b\"}", -EINVAL},
	    {"{\"a\": }", -EINVAL},
	};
	struct event_members members = {0};
	char problem[REFUSAL_SIZE];

	for (size_t i = 0; i < LENGTH(rows); i++) {
		const char *line = rows[i].line;

		problem[0] = '\0';
		cr_expect_eq(event_members_read_plain(&members, line, strlen(line)), -ENOTSUP, "%s", line);
		cr_expect_eq(event_members_read(&members, line, strlen(line), problem), rows[i].r, "%s", line);
		cr_expect((rows[i].r == 0) == (problem[0] == '\0'), "%s: %s", line, problem);
	}
	cr_expect_eq(event_members_read_plain(&members, "{}\0", 3), -ENOTSUP, "a NUL after the line");
	event_members_clear(&members);
}
