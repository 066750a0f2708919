#include "story.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A milestone that is recorded so much after its instant is said to be. */
#define LATE_AFTER ((struct duration){5 * US_PER_S})

/* Milestones ------------------------------------------------------------------------------------------------------- */

enum {
	M_AT,
	M_METRIC,
	M_CYCLE,
	M_MILESTONE,
	M_LEVEL,
	M_DUE,
	M_POLICY,
	M_CALENDAR,
	M_SEVERITY,
	M_LATE_BY,
	M_REASON,
	M_BY_REASSESSMENT,
	M_ESCALATION,
	M_STEP,
	M_TRIGGER,
	M_REPEAT,
	M_NOTIFY,
	M_NOTIFY_JSON,
	M_TOLD,
	M_TOLD_JSON,
	M_UNSET,
	M_UNSET_JSON,
	M_SILENCED_BY,
	M_RECORDED,
	M_INSTANCE,
};

static const char milestones_sql[] = "SELECT " DB_US("at") ", metric, cycle, milestone, level, " DB_US(
    "due_at") ", policy, calendar, severity, "
              "late_by, reason, by_reassessment, escalation, step, trigger, repeat, array_to_string(notify, ', '), "
              "array_to_json(notify)::text, array_to_string(told, ', '), array_to_json(told)::text, "
              "array_to_string(unset, ', '), array_to_json(unset)::text, silenced_by, " DB_US(
                  "recorded_at") ", instance "
                                 "FROM sla.milestone WHERE ticket_id = $1 ORDER BY at, id";

static void
add_due(struct text *text, const char *words, const PGresult *rows, int row)
{
	char due[VIEW_TEXT_SIZE];
	if (db_text(rows, row, M_DUE) == NULL)
		return;
	view_instant(db_instant(rows, row, M_DUE), due);
	view_add(text, "%s%s", words, due);
}

static struct duration
late_by(const PGresult *rows, int row)
{
	const char *text = db_text(rows, row, M_LATE_BY);
	return (struct duration){text == NULL ? 0 : (int64_t)(strtod(text, NULL) * (double)US_PER_S)};
}

static void
tell_target(struct text *text, const PGresult *rows, int row)
{
	view_add(text, " (policy %s, severity %s, calendar %s)", db_text(rows, row, M_POLICY),
	         db_text(rows, row, M_SEVERITY), db_text(rows, row, M_CALENDAR));
}

static const char *
tell_started(struct text *text, const PGresult *rows, int row)
{
	text_add_string(text, " started");
	add_due(text, ", due ", rows, row);
	tell_target(text, rows, row);
	return NULL;
}

static const char *
tell_paused(struct text *text, const PGresult *rows, int row)
{
	(void)rows;
	(void)row;
	text_add_string(text, " paused");
	return VIEW_BLUE;
}

static const char *
tell_resumed(struct text *text, const PGresult *rows, int row)
{
	text_add_string(text, " resumed");
	add_due(text, ", now due ", rows, row);
	return NULL;
}

static const char *
tell_retargeted(struct text *text, const PGresult *rows, int row)
{
	text_add_string(text, " got another target");
	add_due(text, ", now due ", rows, row);
	tell_target(text, rows, row);
	return NULL;
}

static const char *
tell_at_risk(struct text *text, const PGresult *rows, int row)
{
	const char *level = db_text(rows, row, M_LEVEL);
	bool used = level != NULL && strchr(level, '%') != NULL;
	view_add(text, used ? " at risk: %s of its time used" : " at risk: %s left", level != NULL ? level : "?");
	add_due(text, ", due ", rows, row);
	return VIEW_YELLOW;
}

static const char *
tell_breached(struct text *text, const PGresult *rows, int row)
{
	text_add_string(text, " BREACHED");
	add_due(text, ", was due ", rows, row);
	if (db_bool(rows, row, M_BY_REASSESSMENT))
		text_add_string(text, ", by a change of severity");
	return VIEW_RED;
}

static const char *
tell_met(struct text *text, const PGresult *rows, int row)
{
	char length[VIEW_TEXT_SIZE];
	struct duration late = late_by(rows, row);
	text_add_string(text, " met");
	if (late.us > 0) {
		view_length(late, length);
		view_add(text, ", %s late", length);
		return VIEW_YELLOW;
	}
	if (db_text(rows, row, M_DUE) != NULL) {
		view_length(instant_since(db_instant(rows, row, M_DUE), db_instant(rows, row, M_AT)), length);
		view_add(text, ", %s before it was due", length);
	}
	return VIEW_GREEN;
}

static const char *
tell_withdrawn(struct text *text, const PGresult *rows, int row)
{
	const char *reason = db_text(rows, row, M_REASON);
	view_add(text, " withdrawn: %s", reason != NULL ? reason : "no reason given");
	return NULL;
}

