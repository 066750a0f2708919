/* What the checker is told, and how it tells what it found. */
#include "history_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE  ((size_t)16384)
#define REPORT_MOST 12

static const char *const promises[CHECK_COUNT] = {
#define X(name, what) [CHECK_##name] = what,
    HISTORY_CHECKS(X)
#undef X
};

/* Memory ----------------------------------------------------------------------------------------------------------- */

static void *
must(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

void *
history_alloc(struct chunk **chunks, size_t size)
{
	struct chunk *chunk = *chunks;
	size = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	if (chunk == NULL || chunk->size - chunk->used < size) {
		size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
		chunk = must(malloc(sizeof(*chunk) + room));
		*chunk = (struct chunk){.former = *chunks, .size = room};
		*chunks = chunk;
	}
	void *memory = chunk->bytes + chunk->used;
	chunk->used += size;
	return memory;
}

const char *
history_keep(struct chunk **chunks, const char *text)
{
	if (text == NULL)
		return NULL;
	size_t size = strlen(text) + 1;
	return memcpy(history_alloc(chunks, size), text, size);
}

void *
history_grow(void *items, size_t n, size_t size)
{
	if ((n & (n - 1)) != 0)
		return items;
	return must(reallocarray(items, n == 0 ? 1 : n * 2, size));
}

static void
free_chunks(struct chunk *chunk)
{
	while (chunk != NULL) {
		struct chunk *former = chunk->former;
		free(chunk);
		chunk = former;
	}
}

void
history_scratch_reset(struct history *history)
{
	if (history->scratch == NULL)
		return;
	free_chunks(history->scratch->former);
	history->scratch->former = NULL;
	history->scratch->used = 0;
}

/* Begin and end ---------------------------------------------------------------------------------------------------- */

static void
on_milestone(void *arg, struct ticket *ticket, const struct milestone *m)
{
	struct history *history = arg;
	struct chunk **scratch = &history->scratch;
	(void)ticket;
	history->model = history_grow(history->model, history->n_model, sizeof(history->model[0]));
	bool escalated = m->kind == MILESTONE_ESCALATED;
	struct entry *entry = &history->model[history->n_model++];
	*entry = (struct entry){
	    .kind = m->kind,
	    .metric = m->metric,
	    .cycle = m->metric == METRIC_COUNT ? 0 : (int32_t)m->cycle,
	    .step = escalated ? (int32_t)m->step : 0,
	    .repeat = escalated ? (int32_t)m->repeat : -1,
	    .at = m->at,
	    .due_at = m->due_at,
	    .late_by = m->late_by,
	    .by_reassessment = m->by_reassessment,
	    .n_notify = m->n_notify,
	    .texts = {m->level, m->policy, m->calendar, m->severity, m->reason, m->escalation, m->trigger},
	};
	for (unsigned i = 0; i < TEXT_COUNT; i++)
		entry->texts[i] = history_keep(scratch, entry->texts[i]);
	entry->notify = history_alloc(scratch, m->n_notify * sizeof(entry->notify[0]));
	for (size_t i = 0; i < m->n_notify; i++)
		entry->notify[i] = history_keep(scratch, m->notify[i]);
}

void
history_add_configuration(struct history *history, struct instant at, const struct policy_set *set, bool migrates)
{
	history->configurations =
	    history_grow(history->configurations, history->n_configurations, sizeof(history->configurations[0]));
	history->configurations[history->n_configurations++] = (struct configuration){at, set, migrates};
}

struct history *
history_new(const struct policy_set *set)
{
	struct history *history = must(calloc(1, sizeof(*history)));
	const struct engine_sink sink = {.milestone = on_milestone, .arg = history};
	history->last_at.us = INT64_MIN;
	history_add_configuration(history, (struct instant){INT64_MIN}, set, false);
	if (engine_new(set, &sink, &history->engine) < 0)
		abort();
	return history;
}

void
history_free(struct history *history)
{
	struct ticket_log *log;
	struct ticket_log *next;
	if (history == NULL)
		return;
	HASH_ITER (hh, history->tickets, log, next) {
		HASH_DEL(history->tickets, log);
		free(log->events);
		free(log->recorded);
		free(log->alerts);
	}
	HASH_CLEAR(hh, history->alerts);
	free(history->configurations);
	free(history->absences);
	free(history->leases);
	free(history->model);
	engine_free(history->engine);
	free_chunks(history->scratch);
	free_chunks(history->kept);
	free(history);
}

/* What is told ----------------------------------------------------------------------------------------------------- */

static struct ticket_log *
find_log(struct history *history, int64_t ticket)
{
	struct ticket_log *log;
	HASH_FIND(hh, history->tickets, &ticket, sizeof(ticket), log);
	if (log != NULL)
		return log;
	log = history_alloc(&history->kept, sizeof(*log));
	*log = (struct ticket_log){.ticket = ticket};
	HASH_ADD(hh, history->tickets, ticket, sizeof(log->ticket), log);
	return log;
}

static struct alert *
find_alert(struct history *history, const char *key)
{
	struct alert *alert;
	HASH_FIND_STR(history->alerts, key, alert);
	if (alert != NULL)
		return alert;
	alert = history_alloc(&history->kept, sizeof(*alert));
	*alert = (struct alert){.key = history_keep(&history->kept, key)};
	HASH_ADD_KEYPTR(hh, history->alerts, alert->key, strlen(alert->key), alert);
	return alert;
}

static enum metric
find_metric(const char *name)
{
	int metric = name == NULL ? (int)METRIC_COUNT : name_index(metric_names, METRIC_COUNT, name);
	assert(metric >= 0);
	return (enum metric)metric;
}

void
history_add_event(struct history *history, int64_t ticket, int64_t seq, const struct ticket_event *event, bool late)
{
	struct ticket_log *log = find_log(history, ticket);
	assert(log->n_events == 0 || log->events[log->n_events - 1].seq < seq);
	log->events = history_grow(log->events, log->n_events, sizeof(log->events[0]));
	struct noted_event *noted = &log->events[log->n_events++];
	*noted = (struct noted_event){seq, *event, history->n_configurations - 1, late};
	log->has_late |= late;
	noted->event.severity = history_keep(&history->kept, event->severity);
	for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++)
		noted->event.attributes[i] = history_keep(&history->kept, event->attributes[i]);
	if (event->n_custom == 0)
		return;
	struct custom_attribute *custom = history_alloc(&history->kept, event->n_custom * sizeof(custom[0]));
	for (size_t i = 0; i < event->n_custom; i++)
		custom[i] = (struct custom_attribute){history_keep(&history->kept, event->custom[i].key),
		                                      history_keep(&history->kept, event->custom[i].value)};
	noted->event.custom = custom;
}

