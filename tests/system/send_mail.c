/* Sends deliveries through the courier and one email channel, and says what became of each attempt (sender.h):
 *
 *	send_mail URL TLS TIMEOUT_MS USER PASSWORD CA_FILE FROM TO... < deliveries.ndjson
 *
 * An empty USER, PASSWORD or CA_FILE is none. */
#include "sender.h"

#include <stdlib.h>
#include <string.h>

static const char *
given(const char *text)
{
	return *text ? text : NULL;
}

int
main(int argc, char **argv)
{
	if (argc < 9)
		return 2;
	struct channel_settings settings = {
	    .name = "mail",
	    .type = CHANNEL_EMAIL,
	    .smtp = argv[1],
	    .tls = TLS_COUNT,
	    .timeout = {strtol(argv[3], NULL, 10) * 1000},
	    .user = given(argv[4]),
	    .password = given(argv[5]),
	    .from = argv[7],
	    .to = (const char *const *)(argv + 8),
	    .n_to = (size_t)(argc - 8),
	};
	for (int i = 0; i < TLS_COUNT; i++)
		if (strcmp(argv[2], channel_tls_names[i]) == 0)
			settings.tls = (enum channel_tls)i;
	return settings.tls == TLS_COUNT ? 2 : sender_main(&settings, given(argv[6]));
}
