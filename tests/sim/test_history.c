/* The checker of histories: each sort of violation is found and named, and the same history without it passes.
 *
 * Two tickets of one policy, an hour for the first response. Ticket 1 is answered half an hour too late. Ticket 2 is
 * answered a minute before its level, but the answer comes to the daemon after the level's timer, so that it counts
 * then. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "slated/config.h"

#define AT(hour, minute) ((struct instant){(INT64_C(1772409600) + (hour)*3600 + (minute)*60) * US_PER_S})
#define UNTIL            AT(20, 0)

static const char source[] =
    "severities = ({ name = \"high\"; });\n"
    "policies = ({ name = \"all\"; escalation = \"loud\"; targets = ({ metric = \"first_response\"; within = \"1h\"; "
    "at_risk = [ \"50%\" ]; }); });\n"
    "escalations = { loud = ({ on = \"at_risk\"; notify = [ \"chat\" ]; }, "
    "{ on = \"breached\"; notify = [ \"chat\", \"pager\" ]; }); };\n"
    "channels = { chat = { type = \"exec\"; command = [ \"/bin/true\" ]; }; "
    "pager = { type = \"exec\"; command = [ \"/bin/true\" ]; }; };\n";

struct noted {
	int64_t ticket, seq;
	enum event_kind kind;
	struct instant at;
	bool late;
};

struct receipt {
	const char *channel, *key;
};

struct lease {
	const char *owner;
	struct instant from, to;
};

#define MOST 16
struct story {
	struct noted events[MOST];
	struct history_milestone milestones[MOST];
	struct history_delivery deliveries[MOST];
	struct receipt receipts[MOST];
	struct lease leases[MOST]; /* of the shards of both tickets */
	struct instant absent_from, absent_to;
	const char *forgiven;
	unsigned forgiven_at; /* before this receipt */
	unsigned n_events, n_milestones, n_deliveries, n_receipts, n_leases, at_most;
};

#define OF_CLOCK .metric = "first_response", .cycle = 1, .recorded_at = AT(19, 0)
#define FACTS    .policy = "all", .calendar = "always", .severity = "high", .repeat = -1
#define STEP     .milestone = "escalated", .due_at = INSTANT_NEVER, .escalation = "loud"

/* The milestones of the story by their places. */
enum { STARTED, AT_RISK, TOLD_AT_RISK, BREACHED, TOLD_BREACHED, MET, STARTED_2, AT_RISK_2, TOLD_2, MET_2 };

