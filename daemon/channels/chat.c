#include "chat.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/* Shorter forms: the longest ticket's name (message.c). */
#define SHORT_MAX 130

int
chat_open(const struct channel_settings *settings, const struct channel_context *context, struct channel **ret)
{
	if (!settings->url || !http_url_valid(settings->url) || settings->timeout.us < 0)
		return -EINVAL;
	struct chat *chat = calloc(1, sizeof(*chat));
	if (!chat)
		return -ENOMEM;
	chat->http = context->http;
	chat->now = context->now;
	chat->arg = context->arg;
	chat->timeout = settings->timeout;
	chat->url = strdup(settings->url);
	chat->token = settings->token ? strdup(settings->token) : NULL;
	if (!chat->url || (settings->token && !chat->token)) {
		chat_close(&chat->channel);
		return -ENOMEM;
	}
	*ret = &chat->channel;
	return 0;
}

void
chat_close(struct channel *channel)
{
	struct chat *chat = (struct chat *)channel;
	if (!chat)
		return;
	/* Whoever has a chat's URL may write to it. */
	if (chat->url)
		OPENSSL_cleanse(chat->url, strlen(chat->url));
	if (chat->token)
		OPENSSL_cleanse(chat->token, strlen(chat->token));
	free(chat->url);
	free(chat->token);
	free(chat);
}

int
chat_send(const struct chat *chat, const char *url, const struct delivery *delivery, chat_render *render,
          post_judge *judge, struct channel_attempt **ret)
{
	struct message *message;
	int r = message_new(delivery, chat->now(chat->arg), &message);
	if (r < 0)
		return r;
	char *body = render(chat, message);
	message_free(message);
	if (!body)
		return -ENOMEM;
	r = post_json(chat->http, url, chat->token, body, chat->timeout, judge, ret);
	free(body);
	return r;
}

const char *
chat_mark(const struct message *message)
{
	static const char *const severity_marks[MESSAGE_SEVERITY_COUNT] = {
	    [MESSAGE_INFO] = "\U0001f535",     /* blue */
	    [MESSAGE_WARNING] = "\U0001f7e0",  /* orange */
	    [MESSAGE_ERROR] = "\U0001f534",    /* red */
	    [MESSAGE_CRITICAL] = "\U0001f534", /* red */
	};
	static const char *const kind_marks[MESSAGE_KIND_COUNT] = {
	    [MESSAGE_ACKNOWLEDGED] = "\U0001f440", /* eyes */
	    [MESSAGE_RESOLVED] = "\u2705",         /* a tick */
	    [MESSAGE_TEST] = "\U0001f527",         /* a wrench */
	};
	const char *mark = kind_marks[message->kind];
	return mark ? mark : severity_marks[message->severity];
}

const char *
chat_link(const struct message *message)
{
	return message->link && strlen(message->link) <= CHAT_LINK_MAX ? message->link : NULL;
}

struct chat_line
chat_line_of(const struct message *item, enum chat_form form)
{
	struct chat_line line = {.link = form <= CHAT_NAME_AND_LINK ? chat_link(item) : NULL};
	const char *name = form == CHAT_NUMBER ? item->number : item->ticket;
	if (form == CHAT_TITLE)
		(void)message_cut(item->title, CHAT_WORDS_MAX, line.words);
	else
		(void)message_cut(name ? name : item->title, SHORT_MAX, line.words);
	return line;
}
