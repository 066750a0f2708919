#include "slated/log.h"
#include "slated/text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Process-wide, as standard error is. */
static enum log_level highest = LOG_LEVEL_INFO;
static log_sink *other_sink;
/* Lines that have gathered: no more than are written in one piece, whoever else writes to a pipe. */
static bool gathers;
static char gathered[PIPE_BUF];
static size_t n_gathered;

/* A line that grows; `len` stays below the size by what the cut-off mark needs. */
struct line {
	char *text;
	size_t len;
	bool cut;
};

static const char cut_mark[] = "...\n";

static size_t
line_room(const struct line *line)
{
	return LOG_LINE_SIZE - (sizeof(cut_mark) - 1) - line->len;
}

static void
line_add(struct line *line, const char *text, size_t len)
{
	if (line->cut)
		return;
	if (len > line_room(line)) {
		line->cut = true;
		return;
	}
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void __attribute__((format(printf, 2, 3))) line_print(struct line *line, const char *format, ...)
{
	char piece[64];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(piece, sizeof(piece), format, args);
	va_end(args);
	if (n > 0)
		line_add(line, piece, (size_t)n < sizeof(piece) ? (size_t)n : sizeof(piece) - 1);
}

/* How many bytes stand for themselves. */
static size_t
count_plain(const char *text, size_t len, bool quoted)
{
	size_t n = 0;
	while (n < len && text[n] >= ' ' && text[n] < 0x7f && !(quoted && (text[n] == '"' || text[n] == '\\')))
		n++;
	return n;
}

/* Adds `text` with control characters, bytes that are no UTF-8 and, within quotes, what quotes need escaped. */
static void
line_add_escaped(struct line *line, const char *text, bool quoted)
{
	for (size_t len = strlen(text); len > 0;) {
		size_t plain = count_plain(text, len, quoted), room = line_room(line);
		line_add(line, text, plain < room ? plain : room);
		line->cut |= plain > room;
		text += plain;
		len -= plain;
		if (len == 0)
			break;
		size_t n = text_utf8(text, len);
		unsigned char c = (unsigned char)*text;
		if (c == '\n')
			line_add(line, "\\n", 2);
		else if (n == 0 || c < ' ' || c == 0x7f)
			line_print(line, "\\x%02x", c);
		else if (quoted && (c == '"' || c == '\\'))
			line_print(line, "\\%c", c);
		else
			line_add(line, text, n);
		text += n ? n : 1;
		len -= n ? n : 1;
	}
}

static void
line_add_text(struct line *line, const char *text)
{
	bool quoted = *text == '\0';
	for (const char *t = text; *t && !quoted; t++)
		quoted = (unsigned char)*t <= ' ' || *t == '"' || *t == '=' || *t == '\\' || *t == 0x7f;
	if (quoted)
		line_add(line, "\"", 1);
	line_add_escaped(line, text, quoted);
	if (quoted)
		line_add(line, "\"", 1);
}

static void
line_add_value(struct line *line, const struct log_field *field)
{
	char at[INSTANT_TEXT_SIZE];
	int64_t number = field->kind == LOG_FIELD_TEXT ? 0 : field->value.number;
	uint64_t size = number < 0 ? -(uint64_t)number : (uint64_t)number;
	switch (field->kind) {
	case LOG_FIELD_TEXT:
		line_add_text(line, field->value.text);
		break;
	case LOG_FIELD_NUMBER:
		line_print(line, "%" PRId64, number);
		break;
	case LOG_FIELD_INSTANT:
		if (instant_equal((struct instant){number}, INSTANT_NEVER))
			line_add(line, "never", 5);
		else
			line_add(line, at, instant_format((struct instant){number}, at));
		break;
	case LOG_FIELD_DURATION:
		line_print(line, "%s%" PRIu64 ".%06" PRIu64, number < 0 ? "-" : "", size / US_PER_S, size % US_PER_S);
		break;
	case LOG_FIELD_ERROR:
		line_add_text(line, strerror((int)(number < 0 ? -number : number)));
		break;
	}
}

size_t
log_format_value(char text[static LOG_LINE_SIZE], const struct log_field *field)
{
	struct line line = {.text = text};
	if (field->kind == LOG_FIELD_TEXT)
		line_add(&line, field->value.text, strnlen(field->value.text, LOG_LINE_SIZE - sizeof(cut_mark)));
	else if (field->kind == LOG_FIELD_ERROR)
		line_print(&line, "%s", strerror(abs((int)field->value.number)));
	else
		line_add_value(&line, field);
	return line.len;
}

size_t
log_format(char text[static LOG_LINE_SIZE], enum log_level level, bool priority, const char *message,
           const struct log_field *fields)
{
	struct line line = {.text = text};
	if (priority)
		line_print(&line, "<%d>", (int)level);
	line_add_escaped(&line, message, false);
	for (; fields->key; fields++) {
		if (fields->kind == LOG_FIELD_TEXT && !fields->value.text)
			continue;
		line_add(&line, " ", 1);
		line_add(&line, fields->key, strlen(fields->key));
		line_add(&line, "=", 1);
		line_add_value(&line, fields);
	}
	const char *end = line.cut ? cut_mark : "\n";
	memcpy(text + line.len, end, strlen(end));
	return line.len + strlen(end);
}

bool
log_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	char ours[64];
	(void)snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, ours) == 0;
}

void
log_set_level(enum log_level level)
{
	highest = level;
}

void
log_set_sink(log_sink *sink)
{
	other_sink = sink;
}

static void
write_out(const char *text, size_t len)
{
	ssize_t written;
	do
		written = write(STDERR_FILENO, text, len);
	while (written < 0 && errno == EINTR);
	/* There is nowhere left to report that the log cannot be written. */
}

void
log_flush(void)
{
	int saved = errno;
	if (n_gathered > 0)
		write_out(gathered, n_gathered);
	n_gathered = 0;
	errno = saved;
}

void
log_gather(bool on)
{
	gathers = on;
	log_flush();
}

void
log_write(enum log_level level, const char *message, const struct log_field *fields)
{
	if (level > highest)
		return;
	int saved = errno;
	if (other_sink != NULL && other_sink(level, message, fields)) {
		errno = saved;
		return;
	}
	char line[LOG_LINE_SIZE];
	size_t len = log_format(line, level, log_is_journal(), message, fields);
	if (!gathers || level <= LOG_LEVEL_WARNING || n_gathered + len > sizeof(gathered))
		log_flush();
	if (gathers && level > LOG_LEVEL_WARNING) {
		memcpy(gathered + n_gathered, line, len);
		n_gathered += len;
	} else {
		write_out(line, len);
	}
	errno = saved;
}
