#include "slated/child.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

/* Between SIGTERM and SIGKILL. */
#define GRACE_US (2 * US_PER_S)

struct child {
	LIST_ENTRY(child) link;
	struct child_runner *runner;
	pid_t pid;            /* its process group too */
	struct event *output; /* the pipe's reading end; NULL after its end */
	struct event *timer;
	child_done *done; /* NULL: cancelled */
	void *arg;
	bool timed_out;
	size_t output_max;
	size_t n_text;
	char text[]; /* twice output_max, so that the oldest half is dropped only now and then, and a NUL */
};

struct child_runner {
	struct event_base *base;
	struct event *sigchld;
	LIST_HEAD(, child) children;
	size_t count;
};

static void
timer_set(struct event *timer, int64_t us)
{
	struct timeval wait = {.tv_sec = us / US_PER_S, .tv_usec = us % US_PER_S};
	int r = event_add(timer, &wait);
	assert(r == 0);
}

/* The process group is there until its leader, at least a zombie, is reaped. */
static void
child_signal(struct child *child, int signal)
{
	(void)kill(-child->pid, signal);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct child *child = arg;
	if (child->timed_out || !child->done) {
		child_signal(child, SIGKILL);
		return;
	}
	child->timed_out = true;
	child_signal(child, SIGTERM);
	timer_set(child->timer, GRACE_US);
}

static void
child_close_output(struct child *child)
{
	if (!child->output)
		return;
	int fd = event_get_fd(child->output);
	event_free(child->output);
	child->output = NULL;
	(void)close(fd); /* a pipe's reading end has nothing to lose */
}

/* Reads once. False where there is nothing more for now. */
static bool
child_read(struct child *child)
{
	size_t size = 2 * child->output_max;
	if (child->n_text == size) {
		memmove(child->text, child->text + child->output_max, child->output_max);
		child->n_text = child->output_max;
	}
	ssize_t n = read(event_get_fd(child->output), child->text + child->n_text, size - child->n_text);
	if (n > 0) {
		child->n_text += (size_t)n;
		return true;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	child_close_output(child);
	return false;
}

static void
on_output(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)child_read(arg);
}

static void
child_free(struct child *child)
{
	LIST_REMOVE(child, link);
	child->runner->count--;
	child_close_output(child);
	event_free(child->timer);
	free(child);
}

/* `child` has ended and is reaped. */
static void
child_finish(struct child *child, const siginfo_t *info)
{
	/* What it wrote before it ended lies in the pipe. As much as a pipe may hold is read, not to follow a
	 * grandchild that writes on and on. */
	for (size_t left = 1024 * 1024 / child->output_max + 1; left > 0 && child->output; left--)
		if (!child_read(child))
			break;
	size_t n = child->n_text < child->output_max ? child->n_text : child->output_max;
	child->text[child->n_text] = '\0';
	struct child_result result = {
	    .exit_status = info->si_code == CLD_EXITED ? info->si_status : -1,
	    .signal = info->si_code == CLD_EXITED ? 0 : info->si_status,
	    .timed_out = child->timed_out,
	    .output = child->text + child->n_text - n,
	    .n_output = n,
	};
	if (child->done)
		child->done(child->arg, &result);
	child_free(child);
}

/* Reaps `child` if it has ended. A group that was to end is killed while its leader still holds the number. */
static bool
child_reap(struct child *child, int flags, siginfo_t *ret_info)
{
	siginfo_t info = {0};
	int r = waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT | flags);
	assert(r == 0 || errno == EINTR);
	if (info.si_pid == 0)
		return false;
	if (child->timed_out || !child->done)
		child_signal(child, SIGKILL);
	r = waitid(P_PID, (id_t)child->pid, ret_info, WEXITED | WNOHANG);
	assert(r == 0);
	return true;
}

static void
on_sigchld(evutil_socket_t signal, short what, void *arg)
{
	(void)signal;
	(void)what;
	struct child_runner *runner = arg;
	/* From the head again after each, since the callback may start and cancel others. */
	for (struct child *child = LIST_FIRST(&runner->children); child;) {
		siginfo_t info = {0};
		if (child_reap(child, WNOHANG, &info)) {
			child_finish(child, &info);
			child = LIST_FIRST(&runner->children);
		} else {
			child = LIST_NEXT(child, link);
		}
	}
}

int
child_runner_new(struct event_base *base, struct child_runner **ret)
{
	struct child_runner *runner = calloc(1, sizeof(*runner));
	if (!runner)
		return -ENOMEM;
	runner->base = base;
	LIST_INIT(&runner->children);
	runner->sigchld = evsignal_new(base, SIGCHLD, on_sigchld, runner);
	if (!runner->sigchld || event_add(runner->sigchld, NULL) < 0) {
		if (runner->sigchld)
			event_free(runner->sigchld);
		free(runner);
		return -ENOMEM;
	}
	*ret = runner;
	return 0;
}

