/* Channels: which settings belong to which type, what is needed, how fast, and to what else they fall back. */
#include <stdlib.h>
#include <string.h>

#include "config_secret.h"
#include "slated/text.h"

const char *const channel_type_names[CHANNEL_TYPE_COUNT] = {
    [CHANNEL_WEBHOOK] = "webhook", [CHANNEL_EXEC] = "exec",   [CHANNEL_PAGERDUTY] = "pagerduty",
    [CHANNEL_SLACK] = "slack",     [CHANNEL_EMAIL] = "email", [CHANNEL_ALERTMANAGER] = "alertmanager",
    [CHANNEL_TEAMS] = "teams",     [CHANNEL_NTFY] = "ntfy",   [CHANNEL_GOALERT] = "goalert",
    [CHANNEL_TICKET] = "ticket",
};

const char *const channel_tls_names[TLS_COUNT] = {
    [TLS_OFFERED] = "offered",
    [TLS_REQUIRED] = "required",
    [TLS_NEVER] = "never",
};

const char *const role_names[ROLE_COUNT] = {
    [ROLE_ASSIGNEE] = "assignee",
    [ROLE_TEAM] = "team",
    [ROLE_DEDICATED_ENGINEER] = "dedicated_engineer",
    [ROLE_FOLLOWERS] = "followers",
};

/* Settings of other types. */
static void
channel_check_keys(struct loader *loader, const config_setting_t *group, enum channel_type type)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
		const struct config_row *row = config_row(SCOPE_CHANNEL, setting->name);

		if (row != NULL && (row->channels >> type & 1) == 0)
			loader_problem(loader, setting, NULL, "is no setting of type \"%s\"", channel_type_names[type]);
	}
}

/* One of the settings must be there. */
static void
channel_need(struct loader *loader, const config_setting_t *group, const char *const keys[])
{
	char *names = NULL;

	for (size_t i = 0; keys[i] != NULL; i++)
		if (setting_member(group, keys[i]) != NULL)
			return;
	for (size_t i = 0; keys[i] != NULL; i++) {
		char *longer =
		    loader_printf(loader, "%s%s%s", names != NULL ? names : "", names != NULL ? " or " : "", keys[i]);
		free(names);
		names = longer;
	}
	if (names != NULL)
		loader_problem(loader, group, NULL, "needs %s", names);
	free(names);
}

static void
address_check(struct loader *loader, const config_setting_t *setting)
{
	const char *text = config_setting_get_string(setting);

	if (text == NULL)
		return;
	if (!text_is_mail_address(text))
		loader_problem(loader, setting, NULL, "\"%s\" is not a mail address", text);
}

static void
channel_load_email(struct loader *loader, const config_setting_t *group, struct channel_settings *channel)
{
	static const char *const smtp[] = {"smtp", NULL}, *const sender[] = {"from", NULL}, *const to[] = {"to", NULL};
	const config_setting_t *from = setting_member(group, "from");
	config_setting_t *recipients = setting_member(group, "to");

	channel_need(loader, group, smtp);
	channel_need(loader, group, sender);
	channel_need(loader, group, to);
	channel->smtp = loader_url(loader, group, "smtp", "smtp");
	if (from != NULL)
		address_check(loader, from);
	if (setting_string(group, "from") != NULL)
		channel->from = loader_strdup(loader, setting_string(group, "from"));
	if (setting_string(group, "user") != NULL)
		channel->user = loader_strdup(loader, setting_string(group, "user"));
	channel->password = loader_secret(loader, group, "password_credential", "password_file");
	if (channel->user == NULL &&
	    (setting_member(group, "password_credential") != NULL || setting_member(group, "password_file") != NULL))
		loader_problem(loader, group, "user", "is missing: a password needs one");
	/* Nobody's password goes out in the clear unless the configuration says so in words. */
	channel->tls = channel->user != NULL ? TLS_REQUIRED : TLS_OFFERED;
	if (setting_member(group, "tls") != NULL) {
		int word = loader_word(loader, setting_member(group, "tls"), channel_tls_names, TLS_COUNT);
		if (word >= 0)
			channel->tls = (enum channel_tls)word;
	}
	if (recipients == NULL)
		return;
	if (strings_count(recipients) == 0)
		loader_problem(loader, recipients, NULL, "names nobody");
	for (int i = 0; i < strings_count(recipients); i++)
		address_check(loader, strings_at(recipients, i));
	channel->to = (const char *const *)loader_texts(loader, recipients, &channel->n_to);
}

static bool
ticket_flag(const config_setting_t *group, const char *key)
{
	const config_setting_t *setting = setting_member(group, key);
	return setting != NULL && config_setting_get_bool(setting);
}

