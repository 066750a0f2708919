#include "http_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "http_internal.h"
#include "input.h"
#include "slated/api.h"
#include "slated/config.h"
#include "slated/desk.h"
#include "slated/inbound.h"
#include "slated/jsonw.h"
#include "slated/log.h"
#include "slated/policy.h"
#include "slated/text.h"
#include "slated/timebase.h"

/* The kernel mostly hands over what is sent on loopback at once, so that a few turns are enough for what needs none. */
#define TURNS      12
#define LIMIT      (10 * US_PER_S)
#define PIECE      4096
#define REPLY_SIZE (256 * 1024)
#define ROWS_MAX   3
#define COLUMNS    48
#define ASKED_SIZE 8192

/* The desk --------------------------------------------------------------------------------------------------------- */

/* One order that waits; its parameters are not looked at again. */
struct desk {
	struct desk_order order;
	bool waits;
};

static struct {
	struct event_base *base;
	struct http_server *server;
	struct inbound *inbound;
	struct api *api;
	struct sockaddr_in address;
	struct desk changes, reads;
	unsigned answer;
	unsigned orders;
	char asked[ASKED_SIZE];
} rig;

/* An outcome that the statement can have, or NULL for any other statement. */
static const char *
outcome(const char *sql)
{
	bool nothing = (rig.answer & RIG_NOTHING) != 0;
	if (strstr(sql, "sla.give_word") != NULL)
		return nothing ? "unknown" : "changed";
	if (strstr(sql, "sla.acknowledge") != NULL)
		return nothing ? "unknown" : "acknowledged";
	if (strstr(sql, "SET ended_at") != NULL)
		return nothing ? "f" : "t";
	return NULL;
}

static void
set_value(PGresult *rows, int row, int column, const char *value)
{
	char copy[40];
	(void)snprintf(copy, sizeof(copy), "%s", value);
	demand(PQsetvalue(rows, row, column, copy, (int)strlen(copy)));
}

/* "1" is a number, an instant, a text and JSON, which is all that a column can be. */
static PGresult *
make_rows(const char *sql)
{
	static char name[] = "c";
	static PGresAttDesc columns[COLUMNS];
	const char *said = outcome(sql);
	bool one = said != NULL || strstr(sql, "INSERT INTO sla.silence") != NULL;
	int n = one ? 1 : (rig.answer & RIG_NOTHING) != 0 ? 0 : ROWS_MAX;
	PGresult *rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	for (int i = 0; i < COLUMNS; i++)
		columns[i].name = name;
	demand(rows != NULL && PQsetResultAttrs(rows, COLUMNS, columns));
	for (int row = 0; row < n; row++)
		for (int column = 0; column < COLUMNS; column++)
			set_value(rows, row, column, said != NULL && column < 2 ? said : "1");
	if (strstr(sql, "sla.acknowledge") != NULL)
		set_value(rows, 0, 0, "4711");
	return rows;
}

static void
desk_finish(struct desk *desk)
{
	static const int statuses[] = {0, 503, 400, 500};
	struct desk_order order = desk->order;
	PGresult *results[DESK_STATEMENTS_MAX] = {0};
	int status = statuses[rig.answer & RIG_FAILS];
	desk->waits = false;
	if (status != 0) {
		order.failed(order.arg, status, "the desk says so");
		return;
	}
	for (size_t i = 0; i < DESK_STATEMENTS_MAX && order.sql[i] != NULL; i++)
		results[i] = make_rows(order.sql[i]);
	order.done(order.arg, results);
	for (size_t i = 0; i < DESK_STATEMENTS_MAX; i++)
		PQclear(results[i]);
}

int
desk_new(const struct desk_hooks *hooks, struct duration limit, struct desk **ret)
{
	(void)hooks;
	(void)limit;
	(void)ret;
	return -ENOTSUP; /* the rig has its own */
}

void
desk_free(struct desk *desk)
{
	(void)desk;
}

void
desk_on_lost(struct desk *desk)
{
	(void)desk;
}

