/* alertmanager: alerts for Prometheus Alertmanager, API v2 (api/v2/openapi.yaml of prometheus/alertmanager 0.25;
 * "Alertmanager Clients" on prometheus.io: clients send again what is firing, about once a minute).
 *
 * An alert's labels are its identity, so what can change is in the annotations, and the labels stay those of the
 * first message. Alertmanager keeps alerts for as long as `endsAt` says and may lose them with its folder, so this
 * channel keeps what it has told and sends it again:
 *
 *	alerts (by key)   firing: at every interval, with endsAt some intervals ahead
 *	                  ended:  at every interval with its endsAt, forgotten some intervals later
 *	                  refused: not again before the next message about it
 *
 * One alert that Alertmanager finds invalid makes it refuse the whole request with 400 or 422; its alerts then go
 * one by one. */
#include "alertmanager.h"
#include "slated/channel.h"
#include "slated/log.h"
#include "slated/message.h"
#include "slated/post.h"
#include "slated/text.h"

#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define PATH "/api/v2/alerts"
/* A request holds so many: some 200 KB. There is no limit on a digest. */
#define BATCH_MAX               128
#define ALERTMANAGER_DIGEST_MAX BATCH_MAX
/* In intervals. */
#define ENDS_AHEAD      4
#define FORGOTTEN_AFTER 5

#define ERROR_MAX 400

/* Nothing gets old here, since what is sent is the present state; the waits are no longer than a round's. */
static const struct retry_policy alertmanager_retry = {
    .base = {US_PER_S},
    .cap = {US_PER_MIN},
    .give_up = {72 * US_PER_H},
};

struct alert {
	json_t *json; /* as Alertmanager has it; "endsAt" only where it has ended */
	struct instant forget_at;
	bool refused;
	UT_hash_handle hh;
	char key[];
};

/* Alerts on their way, request by request. */
struct push {
	struct alertmanager *owner;
	json_t *alerts;
	size_t next;      /* the first of the request under way */
	size_t n;         /* in this request */
	size_t n_singles; /* so many from `next` on go one by one */
	size_t n_refused;
	char error[ERROR_MAX]; /* of the last that was refused */
	struct channel_attempt *request;
	bool is_round;
	void (*end)(struct push *push, const struct channel_result *result);
};

struct alertmanager {
	struct channel channel;
	struct event_base *base;
	struct http_client *http;
	struct instant (*now)(void *arg);
	void *arg;
	char *url;
	char *token;
	struct duration timeout;
	struct duration interval;
	struct event *timer; /* of the next round; pending but for a round under way and an empty table */
	struct alert *alerts;
	struct push round; /* alerts: NULL = none is under way */
	bool again;        /* something was told during the round, which may have overtaken it */
	bool failing;
};

struct alertmanager_attempt {
	struct channel_attempt attempt;
	struct push push;
};

static struct instant
now_of(const struct alertmanager *am)
{
	return am->now(am->arg);
}

static struct duration
intervals(const struct alertmanager *am, int n)
{
	return (struct duration){am->interval.us * n};
}

static const char *
alert_key(const json_t *json)
{
	return json_string_value(json_object_get(json_object_get(json, "labels"), "alert"));
}

static struct alert *
alerts_find(struct alertmanager *am, const char *key)
{
	struct alert *alert;
	HASH_FIND_STR(am->alerts, key, alert);
	return alert;
}

static void
alerts_remove(struct alertmanager *am, struct alert *alert)
{
	HASH_DEL(am->alerts, alert);
	json_decref(alert->json);
	free(alert);
}

/* Keeps the alert in place of a former one with its key. Without memory the former one stays. */
static void
alerts_put(struct alertmanager *am, json_t *json, struct instant forget_at)
{
	const char *key = alert_key(json);
	struct alert *alert = alerts_find(am, key);
	if (!alert) {
		alert = malloc(sizeof(*alert) + strlen(key) + 1);
		if (!alert) {
			log_error("an alert will not be sent again", log_text("channel", am->channel.name),
			          log_errno(-ENOMEM));
			return;
		}
		strcpy(alert->key, key);
		alert->json = NULL;
		HASH_ADD_STR(am->alerts, key, alert);
	}
	json_incref(json);
	json_decref(alert->json);
	alert->json = json;
	alert->forget_at = forget_at;
	alert->refused = false;
}

static json_t *
alert_of(struct alertmanager *am, const struct message *message)
{
	const struct alert *known = alerts_find(am, message->alert);
	return alertmanager_alert_new(message, known ? known->json : NULL, now_of(am), intervals(am, ENDS_AHEAD));
}

