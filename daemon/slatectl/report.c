#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "slated/config.h"
#include "slated/policy.h"

/* Calendars come from the configuration that was asked for. With nothing but a conninfo there is none, and what is not
 * counted on `always` is estimated. */
static int
load_policies(const struct report_options *options, struct report *report)
{
	if (options->config == NULL && options->conninfo != NULL) {
		int r = policy_set_new(&report->bare);
		if (r < 0)
			fprintf(stderr, "slatectl: %s\n", strerror(-r));
		report->policies = report->bare;
		return r;
	}
	int r =
	    command_config(options->config != NULL ? options->config : CONFIG_DEFAULT, command_now(), &report->loaded);
	if (r == 0)
		report->policies = report->loaded->policies;
	return r;
}

int
report_open(const struct report_options *options, struct report *ret)
{
	struct report report = {0};
	int r = db_open(options->config, options->conninfo, &report.db);
	if (r < 0)
		return r;
	r = load_policies(options, &report);
	if (r < 0) {
		db_close(&report.db);
		return r;
	}
	view_init(&report.view, options->color, report.db.now);
	*ret = report;
	return 0;
}

void
report_close(struct report *report)
{
	db_close(&report->db);
	config_free(report->loaded);
	policy_set_free(report->bare);
}
