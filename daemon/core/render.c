#include "slated/render.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for `len` more bytes and a NUL. False: out of memory, now or before. */
static bool
text_reserve(struct text *text, size_t len)
{
	if (!text->failed && text->room - text->len < len + 1) {
		size_t room = text->room * 2 + len + 256;
		char *data = realloc(text->data, room);
		if (data == NULL) {
			text->failed = true;
			return false;
		}
		text->data = data;
		text->room = room;
	}
	return !text->failed;
}

void
text_empty(struct text *text)
{
	text->len = 0;
	text->failed = false;
}

void
text_add(struct text *text, const char *bytes, size_t len)
{
	if (!text_reserve(text, len))
		return;
	memcpy(text->data + text->len, bytes, len);
	text->len += len;
	text->data[text->len] = '\0';
}

void
text_add_format(struct text *text, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		text->failed = true;
	if (len < 0 || !text_reserve(text, (size_t)len))
		return;
	va_start(args, format);
	(void)vsnprintf(text->data + text->len, (size_t)len + 1, format, args);
	va_end(args);
	text->len += (size_t)len;
}

void
text_add_string(struct text *text, const char *string)
{
	text_add(text, string, strlen(string));
}

/* Length of the well-formed UTF-8 sequence at `p` (RFC 3629), or 0. */
static size_t
utf8_length(const unsigned char *p)
{
	static const struct {
		unsigned char lead_from, lead_to, second_from, second_to, length;
	} forms[] = {
	    {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (p[0] < forms[i].lead_from || p[0] > forms[i].lead_to)
			continue;
		if (forms[i].length > 1 && (p[1] < forms[i].second_from || p[1] > forms[i].second_to))
			return 0;
		for (size_t j = 2; j < forms[i].length; j++)
			if ((p[j] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

void
text_add_json(struct text *text, const char *string)
{
	if (string == NULL) {
		text_add_string(text, "null");
		return;
	}
	const unsigned char *p = (const unsigned char *)string;
	const unsigned char *plain = p;
	text_add(text, "\"", 1);
	while (*p != '\0') {
		size_t n = utf8_length(p);
		if (n > 0 && *p >= 0x20 && *p != '"' && *p != '\\') {
			p += n;
			continue;
		}
		char escape[8];
		text_add(text, (const char *)plain, (size_t)(p - plain));
		if (n == 0)
			(void)snprintf(escape, sizeof(escape), "\\ufffd");
		else if (*p < 0x20)
			(void)snprintf(escape, sizeof(escape), "\\u%04x", *p);
		else
			(void)snprintf(escape, sizeof(escape), "\\%c", *p);
		text_add_string(text, escape);
		plain = ++p;
	}
	text_add(text, (const char *)plain, (size_t)(p - plain));
	text_add(text, "\"", 1);
}

void
text_add_seconds(struct text *text, struct duration length)
{
	char digits[40];
	int n = snprintf(digits, sizeof(digits), "%" PRId64 ".%06" PRId64, length.us / US_PER_S, length.us % US_PER_S);
	while (digits[n - 1] == '0')
		n--;
	if (digits[n - 1] == '.')
		n--;
	text_add(text, digits, (size_t)n);
}

static void
add_string_field(struct text *text, const char *key, const char *value)
{
	if (value == NULL)
		return;
	text_add_string(text, key);
	text_add_json(text, value);
}

static void
add_instant_field(struct text *text, const char *key, struct instant at)
{
	char digits[INSTANT_TEXT_SIZE];
	size_t n = instant_format(at, digits);
	text_add_string(text, key);
	text_add(text, "\"", 1);
	text_add(text, digits, n);
	text_add(text, "\"", 1);
}

static void
add_number_field(struct text *text, const char *key, uint32_t value)
{
	char digits[16];
	int n = snprintf(digits, sizeof(digits), "%" PRIu32, value);
	text_add_string(text, key);
	text_add(text, digits, (size_t)n);
}

static void
add_escalation(struct text *text, const struct milestone *m)
{
	add_string_field(text, ", \"escalation\": ", m->escalation);
	add_number_field(text, ", \"step\": ", m->step);
	add_string_field(text, ", \"trigger\": ", m->trigger);
	add_number_field(text, ", \"repeat\": ", m->repeat);
	text_add_string(text, ", \"notify\": [");
	for (size_t i = 0; i < m->n_notify; i++)
		add_string_field(text, i > 0 ? ", " : "", m->notify[i]);
	text_add_string(text, "]");
}

void
render_milestone(struct text *text, const char *ticket, const struct milestone *m)
{
	add_instant_field(text, "{\"at\": ", m->at);
	add_string_field(text, ", \"ticket\": ", ticket);
	if (m->metric != METRIC_COUNT) {
		add_string_field(text, ", \"metric\": ", metric_names[m->metric]);
		add_number_field(text, ", \"cycle\": ", m->cycle);
	}
	add_string_field(text, ", \"milestone\": ", milestone_names[m->kind]);
	if (!instant_equal(m->due_at, INSTANT_NEVER))
		add_instant_field(text, ", \"due_at\": ", m->due_at);
	add_string_field(text, ", \"level\": ", m->level);
	add_string_field(text, ", \"policy\": ", m->policy);
	add_string_field(text, ", \"calendar\": ", m->calendar);
	add_string_field(text, ", \"severity\": ", m->severity);
	if (m->late_by.us > 0) {
		text_add_string(text, ", \"late_by\": ");
		text_add_seconds(text, m->late_by);
	}
	add_string_field(text, ", \"reason\": ", m->reason);
	if (m->by_reassessment)
		text_add_string(text, ", \"by_reassessment\": true");
	if (m->kind == MILESTONE_ESCALATED)
		add_escalation(text, m);
	text_add(text, "}", 1);
}
