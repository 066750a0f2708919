#include "sender.h"
#include "slated/courier.h"
#include "slated/http_client.h"
#include "slated/loop.h"
#include "slated/mail_client.h"

#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEADLINE_S 30

struct sender {
	struct event_base *base;
	struct loop *loop;
	struct courier *courier;
	const char *channel; /* its name */
	struct instant next; /* the earliest next attempt */
	int64_t jumped_us;
};

static struct instant
sender_now(void *arg)
{
	const struct sender *sender = arg;
	struct timespec ts;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (struct instant){(int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000 + sender->jumped_us};
}

static uint64_t
sender_random(void *arg)
{
	(void)arg;
	return (uint64_t)random() << 31 ^ (uint64_t)random();
}

static void
sender_outcome(void *arg, const struct delivery *delivery, enum outcome outcome, const char *error)
{
	struct sender *sender = arg;
	int64_t wait = 0;
	if (outcome == OUTCOME_RETRY) {
		wait = instant_since(delivery->next_attempt_at, sender_now(sender)).us / 1000;
		sender->next = instant_min(sender->next, delivery->next_attempt_at);
	}
	json_t *line =
	    json_pack("{ss ss sI sI ss*}", "key", delivery->key, "outcome", outcome_names[outcome], "attempts",
	              (json_int_t)delivery->attempts, "wait_ms", (json_int_t)wait, "error", error);
	char *text = json_dumps(line, JSON_COMPACT);
	puts(text);
	fflush(stdout);
	free(text);
	json_decref(line);
}

static int
sender_add(struct sender *sender, const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, 0, &error);
	json_int_t ticket_id;
	json_t *payload;
	const char *at;
	struct delivery delivery = {.channel = sender->channel};
	if (!json || json_unpack_ex(json, &error, 0, "{ss sI s?s ss ss s?s so}", "key", &delivery.key, "ticket_id",
	                            &ticket_id, "external_id", &delivery.external_id, "kind", &delivery.kind, "at", &at,
	                            "address", &delivery.address, "payload", &payload) < 0) {
		fprintf(stderr, "%s\n", error.text);
		json_decref(json);
		return -EINVAL;
	}
	char *payload_text = json_dumps(payload, JSON_COMPACT);
	delivery.payload = payload_text;
	delivery.ticket_id = ticket_id;
	delivery.created_at = sender_now(sender);
	delivery.told = true; /* what comes before is the test's business */
	int r = instant_parse(at, strlen(at), &delivery.at);
	if (r == 0)
		r = courier_add(sender->courier, &delivery);
	free(payload_text);
	json_decref(json);
	return r;
}

static int
sender_run(struct sender *sender)
{
	char *line = NULL;
	size_t size = 0;
	int r = 0;
	while (r == 0 && getline(&line, &size, stdin) > 0)
		r = sender_add(sender, line);
	free(line);
	if (r < 0)
		return 2;
	struct timeval deadline = {.tv_sec = DEADLINE_S};
	(void)event_base_loopexit(sender->base, &deadline);
	for (;;) {
		struct courier_counts counts = courier_count(sender->courier);
		if (counts.behind + counts.later + counts.ready + counts.in_flight == 0)
			return 0;
		if (event_base_got_exit(sender->base))
			return 3;
		if (counts.in_flight == 0) {
			/* Nothing under way: the time until the next attempt is jumped over; where ready ones wait, it
			 * is the channel that holds them back. */
			int64_t wait = instant_since(sender->next, sender_now(sender)).us;
			sender->jumped_us += counts.ready > 0 ? US_PER_S / 2 : wait > 0 ? wait : 0;
			sender->next = INSTANT_NEVER;
			courier_wake(sender->courier);
		}
		(void)event_base_loop(sender->base, EVLOOP_ONCE);
	}
}

int
sender_main(const struct channel_settings *settings, const char *ca_file)
{
	(void)signal(SIGPIPE, SIG_IGN);
	struct sender sender = {.base = event_base_new(), .channel = settings->name, .next = INSTANT_NEVER};
	struct http_client *http = NULL;
	struct mail_client *mail = NULL;
	struct channel *channel = NULL;
	const struct courier_hooks hooks = {
	    .now = sender_now, .random = sender_random, .outcome = sender_outcome, .arg = &sender};
	if (!sender.base || http_client_new(sender.base, &http) < 0 ||
	    mail_client_new(sender.base, ca_file, &mail) < 0 || loop_new(sender.base, &sender.loop) < 0 ||
	    courier_new(sender.loop, 64, &hooks, &sender.courier) < 0)
		return 2;
	const struct channel_context context = {
	    .http = http,
	    .mail = mail,
	    .instance = "test 1",
	    .now = sender_now,
	    .arg = &sender,
	};
	int r = channel_open(settings, &context, &channel);
	if (r < 0)
		fprintf(stderr, "the channel: %s\n", strerror(-r));
	if (r == 0)
		r = courier_set_channels(sender.courier, &channel, 1);
	int status = r == 0 ? sender_run(&sender) : 2;
	courier_free(sender.courier);
	channel_close(channel);
	mail_client_free(mail);
	http_client_free(http);
	loop_free(sender.loop);
	event_base_free(sender.base);
	return status;
}