static const struct story sound =
    {
        .events =
            {
                {1, 1, EVENT_OPENED, AT(9, 0), false},
                {1, 2, EVENT_REPLY, AT(10, 30), false},
                {2, 1, EVENT_OPENED, AT(9, 0), false},
                {2, 2, EVENT_REPLY, AT(9, 29), true},
            },
        .n_events = 4,
        .milestones =
            {
                {1, OF_CLOCK, FACTS, .milestone = "started", .at = AT(9, 0), .due_at = AT(10, 0), .instance = "a"},
                {1, OF_CLOCK, FACTS, .milestone = "at_risk", .level = "50%", .at = AT(9, 30), .due_at = AT(10, 0),
                 .instance = "a"},
                {1, OF_CLOCK, STEP, .trigger = "50%", .step = 1, .repeat = 0, .notify = "{\"chat\"}", .at = AT(9, 30),
                 .instance = "a"},
                {1, OF_CLOCK, FACTS, .milestone = "breached", .at = AT(10, 0), .due_at = AT(10, 0), .instance = "a"},
                {1, OF_CLOCK, STEP, .trigger = "breached", .step = 2, .repeat = 0, .notify = "{chat,\"pager\"}",
                 .at = AT(10, 0), .instance = "a"},
                {1, OF_CLOCK, FACTS, .milestone = "met", .at = AT(10, 30), .due_at = AT(10, 0),
                 .late_by = {30 * US_PER_MIN}, .instance = "a"},
                {2, OF_CLOCK, FACTS, .milestone = "started", .at = AT(9, 0), .due_at = AT(10, 0), .instance = "a"},
                {2, OF_CLOCK, FACTS, .milestone = "at_risk", .level = "50%", .at = AT(9, 30), .due_at = AT(10, 0),
                 .instance = "a"},
                {2, OF_CLOCK, STEP, .trigger = "50%", .step = 1, .repeat = 0, .notify = "{chat}", .at = AT(9, 30),
                 .instance = "a"},
                {2, OF_CLOCK, FACTS, .milestone = "met", .at = AT(9, 30), .due_at = AT(10, 0), .instance = "a"},
            },
        .n_milestones = 10,
        .deliveries =
            {
                {"k1", 1, "first_response", 1, "chat", "escalated", "delivered"},
                {"k2", 1, "first_response", 1, "chat", "escalated", "delivered"},
                {"k3", 1, "first_response", 1, "pager", "escalated", "delivered"},
                {"k4", 1, "first_response", 1, "chat", "resolved", "delivered"},
                {"k5", 1, "first_response", 1, "pager", "resolved", "delivered"},
                {"k6", 2, "first_response", 1, "chat", "escalated", "delivered"},
                {"k7", 2, "first_response", 1, "chat", "resolved", "delivered"},
            },
        .n_deliveries = 7,
        .receipts =
            {
                {"chat", "k1"},
                {"chat", "k6"},
                {"pager", "k3"},
                {"chat", "k2"},
                {"chat", "k7"},
                {"pager", "k5"},
                {"chat", "k4"},
            },
        .n_receipts = 7,
        .leases = {{"b", AT(8, 0), AT(18, 0)}, {"a", AT(18, 0), AT(20, 0)}},
        .n_leases = 2,
        .at_most = 1,
};

/* The story with something changed. */

static void
remove_milestone(struct story *s, unsigned place)
{
	s->n_milestones--;
	for (unsigned i = place; i < s->n_milestones; i++)
		s->milestones[i] = s->milestones[i + 1];
}

static void
spoil_missing(struct story *s)
{
	remove_milestone(s, AT_RISK);
}

static void
spoil_twice(struct story *s)
{
	s->milestones[s->n_milestones++] = s->milestones[BREACHED];
}

static void
spoil_unexpected(struct story *s)
{
	s->milestones[s->n_milestones] = s->milestones[AT_RISK];
	s->milestones[s->n_milestones++].level = "75%";
}

static void
spoil_early(struct story *s)
{
	s->milestones[BREACHED].recorded_at.us = AT(10, 0).us - 1;
	s->leases[0].owner = "a";
}

static void
spoil_due(struct story *s)
{
	s->milestones[STARTED].due_at = AT(10, 1);
}

static void
spoil_channels(struct story *s)
{
	s->milestones[TOLD_BREACHED].notify = "{pager,chat}";
}

static void
spoil_severity(struct story *s)
{
	s->milestones[MET].severity = "low";
}

static void
spoil_late_by(struct story *s)
{
	s->milestones[MET].late_by.us++;
}

static void
spoil_event(struct story *s)
{
	s->events[s->n_events++] = (struct noted){1, 3, EVENT_OPENED, AT(11, 0), false};
}

static void
spoil_late(struct story *s)
{
	s->milestones[MET_2].at = AT(9, 40);
}

static void
spoil_not_late(struct story *s)
{
	s->events[3].late = false;
}

static void
spoil_step(struct story *s)
{
	s->deliveries[1].channel = s->receipts[3].channel = "pager";
}

static void
spoil_end(struct story *s)
{
	s->deliveries[6] = s->deliveries[5];
	s->deliveries[6].key = "k7";
}

static void
spoil_waiting(struct story *s)
{
	s->deliveries[4].state = "waiting";
}

static void
spoil_dead(struct story *s)
{
	s->deliveries[4].state = "dead";
}

