/* What the parts of the configuration loader share. Private to io/config*. */
#ifndef SLATED_IO_CONFIG_LOAD_H
#define SLATED_IO_CONFIG_LOAD_H

#include <libconfig.h>
#include <stdbool.h>

#include "config_table.h"
#include "slated/config.h"
#include "slated/policy.h"
#include "slated/render.h"

struct lint;

/* One file that was read. The root setting's hook points to it, so that any setting tells its place. */
struct source {
	char *name;    /* from the main file's folder */
	char *display; /* as the user knows it */
	char *text;
	size_t len;
	size_t index;
	bool feed;
	bool parsed;
	config_t lib;
};

/* The named things of one kind, with the places that define them. Names are libconfig's. */
struct names {
	struct {
		const char *name;
		config_setting_t *setting;
	} * items;
	size_t n;
};

struct loader {
	struct instant now;
	unsigned flags;
	const char *main_path; /* NULL when loaded from text: then no file is opened */
	struct source **sources;
	size_t n_sources;
	struct names calendars;
	struct names ladders;
	struct names channels;
	struct names policies;
	struct names rules;
	struct names adapters;
	struct config *config;
	struct policy_set *set;
	struct config_problems *problems;
	struct lint *lint; /* where findings go, or NULL: none are looked for */
	int error;         /* the first -errno that is no problem of the configuration's, else 0 */
};

/* Notes a problem of `setting`, or where `key` is given, of its member `key` (absent or not). */
void loader_problem(struct loader *loader, const config_setting_t *setting, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void loader_problem_at(struct loader *loader, const struct source *source, unsigned line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Notes what the check called `check` found, with the text, which it empties. */
void loader_finding(struct loader *loader, const char *check, const config_setting_t *setting, const char *key,
                    struct text *text);
const struct source *setting_source(const config_setting_t *setting);

/* Copies that set `error` and give NULL when memory is out. */
char *loader_strdup(struct loader *loader, const char *text);
char *loader_printf(struct loader *loader, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Room for one more of `n` items of `size` bytes, zeroed: the new array, or NULL (then the old one stands). */
void *loader_grow(struct loader *loader, void *items, size_t n, size_t size);

/* Reads a whole file with `max` bytes at most. 0 or negative errno; *ret has a NUL after its end. */
int file_read(const char *path, size_t max, char **ret, size_t *ret_len) __attribute__((warn_unused_result));

/* A path in the file that `setting` stands in, from the main file's folder. NULL when memory is out. */
char *loader_path(struct loader *loader, const config_setting_t *setting, const char *path);
/* The same, so that it can be opened. */
char *loader_open_path(struct loader *loader, const char *name);

/* The feed that `setting` names, read when it is new; NULL after a problem. */
const struct source *loader_feed(struct loader *loader, const config_setting_t *setting);

/* Offers words one by one and keeps the one nearest to `given`. */
struct suggestion {
	const char *given;
	const char *best;
	size_t distance;
};

void suggestion_offer(struct suggestion *suggestion, const char *word);
/* `, did you mean "support"?` or "". */
const char *suggestion_text(const struct suggestion *suggestion, char text[static 128]);

/* Checks a group's keys and their types against the table, and all that is below it. */
void loader_check_group(struct loader *loader, const config_setting_t *group, enum config_scope scope);

/* A member of that type by the table, else NULL: a wrong type was reported by loader_check_group(). */
config_setting_t *setting_member(const config_setting_t *group, const char *key);
const char *setting_string(const config_setting_t *group, const char *key);

/* TYPE_STRINGS: how many, and the i-th, whether it is one string or several; what is no string is skipped by callers as
 * its text is NULL. */
int strings_count(const config_setting_t *setting);
config_setting_t *strings_at(config_setting_t *setting, int i);

/* All texts of a TYPE_STRINGS or TYPE_TEXT_VALUES setting, and a NULL behind them. */
char **loader_texts(struct loader *loader, config_setting_t *setting, size_t *ret_n);

/* The text of a string, an integer or a boolean; NULL for others. */
char *loader_value_text(struct loader *loader, const config_setting_t *setting);

/* A string that must be there and not be empty: else a problem and NULL. */
const char *loader_required(struct loader *loader, const config_setting_t *group, const char *key);

/* The index of the setting's word, or -1 after a problem that says what is allowed. */
int loader_word(struct loader *loader, const config_setting_t *setting, const char *const *words, int n);

/* A member's duration in elapsed time; `initial` when absent. False after a problem. */
bool loader_duration(struct loader *loader, const config_setting_t *group, const char *key, const char *initial,
                     struct duration *ret);
bool loader_int(struct loader *loader, const config_setting_t *group, const char *key, long long min, long long max,
                long long *ret);

/* A program and its arguments, the program's path made one that can be run; ends with NULL. */
char **loader_command(struct loader *loader, config_setting_t *setting);

/* A member's URL with the scheme `scheme` or that and an "s"; NULL after a problem, or when it is absent. */
char *loader_url(struct loader *loader, const config_setting_t *group, const char *key, const char *scheme);

/* A group's conninfo, without a password in it; NULL after a problem, or when it is absent. */
char *loader_conninfo(struct loader *loader, const config_setting_t *group);

/* Adds a name, or reports both places where it is taken. */
bool names_add(struct loader *loader, struct names *names, config_setting_t *setting, const char *key, const char *name,
               const char *what);
config_setting_t *names_find(const struct names *names, const char *name);

/* Calls `each` for every member of a top-level group or list in all files. */
void loader_each(struct loader *loader, const char *key, void (*each)(struct loader *, config_setting_t *));

/* The parts, in the order in which they must run. */
void loader_severities(struct loader *loader);
void loader_calendars(struct loader *loader);
void loader_service(struct loader *loader);
void loader_channels(struct loader *loader);
void loader_ladders(struct loader *loader);
void loader_policies(struct loader *loader);
void loader_rules(struct loader *loader);
/* Of a configuration without problems: fills in loader->lint. */
void loader_lint(struct loader *loader);
void loader_adapters(struct loader *loader);
/* Frees what that made. */
void adapters_clear(struct config *config);

/* Notes the version of the system's time zones. */
void loader_tzdata(struct loader *loader);

/* What they share of the model. */
int loader_zone(struct loader *loader, const char *name, const struct zone **ret);
struct calendar *loader_calendar(struct loader *loader, const config_setting_t *group, const char *key);
const struct ladder *loader_ladder(struct loader *loader, const config_setting_t *group);
int loader_severity(struct loader *loader, const config_setting_t *setting, const char *name);
void loader_match(struct loader *loader, const config_setting_t *group, struct match *match);
/* Reads "75%" or "30m"; false after a problem. */
bool loader_level(struct loader *loader, const config_setting_t *setting, struct level *level);

#endif
