#include "seed.h"
#include "slated/courier.h"
#include "slated/loop.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))
#define NAMES   4096

/* A channel that does what it is told: attempts wait until the test ends them. */
struct fake_attempt {
	struct channel_attempt attempt;
	struct fake *fake;
	struct fake_attempt *next;
	char key[32];
};

struct fake {
	struct channel channel;
	struct fake_attempt *under_way; /* newest first */
	size_t n_under_way, most_under_way, n_started, n_cancelled;
	unsigned failures; /* in a row */
	int refuse;        /* what send returns instead of starting */
};

static int
fake_send(struct channel *channel, const struct delivery *delivery, struct channel_attempt **ret)
{
	struct fake *fake = (struct fake *)channel;
	if (fake->refuse < 0)
		return fake->refuse;
	struct fake_attempt *attempt = calloc(1, sizeof(*attempt));
	cr_assert(attempt);
	attempt->fake = fake;
	snprintf(attempt->key, sizeof(attempt->key), "%s", delivery->key);
	attempt->next = fake->under_way;
	fake->under_way = attempt;
	fake->n_started++;
	fake->n_under_way++;
	if (fake->n_under_way > fake->most_under_way)
		fake->most_under_way = fake->n_under_way;
	*ret = &attempt->attempt;
	return 0;
}

static void
fake_remove(struct fake_attempt *attempt)
{
	struct fake_attempt **link = &attempt->fake->under_way;
	while (*link != attempt)
		link = &(*link)->next;
	*link = attempt->next;
	attempt->fake->n_under_way--;
}

static bool
fake_is_failing(const struct fake *fake)
{
	return fake->failures >= GATE_FAILURES;
}

static void
fake_cancel(struct channel_attempt *attempt)
{
	struct fake_attempt *fake = (struct fake_attempt *)attempt;
	fake_remove(fake);
	fake->fake->n_cancelled++;
	free(fake);
}

static const struct channel_ops fake_ops = {
    .type = CHANNEL_TYPE_COUNT,
    .retry = &retry_default,
    .send = fake_send,
    .cancel = fake_cancel,
};

/* What the courier told, in order: "key outcome", and the last error. */
struct world {
	struct event_base *base;
	struct loop *loop;
	struct courier *courier;
	struct fake fakes[3];
	struct instant now;
	int64_t pace; /* so much time goes by with each look at the clock */
	uint64_t random;
	char told[NAMES];
	struct delivery last;
	char error[256];
	size_t n_told;
	void (*then)(struct world *world, const struct delivery *delivery, enum outcome outcome);
};

static char fake_names[3][8] = {"a", "b", "c"};

static struct instant
world_now(void *arg)
{
	struct world *world = arg;
	world->now.us += world->pace;
	return world->now;
}

static uint64_t
world_random(void *arg)
{
	return ((struct world *)arg)->random;
}

static void
world_outcome(void *arg, const struct delivery *delivery, enum outcome outcome, const char *error)
{
	struct world *world = arg;
	cr_assert_eq(!error, outcome == OUTCOME_DELIVERED);
	size_t len = strlen(world->told);
	if (len < NAMES - 64)
		snprintf(world->told + len, NAMES - len, "%s%s %s", len ? ", " : "", delivery->key,
		         outcome_names[outcome]);
	world->last = *delivery;
	world->n_told++;
	snprintf(world->error, sizeof(world->error), "%s", error ? error : "");
	cr_assert_eq(courier_holds(world->courier, delivery->key), outcome == OUTCOME_RETRY);
	if (world->then)
		world->then(world, delivery, outcome);
}

static struct world *
world_new(unsigned concurrency)
{
	struct world *world = calloc(1, sizeof(*world));
	cr_assert(world);
	world->now.us = INT64_C(1767225600) * US_PER_S;
	world->base = event_base_new();
	cr_assert_eq(loop_new(world->base, &world->loop), 0);
	struct channel *channels[3];
	for (size_t i = 0; i < 3; i++) {
		world->fakes[i].channel = (struct channel){.ops = &fake_ops, .name = fake_names[i]};
		channels[i] = &world->fakes[i].channel;
	}
	const struct courier_hooks hooks = {
	    .now = world_now, .random = world_random, .outcome = world_outcome, .arg = world};
	cr_assert_eq(courier_new(world->loop, concurrency, &hooks, &world->courier), 0);
	cr_assert_eq(courier_set_channels(world->courier, channels, 3), 0);
	return world;
}

