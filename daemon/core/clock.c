/* One clock's life. model.md sections 3, 5, 6 and 7.
 *
 *            start                      due
 *   (none) --------> RUNNING --------------------> BREACHED
 *                    ^    | status in pause_on        |
 *             leaves |    v                           |
 *                    PAUSED                           |
 *                       \______ stopping event ______/
 *                                  v
 *                          MET or WITHDRAWN
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_internal.h"

const char *const clock_state_names[CLOCK_STATE_COUNT] = {
    [CLOCK_RUNNING] = "running", [CLOCK_PAUSED] = "paused",       [CLOCK_BREACHED] = "breached",
    [CLOCK_MET] = "met",         [CLOCK_WITHDRAWN] = "withdrawn",
};

static struct duration
duration_plus(struct duration a, struct duration b)
{
	return (struct duration){a.us + b.us};
}

struct duration
clock_consumed(const struct clock *clock, struct instant now)
{
	if (clock->state != CLOCK_RUNNING)
		return clock->consumed;
	return duration_plus(clock->consumed, calendar_between(clock->target->calendar, clock->running_since, now));
}

/* When the clock, running, will have consumed `point`; in the past where it has. */
static struct instant
clock_when(const struct clock *clock, struct duration point)
{
	if (point.us <= clock->consumed.us)
		return clock->running_since;
	return calendar_add(clock->target->calendar, clock->running_since,
	                    (struct duration){point.us - clock->consumed.us});
}

/* A clock in one span without anything carried over is due as its target reads: "same_time" may name an opening, which
 * no count of open time does. */
static struct instant
clock_due(const struct clock *clock)
{
	if (clock->n_spans == 0 && clock->carried.us == 0 && instant_equal(clock->running_since, clock->started_at))
		return target_due(clock->target, clock->started_at);
	return clock_when(clock, clock->budget);
}

static int
planned_level_compare(const void *a, const void *b)
{
	const struct planned_level *x = a;
	const struct planned_level *y = b;
	if (x->point.us != y->point.us)
		return x->point.us < y->point.us ? -1 : 1;
	return x->level < y->level ? -1 : x->level > y->level;
}

size_t
clock_levels(const struct clock *clock, struct planned_level ret[static LEVEL_MAX])
{
	size_t n = 0;
	if (!clock_is_active(clock) || clock->state == CLOCK_BREACHED)
		return 0;
	for (size_t i = 0; i < clock->target->n_levels; i++) {
		const struct level *level = &clock->target->levels[i];
		struct duration point = level_point(level, clock->budget);
		if (point.us < 0 || (clock->fired >> level->id & 1) != 0)
			continue;
		struct instant at = clock->state == CLOCK_RUNNING ? clock_when(clock, point) : INSTANT_NEVER;
		ret[n++] = (struct planned_level){level, point, at};
	}
	if (n > 1)
		qsort(ret, n, sizeof(ret[0]), planned_level_compare);
	return n;
}

/* The open time that the target allows from a clock's start, which makes it due at `due`. */
static struct duration
clock_budget(const struct target *target, struct instant start, struct instant due)
{
	if (target->allowance.business_days == 0 || instant_equal(due, INSTANT_NEVER))
		return target->allowance.elapsed;
	return calendar_between(target->calendar, start, due);
}

/* Sets `next_at` of a running clock that has its due. What is consumed first comes first. */
static void
clock_plan_next(struct clock *clock)
{
	assert(clock->state == CLOCK_RUNNING);
	struct duration nearest = {INT64_MAX};
	for (size_t i = 0; i < clock->target->n_levels; i++) {
		const struct level *level = &clock->target->levels[i];
		struct duration point = level_point(level, clock->budget);
		if (point.us >= 0 && point.us < nearest.us && (clock->fired >> level->id & 1) == 0)
			nearest = point;
	}
	clock->next_at = clock->due_at;
	if (nearest.us < INT64_MAX)
		clock->next_at = instant_min(clock->next_at, clock_when(clock, nearest));
}

/* Sets `due_at` and `next_at` of a running clock. */
static void
clock_plan(struct clock *clock)
{
	clock->due_at = clock_due(clock);
	clock_plan_next(clock);
}

static void
clock_note(struct engine *engine, struct ticket *ticket, struct clock *clock, enum milestone_kind kind,
           struct instant now)
{
	clock->dirty = true;
	engine_emit(engine, ticket, clock, (struct milestone){.kind = kind, .at = now, .due_at = clock->due_at});
}

