/* The timers after the cursor lie in slots, those up to it in a tree:
 *
 *    instants  ------------------------- cursor --------------------------------------------------------------->
 *
 *              due: a tree in exact order       level 0         level 1              level 2       ...  level 4
 *                        o                     |.|#|.|#|...|   |...|##|...|###|..|   |..|####|..|       |.|#|..|
 *                      /   \                      |   |             |      |               |              |
 *                     o     o                     o   o             o      o               o              o
 *                      \                          |                 |      |               |
 *                       o                         o                 o      o               o
 *
 * An instant is cut into digits: the lowest GRAIN bits stay within a slot of level 0 (a unit, 16.8 s), each further
 * DIGIT bits choose one of a level's SLOTS. A timer lies on the level of the highest digit in which its unit differs
 * from the cursor's, in the slot of that digit. So the levels are in order, and so are the slots within a level; all
 * 64 bits have a level, and no instant lies beyond the horizon. A bit in `map` says that a slot may hold timers (it
 * stays set when the last one is taken out), one in `busy` that a level has such a slot. A slot is CHAINS lists.
 *
 * The tree is empty when the cursor moves to the first slot in use: the timers of the cursor's new unit become the
 * tree, in order, and the others of that slot are filed on lower levels. Each timer is thus handled at most once a
 * level, and sorted only among its own unit. As the cursor may be ahead of the present (the next instant is known
 * exactly), a timer may be set before it, and goes straight into the tree; when many are, the cursor goes back.
 *
 * A timer moved later stays where it is until the cursor comes to its slot: moving a deadline on is one store.
 *
 * The tree is a splay tree (Sleator and Tarjan, JACM 1985), top-down, which needs no link to the parent and takes a
 * sorted list as it is for a tree of right children. Equal instants are in order of their addresses.
 *
 * Timers are linked by addresses of 48 bits, so that one takes 20 bytes. */
#include "slated/wheel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GRAIN  24
#define DIGIT  8
#define LEVELS 5
#define SLOTS  (1u << DIGIT)
#define WORDS  (SLOTS / 64)

/* Heads of chains in a slot, a cache line. Its timers are dealt to them in turn: emptying a slot waits for memory at
 * each step along a chain, so it goes along all chains at once. */
#define CHAINS 8

static_assert(GRAIN + DIGIT * LEVELS == 64, "the levels cover every instant");
static_assert(sizeof(struct wheel_node) <= 20, "memory per timer");

/* With fewer timers the tree is as fast as the slots. */
#define REWIND_MIN 64

/* Eight bytes apart, and the slots at the wheel's start: its address and an index are the chain's address then, without
 * further steps, which an insert shows. */
struct chain {
	_Alignas(8) struct wheel_link first;
};

struct slot {
	_Alignas(CHAINS * sizeof(struct chain)) struct chain chain[CHAINS];
};

struct wheel {
	struct slot slot[LEVELS * SLOTS]; /* level by level */