static void
world_free(struct world *world)
{
	courier_free(world->courier);
	for (size_t i = 0; i < 3; i++)
		cr_expect(!world->fakes[i].under_way, "an attempt is left over");
	loop_free(world->loop);
	event_base_free(world->base);
	free(world);
}

/* Lets the courier do what is to do now. */
static void
world_turn(struct world *world)
{
	courier_wake(world->courier);
	event_base_loop(world->base, EVLOOP_NONBLOCK);
	courier_check(world->courier);
}

static void
world_advance(struct world *world, int64_t us)
{
	world->now.us += us;
	world_turn(world);
}

static struct delivery
world_delivery(const struct world *world, const char *key, int64_t ticket, const char *channel)
{
	return (struct delivery){
	    .key = key,
	    .ticket_id = ticket,
	    .channel = channel,
	    .kind = "breached",
	    .payload = "{}",
	    .at = world->now,
	    .created_at = world->now,
	};
}

static void
world_add(struct world *world, const char *key, int64_t ticket, const char *channel)
{
	struct delivery delivery = world_delivery(world, key, ticket, channel);
	cr_assert_eq(courier_add(world->courier, &delivery), 0);
	courier_check(world->courier);
}

static void
attempt_end(struct fake_attempt *attempt, enum outcome outcome, int64_t retry_after_us)
{
	fake_remove(attempt);
	attempt->fake->failures = outcome == OUTCOME_RETRY ? attempt->fake->failures + 1 : 0;
	const struct channel_result result = {outcome, {retry_after_us}, outcome == OUTCOME_DELIVERED ? NULL : "no"};
	attempt->attempt.done(attempt->attempt.arg, &result);
	free(attempt);
}

/* Ends the attempt of that key. */
static void
world_end(struct world *world, const char *key, enum outcome outcome)
{
	for (size_t i = 0; i < 3; i++)
		for (struct fake_attempt *a = world->fakes[i].under_way; a; a = a->next)
			if (strcmp(a->key, key) == 0) {
				attempt_end(a, outcome, 0);
				world_turn(world);
				return;
			}
	cr_assert_fail("%s is not under way", key);
}

/* The keys under way on a channel, oldest first. */
static const char *
world_under_way(const struct world *world, size_t channel)
{
	static char keys[NAMES];
	keys[0] = '\0';
	for (const struct fake_attempt *a = world->fakes[channel].under_way; a; a = a->next) {
		char rest[NAMES];
		snprintf(rest, sizeof(rest), "%.2000s", keys);
		snprintf(keys, sizeof(keys), "%s%s%.2000s", a->key, *rest ? " " : "", rest);
	}
	return keys;
}

Test(courier, nothing_is_sent_from_within_add)
{
	struct world *world = world_new(8);
	world_add(world, "1", 1, "a");
	cr_expect_eq(world->fakes[0].n_started, 0);
	world_turn(world);
	cr_expect_str_eq(world_under_way(world, 0), "1");
	world_end(world, "1", OUTCOME_DELIVERED);
	cr_expect_str_eq(world->told, "1 delivered");
	cr_expect_eq(world->last.attempts, 1);
	world_free(world);
}

Test(courier, order_within_ticket_and_channel)
{
	struct world *world = world_new(64);
	world_add(world, "1", 1, "a");
	world_add(world, "2", 1, "a");
	world_add(world, "3", 1, "b");
	world_add(world, "4", 2, "a");
	world_add(world, "5", 1, "a");
	world_turn(world);
	cr_expect_str_eq(world_under_way(world, 0), "1 4");
	cr_expect_str_eq(world_under_way(world, 1), "3");
	world_end(world, "4", OUTCOME_DELIVERED);
	cr_expect_str_eq(world_under_way(world, 0), "1");
	/* A retry keeps its place, however long it takes. */
	world->random = 500000;
	world_end(world, "1", OUTCOME_RETRY);
	cr_expect_str_eq(world_under_way(world, 0), "");
	world_advance(world, 499999);
	cr_expect_str_eq(world_under_way(world, 0), "");
	world_advance(world, 1);
	cr_expect_str_eq(world_under_way(world, 0), "1");
	/* A dead one makes way. */
	world_end(world, "1", OUTCOME_DEAD);
	cr_expect_str_eq(world_under_way(world, 0), "2");
	world_end(world, "2", OUTCOME_DELIVERED);
	cr_expect_str_eq(world_under_way(world, 0), "5");
	cr_expect_str_eq(world->told, "4 delivered, 1 retry, 1 dead, 2 delivered");
	world_free(world);
}

