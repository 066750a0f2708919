/* The least that a reader of events can do with jansson: parse each line of standard input. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

int
main(void)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t len;
	json_error_t error;

	while ((len = getline(&text, &room, stdin)) >= 0) {
		json_t *line = json_loadb(text, (size_t)len, 0, &error);

		if (line == NULL) {
			fprintf(stderr, "bench/replay_parse: %s\n", error.text);
			return 1;
		}
		json_decref(line);
	}
	free(text);
	return 0;
}
