#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backtest.h"
#include "slated/config.h"

const char *const verdict_names[VERDICTS] = {"none", "in_time", "missed", "withdrawn", "open"};
const char *const verdict_words[VERDICTS] = {"no promise", "in time", "missed", "withdrawn", "open"};

/* What the engine says ----------------------------------------------------------------------------------------------
 */

static struct outcome *
find_outcome(const struct half *half, enum metric metric, uint32_t cycle)
{
	for (size_t i = half->n; i > 0; i--)
		if (half->outcomes[i - 1].metric == metric && half->outcomes[i - 1].cycle == cycle)
			return &half->outcomes[i - 1];
	return NULL;
}

/* A resolution that is reopened after a breach begins breached: it has counted in its former cycle. */
static void
add_outcome(struct side *side, struct half *half, const struct milestone *milestone, const struct clock *clock)
{
	if (half->n == half->room) {
		size_t room = half->room * 2 + 4;
		struct outcome *grown = realloc(half->outcomes, room * sizeof(grown[0]));
		if (grown == NULL) {
			side->backtest->error = -ENOMEM;
			return;
		}
		half->outcomes = grown;
		half->room = room;
	}
	half->outcomes[half->n++] = (struct outcome){
	    .policy = clock->policy,
	    .due_at = milestone->due_at,
	    .cycle = milestone->cycle,
	    .metric = (uint8_t)milestone->metric,
	    .severity = half->ticket.severity,
	    .verdict = clock->state == CLOCK_BREACHED ? VERDICT_NONE : VERDICT_OPEN,
	};
}

static void
end_outcome(struct outcome *outcome, enum verdict verdict)
{
	if (outcome->verdict == VERDICT_OPEN)
		outcome->verdict = (uint8_t)verdict;
}

static void
on_milestone(void *arg, struct ticket *ticket, const struct milestone *milestone)
{
	struct side *side = arg;
	struct half *half = (struct half *)ticket;
	if (milestone->kind == MILESTONE_ESCALATED) {
		for (size_t i = 0; i < milestone->n_notify; i++)
			backtest_count_page(side, milestone->notify[i], milestone->at);
		return;
	}
	struct clock *clock = ticket_clock(ticket, milestone->metric);
	if (milestone->kind == MILESTONE_STARTED)
		add_outcome(side, half, milestone, clock);
	struct outcome *outcome = find_outcome(half, milestone->metric, milestone->cycle);
	if (outcome == NULL) /* memory was out */
		return;
	if (outcome->verdict == VERDICT_OPEN) {
		outcome->policy = clock->policy;
		outcome->severity = ticket->severity;
		if (!instant_equal(milestone->due_at, INSTANT_NEVER))
			outcome->due_at = milestone->due_at;
	}
	if (milestone->kind == MILESTONE_BREACHED)
		end_outcome(outcome, VERDICT_MISSED);
	else if (milestone->kind == MILESTONE_MET)
		end_outcome(outcome, VERDICT_IN_TIME);
	else if (milestone->kind == MILESTONE_WITHDRAWN)
		end_outcome(outcome, VERDICT_WITHDRAWN);
}

int
backtest_open_side(struct backtest *backtest, enum backtest_side which, struct config *config)
{
	struct side *side = &backtest->sides[which];
	const struct engine_sink sink = {.milestone = on_milestone, .arg = side};
	const struct policy_set *set = config->policies;
	*side = (struct side){.backtest = backtest, .which = which, .config = config, .set = set};
	size_t cells = set->n_policies * METRIC_COUNT * set->n_severities;
	side->verdicts = calloc(cells > 0 ? cells : 1, sizeof(side->verdicts[0]));
	return side->verdicts == NULL ? -ENOMEM : engine_new(set, &sink, &side->engine);
}

/* Tickets -----------------------------------------------------------------------------------------------------------
 */

struct played *
backtest_new_ticket(struct backtest *backtest, const char *name, int64_t id)
{
	size_t len = strlen(name) + 1;
	struct played *played = calloc(1, sizeof(*played) + len);
	if (played == NULL) {
		backtest->error = -ENOMEM;
		return NULL;
	}
	memcpy(played->name, name, len);
	played->id = id;
	played->answered_at = played->solved_at = INSTANT_NEVER;
	for (int i = backtest->compares ? BEFORE : AFTER; i < SIDES; i++) {
		played->halves[i] = calloc(1, sizeof(*played->halves[i]));
		if (played->halves[i] == NULL)
			backtest->error = -ENOMEM;
	}
	return played;
}

