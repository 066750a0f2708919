#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backtest.h"

const int64_t candidates[CANDIDATES] = {15 * US_PER_MIN, 30 * US_PER_MIN, US_PER_H,      2 * US_PER_H,  4 * US_PER_H,
                                        8 * US_PER_H,    24 * US_PER_H,   72 * US_PER_H, 120 * US_PER_H};
const char *const candidate_names[CANDIDATES] = {"15m", "30m", "1h", "2h", "4h", "8h", "24h", "72h", "120h"};

static struct promise_line *
find_line(struct promise_line *lines, size_t n, const struct promise_line *like)
{
	for (size_t i = 0; i < n; i++)
		if (lines[i].metric == like->metric && strcmp(lines[i].policy, like->policy) == 0 &&
		    strcmp(lines[i].severity, like->severity) == 0)
			return &lines[i];
	return NULL;
}

static bool
has_counts(const int64_t counts[static VERDICTS])
{
	for (int i = VERDICT_NONE + 1; i < VERDICTS; i++)
		if (counts[i] > 0)
			return true;
	return false;
}

static int
add_line(struct promise_line **lines, size_t *n, const struct side *side, struct promise_line like,
         const int64_t counts[static VERDICTS])
{
	struct promise_line *line = find_line(*lines, *n, &like);
	if (line == NULL) {
		struct promise_line *grown = realloc(*lines, (*n + 1) * sizeof(grown[0]));
		if (grown == NULL)
			return -ENOMEM;
		*lines = grown;
		line = &grown[(*n)++];
		*line = like;
	}
	memcpy(line->counts[side->which], counts, sizeof(line->counts[0]));
	return 0;
}

static int
add_side(struct promise_line **lines, size_t *n, const struct side *side)
{
	int r = 0;
	for (size_t i = 0; i < side->set->n_policies; i++)
		for (int metric = 0; metric < METRIC_COUNT; metric++)
			for (unsigned severity = 0; r == 0 && severity < side->set->n_severities; severity++) {
				const struct policy *policy = &side->set->policies[i];
				const int64_t *counts = backtest_cell(side, policy, (enum metric)metric, severity);
				struct promise_line like = {.policy = policy->name,
				                            .severity = side->set->severities[severity].name,
				                            .metric = (enum metric)metric};
				if (has_counts(counts))
					r = add_line(lines, n, side, like, counts);
			}
	return r;
}

int
backtest_lines(const struct backtest *backtest, struct promise_line **ret, size_t *ret_n)
{
	struct promise_line *lines = NULL;
	size_t n = 0;
	int r = add_side(&lines, &n, &backtest->sides[AFTER]);
	if (r == 0 && backtest->compares)
		r = add_side(&lines, &n, &backtest->sides[BEFORE]);
	if (r < 0) {
		free(lines);
		return r;
	}
	*ret = lines;
	*ret_n = n;
	return 0;
}

/* Quarters of one hour stand beside each other: a change of the clocks ends an hour, too. */
struct hour {
	int64_t number; /* of the local clock */
	int64_t offset;
	struct instant begin;
	int64_t pages[SIDES];
};

static void
end_hour(const struct hour *hour, struct channel_hours *hours)
{
	for (int i = 0; i < SIDES; i++)
		if (hour->pages[i] > hours->peak[i]) {
			hours->peak[i] = hour->pages[i];
			hours->peak_at[i] = hour->begin;
		}
}

void
channel_hours_make(const struct channel_count *channel, struct channel_hours *ret)
{
	struct channel_hours hours = {.peak_at = {INSTANT_NEVER, INSTANT_NEVER}};
	struct hour hour = {0};
	for (const struct quarter *quarter = channel->quarters; quarter != NULL; quarter = quarter->hh.next) {
		struct tm local = {0};
		time_t at = (time_t)(quarter->number * 15 * 60);
		(void)localtime_r(&at, &local); /* fails only for years that do not fit an int */
		int64_t number = (at + local.tm_gmtoff) / 3600;
		if (number != hour.number || local.tm_gmtoff != hour.offset) {
			end_hour(&hour, &hours);
			hour = (struct hour){number, local.tm_gmtoff, {at * US_PER_S - local.tm_min * US_PER_MIN}, {0}};
		}
		for (int i = 0; i < SIDES; i++) {
			hour.pages[i] += quarter->pages[i];
			hours.pages[i][local.tm_hour] += quarter->pages[i];
			if (local.tm_hour >= 22 || local.tm_hour < 6)
				hours.night[i] += quarter->pages[i];
		}
	}
	end_hour(&hour, &hours);
	*ret = hours;
}