/* Ends the present span at `now`. */
static void
clock_close_span(struct engine *engine, struct clock *clock, struct instant now)
{
	struct active_span *spans = NULL;
	if (clock->n_spans < CLOCK_SPANS_MAX)
		spans = realloc(clock->spans, (clock->n_spans + 1) * sizeof(spans[0]));
	if (spans == NULL) {
		engine->error = -ENOMEM;
		return;
	}
	clock->consumed = clock_consumed(clock, now);
	clock->spans = spans;
	clock->spans[clock->n_spans++] = (struct active_span){clock->running_since, now};
}

static void
clock_breach(struct engine *engine, struct ticket *ticket, struct clock *clock, struct instant now,
             bool by_reassessment)
{
	clock_close_span(engine, clock, now);
	clock->state = CLOCK_BREACHED;
	clock->breached_at = now;
	clock->dirty = true;
	clock->next_at = INSTANT_NEVER;
	engine_emit(
	    engine, ticket, clock,
	    (struct milestone){
	        .kind = MILESTONE_BREACHED, .at = now, .due_at = clock->due_at, .by_reassessment = by_reassessment});
}

/* Writes `at_risk` for the levels whose instant is at or before `until`. Returns the last one's text or NULL. */
static const char *
clock_fire_levels(struct engine *engine, struct ticket *ticket, struct clock *clock, struct instant now,
                  struct instant until)
{
	struct planned_level levels[LEVEL_MAX];
	const char *last = NULL;
	size_t n = clock_levels(clock, levels);
	for (size_t i = 0; i < n && levels[i].at.us <= until.us; i++) {
		last = levels[i].level->text;
		clock->fired |= UINT64_C(1) << levels[i].level->id;
		clock->dirty = true;
		engine_emit(
		    engine, ticket, clock,
		    (struct milestone){.kind = MILESTONE_AT_RISK, .at = now, .due_at = clock->due_at, .level = last});
	}
	return last;
}

/* Of what came at one instant only the last, the gravest, sets a ladder going and calls rules. */
static void
clock_alert(struct engine *engine, struct ticket *ticket, struct clock *clock, const char *level, struct instant now)
{
	if (clock->state == CLOCK_BREACHED) {
		ladder_trigger_clock(engine, ticket, clock, TRIGGER_BREACHED, NULL, now);
		engine_call_rules(engine, RULE_BREACHED);
	} else if (level != NULL) {
		ladder_trigger_clock(engine, ticket, clock, TRIGGER_LEVEL, level, now);
		engine_call_rules(engine, RULE_AT_RISK);
	}
}

void
clock_fire(struct engine *engine, struct ticket *ticket, struct clock *clock, struct instant now)
{
	assert(clock->state == CLOCK_RUNNING && clock->next_at.us <= now.us);
	const char *level = clock_fire_levels(engine, ticket, clock, now, now);
	if (clock->due_at.us <= now.us)
		clock_breach(engine, ticket, clock, now, false);
	else
		clock_plan_next(clock);
	clock_alert(engine, ticket, clock, level, now);
}

/* Whether what `clock_when` puts at `now`, the instant of a change, has passed: it has where the next opening of the
 * clock's span alone brought it there. Else it waits for its timer, so that `within` lets the other events of this
 * instant come first. */
static bool
clock_now_has_passed(const struct clock *clock, struct instant now)
{
	if (clock->target->under ||
	    instant_equal(now, clock->started_at)) /* only what is carried over comes at the start */
		return true;
	return instant_equal(clock->running_since, now) && clock->n_spans > 0 &&
	       clock->spans[clock->n_spans - 1].to.us < now.us;
}

/* Levels that a change has passed already fire at the instant of the change; the due waits for its timer. */
static void
clock_fire_passed(struct engine *engine, struct ticket *ticket, struct clock *clock, struct instant now)
{
	if (clock->next_at.us > now.us)
		return;
	struct instant passed = {clock_now_has_passed(clock, now) ? now.us : now.us - 1};
	const char *level = clock_fire_levels(engine, ticket, clock, now, passed);
	clock_plan_next(clock);
	clock_alert(engine, ticket, clock, level, now);
}

static bool
clock_pauses(const struct target *target, const struct ticket *ticket)
{
	return (target->pause_on >> ticket->status & 1) != 0;
}

