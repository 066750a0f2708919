#include "slated/explain.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain_internal.h"
#include "slated/config.h"
#include "slated/jsonr.h"
#include "slated/reasons.h"
#include "slated/story_row.h"
#include "slated/ticket_row.h"
#include "slated/words.h"

/* Of one clock; years of office hours. */
#define STRETCHES_MAX 1000

const char explain_configurations_sql[] =
    "SELECT digest, source, " RESULT_US("loaded_at") ", tzdata FROM sla.configuration WHERE digest IN "
                                                     "(SELECT configuration FROM sla.clock WHERE ticket_id = $1)";

/* Facts as of an event --------------------------------------------------------------------------------------------- */

/* What the events up to one of them make of the ticket. */
struct fold {
	const PGresult *events;
	json_t *facts; /* texts, and `attributes` with texts */
	const char *severity;
	enum status status;
	struct instant opened_at;
	struct custom_attribute *custom; /* of the last fold_facts() */
};

static bool
event_is(const PGresult *events, int row, const char *kind)
{
	return strcmp(result_text(events, row, EVENT_ROW_KIND), kind) == 0;
}

static bool
event_counts(const PGresult *events, int row)
{
	return result_text(events, row, EVENT_ROW_REFUSED) == NULL;
}

/* Takes over what `changes` has; null takes away. */
static int
facts_merge(json_t *facts, json_t *changes)
{
	const char *key;
	json_t *value;
	int r = 0;

	json_object_foreach(changes, key, value)
	{
		json_t *present = json_object_get(facts, key);
		if (json_is_object(value) && json_is_object(present))
			r = facts_merge(present, value);
		else if (json_is_null(value))
			(void)json_object_del(facts, key); /* it may not be there */
		else if (json_object_set(facts, key, value) < 0)
			r = -ENOMEM;
		if (r < 0)
			return r;
	}
	return 0;
}

static int
fold_event(struct fold *fold, int row)
{
	const PGresult *events = fold->events;
	const char *text = result_text(events, row, EVENT_ROW_FACTS_JSON);
	const char *status = result_text(events, row, EVENT_ROW_STATUS);
	json_t *changes = NULL;

	if (!event_counts(events, row))
		return 0;
	if (event_is(events, row, "opened"))
		fold->opened_at = result_instant(events, row, 0);
	if (status != NULL && name_index(status_names, STATUS_COUNT, status) >= 0)
		fold->status = (enum status)name_index(status_names, STATUS_COUNT, status);
	if (result_text(events, row, EVENT_ROW_SEVERITY) != NULL)
		fold->severity = result_text(events, row, EVENT_ROW_SEVERITY);
	if (text == NULL)
		return 0;
	int r = jsonr_read(text, strlen(text), 0, &changes);
	if (r == 0)
		r = facts_merge(fold->facts, changes);
	json_decref(changes);
	return r;
}

/* The facts as policies see them; texts belong to the fold. */
static int
fold_facts(struct fold *fold, const struct policy_set *set, struct facts *ret)
{
	json_t *custom = json_object_get(fold->facts, "attributes");
	int severity = fold->severity != NULL ? policy_set_severity(set, fold->severity) : -1;
	struct facts facts = {.severity = severity >= 0 ? (unsigned)severity : 0, .status = fold->status};
	const char *key;
	json_t *value;

	free(fold->custom);
	fold->custom = calloc(json_object_size(custom) + 1, sizeof *fold->custom);
	if (fold->custom == NULL)
		return -ENOMEM;
	for (int i = 0; i < ATTRIBUTE_COUNT; i++)
		facts.attributes[i] = json_string_value(json_object_get(fold->facts, attribute_names[i]));
	json_object_foreach(custom, key, value) fold->custom[facts.n_custom++] =
	    (struct custom_attribute){key, json_string_value(value)};
	facts.custom = fold->custom;
	*ret = facts;
	return 0;
}