Test(courier, concurrency_and_turns)
{
	struct world *world = world_new(4);
	char key[16];
	for (int i = 0; i < 10; i++) {
		snprintf(key, sizeof(key), "a%d", i);
		world_add(world, key, i, "a");
	}
	world_add(world, "b0", 1, "b");
	world_add(world, "b1", 2, "b");
	world_turn(world);
	/* The busy channel does not hold up the other. */
	cr_expect_str_eq(world_under_way(world, 0), "a0 a1");
	cr_expect_str_eq(world_under_way(world, 1), "b0 b1");
	struct courier_counts counts = courier_count(world->courier);
	cr_expect(counts.in_flight == 4 && counts.ready == 8 && counts.behind == 0 && counts.later == 0);
	world_end(world, "b0", OUTCOME_DELIVERED);
	cr_expect_str_eq(world_under_way(world, 0), "a0 a1 a2");
	courier_set_concurrency(world->courier, 6);
	world_turn(world);
	cr_expect_str_eq(world_under_way(world, 0), "a0 a1 a2 a3 a4");
	courier_set_concurrency(world->courier, 1);
	world_end(world, "a0", OUTCOME_DELIVERED);
	cr_expect_str_eq(world_under_way(world, 0), "a1 a2 a3 a4");
	world_free(world);
}

Test(courier, same_key_twice)
{
	struct world *world = world_new(4);
	world_add(world, "1", 1, "a");
	world_add(world, "1", 1, "a");
	world_turn(world);
	world_add(world, "1", 1, "a");
	cr_expect_eq(courier_count(world->courier).in_flight, 1);
	cr_expect_eq(courier_count(world->courier).behind, 0);
	world_end(world, "1", OUTCOME_DELIVERED);
	cr_expect(!courier_holds(world->courier, "1"));
	cr_expect_eq(world->fakes[0].n_started, 1);
	world_free(world);
}

Test(courier, copies_what_it_takes_on)
{
	struct world *world = world_new(4);
	char key[8] = "1", channel[8] = "a";
	world_add(world, key, 1, channel);
	key[0] = channel[0] = 'x';
	world_turn(world);
	cr_expect_str_eq(world_under_way(world, 0), "1");
	world_free(world);
}

Test(courier, back_off)
{
	struct world *world = world_new(4);
	world->random = 0;
	world_add(world, "1", 1, "a");
	world_turn(world);
	struct instant start = world->now;
	/* The whole width each time: the random number is the width. */
	static const int64_t widths_s[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600};
	for (size_t i = 0; i < N(widths_s); i++) {
		world->random = (uint64_t)widths_s[i] * US_PER_S;
		world_end(world, "1", OUTCOME_RETRY);
		cr_expect_eq(world->last.attempts, i + 1);
		cr_expect_eq(world->last.next_attempt_at.us, world->now.us + widths_s[i] * US_PER_S, "attempt %zu", i);
		cr_expect_eq(courier_count(world->courier).later, 1);
		world_advance(world, widths_s[i] * US_PER_S - 1);
		cr_expect_eq(courier_count(world->courier).later, 1);
		world_advance(world, 1);
		cr_expect_eq(courier_count(world->courier).in_flight, 1);
	}
	/* Given up 72 hours after it was made, not after an attempt. */
	world->now.us = start.us + 72 * US_PER_H - 1;
	world->random = 100;
	world_end(world, "1", OUTCOME_RETRY);
	cr_expect_eq(world->last.next_attempt_at.us, start.us + 72 * US_PER_H);
	world_advance(world, 1);
	/* It has failed all the time, so the last attempt waits for the next probe. */
	cr_expect_str_eq(world_under_way(world, 0), "");
	world_advance(world, 30 * US_PER_S);
	world_end(world, "1", OUTCOME_RETRY);
	cr_expect_str_eq(world->error, "given up after 72 hours: no");
	cr_expect(!courier_holds(world->courier, "1"));
	world_free(world);
}

