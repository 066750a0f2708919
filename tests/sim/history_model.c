/* What was recorded against the model: a fresh engine that is fed with the ticket's events.
 *
 * A severity that a rule has set is no event here; the model's own rule sets it. Three things are the daemon's to
 * decide, and are accounted for:
 * - An event that reached it after a timer of the ticket which came later than the event's instant is late: it counts
 * at that timer's instant, but after the timer. One of the timers that it can have been must explain all that followed.
 * - Clocks move to a new configuration (migrate) when a daemon comes to it. One instant must explain what a ticket's
 * clocks wrote.
 * - After downtime only the gravest of a clock's alerts sets a ladder going (model.md, section 8). */
#include "history_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Plays of one ticket with late events, before it is given up; and timers that are tried for one event. */
#define TRIES  2000
#define TIMERS 100
/* Instants that are tried for a move to another configuration. */
#define MOVES 20
/* A daemon's clock may be so far from the database's as the configuration changes. */
#define MOVES_BEFORE ((struct duration){-US_PER_S})
/* Tickets of which all is told. */
#define TOLD 2

/* One ticket's life in the model. What comes of it is in history->model. */
struct play {
	struct history *history;
	const struct ticket_log *log;
	struct instant until;
	struct instant *after; /* a late event comes after the timers up to this instant; INT64_MIN: after none */
	struct instant *moves; /* by configuration: when the ticket's clocks move to it; INSTANT_NEVER: they do not */
	struct ticket ticket;
	size_t configuration; /* in force, of the history's */
	bool moved;           /* the clocks, to that one */
	int64_t refused;      /* seq of an event that the model refuses, or 0 */
	bool in_time;         /* a late event was not late */
	char refusal[REFUSAL_SIZE];
};

/* When the clocks are still to move to the configuration in force. */
static struct instant
next_move(const struct play *play)
{
	return play->moved ? INSTANT_NEVER : play->moves[play->configuration];
}

static void
move_clocks(struct play *play)
{
	struct engine *engine = play->history->engine;
	struct instant at = next_move(play);
	play->moved = true;
	if (play->ticket.opened &&
	    (engine_advance(engine, &play->ticket, at) < 0 || engine_migrate(engine, &play->ticket, at) < 0))
		abort();
}

/* The next configuration comes into force, after the timers that came before. */
static void
configure_next(struct play *play)
{
	struct engine *engine = play->history->engine;
	if (instant_is_finite(next_move(play)))
		move_clocks(play);
	play->moved = false;
	const struct configuration *next = &play->history->configurations[++play->configuration];
	if (play->ticket.opened && engine_advance(engine, &play->ticket, next->from) < 0)
		abort();
	engine_configure(engine, next->set);
	if (engine_rematch(engine, &play->ticket) < 0)
		abort();
}

/* The ticket's timers up to `until`, and the configurations up to that one and moves to them that come between. */
static void
advance(struct play *play, struct instant until, size_t configuration)
{
	const struct history *history = play->history;
	while (true) {
		bool configures = play->configuration < configuration &&
		                  history->configurations[play->configuration + 1].from.us <= until.us;
		if (next_move(play).us <= until.us)
			move_clocks(play);
		else if (configures)
			configure_next(play);
		else
			break;
	}
	if (engine_advance(history->engine, &play->ticket, until) < 0)
		abort();
}

/* Plays the first `n` events. */
static void
play_events(struct play *play, size_t n)
{
	ticket_clear(&play->ticket);
	play->ticket = (struct ticket){.id = (uint64_t)play->log->ticket};
	play->refused = 0;
	play->in_time = false;
	history_scratch_reset(play->history);
	play->history->n_model = 0;
	play->configuration = 0;
	play->moved = false;
	engine_configure(play->history->engine, play->history->configurations[0].set);
	for (size_t i = 0; i < n && play->refused == 0; i++) {
		const struct noted_event *noted = &play->log->events[i];
		bool late;
		if (noted->event.at.us > play->until.us)
			break;
		if (noted->late && play->after[i].us > INT64_MIN)
			advance(play, play->after[i], noted->configuration);
		while (play->configuration < noted->configuration)
			configure_next(play);
		if (instant_before(next_move(play), noted->event.at))
			move_clocks(play);
		int r = engine_apply(play->history->engine, &play->ticket, &noted->event, &late, play->refusal);
		if (r == -ENOMEM)
			abort();
		if (r < 0)
			play->refused = noted->seq;
		else
			play->in_time |= noted->late && !late;
		ticket_prune(&play->ticket);
	}
}

