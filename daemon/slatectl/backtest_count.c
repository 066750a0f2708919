#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backtest.h"

#define QUARTER (15 * US_PER_MIN)

int64_t *
backtest_cell(const struct side *side, const struct policy *policy, enum metric metric, unsigned severity)
{
	size_t at =
	    ((size_t)(policy - side->set->policies) * METRIC_COUNT + metric) * side->set->n_severities + severity;
	return side->verdicts[at];
}

/* Pages -------------------------------------------------------------------------------------------------------------
 */

static struct channel_count *
find_channel(struct backtest *backtest, const char *name)
{
	for (size_t i = 0; i < backtest->n_channels; i++)
		if (strcmp(backtest->channels[i].name, name) == 0)
			return &backtest->channels[i];
	struct channel_count *grown = realloc(backtest->channels, (backtest->n_channels + 1) * sizeof(grown[0]));
	char *copy = strdup(name);
	if (grown != NULL)
		backtest->channels = grown;
	if (grown == NULL || copy == NULL) {
		free(copy);
		backtest->error = -ENOMEM;
		return NULL;
	}
	grown[backtest->n_channels] = (struct channel_count){.name = copy};
	return &grown[backtest->n_channels++];
}

void
backtest_count_page(struct side *side, const char *name, struct instant at)
{
	struct channel_count *channel = find_channel(side->backtest, name);
	int64_t number = at.us / QUARTER - (at.us % QUARTER < 0);
	struct quarter *quarter;
	if (channel == NULL)
		return;
	HASH_FIND(hh, channel->quarters, &number, sizeof(number), quarter);
	if (quarter == NULL) {
		quarter = calloc(1, sizeof(*quarter));
		if (quarter == NULL) {
			side->backtest->error = -ENOMEM;
			return;
		}
		quarter->number = number;
		HASH_ADD(hh, channel->quarters, number, sizeof(number), quarter);
	}
	quarter->pages[side->which]++;
	channel->pages[side->which]++;
}

/* How long it took --------------------------------------------------------------------------------------------------
 */

static struct sample *
find_sample(struct backtest *backtest, enum metric metric, unsigned severity, const char *calendar, bool promised)
{
	for (size_t i = 0; i < backtest->n_samples; i++) {
		struct sample *sample = &backtest->samples[i];
		if (sample->metric == metric && sample->severity == severity && sample->promised == promised &&
		    strcmp(sample->calendar, calendar) == 0)
			return sample;
	}
	struct sample *grown = realloc(backtest->samples, (backtest->n_samples + 1) * sizeof(grown[0]));
	if (grown == NULL) {
		backtest->error = -ENOMEM;
		return NULL;
	}
	backtest->samples = grown;
	grown[backtest->n_samples] =
	    (struct sample){.metric = metric, .severity = severity, .calendar = calendar, .promised = promised};
	return &grown[backtest->n_samples++];
}

static int
add_length(int64_t **lengths, size_t *n, size_t *room, int64_t length)
{
	if (*n == *room) {
		size_t wider = *room * 2 + 64;
		int64_t *grown = realloc(*lengths, wider * sizeof(grown[0]));
		if (grown == NULL)
			return -ENOMEM;
		*lengths = grown;
		*room = wider;
	}
	(*lengths)[(*n)++] = length;
	return 0;
}

static void
count_length(struct backtest *backtest, struct sample *sample, bool met, struct duration length)
{
	if (sample == NULL)
		return;
	int r = met ? add_length(&sample->met, &sample->n_met, &sample->room_met, length.us)
	            : add_length(&sample->waiting, &sample->n_waiting, &sample->room_waiting, length.us);
	if (r < 0)
		backtest->error = r;
}

static void
count_clock(struct backtest *backtest, const struct ticket *ticket, const struct clock *clock, struct instant end)
{
	struct calendar *calendar = clock->target->calendar;
	struct duration length = clock_consumed(clock, end);
	if (clock->state == CLOCK_WITHDRAWN)
		return;
	if (clock->state == CLOCK_BREACHED)
		length.us += calendar_between(calendar, clock->breached_at, end).us;
	count_length(backtest, find_sample(backtest, clock->metric, ticket->severity, calendar_name(calendar), true),
	             clock->state == CLOCK_MET, length);
}

/* What the draft promises nothing for is timed by the wall clock: it may be promised next. */
static void
count_unpromised(struct backtest *backtest, const struct played *played, enum metric metric, struct instant end)
{
	const struct ticket *ticket = &played->halves[AFTER]->ticket;
	struct instant at = metric == METRIC_FIRST_RESPONSE ? played->answered_at : played->solved_at;
	bool met = !instant_equal(at, INSTANT_NEVER);
	if (!met && (ticket->status >= STATUS_SOLVED || ticket_is_final(ticket)))
		return;
	count_length(backtest, find_sample(backtest, metric, ticket->severity, "always", false), met,
	             instant_since(met ? at : end, ticket->opened_at));
}

