/* A ticket's life in the model, what of it was recorded, and the search for the life that explains all that was. */
#ifndef SLATED_TEST_HISTORY_PLAY_H
#define SLATED_TEST_HISTORY_PLAY_H

#include "history_internal.h"

/* What comes of it is in history->model. */
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

/* Where no event is late and no clock has moved yet. */
void play_open(struct play *play, struct history *history, const struct ticket_log *log, struct instant until);

void play_close(struct play *play);

/* Plays the first `n` events. */
void play_events(struct play *play, size_t n);

/* Plays all events, and on until play->until. */
void play_whole(struct play *play);

/* The ticket's timers up to `until`, and the configurations up to that one and moves to them that come between. */
void play_on(struct play *play, struct instant until, size_t configuration);

/* The next configuration comes into force, after the timers that came before. */
void play_configure(struct play *play);

/* When the clocks are still to move to the configuration in force. */
struct instant play_next_move(const struct play *play);

/* What was recorded and what the model has, and which of them are the same. */
struct pairs {
	bool *recorded; /* has one of the model */
	bool *model;    /* has a recorded one, or none was called for */
	size_t differences;
	size_t superseded;
};

void pairs_make(const struct history *history, const struct ticket_log *log, struct pairs *ret);

void pairs_clear(struct pairs *pairs);

/* Whether what the play has come to, from its `first` milestone on, was recorded. */
bool play_is_recorded(const struct play *play, size_t first);

/* Looks for the life that explains all that was recorded, and leaves it played, or one that comes near. False where no
 * timers explain the late events. */
bool play_search(struct play *play);

#endif
