/* What changes something: each in one statement with its row of sla.audit. Acknowledging is in inbound.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_internal.h"
#include "slated/jsonr.h"
#include "slated/log.h"
#include "slated/policy.h"
#include "slated/silence.h"
#include "slated/text.h"

#define NAME_MAX_BYTES   200
#define REASON_MAX_BYTES 1000

/* Bodies ----------------------------------------------------------------------------------------------------------- */

/* Reads the body as an object with none but these members. NULL after answering. */
static json_t *
read_object(struct http_call *call, const char *const *members, const char *example)
{
	size_t len;
	const char *body = http_call_body(call, &len), *key;
	json_t *object = NULL, *value;
	if (jsonr_read(body, len, JSON_REJECT_DUPLICATES, &object) == -ENOMEM) {
		http_answer_busy(call, text_no_memory);
		return NULL;
	}
	if (!json_is_object(object)) {
		http_answer_error(call, 400, "the body is not a JSON object like %s", example);
		json_decref(object);
		return NULL;
	}
	json_object_foreach(object, key, value)
	{
		size_t i = 0;
		(void)value;
		while (members[i] && strcmp(members[i], key) != 0)
			i++;
		if (members[i])
			continue;
		http_answer_error(call, 400, "the body has a member \"%.80s\", which is not known here; an example: %s",
		                  key, example);
		json_decref(object);
		return NULL;
	}
	return object;
}

/* A text of the object, as one clean line. `otherwise` where it is not there; NULL after answering, also where that is
 * NULL. The caller frees it. */
static char *
read_line(struct http_call *call, const json_t *object, const char *key, size_t max, const char *otherwise)
{
	const json_t *value = json_object_get(object, key);
	char line[REASON_MAX_BYTES + 1];
	size_t len = json_string_length(value);
	const char *text = NULL;
	if (!value && otherwise) {
		text = otherwise;
	} else if (json_is_string(value) && len <= max) {
		memcpy(line, json_string_value(value), len);
		if (text_clean(line, len) > 0)
			text = line;
	}
	char *copy = text ? strdup(text) : NULL;
	if (!text)
		http_answer_error(call, 400, "\"%s\" is missing, empty or no text of at most %zu bytes", key, max);
	else if (!copy)
		http_answer_busy(call, text_no_memory);
	return copy;
}

/* Answers with the object, which it takes. */
static void
answer(struct api_request *request, int status, json_t *body)
{
	http_answer_json(request->call, status, body);
	free(request);
}

/* Assessing -------------------------------------------------------------------------------------------------------- */

static const char assess_sql[] =
    "WITH done AS MATERIALIZED (SELECT sla.give_word($1::bigint, $2, ARRAY(SELECT "
    "jsonb_array_elements_text($3::jsonb)), "
    "  $4, $5) AS outcome), "
    "noted AS (INSERT INTO sla.audit (who, origin, action, ticket_id, detail) "
    "  SELECT $4, $6, 'assess', $1::bigint, jsonb_build_object('severity', $2::text, 'reason', $5::text, "
    "    'outcome', outcome) FROM done WHERE outcome IN ('changed', 'confirmed')) "
    "SELECT outcome, $2::text FROM done";

static void
on_assessed(void *arg, PGresult *const *results)
{
	struct api_request *request = arg;
	const char *outcome = result_text(results[0], 0, 0);
	if (strcmp(outcome, "unknown") == 0) {
		api_request_failed(request, 404, "there is no such ticket: {id} is its number in sla.ticket");
		return;
	}
	if (strcmp(outcome, "closed") == 0) {
		api_request_failed(request, 409, "the ticket is closed: its severity stays");
		return;
	}
	log_info("assessed", log_number("ticket", request->number), log_text("outcome", outcome),
	         log_text("severity", result_text(results[0], 0, 1)));
	answer(request, 200,
	       json_pack("{s:I, s:s, s:b}", "ticket", (json_int_t)request->number, "severity",
	                 result_text(results[0], 0, 1), "changed", strcmp(outcome, "changed") == 0));
}