static void
count_times(struct backtest *backtest, const struct played *played, struct instant end)
{
	static const enum metric metrics[] = {METRIC_FIRST_RESPONSE, METRIC_RESOLUTION};
	const struct ticket *ticket = &played->halves[AFTER]->ticket;
	for (size_t i = 0; ticket->opened && i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		const struct clock *clock = ticket_clock(ticket, metrics[i]);
		if (clock != NULL)
			count_clock(backtest, ticket, clock, end);
		else
			count_unpromised(backtest, played, metrics[i], end);
	}
}

/* How many of `n` sorted lengths are at most `length`. */
static size_t
count_within(const int64_t *lengths, size_t n, int64_t length)
{
	size_t low = 0;
	while (low < n) {
		size_t middle = low + (n - low) / 2;
		if (lengths[middle] <= length)
			low = middle + 1;
		else
			n = middle;
	}
	return low;
}

void
sample_share(const struct sample *sample, int64_t length_us, int64_t *ret_kept, int64_t *ret_missed)
{
	size_t kept = count_within(sample->met, sample->n_met, length_us);
	size_t unknown = count_within(sample->waiting, sample->n_waiting, length_us);
	*ret_kept = (int64_t)kept;
	*ret_missed = (int64_t)(sample->n_met - kept + sample->n_waiting - unknown);
}

int64_t
sample_percentile(const struct sample *sample, unsigned percent)
{
	size_t low = 0, high = sample->n_met;
	while (low < high) { /* a longer time is kept by no fewer */
		size_t middle = low + (high - low) / 2;
		int64_t kept, missed;
		sample_share(sample, sample->met[middle], &kept, &missed);
		if (kept * 100 >= (kept + missed) * (int64_t)percent)
			high = middle;
		else
			low = middle + 1;
	}
	return low < sample->n_met ? sample->met[low] : -1;
}

/* Verdicts ----------------------------------------------------------------------------------------------------------
 */

static const struct outcome *
find_outcome(const struct half *half, const struct outcome *like)
{
	for (size_t i = 0; i < half->n; i++)
		if (half->outcomes[i].metric == like->metric && half->outcomes[i].cycle == like->cycle)
			return &half->outcomes[i];
	return NULL;
}

static void
write_outcome(struct jsonw *json, const char *key, const struct backtest *backtest, enum backtest_side which,
              const struct outcome *outcome)
{
	jsonw_open(json, key, '{');
	jsonw_text(json, "verdict", verdict_names[outcome->verdict]);
	if (outcome->policy != NULL) {
		jsonw_text(json, "policy", outcome->policy->name);
		jsonw_text(json, "severity", backtest->sides[which].set->severities[outcome->severity].name);
		jsonw_instant(json, "due_at", outcome->due_at);
	}
	jsonw_close(json, '}');
}

/* All of them would not fit into memory; they go to a file without a name. */
static void
spool_difference(struct backtest *backtest, const char *ticket, const struct difference *difference)
{
	struct jsonw json = {0};
	jsonw_open(&json, NULL, '{');
	jsonw_text(&json, "ticket", ticket);
	jsonw_text(&json, "metric", metric_names[difference->metric]);
	jsonw_number(&json, "cycle", difference->cycle);
	write_outcome(&json, "before", backtest, BEFORE, &difference->outcomes[BEFORE]);
	write_outcome(&json, "after", backtest, AFTER, &difference->outcomes[AFTER]);
	jsonw_close(&json, '}');
	text_add_string(&json.text, "\n");
	if (json.text.failed)
		backtest->error = -ENOMEM;
	else if (fwrite(json.text.data, 1, json.text.len, backtest->all) != json.text.len)
		backtest->error = -EIO;
	jsonw_clear(&json);
}

static void
keep_difference(struct backtest *backtest, const char *ticket, struct difference difference)
{
	if (backtest->n_differences == backtest->room_differences) {
		size_t room = backtest->room_differences * 2 + 16;
		struct difference *grown = realloc(backtest->differences, room * sizeof(grown[0]));
		if (grown == NULL) {
			backtest->error = -ENOMEM;
			return;
		}
		backtest->differences = grown;
		backtest->room_differences = room;
	}
	difference.ticket = strdup(ticket);
	if (difference.ticket == NULL)
		backtest->error = -ENOMEM;
	else
		backtest->differences[backtest->n_differences++] = difference;
}

