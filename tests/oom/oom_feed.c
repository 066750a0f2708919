/* What the daemon does between the database's rows and its own statements, while memory runs out: tickets are restored,
 * events applied, timers fired, the ledger written. A run fails, or writes what it writes with memory; after a failure
 * the same engine, ledger and reader, emptied as the daemon empties them when it reads everything anew, write just
 * that. The connection is the test's own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "given.h"
#include "oom.h"
#include "slated/config.h"
#include "slated/desk.h"
#include "slated/ledger.h"
#include "slated/pg.h"

/* The connection --------------------------------------------------------------------------------------------------- */

#define PARAMS_MAX  100
#define COLUMN_SIZE 32768
#define FIXED       4 /* of each batch for itself, as are as many at the end */

/* Of an array in binary format: what comes before its elements. */
#define HEADER 20

struct param {
	size_t len;
	char bytes[COLUMN_SIZE];
};

/* What has been written: the elements of all batches' arrays one after the other, since without memory for another
 * batch the former goes on. */
static struct {
	struct param params[PARAMS_MAX];
	struct pg_query query;
	int n;
} written;

/* A connection that is always idle. */
static struct pg {
	char nothing;
} idle;

bool
pg_is_idle(const struct pg *pg)
{
	(void)pg;
	return true;
}

bool
pg_is_ready(const struct pg *pg)
{
	(void)pg;
	return true;
}

int
pg_send(struct pg *pg, const struct pg_query *query)
{
	(void)pg;
	written.query = *query;
	written.n = query->n_params < PARAMS_MAX ? query->n_params : PARAMS_MAX;
	for (int i = 0; i < written.n; i++) {
		struct param *param = &written.params[i];
		const char *bytes = query->params[i] != NULL ? query->params[i] : "";
		size_t len = strlen(bytes);
		if (i < FIXED)
			continue; /* the run, the instance, the shards, the last timer */
		if (query->formats != NULL && query->formats[i] == 1) {
			size_t header = query->lengths[i] < HEADER ? (size_t)query->lengths[i] : HEADER;
			len = (size_t)query->lengths[i] - header;
			bytes += header;
		} else {
			param->len = 0;
		}
		if (len > sizeof(param->bytes) - param->len)
			abort();
		if (query->params[i] != NULL)
			memcpy(param->bytes + param->len, bytes, len);
		else /* so many NULLs, of which nothing but the length is there */
			memset(param->bytes + param->len, 0xff, len);
		param->len += len;
	}
	return 0;
}

/* What the server answers. */
static void
answer(ExecStatusType status)
{
	static char name[] = "c", none[] = "0";
	PGresAttDesc columns[2] = {{.name = name}, {.name = name}};
	PGresult *result = PQmakeEmptyPGresult(NULL, status);
	bool made = result != NULL && (status != PGRES_TUPLES_OK || (PQsetResultAttrs(result, 2, columns) != 0 &&
	                                                             PQsetvalue(result, 0, 0, none, 1) != 0 &&
	                                                             PQsetvalue(result, 0, 1, none, 1) != 0));
	if (!made)
		abort();
	written.query.result(written.query.arg, result);
	PQclear(result);
	written.query.result(written.query.arg, NULL);
}

/* The driver, as work.c and service.c have it ---------------------------------------------------------------------- */

struct driver {
	const struct config *config;
	struct engine *engine;
	struct ledger *ledger;
	struct row_reader *reader;
	struct live live;
	struct instant now;
	unsigned n_done;
	bool failed; /* by the ledger's own word */
};

static void
on_milestone(void *arg, struct ticket *ticket, const struct milestone *milestone)
{
	struct driver *driver = arg;
	ledger_add_milestone(driver->ledger, engine_policies(driver->engine), ticket, milestone, driver->now);
}

static void
on_reassessed(void *arg, struct ticket *ticket, const struct reassessment *reassessment)
{
	struct driver *driver = arg;
	ledger_add_reassessment(driver->ledger, engine_policies(driver->engine), ticket, reassessment, 1);
}

static const char *
digest_of(void *arg, const struct policy_set *set)
{
	const struct driver *driver = arg;
	return set == driver->config->policies ? driver->config->digest : NULL;
}