/* All names of a severity in lower case, as a JSON array. */
static void
add_names(struct jsonw *json, const struct severity *severity)
{
	json_t *names = json_array();
	for (size_t i = 0; i <= severity->n_aliases; i++) {
		char *name = strdup(i == 0 ? severity->name : severity->aliases[i - 1]);
		for (char *c = name; c && *c; c++)
			*c = glob_lower(*c);
		(void)json_array_append_new(names, name ? json_string(name) : NULL);
		free(name);
	}
	char *text = json_dumps(names, JSON_ENSURE_ASCII);
	jsonw_raw(json, NULL, text);
	json->text.failed |= !text || json_array_size(names) != severity->n_aliases + 1;
	free(text);
	json_decref(names);
}

static void
answer_severities(struct http_call *call, const struct policy_set *set)
{
	char names[300] = "";
	size_t len = 0;
	for (size_t i = 0; i < set->n_severities && len < sizeof(names); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i > 0 ? ", " : "",
		                        set->severities[i].name);
	http_answer_error(call, 400, "\"severity\" is none of the configuration's: %s", names);
}

void
api_serve_assess(void *arg, struct http_call *call)
{
	static const char *const members[] = {"by", "severity", "reason", NULL};
	struct api *api = arg;
	const struct policy_set *set = api->config->policies;
	char id[API_NUMBER_SIZE], origin[HTTP_ORIGIN_SIZE], *by = NULL, *wanted = NULL, *reason = NULL;
	struct jsonw names = {0};
	int64_t ticket = 0;
	json_t *body;
	if (!api_path_number(call, &ticket) ||
	    (body = read_object(call, members, "{\"severity\": \"high\", \"reason\": \"...\", \"by\": \"Ann\"}")) ==
	        NULL)
		return;
	if ((by = read_line(call, body, "by", NAME_MAX_BYTES, "agent")) != NULL &&
	    (wanted = read_line(call, body, "severity", NAME_MAX_BYTES, NULL)) != NULL &&
	    (reason = read_line(call, body, "reason", REASON_MAX_BYTES, NULL)) != NULL) {
		int index = policy_set_severity(set, wanted);
		if (index >= 0)
			add_names(&names, &set->severities[index]);
		if (index < 0) {
			answer_severities(call, set);
		} else if (names.text.failed) {
			http_answer_busy(call, text_no_memory);
		} else {
			api_number(ticket, id);
			http_call_origin(call, origin);
			api_order(api, api->changes, call, ticket,
			          (struct desk_order){
			              .sql = {assess_sql},
			              .params = {id, set->severities[index].name, names.text.data, by, reason, origin},
			              .n_params = {6},
			              .done = on_assessed,
			          });
		}
	}
	jsonw_clear(&names);
	free(by);
	free(wanted);
	free(reason);
	json_decref(body);
}

/* Silences --------------------------------------------------------------------------------------------------------- */

static const char silence_sql[] =
    "WITH made AS (INSERT INTO sla.silence (match, reason, by, created_at, until) "
    "  SELECT $1::jsonb, $2, $3, n, n + $4::bigint * interval '1 microsecond' FROM clock_timestamp() AS n "
    "  RETURNING id, until), "
    "noted AS (INSERT INTO sla.audit (who, origin, action, detail) SELECT $3, $5, 'silence', "
    "  jsonb_build_object('silence', id, 'match', $1::jsonb, 'until', until, 'reason', $2::text) FROM made) "
    "SELECT id, " RESULT_US("until") " FROM made";

static const char end_silence_sql[] =
    "WITH ended AS (UPDATE sla.silence SET ended_at = clock_timestamp() WHERE id = $1::bigint AND ended_at IS NULL "
    "  AND until > clock_timestamp() RETURNING id), "
    "noted AS (INSERT INTO sla.audit (who, origin, action, detail) "
    "  SELECT $2, $3, 'end_silence', jsonb_build_object('silence', id) FROM ended) "
    "SELECT EXISTS (SELECT FROM ended), EXISTS (SELECT FROM sla.silence WHERE id = $1::bigint)";

static void
on_silenced(void *arg, PGresult *const *results)
{
	struct api_request *request = arg;
	char until[INSTANT_TEXT_SIZE];
	(void)instant_format(result_instant(results[0], 0, 1), until);
	log_info("silenced", log_number("silence", result_number(results[0], 0, 0)), log_text("until", until));
	answer(request, 201,
	       json_pack("{s:I, s:s}", "id", (json_int_t)result_number(results[0], 0, 0), "ends_at", until));
}

