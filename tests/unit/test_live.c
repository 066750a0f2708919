/* The table of the daemon's tickets, against an array of what is to be in it. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "slated/live.h"

enum { IDS = 3000, STEPS = 20000 };

/* Ids of one shard among 256, as a daemon has them that shares the tickets with others. */
static int64_t
id_of(size_t i)
{
	return (int64_t)i * 256 + 7;
}

static void
check_walk(const struct live *live, const bool there[static IDS])
{
	size_t n = 0, expected = 0;
	struct live_walk walk = live_begin(live);
	for (const struct live_ticket *ticket; (ticket = live_next(&walk)) != NULL; n++)
		cr_assert(there[ticket->id / 256], "ticket %lld is gone, but walked over", (long long)ticket->id);
	for (size_t i = 0; i < IDS; i++)
		expected += there[i];
	cr_assert_eq(n, expected);
	cr_assert_eq(live_count(live), expected);
}

Test(live, finds_those_that_are_there)
{
	static bool there[IDS];
	unsigned seed = (unsigned)time(NULL);
	struct live live;
	cr_log_info("seed %u", seed);
	live_init(&live);
	cr_assert_null(live_find(&live, id_of(0)));
	for (size_t step = 0; step < STEPS; step++) {
		size_t i = (size_t)rand_r(&seed) % IDS;
		struct live_ticket *found = live_find(&live, id_of(i));
		cr_assert_eq(found != NULL, there[i], "ticket %lld at step %zu", (long long)id_of(i), step);
		/* At first more come than go, at last more go. */
		bool wanted = (size_t)rand_r(&seed) % STEPS > step;
		if (found == NULL && wanted) {
			cr_assert_not_null(live_add(&live, id_of(i)));
		} else if (found != NULL && !wanted) {
			cr_assert_eq(found->id, id_of(i));
			live_remove(&live, found);
		} else {
			continue;
		}
		there[i] = wanted;
		if (step % 1000 == 0)
			check_walk(&live, there);
	}
	check_walk(&live, there);
	live_clear(&live);
	cr_assert_eq(live_count(&live), 0);
	cr_assert_null(live_find(&live, id_of(1)));
}

Test(live, a_walk_goes_on_after_the_ticket_it_gave_is_removed)
{
	struct live live;
	size_t seen = 0;
	live_init(&live);
	for (size_t i = 0; i < 1000; i++)
		cr_assert_not_null(live_add(&live, id_of(i)));
	struct live_walk walk = live_begin(&live);
	for (struct live_ticket *ticket; (ticket = live_next(&walk)) != NULL; seen++) {
		cr_assert_eq(ticket->id, id_of(seen), "in the order in which they came");
		live_remove(&live, ticket);
	}
	cr_assert_eq(seen, 1000);
	cr_assert_eq(live_count(&live), 0);
	live_clear(&live);
}

Test(live, counts_clocks_of_all_tickets)
{
	static struct clock of_first[] = {{.metric = METRIC_NEXT_RESPONSE, .state = CLOCK_PAUSED},
	                                  {.metric = METRIC_UPDATE, .state = CLOCK_RUNNING, .fired = 1},
	                                  {.metric = METRIC_RESOLUTION, .state = CLOCK_RUNNING}};
	static struct clock of_second[] = {{.state = CLOCK_MET, .fired = 1}, {.state = CLOCK_BREACHED, .fired = 1}};
	struct live live;
	live_init(&live);
	struct live_ticket *first = live_add(&live, 1), *second = live_add(&live, 2);
	of_first[0].next = &of_first[1];
	of_first[1].next = &of_first[2];
	of_second[0].next = &of_second[1];
	first->ticket.clocks = of_first;
	second->ticket.clocks = of_second;
	live_count_clocks(&live, first);
	live_count_clocks(&live, second);
	cr_assert_eq(live.clocks[CLOCK_RUNNING], 2);
	cr_assert_eq(live.clocks[CLOCK_PAUSED], 1);
	cr_assert_eq(live.clocks[CLOCK_BREACHED], 1);
	cr_assert_eq(live.at_risk, 1);
	of_first[2].state = CLOCK_BREACHED;
	live_count_clocks(&live, first);
	cr_assert_eq(live.clocks[CLOCK_RUNNING], 1);
	cr_assert_eq(live.clocks[CLOCK_BREACHED], 2);
	first->ticket.clocks = second->ticket.clocks = NULL; /* not from malloc() */
	live_remove(&live, first);
	cr_assert_eq(live.clocks[CLOCK_RUNNING] + live.clocks[CLOCK_PAUSED] + live.at_risk, 0);
	cr_assert_eq(live.clocks[CLOCK_BREACHED], 1);
	live_clear(&live);
}

Test(live, ladder_steps_wait_with_their_tickets)
{
	struct live live;
	struct live_ticket *ticket;
	live_init(&live);
	struct live_ticket *first = live_add(&live, 1), *second = live_add(&live, 2);
	cr_assert_eq(live_keep_ladder(&live, first, strdup("of the first")), 0);
	cr_assert_eq(live_keep_ladder(&live, second, strdup("of the second")), 0);
	char *ladder = live_take_ladder(&live, &ticket);
	cr_assert_not_null(ladder);
	cr_assert_str_eq(ladder, ticket == first ? "of the first" : "of the second");
	free(ladder);
	live_clear(&live); /* frees the other one */
	cr_assert_null(live_take_ladder(&live, &ticket));
}
