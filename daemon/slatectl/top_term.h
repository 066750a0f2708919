/* Whether TERM names a terminal that can be drawn on. */
#ifndef SLATED_SLATECTL_TOP_TERM_H
#define SLATED_SLATECTL_TOP_TERM_H

#include <stdbool.h>

bool top_term_is_known(void);

#endif
