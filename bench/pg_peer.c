/* Clients of PostgreSQL that the daemon is measured beside. Times come out in seconds.
 *
 *   pg_peer CONNINFO discard QUERY   COPY in binary; the rows are thrown away. Prints rows and time.
 *   pg_peer CONNINFO listen N        sends N notifications on one connection. Prints the median and the 99th percentile
 *                                    of the time until they are there on another.
 *   pg_peer CONNINFO poll UNTIL      sleeps until min(due_at) of public.job, a second at most, and marks those that are
 *                                    due as fired, until there are UNTIL. */
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "timing.h"

static PGconn *
connect_to(const char *conninfo)
{
	PGconn *conn = PQconnectdb(conninfo);
	if (PQstatus(conn) != CONNECTION_OK) {
		(void)fprintf(stderr, "%s", PQerrorMessage(conn));
		exit(1);
	}
	return conn;
}

static PGresult *
run(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_COPY_OUT) {
		(void)fprintf(stderr, "%s", PQerrorMessage(conn));
		exit(1);
	}
	return result;
}

static void
discard(PGconn *conn, const char *sql)
{
	double begin = wall_s();
	long rows = 0;
	char *row;
	PQclear(run(conn, sql));
	while (PQgetCopyData(conn, &row, 0) > 0) {
		rows++;
		PQfreemem(row);
	}
	PQclear(PQgetResult(conn));
	printf("%ld %.6f\n", rows - 1, wall_s() - begin); /* the last one is the trailer */
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void
listen_to(PGconn *conn, PGconn *sender, int n)
{
	double *took = calloc((size_t)n, sizeof(*took));
	PGnotify *notify;
	if (took == NULL)
		exit(1);
	PQclear(run(conn, "LISTEN bench"));
	for (int i = 0; i < n; i++) {
		double begin = wall_s();
		if (PQsendQuery(sender, "NOTIFY bench") == 0)
			exit(1);
		while ((notify = PQnotifies(conn)) == NULL) {
			struct pollfd fd = {.fd = PQsocket(conn), .events = POLLIN};
			(void)poll(&fd, 1, 1000);
			(void)PQconsumeInput(conn);
		}
		took[i] = wall_s() - begin;
		PQfreemem(notify);
		for (PGresult *result; (result = PQgetResult(sender)) != NULL;)
			PQclear(result);
	}
	qsort(took, (size_t)n, sizeof(*took), compare);
	printf("%.6f %.6f\n", took[n / 2], took[n * 99 / 100]);
	free(took);
}

/* The dozen lines that one would write instead. */
static void
poll_jobs(PGconn *conn, long until)
{
	for (long fired = 0; fired < until;) {
		PGresult *result = run(conn, "SELECT greatest(extract(epoch FROM min(due_at) - clock_timestamp()), 0) "
		                             "FROM public.job WHERE NOT fired");
		double wait = PQgetisnull(result, 0, 0) ? 1 : strtod(PQgetvalue(result, 0, 0), NULL);
		PQclear(result);
		if (wait > 1)
			wait = 1;
		struct timespec pause = {(time_t)wait, (long)((wait - (double)(time_t)wait) * 1e9)};
		(void)nanosleep(&pause, NULL);
		result =
		    run(conn, "UPDATE public.job SET fired = true WHERE NOT fired AND due_at <= clock_timestamp()");
		fired += strtol(PQcmdTuples(result), NULL, 10);
		PQclear(result);
	}
	printf("%.6f\n", wall_s());
}

int
main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	PGconn *conn = connect_to(argv[1]);
	if (strcmp(argv[2], "discard") == 0) {
		discard(conn, argv[3]);
	} else if (strcmp(argv[2], "listen") == 0) {
		PGconn *sender = connect_to(argv[1]);
		listen_to(conn, sender, (int)strtol(argv[3], NULL, 10));
		PQfinish(sender);
	} else {
		poll_jobs(conn, strtol(argv[3], NULL, 10));
	}
	PQfinish(conn);
	return 0;
}
