/* Well-formed requests with any path, query and body: each has one answer of a status that is meant for it, in JSON.
 *
 *	byte: what the desk does, byte: route and authority, query up to a newline, body
 *
 * "{}" of a route's path stands for what the query has up to a blank. */
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "fuzz.h"
#include "http_rig.h"
#include "input.h"
#include "slated/render.h"
#include "slated/signature.h"

static const struct {
	const char *method;
	const char *path;
} routes[] = {
    {"GET", "/api/v1/status"},
    {"GET", "/api/v1/clocks"},
    {"GET", "/api/v1/tickets"},
    {"GET", "/api/v1/tickets/{}"},
    {"POST", "/api/v1/tickets/{}/assess"},
    {"GET", "/api/v1/silences"},
    {"POST", "/api/v1/silences"},
    {"DELETE", "/api/v1/silences/{}"},
    {"GET", "/api/v1/deliveries"},
    {"GET", "/api/v1/attainment"},
    {"POST", "/api/v1/tickets/{}/ack"},
    {"POST", "/api/v1/tickets/ack"},
    {"POST", "/api/v1/hooks/pagerduty"},
    {"GET", "/api/v1/tickets/{}/explanation"},
};
enum { ROUTES = sizeof(routes) / sizeof(routes[0]) };

enum { STATUS_UNKNOWN = -1 };

/* Percent-encodes what may not stand in a request line; "%" itself may, so that the input can encode too. */
static void
add_encoded(struct text *text, const char *part)
{
	char code[4];
	for (; *part != '\0'; part++) {
		if (*part > ' ' && *part < 0x7f && *part != '#') {
			text_add(text, part, 1);
			continue;
		}
		(void)snprintf(code, sizeof(code), "%%%02X", (unsigned char)*part);
		text_add_string(text, code);
	}
}

/* A path's part, where "?" and "/" would end it. */
static void
add_segment(struct text *text, const char *part)
{
	struct text encoded = {0};
	add_encoded(&encoded, part);
	for (size_t i = 0; i < encoded.len; i++)
		if (encoded.data[i] != '?' && encoded.data[i] != '/')
			text_add(text, &encoded.data[i], 1);
	free(encoded.data);
}

static void
add_target(struct text *text, const char *path, char *query)
{
	const char *hole = strstr(path, "{}");
	if (hole == NULL) {
		text_add_string(text, path);
	} else {
		size_t n = strcspn(query, " ");
		char *rest = query + n + (query[n] != '\0');
		query[n] = '\0';
		text_add(text, path, (size_t)(hole - path));
		add_segment(text, *query == '\0' ? "1" : query);
		text_add_string(text, hole + 2);
		query = rest;
	}
	if (*query != '\0') {
		text_add_string(text, "?");
		add_encoded(text, query);
	}
}

static void
add_authority(struct text *text, bool pager, bool signs, const char *body, size_t n_body)
{
	char line[300], v1[SIGNATURE_V1_SIZE], hex[SIGNATURE_HEX_SIZE], seconds[24];
	struct signing_key key;
	demand(signing_key_copy(pager ? RIG_PAGER : RIG_TOKEN, &key) == 0);
	if (pager) {
		demand(signature_hex(&key, body, n_body, hex) == 0);
		(void)snprintf(line, sizeof(line), "X-PagerDuty-Signature: v1=00, %s\r\n", hex);
	} else if (signs) {
		(void)snprintf(seconds, sizeof(seconds), "%lld", (long long)time(NULL));
		demand(signature_v1(&key, "msg_1", seconds, body, n_body, v1) == 0);
		(void)snprintf(line, sizeof(line),
		               "webhook-id: msg_1\r\nwebhook-timestamp: %s\r\nwebhook-signature: v1,x %s\r\n", seconds,
		               v1);
	} else {
		(void)snprintf(line, sizeof(line), "Authorization: Bearer %s\r\n", RIG_TOKEN);
	}
	text_add_string(text, line);
	signing_key_clear(&key);
}

static bool
status_is_meant(int status, unsigned answer, const struct rig_reply *reply)
{
	bool asked = reply->orders > 0;
	switch (status) {
	case 200:
	case 201:
		return !asked || (answer & RIG_FAILS) == 0;
	case 400:
		return true;
	case 404:
	case 409:
		return !asked || (answer & RIG_FAILS) == 0;
	case 503:
		return asked && (answer & RIG_FAILS) == 1;
	case 500:
		return asked && (answer & RIG_FAILS) == 3;
	default:
		return false; /* 401, 403: it has shown all that it needs; 405: so is the method */
	}
}

static void
check_reply(const struct rig_reply *reply, unsigned answer)
{
	int status = STATUS_UNKNOWN;
	const char *body = strstr(reply->text, "\r\n\r\n");
	const char *length = strcasestr(reply->text, "\r\nContent-Length: ");
	json_error_t error;
	demand(sscanf(reply->text, "HTTP/1.1 %d ", &status) == 1);
	demand(status_is_meant(status, answer, reply));
	demand(body != NULL && length != NULL && length < body);
	body += 4;
	size_t n = reply->len - (size_t)(body - reply->text);
	demand(strtoull(length + 18, NULL, 10) == n);
	json_t *object = json_loadb(body, n, JSON_REJECT_DUPLICATES, &error);
	demand(json_is_object(object));
	json_decref(object);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	unsigned answer = (input_byte(&input) & ~(unsigned)RIG_GONE) | RIG_WHOLE;
	unsigned which = input_byte(&input);
	unsigned route = which % ROUTES;
	char *query = input_text(&input, '\n');
	const char *body = (const char *)input.data;
	size_t n_body = strcmp(routes[route].method, "POST") == 0 ? input.left : 0;
	struct text text = {0};
	struct rig_reply reply;
	char length[64];
	text_add_string(&text, routes[route].method);
	text_add_string(&text, " ");
	add_target(&text, routes[route].path, query);
	text_add_string(&text, " HTTP/1.1\r\nHost: 127.0.0.1\r\n");
	add_authority(&text, strstr(routes[route].path, "pagerduty") != NULL, which / ROUTES % 2 == 1, body, n_body);
	(void)snprintf(length, sizeof(length), "Content-Length: %zu\r\n\r\n", n_body);
	text_add_string(&text, length);
	if (n_body > 0)
		text_add(&text, body, n_body);
	demand(!text.failed);
	if (text.len < 12000) { /* with a longer line evhttp refuses the headers, which fuzz_http sees */
		rig_talk(text.data, text.len, answer, &reply);
		check_reply(&reply, answer);
	}
	free(text.data);
	free(query);
	return 0;
}
