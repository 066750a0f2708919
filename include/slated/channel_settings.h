/* What the configuration says of one channel. */
#ifndef SLATED_CHANNEL_SETTINGS_H
#define SLATED_CHANNEL_SETTINGS_H

#include "slated/gate.h"

enum channel_type {
	CHANNEL_WEBHOOK,
	CHANNEL_EXEC,
	CHANNEL_PAGERDUTY,
	CHANNEL_SLACK,
	CHANNEL_EMAIL,
	CHANNEL_ALERTMANAGER,
	CHANNEL_TEAMS,
	CHANNEL_NTFY,
	CHANNEL_GOALERT,
	CHANNEL_TICKET,
	CHANNEL_TYPE_COUNT,
};

/* As the configuration writes them. */
extern const char *const channel_type_names[CHANNEL_TYPE_COUNT];

enum channel_tls {
	TLS_OFFERED, /* where the server offers it */
	TLS_REQUIRED,
	TLS_NEVER,
	TLS_COUNT,
};

extern const char *const channel_tls_names[TLS_COUNT];

/* The products whose tickets slated can write to. */
enum ticket_api {
	TICKET_REQUEST_TRACKER, /* 5, REST 2 */
	TICKET_REDMINE,
};

/* What a type does not have, or the configuration does not say, is NULL or 0. */
struct channel_settings {
	const char *name;
	enum channel_type type;
	const char *fallback;       /* the name of another channel */
	struct duration timeout;    /* of one attempt; 0 = the type's own */
	struct rate rate;           /* the type's own where the configuration says nothing */
	const char *url;            /* all but exec and email; pagerduty: another address than the usual one */
	const char *const *secrets; /* webhook: each signs, "whsec_" and base64, or the bytes themselves;
	                             * pagerduty: each may have signed what PagerDuty sends us */
	size_t n_secrets;
	const char *const *command; /* exec: argv, ends with NULL */
	const char *routing_key;    /* pagerduty */
	const char *token;          /* ntfy, alertmanager: for "Authorization: Bearer"; ticket: the product's own */
	const char *adapter;        /* ticket, this and what follows: the source of the tickets */
	enum ticket_api api;
	bool due; /* what of a ticket follows its clocks there */
	bool severity;
	const char *tag;  /* the custom field that has the state, or NULL */
	const char *smtp; /* email, this and what follows */
	enum channel_tls tls;
	const char *user;
	const char *password;
	const char *from;
	const char *const *to;
	size_t n_to;
};

#endif
