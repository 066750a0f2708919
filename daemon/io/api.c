#include "slated/api.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_internal.h"
#include "slated/delivery_row.h"
#include "slated/policy.h"
#include "slated/text.h"

/* Requests --------------------------------------------------------------------------------------------------------- */

const char api_no_such_ticket[] =
    "there is no such ticket: {id} is its number in sla.ticket; by the ticket system's own "
    "name: /api/v1/tickets?external_id=NAME";

void
api_request_failed(void *arg, int status, const char *why)
{
	struct api_request *request = arg;
	http_answer_failure(request->call, status, why);
	free(request);
}

void
api_order(struct api *api, struct desk *desk, struct http_call *call, int64_t number, struct desk_order order)
{
	struct api_request *request = calloc(1, sizeof(*request));
	if (!request) {
		http_answer_busy(call, text_no_memory);
		return;
	}
	*request = (struct api_request){api, call, number};
	order.failed = api_request_failed;
	order.forgotten = free;
	order.arg = request;
	desk_put(desk, &order);
}

bool
api_query_is_known(struct http_call *call, const char *const *names)
{
	const char *other = http_call_query_other(call, names);
	if (other)
		http_answer_error(call, 400,
		                  "there is no parameter \"%.80s\" here: doc/openapi.yaml has those that there are",
		                  other);
	return !other;
}

bool
api_number_read(const char *text, int64_t max, int64_t *ret)
{
	char *end;
	errno = 0;
	long long value = *text >= '1' && *text <= '9' ? strtoll(text, &end, 10) : 0;
	if (value < 1 || value > max || errno != 0 || *end != '\0')
		return false;
	*ret = value;
	return true;
}

bool
api_query_number(struct http_call *call, const char *name, int64_t max, int64_t otherwise, int64_t *ret)
{
	const char *text = http_call_query(call, name);
	if (!text) {
		*ret = otherwise;
		return true;
	}
	if (api_number_read(text, max, ret))
		return true;
	http_answer_error(call, 400, "\"%s\" is not a number from 1 to %" PRId64, name, max);
	return false;
}

bool
api_path_number(struct http_call *call, int64_t *ret)
{
	if (api_number_read(http_call_segment(call), INT64_MAX, ret))
		return true;
	http_answer_error(call, 404, "\"%.40s\" in the path is not a number: it stands for an id",
	                  http_call_segment(call));
	return false;
}

void
api_number(int64_t value, char text[static API_NUMBER_SIZE])
{
	(void)snprintf(text, API_NUMBER_SIZE, "%" PRId64, value);
}

/* Silences --------------------------------------------------------------------------------------------------------- */

static const char silences_sql[] = "SELECT id, match::text, reason, by, " RESULT_US("created_at") ", " RESULT_US(
    "coalesce(ended_at, until)") ", "
                                 "ended_at IS NULL AND until > clock_timestamp() AS active FROM sla.silence "
                                 "WHERE $1::boolean OR (ended_at IS NULL AND until > clock_timestamp()) ORDER BY id "
                                 "DESC LIMIT 1000";

static void
on_silences(void *arg, PGresult *const *results)
{
	struct api_request *request = arg;
	const PGresult *rows = results[0];
	struct jsonw json = {0};
	jsonw_open(&json, NULL, '{');
	jsonw_open(&json, "silences", '[');
	for (int row = 0; row < PQntuples(rows); row++) {
		jsonw_open(&json, NULL, '{');
		jsonw_raw(&json, "id", result_text(rows, row, 0));
		jsonw_raw(&json, "match", result_text(rows, row, 1));
		jsonw_text(&json, "reason", result_text(rows, row, 2));
		jsonw_text(&json, "by", result_text(rows, row, 3));
		jsonw_instant(&json, "starts_at", result_instant(rows, row, 4));
		jsonw_instant(&json, "ends_at", result_instant(rows, row, 5));
		jsonw_bool(&json, "active", result_bool(rows, row, 6));
		jsonw_close(&json, '}');
	}
	jsonw_close(&json, ']');
	jsonw_close(&json, '}');
	http_answer_text(request->call, 200, &json.text);
	free(request);
}

