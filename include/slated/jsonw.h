/* Writes JSON text piece by piece, in the manner of slated's other lines: what is absent is left out. */
#ifndef SLATED_JSONW_H
#define SLATED_JSONW_H

#include "slated/render.h"

/* Starts as all zeroes. */
struct jsonw {
	struct text text;
	bool more; /* a comma comes before the next member */
};

/* An object ('{') or array ('['), closed with its other bracket. Keys are NULL within an array. */
void jsonw_open(struct jsonw *json, const char *key, char bracket);
void jsonw_close(struct jsonw *json, char bracket);

/* One member. NULL and INSTANT_NEVER are left out. */
void jsonw_text(struct jsonw *json, const char *key, const char *value);
void jsonw_instant(struct jsonw *json, const char *key, struct instant at);
void jsonw_number(struct jsonw *json, const char *key, int64_t value);
void jsonw_bool(struct jsonw *json, const char *key, bool value);
void jsonw_seconds(struct jsonw *json, const char *key, struct duration length);
/* `value` is JSON already. */
void jsonw_raw(struct jsonw *json, const char *key, const char *value);

void jsonw_clear(struct jsonw *json);

#endif
