/* Sends deliveries through one channel, an attempt each, and says what became of it:
 *
 *	send_chat TYPE URL NOW [TOKEN] < deliveries.ndjson
 *
 * A line in: {"key", "kind", "at", "address", "payload": {...}}. A line out for each: {"key", "outcome", "retry_after",
 * "error"}, where what could not be started has the outcome "refused" and the errno's text. Status 2 for settings that
 * cannot work, 3 if an attempt takes over half a minute. */
#include "slated/channel.h"
#include "slated/http_client.h"

#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_S 30

static const struct {
	const char *name;
	enum channel_type type;
} types[] = {{"slack", CHANNEL_SLACK}, {"teams", CHANNEL_TEAMS}, {"ntfy", CHANNEL_NTFY}};

struct sender {
	struct event_base *base;
	struct channel *channel;
	struct instant now;
	const char *key;
	bool done;
};

static struct instant
sender_now(void *arg)
{
	return ((const struct sender *)arg)->now;
}

static void
sender_say(const char *key, const char *outcome, struct duration retry_after, const char *error)
{
	json_t *line = json_pack("{ss ss sI ss*}", "key", key, "outcome", outcome, "retry_after",
	                         (json_int_t)(retry_after.us / US_PER_S), "error", error);
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	puts(text ? text : "out of memory");
	fflush(stdout);
	free(text);
	json_decref(line);
}

static void
on_done(void *arg, const struct channel_result *result)
{
	struct sender *sender = arg;
	sender_say(sender->key, outcome_names[result->outcome], result->retry_after, result->error);
	sender->done = true;
}

/* One attempt, to its end. */
static int
sender_send(struct sender *sender, const struct delivery *delivery)
{
	struct channel_attempt *attempt;
	sender->key = delivery->key;
	sender->done = false;
	int r = channel_send(sender->channel, delivery, on_done, sender, &attempt);
	if (r < 0) {
		sender_say(delivery->key, "refused", (struct duration){0}, strerror(-r));
		return 0;
	}
	struct timeval deadline = {.tv_sec = DEADLINE_S};
	(void)event_base_loopexit(sender->base, &deadline);
	while (!sender->done && !event_base_got_exit(sender->base))
		(void)event_base_loop(sender->base, EVLOOP_ONCE);
	if (sender->done)
		return 0;
	channel_cancel(attempt);
	return 3;
}

static int
sender_line(struct sender *sender, const char *text)
{
	json_error_t error;
	struct delivery delivery = {.channel = "chat"};
	const char *at;
	json_t *payload, *json = json_loads(text, 0, &error);
	if (!json ||
	    json_unpack_ex(json, &error, 0, "{ss ss ss s?s so}", "key", &delivery.key, "kind", &delivery.kind, "at",
	                   &at, "address", &delivery.address, "payload", &payload) < 0 ||
	    instant_parse(at, strlen(at), &delivery.at) < 0) {
		fprintf(stderr, "%s\n", error.text);
		json_decref(json);
		return 2;
	}
	char *payload_text = json_dumps(payload, JSON_ENCODE_ANY);
	delivery.payload = payload_text;
	int status = sender_send(sender, &delivery);
	free(payload_text);
	json_decref(json);
	return status;
}

static int
sender_run(struct sender *sender)
{
	char *line = NULL;
	size_t size = 0;
	int status = 0;
	while (status == 0 && getline(&line, &size, stdin) > 0)
		status = sender_line(sender, line);
	free(line);
	return status;
}

int
main(int argc, char **argv)
{
	struct sender sender = {.base = event_base_new()};
	struct http_client *http = NULL;
	struct channel_settings settings = {.name = "chat", .type = CHANNEL_TYPE_COUNT};
	for (size_t i = 0; argc > 1 && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(argv[1], types[i].name) == 0)
			settings.type = types[i].type;
	if (argc < 4 || settings.type == CHANNEL_TYPE_COUNT || instant_parse(argv[3], strlen(argv[3]), &sender.now) < 0)
		return 2;
	(void)signal(SIGPIPE, SIG_IGN);
	settings.url = argv[2];
	settings.token = argc > 4 ? argv[4] : NULL;
	settings.timeout.us = 10 * US_PER_S;
	if (!sender.base || http_client_new(sender.base, &http) < 0)
		return 2;
	const struct channel_context context = {.http = http, .instance = "test", .now = sender_now, .arg = &sender};
	int r = channel_open(&settings, &context, &sender.channel);
	if (r < 0)
		fprintf(stderr, "the channel: %s\n", strerror(-r));
	int status = r < 0 ? 2 : sender_run(&sender);
	channel_close(sender.channel);
	http_client_free(http);
	event_base_free(sender.base);
	return status;
}
