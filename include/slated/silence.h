/* What a silence can match. */
#ifndef SLATED_SILENCE_H
#define SLATED_SILENCE_H

#include <stdbool.h>

/* What sla.silence_fits() looks up, up to NULL; attributes.KEY comes to it. */
extern const char *const silence_keys[];

bool silence_key_is_known(const char *key);

#endif