static const struct policy_set *
find_set(void *arg, const char *digest)
{
	const struct driver *driver = arg;
	return strcmp(digest, driver->config->digest) == 0 ? driver->config->policies : NULL;
}

static void
driver_free(struct driver *driver)
{
	live_clear(&driver->live);
	row_reader_free(driver->reader);
	ledger_free(driver->ledger);
	engine_free(driver->engine);
}

static int
driver_make(struct driver *driver, const struct config *config)
{
	const struct engine_sink sink = {.milestone = on_milestone, .reassessed = on_reassessed, .arg = driver};
	*driver = (struct driver){.config = config, .now = {GIVEN_BEGIN}};
	live_init(&driver->live);
	int r = engine_new(config->policies, &sink, &driver->engine);
	if (r == 0)
		r = ledger_new(&driver->ledger);
	if (r == 0)
		r = row_reader_new(&driver->reader);
	return r;
}

static void
driver_reset(struct driver *driver)
{
	live_clear(&driver->live);
	ledger_clear(driver->ledger);
	ledger_set_names(driver->ledger, &(struct ledger_names){driver->config, digest_of, driver});
	memset(&written, 0, sizeof(written));
	driver->n_done = 0;
	driver->failed = false;
}

static int
restore(struct driver *driver)
{
	char problem[REFUSAL_SIZE];
	struct row row;
	int64_t ticket;
	unsigned lost = 0;
	int r = 0;
	for (size_t i = 0; r == 0 && given_state(i, &row, &ticket); i++) {
		struct live_ticket *live = live_add(&driver->live, ticket);
		int64_t applied_seq = 0;
		char *ladder = NULL;
		r = live == NULL ? -ENOMEM
		                 : row_read_state(driver->reader, row.values, driver->engine, &live->ticket,
		                                  &applied_seq, &ladder, problem);
		if (r == 0 && ladder != NULL)
			r = live_keep_ladder(&driver->live, live, ladder);
		if (r == 0) {
			live->applied_seq = applied_seq;
			r = engine_rematch(driver->engine, &live->ticket);
		}
	}
	for (size_t i = 0; r == 0 && given_clock(i, driver->config->digest, &row, &ticket); i++) {
		struct live_ticket *live = live_find(&driver->live, ticket);
		r = row_read_clock(driver->reader, row.values, find_set, driver, &live->ticket, problem);
	}
	struct live_ticket *live;
	char *ladder;
	while (r == 0 && (ladder = live_take_ladder(&driver->live, &live)) != NULL) {
		r = row_restore_ladder(ladder, driver->config->policies, find_set, driver, &live->ticket, &lost,
		                       problem);
		free(ladder);
	}
	return r == 0 && lost > 0 ? -EPROTO : r;
}

static int
apply(struct driver *driver, struct live_ticket *live, const struct event_row *row)
{
	char refusal[REFUSAL_SIZE];
	bool late = false;
	int r = !live->ticket.opened && row->event.kind == EVENT_SEVERITY
	            ? engine_open_held(driver->engine, &live->ticket, &row->event, refusal)
	            : engine_apply(driver->engine, &live->ticket, &row->event, &late, refusal);
	if (r == -EINVAL) {
		ledger_add_event_note(driver->ledger, row->ticket_id, row->seq, refusal, late);
		r = live->ticket.opened ? 0 : engine_hold(driver->engine, &live->ticket, &row->event);
	} else if (r == 0 && late)
		ledger_add_event_note(driver->ledger, row->ticket_id, row->seq, NULL, true);
	if (r == 0 && row->event.kind == EVENT_ACK)
		ledger_add_acknowledgement(driver->ledger, row->ticket_id, row->seq);
	live->applied_seq = row->seq;
	live_touch(&driver->live, live);
	return r;
}

static int
take_events(struct driver *driver)
{
	char problem[REFUSAL_SIZE];
	struct event_row event;
	struct row row;
	int r = 0;
	for (size_t i = 0; r == 0 && given_event(i, &row); i++) {
		r = row_read_event(driver->reader, row.values, &event, problem);
		if (r < 0)
			break;
		struct live_ticket *live = live_find(&driver->live, event.ticket_id);
		if (live == NULL)
			live = live_add(&driver->live, event.ticket_id);
		r = live != NULL ? apply(driver, live, &event) : -ENOMEM;
	}
	return r;
}

