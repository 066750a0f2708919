/* What the peers of bench/run calendar that are written in C read: each adds 10 open hours, 09:00 to 17:00 on weekdays,
 * to the same instants. */
#ifndef SLATED_BENCH_CALENDAR_H
#define SLATED_BENCH_CALENDAR_H

#include <stddef.h>
#include <stdint.h>

#define OPEN_HOURS 10
#define FIRST_YEAR 2026
#define LAST_YEAR  2035

struct input {
	const char *zone;
	int64_t *instants; /* seconds since 1970 */
	size_t count;
	int (*holidays)[3]; /* year (0 = every year), month, day */
	size_t n_holidays;
};

/* Arguments: ZONE INSTANTS HOLIDAYS COUNT. Ends the program where they cannot be read. */
void input_read(int argc, char **argv, struct input *ret);
void input_clear(struct input *input);

/* Writes the file ANSWERS, the fifth argument. */
void answers_write(char **argv, const int64_t *answers, size_t count);

/* Zeroed. */
void *array_new(size_t count, size_t size);

#endif
