/* The engine by scenarios: a policy, events, and what must come of them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "engine_player.h"

struct scenario {
	const char *name;
	const char *config;
	const char *events[12];
	const char *until; /* time of the same day, or a whole instant */
	const char *expected;
	bool names_channels; /* a step's line says whom it notifies first */
	bool absence;        /* what comes after the last event is caught up with */
};

static void
run_scenario(const struct scenario *s)
{
	struct player p;
	struct instant until;
	char text[64];
	player_open(&p, s->config);
	p.names_channels = s->names_channels;
	for (size_t i = 0; s->events[i] != NULL; i++)
		player_play(&p, s->events[i]);
	(void)snprintf(text, sizeof(text), "%s%s%s", strlen(s->until) == 5 ? PLAYER_DAY : "", s->until,
	               strlen(s->until) == 5 ? ":00Z" : "");
	cr_assert(instant_parse(text, strlen(text), &until) == 0);
	engine_set_absence(p.engine, s->absence);
	cr_assert(engine_advance(p.engine, &p.ticket, until) == 0);
	cr_expect(strcmp(p.out.data == NULL ? "" : p.out.data, s->expected) == 0, "%s:\n--- expected\n%s--- got\n%s",
	          s->name, s->expected, p.out.data == NULL ? "" : p.out.data);
	player_close(&p);
}

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