Test(courier, retry_after_is_kept)
{
	struct world *world = world_new(4);
	world_add(world, "1", 1, "a");
	world_turn(world);
	attempt_end(world->fakes[0].under_way, OUTCOME_RETRY, 90 * US_PER_S);
	cr_expect_eq(world->last.next_attempt_at.us, world->now.us + 90 * US_PER_S);
	world_advance(world, 90 * US_PER_S - 1);
	cr_expect_str_eq(world_under_way(world, 0), "");
	world_advance(world, 1);
	cr_expect_str_eq(world_under_way(world, 0), "1");
	world_free(world);
}

/* As after a restart: the attempts made and the next one's instant come from the database. */
Test(courier, takes_up_a_retry)
{
	struct world *world = world_new(4);
	struct delivery delivery = world_delivery(world, "1", 1, "a");
	delivery.attempts = 5;
	delivery.next_attempt_at.us = world->now.us + 7 * US_PER_S;
	cr_assert_eq(courier_add(world->courier, &delivery), 0);
	world_add(world, "2", 1, "a");
	world_advance(world, 7 * US_PER_S - 1);
	cr_expect_str_eq(world_under_way(world, 0), "");
	world_advance(world, 1);
	world->random = 32 * US_PER_S;
	world_end(world, "1", OUTCOME_RETRY);
	cr_expect_eq(world->last.attempts, 6);
	cr_expect_eq(world->last.next_attempt_at.us, world->now.us + 32 * US_PER_S);
	world_free(world);
}

/* Here the loop's timer wakes it, on the real clock. */
Test(courier, timer, .timeout = 30)
{
	struct world *world = world_new(4);
	struct delivery delivery = world_delivery(world, "1", 1, "a");
	delivery.next_attempt_at.us = world->now.us + US_PER_S / 20;
	cr_assert_eq(courier_add(world->courier, &delivery), 0);
	event_base_loop(world->base, EVLOOP_ONCE);
	cr_expect_eq(courier_count(world->courier).later, 1);
	world->now.us += US_PER_S / 20;
	event_base_loop(world->base, EVLOOP_ONCE);
	cr_expect_str_eq(world_under_way(world, 0), "1");
	world_free(world);
}

Test(courier, unknown_channel)
{
	struct world *world = world_new(4);
	world_add(world, "1", 1, "nobody");
	world_add(world, "2", 1, "nobody");
	cr_expect_eq(world->n_told, 0);
	world_turn(world);
	cr_expect_str_eq(world->told, "1 dead, 2 dead");
	cr_expect_str_eq(world->error, "there is no channel \"nobody\"");
	cr_expect_eq(world->last.attempts, 0);
	world_free(world);
}

Test(courier, cannot_start)
{
	struct world *world = world_new(4);
	world->fakes[0].refuse = -EMFILE;
	world->random = 1000000;
	world_add(world, "1", 1, "a");
	world_turn(world);
	cr_expect_str_eq(world->told, "1 retry");
	cr_expect_str_eq(world->error, "cannot start: Too many open files");
	world->fakes[0].refuse = -EBADMSG;
	world_advance(world, 1000000);
	cr_expect_str_eq(world->told, "1 retry, 1 dead");
	cr_expect_eq(world->last.attempts, 2);
	world_free(world);
}

Test(courier, change_of_channels)
{
	struct world *world = world_new(8);
	world_add(world, "1", 1, "a");
	world_add(world, "2", 1, "b");
	world_add(world, "3", 1, "c");
	world_turn(world);
	/* a stays, b is made anew, c is gone. */
	struct fake anew = {.channel = {.ops = &fake_ops, .name = fake_names[1]}};
	struct channel *channels[] = {&world->fakes[0].channel, &anew.channel};
	cr_assert_eq(courier_set_channels(world->courier, channels, 2), 0);
	cr_expect(world->fakes[0].n_cancelled == 0 && world->fakes[1].n_cancelled == 1 &&
	          world->fakes[2].n_cancelled == 1);
	world_turn(world);
	cr_expect(anew.under_way && strcmp(anew.under_way->key, "2") == 0);
	cr_expect_str_eq(world->told, "3 dead");
	attempt_end(anew.under_way, OUTCOME_DELIVERED, 0);
	cr_expect_eq(world->last.attempts, 1, "an attempt cut short does not count");
	world_free(world);
}

