/* Any bytes sent to the HTTP server: it answers in HTTP or not at all, and holds no request when the client has gone.
 * The first byte says what the desk does. */
#include "fuzz.h"
#include "http_rig.h"
#include "input.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	unsigned answer = input_byte(&input) & ~(unsigned)RIG_WHOLE;
	struct rig_reply reply;
	rig_talk(input.data, input.left, answer, &reply);
	demand(reply.len == 0 || strncmp(reply.text, "HTTP/", 5) == 0);
	return 0;
}
