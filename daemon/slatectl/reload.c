/* slatectl reload: what a configuration would do to the clocks that are open now, or has the daemon take it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "reload.h"
#include "reload_daemon.h"
#include "slated/config.h"
#include "standing.h"
#include "table.h"

struct reload_options {
	const char *config;
	const char *conninfo;
	bool dry_run;
	bool migrate;
	bool json;
	enum view_color color;
};

/* What migrating makes of a clock. */
enum move {
	MOVE_NONE,
	MOVE_EARLIER,
	MOVE_LATER,
	MOVE_BREACHED,
	MOVE_WITHDRAWN,
	MOVE_PAUSED,
	MOVE_RESUMED,
	MOVE_LEVELS, /* the same due, other levels */
	MOVES,
};

static const char *const move_names[MOVES] = {"none",      "earlier", "later",   "breached",
                                              "withdrawn", "paused",  "resumed", "levels"};
static const char *const move_texts[MOVES] = {
    "", "due earlier", "due later", "breached at once", "withdrawn: no target", "paused", "resumed", "other levels"};

struct moved {
	const struct clock *clock;
	uint8_t state;
	struct instant due_at;
	struct instant next_at;
};

/* At most one clock of each metric is open. */
#define CLOCKS_MAX METRIC_COUNT

struct reload {
	struct engine *engine;
	struct view view;
	struct instant now;
	bool json;
	bool lists;
	struct table *table; /* text */
	struct jsonw *out;   /* JSON */
	int64_t clocks;
	int64_t tickets;
	int64_t moves[MOVES];
};

static void
on_milestone(void *arg, struct ticket *ticket, const struct milestone *milestone)
{
	(void)arg; /* what becomes of clocks is read from them */
	(void)ticket;
	(void)milestone;
}

static enum move
judge(const struct moved *before)
{
	const struct clock *clock = before->clock;
	if (clock->state == before->state && instant_equal(clock->due_at, before->due_at))
		return instant_equal(clock->next_at, before->next_at) ? MOVE_NONE : MOVE_LEVELS;
	switch (clock->state) {
	case CLOCK_WITHDRAWN:
		return MOVE_WITHDRAWN;
	case CLOCK_BREACHED:
		return MOVE_BREACHED;
	case CLOCK_PAUSED:
		return MOVE_PAUSED;
	default:
		if (before->state == CLOCK_PAUSED)
			return MOVE_RESUMED;
		return instant_before(clock->due_at, before->due_at) ? MOVE_EARLIER : MOVE_LATER;
	}
}

static void
tell_json(struct reload *reload, const char *name, const struct moved *before, enum move move)
{
	const struct clock *clock = before->clock;
	jsonw_open(reload->out, NULL, '{');
	jsonw_text(reload->out, "ticket", name);
	jsonw_text(reload->out, "metric", metric_names[clock->metric]);
	jsonw_number(reload->out, "cycle", clock->cycle);
	jsonw_text(reload->out, "policy", clock->policy->name);
	jsonw_text(reload->out, "move", move_names[move]);
	jsonw_instant(reload->out, "due_at", before->due_at);
	if (move != MOVE_WITHDRAWN)
		jsonw_instant(reload->out, "would_be_due_at", clock->due_at);
	jsonw_close(reload->out, '}');
}

static void
tell_text(struct reload *reload, const char *name, const struct moved *before, enum move move)
{
	char due[VIEW_TEXT_SIZE], then[VIEW_TEXT_SIZE] = "";
	const struct clock *clock = before->clock;
	view_short_instant(&reload->view, before->due_at, due);
	if (move != MOVE_WITHDRAWN)
		view_short_instant(&reload->view, clock->due_at, then);
	table_add_row(reload->table);
	table_set(reload->table, 0, name, NULL);
	table_set(reload->table, 1, metric_names[clock->metric], NULL);
	table_set(reload->table, 2, clock->policy->name, NULL);
	table_set(reload->table, 3, due, NULL);
	table_set(reload->table, 4, then, NULL);
	table_set(reload->table, 5, move_texts[move],
	          move == MOVE_BREACHED ? view_paint(&reload->view, VIEW_RED) : NULL);
}

static int
on_ticket(void *arg, const char *name, struct ticket *ticket)
{
	struct reload *reload = arg;
	struct moved befores[CLOCKS_MAX];
	size_t n = 0;
	int r = engine_rematch(reload->engine, ticket);
	if (r == 0) /* what is overdue and not recorded comes first, as in the daemon */
		r = engine_advance(reload->engine, ticket, reload->now);
	for (const struct clock *clock = ticket->clocks; r == 0 && clock != NULL && n < CLOCKS_MAX; clock = clock->next)
		if (clock_is_active(clock))
			befores[n++] = (struct moved){clock, clock->state, clock->due_at, clock->next_at};
	if (r == 0)
		r = engine_migrate(reload->engine, ticket, reload->now);
	if (r < 0) {
		fprintf(stderr, "slatectl reload: %s\n", strerror(-r));
		return r;
	}
	reload->tickets++;
	for (size_t i = 0; i < n; i++) {
		enum move move = judge(&befores[i]);
		reload->clocks++;
		reload->moves[move]++;
		if (move == MOVE_NONE || !reload->lists)
			continue;
		if (reload->json)
			tell_json(reload, name, &befores[i], move);
		else
			tell_text(reload, name, &befores[i], move);
	}
	return 0;
}

