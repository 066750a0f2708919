#include "slated/log.h"
#include "slated/text.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))
#define FIELDS(...)                                                                                                    \
	{                                                                                                              \
		__VA_ARGS__,                                                                                           \
		{                                                                                                      \
			NULL                                                                                           \
		}                                                                                                      \
	}

Test(log, lines)
{
	const struct {
		const char *message;
		struct log_field fields[4];
		const char *line;
	} rows[] = {
	    {"started", {{NULL}}, "started\n"},
	    {"sent", FIELDS(log_text("channel", "pager"), log_number("attempts", -3)),
	     "sent channel=pager attempts=-3\n"},
	    {"sent", FIELDS(log_text("metric", NULL), log_number("n", 1)), "sent n=1\n"},
	    {"x", FIELDS(log_text("empty", "")), "x empty=\"\"\n"},
	    {"x", FIELDS(log_text("t", "two words")), "x t=\"two words\"\n"},
	    {"x", FIELDS(log_text("t", "a=b")), "x t=\"a=b\"\n"},
	    {"x", FIELDS(log_text("t", "say \"so\"\\")), "x t=\"say \\\"so\\\"\\\\\"\n"},
	    {"x", FIELDS(log_text("t", "a\nlevel=error")), "x t=\"a\\nlevel=error\"\n"},
	    {"x", FIELDS(log_text("t", "\x1b[31m\x7f")), "x t=\"\\x1b[31m\\x7f\"\n"},
	    {"x", FIELDS(log_text("t", "Grüße")), "x t=Grüße\n"},
	    {"x", FIELDS(log_text("t", "\xff\xc3")), "x t=\\xff\\xc3\n"},
	    {"two\nlines", {{NULL}}, "two\\nlines\n"},
	    {"x", FIELDS(log_instant("at", (struct instant){1500000})), "x at=1970-01-01T00:00:01.500000Z\n"},
	    {"x", FIELDS(log_instant("at", INSTANT_NEVER)), "x at=never\n"},
	    {"x", FIELDS(log_duration("lag", (struct duration){-1})), "x lag=-0.000001\n"},
	    {"x", FIELDS(log_duration("lag", (struct duration){90 * US_PER_S})), "x lag=90.000000\n"},
	    {"x", FIELDS(log_number("n", INT64_MIN)), "x n=-9223372036854775808\n"},
	    {"x", FIELDS(log_errno(-ENOENT)), "x error=\"No such file or directory\"\n"},
	};
	for (size_t i = 0; i < N(rows); i++) {
		char line[LOG_LINE_SIZE + 1] = "";
		size_t len = log_format(line, LOG_LEVEL_INFO, false, rows[i].message, rows[i].fields);
		line[len] = '\0';
		cr_expect_str_eq(line, rows[i].line);
	}
}

/* For the journal: as it is. */
Test(log, values)
{
	const struct {
		struct log_field field;
		const char *value;
	} rows[] = {
	    {log_text("t", "two \"words\"\n"), "two \"words\"\n"},
	    {log_text("t", ""), ""},
	    {log_number("n", -42), "-42"},
	    {log_instant("at", (struct instant){1500000}), "1970-01-01T00:00:01.500000Z"},
	    {log_duration("by", (struct duration){-1500000}), "-1.500000"},
	    {log_errno(-ENOENT), "No such file or directory"},
	};
	for (size_t i = 0; i < N(rows); i++) {
		char value[LOG_LINE_SIZE + 1];
		size_t len = log_format_value(value, &rows[i].field);
		value[len] = '\0';
		cr_expect_str_eq(value, rows[i].value);
	}
	char text[2 * LOG_LINE_SIZE], value[LOG_LINE_SIZE];
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	const struct log_field field = log_text("t", text);
	size_t len = log_format_value(value, &field);
	cr_expect(len > LOG_LINE_SIZE / 2 && len <= LOG_LINE_SIZE, "cut off at %zu", len);
}

static const char *taken;

static bool
take(enum log_level level, const char *message, const struct log_field *fields)
{
	taken = level == LOG_LEVEL_ERROR && fields[0].key == NULL ? message : NULL;
	return taken != NULL;
}

Test(log, sink)
{
	log_set_sink(take);
	log_error("lost");
	cr_expect_str_eq(taken, "lost");
	log_debug("not at this level");
	cr_expect_str_eq(taken, "lost");
}