/* What the adapter must have, so that what is written there comes back as what it is. */
static void
ticket_check_adapter(struct loader *loader, const config_setting_t *group, const struct adapter_settings *adapter)
{
	const struct adapter_value *severity = adapter_value(adapter, "severity");
	const char *word = severity != NULL && severity->n > 0 ? severity->texts[0] : "";

	if (adapter->kind != ADAPTER_REQUEST_TRACKER && adapter->kind != ADAPTER_REDMINE) {
		loader_problem(loader, group, "adapter", "\"%s\" is of kind %s, and slated writes to %s and %s alone",
		               adapter->name, adapter_kind_names[adapter->kind],
		               adapter_kind_names[ADAPTER_REQUEST_TRACKER], adapter_kind_names[ADAPTER_REDMINE]);
		return;
	}
	if (adapter_value(adapter, "own_user") == NULL)
		loader_problem(
		    loader, group, "adapter",
		    "adapters.%s.own_user is missing: name the user that the token belongs to, or what slated "
		    "writes would count as a person's",
		    adapter->name);
	if (ticket_flag(group, "severity") && strcmp(word, "priority") != 0 && strncmp(word, "custom_field:", 13) != 0)
		loader_problem(
		    loader, group, "severity",
		    "cannot be written: adapters.%s.severity is neither \"priority\" nor \"custom_field:NAME\"",
		    adapter->name);
}

static const struct adapter_settings *
ticket_adapter(struct loader *loader, const config_setting_t *group)
{
	const char *name = setting_string(group, "adapter");
	struct suggestion suggestion = {.given = name};
	char nearest[128];

	if (name == NULL || loader->error < 0)
		return NULL; /* out of memory, adapters may lack what is looked at here */
	for (size_t i = 0; i < loader->config->n_adapters; i++) {
		if (strcmp(loader->config->adapters[i].name, name) == 0)
			return &loader->config->adapters[i];
		suggestion_offer(&suggestion, loader->config->adapters[i].name);
	}
	/* One with problems of its own has them reported there. */
	if (names_find(&loader->adapters, name) == NULL)
		loader_problem(loader, group, "adapter", "there is no adapter \"%s\"%s", name,
		               suggestion_text(&suggestion, nearest));
	return NULL;
}

static void
channel_load_ticket(struct loader *loader, const config_setting_t *group, struct channel_settings *channel)
{
	static const char *const urls[] = {"url", "url_credential", "url_file", NULL};
	static const char *const tokens[] = {"token_credential", "token_file", NULL};
	static const char *const adapters[] = {"adapter", NULL};

	channel_need(loader, group, urls);
	channel_need(loader, group, tokens);
	channel_need(loader, group, adapters);
	channel->url = loader_either_url(loader, group);
	if (channel->url != NULL && strncmp(channel->url, "http:", 5) == 0 && !url_is_loopback(channel->url))
		loader_problem(loader, group, setting_member(group, "url") != NULL ? "url" : NULL,
		               "is to be https: the token would cross the network for all to read");
	channel->token = loader_secret(loader, group, "token_credential", "token_file");
	channel->due = ticket_flag(group, "due");
	channel->severity = ticket_flag(group, "severity");
	if (setting_string(group, "tag") != NULL)
		channel->tag = loader_strdup(loader, setting_string(group, "tag"));
	const struct adapter_settings *adapter = ticket_adapter(loader, group);
	if (adapter == NULL)
		return;
	ticket_check_adapter(loader, group, adapter);
	channel->adapter = loader_strdup(loader, adapter->name);
	channel->api = adapter->kind == ADAPTER_REDMINE ? TICKET_REDMINE : TICKET_REQUEST_TRACKER;
	for (size_t i = 0; i + 1 < loader->config->n_channels; i++)
		if (loader->config->channels[i].adapter != NULL &&
		    strcmp(loader->config->channels[i].adapter, adapter->name) == 0)
			loader_problem(loader, group, "adapter", "channel \"%s\" writes to \"%s\" already",
			               loader->config->channels[i].name, adapter->name);
}

static void
channel_load_type(struct loader *loader, const config_setting_t *group, struct channel_settings *channel)
{
	static const char *const urls[] = {"url", "url_credential", "url_file", NULL};
	static const char *const command[] = {"command", NULL};
	static const char *const keys[] = {"routing_key_credential", "routing_key_file", NULL};

	switch (channel->type) {
	case CHANNEL_WEBHOOK:
		channel_need(loader, group, urls);
		channel->url = loader_either_url(loader, group);
		channel->secrets = (const char *const *)loader_signing_secrets(loader, group, &channel->n_secrets);
		break;
	case CHANNEL_EXEC:
		channel_need(loader, group, command);
		if (setting_member(group, "command") != NULL)
			channel->command =
			    (const char *const *)loader_command(loader, setting_member(group, "command"));
		break;
	case CHANNEL_PAGERDUTY:
		channel_need(loader, group, keys);
		channel->url = loader_url(loader, group, "url", "http");
		channel->routing_key = loader_secret(loader, group, "routing_key_credential", "routing_key_file");
		channel->secrets = (const char *const *)loader_signing_secrets(loader, group, &channel->n_secrets);
		break;
	case CHANNEL_NTFY:
	case CHANNEL_ALERTMANAGER:
		channel->token = loader_secret(loader, group, "token_credential", "token_file");
		channel_need(loader, group, urls);
		channel->url = loader_either_url(loader, group);
		break;
	case CHANNEL_SLACK:
	case CHANNEL_TEAMS:
	case CHANNEL_GOALERT:
		channel_need(loader, group, urls);
		channel->url = loader_either_url(loader, group);
		break;
	case CHANNEL_EMAIL:
		channel_load_email(loader, group, channel);
		break;
	case CHANNEL_TICKET:
		channel_load_ticket(loader, group, channel);
		break;
	case CHANNEL_TYPE_COUNT:
		break;
	}
}

