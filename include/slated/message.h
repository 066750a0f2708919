/* What a person is told: a delivery's payload in the reader's words. Every channel for people renders this; none looks
 * into the payload itself. No ticket text, no secrets. */
#ifndef SLATED_MESSAGE_H
#define SLATED_MESSAGE_H

#include "slated/delivery.h"

enum message_kind {
	MESSAGE_ALERT,
	MESSAGE_ACKNOWLEDGED, /* somebody takes care of the alert */
	MESSAGE_RESOLVED,     /* the promise was kept, late or in time, or ended otherwise */
	MESSAGE_TEST,
	MESSAGE_DIGEST, /* several messages in one */
	MESSAGE_KIND_COUNT,
};

/* How grave an alert is, as pagers count: PagerDuty's Events API v2 has just these four. */
enum message_severity {
	MESSAGE_INFO,
	MESSAGE_WARNING,
	MESSAGE_ERROR,
	MESSAGE_CRITICAL,
	MESSAGE_SEVERITY_COUNT,
};

/* "info", "warning", "error", "critical". */
extern const char *const message_severity_names[MESSAGE_SEVERITY_COUNT];

struct message_fact {
	const char *name; /* "Customer" */
	const char *value;
};

#define MESSAGE_FACTS_MAX 12

/* All texts are one line of UTF-8 and live as long as the message. */
struct message {
	enum message_kind kind;
	enum message_severity severity;
	const char *key;       /* the delivery's */
	const char *alert;     /* the dedup key: the same from at risk to resolved; a test's and a digest's own key */
	const char *title;     /* "First response to ACME #4711 due in 15 min (Critical, enterprise-gold)" */
	const char *ticket;    /* "ACME #4711", or NULL for a test and a digest */
	const char *number;    /* "#4711": of `ticket` what is not the customer's name; NULL with it */
	const char *ticket_id; /* the ticket's number in the database, for threads, or NULL */
	const char *org;       /* these four as the ticket has them, or NULL */
	const char *plan;
	const char *metric;
	const char *policy;
	const char *link;    /* to the ticket, or NULL */
	const char *address; /* whom to send it to instead of the channel's own recipients, or NULL */
	struct instant at;
	struct message_fact facts[MESSAGE_FACTS_MAX]; /* what the title leaves out, in the order to show it */
	size_t n_facts;
	struct message **items; /* MESSAGE_DIGEST: its messages, none of them a digest */
	size_t n_items;
};

/* Words what `delivery` has to say; lengths of time are told as from `now`. 0, -EBADMSG for a payload that is not what
 * the ledger writes, -ENOMEM. */
int message_new(const struct delivery *delivery, struct instant now, struct message **ret)
    __attribute__((warn_unused_result));

/* Takes NULL. */
void message_free(struct message *message);

/* Copies `text` to `out` (room for max + 1 bytes), cut at `max` bytes, never within a character; "…" ends what was cut
 * where `max` is at least 3. Returns the length. */
size_t message_cut(const char *text, size_t max, char *out);

#endif
