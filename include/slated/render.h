/* Milestones as JSON text, without a JSON library: it is the simulator's hot path. model.md section 7. */
#ifndef SLATED_RENDER_H
#define SLATED_RENDER_H

#include "slated/engine.h"

/* Text that grows. Zeroed = empty; free(data) ends it. After a failed allocation `failed` is set and nothing more is
 * added, so that a caller may look once at the end. */
struct text {
	char *data;
	size_t len;
	size_t room;
	bool failed;
};

/* Makes it empty and right again; its room stays. */
void text_empty(struct text *text);

void text_add(struct text *text, const char *bytes, size_t len);
void text_add_string(struct text *text, const char *string);
void text_add_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* `string` as a JSON string with its quotes; NULL gives null. Bytes that are not UTF-8 become U+FFFD. */
void text_add_json(struct text *text, const char *string);

/* Microseconds as decimal seconds, without trailing zeros: 1.5, 60. */
void text_add_seconds(struct text *text, struct duration length);

/* One milestone as a JSON object on one line, without a newline. */
void render_milestone(struct text *text, const char *ticket, const struct milestone *milestone);

#endif
