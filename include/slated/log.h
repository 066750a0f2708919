/* The log: one line a happening, on standard error: a message in plain words, then key=value pairs (logfmt).
 *
 *	log_info("delivery sent", log_text("channel", name), log_number("attempts", n));
 *
 * No ticket text and no secret goes in. Under systemd a line begins with its priority, "<6>" (sd-daemon(3)), or it goes
 * to the journal with its pairs as fields. */
#ifndef SLATED_LOG_H
#define SLATED_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "slated/instant.h"

/* syslog(3)'s numbers. */
enum log_level {
	LOG_LEVEL_ERROR = 3,   /* something is not done that should be */
	LOG_LEVEL_WARNING = 4, /* somebody should look */
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

struct log_field {
	const char *key;
	enum { LOG_FIELD_TEXT, LOG_FIELD_NUMBER, LOG_FIELD_INSTANT, LOG_FIELD_DURATION, LOG_FIELD_ERROR } kind;
	union {
		const char *text;
		int64_t number;
	} value;
};

/* A text; NULL leaves the field out. Control characters and bytes that are no UTF-8 are escaped. */
static inline struct log_field
log_text(const char *key, const char *text)
{
	return (struct log_field){key, LOG_FIELD_TEXT, {.text = text}};
}

static inline struct log_field
log_number(const char *key, int64_t number)
{
	return (struct log_field){key, LOG_FIELD_NUMBER, {.number = number}};
}

/* RFC 3339; INSTANT_NEVER is "never". */
static inline struct log_field
log_instant(const char *key, struct instant at)
{
	return (struct log_field){key, LOG_FIELD_INSTANT, {.number = at.us}};
}

/* Seconds with six digits. */
static inline struct log_field
log_duration(const char *key, struct duration length)
{
	return (struct log_field){key, LOG_FIELD_DURATION, {.number = length.us}};
}

/* The text of a negative errno, under the key "error". */
static inline struct log_field
log_errno(int error)
{
	return (struct log_field){"error", LOG_FIELD_ERROR, {.number = error}};
}

#define log_at(level, message, ...) log_write((level), (message), (const struct log_field[]){__VA_ARGS__})
#define log_error(...)              log_at(LOG_LEVEL_ERROR, __VA_ARGS__, {NULL})
#define log_warning(...)            log_at(LOG_LEVEL_WARNING, __VA_ARGS__, {NULL})
#define log_info(...)               log_at(LOG_LEVEL_INFO, __VA_ARGS__, {NULL})
#define log_debug(...)              log_at(LOG_LEVEL_DEBUG, __VA_ARGS__, {NULL})

/* Writes no line above `level` from now on; LOG_LEVEL_INFO until then. */
void log_set_level(enum log_level level);

/* Writes one line, in one write(2) but for what log_gather() says; a longer one than LOG_LINE_SIZE is cut off and ends
 * in "...". `fields` ends with one whose key is NULL. Keeps errno. Called through the macros above. */
void log_write(enum log_level level, const char *message, const struct log_field *fields);

#define LOG_LINE_SIZE 4096

/* From now on lines of information wait for log_flush(), which writes them together, or for one that is graver. What
 * the journal takes does not wait. */
void log_gather(bool on);
void log_flush(void);

/* Whether standard error still is the journal's stream that systemd named, as systemd.exec(5) says to compare it. */
bool log_is_journal(void);

/* Takes a line in place of standard error; false: could not. */
typedef bool log_sink(enum log_level level, const char *message, const struct log_field *fields);
void log_set_sink(log_sink *sink);

/* From now on the journal gets each line with its pairs as fields, SLATED_TICKET and so on, and where an operator may
 * have to act, with a MESSAGE_ID of systemd/slated.catalog. Does nothing where standard error is not the journal. */
void log_use_journal(void);

/* The MESSAGE_ID that lines of that message have, or NULL. */
const char *log_message_id(const char *message);

/* The value as it is, without quotes and escapes, cut off to the size, without a NUL; returns its length. */
size_t log_format_value(char text[static LOG_LINE_SIZE], const struct log_field *field);

/* The line that log_write() writes, newline and all, without a NUL; returns its length. `priority` = with the prefix.
 */
size_t log_format(char line[static LOG_LINE_SIZE], enum log_level level, bool priority, const char *message,
                  const struct log_field *fields);

#endif
