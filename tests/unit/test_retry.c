#include "seed.h"
#include "slated/retry.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

Test(retry, http_status)
{
	static const struct {
		long status;
		enum outcome outcome;
	} rows[] = {
	    {0, OUTCOME_DEAD},        {100, OUTCOME_DEAD},      {200, OUTCOME_DELIVERED}, {202, OUTCOME_DELIVERED},
	    {204, OUTCOME_DELIVERED}, {299, OUTCOME_DELIVERED}, {300, OUTCOME_DEAD},      {301, OUTCOME_DEAD},
	    {304, OUTCOME_DEAD},      {307, OUTCOME_DEAD},      {400, OUTCOME_DEAD},      {401, OUTCOME_DEAD},
	    {404, OUTCOME_DEAD},      {408, OUTCOME_RETRY},     {409, OUTCOME_DEAD},      {410, OUTCOME_DEAD},
	    {425, OUTCOME_RETRY},     {429, OUTCOME_RETRY},     {431, OUTCOME_DEAD},      {500, OUTCOME_RETRY},
	    {503, OUTCOME_RETRY},     {599, OUTCOME_RETRY},     {600, OUTCOME_DEAD},
	};
	for (size_t i = 0; i < N(rows); i++)
		cr_expect_eq(retry_of_http_status(rows[i].status), rows[i].outcome, "status %ld", rows[i].status);
}

Test(retry, exit_status)
{
	static const struct {
		int status;
		enum outcome outcome;
	} rows[] = {
	    {0, OUTCOME_DELIVERED}, {1, OUTCOME_RETRY},  {2, OUTCOME_RETRY},   {63, OUTCOME_RETRY},
	    {64, OUTCOME_DEAD},     {74, OUTCOME_DEAD},  {75, OUTCOME_RETRY},  {76, OUTCOME_DEAD},
	    {78, OUTCOME_DEAD},     {79, OUTCOME_RETRY}, {126, OUTCOME_RETRY}, {127, OUTCOME_RETRY},
	    {255, OUTCOME_RETRY},
	};
	for (size_t i = 0; i < N(rows); i++)
		cr_expect_eq(retry_of_exit_status(rows[i].status), rows[i].outcome, "exit status %d", rows[i].status);
}

/* `random` UINT64_MAX modulo (width + 1) is not the width, so the widest wait is asked for by the width itself. */
Test(retry, next)
{
	static const struct {
		int64_t created_s, now_s;
		uint32_t attempts;
		int64_t asked_s;
		uint64_t random;
		int64_t next_us; /* after now; -1: never */
	} rows[] = {
	    {0, 0, 1, 0, 0, 0},
	    {0, 0, 1, 0, 1000000, 1000000},
	    {0, 0, 1, 0, 1000001, 0},
	    {0, 0, 2, 0, 2000000, 2000000},
	    {0, 0, 3, 0, 4000000, 4000000},
	    {0, 0, 10, 0, 512000000, 512000000},
	    {0, 0, 11, 0, 600000000, 600000000},
	    {0, 0, 11, 0, 600000001, 0},
	    {0, 0, UINT32_MAX, 0, 600000000, 600000000},
	    /* Retry-After is a lower bound. */
	    {0, 0, 1, 30, 0, 30000000},
	    {0, 0, 1, 30, 1000000, 30000000},
	    {0, 0, 11, 30, 600000000, 600000000},
	    /* The last attempt is made when the policy gives up, and none after it. */
	    {0, 72 * 3600 - 10, 50, 0, 600000000, 10000000},
	    {0, 0, 1, 1000000000, 0, 72 * 3600 * INT64_C(1000000)},
	    {0, 72 * 3600, 50, 0, 0, -1},
	    {0, 72 * 3600 + 1, 50, 0, 0, -1},
	    {1000, 72 * 3600 + 999, 50, 0, 5000000, 1000000},
	    {1000, 72 * 3600 + 1000, 50, 0, 0, -1},
	};
	for (size_t i = 0; i < N(rows); i++) {
		struct instant now = {rows[i].now_s * US_PER_S};
		struct instant next =
		    retry_next(&retry_default, (struct instant){rows[i].created_s * US_PER_S}, rows[i].attempts,
		               (struct duration){rows[i].asked_s * US_PER_S}, now, rows[i].random);
		if (rows[i].next_us < 0)
			cr_expect(instant_equal(next, INSTANT_NEVER), "row %zu: %" PRId64, i, next.us);
		else
			cr_expect_eq(next.us - now.us, rows[i].next_us, "row %zu: %" PRId64, i, next.us - now.us);
	}
}

/* What holds of every wait, and that the jitter is full: over many draws each tenth of the width is hit. */
Test(retry, every_wait)
{
	unsigned seed = (unsigned)random_seed();
	srandom(seed);
	const struct retry_policy *policy = &retry_default;
	for (uint32_t attempts = 1; attempts <= 20; attempts++) {
		int64_t width = policy->base.us;
		for (uint32_t i = 1; i < attempts && width < policy->cap.us; i++)
			width *= 2;
		width = width < policy->cap.us ? width : policy->cap.us;
		unsigned tenths = 0;
		for (int draw = 0; draw < 2000; draw++) {
			uint64_t random_bits = (uint64_t)random() << 40 ^ (uint64_t)random() << 20 ^ (uint64_t)random();
			struct instant created = {(int64_t)random() * 1000000};
			struct instant now = {created.us + (int64_t)(random() % (73 * 3600)) * 1000000};
			struct duration asked = {random() % 2 ? 0 : (int64_t)random() % (2 * width)};
			struct instant last = {created.us + policy->give_up.us};
			struct instant next = retry_next(policy, created, attempts, asked, now, random_bits);
			if (now.us >= last.us) {
				cr_assert(instant_equal(next, INSTANT_NEVER), "seed %u", seed);
				continue;
			}
			cr_assert(next.us >= now.us && next.us <= last.us, "seed %u: outside", seed);
			cr_assert(next.us == last.us || next.us - now.us >= asked.us, "seed %u: too early", seed);
			int64_t most = asked.us > width ? asked.us : width;
			cr_assert(next.us - now.us <= most, "seed %u: too late", seed);
			if (asked.us == 0 && next.us < last.us && next.us - now.us < width)
				tenths |= 1u << ((next.us - now.us) * 10 / width);
		}
		cr_expect_eq(tenths, 0x3ff, "seed %u, attempt %u: tenths %x", seed, attempts, tenths);
	}
}
