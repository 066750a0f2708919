/* The engine fed from memory, timers and all: what is left of a replay without text. Usage: bench/replay_engine POLICY
 * <EVENTS. Prints events a second and how many milestones came. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "slated/config.h"
#include "slated/engine.h"
#include "slated/event_json.h"
#include "timing.h"

struct name {
	UT_hash_handle hh;
	size_t index;
	char text[];
};

/* A piece of memory that events are copied to, side by side in their order: feeding them is to cost little. */
struct kept {
	struct kept *next;
	size_t used;
	_Alignas(max_align_t) char bytes[1 << 20];
};

struct line {
	size_t ticket;
	struct ticket_event event;
};

struct replay {
	struct engine *engine;
	struct wheel *wheel;
	struct ticket *tickets;
	size_t n_tickets;
	struct line *lines;
	size_t n_lines;
	struct name *names;
	struct kept *kept;
	size_t milestones;
};

static void
demand(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "bench/replay_engine: %s\n", what);
		exit(1);
	}
}

static size_t
ticket_index(struct replay *replay, const char *text)
{
	struct name *name;

	HASH_FIND_STR(replay->names, text, name);
	if (name == NULL) {
		size_t n = strlen(text) + 1;

		name = malloc(sizeof(*name) + n);
		demand(name != NULL, "out of memory");
		memcpy(name->text, text, n);
		name->index = replay->n_tickets++;
		HASH_ADD_STR(replay->names, text, name);
	}
	return name->index;
}

/* Memory until the end. */
static void *
keep(struct replay *replay, size_t size)
{
	struct kept *kept = replay->kept;

	size = (size + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
	if (kept == NULL || size > sizeof(kept->bytes) - kept->used) {
		kept = malloc(sizeof(*kept));
		demand(kept != NULL && size <= sizeof(kept->bytes), "out of memory");
		kept->next = replay->kept;
		kept->used = 0;
		replay->kept = kept;
	}
	kept->used += size;
	return kept->bytes + kept->used - size;
}

static const char *
text_copy(struct replay *replay, const char *text)
{
	return text != NULL ? strcpy(keep(replay, strlen(text) + 1), text) : NULL;
}

/* The event with texts of its own. */
static struct ticket_event
event_copy(struct replay *replay, const struct ticket_event *event)
{
	struct ticket_event copy = *event;
	struct custom_attribute *custom = keep(replay, event->n_custom * sizeof(*custom));

	copy.severity = text_copy(replay, event->severity);
	for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++)
		copy.attributes[i] = text_copy(replay, event->attributes[i]);
	for (size_t i = 0; i < event->n_custom; i++)
		custom[i] = (struct custom_attribute){text_copy(replay, event->custom[i].key),
		                                      text_copy(replay, event->custom[i].value)};
	copy.custom = custom;
	return copy;
}

static void
read_lines(struct replay *replay)
{
	char *text = NULL, problem[REFUSAL_SIZE];
	size_t room = 0, lines_room = 0;
	struct event_line *reader;
	ssize_t len;

	demand(event_line_new(&reader) == 0, "out of memory");
	while ((len = getline(&text, &room, stdin)) >= 0) {
		struct ticket_event event;
		const char *ticket;

		if (replay->n_lines == lines_room) {
			lines_room = lines_room * 2 + 1024;
			replay->lines = realloc(replay->lines, lines_room * sizeof(replay->lines[0]));
			demand(replay->lines != NULL, "out of memory");
		}
		demand(event_line_parse(reader, text, (size_t)len, &ticket, &event, problem) == 0, problem);
		replay->lines[replay->n_lines++] =
		    (struct line){ticket_index(replay, ticket), event_copy(replay, &event)};
	}
	event_line_free(reader);
	free(text);
}

static void
on_milestone(void *arg, struct ticket *ticket, const struct milestone *milestone)
{
	struct replay *replay = arg;

	(void)ticket;
	(void)milestone;
	replay->milestones++;
}

static void
settle(struct replay *replay, struct ticket *ticket)
{
	ticket_prune(ticket);
	struct instant next = ticket_next(ticket);

	if (ticket_is_final(ticket))
		ticket_clear(ticket);
	if (instant_equal(next, INSTANT_NEVER))
		wheel_unset(replay->wheel, &ticket->timer);
	else
		wheel_set(replay->wheel, &ticket->timer, next);
}

__attribute__((noinline)) static void
play(struct replay *replay)
{
	char refusal[REFUSAL_SIZE];
	bool late;

	for (size_t i = 0; i < replay->n_lines; i++) {
		const struct line *line = &replay->lines[i];
		struct ticket *ticket = &replay->tickets[line->ticket];
		struct wheel_node *node;

		while ((node = wheel_pop(replay->wheel, (struct instant){line->event.at.us - 1})) != NULL) {
			struct ticket *due = (struct ticket *)node;

			demand(engine_advance(replay->engine, due, (struct instant){node->at_us}) == 0,
			       "out of memory");
			settle(replay, due);
		}
		demand(engine_apply(replay->engine, ticket, &line->event, &late, refusal) == 0, refusal);
		settle(replay, ticket);
	}
}

static void
replay_clear(struct replay *replay)
{
	struct name *name, *next;

	HASH_ITER (hh, replay->names, name, next) {
		HASH_DEL(replay->names, name);
		free(name);
	}
	while (replay->kept != NULL) {
		struct kept *kept = replay->kept;

		replay->kept = kept->next;
		free(kept);
	}
	free(replay->lines);
	for (size_t i = 0; i < replay->n_tickets; i++)
		ticket_clear(&replay->tickets[i]);
	free(replay->tickets);
	wheel_free(replay->wheel);
	engine_free(replay->engine);
}

int
main(int argc, char **argv)
{
	struct replay replay = {0};
	struct config_problems problems = {0};
	struct config *config;

	demand(argc == 2, "usage: bench/replay_engine POLICY <EVENTS");
	read_lines(&replay);
	demand(replay.n_lines > 0, "no events");
	struct instant first = replay.lines[0].event.at;
	if (config_load(argv[1], first, CONFIG_NO_SECRETS, &problems, &config) < 0) {
		config_problems_print(&problems, stderr);
		return 1;
	}
	const struct engine_sink sink = {.milestone = on_milestone, .arg = &replay};
	demand(engine_new(config->policies, &sink, &replay.engine) == 0, "out of memory");
	demand(wheel_new((struct instant){first.us - 1}, &replay.wheel) == 0, "out of memory");
	replay.tickets = calloc(replay.n_tickets, sizeof(replay.tickets[0]));
	demand(replay.tickets != NULL, "out of memory");
	double start = clock_ns();
	play(&replay);
	printf("%.0f\t%zu\n", 1e9 / lap(&start, replay.n_lines), replay.milestones);
	replay_clear(&replay);
	config_free(config);
	return 0;
}
