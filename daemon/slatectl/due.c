/* `slatectl due`: when what a policy promises for a ticket opened at an instant is due. model.md section 10. */
#include <errno.h>
#include <getopt.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "due_print.h"
#include "slated/config.h"
#include "slated/policy.h"
#include "slated/text.h"

enum {
	OPTION_CONFIG,
	OPTION_SEVERITY,
	OPTION_OPENED,
	OPTION_METRIC,
	OPTION_ATTRIBUTE,
	OPTION_JSON,
	OPTION_EXPLAIN,
	OPTION_FACT, /* and the attribute's number */
};

struct request {
	const char *config;
	const char *severity_name;
	const char *opened_text;
	int metric; /* or -1 */
	bool json;
	bool explain;
	struct instant opened;
	struct facts facts;
	struct custom_attribute *custom; /* as many as there are arguments; what facts.custom points to */
	const char **channels;
	size_t n_channels;
	const struct policy_set *set;
	struct libscols_table *table; /* unless `json` */
};

static const struct option options[] = {
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"severity", required_argument, NULL, OPTION_SEVERITY},
    {"opened", required_argument, NULL, OPTION_OPENED},
    {"metric", required_argument, NULL, OPTION_METRIC},
    {"attribute", required_argument, NULL, OPTION_ATTRIBUTE},
    {"json", no_argument, NULL, OPTION_JSON},
    {"explain", no_argument, NULL, OPTION_EXPLAIN},
    {"org", required_argument, NULL, OPTION_FACT + ATTRIBUTE_ORG},
    {"plan", required_argument, NULL, OPTION_FACT + ATTRIBUTE_PLAN},
    {"channel", required_argument, NULL, OPTION_FACT + ATTRIBUTE_CHANNEL},
    {"category", required_argument, NULL, OPTION_FACT + ATTRIBUTE_CATEGORY},
    {"product", required_argument, NULL, OPTION_FACT + ATTRIBUTE_PRODUCT},
    {"environment", required_argument, NULL, OPTION_FACT + ATTRIBUTE_ENVIRONMENT},
    {"version", required_argument, NULL, OPTION_FACT + ATTRIBUTE_VERSION},
    {"assignee", required_argument, NULL, OPTION_FACT + ATTRIBUTE_ASSIGNEE},
    {"team", required_argument, NULL, OPTION_FACT + ATTRIBUTE_TEAM},
    {0},
};

/* Splits "KEY=VALUE" in place; a key given again takes the new value. */
static bool
read_custom(struct request *request, char *text)
{
	char *equals = strchr(text, '=');

	if (equals == NULL || equals == text) {
		fprintf(stderr, "slatectl due: --attribute: \"%s\": KEY=VALUE is needed\n", text);
		return false;
	}
	*equals = '\0';
	size_t i = 0;
	while (i < request->facts.n_custom && strcmp(request->custom[i].key, text) != 0)
		i++;
	request->custom[i] = (struct custom_attribute){text, equals + 1};
	if (i == request->facts.n_custom)
		request->facts.n_custom++;
	return true;
}

static bool
read_metric(struct request *request, const char *name)
{
	request->metric = name_index(metric_names, METRIC_COUNT, name);
	if (request->metric >= 0)
		return true;
	fprintf(stderr, "slatectl due: --metric: \"%s\" is unknown; known:", name);
	for (int i = 0; i < METRIC_COUNT; i++)
		fprintf(stderr, " %s", metric_names[i]);
	fputc('\n', stderr);
	return false;
}

static bool
read_option(struct request *request, int option)
{
	switch (option) {
	case OPTION_CONFIG:
		request->config = optarg;
		return true;
	case OPTION_SEVERITY:
		request->severity_name = optarg;
		return true;
	case OPTION_OPENED:
		request->opened_text = optarg;
		return command_instant("--opened", optarg, &request->opened);
	case OPTION_METRIC:
		return read_metric(request, optarg);
	case OPTION_ATTRIBUTE:
		return read_custom(request, optarg);
	case OPTION_JSON:
		request->json = true;
		return true;
	case OPTION_EXPLAIN:
		request->explain = true;
		return true;
	case OPTION_FACT + ATTRIBUTE_CHANNEL:
		request->channels[request->n_channels++] = optarg;
		return true;
	default:
		if (option < OPTION_FACT || option >= OPTION_FACT + ATTRIBUTE_COUNT)
			return false;
		request->facts.attributes[option - OPTION_FACT] = optarg;
		return true;
	}
}

