/* slatectl holidays update: a new feed compared with the one in use, and put in its place. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "holidays_get.h"
#include "reload.h"
#include "slated/config.h"
#include "slated/policy.h"

/* Dates are compared from a year ago, since clocks run that long, up to where searches end. */
#define DAYS_BEFORE 366
#define DAYS_BEHIND (11 * 366)

struct holidays {
	const char *verb;
	const char *name;
	const char *place;
	const char *config;
	const char *conninfo;
	bool apply;
	bool json;
	enum view_color color;
};

/* One date that a feed closes and the other does not, or under another name. */
struct difference {
	struct date date;
	char *was; /* NULL: not closed */
	char *is;
};

struct differences {
	struct difference *at;
	size_t n;
};

/* The feed ------------------------------------------------------------------------------------------------------- */

/* Whether people may mean the feed by that name: its file, with or without its folder and ".ics". */
static bool
feed_is_called(const struct config_feed *feed, const char *name)
{
	const char *base = memrchr(feed->name, '/', feed->name_len);
	size_t base_len = base != NULL ? feed->name_len - (size_t)(base + 1 - feed->name) : feed->name_len;
	size_t len = strlen(name);

	base = base != NULL ? base + 1 : feed->name;
	return (len == feed->name_len && memcmp(name, feed->name, len) == 0) ||
	       (len == base_len && memcmp(name, base, len) == 0) ||
	       (len + 4 == base_len && memcmp(name, base, len) == 0 && memcmp(base + len, ".ics", 4) == 0);
}

static int
feed_find(const struct config *config, const char *name, struct config_feed *ret)
{
	struct config_feed feed;
	int found = 0;

	for (size_t i = 0; config_feed(config, i, &feed); i++)
		if (feed_is_called(&feed, name)) {
			*ret = feed;
			found++;
		}
	if (found == 1)
		return 0;
	fprintf(stderr, "slatectl holidays: %s feed of the configuration is called \"%s\"",
	        found > 1 ? "more than one" : "no", name);
	for (size_t i = 0; config_feed(config, i, &feed); i++)
		fprintf(stderr, "%s %.*s", i > 0 ? "," : "; it has", (int)feed.name_len, feed.name);
	fputs(found == 0 && !config_feed(config, 0, &feed) ? "; it has none\n" : "\n", stderr);
	return -ENOENT;
}

/* The configuration with the new feed in place of the present one. */
static int
draft_load(const struct config *config, const struct config_feed *feed, const char *text, size_t len,
           struct config **ret)
{
	struct config_problems problems = {0};
	char *source;
	size_t source_len;
	int r = config_replace_feed(config, feed, text, len, &source, &source_len);

	if (r == 0) {
		r = config_load_text(source, source_len, command_now(), &problems, ret);
		free(source);
	}
	if (problems.n > 0)
		fputs("slatectl holidays: with the new feed in its place the configuration would have errors:\n",
		      stderr);
	config_problems_print(&problems, stderr);
	if (r < 0 && problems.n == 0)
		fprintf(stderr, "slatectl holidays: %s\n", strerror(-r));
	config_problems_clear(&problems);
	return r;
}

/* What differs --------------------------------------------------------------------------------------------------- */

static int
difference_add(struct differences *differences, struct date date, const char *was, const char *is)
{
	struct difference *grown = reallocarray(differences->at, differences->n + 1, sizeof *grown);

	if (grown == NULL)
		return -ENOMEM;
	differences->at = grown;
	grown[differences->n++] =
	    (struct difference){date, was != NULL ? strdup(was) : NULL, is != NULL ? strdup(is) : NULL};
	return (was != NULL && grown[differences->n - 1].was == NULL) ||
	               (is != NULL && grown[differences->n - 1].is == NULL)
	           ? -ENOMEM
	           : 0;
}

