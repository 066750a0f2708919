#include "slated/outbox.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "outbox_claim.h"
#include "outbox_look.h"
#include "outbox_sql.h"
#include "outbox_unwritten.h"
#include "slated/hook.h"
#include "slated/log.h"
#include "slated/loop.h"
#include "slated/pg.h"
#include "slated/pg_array.h"
#include "slated/result.h"
#include "slated/shards.h"

/* So many deliveries the courier may hold in all, and of one channel, so that one that stands still leaves the others
 * room; the rest wait in the table. */
#define HELD_MAX    20000
#define CHANNEL_MAX 1000
#define FULL_MAX    64
#define CLAIM_MAX   500

/* Fewer outcomes than that are written so long after the last ones, so that many are written together while many come.
 */
#define OUTCOMES_ENOUGH 400
#define OUTCOMES_PAUSE  ((struct duration){5000})

/* Looks for deliveries that nobody told it of so often. */
#define SWEEP ((struct duration){US_PER_S})

/* A claim that was given up may be carried out late, and what a daemon had that is gone may be ours by now. */
#define RELEASE_EACH ((struct duration){5 * US_PER_S})

struct outbox {
	struct loop *loop;
	const char *instance;
	const struct shards *shards;
	struct outbox_hooks hooks;
	struct courier *courier;
	struct hooks *severity_hooks;
	struct pg *pg;
	struct timer *sweep;
	struct timer *pause;
	struct unwritten outcomes;
	size_t n_outcomes;       /* that have gathered */
	int64_t last_ended;      /* the greatest position that an outcome was told of */
	int64_t written_at;      /* ticks: when outcomes were last sent to the database */
	struct unwritten fallen; /* copies for channels that stand in */
	struct text restored;    /* channels that are to hear what they had been told, an array's text; empty: none */
	bool open;
	char claim[TEXT_UUID_SIZE]; /* another one whenever the courier has forgotten what it had */
	unsigned session;           /* counted: another one when it is opened and closed */
	unsigned asked_in;          /* the session of the claim on its way */
	bool released;              /* what is stray */
	int64_t released_at;        /* ticks */
	struct look look;
	bool outcomes_first; /* of the former session */
	bool claimed_last;   /* claims and outcomes take turns */
	bool reassess;       /* and for severities to write */
	bool draining;
	unsigned n_claimed;
	bool failed; /* the statement in hand: why */
	char error[RESULT_ERROR_SIZE];
};

static void outbox_step(struct outbox *outbox);

/* What became of deliveries is written under the claim that they had, so before they may be claimed by another one. */
static void
begin_session(struct outbox *outbox)
{
	outbox->session++;
	outbox->outcomes_first = true;
	look_forget(&outbox->look);
}

static void
on_sweep(void *arg)
{
	struct outbox *outbox = arg;
	timer_set(outbox->sweep, SWEEP);
	look_for_all(&outbox->look);
	outbox_wake(outbox);
}

static void
on_pause(void *arg)
{
	outbox_step(arg);
}

int
outbox_new(struct loop *loop, const char *instance, const struct shards *shards, const struct outbox_hooks *hooks,
           struct outbox **ret)
{
	struct outbox *outbox = calloc(1, sizeof(*outbox));
	if (outbox == NULL)
		return -ENOMEM;
	outbox->instance = instance;
	outbox->shards = shards;
	outbox->hooks = *hooks;
	outbox->loop = loop;
	outbox->written_at = -OUTCOMES_PAUSE.us;
	if (timer_new(loop, on_sweep, outbox, &outbox->sweep) < 0 ||
	    timer_new(loop, on_pause, outbox, &outbox->pause) < 0) {
		outbox_free(outbox);
		return -ENOMEM;
	}
	outbox_let_go(outbox);
	*ret = outbox;
	return 0;
}

void
outbox_free(struct outbox *outbox)
{
	if (outbox == NULL)
		return;
	timer_free(outbox->sweep);
	timer_free(outbox->pause);
	unwritten_free(&outbox->outcomes);
	unwritten_free(&outbox->fallen);
	free(outbox->restored.data);
	free(outbox);
}

void
outbox_set_courier(struct outbox *outbox, struct courier *courier)
{
	outbox->courier = courier;
}

void
outbox_set_connection(struct outbox *outbox, struct pg *pg)
{
	outbox->pg = pg;
}

int
outbox_restore(struct outbox *outbox, const char *const *channels, size_t n)
{
	text_empty(&outbox->restored);
	for (size_t i = 0; i < n; i++)
		pg_array_add(&outbox->restored, channels[i]);
	if (n > 0)
		pg_array_end(&outbox->restored);
	return outbox->restored.failed ? -ENOMEM : 0;
}

void
outbox_set_hooks(struct outbox *outbox, struct hooks *hooks)
{
	outbox->severity_hooks = hooks;
}

