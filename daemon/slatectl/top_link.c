#include "top_link.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"
#include "slated/text.h"
#include "status.h"

#define EVERY_US   (2 * US_PER_S)
#define ANSWER_US  (10 * US_PER_S) /* without an answer for so long, the connection is taken for lost */
#define SHARE_LOAD 10              /* reading takes at most one part in so many of the time */

enum link_state {
	LINK_IDLE,       /* until `next` */
	LINK_ASKING,     /* `part` is under way; given up at `next` */
	LINK_CONNECTING, /* the same */
	LINK_DOWN,       /* tries again at `next` */
};

struct top_link {
	PGconn *connection;
	enum link_state state;
	enum top_part part;
	PGresult *incoming[TOP_PARTS];
	PGresult *parts[TOP_PARTS];
	PostgresPollingStatusType polling;
	bool flushing; /* some of a question waits to be sent */
	bool failed;   /* `part` was answered with an error */
	struct instant begin;
	struct instant asked; /* when TOP_NOW was */
	struct instant read;  /* when all was read */
	struct instant next;
	int64_t offset; /* of the database's clock */
	char problem[160];
};

static void
clear_parts(PGresult *parts[static TOP_PARTS])
{
	for (int i = 0; i < TOP_PARTS; i++) {
		PQclear(parts[i]);
		parts[i] = NULL;
	}
}

/* Keeps the first line of libpq's or the server's message. */
static void
set_problem(struct top_link *link, const char *text)
{
	if (*text == '\0')
		text = "the connection was lost";
	(void)snprintf(link->problem, sizeof(link->problem), "%.*s", (int)strcspn(text, "\n"), text);
	(void)text_clean(link->problem, strlen(link->problem));
}

/* An error that the server told of last says more than that it went. */
static void
go_down(struct top_link *link, struct instant now, const char *problem)
{
	clear_parts(link->incoming);
	if (!link->failed)
		set_problem(link, problem);
	link->failed = false;
	link->state = LINK_DOWN;
	link->next = (struct instant){now.us + EVERY_US};
}

static bool
send_part(struct top_link *link, struct instant now)
{
	char instant[24];
	int sent = 0;
	(void)snprintf(instant, sizeof(instant), "%" PRId64, top_link_database_now(link, now).us);
	const char *const values[CLOCK_LIST_PARAMS] = {[CLOCK_LIST_NOW] = instant};
	switch (link->part) {
	case TOP_NOW:
		link->asked = now;
		sent = PQsendQueryParams(link->connection, "SELECT " RESULT_US("clock_timestamp()"), 0, NULL, NULL,
		                         NULL, NULL, 0);
		break;
	case TOP_INSTANCES:
		sent = PQsendQueryParams(link->connection, status_instances_sql, 0, NULL, NULL, NULL, NULL, 0);
		break;
	case TOP_TOTALS:
		sent = PQsendQueryParams(link->connection, status_totals_sql, 0, NULL, NULL, NULL, NULL, 0);
		break;
	default:
		sent =
		    PQsendQueryParams(link->connection, clock_list_sql, CLOCK_LIST_PARAMS, NULL, values, NULL, NULL, 0);
	}
	link->flushing = sent == 1;
	link->next = (struct instant){now.us + ANSWER_US};
	return sent == 1;
}

/* The database's time lies between asking and hearing. */
static void
take_now(struct top_link *link, struct instant now)
{
	int64_t middle = link->asked.us + (now.us - link->asked.us) / 2;
	link->offset = result_instant(link->incoming[TOP_NOW], 0, 0).us - middle;
}

static void
take_all(struct top_link *link, struct instant now)
{
	int64_t took = now.us - link->begin.us;
	clear_parts(link->parts);
	memcpy(link->parts, link->incoming, sizeof(link->parts));
	memset(link->incoming, 0, sizeof(link->incoming));
	link->problem[0] = '\0';
	link->read = now;
	link->state = LINK_IDLE;
	link->next = (struct instant){link->begin.us + (took * SHARE_LOAD > EVERY_US ? took * SHARE_LOAD : EVERY_US)};
}

static void
take_result(struct top_link *link, PGresult *result)
{
	if (PQresultStatus(result) == PGRES_TUPLES_OK && link->incoming[link->part] == NULL) {
		link->incoming[link->part] = result;
		return;
	}
	set_problem(link, PQresultErrorMessage(result));
	link->failed = true;
	PQclear(result);
}

/* The answer to one question has ended. */
static bool
end_part(struct top_link *link, struct instant now)
{
	if (link->failed || link->incoming[link->part] == NULL) {
		clear_parts(link->incoming);
		link->failed = false;
		link->state = LINK_IDLE;
		link->next = (struct instant){now.us + EVERY_US};
		return true;
	}
	if (link->part == TOP_NOW)
		take_now(link, now);
	if (++link->part < TOP_PARTS) {
		if (!send_part(link, now))
			go_down(link, now, PQerrorMessage(link->connection));
		return link->state == LINK_DOWN;
	}
	take_all(link, now);
	return true;
}

