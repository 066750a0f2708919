/* The wheel's timers up to its cursor: a splay tree (Sleator and Tarjan, JACM 1985), top-down, which needs no link to
 * the parent and takes a sorted list as it is for a tree of right children. Equal instants are in order of their
 * addresses.
 */
#ifndef SLATED_WHEEL_DUE_H
#define SLATED_WHEEL_DUE_H

#include <stddef.h>

#include "slated/wheel.h"

/* Not to be moved: the tree leads to `nil`. */
struct due {
	struct wheel_node *root;
	struct wheel_node nil; /* the leaves */
	size_t count;
};

static inline void *
link_get(const struct wheel_link *link)
{
	return (void *)(uintptr_t)((uint64_t)link->high << 32 | link->low);
}

static inline void
link_set(struct wheel_link *link, const void *target)
{
	uint64_t address = (uintptr_t)target;

	link->low = (uint32_t)address;
	link->high = (uint16_t)(address >> 32);
}

/* Makes a list in order, by `next`, the tree; NULL: an empty one. What was in it is forgotten. */
void due_take(struct due *due, struct wheel_node *list);

/* The same of a list in any order. */
void due_fill(struct due *due, struct wheel_node *list);

/* All, in order by `next`; the tree is empty then. */
struct wheel_node *due_list(struct due *due);

void due_insert(struct due *due, struct wheel_node *node);
void due_remove(struct due *due, struct wheel_node *node);

struct wheel_node *due_bring_first(struct due *due);

/* The earliest of a tree that is not empty; it becomes the root. */
static inline struct wheel_node *
due_first(struct due *due)
{
	return link_get(&due->root->left) == &due->nil ? due->root : due_bring_first(due);
}

/* Takes the earliest out, after due_first(). */
static inline void
due_pop(struct due *due)
{
	due->root = link_get(&due->root->right);
	due->count--;
}

/* Aborts where an invariant does not hold; the last one, or NULL. */
const struct wheel_node *due_check(const struct due *due);

#endif
