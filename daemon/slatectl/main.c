/* The command-line tool: finds the command and runs it. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "config.h"
#include "migrate.h"
#include "slated/config.h"

const struct command *const commands[] = {
    &command_check,      &command_due,      &command_simulate, &command_settings,   &command_migrate, &command_status,
    &command_list,       &command_top,      &command_show,     &command_ack,        &command_silence, &command_assess,
    &command_deliveries, &command_replay,   &command_test,     &command_report,     &command_reload,  &command_attach,
    &command_detach,     &command_backtest, &command_holidays, &command_completion,
};
const size_t n_commands = sizeof(commands) / sizeof(commands[0]);

static const struct command *
command_find(const char *name)
{
	for (size_t i = 0; i < n_commands; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

const char *
command_caller(void)
{
	const char *name = getenv("SUDO_USER");
	const struct passwd *user;

	if (name != NULL && *name != '\0')
		return name;
	user = getpwuid(getuid());
	return user != NULL ? user->pw_name : "slatectl";
}

struct instant
command_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (struct instant){now.tv_sec * US_PER_S + now.tv_nsec / 1000};
}

static int
config_load_printed(const char *path, struct instant now, unsigned flags, struct config **ret)
{
	struct config_problems problems = {0};
	int r = config_load(path, now, flags, &problems, ret);

	config_problems_print(&problems, stderr);
	if (r < 0 && problems.n == 0)
		fprintf(stderr, "slatectl: %s: %s\n", path, strerror(-r));
	config_problems_clear(&problems);
	return r;
}

int
command_config(const char *path, struct instant now, struct config **ret)
{
	return config_load_printed(path, now, CONFIG_NO_SECRETS, ret);
}

int
command_database(const char *path, char **ret_conninfo, char **ret_password)
{
	struct config *config;
	int r;

	if (path == NULL)
		path = CONFIG_DEFAULT;
	r = config_load_printed(path, command_now(), CONFIG_NO_SECRETS | CONFIG_DATABASE_SECRET, &config);
	if (r < 0)
		return r;
	if (config->conninfo == NULL) {
		fprintf(stderr, "slatectl: %s: database.conninfo is missing\n", path);
		r = -ENOENT;
	} else {
		*ret_conninfo = config->conninfo;
		*ret_password = config->password;
		config->conninfo = NULL;
		config->password = NULL;
	}
	config_free(config);
	return r;
}

static void
help_print(FILE *out)
{
	fputs("usage: slatectl COMMAND [OPTION ...]\n\n", out);
	for (size_t i = 0; i < n_commands; i++)
		fprintf(out, "  %-11s %s\n", commands[i]->name, commands[i]->help);
	fputs("\nslatectl COMMAND --help tells of its options, slatectl --version of the release.\n", out);
}

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	if (name == NULL) {
		help_print(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		help_print(stdout);
		return 0;
	}
	if (strcmp(name, "--version") == 0) {
		puts("slatectl " PACKAGE_VERSION);
		return 0;
	}
	const struct command *command = command_find(name);
	if (command == NULL) {
		fprintf(stderr, "slatectl: unknown command \"%s\"; slatectl --help lists them\n", name);
		return EXIT_USAGE;
	}
	int status = command_run(command, argc - 1, argv + 1);
	if (fflush(stdout) != 0 || ferror(stdout) != 0) {
		perror("slatectl: standard output");
		return status != 0 ? status : EXIT_PROBLEM;
	}
	return status;
}
