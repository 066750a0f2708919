/* The configuration: one libconfig file and what stands in conf.d/ beside it, checked whole, all problems at once.
 * configuration.md gives its shape; the table of all settings is in config_table.h. */
#ifndef SLATED_CONFIG_H
#define SLATED_CONFIG_H

#include <stdio.h>

#include "slated/channel_settings.h"

struct policy_set;

struct config_problem {
	char *file;
	unsigned line; /* 0: the file as a whole */
	char *setting; /* "policies[2].targets[0].within", or "" */
	char *message;
	size_t source;     /* for the order: files as they are read */
	const char *check; /* a finding of the linter (lint.h): which one found it; else NULL */
	char *witness;     /* there: an example ticket as a JSON object, or NULL */
};

/* Starts as all zeroes. */
struct config_problems {
	struct config_problem *items;
	size_t n;
};

/* Writes one line a problem: "FILE:LINE: SETTING: MESSAGE", a finding with its check behind it in brackets. */
void config_problems_print(const struct config_problems *problems, FILE *out);

/* Frees what the list holds and makes it empty. */
void config_problems_clear(struct config_problems *problems);

/* The roles that a ladder may notify, resolved when a step fires. */
enum role {
	ROLE_ASSIGNEE,
	ROLE_TEAM,
	ROLE_DEDICATED_ENGINEER,
	ROLE_FOLLOWERS,
	ROLE_COUNT,
};

extern const char *const role_names[ROLE_COUNT];

/* The ticket systems that can be attached. */
enum adapter_kind {
	ADAPTER_GENERIC,
	ADAPTER_REQUEST_TRACKER,
	ADAPTER_REDMINE,
	ADAPTER_ZAMMAD,
	ADAPTER_CHATWOOT,
	ADAPTER_KIND_COUNT,
};

extern const char *const adapter_kind_names[ADAPTER_KIND_COUNT];

/* A setting of an adapter as the file has it. */
struct adapter_value {
	const char *key;
	char **texts;
	size_t n;
};

struct adapter_settings {
	char *name;
	enum adapter_kind kind;
	char *conninfo; /* of the product's database; NULL: the same as slated's */
	char *password; /* or NULL */
	struct duration settle;
	struct duration sweep;
	struct adapter_value *values; /* all of them */
	size_t n_values;
};

/* What a query may take at most; and by default. */
#define DATABASE_TIMEOUT_MAX ((struct duration){30 * US_PER_S})

struct config {
	struct policy_set *policies;
	char *conninfo; /* NULL when not given; without the password */
	char *password; /* or NULL */
	struct duration database_timeout;
	char *instance;
	bool migrate;  /* a reload takes running clocks along */
	char **listen; /* "address:port" or "unix:/path" */
	size_t n_listen;
	char *token; /* or NULL */
	unsigned concurrency;
	char *heartbeat_url; /* or NULL */
	struct duration heartbeat_every;
	char *ticket_link;                 /* a URL with "%{external_id}" and the like in it, or NULL */
	struct channel_settings *channels; /* without their secrets with CONFIG_NO_SECRETS */
	size_t n_channels;
	struct adapter_settings *adapters;
	size_t n_adapters;
	/* All that was read, feeds too, each file after a line with its kind, size and name. config_load_text() reads
	 * it again. Holds no secret. */
	char *source;
	char digest[65]; /* SHA-256 of `source`, in hex */
	char tzdata[16]; /* the version of the time zones that were read, such as "2026f"; "" where they do not say */
};

/* Leave credentials and secret files alone. */
#define CONFIG_NO_SECRETS 1U
/* With that: but the database's password. */
#define CONFIG_DATABASE_SECRET 2U

/* Reads `path` and every *.conf of conf.d/ beside it. `now` is the instant after whose two years a calendar must be
 * open. 0; -EINVAL where there were problems, which are added to the list in the order of files and lines; -ENOMEM. */
int config_load(const char *path, struct instant now, unsigned flags, struct config_problems *problems,
                struct config **ret) __attribute__((warn_unused_result));

/* Reads what a former config_load() kept in `source`, without secrets; opens nothing but time zones. */
int config_load_text(const char *source, size_t len, struct instant now, struct config_problems *problems,
                     struct config **ret) __attribute__((warn_unused_result));

/* One holiday feed that was read. */
struct config_feed {
	const char *name; /* the file from the main file's folder, not NUL-terminated */
	size_t name_len;
	const char *text;
	size_t len;
};

/* The i-th feed; texts belong to the configuration. False past the last. */
bool config_feed(const struct config *config, size_t i, struct config_feed *ret);

/* A new `source` with `text` in the place of the feed's, for config_load_text(); the caller frees it. 0 or -ENOMEM. */
int config_replace_feed(const struct config *config, const struct config_feed *feed, const char *text, size_t len,
                        char **ret, size_t *ret_len) __attribute__((warn_unused_result));

/* Takes NULL. */
void config_free(struct config *config);

/* The channel of that name, or NULL. */
const struct channel_settings *config_channel(const struct config *config, const char *name);

/* The adapter's setting of that name, or NULL where the file has none. */
const struct adapter_value *adapter_value(const struct adapter_settings *adapter, const char *key);

#endif
