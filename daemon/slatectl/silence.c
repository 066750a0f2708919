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

struct silence {
	struct change_options options;
	struct command_list matches; /* KEY=PATTERN */
	struct jsonw match;
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

/* The same key twice would be a fact that is to fit two patterns. */
static bool
key_is_new(const struct command_list *matches, size_t i, size_t len)
{
	for (size_t k = 0; k < i; k++)
		if (strncmp(matches->items[k], matches->items[i], len + 1) == 0) {
			fprintf(stderr, "slatectl: --match: \"%.*s\" is given twice\n", (int)len, matches->items[i]);
			return false;
		}
	return true;
}

/* Puts what was given to --match together. False after a message. */
static bool
read_matches(struct silence *silence)
{
	const struct command_list *matches = &silence->matches;
	jsonw_open(&silence->match, NULL, '{');
	for (size_t i = 0; i < matches->n; i++) {
		const char *match = matches->items[i], *equals = strchr(match, '=');
		if (equals == NULL || equals == match || equals[1] == '\0') {
			fprintf(stderr, "slatectl: --match \"%s\": KEY=PATTERN, as in plan=gold*\n", match);
			return false;
		}
		char *key = strndup(match, (size_t)(equals - match));
		if (key == NULL) {
			perror("slatectl");
			return false;
		}
		bool fits = key_is_known(key) && key_is_new(matches, i, strlen(key));
		jsonw_text(&silence->match, key, equals + 1);
		free(key);
		if (!fits)
			return false;
	}
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

/* Only somebody's end is told: those that have run out are given one by the server. */
#define ENDED "CASE WHEN ended_at < until THEN ended_at END"

static const char list_sql[] =
    "SELECT id, match::text, reason, by, " RESULT_US("created_at") ", " RESULT_US("until") ", " RESULT_US(
        ENDED) ", state, (SELECT string_agg(key || '=' || value, ', ' ORDER BY key) FROM jsonb_each_text(match)) "
               "FROM (SELECT *, CASE WHEN ended_at < until THEN 'ended' WHEN until <= clock_timestamp() THEN 'expired' "
               "ELSE 'in force' END AS state FROM sla.silence) AS s WHERE $1::boolean OR state = 'in force' ORDER BY "
               "id";

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

/* ------------------------------------------------------------------------------------------------------------------ */

static int
work(struct silence *silence)
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

static int
run_silence(void *options)
{
	struct silence *silence = options;
	int status = EXIT_USAGE;
	if (silence->matches.n == 0)
		return work(silence);
	if (silence->length.us == 0)
		fputs("slatectl: --for: a silence lasts longer than that\n", stderr);
	else if (read_matches(silence))
		status = work(silence);
	jsonw_clear(&silence->match);
	return status;
}

/* The ways to call it. */
enum { MAKE = FORM_FIRST, LIST = FORM_SECOND, END = FORM_THIRD };

static const struct command_row rows[] = {
    {"match", "KEY=PATTERN",
     "a fact of the ticket, severity, metric, policy or attributes.KEY; all given must hold; \"*\" and \"?\" stand for "
     "any text and any one character",
     VALUE_LIST, offsetof(struct silence, matches), .forms = MAKE, .needed = true},
    {"for", "TIME", "ends by itself after so long, as in 30m or 2h", VALUE_DURATION, offsetof(struct silence, length),
     .forms = MAKE, .needed = true},
    {"reason", "TEXT", "why", VALUE_NAME, offsetof(struct silence, reason), .forms = MAKE, .needed = true},
    {"by", "NAME", "who; you, where it is left out", VALUE_NAME, offsetof(struct silence, options.by), .forms = MAKE},
    {"list", NULL, "lists the silences in force", VALUE_FLAG, offsetof(struct silence, list), .forms = LIST,
     .needed = true},
    {"all", NULL, "those that have ended too", VALUE_FLAG, offsetof(struct silence, all), .forms = LIST},
    {"json", NULL, "one object a line", VALUE_FLAG, offsetof(struct silence, json), .forms = LIST},
    {"color", "WHEN", "auto, always or never", VALUE_INDEX, offsetof(struct silence, color), view_color_names,
     VIEW_COLOR_COUNT, .forms = LIST},
    {"end", "NUMBER", "ends one at once", VALUE_COUNT, offsetof(struct silence, end), .forms = END, .needed = true},
    CHANGE_CONFIG(offsetof(struct silence, options)),
    CHANGE_CONNINFO(offsetof(struct silence, options)),
    {0},
};

const struct command command_silence = {
    .name = "silence",
    .help = "keep alerts back for a while",
    .about =
        "Keeps alerts back: their milestones are recorded, but nobody is told, unless a step says always = true.\n",
    .rows = rows,
    .size = sizeof(struct silence),
    .run = run_silence,
};
