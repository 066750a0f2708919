#include "slated/jsonr.h"

#include <errno.h>

/* jansson 2.14 gives a code for all that may be wrong with a text, and mostly none where memory is out. */
int
jsonr_read(const char *text, size_t len, size_t flags, json_t **ret)
{
	json_error_t error;
	json_t *value = json_loadb(text, len, flags, &error);
	if (value == NULL) {
		enum json_error_code code = json_error_code(&error);
		return code == json_error_unknown || code == json_error_out_of_memory ? -ENOMEM : -EINVAL;
	}
	*ret = value;
	return 0;
}
