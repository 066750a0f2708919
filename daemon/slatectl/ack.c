/* slatectl ack: somebody takes care of a ticket, so that its escalation stops or waits. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "change.h"
#include "command.h"
#include "ticket_find.h"
#include "ticket_rows.h"
#include "view.h"

struct ack {
	struct change_options options;
	const char *source;
	const char *name;
	struct duration hold; /* 0: for good */
	struct db db;
	char id[TICKET_ID_SIZE];
};

/* Nothing is inserted for a closed ticket, as the daemon would refuse it. */
static const char ack_sql[] =
    "INSERT INTO sla.ack (ticket_id, by, \"for\") SELECT id, $2, nullif($3::bigint, 0) * interval '1 microsecond' "
    "FROM sla.ticket WHERE id = $1 AND status <> 'closed'";

static void
tell(const struct ack *ack, const PGresult *ticket)
{
	const char *external = result_text(ticket, 0, 0), *org = result_text(ticket, 0, 1);
	char until[VIEW_TEXT_SIZE] = "";
	struct view view;
	bool held = ack->hold.us > 0;
	view_init(&view, VIEW_COLOR_NEVER, ack->db.now);
	if (held)
		view_short_instant(&view, (struct instant){ack->db.now.us + ack->hold.us}, until);
	change_say("ticket %s%s%s%s%s: escalation %s%s", external != NULL ? "" : "#",
	           external != NULL ? external : ack->id, org != NULL ? " (" : "", org != NULL ? org : "",
	           org != NULL ? ")" : "", held ? "held until " : "stopped", until);
}

static int
acknowledge(struct ack *ack)
{
	char hold[24];
	(void)snprintf(hold, sizeof(hold), "%" PRId64, ack->hold.us);
	const char *const values[] = {ack->id, change_by(&ack->options), hold};
	PGresult *ticket =
	    db_query(&ack->db, "the ticket", "SELECT external_id, org FROM sla.ticket WHERE id = $1", 1, values);
	if (ticket == NULL)
		return -EIO;
	PGresult *done = db_query(&ack->db, "acknowledging", ack_sql, 3, values);
	int r = done == NULL ? -EIO : 0;
	if (r == 0 && *PQcmdTuples(done) == '0') {
		fprintf(stderr, "slatectl: ticket %s is closed: there is nothing to acknowledge\n", ack->name);
		r = -EINVAL;
	} else if (r == 0) {
		tell(ack, ticket);
	}
	PQclear(done);
	PQclear(ticket);
	return r;
}

static int
run_ack(void *options)
{
	struct ack *ack = options;
	if (change_open(&ack->options, "sla_writer", &ack->db) < 0)
		return EXIT_PROBLEM;
	int r = ticket_find(&ack->db, ack->name, ack->source, ack->id);
	if (r == 0)
		r = acknowledge(ack);
	db_close(&ack->db);
	return r < 0 ? EXIT_PROBLEM : 0;
}

static const struct command_row rows[] = {
    {"for", "TIME", "holds the escalation for so long instead, as in 30m or 2h", VALUE_DURATION,
     offsetof(struct ack, hold)},
    CHANGE_BY(offsetof(struct ack, options), "who takes care; you, where it is left out"),
    TICKET_SOURCE(offsetof(struct ack, source)),
    CHANGE_CONFIG(offsetof(struct ack, options)),
    CHANGE_CONNINFO(offsetof(struct ack, options)),
    TICKET_NAME(offsetof(struct ack, name)),
    {0},
};

const struct command command_ack = {
    .name = "ack",
    .help = "stop or hold a ticket's escalation",
    .about = "Stops the escalation of a ticket: steps that wait for an acknowledgement are dropped. Its clocks run "
             "on.\n" TICKET_ABOUT,
    .rows = rows,
    .size = sizeof(struct ack),
    .run = run_ack,
};
