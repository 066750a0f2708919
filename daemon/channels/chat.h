/* What the channels for chats share: one address to post to, a message rendered as JSON, and a digest whose lines
 * share the room that the service gives. */
#ifndef SLATED_CHAT_H
#define SLATED_CHAT_H

#include "slated/channel.h"
#include "slated/message.h"
#include "slated/post.h"

struct chat {
	struct channel channel;
	struct http_client *http;
	struct instant (*now)(void *arg);
	void *arg;
	char *url;
	char *token; /* or NULL */
	struct duration timeout;
};

/* ops->open and ops->close; close takes NULL. */
int chat_open(const struct channel_settings *settings, const struct channel_context *context, struct channel **ret)
    __attribute__((warn_unused_result));
void chat_close(struct channel *channel);

/* A body's JSON text, to be freed; NULL when out of memory. */
typedef char *chat_render(const struct chat *chat, const struct message *message);

/* Words a delivery, renders it and posts it to `url`; for ops->send. */
int chat_send(const struct chat *chat, const char *url, const struct delivery *delivery, chat_render *render,
              post_judge *judge, struct channel_attempt **ret) __attribute__((warn_unused_result));

/* A sign for the eye: how grave it is, or that all is well. */
const char *chat_mark(const struct message *message);

/* The message's link; NULL where it has none, or one so long that it would take the words' room. */
#define CHAT_LINK_MAX 400
const char *chat_link(const struct message *message);

#define CHAT_WORDS_MAX 300

/* One line of a digest: its words, and where they lead to (or NULL). */
struct chat_line {
	char words[CHAT_WORDS_MAX + 1];
	const char *link;
};

/* From the fullest to the shortest: the title, the ticket's name, each with its link, the name alone, the ticket's
 * number alone. */
enum chat_form {
	CHAT_TITLE,
	CHAT_NAME_AND_LINK,
	CHAT_NAME,
	CHAT_NUMBER,
	CHAT_FORM_COUNT,
};

struct chat_line chat_line_of(const struct message *item, enum chat_form form);

#endif
