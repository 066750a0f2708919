#include "programs.h"

#include <stdlib.h>
#include <string.h>

struct child_runner {
	struct world *world;
	size_t n;
};

struct child {
	struct child_runner *runner;
	struct happening end;
	child_done *done;
	void *arg;
	bool timed_out;
};

struct child_runner *
programs_new(struct world *world)
{
	struct child_runner *runner = world_must(calloc(1, sizeof(*runner)));
	runner->world = world;
	return runner;
}

/* Nobody asks for one on an event base. */
int
child_runner_new(struct event_base *base, struct child_runner **ret)
{
	(void)base;
	(void)ret;
	abort();
}

void
child_runner_free(struct child_runner *runner)
{
	if (runner->n > 0)
		abort(); /* hooks end what they have started */
	free(runner);
}

size_t
child_runner_count(const struct child_runner *runner)
{
	return runner->n;
}

static void
child_free(struct child *child)
{
	child->runner->n--;
	free(child);
}

static void
on_end(void *arg)
{
	static const char *const answers[] = {"{\"severity\": \"critical\"}",
	                                      "{\"severity\": \"high\", \"reason\": \"so\"}",
	                                      "{\"severity\": \"normal\"}",
	                                      "{\"severity\": \"low\"}",
	                                      "{\"severity\": \"zork\"}",
	                                      "{}",
	                                      "no"};
	struct child *child = arg;
	struct world *world = child->runner->world;
	const char *output = answers[world_below(world, sizeof(answers) / sizeof(answers[0]))];
	struct child_result result = {.timed_out = child->timed_out,
	                              .exit_status = world_chance(world, 50000),
	                              .output = output,
	                              .n_output = strlen(output)};
	child_done *done = child->done;
	void *to = child->arg;
	child_free(child);
	done(to, &result);
}

int
child_start(struct child_runner *runner, const struct child_spec *spec, child_done *done, void *arg, struct child **ret)
{
	struct world *world = runner->world;
	struct child *child = world_must(calloc(1, sizeof(*child)));
	int64_t takes = world_about(world, 1000, 2 * spec->timeout.us);
	*child = (struct child){runner, .done = done, .arg = arg, .timed_out = takes > spec->timeout.us};
	world_set(world, &child->end, takes < spec->timeout.us ? takes : spec->timeout.us, on_end, child);
	runner->n++;
	*ret = child;
	return 0;
}

void
child_cancel(struct child *child)
{
	world_unset(child->runner->world, &child->end);
	child_free(child);
}
