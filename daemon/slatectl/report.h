/* What status, list and show share: options, the database, the calendars of the configuration, the look. */
#ifndef SLATED_SLATECTL_REPORT_H
#define SLATED_SLATECTL_REPORT_H

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

/* Rows of a command's table; `at` is where its options have a report_options. */
#define REPORT_JSON(at)                                                                                                \
	{                                                                                                              \
		"json", NULL, "JSON, instants in UTC, lengths of time in seconds; of lists one object a line",         \
		    VALUE_FLAG, (at) + offsetof(struct report_options, json)                                           \
	}
#define REPORT_COLOR(at)                                                                                               \
	{                                                                                                              \
		"color", "WHEN", "auto, always or never", VALUE_INDEX, (at) + offsetof(struct report_options, color),  \
		    view_color_names, VIEW_COLOR_COUNT                                                                 \
	}
#define REPORT_CONFIG(at)   DB_ROW_CONFIG((at) + offsetof(struct report_options, config))
#define REPORT_CONNINFO(at) DB_ROW_CONNINFO((at) + offsetof(struct report_options, conninfo))

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
