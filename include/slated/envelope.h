/* The JSON that tells what happened, the same for every channel that takes JSON: a CloudEvents 1.0 event in
 * structured mode (CloudEvents JSON format 1.0.2). */
#ifndef SLATED_ENVELOPE_H
#define SLATED_ENVELOPE_H

#include <stddef.h>

struct delivery;

#define ENVELOPE_MEDIA_TYPE "application/cloudevents+json; charset=utf-8"

/* Writes the event of `delivery`: id = its key, source = "/slated/INSTANCE", type = "io.slated.KIND.v1", subject = the
 * ticket's external id, time = the milestone's instant, data = the payload as it stands: that it is JSON its column's
 * type says. The same bytes in every attempt. The caller frees *ret. 0, -EBADMSG where the payload is no object,
 * -ENOMEM. */
int envelope_format(const struct delivery *delivery, const char *instance, char **ret, size_t *ret_len)
    __attribute__((warn_unused_result));

#endif