/* Who acknowledges an alert that was never told says nothing of its labels, so there is none to change. */
static bool
is_about_nothing(struct alertmanager *am, const struct message *message)
{
	return message->kind == MESSAGE_ACKNOWLEDGED && !alerts_find(am, message->alert);
}

/* An array of the alerts that a delivery is about, which may be empty. */
static int
alerts_of(struct alertmanager *am, const struct delivery *delivery, json_t **ret)
{
	struct message *message;
	int r = message_new(delivery, now_of(am), &message);
	if (r < 0)
		return r;
	bool digest = message->kind == MESSAGE_DIGEST;
	size_t n = digest ? message->n_items : 1;
	json_t *alerts = json_array();
	if (!alerts)
		r = -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++) {
		const struct message *one = digest ? message->items[i] : message;
		if (!is_about_nothing(am, one) && json_array_append_new(alerts, alert_of(am, one)) < 0)
			r = -ENOMEM;
	}
	message_free(message);
	if (r < 0) {
		json_decref(alerts);
		return r;
	}
	*ret = alerts;
	return 0;
}

/* Requests ----------------------------------------------------------------------------------------------------------
 */

/* The answer's body is empty; a page in HTML comes from something in between. */
static enum outcome
judge_one(const struct http_answer *answer)
{
	enum outcome outcome = retry_of_http_status(answer->status);
	return outcome == OUTCOME_DELIVERED && answer->body[0] == '<' ? OUTCOME_RETRY : outcome;
}

/* Of several: "dead" only where the fault is in an alert. */
static enum outcome
judge_several(const struct http_answer *answer)
{
	if (judge_one(answer) == OUTCOME_DELIVERED)
		return OUTCOME_DELIVERED;
	return answer->status == 400 || answer->status == 422 ? OUTCOME_DEAD : OUTCOME_RETRY;
}

/* The body: the alerts with the time at which those that fire would end by themselves. */
static char *
body_format(const struct push *push)
{
	json_t *body = json_array();
	struct instant ends = instant_plus(now_of(push->owner), intervals(push->owner, ENDS_AHEAD));
	int failed = 0;
	for (size_t i = 0; i < push->n; i++) {
		json_t *json = json_copy(json_array_get(push->alerts, push->next + i));
		if (!json_object_get(json, "endsAt"))
			failed |= alertmanager_put_instant(json, "endsAt", ends);
		failed |= json_array_append_new(body, json);
	}
	char *text = failed ? NULL : json_dumps(body, JSON_COMPACT);
	json_decref(body);
	return text;
}

/* A round takes each alert as it is when its turn comes. */
static void
push_refresh(struct push *push)
{
	for (size_t i = 0; i < push->n; i++) {
		const char *key = alert_key(json_array_get(push->alerts, push->next + i));
		struct alert *alert = alerts_find(push->owner, key);
		if (alert)
			(void)json_array_set(push->alerts, push->next + i, alert->json);
	}
}

static void on_pushed(void *arg, const struct channel_result *result);

/* Sends the next request. 0 or negative errno. */
static int
push_send(struct push *push)
{
	struct alertmanager *am = push->owner;
	size_t left = json_array_size(push->alerts) - push->next;
	push->n = push->n_singles > 0 ? 1 : left < BATCH_MAX ? left : BATCH_MAX;
	if (push->is_round)
		push_refresh(push);
	bool several = push->is_round || json_array_size(push->alerts) > 1;
	char *body = body_format(push);
	if (!body)
		return -ENOMEM;
	struct channel_attempt *request;
	int r =
	    post_json(am->http, am->url, am->token, body, am->timeout, several ? judge_several : judge_one, &request);
	free(body);
	if (r < 0)
		return r;
	request->done = on_pushed;
	request->arg = push;
	push->request = request;
	return 0;
}

static int
push_nothing(struct push *push)
{
	int r = post_nothing(push->owner->base, &push->request);
	if (r < 0)
		return r;
	push->request->done = on_pushed;
	push->request->arg = push;
	return 0;
}

/* What one delivered request means for the table. */
static void
push_accepted(struct push *push)
{
	struct alertmanager *am = push->owner;
	struct instant forget_at = instant_plus(now_of(am), intervals(am, FORGOTTEN_AFTER));
	for (size_t i = 0; i < push->n && !push->is_round; i++) {
		json_t *json = json_array_get(push->alerts, push->next + i);
		alerts_put(am, json, json_object_get(json, "endsAt") ? forget_at : INSTANT_NEVER);
		am->again = true;
	}
}

