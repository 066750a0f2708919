/* Signatures of HTTP messages: HMAC-SHA256 (RFC 2104) by a shared secret, as Standard Webhooks (standardwebhooks.com,
 * specification 1.0.0) and PagerDuty write them. */
#ifndef SLATED_SIGNATURE_H
#define SLATED_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>

/* A secret, in the form that OpenSSL signs with again and again. Zeroed = empty. */
struct signing_key {
	struct evp_mac_ctx_st *context;
};

/* Reads a secret of Standard Webhooks: "whsec_" and base64, or any other text, which is taken as it is.
 * 0, -EINVAL where it is empty or no base64, -ENOMEM. */
int signing_key_read(const char *text, struct signing_key *ret) __attribute__((warn_unused_result));

/* The bytes of `text` as they are. 0, -EINVAL where it is empty, -ENOMEM. */
int signing_key_copy(const char *text, struct signing_key *ret) __attribute__((warn_unused_result));

/* Wipes and frees the secret, and makes the key empty. */
void signing_key_clear(struct signing_key *key);

/* "v1," and base64, with its NUL. */
#define SIGNATURE_V1_SIZE 48
/* "v1=" and 64 digits, with its NUL. */
#define SIGNATURE_HEX_SIZE 68

/* Standard Webhooks' signature over "ID.TIMESTAMP.BODY", 47 characters. 0 or -ENOMEM. */
int signature_v1(const struct signing_key *key, const char *id, const char *timestamp, const char *body, size_t n_body,
                 char ret[static SIGNATURE_V1_SIZE]) __attribute__((warn_unused_result));

/* PagerDuty's signature over the body, 67 characters. 0 or -ENOMEM. */
int signature_hex(const struct signing_key *key, const char *body, size_t n_body, char ret[static SIGNATURE_HEX_SIZE])
    __attribute__((warn_unused_result));

/* Whether `signature` is one of those in `given`, which `separator` parts (blanks beside it do not count). How long
 * this takes says nothing about how much of one was right. */
bool signature_among(const char *signature, const char *given, char separator);

/* Whether two secrets are the same; how long this takes says nothing about either, nor about their lengths. */
bool secret_equal(const char *a, const char *b);

#endif