void
child_runner_free(struct child_runner *runner)
{
	if (!runner)
		return;
	struct child *child;
	while ((child = LIST_FIRST(&runner->children))) {
		siginfo_t info = {0};
		child->done = NULL;
		child_signal(child, SIGKILL);
		while (!child_reap(child, 0, &info))
			;
		child_free(child);
	}
	event_free(runner->sigchld);
	free(runner);
}

/* A file in memory, at its beginning, so that a program of any manners can read it and nobody waits for it to. */
static int
input_open(const struct child_spec *spec)
{
	int fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	const char *rest = spec->input;
	for (size_t left = spec->n_input; left > 0;) {
		ssize_t n = write(fd, rest, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int r = -errno;
			(void)close(fd);
			return r;
		}
		rest += n;
		left -= (size_t)n;
	}
	if (lseek(fd, 0, SEEK_SET) < 0) {
		int r = -errno;
		(void)close(fd);
		return r;
	}
	return fd;
}

static int
attributes_set(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	int r = posix_spawnattr_setflags(attributes,
	                                 POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (r == 0)
		r = posix_spawnattr_setpgroup(attributes, 0);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attributes, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attributes, &all);
	return r;
}

static int
files_set(posix_spawn_file_actions_t *files, int input, int output, bool errors_dropped)
{
	int r = posix_spawn_file_actions_adddup2(files, input, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(files, output, STDOUT_FILENO);
	if (r == 0 && errors_dropped)
		r = posix_spawn_file_actions_addopen(files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	else if (r == 0)
		r = posix_spawn_file_actions_adddup2(files, output, STDERR_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
	if (r == 0)
		r = posix_spawn_file_actions_addchdir_np(files, "/");
	return r;
}

static int
spawn(const struct child_spec *spec, int input, int output, pid_t *ret)
{
	/* A daemon started with its standard files closed would overwrite here what is still to be copied. */
	if (input <= STDERR_FILENO || output <= STDERR_FILENO)
		return -EBADF;
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_t files;
	int r = posix_spawnattr_init(&attributes);
	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_init(&files);
	if (r != 0) {
		(void)posix_spawnattr_destroy(&attributes);
		return -r;
	}
	r = attributes_set(&attributes);
	if (r == 0)
		r = files_set(&files, input, output, spec->errors_dropped);
	/* posix_spawn(3) lacks const by C's rules alone; it changes neither. */
	union {
		const char *const *given;
		char *const *taken;
	} argv = {spec->argv}, environment = {spec->environment};
	if (r == 0)
		r = posix_spawn(ret, spec->argv[0], &files, &attributes, argv.taken, environment.taken);
	(void)posix_spawn_file_actions_destroy(&files);
	(void)posix_spawnattr_destroy(&attributes);
	return -r;
}

/* A child that is not running yet. It owns `fd`, which its output comes from, unless this fails. */
static int
child_new(struct child_runner *runner, const struct child_spec *spec, int fd, struct child **ret)
{
	struct child *child = calloc(1, sizeof(*child) + 2 * spec->output_max + 1);
	if (!child)
		return -ENOMEM;
	child->runner = runner;
	child->output_max = spec->output_max;
	child->output = event_new(runner->base, fd, EV_READ | EV_PERSIST, on_output, child);
	child->timer = evtimer_new(runner->base, on_time, child);
	if (!child->output || !child->timer || event_add(child->output, NULL) < 0) {
		if (child->output)
			event_free(child->output);
		if (child->timer)
			event_free(child->timer);
		free(child);
		return -ENOMEM;
	}
	LIST_INSERT_HEAD(&runner->children, child, link);
	runner->count++;
	*ret = child;
	return 0;
}

/* A pipe of which only the reading end does not block. */
static int
output_open(int ret_ends[static 2])
{
	if (pipe2(ret_ends, O_CLOEXEC) < 0)
		return -errno;
	if (fcntl(ret_ends[0], F_SETFL, O_NONBLOCK) == 0)
		return 0;
	int r = -errno;
	(void)close(ret_ends[0]);
	(void)close(ret_ends[1]);
	return r;
}

int
child_start(struct child_runner *runner, const struct child_spec *spec, child_done *done, void *arg, struct child **ret)
{
	assert(spec->output_max > 0 && spec->timeout.us > 0 && done);
	int input = input_open(spec);
	if (input < 0)
		return input;
	int ends[2];
	int r = output_open(ends);
	if (r < 0)
		goto close_input;
	struct child *child;
	r = child_new(runner, spec, ends[0], &child);
	if (r < 0) {
		(void)close(ends[0]);
		goto close_output;
	}
	r = spawn(spec, input, ends[1], &child->pid);
	if (r < 0) {
		child_free(child);
		goto close_output;
	}
	child->done = done;
	child->arg = arg;
	timer_set(child->timer, spec->timeout.us);
	*ret = child;
close_output:
	(void)close(ends[1]);
close_input:
	(void)close(input);
	return r;
}

void
child_cancel(struct child *child)
{
	child->done = NULL;
	child_signal(child, SIGTERM);
	timer_set(child->timer, GRACE_US);
}

size_t
child_runner_count(const struct child_runner *runner)
{
	return runner->count;
}
