/* What was to be sent and what came, and who recorded it. */
#include "history_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One clock on one channel. */
struct lane {
	enum metric metric;
	int32_t cycle;
	const char *channel;
};

static bool
is_delivered(const struct alert *alert)
{
	return alert->times > 0 && strcmp(alert->state, "delivered") == 0;
}

static bool
is_resolve(const struct alert *alert)
{
	return strcmp(alert->kind, "resolved") == 0;
}

static bool
is_on_lane(const struct alert *alert, const struct lane *lane)
{
	return alert->metric == lane->metric && alert->cycle == lane->cycle &&
	       strcmp(alert->channel, lane->channel) == 0;
}

static const char *
describe_lane(const struct ticket_log *log, const struct lane *lane, char text[static ENTRY_TEXT_SIZE])
{
	(void)snprintf(text, ENTRY_TEXT_SIZE, "ticket %" PRId64 ", %s.%" PRId32 ", %s", log->ticket,
	               lane->metric == METRIC_COUNT ? "no clock" : metric_names[lane->metric], lane->cycle,
	               lane->channel);
	return text;
}

/* Every escalation reaches every channel it names, and every channel told of it hears of its end, last of all: what
 * comes a second time comes with all that followed it. */
static void
check_lane(struct history *history, const struct ticket_log *log, const struct lane *lane)
{
	char text[ENTRY_TEXT_SIZE];
	unsigned steps = 0;
	unsigned sent = 0;
	unsigned ends = 0;
	bool ended = false;
	const struct alert *last = NULL;
	const struct alert *end = NULL;
	for (size_t i = 0; i < log->n_recorded; i++) {
		const struct entry *entry = &log->recorded[i];
		if (entry->metric != lane->metric || entry->cycle != lane->cycle)
			continue;
		ended |= entry->kind == MILESTONE_MET || entry->kind == MILESTONE_WITHDRAWN;
		for (size_t j = 0; j < entry->n_notify; j++)
			steps += strcmp(entry->notify[j], lane->channel) == 0;
	}
	for (size_t i = 0; i < log->n_alerts; i++) {
		const struct alert *alert = log->alerts[i];
		if (!is_on_lane(alert, lane))
			continue;
		sent += strcmp(alert->kind, "escalated") == 0;
		ends += is_resolve(alert);
		if (is_delivered(alert) && is_resolve(alert))
			end = alert;
		else if (is_delivered(alert) && !alert->loose && (last == NULL || alert->last > last->last))
			last = alert;
	}
	if (sent != steps)
		history_blame(history, CHECK_STEPS, "%s: %u deliveries for %u steps", describe_lane(log, lane, text),
		              sent, steps);
	if (ends != (ended && steps > 0 ? 1U : 0U))
		history_blame(history, CHECK_ENDS, "%s: %u deliveries of its end, which has %scome",
		              describe_lane(log, lane, text), ends, ended ? "" : "not ");
	if (end != NULL && last != NULL && last->last > end->last)
		history_blame(history, CHECK_RESOLVE, "%s: %s came after the resolve %s",
		              describe_lane(log, lane, text), last->key, end->key);
}

/* Adds a lane where it is not there yet. */
static size_t
add_lane(struct lane *lanes, size_t n, enum metric metric, int32_t cycle, const char *channel)
{
	for (size_t i = 0; i < n; i++)
		if (lanes[i].metric == metric && lanes[i].cycle == cycle && strcmp(lanes[i].channel, channel) == 0)
			return n;
	lanes[n] = (struct lane){metric, cycle, channel};
	return n + 1;
}

static void
check_lanes(struct history *history, const struct ticket_log *log)
{
	size_t room = log->n_alerts;
	size_t n = 0;
	for (size_t i = 0; i < log->n_recorded; i++)
		room += log->recorded[i].n_notify;
	struct lane *lanes = calloc(room + 1, sizeof(lanes[0]));
	if (lanes == NULL)
		abort();
	for (size_t i = 0; i < log->n_recorded; i++)
		for (size_t j = 0; j < log->recorded[i].n_notify; j++)
			n = add_lane(lanes, n, log->recorded[i].metric, log->recorded[i].cycle,
			             log->recorded[i].notify[j]);
	for (size_t i = 0; i < log->n_alerts; i++)
		n = add_lane(lanes, n, log->alerts[i]->metric, log->alerts[i]->cycle, log->alerts[i]->channel);
	for (size_t i = 0; i < n; i++)
		check_lane(history, log, &lanes[i]);
	free(lanes);
}

/* Whether a delivery came before one that stands after it. What was lost may have come in another order before. Where
 * only one of them had come before, it may come once more from a daemon that has not heard of the loss yet; in the end
 * it comes again, in order. */
static bool
is_in_order(const struct alert *former, const struct alert *alert)
{
	size_t former_anew = former->anew > 0 ? former->anew : former->first;
	size_t anew = alert->anew > 0 ? alert->anew : alert->first;
	bool apart =
	    (alert->forgiven && former->first > alert->lost) || (former->forgiven && alert->first > former->lost);
	return former->first < alert->first || former_anew < anew || (apart && former->last < alert->last);
}

