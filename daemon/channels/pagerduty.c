/* pagerduty: events for PagerDuty's Events API v2.
 *
 * Sources: the OpenAPI description "PagerDuty V2 Events API" 2.0 (PagerDuty/api-schema, reference/events-v2): 202
 * accepts, 400 is final, 429 and 5xx ask for another attempt; "Send an Alert Event" on developer.pagerduty.com: a
 * summary has at most 1,024 characters, a dedup_key 255, an event 512 KB. Acknowledging and resolving need the
 * dedup_key alone, and do nothing where no such alert is open. */
#include "slated/channel.h"
#include "slated/message.h"
#include "slated/post.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define USUAL_URL   "https://events.pagerduty.com/v2/enqueue"
#define SUMMARY_MAX 1024
#define KEY_MAX     255
/* Ours: facts, names and links are cut here, so that an event is far below the limit. */
#define TEXT_MAX 1024
/* A digest's member takes 4 texts of 250 bytes, doubled at most by escapes: 512,000 hold 240 of them. */
#define PAGERDUTY_DIGEST_MAX 240
#define MEMBER_TEXT_MAX      250

struct pagerduty {
	struct channel channel;
	struct http_client *http;
	struct instant (*now)(void *arg);
	void *arg;
	char *instance;
	char *url;
	char *routing_key;
	struct duration timeout;
};

static void
pagerduty_close(struct channel *channel)
{
	struct pagerduty *pagerduty = (struct pagerduty *)channel;
	if (pagerduty->routing_key)
		OPENSSL_cleanse(pagerduty->routing_key, strlen(pagerduty->routing_key));
	free(pagerduty->routing_key);
	free(pagerduty->instance);
	free(pagerduty->url);
	free(pagerduty);
}

