/* slatectl test: has the running daemon send a test message, and waits for what becomes of it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "change.h"
#include "command.h"
#include "slated/config.h"
#include "slated/jsonw.h"
#include "view.h"

/* Nobody tells of outcomes. */
#define LOOK_EVERY_MS 100

struct test {
	struct change_options options;
	const char *channel;
	struct duration timeout;
	struct db db;
	struct instant begin; /* by the monotonic clock */
	char key[64];
};

static struct instant
monotonic(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (struct instant){now.tv_sec * US_PER_S + now.tv_nsec / 1000};
}

/* A daemon writes its row every few seconds. */
static int
check_daemon(const struct test *test)
{
	PGresult *rows = db_query(&test->db, "the daemons",
	                          "SELECT count(*) FROM sla.instance WHERE stopped_at IS NULL AND seen_at > "
	                          "clock_timestamp() - interval '15 seconds'",
	                          0, NULL);
	if (rows == NULL)
		return -EIO;
	bool alive = result_number(rows, 0, 0) > 0;
	PQclear(rows);
	if (!alive)
		fputs("slatectl: no daemon runs on this database, so nothing is sent: slatectl status says more\n",
		      stderr);
	return alive ? 0 : -ESRCH;
}

static int
check_channel(const struct test *test)
{
	struct config *config;
	int r = change_configuration(&test->options, &test->db, &config);
	if (r < 0)
		return r;
	if (config_channel(config, test->channel) == NULL) {
		fprintf(stderr, "slatectl: the configuration has no channel \"%s\"", test->channel);
		for (size_t i = 0; i < config->n_channels; i++)
			fprintf(stderr, "%s %s", i == 0 ? "; it has" : ",", config->channels[i].name);
		fputs("\n", stderr);
		r = -ENOENT;
	}
	config_free(config);
	return r;
}

static int
insert(struct test *test)
{
	struct jsonw by = {0};
	jsonw_open(&by, NULL, '{');
	jsonw_text(&by, "by", change_by(&test->options));
	jsonw_close(&by, '}');
	if (by.text.failed) {
		fputs("slatectl: out of memory\n", stderr);
		return -ENOMEM;
	}
	const char *const values[] = {test->channel, by.text.data};
	PGresult *rows = db_query(&test->db, "making a test",
	                          "INSERT INTO sla.delivery (key, kind, channel, payload) VALUES ('sla-test-' || "
	                          "left(replace(gen_random_uuid()::text, '-', ''), 24), 'test', $1, "
	                          "jsonb_build_object('test', $2::jsonb)) RETURNING key",
	                          2, values);
	jsonw_clear(&by);
	if (rows == NULL)
		return -EIO;
	(void)snprintf(test->key, sizeof(test->key), "%s", result_text(rows, 0, 0));
	PQclear(rows);
	return 0;
}

/* Prints how it ended. 0 where it was delivered. */
static int
tell_outcome(const struct test *test, const PGresult *log)
{
	const char *state = result_text(log, 0, 0), *outcome = result_text(log, 0, 1);
	double took = (double)instant_since(monotonic(), test->begin).us / (double)US_PER_S;
	if (outcome == NULL || strcmp(outcome, state) == 0)
		outcome = "";
	const char *colon = *outcome != '\0' ? ": " : "";
	if (strcmp(state, "delivered") == 0) {
		change_say("%s: delivered in %.1f s%s%s", test->channel, took, colon, outcome);
		return 0;
	}
	change_say("%s: %s after %.1f s and %s attempt%s%s%s", test->channel,
	           strcmp(state, "dead") == 0 ? "given up" : state, took, result_text(log, 0, 2),
	           result_number(log, 0, 2) == 1 ? "" : "s", colon, outcome);
	return -EREMOTEIO;
}