Test(courier, stop_tells_of_nothing)
{
	struct world *world = world_new(2);
	world_add(world, "1", 1, "a");
	world_add(world, "2", 1, "a");
	world_add(world, "3", 2, "a");
	world_add(world, "4", 3, "a");
	world_turn(world);
	cr_expect_eq(courier_count(world->courier).in_flight, 2);
	courier_stop(world->courier);
	world_turn(world);
	struct courier_counts counts = courier_count(world->courier);
	cr_expect(counts.in_flight == 0 && counts.behind == 1 && counts.ready == 3, "all are still held");
	cr_expect_eq(world->fakes[0].n_cancelled, 2);
	cr_expect_eq(world->n_told, 0);
	world_free(world);
}

Test(courier, drain_lets_end_what_is_under_way)
{
	struct world *world = world_new(1);
	world_add(world, "1", 1, "a");
	world_add(world, "2", 2, "a");
	world_turn(world);
	courier_drain(world->courier);
	world_end(world, "1", OUTCOME_DELIVERED);
	cr_expect_str_eq(world->told, "1 delivered");
	cr_expect_eq(courier_count(world->courier).in_flight, 0);
	cr_expect_eq(courier_count(world->courier).ready, 1);
	world_free(world);
}

static void
add_another(struct world *world, const struct delivery *delivery, enum outcome outcome)
{
	if (outcome == OUTCOME_DELIVERED && strlen(delivery->key) < 4) {
		char key[8];
		snprintf(key, sizeof(key), "%s+", delivery->key);
		world_add(world, key, delivery->ticket_id, delivery->channel);
	}
}

Test(courier, hook_may_add)
{
	struct world *world = world_new(1);
	world->then = add_another;
	world_add(world, "1", 1, "a");
	world_turn(world);
	world_end(world, "1", OUTCOME_DELIVERED);
	world_end(world, "1+", OUTCOME_DELIVERED);
	world_end(world, "1++", OUTCOME_DELIVERED);
	cr_expect_str_eq(world_under_way(world, 0), "1+++");
	world_free(world);
}

/* Random deliveries, outcomes and clock against what must hold of any run. */
enum { RUN_DELIVERIES = 400, RUN_TICKETS = 12 };

struct run {
	int next_told[RUN_TICKETS][3]; /* the number of the lane's delivery that is to come to an end next */
	int ended;
};

static struct run the_run;

static void
run_ended(struct world *world, const struct delivery *delivery, enum outcome outcome)
{
	(void)world;
	if (outcome == OUTCOME_RETRY)
		return;
	int number = atoi(strchr(delivery->key, '#') + 1);
	int *next = &the_run.next_told[delivery->ticket_id][delivery->channel[0] - 'a'];
	cr_assert_eq(number, *next, "%s came out of order", delivery->key);
	++*next;
	the_run.ended++;
}

Test(courier, random_runs, .timeout = 60)
{
	unsigned seed = (unsigned)random_seed();
	srandom(seed);
	unsigned concurrency = 1 + (unsigned)random() % 8;
	struct world *world = world_new(concurrency);
	world->then = run_ended;
	int numbers[RUN_TICKETS][3] = {0};
	for (int added = 0; the_run.ended < RUN_DELIVERIES;) {
		if (added < RUN_DELIVERIES && random() % 2) {
			int ticket = (int)(random() % RUN_TICKETS), channel = (int)(random() % 3);
			char key[32];
			snprintf(key, sizeof(key), "%d%c#%d", ticket, 'a' + channel, numbers[ticket][channel]++);
			world_add(world, key, ticket, fake_names[channel]);
			added++;
		}
		struct fake *fake = &world->fakes[random() % 3];
		world->random = (uint64_t)random();
		long dice = random() % 10;
		if (fake->under_way && dice < 8)
			attempt_end(fake->under_way,
			            dice < 4   ? OUTCOME_DELIVERED
			            : dice < 7 ? OUTCOME_RETRY
			                       : OUTCOME_DEAD,
			            0);
		world_advance(world, random() % 4 ? random() % US_PER_S : -(random() % US_PER_S));
		size_t under_way = 0;
		for (size_t i = 0; i < 3; i++)
			under_way += world->fakes[i].n_under_way;
		struct courier_counts counts = courier_count(world->courier);
		cr_assert(under_way <= concurrency && under_way == counts.in_flight, "seed %u", seed);
		bool failing = false;
		for (size_t i = 0; i < 3; i++)
			failing |= fake_is_failing(&world->fakes[i]);
		cr_assert(counts.ready == 0 || under_way == concurrency || failing, "seed %u: idle hands", seed);
	}
	struct courier_counts counts = courier_count(world->courier);
	cr_expect_eq(counts.behind + counts.later + counts.ready + counts.in_flight, 0);
	world_free(world);
}