void
backtest_free_halves(struct played *played)
{
	for (int i = 0; i < SIDES; i++) {
		struct half *half = played->halves[i];
		if (half == NULL)
			continue;
		ticket_clear(&half->ticket);
		free(half->outcomes);
		free(half);
		played->halves[i] = NULL;
	}
}

static void
note_refusal(struct side *side, const struct played *played, const char *refusal)
{
	if (side->refused++ == 0)
		(void)snprintf(side->refusal, sizeof(side->refusal), "ticket %.40s: %s", played->name, refusal);
}

/* As the daemon does it: a ticket that was opened with an unknown severity waits for one that is known. */
static void
apply_to_side(struct side *side, struct played *played, const struct ticket_event *event)
{
	char refusal[REFUSAL_SIZE];
	struct ticket *ticket = &played->halves[side->which]->ticket;
	bool late;
	int r;
	if (!ticket->opened && event->kind == EVENT_SEVERITY && !ticket_is_final(ticket))
		r = engine_open_held(side->engine, ticket, event, refusal);
	else
		r = engine_apply(side->engine, ticket, event, &late, refusal);
	if (r == -EINVAL) {
		note_refusal(side, played, refusal);
		r = ticket->opened ? 0 : engine_hold(side->engine, ticket, event);
	}
	if (r < 0)
		side->backtest->error = r;
	ticket_prune_followed(ticket); /* how long the first response took is counted at the end */
}

static void
note_answers(struct played *played, const struct ticket_event *event)
{
	if (event->kind == EVENT_REPLY && event->by == ACTOR_AGENT && event->is_public)
		played->answered_at = instant_min(played->answered_at, event->at);
	if (event->kind == EVENT_STATUS)
		played->solved_at =
		    event->status >= STATUS_SOLVED ? instant_min(played->solved_at, event->at) : INSTANT_NEVER;
}

static bool
is_asked_for(const struct backtest *backtest, const struct ticket_event *opened)
{
	const char *plan = opened->attributes[ATTRIBUTE_PLAN];
	return !instant_before(opened->at, backtest->since) && instant_before(opened->at, backtest->until) &&
	       (backtest->plan == NULL || (plan != NULL && glob_match(backtest->plan, plan)));
}

void
backtest_apply(struct backtest *backtest, struct played *played, const struct ticket_event *event)
{
	if (event->kind == EVENT_OPENED && played->halves[AFTER] != NULL && !played->halves[AFTER]->ticket.opened &&
	    !is_asked_for(backtest, event))
		backtest_free_halves(played);
	if (played->halves[AFTER] == NULL || !instant_before(event->at, backtest->until))
		return;
	backtest->events++;
	backtest->first = instant_min(backtest->first, event->at);
	backtest->last = instant_max(backtest->last, event->at);
	note_answers(played, event);
	for (int i = backtest->compares ? BEFORE : AFTER; i < SIDES && backtest->error == 0; i++)
		apply_to_side(&backtest->sides[i], played, event);
}

void
backtest_finish(struct backtest *backtest, struct played *played)
{
	if (played->halves[AFTER] != NULL && backtest->error == 0) {
		struct instant end = instant_equal(backtest->until, INSTANT_NEVER) ? backtest->last : backtest->until;
		for (int i = backtest->compares ? BEFORE : AFTER; i < SIDES && backtest->error == 0; i++) {
			struct half *half = played->halves[i];
			int r = engine_advance(backtest->sides[i].engine, &half->ticket, end);
			if (r < 0)
				backtest->error = r;
		}
		if (backtest->error == 0)
			backtest_count_ticket(backtest, played, end);
	}
	backtest_free_halves(played);
}

void
backtest_clear(struct backtest *backtest)
{
	for (int i = 0; i < SIDES; i++) {
		engine_free(backtest->sides[i].engine);
		free(backtest->sides[i].verdicts);
		config_free(backtest->sides[i].config);
	}
	backtest_clear_counts(backtest);
	if (backtest->all != NULL)
		(void)fclose(backtest->all); /* what was wrong with it has been told */
}
