#include "slated/signature.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_PREFIX "whsec_"

/* Decodes padded base64 into `bytes` (room for the text's length). EVP_DecodeBlock() alone passes over blanks and
 * counts padding as bytes. */
static int
base64_decode(const char *text, unsigned char *bytes, size_t *ret_len)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = strlen(text);
	size_t padding = len - strspn(text, alphabet);
	if (len == 0 || len % 4 != 0 || len > INT32_MAX || padding > 2 || strspn(text + len - padding, "=") != padding)
		return -EINVAL;
	int n = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)len);
	if (n < 0)
		return -EINVAL;
	*ret_len = (size_t)n - padding;
	return 0;
}

int
signing_key_copy(const char *text, struct signing_key *ret)
{
	size_t len = strlen(text);
	if (len == 0 || len > INT32_MAX)
		return -EINVAL;
	unsigned char *bytes = malloc(len);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, text, len);
	ret->bytes = bytes;
	ret->len = len;
	return 0;
}

int
signing_key_read(const char *text, struct signing_key *ret)
{
	if (strncmp(text, SECRET_PREFIX, strlen(SECRET_PREFIX)) != 0)
		return signing_key_copy(text, ret);
	text += strlen(SECRET_PREFIX);
	unsigned char *bytes = malloc(strlen(text) + 1);
	size_t len;
	if (!bytes)
		return -ENOMEM;
	int r = base64_decode(text, bytes, &len);
	if (r < 0) {
		free(bytes);
		return r;
	}
	*ret = (struct signing_key){bytes, len};
	return 0;
}

void
signing_key_clear(struct signing_key *key)
{
	if (key->bytes)
		OPENSSL_cleanse(key->bytes, key->len);
	free(key->bytes);
	*key = (struct signing_key){0};
}

static int
mac_make(const struct signing_key *key, const char *message, size_t len, unsigned char mac[static SHA256_DIGEST_LENGTH])
{
	const unsigned char *bytes = (const unsigned char *)message;
	return HMAC(EVP_sha256(), key->bytes, (int)key->len, bytes, len, mac, NULL) ? 0 : -ENOMEM;
}

int
signature_v1(const struct signing_key *key, const char *id, const char *timestamp, const char *body, size_t n_body,
             char ret[static SIGNATURE_V1_SIZE])
{
	unsigned char mac[SHA256_DIGEST_LENGTH];
	size_t n_head = strlen(id) + strlen(timestamp) + 2;
	char *message = malloc(n_head + n_body + 1);
	if (!message)
		return -ENOMEM;
	(void)sprintf(message, "%s.%s.", id, timestamp);
	if (n_body > 0)
		memcpy(message + n_head, body, n_body);
	int r = mac_make(key, message, n_head + n_body, mac);
	free(message);
	if (r == 0)
		(void)EVP_EncodeBlock((unsigned char *)stpcpy(ret, "v1,"), mac, sizeof(mac));
	return r;
}

int
signature_hex(const struct signing_key *key, const char *body, size_t n_body, char ret[static SIGNATURE_HEX_SIZE])
{
	unsigned char mac[SHA256_DIGEST_LENGTH];
	int r = mac_make(key, n_body > 0 ? body : "", n_body, mac);
	if (r < 0)
		return r;
	char *end = stpcpy(ret, "v1=");
	for (size_t i = 0; i < sizeof(mac); i++)
		end += sprintf(end, "%02x", mac[i]);
	return 0;
}

bool
signature_among(const char *signature, const char *given, char separator)
{
	const char ends[] = {separator, '\0'};
	size_t len = strlen(signature);
	bool found = false;
	while (*given) {
		given += strspn(given, " \t");
		size_t n = strcspn(given, ends);
		size_t trimmed = n;
		while (trimmed > 0 && (given[trimmed - 1] == ' ' || given[trimmed - 1] == '\t'))
			trimmed--;
		if (trimmed == len)
			found |= CRYPTO_memcmp(given, signature, len) == 0;
		given += n + (given[n] != '\0');
	}
	return found;
}

bool
secret_equal(const char *a, const char *b)
{
	unsigned char digests[2][SHA256_DIGEST_LENGTH];
	(void)SHA256((const unsigned char *)a, strlen(a), digests[0]);
	(void)SHA256((const unsigned char *)b, strlen(b), digests[1]);
	return CRYPTO_memcmp(digests[0], digests[1], SHA256_DIGEST_LENGTH) == 0;
}
