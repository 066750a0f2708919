/* teams: a workflow of Power Automate that begins with "When a Teams webhook request is received" and posts the
 * Adaptive Card that it is sent ("Create and send messages", learn.microsoft.com/microsoftteams/platform, 2025;
 * Adaptive Cards' schema explorer, version 1.4). All words stand in text runs, which know no Markdown, so that nothing
 * in a customer's name becomes markup. */
#include "chat.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A post holds about 28 KB (the Teams connector's "Known issues and limitations"), and Teams counts in UTF-16, two
 * bytes for each of ours at most. The workflow says 202 before it posts, so that too large a card were lost unseen. */
#define CARD_MAX 14336
/* What is not a digest's lines: the title with its link, and the envelope. */
#define FRAME_MAX 2600
#define TITLE_MAX 400
#define VALUE_MAX 250
/* So many messages in a digest: each has the room of a usual title with its link and the block that they stand in. */
#define TEAMS_DIGEST_MAX 40
static_assert((CARD_MAX - FRAME_MAX) / TEAMS_DIGEST_MAX >= 290, "room for each message");

static const char *
title_color(const struct message *message)
{
	static const char *const colors[MESSAGE_SEVERITY_COUNT] = {
	    [MESSAGE_INFO] = "Accent",
	    [MESSAGE_WARNING] = "Warning",
	    [MESSAGE_ERROR] = "Attention",
	    [MESSAGE_CRITICAL] = "Attention",
	};
	if (message->kind == MESSAGE_ALERT || message->kind == MESSAGE_DIGEST)
		return colors[message->severity];
	return message->kind == MESSAGE_RESOLVED ? "Good" : "Default";
}

/* A text run, with where it leads to unless that is NULL. */
static json_t *
run_new(const char *words, const char *link)
{
	json_t *action = link ? json_pack("{ss ss}", "type", "Action.OpenUrl", "url", link) : NULL;
	return link && !action ? NULL
	                       : json_pack("{ss ss so*}", "type", "TextRun", "text", words, "selectAction", action);
}

/* A block of one line; ends the runs. */
static json_t *
block_new(json_t *first, json_t *second)
{
	return json_pack("{ss ss s[oo*]}", "type", "RichTextBlock", "spacing", "Small", "inlines", first, second);
}

static int
title_add(json_t *body, const struct message *message)
{
	char title[TITLE_MAX + 1];
	(void)message_cut(message->title, TITLE_MAX, title);
	json_t *run = json_pack("{ss ss ss ss ss}", "type", "TextRun", "text", title, "weight", "Bolder", "size",
	                        "Medium", "color", title_color(message));
	return json_array_append_new(body, block_new(run, NULL));
}

static int
facts_add(json_t *body, const struct message *message)
{
	for (size_t i = 0; i < message->n_facts; i++) {
		const struct message_fact *fact = &message->facts[i];
		char value[VALUE_MAX + 3] = ": ";
		(void)message_cut(fact->value, VALUE_MAX, value + 2);
		json_t *name = json_pack("{ss ss sb}", "type", "TextRun", "text", fact->name, "isSubtle", 1);
		if (json_array_append_new(body, block_new(name, run_new(value, NULL))) < 0)
			return -1;
	}
	return 0;
}

/* A digest's line in the fullest of its forms whose JSON fits; NULL when out of memory. */
static json_t *
item_new(const struct message *item, size_t room, size_t *ret_len)
{
	json_t *block = NULL;
	for (int form = CHAT_TITLE; form < CHAT_FORM_COUNT; form++) {
		struct chat_line line = chat_line_of(item, (enum chat_form)form);
		char mark[16];
		(void)stpcpy(stpcpy(mark, chat_mark(item)), " ");
		json_decref(block);
		block = block_new(run_new(mark, NULL), run_new(line.words, line.link));
		char *text = block ? json_dumps(block, JSON_COMPACT) : NULL;
		if (!text) {
			json_decref(block);
			return NULL;
		}
		/* With the comma behind it. */
		*ret_len = strlen(text) + 1;
		free(text);
		if (*ret_len <= room)
			break;
	}
	return block;
}

static int
items_add(json_t *body, const struct message *message)
{
	size_t left = CARD_MAX - FRAME_MAX;
	for (size_t i = 0; i < message->n_items; i++) {
		size_t len;
		json_t *block = item_new(message->items[i], left / (message->n_items - i), &len);
		if (!block || json_array_append_new(body, block) < 0)
			return -1;
		left -= len < left ? len : left;
	}
	return 0;
}

static json_t *
card_new(const struct message *message)
{
	json_t *body = json_array(), *actions = NULL;
	const char *link = chat_link(message);
	if (!body || title_add(body, message) < 0 || facts_add(body, message) < 0 || items_add(body, message) < 0) {
		json_decref(body);
		return NULL;
	}
	if (link)
		actions = json_pack("[{ss ss ss}]", "type", "Action.OpenUrl", "title", "Open the ticket", "url", link);
	if (link && !actions) {
		json_decref(body);
		return NULL;
	}
	return json_pack("{ss ss ss s{ss} so so*}", "$schema", "http://adaptivecards.io/schemas/adaptive-card.json",
	                 "type", "AdaptiveCard", "version", "1.4", "msteams", "width", "Full", "body", body, "actions",
	                 actions);
}

static char *
teams_render(const struct chat *chat, const struct message *message)
{
	(void)chat;
	json_t *card = card_new(message);
	json_t *post = card ? json_pack("{ss s[{ss sn so}]}", "type", "message", "attachments", "contentType",
	                                "application/vnd.microsoft.card.adaptive", "contentUrl", "content", card)
	                    : NULL;
	char *json = post ? json_dumps(post, JSON_COMPACT) : NULL;
	json_decref(post);
	return json;
}

/* A workflow says 202 and nothing else. The connectors before it said 200 to what they refused too, and what Teams had
 * answered them stood in the body ("Rate limiting for connectors", same documentation). */
static enum outcome
teams_judge(const struct http_answer *answer)
{
	static const char refusal[] = "HTTP error ";
	enum outcome outcome = retry_of_http_status(answer->status);
	if (outcome != OUTCOME_DELIVERED || answer->status == 202)
		return outcome;
	const char *error = strstr(answer->body, refusal);
	if (error)
		outcome = retry_of_http_status(strtol(error + strlen(refusal), NULL, 10));
	else if (answer->n_body > 0 && strcmp(answer->body, "1") != 0)
		outcome = OUTCOME_RETRY;
	return error && outcome == OUTCOME_DELIVERED ? OUTCOME_RETRY : outcome;
}

static int
teams_send(struct channel *channel, const struct delivery *delivery, struct channel_attempt **ret)
{
	const struct chat *chat = (const struct chat *)channel;
	return chat_send(chat, chat->url, delivery, teams_render, teams_judge, ret);
}

const struct channel_ops teams_ops = {
    .type = CHANNEL_TEAMS,
    .retry = &retry_chat,
    .supersedes = true,
    .digest_max = TEAMS_DIGEST_MAX,
    .open = chat_open,
    .close = chat_close,
    .send = teams_send,
    .cancel = post_cancel,
};
