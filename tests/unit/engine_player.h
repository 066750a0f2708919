/* One ticket's events, played to the engine as the simulator does, all on Monday 2026-03-02 in UTC. What comes of them
 * is a line each: "TIME METRIC.CYCLE MILESTONE [due TIME] [level L] [extra]" with times as HH:MM[:SS] of that day, or
 * DD HH:MM for a later day of that month. */
#ifndef SLATED_TEST_ENGINE_PLAYER_H
#define SLATED_TEST_ENGINE_PLAYER_H

#include "slated/config.h"
#include "slated/engine.h"
#include "slated/event_json.h"
#include "slated/render.h"

#define PLAYER_DAY "2026-03-02T"

/* Of configurations and events. */
#define OPENED          "\"event\": \"opened\", \"severity\": \"critical\""
#define POLICY(targets) "policies = ({ name = \"p\"; match = {}; targets = (" targets "); });"
#define FIRST           "{ metric = \"first_response\"; within = \"1h\"; at_risk = [ \"50%\", \"15m\" ]; }"

struct player {
	struct config *config;
	struct engine *engine;
	struct event_line *line;
	struct ticket ticket;
	struct text out;
	bool names_channels; /* a step's line says whom it notifies first */
};

/* A configuration that has the severities critical (alias S1), high and low, the calendar office (09:00 to 17:00) and
 * the channels chat and pager before `text`. */
struct config *player_config(const char *text);

void player_open(struct player *p, const char *config);

void player_close(struct player *p);

/* An event is written TIME and the rest of the JSON object: "09:00 \"event\": \"opened\", ...". A refusal is a line. */
void player_play(struct player *p, const char *event);

#endif