static void
on_written(void *arg, const struct ledger_result *result, const char *error)
{
	struct driver *driver = arg;
	(void)result;
	driver->n_done++;
	driver->failed |= error != NULL;
}

static int
flush(struct driver *driver)
{
	int r = ledger_flush(driver->ledger, (struct pg *const[LEDGER_SESSIONS]){&idle, &idle}, "run", "instance",
	                     on_written, driver);
	if (r == 0)
		answer(PGRES_TUPLES_OK);
	return r;
}

/* Two batches: what the events bring, and what the timers of the days after them do. */
static int
play(struct driver *driver)
{
	struct live_ticket *live;
	int r = restore(driver);
	if (r == 0)
		r = take_events(driver);
	ledger_add_seen(driver->ledger, 6, 2);
	while (r == 0 && (live = live_take_touched(&driver->live)) != NULL)
		ledger_add_ticket(driver->ledger, driver->engine, live, driver->now);
	if (r == 0)
		ledger_close_batch(driver->ledger);
	driver->now.us = GIVEN_BEGIN + 4 * US_PER_DAY;
	for (int64_t id = 1; r == 0 && id <= 5; id++) {
		live = live_find(&driver->live, id);
		r = engine_advance(driver->engine, &live->ticket, driver->now);
		ledger_add_ticket(driver->ledger, driver->engine, live, driver->now);
	}
	while (r == 0 && ledger_rows(driver->ledger) > 0)
		r = flush(driver);
	driver->now.us = GIVEN_BEGIN;
	return r;
}

/* The tests -------------------------------------------------------------------------------------------------------- */

static struct param right[PARAMS_MAX];

static void
try_play(struct driver *driver, const char *what, long n)
{
	driver_reset(driver);
	int r = play(driver);
	oom_demand(r == 0 && !driver->failed && memcmp(right, written.params, sizeof(right)) == 0, what, n);
}

static long
try_feed(const struct config *config, enum oom_mode mode)
{
	size_t blocks = oom_blocks();
	for (long n = 1;; n++) {
		struct driver driver;
		oom_demand(driver_make(&driver, config) == 0, "driver", n);
		oom_begin(n, mode);
		driver_reset(&driver);
		int r = play(&driver);
		bool hit = oom_end();
		oom_demand(r == 0 || (hit && (r == -ENOMEM || r == -EBADMSG)), "feed", n);
		if (r == 0)
			oom_demand(memcmp(right, written.params, sizeof(right)) == 0, "feed", n);
		if (hit)
			try_play(&driver, "feed, anew", n);
		driver_free(&driver);
		oom_demand(oom_blocks() == blocks, "feed", n);
		if (!hit)
			return n - 1;
	}
}

static long
try_make(const struct config *config)
{
	size_t blocks = oom_blocks();
	for (long n = 1;; n++) {
		struct driver driver;
		oom_begin(n, OOM_ONCE);
		int r = driver_make(&driver, config);
		bool hit = oom_end();
		oom_demand(r == (hit ? -ENOMEM : 0), "driver", n);
		driver_free(&driver);
		oom_demand(oom_blocks() == blocks, "driver", n);
		if (!hit)
			return n - 1;
	}
}

/* Enough of them that the table grows: what was added stays, what was not is not there. */
static void
try_live(void)
{
	enum { TICKETS = 500 };
	size_t blocks = oom_blocks();
	bool hit = true;
	for (long n = 1; hit; n++) {
		struct live live;
		live_init(&live);
		oom_begin(n, OOM_ONCE);
		int64_t id = 1;
		while (id <= TICKETS && live_add(&live, id) != NULL)
			id++;
		hit = oom_end();
		oom_demand((id <= TICKETS) == hit && live_count(&live) == (size_t)id - 1, "live", n);
		for (int64_t i = 1; i <= TICKETS; i++)
			oom_demand((live_find(&live, i) != NULL) == (i < id), "live", n);
		oom_demand(!hit || live_add(&live, id) == live_find(&live, id), "live", n);
		live_clear(&live);
		oom_demand(oom_blocks() == blocks, "live", n);
	}
}

