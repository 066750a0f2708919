/* Acknowledgements over HTTP. Each becomes one call of sla.acknowledge(), which drops repeated messages. */
#include "slated/inbound.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inbound_internal.h"
#include "slated/desk.h"
#include "slated/jsonr.h"
#include "slated/log.h"
#include "slated/message.h"
#include "slated/text.h"

#define NAME_MAX_BYTES 200

static const char acknowledge_sql[] =
    "WITH t AS (SELECT coalesce($1::bigint, (SELECT id FROM sla.ticket WHERE source = $5 AND external_id = $6)) AS "
    "id), "
    "done AS MATERIALIZED (SELECT id, sla.acknowledge(id, $2, $3::bigint * interval '1 microsecond', $4) AS outcome "
    "  FROM t), "
    "noted AS (INSERT INTO sla.audit (who, origin, action, ticket_id, detail) "
    "  SELECT $2, $7, 'acknowledge', id, jsonb_strip_nulls(jsonb_build_object('message', $4::text, "
    "    'for', ($3::bigint * interval '1 microsecond')::text)) FROM done WHERE outcome = 'acknowledged') "
    "SELECT id, outcome FROM done";

void
ask_free(struct ask *ask)
{
	if (!ask)
		return;
	free(ask->source);
	free(ask->external_id);
	free(ask->by);
	free(ask->message_id);
	free(ask);
}

/* Answers -----------------------------------------------------------------------------------------------------------*/

static const char *
given_or_null(const char *text)
{
	return text && *text ? text : NULL;
}

void
inbound_answer_pager(struct http_call *call, const char *note)
{
	http_answer_json(call, 200, json_pack("{s:b, s:s}", "acknowledged", false, "note", note));
}

static void
ask_log(const struct ask *ask)
{
	log_info(ask->outcome, log_text("ticket", given_or_null(ask->ticket)), log_text("source", ask->source),
	         log_text("external_id", ask->external_id), log_text("by", ask->by),
	         log_text("through", ask->pager ? "pagerduty" : "http"), log_text("message", ask->message_id));
}

static void
ask_answer(const struct ask *ask)
{
	struct http_call *call = ask->call;
	bool repeated = strcmp(ask->outcome, "repeated") == 0;
	bool closed = strcmp(ask->outcome, "closed") == 0;
	if (repeated || strcmp(ask->outcome, "acknowledged") == 0) {
		json_int_t id = strtoll(ask->ticket, NULL, 10);
		json_t *told = repeated ? json_true() : NULL;
		http_answer_json(call, 200,
		                 json_pack("{s:I, s:b, s:o*}", "ticket", id, "acknowledged", true, "repeated", told));
	} else if (ask->pager) {
		inbound_answer_pager(call, closed ? "the ticket is closed" : "there is no such ticket");
	} else if (closed) {
		http_answer_error(call, 409, "ticket %s is closed: nothing is left to acknowledge", ask->ticket);
	} else {
		http_answer_error(call, 404, "there is no such ticket: check the id, or source and external_id");
	}
}

/* The database ------------------------------------------------------------------------------------------------------*/

static void
on_done(void *arg, PGresult *const *results)
{
	struct ask *ask = arg;
	(void)snprintf(ask->ticket, sizeof(ask->ticket), "%s", PQgetvalue(results[0], 0, 0));
	(void)snprintf(ask->outcome, sizeof(ask->outcome), "%s", PQgetvalue(results[0], 0, 1));
	ask_log(ask);
	ask_answer(ask);
	ask_free(ask);
}

static void
on_failed(void *arg, int status, const char *why)
{
	struct ask *ask = arg;
	http_answer_failure(ask->call, status, why);
	ask_free(ask);
}

static void
on_forgotten(void *arg)
{
	ask_free(arg);
}

/* Takes the ask. */
void
inbound_put(struct inbound *inbound, struct ask *ask)
{
	desk_put(inbound->desk, &(struct desk_order){
	                            .sql = {acknowledge_sql},
	                            .params = {given_or_null(ask->ticket), ask->by, given_or_null(ask->hold),
	                                       ask->message_id, ask->source, ask->external_id, ask->origin},
	                            .n_params = {7},
	                            .done = on_done,
	                            .failed = on_failed,
	                            .forgotten = on_forgotten,
	                            .arg = ask,
	                        });
}

/* Our own acknowledge -----------------------------------------------------------------------------------------------*/

bool
ticket_number_is_right(const char *text, size_t len)
{
	static const char most[] = "9223372036854775807";
	if (len == 0 || len > strlen(most) || *text == '0' || strspn(text, "0123456789") < len)
		return false;
	return len < strlen(most) || strncmp(text, most, len) <= 0;
}

/* Well-formed UTF-8, which is all that the database takes. */
static bool
text_is_right(const char *text)
{
	size_t n = 1;
	for (size_t left = strlen(text); left > 0 && n > 0; left -= n) {
		n = text_utf8(text, left);
		text += n;
	}
	return n > 0;
}

char *
ask_name(const char *text, const char *instead)
{
	char name[NAME_MAX_BYTES + 1];
	size_t len = message_cut(text, NAME_MAX_BYTES, name);
	return strdup(text_clean(name, len) > 0 ? name : instead);
}

/* A signature covers the body alone, so there the body has to name the ticket: else whoever sees a request could send
 * it again for another one. */
