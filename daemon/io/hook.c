/* At most RUNNING_MAX hooks are in hand, each in a slot from the row that asks for it until its answer is written:
 *
 *   FREE --row found--> RUNNING --it ends--> ANSWERED --written--> FREE
 *
 * A slot keeps its answer through the loss of the connection. */
#include "slated/hook.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slated/child.h"
#include "slated/http_client.h"
#include "slated/log.h"
#include "slated/pg.h"
#include "slated/policy.h"
#include "slated/text.h"

/* model.md section 9. */
#define RUNNING_MAX 4
#define OUTPUT_MAX  HTTP_BODY_MAX

/* A reason is read by people, in alerts too; a longer one is cut. */
#define REASON_MAX 1000

/* What a failure shows of an output. */
#define SHOWN_MAX    200
#define FAILURE_SIZE (SHOWN_MAX + 256)

static const char rows_sql[] =
    "SELECT r.id, r.ticket_id, r.rule, sla.hook_input(r, t)::text FROM sla.reassessment r "
    "JOIN sla.ticket t ON t.id = r.ticket_id WHERE r.outcome IS NULL AND r.hook AND r.severity IS NULL "
    "AND r.id <> ALL ($1::bigint[]) AND ($3::integer[] IS NULL OR r.ticket_id % 256 = ANY ($3)) "
    "ORDER BY r.id LIMIT $2::integer";
static const char answer_sql[] = "SELECT sla.answer_hook($1::bigint, $2, $3, $4)";

enum slot_state {
	SLOT_FREE,
	SLOT_RUNNING,
	SLOT_ANSWERED,
};

struct slot {
	struct hooks *hooks;
	enum slot_state state;
	char id[24]; /* of the row */
	char ticket[24];
	char *rule;
	struct duration timeout;
	struct child *child;            /* RUNNING: a program, */
	struct http_transfer *transfer; /* or a request */
	char *severity;                 /* ANSWERED: its configured name, or NULL */
	char *reason;                   /* or NULL */
	char *failure;                  /* or NULL */
};

struct hooks {
	struct child_runner *children;
	struct http_client *http;
	struct hooks_callbacks callbacks;
	struct slot slots[RUNNING_MAX];
	struct slot *writing; /* its answer is on the way; NULL: none, or it is not known any more */
	uint64_t n_failed;
	bool wanted; /* look for rows */
	char *error;
};

int
hooks_new(struct child_runner *children, struct http_client *http, const struct hooks_callbacks *callbacks,
          struct hooks **ret)
{
	struct hooks *hooks = calloc(1, sizeof(*hooks));
	if (hooks == NULL)
		return -ENOMEM;
	hooks->children = children;
	hooks->http = http;
	hooks->callbacks = *callbacks;
	for (unsigned i = 0; i < RUNNING_MAX; i++)
		hooks->slots[i].hooks = hooks;
	*ret = hooks;
	return 0;
}

static void
slot_clear(struct slot *slot)
{
	free(slot->rule);
	free(slot->severity);
	free(slot->reason);
	free(slot->failure);
	*slot = (struct slot){.hooks = slot->hooks};
}

void
hooks_free(struct hooks *hooks)
{
	if (hooks == NULL)
		return;
	for (unsigned i = 0; i < RUNNING_MAX; i++) {
		struct slot *slot = &hooks->slots[i];
		if (slot->child != NULL)
			child_cancel(slot->child);
		if (slot->transfer != NULL)
			http_client_cancel(slot->transfer);
		slot_clear(slot);
	}
	free(hooks->error);
	free(hooks);
}

void
hooks_open(struct hooks *hooks)
{
	hooks->writing = NULL;
	hooks->wanted = true;
}

void
hooks_wake(struct hooks *hooks)
{
	hooks->wanted = true;
}

/* Answers ---------------------------------------------------------------------------------------------------------- */

static void
slot_fail(struct slot *slot, const char *failure)
{
	slot->failure = strdup(failure);
	if (slot->failure == NULL)
		abort(); /* out of memory; the service manager starts us again */
	slot->state = SLOT_ANSWERED;
	slot->hooks->n_failed++;
	slot->hooks->callbacks.ended(slot->hooks->callbacks.arg, slot->rule, false);
	log_warning("hook failed", log_text("rule", slot->rule), log_text("ticket", slot->ticket),
	            log_text("error", failure), log_number("failures", (int64_t)slot->hooks->n_failed));
}

/* `what` went wrong; the head of the output may tell why. */
static void
slot_fail_with(struct slot *slot, const char *what, const char *output, size_t n)
{
	char text[FAILURE_SIZE];
	size_t len = (size_t)snprintf(text, FAILURE_SIZE - SHOWN_MAX - 3, "%s", what);
	assert(len < FAILURE_SIZE - SHOWN_MAX - 3);
	if (n > 0) {
		n = n < SHOWN_MAX ? n : SHOWN_MAX;
		memcpy(text + len, ": ", 2);
		memcpy(text + len + 2, output, n);
		len += 2 + n;
	}
	(void)text_clean(text, len);
	slot_fail(slot, text);
}

