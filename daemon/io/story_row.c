#include "slated/story_row.h"

static const char milestones_sql[] = "SELECT " RESULT_US("at") ", metric, cycle, milestone, level, " RESULT_US(
    "due_at") ", policy, calendar, severity, "
              "late_by, reason, by_reassessment, escalation, step, trigger, repeat, array_to_string(notify, ', '), "
              "array_to_json(notify)::text, array_to_string(told, ', '), array_to_json(told)::text, "
              "array_to_string(unset, ', '), array_to_json(unset)::text, silenced_by, " RESULT_US(
                  "recorded_at") ", instance "
                                 "FROM sla.milestone WHERE ticket_id = $1 ORDER BY at, id";

static void
write_milestone(struct jsonw *json, const PGresult *rows, int row)
{
	jsonw_text(json, "metric", result_text(rows, row, MILESTONE_ROW_METRIC));
	jsonw_raw(json, "cycle", result_text(rows, row, MILESTONE_ROW_CYCLE));
	jsonw_text(json, "milestone", result_text(rows, row, MILESTONE_ROW_MILESTONE));
	jsonw_instant(json, "due_at", result_instant(rows, row, MILESTONE_ROW_DUE));
	jsonw_text(json, "level", result_text(rows, row, MILESTONE_ROW_LEVEL));
	jsonw_text(json, "policy", result_text(rows, row, MILESTONE_ROW_POLICY));
	jsonw_text(json, "calendar", result_text(rows, row, MILESTONE_ROW_CALENDAR));
	jsonw_text(json, "severity", result_text(rows, row, MILESTONE_ROW_SEVERITY));
	jsonw_raw(json, "late_by", result_text(rows, row, MILESTONE_ROW_LATE_BY));
	jsonw_text(json, "reason", result_text(rows, row, MILESTONE_ROW_REASON));
	if (result_bool(rows, row, MILESTONE_ROW_BY_REASSESSMENT))
		jsonw_bool(json, "by_reassessment", true);
	jsonw_text(json, "escalation", result_text(rows, row, MILESTONE_ROW_ESCALATION));
	jsonw_raw(json, "step", result_text(rows, row, MILESTONE_ROW_STEP));
	jsonw_text(json, "trigger", result_text(rows, row, MILESTONE_ROW_TRIGGER));
	jsonw_raw(json, "repeat", result_text(rows, row, MILESTONE_ROW_REPEAT));
	jsonw_raw(json, "notify", result_text(rows, row, MILESTONE_ROW_NOTIFY_JSON));
	jsonw_raw(json, "told", result_text(rows, row, MILESTONE_ROW_TOLD_JSON));
	jsonw_raw(json, "unset", result_text(rows, row, MILESTONE_ROW_UNSET_JSON));
	jsonw_raw(json, "silenced_by", result_text(rows, row, MILESTONE_ROW_SILENCED_BY));
	jsonw_instant(json, "recorded_at", result_instant(rows, row, MILESTONE_ROW_RECORDED));
	jsonw_text(json, "instance", result_text(rows, row, MILESTONE_ROW_INSTANCE));
}

const struct story_rows story_row_milestones = {"milestones", milestones_sql, write_milestone};

/* As text and as JSON: what opened the ticket, and what changed; null in JSON means removed. */
#define OPENED_TEXT                                                                                                    \
	"concat_ws(', ', 'plan ' || e.plan, 'org ' || e.org, 'channel ' || e.channel, 'category ' || e.category)"
#define CHANGED_TEXT                                                                                                   \
	"array_to_string(ARRAY(SELECT CASE WHEN c = 'attributes' THEN c || ' ' || e.attributes::text "                 \
	"ELSE c || coalesce(' = ' || (to_jsonb(e) ->> c), ' removed') END FROM unnest(e.changed) AS c), ', ')"
#define OPENED_JSON                                                                                                    \
	"jsonb_strip_nulls(jsonb_build_object('org', e.org, 'plan', e.plan, 'channel', e.channel, "                    \
	"'category', e.category, 'product', e.product, 'environment', e.environment, 'version', e.version, "           \
	"'assignee', e.assignee, 'team', e.team, 'attributes', e.attributes))::text"
#define CHANGED_JSON "(SELECT jsonb_object_agg(c, to_jsonb(e) -> c) FROM unnest(e.changed) AS c)::text"

