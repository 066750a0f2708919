#include "slated/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct channel_ops *const types[CHANNEL_TYPE_COUNT] = {
    [CHANNEL_WEBHOOK] = &webhook_ops,
    [CHANNEL_EXEC] = &exec_ops,
    [CHANNEL_SLACK] = &slack_ops,
    [CHANNEL_TEAMS] = &teams_ops,
    [CHANNEL_NTFY] = &ntfy_ops,
    [CHANNEL_PAGERDUTY] = &pagerduty_ops,
    [CHANNEL_ALERTMANAGER] = &alertmanager_ops,
    [CHANNEL_GOALERT] = &goalert_ops,
    [CHANNEL_EMAIL] = &email_ops,
    [CHANNEL_TICKET] = &ticket_ops,
};

int
channel_open(const struct channel_settings *settings, const struct channel_context *context, struct channel **ret)
{
	const struct channel_ops *ops = types[settings->type];
	if (!ops)
		return -ENOTSUP;
	char *name = strdup(settings->name), *fallback = settings->fallback ? strdup(settings->fallback) : NULL;
	struct channel *channel;
	int r = name && (fallback || !settings->fallback) ? ops->open(settings, context, &channel) : -ENOMEM;
	if (r < 0) {
		free(name);
		free(fallback);
		return r;
	}
	channel->ops = ops;
	channel->name = name;
	channel->fallback = fallback;
	channel->rate = settings->rate;
	*ret = channel;
	return 0;
}

void
channel_close(struct channel *channel)
{
	if (!channel)
		return;
	free(channel->name);
	free(channel->fallback);
	channel->ops->close(channel);
}

int
channel_send(struct channel *channel, const struct delivery *delivery, channel_done *done, void *arg,
             struct channel_attempt **ret)
{
	struct channel_attempt *attempt;
	int r = channel->ops->send(channel, delivery, &attempt);
	if (r < 0)
		return r;
	attempt->ops = channel->ops;
	attempt->done = done;
	attempt->arg = arg;
	*ret = attempt;
	return 0;
}

void
channel_cancel(struct channel_attempt *attempt)
{
	attempt->ops->cancel(attempt);
}

void
channel_restore(struct channel *channel, const struct delivery *delivery)
{
	if (channel->ops->restore)
		channel->ops->restore(channel, delivery);
}
