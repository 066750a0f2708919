/* slatectl check: every problem of a configuration at once. */
#include <getopt.h>
#include <stdio.h>

#include "command.h"
#include "slated/config.h"
#include "slated/policy.h"

int
command_check(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {0}};
	const char *path = NULL;
	struct config *config;
	size_t n_targets = 0;
	int option;

	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (option != 'c' || path != NULL)
			return command_usage("check");
		path = optarg;
	}
	if (optind < argc && path == NULL)
		path = argv[optind++];
	if (optind < argc)
		return command_usage("check");
	if (path == NULL)
		path = CONFIG_DEFAULT;
	if (command_config(path, command_now(), &config) < 0)
		return EXIT_PROBLEM;

	const struct policy_set *set = config->policies;
	for (size_t i = 0; i < set->n_policies; i++)
		n_targets += set->policies[i].n_targets;
	printf("%zu calendars, %zu policies, %zu targets, %zu ladders, %zu rules, %zu channels\n", set->n_calendars,
	       set->n_policies, n_targets, set->n_ladders, set->n_rules, config->n_channels);
	config_free(config);
	return 0;
}