/* Why each policy before `policy` (NULL: any) did not fit. */
static int
passed_over_fill(struct explain_clock *clock, const struct policy_set *set, const struct policy *policy,
                 const struct facts *facts, struct instant opened_at)
{
	size_t n = policy != NULL ? (size_t)(policy - set->policies) : set->n_policies;

	clock->passed_over = calloc(n + 1, sizeof *clock->passed_over);
	if (clock->passed_over == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct text text = {0};
		text_add_string(&text, "");
		reasons_add_mismatch(&text, set, &set->policies[i], facts, opened_at);
		if (text.failed) {
			free(text.data);
			return -ENOMEM;
		}
		clock->passed_over[clock->n_passed_over++] = (struct explain_policy){set->policies[i].name, text.data};
	}
	return 0;
}

/* Goes through the events until the facts choose the clock's policy: as it started, or at a change after that. Where
 * they never do, as the configuration has changed since, nothing is said of other policies. */
static int
policy_find(const struct explain_source *source, struct explain_clock *clock)
{
	const struct policy_set *set = clock->config->policies;
	struct fold fold = {.events = source->events, .facts = json_object()};
	int n = PQntuples(source->events);
	int r = fold.facts != NULL ? 0 : -ENOMEM;

	for (int row = 0; r == 0 && row < n; row++) {
		struct facts facts;
		r = fold_event(&fold, row);
		if (r < 0 ||
		    (row + 1 < n && !instant_before(clock->row.started_at, result_instant(source->events, row + 1, 0))))
			continue;
		r = fold_facts(&fold, set, &facts);
		if (r == 0 && policy_set_choose(set, &facts, fold.opened_at) == clock->policy) {
			r = passed_over_fill(clock, set, clock->policy, &facts, fold.opened_at);
			break;
		}
	}
	free(fold.custom);
	json_decref(fold.facts);
	return r;
}

/* Stretches -------------------------------------------------------------------------------------------------------- */

static int
stretch_add(struct explain_clock *clock, const struct explain_stretch *stretch)
{
	if (clock->n_stretches == STRETCHES_MAX) {
		clock->truncated = true;
		return 0;
	}
	struct explain_stretch *grown = reallocarray(clock->stretches, clock->n_stretches + 1, sizeof *grown);
	if (grown == NULL)
		return -ENOMEM;
	clock->stretches = grown;
	grown[clock->n_stretches++] = *stretch;
	return 0;
}

static struct duration
sum_so_far(const struct explain_clock *clock)
{
	return clock->n_stretches > 0 ? clock->stretches[clock->n_stretches - 1].stretch.sum : clock->row.carried;
}

/* In two where what counts reaches from the past into what is ahead. */
static int
stretch_add_by_time(struct explain_clock *clock, struct stretch stretch, struct instant now)
{
	struct explain_stretch next = {.stretch = stretch, .ahead = !instant_before(stretch.from, now)};
	int r = 0;

	if (stretch.counted && instant_before(stretch.from, now) && instant_before(now, stretch.to)) {
		next.stretch.to = now;
		next.stretch.sum.us -= instant_since(stretch.to, now).us;
		if (!instant_before(stretch.change, now))
			next.stretch.change = INSTANT_NEVER;
		r = stretch_add(clock, &next);
		if (!instant_equal(next.stretch.change, INSTANT_NEVER))
			stretch.change = INSTANT_NEVER;
		stretch.from = now;
		next = (struct explain_stretch){.stretch = stretch, .ahead = true};
	}
	return r < 0 ? r : stretch_add(clock, &next);
}

static int
add_run(struct explain_clock *clock, struct instant from, struct instant to, bool business_days, struct instant now)
{
	struct calendar *calendar = policy_set_calendar(clock->config->policies, clock->row.calendar);
	struct duration before = sum_so_far(clock);
	struct stretch *stretches = NULL;
	size_t n = 0;

	if (calendar == NULL)
		return 0;
	int r = stretches_make(calendar, from, to, business_days, &stretches, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		stretches[i].sum.us += before.us;
		r = stretch_add_by_time(clock, stretches[i], now);
	}
	free(stretches);
	return r;
}

