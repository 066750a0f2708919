/* The engine by scenarios: a policy, events, and what must come of them. Each expected line is
 * "TIME METRIC.CYCLE MILESTONE [due TIME] [level L] [extra]" with times as HH:MM[:SS] of Monday 2026-03-02 in UTC, or
 * DD HH:MM for a later day of that month. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slated/config.h"
#include "slated/engine.h"
#include "slated/event_json.h"
#include "slated/render.h"

#define DAY "2026-03-02T"

static const char prelude[] =
    "severities = ({ name = \"critical\"; aliases = [ \"S1\" ]; }, { name = \"high\"; }, { name = \"low\"; });\n"
    "calendars = { office = { timezone = \"UTC\"; hours = { weekdays = \"09:00-17:00\"; }; day_length = \"8h\"; }; };\n"
    "channels = { chat = { type = \"exec\"; command = [ \"/bin/true\" ]; }; "
    "pager = { type = \"exec\"; command = [ \"/bin/true\" ]; }; };\n";

struct scenario {
	const char *name;
	const char *config;
	const char *events[12];
	const char *until; /* time of the same day, or a whole instant */
	const char *expected;
	bool names_channels; /* a step's line says whom it notifies first */
	bool absence;        /* what comes after the last event is caught up with */
};

/* One ticket's events, played as the simulator does. */
struct player {
	struct config *config;
	struct engine *engine;
	struct ticket ticket;
	struct text out;
	bool names_channels;
};

static void
add_time(struct text *out, struct instant at)
{
	char text[INSTANT_TEXT_SIZE];
	(void)instant_format(at, text);
	text[strlen(text) - 1] = '\0';
	if (strncmp(text, DAY, strlen(DAY)) != 0) {
		text_add(out, text + 8, 2);
		text_add_string(out, " ");
	}
	char *clock = text + strlen(DAY);
	if (strlen(clock) == 8 && strcmp(clock + 5, ":00") == 0)
		clock[5] = '\0';
	text_add_string(out, clock);
}

static void
add_field(struct text *out, const char *name, const char *value)
{
	if (value == NULL)
		return;
	text_add_string(out, name);
	text_add_string(out, value);
}

static void
on_milestone(void *arg, struct ticket *ticket, const struct milestone *m)
{
	struct player *p = arg;
	char number[48];
	(void)ticket;
	add_time(&p->out, m->at);
	if (m->metric == METRIC_COUNT)
		text_add_string(&p->out, " -");
	else {
		(void)snprintf(number, sizeof(number), " %s.%u", metric_names[m->metric], m->cycle);
		text_add_string(&p->out, number);
	}
	add_field(&p->out, " ", milestone_names[m->kind]);
	if (!instant_equal(m->due_at, INSTANT_NEVER)) {
		text_add_string(&p->out, " due ");
		add_time(&p->out, m->due_at);
	}
	add_field(&p->out, " level ", m->level);
	add_field(&p->out, " reason ", m->reason);
	if (m->late_by.us > 0) {
		text_add_string(&p->out, " late ");
		text_add_seconds(&p->out, m->late_by);
	}
	if (m->by_reassessment)
		text_add_string(&p->out, " by_reassessment");
	if (m->kind == MILESTONE_ESCALATED) {
		(void)snprintf(number, sizeof(number), " %s step %u repeat %u", m->trigger, m->step, m->repeat);
		text_add_string(&p->out, number);
		if (p->names_channels)
			add_field(&p->out, " to ", m->n_notify > 0 ? m->notify[0] : NULL);
		add_field(&p->out, " ", m->always ? "always" : NULL);
	}
	text_add_string(&p->out, "\n");
}

static void
on_problem(void *arg, struct ticket *ticket, const char *text)
{
	struct player *p = arg;
	(void)ticket;
	add_field(&p->out, "problem: ", text);
	text_add_string(&p->out, "\n");
}

static struct config *
read_config(const char *config)
{
	struct config_problems problems = {0};
	struct config *ret = NULL;
	struct text source = {0};
	char head[64];
	size_t size = strlen(prelude) + strlen(config);
	(void)snprintf(head, sizeof(head), "@file config %zu test.conf\n", size);
	text_add_string(&source, head);
	text_add_string(&source, prelude);
	text_add_string(&source, config);
	text_add_string(&source, "\n");
	int r = config_load_text(source.data, source.len, (struct instant){INT64_C(1772409600) * US_PER_S}, &problems,
	                         &ret);
	config_problems_print(&problems, stderr);
	config_problems_clear(&problems);
	free(source.data);
	cr_assert(r == 0, "the scenario's configuration is wrong");
	return ret;
}

static void
player_open(struct player *p, const char *config)
{
	*p = (struct player){.config = read_config(config)};
	const struct engine_sink sink = {.milestone = on_milestone, .problem = on_problem, .arg = p};
	cr_assert(engine_new(p->config->policies, &sink, &p->engine) == 0);
}

static void
player_close(struct player *p)
{
	ticket_clear(&p->ticket);
	engine_free(p->engine);
	config_free(p->config);
	free(p->out.data);
}

