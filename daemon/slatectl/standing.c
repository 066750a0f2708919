#include "standing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "slated/config.h"
#include "slated/rows.h"

#define OPEN_TICKETS                                                                                                   \
	"FROM sla.ticket_state s JOIN sla.clock c ON c.ticket_id = s.ticket_id "                                       \
	"JOIN sla.ticket t ON t.id = s.ticket_id WHERE s.status <> 'closed' AND c.ended_at IS NULL "

static const char clocks_sql[] =
    "COPY (SELECT " STATE_COLUMNS ", " CLOCK_COLUMNS ", coalesce(t.external_id, '#' || t.id) " OPEN_TICKETS
    "ORDER BY c.ticket_id, c.metric, c.cycle) TO STDOUT (FORMAT binary)";
enum { COLUMN_CLOCK = STATE_COLUMN_COUNT, COLUMN_NAME = COLUMN_CLOCK + CLOCK_COLUMN_COUNT, COLUMNS };

static const char configurations_sql[] =
    "SELECT f.digest, f.source FROM sla.configuration f WHERE f.digest IN (SELECT c.configuration " OPEN_TICKETS ") "
    "OR f.digest IN (" LADDER_CONFIGURATIONS("s.status <> 'closed'") ")";

static int
add_former(struct standing *standing, const char *digest, const char *source, size_t len)
{
	struct config_problems problems = {0};
	struct former *former = calloc(1, sizeof(*former));
	int r = former == NULL ? -ENOMEM : config_load_text(source, len, standing->db->now, &problems, &former->config);
	config_problems_print(&problems, stderr);
	config_problems_clear(&problems);
	if (r < 0) {
		fprintf(stderr, "slatectl: configuration %.12s, which open clocks need: %s\n", digest, strerror(-r));
		free(former);
		return r;
	}
	former->next = standing->formers;
	standing->formers = former;
	return 0;
}

int
standing_open(const struct db *db, const struct config *config, struct standing *ret)
{
	struct standing standing = {.db = db, .config = config};
	int r = 0;
	PGresult *rows = db_query(db, "the configurations of open clocks", configurations_sql, 0, NULL);
	if (rows == NULL)
		return -EIO;
	for (int i = 0; r == 0 && i < PQntuples(rows); i++)
		if (strcmp(PQgetvalue(rows, i, 0), config->digest) != 0)
			r = add_former(&standing, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1),
			               (size_t)PQgetlength(rows, i, 1));
	PQclear(rows);
	if (r < 0)
		standing_close(&standing);
	else
		*ret = standing;
	return r;
}

void
standing_close(struct standing *standing)
{
	while (standing->formers != NULL) {
		struct former *former = standing->formers;
		standing->formers = former->next;
		config_free(former->config);
		free(former);
	}
}

static const struct policy_set *
find_set(void *arg, const char *digest)
{
	const struct standing *standing = arg;
	if (strcmp(standing->config->digest, digest) == 0)
		return standing->config->policies;
	for (const struct former *former = standing->formers; former != NULL; former = former->next)
		if (strcmp(former->config->digest, digest) == 0)
			return former->config->policies;
	return NULL;
}

/* ------------------------------------------------------------------------------------------------------------------ */

struct reading {
	struct standing *standing;
	struct engine *engine;
	struct row_reader *reader;
	standing_ticket *each;
	void *arg;
	struct ticket ticket; /* in hand; its clocks are gathered */
	char name[200];
	char *ladder;
	bool begun;
	bool has_ticket;
};

static int
refuse_row(int error, const char *problem)
{
	fprintf(stderr, "slatectl: an open clock could not be read: %s\n",
	        error == -ENOMEM ? "out of memory" : problem);
	return error;
}

static int
end_ticket(struct reading *reading)
{
	char problem[REFUSAL_SIZE];
	unsigned lost = 0; /* what ladders no longer have is dropped by the daemon, too */
	int r = 0;
	if (!reading->has_ticket)
		return 0;
	if (reading->ladder != NULL)
		r = row_restore_ladder(reading->ladder, engine_policies(reading->engine), find_set, reading->standing,
		                       &reading->ticket, &lost, problem);
	r = r < 0 ? refuse_row(r, problem) : reading->each(reading->arg, reading->name, &reading->ticket);
	ticket_clear(&reading->ticket);
	free(reading->ladder);
	reading->ladder = NULL;
	reading->has_ticket = false;
	return r;
}

static int
begin_ticket(struct reading *reading, const struct pg_value *values, char problem[static REFUSAL_SIZE])
{
	int64_t applied_seq;
	struct pg_value name = values[COLUMN_NAME];
	int r = end_ticket(reading);
	if (r < 0)
		return r;
	(void)snprintf(reading->name, sizeof(reading->name), "%.*s",
	               (int)(name.len < sizeof(reading->name) ? name.len : sizeof(reading->name) - 1), name.data);
	reading->ticket = (struct ticket){0};
	r = row_read_state(reading->reader, values, reading->engine, &reading->ticket, &applied_seq, &reading->ladder,
	                   problem);
	reading->has_ticket = r == 0;
	return r < 0 ? refuse_row(r, problem) : 0;
}

static int
take_row(struct reading *reading, const char *data, size_t len)
{
	struct pg_value values[COLUMNS];
	char problem[REFUSAL_SIZE];
	int64_t id;
	if (!reading->begun) {
		int n = pg_copy_header(data, len);
		if (n < 0)
			return refuse_row(n, "the server's rows are not as they should be");
		reading->begun = true;
		data += n;
		len -= (size_t)n;
	}
	int r = len == 0 ? 0 : pg_copy_tuple(data, len, values, COLUMNS);
	if (r <= 0)
		return r < 0 ? refuse_row(r, "the server's rows are not as they should be") : 0;
	r = row_clock_ticket(&values[COLUMN_CLOCK], &id);
	if (r == 0 && (!reading->has_ticket || (int64_t)reading->ticket.id != id)) {
		r = begin_ticket(reading, values, problem);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = row_read_clock(reading->reader, &values[COLUMN_CLOCK], find_set, reading->standing,
		                   &reading->ticket, problem);
	return r < 0 ? refuse_row(r, problem) : 0;
}

static int
copy_out(struct reading *reading)
{
	PGconn *connection = reading->standing->db->connection;
	char *data;
	int r = 0, len;
	PGresult *rows = PQexec(connection, clocks_sql);
	bool copies = PQresultStatus(rows) == PGRES_COPY_OUT;
	PQclear(rows);
	while (copies && r == 0 && (len = PQgetCopyData(connection, &data, 0)) > 0) {
		r = take_row(reading, data, (size_t)len);
		PQfreemem(data);
	}
	if (r < 0)
		return r;
	rows = copies ? PQgetResult(connection) : NULL;
	if (PQresultStatus(rows) != PGRES_COMMAND_OK) {
		fprintf(stderr, "slatectl: reading the open clocks: %s", PQerrorMessage(connection));
		r = -EIO;
	}
	PQclear(rows);
	return r < 0 ? r : end_ticket(reading);
}

int
standing_each(struct standing *standing, struct engine *engine, standing_ticket *each, void *arg)
{
	struct reading reading = {.standing = standing, .engine = engine, .each = each, .arg = arg};
	int r = row_reader_new(&reading.reader);
	if (r < 0)
		return refuse_row(r, "");
	r = copy_out(&reading);
	ticket_clear(&reading.ticket);
	free(reading.ladder);
	row_reader_free(reading.reader);
	return r;
}