/* By the notes of all calendars that are no mixtures: those that do not use the feed are equal. */
static int
compare_date(const struct policy_set *was, const struct policy_set *is, struct date date,
             struct differences *differences)
{
	for (size_t i = 0; i < was->n_calendars; i++) {
		struct calendar *const *members;
		const struct calendar *other = policy_set_calendar(is, calendar_name(was->calendars[i]));
		if (other == NULL || calendar_members(other, &members) > 0)
			continue;
		const char *before = calendar_day_note(was->calendars[i], date);
		const char *after = calendar_day_note(other, date);
		if (before == NULL ? after != NULL : after == NULL || strcmp(before, after) != 0)
			return difference_add(differences, date, before, after);
	}
	return 0;
}

static int
compare(const struct policy_set *was, const struct policy_set *is, struct instant now, struct differences *differences)
{
	struct date today = date_of_wall((struct wall){now.us});
	int r = 0;

	for (int32_t day = today.day - DAYS_BEFORE; r == 0 && day < today.day + DAYS_BEHIND; day++)
		r = compare_date(was, is, (struct date){day}, differences);
	return r;
}

static void
date_text(struct date date, char text[static 32])
{
	int year, month, day;

	date_to_civil(date, &year, &month, &day);
	(void)snprintf(text, 32, "%04d-%02d-%02d", year, month, day);
}

static void
differences_print(const struct differences *differences)
{
	char date[32];

	for (size_t i = 0; i < differences->n; i++) {
		const struct difference *d = &differences->at[i];
		date_text(d->date, date);
		if (d->was != NULL && d->is != NULL)
			printf("= %s %s, was %s\n", date, d->is, d->was);
		else
			printf("%c %s %s\n", d->was == NULL ? '+' : '-', date, d->was == NULL ? d->is : d->was);
	}
	if (differences->n == 0)
		puts("no date differs");
}

static void
differences_write(struct jsonw *json, const struct differences *differences)
{
	char date[32];

	jsonw_open(json, "dates", '[');
	for (size_t i = 0; i < differences->n; i++) {
		date_text(differences->at[i].date, date);
		jsonw_open(json, NULL, '{');
		jsonw_text(json, "date", date);
		jsonw_text(json, "was", differences->at[i].was);
		jsonw_text(json, "is", differences->at[i].is);
		jsonw_close(json, '}');
	}
	jsonw_close(json, ']');
}

static void
differences_clear(struct differences *differences)
{
	for (size_t i = 0; i < differences->n; i++) {
		free(differences->at[i].was);
		free(differences->at[i].is);
	}
	free(differences->at);
}

/* In its place ----------------------------------------------------------------------------------------------------- */

/* The file that the configuration reads the feed from. NULL where memory is out. */
static char *
feed_path(const struct holidays *options, const struct config_feed *feed)
{
	const char *slash = strrchr(options->config, '/');
	int folder = *feed->name == '/' || slash == NULL ? 0 : (int)(slash + 1 - options->config);
	char *path;

	return asprintf(&path, "%.*s%.*s", folder, options->config, (int)feed->name_len, feed->name) < 0 ? NULL : path;
}

static int
file_write(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* Whole or not at all: a daemon that reloads meanwhile reads the one or the other. */
static int
file_replace(const char *path, const char *text, size_t len)
{
	struct stat status;
	char *new;
	int r = 0;

	if (stat(path, &status) < 0)
		return -errno;
	if (asprintf(&new, "%s.new.XXXXXX", path) < 0)
		return -ENOMEM;
	int fd = mkstemp(new);
	if (fd < 0) {
		r = -errno;
		free(new);
		return r;
	}
	r = file_write(fd, text, len);
	if (r == 0 && (fchmod(fd, status.st_mode & 07777) < 0 || rename(new, path) < 0))
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r < 0)
		(void)unlink(new); /* the reason why it is there counts */
	free(new);
	return r;
}

static int
apply(const struct holidays *options, const struct config_feed *feed, const char *text, size_t len, bool migrates)
{
	char *path = feed_path(options, feed);
	int r = path != NULL ? file_replace(path, text, len) : -ENOMEM;

	if (r < 0)
		fprintf(stderr, "slatectl holidays: %s: %s\n", path != NULL ? path : options->name, strerror(-r));
	else if (!options->json)
		printf("%s is written. Now reload the daemon: systemctl reload slated%s\n", path,
		       migrates ? "" : "; open clocks keep their calendars, as instance.reload is not \"migrate\"");
	free(path);
	return r;
}