static void
spoil_received(struct story *s)
{
	s->receipts[2].key = "k5";
}

static void
spoil_key(struct story *s)
{
	s->deliveries[2].key = "k2";
}

static void
spoil_key_channel(struct story *s)
{
	s->receipts[3].channel = "pager";
}

static void
spoil_key_new(struct story *s)
{
	s->receipts[0].key = "k8";
}

static void
spoil_often(struct story *s)
{
	s->receipts[s->n_receipts++] = s->receipts[6];
}

static void
spoil_order(struct story *s)
{
	s->receipts[0].key = "k2";
	s->receipts[3].key = "k1";
}

static void
spoil_resolve(struct story *s)
{
	s->receipts[s->n_receipts++] = (struct receipt){"pager", "k3"};
	s->at_most = 2;
}

static void
spoil_held(struct story *s)
{
	s->leases[1].from.us--;
}

static void
spoil_holder(struct story *s)
{
	s->milestones[MET].recorded_at.us = AT(18, 0).us - 1;
}

static void
spoil_nobody(struct story *s)
{
	s->milestones[MET].instance = NULL;
}

static void
spoil_step_missing(struct story *s)
{
	remove_milestone(s, TOLD_AT_RISK);
	s->deliveries[0] = (struct history_delivery){"k1", 1, NULL, 0, "chat", "acknowledged", "delivered"};
}

/* What is no violation. */

static void
leave(struct story *s)
{
	(void)s;
}

static void
excuse_absence(struct story *s)
{
	spoil_step_missing(s);
	s->absent_from = AT(9, 20);
	s->absent_to = AT(10, 1);
}

/* It ended before the breach that would have outweighed the level. */
static void
spoil_absence(struct story *s)
{
	excuse_absence(s);
	s->absent_to = AT(9, 50);
}

static void
excuse_lost(struct story *s)
{
	s->receipts[s->n_receipts++] = (struct receipt){"chat", "k8"};
	s->forgiven = "k8";
}

/* The database lost it and recorded it anew, after k1. */
static void
excuse_lost_order(struct story *s)
{
	memmove(s->receipts + 1, s->receipts, s->n_receipts++ * sizeof(s->receipts[0]));
	s->receipts[0] = (struct receipt){"chat", "k2"};
	s->forgiven = "k2";
	s->forgiven_at = 1;
	s->at_most = 2;
}

/* What came before is the one that counts where it does not come again. */
static void
spoil_lost_order(struct story *s)
{
	excuse_lost_order(s);
	s->forgiven_at = 5;
}

static void
excuse_again(struct story *s)
{
	s->receipts[s->n_receipts++] = s->receipts[6];
	s->at_most = 2;
}

/* The daemon had the answer before the level's timer, which then has nothing to tell. */
static void
excuse_in_time(struct story *s)
{
	spoil_not_late(s);
	s->milestones[MET_2].at = AT(9, 29);
	s->milestones[AT_RISK_2] = s->milestones[MET_2];
	s->n_milestones -= 2;
	s->n_deliveries -= 2;
	static const struct receipt receipts[] = {
	    {"chat", "k1"}, {"pager", "k3"}, {"chat", "k2"}, {"pager", "k5"}, {"chat", "k4"}};
	memcpy(s->receipts, receipts, sizeof(receipts));
	s->n_receipts -= 2;
}

/* Twice late; the second one after the first. */
static void
excuse_late_again(struct story *s)
{
	s->events[s->n_events++] = (struct noted){2, 3, EVENT_REPLY, AT(9, 20), true};
}

/* After the last of all timers. */
static void
spoil_never_late(struct story *s)
{
	s->events[1].late = true;
}