/* An event is written {TIME, rest of the JSON object}: "09:00 \"event\": \"opened\", ...". */
static void
play(struct player *p, struct event_line *line, const char *short_form)
{
	char json[512];
	char refusal[REFUSAL_SIZE];
	struct ticket_event event;
	const char *name;
	bool late;
	const char *rest = strchr(short_form, ' ');
	int n = (int)(rest - short_form);
	(void)snprintf(json, sizeof(json), "{\"at\": \"" DAY "%.*s%sZ\", \"ticket\": \"T\", %s}", n, short_form,
	               n == 5 ? ":00" : "", rest);
	cr_assert(event_line_parse(line, json, strlen(json), &name, &event, refusal) == 0, "%s: %s", json, refusal);
	int r = engine_apply(p->engine, &p->ticket, &event, &late, refusal);
	if (r == 0)
		return;
	add_field(&p->out, "refused: ", refusal);
	text_add_string(&p->out, "\n");
}

static void
run_scenario(const struct scenario *s)
{
	struct player p;
	struct event_line *line;
	struct instant until;
	char text[64];
	player_open(&p, s->config);
	p.names_channels = s->names_channels;
	cr_assert(event_line_new(&line) == 0);
	for (size_t i = 0; s->events[i] != NULL; i++)
		play(&p, line, s->events[i]);
	(void)snprintf(text, sizeof(text), "%s%s%s", strlen(s->until) == 5 ? DAY : "", s->until,
	               strlen(s->until) == 5 ? ":00Z" : "");
	cr_assert(instant_parse(text, strlen(text), &until) == 0);
	engine_set_absence(p.engine, s->absence);
	cr_assert(engine_advance(p.engine, &p.ticket, until) == 0);
	cr_expect(strcmp(p.out.data == NULL ? "" : p.out.data, s->expected) == 0, "%s:\n--- expected\n%s--- got\n%s",
	          s->name, s->expected, p.out.data == NULL ? "" : p.out.data);
	event_line_free(line);
	player_close(&p);
}

#define OPENED          "\"event\": \"opened\", \"severity\": \"critical\""
#define POLICY(targets) "policies = ({ name = \"p\"; match = {}; targets = (" targets "); });"
#define FIRST           "{ metric = \"first_response\"; within = \"1h\"; at_risk = [ \"50%\", \"15m\" ]; }"