/* Puts the clock among the ticket's, as the last cycle of its metric. */
static void
clock_link(struct ticket *ticket, struct clock *clock)
{
	struct clock **link = &ticket->clocks;
	clock->cycle = 1;
	while (*link != NULL && (*link)->metric <= clock->metric) {
		if ((*link)->metric == clock->metric)
			clock->cycle = (*link)->cycle + 1;
		link = &(*link)->next;
	}
	clock->next = *link;
	*link = clock;
	ticket->prunable |= clock->cycle > 1;
}

void
clock_start(struct engine *engine, struct ticket *ticket, enum metric metric, struct instant now, struct carry carry)
{
	const struct target *target =
	    ticket->policy == NULL ? NULL : policy_target(ticket->policy, metric, ticket->severity);
	if (target == NULL)
		return;
	struct clock *clock = malloc(sizeof(*clock));
	if (clock == NULL) {
		engine->error = -ENOMEM;
		return;
	}
	struct instant due = target_due(target, now);
	struct duration budget = clock_budget(target, now, due);
	*clock = (struct clock){
	    .metric = metric,
	    .set = engine->set,
	    .policy = ticket->policy,
	    .target = target,
	    .started_at = now,
	    .running_since = now,
	    .due_at = INSTANT_NEVER,
	    .next_at = INSTANT_NEVER,
	    .breached_at = INSTANT_NEVER,
	    .paused_at = INSTANT_NEVER,
	    .ended_at = INSTANT_NEVER,
	    .budget = budget,
	    .carried = carry.consumed,
	    .consumed = carry.consumed,
	};
	clock_link(ticket, clock);
	if (carry.breached || (carry.consumed.us > 0 && carry.consumed.us >= clock->budget.us)) {
		clock->state = CLOCK_BREACHED;
		clock->breached_at = now;
		clock_note(engine, ticket, clock, MILESTONE_STARTED, now);
	} else if (clock_pauses(target, ticket)) {
		clock->state = CLOCK_RUNNING;
		clock_close_span(engine, clock, now); /* an empty one: from here on the due is counted, not read */
		clock->state = CLOCK_PAUSED;
		clock->paused_at = now;
		clock_note(engine, ticket, clock, MILESTONE_STARTED, now);
		clock_note(engine, ticket, clock, MILESTONE_PAUSED, now);
	} else {
		clock->state = CLOCK_RUNNING;
		clock->due_at = carry.consumed.us == 0 ? due : clock_due(clock);
		clock_plan_next(clock);
		clock_note(engine, ticket, clock, MILESTONE_STARTED, now);
		clock_fire_passed(engine, ticket, clock, now);
	}
}

static void
clock_pause(struct engine *engine, struct ticket *ticket, struct clock *clock, struct instant now)
{
	clock_close_span(engine, clock, now);
	clock->state = CLOCK_PAUSED;
	clock->paused_at = now;
	clock->due_at = INSTANT_NEVER;
	clock->next_at = INSTANT_NEVER;
	clock_note(engine, ticket, clock, MILESTONE_PAUSED, now);
}

static void
clock_resume(struct clock *clock, struct instant now)
{
	clock->state = CLOCK_RUNNING;
	clock->running_since = now;
	clock->paused_at = INSTANT_NEVER;
	clock_plan(clock);
}

void
clock_pause_or_resume(struct engine *engine, struct ticket *ticket, struct clock *clock, struct instant now)
{
	bool pauses = clock_pauses(clock->target, ticket);
	if (clock->state == CLOCK_RUNNING && pauses) {
		clock_pause(engine, ticket, clock, now);
	} else if (clock->state == CLOCK_PAUSED && !pauses) {
		clock_resume(clock, now);
		clock_note(engine, ticket, clock, MILESTONE_RESUMED, now);
		clock_fire_passed(engine, ticket, clock, now);
	}
}

static void
clock_end(struct engine *engine, struct ticket *ticket, struct clock *clock, enum clock_state state, struct instant now)
{
	if (clock->state == CLOCK_RUNNING && clock->n_spans == 0) {
		clock->consumed = clock_consumed(clock, now);
		clock->spans = &clock->whole;
		clock->n_spans = 1;
	} else if (clock->state == CLOCK_RUNNING) {
		clock_close_span(engine, clock, now);
	} else if (clock->state == CLOCK_BREACHED) { /* reports tell how long it took in all */
		clock->consumed =
		    duration_plus(clock->consumed, calendar_between(clock->target->calendar, clock->breached_at, now));
	}
	clock->state = state;
	clock->ended_at = now;
	clock->dirty = true;
	clock->next_at = INSTANT_NEVER;
	ticket->prunable = true;
	ladder_drop_clock(ticket, clock);
}

