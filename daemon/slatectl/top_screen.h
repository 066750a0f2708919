/* What slatectl top draws, by ncurses. */
#ifndef SLATED_SLATECTL_TOP_SCREEN_H
#define SLATED_SLATECTL_TOP_SCREEN_H

#include <stddef.h>

struct top;

/* Takes the terminal. -ENOTTY where it is not of a kind that can be drawn on. */
int top_screen_begin(struct top *top) __attribute__((warn_unused_result));

/* Gives it back as it was. */
void top_screen_end(void);

void top_screen_draw(struct top *top);

/* How many rows of the list, or lines of a ticket, fit. */
size_t top_screen_page(const struct top *top);

#endif
