/* ticket: writes into the very ticket, by the product's own API: what a ladder tells as an internal note, and, as
 * requests that the adapter has made (sla.adapter_wanted()), its due date, severity and state.
 *
 * Request Tracker 5, REST 2 (docs.bestpractical.com/rt/5.0/RT/REST2.html): POST /ticket/ID/comment, PUT /ticket/ID,
 * "Authorization: token". A PUT is answered 200 whatever came of it, with a sentence for each change. Redmine 5
 * (redmine.org/projects/redmine/wiki/Rest_Issues): PUT /issues/ID.json, "X-Redmine-API-Key". */
#include "slated/channel.h"
#include "slated/message.h"
#include "slated/post.h"
#include "slated/render.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ticket_channel {
	struct channel channel;
	struct event_base *base;
	struct http_client *http;
	struct instant (*now)(void *arg);
	void *arg;
	struct duration timeout;
	enum ticket_api api;
	char *url; /* without a slash at its end */
	char *source;
	char *authorization; /* the header */
};

static void
ticket_close(struct channel *channel)
{
	struct ticket_channel *ticket = (struct ticket_channel *)channel;
	if (ticket->authorization)
		OPENSSL_cleanse(ticket->authorization, strlen(ticket->authorization));
	free(ticket->authorization);
	free(ticket->source);
	free(ticket->url);
	free(ticket);
}

static int
ticket_open(const struct channel_settings *settings, const struct channel_context *context, struct channel **ret)
{
	if (!settings->url || !http_url_valid(settings->url) || !settings->token || !settings->adapter ||
	    settings->timeout.us < 0)
		return -EINVAL;
	struct ticket_channel *ticket = calloc(1, sizeof(*ticket));
	if (!ticket)
		return -ENOMEM;
	ticket->base = context->base;
	ticket->http = context->http;
	ticket->now = context->now;
	ticket->arg = context->arg;
	ticket->timeout = settings->timeout;
	ticket->api = settings->api;
	ticket->source = strdup(settings->adapter);
	ticket->url = strdup(settings->url);
	if (asprintf(&ticket->authorization,
	             settings->api == TICKET_REDMINE ? "X-Redmine-API-Key: %s" : "Authorization: token %s",
	             settings->token) < 0)
		ticket->authorization = NULL;
	if (!ticket->source || !ticket->url || !ticket->authorization) {
		ticket_close(&ticket->channel);
		return -ENOMEM;
	}
	for (size_t len = strlen(ticket->url); len > 0 && ticket->url[len - 1] == '/'; len--)
		ticket->url[len - 1] = '\0';
	*ret = &ticket->channel;
	return 0;
}

/* Answers ---------------------------------------------------------------------------------------------------------- */

/* What Request Tracker says of a change that it did not make, in the language that is asked for. */
static bool
is_refusal(const char *sentence)
{
	static const char *const signs[] = {"Permission Denied", "could not", "Could not",      "Can't",
	                                    "not a valid",       "nvalid",    "does not exist", "failed"};
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (sentence && strstr(sentence, signs[i]))
			return true;
	return false;
}

/* A token may be mended. */
static enum outcome
ticket_judge(const struct http_answer *answer)
{
	if (answer->status == 401)
		return OUTCOME_RETRY;
	enum outcome outcome = retry_of_http_status(answer->status);
	if (outcome != OUTCOME_DELIVERED)
		return outcome;
	json_t *body = json_loadb(answer->body, answer->n_body, 0, NULL);
	size_t i;
	json_t *sentence;
	json_array_foreach(body, i, sentence) if (is_refusal(json_string_value(sentence))) outcome = OUTCOME_DEAD;
	json_decref(body);
	return outcome;
}

/* Requests --------------------------------------------------------------------------------------------------------- */

