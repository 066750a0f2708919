/* What happened to one ticket, as it is reported: milestones, events, and severities set by rules. */
#ifndef SLATED_STORY_ROW_H
#define SLATED_STORY_ROW_H

#include "slated/jsonw.h"
#include "slated/result.h"

/* One list of rows of a ticket: its query takes the ticket's id. A row's first column is its instant. */
struct story_rows {
	const char *key; /* in JSON */
	const char *sql;
	/* The members of a row's object, but for "at". */
	void (*write)(struct jsonw *json, const PGresult *rows, int row);
};

/* Columns. Those that end in _JSON repeat the one before as JSON. */
enum milestone_row_column {
	MILESTONE_ROW_AT,
	MILESTONE_ROW_METRIC,
	MILESTONE_ROW_CYCLE,
	MILESTONE_ROW_MILESTONE,
	MILESTONE_ROW_LEVEL,
	MILESTONE_ROW_DUE,
	MILESTONE_ROW_POLICY,
	MILESTONE_ROW_CALENDAR,
	MILESTONE_ROW_SEVERITY,
	MILESTONE_ROW_LATE_BY,
	MILESTONE_ROW_REASON,
	MILESTONE_ROW_BY_REASSESSMENT,
	MILESTONE_ROW_ESCALATION,
	MILESTONE_ROW_STEP,
	MILESTONE_ROW_TRIGGER,
	MILESTONE_ROW_REPEAT,
	MILESTONE_ROW_NOTIFY,
	MILESTONE_ROW_NOTIFY_JSON,
	MILESTONE_ROW_TOLD,
	MILESTONE_ROW_TOLD_JSON,
	MILESTONE_ROW_UNSET,
	MILESTONE_ROW_UNSET_JSON,
	MILESTONE_ROW_SILENCED_BY,
	MILESTONE_ROW_RECORDED,
	MILESTONE_ROW_INSTANCE,
};

enum event_row_column {
	EVENT_ROW_AT,
	EVENT_ROW_SEQ,
	EVENT_ROW_KIND,
	EVENT_ROW_BY,
	EVENT_ROW_PUBLIC,
	EVENT_ROW_ESCALATE,
	EVENT_ROW_STATUS,
	EVENT_ROW_SEVERITY,
	EVENT_ROW_REASON,
	EVENT_ROW_FOR,
	EVENT_ROW_INTO,
	EVENT_ROW_INTO_NAME,
	EVENT_ROW_LATE,
	EVENT_ROW_REFUSED,
	EVENT_ROW_FACTS_TEXT,
	EVENT_ROW_FACTS_JSON,
	EVENT_ROW_RECORDED,
};

enum reassessment_row_column {
	REASSESSMENT_ROW_AT,
	REASSESSMENT_ROW_RULE,
	REASSESSMENT_ROW_FORMER,
	REASSESSMENT_ROW_SEVERITY,
	REASSESSMENT_ROW_REASON,
	REASSESSMENT_ROW_OUTCOME,
	REASSESSMENT_ROW_FAILURE,
	REASSESSMENT_ROW_BY,
	REASSESSMENT_ROW_CALLED_BY,
	REASSESSMENT_ROW_DISPUTED,
	REASSESSMENT_ROW_HOOK,
};

extern const struct story_rows story_row_milestones;
extern const struct story_rows story_row_events;
extern const struct story_rows story_row_reassessments;

/* Adds all rows as the array of that key. */
void story_row_write(struct jsonw *json, const struct story_rows *story, const PGresult *rows);

#endif
