#include "slated/ticket.h"

#include <assert.h>
#include <stdlib.h>

#include "slated/engine.h"

static void
clock_free(struct clock *clock)
{
	free(clock->spans);
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

void
ticket_prune(struct ticket *ticket)
{
	for (struct clock **link = &ticket->clocks; *link != NULL;) {
		struct clock *clock = *link;
		if (clock->next != NULL && clock->next->metric == clock->metric) {
			assert(!clock_is_active(clock));
			*link = clock->next;
			clock_free(clock);
		} else {
			link = &clock->next;
		}
	}
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
ticket_next(const struct ticket *ticket)
{
	struct instant next = INSTANT_NEVER;
	for (const struct clock *clock = ticket->clocks; clock != NULL; clock = clock->next)
		next = instant_min(next, clock->next_at);
	for (const struct run *run = ticket->runs; run != NULL; run = run->next)
		next = instant_min(next, run->next_at);
	return next;
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
