/* slack: a chat's incoming webhook, as Slack has it ("Sending messages using incoming webhooks", "Formatting message
 * text", "Block Kit: section block", docs.slack.dev, 2025), and as Mattermost and Rocket.Chat took it over. These two
 * show `text` and pass over `blocks`, so the text says everything; Slack shows the blocks, and the text in
 * notifications. */
#include "chat.h"
#include "slated/render.h"
#include "slated/text.h"

#include <assert.h>
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Slack counts characters, we count bytes, which are no fewer. A section's text holds 3,000, one of its fields 2,000,
 * and it has at most 10 fields. All blocks together are refused from about 13,000 on ("msg_blocks_too_long",
 * slackapi/bolt-js issue 2509), which the documentation does not say. */
#define SECTION_MAX 3000
#define FIELDS_MAX  10
#define TITLE_MAX   900
#define VALUE_MAX   500
#define WORDS_MAX   600
#define DIGEST_ROOM 11500
/* An ampersand grows to five bytes. */
static_assert(5 * CHAT_LINK_MAX + TITLE_MAX + 32 <= SECTION_MAX, "room for a title and its link");
/* So many messages in a digest: each has the room of a usual title with its link. */
#define SLACK_DIGEST_MAX 100
static_assert(DIGEST_ROOM / SLACK_DIGEST_MAX >= 115, "room for each message");

/* Three characters mean something to Slack, and no others are to be escaped ("Formatting message text"). */
static const char *
slack_entity(char c)
{
	return c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : NULL;
}

/* What stands in the place of a text's byte, or NULL. Mattermost and Rocket.Chat take "@all" in a customer's name for a
 * call to the whole channel, unless an invisible blank parts it; an address such as zoe@example.com stays as it is. */
static const char *
slack_escape(const char *string, size_t i)
{
	if (string[i] == '@' && (i == 0 || !isalnum((unsigned char)string[i - 1])))
		return "@\u200b";
	return slack_entity(string[i]);
}

/* Adds a text escaped, cut so that at most `max` bytes are added. */
static void
slack_add(struct text *text, const char *string, size_t max)
{
	static const char mark[] = "\u2026";
	size_t whole = 0, len = strlen(string);
	for (size_t i = 0; i < len; i++) {
		const char *escape = slack_escape(string, i);
		whole += escape ? strlen(escape) : 1;
	}
	size_t room = whole > max ? max - strlen(mark) : max;
	for (size_t i = 0; i < len;) {
		size_t step = text_utf8(string + i, len - i);
		step = step ? step : 1;
		const char *escape = slack_escape(string, i);
		size_t n = escape ? strlen(escape) : step;
		if (n > room)
			break;
		text_add(text, escape ? escape : string + i, n);
		room -= n;
		i += step;
	}
	if (whole > max)
		text_add_string(text, mark);
}

/* "<https://desk.example.com/t/4711|words>", or the words alone. */
static void
slack_add_link(struct text *text, const char *link, const char *words, size_t max)
{
	if (!link) {
		slack_add(text, words, max);
		return;
	}
	text_add_string(text, "<");
	for (; *link; link++) {
		/* Would end the address. */
		const char *code = *link == ' '   ? "%20"
		                   : *link == '<' ? "%3C"
		                   : *link == '>' ? "%3E"
		                   : *link == '|' ? "%7C"
		                                  : slack_entity(*link);
		text_add(text, code ? code : link, code ? strlen(code) : 1);
	}
	text_add_string(text, "|");
	slack_add(text, words, max);
	text_add_string(text, ">");
}

/* The text as a JSON string; NULL when out of memory. Ends it. */
static json_t *
text_take(struct text *text)
{
	json_t *json = text->failed ? NULL : json_stringn(text->data ? text->data : "", text->len);
	free(text->data);
	*text = (struct text){0};
	return json;
}

static int
section_add(json_t *blocks, struct text *text)
{
	return json_array_append_new(
	    blocks, json_pack("{ss s{ss so}}", "type", "section", "text", "type", "mrkdwn", "text", text_take(text)));
}

static int
head_add(json_t *blocks, struct text *text, const struct message *message)
{
	struct text head = {0};
	text_add_string(text, chat_mark(message));
	text_add_string(text, " ");
	slack_add_link(text, chat_link(message), message->title, TITLE_MAX);
	text_add_string(&head, chat_mark(message));
	text_add_string(&head, " *");
	slack_add_link(&head, chat_link(message), message->title, TITLE_MAX);
	text_add_string(&head, "*");
	return section_add(blocks, &head);
}

