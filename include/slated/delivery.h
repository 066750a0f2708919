/* What a committed milestone has to tell one channel, and what became of an attempt to tell it. Rows of
 * `sla.delivery` in memory: the database side reads them in, the courier carries them. */
#ifndef SLATED_DELIVERY_H
#define SLATED_DELIVERY_H

#include "slated/instant.h"

struct delivery {
	const char *key;  /* stable: the same in every attempt and after a restart; visible ASCII */
	int64_t position; /* the order within a ticket and channel */
	int64_t ticket_id;
	const char *external_id;        /* NULL where the ticket has none */
	const char *metric;             /* NULL where the milestone is of no clock */
	uint32_t cycle;                 /* 0 without a metric */
	const char *channel;            /* a channel's name */
	const char *address;            /* whom to send it to there; NULL: the channel's own recipients */
	const char *kind;               /* escalated, acknowledged, resolved, test; digest */
	const char *payload;            /* the text of a JSON object */
	const char *digest;             /* the key of the message that it went out in with others, or NULL */
	bool told;                      /* an earlier one of its alert was delivered there */
	uint32_t attempts;              /* made so far */
	struct instant at;              /* the milestone's instant */
	struct instant created_at;      /* from here on the channel's give-up time counts */
	struct instant next_attempt_at; /* not before; in the past = at once */
};

enum outcome {
	OUTCOME_DELIVERED,
	OUTCOME_RETRY,
	OUTCOME_DEAD,
	OUTCOME_SUPERSEDED, /* never sent: a later one of the same alert says more */
	OUTCOME_COUNT,
};

/* "delivered", "retry", "dead", "superseded". */
extern const char *const outcome_names[OUTCOME_COUNT];

/* A copy in one block of its own, texts and all, to be given to free(). 0 or -ENOMEM. */
int delivery_copy(const struct delivery *delivery, struct delivery **ret) __attribute__((warn_unused_result));

#endif
