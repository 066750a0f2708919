/* Secrets, and headers that may hold signatures: a list holds just those that taking it apart by hand finds in it. */
#include <errno.h>

#include "fuzz.h"
#include "input.h"
#include "slated/signature.h"

/* The same as signature_among(), by strtok_r. */
static bool
listed(const char *signature, const char *given, char separator)
{
	char *copy = strdup(given), *rest = NULL;
	const char ends[] = {separator, '\0'};
	bool found = false;
	demand(copy != NULL);
	for (char *one = strtok_r(copy, ends, &rest); one != NULL; one = strtok_r(NULL, ends, &rest)) {
		one += strspn(one, " \t");
		for (size_t n = strlen(one); n > 0 && (one[n - 1] == ' ' || one[n - 1] == '\t'); n--)
			one[n - 1] = '\0';
		found |= strcmp(one, signature) == 0;
	}
	free(copy);
	return found;
}

static void
check_list(const char *signature, const char *head, const char *tail, char separator)
{
	char *list = NULL;
	size_t n_head = strlen(head);
	list = malloc(n_head + strlen(signature) + strlen(tail) + 3);
	demand(list != NULL);
	char *end = stpcpy(list, head);
	*end++ = separator;
	end = stpcpy(end, signature);
	*end++ = separator;
	(void)stpcpy(end, tail);
	demand(signature_among(signature, list, separator));
	list[n_head + 1 + strlen(signature) / 2] ^= 1; /* one bit off */
	demand(signature_among(signature, list, separator) == listed(signature, list, separator));
	free(list);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	char *secret = input_text(&input, '\n'), *id = input_text(&input, '\n'), *given = input_text(&input, '\n');
	const char *body = (const char *)input.data;
	char v1[SIGNATURE_V1_SIZE], again[SIGNATURE_V1_SIZE], hex[SIGNATURE_HEX_SIZE];
	struct signing_key key;
	int r = signing_key_read(secret, &key);
	demand(r == 0 || r == -EINVAL);
	demand(secret_equal(secret, given) == (strcmp(secret, given) == 0));
	if (*secret != '\0' && strpbrk(secret, " \t") == NULL)
		demand(signature_among(secret, given, ' ') == listed(secret, given, ' '));
	if (r == 0) {
		demand(signature_v1(&key, id, "1772798400", body, input.left, v1) == 0);
		demand(signature_hex(&key, body, input.left, hex) == 0);
		/* A key signs as it did before. */
		demand(signature_v1(&key, id, "1772798400", body, input.left, again) == 0 && strcmp(v1, again) == 0);
		demand(strlen(v1) == SIGNATURE_V1_SIZE - 1 && strlen(hex) == SIGNATURE_HEX_SIZE - 1);
		check_list(v1, given, id, ' ');
		check_list(hex, given, id, ',');
		signing_key_clear(&key);
	}
	free(secret);
	free(id);
	free(given);
	return 0;
}
