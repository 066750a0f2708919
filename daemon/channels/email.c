/* email: a mail over SMTP, in text and HTML. A ticket's mails are one thread. */
#include "email_render.h"
#include "slated/channel.h"
#include "slated/mail_client.h"
#include "slated/text.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_SIZE 2048
/* The most messages of one digest: Gmail cuts off a body of more than 102 KB, and a row takes up to 400 bytes where
 * names and links are of usual length. */
#define EMAIL_DIGEST_MAX 200

struct email_channel {
	struct channel channel;
	struct mail_client *mail;
	struct instant (*now)(void *arg);
	void *arg;
	char *instance;
	char *url;
	enum channel_tls tls;
	char *user;
	char *password;
	char *from;
	char **to;
	size_t n_to;
	struct duration timeout;
};

struct email_attempt {
	struct channel_attempt attempt;
	struct mail_transfer *transfer;
	size_t n_recipients;
};

static void
email_close(struct channel *channel)
{
	struct email_channel *email = (struct email_channel *)channel;
	if (email->password)
		OPENSSL_cleanse(email->password, strlen(email->password));
	for (size_t i = 0; i < email->n_to; i++)
		free(email->to[i]);
	free(email->to);
	free(email->instance);
	free(email->url);
	free(email->user);
	free(email->password);
	free(email->from);
	free(email);
}

static bool
settings_valid(const struct channel_settings *settings)
{
	bool valid = settings->smtp && mail_url_valid(settings->smtp) && settings->from &&
	             text_is_mail_address(settings->from) && settings->n_to > 0 && settings->timeout.us >= 0;
	for (size_t i = 0; valid && i < settings->n_to; i++)
		valid = text_is_mail_address(settings->to[i]);
	return valid;
}

static int
settings_copy(struct email_channel *email, const struct channel_settings *settings)
{
	email->url = strdup(settings->smtp);
	email->from = strdup(settings->from);
	email->to = calloc(settings->n_to, sizeof(*email->to));
	if (!email->url || !email->from || !email->to)
		return -ENOMEM;
	if (settings->user && !(email->user = strdup(settings->user)))
		return -ENOMEM;
	if (settings->password && !(email->password = strdup(settings->password)))
		return -ENOMEM;
	for (; email->n_to < settings->n_to; email->n_to++) {
		email->to[email->n_to] = strdup(settings->to[email->n_to]);
		if (!email->to[email->n_to])
			return -ENOMEM;
	}
	email->tls = settings->tls;
	email->timeout = settings->timeout;
	return 0;
}

static int
email_open(const struct channel_settings *settings, const struct channel_context *context, struct channel **ret)
{
	if (!settings_valid(settings))
		return -EINVAL;
	struct email_channel *email = calloc(1, sizeof(*email));
	if (!email)
		return -ENOMEM;
	email->mail = context->mail;
	email->now = context->now;
	email->arg = context->arg;
	email->instance = strdup(context->instance);
	int r = email->instance ? settings_copy(email, settings) : -ENOMEM;
	if (r < 0) {
		email_close(&email->channel);
		return r;
	}
	*ret = &email->channel;
	return 0;
}

/* A login that fails may be mended, and so may a server that does not talk to us. What it has against this mail, its
 * sender or all its recipients stays, where it says so (5yz: RFC 5321, section 4.2.1). */
static enum outcome
answer_judge(const struct mail_answer *answer, size_t n_recipients)
{
	if (answer->error == 0)
		return OUTCOME_DELIVERED;
	if (answer->n_refused == n_recipients)
		return answer->n_later + answer->n_login > 0 ? OUTCOME_RETRY : OUTCOME_DEAD;
	bool mail = answer->stage == MAIL_STAGE_SENDER || answer->stage == MAIL_STAGE_TEXT;
	bool forever = answer->status / 100 == 5 && !mail_status_wants_login(answer->status);
	return mail && forever ? OUTCOME_DEAD : OUTCOME_RETRY;
}

static void
answer_format(const struct mail_answer *answer, size_t n_recipients, char text[static ERROR_SIZE])
{
	if (answer->error == 0)
		(void)snprintf(text, ERROR_SIZE, "%zu of %zu recipients refused: %s", answer->n_refused, n_recipients,
		               answer->refused);
	else if (answer->n_refused == n_recipients)
		(void)snprintf(text, ERROR_SIZE, "all recipients refused: %s", answer->refused);
	else if (answer->status >= 400)
		(void)snprintf(text, ERROR_SIZE, "%s: the server says %s", answer->error_text, answer->reply);
	else
		(void)snprintf(text, ERROR_SIZE, "%s", answer->error_text);
	(void)text_clean(text, strlen(text));
}

static void
on_answer(void *arg, const struct mail_answer *answer)
{
	struct email_attempt *attempt = arg;
	char text[ERROR_SIZE];
	struct channel_result result = {.outcome = answer_judge(answer, attempt->n_recipients)};
	answer_format(answer, attempt->n_recipients, text);
	if (result.outcome != OUTCOME_DELIVERED)
		result.error = text;
	else if (answer->n_refused > 0)
		result.note = text;
	attempt->attempt.done(attempt->attempt.arg, &result);
	free(attempt);
}

static int
send_mail(const struct email_channel *channel, const struct email *email, struct email_attempt *attempt)
{
	char *text = email_render(email);
	if (!text)
		return -ENOMEM;
	const struct mail_request request = {
	    .url = channel->url,
	    .tls = channel->tls,
	    .user = channel->user,
	    .password = channel->password,
	    .sender = channel->from,
	    .recipients = email->to,
	    .n_recipients = email->n_to,
	    .text = text,
	    .timeout = channel->timeout,
	};
	attempt->n_recipients = email->n_to;
	int r = mail_client_send(channel->mail, &request, on_answer, attempt, &attempt->transfer);
	free(text);
	return r;
}

static int
email_send(struct channel *base, const struct delivery *delivery, struct channel_attempt **ret)
{
	struct email_channel *channel = (struct email_channel *)base;
	struct instant now = channel->now(channel->arg);
	struct message *message;
	int r = message_new(delivery, now, &message);
	if (r < 0)
		return r;
	struct email email = {
	    .message = message,
	    .instance = channel->instance,
	    .from = channel->from,
	    .to = (const char *const *)channel->to,
	    .n_to = channel->n_to,
	    .now = now,
	};
	if (message->address) {
		email.to = &message->address;
		email.n_to = 1;
	}
	struct email_attempt *attempt = calloc(1, sizeof(*attempt));
	if (!attempt)
		r = -ENOMEM;
	else if (message->address && !text_is_mail_address(message->address))
		r = -EBADMSG;
	else
		r = send_mail(channel, &email, attempt);
	message_free(message);
	if (r < 0) {
		free(attempt);
		return r;
	}
	*ret = &attempt->attempt;
	return 0;
}

static void
email_cancel(struct channel_attempt *base)
{
	struct email_attempt *attempt = (struct email_attempt *)base;
	mail_client_cancel(attempt->transfer);
	free(attempt);
}

const struct channel_ops email_ops = {
    .type = CHANNEL_EMAIL,
    .retry = &retry_chat,
    .supersedes = true,
    .digest_max = EMAIL_DIGEST_MAX,
    .open = email_open,
    .close = email_close,
    .send = email_send,
    .cancel = email_cancel,
};
