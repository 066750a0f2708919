/* slatectl replay: sends again what was given up. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "command.h"
#include "slated/pg_array.h"

static const char usage[] =
    "usage: slatectl replay [--force] KEY ...\n"
    "       slatectl replay --channel NAME --since TIME [--state dead]\n"
    "       each with [--config FILE] [--conninfo STRING]\n"
    "\n"
    "Puts deliveries that were given up back among those to be sent, as if they were new but with their own keys, so\n"
    "that a receiver can tell a repetition. slatectl deliveries --state dead shows them.\n"
    "  --channel NAME  those of a channel\n"
    "  --since TIME    that were given up since an instant, or within so long, as in 2h\n"
    "  --force         a KEY may be that of one that was delivered\n";

struct replay {
	struct change_options options;
	const char *channel;
	const char *since;
	bool force;
	char **keys;
	int n_keys;
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
	for (int i = 0; i < replay->n_keys; i++) {
		const char *const values[] = {replay->keys[i]};
		PGresult *rows = db_query(&replay->db, "the deliveries", state_sql, 1, values);
		if (rows == NULL)
			return -EIO;
		const char *state = PQntuples(rows) > 0 ? result_text(rows, 0, 0) : NULL;
		if (state == NULL) {
			fprintf(stderr, "slatectl: there is no delivery \"%s\"\n", replay->keys[i]);
			r = -ENOENT;
		} else if (strcmp(state, "delivered") == 0 && !replay->force) {
			fprintf(stderr, "slatectl: delivery %s was delivered: --force sends it again\n",
			        replay->keys[i]);
			r = -EINVAL;
		} else if (strcmp(state, "dead") != 0 && strcmp(state, "delivered") != 0) {
			fprintf(stderr, "slatectl: delivery %s is %s: there is nothing to send again\n",
			        replay->keys[i], state);
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
run_replay(struct replay *replay)
{
	struct text keys = {0};
	if (change_open(&replay->options, "sla_daemon", &replay->db) < 0)
		return EXIT_PROBLEM;
	int r = replay->n_keys > 0 ? check_keys(replay) : find_keys(replay, &keys);
	for (int i = 0; i < replay->n_keys; i++)
		pg_array_add(&keys, replay->keys[i]);
	if (r == 0 && keys.len == 0)
		puts("0 deliveries to be sent again");
	else if (r == 0)
		r = send_again(replay, &keys);
	free(keys.data);
	db_close(&replay->db);
	return r < 0 ? EXIT_PROBLEM : 0;
}

int
command_replay(int argc, char **argv)
{
	static const struct option known[] = {
	    {"channel", required_argument, NULL, 'c'},
	    {"since", required_argument, NULL, 's'},
	    {"state", required_argument, NULL, 't'},
	    {"force", no_argument, NULL, 'f'},
	    CHANGE_OPTIONS,
	    {0},
	};
	struct replay replay = {0};
	struct instant since;
	bool wrong = false;
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'H':
			fputs(usage, stdout);
			return 0;
		case 'c':
			replay.channel = optarg;
			break;
		case 's':
			replay.since = optarg;
			if (!command_since("--since", optarg, command_now(), &since))
				return EXIT_USAGE;
			break;
		case 't':
			wrong |= strcmp(optarg, "dead") != 0;
			break;
		case 'f':
			replay.force = true;
			break;
		default:
			wrong |= option == 'B' || !change_option(&replay.options, option);
		}
	}
	replay.keys = argv + optind;
	replay.n_keys = argc - optind;
	wrong |= (replay.channel != NULL) != (replay.since != NULL);
	wrong |= (replay.n_keys > 0) == (replay.channel != NULL) || (replay.force && replay.n_keys == 0);
	if (wrong) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return run_replay(&replay);
}