static void
serve_silences(void *arg, struct http_call *call)
{
	static const char *const names[] = {"all", NULL};
	struct api *api = arg;
	const char *all = http_call_query(call, "all");
	if (!api_query_is_known(call, names))
		return;
	if (all && strcmp(all, "true") != 0 && strcmp(all, "false") != 0) {
		http_answer_error(call, 400, "\"all\" is neither true nor false");
		return;
	}
	api_order(api, api->reads, call, 0,
	          (struct desk_order){
	              .sql = {silences_sql},
	              .params = {all ? all : "false"},
	              .n_params = {1},
	              .done = on_silences,
	          });
}

/* Deliveries ------------------------------------------------------------------------------------------------------- */

static const char deliveries_sql[] =
    "SELECT " DELIVERY_ROW_COLUMNS " FROM " DELIVERY_ROWS " AS d "
    "WHERE ($1::text IS NULL OR d.state = $1) AND ($2::text IS NULL OR d.channel = $2) "
    "  AND ($3::bigint IS NULL OR d.ticket_id = $3) "
    "ORDER BY d.created_at DESC, d.position DESC, d.key LIMIT $4::bigint";

static void
on_deliveries(void *arg, PGresult *const *results)
{
	struct api_request *request = arg;
	struct jsonw json = {0};
	jsonw_open(&json, NULL, '{');
	jsonw_open(&json, "deliveries", '[');
	for (int row = 0; row < PQntuples(results[0]); row++)
		delivery_row_write(&json, results[0], row);
	jsonw_close(&json, ']');
	jsonw_close(&json, '}');
	http_answer_text(request->call, 200, &json.text);
	free(request);
}

static void
serve_deliveries(void *arg, struct http_call *call)
{
	static const char *const names[] = {"state", "channel", "ticket", "limit", NULL};
	struct api *api = arg;
	const char *state = http_call_query(call, "state");
	char limit_text[API_NUMBER_SIZE], ticket_text[API_NUMBER_SIZE];
	int64_t limit, ticket;
	if (!api_query_is_known(call, names) || !api_query_number(call, "limit", 1000, 100, &limit) ||
	    !api_query_number(call, "ticket", INT64_MAX, 0, &ticket))
		return;
	if (state && name_index(delivery_row_states, DELIVERY_ROW_STATES, state) < 0) {
		http_answer_error(call, 400, "\"state\" is none of pending, sending, delivered, dead, superseded");
		return;
	}
	api_number(limit, limit_text);
	api_number(ticket, ticket_text);
	api_order(api, api->reads, call, 0,
	          (struct desk_order){
	              .sql = {deliveries_sql},
	              .params = {state, http_call_query(call, "channel"), ticket > 0 ? ticket_text : NULL, limit_text},
	              .n_params = {4},
	              .done = on_deliveries,
	          });
}

/* Attainment ------------------------------------------------------------------------------------------------------- */

/* What counts, and in which week, is said by sla.outcome. */
static const char attainment_sql[] =
    "SELECT to_char(date_trunc('week', o.at AT TIME ZONE $2), 'YYYY-MM-DD'), o.policy, o.metric, "
    "count(*) FILTER (WHERE o.verdict = 'in_time'), count(*) FILTER (WHERE o.verdict = 'missed') "
    "FROM sla.outcome o WHERE o.verdict <> 'withdrawn' "
    "AND o.at >= (date_trunc('week', (to_timestamp(0) + $5::bigint * interval '1 microsecond') AT TIME ZONE $2) "
    "  - ($1::int - 1) * interval '1 week') AT TIME ZONE $2 "
    "AND ($3::text IS NULL OR o.policy = $3) AND ($4::text IS NULL OR o.metric = $4) "
    "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";

static void
on_attainment(void *arg, PGresult *const *results)
{
	struct api_request *request = arg;
	const PGresult *rows = results[0];
	struct jsonw json = {0};
	jsonw_open(&json, NULL, '{');
	jsonw_instant(&json, "now", request->api->hooks.now(request->api->hooks.arg));
	jsonw_open(&json, "weeks", '[');
	for (int row = 0; row < PQntuples(rows); row++) {
		jsonw_open(&json, NULL, '{');
		jsonw_text(&json, "week", result_text(rows, row, 0));
		jsonw_text(&json, "policy", result_text(rows, row, 1));
		jsonw_text(&json, "metric", result_text(rows, row, 2));
		jsonw_raw(&json, "in_time", result_text(rows, row, 3));
		jsonw_raw(&json, "missed", result_text(rows, row, 4));
		jsonw_close(&json, '}');
	}
	jsonw_close(&json, ']');
	jsonw_close(&json, '}');
	http_answer_text(request->call, 200, &json.text);
	free(request);
}

