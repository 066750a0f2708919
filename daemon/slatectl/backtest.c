#include "backtest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "change.h"
#include "command.h"
#include "slated/config.h"

enum backtest_format {
	FORMAT_TEXT,
	FORMAT_JSON,
	FORMAT_HTML,
	FORMATS,
};

static const char *const format_names[FORMATS] = {"text", "json", "html"};

/* People read so many tickets, where they do not say how many. */
#define TICKETS_IN_TEXT 20
#define TICKETS_IN_HTML 200

struct backtest_options {
	const char *config;
	const char *against;
	const char *events;
	const char *since;
	struct instant until;
	const char *plan;
	const char *timezone;
	const char *tickets;
	enum backtest_format format;
	enum view_color color;
	const char *conninfo;
};

/* The C library takes a zone that it does not know for UTC. */
static int
set_timezone(const char *name)
{
	const char *folder = getenv("TZDIR");
	char path[400];
	int len = snprintf(path, sizeof(path), "%s/%s", folder != NULL ? folder : "/usr/share/zoneinfo", name);
	if (strstr(name, "..") != NULL || len >= (int)sizeof(path) || access(path, R_OK) < 0) {
		fprintf(stderr, "slatectl backtest: --timezone: no time zone \"%s\"; one is Europe/Berlin\n", name);
		return -EINVAL;
	}
	if (setenv("TZ", name, 1) < 0) {
		fprintf(stderr, "slatectl backtest: %s\n", strerror(errno));
		return -ENOMEM;
	}
	return 0;
}

static int
tell_error(int error)
{
	if (error == -ENOMEM)
		fputs("slatectl backtest: out of memory\n", stderr);
	else if (error < 0)
		fputs("slatectl backtest: the temporary file for the tickets cannot be written to\n", stderr);
	return error;
}

static bool
needs_database(const struct backtest_options *options)
{
	return options->events == NULL || (options->against != NULL && strcmp(options->against, "current") == 0);
}

/* The draft may leave out where the database is. */
static int
open_database(const struct backtest_options *options, const struct config *draft, struct db *ret)
{
	const char *config = draft->conninfo != NULL ? options->config : NULL;
	int r = db_open(config, options->conninfo, ret);
	if (r < 0 && options->conninfo == NULL && draft->conninfo == NULL)
		fputs("slatectl backtest: --conninfo names the database, --events a file of events\n", stderr);
	if (r == 0)
		ret->role = "sla_daemon"; /* to read configurations */
	return r;
}

/* The other configuration, or none. */
static int
open_before(struct backtest *backtest, const struct backtest_options *options, const struct db *db)
{
	const char *against = options->against != NULL  ? options->against
	                      : options->events == NULL ? "current"
	                                                : "none";
	struct config *config;
	if (strcmp(against, "none") == 0)
		return 0;
	int r = strcmp(against, "current") == 0 ? change_in_force(db, &config)
	                                        : command_config(against, command_now(), &config);
	if (r < 0)
		return r;
	backtest->compares = true;
	return tell_error(backtest_open_side(backtest, BEFORE, config));
}

static int
prepare_lists(struct backtest *backtest, const struct backtest_options *options)
{
	backtest->max_differences = options->tickets != NULL         ? (size_t)strtoul(options->tickets, NULL, 10)
	                            : options->format == FORMAT_HTML ? TICKETS_IN_HTML
	                                                             : TICKETS_IN_TEXT;
	if (options->format == FORMAT_JSON && (backtest->all = tmpfile()) == NULL) {
		perror("slatectl backtest: a temporary file");
		return -EIO;
	}
	return 0;
}

static int
read_lines(struct backtest *backtest, const char *path)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *in = standard ? stdin : fopen(path, "re");
	if (in == NULL) {
		fprintf(stderr, "slatectl backtest: %s: %s\n", path, strerror(errno));
		return -EIO;
	}
	int r = backtest_read_lines(backtest, in, standard ? "standard input" : path);
	if (!standard)
		(void)fclose(in); /* it was only read */
	return r;
}

