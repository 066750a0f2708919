/* What every fuzz target defines; libFuzzer calls it, and so does replay.c in `make check`. */
#ifndef SLATED_TESTS_FUZZ_H
#define SLATED_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Aborts where the input shows a bug; always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
