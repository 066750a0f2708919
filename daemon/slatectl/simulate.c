/* `slatectl simulate`: the engine driven by events read from standard input, in simulated time. model.md section 10.
 *
 * Milestones of one instant are held back until the instant is over, then written in the order in which their tickets
 * first appeared; so what is kept grows with the tickets, not with the events. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "command.h"
#include "slated/config.h"
#include "slated/engine.h"
#include "slated/event_json.h"
#include "slated/render.h"

struct simulated_ticket {
	struct ticket ticket; /* first: the wheel's nodes lead here */
	UT_hash_handle hh;
	char name[];
};

/* One milestone held back: its bytes in `pending_text`. */
struct pending {
	uint64_t ticket;
	size_t from;
	size_t to;
};

struct simulation {
	struct engine *engine;
	struct wheel *wheel;
	struct event_line *reader;
	struct simulated_ticket *tickets;
	uint64_t n_tickets;
	struct instant now; /* of what is held back */
	struct text pending_text;
	struct pending *pending;
	size_t n_pending;
	size_t room;
	uint64_t line;
	int error;   /* -ENOMEM, -EIO: give up */
	bool faulty; /* something was reported */
};

static int
pending_compare(const void *a, const void *b)
{
	const struct pending *x = a;
	const struct pending *y = b;
	if (x->ticket != y->ticket)
		return x->ticket < y->ticket ? -1 : 1;
	return x->from < y->from ? -1 : x->from > y->from;
}

static void
flush_pending(struct simulation *s)
{
	if (s->n_pending > 1)
		qsort(s->pending, s->n_pending, sizeof(s->pending[0]), pending_compare);
	for (size_t i = 0; i < s->n_pending; i++) {
		size_t len = s->pending[i].to - s->pending[i].from;
		if (fwrite(s->pending_text.data + s->pending[i].from, 1, len, stdout) != len)
			s->error = -EIO;
	}
	s->n_pending = 0;
	s->pending_text.len = 0;
}

static void
on_milestone(void *arg, struct ticket *ticket, const struct milestone *milestone)
{
	struct simulation *s = arg;
	const struct simulated_ticket *simulated = (const struct simulated_ticket *)ticket;
	if (!instant_equal(milestone->at, s->now))
		flush_pending(s);
	s->now = milestone->at;
	if (s->n_pending == s->room) {
		size_t room = s->room * 2 + 64;
		struct pending *grown = realloc(s->pending, room * sizeof(grown[0]));
		if (grown == NULL) {
			s->error = -ENOMEM;
			return;
		}
		s->pending = grown;
		s->room = room;
	}
	size_t from = s->pending_text.len;
	render_milestone(&s->pending_text, simulated->name, milestone);
	text_add(&s->pending_text, "\n", 1);
	if (s->pending_text.failed)
		s->error = -ENOMEM;
	else
		s->pending[s->n_pending++] = (struct pending){ticket->id, from, s->pending_text.len};
}

static void
report(struct simulation *s, const char *reason)
{
	(void)fprintf(stderr, "line %llu: %s\n", (unsigned long long)s->line, reason);
	s->faulty = true;
}

static void
on_problem(void *arg, struct ticket *ticket, const char *text)
{
	(void)ticket;
	report(arg, text);
}

/* After an event or a timer: what is done with is let go, what is left is planned. */
static void
settle(struct simulation *s, struct ticket *ticket)
{
	ticket_prune(ticket);
	struct instant next = ticket_next(ticket);
	if (ticket_is_final(ticket))
		ticket_clear(ticket);
	if (instant_equal(next, INSTANT_NEVER))
		wheel_unset(s->wheel, &ticket->timer);
	else
		wheel_set(s->wheel, &ticket->timer, next);
}

/* Handles all timers due at or before `until`, instant by instant across the tickets. */
static void
run_timers(struct simulation *s, struct instant until)
{
	struct wheel_node *node;
	while (s->error == 0 && (node = wheel_pop(s->wheel, until)) != NULL) {
		struct ticket *ticket = (struct ticket *)node;
		int r = engine_advance(s->engine, ticket, (struct instant){node->at_us});
		if (r < 0)
			s->error = r;
		settle(s, ticket);
	}
}

static struct simulated_ticket *
find_ticket(struct simulation *s, const char *name)
{
	struct simulated_ticket *found;
	HASH_FIND_STR(s->tickets, name, found);
	return found;
}

static void
open_ticket(struct simulation *s, const char *name, const struct ticket_event *event)
{
	char refusal[REFUSAL_SIZE];
	bool late;
	size_t n = strlen(name) + 1;
	struct simulated_ticket *ticket = calloc(1, sizeof(*ticket) + n);
	if (ticket == NULL) {
		s->error = -ENOMEM;
		return;
	}
	memcpy(ticket->name, name, n);
	ticket->ticket.id = s->n_tickets;
	int r = engine_apply(s->engine, &ticket->ticket, event, &late, refusal);
	if (r < 0) {
		if (r == -EINVAL)
			report(s, refusal);
		else
			s->error = r;
		ticket_clear(&ticket->ticket);
		free(ticket);
		return;
	}
	s->n_tickets++;
	HASH_ADD_STR(s->tickets, name, ticket);
	settle(s, &ticket->ticket);
}

