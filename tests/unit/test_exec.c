#include "slated/channel.h"
#include "slated/child.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define N(rows)    (sizeof(rows) / sizeof((rows)[0]))
#define DEADLINE_S 20

struct world {
	struct event_base *base;
	struct child_runner *children;
	struct channel_context context;
};

/* What became of one attempt. */
struct end {
	bool ended;
	enum outcome outcome;
	char error[8192];
};

static struct world
world_new(void)
{
	struct world world = {.base = event_base_new()};
	cr_assert(world.base);
	cr_assert_eq(child_runner_new(world.base, &world.children), 0);
	world.context = (struct channel_context){.children = world.children, .instance = "test 1"};
	return world;
}

static void
world_free(struct world *world)
{
	child_runner_free(world->children);
	event_base_free(world->base);
	cr_expect(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left over");
}

/* Runs the loop until `*flag`, or fails at the deadline. */
static void
world_wait(struct world *world, const bool *flag)
{
	struct timeval deadline = {.tv_sec = DEADLINE_S};
	event_base_loopexit(world->base, &deadline);
	while (!*flag && !event_base_got_exit(world->base))
		event_base_loop(world->base, EVLOOP_ONCE);
	cr_assert(*flag, "deadline");
}

static void
on_done(void *arg, const struct channel_result *result)
{
	struct end *end = arg;
	cr_assert(!end->ended);
	end->ended = true;
	end->outcome = result->outcome;
	snprintf(end->error, sizeof(end->error), "%s", result->error ? result->error : "");
}

static struct channel *
shell_channel(struct world *world, const char *script, struct duration timeout)
{
	const char *const command[] = {"/bin/sh", "-c", script, "sh", NULL};
	const struct channel_settings settings = {
	    .name = "script", .type = CHANNEL_EXEC, .command = command, .timeout = timeout};
	struct channel *channel;
	cr_assert_eq(channel_open(&settings, &world->context, &channel), 0);
	return channel;
}

static const struct delivery delivery = {
    .key = "k-1",
    .ticket_id = 7,
    .external_id = "T 7",
    .metric = "first_response",
    .cycle = 1,
    .channel = "script",
    .kind = "escalated",
    .payload = "{\"late_by\": 0.10}",
    .at = {1767225600000000},
};

static void
run(const char *script, struct duration timeout, struct end *ret)
{
	struct world world = world_new();
	struct channel *channel = shell_channel(&world, script, timeout);
	struct channel_attempt *attempt;
	memset(ret, 0, sizeof(*ret));
	cr_assert_eq(channel_send(channel, &delivery, on_done, ret, &attempt), 0);
	cr_assert(!ret->ended);
	world_wait(&world, &ret->ended);
	channel_close(channel);
	world_free(&world);
}

Test(exec, outcomes)
{
	static const struct {
		const char *script;
		enum outcome outcome;
		const char *error;
	} rows[] = {
	    {"exit 0", OUTCOME_DELIVERED, ""},
	    {"echo noise; exit 0", OUTCOME_DELIVERED, ""},
	    {"exit 1", OUTCOME_RETRY, "exit status 1"},
	    {"echo out; echo err >&2; exit 3", OUTCOME_RETRY, "exit status 3: out err"},
	    {"exit 75", OUTCOME_RETRY, "exit status 75"},
	    {"printf 'no such\\tpager\\n'; exit 65", OUTCOME_DEAD, "exit status 65: no such pager"},
	    {"kill -9 $$", OUTCOME_RETRY, "killed by signal 9"},
	    {"kill -TERM $$", OUTCOME_RETRY, "killed by signal 15"},
	    {"printf '\\033[31m\\377'; exit 2", OUTCOME_RETRY, "exit status 2: [31m?"},
	    {"/nonexistent/program 2>/dev/null", OUTCOME_RETRY, "exit status 127"},
	};
	for (size_t i = 0; i < N(rows); i++) {
		struct end end;
		run(rows[i].script, (struct duration){0}, &end);
		cr_expect_eq(end.outcome, rows[i].outcome, "%s: %s", rows[i].script, outcome_names[end.outcome]);
		cr_expect_str_eq(end.error, rows[i].error);
	}
}

Test(exec, keeps_the_end_of_the_output)
{
	struct end end;
	run("i=0; while [ $i -lt 20000 ]; do echo 'line '$i; i=$((i+1)); done; exit 1", (struct duration){0}, &end);
	cr_expect_eq(end.outcome, OUTCOME_RETRY);
	const char *tail = "line 19998 line 19999";
	size_t len = strlen(end.error);
	cr_expect(len > 4000 && len < 4200, "%zu bytes", len);
	cr_expect_str_eq(end.error + len - strlen(tail), tail);
}

/* What the program sees is checked by the program's own report. */
Test(exec, environment)
{
	struct end end;
	cr_assert_eq(setenv("SLATED_TEST_SECRET", "x", 1), 0);
	run("env | grep -v '^PWD=\\|^_=\\|^SHLVL=\\|^OLDPWD=' | sort; exit 1", (struct duration){0}, &end);
	cr_expect_str_eq(end.error, "exit status 1: LANG=C.UTF-8 PATH=/usr/bin:/bin SLATED_DELIVERY=k-1 "
	                            "SLATED_KIND=escalated SLATED_TICKET=T 7");
}

Test(exec, files)
{
	/* Without O_CLOEXEC, as a library may leave one. */
	int stray = open("/dev/null", O_RDONLY);
	cr_assert_geq(stray, 3);
	struct end end;
	run("for f in /proc/self/fd/*; do [ -e $f ] && printf '%s ' ${f##*/}; done; pwd; exit 1", (struct duration){0},
	    &end);
	cr_expect_str_eq(end.error, "exit status 1: 0 1 2 /");
	close(stray);
}

Test(exec, signals_are_default)
{
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	signal(SIGPIPE, SIG_IGN);
	struct end end;
	run("grep '^Sig\\(Blk\\|Ign\\)' /proc/self/status; exit 1", (struct duration){0}, &end);
	unsigned long long blocked_bits, ignored_bits;
	cr_assert_eq(sscanf(end.error, "exit status 1: SigBlk: %llx SigIgn: %llx", &blocked_bits, &ignored_bits), 2);
	/* glibc has its own two, 32 and 33, ignored. */
	cr_expect(blocked_bits == 0 && (ignored_bits & 0x7fffffff) == 0, "%s", end.error);
}

Test(exec, input)
{
	struct end end;
	run("cat; exit 1", (struct duration){0}, &end);
	const char *head = "exit status 1: ";
	cr_assert_eq(strncmp(end.error, head, strlen(head)), 0);
	json_t *event = json_loads(end.error + strlen(head), 0, NULL);
	cr_assert(event, "%s", end.error);
	static const struct {
		const char *name, *value;
	} rows[] = {
	    {"specversion", "1.0"},
	    {"id", "k-1"},
	    {"source", "/slated/test%201"},
	    {"type", "io.slated.escalated.v1"},
	    {"subject", "T 7"},
	    {"time", "2026-01-01T00:00:00Z"},
	    {"datacontenttype", "application/json"},
	};
	for (size_t i = 0; i < N(rows); i++)
		cr_expect_str_eq(json_string_value(json_object_get(event, rows[i].name)), rows[i].value);
	cr_expect_eq(json_object_size(event), N(rows) + 1);
	cr_expect(strstr(end.error, "\"data\":{\"late_by\": 0.10}"), "the payload's own text: %s", end.error);
	json_decref(event);
}

Test(exec, large_input_that_nobody_reads)
{
	struct world world = world_new();
	struct channel *channel = shell_channel(&world, "exit 0", (struct duration){0});
	size_t size = 4 * 1024 * 1024;
	char *payload = malloc(size + 16);
	cr_assert(payload);
	strcpy(payload, "{\"a\":\"");
	memset(payload + 6, 'x', size);
	strcpy(payload + 6 + size, "\"}");
	struct delivery large = delivery;
	large.payload = payload;
	struct end end = {0};
	struct channel_attempt *attempt;
	cr_assert_eq(channel_send(channel, &large, on_done, &end, &attempt), 0);
	free(payload);
	world_wait(&world, &end.ended);
	cr_expect_eq(end.outcome, OUTCOME_DELIVERED);
	channel_close(channel);
	world_free(&world);
}

/* The program's own child is of its group and ends with it: both write to a pipe that then comes to its end. */
Test(exec, time_limit_ends_the_group, .timeout = 30)
{
	static const char *const scripts[] = {
	    "sleep 60 & sleep 60",                                 /* SIGTERM does */
	    "trap '' TERM; sleep 60 & while :; do sleep 60; done", /* SIGKILL does */
	    "(trap '' TERM; sleep 60) & sleep 60",                 /* the leader goes, its child would stay */
	};
	for (size_t i = 0; i < N(scripts); i++) {
		int ends[2];
		cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
		char script[256];
		/* A named way to the pipe, since the program inherits no file. */
		snprintf(script, sizeof(script), "exec 9>/proc/%d/fd/%d; echo said; %s", (int)getpid(), ends[1],
		         scripts[i]);
		struct end end;
		run(script, (struct duration){US_PER_S / 2}, &end);
		cr_expect_eq(end.outcome, OUTCOME_RETRY);
		cr_expect_str_eq(end.error, "timed out after 0.5 s: said");
		close(ends[1]);
		char c;
		cr_expect_eq(read(ends[0], &c, 1), 0, "%s: somebody still holds the pipe", scripts[i]);
		close(ends[0]);
	}
}

/* A program that leaves a child in the background has ended all the same. */
Test(exec, background_child_is_not_waited_for, .timeout = 30)
{
	struct end end;
	run("sleep 3 & exit 0", (struct duration){0}, &end);
	cr_expect_eq(end.outcome, OUTCOME_DELIVERED);
}

Test(exec, several_at_once, .timeout = 30)
{
	enum { COUNT = 20 };
	struct world world = world_new();
	/* Each waits for a byte that comes only when all are there. */
	int ends[2];
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	char script[128];
	snprintf(script, sizeof(script), "exec </proc/%d/fd/%d; head -c 1 >/dev/null; exit 0", (int)getpid(), ends[0]);
	struct channel *channel = shell_channel(&world, script, (struct duration){0});
	struct end got[COUNT] = {0};
	for (size_t i = 0; i < COUNT; i++) {
		struct channel_attempt *attempt;
		cr_assert_eq(channel_send(channel, &delivery, on_done, &got[i], &attempt), 0);
	}
	cr_assert_eq(child_runner_count(world.children), COUNT);
	char bytes[COUNT] = {0};
	cr_assert_eq(write(ends[1], bytes, COUNT), COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		world_wait(&world, &got[i].ended);
		cr_expect_eq(got[i].outcome, OUTCOME_DELIVERED);
	}
	cr_expect_eq(child_runner_count(world.children), 0);
	close(ends[0]);
	close(ends[1]);
	channel_close(channel);
	world_free(&world);
}

Test(exec, cancel, .timeout = 30)
{
	struct world world = world_new();
	struct channel *channel =
	    shell_channel(&world, "trap '' TERM; while :; do sleep 60; done", (struct duration){0});
	struct end end = {0};
	struct channel_attempt *attempt;
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(channel_send(channel, &delivery, on_done, &end, &attempt), 0);
		channel_cancel(attempt);
	}
	cr_expect_eq(child_runner_count(world.children), 3);
	channel_close(channel);
	world_free(&world);
	cr_expect(!end.ended, "told of a cancelled attempt");
}

