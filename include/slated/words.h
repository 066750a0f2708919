/* How explanations write local times, lengths and targets. */
#ifndef SLATED_WORDS_H
#define SLATED_WORDS_H

#include "slated/policy.h"

/* Enough for each of these texts with its NUL, in any year. */
#define WORDS_SIZE 96

/* Names as people read them: "first response", "on hold". */
extern const char *const metric_words[METRIC_COUNT];
extern const char *const status_words[STATUS_COUNT];

/* "+05:30", with seconds where there are any. */
void words_offset(int32_t offset, char text[static WORDS_SIZE]);

/* "Mon 2026-03-02 09:00:00.250000 -08:00", the fraction only where it is not zero. */
void words_local(const struct zone *zone, struct instant at, char text[static WORDS_SIZE]);

/* "36h30m", "15s", "0.250000s". */
void words_length(struct duration length, char text[static WORDS_SIZE]);

/* As the file writes it: "within 3bd same_time". */
void words_target(const struct target *target, char text[static WORDS_SIZE]);

#endif