/* What the daemon refuses a reload for -------------------------------------------------------------------------------
 */

static const char severities_sql[] =
    "SELECT s.severity, count(*), min(coalesce(t.external_id, '#' || t.id)) FROM sla.ticket_state s "
    "JOIN sla.ticket t ON t.id = s.ticket_id WHERE s.status <> 'closed' AND s.severity IS NOT NULL GROUP BY 1 ORDER BY "
    "1";
static const char calendars_sql[] =
    "SELECT c.calendar, count(*), min(coalesce(t.external_id, '#' || t.id)) FROM sla.clock c "
    "JOIN sla.ticket_state s USING (ticket_id) JOIN sla.ticket t ON t.id = c.ticket_id "
    "WHERE s.status <> 'closed' AND c.ended_at IS NULL GROUP BY 1 ORDER BY 1";

static void
add_obstacle(struct jsonw *obstacles, bool json, const char *what, const char *who, const PGresult *rows, int row)
{
	struct text text = {0};
	text_add_format(&text, "%s \"%s\" is gone, but %" PRId64 " open %s, such as ticket %s", what,
	                result_text(rows, row, 0), result_number(rows, row, 1), who, result_text(rows, row, 2));
	if (text.failed)
		obstacles->text.failed = true;
	else if (json)
		jsonw_text(obstacles, NULL, text.data);
	else
		text_add_format(&obstacles->text, "  %s\n", text.data);
	free(text.data);
}

/* Adds what stands in the way, as lines or members of an array, and counts it. */
static int
find_obstacles(const struct db *db, const struct config *config, bool json, struct jsonw *obstacles, int *ret_n)
{
	PGresult *severities = db_query(db, "the severities of open tickets", severities_sql, 0, NULL);
	PGresult *calendars =
	    severities != NULL ? db_query(db, "the calendars of open clocks", calendars_sql, 0, NULL) : NULL;
	int n = 0;
	for (int row = 0; calendars != NULL && row < PQntuples(severities); row++)
		if (policy_set_severity(config->policies, result_text(severities, row, 0)) < 0) {
			n++;
			add_obstacle(obstacles, json, "severity", "tickets have it", severities, row);
		}
	for (int row = 0; row < PQntuples(calendars); row++)
		if (policy_set_calendar(config->policies, result_text(calendars, row, 0)) == NULL) {
			n++;
			add_obstacle(obstacles, json, "calendar", "clocks run on it", calendars, row);
		}
	int r = calendars == NULL ? -EIO : obstacles->text.failed ? -ENOMEM : 0;
	PQclear(severities);
	PQclear(calendars);
	*ret_n = n;
	return r;
}

/* -------------------------------------------------------------------------------------------------------------------
 */

static int
migrate_all(const struct db *db, const struct config *config, struct reload *reload)
{
	const struct engine_sink sink = {.milestone = on_milestone, .arg = reload};
	struct standing standing;
	int r = standing_open(db, config, &standing);
	if (r < 0)
		return r;
	r = engine_new(config->policies, &sink, &reload->engine);
	if (r == 0)
		r = standing_each(&standing, reload->engine, on_ticket, reload);
	else
		fprintf(stderr, "slatectl reload: %s\n", strerror(-r));
	engine_free(reload->engine);
	standing_close(&standing);
	return r;
}

static int64_t
count_moves(const struct reload *reload)
{
	return reload->clocks - reload->moves[MOVE_NONE];
}

static void
print_counts(const struct reload *reload, const char *lead)
{
	printf("%s%" PRId64 " of %" PRId64 " open clocks", lead, count_moves(reload), reload->clocks);
	const char *glue = ": ";
	for (int move = MOVE_NONE + 1; move < MOVES; move++) {
		if (reload->moves[move] == 0)
			continue;
		printf("%s%" PRId64 " %s", glue, reload->moves[move], move_texts[move]);
		glue = ", ";
	}
	putchar('\n');
}

