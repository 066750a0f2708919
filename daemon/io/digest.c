#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "courier_internal.h"
#include "slated/render.h"

#define KEY_BYTES 12

/* "sla-digest-..." of the members' keys: the same members give the same key again. */
static int
digest_key(const struct delivery *const *deliveries, size_t n, char key[static 64])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
	for (size_t i = 0; good && i < n; i++)
		good = EVP_DigestUpdate(context, deliveries[i]->key, strlen(deliveries[i]->key) + 1) == 1;
	good = good && EVP_DigestFinal_ex(context, hash, NULL) == 1;
	EVP_MD_CTX_free(context);
	if (!good)
		return -ENOMEM;
	size_t len = (size_t)snprintf(key, 64, "sla-digest-");
	for (size_t i = 0; i < KEY_BYTES; i++)
		len += (size_t)snprintf(key + len, 64 - len, "%02x", hash[i]);
	return 0;
}

int
digest_new(const struct delivery *const *deliveries, size_t n, struct delivery **ret)
{
	struct delivery digest = *deliveries[0];
	struct text payload = {0};
	char key[64];
	int r = digest_key(deliveries, n, key);
	if (r < 0)
		return r;
	text_add_string(&payload, "{\"messages\": [");
	for (size_t i = 0; i < n; i++) {
		text_add_string(&payload, i > 0 ? ", {\"key\": " : "{\"key\": ");
		text_add_json(&payload, deliveries[i]->key);
		text_add_string(&payload, ", \"kind\": ");
		text_add_json(&payload, deliveries[i]->kind);
		text_add_string(&payload, ", \"payload\": ");
		text_add_string(&payload, deliveries[i]->payload);
		text_add(&payload, "}", 1);
		digest.at = instant_max(digest.at, deliveries[i]->at);
		digest.created_at = instant_min(digest.created_at, deliveries[i]->created_at);
	}
	text_add_string(&payload, "]}");
	digest.key = key;
	digest.kind = "digest";
	digest.payload = payload.data;
	digest.ticket_id = 0;
	digest.external_id = NULL;
	digest.metric = NULL;
	digest.cycle = 0;
	r = payload.failed ? -ENOMEM : delivery_copy(&digest, ret);
	free(payload.data);
	return r;
}