/* All together --------------------------------------------------------------------------------------------------- */

/* The clocks that would move; none are looked at where no database is named. */
static int
tell_clocks(const struct holidays *options, const struct config *config, const struct config *draft, struct jsonw *json)
{
	struct db db;

	if (config->conninfo == NULL && options->conninfo == NULL) {
		if (!options->json)
			puts("no database is named, so no open clocks are looked at");
		return 0;
	}
	int r = db_open(config->conninfo != NULL ? options->config : NULL, options->conninfo, &db);
	if (r < 0)
		return r;
	r = options->json ? reload_write(json, &db, draft, true)
	                  : reload_print(options->name, &db, draft, true, options->color);
	db_close(&db);
	return r;
}

static int
update(const struct holidays *options, const struct config *config, const struct config_feed *feed,
       const struct config *draft, const char *text, size_t len)
{
	struct differences differences = {0};
	struct jsonw json = {0};
	int r = compare(config->policies, draft->policies, command_now(), &differences);

	if (r < 0)
		fprintf(stderr, "slatectl holidays: %s\n", strerror(-r));
	jsonw_open(&json, NULL, '{');
	differences_write(&json, &differences);
	if (r == 0 && !options->json)
		differences_print(&differences);
	if (r == 0 && differences.n > 0)
		r = tell_clocks(options, config, draft, &json);
	if (r == 0 && options->apply)
		r = apply(options, feed, text, len, config->migrate);
	jsonw_bool(&json, "applied", r == 0 && options->apply);
	jsonw_close(&json, '}');
	if (r == 0 && options->json)
		r = view_print_json(&json);
	else if (r == 0 && !options->apply && differences.n > 0)
		puts("nothing is changed: --apply puts the new feed in its place");
	jsonw_clear(&json);
	differences_clear(&differences);
	return r;
}

static int
run_holidays(void *into)
{
	const struct holidays *options = into;
	struct config *config, *draft;
	struct config_feed feed;
	char *text = NULL;
	size_t len = 0;

	if (command_config(options->config, command_now(), &config) < 0)
		return EXIT_PROBLEM;
	int r = feed_find(config, options->name, &feed);
	if (r == 0)
		r = holidays_get(options->place, &text, &len);
	if (r == 0)
		r = draft_load(config, &feed, text, len, &draft);
	if (r == 0) {
		r = update(options, config, &feed, draft, text, len);
		config_free(draft);
	}
	free(text);
	config_free(config);
	return r < 0 ? EXIT_PROBLEM : 0;
}

#define AT(member) offsetof(struct holidays, member)

static const char *const verbs[] = {"update"};

static const struct command_row rows[] = {
    {"apply", NULL, "puts the new feed in the place of the present one", VALUE_FLAG, AT(apply)},
    {"json", NULL, "JSON", VALUE_FLAG, AT(json)},
    {"color", "WHEN", "auto, always or never", VALUE_INDEX, AT(color), view_color_names, VIEW_COLOR_COUNT},
    DB_ROW_CONFIG(AT(config)),
    DB_ROW_CONNINFO(AT(conninfo)),
    {NULL, "update", NULL, VALUE_CHOICE, AT(verb), verbs, 1, .needed = true},
    {NULL, "NAME", NULL, VALUE_NAME, AT(name), .needed = true},
    {NULL, "FEED", NULL, VALUE_FILE, AT(place), .needed = true},
    {0},
};

static const struct holidays initial = {.config = CONFIG_DEFAULT};

const struct command command_holidays = {
    .name = "holidays",
    .help = "compare a new holiday feed with the one in use, and put it in its place",
    .about =
        "Says which dates a new holiday feed closes and the one in use does not, or the other way round, and which\n"
        "open clocks that would move. NAME is the feed's file, with or without its folder and \".ics\"; FEED is an\n"
        "iCalendar file or a URL.\n",
    .rows = rows,
    .size = sizeof(struct holidays),
    .initial = &initial,
    .run = run_holidays,
};
