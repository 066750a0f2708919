/* A fuzz target's input, taken apart from its head: what is missing at its end reads as nothing. */
#ifndef SLATED_TESTS_FUZZ_INPUT_H
#define SLATED_TESTS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct input {
	const uint8_t *data;
	size_t left;
};

static inline void
demand(bool holds)
{
	if (!holds)
		abort();
}

static inline unsigned
input_byte(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->data++;
}

/* The bytes up to `end` or the input's own end, as a string without NULs in a block of just its size. The caller frees
 * it. */
static inline char *
input_text(struct input *input, uint8_t end)
{
	const uint8_t *found = input->left > 0 ? memchr(input->data, end, input->left) : NULL;
	size_t n = found != NULL ? (size_t)(found - input->data) : input->left;
	char *text = malloc(n + 1);
	size_t len = 0;
	demand(text != NULL);
	for (size_t i = 0; i < n; i++)
		if (input->data[i] != '\0')
			text[len++] = (char)input->data[i];
	n += found != NULL;
	input->data += n;
	input->left -= n;
	char *fitting = realloc(text, len + 1);
	demand(fitting != NULL);
	fitting[len] = '\0';
	return fitting;
}

#endif
