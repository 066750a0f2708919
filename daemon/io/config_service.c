/* What belongs to the service: database, instance, HTTP server, outbox, heartbeat and channels. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#include <unistd.h>

#include "config_secret.h"
#include "slated/text.h"

/* Two renewals of the lease, which prove that the ledger can be written where nothing else is. */
#define HEARTBEAT_MIN_US (10 * US_PER_S)
/* What a socket's address has room for, with a NUL behind it. */
#define PATH_LENGTH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

const char *const channel_type_names[CHANNEL_TYPE_COUNT] = {
    [CHANNEL_WEBHOOK] = "webhook", [CHANNEL_EXEC] = "exec",   [CHANNEL_PAGERDUTY] = "pagerduty",
    [CHANNEL_SLACK] = "slack",     [CHANNEL_EMAIL] = "email", [CHANNEL_ALERTMANAGER] = "alertmanager",
    [CHANNEL_TEAMS] = "teams",     [CHANNEL_NTFY] = "ntfy",   [CHANNEL_GOALERT] = "goalert",
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

bool
url_is(const char *url, const char *scheme)
{
	size_t len = strlen(scheme);

	if (strncasecmp(url, scheme, len) != 0)
		return false;
	url += len;
	if (*url == 's' || *url == 'S')
		url++;
	return strncmp(url, "://", 3) == 0 && url[3] != '\0' && url[3] != '/' && strpbrk(url, " \t\r\n") == NULL;
}

char *
loader_url(struct loader *loader, const config_setting_t *group, const char *key, const char *scheme)
{
	const char *text = setting_string(group, key);

	if (text == NULL)
		return NULL;
	if (url_is(text, scheme))
		return loader_strdup(loader, text);
	loader_problem(loader, group, key, "\"%s\" is not an address that begins with %s:// or %ss://", text, scheme,
	               scheme);
	return NULL;
}

char **
loader_command(struct loader *loader, config_setting_t *setting)
{
	size_t n;
	char **command = loader_texts(loader, setting, &n);

	if (command == NULL)
		return NULL;
	if (n == 0 || *command[0] == '\0') {
		loader_problem(loader, setting, NULL, "names no program");
		return command;
	}
	char *name = loader_path(loader, setting, command[0]);
	char *path = name != NULL ? loader_open_path(loader, name) : NULL;
	free(name);
	if (path != NULL) {
		free(command[0]);
		command[0] = path;
	}
	return command;
}

/* Groups that several files may share; each setting of theirs is given once. The group of the file that has `key`, or
 * NULL. */
static config_setting_t *
service_group(struct loader *loader, const char *group, const char *key)
{
	config_setting_t *found = NULL;

	for (size_t i = 0; i < loader->n_sources; i++) {
		if (!loader->sources[i]->parsed)
			continue;
		config_setting_t *here = setting_member(config_root_setting(&loader->sources[i]->lib), group);
		if (here == NULL || setting_member(here, key) == NULL)
			continue;
		if (found == NULL)
			found = here;
		else
			loader_problem(loader, here, key, "is already given at %s:%u", setting_source(found)->display,
			               config_setting_source_line(setting_member(found, key)));
	}
	return found;
}

/* The same where either of two settings says it. */
static config_setting_t *
service_group_either(struct loader *loader, const char *group, const char *key, const char *other)
{
	config_setting_t *found = service_group(loader, group, key);
	config_setting_t *found_other = service_group(loader, group, other);

	if (found != NULL && found_other != NULL && found != found_other)
		loader_problem(loader, found_other, other, "cannot stand beside %s at %s:%u", key,
		               setting_source(found)->display, config_setting_source_line(found));
	return found != NULL ? found : found_other;
}

/* A password in the text would be stored with the configuration. */
static bool
conninfo_has_password(const char *conninfo)
{
	const char *at = conninfo, *scheme = strstr(conninfo, "://");

	if (scheme != NULL &&
	    (strncmp(conninfo, "postgres://", 11) == 0 || strncmp(conninfo, "postgresql://", 13) == 0)) {
		const char *user = scheme + 3;
		size_t len = strcspn(user, "/?");
		const char *host = memrchr(user, '@', len);
		if (host != NULL && memchr(user, ':', (size_t)(host - user)) != NULL)
			return true;
	}
	while ((at = strstr(at, "password")) != NULL) {
		bool begins = at == conninfo || strchr(" \t\n?&", at[-1]) != NULL;
		at += strlen("password");
		if (begins && at[strspn(at, " \t\n")] == '=')
			return true;
	}
	return false;
}

static void
database_timeout_load(struct loader *loader)
{
	struct config *config = loader->config;
	const config_setting_t *group = service_group(loader, "database", "timeout");

	config->database_timeout = DATABASE_TIMEOUT_MAX;
	if (group != NULL && loader_duration(loader, group, "timeout", NULL, &config->database_timeout) &&
	    (config->database_timeout.us < US_PER_S || config->database_timeout.us > DATABASE_TIMEOUT_MAX.us))
		loader_problem(loader, group, "timeout", "is not within 1s and 30s");
}

static void
database_load(struct loader *loader)
{
	struct config *config = loader->config;
	const config_setting_t *group = service_group(loader, "database", "conninfo");
	const char *conninfo = group != NULL ? loader_required(loader, group, "conninfo") : NULL;

	if (conninfo != NULL && conninfo_has_password(conninfo))
		loader_problem(loader, group, "conninfo",
		               "holds a password: use password_credential or password_file instead");
	if (conninfo != NULL)
		config->conninfo = loader_strdup(loader, conninfo);
	group = service_group_either(loader, "database", "password_credential", "password_file");
	if (group != NULL)
		config->password = loader_secret(loader, group, "password_credential", "password_file");
	database_timeout_load(loader);
}

static void
instance_load(struct loader *loader)
{
	const config_setting_t *group = service_group(loader, "instance", "name");
	const config_setting_t *reload = service_group(loader, "instance", "reload");
	static const char *const words[] = {"keep", "migrate"};
	char host[HOST_NAME_MAX + 1] = "";

	if (reload != NULL)
		loader->config->migrate = loader_word(loader, setting_member(reload, "reload"), words, 2) == 1;
	if (group != NULL) {
		const char *name = loader_required(loader, group, "name");
		loader->config->instance = loader_strdup(loader, name != NULL ? name : "");
		return;
	}
	if (gethostname(host, sizeof host - 1) < 0 || *host == '\0')
		strcpy(host, "localhost");
	loader->config->instance = loader_strdup(loader, host);
}

static bool
address_is_path(const char *text)
{
	return strncmp(text, "unix:/", strlen("unix:/")) == 0;
}

/* "127.0.0.1:9464", "[::1]:9464", "unix:/run/slated/http.sock" */
static bool
address_is_right(const char *text)
{
	const char *colon = strrchr(text, ':');
	char *end;

	if (address_is_path(text))
		return strlen(text) - strlen("unix:") <= PATH_LENGTH_MAX;
	if (colon == NULL || colon == text || colon[1] < '0' || colon[1] > '9')
		return false;
	if (*text == '[' ? colon[-1] != ']' : memchr(text, ':', (size_t)(colon - text)) != NULL)
		return false;
	unsigned long port = strtoul(colon + 1, &end, 10);
	return *end == '\0' && port <= 65535;
}

/* Whether only this host can reach it. A name but "localhost" could be any address. */
static bool
address_is_loopback(const char *text)
{
	struct in_addr v4;
	char host[64];
	size_t len = (size_t)(strrchr(text, ':') - text);

	if (address_is_path(text))
		return true;
	if (len >= sizeof host)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	return strcmp(host, "[::1]") == 0 || strcasecmp(host, "localhost") == 0;
}

static void
http_load(struct loader *loader)
{
	struct config *config = loader->config;
	config_setting_t *token = service_group_either(loader, "http", "token_credential", "token_file");
	config_setting_t *group = service_group(loader, "http", "listen");
	config_setting_t *list = group != NULL ? setting_member(group, "listen") : NULL;

	for (int i = 0; i < strings_count(list); i++) {
		config_setting_t *element = strings_at(list, i);
		const char *text = config_setting_get_string(element);

		if (text != NULL && !address_is_right(text))
			loader_problem(loader, element, NULL,
			               "\"%s\" is not of the form \"127.0.0.1:9464\", \"[::1]:9464\" or "
			               "\"unix:/PATH\" (%zu characters at most)",
			               text, PATH_LENGTH_MAX);
		else if (text != NULL && token == NULL && !address_is_loopback(text))
			loader_problem(loader, element, NULL,
			               "\"%s\" can be reached from other hosts: give http a token_credential or a "
			               "token_file, or listen on 127.0.0.1 or [::1]",
			               text);
	}
	if (list != NULL && strings_count(list) > 0)
		config->listen = loader_texts(loader, list, &config->n_listen);
	if (token != NULL)
		config->token = loader_secret(loader, token, "token_credential", "token_file");
}

static void
outbox_load(struct loader *loader)
{
	const config_setting_t *group = service_group(loader, "outbox", "concurrency");
	long long concurrency = strtoll(config_row(SCOPE_OUTBOX, "concurrency")->initial, NULL, 10);

	if (group != NULL)
		(void)loader_int(loader, group, "concurrency", 1, 1024, &concurrency); /* it has reported */
	loader->config->concurrency = (unsigned)concurrency;
}

/* A URL that is given itself or as a secret, but not both. */
static char *
either_url(struct loader *loader, const config_setting_t *group)
{
	if (setting_member(group, "url") == NULL)
		return loader_secret_url(loader, group);
	if (setting_member(group, "url_credential") != NULL)
		loader_problem(loader, group, "url_credential", "cannot stand beside url");
	if (setting_member(group, "url_file") != NULL)
		loader_problem(loader, group, "url_file", "cannot stand beside url");
	return loader_url(loader, group, "url", "http");
}

/* Which of a ticket's facts a link may hold, in %{...}. */
static bool
link_is_right(const char *text)
{
	static const char *const facts[] = {"id", "source", "external_id", "org"};

	while ((text = strchr(text, '%')) != NULL) {
		bool known = false;
		for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
			size_t len = strlen(facts[i]);
			known |= strncmp(text, "%{", 2) == 0 && strncmp(text + 2, facts[i], len) == 0 &&
			         text[2 + len] == '}';
		}
		bool encoded = strspn(text + 1, "0123456789ABCDEFabcdef") >= 2;
		if (!known && !encoded)
			return false;
		text++;
	}
	return true;
}