static void
on_silence_ended(void *arg, PGresult *const *results)
{
	struct api_request *request = arg;
	if (!result_bool(results[0], 0, 1)) {
		api_request_failed(request, 404, "there is no such silence: GET /api/v1/silences lists them");
		return;
	}
	if (!result_bool(results[0], 0, 0)) {
		api_request_failed(request, 409, "the silence has ended already");
		return;
	}
	log_info("a silence was ended", log_number("silence", request->number));
	answer(request, 200, json_pack("{s:I, s:b}", "id", (json_int_t)request->number, "ended", true));
}

/* Whether every member is a pattern for something that a silence can match. */
static bool
check_match(struct http_call *call, json_t *match)
{
	const char *key;
	json_t *value;
	if (!json_is_object(match) || json_object_size(match) == 0) {
		http_answer_error(call, 400, "\"match\" is not an object like {\"plan\": \"gold*\"}");
		return false;
	}
	json_object_foreach(match, key, value)
	{
		if (!silence_key_is_known(key)) {
			http_answer_error(call, 400,
			                  "\"match\": there is no \"%.80s\" to match; there are a ticket's facts, "
			                  "severity, metric, policy and attributes.KEY",
			                  key);
			return false;
		}
		if (!json_is_string(value) || json_string_length(value) == 0) {
			http_answer_error(call, 400, "\"match\": \"%.80s\" has no pattern, which is a text", key);
			return false;
		}
	}
	return true;
}

static bool
read_length(struct http_call *call, const json_t *object, char ret[static API_NUMBER_SIZE])
{
	const char *text = json_string_value(json_object_get(object, "for"));
	struct period period;
	if (!text || period_parse(text, &period) < 0 || period.business_days > 0 || period.elapsed.us <= 0) {
		http_answer_error(call, 400, "\"for\" is missing or not a length of time like \"30m\" or \"2h\"");
		return false;
	}
	api_number(period.elapsed.us, ret);
	return true;
}

void
api_serve_silence(void *arg, struct http_call *call)
{
	static const char *const members[] = {"match", "for", "reason", "by", NULL};
	struct api *api = arg;
	char length[API_NUMBER_SIZE], origin[HTTP_ORIGIN_SIZE], *by = NULL, *reason = NULL, *match = NULL;
	json_t *body = read_object(
	    call, members, "{\"match\": {\"plan\": \"gold\"}, \"for\": \"2h\", \"reason\": \"...\", \"by\": \"Ann\"}");
	if (!body)
		return;
	if (check_match(call, json_object_get(body, "match")) && read_length(call, body, length) &&
	    (by = read_line(call, body, "by", NAME_MAX_BYTES, "agent")) != NULL &&
	    (reason = read_line(call, body, "reason", REASON_MAX_BYTES, NULL)) != NULL) {
		match = json_dumps(json_object_get(body, "match"), JSON_ENSURE_ASCII);
		http_call_origin(call, origin);
		if (match)
			api_order(api, api->changes, call, 0,
			          (struct desk_order){
			              .sql = {silence_sql},
			              .params = {match, reason, by, length, origin},
			              .n_params = {5},
			              .done = on_silenced,
			          });
		else
			http_answer_busy(call, text_no_memory);
	}
	free(match);
	free(by);
	free(reason);
	json_decref(body);
}

void
api_serve_end_silence(void *arg, struct http_call *call)
{
	static const char *const names[] = {"by", NULL};
	const char *by = http_call_query(call, "by");
	struct api *api = arg;
	char id[API_NUMBER_SIZE], origin[HTTP_ORIGIN_SIZE], name[NAME_MAX_BYTES + 1] = "agent";
	int64_t number;
	if (!api_query_is_known(call, names) || !api_path_number(call, &number))
		return;
	if (by && strlen(by) <= NAME_MAX_BYTES)
		memcpy(name, by, strlen(by));
	if (by && (strlen(by) > NAME_MAX_BYTES || text_clean(name, strlen(by)) == 0)) {
		http_answer_error(call, 400, "\"by\" is empty or longer than %d bytes", NAME_MAX_BYTES);
		return;
	}
	api_number(number, id);
	http_call_origin(call, origin);
	api_order(api, api->changes, call, number,
	          (struct desk_order){
	              .sql = {end_silence_sql},
	              .params = {id, name, origin},
	              .n_params = {3},
	              .done = on_silence_ended,
	          });
}
