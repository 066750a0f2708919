/* Channels: ways to tell somebody. Each type is one `const struct channel_ops` in daemon/channels/ and a row in
 * channels.c; a channel is a type with the settings that the configuration gives it. */
#ifndef SLATED_CHANNEL_H
#define SLATED_CHANNEL_H

#include "slated/channel_settings.h"
#include "slated/delivery.h"
#include "slated/retry.h"

struct child_runner;
struct event_base;
struct http_client;
struct mail_client;

/* What all channels share; borrowed, outlives them. */
struct channel_context {
	struct event_base *base;
	struct http_client *http;
	struct mail_client *mail;
	struct child_runner *children;
	const char *instance; /* this daemon's name */
	struct instant (*now)(void *arg);
	void *arg;
};

struct channel_result {
	enum outcome outcome;
	struct duration retry_after; /* OUTCOME_RETRY: what the receiver asked for; 0 = nothing */
	const char *error;           /* one line of UTF-8, no secrets; NULL when delivered */
	const char *note;            /* delivered, but: the same, or NULL */
};

/* Called once for each attempt, from the loop, never from within send(). */
typedef void channel_done(void *arg, const struct channel_result *result);

/* A type's own structs begin with these. */
struct channel {
	const struct channel_ops *ops;
	char *name;
	char *fallback;   /* the channel that gets what this one cannot deliver, or NULL */
	struct rate rate; /* of messages */
};

struct channel_attempt {
	const struct channel_ops *ops;
	channel_done *done;
	void *arg;
};

struct channel_ops {
	enum channel_type type;
	const struct retry_policy *retry;
	/* Somebody is woken by it: it keeps a share of the attempts under way, and alerts go before what ends them. */
	bool pages;
	/* People read it: a later message of the same alert makes an earlier one that was not sent needless. */
	bool supersedes;
	/* With a rate: so many deliveries at most in one message of the kind "digest"; 0: each is sent by itself. */
	unsigned digest_max;

	/* 0, -EINVAL for settings that cannot work, -ENOMEM. The caller fills in the struct channel. */
	int (*open)(const struct channel_settings *settings, const struct channel_context *context,
	            struct channel **ret);
	/* No attempt is under way any more. */
	void (*close)(struct channel *channel);
	/* Starts one attempt; `delivery` is borrowed until it ends. *ret is good for cancel() until `done` is called;
	 * the caller fills in its struct channel_attempt. 0; -EBADMSG for a delivery that can never be sent; any other
	 * negative errno for one that could not be started now. */
	int (*send)(struct channel *channel, const struct delivery *delivery, struct channel_attempt **ret);
	/* Ends an attempt without calling back. */
	void (*cancel)(struct channel_attempt *attempt);
	/* Takes up again what a former process, or this one with a former configuration, has told: for channels that
	 * keep what they were told in memory. NULL for those that keep nothing. */
	void (*restore)(struct channel *channel, const struct delivery *delivery);
};

extern const struct channel_ops webhook_ops;
extern const struct channel_ops exec_ops;
extern const struct channel_ops slack_ops;
extern const struct channel_ops teams_ops;
extern const struct channel_ops ntfy_ops;
extern const struct channel_ops pagerduty_ops;
extern const struct channel_ops goalert_ops;
extern const struct channel_ops alertmanager_ops;
extern const struct channel_ops email_ops;
extern const struct channel_ops ticket_ops;

/* Makes a channel; the settings are borrowed for the call. 0, -EINVAL for settings that cannot work, -ENOMEM. */
int channel_open(const struct channel_settings *settings, const struct channel_context *context, struct channel **ret)
    __attribute__((warn_unused_result));

/* Takes NULL. */
void channel_close(struct channel *channel);

/* Starts an attempt, as ops->send. */
int channel_send(struct channel *channel, const struct delivery *delivery, channel_done *done, void *arg,
                 struct channel_attempt **ret) __attribute__((warn_unused_result));
void channel_cancel(struct channel_attempt *attempt);

/* Tells a channel that was just opened of a delivery that it was given before; sends nothing by itself. Called for each
 * delivered message of an alert that is open, in their order; one too many does no harm. */
void channel_restore(struct channel *channel, const struct delivery *delivery);

#endif