/* The elements of an array's text: PostgreSQL 15 manual, 8.15.6. No element can be longer than the text. */
static void
split_array(struct history *history, const char *text, struct entry *entry)
{
	size_t size = strlen(text);
	assert(size >= 2 && text[0] == '{' && text[size - 1] == '}');
	entry->notify = history_alloc(&history->kept, size * sizeof(entry->notify[0]));
	char *element = history_alloc(&history->kept, size * 2);
	for (const char *p = text + 1; *p != '}' && *p != '\0'; p += *p == ',') {
		bool quoted = *p == '"';
		entry->notify[entry->n_notify++] = element;
		for (p += quoted; *p != '\0' && *p != (quoted ? '"' : ',') && (quoted || *p != '}'); p++) {
			p += *p == '\\' && p[1] != '\0';
			*element++ = *p;
		}
		p += quoted && *p == '"';
		*element++ = '\0';
	}
}

void
history_add_milestone(struct history *history, const struct history_milestone *m)
{
	struct ticket_log *log = find_log(history, m->ticket);
	int kind = name_index(milestone_names, MILESTONE_COUNT, m->milestone);
	assert(kind >= 0);
	log->recorded = history_grow(log->recorded, log->n_recorded, sizeof(log->recorded[0]));
	struct entry *entry = &log->recorded[log->n_recorded++];
	*entry = (struct entry){
	    .kind = (enum milestone_kind)kind,
	    .metric = find_metric(m->metric),
	    .cycle = m->cycle,
	    .step = m->step,
	    .repeat = m->repeat,
	    .at = m->at,
	    .due_at = m->due_at,
	    .recorded_at = m->recorded_at,
	    .held_at = m->held_at.us != 0 ? m->held_at : m->recorded_at,
	    .late_by = m->late_by,
	    .by_reassessment = m->by_reassessment,
	    .texts = {m->level, m->policy, m->calendar, m->severity, m->reason, m->escalation, m->trigger},
	    .instance = history_keep(&history->kept, m->instance),
	};
	for (unsigned i = 0; i < TEXT_COUNT; i++)
		entry->texts[i] = history_keep(&history->kept, entry->texts[i]);
	if (m->notify != NULL)
		split_array(history, m->notify, entry);
}