static const char events_sql[] = "SELECT " RESULT_US(
    "e.at") ", e.seq, e.kind, e.by, e.public, e.escalate, e.status, e.severity, "
            "e.reason, " RESULT_US(RESULT_HELD(
                "e.\"for\"")) ", e.\"into\", coalesce(i.external_id, '#' || e.\"into\"), e.late, "
                              "e.refused, "
                              "CASE e.kind WHEN 'opened' THEN " OPENED_TEXT " WHEN 'changed' THEN " CHANGED_TEXT
                              " END, "
                              "CASE e.kind WHEN 'opened' THEN " OPENED_JSON " WHEN 'changed' THEN " CHANGED_JSON
                              " END, " RESULT_US("e.recorded_at") " FROM sla.event e LEFT JOIN sla.ticket i ON "
                                                                  "i.id = e.\"into\" "
                                                                  "WHERE e.ticket_id = $1 ORDER BY e.seq";

static void
write_event(struct jsonw *json, const PGresult *rows, int row)
{
	jsonw_raw(json, "seq", result_text(rows, row, EVENT_ROW_SEQ));
	jsonw_text(json, "event", result_text(rows, row, EVENT_ROW_KIND));
	jsonw_text(json, "by", result_text(rows, row, EVENT_ROW_BY));
	if (result_text(rows, row, EVENT_ROW_PUBLIC) != NULL)
		jsonw_bool(json, "public", result_bool(rows, row, EVENT_ROW_PUBLIC));
	if (result_bool(rows, row, EVENT_ROW_ESCALATE))
		jsonw_bool(json, "escalate", true);
	jsonw_text(json, "status", result_text(rows, row, EVENT_ROW_STATUS));
	jsonw_text(json, "severity", result_text(rows, row, EVENT_ROW_SEVERITY));
	jsonw_text(json, "reason", result_text(rows, row, EVENT_ROW_REASON));
	if (result_text(rows, row, EVENT_ROW_FOR) != NULL)
		jsonw_seconds(json, "for", (struct duration){result_number(rows, row, EVENT_ROW_FOR)});
	jsonw_raw(json, "into", result_text(rows, row, EVENT_ROW_INTO));
	jsonw_raw(json, "facts", result_text(rows, row, EVENT_ROW_FACTS_JSON));
	if (result_bool(rows, row, EVENT_ROW_LATE))
		jsonw_bool(json, "late", true);
	jsonw_text(json, "refused", result_text(rows, row, EVENT_ROW_REFUSED));
	jsonw_instant(json, "recorded_at", result_instant(rows, row, EVENT_ROW_RECORDED));
}

const struct story_rows story_row_events = {"events", events_sql, write_event};

static const char reassessments_sql[] =
    "SELECT " RESULT_US("at") ", rule, former, severity, reason, outcome, failure, by, called_by, "
                              "disputed, hook "
                              "FROM sla.reassessment WHERE ticket_id = $1 ORDER BY id";

static void
write_reassessment(struct jsonw *json, const PGresult *rows, int row)
{
	jsonw_text(json, "rule", result_text(rows, row, REASSESSMENT_ROW_RULE));
	jsonw_text(json, "former", result_text(rows, row, REASSESSMENT_ROW_FORMER));
	jsonw_text(json, "severity", result_text(rows, row, REASSESSMENT_ROW_SEVERITY));
	jsonw_text(json, "reason", result_text(rows, row, REASSESSMENT_ROW_REASON));
	jsonw_text(json, "outcome", result_text(rows, row, REASSESSMENT_ROW_OUTCOME));
	jsonw_text(json, "failure", result_text(rows, row, REASSESSMENT_ROW_FAILURE));
	jsonw_text(json, "by", result_text(rows, row, REASSESSMENT_ROW_BY));
	jsonw_text(json, "called_by", result_text(rows, row, REASSESSMENT_ROW_CALLED_BY));
	jsonw_bool(json, "disputed", result_bool(rows, row, REASSESSMENT_ROW_DISPUTED));
	jsonw_bool(json, "hook", result_bool(rows, row, REASSESSMENT_ROW_HOOK));
}

const struct story_rows story_row_reassessments = {"reassessments", reassessments_sql, write_reassessment};

void
story_row_write(struct jsonw *json, const struct story_rows *story, const PGresult *rows)
{
	jsonw_open(json, story->key, '[');
	for (int row = 0; row < PQntuples(rows); row++) {
		jsonw_open(json, NULL, '{');
		jsonw_instant(json, "at", result_instant(rows, row, 0));
		story->write(json, rows, row);
		jsonw_close(json, '}');
	}
	jsonw_close(json, ']');
}
