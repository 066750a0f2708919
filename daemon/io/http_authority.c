/* Who may call: whoever has the token or signs with it, reads from this host, or is let in by the route. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http_internal.h"
#include "slated/text.h"

/* How far a signature's timestamp may be off, in seconds: what Standard Webhooks' own libraries allow. */
#define TIMESTAMP_TOLERANCE 300
#define MESSAGE_ID_MAX      200

enum authority {
	AUTHORITY_GRANTED,
	AUTHORITY_MISSING,
	AUTHORITY_EXPIRED,
	AUTHORITY_UNKNOWN, /* memory is out */
};

static bool
timestamp_is_fresh(const char *text)
{
	char *end;
	errno = 0;
	long long at = *text >= '0' && *text <= '9' ? strtoll(text, &end, 10) : -1;
	if (at < 0 || errno != 0 || *end != '\0')
		return false;
	/* The host's clock, since a signer has nothing else to go by. */
	long long now = (long long)time(NULL);
	return at >= now - TIMESTAMP_TOLERANCE && at <= now + TIMESTAMP_TOLERANCE;
}

static enum authority
check_token(struct http_call *call)
{
	static const char bearer[] = "Bearer ";
	const struct http_server *server = call->server;
	const char *given = http_call_header(call, "Authorization");
	const char *id = http_call_header(call, "webhook-id");
	const char *timestamp = http_call_header(call, "webhook-timestamp");
	const char *signatures = http_call_header(call, "webhook-signature");
	char signature[SIGNATURE_V1_SIZE];
	size_t n_body;
	if (given && strncasecmp(given, bearer, strlen(bearer)) == 0)
		return secret_equal(given + strlen(bearer), server->token) ? AUTHORITY_GRANTED : AUTHORITY_MISSING;
	if (!id || *id == '\0' || strlen(id) > MESSAGE_ID_MAX || !timestamp || !signatures)
		return AUTHORITY_MISSING;
	/* Before the signature is looked at, so that this tells nothing about it. */
	if (!timestamp_is_fresh(timestamp))
		return AUTHORITY_EXPIRED;
	const char *body = http_call_body(call, &n_body);
	if (signature_v1(&server->key, id, timestamp, body, n_body, signature) < 0)
		return AUTHORITY_UNKNOWN;
	if (!signature_among(signature, signatures, ' '))
		return AUTHORITY_MISSING;
	call->signed_by_token = true;
	return AUTHORITY_GRANTED;
}

/* Whether it came from this host. A proxy here that lets others in answers for them. */
static bool
call_is_local(const struct http_call *call)
{
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof(peer);
	struct evhttp_connection *connection = evhttp_request_get_connection(call->request);
	int fd = connection ? bufferevent_getfd(evhttp_connection_get_bufferevent(connection)) : -1;
	if (fd < 0 || getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		return false;
	if (peer.ss_family == AF_UNIX)
		return true;
	if (peer.ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)&peer)->sin_addr.s_addr) >> 24 == 127;
	if (peer.ss_family != AF_INET6)
		return false;
	/* A socket that was handed over may take IPv4's connections as well. */
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)&peer)->sin6_addr;
	return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

/* Whether it names this host by an address, as localhost or by the host's own name. A page of another site can make its
 * own name point here (DNS rebinding), and its browser would take it for that site. */
static bool
call_names_us(const struct http_call *call)
{
	const char *host = http_call_header(call, "Host");
	char name[256], own[256] = "";
	unsigned char address[16];
	if (!host || *host == '[')
		return true;
	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(host, ":"), host);
	(void)gethostname(own, sizeof(own) - 1); /* where it fails, that name is not known */
	return inet_pton(AF_INET, name, address) == 1 || strcasecmp(name, "localhost") == 0 ||
	       (*own && strcasecmp(name, own) == 0);
}

/* Whether a page of another site made a browser send it. Browsers say so in Sec-Fetch-Site (Fetch Metadata) where they
 * hold the address for trustworthy; Origin is in every request that is not a plain GET (Fetch, section 3.2). */
static bool
call_is_foreign(const struct http_call *call)
{
	const char *site = http_call_header(call, "Sec-Fetch-Site"), *mode = http_call_header(call, "Sec-Fetch-Mode");
	const char *origin = http_call_header(call, "Origin"), *host = http_call_header(call, "Host");
	enum evhttp_cmd_type method = evhttp_request_get_command(call->request);
	bool reads = method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD;
	if (site && (strcmp(site, "cross-site") == 0 || strcmp(site, "same-site") == 0))
		return !(reads && mode && strcmp(mode, "navigate") == 0);
	if (site || !origin)
		return false;
	const char *authority = strstr(origin, "://");
	return !host || !authority || strcasecmp(authority + 3, host) != 0;
}

bool
http_call_is_allowed(struct http_call *call, const struct http_route *route)
{
	if (route->authority != HTTP_OWN && call_is_foreign(call)) {
		http_answer_error(call, 403, "a page of another site sent this: that is not allowed");
		return false;
	}
	if ((route->authority != HTTP_TOKEN && route->authority != HTTP_READ) ||
	    (route->authority == HTTP_READ && call_is_local(call) && call_names_us(call)))
		return true;
	if (!call->server->token) {
		http_answer_error(
		    call, 403, "this is switched off: give http a token_credential or a token_file and restart slated");
		return false;
	}
	enum authority authority = check_token(call);
	if (authority == AUTHORITY_GRANTED)
		return true;
	if (authority == AUTHORITY_UNKNOWN) {
		http_answer_busy(call, text_no_memory);
		return false;
	}
	http_call_add_header(call, "WWW-Authenticate", "Bearer");
	if (authority == AUTHORITY_EXPIRED)
		http_answer_error(
		    call, 401,
		    "webhook-timestamp is no number of seconds since 1970 within %d s of now: sign again, and "
		    "check the clocks of both hosts",
		    TIMESTAMP_TOLERANCE);
	else
		http_answer_error(call, 401,
		                  "not allowed: send \"Authorization: Bearer TOKEN\" with the token of slated's "
		                  "configuration, or webhook-id, webhook-timestamp and webhook-signature made with it");
	return false;
}