void
outbox_open(struct outbox *outbox)
{
	hooks_open(outbox->severity_hooks);
	begin_session(outbox);
	outbox->open = true;
	outbox->released = false;
	timer_set(outbox->sweep, SWEEP);
	outbox_wake(outbox);
}

void
outbox_close(struct outbox *outbox)
{
	begin_session(outbox);
	outbox->open = false;
	timer_unset(outbox->sweep);
	timer_unset(outbox->pause);
}

void
outbox_wake(struct outbox *outbox)
{
	look_for_news(&outbox->look);
	outbox->reassess = true;
	hooks_wake(outbox->severity_hooks);
	outbox_step(outbox);
}

void
outbox_go_on(struct outbox *outbox)
{
	outbox->reassess = true;
	outbox_step(outbox);
}

void
outbox_drain(struct outbox *outbox)
{
	outbox->draining = true;
}

void
outbox_undrain(struct outbox *outbox)
{
	outbox->draining = false;
}

void
outbox_let_go(struct outbox *outbox)
{
	loop_uuid(outbox->loop, outbox->claim);
	begin_session(outbox);
	outbox->released = false;
}

void
outbox_forget(struct outbox *outbox)
{
	unwritten_clear(&outbox->outcomes);
	outbox->n_outcomes = 0;
	unwritten_clear(&outbox->fallen);
}

bool
outbox_is_settled(const struct outbox *outbox)
{
	return unwritten_is_empty(&outbox->outcomes) && unwritten_is_empty(&outbox->fallen);
}

void
outbox_on_outcome(void *arg, const struct delivery *delivery, enum outcome outcome, const char *error)
{
	struct outbox *outbox = arg;
	char attempts[16];
	char next[INSTANT_TEXT_SIZE];
	(void)snprintf(attempts, sizeof(attempts), "%" PRIu32, delivery->attempts);
	(void)instant_format(delivery->next_attempt_at, next);
	outbox->n_outcomes++;
	if (delivery->position > outbox->last_ended)
		outbox->last_ended = delivery->position;
	pg_array_add(&outbox->outcomes.next[0], delivery->key);
	pg_array_add(&outbox->outcomes.next[1], outcome_names[outcome]);
	pg_array_add(&outbox->outcomes.next[2], attempts);
	pg_array_add(&outbox->outcomes.next[3], outcome == OUTCOME_RETRY ? next : NULL);
	pg_array_add(&outbox->outcomes.next[4], error);
	pg_array_add(&outbox->outcomes.next[5], delivery->digest);
	pg_array_add(&outbox->outcomes.next[6], outbox->claim);
	if (outcome == OUTCOME_DELIVERED || outcome == OUTCOME_SUPERSEDED)
		log_info(outcome == OUTCOME_DELIVERED ? "delivery delivered" : "delivery superseded",
		         log_text("delivery", delivery->key), log_number("ticket", delivery->ticket_id),
		         log_text("channel", delivery->channel), log_text("kind", delivery->kind),
		         log_number("attempts", delivery->attempts), log_text("digest", delivery->digest),
		         log_text("note", error));
	else
		log_warning(outcome == OUTCOME_DEAD ? "delivery given up" : "delivery failed, to be tried again",
		            log_text("delivery", delivery->key), log_number("ticket", delivery->ticket_id),
		            log_text("channel", delivery->channel), log_number("attempts", delivery->attempts),
		            log_instant("next", outcome == OUTCOME_DEAD ? INSTANT_NEVER : delivery->next_attempt_at),
		            log_text("error", error));
	outbox_step(outbox);
}

void
outbox_on_fall_back(void *arg, const struct delivery *delivery, const char *channel)
{
	struct outbox *outbox = arg;
	pg_array_add(&outbox->fallen.next[0], delivery->key);
	pg_array_add(&outbox->fallen.next[1], channel);
	log_warning("the channel fails, its fallback is told", log_text("delivery", delivery->key),
	            log_number("ticket", delivery->ticket_id), log_text("channel", delivery->channel),
	            log_text("fallback", channel));
}

/* Answers ---------------------------------------------------------------------------------------------------------- */

static void
note_error(struct outbox *outbox, PGresult *result)
{
	outbox->failed = true;
	result_write_error(result, outbox->error);
}

/* Tells of the error, if any; the sweep tries again. */
static bool
ended_well(struct outbox *outbox)
{
	if (!outbox->failed)
		return true;
	outbox->failed = false;
	outbox->hooks.problem(outbox->hooks.arg, outbox->error);
	return false;
}

/* A claim's rows come as they were found, by their keys. */
static int
compare_positions(const void *a, const void *b)
{
	const struct delivery *x = a, *y = b;
	return (x->position > y->position) - (x->position < y->position);
}