static void
serve_attainment(void *arg, struct http_call *call)
{
	static const char *const names[] = {"weeks", "policy", "metric", "timezone", NULL};
	struct api *api = arg;
	const char *timezone = http_call_query(call, "timezone"), *metric = http_call_query(call, "metric");
	char weeks_text[API_NUMBER_SIZE], now[API_NUMBER_SIZE];
	int64_t weeks;
	if (!api_query_is_known(call, names) || !api_query_number(call, "weeks", 104, 12, &weeks))
		return;
	if (metric && name_index(metric_names, METRIC_COUNT, metric) < 0) {
		http_answer_error(call, 400,
		                  "\"metric\" is none of first_response, next_response, update, resolution, "
		                  "assessment");
		return;
	}
	api_number(weeks, weeks_text);
	api_number(api->hooks.now(api->hooks.arg).us, now);
	api_order(api, api->reads, call, 0,
	          (struct desk_order){
	              .sql = {attainment_sql},
	              .params = {weeks_text, timezone ? timezone : "UTC", http_call_query(call, "policy"), metric, now},
	              .n_params = {5},
	              .done = on_attainment,
	          });
}

/* The daemon itself ------------------------------------------------------------------------------------------------ */

static void
serve_status(void *arg, struct http_call *call)
{
	static const char *const names[] = {NULL};
	struct api *api = arg;
	struct jsonw json = {0};
	if (!api_query_is_known(call, names))
		return;
	jsonw_open(&json, NULL, '{');
	api->hooks.status(api->hooks.arg, &json);
	jsonw_close(&json, '}');
	http_answer_text(call, 200, &json.text);
}

/* Life ------------------------------------------------------------------------------------------------------------- */

static const struct http_route routes[] = {
    {"GET", "/api/v1/status", HTTP_READ, serve_status},
    {"GET", "/api/v1/clocks", HTTP_READ, api_serve_clocks},
    {"GET", "/api/v1/tickets", HTTP_READ, api_serve_ticket_by_name},
    {"GET", "/api/v1/tickets/{id}", HTTP_READ, api_serve_ticket},
    {"GET", "/api/v1/tickets/{id}/explanation", HTTP_READ, api_serve_explanation},
    {"POST", "/api/v1/tickets/{id}/assess", HTTP_TOKEN, api_serve_assess},
    {"GET", "/api/v1/silences", HTTP_READ, serve_silences},
    {"POST", "/api/v1/silences", HTTP_TOKEN, api_serve_silence},
    {"DELETE", "/api/v1/silences/{id}", HTTP_TOKEN, api_serve_end_silence},
    {"GET", "/api/v1/deliveries", HTTP_READ, serve_deliveries},
    {"GET", "/api/v1/attainment", HTTP_READ, serve_attainment},
    {"GET", "/api/v1/stream", HTTP_READ, api_serve_stream},
};

int
api_new(struct event_base *base, struct http_server *server, const struct config *config, struct desk *changes,
        struct desk *reads, const struct api_hooks *hooks, struct api **ret)
{
	struct api *api = calloc(1, sizeof(*api));
	if (!api)
		return -ENOMEM;
	api->hooks = *hooks;
	api->config = config;
	api->changes = changes;
	api->reads = reads;
	int r = api_stream_new(api, base);
	if (r == 0)
		r = http_server_add(server, routes, sizeof(routes) / sizeof(routes[0]), api);
	if (r < 0) {
		api_free(api);
		return r;
	}
	*ret = api;
	return 0;
}

void
api_free(struct api *api)
{
	if (!api)
		return;
	api_stream_free(api);
	free(api);
}

void
api_configure(struct api *api, const struct config *config)
{
	api->config = config;
	api_note_load(api); /* calendars and ranks may be others */
}
