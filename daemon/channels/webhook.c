/* webhook: posts the event to a URL, signed as Standard Webhooks asks (standardwebhooks.com, specification 1.0.0). */
#include "slated/channel.h"
#include "slated/envelope.h"
#include "slated/post.h"
#include "slated/signature.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct webhook {
	struct channel channel;
	struct http_client *http;
	struct instant (*now)(void *arg);
	void *arg;
	char *instance;
	char *url;
	struct duration timeout;
	struct signing_key *secrets;
	size_t n_secrets;
};

static void
webhook_close(struct channel *channel)
{
	struct webhook *webhook = (struct webhook *)channel;
	for (size_t i = 0; i < webhook->n_secrets; i++)
		signing_key_clear(&webhook->secrets[i]);
	free(webhook->secrets);
	free(webhook->instance);
	free(webhook->url);
	free(webhook);
}

static int
webhook_open(const struct channel_settings *settings, const struct channel_context *context, struct channel **ret)
{
	if (!settings->url || !http_url_valid(settings->url) || settings->timeout.us < 0)
		return -EINVAL;
	struct webhook *webhook = calloc(1, sizeof(*webhook));
	if (!webhook)
		return -ENOMEM;
	webhook->http = context->http;
	webhook->now = context->now;
	webhook->arg = context->arg;
	webhook->timeout = settings->timeout;
	webhook->instance = strdup(context->instance);
	webhook->url = strdup(settings->url);
	webhook->secrets = calloc(settings->n_secrets + 1, sizeof(*webhook->secrets));
	int r = webhook->instance && webhook->url && webhook->secrets ? 0 : -ENOMEM;
	for (size_t i = 0; r == 0 && i < settings->n_secrets; i++) {
		r = signing_key_read(settings->secrets[i], &webhook->secrets[i]);
		if (r == 0)
			webhook->n_secrets++;
	}
	if (r < 0) {
		webhook_close(&webhook->channel);
		return r;
	}
	*ret = &webhook->channel;
	return 0;
}

/* "webhook-signature: v1,... v1,...": one of each secret. */
static int
signature_format(const struct webhook *webhook, const char *key, const char *timestamp, const char *body, char **ret)
{
	static const char head[] = "webhook-signature:";
	char *text = malloc(sizeof(head) + webhook->n_secrets * SIGNATURE_V1_SIZE);
	if (!text)
		return -ENOMEM;
	char *end = stpcpy(text, head);
	for (size_t i = 0; i < webhook->n_secrets; i++) {
		char signature[SIGNATURE_V1_SIZE];
		int r = signature_v1(&webhook->secrets[i], key, timestamp, body, strlen(body), signature);
		if (r < 0) {
			free(text);
			return r;
		}
		end = stpcpy(stpcpy(end, " "), signature);
	}
	*ret = text;
	return 0;
}

enum { HEADER_TYPE, HEADER_ID, HEADER_TIMESTAMP, HEADER_SIGNATURE, HEADER_COUNT };

/* The headers of one attempt, each to be freed, on failure too; the signature is NULL where there is no secret. */
static int
headers_format(const struct webhook *webhook, const char *key, const char *body, char *headers[static HEADER_COUNT])
{
	char timestamp[24];
	(void)snprintf(timestamp, sizeof(timestamp), "%" PRId64, webhook->now(webhook->arg).us / US_PER_S);
	headers[HEADER_TYPE] = strdup("Content-Type: " ENVELOPE_MEDIA_TYPE);
	if (asprintf(&headers[HEADER_ID], "webhook-id: %s", key) < 0)
		headers[HEADER_ID] = NULL;
	if (asprintf(&headers[HEADER_TIMESTAMP], "webhook-timestamp: %s", timestamp) < 0)
		headers[HEADER_TIMESTAMP] = NULL;
	headers[HEADER_SIGNATURE] = NULL;
	if (!headers[HEADER_TYPE] || !headers[HEADER_ID] || !headers[HEADER_TIMESTAMP])
		return -ENOMEM;
	return webhook->n_secrets > 0 ? signature_format(webhook, key, timestamp, body, &headers[HEADER_SIGNATURE]) : 0;
}

static int
webhook_send(struct channel *channel, const struct delivery *delivery, struct channel_attempt **ret)
{
	struct webhook *webhook = (struct webhook *)channel;
	char *body, *headers[HEADER_COUNT];
	size_t n_body;
	int r = envelope_format(delivery, webhook->instance, &body, &n_body);
	if (r < 0)
		return r;
	r = headers_format(webhook, delivery->key, body, headers);
	if (r == 0) {
		const struct http_request request = {
		    .method = "POST",
		    .url = webhook->url,
		    .headers = (const char *const *)headers,
		    .n_headers = headers[HEADER_SIGNATURE] ? HEADER_COUNT : HEADER_SIGNATURE,
		    .body = body,
		    .n_body = n_body,
		    .timeout = webhook->timeout,
		};
		r = post_start(webhook->http, &request, NULL, ret);
	}
	for (size_t i = 0; i < HEADER_COUNT; i++)
		free(headers[i]);
	free(body);
	return r;
}

const struct channel_ops webhook_ops = {
    .type = CHANNEL_WEBHOOK,
    .retry = &retry_default,
    .digest_max = 500,
    .open = webhook_open,
    .close = webhook_close,
    .send = webhook_send,
    .cancel = post_cancel,
};
