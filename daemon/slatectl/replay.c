/* slatectl replay: sends again what was given up. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "command.h"
#include "slated/pg_array.h"

struct replay {
	struct change_options options;
	const char *channel;
	const char *since;
	const char *state; /* "dead", which says nothing new */
	bool force;
	struct command_list keys;
	struct db db;
};

static const char find_sql[] =
    "SELECT key FROM sla.delivery_log WHERE state = 'dead' AND kind <> 'test' AND channel = $1 "
    "AND finished_at >= to_timestamp(0) + $2::bigint * interval '1 microsecond'";

/* What a receiver is told may be news of yesterday; and nothing closes what it opens then. */
static const char send_sql[] =
    "WITH r AS MATERIALIZED (SELECT key FROM sla.replay($1::text[], $2::boolean) AS key) "
    "SELECT count(*), count(*) FILTER (WHERE c.ended_at IS NOT NULL) FROM r "
    "LEFT JOIN sla.delivery_log l ON l.key = r.key AND l.kind = 'escalated' "
    "LEFT JOIN sla.clock c ON (c.ticket_id, c.metric, c.cycle) = (l.ticket_id, l.metric, l.cycle)";

static const char state_sql[] =
    "SELECT state FROM sla.delivery_log WHERE key = $1 UNION ALL SELECT 'pending' FROM sla.delivery WHERE key = $1";

/* Every key must be one that can be sent again, or nothing is. */
static int
check_keys(const struct replay *replay)
{
	int r = 0;
	for (size_t i = 0; i < replay->keys.n; i++) {
		const char *const values[] = {replay->keys.items[i]};
		PGresult *rows = db_query(&replay->db, "the deliveries", state_sql, 1, values);
		if (rows == NULL)
			return -EIO;
		const char *state = PQntuples(rows) > 0 ? result_text(rows, 0, 0) : NULL;
		if (state == NULL) {
			fprintf(stderr, "slatectl: there is no delivery \"%s\"\n", replay->keys.items[i]);
			r = -ENOENT;
		} else if (strcmp(state, "delivered") == 0 && !replay->force) {
			fprintf(stderr, "slatectl: delivery %s was delivered: --force sends it again\n",
			        replay->keys.items[i]);
			r = -EINVAL;
		} else if (strcmp(state, "dead") != 0 && strcmp(state, "delivered") != 0) {
			fprintf(stderr, "slatectl: delivery %s is %s: there is nothing to send again\n",
			        replay->keys.items[i], state);
			r = -EINVAL;
		}
		PQclear(rows);
	}
	return r;
}

static int
find_keys(const struct replay *replay, struct text *keys)
{
	struct instant since;
	char us[24];
	if (!command_since("--since", replay->since, replay->db.now, &since))
		return -EINVAL;
	(void)snprintf(us, sizeof(us), "%" PRId64, since.us);
	const char *const values[] = {replay->channel, us};
	PGresult *rows = db_query(&replay->db, "the deliveries", find_sql, 2, values);
	if (rows == NULL)
		return -EIO;
	for (int row = 0; row < PQntuples(rows); row++)
		pg_array_add(keys, result_text(rows, row, 0));
	PQclear(rows);
	return 0;
}

static int
send_again(const struct replay *replay, struct text *keys)
{
	pg_array_end(keys);
	if (keys->failed) {
		fputs("slatectl: out of memory\n", stderr);
		return -ENOMEM;
	}
	const char *const values[] = {keys->data, replay->force ? "true" : "false"};
	PGresult *rows = db_query(&replay->db, "sending again", send_sql, 2, values);
	if (rows == NULL)
		return -EIO;
	int64_t n = result_number(rows, 0, 0), ended = result_number(rows, 0, 1);
	printf("%" PRId64 " deliver%s to be sent again\n", n, n == 1 ? "y" : "ies");
	if (ended > 0)
		printf("%" PRId64 " of them about a clock that has ended: what they open there stays open\n", ended);
	PQclear(rows);
	return 0;
}

static int
run_replay(void *options)
{
	struct replay *replay = options;
	struct text keys = {0};
	if (change_open(&replay->options, "sla_daemon", &replay->db) < 0)
		return EXIT_PROBLEM;
	int r = replay->keys.n > 0 ? check_keys(replay) : find_keys(replay, &keys);
	for (size_t i = 0; i < replay->keys.n; i++)
		pg_array_add(&keys, replay->keys.items[i]);
	if (r == 0 && keys.len == 0)
		puts("0 deliveries to be sent again");
	else if (r == 0)
		r = send_again(replay, &keys);
	free(keys.data);
	db_close(&replay->db);
	return r < 0 ? EXIT_PROBLEM : 0;
}

/* The ways to call it. */
enum { BY_KEY = FORM_FIRST, BY_CHANNEL = FORM_SECOND };

static const char *const states[] = {"dead"};

static const struct command_row rows[] = {
    {"force", NULL, "a KEY may be that of one that was delivered", VALUE_FLAG, offsetof(struct replay, force),
     .forms = BY_KEY},
    {"channel", "NAME", "those of a channel", VALUE_TEXT, offsetof(struct replay, channel), .forms = BY_CHANNEL,
     .needed = true},
    {"since", "TIME", "that were given up since an instant, or within so long, as in 2h", VALUE_SINCE,
     offsetof(struct replay, since), .forms = BY_CHANNEL, .needed = true},
    {"state", "STATE", "dead, which it is without this, too", VALUE_CHOICE, offsetof(struct replay, state), states, 1,
     .forms = BY_CHANNEL},
    CHANGE_CONFIG(offsetof(struct replay, options)),
    CHANGE_CONNINFO(offsetof(struct replay, options)),
    {NULL, "KEY", NULL, VALUE_LIST, offsetof(struct replay, keys), .forms = BY_KEY, .needed = true},
    {0},
};

const struct command command_replay = {
    .name = "replay",
    .help = "send again what was given up",
    .about =
        "Puts deliveries that were given up back among those to be sent, as if they were new but with their own keys, "
        "so\n"
        "that a receiver can tell a repetition. slatectl deliveries --state dead shows them.\n",
    .rows = rows,
    .size = sizeof(struct replay),
    .run = run_replay,
};
