/* Payloads and what a person reads of them; and texts cut to a service's limits. */
#include "slated/message.h"
#include "slated/text.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

#define NOW "2026-11-21T12:00:00Z"
#define TICKET                                                                                                         \
	"\"ticket\":{\"id\":17,\"external_id\":\"4711\",\"org\":\"ACME\",\"plan\":\"gold\",\"severity\":\"critical\"}"
#define ONE(x)            "{" TICKET "," x "}"
#define RESPONSE(trigger) "\"milestone\":{\"metric\":\"first_response\",\"trigger\":\"" trigger "\"}"
#define DUE(at)           "\"clock\":{\"state\":\"at_risk\",\"due_at\":\"" at "\"}"

#define ATTACHED(overdue)                                                                                              \
	"{\"attached\":\"rt\",\"overdue\":" overdue                                                                    \
	",\"messages\":[{\"key\":\"a\",\"kind\":\"escalated\",\"payload\":" ONE(                                       \
	    "\"alert\":{\"severity\":\"error\"}") "}]}"

static struct instant
instant_of(const char *text)
{
	struct instant at;
	cr_assert_eq(instant_parse(text, strlen(text), &at), 0, "%s", text);
	return at;
}

static int
message_of(const char *kind, const char *payload, struct message **ret)
{
	const struct delivery delivery = {
	    .key = "k1", .channel = "pager", .kind = kind, .payload = payload, .at = instant_of(NOW)};
	return message_new(&delivery, instant_of(NOW), ret);
}

/* "Ticket: ACME #4711; Customer: ACME", to be freed. */
static char *
facts_join(const struct message *message)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	cr_assert(file);
	for (size_t i = 0; i < message->n_facts; i++)
		fprintf(file, "%s%s: %s", i > 0 ? "; " : "", message->facts[i].name, message->facts[i].value);
	fclose(file);
	return text;
}