/* "1/s", "120/min", "30/h", "none". */
static bool
rate_parse(const char *text, struct rate *ret)
{
	static const struct {
		const char *name;
		int64_t us;
	} units[] = {{"s", US_PER_S}, {"min", US_PER_MIN}, {"h", US_PER_H}};
	char *end;

	if (strcmp(text, "none") == 0) {
		*ret = (struct rate){0};
		return true;
	}
	unsigned long count = *text >= '1' && *text <= '9' ? strtoul(text, &end, 10) : 0;
	if (count == 0 || count > 100000 || *end != '/')
		return false;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (strcmp(end + 1, units[i].name) == 0) {
			*ret = (struct rate){(uint32_t)count, {units[i].us}};
			return true;
		}
	}
	return false;
}

/* What the services themselves allow or ask for. */
static const char *const usual_rates[CHANNEL_TYPE_COUNT] = {
    [CHANNEL_PAGERDUTY] = "120/min", [CHANNEL_SLACK] = "1/s", [CHANNEL_EMAIL] = "2/s",
    [CHANNEL_TEAMS] = "1/s",         [CHANNEL_NTFY] = "1/s",  [CHANNEL_GOALERT] = "2/s",
};

static void
rate_load(struct loader *loader, const config_setting_t *group, struct channel_settings *channel)
{
	const char *text = setting_string(group, "rate");

	if (text == NULL)
		text = usual_rates[channel->type];
	if (text != NULL && !rate_parse(text, &channel->rate))
		loader_problem(loader, group, "rate",
		               "\"%s\" is not of the form \"1/s\", \"120/min\", \"30/h\" or \"none\"", text);
}

static void
channel_load(struct loader *loader, config_setting_t *group)
{
	struct config *config = loader->config;
	const config_setting_t *type;
	int word;

	if (!config_setting_is_group(group) ||
	    !names_add(loader, &loader->channels, group, NULL, group->name, "channel"))
		return;
	if (name_index(role_names, ROLE_COUNT, group->name) >= 0)
		loader_problem(loader, group, NULL, "\"%s\" is a role: a channel needs another name", group->name);
	type = setting_member(group, "type");
	if (type == NULL) {
		loader_problem(loader, group, "type", "is missing");
		return;
	}
	word = loader_word(loader, type, channel_type_names, CHANNEL_TYPE_COUNT);
	if (word < 0)
		return;
	struct channel_settings *channels = loader_grow(loader, config->channels, config->n_channels, sizeof *channels);
	if (channels == NULL)
		return;
	config->channels = channels;
	struct channel_settings *channel = &channels[config->n_channels++];
	channel->type = (enum channel_type)word;
	channel->name = loader_strdup(loader, group->name);
	if (setting_string(group, "fallback") != NULL)
		channel->fallback = loader_strdup(loader, setting_string(group, "fallback"));
	(void)loader_duration(loader, group, "timeout", NULL, &channel->timeout); /* it has reported */
	rate_load(loader, group, channel);
	channel_check_keys(loader, group, channel->type);
	channel_load_type(loader, group, channel);
}

/* Every fallback is a channel, and no way along them leads back. */
static void
fallback_check(struct loader *loader, const config_setting_t *group)
{
	const char *name = setting_string(group, "fallback");
	const config_setting_t *next = name != NULL ? names_find(&loader->channels, name) : NULL;

	if (name != NULL && next == NULL) {
		struct suggestion suggestion = {.given = name};
		char nearest[128];

		for (size_t i = 0; i < loader->channels.n; i++)
			suggestion_offer(&suggestion, loader->channels.items[i].name);
		loader_problem(loader, group, "fallback", "there is no channel \"%s\"%s", name,
		               suggestion_text(&suggestion, nearest));
	}
	for (size_t i = 0; next != NULL && i < loader->channels.n; i++) {
		if (next == group) {
			loader_problem(loader, group, "fallback", "leads back to \"%s\" itself", group->name);
			return;
		}
		name = setting_string(next, "fallback");
		next = name != NULL ? names_find(&loader->channels, name) : NULL;
	}
}

void
loader_channels(struct loader *loader)
{
	loader_each(loader, "channels", channel_load);
	for (size_t i = 0; i < loader->channels.n; i++)
		fallback_check(loader, loader->channels.items[i].setting);
}

const struct channel_settings *
config_channel(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_channels; i++)
		if (strcmp(config->channels[i].name, name) == 0)
			return &config->channels[i];
	return NULL;
}