static bool
is_visible(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static int
pagerduty_open(const struct channel_settings *settings, const struct channel_context *context, struct channel **ret)
{
	const char *url = settings->url ? settings->url : USUAL_URL, *key = settings->routing_key;
	if (!http_url_valid(url) || !key || !*key || !is_visible(key) || settings->timeout.us < 0)
		return -EINVAL;
	struct pagerduty *pagerduty = calloc(1, sizeof(*pagerduty));
	if (!pagerduty)
		return -ENOMEM;
	pagerduty->http = context->http;
	pagerduty->now = context->now;
	pagerduty->arg = context->arg;
	pagerduty->timeout = settings->timeout;
	pagerduty->instance = strdup(context->instance);
	pagerduty->url = strdup(url);
	pagerduty->routing_key = strdup(key);
	if (!pagerduty->instance || !pagerduty->url || !pagerduty->routing_key) {
		pagerduty_close(&pagerduty->channel);
		return -ENOMEM;
	}
	*ret = &pagerduty->channel;
	return 0;
}

/* The text, cut, as a member; a NULL leaves it out. -1 for want of memory, as jansson has it. */
static int
put_cut(json_t *object, const char *name, const char *text, size_t max)
{
	char cut[TEXT_MAX + 1];
	if (!text)
		return 0;
	(void)message_cut(text, max, cut);
	return json_object_set_new(object, name, json_string(cut));
}

/* "links" and "client_url". A link that is cut leads nowhere, so a longer one is left out. */
static int
put_link(json_t *event, const struct message *message)
{
	if (!message->link || strlen(message->link) > TEXT_MAX)
		return 0;
	return json_object_set_new(event, "client_url", json_string(message->link)) |
	       json_object_set_new(event, "links", json_pack("[{ss ss}]", "href", message->link, "text", "The ticket"));
}

/* The tickets of a digest: by number and name, since a long title may lose its end. */
static int
put_members(json_t *details, const struct message *message)
{
	json_t *list = json_array();
	int failed = 0;
	for (size_t i = 0; i < message->n_items; i++) {
		const struct message *item = message->items[i];
		json_t *member = json_object();
		failed |= put_cut(member, "ticket_id", item->ticket_id, MEMBER_TEXT_MAX);
		failed |= put_cut(member, "ticket", item->ticket, MEMBER_TEXT_MAX);
		failed |= put_cut(member, "alert", item->title, MEMBER_TEXT_MAX);
		if (item->link && strlen(item->link) <= MEMBER_TEXT_MAX)
			failed |= json_object_set_new(member, "link", json_string(item->link));
		failed |= json_array_append_new(list, member);
	}
	return failed | json_object_set_new(details, "Alerts", list);
}

static int
put_payload(json_t *event, const struct pagerduty *pagerduty, const struct message *message)
{
	char at[INSTANT_TEXT_SIZE];
	json_t *payload = json_object(), *details = json_object();
	int failed = 0;
	(void)instant_format(message->at, at);
	failed |= put_cut(payload, "summary", message->title, SUMMARY_MAX);
	failed |= put_cut(payload, "severity", message_severity_names[message->severity], TEXT_MAX);
	failed |= put_cut(payload, "source", message->ticket ? message->ticket : pagerduty->instance, TEXT_MAX);
	failed |= put_cut(payload, "timestamp", at, TEXT_MAX);
	failed |= put_cut(payload, "component", message->policy, TEXT_MAX);
	failed |= put_cut(payload, "group", message->org, TEXT_MAX);
	failed |= put_cut(payload, "class", message->kind == MESSAGE_TEST ? "test" : message->metric, TEXT_MAX);
	for (size_t i = 0; i < message->n_facts; i++)
		failed |= put_cut(details, message->facts[i].name, message->facts[i].value, TEXT_MAX);
	failed |= put_cut(details, "For", message->address, TEXT_MAX);
	if (message->kind == MESSAGE_TEST)
		failed |= json_object_set_new(details, "Test", json_true());
	if (message->kind == MESSAGE_DIGEST)
		failed |= put_members(details, message);
	failed |= json_object_set_new(payload, "custom_details", details);
	return failed | json_object_set_new(event, "payload", payload);
}

/* The event as text, to be freed. */
static int
event_format(const struct pagerduty *pagerduty, const struct message *message, char **ret)
{
	static const char *const actions[MESSAGE_KIND_COUNT] = {
	    [MESSAGE_ALERT] = "trigger", [MESSAGE_ACKNOWLEDGED] = "acknowledge", [MESSAGE_RESOLVED] = "resolve",
	    [MESSAGE_TEST] = "trigger",  [MESSAGE_DIGEST] = "trigger",
	};
	const char *action = actions[message->kind];
	/* Two alerts must not become one, so a key is not cut; the ledger's are short. */
	if (strlen(message->alert) > KEY_MAX)
		return -EBADMSG;
	json_t *event = json_pack("{ss ss ss}", "routing_key", pagerduty->routing_key, "event_action", action,
	                          "dedup_key", message->alert);
	int failed = event ? 0 : -1;
	if (event && strcmp(action, "trigger") == 0)
		failed = json_object_set_new(event, "client", json_string("slated")) | put_link(event, message) |
		         put_payload(event, pagerduty, message);
	char *text = failed ? NULL : json_dumps(event, JSON_COMPACT);
	json_decref(event);
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}

/* 202 with the status "success" alone is PagerDuty's yes. Another success comes from something in between that may be
 * gone at the next attempt. */
static enum outcome
pagerduty_judge(const struct http_answer *answer)
{
	if (answer->status < 200 || answer->status > 299)
		return retry_of_http_status(answer->status);
	if (answer->status != 202)
		return OUTCOME_RETRY;
	json_t *body = json_loadb(answer->body, answer->n_body, 0, NULL);
	const char *status = json_string_value(json_object_get(body, "status"));
	enum outcome outcome = !status                          ? OUTCOME_RETRY
	                       : strcmp(status, "success") == 0 ? OUTCOME_DELIVERED
	                                                        : OUTCOME_DEAD;
	json_decref(body);
	return outcome;
}

static int
pagerduty_send(struct channel *channel, const struct delivery *delivery, struct channel_attempt **ret)
{
	struct pagerduty *pagerduty = (struct pagerduty *)channel;
	struct message *message;
	char *body;
	int r = message_new(delivery, pagerduty->now(pagerduty->arg), &message);
	if (r < 0)
		return r;
	r = event_format(pagerduty, message, &body);
	message_free(message);
	if (r < 0)
		return r;
	r = post_json(pagerduty->http, pagerduty->url, NULL, body, pagerduty->timeout, pagerduty_judge, ret);
	OPENSSL_cleanse(body, strlen(body));
	free(body);
	return r;
}

const struct channel_ops pagerduty_ops = {
    .type = CHANNEL_PAGERDUTY,
    .retry = &retry_page,
    .pages = true,
    .supersedes = true,
    .digest_max = PAGERDUTY_DIGEST_MAX,
    .open = pagerduty_open,
    .close = pagerduty_close,
    .send = pagerduty_send,
    .cancel = post_cancel,
};
