/* slatectl reload without --dry-run. */
#ifndef SLATED_SLATECTL_RELOAD_DAEMON_H
#define SLATED_SLATECTL_RELOAD_DAEMON_H

#include <stdbool.h>

struct config;

/* Tells the daemon that `config`, read from `path`, names to read it again, and with `migrate` to move its running
 * clocks; waits until it says that it has. `conninfo` as for db_open(). 0, or a negative errno after the reason went to
 * standard error. */
int reload_daemon(const char *path, const char *conninfo, const struct config *config, bool migrate)
    __attribute__((warn_unused_result));

#endif