/* Takes over a severity of the configuration, or NULL, and the reason where it says anything. */
static void
slot_answer(struct slot *slot, const char *severity, const char *reason)
{
	size_t n = reason == NULL ? 0 : strlen(reason);
	if (n > REASON_MAX)
		for (n = REASON_MAX; ((unsigned char)reason[n] & 0xC0) == 0x80; n--)
			; /* not within a character */
	if (n > 0)
		slot->reason = strndup(reason, n);
	if (severity != NULL)
		slot->severity = strdup(severity);
	if ((n > 0 && slot->reason == NULL) || (severity != NULL && slot->severity == NULL))
		abort(); /* out of memory; the service manager starts us again */
	if (n > 0 && text_clean(slot->reason, n) == 0) {
		free(slot->reason);
		slot->reason = NULL;
	}
	slot->state = SLOT_ANSWERED;
	slot->hooks->callbacks.ended(slot->hooks->callbacks.arg, slot->rule, true);
	log_info("hook answered", log_text("rule", slot->rule), log_text("ticket", slot->ticket),
	         log_text("severity", severity));
}

static void
answer_read(struct slot *slot, json_t *answer)
{
	const struct policy_set *set = slot->hooks->callbacks.policies(slot->hooks->callbacks.arg);
	json_t *severity = json_object_get(answer, "severity");
	json_t *reason = json_object_get(answer, "reason");
	if (!json_is_object(answer)) {
		slot_fail(slot, "the answer is no JSON object");
	} else if (reason != NULL && !json_is_string(reason)) {
		slot_fail(slot, "the answer's reason is no string");
	} else if (severity == NULL) {
		slot_answer(slot, NULL, NULL);
	} else if (!json_is_string(severity)) {
		slot_fail(slot, "the answer's severity is no string");
	} else {
		const char *name = json_string_value(severity);
		int index = policy_set_severity(set, name);
		if (index < 0)
			slot_fail_with(slot, "the configuration has no such severity", name, strlen(name));
		else
			slot_answer(slot, set->severities[index].name, json_string_value(reason));
	}
}

static void
slot_read(struct slot *slot, const char *output, size_t n, bool cut)
{
	json_error_t error;
	if (cut) {
		slot_fail(slot, "the answer is longer than 64 KiB");
		return;
	}
	json_t *answer = json_loadb(output, n, JSON_REJECT_DUPLICATES, &error);
	if (answer == NULL)
		slot_fail_with(slot, n == 0 ? "the answer is empty" : "the answer is no JSON", output, n);
	else
		answer_read(slot, answer);
	json_decref(answer);
}

static void
on_ended(void *arg, const struct child_result *result)
{
	struct slot *slot = arg;
	struct hooks *hooks = slot->hooks;
	char what[64] = "";
	slot->child = NULL;
	if (result->timed_out)
		(void)snprintf(what, sizeof(what), "no answer within %.3g s",
		               (double)slot->timeout.us / (double)US_PER_S);
	else if (result->signal != 0)
		(void)snprintf(what, sizeof(what), "killed by signal %d", result->signal);
	else if (result->exit_status != 0)
		(void)snprintf(what, sizeof(what), "exit status %d", result->exit_status);
	if (what[0] != '\0')
		slot_fail_with(slot, what, result->output, result->n_output);
	else
		slot_read(slot, result->output, result->n_output, result->n_output > OUTPUT_MAX);
	hooks->callbacks.ready(hooks->callbacks.arg);
}

static void
on_answer(void *arg, const struct http_answer *answer)
{
	struct slot *slot = arg;
	struct hooks *hooks = slot->hooks;
	char what[32];
	slot->transfer = NULL;
	if (answer->error != 0) {
		slot_fail_with(slot, "no answer", answer->error_text, strlen(answer->error_text));
	} else if (answer->status < 200 || answer->status > 299) {
		(void)snprintf(what, sizeof(what), "HTTP %ld", answer->status);
		slot_fail_with(slot, what, answer->body, answer->n_body);
	} else {
		slot_read(slot, answer->body, answer->n_body, answer->cut);
	}
	hooks->callbacks.ready(hooks->callbacks.arg);
}

/* Asking ----------------------------------------------------------------------------------------------------------- */

