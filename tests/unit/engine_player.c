#include "engine_player.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char prelude[] =
    "severities = ({ name = \"critical\"; aliases = [ \"S1\" ]; }, { name = \"high\"; }, { name = \"low\"; });\n"
    "calendars = { office = { timezone = \"UTC\"; hours = { weekdays = \"09:00-17:00\"; }; day_length = \"8h\"; }; };\n"
    "channels = { chat = { type = \"exec\"; command = [ \"/bin/true\" ]; }; "
    "pager = { type = \"exec\"; command = [ \"/bin/true\" ]; }; };\n";

static void
add_time(struct text *out, struct instant at)
{
	char text[INSTANT_TEXT_SIZE];
	(void)instant_format(at, text);
	text[strlen(text) - 1] = '\0';
	if (strncmp(text, PLAYER_DAY, strlen(PLAYER_DAY)) != 0) {
		text_add(out, text + 8, 2);
		text_add_string(out, " ");
	}
	char *clock = text + strlen(PLAYER_DAY);
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

struct config *
player_config(const char *text)
{
	struct config_problems problems = {0};
	struct config *ret = NULL;
	struct text source = {0};
	char head[64];
	size_t size = strlen(prelude) + strlen(text);
	(void)snprintf(head, sizeof(head), "@file config %zu test.conf\n", size);
	text_add_string(&source, head);
	text_add_string(&source, prelude);
	text_add_string(&source, text);
	text_add_string(&source, "\n");
	int r = config_load_text(source.data, source.len, (struct instant){INT64_C(1772409600) * US_PER_S}, &problems,
	                         &ret);
	config_problems_print(&problems, stderr);
	config_problems_clear(&problems);
	free(source.data);
	cr_assert(r == 0, "the scenario's configuration is wrong");
	return ret;
}

void
player_open(struct player *p, const char *config)
{
	*p = (struct player){.config = player_config(config)};
	const struct engine_sink sink = {.milestone = on_milestone, .problem = on_problem, .arg = p};
	cr_assert(engine_new(p->config->policies, &sink, &p->engine) == 0);
	cr_assert(event_line_new(&p->line) == 0);
}

void
player_close(struct player *p)
{
	event_line_free(p->line);
	ticket_clear(&p->ticket);
	engine_free(p->engine);
	config_free(p->config);
	free(p->out.data);
}

void
player_play(struct player *p, const char *event_text)
{
	char json[512];
	char refusal[REFUSAL_SIZE];
	struct ticket_event event;
	const char *name;
	bool late;
	const char *rest = strchr(event_text, ' ');
	int n = (int)(rest - event_text);
	(void)snprintf(json, sizeof(json), "{\"at\": \"" PLAYER_DAY "%.*s%sZ\", \"ticket\": \"T\", %s}", n, event_text,
	               n == 5 ? ":00" : "", rest);
	cr_assert(event_line_parse(p->line, json, strlen(json), &name, &event, refusal) == 0, "%s: %s", json, refusal);
	int r = engine_apply(p->engine, &p->ticket, &event, &late, refusal);
	if (r == 0)
		return;
	add_field(&p->out, "refused: ", refusal);
	text_add_string(&p->out, "\n");
}
