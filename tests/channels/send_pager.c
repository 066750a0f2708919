/* Gives deliveries to one channel, as its standard input says, and tells what became of each:
 *
 *	send_pager TYPE URL SECRET TIMEOUT_MS INTERVAL_MS
 *
 * SECRET: the routing key or the token, "" for none. INTERVAL_MS: of an alertmanager channel. A line in: {"op":
 * "send" or "restore" or "cancel" (started and ended at once), "key", "kind", "at", "payload": {...}, "address",
 *"now"}; the channel's clock stands at "now" from then on where it is given. A line out for each "send": {"key",
 *"outcome", "retry_after", "error"}; for the others {"key"}. Runs on, with what the channel does by itself, until its
 *input ends. */
#include "alertmanager.h"
#include "slated/channel.h"
#include "slated/http_client.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct sender {
	struct event_base *base;
	struct channel *channel;
	struct instant now; /* NEVER: the system's */
	size_t under_way;
	bool ended;
	bool failed;
};

/* One attempt and the texts of its delivery. */
struct sending {
	struct sender *sender;
	json_t *line;
	char *payload;
	struct delivery delivery;
	struct channel_attempt *attempt;
};

static struct instant
sender_now(void *arg)
{
	const struct sender *sender = arg;
	struct timespec ts;
	if (sender->now.us != INSTANT_NEVER.us)
		return sender->now;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (struct instant){(int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000};
}

static void
sender_check_end(struct sender *sender)
{
	if (sender->ended && sender->under_way == 0)
		(void)event_base_loopbreak(sender->base);
}

static void
say(json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT);
	puts(text);
	fflush(stdout);
	free(text);
	json_decref(line);
}

static void
sending_free(struct sending *sending)
{
	json_decref(sending->line);
	free(sending->payload);
	free(sending);
}

static void
on_done(void *arg, const struct channel_result *result)
{
	struct sending *sending = arg;
	struct sender *sender = sending->sender;
	say(json_pack("{ss ss sf ss*}", "key", sending->delivery.key, "outcome", outcome_names[result->outcome],
	              "retry_after", (double)result->retry_after.us / (double)US_PER_S, "error", result->error));
	sending_free(sending);
	sender->under_way--;
	sender_check_end(sender);
}

static void
do_line(struct sender *sender, const char *text)
{
	struct sending *sending = calloc(1, sizeof(*sending));
	struct delivery *delivery = &sending->delivery;
	const char *op, *at, *now = NULL;
	json_t *payload;
	json_error_t error;
	sending->sender = sender;
	sending->line = json_loads(text, 0, &error);
	if (!sending->line ||
	    json_unpack_ex(sending->line, &error, 0, "{ss ss ss ss so s?s s?s}", "op", &op, "key", &delivery->key,
	                   "kind", &delivery->kind, "at", &at, "payload", &payload, "address", &delivery->address,
	                   "now", &now) < 0 ||
	    instant_parse(at, strlen(at), &delivery->at) < 0 ||
	    (now && instant_parse(now, strlen(now), &sender->now) < 0)) {
		fprintf(stderr, "%s\n", error.text);
		sender->failed = true;
		sending_free(sending);
		return;
	}
	sending->payload = json_dumps(payload, JSON_COMPACT);
	delivery->payload = sending->payload;
	delivery->channel = "pager";
	if (strcmp(op, "restore") == 0) {
		channel_restore(sender->channel, delivery);
		say(json_pack("{ss}", "key", delivery->key));
		sending_free(sending);
		return;
	}
	int r = channel_send(sender->channel, delivery, on_done, sending, &sending->attempt);
	if (r == 0 && strcmp(op, "cancel") != 0) {
		sender->under_way++;
		return;
	}
	if (r == 0)
		channel_cancel(sending->attempt);
	say(json_pack("{ss ss*}", "key", delivery->key, "error", r < 0 ? strerror(-r) : NULL));
	sending_free(sending);
}

static void
on_read(struct bufferevent *input, void *arg)
{
	char *line;
	while ((line = evbuffer_readln(bufferevent_get_input(input), NULL, EVBUFFER_EOL_LF))) {
		do_line(arg, line);
		free(line);
	}
}

static void
on_end(struct bufferevent *input, short what, void *arg)
{
	(void)what;
	struct sender *sender = arg;
	(void)bufferevent_disable(input, EV_READ);
	sender->ended = true;
	sender_check_end(sender);
}

static int
open_channel(struct sender *sender, struct http_client *http, char **argv)
{
	struct channel_settings settings = {
	    .name = "pager",
	    .type = CHANNEL_PAGERDUTY,
	    .url = argv[2],
	    .routing_key = argv[3],
	    .token = *argv[3] ? argv[3] : NULL,
	    .timeout = {strtol(argv[4], NULL, 10) * 1000},
	};
	const struct channel_context context = {
	    .base = sender->base, .http = http, .instance = "test-1", .now = sender_now, .arg = sender};
	if (strcmp(argv[1], "alertmanager") == 0)
		settings.type = CHANNEL_ALERTMANAGER;
	else if (strcmp(argv[1], "goalert") == 0)
		settings.type = CHANNEL_GOALERT;
	int r = channel_open(&settings, &context, &sender->channel);
	if (r == 0 && settings.type == CHANNEL_ALERTMANAGER)
		alertmanager_set_interval(sender->channel, (struct duration){strtol(argv[5], NULL, 10) * 1000});
	return r;
}

int
main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	(void)signal(SIGPIPE, SIG_IGN);
	struct sender sender = {.base = event_base_new(), .now = INSTANT_NEVER};
	struct http_client *http = NULL;
	if (!sender.base || http_client_new(sender.base, &http) < 0)
		return 2;
	int r = open_channel(&sender, http, argv);
	if (r < 0) {
		fprintf(stderr, "the channel: %s\n", strerror(-r));
		http_client_free(http);
		event_base_free(sender.base);
		return 2;
	}
	struct bufferevent *input = bufferevent_socket_new(sender.base, STDIN_FILENO, 0);
	bufferevent_setcb(input, on_read, NULL, on_end, &sender);
	(void)bufferevent_enable(input, EV_READ);
	(void)event_base_dispatch(sender.base);
	bufferevent_free(input);
	channel_close(sender.channel);
	http_client_free(http);
	event_base_free(sender.base);
	return sender.failed ? 1 : 0;
}
