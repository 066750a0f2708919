/* slatectl silence: alerts that nobody is told of for a while. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "command.h"
#include "slated/jsonw.h"
#include "slated/silence.h"
#include "table.h"

static const char usage[] =
    "usage: slatectl silence --match KEY=PATTERN [--match ...] --for TIME --reason TEXT [--by NAME]\n"
    "       slatectl silence --list [--all] [--json] [--color WHEN]\n"
    "       slatectl silence --end NUMBER\n"
    "       each with [--config FILE] [--conninfo STRING]\n"
    "\n"
    "Keeps alerts back: their milestones are recorded, but nobody is told, unless a step says always = true.\n"
    "  --match KEY=PATTERN  a fact of the ticket, severity, metric, policy or attributes.KEY; all given must hold;\n"
    "                       \"*\" and \"?\" stand for any text and any one character\n"
    "  --for TIME           ends by itself after so long, as in 30m or 2h\n"
    "  --reason TEXT        why\n"
    "  --by NAME            who; you, where it is left out\n"
    "  --list               lists the silences in force, with --all those that have ended too\n"
    "  --end NUMBER         ends one at once\n";

struct silence {
	struct change_options options;
	struct jsonw match;
	const char **seen; /* the keys of `match`, which own nothing */
	size_t n_seen;
	struct duration length;
	const char *reason;
	const char *end;
	enum view_color color;
	bool list;
	bool all;
	bool json;
	struct db db;
};

/* Making ----------------------------------------------------------------------------------------------------------- */

static bool
key_is_known(const char *key)
{
	if (silence_key_is_known(key))
		return true;
	fprintf(stderr, "slatectl: --match: there is no \"%s\" to match; there are", key);
	for (size_t i = 0; silence_keys[i] != NULL; i++)
		fprintf(stderr, " %s,", silence_keys[i]);
	fputs(" attributes.KEY\n", stderr);
	return false;
}

/* Takes one --match and cuts it in two. */
static bool
add_match(struct silence *silence, char *argument)
{
	char *equals = strchr(argument, '=');
	if (equals == NULL || equals == argument || equals[1] == '\0') {
		fprintf(stderr, "slatectl: --match \"%s\": KEY=PATTERN, as in plan=gold*\n", argument);
		return false;
	}
	*equals = '\0';
	if (!key_is_known(argument))
		return false;
	for (size_t i = 0; i < silence->n_seen; i++)
		if (strcmp(silence->seen[i], argument) == 0) {
			fprintf(stderr, "slatectl: --match: \"%s\" is given twice\n", argument);
			return false;
		}
	const char **seen = realloc(silence->seen, (silence->n_seen + 1) * sizeof(*seen));
	if (seen == NULL) {
		perror("slatectl");
		return false;
	}
	silence->seen = seen;
	if (silence->n_seen == 0)
		jsonw_open(&silence->match, NULL, '{');
	silence->seen[silence->n_seen++] = argument;
	jsonw_text(&silence->match, argument, equals + 1);
	return true;
}

/* An alert is one of a clock, or of none; a ticket is held back where one of them would be. */
static const char held_sql[] = "SELECT count(DISTINCT t.id) FROM sla.silence s, sla.ticket t "
                               "LEFT JOIN sla.clock c ON c.ticket_id = t.id AND c.ended_at IS NULL "
                               "WHERE s.id = $1 AND t.status NOT IN ('solved', 'closed') "
                               "  AND sla.silence_fits(s.match, t, c.severity, c.metric, c.policy)";

static void
tell_made(const struct silence *silence, const PGresult *made, const PGresult *held)
{
	char until[VIEW_TEXT_SIZE];
	struct view view;
	int64_t n = result_number(held, 0, 0);
	view_init(&view, VIEW_COLOR_NEVER, silence->db.now);
	view_short_instant(&view, result_instant(made, 0, 1), until);
	printf("silence %s until %s: holds back %" PRId64 " open ticket%s now\n", result_text(made, 0, 0), until, n,
	       n == 1 ? "" : "s");
}