/* What has been written to the pipe, without its lines' ends. */
static const char *
read_lines(int fd)
{
	static char text[256];
	ssize_t n = read(fd, text, sizeof(text) - 1);
	size_t len = n < 0 ? 0 : (size_t)n;
	text[len] = '\0';
	for (char *end; (end = strchr(text, '\n')) != NULL;)
		*end = ';';
	return text;
}

Test(log, gather)
{
	int fds[2];
	cr_assert_eq(pipe2(fds, O_NONBLOCK), 0);
	cr_assert_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	log_gather(true);
	log_info("one");
	log_info("two");
	cr_expect_str_eq(read_lines(fds[0]), "");
	log_flush();
	cr_expect_str_eq(read_lines(fds[0]), "one;two;");
	log_info("three");
	log_warning("four");
	cr_expect_str_eq(read_lines(fds[0]), "three;four;");
	log_info("five");
	log_gather(false);
	cr_expect_str_eq(read_lines(fds[0]), "five;");
	log_info("six");
	cr_expect_str_eq(read_lines(fds[0]), "six;");
}

Test(log, message_ids)
{
	const char *id = log_message_id("delivery given up");
	cr_assert_not_null(id);
	cr_expect_eq(strlen(id), 32);
	cr_expect_null(log_message_id("delivery delivered"));
}

Test(log, priority)
{
	char line[LOG_LINE_SIZE];
	const struct log_field none[] = {{NULL}};
	size_t len = log_format(line, LOG_LEVEL_ERROR, true, "lost", none);
	cr_expect(len == 8 && memcmp(line, "<3>lost\n", len) == 0);
}

Test(log, cut_off)
{
	char line[LOG_LINE_SIZE], text[2 * LOG_LINE_SIZE];
	memset(text, 'a', sizeof(text));
	for (size_t n = LOG_LINE_SIZE - 20; n < LOG_LINE_SIZE + 20; n++) {
		text[n] = '\0';
		const struct log_field fields[] = FIELDS(log_text("t", text));
		size_t len = log_format(line, LOG_LEVEL_INFO, true, "x", fields);
		bool whole = memcmp(line + len - 4, "...\n", 4) != 0;
		cr_expect_eq(whole, n + strlen("<6>x t=") <= LOG_LINE_SIZE - 4, "length %zu", n);
		cr_expect_eq(len, whole ? n + strlen("<6>x t=\n") : LOG_LINE_SIZE, "length %zu", n);
		cr_expect_eq(line[len - 1], '\n');
		text[n] = 'a';
	}
}

Test(text, utf8)
{
	static const struct {
		const char *text;
		size_t len, expect;
	} rows[] = {
	    {"", 0, 0},
	    {"", 1, 1},
	    {"a", 1, 1},
	    {"\xc3\xbc", 2, 2},
	    {"\xc3\xbc", 1, 0},
	    {"\xe2\x82\xac", 3, 3},
	    {"\xf0\x9f\x94\x94", 4, 4},
	    {"\xf0\x9f\x94", 3, 0},
	    {"\x80", 1, 0},
	    {"\xc0\x80", 2, 0},         /* overlong */
	    {"\xe0\x80\x80", 3, 0},     /* overlong */
	    {"\xed\xa0\x80", 3, 0},     /* a surrogate */
	    {"\xf4\x90\x80\x80", 4, 0}, /* above U+10FFFF */
	    {"\xe2\x28\xa1", 3, 0},
	    {"\xff", 1, 0},
	};
	for (size_t i = 0; i < N(rows); i++)
		cr_expect_eq(text_utf8(rows[i].text, rows[i].len), rows[i].expect, "row %zu", i);
}

Test(text, clean)
{
	static const struct {
		const char *given;
		size_t len;
		const char *expect;
	} rows[] = {
	    {"", 0, ""},        {" \t\n", 3, ""},        {"  a\r\n\tb \n", 9, "a b"},
	    {"a\0b", 3, "a b"}, {"\x1b[1m!", 5, "[1m!"}, {"x\xff\xc3\xbc\xc3", 5, "x?ü?"},
	};
	for (size_t i = 0; i < N(rows); i++) {
		char text[32];
		memcpy(text, rows[i].given, rows[i].len);
		size_t len = text_clean(text, rows[i].len);
		cr_expect_str_eq(text, rows[i].expect);
		cr_expect_eq(len, strlen(rows[i].expect));
	}
}
