#include "mime.h"
#include "slated/text.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_WANTED 76 /* RFC 2045 section 6.7 (5), RFC 2047 section 2 */
#define WORD_BYTES_MAX  45 /* 60 characters of base64, 72 with what stands around them: at most 75 are allowed */
#define WORD_HEAD       "=?UTF-8?B?"

/* Whether it can stand in a header as it is, and be folded at its blanks. */
static bool
is_plain(const char *value)
{
	size_t word = 0;
	for (const char *c = value; *c; c++) {
		if (*c < ' ' || *c > '~' || strncmp(c, "=?", 2) == 0)
			return false;
		word = *c == ' ' ? 0 : word + 1;
		if (word >= LINE_MAX_WANTED - 1)
			return false;
	}
	return true;
}

static void
add_folded(struct text *text, size_t column, const char *value)
{
	while (*value) {
		size_t blank = strspn(value, " "), n = blank + strcspn(value + blank, " ");
		if (blank > 0 && column + n > LINE_MAX_WANTED && value[blank]) {
			text_add_string(text, "\r\n");
			column = 0;
		}
		text_add(text, value, n);
		column += n;
		value += n;
	}
}

/* No character is cut in two (RFC 2047, section 5). */
static void
add_encoded(struct text *text, size_t column, const char *value)
{
	size_t left = strlen(value), room = LINE_MAX_WANTED - strlen(WORD_HEAD "?=");
	room = column < room ? (room - column) / 4 * 3 : 0;
	if (room > WORD_BYTES_MAX)
		room = WORD_BYTES_MAX;
	for (bool first = true; left > 0; first = false, room = WORD_BYTES_MAX) {
		unsigned char base64[WORD_BYTES_MAX / 3 * 4 + 1];
		size_t n = 0, step;
		while (n < left && (step = text_utf8(value + n, left - n), n + (step ? step : 1) <= room))
			n += step ? step : 1;
		if (!first || n == 0)
			text_add_string(text, "\r\n ");
		if (n == 0)
			continue;
		int len = EVP_EncodeBlock(base64, (const unsigned char *)value, (int)n);
		text_add_string(text, WORD_HEAD);
		text_add(text, (const char *)base64, (size_t)len);
		text_add_string(text, "?=");
		value += n;
		left -= n;
	}
}

void
mime_add_header(struct text *text, const char *name, const char *value)
{
	text_add_string(text, name);
	text_add_string(text, ": ");
	if (is_plain(value))
		add_folded(text, strlen(name) + 2, value);
	else
		add_encoded(text, strlen(name) + 2, value);
	text_add_string(text, "\r\n");
}

void
mime_add_addresses(struct text *text, const char *name, const char *const *addresses, size_t n)
{
	text_add_string(text, name);
	text_add_string(text, ":");
	for (size_t i = 0; i < n; i++) {
		text_add_string(text, i > 0 ? ",\r\n " : " ");
		text_add_string(text, addresses[i]);
	}
	text_add_string(text, "\r\n");
}

void
mime_add_date(struct text *text, const char *name, struct instant at)
{
	static const char days[] = "MonTueWedThuFriSatSun", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct wall utc = {at.us};
	struct date date = date_of_wall(utc);
	int year, month, day, second = (int)((utc.us - date_begin(date).us) / US_PER_S);
	date_to_civil(date, &year, &month, &day);
	char line[96];
	(void)snprintf(line, sizeof(line), "%s: %.3s, %d %.3s %04d %02d:%02d:%02d +0000\r\n", name,
	               days + 3 * date_weekday(date), day, months + 3 * (month - 1), year, second / 3600,
	               second / 60 % 60, second % 60);
	text_add_string(text, line);
}

void
mime_add_quoted_printable(struct text *text, const char *body)
{
	size_t column = 0;
	for (const char *c = body; *c; c++) {
		if (*c == '\n') {
			text_add_string(text, "\r\n");
			column = 0;
			continue;
		}
		bool ends_line = c[1] == '\n' || c[1] == '\0';
		bool plain = *c >= ' ' && *c <= '~' && *c != '=' && !(*c == ' ' && ends_line);
		char code[4];
		size_t n = plain ? 1 : 3;
		(void)snprintf(code, sizeof(code), plain ? "%c" : "=%02X", (unsigned char)*c);
		/* One column is left for the "=" of a soft line break. */
		if (column + n > LINE_MAX_WANTED - 1) {
			text_add_string(text, "=\r\n");
			column = 0;
		}
		text_add(text, code, n);
		column += n;
	}
}

void
mime_add_id(struct text *text, const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+=";
	for (; *word; word++) {
		char code[4];
		bool keep = strchr(plain, *word);
		(void)snprintf(code, sizeof(code), keep ? "%c" : "%%%02X", (unsigned char)*word);
		text_add_string(text, code);
	}
}