Test(message, titles)
{
	static const struct {
		const char *kind, *payload, *title;
		enum message_kind expect;
		enum message_severity severity;
	} rows[] = {
	    {"escalated",
	     ONE(RESPONSE("at_risk") "," DUE("2026-11-21T12:15:00Z") ",\"alert\":{\"severity\":\"warning\"}"),
	     "First response to ACME #4711 due in 15 min (Critical, gold)", MESSAGE_ALERT, MESSAGE_WARNING},
	    {"escalated",
	     ONE(RESPONSE("breached") "," DUE("2026-11-21T10:00:00Z") ",\"alert\":{\"severity\":\"critical\"}"),
	     "First response to ACME #4711 overdue by 2 h (Critical, gold)", MESSAGE_ALERT, MESSAGE_CRITICAL},
	    {"escalated",
	     ONE(RESPONSE("at_risk") "," DUE("2026-11-21T12:00:00Z") ",\"alert\":{\"severity\":\"error\"}"),
	     "First response to ACME #4711 due in 0 s (Critical, gold)", MESSAGE_ALERT, MESSAGE_ERROR},
	    {"escalated", ONE(RESPONSE("at_risk") ",\"clock\":{\"state\":\"paused\"}"),
	     "First response to ACME #4711 paused (Critical, gold)", MESSAGE_ALERT, MESSAGE_INFO},
	    {"escalated", ONE(RESPONSE("breached") ",\"clock\":{\"state\":\"breached\"}"),
	     "First response to ACME #4711 breached by a change of its target (Critical, gold)", MESSAGE_ALERT,
	     MESSAGE_INFO},
	    {"escalated", ONE(RESPONSE("requested") "," DUE("2026-11-21T12:15:00Z")),
	     "First response to ACME #4711 due in 15 min: the customer asks for escalation (Critical, gold)",
	     MESSAGE_ALERT, MESSAGE_INFO},
	    {"escalated", ONE(RESPONSE("reassessed") "," DUE("2026-11-21T12:15:00Z")),
	     "First response to ACME #4711 due in 15 min: the severity was changed (Critical, gold)", MESSAGE_ALERT,
	     MESSAGE_INFO},
	    {"escalated", ONE(RESPONSE("reassessed") "," DUE("2026-11-21T12:15:00Z") ",\"reason\":\"All are down.\""),
	     "First response to ACME #4711 due in 15 min: the severity was changed: All are down. (Critical, gold)",
	     MESSAGE_ALERT, MESSAGE_INFO},
	    {"escalated", ONE("\"milestone\":{\"trigger\":\"requested\"}"),
	     "ACME #4711: the customer asks for escalation (Critical, gold)", MESSAGE_ALERT, MESSAGE_INFO},
	    {"escalated", ONE("\"milestone\":{}"), "ACME #4711: escalated (Critical, gold)", MESSAGE_ALERT,
	     MESSAGE_INFO},
	    /* Metrics. */
	    {"escalated", ONE("\"milestone\":{\"metric\":\"next_response\"}," DUE("2026-11-21T12:15:00Z")),
	     "Next response to ACME #4711 due in 15 min (Critical, gold)", MESSAGE_ALERT, MESSAGE_INFO},
	    {"escalated", ONE("\"milestone\":{\"metric\":\"update\"}," DUE("2026-11-21T12:15:00Z")),
	     "Update on ACME #4711 due in 15 min (Critical, gold)", MESSAGE_ALERT, MESSAGE_INFO},
	    {"escalated", ONE("\"milestone\":{\"metric\":\"resolution\"}," DUE("2026-11-21T12:15:00Z")),
	     "Resolution of ACME #4711 due in 15 min (Critical, gold)", MESSAGE_ALERT, MESSAGE_INFO},
	    {"escalated", ONE("\"milestone\":{\"metric\":\"assessment\"}," DUE("2026-11-21T12:15:00Z")),
	     "Severity assessment of ACME #4711 due in 15 min (Critical, gold)", MESSAGE_ALERT, MESSAGE_INFO},
	    {"escalated", ONE("\"milestone\":{\"metric\":\"nonsense\"}," DUE("2026-11-21T12:15:00Z")),
	     "ACME #4711: escalated (Critical, gold)", MESSAGE_ALERT, MESSAGE_INFO},
	    /* Ends. */
	    {"resolved",
	     ONE("\"milestone\":{\"metric\":\"first_response\",\"milestone\":\"met\",\"severity\":\"high\"}"),
	     "First response to ACME #4711 met in time (High, gold)", MESSAGE_RESOLVED, MESSAGE_INFO},
	    {"resolved", ONE("\"milestone\":{\"metric\":\"first_response\",\"milestone\":\"met\",\"late_by\":5400.5}"),
	     "First response to ACME #4711 met 1 h 30 min late (gold)", MESSAGE_RESOLVED, MESSAGE_INFO},
	    {"resolved", ONE("\"milestone\":{\"metric\":\"resolution\",\"milestone\":\"withdrawn\"}"),
	     "Resolution of ACME #4711 no longer promised (gold)", MESSAGE_RESOLVED, MESSAGE_INFO},
	    {"resolved",
	     ONE("\"milestone\":{\"metric\":\"resolution\",\"milestone\":\"withdrawn\",\"reason\":"
	         "\"plan\\nchanged\"}"),
	     "Resolution of ACME #4711 no longer promised: plan changed (gold)", MESSAGE_RESOLVED, MESSAGE_INFO},
	    {"resolved", ONE("\"milestone\":{}"), "Alert about ACME #4711 met in time (gold)", MESSAGE_RESOLVED,
	     MESSAGE_INFO},
	    {"acknowledged", ONE("\"ack\":{\"by\":\"Zo\xc3\xab\"}"), "ACME #4711 acknowledged by Zo\xc3\xab",
	     MESSAGE_ACKNOWLEDGED, MESSAGE_INFO},
	    {"acknowledged", ONE("\"ack\":{}"), "ACME #4711 acknowledged", MESSAGE_ACKNOWLEDGED, MESSAGE_INFO},
	    {"test", "{\"test\":{\"by\":\"root\"}}",
	     "Test message from slated to channel pager: nothing needs to be done", MESSAGE_TEST, MESSAGE_INFO},
	    {"test", "{}", "Test message from slated to channel pager: nothing needs to be done", MESSAGE_TEST,
	     MESSAGE_INFO},
	    {"digest", "{\"messages\":[]}", "0 alerts at once: 0 overdue, 0 at risk or asked about, 0 resolved",
	     MESSAGE_DIGEST, MESSAGE_INFO},
	    {"digest",
	     "{\"messages\":[{\"key\":\"a\",\"kind\":\"escalated\",\"payload\":" ONE(
	         "\"alert\":{\"severity\":\"error\"}") "},{\"key\":\"b\",\"kind\":\"escalated\","
	                                               "\"payload\":" ONE("\"alert\":{}") "},{\"key\":\"c\","
	                                                                                  "\"kind\":"
	                                                                                  "\"resolved\","
	                                                                                  "\"payload\":" ONE(
	                                                                                      "\"milestone\":{}") "}]}",
	     "3 alerts at once: 1 overdue, 1 at risk or asked about, 1 resolved", MESSAGE_DIGEST, MESSAGE_ERROR},
	    {"digest", ATTACHED("1"), "1 overdue already when rt was attached", MESSAGE_DIGEST, MESSAGE_ERROR},
	    {"digest", ATTACHED("1200"), "1200 overdue already when rt was attached; the 1 longest overdue follow",
	     MESSAGE_DIGEST, MESSAGE_ERROR},
	    /* What is missing, of another type, or unknown. */
	    {"digest", ATTACHED("\"many\""), "0 overdue already when rt was attached", MESSAGE_DIGEST, MESSAGE_ERROR},
	    {"escalated", "{\"ticket\":{\"id\":17}}", "#17: escalated", MESSAGE_ALERT, MESSAGE_INFO},
	    {"escalated", "{\"ticket\":{\"id\":17,\"external_id\":\"\",\"org\":\"\",\"plan\":\"\",\"severity\":\"\"}}",
	     "#17: escalated", MESSAGE_ALERT, MESSAGE_INFO},
	    {"escalated", "{\"ticket\":{\"id\":17,\"external_id\":\"T-1\",\"org\":\"ACME\"}}", "ACME T-1: escalated",
	     MESSAGE_ALERT, MESSAGE_INFO},
	    {"escalated", "{\"ticket\":{\"id\":17,\"plan\":\"gold\"}}", "#17: escalated (gold)", MESSAGE_ALERT,
	     MESSAGE_INFO},
	    {"escalated", "{\"ticket\":{\"id\":17,\"severity\":\"low\"}}", "#17: escalated (Low)", MESSAGE_ALERT,
	     MESSAGE_INFO},
	    {"escalated", "{\"ticket\":{\"id\":17,\"severity\":\"\xc3\xa4\"}}", "#17: escalated (\xc3\xa4)",
	     MESSAGE_ALERT, MESSAGE_INFO},
	    {"escalated", "{\"ticket\":{\"id\":\"17\",\"org\":5},\"milestone\":[],\"clock\":7,\"alert\":null}",
	     "#0: escalated", MESSAGE_ALERT, MESSAGE_INFO},
	    {"escalated",
	     ONE(RESPONSE("at_risk") ",\"clock\":{\"due_at\":\"soon\"},\"alert\":{\"severity\":\"grave\"}"),
	     "First response to ACME #4711 paused (Critical, gold)", MESSAGE_ALERT, MESSAGE_INFO},
	};
	for (size_t i = 0; i < N(rows); i++) {
		struct message *message;
		cr_assert_eq(message_of(rows[i].kind, rows[i].payload, &message), 0, "row %zu", i);
		cr_expect_str_eq(message->title, rows[i].title, "row %zu: %s", i, message->title);
		cr_expect_eq(message->kind, rows[i].expect, "row %zu: kind %d", i, message->kind);
		cr_expect_eq(message->severity, rows[i].severity, "row %zu: severity %d", i, message->severity);
		message_free(message);
	}
}

