/* A stored configuration of any bytes is read or refused, and what is read gives the same text and digest again. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "slated/config.h"

/* libconfig 1.5 itself loses the string that a syntax error interrupts. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct instant now = {INT64_C(1772798400000000)}; /* 2026-03-06T12:00:00Z */
	struct config_problems problems = {0};
	struct config *config = NULL, *again = NULL;
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	int r = config_load_text(text, size, now, &problems, &config);
	assert((r == 0) == (config != NULL));
	assert(r != -1 && (r == 0) == (problems.n == 0));
	if (r == 0) {
		r = config_load_text(config->source, strlen(config->source), now, &problems, &again);
		assert(r == 0 && strcmp(config->digest, again->digest) == 0);
	}
	config_free(again);
	config_free(config);
	config_problems_clear(&problems);
	free(text);
	return 0;
}