/* Whether what is given leads through all that the engine and the ledger do. */
static void
check_given(void)
{
	enum { MILESTONES = FIXED + 3 };
	for (int i = 0; i < MILESTONE_COUNT; i++)
		oom_demand(memmem(right[MILESTONES].bytes, right[MILESTONES].len, milestone_names[i],
		                  strlen(milestone_names[i])) != NULL,
		           milestone_names[i], 0);
	for (int i = FIXED; i < written.n; i++)
		oom_demand(right[i].len > 0, "a column", i);
}

/* A batch that the server refuses is never taken for one that was written. */
static void
try_refusal(const struct config *config)
{
	for (long n = 1;; n++) {
		struct driver driver;
		oom_demand(driver_make(&driver, config) == 0, "refusal", n);
		driver_reset(&driver);
		ledger_add_seen(driver.ledger, 7, 1);
		oom_begin(n, OOM_LASTING);
		int r = ledger_flush(driver.ledger, (struct pg *const[LEDGER_SESSIONS]){&idle, &idle}, "run",
		                     "instance", on_written, &driver);
		if (r == 0)
			answer(PGRES_FATAL_ERROR);
		bool hit = oom_end();
		oom_demand(r == (driver.n_done == 0 ? -ENOMEM : 0), "refusal", n);
		oom_demand(driver.n_done == 0 || driver.failed, "refusal", n);
		driver_free(&driver);
		if (!hit)
			return;
	}
}

struct order {
	unsigned n_done;
	unsigned n_failed;
};

static void
on_done(void *arg, PGresult *const *results)
{
	(void)results;
	((struct order *)arg)->n_done++;
}

static void
on_failed(void *arg, int status, const char *why)
{
	(void)why;
	((struct order *)arg)->n_failed += status == 503;
}

/* An order at the desk is done, or fails for the moment. */
static void
try_desk(void)
{
	const struct desk_hooks hooks = {0};
	size_t blocks = oom_blocks();
	bool hit = true;
	for (long n = 1; hit; n++) {
		struct order order = {0};
		struct desk *desk = NULL;
		oom_begin(n, OOM_ONCE);
		int r = desk_new(&hooks, (struct duration){US_PER_S}, &desk);
		if (r == 0)
			desk_put(desk, &(struct desk_order){
			                   .sql = {"SELECT $1, $2"},
			                   .params = {"a", "b"},
			                   .n_params = {2},
			                   .done = on_done,
			                   .failed = on_failed,
			                   .arg = &order,
			               });
		if (r == 0 && order.n_failed == 0)
			answer(PGRES_TUPLES_OK);
		hit = oom_end();
		oom_demand(r == 0 || (hit && r == -ENOMEM), "desk", n);
		oom_demand(r < 0 || order.n_done + order.n_failed == 1, "desk", n);
		oom_demand(order.n_failed == 0 || hit, "desk", n);
		desk_free(desk);
		oom_demand(oom_blocks() == blocks, "desk", n);
	}
}

static struct config *
load(void)
{
	struct config_problems problems = {0};
	struct config *config = NULL;
	char stored[4096];
	int n = snprintf(stored, sizeof(stored), "@file config %zu slated.conf\n%s\n", strlen(given_configuration),
	                 given_configuration);
	int r = config_load_text(stored, (size_t)n, (struct instant){GIVEN_BEGIN}, &problems, &config);
	config_problems_print(&problems, stderr);
	config_problems_clear(&problems);
	oom_demand(r == 0, "configuration", 0);
	return config;
}

int
main(void)
{
	struct driver driver;
	struct config *config = load();
	oom_demand(driver_make(&driver, config) == 0, "driver", 0);
	driver_reset(&driver);
	oom_demand(play(&driver) == 0 && driver.n_done == 2, "feed", 0);
	memcpy(right, written.params, sizeof(right));
	check_given();
	try_play(&driver, "again", 0);
	driver_free(&driver);
	(void)printf("driver: %ld failures\n", try_make(config));
	for (enum oom_mode mode = 0; mode < OOM_MODES; mode++)
		(void)printf("feed: %ld failures\n", try_feed(config, mode));
	try_live();
	try_refusal(config);
	try_desk();
	config_free(config);
	return 0;
}