static const struct {
	const char *name;
	void (*change)(struct story *story);
	const char *expected; /* a line of the report has this; NULL: nothing is wrong */
	const char *promise;  /* that does not hold */
} rows[] = {
    {"sound", leave, NULL, NULL},
    {"absence", excuse_absence, NULL, NULL},
    {"lost", excuse_lost, NULL, NULL},
    {"lost and in another order", excuse_lost_order, NULL, NULL},
    {"again", excuse_again, NULL, NULL},
    {"in time", excuse_in_time, NULL, NULL},
    {"late again", excuse_late_again, NULL, NULL},
    {"missing", spoil_missing, "in the model, but not recorded: first_response.1 at_risk",
     "each milestone of the model is recorded"},
    {"step missing", spoil_step_missing, "in the model, but not recorded: first_response.1 escalated",
     "each milestone of the model is recorded"},
    {"absence over", spoil_absence, "in the model, but not recorded: first_response.1 escalated",
     "each milestone of the model is recorded"},
    {"twice", spoil_twice, "recorded twice: first_response.1 breached", "nothing recorded twice"},
    {"unexpected", spoil_unexpected, "recorded, but not in the model: first_response.1 at_risk",
     "no milestone is recorded that the model does not have"},
    {"early", spoil_early, "early, at 2026-03-02T09:59:59.999999Z: first_response.1 breached",
     "none recorded before its instant"},
    {"due", spoil_due, "wrong due_at: first_response.1 started", "each milestone as the model has it"},
    {"channels", spoil_channels, "wrong notify: first_response.1 escalated", "each milestone as the model has it"},
    {"severity", spoil_severity, "wrong severity: first_response.1 met", "each milestone as the model has it"},
    {"late_by", spoil_late_by, "wrong late_by: first_response.1 met", "each milestone as the model has it"},
    {"event", spoil_event, "refuses event 3: the ticket was opened before",
     "the model refuses no event that was accepted"},
    {"late", spoil_late, "ticket 2: no timer explains its late events", "some timer explains each late event"},
    {"never late", spoil_never_late, "ticket 1: no timer explains its late events",
     "some timer explains each late event"},
    {"not late", spoil_not_late, "ticket 2: wrong at: first_response.1 met", "each milestone as the model has it"},
    {"step", spoil_step, "first_response.1, pager: 2 deliveries for 1 steps", "a delivery for every step and channel"},
    {"end", spoil_end, "ticket 2, first_response.1, chat: 0 deliveries of its end",
     "a delivery for every channel at the end of a clock that it was told of"},
    {"waiting", spoil_waiting, "k5 waits", "nothing waits to be sent"},
    {"dead", spoil_dead, "k5 was given up", "nothing was given up"},
    {"received", spoil_received, "k3 was never received", "each delivery was received"},
    {"one key", spoil_key, "2 deliveries under the key k2", "each alert under one key, and each key on one channel"},
    {"key's channel", spoil_key_channel, "the key k2 came on pager",
     "each alert under one key, and each key on one channel"},
    {"unstable key", spoil_key_new, "the key k8, received at 2026-03-02T19:00:00Z, is unknown",
     "nothing was received that the database does not know"},
    {"often", spoil_often, "k4 came 2 times", "none came more often than it may"},
    {"order", spoil_order, "ticket 1, chat: k2 came before k1", "in order for each ticket and channel"},
    {"order before the loss", spoil_lost_order, "ticket 1, chat: k2 came before k1",
     "in order for each ticket and channel"},
    {"resolve", spoil_resolve, "k3 came after the resolve k5", "nothing after the resolve"},
    {"two holders", spoil_held, "a had its lease from 2026-03-02T17:59:59.999999Z on, when b held it",
     "no lease was held by two"},
    {"holder", spoil_holder, "recorded at 2026-03-02T17:59:59.999999Z by a without the lease of shard 1",
     "only the holder of a ticket's lease recorded its milestones"},
    {"nobody", spoil_nobody, "by nobody without the lease of shard 1",
     "only the holder of a ticket's lease recorded its milestones"},
};

