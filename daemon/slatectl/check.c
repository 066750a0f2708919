/* slatectl check: every problem of a configuration at once. */
#include <stdio.h>

#include "command.h"
#include "slated/config.h"
#include "slated/policy.h"

struct check {
	const char *path;
};

static int
run_check(void *options)
{
	const struct check *check = options;
	struct config *config;
	size_t n_targets = 0;

	if (command_config(check->path, command_now(), &config) < 0)
		return EXIT_PROBLEM;
	const struct policy_set *set = config->policies;
	for (size_t i = 0; i < set->n_policies; i++)
		n_targets += set->policies[i].n_targets;
	printf("%zu calendars, %zu policies, %zu targets, %zu ladders, %zu rules, %zu channels\n", set->n_calendars,
	       set->n_policies, n_targets, set->n_ladders, set->n_rules, config->n_channels);
	config_free(config);
	return 0;
}

static const struct command_row rows[] = {
    {"config", "FILE", "the configuration; " CONFIG_DEFAULT " where it is left out", VALUE_FILE,
     offsetof(struct check, path), .forms = FORM_FIRST},
    {NULL, "FILE", NULL, VALUE_FILE, offsetof(struct check, path), .forms = FORM_SECOND, .needed = true},
    {0},
};

static const struct check initial = {CONFIG_DEFAULT};

const struct command command_check = {
    .name = "check",
    .help = "say what is wrong with a configuration",
    .about = "Prints all problems of a configuration at once, each with its file, line and setting.\n",
    .rows = rows,
    .size = sizeof(struct check),
    .initial = &initial,
    .run = run_check,
};