static const struct scenario clocks[] = {
    {"levels, breach, late answer",
     POLICY(FIRST),
     {"09:00 " OPENED, "10:30 \"event\": \"reply\", \"by\": \"agent\""},
     "12:00",
     "09:00 first_response.1 started due 10:00\n"
     "09:30 first_response.1 at_risk due 10:00 level 50%\n"
     "09:45 first_response.1 at_risk due 10:00 level 15m\n"
     "10:00 first_response.1 breached due 10:00\n"
     "10:30 first_response.1 met due 10:00 late 1800\n"},
    {"within is met at its due",
     POLICY("{ metric = \"first_response\"; within = \"1h\"; }"),
     {"09:00 " OPENED, "10:00 \"event\": \"reply\", \"by\": \"agent\""},
     "12:00",
     "09:00 first_response.1 started due 10:00\n10:00 first_response.1 met due 10:00\n"},
    {"under is not",
     POLICY("{ metric = \"first_response\"; under = \"1h\"; }"),
     {"09:00 " OPENED, "10:00 \"event\": \"reply\", \"by\": \"agent\""},
     "12:00",
     "09:00 first_response.1 started due 10:00\n10:00 first_response.1 breached due 10:00\n"
     "10:00 first_response.1 met due 10:00\n"},
    {"notes and robots answer nothing",
     POLICY("{ metric = \"first_response\"; within = \"1h\"; }"),
     {"09:00 " OPENED, "09:10 \"event\": \"reply\", \"by\": \"agent\", \"public\": false",
      "09:20 \"event\": \"reply\", \"by\": \"system\""},
     "10:00",
     "09:00 first_response.1 started due 10:00\n10:00 first_response.1 breached due 10:00\n"},
    {"closing time is a due",
     POLICY("{ metric = \"resolution\"; within = \"8h\"; calendar = \"office\"; }"),
     {"09:00 " OPENED},
     "17:00",
     "09:00 resolution.1 started due 17:00\n17:00 resolution.1 breached due 17:00\n"},
    {"a pause stops the count and resumes with the rest",
     POLICY("{ metric = \"resolution\"; within = \"2h\"; pause_on = [ \"pending\" ]; at_risk = [ \"75%\" ]; }"),
     {"09:00 " OPENED, "10:00 \"event\": \"status\", \"status\": \"pending\"",
      "12:00 \"event\": \"status\", \"status\": \"open\""},
     "14:00",
     "09:00 resolution.1 started due 11:00\n10:00 resolution.1 paused\n12:00 resolution.1 resumed due 13:00\n"
     "12:30 resolution.1 at_risk due 13:00 level 75%\n13:00 resolution.1 breached due 13:00\n"},
    {"a clock that starts paused has its whole budget left",
     POLICY("{ metric = \"resolution\"; within = \"2h\"; pause_on = [ \"pending\" ]; }"),
     {"09:00 " OPENED ", \"status\": \"pending\"", "12:00 \"event\": \"status\", \"status\": \"open\""},
     "13:00",
     "09:00 resolution.1 started\n09:00 resolution.1 paused\n12:00 resolution.1 resumed due 14:00\n"},
    {"and so it has where it resumes at once: the closing is where the budget ends, an opening no more",
     POLICY("{ metric = \"resolution\"; within = \"1bd\"; business_day = \"same_time\"; calendar = \"office\"; "
            "pause_on = [ \"pending\" ]; }"),
     {"08:00 " OPENED ", \"status\": \"pending\"", "08:00 \"event\": \"status\", \"status\": \"open\""},
     "16:00",
     "08:00 resolution.1 started\n08:00 resolution.1 paused\n08:00 resolution.1 resumed due 17:00\n"},
    {"which it keeps where nothing paused it",
     POLICY("{ metric = \"resolution\"; within = \"1bd\"; business_day = \"same_time\"; calendar = \"office\"; }"),
     {"08:00 " OPENED},
     "16:00",
     "08:00 resolution.1 started due 03 09:00\n"},
    {"a level passed during a pause fires as it ends, the due of that instant waits for the instant's other events",
     POLICY("{ metric = \"resolution\"; severity = \"critical\"; within = \"2h\"; pause_on = [ \"pending\" ]; }, "
            "{ metric = \"resolution\"; within = \"1h\"; at_risk = [ \"75%\" ]; pause_on = [ \"pending\" ]; }"),
     {"09:00 " OPENED, "10:00 \"event\": \"status\", \"status\": \"pending\"",
      "11:00 \"event\": \"severity\", \"severity\": \"low\", \"by\": \"agent\"",
      "12:00 \"event\": \"status\", \"status\": \"open\"", "12:00 \"event\": \"status\", \"status\": \"solved\""},
     "13:00",
     "09:00 resolution.1 started due 11:00\n10:00 resolution.1 paused\n11:00 resolution.1 retargeted\n"
     "12:00 resolution.1 resumed due 12:00\n12:00 resolution.1 at_risk due 12:00 level 75%\n"
     "12:00 resolution.1 met due 12:00\n"},
    {"a breached clock ignores pauses",
     POLICY("{ metric = \"resolution\"; within = \"1h\"; pause_on = [ \"pending\" ]; }"),
     {"09:00 " OPENED, "11:00 \"event\": \"status\", \"status\": \"pending\"",
      "12:00 \"event\": \"status\", \"status\": \"solved\""},
     "13:00",
     "09:00 resolution.1 started due 10:00\n10:00 resolution.1 breached due 10:00\n"
     "12:00 resolution.1 met due 10:00 late 7200\n"},
    {"reopening carries over what was consumed",
     POLICY("{ metric = \"resolution\"; within = \"2h\"; }"),
     {"09:00 " OPENED, "10:30 \"event\": \"status\", \"status\": \"solved\"",
      "12:00 \"event\": \"status\", \"status\": \"open\""},
     "13:00",
     "09:00 resolution.1 started due 11:00\n10:30 resolution.1 met due 11:00\n12:00 resolution.2 started due 12:30\n"
     "12:30 resolution.2 breached due 12:30\n"},
    {"reopening after a breach starts breached",
     POLICY("{ metric = \"resolution\"; within = \"1h\"; }"),
     {"09:00 " OPENED, "10:30 \"event\": \"status\", \"status\": \"solved\"",
      "12:00 \"event\": \"status\", \"status\": \"open\"", "12:30 \"event\": \"status\", \"status\": \"solved\""},
     "13:00",
     "09:00 resolution.1 started due 10:00\n10:00 resolution.1 breached due 10:00\n"
     "10:30 resolution.1 met due 10:00 late 1800\n12:00 resolution.2 started\n12:30 resolution.2 met\n"},
    {"restart starts afresh",
     POLICY("{ metric = \"resolution\"; within = \"1h\"; reopen = \"restart\"; }"),
     {"09:00 " OPENED, "10:30 \"event\": \"status\", \"status\": \"solved\"",
      "12:00 \"event\": \"status\", \"status\": \"open\""},
     "12:30",
     "09:00 resolution.1 started due 10:00\n10:00 resolution.1 breached due 10:00\n"
     "10:30 resolution.1 met due 10:00 late 1800\n12:00 resolution.2 started due 13:00\n"},
    {"reopening starts a first cycle where there was none",
     POLICY("{ metric = \"resolution\"; severity = \"critical\"; within = \"1h\"; }"),
     {"09:00 \"event\": \"opened\", \"severity\": \"low\"",
      "10:00 \"event\": \"severity\", \"severity\": \"S1\", \"by\": \"agent\"",
      "11:00 \"event\": \"status\", \"status\": \"solved\"", "12:00 \"event\": \"status\", \"status\": \"on_hold\""},
     "12:30",
     "12:00 resolution.1 started due 13:00\n"},
    {"next_response waits for first_response, update follows answers",
     POLICY("{ metric = \"first_response\"; within = \"9h\"; }, { metric = \"next_response\"; within = \"1h\"; }, "
            "{ metric = \"update\"; within = \"2h\"; }"),
     {"09:00 " OPENED, "09:10 \"event\": \"reply\", \"by\": \"customer\"",
      "09:20 \"event\": \"reply\", \"by\": \"agent\"", "09:30 \"event\": \"reply\", \"by\": \"customer\"",
      "09:40 \"event\": \"reply\", \"by\": \"customer\"", "09:50 \"event\": \"reply\", \"by\": \"agent\"",
      "10:00 \"event\": \"status\", \"status\": \"solved\""},
     "12:00",
     "09:00 first_response.1 started due 18:00\n09:20 first_response.1 met due 18:00\n09:20 update.1 started due "
     "11:20\n"
     "09:30 next_response.1 started due 10:30\n09:50 next_response.1 met due 10:30\n09:50 update.1 met due 11:20\n"
     "09:50 update.2 started due 11:50\n10:00 update.2 withdrawn reason solved\n"},
    {"what starts takes the policy of the status it has then",
     "policies = ({ name = \"waiting\"; match = { status = \"pending\"; }; targets = ("
     "{ metric = \"next_response\"; within = \"2h\"; }); }, { name = \"other\"; match = {}; targets = ("
     "{ metric = \"next_response\"; within = \"1h\"; }); });",
     {"09:00 " OPENED, "10:00 \"event\": \"status\", \"status\": \"pending\"",
      "11:00 \"event\": \"reply\", \"by\": \"customer\"", "11:30 \"event\": \"reply\", \"by\": \"agent\"",
      "11:40 \"event\": \"status\", \"status\": \"open\"", "12:00 \"event\": \"reply\", \"by\": \"customer\""},
     "12:30",
     "11:00 next_response.1 started due 13:00\n11:30 next_response.1 met due 13:00\n"
     "12:00 next_response.2 started due 13:00\n"},
    {"a dispute is answered by an agent's word, even one that confirms",
     POLICY("{ metric = \"assessment\"; within = \"1h\"; }"),
     {"09:00 " OPENED, "09:10 \"event\": \"dispute\", \"by\": \"customer\"",
      "09:20 \"event\": \"severity\", \"severity\": \"low\", \"by\": \"customer\"",
      "09:30 \"event\": \"severity\", \"severity\": \"low\", \"by\": \"agent\"",
      "09:40 \"event\": \"dispute\", \"by\": \"customer\"", "09:50 \"event\": \"assessed\", \"by\": \"lead\""},
     "12:00",
     "09:10 assessment.1 started due 10:10\n09:30 assessment.1 met due 10:10\n09:40 assessment.2 started due 10:40\n"
     "09:50 assessment.2 met due 10:40\n"},
    {"closed is final, merged ends all",
     POLICY("{ metric = \"resolution\"; within = \"9h\"; }"),
     {"09:00 " OPENED, "09:10 \"event\": \"merged\", \"into\": \"X\"", "09:20 \"event\": \"reply\", \"by\": \"agent\""},
     "12:00",
     "09:00 resolution.1 started due 18:00\n09:10 resolution.1 withdrawn reason merged\n"
     "refused: the ticket was merged into another: nothing can follow\n"},
    {"an unknown severity is refused and changes nothing",
     POLICY("{ metric = \"resolution\"; within = \"9h\"; }"),
     {"09:00 " OPENED, "09:10 \"event\": \"severity\", \"severity\": \"urgent\", \"by\": \"agent\""},
     "12:00",
     "09:00 resolution.1 started due 18:00\n"
     "refused: severity \"urgent\" is unknown; the configuration knows critical, high, low\n"},
};

