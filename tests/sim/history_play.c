/* A ticket's events, put to a fresh engine. */
#include "history_play.h"

#include <errno.h>
#include <stdlib.h>

void
play_open(struct play *play, struct history *history, const struct ticket_log *log, struct instant until)
{
	*play = (struct play){.history = history, .log = log, .until = until};
	play->after = calloc(log->n_events + 1, sizeof(play->after[0]));
	play->moves = calloc(history->n_configurations, sizeof(play->moves[0]));
	if (play->after == NULL || play->moves == NULL)
		abort();
	for (size_t i = 0; i < log->n_events; i++)
		play->after[i].us = INT64_MIN;
	for (size_t i = 0; i < history->n_configurations; i++)
		play->moves[i] = INSTANT_NEVER;
}

void
play_close(struct play *play)
{
	ticket_clear(&play->ticket);
	free(play->after);
	free(play->moves);
}

struct instant
play_next_move(const struct play *play)
{
	return play->moved ? INSTANT_NEVER : play->moves[play->configuration];
}

static void
move_clocks(struct play *play)
{
	struct engine *engine = play->history->engine;
	struct instant at = play_next_move(play);
	play->moved = true;
	if (play->ticket.opened &&
	    (engine_advance(engine, &play->ticket, at) < 0 || engine_migrate(engine, &play->ticket, at) < 0))
		abort();
}

void
play_configure(struct play *play)
{
	struct engine *engine = play->history->engine;
	if (instant_is_finite(play_next_move(play)))
		move_clocks(play);
	play->moved = false;
	const struct configuration *next = &play->history->configurations[++play->configuration];
	if (play->ticket.opened && engine_advance(engine, &play->ticket, next->from) < 0)
		abort();
	engine_configure(engine, next->set);
	if (engine_rematch(engine, &play->ticket) < 0)
		abort();
}

void
play_on(struct play *play, struct instant until, size_t configuration)
{
	const struct history *history = play->history;
	while (true) {
		bool configures = play->configuration < configuration &&
		                  history->configurations[play->configuration + 1].from.us <= until.us;
		if (play_next_move(play).us <= until.us)
			move_clocks(play);
		else if (configures)
			play_configure(play);
		else
			break;
	}
	if (engine_advance(history->engine, &play->ticket, until) < 0)
		abort();
}

void
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
			play_on(play, play->after[i], noted->configuration);
		while (play->configuration < noted->configuration)
			play_configure(play);
		if (instant_before(play_next_move(play), noted->event.at))
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

void
play_whole(struct play *play)
{
	play_events(play, play->log->n_events);
	if (play->ticket.opened)
		play_on(play, play->until, play->history->n_configurations - 1);
}
