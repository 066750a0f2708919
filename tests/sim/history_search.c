/* The search for what is the daemon's to decide. */
#include "history_play.h"

#include <stdlib.h>
#include <string.h>

/* Plays of one ticket with late events, before it is given up; and timers that are tried for one event. */
#define TRIES  2000
#define TIMERS 100
/* Instants that are tried for a move to another configuration. */
#define MOVES 20
/* The clocks may be set back by so much just after the configuration has changed (step_clock() of simulate.c: 3 s). */
#define MOVES_BEFORE ((struct duration){-4 * US_PER_S})

/* Whether the play, as it stands, comes to what was recorded. */
static bool
explains_all(struct play *play)
{
	struct pairs pairs;
	play_whole(play);
	if (play->refused != 0 || play->in_time)
		return false;
	pairs_make(play->history, play->log, &pairs);
	pairs_clear(&pairs);
	return pairs.differences == 0;
}

/* Late events ------------------------------------------------------------------------------------------------------ */

struct search {
	struct play *play;
	size_t *late; /* which events are late */
	size_t n_late;
	unsigned tries;
	struct instant *best; /* play->after where it explained the most late events */
	size_t n_best;
};

/* The instants of the timers and moves that a late event can have come after, with what is before it settled; `strict`:
 * only as long as all of that was recorded. */
static size_t
list_timers(struct search *s, size_t event, bool strict, struct instant ret[static TIMERS])
{
	struct play *play = s->play;
	const struct noted_event *noted = &play->log->events[event];
	struct instant limit = play->until;
	struct instant next;
	size_t n = 0;
	s->tries++;
	play_events(play, event);
	if (strict && (play->refused != 0 || play->in_time || !play_is_recorded(play, 0)))
		return 0;
	while (play->configuration < noted->configuration)
		play_configure(play);
	for (size_t i = event + 1; i < play->log->n_events; i++)
		if (!play->log->events[i].late)
			limit = instant_min(limit, play->log->events[i].event.at);
	if (instant_before(noted->event.at, play->ticket.last_at))
		ret[n++].us = INT64_MIN;
	while (n < TIMERS && (next = instant_min(ticket_next(&play->ticket), play_next_move(play))).us <= limit.us) {
		size_t first = play->history->n_model;
		play_on(play, next, noted->configuration);
		if (strict && !play_is_recorded(play, first))
			break;
		if (instant_before(noted->event.at, next))
			ret[n++] = next;
	}
	return n;
}

/* Tries the timers of one late event, and for each of them those of the late events after it. */
static bool
explain(struct search *s, size_t depth)
{
	struct instant timers[TIMERS];
	struct instant *after = &s->play->after[s->late[depth]];
	bool last = depth + 1 == s->n_late;
	size_t n = list_timers(s, s->late[depth], true, timers);
	if (n > 0 && depth >= s->n_best) {
		s->n_best = depth;
		memcpy(s->best, s->play->after, s->play->log->n_events * sizeof(s->best[0]));
	}
	for (size_t i = 0; i < n && s->tries < TRIES; i++) {
		*after = timers[i];
		s->tries += last;
		if (last ? explains_all(s->play) : explain(s, depth + 1))
			return true;
	}
	after->us = INT64_MIN;
	return false;
}

/* For the report: where the search came furthest, and from there on each late event after the first timer. */
static void
play_nearly(struct search *s)
{
	struct instant timers[TIMERS];
	memcpy(s->play->after, s->best, s->play->log->n_events * sizeof(s->best[0]));
	for (size_t depth = s->n_best; depth < s->n_late; depth++)
		if (list_timers(s, s->late[depth], false, timers) > 0)
			s->play->after[s->late[depth]] = timers[0];
	play_whole(s->play);
}

/* Leaves the play that explains the late events, or one that comes near. */
static bool
explain_late(struct play *play)
{
	size_t n = play->log->n_events;
	struct search s = {.play = play, .late = calloc(n, sizeof(s.late[0])), .best = calloc(n, sizeof(s.best[0]))};
	if (s.late == NULL || s.best == NULL)
		abort();
	for (size_t i = 0; i < n; i++)
		if (play->log->events[i].late)
			s.late[s.n_late++] = i;
	memcpy(s.best, play->after, n * sizeof(s.best[0]));
	bool found = explain(&s, 0);
	if (!found)
		play_nearly(&s);
	free(s.late);
	free(s.best);
	return found;
}

/* Moves ------------------------------------------------------------------------------------------------------------ */

/* Whether a milestone looks like what a move writes. */
static bool
tells_of_move(const struct entry *entry)
{
	return entry->kind == MILESTONE_RETARGETED ||
	       (entry->kind == MILESTONE_WITHDRAWN && strcmp(entry->texts[TEXT_REASON], "no target") == 0);
}

/* When the ticket's clocks can have moved to a configuration: at the instant of something recorded under it, or, where
 * that wrote nothing, at once. The likeliest first. */
static size_t
list_moves(const struct play *play, size_t configuration, struct instant ret[static MOVES])
{
	const struct history *history = play->history;
	struct instant from = instant_plus(history->configurations[configuration].from, MOVES_BEFORE), to = play->until;
	size_t n = 0;
	if (configuration + 1 < history->n_configurations)
		to = history->configurations[configuration + 1].from;
	for (int likely = 1; likely >= 0; likely--) {
		for (size_t i = 0; i < play->log->n_recorded && n < MOVES - 1; i++) {
			const struct entry *entry = &play->log->recorded[i];
			bool listed = false;
			for (size_t k = 0; k < n; k++)
				listed |= instant_equal(ret[k], entry->at);
			if (!listed && tells_of_move(entry) == (likely == 1) && from.us <= entry->at.us &&
			    entry->at.us < to.us)
				ret[n++] = entry->at;
		}
		if (likely == 1)
			ret[n++] = from;
	}
	return n;
}

/* Tries when the clocks moved to a configuration, and for each of these instants those of the next ones. */
static bool
explain_moves(struct play *play, size_t configuration)
{
	const struct history *history = play->history;
	struct instant moves[MOVES];
	if (configuration == history->n_configurations)
		return play->log->has_late ? explain_late(play) : explains_all(play);
	if (!history->configurations[configuration].migrates)
		return explain_moves(play, configuration + 1);
	size_t n = list_moves(play, configuration, moves);
	for (size_t i = 0; i < n; i++) {
		play->moves[configuration] = moves[i];
		if (explain_moves(play, configuration + 1))
			return true;
	}
	play->moves[configuration] = moves[0];
	return false;
}

bool
play_search(struct play *play)
{
	if (explain_moves(play, 0))
		return true;
	if (play->log->has_late)
		return explain_late(play);
	play_whole(play);
	return true;
}
