/* Events as JSON objects, one a line: model.md section 10. */
#ifndef SLATED_EVENT_JSON_H
#define SLATED_EVENT_JSON_H

#include "slated/engine.h"

struct event_line;

/* A reader that keeps what it allocates from line to line. 0 or -ENOMEM. */
int event_line_new(struct event_line **ret) __attribute__((warn_unused_result));
void event_line_free(struct event_line *line);

/* Reads one line (no newline needed). *ret_ticket and the texts of *ret_event live until the next call.
 * 0; -EINVAL with what is wrong in `problem`; -ENOMEM. */
int event_line_parse(struct event_line *line, const char *text, size_t len, const char **ret_ticket,
                     struct ticket_event *ret_event, char problem[static REFUSAL_SIZE])
    __attribute__((warn_unused_result));

#endif