static const char *
check_named(const struct http_call *call, const struct ask *ask, const json_t *ticket)
{
	const char *wanted = ask->external_id ? ask->external_id : ask->ticket, *given = json_string_value(ticket);
	char number[NUMBER_SIZE];
	if (json_is_integer(ticket)) {
		(void)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(ticket));
		given = number;
	}
	if (!ticket && !http_call_message_id(call))
		return NULL;
	if (!ticket)
		return "a signed request names its ticket in the body as well: {\"ticket\": \"...\"}, as the address "
		       "has it";
	return given && strcmp(given, wanted) == 0 ? NULL : "\"ticket\" is not the one that the address names";
}

/* Reads {"ticket": "...", "by": "...", "for": "2h"}. NULL, or what is wrong with it. */
static const char *
read_body(const struct http_call *call, struct ask *ask)
{
	size_t len;
	const char *body = http_call_body(call, &len), *key, *problem = NULL;
	const json_t *by = NULL, *hold = NULL, *ticket = NULL;
	struct period period;
	json_t *value;
	json_t *object = NULL;
	if (jsonr_read(len > 0 ? body : "{}", len > 0 ? len : 2, JSON_REJECT_DUPLICATES, &object) == -ENOMEM)
		problem = text_no_memory;
	else if (!json_is_object(object))
		problem = "the body is not a JSON object like {\"by\": \"Ann\", \"for\": \"2h\"}";
	json_object_foreach(object, key, value)
	{
		if (strcmp(key, "by") == 0)
			by = value;
		else if (strcmp(key, "for") == 0)
			hold = value;
		else if (strcmp(key, "ticket") == 0)
			ticket = value;
		else
			problem = "the body has a member that is none of \"ticket\", \"by\" and \"for\"";
	}
	if (!problem)
		problem = check_named(call, ask, ticket);
	if (!problem && by && (!json_is_string(by) || json_string_length(by) > NAME_MAX_BYTES))
		problem = "\"by\" is not a text of at most 200 bytes";
	if (!problem) {
		ask->by = ask_name(by ? json_string_value(by) : "", "agent");
		problem = ask->by ? NULL : text_no_memory;
	}
	if (!problem && hold &&
	    (!json_is_string(hold) || period_parse(json_string_value(hold), &period) < 0 || period.business_days > 0))
		problem = "\"for\" is not a length of time like \"2h\", \"30m\" or \"1d12h\"";
	else if (!problem && hold)
		(void)snprintf(ask->hold, sizeof(ask->hold), "%" PRId64, period.elapsed.us);
	json_decref(object);
	return problem;
}

/* Finds out which ticket is meant. NULL, or what is wrong. */
static const char *
read_ticket(const struct http_call *call, struct ask *ask)
{
	const char *id = http_call_segment(call);
	const char *external = http_call_query(call, "external_id"), *source = http_call_query(call, "source");
	if (id) {
		if (!ticket_number_is_right(id, strlen(id)))
			return "the id in the path is not a ticket's number; by the ticket system's own name: "
			       "/api/v1/tickets/ack?external_id=...&source=...";
		(void)snprintf(ask->ticket, sizeof(ask->ticket), "%s", id);
		return NULL;
	}
	if (!external || *external == '\0')
		return "external_id is missing: /api/v1/tickets/ack?external_id=...&source=..., or "
		       "/api/v1/tickets/ID/ack";
	if (!source)
		source = "native";
	if (!text_is_right(external) || !text_is_right(source))
		return "external_id or source is not well-formed UTF-8";
	ask->external_id = strdup(external);
	ask->source = strdup(source);
	return ask->external_id && ask->source ? NULL : text_no_memory;
}

static void
serve_acknowledge(void *arg, struct http_call *call)
{
	struct ask *ask = calloc(1, sizeof(*ask));
	const char *message = http_call_message_id(call);
	if (!ask) {
		http_answer_busy(call, text_no_memory);
		return;
	}
	ask->call = call;
	http_call_origin(call, ask->origin);
	const char *problem = read_ticket(call, ask);
	if (!problem)
		problem = read_body(call, ask);
	if (!problem && message && !text_is_right(message))
		problem = "webhook-id is not well-formed UTF-8";
	if (!problem && message && asprintf(&ask->message_id, "webhook:%s", message) < 0) {
		ask->message_id = NULL;
		problem = text_no_memory;
	}
	if (problem) {
		if (problem == text_no_memory)
			http_answer_busy(call, problem);
		else
			http_answer_error(call, 400, "%s", problem);
		ask_free(ask);
	} else {
		inbound_put(arg, ask);
	}
}

/* Life --------------------------------------------------------------------------------------------------------------*/

static const struct http_route routes[] = {
    {"POST", "/api/v1/tickets/{id}/ack", HTTP_TOKEN, serve_acknowledge},
    {"POST", "/api/v1/tickets/ack", HTTP_TOKEN, serve_acknowledge},
    {"POST", "/api/v1/hooks/pagerduty", HTTP_OWN, inbound_serve_pager},
};

int
inbound_new(struct http_server *server, const struct config *config, struct desk *desk, struct inbound **ret)
{
	struct inbound *inbound = calloc(1, sizeof(*inbound));
	if (!inbound)
		return -ENOMEM;
	inbound->config = config;
	inbound->desk = desk;
	int r = http_server_add(server, routes, sizeof(routes) / sizeof(routes[0]), inbound);
	if (r < 0) {
		inbound_free(inbound);
		return r;
	}
	*ret = inbound;
	return 0;
}

void
inbound_free(struct inbound *inbound)
{
	free(inbound);
}

void
inbound_configure(struct inbound *inbound, const struct config *config)
{
	inbound->config = config;
}