static int
make(struct silence *silence)
{
	char length[24];
	(void)snprintf(length, sizeof(length), "%" PRId64, silence->length.us);
	jsonw_close(&silence->match, '}');
	if (silence->match.text.failed) {
		fputs("slatectl: out of memory\n", stderr);
		return -ENOMEM;
	}
	const char *const values[] = {silence->match.text.data, silence->reason, change_by(&silence->options), length};
	PGresult *held = NULL;
	PGresult *made = db_query(
	    &silence->db, "silencing",
	    "INSERT INTO sla.silence (match, reason, by, created_at, until) SELECT $1::jsonb, $2, $3, n, "
	    "n + $4::bigint * interval '1 microsecond' FROM clock_timestamp() AS n RETURNING id, " RESULT_US("until"),
	    4, values);
	if (made != NULL) {
		const char *const id[] = {result_text(made, 0, 0)};
		held = db_query(&silence->db, "the tickets it holds back", held_sql, 1, id);
	}
	if (held != NULL)
		tell_made(silence, made, held);
	int r = held == NULL ? -EIO : 0;
	PQclear(held);
	PQclear(made);
	return r;
}

static int
end(const struct silence *silence)
{
	const char *const values[] = {silence->end};
	PGresult *rows =
	    db_query(&silence->db, "ending a silence",
	             "UPDATE sla.silence SET ended_at = clock_timestamp() WHERE id = $1::bigint AND ended_at IS NULL "
	             "AND until > clock_timestamp() RETURNING id",
	             1, values);
	if (rows == NULL)
		return -EIO;
	int r = PQntuples(rows) == 1 ? 0 : -ENOENT;
	PQclear(rows);
	if (r == 0)
		printf("silence %s ended\n", silence->end);
	else
		fprintf(stderr, "slatectl: no silence %s is in force; slatectl silence --list --all shows them\n",
		        silence->end);
	return r;
}

/* Listing ---------------------------------------------------------------------------------------------------------- */

enum {
	S_ID,
	S_MATCH,
	S_REASON,
	S_BY,
	S_CREATED,
	S_UNTIL,
	S_ENDED,
	S_STATE,
	S_WORDS,
};

static const char list_sql[] =
    "SELECT id, match::text, reason, by, " RESULT_US("created_at") ", " RESULT_US("until") ", " RESULT_US(
        "ended_at") ", state, (SELECT string_agg(key || '=' || value, ', ' ORDER BY key) FROM jsonb_each_text(match)) "
                    "FROM (SELECT *, CASE WHEN ended_at IS NOT NULL THEN 'ended' WHEN until <= clock_timestamp() "
                    "THEN 'expired' ELSE 'in force' END AS state FROM sla.silence) AS s "
                    "WHERE $1::boolean OR state = 'in force' ORDER BY id";

static int
write_list(const PGresult *rows)
{
	struct jsonw json = {0};
	int r = 0;
	for (int row = 0; row < PQntuples(rows) && r == 0; row++) {
		jsonw_open(&json, NULL, '{');
		jsonw_raw(&json, "id", result_text(rows, row, S_ID));
		jsonw_text(&json, "state", result_text(rows, row, S_STATE));
		jsonw_raw(&json, "match", result_text(rows, row, S_MATCH));
		jsonw_text(&json, "reason", result_text(rows, row, S_REASON));
		jsonw_text(&json, "by", result_text(rows, row, S_BY));
		jsonw_instant(&json, "created_at", result_instant(rows, row, S_CREATED));
		jsonw_instant(&json, "until", result_instant(rows, row, S_UNTIL));
		jsonw_instant(&json, "ended_at", result_instant(rows, row, S_ENDED));
		jsonw_close(&json, '}');
		r = view_print_json(&json);
	}
	jsonw_clear(&json);
	return r;
}

static int
show_list(const struct view *view, const PGresult *rows)
{
	static const struct table_column columns[] = {
	    {"SILENCE", TABLE_RIGHT, 0}, {"STATE", 0, 0}, {"UNTIL", TABLE_RIGHT, 0},  {"LEFT", TABLE_RIGHT, 2},
	    {"MATCH", TABLE_TRUNC, 0},   {"BY", 0, 1},    {"REASON", TABLE_TRUNC, 0},
	};
	struct table *table;
	char text[VIEW_TEXT_SIZE];
	if (PQntuples(rows) == 0) {
		puts("no silences");
		return 0;
	}
	int r = table_new(view, columns, sizeof(columns) / sizeof(columns[0]), &table);
	if (r < 0)
		return r;
	for (int row = 0; row < PQntuples(rows); row++) {
		const char *state = result_text(rows, row, S_STATE);
		bool in_force = strcmp(state, "in force") == 0;
		struct instant until = result_instant(rows, row, S_UNTIL), ended = result_instant(rows, row, S_ENDED);
		table_add_row(table);
		table_set(table, 0, result_text(rows, row, S_ID), NULL);
		table_set(table, 1, state, in_force ? VIEW_YELLOW : NULL);
		view_short_instant(view, instant_equal(ended, INSTANT_NEVER) ? until : ended, text);
		table_set(table, 2, text, NULL);
		view_length(instant_since(until, view->now), text);
		table_set(table, 3, in_force ? text : NULL, NULL);
		table_set(table, 4, result_text(rows, row, S_WORDS), NULL);
		table_set(table, 5, result_text(rows, row, S_BY), NULL);
		table_set(table, 6, result_text(rows, row, S_REASON), NULL);
	}
	r = table_print(table);
	table_free(table);
	return r;
}