static void
play_whole(struct play *play)
{
	play_events(play, play->log->n_events);
	if (play->ticket.opened)
		advance(play, play->until, play->history->n_configurations - 1);
}

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

/* Differences ------------------------------------------------------------------------------------------------------ */

/* Which are the same. */
struct pairs {
	bool *recorded; /* has one of the model */
	bool *model;    /* has a recorded one, or none was called for */
	size_t differences;
	size_t superseded;
};

static void
pair_entries(const struct history *history, const struct ticket_log *log, struct pairs *ret)
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

static void
pairs_clear(struct pairs *pairs)
{
	free(pairs->recorded);
	free(pairs->model);
}

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

/* Late events ------------------------------------------------------------------------------------------------------ */

struct search {
	struct play *play;
	size_t *late; /* which events are late */
	size_t n_late;
	unsigned tries;
	struct instant *best; /* play->after where it explained the most late events */
	size_t n_best;
};

/* Whether what the play has come to, from its `first` milestone on, was recorded. */
static bool
is_recorded(const struct play *play, size_t first)
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
	if (strict && (play->refused != 0 || play->in_time || !is_recorded(play, 0)))
		return 0;
	while (play->configuration < noted->configuration)
		configure_next(play);
	for (size_t i = event + 1; i < play->log->n_events; i++)
		if (!play->log->events[i].late)
			limit = instant_min(limit, play->log->events[i].event.at);
	if (instant_before(noted->event.at, play->ticket.last_at))
		ret[n++].us = INT64_MIN;
	while (n < TIMERS && (next = instant_min(ticket_next(&play->ticket), next_move(play))).us <= limit.us) {
		size_t first = play->history->n_model;
		advance(play, next, noted->configuration);
		if (strict && !is_recorded(play, first))
			break;
		if (instant_before(noted->event.at, next))
			ret[n++] = next;
	}
	return n;
}

static bool
explains_all(struct search *s)
{
	struct pairs pairs;
	s->tries++;
	play_whole(s->play);
	if (s->play->refused != 0 || s->play->in_time)
		return false;
	pair_entries(s->play->history, s->play->log, &pairs);
	pairs_clear(&pairs);
	return pairs.differences == 0;
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
		if (last ? explains_all(s) : explain(s, depth + 1))
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
play_late(struct play *play)
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

/* Plays the whole life; whether some timers explain the late events. */
static bool
play_once(struct play *play)
{
	if (play->log->has_late)
		return play_late(play);
	play_whole(play);
	return true;
}

static bool
explains_recorded(struct play *play)
{
	struct pairs pairs;
	if (!play_once(play) || play->refused != 0)
		return false;
	pair_entries(play->history, play->log, &pairs);
	pairs_clear(&pairs);
	return pairs.differences == 0;
}

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
		return explains_recorded(play);
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

/* The check -------------------------------------------------------------------------------------------------------- */

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
	struct play play = {.history = history, .log = log, .until = until};
	struct pairs pairs;
	play.after = calloc(log->n_events + 1, sizeof(play.after[0]));
	play.moves = calloc(history->n_configurations, sizeof(play.moves[0]));
	if (play.after == NULL || play.moves == NULL)
		abort();
	for (size_t i = 0; i < history->n_configurations; i++)
		play.moves[i] = INSTANT_NEVER;
	for (size_t i = 0; i < log->n_events; i++) {
		play.after[i].us = INT64_MIN;
		history->n_late += log->events[i].late;
	}
	bool explained = explain_moves(&play, 0) || play_once(&play);
	pair_entries(history, log, &pairs);
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
	ticket_clear(&play.ticket);
	check_recorded(history, log, &play);
	free(play.after);
	free(play.moves);
}
