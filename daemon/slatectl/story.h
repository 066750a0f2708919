/* What happened to one ticket, told in sentences or as JSON: milestones, events, and severities set by rules. */
#ifndef SLATED_SLATECTL_STORY_H
#define SLATED_SLATECTL_STORY_H

#include "db.h"
#include "jsonw.h"
#include "view.h"

/* One list of rows of a ticket: its query takes the ticket's id. */
struct story {
	const char *key;   /* in JSON */
	const char *title; /* for people */
	const char *sql;
	/* The sentence of a row; gives the colour or NULL. The row's first column is its instant. */
	const char *(*tell)(const PGresult *rows, int row, struct text *text);
	/* The members of a row's object, but for "at". */
	void (*write)(struct jsonw *json, const PGresult *rows, int row);
};

extern const struct story story_milestones;
extern const struct story story_events;
extern const struct story story_reassessments;

#endif
