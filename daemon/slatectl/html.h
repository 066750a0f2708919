/* One HTML page that holds all it needs: no scripts, no fonts, pictures as SVG. It is made to be read on a screen,
 * printed and sent by mail. */
#ifndef SLATED_SLATECTL_HTML_H
#define SLATED_SLATECTL_HTML_H

#include <stdbool.h>
#include <stddef.h>

#include "slated/render.h"

/* The page's head with its title and a line below it; and its end with a last line. */
void html_begin(struct text *out, const char *title, const char *below);
void html_end(struct text *out, const char *last);

/* Text of others, made harmless in content and attributes. */
void html_add(struct text *out, const char *string);

/* <TAG>string</TAG>; `tag` may have attributes. */
void html_element(struct text *out, const char *tag, const char *string);

struct html_column {
	const char *name;
	bool right; /* numbers */
};

void html_table_begin(struct text *out, const struct html_column *columns, size_t n);
/* A row of as many cells; NULL: empty. */
void html_table_row(struct text *out, const struct html_column *columns, size_t n, const char *const *cells);
void html_table_end(struct text *out);

/* A large number with what it means. */
void html_figure(struct text *out, const char *number, const char *meaning, bool alert);

/* One place of a chart. */
struct html_place {
	char label[40]; /* below */
	char above[40];
	char above_second[40]; /* a line for the second value, each in its own colour; or "" */
	char hint[160]; /* the whole in words */
	double values[2];
};

enum html_chart {
	HTML_STACKED, /* the second value on top of the first; each place fills the whole height */
	HTML_BESIDE,  /* the two beside each other, on one scale */
};

/* A chart of columns. `names` are those of the two values; the second is NULL where there is only one. */
void html_chart(struct text *out, enum html_chart kind, const char *caption, const char *const names[static 2],
                const struct html_place *places, size_t n);

#endif
