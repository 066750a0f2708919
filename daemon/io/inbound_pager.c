/* PagerDuty's webhooks, as its developer documentation has them: "Webhooks" (V3), pages Overview, Behavior and
 * Verifying Signatures. It sends at least once, repeats after 5xx and 429, and switches a webhook off after three other
 * answers than 2xx; so what is of no use to us is answered 200 with a note. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inbound_internal.h"
#include "slated/jsonr.h"
#include "slated/log.h"
#include "slated/policy.h"
#include "slated/signature.h"
#include "slated/text.h"

#define EVENT_ID_MAX 200

/* 200: the secret has signed it. 401: it has not. 503: memory is out. */
static int
secret_check(const char *secret, const char *body, size_t len, const char *given)
{
	struct signing_key key = {0};
	char signature[SIGNATURE_HEX_SIZE];
	int r = signing_key_copy(secret, &key);
	if (r == 0)
		r = signature_hex(&key, body, len, signature);
	signing_key_clear(&key);
	if (r == -ENOMEM)
		return 503;
	return r == 0 && signature_among(signature, given, ',') ? 200 : 401;
}

/* The best of the channels' secrets, so that one that cannot be tried does not outweigh one that fits. 403: there is
 * none. */
static int
pager_check(const struct inbound *inbound, const struct http_call *call)
{
	const char *given = http_call_header(call, "X-PagerDuty-Signature");
	const struct config *config = inbound->config;
	int status = 403;
	size_t len;
	const char *body = http_call_body(call, &len);
	for (size_t i = 0; i < config->n_channels; i++) {
		const struct channel_settings *channel = &config->channels[i];
		for (size_t j = 0; channel->type == CHANNEL_PAGERDUTY && j < channel->n_secrets; j++) {
			int found = given ? secret_check(channel->secrets[j], body, len, given) : 401;
			if (status == 403 || found == 200 || (found == 503 && status == 401))
				status = found;
		}
	}
	return status;
}

/* The ticket of a dedup key that slated has made: "sla-TICKET-METRIC-CYCLE", or "sla-TICKET" for an alert that belongs
 * to no clock. */
static bool
alert_key_read(const char *key, char ticket[static NUMBER_SIZE])
{
	static const char prefix[] = "sla-";
	if (!key || strncmp(key, prefix, strlen(prefix)) != 0)
		return false;
	key += strlen(prefix);
	size_t len = strcspn(key, "-");
	if (!ticket_number_is_right(key, len))
		return false;
	const char *metric = key[len] == '-' ? key + len + 1 : NULL;
	if (metric) {
		size_t n = strcspn(metric, "-");
		bool known = false;
		for (size_t i = 0; i < METRIC_COUNT; i++)
			known |= strlen(metric_names[i]) == n && strncmp(metric, metric_names[i], n) == 0;
		const char *cycle = metric[n] == '-' ? metric + n + 1 : "";
		if (!known || !ticket_number_is_right(cycle, strlen(cycle)))
			return false;
	}
	(void)snprintf(ticket, NUMBER_SIZE, "%.*s", (int)len, key);
	return true;
}

static const char *
member_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* Makes the ask of an incident.acknowledged. NULL, or why there is none. */
static const char *
read_event(const json_t *event, struct ask *ask)
{
	const char *id = member_text(event, "id");
	const char *agent = member_text(json_object_get(event, "agent"), "summary");
	if (!id || *id == '\0' || strlen(id) > EVENT_ID_MAX)
		return "event.id is missing or too long";
	/* An incident that an alert has opened has that alert's dedup key. */
	if (!alert_key_read(member_text(json_object_get(event, "data"), "incident_key"), ask->ticket))
		return "event.data.incident_key is none of slated's";
	/* Without an agent: acknowledged by another integration. */
	ask->by = ask_name(agent ? agent : "", "PagerDuty");
	if (asprintf(&ask->message_id, "pagerduty:%s", id) < 0)
		ask->message_id = NULL;
	return ask->by && ask->message_id ? NULL : text_no_memory;
}

static void
serve_event(struct inbound *inbound, struct http_call *call, const json_t *event)
{
	const char *type = member_text(event, "event_type");
	if (!type) {
		http_answer_error(call, 400, "event.event_type is missing: send V3 webhooks");
		return;
	}
	if (strcmp(type, "incident.acknowledged") != 0) {
		inbound_answer_pager(call, "only incident.acknowledged has an effect");
		return;
	}
	struct ask *ask = calloc(1, sizeof(*ask));
	if (!ask) {
		http_answer_busy(call, text_no_memory);
		return;
	}
	ask->call = call;
	ask->pager = true;
	(void)snprintf(ask->origin, sizeof(ask->origin), "pagerduty");
	const char *problem = read_event(event, ask);
	if (problem == text_no_memory) {
		http_answer_busy(call, problem); /* it comes again */
		ask_free(ask);
	} else if (problem) {
		log_info("a webhook of PagerDuty was passed over", log_text("reason", problem),
		         log_text("event", member_text(event, "id")));
		inbound_answer_pager(call, problem);
		ask_free(ask);
	} else {
		inbound_put(inbound, ask);
	}
}

void
inbound_serve_pager(void *arg, struct http_call *call)
{
	struct inbound *inbound = arg;
	size_t len;
	const char *body = http_call_body(call, &len);
	int status = pager_check(inbound, call);
	if (status == 403) {
		http_answer_error(call, 403,
		                  "no channel of type pagerduty has a secret_credential or secret_file: give it the "
		                  "webhook subscription's secret");
		return;
	}
	if (status == 401) {
		log_warning("a webhook with a wrong signature was refused",
		            log_text("path", "/api/v1/hooks/pagerduty"));
		http_answer_error(
		    call, 401,
		    "X-PagerDuty-Signature is missing or wrong: the webhook subscription's secret must be "
		    "that of the pagerduty channel");
		return;
	}
	json_t *object = NULL;
	if (status == 503 || jsonr_read(body, len, 0, &object) == -ENOMEM) {
		http_answer_busy(call, text_no_memory);
		return;
	}
	const json_t *event = json_object_get(object, "event");
	if (json_is_object(event))
		serve_event(inbound, call, event);
	else
		http_answer_error(call, 400,
		                  "the body is not a JSON object with an object \"event\": send V3 webhooks");
	json_decref(object);
}