static void
links_load(struct loader *loader)
{
	const config_setting_t *group = service_group(loader, "links", "ticket");
	const char *text = group != NULL ? setting_string(group, "ticket") : NULL;

	if (text == NULL)
		return;
	if (!link_is_right(text))
		loader_problem(loader, group, "ticket", "\"%s\": after %% comes {id}, {source}, {external_id} or {org}",
		               text);
	loader->config->ticket_link = loader_url(loader, group, "ticket", "http");
}

static void
heartbeat_load(struct loader *loader)
{
	struct config *config = loader->config;
	config_setting_t *url = service_group(loader, "heartbeat", "url");
	config_setting_t *secret = service_group_either(loader, "heartbeat", "url_credential", "url_file");
	const config_setting_t *every = service_group(loader, "heartbeat", "every");
	const char *initial = config_row(SCOPE_HEARTBEAT, "every")->initial;
	struct period period;

	if (url != NULL || secret != NULL)
		config->heartbeat_url = either_url(loader, url != NULL ? url : secret);
	if (url != NULL && secret != NULL && url != secret)
		loader_problem(loader, secret, NULL, "cannot stand beside url at %s:%u", setting_source(url)->display,
		               config_setting_source_line(url));
	if (period_parse(initial, &period) == 0)
		config->heartbeat_every = period.elapsed;
	if (every != NULL && loader_duration(loader, every, "every", NULL, &config->heartbeat_every) &&
	    config->heartbeat_every.us < HEARTBEAT_MIN_US)
		loader_problem(loader, every, "every",
		               "is shorter than 10s: the daemon itself looks after its lease every 5s");
}

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

