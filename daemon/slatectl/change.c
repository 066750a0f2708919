#include "change.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "slated/config.h"
#include "slated/text.h"

const char *
change_by(const struct change_options *options)
{
	return options->by != NULL ? options->by : command_caller();
}

int
change_open(const struct change_options *options, const char *role, struct db *ret)
{
	return db_open_to_change(options->config, options->conninfo, role, ret);
}

void
change_say(const char *format, ...)
{
	char *line;
	va_list args;
	va_start(args, format);
	int n = vasprintf(&line, format, args);
	va_end(args);
	if (n < 0) {
		fputs("slatectl: out of memory\n", stderr);
		return;
	}
	(void)text_clean(line, (size_t)n);
	puts(line);
	free(line);
}

int
change_in_force(const struct db *db, struct config **ret)
{
	PGresult *rows = db_query(db, "the configuration in force",
	                          "SELECT c.source FROM sla.instance i JOIN sla.configuration c ON c.digest = "
	                          "i.configuration ORDER BY i.seen_at DESC LIMIT 1",
	                          0, NULL);
	if (rows == NULL)
		return -EIO;
	if (PQntuples(rows) == 0) {
		fputs("slatectl: no daemon has left its configuration in this database: name a file instead\n", stderr);
		PQclear(rows);
		return -ENOENT;
	}
	struct config_problems problems = {0};
	int r = config_load_text(PQgetvalue(rows, 0, 0), (size_t)PQgetlength(rows, 0, 0), db->now, &problems, ret);
	config_problems_print(&problems, stderr);
	if (r < 0 && problems.n == 0)
		fprintf(stderr, "slatectl: the configuration in force: %s\n", strerror(-r));
	config_problems_clear(&problems);
	PQclear(rows);
	return r;
}

int
change_configuration(const struct change_options *options, const struct db *db, struct config **ret)
{
	if (options->config == NULL && options->conninfo != NULL)
		return change_in_force(db, ret);
	return command_config(options->config != NULL ? options->config : CONFIG_DEFAULT, command_now(), ret);
}
