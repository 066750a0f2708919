/* The commands of slatectl. Each is one file with one table of what it takes, from which come the reading of the
 * command line, the usage text, the shells' completion and the synopsis of slatectl(1). */
#ifndef SLATED_SLATECTL_COMMAND_H
#define SLATED_SLATECTL_COMMAND_H

#include <stddef.h>
#include <stdio.h>

#include "slated/instant.h"

struct config;

/* Exit statuses, besides 0 for success. */
#define EXIT_PROBLEM 1 /* what was asked for failed */
#define EXIT_USAGE   2 /* the command line is wrong */

#define CONFIG_DEFAULT SYSCONFDIR "/slated/slated.conf"

/* How an argument is read, and the type of what it goes into. */
enum command_value {
	VALUE_FLAG,     /* bool; the option has no argument */
	VALUE_TEXT,     /* const char *; UTF-8 */
	VALUE_NAME,     /* the same, not empty */
	VALUE_BYTES,    /* const char *; anything */
	VALUE_FILE,     /* the same */
	VALUE_COUNT,    /* const char *; a number from 1 on */
	VALUE_SINCE,    /* const char *; an instant or a length of time */
	VALUE_DURATION, /* struct duration */
	VALUE_INSTANT,  /* struct instant */
	VALUE_CHOICE,   /* const char *; one of `choices` */
	VALUE_INDEX,    /* int or enum; the place among `choices` */
	VALUE_LIST,     /* struct command_list: each time that it is given */
};

struct command_list {
	const char **items;
	size_t n;
};

/* The ways of calling a command, as bits; such as `slatectl silence --match ...` and `slatectl silence --list`. */
enum {
	FORM_ALL = 0,
	FORM_FIRST = 1 << 0,
	FORM_SECOND = 1 << 1,
	FORM_THIRD = 1 << 2,
};

struct command_row {
	const char *name; /* of an option, without its dashes; NULL: an argument after the options */
	const char *word; /* stands for its argument */
	const char *help; /* in one sentence; NULL: `about` tells */
	enum command_value value;
	size_t at; /* in the command's options */
	const char *const *choices;
	size_t n_choices;
	unsigned forms; /* in which it stands */
	bool needed;    /* in these */
};

struct command {
	const char *name;
	const char *help;               /* in a few words */
	const char *about;              /* lines of text */
	const char *more;               /* the same, below the options; NULL: none */
	const struct command_row *rows; /* the last one is empty */
	size_t size;                    /* of what run() is given */
	const void *initial;            /* what that begins as; NULL: zeros */
	int (*run)(void *options);      /* gives the exit status */
};

extern const struct command command_ack;
extern const struct command command_assess;
extern const struct command command_attach;
extern const struct command command_backtest;
extern const struct command command_check;
extern const struct command command_completion;
extern const struct command command_deliveries;
extern const struct command command_detach;
extern const struct command command_due;
extern const struct command command_holidays;
extern const struct command command_list;
extern const struct command command_migrate;
extern const struct command command_reload;
extern const struct command command_replay;
extern const struct command command_report;
extern const struct command command_settings;
extern const struct command command_show;
extern const struct command command_silence;
extern const struct command command_simulate;
extern const struct command command_status;
extern const struct command command_test;
extern const struct command command_top;

/* All of them. */
extern const struct command *const commands[];
extern const size_t n_commands;

/* Whether it is the empty one behind the others. */
bool command_row_is_last(const struct command_row *row);

/* In a synopsis those that are needed come first, and what has no name last: each has one of so many ranks. */
#define COMMAND_RANKS 3
int command_row_rank(const struct command_row *row);

/* The number of its forms, and whether a row stands in one, from 0 on. */
unsigned command_forms(const struct command *command);
bool command_row_in_form(const struct command_row *row, unsigned form);

/* Reads a command line and runs the command; argv[0] is its name. The exit status. */
int command_run(const struct command *command, int argc, char **argv);

/* Says that the command line is wrong, and how it is to be. EXIT_USAGE. */
int command_usage(const struct command *command);

/* The whole text of `slatectl COMMAND --help`. */
void command_help(const struct command *command, FILE *out);

/* An instant, or a length of time before `now`; false after a message. */
bool command_since(const char *option, const char *text, struct instant now, struct instant *ret);

/* The current instant, by the system's clock. */
struct instant command_now(void);

/* Who calls: the one behind sudo, or the user. Valid until the next call. */
const char *command_caller(void);

/* Loads a configuration without its secrets; prints its problems. 0, or -EINVAL, or another negative errno that was
 * printed. */
int command_config(const char *path, struct instant now, struct config **ret) __attribute__((warn_unused_result));

#endif
