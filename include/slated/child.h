/* Programs started without a shell: input from memory, output kept, a time limit, several at once on the loop. */
#ifndef SLATED_CHILD_H
#define SLATED_CHILD_H

#include "slated/instant.h"

struct event_base;
struct child;
struct child_runner;

struct child_spec {
	const char *const *argv;        /* ends with NULL; argv[0] is a path, PATH is not searched */
	const char *const *environment; /* ends with NULL; all that the program gets */
	const void *input;              /* a file on its standard input that holds this */
	size_t n_input;
	size_t output_max;       /* of standard output and error together the last so many bytes are kept */
	bool errors_dropped;     /* of standard output alone; what it writes to standard error is lost */
	struct duration timeout; /* then its process group gets SIGTERM, and SIGKILL two seconds later */
};

struct child_result {
	int exit_status; /* of exit(3), or -1: ended by a signal */
	int signal;      /* 0 where it ended by itself */
	bool timed_out;
	const char *output; /* NUL-terminated, may hold NULs */
	size_t n_output;
};

/* Called once from the loop when the program has ended, whether or not others still hold its output open. */
typedef void child_done(void *arg, const struct child_result *result);

/* Takes SIGCHLD on `base` (borrowed), but reaps its own children only. One for a base. 0 or -ENOMEM. */
int child_runner_new(struct event_base *base, struct child_runner **ret) __attribute__((warn_unused_result));

/* Kills what still runs, with its process groups, and waits for it. Takes NULL. */
void child_runner_free(struct child_runner *runner);

/* Starts a program in the folder "/", in a process group of its own, with default signals and no files but its
 * standard ones. *ret is good for child_cancel() until `done` is called. 0, or what kept it from starting:
 * -ENOENT, -EACCES, -ENOEXEC, -E2BIG, -EAGAIN, -EMFILE, -ENOMEM, ... */
int child_start(struct child_runner *runner, const struct child_spec *spec, child_done *done, void *arg,
                struct child **ret) __attribute__((warn_unused_result));

/* Ends a program as its time limit would, without calling back. */
void child_cancel(struct child *child);

/* Programs not yet reaped, cancelled ones among them. */
size_t child_runner_count(const struct child_runner *runner);

#endif
