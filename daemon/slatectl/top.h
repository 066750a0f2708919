/* What the parts of slatectl top share. */
#ifndef SLATED_SLATECTL_TOP_H
#define SLATED_SLATECTL_TOP_H

#include "report.h"
#include "top_child.h"
#include "top_link.h"
#include "top_rows.h"

/* What is being asked at the bottom. */
enum top_prompt {
	TOP_PROMPT_NONE,
	TOP_PROMPT_FILTER,
	TOP_PROMPT_ACK,
};

/* A ticket by itself: its row may go, or another be selected. */
struct top_ticket {
	char id[24];    /* "#1" */
	char *external; /* its name, or NULL */
	char *source;   /* of that name */
};

struct top {
	struct report report;
	struct view view;   /* its instant is the database's at this moment */
	struct instant now; /* the same by the monotonic clock */
	struct top_link *link;
	struct top_rows rows;
	size_t first; /* of the rows that are on the screen */
	enum top_prompt prompt;
	bool shows_ticket;
	struct top_child ticket;  /* slatectl show */
	struct top_child ack;     /* slatectl ack */
	size_t line;              /* the ticket's first that is on the screen */
	struct top_ticket chosen; /* is shown, or asked about */
	char message[160];        /* at the bottom, until the next key */
};

#endif