static int
start_program(struct slot *slot, const struct rule *rule, const char *input)
{
	static const char *const environment[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", NULL};
	const struct child_spec spec = {
	    .argv = (const char *const *)rule->hook,
	    .environment = environment,
	    .input = input,
	    .n_input = strlen(input),
	    .output_max = OUTPUT_MAX + 1,
	    .errors_dropped = true,
	    .timeout = rule->timeout,
	};
	return child_start(slot->hooks->children, &spec, on_ended, slot, &slot->child);
}

static int
start_request(struct slot *slot, const struct rule *rule, const char *input)
{
	static const char *const headers[] = {"Content-Type: application/json", "Accept: application/json"};
	const struct http_request request = {
	    .method = "POST",
	    .url = rule->hook_url,
	    .headers = headers,
	    .n_headers = sizeof(headers) / sizeof(headers[0]),
	    .body = input,
	    .n_body = strlen(input),
	    .timeout = rule->timeout,
	};
	return http_client_send(slot->hooks->http, &request, on_answer, slot, &slot->transfer);
}

static const struct rule *
find_rule(const struct policy_set *set, const char *name)
{
	for (size_t i = 0; i < set->n_rules; i++)
		if (rule_has_hook(&set->rules[i]) && strcmp(set->rules[i].name, name) == 0)
			return &set->rules[i];
	return NULL;
}

static void
slot_start(struct slot *slot, PGresult *rows, int row)
{
	struct hooks *hooks = slot->hooks;
	const char *name = PQgetvalue(rows, row, 2);
	const char *input = PQgetvalue(rows, row, 3);
	const struct rule *rule = find_rule(hooks->callbacks.policies(hooks->callbacks.arg), name);
	(void)snprintf(slot->id, sizeof(slot->id), "%s", PQgetvalue(rows, row, 0));
	(void)snprintf(slot->ticket, sizeof(slot->ticket), "%s", PQgetvalue(rows, row, 1));
	slot->rule = strdup(name);
	if (slot->rule == NULL)
		abort(); /* out of memory; the service manager starts us again */
	slot->state = SLOT_RUNNING;
	if (rule == NULL) {
		slot_fail(slot, "the configuration has no such rule with a hook any more");
		return;
	}
	slot->timeout = rule->timeout;
	int r = rule->kind == RULE_HOOK ? start_program(slot, rule, input) : start_request(slot, rule, input);
	if (r < 0)
		slot_fail_with(slot, "cannot be started", strerror(-r), strlen(strerror(-r)));
}

static struct slot *
find_slot(struct hooks *hooks, enum slot_state state)
{
	for (unsigned i = 0; i < RUNNING_MAX; i++)
		if (hooks->slots[i].state == state)
			return &hooks->slots[i];
	return NULL;
}

/* Queries ---------------------------------------------------------------------------------------------------------- */

static void
note_error(struct hooks *hooks, PGresult *result)
{
	const char *message = PQresultErrorMessage(result);
	free(hooks->error);
	hooks->error = strndup(message, strcspn(message, "\n"));
}

/* Tells of the error, if any; the next wake-up tries again. */
static bool
ended_well(struct hooks *hooks)
{
	if (hooks->error == NULL)
		return true;
	hooks->callbacks.problem(hooks->callbacks.arg, hooks->error);
	free(hooks->error);
	hooks->error = NULL;
	return false;
}

static void
on_rows(void *arg, PGresult *result)
{
	struct hooks *hooks = arg;
	if (result == NULL) {
		if (ended_well(hooks))
			hooks->callbacks.ready(hooks->callbacks.arg);
		return;
	}
	if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		note_error(hooks, result);
		return;
	}
	struct slot *slot;
	for (int i = 0; i < PQntuples(result) && (slot = find_slot(hooks, SLOT_FREE)) != NULL; i++)
		slot_start(slot, result, i);
}

static void
on_written(void *arg, PGresult *result)
{
	struct hooks *hooks = arg;
	if (result != NULL) {
		if (PQresultStatus(result) != PGRES_TUPLES_OK)
			note_error(hooks, result);
		return;
	}
	/* Where the daemon has begun anew meanwhile, nothing is known to be in writing: it is written once more. */
	if (ended_well(hooks) && hooks->writing != NULL) {
		slot_clear(hooks->writing);
		hooks->wanted = true; /* a slot is free */
		hooks->writing = NULL;
		hooks->callbacks.ready(hooks->callbacks.arg);
	} else {
		hooks->writing = NULL;
	}
}

static void
run_query(struct hooks *hooks, struct pg *pg, const char *text, int n_params, const char *const *params,
          pg_result *result)
{
	int r = pg_send(pg, &(struct pg_query){
	                        .text = text, .n_params = n_params, .params = params, .result = result, .arg = hooks});
	assert(r == 0); /* the connection is idle */
	(void)r;
}

bool
hooks_step(struct hooks *hooks, struct pg *pg, const char *shards)
{
	struct slot *slot = find_slot(hooks, SLOT_ANSWERED);
	if (slot != NULL) {
		hooks->writing = slot;
		run_query(hooks, pg, answer_sql, 4,
		          (const char *[]){slot->id, slot->severity, slot->reason, slot->failure}, on_written);
		return true;
	}
	if (!hooks->wanted || find_slot(hooks, SLOT_FREE) == NULL)
		return false;
	char ids[RUNNING_MAX * sizeof(slot->id) + 3] = "{";
	char limit[16];
	int n_free = 0;
	for (unsigned i = 0; i < RUNNING_MAX; i++) {
		slot = &hooks->slots[i];
		n_free += slot->state == SLOT_FREE;
		if (slot->state == SLOT_FREE)
			continue;
		size_t len = strlen(ids);
		(void)snprintf(ids + len, sizeof(ids) - len, "%s%s", len > 1 ? "," : "", slot->id);
	}
	(void)snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "}");
	(void)snprintf(limit, sizeof(limit), "%d", n_free);
	hooks->wanted = false;
	run_query(hooks, pg, rows_sql, 3, (const char *[]){ids, limit, shards}, on_rows);
	return true;
}
