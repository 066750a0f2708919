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
 * The tree is that of wheel_due.h. Timers are linked by addresses of 48 bits, so that one takes 20 bytes. */
#include "slated/wheel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wheel_due.h"

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
	size_t early_count; /* how many were set ahead of the present, yet into `due`, since the cursor moved */
	struct due due;
	uint32_t busy;
	uint64_t map[LEVELS * WORDS];
	unsigned turn; /* the chain last dealt to */
};

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
			} else {
				slot_file(wheel, node, unit);
			}
		}
	} while (more);
	if (due != NULL)
		due_fill(&wheel->due, due);
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
	struct wheel_node *node = due_list(&wheel->due), *next;
	struct wheel_link kept, *end = &kept;

	for (; node != NULL; node = next) {
		next = link_get(&node->next);
		if (unit_of(node->at_us) > wheel->cursor) {
			slot_file(wheel, node, unit_of(node->at_us));
		} else {
			link_set(end, node);
			end = &node->next;
		}
	}
	link_set(end, NULL);
	due_take(&wheel->due, link_get(&kept));
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
		due_remove(&wheel->due, node);
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
	due_insert(&wheel->due, node);
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
	due_take(&wheel->due, NULL);
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
	while (wheel->due.count == 0)
		if (!cursor_advance(wheel, UINT64_MAX))
			return INSTANT_NEVER;
	return (struct instant){due_first(&wheel->due)->at_us};
}

struct wheel_node *
wheel_pop(struct wheel *wheel, struct instant now)
{
	struct wheel_node *node;

	if (now.us > wheel->present_us) {
		wheel->present_us = now.us;
		wheel->present = unit_of(now.us);
	}
	while (wheel->due.count == 0) {
		if (!cursor_advance(wheel, wheel->present)) {
			/* No slot in use starts before the present, so none changes its place. */
			if (wheel->cursor < wheel->present)
				wheel->cursor = wheel->present;
			return NULL;
		}
	}
	node = due_first(&wheel->due);
	if (node->at_us > now.us)
		return NULL; /* the clock may have been set back, behind the wheel's present */
	due_pop(&wheel->due);
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

void
wheel_check(const struct wheel *wheel)
{
	const struct wheel_node *last = due_check(&wheel->due);
	size_t count = wheel->due.count;

	assert(last == NULL || unit_of(last->at_us) <= wheel->cursor);
	assert(wheel->present == unit_of(wheel->present_us));
	for (unsigned place = 0; place < LEVELS * SLOTS; place++)
		count += slot_check(wheel, place);
	for (unsigned level = 0; level < LEVELS; level++)
		assert(level_is_used(wheel, level) == ((wheel->busy >> level & 1) != 0));
	assert(count == wheel->count);
}