static void
push_refused(struct push *push, const char *error)
{
	struct alertmanager *am = push->owner;
	const json_t *json = json_array_get(push->alerts, push->next);
	struct alert *alert = alerts_find(am, alert_key(json));
	push->n_refused++;
	(void)snprintf(push->error, sizeof(push->error), "%s", error);
	(void)text_clean(push->error, strlen(push->error));
	if (!push->is_round)
		return;
	log_warning("an alert was refused and is not sent again", log_text("channel", am->channel.name),
	            log_text("alert", alert_key(json)), log_text("error", error));
	if (alert && alert->json == json)
		alert->refused = true;
}

static void
on_pushed(void *arg, const struct channel_result *result)
{
	struct push *push = arg;
	push->request = NULL;
	if (result->outcome == OUTCOME_RETRY) {
		push->end(push, result);
		return;
	}
	if (result->outcome == OUTCOME_DEAD && push->n > 1) {
		push->n_singles = push->n;
	} else {
		if (result->outcome == OUTCOME_DEAD)
			push_refused(push, result->error);
		else
			push_accepted(push);
		push->next += push->n;
		push->n_singles -= push->n_singles > 0 ? 1 : 0;
	}
	struct channel_result end = {.outcome = OUTCOME_DELIVERED};
	if (push->next < json_array_size(push->alerts)) {
		int r = push_send(push);
		if (r == 0)
			return;
		end.outcome = OUTCOME_RETRY;
		end.error = strerror(-r);
	}
	push->end(push, &end);
}

/* Attempts ----------------------------------------------------------------------------------------------------------
 */

static void
attempt_free(struct alertmanager_attempt *attempt)
{
	json_decref(attempt->push.alerts);
	free(attempt);
}

static void
alertmanager_start_rounds(struct alertmanager *am, struct duration wait)
{
	const struct timeval timeout = {
	    .tv_sec = (time_t)(wait.us / US_PER_S),
	    .tv_usec = (suseconds_t)(wait.us % US_PER_S),
	};
	if (am->alerts && !am->round.alerts && evtimer_add(am->timer, &timeout) < 0)
		log_error("alerts are not sent again", log_text("channel", am->channel.name), log_errno(-ENOMEM));
}

/* An attempt with alerts that were refused is dead, whatever became of the others: somebody has to look. */
static void
attempt_end(struct push *push, const struct channel_result *result)
{
	struct alertmanager_attempt *attempt =
	    (struct alertmanager_attempt *)((char *)push - offsetof(struct alertmanager_attempt, push));
	struct channel_result end = *result;
	size_t n = json_array_size(push->alerts);
	char error[ERROR_MAX + 64];
	if (result->outcome == OUTCOME_DELIVERED && push->n_refused > 0) {
		end.outcome = OUTCOME_DEAD;
		end.error = push->error;
		if (n > 1) {
			(void)snprintf(error, sizeof(error), "%zu of %zu alerts refused: %s", push->n_refused, n,
			               push->error);
			end.error = error;
		}
	}
	if (!evtimer_pending(push->owner->timer, NULL))
		alertmanager_start_rounds(push->owner, push->owner->interval);
	attempt->attempt.done(attempt->attempt.arg, &end);
	attempt_free(attempt);
}

static int
alertmanager_send(struct channel *channel, const struct delivery *delivery, struct channel_attempt **ret)
{
	struct alertmanager *am = (struct alertmanager *)channel;
	json_t *alerts;
	int r = alerts_of(am, delivery, &alerts);
	if (r < 0)
		return r;
	struct alertmanager_attempt *attempt = calloc(1, sizeof(*attempt));
	if (!attempt) {
		json_decref(alerts);
		return -ENOMEM;
	}
	attempt->push = (struct push){.owner = am, .alerts = alerts, .end = attempt_end};
	r = json_array_size(alerts) > 0 ? push_send(&attempt->push) : push_nothing(&attempt->push);
	if (r < 0) {
		attempt_free(attempt);
		return r;
	}
	*ret = &attempt->attempt;
	return 0;
}

static void
alertmanager_cancel(struct channel_attempt *attempt)
{
	struct alertmanager_attempt *mine = (struct alertmanager_attempt *)attempt;
	post_cancel(mine->push.request);
	attempt_free(mine);
}

/* Rounds ------------------------------------------------------------------------------------------------------------
 */

/* Says once that it fails, and once that it works again. */
static void
round_note(struct alertmanager *am, const struct channel_result *result)
{
	bool failing = result->outcome != OUTCOME_DELIVERED;
	if (failing && !am->failing)
		log_warning("alerts could not be sent again", log_text("channel", am->channel.name),
		            log_text("error", result->error));
	else if (!failing && am->failing)
		log_info("alerts are sent again", log_text("channel", am->channel.name));
	am->failing = failing;
}

