#include "slated/clock_list.h"

#include <stdlib.h>
#include <string.h>

const char *const clock_list_states[CLOCK_LIST_STATES] = {"running", "at_risk", "paused", "breached"};

/* The place of a clock in the list: its due, behind all dues what a paused one has left. */
#define PLACE                                                                                                          \
	"CASE WHEN c.state = 'paused' THEN 4611686018427387904 + greatest(c.budget - c.consumed, 0) "                  \
	"ELSE " RESULT_US("coalesce(c.due_at, c.breached_at, c.started_at)") " END"

/* The same order, which the server finds out of every clock in half the time. */
#define ORDER                                                                                                          \
	"CASE WHEN c.state = 'paused' THEN 'infinity' ELSE coalesce(c.due_at, c.breached_at, c.started_at) END, "      \
	"CASE WHEN c.state = 'paused' THEN greatest(c.budget - c.consumed, 0) END, c.ticket_id, c.metric, c.cycle "

/* The clocks that are asked for. */
#define HITS                                                                                                           \
	"FROM sla.clock c LEFT JOIN sla.ticket t ON t.id = c.ticket_id "                                               \
	"CROSS JOIN (SELECT to_timestamp(0) + $12::bigint * interval '1 microsecond' AS now) AS n "                    \
	"WHERE c.ended_at IS NULL "                                                                                    \
	"  AND ($1::text IS NULL OR c.state = $1 OR ($1 = 'at_risk' AND c.state = 'running' AND "                      \
	"    c.levels_fired <> '{}')) "                                                                                \
	"  AND ($2::text IS NULL OR c.metric = $2) "                                                                   \
	"  AND ($3::text IS NULL OR c.policy ILIKE $3) AND ($4::text IS NULL OR t.plan ILIKE $4) "                     \
	"  AND ($5::text IS NULL OR t.org ILIKE $5) AND ($6::text IS NULL OR c.severity ILIKE $6) "                    \
	"  AND ($7::text IS NULL OR t.assignee ILIKE $7) AND ($8::text IS NULL OR t.team ILIKE $8) "                   \
	"  AND ($9::bigint IS NULL OR c.state = 'breached' OR c.due_at <= n.now + $9 * interval '1 microsecond') "     \
	"  AND ($10::bigint[] IS NULL OR c.ticket_id = ANY ($10)) "

/* The rows of the page are found and counted in two looks at the clocks: one that does both sorts them all, on disk
 * where they are many. The wide columns are made for the page alone. */
const char clock_list_sql[] =
    "SELECT c.ticket_id, t.source, t.external_id, t.org, t.plan, t.status, t.assignee, t.team, "
    "sla.ticket_link($11, t), " RESULT_US(
        "a.at") ", a.by, " CLOCK_LIST_HELD_UNTIL ", " PLACE ", k.n, k.breached, k.at_risk, k.running, k.paused, "
                "k.overdue, " CLOCK_ROW_COLUMNS " "
                "FROM (SELECT c.ticket_id, c.metric, c.cycle " HITS "AND ($13::bigint IS NULL OR (" PLACE
                ", c.ticket_id, c.metric, c.cycle) > "
                "($13, $14::bigint, $15::text, $16::int)) "
                "ORDER BY " ORDER "LIMIT $17::bigint) AS m "
                "CROSS JOIN (SELECT count(*) AS n, "
                "count(*) FILTER (WHERE c.state = 'breached') AS breached, "
                "count(*) FILTER (WHERE c.state = 'running' AND c.levels_fired <> '{}') AS at_risk, "
                "count(*) FILTER (WHERE c.state = 'running') AS running, "
                "count(*) FILTER (WHERE c.state = 'paused') AS paused, "
                "count(*) FILTER (WHERE c.state = 'running' AND c.due_at <= n.now) AS overdue " HITS
                ") AS k JOIN sla.clock c USING (ticket_id, metric, cycle) LEFT JOIN sla.ticket t ON t.id = "
                "c.ticket_id " CLOCK_LIST_ACK("c.ticket_id") "ORDER BY " ORDER;

char *
clock_list_pattern(const char *glob)
{
	struct text text = {0};
	text_add_string(&text, "");
	for (; *glob != '\0'; glob++) {
		if (*glob == '*') {
			text_add_string(&text, "%");
		} else if (*glob == '?') {
			text_add_string(&text, "_");
		} else {
			if (strchr("%_\\", *glob) != NULL)
				text_add_string(&text, "\\");
			text_add(&text, glob, 1);
		}
	}
	if (!text.failed)
		return text.data;
	free(text.data);
	return NULL;
}

void
clock_list_write_ticket(struct jsonw *json, const PGresult *rows, int row, struct instant now)
{
	struct instant until = result_instant(rows, row, CLOCK_LIST_ACK_UNTIL);
	jsonw_number(json, "ticket_id", result_number(rows, row, CLOCK_LIST_ID));
	jsonw_text(json, "source", result_text(rows, row, CLOCK_LIST_SOURCE));
	jsonw_text(json, "external_id", result_text(rows, row, CLOCK_LIST_EXTERNAL));
	jsonw_text(json, "org", result_text(rows, row, CLOCK_LIST_COLUMN_ORG));
	jsonw_text(json, "plan", result_text(rows, row, CLOCK_LIST_COLUMN_PLAN));
	jsonw_text(json, "status", result_text(rows, row, CLOCK_LIST_STATUS));
	jsonw_text(json, "assignee", result_text(rows, row, CLOCK_LIST_COLUMN_ASSIGNEE));
	jsonw_text(json, "team", result_text(rows, row, CLOCK_LIST_COLUMN_TEAM));
	jsonw_text(json, "link", result_text(rows, row, CLOCK_LIST_URL));
	if (result_text(rows, row, CLOCK_LIST_ACK_AT) == NULL || !instant_before(now, until))
		return;
	jsonw_bool(json, "acknowledged", true);
	jsonw_instant(json, "ack_at", result_instant(rows, row, CLOCK_LIST_ACK_AT));
	jsonw_text(json, "ack_by", result_text(rows, row, CLOCK_LIST_ACK_BY));
	jsonw_instant(json, "ack_until", until);
}
