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

struct command {
	const char *name;
	const char *usage;
	const char *help; /* NULL: not listed */
	int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    {"check", "check [--config FILE | FILE]", "say what is wrong with a configuration", command_check},
    {"due", "due --plan PLAN --severity SEVERITY --opened INSTANT [OPTION ...]",
     "say when what a policy promises is due, and why", command_due},
    {"simulate", "simulate [--config FILE] [--until INSTANT] < EVENTS",
     "play events in simulated time and write their milestones", command_simulate},
    {"settings", "settings [--sample | --mdoc]", "list every setting, as text, sample file or manual page",
     command_settings},
    {"migrate", "migrate [--dry-run] [--config FILE | --conninfo STRING]",
     "create or upgrade schema sla of the database", command_migrate},
    {"status", "status [--json]", "show the daemons and how things stand", command_status},
    {"list", "list [FILTER ...] [--json]", "list the open clocks by time left", command_list},
    {"show", "show [--source NAME] [--json] TICKET", "show a ticket's clocks, milestones and deliveries", command_show},
    {"ack", "ack [--for TIME] [--by NAME] TICKET", "stop or hold a ticket's escalation", command_ack},
    {"silence", "silence --match KEY=PATTERN --for TIME --reason TEXT", "keep alerts back for a while",
     command_silence},
    {"assess", "assess --reason TEXT [--by NAME] TICKET SEVERITY", "give an agent's word on a ticket's severity",
     command_assess},
    {"deliveries", "deliveries [FILTER ...] [--json]", "list what is sent, was sent and was given up",
     command_deliveries},
    {"replay", "replay KEY ... | --channel NAME --since TIME", "send again what was given up", command_replay},
    {"test", "test [--timeout TIME] CHANNEL", "have the daemon send a test message", command_test},
};

static const struct command *
command_find(const char *name)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

int
command_usage(const char *command)
{
	fprintf(stderr, "usage: slatectl %s\n", command_find(command)->usage);
	return EXIT_USAGE;
}

bool
command_instant(const char *option, const char *text, struct instant *ret)
{
	if (instant_parse(text, strlen(text), ret) == 0)
		return true;
	fprintf(stderr, "slatectl: %s: \"%s\" is no RFC 3339 instant such as 2026-03-02T09:00:00Z\n", option, text);
	return false;
}

bool
command_duration(const char *option, const char *text, struct duration *ret)
{
	struct period period;

	if (period_parse(text, &period) == 0 && period.business_days == 0) {
		*ret = period.elapsed;
		return true;
	}
	fprintf(stderr, "slatectl: %s \"%s\": a length of time such as 45m, 2h or 1d12h\n", option, text);
	return false;
}

bool
command_count(const char *option, const char *text)
{
	if (*text != '0' && *text != '\0' && strlen(text) < 10 && strspn(text, "0123456789") == strlen(text))
		return true;
	fprintf(stderr, "slatectl: %s \"%s\": a number from 1 on\n", option, text);
	return false;
}

bool
command_since(const char *option, const char *text, struct instant now, struct instant *ret)
{
	struct period period;

	if (period_parse(text, &period) == 0 && period.business_days == 0) {
		*ret = (struct instant){now.us - period.elapsed.us};
		return true;
	}
	if (instant_parse(text, strlen(text), ret) == 0)
		return true;
	fprintf(
	    stderr,
	    "slatectl: %s \"%s\": an RFC 3339 instant such as 2026-03-02T09:00:00Z, or a length of time such as 2h\n",
	    option, text);
	return false;
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
	int width = 0;

	fputs("usage: slatectl COMMAND [OPTION ...]\n\n", out);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if ((int)strlen(commands[i].usage) > width)
			width = (int)strlen(commands[i].usage);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (commands[i].help != NULL)
			fprintf(out, "  %-*s  %s\n", width, commands[i].usage, commands[i].help);
	fputs("\nslatectl --help and slatectl --version do what they say.\n", out);
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
	int status = command->run(argc - 1, argv + 1);
	if (fflush(stdout) != 0 || ferror(stdout) != 0) {
		perror("slatectl: standard output");
		return status != 0 ? status : EXIT_PROBLEM;
	}
	return status;
}