static int
ticket_request(const struct ticket_channel *ticket, const char *method, const char *path, const char *body,
               struct channel_attempt **ret)
{
	/* A refusal's words are looked for in English. */
	const char *const headers[] = {ticket->authorization, "Accept-Language: en", "Accept: application/json",
	                               "Content-Type: application/json"};
	char *url;
	if (asprintf(&url, "%s%s", ticket->url, path) < 0)
		return -ENOMEM;
	const struct http_request request = {
	    .method = method,
	    .url = url,
	    .headers = headers,
	    .n_headers = body ? 4 : 3,
	    .body = body,
	    .n_body = body ? strlen(body) : 0,
	    .timeout = ticket->timeout,
	};
	int r = post_start(ticket->http, &request, ticket_judge, ret);
	free(url);
	return r;
}

/* Takes the body, a new reference or NULL for want of memory. */
static int
ticket_change(const struct ticket_channel *ticket, const char *method, const char *id, const char *below, json_t *body,
              struct channel_attempt **ret)
{
	char path[128];
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	if (!text)
		return -ENOMEM;
	if (ticket->api == TICKET_REDMINE)
		(void)snprintf(path, sizeof(path), "/issues/%s.json", id);
	else
		(void)snprintf(path, sizeof(path), "/REST/2.0/ticket/%s%s", id, below);
	int r = ticket_request(ticket, method, path, text, ret);
	free(text);
	return r;
}

/* The title, then a line for each fact. NULL when out of memory. */
static char *
note_new(const struct message *message)
{
	struct text text = {0};
	text_add_string(&text, message->title);
	for (size_t i = 0; i < message->n_facts; i++) {
		text_add_string(&text, "\n");
		text_add_string(&text, message->facts[i].name);
		text_add_string(&text, ": ");
		text_add_string(&text, message->facts[i].value);
	}
	text_add(&text, "", 1);
	if (!text.failed)
		return text.data;
	free(text.data);
	return NULL;
}

static int
ticket_note(const struct ticket_channel *ticket, const struct delivery *delivery, struct channel_attempt **ret)
{
	struct message *message;
	int r = message_new(delivery, ticket->now(ticket->arg), &message);
	if (r < 0)
		return r;
	char *note = note_new(message);
	message_free(message);
	if (!note)
		return -ENOMEM;
	json_t *body = ticket->api == TICKET_REDMINE
	                   ? json_pack("{s{ss sb}}", "issue", "notes", note, "private_notes", 1)
	                   : json_pack("{ss ss}", "Content", note, "ContentType", "text/plain");
	free(note);
	return ticket_change(ticket, ticket->api == TICKET_REDMINE ? "PUT" : "POST", delivery->external_id, "/comment",
	                     body, ret);
}

static int
ticket_send(struct channel *channel, const struct delivery *delivery, struct channel_attempt **ret)
{
	struct ticket_channel *ticket = (struct ticket_channel *)channel;
	bool note = strcmp(delivery->kind, "escalated") == 0, write = strcmp(delivery->kind, "write") == 0;
	if (strcmp(delivery->kind, "test") == 0)
		return ticket_request(
		    ticket, "GET", ticket->api == TICKET_REDMINE ? "/users/current.json" : "/REST/2.0/rt", NULL, ret);
	json_t *payload = json_loads(delivery->payload, 0, NULL);
	const char *source = json_string_value(json_object_get(json_object_get(payload, "ticket"), "source"));
	const char *id = delivery->external_id;
	int r = -EBADMSG;
	/* That all is well again the due date and the state tell; other systems' tickets are not there. */
	if (source && (strcmp(source, ticket->source) != 0 || !(note || write)))
		r = post_nothing(ticket->base, ret);
	else if (source && id && *id && strlen(id) < 20 && strspn(id, "0123456789") == strlen(id))
		r = note ? ticket_note(ticket, delivery, ret)
		         : ticket_change(ticket, "PUT", id, "", json_incref(json_object_get(payload, "write")), ret);
	json_decref(payload);
	return r;
}

const struct channel_ops ticket_ops = {
    .type = CHANNEL_TICKET,
    .retry = &retry_chat,
    .open = ticket_open,
    .close = ticket_close,
    .send = ticket_send,
    .cancel = post_cancel,
};