Test(message, lengths)
{
	static const struct {
		const char *due, *expect;
	} rows[] = {
	    {"2026-11-21T12:01:29Z", "due in 89 s"},     {"2026-11-21T12:01:30Z", "due in 2 min"},
	    {"2026-11-21T12:14:59.9Z", "due in 15 min"}, {"2026-11-21T13:30:00Z", "due in 1 h 30 min"},
	    {"2026-11-21T15:00:00Z", "due in 3 h"},      {"2026-11-23T11:59:29Z", "due in 47 h 59 min"},
	    {"2026-11-23T12:00:00Z", "due in 2 d"},      {"2026-11-23T16:29:00Z", "due in 2 d 4 h"},
	    {"2027-11-21T12:00:00Z", "due in 365 d"},    {"2026-11-21T11:59:59.5Z", "overdue"},
	    {"2026-11-21T11:59:00Z", "overdue by 60 s"}, {"2026-11-21T11:45:00Z", "overdue by 15 min"},
	    {"2026-11-20T12:00:00Z", "overdue by 24 h"}, {"1970-01-01T00:00:00Z", "overdue by 20778 d 12 h"},
	};
	for (size_t i = 0; i < N(rows); i++) {
		char payload[256], title[128];
		snprintf(payload, sizeof(payload),
		         "{\"ticket\":{\"id\":17},\"milestone\":{\"metric\":\"update\"},\"clock\":{\"due_at\":\"%s\"}}",
		         rows[i].due);
		snprintf(title, sizeof(title), "Update on #17 %s", rows[i].expect);
		struct message *message;
		cr_assert_eq(message_of("escalated", payload, &message), 0);
		cr_expect_str_eq(message->title, title, "%s: %s", rows[i].due, message->title);
		message_free(message);
	}
}

