/* Another command of slatectl, run on a terminal of its own that slatectl top reads. */
#ifndef SLATED_SLATECTL_TOP_CHILD_H
#define SLATED_SLATECTL_TOP_CHILD_H

#include <sys/types.h>

#include "command.h"
#include "slated/render.h"

struct top_child {
	pid_t pid; /* 0: none runs */
	int fd;
	int status; /* of exit, once it has ended; -1 where a signal ended it */
	struct text output;
};

/* Runs a command with arguments, argv[0] being its name, on `columns` columns. What a former one wrote is forgotten;
 * none may be running. 0 or a negative errno. */
int top_child_start(struct top_child *child, const struct command *command, int argc, char **argv, unsigned columns)
    __attribute__((warn_unused_result));

/* Takes what it wrote. True where it has ended. */
bool top_child_read(struct top_child *child);

/* Ends it, where it runs, and forgets what it wrote. */
void top_child_clear(struct top_child *child);

#endif