/* On each channel, by their first receipts. */
static void
check_order(struct history *history, const struct ticket_log *log)
{
	for (size_t i = 1; i < log->n_alerts; i++) {
		const struct alert *alert = log->alerts[i];
		const struct alert *former = NULL;
		if (!is_delivered(alert))
			continue;
		for (size_t j = i; j-- > 0 && former == NULL;)
			if (is_delivered(log->alerts[j]) && strcmp(log->alerts[j]->channel, alert->channel) == 0)
				former = log->alerts[j];
		if (former != NULL && !is_in_order(former, alert))
			history_blame(history, CHECK_ORDER, "ticket %" PRId64 ", %s: %s came before %s", log->ticket,
			              alert->channel, alert->key, former->key);
	}
}

void
history_check_deliveries(struct history *history, const struct ticket_log *log)
{
	check_lanes(history, log);
	check_order(history, log);
}

static void
check_known(struct history *history, const struct alert *alert)
{
	bool waits = strcmp(alert->state, "delivered") != 0 && strcmp(alert->state, "dead") != 0;
	if (waits)
		history_blame(history, CHECK_WAITING, "ticket %" PRId64 ", %s: %s waits", alert->ticket, alert->channel,
		              alert->key);
	else if (strcmp(alert->state, "dead") == 0)
		history_blame(history, CHECK_DEAD, "ticket %" PRId64 ", %s: %s was given up", alert->ticket,
		              alert->channel, alert->key);
	if (alert->times == 0)
		history_blame(history, CHECK_RECEIVED, "ticket %" PRId64 ", %s: %s was never received", alert->ticket,
		              alert->channel, alert->key);
	if (alert->copies > 1)
		history_blame(history, CHECK_KEYS, "ticket %" PRId64 ", %s: %u deliveries under the key %s",
		              alert->ticket, alert->channel, alert->copies, alert->key);
	if (alert->received_on != NULL && (alert->strayed || strcmp(alert->received_on, alert->channel) != 0))
		history_blame(history, CHECK_KEYS, "ticket %" PRId64 ", %s: the key %s came on %s", alert->ticket,
		              alert->channel, alert->key, alert->received_on);
}

void
history_check_alerts(struct history *history)
{
	const struct alert *alert;
	const struct alert *next;
	char at[INSTANT_TEXT_SIZE];
	HASH_ITER (hh, history->alerts, alert, next) {
		if (alert->known)
			check_known(history, alert);
		else if (!alert->forgiven && alert->times > 0) {
			(void)instant_format(alert->first_at, at);
			history_blame(history, CHECK_UNKNOWN, "the key %s, received at %s, is unknown", alert->key, at);
		}
		if (history->at_most > 0 && alert->times > history->at_most)
			history_blame(history, CHECK_OFTEN, "%s came %u times", alert->key, alert->times);
	}
}

/* Leases ----------------------------------------------------------------------------------------------------------- */

static int
lease_compare(const void *a, const void *b)
{
	const struct lease *x = a;
	const struct lease *y = b;
	if (x->shard != y->shard)
		return x->shard < y->shard ? -1 : 1;
	return x->from.us < y->from.us ? -1 : x->from.us > y->from.us;
}

static void
check_overlaps(struct history *history)
{
	char from[INSTANT_TEXT_SIZE];
	for (size_t i = 0; i < history->n_leases; i++)
		for (size_t j = i + 1; j < history->n_leases; j++) {
			const struct lease *a = &history->leases[i];
			const struct lease *b = &history->leases[j];
			if (b->shard != a->shard || b->from.us >= a->to.us)
				break;
			if (b->to.us <= b->from.us || strcmp(a->owner, b->owner) == 0)
				continue;
			(void)instant_format(b->from, from);
			history_blame(history, CHECK_HELD, "shard %u: %s had its lease from %s on, when %s held it",
			              a->shard, b->owner, from, a->owner);
		}
}

static void
check_holder(struct history *history, const struct ticket_log *log, size_t first)
{
	unsigned shard = (unsigned)((uint64_t)log->ticket % SHARDS);
	char text[ENTRY_TEXT_SIZE];
	char at[INSTANT_TEXT_SIZE];
	for (size_t i = 0; i < log->n_recorded; i++) {
		const struct entry *entry = &log->recorded[i];
		bool held = false;
		for (size_t j = first; j < history->n_leases && history->leases[j].shard == shard && !held; j++) {
			const struct lease *lease = &history->leases[j];
			held = entry->instance != NULL && strcmp(lease->owner, entry->instance) == 0 &&
			       lease->from.us <= entry->held_at.us && entry->held_at.us < lease->to.us;
		}
		if (held)
			continue;
		(void)instant_format(entry->recorded_at, at);
		history_blame(history, CHECK_HOLDER,
		              "ticket %" PRId64 ": recorded at %s by %s without the lease of shard %u: %s", log->ticket,
		              at, entry->instance == NULL ? "nobody" : entry->instance, shard,
		              entry_describe(entry, text));
	}
}

void
history_check_leases(struct history *history)
{
	const struct ticket_log *log;
	const struct ticket_log *next;
	size_t first[SHARDS]; /* lease of each shard */
	if (history->n_leases == 0)
		return;
	qsort(history->leases, history->n_leases, sizeof(history->leases[0]), lease_compare);
	check_overlaps(history);
	for (unsigned i = 0; i < SHARDS; i++)
		first[i] = history->n_leases;
	for (size_t i = history->n_leases; i-- > 0;)
		first[history->leases[i].shard] = i;
	HASH_ITER (hh, history->tickets, log, next)
		check_holder(history, log, first[(uint64_t)log->ticket % SHARDS]);
}