/* Rates, digests, breakers and fallbacks ----------------------------------------------------------------------------
 */

static const struct channel_ops chat_ops = {
    .type = CHANNEL_TYPE_COUNT,
    .retry = &retry_chat,
    .supersedes = true,
    .digest_max = 4,
    .send = fake_send,
    .cancel = fake_cancel,
};

static const struct channel_ops pager_ops = {
    .type = CHANNEL_TYPE_COUNT,
    .retry = &retry_page,
    .pages = true,
    .supersedes = true,
    .digest_max = 4,
    .send = fake_send,
    .cancel = fake_cancel,
};

/* A chat "a" and a pager "b" of these rates, and "c" as ever. */
static struct world *
world_new_rated(unsigned concurrency, struct rate chat, struct rate pager)
{
	struct world *world = world_new(concurrency);
	struct channel *channels[3];
	static char lead[] = "c";
	cr_assert_eq(courier_set_channels(world->courier, NULL, 0), 0);
	for (size_t i = 0; i < 3; i++)
		channels[i] = &world->fakes[i].channel;
	channels[0]->ops = &chat_ops;
	channels[0]->rate = chat;
	channels[1]->ops = &pager_ops;
	channels[1]->rate = pager;
	channels[1]->fallback = lead;
	cr_assert_eq(courier_set_channels(world->courier, channels, 3), 0);
	return world;
}

static void
world_add_kind(struct world *world, const char *key, int64_t ticket, const char *channel, const char *kind)
{
	struct delivery delivery = world_delivery(world, key, ticket, channel);
	delivery.kind = kind;
	delivery.told = strcmp(kind, "escalated") != 0;
	cr_assert_eq(courier_add(world->courier, &delivery), 0);
}

static const struct rate one_a_second = {1, {US_PER_S}};

Test(courier, what_overflows_becomes_a_digest)
{
	struct world *world = world_new_rated(8, one_a_second, (struct rate){0});
	char key[8];
	for (int i = 1; i <= 7; i++) {
		snprintf(key, sizeof(key), "%d", i);
		world_add_kind(world, key, i, "a", "escalated");
		world_turn(world);
	}
	cr_expect_str_eq(world_under_way(world, 0), "1", "the first goes out by itself");
	world_end(world, "1", OUTCOME_DELIVERED);
	cr_expect_null(world->last.digest);
	world_advance(world, US_PER_S - 1);
	cr_expect_eq(world->fakes[0].n_started, 1);
	world_advance(world, 1);
	cr_expect_eq(world->fakes[0].n_started, 2);
	cr_expect_eq(strncmp(world_under_way(world, 0), "sla-digest-", 11), 0);
	cr_expect_eq(courier_count(world->courier).in_flight, 4);
	/* It fails: its deliveries are tried again, each by its own count. */
	world->random = 0;
	attempt_end(world->fakes[0].under_way, OUTCOME_RETRY, 0);
	cr_expect_eq(world->last.attempts, 1);
	cr_expect_null(world->last.digest);
	world_advance(world, US_PER_S);
	attempt_end(world->fakes[0].under_way, OUTCOME_DELIVERED, 0);
	cr_expect_not_null(world->last.digest);
	world_advance(world, US_PER_S);
	attempt_end(world->fakes[0].under_way, OUTCOME_DELIVERED, 0);
	struct courier_counts counts = courier_count(world->courier);
	cr_expect_eq(counts.ready + counts.later + counts.in_flight + counts.behind, 0);
	cr_expect_eq(world->fakes[0].n_started, 4, "1 and 4 and 4 and 2");
	world_free(world);
}

Test(courier, a_pager_bundles_alerts_only_and_first)
{
	struct world *world = world_new_rated(8, (struct rate){0}, one_a_second);
	world_add_kind(world, "r1", 1, "b", "resolved");
	world_add_kind(world, "r2", 2, "b", "resolved");
	world_add_kind(world, "e3", 3, "b", "escalated");
	world_add_kind(world, "e4", 4, "b", "escalated");
	world_turn(world);
	cr_expect_eq(strncmp(world_under_way(world, 1), "sla-digest-", 11), 0);
	cr_expect_eq(courier_count(world->courier).in_flight, 2);
	attempt_end(world->fakes[1].under_way, OUTCOME_DELIVERED, 0);
	cr_expect_str_eq(world->told, "e3 delivered, e4 delivered");
	world_advance(world, US_PER_S);
	cr_expect_str_eq(world_under_way(world, 1), "r1");
	attempt_end(world->fakes[1].under_way, OUTCOME_DELIVERED, 0);
	world_advance(world, US_PER_S);
	cr_expect_str_eq(world_under_way(world, 1), "r2");
	world_free(world);
}

