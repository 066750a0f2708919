/* Sends deliveries through the courier and one webhook channel, and says what became of each attempt (sender.h):
 *
 *	send_webhook URL TIMEOUT_MS [SECRET...] < deliveries.ndjson
 */
#include "sender.h"

#include <stdlib.h>

int
main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	const struct channel_settings settings = {
	    .name = "hook",
	    .type = CHANNEL_WEBHOOK,
	    .url = argv[1],
	    .secrets = (const char *const *)(argv + 3),
	    .n_secrets = (size_t)(argc - 3),
	    .timeout = {strtol(argv[2], NULL, 10) * 1000},
	};
	return sender_main(&settings, NULL);
}