static int
list(const struct silence *silence)
{
	struct view view;
	const char *const values[] = {silence->all ? "true" : "false"};
	PGresult *rows = db_query(&silence->db, "the silences", list_sql, 1, values);
	if (rows == NULL)
		return -EIO;
	view_init(&view, silence->color, silence->db.now);
	int r = silence->json ? write_list(rows) : show_list(&view, rows);
	PQclear(rows);
	return r;
}

/* Options ---------------------------------------------------------------------------------------------------------- */

static int
run_silence(struct silence *silence)
{
	const struct change_options *options = &silence->options;
	int r = silence->list ? db_open(options->config, options->conninfo, &silence->db)
	                      : change_open(options, "sla_daemon", &silence->db);
	if (r < 0)
		return EXIT_PROBLEM;
	if (silence->list)
		r = list(silence);
	else
		r = silence->end != NULL ? end(silence) : make(silence);
	db_close(&silence->db);
	return r < 0 ? EXIT_PROBLEM : 0;
}

/* False after a message, or with `ret_usage` where the usage is one. */
static bool
take_option(struct silence *silence, int option, bool *ret_usage)
{
	switch (option) {
	case 'm':
		return add_match(silence, optarg);
	case 'f':
		return command_duration("--for", optarg, &silence->length);
	case 'e':
		silence->end = optarg;
		return command_count("--end", optarg);
	case 'r':
		silence->reason = optarg;
		return true;
	case 'l':
		silence->list = true;
		return true;
	case 'a':
		silence->all = true;
		return true;
	case 'J':
		silence->json = true;
		return true;
	default:
		*ret_usage = !(option == 'L' ? view_color_parse(optarg, &silence->color)
		                             : change_option(&silence->options, option));
		return !*ret_usage;
	}
}

/* One of the three ways to call it, and nothing of another's. */
static bool
fits_together(const struct silence *silence)
{
	bool makes = silence->n_seen > 0 || silence->length.us > 0 || silence->reason != NULL;
	if (silence->list || silence->end != NULL)
		return !makes && silence->options.by == NULL && silence->list != (silence->end != NULL) &&
		       (silence->list || (!silence->all && !silence->json));
	return silence->n_seen > 0 && silence->length.us > 0 && silence->reason != NULL && *silence->reason != '\0' &&
	       !silence->all && !silence->json;
}

/* 0, or the exit status where there is nothing more to do. */
static int
read_options(int argc, char **argv, struct silence *silence, bool *ret_help)
{
	static const struct option known[] = {
	    {"match", required_argument, NULL, 'm'},
	    {"for", required_argument, NULL, 'f'},
	    {"reason", required_argument, NULL, 'r'},
	    {"list", no_argument, NULL, 'l'},
	    {"all", no_argument, NULL, 'a'},
	    {"end", required_argument, NULL, 'e'},
	    {"json", no_argument, NULL, 'J'},
	    {"color", required_argument, NULL, 'L'},
	    CHANGE_OPTIONS,
	    {0},
	};
	bool tell_usage = false;
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'H') {
			*ret_help = true;
			return 0;
		}
		if (!take_option(silence, option, &tell_usage)) {
			if (tell_usage)
				fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc || !fits_together(silence)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return 0;
}

int
command_silence(int argc, char **argv)
{
	struct silence silence = {0};
	bool help = false;
	int status = read_options(argc, argv, &silence, &help);
	if (help)
		fputs(usage, stdout);
	else if (status == 0)
		status = run_silence(&silence);
	jsonw_clear(&silence.match);
	free(silence.seen);
	return status;
}
