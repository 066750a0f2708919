/* Runs a fuzz target on every file of its corpus: the folder given as argument, or, as a test of automake's, CORPUS
 * below the source folder that it names in the environment. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The file goes into a block of just its size, so that a sanitizer sees a byte too many. */
static int
replay_file(const char *path, size_t size)
{
	uint8_t *bytes = malloc(size > 0 ? size : 1);
	FILE *file = fopen(path, "rb");
	int r = -1;

	if (bytes != NULL && file != NULL && fread(bytes, 1, size, file) == size)
		r = LLVMFuzzerTestOneInput(bytes, size);
	if (file != NULL)
		(void)fclose(file); /* only read */
	free(bytes);
	return r;
}

int
main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir");
	char folder[4096];
	char path[8192];
	struct dirent *entry;
	int n = 0;

	if (argc > 1)
		(void)snprintf(folder, sizeof folder, "%s", argv[1]);
	else
		(void)snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", CORPUS);
	DIR *directory = opendir(folder);
	if (directory == NULL) {
		perror(folder);
		return 1;
	}
	while ((entry = readdir(directory)) != NULL) {
		struct stat status;
		(void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		if (stat(path, &status) < 0 || !S_ISREG(status.st_mode))
			continue;
		/* Told beforehand: an abort ends the program. */
		printf("%s\n", entry->d_name);
		(void)fflush(stdout);
		if (replay_file(path, (size_t)status.st_size) != 0) {
			perror(path);
			closedir(directory);
			return 1;
		}
		n++;
	}
	closedir(directory);
	printf("%d files\n", n);
	return n > 0 ? 0 : 1;
}
