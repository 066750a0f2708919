/* Texts that others wrote: made fit for a line of a log or a column of the database. */
#ifndef SLATED_TEXT_H
#define SLATED_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the well-formed UTF-8 character (RFC 3629) at the head of `text`, or 0 where there is none. */
size_t text_utf8(const char *text, size_t len);

/* Makes `text` one line of well-formed UTF-8, in place: runs of white space and control characters become one blank
 * (none at the ends), bytes that are no UTF-8 become '?'. Adds a NUL: `text` has room for len + 1. Returns the length.
 */
size_t text_clean(char *text, size_t len);

/* Whether `text` is local@domain in ASCII without blanks, quotes, brackets and what else would end it in a mail's
 * header or a command (RFC 5321's Dot-string, section 4.1.2, without IP addresses). */
bool text_is_mail_address(const char *text);

/* What whoever asked is told where memory is out. */
extern const char text_no_memory[];

/* The text of a UUID of version 4 (RFC 9562, section 5.4) from 128 random bits. */
#define TEXT_UUID_SIZE 37
void text_uuid(const uint64_t random[static 2], char ret[static TEXT_UUID_SIZE]);

#endif