Test(exec, cannot_start)
{
	static const struct {
		const char *program;
		int error;
	} rows[] = {
	    {"/nonexistent/program", -ENOENT},
	    {"/etc/passwd", -EACCES},
	    {"/", -EACCES},
	};
	struct world world = world_new();
	for (size_t i = 0; i < N(rows); i++) {
		const char *const command[] = {rows[i].program, NULL};
		const struct channel_settings settings = {.name = "x", .type = CHANNEL_EXEC, .command = command};
		struct channel *channel;
		cr_assert_eq(channel_open(&settings, &world.context, &channel), 0);
		struct end end = {0};
		struct channel_attempt *attempt;
		cr_expect_eq(channel_send(channel, &delivery, on_done, &end, &attempt), rows[i].error, "%s",
		             rows[i].program);
		channel_close(channel);
	}
	cr_expect_eq(child_runner_count(world.children), 0);
	world_free(&world);
}

Test(exec, refuses)
{
	struct world world = world_new();
	struct channel *channel;
	const char *const empty[] = {NULL};
	const char *const relative[] = {"page", NULL};
	const struct channel_settings rows[] = {
	    {.name = "x", .type = CHANNEL_EXEC},
	    {.name = "x", .type = CHANNEL_EXEC, .command = empty},
	    {.name = "x", .type = CHANNEL_EXEC, .command = relative},
	};
	for (size_t i = 0; i < N(rows); i++)
		cr_expect_eq(channel_open(&rows[i], &world.context, &channel), -EINVAL, "row %zu", i);

	channel = shell_channel(&world, "exit 0", (struct duration){0});
	static const char *const payloads[] = {"", "[]", " [{}]", "\"a\"", "null"};
	for (size_t i = 0; i < N(payloads); i++) {
		struct delivery bad = delivery;
		struct channel_attempt *attempt;
		bad.payload = payloads[i];
		cr_expect_eq(channel_send(channel, &bad, on_done, NULL, &attempt), -EBADMSG, "%s", payloads[i]);
	}
	channel_close(channel);
	world_free(&world);
}
