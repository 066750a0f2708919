/* The patterns as one automaton.
 *
 *   patterns    a*    *b          all characters in a row, each with its NUL:  a * 0 * b 0
 *   state       the set of places in that row where a reader of the text may stand
 *   fits        the pattern whose NUL is in the set
 *
 * A breadth-first walk over the states, a letter a step, reaches each first by a shortest text. Letters that no pattern
 * has are all alike, so one stands for them. */
#include "slated/globs.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "slated/policy.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Past so many states the walk is given up: far more than a list of names and a handful of patterns have. */
#define STATES_MAX 10000

struct state {
	UT_hash_handle hh;
	struct state *from; /* NULL: the empty text's */
	struct state *next; /* in the order of the walk */
	size_t len;         /* of its text */
	char letter;        /* the last of its text */
	uint64_t places[];
};

/* A set of patterns that has been told. */
struct told {
	UT_hash_handle hh;
	uint64_t places[];
};

struct walk {
	char *row;
	size_t n_words;
	uint64_t *ends; /* the places of the NULs */
	uint64_t *scratch;
	char letters[257];
	size_t n_letters;
	struct state *states, *last;
	size_t n_states;
	struct told *told;
	globs_use *use;
	void *arg;
};

static bool
holds(const uint64_t *places, size_t i)
{
	return (places[i / 64] >> i % 64 & 1) != 0;
}

/* A star may stand for nothing, so who is before it is behind it, too. */
static void
places_add(const struct walk *walk, uint64_t *places, size_t i)
{
	places[i / 64] |= UINT64_C(1) << i % 64;
	for (; walk->row[i] == '*'; i++)
		places[(i + 1) / 64] |= UINT64_C(1) << (i + 1) % 64;
}

/* Letters that patterns have come behind the one that stands for all others, so that examples have it where they can.
 */
static void
letters_find(struct walk *walk, size_t len)
{
	bool seen[256] = {false};
	size_t n = 1;

	for (size_t i = 0; i < len; i++) {
		char c = glob_lower(walk->row[i]);
		if (c == '\0' || c == '*' || c == '?' || seen[(unsigned char)c])
			continue;
		seen[(unsigned char)c] = true;
		walk->letters[n++] = c;
	}
	walk->n_letters = n;
	for (unsigned c = '~'; c > ' '; c--)
		if (!seen[c] && c != '*' && c != '?' && glob_lower((char)c) == (char)c) {
			walk->letters[0] = (char)c;
			return;
		}
	/* Patterns have all that can be printed: who has none of them is left out. */
	walk->letters[0] = walk->letters[--walk->n_letters];
}

static int
walk_open(struct walk *walk, const char *const *patterns, size_t n)
{
	size_t len = 0, at = 0;

	for (size_t i = 0; i < n; i++)
		len += strlen(patterns[i]) + 1;
	walk->n_words = len / 64 + 1;
	walk->row = malloc(len + 1);
	walk->ends = calloc(walk->n_words, sizeof *walk->ends);
	walk->scratch = calloc(walk->n_words, sizeof *walk->scratch);
	if (walk->row == NULL || walk->ends == NULL || walk->scratch == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		size_t size = strlen(patterns[i]) + 1;
		memcpy(&walk->row[at], patterns[i], size);
		at += size;
		walk->ends[(at - 1) / 64] |= UINT64_C(1) << (at - 1) % 64;
	}
	walk->row[at] = '\0';
	for (size_t i = 0, start = 0; i < n; start += strlen(patterns[i++]) + 1)
		places_add(walk, walk->scratch, start);
	letters_find(walk, len);
	return 0;
}

static void
walk_close(struct walk *walk)
{
	struct state *state, *next_state;
	struct told *told, *next_told;

	HASH_ITER (hh, walk->states, state, next_state) {
		HASH_DEL(walk->states, state);
		free(state);
	}
	HASH_ITER (hh, walk->told, told, next_told) {
		HASH_DEL(walk->told, told);
		free(told);
	}
	free(walk->row);
	free(walk->ends);
	free(walk->scratch);
}

/* Calls `use` unless a text that fits the same patterns has been told. */
static int
state_tell(struct walk *walk, const struct state *state)
{
	size_t size = walk->n_words * sizeof *walk->scratch;
	struct told *told;

	for (size_t i = 0; i < walk->n_words; i++)
		walk->scratch[i] = state->places[i] & walk->ends[i];
	HASH_FIND(hh, walk->told, walk->scratch, size, told);
	if (told != NULL)
		return 0;
	told = malloc(sizeof *told + size);
	char *text = malloc(state->len + 1);
	if (told == NULL || text == NULL) {
		free(told);
		free(text);
		return -ENOMEM;
	}
	memcpy(told->places, walk->scratch, size);
	HASH_ADD_KEYPTR(hh, walk->told, told->places, size, told);
	if (told->hh.tbl == NULL) {
		free(told);
		free(text);
		return -ENOMEM;
	}
	text[state->len] = '\0';
	for (const struct state *at = state; at->from != NULL; at = at->from)
		text[at->len - 1] = at->letter;
	int r = walk->use(walk->arg, text);
	free(text);
	return r;
}

/* The state of the places in `scratch`, unless there is one already. */
static int
state_reach(struct walk *walk, struct state *from, char letter)
{
	size_t size = walk->n_words * sizeof *walk->scratch;
	struct state *state;

	HASH_FIND(hh, walk->states, walk->scratch, size, state);
	if (state != NULL)
		return 0;
	if (walk->n_states == STATES_MAX)
		return -E2BIG;
	state = malloc(sizeof *state + size);
	if (state == NULL)
		return -ENOMEM;
	*state = (struct state){.from = from, .len = from != NULL ? from->len + 1 : 0, .letter = letter};
	memcpy(state->places, walk->scratch, size);
	HASH_ADD_KEYPTR(hh, walk->states, state->places, size, state);
	if (state->hh.tbl == NULL) {
		free(state);
		return -ENOMEM;
	}
	walk->n_states++;
	if (walk->last != NULL)
		walk->last->next = state;
	walk->last = state;
	return state_tell(walk, state);
}

/* Leaves in `scratch` where `letter` leads. */
static void
state_step(struct walk *walk, const struct state *state, char letter)
{
	memset(walk->scratch, 0, walk->n_words * sizeof *walk->scratch);
	for (size_t i = 0; i < walk->n_words * 64; i++) {
		if (state->places[i / 64] >> i % 64 == 0) {
			i |= 63; /* nothing more in this word */
			continue;
		}
		if (!holds(state->places, i) || walk->row[i] == '\0')
			continue;
		if (walk->row[i] == '*')
			places_add(walk, walk->scratch, i);
		else if (walk->row[i] == '?' || glob_lower(walk->row[i]) == letter)
			places_add(walk, walk->scratch, i + 1);
	}
}

int
globs_each(const char *const *patterns, size_t n, globs_use *use, void *arg)
{
	struct walk walk = {.use = use, .arg = arg};
	int r = walk_open(&walk, patterns, n);

	if (r == 0)
		r = state_reach(&walk, NULL, '\0');
	for (struct state *state = walk.last; r == 0 && state != NULL; state = state->next)
		for (size_t i = 0; r == 0 && i < walk.n_letters; i++) {
			state_step(&walk, state, walk.letters[i]);
			r = state_reach(&walk, state, walk.letters[i]);
		}
	walk_close(&walk);
	return r;
}