/* Whether the argument is UTF-8, as JSON has to be; says so if not. */
static bool
argument_check(const char *text)
{
	size_t len = strlen(text);

	for (size_t at = 0; at < len;) {
		size_t n = text_utf8(text + at, len - at);
		if (n == 0) {
			fputs("slatectl due: an argument is not UTF-8\n", stderr);
			return false;
		}
		at += n;
	}
	return true;
}

static bool
read_options(struct request *request, int argc, char **argv)
{
	int option;

	for (int i = 1; i < argc; i++)
		if (!argument_check(argv[i]))
			return false;
	optind = 0; /* The program may have read options of its own. */
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!read_option(request, option))
			return false;
	if (optind < argc) {
		fprintf(stderr, "slatectl due: unexpected argument \"%s\"\n", argv[optind]);
		return false;
	}
	if (request->severity_name == NULL || request->opened_text == NULL) {
		fprintf(stderr, "slatectl due: --%s is needed\n",
		        request->severity_name == NULL ? "severity" : "opened");
		return false;
	}
	return true;
}

static bool
read_severity(struct request *request)
{
	int severity = policy_set_severity(request->set, request->severity_name);

	if (severity >= 0) {
		request->facts.severity = (unsigned)severity;
		return true;
	}
	fprintf(stderr, "slatectl due: --severity: \"%s\" is unknown; known:", request->severity_name);
	for (size_t i = 0; i < request->set->n_severities; i++) {
		const struct severity *known = &request->set->severities[i];
		fprintf(stderr, "%s %s", i > 0 ? "," : "", known->name);
		for (size_t j = 0; j < known->n_aliases; j++)
			fprintf(stderr, "%s%s%s", j > 0 ? ", " : " (", known->aliases[j],
			        j + 1 == known->n_aliases ? ")" : "");
	}
	fputc('\n', stderr);
	return false;
}

static const char *
request_severity(const struct request *request)
{
	return request->set->severities[request->facts.severity].name;
}

static int
answer_print(const struct request *request, const struct due_answer *answer)
{
	const struct target *target = answer->target;
	bool explained = request->explain && !instant_equal(answer->due, INSTANT_NEVER);
	struct due_span *spans = NULL;
	size_t n = 0;
	int r = 0;

	if (explained)
		r = due_spans_make(target->calendar, answer->opened, answer->due, target->allowance.business_days > 0,
		                   &spans, &n);
	if (r == 0 && request->json)
		r = due_json_print(answer, spans, n);
	else if (r == 0 && explained)
		r = due_explain_print(answer, spans, n);
	free(spans);
	return r;
}

/* Calls `use` for each target that the facts get; *ret_n counts them. */
static int
each_target(const struct request *request, const struct facts *facts, const struct policy *policy,
            int (*use)(const struct request *, const struct due_answer *), size_t *ret_n)
{
	size_t n = 0;
	int r = 0;

	for (int metric = 0; r == 0 && policy != NULL && metric < METRIC_COUNT; metric++) {
		const struct target *target = policy_target(policy, (enum metric)metric, facts->severity);

		if (target == NULL || (request->metric >= 0 && metric != request->metric))
			continue;
		struct due_answer answer = {
		    .plan = facts->attributes[ATTRIBUTE_PLAN],
		    .severity = request_severity(request),
		    .channel = facts->attributes[ATTRIBUTE_CHANNEL],
		    .policy = policy,
		    .target = target,
		    .opened = request->opened,
		    .due = target_due(target, request->opened),
		};
		if (!instant_equal(answer.due, INSTANT_NEVER))
			answer.budget = calendar_between(target->calendar, answer.opened, answer.due);
		r = use(request, &answer);
		n++;
	}
	*ret_n = n;
	return r;
}

static int
answer_tabulate(const struct request *request, const struct due_answer *answer)
{
	return due_table_add(request->table, answer);
}

/* Why there is no target. */
static void
none_describe(const struct request *request, const struct facts *facts, const struct policy *policy, char *text,
              size_t room)
{
	const char *plan = facts->attributes[ATTRIBUTE_PLAN];
	const char *channel = facts->attributes[ATTRIBUTE_CHANNEL];
	const char *severity = request_severity(request);

	if (policy != NULL && policy->n_targets == 0)
		(void)snprintf(text, room, "policy \"%s\" promises nothing", policy->name);
	else if (policy != NULL && request->metric >= 0)
		(void)snprintf(text, room, "policy \"%s\" promises no %s for severity %s", policy->name,
		               metric_names[request->metric], severity);
	else if (policy != NULL)
		(void)snprintf(text, room, "policy \"%s\" promises nothing for severity %s", policy->name, severity);
	else
		(void)snprintf(text, room, "no policy matches%s%s severity %s%s%s", plan != NULL ? " plan " : "",
		               plan != NULL ? plan : "", severity, channel != NULL ? " channel " : "",
		               channel != NULL ? channel : "");
}