/* Whom the step reached in truth: roles are looked up when it fires. */
static void
tell_reach(struct text *text, const PGresult *rows, int row)
{
	const char *told = db_text(rows, row, M_TOLD);
	if (db_text(rows, row, M_UNSET) != NULL)
		view_add(text, ", nobody set for %s", db_text(rows, row, M_UNSET));
	if (db_text(rows, row, M_SILENCED_BY) != NULL)
		view_add(text, ", silenced by %s", db_text(rows, row, M_SILENCED_BY));
	else if (told != NULL)
		view_add(text, ", told %s", *told != '\0' ? told : "nobody");
}

static const char *
tell_escalated(struct text *text, const PGresult *rows, int row)
{
	const char *notify = db_text(rows, row, M_NOTIFY);
	view_add(text, " escalated to %s: ladder %s, step %" PRId64 ", on %s",
	         notify != NULL && *notify != '\0' ? notify : "nobody", db_text(rows, row, M_ESCALATION),
	         db_number(rows, row, M_STEP), db_text(rows, row, M_TRIGGER));
	if (db_number(rows, row, M_REPEAT) > 0)
		view_add(text, ", repeat %" PRId64, db_number(rows, row, M_REPEAT));
	tell_reach(text, rows, row);
	return VIEW_YELLOW;
}

/* What a timer caused is recorded within milliseconds, unless no daemon was there to do it. */
static void
add_delay(struct text *text, const char *milestone, const PGresult *rows, int row)
{
	char length[VIEW_TEXT_SIZE];
	bool timed = strcmp(milestone, "at_risk") == 0 || strcmp(milestone, "breached") == 0 ||
	             strcmp(milestone, "escalated") == 0;
	struct duration delay = instant_since(db_instant(rows, row, M_RECORDED), db_instant(rows, row, M_AT));
	if (!timed || delay.us < LATE_AFTER.us)
		return;
	view_length(delay, length);
	view_add(text, " (recorded %s later)", length);
}

static const char *
tell_milestone(const PGresult *rows, int row, struct text *text)
{
	static const struct {
		const char *milestone;
		const char *(*tell)(struct text *text, const PGresult *rows, int row);
	} kinds[] = {
	    {"started", tell_started},
	    {"paused", tell_paused},
	    {"resumed", tell_resumed},
	    {"retargeted", tell_retargeted},
	    {"at_risk", tell_at_risk},
	    {"breached", tell_breached},
	    {"met", tell_met},
	    {"withdrawn", tell_withdrawn},
	    {"escalated", tell_escalated},
	};
	const char *milestone = db_text(rows, row, M_MILESTONE);
	const char *metric = db_text(rows, row, M_METRIC);
	const char *color = NULL;
	text_add_string(text, metric != NULL ? metric : "ticket");
	if (db_number(rows, row, M_CYCLE) > 1)
		view_add(text, " (%" PRId64 ")", db_number(rows, row, M_CYCLE));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(milestone, kinds[i].milestone) == 0)
			color = kinds[i].tell(text, rows, row);
	add_delay(text, milestone, rows, row);
	return color;
}

static void
write_milestone(struct jsonw *json, const PGresult *rows, int row)
{
	jsonw_text(json, "metric", db_text(rows, row, M_METRIC));
	jsonw_raw(json, "cycle", db_text(rows, row, M_CYCLE));
	jsonw_text(json, "milestone", db_text(rows, row, M_MILESTONE));
	jsonw_instant(json, "due_at", db_instant(rows, row, M_DUE));
	jsonw_text(json, "level", db_text(rows, row, M_LEVEL));
	jsonw_text(json, "policy", db_text(rows, row, M_POLICY));
	jsonw_text(json, "calendar", db_text(rows, row, M_CALENDAR));
	jsonw_text(json, "severity", db_text(rows, row, M_SEVERITY));
	jsonw_raw(json, "late_by", db_text(rows, row, M_LATE_BY));
	jsonw_text(json, "reason", db_text(rows, row, M_REASON));
	if (db_bool(rows, row, M_BY_REASSESSMENT))
		jsonw_bool(json, "by_reassessment", true);
	jsonw_text(json, "escalation", db_text(rows, row, M_ESCALATION));
	jsonw_raw(json, "step", db_text(rows, row, M_STEP));
	jsonw_text(json, "trigger", db_text(rows, row, M_TRIGGER));
	jsonw_raw(json, "repeat", db_text(rows, row, M_REPEAT));
	jsonw_raw(json, "notify", db_text(rows, row, M_NOTIFY_JSON));
	jsonw_raw(json, "told", db_text(rows, row, M_TOLD_JSON));
	jsonw_raw(json, "unset", db_text(rows, row, M_UNSET_JSON));
	jsonw_raw(json, "silenced_by", db_text(rows, row, M_SILENCED_BY));
	jsonw_instant(json, "recorded_at", db_instant(rows, row, M_RECORDED));
	jsonw_text(json, "instance", db_text(rows, row, M_INSTANCE));
}

