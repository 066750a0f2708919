/* `slatectl due`: when what a policy promises for a ticket opened at an instant is due. model.md section 10. */
#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "due_print.h"
#include "slated/config.h"
#include "slated/policy.h"

struct request {
	const char *config;
	const char *severity_name;
	int metric; /* or -1 */
	bool json;
	bool explain;
	struct instant opened;
	struct facts facts;
	struct command_list attributes;  /* KEY=VALUE */
	struct custom_attribute *custom; /* what facts.custom points to */
	char **keys;                     /* of all `attributes` */
	struct command_list channels;
	const struct config *loaded;
	const struct policy_set *set;
	struct libscols_table *table; /* unless `json` */
};

/* The ticket's own attributes from KEY=VALUE; a key given again takes the new value. The caller clears `request` also
 * after a failure. 0 or the exit status. */
static int
read_attributes(struct request *request)
{
	request->custom = calloc(request->attributes.n + 1, sizeof *request->custom);
	request->keys = calloc(request->attributes.n + 1, sizeof *request->keys);
	if (request->custom == NULL || request->keys == NULL) {
		fputs("slatectl due: out of memory\n", stderr);
		return EXIT_PROBLEM;
	}
	request->facts.custom = request->custom;
	for (size_t given = 0; given < request->attributes.n; given++) {
		const char *text = request->attributes.items[given], *equals = strchr(text, '=');
		if (equals == NULL || equals == text) {
			fprintf(stderr, "slatectl due: --attribute: \"%s\": KEY=VALUE is needed\n", text);
			return EXIT_USAGE;
		}
		char *key = strndup(text, (size_t)(equals - text));
		if (key == NULL) {
			fputs("slatectl due: out of memory\n", stderr);
			return EXIT_PROBLEM;
		}
		request->keys[given] = key;
		size_t i = 0;
		while (i < request->facts.n_custom && strcmp(request->custom[i].key, key) != 0)
			i++;
		request->custom[i] = (struct custom_attribute){key, equals + 1};
		if (i == request->facts.n_custom)
			request->facts.n_custom++;
	}
	return 0;
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
	struct stretch *spans = NULL;
	size_t n = 0;
	int r = 0;

	if (explained)
		r = stretches_make(target->calendar, answer->opened, answer->due, target->allowance.business_days > 0,
		                   &spans, &n);
	if (r == 0 && request->json)
		r = due_json_print(answer, spans, n);
	else if (r == 0 && explained)
		r = due_explain_print(answer, spans, n);
	free(spans);
	return r;
}

static struct due_facts
facts_given(const struct request *request, const struct facts *facts, const struct policy *policy)
{
	return (struct due_facts){
	    .config = request->loaded, .facts = facts, .policy = policy, .opened = request->opened};
}

/* Calls `use` for each target that the facts get; *ret_n counts them. */
static int
each_target(const struct request *request, const struct facts *facts, const struct policy *policy,
            int (*use)(const struct request *, const struct due_answer *), size_t *ret_n)
{
	const struct due_facts given = facts_given(request, facts, policy);
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
		    .given = request->explain ? &given : NULL,
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
	const struct due_facts given = facts_given(request, facts, policy);
	const char *channel = facts->attributes[ATTRIBUTE_CHANNEL];
	char text[512];

	none_describe(request, facts, policy, text, sizeof text);
	if (request->json)
		return due_json_print_none(facts->attributes[ATTRIBUTE_PLAN], request_severity(request), channel,
		                           policy, text, request->explain ? &given : NULL);
	if (request->channels.n > 1)
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

	if (i < request->channels.n)
		facts.attributes[ATTRIBUTE_CHANNEL] = request->channels.items[i];
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

	request->table = due_table_new(request->channels.n > 1);
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
		const struct due_facts given = facts_given(request, &facts, policy);
		r = due_reasons_print(&given);
		if (r == 0)
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
	size_t n_ways = request->channels.n > 0 ? request->channels.n : 1;
	int status = EXIT_PROBLEM;

	if (command_config(request->config, request->opened, &config) < 0)
		return EXIT_PROBLEM;
	request->loaded = config;
	request->set = config->policies;
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

static int
run_due(void *options)
{
	struct request *request = options;
	int status = read_attributes(request);

	if (status == 0)
		status = request_run(request);
	for (size_t i = 0; request->keys != NULL && i < request->attributes.n; i++)
		free(request->keys[i]);
	free(request->keys);
	free(request->custom);
	return status;
}

#define FACT(name, word, attribute)                                                                                    \
	{                                                                                                              \
		name, word, "the ticket's " name, VALUE_TEXT, offsetof(struct request, facts.attributes[attribute])    \
	}

static const struct command_row rows[] = {
    {"severity", "SEVERITY", "by name or alias", VALUE_TEXT, offsetof(struct request, severity_name), .needed = true},
    {"opened", "INSTANT", "when the ticket was opened, as in 2026-03-02T09:00:00Z", VALUE_INSTANT,
     offsetof(struct request, opened), .needed = true},
    FACT("plan", "PLAN", ATTRIBUTE_PLAN),
    {"channel", "CHANNEL", "the way by which it came in; given several times, each is answered for", VALUE_LIST,
     offsetof(struct request, channels)},
    {"metric", "METRIC", "only first_response, next_response, update, resolution or assessment", VALUE_INDEX,
     offsetof(struct request, metric), metric_names, METRIC_COUNT},
    FACT("org", "ORG", ATTRIBUTE_ORG),
    FACT("category", "CATEGORY", ATTRIBUTE_CATEGORY),
    FACT("product", "PRODUCT", ATTRIBUTE_PRODUCT),
    FACT("environment", "ENVIRONMENT", ATTRIBUTE_ENVIRONMENT),
    FACT("version", "VERSION", ATTRIBUTE_VERSION),
    FACT("assignee", "ASSIGNEE", ATTRIBUTE_ASSIGNEE),
    FACT("team", "TEAM", ATTRIBUTE_TEAM),
    {"attribute", "KEY=VALUE", "one of the ticket's own attributes", VALUE_LIST, offsetof(struct request, attributes)},
    {"explain", NULL,
     "says which policy fits and why those before it do not, and names every stretch of time, "
     "whether it counted, and why not",
     VALUE_FLAG, offsetof(struct request, explain)},
    {"json", NULL, "one object a line", VALUE_FLAG, offsetof(struct request, json)},
    {"config", "FILE", "the configuration; " CONFIG_DEFAULT " where it is left out", VALUE_FILE,
     offsetof(struct request, config)},
    {0},
};

static const struct request initial = {.config = CONFIG_DEFAULT, .metric = -1};

const struct command command_due = {
    .name = "due",
    .help = "say when what a policy promises is due, and why",
    .about = "Says what each target of the policy comes to for a ticket with these facts.\n",
    .rows = rows,
    .size = sizeof(struct request),
    .initial = &initial,
    .run = run_due,
};
