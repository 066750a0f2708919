#include "slated/ticket_row.h"

const char ticket_row_sql[] =
    "SELECT t.id, t.source, t.external_id, t.status, t.severity, t.plan, t.org, t.channel, t.category, t.product, "
    "t.environment, t.version, t.assignee, t.team, nullif(t.attributes, '{}')::text, " RESULT_US(
        "t.opened_at") ", "
                       "s.severity, s.status, t.event_seq - coalesce(s.applied_seq, 0), s.requested, "
                       "s.reassessed, " RESULT_US("s.ack_at") " FROM sla.ticket t LEFT JOIN sla.ticket_state s ON "
                                                              "s.ticket_id = t.id WHERE t.id = $1";

const char *const ticket_row_facts[TICKET_ROW_FACTS] = {
    "status", "severity", "plan", "org", "channel", "category", "product", "environment", "version", "assignee", "team",
};

void
ticket_row_write_members(struct jsonw *json, const PGresult *rows)
{
	jsonw_raw(json, "id", result_text(rows, 0, TICKET_ROW_ID));
	jsonw_text(json, "source", result_text(rows, 0, TICKET_ROW_SOURCE));
	jsonw_text(json, "external_id", result_text(rows, 0, TICKET_ROW_EXTERNAL));
	for (int i = 0; i < TICKET_ROW_FACTS; i++)
		jsonw_text(json, ticket_row_facts[i], result_text(rows, 0, TICKET_ROW_STATUS + i));
	jsonw_raw(json, "attributes", result_text(rows, 0, TICKET_ROW_ATTRIBUTES));
	jsonw_instant(json, "opened_at", result_instant(rows, 0, TICKET_ROW_OPENED));
	jsonw_text(json, "applied_severity", result_text(rows, 0, TICKET_ROW_APPLIED_SEVERITY));
	jsonw_text(json, "applied_status", result_text(rows, 0, TICKET_ROW_APPLIED_STATUS));
	jsonw_number(json, "events_waiting", result_number(rows, 0, TICKET_ROW_WAITING));
	jsonw_raw(json, "requested", result_text(rows, 0, TICKET_ROW_REQUESTED));
	jsonw_raw(json, "reassessed", result_text(rows, 0, TICKET_ROW_REASSESSED));
	jsonw_instant(json, "ack_at", result_instant(rows, 0, TICKET_ROW_ACK));
}

void
ticket_row_write(struct jsonw *json, const PGresult *rows)
{
	jsonw_open(json, "ticket", '{');
	ticket_row_write_members(json, rows);
	jsonw_close(json, '}');
}