Test(message, facts)
{
	static const struct {
		const char *kind, *payload, *expect;
	} rows[] = {
	    {"escalated",
	     "{\"ticket\":{\"id\":17,\"external_id\":\"4711\",\"org\":\"ACME\",\"plan\":\"gold\",\"severity\":"
	     "\"critical\","
	     "\"assignee\":\"zoe\",\"team\":\"db\",\"subject\":\"secret\"},\"clock\":{\"due_at\":\"2026-11-21T12:15:00."
	     "75Z\","
	     "\"due_local\":\"13:15 CET\",\"target\":\"1h\",\"policy\":\"p1\"},\"notified\":[\"pager\",\"lead\"],"
	     "\"late_by\":120}",
	     "Ticket: ACME #4711; Customer: ACME; Plan: gold; Severity: Critical; Promise: 1h; Due: 13:15 CET; Policy: "
	     "p1; "
	     "Assignee: zoe; Team: db; Sent to: pager, lead; Told late by: 2 min"},
	    {"escalated", "{\"ticket\":{\"id\":17},\"clock\":{\"due_at\":\"2026-11-21T12:15:00.75Z\"}}",
	     "Ticket: #17; Due: 2026-11-21T12:15:00Z"},
	    {"escalated", "{\"ticket\":{\"id\":17},\"notified\":[]}", "Ticket: #17"},
	    {"escalated", "{\"ticket\":{\"id\":17},\"notified\":[\"one\"],\"late_by\":-5}",
	     "Ticket: #17; Sent to: one"},
	    {"escalated", "{\"ticket\":{\"id\":17},\"notified\":\"one\",\"late_by\":1e300}", "Ticket: #17"},
	    {"acknowledged",
	     "{\"ticket\":{\"id\":17},\"ack\":{\"by\":\"zoe\",\"until\":\"2026-11-21T15:00:00.123456+01:00\"}}",
	     "Acknowledged until: 2026-11-21T14:00:00Z; Ticket: #17"},
	    {"acknowledged", "{\"ticket\":{\"id\":17},\"ack\":{\"until\":null}}", "Ticket: #17"},
	    {"test", "{\"test\":{\"by\":\"root\"}}", "Asked for by: root"},
	    {"test", "{\"test\":5}", ""},
	    {"digest", "{\"messages\":[]}", ""},
	};
	for (size_t i = 0; i < N(rows); i++) {
		struct message *message;
		cr_assert_eq(message_of(rows[i].kind, rows[i].payload, &message), 0, "row %zu", i);
		char *facts = facts_join(message);
		cr_expect_str_eq(facts, rows[i].expect, "row %zu: %s", i, facts);
		free(facts);
		message_free(message);
	}
}