static bool
work_asking(struct top_link *link, struct instant now)
{
	PGresult *result;
	if (link->flushing) {
		int left = PQflush(link->connection);
		link->flushing = left == 1;
		if (left < 0) {
			go_down(link, now, PQerrorMessage(link->connection));
			return true;
		}
	}
	if (PQconsumeInput(link->connection) == 0) {
		go_down(link, now, PQerrorMessage(link->connection));
		return true;
	}
	while (link->state == LINK_ASKING && PQisBusy(link->connection) == 0) {
		result = PQgetResult(link->connection);
		if (result != NULL)
			take_result(link, result);
		else if (PQstatus(link->connection) != CONNECTION_OK)
			go_down(link, now, PQerrorMessage(link->connection));
		else if (end_part(link, now))
			return true;
	}
	if (link->state == LINK_ASKING && !instant_before(now, link->next))
		go_down(link, now, "no answer from the database");
	return link->state == LINK_DOWN;
}

static bool
work_idle(struct top_link *link, struct instant now)
{
	if (PQconsumeInput(link->connection) == 0) {
		go_down(link, now, PQerrorMessage(link->connection));
		return true;
	}
	if (instant_before(now, link->next))
		return false;
	link->state = LINK_ASKING;
	link->part = TOP_NOW;
	link->begin = now;
	if (!send_part(link, now)) {
		go_down(link, now, PQerrorMessage(link->connection));
		return true;
	}
	return work_asking(link, now);
}

static bool
work_connecting(struct top_link *link, struct instant now, bool ready)
{
	if (ready)
		link->polling = PQresetPoll(link->connection);
	if (link->polling == PGRES_POLLING_OK) {
		(void)PQsetnonblocking(link->connection, 1);
		link->state = LINK_IDLE;
		link->next = now;
	} else if (link->polling == PGRES_POLLING_FAILED) {
		go_down(link, now, PQerrorMessage(link->connection));
		return true;
	} else if (!instant_before(now, link->next)) {
		go_down(link, now, "the database cannot be reached");
		return true;
	}
	return false;
}

bool
top_link_work(struct top_link *link, struct instant now, bool ready)
{
	bool news = false;
	if (link->state == LINK_DOWN && !instant_before(now, link->next)) {
		link->state = LINK_CONNECTING;
		link->next = (struct instant){now.us + ANSWER_US};
		link->polling = PGRES_POLLING_WRITING;
		if (PQresetStart(link->connection) == 0)
			go_down(link, now, PQerrorMessage(link->connection));
	} else if (link->state == LINK_CONNECTING) {
		news = work_connecting(link, now, ready);
	}
	if (link->state == LINK_IDLE)
		news |= work_idle(link, now);
	else if (link->state == LINK_ASKING)
		news |= work_asking(link, now);
	return news;
}

struct pollfd
top_link_pollfd(const struct top_link *link)
{
	struct pollfd fd = {.fd = -1, .events = POLLIN};
	if (link->state == LINK_DOWN)
		return fd;
	fd.fd = PQsocket(link->connection);
	if (link->state == LINK_CONNECTING)
		fd.events = link->polling == PGRES_POLLING_READING ? POLLIN : POLLOUT;
	else if (link->flushing)
		fd.events |= POLLOUT;
	return fd;
}

struct instant
top_link_next(const struct top_link *link)
{
	return link->next;
}

void
top_link_hurry(struct top_link *link)
{
	if (link->state == LINK_IDLE || link->state == LINK_DOWN)
		link->next = link->begin;
}

const PGresult *
top_link_part(const struct top_link *link, enum top_part part)
{
	return link->parts[part];
}

struct instant
top_link_database_now(const struct top_link *link, struct instant now)
{
	return (struct instant){now.us + link->offset};
}

const char *
top_link_problem(const struct top_link *link, struct instant *ret_since)
{
	if (link->problem[0] == '\0')
		return NULL;
	*ret_since = link->read;
	return link->problem;
}

int
top_link_new(const struct db *db, struct top_link **ret)
{
	struct top_link *link = calloc(1, sizeof(*link));
	if (link == NULL)
		return -ENOMEM;
	link->connection = db->connection;
	PQclear(PQexec(link->connection, "COMMIT"));
	(void)PQsetnonblocking(link->connection, 1);
	*ret = link;
	return 0;
}

void
top_link_free(struct top_link *link)
{
	if (link == NULL)
		return;
	clear_parts(link->incoming);
	clear_parts(link->parts);
	free(link);
}
