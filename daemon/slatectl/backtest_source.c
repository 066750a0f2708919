#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "backtest.h"
#include "db.h"
#include "slated/event_json.h"
#include "slated/rows.h"

/* The database ------------------------------------------------------------------------------------------------------
 */

/* The ticket's name and whether it falls into the time come with each event: a ticket's events are together. What rules
 * of the configuration in force then have set is left out, since rules are tried anew; what hooks have answered and
 * others have set in the system's name stays. */
#define EVENTS_SQL                                                                                                     \
	"COPY (SELECT " EVENT_COLUMNS ", coalesce(t.external_id, '#' || t.id) FROM sla.ticket t "                      \
	"JOIN sla.event e ON e.ticket_id = t.id WHERE t.opened_at >= to_timestamp(0) + interval '%" PRId64             \
	" microseconds' AND t.opened_at < to_timestamp(0) + interval '%" PRId64 " microseconds' "                      \
	"AND NOT (e.kind = 'severity' AND e.by = 'system' AND EXISTS (SELECT FROM sla.reassessment r "                 \
	"WHERE r.ticket_id = e.ticket_id AND NOT r.hook AND r.at = e.at AND r.severity = e.severity)) "                \
	"ORDER BY e.ticket_id, e.seq) TO STDOUT (FORMAT binary)"
enum { COLUMN_NAME = EVENT_COLUMN_COUNT, COLUMNS };

struct table_source {
	struct backtest *backtest;
	struct row_reader *reader;
	struct played *played; /* whose events are read */
	bool begun;
};

static void
end_ticket(struct table_source *source)
{
	if (source->played == NULL)
		return;
	backtest_finish(source->backtest, source->played);
	free(source->played);
	source->played = NULL;
}

/* False: it cannot go on. */
static bool
begin_ticket(struct table_source *source, const struct event_row *row, struct pg_value name)
{
	char text[200];
	(void)snprintf(text, sizeof(text), "%.*s", (int)(name.len < sizeof(text) ? name.len : sizeof(text) - 1),
	               name.data);
	end_ticket(source);
	if (source->backtest->error == 0)
		source->played = backtest_new_ticket(source->backtest, text, row->ticket_id);
	if (source->played != NULL && row->seq != 1) { /* its beginning was trimmed */
		backtest_free_halves(source->played);
		source->backtest->cut++;
	}
	return source->played != NULL && source->backtest->error == 0;
}

static int
take_event(struct table_source *source, const struct pg_value *values)
{
	char problem[REFUSAL_SIZE];
	struct event_row row;
	int r = row_read_event(source->reader, values, &row, problem);
	if (r < 0) {
		fprintf(stderr, "slatectl backtest: an event could not be read: %s\n",
		        r == -ENOMEM ? "out of memory" : problem);
		return r;
	}
	if ((source->played == NULL || source->played->id != row.ticket_id) &&
	    !begin_ticket(source, &row, values[COLUMN_NAME]))
		return source->backtest->error;
	backtest_apply(source->backtest, source->played, &row.event);
	return source->backtest->error;
}

static int
take_piece(struct table_source *source, const char *data, size_t len)
{
	struct pg_value values[COLUMNS];
	if (!source->begun) {
		int n = pg_copy_header(data, len);
		if (n < 0)
			return n;
		source->begun = true;
		data += n;
		len -= (size_t)n;
		if (len == 0)
			return 0;
	}
	int n = pg_copy_tuple(data, len, values, COLUMNS);
	return n <= 0 ? n : take_event(source, values);
}

static int
copy_out(struct table_source *source, PGconn *connection)
{
	char *data;
	int r = 0, len;
	while (r == 0 && (len = PQgetCopyData(connection, &data, 0)) > 0) {
		r = take_piece(source, data, (size_t)len);
		PQfreemem(data);
	}
	if (r < 0) {
		if (r == -EBADMSG)
			fputs("slatectl backtest: the server's rows are not as they should be\n", stderr);
		return r;
	}
	PGresult *end = len == -1 ? PQgetResult(connection) : NULL;
	if (PQresultStatus(end) != PGRES_COMMAND_OK) {
		fprintf(stderr, "slatectl backtest: reading events: %s", PQerrorMessage(connection));
		r = -EIO;
	}
	PQclear(end);
	return r;
}

