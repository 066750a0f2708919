/* What the files of the adapters share: adapter.c goes through a round, adapter_life.c makes and ends them,
 * adapter_catch_up.c waits for what was there before deadlines go on. */
#ifndef SLATED_IO_ADAPTER_INTERNAL_H
#define SLATED_IO_ADAPTER_INTERNAL_H

#include "slated/adapter.h"
#include "slated/loop.h"
#include "slated/pg.h"
#include "slated/pg_array.h"

/* Between two rounds. */
#define ADAPTER_REST ((struct duration){US_PER_S / 2})

enum adapter_step {
	STEP_REST,
	STEP_WAITING,
	STEP_TURN,
	STEP_TAKE,
	STEP_APPLY,
	STEP_DONE,
	STEP_SLICE,
	STEP_COMPARE,
	STEP_SWEPT,
	STEP_WANTED,
	STEP_REQUESTS,
	STEP_WRITE
};

/* What a step's answer left for the next ones; each text is to be freed. */
struct reading {
	char *ids;
	char *documents;
	char *error_ids;
	char *errors;
	char *last;
	bool more;
};

struct adapter {
	struct adapters *all;
	const struct adapter_settings *settings;
	struct pg *theirs;
	struct pg *ours;
	struct pg_server server; /* theirs */
	struct timer *timer;
	enum adapter_step step;
	bool failed;
	struct reading reading;
	int64_t turn_at; /* ticks; 0: not ours */
	bool mine;
	bool compare;
	char *after; /* what to compare; see sla.adapter_turn() */
	char *since;
	char *keys;
	char *hurry; /* tickets that are due soon, an array's text, or NULL */
	int64_t waiting;
	bool round;          /* one is under way */
	bool behind;         /* deadlines wait for it */
	bool marked;         /* and for these changes: */
	int64_t mark;        /* the last one that was there */
	int64_t answered_at; /* ticks: the last answer that was no error */
	char *writer;        /* the channel that writes to its tickets, or NULL */
	struct text set;     /* what follows the clocks there, an array's text */
	char *tag;           /* the field for it, or NULL */
	int64_t look_at;     /* ticks: when to look what is to be written */
	int64_t asked_at;    /* ticks */
	struct adapter *next;
};

struct adapters {
	struct event_base *base;
	struct loop *loop;
	const char *instance;
	struct adapters_hooks hooks;
	struct text told;       /* the channels that are told what was overdue at attach, an array's text */
	const char *link;       /* the template of tickets' links, or NULL */
	bool catching_up;       /* deadlines wait */
	int64_t behind_since;   /* ticks */
	struct timer *patience; /* looks whether that still makes sense */
	struct adapter *first;
};

void reading_clear(struct reading *reading);

/* Ends the round; the next one begins after that time. */
void adapter_rest(struct adapter *a, struct duration for_);

/* Tells why something could not be taken over. */
void adapter_tell(struct adapter *a, const char *text);

/* Begins a round; the timer's. */
void adapter_on_timer(void *arg);

/* Where deadlines wait for it: `first` and `last` are the changes that there are now, 0 where there are none. */
void adapter_note_waiting(struct adapter *a, int64_t first, int64_t last);

/* Deadlines wait for it no longer. */
void adapter_end_wait(struct adapter *a);

/* One that has just been made, in place of others that deadlines may wait for. */
void adapter_join(struct adapter *a);

/* The timer's: gives up those that cannot be read. */
void adapters_on_patience(void *arg);

/* Ends the waiting where no adapter is behind any more. */
void adapters_look(struct adapters *adapters);

#endif