void
clock_meet(struct engine *engine, struct ticket *ticket, struct clock *clock, struct instant now)
{
	struct instant due = clock->due_at;
	clock_end(engine, ticket, clock, CLOCK_MET, now);
	struct duration late = {0};
	if (due.us < now.us)
		late = instant_since(now, due);
	engine_emit(engine, ticket, clock,
	            (struct milestone){.kind = MILESTONE_MET, .at = now, .due_at = due, .late_by = late});
}

void
clock_withdraw(struct engine *engine, struct ticket *ticket, struct clock *clock, struct instant now,
               const char *reason)
{
	clock_end(engine, ticket, clock, CLOCK_WITHDRAWN, now);
	engine_emit(
	    engine, ticket, clock,
	    (struct milestone){.kind = MILESTONE_WITHDRAWN, .at = now, .due_at = INSTANT_NEVER, .reason = reason});
}

/* The fired levels of `clock` as bits of `set`: another configuration numbers its levels otherwise. Those that it does
 * not have are kept, too, as the clock may come back to one that has them; where LEVEL_MAX are taken they are
 * forgotten. */
static uint64_t
clock_fired_in(struct engine *engine, const struct clock *clock, const struct policy_set *set)
{
	const struct level_names *names = clock->set->levels;
	uint64_t fired = 0;
	if (set == clock->set)
		return clock->fired;
	for (size_t i = 0; i < names->n; i++) {
		if ((clock->fired >> i & 1) == 0)
			continue;
		int id = policy_set_level(set, names->texts[i], strlen(names->texts[i]));
		if (id == -ENOMEM)
			engine->error = id;
		if (id >= 0)
			fired |= UINT64_C(1) << id;
	}
	return fired;
}

/* Open time of the closed spans on the clock's present calendar, with what was carried over. */
static struct duration
clock_recount(const struct clock *clock)
{
	struct duration sum = clock->carried;
	for (uint32_t i = 0; i < clock->n_spans; i++)
		sum = duration_plus(
		    sum, calendar_between(clock->target->calendar, clock->spans[i].from, clock->spans[i].to));
	return sum;
}

void
clock_restore(struct clock *clock)
{
	clock->next_at = INSTANT_NEVER;
	if (clock->state != CLOCK_RUNNING)
		return;
	clock->consumed = clock_recount(clock);
	clock_plan(clock);
}

/* The instant at which the budget ran out over the active spans; the start, where what was carried exceeds it. */
static struct instant
clock_ran_out(const struct clock *clock)
{
	struct duration sum = clock->carried;
	if (sum.us >= clock->budget.us)
		return clock->started_at;
	struct calendar *calendar = clock->target->calendar;
	for (uint32_t i = 0; i < clock->n_spans; i++) {
		struct duration rest = {clock->budget.us - sum.us};
		struct duration span = calendar_between(calendar, clock->spans[i].from, clock->spans[i].to);
		if (span.us >= rest.us)
			return calendar_add(calendar, clock->spans[i].from, rest);
		sum = duration_plus(sum, span);
	}
	return calendar_add(calendar, clock->running_since, (struct duration){clock->budget.us - sum.us});
}

/* Puts `clock` on another target with the same start and spans; its state and its timers are the caller's. */
static void
clock_aim(struct clock *clock, const struct policy_set *set, const struct policy *policy, const struct target *target)
{
	clock->set = set;
	clock->policy = policy;
	clock->target = target;
	clock->budget = clock_budget(target, clock->started_at, target_due(target, clock->started_at));
	clock->consumed = clock_recount(clock);
}

bool
clock_is_better_on(const struct clock *clock, const struct ticket *ticket, const struct policy_set *set,
                   const struct policy *policy, struct instant now)
{
	const struct target *target = policy == NULL ? NULL : policy_target(policy, clock->metric, ticket->severity);
	if (clock->state != CLOCK_RUNNING || target == NULL || clock_pauses(target, ticket))
		return false;
	struct clock trial = *clock;
	clock_aim(&trial, set, policy, target);
	struct instant due =
	    clock_consumed(&trial, now).us >= trial.budget.us ? clock_ran_out(&trial) : clock_due(&trial);
	return instant_before(due, clock->due_at);
}

