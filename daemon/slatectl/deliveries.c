/* slatectl deliveries: what is being sent, was sent, and was given up. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "delivery_rows.h"
#include "report.h"
#include "slated/policy.h"
#include "ticket_find.h"

struct deliveries {
	struct report_options options;
	struct report report;
	const char *state;
	const char *channel;
	const char *ticket;
	const char *source;
	const char *since;
	const char *limit;
};

/* One row more than the limit, to know that there are more. */
static const char deliveries_sql[] =
    "SELECT * FROM (SELECT " DELIVERY_ROW_COLUMNS ", d.created_at AS made, d.position AS place FROM " DELIVERY_ROWS
    " AS d "
    "WHERE ($1::text IS NULL OR d.state = $1) AND ($2::text IS NULL OR d.channel = $2) "
    "  AND ($3::bigint IS NULL OR d.ticket_id = $3) "
    "  AND ($4::bigint IS NULL OR d.created_at >= to_timestamp(0) + $4 * interval '1 microsecond') "
    "ORDER BY d.created_at DESC, d.position DESC, d.key LIMIT $5::bigint + 1) AS newest ORDER BY made, place";

static int
write_rows(const PGresult *rows, int begin)
{
	struct jsonw json = {0};
	int r = 0;
	for (int row = begin; row < PQntuples(rows) && r == 0; row++) {
		delivery_row_write(&json, rows, row);
		r = view_print_json(&json);
	}
	jsonw_clear(&json);
	return r;
}

static int
print(const struct deliveries *deliveries, const PGresult *rows)
{
	int begin = PQntuples(rows) > atoi(deliveries->limit) ? 1 : 0;
	if (deliveries->options.json)
		return write_rows(rows, begin);
	if (PQntuples(rows) == 0) {
		puts("no deliveries");
		return 0;
	}
	int r = delivery_rows_show(&deliveries->report.view, rows, begin, true);
	if (r == 0 && begin > 0)
		printf("\nthe newest %s are shown; --limit shows more\n", deliveries->limit);
	return r;
}

static int
query(const struct deliveries *deliveries, const char *ticket)
{
	const struct db *db = &deliveries->report.db;
	struct instant since;
	char us[24];
	if (deliveries->since != NULL) {
		if (!command_since("--since", deliveries->since, db->now, &since))
			return -EINVAL;
		(void)snprintf(us, sizeof(us), "%" PRId64, since.us);
	}
	const char *const values[] = {deliveries->state, deliveries->channel, ticket,
	                              deliveries->since != NULL ? us : NULL, deliveries->limit};
	PGresult *rows = db_query(db, "the deliveries", deliveries_sql, 5, values);
	if (rows == NULL)
		return -EIO;
	int r = print(deliveries, rows);
	PQclear(rows);
	return r;
}

static int
run_deliveries(void *options)
{
	struct deliveries *deliveries = options;
	char id[TICKET_ID_SIZE];
	int r = 0;
	if (deliveries->source != NULL && deliveries->ticket == NULL) {
		fputs("slatectl deliveries: --source goes with --ticket\n", stderr);
		return command_usage(&command_deliveries);
	}
	if (report_open(&deliveries->options, &deliveries->report) < 0)
		return EXIT_PROBLEM;
	if (deliveries->ticket != NULL)
		r = ticket_find(&deliveries->report.db, deliveries->ticket, deliveries->source, id);
	if (r == 0)
		r = query(deliveries, deliveries->ticket != NULL ? id : NULL);
	report_close(&deliveries->report);
	return r < 0 ? EXIT_PROBLEM : 0;
}

static const struct command_row rows[] = {
    {"state", "STATE", "pending, sending, delivered, dead (given up) or superseded (a later one said more)",
     VALUE_CHOICE, offsetof(struct deliveries, state), delivery_row_states, DELIVERY_ROW_STATES},
    {"channel", "NAME", "to a channel", VALUE_TEXT, offsetof(struct deliveries, channel)},
    {"ticket", "TICKET", "about a ticket: its external id or number, as for slatectl show", VALUE_TEXT,
     offsetof(struct deliveries, ticket)},
    {"source", "NAME", "with --ticket: of the ticket system, where several have a ticket of that id", VALUE_TEXT,
     offsetof(struct deliveries, source)},
    {"since", "TIME", "made since an instant, or within so long, as in 2h", VALUE_SINCE,
     offsetof(struct deliveries, since)},
    {"limit", "N", "the newest so many; 100 where it is left out", VALUE_COUNT, offsetof(struct deliveries, limit)},
    REPORT_JSON(offsetof(struct deliveries, options)),
    REPORT_COLOR(offsetof(struct deliveries, options)),
    REPORT_CONFIG(offsetof(struct deliveries, options)),
    REPORT_CONNINFO(offsetof(struct deliveries, options)),
    {0},
};

static const struct deliveries initial = {.limit = "100"};

const struct command command_deliveries = {
    .name = "deliveries",
    .help = "list what is sent, was sent and was given up",
    .about = "Lists messages to channels, the newest last.\n",
    .rows = rows,
    .size = sizeof(struct deliveries),
    .initial = &initial,
    .run = run_deliveries,
};
