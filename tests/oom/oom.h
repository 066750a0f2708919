/* Allocations that fail by plan. A test is a run that is repeated: the first allocation fails, then the second, and so
 * on, until one goes through without a failure. */
#ifndef SLATED_TESTS_OOM_H
#define SLATED_TESTS_OOM_H

#include <stdbool.h>
#include <stddef.h>

enum oom_mode {
	OOM_ONCE,    /* that one alone: what is swallowed shows */
	OOM_LASTING, /* and all that follow: what failing itself needs memory for shows */
	OOM_MODES,
};
extern const char *const oom_mode_names[OOM_MODES];

/* From here on the nth allocation fails, the first being 1. */
void oom_begin(long nth, enum oom_mode mode);
/* From here on none does. Whether one has. */
bool oom_end(void);

/* Blocks that were allocated through here and not freed. */
size_t oom_blocks(void);

/* Whether the allocation that is asked for fails, for what stands in for one. */
bool oom_fails(void);

/* Says what was under way and aborts, where the condition does not hold. */
#define oom_demand(holds, what, nth) oom_demand_at((holds), #holds, (what), (nth), __FILE__, __LINE__)
void oom_demand_at(bool holds, const char *text, const char *what, long nth, const char *file, int line);

#endif