void
desk_set_connection(struct desk *desk, struct pg *pg)
{
	(void)desk;
	(void)pg;
}

/* What PostgreSQL refuses in a database whose encoding is UTF-8. */
static bool
order_is_text(const struct desk_order *order)
{
	for (size_t i = 0; i < DESK_PARAMS_MAX; i++) {
		size_t n = 1;
		for (const char *p = order->params[i]; p != NULL && *p != '\0' && n > 0; p += n)
			n = text_utf8(p, strlen(p));
		if (n == 0)
			return false;
	}
	return true;
}

/* Each client comes from another address. */
static void
note_order(const struct desk_order *order)
{
	size_t len = strlen(rig.asked);
	for (size_t i = 0; i <= DESK_PARAMS_MAX && len < ASKED_SIZE; i++) {
		const char *text = i == 0 ? order->sql[0] : order->params[i - 1];
		if (text == NULL)
			text = "NULL";
		else if (strncmp(text, "127.", 4) == 0)
			text = "address";
		len += (size_t)snprintf(rig.asked + len, ASKED_SIZE - len, "%.200s\n", text);
	}
}

void
desk_put(struct desk *desk, const struct desk_order *order)
{
	rig.orders++;
	note_order(order);
	if (!order_is_text(order)) {
		order->failed(order->arg, 400, "invalid byte sequence for encoding \"UTF8\"");
		return;
	}
	if (desk->waits) {
		order->failed(order->arg, 503, "too many requests are waiting");
		return;
	}
	desk->order = *order;
	desk->waits = true;
	if ((rig.answer & RIG_LATER) == 0)
		desk_finish(desk);
}

/* The server ------------------------------------------------------------------------------------------------------- */

static bool
drop_line(enum log_level level, const char *message, const struct log_field *fields)
{
	char line[LOG_LINE_SIZE];
	demand(log_format(line, level, false, message, fields) <= LOG_LINE_SIZE);
	return true;
}

static struct config *
configure(void)
{
	static char high[] = "high", low[] = "low", alias[] = "S1";
	static char *aliases[] = {alias};
	static struct severity severities[] = {{high, aliases, 1}, {low, NULL, 0}};
	static const char *secrets[] = {RIG_PAGER};
	static struct channel_settings channel = {
	    .name = "pager", .type = CHANNEL_PAGERDUTY, .secrets = secrets, .n_secrets = 1};
	static struct config config = {.channels = &channel, .n_channels = 1};
	demand(policy_set_new(&config.policies) == 0);
	config.policies->severities = severities;
	config.policies->n_severities = 2;
	return &config;
}

static struct instant
now(void *arg)
{
	(void)arg;
	return (struct instant){INT64_C(1772798400000000)}; /* 2026-03-06T12:00:00Z */
}

static const struct policy_set *
policies(void *arg, const char *digest)
{
	(void)digest;
	return ((const struct config *)arg)->policies;
}

static void
add_status(void *arg, struct jsonw *json)
{
	(void)arg;
	jsonw_bool(json, "ready", true);
}

static bool
is_live(void *arg)
{
	(void)arg;
	return true;
}

