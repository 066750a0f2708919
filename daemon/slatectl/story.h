/* What happened to one ticket, told in sentences: milestones, events, and severities set by rules. */
#ifndef SLATED_SLATECTL_STORY_H
#define SLATED_SLATECTL_STORY_H

#include "slated/story_row.h"
#include "view.h"

struct story {
	const struct story_rows *rows;
	const char *title;
	/* The sentence of a row; gives the colour or NULL. */
	const char *(*tell)(const PGresult *rows, int row, struct text *text);
};

extern const struct story story_milestones;
extern const struct story story_events;
extern const struct story story_reassessments;

#endif
