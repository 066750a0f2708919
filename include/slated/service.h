/* The daemon: wires feed, engine, wheel, ledger and courier on one loop. Four connections: the feed reads events, the
 * ledger writes what came of them, much of it by two, the outbox carries deliveries. */
#ifndef SLATED_SERVICE_H
#define SLATED_SERVICE_H

struct service;

/* Reads the configuration at `path` and makes everything, in start order. Problems have been logged.
 * 0, -EINVAL for a configuration with errors, -ENOMEM and other negative errno. */
int service_new(const char *path, struct service **ret) __attribute__((warn_unused_result));

/* In mirrored order. Takes NULL. */
void service_free(struct service *service);

/* Runs until SIGTERM or SIGINT; SIGHUP reloads the configuration. Returns the exit status. */
int service_run(struct service *service);

#endif