static int
write_result(struct backtest *backtest, const struct backtest_options *options)
{
	const struct backtest_names names = {
	    .before = options->against != NULL ? options->against : "current",
	    .after = options->config,
	    .timezone = options->timezone,
	};
	struct view view;
	view_init(&view, options->color, command_now());
	backtest_settle(backtest);
	switch (options->format) {
	case FORMAT_JSON:
		return backtest_write_json(backtest, &names);
	case FORMAT_HTML:
		return backtest_write_html(backtest, &names);
	default:
		return backtest_write_text(backtest, &view, &names);
	}
}

static int
play(struct backtest *backtest, const struct backtest_options *options, const struct db *db)
{
	int r = open_before(backtest, options, db);
	if (r == 0)
		r = prepare_lists(backtest, options);
	if (r < 0)
		return r;
	r = options->events != NULL ? read_lines(backtest, options->events) : backtest_read_database(backtest, db);
	if (backtest->error < 0)
		(void)tell_error(backtest->error);
	if (r == 0 && backtest->tickets == 0) {
		fprintf(stderr, "slatectl backtest: no ticket was opened in that time%s\n",
		        backtest->cut > 0 ? " whose events are all in the database" : "");
		r = -ENOENT;
	}
	return r < 0 ? r : write_result(backtest, options);
}

static int
run_backtest(void *into)
{
	const struct backtest_options *options = into;
	struct backtest backtest = {
	    .until = options->until, .plan = options->plan, .first = INSTANT_NEVER, .last = {INT64_MIN}};
	struct config *draft;
	struct db db = {0};
	if (options->since != NULL && !command_since("--since", options->since, command_now(), &backtest.since))
		return EXIT_USAGE;
	if (set_timezone(options->timezone) < 0 || command_config(options->config, command_now(), &draft) < 0)
		return EXIT_PROBLEM;
	bool database = needs_database(options);
	int r = database ? open_database(options, draft, &db) : 0;
	if (r < 0) {
		config_free(draft);
		return EXIT_PROBLEM;
	}
	if (options->events == NULL)
		backtest.until = instant_min(backtest.until, db.now);
	r = tell_error(backtest_open_side(&backtest, AFTER, draft));
	if (r == 0)
		r = play(&backtest, options, &db);
	if (database)
		db_close(&db);
	backtest_clear(&backtest);
	return r < 0 || backtest.faulty ? EXIT_PROBLEM : 0;
}

#define AT(member) offsetof(struct backtest_options, member)

static const struct command_row rows[] = {
    {"config", "FILE", "the draft", VALUE_FILE, AT(config), .needed = true},
    {"against", "FILE",
     "what it is compared with: a file, current (the configuration in force, the default with a database) or none",
     VALUE_FILE, AT(against)},
    {"events", "FILE", "reads events from a file of NDJSON instead of the database; \"-\": from standard input",
     VALUE_FILE, AT(events)},
    {"since", "TIME", "only tickets opened since then, an instant, or so long ago, as in 90d", VALUE_SINCE, AT(since)},
    {"until", "INSTANT", "the end of the time; now where it is left out, with --events the last event", VALUE_INSTANT,
     AT(until)},
    {"plan", "NAME", "only tickets opened with this plan; \"*\" and \"?\" stand for any text and any one character",
     VALUE_TEXT, AT(plan)},
    {"timezone", "NAME", "whose hours of the day are told, as in Europe/Berlin; UTC where it is left out", VALUE_NAME,
     AT(timezone)},
    {"tickets", "N", "lists so many tickets with another verdict: 20 in text, 200 in html; json has all", VALUE_COUNT,
     AT(tickets)},
    {"format", "FORMAT", "text, json or html", VALUE_INDEX, AT(format), format_names, FORMATS},
    {"color", "WHEN", "auto, always or never", VALUE_INDEX, AT(color), view_color_names, VIEW_COLOR_COUNT},
    DB_ROW_CONNINFO(AT(conninfo)),
    {0},
};

static const struct backtest_options initial = {.until = INSTANT_NEVER, .timezone = "UTC"};

const struct command command_backtest = {
    .name = "backtest",
    .help = "say what a draft would have made of recorded events",
    .about = "Plays recorded events under a draft and, beside it, under another configuration, and says what differs:\n"
             "promises kept and missed, tickets, pages by hour and channel, and what could be promised.\n",
    .rows = rows,
    .size = sizeof(struct backtest_options),
    .initial = &initial,
    .run = run_backtest,
};