static int
facts_add(json_t *blocks, struct text *text, const struct message *message)
{
	json_t *fields = NULL;
	for (size_t i = 0; i < message->n_facts; i++) {
		const struct message_fact *fact = &message->facts[i];
		struct text field = {0};
		text_add_string(text, "\n");
		text_add_string(text, fact->name);
		text_add_string(text, ": ");
		slack_add(text, fact->value, VALUE_MAX);
		text_add_string(&field, "*");
		text_add_string(&field, fact->name);
		text_add_string(&field, "*\n");
		slack_add(&field, fact->value, VALUE_MAX);
		if (i % FIELDS_MAX == 0) {
			fields = json_array();
			/* The array is lent to the block, which stays in its place. */
			if (json_array_append_new(blocks, json_pack("{ss sO}", "type", "section", "fields", fields)) <
			    0) {
				json_decref(fields);
				free(field.data);
				return -1;
			}
			json_decref(fields);
		}
		json_t *value = json_pack("{ss so}", "type", "mrkdwn", "text", text_take(&field));
		if (json_array_append_new(fields, value) < 0)
			return -1;
	}
	return 0;
}

/* One line of a digest, the fullest of its forms that fits. */
static void
line_add(struct text *line, const struct message *item, size_t room)
{
	for (int form = CHAT_TITLE; form < CHAT_FORM_COUNT; form++) {
		struct chat_line words = chat_line_of(item, (enum chat_form)form);
		line->len = 0;
		text_add_string(line, "\n");
		text_add_string(line, chat_mark(item));
		text_add_string(line, " ");
		slack_add_link(line, words.link, words.words, WORDS_MAX);
		if (line->len <= room)
			return;
	}
}

static int
items_add(json_t *blocks, struct text *text, const struct message *message)
{
	struct text section = {0}, line = {0};
	size_t left = DIGEST_ROOM;
	int r = 0;
	for (size_t i = 0; r == 0 && i < message->n_items; i++) {
		line_add(&line, message->items[i], left / (message->n_items - i));
		left -= line.len < left ? line.len : left;
		text_add(text, line.data, line.len);
		if (section.len + line.len > SECTION_MAX)
			r = section_add(blocks, &section);
		/* Blocks stand below each other anyway. */
		size_t lead = section.len == 0;
		text_add(&section, line.data + lead, line.len - lead);
	}
	if (r == 0 && section.len > 0)
		r = section_add(blocks, &section);
	r = r < 0 || line.failed ? -1 : 0;
	free(section.data);
	free(line.data);
	return r;
}

static char *
slack_render(const struct chat *chat, const struct message *message)
{
	(void)chat;
	struct text text = {0};
	json_t *blocks = json_array();
	int r = blocks ? head_add(blocks, &text, message) : -1;
	if (r == 0)
		r = facts_add(blocks, &text, message);
	if (r == 0)
		r = items_add(blocks, &text, message);
	/* A link is not to be looked into: its page may show the ticket's text. Mattermost and Rocket.Chat let a
	 * contact's address stand for the hook's own channel; Slack's hooks pass over it. */
	json_t *words = text_take(&text);
	json_t *body = r < 0 ? NULL
	                     : json_pack("{sO sO ss* sb sb}", "text", words, "blocks", blocks, "channel",
	                                 message->address, "unfurl_links", 0, "unfurl_media", 0);
	char *json = body ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	json_decref(words);
	json_decref(blocks);
	return json;
}

/* Slack and Mattermost say "ok", Rocket.Chat {"success":true}, others that took Slack's form over {"ok":true}. What is
 * neither, such as a proxy's page, is no delivery. */
static enum outcome
slack_judge(const struct http_answer *answer)
{
	enum outcome outcome = retry_of_http_status(answer->status);
	if (outcome != OUTCOME_DELIVERED)
		return outcome;
	size_t n = answer->n_body;
	while (n > 0 && strchr(" \t\r\n", answer->body[n - 1]))
		n--;
	if (n == 0 || (n == 2 && strncasecmp(answer->body, "ok", 2) == 0))
		return OUTCOME_DELIVERED;
	json_t *json = json_loadb(answer->body, n, 0, NULL);
	const json_t *ok = json_object_get(json, "ok"), *success = json_object_get(json, "success");
	if (json_is_true(ok) || json_is_true(success))
		outcome = OUTCOME_DELIVERED;
	else
		outcome = json_is_false(ok) || json_is_false(success) ? OUTCOME_DEAD : OUTCOME_RETRY;
	json_decref(json);
	return outcome;
}

static int
slack_send(struct channel *channel, const struct delivery *delivery, struct channel_attempt **ret)
{
	const struct chat *chat = (const struct chat *)channel;
	return chat_send(chat, chat->url, delivery, slack_render, slack_judge, ret);
}

const struct channel_ops slack_ops = {
    .type = CHANNEL_SLACK,
    .retry = &retry_chat,
    .supersedes = true,
    .digest_max = SLACK_DIGEST_MAX,
    .open = chat_open,
    .close = chat_close,
    .send = slack_send,
    .cancel = post_cancel,
};
