/* What the deliveries of a milestone tell: the part of it that the daemon alone knows, and knows only then. The rest is
 * in the database (sla.delivery, sla.ticket). channels/message.h reads it. */
#ifndef SLATED_IO_PAYLOAD_H
#define SLATED_IO_PAYLOAD_H

#include <stdbool.h>

#include "slated/instant.h"

struct milestone;
struct policy_set;
struct text;
struct ticket;

/* Appends the members of a JSON object, whose form is told at the head of channels/message.c; the braces are not there,
 * as what the database knows comes before and after. `now` says how late it is. Returns false, and appends nothing,
 * where nobody has to be told of such a milestone. Out of memory: text->failed. */
bool payload_write(struct text *text, const struct policy_set *set, const struct ticket *ticket,
                   const struct milestone *m, struct instant now);

#endif