/* What a daemon holds goes on; what none has taken goes away. */
static const char take_back_sql[] =
    "WITH gone AS (DELETE FROM sla.delivery d WHERE key = $1 AND NOT EXISTS (SELECT FROM sla.lease l "
    "  WHERE l.owner = d.claimed_by AND l.expires_at > clock_timestamp()) RETURNING key) "
    "SELECT EXISTS (SELECT FROM gone), d.claimed_by, d.attempts, d.last_error FROM sla.delivery d WHERE key = $1";

static void
tell_waiting(const struct test *test, const PGresult *rows)
{
	const char *error = result_text(rows, 0, 3);
	struct text rest = {0};
	if (result_number(rows, 0, 2) > 0)
		text_add_format(&rest, ", %s attempt%s so far", result_text(rows, 0, 2),
		                result_number(rows, 0, 2) == 1 ? "" : "s");
	if (error != NULL)
		text_add_format(&rest, ": %s", error);
	if (result_bool(rows, 0, 0))
		text_add_format(&rest, "; it is taken back");
	else
		text_add_format(&rest, "; daemon %s goes on trying: slatectl deliveries shows %s",
		                result_text(rows, 0, 1), test->key);
	change_say("%s: not delivered within %.0f s%s", test->channel, (double)test->timeout.us / (double)US_PER_S,
	           rest.failed ? "" : rest.data);
	free(rest.data);
}

/* -EAGAIN where it has ended meanwhile. */
static int
take_back(const struct test *test)
{
	const char *const values[] = {test->key};
	PGresult *rows = db_query(&test->db, "taking the test back", take_back_sql, 1, values);
	if (rows == NULL)
		return -EIO;
	int r = PQntuples(rows) == 0 ? -EAGAIN : -ETIMEDOUT;
	if (r == -ETIMEDOUT)
		tell_waiting(test, rows);
	PQclear(rows);
	return r;
}

/* 1 where it has not ended. */
static int
look(const struct test *test)
{
	const char *const values[] = {test->key};
	PGresult *log = db_query(&test->db, "the test's outcome",
	                         "SELECT state, outcome, attempts FROM sla.delivery_log WHERE key = $1", 1, values);
	if (log == NULL)
		return -EIO;
	int r = PQntuples(log) > 0 ? tell_outcome(test, log) : 1;
	PQclear(log);
	return r;
}

/* It may end while it is taken back. */
static int
wait_for_outcome(const struct test *test)
{
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
	int r = look(test);
	while (r == 1 && instant_since(monotonic(), test->begin).us < test->timeout.us) {
		(void)nanosleep(&pause, NULL);
		r = look(test);
	}
	if (r == 1)
		r = take_back(test);
	return r == -EAGAIN ? look(test) : r;
}

static int
run_test(void *options)
{
	struct test *test = options;
	if (change_open(&test->options, "sla_daemon", &test->db) < 0)
		return EXIT_PROBLEM;
	int r = check_daemon(test);
	if (r == 0)
		r = check_channel(test);
	test->begin = monotonic();
	if (r == 0)
		r = insert(test);
	if (r == 0)
		r = wait_for_outcome(test);
	db_close(&test->db);
	return r == 0 ? 0 : EXIT_PROBLEM;
}

static const struct command_row rows[] = {
    {"timeout", "TIME", "waits so long, 30s where it is left out; then the message is taken back", VALUE_DURATION,
     offsetof(struct test, timeout)},
    CHANGE_BY(offsetof(struct test, options), "named in the message; you, where it is left out"),
    CHANGE_CONFIG(offsetof(struct test, options)),
    CHANGE_CONNINFO(offsetof(struct test, options)),
    {NULL, "CHANNEL", NULL, VALUE_TEXT, offsetof(struct test, channel), .needed = true},
    {0},
};

static const struct test initial = {.timeout = {30 * US_PER_S}};

const struct command command_test = {
    .name = "test",
    .help = "have the daemon send a test message",
    .about = "Has the running daemon send a message that is marked as a test, and says what became of it.\n",
    .more = "Exit status: 0 where it was delivered, 1 where it was not, 2 for a wrong call.\n",
    .rows = rows,
    .size = sizeof(struct test),
    .initial = &initial,
    .run = run_test,
};
