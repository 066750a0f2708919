#include "slated/signature.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
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

static int
key_make(const unsigned char *bytes, size_t len, struct signing_key *ret)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	                             OSSL_PARAM_construct_end()};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(hmac);
	EVP_MAC_free(hmac);
	if (!context || EVP_MAC_init(context, bytes, len, params) != 1) {
		EVP_MAC_CTX_free(context);
		return -ENOMEM;
	}
	ret->context = context;
	return 0;
}

int
signing_key_copy(const char *text, struct signing_key *ret)
{
	size_t len = strlen(text);
	if (len == 0 || len > INT32_MAX)
		return -EINVAL;
	return key_make((const unsigned char *)text, len, ret);
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
	if (r == 0)
		r = key_make(bytes, len, ret);
	OPENSSL_cleanse(bytes, strlen(text) + 1);
	free(bytes);
	return r;
}

void
signing_key_clear(struct signing_key *key)
{
	EVP_MAC_CTX_free(key->context);
	*key = (struct signing_key){0};
}

/* Of a head and a body, one after the other. */
static int
mac_make(const struct signing_key *key, const char *head, const char *body, size_t n_body,
         unsigned char mac[static SHA256_DIGEST_LENGTH])
{
	size_t len;
	/* Without a key it begins anew with the one that it has. */
	bool good = EVP_MAC_init(key->context, NULL, 0, NULL) == 1 &&
	            EVP_MAC_update(key->context, (const unsigned char *)head, strlen(head)) == 1 &&
	            EVP_MAC_update(key->context, (const unsigned char *)body, n_body) == 1 &&
	            EVP_MAC_final(key->context, mac, &len, SHA256_DIGEST_LENGTH) == 1;
	return good ? 0 : -ENOMEM;
}

int
signature_v1(const struct signing_key *key, const char *id, const char *timestamp, const char *body, size_t n_body,
             char ret[static SIGNATURE_V1_SIZE])
{
	unsigned char mac[SHA256_DIGEST_LENGTH];
	char *head = malloc(strlen(id) + strlen(timestamp) + sizeof(".."));
	if (!head)
		return -ENOMEM;
	(void)stpcpy(stpcpy(stpcpy(stpcpy(head, id), "."), timestamp), ".");
	int r = mac_make(key, head, body, n_body, mac);
	free(head);
	if (r == 0)
		(void)EVP_EncodeBlock((unsigned char *)stpcpy(ret, "v1,"), mac, sizeof(mac));
	return r;
}

int
signature_hex(const struct signing_key *key, const char *body, size_t n_body, char ret[static SIGNATURE_HEX_SIZE])
{
	unsigned char mac[SHA256_DIGEST_LENGTH];
	int r = mac_make(key, "", body, n_body, mac);
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
