/* Requests over HTTP while memory runs out: each is answered as it is with memory, or with 500 or 503, or its
 * connection is closed; what is asked of the database is what is asked with memory, or nothing; and the next request is
 * answered as ever. The rig of the fuzz targets has the server, the client and the desk. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http_rig.h"
#include "oom.h"
#include "slated/signature.h"

#define REQUEST_SIZE 2048

static const struct {
	const char *line;
	const char *body;
	unsigned answer;
} requests[] = {
    {"GET /api/v1/status", NULL, 0},
    {"GET /api/v1/clocks?plan=gold*&org=a,b&limit=2&within=2h", NULL, 0},
    {"GET /api/v1/clocks?after=1.2.resolution.3", NULL, RIG_LATER},
    {"GET /api/v1/tickets?external_id=T-1&source=desk", NULL, 0},
    {"GET /api/v1/tickets/7", NULL, 0},
    {"GET /api/v1/tickets/7", NULL, RIG_NOTHING},
    {"GET /api/v1/tickets/7/explanation", NULL, 0},
    {"GET /api/v1/tickets/7/explanation", NULL, RIG_NOTHING},
    {"GET /api/v1/silences?all=true", NULL, 0},
    {"GET /api/v1/deliveries?channel=pager&limit=2", NULL, 0},
    {"GET /api/v1/attainment?weeks=3", NULL, 0},
    {"GET /nothing/here", NULL, 0},
    {"GET /api/v1/clocks?plan", NULL, 0},
    {"DELETE /api/v1/silences/3?by=Ann", NULL, 0},
    {"POST /api/v1/tickets/7/assess", "{\"severity\": \"s1\", \"reason\": \"It is worse\", \"by\": \"Ann\"}", 0},
    {"POST /api/v1/silences",
     "{\"match\": {\"plan\": \"gold*\", \"attributes.region\": \"eu\"}, \"for\": \"2h\", \"reason\": \"Move\", "
     "\"by\": \"Ann\"}",
     0},
    {"POST /api/v1/silences", "{\"match\": {\"moon\": \"full\"}, \"for\": \"2h\", \"reason\": \"Move\"}", 0},
    {"POST /api/v1/tickets/4711/ack", "{\"ticket\": \"4711\", \"by\": \"Ann\", \"for\": \"2h\"}", 0},
    {"POST /api/v1/tickets/4711/ack", "{\"ticket\": 4711}", RIG_NOTHING},
    {"POST /api/v1/tickets/4711/ack", "[]", 0},
    {"POST /api/v1/tickets/ack?external_id=T-1&source=desk", "{\"ticket\": \"T-1\"}", RIG_LATER},
    {"POST /api/v1/tickets/4711/ack", "{\"ticket\": \"4711\"}", 1},
    {"POST /api/v1/hooks/pagerduty",
     "{\"event\": {\"id\": \"01A\", \"event_type\": \"incident.acknowledged\", \"agent\": {\"summary\": \"Ann\"}, "
     "\"data\": {\"id\": \"Q\", \"incident_key\": \"sla-4711-resolution-1\"}}}",
     0},
    {"POST /api/v1/hooks/pagerduty", "{\"event\": {\"id\": \"01A\", \"event_type\": \"incident.triggered\"}}", 0},
    {"POST /api/v1/hooks/pagerduty", "no JSON", 0},
};
enum { REQUESTS = sizeof(requests) / sizeof(requests[0]) };

/* Requests and answers ----------------------------------------------------------------------------------------------
 */

/* Signed, which takes more memory than the token itself; PagerDuty's in its own way. */
static int
add_authority(char *text, size_t size, const char *body, bool pager)
{
	char v1[SIGNATURE_V1_SIZE], hex[SIGNATURE_HEX_SIZE], seconds[24];
	struct signing_key key;
	(void)snprintf(seconds, sizeof(seconds), "%lld", (long long)time(NULL));
	oom_demand(signing_key_copy(pager ? RIG_PAGER : RIG_TOKEN, &key) == 0, "key", 0);
	oom_demand(signature_hex(&key, body, strlen(body), hex) == 0, "key", 0);
	oom_demand(signature_v1(&key, "msg_1", seconds, body, strlen(body), v1) == 0, "key", 0);
	signing_key_clear(&key);
	if (pager)
		return snprintf(text, size, "X-PagerDuty-Signature: %s\r\n", hex);
	return snprintf(text, size, "webhook-id: msg_1\r\nwebhook-timestamp: %s\r\nwebhook-signature: %s\r\n", seconds,
	                v1);
}

static size_t
make_request(size_t i, char text[static REQUEST_SIZE])
{
	const char *body = requests[i].body != NULL ? requests[i].body : "";
	int n = snprintf(text, REQUEST_SIZE, "%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %zu\r\n",
	                 requests[i].line, strlen(body));
	n += add_authority(text + n, REQUEST_SIZE - (size_t)n, body, strstr(requests[i].line, "pagerduty") != NULL);
	n += snprintf(text + n, REQUEST_SIZE - (size_t)n, "\r\n%s", body);
	return (size_t)n;
}

