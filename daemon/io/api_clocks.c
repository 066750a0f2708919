/* Clocks, page by page. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_internal.h"
#include "slated/calendar.h"
#include "slated/policy.h"
#include "slated/text.h"
#include "slated/zone.h"

#define PAGE_MAX     1000
#define PAGE_DEFAULT 100

/* Clocks as JSON --------------------------------------------------------------------------------------------------- */

/* Whether open time passes at `now`, and until when that stays so. */
static void
write_rate(struct jsonw *json, const struct clock_row *clock, struct calendar *calendar, struct instant now)
{
	struct instant opens, closes;
	bool counts = clock_row_is(clock, "running") || clock_row_is(clock, "breached");
	if (!counts) {
		jsonw_number(json, "rate", 0);
		return;
	}
	bool found = calendar_interval(calendar, now, &opens, &closes);
	bool open = found && !instant_before(now, opens);
	jsonw_number(json, "rate", open ? 1 : 0);
	if (found)
		jsonw_instant(json, "rate_until", open ? closes : opens);
}

const struct policy_set *
api_clock_read(const struct api *api, const PGresult *rows, int row, int column, struct instant now,
               struct clock_row *ret)
{
	const char *digest = result_text(rows, row, column + CLOCK_ROW_CONFIGURATION);
	const struct policy_set *set = api->hooks.policies(api->hooks.arg, digest);
	clock_row_read(rows, row, column, set, now, ret);
	return set;
}

void
api_clock_write(struct jsonw *json, const struct clock_row *clock, const struct policy_set *set, struct instant now)
{
	struct calendar *calendar = policy_set_calendar(set, clock->calendar);
	const struct policy *policy = policy_set_policy(set, clock->policy);
	clock_row_write(json, clock);
	if (calendar)
		jsonw_text(json, "timezone", zone_name(calendar_zone(calendar)));
	if (policy)
		jsonw_number(json, "rank", policy->rank);
	if (calendar && instant_equal(clock->ended_at, INSTANT_NEVER))
		write_rate(json, clock, calendar, now);
}

void
api_clock_write_listed(const struct api *api, struct jsonw *json, const PGresult *rows, int row, struct instant now)
{
	struct clock_row clock;
	const struct policy_set *set = api_clock_read(api, rows, row, CLOCK_LIST_CLOCK, now, &clock);
	jsonw_open(json, NULL, '{');
	clock_list_write_ticket(json, rows, row, now);
	api_clock_write(json, &clock, set, now);
	jsonw_close(json, '}');
}

/* The list --------------------------------------------------------------------------------------------------------- */

/* The place behind a row, for the next page: "PLACE.TICKET.METRIC.CYCLE". */
static void
write_next(struct jsonw *json, const PGresult *rows, int row)
{
	char text[120];
	(void)snprintf(text, sizeof(text), "%s.%s.%s.%s", result_text(rows, row, CLOCK_LIST_PLACE),
	               result_text(rows, row, CLOCK_LIST_ID), result_text(rows, row, CLOCK_LIST_CLOCK),
	               result_text(rows, row, CLOCK_LIST_CLOCK + 1));
	jsonw_text(json, "next", text);
}

static void
write_counts(struct jsonw *json, const PGresult *rows)
{
	static const struct {
		const char *name;
		int column;
	} counts[] = {
	    {"open", CLOCK_LIST_ALL},        {"breached", CLOCK_LIST_BREACHED}, {"at_risk", CLOCK_LIST_AT_RISK},
	    {"running", CLOCK_LIST_RUNNING}, {"paused", CLOCK_LIST_PAUSED},     {"overdue", CLOCK_LIST_OVERDUE},
	};
	jsonw_open(json, "counts", '{');
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		jsonw_number(json, counts[i].name, PQntuples(rows) > 0 ? result_number(rows, 0, counts[i].column) : 0);
	jsonw_close(json, '}');
}

/* One row more than the page was asked for says that there is another. */
static void
on_clocks(void *arg, PGresult *const *results)
{
	struct api_request *request = arg;
	const struct api *api = request->api;
	const PGresult *rows = results[0];
	struct instant now = api->hooks.now(api->hooks.arg);
	int n = PQntuples(rows) > request->number ? (int)request->number : PQntuples(rows);
	struct jsonw json = {0};
	jsonw_open(&json, NULL, '{');
	jsonw_instant(&json, "now", now);
	jsonw_open(&json, "clocks", '[');
	for (int row = 0; row < n; row++)
		api_clock_write_listed(api, &json, rows, row, now);
	jsonw_close(&json, ']');
	if (n < PQntuples(rows))
		write_next(&json, rows, n - 1);
	write_counts(&json, rows);
	jsonw_close(&json, '}');
	http_answer_text(request->call, 200, &json.text);
	free(request);
}

/* What a request asks for, as parameters. */
struct clock_query {
	const char *params[DESK_PARAMS_MAX];
	char *patterns[CLOCK_LIST_PARAMS]; /* to be freed */
	char within[API_NUMBER_SIZE];
	char ticket[API_NUMBER_SIZE + 2];
	char now[API_NUMBER_SIZE];
	char limit[API_NUMBER_SIZE];
	char after[120]; /* cut in four */
	int64_t page;
};

