#include "slated/ticket.h"

#include <assert.h>
#include <stdlib.h>

#include "slated/engine.h"

static void
clock_free_spans(struct clock *clock)
{
	if (clock->spans != &clock->whole)
		free(clock->spans);
	clock->spans = NULL;
	clock->n_spans = 0;
}

static void
clock_free(struct clock *clock)
{
	clock_free_spans(clock);
	free(clock);
}

void
ticket_clear(struct ticket *ticket)
{
	while (ticket->runs != NULL) {
		struct run *run = ticket->runs;
		ticket->runs = run->next;
		free(run);
	}
	while (ticket->clocks != NULL) {
		struct clock *clock = ticket->clocks;
		ticket->clocks = clock->next;
		clock_free(clock);
	}
	free(ticket->custom);
	ticket->custom = NULL;
	ticket->n_custom = 0;
}

static bool
clock_is_followed(const struct clock *clock)
{
	return clock->next != NULL && clock->next->metric == clock->metric;
}

/* Of ended clocks those that stay keep no spans. */
static void
prune(struct ticket *ticket, bool first_too)
{
	if (!ticket->prunable)
		return;
	ticket->prunable = false;
	for (struct clock **link = &ticket->clocks; *link != NULL;) {
		struct clock *clock = *link;
		if (clock_is_active(clock)) {
			assert(!clock_is_followed(clock));
			link = &clock->next;
		} else if (clock_is_followed(clock) || (first_too && clock->metric == METRIC_FIRST_RESPONSE)) {
			*link = clock->next;
			clock_free(clock);
		} else {
			clock_free_spans(clock);
			link = &clock->next;
		}
	}
}

void
ticket_prune(struct ticket *ticket)
{
	prune(ticket, true);
}

void
ticket_prune_followed(struct ticket *ticket)
{
	prune(ticket, false);
}

struct clock *
ticket_clock(const struct ticket *ticket, enum metric metric)
{
	struct clock *found = NULL;
	for (struct clock *clock = ticket->clocks; clock != NULL && clock->metric <= metric; clock = clock->next)
		if (clock->metric == metric)
			found = clock;
	return found;
}

struct instant
ticket_next_deadline(const struct ticket *ticket)
{
	struct instant next = INSTANT_NEVER;
	for (const struct clock *clock = ticket->clocks; clock != NULL; clock = clock->next)
		next = instant_min(next, clock->next_at);
	return next;
}

struct instant
ticket_next_step(const struct ticket *ticket)
{
	struct instant next = INSTANT_NEVER;
	for (const struct run *run = ticket->runs; run != NULL; run = run->next)
		next = instant_min(next, run->next_at);
	return next;
}

struct instant
ticket_next(const struct ticket *ticket)
{
	return instant_min(ticket_next_deadline(ticket), ticket_next_step(ticket));
}

bool
ticket_is_final(const struct ticket *ticket)
{
	return ticket->merged || ticket->status == STATUS_CLOSED;
}

void
ticket_facts(const struct engine *engine, const struct ticket *ticket, struct custom_attribute *custom,
             struct facts *ret)
{
	const struct atoms *atoms = engine_atoms(engine);
	for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++)
		ret->attributes[i] = atoms_text(atoms, ticket->attributes[i]);
	for (uint32_t i = 0; i < ticket->n_custom; i++) {
		custom[i].key = atoms_text(atoms, ticket->custom[i].key);
		custom[i].value = atoms_text(atoms, ticket->custom[i].value);
	}
	ret->custom = custom;
	ret->n_custom = ticket->n_custom;
	ret->severity = ticket->severity;
	ret->status = ticket->status;
}