Test(message, members)
{
	const struct delivery delivery = {
	    .key = "k1",
	    .channel = "pager",
	    .kind = "escalated",
	    .address = "zoe@example.com",
	    .at = instant_of("2026-11-21T11:00:00Z"),
	    .payload = "{\"ticket\":{\"id\":17,\"external_id\":\"T-1\",\"org\":\" A\\nB \",\"plan\":\"gold\","
	               "\"link\":\"https://desk.example.com/17\"},\"milestone\":{\"metric\":\"update\"},"
	               "\"clock\":{\"policy\":\"p1\"},\"alert\":{\"key\":\"17/update/2\"}}"};
	struct message *message;
	cr_assert_eq(message_new(&delivery, instant_of(NOW), &message), 0);
	const struct {
		const char *got, *expect;
	} rows[] = {
	    {message->key, "k1"},
	    {message->alert, "17/update/2"},
	    {message->ticket, "A B T-1"},
	    {message->number, "T-1"},
	    {message->ticket_id, "17"},
	    {message->org, "A B"},
	    {message->plan, "gold"},
	    {message->metric, "update"},
	    {message->policy, "p1"},
	    {message->link, "https://desk.example.com/17"},
	    {message->address, "zoe@example.com"},
	};
	for (size_t i = 0; i < N(rows); i++)
		cr_expect_str_eq(rows[i].got, rows[i].expect, "row %zu: %s", i, rows[i].got);
	cr_expect_eq(message->at.us, delivery.at.us);
	cr_expect_eq(message->n_items, 0);
	message_free(message);
	message_free(NULL);
}

Test(message, members_missing)
{
	struct message *message;
	cr_assert_eq(message_of("test", "{}", &message), 0);
	cr_expect_str_eq(message->alert, "k1", "the delivery's own key");
	cr_expect(!message->ticket && !message->number && !message->ticket_id && !message->org && !message->plan &&
	          !message->metric && !message->policy && !message->link && !message->address);
	message_free(message);
}

Test(message, digest_items)
{
	struct message *message;
	cr_assert_eq(message_of("digest",
	                        "{\"messages\":[{\"key\":\"a\",\"kind\":\"escalated\",\"payload\":" ONE(
	                            "\"milestone\":{}") "},{\"key\":\"b\",\"kind\":\"test\",\"payload\":{}}]}",
	                        &message),
	             0);
	cr_assert_eq(message->n_items, 2);
	cr_expect_str_eq(message->items[0]->key, "a");
	cr_expect_str_eq(message->items[0]->ticket, "ACME #4711");
	cr_expect_str_eq(message->items[1]->key, "b");
	cr_expect_eq(message->items[1]->kind, MESSAGE_TEST);
	message_free(message);
}

/* A long name leaves the ticket's number within what any channel shows of a title. */
Test(message, long_names)
{
	char org[2001], payload[4096];
	memset(org, 'x', sizeof(org) - 1);
	org[sizeof(org) - 1] = '\0';
	snprintf(payload, sizeof(payload), "{\"ticket\":{\"id\":17,\"org\":\"%s\",\"external_id\":\"%.500s\"}}", org,
	         org);
	struct message *message;
	cr_assert_eq(message_of("escalated", payload, &message), 0);
	cr_expect_leq(strlen(message->ticket), 130);
	cr_expect_leq(strlen(message->number), 65);
	cr_expect_str_eq(message->org, org, "the whole name");
	message_free(message);
}