#define BY_SEVERITY                                                                                                    \
	"{ metric = \"resolution\"; severity = \"critical\"; within = \"1h\"; at_risk = [ \"50%\" ]; }, "              \
	"{ metric = \"resolution\"; severity = \"high\"; within = \"4h\"; at_risk = [ \"50%\", \"75%\" ]; }"

static const struct scenario changes[] = {
    {"graver than the time that has passed: breached by the change",
     POLICY(BY_SEVERITY),
     {"09:00 \"event\": \"opened\", \"severity\": \"high\"",
      "10:30 \"event\": \"severity\", \"severity\": \"critical\", \"by\": \"agent\""},
     "12:00",
     "09:00 resolution.1 started due 13:00\n10:30 resolution.1 retargeted due 10:00\n"
     "10:30 resolution.1 at_risk due 10:00 level 50%\n10:30 resolution.1 breached due 10:00 by_reassessment\n"},
    {"lighter: levels that fired do not fire again",
     POLICY(BY_SEVERITY),
     {"09:00 " OPENED, "09:40 \"event\": \"severity\", \"severity\": \"high\", \"by\": \"agent\""},
     "12:30",
     "09:00 resolution.1 started due 10:00\n09:30 resolution.1 at_risk due 10:00 level 50%\n"
     "09:40 resolution.1 retargeted due 13:00\n12:00 resolution.1 at_risk due 13:00 level 75%\n"},
    {"to a severity without a target",
     POLICY(BY_SEVERITY),
     {"09:00 " OPENED, "09:40 \"event\": \"severity\", \"severity\": \"low\", \"by\": \"agent\""},
     "12:30",
     "09:00 resolution.1 started due 10:00\n09:30 resolution.1 at_risk due 10:00 level 50%\n"
     "09:40 resolution.1 withdrawn reason no target\n"},
    {"the same due and levels are not worth a word",
     POLICY("{ metric = \"resolution\"; severity = \"critical\"; within = \"1h\"; }, "
            "{ metric = \"resolution\"; under = \"60m\"; }"),
     {"09:00 " OPENED, "09:40 \"event\": \"severity\", \"severity\": \"high\", \"by\": \"agent\"",
      "10:00 \"event\": \"status\", \"status\": \"solved\""},
     "12:30",
     "09:00 resolution.1 started due 10:00\n10:00 resolution.1 breached due 10:00\n10:00 resolution.1 met due 10:00\n"},
    {"follow takes the new policy, better_of only the better",
     "policies = ({ name = \"a\"; match = { plan = \"a\"; }; on_change = \"follow\"; "
     "targets = ({ metric = \"resolution\"; within = \"2h\"; }); }, "
     "{ name = \"b\"; match = { plan = \"b\"; }; on_change = \"better_of\"; "
     "targets = ({ metric = \"resolution\"; within = \"4h\"; }); }, "
     "{ name = \"c\"; match = { plan = \"c\"; }; targets = ({ metric = \"resolution\"; within = \"9h\"; }); });",
     {"09:00 " OPENED ", \"plan\": \"a\"", "09:10 \"event\": \"changed\", \"plan\": \"b\"",
      "09:20 \"event\": \"changed\", \"plan\": \"c\"", "09:30 \"event\": \"changed\", \"plan\": \"a\"",
      "09:40 \"event\": \"changed\", \"plan\": \"none\""},
     "10:00",
     "09:00 resolution.1 started due 11:00\n09:10 resolution.1 retargeted due 13:00\n"
     "09:30 resolution.1 retargeted due 11:00\n09:40 resolution.1 withdrawn reason no target\n"},
    {"a rule at opening comes before the clocks",
     POLICY(BY_SEVERITY) "reassessments = ({ name = \"r\"; on = [ \"opened\" ]; match = { category = \"billing\"; "
                         "severity = \"critical\"; }; set = \"high\"; reason = \"x\"; });",
     {"09:00 " OPENED ", \"category\": \"Billing\""},
     "10:00",
     "09:00 resolution.1 started due 13:00\n"},
    {"rules that call each other end",
     POLICY(BY_SEVERITY) "reassessments = ("
                         "{ name = \"up\"; on = [ \"severity_changed\" ]; match = { severity = \"high\"; }; "
                         "set = \"-1\"; reason = \"x\"; }, "
                         "{ name = \"down\"; on = [ \"severity_changed\" ]; match = { severity = \"low\"; }; "
                         "set = \"+1\"; reason = \"x\"; });",
     {"09:00 " OPENED, "09:10 \"event\": \"severity\", \"severity\": \"high\", \"by\": \"agent\""},
     "09:10",
     "09:00 resolution.1 started due 10:00\n09:10 resolution.1 retargeted due 13:00\n"
     "09:10 resolution.1 withdrawn reason no target\n"
     "problem: reassessment \"down\" was not applied: rules have called each other 8 deep; "
     "make their matches exclude each other\n"},
};