static int
none_print(const struct request *request, const struct facts *facts, const struct policy *policy)
{
	const char *channel = facts->attributes[ATTRIBUTE_CHANNEL];
	char text[512];

	none_describe(request, facts, policy, text, sizeof text);
	if (request->json)
		return due_json_print_none(facts->attributes[ATTRIBUTE_PLAN], request_severity(request), channel,
		                           policy, text);
	if (request->n_channels > 1)
		printf("channel %s: ", channel);
	puts(text);
	return 0;
}

/* What opening the ticket would do to its severity is said, not done: the severity asked for is the answer's. */
static void
rules_print(const struct request *request, const struct facts *facts)
{
	for (size_t i = 0; i < request->set->n_rules; i++) {
		const struct rule *rule = &request->set->rules[i];

		if ((rule->on >> RULE_OPENED & 1) != 0 && match_holds(request->set, &rule->match, facts))
			printf("reassessment \"%s\" applies when the ticket opens: %s\n", rule->name, rule->reason);
	}
}

/* The facts of one way in; the first with i = 0 where none was asked for. */
static struct facts
channel_facts(const struct request *request, size_t i)
{
	struct facts facts = request->facts;

	if (i < request->n_channels)
		facts.attributes[ATTRIBUTE_CHANNEL] = request->channels[i];
	return facts;
}

static int
request_answer_json(const struct request *request, size_t n_ways)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n_ways; i++) {
		struct facts facts = channel_facts(request, i);
		const struct policy *policy = policy_set_choose(request->set, &facts, request->opened);
		size_t n;
		r = each_target(request, &facts, policy, answer_print, &n);
		if (r == 0 && n == 0)
			r = none_print(request, &facts, policy);
	}
	return r;
}

/* First what is not promised, then the table of all that is, then how each came about. */
static int
request_answer_text(struct request *request, size_t n_ways)
{
	int r = 0;
	size_t n;

	request->table = due_table_new(request->n_channels > 1);
	if (request->table == NULL)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n_ways; i++) {
		struct facts facts = channel_facts(request, i);
		const struct policy *policy = policy_set_choose(request->set, &facts, request->opened);
		rules_print(request, &facts);
		r = each_target(request, &facts, policy, answer_tabulate, &n);
		if (r == 0 && n == 0)
			r = none_print(request, &facts, policy);
	}
	if (r == 0 && scols_table_get_nlines(request->table) > 0 && scols_print_table(request->table) < 0)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && request->explain && i < n_ways; i++) {
		struct facts facts = channel_facts(request, i);
		const struct policy *policy = policy_set_choose(request->set, &facts, request->opened);
		r = each_target(request, &facts, policy, answer_print, &n);
	}
	scols_unref_table(request->table);
	return r;
}

/* The exit status. */
static int
request_run(struct request *request)
{
	struct config *config;
	size_t n_ways = request->n_channels > 0 ? request->n_channels : 1;
	int status = EXIT_PROBLEM;

	if (command_config(request->config, request->opened, &config) < 0)
		return EXIT_PROBLEM;
	request->set = config->policies;
	request->facts.custom = request->custom;
	if (!read_severity(request)) {
		status = EXIT_USAGE;
	} else {
		int r = request->json ? request_answer_json(request, n_ways) : request_answer_text(request, n_ways);
		if (r == 0)
			status = 0;
		else
			fprintf(stderr, "slatectl due: %s\n", strerror(-r));
	}
	config_free(config);
	return status;
}

int
command_due(int argc, char **argv)
{
	struct request request = {.config = CONFIG_DEFAULT, .metric = -1};
	int status = EXIT_PROBLEM;

	request.custom = calloc((size_t)argc, sizeof *request.custom);
	request.channels = calloc((size_t)argc, sizeof *request.channels);
	if (request.custom == NULL || request.channels == NULL)
		fputs("slatectl due: out of memory\n", stderr);
	else
		status = read_options(&request, argc, argv) ? request_run(&request) : command_usage("due");
	free(request.custom);
	free(request.channels);
	return status;
}