Test(message, broken)
{
	static const struct {
		const char *kind, *payload;
	} rows[] = {
	    {"escalated", ""},
	    {"escalated", "nonsense"},
	    {"escalated", "{\"ticket\":{\"id\":17}"},
	    {"escalated", "[]"},
	    {"escalated", "null"},
	    {"escalated", "{}"},
	    {"escalated", "{\"ticket\":null}"},
	    {"escalated", "{\"ticket\":[]}"},
	    {"escalated", "{\"ticket\":{\"id\":17,\"org\":\"\xff\"}}"},
	    {"resolved", "{}"},
	    {"acknowledged", "{\"ack\":{}}"},
	    {"test", "5"},
	    {"digest", "{\"messages\":[5]}"},
	    {"digest", "{\"messages\":[{\"kind\":\"test\",\"payload\":{}}]}"},
	    {"digest", "{\"messages\":[{\"key\":\"a\",\"payload\":{}}]}"},
	    {"digest", "{\"messages\":[{\"key\":\"a\",\"kind\":\"test\"}]}"},
	    {"digest", "{\"messages\":[{\"key\":\"a\",\"kind\":\"digest\",\"payload\":{\"messages\":[]}}]}"},
	    {"digest",
	     "{\"messages\":[{\"key\":\"a\",\"kind\":\"test\",\"payload\":{}},{\"key\":\"b\",\"kind\":\"escalated\","
	     "\"payload\":{}}]}"},
	};
	struct message *const untouched = (struct message *)1;
	for (size_t i = 0; i < N(rows); i++) {
		struct message *message = untouched;
		cr_expect_eq(message_of(rows[i].kind, rows[i].payload, &message), -EBADMSG, "row %zu", i);
		cr_expect_eq(message, untouched, "row %zu", i);
	}
}

Test(message, cut)
{
	static const struct {
		const char *text;
		size_t max;
		const char *expect;
	} rows[] = {
	    {"", 0, ""},
	    {"", 5, ""},
	    {"abc", 3, "abc"},
	    {"abcd", 3, "\u2026"},
	    {"abcd", 2, "ab"},
	    {"abcdef", 5, "ab\u2026"},
	    {"a\u00e9", 2, "a"},
	    {"\u00e9\u00e9\u00e9", 5, "\u00e9\u2026"},
	    {"\u00e9\u00e9\u00e9", 4, "\u2026"},
	    {"\U0001f600", 3, "\u2026"},
	    {"\U0001f600", 2, ""},
	};
	for (size_t i = 0; i < N(rows); i++) {
		char out[16];
		cr_expect_eq(message_cut(rows[i].text, rows[i].max, out), strlen(rows[i].expect), "row %zu", i);
		cr_expect_str_eq(out, rows[i].expect, "row %zu: %s", i, out);
	}
}

/* At each byte of a text of characters of 1 to 4 bytes: well-formed, within the limit, as much as fits. */
Test(message, cut_everywhere)
{
	static const char text[] = "a\u00e9\u20ac\U0001f600\u00e9\u00e9\U0001f600\U0001f600\u20acxyz\u20ac";
	static const char mark[] = "\u2026";
	size_t len = strlen(text);
	for (size_t max = 0; max <= len + 4; max++) {
		char out[sizeof(text) + 8];
		memset(out, '!', sizeof(out));
		size_t n = message_cut(text, max, out);
		cr_assert(n <= max && out[n] == '\0' && out[n + 1] == '!', "%zu: %zu bytes", max, n);
		for (size_t i = 0, step; i < n; i += step)
			cr_assert((step = text_utf8(out + i, n - i)) > 0, "%zu: byte %zu", max, i);
		if (max >= len) {
			cr_expect_str_eq(out, text);
			continue;
		}
		size_t marked = max >= strlen(mark) ? strlen(mark) : 0, kept = n - marked;
		cr_expect(strcmp(out + kept, marked ? mark : "") == 0, "%zu: %s", max, out);
		cr_expect(strncmp(out, text, kept) == 0, "%zu: %s", max, out);
		cr_expect_gt(n + text_utf8(text + kept, len - kept), max, "%zu: one more fits", max);
	}
}