#define LADDER(steps)                                                                                                  \
	"policies = ({ name = \"p\"; match = {}; escalation = \"l\"; targets = (" FIRST                                \
	"); }); escalations = { l = (" steps "); };"

static const struct scenario ladders[] = {
    {"a breach drops what at_risk has in hand; repeats end",
     LADDER("{ on = \"at_risk\"; level = \"50%\"; notify = [ \"chat\" ]; repeat_every = \"10m\"; }, "
            "{ on = \"breached\"; after = \"5m\"; notify = [ \"pager\" ]; repeat_every = \"10m\"; repeat_max = 1; }"),
     {"09:00 " OPENED},
     "12:00",
     "09:00 first_response.1 started due 10:00\n09:30 first_response.1 at_risk due 10:00 level 50%\n"
     "09:30 first_response.1 escalated 50% step 1 repeat 0\n09:40 first_response.1 escalated 50% step 1 repeat 1\n"
     "09:45 first_response.1 at_risk due 10:00 level 15m\n09:50 first_response.1 escalated 50% step 1 repeat 2\n"
     "10:00 first_response.1 breached due 10:00\n10:05 first_response.1 escalated breached step 2 repeat 0\n"
     "10:15 first_response.1 escalated breached step 2 repeat 1\n"},
    {"an acknowledgement stops, one with an end holds",
     LADDER("{ on = \"breached\"; notify = [ \"chat\" ]; repeat_every = \"30m\"; }, "
            "{ on = \"breached\"; after = \"20m\"; notify = [ \"pager\" ]; until = \"ended\"; }"),
     {"09:00 " OPENED, "10:10 \"event\": \"ack\", \"by\": \"x\", \"for\": \"1h\"",
      "11:45 \"event\": \"ack\", \"by\": \"x\""},
     "15:00",
     "09:00 first_response.1 started due 10:00\n09:30 first_response.1 at_risk due 10:00 level 50%\n"
     "09:45 first_response.1 at_risk due 10:00 level 15m\n10:00 first_response.1 breached due 10:00\n"
     "10:00 first_response.1 escalated breached step 1 repeat 0\n10:20 first_response.1 escalated breached step 2 "
     "repeat 0\n"
     "11:10 first_response.1 escalated breached step 1 repeat 1\n11:40 first_response.1 escalated breached step 1 "
     "repeat 2\n"},
    {"a step at an acknowledgement's instant comes after it",
     LADDER("{ on = \"breached\"; notify = [ \"chat\" ]; }"),
     {"09:00 " OPENED, "10:00 \"event\": \"ack\", \"by\": \"x\""},
     "15:00",
     "09:00 first_response.1 started due 10:00\n09:30 first_response.1 at_risk due 10:00 level 50%\n"
     "09:45 first_response.1 at_risk due 10:00 level 15m\n10:00 first_response.1 breached due 10:00\n"},
    {"asked for in words, not in a quotation",
     LADDER("{ on = \"requested\"; notify = [ \"pager\" ]; }"),
     {"09:00 " OPENED, "09:10 \"event\": \"reply\", \"by\": \"customer\", \"text\": \" > #escalate\"",
      "09:20 \"event\": \"reply\", \"by\": \"customer\", \"text\": \"please #Escalate.\"",
      "09:25 \"event\": \"reply\", \"by\": \"agent\"",
      "09:26 \"event\": \"reply\", \"by\": \"customer\", \"text\": \"#escalate\""},
     "15:00",
     "09:00 first_response.1 started due 10:00\n09:20 first_response.1 escalated requested:1 step 1 repeat 0\n"
     "09:25 first_response.1 met due 10:00\n09:26 - escalated requested:2 step 1 repeat 0\n"},
    {"the system's change of severity",
     LADDER("{ on = \"reassessed\"; notify = [ \"pager\" ]; after = \"5m\"; }"),
     {"09:00 " OPENED, "09:10 \"event\": \"severity\", \"severity\": \"low\", \"by\": \"system\""},
     "09:29",
     "09:00 first_response.1 started due 10:00\n09:15 first_response.1 escalated reassessed:1 step 1 repeat 0\n"},
    {"off hours: put off, left out, somebody else; the hours of the clock's target where none are named",
     "policies = ({ name = \"p\"; match = {}; escalation = \"l\"; targets = ({ metric = \"first_response\"; within = "
     "\"1h\"; calendar = \"office\"; }); }); escalations = { l = ("
     "{ on = \"breached\"; after = \"6h\"; notify = [ \"chat\" ]; repeat_every = \"9h\"; repeat_max = 2; "
     "off_hours = \"defer\"; }, "
     "{ on = \"breached\"; after = \"6h\"; notify = [ \"chat\" ]; repeat_every = \"9h\"; repeat_max = 2; "
     "off_hours = \"skip\"; }, "
     "{ on = \"breached\"; after = \"6h\"; notify = [ \"chat\", \"chat\" ]; off_hours = \"pager\"; }, "
     "{ on = \"breached\"; after = \"6h\"; notify = [ \"chat\" ]; off_hours = \"pager\"; hours = \"always\"; always = "
     "true; }); };",
     {"10:30 " OPENED},
     "2026-03-05T00:00:00Z",
     "10:30 first_response.1 started due 11:30\n11:30 first_response.1 breached due 11:30\n"
     "17:30 first_response.1 escalated breached step 3 repeat 0 to pager\n"
     "17:30 first_response.1 escalated breached step 4 repeat 0 to chat always\n"
     "03 09:00 first_response.1 escalated breached step 1 repeat 0 to chat\n"
     "03 11:30 first_response.1 escalated breached step 2 repeat 2 to chat\n"
     "04 09:00 first_response.1 escalated breached step 1 repeat 1 to chat\n",
     .names_channels = true},
    {"what was put off is asked for its conditions when it fires, without a clock there are no hours but its own",
     "policies = ({ name = \"p\"; match = {}; escalation = \"l\"; targets = (); }); escalations = { l = ("
     "{ on = \"requested\"; notify = [ \"chat\" ]; off_hours = \"defer\"; }, "
     "{ on = \"requested\"; notify = [ \"chat\" ]; off_hours = \"defer\"; hours = \"office\"; }, "
     "{ on = \"requested\"; notify = [ \"pager\" ]; off_hours = \"defer\"; hours = \"office\"; until = \"ended\"; "
     "}); };",
     {"08:00 " OPENED, "08:10 \"event\": \"reply\", \"by\": \"customer\", \"text\": \"#escalate\"",
      "08:20 \"event\": \"ack\", \"by\": \"x\""},
     "15:00",
     "08:10 - escalated requested:1 step 1 repeat 0 to chat\n09:00 - escalated requested:1 step 3 repeat 0 to pager\n",
     .names_channels = true},
};

