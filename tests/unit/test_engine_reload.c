/* The engine when another configuration comes into force, and when a refused opening is put right. */
#include <criterion/criterion.h>
#include <string.h>

#include "engine_player.h"

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
		player_open(&p, former);
		struct config *config = player_config(latter);
		player_play(&p, "09:00 " OPENED);
		take_configuration(&p, config->policies, migrate);
		player_play(&p, "09:10 \"event\": \"status\", \"status\": \"pending\"");
		player_play(&p, "09:20 \"event\": \"severity\", \"severity\": \"low\", \"by\": \"agent\"");
		cr_expect_str_eq(p.out.data, migrate ? "09:00 resolution.1 started due 11:00\n"
		                                       "09:00 resolution.1 retargeted due 15:00\n"
		                                       "09:20 resolution.1 retargeted due 17:00\n"
		                                     : "09:00 resolution.1 started due 11:00\n"
		                                       "09:20 resolution.1 retargeted due 17:00\n");
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
		player_open(&p, former);
		struct config *config = player_config(latter);
		player_play(&p, "09:00 " OPENED);
		player_play(&p, "09:10 \"event\": \"status\", \"status\": \"pending\"");
		struct instant timer = instant_plus(p.ticket.last_at, (struct duration){50 * US_PER_MIN});
		cr_assert(engine_advance(p.engine, &p.ticket, timer) == 0);
		take_configuration(&p, config->policies, false);
		cr_assert(engine_migrate(p.engine, &p.ticket,
		                         instant_plus(timer, (struct duration){moves[i].after_timer})) == 0);
		player_play(&p, "09:40 \"event\": \"reply\", \"by\": \"agent\"");
		player_play(&p, "09:50 \"event\": \"status\", \"status\": \"solved\"");
		cr_expect_str_eq(strstr(p.out.data, "level 3h\n") + strlen("level 3h\n"), moves[i].expected);
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
	player_open(&p, former);
	const struct policy_set *first = engine_policies(p.engine);
	struct config *config = player_config(latter);
	player_play(&p, "09:00 " OPENED);
	player_play(&p, "10:30 \"event\": \"reply\", \"by\": \"customer\"");
	take_configuration(&p, config->policies, true);
	player_play(&p, "11:30 \"event\": \"reply\", \"by\": \"customer\"");
	take_configuration(&p, first, true);
	player_play(&p, "12:30 \"event\": \"reply\", \"by\": \"customer\"");
	cr_expect_str_eq(p.out.data, "09:00 resolution.1 started due 13:00\n"
	                             "10:00 resolution.1 at_risk due 13:00 level 25%\n"
	                             "10:30 resolution.1 retargeted due 13:00\n"
	                             "11:00 resolution.1 at_risk due 13:00 level 50%\n"
	                             "11:30 resolution.1 retargeted due 13:00\n"
	                             "12:00 resolution.1 at_risk due 13:00 level 75%\n");
	player_close(&p);
	config_free(config);
}

/* A ticket whose opening was refused for its severity is opened as of then, once the severity is put right. */
Test(engine, held)
{
	struct player p;
	struct ticket_event event;
	char refusal[REFUSAL_SIZE];
	const char *name;
	bool late;
	static const char opened[] = "{\"at\": \"" PLAYER_DAY "09:00:00Z\", \"ticket\": \"T\", \"event\": \"opened\", "
	                             "\"severity\": \"zork\", \"plan\": \"gold\"}";
	static const char mended[] =
	    "{\"at\": \"" PLAYER_DAY "10:30:00Z\", \"ticket\": \"T\", \"event\": \"severity\", "
	    "\"severity\": \"S1\", \"by\": \"agent\"}";
	player_open(&p, "policies = ({ name = \"p\"; match = { plan = \"gold\"; }; targets = (" FIRST "); });");
	cr_assert(event_line_parse(p.line, opened, strlen(opened), &name, &event, refusal) == 0);
	cr_assert(engine_apply(p.engine, &p.ticket, &event, &late, refusal) < 0);
	engine_hold(p.engine, &p.ticket, &event);
	cr_assert(event_line_parse(p.line, mended, strlen(mended), &name, &event, refusal) == 0);
	cr_assert(engine_open_held(p.engine, &p.ticket, &event, refusal) == 0);
	cr_assert(engine_advance(p.engine, &p.ticket, event.at) == 0);
	cr_expect_str_eq(p.out.data, "09:00 first_response.1 started due 10:00\n"
	                             "09:30 first_response.1 at_risk due 10:00 level 50%\n"
	                             "09:45 first_response.1 at_risk due 10:00 level 15m\n"
	                             "10:00 first_response.1 breached due 10:00\n");
	player_close(&p);
}
