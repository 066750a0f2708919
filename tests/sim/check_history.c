/* What a real run left in the database and at the receiver, for the checker of histories.
 *
 *   check_history --config FILE --until INSTANT [--at-most N] < records.ndjson
 *
 * A record is a JSON object on a line:
 *   an event as `slatectl simulate` reads it, with "seq" and "late"; by ticket, which is a number, and seq
 *   {"milestone": {...}}   a row of sla.milestone, "notify" as an array's text; in the order of recording
 *   {"delivery": {"key", "ticket_id", "metric", "cycle", "channel", "kind", "state"}}   by position
 *   {"received": {"key", "channel", "at"}}   in order; null for a channel or instant that nobody knows
 *   {"forgiven": "key"}
 *   {"absence": {"from", "to"}}
 *   {"lease": {"shard", "owner", "from", "to"}}   a "to" that is null is still to come
 * Prints what is wrong and then a line for each thing that was looked at. Exit status: 0; 1 where something is wrong; 2
 * for input that cannot be used. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "slated/config.h"
#include "slated/event_json.h"
#include "slated/shards.h"

struct reader {
	struct history *history;
	struct event_line *events;
	int64_t ticket, seq; /* of the last event */
	const char *wrong;   /* a member of the record, or NULL */
};

static bool
is_null(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	return value == NULL || json_is_null(value);
}

static const char *
get_text(struct reader *reader, const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	if (value != NULL && !json_is_null(value) && !json_is_string(value))
		reader->wrong = name;
	return json_string_value(value);
}

static const char *
need_text(struct reader *reader, const json_t *object, const char *name)
{
	const char *text = get_text(reader, object, name);
	if (text != NULL)
		return text;
	reader->wrong = name;
	return "";
}

static int64_t
get_number(struct reader *reader, const json_t *object, const char *name, int64_t fallback)
{
	const json_t *value = json_object_get(object, name);
	if (is_null(object, name))
		return fallback;
	if (!json_is_integer(value))
		reader->wrong = name;
	return json_integer_value(value);
}

static struct instant
get_instant(struct reader *reader, const json_t *object, const char *name)
{
	struct instant at = INSTANT_NEVER;
	const char *text = get_text(reader, object, name);
	if (text != NULL && instant_parse(text, strlen(text), &at) < 0)
		reader->wrong = name;
	return at;
}

static struct instant
need_instant(struct reader *reader, const json_t *object, const char *name)
{
	if (is_null(object, name))
		reader->wrong = name;
	return get_instant(reader, object, name);
}

static const char *
get_metric(struct reader *reader, const json_t *object)
{
	const char *metric = get_text(reader, object, "metric");
	if (metric != NULL && name_index(metric_names, METRIC_COUNT, metric) < 0)
		reader->wrong = "metric";
	return metric;
}

static void
read_milestone(struct reader *reader, const json_t *row)
{
	const struct history_milestone m = {
	    .ticket = get_number(reader, row, "ticket_id", 0),
	    .metric = get_metric(reader, row),
	    .milestone = need_text(reader, row, "milestone"),
	    .level = get_text(reader, row, "level"),
	    .policy = get_text(reader, row, "policy"),
	    .calendar = get_text(reader, row, "calendar"),
	    .severity = get_text(reader, row, "severity"),
	    .reason = get_text(reader, row, "reason"),
	    .escalation = get_text(reader, row, "escalation"),
	    .trigger = get_text(reader, row, "trigger"),
	    .notify = get_text(reader, row, "notify"),
	    .at = need_instant(reader, row, "at"),
	    .due_at = get_instant(reader, row, "due_at"),
	    .recorded_at = need_instant(reader, row, "recorded_at"),
	    .late_by = {llround(json_number_value(json_object_get(row, "late_by")) * (double)US_PER_S)},
	    .cycle = (int32_t)get_number(reader, row, "cycle", 0),
	    .step = (int32_t)get_number(reader, row, "step", 0),
	    .repeat = (int32_t)get_number(reader, row, "repeat", -1),
	    .by_reassessment = json_is_true(json_object_get(row, "by_reassessment")),
	    .instance = get_text(reader, row, "instance"),
	};
	size_t n = m.notify == NULL ? 0 : strlen(m.notify);
	if (name_index(milestone_names, MILESTONE_COUNT, m.milestone) < 0)
		reader->wrong = "milestone";
	if (m.notify != NULL && (n < 2 || m.notify[0] != '{' || m.notify[n - 1] != '}'))
		reader->wrong = "notify";
	if (reader->wrong == NULL)
		history_add_milestone(reader->history, &m);
}

static void
read_delivery(struct reader *reader, const json_t *row)
{
	const struct history_delivery delivery = {
	    .key = need_text(reader, row, "key"),
	    .ticket = get_number(reader, row, "ticket_id", 0),
	    .metric = get_metric(reader, row),
	    .cycle = (int32_t)get_number(reader, row, "cycle", 0),
	    .channel = need_text(reader, row, "channel"),
	    .kind = need_text(reader, row, "kind"),
	    .state = need_text(reader, row, "state"),
	};
	if (reader->wrong == NULL)
		history_add_delivery(reader->history, &delivery);
}

static void
read_received(struct reader *reader, const json_t *row)
{
	const char *key = need_text(reader, row, "key");
	const char *channel = get_text(reader, row, "channel");
	struct instant at = get_instant(reader, row, "at");
	if (reader->wrong == NULL)
		history_add_receipt(reader->history, channel, key, at);
}