/* A step that was dropped since its clock was paused, and then a rule's severity without that pause. */
#define PAUSED_AND_A_RULE                                                                                              \
	"policies = ({ name = \"p\"; match = {}; escalation = \"l\"; targets = ("                                      \
	"{ metric = \"first_response\"; within = \"3h\"; }, "                                                          \
	"{ metric = \"resolution\"; severity = \"critical\"; within = \"8h\"; }, "                                     \
	"{ metric = \"resolution\"; within = \"2h\"; pause_on = [ \"pending\" ]; }); }); "                             \
	"escalations = { l = ({ on = \"requested\"; notify = [ \"chat\" ]; repeat_every = \"20m\"; "                   \
	"repeat_max = 1; }); }; reassessments = ({ name = \"late\"; on = \"breached\"; "                               \
	"set = \"critical\"; reason = \"late\"; });",                                                                  \
	    {"09:00 \"event\": \"opened\", \"severity\": \"low\"",                                                     \
	     "09:10 \"event\": \"reply\", \"by\": \"customer\", \"text\": \"#escalate\"",                              \
	     "09:20 \"event\": \"status\", \"status\": \"pending\""},                                                  \
	    "13:00",                                                                                                   \
	    "09:00 first_response.1 started due 12:00\n"                                                               \
	    "09:00 resolution.1 started due 11:00\n"                                                                   \
	    "09:10 resolution.1 escalated requested:1 step 1 repeat 0\n"                                               \
	    "09:20 resolution.1 paused\n"                                                                              \
	    "12:00 first_response.1 breached due 12:00\n"                                                              \
	    "12:00 resolution.1 retargeted due 19:40\n"                                                                \
	    "12:00 resolution.1 resumed due 19:40\n"

