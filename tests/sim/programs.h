/* The programs that one daemon starts as hooks: child.h in simulated time. Whatever program it is, what it answers,
 * when and whether is left to chance. */
#ifndef SLATED_SIM_PROGRAMS_H
#define SLATED_SIM_PROGRAMS_H

#include "slated/child.h"
#include "world.h"

struct child_runner *programs_new(struct world *world);

#endif
