/* What the halves of inbound share: inbound.c has the way into the database and our own acknowledge, inbound_pager.c
 * PagerDuty's webhooks. */
#ifndef SLATED_INBOUND_INTERNAL_H
#define SLATED_INBOUND_INTERNAL_H

#include <stdbool.h>

#include "slated/http_server.h"
#include "slated/inbound.h"

#define NUMBER_SIZE 24

/* One acknowledgement on its way into the database. Texts are empty or NULL where they were not given. */
struct ask {
	struct http_call *call;
	bool pager;               /* PagerDuty, for whom an answer other than 2xx means that we are out of order */
	char ticket[NUMBER_SIZE]; /* or by source and external_id */
	char *source;
	char *external_id;
	char *by;
	char hold[NUMBER_SIZE]; /* microseconds */
	char *message_id;
	char origin[HTTP_ORIGIN_SIZE]; /* the address it came from, or pagerduty */
	char outcome[16];              /* what sla.acknowledge() said, once there is a row */
};

struct inbound {
	const struct config *config;
	struct desk *desk;
};

/* 200 for PagerDuty, with why nothing was done. */
void inbound_answer_pager(struct http_call *call, const char *note);

/* Takes the ask, and answers its call now or later. */
void inbound_put(struct inbound *inbound, struct ask *ask);
void ask_free(struct ask *ask);

/* "4711", a positive number as PostgreSQL's bigint has it. */
bool ticket_number_is_right(const char *text, size_t len);

/* One line, cut to what a name may have; `instead` where nothing is left. NULL without memory. */
char *ask_name(const char *text, const char *instead);

/* The route of PagerDuty's webhooks; `arg` is the inbound. */
void inbound_serve_pager(void *arg, struct http_call *call);

#endif
