/* ntfy: publishes as JSON ("Publish as JSON", "Message priority", "Tags & emojis", "Limitations",
 * docs.ntfy.sh/publish, 2.x). The configured URL ends in the topic, as ntfy's own addresses do; JSON goes to the
 * server's root. */
#include "chat.h"
#include "slated/render.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A message of 4,096 bytes or more becomes an attachment, or is refused where the server keeps none; of the JSON twice
 * as much is read (ntfy's message-size-limit, and server.go), and what is one line of text doubles at most there. */
#define JSON_MAX    8192
#define MESSAGE_MAX 3300
#define TITLE_MAX   250
#define VALUE_MAX   300
#define TOPIC_MAX   64
static_assert(2 * (MESSAGE_MAX + TITLE_MAX + CHAT_LINK_MAX) + TOPIC_MAX + 128 <= JSON_MAX, "the JSON fits");
/* So many messages in a digest: each has the room of a usual title and its link. */
#define NTFY_DIGEST_MAX 25
static_assert(MESSAGE_MAX / NTFY_DIGEST_MAX >= 130, "room for each message");

static bool
topic_valid(const char *topic)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t len = strlen(topic);
	return len > 0 && len <= TOPIC_MAX && strspn(topic, alphabet) == len;
}

/* The topic of an address, or NULL: what follows the last slash, unless that is the host. */
static const char *
url_topic(const char *url)
{
	const char *host = strstr(url, "://"), *slash = strrchr(url, '/');
	return host && slash > host + 2 && topic_valid(slash + 1) ? slash + 1 : NULL;
}

static int
ntfy_open(const struct channel_settings *settings, const struct channel_context *context, struct channel **ret)
{
	if (!settings->url || !url_topic(settings->url))
		return -EINVAL;
	return chat_open(settings, context, ret);
}

/* 5 wakes, 4 is loud, 3 is usual, 2 makes no sound. */
static int
ntfy_priority(const struct message *message)
{
	static const int priorities[MESSAGE_SEVERITY_COUNT] = {
	    [MESSAGE_INFO] = 2,
	    [MESSAGE_WARNING] = 3,
	    [MESSAGE_ERROR] = 4,
	    [MESSAGE_CRITICAL] = 5,
	};
	if (message->kind == MESSAGE_ALERT || message->kind == MESSAGE_DIGEST)
		return priorities[message->severity];
	return message->kind == MESSAGE_TEST ? 3 : 2;
}

/* A short code that ntfy shows as an emoji before the title. */
static const char *
ntfy_tag(const struct message *message)
{
	static const char *const kind_tags[MESSAGE_KIND_COUNT] = {
	    [MESSAGE_ACKNOWLEDGED] = "eyes",
	    [MESSAGE_RESOLVED] = "white_check_mark",
	    [MESSAGE_TEST] = "wrench",
	};
	static const char *const severity_tags[MESSAGE_SEVERITY_COUNT] = {
	    [MESSAGE_INFO] = "large_blue_circle",
	    [MESSAGE_WARNING] = "warning",
	    [MESSAGE_ERROR] = "rotating_light",
	    [MESSAGE_CRITICAL] = "rotating_light",
	};
	const char *tag = kind_tags[message->kind];
	return tag ? tag : severity_tags[message->severity];
}

/* A digest's line, the fullest of its forms that fits. */
static void
line_add(struct text *text, const struct message *item, size_t room)
{
	size_t start = text->len;
	for (int form = CHAT_TITLE; form < CHAT_FORM_COUNT && !text->failed; form++) {
		struct chat_line line = chat_line_of(item, (enum chat_form)form);
		text->len = start;
		text_add_string(text, chat_mark(item));
		text_add_string(text, " ");
		text_add_string(text, line.words);
		text_add_string(text, line.link ? " " : "");
		text_add_string(text, line.link ? line.link : "");
		text_add_string(text, "\n");
		if (text->len - start <= room)
			return;
	}
}

/* What stands below the title; NULL when out of memory. */
static char *
body_new(const struct message *message)
{
	struct text text = {0};
	char value[VALUE_MAX + 1];
	for (size_t i = 0; i < message->n_facts; i++) {
		(void)message_cut(message->facts[i].value, VALUE_MAX, value);
		text_add_string(&text, message->facts[i].name);
		text_add_string(&text, ": ");
		text_add_string(&text, value);
		text_add_string(&text, "\n");
	}
	for (size_t i = 0; i < message->n_items && text.len < MESSAGE_MAX; i++)
		line_add(&text, message->items[i], (MESSAGE_MAX - text.len) / (message->n_items - i));
	/* ntfy puts a word of its own where a message is empty. */
	if (text.len == 0)
		text_add_string(&text, message->kind == MESSAGE_TEST ? "Test" : message->title);
	text_add(&text, "", 1);
	char *body = text.failed ? NULL : malloc(MESSAGE_MAX + 1);
	if (body)
		(void)message_cut(text.data, MESSAGE_MAX, body);
	free(text.data);
	return body;
}

static char *
ntfy_render(const struct chat *chat, const struct message *message)
{
	char title[TITLE_MAX + 1];
	(void)message_cut(message->title, TITLE_MAX, title);
	/* A contact's own topic, where one is told. */
	const char *topic = message->address && topic_valid(message->address) ? message->address : url_topic(chat->url);
	char *body = body_new(message);
	json_t *json =
	    body ? json_pack("{ss ss ss si s[s] ss*}", "topic", topic, "title", title, "message", body, "priority",
	                     ntfy_priority(message), "tags", ntfy_tag(message), "click", chat_link(message))
	         : NULL;
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	free(body);
	return text;
}

/* ntfy gives back the message as it has published it. What is not that, such as a proxy's page, is no delivery. */
static enum outcome
ntfy_judge(const struct http_answer *answer)
{
	enum outcome outcome = retry_of_http_status(answer->status);
	if (outcome != OUTCOME_DELIVERED)
		return outcome;
	json_t *json = json_loadb(answer->body, answer->n_body, 0, NULL);
	const char *event = json_string_value(json_object_get(json, "event"));
	outcome = event && strcmp(event, "message") == 0 ? OUTCOME_DELIVERED : OUTCOME_RETRY;
	json_decref(json);
	return outcome;
}

static int
ntfy_send(struct channel *channel, const struct delivery *delivery, struct channel_attempt **ret)
{
	const struct chat *chat = (const struct chat *)channel;
	char *root = strndup(chat->url, (size_t)(url_topic(chat->url) - chat->url));
	if (!root)
		return -ENOMEM;
	int r = chat_send(chat, root, delivery, ntfy_render, ntfy_judge, ret);
	free(root);
	return r;
}

const struct channel_ops ntfy_ops = {
    .type = CHANNEL_NTFY,
    .retry = &retry_chat,
    .supersedes = true,
    .digest_max = NTFY_DIGEST_MAX,
    .open = ntfy_open,
    .close = chat_close,
    .send = ntfy_send,
    .cancel = post_cancel,
};