/* The event that gave the ticket the status which it had then. */
static int
add_pause(struct explain_clock *clock, const PGresult *events, struct instant from, struct instant to)
{
	struct explain_stretch pause = {
	    .stretch = {.from = from, .to = to, .sum = sum_so_far(clock), .business_day = -1, .change = INSTANT_NEVER},
	    .paused = true,
	};
	int found = -1;

	for (int row = 0; row < PQntuples(events); row++)
		if (event_counts(events, row) && result_text(events, row, EVENT_ROW_STATUS) != NULL &&
		    !instant_before(from, result_instant(events, row, 0)))
			found = row;
	if (found >= 0) {
		const char *by = result_text(events, found, EVENT_ROW_BY),
		           *status = result_text(events, found, EVENT_ROW_STATUS);
		int known = name_index(status_names, STATUS_COUNT, status);
		pause.event = result_number(events, found, EVENT_ROW_SEQ);
		(void)snprintf(pause.cause, sizeof pause.cause, "the ticket was %.12s (event %" PRId64 "%s%.40s)",
		               known >= 0 ? status_words[known] : status, pause.event, by != NULL ? ", by " : "",
		               by != NULL ? by : "");
	} else {
		(void)snprintf(pause.cause, sizeof pause.cause,
		               "the ticket was in a status that pauses it (the event is not kept any more)");
	}
	return stretch_add(clock, &pause);
}

/* Where a span without an end is looked at up to. */
static struct instant
open_end(const struct clock_row *row)
{
	if (!instant_equal(row->due_at, INSTANT_NEVER) && !clock_row_is(row, "met"))
		return row->due_at;
	if (!instant_equal(row->ended_at, INSTANT_NEVER))
		return row->ended_at;
	return row->breached_at;
}

static int
stretches_fill(const struct explain_source *source, struct explain_clock *clock)
{
	const struct clock_row *row = &clock->row;
	bool breached = !instant_equal(row->breached_at, INSTANT_NEVER);
	bool business_days = clock->target != NULL && clock->target->allowance.business_days > 0 &&
	                     strchr(row->spans, ',') == strrchr(row->spans, ',');
	struct instant at = row->started_at;
	const char *text = row->spans + 1;
	int r = 0;

	while (r == 0 && *text != '}' && *text != '\0') {
		char *end;
		struct instant from = {strtoll(text, &end, 10)}, to = open_end(row);
		if (*end == ',')
			to.us = strtoll(end + 1, &end, 10);
		text = *end == ',' ? end + 1 : end;
		if (breached && !instant_equal(row->due_at, INSTANT_NEVER))
			to = instant_min(to, row->due_at);
		if (instant_before(at, from))
			r = add_pause(clock, source->events, at, from);
		if (r == 0 && instant_before(from, to))
			r = add_run(clock, from, to, business_days, source->now);
		at = instant_max(at, to);
	}
	if (r == 0 && clock_row_is(row, "paused") && instant_before(row->paused_at, source->now))
		r = add_pause(clock, source->events, row->paused_at, source->now);
	return r;
}

/* Configurations --------------------------------------------------------------------------------------------------- */

/* A former configuration is read as of its own time: what was right then is right. NULL where it is not to be had, or
 * cannot be read any more; memory is told apart. */
static int
config_find(const struct explain_source *source, struct explain *explain, struct explain_clock *clock)
{
	const char *digest = clock->row.configuration;
	const PGresult *rows = source->configurations;
	struct config_problems problems = {0};
	int found = -1, r = 0;

	clock->loaded_at = INSTANT_NEVER;
	for (int row = 0; rows != NULL && row < PQntuples(rows); row++)
		if (strcmp(result_text(rows, row, 0), digest) == 0)
			found = row;
	if (found >= 0)
		clock->loaded_at = result_instant(rows, found, 2);
	if (found >= 0)
		clock->tzdata = result_text(rows, found, 3);
	if (source->config != NULL && strcmp(source->config->digest, digest) == 0)
		clock->config = source->config;
	for (size_t i = 0; i < explain->n_loaded; i++)
		if (strcmp(explain->loaded[i]->digest, digest) == 0)
			clock->config = explain->loaded[i];
	if (clock->config != NULL || found < 0)
		return 0;
	struct config **grown = reallocarray(explain->loaded, explain->n_loaded + 1, sizeof(*grown));
	if (grown == NULL)
		return -ENOMEM;
	explain->loaded = grown;
	const char *text = result_text(rows, found, 1);
	r = config_load_text(text, strlen(text), clock->loaded_at, &problems, &grown[explain->n_loaded]);
	config_problems_clear(&problems);
	if (r == 0)
		clock->config = grown[explain->n_loaded++];
	return r == -ENOMEM ? r : 0;
}

