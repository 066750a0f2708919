/* What status, list and show share: options, the database, the calendars of the configuration, the look. */
#ifndef SLATED_SLATECTL_REPORT_H
#define SLATED_SLATECTL_REPORT_H

#include <getopt.h>

#include "db.h"
#include "view.h"

struct config;
struct policy_set;

struct report_options {
	const char *config;
	const char *conninfo;
	bool json;
	enum view_color color;
};

/* Rows for getopt_long(); their characters are upper case, so that a command's own are not. */
#define REPORT_OPTIONS                                                                                                 \
	{"config", required_argument, NULL, 'C'}, {"conninfo", required_argument, NULL, 'D'},                          \
	    {"json", no_argument, NULL, 'J'},                                                                          \
	{                                                                                                              \
		"color", required_argument, NULL, 'L'                                                                  \
	}

/* Takes an option that getopt_long() found in those rows; false for any other, or a wrong argument. */
bool report_option(struct report_options *options, int option);

struct report {
	struct db db;
	struct view view;
	const struct policy_set *policies; /* at least `always` */
	struct config *loaded;             /* or NULL */
	struct policy_set *bare;           /* or NULL */
};

/* 0, or a negative errno after the reason went to standard error. */
int report_open(const struct report_options *options, struct report *ret) __attribute__((warn_unused_result));
void report_close(struct report *report);

#endif
