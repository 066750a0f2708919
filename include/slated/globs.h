/* What glob patterns fit together: for a list of patterns, an example text for each choice of them that some text fits,
 * it and no others. */
#ifndef SLATED_GLOBS_H
#define SLATED_GLOBS_H

#include <stddef.h>

/* Given a text; what is negative ends the search with it. */
typedef int globs_use(void *arg, const char *text);

/* Calls `use` with a shortest text for every set of the patterns that some text fits exactly. 0; -E2BIG where there
 * were more cases than are looked at, after `use` has had those before; -ENOMEM; what `use` returned. */
int globs_each(const char *const *patterns, size_t n, globs_use *use, void *arg) __attribute__((warn_unused_result));

#endif