/* All together ----------------------------------------------------------------------------------------------------- */

const struct target *
explain_target(const struct clock_row *row, const struct policy *policy)
{
	if (policy == NULL || row->target < 0 || (size_t)row->target >= policy->n_targets)
		return NULL;
	return &policy->targets[row->target];
}

static const char *
ticket_name(const struct explain_source *source)
{
	const char *external = result_text(source->ticket, 0, TICKET_ROW_EXTERNAL);

	return external != NULL ? external : result_text(source->ticket, 0, TICKET_ROW_ID);
}

static int
clock_explain(const struct explain_source *source, struct explain *explain, int row)
{
	struct explain_clock *clock = &explain->clocks[explain->n_clocks++];
	struct policy_set bare = {0};

	clock->row.configuration = result_text(source->clocks, row, CLOCK_ROW_CONFIGURATION);
	int r = config_find(source, explain, clock);
	if (r == 0 && clock->config == NULL)
		r = calendar_new_always(&bare.always);
	if (r < 0)
		return r;
	clock_row_read(source->clocks, row, 0, clock->config != NULL ? clock->config->policies : &bare, source->now,
	               &clock->row);
	calendar_free(bare.always);
	if (clock->config != NULL) {
		clock->policy = policy_set_policy(clock->config->policies, clock->row.policy);
		clock->target = explain_target(&clock->row, clock->policy);
		if (clock->policy != NULL)
			r = policy_find(source, clock);
		if (r == 0)
			r = stretches_fill(source, clock);
	}
	return r < 0 ? r : explain_tell(clock, source, ticket_name(source));
}

/* Of a ticket without clocks: what the facts get now. */
static int
none_explain(const struct explain_source *source, struct explain *explain)
{
	struct fold fold = {.events = source->events, .facts = json_object(), .opened_at = source->now};
	const struct policy *policy = NULL;
	struct facts facts;
	int r = fold.facts != NULL ? 0 : -ENOMEM;

	for (int row = 0; r == 0 && row < PQntuples(source->events); row++)
		r = fold_event(&fold, row);
	if (r == 0 && source->config != NULL)
		r = fold_facts(&fold, source->config->policies, &facts);
	if (r == 0 && source->config != NULL) {
		policy = policy_set_choose(source->config->policies, &facts, fold.opened_at);
		r = passed_over_fill(&explain->none, source->config->policies, policy, &facts, fold.opened_at);
	}
	if (r == 0)
		r = explain_tell_none(&explain->none, source->config, policy, ticket_name(source), fold.severity);
	free(fold.custom);
	json_decref(fold.facts);
	return r;
}

int
explain_new(const struct explain_source *source, struct explain **ret)
{
	struct explain *explain = calloc(1, sizeof *explain);
	int n = PQntuples(source->clocks), r = 0;

	if (explain == NULL)
		return -ENOMEM;
	explain->clocks = calloc((size_t)n + 1, sizeof *explain->clocks);
	if (explain->clocks == NULL)
		r = -ENOMEM;
	for (int row = 0; r == 0 && row < n; row++)
		r = clock_explain(source, explain, row);
	if (r == 0 && n == 0)
		r = none_explain(source, explain);
	if (r < 0) {
		explain_free(explain);
		return r;
	}
	*ret = explain;
	return 0;
}

static void
clock_clear(struct explain_clock *clock)
{
	for (size_t i = 0; i < clock->n_passed_over; i++)
		free(clock->passed_over[i].why);
	free(clock->passed_over);
	free(clock->stretches);
	explain_lines_clear(&clock->lines);
}

void
explain_free(struct explain *explain)
{
	if (explain == NULL)
		return;
	for (size_t i = 0; i < explain->n_clocks; i++)
		clock_clear(&explain->clocks[i]);
	free(explain->clocks);
	clock_clear(&explain->none);
	for (size_t i = 0; i < explain->n_loaded; i++)
		config_free(explain->loaded[i]);
	free(explain->loaded);
	free(explain);
}