const struct story story_milestones = {
    .key = "milestones",
    .title = "Milestones",
    .sql = milestones_sql,
    .tell = tell_milestone,
    .write = write_milestone,
};

/* Events ----------------------------------------------------------------------------------------------------------- */

enum {
	E_AT,
	E_SEQ,
	E_KIND,
	E_BY,
	E_PUBLIC,
	E_ESCALATE,
	E_STATUS,
	E_SEVERITY,
	E_REASON,
	E_FOR,
	E_INTO,
	E_INTO_NAME,
	E_LATE,
	E_REFUSED,
	E_FACTS_TEXT,
	E_FACTS_JSON,
	E_RECORDED,
};

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

static const char events_sql[] =
    "SELECT " DB_US("e.at") ", e.seq, e.kind, e.by, e.public, e.escalate, e.status, e.severity, e.reason, " DB_US(
        "e.\"for\"") ", e.\"into\", coalesce(i.external_id, '#' || e.\"into\"), e.late, e.refused, "
                     "CASE e.kind WHEN 'opened' THEN " OPENED_TEXT " WHEN 'changed' THEN " CHANGED_TEXT " END, "
                     "CASE e.kind WHEN 'opened' THEN " OPENED_JSON " WHEN 'changed' THEN " CHANGED_JSON
                     " END, " DB_US("e.recorded_at") " FROM sla.event e LEFT JOIN sla.ticket i ON i.id = e.\"into\" "
                                                     "WHERE e.ticket_id = $1 ORDER BY e.seq";

static void
tell_reply(const PGresult *rows, int row, struct text *text)
{
	const char *by = db_text(rows, row, E_BY);
	view_add(text, db_bool(rows, row, E_PUBLIC) ? "reply by %s" : "internal note by %s", by != NULL ? by : "?");
	if (db_bool(rows, row, E_ESCALATE))
		text_add_string(text, ", asks for escalation");
}

static void
add_by(const PGresult *rows, int row, struct text *text)
{
	if (db_text(rows, row, E_BY) != NULL)
		view_add(text, " by %s", db_text(rows, row, E_BY));
	if (db_text(rows, row, E_REASON) != NULL)
		view_add(text, ": %s", db_text(rows, row, E_REASON));
}

static void
tell_fact(const char *kind, const PGresult *rows, int row, struct text *text)
{
	char length[VIEW_TEXT_SIZE];
	const char *severity = db_text(rows, row, E_SEVERITY);
	if (severity == NULL)
		severity = "none";
	if (strcmp(kind, "opened") == 0) {
		const char *facts = db_text(rows, row, E_FACTS_TEXT);
		view_add(text, "opened: severity %s, status %s", severity, db_text(rows, row, E_STATUS));
		if (facts != NULL && *facts != '\0')
			view_add(text, ", %s", facts);
	} else if (strcmp(kind, "status") == 0) {
		view_add(text, "status set to %s", db_text(rows, row, E_STATUS));
	} else if (strcmp(kind, "severity") == 0) {
		view_add(text, "severity set to %s", severity);
		add_by(rows, row, text);
	} else if (strcmp(kind, "changed") == 0) {
		view_add(text, "changed: %s", db_text(rows, row, E_FACTS_TEXT));
	} else if (strcmp(kind, "ack") == 0) {
		text_add_string(text, "acknowledged");
		add_by(rows, row, text);
		view_length((struct duration){db_number(rows, row, E_FOR)}, length);
		if (db_text(rows, row, E_FOR) != NULL)
			view_add(text, ", holds the escalation for %s", length);
	} else if (strcmp(kind, "merged") == 0) {
		view_add(text, "merged into %s", db_text(rows, row, E_INTO_NAME));
	} else {
		text_add_string(text,
		                strcmp(kind, "dispute") == 0 ? "severity disputed" : "severity assessed, it stays");
		add_by(rows, row, text);
	}
}

static const char *
tell_event(const PGresult *rows, int row, struct text *text)
{
	const char *kind = db_text(rows, row, E_KIND);
	const char *refused = db_text(rows, row, E_REFUSED);
	if (strcmp(kind, "reply") == 0)
		tell_reply(rows, row, text);
	else
		tell_fact(kind, rows, row, text);
	if (db_bool(rows, row, E_LATE))
		text_add_string(text, " (came late)");
	if (refused != NULL)
		view_add(text, " REFUSED: %s", refused);
	return refused != NULL ? VIEW_RED : NULL;
}

