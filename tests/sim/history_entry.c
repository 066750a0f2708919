/* Milestones beside each other. */
#include "history_internal.h"

#include <inttypes.h>
#include <string.h>

static const char *const text_names[TEXT_COUNT] = {"level",  "policy",     "calendar", "severity",
                                                   "reason", "escalation", "trigger"};

static bool
is_text_equal(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool
entry_is_same(const struct entry *a, const struct entry *b)
{
	return a->kind == b->kind && a->metric == b->metric && a->cycle == b->cycle && a->step == b->step &&
	       a->repeat == b->repeat && is_text_equal(a->texts[TEXT_LEVEL], b->texts[TEXT_LEVEL]) &&
	       is_text_equal(a->texts[TEXT_TRIGGER], b->texts[TEXT_TRIGGER]) &&
	       is_text_equal(a->texts[TEXT_ESCALATION], b->texts[TEXT_ESCALATION]);
}

const char *
entry_difference(const struct entry *a, const struct entry *b)
{
	if (a->kind != b->kind || a->metric != b->metric || a->cycle != b->cycle || a->step != b->step ||
	    a->repeat != b->repeat)
		return "kind";
	if (!instant_equal(a->at, b->at))
		return "at";
	if (!instant_equal(a->due_at, b->due_at))
		return "due_at";
	if (a->late_by.us != b->late_by.us)
		return "late_by";
	if (a->by_reassessment != b->by_reassessment)
		return "by_reassessment";
	for (unsigned i = 0; i < TEXT_COUNT; i++)
		if (!is_text_equal(a->texts[i], b->texts[i]))
			return text_names[i];
	if (a->n_notify != b->n_notify)
		return "notify";
	for (size_t i = 0; i < a->n_notify; i++)
		if (strcmp(a->notify[i], b->notify[i]) != 0)
			return "notify";
	return NULL;
}

static void
add_instant(FILE *out, const char *name, struct instant at)
{
	char text[INSTANT_TEXT_SIZE];
	if (instant_equal(at, INSTANT_NEVER))
		return;
	(void)instant_format(at, text);
	(void)fprintf(out, " %s %s", name, text);
}

const char *
entry_describe(const struct entry *entry, char text[static ENTRY_TEXT_SIZE])
{
	FILE *out = fmemopen(text, ENTRY_TEXT_SIZE, "w");
	if (out == NULL)
		return "a milestone";
	if (entry->metric != METRIC_COUNT)
		(void)fprintf(out, "%s.%" PRId32 " ", metric_names[entry->metric], entry->cycle);
	(void)fputs(milestone_names[entry->kind], out);
	add_instant(out, "at", entry->at);
	add_instant(out, "due_at", entry->due_at);
	for (unsigned i = 0; i < TEXT_COUNT; i++)
		if (entry->texts[i] != NULL)
			(void)fprintf(out, " %s %s", text_names[i], entry->texts[i]);
	if (entry->kind == MILESTONE_ESCALATED)
		(void)fprintf(out, " step %" PRId32 " repeat %" PRId32, entry->step, entry->repeat);
	if (entry->late_by.us > 0)
		(void)fprintf(out, " late_by %" PRId64 " us", entry->late_by.us);
	if (entry->by_reassessment)
		(void)fputs(" by_reassessment", out);
	for (size_t i = 0; i < entry->n_notify; i++)
		(void)fprintf(out, "%s%s", i == 0 ? " notify " : ",", entry->notify[i]);
	(void)fclose(out);
	text[ENTRY_TEXT_SIZE - 1] = '\0';
	return text;
}