static void
count_difference(struct backtest *backtest, const struct played *played, const struct outcome *before,
                 const struct outcome *after, bool *changed)
{
	static const struct outcome none = {.verdict = VERDICT_NONE, .due_at = INSTANT_NEVER};
	const struct outcome *either = after != NULL ? after : before;
	assert(either != NULL);
	struct difference difference = {
	    .metric = either->metric,
	    .cycle = either->cycle,
	    .outcomes = {before != NULL ? *before : none, after != NULL ? *after : none},
	};
	enum verdict from = difference.outcomes[BEFORE].verdict, to = difference.outcomes[AFTER].verdict;
	backtest->changes[from][to]++;
	if (from == to)
		return;
	*changed = true;
	if (backtest->n_differences < backtest->max_differences)
		keep_difference(backtest, played->name, difference);
	if (backtest->all != NULL)
		spool_difference(backtest, played->name, &difference);
}

static void
compare_halves(struct backtest *backtest, const struct played *played)
{
	const struct half *before = played->halves[BEFORE], *after = played->halves[AFTER];
	bool changed = false;
	for (size_t i = 0; i < after->n; i++)
		count_difference(backtest, played, find_outcome(before, &after->outcomes[i]), &after->outcomes[i],
		                 &changed);
	for (size_t i = 0; i < before->n; i++)
		if (find_outcome(after, &before->outcomes[i]) == NULL)
			count_difference(backtest, played, &before->outcomes[i], NULL, &changed);
	backtest->changed_tickets += changed;
}

void
backtest_count_ticket(struct backtest *backtest, const struct played *played, struct instant end)
{
	backtest->tickets++;
	for (int i = backtest->compares ? BEFORE : AFTER; i < SIDES; i++) {
		const struct half *half = played->halves[i];
		for (size_t k = 0; k < half->n; k++) {
			const struct outcome *outcome = &half->outcomes[k];
			backtest_cell(&backtest->sides[i], outcome->policy, outcome->metric,
			              outcome->severity)[outcome->verdict]++;
		}
	}
	count_times(backtest, played, end);
	if (backtest->compares)
		compare_halves(backtest, played);
}

/* The end -----------------------------------------------------------------------------------------------------------
 */

static int
compare_lengths(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static int
compare_samples(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	if (x->metric != y->metric)
		return x->metric < y->metric ? -1 : 1;
	if (x->severity != y->severity)
		return x->severity < y->severity ? -1 : 1;
	return strcmp(x->calendar, y->calendar) != 0 ? strcmp(x->calendar, y->calendar) : y->promised - x->promised;
}

static int
compare_channels(const void *a, const void *b)
{
	return strcmp(((const struct channel_count *)a)->name, ((const struct channel_count *)b)->name);
}

static int
compare_quarters(const struct quarter *a, const struct quarter *b)
{
	return a->number < b->number ? -1 : a->number > b->number;
}

void
backtest_settle(struct backtest *backtest)
{
	for (size_t i = 0; i < backtest->n_channels; i++)
		HASH_SORT(backtest->channels[i].quarters, compare_quarters);
	for (size_t i = 0; i < backtest->n_samples; i++) {
		struct sample *sample = &backtest->samples[i];
		if (sample->n_met > 1)
			qsort(sample->met, sample->n_met, sizeof(sample->met[0]), compare_lengths);
		if (sample->n_waiting > 1)
			qsort(sample->waiting, sample->n_waiting, sizeof(sample->waiting[0]), compare_lengths);
	}
	if (backtest->n_samples > 1)
		qsort(backtest->samples, backtest->n_samples, sizeof(backtest->samples[0]), compare_samples);
	if (backtest->n_channels > 1)
		qsort(backtest->channels, backtest->n_channels, sizeof(backtest->channels[0]), compare_channels);
}

void
backtest_clear_counts(struct backtest *backtest)
{
	for (size_t i = 0; i < backtest->n_samples; i++) {
		free(backtest->samples[i].met);
		free(backtest->samples[i].waiting);
	}
	free(backtest->samples);
	for (size_t i = 0; i < backtest->n_channels; i++) {
		struct quarter *quarter, *next;
		HASH_ITER (hh, backtest->channels[i].quarters, quarter, next) {
			HASH_DEL(backtest->channels[i].quarters, quarter);
			free(quarter);
		}
		free(backtest->channels[i].name);
	}
	free(backtest->channels);
	for (size_t i = 0; i < backtest->n_differences; i++)
		free(backtest->differences[i].ticket);
	free(backtest->differences);
}