static void
rig_start(void)
{
	struct config *config = configure();
	const struct api_hooks hooks = {now, policies, add_status, is_live, is_live, config};
	socklen_t len = sizeof(rig.address);
	log_set_sink(drop_line);
	rig.base = event_base_new();
	demand(rig.base != NULL && http_server_new(rig.base, RIG_TOKEN, &rig.server) == 0);
	demand(inbound_new(rig.server, config, &rig.changes, &rig.inbound) == 0);
	demand(api_new(rig.base, rig.server, config, &rig.changes, &rig.reads, &hooks, &rig.api) == 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	rig.address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	demand(fd >= 0 && bind(fd, (struct sockaddr *)&rig.address, sizeof(rig.address)) == 0);
	demand(listen(fd, 16) == 0 && getsockname(fd, (struct sockaddr *)&rig.address, &len) == 0);
	demand(http_server_adopt(rig.server, fd, NULL) == 0);
}

/* The client ------------------------------------------------------------------------------------------------------- */

static int
client_open(void)
{
	static const struct linger at_once = {1, 0}; /* no TIME_WAIT, of which thousands would come */
	static const int on = 1;
	/* From another address each time, since ports of the last ones may still be taken. */
	static uint32_t n;
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f010001 + n++ % 0xfffe)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)); /* for speed */
	demand(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
	demand(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
	demand(bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0);
	/* libFuzzer's alarm may interrupt it, and it goes on by itself then. */
	while (connect(fd, (struct sockaddr *)&rig.address, sizeof(rig.address)) < 0 && errno != EISCONN)
		demand(errno == EINTR || errno == EALREADY);
	return fd;
}

static void
turn(void)
{
	(void)event_base_loop(rig.base, EVLOOP_NONBLOCK);
}

static void
read_reply(int fd, struct rig_reply *reply)
{
	ssize_t n = 1;
	while (n > 0 && reply->len < REPLY_SIZE) {
		n = recv(fd, reply->text + reply->len, REPLY_SIZE - reply->len, MSG_DONTWAIT);
		if (n > 0)
			reply->len += (size_t)n;
	}
	reply->closed |= n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* Whether an answer has still to come. */
static bool
rig_is_owed(const struct rig_reply *reply)
{
	reply->text[reply->len] = '\0';
	const char *body = strstr(reply->text, "\r\n\r\n"), *length = strcasestr(reply->text, "\r\nContent-Length: ");
	if ((rig.answer & RIG_WHOLE) == 0 || reply->closed || rig.changes.waits || rig.reads.waits)
		return false;
	if (body != NULL && length == NULL)
		return strstr(body + 4, "\n\n") == NULL; /* a stream, whose first event is looked for */
	return body == NULL || strtoull(length + 18, NULL, 10) > strlen(body + 4);
}

static void
converse(int fd, const char *data, size_t size, struct rig_reply *reply)
{
	size_t sent = 0;
	int64_t end = timebase_ticks() + LIMIT;
	for (int quiet = 0; quiet < TURNS || (rig_is_owed(reply) && timebase_ticks() < end); quiet++) {
		size_t left = size - sent < PIECE ? size - sent : PIECE;
		ssize_t n = left > 0 ? send(fd, data + sent, left, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
		if (n > 0) {
			sent += (size_t)n;
			quiet = 0;
		}
		turn();
		read_reply(fd, reply);
	}
}

static void
finish_waiting(void)
{
	if (rig.changes.waits)
		desk_finish(&rig.changes);
	if (rig.reads.waits)
		desk_finish(&rig.reads);
}

void
rig_talk(const void *data, size_t size, unsigned answer, struct rig_reply *ret)
{
	static char text[REPLY_SIZE + 1];
	if (rig.base == NULL)
		rig_start();
	*ret = (struct rig_reply){.text = text};
	rig.answer = answer;
	rig.orders = 0;
	rig.asked[0] = '\0';
	int fd = client_open();
	converse(fd, data, size, ret);
	if ((answer & RIG_GONE) == 0) {
		while (rig.changes.waits || rig.reads.waits) {
			finish_waiting();
			converse(fd, NULL, 0, ret);
		}
	}
	(void)close(fd);
	for (int i = 0; i < TURNS; i++)
		turn();
	while (rig.changes.waits || rig.reads.waits) {
		finish_waiting();
		turn();
	}
	int64_t end = timebase_ticks() + LIMIT;
	do {
		turn();
		/* Not in a second: else each connection would look like a leak. */
		event_active(rig.server->sweep, EV_TIMEOUT, 0);
		turn();
	} while (rig.server->n_connections > 0 && timebase_ticks() < end);
	text[ret->len] = '\0';
	ret->orders = rig.orders;
	ret->asked = rig.asked;
	demand(rig.server->calls == NULL);
	demand(rig.server->n_connections == 0);
}