Test(courier, many_late_ones_become_a_digest_whatever_the_rate)
{
	struct world *world = world_new_rated(64, (struct rate){100, {US_PER_S}}, (struct rate){0});
	for (int i = 1; i <= 12; i++) {
		char key[8];
		snprintf(key, sizeof(key), "%d", i);
		struct delivery delivery = world_delivery(world, key, i, "a");
		delivery.kind = "escalated";
		delivery.at.us -= US_PER_H;
		cr_assert_eq(courier_add(world->courier, &delivery), 0);
	}
	world_turn(world);
	/* Three digests of four, no: once ten or fewer are left, each goes by itself. */
	cr_expect_eq(world->fakes[0].n_started, 1 + 8);
	cr_expect_eq(courier_count(world->courier).in_flight, 12);
	world_free(world);
}

Test(courier, a_later_message_of_the_same_alert_supersedes)
{
	struct world *world = world_new_rated(8, one_a_second, (struct rate){0});
	world_add_kind(world, "0", 7, "a", "escalated");
	world_turn(world);
	world_end(world, "0", OUTCOME_DELIVERED);
	world_add_kind(world, "1", 1, "a", "escalated");
	world_add_kind(world, "2", 1, "a", "escalated");
	world_add_kind(world, "3", 1, "a", "acknowledged");
	world_turn(world);
	cr_expect_str_eq(world->told, "0 delivered, 1 superseded");
	world_advance(world, US_PER_S);
	cr_expect_str_eq(world_under_way(world, 0), "2");
	world_free(world);
}

Test(courier, pages_keep_a_share)
{
	struct world *world = world_new_rated(4, (struct rate){0}, (struct rate){0});
	char key[8];
	for (int i = 1; i <= 6; i++) {
		snprintf(key, sizeof(key), "%d", i);
		world_add_kind(world, key, i, "c", "escalated");
	}
	world_turn(world);
	cr_expect_eq(world->fakes[2].n_under_way, 3, "a quarter is left free");
	world_add_kind(world, "p", 9, "b", "escalated");
	world_turn(world);
	cr_expect_str_eq(world_under_way(world, 1), "p");
	world_free(world);
}

/* What fell back, in order. */
static char fallen[NAMES];

static void
note_fall_back(void *arg, const struct delivery *delivery, const char *channel)
{
	(void)arg;
	size_t len = strlen(fallen);
	snprintf(fallen + len, sizeof(fallen) - len, "%s%s to %s", len ? ", " : "", delivery->key, channel);
}