static void
write_event(struct jsonw *json, const PGresult *rows, int row)
{
	jsonw_raw(json, "seq", db_text(rows, row, E_SEQ));
	jsonw_text(json, "event", db_text(rows, row, E_KIND));
	jsonw_text(json, "by", db_text(rows, row, E_BY));
	if (db_text(rows, row, E_PUBLIC) != NULL)
		jsonw_bool(json, "public", db_bool(rows, row, E_PUBLIC));
	if (db_bool(rows, row, E_ESCALATE))
		jsonw_bool(json, "escalate", true);
	jsonw_text(json, "status", db_text(rows, row, E_STATUS));
	jsonw_text(json, "severity", db_text(rows, row, E_SEVERITY));
	jsonw_text(json, "reason", db_text(rows, row, E_REASON));
	if (db_text(rows, row, E_FOR) != NULL)
		jsonw_seconds(json, "for", (struct duration){db_number(rows, row, E_FOR)});
	jsonw_raw(json, "into", db_text(rows, row, E_INTO));
	jsonw_raw(json, "facts", db_text(rows, row, E_FACTS_JSON));
	if (db_bool(rows, row, E_LATE))
		jsonw_bool(json, "late", true);
	jsonw_text(json, "refused", db_text(rows, row, E_REFUSED));
	jsonw_instant(json, "recorded_at", db_instant(rows, row, E_RECORDED));
}

const struct story story_events = {
    .key = "events",
    .title = "Events",
    .sql = events_sql,
    .tell = tell_event,
    .write = write_event,
};

/* Reassessments ---------------------------------------------------------------------------------------------------- */

enum {
	R_AT,
	R_RULE,
	R_FORMER,
	R_SEVERITY,
	R_REASON,
	R_OUTCOME,
	R_FAILURE,
	R_BY,
	R_CALLED_BY,
	R_DISPUTED,
	R_HOOK,
};

static const char reassessments_sql[] =
    "SELECT " DB_US("at") ", rule, former, severity, reason, outcome, failure, by, called_by, "
                          "disputed, hook "
                          "FROM sla.reassessment WHERE ticket_id = $1 ORDER BY id";

static const char *
tell_reassessment(const PGresult *rows, int row, struct text *text)
{
	const char *outcome = db_text(rows, row, R_OUTCOME);
	const char *severity = db_text(rows, row, R_SEVERITY);
	if (outcome != NULL && strcmp(outcome, "failed") == 0) {
		view_add(text, "%s: the hook failed: %s", db_text(rows, row, R_RULE), db_text(rows, row, R_FAILURE));
		return NULL;
	}
	if (severity == NULL || (outcome != NULL && strcmp(outcome, "unchanged") == 0)) {
		view_add(text, "%s: %s", db_text(rows, row, R_RULE),
		         outcome == NULL ? "the hook is being asked" : "the hook changed nothing");
		return NULL;
	}
	view_add(text, "%s: %s to %s: %s", db_text(rows, row, R_RULE), db_text(rows, row, R_FORMER), severity,
	         db_text(rows, row, R_REASON));
	if (db_bool(rows, row, R_DISPUTED))
		text_add_string(text, " (disputed)");
	if (outcome == NULL)
		text_add_string(text, " (still to be written to the ticket)");
	else if (strcmp(outcome, "overtaken") == 0)
		text_add_string(text, " (overtaken: somebody set the severity first)");
	return NULL;
}

static void
write_reassessment(struct jsonw *json, const PGresult *rows, int row)
{
	jsonw_text(json, "rule", db_text(rows, row, R_RULE));
	jsonw_text(json, "former", db_text(rows, row, R_FORMER));
	jsonw_text(json, "severity", db_text(rows, row, R_SEVERITY));
	jsonw_text(json, "reason", db_text(rows, row, R_REASON));
	jsonw_text(json, "outcome", db_text(rows, row, R_OUTCOME));
	jsonw_text(json, "failure", db_text(rows, row, R_FAILURE));
	jsonw_text(json, "by", db_text(rows, row, R_BY));
	jsonw_text(json, "called_by", db_text(rows, row, R_CALLED_BY));
	jsonw_bool(json, "disputed", db_bool(rows, row, R_DISPUTED));
	jsonw_bool(json, "hook", db_bool(rows, row, R_HOOK));
}

const struct story story_reassessments = {
    .key = "reassessments",
    .title = "Severities set by rules",
    .sql = reassessments_sql,
    .tell = tell_reassessment,
    .write = write_reassessment,
};
