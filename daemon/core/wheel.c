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
 * sorted list as it is for a tree of right children. Equal instants are in order of their addresses. */
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
static_assert(sizeof(struct wheel_node) <= 24, "memory per timer");

/* With fewer timers the tree is as fast as the slots. */
#define REWIND_MIN 64

struct slot {
	_Alignas(CHAINS * sizeof(void *)) struct wheel_node *chain[CHAINS];
};

struct wheel {
	uint64_t cursor;  /* a unit: timers up to it are in `due`, later ones in slots */
	uint64_t present; /* the unit of present_us */
	int64_t present_us;
	size_t count;
	size_t due_count;
	size_t early_count; /* how many were set ahead of the present, yet into `due`, since the cursor moved */
	struct wheel_node *due;
	struct wheel_node nil; /* the tree's leaves */
	uint32_t busy;
	uint64_t map[LEVELS][WORDS];
	unsigned turn; /* the chain last dealt to */
	struct slot slot[LEVELS][SLOTS];
};

/* The slot in which a timer belongs at the present cursor. */
struct place {
	unsigned level;
	unsigned index;
};

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

static inline struct place
place_of(uint64_t cursor, uint64_t unit)
{
	unsigned level = level_between(cursor, unit);

	return (struct place){level, (unsigned)(unit >> (level * DIGIT)) % SLOTS};
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
	struct wheel_node sides = {.left = nil, .right = nil};
	struct wheel_node *below = &sides, *above = &sides, *child;

	while (root != key) {
		if (node_before(key, root)) {
			child = root->left;
			if (child != nil && node_before(key, child)) {
				root->left = child->right;
				child->right = root;
				root = child;
				child = root->left;
			}
			if (child == nil)
				break;
			above->left = root;
			above = root;
		} else {
			child = root->right;
			if (child != nil && node_before(child, key)) {
				root->right = child->left;
				child->left = root;
				root = child;
				child = root->right;
			}
			if (child == nil)
				break;
			below->right = root;
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

	node->left = nil;
	node->right = nil;
	if (root != nil) {
		root = tree_splay(nil, root, node);
		if (node_before(node, root)) {
			node->left = root->left;
			node->right = root;
			root->left = nil;
		} else {
			node->right = root->right;
			node->left = root;
			root->right = nil;
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
	struct wheel_node *root = tree_splay(nil, wheel->due, node);

	assert(root == node);
	if (node->left == nil) {
		root = node->right;
	} else {
		/* All on the left are before the node, so the last of them comes up and has no right child. */
		root = tree_splay(nil, node->left, node);
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
	struct wheel_node sides = {.left = nil};
	struct wheel_node *above = &sides;

	while ((child = root->left) != nil) {
		root->left = child->right;
		child->right = root;
		root = child;
		if (root->left == nil)
			break;
		above->left = root;
		above = root;
		root = root->left;
	}
	above->left = root->right;
	root->right = sides.left;
	wheel->due = root;
	return root;
}

static struct wheel_node *
list_merge(struct wheel_node *a, struct wheel_node *b)
{
	struct wheel_node *head, **tail = &head;

	while (a != NULL && b != NULL) {
		struct wheel_node **from = node_before(b, a) ? &b : &a;

		*tail = *from;
		tail = &(*from)->next;
		*from = *tail;
	}
	*tail = a != NULL ? a : b;
	return head;
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

		list = list->next;
		merged->next = NULL;
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
	struct wheel_node **end = &wheel->due;

	for (struct wheel_node *node = list_sort(list); node != NULL; node = node->next) {
		*end = node;
		end = &node->right;
		node->left = &wheel->nil;
	}
	*end = &wheel->nil;
	wheel->due_count = count;
}

static inline void
slot_file(struct wheel *wheel, struct wheel_node *node, uint64_t unit)
{
	struct place place = place_of(wheel->cursor, unit);
	struct slot *slot = &wheel->slot[place.level][place.index];
	struct wheel_node **chain = &slot->chain[wheel->turn++ % CHAINS], *next = *chain;

	node->next = next;
	node->link = chain;
	*chain = node;
	if (next != NULL) {
		next->link = &node->next;
	} else {
		wheel->map[place.level][place.index / 64] |= UINT64_C(1) << place.index % 64;
		wheel->busy |= 1u << place.level;
	}
}

/* Empties a slot into others, and its timers up to the cursor into the tree, which is empty then. */
static void
slot_empty(struct wheel *wheel, struct place place)
{
	struct slot *slot = &wheel->slot[place.level][place.index], taken = *slot;
	uint64_t *map = wheel->map[place.level], used = 0;
	struct wheel_node *due = NULL;
	size_t count = 0;
	bool more;

	*slot = (struct slot){0};
	map[place.index / 64] &= ~(UINT64_C(1) << place.index % 64);
	for (unsigned i = 0; i < WORDS; i++)
		used |= map[i];
	if (used == 0)
		wheel->busy &= ~(1u << place.level);
	do {
		more = false;
		for (unsigned i = 0; i < CHAINS; i++) {
			struct wheel_node *node = taken.chain[i];
			uint64_t unit;

			if (node == NULL)
				continue;
			more = true;
			taken.chain[i] = node->next;
			__builtin_prefetch(node->next, 1);
			unit = unit_of(node->at_us);
			if (unit <= wheel->cursor) {
				node->next = due;
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

static struct place
slot_first(const struct wheel *wheel)
{
	struct place place = {.level = (unsigned)__builtin_ctz(wheel->busy)};
	const uint64_t *map = wheel->map[place.level];
	unsigned word = 0;

	while (map[word] == 0)
		word++;
	place.index = word * 64 + (unsigned)__builtin_ctzll(map[word]);
	return place;
}

/* The first unit of a slot. */
static uint64_t
slot_start(const struct wheel *wheel, struct place place)
{
	unsigned shift = place.level * DIGIT;

	return ((wheel->cursor >> shift) / SLOTS * SLOTS + place.index) << shift;
}

/* Moves the cursor to the first slot with a bit, which starts at or before `until`; the tree is empty. False when there
 * is no such slot. If it turns out empty, no timer lies between the old and the new cursor, whichever is first. */
static bool
cursor_advance(struct wheel *wheel, uint64_t until)
{
	struct place place;
	uint64_t start;

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
	struct wheel_node *nil = &wheel->nil, *node = wheel->due, *next, **end = &wheel->due;

	wheel->due_count = 0;
	/* Right rotations bring the tree's nodes up in their order. */
	for (; node != nil; node = next) {
		while ((next = node->left) != nil) {
			node->left = next->right;
			next->right = node;
			node = next;
		}
		next = node->right;
		if (unit_of(node->at_us) > wheel->cursor) {
			slot_file(wheel, node, unit_of(node->at_us));
		} else {
			*end = node;
			end = &node->right;
			wheel->due_count++;
		}
	}
	*end = nil;
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
	if (unit_of(node->at_us) <= wheel->cursor) {
		due_remove(wheel, node);
		return;
	}
	*node->link = node->next;
	if (node->next != NULL)
		node->next->link = node->link;
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
	node->link = NULL;
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
	wheel->due = node->right;
	wheel->due_count--;
	wheel->count--;
	node->link = NULL;
	return node;
}

size_t
wheel_count(const struct wheel *wheel)
{
	return wheel->count;
}

static size_t
slot_check(const struct wheel *wheel, struct place place)
{
	const struct slot *slot = &wheel->slot[place.level][place.index];
	uint64_t start = slot_start(wheel, place);
	size_t count = 0;

	for (unsigned i = 0; i < CHAINS; i++) {
		struct wheel_node *const *link = &slot->chain[i];

		for (; *link != NULL; link = &(*link)->next) {
			assert((*link)->link == link);
			assert(unit_of((*link)->at_us) >= start);
			count++;
		}
	}
	if (count > 0) {
		assert(start > wheel->cursor);
		assert((wheel->map[place.level][place.index / 64] >> place.index % 64 & 1) != 0);
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
		for (; node != &wheel->nil; node = node->left) {
			assert(depth < wheel->due_count);
			stack[depth++] = node;
		}
		node = stack[--depth];
		assert(previous == NULL || node_before(previous, node));
		assert(unit_of(node->at_us) <= wheel->cursor);
		previous = node;
		count++;
		node = node->right;
	}
	free(stack);
	return count;
}

void
wheel_check(const struct wheel *wheel)
{
	size_t count = due_check(wheel);
	struct place place;

	assert(count == wheel->due_count);
	assert(wheel->present == unit_of(wheel->present_us));
	for (place.level = 0; place.level < LEVELS; place.level++) {
		uint64_t used = 0;

		for (place.index = 0; place.index < SLOTS; place.index++)
			count += slot_check(wheel, place);
		for (unsigned i = 0; i < WORDS; i++)
			used |= wheel->map[place.level][i];
		assert((used != 0) == ((wheel->busy >> place.level & 1) != 0));
	}
	assert(count == wheel->count);
}
