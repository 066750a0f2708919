#include "slated/post.h"
#include "slated/text.h"

#include <errno.h>
#include <event2/event.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So much of an answer's body goes into the error. */
#define ANSWER_MAX 200
#define ERROR_SIZE (ANSWER_MAX + 256)

struct post_attempt {
	struct channel_attempt attempt;
	struct http_transfer *transfer; /* NULL with nothing to send */
	struct event *turn;             /* NULL with a request */
	post_judge *judge;
};

/* What curl says, or "HTTP 404: " and the head of what the receiver says. */
static void
error_format(const struct http_answer *answer, char text[static ERROR_SIZE])
{
	if (answer->error != 0) {
		(void)snprintf(text, ERROR_SIZE, "%s", answer->error_text);
		(void)text_clean(text, strlen(text));
		return;
	}
	size_t len = (size_t)snprintf(text, ERROR_SIZE, "HTTP %ld", answer->status);
	size_t n = answer->n_body < ANSWER_MAX ? answer->n_body : ANSWER_MAX;
	if (n > 0) {
		memcpy(text + len, ": ", 2);
		memcpy(text + len + 2, answer->body, n);
		len += 2 + n;
	}
	(void)text_clean(text, len);
}

static void
on_answer(void *arg, const struct http_answer *answer)
{
	struct post_attempt *attempt = arg;
	char error[ERROR_SIZE];
	struct channel_result result = {.outcome = OUTCOME_RETRY, .retry_after = answer->retry_after};
	if (answer->error == 0)
		result.outcome = attempt->judge ? attempt->judge(answer) : retry_of_http_status(answer->status);
	if (result.outcome != OUTCOME_DELIVERED) {
		error_format(answer, error);
		result.error = error;
	}
	attempt->attempt.done(attempt->attempt.arg, &result);
	free(attempt);
}

int
post_start(struct http_client *http, const struct http_request *request, post_judge *judge,
           struct channel_attempt **ret)
{
	struct post_attempt *attempt = calloc(1, sizeof(*attempt));
	if (!attempt)
		return -ENOMEM;
	attempt->judge = judge;
	int r = http_client_send(http, request, on_answer, attempt, &attempt->transfer);
	if (r < 0) {
		free(attempt);
		/* A header that cannot be sent holds a key or a setting, and these will not get better. */
		return r == -EINVAL ? -EBADMSG : r;
	}
	*ret = &attempt->attempt;
	return 0;
}

int
post_json(struct http_client *http, const char *url, const char *token, const char *json, struct duration timeout,
          post_judge *judge, struct channel_attempt **ret)
{
	char *authorization = NULL;
	if (token && asprintf(&authorization, "Authorization: Bearer %s", token) < 0)
		return -ENOMEM;
	const char *const headers[] = {"Content-Type: application/json", authorization};
	const struct http_request request = {
	    .method = "POST",
	    .url = url,
	    .headers = headers,
	    .n_headers = authorization ? 2 : 1,
	    .body = json,
	    .n_body = strlen(json),
	    .timeout = timeout,
	};
	int r = post_start(http, &request, judge, ret);
	if (authorization)
		OPENSSL_cleanse(authorization, strlen(authorization));
	free(authorization);
	return r;
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct post_attempt *attempt = arg;
	static const struct channel_result result = {.outcome = OUTCOME_DELIVERED};
	attempt->attempt.done(attempt->attempt.arg, &result);
	event_free(attempt->turn);
	free(attempt);
}

int
post_nothing(struct event_base *base, struct channel_attempt **ret)
{
	static const struct timeval at_once = {0};
	struct post_attempt *attempt = calloc(1, sizeof(*attempt));
	if (!attempt)
		return -ENOMEM;
	attempt->turn = evtimer_new(base, on_turn, attempt);
	if (!attempt->turn || evtimer_add(attempt->turn, &at_once) < 0) {
		if (attempt->turn)
			event_free(attempt->turn);
		free(attempt);
		return -ENOMEM;
	}
	*ret = &attempt->attempt;
	return 0;
}

void
post_cancel(struct channel_attempt *attempt)
{
	struct post_attempt *post = (struct post_attempt *)attempt;
	if (post->transfer)
		http_client_cancel(post->transfer);
	if (post->turn)
		event_free(post->turn);
	free(post);
}
