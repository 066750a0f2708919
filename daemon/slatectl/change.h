/* What the commands that change something share: options, and the configuration. */
#ifndef SLATED_SLATECTL_CHANGE_H
#define SLATED_SLATECTL_CHANGE_H

#include <getopt.h>

#include "db.h"

struct config;

struct change_options {
	const char *config;
	const char *conninfo;
	const char *by; /* NULL: who calls */
};

/* Rows for getopt_long(); their characters are upper case, so that a command's own are not. */
#define CHANGE_OPTIONS                                                                                                 \
	{"config", required_argument, NULL, 'C'}, {"conninfo", required_argument, NULL, 'D'},                          \
	    {"by", required_argument, NULL, 'B'},                                                                      \
	{                                                                                                              \
		"help", no_argument, NULL, 'H'                                                                         \
	}

/* Takes an option that getopt_long() found in those rows, but for help; false for any other, or an empty name. */
bool change_option(struct change_options *options, int option);

const char *change_by(const struct change_options *options);

/* Opens the database to change something; see db_open_to_change(). */
int change_open(const struct change_options *options, const char *role, struct db *ret)
    __attribute__((warn_unused_result));

/* Prints one line to standard output, made fit for a terminal: it may hold what others wrote. */
void change_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The configuration, without secrets: the file that was named or is the default; with nothing but a conninfo the one in
 * force in the daemon that was seen last. 0, or a negative errno after the reason went to standard error. */
int change_configuration(const struct change_options *options, const struct db *db, struct config **ret)
    __attribute__((warn_unused_result));

#endif