static int
print_moves(const char *name, const struct db *db, const struct config *config, struct reload *reload)
{
	static const struct table_column columns[] = {{"TICKET", TABLE_TRUNC, 0},   {"METRIC", 0, 0},
	                                              {"POLICY", TABLE_TRUNC, 1},   {"DUE", TABLE_RIGHT, 0},
	                                              {"WOULD BE", TABLE_RIGHT, 0}, {"", 0, 0}};
	struct jsonw obstacles = {0};
	int n, r = find_obstacles(db, config, false, &obstacles, &n);
	if (r == 0 && n > 0) {
		printf("%s would be refused:\n%s", name, obstacles.text.data);
		r = -EINVAL;
	}
	jsonw_clear(&obstacles);
	if (r == 0)
		r = table_new(&reload->view, columns, sizeof(columns) / sizeof(columns[0]), &reload->table);
	if (r == 0)
		r = migrate_all(db, config, reload);
	if (r == 0 && reload->lists) {
		print_counts(reload, "would move ");
		if (count_moves(reload) > 0)
			r = table_print(reload->table);
	} else if (r == 0) {
		printf("%" PRId64 " open clocks would keep their targets\n", reload->clocks);
		if (count_moves(reload) > 0)
			print_counts(reload, "with --migrate (instance.reload = \"migrate\") would move ");
	}
	table_free(reload->table);
	return r;
}

static int
write_moves(struct jsonw *json, const struct db *db, const struct config *config, struct reload *reload)
{
	int n;
	reload->out = json;
	jsonw_open(json, "obstacles", '[');
	int r = find_obstacles(db, config, true, json, &n);
	jsonw_close(json, ']');
	jsonw_bool(json, "accepted", n == 0);
	jsonw_bool(json, "migrates", reload->lists);
	jsonw_open(json, "moves", '[');
	if (r == 0 && n == 0)
		r = migrate_all(db, config, reload);
	jsonw_close(json, ']');
	jsonw_number(json, "open", reload->clocks);
	jsonw_number(json, "moving", count_moves(reload));
	return r == 0 && n > 0 ? -EINVAL : r;
}

static struct reload
reload_init(const struct db *db, bool json, bool lists, enum view_color color)
{
	struct reload reload = {.now = db->now, .json = json, .lists = lists};
	view_init(&reload.view, color, db->now);
	return reload;
}

int
reload_print(const char *name, struct db *db, const struct config *config, bool lists, enum view_color color)
{
	struct reload reload = reload_init(db, false, lists, color);
	db->role = "sla_daemon"; /* to read configurations */
	return print_moves(name, db, config, &reload);
}

int
reload_write(struct jsonw *json, struct db *db, const struct config *config, bool lists)
{
	struct reload reload = reload_init(db, true, lists, VIEW_COLOR_NEVER);
	db->role = "sla_daemon"; /* likewise */
	return write_moves(json, db, config, &reload);
}

static int
print_json(struct db *db, const struct config *config, bool lists)
{
	struct jsonw json = {0};
	jsonw_open(&json, NULL, '{');
	int r = reload_write(&json, db, config, lists);
	jsonw_close(&json, '}');
	if ((r == 0 || r == -EINVAL) && view_print_json(&json) < 0)
		r = -ENOMEM;
	jsonw_clear(&json);
	return r;
}

/* From the clocks as they stand. */
static int
say(const struct reload_options *options, const struct config *config)
{
	struct db db;
	int r = db_open(config->conninfo != NULL ? options->config : NULL, options->conninfo, &db);
	if (r < 0)
		return r;
	bool lists = options->migrate || config->migrate;
	r = options->json ? print_json(&db, config, lists)
	                  : reload_print(options->config, &db, config, lists, options->color);
	db_close(&db);
	return r;
}

static int
run_reload(void *into)
{
	const struct reload_options *options = into;
	struct config *config;
	if (command_config(options->config, command_now(), &config) < 0)
		return EXIT_PROBLEM;
	int r = options->dry_run ? say(options, config)
	                         : reload_daemon(options->config, options->conninfo, config, options->migrate);
	config_free(config);
	return r < 0 ? EXIT_PROBLEM : 0;
}

#define AT(member) offsetof(struct reload_options, member)

static const struct command_row rows[] = {
    {"dry-run", NULL, "only says what would happen", VALUE_FLAG, AT(dry_run)},
    {"migrate", NULL, "puts the open clocks on the new targets at once, whatever instance.reload says", VALUE_FLAG,
     AT(migrate)},
    {"json", NULL, "of --dry-run: JSON", VALUE_FLAG, AT(json)},
    {"color", "WHEN", "of --dry-run: auto, always or never", VALUE_INDEX, AT(color), view_color_names,
     VIEW_COLOR_COUNT},
    DB_ROW_CONFIG(AT(config)),
    DB_ROW_CONNINFO(AT(conninfo)),
    {0},
};

static const struct reload_options initial = {.config = CONFIG_DEFAULT};

const struct command command_reload = {
    .name = "reload",
    .help = "have the daemon take its configuration, or say what that would do",
    .about = "Has the daemon of this host read its configuration again, and waits until it has. With --dry-run it only "
             "says\n"
             "whether the daemon would take it, and which open clocks it would move, as they stand now.\n",
    .rows = rows,
    .size = sizeof(struct reload_options),
    .initial = &initial,
    .run = run_reload,
};