static void
read_forgiven(struct reader *reader, const json_t *key)
{
	if (json_is_string(key))
		history_forgive_receipt(reader->history, json_string_value(key));
	else
		reader->wrong = "forgiven";
}

static void
read_absence(struct reader *reader, const json_t *row)
{
	struct instant from = need_instant(reader, row, "from");
	struct instant to = need_instant(reader, row, "to");
	if (reader->wrong == NULL)
		history_add_absence(reader->history, from, to);
}

static void
read_lease(struct reader *reader, const json_t *row)
{
	int64_t shard = get_number(reader, row, "shard", -1);
	const char *owner = need_text(reader, row, "owner");
	struct instant from = need_instant(reader, row, "from");
	struct instant to = get_instant(reader, row, "to");
	if (shard < 0 || shard >= SHARDS)
		reader->wrong = "shard";
	if (reader->wrong == NULL)
		history_add_lease(reader->history, (unsigned)shard, owner, from, to);
}

static int
read_event(struct reader *reader, const json_t *record, const char *text, size_t len, char problem[static REFUSAL_SIZE])
{
	struct ticket_event event;
	const char *name;
	char *end;
	int r = event_line_parse(reader->events, text, len, &name, &event, problem);
	if (r < 0)
		return r;
	errno = 0;
	int64_t ticket = strtoll(name, &end, 10);
	if (errno != 0 || end == name || *end != '\0')
		return refuse(-EINVAL, problem, "\"ticket\" must be a number in a string");
	int64_t seq = get_number(reader, record, "seq", 0);
	if (seq < 1 || ticket < reader->ticket || (ticket == reader->ticket && seq <= reader->seq))
		return refuse(-EINVAL, problem, "events must come by \"ticket\" and \"seq\"");
	reader->ticket = ticket;
	reader->seq = seq;
	history_add_event(reader->history, ticket, seq, &event, json_is_true(json_object_get(record, "late")));
	return 0;
}

static int
read_record(struct reader *reader, const char *text, size_t len, char problem[static REFUSAL_SIZE])
{
	static const struct {
		const char *name;
		void (*read)(struct reader *reader, const json_t *row);
	} sorts[] = {
	    {"milestone", read_milestone}, {"delivery", read_delivery}, {"received", read_received},
	    {"forgiven", read_forgiven},   {"absence", read_absence},   {"lease", read_lease},
	};
	json_error_t error;
	json_t *record = json_loadb(text, len, 0, &error);
	int r = 0;
	size_t i = 0;
	if (record == NULL)
		return refuse(-EINVAL, problem, "not JSON: %.100s (column %d)", error.text, error.column);
	reader->wrong = NULL;
	while (i < sizeof(sorts) / sizeof(sorts[0]) && json_object_get(record, sorts[i].name) == NULL)
		i++;
	if (i == sizeof(sorts) / sizeof(sorts[0]))
		r = read_event(reader, record, text, len, problem);
	else
		sorts[i].read(reader, json_object_get(record, sorts[i].name));
	if (r == 0 && reader->wrong != NULL)
		r = refuse(-EINVAL, problem, "\"%s\" is missing or wrong", reader->wrong);
	json_decref(record);
	return r;
}

static int
read_records(struct reader *reader, FILE *in)
{
	char problem[REFUSAL_SIZE] = "";
	char *text = NULL;
	size_t room = 0;
	size_t line = 0;
	ssize_t len;
	int r = 0;
	while (r == 0 && (len = getline(&text, &room, in)) >= 0) {
		line++;
		r = read_record(reader, text, (size_t)len, problem);
	}
	if (r == -EINVAL)
		(void)fprintf(stderr, "line %zu: %s\n", line, problem);
	free(text);
	return r;
}

struct options {
	const char *config;
	struct instant until;
	unsigned at_most;
};

static bool
read_options(int argc, char **argv, struct options *ret)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"until", required_argument, NULL, 'u'},
	    {"at-most", required_argument, NULL, 'm'},
	    {0},
	};
	int option;
	*ret = (struct options){.until = INSTANT_NEVER};
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (option == 'c')
			ret->config = optarg;
		else if (option == 'm')
			ret->at_most = (unsigned)strtoul(optarg, NULL, 10);
		else if (option != 'u' || instant_parse(optarg, strlen(optarg), &ret->until) < 0)
			return false;
	return optind == argc && ret->config != NULL && !instant_equal(ret->until, INSTANT_NEVER);
}

int
main(int argc, char **argv)
{
	struct config_problems problems = {0};
	struct reader reader = {.ticket = INT64_MIN};
	struct config *config = NULL;
	struct options options;
	if (!read_options(argc, argv, &options)) {
		(void)fprintf(stderr, "usage: check_history --config FILE --until INSTANT [--at-most N]\n");
		return 2;
	}
	int r = config_load(options.config, options.until, CONFIG_NO_SECRETS, &problems, &config);
	config_problems_print(&problems, stderr);
	config_problems_clear(&problems);
	if (r == 0)
		r = event_line_new(&reader.events);
	if (r == 0) {
		reader.history = history_new(config->policies);
		history_set_at_most(reader.history, options.at_most);
		r = read_records(&reader, stdin);
	}
	bool sound = r == 0 && history_check(reader.history, options.until, stdout) == 0;
	if (r == 0)
		history_print(reader.history, stdout);
	history_free(reader.history);
	event_line_free(reader.events);
	config_free(config);
	return r < 0 ? 2 : sound ? 0 : 1;
}
