/* Escalation ladders: which steps a trigger sets going, and when each fires, repeats, is held or dropped.
 * model.md section 8. A ticket's steps in hand are a list in the order in which they were set going. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_internal.h"

static bool
step_fits(const struct step *step, enum trigger_kind kind, const char *level)
{
	static const enum step_on on[] = {
	    [TRIGGER_LEVEL] = STEP_AT_RISK,
	    [TRIGGER_BREACHED] = STEP_BREACHED,
	    [TRIGGER_REQUESTED] = STEP_REQUESTED,
	    [TRIGGER_REASSESSED] = STEP_REASSESSED,
	};
	if (step->on != on[kind])
		return false;
	if (kind != TRIGGER_LEVEL || step->level == NULL)
		return true;
	assert(level != NULL);
	return strcmp(step->level, level) == 0;
}

/* Puts a copy of the run last among the ticket's. */
static void
run_add(struct engine *engine, struct ticket *ticket, const struct run *new)
{
	struct run *run = malloc(sizeof(*run));
	if (run == NULL) {
		engine->error = -ENOMEM;
		return;
	}
	*run = *new;
	struct run **link = &ticket->runs;
	while (*link != NULL)
		link = &(*link)->next;
	*link = run;
	ticket->dirty = true;
}

/* Sets going every step of `ladder` that fits. What was acknowledged at the trigger's own instant is acknowledged. */
static void
ladder_trigger(struct engine *engine, struct ticket *ticket, const struct ladder *ladder, struct run trigger)
{
	for (size_t i = 0; ladder != NULL && i < ladder->n_steps; i++) {
		const struct step *step = &ladder->steps[i];
		struct instant at = trigger.trigger_at;
		bool can_ack = step->until == UNTIL_ACKNOWLEDGED;
		if (!step_fits(step, trigger.kind, trigger.level) || (can_ack && ticket->ack_at.us >= at.us))
			continue;
		if (step->after.us > 0)
			at = calendar_add(step->after_calendar, at, step->after);
		if (can_ack && ticket->hold_at.us >= trigger.trigger_at.us)
			at = instant_max(at, ticket->hold_until);
		if (instant_equal(at, INSTANT_NEVER))
			continue;
		trigger.ladder = ladder;
		trigger.step = (uint16_t)i;
		trigger.next_at = at;
		run_add(engine, ticket, &trigger);
	}
}

/* Drops the steps that `level` triggers of the clock at or after `since` have in hand. */
static void
ladder_drop_levels(struct ticket *ticket, const struct clock *clock, struct instant since)
{
	for (struct run **link = &ticket->runs; *link != NULL;) {
		struct run *run = *link;
		if (run->clock == clock && run->kind == TRIGGER_LEVEL && run->trigger_at.us >= since.us) {
			*link = run->next;
			free(run);
			ticket->dirty = true;
		} else {
			link = &run->next;
		}
	}
}

void
ladder_trigger_clock(struct engine *engine, struct ticket *ticket, struct clock *clock, enum trigger_kind kind,
                     const char *level, struct instant at)
{
	struct instant since = kind == TRIGGER_BREACHED ? INSTANT_UNSET : instant_min(at, engine->catch_start);
	ladder_drop_levels(ticket, clock, since);
	ladder_trigger(engine, ticket, policy_ladder(clock->policy, clock->target),
	               (struct run){.clock = clock, .set = clock->set, .kind = kind, .level = level, .trigger_at = at});
}

void
ladder_trigger_ticket(struct engine *engine, struct ticket *ticket, enum trigger_kind kind, uint32_t number,
                      struct instant at)
{
	struct clock *nearest = NULL;
	for (struct clock *clock = ticket->clocks; clock != NULL; clock = clock->next)
		if (clock_is_active(clock) && !instant_equal(clock->due_at, INSTANT_NEVER) &&
		    (nearest == NULL || instant_before(clock->due_at, nearest->due_at)))
			nearest = clock;
	const struct policy_set *set = engine->set;
	const struct ladder *ladder = NULL;
	if (nearest != NULL) {
		set = nearest->set;
		ladder = policy_ladder(nearest->policy, nearest->target);
	} else if (ticket->policy != NULL) {
		ladder = ticket->policy->escalation;
	}
	ladder_trigger(engine, ticket, ladder,
	               (struct run){.clock = nearest, .set = set, .kind = kind, .number = number, .trigger_at = at});
}

void
ladder_acknowledge(struct ticket *ticket, struct instant at, struct duration hold)
{
	struct instant end = instant_plus(at, hold);
	if (hold.us <= 0) {
		ticket->ack_at = at;
	} else {
		ticket->hold_until = instant_equal(ticket->hold_at, at) ? instant_max(ticket->hold_until, end) : end;
		ticket->hold_at = at;
	}
	ticket->dirty = true;
	for (struct run **link = &ticket->runs; *link != NULL;) {
		struct run *run = *link;
		if (run->ladder->steps[run->step].until != UNTIL_ACKNOWLEDGED) {
			link = &run->next;
		} else if (hold.us > 0) {
			run->next_at = instant_max(run->next_at, end);
			link = &run->next;
		} else {
			*link = run->next;
			free(run);
		}
	}
}

