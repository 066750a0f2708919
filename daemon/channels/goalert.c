/* goalert: alerts for GoAlert's generic API integration.
 *
 * Sources: "Using Integration Keys" (GoAlert's own documentation), and genericapi/handler.go, alert/alert.go (at
 * e25626c3), alert/dedup.go of target/goalert: summary (1,024 characters; 118 in old versions, which cut it
 * themselves), details (6 KiB, Markdown), dedup (512), action "close"; the answer is 204 without content. There is no
 * way to acknowledge; an open alert that is sent again with its dedup key stays as it is. The integration's key is in
 * the URL. */
#include "slated/channel.h"
#include "slated/message.h"
#include "slated/post.h"
#include "slated/render.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define SUMMARY_MAX 1024
#define DETAILS_MAX (6 * 1024)
#define KEY_MAX     512
#define TEXT_MAX    320
/* The members of a digest that the details have room for, at MEMBER_MAX bytes a line. */
#define GOALERT_DIGEST_MAX 48
#define MEMBER_MAX         (DETAILS_MAX / GOALERT_DIGEST_MAX)

struct goalert {
	struct channel channel;
	struct event_base *base;
	struct http_client *http;
	struct instant (*now)(void *arg);
	void *arg;
	char *url;
	struct duration timeout;
};

static void
goalert_close(struct channel *channel)
{
	struct goalert *goalert = (struct goalert *)channel;
	if (goalert->url)
		OPENSSL_cleanse(goalert->url, strlen(goalert->url));
	free(goalert->url);
	free(goalert);
}

static int
goalert_open(const struct channel_settings *settings, const struct channel_context *context, struct channel **ret)
{
	if (!settings->url || !http_url_valid(settings->url) || settings->timeout.us < 0)
		return -EINVAL;
	struct goalert *goalert = calloc(1, sizeof(*goalert));
	if (!goalert)
		return -ENOMEM;
	goalert->base = context->base;
	goalert->http = context->http;
	goalert->now = context->now;
	goalert->arg = context->arg;
	goalert->timeout = settings->timeout;
	goalert->url = strdup(settings->url);
	if (!goalert->url) {
		goalert_close(&goalert->channel);
		return -ENOMEM;
	}
	*ret = &goalert->channel;
	return 0;
}

/* One line "- TITLE"; a title that loses its end gets the ticket's number, so that it is named in any case. */
static void
add_member(struct text *text, const struct message *item)
{
	char cut[MEMBER_MAX + 1];
	const char *id = item->ticket_id ? item->ticket_id : "";
	size_t room = MEMBER_MAX - strlen("- \n"), tail = strlen(" (ticket )") + strlen(id);
	bool whole = strlen(item->title) <= room;
	text_add_string(text, "- ");
	text_add(text, cut, message_cut(item->title, whole ? room : room - tail, cut));
	if (!whole) {
		text_add_string(text, " (ticket ");
		text_add_string(text, id);
		text_add_string(text, ")");
	}
	text_add_string(text, "\n");
}

static void
add_fact(struct text *text, const char *name, const char *value)
{
	char cut[TEXT_MAX + 1];
	if (!value)
		return;
	text_add_string(text, "- ");
	text_add_string(text, name);
	text_add_string(text, ": ");
	text_add(text, cut, message_cut(value, TEXT_MAX, cut));
	text_add_string(text, "\n");
}

/* The link first: of all that is said it is what must not be lost. */
static int
details_format(const struct message *message, char **ret)
{
	struct text text = {0};
	if (message->link && strlen(message->link) <= DETAILS_MAX / 4) {
		text_add_string(&text, message->link);
		text_add_string(&text, "\n\n");
	}
	for (size_t i = 0; i < message->n_facts; i++)
		add_fact(&text, message->facts[i].name, message->facts[i].value);
	add_fact(&text, "For", message->address);
	for (size_t i = 0; i < message->n_items; i++)
		add_member(&text, message->items[i]);
	text_add(&text, "", 1);
	if (text.failed) {
		free(text.data);
		return -ENOMEM;
	}
	*ret = text.data;
	return 0;
}

static int
body_format(const struct message *message, char **ret)
{
	char summary[SUMMARY_MAX + 1], *details;
	/* Two alerts must not become one, so a key is not cut; the ledger's are short. */
	if (strlen(message->alert) > KEY_MAX)
		return -EBADMSG;
	int r = details_format(message, &details);
	if (r < 0)
		return r;
	(void)message_cut(message->title, SUMMARY_MAX, summary);
	json_t *body = json_pack("{ss ss ss}", "summary", summary, "details", details, "dedup", message->alert);
	free(details);
	int failed = body ? 0 : -1;
	if (body && message->kind == MESSAGE_RESOLVED)
		failed = json_object_set_new(body, "action", json_string("close"));
	char *text = failed ? NULL : json_dumps(body, JSON_COMPACT);
	json_decref(body);
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}

/* A page in HTML is GoAlert's web interface or something in between, but not its API's yes. */
static enum outcome
goalert_judge(const struct http_answer *answer)
{
	enum outcome outcome = retry_of_http_status(answer->status);
	return outcome == OUTCOME_DELIVERED && answer->body[0] == '<' ? OUTCOME_RETRY : outcome;
}

static int
goalert_send(struct channel *channel, const struct delivery *delivery, struct channel_attempt **ret)
{
	struct goalert *goalert = (struct goalert *)channel;
	struct message *message;
	char *body = NULL;
	int r = message_new(delivery, goalert->now(goalert->arg), &message);
	if (r < 0)
		return r;
	/* To send it again would call people where the alert was closed by hand. */
	bool nothing = message->kind == MESSAGE_ACKNOWLEDGED;
	if (!nothing)
		r = body_format(message, &body);
	message_free(message);
	if (r < 0)
		return r;
	if (nothing)
		return post_nothing(goalert->base, ret);
	r = post_json(goalert->http, goalert->url, NULL, body, goalert->timeout, goalert_judge, ret);
	free(body);
	return r;
}

const struct channel_ops goalert_ops = {
    .type = CHANNEL_GOALERT,
    .retry = &retry_page,
    .pages = true,
    .supersedes = true,
    .digest_max = GOALERT_DIGEST_MAX,
    .open = goalert_open,
    .close = goalert_close,
    .send = goalert_send,
    .cancel = post_cancel,
};
