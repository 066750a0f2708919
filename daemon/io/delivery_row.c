#include "slated/delivery_row.h"

const char *const delivery_row_states[DELIVERY_ROW_STATES] = {"pending", "sending", "delivered", "dead", "superseded"};

const char delivery_row_sql[] =
    "SELECT " DELIVERY_ROW_COLUMNS " FROM " DELIVERY_ROWS " AS d WHERE d.ticket_id = $1 ORDER BY position, key";

void
delivery_row_write(struct jsonw *json, const PGresult *rows, int row)
{
	jsonw_open(json, NULL, '{');
	jsonw_text(json, "key", result_text(rows, row, DELIVERY_ROW_KEY));
	jsonw_raw(json, "ticket_id", result_text(rows, row, DELIVERY_ROW_TICKET));
	jsonw_text(json, "external_id", result_text(rows, row, DELIVERY_ROW_EXTERNAL));
	jsonw_instant(json, "created_at", result_instant(rows, row, DELIVERY_ROW_CREATED));
	jsonw_text(json, "kind", result_text(rows, row, DELIVERY_ROW_KIND));
	jsonw_text(json, "metric", result_text(rows, row, DELIVERY_ROW_METRIC));
	jsonw_raw(json, "cycle", result_text(rows, row, DELIVERY_ROW_CYCLE));
	jsonw_text(json, "channel", result_text(rows, row, DELIVERY_ROW_CHANNEL));
	jsonw_text(json, "address", result_text(rows, row, DELIVERY_ROW_ADDRESS));
	jsonw_text(json, "state", result_text(rows, row, DELIVERY_ROW_STATE));
	jsonw_raw(json, "attempts", result_text(rows, row, DELIVERY_ROW_ATTEMPTS));
	jsonw_text(json, "last_error", result_text(rows, row, DELIVERY_ROW_LAST_ERROR));
	jsonw_text(json, "outcome", result_text(rows, row, DELIVERY_ROW_OUTCOME));
	jsonw_text(json, "digest", result_text(rows, row, DELIVERY_ROW_DIGEST));
	jsonw_instant(json, "next_attempt_at", result_instant(rows, row, DELIVERY_ROW_NEXT));
	jsonw_instant(json, "finished_at", result_instant(rows, row, DELIVERY_ROW_FINISHED));
	jsonw_close(json, '}');
}
