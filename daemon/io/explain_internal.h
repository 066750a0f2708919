/* What the parts of explanations share: explain.c finds out, explain_words.c and explain_promise.c say it,
 * explain_json.c writes it. */
#ifndef SLATED_IO_EXPLAIN_INTERNAL_H
#define SLATED_IO_EXPLAIN_INTERNAL_H

#include "slated/explain.h"
#include "slated/policy.h"
#include "slated/render.h"

/* Sentences of a clock that explain_new() has found out all about. 0 or -ENOMEM. */
int explain_tell(struct explain_clock *clock, const struct explain_source *source, const char *ticket)
    __attribute__((warn_unused_result));

/* Of a ticket without clocks, which gets `policy` (or NULL) of `config`. 0 or -ENOMEM. */
int explain_tell_none(struct explain_clock *none, const struct config *config, const struct policy *policy,
                      const char *ticket, const char *severity) __attribute__((warn_unused_result));

/* A new, empty sentence; a stand-in that fails where memory is out. And its end, with the full stop. */
struct text *explain_line_begin(struct explain_lines *lines);
void explain_line_end(struct explain_lines *lines, struct text *line);

/* "3h20m", "45s", "2h"; rounded to seconds. */
void explain_add_length(struct text *line, struct duration length);

/* Which policy it was, why those before it were not, and what its target promises. */
void explain_tell_policy(struct explain_lines *lines, const struct policy *policy);
void explain_tell_passed_over(struct explain_clock *clock);
void explain_tell_target(struct explain_lines *lines, const struct clock_row *row, const struct target *target);

void explain_lines_clear(struct explain_lines *lines);

/* The target of a row in a configuration, or NULL. */
const struct target *explain_target(const struct clock_row *row, const struct policy *policy);

#endif