static bool
read_choices(struct http_call *call, struct clock_query *query)
{
	const char *state = http_call_query(call, "state"), *metric = http_call_query(call, "metric");
	if (state && name_index(clock_list_states, CLOCK_LIST_STATES, state) < 0) {
		http_answer_error(call, 400, "\"state\" is none of running, at_risk, paused, breached");
		return false;
	}
	if (metric && name_index(metric_names, METRIC_COUNT, metric) < 0) {
		http_answer_error(call, 400,
		                  "\"metric\" is none of first_response, next_response, update, resolution, "
		                  "assessment");
		return false;
	}
	query->params[CLOCK_LIST_STATE] = state;
	query->params[CLOCK_LIST_METRIC] = metric;
	return true;
}

static bool
read_patterns(struct http_call *call, struct clock_query *query)
{
	static const char *const names[] = {
	    [CLOCK_LIST_POLICY] = "policy",     [CLOCK_LIST_PLAN] = "plan",         [CLOCK_LIST_ORG] = "org",
	    [CLOCK_LIST_SEVERITY] = "severity", [CLOCK_LIST_ASSIGNEE] = "assignee", [CLOCK_LIST_TEAM] = "team",
	};
	for (int i = CLOCK_LIST_POLICY; i <= CLOCK_LIST_TEAM; i++) {
		const char *glob = http_call_query(call, names[i]);
		if (!glob)
			continue;
		query->patterns[i] = clock_list_pattern(glob);
		query->params[i] = query->patterns[i];
		if (!query->patterns[i]) {
			http_answer_busy(call, text_no_memory);
			return false;
		}
	}
	return true;
}

static bool
read_numbers(struct http_call *call, struct clock_query *query)
{
	const char *within = http_call_query(call, "within");
	struct period period;
	int64_t ticket;
	if (!api_query_number(call, "limit", PAGE_MAX, PAGE_DEFAULT, &query->page) ||
	    !api_query_number(call, "ticket", INT64_MAX, 0, &ticket))
		return false;
	if (within && (period_parse(within, &period) < 0 || period.business_days > 0)) {
		http_answer_error(call, 400, "\"within\" is not a length of time like 30m or 2h");
		return false;
	}
	if (within) {
		api_number(period.elapsed.us, query->within);
		query->params[CLOCK_LIST_WITHIN] = query->within;
	}
	if (ticket > 0) {
		(void)snprintf(query->ticket, sizeof(query->ticket), "{%" PRId64 "}", ticket);
		query->params[CLOCK_LIST_TICKETS] = query->ticket;
	}
	api_number(query->page + 1, query->limit);
	query->params[CLOCK_LIST_LIMIT] = query->limit;
	return true;
}

static bool
read_after(struct http_call *call, struct clock_query *query)
{
	const char *after = http_call_query(call, "after");
	char *parts[4] = {0}, *rest = NULL;
	int64_t number;
	size_t n = 0;
	if (!after)
		return true;
	(void)snprintf(query->after, sizeof(query->after), "%s", after);
	for (char *part = strtok_r(query->after, ".", &rest); part; part = strtok_r(NULL, ".", &rest)) {
		if (n < 4)
			parts[n] = part;
		n++;
	}
	if (n != 4 || strlen(after) >= sizeof(query->after) || !api_number_read(parts[0], INT64_MAX, &number) ||
	    !api_number_read(parts[1], INT64_MAX, &number) || name_index(metric_names, METRIC_COUNT, parts[2]) < 0 ||
	    !api_number_read(parts[3], INT32_MAX, &number)) {
		http_answer_error(call, 400, "\"after\" is not a \"next\" of an answer: begin without it");
		return false;
	}
	for (int i = 0; i < 4; i++)
		query->params[CLOCK_LIST_AFTER + i] = parts[i];
	return true;
}

void
api_serve_clocks(void *arg, struct http_call *call)
{
	static const char *const names[] = {"state", "metric", "policy", "plan",  "org",   "severity", "assignee",
	                                    "team",  "within", "ticket", "limit", "after", NULL};
	struct api *api = arg;
	struct clock_query query = {0};
	if (api_query_is_known(call, names) && read_choices(call, &query) && read_numbers(call, &query) &&
	    read_after(call, &query) && read_patterns(call, &query)) {
		struct desk_order order = {
		    .sql = {clock_list_sql},
		    .n_params = {CLOCK_LIST_PARAMS},
		    .done = on_clocks,
		};
		api_number(api->hooks.now(api->hooks.arg).us, query.now);
		query.params[CLOCK_LIST_NOW] = query.now;
		query.params[CLOCK_LIST_LINK] = api->config->ticket_link;
		memcpy(order.params, query.params, sizeof(query.params));
		api_order(api, api->reads, call, query.page, order);
	}
	for (int i = 0; i < CLOCK_LIST_PARAMS; i++)
		free(query.patterns[i]);
}
