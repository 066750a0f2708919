#include "seed.h"
#include "slated/gate.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct instant
at(int64_t us)
{
	return (struct instant){INT64_C(1767225600) * US_PER_S + us};
}

Test(gate, a_rate_lets_a_burst_through_and_then_its_share)
{
	struct gate gate;
	gate_init(&gate, (struct rate){120, {US_PER_MIN}});
	cr_expect_eq(gate_tokens(&gate, at(0)), 120);
	for (int i = 0; i < 120; i++)
		gate_take(&gate, at(0));
	cr_expect_eq(gate_tokens(&gate, at(0)), 0);
	cr_expect_eq(gate_next(&gate, at(0)).us, at(US_PER_S / 2).us);
	cr_expect_eq(gate_tokens(&gate, at(US_PER_S / 2 - 1)), 0);
	cr_expect_eq(gate_tokens(&gate, at(US_PER_S / 2)), 1);
	cr_expect_eq(gate_tokens(&gate, at(US_PER_MIN)), 120);
	cr_expect_eq(gate_tokens(&gate, at(US_PER_H)), 120, "no more than the burst gathers");
}

Test(gate, without_a_rate_there_is_no_end)
{
	struct gate gate;
	gate_init(&gate, (struct rate){0});
	gate_take(&gate, at(0));
	cr_expect_eq(gate_tokens(&gate, at(0)), GATE_UNLIMITED);
	cr_expect_eq(gate_next(&gate, at(0)).us, at(0).us);
}

Test(gate, failures_open_it_for_probes_that_get_rarer)
{
	struct gate gate;
	gate_init(&gate, (struct rate){0});
	for (unsigned i = 0; i < GATE_FAILURES - 1; i++)
		gate_failed(&gate, at(i), (struct duration){0});
	cr_expect(!gate_is_open(&gate));
	cr_expect_eq(gate_tokens(&gate, at(9)), GATE_UNLIMITED);
	static const int64_t waits_s[] = {1, 2, 4, 8, 16, 30, 30};
	int64_t now = 10;
	for (size_t i = 0; i < sizeof(waits_s) / sizeof(waits_s[0]); i++) {
		gate_failed(&gate, at(now), (struct duration){0});
		cr_expect(gate_is_open(&gate));
		cr_expect_eq(gate_next(&gate, at(now)).us, at(now + waits_s[i] * US_PER_S).us, "probe %zu", i);
		cr_expect_eq(gate_tokens(&gate, at(now)), 0);
		now += waits_s[i] * US_PER_S;
		cr_expect_eq(gate_tokens(&gate, at(now)), 1, "one probe");
	}
	cr_expect_eq(gate.failing_since.us, at(0).us);
	gate_succeeded(&gate);
	cr_expect(instant_equal(gate.failing_since, INSTANT_NEVER));
	cr_expect_eq(gate_tokens(&gate, at(now)), GATE_UNLIMITED);
}

Test(gate, what_the_receiver_asks_for_is_kept_within_reason)
{
	struct gate gate;
	gate_init(&gate, (struct rate){0});
	gate_failed(&gate, at(0), (struct duration){90 * US_PER_S});
	cr_expect(!gate_is_open(&gate));
	cr_expect_eq(gate_tokens(&gate, at(90 * US_PER_S - 1)), 0);
	cr_expect_eq(gate_tokens(&gate, at(90 * US_PER_S)), GATE_UNLIMITED);
	gate_failed(&gate, at(0), (struct duration){US_PER_DAY});
	cr_expect_eq(gate_next(&gate, at(0)).us, at(US_PER_H).us);
}

Test(gate, a_clock_set_back_holds_nothing_up_for_long)
{
	struct gate gate;
	gate_init(&gate, (struct rate){1, {US_PER_S}});
	gate_take(&gate, at(0));
	gate_failed(&gate, at(0), (struct duration){US_PER_MIN});
	cr_expect_eq(gate_next(&gate, at(-US_PER_DAY)).us, at(-US_PER_DAY + US_PER_S).us);
}

/* In any stretch of time there are never more than the burst and that time's share. */
Test(gate, never_exceeds_its_rate)
{
	unsigned seed = (unsigned)random_seed();
	srandom(seed);
	for (int round = 0; round < 50; round++) {
		struct rate rate = {1 + (uint32_t)(random() % 50), {US_PER_S * (1 + random() % 90)}};
		struct gate gate;
		int64_t sent[2000], now = 0;
		size_t n = 0;
		gate_init(&gate, rate);
		while (n < 2000) {
			if (gate_tokens(&gate, at(now)) > 0 && random() % 8) {
				gate_take(&gate, at(now));
				sent[n++] = now;
				continue;
			}
			int64_t next = gate_next(&gate, at(now)).us - at(0).us;
			cr_assert(next >= now);
			cr_assert(next == now || gate_tokens(&gate, at(next - 1)) == 0);
			cr_assert(gate_tokens(&gate, at(next)) > 0, "seed %u", seed);
			now = random() % 2 ? next : now + random() % (2 * US_PER_S);
		}
		int64_t interval = rate.per.us / rate.count;
		for (size_t i = 0; i + rate.count < n; i++)
			for (size_t j = i + rate.count; j < n && j < i + 3 * rate.count; j++)
				cr_assert(sent[j] - sent[i] >= (int64_t)(j - i - rate.count + 1) * interval - interval,
				          "seed %u: %zu in %lld us", seed, j - i + 1, (long long)(sent[j] - sent[i]));
	}
}
