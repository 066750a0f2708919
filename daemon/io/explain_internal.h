/* What the parts of explanations share: explain.c finds out, explain_words.c says it, explain_json.c writes it. */
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

void explain_lines_clear(struct explain_lines *lines);

/* The target of a row in a configuration, or NULL. */
const struct target *explain_target(const struct clock_row *row, const struct policy *policy);

#endif