static void
round_end(struct push *push, const struct channel_result *result)
{
	struct alertmanager *am = push->owner;
	round_note(am, result);
	json_decref(push->alerts);
	push->alerts = NULL;
	struct duration wait = am->interval;
	if (result->outcome != OUTCOME_DELIVERED)
		wait.us /= 4;
	else if (am->again)
		wait.us = 0;
	alertmanager_start_rounds(am, wait);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct alertmanager *am = arg;
	struct instant now = now_of(am);
	struct alert *alert, *next;
	json_t *alerts = json_array();
	bool failed = !alerts;
	HASH_ITER (hh, am->alerts, alert, next) {
		if (!instant_before(now, alert->forget_at))
			alerts_remove(am, alert);
		else if (!alert->refused)
			failed |= json_array_append(alerts, alert->json) < 0;
	}
	am->again = false;
	am->round = (struct push){.owner = am, .is_round = true, .end = round_end, .alerts = alerts};
	if (!failed && json_array_size(alerts) > 0 && push_send(&am->round) == 0)
		return;
	json_decref(alerts);
	am->round.alerts = NULL;
	alertmanager_start_rounds(am, am->interval);
}

/* The channel -------------------------------------------------------------------------------------------------------
 */

static void
alertmanager_close(struct channel *channel)
{
	struct alertmanager *am = (struct alertmanager *)channel;
	struct alert *alert, *next;
	if (am->round.alerts)
		post_cancel(am->round.request);
	json_decref(am->round.alerts);
	HASH_ITER (hh, am->alerts, alert, next)
		alerts_remove(am, alert);
	if (am->timer)
		event_free(am->timer);
	if (am->token)
		OPENSSL_cleanse(am->token, strlen(am->token));
	free(am->token);
	free(am->url);
	free(am);
}

static int
alertmanager_open(const struct channel_settings *settings, const struct channel_context *context, struct channel **ret)
{
	if (!settings->url || !http_url_valid(settings->url) || settings->timeout.us < 0)
		return -EINVAL;
	struct alertmanager *am = calloc(1, sizeof(*am));
	if (!am)
		return -ENOMEM;
	size_t len = strlen(settings->url);
	while (len > 0 && settings->url[len - 1] == '/')
		len--;
	am->base = context->base;
	am->http = context->http;
	am->now = context->now;
	am->arg = context->arg;
	am->timeout = settings->timeout;
	am->interval = (struct duration){US_PER_MIN};
	am->timer = evtimer_new(context->base, on_timer, am);
	am->token = settings->token ? strdup(settings->token) : NULL;
	am->url = malloc(len + sizeof(PATH));
	if (!am->timer || !am->url || (settings->token && !am->token)) {
		alertmanager_close(&am->channel);
		return -ENOMEM;
	}
	memcpy(am->url, settings->url, len);
	strcpy(am->url + len, PATH);
	*ret = &am->channel;
	return 0;
}

/* Later messages about an alert change what the earlier ones left, as they do when they are sent. The first round comes
 * when there is a pause in these calls. */
static void
alertmanager_restore(struct channel *channel, const struct delivery *delivery)
{
	struct alertmanager *am = (struct alertmanager *)channel;
	json_t *alerts, *json;
	size_t i;
	if (strcmp(delivery->kind, "test") == 0)
		return;
	int r = alerts_of(am, delivery, &alerts);
	if (r < 0) {
		log_warning("an alert cannot be restored", log_text("channel", channel->name),
		            log_text("delivery", delivery->key), log_errno(r));
		return;
	}
	json_array_foreach(alerts, i, json)
	{
		struct instant ends = alertmanager_get_instant(json, "endsAt");
		alerts_put(am, json, instant_plus(ends, intervals(am, FORGOTTEN_AFTER)));
	}
	json_decref(alerts);
	alertmanager_start_rounds(am, (struct duration){am->interval.us < US_PER_S ? am->interval.us : US_PER_S});
}

void
alertmanager_set_interval(struct channel *channel, struct duration interval)
{
	((struct alertmanager *)channel)->interval = interval;
}

const struct channel_ops alertmanager_ops = {
    .type = CHANNEL_ALERTMANAGER,
    .retry = &alertmanager_retry,
    .supersedes = true,
    .digest_max = ALERTMANAGER_DIGEST_MAX,
    .open = alertmanager_open,
    .close = alertmanager_close,
    .send = alertmanager_send,
    .cancel = alertmanager_cancel,
    .restore = alertmanager_restore,
};
