/* One ticket: its facts, its clocks and why they are as they are, and what happened to it. */
#include <stdlib.h>
#include <string.h>

#include "api_internal.h"
#include "slated/delivery_row.h"
#include "slated/story_row.h"
#include "slated/ticket_row.h"

/* The statements, in order; each takes the ticket's id. */
enum {
	TICKET,
	CLOCKS,
	MORE,
	MILESTONES,
	REASSESSMENTS,
	EVENTS,
	DELIVERIES,
};

/* The ticket's link, and the acknowledgement that came last. */
static const char more_sql[] =
    "SELECT sla.ticket_link($2, t), " RESULT_US("a.at") ", a.by, " CLOCK_LIST_HELD_UNTIL
                                                        " FROM sla.ticket t " CLOCK_LIST_ACK("t.id") "WHERE t.id = $1";

static const char find_sql[] = "SELECT id FROM sla.ticket WHERE source = $1 AND external_id = $2";

static void
write_clocks(const struct api *api, struct jsonw *json, const PGresult *rows, struct instant now)
{
	jsonw_open(json, "clocks", '[');
	for (int row = 0; row < PQntuples(rows); row++) {
		struct clock_row clock;
		const struct policy_set *set = api_clock_read(api, rows, row, 0, now, &clock);
		jsonw_open(json, NULL, '{');
		api_clock_write(json, &clock, set, now);
		api_explain(json, &clock, set, now);
		jsonw_close(json, '}');
	}
	jsonw_close(json, ']');
}

static void
write_more(struct jsonw *json, const PGresult *more, struct instant now)
{
	struct instant until = result_instant(more, 0, 3);
	jsonw_text(json, "link", result_text(more, 0, 0));
	if (result_text(more, 0, 1) == NULL || !instant_before(now, until))
		return;
	jsonw_bool(json, "acknowledged", true);
	jsonw_text(json, "ack_by", result_text(more, 0, 2));
	jsonw_instant(json, "ack_until", until);
}

static void
on_ticket(void *arg, PGresult *const *results)
{
	struct api_request *request = arg;
	const struct api *api = request->api;
	struct instant now = api->hooks.now(api->hooks.arg);
	struct jsonw json = {0};
	if (PQntuples(results[TICKET]) == 0) {
		api_request_failed(request, 404, api_no_such_ticket);
		return;
	}
	jsonw_open(&json, NULL, '{');
	jsonw_instant(&json, "now", now);
	jsonw_open(&json, "ticket", '{');
	ticket_row_write_members(&json, results[TICKET]);
	write_more(&json, results[MORE], now);
	jsonw_close(&json, '}');
	write_clocks(api, &json, results[CLOCKS], now);
	story_row_write(&json, &story_row_milestones, results[MILESTONES]);
	story_row_write(&json, &story_row_reassessments, results[REASSESSMENTS]);
	story_row_write(&json, &story_row_events, results[EVENTS]);
	jsonw_open(&json, "deliveries", '[');
	for (int row = 0; row < PQntuples(results[DELIVERIES]); row++)
		delivery_row_write(&json, results[DELIVERIES], row);
	jsonw_close(&json, ']');
	jsonw_close(&json, '}');
	http_answer_text(request->call, 200, &json.text);
	free(request);
}

static void
ask_for_ticket(struct api *api, struct http_call *call, const char *id)
{
	api_order(api, api->reads, call, 0,
	          (struct desk_order){
	              .sql = {[TICKET] = ticket_row_sql,
	                      [CLOCKS] = clock_row_ticket_sql,
	                      [MORE] = more_sql,
	                      [MILESTONES] = story_row_milestones.sql,
	                      [REASSESSMENTS] = story_row_reassessments.sql,
	                      [EVENTS] = story_row_events.sql,
	                      [DELIVERIES] = delivery_row_sql},
	              .params = {id, api->config->ticket_link},
	              .n_params = {[TICKET] = 1,
	                           [CLOCKS] = 1,
	                           [MORE] = 2,
	                           [MILESTONES] = 1,
	                           [REASSESSMENTS] = 1,
	                           [EVENTS] = 1,
	                           [DELIVERIES] = 1},
	              .done = on_ticket,
	          });
}

void
api_serve_ticket(void *arg, struct http_call *call)
{
	static const char *const names[] = {NULL};
	char id[API_NUMBER_SIZE];
	int64_t number;
	if (!api_query_is_known(call, names) || !api_path_number(call, &number))
		return;
	api_number(number, id);
	ask_for_ticket(arg, call, id);
}

static void
on_found(void *arg, PGresult *const *results)
{
	struct api_request *request = arg;
	if (PQntuples(results[0]) > 0)
		ask_for_ticket(request->api, request->call, result_text(results[0], 0, 0));
	else
		http_answer_error(request->call, 404, "there is no ticket of that external_id and source");
	free(request);
}

void
api_serve_ticket_by_name(void *arg, struct http_call *call)
{
	static const char *const names[] = {"external_id", "source", NULL};
	const char *name = http_call_query(call, "external_id"), *source = http_call_query(call, "source");
	struct api *api = arg;
	if (!api_query_is_known(call, names))
		return;
	if (!name || *name == '\0') {
		http_answer_error(call, 400,
		                  "external_id is missing: /api/v1/tickets?external_id=NAME&source=SOURCE, or "
		                  "/api/v1/tickets/ID");
		return;
	}
	api_order(api, api->reads, call, 0,
	          (struct desk_order){
	              .sql = {find_sql},
	              .params = {source ? source : "native", name},
	              .n_params = {2},
	              .done = on_found,
	          });
}
