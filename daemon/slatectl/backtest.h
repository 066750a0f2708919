/* slatectl backtest: recorded events played under a draft and, beside it, under another configuration.
 *
 *   backtest_source.c   where events come from: the database, or NDJSON
 *   backtest_play.c     two engines that get the same events; what became of each clock
 *   backtest_count.c    what is counted of it
 *   backtest_sum.c      and what is made of it for
 *   backtest_write.c    text and JSON,
 *   backtest_html.c     and HTML
 *
 * Tickets are independent of each other, so each is played by itself, and forgotten once it is counted. */
#ifndef SLATED_SLATECTL_BACKTEST_H
#define SLATED_SLATECTL_BACKTEST_H

#include <stdio.h>
#include <uthash.h>

#include "slated/engine.h"
#include "view.h"

struct config;
struct db;

enum backtest_side {
	BEFORE,
	AFTER, /* under the draft */
	SIDES,
};

enum verdict {
	VERDICT_NONE, /* no such clock */
	VERDICT_IN_TIME,
	VERDICT_MISSED,
	VERDICT_WITHDRAWN,
	VERDICT_OPEN, /* not over at the end, and not due by then */
	VERDICTS,
};

extern const char *const verdict_names[VERDICTS];
extern const char *const verdict_words[VERDICTS]; /* for people */

/* What became of one clock. */
struct outcome {
	const struct policy *policy;
	struct instant due_at; /* the last one; INSTANT_NEVER: none */
	uint32_t cycle;
	uint8_t metric;
	uint8_t severity;
	uint8_t verdict;
};

/* A ticket on one side. */
struct half {
	struct ticket ticket; /* first: the engine's sink leads here */
	struct outcome *outcomes;
	size_t n;
	size_t room;
};

struct played {
	UT_hash_handle hh;          /* of NDJSON's tickets, by name */
	struct half *halves[SIDES]; /* NULL: counted already, not asked for, or there is no such side */
	int64_t id;
	struct instant answered_at; /* the first public reply by an agent, INSTANT_NEVER */
	struct instant solved_at;
	char name[];
};

/* How long first responses and resolutions took under the draft, of one severity and calendar. */
struct sample {
	enum metric metric;
	unsigned severity;
	const char *calendar;
	bool promised;    /* else there is no target, and it is the time by the wall clock */
	int64_t *met;     /* microseconds of open time; sorted once all is counted */
	int64_t *waiting; /* so long has it been open without an end */
	size_t n_met;
	size_t n_waiting;
	size_t room_met;
	size_t room_waiting;
};

/* Pages of one channel or role in one quarter of an hour: no zone's hours begin between quarters. */
struct quarter {
	UT_hash_handle hh;
	int64_t number; /* since 1970 */
	uint32_t pages[SIDES];
};

struct channel_count {
	char *name;
	struct quarter *quarters;
	int64_t pages[SIDES];
};

/* A clock whose verdict differs. */
struct difference {
	char *ticket;
	enum metric metric;
	uint32_t cycle;
	struct outcome outcomes[SIDES];
};

struct side {
	struct backtest *backtest;
	enum backtest_side which;
	struct config *config;
	const struct policy_set *set;
	struct engine *engine;
	int64_t (*verdicts)[VERDICTS]; /* by policy, metric and severity: backtest_cell() */
	int64_t refused;
	char refusal[REFUSAL_SIZE + 64]; /* the first one, with its ticket */
};

struct backtest {
	struct side sides[SIDES];
	bool compares; /* there is a side BEFORE */
	struct instant since;
	struct instant until;
	const char *plan; /* glob, or NULL */
	int64_t tickets;
	int64_t events;
	int64_t cut;                         /* tickets whose first events are no longer in the database */
	int64_t changes[VERDICTS][VERDICTS]; /* from BEFORE to AFTER */
	int64_t changed_tickets;
	struct difference *differences; /* the first ones */
	size_t n_differences;
	size_t max_differences;
	size_t room_differences;
	FILE *all; /* JSON: all of them, one a line; NULL: not kept */
	struct sample *samples;
	size_t n_samples;
	struct channel_count *channels;
	size_t n_channels;
	struct instant first; /* the first event, and the last one */
	struct instant last;
	bool faulty; /* something was reported */
	int error;   /* -ENOMEM, -EIO: give up */
};

/* backtest_play.c */
int backtest_open_side(struct backtest *backtest, enum backtest_side which, struct config *config)
    __attribute__((warn_unused_result));
struct played *backtest_new_ticket(struct backtest *backtest, const char *name, int64_t id);
void backtest_apply(struct backtest *backtest, struct played *played, const struct ticket_event *event);
/* Plays the rest until the end and counts. The ticket itself stays. */
void backtest_finish(struct backtest *backtest, struct played *played);
void backtest_free_halves(struct played *played);
void backtest_clear(struct backtest *backtest);

/* backtest_count.c */
int64_t *backtest_cell(const struct side *side, const struct policy *policy, enum metric metric, unsigned severity);
void backtest_count_page(struct side *side, const char *name, struct instant at);
/* A ticket that was played until `end`. */
void backtest_count_ticket(struct backtest *backtest, const struct played *played, struct instant end);
/* Sorts what was counted. */
void backtest_settle(struct backtest *backtest);
void backtest_clear_counts(struct backtest *backtest);
/* Of a sample, how many kept within `length` and how many did not; who still waits for less time counts for neither. */
void sample_share(const struct sample *sample, int64_t length_us, int64_t *ret_kept, int64_t *ret_missed);
/* The shortest length that `percent` of them kept within, in microseconds; -1: there is none. */
int64_t sample_percentile(const struct sample *sample, unsigned percent);

/* backtest_source.c; each reads to its end and finishes all tickets. 0, or a negative errno after a message. */
int backtest_read_database(struct backtest *backtest, const struct db *db) __attribute__((warn_unused_result));
int backtest_read_lines(struct backtest *backtest, FILE *in, const char *name) __attribute__((warn_unused_result));

/* backtest_sum.c: what the writers tell. */

/* One promise in both configurations. */
struct promise_line {
	const char *policy;
	const char *severity;
	enum metric metric;
	int64_t counts[SIDES][VERDICTS];
};

/* In the order of the draft, then what only the other has. The caller frees it. 0 or -ENOMEM. */
int backtest_lines(const struct backtest *backtest, struct promise_line **ret, size_t *ret_n)
    __attribute__((warn_unused_result));

/* Pages of a channel over the hours of a day, by the local time of the process. */
struct channel_hours {
	int64_t pages[SIDES][24];
	int64_t peak[SIDES]; /* the most in one hour, and when that began */
	struct instant peak_at[SIDES];
	int64_t night[SIDES]; /* from 22:00 to 06:00 */
};

void channel_hours_make(const struct channel_count *channel, struct channel_hours *ret);

/* What a target might be, in microseconds of open time. */
#define CANDIDATES 9
extern const int64_t candidates[CANDIDATES];
extern const char *const candidate_names[CANDIDATES];

/* backtest_write.c and backtest_html.c. 0, or a negative errno after a message. */
struct backtest_names {
	const char *before; /* what the configurations are called */
	const char *after;
	const char *timezone;
};

int backtest_write_text(const struct backtest *backtest, const struct view *view, const struct backtest_names *names)
    __attribute__((warn_unused_result));
int backtest_write_json(const struct backtest *backtest, const struct backtest_names *names)
    __attribute__((warn_unused_result));
int backtest_write_html(const struct backtest *backtest, const struct backtest_names *names)
    __attribute__((warn_unused_result));

#endif
