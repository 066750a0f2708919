/* What was recorded against the model: a fresh engine that is fed with the ticket's events.
 *
 * A severity that a rule has set is no event here; the model's own rule sets it. Three things are the daemon's to
 * decide, and are accounted for:
 * - An event that reached it after a timer of the ticket which came later than the event's instant is late: it counts
 * at that timer's instant, but after the timer. One of the timers that it can have been must explain all that followed.
 * - Clocks move to a new configuration (migrate) when a daemon comes to it. One instant must explain what a ticket's
 * clocks wrote.
 * - After downtime only the gravest of a clock's alerts sets a ladder going (model.md, section 8). */
#include "history_play.h"

#include <inttypes.h>
#include <string.h>

/* Tickets of which all is told. */
#define TOLD 2

static void
tell_differences(struct history *history, const struct ticket_log *log, struct pairs *pairs)
{
	char text[ENTRY_TEXT_SIZE];
	char other[ENTRY_TEXT_SIZE];
	for (size_t i = 0; i < log->n_recorded; i++) {
		const struct entry *recorded = &log->recorded[i];
		size_t j = 0;
		if (pairs->recorded[i])
			continue;
		while (j < history->n_model && (pairs->model[j] || !entry_is_same(recorded, &history->model[j])))
			j++;
		if (j == history->n_model) {
			history_blame(history, CHECK_UNEXPECTED,
			              "ticket %" PRId64 ": recorded, but not in the model: %s", log->ticket,
			              entry_describe(recorded, text));
			continue;
		}
		pairs->model[j] = true;
		history_blame(history, CHECK_DIFFERENT, "ticket %" PRId64 ": wrong %s: %s; in the model: %s",
		              log->ticket, entry_difference(recorded, &history->model[j]),
		              entry_describe(recorded, text), entry_describe(&history->model[j], other));
	}
	for (size_t j = 0; j < history->n_model; j++)
		if (!pairs->model[j])
			history_blame(history, CHECK_MISSING, "ticket %" PRId64 ": in the model, but not recorded: %s",
			              log->ticket, entry_describe(&history->model[j], text));
}

static void
tell_history(struct history *history, const struct ticket_log *log)
{
	char at[INSTANT_TEXT_SIZE];
	char text[ENTRY_TEXT_SIZE];
	if (history->report == NULL)
		return;
	(void)fprintf(history->report, "# ticket %" PRId64 ":\n", log->ticket);
	for (size_t i = 0; i < log->n_events; i++) {
		const struct noted_event *noted = &log->events[i];
		const struct ticket_event *event = &noted->event;
		(void)instant_format(event->at, at);
		(void)fprintf(history->report, "#   %s event %" PRId64 "%s %s", at, noted->seq,
		              noted->late ? " late" : "", event_names[event->kind]);
		if (event->kind == EVENT_STATUS || event->kind == EVENT_OPENED)
			(void)fprintf(history->report, " %s", status_names[event->status]);
		if (event->severity != NULL)
			(void)fprintf(history->report, " severity %s", event->severity);
		if (event->kind == EVENT_REPLY)
			(void)fprintf(history->report, " by %s%s%s", actor_names[event->by],
			              event->is_public ? "" : ", not public", event->requests ? ", #escalate" : "");
		(void)fputc('\n', history->report);
	}
	for (size_t i = 0; i < log->n_recorded; i++) {
		(void)instant_format(log->recorded[i].recorded_at, at);
		(void)fprintf(history->report, "#   %s recorded %s\n", at, entry_describe(&log->recorded[i], text));
	}
}

static bool
has_identity(const struct entry *entry)
{
	return entry->kind != MILESTONE_PAUSED && entry->kind != MILESTONE_RESUMED &&
	       entry->kind != MILESTONE_RETARGETED;
}

/* Whether a timer of the ticket was recorded at this instant, and not before it. */
static bool
was_reached(const struct ticket_log *log, struct instant at)
{
	for (size_t i = 0; i < log->n_recorded; i++) {
		const struct entry *entry = &log->recorded[i];
		if (instant_equal(entry->at, at) && !instant_before(entry->recorded_at, at))
			return true;
	}
	return false;
}

/* A timer's must not be recorded before its time has come. An event's stands at the event's instant, or a late one's
 * at the ticket's last, an event's or a timer's, which a clock that was set back may come to later. A move is at the
 * daemon's instant. */
static bool
is_early(const struct ticket_log *log, const struct entry *entry, const struct play *play)
{
	bool fired =
	    entry->kind == MILESTONE_AT_RISK || entry->kind == MILESTONE_BREACHED || entry->kind == MILESTONE_ESCALATED;
	if (!fired || !instant_before(entry->recorded_at, entry->at))
		return false;
	for (size_t i = 0; i < play->history->n_configurations; i++)
		if (instant_equal(play->moves[i], entry->at))
			return false;
	for (size_t i = 0; i < log->n_events; i++) {
		const struct noted_event *noted = &log->events[i];
		if (instant_equal(noted->event.at, entry->at) ||
		    (noted->late && instant_before(noted->event.at, entry->at) && was_reached(log, entry->at)))
			return false;
	}
	return true;
}

static void
check_recorded(struct history *history, const struct ticket_log *log, const struct play *play)
{
	char text[ENTRY_TEXT_SIZE];
	char at[INSTANT_TEXT_SIZE];
	for (size_t i = 0; i < log->n_recorded; i++) {
		const struct entry *entry = &log->recorded[i];
		if (is_early(log, entry, play)) {
			(void)instant_format(entry->recorded_at, at);
			history_blame(history, CHECK_EARLY, "ticket %" PRId64 ": early, at %s: %s", log->ticket, at,
			              entry_describe(entry, text));
		}
		size_t j = 0;
		while (j < i && !(has_identity(entry) && entry_is_same(entry, &log->recorded[j])))
			j++;
		if (j < i)
			history_blame(history, CHECK_TWICE, "ticket %" PRId64 ": recorded twice: %s", log->ticket,
			              entry_describe(entry, text));
	}
}

void
history_check_model(struct history *history, const struct ticket_log *log, struct instant until)
{
	struct play play;
	struct pairs pairs;
	play_open(&play, history, log, until);
	for (size_t i = 0; i < log->n_events; i++)
		history->n_late += log->events[i].late;
	bool explained = play_search(&play);
	pairs_make(history, log, &pairs);
	history->n_recorded += log->n_recorded;
	history->n_superseded += pairs.superseded;
	for (size_t i = 0; i < history->n_model; i++)
		history->last_at = instant_max(history->last_at, history->model[i].at);
	if (play.refused != 0)
		history_blame(history, CHECK_ACCEPTED, "ticket %" PRId64 ": the model refuses event %" PRId64 ": %s",
		              log->ticket, play.refused, play.refusal);
	if (!explained)
		history_blame(history, CHECK_LATE, "ticket %" PRId64 ": no timer explains its late events",
		              log->ticket);
	if ((!explained || pairs.differences > 0) && history->n_told++ < TOLD)
		tell_history(history, log);
	tell_differences(history, log, &pairs);
	pairs_clear(&pairs);
	check_recorded(history, log, &play);
	play_close(&play);
}