int
backtest_read_database(struct backtest *backtest, const struct db *db)
{
	struct table_source source = {.backtest = backtest};
	char sql[2400];
	(void)snprintf(sql, sizeof(sql), EVENTS_SQL, backtest->since.us, backtest->until.us);
	/* The events of a year do not fit into what a server gives a sort by default. */
	PGresult *rows = db_query(db, "events", "SELECT set_config('work_mem', '256MB', false)", 0, NULL);
	if (rows == NULL)
		return -EIO;
	PQclear(rows);
	int r = row_reader_new(&source.reader);
	if (r < 0)
		return r;
	rows = PQexec(db->connection, sql);
	if (PQresultStatus(rows) == PGRES_COPY_OUT) {
		r = copy_out(&source, db->connection);
	} else {
		fprintf(stderr, "slatectl backtest: reading events: %s", PQerrorMessage(db->connection));
		r = -EIO;
	}
	PQclear(rows);
	if (r == 0)
		end_ticket(&source);
	else if (source.played != NULL)
		backtest_free_halves(source.played);
	free(source.played);
	row_reader_free(source.reader);
	return r < 0 ? r : backtest->error;
}

/* NDJSON ------------------------------------------------------------------------------------------------------------
 */

struct line_source {
	struct backtest *backtest;
	struct event_line *reader;
	struct played *tickets;
	const char *name;
	uint64_t line;
};

static void
report_line(struct line_source *source, const char *reason)
{
	fprintf(stderr, "slatectl backtest: %s, line %" PRIu64 ": %s\n", source->name, source->line, reason);
	source->backtest->faulty = true;
}

/* What is final is counted at once; only its name stays. */
static void
finish_if_final(struct backtest *backtest, struct played *played)
{
	for (int i = 0; i < SIDES; i++)
		if (played->halves[i] != NULL && !ticket_is_final(&played->halves[i]->ticket))
			return;
	if (played->halves[AFTER] != NULL)
		backtest_finish(backtest, played);
}

static void
take_line(struct line_source *source, const char *name, const struct ticket_event *event)
{
	struct played *played;
	HASH_FIND_STR(source->tickets, name, played);
	if (played == NULL && event->kind != EVENT_OPENED) {
		report_line(source, "the ticket was not opened before");
		return;
	}
	if (played == NULL) {
		played = backtest_new_ticket(source->backtest, name, 0);
		if (played == NULL)
			return;
		HASH_ADD_STR(source->tickets, name, played);
	}
	backtest_apply(source->backtest, played, event);
	finish_if_final(source->backtest, played);
}

static int
read_lines(struct line_source *source, FILE *in)
{
	char problem[REFUSAL_SIZE], *text = NULL;
	size_t room = 0;
	ssize_t len;
	int r = 0;
	while (r == 0 && (len = getline(&text, &room, in)) >= 0) {
		const char *name;
		struct ticket_event event;
		source->line++;
		if (text[strspn(text, " \t\r\n")] == '\0')
			continue;
		r = event_line_parse(source->reader, text, (size_t)len, &name, &event, problem);
		if (r == -EINVAL) {
			report_line(source, problem);
			r = 0;
			continue;
		}
		if (r == 0)
			take_line(source, name, &event);
		r = r < 0 ? r : source->backtest->error;
	}
	if (r == 0 && ferror(in)) {
		fprintf(stderr, "slatectl backtest: %s: %s\n", source->name, strerror(errno));
		r = -EIO;
	}
	free(text);
	return r;
}

int
backtest_read_lines(struct backtest *backtest, FILE *in, const char *name)
{
	struct line_source source = {.backtest = backtest, .name = name};
	struct played *played, *next;
	int r = event_line_new(&source.reader);
	if (r == 0)
		r = read_lines(&source, in);
	HASH_ITER (hh, source.tickets, played, next) {
		HASH_DEL(source.tickets, played);
		if (r == 0)
			backtest_finish(backtest, played);
		else
			backtest_free_halves(played);
		free(played);
	}
	event_line_free(source.reader);
	return r < 0 ? r : backtest->error;
}