static void
apply_event(struct simulation *s, const char *name, const struct ticket_event *event)
{
	char refusal[REFUSAL_SIZE];
	struct ticket unknown = {0};
	bool late;
	struct simulated_ticket *found = find_ticket(s, name);
	if (found == NULL && event->kind == EVENT_OPENED) {
		open_ticket(s, name, event);
		return;
	}
	struct ticket *ticket = found != NULL ? &found->ticket : &unknown;
	int r = engine_apply(s->engine, ticket, event, &late, refusal);
	if (r == -EINVAL)
		report(s, refusal);
	else if (r < 0)
		s->error = r;
	if (found != NULL)
		settle(s, ticket);
}

static void
report_sink_failure(const struct simulation *s)
{
	(void)fprintf(stderr, "slatectl simulate: %s\n",
	              s->error == -EIO ? "standard output cannot be written to" : "out of memory");
}

/* Puts the configuration in force as of the first event. */
static int
start(struct simulation *s, const char *path, struct instant first, struct config **ret)
{
	const struct engine_sink sink = {.milestone = on_milestone, .problem = on_problem, .arg = s};
	int r = command_config(path, first, ret);
	if (r < 0)
		return r;
	r = engine_new((*ret)->policies, &sink, &s->engine);
	if (r == 0)
		r = wheel_new((struct instant){first.us - 1}, &s->wheel);
	if (r < 0)
		s->error = r;
	return r;
}

/* Reads all events up to `until`. Returns the instant of the last one, or `until`. */
static int
read_events(struct simulation *s, const char *path, struct instant until, struct config **ret_config)
{
	char problem[REFUSAL_SIZE];
	char *text = NULL;
	size_t room = 0;
	ssize_t len;
	int r = 0;
	struct instant last = {INT64_MIN};
	while (s->error == 0 && r == 0 && (len = getline(&text, &room, stdin)) >= 0) {
		const char *name;
		struct ticket_event event;
		s->line++;
		if (text[strspn(text, " \t\r\n")] == '\0')
			continue;
		r = event_line_parse(s->reader, text, (size_t)len, &name, &event, problem);
		if (r == -EINVAL) {
			report(s, problem);
			r = 0;
			continue;
		}
		if (r == 0 && *ret_config == NULL)
			r = start(s, path, event.at, ret_config);
		if (r < 0 || event.at.us > until.us)
			break;
		if (instant_before(last, event.at)) {
			last = event.at;
			run_timers(s, (struct instant){last.us - 1});
		}
		apply_event(s, name, &event);
	}
	if (r == 0 && ferror(stdin)) {
		(void)fprintf(stderr, "slatectl simulate: standard input: %s\n", strerror(errno));
		r = -EIO;
	}
	free(text);
	if (r == 0 && s->wheel != NULL)
		run_timers(s, instant_equal(until, INSTANT_NEVER) ? last : until);
	flush_pending(s);
	return r;
}

static void
simulation_clear(struct simulation *s)
{
	struct simulated_ticket *ticket;
	struct simulated_ticket *next;
	HASH_ITER (hh, s->tickets, ticket, next) {
		HASH_DEL(s->tickets, ticket);
		wheel_unset(s->wheel, &ticket->ticket.timer);
		ticket_clear(&ticket->ticket);
		free(ticket);
	}
	free(s->pending);
	free(s->pending_text.data);
	event_line_free(s->reader);
	wheel_free(s->wheel);
	engine_free(s->engine);
}

struct options {
	const char *config;
	struct instant until;
};

static int
run_simulate(void *into)
{
	const struct options *options = into;
	struct simulation s = {.now = {INT64_MIN}};
	struct config *config = NULL;

	int r = event_line_new(&s.reader);
	if (r == 0)
		r = read_events(&s, options->config, options->until, &config);
	else
		s.error = r;
	if (r == 0 && config == NULL) /* no event at all: the configuration is to be read all the same */
		r = command_config(options->config, command_now(), &config);
	if (s.error == 0 && fflush(stdout) != 0)
		s.error = -EIO;
	if (s.error < 0)
		report_sink_failure(&s);
	simulation_clear(&s);
	config_free(config);
	return r < 0 || s.error < 0 || s.faulty ? EXIT_PROBLEM : 0;
}

static const struct command_row rows[] = {
    {"config", "FILE", "the configuration; " CONFIG_DEFAULT " where it is left out", VALUE_FILE,
     offsetof(struct options, config)},
    {"until", "INSTANT", "stops there, not at the last event's instant", VALUE_INSTANT,
     offsetof(struct options, until)},
    {0},
};

static const struct options initial = {.config = CONFIG_DEFAULT, .until = INSTANT_NEVER};

const struct command command_simulate = {
    .name = "simulate",
    .help = "play events in simulated time and write their milestones",
    .about = "Reads events from standard input, one JSON object a line, and writes the milestones that follow.\n",
    .rows = rows,
    .size = sizeof(struct options),
    .initial = &initial,
    .run = run_simulate,
};