static const struct scenario absences[] = {
    {"every milestone is written, but only the gravest of a clock calls anybody",
     LADDER("{ on = \"at_risk\"; notify = [ \"chat\" ]; }, { on = \"breached\"; notify = [ \"pager\" ]; }"),
     {"09:00 " OPENED},
     "13:00",
     "09:00 first_response.1 started due 10:00\n"
     "09:30 first_response.1 at_risk due 10:00 level 50%\n"
     "09:45 first_response.1 at_risk due 10:00 level 15m\n"
     "10:00 first_response.1 breached due 10:00\n"
     "10:00 first_response.1 escalated breached step 2 repeat 0\n",
     .absence = true},
    {"a rule's severity takes the pause from a clock, and its step stays dropped", PAUSED_AND_A_RULE},
    {"the same, caught up with", PAUSED_AND_A_RULE, .absence = true},
};

Test(engine, clocks)
{
	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++)
		run_scenario(&clocks[i]);
}

Test(engine, changes)
{
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		run_scenario(&changes[i]);
}

Test(engine, ladders)
{
	for (size_t i = 0; i < sizeof(ladders) / sizeof(ladders[0]); i++)
		run_scenario(&ladders[i]);
}

Test(engine, absence)
{
	for (size_t i = 0; i < sizeof(absences) / sizeof(absences[0]); i++)
		run_scenario(&absences[i]);
}

/* Another configuration comes into force, and all clocks migrate or keep their targets. */
static void
take_configuration(struct player *p, const struct policy_set *set, bool migrate)
{
	struct instant at = p->ticket.last_at;
	engine_configure(p->engine, set);
	cr_assert(engine_rematch(p->engine, &p->ticket) == 0);
	if (migrate)
		cr_assert(engine_migrate(p->engine, &p->ticket, at) == 0);
}

/* A new configuration: a running clock keeps its target until an event of its ticket changes it, or all migrate. */
Test(engine, reload)
{
	static const char former[] = POLICY("{ metric = \"resolution\"; severity = \"critical\"; within = \"2h\"; }, "
	                                    "{ metric = \"resolution\"; within = \"4h\"; }");
	static const char latter[] = POLICY("{ metric = \"resolution\"; severity = \"critical\"; within = \"6h\"; }, "
	                                    "{ metric = \"resolution\"; within = \"8h\"; }");
	for (int migrate = 0; migrate < 2; migrate++) {
		struct player p;
		struct event_line *line;
		player_open(&p, former);
		struct config *config = read_config(latter);
		cr_assert(event_line_new(&line) == 0);
		play(&p, line, "09:00 " OPENED);
		take_configuration(&p, config->policies, migrate);
		play(&p, line, "09:10 \"event\": \"status\", \"status\": \"pending\"");
		play(&p, line, "09:20 \"event\": \"severity\", \"severity\": \"low\", \"by\": \"agent\"");
		cr_expect_str_eq(p.out.data, migrate ? "09:00 resolution.1 started due 11:00\n"
		                                       "09:00 resolution.1 retargeted due 15:00\n"
		                                       "09:20 resolution.1 retargeted due 17:00\n"
		                                     : "09:00 resolution.1 started due 11:00\n"
		                                       "09:20 resolution.1 retargeted due 17:00\n");
		event_line_free(line);
		player_close(&p);
		config_free(config);
	}
}

/* What came before a clock moved and is heard of after it counts as of the move, as it does of a timer; and the move
 * comes after a timer that fired a moment ahead. */
