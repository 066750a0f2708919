#include "slated/retry.h"

#include <assert.h>

const struct retry_policy retry_default = {
    .base = {US_PER_S},
    .cap = {10 * US_PER_MIN},
    .give_up = {72 * US_PER_H},
};

const struct retry_policy retry_chat = {
    .base = {US_PER_S},
    .cap = {10 * US_PER_MIN},
    .give_up = {6 * US_PER_H},
};

const struct retry_policy retry_page = {
    .base = {US_PER_S},
    .cap = {US_PER_MIN},
    .give_up = {30 * US_PER_MIN},
};

/* sysexits.h */
enum {
	EXIT_FIRST = 64,
	EXIT_TEMPFAIL = 75,
	EXIT_LAST = 78,
};

enum outcome
retry_of_http_status(long status)
{
	if (status >= 200 && status <= 299)
		return OUTCOME_DELIVERED;
	if (status == 408 || status == 425 || status == 429 || (status >= 500 && status <= 599))
		return OUTCOME_RETRY;
	return OUTCOME_DEAD;
}

enum outcome
retry_of_exit_status(int status)
{
	if (status == 0)
		return OUTCOME_DELIVERED;
	if (status >= EXIT_FIRST && status <= EXIT_LAST && status != EXIT_TEMPFAIL)
		return OUTCOME_DEAD;
	return OUTCOME_RETRY;
}

/* base doubled `attempts` - 1 times, at most the cap. */
static int64_t
backoff_width(const struct retry_policy *policy, uint32_t attempts)
{
	int64_t width = policy->base.us;
	for (uint32_t i = 1; i < attempts && width < policy->cap.us; i++)
		width = width > policy->cap.us / 2 ? policy->cap.us : 2 * width;
	return width < policy->cap.us ? width : policy->cap.us;
}

struct instant
retry_next(const struct retry_policy *policy, struct instant created_at, uint32_t attempts, struct duration asked,
           struct instant now, uint64_t random)
{
	assert(attempts > 0 && policy->base.us > 0 && policy->cap.us > 0 && policy->give_up.us >= 0);
	struct instant last = instant_plus(created_at, policy->give_up);
	if (!instant_before(now, last))
		return INSTANT_NEVER;
	uint64_t width = (uint64_t)backoff_width(policy, attempts);
	struct duration wait = {(int64_t)(random % (width + 1))};
	if (wait.us < asked.us)
		wait = asked;
	return instant_min(instant_plus(now, wait), last);
}
