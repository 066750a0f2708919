#include "top_child.h"

#include <errno.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* In the child: what was set up for the screen is undone. It leaves without exit(), which would end the screen, too. */
static void __attribute__((noreturn)) run(const struct command *command, int argc, char **argv)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
	sigset_t none;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)signal(signals[i], SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	int status = command_run(command, argc, argv);
	(void)fflush(stdout);
	_exit(status);
}

int
top_child_start(struct top_child *child, const struct command *command, int argc, char **argv, unsigned columns)
{
	struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};
	struct termios plain = {.c_cflag = CS8};
	child->output.len = 0;
	(void)fflush(stdout);
	pid_t pid = forkpty(&child->fd, NULL, &plain, &size);
	if (pid < 0)
		return -errno;
	if (pid == 0)
		run(command, argc, argv);
	child->pid = pid;
	return 0;
}

static void
reap(struct top_child *child)
{
	int status = 0;
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	(void)close(child->fd);
	child->pid = 0;
	child->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A terminal whose other side is closed gives EIO. */
bool
top_child_read(struct top_child *child)
{
	char part[4096];
	ssize_t n = read(child->fd, part, sizeof(part));
	if (n > 0) {
		text_add(&child->output, part, (size_t)n);
		return false;
	}
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return false;
	reap(child);
	return true;
}

void
top_child_clear(struct top_child *child)
{
	if (child->pid != 0) {
		(void)kill(child->pid, SIGKILL);
		reap(child);
	}
	free(child->output.data);
	child->output = (struct text){0};
}