static void
take_claimed(struct outbox *outbox, PGresult *result)
{
	struct delivery claimed[CLAIM_MAX] = {0};
	size_t n = 0;
	for (unsigned i = 0; i < outbox->n_claimed; i++) {
		int r = claim_read(result, (int)i, &claimed[n]);
		if (r < 0)
			log_error("delivery not taken on", log_text("delivery", PQgetvalue(result, (int)i, 0)),
			          log_errno(r));
		else if (claimed[n].position > outbox->last_ended || !unwritten_has(&outbox->outcomes, claimed[n].key))
			n++; /* the others came to their end while the claim was on its way */
	}
	qsort(claimed, n, sizeof(claimed[0]), compare_positions);
	if (n > 0)
		look_found(&outbox->look, claimed[n - 1].position);
	for (size_t i = 0; i < n; i++) {
		int r = courier_add(outbox->courier, &claimed[i]);
		if (r < 0)
			log_error("delivery not taken on", log_text("delivery", claimed[i].key), log_errno(r));
	}
}

static void
on_claimed(void *arg, PGresult *result)
{
	struct outbox *outbox = arg;
	if (result == NULL) {
		if (ended_well(outbox)) {
			if (outbox->asked_in == outbox->session)
				look_end(&outbox->look, outbox->n_claimed);
			outbox->hooks.looked(outbox->hooks.arg);
		}
		outbox_step(outbox);
		return;
	}
	if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		note_error(outbox, result);
		return;
	}
	/* What a former session asked for is released: the courier may have been told to forget what stands before. */
	outbox->n_claimed = outbox->asked_in == outbox->session ? (unsigned)PQntuples(result) : 0;
	assert(outbox->n_claimed <= CLAIM_MAX); /* it was the statement's limit */
	take_claimed(outbox, result);
}

static void
on_restored(void *arg, PGresult *result)
{
	struct outbox *outbox = arg;
	if (result == NULL) {
		if (ended_well(outbox)) {
			text_empty(&outbox->restored);
			outbox_step(outbox);
		}
		return;
	}
	if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		note_error(outbox, result);
		return;
	}
	for (int i = 0; i < PQntuples(result); i++) {
		struct delivery delivery;
		if (claim_read(result, i, &delivery) == 0)
			outbox->hooks.restore(outbox->hooks.arg, &delivery);
		else
			log_error("delivery not read", log_text("delivery", PQgetvalue(result, i, 0)));
	}
}

/* A batch's statement has ended, or given a result. */
static void
on_written(struct outbox *outbox, PGresult *result, struct unwritten *rows)
{
	if (result != NULL) {
		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			note_error(outbox, result);
		return;
	}
	if (!ended_well(outbox))
		return; /* the sweep writes them again: twice is harmless */
	unwritten_forget_sent(rows);
	outbox_step(outbox);
	if (outbox_is_settled(outbox))
		outbox->hooks.settled(outbox->hooks.arg);
}

static void
on_outcomes(void *arg, PGresult *result)
{
	struct outbox *outbox = arg;
	on_written(outbox, result, &outbox->outcomes);
}

static void
on_fallen(void *arg, PGresult *result)
{
	struct outbox *outbox = arg;
	if (result == NULL)
		look_for_news(&outbox->look);
	on_written(outbox, result, &outbox->fallen);
}

static void
on_released(void *arg, PGresult *result)
{
	struct outbox *outbox = arg;
	if (result != NULL) {
		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			note_error(outbox, result);
		return;
	}
	outbox->released = ended_well(outbox);
	if (!outbox->released)
		return;
	outbox->released_at = loop_ticks(outbox->loop);
	look_for_all(&outbox->look);
	outbox_step(outbox);
}

static void
on_reassessed(void *arg, PGresult *result)
{
	struct outbox *outbox = arg;
	if (result != NULL) {
		if (PQresultStatus(result) != PGRES_TUPLES_OK)
			note_error(outbox, result);
		else if (PQntuples(result) > 0 && strcmp(PQgetvalue(result, 0, 0), "0") != 0)
			outbox->reassess = true; /* there may be more */
		return;
	}
	if (ended_well(outbox))
		outbox_step(outbox);
}

/* Steps ------------------------------------------------------------------------------------------------------------ */

static void
run_query(struct outbox *outbox, struct pg_query query)
{
	query.arg = outbox;
	int r = pg_send(outbox->pg, &query);
	assert(r == 0); /* the connection is idle */
	(void)r;
}

/* Batches are planned for their size: for few rows the server compares each with each. */
static void
write_fallen(struct outbox *outbox)
{
	const char *params[FALL_BACK_COLUMNS];
	unwritten_take(&outbox->fallen, FALL_BACK_COLUMNS, params);
	run_query(outbox,
	          (struct pg_query){
	              .text = fall_back_sql, .n_params = FALL_BACK_COLUMNS, .params = params, .result = on_fallen});
}

