/* Configurations, right and wrong ones, while memory runs out: the load ends in -ENOMEM and leaves nothing behind, or
 * it ends as it does with memory, problems and all; and with memory it succeeds again. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oom.h"
#include "slated/config.h"
#include "slated/render.h"

#define LONG_SOURCE 16384

static const struct instant now = {INT64_C(1772798400000000)}; /* 2026-03-06T12:00:00Z */

/* libconfig 1.5 itself loses the string that a syntax error interrupts. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

/* One load, as the daemon sees it. */
struct outcome {
	int r;
	struct config *config;
	struct config_problems problems;
};

static void
load(const char *path, const char *stored, struct outcome *ret)
{
	*ret = (struct outcome){0};
	ret->r = stored == NULL ? config_load(path, now, 0, &ret->problems, &ret->config)
	                        : config_load_text(stored, strlen(stored), now, &ret->problems, &ret->config);
}

static void
outcome_clear(struct outcome *outcome)
{
	config_free(outcome->config);
	config_problems_clear(&outcome->problems);
}

static bool
problem_equal(const struct config_problem *a, const struct config_problem *b)
{
	return strcmp(a->file, b->file) == 0 && a->line == b->line && strcmp(a->setting, b->setting) == 0 &&
	       strcmp(a->message, b->message) == 0;
}

static bool
outcome_equal(const struct outcome *a, const struct outcome *b)
{
	if (a->r != b->r || a->problems.n != b->problems.n)
		return false;
	for (size_t i = 0; i < a->problems.n; i++)
		if (!problem_equal(&a->problems.items[i], &b->problems.items[i]))
			return false;
	return a->r < 0 || strcmp(a->config->digest, b->config->digest) == 0;
}

/* Every allocation in turn. Returns how many there are. */
static long
try_each(const char *path, const char *stored, const struct outcome *right, enum oom_mode mode)
{
	size_t blocks = oom_blocks();
	for (long n = 1;; n++) {
		struct outcome failed, again;
		oom_begin(n, mode);
		load(path, stored, &failed);
		bool hit = oom_end();
		oom_demand((failed.config != NULL) == (failed.r == 0), path, n);
		oom_demand(outcome_equal(&failed, right) || (hit && failed.r == -ENOMEM), path, n);
		outcome_clear(&failed);
		oom_demand(oom_blocks() == blocks, path, n);
		if (!hit)
			return n - 1;
		if (mode != OOM_ONCE)
			continue;
		load(path, stored, &again);
		oom_demand(outcome_equal(&again, right), path, n);
		outcome_clear(&again);
	}
}

static int n_right; /* configurations without a problem */

static long
try_file(const char *path)
{
	struct outcome right;
	long n = 0;
	load(path, NULL, &right);
	oom_demand(right.r == 0 || right.r == -EINVAL, path, 0);
	n_right += right.r == 0;
	/* A feed's many events are alike: good/feed.conf has one of each. */
	bool long_feed = right.r == 0 && strlen(right.config->source) > LONG_SOURCE;
	/* With a single problem the second mode brings nothing that the first has not. */
	for (enum oom_mode mode = 0; mode < OOM_MODES && (mode == OOM_ONCE || (right.problems.n != 1 && !long_feed));
	     mode++) {
		n += try_each(path, NULL, &right, mode);
		if (right.r == 0 && !long_feed)
			n += try_each(path, right.config->source, &right, mode);
	}
	outcome_clear(&right);
	return n;
}

static int
is_conf(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);
	return len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

static void
try_folder(const char *srcdir, const char *name)
{
	struct dirent **entries;
	struct text path = {0};
	long allocations = 0;
	text_add_format(&path, "%s/%s", srcdir, name);
	int n = scandir(path.data, &entries, is_conf, alphasort);
	oom_demand(n > 0, path.data, 0);
	for (int i = 0; i < n; i++) {
		path.len = 0;
		text_add_format(&path, "%s/%s/%s", srcdir, name, entries[i]->d_name);
		allocations += try_file(path.data);
		free(entries[i]);
	}
	(void)printf("%s: %d files, %ld failures\n", name, n, allocations);
	oom_demand(allocations > 10 * n, name, 0);
	free(entries);
	free(path.data);
}

/* What the configurations name, for any of their purposes. */
static const struct {
	const char *name;
	const char *text;
} credentials[] = {
    {"database-password", "secret"},
    {"heartbeat-url", "https://127.0.0.1/beat"},
    {"http-token", "secret"},
    {"ops-webhook", "whsec_MDEyMzQ1Njc4OWFiY2RlZg==\nold secret\n"},
    {"pagerduty", "key"},
    {"slack-url", "https://127.0.0.1/hook"},
    {"webhook-secret", "secret"},
};
enum { CREDENTIALS = sizeof(credentials) / sizeof(credentials[0]) };

static void
credentials_write(const char *folder)
{
	for (size_t i = 0; i < CREDENTIALS; i++) {
		char path[200];
		(void)snprintf(path, sizeof(path), "%s/%s", folder, credentials[i].name);
		FILE *file = fopen(path, "w");
		oom_demand(file != NULL && fputs(credentials[i].text, file) >= 0 && fclose(file) == 0, path, 0);
	}
}

static void
credentials_remove(const char *folder)
{
	for (size_t i = 0; i < CREDENTIALS; i++) {
		char path[200];
		(void)snprintf(path, sizeof(path), "%s/%s", folder, credentials[i].name);
		(void)unlink(path);
	}
	(void)rmdir(folder);
}

int
main(void)
{
	static const char *const folders[] = {"conf", "conf/policies", "tests/config/good", "tests/config/broken"};
	const char *srcdir = getenv("srcdir");
	char folder[] = "/tmp/slated-oom.XXXXXX";
	oom_demand(mkdtemp(folder) != NULL && setenv("CREDENTIALS_DIRECTORY", folder, 1) == 0, folder, 0);
	credentials_write(folder);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		try_folder(srcdir != NULL ? srcdir : ".", folders[i]);
	credentials_remove(folder);
	/* Without libical the one with a feed has a problem. */
	oom_demand(n_right >= 7, "right configurations", 0);
	return 0;
}
