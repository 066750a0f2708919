#include "calendar.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void *
array_new(size_t count, size_t size)
{
	void *array = calloc(count, size);

	if (array == NULL) {
		perror("bench/calendar");
		exit(1);
	}
	return array;
}

static FILE *
file_open(const char *path, const char *mode)
{
	FILE *file = fopen(path, mode);

	if (file == NULL) {
		perror(path);
		exit(1);
	}
	return file;
}

#define HOLIDAYS_MAX 1000

static void
holidays_read(const char *path, struct input *input)
{
	FILE *file = file_open(path, "r");
	char line[32];

	input->holidays = array_new(HOLIDAYS_MAX, sizeof(*input->holidays));
	while (input->n_holidays < HOLIDAYS_MAX && fgets(line, sizeof(line), file) != NULL) {
		int *holiday = input->holidays[input->n_holidays++];

		if (sscanf(line, "%4d-%2d-%2d", &holiday[0], &holiday[1], &holiday[2]) == 3)
			continue;
		holiday[0] = 0;
		if (sscanf(line, "%2d-%2d", &holiday[1], &holiday[2]) != 2) {
			fprintf(stderr, "%s: not a holiday: %s", path, line);
			exit(1);
		}
	}
	(void)fclose(file); /* only read */
}

void
input_read(int argc, char **argv, struct input *ret)
{
	*ret = (struct input){0};
	if (argc != 6) {
		fprintf(stderr, "usage: bench/calendar_PEER ZONE INSTANTS HOLIDAYS COUNT ANSWERS\n");
		exit(2);
	}
	ret->zone = argv[1];
	ret->count = strtoul(argv[4], NULL, 10);
	ret->instants = array_new(ret->count, sizeof(*ret->instants));
	holidays_read(argv[3], ret);

	FILE *file = file_open(argv[2], "r");
	for (size_t i = 0; i < ret->count; i++)
		if (fscanf(file, "%" SCNd64, &ret->instants[i]) != 1) {
			fprintf(stderr, "%s: too short\n", argv[2]);
			exit(1);
		}
	(void)fclose(file); /* only read */
}

void
input_clear(struct input *input)
{
	free(input->instants);
	free(input->holidays);
}

void
answers_write(char **argv, const int64_t *answers, size_t count)
{
	FILE *file = file_open(argv[5], "w");

	for (size_t i = 0; i < count; i++)
		fprintf(file, "%" PRId64 "\n", answers[i]);
	if (fclose(file) != 0) {
		perror(argv[5]);
		exit(1);
	}
}
