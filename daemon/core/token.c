/* The token by which a customer asks for escalation in a reply. model.md section 8. */
#include <string.h>
#include <strings.h>

#include "slated/engine.h"

/* Whether the UTF-8 character at `p` is a letter, digit, "_" or "-". Outside ASCII, letters are taken by block:
 * Latin, Greek, Cyrillic and what follows up to the punctuation blocks, then CJK, Kana and Hangul (Unicode 15). */
static bool
continues_word(const unsigned char *p, size_t len)
{
	if (len == 0)
		return false;
	if (p[0] < 0x80)
		return (p[0] >= '0' && p[0] <= '9') || (p[0] >= 'A' && p[0] <= 'Z') || (p[0] >= 'a' && p[0] <= 'z') ||
		       p[0] == '_' || p[0] == '-';
	unsigned code = 0;
	if ((p[0] & 0xe0) == 0xc0 && len >= 2)
		code = (p[0] & 0x1fU) << 6 | (p[1] & 0x3fU);
	else if ((p[0] & 0xf0) == 0xe0 && len >= 3)
		code = (p[0] & 0x0fU) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);
	return code == 0xaa || code == 0xb5 || code == 0xba ||
	       (code >= 0xc0 && code < 0x2000 && code != 0xd7 && code != 0xf7) || (code >= 0x3041 && code < 0xd7a4) ||
	       (code >= 0xf900 && code < 0xfb00);
}

static bool
line_requests(const char *line, size_t len)
{
	static const char token[] = "#escalate";
	const size_t n = sizeof(token) - 1;
	size_t i = 0;
	while (i < len && (line[i] == ' ' || line[i] == '\t'))
		i++;
	if (i < len && line[i] == '>')
		return false;
	for (; i + n <= len; i++)
		if (line[i] == '#' && strncasecmp(line + i, token, n) == 0 &&
		    !continues_word((const unsigned char *)line + i + n, len - i - n))
			return true;
	return false;
}

bool
event_text_requests(const char *text, size_t len)
{
	while (len > 0) {
		size_t n = 0;
		while (n < len && text[n] != '\n' && text[n] != '\r')
			n++;
		if (line_requests(text, n))
			return true;
		n += n < len;
		text += n;
		len -= n;
	}
	return false;
}
