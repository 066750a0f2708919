#include "story.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A milestone that is recorded so much after its instant is said to be. */
#define LATE_AFTER ((struct duration){5 * US_PER_S})

/* Milestones ------------------------------------------------------------------------------------------------------- */

static void
add_due(struct text *text, const char *words, const PGresult *rows, int row)
{
	char due[VIEW_TEXT_SIZE];
	if (result_text(rows, row, MILESTONE_ROW_DUE) == NULL)
		return;
	view_instant(result_instant(rows, row, MILESTONE_ROW_DUE), due);
	text_add_format(text, "%s%s", words, due);
}

static struct duration
late_by(const PGresult *rows, int row)
{
	const char *text = result_text(rows, row, MILESTONE_ROW_LATE_BY);
	return (struct duration){text == NULL ? 0 : (int64_t)(strtod(text, NULL) * (double)US_PER_S)};
}

static void
tell_target(struct text *text, const PGresult *rows, int row)
{
	text_add_format(text, " (policy %s, severity %s, calendar %s)", result_text(rows, row, MILESTONE_ROW_POLICY),
	                result_text(rows, row, MILESTONE_ROW_SEVERITY), result_text(rows, row, MILESTONE_ROW_CALENDAR));
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
	const char *level = result_text(rows, row, MILESTONE_ROW_LEVEL);
	bool used = level != NULL && strchr(level, '%') != NULL;
	text_add_format(text, used ? " at risk: %s of its time used" : " at risk: %s left",
	                level != NULL ? level : "?");
	add_due(text, ", due ", rows, row);
	return VIEW_YELLOW;
}

static const char *
tell_breached(struct text *text, const PGresult *rows, int row)
{
	text_add_string(text, " BREACHED");
	add_due(text, ", was due ", rows, row);
	if (result_bool(rows, row, MILESTONE_ROW_BY_REASSESSMENT))
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
		text_add_format(text, ", %s late", length);
		return VIEW_YELLOW;
	}
	if (result_text(rows, row, MILESTONE_ROW_DUE) != NULL) {
		view_length(instant_since(result_instant(rows, row, MILESTONE_ROW_DUE),
		                          result_instant(rows, row, MILESTONE_ROW_AT)),
		            length);
		text_add_format(text, ", %s before it was due", length);
	}
	return VIEW_GREEN;
}

static const char *
tell_withdrawn(struct text *text, const PGresult *rows, int row)
{
	const char *reason = result_text(rows, row, MILESTONE_ROW_REASON);
	text_add_format(text, " withdrawn: %s", reason != NULL ? reason : "no reason given");
	return NULL;
}

/* Whom the step reached in truth: roles are looked up when it fires. */
static void
tell_reach(struct text *text, const PGresult *rows, int row)
{
	const char *told = result_text(rows, row, MILESTONE_ROW_TOLD);
	if (result_text(rows, row, MILESTONE_ROW_UNSET) != NULL)
		text_add_format(text, ", nobody set for %s", result_text(rows, row, MILESTONE_ROW_UNSET));
	if (result_text(rows, row, MILESTONE_ROW_SILENCED_BY) != NULL)
		text_add_format(text, ", silenced by %s", result_text(rows, row, MILESTONE_ROW_SILENCED_BY));
	else if (told != NULL)
		text_add_format(text, ", told %s", *told != '\0' ? told : "nobody");
}

static const char *
tell_escalated(struct text *text, const PGresult *rows, int row)
{
	const char *notify = result_text(rows, row, MILESTONE_ROW_NOTIFY);
	text_add_format(text, " escalated to %s: ladder %s, step %" PRId64 ", on %s",
	                notify != NULL && *notify != '\0' ? notify : "nobody",
	                result_text(rows, row, MILESTONE_ROW_ESCALATION), result_number(rows, row, MILESTONE_ROW_STEP),
	                result_text(rows, row, MILESTONE_ROW_TRIGGER));
	if (result_number(rows, row, MILESTONE_ROW_REPEAT) > 0)
		text_add_format(text, ", repeat %" PRId64, result_number(rows, row, MILESTONE_ROW_REPEAT));
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
	struct duration delay = instant_since(result_instant(rows, row, MILESTONE_ROW_RECORDED),
	                                      result_instant(rows, row, MILESTONE_ROW_AT));
	if (!timed || delay.us < LATE_AFTER.us)
		return;
	view_length(delay, length);
	text_add_format(text, " (recorded %s later)", length);
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
	const char *milestone = result_text(rows, row, MILESTONE_ROW_MILESTONE);
	const char *metric = result_text(rows, row, MILESTONE_ROW_METRIC);
	const char *color = NULL;
	text_add_string(text, metric != NULL ? metric : "ticket");
	if (result_number(rows, row, MILESTONE_ROW_CYCLE) > 1)
		text_add_format(text, " (%" PRId64 ")", result_number(rows, row, MILESTONE_ROW_CYCLE));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(milestone, kinds[i].milestone) == 0)
			color = kinds[i].tell(text, rows, row);
	add_delay(text, milestone, rows, row);
	return color;
}

const struct story story_milestones = {
    .rows = &story_row_milestones,
    .title = "Milestones",
    .tell = tell_milestone,
};