Test(courier, a_failing_channel_is_probed_and_its_fallback_told)
{
	struct world *world = calloc(1, sizeof(*world));
	fallen[0] = '\0';
	world->now.us = INT64_C(1767225600) * US_PER_S;
	world->base = event_base_new();
	cr_assert_eq(loop_new(world->base, &world->loop), 0);
	static char name[] = "b", lead[] = "c";
	world->fakes[1].channel = (struct channel){.ops = &pager_ops, .name = name, .fallback = lead};
	struct channel *channel = &world->fakes[1].channel;
	const struct courier_hooks hooks = {world_now, world_random, world_outcome, note_fall_back, NULL, world};
	cr_assert_eq(courier_new(world->loop, 8, &hooks, &world->courier), 0);
	cr_assert_eq(courier_set_channels(world->courier, &channel, 1), 0);
	for (int i = 1; i <= 6; i++) {
		char key[8];
		snprintf(key, sizeof(key), "%d", i);
		world_add_kind(world, key, i, "b", "escalated");
	}
	world_turn(world);
	cr_expect_eq(world->fakes[1].n_under_way, 6);
	while (world->fakes[1].under_way)
		attempt_end(world->fakes[1].under_way, OUTCOME_RETRY, 0);
	world_turn(world);
	cr_expect_eq(world->fakes[1].n_under_way, 0, "the breaker is open");
	world_advance(world, US_PER_S);
	cr_expect_eq(world->fakes[1].n_under_way, 1, "one probe");
	attempt_end(world->fakes[1].under_way, OUTCOME_RETRY, 0);
	world_advance(world, US_PER_S);
	cr_expect_eq(world->fakes[1].n_under_way, 0, "the next comes later");
	cr_expect_str_eq(fallen, "");
	world_advance(world, 3 * US_PER_MIN);
	cr_expect_str_eq(fallen, "1 to c, 2 to c, 3 to c, 4 to c, 5 to c, 6 to c");
	/* One that comes now falls back at once, and none twice. */
	world_add_kind(world, "7", 7, "b", "escalated");
	world_turn(world);
	world_turn(world);
	cr_expect_str_eq(strrchr(fallen, ',') + 2, "7 to c");
	cr_expect_eq(world->fakes[1].n_under_way, 1);
	attempt_end(world->fakes[1].under_way, OUTCOME_DELIVERED, 0);
	world_turn(world);
	cr_expect_gt(world->fakes[1].n_under_way, 1, "one success closes the breaker");
	while (world->fakes[1].under_way)
		attempt_end(world->fakes[1].under_way, OUTCOME_RETRY, 0);
	/* Given up after 30 minutes, attempted or not. */
	for (int i = 0; i < 40 * 60; i++) {
		while (world->fakes[1].under_way)
			attempt_end(world->fakes[1].under_way, OUTCOME_RETRY, 0);
		world_advance(world, US_PER_S);
	}
	struct courier_counts counts = courier_count(world->courier);
	cr_expect_eq(counts.ready + counts.later + counts.in_flight + counts.behind, 0);
	cr_expect_eq(strncmp(world->error, "given up after 0.5 hours: ", 26), 0, "%s", world->error);
	world_free(world);
}

/* Each of the instants between two looks at the clock: whatever the first of them says, what waits goes out in the end,
 * though nothing but the timer wakes the courier. */
Test(courier, a_rate_lets_go_between_two_looks_at_the_clock, .timeout = 30)
{
	for (int64_t before = 0; before < 12; before++) {
		struct world *world = world_new_rated(8, one_a_second, (struct rate){0});
		world_add(world, "1", 1, "a");
		world_turn(world);
		world_end(world, "1", OUTCOME_DELIVERED);
		world_add(world, "2", 2, "a");
		world_advance(world, US_PER_S - before);
		world->pace = 1;
		world_turn(world);
		for (unsigned i = 0; world->fakes[0].n_started < 2 && i < 100; i++)
			event_base_loop(world->base, EVLOOP_ONCE);
		cr_expect_eq(world->fakes[0].n_started, 2, "with the rate free %" PRId64 " us after it is asked",
		             before);
		world->pace = 0;
		if (world->fakes[0].under_way)
			world_end(world, "2", OUTCOME_DELIVERED);
		world_free(world);
	}
}

Test(courier, a_rate_is_kept_when_nothing_waits)
{
	struct world *world = world_new_rated(8, one_a_second, (struct rate){0});
	world_add_kind(world, "1", 1, "a", "escalated");
	world_turn(world);
	world_end(world, "1", OUTCOME_DELIVERED);
	world_advance(world, US_PER_S / 2);
	world_add_kind(world, "2", 2, "a", "escalated");
	world_turn(world);
	cr_expect_str_eq(world_under_way(world, 0), "");
	world_advance(world, US_PER_S / 2);
	cr_expect_str_eq(world_under_way(world, 0), "2");
	world_free(world);
}

Test(courier, who_was_not_told_hears_of_no_end)
{
	struct world *world = world_new_rated(8, (struct rate){0}, (struct rate){0});
	struct delivery end = world_delivery(world, "end", 1, "b");
	end.kind = "resolved";
	/* The alert is superseded by its end, and the end then by nothing. */
	world_add_kind(world, "1", 1, "b", "escalated");
	cr_assert_eq(courier_add(world->courier, &end), 0);
	world_turn(world);
	cr_expect_str_eq(world->told, "1 superseded, end superseded");
	/* Who was told while the end waited hears of it. */
	world_add_kind(world, "2", 2, "b", "escalated");
	world_turn(world);
	end.key = "end 2";
	end.ticket_id = 2;
	cr_assert_eq(courier_add(world->courier, &end), 0);
	world_end(world, "2", OUTCOME_DELIVERED);
	cr_expect_str_eq(world_under_way(world, 1), "end 2");
	world_free(world);
}