static bool
levels_differ(const struct planned_level *a, size_t n_a, const struct planned_level *b, size_t n_b)
{
	if (n_a != n_b)
		return true;
	for (size_t i = 0; i < n_a; i++) {
		bool found = false;
		for (size_t j = 0; j < n_b && !found; j++)
			found = strcmp(a[i].level->text, b[j].level->text) == 0 && instant_equal(a[i].at, b[j].at);
		if (!found)
			return true;
	}
	return false;
}

/* Whether a retargeting is worth a milestone: the due, a remaining level or its instant, or, paused, the budget or the
 * levels differ. */
static bool
clock_differs(const struct clock *a, const struct clock *b)
{
	struct planned_level levels_a[LEVEL_MAX];
	struct planned_level levels_b[LEVEL_MAX];
	if (a->state != b->state || !instant_equal(a->due_at, b->due_at))
		return true;
	if (a->state == CLOCK_PAUSED && a->budget.us != b->budget.us)
		return true;
	size_t n_a = clock_levels(a, levels_a);
	size_t n_b = clock_levels(b, levels_b);
	return levels_differ(levels_a, n_a, levels_b, n_b);
}

/* The new budget was used up before the change: the breach says enough, so a pause that ends here is not told of. */
static void
clock_breach_by_change(struct engine *engine, struct ticket *ticket, struct clock *clock, struct instant now,
                       bool by_reassessment)
{
	clock->due_at = clock_ran_out(clock);
	clock_note(engine, ticket, clock, MILESTONE_RETARGETED, now);
	(void)clock_fire_levels(engine, ticket, clock, now, INSTANT_NEVER); /* the breach outweighs them */
	clock_breach(engine, ticket, clock, now, by_reassessment);
	clock_alert(engine, ticket, clock, NULL, now);
}

/* The target that `policy` of `set` has for the clock at the ticket's severity, which the configuration in force
 * numbers; NULL: none. */
static const struct target *
target_in(const struct engine *engine, const struct ticket *ticket, const struct clock *clock,
          const struct policy_set *set, const struct policy *policy)
{
	if (policy == NULL)
		return NULL;
	int severity = ticket->severity;
	if (set != engine->set)
		severity = policy_set_severity(set, engine->set->severities[severity].name);
	return severity < 0 ? NULL : policy_target(policy, clock->metric, (unsigned)severity);
}

void
clock_retarget(struct engine *engine, struct ticket *ticket, struct clock *clock, const struct policy_set *set,
               const struct policy *policy, struct instant now, bool by_reassessment)
{
	const struct target *target = target_in(engine, ticket, clock, set, policy);
	if (target == NULL) {
		clock_withdraw(engine, ticket, clock, now, "no target");
		return;
	}
	if (clock->state == CLOCK_BREACHED || (target == clock->target && policy == clock->policy))
		return;

	const struct clock old = *clock;
	bool was_paused = clock->state == CLOCK_PAUSED;
	bool pauses = clock_pauses(target, ticket);
	clock->dirty = true;
	clock->fired = clock_fired_in(engine, clock, set);
	clock_aim(clock, set, policy, target);
	if (was_paused && !pauses) {
		clock->state = CLOCK_RUNNING;
		clock->running_since = now;
		clock->paused_at = INSTANT_NEVER;
	}
	if (!pauses && clock_consumed(clock, now).us >= clock->budget.us) {
		clock_breach_by_change(engine, ticket, clock, now, by_reassessment);
		return;
	}
	if (pauses && !was_paused) {
		clock_close_span(engine, clock, now);
		clock->state = CLOCK_PAUSED;
		clock->paused_at = now;
		clock->due_at = INSTANT_NEVER;
		clock->next_at = INSTANT_NEVER;
	} else if (!pauses) {
		clock_plan(clock);
	}
	if (clock_differs(&old, clock))
		clock_note(engine, ticket, clock, MILESTONE_RETARGETED, now);
	if (pauses != was_paused)
		clock_note(engine, ticket, clock, pauses ? MILESTONE_PAUSED : MILESTONE_RESUMED, now);
	if (!pauses)
		clock_fire_passed(engine, ticket, clock, now);
}
