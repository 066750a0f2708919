/* How slatectl shows things to people: local time, lengths of time, bars, colours. */
#ifndef SLATED_SLATECTL_VIEW_H
#define SLATED_SLATECTL_VIEW_H

#include "slated/instant.h"
#include "slated/jsonw.h"

/* Escape sequences (ECMA-48, SGR); a terminal's own palette decides the shades. */
#define VIEW_RED    "\033[31m"
#define VIEW_GREEN  "\033[32m"
#define VIEW_YELLOW "\033[33m"
#define VIEW_BLUE   "\033[34m"
#define VIEW_BOLD   "\033[1m"
#define VIEW_DIM    "\033[2m"
#define VIEW_END    "\033[0m"

enum view_color {
	VIEW_COLOR_AUTO, /* on a terminal, unless NO_COLOR is set (no-color.org) */
	VIEW_COLOR_ALWAYS,
	VIEW_COLOR_NEVER,
	VIEW_COLOR_COUNT,
};

extern const char *const view_color_names[VIEW_COLOR_COUNT];

struct view {
	struct instant now;
	bool colors;
	bool utf8;      /* else ASCII takes the place of bars and dots */
	unsigned width; /* of the terminal; 0: none, nothing is cut */
};

/* Looks at standard output and the locale. */
void view_init(struct view *view, enum view_color color, struct instant now);

#define VIEW_TEXT_SIZE 80

/* "45s", "35m", "2h05m", "3d04h", "120d"; rounded down. */
void view_length(struct duration length, char text[static VIEW_TEXT_SIZE]);

/* "in 2h05m", "3m ago", "now". INSTANT_NEVER gives "". */
void view_relative(const struct view *view, struct instant at, char text[static VIEW_TEXT_SIZE]);

/* "2026-03-02 09:00:05 CET"; INSTANT_NEVER gives "". */
void view_instant(struct instant at, char text[static VIEW_TEXT_SIZE]);

/* To the minute: "14:05 CET" today, else "Mon 2 Mar 14:05 CET", in other years "2027-03-02 14:05 CET". */
void view_short_instant(const struct view *view, struct instant at, char text[static VIEW_TEXT_SIZE]);

/* A bar of ten cells, for a share from 0 to 1. */
void view_bar(const struct view *view, double share, char text[static VIEW_TEXT_SIZE]);

/* "25%", "250%"; "~25%" where it is an estimate, ">999%" for ten times or more. */
void view_share(double share, bool rough, char text[static VIEW_TEXT_SIZE]);

/* `color` (a VIEW_ sequence), or "" where there are no colours. */
const char *view_paint(const struct view *view, const char *color);

/* How many columns of a terminal `len` bytes take. */
unsigned view_width(const char *text, size_t len);

/* Prints `lead` and `text` in `color` (NULL: none), and empties `text`. Its characters are made fit for one line, which
 * is broken between words where it is longer than the terminal is wide; what follows stands below its beginning. */
void view_print(const struct view *view, const char *lead, const char *color, struct text *text);

/* Writes the text as one line to standard output and empties it. 0, or -ENOMEM after a message. */
int view_print_json(struct jsonw *json) __attribute__((warn_unused_result));

#endif