static void
channel_load_type(struct loader *loader, const config_setting_t *group, struct channel_settings *channel)
{
	static const char *const urls[] = {"url", "url_credential", "url_file", NULL};
	static const char *const command[] = {"command", NULL};
	static const char *const keys[] = {"routing_key_credential", "routing_key_file", NULL};

	switch (channel->type) {
	case CHANNEL_WEBHOOK:
		channel_need(loader, group, urls);
		channel->url = either_url(loader, group);
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
		channel->url = either_url(loader, group);
		break;
	case CHANNEL_SLACK:
	case CHANNEL_TEAMS:
	case CHANNEL_GOALERT:
		channel_need(loader, group, urls);
		channel->url = either_url(loader, group);
		break;
	case CHANNEL_EMAIL:
		channel_load_email(loader, group, channel);
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
loader_service(struct loader *loader)
{
	database_load(loader);
	instance_load(loader);
	http_load(loader);
	outbox_load(loader);
	heartbeat_load(loader);
	links_load(loader);
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

static void
secret_free(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static void
texts_free(char **texts)
{
	for (char **text = texts; text != NULL && *text != NULL; text++)
		free(*text);
	free(texts);
}

/* A channel's settings are const to all but the loader, which made them. */
static void *
own(const void *setting)
{
	return (void *)(uintptr_t)setting;
}

static void
channel_clear(struct channel_settings *channel)
{
	for (size_t i = 0; i < channel->n_secrets; i++)
		secret_free(own(channel->secrets[i]));
	free(own(channel->secrets));
	secret_free(own(channel->routing_key));
	secret_free(own(channel->token));
	secret_free(own(channel->password));
	secret_free(own(channel->url));
	texts_free(own(channel->command));
	texts_free(own(channel->to));
	free(own(channel->name));
	free(own(channel->fallback));
	free(own(channel->smtp));
	free(own(channel->user));
	free(own(channel->from));
}

void
config_free(struct config *config)
{
	if (config == NULL)
		return;
	policy_set_free(config->policies);
	for (size_t i = 0; i < config->n_channels; i++)
		channel_clear(&config->channels[i]);
	free(config->channels);
	texts_free(config->listen);
	secret_free(config->password);
	secret_free(config->token);
	secret_free(config->heartbeat_url);
	free(config->conninfo);
	free(config->ticket_link);
	free(config->instance);
	free(config->source);
	free(config);
}
