/* slatectl check: every problem of a configuration at once, and what it says but hardly means. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "slated/lint.h"
#include "slated/policy.h"
#include "table.h"

struct check {
	const char *path;
	bool lint;
	bool json;
	bool strict;
	struct command_list allow;
	struct instant at; /* INSTANT_NEVER: now */
};

static void
print_counts(const struct config *config)
{
	const struct policy_set *set = config->policies;
	size_t n_targets = 0;

	for (size_t i = 0; i < set->n_policies; i++)
		n_targets += set->policies[i].n_targets;
	printf("%zu calendars, %zu policies, %zu targets, %zu ladders, %zu rules, %zu channels\n", set->n_calendars,
	       set->n_policies, n_targets, set->n_ladders, set->n_rules, config->n_channels);
}

/* The linter ------------------------------------------------------------------------------------------------------- */

static bool
finding_is_allowed(const struct check *check, const struct config_problem *finding)
{
	for (size_t i = 0; i < check->allow.n; i++)
		if (strcmp(check->allow.items[i], finding->check) == 0)
			return true;
	return false;
}

/* Takes out what was allowed. */
static void
findings_filter(const struct check *check, struct config_problems *findings)
{
	struct config_problems left = {calloc(findings->n + 1, sizeof *left.items), 0};
	struct config_problems allowed = {calloc(findings->n + 1, sizeof *left.items), 0};

	if (left.items == NULL || allowed.items == NULL) {
		free(left.items);
		free(allowed.items);
		return; /* then all are told */
	}
	for (size_t i = 0; i < findings->n; i++) {
		struct config_problems *to = finding_is_allowed(check, &findings->items[i]) ? &allowed : &left;
		to->items[to->n++] = findings->items[i];
	}
	config_problems_clear(&allowed);
	free(findings->items);
	*findings = left;
}

static bool
policy_has_metric(const struct policy *policy, int metric)
{
	for (size_t i = 0; i < policy->n_targets; i++)
		if ((int)policy->targets[i].metric == metric)
			return true;
	return false;
}

/* One row of the table: what tickets of a plan are promised for a metric, by severity. */
static void
coverage_add_row(struct table *table, const struct policy_set *set, const struct lint_coverage *row, int metric)
{
	char text[VIEW_TEXT_SIZE];

	table_add_row(table);
	table_set(table, 0, row->plan != NULL ? row->plan : "(other)", NULL);
	table_set(table, 1, row->policy != NULL ? row->policy->name : "(none)", NULL);
	table_set(table, 2, metric < METRIC_COUNT ? metric_names[metric] : "nothing", NULL);
	for (unsigned i = 0; i < set->n_severities; i++) {
		const struct target *target = NULL;
		if (metric < METRIC_COUNT)
			target = policy_target(row->policy, (enum metric)metric, i);
		if ((row->severities >> i & 1) == 0) {
			table_set(table, 3 + i, "", NULL);
			continue;
		}
		(void)snprintf(text, sizeof text, "%s%.40s", target != NULL && target->under ? "<" : "",
		               target != NULL ? target->text : "-");
		table_set(table, 3 + i, text, NULL);
	}
}

static int
coverage_print(const struct lint *lint)
{
	const struct policy_set *set = lint->config->policies;
	struct table_column columns[3 + SEVERITY_MAX] = {{"PLAN", 0, 0}, {"POLICY", 0, 0}, {"METRIC", 0, 0}};
	unsigned n = set->n_severities < TABLE_COLUMNS_MAX - 3 ? (unsigned)set->n_severities : TABLE_COLUMNS_MAX - 3;
	struct view view;
	struct table *table;

	view_init(&view, VIEW_COLOR_NEVER, command_now());
	for (unsigned i = 0; i < n; i++)
		columns[3 + i].name = set->severities[i].name;
	int r = table_new(&view, columns, 3 + n, &table);
	if (r < 0)
		return r;
	for (size_t i = 0; i < lint->n_coverage; i++) {
		const struct lint_coverage *row = &lint->coverage[i];
		if (row->policy == NULL || row->policy->n_targets == 0)
			coverage_add_row(table, set, row, METRIC_COUNT);
		for (int metric = 0; metric < METRIC_COUNT; metric++)
			if (row->policy != NULL && policy_has_metric(row->policy, metric))
				coverage_add_row(table, set, row, metric);
	}
	puts("\nWhat tickets are promised (\"-\": nothing, blank: not by this policy):");
	r = table_print(table);
	table_free(table);
	return r;
}

static void
finding_write(struct jsonw *json, const struct config_problem *finding)
{
	jsonw_open(json, NULL, '{');
	jsonw_text(json, "check", finding->check);
	jsonw_text(json, "file", finding->file);
	jsonw_number(json, "line", finding->line);
	jsonw_text(json, "setting", finding->setting);
	jsonw_text(json, "message", finding->message);
	jsonw_raw(json, "witness", finding->witness);
	jsonw_close(json, '}');
}