void
history_add_delivery(struct history *history, const struct history_delivery *delivery)
{
	struct ticket_log *log = find_log(history, delivery->ticket);
	struct alert *alert = find_alert(history, delivery->key);
	alert->copies++;
	if (alert->known)
		return;
	alert->known = true;
	alert->ticket = delivery->ticket;
	alert->metric = find_metric(delivery->metric);
	alert->cycle = delivery->cycle;
	alert->channel = history_keep(&history->kept, delivery->channel);
	alert->kind = history_keep(&history->kept, delivery->kind);
	alert->state = history_keep(&history->kept, delivery->state);
	log->alerts = history_grow(log->alerts, log->n_alerts, sizeof(log->alerts[0]));
	log->alerts[log->n_alerts++] = alert;
}

void
history_add_receipt(struct history *history, const char *channel, const char *key, struct instant at)
{
	struct alert *alert = find_alert(history, key);
	alert->last = ++history->n_receipts;
	if (alert->times++ == 0) {
		alert->first = alert->last;
		alert->first_at = at;
	}
	if (alert->anew == 0)
		alert->anew = alert->last;
	if (channel == NULL)
		return;
	alert->strayed |= alert->received_on != NULL && strcmp(channel, alert->received_on) != 0;
	if (alert->received_on == NULL || alert->strayed)
		alert->received_on = history_keep(&history->kept, channel);
}

void
history_forgive_receipt(struct history *history, const char *key)
{
	struct alert *alert = find_alert(history, key);
	alert->forgiven = true;
	alert->anew = 0;
	alert->lost = history->n_receipts;
}

void
history_loosen_alert(struct history *history, const char *key)
{
	find_alert(history, key)->loose = true;
}

void
history_add_absence(struct history *history, struct instant from, struct instant to)
{
	history->absences = history_grow(history->absences, history->n_absences, sizeof(history->absences[0]));
	history->absences[history->n_absences++] = (struct absence){from, to};
}

void
history_add_lease(struct history *history, unsigned shard, const char *owner, struct instant from, struct instant to)
{
	assert(shard < SHARDS);
	history->leases = history_grow(history->leases, history->n_leases, sizeof(history->leases[0]));
	history->leases[history->n_leases++] = (struct lease){shard, history_keep(&history->kept, owner), from, to};
}

void
history_set_at_most(struct history *history, unsigned times)
{
	history->at_most = times;
}

/* What was found --------------------------------------------------------------------------------------------------- */

void
history_blame(struct history *history, enum check check, const char *format, ...)
{
	va_list args;
	if (history->found[check]++ >= REPORT_MOST || history->report == NULL)
		return;
	va_start(args, format);
	(void)vfprintf(history->report, format, args);
	va_end(args);
	(void)fputc('\n', history->report);
}

unsigned
history_check(struct history *history, struct instant until, FILE *report)
{
	struct ticket_log *log;
	struct ticket_log *next;
	unsigned sum = 0;
	memset(history->found, 0, sizeof(history->found));
	history->report = report;
	history->n_recorded = history->n_late = history->n_superseded = history->n_told = 0;
	history->last_at.us = INT64_MIN;
	HASH_ITER (hh, history->tickets, log, next) {
		history_check_model(history, log, until);
		history_check_deliveries(history, log);
	}
	history_check_alerts(history);
	history_check_leases(history);
	for (unsigned i = 0; i < CHECK_COUNT; i++)
		sum += history->found[i];
	return sum;
}

void
history_print(const struct history *history, FILE *out)
{
	char text[INSTANT_TEXT_SIZE] = "-";
	if (history->last_at.us != INT64_MIN)
		(void)instant_format(history->last_at, text);
	(void)fprintf(
	    out,
	    "# %zu milestones, %zu late events, %zu ladder steps superseded after an absence, the model's last "
	    "milestone at %s\n",
	    history->n_recorded, history->n_late, history->n_superseded, text);
	for (unsigned i = 0; i < CHECK_COUNT; i++)
		if (history->found[i] == 0)
			(void)fprintf(out, "ok - %s\n", promises[i]);
		else
			(void)fprintf(out, "not ok - %s: %u\n", promises[i], history->found[i]);
}