Test(engine, late_for_a_move)
{
	static const char former[] =
	    POLICY("{ metric = \"first_response\"; within = \"4h\"; at_risk = [ \"3h\" ]; }, "
	           "{ metric = \"resolution\"; within = \"4h\"; pause_on = [ \"pending\" ]; }");
	static const char latter[] = POLICY("{ metric = \"first_response\"; within = \"30m\"; }, "
	                                    "{ metric = \"resolution\"; within = \"4h\"; }");
	static const struct {
		int64_t after_timer;
		const char *expected;
	} moves[] = {
	    {-1, "10:00 first_response.1 retargeted due 09:30\n10:00 first_response.1 breached due 09:30\n"
	         "10:00 resolution.1 retargeted due 13:50\n10:00 resolution.1 resumed due 13:50\n"
	         "10:00 first_response.1 met due 09:30 late 1800\n10:00 resolution.1 met due 13:50\n"},
	    {5 * US_PER_MIN, "10:05 first_response.1 retargeted due 09:30\n10:05 first_response.1 breached due 09:30\n"
	                     "10:05 resolution.1 retargeted due 13:55\n10:05 resolution.1 resumed due 13:55\n"
	                     "10:05 first_response.1 met due 09:30 late 2100\n10:05 resolution.1 met due 13:55\n"},
	};
	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		struct player p;
		struct event_line *line;
		player_open(&p, former);
		struct config *config = read_config(latter);
		cr_assert(event_line_new(&line) == 0);
		play(&p, line, "09:00 " OPENED);
		play(&p, line, "09:10 \"event\": \"status\", \"status\": \"pending\"");
		struct instant timer = instant_plus(p.ticket.last_at, (struct duration){50 * US_PER_MIN});
		cr_assert(engine_advance(p.engine, &p.ticket, timer) == 0);
		take_configuration(&p, config->policies, false);
		cr_assert(engine_migrate(p.engine, &p.ticket,
		                         instant_plus(timer, (struct duration){moves[i].after_timer})) == 0);
		play(&p, line, "09:40 \"event\": \"reply\", \"by\": \"agent\"");
		play(&p, line, "09:50 \"event\": \"status\", \"status\": \"solved\"");
		cr_expect_str_eq(strstr(p.out.data, "level 3h\n") + strlen("level 3h\n"), moves[i].expected);
		event_line_free(line);
		player_close(&p);
		config_free(config);
	}
}

/* A level that has fired does not fire again where the clock comes back to its configuration from one that lacks it. */
Test(engine, levels_of_a_former_configuration)
{
	static const char former[] =
	    POLICY("{ metric = \"resolution\"; within = \"4h\"; at_risk = [ \"25%\", \"75%\" ]; }");
	static const char latter[] = POLICY("{ metric = \"resolution\"; within = \"4h\"; at_risk = [ \"50%\" ]; }");
	struct player p;
	struct event_line *line;
	player_open(&p, former);
	const struct policy_set *first = engine_policies(p.engine);
	struct config *config = read_config(latter);
	cr_assert(event_line_new(&line) == 0);
	play(&p, line, "09:00 " OPENED);
	play(&p, line, "10:30 \"event\": \"reply\", \"by\": \"customer\"");
	take_configuration(&p, config->policies, true);
	play(&p, line, "11:30 \"event\": \"reply\", \"by\": \"customer\"");
	take_configuration(&p, first, true);
	play(&p, line, "12:30 \"event\": \"reply\", \"by\": \"customer\"");
	cr_expect_str_eq(p.out.data, "09:00 resolution.1 started due 13:00\n"
	                             "10:00 resolution.1 at_risk due 13:00 level 25%\n"
	                             "10:30 resolution.1 retargeted due 13:00\n"
	                             "11:00 resolution.1 at_risk due 13:00 level 50%\n"
	                             "11:30 resolution.1 retargeted due 13:00\n"
	                             "12:00 resolution.1 at_risk due 13:00 level 75%\n");
	event_line_free(line);
	player_close(&p);
	config_free(config);
}

/* A ticket whose opening was refused for its severity is opened as of then, once the severity is put right. */
Test(engine, held)
{
	struct player p;
	struct event_line *line;
	struct ticket_event event;
	char refusal[REFUSAL_SIZE];
	const char *name;
	bool late;
	static const char opened[] = "{\"at\": \"" DAY "09:00:00Z\", \"ticket\": \"T\", \"event\": \"opened\", "
	                             "\"severity\": \"zork\", \"plan\": \"gold\"}";
	static const char mended[] = "{\"at\": \"" DAY "10:30:00Z\", \"ticket\": \"T\", \"event\": \"severity\", "
	                             "\"severity\": \"S1\", \"by\": \"agent\"}";
	player_open(&p, "policies = ({ name = \"p\"; match = { plan = \"gold\"; }; targets = (" FIRST "); });");
	cr_assert(event_line_new(&line) == 0);
	cr_assert(event_line_parse(line, opened, strlen(opened), &name, &event, refusal) == 0);
	cr_assert(engine_apply(p.engine, &p.ticket, &event, &late, refusal) < 0);
	engine_hold(p.engine, &p.ticket, &event);
	cr_assert(event_line_parse(line, mended, strlen(mended), &name, &event, refusal) == 0);
	cr_assert(engine_open_held(p.engine, &p.ticket, &event, refusal) == 0);
	cr_assert(engine_advance(p.engine, &p.ticket, event.at) == 0);
	cr_expect_str_eq(p.out.data, "09:00 first_response.1 started due 10:00\n"
	                             "09:30 first_response.1 at_risk due 10:00 level 50%\n"
	                             "09:45 first_response.1 at_risk due 10:00 level 15m\n"
	                             "10:00 first_response.1 breached due 10:00\n");
	event_line_free(line);
	player_close(&p);
}