static struct config *
read_config(void)
{
	struct config_problems problems = {0};
	struct config *ret = NULL;
	char text[sizeof(source) + 64];
	int n = snprintf(text, sizeof(text), "@file config %zu test.conf\n%s\n", strlen(source), source);
	int r = config_load_text(text, (size_t)n, AT(0, 0), &problems, &ret);
	config_problems_print(&problems, stderr);
	config_problems_clear(&problems);
	cr_assert(r == 0, "the configuration is wrong");
	return ret;
}

static void
tell(struct history *history, const struct story *s)
{
	for (unsigned i = 0; i < s->n_events; i++) {
		const struct ticket_event event = {
		    .at = s->events[i].at, .kind = s->events[i].kind, .is_public = true, .severity = "high"};
		history_add_event(history, s->events[i].ticket, s->events[i].seq, &event, s->events[i].late);
	}
	for (unsigned i = 0; i < s->n_milestones; i++)
		history_add_milestone(history, &s->milestones[i]);
	for (unsigned i = 0; i < s->n_deliveries; i++)
		history_add_delivery(history, &s->deliveries[i]);
	for (unsigned i = 0; i < s->n_receipts; i++) {
		if (s->forgiven != NULL && s->forgiven_at == i)
			history_forgive_receipt(history, s->forgiven);
		history_add_receipt(history, s->receipts[i].channel, s->receipts[i].key, AT(19, 0));
	}
	for (unsigned i = 0; i < s->n_leases * 2; i++)
		history_add_lease(history, 1 + i % 2, s->leases[i / 2].owner, s->leases[i / 2].from,
		                  s->leases[i / 2].to);
	if (s->absent_to.us > 0)
		history_add_absence(history, s->absent_from, s->absent_to);
	history_set_at_most(history, s->at_most);
}

/* The number of violations of a story, with the report, and after it what history_print() says. */
static unsigned
check(const struct config *config, const struct story *story, char *report, size_t size)
{
	struct history *history = history_new(config->policies);
	FILE *out = fmemopen(report, size, "w");
	cr_assert_not_null(out);
	tell(history, story);
	unsigned found = history_check(history, UNTIL, out);
	cr_assert_eq(history_check(history, UNTIL, NULL), found, "a second look finds something else");
	history_print(history, out);
	cr_assert_eq(fclose(out), 0);
	history_free(history);
	return found;
}

Test(history, each_sort_of_violation_is_found_and_named)
{
	struct config *config = read_config();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char report[16384];
		char promise[128];
		struct story story = sound;
		rows[i].change(&story);
		unsigned found = check(config, &story, report, sizeof(report));
		if (rows[i].expected == NULL) {
			cr_expect(found == 0, "%s: %u found\n%s", rows[i].name, found, report);
			continue;
		}
		(void)snprintf(promise, sizeof(promise), "not ok - %s: ", rows[i].promise);
		cr_expect(found > 0, "%s: nothing found", rows[i].name);
		cr_expect(strstr(report, rows[i].expected) != NULL, "%s: not \"%s\" but\n%s", rows[i].name,
		          rows[i].expected, report);
		cr_expect(strstr(report, promise) != NULL, "%s: not \"%s\" but\n%s", rows[i].name, promise, report);
	}
	config_free(config);
}

/* No promise that no row breaks. */
Test(history, each_promise_has_a_row)
{
	struct config *config = read_config();
	char report[4096];
	unsigned promises = 0;
	cr_assert_eq(check(config, &sound, report, sizeof(report)), 0);
	char *rest;
	for (char *line = strtok_r(report, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		size_t i = 0;
		if (strncmp(line, "ok - ", 5) != 0)
			continue;
		promises++;
		while (i < sizeof(rows) / sizeof(rows[0]) &&
		       (rows[i].promise == NULL || strcmp(rows[i].promise, line + 5) != 0))
			i++;
		cr_expect(i < sizeof(rows) / sizeof(rows[0]), "no row breaks \"%s\"", line + 5);
	}
	cr_expect(promises > 15);
	config_free(config);
}
