/* What the tests' senders share: a courier with one channel, fed from standard input. */
#ifndef SENDER_H
#define SENDER_H

#include "slated/channel_settings.h"

/* Sends each line of standard input, {"key", "ticket_id", "external_id", "kind", "at", "address", "payload": {...}},
 * through a channel of these settings and writes a line for each outcome: {"key", "outcome", "attempts", "wait_ms",
 * "error"}. The clock jumps over the waits between attempts, so nobody waits for them. `ca_file`: whom mail trusts, or
 * NULL. Returns main()'s status: 0 once all are delivered or dead, 2 for what cannot work, 3 after half a minute. */
int sender_main(const struct channel_settings *settings, const char *ca_file);

#endif
