/* Why a clock is as it is: in an outline, with the spans and open hours that a timeline draws, and in full. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_internal.h"
#include "slated/calendar.h"
#include "slated/explain.h"
#include "slated/policy.h"
#include "slated/story_row.h"
#include "slated/text.h"
#include "slated/ticket_row.h"

#define INTERVALS_MAX 400

/* Spans and hours -------------------------------------------------------------------------------------------------- */

static void
write_pair(struct jsonw *json, struct instant from, struct instant to)
{
	jsonw_open(json, NULL, '[');
	jsonw_instant(json, NULL, from);
	jsonw_instant(json, NULL, to);
	jsonw_close(json, ']');
}

/* When the clock ran: beginnings and ends by turns, without the last end while it runs. */
static void
write_spans(struct jsonw *json, const struct clock_row *clock)
{
	const char *text = clock->spans + 1;
	jsonw_open(json, "spans", '[');
	while (*text != '}' && *text != '\0') {
		char *end;
		struct instant from = {strtoll(text, &end, 10)}, to = INSTANT_NEVER;
		if (*end == ',')
			to.us = strtoll(end + 1, &end, 10);
		write_pair(json, from, to);
		text = *end == ',' ? end + 1 : end;
	}
	jsonw_close(json, ']');
}

static void
write_open(struct jsonw *json, const struct clock_row *clock, struct calendar *calendar, struct instant now)
{
	struct instant at = clock->started_at, opens, closes;
	struct instant until = instant_equal(clock->ended_at, INSTANT_NEVER) ? now : clock->ended_at;
	int n = 0;
	if (!instant_equal(clock->due_at, INSTANT_NEVER) && instant_before(until, clock->due_at))
		until = clock->due_at;
	jsonw_open(json, "open", '[');
	for (; n < INTERVALS_MAX && instant_before(at, until) && calendar_interval(calendar, at, &opens, &closes);
	     n++) {
		if (!instant_before(opens, until))
			break;
		write_pair(json, instant_before(opens, at) ? at : opens, instant_min(closes, until));
		at = closes;
	}
	jsonw_close(json, ']');
	if (n == INTERVALS_MAX)
		jsonw_bool(json, "open_truncated", true);
}

void
api_explain(struct jsonw *json, const struct clock_row *clock, const struct policy_set *set, struct instant now)
{
	struct calendar *calendar = policy_set_calendar(set, clock->calendar);
	explain_write_outline(json, clock, set);
	write_spans(json, clock);
	if (calendar)
		write_open(json, clock, calendar, now);
}

/* The explanation of a ticket -------------------------------------------------------------------------------------- */

/* The statements, in order; each takes the ticket's id. */
enum {
	TICKET,
	CLOCKS,
	EVENTS,
	CONFIGURATIONS,
};

static void
on_explanation(void *arg, PGresult *const *results)
{
	struct api_request *request = arg;
	const struct api *api = request->api;
	const struct explain_source source = {
	    .ticket = results[TICKET],
	    .clocks = results[CLOCKS],
	    .events = results[EVENTS],
	    .configurations = results[CONFIGURATIONS],
	    .config = api->config,
	    .now = api->hooks.now(api->hooks.arg),
	};
	struct explain *explain;
	struct jsonw json = {0};
	if (PQntuples(results[TICKET]) == 0) {
		api_request_failed(request, 404, api_no_such_ticket);
		return;
	}
	if (explain_new(&source, &explain) < 0) {
		http_answer_busy(request->call, text_no_memory);
		free(request);
		return;
	}
	jsonw_open(&json, NULL, '{');
	jsonw_instant(&json, "now", source.now);
	jsonw_number(&json, "ticket_id", request->number);
	jsonw_text(&json, "source", result_text(source.ticket, 0, TICKET_ROW_SOURCE));
	jsonw_text(&json, "external_id", result_text(source.ticket, 0, TICKET_ROW_EXTERNAL));
	explain_write(&json, explain);
	jsonw_close(&json, '}');
	explain_free(explain);
	http_answer_text(request->call, 200, &json.text);
	free(request);
}

void
api_serve_explanation(void *arg, struct http_call *call)
{
	static const char *const names[] = {NULL};
	struct api *api = arg;
	char id[API_NUMBER_SIZE];
	int64_t number;
	if (!api_query_is_known(call, names) || !api_path_number(call, &number))
		return;
	api_number(number, id);
	api_order(api, api->reads, call, number,
	          (struct desk_order){
	              .sql = {[TICKET] = ticket_row_sql,
	                      [CLOCKS] = clock_row_ticket_sql,
	                      [EVENTS] = story_row_events.sql,
	                      [CONFIGURATIONS] = explain_configurations_sql},
	              .params = {id},
	              .n_params = {[TICKET] = 1, [CLOCKS] = 1, [EVENTS] = 1, [CONFIGURATIONS] = 1},
	              .done = on_explanation,
	          });
}
