/* Interned strings: texts by number, and an open-addressed table of numbers by hash.
 *
 *     slots  [ 0 | 3 | 0 | 1 | 2 | 0 | 0 | 0 ]     size is a power of two, at most half full
 *                  |       |
 *     texts  [ -, "gold", "billing", "console" ]   index = atom, 0 is never used
 */
#include "slated/atom.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	char *text;
	uint32_t hash;
	uint32_t len;
};

struct atoms {
	struct entry *entries;
	size_t n_entries; /* with the unused one at 0 */
	size_t max_entries;
	atom *slots;
	size_t n_slots;
};

/* FNV-1a, 64 bits, folded: http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint32_t
atom_hash(const char *text, size_t len)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++) {
		hash ^= (unsigned char)text[i];
		hash *= UINT64_C(0x100000001b3);
	}
	return (uint32_t)(hash ^ hash >> 32);
}

/* The slot that holds the text, or the empty one where it belongs. */
static size_t
atom_slot(const struct atoms *atoms, const char *text, size_t len, uint32_t hash)
{
	size_t mask = atoms->n_slots - 1;

	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		atom a = atoms->slots[i];

		if (a == 0)
			return i;
		const struct entry *entry = &atoms->entries[a];
		if (entry->hash == hash && entry->len == len && memcmp(entry->text, text, len) == 0)
			return i;
	}
}

int
atoms_new(struct atoms **ret)
{
	struct atoms *atoms = calloc(1, sizeof *atoms);

	if (atoms == NULL)
		return -ENOMEM;
	atoms->n_entries = 1;
	atoms->max_entries = 32;
	atoms->n_slots = 64;
	atoms->entries = calloc(atoms->max_entries, sizeof *atoms->entries);
	atoms->slots = calloc(atoms->n_slots, sizeof *atoms->slots);
	if (atoms->entries == NULL || atoms->slots == NULL) {
		atoms_free(atoms);
		return -ENOMEM;
	}
	*ret = atoms;
	return 0;
}

void
atoms_free(struct atoms *atoms)
{
	if (atoms == NULL)
		return;
	if (atoms->entries != NULL)
		for (size_t i = 1; i < atoms->n_entries; i++)
			free(atoms->entries[i].text);
	free(atoms->entries);
	free(atoms->slots);
	free(atoms);
}

static int
atoms_grow(struct atoms *atoms)
{
	size_t n_slots = atoms->n_slots * 2;
	size_t mask = n_slots - 1;

	struct entry *entries = realloc(atoms->entries, n_slots / 2 * sizeof *entries);
	if (entries == NULL)
		return -ENOMEM;
	atoms->entries = entries;

	atom *slots = calloc(n_slots, sizeof *slots);
	if (slots == NULL)
		return -ENOMEM;
	for (size_t a = 1; a < atoms->n_entries; a++) {
		size_t i = entries[a].hash & mask;

		while (slots[i] != 0)
			i = (i + 1) & mask;
		slots[i] = (atom)a;
	}
	free(atoms->slots);
	atoms->slots = slots;
	atoms->n_slots = n_slots;
	atoms->max_entries = n_slots / 2;
	return 0;
}

int
atoms_intern(struct atoms *atoms, const char *text, size_t len, atom *ret)
{
	if (text == NULL) {
		*ret = 0;
		return 0;
	}
	/* A text with a NUL inside would never be found again. */
	len = strnlen(text, len);

	uint32_t hash = atom_hash(text, len);
	size_t slot = atom_slot(atoms, text, len, hash);
	if (atoms->slots[slot] != 0) {
		*ret = atoms->slots[slot];
		return 0;
	}
	if (atoms->n_entries > UINT32_MAX || len > UINT32_MAX)
		return -EOVERFLOW;
	if (atoms->n_entries == atoms->max_entries) {
		int r = atoms_grow(atoms);
		if (r < 0)
			return r;
		slot = atom_slot(atoms, text, len, hash);
	}
	char *copy = malloc(len + 1);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, text, len);
	copy[len] = '\0';

	atom a = (atom)atoms->n_entries++;
	atoms->entries[a].text = copy;
	atoms->entries[a].hash = hash;
	atoms->entries[a].len = (uint32_t)len;
	atoms->slots[slot] = a;
	*ret = a;
	return 0;
}

const char *
atoms_text(const struct atoms *atoms, atom a)
{
	if (a == 0)
		return NULL;
	assert(a < atoms->n_entries);
	return atoms->entries[a].text;
}