void
ladder_drop_clock(struct ticket *ticket, const struct clock *clock)
{
	for (struct run **link = &ticket->runs; *link != NULL;) {
		struct run *run = *link;
		if (run->clock == clock) {
			*link = run->next;
			free(run);
			ticket->dirty = true;
		} else {
			link = &run->next;
		}
	}
}

void
ladder_drop_all(struct ticket *ticket)
{
	while (ticket->runs != NULL) {
		struct run *run = ticket->runs;
		ticket->runs = run->next;
		free(run);
		ticket->dirty = true;
	}
}

/* What set the run going, as milestones tell it; `text` has room for a number. */
static const char *
run_trigger(const struct run *run, char text[static 32])
{
	switch ((enum trigger_kind)run->kind) {
	case TRIGGER_LEVEL:
		return run->level;
	case TRIGGER_BREACHED:
		return "breached";
	case TRIGGER_REQUESTED:
		(void)snprintf(text, 32, "requested:%u", run->number);
		break;
	case TRIGGER_REASSESSED:
		(void)snprintf(text, 32, "reassessed:%u", run->number);
		break;
	}
	return text;
}

/* Whether the run's instant lies outside the hours in which the step fires as it says. */
static bool
run_is_off_hours(const struct run *run, struct calendar **ret_hours)
{
	const struct step *step = &run->ladder->steps[run->step];
	*ret_hours = step->hours;
	if (step->off_hours != OFF_HOURS_FIRE && *ret_hours == NULL && run->clock != NULL)
		*ret_hours = run->clock->target->calendar;
	return step->off_hours != OFF_HOURS_FIRE && *ret_hours != NULL && !calendar_open(*ret_hours, run->next_at);
}

static void
run_emit(struct engine *engine, struct ticket *ticket, const struct run *run, bool off)
{
	const struct step *step = &run->ladder->steps[run->step];
	char trigger[32];
	engine_emit(engine, ticket, run->clock,
	            (struct milestone){.kind = MILESTONE_ESCALATED,
	                               .at = run->next_at,
	                               .due_at = INSTANT_NEVER,
	                               .escalation = run->ladder->name,
	                               .step = run->step + 1U,
	                               .repeat = run->repeat,
	                               .trigger = run_trigger(run, trigger),
	                               .notify = off ? &step->off_hours_notify : step->notify,
	                               .n_notify = off ? 1 : step->n_notify,
	                               .ladder = run->ladder,
	                               .always = step->always});
}

/* Fires one step at its instant, or leaves it out or puts it off, and plans what follows. Returns whether anything
 * does. */
static bool
run_fire(struct engine *engine, struct ticket *ticket, struct run *run)
{
	const struct step *step = &run->ladder->steps[run->step];
	struct calendar *hours;
	bool off = run_is_off_hours(run, &hours);
	ticket->dirty = true;
	/* What is put off is asked for its conditions only when it fires. */
	if (off && step->off_hours == OFF_HOURS_DEFER) {
		run->next_at = calendar_next_open(hours, run->next_at);
		return !instant_equal(run->next_at, INSTANT_NEVER);
	}
	if (run->clock != NULL ? run->clock->state == CLOCK_PAUSED : ticket->status >= STATUS_SOLVED)
		return false;
	if (!off || step->off_hours != OFF_HOURS_SKIP)
		run_emit(engine, ticket, run, off);
	if (step->repeat_every.us == 0 || (step->repeat_max > 0 && run->repeat >= step->repeat_max))
		return false;
	run->repeat++;
	run->next_at = calendar_add(step->after_calendar, run->next_at, step->repeat_every);
	return !instant_equal(run->next_at, INSTANT_NEVER);
}

static unsigned
run_metric(const struct run *run)
{
	return run->clock != NULL ? run->clock->metric : METRIC_COUNT;
}

/* The metrics of which a step is due, METRIC_COUNT for the ticket's own, as bits. */
static unsigned
ladder_due(const struct ticket *ticket, struct instant now)
{
	unsigned due = 0;
	for (const struct run *run = ticket->runs; run != NULL; run = run->next)
		if (run->next_at.us <= now.us)
			due |= 1u << run_metric(run);
	return due;
}

void
ladder_catch_up(struct engine *engine, struct ticket *ticket, struct instant at)
{
	if (instant_equal(engine->catch_start, INSTANT_NEVER))
		return;
	for (struct instant next; (next = ticket_next_step(ticket)).us < at.us;)
		ladder_fire(engine, ticket, next);
	engine->catch_start = at;
}

void
ladder_fire(struct engine *engine, struct ticket *ticket, struct instant now)
{
	/* No step that fires makes another one due. */
	for (unsigned due = ladder_due(ticket, now); due != 0; due &= due - 1) {
		unsigned metric = (unsigned)__builtin_ctz(due);
		for (struct run **link = &ticket->runs; *link != NULL;) {
			struct run *run = *link;
			if (run->next_at.us > now.us || run_metric(run) != metric || run_fire(engine, ticket, run)) {
				link = &run->next;
			} else {
				*link = run->next;
				free(run);
			}
		}
	}
}
