/* What was recorded beside what the model has. */
#include "history_play.h"

#include <stdlib.h>
#include <string.h>

/* Superseded steps ------------------------------------------------------------------------------------------------- */

/* Whether an event came after `from` and up to `to`. */
static bool
has_event(const struct ticket_log *log, struct instant from, struct instant to)
{
	for (size_t i = 0; i < log->n_events; i++)
		if (!log->events[i].late && log->events[i].event.at.us > from.us && log->events[i].event.at.us <= to.us)
			return true;
	return false;
}

static bool
is_of_clock(const struct entry *entry, const struct entry *step)
{
	return entry->metric == step->metric && entry->cycle == step->cycle;
}

static bool
is_own_level(const struct entry *entry, const struct entry *step)
{
	const char *level = entry->texts[TEXT_LEVEL];
	return entry->kind == MILESTONE_AT_RISK && level != NULL && strcmp(level, step->texts[TEXT_TRIGGER]) == 0;
}

/* Whether nobody was there when both came, or both were caught up with as somebody came back: of a ticket whose first
 * event was committed long after it, say. */
static bool
covers(const struct absence *absence, struct instant begin, const struct entry *own, const struct entry *graver)
{
	if (absence->from.us <= begin.us && graver->at.us <= absence->to.us)
		return true;
	return absence->from.us <= own->recorded_at.us && own->recorded_at.us == graver->recorded_at.us &&
	       graver->recorded_at.us <= absence->to.us;
}

/* A graver alert of the step's clock had taken its place, in the same stretch between two events. */
static bool
is_superseded(const struct history *history, const struct ticket_log *log, const struct entry *step)
{
	const struct entry *own = NULL;
	if (step->kind != MILESTONE_ESCALATED)
		return false;
	for (size_t i = 0; i < log->n_recorded && own == NULL; i++)
		if (is_of_clock(&log->recorded[i], step) && is_own_level(&log->recorded[i], step))
			own = &log->recorded[i];
	for (size_t i = 0; own != NULL && i < log->n_recorded; i++) {
		const struct entry *graver = &log->recorded[i];
		bool alerts = graver->kind == MILESTONE_BREACHED ||
		              (graver->kind == MILESTONE_AT_RISK && !is_own_level(graver, step));
		if (!alerts || !is_of_clock(graver, step) || instant_before(graver->at, own->at))
			continue;
		struct instant begin = graver->kind == MILESTONE_AT_RISK ? instant_min(own->at, step->at) : step->at;
		for (size_t j = 0; j < history->n_absences && begin.us <= graver->at.us; j++)
			if (covers(&history->absences[j], begin, own, graver) && !has_event(log, begin, graver->at))
				return true;
	}
	return false;
}

/* Pairs ------------------------------------------------------------------------------------------------------------ */

void
pairs_make(const struct history *history, const struct ticket_log *log, struct pairs *ret)
{
	size_t next = 0; /* in the model; nearly always the one that fits */
	*ret = (struct pairs){.recorded = calloc(log->n_recorded + 1, 1), .model = calloc(history->n_model + 1, 1)};
	if (ret->recorded == NULL || ret->model == NULL)
		abort();
	for (size_t i = 0; i < log->n_recorded; i++) {
		for (size_t k = 0; k < history->n_model && !ret->recorded[i]; k++) {
			size_t j = (next + k) % history->n_model;
			if (ret->model[j] || entry_difference(&log->recorded[i], &history->model[j]) != NULL)
				continue;
			ret->model[j] = ret->recorded[i] = true;
			next = j + 1;
		}
		ret->differences += !ret->recorded[i];
	}
	for (size_t j = 0; j < history->n_model; j++) {
		if (ret->model[j])
			continue;
		ret->model[j] = is_superseded(history, log, &history->model[j]);
		ret->superseded += ret->model[j];
		ret->differences += !ret->model[j];
	}
}

void
pairs_clear(struct pairs *pairs)
{
	free(pairs->recorded);
	free(pairs->model);
}

bool
play_is_recorded(const struct play *play, size_t first)
{
	const struct history *history = play->history;
	const struct ticket_log *log = play->log;
	for (size_t j = first; j < history->n_model; j++) {
		size_t i = 0;
		while (i < log->n_recorded && entry_difference(&log->recorded[i], &history->model[j]) != NULL)
			i++;
		if (i == log->n_recorded && !is_superseded(history, log, &history->model[j]))
			return false;
	}
	return true;
}
