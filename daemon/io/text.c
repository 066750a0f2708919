#include "slated/text.h"

#include <stdio.h>
#include <string.h>

const char text_no_memory[] = "slated is out of memory";

/* RFC 3629 section 4: per lead byte the length, and the range of the second byte that shuts out overlong forms,
 * surrogates and what lies above U+10FFFF. */
static const struct {
	uint8_t from, to, len, low, high;
} forms[] = {
    {0x00, 0x7f, 1, 0, 0},       {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf},
    {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
    {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

size_t
text_utf8(const char *text, size_t len)
{
	if (len == 0)
		return 0;
	uint8_t lead = (uint8_t)text[0];
	for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		if (lead < forms[f].from || lead > forms[f].to)
			continue;
		if (forms[f].len > len)
			return 0;
		if (forms[f].len > 1 && ((uint8_t)text[1] < forms[f].low || (uint8_t)text[1] > forms[f].high))
			return 0;
		for (size_t i = 2; i < forms[f].len; i++)
			if (((uint8_t)text[i] & 0xc0) != 0x80)
				return 0;
		return forms[f].len;
	}
	return 0;
}

size_t
text_clean(char *text, size_t len)
{
	size_t out = 0;
	bool blank = false;
	for (size_t in = 0; in < len;) {
		size_t n = text_utf8(text + in, len - in);
		if (n == 1 && ((uint8_t)text[in] <= ' ' || text[in] == 0x7f)) {
			blank = out > 0;
			in++;
			continue;
		}
		if (blank)
			text[out++] = ' ';
		blank = false;
		if (n == 0) {
			text[out++] = '?';
			in++;
			continue;
		}
		memmove(text + out, text + in, n);
		out += n;
		in += n;
	}
	text[out] = '\0';
	return out;
}

/* The longest local part and the longest path are 64 and 254 octets (RFC 5321, section 4.5.3.1, and its erratum). */
bool
text_is_mail_address(const char *text)
{
	static const char local[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~.";
	static const char domain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.";
	size_t n = strspn(text, local);
	if (n == 0 || n > 64 || text[n] != '@' || strlen(text) > 254)
		return false;
	const char *host = text + n + 1;
	return *host && strspn(host, domain) == strlen(host) && host[0] != '.' && host[0] != '-';
}

void
text_uuid(const uint64_t random[static 2], char ret[static TEXT_UUID_SIZE])
{
	uint64_t high = (random[0] & ~UINT64_C(0xf000)) | 0x4000;
	uint64_t low = (random[1] & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63;
	(void)snprintf(ret, TEXT_UUID_SIZE, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
	               (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xffff), (unsigned)(low >> 48),
	               (unsigned long long)(low & UINT64_C(0xffffffffffff)));
}