static void
coverage_write(struct jsonw *json, const struct policy_set *set, const struct lint_coverage *row)
{
	jsonw_open(json, NULL, '{');
	jsonw_text(json, "plan", row->plan);
	jsonw_text(json, "policy", row->policy != NULL ? row->policy->name : NULL);
	jsonw_open(json, "severities", '{');
	for (unsigned i = 0; i < set->n_severities; i++) {
		if ((row->severities >> i & 1) == 0)
			continue;
		jsonw_open(json, set->severities[i].name, '{');
		for (int metric = 0; row->policy != NULL && metric < METRIC_COUNT; metric++) {
			const struct target *target = policy_target(row->policy, (enum metric)metric, i);
			if (target != NULL)
				jsonw_text(json, metric_names[metric], target->text);
		}
		jsonw_close(json, '}');
	}
	jsonw_close(json, '}');
	jsonw_close(json, '}');
}

static int
lint_print_json(const struct lint *lint)
{
	struct jsonw json = {0};

	jsonw_open(&json, NULL, '{');
	jsonw_text(&json, "configuration", lint->config->digest);
	jsonw_open(&json, "findings", '[');
	for (size_t i = 0; i < lint->findings.n; i++)
		finding_write(&json, &lint->findings.items[i]);
	jsonw_close(&json, ']');
	jsonw_open(&json, "coverage", '[');
	for (size_t i = 0; i < lint->n_coverage; i++)
		coverage_write(&json, lint->config->policies, &lint->coverage[i]);
	jsonw_close(&json, ']');
	jsonw_close(&json, '}');
	int r = view_print_json(&json);
	jsonw_clear(&json);
	return r;
}

static int
lint_print(const struct lint *lint)
{
	int r = 0;

	config_problems_print(&lint->findings, stdout);
	if (lint->n_coverage > 0)
		r = coverage_print(lint);
	if (r == 0)
		printf("\n%zu finding%s\n", lint->findings.n, lint->findings.n == 1 ? "" : "s");
	return r;
}

static bool
allow_is_known(const struct check *check)
{
	for (size_t i = 0; i < check->allow.n; i++) {
		size_t j = 0;
		while (j < lint_n_checks && strcmp(lint_checks[j], check->allow.items[i]) != 0)
			j++;
		if (j < lint_n_checks)
			continue;
		fprintf(stderr, "slatectl check: --allow: there is no check \"%s\"; there are:", check->allow.items[i]);
		for (j = 0; j < lint_n_checks; j++)
			fprintf(stderr, " %s", lint_checks[j]);
		fputc('\n', stderr);
		return false;
	}
	return true;
}

static int
run_lint(const struct check *check)
{
	struct instant at = instant_equal(check->at, INSTANT_NEVER) ? command_now() : check->at;
	struct config_problems problems = {0};
	struct lint lint;

	if (!allow_is_known(check))
		return EXIT_USAGE;
	int r = config_lint(check->path, at, &problems, &lint);
	config_problems_print(&problems, stderr);
	config_problems_clear(&problems);
	if (r < 0) {
		if (r != -EINVAL)
			fprintf(stderr, "slatectl: %s: %s\n", check->path, strerror(-r));
		return EXIT_PROBLEM;
	}
	findings_filter(check, &lint.findings);
	r = check->json ? lint_print_json(&lint) : lint_print(&lint);
	int status = r < 0 || (check->strict && lint.findings.n > 0) ? EXIT_PROBLEM : 0;
	lint_clear(&lint);
	return status;
}

static int
run_check(void *options)
{
	const struct check *check = options;
	struct config *config;

	if (check->lint)
		return run_lint(check);
	if (check->json || check->strict || check->allow.n > 0 || !instant_equal(check->at, INSTANT_NEVER)) {
		fputs("slatectl check: --json, --strict, --allow and --at have no meaning without --lint\n", stderr);
		return EXIT_USAGE;
	}
	if (command_config(check->path, command_now(), &config) < 0)
		return EXIT_PROBLEM;
	print_counts(config);
	config_free(config);
	return 0;
}

static const struct command_row rows[] = {
    {"lint", NULL, "also look for what is no error and hardly meant, and show who is promised what", VALUE_FLAG,
     offsetof(struct check, lint)},
    {"strict", NULL, "exit with status 1 where the linter finds something", VALUE_FLAG, offsetof(struct check, strict)},
    {"allow", "CHECK", "leave out what this check of the linter finds", VALUE_LIST, offsetof(struct check, allow)},
    {"at", "INSTANT", "look as of this instant instead of now", VALUE_INSTANT, offsetof(struct check, at)},
    {"json", NULL, "what the linter finds as one JSON object", VALUE_FLAG, offsetof(struct check, json)},
    {"config", "FILE", "the configuration; " CONFIG_DEFAULT " where it is left out", VALUE_FILE,
     offsetof(struct check, path), .forms = FORM_FIRST},
    {NULL, "FILE", NULL, VALUE_FILE, offsetof(struct check, path), .forms = FORM_SECOND, .needed = true},
    {0},
};

static const struct check initial = {.path = CONFIG_DEFAULT, .at = {INT64_MAX}};

const struct command command_check = {
    .name = "check",
    .help = "say what is wrong with a configuration",
    .about = "Prints all problems of a configuration at once, each with its file, line and setting.\n",
    .rows = rows,
    .size = sizeof(struct check),
    .initial = &initial,
    .run = run_check,
};
