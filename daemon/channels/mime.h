/* The parts of a mail as RFC 5322, 2045 and 2047 want them; lines end in CRLF. */
#ifndef SLATED_MIME_H
#define SLATED_MIME_H

#include "slated/instant.h"
#include "slated/render.h"

/* Adds "Name: value", folded; where it is not plain ASCII, in encoded words (RFC 2047). `value` is one line of UTF-8;
 * a line break in it does not become one of the header. */
void mime_add_header(struct text *text, const char *name, const char *value);

/* Adds "Name: a@x.example,\r\n b@y.example". */
void mime_add_addresses(struct text *text, const char *name, const char *const *addresses, size_t n);

/* "Sat, 21 Nov 2026 09:00:00 +0000" */
void mime_add_date(struct text *text, const char *name, struct instant at);

/* Adds `body` as quoted-printable (RFC 2045, section 6.7); its "\n" become CRLF. */
void mime_add_quoted_printable(struct text *text, const char *body);

/* Adds `word` as the left half of a message id: what may not stand there is written as %XX. */
void mime_add_id(struct text *text, const char *word);

#endif