static void
write_outcomes(struct outbox *outbox)
{
	const char *params[OUTCOME_COLUMNS];
	outbox->claimed_last = false;
	outbox->n_outcomes = 0;
	outbox->written_at = loop_ticks(outbox->loop);
	unwritten_take(&outbox->outcomes, OUTCOME_COLUMNS, params);
	run_query(outbox, (struct pg_query){.text = outcome_sql,
	                                    .n_params = OUTCOME_COLUMNS,
	                                    .params = params,
	                                    .again = true,
	                                    .result = on_outcomes});
}

static void
claim(struct outbox *outbox, size_t held)
{
	char limit[16];
	char session[16];
	char begin[24];
	(void)snprintf(session, sizeof(session), "%u", outbox->session);
	size_t n = HELD_MAX - held < CLAIM_MAX ? HELD_MAX - held : CLAIM_MAX;
	(void)snprintf(limit, sizeof(limit), "%zu", n);
	const char *names[FULL_MAX];
	size_t n_full = courier_full(outbox->courier, CHANNEL_MAX, names, FULL_MAX);
	struct text full = {0};
	for (size_t i = 0; i < n_full; i++)
		pg_array_add(&full, names[i]);
	pg_array_end(&full);
	(void)snprintf(begin, sizeof(begin), "%" PRId64, look_begin(&outbox->look, n, n_full));
	outbox->claimed_last = true;
	outbox->asked_in = outbox->session;
	if (!full.failed)
		run_query(outbox, (struct pg_query){.text = claim_sql,
		                                    .n_params = 6,
		                                    .params = (const char *[]){outbox->instance, limit, full.data,
		                                                               outbox->claim, session, begin},
		                                    .binary = true,
		                                    .again = true,
		                                    .result = on_claimed});
	free(full.data);
}

static bool
is_to_claim(const struct outbox *outbox, size_t held)
{
	const char *names[FULL_MAX];
	if (outbox->draining || outbox->outcomes_first || held >= HELD_MAX)
		return false;
	return look_is_due(&outbox->look, courier_full(outbox->courier, CHANNEL_MAX, names, FULL_MAX));
}

/* Whether to write outcomes now. Where not, the timer tells when. */
static bool
is_to_write(struct outbox *outbox)
{
	if (unwritten_is_empty(&outbox->outcomes))
		return false;
	int64_t wait = outbox->written_at + OUTCOMES_PAUSE.us - loop_ticks(outbox->loop);
	if (wait <= 0 || outbox->n_outcomes >= OUTCOMES_ENOUGH || outbox->draining || outbox->outcomes.sent[0].len > 0)
		return true;
	if (!timer_is_set(outbox->pause))
		timer_set(outbox->pause, (struct duration){wait});
	return false;
}

/* Does the next thing that there is to do, if the connection is free. */
static void
outbox_step(struct outbox *outbox)
{
	if (!outbox->open || !pg_is_idle(outbox->pg))
		return;
	struct courier_counts counts = courier_count(outbox->courier);
	size_t held = counts.behind + counts.later + counts.ready + counts.in_flight;
	if (unwritten_is_empty(&outbox->outcomes))
		outbox->outcomes_first = false;
	if (!outbox->draining && loop_ticks(outbox->loop) - outbox->released_at > RELEASE_EACH.us)
		outbox->released = false;
	if (!outbox->released) {
		char session[16];
		(void)snprintf(session, sizeof(session), "%u", outbox->session);
		run_query(outbox,
		          (struct pg_query){.text = release_sql,
		                            .n_params = 3,
		                            .params = (const char *[]){outbox->instance, outbox->claim, session},
		                            .again = true,
		                            .result = on_released});
	} else if (outbox->restored.len > 0) {
		run_query(outbox, (struct pg_query){
		                      .text = restore_sql,
		                      .n_params = 2,
		                      .params = (const char *[]){outbox->restored.data, shards_filter(outbox->shards)},
		                      .binary = true,
		                      .result = on_restored});
	} else if (!unwritten_is_empty(&outbox->fallen)) {
		write_fallen(outbox);
	} else if (is_to_claim(outbox, held) && !(outbox->claimed_last && is_to_write(outbox))) {
		claim(outbox, held);
	} else if (is_to_write(outbox)) {
		write_outcomes(outbox);
	} else if (!outbox->draining && hooks_step(outbox->severity_hooks, outbox->pg, shards_filter(outbox->shards))) {
		return;
	} else if (outbox->reassess && !outbox->draining) {
		outbox->reassess = false;
		run_query(outbox, (struct pg_query){.text = reassess_sql, .again = true, .result = on_reassessed});
	}
}