/* Events ----------------------------------------------------------------------------------------------------------- */

static void
tell_reply(const PGresult *rows, int row, struct text *text)
{
	const char *by = result_text(rows, row, EVENT_ROW_BY);
	text_add_format(text, result_bool(rows, row, EVENT_ROW_PUBLIC) ? "reply by %s" : "internal note by %s",
	                by != NULL ? by : "?");
	if (result_bool(rows, row, EVENT_ROW_ESCALATE))
		text_add_string(text, ", asks for escalation");
}

static void
add_by(const PGresult *rows, int row, struct text *text)
{
	if (result_text(rows, row, EVENT_ROW_BY) != NULL)
		text_add_format(text, " by %s", result_text(rows, row, EVENT_ROW_BY));
	if (result_text(rows, row, EVENT_ROW_REASON) != NULL)
		text_add_format(text, ": %s", result_text(rows, row, EVENT_ROW_REASON));
}

static void
tell_fact(const char *kind, const PGresult *rows, int row, struct text *text)
{
	char length[VIEW_TEXT_SIZE];
	const char *severity = result_text(rows, row, EVENT_ROW_SEVERITY);
	if (severity == NULL)
		severity = "none";
	if (strcmp(kind, "opened") == 0) {
		const char *facts = result_text(rows, row, EVENT_ROW_FACTS_TEXT);
		text_add_format(text, "opened: severity %s, status %s", severity,
		                result_text(rows, row, EVENT_ROW_STATUS));
		if (facts != NULL && *facts != '\0')
			text_add_format(text, ", %s", facts);
	} else if (strcmp(kind, "status") == 0) {
		text_add_format(text, "status set to %s", result_text(rows, row, EVENT_ROW_STATUS));
	} else if (strcmp(kind, "severity") == 0) {
		text_add_format(text, "severity set to %s", severity);
		add_by(rows, row, text);
	} else if (strcmp(kind, "changed") == 0) {
		text_add_format(text, "changed: %s", result_text(rows, row, EVENT_ROW_FACTS_TEXT));
	} else if (strcmp(kind, "ack") == 0) {
		text_add_string(text, "acknowledged");
		add_by(rows, row, text);
		view_length((struct duration){result_number(rows, row, EVENT_ROW_FOR)}, length);
		if (result_text(rows, row, EVENT_ROW_FOR) != NULL)
			text_add_format(text, ", holds the escalation for %s", length);
	} else if (strcmp(kind, "merged") == 0) {
		text_add_format(text, "merged into %s", result_text(rows, row, EVENT_ROW_INTO_NAME));
	} else {
		text_add_string(text,
		                strcmp(kind, "dispute") == 0 ? "severity disputed" : "severity assessed, it stays");
		add_by(rows, row, text);
	}
}

static const char *
tell_event(const PGresult *rows, int row, struct text *text)
{
	const char *kind = result_text(rows, row, EVENT_ROW_KIND);
	const char *refused = result_text(rows, row, EVENT_ROW_REFUSED);
	if (strcmp(kind, "reply") == 0)
		tell_reply(rows, row, text);
	else
		tell_fact(kind, rows, row, text);
	if (result_bool(rows, row, EVENT_ROW_LATE))
		text_add_string(text, " (came late)");
	if (refused != NULL)
		text_add_format(text, " REFUSED: %s", refused);
	return refused != NULL ? VIEW_RED : NULL;
}

const struct story story_events = {
    .rows = &story_row_events,
    .title = "Events",
    .tell = tell_event,
};

/* Reassessments ---------------------------------------------------------------------------------------------------- */

static const char *
tell_reassessment(const PGresult *rows, int row, struct text *text)
{
	const char *outcome = result_text(rows, row, REASSESSMENT_ROW_OUTCOME);
	const char *severity = result_text(rows, row, REASSESSMENT_ROW_SEVERITY);
	if (outcome != NULL && strcmp(outcome, "failed") == 0) {
		text_add_format(text, "%s: the hook failed: %s", result_text(rows, row, REASSESSMENT_ROW_RULE),
		                result_text(rows, row, REASSESSMENT_ROW_FAILURE));
		return NULL;
	}
	if (severity == NULL || (outcome != NULL && strcmp(outcome, "unchanged") == 0)) {
		text_add_format(text, "%s: %s", result_text(rows, row, REASSESSMENT_ROW_RULE),
		                outcome == NULL ? "the hook is being asked" : "the hook changed nothing");
		return NULL;
	}
	text_add_format(text, "%s: %s to %s: %s", result_text(rows, row, REASSESSMENT_ROW_RULE),
	                result_text(rows, row, REASSESSMENT_ROW_FORMER), severity,
	                result_text(rows, row, REASSESSMENT_ROW_REASON));
	if (result_bool(rows, row, REASSESSMENT_ROW_DISPUTED))
		text_add_string(text, " (disputed)");
	if (outcome == NULL)
		text_add_string(text, " (still to be written to the ticket)");
	else if (strcmp(outcome, "overtaken") == 0)
		text_add_string(text, " (overtaken: somebody set the severity first)");
	return NULL;
}

const struct story story_reassessments = {
    .rows = &story_row_reassessments,
    .title = "Severities set by rules",
    .tell = tell_reassessment,
};
