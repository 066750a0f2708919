/* slatectl show --explain: why a ticket's clocks are as they are. */
#ifndef SLATED_SLATECTL_SHOW_EXPLAIN_H
#define SLATED_SLATECTL_SHOW_EXPLAIN_H

#include "report.h"

/* Prints it for the ticket of that id. 0, or a negative errno after a message. */
int show_explain(struct report *report, const char *id, bool json) __attribute__((warn_unused_result));

#endif
