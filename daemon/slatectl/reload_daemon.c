#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "config.h"
#include "db.h"
#include "reload_daemon.h"
#include "slated/config.h"

/* A daemon has its word every few seconds. */
#define ALIVE_WITHIN "15 seconds"
#define WAIT_S       30

static const char daemon_sql[] =
    "SELECT pid, version, clock_timestamp()::text FROM sla.instance WHERE name = $1 AND stopped_at IS NULL "
    "AND seen_at > clock_timestamp() - interval '" ALIVE_WITHIN "'";
static const char outcome_sql[] =
    "SELECT configuration, CASE WHEN last_error_at >= $2::timestamptz THEN last_error END FROM sla.instance "
    "WHERE name = $1 AND seen_at > $2::timestamptz";

/* The database tells of daemons on other hosts, too. */
static bool
is_here(int64_t pid)
{
	char path[64], name[32] = "";
	(void)snprintf(path, sizeof(path), "/proc/%" PRId64 "/comm", pid);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return false;
	bool read = fgets(name, sizeof(name), file) != NULL;
	(void)fclose(file); /* it was only read */
	return read && strcmp(name, "slated\n") == 0;
}

static int
send_signal(const PGresult *daemon, const char *name, bool migrate)
{
	int64_t pid = result_number(daemon, 0, 0);
	if (strcmp(result_text(daemon, 0, 1), PACKAGE_VERSION) != 0) {
		fprintf(stderr, "slatectl reload: the daemon is of version %s, this is %s: restart it instead\n",
		        result_text(daemon, 0, 1), PACKAGE_VERSION);
		return -EPROTO;
	}
	if (!is_here(pid)) {
		fprintf(stderr,
		        "slatectl reload: daemon \"%s\" has pid %" PRId64
		        ", which is no slated on this host: reload where it runs\n",
		        name, pid);
		return -ESRCH;
	}
	if (kill((pid_t)pid, migrate ? SIGUSR1 : SIGHUP) == 0)
		return 0;
	fprintf(stderr, "slatectl reload: pid %" PRId64 ": %s%s\n", pid, strerror(errno),
	        errno == EPERM ? "; root may tell it, and the user that it runs as" : "");
	return -EPERM;
}

/* 1: not yet. */
static int
look(const struct db *db, const struct config *config, const char *since)
{
	const char *const values[] = {config->instance, since};
	PGresult *rows = db_query(db, "the daemon's word", outcome_sql, 2, values);
	int r = 1;
	if (rows == NULL)
		return -EIO;
	if (PQntuples(rows) > 0 && result_text(rows, 0, 1) != NULL) {
		fprintf(stderr, "slatectl reload: %s\n", result_text(rows, 0, 1));
		r = -EINVAL;
	} else if (PQntuples(rows) > 0 && strcmp(result_text(rows, 0, 0), config->digest) == 0) {
		r = 0;
	}
	PQclear(rows);
	return r;
}

static int
wait_for_outcome(const struct db *db, const char *path, const struct config *config, const char *since)
{
	const struct timespec pause = {.tv_nsec = 100000000};
	int r = 1;
	for (int i = 0; r == 1 && i < WAIT_S * 10; i++) {
		(void)nanosleep(&pause, NULL);
		r = look(db, config, since);
	}
	if (r == 1) {
		fprintf(
		    stderr,
		    "slatectl reload: after %d s the daemon still has another configuration: is %s the file that it "
		    "reads? slatectl status and its log tell more\n",
		    WAIT_S, path);
		r = -ETIMEDOUT;
	}
	return r;
}

int
reload_daemon(const char *path, const char *conninfo, const struct config *config, bool migrate)
{
	struct db db;
	int r = db_open_to_change(path, conninfo, "sla_reader", &db);
	if (r < 0)
		return r;
	const char *const values[] = {config->instance};
	PGresult *daemon = db_query(&db, "the daemons", daemon_sql, 1, values);
	if (daemon == NULL) {
		r = -EIO;
	} else if (PQntuples(daemon) == 0) {
		fprintf(stderr,
		        "slatectl reload: no daemon \"%s\" is alive: slatectl status shows those that there are\n",
		        config->instance);
		r = -ESRCH;
	} else {
		r = send_signal(daemon, config->instance, migrate);
		if (r == 0)
			r = wait_for_outcome(&db, path, config, result_text(daemon, 0, 2));
	}
	if (r == 0)
		printf("reloaded; open clocks %s\n",
		       migrate || config->migrate ? "move to the new targets" : "keep their targets");
	PQclear(daemon);
	db_close(&db);
	return r;
}