/* An answer's parts. */
struct answer {
	int status; /* 0: none */
	const char *body;
	bool whole;
};

static struct answer
answer_read(const struct rig_reply *reply)
{
	struct answer answer = {0};
	const char *body = strstr(reply->text, "\r\n\r\n"), *length = strcasestr(reply->text, "\r\nContent-Length: ");
	if (body == NULL || sscanf(reply->text, "HTTP/1.1 %d ", &answer.status) != 1)
		return (struct answer){0};
	answer.body = body + 4;
	answer.whole = length != NULL && length < body && strtoull(length + 18, NULL, 10) == strlen(answer.body);
	return answer;
}

/* What a request gets and does with memory. */
struct right {
	int status;
	char *text;
	char *body; /* within `text` */
	char *asked;
};

static bool
is_right(const struct rig_reply *reply, const struct right *right)
{
	struct answer answer = answer_read(reply);
	return answer.whole && answer.status == right->status && strcmp(answer.body, right->body) == 0 &&
	       strcmp(reply->asked, right->asked) == 0;
}

static bool
is_clean(const struct rig_reply *reply, const struct right *right)
{
	struct answer answer = answer_read(reply);
	size_t len = strlen(reply->asked);
	/* Of two orders the second may not come. */
	if (strncmp(reply->asked, right->asked, len) != 0)
		return false;
	if (reply->len == 0)
		return reply->closed;
	return answer.whole && (answer.status == 500 || answer.status == 503);
}

static void
ask(size_t i, struct rig_reply *ret)
{
	char text[REQUEST_SIZE];
	size_t n = make_request(i, text);
	rig_talk(text, n, requests[i].answer | RIG_WHOLE, ret);
}

/* As ask(), and the nth allocation fails. */
static bool
ask_without(size_t i, long nth, enum oom_mode mode, struct rig_reply *ret)
{
	char text[REQUEST_SIZE];
	size_t n = make_request(i, text);
	oom_begin(nth, mode);
	rig_talk(text, n, requests[i].answer | RIG_WHOLE, ret);
	return oom_end();
}

static long
try_request(size_t i, const struct right *right, enum oom_mode mode)
{
	for (long n = 1;; n++) {
		struct rig_reply reply;
		bool hit = ask_without(i, n, mode, &reply);
		if (!is_right(&reply, right) && !(hit && is_clean(&reply, right)))
			(void)fprintf(stderr, "%s\n%s\n", reply.text, reply.asked);
		oom_demand(is_right(&reply, right) || (hit && is_clean(&reply, right)), requests[i].line, n);
		if (!hit)
			return n - 1;
		ask(i, &reply);
		oom_demand(is_right(&reply, right), requests[i].line, n);
	}
}

/* A stream begins as it does with memory, or it ends at once. */
static long
try_stream(void)
{
	static const char text[] = "GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
	bool hit = true;
	long n = 0;
	size_t blocks = 0;
	while (hit) {
		struct rig_reply reply;
		oom_begin(++n, OOM_ONCE);
		rig_talk(text, strlen(text), RIG_WHOLE, &reply);
		hit = oom_end();
		bool begun = strncmp(reply.text, "HTTP/1.1 200 ", 13) == 0 && strstr(reply.text, "event: hello");
		bool refused = strncmp(reply.text, "HTTP/1.1 503 ", 13) == 0;
		oom_demand(begun || (hit && (refused || reply.closed)), "stream", n);
		rig_talk(text, strlen(text), RIG_WHOLE, &reply);
		oom_demand(strstr(reply.text, "event: hello") != NULL, "stream", n);
		oom_demand(n == 1 || oom_blocks() == blocks, "stream", n);
		blocks = oom_blocks();
	}
	return n - 1;
}

int
main(void)
{
	long failures = 0;
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < REQUESTS; i++) {
		struct rig_reply reply;
		ask(i, &reply);
		struct answer answer = answer_read(&reply);
		struct right right = {answer.status, strdup(reply.text), NULL, strdup(reply.asked)};
		oom_demand(right.text != NULL && right.asked != NULL && answer.whole, requests[i].line, 0);
		right.body = right.text + (answer.body - reply.text);
		size_t blocks = oom_blocks();
		for (enum oom_mode mode = 0; mode < OOM_MODES; mode++)
			failures += try_request(i, &right, mode);
		oom_demand(oom_blocks() == blocks, requests[i].line, 0);
		free(right.text);
		free(right.asked);
	}
	(void)printf("%d requests, %ld failures\n", REQUESTS, failures);
	(void)printf("stream: %ld failures\n", try_stream());
	return 0;
}