	uint64_t cursor;  /* a unit: timers up to it are in `due`, later ones in slots */
	uint64_t present; /* the unit of present_us */
	int64_t present_us;
	size_t count;
	size_t due_count;
	size_t early_count; /* how many were set ahead of the present, yet into `due`, since the cursor moved */
	struct wheel_node *due;
	struct wheel_node nil; /* the tree's leaves */
	uint32_t busy;
	uint64_t map[LEVELS * WORDS];
	unsigned turn; /* the chain last dealt to */
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

/* Of what is linked to. */
static inline bool
address_has_48_bits(const void *address)
{
	return (uint64_t)(uintptr_t)address >> 48 == 0;
}

static inline uint64_t
unit_of(int64_t at_us)
{
	return ((uint64_t)at_us ^ (UINT64_C(1) << 63)) >> GRAIN;
}

static inline unsigned
level_between(uint64_t a, uint64_t b)
{
	return (63 - (unsigned)__builtin_clzll(a ^ b)) / DIGIT;
}

/* The index of the slot in which a timer belongs at the present cursor. */
static inline unsigned
place_of(uint64_t cursor, uint64_t unit)
{
	unsigned level = level_between(cursor, unit);

	return level * SLOTS + (unsigned)(unit >> (level * DIGIT)) % SLOTS;
}

static inline bool
node_before(const struct wheel_node *a, const struct wheel_node *b)
{
	return a->at_us < b->at_us || (a->at_us == b->at_us && (uintptr_t)a < (uintptr_t)b);
}

/* Brings `key` to the root, or where it is absent a neighbour of it. */
static struct wheel_node *
tree_splay(struct wheel_node *nil, struct wheel_node *root, const struct wheel_node *key)
{
	struct wheel_node sides, *below = &sides, *above = &sides, *child;

	link_set(&sides.left, nil);
	link_set(&sides.right, nil);
	while (root != key) {
		if (node_before(key, root)) {
			child = link_get(&root->left);
			if (child != nil && node_before(key, child)) {
				root->left = child->right;
				link_set(&child->right, root);
				root = child;
				child = link_get(&root->left);
			}
			if (child == nil)
				break;
			link_set(&above->left, root);
			above = root;
		} else {
			child = link_get(&root->right);
			if (child != nil && node_before(child, key)) {
				root->right = child->left;
				link_set(&child->left, root);
				root = child;
				child = link_get(&root->right);
			}
			if (child == nil)
				break;
			link_set(&below->right, root);
			below = root;
		}
		root = child;
	}
	below->right = root->left;
	above->left = root->right;
	root->left = sides.right;
	root->right = sides.left;
	return root;
}

static void
due_insert(struct wheel *wheel, struct wheel_node *node)
{
	struct wheel_node *nil = &wheel->nil, *root = wheel->due;

	link_set(&node->left, nil);
	link_set(&node->right, nil);
	if (root != nil) {
		root = tree_splay(nil, root, node);
		if (node_before(node, root)) {
			node->left = root->left;
			link_set(&node->right, root);
			link_set(&root->left, nil);
		} else {
			node->right = root->right;
			link_set(&node->left, root);
			link_set(&root->right, nil);
		}
	}
	wheel->due = node;
	wheel->due_count++;
}

/* Out of line, as due_set() is: what files a timer in a slot, the usual case, then saves few registers. */
__attribute__((noinline)) static void
due_remove(struct wheel *wheel, struct wheel_node *node)
{
	struct wheel_node *nil = &wheel->nil;
	struct wheel_node *root = tree_splay(nil, wheel->due, node), *left = link_get(&node->left);

	assert(root == node);
	if (left == nil) {
		root = link_get(&node->right);
	} else {
		/* All on the left are before the node, so the last of them comes up and has no right child. */
		root = tree_splay(nil, left, node);
		root->right = node->right;
	}
	wheel->due = root;
	wheel->due_count--;
}

/* The earliest of a tree that is not empty; it becomes the root. */
static struct wheel_node *
due_first(struct wheel *wheel)
{
	struct wheel_node *nil = &wheel->nil, *root = wheel->due, *child;
	struct wheel_node sides, *above = &sides;

	if (link_get(&root->left) == nil)
		return root;
	link_set(&sides.left, nil);
	while ((child = link_get(&root->left)) != nil) {
		root->left = child->right;
		link_set(&child->right, root);
		root = child;
		child = link_get(&root->left);
		if (child == nil)
			break;
		link_set(&above->left, root);
		above = root;
		root = child;
	}
	above->left = root->right;
	root->right = sides.left;
	wheel->due = root;
	return root;
}

static struct wheel_node *
list_merge(struct wheel_node *a, struct wheel_node *b)
{
	struct wheel_link head, *tail = &head;

	while (a != NULL && b != NULL) {
		bool before = node_before(b, a);
		struct wheel_node *first = before ? b : a, *next = link_get(&first->next);

		link_set(tail, first);
		tail = &first->next;
		a = before ? a : next;
		b = before ? next : b;
	}
	link_set(tail, a != NULL ? a : b);
	return link_get(&head);
}

static struct wheel_node *
list_sort(struct wheel_node *list)
{
	/* run[i] is NULL or a sorted run of 2^i nodes. */
	struct wheel_node *run[64];
	unsigned runs = 0;

	while (list != NULL) {
		struct wheel_node *merged = list;
		unsigned i = 0;

		list = link_get(&list->next);
		link_set(&merged->next, NULL);
		for (; i < runs && run[i] != NULL; i++) {
			merged = list_merge(run[i], merged);
			run[i] = NULL;
		}
		run[i] = merged;
		if (i == runs)
			runs++;
	}
	for (unsigned i = 0; i < runs; i++)
		list = list_merge(run[i], list);
	return list;
}

/* Makes the list, in any order, the tree. */
static void
due_fill(struct wheel *wheel, struct wheel_node *list, size_t count)
{
	struct wheel_node *node = list_sort(list), *next;

	wheel->due = node;
	for (; node != NULL; node = next) {
		next = link_get(&node->next);
		link_set(&node->left, &wheel->nil);
		if (next == NULL)
			link_set(&node->right, &wheel->nil);
	}
	wheel->due_count = count;
}

static inline void
slot_file(struct wheel *wheel, struct wheel_node *node, uint64_t unit)
{
	unsigned place = place_of(wheel->cursor, unit);
	struct wheel_link *chain = &wheel->slot[place].chain[wheel->turn++ % CHAINS].first;
	struct wheel_node *next = link_get(chain);

	link_set(&node->next, next);
	link_set(&node->link, chain);
	link_set(chain, node);
	if (next != NULL) {
		link_set(&next->link, &node->next);
	} else {
		wheel->map[place / 64] |= UINT64_C(1) << place % 64;
		wheel->busy |= 1u << place / SLOTS;
	}
}

static bool
level_is_used(const struct wheel *wheel, unsigned level)
{
	uint64_t used = 0;

	for (unsigned i = 0; i < WORDS; i++)
		used |= wheel->map[level * WORDS + i];
	return used != 0;
}

/* Empties a slot into others, and its timers up to the cursor into the tree, which is empty then. */
static void
slot_empty(struct wheel *wheel, unsigned place)
{
	struct slot taken = wheel->slot[place];
	struct wheel_node *due = NULL;
	size_t count = 0;
	bool more;

	wheel->slot[place] = (struct slot){0};
	wheel->map[place / 64] &= ~(UINT64_C(1) << place % 64);
	if (!level_is_used(wheel, place / SLOTS))
		wheel->busy &= ~(1u << place / SLOTS);
	do {
		more = false;
		for (unsigned i = 0; i < CHAINS; i++) {
			struct wheel_node *node = link_get(&taken.chain[i].first);
			uint64_t unit;

			if (node == NULL)
				continue;
			more = true;
			taken.chain[i].first = node->next;
			__builtin_prefetch(link_get(&node->next), 1);
			unit = unit_of(node->at_us);
			if (unit <= wheel->cursor) {
				link_set(&node->next, due);
				due = node;
				count++;
			} else {
				slot_file(wheel, node, unit);
			}
		}
	} while (more);
	if (due != NULL)
		due_fill(wheel, due, count);
}

static unsigned
slot_first(const struct wheel *wheel)
{
	unsigned word = (unsigned)__builtin_ctz(wheel->busy) * WORDS;

	while (wheel->map[word] == 0)
		word++;
	return word * 64 + (unsigned)__builtin_ctzll(wheel->map[word]);
}

/* The first unit of a slot. */
static uint64_t
slot_start(const struct wheel *wheel, unsigned place)
{
	unsigned shift = place / SLOTS * DIGIT;

	return ((wheel->cursor >> shift) / SLOTS * SLOTS + place % SLOTS) << shift;
}

/* Moves the cursor to the first slot with a bit, which starts at or before `until`; the tree is empty. False when there
 * is no such slot. If it turns out empty, no timer lies between the old and the new cursor, whichever is first. */
static bool
cursor_advance(struct wheel *wheel, uint64_t until)
{
	uint64_t start;
	unsigned place;

	if (wheel->busy == 0) {
		/* Nothing is set at all, so the cursor is free to go back. */
		wheel->cursor = wheel->present;
		return false;
	}
	place = slot_first(wheel);
	start = slot_start(wheel, place);
	if (start > until)
		return false;
	wheel->cursor = start;
	wheel->early_count = 0;
	slot_empty(wheel, place);
	return true;
}

/* Files the timers of the tree that are after the cursor. */
static void
due_refile(struct wheel *wheel)
{
	struct wheel_node *nil = &wheel->nil, *node = wheel->due, *next;
	struct wheel_link due, *end = &due;

	wheel->due_count = 0;
	/* Right rotations bring the tree's nodes up in their order. */
	for (; node != nil; node = next) {
		while ((next = link_get(&node->left)) != nil) {
			node->left = next->right;
			link_set(&next->right, node);
			node = next;
		}
		next = link_get(&node->right);
		if (unit_of(node->at_us) > wheel->cursor) {
			slot_file(wheel, node, unit_of(node->at_us));
		} else {
			link_set(end, node);
			end = &node->right;
			wheel->due_count++;
		}
	}
	link_set(end, nil);
	wheel->due = link_get(&due);
}

/* Moves the cursor back to the present. Slots on levels above the digit that changes stay right, those below all lie
 * within one slot of that level. It costs at most as much as there are timers, when half as many were set since the
 * cursor last moved. */
static void
cursor_rewind(struct wheel *wheel)
{
	unsigned top = level_between(wheel->cursor, wheel->present);

	wheel->cursor = wheel->present;
	wheel->early_count = 0;
	while ((wheel->busy & ((1u << top) - 1)) != 0)
		slot_empty(wheel, slot_first(wheel));
	due_refile(wheel);
}

/* Whether a timer may keep its slot at another instant: a later one, or one of the slot to which the present one
 * belongs, which is not before the slot where it lies. */
static inline bool
node_stays(const struct wheel *wheel, const struct wheel_node *node, int64_t at_us)
{
	uint64_t old = unit_of(node->at_us), new = unit_of(at_us);

	if (old <= wheel->cursor)
		return false;
	return new >= old || (old ^ new) >> (level_between(wheel->cursor, old) * DIGIT) == 0;
}

static inline void
node_remove(struct wheel *wheel, struct wheel_node *node)
{
	struct wheel_node *next;
	struct wheel_link *link;

	if (unit_of(node->at_us) <= wheel->cursor) {
		due_remove(wheel, node);
		return;
	}
	next = link_get(&node->next);
	link = link_get(&node->link);
	*link = node->next;
	if (next != NULL)
		next->link = node->link;
}

/* Puts a timer into the tree; goes back with the cursor when many are set ahead of the present, yet before it. */
__attribute__((noinline)) static void
due_set(struct wheel *wheel, struct wheel_node *node)
{
	due_insert(wheel, node);
	if (wheel->cursor > wheel->present && ++wheel->early_count > REWIND_MIN &&
	    wheel->early_count > wheel->count / 2)
		cursor_rewind(wheel);
}

int
wheel_new(struct instant now, struct wheel **ret)
{
	struct wheel *wheel = aligned_alloc(_Alignof(struct wheel), sizeof(*wheel));

	if (wheel == NULL)
		return -ENOMEM;
	memset(wheel, 0, sizeof(*wheel));
	wheel->present_us = now.us;
	wheel->present = unit_of(now.us);
	wheel->cursor = wheel->present;
	assert(address_has_48_bits(wheel));
	wheel->due = &wheel->nil;
	*ret = wheel;
	return 0;
}

void
wheel_free(struct wheel *wheel)
{
	free(wheel);
}

void
wheel_set(struct wheel *wheel, struct wheel_node *node, struct instant at)
{
	uint64_t unit = unit_of(at.us);

	assert(address_has_48_bits(node));
	if (wheel_is_set(node)) {
		if (node_stays(wheel, node, at.us)) {
			node->at_us = at.us;
			return;
		}
		node_remove(wheel, node);
	} else {
		wheel->count++;
	}
	node->at_us = at.us;
	if (unit > wheel->cursor)
		slot_file(wheel, node, unit);
	else
		due_set(wheel, node);
}

void
wheel_unset(struct wheel *wheel, struct wheel_node *node)
{
	if (!wheel_is_set(node))
		return;
	node_remove(wheel, node);
	node->link = (struct wheel_link){0};
	wheel->count--;
}

struct instant
wheel_next(struct wheel *wheel)
{
	while (wheel->due_count == 0)
		if (!cursor_advance(wheel, UINT64_MAX))
			return INSTANT_NEVER;
	return (struct instant){due_first(wheel)->at_us};
}

struct wheel_node *
wheel_pop(struct wheel *wheel, struct instant now)
{
	struct wheel_node *node;

	if (now.us > wheel->present_us) {
		wheel->present_us = now.us;
		wheel->present = unit_of(now.us);
	}
	while (wheel->due_count == 0) {
		if (!cursor_advance(wheel, wheel->present)) {
			/* No slot in use starts before the present, so none changes its place. */
			if (wheel->cursor < wheel->present)
				wheel->cursor = wheel->present;
			return NULL;
		}
	}
	node = due_first(wheel);
	if (node->at_us > now.us)
		return NULL; /* the clock may have been set back, behind the wheel's present */
	wheel->due = link_get(&node->right);
	wheel->due_count--;
	wheel->count--;
	node->link = (struct wheel_link){0};
	return node;
}

size_t
wheel_count(const struct wheel *wheel)
{
	return wheel->count;
}

static size_t
slot_check(const struct wheel *wheel, unsigned place)
{
	uint64_t start = slot_start(wheel, place);
	size_t count = 0;

	for (unsigned i = 0; i < CHAINS; i++) {
		const struct wheel_link *link = &wheel->slot[place].chain[i].first;
		const struct wheel_node *node;

		for (; (node = link_get(link)) != NULL; link = &node->next) {
			assert(link_get(&node->link) == link);
			assert(unit_of(node->at_us) >= start);
			count++;
		}
	}
	if (count > 0) {
		assert(start > wheel->cursor);
		assert((wheel->map[place / 64] >> place % 64 & 1) != 0);
	}
	return count;
}

/* The stack holds the nodes whose left children are being looked at. */
static size_t
due_check(const struct wheel *wheel)
{
	const struct wheel_node **stack = calloc(wheel->due_count + 1, sizeof(struct wheel_node *));
	const struct wheel_node *node = wheel->due, *previous = NULL;
	size_t depth = 0, count = 0;

	assert(stack != NULL);
	while (node != &wheel->nil || depth > 0) {
		for (; node != &wheel->nil; node = link_get(&node->left)) {
			assert(depth < wheel->due_count);
			stack[depth++] = node;
		}
		node = stack[--depth];
		assert(previous == NULL || node_before(previous, node));
		assert(unit_of(node->at_us) <= wheel->cursor);
		previous = node;
		count++;
		node = link_get(&node->right);
	}
	free(stack);
	return count;
}

void
wheel_check(const struct wheel *wheel)
{
	size_t count = due_check(wheel);

	assert(count == wheel->due_count);
	assert(wheel->present == unit_of(wheel->present_us));
	for (unsigned place = 0; place < LEVELS * SLOTS; place++)
		count += slot_check(wheel, place);
	for (unsigned level = 0; level < LEVELS; level++)
		assert(level_is_used(wheel, level) == ((wheel->busy >> level & 1) != 0));
	assert(count == wheel->count);
}
